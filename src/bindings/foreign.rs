//! A store that is written in Python, as the door of a cloud has it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyFrozenSet};

use super::cloud::{Changes, SPENT};
use super::error::{ChangedError, WrongTypeError};
use super::message::{
    Announcement, Attachment, EpochPair, Part, Piece, Query, Removal, Seal, StoredFile,
    StoredUpload, place, told,
};
use super::released;
use crate::cloud::Error;
use crate::cloud::pages::{Cursor, Readings, page_of, size_of_parts};
use crate::cloud::proofs::kept::{self, Answered, KeptSeal, Sealing, Seals};
use crate::cloud::proofs::lists::{self, Catalogue, Files, WithNotes};
use crate::cloud::proofs::{GoneRow, Placed};
use crate::cloud::store::{Label, Receipt, Store, StoredLabels};
use crate::lock::Lock;
use crate::message::announcement::Announced;
use crate::message::catalogue;
use crate::message::certificate::Owner;
use crate::message::incoming::Came;
use crate::message::notes::Note;
use crate::message::place::Node;
use crate::message::request::Request;
use crate::message::seal::Sealed;
use crate::message::sums::{Evidence, Proof, Row, Wanted};
use crate::message::{announcement, answer, attachment, piece, query, removal, upload};

/// Bytes of an owner's announcements, and what they say.
type Decoded = (Vec<Vec<u8>>, Arc<Announced>);

/// A store written in Python, and what was read from it.
pub(super) struct Foreign {
    store: Py<PyAny>,
    /// Announcements, as bytes and decoded.
    known: Lock<HashMap<Owner, Decoded>>,
    seals: Arc<Seals>,
    /// Answers that go on.
    reading: Lock<HashMap<Owner, Readings<query::Query, Arc<Answered>>>>,
}

/// How many bytes all answers of an owner that go on may have.
const ROOM: usize = 1 << 30;

/// How often a proof is begun anew because what it is of changed meanwhile.
const TRIES: usize = 5;

/// Upload, handle, digest, entries, number of the evidence, place in that.
type GoneTuple = (u128, u128, [u8; 32], Vec<(String, i64)>, i64, u64);
/// Provider, its epochs, the seal's digest and bytes, its change, whether all was removed since, uploads that came
/// after it, sealed rows that are gone.
type SealingTuple =
    (String, Vec<EpochPair>, [u8; 32], PyBackedBytes, u64, bool, Vec<u128>, Vec<GoneTuple>);
/// Parts, the state's number, what is sealed, signed removals by provider, evidence by number.
type AnswerTuple =
    (Vec<Part>, u64, Vec<SealingTuple>, Vec<(String, PyBackedBytes)>, HashMap<i64, PyBackedBytes>);

/// A file without its body; the size of that, and what it is read by.
pub(super) type Spooled = (attachment::StoredFile, (u64, Py<PyAny>));

/// What is made again as long as its state moves on.
fn tried<T>(make: impl Fn() -> PyResult<T>) -> PyResult<T> {
    let is_moved = |error: &PyErr| Python::attach(|py| error.is_instance_of::<ChangedError>(py));
    for _ in 1..TRIES {
        match make() {
            Err(error) if is_moved(&error) => {}
            made => return made,
        }
    }
    make()
}

impl Foreign {
    pub(super) fn new(store: Py<PyAny>) -> Self {
        Self { store, known: Lock::default(), seals: Arc::default(), reading: Lock::default() }
    }

    /// Refuses if the store keeps no seals.
    fn check_seals(&self) -> PyResult<()> {
        let keeps = Python::attach(|py| self.bound(py).hasattr("search_sealed"))?;
        if keeps { Ok(()) } else { Err(Error::NoSeals.into()) }
    }

