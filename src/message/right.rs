//! Rights to search: what somebody lets a user ask for, with tokens that the user makes.
//!
//! ```text
//! right = owner, schema, number, user, end, certificates of the issuer, fields, reaches || signature
//! reach = group, stamp, readers' epoch, bounds of each field
//! query = owner, right, number, expiry, tokens || signature of the user
//! token = number, position of the reach, ranges, each of a field of the right by its position
//! ```
//!
//! A query under a right is made of what both say: each of its tokens is of a group of the right, and
//! *every* range of the right holds of what it finds, also of a field that the token does not name. So a
//! user who asks for more than it may gets what it may, and a field that is none of the right cannot be
//! named. What a store is handed is a query like any other.
//!
//! A right ends by its time, and before that when its authorities begin new readers' epochs, as they do to
//! take it back, or a new epoch, in which the right has no bounds.
//!
//! # Leakage
//!
//! To the cloud: the bounds of the right, to the cell, whose it is, and which queries are under one right.
//!
//! # Sources
//!
//! Ours. Schemes in which the cloud itself turns one user's tokens into another's have a poor record:
//! Li, Wang and Zhao (`AsiaCCS` 2019), and the forgeries of `ePrint` 2024/1983. Here nobody makes a token of
//! one: the owner's ciphertexts are what the user's tokens hold.

use std::collections::HashSet;
use std::fmt::Write;

use super::Error;
use super::announcement::Announced;
use super::certificate::{Chain, Owner};
use super::envelope;
use super::limits::{MOST_FIELDS, MOST_TOKENS, at_most};
use super::place::{Epoch, Group, Stamp};
use super::query::{Predicate, Query, Scope, Selection, Token};
use super::signature::{SIGNATURE_LEN, VERIFICATION_KEY_LEN, verify};
use crate::wire::{Kind, Reader};

/// What a right reaches in one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The group whose rulers made the bounds.
    pub group: Group,
    /// The last announcement of the group's authority that the issuer had seen.
    pub stamp: Stamp,
    /// The readers' epoch of the authority: the right ends with it.
    pub readers: Epoch,
    /// The lowest and the highest ciphertext of each field of the right.
    pub bounds: Vec<(i64, i64)>,
}

/// The right to search, as the cloud sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// The owner whose records are searched.
    pub owner: Owner,
    /// The digest of the schema that the fields are of.
    pub schema: [u8; 32],
    /// A random number, which the same right keeps when it is given anew.
    pub id: u128,
    /// SHA-256 of the public keys of the user.
    pub user: [u8; 32],
    /// What the user's signatures are verified by.
    pub verification: [u8; VERIFICATION_KEY_LEN],
    /// When it was made, in seconds since 1970.
    pub made: u64,
    /// When it ends, in seconds since 1970.
    pub end: u64,
    /// The issuer's certificates; empty for the owner.
    pub issuer: Chain,
    /// The fields that it has ranges of, ascending.
    pub fields: Vec<String>,
    /// One for each group, ascending.
    pub reaches: Vec<Reach>,
}

/// Under which right a query is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegated {
    /// The number of the right.
    pub right: u128,
    /// SHA-256 of the public keys of whoever asks.
    pub user: [u8; 32],
    /// When the right ends, in seconds since 1970.
    end: u64,
    reaches: Vec<(Group, Stamp, Epoch)>,
}

/// What a user asks of one group under a right: ranges of fields, by their positions in the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// A random number, which the parts of the answer name.
    pub id: u128,
    /// The position of the reach.
    pub reach: u32,
    /// Position of the field, lowest and highest ciphertext.
    pub ranges: Vec<(u32, i64, i64)>,
}

