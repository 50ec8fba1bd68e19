//! Opening what a cloud returns: the records of an answer that match, and attachments.
//!
//! Whoever opens holds a keyring, and derives the keys of its subtree, or grants. Bounds in the clear
//! never travel, so that rows which share a cell with a bound and do not match are dropped here, after
//! they are opened.

use std::collections::HashMap;

use super::Error;
use super::Range;
use super::attachments::{self, Description};
use super::columns::{Column, Values};
use super::grants::{Grants, Opener};
use super::keyring::Keyring;
use super::records::{Ids, Origin};
use crate::keys::{Key, Purpose};
use crate::message;
use crate::message::answer::Part;
use crate::message::attachment::StoredFile;
use crate::message::place::Node;
use crate::schema::{self, Field, Kind, Schema};

/// The records of a part that were opened and hold all ranges.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// The columns that were sealed, a row per record.
    pub columns: Vec<Column<'static>>,
    /// How many records share a cell with the bounds and do not match.
    pub excess: usize,
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
    /// [`Opener::open`] and the check of the ranges say.
    pub fn open_part(&self, part: &Part, ranges: &[Range]) -> Result<Opened, Error> {
        if part.owner != self.owner {
            return Err(message::Error::OtherOwner { what: "the answer" }.into());
        }
        open_part(&self.opener(&part.provider)?, part, ranges, &self.schema)
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
    /// [`Error::NoGrant`] if the provider has granted nothing, and what [`Opener::open`] and the check of
    /// the ranges say.
    pub fn open_part(
        &self,
        part: &Part,
        ranges: &[Range],
        schema: &Schema,
    ) -> Result<Opened, Error> {
        let opener = self.opener(part.owner, &part.provider);
        let opener = opener.ok_or_else(|| Error::NoGrant { provider: part.provider.path() })?;
        open_part(opener, part, ranges, schema)
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

fn open_part(
    opener: &Opener,
    part: &Part,
    ranges: &[Range],
    schema: &Schema,
) -> Result<Opened, Error> {
    let origin = Origin { owner: &part.owner, provider: &part.provider };
    let (handles, records) = opener.granted(&part.handles, &part.records);
    let mut columns = opener.open(origin, &part.layout, &handles, &records)?;
    let matching = matching(&columns, handles.len(), ranges, schema)?;
    let kept = matching.iter().filter(|&&is_match| is_match).count();
    if kept < handles.len() {
        columns.iter_mut().for_each(|column| column.retain(&matching));
    }
    Ok(Opened { columns, excess: handles.len() - kept })
}

/// Which rows hold all ranges.
fn matching(
    columns: &[Column<'_>],
    rows: usize,
    ranges: &[Range],
    schema: &Schema,
) -> Result<Vec<bool>, Error> {
    let mut matching = vec![true; rows];
    if rows == 0 {
        return Ok(matching);
    }
    for Range { field, low, high } in ranges {
        let unknown = || Error::UnknownField { field: field.clone() };
        let definition = schema.field(field).ok_or_else(unknown)?;
        let column = columns.iter().find(|column| column.name == *field).ok_or_else(unknown)?;
        let (held, plaintexts) = plaintexts(definition, column)?;
        let mut held = held.into_iter().zip(plaintexts).peekable();
        for (row, is_match) in (0..).zip(&mut matching) {
            let plaintext = held.next_if(|(of, _)| *of == row).map(|(_, plaintext)| plaintext);
            *is_match &= plaintext.is_some_and(|plaintext| (*low..=*high).contains(&plaintext));
        }
    }
    Ok(matching)
}

/// The rows of an opened column that hold a value, and the plaintext of each in a field.
fn plaintexts(field: &Field, column: &Column<'_>) -> Result<(Vec<u32>, Vec<i64>), Error> {
    let is_whole = column.dtype.starts_with("Int") || column.dtype.starts_with("UInt");
    let in_field = |source| Error::Value { field: column.name.clone(), source };
    let found = match (field.kind(), &column.values) {
        (Kind::Number, Values::Int64(values)) if is_whole => {
            field.plaintexts_of(values, &column.is_valid)
        }
        (Kind::Date, Values::Int64(values)) if column.dtype == "Date" => {
            field.plaintexts_of(values, &column.is_valid)
        }
        (Kind::Number, Values::UInt64(values)) => {
            let is_large =
                |(&value, &is_valid): (&u64, &bool)| is_valid && i64::try_from(value).is_err();
            if let Some(row) = values.iter().zip(column.is_valid.iter()).position(is_large) {
                return Err(in_field(schema::Error::Value { row, why: "does not fit an int64" }));
            }
            let values: Vec<i64> = values.iter().map(|value| value.cast_signed()).collect();
            field.plaintexts_of(&values, &column.is_valid)
        }
        (Kind::Number, Values::Float64(values)) => field.plaintexts_of(values, &column.is_valid),
        (Kind::Boolean, Values::Boolean(values)) => {
            let values: Vec<i64> = values.iter().copied().map(i64::from).collect();
            field.plaintexts_of(&values, &column.is_valid)
        }
        (Kind::Category(categories), Values::Text(texts)) => {
            let ranks: HashMap<&[u8], i64> =
                categories.iter().map(String::as_bytes).zip(0..).collect();
            let mut values = Vec::with_capacity(column.rows());
            for (row, &is_valid) in column.is_valid.iter().enumerate() {
                match ranks.get(texts.get(row)) {
                    Some(&rank) => values.push(rank),
                    None if is_valid => {
                        return Err(in_field(schema::Error::Value {
                            row,
                            why: "is no category of it",
                        }));
                    }
                    None => values.push(0),
                }
            }
            field.plaintexts_of(&values, &column.is_valid)
        }
        _ => {
            let (field, dtype) = (column.name.clone(), column.dtype.clone());
            return Err(Error::FieldType { field, dtype });
        }
    };
    found.map_err(in_field)
}
