//! With whom a keyring has shared what: a grant for one user, and what is needed to give it anew.
//!
//! ```text
//! shared = head || grant || signature
//! head   = owner || user || schema || portions || proven fields
//! ```
//!
//! What a user is given holds the schema too, signed by whoever gave the grant, so that a user needs
//! nothing else from the owner. It is secret, and travels sealed to the user: see
//! [`sharing`](crate::sharing). How it is taken back: see [`leaving`](super::leaving).
//!
//! Each entry says for which readers' epochs it was given, and which one began when it was taken back. A
//! keyring from a backup, which has caught up with epochs that it did not begin, so gives nobody anything
//! anew who may have left meanwhile; and what it took back itself is not, where no cloud ever knew.
//!
//! # Cost
//!
//! Of a user and a provider, a key for each portion, or for each record and portion where records are
//! named; no public-key work for any record.
//!
//! # Leakage
//!
//! A keyring file holds who was given what, under its password.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::Error;
use super::grants::{Grant, Share};
use super::keyring::Keyring;
use super::records::Ids;
use super::rights::GivenRight;
use super::saved::{portions, write_portions};
use crate::message::certificate::Owner;
use crate::message::place::{Epoch, Node};
use crate::message::signature::verify;
use crate::schema::Schema;
use crate::wire::{self, Blobs, Buffer, Kind, Reader, SecretWriter, Writer};

/// SHA-256 of a user's public keys, which names it.
pub type UserName = [u8; 32];

/// Ids of records, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptIds {
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Texts.
    Texts(Blobs),
}

impl KeptIds {
    /// Keeps ids of a table.
    ///
    /// # Errors
    ///
    /// [`wire::Error`] if the texts are malformed, [`Error::OneAmendment`] if they are of amendments.
    pub fn of(ids: Ids<'_>) -> Result<Self, Error> {
        Ok(match ids {
            Ids::Integers(ids) => Self::Integers(ids.to_vec()),
            Ids::Texts(texts) => {
                Self::Texts(Blobs::new(texts.ends().to_vec(), texts.bytes().to_vec())?)
            }
            Ids::Amending(_) => return Err(Error::OneAmendment),
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.borrowed().count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn borrowed(&self) -> Ids<'_> {
        match self {
            Self::Integers(ids) => Ids::Integers(ids),
            Self::Texts(texts) => Ids::Texts(texts),
        }
    }

    fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        match self {
            Self::Integers(ids) => {
                writer.u8(1).count(ids.len());
                ids.iter().for_each(|&id| {
                    writer.i64(id);
                });
            }
            Self::Texts(texts) => {
                writer.u8(2).count(texts.len());
                (0..texts.len()).for_each(|row| {
                    writer.bytes(texts.get(row));
                });
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, Error> {
        Ok(match reader.u8()? {
            0 => None,
            1 => {
                let ids = (0..reader.count(8)?).map(|_| reader.i64());
                Some(Self::Integers(ids.collect::<Result<_, wire::Error>>()?))
            }
            2 => {
                let (mut ends, mut bytes) = (Vec::new(), Vec::new());
                for _ in 0..reader.count(8)? {
                    bytes.extend_from_slice(reader.text()?.as_bytes());
                    ends.push(bytes.len() as u64);
                }
                Some(Self::Texts(Blobs::new(ends, bytes)?))
            }
            _ => return Err(reader.fault().into()),
        })
    }
}

/// What is shared: records of a provider, and which portions of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The provider's path.
    pub provider: String,
    /// Which records; all if there are none.
    pub ids: Option<KeptIds>,
    /// Which portions, as in [`Share`].
    pub portions: Option<Vec<String>>,
    /// When it ends, in seconds since 1970.
    pub end: u64,
}

impl Scope {
    pub(crate) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.text(&self.provider).u64(self.end);
        match &self.ids {
            None => {
                writer.u8(0);
            }
            Some(ids) => ids.write(writer),
        }
        match &self.portions {
            None => {
                writer.u8(0);
            }
            Some(portions) => {
                writer.u8(1).count(portions.len());
                portions.iter().for_each(|name| {
                    writer.text(name);
                });
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (provider, end) = (reader.text()?.to_owned(), reader.u64()?);
        let ids = KeptIds::read(reader)?;
        let portions = match reader.u8()? {
            0 => None,
            1 => {
                let names = (0..reader.count(8)?).map(|_| Ok(reader.text()?.to_owned()));
                Some(names.collect::<Result<_, wire::Error>>()?)
            }
            _ => return Err(reader.fault().into()),
        };
        Ok(Self { provider, ids, portions, end })
    }
}

/// What was given, and for which readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenScope {
    /// What was given.
    pub scope: Scope,
    /// Where the provider was, in its epochs, when it was given last.
    pub place: Node,
    /// The readers' epochs that it was given for, ascending.
    pub readers: Vec<Epoch>,
    /// The readers' epoch that began when it was taken back. Where a cloud never took that one, and the
    /// keyring has caught up with another, it is not taken back.
    pub left: Option<Epoch>,
    /// The team that it was given to the user as a member of.
    pub team: Option<String>,
    /// Whether it was taken back by a suspension, and returns when that is lifted.
    pub is_held: bool,
}

impl GivenScope {
    pub(super) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        self.scope.write(writer);
        self.place.write(writer);
        writer.count(self.readers.len());
        self.readers.iter().for_each(|readers| readers.write(writer));
        match &self.left {
            None => {
                writer.u8(0);
            }
            Some(left) => {
                writer.u8(1);
                left.write(writer);
            }
        }
        writer.text(self.team.as_deref().unwrap_or_default()).u8(self.is_held.into());
    }

    pub(super) fn read(reader: &mut Reader<'_>, version: u8) -> Result<Self, Error> {
        let (scope, place) = (Scope::read(reader)?, Node::read(reader)?);
        let readers = (0..reader.count(5)?).map(|_| Epoch::read(reader));
        let readers = readers.collect::<Result<_, _>>()?;
        let left = match reader.u8()? {
            0 => None,
            1 => Some(Epoch::read(reader)?),
            _ => return Err(reader.fault().into()),
        };
        let (team, is_held) = match version {
            ..8 => (None, false),
            _ => (Some(reader.text()?.to_owned()), reader.bool()?),
        };
        let team = team.filter(|name| !name.is_empty());
        Ok(Self { scope, place, readers, left, team, is_held })
    }
}

/// Whether a user may be given anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// It may.
    #[default]
    Active = 0,
    /// Not until its suspension is lifted.
    Suspended = 1,
    /// Never again.
    Revoked = 2,
}

impl Status {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        match reader.u8()? {
            0 => Ok(Self::Active),
            1 => Ok(Self::Suspended),
            2 => Ok(Self::Revoked),
            _ => Err(reader.fault()),
        }
    }
}

