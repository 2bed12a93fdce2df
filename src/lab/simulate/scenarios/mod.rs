//! The scenarios by name: every abuse to expect, and every honest thing that looks like one.

mod crowds;
mod grievances;
mod helpers;
mod hired;
mod insiders;
mod machines;
mod malice;

use super::calendar::Rhythm;
use super::scene::Scene;
use crate::wire::Label;

/// A habit or occasion that can be switched on and off by name.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// The name, in labels and on the command line.
    pub name: &'static str,
    /// What its ratings are.
    pub label: Label,
    /// What it is, in Chinese.
    pub zh: &'static str,
    /// What it is, in English.
    pub en: &'static str,
    pub(super) shape: Shape,
}

impl Scenario {
    /// Whether somebody means to deceive.
    pub fn is_abuse(&self) -> bool {
        matches!(self.shape, Shape::Occasion { .. }) && !self.label.is_honest()
    }
}

/// How a scenario comes into the traffic.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Single ordinary ratings, now and then.
    Habit,
    /// Honest people who get into other scenarios.
    Bystanders,
    /// Campaigns and occasions.
    Occasion {
        /// Share among the abuses, or among the look-alikes.
        share: u32,
        /// Smallest and largest number of ratings.
        size: (u32, u32),
        /// Shortest and longest duration, in hours.
        hours: (f64, f64),
        /// When it may begin.
        begins: Rhythm,
        /// Draws its ratings.
        play: fn(&mut Scene<'_>),
    },
}

