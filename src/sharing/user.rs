//! Users' keys: what is sealed to them, and what they sign.

use std::collections::BTreeMap;
use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Error;
pub use super::hpke::Algorithm;
use super::request::Own;
use super::search::Held;
use crate::cipher::password::{Ceiling, Cost};
use crate::keys::{Key, Purpose};
use crate::message;
use crate::message::certificate::Owner;
use crate::message::seal::Seal;
use crate::message::signature::{SIGNATURE_LEN, to_sign, verify};
use crate::operations::{Operation, count};
use crate::party;
use crate::party::grants::Grants;
use crate::party::proving::Seals;
use crate::party::saved;
use crate::party::shares::{Given, UserName};
use crate::wire::{Kind, Reader, Writer, append_secret};

/// What an encapsulated key is for; what it is bound to follows.
const INFO: &[u8] = b"mopse/v1 grant";

/// A user's public keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public {
    algorithm: Algorithm,
    verification: [u8; 32],
    encapsulation: Vec<u8>,
    message: Vec<u8>,
}

impl Public {
    /// Reads public keys, and verifies that whoever signs with them wrote them.
    ///
    /// # Errors
    ///
    /// [`wire::Error`](crate::wire::Error) if the bytes are none, [`message::Error::Signature`] if they are
    /// forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::UserPublic)?;
        let (algorithm, verification) = (Algorithm::read(&mut reader)?, reader.array()?);
        let encapsulation = reader.raw(algorithm.key_len())?.to_vec();
        let signed = &bytes[..reader.position()];
        let signature: [u8; SIGNATURE_LEN] = reader.array()?;
        reader.end()?;
        verify(&verification, signed, &signature, Kind::UserPublic.name())?;
        Ok(Self { algorithm, verification, encapsulation, message: bytes.to_vec() })
    }

    /// What travels.
    #[must_use]
    pub fn encode(&self) -> &[u8] {
        &self.message
    }

    /// What names the user.
    #[must_use]
    pub fn name(&self) -> UserName {
        Sha256::digest(&self.message).into()
    }

    /// What the user's signatures are verified by.
    #[must_use]
    pub fn verification(&self) -> &[u8; 32] {
        &self.verification
    }

    /// The key that something is sealed to, and how.
    pub(super) fn sealed_to(&self) -> (Algorithm, &[u8]) {
        (self.algorithm, &self.encapsulation)
    }

    /// Seals what an owner's keyring, or that of one of its providers, gave this user.
    ///
    /// # Errors
    ///
    /// [`Error::PublicKey`] if nothing can be sealed to the key,
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn seal(&self, owner: &Owner, given: &[u8]) -> Result<Vec<u8>, Error> {
        let mut writer = Writer::new(Kind::SealedGrant);
        writer.raw(&owner.0).raw(&self.name()).u8(self.algorithm as u8);
        let (encapsulated, ciphertext) =
            self.algorithm.seal(&self.encapsulation, [INFO, &writer.0], given)?;
        writer.raw(&encapsulated).bytes(&ciphertext);
        Ok(writer.0)
    }
}

/// What a user took.
#[derive(Debug)]
pub enum Accepted {
    /// What opens records.
    Grant(Box<Given>),
    /// A right to search: of which owner, and its number.
    Right(Owner, u128),
}

/// A user: its keys, and what it was given.
pub struct User {
    algorithm: Algorithm,
    key: Key,
    public: Public,
    given: Vec<Zeroizing<Vec<u8>>>,
    /// What it has asked for, by number.
    pub(super) asked: BTreeMap<u128, Own>,
    /// What it may search, by owner and number.
    pub(super) rights: BTreeMap<(Owner, u128), Held>,
}

impl User {
    /// A new user.
    ///
    /// # Errors
    ///
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn generate(algorithm: Algorithm) -> Result<Self, Error> {
        Ok(Self::of(algorithm, Key::generate()?))
    }

    /// The user with this key.
    #[must_use]
    pub fn of(algorithm: Algorithm, key: Key) -> Self {
        let material = key.child(Purpose::Encapsulation, b"", 0);
        let encapsulation = algorithm.public(&material);
        let signer = SigningKey::from_bytes(key.child(Purpose::Sign, b"user", 0).expose());
        let verification = signer.verifying_key().to_bytes();
        let mut writer = Writer::new(Kind::UserPublic);
        writer.u8(algorithm as u8).raw(&verification).raw(&encapsulation);
        count(Operation::Signature, 1);
        let signature = signer.sign(&to_sign(&writer.0)).to_bytes();
        writer.raw(&signature);
        let public = Public { algorithm, verification, encapsulation, message: writer.0 };
        Self {
            algorithm,
            key,
            public,
            given: Vec::new(),
            asked: BTreeMap::new(),
            rights: BTreeMap::new(),
        }
    }

    /// Its public keys.
    #[must_use]
    pub fn public(&self) -> &Public {
        &self.public
    }

