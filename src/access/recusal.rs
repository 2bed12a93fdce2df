//! Who may see a case, and who may decide on it.
//!
//! Nobody decides on ratings of their own department, and a bad rating (差评) goes to reviewers outside the
//! rated department and district. Suspicion and reasons never reach the rated office, so whoever works there
//! does not see the case either.

use super::Account;

/// What a rating is about, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Code of the rated department.
    pub department: &'a str,
    /// Code of its district; `None` where the rating names none, as for an office of the whole city.
    pub district: Option<&'a str>,
    /// Whether it is a bad rating: stars, hall stars or an aspect of 1 or 2.
    pub bad: bool,
}

/// Why a person may not see a case, or not decide on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recusal {
    /// The account is disabled.
    Disabled,
    /// The role sees no cases.
    RoleSeesNone,
    /// The role decides nothing.
    RoleDecidesNone,
    /// The person works in the rated department.
    OwnDepartment,
    /// The rating is bad, and the person works in the rated district.
    OwnDistrict,
    /// The case lies outside the person's scope.
    OutOfScope,
}

impl Recusal {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::Disabled,
        Self::RoleSeesNone,
        Self::RoleDecidesNone,
        Self::OwnDepartment,
        Self::OwnDistrict,
        Self::OutOfScope,
    ];

    /// Its name in answers.
    pub fn value(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::RoleSeesNone => "role_sees_none",
            Self::RoleDecidesNone => "role_decides_none",
            Self::OwnDepartment => "own_department",
            Self::OwnDistrict => "own_district",
            Self::OutOfScope => "out_of_scope",
        }
    }

    /// A sentence in Chinese.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Disabled => "您的账号已停用。",
            Self::RoleSeesNone => "您的角色不查看具体评价。",
            Self::RoleDecidesNone => "您的角色只能查看，不能作出决定。",
            Self::OwnDepartment => "该评价涉及您所在的部门，按回避规定由其他部门的审核员处理。",
            Self::OwnDistrict => "差评须由被评价部门和辖区以外的审核员处理；您在该辖区工作，应当回避。",
            Self::OutOfScope => "该评价不在您的审核范围内。",
        }
    }

    /// A sentence in English.
    pub fn en(self) -> &'static str {
        match self {
            Self::Disabled => "Your account is disabled.",
            Self::RoleSeesNone => "Your role does not look at single ratings.",
            Self::RoleDecidesNone => "Your role may look, but not decide.",
            Self::OwnDepartment => {
                "This rating is about your own department, so a reviewer from another one decides on it."
            }
            Self::OwnDistrict => {
                "A bad rating goes to reviewers outside the rated department and district, and you work in that district."
            }
            Self::OutOfScope => "This rating is outside the departments and districts that you review.",
        }
    }
}

/// Whether a person may see a case, with its suspicion and reasons.
///
/// # Errors
/// Why not.
pub fn may_see(account: &Account, rating: &Target<'_>) -> Result<(), Recusal> {
    if account.disabled.is_some() {
        return Err(Recusal::Disabled);
    }
    if !account.role.sees_cases() {
        return Err(Recusal::RoleSeesNone);
    }
    if works_in(account.department.as_deref(), Some(rating.department)) {
        return Err(Recusal::OwnDepartment);
    }
    let in_scope = covers(&account.scope_departments, Some(rating.department))
        && covers(&account.scope_districts, rating.district);
    if in_scope { Ok(()) } else { Err(Recusal::OutOfScope) }
}

/// Whether a person may decide on a case. Whoever may decide may see.
///
/// # Errors
/// Why not.
pub fn may_decide(account: &Account, rating: &Target<'_>) -> Result<(), Recusal> {
    may_see(account, rating)?;
    if !account.role.decides() {
        return Err(Recusal::RoleDecidesNone);
    }
    if rating.bad && works_in(account.district.as_deref(), rating.district) {
        return Err(Recusal::OwnDistrict);
    }
    Ok(())
}

/// Whether two codes are the same. Their case is no matter: a code that an administrator typed in the other
/// one must not let somebody decide on their own office.
fn same(a: &str, b: &str) -> bool {
    a.trim().eq_ignore_ascii_case(b.trim())
}

fn works_in(own: Option<&str>, rated: Option<&str>) -> bool {
    matches!((own, rated), (Some(own), Some(rated)) if same(own, rated))
}

/// An empty scope covers everything; any other covers no rating that does not say where it belongs.
fn covers(scope: &[String], code: Option<&str>) -> bool {
    scope.is_empty() || code.is_some_and(|code| scope.iter().any(|entry| same(entry, code)))
}

#[cfg(test)]
mod tests {
    use super::super::AccountRole;
    use super::*;
    use crate::time::Instant;
    use proptest::prelude::*;

    fn person(role: AccountRole, department: Option<&str>, district: Option<&str>) -> Account {
        Account {
            name: "zhang".to_owned(),
            display: "张三".to_owned(),
            role,
            department: department.map(str::to_owned),
            district: district.map(str::to_owned),
            scope_departments: Vec::new(),
            scope_districts: Vec::new(),
            must_change: false,
            created: Instant(0),
            disabled: None,
            generation: 1,
        }
    }

