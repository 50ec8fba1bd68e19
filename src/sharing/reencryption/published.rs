//! `SeSPHR` as it is printed: a server makes all keys, keeps the access list, and re-encrypts. To evaluate only.
//!
//! An owner's record has portions. Each is encrypted for the cloud under a mask Z^r; the server is sent what hides
//! r, and turns it into what one user opens, for portions that the owner's access list gives to the user's role.
//!
//! ```text
//! (5)        SK = x,  PK = g2^x                     the server, for owners and users: it keeps x
//! (6)-(9)    C = Z^r . PHR                          the owner, to the cloud; chunk by chunk, with one r
//! (10)-(13)  R_P = g1^(r x_P)                       the owner, to the server: the capsule
//! (14)       RK = g2^(x_U / x_P)                    the server
//! (15)-(18)  R_U = e(R_P, RK) = Z^(r x_U)           the server, to the user
//! (19)-(22)  PHR = C / R_U^(1 / x_U)                the user
//! ```
//!
//! # Cost
//!
//! In pairings: a pair of keys 0.29, whatever the number of users; a capsule and its mask 0.9, a re-encryption key
//! 0.28, a re-encryption with its key 1.3, opening 0.86; and 0.01 for each chunk of 64 bytes either way, 160 for
//! 1 MiB. A ciphertext has nine times the bytes of its plaintext: an element of the field takes 576 bytes here, 128
//! in the paper's.
//!
//! # Leakage
//!
//! To the server with the cloud's ciphertext, everything; to whoever knows one chunk of a portion, the portion; to
//! whoever is shown a re-encryption key for it, all files of the owner; and without any key which chunks are alike,
//! which are those of a list, and by [`Chunk`]'s encoding what they are: [`attacks`]. Nothing shows that a
//! ciphertext was changed. The cloud sees names, which portions there are, and their lengths; the server also who
//! asks for what.
//!
//! # Sources
//!
//! Ali, Abbas, Khan, Khan: `SeSPHR`, IEEE Transactions on Cloud Computing 2018, sections 3 and 4; numbers above are of
//! its equations. The re-encryption is that of Ateniese, Fu, Green, Hohenberger, NDSS 2005.
//!
//! # Deviations
//!
//! * BLS12-381, of some 120 bits of security and a pairing of type 3, for the paper's symmetric one of type A of some
//!   80: so capsules are in G1, public and re-encryption keys in G2.
//! * How a chunk becomes an element is not printed: see [`Chunk`].
//! * What travels names its owner, file and portion, and the user: that is compared, and is not authentic.
//! * Certificates of roles are left out: whoever calls [`Server::join`] says the role.

pub mod attacks;
mod chunk;
mod server;

use zeroize::Zeroizing;

use crate::sharing::Error;
use crate::sharing::pairing::field::Element;
use crate::sharing::pairing::{G1, G2, Gt, Scalar};
use crate::stop;
use crate::wire::{Kind, LONGEST_NAME, Reader, Writer};

pub use chunk::{CHUNK_LEN, Chunk};
pub use server::{Access, Files, Server};

/// Chunks between two looks whether to go on.
const STRIDE: usize = 1 << 10;

/// Which portion of whose file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// Whose.
    pub owner: String,
    /// Which file.
    pub file: String,
    /// Which portion.
    pub portion: String,
}

impl Label {
    fn check(&self) -> Result<(), Error> {
        [&self.owner, &self.file, &self.portion].into_iter().try_for_each(|name| check_name(name))
    }

    fn write(&self, writer: &mut Writer) {
        writer.text(&self.owner).text(&self.file).text(&self.portion);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut name = || {
            let name = reader.name()?;
            if name.is_empty() { Err(reader.fault()) } else { Ok(name.to_owned()) }
        };
        Ok(Self { owner: name()?, file: name()?, portion: name()? })
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(Error::Name { got: name.len() });
    }
    Ok(())
}

/// The keys of an owner or a user: equation (5).
#[derive(Debug, Clone)]
pub struct Keys {
    name: String,
    secret: Scalar,
    public: G2,
}

impl Keys {
    /// Returns new keys, as the server makes them.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] for a name that is empty or too long,
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn generate(name: &str) -> Result<Self, Error> {
        Self::of(name, Scalar::generate()?)
    }

    /// The keys with a secret one.
    ///
    /// # Errors
    ///
    /// [`Error::Name`].
    pub fn of(name: &str, secret: Scalar) -> Result<Self, Error> {
        check_name(name)?;
        let public = G2::generator().power(&secret);
        Ok(Self { name: name.to_owned(), secret, public })
    }

