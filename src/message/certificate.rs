//! Who signed what: certificates of providers, and what an owner announces to clouds.
//!
//! Everything here is public. An owner is known by its verification key. A node's certificate binds
//! its place and verification key, signed by the node above it; a *chain* leads from the owner down:
//!
//! ```text
//! certificate = Ed25519(key of the parent; owner, place, verification key of the place)
//! ```
//!
//! A cloud that was given an owner's announcement checks every chain with it and needs nothing else.
//! The announcement also names the epoch that each group has reached, so that uploads of providers
//! who were left behind are refused.
//!
//! # Sources
//!
//! * Ed25519: RFC 8032 section 5.1, with the strict verification of Chalkias, Garillot and Nikolaenko,
//!   "Taming the Many `EdDSA`s", SSR 2020. Messages are hashed with SHA-512 first.

use std::fmt;

use super::Error;
use super::place::Node;
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
    /// The signature of the place above.
    pub signature: [u8; SIGNATURE_LEN],
}

impl Certificate {
    /// What the place above signs.
    pub(crate) fn message(owner: &Owner, subject: &Node, key: &[u8; 32]) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Certificate);
        writer.raw(&owner.0);
        subject.write(&mut writer);
        writer.raw(key);
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
            let message = Certificate::message(owner, subject, &certificate.key);
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
            writer.raw(&certificate.key).raw(&certificate.signature);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let count = reader.count(VERIFICATION_KEY_LEN + SIGNATURE_LEN)?;
        let certificate = |reader: &mut Reader<'_>| -> Result<Certificate, Error> {
            let subject = Node::read(reader)?;
            Ok(Certificate { subject, key: reader.array()?, signature: reader.array()? })
        };
        Ok(Self((0..count).map(|_| certificate(reader)).collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use std::collections::BTreeMap;

    use super::*;
    use crate::message::announcement::Announcement;
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
        let message = Certificate::message(&owner(), &subject, &public(key));
        let signature = signer(by).sign(&to_sign(&message)).to_bytes();
        Certificate { subject, key: public(key), signature }
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

    #[test]
    fn only_the_owner_announces() {
        let announcement =
            Announcement { owner: owner(), schema: [0; 32], number: 1, epochs: BTreeMap::new() };
        let signed = |by: u8| {
            let message = announcement.message();
            let signature = signer(by).sign(&to_sign(&message)).to_bytes();
            [message, signature.to_vec()].concat()
        };
        assert_eq!(Announcement::decode(&signed(0)), Ok(announcement.clone()));
        let what = "the owner's announcement";
        assert_eq!(Announcement::decode(&signed(1)), Err(Error::Signature { what }));
    }

    #[test]
    fn an_epoch_that_any_place_above_has_left_is_refused() {
        let hospital = node(&["hospital"]);
        let epochs = [(hospital.clone(), 2)].into();
        let announcement = Announcement { owner: owner(), schema: [0; 32], number: 1, epochs };
        assert_eq!(announcement.accepts(&hospital), Ok(()));
        assert_eq!(announcement.accepts(&node(&["clinic", "ward"])), Ok(()));
        for (epoch, is_accepted) in [(0, false), (1, false), (2, true), (3, true)] {
            let ward = hospital.child("ward", epoch).unwrap();
            let desk = ward.child("desk", 0).unwrap();
            assert_eq!(announcement.accepts(&ward).is_ok(), is_accepted, "epoch {epoch}");
            assert_eq!(announcement.accepts(&desk).is_ok(), is_accepted, "epoch {epoch}");
        }
    }
}
