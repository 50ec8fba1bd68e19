//! With whom a keyring has shared what: a grant for one user, and what is needed to give it anew.
//!
//! ```text
//! shared = head || grant || signature
//! head   = owner || user || schema || portions || proven fields
//! ```
//!
//! What a user is given holds the schema too, signed by whoever gave the grant, so that a user needs
//! nothing else from the owner. It is secret, and travels sealed to the user: see
//! [`sharing`](crate::sharing). When a reader leaves, the readers' epoch advances and everybody who stays
//! is given the same anew: what they have opens nothing that is sealed from then on.
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

use std::collections::{BTreeMap, BTreeSet};

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
}

impl GivenScope {
    fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
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
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (scope, place) = (Scope::read(reader)?, Node::read(reader)?);
        let readers = (0..reader.count(5)?).map(|_| Epoch::read(reader));
        let readers = readers.collect::<Result<_, _>>()?;
        let left = match reader.u8()? {
            0 => None,
            1 => Some(Epoch::read(reader)?),
            _ => return Err(reader.fault().into()),
        };
        Ok(Self { scope, place, readers, left })
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
        }
    }

    /// Reads what [`write`](Self::write) wrote, or what was written before there were rights.
    pub(super) fn read(reader: &mut Reader<'_>, has_rights: bool) -> Result<Self, Error> {
        let mut shares = BTreeMap::new();
        for _ in 0..reader.count(48)? {
            let (user, public) = (reader.array()?, reader.bytes()?.to_vec());
            let scopes = (0..reader.count(43)?).map(|_| GivenScope::read(reader));
            let scopes = scopes.collect::<Result<_, Error>>()?;
            let rights = if has_rights { reader.count(50)? } else { 0 };
            let rights = (0..rights).map(|_| GivenRight::read(reader));
            let rights = rights.collect::<Result<_, Error>>()?;
            shares.insert(user, Shared { public, scopes, rights });
        }
        Ok(Self(shares))
    }
}

/// What somebody who stays is given anew, as it is sealed to it.
#[derive(Debug)]
pub struct Renewed {
    /// The public keys of the user.
    pub public: Vec<u8>,
    /// What it is given, in the clear.
    pub given: Vec<Zeroizing<Vec<u8>>>,
}

impl Renewed {
    /// Adds what a user is given.
    fn add(all: &mut Vec<Self>, public: &[u8], given: Zeroizing<Vec<u8>>) {
        match all.iter_mut().find(|of| of.public == public) {
            Some(of) => of.given.push(given),
            None => all.push(Self { public: public.to_vec(), given: vec![given] }),
        }
    }
}

impl Keyring {
    /// Remembers that a user was given something.
    ///
    /// # Errors
    ///
    /// Those of [`find`](Self::find).
    pub(crate) fn note_share(
        &mut self,
        user: UserName,
        public: &[u8],
        scope: Scope,
    ) -> Result<(), Error> {
        let place = self.find(&scope.provider)?;
        let readers = self.readers_of(&place);
        let shared = self.shares.0.entry(user).or_default();
        shared.public = public.to_vec();
        shared.scopes.retain(|given| given.scope != scope);
        shared.scopes.push(GivenScope { scope, place, readers, left: None });
        Ok(())
    }

