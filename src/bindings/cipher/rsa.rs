use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::bindings::released;
use crate::cipher::legacy::rsa_blocks;
use crate::cipher::rsa;

/// Behind `mopse.rsa.PublicKey`.
#[pyclass(module = "mopse._mopse.cipher", frozen)]
pub(in crate::bindings) struct RsaPublicKey(rsa::PublicKey);

#[pymethods]
impl RsaPublicKey {
    #[staticmethod]
    fn from_pem(pem: &str) -> PyResult<Self> {
        Ok(Self(rsa::PublicKey::from_pem(pem)?))
    }

    fn to_pem(&self) -> PyResult<String> {
        Ok(self.0.to_pem()?)
    }

    #[getter]
    fn bits(&self) -> usize {
        self.0.bits()
    }

    fn seal<'py>(
        &self,
        py: Python<'py>,
        associated: &[u8],
        plaintext: PyReadonlyArray1<'py, u8>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let plaintext = plaintext.as_slice()?;
        PyBytes::new_with(py, self.0.sealed_len(plaintext.len())?, |sealed| {
            released(py, || self.0.seal_into(associated, plaintext, sealed))
        })
    }

    /// Behind `mopse.ciphers.legacy.rsa_encrypt_blocks`.
    fn encrypt_blocks<'py>(
        &self,
        py: Python<'py>,
        plaintext: PyReadonlyArray1<'py, u8>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let plaintext = plaintext.as_slice()?;
        PyBytes::new_with(py, rsa_blocks::encrypted_len(&self.0, plaintext.len())?, |message| {
            released(py, || rsa_blocks::encrypt_into(&self.0, plaintext, message))
        })
    }
}

/// Behind `mopse.rsa.PrivateKey`.
#[pyclass(module = "mopse._mopse.cipher", frozen)]
pub(in crate::bindings) struct RsaPrivateKey(rsa::PrivateKey);

#[pymethods]
impl RsaPrivateKey {
    #[staticmethod]
    fn generate(py: Python<'_>, bits: usize) -> PyResult<Self> {
        Ok(Self(released(py, || rsa::PrivateKey::generate(bits))?))
    }

    #[staticmethod]
    fn from_pem(py: Python<'_>, pem: &str) -> PyResult<Self> {
        Ok(Self(released(py, || rsa::PrivateKey::from_pem(pem))?))
    }

    fn to_pem(&self) -> PyResult<String> {
        Ok(self.0.to_pem()?.to_string())
    }

    fn public(&self) -> RsaPublicKey {
        RsaPublicKey(self.0.public().clone())
    }

    fn open<'py>(
        &self,
        py: Python<'py>,
        associated: &[u8],
        sealed: PyReadonlyArray1<'py, u8>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let sealed = sealed.as_slice()?;
        PyBytes::new_with(py, self.0.opened_len(sealed.len()), |plaintext| {
            released(py, || self.0.open_into(associated, sealed, plaintext))
        })
    }

    /// Behind `mopse.ciphers.legacy.rsa_decrypt_blocks`.
    fn decrypt_blocks<'py>(
        &self,
        py: Python<'py>,
        message: PyReadonlyArray1<'py, u8>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let message = message.as_slice()?;
        PyBytes::new_with(py, rsa_blocks::decrypted_len(&self.0, message)?, |plaintext| {
            released(py, || rsa_blocks::decrypt_into(&self.0, message, plaintext))
        })
    }
}
