//! Ticks: where they stand on the drawn part of an axis, and what they say.

use super::scale::{Scale, is_drawable};

/// The drawn part of an axis, its bounds already on the axis's scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub scale: Scale,
    pub low: f64,
    pub high: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// Where on the axis, from 0 to 1.
    pub at: f64,
    /// What it says; a minor tick says nothing.
    pub label: Option<String>,
}

impl Span {
    /// Where a value lies: 0 at the lower bound, 1 at the upper one.
    pub fn fraction(&self, value: f64) -> f64 {
        self.part(self.scale.spread(value))
    }

    fn part(&self, spread: f64) -> f64 {
        ((spread - self.low) / (self.high - self.low)).clamp(-1e6, 1e6)
    }

    pub fn contains(&self, value: f64) -> bool {
        (-1e-9..=1.0 + 1e-9).contains(&self.fraction(value))
    }

    /// Where bars stand: on zero, or on the lower bound if there is no zero.
    pub fn base(&self) -> f64 {
        if self.scale.is_log() { 0.0 } else { self.fraction(0.0).clamp(0.0, 1.0) }
    }

    /// At most about `most` labelled ticks, and at least one.
    pub fn ticks(&self, most: u32) -> Vec<Tick> {
        let most = most.max(2);
        match self.scale {
            Scale::Linear => self.linear_ticks(most),
            Scale::Log2 => self.power_ticks(2, most),
            Scale::Log10 => self.power_ticks(10, most),
        }
    }

    fn linear_ticks(&self, most: u32) -> Vec<Tick> {
        let step = Step::within((self.high - self.low) / f64::from(most));
        let largest = self.low.abs().max(self.high.abs());
        let ticks: Vec<Tick> = whole_numbers(self.low / step.size(), self.high / step.size())
            .map(|multiple| Tick {
                at: self.part(multiple * step.size()),
                label: Some(step.label(multiple, largest)),
            })
            .collect();
        // A step that is rounded up may be longer than the span, and miss it.
        if ticks.is_empty() && most < 16 { self.linear_ticks(2 * most) } else { ticks }
    }

    fn power_ticks(&self, base: u32, most: u32) -> Vec<Tick> {
        let exponents: Vec<f64> = whole_numbers(self.low, self.high).collect();
        if exponents.len() < 2 {
            return self.ticks_between_powers(most);
        }
        // Whole steps between exponents, so that labels keep their distance.
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        let every = exponents.len().div_ceil(most).max(1);
        let is_plain = if base == 10 {
            exponents.iter().all(|exponent| (-3.0..=4.0).contains(exponent))
        } else {
            exponents.iter().all(|exponent| (0.0..=13.0).contains(exponent))
        };
        let mut ticks: Vec<Tick> = vec![];
        let stride = u32::try_from(every).map_or(1.0, f64::from);
        for &exponent in &exponents {
            let is_labelled = exponent.rem_euclid(stride) == 0.0;
            let label = is_labelled.then(|| power_label(base, exponent, is_plain));
            ticks.push(Tick { at: self.part(exponent), label });
        }
        if base == 10 && every == 1 {
            for decade in whole_numbers(self.low - 1.0, self.high) {
                for multiple in 2..10 {
                    let at = self.part(decade + f64::from(multiple).log10());
                    if (0.0..=1.0).contains(&at) {
                        ticks.push(Tick { at, label: None });
                    }
                }
            }
        }
        ticks
    }

    /// Less than two powers are in view: ticks at round values between them.
    fn ticks_between_powers(&self, most: u32) -> Vec<Tick> {
        let value = |spread: f64| match self.scale {
            Scale::Linear => spread,
            Scale::Log2 => spread.exp2(),
            Scale::Log10 => 10_f64.powf(spread),
        };
        let (low, high) = (value(self.low), value(self.high));
        let linear = Span { scale: Scale::Linear, low, high };
        if !(low > 0.0 && high - low > 1e-9 * high && is_drawable(high)) {
            return vec![Tick { at: 0.5, label: Some(format_decimals(low, 3)) }];
        }
        let mut ticks = linear.linear_ticks(most);
        for tick in &mut ticks {
            tick.at = self.fraction(low + tick.at * (high - low));
        }
        ticks
    }
}

/// The whole numbers between two bounds, as floats; never more than a thousand.
fn whole_numbers(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let tolerance = 1e-9 * (high - low).abs();
    let first = (low - tolerance).ceil();
    (0..1000).map(move |offset| first + f64::from(offset)).take_while(move |&at| {
        // Beyond 2^53 adding one changes nothing; then there is no list of whole numbers.
        at <= high + tolerance && at.abs() < 9e15
    })
}

/// A step between ticks: 1, 2 or 5 times a power of ten.
struct Step {
    digit: f64,
    exponent: i32,
}

impl Step {
    #[expect(clippy::cast_possible_truncation, reason = "exponents of doubles are small")]
    fn within(least: f64) -> Self {
        let exponent = least.log10().floor() as i32;
        let leading = least / 10_f64.powi(exponent);
        // A hair of tolerance, so that a step just below 2 is 2.
        let digits = [1.0, 2.0, 5.0];
        match digits.into_iter().find(|digit| leading <= digit + 1e-9) {
            Some(digit) => Self { digit, exponent },
            None => Self { digit: 1.0, exponent: exponent + 1 },
        }
    }

