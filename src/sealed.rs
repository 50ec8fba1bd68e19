//! Files under a password: keyrings at rest.
//!
//! ```text
//! file = head || nonce || AES-256-GCM-SIV(Argon2id(password, salt), contents, head) || SHA-256
//! head = "MOPSEFIL", version, kind, memory, passes, lanes, salt
//! ```
//!
//! The checksum tells a damaged file from a wrong password; it is no protection from an attacker, the
//! authenticated encryption is. Parameters beyond the bounds are refused before they are used, so
//! that a file cannot make its reader run out of memory or time.
//!
//! # Sources
//!
//! Argon2id as in [`crate::password`]; AES-GCM-SIV: RFC 8452.

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Error;
use crate::keys::fill_random;
use crate::party::Keyring;
use crate::password::{Cost, Derivation};
use crate::path::Node;
use crate::wire::{Reader, Writer};

const WHAT: &str = "the file";
const SALT_LEN: usize = 16;
const NONCE_LEN: usize = 12;
const CHECKSUM_LEN: usize = 32;

/// Whose keyring a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// An owner's.
    Owner = 1,
    /// A provider's.
    Provider = 2,
}

impl Kind {
    fn of(keyring: &Keyring) -> Self {
        if *keyring.node() == Node::root() { Self::Owner } else { Self::Provider }
    }
}

/// Returns a keyring as a file under a password.
///
/// # Errors
///
/// [`Error::EmptyPassword`], [`Error::PasswordCost`] or [`Error::Randomness`].
pub fn seal(keyring: &Keyring, password: &[u8], cost: Cost) -> Result<Vec<u8>, Error> {
    let mut random = [0; SALT_LEN + NONCE_LEN];
    fill_random(&mut random)?;
    let (salt, nonce) = random.split_at(SALT_LEN);
    let mut file = Writer::new(b"MOPSEFIL");
    file.u8(Kind::of(keyring) as u8).u32(cost.memory).u32(cost.passes).u32(cost.lanes).raw(salt);
    let key = Derivation::Argon2id(cost).derive(password, salt)?;
    let cipher = Aes256GcmSiv::new(key.expose().into());
    let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| Error::Randomness)?;
    let contents = keyring.encode();
    let sealed = cipher
        .encrypt(&Nonce::from(nonce), Payload { msg: &contents, aad: &file.0 })
        .map_err(|_| Error::Damaged { what: WHAT })?;
    file.raw(&nonce).bytes(&sealed);
    let checksum = Sha256::digest(&file.0);
    file.raw(&checksum);
    Ok(file.0)
}

