#![expect(clippy::cast_precision_loss, reason = "tests of floats")]

use super::*;

/// `c(n, t) - c(n, t0)` for `t = t0, t0 + 2, ...` as the sum of the header.
fn ratios(n: u64) -> impl Iterator<Item = (u64, f64)> {
    let mut ln_ratio = 0.0;
    (n % 2..=n).step_by(2).map(move |t| {
        if t > 1 {
            ln_ratio -= 2.0 * libm::atanh((t - 1) as f64 / (n + 1) as f64);
        }
        (t, ln_ratio)
    })
}

/// All sizes up to 300 and some up to 2^63, out to where the ratio is below e^-40.
fn assert_ratios(check: impl Fn(&Coefficient, u64, f64)) {
    let large = [512, 513, 1000, 4097, (1 << 16) + 1, 1 << 24, (1 << 32) - 1];
    for n in (0..=300).chain(large) {
        for (t, ln_ratio) in ratios(n).take_while(|&(_, ln_ratio)| ln_ratio > -40.0) {
            check(&Coefficient::new(n), t, ln_ratio);
        }
    }
    for n in [1 << 40, (1 << 62) + 1, 1 << 63] {
        for (t, ln_ratio) in ratios(n).take(1000) {
            check(&Coefficient::new(n), t, ln_ratio);
        }
    }
}

#[test]
fn ratios_are_the_sums_of_the_header() {
    assert_ratios(|size, t, ln_ratio| {
        let computed = size.ln_ratio(t);
        assert!((computed - ln_ratio).abs() < 1e-11, "{} {t}: {computed} {ln_ratio}", size.n);
    });
}

#[test]
fn ratios_lie_between_their_bounds() {
    assert_ratios(|size, t, ln_ratio| {
        let squares = (t * t - size.centre()) as f64;
        let upper = -squares / (2.0 * (size.n as f64 + 1.0));
        assert!(ln_ratio <= upper + RIGHT, "{} {t}", size.n);
        assert!(ln_ratio >= upper - size.below_bound(t) - RIGHT, "{} {t}", size.n);
    });
}

/// A coin as near to a probability as wanted.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 1")]
fn coin(uniform: f64) -> Block {
    ((uniform / TWO_TO_MINUS_64) as u128).wrapping_shl(64).to_be_bytes().into()
}

#[test]
fn quick_decisions_are_the_exact_ones() {
    assert_ratios(|size, t, ln_ratio| {
        let ratio = libm::exp(ln_ratio);
        for distance in [1e-10, 1e-9, 3e-9, 1e-7, 1e-5, 1e-3, 0.1] {
            for (uniform, accepted) in [(ratio - distance, true), (ratio + distance, false)] {
                if (0.0..1.0).contains(&uniform) {
                    let decision = accepts_coefficient(size.n, t, coin(uniform));
                    assert_eq!(decision, accepted, "{} {t} {uniform}", size.n);
                }
            }
        }
    });
}

#[test]
fn no_deviation_beyond_the_size_is_accepted() {
    assert!(!accepts_coefficient(3, 5, coin(0.0)));
    assert!(accepts_coefficient(3, 3, coin(0.0)));
}

#[test]
fn the_histogram_lies_above_the_curve_and_close_to_it() {
    let histogram = &*HISTOGRAM;
    for strip in 0..STRIPS + 500 {
        let z = strip as f64 / STRIPS_PER_SIGMA as f64;
        let tail = strip.saturating_sub(STRIPS) as f64;
        let ln_height = histogram.ln_height[strip.min(STRIPS)] + tail * histogram.ln_tail_ratio;
        assert!(ln_height >= -0.5 * z * z, "strip {strip}");
        assert!(tail > 0.0 || ln_height <= -0.5 * z * z + 1e-9, "strip {strip}");
    }
}

#[test]
fn strips_are_chosen_in_proportion_to_their_heights() {
    let histogram = &*HISTOGRAM;
    let mut weights = [0_u128; COLUMNS];
    for column in 0..COLUMNS {
        let kept = u128::from(histogram.thresholds[column]);
        weights[column] += kept;
        weights[histogram.aliases[column]] += (1 << THRESHOLD_BITS) - kept;
        // The coins on both sides of the threshold choose as the weights say.
        let first = (column as u64) << THRESHOLD_BITS;
        let last = first + ((1 << THRESHOLD_BITS) - 1);
        if kept > 0 {
            assert_eq!(histogram.strip(first), column);
            assert_eq!(histogram.strip(first + histogram.thresholds[column] - 1), column);
        }
        if kept < 1 << THRESHOLD_BITS {
            let other = first + histogram.thresholds[column];
            assert_eq!(histogram.strip(other), histogram.aliases[column]);
            assert_eq!(histogram.strip(last), histogram.aliases[column]);
        }
    }
    assert_eq!(weights.iter().sum::<u128>(), 1 << 64);
    assert_eq!(weights[STRIPS + 1..], [0; COLUMNS - STRIPS - 1]);

    let stop = 1.0 - histogram.tail_ratio as f64 * TWO_TO_MINUS_64;
    assert!((libm::log1p(-stop) - histogram.ln_tail_ratio).abs() < 1e-15);
    let height = |strip: usize| {
        let first_place = if strip == STRIPS { stop } else { 1.0 };
        weights[strip] as f64 * first_place / libm::exp(histogram.ln_height[strip])
    };
    for strip in 0..=STRIPS {
        assert!((height(strip) / height(0) - 1.0).abs() < 1e-14, "strip {strip}");
    }
}
