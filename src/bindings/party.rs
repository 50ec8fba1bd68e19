use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;

use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

use super::cipher::password::most;
use super::error::InvalidInputError;
use super::message::{
    AuditRequest, Fetched, Listing, Notes, Part, Permission, Place, Proof, Query, Request, Seal,
    borrowed, told,
};
use super::schema::{Field, Schema};
use super::{filled, halves, joined, released};
use crate::cipher::password::Cost;
use crate::keys::Key;
use crate::lock::Lock;
use crate::message::audit::Stated;
use crate::message::neighbours;
use crate::message::place::{Group, Node, spelt_path};
use crate::message::sums::{self, Required};
use crate::party::Error;
use crate::party::amending::State;
use crate::party::asking::FilesOf;
use crate::party::attachments::Description;
use crate::party::columns::{Column, Values};
use crate::party::deidentify::Within;
use crate::party::grants::{Opener, Share};
use crate::party::keyring::Spans;
use crate::party::proving::{Checked, Seals};
use crate::party::records::{Amending, Ids};
use crate::party::shares::{Given, Head};
use crate::party::types::Type;
use crate::party::uploading::{self, Change, Made, Table};
use crate::party::{self, Indexed, Range, claims, grants, saved};
use crate::scheme::mopse::Handle;
use crate::sharing::{self, user};
use crate::wire::Packed;

/// Name, kind, dtype in words, values, which rows hold one.
type ColumnSpec<'py> = (String, String, String, Bound<'py, PyAny>, PyReadonlyArray1<'py, bool>);
type OpenedColumn<'py> = (String, &'static str, String, Bound<'py, PyAny>, Bound<'py, PyAny>);
/// The columns of the records that match, how many others were opened, fields that could not be checked,
/// whether the epoch was left, handles, what has a fault, and what is amended.
type Opened<'py> = (
    Vec<OpenedColumn<'py>>,
    usize,
    Vec<String>,
    bool,
    Option<Bound<'py, PyArray2<u64>>>,
    Vec<Fault>,
    Option<Amends>,
);
/// Handle as text, column, cause.
type Fault = (String, Option<String>, String);
/// Name, media type, size in bytes.
pub(super) type Described = (String, String, u64);
/// A group, and the first and last ciphertext of each cell.
type GroupSpans<'py> = (String, Bound<'py, PyArray2<i64>>);
/// Name, rows that hold a value, plaintexts.
type IndexedSpec<'py> = (String, PyReadonlyArray1<'py, u32>, PyReadonlyArray1<'py, i64>);

