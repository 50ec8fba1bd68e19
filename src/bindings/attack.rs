use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use super::{filled, joined, released};
use crate::attack::access::Patterns;
use crate::attack::{assignment, density, geometry, ordered, rank};
use crate::keys::Key;
use crate::scheme::mopse::Mopse;
use crate::scheme::ruler::{Layout, Ruler};
use crate::scheme::{Scheme, marks};

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
        released(py, || geometry::windows(ciphertexts, plaintexts, range_size, width))?;
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
    Ok(released(py, || geometry::entropies(ciphertexts, plaintexts, range_size))?.into_pyarray(py))
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
    let cuts = released(py, || density::change_points(ciphertexts, low, high, penalty))?;
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
    let cells = released(py, || density::dyadic(ciphertexts, bits, penalty))?;
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
    let counts =
        released(py, || Patterns::new(offsets, entries, records).map(|p| p.frequencies()))?;
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
        released(py, || Patterns::new(offsets, entries, records).map(|p| p.co_occurrence(anchor)))?;
    Ok(counts.into_pyarray(py))
}

/// Behind `mopse.attacks.assignment` and `mopse.attacks.cumulative`.
#[pyfunction]
pub(super) fn assign<'py>(
    py: Python<'py>,
    costs: PyReadonlyArray2<'py, f64>,
) -> PyResult<Array<'py, i64>> {
    let (rows, columns) = costs.as_array().dim();
    let costs = costs.as_slice()?;
    Ok(released(py, || assignment::assign(costs, rows, columns))?.into_pyarray(py))
}

/// Behind `mopse.attacks.non_crossing` and `mopse.attacks.multinomial`.
#[pyfunction]
pub(super) fn increasing<'py>(
    py: Python<'py>,
    costs: PyReadonlyArray2<'py, f64>,
) -> PyResult<Array<'py, i64>> {
    let (rows, columns) = costs.as_array().dim();
    let costs = costs.as_slice()?;
    Ok(released(py, || ordered::increasing(costs, rows, columns))?.into_pyarray(py))
}

/// Behind `mopse.attacks.ordered_posterior`.
#[pyfunction]
pub(super) fn ordered_posterior<'py>(
    py: Python<'py>,
    counts: Column<'py, f64>,
    probabilities: Column<'py, f64>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let (counts, probabilities) = (counts.as_slice()?, probabilities.as_slice()?);
    let (rows, columns) = (counts.len(), probabilities.len());
    let cells = ordered::cells(rows, columns)?;
    let fill = |out: &mut [f64]| ordered::posterior(counts, probabilities, out);
    filled(py, cells, fill)?.reshape([rows, columns])
}

/// Behind `mopse.attacks.rank`.
#[pyfunction]
pub(super) fn rank_guesses<'py>(
    py: Python<'py>,
    ranks: usize,
    probabilities: Column<'py, f64>,
    tolerance: usize,
) -> PyResult<(Array<'py, i64>, Array<'py, f64>)> {
    let probabilities = probabilities.as_slice()?;
    let (guesses, masses) = released(py, || rank::ranks(ranks, probabilities, tolerance))?;
    Ok((guesses.into_pyarray(py), masses.into_pyarray(py)))
}

/// Behind `mopse.attacks.Marks`: an insider's tables, from research keys.
#[pyclass(module = "mopse._mopse.attack", frozen)]
pub(super) struct Marks(Mopse<marks::Marks>);

#[pymethods]
impl Marks {
    #[new]
    fn new(ruler: &[u8], provider: &[u8], domain: u64, cell: u64) -> PyResult<Self> {
        let (ruler, provider) = (Key::from_bytes(ruler)?, Key::from_bytes(provider)?);
        Ok(Self(Mopse::marked(&ruler, &provider, domain, cell)?))
    }

    fn encrypt<'py>(
        &self,
        py: Python<'py>,
        plaintexts: Column<'py, i64>,
        handles: PyReadonlyArray2<'py, u64>,
    ) -> PyResult<Array<'py, i64>> {
        let (plaintexts, handles) = (plaintexts.as_slice()?, handles.as_slice()?);
        filled(py, plaintexts.len(), |entries| {
            let handles: Vec<u128> =
                handles.as_chunks().0.iter().map(|&halves| joined(halves)).collect();
            self.0.encrypt_batch(plaintexts, &handles, entries)
        })
    }

    fn spans<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<i64>>> {
        table(py, py.detach(|| self.0.layout().spans()))
    }
}

/// Behind `mopse.attacks.Deployment`, whose owner asks by full cells.
#[pyfunction]
pub(super) fn ruler_spans<'py>(
    py: Python<'py>,
    ruler: &[u8],
    domain: u64,
    cell: u64,
) -> PyResult<Bound<'py, PyArray2<i64>>> {
    let key = Key::from_bytes(ruler)?;
    let spans = released(py, || Ruler::new(&key, domain, cell).map(|ruler| ruler.spans()))?;
    table(py, spans)
}

/// One row for each pair.
fn table(py: Python<'_>, pairs: Vec<(i64, i64)>) -> PyResult<Bound<'_, PyArray2<i64>>> {
    let rows = pairs.len();
    let flat = pairs.into_iter().flat_map(|(low, high)| [low, high]);
    PyArray1::from_iter(py, flat).reshape([rows, 2])
}
