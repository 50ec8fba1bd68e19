//! Who signed what: certificates of providers, and what an owner announces to clouds.
//!
//! Everything here is public. An owner is known by its verification key. A node's certificate binds
//! its place and verification key, signed by the node above it; a *chain* leads from the owner down:
//!
//! ```text
//! certificate = Ed25519(key of the parent; owner, place, verification key of the place, stamp)
//! ```
//!
//! The stamp names the parent's last announcement, so that whoever holds an older one knows it. A cloud
//! that was given an owner's announcements checks every chain with them and needs nothing else.
//!
//! # Sources
//!
//! * Ed25519: RFC 8032 section 5.1, with the strict verification of Chalkias, Garillot and Nikolaenko,
//!   "Taming the Many `EdDSA`s", SSR 2020. Messages are hashed with SHA-512 first.

use std::fmt;

use super::Error;
use super::limits::{DEEPEST, at_most};
use super::place::{Node, Stamp};
use super::signature::{SIGNATURE_LEN, VERIFICATION_KEY_LEN, verify};
use crate::wire::{Buffer, Kind, Reader, Writer};

/// An owner: its verification key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub [u8; VERIFICATION_KEY_LEN]);

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owner({self})")
    }
}

/// What binds a place to a verification key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The place.
    pub subject: Node,
    /// Its verification key.
    pub key: [u8; VERIFICATION_KEY_LEN],
    /// The last announcement that the place above had made; none in certificates from before there were
    /// any, whose places have no salts.
    pub stamp: Option<Stamp>,
    /// The signature of the place above.
    pub signature: [u8; SIGNATURE_LEN],
}

impl Certificate {
    /// What the place above signs.
    pub(crate) fn message(
        owner: &Owner,
        subject: &Node,
        key: &[u8; VERIFICATION_KEY_LEN],
        stamp: Option<&Stamp>,
    ) -> Vec<u8> {
        let Some(stamp) = stamp else {
            let mut writer = Writer::default();
            writer.raw(Kind::Certificate.letters()).u8(1).raw(&owner.0);
            subject.write_without_salts(&mut writer);
            writer.raw(key);
            return writer.0;
        };
        let mut writer = Writer::new(Kind::Certificate);
        writer.raw(&owner.0);
        subject.write(&mut writer);
        writer.raw(key);
        stamp.write(&mut writer);
        writer.0
    }
}

/// Certificates from the first level below the owner down to a provider; empty for the owner.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain(pub Vec<Certificate>);

impl Chain {
    /// The provider at the end; the owner's place if the chain is empty.
    #[must_use]
    pub fn subject(&self) -> Node {
        self.0.last().map_or_else(Node::root, |certificate| certificate.subject.clone())
    }

    /// Returns the verification key of the provider at the end.
    ///
    /// # Errors
    ///
    /// [`Error::Signature`] if a certificate is not signed by the place right above it.
    pub fn verify(&self, owner: &Owner) -> Result<[u8; VERIFICATION_KEY_LEN], Error> {
        const WHAT: &str = "a certificate";
        let mut above = Node::root();
        let mut key = owner.0;
        for certificate in &self.0 {
            let subject = &certificate.subject;
            if subject.parent().is_none_or(|(parent, _)| parent != above) {
                return Err(Error::Signature { what: WHAT });
            }
            let Certificate { key: own, stamp, .. } = certificate;
            let message = Certificate::message(owner, subject, own, stamp.as_ref());
            verify(&key, &message, &certificate.signature, WHAT)?;
            above = subject.clone();
            key = certificate.key;
        }
        Ok(key)
    }

    /// The chain by itself, for whoever must learn that its provider exists.
    #[must_use]
    pub fn encode(&self, owner: &Owner) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Chain);
        writer.raw(&owner.0);
        self.write(&mut writer);
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote, and verifies it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no chain, [`Error::Signature`] if it does not verify.
    pub fn decode(bytes: &[u8]) -> Result<(Owner, Self), Error> {
        let mut reader = Reader::new(bytes, Kind::Chain)?;
        let owner = Owner(reader.array()?);
        let chain = Self::read(&mut reader)?;
        reader.end()?;
        chain.verify(&owner)?;
        Ok((owner, chain))
    }

    pub(crate) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.count(self.0.len());
        for certificate in &self.0 {
            certificate.subject.write(writer);
            writer.raw(&certificate.key).u8(certificate.stamp.is_some().into());
            if let Some(stamp) = certificate.stamp {
                stamp.write(writer);
            }
            writer.raw(&certificate.signature);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let count = length(reader)?;
        let certificate = |reader: &mut Reader<'_>| -> Result<Certificate, Error> {
            let (subject, key) = (Node::read(reader)?, reader.array()?);
            let stamp = match reader.u8()? {
                0 if subject.epochs().iter().all(|epoch| epoch.salt.is_none()) => None,
                1 => Some(Stamp::read(reader)?),
                _ => return Err(reader.fault().into()),
            };
            Ok(Certificate { subject, key, stamp, signature: reader.array()? })
        };
        Ok(Self((0..count).map(|_| certificate(reader)).collect::<Result<_, _>>()?))
    }

    /// Reads certificates from before there were salts and stamps.
    pub(crate) fn read_without_stamps(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let count = length(reader)?;
        let certificate = |reader: &mut Reader<'_>| -> Result<Certificate, Error> {
            let (subject, key) = (Node::read_without_salts(reader)?, reader.array()?);
            Ok(Certificate { subject, key, stamp: None, signature: reader.array()? })
        };
        Ok(Self((0..count).map(|_| certificate(reader)).collect::<Result<_, _>>()?))
    }
}