    /// Takes back what a user was given: begins new readers' epochs wherever that was, and gives everybody else
    /// who was given something there the same anew, as far as it has not ended, at a time in seconds since 1970,
    /// and as far as what they have is for the readers of now. Of a user who has left already, that alone.
    ///
    /// # Errors
    ///
    /// [`Error::NotShared`] if the user was given nothing to open or to search, [`message::Error::Scope`](crate::message::Error::Scope)
    /// if a provider's readers are somebody else's to renew, those of [`grant`](Self::grant) and
    /// [`renew_readers`](Self::renew_readers).
    pub fn unshare(&mut self, user: &UserName, now: u64) -> Result<Vec<Renewed>, Error> {
        let leaver = self.shares.0.get(user).ok_or(Error::NotShared)?.clone();
        let (mut ends, mut left) = (BTreeSet::new(), BTreeSet::new());
        for given in &leaver.scopes {
            // Whoever was revoked since has no readers any more.
            if let Ok(provider) = self.find(&given.scope.provider) {
                let authority = self.authority_of(&provider)?;
                let of = if self.is_taken_back(given) { &mut left } else { &mut ends };
                of.insert(authority);
            }
        }
        for (authority, is_ended) in self.authorities_of_rights(user) {
            let of = if is_ended { &mut left } else { &mut ends };
            of.insert(authority);
        }
        let rights = self.rights_staying(user, &ends.union(&left).cloned().collect(), now);
        // Who stays has what is for the readers of now, and is given it for those of afterwards.
        let mut staying: Vec<(UserName, usize)> = Vec::new();
        for (name, shared) in self.shares.0.iter().filter(|(name, _)| *name != user) {
            for (at, given) in shared.scopes.iter().enumerate() {
                let Ok(provider) = self.find(&given.scope.provider) else { continue };
                let Ok(authority) = self.authority_of(&provider) else { continue };
                let is_there = ends.contains(&authority) || left.contains(&authority);
                if is_there && given.scope.end >= now && self.is_current(given) {
                    staying.push((*name, at));
                }
            }
        }
        for authority in &ends {
            let below = authority.names().get(self.node.names().len()..).unwrap_or_default();
            let path: Vec<&str> = below.iter().map(String::as_str).collect();
            self.renew_readers(&path)?;
        }
        let mut scopes = leaver.scopes;
        for given in &mut scopes {
            if !self.is_taken_back(given) {
                given.left = self.sealing_for(given);
            }
        }
        // What nobody has readers of is forgotten.
        scopes.retain(|given| given.left.is_some());
        self.shares.0.insert(*user, Shared { scopes, ..leaver });
        self.end_rights(user);
        let mut renewed: Vec<Renewed> = Vec::new();
        for (name, at) in staying {
            let Some(shared) = self.shares.0.get(&name) else { continue };
            let scope = shared.scopes[at].scope.clone();
            let given = self.given(&name, &scope)?;
            let readers = self.readers_of(&self.find(&scope.provider)?);
            let Some(shared) = self.shares.0.get_mut(&name) else { continue };
            shared.scopes[at].readers.extend(readers);
            shared.scopes[at].readers.sort_unstable();
            shared.scopes[at].readers.dedup();
            Renewed::add(&mut renewed, &shared.public, given);
        }
        for (name, id) in rights {
            if let Some((public, given)) = self.renew_right(&name, id, now)? {
                Renewed::add(&mut renewed, &public, given);
            }
        }
        Ok(renewed)
    }

    /// Everybody with whom something is shared, and what of it is; with whether it opens what is sealed now.
    #[must_use]
    pub fn shared(&self) -> Vec<(UserName, Vec<(&Scope, bool)>)> {
        let mut all = Vec::new();
        for (name, shared) in &self.shares.0 {
            let kept = shared.scopes.iter().filter(|given| !self.is_taken_back(given));
            let scopes: Vec<_> = kept.map(|given| (&given.scope, self.is_current(given))).collect();
            if !scopes.is_empty() {
                all.push((*name, scopes));
            }
        }
        all
    }

    /// The readers' epoch that a provider seals in now; `None` if there is no such provider any more.
    fn sealing_for(&self, given: &GivenScope) -> Option<Epoch> {
        let provider = self.find(&given.scope.provider).ok()?;
        self.readers_of(&provider).last().copied()
    }

    /// Whether something was taken back, in a readers' epoch that there is.
    fn is_taken_back(&self, given: &GivenScope) -> bool {
        let (Some(left), Ok(provider)) = (&given.left, self.find(&given.scope.provider)) else {
            return false;
        };
        self.readers_of(&provider).contains(left)
    }

    /// Whether what was given opens what is sealed now, and is not taken back.
    fn is_current(&self, given: &GivenScope) -> bool {
        let is_there = self.find(&given.scope.provider).is_ok_and(|place| place == given.place);
        is_there
            && !self.is_taken_back(given)
            && self.sealing_for(given).is_some_and(|readers| given.readers.contains(&readers))
    }

    /// The node whose readers' epoch a provider seals in, if it is this one or below it.
    fn authority_of(&self, provider: &Node) -> Result<Node, Error> {
        match provider.parent() {
            Some((authority, _)) if self.node.holds(&authority) => Ok(authority),
            _ => Err(self.out_of_reach(format!("renew the readers of {provider}"))),
        }
    }

    /// What a user is given, in the clear: secret, to be sealed to the user.
    ///
    /// # Errors
    ///
    /// Those of [`find`](Self::find) and [`grant`](Self::grant).
    pub(crate) fn given(
        &self,
        user: &UserName,
        scope: &Scope,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
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
