//! Envelopes: grants, each closed by a capsule for all who will be given a re-encryption key.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::keys::{Keys, halved};
use super::proxy::Released;
use super::{Label, check_portion};
use crate::cipher::{TAG_LEN, aes_gcm_siv};
use crate::message::certificate::Chain;
use crate::message::envelope;
use crate::party::Keyring;
use crate::party::grants::{Grant, Opener, Share};
use crate::sharing::Error;
use crate::sharing::pairing::{G1, Gt, Scalar};
use crate::wire::Kind;

/// Bytes of what binds an envelope to one key.
const COMMITMENT_LEN: usize = 32;

const SALT: &[u8] = b"mopse/v1 envelope";

/// Each key seals one grant.
const NONCE: [u8; aes_gcm_siv::NONCE_LEN] = [0; aes_gcm_siv::NONCE_LEN];

const WHAT: &str = Kind::Envelope.name();

/// The scalar a of a label, for whoever derives the keys of its provider.
///
/// # Errors
///
/// [`message::Error::Scope`](crate::message::Error::Scope) names a provider whose key this keyring cannot derive.
pub fn scalar(keyring: &Keyring, label: &Label) -> Result<Scalar, Error> {
    let Label { provider, portion, readers, .. } = label;
    Ok(halved(&keyring.reencryption_material(provider, portion, *readers)?, b"label"))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// The first 64 bytes of HKDF-SHA256: RFC 5869 section 2.
fn hkdf(salt: &[u8], secret: &[u8], info: &[u8]) -> [Zeroizing<[u8; 32]>; 2] {
    let extracted = hmac(salt, &[secret]);
    let first = hmac(&*extracted, &[info, &[1]]);
    let second = hmac(&*extracted, &[&*first, info, &[2]]);
    [first, second]
}

/// K and C.
fn keyed(opened: &Gt, before: &[u8]) -> [Zeroizing<[u8; 32]>; 2] {
    hkdf(SALT, &*Zeroizing::new(opened.encode()), before)
}

/// A grant of a portion of a provider's records in a readers' epoch, closed by a capsule.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    label: Label,
    capsule: G1,
    /// How long what K depends on is.
    before: usize,
    ciphertext: Vec<u8>,
    commitment: [u8; COMMITMENT_LEN],
    message: Vec<u8>,
}

impl Envelope {
    /// Wraps a grant of what a label names, which ends at a time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`](crate::message::Error::Scope) if the keyring cannot derive the provider's keys,
    /// [`Error::Name`], [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn wrap(keyring: &Keyring, label: &Label, end: u64) -> Result<Self, Error> {
        Self::wrap_with(keyring, label, end, &scalar(keyring, label)?, &Scalar::generate()?)
    }

    /// Wraps with numbers a and k that are given. With one a for several labels a reader of one and the proxy read
    /// all of them; with one k, whoever opens one envelope.
    ///
    /// # Errors
    ///
    /// Those of [`wrap`](Self::wrap).
    pub fn wrap_with(
        keyring: &Keyring,
        label: &Label,
        end: u64,
        a: &Scalar,
        k: &Scalar,
    ) -> Result<Self, Error> {
        check_portion(&label.portion)?;
        let portions = [label.portion.clone()];
        let share = Share { ids: None, portions: Some(&portions), holder: b"", end };
        let mut grant = keyring.grant_in(&label.provider, &share, vec![label.readers])?;
        let capsule = G1::of_generator(&a.times(k));
        let mut writer = envelope::of(Kind::Envelope, &label.owner);
        label.write(&mut writer);
        writer.raw(&capsule.encode());
        let before = writer.0.len();
        let [key, commitment] = keyed(&Gt::of_generator(k), &writer.0);
        let tag = aes_gcm_siv::seal_in_place(&key, &NONCE, b"", &mut grant);
        let ciphertext = [&grant[..], &tag].concat();
        writer.bytes(&ciphertext).raw(&*commitment);
        keyring.chain().write(&mut writer);
        let (label, commitment) = (label.clone(), *commitment);
        let message = keyring.signed(writer.0);
        Ok(Self { label, capsule, before, ciphertext, commitment, message })
    }

    /// Reads an envelope, and verifies that whoever it names wrapped it and may.
    ///
    /// # Errors
    ///
    /// [`wire::Error`](crate::wire::Error) if the bytes are none, [`Error::Group`], [`Error::Identity`],
    /// [`message::Error::Signature`](crate::message::Error::Signature) if it is forged,
    /// [`message::Error::Scope`](crate::message::Error::Scope) if whoever wrapped it may not give the records.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Envelope)?;
        let label = Label::read(&mut reader, owner)?;
        let capsule = reader.raw(G1::LEN)?;
        let before = reader.position();
        let (ciphertext, commitment) = (reader.bytes()?.to_vec(), reader.array()?);
        let issuer = Chain::read(&mut reader)?;
        envelope::close(reader, bytes, &owner, &issuer, None)?;
        label.check_issuer(&issuer)?;
        let capsule = G1::decode(capsule, WHAT)?;
        let message = bytes.to_vec();
        Ok(Self { label, capsule, before, ciphertext, commitment, message })
    }

    /// What travels.
    #[must_use]
    pub fn encode(&self) -> &[u8] {
        &self.message
    }

    /// What stands for it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.message).into()
    }

    /// What it opens.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// g1^(a k).
    #[must_use]
    pub fn capsule(&self) -> &G1 {
        &self.capsule
    }

    /// Opens it by Z^k, and returns the grant, as it travels.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if that is another one's, [`Error::Mislabelled`] if it holds another grant than it says,
    /// those of [`Grant::decode`].
    pub fn opened(&self, by: &Gt) -> Result<Zeroizing<Vec<u8>>, Error> {
        const CLOSED: Error = Error::Closed { what: WHAT };
        let [key, commitment] = keyed(by, &self.message[..self.before]);
        if !bool::from(commitment.ct_eq(&self.commitment)) {
            return Err(CLOSED);
        }
        let (ciphertext, tag) = self.ciphertext.split_last_chunk::<TAG_LEN>().ok_or(CLOSED)?;
        let mut opened = Zeroizing::new(ciphertext.to_vec());
        if !aes_gcm_siv::open_in_place(&key, &NONCE, b"", &mut opened, tag) {
            return Err(CLOSED);
        }
        let grant = Grant::decode(&opened)?;
        let Label { owner, provider, portion, readers } = &self.label;
        let is_of = |(epoch, opener): (_, &Opener)| {
            epoch == readers
                && opener.portions() == Some(vec![portion])
                && opener.records().is_none()
        };
        let is_as_said = grant.owner == *owner && grant.provider == *provider;
        if !is_as_said || grant.openers.len() != 1 || !grant.openers.iter().all(is_of) {
            return Err(Error::Mislabelled { what: Kind::Grant.name() });
        }
        Ok(opened)
    }
}

impl Keys {
    /// Opens an envelope that the proxy re-encrypted for these keys; returns the grant, as it travels.
    ///
    /// # Errors
    ///
    /// [`Error::OtherWrapping`] if it was re-encrypted for other keys, or is another envelope;
    /// those of [`Envelope::opened`], among them [`Error::Closed`] if the proxy answered wrongly.
    pub fn open(
        &self,
        envelope: &Envelope,
        released: &Released,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        if released.name != self.public().name() || released.envelope != envelope.digest() {
            return Err(Error::OtherWrapping { what: Kind::Released.name() });
        }
        envelope.opened(&released.element.power(&self.secret().inverse()))
    }
}
