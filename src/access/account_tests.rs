use super::super::tests::{beside, empty};
use super::*;

pub(in super::super) fn reviewer(name: &str) -> NewAccount {
    NewAccount {
        name: name.to_owned(),
        display: "张三".to_owned(),
        role: AccountRole::Reviewer,
        department: None,
        district: None,
        scope_departments: Vec::new(),
        scope_districts: Vec::new(),
    }
}

fn refused(access: &Access, new: NewAccount) -> String {
    access.create_account(new, Some("a long enough phrase")).unwrap_err().to_string()
}

#[test]
fn an_account_is_what_it_was_made_of_also_after_a_restart() {
    let (directory, access) = empty();
    let new = NewAccount {
        role: AccountRole::Analyst,
        department: Some(" 440306-RSJ ".to_owned()),
        district: Some("440306".to_owned()),
        scope_departments: ["B", "A", "B"].map(str::to_owned).to_vec(),
        ..reviewer("zhang.san")
    };
    let (made, password) = access.create_account(new, None).unwrap();
    assert_eq!(made.department.as_deref(), Some("440306-RSJ"));
    assert_eq!(made.scope_departments, ["A", "B"]);
    assert_eq!((made.role, made.display.as_str()), (AccountRole::Analyst, "张三"));
    assert_eq!(made.standing(), "new password due");
    assert_eq!(access.accounts(), [Arc::clone(&made)]);
    drop(access);
    let again = beside(&directory);
    assert_eq!(again.account("zhang.san"), Some(made));
    assert!(again.verify_password("zhang.san", &password.unwrap()).is_some());
}

#[test]
fn what_is_out_of_bounds_is_refused_with_field_limit_and_remedy() {
    let (_directory, access) = empty();
    for name in ["a", "", "Zhang", "张三", "-a", "a b", "a/b", &"a".repeat(33)] {
        let error = refused(&access, reviewer(name));
        assert!(error.starts_with("name: ") && error.contains("2 to 32"), "{error}");
    }
    for display in ["长".repeat(41), "a\nb".to_owned(), "a\u{1b}b".to_owned()] {
        let error = refused(&access, NewAccount { display, ..reviewer("aa") });
        assert!(error.starts_with("display: at most 40 characters"), "{error}");
    }
    for text in ["  ".to_owned(), "x".repeat(65), "a\0".to_owned()] {
        let department = NewAccount { department: Some(text.clone()), ..reviewer("aa") };
        assert!(refused(&access, department).starts_with("department: "));
        let district = NewAccount { district: Some(text.clone()), ..reviewer("aa") };
        assert!(refused(&access, district).starts_with("district: "));
        let scope = NewAccount { scope_districts: vec![text], ..reviewer("aa") };
        assert!(refused(&access, scope).starts_with("scope-district: "));
    }
    let many = (0..=SCOPE_MAX).map(|n| n.to_string()).collect();
    let error = refused(&access, NewAccount { scope_departments: many, ..reviewer("aa") });
    assert!(error.contains("201 codes, the limit is 200"), "{error}");
    assert!(access.accounts().is_empty());
    assert!(access.create_account(reviewer(&"a".repeat(32)), Some("a long enough phrase")).is_ok());
}

#[test]
fn a_name_is_never_given_twice_not_even_by_two_processes() {
    let (directory, access) = empty();
    let command = beside(&directory);
    access.create_account(reviewer("zhang"), None).unwrap();
    for other in [&access, &command] {
        let error = refused(other, reviewer("zhang"));
        assert!(error.contains("already"), "{error}");
    }
    access.disable("zhang").unwrap();
    assert!(refused(&access, reviewer("zhang")).contains("already"));
}

#[test]
fn the_password_itself_is_not_in_the_data_directory() {
    let (directory, access) = empty();
    let (_, made) = access.create_account(reviewer("zhang"), None).unwrap();
    let made = made.unwrap();
    for entry in std::fs::read_dir(directory.path().join("data")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(made.len()).any(|window| window == made.as_bytes()));
    }
}

#[test]
fn what_another_process_changes_is_noticed() {
    let (directory, server) = empty();
    let command = beside(&directory);
    command.create_account(reviewer("zhang"), None).unwrap();
    assert_eq!(server.account("zhang"), None);
    assert!(server.refresh().unwrap());
    assert!(server.account("zhang").is_some());
    command.disable("zhang").unwrap();
    command.set_scope("zhang", &["A".to_owned()], &[]).unwrap();
    command.set_workplace("zhang", Some("B"), None).unwrap();
    assert!(server.refresh().unwrap());
    let account = server.account("zhang").unwrap();
    assert_eq!(account.standing(), "disabled");
    assert_eq!(account.scope_departments, ["A"]);
    assert_eq!((account.department.as_deref(), &account.district), (Some("B"), &None));
}

#[test]
fn disabling_twice_keeps_the_first_instant_and_unknown_names_change_nothing() {
    let (_directory, access) = empty();
    access.create_account(reviewer("zhang"), None).unwrap();
    let first = access.disable("zhang").unwrap();
    let second = access.disable("zhang").unwrap();
    assert_eq!(first.disabled, second.disabled);
    assert_eq!(access.enable("zhang").unwrap().disabled, None);
    for error in [
        access.disable("nobody").unwrap_err(),
        access.enable("nobody").unwrap_err(),
        access.set_scope("nobody", &[], &[]).unwrap_err(),
        access.set_workplace("nobody", None, None).unwrap_err(),
        access.set_password("nobody", None, SetBy::Other).unwrap_err(),
    ] {
        assert!(matches!(error, AccessError::Account(AccountError::Unknown(_))), "{error}");
    }
    assert_eq!(access.accounts().len(), 1);
}

#[test]
fn an_account_of_a_role_or_scope_that_is_not_understood_is_nobodys() {
    let (directory, access) = empty();
    for name in ["role", "scope"] {
        access.create_account(reviewer(name), None).unwrap();
    }
    let file = directory.path().join("data").join(super::super::FILE_NAME);
    let later = Connection::open(file).unwrap();
    later
        .execute_batch(
            "UPDATE account SET role = 'minister' WHERE name = 'role';
             UPDATE account SET scope_districts = '{\"any\":1}' WHERE name = 'scope';",
        )
        .unwrap();
    assert!(access.refresh().unwrap());
    assert!(access.accounts().is_empty());
}

#[test]
fn a_login_name_is_found_in_what_people_type() {
    assert_eq!(login_name(" Zhang.San\n").as_deref(), Some("zhang.san"));
    for typed in ["", "a", "张三", "a b", ".ab", &"x".repeat(33)] {
        assert_eq!(login_name(typed), None, "{typed}");
    }
}