    const GOOD: Target<'static> = Target { department: "RSJ", district: Some("440306"), bad: false };
    const BAD: Target<'static> = Target { bad: true, ..GOOD };

    #[test]
    fn nobody_sees_or_decides_on_ratings_of_their_own_department() {
        for role in [AccountRole::Reviewer, AccountRole::Analyst, AccountRole::Admin] {
            for own in ["RSJ", "rsj", " RSJ"] {
                let person = person(role, Some(own), None);
                for rating in [GOOD, BAD, Target { district: None, ..GOOD }] {
                    assert_eq!(may_decide(&person, &rating), Err(Recusal::OwnDepartment));
                    assert_eq!(may_see(&person, &rating), Err(Recusal::OwnDepartment));
                }
            }
        }
    }

    #[test]
    fn a_bad_rating_goes_to_reviewers_outside_the_department_and_district() {
        let neighbour = person(AccountRole::Reviewer, Some("GAJ"), Some("440306"));
        assert_eq!(may_decide(&neighbour, &BAD), Err(Recusal::OwnDistrict));
        assert_eq!(may_decide(&neighbour, &GOOD), Ok(()), "a good one may stay in the district");
        assert_eq!(may_see(&neighbour, &BAD), Ok(()), "another office of the district may look");
        for outside in [
            person(AccountRole::Reviewer, Some("GAJ"), Some("440305")),
            person(AccountRole::Reviewer, None, None),
        ] {
            assert_eq!(may_decide(&outside, &BAD), Ok(()));
        }
        let citywide = Target { district: None, ..BAD };
        assert_eq!(may_decide(&neighbour, &citywide), Ok(()), "no district is nobody's own");
    }

    #[test]
    fn only_reviewers_decide_and_auditors_see_no_case() {
        for (role, sees, decides) in [
            (AccountRole::Reviewer, Ok(()), Ok(())),
            (AccountRole::Analyst, Ok(()), Err(Recusal::RoleDecidesNone)),
            (AccountRole::Admin, Ok(()), Err(Recusal::RoleDecidesNone)),
            (AccountRole::Auditor, Err(Recusal::RoleSeesNone), Err(Recusal::RoleSeesNone)),
        ] {
            let person = person(role, None, None);
            assert_eq!((may_see(&person, &BAD), may_decide(&person, &BAD)), (sees, decides), "{role}");
        }
    }

    #[test]
    fn a_scope_limits_what_is_seen_and_a_rating_without_a_district_is_in_no_district() {
        let mut person = person(AccountRole::Reviewer, None, None);
        person.scope_districts = vec!["440305".to_owned(), "440306".to_owned()];
        assert_eq!(may_decide(&person, &GOOD), Ok(()));
        assert_eq!(may_see(&person, &Target { district: Some("440307"), ..GOOD }), Err(Recusal::OutOfScope));
        assert_eq!(may_see(&person, &Target { district: None, ..GOOD }), Err(Recusal::OutOfScope));
        person.scope_departments = vec!["GAJ".to_owned()];
        assert_eq!(may_see(&person, &GOOD), Err(Recusal::OutOfScope), "both must hold");
        assert_eq!(may_see(&person, &Target { department: "gaj", ..GOOD }), Ok(()));
    }

    #[test]
    fn a_disabled_account_sees_nothing() {
        let mut person = person(AccountRole::Reviewer, None, None);
        person.disabled = Some(Instant(1));
        assert_eq!(may_see(&person, &GOOD), Err(Recusal::Disabled));
        assert_eq!(may_decide(&person, &GOOD), Err(Recusal::Disabled));
    }

    #[test]
    fn each_recusal_says_why_in_both_languages() {
        let mut seen = std::collections::HashSet::new();
        for recusal in Recusal::ALL {
            assert!(recusal.zh().ends_with('。') && recusal.en().ends_with('.'));
            assert!(seen.insert(recusal.zh()) && seen.insert(recusal.en()) && seen.insert(recusal.value()));
        }
    }

    proptest! {
        /// The rules as one sentence, without their order.
        #[test]
        fn whoever_decides_is_an_enabled_reviewer_in_scope_who_works_elsewhere(
            role in 0_usize..4, own in prop::option::of("[ab]"), home in prop::option::of("[xy]"),
            departments in prop::collection::vec("[abc]", 0..3),
            districts in prop::collection::vec("[xyz]", 0..3),
            department in "[abc]", district in prop::option::of("[xyz]"),
            bad: bool, disabled: bool,
        ) {
            let mut person = person(AccountRole::ALL[role], own.as_deref(), home.as_deref());
            person.scope_departments = departments.clone();
            person.scope_districts = districts.clone();
            person.disabled = disabled.then_some(Instant(0));
            let rating = Target { department: &department, district: district.as_deref(), bad };
            let allowed = person.role == AccountRole::Reviewer
                && !disabled
                && own.as_ref() != Some(&department)
                && !(bad && home.is_some() && home == district)
                && (departments.is_empty() || departments.contains(&department))
                && (districts.is_empty() || district.as_ref().is_some_and(|d| districts.contains(d)));
            prop_assert_eq!(may_decide(&person, &rating).is_ok(), allowed);
            if allowed {
                prop_assert!(may_see(&person, &rating).is_ok(), "whoever decides sees");
            }
        }
    }
}
