use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::cloud::memory;
use crate::message::certificate::Owner;
use crate::message::token;
use crate::message::{announcement, answer, upload};

/// Behind `mopse.Cloud.enroll`.
#[pyclass(module = "mopse._mopse", frozen)]
pub(super) struct Announcement(pub(super) announcement::Announcement);

#[pymethods]
impl Announcement {
    #[staticmethod]
    fn decode(message: &[u8]) -> PyResult<Self> {
        Ok(Self(announcement::Announcement::decode(message)?))
    }

    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.owner.0
    }

    #[getter]
    fn number(&self) -> u64 {
        self.0.number
    }
}

/// Behind `mopse.Upload`.
#[pyclass(module = "mopse._mopse", frozen)]
pub(super) struct Upload(upload::Upload);

#[pymethods]
impl Upload {
    #[staticmethod]
    fn decode(py: Python<'_>, message: &[u8]) -> PyResult<Self> {
        Ok(Self(py.detach(|| upload::Upload::decode(message))?))
    }

    fn check(&self, announcement: &Announcement) -> PyResult<()> {
        Ok(self.0.check(&announcement.0)?)
    }

    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.owner.0
    }

    #[getter]
    fn provider(&self) -> String {
        self.0.provider.path()
    }

    #[getter]
    fn sequence(&self) -> u64 {
        self.0.sequence
    }

    #[getter]
    fn records(&self) -> usize {
        self.0.handles.len()
    }

    #[getter]
    fn entries(&self) -> Vec<(String, usize)> {
        self.0.runs.iter().map(|run| (run.field.clone(), run.ciphertexts.len())).collect()
    }
}

/// Behind `mopse.Query`.
#[pyclass(module = "mopse._mopse", frozen)]
pub(super) struct Token(token::Token);

#[pymethods]
impl Token {
    #[staticmethod]
    fn decode(message: &[u8]) -> PyResult<Self> {
        Ok(Self(token::Token::decode(message)?))
    }

    #[staticmethod]
    fn decode_all(messages: Vec<Bound<'_, PyBytes>>) -> PyResult<Vec<Self>> {
        let messages: Vec<&[u8]> = messages.iter().map(|message| message.as_bytes()).collect();
        Ok(token::Token::decode_all(&messages)?.into_iter().map(Self).collect())
    }

    fn check(&self, announcement: &Announcement, now: u64) -> PyResult<()> {
        Ok(self.0.check(&announcement.0, now)?)
    }

    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.owner.0
    }

    #[getter]
    fn group(&self) -> String {
        self.0.group.to_string()
    }

    #[getter]
    fn issuer(&self) -> String {
        self.0.issuer.subject().path()
    }

    #[getter]
    fn expiry(&self) -> u64 {
        self.0.expiry
    }

    #[getter]
    fn id(&self) -> u128 {
        self.0.id
    }

    #[getter]
    fn query(&self) -> u128 {
        self.0.query
    }

    #[getter]
    fn predicates(&self) -> Vec<(String, i64, i64)> {
        let bounds = |p: &token::Predicate| (p.field.clone(), p.low, p.high);
        self.0.predicates.iter().map(bounds).collect()
    }
}

/// Behind `mopse.Answer`.
#[pyclass(module = "mopse._mopse", frozen)]
pub(super) struct Part(pub(super) answer::Part);

#[pymethods]
impl Part {
    #[staticmethod]
    fn decode(message: &[u8]) -> PyResult<Self> {
        Ok(Self(answer::Part::decode(message)?))
    }

    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.encode())
    }

    #[getter]
    fn provider(&self) -> String {
        self.0.provider.path()
    }

    #[getter]
    fn query(&self) -> u128 {
        self.0.query
    }

    #[getter]
    fn records(&self) -> usize {
        self.0.handles.len()
    }

    #[getter]
    fn size(&self) -> usize {
        self.0.records.size() + self.0.layout.len() + 16 * self.0.handles.len()
    }
}

/// Behind `mopse.stores.MemoryStore`.
#[pyclass(module = "mopse._mopse", frozen)]
pub(super) struct Store(Mutex<memory::Store>);

impl Store {
    fn lock(&self) -> MutexGuard<'_, memory::Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ciphertexts, and the record of each.
type Entries<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<u32>>);

/// Owner, group, provider, records, bytes.
type Content = ([u8; 32], String, String, usize, usize);

#[pymethods]
impl Store {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    fn add(&self, py: Python<'_>, upload: &Upload) -> PyResult<()> {
        let upload = upload.0.clone();
        Ok(py.detach(|| self.lock().add(upload))?)
    }

    fn remove(&self, py: Python<'_>, owner: [u8; 32], provider: &str) -> usize {
        py.detach(|| self.lock().remove(Owner(owner), provider))
    }

    fn settle(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.lock().settle())?)
    }

    fn count(&self, py: Python<'_>, token: &Token) -> PyResult<usize> {
        Ok(py.detach(|| self.lock().count(&token.0))?)
    }

    fn search(&self, py: Python<'_>, token: &Token) -> PyResult<Vec<Part>> {
        let parts = py.detach(|| self.lock().search(&token.0))?;
        Ok(parts.into_iter().map(Part).collect())
    }

    fn merged<'py>(
        &self,
        py: Python<'py>,
        owner: [u8; 32],
        group: &str,
        field: &str,
    ) -> PyResult<Entries<'py>> {
        let copied = || {
            let mut store = self.lock();
            let merged = store.merged(Owner(owner), group, field);
            merged.map(|(ciphertexts, records)| (ciphertexts.to_vec(), records.to_vec()))
        };
        let (ciphertexts, records) = py.detach(copied)?;
        Ok((ciphertexts.into_pyarray(py), records.into_pyarray(py)))
    }

    #[getter]
    fn contents(&self) -> Vec<Content> {
        let line = |c: memory::Content| {
            (c.owner.0, c.group.to_string(), c.provider.path(), c.records, c.size)
        };
        self.lock().contents().into_iter().map(line).collect()
    }

    #[getter]
    fn entries(&self) -> usize {
        self.lock().entries()
    }
}