    fn sealing(
        &self,
        (path, epochs, digest, message, change, is_removed, late, gone): SealingTuple,
        evidence: &HashMap<i64, Arc<Evidence>>,
    ) -> PyResult<Sealing> {
        let seal = self.seals.get(&digest, &message)?;
        let gone = gone.into_iter().map(|(upload, handle, digest, entries, by, at)| {
            let row = Row { upload, handle, digest };
            let by = Arc::clone(returned("search_sealed", evidence.get(&by).ok_or(()))?);
            Ok(GoneRow { row, entries, by, at })
        });
        let (stated, before) =
            if is_removed { (None, Some(seal)) } else { (Some((seal, change)), None) };
        Ok(Sealing {
            place: place(&path, epochs)?,
            stated,
            before,
            late: late.into_iter().collect(),
            gone: gone.collect::<PyResult<_>>()?,
        })
    }

    /// The digests of an owner's seals that the store need not tell again.
    fn known_seals<'py>(
        &self,
        py: Python<'py>,
        owner: &Owner,
    ) -> PyResult<Bound<'py, PyFrozenSet>> {
        let known = self.seals.known(owner)?;
        PyFrozenSet::new(py, known.iter().map(|digest| PyBytes::new(py, digest)))
    }

    /// The answer to a query; asked so that it can be proven, if that is wanted.
    fn answered(&self, query: &query::Query, wanted: Option<Wanted>) -> PyResult<Answered> {
        let Some(wanted) = wanted else {
            let parts = self.search(query)?;
            let snapshot = parts.first().map_or(0, |part| part.snapshot);
            return Ok(Answered { parts, snapshot, ..Answered::default() });
        };
        let asked = Query(kept::asked(query, wanted));
        let (parts, snapshot, sealings, removals, evidence) = Python::attach(|py| {
            let known = self.known_seals(py, &query.owner)?;
            let answer = self.bound(py).call_method1("search_sealed", (asked, known))?;
            let answer: AnswerTuple = returned("search_sealed", answer.extract())?;
            Ok::<_, PyErr>(answer)
        })?;
        let mut known = HashMap::with_capacity(evidence.len());
        for (number, shown) in evidence {
            known.insert(number, Arc::new(Evidence::decode(&shown)?));
        }
        let sealings = sealings.into_iter().map(|sealing| self.sealing(sealing, &known));
        let sealings = sealings.collect::<PyResult<_>>()?;
        let parts = parts.into_iter().map(|part| part.0).collect();
        let removals = removals.into_iter();
        let removals = removals.map(|(path, message)| (path, Arc::new(message.to_vec())));
        Ok(Answered::new(query, parts, snapshot, sealings, removals.collect()))
    }

    fn proof(
        &self,
        query: &query::Query,
        answered: &Answered,
        (wanted, is_count): (Wanted, bool),
    ) -> PyResult<Proof> {
        let asked = kept::asked(query, wanted);
        answered.prove(query, &asked, (wanted, is_count), |place, field| {
            self.entries(&query.owner, place, field)
        })
    }

    /// The entries of a field that a provider sealed.
    fn entries(&self, owner: &Owner, place: &Node, field: &str) -> PyResult<Vec<Placed>> {
        let mut placed = Vec::new();
        Python::attach(|py| {
            let (path, epochs) = told(place);
            let arguments = (owner_bytes(py, owner), path, epochs, field);
            let rows = self.bound(py).call_method1("sealed_rows", arguments)?;
            let rows: (Vec<GoneTuple>, Bound<'_, PyAny>) = returned("sealed_rows", rows.extract())?;
            for (upload, handle, digest, entries, ..) in rows.0 {
                let of_field = entries.iter().filter(|(name, _)| name == field);
                placed.extend(of_field.map(|(_, at)| (*at, handle, upload, digest)));
            }
            for upload in returned("sealed_rows", rows.1.try_iter())? {
                let upload: PyRef<'_, StoredUpload> = returned("sealed_rows", upload?.extract())?;
                let upload = upload.0.clone(); // which shares its columns
                placed.extend(released(py, || Ok::<_, PyErr>(kept::entries_of(&upload, field)))?);
            }
            Ok(placed)
        })
    }

    /// A page of an answer, and what proves the whole if it is the last one and that is wanted.
    fn page_proven(
        &self,
        query: &query::Query,
        from: &Cursor,
        most: usize,
        wanted: Option<Wanted>,
    ) -> PyResult<(Vec<answer::Part>, Option<Proof>)> {
        let began = match from.snapshot {
            None => None,
            Some(snapshot) => {
                let reading = self.reading.read()?;
                let of_owner = reading.get(&query.owner);
                of_owner.and_then(|of| of.find(query, snapshot)).map(Arc::clone)
            }
        };
        // What was begun without a proof cannot be proven.
        let began = began.filter(|of| wanted.is_none() || of.is_proven);
        let answered = match began {
            Some(answered) => answered,
            None => Arc::new(self.answered(query, wanted)?),
        };
        if from.snapshot.is_some_and(|snapshot| snapshot != answered.snapshot) {
            return Err(Error::Moved.into());
        }
        let size = size_of_parts(&answered.parts);
        let fits = *from == Cursor::default() && size <= most;
        let page = match fits {
            true => Vec::new(),
            false => page_of(query, Cow::Borrowed(&answered.parts), from, most),
        };
        let goes_on = !fits && page.last().is_some_and(|of| Cursor::after(query, &[of]).is_some());
        let proof = match wanted.filter(|_| !goes_on) {
            Some(wanted) => Some(self.proof(query, &answered, (wanted, false))?),
            None => None,
        };
        if goes_on {
            let (query, snapshot) = (query.clone(), answered.snapshot);
            let mut reading = self.reading.write()?;
            let of_owner = reading.entry(query.owner).or_default();
            of_owner.keep(query, snapshot, answered, (size, ROOM));
            return Ok((page, proof));
        }
        if from.snapshot.is_some() {
            let mut reading = self.reading.write()?;
            if let Some(of_owner) = reading.get_mut(&query.owner) {
                of_owner.end(query);
            }
        }
        let whole = |answered: Arc<Answered>| match Arc::try_unwrap(answered) {
            Ok(answered) => answered.parts,
            Err(shared) => shared.parts.clone(),
        };
        Ok((if fits { whole(answered) } else { page }, proof))
    }

    fn bound<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.store.bind(py)
    }

    /// Keeps an attachment whose body was written to a spool of the store.
    pub(super) fn add_spooled(
        &self,
        came: Came,
        missing: Vec<u128>,
        spool: &Py<PyAny>,
    ) -> PyResult<()> {
        Python::attach(|py| {
            let deed = PyBytes::new(py, &came.deed);
            let arguments = (Attachment(came.attachment), missing, deed, spool);
            self.bound(py).call_method1("add_spooled", arguments).map(drop)
        })
    }

    /// The file of an owner with a number if its body lies outside of tables, the size of that, and what
    /// it is read by.
    pub(super) fn spooled(&self, owner: &Owner, number: u128) -> PyResult<Option<Spooled>> {
        Python::attach(|py| {
            let found = self.bound(py).call_method1("spooled", (owner_bytes(py, owner), number))?;
            let found: Option<(StoredFile, u64, Py<PyAny>)> = returned("spooled", found.extract())?;
            Ok(found.map(|(file, size, body)| (file.0, (size, body))))
        })
    }
}

