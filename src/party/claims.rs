//! What amendments state in their sealed portions, and whether it is permitted; see
//! [`amending`](super::amending).

use std::collections::BTreeMap;

use super::Error;
use crate::message;
use crate::message::answer::Part;
use crate::message::permission::{Link, Permission, Permitted};
use crate::message::place::Node;
use crate::message::upload::Version;
use crate::schema::Schema;
use crate::scheme::mopse::Handle;
use crate::wire::{Buffer, Reader, Writer};

/// What the amendments of an upload state beside their columns.
pub(super) struct Stated {
    /// The head of the permission.
    pub(super) head: Vec<u8>,
    /// When, in seconds since 1970; 0 if that is not said.
    pub(super) time: u64,
    /// What shows of each row of the table that it is permitted.
    pub(super) links: Vec<Vec<u8>>,
    /// What each id is committed to with.
    pub(super) secrets: Vec<u128>,
}

impl Stated {
    /// Adds what stands in the layout.
    pub(super) fn write_head<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.u64(self.time).bytes(&self.head);
    }

    /// Adds what stands before the values of a row, in the portion that has the ids or in another one.
    pub(super) fn write<B: Buffer>(&self, row: usize, has_ids: bool, writer: &mut Writer<B>) {
        writer.raw(&self.links[row]);
        if has_ids {
            writer.u128(self.secrets[row]);
        }
    }

    /// How many bytes that is.
    pub(super) fn len(&self, row: usize, has_ids: bool) -> usize {
        self.links[row].len() + if has_ids { 16 } else { 0 }
    }
}

/// What one opened row of a portion says of what it amends, and the secret number if it is there.
pub(super) type Claim = (Link, Option<u128>);

/// What a portion of opened amendments says; nothing is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) head: Vec<u8>,
    pub(super) time: u64,
    /// None of a row that was not opened.
    pub(super) rows: Vec<Option<Claim>>,
}

/// Where the values of a row begin, and what stands before them.
pub(super) fn read_claim(row: &[u8], has_ids: bool) -> Result<(Claim, usize), message::Error> {
    let mut reader = Reader::headless(row, "the amendment");
    let link = Link::read(&mut reader)?;
    let secret = if has_ids { Some(reader.u128()?) } else { None };
    Ok(((link, secret), reader.position()))
}

/// What all opened portions of records say together; where they differ, the record has a fault.
pub(super) fn together(
    portions: Vec<Option<Claims>>,
    rows: usize,
    faults: &mut BTreeMap<usize, Error>,
) -> Option<Claims> {
    let mut all = portions.iter().flatten().next().cloned()?;
    let differs = |position| Error::Amendment { position, why: "is another one in each portion" };
    let mut fault = |position: usize| {
        faults.entry(position).or_insert_with(|| differs(position));
    };
    for portion in portions {
        let Some(more) = portion.filter(|more| (&more.head, more.time) == (&all.head, all.time))
        else {
            (0..rows).for_each(&mut fault);
            continue;
        };
        for (position, (known, more)) in all.rows.iter_mut().zip(more.rows).enumerate() {
            match (&mut *known, more) {
                (_, None) => {}
                (None, more) => *known = more,
                (Some((link, secret)), Some((other, more))) => {
                    if *link != other {
                        fault(position);
                    }
                    *secret = secret.or(more);
                }
            }
        }
    }
    Some(all)
}

/// What amendments amend, as their permission says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amends {
    /// Whose records.
    pub provider: Node,
    /// When that was stated, in seconds since 1970; 0 if it was not.
    pub time: u64,
    /// For each row; none of one of which nothing could be opened.
    pub rows: Vec<Option<Amended>>,
}

/// What one amendment amends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amended {
    /// The handle of the record.
    pub record: Handle,
    /// The version that it had when the amendment was permitted.
    pub version: Version,
    /// Its id as text; none if the portion of the ids could not be opened.
    pub id: Option<String>,
}

impl Amends {
    /// Keeps the rows that are marked.
    pub(super) fn retain(&mut self, rows: &[bool]) {
        let mut marks = rows.iter();
        self.rows.retain(|_| marks.next().is_some_and(|&mark| mark));
    }
}

impl Claims {
    /// What the rows of a part amend; those that have no permission to get a fault. Of a row whose id could be
    /// opened, that is told as bytes and as text.
    ///
    /// # Errors
    ///
    /// [`message::Error::Signature`], [`message::Error::Scope`], [`Error::Permission`] if the permission is
    /// forged or not for these records.
    pub(super) fn checked(
        self,
        part: &Part,
        handles: &[Handle],
        schema: &Schema,
        id_of: impl Fn(usize) -> Option<(Vec<u8>, String)>,
        faults: &mut BTreeMap<usize, Error>,
    ) -> Result<Amends, Error> {
        let permission = Permission::decode_head(&self.head)?;
        if permission.amender != part.provider {
            return Err(Error::Permission { why: "it is another provider's" });
        }
        if permission.readers != part.readers {
            return Err(Error::Permission { why: "it is for another readers' epoch" });
        }
        check(&permission, part.owner.0, schema, self.time)?;
        let mut checked = Vec::with_capacity(self.rows.len());
        for (position, (claim, &handle)) in self.rows.into_iter().zip(handles).enumerate() {
            let Some((link, secret)) = claim else {
                checked.push(None);
                continue;
            };
            let mut why = None;
            if !permission.names(handle, &link) {
                why = Some("is not among those that were permitted");
            }
            let mut id = None;
            if let Some(secret) = secret {
                let of_row = id_of(position);
                let is_it = |(bytes, _): &(Vec<u8>, String)| {
                    Permitted::commitment(secret, bytes) == link.id
                };
                id = of_row.filter(is_it).map(|(_, text)| text);
                if id.is_none() {
                    why = why.or(Some("has another id than what it amends"));
                }
            }
            if let Some(why) = why {
                faults.entry(position).or_insert(Error::Amendment { position, why });
            }
            let Link { record, version, .. } = link;
            checked.push(Some(Amended { record, version, id }));
        }
        Ok(Amends { provider: permission.amended, time: self.time, rows: checked })
    }
}

/// Checks what a permission says against whose it should be, at a time in seconds since 1970.
pub(super) fn check(
    permission: &Permission,
    owner: [u8; 32],
    schema: &Schema,
    time: u64,
) -> Result<(), Error> {
    let why = if permission.owner.0 != owner {
        "it is of another owner"
    } else if permission.schema != schema.digest() {
        "it is for another schema"
    } else if permission.end < time {
        "it has ended"
    } else {
        return Ok(());
    };
    Err(Error::Permission { why })
}
