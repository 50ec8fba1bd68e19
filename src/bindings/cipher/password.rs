use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::cipher;
use crate::cipher::legacy::pbe;
use crate::cipher::password::{self, Cost, Derivation};

/// Behind `mopse.passwords.derive`.
#[pyfunction]
pub(in crate::bindings) fn password_key<'py>(
    py: Python<'py>,
    password: &[u8],
    salt: &[u8],
    derivation: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let derivation = Derivation::find(derivation)?;
    let key = py.detach(|| derivation.derive(password, salt))?;
    Ok(PyBytes::new(py, key.expose()))
}

/// Behind `mopse.passwords.encrypt`.
#[pyfunction]
pub(in crate::bindings) fn seal_under_password<'py>(
    py: Python<'py>,
    password: &[u8],
    derivation: &str,
    cipher: &str,
    associated: &[u8],
    plaintext: PyReadonlyArray1<'py, u8>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (derivation, algorithm) = (Derivation::find(derivation)?, cipher::find(cipher)?);
    let plaintext = plaintext.as_slice()?;
    let sealed =
        py.detach(|| password::seal(password, derivation, algorithm, associated, plaintext))?;
    Ok(PyBytes::new(py, &sealed))
}

/// Behind `mopse.passwords.decrypt`.
#[pyfunction]
pub(in crate::bindings) fn open_under_password<'py>(
    py: Python<'py>,
    password: &[u8],
    associated: &[u8],
    sealed: PyReadonlyArray1<'py, u8>,
) -> PyResult<Bound<'py, PyBytes>> {
    let sealed = sealed.as_slice()?;
    let plaintext = py.detach(|| password::open(password, associated, sealed))?;
    Ok(PyBytes::new(py, &plaintext))
}

/// Behind `mopse.passwords.hash`.
#[pyfunction]
pub(in crate::bindings) fn hash_password(py: Python<'_>, password: &[u8]) -> PyResult<String> {
    Ok(py.detach(|| password::hash(password, Cost::default()))?)
}

/// Behind `mopse.passwords.verify`.
#[pyfunction]
pub(in crate::bindings) fn verify_password(
    py: Python<'_>,
    password: &[u8],
    stored: &str,
) -> PyResult<()> {
    Ok(py.detach(|| password::verify(password, stored))?)
}

/// Behind `mopse.ciphers.legacy.pbe_derive`.
#[pyfunction]
pub(in crate::bindings) fn pbe_key<'py>(
    py: Python<'py>,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let (key, iv) = py.detach(|| pbe::derive(password, salt, iterations))?;
    Ok((PyBytes::new(py, key.as_slice()), PyBytes::new(py, iv.as_slice())))
}

/// Behind `mopse.ciphers.legacy.pbe_encrypt`.
#[pyfunction]
pub(in crate::bindings) fn pbe_seal<'py>(
    py: Python<'py>,
    password: &[u8],
    iterations: u32,
    plaintext: PyReadonlyArray1<'py, u8>,
) -> PyResult<Bound<'py, PyBytes>> {
    let plaintext = plaintext.as_slice()?;
    let sealed = py.detach(|| pbe::seal(password, iterations, plaintext))?;
    Ok(PyBytes::new(py, &sealed))
}

/// Behind `mopse.ciphers.legacy.pbe_decrypt`.
#[pyfunction]
pub(in crate::bindings) fn pbe_open<'py>(
    py: Python<'py>,
    password: &[u8],
    sealed: PyReadonlyArray1<'py, u8>,
) -> PyResult<Bound<'py, PyBytes>> {
    let sealed = sealed.as_slice()?;
    let plaintext = py.detach(|| pbe::open(password, sealed))?;
    Ok(PyBytes::new(py, &plaintext))
}
