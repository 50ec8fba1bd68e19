//! A field: a grid of values.

use std::hash::{Hash, Hasher};
use std::num::NonZeroU64;

use num_traits::{Signed, ToPrimitive, Zero};

use super::Error;
use super::grid::Grid;
use super::rational::{Bound, Rational};
use crate::scheme::ruler::{DEFAULT_CELLS, MOST_CELLS};
use crate::scheme::{self, MOST_PLAINTEXTS};

mod label;

/// What the values of a field are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    fn plaintext(self, field: &Field) -> Result<i64, Error> {
        self.place(field).map_err(|why| Error::Value { row: 0, why })
    }

    /// Returns the plaintext of the number in a field, or what is wrong with it.
    ///
    /// # Errors
    ///
    /// What errors say of a value that is outside the domain or off the grid.
    fn place(self, field: &Field) -> Result<i64, &'static str>;
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(impl Value for $integer {
            #[inline]
            fn place(self, field: &Field) -> Result<i64, &'static str> {
                field.grid.of_integer(self.into())
            }
        })*
    };
}

integers!(i64 u64 i128);

/// A whole float as it is, any other as its shortest decimal.
impl Value for f64 {
    #[inline]
    fn place(self, field: &Field) -> Result<i64, &'static str> {
        field.grid.of_float(self)
    }
}

/// A whole float as it is, any other as its shortest decimal in single precision.
impl Value for f32 {
    #[inline]
    fn place(self, field: &Field) -> Result<i64, &'static str> {
        field.grid.of_single(self)
    }
}

/// A field's grid of values, and the width of its cells.
///
/// Fields are equal if they have the same values and cells, however their numbers were written and
/// whatever version their labels have.
#[derive(Debug, Clone)]
pub struct Field {
    kind: Kind,
    grid: Grid,
    cell: u64,
    /// Minimum, maximum and step as an older label has them.
    floats: Option<[f64; 3]>,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.definition() == other.definition()
    }
}

impl Eq for Field {}

impl Hash for Field {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition().hash(state);
    }
}

impl Field {
    /// The grid from `minimum` to `maximum`, both included, with `cell` steps to a cell.
    ///
    /// Without a cell width the narrowest that gives at most 2^16 cells is taken, which is 1 up to
    /// 2^16 plaintexts. Numbers are exact; floats are taken as [`Rational`] reads them.
    ///
    /// # Errors
    ///
    /// [`Error::Field`] if the grid is empty, has more than 2^32 points, does not hit its maximum,
    /// or a number has more than 136 bytes above or below the line, or if there are more than 2^20
    /// cells.
    ///
    /// # Examples
    ///
    /// ```
    /// use mopse::schema::{Field, Kind, Rational};
    ///
    /// let age = Field::new(Kind::Number, 0, 120, 1, None)?;
    /// assert_eq!((age.plaintexts(), age.cell()), (121, 1));
    ///
    /// let exactly = |text: &str| text.parse::<Rational>();
    /// let bmi = Field::new(Kind::Number, exactly("8")?, exactly("100")?, exactly("1/10")?, None)?;
    /// assert_eq!(bmi, Field::new(Kind::Number, 8.0, 100.0, 0.1, None)?);
    /// # Ok::<(), mopse::Error>(())
    /// ```
    pub fn new<N>(
        kind: Kind,
        minimum: N,
        maximum: N,
        step: N,
        cell: Option<u64>,
    ) -> Result<Self, Error>
    where
        N: TryInto<Rational>,
        Error: From<N::Error>,
    {
        Self::on(kind, [minimum.try_into()?, maximum.try_into()?, step.try_into()?], cell)
    }

    fn on(
        kind: Kind,
        [minimum, maximum, step]: [Rational; 3],
        cell: Option<u64>,
    ) -> Result<Self, Error> {
        let refuse = |why| Err(Error::Field { why });
        if ![&minimum, &maximum, &step].iter().all(|number| number.is_short()) {
            return refuse(
                "minimum, maximum and step have at most 136 bytes above and below the line",
            );
        }
        if minimum > maximum {
            return refuse("the minimum lies above the maximum");
        }
        if !step.ratio().is_positive() {
            return refuse("the step must be above 0");
        }
        let steps = (maximum.ratio() - minimum.ratio()) / step.ratio();
        let Some(last) = steps.to_integer().to_u64().filter(|&last| last < MOST_PLAINTEXTS) else {
            return refuse("there are more than 2^32 grid points; use a larger step");
        };
        if !steps.fract().is_zero() {
            return refuse("the maximum is not a whole number of steps above the minimum");
        }
        let plaintexts = last + 1;
        let cell = cell.unwrap_or(plaintexts.div_ceil(DEFAULT_CELLS));
        if cell == 0 {
            return refuse("the cell must be at least 1 step wide");
        }
        if plaintexts.div_ceil(cell) > MOST_CELLS {
            return refuse("there are more than 2^20 cells; use a wider cell");
        }
        Ok(Self { kind, grid: Grid::new(minimum, maximum, step, last), cell, floats: None })
    }

    /// Everything that defines the field.
    fn definition(&self) -> (&Kind, [&Rational; 3], u64) {
        (&self.kind, [self.minimum(), self.maximum(), self.step()], self.cell)
    }

    /// What the values are.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The lowest value.
    #[must_use]
    pub fn minimum(&self) -> &Rational {
        self.grid.minimum()
    }