/// A user, and what it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    /// Its public keys, as they came.
    pub public: Vec<u8>,
    /// What it was given, in the order that it was.
    pub scopes: Vec<GivenScope>,
    /// What it may search.
    pub rights: Vec<GivenRight>,
    /// Whether it may be given more.
    pub status: Status,
}

/// Everybody with whom a keyring shares something, by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Shares(pub(super) BTreeMap<UserName, Shared>);

impl Shares {
    pub(super) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.count(self.0.len());
        for (user, shared) in &self.0 {
            writer.raw(user).bytes(&shared.public).count(shared.scopes.len());
            shared.scopes.iter().for_each(|scope| scope.write(writer));
            writer.count(shared.rights.len());
            shared.rights.iter().for_each(|right| right.write(writer));
            writer.u8(shared.status as u8);
        }
    }

    /// Reads what [`write`](Self::write) wrote, or what keyrings of an earlier version hold.
    pub(super) fn read(reader: &mut Reader<'_>, version: u8) -> Result<Self, Error> {
        let mut shares = BTreeMap::new();
        for _ in 0..reader.count(48)? {
            let (user, public) = (reader.array()?, reader.bytes()?.to_vec());
            let scopes = (0..reader.count(43)?).map(|_| GivenScope::read(reader, version));
            let scopes = scopes.collect::<Result<_, Error>>()?;
            // Before version 7 nobody could be let search, and before 8 nobody be suspended.
            let rights = if version < 7 { 0 } else { reader.count(50)? };
            let rights = (0..rights).map(|_| GivenRight::read(reader, version));
            let rights = rights.collect::<Result<_, Error>>()?;
            let status = if version < 8 { Status::Active } else { Status::read(reader)? };
            shares.insert(user, Shared { public, scopes, rights, status });
        }
        Ok(Self(shares))
    }
}

impl Keyring {
    /// Remembers that a user was given something, by itself or as a member of a team.
    ///
    /// # Errors
    ///
    /// Those of [`find`](Self::find).
    pub(crate) fn note_share(
        &mut self,
        user: UserName,
        public: &[u8],
        scope: Scope,
        team: Option<&str>,
    ) -> Result<(), Error> {
        let place = self.find(&scope.provider)?;
        let (readers, team) = (self.readers_of(&place), team.map(str::to_owned));
        let shared = self.shares.0.entry(user).or_default();
        shared.public = public.to_vec();
        shared.scopes.retain(|given| given.scope != scope || given.team != team);
        let given = GivenScope { scope, place, readers, left: None, team, is_held: false };
        shared.scopes.push(given);
        Ok(())
    }

    /// Refuses a user that may not be given anything.
    ///
    /// # Errors
    ///
    /// [`Error::Suspended`], [`Error::RevokedUser`].
    pub(super) fn check_active(&self, user: &UserName) -> Result<(), Error> {
        match self.shares.0.get(user).map(|shared| shared.status).unwrap_or_default() {
            Status::Active => Ok(()),
            Status::Suspended => Err(Error::Suspended),
            Status::Revoked => Err(Error::RevokedUser),
        }
    }

