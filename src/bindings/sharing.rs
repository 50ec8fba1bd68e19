use std::collections::{BTreeMap, BTreeSet};

use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::released;
use crate::lock::Lock;
use crate::sharing::Error;
use crate::sharing::pairing::{G2, Scalar};
use crate::sharing::reencryption::published::{
    self, Access, Capsule, Chunk, Ciphertext, Files, Label, Released, attacks,
};

type Bytes<'py> = Bound<'py, PyBytes>;

const SECRET: &str = "the secret key";

/// Behind `mopse.sharing.reencryption.published.Keys`.
#[pyclass(module = "mopse._mopse.sharing", frozen)]
pub(super) struct PublishedKeys(published::Keys);

#[pymethods]
impl PublishedKeys {
    #[new]
    fn new(py: Python<'_>, name: &str) -> PyResult<Self> {
        released(py, || published::Keys::generate(name)).map(Self)
    }

    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    #[getter]
    fn public<'py>(&self, py: Python<'py>) -> Bytes<'py> {
        PyBytes::new(py, &self.0.public().encode())
    }

    #[getter]
    fn secret<'py>(&self, py: Python<'py>) -> Bytes<'py> {
        PyBytes::new(py, self.0.secret().encode().as_slice())
    }

    /// The ciphertext, and the capsule.
    fn encrypt<'py>(
        &self,
        py: Python<'py>,
        file: &str,
        portion: &str,
        plaintext: PyReadonlyArray1<'py, u8>,
    ) -> PyResult<(Bytes<'py>, Bytes<'py>)> {
        let plaintext = plaintext.as_slice()?;
        let (ciphertext, capsule) = released(py, || {
            let (ciphertext, capsule) = self.0.encrypt(file, portion, plaintext)?;
            Ok::<_, Error>((ciphertext.encode(), capsule.encode()))
        })?;
        Ok((PyBytes::new(py, &ciphertext), PyBytes::new(py, &capsule)))
    }

    fn open<'py>(
        &self,
        py: Python<'py>,
        ciphertext: &[u8],
        re_encrypted: &[u8],
    ) -> PyResult<Bytes<'py>> {
        let plaintext = released(py, || {
            self.0.open(&Ciphertext::decode(ciphertext)?, &Released::decode(re_encrypted)?)
        })?;
        Ok(PyBytes::new(py, &plaintext))
    }

    fn open_own<'py>(
        &self,
        py: Python<'py>,
        ciphertext: &[u8],
        capsule: &[u8],
    ) -> PyResult<Bytes<'py>> {
        let plaintext = released(py, || {
            self.0.open_own(&Ciphertext::decode(ciphertext)?, &Capsule::decode(capsule)?)
        })?;
        Ok(PyBytes::new(py, &plaintext))
    }
}

/// Behind `mopse.sharing.reencryption.published.Server`.
#[pyclass(module = "mopse._mopse.sharing", frozen)]
pub(super) struct PublishedServer(Lock<published::Server>);

impl PublishedServer {
    /// What the server says, with the interpreter released.
    fn asked<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&published::Server) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        released(py, || Ok::<_, PyErr>(ask(&*self.0.read()?)?))
    }

    /// What the server says, and is another after.
    fn told<T: Send>(
        &self,
        py: Python<'_>,
        tell: impl FnOnce(&mut published::Server) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        released(py, || Ok::<_, PyErr>(tell(&mut *self.0.write()?)?))
    }
}

#[pymethods]
impl PublishedServer {
    #[new]
    fn new() -> Self {
        Self(Lock::new(published::Server::new()))
    }

    /// How many owners and users there are.
    #[getter]
    fn sizes(&self) -> PyResult<(usize, usize)> {
        Ok(self.0.read()?.sizes())
    }

    fn enroll(
        &self,
        py: Python<'_>,
        name: &str,
        portions: BTreeSet<String>,
        roles: BTreeMap<String, BTreeSet<String>>,
    ) -> PyResult<PublishedKeys> {
        let access = Access { portions, roles };
        self.told(py, |server| server.enroll(name, access)).map(PublishedKeys)
    }

    fn join(
        &self,
        py: Python<'_>,
        name: &str,
        role: &str,
        opens_all: bool,
        now: u64,
    ) -> PyResult<PublishedKeys> {
        let files = if opens_all { Files::All } else { Files::FromJoining };
        self.told(py, |server| server.join(name, role, files, now)).map(PublishedKeys)
    }

    fn approve(
        &self,
        py: Python<'_>,
        owner: &str,
        user: &str,
        portions: BTreeSet<String>,
    ) -> PyResult<()> {
        self.told(py, |server| server.approve(owner, user, portions))
    }

