use super::*;
use crate::catalogue::Catalogue;
use crate::features::identity::keys_of;
use crate::pseudonym::Keyring;
use crate::rating;

fn files(tables: &[(&str, &str)]) -> Vec<(String, String)> {
    tables.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect()
}

fn read(tables: &[(&str, &str)]) -> Result<References, ReferenceErrors> {
    References::read(&files(tables), &Keyring::public(), UtcOffset::CHINA)
}

/// The features that tables give to a rating at a time, with further members.
fn features(tables: &References, at: &str, service: &str, more: &str) -> FeatureVector {
    let line = format!(
        r#"{{"rating_id":"r","submitted_at":"{at}","channel":"hall_window","stars":5,
            "service":{{"matter":"M","department":"D1"{service}}}{more}}}"#
    );
    let (observation, _) = Keyring::public().pseudonymise(rating::parse(line.as_bytes()).unwrap());
    let keys = keys_of(&observation);
    let mut vector = FeatureVector::new(Catalogue::builtin().len());
    tables.observe(&observation, 0, &keys, &mut vector);
    if tables.window_day(&observation, &keys).is_some() {
        tables.compare_closed(&observation, &keys, 6, &mut vector);
    }
    vector
}

const MONDAY_TEN: &str = "2026-03-02T10:00:00+08:00";

#[test]
fn errors_name_the_file_the_line_the_column_what_is_allowed_and_what_was_meant() {
    let errors = read(&[
        (
            "opening_hours.csv",
            "# hours\nhall,weekday,open,close\nH1,8,09:00,17:00\n\nH1,1,9,17:00\nH1,1,17:00,09:00\n",
        ),
        ("terminal.csv", "terminal\n"),
        ("staff.csv", "acount,department\nzhang,D1\n"),
        ("helpers.csv", "device\nnot-a-pseudonym\n"),
        (
            "holidays.csv",
            "date,kind\n2026-02-30,holiday\n2026-10-01,off\n2026-10-02,holiday\n2026-10-02,working\n",
        ),
        ("terminals.csv", "terminal,note\nT1\n\"T2,x\n"),
        ("closed_cases.csv", "department,hall,window,date,cases\nD1,H1,W1,2026-03-02,-4\n"),
        ("readme.csv", ""),
    ])
    .unwrap_err();
    insta::assert_snapshot!(errors);
}

#[test]
fn an_identifier_is_never_quoted_and_never_in_the_log() {
    let secret = "13800138000";
    let errors = read(&[
        ("staff.csv", &format!("phone,department\n{secret},D1\n138****8000,D1\n{secret},D2\n")),
        ("helpers.csv", &format!("device\n{secret}\n")),
    ]);
    let shown = errors.unwrap_err().to_string();
    assert!(shown.contains("staff.csv:3: phone") && shown.contains("line 2"), "{shown}");
    assert!(!shown.contains("138"), "{shown}");

    let tables = read(&[
        ("staff.csv", &format!("account,phone,department\nzhang.wei@example.com,{secret},D1\n")),
        ("helpers.csv", "fingerprint\nhelper-device-1\n"),
    ])
    .unwrap();
    let logged = format!("{:?}", tables.files());
    for raw in [secret, "zhang", "helper-device-1"] {
        assert!(!logged.contains(raw), "{logged}");
    }
}

#[test]
fn the_logs_form_of_the_tables_reads_back_as_the_same_tables() {
    let tables = read(&[
        ("terminals.csv", "\u{feff}note,terminal\r\n\"a, b\",\"T\"\"1\"\r\n,\"#2,x\"\r\n"),
        ("staff.csv", "department,account,id_number\nD1,zhang,11010519491231002X\n"),
        ("helpers.csv", "fingerprint,device\nphone-1,\n,00112233445566778899aabbccddeeff\n"),
        ("opening_hours.csv", "hall,weekday,open,close\n*,1,09:00,24:00\n"),
        ("holidays.csv", "date,kind\n"),
    ])
    .unwrap();
    assert_eq!(
        tables.rows(),
        [
            ("helpers.csv", 2),
            ("holidays.csv", 0),
            ("opening_hours.csv", 1),
            ("staff.csv", 1),
            ("terminals.csv", 2)
        ]
    );
    let again = References::from_log(tables.files(), UtcOffset::CHINA).unwrap();
    assert_eq!((again.files(), again.version()), (tables.files(), tables.version()));
    assert_eq!(again.terminals, tables.terminals);
    assert_eq!((again.staff.as_ref().map(HashMap::len), &again.staff), (Some(2), &tables.staff));
    assert_eq!((again.helpers, again.holidays), (tables.helpers.clone(), Some(BTreeMap::new())));
    // A raw identifier has no business in the log.
    let raw = files(&[("staff.csv", "account,department\nzhang,D1\n")]);
    assert!(References::from_log(&raw, UtcOffset::CHINA).is_err());
}