/// Opens a file of this kind with its password.
///
/// # Errors
///
/// [`Error::Damaged`] if it is not what was written, [`Error::Version`] if another version wrote it,
/// [`Error::OtherKind`] if it is of another kind, [`Error::PasswordCost`] if its parameters are
/// absurd, [`Error::WrongPassword`].
pub fn open(file: &[u8], password: &[u8], kind: Kind) -> Result<Keyring, Error> {
    let damaged = Error::Damaged { what: WHAT };
    let body = file.len().checked_sub(CHECKSUM_LEN).ok_or(damaged.clone())?;
    let (body, checksum) = file.split_at(body);
    if Sha256::digest(body).as_slice() != checksum {
        return Err(damaged);
    }
    let as_damage = |error| match error {
        Error::Format { .. } => Error::Damaged { what: WHAT },
        error => error,
    };
    let mut reader = Reader::new(body, b"MOPSEFIL", WHAT).map_err(as_damage)?;
    let mut read = || -> Result<_, Error> {
        let written = reader.u8()?;
        let cost = Cost { memory: reader.u32()?, passes: reader.u32()?, lanes: reader.u32()? };
        let salt: [u8; SALT_LEN] = reader.array()?;
        let head = &body[..reader.position()];
        let nonce: [u8; NONCE_LEN] = reader.array()?;
        Ok((written, cost, salt, head, nonce, reader.bytes()?))
    };
    let (written, cost, salt, head, nonce, sealed) = read().map_err(as_damage)?;
    reader.end().map_err(as_damage)?;
    if written != kind as u8 {
        let expected = match kind {
            Kind::Owner => "an owner's",
            Kind::Provider => "a provider's",
        };
        return Err(Error::OtherKind { expected });
    }
    let key = Derivation::Argon2id(cost).derive(password, &salt)?;
    let cipher = Aes256GcmSiv::new(key.expose().into());
    let contents = cipher
        .decrypt(&Nonce::from(nonce), Payload { msg: sealed, aad: head })
        .map_err(|_| Error::WrongPassword)?;
    Keyring::decode(&Zeroizing::new(contents)).map_err(as_damage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::party::tests::owner;

    const CHEAP: Cost = Cost { memory: 8, passes: 1, lanes: 1 };
    const PASSWORD: &[u8] = b"correct horse battery staple";

    fn file() -> Vec<u8> {
        seal(&owner(1), PASSWORD, CHEAP).unwrap()
    }

    /// A file with other bytes at a place, and the checksum that makes it look undamaged.
    fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut file = file();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file.truncate(file.len() - CHECKSUM_LEN);
        let checksum = Sha256::digest(&file);
        file.extend(checksum);
        file
    }

    fn refusal(file: &[u8]) -> Error {
        open(file, PASSWORD, Kind::Owner).unwrap_err()
    }

    #[test]
    fn a_file_opens_with_its_password_and_kind_only() {
        assert_eq!(open(&file(), PASSWORD, Kind::Owner).unwrap().owner(), owner(1).owner());
        let open = |password, kind| open(&file(), password, kind).unwrap_err();
        assert_eq!(open(b"wrong", Kind::Owner), Error::WrongPassword);
        assert_eq!(open(b"", Kind::Owner), Error::EmptyPassword);
        assert_eq!(open(PASSWORD, Kind::Provider), Error::OtherKind { expected: "a provider's" });
        assert_eq!(seal(&owner(1), b"", CHEAP).unwrap_err(), Error::EmptyPassword);
    }

    #[test]
    fn every_changed_or_missing_byte_is_damage() {
        let file = file();
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert_eq!(refusal(&changed), Error::Damaged { what: WHAT }, "byte {at}");
            assert_eq!(refusal(&file[..at]), Error::Damaged { what: WHAT }, "cut at {at}");
        }
        assert_eq!(refusal(&[&file[..], &[0]].concat()), Error::Damaged { what: WHAT });
    }

    #[test]
    fn absurd_costs_are_refused_before_they_are_paid() {
        let max = u32::MAX;
        for (memory, passes, lanes) in [
            (max, 1, 1),
            (8, max, 1),
            (8, 1, max),
            (max, max, max),
            (8, 1, 1 << 29),
            (1 << 21, 1, 1),
            (64, 17, 1),
            (1024, 1, 17),
            (7, 1, 1),
            (15, 1, 2),
            (0, 1, 1),
            (8, 0, 1),
            (8, 1, 0),
        ] {
            let cost = [memory, passes, lanes].map(u32::to_le_bytes).concat();
            assert_eq!(
                refusal(&changed(10, &cost)),
                Error::PasswordCost,
                "{memory} {passes} {lanes}"
            );
            let cost = Cost { memory, passes, lanes };
            assert_eq!(seal(&owner(1), PASSWORD, cost).unwrap_err(), Error::PasswordCost);
        }
    }

    #[test]
    fn a_well_formed_change_of_anything_does_not_open() {
        assert_eq!(refusal(&changed(0, b"MOPSEUPL")), Error::Damaged { what: WHAT });
        assert_eq!(refusal(&changed(8, &[2])), Error::Version { what: WHAT, got: 2 });
        assert_eq!(refusal(&changed(9, &[2])), Error::OtherKind { expected: "an owner's" });
        assert_eq!(refusal(&changed(9, &[0])), Error::OtherKind { expected: "an owner's" });
        assert_eq!(refusal(&changed(10, &[16])), Error::WrongPassword, "the memory");
        assert_eq!(refusal(&changed(22, &[0; 16])), Error::WrongPassword, "the salt");
        assert_eq!(refusal(&changed(38, &[0; 12])), Error::WrongPassword, "the nonce");
        assert_eq!(refusal(&changed(50, &[0xff; 8])), Error::Damaged { what: WHAT }, "the length");
        assert_eq!(refusal(&changed(60, &[0; 8])), Error::WrongPassword, "the contents");
        let relabelled = changed(9, &[Kind::Provider as u8]);
        assert_eq!(open(&relabelled, PASSWORD, Kind::Provider).unwrap_err(), Error::WrongPassword);
    }

    #[test]
    fn two_files_of_one_keyring_share_no_salt_nonce_or_ciphertext() {
        let (one, two) = (file(), file());
        assert_eq!(one[..22], two[..22]);
        assert!(
            one[22..]
                .chunks_exact(8)
                .zip(two[22..].chunks_exact(8))
                .filter(|(a, b)| a == b)
                .count()
                < 2
        );
    }
}
