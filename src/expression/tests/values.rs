//! What single expressions evaluate to.

use super::*;

#[test]
fn the_design_example_fires_where_it_should() {
    let mut catalogue = Catalogue::builtin();
    let accounts = add_int(&mut catalogue, "device.accounts_24h");
    let source = "device.accounts_24h >= 6 && device.class == 'personal' && stars >= 4";
    let program = Program::compile(source, &catalogue, Allowed::Everything).unwrap();
    assert_eq!(program.features(), [accounts, builtin::DEVICE_CLASS, builtin::STARS]);

    let mut vector = FeatureVector::new(catalogue.len());
    assert_eq!(program.truth(&vector), None);
    vector.set_int(builtin::STARS, 5);
    vector.set_int(builtin::DEVICE_CLASS, 0);
    assert_eq!(program.truth(&vector), None, "the count is missing");
    vector.set_int(accounts, 9);
    assert_eq!(program.truth(&vector), Some(true));
    vector.set_int(accounts, 5);
    assert_eq!(program.truth(&vector), Some(false));
    vector.clear(builtin::DEVICE_CLASS);
    assert_eq!(program.truth(&vector), Some(false), "false && unknown is false");
}

/// A vector with a few values, and the rest missing.
fn example() -> (Catalogue, FeatureVector) {
    let catalogue = Catalogue::builtin();
    let mut vector = FeatureVector::new(catalogue.len());
    vector.set_int(builtin::STARS, 4);
    vector.set_int(builtin::STARS_WORST, 2);
    vector.set_bool(builtin::BAD, true);
    vector.set_float(builtin::TIMING_DWELL_S, 2.5);
    vector.set_int(builtin::CHANNEL, 4);
    vector.set_raw(builtin::DEPARTMENT, crate::catalogue::code_of("11310"));
    vector.set_raw(builtin::HALL, crate::catalogue::code_of("11310"));
    (catalogue, vector)
}

#[test]
fn every_operator_means_what_cel_says() {
    let (catalogue, vector) = example();
    for (source, expected) in [
        ("true", Some(true)),
        ("stars == 4", Some(true)),
        ("stars != 4", Some(false)),
        ("4 < stars", Some(false)),
        ("4 <= stars", Some(true)),
        ("stars > 3 && stars < 5", Some(true)),
        ("stars >= -9223372036854775808", Some(true)),
        ("stars < -9223372036854775808", Some(false)),
        ("stars > 3.5", Some(true)),
        ("timing.dwell_s < 3", Some(true)),
        ("timing.dwell_s == 2.5 && 2.5 >= timing.dwell_s", Some(true)),
        ("timing.dwell_s > 2.5 || timing.dwell_s < 2.5", Some(false)),
        ("bad", Some(true)),
        ("!bad || !!bad", Some(true)),
        ("bad == true && bad != false", Some(true)),
        ("channel == 'kiosk'", Some(true)),
        ("'kiosk' != channel", Some(false)),
        ("channel in ['portal', 'kiosk']", Some(true)),
        ("service.department == '11310'", Some(true)),
        ("service.department in ['1', \"11310\"]", Some(true)),
        ("service.department == service.hall", Some(true)),
        ("stars in [1, 2, 4]", Some(true)),
        ("stars + 1 in [1, 5.0]", Some(true)),
        ("stars in [3]", Some(false)),
        ("stars - stars.worst == 2 && stars * 2 == 8 && stars / 3 == 1 && stars % 3 == 1", Some(true)),
        ("-stars == -4 && abs(-stars) == 4", Some(true)),
        ("min(stars, stars.worst, 3) == 2 && max(1.0, timing.dwell_s) == 2.5", Some(true)),
        ("int(timing.dwell_s) == 2 && int(-2.9) == -2 && double(stars) / 8.0 == 0.5", Some(true)),
        ("(bad ? stars : stars.worst) == 4", Some(true)),
        ("bad ? stars == 4 : false", Some(true)),
        ("has(stars) && !has(rater.ratings)", Some(true)),
        // Unknown.
        ("rater.ratings > 3", None),
        ("!(rater.ratings > 3)", None),
        ("rater.ratings > 3 || bad", Some(true)),
        ("bad || rater.ratings > 3", Some(true)),
        ("rater.ratings > 3 && !bad", Some(false)),
        ("rater.ratings > 3 && bad", None),
        ("rater.ratings == rater.ratings", None),
        ("rater.ratings in [1]", None),
        ("service.clerk in ['a']", None),
        ("service.clerk == service.hall", None),
        ("rater.verified ? bad : bad", None),
        ("min(rater.ratings, 1) == 1", None),
        // Arithmetic that has no value.
        ("stars / (stars - 4) == 1", None),
        ("stars % 0 == 1", None),
        ("9223372036854775807 + stars > 0", None),
        ("stars * 9223372036854775807 > 0 || bad", Some(true)),
        ("timing.dwell_s / 0.0 > 1.0", None),
        ("1e308 * 10.0 > 1.0", None),
        ("int(1e300) == 1", None),
        ("int(9223372036854775808.0) > 0", None),
        ("int(-9223372036854775808.0) < 0", None),
        ("abs(-9223372036854775807 - 1) > 0", None),
    ] {
        let program = Program::compile(source, &catalogue, Allowed::Everything);
        let program = program.unwrap_or_else(|e| panic!("{}", e.render("expression", source, 0)));
        assert_eq!(program.truth(&vector), expected, "{source}");
    }
}

