use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::attack::access::Patterns;
use crate::attack::{density, geometry};

type Column<'py, T> = PyReadonlyArray1<'py, T>;
type Array<'py, T> = Bound<'py, PyArray1<T>>;

/// Behind `mopse.attacks.geometry`.
#[pyfunction]
pub(super) fn windows<'py>(
    py: Python<'py>,
    ciphertexts: Column<'py, i64>,
    plaintexts: u64,
    range_size: u64,
    width: u64,
) -> PyResult<(Array<'py, i64>, Array<'py, f64>)> {
    let ciphertexts = ciphertexts.as_slice()?;
    let (lowest, masses) =
        py.detach(|| geometry::windows(ciphertexts, plaintexts, range_size, width))?;
    Ok((lowest.into_pyarray(py), masses.into_pyarray(py)))
}

/// Behind `mopse.attacks.information`.
#[pyfunction]
pub(super) fn entropies<'py>(
    py: Python<'py>,
    ciphertexts: Column<'py, i64>,
    plaintexts: u64,
    range_size: u64,
) -> PyResult<Array<'py, f64>> {
    let ciphertexts = ciphertexts.as_slice()?;
    Ok(py.detach(|| geometry::entropies(ciphertexts, plaintexts, range_size))?.into_pyarray(py))
}

/// Behind `mopse.attacks.segments`.
#[pyfunction]
pub(super) fn change_points<'py>(
    py: Python<'py>,
    ciphertexts: Column<'py, i64>,
    low: i64,
    high: i64,
    penalty: f64,
) -> PyResult<Array<'py, i64>> {
    let ciphertexts = ciphertexts.as_slice()?;
    let cuts = py.detach(|| density::change_points(ciphertexts, low, high, penalty))?;
    Ok(cuts.into_pyarray(py))
}

/// Behind `mopse.attacks.dyadic_segments`.
#[pyfunction]
pub(super) fn dyadic<'py>(
    py: Python<'py>,
    ciphertexts: Column<'py, i64>,
    bits: u32,
    penalty: f64,
) -> PyResult<(Array<'py, i64>, Array<'py, i64>)> {
    let ciphertexts = ciphertexts.as_slice()?;
    let cells = py.detach(|| density::dyadic(ciphertexts, bits, penalty))?;
    let (low, high): (Vec<i64>, Vec<i64>) = cells.into_iter().unzip();
    Ok((low.into_pyarray(py), high.into_pyarray(py)))
}

/// Behind `mopse.attacks.generalized_kkno`.
#[pyfunction]
pub(super) fn frequencies<'py>(
    py: Python<'py>,
    offsets: Column<'py, i64>,
    entries: Column<'py, i64>,
    records: usize,
) -> PyResult<Array<'py, u64>> {
    let (offsets, entries) = (offsets.as_slice()?, entries.as_slice()?);
    let counts = py.detach(|| Patterns::new(offsets, entries, records).map(|p| p.frequencies()))?;
    Ok(counts.into_pyarray(py))
}

/// Behind `mopse.attacks.generalized_kkno`.
#[pyfunction]
pub(super) fn co_occurrence<'py>(
    py: Python<'py>,
    offsets: Column<'py, i64>,
    entries: Column<'py, i64>,
    records: usize,
    anchor: i64,
) -> PyResult<Array<'py, u64>> {
    let (offsets, entries) = (offsets.as_slice()?, entries.as_slice()?);
    let counts =
        py.detach(|| Patterns::new(offsets, entries, records).map(|p| p.co_occurrence(anchor)))?;
    Ok(counts.into_pyarray(py))
}