impl Right {
    /// What the issuer signs.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = envelope::of(Kind::Right, &self.owner);
        writer.raw(&self.schema).u128(self.id).raw(&self.user).raw(&self.verification);
        writer.u64(self.made).u64(self.end);
        self.issuer.write(&mut writer);
        writer.count(self.fields.len());
        self.fields.iter().for_each(|field| {
            writer.text(field);
        });
        writer.count(self.reaches.len());
        for Reach { group, stamp, readers, bounds } in &self.reaches {
            group.write(&mut writer);
            stamp.write(&mut writer);
            readers.write(&mut writer);
            bounds.iter().for_each(|&(low, high)| {
                writer.i64(low).i64(high);
            });
        }
        writer.0
    }

    /// Reads a right and verifies that the issuer it names signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no right, or a field or a group
    /// is not above the one before it, [`Error::TooMany`], [`Error::Signature`] if it is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Right)?;
        let (schema, id) = (reader.array()?, reader.u128()?);
        let (user, verification) = (reader.array()?, reader.array()?);
        let (made, end) = (reader.u64()?, reader.u64()?);
        let issuer = Chain::read(&mut reader)?;
        let mut fields: Vec<String> = Vec::new();
        for _ in 0..at_most(MOST_FIELDS, "fields of the right", reader.count(9)?)? {
            let field = reader.name()?.to_owned();
            if fields.last().is_some_and(|last| *last >= field) {
                return Err(reader.fault().into());
            }
            fields.push(field);
        }
        let mut reaches: Vec<Reach> = Vec::new();
        for _ in 0..at_most(MOST_TOKENS, "groups of the right", reader.count(58)?)? {
            let reach = Reach::read(&mut reader, fields.len())?;
            if reaches.last().is_some_and(|last| last.group >= reach.group) {
                return Err(reader.fault().into());
            }
            reaches.push(reach);
        }
        if fields.is_empty() || reaches.is_empty() {
            return Err(reader.fault().into());
        }
        envelope::close(reader, bytes, &owner, &issuer, None)?;
        Ok(Self { owner, schema, id, user, verification, made, end, issuer, fields, reaches })
    }

    /// The token that asks, in a group of the right, for what both the right and a user say.
    fn token(&self, asked: &Asked) -> Result<Token, Error> {
        let none = || Error::Scope { who: called(&self.user), what: "search there".to_owned() };
        let position = usize::try_from(asked.reach).ok();
        let reach = position.and_then(|at| self.reaches.get(at)).ok_or_else(none)?;
        let mut bounds = reach.bounds.clone();
        for &(field, low, high) in &asked.ranges {
            let position = usize::try_from(field).ok();
            let of = position.and_then(|at| bounds.get_mut(at)).ok_or_else(none)?;
            *of = (of.0.max(low), of.1.min(high));
        }
        let ranges = self.fields.iter().zip(bounds).map(|(field, (low, high))| {
            let field = field.clone();
            if low <= high { Ok(Predicate { field, low, high, slots: None }) } else { Err(none()) }
        });
        Ok(Token {
            id: asked.id,
            group: reach.group.clone(),
            stamp: reach.stamp,
            scope: Scope::Group,
            selection: Selection::Ranges(ranges.collect::<Result<_, _>>()?),
        })
    }
}

impl Reach {
    fn read(reader: &mut Reader<'_>, fields: usize) -> Result<Self, Error> {
        let (group, stamp) = (Group::read(reader)?, Stamp::read(reader)?);
        let readers = Epoch::read(reader)?;
        let mut bounds = Vec::new();
        for _ in 0..fields {
            let (low, high) = (reader.i64()?, reader.i64()?);
            if low < 0 || high < low {
                return Err(reader.fault().into());
            }
            bounds.push((low, high));
        }
        Ok(Self { group, stamp, readers, bounds })
    }
}

/// What a user signs who asks under a right.
pub(crate) fn query_under(
    owner: &Owner,
    right: &[u8],
    id: u128,
    expiry: u64,
    tokens: &[Asked],
) -> Vec<u8> {
    let mut writer = envelope::of(Kind::DelegatedQuery, owner);
    writer.bytes(right).u128(id).u64(expiry).count(tokens.len());
    for Asked { id, reach, ranges } in tokens {
        writer.u128(*id).u32(*reach).count(ranges.len());
        ranges.iter().for_each(|&(field, low, high)| {
            writer.u32(field).i64(low).i64(high);
        });
    }
    writer.0
}

