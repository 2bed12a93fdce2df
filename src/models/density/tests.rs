use super::*;

use ndarray::Array2;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::catalogue::{Catalogue, FeatureVector, builtin};
use crate::wire::Channel;

/// A standard normal number (Box and Muller, 1958).
fn normal(random: &mut ChaCha8Rng) -> f32 {
    let (u, v): (f32, f32) = (random.random_range(1e-6..1.0), random.random());
    (-2.0 * u.ln()).sqrt() * (2.0 * std::f32::consts::PI * v).cos()
}

/// Rows of two clouds: one around (0, 0), and with `share` one around (8, −6) whose columns go together.
fn clouds(rows: usize, share: f64, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::with_capacity(2 * rows);
    for _ in 0..rows {
        let (x, y) = (normal(&mut random), normal(&mut random));
        if random.random_bool(share) {
            values.extend([8.0 + 0.5 * x, -6.0 + 0.4 * x + 0.1 * y]);
        } else {
            values.extend([x, y]);
        }
    }
    values
}

const TWO: [Transform; 2] = [Transform::Linear; 2];

fn plain(columns: usize) -> Vec<Column> {
    vec![Column { transform: Transform::Linear, mean: 0.0, deviation: 1.0 }; columns]
}

fn standard(columns: usize) -> Parts {
    let whitening =
        (0..columns).flat_map(|row| (0..=row).map(move |column| f32::from(row == column))).collect();
    let component = Component { weight: 1.0, mean: vec![0.0; columns], whitening };
    Parts { columns: plain(columns), components: vec![component], tail: vec![1.0, 2.0, 3.0] }
}

/// The density by its definition: with the inverse and the determinant of the covariance, which Gauss
/// and Jordan's elimination gives.
fn naive_log_density(parts: &Parts, covariances: &[Array2<f64>], values: &[f64]) -> f64 {
    let n = values.len();
    let total: f64 = parts
        .components
        .iter()
        .zip(covariances)
        .map(|(component, covariance)| {
            let (inverse, determinant) = inverse_of(covariance);
            let apart: Vec<f64> =
                values.iter().zip(&component.mean).map(|(v, &m)| v - f64::from(m)).collect();
            let distance: f64 =
                (0..n).map(|i| (0..n).map(|j| apart[i] * inverse[[i, j]] * apart[j]).sum::<f64>()).sum();
            let scale = ((2.0 * std::f64::consts::PI).powi(n as i32) * determinant).sqrt();
            f64::from(component.weight) * (-0.5 * distance).exp() / scale
        })
        .sum();
    total.ln()
}

fn inverse_of(matrix: &Array2<f64>) -> (Array2<f64>, f64) {
    let n = matrix.nrows();
    let (mut left, mut right, mut determinant) = (matrix.clone(), Array2::eye(n), 1.0);
    for i in 0..n {
        let pivot = left[[i, i]];
        determinant *= pivot;
        for part in [&mut left, &mut right] {
            part.row_mut(i).mapv_inplace(|value| value / pivot);
        }
        for k in (0..n).filter(|&k| k != i) {
            let factor = left[[k, i]];
            for part in [&mut left, &mut right] {
                let pivoted = part.row(i).to_owned();
                part.row_mut(k).scaled_add(-factor, &pivoted);
            }
        }
    }
    (right, determinant)
}

prop_compose! {
    /// A component by its covariance `A·Aᵀ + I/4`, and where it is evaluated.
    fn mixtures()(n in 1usize..=MOST_COLUMNS, k in 1usize..=4)(
        factors in proptest::collection::vec(proptest::collection::vec(-1.0f64..1.0, n * n), k),
        means in proptest::collection::vec(proptest::collection::vec(-1.0f32..1.0, n), k),
        weights in proptest::collection::vec(0.1f32..1.0, k),
        values in proptest::collection::vec(-2.0f32..2.0, n),
    ) -> (Parts, Vec<Array2<f64>>, Vec<f32>) {
        let n = values.len();
        let covariances: Vec<Array2<f64>> = factors
            .iter()
            .map(|a| {
                let entry = |i: usize, j: usize| {
                    (0..n).map(|l| a[i * n + l] * a[j * n + l]).sum::<f64>() + if i == j { 0.25 } else { 0.0 }
                };
                Array2::from_shape_fn((n, n), |(i, j)| entry(i, j))
            })
            .collect();
        let total: f32 = weights.iter().sum();
        let components = covariances
            .iter()
            .zip(means.iter().zip(&weights))
            .map(|(covariance, (mean, weight))| {
                let mean: Vec<f64> = mean.iter().map(|&m| f64::from(m)).collect();
                train::component(f64::from(weight / total), mean.iter(), covariance.view()).unwrap()
            })
            .collect();
        (Parts { columns: plain(n), components, tail: vec![0.0, 1.0] }, covariances, values)
    }
}

