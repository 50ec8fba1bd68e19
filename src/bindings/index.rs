use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use super::filled;
use crate::cloud::merge::merge_into;

/// Behind `mopse.merge`.
#[pyfunction]
pub(super) fn merge<'py>(
    py: Python<'py>,
    runs: Vec<PyReadonlyArray1<'py, i64>>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let runs = runs.iter().map(|run| run.as_slice()).collect::<Result<Vec<_>, _>>()?;
    let total = runs.iter().map(|run| run.len()).sum();
    filled(py, total, |order| merge_into(&runs, order))
}
