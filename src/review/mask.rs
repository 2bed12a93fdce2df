//! What of a comment a reviewer does not need: phones, ids, cards, addresses on the net, plates and names are masked.
//!
//! It finds what is written as such things are commonly written, and masks rather too much than too little: seven
//! digits in a row are never shown. A name in free words without a title or a word that announces it is not found; so a
//! view of a comment is written down all the same.

/// A part of a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Shown as it is.
    Shown(String),
    /// Masked; how long it was does not show.
    Masked,
}

/// What stands in place of what is masked.
pub const MASK: &str = "▇▇";

/// Digits from which on a number is masked.
const LONG_NUMBER: usize = 7;
/// Marks that may stand between the digits of one number, and how many in a row.
const BETWEEN_DIGITS: &str = " \u{3000}-－—–_.．·・/／()（）*,，";
const BETWEEN_MAX: usize = 2;

/// The parts of a comment in their order.
pub fn mask(comment: &str) -> Vec<Piece> {
    let text: Vec<char> = comment.chars().collect();
    let folded: Vec<char> = text.iter().map(|&c| fold(c)).collect();
    let mut hidden = vec![false; text.len()];
    numbers(&folded, &mut hidden);
    mails(&folded, &mut hidden);
    messengers(&folded, &mut hidden);
    plates(&folded, &mut hidden);
    names(&folded, &mut hidden);
    let mut pieces: Vec<Piece> = Vec::new();
    for (&c, &is_hidden) in text.iter().zip(&hidden) {
        match (is_hidden, pieces.last_mut()) {
            (true, Some(Piece::Masked)) => {}
            (true, _) => pieces.push(Piece::Masked),
            (false, Some(Piece::Shown(shown))) => shown.push(c),
            (false, _) => pieces.push(Piece::Shown(c.to_string())),
        }
    }
    pieces
}

/// The comment with [`MASK`] in place of what is masked.
pub fn masked(comment: &str) -> String {
    mask(comment)
        .into_iter()
        .map(|piece| match piece {
            Piece::Shown(shown) => shown,
            Piece::Masked => MASK.to_owned(),
        })
        .collect()
}

/// Full-width forms become plain ones, capitals small ones, and digits of any kind `0` to `9`.
fn fold(c: char) -> char {
    match c {
        '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' | '＠' | '．' | '＿' | '－' | '：' => {
            let plain = char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c);
            plain.to_ascii_lowercase()
        }
        '零' | '〇' | '○' => '0',
        '一' | '壹' | '幺' => '1',
        '二' | '贰' | '两' => '2',
        '三' | '叁' => '3',
        '四' | '肆' => '4',
        '五' | '伍' => '5',
        '六' | '陆' => '6',
        '七' | '柒' => '7',
        '八' | '捌' => '8',
        '九' | '玖' => '9',
        // Circled figures, figures of other scripts.
        _ if c.is_numeric() && !c.is_ascii() => '0',
        _ => c.to_ascii_lowercase(),
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{20000}'..='\u{3FFFF}')
}

fn hide(hidden: &mut [bool], from: usize, to: usize) {
    hidden[from..to].fill(true);
}

/// Phones, id numbers, cards, case numbers: seven digits or more, whatever stands between them.
fn numbers(text: &[char], hidden: &mut [bool]) {
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        if let Some(end) = date(text, at) {
            at = end;
            continue;
        }
        let from = at;
        let (mut digits, mut last, mut gap) = (0, at, 0);
        while at < text.len() && gap <= BETWEEN_MAX {
            if text[at].is_ascii_digit() {
                (digits, last, gap) = (digits + 1, at, 0);
            } else if BETWEEN_DIGITS.contains(text[at]) {
                gap += 1;
            } else {
                break;
            }
            at += 1;
        }
        let mut to = last + 1;
        at = to;
        if digits >= LONG_NUMBER {
            // The X of an id number, the letters of a passport, an order or a case: the whole word.
            let mut from = from;
            while from > 0 && is_word(text[from - 1]) {
                from -= 1;
            }
            while to < text.len() && is_word(text[to]) {
                to += 1;
            }
            hide(hidden, from, to);
            at = to;
        }
    }
}

/// The end of a date of the time in which ratings are given (`2026-11-27`, `2026/1/5`), which is no secret: those of
/// births lie before.
fn date(text: &[char], from: usize) -> Option<usize> {
    if from > 0 && (text[from - 1].is_ascii_digit() || is_word(text[from - 1])) {
        return None;
    }
    let year = text.get(from..from + 4)?;
    if year[0] != '2' || year[1] != '0' || !matches!(year[2], '2'..='9') || !year[3].is_ascii_digit() {
        return None;
    }
    let mut at = from + 4;
    let separator = *text.get(at)?;
    if !matches!(separator, '-' | '/' | '.') {
        return None;
    }
    for part in 0..2 {
        if part == 1 && text.get(at) != Some(&separator) {
            return None;
        }
        at += 1;
        let digits = text[at..].iter().take(3).take_while(|c| c.is_ascii_digit()).count();
        if !(1..=2).contains(&digits) {
            return None;
        }
        at += digits;
    }
    Some(at)
}