    /// Opens what was sealed to this user.
    ///
    /// # Errors
    ///
    /// [`wire::Error`](crate::wire::Error) if the bytes are no sealed grant, [`Error::OtherUser`] if it is for
    /// another user, [`Error::Sealed`] if it does not open.
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut reader = Reader::new(sealed, Kind::SealedGrant)?;
        let (_owner, name) = (reader.raw(32)?, reader.array::<32>()?);
        let algorithm = Algorithm::read(&mut reader)?;
        let associated = &sealed[..reader.position()];
        let encapsulated = reader.raw(algorithm.encapsulated_len())?;
        let ciphertext = reader.bytes()?;
        reader.end()?;
        if name != self.public.name() || algorithm != self.algorithm {
            return Err(Error::OtherUser);
        }
        let material = self.key.child(Purpose::Encapsulation, b"", 0);
        algorithm.open(&material, [INFO, associated], encapsulated, ciphertext)
    }

    /// Takes what was sealed to this user, at a time in seconds since 1970, and adds it to what it opens, or
    /// to what it searches.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), of [`Given::decode`] and of [`Grants::add`]; for a right to search of
    /// [`SearchRight::decode`](crate::party::rights::SearchRight::decode), and
    /// [`message::Error::Expired`] if it has ended.
    pub fn accept(
        &mut self,
        grants: &mut Grants,
        sealed: &[u8],
        now: u64,
    ) -> Result<Accepted, Error> {
        let given = self.open(sealed)?;
        if sealed.get(9..41) != given.get(9..41) {
            // Nobody seals one owner's grant in another's name.
            return Err(Error::Sealed);
        }
        if Kind::of(&given) == Some(Kind::SearchRight) {
            let (owner, number) = self.keep_right(given, now)?;
            return Ok(Accepted::Right(owner, number));
        }
        let read = Given::decode(&given, &self.public.name())?;
        grants.add_for(&self.public.name(), read.grant.clone(), now)?;
        self.keep(given);
        Ok(Accepted::Grant(Box::new(read)))
    }

    /// Remembers what it was given.
    pub(super) fn keep(&mut self, given: Zeroizing<Vec<u8>>) {
        if !self.given.contains(&given) {
            self.given.push(given);
        }
    }

    /// What something sealed to its public key is opened by.
    pub(super) fn material(&self) -> Key {
        self.key.child(Purpose::Encapsulation, b"", 0)
    }

    /// Signs a message.
    pub(super) fn signed(&self, mut message: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
        let signer = SigningKey::from_bytes(self.key.child(Purpose::Sign, b"user", 0).expose());
        count(Operation::Signature, 1);
        let signature = signer.sign(&to_sign(&message)).to_bytes();
        append_secret(&mut message, &signature);
        message
    }

    /// What it was given, in the clear.
    ///
    /// # Errors
    ///
    /// Those of [`Given::decode`].
    pub fn given(&self) -> Result<Vec<Given>, Error> {
        let name = self.public.name();
        Ok(self.given.iter().map(|given| Given::decode(given, &name)).collect::<Result<_, _>>()?)
    }

    /// Returns the user as a file under a password, with the seals that it has seen.
    ///
    /// # Errors
    ///
    /// Those of [`saved::seal`].
    pub fn save(&self, seals: &Seals, password: &[u8], cost: Cost) -> Result<Vec<u8>, Error> {
        let mut writer = Writer::secret(Kind::UserKeys);
        writer.u8(self.algorithm as u8).raw(self.key.expose()).count(self.given.len());
        self.given.iter().for_each(|given| {
            writer.bytes(given);
        });
        let heads = seals.heads().map_err(party::Error::from)?;
        writer.count(heads.len());
        heads.iter().for_each(|head| {
            writer.bytes(head);
        });
        writer.count(self.asked.len());
        for (number, own) in &self.asked {
            writer.u128(*number);
            own.write(&mut writer);
        }
        writer.count(self.rights.len());
        self.rights.values().for_each(|held| {
            writer.bytes(&held.given);
        });
        Ok(saved::seal_contents(saved::Kind::User, &writer.0, password, cost)?)
    }

    /// Reads what [`save`](Self::save) wrote, with what opens records and the seals that were seen. Grants that
    /// have ended are kept, and open nothing.
    ///
    /// # Errors
    ///
    /// Those of [`saved::open_within`].
    pub fn restore(
        ceiling: Ceiling,
        file: &[u8],
        password: &[u8],
    ) -> Result<(Self, Grants, Seals), Error> {
        let contents = saved::open_contents(ceiling, file, password, saved::Kind::User)?;
        let damaged = || party::Error::Damaged { what: "the file" };
        let (mut reader, version) =
            Reader::of_any_version(&contents, Kind::UserKeys).map_err(|_| damaged())?;
        let read = || -> Result<_, Error> {
            let algorithm = Algorithm::read(&mut reader)?;
            let key = Key::from_bytes(reader.raw(32)?)?;
            let mut user = Self::of(algorithm, key);
            let (name, mut grants) = (user.public.name(), Grants::default());
            for _ in 0..reader.count(8)? {
                let given = Zeroizing::new(reader.bytes()?.to_vec());
                grants.add_for(&name, Given::decode(&given, &name)?.grant, 0)?;
                user.given.push(given);
            }
            let heads = (0..reader.count(8)?).map(|_| Seal::of_head(reader.bytes()?));
            let seals = Seals::new(heads.collect::<Result<Vec<_>, message::Error>>()?);
            let requests = if version < 2 { 0 } else { reader.count(16)? };
            for _ in 0..requests {
                let (number, own) = (reader.u128()?, Own::read(&mut reader)?);
                user.asked.insert(number, own);
            }
            let rights = if version < 3 { 0 } else { reader.count(8)? };
            for _ in 0..rights {
                user.keep_right(Zeroizing::new(reader.bytes()?.to_vec()), 0)?;
            }
            reader.end()?;
            Ok((user, grants, seals))
        };
        read().map_err(|error| match error {
            Error::Wire(_) => damaged().into(),
            error => error,
        })
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_that_keeps_nothing_secret_is_no_public_key() {
        let user = User::of(Algorithm::X25519, Key::from_bytes(&[7; 32]).unwrap());
        // Of small order: whatever is encapsulated to it, everybody knows.
        for point in [[0; 32], std::array::from_fn(|at| u8::from(at == 0))] {
            let public = Public { encapsulation: point.to_vec(), ..user.public.clone() };
            assert_eq!(public.seal(&Owner([1; 32]), b"given"), Err(Error::PublicKey));
        }
    }
}
