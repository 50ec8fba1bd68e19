//! Opening what a cloud returns: the records of an answer that match, and attachments.
//!
//! Whoever opens holds a keyring, and derives the keys of its subtree, or grants. Bounds in the clear
//! never travel, so that rows which share a cell with a bound and do not match are dropped here, after
//! they are opened.
//!
//! Whoever sealed records may have sealed anything. They are checked against their layout and the
//! schema, and one with a fault is left out and named, beside those that have none.

use std::borrow::Cow;
use std::num::NonZeroU64;

use super::Error;
use super::Range;
use super::attachments::{self, Description, Opening};
use super::claims::{Amends, Claims};
use super::columns::{Column, Values};
use super::grants::{Grants, Opener, Rows};
use super::keyring::Keyring;
use super::records::{FILES, Ids, Origin};
use super::types::{Categories, Type};
use crate::keys::Key;
use crate::message;
use crate::message::answer::Part;
use crate::message::attachment::StoredFile;
use crate::message::listing::{Fetched, Listing};
use crate::message::place::{Epoch, Node};
use crate::message::request::Request;
use crate::message::upload::Portion;
use crate::schema::{self, Field, Kind, Schema, Value};
use crate::scheme::mopse::Handle;
use crate::wire::Packed;

/// The records of a part that were opened and hold all ranges, and those that have a fault.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Opened {
    /// The columns that were sealed, a row per record.
    pub columns: Vec<Column<'static>>,
    /// The pseudonym of each record.
    pub handles: Vec<Handle>,
    /// How many records share a cell with the bounds and do not match.
    pub excess: usize,
    /// Fields of the query whose columns could not be opened, so that records may not match.
    pub unchecked: Vec<String>,
    /// Whether the provider's group has left the epoch that the records were sealed in.
    pub is_left: bool,
    /// What they amend, if they are amendments.
    pub amends: Option<Amends>,
    /// What did not open or is none of the layout or the schema, in the order of the part.
    pub faults: Vec<Fault>,
}

impl Opened {
    /// The records, if all of them are without fault.
    ///
    /// # Errors
    ///
    /// What is wrong with the first that is not.
    pub fn without_fault(self) -> Result<Self, Error> {
        match self.faults.into_iter().next() {
            Some(fault) => Err(fault.error),
            None => Ok(Self { faults: Vec::new(), ..self }),
        }
    }

    /// No record of a part, for one cause.
    fn nothing(part: &Part, is_granted: impl Fn(Handle) -> bool, error: &Error) -> Self {
        let granted = part.handles.iter().filter(|&&handle| is_granted(handle));
        let fault = |&handle| Fault { handle, error: error.clone() };
        Self { faults: granted.map(fault).collect(), ..Self::default() }
    }
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The record's pseudonym.
    pub handle: Handle,
    /// What is wrong; it may be so with all records of the part.
    pub error: Error,
}

impl Fault {
    /// The column that it is about.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        match &self.error {
            Error::Cell { column, .. } | Error::Column { column, .. } => Some(column),
            Error::Value { field, .. } | Error::FieldType { field, .. } => Some(field),
            _ => None,
        }
    }

    /// What is wrong, without saying with which record and column.
    #[must_use]
    pub fn cause(&self) -> String {
        match &self.error {
            Error::Cell { why, .. } | Error::Value { why, .. } => format!("the value {why}"),
            Error::Column { why, .. } => (*why).to_owned(),
            Error::FieldType { dtype, .. } => {
                format!("the column holds {dtype}, which is not what the field is of")
            }
            Error::Record { .. } => "the record does not open".to_owned(),
            Error::Author { .. } => "the record was not written by its provider".to_owned(),
            Error::Elsewhere { .. } => {
                "the record lies in none of the cells that were asked for".to_owned()
            }
            Error::LongRecord { .. } => "the record has bytes of no column".to_owned(),
            Error::Amendment { why, .. } => format!("the amendment {why}"),
            error => error.to_string(),
        }
    }
}

/// The handles that one record has at two places.
pub(super) type Pair = (Handle, Handle);