proptest! {
    #[test]
    fn the_density_is_that_of_the_formula((parts, covariances, values) in mixtures()) {
        let wide: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
        let naive = naive_log_density(&parts, &covariances, &wide);
        let values: Vec<Option<f32>> = values.into_iter().map(Some).collect();
        let found = f64::from(Density::try_from(parts).unwrap().log_density(&values).unwrap());
        prop_assert!((found - naive).abs() <= 2e-3 * naive.abs().max(1.0), "{found} {naive}");
    }

    #[test]
    fn a_tail_is_finite_and_within_its_digits_whatever_the_values(
        values in proptest::collection::vec(proptest::option::of(any::<f32>()), 3),
    ) {
        let density = Density::try_from(standard(3)).unwrap();
        let tail = density.tail(&values);
        let all_there = values.iter().all(|value| value.is_some_and(f32::is_finite));
        prop_assert_eq!(tail.is_some(), all_there);
        prop_assert!(tail.is_none_or(|tail| (0.0..=0.2).contains(&tail)), "{tail:?}");
    }
}

#[test]
fn training_recovers_a_mixture_that_is_known() {
    let density = Density::train(&clouds(20_000, 0.3, 1), &TWO, 7).unwrap();
    // Back to the scale of the rows: the weight and mean of all components near the second cloud.
    let [x, y] = [0, 1].map(|i| density.parts().columns[i]);
    let (mut weight, mut mean) = (0.0, [0.0; 2]);
    for component in &density.parts().components {
        let at = [component.mean[0] * x.deviation + x.mean, component.mean[1] * y.deviation + y.mean];
        if at[0] > 5.0 {
            weight += component.weight;
            mean = [mean[0] + component.weight * at[0], mean[1] + component.weight * at[1]];
        }
    }
    assert!((weight - 0.3).abs() < 0.02, "{weight}");
    assert!((mean[0] / weight - 8.0).abs() < 0.1 && (mean[1] / weight + 6.0).abs() < 0.1, "{mean:?}");
    // Between the clouds, and beside the line that the second lies on, it is emptier than in them.
    let log = |x, y| density.log_density(&[Some(x), Some(y)]).unwrap();
    assert!(log(0.0, 0.0) > log(4.0, -3.0) + 3.0);
    assert!(log(8.5, -5.6) > log(8.5, -6.4) + 1.0);
}

#[test]
fn a_tail_of_two_digits_is_what_one_in_a_hundred_of_other_ratings_reach() {
    let density = Density::train(&clouds(20_000, 0.3, 1), &TWO, 7).unwrap();
    let others = clouds(20_000, 0.3, 2);
    for digits in [1.0, 2.0, 3.0_f32] {
        let reached =
            others.chunks(2).filter(|row| density.tail(&[Some(row[0]), Some(row[1])]).unwrap() >= digits);
        let (reached, expected) = (reached.count() as f32, 20_000.0 * 10_f32.powf(-digits));
        assert!((reached - expected).abs() < 5.0 * expected.sqrt(), "{digits}: {reached} of {expected}");
    }
    assert!(density.tail(&[Some(40.0), Some(40.0)]).unwrap() > 3.5);
}

#[test]
fn the_same_rows_and_seed_give_the_same_bytes_and_the_bytes_the_same_density() {
    let rows = clouds(3_000, 0.3, 1);
    let bytes = |seed| postcard::to_stdvec(&Density::train(&rows, &TWO, seed).unwrap()).unwrap();
    assert_eq!(bytes(7), bytes(7));
    let density = Density::train(&rows, &TWO, 7).unwrap();
    assert_eq!(postcard::from_bytes::<Density>(&bytes(7)).unwrap(), density);
    let json = serde_json::to_string(&density).unwrap();
    assert_eq!(serde_json::from_str::<Density>(&json).unwrap(), density);
}

#[test]
fn rows_that_nothing_can_be_learnt_from_are_refused_with_a_reason() {
    let fine = clouds(FEWEST_ROWS, 0.3, 1);
    let error = |rows: &[f32], transforms: &[Transform]| Density::train(rows, transforms, 7).unwrap_err();
    let mut wrong = fine.clone();
    wrong[5] = f32::NAN;
    assert_eq!(error(&wrong, &TWO), DensityError::NotFinite(2, 1));
    wrong[5] = f32::INFINITY;
    assert_eq!(error(&wrong, &TWO), DensityError::NotFinite(2, 1));
    assert_eq!(error(&fine[2..], &TWO), DensityError::TooFewRows(FEWEST_ROWS - 1));
    assert_eq!(error(&fine[1..], &TWO), DensityError::Ragged(2 * FEWEST_ROWS - 1, 2));
    assert_eq!(error(&fine, &[]), DensityError::Columns(0));
    assert_eq!(error(&fine, &[Transform::Linear; MOST_COLUMNS + 1]), DensityError::Columns(MOST_COLUMNS + 1));
    assert!(error(&[], &TWO).to_string().contains("at least 500"));
}

