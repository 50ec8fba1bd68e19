//! Passwords: keys from them, messages under them, and what a log-in keeps of them.
//!
//! ```text
//! stretched  = PBKDF2-HMAC-SHA-256(password, salt, iterations) or Argon2id(password, salt, cost)
//! key        = child(stretched, "password", "key", 0)
//! commitment = child(stretched, "password", "commitment" || SHA-256(head || associated) || password, 0)
//! message    = head || commitment || AEAD(key, nonce, plaintext, head || commitment || associated)
//! head       = "MOPSEPWD", version 2, cipher, derivation, its parameters, salt, nonce
//! ```
//!
//! An AEAD alone opens one message under as many chosen keys as it has blocks. The commitment is compared
//! before anything is opened, in constant time: no message is of two passwords, heads or associated bytes,
//! unless SHA-256 collides. It costs 32 bytes and two HMACs, and shows no more than the tag. Version 1 has
//! none, with `stretched` as its key; it is read only, and whoever answers strangers should refuse it.
//!
//! A derivation is slow on purpose: whoever tries passwords pays for it at each trial. What a message asks
//! of its reader has a [`Ceiling`], checked before any work. A message shows the length of its plaintext.
//!
//! # Sources
//!
//! PBKDF2: RFC 8018 section 5.2, default of OWASP. Argon2id: RFC 9106, its second recommended option with
//! one lane. Stored hashes: PHC strings. Commitment: Albertini et al., USENIX Security 2022, section 5.3;
//! the attack: Len, Grubbs, Ristenpart, USENIX Security 2021. In RFC 9771's words: full commitment.

pub mod opaque;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Block, Params, Version};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::cipher::{self, Algorithm, Error};
use crate::keys::{KEY_LEN, Key, Purpose, fill_random};
use crate::stop;
use crate::wire::{Kind, Reader, Writer};

const SALT_LEN: usize = 16;
/// Bytes of a commitment.
pub(crate) const COMMITMENT_LEN: usize = 32;
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
        let (derivation, salt) = (*self, salt.to_vec());
        let password = Zeroizing::new(password.to_vec());
        stop::apart(move || derivation.stretch(&password, &salt))
    }

    fn stretch(self, password: &[u8], salt: &[u8]) -> Result<Key, Error> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        match self {
            Self::Pbkdf2 { iterations } => {
                pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, key.as_mut_slice());
            }
            Self::Argon2id(cost) => {
                let argon2 = cost.argon2()?;
                let mut memory = memory(&argon2)?;
                argon2
                    .hash_password_into_with_memory(
                        password,
                        salt,
                        key.as_mut_slice(),
                        memory.as_mut_slice(),
                    )
                    .map_err(|_| Error::PasswordCost)?;
            }
        }
        Ok(Key::from_bytes(key.as_slice())?)
    }

    /// Derives the key of a password and a salt, and the commitment to both and to what is sealed with
    /// them: a head that says how long it is, and associated bytes.
    pub(crate) fn commit(
        &self,
        password: &[u8],
        salt: &[u8],
        head: &[u8],
        associated: &[u8],
    ) -> Result<(Key, [u8; COMMITMENT_LEN]), Error> {
        let stretched = self.derive(password, salt)?.parent();
        let digest = Sha256::new().chain_update(head).chain_update(associated).finalize();
        // PBKDF2 makes one key of a password and of the same with zero bytes behind it, or of a long
        // one's digest, so that its output alone would not commit to the password.
        let label = Zeroizing::new([&b"commitment"[..], &digest, password].concat());
        let commitment = *stretched.child(Purpose::Password, &label, 0).expose();
        Ok((stretched.child(Purpose::Password, b"key", 0), commitment))
    }

    /// Everything that is wrong without a look at the salt, before any work.
    pub(crate) fn check(&self, password: &[u8]) -> Result<(), Error> {
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

/// What Argon2id fills, from which the key can be computed: it is wiped when dropped.
fn memory(argon2: &Argon2<'_>) -> Result<Zeroizing<Vec<Block>>, Error> {
    let count = argon2.params().block_count();
    let mut blocks = Zeroizing::new(Vec::new());
    blocks.try_reserve_exact(count).map_err(|_| Error::PasswordCost)?;
    blocks.resize(count, Block::default());
    Ok(blocks)
}

/// Whether two commitments are one; takes the same time for all.
pub(crate) fn is_committed(found: &[u8; COMMITMENT_LEN], said: &[u8; COMMITMENT_LEN]) -> bool {
    found.ct_eq(said).into()
}

/// What a reader pays at most for a password, whatever a message or file asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceiling {
    /// Memory in MiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Iterations, where they take no memory.
    pub iterations: u32,
}

impl Default for Ceiling {
    fn default() -> Self {
        Self { memory: 256, passes: 4, iterations: 2_000_000 }
    }
}

impl Ceiling {
    /// Refuses a derivation that costs more.
    pub(crate) fn check(&self, derivation: Derivation) -> Result<(), Error> {
        match derivation {
            Derivation::Pbkdf2 { iterations } => {
                at_most("most_iterations", "iterations", iterations, self.iterations)
            }
            Derivation::Argon2id(cost) => {
                let memory = cost.memory.div_ceil(1024);
                at_most("most_memory", "MiB of memory", memory, self.memory)?;
                at_most("most_passes", "passes over the memory", cost.passes, self.passes)
            }
        }
    }
}