fn owner_bytes<'py>(py: Python<'py>, owner: &Owner) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &owner.0)
}

/// What a method of a store in Python returned, or which one it was that returned something else.
fn returned<T, E>(method: &str, value: Result<T, E>) -> PyResult<T> {
    value.map_err(|_| {
        let why =
            format!("the store's {method} returned something else than mopse.stores.Store says");
        WrongTypeError::new_err(why)
    })
}

fn label(found: Option<Bound<'_, PyAny>>) -> PyResult<Option<Label>> {
    match found {
        None => Ok(None),
        Some(found) if found.extract::<i8>().is_ok_and(|number| number == SPENT) => {
            Ok(Some(Label::Spent))
        }
        Some(found) => Ok(Some(Label::Live(found.extract()?))),
    }
}

impl Store for Foreign {
    type Error = PyErr;

    fn owners(&self) -> PyResult<Vec<Owner>> {
        Python::attach(|py| {
            let owners = self.bound(py).call_method0("owners")?;
            let owners: Vec<[u8; 32]> = returned("owners", owners.extract())?;
            Ok(owners.into_iter().map(Owner).collect())
        })
    }

    fn announced(&self, owner: &Owner) -> PyResult<Option<Arc<Announced>>> {
        let messages = self.announcements(owner)?;
        if messages.is_empty() {
            return Ok(None);
        }
        let known = self.known.read()?;
        if let Some((_, decoded)) = known.get(owner).filter(|(bytes, _)| *bytes == messages) {
            return Ok(Some(Arc::clone(decoded)));
        }
        drop(known);
        let decode = |message: &Vec<u8>| announcement::Announcement::decode(message).map(Arc::new);
        let all = messages.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        let decoded = Arc::new(Announced::shown(&all)?);
        let mut known = self.known.write()?;
        known.insert(*owner, (messages, Arc::clone(&decoded)));
        Ok(Some(decoded))
    }

