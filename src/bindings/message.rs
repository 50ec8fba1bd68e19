use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::error::WrongTypeError;
use super::given::given;
use super::{halves, joined, released};
use crate::cloud::pages::Cursor;
use crate::cloud::proofs::lists::Catalogue;
use crate::cloud::{self, proofs, tables};
use crate::message::certificate::Owner;
use crate::message::notes::Note;
use crate::message::place::{Epoch, Group, Node, SALT_LEN};
use crate::message::query::{Predicate, Scope, Selection};
use crate::message::request::Ask;
use crate::message::seal::Fingerprint;
use crate::message::upload::{Portion, Run, Version};
use crate::message::{
    self, announcement, answer, attachment, audit, catalogue, incoming, listing, notes, permission,
    piece, query, removal, request, seal, sums, upload,
};
use crate::stop;
use crate::wire::{self, Blobs};

type Handles<'py> = Bound<'py, PyArray2<u64>>;
type Column<'py, T> = Bound<'py, PyArray1<T>>;
/// Where each of some byte strings ends, and all bytes.
type Packed<'py> = (Column<'py, u64>, Bound<'py, PyBytes>);
/// Field, ciphertexts, number of the record of each.
type RunColumns<'py> = (String, Column<'py, i64>, Column<'py, u32>);
type LentRun<'py> = (String, PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, u32>);

/// Handles as Python takes them: the high and the low half of each.
fn handles<'py>(py: Python<'py>, handles: &[u128]) -> PyResult<Handles<'py>> {
    let halves: Vec<[u64; 2]> = handles.iter().copied().map(halves).collect();
    let rows = halves.len();
    PyArray1::from_vec(py, halves.into_flattened()).reshape([rows, 2])
}

fn lent_handles(lent: &PyReadonlyArray2<'_, u64>) -> PyResult<Vec<u128>> {
    Ok(lent.as_slice()?.as_chunks().0.iter().map(|&halves| joined(halves)).collect())
}

fn packed<'py>(py: Python<'py>, blobs: &Blobs) -> Packed<'py> {
    (blobs.ends().to_vec().into_pyarray(py), PyBytes::new(py, blobs.bytes()))
}

/// An epoch as Python takes it: its number, and its salt or no bytes.
pub(super) type EpochPair = (u32, Vec<u8>);
/// A place as Python takes it: its path, and the epoch of each name in it.
pub(super) type Place = (String, Vec<EpochPair>);
/// A place, and the handle and version of each record that is removed there.
type RemovedRows = (Vec<EpochPair>, Vec<(u128, u128)>);
/// Name, sealed layout, sealed records.
/// Name, layout, and where each byte string of a column ends, and all of them.
type ColumnPortion<'py> =
    (String, PyBackedBytes, PyReadonlyArray1<'py, u64>, PyReadonlyArray1<'py, u8>);

type PortionColumns<'py> = (String, Bound<'py, PyBytes>, Packed<'py>);
type LentPortion<'py> = (String, Vec<u8>, (PyReadonlyArray1<'py, u64>, PyBackedBytes));

pub(super) fn pair(epoch: &Epoch) -> EpochPair {
    (epoch.number, epoch.salt().to_vec())
}

pub(super) fn epoch((number, salt): EpochPair) -> PyResult<Epoch> {
    let salt = if salt.is_empty() {
        None
    } else {
        let (expected, got) = (SALT_LEN, salt.len());
        let wrong = message::Error::Length { what: "the salt of an epoch", expected, got };
        Some(salt.try_into().map_err(|_| wrong)?)
    };
    Ok(Epoch { number, salt })
}

pub(super) fn pairs(node: &Node) -> Vec<EpochPair> {
    node.epochs().iter().map(pair).collect()
}

pub(super) fn place(path: &str, epochs: Vec<EpochPair>) -> PyResult<Node> {
    let epochs = epochs.into_iter().map(epoch).collect::<PyResult<Vec<_>>>()?;
    Ok(Node::of(path, &epochs)?)
}

fn portions<'py>(py: Python<'py>, portions: &[Portion]) -> Vec<PortionColumns<'py>> {
    let columns = |portion: &Portion| {
        let layout = PyBytes::new(py, &portion.layout);
        (portion.name.clone(), layout, packed(py, &portion.records))
    };
    portions.iter().map(columns).collect()
}

fn lent_portions(lent: Vec<LentPortion<'_>>) -> PyResult<Vec<Portion>> {
    let portion = |(name, layout, (ends, bytes)): LentPortion<'_>| {
        let records = Blobs::new(ends.as_slice()?.to_vec(), bytes.to_vec())?;
        Ok(Portion { name, layout, records })
    };
    lent.into_iter().map(portion).collect()
}

/// What a cloud keeps of an authority.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Announcement {
    pub(super) announcement: announcement::Announcement,
    pub(super) message: Py<PyBytes>,
}

#[pymethods]
impl Announcement {
    /// Read what travelled, and verify its signature if it has one.
    #[staticmethod]
    fn decode(
        py: Python<'_>,
        #[pyo3(from_py_with = given)] message: Bound<'_, PyBytes>,
    ) -> PyResult<Self> {
        let bytes = message.as_bytes();
        let announcement = released(py, || announcement::Announcement::decode(bytes))?;
        Ok(Self { announcement, message: message.unbind() })
    }

    /// Verification key of the owner, 32 bytes.
    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.announcement.owner.0
    }

    /// The path of the authority and the epochs of its places; empty for the owner.
    #[getter]
    fn place(&self) -> Place {
        let authority = &self.announcement.authority;
        (authority.path(), pairs(authority))
    }

    /// Its number, from 1 on.
    #[getter]
    fn number(&self) -> u64 {
        self.announcement.number()
    }

    /// The names of who belongs to the authority.
    #[getter]
    fn members(&self) -> Vec<String> {
        let members = self.announcement.members.iter();
        members.filter(|member| member.last.is_none()).map(|m| m.name.clone()).collect()
    }

    /// Whether it comes later in the chain than one that is known; not if it is the same.
    fn follows(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] known: PyRef<'_, Self>,
    ) -> PyResult<bool> {
        let known = &known.announcement;
        released(py, || self.announcement.follows(known))
    }

    /// The announcement as it came, signed.
    #[getter]
    fn message(&self, py: Python<'_>) -> Py<PyBytes> {
        self.message.clone_ref(py)
    }
}

