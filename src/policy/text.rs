//! The sentences of the policy's own reasons, Chinese and English.

/// Every code that the policy gives as a reason, with its sentences. Codes stand in the log and are
/// never renamed.
pub const CODES: &[(&str, &str, &str)] = &[
    (
        "applicant-protected",
        "评价人是已核对办件的申请人：次数、设备、文字或网络方面的迹象不足以暂缓其差评，予以计入并供复核",
        "The rater is the applicant of a matched case: frequency, device, wording or network alone never hold such a bad rating; it is admitted, for a second look",
    ),
    (
        "bad-never-rejected",
        "规则要求不计入；差评不得由系统自动剔除，改为暂缓并交人工复核",
        "A rule asked for rejection; no machine rejects a bad rating, so it is held for a reviewer",
    ),
    (
        "case-changed",
        "同一评价人对同一办件、环节、次数再次评价且星级不同，以较后的评价为准",
        "The same rater rated the same case, stage and visit again with other stars; the later rating stands",
    ),
    (
        "case-contested",
        "同一办件、环节、次数的评价星级不一致，且无法确认申请人，双方均暂缓待复核",
        "Ratings of one case, stage and visit differ and no applicant is known; both wait for a reviewer",
    ),
    (
        "case-repeat",
        "同一评价人对同一办件、环节、次数重复提交了相同评价，只计一次",
        "The same rater gave the same rating of one case, stage and visit again; it counts once",
    ),
    (
        "case-same-stars",
        "同一办件、环节、次数另有他人给出相同星级的评价，只计一次",
        "Another rater gave the same stars for this case, stage and visit; they count once",
    ),
    (
        "case-stands",
        "申请人本人的评价为准；他人先前对同一办件、环节、次数的评价暂缓待复核",
        "The applicant's own rating stands; the earlier one by another rater is held for a reviewer",
    ),
    (
        "case-yields",
        "同一办件、环节、次数以申请人本人的评价为准，他人的评价暂缓待复核",
        "For this case, stage and visit the applicant's own rating stands; another's is held for a reviewer",
    ),
    (
        "default-apart",
        "到期默认评价单列统计，不作为刷好评处理",
        "Filled in by the platform after the rating period: counted in a column of its own, never taken for padded praise",
    ),
    (
        "hold-budget",
        "当日差评暂缓数已达上限，风险较低者予以计入并标注",
        "The day's budget of held bad ratings is used up; the least risky are admitted and flagged",
    ),
    (
        "hold-lapsed",
        "暂缓期满未作出复核决定，予以计入",
        "Nobody decided the hold in time; the rating is admitted",
    ),
    (
        "look-back",
        "后续评价表明此评价属于可疑的一组，予以暂缓并交人工复核",
        "Later ratings show that this one belongs to a suspect group; it is held for a reviewer",
    ),
    (
        "review-undone",
        "审核决定已由作出人撤销，恢复原状态",
        "The reviewer took the decision back; what stood before stands again",
    ),
];

/// The sentences of a policy code: Chinese, English.
pub fn text(code: &str) -> Option<(&'static str, &'static str)> {
    CODES.iter().find(|row| row.0 == code).map(|row| (row.1, row.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once_in_order() {
        assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(text("hold-lapsed").unwrap().0, "暂缓期满未作出复核决定，予以计入");
        assert_eq!(text("no-such-code"), None);
    }
}