impl Keyring {
    /// What opens all records that a provider at or below this node sealed in a readers' epoch.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`] names a provider whose key this one cannot derive.
    pub fn opener(&self, provider: &Node, readers: Epoch) -> Result<Opener, Error> {
        Ok(Opener::of_provider(&self.key_of(provider)?, readers))
    }

    /// Opens the records of a part and keeps those that hold all ranges.
    ///
    /// # Errors
    ///
    /// [`message::Error::OtherOwner`], [`message::Error::Scope`] if the provider is out of reach, and what
    /// [`Opener::open`] and the check against the schema say of the first record.
    pub fn open_part(&self, part: &Part, ranges: &[Range]) -> Result<Opened, Error> {
        let opened = open_part(&self.opener_for(part)?, part, ranges, &self.schema)?;
        Ok(Opened { is_left: self.is_left(&part.provider), ..opened.without_fault()? })
    }

    /// Opens the records of a part that can be opened, keeps those that hold all ranges, and says what
    /// is wrong with others.
    #[must_use]
    pub fn report_part(&self, part: &Part, ranges: &[Range]) -> Opened {
        let opened = match self.opener_for(part) {
            Ok(opener) => report_part(&opener, part, ranges, &self.schema),
            Err(error) => Opened::nothing(part, |_| true, &error),
        };
        Opened { is_left: self.is_left(&part.provider), ..opened }
    }

    /// Whether a provider at or below this node has left the epoch of a place of it.
    fn is_left(&self, provider: &Node) -> bool {
        let depth = self.node.names().len();
        let is_own = *provider == self.node || provider.names().len() < depth;
        let below = &provider.names()[depth.min(provider.names().len())..];
        let names: Vec<&str> = below.iter().map(String::as_str).collect();
        !(is_own || self.member(&names).is_ok_and(|member| member == *provider))
    }

    /// The other places that the provider of a part has had, and for each the handles that records of the
    /// part have there, with those that they have here.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`] if the provider is out of reach.
    pub(super) fn elsewhere(&self, part: &Part) -> Result<Vec<(Node, Vec<Pair>)>, Error> {
        let mut places = self.places_of(&part.provider.path());
        places.retain(|place| *place != part.provider);
        if places.is_empty() {
            return Ok(Vec::new());
        }
        // What does not open is told when the answer is decrypted, and keeps nobody from the rest.
        let opened = self
            .opener_for(part)
            .and_then(|opener| opener.open_rows(origin_of(part), &part.handles, &part.portions));
        let Ok(rows) = opened else { return Ok(Vec::new()) };
        let column = rows.id.and_then(|at| rows.columns.get(at));
        let Some(Ok(ids)) = column.map(ids_of) else { return Ok(Vec::new()) };
        let here = self.handles_at(&part.provider, ids.ids())?;
        let is_own: Vec<bool> = part
            .handles
            .iter()
            .zip(here)
            .enumerate()
            .map(|(row, (handle, here))| *handle == here && !rows.faults.contains_key(&row))
            .collect();
        let at = |place: Node| {
            let there = self.handles_at(&place, ids.ids())?.into_iter();
            let pairs = there.zip(part.handles.iter().copied()).zip(&is_own);
            Ok((place, pairs.filter(|(_, is_own)| **is_own).map(|(pair, _)| pair).collect()))
        };
        let found = places.into_iter().map(at).collect::<Result<Vec<_>, Error>>()?;
        Ok(found.into_iter().filter(|(_, pairs): &(_, Vec<Pair>)| !pairs.is_empty()).collect())
    }

    fn opener_for(&self, part: &Part) -> Result<Opener, Error> {
        if part.owner != self.owner {
            return Err(message::Error::OtherOwner { what: "the answer" }.into());
        }
        self.opener(&part.provider, part.readers)
    }

    /// The key of the record that a stored file belongs to.
    fn record_of(&self, file: &StoredFile) -> Result<Key, Error> {
        if file.owner != self.owner {
            return Err(message::Error::OtherOwner { what: "the file" }.into());
        }
        self.opener(&file.provider, file.readers)?.files_key(file.handle).ok_or(Error::File)
    }

