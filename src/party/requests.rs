//! Requests for access that a keyring was sent, and what became of them.
//!
//! A request is asked once and decided once: by its number, which is random, and its digest, which a
//! decision names. What was decided stays listed until it is forgotten. They travel sealed: see
//! [`sharing::request`](crate::sharing::request).
//!
//! # Leakage
//!
//! A keyring file holds who asked for what and why, under its password.

use std::collections::BTreeMap;

use super::Error;
use super::keyring::Keyring;
use super::shares::{Scope, UserName};
use crate::keys::{Key, Purpose};
use crate::wire::{Buffer, Reader, Writer};

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing yet; once its time has run out, nothing any more.
    Open,
    /// It was approved, at a time in seconds since 1970.
    Approved(u64),
    /// It was refused, and why.
    Refused(u64, String),
    /// Whoever made it has withdrawn it.
    Withdrawn(u64),
}

impl State {
    /// The word for it, at a time in seconds since 1970, of a request that ends at another.
    #[must_use]
    pub fn word(&self, expiry: u64, now: u64) -> &'static str {
        match self {
            Self::Open if now > expiry => "run out",
            Self::Open => "open",
            Self::Approved(_) => "approved",
            Self::Refused(..) => "refused",
            Self::Withdrawn(_) => "withdrawn",
        }
    }

    /// Whether a request that ends at a time can be decided at another.
    #[must_use]
    pub fn is_open(&self, expiry: u64, now: u64) -> bool {
        *self == Self::Open && now <= expiry
    }

    /// When it was decided, and why.
    #[must_use]
    pub fn decided(&self) -> (Option<u64>, Option<&str>) {
        match self {
            Self::Open => (None, None),
            Self::Approved(time) | Self::Withdrawn(time) => (Some(*time), None),
            Self::Refused(time, reason) => (Some(*time), Some(reason)),
        }
    }

    pub(crate) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        match self {
            Self::Open => writer.u8(0),
            Self::Approved(time) => writer.u8(1).u64(*time),
            Self::Refused(time, reason) => writer.u8(2).u64(*time).text(reason),
            Self::Withdrawn(time) => writer.u8(3).u64(*time),
        };
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(match reader.u8()? {
            0 => Self::Open,
            1 => Self::Approved(reader.u64()?),
            2 => Self::Refused(reader.u64()?, reader.text()?.to_owned()),
            3 => Self::Withdrawn(reader.u64()?),
            _ => return Err(reader.fault().into()),
        })
    }
}

/// A request for access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Who asks.
    pub user: UserName,
    /// Its public keys.
    pub public: Vec<u8>,
    /// What is asked for.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// When it was made, in seconds since 1970 by the clock of who asks.
    pub time: u64,
    /// When it runs out.
    pub expiry: u64,
    /// What stands for it.
    pub digest: [u8; 32],
    /// What became of it.
    pub state: State,
}

/// All requests that a keyring was sent, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Requests(BTreeMap<u128, Asked>);

impl Requests {
    pub(super) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.count(self.0.len());
        for (number, asked) in &self.0 {
            writer.u128(*number).raw(&asked.user).bytes(&asked.public);
            asked.scope.write(writer);
            writer.text(&asked.reason).u64(asked.time).u64(asked.expiry).raw(&asked.digest);
            asked.state.write(writer);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut requests = BTreeMap::new();
        for _ in 0..reader.count(16)? {
            let number = reader.u128()?;
            let (user, public) = (reader.array()?, reader.bytes()?.to_vec());
            let scope = Scope::read(reader)?;
            let (reason, time, expiry) = (reader.text()?.to_owned(), reader.u64()?, reader.u64()?);
            let (digest, state) = (reader.array()?, State::read(reader)?);
            let asked = Asked { user, public, scope, reason, time, expiry, digest, state };
            if requests.insert(number, asked).is_some() {
                return Err(reader.fault().into());
            }
        }
        Ok(Self(requests))
    }
}

impl Keyring {
    /// What the key pair of an address is made of.
    pub(crate) fn address_material(&self, label: &[u8]) -> Key {
        self.key.child(Purpose::Encapsulation, label, 0)
    }

    /// Remembers a request; one that is known already stays as it is.
    ///
    /// # Errors
    ///
    /// Those of [`find`](Self::find) if there is no such provider in reach, [`Error::OtherRequest`] if another
    /// one had this number.
    pub(crate) fn note_request(&mut self, number: u128, asked: Asked) -> Result<(), Error> {
        self.find(&asked.scope.provider)?;
        match self.requests.0.get(&number) {
            Some(known) if known.digest != asked.digest => Err(Error::OtherRequest),
            Some(_) => Ok(()),
            None => {
                self.requests.0.insert(number, asked);
                Ok(())
            }
        }
    }

    /// A request that nothing became of yet, at a time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Error::NoRequest`] if there is none of this number, [`Error::Decided`] if something became of it.
    pub(crate) fn open_request(&self, number: u128, now: u64) -> Result<&Asked, Error> {
        let asked = self.requests.0.get(&number).ok_or(Error::NoRequest)?;
        if asked.state.is_open(asked.expiry, now) {
            Ok(asked)
        } else {
            Err(Error::Decided { state: asked.state.word(asked.expiry, now) })
        }
    }

    /// Remembers what became of a request.
    pub(crate) fn close_request(&mut self, number: u128, state: State) {
        if let Some(asked) = self.requests.0.get_mut(&number) {
            asked.state = state;
        }
    }

    /// Forgets a request.
    ///
    /// # Errors
    ///
    /// [`Error::NoRequest`] if there is none of this number.
    pub fn forget_request(&mut self, number: u128) -> Result<(), Error> {
        self.requests.0.remove(&number).map(drop).ok_or(Error::NoRequest)
    }

    /// All requests that are remembered, by number.
    pub fn requests(&self) -> impl Iterator<Item = (u128, &Asked)> {
        self.requests.0.iter().map(|(number, asked)| (*number, asked))
    }
}