    /// Whose they are.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &G2 {
        &self.public
    }

    /// The secret key.
    #[must_use]
    pub fn secret(&self) -> &Scalar {
        &self.secret
    }

    /// Encrypts a portion of a file of this owner's: equations (6) to (13), for one portion.
    ///
    /// # Errors
    ///
    /// [`Error::Name`], [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn encrypt(
        &self,
        file: &str,
        portion: &str,
        plaintext: &[u8],
    ) -> Result<(Ciphertext, Capsule), Error> {
        self.encrypt_with(&Scalar::generate()?, file, portion, plaintext)
    }

    /// Encrypts with a number r that is given; a second portion under it opens with the first.
    ///
    /// # Errors
    ///
    /// [`Error::Name`].
    pub fn encrypt_with(
        &self,
        random: &Scalar,
        file: &str,
        portion: &str,
        plaintext: &[u8],
    ) -> Result<(Ciphertext, Capsule), Error> {
        let owner = self.name.clone();
        let label = Label { owner, file: file.to_owned(), portion: portion.to_owned() };
        label.check()?;
        let mask = Gt::generator().power(random);
        // "per", "ins", "med" and "pres" have an r each; the chunks of one have not.
        let mut chunks = Vec::with_capacity(plaintext.len().div_ceil(CHUNK_LEN));
        stop::expect(plaintext.len());
        for part in plaintext.chunks(STRIDE * CHUNK_LEN) {
            stop::check();
            let encrypt = |bytes| Ok(Chunk::new(bytes)?.element().times(mask.element()));
            let encrypted = part.chunks(CHUNK_LEN).map(encrypt);
            chunks.append(&mut encrypted.collect::<Result<Vec<_>, Error>>()?);
            stop::advance(part.len());
        }
        let capsule = G1::generator().power(&random.times(&self.secret));
        Ok((Ciphertext { label: label.clone(), chunks }, Capsule { label, element: capsule }))
    }

    /// Opens a portion that was re-encrypted for this user: equations (19) to (22), for one portion.
    ///
    /// # Errors
    ///
    /// [`Error::OtherLabel`] if the two are not of one portion, or it was re-encrypted for another user,
    /// [`Error::Closed`] if a chunk opens to none, which other changes do not show.
    pub fn open(
        &self,
        ciphertext: &Ciphertext,
        released: &Released,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        if released.user != self.name || released.label != ciphertext.label {
            return Err(Error::OtherLabel { what: Kind::PublishedRelease.name() });
        }
        ciphertext.opened(&released.element.power(&self.secret.inverse()))
    }

    /// Opens a portion of this owner's own.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_own(
        &self,
        ciphertext: &Ciphertext,
        capsule: &Capsule,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        if capsule.label != ciphertext.label || capsule.label.owner != self.name {
            return Err(Error::OtherLabel { what: Kind::PublishedCapsule.name() });
        }
        let bare = capsule.element.power(&self.secret.inverse());
        ciphertext.opened(&Gt::pairing(&bare, &G2::generator()))
    }
}

/// A portion as the cloud keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ciphertext {
    label: Label,
    chunks: Vec<Element>,
}

impl Ciphertext {
    /// Which portion.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// The chunks, each under the mask.
    #[must_use]
    pub fn chunks(&self) -> &[Element] {
        &self.chunks
    }

    /// The plaintext under a mask.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    fn opened(&self, mask: &Gt) -> Result<Zeroizing<Vec<u8>>, Error> {
        let bare = mask.inverse();
        let mut plaintext = Zeroizing::new(Vec::with_capacity(self.chunks.len() * CHUNK_LEN));
        stop::expect(self.chunks.len());
        for chunks in self.chunks.chunks(STRIDE) {
            stop::check();
            for chunk in chunks {
                let chunk = Chunk::of(&chunk.times(bare.element())).ok_or(CLOSED)?;
                plaintext.extend_from_slice(chunk.bytes());
            }
            stop::advance(chunks.len());
        }
        Ok(plaintext)
    }

    /// What travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::PublishedPortion);
        self.label.write(&mut writer);
        writer.count(self.chunks.len());
        self.chunks.iter().for_each(|chunk| {
            writer.raw(&chunk.encode());
        });
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error`](crate::wire::Error), [`Error::Group`] for a chunk that is no element of the field, or 0.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::PublishedPortion)?;
        let label = Label::read(&mut reader)?;
        let count = reader.count(Element::LEN)?;
        let element = |_| {
            let bytes = reader.raw(Element::LEN)?;
            Element::decode(bytes).ok_or(Error::Group { what: Kind::PublishedPortion.name() })
        };
        let chunks = (0..count).map(element).collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(Self { label, chunks })
    }
}

/// What a chunk opens to that is none.
const CLOSED: Error = Error::Closed { what: Kind::PublishedPortion.name() };

/// What the server is sent of a portion: R.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capsule {
    label: Label,
    element: G1,
}

impl Capsule {
    /// Of which portion.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// What hides r.
    #[must_use]
    pub fn element(&self) -> &G1 {
        &self.element
    }

    /// Turns it into what one user opens: equations (15) to (18), for one portion.
    #[must_use]
    pub fn re_encrypted(&self, user: &str, key: &G2) -> Released {
        let element = Gt::pairing(&self.element, key);
        Released { label: self.label.clone(), user: user.to_owned(), element }
    }

    /// What travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::PublishedCapsule);
        self.label.write(&mut writer);
        writer.raw(&self.element.encode());
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error`](crate::wire::Error), [`Error::Group`], [`Error::Identity`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::PublishedCapsule)?;
        let label = Label::read(&mut reader)?;
        let element = G1::decode(reader.raw(G1::LEN)?, Kind::PublishedCapsule.name())?;
        reader.end()?;
        Ok(Self { label, element })
    }
}

/// What a user is sent of a portion.
#[derive(Debug, Clone, PartialEq)]
pub struct Released {
    label: Label,
    user: String,
    element: Gt,
}

impl Released {
    /// Of which portion.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// For whom.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// What travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::PublishedRelease);
        self.label.write(&mut writer);
        writer.text(&self.user).raw(&self.element.encode());
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error`](crate::wire::Error), [`Error::Group`], [`Error::Identity`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::PublishedRelease)?;
        let label = Label::read(&mut reader)?;
        let user = reader.name()?.to_owned();
        if user.is_empty() {
            return Err(reader.fault().into());
        }
        let element = Gt::decode(reader.raw(Gt::LEN)?, Kind::PublishedRelease.name())?;
        reader.end()?;
        Ok(Self { label, user, element })
    }
}
