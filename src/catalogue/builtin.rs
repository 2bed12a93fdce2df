//! The built-in features, one row each. Order is part of the log format: append only.

use super::{FeatureId, FeatureType, Scope};
use crate::wire::{CaseMatch, Channel, EntryPoint, Origin, Platform, Stage};
use FeatureType::{Bool, Code, Enum, Float, Int};
use Scope::{Model, Rating, State};

/// One built-in feature.
#[derive(Debug)]
pub struct Row {
    /// What rules call it.
    pub name: &'static str,
    /// Type of its value.
    pub kind: FeatureType,
    /// Where it comes from.
    pub scope: Scope,
    /// Unit.
    pub unit: &'static str,
    /// Meaning: Chinese, English.
    pub meaning: (&'static str, &'static str),
    /// Sentence: Chinese, English.
    pub text: (&'static str, &'static str),
}

/// What kind of device a rating came from.
pub const DEVICE_CLASSES: &[&str] =
    &["personal", "official", "unregistered", "helper", "phone_line", "unknown"];
/// How the device was recognised.
pub const DEVICE_LINKS: &[&str] = &["known", "linked", "new", "absent"];
/// How a rating stands to earlier ones of the same case, stage and visit.
pub const CASE_CONTESTS: &[&str] = &[
    "none",
    "revision",
    "repeat_same",
    "repeat_changed",
    "other_rater",
    "stands_over_other",
    "yields_to_applicant",
];

/// What may gather at a target; `features::traits` sets them.
pub const TRAITS: &[&str] = &[
    "case_absent",
    "case_unmatched",
    "case_unchecked",
    "not_applicant",
    "applicant_unknown",
    "rater_absent",
    "account_young",
    "rater_many_devices",
    "unverified",
    "device_new",
    "device_absent",
    "device_shared",
    "emulator",
    "rooted",
    "proxy",
    "contradictory",
    "automated",
    "fields_missing",
    "dwell_quick",
    "dwell_absent",
    "submitted_at_once",
    "before_completion",
    "long_after",
    "odd_hour",
    "rater_returns",
    "case_reused",
    "comment_given",
    "aspects_alike",
    "stage_consult",
    "stage_revisit",
    "rater_first",
    "device_relinked",
];

macro_rules! rows {
    ($($id:ident $name:literal $kind:expr, $scope:expr, $unit:literal, $mzh:literal / $men:literal, $tzh:literal / $ten:literal;)+) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u16)]
        enum Position { $($id),+ }
        $(#[doc = concat!("`", $name, "`: ", $men)] pub const $id: FeatureId = FeatureId(Position::$id as u16);)+
        /// All built-in features in catalogue order.
        pub const ROWS: &[Row] = &[$(Row {
            name: $name, kind: $kind, scope: $scope, unit: $unit, meaning: ($mzh, $men), text: ($tzh, $ten),
        }),+];
    };
}

