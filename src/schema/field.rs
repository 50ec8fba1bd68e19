//! A field: a grid of values.

use super::{Error, NO_SCHEMA};
use crate::scheme::ruler::{DEFAULT_CELLS, MOST_CELLS};
use crate::scheme::{self, MOST_PLAINTEXTS, RANGE};
use crate::wire::{self, Reader, Writer};

/// How far from the grid a value may lie, in steps.
const TOLERANCE: f64 = 1e-6;

/// Grid points must be told apart in a float: [`NOISE`] stays below an eighth of a step.
const FINEST: f64 = 1.0 / (1_u64 << 47) as f64;

/// How far a grid point's float lies from the point at most, relative to the numbers it comes from.
const NOISE: f64 = 4.0 * f64::EPSILON;

/// Whole numbers up to here are floats without rounding.
const EXACT: u64 = 1 << 53;

/// What the values of a field are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Numbers, whole or not.
    Number,
    /// Calendar days, counted from 1970-01-01.
    Date,
    /// `false` and `true`, as 0 and 1.
    Boolean,
    /// Ordered categories, lowest first; a value is its rank from 0.
    Category(Vec<String>),
}

/// A number as tables store it.
pub trait Value: Copy {
    /// Returns the plaintext of the number in a field.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for row 0 if the number is outside the domain or off the grid.
    fn plaintext(self, field: &Field) -> Result<i64, Error>;
}

impl Value for f64 {
    #[inline]
    fn plaintext(self, field: &Field) -> Result<i64, Error> {
        field.plaintext(self)
    }
}

impl Value for i64 {
    #[inline]
    fn plaintext(self, field: &Field) -> Result<i64, Error> {
        field.plaintext_of_integer(self)
    }
}

/// A field's grid of values, and the width of its cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    kind: Kind,
    minimum: f64,
    maximum: f64,
    step: f64,
    cell: u64,
    plaintexts: u64,
    /// [`NOISE`], or 0 if every grid point is a float.
    noise: f64,
}

