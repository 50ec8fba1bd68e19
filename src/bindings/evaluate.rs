use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::released;
use crate::evaluate;
use crate::keys::Key;
use crate::lock::Lock;
use crate::operations::{Counts, Operation};

/// Behind `mopse.evaluate.operations`.
#[pyfunction]
pub(super) fn operations() -> Vec<(&'static str, u64)> {
    let counts = Counts::now();
    Operation::ALL.map(|operation| (operation.name(), counts[operation])).into()
}

/// The querier of `mopse.evaluate`'s controls.
#[pyclass(module = "mopse._mopse.evaluate", frozen)]
pub(super) struct ControlQuerier(evaluate::Querier);

#[pymethods]
impl ControlQuerier {
    #[new]
    fn new(keys: Vec<Vec<u8>>, domain: u64) -> PyResult<Self> {
        let keys = keys.iter().map(|key| Key::from_bytes(key)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(evaluate::Querier::new(&keys, domain)?))
    }

    #[staticmethod]
    fn plain(domain: u64) -> PyResult<Self> {
        Ok(Self(evaluate::Querier::plain(domain)?))
    }

    #[getter]
    fn verification_key(&self) -> [u8; 32] {
        self.0.verification_key()
    }

    fn requests<'py>(
        &self,
        py: Python<'py>,
        low: i64,
        high: i64,
        per_message: usize,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let requests = released(py, || self.0.requests(low, high, per_message))?;
        Ok(requests.iter().map(|request| PyBytes::new(py, request)).collect())
    }
}

/// The server of `mopse.evaluate`'s controls.
#[pyclass(module = "mopse._mopse.evaluate", frozen)]
pub(super) struct ControlServer(Lock<evaluate::Server>);

#[pymethods]
impl ControlServer {
    #[new]
    fn new(verification_key: [u8; 32], indexes: usize) -> Self {
        Self(Lock::new(evaluate::Server::new(verification_key, indexes)))
    }

    fn add(
        &self,
        py: Python<'_>,
        index: usize,
        ciphertexts: PyReadonlyArray1<'_, i64>,
    ) -> PyResult<()> {
        let ciphertexts = ciphertexts.as_slice()?.to_vec();
        Ok(released(py, || self.0.write().map(|mut server| server.add(index, ciphertexts)))??)
    }

    fn count(&self, py: Python<'_>, request: &[u8]) -> PyResult<usize> {
        Ok(released(py, || self.0.read().map(|server| server.count(request)))??)
    }
}