fn mails(text: &[char], hidden: &mut [bool]) {
    let is_part = |c: char| is_word(c) || matches!(c, '.' | '-' | '+' | '%');
    for at in (0..text.len()).filter(|&at| text[at] == '@') {
        let from = (0..at).rev().take_while(|&place| is_part(text[place])).last();
        let to = (at + 1..text.len()).take_while(|&place| is_part(text[place])).last();
        if let (Some(from), Some(to)) = (from, to) {
            hide(hidden, from, to + 1);
        }
    }
}

/// Ids of messengers behind the word for them.
fn messengers(text: &[char], hidden: &mut [bool]) {
    const WORDS: &[&str] = &[
        "微信",
        "薇信",
        "weixin",
        "wechat",
        "wx",
        "vx",
        "v信",
        "加v",
        "qq",
        "扣扣",
        "企鹅",
        "抖音",
        "支付宝",
        "账号",
        "帐号",
    ];
    const BETWEEN: &str = "号码是为叫加我的:： \u{3000}=“”\"'（()）[]【】";
    const LEAST: usize = 5;
    for word in WORDS {
        let word: Vec<char> = word.chars().collect();
        for at in find(text, &word) {
            let mut from = at + word.len();
            let limit = from + 8;
            while from < text.len() && from < limit && BETWEEN.contains(text[from]) {
                from += 1;
            }
            let to = (from..text.len())
                .take_while(|&place| is_word(text[place]) || text[place] == '-')
                .last()
                .map_or(from, |last| last + 1);
            if to - from >= LEAST {
                hide(hidden, from, to);
            }
        }
    }
}

fn plates(text: &[char], hidden: &mut [bool]) {
    const PLACES: &str = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼";
    for at in 0..text.len() {
        if !PLACES.contains(text[at]) || !text.get(at + 1).is_some_and(char::is_ascii_alphabetic) {
            continue;
        }
        let mut from = at + 2;
        if text.get(from).is_some_and(|c| "·•・.- ".contains(*c)) {
            from += 1;
        }
        let length = text[from..].iter().take_while(|c| c.is_ascii_alphanumeric()).count();
        let has_digit = text[from..from + length].iter().any(char::is_ascii_digit);
        if (5..=6).contains(&length) && has_digit {
            hide(hidden, at, from + length);
        }
    }
}

/// The commonest surnames; those that are rather other words are left out (于, 和, 时, 是, 高, 安, 平 …), save where a
/// title follows.
const SURNAMES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗郑梁谢宋唐许韩冯邓曹彭曾肖萧田董袁潘蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范廖石金韦贾夏付傅方邹熊孟秦邱侯江尹薛闫阎段雷龙史陶贺顾毛郝龚邵钱严覃武戴莫孔向汤温康施牛樊葛邢庞殷庄岳翟章鲁倪柯俞戚蓝尤屠";
/// Surnames that are also common words.
const SURNAMES_BEFORE_TITLES: &str =
    "于高安白常文万齐易乔赖兰梅黎季喻管祝左涂欧包费连卜穆车柳宁凌成华党关甘游房路应单明解耿焦";
const DOUBLE_SURNAMES: &[&str] =
    &["欧阳", "上官", "司马", "诸葛", "慕容", "令狐", "皇甫", "尉迟", "司徒", "东方", "公孙", "夏侯", "端木"];

const TITLES: &[&str] = &[
    "先生",
    "女士",
    "小姐",
    "主任",
    "科长",
    "局长",
    "处长",
    "所长",
    "股长",
    "书记",
    "主席",
    "老师",
    "经理",
    "警官",
    "师傅",
    "工程师",
    "同志",
    "医生",
    "大夫",
    "护士",
    "律师",
    "阿姨",
    "叔叔",
    "大姐",
    "大哥",
    "大爷",
    "大妈",
    "队长",
    "站长",
    "院长",
    "校长",
    "镇长",
    "村长",
    "部长",
    "厅长",
    "市长",
    "区长",
    "县长",
    "科员",
    "专员",
    "主管",
    "组长",
    "班长",
    "总监",
    "老板",
    "姐姐",
    "哥哥",
    "法官",
    "会计",
    "干事",
    "姓工作人员",
    "姓员工",
];
/// Titles of one character: they count only where the name is short and nothing of a word goes on.
const SHORT_TITLES: &str = "工总姐哥局处科队所";

