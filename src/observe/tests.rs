use serde_json::{Value, json};

use crate::observation::{Contradiction, Observation};
use crate::pseudonym::{Epoch, Keyring, MasterKey};
use crate::rating;

fn sample() -> Value {
    json!({
        "rating_id": "r-1", "submitted_at": "2026-03-01T08:00:00+08:00", "channel": "mobile_app",
        "entry": "wechat", "stars": 2, "tags": ["慢"], "comment": "窗口排队两个小时，最后说材料不全，让我明天再来",
        "service": {"matter": "m1", "case_no": "SH-1", "stage": "complete", "visit": "1", "department": "d1"},
        "rater": {"account": "a1", "id_number": "11010519491231002x", "phone": "+86 138 0013 8000"},
        "device": {"fingerprint": "f1", "platform": "android", "model": "SM-G9910", "os_version": "13.0",
            "app_version": "7.1", "user_agent": "Mozilla/5.0 (Linux; Android 13; SM-G9910)",
            "screen": "1080x2400", "language": "zh-CN", "timezone": "Asia/Shanghai", "canvas": "c0ffee"},
        "network": {"ip": "203.0.113.9", "asn": 4134},
    })
}

fn edited(edits: Value) -> Value {
    let mut rating = sample();
    for (section, fields) in edits.as_object().unwrap() {
        match fields {
            Value::Object(fields) => rating[section].as_object_mut().unwrap().extend(fields.clone()),
            other => rating[section] = other.clone(),
        }
    }
    rating
}

fn observe_with(keyring: &Keyring, rating: &Value) -> Observation {
    keyring.pseudonymise(rating::parse(rating.to_string().as_bytes()).unwrap()).0
}

fn observe(edits: Value) -> Observation {
    observe_with(&Keyring::public(), &edited(edits))
}

fn epoch(id: u32) -> Epoch {
    Epoch { id, secret: MasterKey::new([id as u8; 32]) }
}

fn root() -> MasterKey {
    MasterKey::new([42; 32])
}

#[test]
fn no_raw_identifier_survives() {
    let rating = sample().to_string();
    let (observation, comment) = Keyring::public().pseudonymise(rating::parse(rating.as_bytes()).unwrap());
    let shown = format!("{observation:?}");
    for raw in ["a1", "110105", "13800138000", "f1", "203.0.113", "SH-1", "SM-G9910", "排队", "c0ffee"] {
        assert!(!shown.contains(&format!("\"{raw}")), "{raw} in {shown}");
    }
    let comment = comment.unwrap();
    assert_eq!(format!("{comment:?}"), "Comment(69 bytes)");
    assert!(comment.expose_for_sealing().starts_with("窗口"));
}

#[test]
fn the_same_person_is_the_same_pseudonym_however_written() {
    let one = observe(json!({}));
    let other =
        observe(json!({"rater": {"phone": "１３８００１３８０００", "id_number": "11010519491231002X"}}));
    assert_eq!((one.rater.phone, one.rater.person), (other.rater.phone, other.rater.person));
}

#[test]
fn kinds_never_meet() {
    let same = observe(json!({
        "rater": {"account": "12345678901", "phone": "12345678901", "id_number": "12345678901"},
        "device": {"fingerprint": "12345678901"}, "service": {"case_no": "12345678901"},
    }));
    let mut all =
        vec![same.rater.id, same.rater.phone, same.rater.person, same.device.fingerprint, same.service.case];
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 5);
}

#[test]
fn without_an_account_the_rater_is_the_person_or_else_the_phone() {
    let person = observe(json!({"rater": {"account": null}}));
    assert_eq!(person.rater.id, person.rater.person);
    let phone = observe(json!({"rater": {"account": "null", "id_number": "1101****"}}));
    assert_eq!((phone.rater.id, phone.rater.person), (phone.rater.phone, None));
    let paths: Vec<_> = phone.warnings.iter().map(|warning| &*warning.path).collect();
    assert_eq!(paths, ["$.rater.account", "$.rater.id_number"]);
}

