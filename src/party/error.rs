use crate::{cipher, keys, lock, message, schema, scheme, wire};

/// Why a party cannot do something.
///
/// Messages name positions, lengths and bounds, and hold no key and no plaintext.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes are no message.
    #[error(transparent)]
    Wire(#[from] wire::Error),

    /// There is no key.
    #[error(transparent)]
    Keys(#[from] keys::Error),

    /// The process was forked while the keyring was in use.
    #[error(transparent)]
    Forked(#[from] lock::Forked),

    /// Something is no field, schema or value.
    #[error(transparent)]
    Schema(#[from] schema::Error),

    /// A scheme does not encrypt.
    #[error(transparent)]
    Scheme(#[from] scheme::Error),

    /// A cipher does not seal or open.
    #[error(transparent)]
    Cipher(#[from] cipher::Error),

    /// A message is no good.
    #[error(transparent)]
    Message(#[from] message::Error),

    /// Nobody with this path was authorised.
    #[error("no provider \"{provider}\" was authorised")]
    UnknownProvider {
        /// The path that was asked for.
        provider: String,
    },

    /// The schema has no such field.
    #[error("the schema has no field {field:?}")]
    UnknownField {
        /// The name that was asked for.
        field: String,
    },

    /// A field has too many cells to be proven.
    #[error("field {field:?} has {got} cells, and sums prove {most} at most: widen its cell")]
    ProvenCells {
        /// The field.
        field: String,
        /// How many cells it has.
        got: u64,
        /// How many there may be.
        most: u64,
    },

    /// A field has no sums.
    #[error("field {field:?} carries no sums to prove it by: declare it with proof=True")]
    NoSums {
        /// The field.
        field: String,
    },

    /// There is no ledger.
    #[error(
        "this keyring has no ledger of what is stored: it was opened without one, or no field is proven; seal \
         with cloud="
    )]
    NoLedger,

    /// An opened value has no plaintext in the field of its column.
    #[error("field '{field}', record {position}: the value {why}")]
    Value {
        /// The field.
        field: String,
        /// Which record of the batch, counted from 0.
        position: usize,
        /// What is wrong with the value.
        why: &'static str,
    },

    /// An opened column holds values of another type than its field.
    #[error("field '{field}': the column holds {dtype}, which is not what the field is of")]
    FieldType {
        /// The field.
        field: String,
        /// The name of the type of what the column holds.
        dtype: &'static str,
    },

    /// A layout describes a column that no table has.
    #[error("column {}: {why}", shown(column))]
    Column {
        /// The column.
        column: String,
        /// What is wrong with it.
        why: &'static str,
    },

    /// An opened value is none of its column.
    #[error("column {}, record {position}: the value {why}", shown(column))]
    Cell {
        /// The column.
        column: String,
        /// Which record of the batch, counted from 0.
        position: usize,
        /// What is wrong with the value.
        why: &'static str,
    },

    /// An opened record holds more than its layout says.
    #[error("record {position} has bytes of no column")]
    LongRecord {
        /// Which record of the batch, counted from 0.
        position: usize,
    },

    /// A provider has granted nothing.
    #[error("provider '{provider}' has granted nothing")]
    NoGrant {
        /// Its path.
        provider: String,
    },

    /// The time of what a provider has granted has run out.
    #[error("the grant of records of provider '{provider}' has expired")]
    GrantEnded {
        /// Its path.
        provider: String,
    },

    /// A user was given nothing.
    #[error("nothing is shared with this user")]
    NotShared,

    /// A user is suspended.
    #[error("this user is suspended: reinstate it first")]
    Suspended,

    /// A user was revoked.
    #[error("this user was revoked: its keys are given nothing any more")]
    RevokedUser,

    /// A team cannot be formed.
    #[error("there can be no team or speciality {}: {why}", shown(name))]
    Team {
        /// Its name, or its speciality.
        name: String,
        /// Why not.
        why: &'static str,
    },

    /// There is no such team.
    #[error("there is no team {}", shown(name))]
    NoTeam {
        /// The name that was asked for.
        name: String,
    },

    /// A user is in another team, or in none.
    #[error("this user is no member of team {}", shown(name))]
    NoMember {
        /// The team.
        name: String,
    },

    /// Nobody stands below, so that there is no group to search.
    #[error("nobody was authorised{}: there is no group to search", place(under))]
    NoGroup {
        /// The path; empty for all that is below a keyring.
        under: String,
    },

    /// A user has no right to search.
    #[error("this user was given no right to search, or it has ended")]
    NoRight,

    /// Several rights serve for one question.
    #[error("{got} rights to search are good for these ranges: say which one")]
    WhichRight {
        /// How many.
        got: usize,
    },

    /// A field is none of a right to search.
    #[error("the right to search has no range of field {field:?}")]
    NotDelegated {
        /// The field.
        field: String,
    },

    /// A range is none within a right to search.
    #[error("field {field:?}: the range lies outside of that of the right to search")]
    OutsideRight {
        /// The field.
        field: String,
    },

    /// There is no such request.
    #[error("there is no request for access of this number")]
    NoRequest,

    /// Something became of a request before.
    #[error("the request for access was decided before, or has ended: it is {state}")]
    Decided {
        /// What it is.
        state: &'static str,
    },

    /// Another request has the number of one.
    #[error("another request for access has this number")]
    OtherRequest,

    /// A grant names another user.
    #[error("the grant is for another user")]
    OtherUser,

    /// Two rows have one id.
    #[error("the id in row {row} stands in an earlier row too")]
    DuplicateId {
        /// The later row, counted from 0.
        row: usize,
    },

    /// A query has no range.
    #[error("a query needs at least one range")]
    NoRange,

    /// A search has no keyword.
    #[error("a search needs at least one keyword")]
    NoKeyword,

    /// A record does not open. There is no detail, on purpose.
    #[error("record {position} does not open")]
    Record {
        /// Which record of the batch, counted from 0.
        position: usize,
    },

    /// A record opens, and its provider did not write it.
    #[error("record {position} was not written by its provider")]
    Author {
        /// Which record of the batch, counted from 0.
        position: usize,
    },

    /// A permission to amend is not for what it is used for.
    #[error("the permission to amend is not for this: {why}")]
    Permission {
        /// What is wrong with it.
        why: &'static str,
    },

    /// A row should amend a record that the permission does not name.
    #[error("the record in row {row} is not named in the permission to amend")]
    NotPermitted {
        /// Which row of the table, counted from 0.
        row: usize,
    },

    /// A record says that it amends another one, and nothing permits that.
    #[error("record {position}: the amendment {why}")]
    Amendment {
        /// Which record of the batch, counted from 0.
        position: usize,
        /// What is wrong with it.
        why: &'static str,
    },

    /// Single amendments cannot be shared.
    #[error("single amendments are not shared: share portions, or all records, of the provider")]
    OneAmendment,

    /// A record is not among those that the query finds.
    #[error("record {position} lies in none of the cells that were asked for")]
    Elsewhere {
        /// Which record of the batch, counted from 0.
        position: usize,
    },

    /// A row should be new, and is stored already.
    #[error("the record in row {row} is stored already")]
    Stored {
        /// Which row of the table, counted from 0.
        row: usize,
    },

    /// A row should replace or remove a record, and there is none.
    #[error("the record in row {row} is not stored")]
    NotStored {
        /// Which row of the table, counted from 0.
        row: usize,
    },

    /// Records of an earlier epoch do not say which of their columns holds the ids.
    #[error("the records of an upload do not say which column holds their ids")]
    NoIds,

    /// A portion of records has a name that it cannot have.
    #[error("portion \"{name}\": {why}")]
    Portion {
        /// The name.
        name: String,
        /// What is wrong.
        why: &'static str,
    },

    /// The layout of the records does not open. There is no detail, on purpose.
    #[error("the layout of the records does not open")]
    Layout,

    /// A file or its description does not open. There is no detail, on purpose.
    #[error("the file does not open")]
    File,

    /// The contents of a file are longer or shorter than was said when they were begun.
    #[error("the file has not as many bytes as were said before")]
    Contents,

    /// A note of keywords does not open. There is no detail, on purpose.
    #[error("note {position} of the uses of keywords does not open")]
    Note {
        /// Which note of those that came, counted from 0.
        position: usize,
    },

    /// A file holds something else.
    #[error("the file is not {expected}")]
    OtherKind {
        /// Whose file it should be.
        expected: &'static str,
    },

    /// A file does not hold what was written to it.
    #[error("{what} is damaged")]
    Damaged {
        /// Which file.
        what: &'static str,
    },

    /// A table has no rows, or too many.
    #[error("the number of rows is {got}, expected 1 to 2^32 - 1")]
    Rows {
        /// How many it has.
        got: u64,
    },

    /// A field has two ranges.
    #[error("field {field:?} has two ranges, expected one")]
    TwoRanges {
        /// The field.
        field: String,
    },

    /// A name looks like that of another provider of the same group.
    #[error(
        "the name {} looks like {}, which is another provider's there{}",
        shown(name),
        shown(known),
        difference(name, known)
    )]
    LookAlike {
        /// The name.
        name: String,
        /// The other's.
        known: String,
    },

    /// A row number lies outside the table.
    #[error("a row number is {got}, expected below the rows")]
    RowNumber {
        /// The number.
        got: u64,
    },

    /// Not one record was named.
    #[error("the number of record ids is {got}, expected 1")]
    OneRecord {
        /// How many were named.
        got: u64,
    },

    /// A keyword was used as often as can be counted.
    #[error("the number of uses of a keyword is {got}, expected below 2^64 - 1")]
    Uses {
        /// How often it was used.
        got: u64,
    },

    /// An authority has used up its epochs.
    #[error("the epoch is {got}, expected below 2^32 - 1")]
    LastEpoch {
        /// Its epoch.
        got: u64,
    },

    /// Two columns that belong together have different lengths.
    #[error("{what} has {got} entries, expected {expected}")]
    Length {
        /// Which column.
        what: &'static str,
        /// Entries it must have.
        expected: usize,
        /// Entries it had.
        got: usize,
    },
}

impl Error {
    /// The same error, about a record at another position.
    pub(super) fn at(self, at: usize) -> Self {
        match self {
            Self::Record { .. } => Self::Record { position: at },
            Self::Author { .. } => Self::Author { position: at },
            Self::Amendment { why, .. } => Self::Amendment { position: at, why },
            Self::LongRecord { .. } => Self::LongRecord { position: at },
            Self::Cell { column, why, .. } => Self::Cell { column, position: at, why },
            error => error,
        }
    }
}

/// Where nobody stands.
fn place(under: &str) -> String {
    if under.is_empty() { String::new() } else { format!(" under {under:?}") }
}

/// A name that somebody else chose, in one short line.
fn shown(name: &str) -> String {
    const LONGEST: usize = 64;
    let cut: String = name.chars().take(LONGEST).collect();
    let rest = if cut.len() < name.len() { "…" } else { "" };
    format!("'{}{rest}'", cut.escape_debug())
}

/// Where two names that look alike differ, if both have a character there.
fn difference(name: &str, known: &str) -> String {
    let mut pairs = name.chars().zip(known.chars()).enumerate();
    match pairs.find(|(_, (one, other))| one != other) {
        Some((at, (one, other))) => {
            let (one, other) = (u32::from(one), u32::from(other));
            format!(": character {at} is U+{one:04X} and not U+{other:04X}")
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_in_one_short_line() {
        assert_eq!(shown("Größe"), "'Größe'");
        assert_eq!(shown("a\n'"), "'a\\n\\''");
        assert_eq!(shown(&"é".repeat(65)), format!("'{}…'", "é".repeat(64)));
    }
}
