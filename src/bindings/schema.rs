use std::num::NonZeroU64;

use num_bigint::BigInt;
use num_rational::BigRational;
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyInt};

use super::released;
use crate::schema::{self, Bound as Number, Error, Kind, Rational};

type Plaintexts<'py> = (Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<i64>>);

/// Behind `mopse.Field`.
#[pyclass(module = "mopse._mopse.schema", frozen, from_py_object)]
#[derive(Clone)]
pub(super) struct Field(schema::Field);

impl Field {
    pub(super) fn of(field: &schema::Field) -> Self {
        Self(field.clone())
    }

    fn placed<'py>(
        py: Python<'py>,
        place: impl Send + FnOnce() -> Result<(Vec<u32>, Vec<i64>), Error>,
    ) -> PyResult<Plaintexts<'py>> {
        let (rows, plaintexts) = released(py, place)?;
        Ok((rows.into_pyarray(py), plaintexts.into_pyarray(py)))
    }
}

fn bound(of: Option<Bound<'_, PyAny>>, open: Number) -> PyResult<Number> {
    let Some(of) = of else { return Ok(open) };
    if let Ok(float) = of.cast::<PyFloat>() {
        let is_below = float.value() < 0.0;
        let infinite = if is_below { Number::Lowest } else { Number::Highest };
        return Ok(Rational::try_from(float.value()).map_or(infinite, Number::At));
    }
    if let Ok(integer) = of.cast::<PyInt>() {
        return Ok(Number::At(match integer.extract::<i64>() {
            Ok(number) => number.into(),
            Err(_) => integer.extract::<BigInt>()?.into(),
        }));
    }
    Ok(Number::At(of.extract::<BigRational>()?.into()))
}

macro_rules! of_columns {
    ($self:ident, $py:ident, $values:ident, $is_valid:ident) => {{
        let (values, is_valid) = ($values.as_slice()?, $is_valid.as_slice()?);
        Self::placed($py, || $self.0.plaintexts_of(values, is_valid))
    }};
}

#[pymethods]
impl Field {
    /// Numbers are instances of `fractions.Fraction`.
    #[new]
    fn new(
        kind: &str,
        minimum: BigRational,
        maximum: BigRational,
        step: BigRational,
        cell: Option<u64>,
        categories: Vec<String>,
    ) -> PyResult<Self> {
        let kind = match kind {
            "number" => Kind::Number,
            "date" => Kind::Date,
            "boolean" => Kind::Boolean,
            "category" => Kind::Category(categories),
            _ => return Err(Error::Field { why: "there is no such kind of field" }.into()),
        };
        Ok(Self(schema::Field::new(kind, minimum, maximum, step, cell)?))
    }

    #[staticmethod]
    fn of_label(py: Python<'_>, label: &[u8]) -> PyResult<Self> {
        Ok(Self(released(py, || schema::Field::of_label(label))?))
    }

    fn label<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.0.label()))
    }

    #[getter]
    fn kind(&self) -> &'static str {
        match self.0.kind() {
            Kind::Number => "number",
            Kind::Date => "date",
            Kind::Boolean => "boolean",
            Kind::Category(_) => "category",
        }
    }

    #[getter]
    fn categories(&self) -> Vec<String> {
        match self.0.kind() {
            Kind::Category(categories) => categories.clone(),
            _ => Vec::new(),
        }
    }

    /// Minimum, maximum and step.
    #[getter]
    fn grid(&self) -> [BigRational; 3] {
        [self.0.minimum(), self.0.maximum(), self.0.step()].map(Rational::ratio).map(Clone::clone)
    }

    #[getter]
    fn plaintexts(&self) -> u64 {
        self.0.plaintexts()
    }

    #[getter]
    fn cell(&self) -> u64 {
        self.0.cell()
    }

    #[getter]
    fn cells(&self) -> u64 {
        self.0.cells()
    }

    /// Rows that hold a value, and its plaintext.
    fn of_floats<'py>(
        &self,
        py: Python<'py>,
        values: PyReadonlyArray1<'py, f64>,
        is_valid: PyReadonlyArray1<'py, bool>,
    ) -> PyResult<Plaintexts<'py>> {
        of_columns!(self, py, values, is_valid)
    }

    /// Rows that hold a value, and its plaintext.
    fn of_singles<'py>(
        &self,
        py: Python<'py>,
        values: PyReadonlyArray1<'py, f32>,
        is_valid: PyReadonlyArray1<'py, bool>,
    ) -> PyResult<Plaintexts<'py>> {
        of_columns!(self, py, values, is_valid)
    }

    /// Rows that hold a value, and its plaintext.
    fn of_integers<'py>(
        &self,
        py: Python<'py>,
        values: PyReadonlyArray1<'py, i64>,
        is_valid: PyReadonlyArray1<'py, bool>,
    ) -> PyResult<Plaintexts<'py>> {
        of_columns!(self, py, values, is_valid)
    }

    /// Rows that hold a value, and its plaintext.
    fn of_unsigned<'py>(
        &self,
        py: Python<'py>,
        values: PyReadonlyArray1<'py, u64>,
        is_valid: PyReadonlyArray1<'py, bool>,
    ) -> PyResult<Plaintexts<'py>> {
        of_columns!(self, py, values, is_valid)
    }

    /// Rows that hold a value, and its plaintext; values are in units of `10^-places`, their upper
    /// 64 bits apart from the lower.
    fn of_decimals<'py>(
        &self,
        py: Python<'py>,
        upper: PyReadonlyArray1<'py, i64>,
        lower: PyReadonlyArray1<'py, u64>,
        places: u8,
        is_valid: PyReadonlyArray1<'py, bool>,
    ) -> PyResult<Plaintexts<'py>> {
        let whole = |(&upper, &lower)| (i128::from(upper) << 64) | i128::from(lower);
        let (upper, lower, is_valid) = (upper.as_slice()?, lower.as_slice()?, is_valid.as_slice()?);
        Self::placed(py, || {
            let values: Vec<i128> = upper.iter().zip(lower).map(whole).collect();
            self.0.plaintexts_of_decimals(&values, places, is_valid)
        })
    }

    /// Rows that hold a value, and its plaintext; values are moments, of which so many make a day.
    fn of_moments<'py>(
        &self,
        py: Python<'py>,
        values: PyReadonlyArray1<'py, i64>,
        per_day: NonZeroU64,
        is_valid: PyReadonlyArray1<'py, bool>,
    ) -> PyResult<Plaintexts<'py>> {
        let (values, is_valid) = (values.as_slice()?, is_valid.as_slice()?);
        Self::placed(py, || self.0.plaintexts_of_parts(values, per_day, is_valid))
    }

    /// Bounds are integers, floats that are numbers, or instances of `fractions.Fraction`.
    fn range(
        &self,
        low: Option<Bound<'_, PyAny>>,
        high: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Option<(i64, i64)>> {
        Ok(self.0.range(&bound(low, Number::Lowest)?, &bound(high, Number::Highest)?)?)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// Behind `mopse.Schema`.
#[pyclass(module = "mopse._mopse.schema", frozen)]
pub(super) struct Schema(pub(super) schema::Schema);

#[pymethods]
impl Schema {
    #[new]
    fn new(py: Python<'_>, fields: Vec<(String, Field)>) -> PyResult<Self> {
        let fields = fields.into_iter().map(|(name, field)| (name, field.0)).collect();
        Ok(Self(released(py, || schema::Schema::new(fields))?))
    }

    fn digest(&self, py: Python<'_>) -> [u8; 32] {
        py.detach(|| self.0.digest())
    }
}
