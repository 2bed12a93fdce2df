use super::super::SetBy;
use super::super::account::tests::reviewer;
use super::super::tests::{beside, empty};
use super::*;

const START: Instant = Instant(1_800_000_000_000);

fn later(span_ms: i64) -> Instant {
    Instant(START.0 + span_ms)
}

/// A directory with the accounts `zhang` and `wang`.
fn peopled() -> (tempfile::TempDir, Access) {
    let (directory, access) = empty();
    for name in ["zhang", "wang"] {
        access.create_account(reviewer(name), None).unwrap();
    }
    (directory, access)
}

#[test]
fn a_session_is_found_by_its_cookie_and_by_no_other_text() {
    let (_directory, access) = peopled();
    let (cookie, started) = access.start_session("zhang").unwrap();
    assert_eq!(cookie.len(), COOKIE_BYTES);
    let found = access.find_session(&cookie).unwrap();
    assert_eq!(found.account.name, "zhang");
    assert_eq!((found.csrf(), found.expires), (started.csrf(), started.expires));
    for at in 0..cookie.len() {
        for other in ['A', 'B', '_', '.', '=', '\0'] {
            let mut altered: Vec<char> = cookie.chars().collect();
            if std::mem::replace(&mut altered[at], other) != other {
                let altered: String = altered.into_iter().collect();
                assert!(access.find_session(&altered).is_none(), "{altered}");
            }
        }
    }
    for text in ["", ".", &cookie[1..], &format!("{cookie}A"), &"长".repeat(22), &"é.".repeat(22)] {
        assert!(access.find_session(text).is_none(), "{text}");
    }
}

#[test]
fn a_cookie_of_another_service_is_not_ours() {
    let (_one, access) = peopled();
    let (_other, foreign) = peopled();
    let (cookie, _) = foreign.start_session("zhang").unwrap();
    assert!(foreign.find_session(&cookie).is_some());
    assert!(access.find_session(&cookie).is_none());
}

#[test]
fn a_session_ends_when_it_is_idle_and_at_the_end_of_the_day_although_it_is_used() {
    let (_directory, access) = peopled();
    let limits = SessionLimits { idle: Duration::from_millis(100), absolute: Duration::from_millis(250) };
    let access = access.with_session_limits(limits);
    let (cookie, session) = access.start_session_at("zhang", START).unwrap();
    assert_eq!(session.expires, later(250));
    for used in [0, 99, 198, 249] {
        assert!(access.find_session_at(&cookie, later(used)).is_some(), "{used}");
    }
    assert!(access.find_session_at(&cookie, later(250)).is_none(), "the day is over");
    let (cookie, _) = access.start_session_at("zhang", later(1_000)).unwrap();
    assert_eq!(access.session_count_at(later(1_099)), 1, "counting is no use of it");
    assert!(access.find_session_at(&cookie, later(1_100)).is_none(), "idle");
    assert_eq!(access.session_count_at(later(1_100)), 0);
    assert_eq!(
        SessionLimits::default(),
        SessionLimits { idle: Duration::from_secs(1_800), absolute: Duration::from_secs(36_000) }
    );
}

#[test]
fn sessions_survive_a_restart_and_so_does_their_last_use_to_the_minute() {
    let (directory, access) = peopled();
    let (cookie, before) = access.start_session_at("zhang", START).unwrap();
    access.keep_sessions_at(START).unwrap();
    access.find_session_at(&cookie, later(20 * MINUTE_MS)).unwrap();
    access.keep_sessions_at(later(20 * MINUTE_MS)).unwrap();
    drop(access);
    let access = beside(&directory);
    let after = access.find_session_at(&cookie, later(49 * MINUTE_MS)).unwrap();
    assert_eq!((after.csrf(), after.created), (before.csrf(), START));
    assert!(access.find_session_at(&cookie, later(79 * MINUTE_MS)).is_none());
}

#[test]
fn a_request_touches_no_disk() {
    let (_directory, access) = peopled();
    let (cookie, _) = access.start_session("zhang").unwrap();
    // Whatever went to the database would wait here for ever.
    let _locked = access.database();
    assert!(access.find_session(&cookie).is_some());
    assert_eq!(access.session_count(), 1);
    assert!(access.account("zhang").is_some());
}