/// A column that Python lends for a call.
enum Lent<'py> {
    Int64(PyReadonlyArray1<'py, i64>),
    UInt64(PyReadonlyArray1<'py, u64>),
    Float64(PyReadonlyArray1<'py, f64>),
    Boolean(PyReadonlyArray1<'py, bool>),
    Text(PyReadonlyArray1<'py, u64>, PyBackedBytes),
}

impl<'py> Lent<'py> {
    fn new(kind: &str, values: &Bound<'py, PyAny>) -> PyResult<Self> {
        Ok(match kind {
            "int64" => Self::Int64(values.extract()?),
            "uint64" => Self::UInt64(values.extract()?),
            "float64" => Self::Float64(values.extract()?),
            "boolean" => Self::Boolean(values.extract()?),
            _ => {
                let (ends, bytes) = values.extract()?;
                Self::Text(ends, bytes)
            }
        })
    }

    fn values(&self) -> PyResult<Values<'_>> {
        Ok(match self {
            Self::Int64(values) => Values::Int64(Cow::Borrowed(values.as_slice()?)),
            Self::UInt64(values) => Values::UInt64(Cow::Borrowed(values.as_slice()?)),
            Self::Float64(values) => Values::Float64(Cow::Borrowed(values.as_slice()?)),
            Self::Boolean(values) => Values::Boolean(Cow::Borrowed(values.as_slice()?)),
            Self::Text(ends, bytes) => Values::Text(texts(ends, bytes)?),
        })
    }
}

fn texts<'a>(ends: &'a PyReadonlyArray1<'_, u64>, bytes: &'a [u8]) -> PyResult<Packed<'a>> {
    Ok(Packed::new(ends.as_slice()?, bytes)?)
}

/// Runs `use_ids` with the ids that Python lends.
fn cost_of(cost: Option<(u32, u32, u32)>) -> Cost {
    cost.map_or_else(Cost::default, |(memory, passes, lanes)| Cost { memory, passes, lanes })
}

pub(super) fn with_ids<T>(
    ids: &Bound<'_, PyAny>,
    use_ids: impl FnOnce(Ids<'_>) -> PyResult<T>,
) -> PyResult<T> {
    if let Ok(integers) = ids.extract::<PyReadonlyArray1<'_, i64>>() {
        return use_ids(Ids::Integers(integers.as_slice()?));
    }
    let (ends, bytes): (PyReadonlyArray1<'_, u64>, PyBackedBytes) = ids.extract()?;
    use_ids(Ids::Texts(&texts(&ends, &bytes)?))
}

/// The same of ids that stand for what amends records of the provider with a path, if there is one.
fn with_ids_of<T>(
    ids: &Bound<'_, PyAny>,
    amending: Option<&str>,
    use_ids: impl FnOnce(Ids<'_>) -> PyResult<T>,
) -> PyResult<T> {
    let Some(path) = amending else { return with_ids(ids, use_ids) };
    let of = &spelt_path(path)?;
    with_ids(ids, |ids| use_ids(Ids::Amending(&Amending { of, ids })))
}

/// What was opened, as Python takes it. Handles are for reports only.
fn opened(py: Python<'_>, opened: party::Opened, is_report: bool) -> PyResult<Opened<'_>> {
    let column = |column: Column<'static>| {
        let is_valid = column.is_valid.into_owned().into_pyarray(py).into_any();
        let (kind, values) = match column.values {
            Values::Int64(values) => ("int64", values.into_owned().into_pyarray(py).into_any()),
            Values::UInt64(values) => ("uint64", values.into_owned().into_pyarray(py).into_any()),
            Values::Float64(values) => ("float64", values.into_owned().into_pyarray(py).into_any()),
            Values::Boolean(values) => ("boolean", values.into_owned().into_pyarray(py).into_any()),
            Values::Text(texts) => ("text", texts.to_strings().into_pyobject(py)?.into_any()),
        };
        Ok((column.name, kind, column.dtype, values, is_valid))
    };
    let columns = opened.columns.into_iter().map(column).collect::<PyResult<_>>()?;
    let handles = is_report.then(|| rows_of(py, opened.handles)).transpose()?;
    let fault = |fault: party::Fault| {
        (format!("{:032x}", fault.handle), fault.column().map(str::to_owned), fault.cause())
    };
    let faults = opened.faults.into_iter().map(fault).collect();
    let amends = opened.amends.map(Amends);
    Ok((columns, opened.excess, opened.unchecked, opened.is_left, handles, faults, amends))
}

/// Handles as an array of two halves each.
fn rows_of(py: Python<'_>, handles: Vec<u128>) -> PyResult<Bound<'_, PyArray2<u64>>> {
    let halves: Vec<[u64; 2]> = handles.into_iter().map(halves).collect();
    let rows = halves.len();
    PyArray1::from_vec(py, halves.into_flattened()).reshape([rows, 2])
}

/// Name and arguments of the type that words say.
#[pyfunction]
pub(super) fn type_of(words: &str) -> Option<(&'static str, Vec<String>)> {
    let of = Type::parse(words)?;
    Some((of.name(), of.arguments()))
}

/// The first row of a column of whole numbers whose value its type does not hold.
#[pyfunction]
pub(super) fn first_fault(
    py: Python<'_>,
    words: &str,
    values: PyReadonlyArray1<'_, i64>,
    is_valid: PyReadonlyArray1<'_, bool>,
) -> PyResult<Option<usize>> {
    let (values, is_valid) = (values.as_slice()?, is_valid.as_slice()?);
    released(py, || {
        let fault = Type::parse(words).and_then(|of| of.first_fault(values, is_valid));
        Ok::<_, Infallible>(fault)
    })
}

/// Portions that are declared, with names in their one spelling.
#[pyfunction]
pub(super) fn spell_portions(
    portions: Vec<(String, Vec<String>)>,
) -> PyResult<Vec<(String, Vec<String>)>> {
    Ok(uploading::spell_names(portions)?)
}

fn within(is_of_group: bool) -> Within {
    if is_of_group { Within::Group } else { Within::Provider }
}

pub(super) fn as_ranges(ranges: Vec<(String, i64, i64)>) -> Vec<Range> {
    ranges.into_iter().map(|(field, low, high)| Range { field, low, high }).collect()
}

pub(super) fn slices(words: &[PyBackedBytes]) -> Vec<&[u8]> {
    words.iter().map(|word| &**word).collect()
}

pub(super) fn described(description: Description) -> Described {
    (description.name, description.media_type, description.size)
}

/// Handles of records by provider and the handle in another epoch.
type KnownAs = HashMap<(String, Handle), Handle>;

/// Path, group, number, hours and rows of the seal, rows that are unsealed, what is wrong.
type Member = (String, String, Option<(u64, u32, u64)>, usize, Option<String>);

fn member(member: sums::Member) -> Member {
    let sums::Member { group, provider, seal, unsealed, fault } = member;
    (provider.path(), group.to_string(), seal, unsealed, fault)
}

/// Owner, place, number and digest of a seal.
type SeenSeal = ([u8; 32], Place, u64, [u8; 32]);

/// Path and epochs of who wrote a record, its handle, its upload, and the number of its seal.
type Written = (Place, String, u128, Option<u64>);

fn of_signatures(checked: neighbours::Checked) -> (Vec<Member>, Vec<Written>) {
    let written = |written: neighbours::Written| {
        let neighbours::Written { provider, handle, upload, seal } = written;
        (told(&provider), format!("{handle:032x}"), upload, seal)
    };
    let neighbours::Checked { members, written: all, .. } = checked;
    (members.into_iter().map(member).collect(), all.into_iter().map(written).collect())
}

/// What each file of a listing is called, or the exception that says why it does not open.
fn all_described(
    py: Python<'_>,
    files: Vec<Result<Description, Error>>,
) -> PyResult<Vec<Bound<'_, PyAny>>> {
    let each = |file: Result<Description, Error>| match file {
        Ok(description) => Ok(described(description).into_pyobject(py)?.into_any()),
        Err(error) => Ok(PyErr::from(error).into_value(py).into_bound(py).into_any()),
    };
    files.into_iter().map(each).collect()
}

/// All files of a provider's place, as a cloud showed them and they were found right.
#[pyclass(module = "mopse._mopse.party", frozen)]
pub(super) struct Shelf(party::shelves::Shelf);

/// Behind `mopse.Owner` and `mopse.Provider`.
#[pyclass(module = "mopse._mopse.party", frozen)]
pub(super) struct Keyring(Lock<party::Keyring>);

impl Keyring {
    fn new(keyring: party::Keyring) -> Self {
        Self(Lock::new(keyring))
    }

    /// What some work makes of the keyring, while which the interpreter is free.
    pub(super) fn read<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&party::Keyring) -> T + Send,
    ) -> PyResult<T> {
        released(py, || self.0.read().map(|keyring| work(&keyring)))
    }

    /// The same of work that changes it at its end, so that it may be stopped before.
    pub(super) fn write_last<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut party::Keyring) -> T + Send,
    ) -> PyResult<T> {
        released(py, || self.0.write().map(|mut keyring| work(&mut keyring)))
    }

    /// The same of work that changes it, and is done to its end.
    pub(super) fn write<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut party::Keyring) -> T + Send,
    ) -> PyResult<T> {
        Ok(py.detach(|| self.0.write().map(|mut keyring| work(&mut keyring)))?)
    }
}