/// Refuse what is of an epoch that its group has left, by the announcements that a store has kept.
fn check_epochs(announcements: &[PyBackedBytes], provider: &Node) -> PyResult<()> {
    let kept = announcements
        .iter()
        .map(|message| announcement::Announcement::decode(message).map(Arc::new))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(announcement::Announced::shown(&kept)?.accepts(provider)?)
}

/// Behind `mopse.Upload`, and what a store is handed of one.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct StoredUpload(pub(super) upload::Upload);

#[pymethods]
impl StoredUpload {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "the columns of an upload")]
    fn new(
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] provider: String,
        #[pyo3(from_py_with = given)] epochs: Vec<EpochPair>,
        #[pyo3(from_py_with = given)] number: u128,
        #[pyo3(from_py_with = given)] schema: [u8; 32],
        #[pyo3(from_py_with = given)] readers: EpochPair,
        #[pyo3(from_py_with = given)] handles: PyReadonlyArray2<'_, u64>,
        #[pyo3(from_py_with = given)] portions: Vec<LentPortion<'_>>,
        #[pyo3(from_py_with = given)] runs: Vec<LentRun<'_>>,
    ) -> PyResult<Self> {
        let run = |(field, ciphertexts, records): LentRun<'_>| -> PyResult<Run> {
            let ciphertexts = ciphertexts.as_slice()?.to_vec();
            Ok(Run { field, ciphertexts, records: records.as_slice()?.to_vec() })
        };
        let runs = runs.into_iter().map(run).collect::<PyResult<_>>()?;
        Ok(Self(upload::Upload::new(
            Owner(owner),
            place(&provider, epochs)?,
            number,
            schema,
            epoch(readers)?,
            lent_handles(&handles)?,
            lent_portions(portions)?,
            runs,
        )?))
    }

    /// Read what travelled, and verify its signature if it has one.
    #[staticmethod]
    fn decode(
        py: Python<'_>,
        #[pyo3(from_py_with = given)] message: PyBackedBytes,
    ) -> PyResult<Self> {
        Ok(Self(released(py, || upload::Upload::decode(&message))?))
    }

    /// Verification key of the owner, 32 bytes.
    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.owner.0
    }

    /// Path of the provider.
    #[getter]
    fn provider(&self) -> String {
        self.0.provider.path()
    }

    /// The epoch of each name of the path: number, and salt or no bytes.
    #[getter]
    fn epochs(&self) -> Vec<EpochPair> {
        pairs(&self.0.provider)
    }

    /// The group of the provider.
    #[getter]
    fn group(&self) -> Option<String> {
        Group::of(&self.0.provider).map(|group| group.to_string())
    }

    /// Its random number.
    #[getter]
    fn id(&self) -> u128 {
        self.0.id
    }

    /// SHA-256 of what was signed, 32 bytes; zeros of one that was made of columns.
    #[getter]
    fn digest(&self) -> [u8; 32] {
        self.0.digest
    }

    /// SHA-256 of the schema, 32 bytes.
    #[getter]
    fn schema(&self) -> [u8; 32] {
        self.0.schema
    }

    /// The readers' epoch that the records are sealed in.
    #[getter]
    fn readers(&self) -> EpochPair {
        pair(&self.0.readers)
    }

    /// When it was made, in hours since 1970; 0 if that is not said.
    #[getter]
    fn hours(&self) -> u32 {
        self.0.hours
    }

    /// Pseudonyms of the records: high and low half of each.
    #[getter]
    fn handles<'py>(&self, py: Python<'py>) -> PyResult<Handles<'py>> {
        handles(py, &self.0.handles)
    }

    /// Name, sealed layout, where each sealed record ends and all their bytes, for every portion.
    #[getter]
    fn portions<'py>(&self, py: Python<'py>) -> Vec<PortionColumns<'py>> {
        portions(py, &self.0.portions)
    }

    /// Refuse it if its provider's group has left its epoch, by the announcements that are kept.
    fn check_epochs(
        &self,
        #[pyo3(from_py_with = given)] announcements: Vec<PyBackedBytes>,
    ) -> PyResult<()> {
        check_epochs(&announcements, &self.0.provider)
    }

    /// The version that each record has from now on.
    fn versions(&self, py: Python<'_>) -> PyResult<Vec<u128>> {
        let upload = &self.0;
        let version = |(row, &handle): (usize, &u128)| {
            stop::check();
            let digest = upload::digest_of_row(&upload.portions, row);
            Version::new(upload.id, handle, &digest).0
        };
        let versions = || upload.handles.iter().enumerate().map(version).collect();
        released(py, || Ok::<_, Infallible>(versions()))
    }

    /// The digest of each record's sealed portions, 32 bytes each.
    fn digests<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let portions = &self.0.portions;
        let digest = |row| {
            stop::check();
            upload::digest_of_row(portions, row)
        };
        let digests = || (0..self.0.handles.len()).map(digest).collect::<Vec<_>>();
        let digests = released(py, || Ok::<_, Infallible>(digests()))?;
        Ok(digests.iter().map(|digest| PyBytes::new(py, digest)).collect())
    }

    /// What of the message that it came as shows which versions it replaces or removes, and where in that each
    /// stands.
    fn evidence<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given)] message: PyBackedBytes,
    ) -> PyResult<(Bound<'py, PyBytes>, HashMap<u128, u64>)> {
        let made = || sums::Evidence::of(&self.0, &message);
        let (evidence, places) = released(py, || Ok::<_, Infallible>(made()))?;
        let places = places.into_iter().map(|(version, at)| (version.0, at)).collect();
        Ok((PyBytes::new(py, &evidence.encode()), places))
    }

    /// Rows that replace others, each with the version that it replaces.
    #[getter]
    fn replaced(&self) -> Vec<(u32, u128)> {
        self.0.replaced.iter().map(|replaced| (replaced.row, replaced.version.0)).collect()
    }

    /// Places, and the handle and version of each record that is removed there.
    #[getter]
    fn removed(&self) -> Vec<RemovedRows> {
        let removed = |removed: &upload::Removed| {
            let rows = removed.rows.iter().map(|&(handle, version)| (handle, version.0));
            (pairs(&removed.provider), rows.collect())
        };
        self.0.removed.iter().map(removed).collect()
    }

    /// Field, ascending ciphertexts and record of each, for every field.
    #[getter]
    fn runs<'py>(&self, py: Python<'py>) -> Vec<RunColumns<'py>> {
        let run = |run: &Run| {
            let ciphertexts = run.ciphertexts.clone().into_pyarray(py);
            (run.field.clone(), ciphertexts, run.records.clone().into_pyarray(py))
        };
        self.0.runs.iter().map(run).collect()
    }

    /// How many entries each field has.
    #[getter]
    fn entries(&self) -> Vec<(String, usize)> {
        self.0.runs.iter().map(|run| (run.field.clone(), run.ciphertexts.len())).collect()
    }

    fn __len__(&self) -> usize {
        self.0.handles.len()
    }
}

