//! Opening what a cloud returns: the records of an answer that match, and attachments.
//!
//! Whoever opens holds a keyring, and derives the keys of its subtree, or grants. Bounds in the clear
//! never travel, so that rows which share a cell with a bound and do not match are dropped here, after
//! they are opened.
//!
//! Whoever sealed records may have sealed anything. They are checked against their layout and the
//! schema, and one with a fault is left out and named, beside those that have none.

use super::Error;
use super::Range;
use super::attachments::{self, Description};
use super::columns::{Column, Values};
use super::grants::{Grants, Opener, Rows};
use super::keyring::Keyring;
use super::records::{Ids, Origin};
use super::types::{Categories, Type};
use crate::keys::{Key, Purpose};
use crate::message;
use crate::message::answer::Part;
use crate::message::attachment::StoredFile;
use crate::message::place::Node;
use crate::schema::{self, Field, Kind, Schema, Value};
use crate::scheme::mopse::Handle;

/// The records of a part that were opened and hold all ranges, and those that have a fault.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Opened {
    /// The columns that were sealed, a row per record.
    pub columns: Vec<Column<'static>>,
    /// The pseudonym of each record.
    pub handles: Vec<Handle>,
    /// How many records share a cell with the bounds and do not match.
    pub excess: usize,
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
            Error::LongRecord { .. } => "the record has bytes of no column".to_owned(),
            error => error.to_string(),
        }
    }
}

impl Keyring {
    /// What opens all records of a provider at or below this node.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`] names a provider whose key this one cannot derive.
    pub fn opener(&self, provider: &Node) -> Result<Opener, Error> {
        Ok(Opener::All(self.key_of(provider)?.child(Purpose::Record, b"", 0)))
    }

    /// What opens some records of a provider at or below this node.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`] names a provider whose key this one cannot derive.
    pub fn opener_of(&self, provider: &Node, ids: Ids<'_>) -> Result<Opener, Error> {
        let key = self.key_of(provider)?;
        let handles = ids.handles(&key.child(Purpose::Handle, b"", 0));
        Ok(Opener::only(&key.child(Purpose::Record, b"", 0), &handles))
    }

    /// Opens the records of a part and keeps those that hold all ranges.
    ///
    /// # Errors
    ///
    /// [`message::Error::OtherOwner`], [`message::Error::Scope`] if the provider is out of reach, and what
    /// [`Opener::open`] and the check against the schema say of the first record.
    pub fn open_part(&self, part: &Part, ranges: &[Range]) -> Result<Opened, Error> {
        open_part(&self.opener_for(part)?, part, ranges, &self.schema)?.without_fault()
    }

    /// Opens the records of a part that can be opened, keeps those that hold all ranges, and says what
    /// is wrong with others.
    #[must_use]
    pub fn report_part(&self, part: &Part, ranges: &[Range]) -> Opened {
        match self.opener_for(part) {
            Ok(opener) => report_part(&opener, part, ranges, &self.schema),
            Err(error) => Opened::nothing(part, |_| true, &error),
        }
    }

    fn opener_for(&self, part: &Part) -> Result<Opener, Error> {
        if part.owner != self.owner {
            return Err(message::Error::OtherOwner { what: "the answer" }.into());
        }
        self.opener(&part.provider)
    }

    /// The key of the record that a stored file belongs to.
    fn record_of(&self, file: &StoredFile) -> Result<Key, Error> {
        if file.owner != self.owner {
            return Err(message::Error::OtherOwner { what: "the file" }.into());
        }
        self.opener(&file.provider)?.key_of(file.handle).ok_or(Error::File)
    }

    /// Returns what a stored file is called.
    ///
    /// # Errors
    ///
    /// [`message::Error::OtherOwner`], [`message::Error::Scope`], [`Error::File`] if it was changed or belongs elsewhere.
    pub fn describe(&self, file: &StoredFile) -> Result<Description, Error> {
        attachments::describe(&self.record_of(file)?, file)
    }

    /// Returns what a stored file is called and what it holds.
    ///
    /// # Errors
    ///
    /// Those of [`describe`](Self::describe).
    pub fn open_file(&self, file: &StoredFile) -> Result<(Description, Vec<u8>), Error> {
        attachments::open(&self.record_of(file)?, file)
    }
}

