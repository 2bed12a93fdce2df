//! What an analyst reads when an expression is wrong. The rendered text is the promise.

use zhenping::catalogue::{Bilingual, Catalogue, Feature, FeatureType, Scope};
use zhenping::expression::{Allowed, ListNames, Program};

/// Expressions with one mistake each, by kind.
const WRONG: &[(&str, &[&str])] = &[
    (
        "names",
        &[
            "device.account_24h >= 6",
            "accounts_24h >= 6",
            "star >= 4 && bad",
            "device.class.name == 'personal'",
            "nothing.like.it",
            "has(devise.class)",
            "has(stars >= 4)",
            "(bad).x",
        ],
    ),
    (
        "types",
        &[
            "stars",
            "device.class",
            "stars && bad",
            "!stars",
            "bad && device.class",
            "stars == 'five'",
            "stars >= true",
            "bad == 1",
            "bad < true",
            "stars < 3 < 4",
            "'kiosk' == 'kiosk'",
            "device.class == 'personl'",
            "device.class == 'Kiosk'",
            "device.class < 'personal'",
            "service.clerk >= 'A'",
            "device.class == channel",
            "stars + timing.dwell_s > 1.0",
            "timing.dwell_s * 2 > 1.0",
            "timing.dwell_s % 2.0 == 0.0",
            "stars + 'x' == 1",
            "bad ? stars : timing.dwell_s",
            "min(stars, 2.5) > 1",
            "abs(bad) == 1",
            "stars in ['4']",
            "device.class in ['personal', 'halper']",
            "channel in [1]",
            "bad in [true]",
            "stars in []",
            "stars in stars.worst",
        ],
    ),
    (
        "language",
        &[
            "stars = 4",
            "bad and stars >= 4",
            "bad & stars >= 4",
            "stars ＞＝ 4",
            "channel == “kiosk”",
            "channel == 'kiosk",
            "(bad && stars >= 4",
            "bad) && stars >= 4",
            "(bad]",
            "bad &&",
            "bad stars",
            "&& bad",
            "stars >= 4 bad",
            "stars >= 4x",
            "stars >= 99999999999999999999",
            "stars >= 4u",
            "channel.startsWith('k')",
            "size(channel) > 2",
            "mx(stars, 3) > 2",
            "min(stars) > 2",
            "[1, 2].exists(x, x > 1)",
            "{'a': 1}.a == 1",
            "stars == null",
            "channel == b'x'",
            "service.clerk[0] == 'a'",
            "if (bad) stars",
            "[bad]",
            "  ",
        ],
    ),
    (
        "lists",
        &[
            "in_list(service.department, 'pilots')",
            "in_list(service.clerk, 'pilot')",
            "in_list(stars, 'pilot')",
            "in_list(service.department, stars)",
            "in_list(device, 'pilot')",
        ],
    ),
];

fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::builtin();
    let accounts = Feature {
        name: "device.accounts_24h".to_owned(),
        kind: FeatureType::Int,
        scope: Scope::Counter,
        unit: "accounts".to_owned(),
        meaning: Bilingual::default(),
        text: Bilingual::default(),
    };
    catalogue.add(accounts).unwrap();
    catalogue
}

#[test]
fn an_error_shows_the_place_the_reason_and_the_remedy() {
    let catalogue = catalogue();
    let lists = [("pilot".to_owned(), "service.department".to_owned())];
    let names = ListNames { lists: &lists, keys: &["device", "rater"] };
    for (kind, sources) in WRONG {
        let mut shown = String::new();
        for source in *sources {
            let error = Program::compile_with_lists(source, &catalogue, names).expect_err(source);
            shown += &error.render("rules/device.toml", source, 0);
            shown.push('\n');
        }
        insta::assert_snapshot!(format!("expression_{kind}"), shown);
    }
}

#[test]
fn a_bound_is_stated_when_it_is_exceeded() {
    let catalogue = catalogue();
    let mut shown = String::new();
    for source in [
        format!("bad{}", " ".repeat(2_100)),
        format!("stars == 1{}", " + 1".repeat(40)),
        format!("{}bad{}", "(".repeat(40), ")".repeat(40)),
        format!("bad{}", " || bad".repeat(140)),
    ] {
        let error = Program::compile(&source, &catalogue, Allowed::Everything).expect_err(&source);
        shown += &error.render("rules/device.toml", &source, 0);
        shown.push('\n');
    }
    insta::assert_snapshot!("expression_bounds", shown);
}

#[test]
fn a_counters_condition_may_not_read_state() {
    let catalogue = catalogue();
    let source = "bad && device.class == 'personal'";
    let error = Program::compile(source, &catalogue, Allowed::RatingOnly).expect_err(source);
    insta::assert_snapshot!(error.render("rules/device.toml", source, 0), @r"
    error: `device.class` is not known from the rating alone
     --> rules/device.toml:1:8
      |
    1 | bad && device.class == 'personal'
      |        ^^^^^^^^^^^^
      = note: a counter may only use features of the rating that it counts
    ");
    let list = Program::compile("in_list(service.clerk, 'x')", &catalogue, Allowed::RatingOnly).unwrap_err();
    assert_eq!(list.message, "`in_list` is available in rules only");
}
