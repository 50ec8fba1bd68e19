//! The proxy, which re-encrypts and reads nothing, and what it is sent and sends.

use std::collections::BTreeMap;

use super::envelope::scalar;
use super::keys::{Name, Public};
use super::{Envelope, Label};
use crate::message::certificate::Chain;
use crate::message::envelope;
use crate::party::Keyring;
use crate::sharing::Error;
use crate::sharing::pairing::{G2, Gt, Scalar};
use crate::wire::{Kind, Reader, Writer};

/// What turns the capsules of a label into those of one public key. It is the proxy's alone: a user that has it needs
/// no proxy for this label, and reads no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    label: Label,
    name: Name,
    element: G2,
    message: Vec<u8>,
}

impl Key {
    /// Makes the key for a label and a public key.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`](crate::message::Error::Scope) if the keyring cannot derive the provider's keys.
    pub fn make(keyring: &Keyring, label: &Label, public: &Public) -> Result<Self, Error> {
        Ok(Self::make_with(keyring, label, public, &scalar(keyring, label)?))
    }

    /// Makes it with a number a that is given, see [`Envelope::wrap_with`].
    #[must_use]
    pub fn make_with(keyring: &Keyring, label: &Label, public: &Public, a: &Scalar) -> Self {
        let element = public.element().power(&a.inverse());
        let mut writer = envelope::of(Kind::ReencryptionKey, &label.owner);
        label.write(&mut writer);
        writer.raw(&public.name()).raw(&element.encode());
        keyring.chain().write(&mut writer);
        let (label, name) = (label.clone(), public.name());
        Self { label, name, element, message: keyring.signed(writer.0) }
    }

    /// Reads a key, and verifies that whoever it names made it and may.
    ///
    /// # Errors
    ///
    /// [`wire::Error`](crate::wire::Error) if the bytes are none, [`Error::Group`], [`Error::Identity`],
    /// [`message::Error::Signature`](crate::message::Error::Signature) if it is forged,
    /// [`message::Error::Scope`](crate::message::Error::Scope) if whoever made it may not give the records.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::ReencryptionKey)?;
        let label = Label::read(&mut reader, owner)?;
        let (name, element) = (reader.array()?, reader.raw(G2::LEN)?);
        let issuer = Chain::read(&mut reader)?;
        envelope::close(reader, bytes, &owner, &issuer, None)?;
        label.check_issuer(&issuer)?;
        let element = G2::decode(element, Kind::ReencryptionKey.name())?;
        Ok(Self { label, name, element, message: bytes.to_vec() })
    }

    /// What travels.
    #[must_use]
    pub fn encode(&self) -> &[u8] {
        &self.message
    }

    /// Of which label it is.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// For which public key.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// PK^(1/a).
    #[must_use]
    pub fn element(&self) -> &G2 {
        &self.element
    }
}

/// An envelope's capsule, as the keys of one user or role open it.
#[derive(Debug, Clone, PartialEq)]
pub struct Released {
    pub(super) envelope: [u8; 32],
    pub(super) name: Name,
    pub(super) element: Gt,
}

impl Released {
    /// What stands for the envelope.
    #[must_use]
    pub fn envelope(&self) -> &[u8; 32] {
        &self.envelope
    }

    /// For which public key.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Z^(k b), as the proxy says.
    #[must_use]
    pub fn element(&self) -> &Gt {
        &self.element
    }

    /// What travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Released);
        writer.raw(&self.envelope).raw(&self.name).raw(&self.element.encode());
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote. Nobody signs it: the envelope shows whether it is right.
    ///
    /// # Errors
    ///
    /// [`wire::Error`](crate::wire::Error), [`Error::Group`], [`Error::Identity`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Released)?;
        let (envelope, name) = (reader.array()?, reader.array()?);
        let element = reader.raw(Gt::LEN)?;
        reader.end()?;
        let element = Gt::decode(element, Kind::Released.name())?;
        Ok(Self { envelope, name, element })
    }
}

/// A proxy: re-encryption keys, by label and by the public key they are for.
#[derive(Debug, Clone, Default)]
pub struct Proxy(BTreeMap<(Label, Name), G2>);

impl Proxy {
    /// A proxy without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many keys it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps a key that was read.
    pub fn receive(&mut self, key: &Key) {
        self.0.insert((key.label.clone(), key.name), key.element);
    }

    /// Forgets all keys for a public key, of all owners; returns how many there were.
    pub fn forget(&mut self, name: &Name) -> usize {
        let before = self.0.len();
        self.0.retain(|(_, of), _| of != name);
        before - self.0.len()
    }

    /// Re-encrypts an envelope for a public key.
    ///
    /// # Errors
    ///
    /// [`Error::NoReencryptionKey`] if it has no key of that label for it.
    pub fn re_encrypt(&self, envelope: &Envelope, name: &Name) -> Result<Released, Error> {
        let place = (envelope.label().clone(), *name);
        let key = self.0.get(&place).ok_or(Error::NoReencryptionKey)?;
        let element = Gt::pairing(envelope.capsule(), key);
        Ok(Released { envelope: envelope.digest(), name: *name, element })
    }
}
