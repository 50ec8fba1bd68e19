use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::{halves, joined};
use crate::message::certificate::Owner;
use crate::message::notes::Note;
use crate::message::place::{Group, Node};
use crate::message::request::Ask;
use crate::message::token::Scope;
use crate::message::upload::Run;
use crate::message::{
    announcement, answer, attachment, bundle, listing, notes, request, token, upload,
};
use crate::wire::{Blobs, Kind};

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

fn place(path: &str, epochs: &[u32]) -> PyResult<Node> {
    Ok(Node::of(path, epochs)?)
}

/// What a cloud keeps of an owner.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Announcement {
    pub(super) announcement: announcement::Announcement,
    pub(super) message: Py<PyBytes>,
}

#[pymethods]
impl Announcement {
    /// Read what travelled, and verify its signature if it has one.
    #[staticmethod]
    fn decode(message: Bound<'_, PyBytes>) -> PyResult<Self> {
        let announcement = announcement::Announcement::decode(message.as_bytes())?;
        Ok(Self { announcement, message: message.unbind() })
    }

    /// Verification key of the owner, 32 bytes.
    #[getter]
    fn owner(&self) -> [u8; 32] {
        self.announcement.owner.0
    }

    /// Its number.
    #[getter]
    fn number(&self) -> u64 {
        self.announcement.number
    }

    /// The announcement as it came, signed.
    #[getter]
    fn message(&self, py: Python<'_>) -> Py<PyBytes> {
        self.message.clone_ref(py)
    }
}

/// Behind `mopse.Upload`, and what a store is handed of one.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct StoredUpload(pub(super) upload::Upload);

#[pymethods]
impl StoredUpload {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "the columns of an upload")]
    fn new(
        owner: [u8; 32],
        provider: &str,
        epochs: Vec<u32>,
        schema: [u8; 32],
        sequence: u64,
        handles: PyReadonlyArray2<'_, u64>,
        layout: Vec<u8>,
        records: (PyReadonlyArray1<'_, u64>, PyBackedBytes),
        runs: Vec<LentRun<'_>>,
    ) -> PyResult<Self> {
        let run = |(field, ciphertexts, records): LentRun<'_>| -> PyResult<Run> {
            let ciphertexts = ciphertexts.as_slice()?.to_vec();
            Ok(Run { field, ciphertexts, records: records.as_slice()?.to_vec() })
        };
        let runs = runs.into_iter().map(run).collect::<PyResult<_>>()?;
        let records = Blobs::new(records.0.as_slice()?.to_vec(), records.1.to_vec())?;
        Ok(Self(upload::Upload::new(
            Owner(owner),
            place(provider, &epochs)?,
            schema,
            sequence,
            lent_handles(&handles)?,
            layout,
            records,
            runs,
        )?))
    }

    /// Read what travelled, and verify its signature if it has one.
    #[staticmethod]
    fn decode(py: Python<'_>, message: &[u8]) -> PyResult<Self> {
        Ok(Self(py.detach(|| upload::Upload::decode(message))?))
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

    /// The epoch of each name of the path.
    #[getter]
    fn epochs(&self) -> Vec<u32> {
        self.0.provider.epochs().to_vec()
    }

    /// The group of the provider.
    #[getter]
    fn group(&self) -> Option<String> {
        Group::of(&self.0.provider).map(|group| group.to_string())
    }

    /// SHA-256 of the schema, 32 bytes.
    #[getter]
    fn schema(&self) -> [u8; 32] {
        self.0.schema
    }

    /// Above that of every earlier upload of the provider.
    #[getter]
    fn sequence(&self) -> u64 {
        self.0.sequence
    }

    /// Pseudonyms of the records: high and low half of each.
    #[getter]
    fn handles<'py>(&self, py: Python<'py>) -> PyResult<Handles<'py>> {
        handles(py, &self.0.handles)
    }

    /// Names and types of the columns, sealed.
    #[getter]
    fn layout<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.layout)
    }

    /// Where each sealed record ends, and all their bytes.
    #[getter]
    fn records<'py>(&self, py: Python<'py>) -> Packed<'py> {
        packed(py, &self.0.records)
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

