//! Keys of users and of roles, which envelopes are re-encrypted for.

use std::fmt;

use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use crate::keys::{KEY_LEN, Key, Purpose};
use crate::sharing::Error;
use crate::sharing::hpke::Algorithm;
use crate::sharing::pairing::{G2, SCALAR_LEN, Scalar};
use crate::sharing::user::{self, User};
use crate::wire::{HEAD_LEN, Kind, Reader, Writer};

/// SHA-256 of a public key, which names it.
pub type Name = [u8; 32];

/// What a role's key is sealed for; what it is bound to follows.
const TO_MEMBER: &[u8] = b"mopse/v1 role";

/// A public key, and what shows that its secret is known.
///
/// ```text
/// public = PK || c || s,    c = H("mopse/v1 possession" || head || PK || g2^t),    s = t + c b,    g2^t = g2^s PK^-c
/// ```
///
/// Without that an owner would take powers by 1/a of whatever it is handed, among them its own answers, by which a
/// is found sooner: Cheon, EUROCRYPT 2006. And what the proxy learns with a user is argued with the user's b.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public {
    element: G2,
    message: Vec<u8>,
}

/// The number that a proof answers to.
fn challenge(signed: &[u8], commitment: &G2) -> Scalar {
    let hashed = Sha512::new_with_prefix(b"mopse/v1 possession");
    let hashed = hashed.chain_update(signed).chain_update(commitment.encode());
    Scalar::of_wide(&hashed.finalize().into())
}

impl Public {
    /// Reads a public key, and verifies that whoever made it knows its secret.
    ///
    /// # Errors
    ///
    /// [`wire::Error`](crate::wire::Error) if the bytes are none, [`Error::Group`], [`Error::Identity`],
    /// [`Error::Scalar`], [`Error::Possession`] if that is not shown.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = Kind::ReencryptionPublic.name();
        let mut reader = Reader::new(bytes, Kind::ReencryptionPublic)?;
        let element = reader.raw(G2::LEN)?;
        let signed = &bytes[..reader.position()];
        let (asked, answer) = (reader.raw(SCALAR_LEN)?, reader.raw(SCALAR_LEN)?);
        reader.end()?;
        let element = G2::decode(element, WHAT)?;
        let (asked, answer) = (Scalar::decode(asked, WHAT)?, Scalar::decode(answer, WHAT)?);
        let other = element.power(&asked.negated());
        let commitment = G2::generator().power(&answer).times(&other).ok_or(Error::Possession)?;
        if challenge(signed, &commitment).encode() != asked.encode() {
            return Err(Error::Possession);
        }
        Ok(Self { element, message: bytes.to_vec() })
    }

    /// What travels.
    #[must_use]
    pub fn encode(&self) -> &[u8] {
        &self.message
    }

    /// What names it; the proof is no part of that.
    #[must_use]
    pub fn name(&self) -> Name {
        Sha256::digest(&self.message[..HEAD_LEN + G2::LEN]).into()
    }

    /// PK.
    #[must_use]
    pub fn element(&self) -> &G2 {
        &self.element
    }
}

/// The keys of a user, or of a role for as long as its members stay.
#[derive(Clone)]
pub struct Keys {
    key: Key,
    secret: Scalar,
    public: Public,
}

impl Keys {
    /// Returns new keys.
    ///
    /// # Errors
    ///
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn generate() -> Result<Self, Error> {
        Ok(Self::of(Key::generate()?))
    }

    /// The keys that are made of this one.
    #[must_use]
    pub fn of(key: Key) -> Self {
        let secret = halved(&key, b"user");
        let element = G2::generator().power(&secret);
        let mut writer = Writer::new(Kind::ReencryptionPublic);
        writer.raw(&element.encode());
        // No number is drawn: another message has another one.
        let mut hidden = halved(&key, &[b"possession/", &writer.0[..]].concat());
        let (asked, answer) = loop {
            let commitment = G2::generator().power(&hidden);
            let asked = challenge(&writer.0, &commitment);
            match hidden.plus(&asked.times(&secret)) {
                Some(answer) => break (asked, answer),
                None => hidden = hidden.negated(), // with a chance of 2^-255
            }
        };
        writer.raw(asked.encode().as_slice()).raw(answer.encode().as_slice());
        Self { key, secret, public: Public { element, message: writer.0 } }
    }

    /// What they are made of: 32 bytes.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// b.
    #[must_use]
    pub fn secret(&self) -> &Scalar {
        &self.secret
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &Public {
        &self.public
    }

    /// Hands these keys, which are a role's, to a member of it.
    ///
    /// # Errors
    ///
    /// [`Error::PublicKey`] if nothing can be sealed to the member's key,
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn hand(&self, member: &user::Public) -> Result<Vec<u8>, Error> {
        let (algorithm, key) = member.sealed_to();
        let mut writer = Writer::new(Kind::SealedRole);
        writer.raw(&self.public.name()).raw(&member.name()).u8(algorithm as u8);
        let (encapsulated, ciphertext) =
            algorithm.seal(key, [TO_MEMBER, &writer.0], self.key.expose())?;
        writer.raw(&encapsulated).bytes(&ciphertext);
        Ok(writer.0)
    }

    /// Opens keys of a role that were handed to a user. Who handed them, nothing says: compare their name.
    ///
    /// # Errors
    ///
    /// [`wire::Error`](crate::wire::Error) if the bytes are none, [`Error::OtherUser`], [`Error::Closed`] if they do
    /// not open, [`Error::Mislabelled`] if they are of another name.
    pub fn handed(member: &User, sealed: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = Kind::SealedRole.name();
        let mut reader = Reader::new(sealed, Kind::SealedRole)?;
        let (role, name) = (reader.array::<32>()?, reader.array::<32>()?);
        let algorithm = Algorithm::read(&mut reader)?;
        let associated = &sealed[..reader.position()];
        let encapsulated = reader.raw(algorithm.encapsulated_len())?;
        let ciphertext = reader.bytes()?;
        reader.end()?;
        if name != member.public().name() || algorithm != member.public().sealed_to().0 {
            return Err(Error::OtherUser);
        }
        let info = [TO_MEMBER, associated];
        let opened = algorithm.open(&member.material(), info, encapsulated, ciphertext);
        let keys = Self::of(Key::from_bytes(&opened.map_err(|_| Error::Closed { what: WHAT })?)?);
        if keys.public.name() == role { Ok(keys) } else { Err(Error::Mislabelled { what: WHAT }) }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("public", &self.public).finish_non_exhaustive()
    }
}

/// The scalar that is made of a key, for a label.
pub(super) fn halved(key: &Key, label: &[u8]) -> Scalar {
    let mut wide = Zeroizing::new([0; 2 * KEY_LEN]);
    for (half, word) in wide.chunks_exact_mut(KEY_LEN).zip([&b"low/"[..], b"high/"]) {
        let label = [word, label].concat();
        half.copy_from_slice(key.child(Purpose::Reencryption, &label, 0).expose());
    }
    Scalar::of_wide(&wide)
}