    fn check_owner(&self, request: &Request) -> Result<(), Error> {
        if request.owner == self.owner {
            return Ok(());
        }
        Err(message::Error::OtherOwner { what: "the request" }.into())
    }

    /// Returns what each file of a listing is called that answers a request, or why it does not open:
    /// [`message::Error::Scope`] if it is out of reach, [`Error::File`] if it was changed or belongs
    /// elsewhere.
    ///
    /// # Errors
    ///
    /// [`message::Error::Answer`] if the listing does not belong to the request or a file lacks one of its
    /// keywords, [`message::Error::OtherOwner`].
    pub fn describe(
        &self,
        listing: &Listing,
        request: &Request,
    ) -> Result<Vec<Result<Description, Error>>, Error> {
        self.check_owner(request)?;
        described(listing, request, |file| self.record_of(file))
    }

    /// Returns what the file is called that a request asked for, and what it holds.
    ///
    /// # Errors
    ///
    /// [`message::Error::Answer`] if it is not the one, [`message::Error::OtherOwner`], [`message::Error::Scope`] if it is
    /// out of reach, [`Error::File`] if it was changed or belongs elsewhere.
    pub fn open_file(
        &self,
        fetched: &Fetched,
        request: &Request,
    ) -> Result<(Description, Vec<u8>), Error> {
        self.check_owner(request)?;
        fetched.check(request)?;
        attachments::open(&self.record_of(&fetched.file)?, &fetched.file)
    }

    /// The same of a file whose body is to come: what it is called, and what opens that.
    ///
    /// # Errors
    ///
    /// Those of [`open_file`](Self::open_file) that are about the description.
    pub fn opening(
        &self,
        fetched: &Fetched,
        request: &Request,
    ) -> Result<(Description, Opening), Error> {
        self.check_owner(request)?;
        fetched.check(request)?;
        attachments::opening(&self.record_of(&fetched.file)?, &fetched.file)
    }
}

impl Grants {
    /// Opens the granted records of a part and keeps those that hold all ranges, at a time in seconds since
    /// 1970.
    ///
    /// # Errors
    ///
    /// [`Error::NoGrant`] if there are records and the provider has granted nothing, [`Error::GrantEnded`]
    /// if a grant that has ended opened something that none of the others opens, and what [`Opener::open`]
    /// and the check against the schema say of the first record.
    pub fn open_part(
        &self,
        part: &Part,
        ranges: &[Range],
        schema: &Schema,
        now: u64,
    ) -> Result<Opened, Error> {
        match self.opener_for(part, now) {
            Ok((_, lapsed)) if lapsed.contains(&true) => Err(ended(&part.provider)),
            Ok((opener, _)) => open_part(opener.as_ref(), part, ranges, schema)?.without_fault(),
            Err(error) if part.handles.is_empty() => Ok(Opened::nothing(part, |_| true, &error)),
            Err(error) => Err(error),
        }
    }

    /// Opens the granted records of a part that can be opened, keeps those that hold all ranges, and
    /// says what is wrong with others, at a time in seconds since 1970.
    #[must_use]
    pub fn report_part(&self, part: &Part, ranges: &[Range], schema: &Schema, now: u64) -> Opened {
        let (opener, lapsed) = match self.opener_for(part, now) {
            Ok(found) => found,
            Err(error) => return Opened::nothing(part, |_| true, &error),
        };
        if !lapsed.contains(&true) {
            return report_part(opener.as_ref(), part, ranges, schema);
        }
        let kept: Vec<bool> = lapsed.iter().map(|is_lapsed| !is_lapsed).collect();
        let (handles, portions) = marked_rows(part, &kept);
        let left = Part { handles, portions, ..part.clone() };
        let mut opened = report_part(opener.as_ref(), &left, ranges, schema);
        let lapsed = part.handles.iter().zip(lapsed).filter(|(_, is_lapsed)| *is_lapsed);
        let fault = |(&handle, _)| Fault { handle, error: ended(&part.provider) };
        opened.faults.extend(lapsed.map(fault));
        opened.faults.sort_by_key(|fault| fault.handle);
        opened
    }

