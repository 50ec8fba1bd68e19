use std::sync::Arc;

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::audit::Log;
use super::error::{InvalidInputError, WrongTypeError};
use super::foreign::Foreign;
use super::given::given;
use super::message::{
    Announcement, Attachment, Came, EpochPair, Fetched, Listing, Notes, Part, Piece, Proof, Query,
    Removal, StoredFile, StoredUpload, borrowed, place,
};
use super::{filled, released};
use crate::cloud::gate::Gate as Door;
use crate::cloud::memory::Memory;
use crate::cloud::merge::merge_into;
use crate::cloud::store::{Content, Label, Receipt, Store, Totals};
use crate::cloud::tables;
use crate::message::announcement;
use crate::message::certificate::Owner;
use crate::message::notes::Note;
use crate::message::sums::Wanted;
use crate::pool::Aside;
use crate::wire::Packed;

/// Ciphertexts, and the record of each.
type Entries<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<u32>>);
/// Owner, group, provider, records, bytes.
type Line = ([u8; 32], String, String, usize, usize);
/// Entries, files, their bytes, keyword entries.
type TotalNumbers = (usize, usize, usize, usize);

/// Behind `mopse.merge`.
#[pyfunction]
pub(super) fn merge<'py>(
    py: Python<'py>,
    runs: Vec<PyReadonlyArray1<'py, i64>>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let runs = runs.iter().map(|run| run.as_slice()).collect::<Result<Vec<_>, _>>()?;
    let total = runs.iter().map(|run| run.len()).sum();
    filled(py, total, |order| merge_into(&runs, order))
}

/// Where each of some byte strings ends, and all of them.
type Strings<'py> = (PyReadonlyArray1<'py, u64>, PyReadonlyArray1<'py, u8>);

fn packed<'a>((ends, bytes): &'a Strings<'_>) -> PyResult<Packed<'a>> {
    Ok(Packed::new(ends.as_slice()?, bytes.as_slice()?)?)
}

/// Numbers, and whether each is there.
type Nullable<'py> = (PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, bool>);

/// The digest of each row of a table: of its numbers, fields and byte strings, column by column.
#[pyfunction]
pub(super) fn row_digests<'py>(
    py: Python<'py>,
    count: usize,
    numbers: Vec<PyReadonlyArray1<'py, i64>>,
    fields: Vec<Option<Nullable<'py>>>,
    blobs: Vec<Option<Strings<'py>>>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let numbers = numbers.iter().map(|column| column.as_slice()).collect::<Result<Vec<_>, _>>()?;
    let mut nullable = Vec::with_capacity(fields.len());
    for field in &fields {
        nullable.push(match field {
            Some((values, valid)) => Some((values.as_slice()?, valid.as_slice()?)),
            None => None,
        });
    }
    let blobs = blobs.iter().map(|of| of.as_ref().map(packed).transpose());
    let blobs = blobs.collect::<PyResult<Vec<_>>>()?;
    let digests = released(py, || tables::row_digests(count, &numbers, &nullable, &blobs))?;
    Ok(digests.into_pyarray(py))
}

/// Which row comes when, and each upload with its first.
type Ordered<'py> = (Bound<'py, PyArray1<u32>>, Vec<(i64, usize)>);

/// Which row of some columns comes when, and each upload with the place in that of its first row.
#[pyfunction]
pub(super) fn by_upload<'py>(
    py: Python<'py>,
    uploads: PyReadonlyArray1<'py, i64>,
    rows: PyReadonlyArray1<'py, i64>,
) -> PyResult<Ordered<'py>> {
    let (uploads, rows) = (uploads.as_slice()?, rows.as_slice()?);
    let (order, starts) = released(py, || tables::by_upload(uploads, rows))?;
    Ok((order.into_pyarray(py), starts))
}

