//! The city's offices: 16 districts, 18 kinds of department in each, 7 halls per district with
//! their windows, pads, kiosks and clerks, and the matters they handle.
//!
//! Everything is computed from numbers; nothing is stored. Codes belong to no real place: `9901` is
//! no administrative division.

use super::calendar::{local_day, local_time, put};
use super::random::{Derived, Purpose, Source};
use crate::time::HOUR_MS;

/// Districts.
pub(super) const DISTRICTS: u64 = 16;
/// Share of each district in the traffic.
const DISTRICT_WEIGHTS: [u32; 16] = [14, 12, 11, 10, 9, 8, 7, 7, 6, 6, 5, 5, 4, 4, 3, 3];
/// Halls per district: the first is large.
pub(super) const HALLS: u64 = 7;
const HALL_WEIGHTS: [u32; 7] = [40, 14, 12, 10, 9, 8, 7];

/// One kind of department: code, name, share of the traffic, matters.
pub(super) struct Department {
    code: &'static str,
    /// What people call it.
    pub name: &'static str,
    weight: u32,
    /// What it handles, as people call it.
    pub matters: &'static [&'static str],
}

const fn kind(
    code: &'static str,
    name: &'static str,
    weight: u32,
    matters: &'static [&'static str],
) -> Department {
    Department { code, name, weight, matters }
}

/// The kinds of department. The first six also sit in the small halls.
pub(super) const DEPARTMENTS: [Department; 18] = [
    kind(
        "RS",
        "人社",
        180,
        &["社保转移", "养老待遇申领", "失业登记", "社保缴费查询", "工伤认定", "居住证积分", "就业补贴"],
    ),
    kind("GA", "公安", 160, &["户口迁移", "居住证", "身份证补办", "出入境签注", "门牌证明", "新生儿落户"]),
    kind("YB", "医保", 120, &["医保报销", "异地就医备案", "生育津贴", "门诊大病登记", "医保卡补办"]),
    kind("MZ", "民政", 60, &["婚姻登记", "低保申请", "高龄津贴", "残疾人两项补贴", "养老服务补贴"]),
    kind("WJ", "卫健", 45, &["生育登记", "独生子女奖励", "诊所备案", "健康证"]),
    kind("CL", "残联", 15, &["残疾证", "辅具申领", "无障碍改造"]),
    kind(
        "SC",
        "市场监管",
        95,
        &["营业执照", "企业变更登记", "食品经营许可", "个体户注销", "股权出质", "年报补报"],
    ),
    kind("SW", "税务", 110, &["发票领用", "个税退税", "契税申报", "税务注销", "社保费缴纳"]),
    kind("ZR", "规划资源", 50, &["不动产过户", "抵押登记", "产权证补办", "不动产查册"]),
    kind("GJ", "公积金", 60, &["公积金提取", "公积金贷款", "公积金转移", "租房提取"]),
    kind("JY", "教育", 40, &["小学入学登记", "幼升小材料审核", "转学", "教师资格认定"]),
    kind("JT", "交通", 30, &["网约车证", "道路运输证", "货运年审", "停车证"]),
    kind("ZJ", "住建", 35, &["公租房申请", "加装电梯", "施工许可", "维修资金", "租赁备案"]),
    kind("TY", "退役军人", 12, &["优待证", "退役报到", "优抚金"]),
    kind("WL", "文旅", 10, &["演出审批", "导游证", "场所备案"]),
    kind("YJ", "应急", 12, &["危化品许可", "安全培训证", "特种作业证"]),
    kind("ST", "生态环境", 10, &["排污登记", "环评审批", "噪声投诉办理"]),
    kind("LS", "绿化市容", 16, &["占道审批", "垃圾清运", "户外招牌备案", "树木修剪"]),
];
/// Kinds that small halls have.
const SMALL_HALL_KINDS: usize = 6;