    fn announcements(&self, owner: &Owner) -> PyResult<Vec<Vec<u8>>> {
        Python::attach(|py| {
            let messages =
                self.bound(py).call_method1("announcements", (owner_bytes(py, owner),))?;
            let messages: Vec<Bound<'_, PyBytes>> = returned("announcements", messages.extract())?;
            Ok(messages.iter().map(|message| message.as_bytes().to_vec()).collect())
        })
    }

    fn enroll(&self, announcements: Vec<(announcement::Announcement, Vec<u8>)>) -> PyResult<()> {
        Python::attach(|py| {
            let announcement = |(announcement, message): (_, Vec<u8>)| {
                let message = PyBytes::new(py, &message).unbind();
                Announcement { announcement, message }
            };
            let announcements: Vec<_> = announcements.into_iter().map(announcement).collect();
            self.bound(py).call_method1("enroll", (announcements,)).map(drop)
        })
    }

    fn add(&self, upload: upload::Upload, message: &[u8]) -> PyResult<Receipt> {
        let provider = upload.provider.path();
        Python::attach(|py| {
            let arguments = (StoredUpload(upload), PyBytes::new(py, message));
            let did = self.bound(py).call_method1("add", arguments)?;
            let (added, replaced, removed, is_repeated): Changes = returned("add", did.extract())?;
            Ok(Receipt { provider, added, replaced, removed, files: 0, is_repeated })
        })
    }

    fn add_file(
        &self,
        attachment: attachment::Attachment,
        missing: &[u128],
        message: &[u8],
    ) -> PyResult<()> {
        Python::attach(|py| {
            let arguments = (Attachment(attachment), missing.to_vec(), PyBytes::new(py, message));
            self.bound(py).call_method1("add_file", arguments).map(drop)
        })
    }

    fn arrived(
        &self,
        owner: &Owner,
        provider: &Node,
        numbers: &[u128],
    ) -> PyResult<Vec<Option<Vec<u128>>>> {
        Python::attach(|py| {
            let (path, epochs) = told(provider);
            let arguments = (owner_bytes(py, owner), path, epochs, numbers.to_vec());
            returned("arrived", self.bound(py).call_method1("arrived", arguments)?.extract())
        })
    }

    fn notes(&self, owner: &Owner, provider: &Node) -> PyResult<Vec<Note>> {
        Python::attach(|py| {
            let (path, epochs) = told(provider);
            let arguments = (owner_bytes(py, owner), path, epochs);
            let notes = self.bound(py).call_method1("notes", arguments)?;
            let notes: Vec<(u128, PyBackedBytes)> = returned("notes", notes.extract())?;
            let note =
                |(number, sealed): (u128, PyBackedBytes)| Note { number, sealed: sealed.to_vec() };
            Ok(notes.into_iter().map(note).collect())
        })
    }