/// Merged indexes, sealed records and stored files in memory, gone when the process ends.
///
/// Levels are merged by a thread that is there while some are overdue. At rest an entry takes twelve bytes in
/// the index of its group and twelve in that of its provider.
#[pyclass(module = "mopse.stores", frozen, subclass)]
pub(super) struct MemoryStore(Arc<Memory>);

#[pymethods]
impl MemoryStore {
    #[new]
    fn new() -> Self {
        Self(Arc::default())
    }

    /// See `mopse.stores.Store.owners`.
    fn owners(&self, py: Python<'_>) -> PyResult<Vec<[u8; 32]>> {
        Ok(released(py, || self.0.owners())?.into_iter().map(|owner| owner.0).collect())
    }

    /// See `mopse.stores.Store.announcements`.
    fn announcements<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let messages = released(py, || self.0.announcements(&Owner(owner)))?;
        Ok(messages.iter().map(|message| PyBytes::new(py, message)).collect())
    }

    /// See `mopse.stores.Store.enroll`.
    fn enroll(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] announcements: Vec<PyRef<'_, Announcement>>,
    ) -> PyResult<()> {
        let message = |announcement: &PyRef<'_, Announcement>| {
            (announcement.announcement.clone(), announcement.message.as_bytes(py).to_vec())
        };
        let announcements = announcements.iter().map(message).collect();
        released(py, || self.0.enroll(announcements))
    }

    /// See `mopse.stores.Store.add`.
    fn add(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] upload: PyRef<'_, StoredUpload>,
        #[pyo3(from_py_with = given)] message: PyBackedBytes,
    ) -> PyResult<Changes> {
        let upload = upload.0.clone();
        Ok(changes(&released(py, || self.0.add(upload, &message))?))
    }

    /// See `mopse.stores.Store.repeated`.
    fn repeated(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] provider: String,
        #[pyo3(from_py_with = given)] number: u128,
        #[pyo3(from_py_with = given)] digest: [u8; 32],
    ) -> PyResult<Option<(usize, usize, usize)>> {
        let found = || self.0.repeated(&Owner(owner), &provider, number, &digest);
        Ok(released(py, found)?.map(|of| (of.added, of.replaced, of.removed)))
    }

    /// See `mopse.stores.Store.put`.
    fn put(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] piece: PyRef<'_, Piece>,
        #[pyo3(from_py_with = given)] now: u64,
    ) -> PyResult<()> {
        let piece = &piece.0;
        released(py, || self.0.put(piece, now))
    }

    /// See `mopse.stores.Store.chunks`.
    fn chunks(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] digest: [u8; 32],
    ) -> PyResult<Vec<u64>> {
        released(py, || self.0.chunks(&Owner(owner), &digest))
    }

    /// See `mopse.stores.Store.body`.
    fn body<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] digest: [u8; 32],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let body = released(py, || self.0.body(&Owner(owner), &digest))?;
        Ok(PyBytes::new(py, &body))
    }

    /// See `mopse.stores.Store.forget`.
    fn forget(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] digest: [u8; 32],
    ) -> PyResult<()> {
        released(py, || self.0.forget(&Owner(owner), &digest))
    }

    /// See `mopse.stores.Store.add_file`.
    fn add_file(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] attachment: PyRef<'_, Attachment>,
        #[pyo3(from_py_with = given)] missing: Vec<u128>,
        #[pyo3(from_py_with = given)] message: PyBackedBytes,
    ) -> PyResult<()> {
        let attachment = attachment.0.clone();
        released(py, || self.0.add_file(attachment, &missing, &message))
    }

    /// See `mopse.stores.Store.arrived`.
    fn arrived(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] provider: String,
        #[pyo3(from_py_with = given)] epochs: Vec<EpochPair>,
        #[pyo3(from_py_with = given)] numbers: Vec<u128>,
    ) -> PyResult<Vec<Option<Vec<u128>>>> {
        let place = place(&provider, epochs)?;
        released(py, || self.0.arrived(&Owner(owner), &place, &numbers))
    }

    /// See `mopse.stores.Store.notes`.
    fn notes<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] provider: String,
        #[pyo3(from_py_with = given)] epochs: Vec<EpochPair>,
    ) -> PyResult<Vec<(u128, Bound<'py, PyBytes>)>> {
        let place = place(&provider, epochs)?;
        let notes = released(py, || self.0.notes(&Owner(owner), &place))?;
        let note = |note: Note| (note.number, PyBytes::new(py, &note.sealed));
        Ok(notes.into_iter().map(note).collect())
    }

    /// See `mopse.stores.Store.add_base`.
    fn add_base(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] provider: String,
        #[pyo3(from_py_with = given)] epochs: Vec<EpochPair>,
        #[pyo3(from_py_with = given)] base: u128,
    ) -> PyResult<()> {
        let place = place(&provider, epochs)?;
        released(py, || self.0.add_base(&Owner(owner), &place, base))
    }

    /// See `mopse.stores.Store.search`.
    fn search(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] query: PyRef<'_, Query>,
    ) -> PyResult<Vec<Part>> {
        let query = &query.0;
        Ok(released(py, || self.0.search(query))?.into_iter().map(Part).collect())
    }

    /// See `mopse.stores.Store.count`.
    fn count(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] query: PyRef<'_, Query>,
    ) -> PyResult<usize> {
        let query = &query.0;
        released(py, || self.0.count(query))
    }

    /// See `mopse.stores.Store.labels`.
    fn labels(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] provider: String,
        #[pyo3(from_py_with = given)] epochs: Vec<EpochPair>,
        #[pyo3(from_py_with = given)] labels: Vec<u128>,
    ) -> PyResult<Vec<Option<Py<PyAny>>>> {
        let place = place(&provider, epochs)?;
        let found = released(py, || self.0.labels(&Owner(owner), &place, &labels))?;
        let number = |label: Option<Label>| -> PyResult<Option<Py<PyAny>>> {
            Ok(match label {
                None => None,
                Some(Label::Spent) => Some(SPENT.into_pyobject(py)?.into_any().unbind()),
                Some(Label::Live(masked)) => Some(masked.into_pyobject(py)?.into_any().unbind()),
            })
        };
        found.into_iter().map(number).collect()
    }

    /// See `mopse.stores.Store.label_count`.
    fn label_count(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] provider: String,
        #[pyo3(from_py_with = given)] epochs: Vec<EpochPair>,
    ) -> PyResult<usize> {
        let place = place(&provider, epochs)?;
        released(py, || self.0.label_count(&Owner(owner), &place))
    }

    /// See `mopse.stores.Store.files`.
    fn files(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] provider: String,
        #[pyo3(from_py_with = given)] epochs: Vec<EpochPair>,
        #[pyo3(from_py_with = given)] numbers: Vec<u128>,
    ) -> PyResult<Vec<StoredFile>> {
        let place = place(&provider, epochs)?;
        let files = released(py, || self.0.files(&Owner(owner), &place, &numbers))?;
        Ok(files.into_iter().map(StoredFile).collect())
    }

    /// See `mopse.stores.Store.files_of`.
    fn files_of(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] provider: String,
        #[pyo3(from_py_with = given)] epochs: Vec<EpochPair>,
        #[pyo3(from_py_with = given)] handles: Vec<u128>,
    ) -> PyResult<Vec<StoredFile>> {
        let place = place(&provider, epochs)?;
        let files = released(py, || self.0.files_of(&Owner(owner), &place, &handles))?;
        Ok(files.into_iter().map(StoredFile).collect())
    }

    /// See `mopse.stores.Store.deed`.
    fn deed<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] number: u128,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let deed = released(py, || self.0.deed(&Owner(owner), number))?;
        Ok(deed.map(|deed| PyBytes::new(py, &deed)))
    }

    /// See `mopse.stores.Store.file`.
    fn file(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] number: u128,
    ) -> PyResult<Option<StoredFile>> {
        Ok(released(py, || self.0.file(&Owner(owner), number))?.map(StoredFile))
    }

    /// See `mopse.stores.Store.remove`.
    fn remove(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] provider: String,
        #[pyo3(from_py_with = given)] removal: Option<PyRef<'_, Removal>>,
    ) -> PyResult<(usize, usize, bool)> {
        let removal = removal.as_ref().map(|removal| &removal.0);
        let removed = released(py, || self.0.remove(&Owner(owner), &provider, removal))?;
        Ok((removed.removed, removed.files, removed.is_repeated))
    }

    /// See `mopse.stores.Store.contents`.
    #[getter]
    fn contents(&self, py: Python<'_>) -> PyResult<Vec<Line>> {
        Ok(released(py, || self.0.contents())?.into_iter().map(line).collect())
    }

    /// See `mopse.stores.Store.totals`.
    #[getter]
    fn totals(&self, py: Python<'_>) -> PyResult<TotalNumbers> {
        Ok(counts(released(py, || self.0.totals())?))
    }

    /// See `mopse.stores.Store.merged`.
    fn merged<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = given)] owner: [u8; 32],
        #[pyo3(from_py_with = given)] group: String,
        #[pyo3(from_py_with = given)] field: String,
    ) -> PyResult<Entries<'py>> {
        let merged = released(py, || self.0.merged(&Owner(owner), &group, &field))?;
        Ok((merged.ciphertexts.into_pyarray(py), merged.records.into_pyarray(py)))
    }

    /// Merge all that is overdue, which otherwise threads do meanwhile.
    fn settle(&self, py: Python<'_>) -> PyResult<()> {
        released(py, || self.0.settle())
    }
}