/// Behind `mopse.Query`, and what a store is handed of one.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Token(pub(super) token::Token);

#[pymethods]
impl Token {
    /// Read the tokens of a query, and verify their signature.
    #[staticmethod]
    fn decode_all(messages: Vec<Bound<'_, PyBytes>>) -> PyResult<Vec<Self>> {
        let messages: Vec<&[u8]> = messages.iter().map(|message| message.as_bytes()).collect();
        Ok(token::Token::decode_all(&messages)?.into_iter().map(Self).collect())
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

    /// The group of the provider.
    #[getter]
    fn group(&self) -> String {
        self.0.group.to_string()
    }

    /// The path of the group's authority, and with it what names the group: the epochs from the owner's
    /// on, the authority's last, which are those of its providers' places.
    #[getter]
    fn place(&self) -> (String, Vec<u32>) {
        let Group { authority, epoch } = &self.0.group;
        (authority.path(), [authority.epochs(), &[*epoch]].concat())
    }

    /// ``"group"`` or ``"own"``.
    #[getter]
    fn scope(&self) -> &'static str {
        match self.0.scope {
            Scope::Group => "group",
            Scope::Own => "own",
        }
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

    /// The random number of its query.
    #[getter]
    fn query(&self) -> u128 {
        self.0.query
    }

    /// Field, lowest and highest ciphertext, of each range.
    #[getter]
    fn predicates(&self) -> Vec<(String, i64, i64)> {
        let bounds = |p: &token::Predicate| (p.field.clone(), p.low, p.high);
        self.0.predicates.iter().map(bounds).collect()
    }
}

/// Behind `mopse.Answer`, and what a store answers with.
#[pyclass(module = "mopse._mopse.message", frozen, from_py_object)]
#[derive(Clone)]
pub(super) struct Part(pub(super) answer::Part);

#[pymethods]
impl Part {
    #[new]
    fn new(
        owner: [u8; 32],
        provider: &str,
        epochs: Vec<u32>,
        query: u128,
        handles: PyReadonlyArray2<'_, u64>,
        layout: Vec<u8>,
        records: (PyReadonlyArray1<'_, u64>, PyBackedBytes),
    ) -> PyResult<Self> {
        let records = Blobs::new(records.0.as_slice()?.to_vec(), records.1.to_vec())?;
        let provider = place(provider, &epochs)?;
        let handles = lent_handles(&handles)?;
        Ok(Self(answer::Part::new(Owner(owner), provider, query, handles, layout, records)?))
    }

    /// Read what travelled, and verify its signature if it has one.
    #[staticmethod]
    fn decode(message: &[u8]) -> PyResult<Self> {
        Ok(Self(answer::Part::decode(message)?))
    }

    /// What travels.
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.encode())
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

    /// The epoch of each name of the path.
    #[getter]
    fn epochs(&self) -> Vec<u32> {
        self.0.provider.epochs().to_vec()
    }

    /// The random number of its query.
    #[getter]
    fn query(&self) -> u128 {
        self.0.query
    }

    /// Pseudonyms of the records: high and low half of each.
    #[getter]
    fn handles<'py>(&self, py: Python<'py>) -> PyResult<Handles<'py>> {
        handles(py, &self.0.handles)
    }

    /// Names and types of the columns, sealed.
    #[getter]
    fn layout<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.layout)
    }

    /// Where each sealed record ends, and all their bytes.
    #[getter]
    fn records<'py>(&self, py: Python<'py>) -> Packed<'py> {
        packed(py, &self.0.records)
    }

    /// Size of what is sealed, in bytes.
    #[getter]
    fn size(&self) -> usize {
        self.0.records.size() + self.0.layout.len() + 16 * self.0.handles.len()
    }

    fn __len__(&self) -> usize {
        self.0.handles.len()
    }
}