    /// What opens records of a part, and of which of them a portion was granted until some time ago.
    fn opener_for(&self, part: &Part, now: u64) -> Result<(Cow<'_, Opener>, Vec<bool>), Error> {
        let Part { owner, provider, readers, .. } = part;
        let opener = self
            .opener(*owner, provider, *readers, now)
            .ok_or_else(|| Error::NoGrant { provider: provider.path() })?;
        let ended = self.ended(*owner, provider, *readers, now);
        let is_lapsed = |&handle: &Handle| {
            let mut names = part.portions.iter().map(|portion| portion.name.as_str());
            !ended.is_empty()
                && names.any(|name| ended.opens(name, handle) && !opener.opens(name, handle))
        };
        let lapsed = part.handles.iter().map(is_lapsed).collect();
        Ok((opener, lapsed))
    }

    /// The key of the record that a stored file belongs to.
    fn record_of(&self, file: &StoredFile, now: u64) -> Result<Key, Error> {
        let StoredFile { owner, provider, readers, handle, .. } = file;
        let opener = self.opener(*owner, provider, *readers, now);
        if let Some(key) = opener.and_then(|opener| opener.files_key(*handle)) {
            return Ok(key);
        }
        if self.ended(*owner, provider, *readers, now).opens(FILES, *handle) {
            return Err(ended(provider));
        }
        let what = format!("this record of {provider}");
        Err(message::Error::Scope { who: "the user".to_owned(), what }.into())
    }

    /// Returns what each file of a listing is called that answers a request, or why it does not open:
    /// [`message::Error::Scope`] if its record was not granted, [`Error::GrantEnded`] if it was until some
    /// time ago, [`Error::File`] if it was changed or belongs elsewhere. The time is in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`message::Error::Answer`] if the listing does not belong to the request or a file lacks one of its
    /// keywords.
    pub fn describe(
        &self,
        listing: &Listing,
        request: &Request,
        now: u64,
    ) -> Result<Vec<Result<Description, Error>>, Error> {
        described(listing, request, |file| self.record_of(file, now))
    }

    /// Returns what the file is called that a request asked for, and what it holds, at a time in seconds
    /// since 1970.
    ///
    /// # Errors
    ///
    /// [`message::Error::Answer`] if it is not the one, [`message::Error::Scope`] if its record was not
    /// granted, [`Error::GrantEnded`] if it was until some time ago, [`Error::File`] if it was changed or
    /// belongs elsewhere.
    pub fn open_file(
        &self,
        fetched: &Fetched,
        request: &Request,
        now: u64,
    ) -> Result<(Description, Vec<u8>), Error> {
        fetched.check(request)?;
        attachments::open(&self.record_of(&fetched.file, now)?, &fetched.file)
    }

    /// The same of a file whose body is to come: what it is called, and what opens that.
    ///
    /// # Errors
    ///
    /// Those of [`open_file`](Self::open_file) that are about the description.
    pub fn opening(
        &self,
        fetched: &Fetched,
        request: &Request,
        now: u64,
    ) -> Result<(Description, Opening), Error> {
        fetched.check(request)?;
        attachments::opening(&self.record_of(&fetched.file, now)?, &fetched.file)
    }
}

/// A grant of a provider's records has ended.
fn ended(provider: &Node) -> Error {
    Error::GrantEnded { provider: provider.path() }
}

/// What the files of a listing are called, once it was found to answer the request.
fn described(
    listing: &Listing,
    request: &Request,
    record_of: impl Fn(&StoredFile) -> Result<Key, Error>,
) -> Result<Vec<Result<Description, Error>>, Error> {
    listing.check(request)?;
    let described = |file| attachments::describe(&record_of(file)?, file);
    let described: Vec<_> = listing.files.iter().map(described).collect();
    let proofs = described.iter().map(|file| file.as_ref().ok().map(|file| &file.proofs[..]));
    listing.check_keywords(request, proofs)?;
    Ok(described)
}

