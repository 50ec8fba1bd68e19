//! Passwords: keys from them, messages under them, and what a log-in keeps of them.
//!
//! ```text
//! key     = PBKDF2-HMAC-SHA-256(password, salt, iterations) or Argon2id(password, salt, cost)
//! message = head || AEAD(key, nonce, plaintext, head || associated)
//! head    = "MOPSEPWD", version, cipher, derivation, its parameters, salt, nonce
//! ```
//!
//! A derivation is slow on purpose: whoever tries passwords pays for it at each trial, and with
//! Argon2id in memory too. Parameters beyond the bounds are refused before they are used, so that a
//! message cannot make its reader run out of memory or time. A message shows the length of its
//! plaintext; a wrong password and a changed message give the same error.
//!
//! # Sources
//!
//! * PBKDF2: RFC 8018 section 5.2; its default is OWASP's for HMAC-SHA-256.
//! * Argon2id: RFC 9106; the default is its second recommended option, 64 MiB and 3 passes, with one
//!   lane. The form of a stored hash is the PHC string format.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params, Version};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::cipher::{self, Algorithm, Error};
use crate::keys::{KEY_LEN, Key, fill_random};
use crate::wire::{Kind, Reader, Writer};

const SALT_LEN: usize = 16;
/// Bytes of the longest name in a head; longer ones are not even looked for.
const LONGEST_NAME: usize = 32;

/// What it costs to try a password with Argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes of the memory.
    pub lanes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory: 64 * 1024, passes: 3, lanes: 1 }
    }
}

impl Cost {
    /// Argon2id at this cost, unless it is too weak to protect or too strong to compute.
    fn argon2(self) -> Result<Argon2<'static>, Error> {
        let is_sane = (1..=16).contains(&self.lanes)
            && (1..=16).contains(&self.passes)
            && (8 * self.lanes..=1 << 20).contains(&self.memory);
        if !is_sane {
            return Err(Error::PasswordCost);
        }
        let parameters = Params::new(self.memory, self.passes, self.lanes, Some(KEY_LEN))
            .map_err(|_| Error::PasswordCost)?;
        Ok(Argon2::new(argon2::Algorithm::Argon2id, Version::V0x13, parameters))
    }
}

/// How a password becomes a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derivation {
    /// PBKDF2 with HMAC-SHA-256, which costs time alone.
    Pbkdf2 {
        /// How often it is iterated, 1,000 to 10,000,000 times.
        iterations: u32,
    },
    /// Argon2id, which costs memory too.
    Argon2id(Cost),
}

impl Default for Derivation {
    fn default() -> Self {
        Self::Argon2id(Cost::default())
    }
}

impl Derivation {
    /// PBKDF2 with the default number of iterations.
    pub const PBKDF2: Self = Self::Pbkdf2 { iterations: 600_000 };

    /// Returns the derivation with a name, at its default cost.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDerivation`] if there is none.
    pub fn find(name: &str) -> Result<Self, Error> {
        let known = [Self::default(), Self::PBKDF2];
        known.into_iter().find(|derivation| derivation.name() == name).ok_or_else(|| unknown(name))
    }

    /// What it is called.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pbkdf2 { .. } => "pbkdf2-sha256",
            Self::Argon2id(_) => "argon2id",
        }
    }

    /// Derives the key of a password and a salt of 8 to 64 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Salt`], [`Error::Iterations`] or [`Error::PasswordCost`] for what is out of bounds,
    /// [`Error::EmptyPassword`].
    pub fn derive(&self, password: &[u8], salt: &[u8]) -> Result<Key, Error> {
        self.check(password)?;
        if !(8..=64).contains(&salt.len()) {
            return Err(Error::Salt { least: 8, most: 64, got: salt.len() });
        }
        let mut key = Zeroizing::new([0; KEY_LEN]);
        match *self {
            Self::Pbkdf2 { iterations } => {
                pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, key.as_mut_slice());
            }
            Self::Argon2id(cost) => cost
                .argon2()?
                .hash_password_into(password, salt, key.as_mut_slice())
                .map_err(|_| Error::PasswordCost)?,
        }
        Ok(Key::from_bytes(key.as_slice())?)
    }

    /// Everything that is wrong without a look at the salt, before any work.
    fn check(&self, password: &[u8]) -> Result<(), Error> {
        match *self {
            Self::Pbkdf2 { iterations } if !(1_000..=10_000_000).contains(&iterations) => {
                let expected = "1,000 to 10,000,000";
                return Err(Error::Iterations { got: iterations, expected });
            }
            Self::Pbkdf2 { .. } => {}
            Self::Argon2id(cost) => {
                cost.argon2()?;
            }
        }
        if password.is_empty() { Err(Error::EmptyPassword) } else { Ok(()) }
    }
}

fn unknown(name: &str) -> Error {
    Error::UnknownDerivation { name: name.escape_default().to_string() }
}

/// Refuses a cipher that has no tag, or takes no key of 32 bytes.
fn check_cipher(algorithm: &Algorithm) -> Result<(), Error> {
    let cipher = algorithm.name;
    if algorithm.tag_len == 0 {
        return Err(Error::NotAuthenticated { cipher });
    }
    if !algorithm.key_len.contains(&KEY_LEN) {
        let (least, most) = (*algorithm.key_len.start(), *algorithm.key_len.end());
        return Err(Error::KeyLength { cipher, least, most, got: KEY_LEN });
    }
    Ok(())
}