/// Behind `mopse.FileUpload`, and what a store is handed of one.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Attachment(pub(super) attachment::Attachment);

#[pymethods]
impl Attachment {
    /// Read what travelled, and verify its signature if it has one.
    #[staticmethod]
    fn decode(py: Python<'_>, message: &[u8]) -> PyResult<Self> {
        Ok(Self(py.detach(|| attachment::Attachment::decode(message))?))
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

    /// The numbers of what its keyring made right before it, oldest first.
    #[getter]
    fn previous(&self) -> Vec<u128> {
        self.0.lineage.previous.clone()
    }
}

/// Behind `mopse.FileRequest`.
#[pyclass(module = "mopse._mopse.message", frozen)]
pub(super) struct Request(pub(super) request::Request);

#[pymethods]
impl Request {
    /// Read what travelled, and verify its signature if it has one.
    #[staticmethod]
    fn decode(message: &[u8]) -> PyResult<Self> {
        Ok(Self(request::Request::decode(message)?))
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

    /// ``"keywords"``, ``"records"``, ``"file"`` or ``"notes"``.
    #[getter]
    fn asks(&self) -> &'static str {
        match self.0.ask {
            Ask::Keywords(_) => "keywords",
            Ask::Records(_) => "records",
            Ask::File(_) => "file",
            Ask::Notes => "notes",
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
    fn new(
        owner: [u8; 32],
        provider: &str,
        epochs: Vec<u32>,
        handle: u128,
        number: u128,
        description: Vec<u8>,
        body: Option<Vec<u8>>,
    ) -> PyResult<Self> {
        let (owner, provider) = (Owner(owner), place(provider, &epochs)?);
        Ok(Self(attachment::StoredFile { owner, provider, handle, number, description, body }))
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

    /// The epoch of each name of the path.
    #[getter]
    fn epochs(&self) -> Vec<u32> {
        self.0.provider.epochs().to_vec()
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
        Self(listing::Listing { request, files: files.into_iter().map(|file| file.0).collect() })
    }

    /// Read what travelled.
    #[staticmethod]
    fn decode(message: &[u8]) -> PyResult<Self> {
        Ok(Self(listing::Listing::decode(message)?))
    }

    /// What travels.
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.encode())
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
        Self(listing::Fetched { request, file: file.0 })
    }

    /// Read what travelled.
    #[staticmethod]
    fn decode(message: &[u8]) -> PyResult<Self> {
        Ok(Self(listing::Fetched::decode(message)?))
    }

    /// What travels.
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.encode())
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
        epochs: Vec<u32>,
        notes: Vec<(u128, Vec<u8>)>,
    ) -> PyResult<Self> {
        let notes = notes.into_iter().map(|(number, sealed)| Note { number, sealed }).collect();
        let (owner, provider) = (Owner(owner), place(provider, &epochs)?);
        Ok(Self(notes::Notes { request, owner, provider, notes }))
    }

    /// Read what travelled.
    #[staticmethod]
    fn decode(message: &[u8]) -> PyResult<Self> {
        Ok(Self(notes::Notes::decode(message)?))
    }

    /// What travels.
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.encode())
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

fn kind(name: &str) -> PyResult<Kind> {
    Ok(bundle::kind(name)?)
}

/// Messages as one: of a ``"query"`` or an ``"answer"``.
#[pyfunction]
pub(super) fn join<'py>(
    py: Python<'py>,
    what: &str,
    messages: Vec<Bound<'py, PyBytes>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let joined = bundle::join(kind(what)?, messages.iter().map(|message| message.as_bytes()));
    Ok(PyBytes::new(py, &joined))
}

/// The messages that `join` made one of.
#[pyfunction]
pub(super) fn split<'py>(
    py: Python<'py>,
    what: &str,
    message: &[u8],
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let messages = bundle::split(kind(what)?, message)?;
    Ok(messages.into_iter().map(|message| PyBytes::new(py, message)).collect())
}
