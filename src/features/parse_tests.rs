use super::*;
use crate::features::keys::KeyField;

const SHIPPED: &str = include_str!("../../rules/counters.toml");

fn errors(text: &str) -> String {
    match CounterSet::parse(&[("c.toml".into(), text.into())], &mut Catalogue::builtin()) {
        Ok(_) => String::from("no error"),
        Err(errors) => errors.to_string(),
    }
}

fn one(fields: &str) -> String {
    errors(&format!("[[counter]]\n{fields}\ntext = {{ zh = \"{{value}}\", en = \"{{value}}\" }}\n"))
}

#[test]
fn the_shipped_counters_load_and_have_their_sentences() {
    let mut catalogue = Catalogue::builtin();
    let source = [("counters.toml".to_owned(), SHIPPED.to_owned())];
    let set = CounterSet::parse(&source, &mut catalogue).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(set.counters().len() >= 45);
    for counter in set.counters() {
        let feature = catalogue.get(counter.id);
        assert_eq!((feature.scope, &feature.name), (Scope::Counter, &counter.name));
        let (head, tail) = counter.name.split_once('.').unwrap();
        let keys = counter.by.iter().map(|key| key.name()).collect::<Vec<_>>().join("_");
        assert_eq!(head, keys, "{} is named after its keys", counter.name);
        let window = counter.window_ms;
        let written = tail.rsplit('_').next().unwrap();
        let (digits, unit) = written.split_at(written.len() - 1);
        let unit_ms = [("m", MINUTE_MS), ("h", HOUR_MS), ("d", DAY_MS)].iter().find(|(u, _)| *u == unit);
        assert_eq!(digits.parse::<i64>().unwrap() * unit_ms.unwrap().1, window, "{}", counter.name);
    }
    assert_eq!(set.find("device.accounts_24h").unwrap().measure, Measure::Distinct(KeyField::Rater));
    // A sweep over the keys of one rating: each list of keys is one look-up.
    assert!(set.groups() <= 24);
}

#[test]
fn the_fingerprint_follows_what_decides_values_and_not_the_wording() {
    let set = |text: &str| {
        let source = [("c.toml".to_owned(), text.to_owned())];
        CounterSet::parse(&source, &mut Catalogue::builtin()).unwrap().fingerprint()
    };
    let same = SHIPPED.replace("accounts rated from one device", "people on one device");
    assert_ne!(same, SHIPPED);
    assert_eq!(set(SHIPPED), set(&same));
    assert_ne!(set(SHIPPED), set(&SHIPPED.replacen("stars >= 4", "stars >= 5", 1)));
    assert_ne!(set(SHIPPED), set(&SHIPPED.replacen("\"24h\"", "\"25h\"", 1)));
}