/// What a store says of a label that was used and is no more.
pub(super) const SPENT: i8 = -1;

/// Added, replaced, removed, whether it was taken before.
pub(super) type Changes = (usize, usize, usize, bool);

fn changes(receipt: &Receipt) -> Changes {
    (receipt.added, receipt.replaced, receipt.removed, receipt.is_repeated)
}

fn line(content: Content) -> Line {
    let Content { owner, group, provider, records, size } = content;
    (owner.0, group.to_string(), provider.path(), records, size)
}

fn counts(Totals { entries, files, file_size, keywords }: Totals) -> TotalNumbers {
    (entries, files, file_size, keywords)
}

/// The door before one of the two kinds of store.
enum AnyGate {
    Memory(Door<Memory>),
    Foreign(Door<Foreign>),
}

/// Provider, added, replaced, removed, files, whether it was taken before.
type ReceiptColumns = (String, usize, usize, usize, usize, bool);

fn columns_of(receipt: Receipt) -> ReceiptColumns {
    let Receipt { provider, added, replaced, removed, files, is_repeated } = receipt;
    (provider, added, replaced, removed, files, is_repeated)
}

/// What comes before a body, its size, what it is read by, what comes after it.
type AroundBody<'py> = (Bound<'py, PyBytes>, u64, Py<PyAny>, Bound<'py, PyBytes>);