#[test]
fn a_number_is_a_number_and_a_condition_counts_as_one_or_zero() {
    let (catalogue, vector) = example();
    let number =
        |source| Program::compile_number(source, &catalogue, Allowed::RatingOnly).map(|p| p.number(&vector));
    assert_eq!(number("stars * 2"), Ok(Some(8.0)));
    assert_eq!(number("timing.dwell_s + 0.5"), Ok(Some(3.0)));
    assert_eq!(number("timing.lag_s"), Ok(None));
    assert!(number("bad").is_err());
    let bad = Program::compile("bad", &catalogue, Allowed::RatingOnly).unwrap();
    assert_eq!(bad.number(&vector), Some(1.0));
    assert!(Program::compile("stars", &catalogue, Allowed::RatingOnly).is_err());
}

#[test]
fn only_a_conjunct_at_the_top_bounds_a_feature() {
    let catalogue = Catalogue::builtin();
    for (source, bound) in [
        ("stars >= 4 && bad", Some(4)),
        ("bad && (stars > 3 && bad)", Some(4)),
        ("stars == 5", Some(5)),
        ("3 <= stars", Some(3)),
        ("stars in [4, 5]", Some(4)),
        ("stars >= 3 && stars >= 4", Some(4)),
        ("!(stars < 3)", Some(3)),
        ("stars >= 4 || bad", None),
        ("stars <= 4", None),
        ("stars != 1", None),
        ("stars.worst >= 4", None),
        ("stars + 1 >= 4", None),
        ("bad ? stars >= 4 : stars >= 3", None),
    ] {
        let program = Program::compile(source, &catalogue, Allowed::Everything).unwrap();
        assert_eq!(program.lower_bound(builtin::STARS), bound, "{source}");
    }
}

#[test]
fn a_list_is_asked_for_the_code_or_key_that_it_is_of() {
    struct Pilot;
    impl Membership for Pilot {
        fn contains(&self, list: ListId, value: u64) -> bool {
            (list.0 == 0 && value == crate::catalogue::code_of("11310")) || (list.0 == 1 && value == 77)
        }
        fn key(&self, key: u8) -> Option<u64> {
            [Some(77), None].get(usize::from(key)).copied().flatten()
        }
    }
    let (catalogue, mut vector) = example();
    let lists = [("pilot", "service.department"), ("known", "device"), ("riders", "rater")];
    let lists: Vec<(String, String)> = lists.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    let names = ListNames { lists: &lists, keys: &["device", "rater"] };
    let truth = |source, vector: &FeatureVector| {
        Program::compile_with_lists(source, &catalogue, names).unwrap().truth_with(vector, &Pilot)
    };
    assert_eq!(truth("in_list(service.department, 'pilot')", &vector), Some(true));
    assert_eq!(truth("!in_list(device, 'known')", &vector), Some(false));
    assert_eq!(truth("in_list(rater, 'riders')", &vector), None, "the rating has no rater");
    vector.clear(builtin::DEPARTMENT);
    assert_eq!(truth("in_list(service.department, 'pilot')", &vector), None);
}
