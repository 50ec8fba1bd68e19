//! The key tree: every key of the system is derived from the owner's root key.
//!
//! The owner holds one uniformly random key of 32 bytes. Whoever holds a key derives everything
//! below it, and nothing above or beside it, because HMAC-SHA-256 is a pseudo-random function:
//!
//! ```text
//! child = HMAC-SHA-256(parent, "mopse/v1" || str(purpose) || str(label) || be32(epoch) || salt)
//! str(s) = be32(length of s in bytes) || s,    salt = nothing, or str(of 16 bytes)
//! ```
//!
//! The lengths make the encoding unambiguous: no two of these give the same message. The salt was drawn
//! when the epoch began, so that two epochs of one number, begun from copies of one keyring, have nothing
//! in common; the first epoch has none.
//! [`Purpose`] is the whole list of purposes. One derivation costs one HMAC. Keys are wiped from
//! memory when dropped, and neither `Debug` nor any error shows them.
//!
//! # Sources
//!
//! * HMAC: RFC 2104; with SHA-256: RFC 4231.
//! * Derivation from a uniform key without an extraction step: RFC 5869 section 3.3.

pub mod coins;

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::operations::{Operation, count};

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key has the wrong length.
    #[error("the key has {got} bytes, expected {expected}")]
    KeyLength {
        /// Length the key must have, in bytes.
        expected: usize,
        /// Length it had, in bytes.
        got: usize,
    },

    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,
}

/// Bytes in every key of this crate.
pub const KEY_LEN: usize = 32;

/// What a derived key is for. A key serves one purpose only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A provider or subgroup; the label is its name below the parent.
    Node,
    /// The ruler of a field in a group; the label is the field's canonical definition, so that
    /// another schema cannot reuse its coins.
    Ruler,
    /// The coins of an order-preserving function; the label holds its domain and range.
    Order,
    /// A provider's placement in the cells of a field; the label is the field's name.
    Place,
    /// A provider's handles: pseudonyms of record ids.
    Handle,
    /// A provider's records; below it, a record (the label is its handle).
    Record,
    /// Keyword search over a provider's files.
    Keyword,
    /// A sealed file; the label is its head and what it is bound to.
    File,
    /// What seals a share of a secret; the label is its set and number.
    Share,
    /// What is sealed under a password, below what the password was stretched to.
    Password,
    /// The seed of a signing key.
    Sign,
    /// What a user's key pair is made of, which keys are encapsulated to.
    Encapsulation,
    /// The tags that show who wrote a record.
    Author,
    /// A portion of a provider's records; below it, what seals each record's.
    Portion,
    /// What stands for a record in a seal's sums.
    Leaf,
    /// What hides a seal's sums.
    Mask,
    /// Which slot of a seal's table a cell has; below the ruler.
    Slot,
    /// Pseudonyms of the values of a column in a portion that is de-identified.
    Pseudonym,
    /// By how many days the dates of a subject are shifted where they are de-identified.
    Shift,
    /// Scalars of re-encryption: a party's for a portion (the label is its name) in a readers' epoch, and a user's.
    Reencryption,
    /// Randomness of a party that was made from a seed, for experiments that must repeat.
    Seed,
}

impl Purpose {
    /// The word that stands for the purpose in a derivation.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Ruler => "ruler",
            Self::Order => "order",
            Self::Place => "place",
            Self::Handle => "handle",
            Self::Record => "record",
            Self::Keyword => "keyword",
            Self::File => "file",
            Self::Share => "share",
            Self::Password => "password",
            Self::Sign => "sign",
            Self::Encapsulation => "encapsulation",
            Self::Author => "author",
            Self::Portion => "portion",
            Self::Leaf => "leaf",
            Self::Mask => "mask",
            Self::Slot => "slot",
            Self::Pseudonym => "pseudonym",
            Self::Shift => "shift",
            Self::Reencryption => "reencryption",
            Self::Seed => "seed",
        }
    }
}

/// A secret key of the tree.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; KEY_LEN]>);

