//! Answers: what a cloud returns to a query, and what makes it the answer to that query.
//!
//! An answer names its query, and consists of parts. Each part names its token, the state of the cloud
//! that it was taken from, its page and whether that is the last:
//!
//! ```text
//! answer = number of the query, parts, proof or nothing
//! part   = owner, token, snapshot, page, last?, provider, upload, readers' epoch,
//!          handles, for each portion: layout, sealed records; tombstones
//! ```
//!
//! [`check`] is what whoever opens it insists on: every token is answered exactly once, in order,
//! by all its pages from one state, by providers that it reaches, and no record comes twice. What a
//! dishonest cloud leaves out, or an old state of everything, is not noticed by this.
//!
//! # Leakage
//!
//! Which records match, their sizes, and which provider sent them.

use std::collections::HashMap;

use super::Error;
use super::certificate::Owner;
use super::limits::{MOST_PORTIONS, at_most};
use super::place::{Epoch, Node};
use super::query::{Query, Selection, Token};
use super::sums::{ByProvider, Proof, Row};
use super::upload::{Portion, digest_of_row};
use crate::pool;
use crate::wire::{self, Blobs, Kind, Reader, Writer, column};

/// Sealed records of one upload that answer a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whose records they are.
    pub owner: Owner,
    /// The number of the token.
    pub token: u128,
    /// The state of the owner's records, as the cloud counts them.
    pub snapshot: u64,
    /// Which part of the token's answer this is, counted from 0.
    pub page: u32,
    /// Whether no more pages follow.
    pub is_last: bool,
    /// The provider that sent them; the owner's place if nothing was found.
    pub provider: Node,
    /// The number of the upload that brought them.
    pub upload: u128,
    /// The readers' epoch that they are sealed in.
    pub readers: Epoch,
    /// The records' pseudonyms, ascending.
    pub handles: Vec<u128>,
    /// The sealed records.
    pub portions: Vec<Portion>,
    /// Records that were asked for by their handles and were removed, with the upload that did it.
    pub removed: Vec<(u128, u128)>,
}