/// How many certificates follow.
fn length(reader: &mut Reader<'_>) -> Result<usize, Error> {
    let count = reader.count(VERIFICATION_KEY_LEN + SIGNATURE_LEN)?;
    at_most(DEEPEST, "certificates of the chain", count)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;
    use crate::message::signature::to_sign;

    const FORGED: Error = Error::Signature { what: "a certificate" };

    fn signer(byte: u8) -> SigningKey {
        SigningKey::from_bytes(&[byte; 32])
    }

    fn public(byte: u8) -> [u8; 32] {
        signer(byte).verifying_key().to_bytes()
    }

    fn owner() -> Owner {
        Owner(public(0))
    }

    fn node(path: &[&str]) -> Node {
        path.iter().fold(Node::root(), |node, name| node.child(name, 0).unwrap())
    }

    /// A certificate of a place and key, by a signer.
    fn certificate(by: u8, subject: Node, key: u8) -> Certificate {
        let stamp = Some(Stamp { number: 3, digest: [3; 32] });
        let message = Certificate::message(&owner(), &subject, &public(key), stamp.as_ref());
        let signature = signer(by).sign(&to_sign(&message)).to_bytes();
        Certificate { subject, key: public(key), stamp, signature }
    }

    /// Owner (key 0), hospital (key 1), ward (key 2).
    fn chain() -> Chain {
        Chain(vec![
            certificate(0, node(&["hospital"]), 1),
            certificate(1, node(&["hospital", "ward"]), 2),
        ])
    }

    #[test]
    fn a_chain_ends_in_the_key_of_its_subject() {
        assert_eq!(chain().verify(&owner()), Ok(public(2)));
        assert_eq!(Chain::default().verify(&owner()), Ok(public(0)));
        let bytes = chain().encode(&owner());
        assert_eq!(Chain::decode(&bytes), Ok((owner(), chain())));
    }

    #[test]
    fn a_chain_with_a_level_left_out_or_doubled_is_refused() {
        let [hospital, ward] = <[Certificate; 2]>::try_from(chain().0).unwrap();
        let by_owner = certificate(0, node(&["hospital", "ward"]), 2);
        for skipped in [vec![ward.clone()], vec![by_owner]] {
            assert_eq!(Chain(skipped).verify(&owner()), Err(FORGED));
        }
        let doubled = Chain(vec![hospital.clone(), hospital.clone(), ward.clone()]);
        assert_eq!(doubled.verify(&owner()), Err(FORGED));
        assert_eq!(Chain(vec![ward, hospital]).verify(&owner()), Err(FORGED));
        let of_the_owner = Chain(vec![certificate(0, Node::root(), 1)]);
        assert_eq!(of_the_owner.verify(&owner()), Err(FORGED));
    }

    #[test]
    fn a_provider_certifies_right_below_itself_only() {
        let mine = || certificate(0, node(&["hospital"]), 1);
        for elsewhere in
            [node(&["clinic"]), node(&["clinic", "ward"]), node(&["hospital", "w", "d"])]
        {
            let chain = Chain(vec![mine(), certificate(1, elsewhere, 2)]);
            assert_eq!(chain.verify(&owner()), Err(FORGED));
        }
        let later = Node::root().child("hospital", 1).unwrap().child("ward", 0).unwrap();
        let chain = Chain(vec![mine(), certificate(1, later, 2)]);
        assert_eq!(chain.verify(&owner()), Err(FORGED), "below a later epoch of itself");
        let self_signed = Chain(vec![certificate(1, node(&["hospital"]), 1)]);
        assert_eq!(self_signed.verify(&owner()), Err(FORGED));
    }

    #[test]
    fn a_certificate_of_another_owner_or_key_is_refused() {
        assert_eq!(chain().verify(&Owner(public(9))), Err(FORGED));
        let mut changed = chain();
        changed.0[1].key = public(3);
        assert_eq!(changed.verify(&owner()), Err(FORGED));
        let mut changed = chain();
        changed.0[0].signature = changed.0[1].signature;
        assert_eq!(changed.verify(&owner()), Err(FORGED));
        let mut changed = chain();
        changed.0[1].stamp = None;
        assert_eq!(changed.verify(&owner()), Err(FORGED));
    }

    #[test]
    fn an_owner_whose_key_everyone_can_sign_for_is_refused() {
        // The neutral element of the curve: without strict verification, R = identity and s = 0
        // would be its signature of any message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; SIGNATURE_LEN];
        signature[0] = 1;
        let refused = verify(&neutral, b"anything", &signature, "it");
        assert_eq!(refused, Err(Error::Signature { what: "it" }));
    }
}