impl Field {
    /// The grid from `minimum` to `maximum`, both included, with `cell` steps to a cell.
    ///
    /// Without a cell width the narrowest that gives at most 2^16 cells is taken, which is 1 up to
    /// 2^16 plaintexts.
    ///
    /// # Errors
    ///
    /// [`Error::Field`] if the grid is empty, has more than 2^32 points, does not hit its maximum
    /// or is too fine for a float, or if there are more than 2^20 cells.
    ///
    /// # Examples
    ///
    /// ```
    /// use mopse::schema::{Field, Kind};
    ///
    /// let age = Field::new(Kind::Number, 0.0, 120.0, 1.0, None)?;
    /// assert_eq!((age.plaintexts(), age.cell()), (121, 1));
    /// # Ok::<(), mopse::Error>(())
    /// ```
    pub fn new(
        kind: Kind,
        minimum: f64,
        maximum: f64,
        step: f64,
        cell: Option<u64>,
    ) -> Result<Self, Error> {
        let refuse = |why| Err(Error::Field { why });
        // There is one zero only: -0 has other bytes, hence would have another ruler.
        let (minimum, maximum) = (minimum + 0.0, maximum + 0.0);
        if !(minimum.is_finite() && maximum.is_finite() && step.is_finite()) {
            return refuse("minimum, maximum and step must be finite");
        }
        if minimum > maximum {
            return refuse("the minimum lies above the maximum");
        }
        if step <= 0.0 {
            return refuse("the step must be above 0");
        }
        if minimum.abs().max(maximum.abs()) * FINEST > step {
            return refuse("the step is too small for values of this size");
        }
        let steps = (maximum - minimum) / step;
        if steps > (MOST_PLAINTEXTS - 1) as f64 + 0.5 {
            return refuse("there are more than 2^32 grid points; use a larger step");
        }
        if (steps - steps.round()).abs() > TOLERANCE {
            return refuse("the maximum is not a whole number of steps above the minimum");
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2^32")]
        let plaintexts = steps.round() as u64 + 1;
        let cell = cell.unwrap_or(plaintexts.div_ceil(DEFAULT_CELLS));
        if cell == 0 {
            return refuse("the cell must be at least 1 step wide");
        }
        if plaintexts.div_ceil(cell) > MOST_CELLS {
            return refuse("there are more than 2^20 cells; use a wider cell");
        }
        let is_whole = minimum.fract() == 0.0 && step.fract() == 0.0;
        let is_exact = is_whole && minimum.abs().max(maximum.abs()) <= EXACT as f64;
        let noise = if is_exact { 0.0 } else { NOISE };
        Ok(Self { kind, minimum, maximum, step, cell, plaintexts, noise })
    }

    /// What the values are.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The lowest value.
    #[must_use]
    pub fn minimum(&self) -> f64 {
        self.minimum
    }

    /// The highest value.
    #[must_use]
    pub fn maximum(&self) -> f64 {
        self.maximum
    }

    /// The distance of neighbouring values.
    #[must_use]
    pub fn step(&self) -> f64 {
        self.step
    }

    /// Grid steps to a cell.
    #[must_use]
    pub fn cell(&self) -> u64 {
        self.cell
    }

    /// How many plaintexts there are.
    #[must_use]
    pub fn plaintexts(&self) -> u64 {
        self.plaintexts
    }

    /// How many cells there are.
    #[must_use]
    pub fn cells(&self) -> u64 {
        self.plaintexts.div_ceil(self.cell)
    }

    /// Returns the plaintext of a number.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for row 0 if the number is outside the domain or off the grid.
    #[inline]
    pub fn plaintext(&self, value: f64) -> Result<i64, Error> {
        let steps = (value - self.minimum) / self.step;
        let nearest = steps.round();
        if value.is_nan() {
            Err(Error::Value { row: 0, why: "is not a number" })
        } else if nearest < 0.0 || nearest > (self.plaintexts - 1) as f64 {
            Err(Error::Value { row: 0, why: "lies outside the domain" })
        } else if (steps - nearest).abs() > self.tolerance(value, steps) {
            Err(Error::Value { row: 0, why: "is not on the grid" })
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "0 to 2^32 - 1")]
            Ok(nearest as i64)
        }
    }

    /// How far from the grid a value may lie, in steps. The last digits of a large value are noise
    /// of its own float.
    #[inline]
    fn tolerance(&self, value: f64, steps: f64) -> f64 {
        TOLERANCE + (self.noise * (value.abs() / self.step + steps.abs())).min(0.125)
    }

    /// Returns the plaintext of an integer, exactly where the grid is one of integers.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for row 0 if the number is outside the domain or off the grid.
    #[inline]
    pub fn plaintext_of_integer(&self, value: i64) -> Result<i64, Error> {
        // Steps above 2^64 are so long that rounding the value does not show.
        if value.unsigned_abs() <= EXACT || self.step > 2.0 * RANGE as f64 {
            return self.plaintext(value as f64);
        }
        if self.minimum.fract() != 0.0 || self.step.fract() != 0.0 {
            return Err(Error::Value { row: 0, why: "is too large for a field with fractions" });
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole numbers below 2^47 * 2^64")]
        let (above, step) = (i128::from(value) - self.minimum as i128, self.step as i128);
        if above < 0 || above / step >= i128::from(self.plaintexts) {
            Err(Error::Value { row: 0, why: "lies outside the domain" })
        } else if above % step != 0 {
            Err(Error::Value { row: 0, why: "is not on the grid" })
        } else {
            Ok(i64::try_from(above / step).unwrap_or(i64::MAX))
        }
    }

    /// Returns the rows that hold a value, and the plaintext of each.
    ///
    /// `is_valid[i]` says whether row `i` holds a value or a null.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] names the first row outside the domain or off the grid,
    /// [`Error::Validity`] arrays of different lengths, [`Error::Rows`] 2^32 rows or more.
    pub fn plaintexts_of<V: Value>(
        &self,
        values: &[V],
        is_valid: &[bool],
    ) -> Result<(Vec<u32>, Vec<i64>), Error> {
        if is_valid.len() != values.len() {
            return Err(Error::Validity { expected: values.len(), got: is_valid.len() });
        }
        if let Err(_) | Ok(u32::MAX) = u32::try_from(values.len()) {
            return Err(Error::Rows { got: values.len() });
        }
        let mut rows = Vec::with_capacity(values.len());
        let mut plaintexts = Vec::with_capacity(values.len());
        for ((row, &value), _) in (0..).zip(values).zip(is_valid).filter(|(_, is_valid)| **is_valid)
        {
            match value.plaintext(self) {
                Ok(plaintext) => {
                    rows.push(row);
                    plaintexts.push(plaintext);
                }
                Err(Error::Value { why, .. }) => {
                    return Err(Error::Value { row: row as usize, why });
                }
                Err(error) => return Err(error),
            }
        }
        Ok((rows, plaintexts))
    }

    /// Returns the value of a plaintext.
    ///
    /// # Errors
    ///
    /// [`Error::Scheme`] if there is no such plaintext.
    pub fn value(&self, plaintext: i64) -> Result<f64, Error> {
        scheme::check_plaintext(plaintext, self.plaintexts, 0)?;
        Ok(self.minimum + plaintext as f64 * self.step)
    }

    /// Returns the plaintexts from `low` to `high`, both included, or `None` if there are none.
    ///
    /// An absent bound is open. Bounds off the grid round inwards, bounds beyond the domain are
    /// intersected with it.
    ///
    /// # Errors
    ///
    /// [`Error::Scheme`] if `low > high`, [`Error::Field`] if one is not a number.
    pub fn range(&self, low: Option<f64>, high: Option<f64>) -> Result<Option<(i64, i64)>, Error> {
        let (low, high) = (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY));
        if low.is_nan() || high.is_nan() {
            return Err(Error::Field { why: "a bound is not a number" });
        }
        if low > high {
            return Err(scheme::Error::BoundsOrder.into());
        }
        let steps = |bound: f64| {
            let steps = (bound - self.minimum) / self.step;
            (steps, self.tolerance(bound, steps))
        };
        let ((low, below), (high, above)) = (steps(low), steps(high));
        let first = (low - below).ceil().max(0.0);
        let last = (high + above).floor().min((self.plaintexts - 1) as f64);
        if first > last {
            return Ok(None);
        }
        #[expect(clippy::cast_possible_truncation, reason = "0 to 2^32 - 1")]
        Ok(Some((first as i64, last as i64)))
    }

    /// The canonical bytes that define the field.
    #[must_use]
    pub fn label(&self) -> Vec<u8> {
        let (kind, categories): (u8, &[String]) = match &self.kind {
            Kind::Number => (1, &[]),
            Kind::Date => (2, &[]),
            Kind::Boolean => (3, &[]),
            Kind::Category(categories) => (4, categories),
        };
        let mut label = Writer::default();
        label.u8(kind);
        for number in [self.minimum, self.maximum, self.step] {
            label.be64(number.to_bits());
        }
        label.be64(self.cell).be_count(categories.len());
        for category in categories {
            label.be_bytes(category.as_bytes());
        }
        label.0
    }

    /// The field that a label defines.
    ///
    /// # Errors
    ///
    /// [`Error::Field`] if there can be none, [`Error::Schema`] if the bytes are no label.
    pub(super) fn of_label(label: &[u8]) -> Result<Self, Error> {
        let Parts { kind, grid, cell, categories } = Parts::read(label).map_err(|_| NO_SCHEMA)?;
        let kind = match kind {
            1 => Kind::Number,
            2 => Kind::Date,
            3 => Kind::Boolean,
            4 => Kind::Category(categories),
            _ => return Err(NO_SCHEMA),
        };
        let [minimum, maximum, step] = grid;
        let field = Self::new(kind, minimum, maximum, step, Some(cell))?;
        // Each field has one label only.
        if field.label() == label { Ok(field) } else { Err(NO_SCHEMA) }
    }
}

/// What a label says.
struct Parts {
    kind: u8,
    /// Minimum, maximum and step.
    grid: [f64; 3],
    cell: u64,
    categories: Vec<String>,
}

impl Parts {
    fn read(label: &[u8]) -> Result<Self, wire::Error> {
        let mut reader = Reader::headless(label, "the schema");
        let kind = reader.u8()?;
        let mut grid = [0.0; 3];
        for number in &mut grid {
            *number = f64::from_bits(reader.be64()?);
        }
        let cell = reader.be64()?;
        let count = reader.be_count()?;
        let categories =
            (0..count).map(|_| Ok(reader.be_text()?.to_owned())).collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(Self { kind, grid, cell, categories })
    }
}

#[cfg(test)]
mod tests;
