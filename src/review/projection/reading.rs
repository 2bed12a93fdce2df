//! What a campaign's figures say: a sentence, and whether it reads as an attack or as an incident.

use super::named::Named;
use crate::catalogue::Bilingual;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// How many differ, and of how many it is known.
pub(super) type Distinct = (u64, u64);

/// The figures of a campaign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub size: u64,
    pub bad: u64,
    /// From the first to the last.
    pub span_ms: u64,
    pub raters: Distinct,
    pub devices: Distinct,
    pub texts: Distinct,
    pub networks: Distinct,
    pub targets: u64,
    pub matched: u64,
}

/// A share is telling from so many members on.
const TELLING: u64 = 3;
/// Raters of an incident are at least so unrelated.
const UNRELATED: f64 = 0.8;
/// Raters of an attack are at most so unrelated.
const RELATED: f64 = 0.5;

impl Figures {
    /// How unrelated the raters are: accounts, devices and networks per member that has one, their mean. `None` where
    /// too little is known of them. Networks alone tell nothing: a hall has one.
    pub fn dispersion(&self) -> Option<f64> {
        let share = |(distinct, known): Distinct| (known >= TELLING).then(|| distinct as f64 / known as f64);
        let own = [share(self.raters), share(self.devices)];
        let shares: Vec<f64> = own.into_iter().flatten().collect();
        if shares.is_empty() {
            return None;
        }
        let shares: Vec<f64> = shares.into_iter().chain(share(self.networks)).collect();
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        Some((mean * 1e4).round() / 1e4)
    }

    fn matched_share(&self) -> f64 {
        self.matched as f64 / self.size.max(1) as f64
    }
}

/// `14 accounts, 2 devices, one text, all within 3 hours, 0 matched cases`; what is known of nobody is left out.
pub(super) fn summary(figures: &Figures) -> Bilingual {
    let mut zh = Vec::new();
    let mut en = Vec::new();
    let mut say = |(distinct, known): Distinct, one: (&str, &str), many: (&str, &str)| {
        if known == 0 {
            return;
        }
        zh.push(if distinct == 1 { one.0.to_owned() } else { format!("{distinct} {}", many.0) });
        en.push(if distinct == 1 { one.1.to_owned() } else { format!("{distinct} {}", many.1) });
    };
    say(figures.raters, ("同一账号", "one account"), ("个账号", "accounts"));
    say(figures.devices, ("同一设备", "one device"), ("台设备", "devices"));
    say(figures.texts, ("同一文字", "one text"), ("种文字", "texts"));
    say((figures.targets, figures.targets), ("同一对象", "one target"), ("个对象", "targets"));
    let (span_zh, span_en) = span(figures.span_ms);
    Bilingual {
        zh: format!("{}，{span_zh}内，{} 件已核对办件", zh.join("、"), figures.matched),
        en: format!(
            "{}, all within {span_en}, {} matched case{}",
            en.join(", "),
            figures.matched,
            if figures.matched == 1 { "" } else { "s" }
        ),
    }
}

/// A span rounded up to whole minutes, hours or days.
fn span(ms: u64) -> (String, String) {
    let say = |unit: i64, zh: &str, en: &str| {
        let count = ms.div_ceil(unit.unsigned_abs()).max(1);
        (format!("{count} {zh}"), format!("{count} {en}{}", if count == 1 { "" } else { "s" }))
    };
    match ms as i64 {
        ..HOUR_MS => say(MINUTE_MS, "分钟", "minute"),
        HOUR_MS..172_800_000 => say(HOUR_MS, "小时", "hour"),
        _ => say(DAY_MS, "天", "day"),
    }
}