fn no_spools() -> PyErr {
    WrongTypeError::new_err("the store in memory keeps all bodies there")
}

/// Behind `mopse.Cloud`: the one door of a cloud.
#[pyclass(module = "mopse._mopse.cloud", frozen)]
pub(super) struct Gate {
    door: Arc<AnyGate>,
    /// Who works on uploads, if it is not whoever brings them.
    aside: Option<Aside>,
}

fn door<S: Store>(store: Arc<S>, answer_bytes: usize, log: Option<&Log>) -> Door<S> {
    let door = Door::new(store).with_answer_bytes(answer_bytes);
    match log {
        Some(log) => door.with_journal(Arc::clone(&log.0) as Arc<_>),
        None => door,
    }
}

/// The same call at the gate before any store, with the interpreter released.
macro_rules! at {
    ($gate:expr, $py:expr, $call:ident($($argument:expr),*)) => {
        match &*$gate.door {
            AnyGate::Memory(gate) => released($py, || gate.$call($($argument),*)),
            AnyGate::Foreign(gate) => released($py, || gate.$call($($argument),*)),
        }
    };
}

/// The same for calls that work on uploads.
macro_rules! aside_at {
    ($gate:expr, $py:expr, $call:ident($($argument:expr),*)) => {
        match (&*$gate.door, &$gate.aside) {
            (AnyGate::Memory(gate), Some(aside)) => {
                released($py, || aside.run(|| gate.$call($($argument),*)))
            }
            _ => at!($gate, $py, $call($($argument),*)),
        }
    };
}