#[test]
fn with_a_terminal_table_a_terminal_that_is_not_in_it_is_unregistered() {
    let class = |tables: &References, more: &str| features(tables, MONDAY_TEN, "", more).int(f::DEVICE_CLASS);
    let terminal = |id: &str| format!(r#","device":{{"terminal":"{id}"}}"#);
    let none = References::default();
    assert_eq!(class(&none, &terminal("T1")), Some(DeviceClass::Official as i64));
    let tables =
        read(&[("terminals.csv", "terminal\nT1\n"), ("helpers.csv", "fingerprint\nAB-CD-12-34\n")]).unwrap();
    assert_eq!(class(&tables, &terminal("T1")), Some(DeviceClass::Official as i64));
    assert_eq!(class(&tables, &terminal("T2")), Some(DeviceClass::Unregistered as i64));
    let phone = |id: &str| format!(r#","device":{{"fingerprint":"{id}"}}"#);
    assert_eq!(
        class(&tables, &phone("ab-cd-12-34")),
        Some(DeviceClass::Helper as i64),
        "however it is written"
    );
    assert_eq!(class(&tables, &phone("someone-else")), Some(DeviceClass::Personal as i64));
    // An empty table registers nothing.
    let empty = read(&[("terminals.csv", "terminal\n")]).unwrap();
    assert_eq!(class(&empty, &terminal("T1")), Some(DeviceClass::Unregistered as i64));
}

#[test]
fn staff_are_known_by_any_of_their_identifiers_and_missing_is_not_zero() {
    let tables =
        read(&[("staff.csv", "phone,account,department\n+86 138-0013-8000,zhang,D1\n,li,D2\n")]).unwrap();
    let staff = |rater: &str| {
        let seen = features(&tables, MONDAY_TEN, "", rater);
        (seen.int(f::REFERENCE_STAFF), seen.int(f::REFERENCE_OWN_DEPARTMENT))
    };
    assert_eq!(staff(r#","rater":{"account":"zhang"}"#), (Some(1), Some(1)));
    assert_eq!(staff(r#","rater":{"account":"private","phone":"13800138000"}"#), (Some(1), Some(1)));
    assert_eq!(staff(r#","rater":{"account":"li"}"#), (Some(1), Some(0)));
    assert_eq!(staff(r#","rater":{"account":"wang"}"#), (Some(0), Some(0)));
    assert_eq!(staff(""), (None, None));
    let without = features(&References::default(), MONDAY_TEN, "", r#","rater":{"account":"zhang"}"#);
    assert_eq!(without.int(f::REFERENCE_STAFF), None);
}

#[test]
fn halls_are_open_by_weekday_and_holiday() {
    let tables = read(&[
        (
            "opening_hours.csv",
            "hall,weekday,open,close\nH1,1,09:00,12:00\nH1,1,13:30,17:00\n*,1,08:00,20:00\n*,7,10:00,11:00\n",
        ),
        ("holidays.csv", "date,kind\n2026-03-09,holiday\n2026-03-14,working\n"),
    ])
    .unwrap();
    let open = |at: &str, hall: &str| {
        let hall = if hall.is_empty() { String::new() } else { format!(r#","hall":"{hall}""#) };
        features(&tables, &format!("{at}:00+08:00"), &hall, "").int(f::TIMING_OPEN).map(|open| open == 1)
    };
    for (at, hall, expected) in [
        ("2026-03-02T09:00", "H1", Some(true)),
        ("2026-03-02T12:00", "H1", Some(false)),
        ("2026-03-02T13:30", "H1", Some(true)),
        ("2026-03-03T10:00", "H1", Some(false)),
        ("2026-03-02T19:59", "H2", Some(true)),
        ("2026-03-08T10:30", "H2", Some(true)),
        ("2026-03-08T10:30", "H1", Some(false)),
        ("2026-03-09T10:00", "H1", Some(false)),
        ("2026-03-14T10:00", "H1", Some(true)),
        ("2026-03-14T18:00", "H1", Some(false)),
        ("2026-03-02T10:00", "", None),
    ] {
        assert_eq!(open(at, hall), expected, "{hall} at {at}");
    }
    assert_eq!(features(&References::default(), MONDAY_TEN, r#","hall":"H1""#, "").int(f::TIMING_OPEN), None);
}

#[test]
fn ratings_are_held_against_the_cases_closed_at_the_window_that_day() {
    let tables = read(&[(
        "closed_cases.csv",
        "department,hall,window,date,cases\nD1,H1,W1,2026-03-02,4\nD1,,W9,2026-03-02,0\n",
    )])
    .unwrap();
    let ratio = |at: &str, service: &str| features(&tables, at, service, "").float(f::REFERENCE_OVER_CLOSED);
    assert_eq!(ratio(MONDAY_TEN, r#","hall":"H1","window":"W1""#), Some(1.5));
    assert_eq!(ratio(MONDAY_TEN, r#","window":"W9""#), Some(6.0), "no case was closed: as if it were one");
    assert_eq!(ratio(MONDAY_TEN, r#","hall":"H1","window":"W2""#), None);
    assert_eq!(ratio("2026-03-03T10:00:00+08:00", r#","hall":"H1","window":"W1""#), None);
    assert_eq!(ratio(MONDAY_TEN, ""), None);
}

#[test]
fn a_folder_is_read_within_bounds_and_other_files_are_let_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("README.md"), "about").unwrap();
    assert_eq!(load_directory(folder.path()), Ok(Vec::new()));
    std::fs::write(path("terminals.csv"), "terminal\nT1\n").unwrap();
    assert_eq!(load_directory(folder.path()).unwrap(), files(&[("terminals.csv", "terminal\nT1\n")]));
    // GB 18030, as a spreadsheet saves by default.
    std::fs::write(path("holidays.csv"), b"date,kind,note\n2026-10-01,holiday,\xb9\xfa\xc7\xec\n").unwrap();
    let error = load_directory(folder.path()).unwrap_err().to_string();
    assert!(error.contains("holidays.csv:2") && error.contains("CSV UTF-8"), "{error}");
    std::fs::File::create(path("holidays.csv")).unwrap().set_len(MAX_BYTES as u64 + 1).unwrap();
    assert!(load_directory(folder.path()).unwrap_err().to_string().contains("16 MiB"));
    assert!(load_directory(&path("none")).unwrap_err().to_string().contains("cannot be read"));
}