/// A place behind a window: who serves there, in which hall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Post {
    pub hall: u8,
    pub window: u8,
    /// 0 in the morning shift, 1 in the afternoon's.
    pub clerk: u8,
}

/// An office that serves: a department of a district, at a window or online.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Office {
    pub district: u8,
    pub department: u8,
    pub post: Option<Post>,
}

/// What is fixed about the offices under one seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Organisation {
    seed: u64,
}

impl Organisation {
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A district, by its traffic.
    pub fn district(&self, dice: &mut impl Source) -> u8 {
        dice.weighted(&DISTRICT_WEIGHTS) as u8
    }

    /// A window that is open at `at`, by its traffic.
    pub fn window(&self, dice: &mut impl Source, at: i64) -> Office {
        let district = self.district(dice);
        let hall = dice.weighted(&HALL_WEIGHTS) as u8;
        let window = dice.below(windows_of(hall)) as u8;
        self.office_at(district, hall, window, at)
    }

    /// The office behind one window at `at`.
    pub fn office_at(&self, district: u8, hall: u8, window: u8, at: i64) -> Office {
        let place = (u64::from(district) * HALLS + u64::from(hall)) * 64 + u64::from(window);
        let kinds = if hall == 0 { DEPARTMENTS.len() } else { SMALL_HALL_KINDS };
        let mut weights = [0_u32; DEPARTMENTS.len()];
        for (weight, department) in weights.iter_mut().zip(&DEPARTMENTS[..kinds]) {
            *weight = department.weight;
        }
        let department = Derived::new(self.seed, Purpose::Window, place).weighted(&weights) as u8;
        // Two clerks share a window: mornings and afternoons, changing places every day.
        let afternoon = local_time(at) >= 12 * HOUR_MS + HOUR_MS / 2;
        let clerk = u8::from(afternoon ^ (local_day(at) % 2 == 0));
        Office { district, department, post: Some(Post { hall, window, clerk }) }
    }

    /// A department that serves online, by its traffic.
    pub fn online(&self, dice: &mut impl Source) -> Office {
        let mut weights = [0_u32; DEPARTMENTS.len()];
        for (weight, department) in weights.iter_mut().zip(&DEPARTMENTS) {
            *weight = department.weight;
        }
        Office { district: self.district(dice), department: dice.weighted(&weights) as u8, post: None }
    }

    /// How often the department earns a bad rating, as a multiple of the city's mean.
    pub fn department_badness(&self, office: Office) -> f64 {
        let index = u64::from(office.district) * 32 + u64::from(office.department);
        Derived::new(self.seed, Purpose::Department, index).along(&[
            (0.0, 0.3),
            (0.3, 0.6),
            (0.6, 0.9),
            (0.9, 1.8),
            (1.0, 3.2),
        ])
    }

    /// How often the clerk earns a bad rating, as a multiple of the department's.
    pub fn clerk_badness(&self, office: Office) -> f64 {
        match self.bad_clerk(office) {
            Some(times) => times,
            None => match clerk_index(office) {
                Some(index) => Derived::new(self.seed, Purpose::Clerk, index).along(&[
                    (0.0, 0.4),
                    (0.5, 0.8),
                    (0.9, 1.5),
                    (1.0, 2.2),
                ]),
                None => 1.0,
            },
        }
    }

    /// If the clerk is one of the few bad ones (1 in 120): how many times worse than usual.
    pub fn bad_clerk(&self, office: Office) -> Option<f64> {
        let mut traits = Derived::new(self.seed ^ 1, Purpose::Clerk, clerk_index(office)?);
        traits.chance(1.0 / 120.0).then(|| traits.within(12.0, 30.0))
    }

    /// Whether this district counts an unanswered rating as satisfied.
    pub fn fills_defaults(&self, district: u8) -> bool {
        Derived::new(self.seed ^ 2, Purpose::Department, u64::from(district)).chance(0.4) || district == 2
    }
}