/// What a store is handed of a piece of an upload.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Piece(pub(super) piece::Piece);

#[pymethods]
impl Piece {
    /// Read what travelled, and verify it.
    #[staticmethod]
    fn decode(
        py: Python<'_>,
        #[pyo3(from_py_with = given)] message: PyBackedBytes,
    ) -> PyResult<Self> {
        Ok(Self(released(py, || piece::Piece::decode(&message))?))
    }

    /// Verification key of the owner, 32 bytes.
    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.owner.0
    }

    /// Path of the provider.
    #[getter]
    fn provider(&self) -> String {
        self.0.provider.path()
    }

    /// The epoch of each name of the path: number, and salt or no bytes.
    #[getter]
    fn epochs(&self) -> Vec<EpochPair> {
        pairs(&self.0.provider)
    }

    /// SHA-256 of what was signed of the upload, 32 bytes.
    #[getter]
    fn digest(&self) -> [u8; 32] {
        self.0.digest
    }

    /// Number and bytes of each chunk.
    fn chunks<'py>(&self, py: Python<'py>) -> Vec<(u64, Bound<'py, PyBytes>)> {
        let chunk = |(number, bytes): (u64, &[u8])| (number, PyBytes::new(py, bytes));
        self.0.chunks().map(chunk).collect()
    }
}

/// What makes pieces of an upload.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Pieces {
    upload: PyBackedBytes,
    of: piece::Pieces,
}

#[pymethods]
impl Pieces {
    #[new]
    fn new(py: Python<'_>, upload: PyBackedBytes) -> PyResult<Self> {
        let of = released(py, || piece::Pieces::new(&upload))?;
        Ok(Self { upload, of })
    }

    /// Consecutive chunks from one on to another, as they travel.
    fn piece<'py>(&self, py: Python<'py>, first: usize, end: usize) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.of.piece(&self.upload, first..end)))
    }

    /// How many chunks there are.
    fn __len__(&self) -> usize {
        self.of.count()
    }
}

/// The version of the tombstone that an upload leaves of a record.
#[pyfunction]
pub(super) fn tombstone(
    #[pyo3(from_py_with = given)] upload: u128,
    #[pyo3(from_py_with = given)] handle: u128,
) -> u128 {
    Version::of_tombstone(upload, handle).0
}

/// Behind `mopse.messages.Permission`.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Permission(pub(super) permission::Permit);

#[pymethods]
impl Permission {
    /// Read what travelled, and verify it.
    #[staticmethod]
    fn decode(
        py: Python<'_>,
        #[pyo3(from_py_with = given)] message: PyBackedBytes,
    ) -> PyResult<Self> {
        Ok(Self(released(py, || permission::Permit::decode(&message))?))
    }

    /// Verification key of the owner, 32 bytes.
    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.permission.owner.0
    }

    /// Path of who may amend.
    #[getter]
    fn provider(&self) -> String {
        self.0.permission.amender.path()
    }

    /// Path of whose records.
    #[getter]
    fn of(&self) -> String {
        self.0.permission.amended.path()
    }

    /// When it ends, in seconds since 1970.
    #[getter]
    fn end(&self) -> u64 {
        self.0.permission.end
    }

    /// How many records it names.
    fn __len__(&self) -> usize {
        self.0.records.len()
    }
}

/// Behind `mopse.messages.Removal`, and what a store is handed of one.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Removal(pub(super) removal::Removal);

#[pymethods]
impl Removal {
    /// Read what travelled, and verify its signature if it has one.
    #[staticmethod]
    fn decode(
        py: Python<'_>,
        #[pyo3(from_py_with = given)] message: PyBackedBytes,
    ) -> PyResult<Self> {
        Ok(Self(released(py, || removal::Removal::decode(&message))?))
    }

    /// Verification key of the owner, 32 bytes.
    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.owner.0
    }

    /// Path of the provider whose records end.
    #[getter]
    fn provider(&self) -> String {
        self.0.provider.path()
    }

    /// Its random number.
    #[getter]
    fn id(&self) -> u128 {
        self.0.id
    }

    /// SHA-256 of what was signed, 32 bytes.
    #[getter]
    fn digest(&self) -> [u8; 32] {
        self.0.digest
    }

    /// What travelled.
    #[getter]
    fn message<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.bytes)
    }
}