    /// Everybody with whom something is shared, and what of it is; with whether it opens what is sealed now.
    #[must_use]
    pub fn shared(&self) -> Vec<(UserName, Vec<(&GivenScope, bool)>)> {
        let mut all = Vec::new();
        for (name, shared) in &self.shares.0 {
            let kept = shared.scopes.iter().filter(|given| !self.is_taken_back(given));
            let scopes: Vec<_> = kept.map(|given| (given, self.is_current(given))).collect();
            if !scopes.is_empty() {
                all.push((*name, scopes));
            }
        }
        all
    }

    /// The readers' epoch that a provider seals in now; `None` if there is no such provider any more.
    pub(super) fn sealing_for(&self, given: &GivenScope) -> Option<Epoch> {
        let provider = self.find(&given.scope.provider).ok()?;
        self.readers_of(&provider).last().copied()
    }

    /// Whether something was taken back, in a readers' epoch that there is.
    pub(super) fn is_taken_back(&self, given: &GivenScope) -> bool {
        let (Some(left), Ok(provider)) = (&given.left, self.find(&given.scope.provider)) else {
            return false;
        };
        self.readers_of(&provider).contains(left)
    }

    /// Whether what was given opens what is sealed now, and is not taken back.
    #[must_use]
    pub fn is_current(&self, given: &GivenScope) -> bool {
        let is_there = self.find(&given.scope.provider).is_ok_and(|place| place == given.place);
        is_there
            && !self.is_taken_back(given)
            && self.sealing_for(given).is_some_and(|readers| given.readers.contains(&readers))
    }

    /// The node whose readers' epoch a provider seals in, if it is this one or below it.
    pub(super) fn authority_of(&self, provider: &Node) -> Result<Node, Error> {
        match provider.parent() {
            Some((authority, _)) if self.node.holds(&authority) => Ok(authority),
            _ => Err(self.out_of_reach(format!("renew the readers of {provider}"))),
        }
    }

    /// What a user is given, in the clear: secret, to be sealed to the user.
    ///
    /// # Errors
    ///
    /// [`Error::Suspended`], [`Error::RevokedUser`], those of [`find`](Self::find) and
    /// [`grant`](Self::grant).
    pub(crate) fn given(
        &self,
        user: &UserName,
        scope: &Scope,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.check_active(user)?;
        let ids = scope.ids.as_ref().map(KeptIds::borrowed);
        let portions = scope.portions.as_deref();
        let share = Share { ids, portions, holder: user, end: scope.end };
        let grant = self.grant(&self.find(&scope.provider)?, &share)?;
        let mut writer = self.headed(Kind::Shared, user);
        writer.bytes(&grant);
        let mut message = writer.0;
        let signature = self.sign(&message);
        message.append(&signature);
        Ok(message)
    }

    /// What begins with how the owner's records lie in tables, for a user.
    pub(super) fn headed(&self, kind: Kind, user: &UserName) -> SecretWriter {
        let mut writer = Writer::secret(kind);
        writer.raw(&self.owner.0).raw(user).bytes(&self.schema.encode());
        write_portions(&mut writer, &self.portions);
        writer.count(self.proven.len());
        self.proven.iter().for_each(|field| {
            writer.text(field);
        });
        writer
    }
}

/// Whose records a user is given something of, and how they lie in tables.
#[derive(Debug)]
pub struct Head {
    /// The owner.
    pub owner: Owner,
    /// The user's name.
    pub user: UserName,
    /// The owner's fields.
    pub schema: Schema,
    /// The portions that tables lie in.
    pub portions: Vec<(String, Vec<String>)>,
    /// The fields whose answers can be proven by sums.
    pub proven: Vec<String>,
}

impl Head {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (owner, user) = (Owner(reader.array()?), reader.array::<32>()?);
        let schema = Schema::decode(reader.bytes()?)?;
        let portions = portions(reader)?;
        let proven = (0..reader.count(8)?).map(|_| Ok(reader.text()?.to_owned()));
        let proven: Vec<String> = proven.collect::<Result<_, wire::Error>>()?;
        if proven.iter().any(|name| schema.field(name).is_none()) {
            return Err(reader.fault().into());
        }
        Ok(Self { owner, user, schema, portions, proven })
    }
}

/// What a user was given, read.
#[derive(Debug)]
pub struct Given {
    /// Whose records, and how they lie in tables.
    pub head: Head,
    /// What opens records.
    pub grant: Grant,
}

impl Given {
    /// Reads what a user was given, and verifies that whoever gave the grant gave the rest too.
    ///
    /// # Errors
    ///
    /// [`wire::Error`] if the bytes are none, [`Error::OtherUser`] if it is somebody else's,
    /// [`message::Error::Signature`](crate::message::Error::Signature) if it is forged, those of
    /// [`Grant::decode`].
    pub fn decode(bytes: &[u8], user: &UserName) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Shared)?;
        let head = Head::read(&mut reader)?;
        let grant = Grant::decode(reader.bytes()?)?;
        let message = &bytes[..reader.position()];
        let signature = reader.array()?;
        reader.end()?;
        verify(&grant.issuer.verify(&head.owner)?, message, &signature, Kind::Shared.name())?;
        if head.user != *user || grant.holder != *user || grant.owner != head.owner {
            return Err(Error::OtherUser);
        }
        Ok(Self { head, grant })
    }
}