/// The kind of department that people call `name`; the first where there is none.
pub(super) fn department_named(name: &str) -> u8 {
    DEPARTMENTS.iter().position(|department| department.name == name).unwrap_or(0) as u8
}

/// Windows of a hall.
pub(super) fn windows_of(hall: u8) -> u64 {
    if hall == 0 { 28 } else { 9 }
}

/// Kiosks of a hall.
pub(super) fn kiosks_of(hall: u8) -> u64 {
    if hall == 0 { 5 } else { 2 }
}

fn clerk_index(office: Office) -> Option<u64> {
    let post = office.post?;
    let hall = u64::from(office.district) * HALLS + u64::from(post.hall);
    Some((hall * 64 + u64::from(post.window)) * 2 + u64::from(post.clerk))
}

/// `990104`
pub(super) fn district_code(out: &mut Vec<u8>, district: u8) {
    let mut code = *b"990100";
    put(&mut code[4..], u64::from(district) + 1);
    out.extend_from_slice(&code);
}

/// `990104-RS`
pub(super) fn department_code(out: &mut Vec<u8>, office: Office) {
    district_code(out, office.district);
    out.push(b'-');
    out.extend_from_slice(DEPARTMENTS[usize::from(office.department)].code.as_bytes());
}

/// `990104-H2`
pub(super) fn hall_code(out: &mut Vec<u8>, district: u8, post: Post) {
    district_code(out, district);
    out.extend_from_slice(b"-H");
    out.push(b'1' + post.hall);
}

/// `990104-H2-W07`
pub(super) fn window_code(out: &mut Vec<u8>, district: u8, post: Post) {
    hall_code(out, district, post);
    let mut code = *b"-W00";
    put(&mut code[2..], u64::from(post.window) + 1);
    out.extend_from_slice(&code);
}

/// `990104-H2-C013`
pub(super) fn clerk_code(out: &mut Vec<u8>, district: u8, post: Post) {
    hall_code(out, district, post);
    let mut code = *b"-C000";
    put(&mut code[2..], u64::from(post.window) * 2 + u64::from(post.clerk) + 1);
    out.extend_from_slice(&code);
}

/// `RS-003`
pub(super) fn matter_code(out: &mut Vec<u8>, department: u8, matter: u8) {
    out.extend_from_slice(DEPARTMENTS[usize::from(department)].code.as_bytes());
    let mut code = *b"-000";
    put(&mut code[1..], u64::from(matter) + 1);
    out.extend_from_slice(&code);
}

#[cfg(test)]
mod tests {
    use super::super::random::Dice;
    use super::*;

    #[test]
    fn a_window_keeps_its_department_and_changes_its_clerk_at_noon() {
        let org = Organisation::new(3);
        let mut dice = Dice::new(3, Purpose::Ordinary, 0);
        let morning = 1_773_792_000_000 + 2 * HOUR_MS;
        for _ in 0..200 {
            let office = org.window(&mut dice, morning);
            let post = office.post.unwrap();
            let later = org.office_at(office.district, post.hall, post.window, morning + 4 * HOUR_MS);
            assert_eq!(later.department, office.department);
            assert_ne!(later.post.unwrap().clerk, post.clerk);
            assert!(post.hall == 0 || usize::from(office.department) < SMALL_HALL_KINDS);
        }
    }

    #[test]
    fn codes_are_stable_text() {
        let office = Office { district: 3, department: 0, post: None };
        let post = Post { hall: 1, window: 6, clerk: 0 };
        let mut out = Vec::new();
        department_code(&mut out, office);
        out.push(b' ');
        clerk_code(&mut out, 3, post);
        out.push(b' ');
        window_code(&mut out, 3, post);
        out.push(b' ');
        matter_code(&mut out, 0, 2);
        assert_eq!(String::from_utf8(out).unwrap(), "990104-RS 990104-H2-C013 990104-H2-W07 RS-003");
    }
}
