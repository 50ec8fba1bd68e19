use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::schema::{self, Error, Kind};

type Plaintexts<'py> = (Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<i64>>);

/// Behind `mopse.Field`.
#[pyclass(module = "mopse._mopse.schema", frozen, from_py_object)]
#[derive(Clone)]
pub(super) struct Field(schema::Field);

#[pymethods]
impl Field {
    #[new]
    fn new(
        kind: &str,
        minimum: f64,
        maximum: f64,
        step: f64,
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
        let (values, is_valid) = (values.as_slice()?, is_valid.as_slice()?);
        let found = py.detach(|| self.0.plaintexts_of(values, is_valid))?;
        Ok((found.0.into_pyarray(py), found.1.into_pyarray(py)))
    }

    /// Rows that hold a value, and its plaintext.
    fn of_integers<'py>(
        &self,
        py: Python<'py>,
        values: PyReadonlyArray1<'py, i64>,
        is_valid: PyReadonlyArray1<'py, bool>,
    ) -> PyResult<Plaintexts<'py>> {
        let (values, is_valid) = (values.as_slice()?, is_valid.as_slice()?);
        let found = py.detach(|| self.0.plaintexts_of(values, is_valid))?;
        Ok((found.0.into_pyarray(py), found.1.into_pyarray(py)))
    }

    fn range(&self, low: Option<f64>, high: Option<f64>) -> PyResult<Option<(i64, i64)>> {
        Ok(self.0.range(low, high)?)
    }
}

/// Behind `mopse.Schema`.
#[pyclass(module = "mopse._mopse.schema", frozen)]
pub(super) struct Schema(pub(super) schema::Schema);

#[pymethods]
impl Schema {
    #[new]
    fn new(fields: Vec<(String, Field)>) -> PyResult<Self> {
        let fields = fields.into_iter().map(|(name, field)| (name, field.0)).collect();
        Ok(Self(schema::Schema::new(fields)?))
    }

    fn digest(&self) -> [u8; 32] {
        self.0.digest()
    }
}
