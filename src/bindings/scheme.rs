pub(super) mod ore;

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use super::{filled, released};
use crate::keys::Key;
use crate::scheme::Scheme;
use crate::scheme::opse::{self, OneToMany};

type Column<'py> = PyReadonlyArray1<'py, i64>;
type Array<'py> = Bound<'py, PyArray1<i64>>;

/// Behind `mopse.Opse`.
#[pyclass(module = "mopse._mopse.scheme", frozen)]
pub(super) struct Opse(opse::Opse);

#[pymethods]
impl Opse {
    #[new]
    fn new(key: &[u8], domain: u64) -> PyResult<Self> {
        Ok(Self(opse::Opse::new(&Key::from_bytes(key)?, domain)?))
    }

    fn encrypt(&self, py: Python<'_>, plaintext: i64, record_id: Option<i64>) -> PyResult<i64> {
        Ok(py.detach(|| match record_id {
            None => self.0.encrypt(plaintext, ()),
            Some(id) => OneToMany(&self.0).encrypt(plaintext, id),
        })?)
    }

    fn decrypt(&self, py: Python<'_>, ciphertext: i64, record_id: Option<i64>) -> PyResult<i64> {
        Ok(py.detach(|| match record_id {
            None => self.0.decrypt(ciphertext, ()),
            Some(id) => OneToMany(&self.0).decrypt(ciphertext, id),
        })?)
    }

    fn encrypt_batch<'py>(
        &self,
        py: Python<'py>,
        plaintexts: Column<'py>,
        ids: Option<Column<'py>>,
    ) -> PyResult<Array<'py>> {
        let plaintexts = plaintexts.as_slice()?;
        match ids {
            None => {
                let ids = vec![(); plaintexts.len()];
                filled(py, plaintexts.len(), |out| self.0.encrypt_batch(plaintexts, &ids, out))
            }
            Some(ids) => {
                let ids = ids.as_slice()?;
                filled(py, plaintexts.len(), |out| {
                    OneToMany(&self.0).encrypt_batch(plaintexts, ids, out)
                })
            }
        }
    }

    fn decrypt_batch<'py>(
        &self,
        py: Python<'py>,
        ciphertexts: Column<'py>,
        ids: Option<Column<'py>>,
    ) -> PyResult<Array<'py>> {
        let ciphertexts = ciphertexts.as_slice()?;
        let plaintexts = match ids {
            None => released(py, || self.0.decrypt_batch(ciphertexts)),
            Some(ids) => {
                let ids = ids.as_slice()?;
                released(py, || OneToMany(&self.0).decrypt_batch(ciphertexts, ids))
            }
        }?;
        Ok(plaintexts.into_pyarray(py))
    }

    fn bounds(&self, low: i64, high: i64) -> PyResult<(i64, i64)> {
        Ok(self.0.bounds(low, high)?)
    }
}