    fn add_base(&self, owner: &Owner, provider: &Node, base: u128) -> PyResult<()> {
        Python::attach(|py| {
            let (path, epochs) = told(provider);
            let arguments = (owner_bytes(py, owner), path, epochs, base);
            self.bound(py).call_method1("add_base", arguments).map(drop)
        })
    }

    fn repeated(
        &self,
        owner: &Owner,
        provider: &str,
        id: u128,
        digest: &[u8; 32],
    ) -> PyResult<Option<Receipt>> {
        let told: Option<(usize, usize, usize)> = Python::attach(|py| {
            let arguments = (owner_bytes(py, owner), provider, id, PyBytes::new(py, digest));
            returned("repeated", self.bound(py).call_method1("repeated", arguments)?.extract())
        })?;
        Ok(told.map(|(added, replaced, removed)| {
            let (provider, files, is_repeated) = (provider.to_owned(), 0, true);
            Receipt { provider, added, replaced, removed, files, is_repeated }
        }))
    }

    fn put(&self, piece: &piece::Piece, now: u64) -> PyResult<()> {
        Python::attach(|py| {
            self.bound(py).call_method1("put", (Piece(piece.clone()), now)).map(drop)
        })
    }

    fn chunks(&self, owner: &Owner, digest: &[u8; 32]) -> PyResult<Vec<u64>> {
        Python::attach(|py| {
            let arguments = (owner_bytes(py, owner), PyBytes::new(py, digest));
            returned("chunks", self.bound(py).call_method1("chunks", arguments)?.extract())
        })
    }

    fn body(&self, owner: &Owner, digest: &[u8; 32]) -> PyResult<Vec<u8>> {
        Python::attach(|py| {
            let arguments = (owner_bytes(py, owner), PyBytes::new(py, digest));
            let body = self.bound(py).call_method1("body", arguments)?;
            let body: PyBackedBytes = returned("body", body.extract())?;
            Ok(body.to_vec())
        })
    }

    fn forget(&self, owner: &Owner, digest: &[u8; 32]) -> PyResult<()> {
        Python::attach(|py| {
            let arguments = (owner_bytes(py, owner), PyBytes::new(py, digest));
            self.bound(py).call_method1("forget", arguments).map(drop)
        })
    }

    fn seal(&self, sealed: Sealed) -> PyResult<bool> {
        self.check_seals()?;
        Python::attach(|py| {
            let message = PyBytes::new(py, &sealed.encode()).unbind();
            let is_repeated = self.bound(py).call_method1("seal", (Seal(sealed), message))?;
            returned("seal", is_repeated.extract())
        })
    }

    fn page(
        &self,
        query: &query::Query,
        from: &Cursor,
        most: usize,
    ) -> PyResult<Vec<answer::Part>> {
        Ok(self.page_proven(query, from, most, None)?.0)
    }

    fn proven_page(
        &self,
        query: &query::Query,
        from: &Cursor,
        most: usize,
        wanted: Wanted,
    ) -> PyResult<(Vec<answer::Part>, Option<Proof>)> {
        self.check_seals()?;
        if from.snapshot.is_some() {
            return self.page_proven(query, from, most, Some(wanted));
        }
        tried(|| self.page_proven(query, from, most, Some(wanted)))
    }

    fn proven_count(&self, query: &query::Query, wanted: Wanted) -> PyResult<Proof> {
        self.check_seals()?;
        tried(|| {
            let answered = self.answered(query, Some(wanted))?;
            self.proof(query, &answered, (wanted, true))
        })
    }

    fn proven_files(
        &self,
        request: &Request,
    ) -> PyResult<(Vec<attachment::StoredFile>, catalogue::Proof)> {
        self.check_seals()?;
        tried(|| {
            let filed = Filed { store: self, owner: request.owner, known: RefCell::default() };
            let proven = lists::proven(&filed, request)?;
            // Files are found one call after the other: nothing may have been sealed or removed meanwhile.
            for (place, (_, state)) in &*filed.known.borrow() {
                if filed.state_of(place)?.1 != *state {
                    return Err(Error::Moved.into());
                }
            }
            Ok(proven)
        })
    }

