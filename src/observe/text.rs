//! What is kept of a comment outside the vault: hashes of its normalised form.

use crate::observation::Text;
use crate::pseudonym::{Keyring, narrowed};
use crate::rating::Cut;

/// Comments whose normalised form has at most so many characters carry no weight: there are not
/// enough of them for two people not to meet ("态度恶劣").
const SHORT_CHARS: usize = 4;
/// The longest run of stock phrases that still is one. A longer string of them, word for word the
/// same, is a template.
const STOCK_CHARS: usize = 20;

pub(super) fn observe(keyring: &Keyring, comment: &Cut<'_>) -> Text {
    let (normalised, chars) = normalise(&comment.text);
    let stock = chars <= SHORT_CHARS || (chars <= STOCK_CHARS && is_stock(&normalised));
    Text {
        exact: keyring.text(&normalised),
        chars: comment.chars,
        stock,
        minhash: (chars >= Text::MINHASH_CHARS as usize).then(|| minhash(&normalised, keyring.gram_seeds())),
    }
}

/// Folds what a copyist changes without changing the text: width and case; any number becomes `0`;
/// punctuation, spaces, emoji and invisible characters go. Gives the length in characters too.
fn normalise(text: &str) -> (String, usize) {
    let mut out = String::with_capacity(text.len());
    let mut chars = 0;
    let mut in_number = false;
    let mut push = |c: char| {
        let repeats_digit = c == '0' && in_number;
        in_number = c == '0';
        if !repeats_digit {
            out.push(c);
            chars += 1;
        }
    };
    for c in text.chars() {
        // Han characters, nearly all there is, have nothing to fold.
        if matches!(c, '\u{4E00}'..='\u{9FFF}') {
            push(c);
            continue;
        }
        match narrowed(c) {
            '0'..='9' => push('0'),
            c if c.is_ascii_alphabetic() => push(c.to_ascii_lowercase()),
            c if c.is_ascii() || !c.is_alphanumeric() => {}
            c => c.to_lowercase().for_each(&mut push),
        }
    }
    (out, chars)
}

/// MinHash of the character 2- and 3-grams: the share of equal lanes estimates the share of grams
/// that two texts have in common.
///
/// A gram fits into 63 bits, so one keyed multiplication mixes it (as in wyhash). Its halves make
/// all lanes by double hashing, after Kirsch and Mitzenmacher, "Less Hashing, Same Performance" (2006).
fn minhash(normalised: &str, [xor, multiplier]: [u64; 2]) -> [u32; 8] {
    let mut lanes = [u32::MAX; 8];
    let mut add = |gram: u64| {
        let product = u128::from(gram ^ xor) * u128::from(multiplier | 1);
        let mixed = (product as u64) ^ (product >> 64) as u64;
        let (mut value, step) = (mixed as u32, (mixed >> 32) as u32);
        for lane in &mut lanes {
            *lane = value.min(*lane);
            value = value.wrapping_add(step);
        }
    };
    let (mut before, mut last) = (0_u64, 0_u64);
    for c in normalised.chars() {
        // A character has 21 bits and is never 0 here, so grams of two and of three never meet.
        let next = u64::from(u32::from(c));
        if last != 0 {
            add(last << 21 | next);
        }
        if before != 0 {
            add(before << 42 | last << 21 | next);
        }
        (before, last) = (last, next);
    }
    lanes
}

/// Whether a normalised text is made of stock phrases alone.
fn is_stock(normalised: &str) -> bool {
    let mut rest = normalised;
    while let Some(first) = rest.chars().next() {
        let from = STOCK.partition_point(|phrase| phrase.chars().next() < Some(first));
        let candidates = STOCK[from..].iter().take_while(|phrase| phrase.starts_with(first));
        match candidates.filter(|phrase| rest.starts_with(**phrase)).map(|phrase| phrase.len()).max() {
            Some(length) => rest = &rest[length..],
            None => return false,
        }
    }
    true
}

