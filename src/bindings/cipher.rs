pub(super) mod password;
pub(super) mod rsa;
pub(super) mod stream;

use numpy::{PyReadonlyArray1, PyReadwriteArray1};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::error::InvalidInputError;
use super::released;
use crate::cipher::legacy::credential;
use crate::cipher::secret_sharing;
use crate::cipher::{self, ALGORITHMS, Error, envelope, legacy};
use crate::keys::{self, Key};
use crate::pool::Pool;

/// Name, shortest and longest key, nonce, tag, block, longest plaintext; lengths in bytes.
type AlgorithmSpec = (&'static str, usize, usize, usize, usize, usize, u64);

/// Behind `mopse.ciphers.names` and `mopse.ciphers.algorithm`.
#[pyfunction]
pub(super) fn algorithms(is_legacy: bool) -> Vec<AlgorithmSpec> {
    let list: &[&cipher::Algorithm] = if is_legacy { &legacy::ALGORITHMS } else { &ALGORITHMS };
    let spec = |a: &&cipher::Algorithm| {
        let (least, most) = (*a.key_len.start(), *a.key_len.end());
        (a.name, least, most, a.nonce_len, a.tag_len, a.block_len, a.longest)
    };
    list.iter().map(spec).collect()
}

/// Behind `mopse.ciphers.Cipher`.
#[pyclass(module = "mopse._mopse.cipher", frozen)]
pub(super) struct Cipher {
    cipher: Box<dyn cipher::Cipher>,
    /// The cores it may use; all if there is none.
    pool: Option<Pool>,
}

impl Cipher {
    fn run<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        released(py, || match &self.pool {
            Some(pool) => pool.run(work),
            None => work(),
        })
    }
}

#[pymethods]
impl Cipher {
    #[new]
    fn new(name: &str, key: &[u8], is_legacy: bool, cores: Option<usize>) -> PyResult<Self> {
        let algorithm = if is_legacy { legacy::find(name)? } else { cipher::find(name)? };
        let cipher = algorithm.with_key(key)?;
        let pool = cores.map(Pool::of);
        let pool = pool.transpose().map_err(|_| {
            let got = cores.unwrap_or(0);
            InvalidInputError::new_err(format!(
                "the number of cores is {got}, expected what the system can start"
            ))
        })?;
        Ok(Self { cipher, pool })
    }

    fn sealed_len(&self, plaintext: usize) -> PyResult<usize> {
        Ok(self.cipher.algorithm().sealed_len(plaintext)?)
    }

    /// The nonce, then the ciphertext and tag.
    fn seal<'py>(
        &self,
        py: Python<'py>,
        nonce: &[u8],
        associated: &[u8],
        plaintext: PyReadonlyArray1<'py, u8>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let plaintext = plaintext.as_slice()?;
        let length = envelope::sealed_len(self.cipher.algorithm(), plaintext.len())?;
        PyBytes::new_with(py, length, |message| {
            self.run(py, || {
                envelope::seal_into(&*self.cipher, nonce, associated, plaintext, message)
            })
        })
    }

    fn seal_into(
        &self,
        py: Python<'_>,
        nonce: &[u8],
        associated: &[u8],
        plaintext: PyReadonlyArray1<'_, u8>,
        mut message: PyReadwriteArray1<'_, u8>,
    ) -> PyResult<()> {
        let (plaintext, message) = (plaintext.as_slice()?, message.as_slice_mut()?);
        self.run(py, || envelope::seal_into(&*self.cipher, nonce, associated, plaintext, message))
    }

    fn open<'py>(
        &self,
        py: Python<'py>,
        associated: &[u8],
        message: PyReadonlyArray1<'py, u8>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let message = message.as_slice()?;
        let algorithm = self.cipher.algorithm();
        let longest = message.len().saturating_sub(algorithm.nonce_len + algorithm.tag_len);
        let mut length = 0;
        let plaintext = PyBytes::new_with(py, longest, |plaintext| {
            length = self
                .run(py, || envelope::open_into(&*self.cipher, associated, message, plaintext))?;
            Ok(())
        })?;
        if length == longest {
            return Ok(plaintext);
        }
        Ok(PyBytes::new(py, &plaintext.as_bytes()[..length]))
    }

    fn open_into(
        &self,
        py: Python<'_>,
        associated: &[u8],
        message: PyReadonlyArray1<'_, u8>,
        mut plaintext: PyReadwriteArray1<'_, u8>,
    ) -> PyResult<usize> {
        let (message, plaintext) = (message.as_slice()?, plaintext.as_slice_mut()?);
        self.run(py, || envelope::open_into(&*self.cipher, associated, message, plaintext))
    }
}

fn slices(parts: &[PyBackedBytes]) -> Vec<&[u8]> {
    parts.iter().map(|part| &**part).collect()
}

/// Behind `mopse.ciphers.legacy.split_credential`.
#[pyfunction]
pub(super) fn split_credential<'py>(
    py: Python<'py>,
    credential: &[u8],
    keys: Vec<PyBackedBytes>,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let chunks = released(py, || credential::split(credential, &slices(&keys)))?;
    Ok(chunks.iter().map(|chunk| PyBytes::new(py, chunk)).collect())
}

/// Behind `mopse.ciphers.legacy.join_credential`.
#[pyfunction]
pub(super) fn join_credential<'py>(
    py: Python<'py>,
    chunks: Vec<PyBackedBytes>,
    keys: Vec<PyBackedBytes>,
) -> PyResult<Bound<'py, PyBytes>> {
    let joined = released(py, || credential::join(&slices(&chunks), &slices(&keys)))?;
    Ok(PyBytes::new(py, &joined))
}

/// Behind `mopse.ciphers.legacy.search_des_key`: keys, and the chunk in the clear.
#[pyfunction]
pub(super) fn search_des_key<'py>(
    py: Python<'py>,
    chunk: &[u8],
    length: usize,
    known: [u8; 8],
    unknown_bits: u32,
) -> PyResult<Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>> {
    let found = released(py, || credential::search(chunk, length, known, unknown_bits))?;
    let bytes = |found: &credential::Candidate| {
        (PyBytes::new(py, &found.key), PyBytes::new(py, &found.chunk))
    };
    Ok(found.iter().map(bytes).collect())
}

fn holders(keys: &[PyBackedBytes]) -> Result<Vec<Key>, keys::Error> {
    keys.iter().map(|key| Key::from_bytes(key)).collect()
}

/// Behind `mopse.secret_sharing.split`.
#[pyfunction]
pub(super) fn split_secret<'py>(
    py: Python<'py>,
    secret: &[u8],
    threshold: usize,
    keys: Vec<PyBackedBytes>,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let keys = holders(&keys)?;
    let shares = released(py, || secret_sharing::split(secret, threshold, &keys))?;
    Ok(shares.iter().map(|share| PyBytes::new(py, share)).collect())
}

/// Behind `mopse.secret_sharing.join`.
#[pyfunction]
pub(super) fn join_secret<'py>(
    py: Python<'py>,
    shares: Vec<PyBackedBytes>,
    keys: Vec<PyBackedBytes>,
) -> PyResult<Bound<'py, PyBytes>> {
    let keys = holders(&keys)?;
    let shares: Vec<_> = slices(&shares).into_iter().zip(&keys).collect();
    let secret = released(py, || secret_sharing::join(&shares))?;
    Ok(PyBytes::new(py, &secret))
}