#[pymethods]
impl Keyring {
    #[staticmethod]
    fn generate(py: Python<'_>, schema: &Schema) -> PyResult<Self> {
        Ok(Self::new(py.detach(|| party::Keyring::generate(schema.0.clone()))?))
    }

    /// The owner of a key from which all its randomness follows.
    #[staticmethod]
    fn insecure(py: Python<'_>, key: &[u8], schema: &Schema) -> PyResult<Self> {
        let key = Key::from_bytes(key)?;
        Ok(Self::new(py.detach(|| party::Keyring::insecure(key, schema.0.clone()))))
    }

    #[staticmethod]
    fn open(
        py: Python<'_>,
        file: &[u8],
        password: &[u8],
        is_owner: bool,
        ceiling: (u32, u32, u32),
    ) -> PyResult<Self> {
        let kind = if is_owner { saved::Kind::Owner } else { saved::Kind::Provider };
        let open = || saved::open_within(most(ceiling), file, password, kind);
        Ok(Self::new(released(py, open)?))
    }

    fn seal<'py>(
        &self,
        py: Python<'py>,
        password: &[u8],
        cost: Option<(u32, u32, u32)>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let cost = cost_of(cost);
        let file = self.read(py, |keyring| saved::seal(keyring, password, cost))??;
        Ok(PyBytes::new(py, &file))
    }

    #[getter]
    fn owner(&self, py: Python<'_>) -> PyResult<[u8; 32]> {
        self.read(py, |keyring| keyring.owner().0)
    }

    #[getter]
    fn path(&self, py: Python<'_>) -> PyResult<String> {
        self.read(py, |keyring| keyring.node().path())
    }

    #[getter]
    fn epochs(&self, py: Python<'_>) -> PyResult<Vec<u32>> {
        self.read(py, |keyring| keyring.node().epochs().iter().map(|epoch| epoch.number).collect())
    }

    #[getter]
    fn members(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.read(py, |keyring| keyring.members().iter().map(Node::path).collect())
    }

    #[getter]
    fn groups(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.read(py, |keyring| keyring.groups().iter().map(ToString::to_string).collect())
    }

    #[getter]
    fn fields(&self, py: Python<'_>) -> PyResult<Vec<(String, Field)>> {
        let field = |(name, field): &(String, _)| (name.clone(), Field::of(field));
        self.read(py, |keyring| keyring.schema().fields().iter().map(field).collect())
    }

    #[getter]
    fn portions(&self, py: Python<'_>) -> PyResult<Vec<(String, Vec<String>)>> {
        self.read(py, |keyring| keyring.portions().to_vec())
    }

    fn declare_portions(
        &self,
        py: Python<'_>,
        portions: Vec<(String, Vec<String>)>,
    ) -> PyResult<()> {
        Ok(self.write(py, |keyring| keyring.declare_portions(portions))??)
    }

    #[getter]
    fn derivations(&self, py: Python<'_>) -> PyResult<String> {
        self.read(py, |keyring| keyring.derivations().to_owned())
    }

    fn declare_derivations(&self, py: Python<'_>, derivations: String) -> PyResult<()> {
        self.write(py, |keyring| keyring.declare_derivations(derivations))
    }

    /// 16 bytes for each value of a column, one after the other.
    fn pseudonyms<'py>(
        &self,
        py: Python<'py>,
        is_of_group: bool,
        portion: &str,
        column: &str,
        values: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let found = with_ids(&values, |values| {
            let work = |keyring: &party::Keyring| {
                keyring.pseudonyms(within(is_of_group), portion, column, values)
            };
            Ok(self.read(py, work)??)
        })?;
        Ok(PyBytes::new(py, found.as_flattened()))
    }

    fn shifts<'py>(
        &self,
        py: Python<'py>,
        is_of_group: bool,
        days: u32,
        subjects: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let shifts = with_ids(&subjects, |subjects| {
            Ok(self.read(py, |keyring| keyring.shifts(within(is_of_group), days, subjects))??)
        })?;
        Ok(shifts.into_pyarray(py))
    }

    fn authorize(&self, py: Python<'_>, name: &str, under: Vec<String>) -> PyResult<Self> {
        let under: Vec<&str> = under.iter().map(String::as_str).collect();
        Ok(Self::new(self.write(py, |keyring| keyring.authorize(name, &under))??))
    }

    fn revoke(&self, py: Python<'_>, path: Vec<String>) -> PyResult<()> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        Ok(self.write(py, |keyring| keyring.revoke(&path))??)
    }

    fn learn(&self, py: Python<'_>, certificates: &[u8]) -> PyResult<()> {
        Ok(self.write(py, |keyring| keyring.learn(certificates))??)
    }

    fn certificates<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let certificates = self.read(py, party::Keyring::certificates)?;
        Ok(PyBytes::new(py, &certificates))
    }

    fn renew_readers(&self, py: Python<'_>, path: Vec<String>) -> PyResult<()> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        Ok(self.write(py, |keyring| keyring.renew_readers(&path))??)
    }

    fn announcements<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let message = self.write(py, party::Keyring::announcements)??;
        Ok(PyBytes::new(py, &message))
    }

    /// Take over what was announced; whether anything was.
    fn catch_up(&self, py: Python<'_>, announcements: &[u8]) -> PyResult<bool> {
        Ok(self.write(py, |keyring| keyring.catch_up(announcements))??)
    }

    /// An upload, and the row of the table that each of its records is, removed ones last; of amendments, with
    /// the permission to.
    #[expect(clippy::too_many_arguments, reason = "they are those of `mopse.Provider.encrypt`")]
    fn upload<'py>(
        &self,
        py: Python<'py>,
        columns: Vec<ColumnSpec<'py>>,
        ids: Bound<'py, PyAny>,
        id_column: &str,
        indexed: Vec<IndexedSpec<'py>>,
        is_update: bool,
        versions: &Versions,
        now: u64,
        permission: Option<&Permission>,
    ) -> PyResult<MadeUpload<'py>> {
        let lent: Vec<_> = columns
            .iter()
            .map(|(_, kind, _, values, _)| Lent::new(kind, values))
            .collect::<PyResult<_>>()?;
        let columns: Vec<_> = columns
            .iter()
            .zip(&lent)
            .map(|((name, _, dtype, _, is_valid), lent)| {
                let (name, dtype) = (name.clone(), dtype.clone());
                let is_valid = Cow::Borrowed(is_valid.as_slice()?);
                Ok(Column { name, dtype, values: lent.values()?, is_valid })
            })
            .collect::<PyResult<_>>()?;
        let indexed: Vec<_> = indexed
            .iter()
            .map(|(field, rows, plaintexts)| {
                let (rows, plaintexts) = (rows.as_slice()?, plaintexts.as_slice()?);
                Ok(Indexed { field, rows, plaintexts })
            })
            .collect::<PyResult<_>>()?;
        let change = if is_update { Change::Update } else { Change::Add };
        let made = with_ids(&ids, |ids| {
            let (columns, indexed) = (&columns, &indexed);
            let table = Table { columns, ids, id: Some(id_column), indexed, now };
            Ok(self.read(py, |keyring| match permission {
                None => keyring.upload(&table, change, &versions.0),
                Some(permission) => keyring.amend(&table, &permission.0, &versions.0),
            })??)
        })?;
        Ok(made_upload(py, made))
    }

    fn deletion<'py>(
        &self,
        py: Python<'py>,
        ids: Bound<'py, PyAny>,
        versions: &Versions,
        now: u64,
        amending: Option<&str>,
    ) -> PyResult<MadeUpload<'py>> {
        let made = with_ids_of(&ids, amending, |ids| {
            Ok(self.read(py, |keyring| keyring.deletion(ids, &versions.0, now))??)
        })?;
        Ok(made_upload(py, made))
    }

    /// The permission to amend records of a provider.
    fn permit<'py>(
        &self,
        py: Python<'py>,
        amender: &str,
        amended: &str,
        ids: Bound<'py, PyAny>,
        versions: &Versions,
        end: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let permission = with_ids(&ids, |ids| {
            Ok(self.read(py, |keyring| keyring.permit(amender, amended, ids, &versions.0, end))??)
        })?;
        Ok(PyBytes::new(py, &permission))
    }

    /// The query for records of a provider, and what amends them at others.
    fn amendments<'py>(
        &self,
        py: Python<'py>,
        of: &str,
        by: Vec<String>,
        ids: Bound<'py, PyAny>,
        expiry: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let query = with_ids(&ids, |ids| {
            Ok(self.read(py, |keyring| keyring.amendments(of, &by, ids, expiry))??)
        })?;
        Ok(PyBytes::new(py, &query))
    }

    /// The queries for what the present epoch holds of the records of an answer.
    fn renewed<'py>(
        &self,
        py: Python<'py>,
        parts: Vec<PyRef<'py, Part>>,
        expiry: u64,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let parts = borrowed(&parts);
        let queries = self.read(py, |keyring| keyring.renewed(parts, expiry))??;
        Ok(queries.iter().map(|query| PyBytes::new(py, query)).collect())
    }

    /// Uploads that renew the records of an answer.
    fn renew<'py>(
        &self,
        py: Python<'py>,
        parts: Vec<PyRef<'py, Part>>,
        present: &Versions,
        now: u64,
    ) -> PyResult<Vec<MadeUpload<'py>>> {
        let parts = borrowed(&parts);
        let made = self.read(py, |keyring| keyring.renew(parts, &present.0, now))??;
        Ok(made.into_iter().map(|made| made_upload(py, made)).collect())
    }

    fn handles<'py>(
        &self,
        py: Python<'py>,
        ids: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<u64>>> {
        let handles = with_ids(&ids, |ids| self.read(py, |keyring| keyring.handles(ids)))?;
        rows_of(py, handles)
    }

    fn entries<'py>(
        &self,
        py: Python<'py>,
        field: &str,
        plaintexts: PyReadonlyArray1<'py, i64>,
        handles: PyReadonlyArray2<'py, u64>,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let (plaintexts, handles) = (plaintexts.as_slice()?, handles.as_slice()?);
        filled(py, plaintexts.len(), |entries| {
            let (handles, _) = handles.as_chunks::<2>();
            if handles.len() != plaintexts.len() {
                let (expected, got) = (plaintexts.len(), handles.len());
                return Err(Error::Length { what: "the array of handles", expected, got }.into());
            }
            let handle = |position: usize| joined(handles[position]);
            let keyring = self.0.read()?;
            Ok::<_, PyErr>(keyring.mopse(field)?.encrypt_each(plaintexts, handle, entries)?)
        })
    }

    fn spans<'py>(&self, py: Python<'py>, field: &str) -> PyResult<Vec<GroupSpans<'py>>> {
        let groups = self.read(py, |keyring| keyring.spans(field))??;
        let table = |(group, spans): (Group, Spans)| {
            let (rows, flat) = (spans.len(), spans.into_iter().flat_map(|(low, high)| [low, high]));
            let table = PyArray1::from_iter(py, flat).reshape([rows, 2])?;
            Ok((group.to_string(), table))
        };
        groups.into_iter().map(table).collect()
    }

    fn query<'py>(
        &self,
        py: Python<'py>,
        ranges: Vec<(String, i64, i64)>,
        expiry: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let ranges = as_ranges(ranges);
        let query = self.read(py, |keyring| keyring.query(&ranges, expiry))??;
        Ok(PyBytes::new(py, &query))
    }

    fn provable_query<'py>(
        &self,
        py: Python<'py>,
        ranges: Vec<(String, i64, i64)>,
        expiry: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let ranges = as_ranges(ranges);
        let query = self.read(py, |keyring| keyring.provable_query(&ranges, expiry))??;
        Ok(PyBytes::new(py, &query))
    }

    #[getter]
    fn proven(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.read(py, |keyring| keyring.proven().to_vec())
    }

    fn declare_proven(&self, py: Python<'_>, proven: Vec<String>) -> PyResult<()> {
        Ok(self.write(py, |keyring| keyring.declare_proven(proven))??)
    }

    fn seal_rows<'py>(&self, py: Python<'py>, now: u64) -> PyResult<Bound<'py, PyBytes>> {
        let seal = self.read(py, |keyring| keyring.seal(now))??;
        Ok(PyBytes::new(py, &seal))
    }

    fn seal_left<'py>(
        &self,
        py: Python<'py>,
        proof: &Proof,
        shelves: Vec<PyRef<'_, Shelf>>,
        now: u64,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let shelves: Vec<&party::shelves::Shelf> = shelves.iter().map(|shelf| &shelf.0).collect();
        let seals = self.read(py, |keyring| keyring.seal_left(&proof.0, &shelves, now))??;
        Ok(seals.iter().map(|seal| PyBytes::new(py, seal)).collect())
    }

    fn holdings<'py>(&self, py: Python<'py>, expiry: u64) -> PyResult<Bound<'py, PyBytes>> {
        let query = self.read(py, |keyring| keyring.holdings(expiry))??;
        Ok(PyBytes::new(py, &query))
    }

    fn make_ledger(
        &self,
        py: Python<'_>,
        parts: Vec<PyRef<'_, Part>>,
        shelf: &Shelf,
        proof: &Proof,
        query: &Query,
    ) -> PyResult<usize> {
        let held = (&borrowed(&parts)[..], &shelf.0);
        Ok(self.read(py, |keyring| keyring.make_ledger(held, &proof.0, &query.0))??)
    }

    /// The requests for all files of the present place, or of each earlier one.
    fn request_shelves<'py>(
        &self,
        py: Python<'py>,
        is_present: bool,
        expiry: u64,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let requests = self.read(py, |keyring| keyring.request_shelves(is_present, expiry))??;
        Ok(requests.iter().map(|request| PyBytes::new(py, request)).collect())
    }

    /// The digest of a file that this provider is shown to have attached.
    fn attached(&self, py: Python<'_>, fetched: &Fetched, request: &Request) -> PyResult<[u8; 32]> {
        Ok(self.read(py, |keyring| keyring.attached(&fetched.0, &request.0))??)
    }

    fn shelf(
        &self,
        py: Python<'_>,
        listing: &Listing,
        request: &Request,
        attached: HashMap<u128, [u8; 32]>,
    ) -> PyResult<Shelf> {
        let shelf = self.read(py, |keyring| keyring.shelf(&listing.0, &request.0, &attached))??;
        Ok(Shelf(shelf))
    }

    /// What was found of each provider that a listing is of, and the numbers of the files that are proven.
    fn prove_listing(
        &self,
        py: Python<'_>,
        listing: &Listing,
        request: &Request,
        now: u64,
        most_hours: Option<u64>,
    ) -> PyResult<(Vec<Member>, Vec<u128>)> {
        let required = Required { now, most_hours };
        let checked =
            self.read(py, |keyring| keyring.prove_listing(&listing.0, &request.0, required))??;
        Ok((checked.members.into_iter().map(member).collect(), checked.proven))
    }

    fn save_ledger<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let ledger = self.read(py, party::Keyring::save_ledger)??;
        Ok(ledger.map(|ledger| PyBytes::new(py, &ledger)))
    }

    fn open_ledger(&self, py: Python<'_>, file: &[u8]) -> PyResult<()> {
        Ok(self.read(py, |keyring| keyring.open_ledger(file))??)
    }

    /// Path, number and digest of the newest seal that was seen of each place.
    #[getter]
    fn seals_seen(&self, py: Python<'_>) -> PyResult<Vec<(Place, u64, [u8; 32])>> {
        let seen = self.read(py, party::Keyring::seals_seen)??;
        Ok(seen.into_iter().map(|(place, number, digest)| (told(&place), number, digest)).collect())
    }

    /// Take note that a cloud has taken a seal that this provider made.
    fn seal_came(&self, py: Python<'_>, seal: &Seal) -> PyResult<()> {
        Ok(self.read(py, |keyring| keyring.seal_came(&seal.0.seal))??)
    }

    /// Its place: path, and epoch of each of its names.
    #[getter]
    fn place(&self, py: Python<'_>) -> PyResult<Place> {
        self.read(py, |keyring| told(keyring.node()))
    }

    /// Number and digest of each seal that this provider made.
    #[getter]
    fn seal_trail(&self, py: Python<'_>) -> PyResult<Vec<(u64, [u8; 32])>> {
        Ok(self.read(py, party::Keyring::seal_trail)??)
    }

    /// What is found of each provider, how many rows were counted, and whether it takes details to say whose
    /// part is wrong.
    fn prove(
        &self,
        py: Python<'_>,
        parts: Option<Vec<PyRef<'_, Part>>>,
        proof: &Proof,
        query: &Query,
        now: u64,
        most_hours: Option<u64>,
    ) -> PyResult<(Vec<Member>, usize, bool)> {
        let parts = parts.as_ref().map(|parts| borrowed(parts));
        let required = Required { now, most_hours };
        let checked = self
            .read(py, |keyring| keyring.prove(parts.as_deref(), &proof.0, &query.0, required))??;
        let Checked { members, count, is_wrong } = checked;
        Ok((members.into_iter().map(member).collect(), count, is_wrong))
    }

    /// The same by signatures, which take no key.
    fn prove_signatures(
        &self,
        py: Python<'_>,
        parts: Vec<PyRef<'_, Part>>,
        proof: &Proof,
        query: &Query,
        now: u64,
        most_hours: Option<u64>,
    ) -> PyResult<(Vec<Member>, Vec<Written>)> {
        let parts = borrowed(&parts);
        let required = Required { now, most_hours };
        let checked = self.read(py, |keyring| {
            keyring.prove_by_signatures(&parts, &proof.0, &query.0, required)
        })??;
        Ok(of_signatures(checked))
    }

    fn lookup<'py>(
        &self,
        py: Python<'py>,
        path: &str,
        ids: Bound<'py, PyAny>,
        expiry: u64,
        amending: Option<&str>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let query = with_ids_of(&ids, amending, |ids| {
            Ok(self.read(py, |keyring| keyring.lookup(path, ids, expiry))??)
        })?;
        Ok(PyBytes::new(py, &query))
    }

    fn renewal<'py>(&self, py: Python<'py>, expiry: u64) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.read(py, |keyring| keyring.renewal(expiry))??))
    }

    fn removal<'py>(&self, py: Python<'py>, path: &str) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.read(py, |keyring| keyring.removal(path))??))
    }

    /// What the audit log is told of something, by what it is about.
    fn statement<'py>(
        &self,
        py: Python<'py>,
        what: &str,
        digest: [u8; 32],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let what = Stated::ALL.into_iter().find(|stated| stated.word() == what);
        let what =
            what.ok_or_else(|| InvalidInputError::new_err("nothing of that name is stated"))?;
        Ok(PyBytes::new(py, &self.read(py, |keyring| keyring.statement(what, digest))??))
    }

    /// A request to read the audit log, and its bytes.
    fn audit_request<'py>(
        &self,
        py: Python<'py>,
        since: Vec<u64>,
        start: Option<u64>,
        expiry: u64,
    ) -> PyResult<(AuditRequest, Bound<'py, PyBytes>)> {
        let (request, message) = self.read(py, |keyring| {
            let request = keyring.audit_request(since, start, expiry)?;
            let message = keyring.sign_audit_request(&request);
            Ok::<_, Error>((request, message))
        })??;
        Ok((AuditRequest(request), PyBytes::new(py, &message)))
    }

    fn open_part<'py>(
        &self,
        py: Python<'py>,
        part: &Part,
        ranges: Vec<(String, i64, i64)>,
        is_report: bool,
    ) -> PyResult<Opened<'py>> {
        let ranges = as_ranges(ranges);
        let found = self.read(py, |keyring| {
            if is_report {
                Ok(keyring.report_part(&part.0, &ranges))
            } else {
                keyring.open_part(&part.0, &ranges)
            }
        })??;
        opened(py, found, is_report)
    }

    fn request_notes<'py>(&self, py: Python<'py>, expiry: u64) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.read(py, |keyring| keyring.request_notes(expiry))??))
    }

    fn learn_uses(&self, py: Python<'_>, notes: &Notes, request: &Request) -> PyResult<bool> {
        Ok(self.write_last(py, |keyring| keyring.learn_uses(&notes.0, &request.0))??)
    }

    fn search_files<'py>(
        &self,
        py: Python<'py>,
        keywords: Vec<PyBackedBytes>,
        is_provable: bool,
        expiry: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let keywords = slices(&keywords);
        let request = self.read(py, |keyring| match is_provable {
            true => keyring.provable_search(&keywords, expiry),
            false => keyring.search_files(&keywords, expiry),
        })??;
        Ok(PyBytes::new(py, &request))
    }

    /// The request, and the handle in the answer of records by provider and handle in another epoch.
    fn files_of<'py>(
        &self,
        py: Python<'py>,
        parts: Vec<PyRef<'py, Part>>,
        expiry: u64,
    ) -> PyResult<(Bound<'py, PyBytes>, KnownAs)> {
        let parts = borrowed(&parts);
        let FilesOf { message, known_as } =
            self.read(py, |keyring| keyring.files_of(parts, expiry))??;
        let known =
            known_as.into_iter().map(|((place, there), here)| ((place.path(), there), here));
        Ok((PyBytes::new(py, &message), known.collect()))
    }

    fn fetch_file<'py>(
        &self,
        py: Python<'py>,
        number: u128,
        expiry: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.read(py, |keyring| keyring.fetch_file(number, expiry))??))
    }

    fn describe<'py>(
        &self,
        py: Python<'py>,
        listing: &Listing,
        request: &Request,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let files = self.read(py, |keyring| keyring.describe(&listing.0, &request.0))??;
        all_described(py, files)
    }

    fn open_file<'py>(
        &self,
        py: Python<'py>,
        fetched: &Fetched,
        request: &Request,
    ) -> PyResult<(Described, Bound<'py, PyBytes>)> {
        let (description, contents) =
            self.read(py, |keyring| keyring.open_file(&fetched.0, &request.0))??;
        Ok((described(description), PyBytes::new(py, &contents)))
    }

    fn grant<'py>(
        &self,
        py: Python<'py>,
        path: &str,
        ids: Option<Bound<'py, PyAny>>,
        portions: Option<Vec<String>>,
        end: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let grant_of = |ids: Option<Ids<'_>>| -> PyResult<Zeroizing<Vec<u8>>> {
            let share = Share { ids, portions: portions.as_deref(), holder: b"", end };
            Ok(self.read(py, |keyring| keyring.grant(&keyring.find(path)?, &share))??)
        };
        let grant = match ids {
            None => grant_of(None)?,
            Some(ids) => with_ids(&ids, |ids| grant_of(Some(ids)))?,
        };
        Ok(PyBytes::new(py, &grant))
    }
}

