//! Fields and schemas: real values to plaintexts and query bounds to ranges of plaintexts.
//!
//! A field is a grid. A value `v` becomes the plaintext
//!
//! ```text
//! x = round((v - minimum) / step),   0 <= x < M = round((maximum - minimum) / step) + 1 <= 2^32
//! ```
//!
//! A value outside the domain, not a number, or further than `1e-6 step` from the grid is an error
//! that names its row and field; nothing is clamped or rounded away. Nulls have no plaintext: they
//! are not indexed and never match. Bounds of a query round inwards, and are intersected with the
//! domain. `cell` counts grid steps: how coarse the index is, and so how much it hides.
//!
//! Dates are days since 1970-01-01, truth values 0 and 1, ordered categories their ranks; whoever
//! calls converts to these.

use sha2::{Digest, Sha256};

use crate::scheme::ruler::{DEFAULT_CELLS, MOST_CELLS};
use crate::scheme::{self, MOST_PLAINTEXTS, RANGE};

/// Why something is no field, schema or value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field's grid is impossible, or a bound is no value.
    #[error("{why}")]
    Field {
        /// What is wrong.
        why: &'static str,
    },

    /// A schema is impossible.
    #[error("field {name:?}: {why}")]
    Schema {
        /// The field's name; empty if it is about no single one.
        name: String,
        /// What is wrong.
        why: &'static str,
    },

    /// A value has no plaintext in its field.
    #[error("the value in row {row} {why}")]
    Value {
        /// Which value, counted from 0.
        row: usize,
        /// What is wrong with it.
        why: &'static str,
    },

    /// A column has too many rows to number.
    #[error("the number of rows is {got}, expected below 2^32")]
    Rows {
        /// Rows it had.
        got: usize,
    },

    /// It is not known of every row, or of more than all, whether it holds a value.
    #[error("the validity array has {got} entries, expected {expected}")]
    Validity {
        /// Rows there are.
        expected: usize,
        /// Rows it is known of.
        got: usize,
    },

    /// There is no such plaintext, or bounds are in the wrong order.
    #[error(transparent)]
    Scheme(#[from] scheme::Error),
}

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
        let mut label = vec![kind];
        for number in [self.minimum, self.maximum, self.step] {
            label.extend(number.to_bits().to_be_bytes());
        }
        label.extend(self.cell.to_be_bytes());
        label.extend(length(categories.len()));
        for category in categories {
            label.extend(length(category.len()));
            label.extend(category.as_bytes());
        }
        label
    }
}

/// The named fields that an owner's records are indexed by.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema(Vec<(String, Field)>);

/// Bytes in a field's name at most.
const LONGEST_NAME: usize = 255;

impl Schema {
    /// The schema of these fields, in this order.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] if there is no field, two have one name, or a name is empty or longer than
    /// 255 bytes.
    pub fn new(fields: Vec<(String, Field)>) -> Result<Self, Error> {
        let refuse = |name: &str, why| Err(Error::Schema { name: name.to_owned(), why });
        if fields.is_empty() {
            return refuse("", "there is no field");
        }
        for (i, (name, _)) in fields.iter().enumerate() {
            if name.is_empty() || name.len() > LONGEST_NAME {
                return refuse(name, "a name has 1 to 255 bytes");
            }
            if fields[..i].iter().any(|(other, _)| other == name) {
                return refuse(name, "two fields have this name");
            }
        }
        Ok(Self(fields))
    }

    /// The fields with their names, in order.
    #[must_use]
    pub fn fields(&self) -> &[(String, Field)] {
        &self.0
    }

    /// The field of a name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, field)| field)
    }

    /// The canonical bytes of the schema.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = length(self.0.len()).to_vec();
        for (name, field) in &self.0 {
            for part in [name.as_bytes(), &field.label()] {
                bytes.extend(length(part.len()));
                bytes.extend(part);
            }
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] if the bytes are not those of a schema.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut left = Bytes(bytes);
        let fields = (0..left.length()?).map(|_| left.field()).collect::<Result<_, _>>()?;
        if !left.0.is_empty() {
            return Err(DAMAGED);
        }
        Self::new(fields)
    }

    /// What names the schema in messages: SHA-256 of its canonical bytes.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }
}

const DAMAGED: Error = Error::Schema { name: String::new(), why: "the bytes are no schema" };

