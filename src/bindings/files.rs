use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::cloud::{Announcement, Part};
use super::party::{Grants, Keyring, with_ids};
use crate::Error;
use crate::cipher;
use crate::cloud::attachments;
use crate::keys::Key;
use crate::message::attachment;
use crate::message::certificate::Owner;
use crate::party::attachments;
use crate::party::grants::Opener;

/// Behind what `mopse.Provider.attach` returns.
#[pyclass(module = "mopse._mopse", frozen)]
pub(super) struct FileUpload(file::FileUpload);

#[pymethods]
impl FileUpload {
    #[staticmethod]
    fn decode(py: Python<'_>, message: &[u8]) -> PyResult<Self> {
        Ok(Self(py.detach(|| file::FileUpload::decode(message))?))
    }

    fn check(&self, announcement: &Announcement) -> PyResult<()> {
        Ok(self.0.check(&announcement.0)?)
    }

    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.listed.owner.0
    }

    #[getter]
    fn provider(&self) -> String {
        self.0.listed.provider.path()
    }

    #[getter]
    fn file(&self) -> u128 {
        self.0.listed.file
    }

    #[getter]
    fn entries(&self) -> usize {
        self.0.entries.len()
    }
}

/// Behind `mopse.FileRequest`.
#[pyclass(module = "mopse._mopse", frozen)]
pub(super) struct FileRequest(file::FileRequest);

#[pymethods]
impl FileRequest {
    #[staticmethod]
    fn decode(message: &[u8]) -> PyResult<Self> {
        Ok(Self(file::FileRequest::decode(message)?))
    }

    fn check(&self, announcement: &Announcement, now: u64) -> PyResult<()> {
        Ok(self.0.check(&announcement.0, now)?)
    }

    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.owner.0
    }

    #[getter]
    fn expiry(&self) -> u64 {
        self.0.expiry
    }
}

/// Behind `mopse.FileListing` and `mopse.SealedFile`.
#[pyclass(module = "mopse._mopse", frozen)]
pub(super) struct StoredFile(file::Listed);

impl StoredFile {
    /// The key of the record it belongs to.
    fn record(&self, opener: &Opener) -> Result<Key, Error> {
        opener.key_of(self.0.handle).ok_or_else(|| self.not_granted())
    }

    fn not_granted(&self) -> Error {
        let what = format!("this record of {}", self.0.provider);
        Error::Scope { who: "the user".to_owned(), what }
    }
}

#[pymethods]
impl StoredFile {
    #[staticmethod]
    fn decode(message: &[u8]) -> PyResult<Self> {
        Ok(Self(file::Listed::decode(message)?))
    }

    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.encode())
    }

    #[getter]
    fn provider(&self) -> String {
        self.0.provider.path()
    }

    #[getter]
    fn file(&self) -> u128 {
        self.0.file
    }

    #[getter]
    fn size(&self) -> usize {
        self.0.description.len() + self.0.body.as_ref().map_or(0, Vec::len)
    }
}

/// Behind `mopse.Provider.attach`.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "they are those of `mopse.Provider.attach`")]
pub(super) fn attach_file<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    record_id: Bound<'py, PyAny>,
    cipher: &str,
    name: &str,
    media_type: &str,
    contents: PyReadonlyArray1<'py, u8>,
    keywords: Vec<PyBackedBytes>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (algorithm, contents) = (cipher::find(cipher)?, contents.as_slice()?);
    let (keywords, named) = (slices(&keywords), (name, media_type));
    let message = with_ids(&record_id, |id| {
        py.detach(|| keyring.write().attach(id, algorithm, named, contents, &keywords))
    })?;
    Ok(PyBytes::new(py, &message))
}

/// Behind `mopse.Owner.find`.
#[pyfunction]
pub(super) fn search_files<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    keywords: Vec<PyBackedBytes>,
    expiry: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    let keywords = slices(&keywords);
    let request = py.detach(|| keyring.read().search_files(&keywords, expiry))?;
    Ok(PyBytes::new(py, &request))
}

/// Behind `mopse.Provider.catch_up`.
#[pyfunction]
pub(super) fn catch_up(
    keyring: &Keyring,
    keywords: Vec<PyBackedBytes>,
    used: Vec<u64>,
) -> PyResult<()> {
    Ok(keyring.write().catch_up(&slices(&keywords), &used)?)
}