/// Reads a query under a right, verifies both signatures, and has every range of the right hold of each of
/// its tokens.
///
/// # Errors
///
/// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are none, or a token or a range is not
/// above the one before it, those of [`Right::decode`], [`Error::OtherOwner`], [`Error::Signature`],
/// [`Error::Scope`] for a group or a field that is none of the right, or a range outside of its own.
pub(crate) fn decode_query(bytes: &[u8]) -> Result<Query, Error> {
    let (mut reader, owner) = envelope::open(bytes, Kind::DelegatedQuery)?;
    let right = Right::decode(reader.bytes()?)?;
    if right.owner != owner {
        return Err(Error::OtherOwner { what: Kind::Right.name() });
    }
    let (id, expiry) = (reader.u128()?, reader.u64()?);
    let (mut asked, mut ids): (Vec<Asked>, _) = (Vec::new(), HashSet::new());
    for _ in 0..at_most(MOST_TOKENS, "tokens of the query", reader.count(28)?)? {
        let token = Asked::read(&mut reader)?;
        let ascends = asked.last().is_none_or(|last| last.reach < token.reach);
        if !ascends || !ids.insert(token.id) {
            return Err(reader.fault().into());
        }
        asked.push(token);
    }
    let message = &bytes[..reader.position()];
    let signature: [u8; SIGNATURE_LEN] = reader.array()?;
    reader.end()?;
    verify(&right.verification, message, &signature, Kind::DelegatedQuery.name())?;
    let tokens = asked.iter().map(|asked| right.token(asked)).collect::<Result<_, _>>()?;
    let of = |reach: Reach| (reach.group, reach.stamp, reach.readers);
    let reaches = right.reaches.into_iter().map(of).collect();
    let Right { schema, id: number, user, end, issuer, .. } = right;
    let delegated = Some(Delegated { right: number, user, end, reaches });
    Ok(Query { owner, schema, id, expiry, issuer, tokens, delegated })
}

impl Asked {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (id, reach) = (reader.u128()?, reader.u32()?);
        let mut ranges: Vec<(u32, i64, i64)> = Vec::new();
        for _ in 0..at_most(MOST_FIELDS, "ranges of a token", reader.count(20)?)? {
            let (field, low, high) = (reader.u32()?, reader.i64()?, reader.i64()?);
            let ascends = ranges.last().is_none_or(|(last, ..)| *last < field);
            if !ascends || low < 0 || high < low {
                return Err(reader.fault().into());
            }
            ranges.push((field, low, high));
        }
        Ok(Self { id, reach, ranges })
    }
}

/// What a user is called where providers are called by their paths; no path begins like this.
fn called(user: &[u8; 32]) -> String {
    let mut name = "/user/".to_owned();
    for byte in user {
        // Writing to a text does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

impl Delegated {
    /// What the user is called where providers are called by their paths.
    #[must_use]
    pub fn called(&self) -> String {
        called(&self.user)
    }

    /// Checks that the right still holds, at a time in seconds since 1970, for a cloud that knows what the
    /// owner announced; who issued it must be in its epochs still.
    ///
    /// # Errors
    ///
    /// [`Error::Expired`], [`Error::Scope`] if the issuer may not search a group, [`Error::Fork`],
    /// [`Error::RightEnded`] if a group has other readers or another epoch since.
    pub(super) fn check(
        &self,
        issuer: &Chain,
        announced: &Announced,
        now: u64,
    ) -> Result<(), Error> {
        if now > self.end {
            return Err(Error::Expired { what: Kind::Right.name() });
        }
        let issuer = issuer.subject();
        let left =
            |authority: &dyn ToString| Error::RightEnded { authority: authority.to_string() };
        let (mut groups, mut names) = (HashSet::new(), HashSet::new());
        for (group, stamp, readers) in &self.reaches {
            let authority = &group.authority;
            if !issuer.is_above(authority) {
                let (who, what) = (issuer.to_string(), group.to_string());
                return Err(Error::Scope { who, what });
            }
            match announced.knows(authority, stamp) {
                // That others have joined since takes nothing from the right.
                Ok(()) | Err(Error::Behind { .. }) => {}
                Err(error) => return Err(error),
            }
            let last = announced.of(authority).and_then(|last| last.readers.last().copied());
            if last.unwrap_or_default() != *readers {
                return Err(left(authority));
            }
            groups.insert(group);
            names.insert(authority.names());
        }
        for last in announced.iter().filter(|last| names.contains(last.authority.names())) {
            let group = Group { authority: last.authority.clone(), epoch: last.epoch() };
            let has_members = last.members.iter().any(|member| member.last.is_none());
            if has_members && !groups.contains(&group) && announced.accepts(&last.authority).is_ok()
            {
                return Err(left(&last.authority));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