const fn occasion(
    share: u32,
    size: (u32, u32),
    hours: (f64, f64),
    begins: Rhythm,
    play: fn(&mut Scene<'_>),
) -> Shape {
    Shape::Occasion { share, size, hours, begins, play }
}

const fn row(name: &'static str, label: Label, shape: Shape, zh: &'static str, en: &'static str) -> Scenario {
    Scenario { name, label, zh, en, shape }
}

use Label::{Automation, Duplicate, Genuine, MaliciousReview, Mistaken, PaddedPraise};
use Rhythm::{Hall, Online};

/// All scenarios: abuses first, then look-alikes, then habits.
pub const SCENARIOS: &[Scenario] = &[
    row(
        "clerk_own_phone",
        PaddedPraise,
        occasion(100, (12, 60), (6.0, 60.0), Hall, insiders::clerk_own_phone),
        "工作人员用自己的手机替群众评价",
        "A clerk rates for clients on the clerk's own phone",
    ),
    row(
        "pad_pressed",
        PaddedPraise,
        occasion(190, (25, 120), (2.0, 8.0), Hall, insiders::pad_pressed),
        "窗口评价器被按固定间隔连续点击",
        "A window's pad is pressed at even intervals",
    ),
    row(
        "insider_first",
        PaddedPraise,
        occasion(60, (10, 40), (20.0, 120.0), Hall, insiders::insider_first),
        "内部人员抢在群众之前评价其办件",
        "An insider rates a client's case before the client can",
    ),
    row(
        "own_department",
        PaddedPraise,
        occasion(60, (10, 60), (10.0, 96.0), Online, insiders::own_department),
        "职工和家属评价本部门",
        "Colleagues and families rate their own department",
    ),
    row(
        "rogue_terminal",
        PaddedPraise,
        occasion(40, (20, 80), (3.0, 30.0), Hall, insiders::rogue_terminal),
        "未登记终端冒充评价器",
        "An unregistered terminal poses as a pad",
    ),
    row(
        "ghost_cases",
        PaddedPraise,
        occasion(70, (15, 80), (10.0, 72.0), Online, hired::ghost_cases),
        "虚构办件编号的好评",
        "Praise for cases that do not exist",
    ),
    row(
        "harvested_cases",
        PaddedPraise,
        occasion(120, (20, 120), (10.0, 96.0), Online, hired::harvested_cases),
        "收集未评价的真实办件刷好评",
        "Praise for real cases whose clients have not rated",
    ),
    row(
        "reused_cases",
        PaddedPraise,
        occasion(50, (10, 50), (10.0, 72.0), Online, hired::reused_cases),
        "同一办件被重复使用",
        "Cases that clients have rated are used again",
    ),
    row(
        "hired_new_accounts",
        PaddedPraise,
        occasion(80, (20, 120), (6.0, 48.0), Online, hired::hired_new_accounts),
        "雇佣新注册账号刷好评",
        "Hired accounts, registered for the purpose",
    ),
    row(
        "hired_aged_accounts",
        PaddedPraise,
        occasion(70, (20, 120), (10.0, 72.0), Online, hired::hired_aged_accounts),
        "雇佣老账号、抹除指纹刷好评",
        "Hired aged accounts on emulators with wiped ids",
    ),
    row(
        "slow_drip",
        PaddedPraise,
        occasion(50, (15, 50), (150.0, 300.0), Online, hired::slow_drip),
        "小团伙长期少量刷好评",
        "A slow drip of praise from a small ring",
    ),
    row(
        "stripped_fields",
        PaddedPraise,
        occasion(40, (15, 70), (6.0, 48.0), Online, hired::stripped_fields),
        "刻意去除设备和网络字段",
        "Fields stripped to blind the detector",
    ),
    row(
        "one_grudge",
        MaliciousReview,
        occasion(16, (8, 30), (3.0, 90.0), Online, malice::one_grudge),
        "一人多号恶意差评同一工作人员",
        "One person with many accounts against one clerk",
    ),
    row(
        "brigade_one_text",
        MaliciousReview,
        occasion(20, (15, 60), (2.0, 20.0), Online, malice::brigade_one_text),
        "有组织地用同一文字恶意差评",
        "An organised brigade with one text",
    ),
    row(
        "brigade_own_words",
        MaliciousReview,
        occasion(14, (12, 40), (6.0, 48.0), Online, malice::brigade_own_words),
        "有组织恶意差评，各自改写文字",
        "An organised brigade that words its story anew",
    ),
    row(
        "poured_into_outage",
        MaliciousReview,
        occasion(18, (12, 50), (2.0, 6.0), Online, malice::poured_into_outage),
        "混入真实故障的虚假差评",
        "Fakes poured into a real outage in the victims' words",
    ),
    row(
        "agent_extortion",
        MaliciousReview,
        occasion(10, (6, 20), (24.0, 150.0), Online, malice::agent_extortion),
        "代办以差评要挟",
        "An agent extorts with bad ratings of clients' real cases",
    ),
    row(
        "headless_bot",
        Automation,
        occasion(45, (20, 150), (0.5, 30.0), Online, machines::headless_bot),
        "无界面浏览器自动刷评",
        "A headless browser rates by itself",
    ),
    row(
        "scripted_app",
        Automation,
        occasion(35, (20, 100), (1.0, 48.0), Online, machines::scripted_app),
        "脚本调用接口自动刷评",
        "A script calls the app's interface",
    ),
    row(
        "resubmission",
        Duplicate,
        occasion(30, (8, 40), (0.3, 30.0), Online, machines::resubmission),
        "同一评价反复提交",
        "One person's rating of one case, sent in again and again",
    ),
    row(
        "outage",
        Genuine,
        occasion(14, (50, 160), (1.5, 6.0), Online, crowds::outage),
        "系统故障引发大量真实差评",
        "An outage: bad ratings from many unrelated people",
    ),
    row(
        "enrolment_day",
        Genuine,
        occasion(120, (80, 350), (5.0, 10.0), Hall, crowds::enrolment_day),
        "入学登记日等办事高峰",
        "An enrolment day",
    ),
    row(
        "kiosk_crowd",
        Genuine,
        occasion(150, (100, 400), (5.0, 9.0), Hall, crowds::kiosk_crowd),
        "一台自助终端数百人评价",
        "Hundreds of raters at one kiosk",
    ),
    row(
        "carrier_nat",
        Genuine,
        occasion(80, (30, 150), (1.0, 4.0), Online, crowds::carrier_nat),
        "运营商共享地址下的众多用户",
        "Many raters behind one address of a carrier",
    ),
    row(
        "hall_wifi",
        Genuine,
        occasion(80, (30, 120), (2.0, 7.0), Hall, crowds::hall_wifi),
        "大厅无线网络下的众多用户",
        "Many raters on a hall's Wi-Fi",
    ),
    row(
        "office_network",
        Genuine,
        occasion(50, (15, 70), (3.0, 30.0), Online, crowds::office_network),
        "同一单位网络的职工办事",
        "Employees of one firm on its network",
    ),
    row(
        "stock_phrases",
        Genuine,
        occasion(90, (100, 500), (4.0, 24.0), Online, crowds::stock_phrases),
        "上千条“很好”",
        "\"很好\" a thousand times",
    ),
    row(
        "new_accounts_wave",
        Genuine,
        occasion(50, (30, 150), (6.0, 48.0), Online, crowds::new_accounts_wave),
        "推广期的新注册用户",
        "New users after a promotion",
    ),
    row(
        "coached_window",
        Genuine,
        occasion(60, (30, 100), (5.0, 40.0), Hall, crowds::coached_window),
        "窗口逐一请群众评价",
        "A window that asks every client to rate",
    ),
    row(
        "pad_offline",
        Genuine,
        occasion(70, (20, 110), (6.0, 9.0), Hall, crowds::pad_offline),
        "离线评价器次日同步",
        "A pad that syncs a day late",
    ),
    row(
        "helpers_phone",
        Genuine,
        occasion(110, (20, 80), (4.0, 30.0), Hall, helpers::helpers_phone),
        "帮办人员用一部手机协助多人",
        "An official helper with one phone for many people",
    ),
    row(
        "elders_kiosk",
        Genuine,
        occasion(60, (15, 50), (1.0, 3.0), Hall, helpers::elders_kiosk),
        "志愿者在终端帮助排队老人",
        "A volunteer with a queue of elders at one kiosk",
    ),
    row(
        "agent_clients",
        Genuine,
        occasion(90, (15, 80), (6.0, 72.0), Online, helpers::agent_clients),
        "代办机构为众多客户评价真实办件",
        "An agent who rates many clients' real cases",
    ),
    row(
        "staff_as_client",
        Genuine,
        occasion(15, (4, 12), (10.0, 72.0), Online, helpers::staff_as_client),
        "工作人员本人作为群众办事",
        "Staff who are clients of their own department",
    ),
    row(
        "estate_grievance",
        Genuine,
        occasion(9, (12, 60), (3.0, 48.0), Online, grievances::estate_grievance),
        "同一小区居民的集体诉求",
        "An estate's residents with one grievance and one chat group",
    ),
    row(
        "repeat_complainant",
        Genuine,
        occasion(7, (4, 12), (24.0, 200.0), Online, grievances::repeat_complainant),
        "多次办事多次投诉的群众",
        "A repeat complainant with real cases",
    ),
    row(
        "chat_group_thanks",
        Genuine,
        occasion(30, (12, 60), (2.0, 30.0), Online, grievances::chat_group_thanks),
        "家长群相约感谢",
        "A chat group that agrees to say thanks",
    ),
    row("bad_clerk", Genuine, Shape::Habit, "确实服务差的工作人员", "A genuinely bad clerk"),
    row("wrong_star", Mistaken, Shape::Habit, "按错星级", "The wrong star pressed"),
    row("put_right", Genuine, Shape::Habit, "整改后重新评价", "Rated again after it was put right"),
    row("double_click", Duplicate, Shape::Habit, "重复点击", "A double click"),
    row("family_phone", Genuine, Shape::Habit, "家人共用手机", "A family that shares a phone"),
    row(
        "default_fill",
        Genuine,
        Shape::Habit,
        "到期默认好评",
        "Filled in by the platform after the rating period",
    ),
    row(
        "client_preempted",
        Genuine,
        Shape::Bystanders,
        "被内部人员抢先评价的群众",
        "A client whose case an insider rated first",
    ),
];

/// The scenario of this name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|s| s.name == name)
}