fn report_part(opener: &Opener, part: &Part, ranges: &[Range], schema: &Schema) -> Opened {
    open_part(opener, part, ranges, schema)
        .unwrap_or_else(|error| Opened::nothing(part, |handle| opener.is_granted(handle), &error))
}

fn open_part(
    opener: &Opener,
    part: &Part,
    ranges: &[Range],
    schema: &Schema,
) -> Result<Opened, Error> {
    let origin = origin_of(part);
    let granted: Vec<bool> = part.handles.iter().map(|&at| opener.is_granted(at)).collect();
    let some = granted.contains(&false).then(|| marked_rows(part, &granted));
    let (handles, portions) = match &some {
        Some((handles, portions)) => (handles, portions),
        None => (&part.handles, &part.portions),
    };
    let mut rows = opener.open_rows(origin, handles, portions)?;
    let claims = rows.amends.take();
    let id = rows.id.and_then(|at| rows.columns.get(at));
    let ids = id.filter(|_| claims.is_some()).map(ids_of).transpose()?;
    let id_of = |row: usize| {
        let is_there = id.is_some_and(|id| id.is_valid.get(row) == Some(&true));
        let ids = ids.as_ref().filter(|_| is_there)?.ids();
        Some((ids.bytes(row), ids.text(row)))
    };
    let faults = &mut rows.faults;
    let check = |claims: Claims| claims.checked(part, handles, schema, id_of, faults);
    let mut amends = claims.map(check).transpose()?;
    let mut unchecked = unchecked(opener, &rows, ranges, schema)?;
    let ranges = ranges.iter().filter(|range| !unchecked.contains(&range.field)).cloned();
    let ranges: Vec<Range> = ranges.collect();
    let mut kept = matching(&mut rows, handles.len(), &ranges, schema, opener.is_all())?;
    unchecked.extend(partly_checked(&rows, &ranges, &kept));
    for &position in rows.faults.keys() {
        kept[position] = false;
    }
    let mut handles = handles.clone();
    let opened = handles.len() - rows.faults.len();
    let fault = |(position, error)| Fault { handle: handles[position], error };
    let faults = rows.faults.into_iter().map(fault).collect();
    if kept.contains(&false) {
        rows.columns.iter_mut().for_each(|column| column.retain(&kept));
        amends.iter_mut().for_each(|amends| amends.retain(&kept));
        let mut marks = kept.iter();
        handles.retain(|_| marks.next().is_some_and(|&mark| mark));
    }
    let excess = opened - handles.len();
    let (columns, is_left) = (rows.columns, false);
    Ok(Opened { columns, handles, excess, unchecked, is_left, amends, faults })
}

/// Whose records those of a part are, and when they were sealed.
pub(super) fn origin_of(part: &Part) -> Origin<'_> {
    let Part { owner, provider, readers, upload, .. } = part;
    Origin { owner, provider, readers: *readers, upload: *upload }
}

/// The rows of a part that are marked.
fn marked_rows(part: &Part, marks: &[bool]) -> (Vec<Handle>, Vec<Portion>) {
    let rows: Vec<usize> = (0..marks.len()).filter(|&row| marks[row]).collect();
    let handles = rows.iter().map(|&row| part.handles[row]).collect();
    (handles, part.portions.iter().map(|portion| portion.of_rows(&rows)).collect())
}

/// The fields of a query whose columns are in portions that are not granted.
fn unchecked(
    opener: &Opener,
    rows: &Rows,
    ranges: &[Range],
    schema: &Schema,
) -> Result<Vec<String>, Error> {
    let mut unchecked = Vec::new();
    for Range { field, .. } in ranges {
        if schema.field(field).is_none() {
            return Err(Error::UnknownField { field: field.clone() });
        }
        let is_there = rows.columns.iter().any(|column| column.name == *field);
        if !is_there && !opener.is_all() {
            unchecked.push(field.clone());
        }
    }
    Ok(unchecked)
}