rows! {
    STARS "stars" Int, Rating, "stars", "总体评价星级，5为非常满意，1为非常不满意" / "Overall stars, 5 best to 1 worst", "评价{value}星" / "rated {value} stars";
    STARS_WORST "stars.worst" Int, Rating, "stars", "总体、大厅和各分项中的最低星级" / "The lowest of stars, hall stars and aspects", "最低一项为{value}星" / "the lowest item has {value} stars";
    BAD "bad" Bool, Rating, "", "差评：任一项为1或2星" / "A bad rating: any item has 1 or 2 stars", "差评：{value}" / "bad rating: {value}";
    STARS_UNIFORM "stars.uniform" Bool, Rating, "", "所有分项星级完全相同（至少三项）" / "All aspects have the same stars (three or more given)", "各分项星级完全相同：{value}" / "all aspects alike: {value}";
    ORIGIN "origin" Enum(Origin::NAMES), Rating, "", "主动评价或到期默认" / "Chosen by the rater, or filled in by the platform", "评价来源{value}" / "origin {value}";
    CHANNEL "channel" Enum(Channel::NAMES), Rating, "", "评价渠道" / "Where the rating was given", "渠道{value}" / "channel {value}";
    ENTRY "entry" Enum(EntryPoint::NAMES), Rating, "", "评价入口" / "The way into the channel", "入口{value}" / "entry {value}";
    STAGE "stage" Enum(Stage::NAMES), Rating, "", "办事环节" / "Stage of the service event", "环节{value}" / "stage {value}";
    SUPERSEDES "supersedes" Bool, Rating, "", "声明为对先前评价的修改" / "Says that it revises an earlier rating", "声明修改先前评价：{value}" / "says it revises an earlier rating: {value}";
    MATTER "service.matter" Code, Rating, "", "事项编码" / "Matter code", "事项{value}" / "matter {value}";
    DEPARTMENT "service.department" Code, Rating, "", "部门编码" / "Department code", "部门{value}" / "department {value}";
    DISTRICT "service.district" Code, Rating, "", "区划编码" / "District code", "区划{value}" / "district {value}";
    HALL "service.hall" Code, Rating, "", "大厅编码" / "Hall code", "大厅{value}" / "hall {value}";
    WINDOW "service.window" Code, Rating, "", "窗口编码" / "Window code", "窗口{value}" / "window {value}";
    CLERK "service.clerk" Code, Rating, "", "工作人员编码" / "Clerk code", "工作人员{value}" / "clerk {value}";

    CASE_PRESENT "case.present" Bool, Rating, "", "带有办件编号" / "A case number was given", "带办件编号：{value}" / "case number given: {value}";
    CASE_MATCH "case.match" Enum(CaseMatch::NAMES), Rating, "", "办件核对结果" / "Whether intake found the case", "办件核对{value}" / "case {value}";
    CASE_BEFORE_COMPLETION "case.before_completion" Bool, Rating, "", "办结环节的评价早于办结时间" / "A rating of stage complete, submitted before the event ended", "早于办结时间提交：{value}" / "submitted before completion: {value}";

    RATER_PRESENT "rater.present" Bool, Rating, "", "有评价人标识" / "Some identifier of the rater was given", "有评价人标识：{value}" / "rater identified: {value}";
    RATER_VERIFIED "rater.verified" Bool, Rating, "", "实名认证" / "Real-name verified", "实名认证：{value}" / "real-name verified: {value}";
    RATER_IS_APPLICANT "rater.is_applicant" Bool, Rating, "", "评价人为申请人或登记的代理人" / "The rater is the applicant or the agent on record", "为申请人本人：{value}" / "is the applicant: {value}";
    RATER_MATCHED_APPLICANT "rater.matched_applicant" Bool, Rating, "", "核对一致的办件的申请人" / "The applicant of a case that intake found", "为已核对办件的申请人：{value}" / "applicant of a matched case: {value}";
    RATER_ACCOUNT_AGE_DAYS "rater.account_age_days" Float, Rating, "days", "账号注册至提交的天数" / "Days from registration to submission", "账号注册{value}天" / "account is {value} days old";

    DEVICE_CLASS "device.class" Enum(DEVICE_CLASSES), State, "", "设备类别：个人、官方终端、未登记终端、帮办设备、电话、未知" / "Class of the device: personal, official terminal, unregistered terminal, helper's, phone line, unknown", "设备类别{value}" / "device class {value}";
    DEVICE_ID_PRESENT "device.id_present" Bool, Rating, "", "有设备指纹或终端编号" / "A fingerprint or terminal id was given", "有设备标识：{value}" / "device id given: {value}";
    DEVICE_TERMINAL "device.terminal" Bool, Rating, "", "来自声明的官方终端" / "Names an official terminal", "官方终端：{value}" / "official terminal: {value}";
    DEVICE_PLATFORM "device.platform" Enum(Platform::NAMES), Rating, "", "设备平台" / "Platform", "平台{value}" / "platform {value}";
    DEVICE_ROOTED "device.rooted" Bool, Rating, "", "已越狱或取得最高权限" / "Rooted or jailbroken", "已越狱：{value}" / "rooted: {value}";
    DEVICE_EMULATOR "device.emulator" Bool, Rating, "", "模拟器" / "An emulator", "模拟器：{value}" / "emulator: {value}";
    DEVICE_AUTOMATION "device.automation" Bool, Rating, "", "检测到自动化驱动（辅助技术除外）" / "The client kit saw a driver (never assistive technology)", "检测到自动化驱动：{value}" / "automation driver seen: {value}";
    DEVICE_HEADLESS "device.headless" Bool, Rating, "", "用户代理为无界面浏览器、脚本库或驱动" / "The user agent or model names a headless browser, an HTTP library or a driver", "脚本或无界面浏览器：{value}" / "script or headless browser: {value}";
    DEVICE_CONTRADICTIONS "device.contradictions" Int, Rating, "claims", "相互矛盾的设备信息数" / "Claims about the device that contradict each other", "设备信息有{value}处矛盾" / "{value} contradictory claims about the device";
    DEVICE_LINK "device.link" Enum(DEVICE_LINKS), State, "", "设备识别方式" / "How the device was recognised: known, linked to a known one, new, absent", "设备识别方式{value}" / "device recognised as {value}";
    DEVICE_AGE_DAYS "device.age_days" Float, State, "days", "设备首次出现至今的天数" / "Days since the device was first seen", "设备首次出现于{value}天前" / "device first seen {value} days ago";
    DEVICE_RARITY "device.rarity" Float, State, "log10", "硬件配置的罕见程度：常见为0，越大越罕见" / "How rare the hardware profile is: −log10 of its share of ratings", "硬件配置罕见度{value}" / "hardware profile rarity {value}";
    DEVICE_PROFILE_EXCESS "device.profile_excess" Float, State, "log10", "该对象24小时内同一硬件配置的人数超出偶然的程度（−log10概率）" / "How far the raters of this target within 24 h share one hardware profile beyond chance (−log10 p)", "同一硬件配置集中度{value}" / "hardware profile concentration {value}";

    NETWORK_PROXY "network.proxy" Bool, Rating, "", "代理或VPN" / "Proxy or VPN, by intake's own detection", "代理或VPN：{value}" / "proxy or VPN: {value}";
    NETWORK_PRESENT "network.present" Bool, Rating, "", "有网络地址" / "An address was given", "有网络地址：{value}" / "address given: {value}";
    NETWORK_SUBNET_EXCESS "network.subnet_excess" Float, State, "log10", "该对象24小时内同一网段的人数超出偶然的程度（−log10概率）" / "How far the raters of this target within 24 h share one subnet beyond chance (−log10 p)", "同一网段集中度{value}" / "subnet concentration {value}";

    TIMING_DWELL_S "timing.dwell_s" Float, Rating, "s", "打开页面到提交的秒数" / "Seconds from opening the form to submission", "填写用时{value}秒" / "filled in within {value} s";
    TIMING_COMPLETION_TO_SUBMIT_S "timing.completion_to_submit_s" Float, Rating, "s", "办结到提交的秒数" / "Seconds from the end of the event to submission", "办结后{value}秒提交" / "submitted {value} s after completion";
    TIMING_LAG_S "timing.lag_s" Float, Rating, "s", "提交到接收的秒数（离线终端会较大）" / "Seconds from submission to receipt (large for a pad that was offline)", "提交后{value}秒收到" / "received {value} s after submission";
    TIMING_HOUR "timing.hour" Int, Rating, "h", "当地时间的小时" / "Hour of the day, local time", "提交于{value}时" / "submitted in hour {value}";
    TIMING_OPEN "timing.open" Bool, State, "", "在办公时间内" / "Within the hall's opening hours", "办公时间内：{value}" / "within opening hours: {value}";
    TIMING_MONTH_END_DAYS "timing.month_end_days" Int, Rating, "days", "距月末天数" / "Days to the end of the month", "距月末{value}天" / "{value} days to month end";

    TEXT_PRESENT "text.present" Bool, Rating, "", "有文字评价" / "A comment was given", "有文字评价：{value}" / "comment given: {value}";
    TEXT_CHARS "text.chars" Int, Rating, "characters", "文字长度" / "Length of the comment", "文字{value}字" / "comment of {value} characters";
    TEXT_STOCK "text.stock" Bool, Rating, "", "套话" / "A stock phrase", "套话：{value}" / "stock phrase: {value}";

    CASE_CONTEST "case.contest" Enum(CASE_CONTESTS), State, "", "与同一办件、环节、次数的先前评价的关系" / "How it stands to earlier ratings of the same case, stage and visit", "与先前评价的关系{value}" / "stands to earlier ratings as {value}";
    CASE_PRIOR_RATERS "case.prior_raters" Int, State, "raters", "先前评价过此办件的其他人数" / "Other raters who rated this case before", "此办件先前已有{value}人评价" / "{value} others rated this case before";
    CASE_PRIOR_TARGETS "case.prior_targets" Int, State, "targets", "此办件先前评价过的其他对象数" / "Other targets that this case was rated for before", "此办件先前用于{value}个其他对象" / "this case was used for {value} other targets before";
    CASE_PRIOR_RATINGS "case.prior_ratings" Int, State, "ratings", "此办件先前的评价数（任何环节）" / "Earlier ratings of this case, at any stage", "此办件先前已有{value}次评价" / "this case has {value} earlier ratings";

    RATER_AGE_SEEN_DAYS "rater.seen_days" Float, State, "days", "评价人首次出现至今的天数" / "Days since this rater first rated", "评价人首次出现于{value}天前" / "rater first seen {value} days ago";
    RATER_RATINGS "rater.ratings" Int, State, "ratings", "评价人先前的评价总数" / "Earlier ratings by this rater", "评价人先前评价{value}次" / "rater gave {value} earlier ratings";
    RATER_MATCHED_SHARE "rater.matched_share" Float, State, "share", "评价人先前评价中办件核对一致的比例" / "Share of the rater's earlier ratings with a matched case", "先前评价中办件一致的占{value}" / "{value} of earlier ratings had a matched case";

    TARGET_RATINGS "target.ratings" Int, State, "ratings", "对象先前的主动评价数（衰减）" / "Earlier active ratings of the target (decayed, half-life 30 days)", "对象先前有{value}次主动评价" / "target has {value} earlier active ratings";
    TARGET_BAD_SHARE "target.bad_share" Float, State, "share", "对象的差评率，向上级收缩" / "The target's share of bad ratings, shrunk towards its department's", "对象平常差评率{value}" / "target's usual bad share is {value}";
    TARGET_UNMATCHED_SHARE "target.unmatched_share" Float, State, "share", "对象的评价中无办件或未核对一致的比例" / "Share of the target's ratings without a matched case, shrunk towards its department's", "对象平常无一致办件的占{value}" / "{value} of the target's ratings usually lack a matched case";
    TARGET_RATE_EXCESS "target.rate_excess" Float, State, "log10", "对象过去1小时评价数超出平常的程度（−log10概率）" / "How far the target's ratings within 1 h exceed its usual rate for that hour (−log10 p)", "评价量超出平常{value}" / "rating rate excess {value}";
    TARGET_BAD_EXCESS "target.bad_excess" Float, State, "log10", "对象过去24小时差评数超出平常的程度（−log10概率）" / "How far the target's bad ratings within 24 h exceed its usual share (−log10 p)", "差评数超出平常{value}" / "bad rating excess {value}";
    DISPERSION "target.dispersion" Float, State, "share", "对象24小时内评价人的分散度：设备、网段、硬件和文字均不相关为1" / "How unrelated the target's raters of the same polarity within 24 h are: 1 if no two share device, subnet, hardware or text", "评价人分散度{value}" / "raters' dispersion {value}";

    PACE_EVEN_RUN "pace.even_run" Int, State, "gaps", "同一终端（或对象）连续相近的评价间隔数" / "Gaps in a row that resemble each other, on one terminal or else for one target", "连续{value}个间隔几乎相等" / "{value} gaps in a row are nearly equal";

    MISSING_UNEXPECTED "missing.unexpected" Int, State, "fields", "此渠道、入口和版本通常会带而缺失的字段数" / "Missing fields that this channel, entry point and app version normally send", "缺少通常应有的{value}个字段" / "{value} fields that are normally sent are missing";
    WARNING_COUNT "warnings" Int, Rating, "fields", "无效而被忽略的字段数" / "Invalid optional fields", "{value}个字段无效" / "{value} invalid fields";

    REFERENCE_STAFF "reference.staff" Bool, State, "", "评价人为登记的工作人员" / "The rater is a registered member of staff", "评价人为工作人员：{value}" / "rater is staff: {value}";
    REFERENCE_OWN_DEPARTMENT "reference.own_department" Bool, State, "", "工作人员评价本部门" / "A member of staff rates the own department", "工作人员评价本部门：{value}" / "staff rates own department: {value}";
    REFERENCE_OVER_CLOSED "reference.over_closed" Float, State, "ratio", "当日窗口评价数与办结数之比" / "Ratings of the window that day per case closed there", "当日评价数为办结数的{value}倍" / "{value} ratings per case closed that day";

    TRAITS_SURPRISAL "traits.surprisal" Float, State, "log10", "此评价的各项特征在同渠道同入口评价中的罕见程度之和" / "How unusual the rating's traits are among those of its channel and entry point, summed (−log10 of their shares)", "特征罕见度{value}" / "its traits are unusual by {value}";
    TRAITS_TARGET_EXCESS "traits.target_excess" Float, State, "log10", "此评价的罕见特征近几日在该对象处聚集超出同厅（办事机构）水平的程度（−log10概率）" / "How far this rating's rarest gathered trait exceeds, among the target's ratings of the last days, what its hall or office lets expect (−log10 p)", "罕见特征在该对象处聚集程度{value}" / "its unusual traits gather at this target by {value}";
    TRAITS_TARGET_TOP "traits.target_top" Enum(TRAITS), State, "", "聚集最明显的特征" / "The trait that gathers most", "聚集最明显的特征为{value}" / "the trait that gathers most is {value}";
    TRAITS_OFFICE_EXCESS "traits.office_excess" Float, State, "log10", "此评价的罕见特征近几日在该办事机构聚集超出全市水平的程度（−log10概率）" / "How far this rating's rarest gathered trait exceeds, among the office's ratings of the last days, what the city lets expect (−log10 p)", "罕见特征在该办事机构聚集程度{value}" / "its unusual traits gather at this office by {value}";
    LINKS_TARGET "links.target" Int, State, "ratings", "该对象近期评价中与此评价有罕见相似之处的条数" / "Recent ratings of the target that resemble this one beyond chance (three digits of improbability)", "与该对象的{value}条近期评价有罕见的相似之处" / "resembles {value} recent ratings of the target beyond chance";
    LINKS_TARGET_BEST "links.target_best" Float, State, "log10", "与该对象近期评价的最大相似程度（−log10概率）" / "The closest resemblance to a recent rating of the target (−log10 of its probability by chance)", "最大相似程度{value}" / "closest resemblance {value}";
    LINKS_TARGET_SUM "links.target_sum" Float, State, "log10", "与该对象近期评价的相似程度之和（各减2，至多4）" / "Resemblances to the target's recent ratings, each beyond two digits and at most four, summed", "相似程度合计{value}" / "resemblances add up to {value}";
    LINKS_TARGET_SHARE "links.target_share" Float, State, "share", "该对象近期同类评价中与其他评价有罕见相似之处的比例" / "Share of the target's recent ratings of this polarity that resemble another one beyond chance", "近期评价中{value}有罕见的相似之处" / "{value} of the recent ratings resemble each other beyond chance";
    LINKS_PAST_RATER "links.past_rater" Float, State, "log10", "此评价人先前评价的平均相似程度合计" / "Mean of links.target_sum over the rater's earlier ratings, shrunk towards 0", "评价人先前评价的相似程度{value}" / "earlier ratings of the rater resembled others by {value}";
    LINKS_PAST_DEVICE "links.past_device" Float, State, "log10", "此设备先前评价的平均相似程度合计" / "Mean of links.target_sum over the device's earlier ratings, shrunk towards 0", "设备先前评价的相似程度{value}" / "earlier ratings of the device resembled others by {value}";
    LINKS_PAST_SUBNET "links.past_subnet" Float, State, "log10", "此网段先前评价的平均相似程度合计" / "Mean of links.target_sum over the subnet's earlier ratings, shrunk towards 0", "网段先前评价的相似程度{value}" / "earlier ratings of the subnet resembled others by {value}";
    LINKS_OFFICE "links.office" Int, State, "ratings", "该办事机构其他对象近期评价中与此评价有罕见相似之处的条数" / "Recent ratings of the office's other targets that resemble this one beyond chance", "与该办事机构其他对象的{value}条近期评价有罕见的相似之处" / "resembles {value} recent ratings of the office's other targets beyond chance";
    LINKS_OFFICE_SUM "links.office_sum" Float, State, "log10", "与该办事机构其他对象近期评价的相似程度之和" / "Resemblances to recent ratings of the office's other targets, summed likewise", "与部门内其他评价的相似程度合计{value}" / "resemblances within the office add up to {value}";
    BURST_DEVICE_TARGET "burst.device_target" Float, State, "log2", "此设备对该对象的评价在近10分钟内超出自身以往的程度（log2(1+χ²)）" / "How far ratings of this target by this device exceed, within ticks of ten minutes, what they used to be (log2(1 + χ²))", "此设备对该对象的评价突增{value}" / "ratings of this target by this device burst by {value}";
    BURST_RATER_TARGET "burst.rater_target" Float, State, "log2", "此评价人对该对象的评价在近10分钟内超出自身以往的程度（log2(1+χ²)）" / "How far ratings of this target by this rater exceed, within ticks of ten minutes, what they used to be (log2(1 + χ²))", "此评价人对该对象的评价突增{value}" / "ratings of this target by this rater burst by {value}";
    BURST_SUBNET_TARGET "burst.subnet_target" Float, State, "log2", "此网段对该对象的评价在近10分钟内超出自身以往的程度（log2(1+χ²)）" / "How far ratings of this target by this subnet exceed, within ticks of ten minutes, what they used to be (log2(1 + χ²))", "此网段对该对象的评价突增{value}" / "ratings of this target by this subnet burst by {value}";
    BURST_TEXT_TARGET "burst.text_target" Float, State, "log2", "此文字对该对象的评价在近10分钟内超出自身以往的程度（log2(1+χ²)）" / "How far ratings of this target with this text exceed, within ticks of ten minutes, what they used to be (log2(1 + χ²))", "此文字对该对象的评价突增{value}" / "ratings of this target with this text burst by {value}";
    MODEL_DENSITY "model.density" Float, Model, "log10", "此评价的各项数值在同类渠道平常评价中的罕见程度（−log10概率）；规则不可用" / "How rare the rating's figures are among ordinary ratings of its class of channels (−log10 of the share that is rarer); rules cannot see it", "各项数值的罕见程度{value}" / "rarity of its figures {value}";
    MODEL_LOGIT "model.logit" Float, Model, "log-odds", "规则与学习模型对此评价本身的判断（对数几率，未计关联评价）" / "What rules and learned model say of the rating by itself, before the ratings around it; rules cannot see it", "模型对数几率{value}" / "log-odds by the model {value}";
    GROUP_DEVICE "group.device" Int, Model, "ratings", "三日内同一设备的可疑评价数" / "Other suspect ratings on the same device within 3 days; known only where it matters", "三日内同一设备的可疑评价另有{value}条" / "{value} other suspect ratings on the same device within 3 days";
    GROUP_RATER "group.rater" Int, Model, "ratings", "三日内同一账号或同一手机号的可疑评价数" / "Other suspect ratings under the same account or phone number within 3 days; known only where it matters", "三日内同一账号或同一手机号的可疑评价另有{value}条" / "{value} other suspect ratings under the same account or phone number within 3 days";
    GROUP_CASE "group.case" Int, Model, "ratings", "三日内同一办件的可疑评价数" / "Other suspect ratings of the same case within 3 days; known only where it matters", "三日内同一办件的可疑评价另有{value}条" / "{value} other suspect ratings of the same case within 3 days";
    GROUP_TEXT "group.text" Int, Model, "ratings", "三日内文字相同的可疑评价数" / "Other suspect ratings in the same words within 3 days; known only where it matters", "三日内文字相同的可疑评价另有{value}条" / "{value} other suspect ratings in the same words within 3 days";
    GROUP_NETWORK "group.network" Int, Model, "ratings", "三日内同一网络地址或同一网段的可疑评价数" / "Other suspect ratings from the same address or subnet within 3 days; known only where it matters", "三日内同一网络地址或网段的可疑评价另有{value}条" / "{value} other suspect ratings from the same address or subnet within 3 days";
    GROUP_PROFILE "group.profile" Int, Model, "ratings", "三日内同一对象或办事机构且设备配置相同的可疑评价数" / "Other suspect ratings of this target or office with like devices within 3 days; known only where it matters", "三日内同一对象或办事机构且设备配置相同的可疑评价另有{value}条" / "{value} other suspect ratings of this target or office with like devices within 3 days";
    GROUP_TARGET "group.target" Int, Model, "ratings", "6小时内同一对象同类的可疑评价数" / "Other suspect ratings of this target within 6 h, as good or as bad; known only where it matters", "6小时内同一对象同类的可疑评价另有{value}条" / "{value} other suspect ratings of this target within 6 h, as good or as bad";
    GROUP_OFFICE "group.office" Int, Model, "ratings", "6小时内同一办事机构同类的可疑评价数" / "Other suspect ratings of this office within 6 h, as good or as bad; known only where it matters", "6小时内同一办事机构同类的可疑评价另有{value}条" / "{value} other suspect ratings of this office within 6 h, as good or as bad";
    GROUP_CAMPAIGN "group.campaign" Int, Model, "", "所属可疑群组的编号（源自其首条评价）" / "Number of the campaign that it belongs to, from its first rating", "所属群组{value}" / "campaign {value}";
}
