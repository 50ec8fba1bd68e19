use crate::{keys, wire};

/// Why a cipher does not seal or open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such cipher here.
    #[error("there is no cipher \"{name}\" here")]
    UnknownCipher {
        /// The name that was asked for.
        name: String,
    },

    /// There is no such way from a password to a key here.
    #[error("there is no key derivation \"{name}\" here")]
    UnknownDerivation {
        /// The name that was asked for.
        name: String,
    },

    /// A cipher's key has the wrong length.
    #[error("the key of {cipher} has {got} bytes, expected {}", between(*.least, *.most))]
    KeyLength {
        /// The cipher.
        cipher: &'static str,
        /// Bytes it may have at least.
        least: usize,
        /// Bytes it may have at most.
        most: usize,
        /// Bytes it had.
        got: usize,
    },

    /// A key that is known to hide nothing.
    #[error("the key is a weak one")]
    WeakKey,

    /// What should be a key of RSA is none.
    #[error("this is not {expected}")]
    RsaKey {
        /// What it should be.
        expected: &'static str,
    },

    /// A modulus of RSA has a length that is not one of [`MODULUS_BITS`](super::rsa::MODULUS_BITS).
    #[error("the modulus is {got}, expected 2048 or 3072 bits")]
    Modulus {
        /// Bits it was to have, or has.
        got: usize,
    },

    /// A nonce has the wrong length.
    #[error("the nonce of {cipher} has {got} bytes, expected {expected}")]
    Nonce {
        /// The cipher.
        cipher: &'static str,
        /// Bytes it must have.
        expected: usize,
        /// Bytes it had.
        got: usize,
    },

    /// Associated bytes were given to a cipher that cannot protect them.
    #[error("{cipher} authenticates nothing, so it takes no associated bytes")]
    NotAuthenticated {
        /// The cipher.
        cipher: &'static str,
    },

    /// A message is too long for its cipher.
    #[error("{cipher} takes at most {longest} bytes under one nonce")]
    TooLong {
        /// The cipher.
        cipher: &'static str,
        /// Bytes of the longest message.
        longest: u64,
    },

    /// Two lengths that belong together differ.
    #[error("{what} has {got} entries, expected {expected}")]
    Length {
        /// Of which list or buffer.
        what: &'static str,
        /// Length it must have.
        expected: usize,
        /// Length it had.
        got: usize,
    },

    /// Only the last batch of a stream ends within a segment.
    #[error("the batch is {got}, expected whole segments before the last batch")]
    Batch {
        /// Bytes it has.
        got: usize,
    },

    /// A salt is too short or too long.
    #[error("the salt is {got}, expected {} bytes", between(*.least, *.most))]
    Salt {
        /// Bytes it may have at least.
        least: usize,
        /// Bytes it may have at most.
        most: usize,
        /// Bytes it has.
        got: usize,
    },

    /// A key derivation is too fast to protect, or too slow to compute.
    #[error("the number of iterations is {got}, expected {expected}")]
    Iterations {
        /// How often it was to be iterated.
        got: u32,
        /// How often it may be.
        expected: &'static str,
    },

    /// The cost of a password is absurd.
    #[error("the memory, passes, lanes or iterations of the key derivation are out of bounds")]
    PasswordCost,

    /// Two holders of shares have one key.
    #[error("the key of holder {position} is that of an earlier holder too")]
    SameHolder {
        /// The later holder, counted from 0.
        position: usize,
    },

    /// A password costs more than its reader allows.
    #[error(
        "the key derivation asks for {asked} {unit} and {argument} is {most}: raise it to read what \
         you trust"
    )]
    Ceiling {
        /// The argument that says how much is allowed.
        argument: &'static str,
        /// What is counted.
        unit: &'static str,
        /// How much is asked for.
        asked: u32,
        /// How much is allowed.
        most: u32,
    },

    /// A password has no letter.
    #[error("the password is empty")]
    EmptyPassword,

    /// A password that is typed has a character that it cannot, or not there.
    #[error(
        "character {position} of the password is {why}: give bytes for a password that needs it"
    )]
    PasswordCharacter {
        /// Which, counted from 0 in the form that is sealed with.
        position: usize,
        /// What it is.
        why: &'static str,
    },

    /// The password is another.
    #[error("the password is wrong")]
    WrongPassword,

    /// What a log-in keeps of a password is no hash.
    #[error("the stored password hash is damaged")]
    StoredHash,

    /// A secret has too few or too many holders.
    #[error("the number of shares is {got}, expected 2 to 255")]
    Holders {
        /// How many there are.
        got: usize,
    },

    /// One share would do, or all would not.
    #[error("the threshold is {got}, expected 2 to the number of shares")]
    Threshold {
        /// Shares that should give the secret.
        got: usize,
    },

    /// A secret is empty or too long to share.
    #[error("the secret is {got}, expected 1 to 2^20 bytes")]
    Secret {
        /// Bytes it has.
        got: usize,
    },

    /// A share does not open, is of another secret, or is given twice.
    #[error("share {position} does not open, is of another secret, or is given twice")]
    Share {
        /// Which share, counted from 0.
        position: usize,
    },

    /// There are not enough shares.
    #[error("{needed} shares are needed, and there are {got}")]
    TooFewShares {
        /// How many are needed; at least that many if there is none to tell.
        needed: usize,
        /// How many there are.
        got: usize,
    },

    /// A credential has fewer bytes than chunks.
    #[error("the credential is {got}, expected 4 bytes or more")]
    Credential {
        /// Bytes it has.
        got: usize,
    },

    /// A chunk of a credential is empty or longer than a padded block holds.
    #[error("the length of the chunk is {got}, expected 1 to 7")]
    Chunk {
        /// Bytes it was to have.
        got: usize,
    },

    /// A search would try too many keys.
    #[error("the number of unknown bits is {got}, expected 0 to 40")]
    UnknownBits {
        /// Bits that were to be tried.
        got: u32,
    },

    /// A ciphertext does not open. There is no detail, on purpose.
    #[error("the ciphertext does not open")]
    Decryption,

    /// There is no key, nonce or salt.
    #[error(transparent)]
    Keys(#[from] keys::Error),

    /// What was sealed is cut, malformed or of another version.
    #[error(transparent)]
    Wire(#[from] wire::Error),
}

fn between(least: usize, most: usize) -> String {
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}