/// The fields of a query whose columns are not granted of some rows that are kept.
fn partly_checked(rows: &Rows, ranges: &[Range], kept: &[bool]) -> Vec<String> {
    let is_one = |range: &&Range| {
        let closed = rows.closed.get(&range.field);
        closed.is_some_and(|closed| closed.iter().zip(kept).any(|(closed, kept)| *closed && *kept))
    };
    ranges.iter().filter(is_one).map(|range| range.field.clone()).collect()
}

/// The ids that a column holds.
pub(super) fn ids_of<'a>(column: &'a Column<'_>) -> Result<OpenedIds<'a>, Error> {
    match &column.values {
        Values::Int64(values) => Ok(OpenedIds::Integers(Cow::Borrowed(values))),
        Values::UInt64(values) => {
            let ids = values.iter().map(|&id| i64::try_from(id).map_err(|_| Error::NoIds));
            Ok(OpenedIds::Integers(ids.collect::<Result<_, _>>()?))
        }
        Values::Text(texts) => Ok(OpenedIds::Texts(texts)),
        Values::Float64(_) | Values::Boolean(_) => Err(Error::NoIds),
    }
}

/// Ids of records that were opened.
pub(super) enum OpenedIds<'a> {
    Integers(Cow<'a, [i64]>),
    Texts(&'a Packed<'a>),
}

impl OpenedIds<'_> {
    pub(super) fn ids(&self) -> Ids<'_> {
        match self {
            Self::Integers(ids) => Ids::Integers(ids),
            Self::Texts(texts) => Ids::Texts(texts),
        }
    }
}

/// A field, the rows that hold a value of it, and its plaintexts.
pub(super) type Plaintexts = (String, Vec<u32>, Vec<i64>);

/// The plaintexts of the fields of records that were opened.
pub(super) fn indexed_of(rows: &Rows, schema: &Schema) -> Result<Vec<Plaintexts>, Error> {
    let mut indexed = Vec::new();
    for (column, of) in rows.columns.iter().zip(&rows.types) {
        let Some(field) = schema.field(&column.name) else { continue };
        let rows = column.rows();
        let (mut at, mut plaintexts) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut fault = None;
        for_each_plaintext(field, column, of, |row, plaintext| match plaintext {
            Ok(plaintext) => {
                at.push(u32::try_from(row).unwrap_or(u32::MAX));
                plaintexts.push(plaintext);
            }
            Err(why) => fault = fault.or(Some((row, why))),
        })?;
        if let Some((position, why)) = fault {
            return Err(Error::Value { field: column.name.clone(), position, why });
        }
        indexed.push((column.name.clone(), at, plaintexts));
    }
    Ok(indexed)
}

/// Which rows hold all ranges. Values that are none of their field become faults, and so do rows that no
/// cloud finds which keeps to the query.
fn matching(
    rows: &mut Rows,
    count: usize,
    ranges: &[Range],
    schema: &Schema,
    is_all: bool,
) -> Result<Vec<bool>, Error> {
    let mut matching = vec![true; count];
    let mut nulls = Vec::new();
    if count == 0 {
        return Ok(matching);
    }
    for Range { field, .. } in ranges {
        if rows.columns.iter().all(|column| column.name != *field) {
            let why = "there is none, and the query asks for it";
            return Err(Error::Column { column: field.clone(), why });
        }
    }
    for (column, of) in rows.columns.iter().zip(&rows.types) {
        let Some(field) = schema.field(&column.name) else { continue };
        let ranges: Vec<&Range> =
            ranges.iter().filter(|range| range.field == column.name).collect();
        let mut next = 0;
        let closed = rows.closed.get(&column.name);
        let is_closed = |row: &usize| closed.is_some_and(|closed| closed.get(*row) == Some(&true));
        let faults = &mut rows.faults;
        for_each_plaintext(field, column, of, |row, plaintext| match plaintext {
            Ok(plaintext) => {
                if !ranges.is_empty() {
                    nulls.extend((next..row).filter(|row| !is_closed(row)));
                    next = row + 1;
                }
                for range in &ranges {
                    matching[row] &= (range.low..=range.high).contains(&plaintext);
                    if !range.is_found(field, plaintext) {
                        faults.entry(row).or_insert(Error::Elsewhere { position: row });
                    }
                }
            }
            Err(why) => {
                let field = || column.name.clone();
                let error = || Error::Value { field: field(), position: row, why };
                faults.entry(row).or_insert_with(error);
            }
        })?;
        if !ranges.is_empty() {
            nulls.extend((next..count).filter(|row| !is_closed(row)));
        }
    }
    // Rows without a value are found by no range.
    for row in nulls {
        matching[row] = false;
        if is_all {
            rows.faults.entry(row).or_insert(Error::Elsewhere { position: row });
        }
    }
    Ok(matching)
}

