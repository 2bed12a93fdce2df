//! The beta distribution, and Wilson's interval for a proportion.
//!
//! Published figures are rounded to six digits, far coarser than the error here (below 10⁻¹⁰).

/// ln Γ(x) for x > 0, by Stirling's series with the argument raised to at least 12 (Abramowitz and
/// Stegun 1964, 6.1.41); relative error below 10⁻¹³.
pub(super) fn ln_gamma(x: f64) -> f64 {
    let mut shift = 0.0;
    let mut x = x;
    while x < 12.0 {
        shift += x.ln();
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - shift
}

/// ln B(a, b).
pub(super) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// The regularised incomplete beta function I_x(a, b): the probability that a beta variable is at
/// most x. By its continued fraction (Abramowitz and Stegun 1964, 26.5.8), evaluated with the
/// method of Lentz (1976).
pub(super) fn cumulative(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b)).exp();
    // The fraction converges fast below the mean; above it, use the symmetry.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    // Converges in about √max(a, b) steps: enough for 10⁹ ratings.
    for step in 1..40_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = result;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            result *= d * c;
        }
        if (result - before).abs() <= 1e-15 * result.abs() {
            break;
        }
    }
    result
}

/// The value below which a beta variable lies with probability `p`; by bisection.
pub(super) fn quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // 2⁻⁵⁰ is finer than any figure printed.
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if cumulative(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The normal distribution function (Abramowitz and Stegun 1964, 26.2.17); absolute error below 10⁻⁷.
pub(super) fn normal(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let series = t
        * (0.319_381_530
            + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt() * series;
    if z >= 0.0 { 1.0 - tail } else { tail }
}

/// The 97.5 % point of the normal distribution.
const Z_95: f64 = 1.959_963_984_540_054;

/// Wilson's 95 % interval for a proportion (Wilson 1927, J. Am. Stat. Assoc. 22, 209–212); `None`
/// for `n` = 0. Unlike p ± 1.96 s it stays within 0 to 1 and does not collapse at 100 %.
pub(crate) fn wilson(successes: u64, n: u64) -> Option<(f64, f64)> {
    if n == 0 {
        return None;
    }
    let (n, p) = (n as f64, successes as f64 / n as f64);
    let square = Z_95 * Z_95;
    let centre = p + square / (2.0 * n);
    let half = Z_95 * (p * (1.0 - p) / n + square / (4.0 * n * n)).sqrt();
    let bound = |value: f64| (value / (1.0 + square / n)).clamp(0.0, 1.0);
    Some((bound(centre - half), bound(centre + half)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_gamma_agrees_with_factorials_and_the_half() {
        let mut factorial = 0.0;
        for n in 1..60 {
            assert!((ln_gamma(f64::from(n)) - factorial).abs() <= 1e-12 * factorial.max(1.0), "Γ({n})");
            factorial += f64::from(n).ln();
        }
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-12);
    }

    #[test]
    fn the_beta_distribution_agrees_with_binomial_sums() {
        // I_x(a, b) with whole a and b is the chance of at least a successes in a + b − 1 trials.
        for (a, b) in [(1, 1), (2, 5), (7, 3), (20, 30), (1, 40)] {
            for x in [0.01, 0.2, 0.5, 0.77, 0.99] {
                let trials = a + b - 1;
                let binomial = |k: i32| {
                    let choose = ln_gamma(f64::from(trials + 1))
                        - ln_gamma(f64::from(k + 1))
                        - ln_gamma(f64::from(trials - k + 1));
                    (choose + f64::from(k) * f64::ln(x) + f64::from(trials - k) * f64::ln(1.0 - x)).exp()
                };
                let exact: f64 = (a..=trials).map(binomial).sum();
                let got = cumulative(x, f64::from(a), f64::from(b));
                assert!((got - exact).abs() < 1e-10, "I_{x}({a}, {b}): {got} {exact}");
            }
        }
    }

    #[test]
    fn quantiles_invert_the_distribution_for_small_and_large_offices() {
        for (a, b) in [(2.0, 60.0), (3.0, 4.0), (340.0, 99_660.0), (9_958_000.0, 42_000.0)] {
            for p in [1e-6, 0.025, 0.5, 0.975] {
                let x = quantile(p, a, b);
                assert!((cumulative(x, a, b) - p).abs() < 1e-8, "({a}, {b}) at {p}");
            }
        }
    }

    #[test]
    fn the_normal_distribution_is_the_tables() {
        for (z, p) in [(0.0, 0.5), (1.0, 0.841_344_7), (-1.96, 0.024_997_9), (3.0, 0.998_650_1)] {
            assert!((normal(z) - p).abs() < 2e-7, "Φ({z})");
        }
    }

    #[test]
    fn wilsons_interval_is_the_textbooks() {
        let (low, high) = wilson(9, 10).unwrap();
        assert!((low - 0.5958).abs() < 1e-4 && (high - 0.9821).abs() < 1e-4);
        let (low, high) = wilson(10, 10).unwrap();
        assert!((low - 0.7225).abs() < 1e-4 && (high - 1.0).abs() < 1e-12);
        assert_eq!(wilson(0, 0), None);
    }
}