impl Grants {
    /// Opens the granted records of a part and keeps those that hold all ranges.
    ///
    /// # Errors
    ///
    /// [`Error::NoGrant`] if the provider has granted nothing, and what [`Opener::open`] and the check
    /// against the schema say of the first record.
    pub fn open_part(
        &self,
        part: &Part,
        ranges: &[Range],
        schema: &Schema,
    ) -> Result<Opened, Error> {
        open_part(self.opener_for(part)?, part, ranges, schema)?.without_fault()
    }

    /// Opens the granted records of a part that can be opened, keeps those that hold all ranges, and
    /// says what is wrong with others.
    #[must_use]
    pub fn report_part(&self, part: &Part, ranges: &[Range], schema: &Schema) -> Opened {
        match self.opener_for(part) {
            Ok(opener) => report_part(opener, part, ranges, schema),
            Err(error) => Opened::nothing(part, |_| true, &error),
        }
    }

    fn opener_for(&self, part: &Part) -> Result<&Opener, Error> {
        let opener = self.opener(part.owner, &part.provider);
        opener.ok_or_else(|| Error::NoGrant { provider: part.provider.path() })
    }

    /// The key of the record that a stored file belongs to.
    fn record_of(&self, file: &StoredFile) -> Result<Key, Error> {
        let key = self.opener(file.owner, &file.provider).and_then(|keys| keys.key_of(file.handle));
        key.ok_or_else(|| {
            let what = format!("this record of {}", file.provider);
            message::Error::Scope { who: "the user".to_owned(), what }.into()
        })
    }

    /// Returns what a stored file is called.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`] if its record was not granted, [`Error::File`] if it was changed or belongs
    /// elsewhere.
    pub fn describe(&self, file: &StoredFile) -> Result<Description, Error> {
        attachments::describe(&self.record_of(file)?, file)
    }

    /// Returns what a stored file is called and what it holds.
    ///
    /// # Errors
    ///
    /// Those of [`describe`](Self::describe).
    pub fn open_file(&self, file: &StoredFile) -> Result<(Description, Vec<u8>), Error> {
        attachments::open(&self.record_of(file)?, file)
    }
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
    let origin = Origin { owner: &part.owner, provider: &part.provider };
    let (handles, records) = opener.granted(&part.handles, &part.records);
    let mut rows = opener.open_rows(origin, &part.layout, &handles, &records)?;
    let mut kept = matching(&mut rows, handles.len(), ranges, schema)?;
    for &position in rows.faults.keys() {
        kept[position] = false;
    }
    let mut handles = handles.into_owned();
    let opened = handles.len() - rows.faults.len();
    let fault = |(position, error)| Fault { handle: handles[position], error };
    let faults = rows.faults.into_iter().map(fault).collect();
    if kept.contains(&false) {
        rows.columns.iter_mut().for_each(|column| column.retain(&kept));
        let mut marks = kept.iter();
        handles.retain(|_| marks.next().is_some_and(|&mark| mark));
    }
    let excess = opened - handles.len();
    Ok(Opened { columns: rows.columns, handles, excess, faults })
}

/// Which rows hold all ranges. Values that are none of their field become faults.
fn matching(
    rows: &mut Rows,
    count: usize,
    ranges: &[Range],
    schema: &Schema,
) -> Result<Vec<bool>, Error> {
    let mut matching = vec![true; count];
    if count == 0 {
        return Ok(matching);
    }
    for Range { field, .. } in ranges {
        if schema.field(field).is_none() {
            return Err(Error::UnknownField { field: field.clone() });
        }
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
        let faults = &mut rows.faults;
        for_each_plaintext(field, column, of, |row, plaintext| match plaintext {
            Ok(plaintext) => {
                // Rows without a value match no range.
                if !ranges.is_empty() {
                    matching[next..row].fill(false);
                    next = row + 1;
                }
                matching[row] &=
                    ranges.iter().all(|range| (range.low..=range.high).contains(&plaintext));
            }
            Err(why) => {
                let field = || column.name.clone();
                let error = || Error::Value { field: field(), position: row, why };
                faults.entry(row).or_insert_with(error);
            }
        })?;
        if !ranges.is_empty() {
            matching[next..].fill(false);
        }
    }
    Ok(matching)
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
        (Kind::Date, Values::Int64(values)) if *of == Type::Date => {
            each(values, is_valid, |value| value.plaintext(field), found);
        }
        (Kind::Number, Values::UInt64(values)) => {
            let plaintext = |value: u64| {
                let large = schema::Error::Value { row: 0, why: "does not fit an int64" };
                i64::try_from(value).map_err(|_| large)?.plaintext(field)
            };
            each(values, is_valid, plaintext, found);
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