/// Behind `mopse.messages.Seal`.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Seal(pub(super) seal::Sealed);

#[pymethods]
impl Seal {
    /// Read what travelled, and verify its signature and its tables.
    #[staticmethod]
    fn decode(
        py: Python<'_>,
        #[pyo3(from_py_with = given)] message: PyBackedBytes,
    ) -> PyResult<Self> {
        Ok(Self(released(py, || seal::Sealed::decode(&message))?))
    }

    /// Verification key of the owner, 32 bytes.
    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.seal.owner.0
    }

    /// Path of the provider.
    #[getter]
    fn provider(&self) -> String {
        self.0.seal.place.path()
    }

    /// The epoch of each name of the path, where its rows are: number, and salt or no bytes.
    #[getter]
    fn epochs(&self) -> Vec<EpochPair> {
        pairs(&self.0.seal.place)
    }

    /// Refuse it if its provider's group has left its epoch, by the announcements that are kept.
    fn check_epochs(
        &self,
        #[pyo3(from_py_with = given)] announcements: Vec<PyBackedBytes>,
    ) -> PyResult<()> {
        check_epochs(&announcements, &self.0.seal.provider)
    }

    /// Refuse it if it does not follow the last seal of its place, or the one before all was removed.
    fn check_next(
        &self,
        #[pyo3(from_py_with = given)] last: Option<PyRef<'_, Self>>,
        #[pyo3(from_py_with = given)] removed: Option<PyRef<'_, Self>>,
    ) -> PyResult<()> {
        let (last, removed) = (last.as_ref().map(|of| &of.0), removed.as_ref().map(|of| &of.0));
        Ok(proofs::check_next(&self.0, last, removed)?)
    }

    /// Refuse it if its rows are not those of the last seal without some that are gone (upload, handle and
    /// digest of each), and those of the uploads that came since.
    fn check_rows(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] last: Option<PyRef<'_, Self>>,
        #[pyo3(from_py_with = given)] gone: Vec<(u128, u128, [u8; 32])>,
        since: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (mut rows, mut sum) = match &last {
            Some(last) => (last.0.seal.rows, last.0.seal.fingerprint),
            None => (0, Fingerprint::default()),
        };
        for (upload, handle, digest) in &gone {
            sum = sum.without(Fingerprint::of(*upload, *handle, digest));
        }
        let wrong = || WrongTypeError::new_err("since must be uploads, each a StoredUpload");
        for upload in since.try_iter().map_err(|_| wrong())? {
            let upload = upload.map_err(|error| match error.is_instance_of::<PyTypeError>(py) {
                true => wrong(),
                false => error,
            })?;
            let upload = upload.cast::<StoredUpload>().map_err(|_| wrong())?.get().0.clone();
            rows += upload.handles.len() as u64;
            sum = sum.with(released(py, || Ok::<_, Infallible>(proofs::sum_of(&upload)))?);
        }
        Ok(proofs::check_rows(&self.0, rows.saturating_sub(gone.len() as u64), sum)?)
    }

    /// Refuse it if its files are not these.
    fn check_files(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] files: Vec<PyRef<'_, StoredFile>>,
    ) -> PyResult<()> {
        let files = files.iter().map(|file| file.0.filed()).collect();
        let sealed = Arc::new(self.0.clone());
        released(py, || Catalogue::new(&sealed, files)).map(drop)
    }

    /// Its number, from 1 on.
    #[getter]
    fn number(&self) -> u64 {
        self.0.seal.number
    }

    /// What stands for it, 32 bytes.
    #[getter]
    fn digest(&self) -> [u8; 32] {
        self.0.digest
    }

    /// When it was made, in hours since 1970; 0 if that is not said.
    #[getter]
    fn hours(&self) -> u32 {
        self.0.seal.hours
    }

    /// How many slots the table of each field has.
    #[getter]
    fn tables(&self) -> Vec<(String, u32)> {
        let tables = self.0.seal.tables.iter();
        tables.map(|table| (table.field.clone(), table.slots)).collect()
    }

    /// The slots of the table of a field: high and low half of each.
    fn slots<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given)] field: String,
    ) -> PyResult<Option<Handles<'py>>> {
        self.0.slots(&field).map(|slots| handles(py, slots)).transpose()
    }

    /// How many bytes the signed head has.
    #[getter]
    fn head_size(&self) -> usize {
        self.0.head.len()
    }

    fn __len__(&self) -> usize {
        wire::length(self.0.seal.rows)
    }
}

/// What goes with an answer so that it proves itself.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Proof(pub(super) sums::Proof);

#[pymethods]
impl Proof {
    /// Read what travelled.
    #[staticmethod]
    fn decode(
        py: Python<'_>,
        #[pyo3(from_py_with = given)] message: PyBackedBytes,
    ) -> PyResult<Self> {
        Ok(Self(released(py, || sums::Proof::decode(&message))?))
    }

    /// The proof as it travels.
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.0.encode()))
    }

    /// The state that it is of.
    #[getter]
    fn snapshot(&self) -> u64 {
        self.0.snapshot
    }

    /// How many heads of seals there are, and how many bytes these have.
    #[getter]
    fn heads(&self) -> (usize, usize) {
        (self.0.heads.len(), self.0.heads.iter().map(Vec::len).sum())
    }

    /// Whether it holds what proves by sums, and by signatures; neither where nothing was asked for.
    #[getter]
    fn kinds(&self) -> (bool, bool) {
        let ranges = || self.0.tokens.iter().flat_map(|token| &token.ranges);
        let has_sums = ranges().any(|range| !range.sums.is_empty());
        let has_entries = ranges().any(|range| !range.stretches.is_empty());
        (has_sums, has_entries || !self.0.announcements.is_empty())
    }

    /// How many rows a proof of a count names.
    #[getter]
    fn count(&self) -> usize {
        let hits = self.0.tokens.iter().flat_map(|token| &token.hits);
        hits.map(|listed| listed.rows.len()).sum()
    }
}