impl Key {
    /// Returns a new key from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`] if the operating system gives none.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        fill_random(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// Takes 32 uniformly random bytes as a key.
    ///
    /// # Errors
    ///
    /// [`Error::KeyLength`] if there are not 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let key = bytes
            .try_into()
            .map_err(|_| Error::KeyLength { expected: KEY_LEN, got: bytes.len() })?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// Derives the key of one purpose, label and epoch; the same three always give the same key.
    #[must_use]
    pub fn child(&self, purpose: Purpose, label: &[u8], epoch: u32) -> Self {
        self.parent().child(purpose, label, epoch)
    }

    /// Derives the key of a purpose and label in an epoch with this salt; none gives [`Key::child`].
    #[must_use]
    pub fn child_in(&self, purpose: Purpose, label: &[u8], epoch: u32, salt: &[u8]) -> Self {
        self.parent().child_in(purpose, label, epoch, salt)
    }

    /// Prepares the derivation of many children, which halves the cost of each.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes keys of any length")]
    pub fn parent(&self) -> Parent {
        let mac = Hmac::new_from_slice(self.0.as_slice()).expect("HMAC takes keys of any length");
        Parent(mac)
    }

    /// The key's bytes. Every call site is a place where the key can leak.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

/// A key that is prepared to derive children, as secret as the key.
#[derive(Clone)]
pub struct Parent(Hmac<Sha256>);

impl Parent {
    /// Derives what [`Key::child`] derives.
    #[must_use]
    pub fn child(&self, purpose: Purpose, label: &[u8], epoch: u32) -> Key {
        self.child_in(purpose, label, epoch, b"")
    }

    /// Derives what [`Key::child_in`] derives.
    #[must_use]
    pub fn child_in(&self, purpose: Purpose, label: &[u8], epoch: u32, salt: &[u8]) -> Key {
        count(Operation::Hmac, 1);
        let mut mac = self.0.clone();
        mac.update(b"mopse/v1");
        string(&mut mac, purpose.word().as_bytes());
        string(&mut mac, label);
        mac.update(&epoch.to_be_bytes());
        if !salt.is_empty() {
            string(&mut mac, salt);
        }
        Key(Zeroizing::new(mac.finalize().into_bytes().into()))
    }
}

/// Bytes after their length. Labels are names and field definitions, whose length is bounded.
fn string(mac: &mut Hmac<Sha256>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("labels are shorter than 4 GiB");
    mac.update(&length.to_be_bytes());
    mac.update(bytes);
}

impl fmt::Debug for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parent(..)")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Fills a buffer from the operating system's randomness.
///
/// # Errors
///
/// [`Error::Randomness`] if the operating system gives none.
pub fn fill_random(buffer: &mut [u8]) -> Result<(), Error> {
    SysRng.try_fill_bytes(buffer).map_err(|_| Error::Randomness)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_pass_for_part_of_the_purpose_or_epoch() {
        let root = Key::from_bytes(&[7; 32]).unwrap();
        let keys = [
            root.child(Purpose::Node, b"", 0),
            root.child(Purpose::Node, b"a", 0),
            root.child(Purpose::Node, b"a\0\0\0\0", 0),
            root.child(Purpose::Node, b"a", 1),
            root.child(Purpose::Sign, b"a", 0),
            root.child_in(Purpose::Node, b"a", 0, &[0; 16]),
            root.child_in(Purpose::Node, b"a", 0, &[1; 16]),
            root.child_in(Purpose::Node, b"a", 1, &[1; 16]),
        ];
        for (i, a) in keys.iter().enumerate() {
            for b in &keys[i + 1..] {
                assert_ne!(a.expose(), b.expose());
            }
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        for got in [0, 31, 33] {
            let error = Key::from_bytes(&vec![0; got]).unwrap_err();
            assert_eq!(error, Error::KeyLength { expected: 32, got });
        }
    }

    #[test]
    fn keys_do_not_print() {
        assert_eq!(format!("{:?}", Key::from_bytes(&[0xab; 32]).unwrap()), "Key(..)");
    }

    #[test]
    fn generated_keys_differ() {
        assert_ne!(Key::generate().unwrap().expose(), Key::generate().unwrap().expose());
    }
}