#[test]
fn an_unknown_key_of_the_table_is_named_with_what_was_meant() {
    insta::assert_snapshot!(one("name = 'a.b'\nof = 'count'\nby = ['device']\nwindw = '1h'"), @r#"
    error: this counter has no `window`
     --> c.toml:1:1
      |
    1 | [[counter]]
      | ^^^^^^^^^^^

    error: a counter has no such key
     --> c.toml:5:1
      |
    5 | windw = '1h'
      | ^^^^^
      = did you mean `window`?
      = note: allowed are name, of, by, where, window, text
    "#);
}

#[test]
fn a_key_that_does_not_exist_is_named_with_what_was_meant() {
    insta::assert_snapshot!(one("name = 'a.b'\nof = 'distinct ratr'\nby = ['devise']\nwindow = '1h'"), @r#"
    error: no such key
     --> c.toml:3:16
      |
    3 | of = 'distinct ratr'
      |                ^^^^
      = did you mean `rater`?
      = note: allowed are device, profile, rater, ip, subnet, target, clerk, window, hall, department, district, matter, text, case, terminal, channel, everything, office, person, phone

    error: no such key
     --> c.toml:4:7
      |
    4 | by = ['devise']
      |       ^^^^^^^^
      = did you mean `device`?
      = note: allowed are device, profile, rater, ip, subnet, target, clerk, window, hall, department, district, matter, text, case, terminal, channel, everything, office, person, phone
    "#);
}

#[test]
fn a_condition_is_marked_where_it_is_wrong() {
    insta::assert_snapshot!(
        one("name = 'a.b'\nof = 'share(star >= 4)'\nby = ['device']\nwhere = \"device.class == 'personal'\"\nwindow = '1h'"),
        @r#"
    error: no feature is called `star`
     --> c.toml:3:13
      |
    3 | of = 'share(star >= 4)'
      |             ^^^^
      = did you mean `stars`?

    error: `device.class` is not known from the rating alone
     --> c.toml:5:10
      |
    5 | where = "device.class == 'personal'"
      |          ^^^^^^^^^^^^
      = note: a counter may only use features of the rating that it counts
    "#
    );
}

#[test]
fn measures_windows_and_features_say_what_is_allowed() {
    insta::assert_snapshot!(one("name = 'a.b'\nof = 'distnct rater'\nby = ['device']\nwindow = '91d'"), @r#"
    error: not a measure
     --> c.toml:3:6
      |
    3 | of = 'distnct rater'
      |      ^^^^^^^^^^^^^^^
      = did you mean `distinct`?
      = note: allowed are `count`, `distinct KEY`, `sum FEATURE`, `mean FEATURE`, `stddev FEATURE`, `gap_cv` and `share(CONDITION)`

    error: not a window
     --> c.toml:5:10
      |
    5 | window = '91d'
      |          ^^^^^
      = note: a whole number of minutes, hours or days from `1m` to `90d`, such as `24h`
    "#);
    let text = one("name = 'a.b'\nof = 'mean origin'\nby = ['device']\nwindow = '1h'");
    assert!(text.contains("`origin` is enum, not a number") && text.contains("timing.dwell_s"), "{text}");
}

#[test]
fn every_other_slip_is_refused() {
    let base = "name = 'a.b'\nof = 'count'\nby = ['device']\nwindow = '1h'";
    assert_eq!(one(base), "no error");
    for (good, bad, says) in [
        ("'a.b'", "'A.b'", "not a name"),
        ("'a.b'", "'plain'", "not a name"),
        ("'a.b'", "'device.class'", "exists already"),
        ("'a.b'", "7", "not a string"),
        ("['device']", "[]", "one to three keys"),
        ("['device']", "['ip', 'text', 'case', 'hall']", "one to three keys"),
        ("['device']", "['ip', 'ip']", "stands here twice"),
        ("['device']", "'device'", "not a list"),
        ("'count'", "'distinct device'", "always 1"),
        ("'count'", "'count rater'", "not a measure"),
        ("'count'", "'mean timing.dwel_s'", "no such feature"),
        ("'count'", "'mean rater.ratings'", "not known from the rating alone"),
        ("'1h'", "'0h'", "not a window"),
        ("'1h'", "'1.5h'", "not a window"),
        ("'1h'", "'30s'", "not a window"),
        ("'1h'", "''", "not a window"),
        ("'1h'", "'99999999999999999999d'", "not a window"),
        ("'1h'", "'1时'", "not a window"),
        ("window", "windows", "no such key"),
    ] {
        let text = one(&base.replacen(good, bad, 1));
        assert!(text.contains(says), "{bad}: {text}");
        assert!(text.contains("c.toml:"), "{text}");
    }
    let text = |text: &str| errors(&format!("[[counter]]\n{base}\n{text}\n"));
    assert!(text("text = { zh = '{value}', en = 'no value' }").contains("contains `{value}`"));
    assert!(text("text = { zh = '{value}' }").contains("no `en`"));
    assert!(text("text = { zh = '{value}', en = '{value}', fr = '{value}' }").contains("no such language"));
    assert!(text("text = '{value}'").contains("not a table"));
    assert!(text("").contains("no `text`"));
    assert!(errors("counter = 3").contains("not an array of tables"));
    assert!(errors("counter = [3]").contains("a counter is a table"));
    assert!(errors("[[counter]\n").contains("not TOML"));
}

#[test]
fn all_errors_of_all_files_are_shown_at_once() {
    let bad = |name: &str| format!("[[counter]]\nname = '{name}'\nof = 'x'\nby = ['y']\nwindow = 'z'\n");
    let sources = [("one.toml".to_owned(), bad("a.b")), ("two.toml".to_owned(), bad("a.c"))];
    let errors = CounterSet::parse(&sources, &mut Catalogue::builtin()).unwrap_err();
    assert_eq!(errors.0.len(), 8);
    assert_eq!(errors.0.iter().filter(|located| located.file == "two.toml").count(), 4);
}

#[test]
fn more_lists_of_keys_or_conditions_than_allowed_are_refused() {
    let counter = |i: usize, by: &str, filter: &str| {
        format!(
            "[[counter]]\nname = 'a.c{i}'\nof = 'count'\nby = [{by}]\nwhere = '{filter}'\nwindow = '1h'\n\
             text = {{ zh = '{{value}}', en = '{{value}}' }}\n"
        )
    };
    let names = KeyField::NAMES;
    let pairs = (0..40).map(|i| counter(i, &format!("'{}', '{}'", names[i / 8], names[8 + i % 8]), "bad"));
    assert!(errors(&pairs.collect::<String>()).contains("different lists of keys"));
    let conditions = (0..80).map(|i| counter(i, "'device'", &format!("stars > {i}")));
    assert!(errors(&conditions.collect::<String>()).contains("different conditions"));
}