/// Path of the provider, how many records, which portions, and when it ends.
pub(super) type SharedScope = (String, Option<usize>, Option<Vec<String>>, u64);

/// What is stored of some records.
#[pyclass(module = "mopse._mopse.party", frozen)]
pub(super) struct Versions(uploading::Versions);

#[pymethods]
impl Versions {
    /// Of the parts that answer a query for records.
    #[new]
    fn new(py: Python<'_>, parts: Vec<PyRef<'_, Part>>) -> PyResult<Self> {
        let parts = borrowed(&parts);
        released(py, || Ok::<_, Infallible>(Self(uploading::Versions::of(parts))))
    }

    /// What has become of each record that is amended, in a word; nothing where nothing is known.
    fn states(&self, amends: &Amends) -> Vec<Option<&'static str>> {
        let word = |state| match state {
            State::Same => "same",
            State::Changed => "changed",
            State::Gone => "gone",
        };
        self.0.states(&amends.0).into_iter().map(|state| state.map(word)).collect()
    }
}

/// What opened records amend.
#[pyclass(module = "mopse._mopse.party", frozen)]
pub(super) struct Amends(claims::Amends);

#[pymethods]
impl Amends {
    /// Path of whose records.
    #[getter]
    fn provider(&self) -> String {
        self.0.provider.path()
    }