#[pymethods]
impl Gate {
    #[new]
    #[pyo3(signature = (store, answer_bytes, log=None))]
    fn new(store: Bound<'_, PyAny>, answer_bytes: usize, log: Option<&Log>) -> Self {
        // A class derived from it may answer otherwise, and is asked itself.
        let door = match store.cast_exact::<MemoryStore>() {
            Ok(memory) => AnyGate::Memory(door(Arc::clone(&memory.get().0), answer_bytes, log)),
            Err(_) => {
                AnyGate::Foreign(door(Arc::new(Foreign::new(store.unbind())), answer_bytes, log))
            }
        };
        Self { door: Arc::new(door), aside: None }
    }

    /// The same gate, at which so many threads work on uploads, of the priority of whoever makes them.
    /// They never hold the interpreter: where a store is asked in Python there are none.
    fn aside(&self, threads: usize) -> PyResult<Self> {
        let aside = match &*self.door {
            AnyGate::Foreign(_) => None,
            AnyGate::Memory(_) => Some(Aside::of(threads).map_err(|_| {
                InvalidInputError::new_err(format!(
                    "the number of threads is {threads}, expected what the system can start"
                ))
            })?),
        };
        Ok(Self { door: Arc::clone(&self.door), aside })
    }

    /// What an owner's audit log answers to a request.
    fn audit<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
        now: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let answer = at!(self, py, audit(request, now))?;
        Ok(PyBytes::new(py, &answer))
    }

    fn enroll(&self, py: Python<'_>, message: &[u8]) -> PyResult<()> {
        at!(self, py, enroll(message))
    }

    fn announcements<'py>(
        &self,
        py: Python<'py>,
        owner: [u8; 32],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let owner = Owner(owner);
        let message = at!(self, py, announcements(&owner))?;
        Ok(PyBytes::new(py, &message))
    }

    /// Provider, added, replaced, removed, files, whether it was taken before.
    fn receive(&self, py: Python<'_>, message: &[u8], now: u64) -> PyResult<ReceiptColumns> {
        Ok(columns_of(aside_at!(self, py, receive(message, now))?))
    }

    /// What `receive` says, once all pieces of an upload are there; nothing before.
    fn put(&self, py: Python<'_>, piece: &[u8], now: u64) -> PyResult<Option<ReceiptColumns>> {
        Ok(aside_at!(self, py, put(piece, now))?.map(columns_of))
    }

    /// Which chunks of an upload did not come yet; none, if it was carried out.
    fn missing(&self, py: Python<'_>, upload: &[u8], now: u64) -> PyResult<Vec<u64>> {
        at!(self, py, missing(upload, now))
    }

    /// The number of the query, and the parts that answer it, after those that did before; with what proves
    /// the answer if this is the end of it and that is asked for, or else if the query names slots: of the
    /// seals that came since a state, and provider by provider if it is wanted in detail.
    #[expect(clippy::too_many_arguments, reason = "those of the method")]
    fn search(
        &self,
        py: Python<'_>,
        query: &[u8],
        now: u64,
        before: Option<Vec<PyRef<'_, Part>>>,
        proof: Option<bool>,
        since: Option<u64>,
        in_detail: bool,
        by_signatures: bool,
    ) -> PyResult<(u128, Vec<Part>, Option<Proof>)> {
        let before = before.as_ref().map(|before| borrowed(before));
        let before = before.as_deref();
        let asked = (proof, Wanted { since, in_detail, by_signatures });
        let answer = at!(self, py, search_proven(query, now, before, asked))?;
        let parts = answer.parts.into_iter().map(Part).collect();
        Ok((answer.query, parts, answer.proof.map(Proof)))
    }

    /// What proves how many records a query reaches.
    fn count_proven(
        &self,
        py: Python<'_>,
        query: &[u8],
        now: u64,
        since: Option<u64>,
        in_detail: bool,
    ) -> PyResult<Proof> {
        let wanted = Wanted { since, in_detail, by_signatures: false };
        Ok(Proof(at!(self, py, count_proven(query, now, wanted))?))
    }

    fn count(&self, py: Python<'_>, query: &[u8], now: u64) -> PyResult<usize> {
        at!(self, py, count(query, now))
    }

    fn find(&self, py: Python<'_>, request: &[u8], now: u64, is_proven: bool) -> PyResult<Listing> {
        let listing = if is_proven {
            at!(self, py, find_proven(request, now))
        } else {
            at!(self, py, find(request, now))
        };
        Ok(Listing(listing?))
    }

    fn fetch(
        &self,
        py: Python<'_>,
        request: &[u8],
        now: u64,
        is_proven: bool,
    ) -> PyResult<Fetched> {
        let fetched = if is_proven {
            at!(self, py, fetch_proven(request, now))
        } else {
            at!(self, py, fetch(request, now))
        };
        Ok(Fetched(fetched?))
    }

    /// Refuse an attachment by its head.
    fn expect(&self, py: Python<'_>, file: &StoredFile) -> PyResult<()> {
        let file = &file.0;
        at!(self, py, expect(file))
    }

    /// What `receive` says of an attachment whose body was written to a spool of the store.
    fn receive_spooled(
        &self,
        py: Python<'_>,
        came: &Came,
        spool: Py<PyAny>,
    ) -> PyResult<ReceiptColumns> {
        let AnyGate::Foreign(gate) = &*self.door else { return Err(no_spools()) };
        let came = came.came.clone();
        let store = gate.store();
        let keep = |came, missing| store.add_spooled(came, missing, &spool);
        Ok(columns_of(released(py, || gate.receive_came(came, keep))?))
    }

    /// What travels before a body that lies outside of tables, that body's size and what it is read by, and
    /// what travels after it; nothing of another file.
    fn fetch_spooled<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
        now: u64,
        is_proven: bool,
    ) -> PyResult<Option<AroundBody<'py>>> {
        let AnyGate::Foreign(gate) = &*self.door else { return Err(no_spools()) };
        let store = gate.store();
        let find = |owner: &Owner, number| store.spooled(owner, number);
        let found = released(py, || gate.fetch_by(request, now, is_proven, find))?;
        Ok(found.map(|(fetched, (size, body))| {
            let (before, after) = fetched.around(size);
            (PyBytes::new(py, &before), size, body, PyBytes::new(py, &after))
        }))
    }

    fn notes(&self, py: Python<'_>, request: &[u8], now: u64) -> PyResult<Notes> {
        Ok(Notes(at!(self, py, notes(request, now))?))
    }

    /// How many records and files of a provider there were; the owner by its announcement, if named.
    fn remove(
        &self,
        py: Python<'_>,
        provider: &str,
        owner: Option<&[u8]>,
    ) -> PyResult<(usize, usize)> {
        let owner = owner.map(announcement::owner_of).transpose()?;
        let removed = at!(self, py, remove(owner.as_ref(), provider))?;
        Ok((removed.removed, removed.files))
    }
}