/// Words behind which a name comes for sure.
const ANNOUNCES: &[&str] = &["我叫", "名叫", "名字叫", "名字是", "姓名", "叫做", "名为", "本人姓名", "署名"];
/// Words behind which a name may come.
const MAY_ANNOUNCE: &[&str] = &[
    "我是",
    "本人",
    "联系人",
    "申请人",
    "当事人",
    "经办人",
    "办事员",
    "工作人员",
    "负责人",
    "投诉人",
    "投诉",
    "表扬",
    "感谢",
    "评价人",
    "员工",
    "客服",
    "柜员",
    "民警",
    "主任",
    "科长",
    "局长",
    "处长",
    "所长",
    "老公",
    "老婆",
    "丈夫",
    "妻子",
    "儿子",
    "女儿",
    "父亲",
    "母亲",
    "的叫",
    "一个叫",
    "那个叫",
    "有个叫",
];
/// What a name does not go on with.
const NO_NAME: &str = "的了是在和与跟找被把让给对向问请到从叫说也都就还很不没有我你他她它们这那哪什么怎为先女主科局处所书老经警师同医大律办理服务态度电话手机号码牌区市县街，。";

/// Where the name at `from` ends, if one can begin there: a surname and one or two further characters, up to what no
/// name has in it.
fn name_end(text: &[char], from: usize, surnames: &[&str]) -> Option<usize> {
    let double = text.get(from..from + 2).map(|pair| pair.iter().collect::<String>());
    let given = match double {
        Some(pair) if DOUBLE_SURNAMES.contains(&pair.as_str()) => from + 2,
        _ => match text.get(from) {
            Some(&c) if surnames.iter().any(|list| list.contains(c)) => from + 1,
            _ => return None,
        },
    };
    let length = text[given..].iter().take(2).take_while(|&&c| is_given(c)).count();
    Some(given + length)
}

fn is_given(c: char) -> bool {
    (is_han(c) || c.is_ascii_digit()) && !NO_NAME.contains(c)
}

fn names(text: &[char], hidden: &mut [bool]) {
    before_titles(text, hidden);
    let sure: &[&str] = &[SURNAMES, SURNAMES_BEFORE_TITLES];
    for (words, is_sure) in [(ANNOUNCES, true), (MAY_ANNOUNCE, false)] {
        for word in words {
            let word: Vec<char> = word.chars().collect();
            for at in find(text, &word) {
                let mut from = at + word.len();
                let limit = from + 3;
                while from < text.len() && from < limit && ":： \u{3000}是叫为“\"".contains(text[from])
                {
                    from += 1;
                }
                let surnames = if is_sure { sure } else { &sure[..1] };
                let Some(end) = name_end(text, from, surnames) else { continue };
                // After a word that may announce a name it must also end where names end.
                let ends = text.get(end).is_none_or(|&c| !is_han(c) || NO_NAME.contains(c));
                if end > from + 1 && (is_sure || ends) {
                    hide(hidden, from, end);
                }
            }
        }
    }
    for (at, &c) in text.iter().enumerate() {
        let next = |place: usize| text.get(at + place).copied();
        let is_surname = SURNAMES.contains(c) || SURNAMES_BEFORE_TITLES.contains(c);
        // 张某, 李某某.
        if is_surname && next(1) == Some('某') {
            let more = usize::from(next(2) == Some('某'));
            hide(hidden, at, at + 2 + more);
        }
        // 姓张的.
        if c == '姓' && next(1).is_some_and(|c| SURNAMES.contains(c)) {
            hide(hidden, at + 1, at + 2);
        }
        // 老王, 小李; not 小孙子 or 老范围.
        let ends = next(2).is_none_or(|c| !is_han(c) || NO_NAME.contains(c));
        if matches!(c, '老' | '小') && next(1).is_some_and(|c| SURNAMES.contains(c)) && ends {
            hide(hidden, at + 1, at + 2);
        }
    }
}

/// 张主任, 张小明主任, 欧阳老师, 李工.
fn before_titles(text: &[char], hidden: &mut [bool]) {
    let sure: &[&str] = &[SURNAMES, SURNAMES_BEFORE_TITLES];
    for title in TITLES {
        let title: Vec<char> = title.chars().collect();
        for at in find(text, &title) {
            // The longest that reads as a name: four characters with a double surname, else three.
            let begin = (1..=4).rev().filter_map(|length| at.checked_sub(length)).find(|&begin| {
                let before = &text[..at];
                let whole = name_end(before, begin, sure).is_some_and(|end| end == at);
                whole && (at - begin < 4 || name_end(before, begin, &[]).is_some())
            });
            if let Some(begin) = begin {
                hide(hidden, begin, at);
            }
        }
    }
    for (at, &c) in text.iter().enumerate() {
        let is_end = text.get(at + 1).is_none_or(|&next| !is_han(next) || NO_NAME.contains(next));
        let before = at.checked_sub(1).map(|place| text[place]);
        if SHORT_TITLES.contains(c) && is_end && before.is_some_and(|before| SURNAMES.contains(before)) {
            hide(hidden, at - 1, at);
        }
    }
}