/// Refuses what asks for more than its reader allows.
pub(crate) fn at_most(
    argument: &'static str,
    unit: &'static str,
    asked: u32,
    most: u32,
) -> Result<(), Error> {
    if asked <= most { Ok(()) } else { Err(Error::Ceiling { argument, unit, asked, most }) }
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
    let mut salt = [0; SALT_LEN];
    let mut nonce = vec![0; algorithm.nonce_len];
    fill_random(&mut salt)?;
    fill_random(&mut nonce)?;
    seal_with(password, derivation, algorithm, associated, plaintext, &salt, &nonce)
}

fn seal_with(
    password: &[u8],
    derivation: Derivation,
    algorithm: &Algorithm,
    associated: &[u8],
    plaintext: &[u8],
    salt: &[u8; SALT_LEN],
    nonce: &[u8],
) -> Result<Vec<u8>, Error> {
    let length = algorithm.sealed_len(plaintext.len())?;
    let mut message = Writer::new(Kind::Password);
    message.text(algorithm.name).text(derivation.name());
    match derivation {
        Derivation::Pbkdf2 { iterations } => message.u32(iterations),
        Derivation::Argon2id(cost) => message.u32(cost.memory).u32(cost.passes).u32(cost.lanes),
    };
    message.raw(salt).raw(nonce);
    let (key, commitment) = derivation.commit(password, salt, &message.0, associated)?;
    message.raw(&commitment);
    let mut message = message.0;
    let head = message.len();
    // The head says how long it is, so no other head and bytes give the same.
    let associated = [&message, associated].concat();
    message.resize(head + length, 0);
    let cipher = algorithm.with_key(key.expose())?;
    cipher.seal_into(nonce, &associated, plaintext, &mut message[head..])?;
    Ok(message)
}

/// Returns the plaintext of what [`seal`] returned, at the default [`Ceiling`].
///
/// # Errors
///
/// Those of [`open_within`].
pub fn open(password: &[u8], associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
    open_within(Ceiling::default(), password, associated, sealed)
}

/// Returns the plaintext of what [`seal`] returned, if it costs no more than a ceiling.
///
/// # Errors
///
/// [`Error::Decryption`] if the password is wrong or anything that is authenticated was changed. Before
/// anything is computed: [`wire::Error::Format`](crate::wire::Error::Format) if the message is cut or malformed, [`wire::Error::Version`](crate::wire::Error::Version),
/// [`Error::UnknownCipher`], [`Error::UnknownDerivation`], [`Error::PasswordCost`] for absurd
/// parameters, [`Error::Ceiling`], [`Error::NotAuthenticated`] or [`Error::KeyLength`] for a cipher
/// that [`seal`] does not take, [`Error::EmptyPassword`].
pub fn open_within(
    ceiling: Ceiling,
    password: &[u8],
    associated: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, Error> {
    let (mut reader, version) = Reader::of_any_version(sealed, Kind::Password)?;
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
    let uncommitted = &sealed[..reader.position()];
    let said = if version == 1 { None } else { Some(reader.array()?) };
    let (head, ciphertext) = sealed.split_at(reader.position());
    if ciphertext.len() < algorithm.tag_len {
        return Err(reader.fault().into());
    }
    derivation.check(password).map_err(|error| match error {
        Error::Iterations { .. } => Error::PasswordCost,
        error => error,
    })?;
    ceiling.check(derivation)?;
    let key = match said {
        None => derivation.derive(password, &salt)?,
        Some(said) => {
            let (key, found) = derivation.commit(password, &salt, uncommitted, associated)?;
            if !is_committed(&found, &said) {
                return Err(Error::Decryption);
            }
            key
        }
    };
    let cipher = algorithm.with_key(key.expose())?;
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
    let (argon2, password) = (cost.argon2()?, Zeroizing::new(password.to_vec()));
    let hash = stop::apart(move || argon2.hash_password_with_salt(&password, &salt));
    hash.map(|hash| hash.to_string()).map_err(|_| Error::PasswordCost)
}

/// Says whether a password is the one of a stored hash, at the default [`Ceiling`].
///
/// # Errors
///
/// Those of [`verify_within`].
pub fn verify(password: &[u8], stored: &str) -> Result<(), Error> {
    verify_within(Ceiling::default(), password, stored)
}

/// Says whether a password is the one of a stored hash, if that costs no more than a ceiling; the
/// hashes are compared in constant time.
///
/// # Errors
///
/// [`Error::WrongPassword`] if it is not. Before anything is computed: [`Error::StoredHash`] if the stored
/// hash is malformed or has less than 16 bytes, [`Error::UnknownDerivation`] if it is of another
/// function than Argon2id, [`Error::PasswordCost`] if its parameters are absurd, [`Error::Ceiling`],
/// [`Error::EmptyPassword`].
pub fn verify_within(ceiling: Ceiling, password: &[u8], stored: &str) -> Result<(), Error> {
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
    let derivation = Derivation::Argon2id(cost);
    derivation.check(password)?;
    ceiling.check(derivation)?;
    let (argon2, password) = (cost.argon2()?, Zeroizing::new(password.to_vec()));
    stop::apart(move || argon2.verify_password(&password, &stored)).map_err(|error| match error {
        password_hash::Error::PasswordInvalid => Error::WrongPassword,
        _ => Error::StoredHash,
    })
}

#[cfg(test)]
mod tests;
