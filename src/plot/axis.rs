//! Axes: what is measured, on which scale, where the ticks stand and what they say.

use std::str::FromStr;

use super::error::Error;
use super::text;

/// How an axis spreads its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Equal differences look equal.
    #[default]
    Linear,
    /// Equal ratios look equal; ticks at powers of two.
    Log2,
    /// Equal ratios look equal; ticks at powers of ten.
    Log10,
}

impl FromStr for Scale {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "linear" => Ok(Self::Linear),
            "log2" => Ok(Self::Log2),
            "log10" => Ok(Self::Log10),
            _ => Err(Error::Scale { name: name.to_owned() }),
        }
    }
}

impl Scale {
    fn spread(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log2 => value.log2(),
            Self::Log10 => value.log10(),
        }
    }

    fn is_log(self) -> bool {
        self != Self::Linear
    }
}

/// What one axis shows.
///
/// A label carries its unit: `time per entry [ns]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axis {
    label: String,
    scale: Scale,
    low: Option<f64>,
    high: Option<f64>,
    categories: Option<Vec<String>>,
}

impl Axis {
    /// Returns a linear axis that spans the data.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// Puts the axis on another scale.
    #[must_use]
    pub fn scale(self, scale: Scale) -> Self {
        Self { scale, ..self }
    }

    /// Fixes one bound or both; `None` leaves a bound to the data.
    #[must_use]
    pub fn range(self, low: Option<f64>, high: Option<f64>) -> Self {
        Self { low, high, ..self }
    }

    /// Turns the axis into a row of names; value 0 is the first name, 1 the second.
    #[must_use]
    pub fn categories(self, names: Vec<String>) -> Self {
        Self { categories: Some(names), scale: Scale::Linear, ..self }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn names(&self) -> Option<&[String]> {
        self.categories.as_deref()
    }

    pub(super) fn is_log(&self) -> bool {
        self.scale.is_log()
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        text::check("the label of an axis", &self.label)?;
        for name in self.categories.iter().flatten() {
            text::check("a category", name)?;
        }
        let can_be = |bound: Option<f64>| {
            bound.is_none_or(|at| is_drawable(at) && (at > 0.0 || !self.is_log()))
        };
        let is_ordered = match (self.low, self.high) {
            (Some(low), Some(high)) => low < high,
            _ => true,
        };
        if can_be(self.low) && can_be(self.high) && is_ordered {
            Ok(())
        } else {
            Err(Error::Range { axis: self.label.clone() })
        }
    }

    /// The part of the axis that is drawn.
    pub(super) fn span(&self, reach: &Reach) -> Result<Span, Error> {
        if let Some(names) = &self.categories {
            let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
            return Ok(Span { scale: Scale::Linear, low: -0.5, high: f64::from(count) - 0.5 });
        }
        let wrong = || Error::Range { axis: self.label.clone() };
        // Without data the fixed bounds must say it all.
        let (data_low, data_high) = match (reach.low <= reach.high, self.low, self.high) {
            (true, ..) => (reach.low, reach.high),
            (false, Some(low), Some(high)) => (low, high),
            _ => return Err(wrong()),
        };
        let mut low = self.scale.spread(self.low.unwrap_or(data_low));
        let mut high = self.scale.spread(self.high.unwrap_or(data_high));
        if low > high || (low == high && (self.low.is_some() || self.high.is_some())) {
            let beside = |bound: f64| if self.scale.is_log() { 1.0 } else { bound.abs().max(1.0) };
            match (self.low, self.high) {
                // A fixed bound beyond all data keeps an empty stretch behind it.
                (Some(_), None) => high = low + beside(low),
                (None, Some(_)) => low = high - beside(high),
                _ => return Err(wrong()),
            }
        }

        // Ticks of a narrower stretch could not be told apart by their first nine digits.
        let least = 1e-9 * low.abs().max(high.abs());
        if high - low <= least {
            let around = if self.scale.is_log() { 0.3 } else { (0.1 * low.abs()).max(least) };
            let around = if around > 0.0 { around } else { 1.0 };
            (low, high) = match (self.low, self.high) {
                (Some(_), Some(_)) => return Err(wrong()),
                (Some(_), None) => (low, low + around),
                (None, Some(_)) => (high - around, high),
                (None, None) => (low - around, high + around),
            };
        } else {
            let pad = if reach.is_tight { 0.0 } else { 0.04 * (high - low) };
            let is_flush = |bound: f64| !self.scale.is_log() && reach.has_base && bound == 0.0;
            if self.low.is_none() && !is_flush(low) {
                let padded = low - pad;
                // A quantity that is never negative gets no axis below zero.
                low = if !self.scale.is_log() && low >= 0.0 { padded.max(0.0) } else { padded };
            }
            if self.high.is_none() && !is_flush(high) {
                high += pad;
            }
        }
        Ok(Span { scale: self.scale, low, high })
    }
}

/// Whether a number can be drawn: finite, and small enough that differences stay finite.
pub(super) fn is_drawable(value: f64) -> bool {
    value.abs() <= 1e300
}

/// How far the data of one axis reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reach {
    pub low: f64,
    pub high: f64,
    /// Bars stand on zero, so no gap belongs there.
    pub has_base: bool,
    /// Cells fill the panel to its edges.
    pub is_tight: bool,
}

impl Reach {
    pub const NONE: Self =
        Self { low: f64::INFINITY, high: f64::NEG_INFINITY, has_base: false, is_tight: false };

    pub fn add(&mut self, value: f64) {
        self.low = self.low.min(value);
        self.high = self.high.max(value);
    }
}

/// The drawn part of an axis, its bounds already on the axis's scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    scale: Scale,
    low: f64,
    high: f64,
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
        whole_numbers(self.low / step.size(), self.high / step.size())
            .map(|multiple| Tick {
                at: self.part(multiple * step.size()),
                label: Some(step.label(multiple, largest)),
            })
            .collect()
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
    fn bounds_that_make_no_axis_are_refused() {
        let refused = |scale, low, high| {
            Axis::new("x").scale(scale).range(Some(low), Some(high)).check().is_err()
        };
        assert!(refused(Scale::Linear, 1.0, 1.0));
        assert!(refused(Scale::Linear, 2.0, 1.0));
        assert!(refused(Scale::Linear, f64::NAN, 1.0));
        assert!(refused(Scale::Log10, 0.0, 1.0));
        assert!(!refused(Scale::Linear, 0.0, 1.0));
    }

    #[test]
    fn a_positive_quantity_gets_no_axis_below_zero() {
        let mut reach = Reach::NONE;
        reach.add(1.0);
        reach.add(100.0);
        let span = Axis::new("x").span(&reach).expect("there are data");
        assert_eq!(span.low, 0.0);
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
