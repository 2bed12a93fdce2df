use proptest::prelude::*;

use super::*;
use crate::catalogue::builtin as f;

fn column(feature: &str) -> Column {
    Column { feature: feature.into(), is: None }
}

/// Ratings of which the first column tells abuse, and the second nothing.
fn examples(count: u64) -> Vec<Example> {
    let example = |i: u64| Example {
        rating: i,
        decided: 1_000 + i,
        values: vec![
            if i.is_multiple_of(2) { 9.0 } else { 1.0 },
            if i.is_multiple_of(3) { f32::NAN } else { (i % 7) as f32 },
        ],
        machine: -1.0,
        abusive: i.is_multiple_of(2),
        weight: 1.0,
        control: i.is_multiple_of(5),
    };
    (0..count).map(example).collect()
}

fn columns() -> [Column; 2] {
    [column("device.accounts_24h"), column("stars")]
}

#[test]
fn what_reviewers_find_moves_ratings_like_it_and_the_same_decisions_give_the_same_version() {
    let labels = fit(&columns(), &examples(300), 1_299).unwrap();
    let term = |accounts: f32| {
        labels.term(|column| if column.feature == "device.accounts_24h" { accounts } else { 3.0 })
    };
    assert!(term(9.0) > 0.8, "{}", term(9.0));
    assert!(term(1.0) < -0.3, "{}", term(1.0));
    assert_eq!(labels.learnt_from, LearntFrom { until: 1_299, ratings: 300, abusive: 150, control: 60 });
    // The order of the list is no order of decisions.
    let mut turned = examples(300);
    turned.reverse();
    assert_eq!(fit(&columns(), &turned, 1_299).unwrap().to_bytes(), labels.to_bytes());
}

#[test]
fn where_reviewers_agree_with_the_machine_nothing_is_added() {
    let mut agreed = examples(300);
    for example in &mut agreed {
        example.machine = if example.abusive { 8.0 } else { -8.0 };
    }
    let labels = fit(&columns(), &agreed, 0).unwrap();
    let term = labels.term(|_| 9.0);
    assert!(term.abs() < 0.05, "{term}");
}

#[test]
fn a_rating_that_stands_for_many_weighs_as_many() {
    let mut heavy = examples(300);
    for example in heavy.iter_mut().filter(|example| !example.abusive) {
        example.weight = 10.0;
    }
    let [heavy, light] = [heavy, examples(300)].map(|examples| fit(&columns(), &examples, 0).unwrap());
    assert!(heavy.intercept < light.intercept - 0.1, "{} {}", heavy.intercept, light.intercept);
}

#[test]
fn no_decision_at_all_is_no_term() {
    let labels = fit(&columns(), &[], 0).unwrap();
    assert_eq!((labels.intercept, labels.columns.len()), (0.0, 0));
}

#[test]
fn the_term_is_bounded_whatever_was_learnt() {
    let learnt = |weight: f32| Learnt {
        column: column("stars"),
        scale: Scale { mean: 0.0, spread: 0.1 },
        weight,
        missing: -weight,
    };
    let catalogue = Catalogue::builtin();
    for (weight, value, bound) in
        [(1e30, Some(5), TERM_MAX), (-1e30, Some(5), -TERM_MAX), (1e30, None, -TERM_MAX)]
    {
        let labels = Labels { columns: vec![learnt(weight)], ..Labels::default() };
        let mut vector = FeatureVector::new(catalogue.len());
        if let Some(stars) = value {
            vector.set_int(f::STARS, stars);
        }
        let in_force = LabelsInForce::new(labels.into(), &catalogue);
        assert_eq!(in_force.term(&vector, &mut Vec::new()), bound);
    }
}

#[test]
fn a_version_comes_back_from_its_bytes_and_others_are_refused() {
    let labels = fit(&columns(), &examples(200), 7).unwrap();
    let bytes = labels.to_bytes();
    assert_eq!(Labels::from_bytes(&bytes).unwrap(), labels);
    assert_eq!(Labels::version_of(&bytes), labels.version());
    assert!(Labels::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    let endless = Labels { intercept: f32::INFINITY, ..labels };
    assert!(Labels::from_bytes(&endless.to_bytes()).is_err());
}

#[test]
fn a_version_has_the_bytes_that_the_log_format_says() {
    let learnt = Learnt {
        column: Column { feature: "stars".into(), is: Some("x".into()) },
        scale: Scale { mean: 1.0, spread: 2.0 },
        weight: 3.0,
        missing: 4.0,
    };
    let learnt_from = LearntFrom { until: 300, ratings: 2, abusive: 1, control: 0 };
    let labels = Labels { learnt_from, intercept: 0.5, columns: vec![learnt] };
    let mut bytes = vec![0xac, 2, 2, 1, 0];
    bytes.extend(0.5_f32.to_le_bytes());
    bytes.extend([1, 5]);
    bytes.extend(b"stars\x01\x01x");
    bytes.extend([1.0_f32, 2.0, 3.0, 4.0].iter().flat_map(|number| number.to_le_bytes()));
    assert_eq!(labels.to_bytes(), bytes);
}

#[test]
fn a_counter_that_is_no_longer_declared_is_missing() {
    let gone = Learnt {
        column: column("device.gone_24h"),
        scale: Scale { mean: 0.0, spread: 1.0 },
        weight: 1.0,
        missing: 0.25,
    };
    let labels = Labels { columns: vec![gone], ..Labels::default() };
    let catalogue = Catalogue::builtin();
    let in_force = LabelsInForce::new(labels.into(), &catalogue);
    assert_eq!(in_force.term(&FeatureVector::new(catalogue.len()), &mut Vec::new()), 0.25);
}

proptest! {
    #[test]
    fn a_scaled_value_is_within_its_bounds_and_grows_with_the_value(
        values in prop::collection::vec(-1e30_f32..1e30, 0..20), a: f32, b: f32,
    ) {
        let scale = Scale::of(values.iter().copied());
        prop_assert!(scale.is_sound());
        for value in [a, b] {
            match scale.apply(value) {
                Some(scaled) => prop_assert!((-CLIP..=CLIP).contains(&scaled)),
                None => prop_assert!(!value.is_finite(), "only what is missing is missing"),
            }
        }
        if let (Some(low), Some(high)) = (scale.apply(a.min(b)), scale.apply(a.max(b))) {
            prop_assert!(low <= high);
        }
    }

    #[test]
    fn values_are_scaled_to_mean_0_and_spread_1(values in prop::collection::vec(0_u16..500, 8..60)) {
        let values: Vec<f32> = values.into_iter().map(f32::from).collect();
        let scale = Scale::of(values.iter().copied());
        prop_assume!(scale.spread > 0.1);
        let scaled: Vec<f32> = values.iter().filter_map(|&value| scale.apply(value)).collect();
        prop_assert_eq!(scaled.len(), values.len());
        if scaled.iter().all(|scaled| scaled.abs() < CLIP) {
            let mean = scaled.iter().sum::<f32>() / scaled.len() as f32;
            let spread = (scaled.iter().map(|scaled| scaled.powi(2)).sum::<f32>() / scaled.len() as f32).sqrt();
            prop_assert!(mean.abs() < 0.01 && (spread - 1.0).abs() < 0.01, "{} {}", mean, spread);
        }
    }
}