/// A place as Python takes it.
pub(super) fn told(node: &Node) -> Place {
    (node.path(), pairs(node))
}

/// What a query asks of one group.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Token(query::Token);

#[pymethods]
impl Token {
    /// A random number of its own, which the parts of its answer name.
    #[getter]
    fn id(&self) -> u128 {
        self.0.id
    }

    /// The group, for people to read.
    #[getter]
    fn group(&self) -> String {
        self.0.group.to_string()
    }

    /// The path of the group's authority, and with it what names the group: the epochs from the owner's
    /// on, the authority's last, which are those of its providers' places.
    #[getter]
    fn place(&self) -> Place {
        let Group { authority, epoch } = &self.0.group;
        (authority.path(), [pairs(authority), vec![pair(epoch)]].concat())
    }

    /// The name of the provider whose records are asked for; None for all of the group.
    #[getter]
    fn provider(&self) -> Option<&str> {
        match &self.0.scope {
            Scope::Group => None,
            Scope::One(name) => Some(name),
        }
    }

    /// ``"ranges"``, ``"records"`` or ``"all"``.
    #[getter]
    fn asks(&self) -> &'static str {
        match self.0.selection {
            Selection::Ranges(_) => "ranges",
            Selection::Records(_) => "records",
            Selection::All => "all",
        }
    }

    /// Field, lowest and highest ciphertext, of each range.
    #[getter]
    fn predicates(&self) -> Vec<(String, i64, i64)> {
        let Selection::Ranges(predicates) = &self.0.selection else { return Vec::new() };
        predicates.iter().map(|p| (p.field.clone(), p.low, p.high)).collect()
    }

    /// Field, and the slots of a seal's table where it begins and ends, of each range that is to be proven.
    #[getter]
    fn slots(&self) -> Vec<(String, u32, u32)> {
        let Selection::Ranges(predicates) = &self.0.selection else { return Vec::new() };
        let of = |p: &Predicate| p.slots.map(|[low, high]| (p.field.clone(), low, high));
        predicates.iter().filter_map(of).collect()
    }

    /// Pseudonyms of the records that are asked for by them, ascending.
    #[getter]
    fn handles(&self) -> Vec<u128> {
        match &self.0.selection {
            Selection::Records(handles) => handles.clone(),
            _ => Vec::new(),
        }
    }
}

/// Behind `mopse.Query`, and what a store is handed of one.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Query(pub(super) query::Query);

#[pymethods]
impl Query {
    /// Read what travelled, and verify its signature if it has one.
    #[staticmethod]
    fn decode(
        py: Python<'_>,
        #[pyo3(from_py_with = given)] message: PyBackedBytes,
    ) -> PyResult<Self> {
        Ok(Self(released(py, || query::Query::decode(&message))?))
    }

    /// Verification key of the owner, 32 bytes.
    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.owner.0
    }

    /// SHA-256 of the schema, 32 bytes.
    #[getter]
    fn schema(&self) -> [u8; 32] {
        self.0.schema
    }

    /// Its random number, which its answer names.
    #[getter]
    fn id(&self) -> u128 {
        self.0.id
    }

    /// Path of whoever issued it; empty for the owner.
    #[getter]
    fn issuer(&self) -> String {
        self.0.issuer.subject().path()
    }

    /// When it ends, in seconds since 1970.
    #[getter]
    fn expiry(&self) -> u64 {
        self.0.expiry
    }

    /// One per group.
    #[getter]
    fn tokens(&self) -> Vec<Token> {
        self.0.tokens.iter().cloned().map(Token).collect()
    }

    fn __len__(&self) -> usize {
        self.0.tokens.len()
    }
}

/// Behind `mopse.Answer`, and what a store answers with.
#[pyclass(module = "mopse._mopse.message", frozen, from_py_object)]
#[derive(Clone)]
pub(super) struct Part(pub(super) answer::Part);