/// Where a word stands in a text.
fn find<'t>(text: &'t [char], word: &'t [char]) -> impl Iterator<Item = usize> + 't {
    text.windows(word.len().max(1)).enumerate().filter(move |(_, window)| *window == word).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_write_is_shown_without_what_is_personal() {
        let cases = [
            ("服务很好，很快就办完了。", "服务很好，很快就办完了。"),
            ("请回电13812345678，谢谢", "请回电▇▇，谢谢"),
            ("电话：138 1234 5678", "电话：▇▇"),
            ("电话138-1234-5678打不通", "电话▇▇打不通"),
            ("座机0755-8234 5678转801没人接", "座机▇▇转801没人接"),
            ("我的手机是１３８１２３４５６７８", "我的手机是▇▇"),
            ("号码一三八零零一三八零零零", "号码▇▇"),
            ("身份证44030119900101123X被拒", "身份证▇▇被拒"),
            ("旧证号440301900101123", "旧证号▇▇"),
            ("退款到6222 0202 0001 1234 567", "退款到▇▇"),
            ("发到 zhang.san+gov@example.com.cn 吧", "发到 ▇▇ 吧"),
            ("加我微信：zhangsan_88 详谈", "加我微信：▇▇ 详谈"),
            ("QQ12345678", "▇▇"),
            ("qq号 98765", "qq号 ▇▇"),
            ("车牌粤B·12345停在门口", "车牌▇▇停在门口"),
            ("粤BD12345的车", "▇▇的车"),
            ("3号窗口张小明主任态度恶劣", "3号窗口▇▇主任态度恶劣"),
            ("找王主任签字，找了三次", "找▇▇主任签字，找了三次"),
            ("欧阳老师很耐心", "▇▇老师很耐心"),
            ("李女士和陈先生都不管", "▇▇女士和▇▇先生都不管"),
            ("我叫刘德华，等了两小时", "我叫▇▇，等了两小时"),
            ("姓名：赵四", "姓名：▇▇"),
            ("本人周杰，昨天来办证", "本人▇▇，昨天来办证"),
            ("本人昨天来办证，等了3个小时", "本人昨天来办证，等了3个小时"),
            ("李工说材料不全", "▇▇工说材料不全"),
            ("窗口的张某某推诿", "窗口的▇▇推诿"),
            ("小王服务热情，点赞", "小▇▇服务热情，点赞"),
            ("2026-11-27上午9:30取号A012，等到11:45", "2026-11-27上午9:30取号A012，等到11:45"),
            ("打12345投诉，编号SZ20261127000123", "打12345投诉，编号▇▇"),
            ("工作人员陈静，给我脸色看", "工作人员▇▇，给我脸色看"),
            ("工作人员态度好，点赞", "工作人员态度好，点赞"),
            ("周末也能办，方便", "周末也能办，方便"),
        ];
        let wrong: Vec<String> = cases
            .iter()
            .filter(|(comment, wanted)| masked(comment) != *wanted)
            .map(|(comment, wanted)| format!("{comment}\n  is    {}\n  wants {wanted}", masked(comment)))
            .collect();
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    proptest! {
        #[test]
        fn seven_digits_in_a_row_are_never_shown(
            comment in "[0-9０-９一二三四 \\-./·a-zA-Z@：:微信张王先生主任某粤\\PC]{0,60}",
        ) {
            for piece in mask(&comment) {
                let Piece::Shown(shown) = piece else { continue };
                let mut run = 0;
                for c in shown.chars().map(fold) {
                    run = if c.is_ascii_digit() { run + 1 } else { 0 };
                    prop_assert!(run < LONG_NUMBER, "{shown} of {comment}");
                }
            }
        }

        #[test]
        fn what_is_shown_stands_in_the_comment_in_its_order(comment in "\\PC{0,80}|[张王李我叫先生主任0-9@.]{0,40}") {
            let mut rest = comment.as_str();
            for piece in mask(&comment) {
                if let Piece::Shown(shown) = piece {
                    let at = rest.find(&shown);
                    prop_assert!(at.is_some());
                    rest = &rest[at.unwrap() + shown.len()..];
                }
            }
        }
    }
}