/// What a thousand people write independently of each other, in its normalised form and sorted.
/// The words are such that only texts without any content are made of them alone.
#[rustfmt::skip]
const STOCK: &[&str] = &[
    "ok", "一", "一如既往", "一直", "不", "不好", "不满意", "不行", "不错", "业务",
    "业务能力", "业务能力强", "为人民服务", "了", "人员", "你", "你们", "便捷", "便民",
    "可以", "周到", "和", "太", "太差", "太慢", "她", "好", "好的", "好评", "工作",
    "工作人员", "工作认真", "差", "差评", "很", "很不好", "很不满意", "很不错", "很多",
    "很好", "很差", "很快", "很慢", "很方便", "很棒", "很满意", "得", "快", "快捷",
    "态度", "态度好", "态度差", "态度很好", "态度恶劣", "态度热情", "总体", "感谢", "我",
    "我们", "挺", "挺好", "挺好的", "支持", "效率", "效率低", "效率高", "整体", "方便",
    "无", "是", "有", "服务", "服务好", "服务态度", "服务态度好", "服务态度差", "服务态度很好",
    "服务热情", "服务窗口", "服务质量", "极", "棒", "没有", "满意", "点赞", "热心", "热情",
    "特别", "环境", "环境好", "的", "真", "真好", "真的", "礼貌", "窗口", "窗口人员",
    "细心", "细致", "给", "给你们", "给力", "继续", "继续保持", "继续加油", "继续努力",
    "耐心", "耐心细致", "能力", "良好", "解答", "解答耐心", "认真", "认真负责", "谢谢",
    "负责", "质量", "赞", "越来越好", "辛苦", "辛苦了", "这", "这个", "速度", "速度快",
    "速度慢", "部门", "都", "都好", "都很好", "非常", "非常不满意", "非常好", "非常感谢",
    "非常棒", "非常满意", "高", "高效", "高效便捷",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn observed(text: &str) -> Text {
        let chars = text.chars().count() as u32;
        observe(&Keyring::public(), &Cut { text: text.into(), chars })
    }

    #[test]
    fn stock_phrases_are_sorted_and_normalised() {
        let unsorted = STOCK.windows(2).find(|pair| pair[0] >= pair[1]);
        assert_eq!(unsorted, None);
        for phrase in STOCK {
            assert_eq!(normalise(phrase).0, *phrase);
        }
    }

    #[test]
    fn what_a_copyist_changes_is_folded() {
        let original = observed("今天来办理，等了30分钟，Very slow！");
        for copy in [
            "今天 来办理等了 45 分钟 very slow",
            "今天来办理。。。等了３分钟ＶＥＲＹ ＳＬＯＷ😡",
            "今天来\u{200B}办理，等了1 000分钟，VERY SLOW",
        ] {
            let copy = observed(copy);
            assert_eq!((copy.exact, copy.minhash), (original.exact, original.minhash));
        }
        assert_ne!(observed("今天来办理，没有等").exact, original.exact);
    }

    #[test]
    fn stock_phrases_carry_no_weight_and_complaints_do() {
        for text in
            ["很好", "非常满意！", "服务态度很好，工作认真负责，谢谢", "很差！！！", "👍👍", "OK", "666"]
        {
            assert!(observed(text).stock, "{text}");
        }
        for text in ["窗口没有人，等了一上午", "工作人员让我跑了三趟", "材料退回两次理由都不一样"]
        {
            assert!(!observed(text).stock, "{text}");
        }
        assert!(!observed(&"服务态度很好".repeat(10)).stock, "a long template is none");
    }

    #[test]
    fn short_comments_have_no_minhash() {
        assert_eq!(observed("排队两小时没人管！！！！！！！").minhash, None);
        assert!(observed("排队两小时没人管还不让投诉").minhash.is_some());
    }

    #[test]
    fn equal_lanes_estimate_the_share_of_common_grams() {
        // 200 pairs whose grams have a Jaccard similarity of 1/2: the mean of 1600 lanes has a
        // standard error of about 0.0125 if the lanes are independent.
        let mut equal = 0;
        for pair in 0..200_u32 {
            let text = |from: u32| -> String {
                let chars = (from..from + 60).map(|n| (n.wrapping_mul(2_654_435_761) ^ pair << 7) % 20_000);
                chars.filter_map(|n| char::from_u32(0x4E00 + n)).collect()
            };
            let seeds = Keyring::public().gram_seeds();
            let (a, b) = (minhash(&text(0), seeds), minhash(&text(20), seeds));
            equal += a.iter().zip(&b).filter(|(a, b)| a == b).count();
        }
        // 40 of 80 characters in common: 77 of 157 grams.
        let share = equal as f64 / 1600.0;
        assert!((share - 77.0 / 157.0).abs() < 0.06, "{share}");
    }

    proptest! {
        #[test]
        fn any_text_is_observed(text in "\\PC{0,60}") {
            observed(&text);
        }
    }
}
