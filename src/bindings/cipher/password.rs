use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

use crate::bindings::released;
use crate::cipher;
use crate::cipher::legacy::pbe;
use crate::cipher::password::{self, Ceiling, Cost, Derivation, opaque};

/// The form of a password that is sealed with.
#[pyfunction]
pub(in crate::bindings) fn enforce_password<'py>(
    py: Python<'py>,
    typed: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, opaque::enforce(typed)?.as_bytes()))
}

/// The forms of a password that are opened with, in order.
#[pyfunction]
pub(in crate::bindings) fn password_forms<'py>(
    py: Python<'py>,
    typed: &str,
) -> Vec<Bound<'py, PyBytes>> {
    opaque::forms(typed).iter().map(|form| PyBytes::new(py, form.as_bytes())).collect()
}

/// Behind `mopse.passwords.derive`.
#[pyfunction]
pub(in crate::bindings) fn password_key<'py>(
    py: Python<'py>,
    password: &[u8],
    salt: &[u8],
    derivation: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let derivation = Derivation::find(derivation)?;
    let key = released(py, || derivation.derive(password, salt))?;
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
        released(py, || password::seal(password, derivation, algorithm, associated, plaintext))?;
    Ok(PyBytes::new(py, &sealed))
}

/// Behind `mopse.passwords.decrypt`.
#[pyfunction]
pub(in crate::bindings) fn open_under_password<'py>(
    py: Python<'py>,
    password: &[u8],
    associated: &[u8],
    sealed: PyReadonlyArray1<'py, u8>,
    ceiling: (u32, u32, u32),
) -> PyResult<Bound<'py, PyBytes>> {
    let (ceiling, sealed) = (most(ceiling), sealed.as_slice()?);
    let open = || password::open_within(ceiling, password, associated, sealed);
    let plaintext = Zeroizing::new(released(py, open)?);
    Ok(PyBytes::new(py, &plaintext))
}

/// What a reader pays at most: MiB of memory, passes, iterations.
pub(in crate::bindings) fn most((memory, passes, iterations): (u32, u32, u32)) -> Ceiling {
    Ceiling { memory, passes, iterations }
}

/// Behind `mopse.passwords.hash`.
#[pyfunction]
pub(in crate::bindings) fn hash_password(py: Python<'_>, password: &[u8]) -> PyResult<String> {
    released(py, || password::hash(password, Cost::default()))
}

/// Behind `mopse.passwords.verify`.
#[pyfunction]
pub(in crate::bindings) fn verify_password(
    py: Python<'_>,
    password: &[u8],
    stored: &str,
    ceiling: (u32, u32, u32),
) -> PyResult<()> {
    released(py, || password::verify_within(most(ceiling), password, stored))
}

/// Behind `mopse.ciphers.legacy.pbe_derive`.
#[pyfunction]
pub(in crate::bindings) fn pbe_key<'py>(
    py: Python<'py>,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let (key, iv) = released(py, || pbe::derive(password, salt, iterations))?;
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
    let sealed = released(py, || pbe::seal(password, iterations, plaintext))?;
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
    let plaintext = released(py, || pbe::open(password, sealed))?;
    Ok(PyBytes::new(py, &plaintext))
}