    fn leave(&self, py: Python<'_>, user: &str) -> PyResult<()> {
        self.told(py, |server| server.leave(user))
    }

    fn receive(&self, py: Python<'_>, owner: &str, capsule: &[u8], now: u64) -> PyResult<()> {
        self.told(py, |server| server.receive(owner, Capsule::decode(capsule)?, now))
    }

    fn release<'py>(
        &self,
        py: Python<'py>,
        label: (String, String, String),
        user: &str,
    ) -> PyResult<Bytes<'py>> {
        let (owner, file, portion) = label;
        let label = Label { owner, file, portion };
        let re_encrypted = self.asked(py, |server| Ok(server.release(&label, user)?.encode()))?;
        Ok(PyBytes::new(py, &re_encrypted))
    }

    fn re_encryption_key<'py>(
        &self,
        py: Python<'py>,
        owner: &str,
        user: &str,
    ) -> PyResult<Bytes<'py>> {
        let key = self.asked(py, |server| server.re_encryption_key(owner, user))?;
        Ok(PyBytes::new(py, &key.encode()))
    }

    fn escrow(&self, py: Python<'_>, name: &str) -> PyResult<PublishedKeys> {
        self.asked(py, |server| server.escrow(name).cloned()).map(PublishedKeys)
    }
}

/// Behind `mopse.attacks.read_with_escrow`.
#[pyfunction]
pub(super) fn by_escrow<'py>(
    py: Python<'py>,
    ciphertext: &[u8],
    capsule: &[u8],
    secret: &[u8],
) -> PyResult<Bytes<'py>> {
    let plaintext = released(py, || {
        let owner = Scalar::decode(secret, SECRET)?;
        attacks::by_escrow(&Ciphertext::decode(ciphertext)?, &Capsule::decode(capsule)?, &owner)
    })?;
    Ok(PyBytes::new(py, &plaintext))
}

/// Behind `mopse.attacks.read_with_reencryption_key`.
#[pyfunction]
pub(super) fn by_re_encryption_key<'py>(
    py: Python<'py>,
    ciphertext: &[u8],
    capsule: &[u8],
    key: &[u8],
    secret: &[u8],
) -> PyResult<Bytes<'py>> {
    let plaintext = released(py, || {
        let user = Scalar::decode(secret, SECRET)?;
        let key = G2::decode(key, "the re-encryption key")?;
        let (ciphertext, capsule) = (Ciphertext::decode(ciphertext)?, Capsule::decode(capsule)?);
        attacks::by_re_encryption_key(&ciphertext, &capsule, &key, &user)
    })?;
    Ok(PyBytes::new(py, &plaintext))
}

/// Behind `mopse.attacks.read_with_kept`.
#[pyfunction]
pub(super) fn by_kept<'py>(
    py: Python<'py>,
    ciphertext: &[u8],
    re_encrypted: &[u8],
    secret: &[u8],
) -> PyResult<Bytes<'py>> {
    let plaintext = released(py, || {
        let user = Scalar::decode(secret, SECRET)?;
        let kept = Released::decode(re_encrypted)?;
        attacks::by_kept(&Ciphertext::decode(ciphertext)?, &kept, &user)
    })?;
    Ok(PyBytes::new(py, &plaintext))
}

/// Behind `mopse.attacks.read_from_chunk`.
#[pyfunction]
pub(super) fn by_chunk<'py>(
    py: Python<'py>,
    ciphertext: &[u8],
    position: usize,
    chunk: &[u8],
) -> PyResult<Bytes<'py>> {
    let plaintext = released(py, || {
        attacks::by_chunk(&Ciphertext::decode(ciphertext)?, position, &Chunk::new(chunk)?)
    })?;
    Ok(PyBytes::new(py, &plaintext))
}

/// Behind `mopse.attacks.match_chunks`: for each chunk which candidate it is.
#[pyfunction]
pub(super) fn by_list(
    py: Python<'_>,
    ciphertext: &[u8],
    candidates: Vec<PyBackedBytes>,
) -> PyResult<Vec<Option<usize>>> {
    released(py, || {
        let candidates = candidates.iter().map(|candidate| Chunk::new(candidate));
        let candidates = candidates.collect::<Result<Vec<_>, _>>()?;
        Ok::<_, Error>(attacks::by_list(&Ciphertext::decode(ciphertext)?, &candidates))
    })
}

/// Behind `mopse.attacks.read_by_norm`.
#[pyfunction]
pub(super) fn by_norm<'py>(py: Python<'py>, ciphertext: &[u8]) -> PyResult<Bytes<'py>> {
    let plaintext = released(py, || attacks::by_norm(&Ciphertext::decode(ciphertext)?))?;
    Ok(PyBytes::new(py, &plaintext))
}