    /// The highest value.
    #[must_use]
    pub fn maximum(&self) -> &Rational {
        self.grid.maximum()
    }

    /// The distance of neighbouring values.
    #[must_use]
    pub fn step(&self) -> &Rational {
        self.grid.step()
    }

    /// Grid steps to a cell.
    #[must_use]
    pub fn cell(&self) -> u64 {
        self.cell
    }

    /// How many plaintexts there are.
    #[must_use]
    pub fn plaintexts(&self) -> u64 {
        self.grid.last() + 1
    }

    /// How many cells there are.
    #[must_use]
    pub fn cells(&self) -> u64 {
        self.plaintexts().div_ceil(self.cell)
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
        placed(values, is_valid, |value| value.place(self))
    }

    /// Returns the rows that hold a value, and the plaintext of each, of decimals with so many digits
    /// after the point: of whole numbers in units of `10^-places`.
    ///
    /// # Errors
    ///
    /// Those of [`plaintexts_of`](Self::plaintexts_of).
    pub fn plaintexts_of_decimals(
        &self,
        values: &[i128],
        places: u8,
        is_valid: &[bool],
    ) -> Result<(Vec<u32>, Vec<i64>), Error> {
        placed(values, is_valid, self.grid.of_decimals(places))
    }

    /// Returns what gives the plaintext of one such decimal, as often as it is asked.
    pub fn of_decimals(&self, places: u8) -> impl Fn(i128) -> Result<i64, Error> {
        let place = self.grid.of_decimals(places);
        move |value| place(value).map_err(|why| Error::Value { row: 0, why })
    }

    /// Returns the rows that hold a value, and the plaintext of each, of numbers of which `parts` make
    /// one: of moments, counted in what has so many in a day.
    ///
    /// # Errors
    ///
    /// Those of [`plaintexts_of`](Self::plaintexts_of).
    pub fn plaintexts_of_parts(
        &self,
        values: &[i64],
        parts: NonZeroU64,
        is_valid: &[bool],
    ) -> Result<(Vec<u32>, Vec<i64>), Error> {
        let place = self.grid.of_parts(parts.get().into());
        placed(values, is_valid, |value| place(value.into()))
    }

    /// Returns what gives the plaintext of one such number, as often as it is asked.
    pub fn of_parts(&self, parts: NonZeroU64) -> impl Fn(i64) -> Result<i64, Error> {
        let place = self.grid.of_parts(parts.get().into());
        move |value| place(value.into()).map_err(|why| Error::Value { row: 0, why })
    }

    /// Returns the value of a plaintext.
    ///
    /// # Errors
    ///
    /// [`Error::Scheme`] if there is no such plaintext.
    pub fn value(&self, plaintext: i64) -> Result<Rational, Error> {
        scheme::check_plaintext(plaintext, self.plaintexts(), 0)?;
        let above = Rational::from(plaintext).ratio() * self.step().ratio();
        Ok((self.minimum().ratio() + above).into())
    }

    /// Returns the plaintexts from `low` to `high`, both included, or `None` if there are none.
    ///
    /// Bounds are exact. Those off the grid round inwards, those beyond the domain are intersected
    /// with it.
    ///
    /// # Errors
    ///
    /// [`Error::Scheme`] if `low > high`.
    pub fn range(&self, low: &Bound, high: &Bound) -> Result<Option<(i64, i64)>, Error> {
        if low > high {
            return Err(scheme::Error::BoundsOrder.into());
        }
        let last = self.grid.last();
        // What does not fit lies above all places, and what is below 0 below them.
        let first = match low {
            Bound::Lowest => Some(0),
            Bound::At(number) => {
                let steps = self.grid.steps_to(number).ceil().to_integer();
                if steps.is_negative() { Some(0) } else { steps.to_u64() }
            }
            Bound::Highest => None,
        };
        let end = match high {
            Bound::Lowest => None,
            Bound::At(number) => {
                let steps = self.grid.steps_to(number).floor().to_integer();
                (!steps.is_negative()).then(|| steps.to_u64().map_or(last, |end| end.min(last)))
            }
            Bound::Highest => Some(last),
        };
        let as_plaintext =
            |place: u64| i64::try_from(place).map_err(|_| scheme::Error::BoundsOrder);
        match (first, end) {
            (Some(first), Some(end)) if first <= end => {
                Ok(Some((as_plaintext(first)?, as_plaintext(end)?)))
            }
            _ => Ok(None),
        }
    }
}

fn placed<V: Copy>(
    values: &[V],
    is_valid: &[bool],
    place: impl Fn(V) -> Result<i64, &'static str>,
) -> Result<(Vec<u32>, Vec<i64>), Error> {
    if is_valid.len() != values.len() {
        return Err(Error::Validity { expected: values.len(), got: is_valid.len() });
    }
    if let Err(_) | Ok(u32::MAX) = u32::try_from(values.len()) {
        return Err(Error::Rows { got: values.len() });
    }
    let mut rows = Vec::with_capacity(values.len());
    let mut plaintexts = Vec::with_capacity(values.len());
    for ((row, &value), _) in (0..).zip(values).zip(is_valid).filter(|(_, is_valid)| **is_valid) {
        let plaintext = place(value).map_err(|why| Error::Value { row: row as usize, why })?;
        rows.push(row);
        plaintexts.push(plaintext);
    }
    Ok((rows, plaintexts))
}

#[cfg(test)]
mod tests;