/// A part of some rows of columns: the halves of their handles, and each portion with where its byte
/// strings end and all of them.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the columns of a part")]
pub(super) fn gathered(
    py: Python<'_>,
    owner: [u8; 32],
    token: u128,
    snapshot: u64,
    page: u32,
    is_last: bool,
    provider: &str,
    epochs: Vec<EpochPair>,
    upload: u128,
    readers: EpochPair,
    rows: PyReadonlyArray1<'_, u32>,
    halves: [PyReadonlyArray1<'_, i64>; 2],
    portions: Vec<ColumnPortion<'_>>,
) -> PyResult<Part> {
    let (provider, readers) = (place(provider, epochs)?, epoch(readers)?);
    let (rows, [high, low]) = (rows.as_slice()?, &halves);
    let (high, low) = (high.as_slice()?, low.as_slice()?);
    let mut columns = Vec::with_capacity(portions.len());
    for (name, layout, ends, bytes) in &portions {
        let packed = wire::Packed::new(ends.as_slice()?, bytes.as_slice()?)?;
        columns.push((name.clone(), layout.to_vec(), packed));
    }
    let owner = Owner(owner);
    let part = released(py, || -> Result<answer::Part, cloud::Error> {
        let handles = tables::handles(high, low, rows)?;
        let portions = columns.into_iter().map(|(name, layout, packed)| {
            let records = tables::in_order(&packed, rows)?;
            Ok(Portion { name, layout, records })
        });
        let portions = portions.collect::<Result<_, cloud::Error>>()?;
        Ok(answer::Part {
            owner,
            token,
            snapshot,
            page,
            is_last,
            provider,
            upload,
            readers,
            handles,
            portions,
            removed: Vec::new(),
        })
    })?;
    Ok(Part(part.checked()?))
}

#[pymethods]
impl Part {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "the columns of a part")]
    fn new(
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] token: u128,
        #[pyo3(from_py_with = given)] snapshot: u64,
        #[pyo3(from_py_with = given)] page: u32,
        #[pyo3(from_py_with = given)] is_last: bool,
        #[pyo3(from_py_with = given)] provider: String,
        #[pyo3(from_py_with = given)] epochs: Vec<EpochPair>,
        #[pyo3(from_py_with = given)] upload: u128,
        #[pyo3(from_py_with = given)] readers: EpochPair,
        #[pyo3(from_py_with = given)] handles: PyReadonlyArray2<'_, u64>,
        #[pyo3(from_py_with = given)] portions: Vec<LentPortion<'_>>,
        #[pyo3(from_py_with = given)] removed: Vec<(u128, u128)>,
    ) -> PyResult<Self> {
        let part = answer::Part {
            owner: Owner(owner),
            token,
            snapshot,
            page,
            is_last,
            provider: place(&provider, epochs)?,
            upload,
            readers: epoch(readers)?,
            handles: lent_handles(&handles)?,
            portions: lent_portions(portions)?,
            removed,
        };
        Ok(Self(part.checked()?))
    }

    /// The only part of the answer to a token that nothing is found for.
    #[staticmethod]
    fn nothing(
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] token: u128,
        #[pyo3(from_py_with = given)] snapshot: u64,
    ) -> Self {
        Self(answer::Part::nothing(Owner(owner), token, snapshot))
    }

    /// Read what travelled, and verify its signature if it has one.
    #[staticmethod]
    fn decode(
        py: Python<'_>,
        #[pyo3(from_py_with = given)] message: PyBackedBytes,
    ) -> PyResult<Self> {
        Ok(Self(released(py, || answer::Part::decode(&message))?))
    }

    /// What travels.
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.0.encode()))
    }

    /// Verification key of the owner, 32 bytes.
    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.owner.0
    }

    /// The number of the token that it answers.
    #[getter]
    fn token(&self) -> u128 {
        self.0.token
    }

    /// The state of the owner's records, as the store counts them.
    #[getter]
    fn snapshot(&self) -> u64 {
        self.0.snapshot
    }

    /// Which part of the token's answer it is, counted from 0.
    #[getter]
    fn page(&self) -> u32 {
        self.0.page
    }

    /// Whether no more pages follow.
    #[getter]
    fn is_last(&self) -> bool {
        self.0.is_last
    }

    /// Path of the provider; empty if nothing was found.
    #[getter]
    fn provider(&self) -> String {
        self.0.provider.path()
    }

    /// The group of the provider; none of the owner's place.
    #[getter]
    fn group(&self) -> Option<String> {
        Group::of(&self.0.provider).map(|group| group.to_string())
    }

    /// The epoch of each name of the path: number, and salt or no bytes.
    #[getter]
    fn epochs(&self) -> Vec<EpochPair> {
        pairs(&self.0.provider)
    }

    /// The number of the upload that brought the records.
    #[getter]
    fn upload(&self) -> u128 {
        self.0.upload
    }

    /// The readers' epoch that they are sealed in.
    #[getter]
    fn readers(&self) -> EpochPair {
        pair(&self.0.readers)
    }

    /// Pseudonyms of the records: high and low half of each.
    #[getter]
    fn handles<'py>(&self, py: Python<'py>) -> PyResult<Handles<'py>> {
        handles(py, &self.0.handles)
    }

    /// Name, sealed layout, where each sealed record ends and all their bytes, for every portion.
    #[getter]
    fn portions<'py>(&self, py: Python<'py>) -> Vec<PortionColumns<'py>> {
        portions(py, &self.0.portions)
    }

    /// Records that were asked for and removed, each with the number of the upload that did it.
    #[getter]
    fn removed(&self) -> Vec<(u128, u128)> {
        self.0.removed.clone()
    }

    /// Size of what is sealed, in bytes.
    #[getter]
    fn size(&self) -> usize {
        let portions = self.0.portions.iter();
        let sealed: usize = portions.map(|p| p.records.size() + p.layout.len()).sum();
        sealed + 16 * self.0.handles.len()
    }

    fn __len__(&self) -> usize {
        self.0.handles.len()
    }
}

/// What travels of the parts that answer a query.
#[pyfunction]
pub(super) fn join_answer<'py>(
    py: Python<'py>,
    query: u128,
    parts: Vec<PyRef<'py, Part>>,
    proof: Option<PyRef<'py, Proof>>,
) -> Bound<'py, PyBytes> {
    let parts = borrowed(&parts);
    let proof = proof.as_ref().map(|proof| &proof.0);
    PyBytes::new(py, &py.detach(|| answer::join(query, &parts, proof)))
}

/// The number of a query, the parts that answer it and what proves them, of what travelled.
#[pyfunction]
pub(super) fn split_answer(
    py: Python<'_>,
    message: &[u8],
) -> PyResult<(u128, Vec<Part>, Option<Proof>)> {
    let answer::Answer { query, parts, proof } = released(py, || answer::Answer::decode(message))?;
    Ok((query, parts.into_iter().map(Part).collect(), proof.map(Proof)))
}

/// Refuse parts that are not the whole answer to a query.
#[pyfunction]
pub(super) fn check_answer(
    py: Python<'_>,
    query: u128,
    parts: Vec<PyRef<'_, Part>>,
    asked: &Query,
) -> PyResult<()> {
    let parts = borrowed(&parts);
    released(py, || answer::check(query, &parts, &asked.0))
}

/// Whether there is more of the answer to a query after some parts of it.
#[pyfunction]
pub(super) fn goes_on(parts: Vec<PyRef<'_, Part>>, asked: &Query) -> bool {
    Cursor::after(&asked.0, &borrowed(&parts)).is_some()
}