    fn search(&self, query: &query::Query) -> PyResult<Vec<answer::Part>> {
        Python::attach(|py| {
            let parts = self.bound(py).call_method1("search", (Query(query.clone()),))?;
            let parts: Vec<Part> = returned("search", parts.extract())?;
            Ok(parts.into_iter().map(|part| part.0).collect())
        })
    }

    fn count(&self, query: &query::Query) -> PyResult<usize> {
        Python::attach(|py| {
            let count = self.bound(py).call_method1("count", (Query(query.clone()),))?;
            returned("count", count.extract())
        })
    }

    fn labels(
        &self,
        owner: &Owner,
        provider: &Node,
        labels: &[u128],
    ) -> PyResult<Vec<Option<Label>>> {
        Python::attach(|py| {
            let (path, epochs) = told(provider);
            let arguments = (owner_bytes(py, owner), path, epochs, labels.to_vec());
            let found = self.bound(py).call_method1("labels", arguments)?;
            let found: Vec<Option<Bound<'_, PyAny>>> = returned("labels", found.extract())?;
            found.into_iter().map(|found| returned("labels", label(found))).collect()
        })
    }

    fn label_count(&self, owner: &Owner, provider: &Node) -> PyResult<usize> {
        Python::attach(|py| {
            let (path, epochs) = told(provider);
            let arguments = (owner_bytes(py, owner), path, epochs);
            returned(
                "label_count",
                self.bound(py).call_method1("label_count", arguments)?.extract(),
            )
        })
    }

    fn files(
        &self,
        owner: &Owner,
        provider: &Node,
        numbers: &[u128],
    ) -> PyResult<Vec<attachment::StoredFile>> {
        self.listed("files", owner, provider, numbers)
    }

    fn files_of(
        &self,
        owner: &Owner,
        provider: &Node,
        handles: &[u128],
    ) -> PyResult<Vec<attachment::StoredFile>> {
        self.listed("files_of", owner, provider, handles)
    }

    fn file(&self, owner: &Owner, number: u128) -> PyResult<Option<attachment::StoredFile>> {
        Python::attach(|py| {
            let arguments = (owner_bytes(py, owner), number);
            let file = self.bound(py).call_method1("file", arguments)?;
            let file: Option<StoredFile> = returned("file", file.extract())?;
            Ok(file.map(|file| file.0))
        })
    }

    fn deed(&self, owner: &Owner, number: u128) -> PyResult<Option<Vec<u8>>> {
        Python::attach(|py| {
            let deed = self.bound(py).call_method1("deed", (owner_bytes(py, owner), number))?;
            let deed: Option<PyBackedBytes> = returned("deed", deed.extract())?;
            Ok(deed.map(|deed| deed.to_vec()))
        })
    }

    fn remove(
        &self,
        owner: &Owner,
        provider: &str,
        removal: Option<&removal::Removal>,
    ) -> PyResult<Receipt> {
        let removal = removal.map(|removal| Removal(removal.clone()));
        let removed = Python::attach(|py| {
            let arguments = (owner_bytes(py, owner), provider, removal);
            let removed = self.bound(py).call_method1("remove", arguments)?;
            returned("remove", removed.extract())
        });
        let (removed, files, is_repeated) = removed?;
        let provider = provider.to_owned();
        Ok(Receipt { provider, added: 0, replaced: 0, removed, files, is_repeated })
    }
}

impl Foreign {
    /// All files of a place, or all that are sealed, without bodies.
    fn of_place(
        &self,
        method: &str,
        owner: &Owner,
        place: &Node,
    ) -> PyResult<Vec<attachment::StoredFile>> {
        Python::attach(|py| {
            let (path, epochs) = told(place);
            let files =
                self.bound(py).call_method1(method, (owner_bytes(py, owner), path, epochs))?;
            let files: Vec<StoredFile> = returned(method, files.extract())?;
            Ok(files.into_iter().map(|file| file.0).collect())
        })
    }