    /// Id and version of each record that is amended, as texts, as far as they are known.
    fn records(&self) -> Vec<(Option<String>, Option<String>)> {
        let of = |row: &Option<claims::Amended>| match row {
            None => (None, None),
            Some(row) => (row.id.clone(), Some(format!("{:032x}", row.version.0))),
        };
        self.0.rows.iter().map(of).collect()
    }
}

/// An upload as it travels, and the rows of the table.
type MadeUpload<'py> = (Bound<'py, PyBytes>, Bound<'py, PyArray1<u32>>);

fn made_upload(py: Python<'_>, made: Made) -> MadeUpload<'_> {
    (PyBytes::new(py, &made.message), made.rows.into_pyarray(py))
}

/// Behind `mopse.User`.
#[pyclass(module = "mopse._mopse.party", frozen)]
pub(super) struct Grants {
    pub(super) grants: Lock<grants::Grants>,
    seals: Seals,
    /// The user's keys, if it has any.
    user: Option<Lock<user::User>>,
}

/// Owner; then fields, portions and proven fields of its schema.
type Headed = ([u8; 32], Vec<(String, Field)>, Vec<(String, Vec<String>)>, Vec<String>);

fn headed(head: &Head) -> Headed {
    let Head { owner, schema, portions, proven, .. } = head;
    let fields = schema.fields().iter().map(|(name, field)| (name.clone(), Field::of(field)));
    (owner.0, fields.collect(), portions.clone(), proven.clone())
}

/// What is granted, and how the owner's records lie in tables.
type Accepted = (SharedScope, Headed);

fn accepted(given: &Given) -> Accepted {
    let Given { head, grant } = given;
    let opener = grant.openers.values().last();
    let named = opener.and_then(Opener::portions);
    let named = named.map(|names| names.into_iter().map(str::to_owned).collect());
    let scope = (grant.provider.path(), opener.and_then(Opener::records), named, grant.end);
    (scope, headed(head))
}

impl Grants {
    pub(super) fn user(&self) -> PyResult<&Lock<user::User>> {
        Ok(self.user.as_ref().ok_or(sharing::Error::NoKeys)?)
    }
}

#[pymethods]
impl Grants {
    #[staticmethod]
    fn decode(py: Python<'_>, grants: Vec<PyBackedBytes>, now: u64) -> PyResult<Self> {
        released(py, || {
            let mut known = grants::Grants::default();
            for grant in grants {
                known.add(grants::Grant::decode(&grant)?, now)?;
            }
            Ok::<_, Error>(Self { grants: Lock::new(known), seals: Seals::default(), user: None })
        })
    }

    /// A user with keys of its own.
    #[staticmethod]
    fn generate(py: Python<'_>, is_post_quantum: bool) -> PyResult<Self> {
        let algorithm =
            if is_post_quantum { user::Algorithm::XWing } else { user::Algorithm::X25519 };
        let user = released(py, || user::User::generate(algorithm))?;
        let user = Some(Lock::new(user));
        Ok(Self { grants: Lock::default(), seals: Seals::default(), user })
    }

    /// Its public keys.
    #[getter]
    fn public<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let user = self.user()?.read().map_err(Error::from)?;
        Ok(PyBytes::new(py, user.public().encode()))
    }

    /// Take what was sealed to this user; returns how the owner's records lie in tables.
    fn accept(&self, py: Python<'_>, sealed: &[u8], now: u64) -> PyResult<Headed> {
        let user = self.user()?;
        released(py, || {
            let mut user = user.write().map_err(Error::from)?;
            let mut grants = self.grants.write().map_err(Error::from)?;
            Ok::<_, sharing::Error>(match user.accept(&mut grants, sealed, now)? {
                user::Accepted::Grant(given) => headed(&given.head),
                user::Accepted::Right(owner, number) => {
                    let right = user.right(owner, number).ok_or(Error::NoRight)?;
                    headed(&right.head)
                }
            })
        })
    }

    /// How the records lie in tables of the owners of whose this user may search some.
    fn searched(&self, py: Python<'_>) -> PyResult<Vec<Headed>> {
        let user = self.user()?;
        released(py, || {
            let user = user.read().map_err(Error::from)?;
            Ok::<_, sharing::Error>(user.rights().map(|right| headed(&right.head)).collect())
        })
    }

    /// What it was given.
    fn given(&self, py: Python<'_>) -> PyResult<Vec<Accepted>> {
        let user = self.user()?;
        let given = released(py, || user.read().map_err(Error::from)?.given())?;
        Ok(given.iter().map(accepted).collect())
    }

    fn save<'py>(
        &self,
        py: Python<'py>,
        password: &[u8],
        cost: Option<(u32, u32, u32)>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let user = self.user()?;
        let cost = cost_of(cost);
        let file =
            released(py, || user.read().map_err(Error::from)?.save(&self.seals, password, cost))?;
        Ok(PyBytes::new(py, &file))
    }

    #[staticmethod]
    fn open(
        py: Python<'_>,
        file: &[u8],
        password: &[u8],
        ceiling: (u32, u32, u32),
    ) -> PyResult<Self> {
        let (user, grants, seals) =
            released(py, || user::User::restore(most(ceiling), file, password))?;
        Ok(Self { grants: Lock::new(grants), seals, user: Some(Lock::new(user)) })
    }

    fn open_part<'py>(
        &self,
        py: Python<'py>,
        part: &Part,
        ranges: Vec<(String, i64, i64)>,
        schema: &Schema,
        is_report: bool,
        now: u64,
    ) -> PyResult<Opened<'py>> {
        let ranges = as_ranges(ranges);
        let found = released(py, || {
            let grants = self.grants.read()?;
            if is_report {
                Ok(grants.report_part(&part.0, &ranges, &schema.0, now))
            } else {
                grants.open_part(&part.0, &ranges, &schema.0, now)
            }
        })?;
        opened(py, found, is_report)
    }

    fn prove_signatures(
        &self,
        py: Python<'_>,
        parts: Vec<PyRef<'_, Part>>,
        proof: &Proof,
        query: &Query,
        now: u64,
        most_hours: Option<u64>,
    ) -> PyResult<(Vec<Member>, Vec<Written>)> {
        let parts = borrowed(&parts);
        let required = Required { now, most_hours };
        let checked = released(py, || {
            self.grants.read()?.prove_by_signatures(
                &self.seals,
                &parts,
                &proof.0,
                &query.0,
                required,
            )
        })?;
        Ok(of_signatures(checked))
    }

    fn prove_listing(
        &self,
        py: Python<'_>,
        listing: &Listing,
        request: &Request,
        now: u64,
        most_hours: Option<u64>,
    ) -> PyResult<(Vec<Member>, Vec<u128>)> {
        let required = Required { now, most_hours };
        let checked = released(py, || {
            self.grants.read()?.prove_listing(&self.seals, &listing.0, &request.0, required)
        })?;
        Ok((checked.members.into_iter().map(member).collect(), checked.proven))
    }

    /// Owner, place, number and digest of the newest seal that was seen of each place.
    #[getter]
    fn seals_seen(&self, py: Python<'_>) -> PyResult<Vec<SeenSeal>> {
        let seen = released(py, || self.seals.seen())?.into_iter();
        Ok(seen.map(|(of, place, number, digest)| (of.0, told(&place), number, digest)).collect())
    }

    fn describe<'py>(
        &self,
        py: Python<'py>,
        listing: &Listing,
        request: &Request,
        now: u64,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let files = released(py, || self.grants.read()?.describe(&listing.0, &request.0, now))?;
        all_described(py, files)
    }

    fn open_file<'py>(
        &self,
        py: Python<'py>,
        fetched: &Fetched,
        request: &Request,
        now: u64,
    ) -> PyResult<(Described, Bound<'py, PyBytes>)> {
        let (description, contents) =
            released(py, || self.grants.read()?.open_file(&fetched.0, &request.0, now))?;
        Ok((described(description), PyBytes::new(py, &contents)))
    }
}