/// The bytes of a schema that are left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, left) = self.0.split_at_checked(count).ok_or(DAMAGED)?;
        self.0 = left;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.take(N)?.try_into().map_err(|_| DAMAGED)
    }

    fn length(&mut self) -> Result<usize, Error> {
        usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| DAMAGED)
    }

    fn text(&mut self) -> Result<String, Error> {
        let length = self.length()?;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| DAMAGED)
    }

    fn number(&mut self) -> Result<f64, Error> {
        Ok(f64::from_bits(u64::from_be_bytes(self.array()?)))
    }

    fn field(&mut self) -> Result<(String, Field), Error> {
        let name = self.text()?;
        let length = self.length()?;
        let written = self.take(length)?;
        let mut label = Bytes(written);
        let [kind] = label.array()?;
        let (minimum, maximum, step) = (label.number()?, label.number()?, label.number()?);
        let cell = u64::from_be_bytes(label.array()?);
        let count = label.length()?;
        let categories = (0..count).map(|_| label.text()).collect::<Result<Vec<_>, _>>()?;
        let kind = match kind {
            1 => Kind::Number,
            2 => Kind::Date,
            3 => Kind::Boolean,
            4 => Kind::Category(categories),
            _ => return Err(DAMAGED),
        };
        let field = Field::new(kind, minimum, maximum, step, Some(cell))?;
        if field.label() != written {
            return Err(DAMAGED);
        }
        Ok((name, field))
    }
}

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grid(minimum: f64, maximum: f64, step: f64) -> Field {
        Field::new(Kind::Number, minimum, maximum, step, None).unwrap()
    }

    fn example() -> Schema {
        let levels = ["poor", "fair", "good"].map(String::from).to_vec();
        let field = |kind, maximum, cell| Field::new(kind, 0.0, maximum, 1.0, cell).unwrap();
        Schema::new(vec![
            ("bmi".into(), Field::new(Kind::Number, 8.0, 100.0, 0.1, Some(5)).unwrap()),
            ("born".into(), field(Kind::Date, 20_000.0, None)),
            ("smoker".into(), field(Kind::Boolean, 1.0, None)),
            ("health".into(), field(Kind::Category(levels), 2.0, None)),
        ])
        .unwrap()
    }

    #[test]
    fn values_on_the_grid_worked_by_hand() {
        let bmi = grid(8.0, 100.0, 0.1);
        assert_eq!(bmi.plaintexts(), 921);
        assert_eq!(bmi.plaintext(8.0), Ok(0));
        assert_eq!(bmi.plaintext(8.3), Ok(3));
        assert_eq!(bmi.plaintext(100.0), Ok(920));
        assert_eq!(bmi.plaintext_of_integer(9), Ok(10));
        assert_eq!(bmi.value(3), Ok(8.0 + 3.0 * 0.1));
    }

    #[test]
    fn values_off_the_grid_are_refused_and_not_clamped() {
        let age = grid(0.0, 120.0, 1.0);
        let why = |value| match age.plaintext(value) {
            Err(Error::Value { why, .. }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(-1.0), "lies outside the domain");
        assert_eq!(why(121.0), "lies outside the domain");
        assert_eq!(why(f64::INFINITY), "lies outside the domain");
        assert_eq!(why(f64::NAN), "is not a number");
        assert_eq!(why(40.5), "is not on the grid");
        assert_eq!(why(40.000_01), "is not on the grid");
        assert_eq!(age.plaintext(40.000_000_5), Ok(40));
    }

    #[test]
    fn large_integers_are_exact() {
        let field = grid(0.0, (1_u64 << 60) as f64, (1_u64 << 40) as f64);
        assert_eq!(field.plaintext_of_integer(1 << 59), Ok(1 << 19));
        let off = field.plaintext_of_integer((1 << 59) + 1);
        assert_eq!(off, Err(Error::Value { row: 0, why: "is not on the grid" }));
        let out = field.plaintext_of_integer(i64::MAX);
        assert_eq!(out, Err(Error::Value { row: 0, why: "lies outside the domain" }));
    }

    #[test]
    fn integers_beside_long_steps_are_placed_as_floats() {
        let field = grid(-2e300, 2e300, 1e300);
        assert_eq!(field.plaintext_of_integer(i64::MAX), Ok(2));
        assert_eq!(field.plaintext_of_integer(i64::MIN), Ok(2));
    }

    #[test]
    fn whole_grids_forgive_no_more_when_values_are_large() {
        let (low, high) = ((1_i64 << 46) as f64, ((1_i64 << 46) + 100) as f64);
        let off = Err(Error::Value { row: 0, why: "is not on the grid" });
        assert_eq!(grid(low, high, 1.0).plaintext(low + 1.015_625), off);
        assert_eq!(grid(low, high, 1.0).plaintext(low + 1.0), Ok(1));
    }

    #[test]
    fn a_bound_finds_the_value_it_is() {
        let field = grid(1e9, 1e9 + 1.0, 1e-5); // a float at 1e9 is up to 0.006 steps off
        for x in [0, 3, 777, 100_000] {
            let value = field.value(x).unwrap();
            assert_eq!(field.plaintext(value), Ok(x));
            assert_eq!(field.range(Some(value), Some(value)), Ok(Some((x, x))));
        }
    }

    #[test]
    fn bounds_round_inwards_and_meet_the_domain() {
        let age = grid(0.0, 120.0, 1.0);
        assert_eq!(age.range(Some(39.5), Some(60.5)), Ok(Some((40, 60))));
        assert_eq!(age.range(Some(-5.0), None), Ok(Some((0, 120))));
        assert_eq!(age.range(None, Some(1e300)), Ok(Some((0, 120))));
        assert_eq!(age.range(Some(40.2), Some(40.8)), Ok(None));
        assert_eq!(age.range(Some(121.0), None), Ok(None));
        assert_eq!(age.range(Some(f64::INFINITY), None), Ok(None));
        assert_eq!(age.range(None, Some(f64::NEG_INFINITY)), Ok(None));
        assert_eq!(age.range(Some(2.0), Some(1.0)), Err(scheme::Error::BoundsOrder.into()));
        assert!(age.range(Some(f64::NAN), None).is_err());
    }

    #[test]
    fn impossible_grids_are_refused() {
        for (minimum, maximum, step, cell) in [
            (1.0, 0.0, 1.0, None),
            (0.0, 1.0, 0.0, None),
            (0.0, f64::INFINITY, 1.0, None),
            (f64::NAN, 1.0, 1.0, None),
            (0.0, 10.0, 3.0, None),
            (0.0, 4_294_967_296.0, 1.0, None),
            (1e18, 1e18 + 512.0, 1.0, None),
            (0.0, 10.0, 1.0, Some(0)),
            (0.0, 4_294_967_295.0, 1.0, Some(1)),
        ] {
            let field = Field::new(Kind::Number, minimum, maximum, step, cell);
            assert!(matches!(field, Err(Error::Field { .. })), "{minimum} {maximum} {step}");
        }
    }

    #[test]
    fn a_large_domain_gets_wider_cells() {
        let field = grid(0.0, 4_294_967_295.0, 1.0);
        assert_eq!((field.cell(), field.cells()), (1 << 16, 1 << 16));
    }

    #[test]
    fn a_schema_survives_its_bytes() {
        let schema = example();
        assert_eq!(Schema::decode(&schema.encode()), Ok(schema.clone()));
        assert_eq!(schema.digest(), example().digest());
        assert_eq!(schema.field("bmi").map(Field::cells), Some(185));
        assert_eq!(schema.field("height"), None);
    }

    #[test]
    fn a_negative_zero_is_a_zero() {
        let (negative, positive) = (grid(-0.0, 120.0, 1.0), grid(0.0, 120.0, 1.0));
        assert_eq!(negative.label(), positive.label());
        assert_eq!(grid(-5.0, -0.0, 1.0).label(), grid(-5.0, 0.0, 1.0).label());
        let mut bytes = Schema::new(vec![("age".into(), positive)]).unwrap().encode();
        let sign_of_minimum = 4 + 4 + "age".len() + 4 + 1;
        bytes[sign_of_minimum] ^= 0x80;
        assert_eq!(Schema::decode(&bytes), Err(DAMAGED));
    }

    #[test]
    fn names_must_differ_and_exist() {
        let age = grid(0.0, 120.0, 1.0);
        for names in [vec![], vec![""], vec!["age", "age"]] {
            let fields = names.into_iter().map(|name| (name.into(), age.clone())).collect();
            assert!(matches!(Schema::new(fields), Err(Error::Schema { .. })));
        }
    }

    proptest! {
        #[test]
        fn every_plaintext_survives_its_value(
            minimum in -1e6..1e6_f64, steps in 0..100_000_i64, step in 1e-3..1e3_f64, at in 0.0..1.0,
        ) {
            let field = grid(minimum, minimum + steps as f64 * step, step);
            #[expect(clippy::cast_possible_truncation, reason = "below 100,000")]
            let x = (at * steps as f64) as i64;
            prop_assert_eq!(field.plaintext(field.value(x).unwrap()), Ok(x));
            let value = field.value(x).unwrap();
            prop_assert_eq!(field.range(Some(value), Some(value)), Ok(Some((x, x))));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Schema::decode(&bytes);
        }

        #[test]
        fn changed_bytes_are_another_schema_or_none(at in 0..200_usize, bit in 0..8) {
            let schema = example();
            let mut bytes = schema.encode();
            let at = at % bytes.len();
            bytes[at] ^= 1_u8 << bit;
            prop_assert_ne!(Schema::decode(&bytes), Ok(schema));
        }
    }
}