#[test]
fn the_last_use_is_written_at_most_once_a_minute_and_what_ended_is_forgotten() {
    let (directory, access) = peopled();
    let (cookie, _) = access.start_session_at("zhang", START).unwrap();
    let (idle, _) = access.start_session_at("wang", START).unwrap();
    let file = directory.path().join("data").join(super::super::FILE_NAME);
    let reader = Connection::open(file).unwrap();
    let written = || -> Vec<i64> {
        let mut statement = reader.prepare("SELECT last_seen FROM session ORDER BY last_seen").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    access.keep_sessions_at(START).unwrap();
    for seconds in [1, 30, 59] {
        access.find_session_at(&cookie, later(seconds * 1_000)).unwrap();
        access.keep_sessions_at(later(seconds * 1_000)).unwrap();
        assert_eq!(written(), [START.0, START.0]);
    }
    access.keep_sessions_at(later(MINUTE_MS)).unwrap();
    assert_eq!(written(), [START.0, START.0 + 59_000]);
    access.keep_sessions_at(later(30 * MINUTE_MS)).unwrap();
    assert_eq!(written(), [START.0 + 59_000], "the idle one is gone");
    assert_eq!(access.sessions.by_hash.len(), 1);
    assert!(access.find_session_at(&idle, START).is_none());
    access.find_session_at(&cookie, later(30 * MINUTE_MS)).unwrap();
    access.keep_sessions_at(later(29 * MINUTE_MS)).unwrap();
    assert_eq!(written(), [START.0 + 30 * MINUTE_MS], "a clock that was put back stops nothing");
}

#[test]
fn what_is_ended_is_ended_at_once_and_for_good() {
    let (directory, access) = peopled();
    let (one, _) = access.start_session("zhang").unwrap();
    let (two, _) = access.start_session("zhang").unwrap();
    let (other, _) = access.start_session("wang").unwrap();
    assert_eq!(access.session_count(), 3);
    assert!(access.end_session(&one).unwrap());
    assert!(!access.end_session(&one).unwrap());
    assert!(!access.end_session("no cookie").unwrap());
    assert!(access.find_session(&one).is_none() && access.find_session(&two).is_some());
    assert_eq!(access.end_sessions_of("zhang").unwrap(), 1);
    assert!(access.find_session(&two).is_none() && access.find_session(&other).is_some());
    drop(access);
    let access = beside(&directory);
    assert!(access.find_session(&one).is_none() && access.find_session(&two).is_none());
    assert!(access.find_session(&other).is_some());
}

#[test]
fn a_new_password_and_disabling_end_all_sessions_and_enabling_brings_none_back() {
    let (_directory, access) = peopled();
    let start = || access.start_session("zhang").unwrap().0;
    let (first, other) = (start(), access.start_session("wang").unwrap().0);
    access.set_password("zhang", None, SetBy::Other).unwrap();
    assert!(access.find_session(&first).is_none());
    let second = start();
    access.disable("zhang").unwrap();
    assert!(access.find_session(&second).is_none());
    assert!(matches!(
        access.start_session("zhang"),
        Err(AccessError::Account(AccountError::Disabled(name))) if name == "zhang"
    ));
    assert!(matches!(access.start_session("nobody"), Err(AccessError::Account(AccountError::Unknown(_)))));
    access.enable("zhang").unwrap();
    assert!(access.find_session(&first).is_none() && access.find_session(&second).is_none());
    assert!(access.find_session(&start()).is_some());
    assert!(access.find_session(&other).is_some(), "others go on");
}

#[test]
fn what_a_command_changes_beside_a_running_server_is_in_force_after_a_refresh() {
    let (directory, server) = peopled();
    let command = beside(&directory);
    let (zhang, _) = server.start_session("zhang").unwrap();
    let (wang, _) = server.start_session("wang").unwrap();
    command.set_scope("wang", &["A".to_owned()], &[]).unwrap();
    command.disable("zhang").unwrap();
    assert!(server.find_session(&zhang).is_some(), "not noticed yet");
    assert!(server.refresh().unwrap());
    assert!(server.find_session(&zhang).is_none());
    let session = server.find_session(&wang).unwrap();
    assert_eq!(session.account.scope_departments, ["A"], "a session goes on with the account as it is now");
    command.refresh().unwrap();
    assert_eq!(command.end_sessions_of("wang").unwrap(), 1);
    assert!(server.refresh().unwrap());
    assert!(server.find_session(&wang).is_none());
    assert!(!server.refresh().unwrap());
}

#[test]
fn a_session_started_before_a_change_that_is_not_noticed_yet_does_not_outlive_it() {
    let (directory, server) = peopled();
    let command = beside(&directory);
    command.set_password("zhang", None, SetBy::Other).unwrap();
    let (cookie, _) = server.start_session("zhang").unwrap();
    server.refresh().unwrap();
    assert!(server.find_session(&cookie).is_none(), "it is of the generation before");
}

#[test]
fn an_account_has_a_bounded_number_of_sessions_and_the_longest_unused_ends_first() {
    let (directory, access) = peopled();
    let start = |ms| access.start_session_at("zhang", later(ms)).unwrap().0;
    let mut cookies: Vec<_> = (0..SESSIONS_PER_ACCOUNT_MAX as i64).map(start).collect();
    access.find_session_at(&cookies[0], later(50)).unwrap();
    cookies.push(start(60));
    let found = |access: &Access| -> Vec<bool> {
        cookies.iter().map(|cookie| access.find_session_at(cookie, later(61)).is_some()).collect()
    };
    let expected: Vec<_> = (0..cookies.len()).map(|i| i != 1).collect();
    assert_eq!(found(&access), expected);
    assert_eq!(found(&beside(&directory)), expected);
}

#[test]
fn only_the_sessions_own_csrf_value_matches() {
    let (_directory, access) = peopled();
    let (_, zhang) = access.start_session("zhang").unwrap();
    let (_, again) = access.start_session("zhang").unwrap();
    assert!(zhang.csrf_matches(&zhang.csrf()));
    assert_eq!(zhang.csrf().len(), 43);
    for sent in ["", &again.csrf(), &zhang.csrf()[1..], &format!("{}=", zhang.csrf()), &"A".repeat(500)] {
        assert!(!zhang.csrf_matches(sent), "{sent}");
    }
}

#[test]
fn the_cookie_is_not_in_the_data_directory() {
    let (directory, access) = peopled();
    let (cookie, session) = access.start_session("zhang").unwrap();
    let id = decoded::<32>(&cookie[..ID_CHARS]).unwrap();
    for entry in std::fs::read_dir(directory.path().join("data")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(ID_CHARS).any(|window| window == &cookie.as_bytes()[..ID_CHARS]));
        assert!(!bytes.windows(32).any(|window| window == id));
    }
    assert!(!format!("{session:?}").contains(&session.csrf()));
}