/// Behind `mopse.Owner.files_of`.
#[pyfunction]
pub(super) fn list_files<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    parts: Vec<PyRef<'py, Part>>,
    expiry: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    let records = parts.iter().map(|part| (part.0.provider.clone(), part.0.handles.clone()));
    Ok(PyBytes::new(py, &keyring.read().list_files(records.collect(), expiry)?))
}

/// Behind `mopse.Owner.fetch`.
#[pyfunction]
pub(super) fn fetch_file<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    file: u128,
    expiry: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &keyring.read().fetch_file(file, expiry)?))
}

fn slices(words: &[PyBackedBytes]) -> Vec<&[u8]> {
    words.iter().map(|word| &**word).collect()
}

/// Name, media type, size in bytes.
type Described = (String, String, u64);

fn described(description: attachments::Description) -> Described {
    (description.name, description.media_type, description.size)
}

fn opener(keyring: &Keyring, stored: &StoredFile) -> Result<Opener, Error> {
    let keyring = keyring.read();
    if stored.0.owner != keyring.owner() {
        return Err(Error::OtherOwner { what: "the file" });
    }
    keyring.opener(&stored.0.provider)
}

fn granted<'a>(grants: &'a Grants, stored: &StoredFile) -> Result<&'a Opener, Error> {
    grants.0.opener(stored.0.owner, &stored.0.provider).ok_or_else(|| stored.not_granted())
}

fn opened<'py>(
    py: Python<'py>,
    stored: &StoredFile,
    opener: &Opener,
) -> PyResult<(Described, Bound<'py, PyBytes>)> {
    let record = stored.record(opener)?;
    let (description, contents) = py.detach(|| attachments::open(&record, &stored.0))?;
    Ok((described(description), PyBytes::new(py, &contents)))
}

/// Behind `mopse.Owner.files`.
#[pyfunction]
pub(super) fn describe_file(keyring: &Keyring, stored: &StoredFile) -> PyResult<Described> {
    let record = stored.record(&opener(keyring, stored)?)?;
    Ok(described(attachments::describe(&record, &stored.0)?))
}

/// Behind `mopse.Owner.open_file`.
#[pyfunction]
pub(super) fn open_file<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    stored: &StoredFile,
) -> PyResult<(Described, Bound<'py, PyBytes>)> {
    opened(py, stored, &opener(keyring, stored)?)
}

/// Behind `mopse.User.files`.
#[pyfunction]
pub(super) fn describe_granted_file(grants: &Grants, stored: &StoredFile) -> PyResult<Described> {
    let record = stored.record(granted(grants, stored)?)?;
    Ok(described(attachments::describe(&record, &stored.0)?))
}

/// Behind `mopse.User.open_file`.
#[pyfunction]
pub(super) fn open_granted_file<'py>(
    py: Python<'py>,
    grants: &Grants,
    stored: &StoredFile,
) -> PyResult<(Described, Bound<'py, PyBytes>)> {
    opened(py, stored, granted(grants, stored)?)
}

/// Behind `mopse.stores.MemoryStore`.
#[pyclass(module = "mopse._mopse", frozen)]
pub(super) struct FileStore(RwLock<files::Files>);

#[pymethods]
impl FileStore {
    #[new]
    fn new() -> Self {
        Self(RwLock::default())
    }

    fn add(&self, py: Python<'_>, upload: &FileUpload) -> PyResult<()> {
        let upload = upload.0.clone();
        Ok(py.detach(|| self.write().add(upload))?)
    }

    fn remove(&self, py: Python<'_>, owner: [u8; 32], provider: &str) -> usize {
        py.detach(|| self.write().remove(Owner(owner), provider))
    }

    fn find(&self, py: Python<'_>, request: &FileRequest) -> Vec<StoredFile> {
        py.detach(|| self.read().find(&request.0)).into_iter().map(StoredFile).collect()
    }

    fn fetch(&self, py: Python<'_>, request: &FileRequest) -> PyResult<StoredFile> {
        Ok(StoredFile(py.detach(|| self.read().fetch(&request.0))?))
    }

    fn count_keywords(&self, py: Python<'_>, request: &FileRequest) -> Vec<u64> {
        py.detach(|| self.read().used(&request.0))
    }

    /// Files, their bytes, keyword entries.
    #[getter]
    fn totals(&self) -> (usize, usize, usize) {
        self.read().totals()
    }
}

impl FileStore {
    fn read(&self) -> RwLockReadGuard<'_, files::Files> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, files::Files> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