pub(super) fn borrowed<'a>(parts: &'a [PyRef<'_, Part>]) -> Vec<&'a answer::Part> {
    parts.iter().map(|part| &part.0).collect()
}

/// Behind `mopse.FileUpload`, and what a store is handed of one.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Attachment(pub(super) attachment::Attachment);

#[pymethods]
impl Attachment {
    /// Read what travelled, and verify its signature if it has one.
    #[staticmethod]
    fn decode(
        py: Python<'_>,
        #[pyo3(from_py_with = given)] message: PyBackedBytes,
    ) -> PyResult<Self> {
        Ok(Self(released(py, || attachment::Attachment::decode(&message))?))
    }

    /// Refuse it if its provider's group has left its epoch, by the announcements that are kept.
    fn check_epochs(
        &self,
        #[pyo3(from_py_with = given)] announcements: Vec<PyBackedBytes>,
    ) -> PyResult<()> {
        check_epochs(&announcements, &self.0.file.provider)
    }

    /// The stored file.
    #[getter]
    fn file(&self) -> StoredFile {
        StoredFile(self.0.file.clone())
    }

    /// Path of the provider.
    #[getter]
    fn provider(&self) -> String {
        self.0.file.provider.path()
    }

    /// Its number.
    #[getter]
    fn number(&self) -> u128 {
        self.0.file.number
    }

    /// Label and masked number of each keyword entry.
    #[getter]
    fn entries(&self) -> Vec<(u128, u128)> {
        self.0.entries.iter().map(|entry| (entry.label, entry.masked)).collect()
    }

    /// Which uses of which keywords its entries are, sealed.
    #[getter]
    fn note<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.note)
    }

    /// What else was signed with its file, and the signature, of the message that it was read from.
    fn deed<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given)] message: PyBackedBytes,
    ) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.file.deed_in(&message))
    }

    /// The numbers of what its keyring made right before it, oldest first.
    #[getter]
    fn previous(&self) -> Vec<u128> {
        self.0.lineage.previous.clone()
    }
}

/// An attachment that is read as it comes, by one thread at a time.
#[pyclass(module = "mopse._mopse.message")]
pub(super) struct Incoming(pub(super) incoming::Incoming);

#[pymethods]
impl Incoming {
    #[new]
    fn new() -> Self {
        Self(incoming::Incoming::default())
    }

    /// The attachment that brought a file, up to its body of so many bytes.
    #[staticmethod]
    fn of(file: &StoredFile, size: usize) -> Self {
        Self(incoming::Incoming::of(&file.0, size))
    }

    /// Take the next bytes, and return those of the body that are there now.
    fn feed<'py>(&mut self, py: Python<'py>, piece: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let body = py.detach(|| self.0.feed(piece))?;
        Ok(PyBytes::new(py, &body))
    }

    /// The file without its body, once the head is there.
    #[getter]
    fn file(&self) -> Option<StoredFile> {
        self.0.file().cloned().map(StoredFile)
    }

    /// Take the end, and verify that the provider which it names signed all of it.
    fn end(&mut self, py: Python<'_>) -> PyResult<Came> {
        let whole = std::mem::take(&mut self.0);
        let (came, body) = py.detach(|| whole.end())?;
        Ok(Came { came, body })
    }
}

/// An attachment of which the body was handed on as it came.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Came {
    pub(super) came: incoming::Came,
    body: Vec<u8>,
}

#[pymethods]
impl Came {
    /// The attachment, without its body.
    #[getter]
    fn attachment(&self) -> Attachment {
        Attachment(self.came.attachment.clone())
    }

    /// What of the body was not handed on, as the whole message is short.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.body)
    }

    /// Size of the body, in bytes.
    #[getter]
    fn size(&self) -> usize {
        self.came.size
    }

    /// What else was signed with the file, and the signature.
    #[getter]
    fn deed<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.came.deed)
    }
}

/// Behind `mopse.FileRequest`.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Request(pub(super) request::Request);

#[pymethods]
impl Request {
    /// Read what travelled, and verify its signature if it has one.
    #[staticmethod]
    fn decode(py: Python<'_>, message: &[u8]) -> PyResult<Self> {
        Ok(Self(released(py, || request::Request::decode(message))?))
    }

    /// Verification key of the owner, 32 bytes.
    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.owner.0
    }

    /// Path of whoever issued it; empty for the owner.
    #[getter]
    fn issuer(&self) -> String {
        self.0.issuer.subject().path()
    }

    /// When it ends, in seconds since 1970.
    #[getter]
    fn expiry(&self) -> u64 {
        self.0.expiry
    }

    /// A random number of its own, for an audit log.
    #[getter]
    fn id(&self) -> u128 {
        self.0.id
    }

    /// ``"keywords"``, ``"records"``, ``"file"``, ``"notes"`` or ``"holdings"``.
    #[getter]
    fn asks(&self) -> &'static str {
        match self.0.ask {
            Ask::Keywords(_) => "keywords",
            Ask::Records(_) => "records",
            Ask::File(_) => "file",
            Ask::Notes => "notes",
            Ask::Holdings(_) => "holdings",
        }
    }
}

/// What a store keeps of an attachment.
#[pyclass(module = "mopse._mopse.message", frozen, from_py_object)]
#[derive(Clone)]
pub(super) struct StoredFile(pub(super) attachment::StoredFile);