#[test]
fn rows_all_alike_wild_ones_and_whole_numbers_are_learnt_from_too() {
    let alike = Density::train(&vec![3.0; 2 * FEWEST_ROWS], &TWO, 7).unwrap();
    assert_eq!(alike.tail(&[Some(3.0), Some(3.0)]), alike.tail(&[Some(3.0), Some(3.0)]));
    assert!(alike.log_density(&[Some(3.0), Some(3.0)]) > alike.log_density(&[Some(4.0), Some(3.0)]));

    // Far outliers and counts that are nearly always 0: what makes linfa's sums underflow.
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut rows = Vec::new();
    for i in 0..4_000 {
        for column in 0..MOST_COLUMNS {
            let count = if random.random_bool(0.02) { random.random_range(1..500) as f32 } else { 0.0 };
            rows.push(if i % 1_000 == 0 { f32::MAX / 4.0 } else { count * (1 + column % 2) as f32 });
        }
    }
    let transforms: Vec<Transform> =
        (0..MOST_COLUMNS).map(|i| if i % 3 == 0 { Transform::Linear } else { Transform::Log }).collect();
    let density = Density::train(&rows, &transforms, 7).unwrap();
    let [zero, large] = [0.0, 300.0].map(|value| density.tail(&[Some(value); MOST_COLUMNS]).unwrap());
    assert!(zero < 1.0 && large > 2.0, "{zero} {large}");
}

#[test]
fn parts_that_contradict_each_other_are_refused() {
    let refused = |change: &dyn Fn(&mut Parts)| {
        let mut parts = standard(3);
        change(&mut parts);
        let read =
            serde_json::to_string(&parts).ok().map(|json| serde_json::from_str::<Density>(&json).is_err());
        // JSON has no infinity: what cannot be written cannot be read either.
        assert!(read != Some(false));
        Density::try_from(parts).unwrap_err()
    };
    assert!(Density::try_from(standard(3)).is_ok());
    assert_eq!(refused(&|parts| parts.columns.clear()), DensityError::Columns(0));
    assert_eq!(refused(&|parts| parts.columns = plain(13)), DensityError::Columns(13));
    let damages: [&dyn Fn(&mut Parts); 13] = [
        &|parts| parts.columns = plain(2),
        &|parts| parts.columns[1].deviation = 0.0,
        &|parts| parts.columns[1].mean = f32::NAN,
        &|parts| parts.components.clear(),
        &|parts| parts.components = vec![parts.components[0].clone(); MOST_COMPONENTS + 1],
        &|parts| parts.components[0].weight = 0.5,
        &|parts| parts.components[0].weight = f32::NAN,
        &|parts| parts.components[0].mean[2] = f32::INFINITY,
        &|parts| parts.components[0].whitening[1] = f32::NAN,
        &|parts| parts.components[0].whitening[0] = -1.0,
        &|parts| parts.components[0].whitening.truncate(5),
        &|parts| parts.tail = vec![1.0],
        &|parts| parts.tail[1] = 0.5,
    ];
    for damage in damages {
        assert!(matches!(refused(damage), DensityError::Damaged(_)));
    }
}

#[test]
fn a_rating_has_a_tail_only_where_its_class_has_a_density_and_it_has_all_features() {
    let catalogue = Catalogue::builtin();
    let of = |features: [&str; 2]| ClassDensity {
        class: ChannelClass::Online,
        features: features.map(str::to_owned).to_vec(),
        density: Density::try_from(standard(2)).unwrap(),
    };
    let good = of(["timing.hour", "traits.surprisal"]);
    let densities = Densities::bind(vec![good.clone()], &catalogue).unwrap();
    let mut features = FeatureVector::new(catalogue.len());
    features.set_int(builtin::TIMING_HOUR, 1);
    assert_eq!(densities.tail(Channel::Portal, &features), None, "one is missing");
    features.set_float(builtin::TRAITS_SURPRISAL, 0.0);
    assert!(densities.tail(Channel::Portal, &features).is_some());
    assert_eq!(densities.tail(Channel::Kiosk, &features), None, "no density for this class");

    let refused = |densities| Densities::bind(densities, &catalogue).unwrap_err().to_string();
    assert!(refused(vec![of(["timing.hour", "no.such"])]).contains("no feature `no.such`"));
    assert!(refused(vec![of(["timing.hour", "channel"])]).contains("is no number"));
    assert!(refused(vec![good.clone(), good.clone()]).contains("two of them"));
    let short = ClassDensity { features: vec!["timing.hour".to_owned()], ..good };
    assert!(refused(vec![short]).contains("1 features for 2 columns"));
}

#[test]
fn every_class_has_features_that_the_shipped_rules_know() {
    let shipped: Vec<(String, String)> =
        crate::rules::shipped().into_iter().map(|source| (source.name, source.text)).collect();
    let mut catalogue = Catalogue::builtin();
    crate::features::counter::CounterSet::parse(&shipped, &mut catalogue).expect("the shipped counters");
    for class in ChannelClass::ALL {
        let features = class.features();
        assert!((4..=MOST_COLUMNS).contains(&features.len()), "{}", class.name());
        for (name, _) in features {
            assert!(catalogue.find(name).is_some(), "{}: {name}", class.name());
        }
    }
}