impl Part {
    /// The only part of the answer to a token that nothing is found for.
    #[must_use]
    pub fn nothing(owner: Owner, token: u128, snapshot: u64) -> Self {
        Self {
            owner,
            token,
            snapshot,
            page: 0,
            is_last: true,
            provider: Node::root(),
            upload: 0,
            readers: Epoch::default(),
            handles: Vec::new(),
            portions: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// Checks that there is a sealed record for each handle in every portion.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if there are not as many.
    pub fn checked(self) -> Result<Self, Error> {
        for portion in &self.portions {
            let (expected, got) = (self.handles.len(), portion.records.len());
            if expected != got {
                return Err(Error::Length { what: "the list of sealed records", expected, got });
            }
        }
        if self.portions.is_empty() && !self.handles.is_empty() {
            let expected = self.handles.len();
            return Err(Error::Length { what: "the list of sealed records", expected, got: 0 });
        }
        Ok(self)
    }

    /// The part as it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Part);
        writer.raw(&self.owner.0).u128(self.token).u64(self.snapshot);
        writer.u32(self.page).u8(self.is_last.into());
        self.provider.write(&mut writer);
        writer.u128(self.upload);
        self.readers.write(&mut writer);
        writer.count(self.handles.len());
        self.handles.iter().for_each(|&handle| {
            writer.u128(handle);
        });
        writer.count(self.portions.len());
        for portion in &self.portions {
            writer.text(&portion.name).bytes(&portion.layout);
            portion.records.write(&mut writer);
        }
        writer.count(self.removed.len());
        for (handle, upload) in &self.removed {
            writer.u128(*handle).u128(*upload);
        }
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`] if the bytes are no part of an answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Part)?;
        let owner = Owner(reader.array()?);
        let (token, snapshot, page) = (reader.u128()?, reader.u64()?, reader.u32()?);
        let is_last = reader.bool()?;
        let provider = Node::read(&mut reader)?;
        let (upload, readers) = (reader.u128()?, Epoch::read(&mut reader)?);
        let count = reader.count(16)?;
        let handles = column(&mut reader, count, u128::from_le_bytes)?;
        let count = at_most(MOST_PORTIONS, "portions of a part", reader.count(40)?)?;
        let mut portions = Vec::new();
        for _ in 0..count {
            let (name, layout) = (reader.text()?.to_owned(), reader.bytes()?.to_vec());
            portions.push(Portion { name, layout, records: Blobs::read(&mut reader)? });
        }
        let count = reader.count(32)?;
        let removed = (0..count).map(|_| Ok((reader.u128()?, reader.u128()?)));
        let removed = removed.collect::<Result<_, wire::Error>>()?;
        let fault = reader.fault();
        reader.end()?;
        let part = Self {
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
            removed,
        };
        part.checked().map_err(|_| fault.into())
    }
}

/// All parts that answer a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The number of the query.
    pub query: u128,
    /// The parts, by token and page.
    pub parts: Vec<Part>,
    /// What proves it, if that was asked for and this is its end.
    pub proof: Option<Proof>,
}

/// Says that an answer is not that to the query.
fn refuse(why: &'static str) -> Result<(), Error> {
    Err(Error::Answer { what: Kind::Answer.name(), why: why.to_owned() })
}

/// Checks that parts of an answer which names a query are the answer to this one, wholly and with nothing
/// else; what is sealed is not looked at.
///
/// # Errors
///
/// [`Error::Answer`] says what is wrong.
pub fn check(named: u128, parts: &[&Part], query: &Query) -> Result<(), Error> {
    if named != query.id {
        return refuse("it names another one");
    }
    let snapshot = parts.first().map(|part| part.snapshot);
    if parts.iter().any(|part| Some(part.snapshot) != snapshot) {
        return refuse("its parts are of several states of the cloud");
    }
    if parts.iter().any(|part| part.owner != query.owner) {
        return refuse("a part of it is of another owner");
    }
    let mut left = parts;
    for token in &query.tokens {
        left = pages(token, left)?;
    }
    if !left.is_empty() {
        return refuse("a part of it answers no token, or one for the second time");
    }
    check_repeats(parts)
}

/// Checks that no record of a provider comes twice.
fn check_repeats(parts: &[&Part]) -> Result<(), Error> {
    let mut of_provider: HashMap<&Node, Vec<&Part>> = HashMap::new();
    for part in parts {
        let mut handles = part.handles.windows(2);
        if handles.any(|pair| pair[0] >= pair[1]) {
            return refuse("the records of a part are out of order, or come twice");
        }
        of_provider.entry(&part.provider).or_default().push(part);
    }
    for parts in of_provider.into_values() {
        let removed = parts.iter().flat_map(|part| &part.removed).map(|(handle, _)| *handle);
        let mut all: Vec<u128> = removed.collect();
        if parts.len() > 1 || !all.is_empty() {
            all.extend(parts.iter().flat_map(|part| &part.handles));
            pool::sort(&mut all);
            if all.windows(2).any(|pair| pair[0] == pair[1]) {
                return refuse("a record comes twice");
            }
        }
    }
    Ok(())
}

/// The rows that the parts which answer a token hold, by their provider's name.
#[must_use]
pub fn rows_of(token: &Token, parts: &[&Part]) -> ByProvider {
    let mut rows = ByProvider::new();
    for part in parts.iter().filter(|part| part.token == token.id && !part.handles.is_empty()) {
        let name = part.provider.names().last().cloned().unwrap_or_default();
        let found = pool::map(part.handles.len(), 256, |row| Row {
            upload: part.upload,
            handle: part.handles[row],
            digest: digest_of_row(&part.portions, row),
        });
        rows.entry(name).or_default().extend(found);
    }
    rows
}

/// Parts that answer the query with a number, and what proves them if there is that, as they travel.
#[must_use]
pub fn join(query: u128, parts: &[&Part], proof: Option<&Proof>) -> Vec<u8> {
    let mut writer = Writer::new(Kind::Answer);
    writer.u128(query).count(parts.len());
    for part in parts {
        writer.bytes(&part.encode());
    }
    if let Some(proof) = proof {
        writer.bytes(&proof.encode());
    }
    writer.0
}

impl Answer {
    /// Checks that this answers a query, as [`check`] says.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`] says what is wrong.
    pub fn check(&self, query: &Query) -> Result<(), Error> {
        check(self.query, &self.parts.iter().collect::<Vec<_>>(), query)
    }

    /// The answer as it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        join(self.query, &self.parts.iter().collect::<Vec<_>>(), self.proof.as_ref())
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`] if the bytes are no answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Answer)?;
        let query = reader.u128()?;
        let count = reader.count(8)?;
        let part = |_| Part::decode(reader.bytes()?);
        let parts = (0..count).map(part).collect::<Result<_, _>>()?;
        let proof = if reader.is_at_end() { None } else { Some(Proof::decode(reader.bytes()?)?) };
        reader.end()?;
        Ok(Self { query, parts, proof })
    }
}

/// Takes the pages that answer a token, and returns what is left.
fn pages<'a, 'b>(token: &Token, parts: &'a [&'b Part]) -> Result<&'a [&'b Part], Error> {
    for (number, part) in (0..).zip(parts) {
        if part.token != token.id {
            refuse("a token is not answered, or not to its end")?;
        }
        if part.page != number {
            refuse("a page is missing, or comes twice")?;
        }
        let is_nothing = part.handles.is_empty() && part.removed.is_empty();
        let is_of_nobody = part.provider == Node::root();
        if !(token.reaches(&part.provider) || is_nothing && is_of_nobody) {
            refuse("a part of it is of a provider that was not asked")?;
        }
        if let Selection::Records(asked) = &token.selection {
            let mut found =
                part.handles.iter().chain(part.removed.iter().map(|(handle, _)| handle));
            if found.any(|handle| asked.binary_search(handle).is_err()) {
                refuse("it holds a record that was not asked for")?;
            }
        } else if !part.removed.is_empty() {
            refuse("it names removed records, which were not asked for")?;
        }
        if part.is_last {
            let (_, left) = parts.split_at(length_of(number) + 1);
            return Ok(left);
        }
    }
    refuse("a token is not answered, or not to its end").map(|()| parts)
}

fn length_of(number: u32) -> usize {
    wire::length(number.into())
}

#[cfg(test)]
mod tests;