#[pymethods]
impl StoredFile {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "the columns of a file")]
    fn new(
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] provider: String,
        #[pyo3(from_py_with = given)] epochs: Vec<EpochPair>,
        #[pyo3(from_py_with = given)] readers: EpochPair,
        #[pyo3(from_py_with = given)] handle: u128,
        #[pyo3(from_py_with = given)] number: u128,
        #[pyo3(from_py_with = given)] description: Vec<u8>,
        #[pyo3(from_py_with = given)] body: Option<Vec<u8>>,
    ) -> PyResult<Self> {
        let (owner, provider, readers) = (Owner(owner), place(&provider, epochs)?, epoch(readers)?);
        let file =
            attachment::StoredFile { owner, provider, readers, handle, number, description, body };
        Ok(Self(file))
    }

    /// The file without its body.
    fn described(&self) -> Self {
        Self(self.0.without_body())
    }

    /// Verification key of the owner, 32 bytes.
    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.0.owner.0
    }

    /// Path of the provider.
    #[getter]
    fn provider(&self) -> String {
        self.0.provider.path()
    }

    /// The epoch of each name of the path: number, and salt or no bytes.
    #[getter]
    fn epochs(&self) -> Vec<EpochPair> {
        pairs(&self.0.provider)
    }

    /// The readers' epoch that it is sealed in.
    #[getter]
    fn readers(&self) -> EpochPair {
        pair(&self.0.readers)
    }

    /// Pseudonym of the record it belongs to.
    #[getter]
    fn handle(&self) -> u128 {
        self.0.handle
    }

    /// Its number.
    #[getter]
    fn number(&self) -> u128 {
        self.0.number
    }

    /// What it is called, sealed.
    #[getter]
    fn description<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.description)
    }

    /// What it holds, sealed; None where it was left out.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.body.as_ref().map(|body| PyBytes::new(py, body))
    }

    /// Size of what is sealed, in bytes.
    #[getter]
    fn size(&self) -> usize {
        self.0.description.len() + self.0.body.as_ref().map_or(0, Vec::len)
    }
}

/// Behind `mopse.FileListing`.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Listing(pub(super) listing::Listing);

#[pymethods]
impl Listing {
    #[new]
    fn new(request: u128, files: Vec<StoredFile>) -> Self {
        let files = files.into_iter().map(|file| file.0).collect();
        Self(listing::Listing { request, files, proof: None })
    }

    /// Read what travelled.
    #[staticmethod]
    fn decode(py: Python<'_>, message: &[u8]) -> PyResult<Self> {
        Ok(Self(released(py, || listing::Listing::decode(message))?))
    }

    /// What travels.
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.0.encode()))
    }

    /// The id of the request.
    #[getter]
    fn request(&self) -> u128 {
        self.0.request
    }

    /// The files, without bodies.
    #[getter]
    fn files(&self) -> Vec<StoredFile> {
        self.0.files.iter().cloned().map(StoredFile).collect()
    }

    /// Size of what proves that they are all, in bytes; 0 without.
    #[getter]
    fn proof_size(&self) -> usize {
        self.0.proof.as_ref().map_or(0, catalogue::Proof::size)
    }

    /// The numbers of the files that no seal states.
    #[getter]
    fn late(&self) -> Vec<u128> {
        self.0.late()
    }

    fn __len__(&self) -> usize {
        self.0.files.len()
    }
}

/// Behind `mopse.SealedFile`.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Fetched(pub(super) listing::Fetched);

#[pymethods]
impl Fetched {
    #[new]
    fn new(request: u128, file: StoredFile) -> Self {
        Self(listing::Fetched { request, file: file.0, deed: None })
    }

    /// Refuse it if its provider's signature did not come with it, or is of another file.
    fn prove(&self, py: Python<'_>) -> PyResult<()> {
        released(py, || self.0.prove())
    }

    /// Read what travelled.
    #[staticmethod]
    fn decode(py: Python<'_>, message: &[u8]) -> PyResult<Self> {
        Ok(Self(released(py, || listing::Fetched::decode(message))?))
    }

    /// What travels.
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.0.encode()))
    }

    /// The id of the request.
    #[getter]
    fn request(&self) -> u128 {
        self.0.request
    }

    /// The file.
    #[getter]
    fn file(&self) -> StoredFile {
        StoredFile(self.0.file.clone())
    }
}

/// Behind `mopse.FileNotes`.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Notes(pub(super) notes::Notes);

#[pymethods]
impl Notes {
    #[new]
    fn new(
        request: u128,
        owner: [u8; 32],
        provider: &str,
        epochs: Vec<EpochPair>,
        notes: Vec<(u128, Vec<u8>)>,
    ) -> PyResult<Self> {
        let notes = notes.into_iter().map(|(number, sealed)| Note { number, sealed }).collect();
        let (owner, provider) = (Owner(owner), place(provider, epochs)?);
        Ok(Self(notes::Notes { request, owner, provider, notes }))
    }

    /// Read what travelled.
    #[staticmethod]
    fn decode(py: Python<'_>, message: &[u8]) -> PyResult<Self> {
        Ok(Self(released(py, || notes::Notes::decode(message))?))
    }

    /// What travels.
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.0.encode()))
    }

    /// The id of the request.
    #[getter]
    fn request(&self) -> u128 {
        self.0.request
    }

    /// Path of the provider.
    #[getter]
    fn provider(&self) -> String {
        self.0.provider.path()
    }

    /// Number and sealed note of each attachment.
    #[getter]
    fn notes<'py>(&self, py: Python<'py>) -> Vec<(u128, Bound<'py, PyBytes>)> {
        self.0.notes.iter().map(|note| (note.number, PyBytes::new(py, &note.sealed))).collect()
    }

    fn __len__(&self) -> usize {
        self.0.notes.len()
    }
}

/// A request to read an audit log.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct AuditRequest(pub(super) audit::AuditRequest);

/// What a party states for an audit log.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Statement(audit::Statement);

#[pymethods]
impl Statement {
    #[staticmethod]
    fn decode(py: Python<'_>, message: &[u8]) -> PyResult<Self> {
        Ok(Self(released(py, || audit::Statement::decode(message))?))
    }

    #[getter]
    fn what(&self) -> &'static str {
        self.0.what.word()
    }

    /// The path of who states it; empty for the owner.
    #[getter]
    fn who(&self) -> String {
        self.0.issuer.subject().path()
    }

    #[getter]
    fn digest(&self) -> [u8; 32] {
        self.0.digest
    }
}
