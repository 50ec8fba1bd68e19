//! Queries: what whoever asks shows the cloud, and what the cloud checks before it looks.
//!
//! A query holds a *token* for each group that it reaches: bounds of a conjunction of ranges as
//! ciphertexts, or handles of records, and whose records are meant. Who may see what: the owner searches
//! any group, a provider the groups of its subtree and, in its own group, its own runs only. Its issuer
//! signs all tokens together, and the cloud answers all of them from one state, or none. A query is a
//! *bearer* query: whoever has it can repeat it until it expires.
//!
//! ```text
//! query = owner, schema, number, expiry, certificates of the issuer, tokens || signature
//! token = number, group, stamp, scope, ranges or handles
//! ```
//!
//! The stamp of a token names the last announcement of the group's authority that its issuer knows. A
//! cloud that knows a later one says so, rather than answer a question that misses somebody.
//!
//! # Leakage
//!
//! The bounds to the cell, for every cloud and everyone who holds a ruler of the group; that two
//! queries have equal bounds; and which tokens of other groups carry the same bounds. Of a query for
//! records: which ones.

use std::collections::HashSet;

use super::Error;
use super::announcement::Announced;
use super::certificate::{Chain, Owner};
use super::envelope;
use super::limits::{MOST_FIELDS, MOST_RECORDS, MOST_TOKENS, at_most};
use super::place::{Group, Node, Stamp};
use super::right::{self, Delegated};
use crate::wire::{Kind, Reader, Writer};

const WHAT: &str = "the query";

/// Whose records a token reaches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All of the group.
    Group,
    /// Those of one provider of the group, by its name.
    One(String),
}

/// A range of ciphertexts of one field, both bounds included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicate {
    /// The field's name.
    pub field: String,
    /// The lowest ciphertext.
    pub low: i64,
    /// The highest ciphertext.
    pub high: i64,
    /// The slots of a seal's table where the range begins and ends, if an answer is to be proven.
    pub slots: Option<[u32; 2]>,
}

/// Which records a token asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Those that all of these hold for; at least one.
    Ranges(Vec<Predicate>),
    /// Those with these handles, ascending.
    Records(Vec<u128>),
    /// All.
    All,
}

/// What is asked of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// A random number, which the parts of its answer name.
    pub id: u128,
    /// The group whose rulers made the bounds.
    pub group: Group,
    /// The last announcement of the group's authority that the issuer has seen.
    pub stamp: Stamp,
    /// Whose records are searched.
    pub scope: Scope,
    /// Which of them.
    pub selection: Selection,
}

/// The tokens of one question, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The owner whose records are searched.
    pub owner: Owner,
    /// The digest of the schema that the fields are of.
    pub schema: [u8; 32],
    /// A random number, which its answer names.
    pub id: u128,
    /// When it ends, in seconds since 1970.
    pub expiry: u64,
    /// The issuer's certificates; empty for the owner.
    pub issuer: Chain,
    /// One per group; none if nothing can match.
    pub tokens: Vec<Token>,
    /// The right that it is asked under, by a user; then the issuer is whoever gave that.
    pub delegated: Option<Delegated>,
}

impl Token {
    /// The provider whose own records it is limited to, if it is.
    #[must_use]
    pub fn own(&self) -> Option<&str> {
        match &self.scope {
            Scope::Group => None,
            Scope::One(name) => Some(name),
        }
    }

    /// Whether it reaches records of a provider of its group.
    #[must_use]
    pub fn is_of(&self, name: &str) -> bool {
        self.own().is_none_or(|own| own == name)
    }