/// Whether it reads as an attack (few people or machines behind many ratings), as an incident (many unrelated people
/// with real cases), or as neither for sure; and why.
pub(super) fn reading(figures: &Figures) -> (Named, Bilingual) {
    const ATTACK: Named = Named { value: "attack", zh: "攻击", en: "attack" };
    const INCIDENT: Named = Named { value: "incident", zh: "突发事件", en: "incident" };
    const UNCLEAR: Named = Named { value: "unclear", zh: "尚不明确", en: "unclear" };
    let Figures { size, raters, devices, texts, matched, .. } = *figures;
    let matched_share = figures.matched_share();
    let one_text = texts.1 >= TELLING && texts.0 * 3 <= texts.1;
    match figures.dispersion() {
        Some(dispersion) if dispersion >= UNRELATED && matched_share >= 0.5 => (
            INCIDENT,
            Bilingual {
                zh: format!(
                    "评价人互不相关（分散度 {:.0}%），{matched}/{size} 条有已核对办件：更像同一突发问题引起的真实评价",
                    dispersion * 100.0
                ),
                en: format!(
                    "The raters are unrelated (dispersion {:.0} %), and {matched} of {size} have a matched case: \
                     rather real ratings of one event",
                    dispersion * 100.0
                ),
            },
        ),
        Some(dispersion) if dispersion <= RELATED && matched_share < 0.5 => (
            ATTACK,
            Bilingual {
                zh: format!(
                    "{size} 条评价来自 {} 个账号、{} 台设备（分散度 {:.0}%），仅 {matched} 条有已核对办件：更像少数人所为",
                    raters.0,
                    devices.0,
                    dispersion * 100.0
                ),
                en: format!(
                    "{size} ratings from {} accounts on {} devices (dispersion {:.0} %), only {matched} with a matched \
                     case: rather the work of few",
                    raters.0,
                    devices.0,
                    dispersion * 100.0
                ),
            },
        ),
        _ if one_text && matched_share < 0.2 => (
            ATTACK,
            Bilingual {
                zh: format!(
                    "{} 条评价文字几乎相同，仅 {matched}/{size} 条有已核对办件：更像统一授意",
                    texts.1
                ),
                en: format!(
                    "{} ratings say nearly the same, and only {matched} of {size} have a matched case: rather written to order",
                    texts.1
                ),
            },
        ),
        None => (
            UNCLEAR,
            Bilingual::new(
                "评价人和设备信息不足，不能判断彼此是否相关",
                "Too little is known of raters and devices to tell whether they are related",
            ),
        ),
        Some(dispersion) => (
            UNCLEAR,
            Bilingual {
                zh: format!(
                    "评价人分散度 {:.0}%，{matched}/{size} 条有已核对办件：两种可能都有，请逐条查看",
                    dispersion * 100.0
                ),
                en: format!(
                    "Dispersion of the raters {:.0} %, {matched} of {size} with a matched case: it may be either; look at \
                     the members",
                    dispersion * 100.0
                ),
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn farm() -> Figures {
        Figures {
            size: 14,
            bad: 0,
            span_ms: 3 * HOUR_MS as u64 - 60_000,
            raters: (14, 14),
            devices: (2, 14),
            texts: (1, 12),
            networks: (1, 14),
            targets: 1,
            matched: 0,
        }
    }

    #[test]
    fn the_sentence_says_the_figures_in_both_languages() {
        let said = summary(&farm());
        assert_eq!(said.zh, "14 个账号、2 台设备、同一文字、同一对象，3 小时内，0 件已核对办件");
        assert_eq!(
            said.en,
            "14 accounts, 2 devices, one text, one target, all within 3 hours, 0 matched cases"
        );
        let kiosk =
            Figures { raters: (0, 0), devices: (0, 0), texts: (0, 0), matched: 1, span_ms: 0, ..farm() };
        assert_eq!(summary(&kiosk).en, "one target, all within 1 minute, 1 matched case");
    }

    #[test]
    fn many_unrelated_people_with_real_cases_are_an_incident_and_few_behind_many_an_attack() {
        assert_eq!(reading(&farm()).0.value, "attack");
        let outage = Figures {
            size: 40,
            bad: 40,
            raters: (40, 40),
            devices: (39, 39),
            texts: (38, 40),
            networks: (22, 40),
            targets: 6,
            matched: 37,
            ..farm()
        };
        assert_eq!(reading(&outage).0.value, "incident");
        let estate = Figures { texts: (1, 40), ..outage };
        assert_eq!(
            reading(&estate).0.value,
            "incident",
            "one text of neighbours with real cases is no attack"
        );
        let brigade = Figures { matched: 2, ..estate };
        assert_eq!(reading(&brigade).0.value, "attack", "one text and no cases is one");
        let unknown = Figures { raters: (0, 0), devices: (0, 0), texts: (0, 0), ..outage };
        assert_eq!(reading(&unknown).0.value, "unclear");
        let family = Figures { matched: 30, devices: (10, 40), networks: (5, 40), ..outage };
        assert_eq!(reading(&family).0.value, "unclear", "a helper's or a family's devices with real cases");
    }
}