impl Range {
    /// Whether the index finds a plaintext of the field: the range reaches into its cell.
    fn is_found(&self, field: &Field, plaintext: i64) -> bool {
        let cell = i64::try_from(field.cell()).unwrap_or(i64::MAX);
        (self.low / cell..=self.high / cell).contains(&(plaintext / cell))
    }
}

/// Calls `found` with each row of an opened column that holds a value, in order, and its plaintext in a
/// field or why it has none.
fn for_each_plaintext(
    field: &Field,
    column: &Column<'_>,
    of: &Type,
    mut found: impl FnMut(usize, Result<i64, &'static str>),
) -> Result<(), Error> {
    fn each<V: Copy>(
        values: &[V],
        is_valid: &[bool],
        plaintext: impl Fn(V) -> Result<i64, schema::Error>,
        mut found: impl FnMut(usize, Result<i64, &'static str>),
    ) {
        for (row, (&value, _)) in
            values.iter().zip(is_valid).enumerate().filter(|(_, (_, is_valid))| **is_valid)
        {
            found(row, plaintext(value).map_err(|error| why(&error)));
        }
    }
    let is_valid = &column.is_valid[..];
    match (field.kind(), &column.values) {
        (Kind::Number, Values::Int64(values)) if of.is_integer() => {
            each(values, is_valid, |value| value.plaintext(field), found);
        }
        (Kind::Number, Values::Int64(values)) if of.decimal_places().is_some() => {
            let place = field.of_decimals(of.decimal_places().unwrap_or(0));
            each(values, is_valid, |value| place(value.into()), found);
        }
        (Kind::Date, Values::Int64(values)) if *of == Type::Date => {
            each(values, is_valid, |value| value.plaintext(field), found);
        }
        (Kind::Date, Values::Int64(values)) if of.per_day().is_some() => {
            let place = field.of_parts(of.per_day().unwrap_or(NonZeroU64::MIN));
            each(values, is_valid, place, found);
        }
        (Kind::Number, Values::UInt64(values)) => {
            each(values, is_valid, |value| value.plaintext(field), found);
        }
        (Kind::Number, Values::Float64(values)) if *of == Type::Float32 => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a fault already if it is another"
            )]
            each(values, is_valid, |value| (value as f32).plaintext(field), found);
        }
        (Kind::Number, Values::Float64(values)) => {
            each(values, is_valid, |value| value.plaintext(field), found);
        }
        (Kind::Boolean, Values::Boolean(values)) => {
            each(values, is_valid, |value| i64::from(value).plaintext(field), found);
        }
        (Kind::Category(labels), Values::Text(texts)) => {
            let categories = Categories::new(labels);
            for (row, _) in is_valid.iter().enumerate().filter(|(_, is_valid)| **is_valid) {
                found(row, categories.rank(texts.get(row)).ok_or("is no category of it"));
            }
        }
        // Nulls are of every type.
        _ if is_valid.contains(&true) => {
            return Err(Error::FieldType { field: column.name.clone(), dtype: of.name() });
        }
        _ => {}
    }
    Ok(())
}

/// What a field says of a value.
fn why(error: &schema::Error) -> &'static str {
    match error {
        schema::Error::Value { why, .. } => why,
        _ => "is none of the field",
    }
}

#[cfg(test)]
mod tests;
