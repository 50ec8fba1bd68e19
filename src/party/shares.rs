//! With whom a keyring has shared what: a grant for one user, and what is needed to give it anew.
//!
//! ```text
//! shared = owner || user || schema || portions || proven fields || grant || signature
//! ```
//!
//! What a user is given holds the schema too, signed by whoever gave the grant, so that a user needs
//! nothing else from the owner. It is secret, and travels sealed to the user: see
//! [`sharing`](crate::sharing). When a reader leaves, the readers' epoch advances and everybody who stays
//! is given the same anew: what they have opens nothing that is sealed from then on.
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
use super::saved::{portions, write_portions};
use crate::message::certificate::Owner;
use crate::message::place::Node;
use crate::message::signature::verify;
use crate::schema::Schema;
use crate::wire::{self, Blobs, Buffer, Kind, Reader, Writer};

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
    /// [`wire::Error`] if the texts are malformed.
    pub fn of(ids: Ids<'_>) -> Result<Self, Error> {
        Ok(match ids {
            Ids::Integers(ids) => Self::Integers(ids.to_vec()),
            Ids::Texts(texts) => {
                Self::Texts(Blobs::new(texts.ends().to_vec(), texts.bytes().to_vec())?)
            }
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
    fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
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

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
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

/// A user, and what it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    /// Its public keys, as they came.
    pub public: Vec<u8>,
    /// What it was given, in the order that it was.
    pub scopes: Vec<Scope>,
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
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut shares = BTreeMap::new();
        for _ in 0..reader.count(48)? {
            let (user, public) = (reader.array()?, reader.bytes()?.to_vec());
            let scopes = (0..reader.count(18)?).map(|_| Scope::read(reader));
            let scopes = scopes.collect::<Result<_, Error>>()?;
            shares.insert(user, Shared { public, scopes });
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

impl Keyring {
    /// Remembers that a user was given something.
    pub(crate) fn note_share(&mut self, user: UserName, public: &[u8], scope: Scope) {
        let shared = self.shares.0.entry(user).or_default();
        shared.public = public.to_vec();
        if !shared.scopes.contains(&scope) {
            shared.scopes.push(scope);
        }
    }

    /// Takes back what a user was given: begins new readers' epochs wherever that was, and gives everybody else
    /// who was given something there the same anew, as far as it has not ended, at a time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Error::NotShared`] if the user was given nothing, [`message::Error::Scope`](crate::message::Error::Scope)
    /// if a provider's readers are somebody else's to renew, those of [`grant`](Self::grant) and
    /// [`renew_readers`](Self::renew_readers).
    pub fn unshare(&mut self, user: &UserName, now: u64) -> Result<Vec<Renewed>, Error> {
        let leaver = self.shares.0.get(user).ok_or(Error::NotShared)?;
        let mut authorities = BTreeSet::new();
        for scope in &leaver.scopes {
            // Whoever was revoked since has no readers any more.
            if let Ok(provider) = self.find(&scope.provider) {
                authorities.insert(self.authority_of(&provider)?);
            }
        }
        for authority in &authorities {
            let below = authority.names().get(self.node.names().len()..).unwrap_or_default();
            let path: Vec<&str> = below.iter().map(String::as_str).collect();
            self.renew_readers(&path)?;
        }
        self.shares.0.remove(user);
        let is_renewed = |scope: &Scope| {
            self.find(&scope.provider).is_ok_and(|provider| {
                self.authority_of(&provider).is_ok_and(|above| authorities.contains(&above))
            })
        };
        let mut renewed = Vec::new();
        for (user, shared) in &self.shares.0 {
            let scopes = shared.scopes.iter().filter(|scope| scope.end >= now);
            let given = scopes.filter(|scope| is_renewed(scope));
            let given =
                given.map(|scope| self.given(user, scope)).collect::<Result<Vec<_>, _>>()?;
            if !given.is_empty() {
                renewed.push(Renewed { public: shared.public.clone(), given });
            }
        }
        Ok(renewed)
    }

    /// Everybody with whom something is shared.
    pub fn shared(&self) -> impl Iterator<Item = (&UserName, &Shared)> {
        self.shares.0.iter()
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
        let mut writer = Writer::secret(Kind::Shared);
        writer.raw(&self.owner.0).raw(user).bytes(&self.schema.encode());
        write_portions(&mut writer, &self.portions);
        writer.count(self.proven.len());
        self.proven.iter().for_each(|field| {
            writer.text(field);
        });
        writer.bytes(&grant);
        let mut message = writer.0;
        let signature = self.sign(&message);
        message.append(&signature);
        Ok(message)
    }
}

/// What a user was given, read.
#[derive(Debug)]
pub struct Given {
    /// The owner.
    pub owner: Owner,
    /// The owner's fields.
    pub schema: Schema,
    /// The portions that tables lie in.
    pub portions: Vec<(String, Vec<String>)>,
    /// The fields whose answers can be proven by sums.
    pub proven: Vec<String>,
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
        let (owner, named) = (Owner(reader.array()?), reader.array::<32>()?);
        let schema = Schema::decode(reader.bytes()?)?;
        let portions = portions(&mut reader)?;
        let proven = (0..reader.count(8)?).map(|_| Ok(reader.text()?.to_owned()));
        let proven: Vec<String> = proven.collect::<Result<_, wire::Error>>()?;
        if proven.iter().any(|name| schema.field(name).is_none()) {
            return Err(reader.fault().into());
        }
        let grant = Grant::decode(reader.bytes()?)?;
        let message = &bytes[..reader.position()];
        let signature = reader.array()?;
        reader.end()?;
        verify(&grant.issuer.verify(&owner)?, message, &signature, Kind::Shared.name())?;
        if named != *user || grant.holder != *user || grant.owner != owner {
            return Err(Error::OtherUser);
        }
        Ok(Self { owner, schema, portions, proven, grant })
    }
}
