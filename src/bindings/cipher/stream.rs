use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::bindings::released;
use crate::cipher::stream::{self, HEAD_LEN, SEGMENT};
use crate::cipher::{self, Error};
use crate::keys::Key;

/// Behind `mopse.files.encrypt`.
#[pyclass(module = "mopse._mopse.cipher")]
pub(in crate::bindings) struct StreamSealer(stream::StreamSealer);

#[pymethods]
impl StreamSealer {
    #[classattr]
    const SEGMENT: usize = SEGMENT;

    #[new]
    fn new(cipher: &str, key: &[u8], associated: &[u8]) -> PyResult<Self> {
        Ok(Self(stream::StreamSealer::new(
            cipher::find(cipher)?,
            &Key::from_bytes(key)?,
            associated,
        )?))
    }

    #[getter]
    fn head<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.head())
    }

    fn push<'py>(
        &mut self,
        py: Python<'py>,
        batch: PyReadonlyArray1<'py, u8>,
        is_last: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let batch = batch.as_slice()?;
        PyBytes::new_with(py, stream::StreamSealer::sealed_len(batch.len()), |sealed| {
            released(py, || self.0.push(batch, is_last, sealed))
        })
    }
}

/// Behind `mopse.files.decrypt`.
#[pyclass(module = "mopse._mopse.cipher")]
pub(in crate::bindings) struct StreamOpener(stream::StreamOpener);

#[pymethods]
impl StreamOpener {
    #[classattr]
    const HEAD: usize = HEAD_LEN;

    #[new]
    fn new(head: &[u8], key: &[u8], associated: &[u8]) -> PyResult<Self> {
        Ok(Self(stream::StreamOpener::new(head, &Key::from_bytes(key)?, associated)?))
    }

    fn push<'py>(
        &mut self,
        py: Python<'py>,
        sealed: PyReadonlyArray1<'py, u8>,
        is_last: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let sealed = sealed.as_slice()?;
        let length = stream::StreamOpener::opened_len(sealed.len()).ok_or(Error::Decryption)?;
        PyBytes::new_with(py, length, |plaintext| {
            released(py, || self.0.push(sealed, is_last, plaintext))
        })
    }
}