    fn write(&self, writer: &mut Writer) {
        writer.u128(self.id);
        self.group.write(writer);
        self.stamp.write(writer);
        match &self.scope {
            Scope::Group => writer.u8(0),
            Scope::One(name) => writer.u8(1).text(name),
        };
        match &self.selection {
            Selection::Ranges(predicates) => {
                writer.u8(0).count(predicates.len());
                for Predicate { field, low, high, slots } in predicates {
                    writer.text(field).i64(*low).i64(*high).u8(slots.is_some().into());
                    slots.iter().flatten().for_each(|&slot| {
                        writer.u32(slot);
                    });
                }
            }
            Selection::Records(handles) => {
                writer.u8(1).count(handles.len());
                handles.iter().for_each(|&handle| {
                    writer.u128(handle);
                });
            }
            Selection::All => {
                writer.u8(2);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (id, group, stamp) = (reader.u128()?, Group::read(reader)?, Stamp::read(reader)?);
        let scope = match reader.u8()? {
            0 => Scope::Group,
            1 => Scope::One(reader.name()?.to_owned()),
            _ => return Err(reader.fault().into()),
        };
        let selection = match reader.u8()? {
            0 => Selection::Ranges(predicates(reader)?),
            1 => Selection::Records(handles(reader)?),
            2 => Selection::All,
            _ => return Err(reader.fault().into()),
        };
        Ok(Self { id, group, stamp, scope, selection })
    }

    /// Whether a provider's records are among those that the token reaches.
    #[must_use]
    pub fn reaches(&self, provider: &Node) -> bool {
        Group::of(provider).as_ref() == Some(&self.group)
            && match &self.scope {
                Scope::Group => true,
                Scope::One(name) => provider.names().last() == Some(name),
            }
    }
}

fn predicates(reader: &mut Reader<'_>) -> Result<Vec<Predicate>, Error> {
    let (mut predicates, mut fields) = (Vec::new(), HashSet::new());
    for _ in 0..at_most(MOST_FIELDS, "ranges of a token", reader.count(25)?)? {
        let field = reader.name()?.to_owned();
        let (low, high) = (reader.i64()?, reader.i64()?);
        let slots = match reader.u8()? {
            0 => None,
            1 => Some([reader.u32()?, reader.u32()?]),
            _ => return Err(reader.fault().into()),
        };
        if low < 0 || high < low || !fields.insert(field.clone()) {
            return Err(reader.fault().into());
        }
        predicates.push(Predicate { field, low, high, slots });
    }
    if predicates.is_empty() { Err(reader.fault().into()) } else { Ok(predicates) }
}

fn handles(reader: &mut Reader<'_>) -> Result<Vec<u128>, Error> {
    let mut handles: Vec<u128> = Vec::new();
    for _ in 0..at_most(MOST_RECORDS, "records of a token", reader.count(16)?)? {
        let handle = reader.u128()?;
        if handles.last().is_some_and(|&last| last >= handle) {
            return Err(reader.fault().into());
        }
        handles.push(handle);
    }
    if handles.is_empty() { Err(reader.fault().into()) } else { Ok(handles) }
}

impl Query {
    /// What the issuer signs.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = envelope::of(Kind::Query, &self.owner);
        writer.raw(&self.schema).u128(self.id).u64(self.expiry);
        self.issuer.write(&mut writer);
        writer.count(self.tokens.len());
        self.tokens.iter().for_each(|token| token.write(&mut writer));
        writer.0
    }

    /// Reads a query and verifies that the issuer it names signed it; one under a right, that a user signed
    /// it whom the issuer gave the right.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no query, or two tokens ask for
    /// the same records or have one number, or two ranges of a token are of one field,
    /// [`Error::TooMany`], [`Error::Signature`] if it is forged; under a right also [`Error::OtherOwner`] and
    /// [`Error::Scope`] for what is none of the right.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if Kind::of(bytes) == Some(Kind::DelegatedQuery) {
            return right::decode_query(bytes);
        }
        let (mut reader, owner) = envelope::open(bytes, Kind::Query)?;
        let schema = reader.array()?;
        let (id, expiry) = (reader.u128()?, reader.u64()?);
        let issuer = Chain::read(&mut reader)?;
        let count = at_most(MOST_TOKENS, "tokens of the query", reader.count(16)?)?;
        let mut tokens: Vec<Token> = Vec::new();
        let (mut places, mut ids) = (HashSet::new(), HashSet::new());
        for _ in 0..count {
            let token = Token::read(&mut reader)?;
            let is_new = places.insert((token.group.clone(), token.scope.clone()));
            if !is_new || !ids.insert(token.id) {
                return Err(reader.fault().into());
            }
            tokens.push(token);
        }
        envelope::close(reader, bytes, &owner, &issuer, None)?;
        Ok(Self { owner, schema, id, expiry, issuer, tokens, delegated: None })
    }

    /// Checks that the query may be asked at a time, in seconds since 1970, of a cloud that knows what the
    /// owner announced.
    ///
    /// # Errors
    ///
    /// [`Error::Expired`], [`Error::OtherOwner`], [`Error::OtherSchema`], [`Error::Epoch`] if the
    /// issuer's keys are of an epoch that its group has left, [`Error::Scope`] if the issuer may not
    /// search a group, or if records are asked for by their handles and not of one provider, [`Error::Behind`] or [`Error::Fork`] if it has missed an announcement, [`Error::RightEnded`] of a
    /// query under a right that was taken back.
    pub fn check(&self, announced: &Announced, now: u64) -> Result<(), Error> {
        announced.serves(WHAT, &self.owner)?;
        announced.indexes(WHAT, &self.schema)?;
        if now > self.expiry {
            return Err(Error::Expired { what: WHAT });
        }
        let issuer = self.issuer.subject();
        announced.accepts(&issuer)?;
        if let Some(delegated) = &self.delegated {
            return delegated.check(&self.issuer, announced, now);
        }
        let mut asked = HashSet::new();
        for token in &self.tokens {
            let authority = &token.group.authority;
            let is_own =
                |name: &String| issuer.names().split_last() == Some((name, authority.names()));
            let may = match &token.scope {
                Scope::Group => issuer.is_above(authority),
                Scope::One(name) => issuer.is_above(authority) || is_own(name),
            };
            if !may {
                let (who, what) = (issuer.to_string(), token.group.to_string());
                return Err(Error::Scope { who, what });
            }
            let is_by_handle = matches!(token.selection, Selection::Records(_));
            if is_by_handle && token.scope == Scope::Group {
                // Each handle would be looked up at each of its providers.
                let what = format!("records of all of {} by their handles", token.group);
                return Err(Error::Scope { who: issuer.to_string(), what });
            }
            if token.scope == Scope::Group {
                announced.knows(authority, &token.stamp)?;
                asked.insert(authority);
            }
        }
        // A query for ranges is one of everybody below.
        let missed = announced.iter().find(|last| {
            let authority = &last.authority;
            issuer.holds(authority)
                && !last.members.is_empty()
                && !asked.contains(authority)
                && announced.accepts(authority).is_ok()
        });
        match missed {
            Some(last) if self.is_of_ranges() => {
                Err(Error::Behind { authority: last.authority.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// Whether its ranges name slots, so that sums can prove the answer.
    #[must_use]
    pub fn is_provable(&self) -> bool {
        self.tokens.iter().any(|token| match &token.selection {
            Selection::Ranges(ranges) => ranges.iter().any(|range| range.slots.is_some()),
            Selection::Records(_) | Selection::All => false,
        })
    }

    /// Who asks: the path of a provider, nothing for the owner, or what a user is called.
    #[must_use]
    pub fn asker(&self) -> String {
        let user = self.delegated.as_ref().map(Delegated::called);
        user.unwrap_or_else(|| self.issuer.subject().path())
    }

    fn is_of_ranges(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token.selection, Selection::Ranges(_)))
    }
}

#[cfg(test)]
mod tests;