    fn size(&self) -> f64 {
        // Dividing by a power of ten is exact where multiplying by its inverse is not.
        if self.exponent >= 0 {
            self.digit * 10_f64.powi(self.exponent)
        } else if self.exponent >= -300 {
            self.digit / 10_f64.powi(-self.exponent)
        } else {
            self.digit * 10_f64.powi(self.exponent)
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "exponents of doubles are small")]
    fn label(&self, multiple: f64, largest: f64) -> String {
        let value = multiple * self.size();
        if multiple == 0.0 {
            return "0".to_owned();
        }
        if (1e-3..1e6).contains(&largest) {
            return format_decimals(value, -self.exponent);
        }
        let power = largest.log10().floor() as i32;
        // Scaled by exponents, because 10^power itself may be beyond the smallest double.
        let scaled = multiple * self.digit / 10_f64.powi(power - self.exponent);
        format!("{}×10{}", format_decimals(scaled, power - self.exponent), superscript(power))
    }
}

/// A number with so many decimals, thousands apart, and a true minus sign.
fn format_decimals(value: f64, decimals: i32) -> String {
    let decimals = usize::try_from(decimals).unwrap_or(0).min(17);
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut label = String::new();
    if value < 0.0 {
        label.push('−');
    }
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && whole.len() > 4 && (whole.len() - at).is_multiple_of(3) {
            label.push('\u{2009}');
        }
        label.push(digit);
    }
    label + rest
}

#[expect(clippy::cast_possible_truncation, reason = "exponents of doubles are small")]
fn power_label(base: u32, exponent: f64, is_plain: bool) -> String {
    let exponent = exponent as i32;
    match exponent {
        _ if is_plain => format_decimals(f64::from(base).powi(exponent), -exponent),
        0 => "1".to_owned(),
        1 => base.to_string(),
        _ => format!("{base}{}", superscript(exponent)),
    }
}

fn superscript(number: i32) -> String {
    number
        .to_string()
        .chars()
        .map(|character| match character {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '4' => '⁴',
            '5' => '⁵',
            '6' => '⁶',
            '7' => '⁷',
            '8' => '⁸',
            '9' => '⁹',
            _ => '⁰',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::axis::{Axis, Reach};
    use super::*;
    use proptest::prelude::*;

    fn labels(scale: Scale, low: f64, high: f64, most: u32) -> Vec<String> {
        let axis = Axis::new("x").scale(scale).range(Some(low), Some(high));
        let span = axis.span(&Reach::NONE).expect("the bounds are in order");
        span.ticks(most).into_iter().filter_map(|tick| tick.label).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_without_float_noise() {
        use Scale::Linear;
        assert_eq!(labels(Linear, 0.0, 1.0, 5), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(
            labels(Linear, -0.3, 0.3, 6),
            ["−0.3", "−0.2", "−0.1", "0", "0.1", "0.2", "0.3"]
        );
        assert_eq!(labels(Linear, 0.0, 20_000.0, 2), ["0", "10\u{2009}000", "20\u{2009}000"]);
        assert_eq!(labels(Linear, 0.0, 4e9, 2), ["0", "2×10⁹", "4×10⁹"]);
        assert_eq!(labels(Linear, 0.0, 2.5e-5, 5)[1], "0.5×10⁻⁵");
    }

    #[test]
    fn logarithmic_ticks_are_powers() {
        use Scale::{Log2, Log10};
        assert_eq!(labels(Log10, 1.0, 1000.0, 6), ["1", "10", "100", "1000"]);
        assert_eq!(labels(Log10, 1.0, 1e6, 8), ["1", "10", "10²", "10³", "10⁴", "10⁵", "10⁶"]);
        assert_eq!(labels(Log10, 1e-12, 1e12, 5), ["10⁻¹⁰", "10⁻⁵", "1", "10⁵", "10¹⁰"]);
        assert_eq!(labels(Log2, 1.0, 64.0, 8), ["1", "2", "4", "8", "16", "32", "64"]);
        assert_eq!(labels(Log2, 1.0, 2_f64.powi(60), 5), ["1", "2¹³", "2²⁶", "2³⁹", "2⁵²"]);
        assert_eq!(labels(Log10, 20.0, 60.0, 5), ["20", "30", "40", "50", "60"]);
    }

    #[test]
    fn a_span_between_two_long_steps_still_has_a_tick() {
        assert_eq!(labels(Scale::Log2, 553.0, 960.0, 2), ["600", "800"]);
        assert_eq!(labels(Scale::Linear, 553.0, 960.0, 2), ["600", "800"]);
    }

    proptest! {
        /// Law: any span has at least one labelled tick, few enough, all on the axis.
        #[test]
        fn ticks_are_on_the_axis(
            low in prop_oneof![-1e300_f64..1e300, -1e3..1e3, Just(0.0)],
            width in prop_oneof![1e-300_f64..1e300, 1e-12..1e3, Just(0.0)],
            scale in prop_oneof![Just(Scale::Linear), Just(Scale::Log2), Just(Scale::Log10)],
            most in 2_u32..20,
        ) {
            let low = if scale.is_log() { low.abs().max(1e-300) } else { low };
            let mut reach = Reach::NONE;
            reach.add(low);
            reach.add((low + width).min(1e300));
            let span = Axis::new("x").scale(scale).span(&reach)?;
            let ticks = span.ticks(most);
            prop_assert!(ticks.iter().any(|tick| tick.label.is_some()));
            prop_assert!(ticks.iter().all(|tick| (-1e-6..=1.000001).contains(&tick.at)));
            let count = ticks.iter().filter(|tick| tick.label.is_some()).count();
            prop_assert!(count <= 2 * most as usize + 2, "{} labels", count);
        }
    }
}