/// Returns a plaintext sealed under a password, with a fresh salt and nonce.
///
/// # Errors
///
/// [`Error::NotAuthenticated`] or [`Error::KeyLength`] for a cipher that has no tag or takes no key of
/// 32 bytes, [`Error::TooLong`], those of [`Derivation::derive`], [`Error::Keys`].
pub fn seal(
    password: &[u8],
    derivation: Derivation,
    algorithm: &Algorithm,
    associated: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    check_cipher(algorithm)?;
    let length = algorithm.sealed_len(plaintext.len())?;
    let mut salt = [0; SALT_LEN];
    let mut nonce = vec![0; algorithm.nonce_len];
    fill_random(&mut salt)?;
    fill_random(&mut nonce)?;
    let cipher = algorithm.with_key(derivation.derive(password, &salt)?.expose())?;

    let mut message = Writer::new(Kind::Password);
    message.text(algorithm.name).text(derivation.name());
    match derivation {
        Derivation::Pbkdf2 { iterations } => message.u32(iterations),
        Derivation::Argon2id(cost) => message.u32(cost.memory).u32(cost.passes).u32(cost.lanes),
    };
    message.raw(&salt).raw(&nonce);
    let mut message = message.0;
    let head = message.len();
    // The head says how long it is, so no other head and bytes give the same.
    let associated = [&message, associated].concat();
    message.resize(head + length, 0);
    cipher.seal_into(&nonce, &associated, plaintext, &mut message[head..])?;
    Ok(message)
}

/// Returns the plaintext of what [`seal`] returned.
///
/// # Errors
///
/// [`Error::Decryption`] if the password is wrong or anything that is authenticated was changed. Before
/// anything is computed: [`wire::Error::Format`](crate::wire::Error::Format) if the message is cut or malformed, [`wire::Error::Version`](crate::wire::Error::Version),
/// [`Error::UnknownCipher`], [`Error::UnknownDerivation`], [`Error::PasswordCost`] for absurd
/// parameters, [`Error::NotAuthenticated`] or [`Error::KeyLength`] for a cipher that [`seal`] does not
/// take, [`Error::EmptyPassword`].
pub fn open(password: &[u8], associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
    let mut reader = Reader::new(sealed, Kind::Password)?;
    let algorithm = cipher::find(name(&mut reader)?)?;
    check_cipher(algorithm)?;
    let derivation = match Derivation::find(name(&mut reader)?)? {
        Derivation::Pbkdf2 { .. } => Derivation::Pbkdf2 { iterations: reader.u32()? },
        Derivation::Argon2id(_) => Derivation::Argon2id(Cost {
            memory: reader.u32()?,
            passes: reader.u32()?,
            lanes: reader.u32()?,
        }),
    };
    let salt: [u8; SALT_LEN] = reader.array()?;
    let nonce = reader.raw(algorithm.nonce_len)?;
    let (head, ciphertext) = sealed.split_at(reader.position());
    if ciphertext.len() < algorithm.tag_len {
        return Err(reader.fault().into());
    }
    derivation.check(password).map_err(|error| match error {
        Error::Iterations { .. } => Error::PasswordCost,
        error => error,
    })?;
    let cipher = algorithm.with_key(derivation.derive(password, &salt)?.expose())?;
    cipher.open(nonce, &[head, associated].concat(), ciphertext)
}

fn name<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Error> {
    let fault = reader.fault();
    let name = reader.text()?;
    if name.len() <= LONGEST_NAME { Ok(name) } else { Err(fault.into()) }
}

/// Returns what a log-in keeps of a password: its Argon2id hash in the PHC string format.
///
/// # Errors
///
/// [`Error::EmptyPassword`], [`Error::PasswordCost`] or [`Error::Keys`].
pub fn hash(password: &[u8], cost: Cost) -> Result<String, Error> {
    Derivation::Argon2id(cost).check(password)?;
    let mut salt = [0; SALT_LEN];
    fill_random(&mut salt)?;
    let hash = cost.argon2()?.hash_password_with_salt(password, &salt);
    hash.map(|hash| hash.to_string()).map_err(|_| Error::PasswordCost)
}

/// Says whether a password is the one of a stored hash; the hashes are compared in constant time.
///
/// # Errors
///
/// [`Error::WrongPassword`] if it is not. Before anything is computed: [`Error::StoredHash`] if the stored
/// hash is malformed or has less than 16 bytes, [`Error::UnknownDerivation`] if it is of another
/// function than Argon2id, [`Error::PasswordCost`] if its parameters are absurd,
/// [`Error::EmptyPassword`].
pub fn verify(password: &[u8], stored: &str) -> Result<(), Error> {
    let stored = PasswordHash::new(stored).map_err(|_| Error::StoredHash)?;
    if stored.algorithm.as_str() != "argon2id" {
        return Err(unknown(stored.algorithm.as_str()));
    }
    let is_whole = stored.version == Some(Version::V0x13.into())
        && stored.salt.is_some()
        && stored.hash.is_some_and(|hash| hash.len() >= 16);
    if !is_whole {
        return Err(Error::StoredHash);
    }
    let said = |name| stored.params.get_decimal(name).ok_or(Error::StoredHash);
    let cost = Cost { memory: said("m")?, passes: said("t")?, lanes: said("p")? };
    // Said twice, a parameter could be one number here and another where it is used.
    let Cost { memory, passes, lanes } = cost;
    if stored.params.as_str() != format!("m={memory},t={passes},p={lanes}") {
        return Err(Error::StoredHash);
    }
    Derivation::Argon2id(cost).check(password)?;
    cost.argon2()?.verify_password(password, &stored).map_err(|error| match error {
        password_hash::Error::PasswordInvalid => Error::WrongPassword,
        _ => Error::StoredHash,
    })
}

#[cfg(test)]
mod tests;