#[test]
fn occasions_differ_by_case_stage_and_visit() {
    let occasion = |service: Value| observe(json!({ "service": service })).service.occasion;
    let base = occasion(json!({}));
    assert_eq!(base, occasion(json!({"case_no": " sh-1", "visit": "１ "})));
    for other in [
        json!({"case_no": "SH-11"}),
        json!({"stage": "apply"}),
        json!({"stage": null}),
        json!({"visit": "2"}),
    ] {
        assert_ne!(base, occasion(other.clone()), "{other}");
    }
    assert_eq!(occasion(json!({"case_no": null})), None);
}

#[test]
fn the_digest_sees_content_and_nothing_else() {
    let keyring = Keyring::public();
    let digest = |line: &str| keyring.pseudonymise(rating::parse(line.as_bytes()).unwrap()).0.digest;
    let line = sample().to_string();
    let base = digest(&line);
    let pretty = serde_json::to_string_pretty(&sample()).unwrap();
    assert_eq!(base, digest(&pretty), "white space");
    assert_eq!(base, digest(&line.replacen('{', r#"{"unknown":[1],"#, 1)), "unknown fields");
    assert_eq!(base, digest(&line.replace("\"r-1\"", r#""r\u002d1""#)), "escapes");
    assert_eq!(base, digest(&line.replace("08:00:00+08:00", "00:00:00Z")), "offsets");
    assert_eq!(base, digest(&edited(json!({"origin": "active"})).to_string()), "defaults");
    let edits = [
        json!({"stars": 1}),
        json!({"supersedes": "r-0"}),
        json!({"aspects": 7, "comment": "x"}),
        json!({"tags": ["慢", "慢"]}),
        json!({"rater": {"account": "a2"}}),
        json!({"rater": {"verified": false}}),
        json!({"device": {"canvas": null}}),
        json!({"network": {"ip": "203.0.113.10"}}),
        json!({"service": {"visit": "2"}}),
    ];
    for edit in edits {
        assert_ne!(base, digest(&edited(edit.clone()).to_string()), "{edit}");
    }
}

#[test]
fn digests_are_the_same_in_every_version() {
    // If this fails, every repeat that is sent across the upgrade becomes a conflict.
    let digest = observe(json!({})).digest;
    insta::assert_snapshot!(digest.map(|byte| format!("{byte:02x}")).concat(), @"29ff5352362a3012ecb9cf789bb856c4");
}

#[test]
fn a_rotation_changes_pseudonyms_and_keeps_digests_texts_and_derived_keys() {
    let before = Keyring::new(root(), &epoch(1), None);
    let after = Keyring::new(root(), &epoch(2), Some(&epoch(1)));
    let line = sample().to_string();
    let (old, none, _) = before.pseudonymise_both(rating::parse(line.as_bytes()).unwrap());
    let (new, previous, _) = after.pseudonymise_both(rating::parse(line.as_bytes()).unwrap());
    assert_eq!(none, None);
    assert_eq!((old.digest, &old.text), (new.digest, &new.text));
    assert_eq!((old.device.hardware, old.device.software), (new.device.hardware, new.device.software));
    assert_eq!(before.derive("vault"), after.derive("vault"));
    assert_ne!(old.rater.id, new.rater.id);
    let previous = previous.unwrap();
    assert_eq!(
        (previous.rater, previous.person, previous.phone, previous.fingerprint),
        (old.rater.id, old.rater.person, old.rater.phone, old.device.fingerprint)
    );
    assert_eq!(
        (previous.ip, previous.subnet, previous.case, previous.occasion),
        (old.network.ip, old.network.subnet, old.service.case, old.service.occasion)
    );
}

#[test]
fn turning_the_device_or_updating_the_browser_changes_no_hardware() {
    let base = observe(json!({})).device;
    let turned = observe(json!({"device": {"screen": "2400*1080", "model": " sm-g9910 "}})).device;
    assert_eq!(base.hardware, turned.hardware);
    let updated = observe(json!({"device": {"app_version": "7.2", "os_version": "13.1"}})).device;
    assert_eq!((base.hardware, base.habitat), (updated.hardware, updated.habitat));
    assert_ne!((base.software, base.app_version), (updated.software, updated.app_version));
    let little = json!({"model": null, "screen": "?", "canvas": null, "language": null, "timezone": ""});
    let little = observe(json!({"device": little})).device;
    assert_eq!((little.hardware, little.habitat), (None, None), "one field alone describes nothing");
}

fn contradictions(device: Value) -> u8 {
    observe(json!({ "device": device })).device.contradictions
}

#[test]
fn claims_that_no_device_makes_together_are_contradictions() {
    use Contradiction::{PlatformModel, PlatformScreen, PlatformUserAgent, TimezoneLanguage};
    let cases = [
        (json!({"screen": "1920x1080"}), PlatformScreen),
        (json!({"platform": "windows", "user_agent": null}), PlatformScreen),
        (json!({"user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"}), PlatformUserAgent),
        (json!({"model": "iPhone14,5"}), PlatformModel),
        (json!({"timezone": "America/New_York"}), TimezoneLanguage),
    ];
    for (device, expected) in cases {
        assert_eq!(contradictions(device.clone()), 1 << expected as u8, "{device}");
    }
    let pad = observe(json!({"channel": "hotline_12345", "entry": "pad"}));
    assert_eq!(pad.device.contradictions, 1 << Contradiction::EntryChannel as u8);
    let own_phone = observe(json!({"channel": "hall_window", "entry": "pad", "device": {"terminal": "T1"}}));
    assert_eq!(own_phone.device.contradictions, 1 << Contradiction::TerminalPlatform as u8);
}

#[test]
fn honest_devices_do_not_contradict_themselves() {
    let devices = [
        json!({}),
        json!({"screen": "2400x1080"}),
        json!({"platform": "harmonyos", "user_agent": "Mozilla/5.0 (Linux; Android 12; NOH-AN00)"}),
        json!({"platform": "ios", "model": "iPad13,4", "screen": "2732x2048",
            "user_agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"}),
        json!({"platform": "android", "model": "SM-T970 Tablet", "screen": "1920x1200", "user_agent": null}),
        json!({"platform": "linux", "user_agent": "Mozilla/5.0 (Linux; Android 13)"}),
        json!({"platform": "windows", "model": "HUAWEI MateBook", "screen": "1080x1920", "user_agent": null}),
        json!({"terminal": "T1"}),
    ];
    for device in devices {
        assert_eq!(contradictions(device.clone()), 0, "{device}");
    }
    let pad = json!({"platform": "android", "model": "Hall pad", "screen": "1080x1920", "terminal": "T1"});
    let pad = observe(json!({"channel": "hall_window", "entry": "pad", "device": pad}));
    assert_eq!(pad.device.contradictions, 0, "a window's pad is often an Android tablet");
}

#[test]
fn scripts_are_recognised_and_assistive_technology_is_not_one() {
    let headless = |agent: &str| observe(json!({"device": {"user_agent": agent}})).device.headless;
    for script in [
        "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0.0.0",
        "python-requests/2.31.0",
        "curl/8.4.0",
        "Mozilla/5.0 PhantomJS/2.1.1",
    ] {
        assert!(headless(script), "{script}");
    }
    for honest in [
        "Mozilla/5.0 (Windows NT 10.0) Chrome/120 NVDA/2023.3",
        "Mozilla/5.0 (Linux; Android 13) TalkBack/14 Chrome/120",
        "Mozilla/5.0 (Linux; Android 11; CUBOT_X30)",
        "okhttp/4.9.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) MicroMessenger/8.0.42",
        "SwitchControl VoiceOver JAWS",
    ] {
        assert!(!headless(honest), "{honest}");
    }
}