    fn listed(
        &self,
        method: &str,
        owner: &Owner,
        provider: &Node,
        wanted: &[u128],
    ) -> PyResult<Vec<attachment::StoredFile>> {
        Python::attach(|py| {
            let (path, epochs) = told(provider);
            let arguments = (owner_bytes(py, owner), path, epochs, wanted.to_vec());
            let files = self.bound(py).call_method1(method, arguments)?;
            let files: Vec<StoredFile> = returned(method, files.extract())?;
            Ok(files.into_iter().map(|file| file.0).collect())
        })
    }
}

/// What was sealed of the files at a place, and the digest of that seal.
type OfPlace = (Option<Arc<Catalogue>>, State);
/// The digest of a seal, and a signed removal; empty if there is none.
type State = (Vec<u8>, Arc<Vec<u8>>);

/// The files of an owner in a store in Python, while a list of them is proven.
struct Filed<'a> {
    store: &'a Foreign,
    owner: Owner,
    known: RefCell<HashMap<Node, OfPlace>>,
}

impl Filed<'_> {
    /// The seal of a place, if it has one that counts, and what tells that from others.
    fn state_of(&self, of: &Node) -> PyResult<(Option<Arc<KeptSeal>>, State)> {
        Python::attach(|py| {
            let (path, epochs) = told(of);
            let known = self.store.known_seals(py, &self.owner)?;
            let arguments = (owner_bytes(py, &self.owner), path, epochs, known);
            let told = self.store.bound(py).call_method1("sealing", arguments)?;
            let (seal, removal): (Option<([u8; 32], PyBackedBytes)>, PyBackedBytes) =
                returned("sealing", told.extract())?;
            let digest = seal.as_ref().map_or_else(Vec::new, |(digest, _)| digest.to_vec());
            let seal = seal.map(|(digest, message)| self.store.seals.get(&digest, &message));
            Ok((seal.transpose()?, (digest, Arc::new(removal.to_vec()))))
        })
    }

    fn of(&self, place: &Node) -> PyResult<OfPlace> {
        if let Some(known) = self.known.borrow().get(place) {
            return Ok(known.clone());
        }
        let (seal, state) = self.state_of(place)?;
        let sealed = || self.store.of_place("sealed_files", &self.owner, place);
        let catalogue = seal.map(|seal| seal.catalogue(sealed)).transpose()?;
        let of_place = (catalogue, state);
        self.known.borrow_mut().insert(place.clone(), of_place.clone());
        Ok(of_place)
    }
}

impl Files for Filed<'_> {
    type Error = PyErr;
    type Labels<'a>
        = StoredLabels<'a, Foreign>
    where
        Self: 'a;

    fn catalogue(&self, place: &Node) -> PyResult<Option<Arc<Catalogue>>> {
        Ok(self.of(place)?.0)
    }

    fn removal(&self, place: &Node) -> PyResult<Option<Arc<Vec<u8>>>> {
        let (_, (_, removal)) = self.of(place)?;
        Ok(Some(removal).filter(|removal| !removal.is_empty()))
    }

    fn labels<'a>(&'a self, place: &'a Node) -> Self::Labels<'a> {
        StoredLabels { store: self.store, owner: &self.owner, provider: place }
    }

    fn described(&self, place: &Node, numbers: &[u128]) -> PyResult<Vec<attachment::StoredFile>> {
        self.store.files(&self.owner, place, numbers)
    }

    fn of_records(&self, place: &Node, handles: &[u128]) -> PyResult<Vec<attachment::StoredFile>> {
        self.store.files_of(&self.owner, place, handles)
    }

    fn all(&self, place: &Node) -> PyResult<WithNotes> {
        let mut files = self.store.of_place("all_files", &self.owner, place)?;
        files.sort_unstable_by_key(|file| file.number);
        let notes = self.store.notes(&self.owner, place)?.into_iter();
        let notes: HashMap<u128, Vec<u8>> = notes.map(|note| (note.number, note.sealed)).collect();
        let notes = files.iter().filter_map(|file| notes.get(&file.number).cloned()).collect();
        Ok((files, notes))
    }
}
