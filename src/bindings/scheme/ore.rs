use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::bindings::{filled, released};
use crate::keys::Key;
use crate::scheme::lewi_wu::{self, Shape};
use crate::scheme::{Scheme, clww};

type Column<'py, T> = PyReadonlyArray1<'py, T>;
type Array<'py, T> = Bound<'py, PyArray1<T>>;

/// Behind `mopse.Clww`.
#[pyclass(module = "mopse._mopse.scheme", frozen)]
pub(in crate::bindings) struct Clww(clww::Clww);

#[pymethods]
impl Clww {
    #[new]
    fn new(key: &[u8], domain: u64) -> PyResult<Self> {
        Ok(Self(clww::Clww::new(&Key::from_bytes(key)?, domain)?))
    }

    #[getter]
    fn ciphertext_bits(&self) -> u32 {
        self.0.ciphertext_bits()
    }

    fn encrypt_batch<'py>(
        &self,
        py: Python<'py>,
        plaintexts: Column<'py, i64>,
    ) -> PyResult<Array<'py, u64>> {
        let plaintexts = plaintexts.as_slice()?;
        let ids = vec![(); plaintexts.len()];
        filled(py, plaintexts.len(), |out| self.0.encrypt_batch(plaintexts, &ids, out))
    }

    fn decrypt_batch<'py>(
        &self,
        py: Python<'py>,
        ciphertexts: Column<'py, u64>,
    ) -> PyResult<Array<'py, i64>> {
        let ciphertexts = ciphertexts.as_slice()?;
        Ok(released(py, || self.0.decrypt_batch(ciphertexts))?.into_pyarray(py))
    }

    #[staticmethod]
    fn compare<'py>(
        py: Python<'py>,
        left: Column<'py, u64>,
        right: Column<'py, u64>,
    ) -> PyResult<Array<'py, i8>> {
        let (left, right) = (left.as_slice()?, right.as_slice()?);
        Ok(released(py, || clww::compare_batch(left, right))?.into_pyarray(py))
    }
}

/// Behind `mopse.LewiWu`.
#[pyclass(module = "mopse._mopse.scheme", frozen)]
pub(in crate::bindings) struct LewiWu(lewi_wu::LewiWu);

#[pymethods]
impl LewiWu {
    #[new]
    fn new(key: &[u8], domain: u64, block_bits: u32) -> PyResult<Self> {
        Ok(Self(lewi_wu::LewiWu::new(&Key::from_bytes(key)?, domain, block_bits)?))
    }

    #[getter]
    fn left_bytes(&self) -> usize {
        self.0.layout().left_size()
    }

    #[getter]
    fn ciphertext_bytes(&self) -> usize {
        self.0.layout().size()
    }

    fn encrypt_batch<'py>(
        &self,
        py: Python<'py>,
        plaintexts: Column<'py, i64>,
    ) -> PyResult<Array<'py, u8>> {
        let plaintexts = plaintexts.as_slice()?;
        let size = plaintexts.len().saturating_mul(self.0.layout().size());
        filled(py, size, |out| self.0.encrypt_fresh_batch(plaintexts, out))
    }

    fn decrypt_batch<'py>(
        &self,
        py: Python<'py>,
        ciphertexts: Column<'py, u8>,
    ) -> PyResult<Array<'py, i64>> {
        let ciphertexts = ciphertexts.as_slice()?;
        Ok(released(py, || self.0.decrypt_batch(ciphertexts))?.into_pyarray(py))
    }

    #[staticmethod]
    fn compare<'py>(
        py: Python<'py>,
        left: Column<'py, u8>,
        right: Column<'py, u8>,
        size: usize,
        block_bits: u32,
    ) -> PyResult<Array<'py, i8>> {
        let (left, right) = (left.as_slice()?, right.as_slice()?);
        let layout = Shape::of_size(size, block_bits)?;
        Ok(released(py, || lewi_wu::compare_batch(layout, left, right))?.into_pyarray(py))
    }
}
