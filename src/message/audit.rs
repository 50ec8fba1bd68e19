//! What parties send to a cloud's audit log: statements of what was done elsewhere, and requests to read it.
//!
//! ```text
//! statement = letters || version || owner || number || what || digest || issuer || signature
//! request   = letters || version || owner || sizes seen || from || expiry || id || issuer || signature
//! ```
//!
//! A cloud sees uploads and searches by itself. That a grant was given, a request approved or a record
//! opened in an emergency it learns from whoever states it, by the digest of what was given: the log holds
//! no grant, no reason and no name of a record.
//!
//! Every party of an owner may ask for checkpoints, so that many can be witnesses. Entries are for the owner.
//!
//! # Leakage
//!
//! That something of a kind happened, when, and by whom it is stated; nothing of what it is about, to who does
//! not have it.

use super::Error;
use super::announcement::Announced;
use super::certificate::{Chain, Owner};
use super::envelope;
use super::limits::{MOST_SEEN, at_most};
use crate::wire::Kind;

/// What a statement says that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Stated {
    /// A grant was given.
    Grant = 1,
    /// A grant was taken back.
    Revocation = 2,
    /// Somebody asked for something.
    Request = 3,
    /// A request was approved.
    Approval = 4,
    /// A request was refused.
    Refusal = 5,
    /// A request was withdrawn by who made it.
    Withdrawal = 6,
    /// A key was released.
    Release = 7,
    /// Trustees opened something in an emergency.
    Emergency = 8,
}

impl Stated {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Grant,
        Self::Revocation,
        Self::Request,
        Self::Approval,
        Self::Refusal,
        Self::Withdrawal,
        Self::Release,
        Self::Emergency,
    ];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Revocation => "revocation",
            Self::Request => "request",
            Self::Approval => "approval",
            Self::Refusal => "refusal",
            Self::Withdrawal => "withdrawal",
            Self::Release => "release",
            Self::Emergency => "emergency",
        }
    }

    /// What has this number on the wire.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|stated| *stated as u8 == number)
    }
}

/// What a party states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Whose log it belongs in.
    pub owner: Owner,
    /// A random number.
    pub number: u128,
    /// What happened.
    pub what: Stated,
    /// SHA-256 of what it is about.
    pub digest: [u8; 32],
    /// The certificates of who states it; empty for the owner.
    pub issuer: Chain,
}

impl Statement {
    /// What the issuer signs.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = envelope::of(Kind::Statement, &self.owner);
        writer.u128(self.number).u8(self.what as u8).raw(&self.digest);
        self.issuer.write(&mut writer);
        writer.0
    }

    /// Reads a statement and verifies that the issuer it names signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are none, [`Error::Signature`] if it
    /// is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Statement)?;
        let number = reader.u128()?;
        let Some(what) = Stated::of(reader.u8()?) else { return Err(reader.fault().into()) };
        let digest = reader.array()?;
        let issuer = Chain::read(&mut reader)?;
        envelope::close(reader, bytes, &owner, &issuer, None)?;
        Ok(Self { owner, number, what, digest, issuer })
    }

    /// Checks that an owner's announcement admits its issuer.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOwner`], [`Error::Epoch`] if the issuer's keys are of an epoch that its group has left.
    pub fn check(&self, announced: &Announced) -> Result<(), Error> {
        announced.serves(Kind::Statement.name(), &self.owner)?;
        announced.accepts(&self.issuer.subject())
    }
}

/// A signed request to read an owner's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRequest {
    /// Whose log.
    pub owner: Owner,
    /// The sizes of checkpoints that the issuer has, ascending: the log is shown to go on from each.
    pub since: Vec<u64>,
    /// From which entry on entries are wanted; none if that is [`NO_ENTRIES`](Self::NO_ENTRIES).
    pub from: u64,
    /// When the request ends, in seconds since 1970.
    pub expiry: u64,
    /// A random number.
    pub id: u128,
    /// The issuer's certificates; empty for the owner.
    pub issuer: Chain,
}

impl AuditRequest {
    /// Stands where entries begin, if none are wanted.
    pub const NO_ENTRIES: u64 = u64::MAX;

    /// What the issuer signs.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = envelope::of(Kind::AuditRequest, &self.owner);
        writer.count(self.since.len());
        self.since.iter().for_each(|&size| {
            writer.u64(size);
        });
        writer.u64(self.from).u64(self.expiry).u128(self.id);
        self.issuer.write(&mut writer);
        writer.0
    }

    /// Reads a request and verifies that the issuer it names signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are none, [`Error::Signature`] if it
    /// is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::AuditRequest)?;
        let count = at_most(MOST_SEEN, "checkpoints of the request", reader.count(8)?)?;
        let mut since: Vec<u64> = Vec::with_capacity(count);
        for _ in 0..count {
            let size = reader.u64()?;
            if since.last().is_some_and(|&last| last >= size) {
                return Err(reader.fault().into());
            }
            since.push(size);
        }
        let (from, expiry) = (reader.u64()?, reader.u64()?);
        let id = reader.u128()?;
        let issuer = Chain::read(&mut reader)?;
        envelope::close(reader, bytes, &owner, &issuer, None)?;
        Ok(Self { owner, since, from, expiry, id, issuer })
    }

    /// Checks that the request may be made at a time, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Error::Expired`], [`Error::OtherOwner`], [`Error::Epoch`] if the issuer's keys are of an epoch that
    /// its group has left, [`Error::Scope`] if anybody but the owner asks for entries.
    pub fn check(&self, announced: &Announced, now: u64) -> Result<(), Error> {
        let what = Kind::AuditRequest.name();
        announced.serves(what, &self.owner)?;
        if now > self.expiry {
            return Err(Error::Expired { what });
        }
        let issuer = self.issuer.subject();
        announced.accepts(&issuer)?;
        if self.from == Self::NO_ENTRIES || self.issuer.0.is_empty() {
            return Ok(());
        }
        Err(Error::Scope { who: issuer.to_string(), what: "entries of the audit log".to_owned() })
    }
}
