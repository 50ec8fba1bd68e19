//! Query tokens: what a querier shows the cloud, and what the cloud checks before it looks.
//!
//! A token holds the bounds of a conjunction of ranges as ciphertexts, the group they are for, and
//! who may see what: the owner searches any group, a provider the groups of its subtree and, in its
//! own group, its own runs only. It is signed by its issuer and expires. It is a *bearer* token:
//! whoever has it can repeat the query until then.
//!
//! # Leakage
//!
//! The bounds to the cell, for every cloud and everyone who holds a ruler of the group; that two
//! queries have equal bounds; and, by the query's number, which tokens of other groups carry the
//! same bounds.

use crate::Error;
use crate::certificate::{Announcement, Chain, Owner, verify};
use crate::index::search::Predicate;
use crate::path::Group;
use crate::wire::{Reader, Writer};

const WHAT: &str = "the token";

/// Whose entries a token reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All entries of the group.
    Group,
    /// The issuer's own runs.
    Own,
}

/// A query of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The owner whose index is searched.
    pub owner: Owner,
    /// The digest of the schema that the fields are of.
    pub schema: [u8; 32],
    /// The group whose rulers made the bounds.
    pub group: Group,
    /// Whose entries are searched.
    pub scope: Scope,
    /// Ranges that must all hold; at least one.
    pub predicates: Vec<Predicate>,
    /// When the token ends, in seconds since 1970.
    pub expiry: u64,
    /// A random number of this token, for the audit log.
    pub id: u128,
    /// A random number that all tokens of one query share.
    pub query: u128,
    /// The issuer's certificates; empty for the owner.
    pub issuer: Chain,
}

impl Token {
    /// What the issuer signs.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = Writer::new(b"MOPSETOK");
        writer.raw(&self.owner.0).raw(&self.schema);
        self.group.write(&mut writer);
        writer.u8(match self.scope {
            Scope::Group => 0,
            Scope::Own => 1,
        });
        writer.count(self.predicates.len());
        for predicate in &self.predicates {
            writer.text(&predicate.field).i64(predicate.low).i64(predicate.high);
        }
        writer.u64(self.expiry).u128(self.id).u128(self.query);
        self.issuer.write(&mut writer);
        writer.0
    }

    /// Reads a token and verifies that the issuer it names signed it.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if the bytes are no token, [`Error::Signature`] if it is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, b"MOPSETOK", WHAT)?;
        let owner = Owner(reader.array()?);
        let schema = reader.array()?;
        let group = Group::read(&mut reader)?;
        let scope = match reader.u8()? {
            0 => Scope::Group,
            1 => Scope::Own,
            _ => return Err(reader.fault()),
        };
        let mut predicates = Vec::new();
        for _ in 0..reader.count(24)? {
            let field = reader.text()?.to_owned();
            let (low, high) = (reader.i64()?, reader.i64()?);
            if low < 0 || high < low {
                return Err(reader.fault());
            }
            predicates.push(Predicate { field, low, high });
        }
        if predicates.is_empty() {
            return Err(reader.fault());
        }
        let (expiry, id, query) = (reader.u64()?, reader.u128()?, reader.u128()?);
        let issuer = Chain::read(&mut reader)?;
        let message = &bytes[..reader.position()];
        let signature = reader.array()?;
        reader.end()?;
        verify(&issuer.verify(&owner)?, message, &signature, WHAT)?;
        Ok(Self { owner, schema, group, scope, predicates, expiry, id, query, issuer })
    }

    /// Checks that the token may be used at a time, in seconds since 1970, with an owner's
    /// announcement.
    ///
    /// # Errors
    ///
    /// [`Error::Expired`], [`Error::OtherOwner`], [`Error::OtherSchema`], or [`Error::Scope`] if the
    /// issuer may not search that group.
    pub fn check(&self, announcement: &Announcement, now: u64) -> Result<(), Error> {
        if self.owner != announcement.owner {
            return Err(Error::OtherOwner { what: WHAT });
        }
        if self.schema != announcement.schema {
            return Err(Error::OtherSchema { what: WHAT });
        }
        if now > self.expiry {
            return Err(Error::Expired);
        }
        let issuer = self.issuer.subject();
        let may = match self.scope {
            Scope::Group => issuer.holds(&self.group.authority),
            Scope::Own => Group::of(&issuer).is_some_and(|own| own == self.group),
        };
        if may {
            Ok(())
        } else {
            Err(Error::Scope { who: issuer.to_string(), what: self.group.to_string() })
        }
    }
}
