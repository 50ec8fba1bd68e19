use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::message::AuditRequest;
use super::released;
use crate::Error;
use crate::audit::entry::Entry;
use crate::audit::identity::Identity;
use crate::audit::{checkpoint, log, witness};
use crate::cloud::journal::What;
use crate::lock::Lock;
use crate::message::certificate::Owner;

/// Number, time, what, by whom, digest, amount.
type EntryColumns = (u64, u64, &'static str, String, [u8; 32], u64);
/// Identity, owner, size, root, time.
type CheckpointColumns = ([u8; 32], [u8; 32], u64, [u8; 32], u64);

/// An owner, and how many entries it has.
type Size = ([u8; 32], u64);

/// The words for what stands in a log.
#[pyfunction]
pub(super) fn words() -> Vec<&'static str> {
    What::all().map(What::word).collect()
}

/// Behind `mopse.sharing.AuditLog`.
#[pyclass(module = "mopse._mopse.audit", frozen)]
pub(super) struct Log(pub(super) Arc<log::Log>);

#[pymethods]
impl Log {
    /// The log in a file, with the identity in another; in memory without one.
    #[new]
    fn new(py: Python<'_>, paths: Option<(PathBuf, PathBuf)>) -> PyResult<Self> {
        let log = released(py, || match paths {
            None => Ok::<_, Error>(log::Log::in_memory(Identity::generate()?)),
            Some((path, identity)) => Ok(log::Log::open(&path, Identity::open(&identity)?)?),
        })?;
        Ok(Self(Arc::new(log)))
    }

    #[getter]
    fn identity(&self) -> [u8; 32] {
        self.0.identity()
    }

    /// How many entries an owner has.
    fn size(&self, owner: [u8; 32]) -> PyResult<u64> {
        Ok(self.0.len(&Owner(owner)).map_err(Error::from)?)
    }

    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        released(py, || self.0.sync().map_err(Error::from))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        released(py, || self.0.close().map_err(Error::from))
    }

    fn checkpoint<'py>(
        &self,
        py: Python<'py>,
        owner: [u8; 32],
        now: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let signed = released(py, || self.0.checkpoint(&Owner(owner), now).map_err(Error::from))?;
        Ok(PyBytes::new(py, &signed.encode()))
    }
}

/// How many entries each owner has in a log in a file, and how many bytes at its end are no whole entry; the
/// log must be the one of some checkpoints.
#[pyfunction]
pub(super) fn check_log(
    py: Python<'_>,
    path: PathBuf,
    checkpoints: Vec<PyRef<'_, Checkpoint>>,
) -> PyResult<(Vec<Size>, u64)> {
    let checkpoints: Vec<_> = checkpoints.iter().map(|checkpoint| checkpoint.0.clone()).collect();
    let (sizes, torn) = released(py, || log::Log::check(&path, &checkpoints).map_err(Error::from))?;
    Ok((sizes.into_iter().map(|(owner, size)| (owner.0, size)).collect(), torn))
}

/// What a cloud signed of an owner's log.
#[pyclass(module = "mopse._mopse.audit", frozen)]
pub(super) struct Checkpoint(checkpoint::Checkpoint);

#[pymethods]
impl Checkpoint {
    #[staticmethod]
    fn decode(py: Python<'_>, message: &[u8]) -> PyResult<Self> {
        Ok(Self(released(py, || checkpoint::Checkpoint::decode(message).map_err(Error::from))?))
    }

    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.encode())
    }

    #[getter]
    fn columns(&self) -> CheckpointColumns {
        let checkpoint::Checkpoint { identity, owner, size, root, time, .. } = &self.0;
        (*identity, owner.0, *size, *root, *time)
    }
}

/// Behind `mopse.sharing.Witness`.
#[pyclass(module = "mopse._mopse.audit", frozen)]
pub(super) struct Witness(Lock<witness::Witness>);

#[pymethods]
impl Witness {
    #[new]
    fn new(owner: [u8; 32], identity: Option<[u8; 32]>) -> Self {
        Self(Lock::new(witness::Witness::new(Owner(owner), identity)))
    }

    #[staticmethod]
    fn decode(py: Python<'_>, file: &[u8]) -> PyResult<Self> {
        let witness = released(py, || witness::Witness::decode(file).map_err(Error::from))?;
        Ok(Self(Lock::new(witness)))
    }

    fn encode<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.0.read()?.encode()))
    }

    #[getter]
    fn owner(&self) -> PyResult<[u8; 32]> {
        Ok(self.0.read()?.owner().0)
    }

    #[getter]
    fn identity(&self) -> PyResult<Option<[u8; 32]>> {
        Ok(self.0.read()?.identity())
    }

    #[getter]
    fn seen(&self) -> PyResult<Vec<Checkpoint>> {
        Ok(self.0.read()?.seen().iter().cloned().map(Checkpoint).collect())
    }

    /// Sizes that a request names.
    #[getter]
    fn sizes(&self) -> PyResult<Vec<u64>> {
        Ok(self.0.read()?.sizes())
    }

    /// Refuse another witness's checkpoint that contradicts what was seen.
    fn check(&self, other: &Checkpoint) -> PyResult<()> {
        Ok(self.0.read()?.check(&other.0).map_err(Error::from)?)
    }

    /// The entries that an answer gives, once it is found right.
    fn read(
        &self,
        py: Python<'_>,
        request: &AuditRequest,
        answer: PyBackedBytes,
        others: Vec<PyRef<'_, Checkpoint>>,
    ) -> PyResult<Vec<EntryColumns>> {
        let others: Vec<_> = others.iter().map(|other| other.0.clone()).collect();
        let entries = released(py, || {
            let mut witness = self.0.write()?;
            witness.read(&request.0, &answer, &others).map_err(Error::from).map_err(PyErr::from)
        })?;
        Ok(entries.into_iter().map(columns).collect())
    }
}

fn columns(entry: Entry) -> EntryColumns {
    let Entry { number, time, event, .. } = entry;
    (number, time, event.what.word(), event.who, event.digest, event.amount)
}
