use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::party::{Grants, Keyring};
use super::released;
use crate::keys::Key;
use crate::lock::Lock;
use crate::sharing::reencryption::{self, Envelope, Keys, Label, Name, Proxy, Public, Released};
use crate::sharing::{Error, user};

type Bytes<'py> = Bound<'py, PyBytes>;

/// Behind `mopse.sharing.reencryption.Keys`.
#[pyclass(module = "mopse._mopse.sharing", frozen)]
pub(super) struct ReaderKeys(Keys);

#[pymethods]
impl ReaderKeys {
    #[new]
    fn new(py: Python<'_>, secret: Option<&[u8]>) -> PyResult<Self> {
        let key = match secret {
            None => Key::generate()?,
            Some(secret) => Key::from_bytes(secret)?,
        };
        Ok(Self(py.detach(|| Keys::of(key))))
    }

    #[staticmethod]
    fn handed(py: Python<'_>, member: &Grants, sealed: &[u8]) -> PyResult<Self> {
        let member = member.user()?;
        released(py, || Ok::<_, PyErr>(Keys::handed(&*member.read()?, sealed)?)).map(Self)
    }

    #[getter]
    fn secret<'py>(&self, py: Python<'py>) -> Bytes<'py> {
        PyBytes::new(py, self.0.key().expose())
    }

    #[getter]
    fn public<'py>(&self, py: Python<'py>) -> Bytes<'py> {
        PyBytes::new(py, self.0.public().encode())
    }

    #[getter]
    fn name<'py>(&self, py: Python<'py>) -> Bytes<'py> {
        PyBytes::new(py, &self.0.public().name())
    }

    fn hand<'py>(&self, py: Python<'py>, member: &[u8]) -> PyResult<Bytes<'py>> {
        let sealed = released(py, || self.0.hand(&user::Public::decode(member)?))?;
        Ok(PyBytes::new(py, &sealed))
    }

    fn open<'py>(
        &self,
        py: Python<'py>,
        envelope: &[u8],
        re_encrypted: &[u8],
    ) -> PyResult<Bytes<'py>> {
        let grant = released(py, || {
            self.0.open(&Envelope::decode(envelope)?, &Released::decode(re_encrypted)?)
        })?;
        Ok(PyBytes::new(py, &grant))
    }
}

/// Behind `mopse.sharing.reencryption.Proxy`.
#[pyclass(module = "mopse._mopse.sharing", frozen)]
pub(super) struct ReencryptionProxy(Lock<Proxy>);

#[pymethods]
impl ReencryptionProxy {
    #[new]
    fn new() -> Self {
        Self(Lock::new(Proxy::new()))
    }

    /// How many keys there are.
    #[getter]
    fn size(&self) -> PyResult<usize> {
        Ok(self.0.read()?.len())
    }

    fn receive(&self, py: Python<'_>, key: &[u8]) -> PyResult<()> {
        let key = released(py, || reencryption::Key::decode(key))?;
        self.0.write()?.receive(&key);
        Ok(())
    }

    fn forget(&self, name: Name) -> PyResult<usize> {
        Ok(self.0.write()?.forget(&name))
    }

    fn release<'py>(&self, py: Python<'py>, envelope: &[u8], name: Name) -> PyResult<Bytes<'py>> {
        let re_encrypted = released(py, || {
            let envelope = Envelope::decode(envelope)?;
            Ok::<_, PyErr>(self.0.read()?.re_encrypt(&envelope, &name)?.encode())
        })?;
        Ok(PyBytes::new(py, &re_encrypted))
    }
}

/// Behind `mopse.sharing.reencryption.wrap`.
#[pyfunction]
pub(super) fn wrap<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    path: &str,
    portion: &str,
    epoch: Option<u32>,
    end: u64,
) -> PyResult<Bytes<'py>> {
    let wrapped = keyring.read(py, |keyring| {
        Envelope::wrap(keyring, &Label::of(keyring, path, portion, epoch)?, end)
    })??;
    Ok(PyBytes::new(py, wrapped.encode()))
}

/// Behind `mopse.sharing.reencryption.reencryption_key`.
#[pyfunction]
pub(super) fn re_encryption_key<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    path: &str,
    portion: &str,
    epoch: Option<u32>,
    public: &[u8],
) -> PyResult<Bytes<'py>> {
    let made = keyring.read(py, |keyring| {
        let public = Public::decode(public)?;
        reencryption::Key::make(keyring, &Label::of(keyring, path, portion, epoch)?, &public)
    })??;
    Ok(PyBytes::new(py, made.encode()))
}

/// Numbers of the readers' epochs of a provider: behind `mopse.sharing.reencryption.epochs`.
#[pyfunction]
pub(super) fn readers_epochs(py: Python<'_>, keyring: &Keyring, path: &str) -> PyResult<Vec<u32>> {
    keyring
        .read(py, |keyring| {
            let provider = keyring.find(path).map_err(Error::from)?;
            Ok::<_, Error>(keyring.readers(&provider).iter().map(|epoch| epoch.number).collect())
        })?
        .map_err(PyErr::from)
}

/// Owner, provider, portion and readers' epoch of an envelope.
#[pyfunction]
pub(super) fn label(py: Python<'_>, envelope: &[u8]) -> PyResult<([u8; 32], String, String, u32)> {
    let read = released(py, || Envelope::decode(envelope))?;
    let Label { owner, provider, portion, readers } = read.label();
    Ok((owner.0, provider.path(), portion.clone(), readers.number))
}
