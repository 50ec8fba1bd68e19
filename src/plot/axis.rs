//! Axes: what is measured, on which scale, and how far it reaches.

use super::error::Error;
use super::scale::{Scale, is_drawable};
use super::text;
use super::ticks::Span;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
