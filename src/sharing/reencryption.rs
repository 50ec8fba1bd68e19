//! Proxy re-encryption: an owner encrypts once for all readers, a proxy turns that into what one of them opens.
//!
//! | form | who holds keys | for what |
//! | --- | --- | --- |
//! | this one | owner and users, each their own; the proxy re-encryption keys | to share |
//! | [`published`] | the server, all of them | to evaluate: it falls to its own [`attacks`](published::attacks) |
//!
//! What is wrapped is a grant of one portion of a provider's records in one readers' epoch, never a record. Whoever
//! derives the provider's keys wraps and gives keys: the owner, the provider, those above it.
//!
//! ```text
//! label    = owner || provider || portion || readers' epoch
//! a        = of the key tree, one for each label,    b = a user's or a role's,    k = drawn for each envelope
//! public   = PK = g2^b || proof that b is known
//! envelope = label || g1^(a k) || AES-256-GCM-SIV(K; grant) || C || certificates || signature
//! K || C   = HKDF-SHA256(Z^k; salt "mopse/v1 envelope", info = all of the envelope before)
//! key      = label || SHA-256(PK) || PK^(1/a) || certificates || signature                  to the proxy alone
//! released = SHA-256(envelope) || SHA-256(PK) || e(g1^(a k), PK^(1/a)) = Z^(k b)            the user: ^(1/b)
//! ```
//!
//! # Security
//!
//! Secret to proxy and cloud together, under the assumptions of the source: the transform is IND-CPA, unidirectional
//! and of a single hop. The signature lets nothing but what the owner encrypted be re-encrypted. C binds an envelope
//! to one K and so to one grant, also of a dishonest owner: a wrong answer of the proxy is refused. A user with the
//! proxy gets g2^(1/a) and so all of this label, which the user may read, and nothing of any other one. No form
//! holds against quantum computers, as [`hpke`](super::user::Algorithm::XWing) does.
//!
//! **Readers.** A joiner is given keys of the epochs that it may read: there is no key of one epoch that gives the
//! next. A leaver's keys are taken from the proxy, and new readers' epochs begin, with envelopes and keys of their
//! own; what it opened it has. Whoever opens an envelope has a grant that names nobody and can be passed on.
//!
//! # Cost
//!
//! In pairings, by `tests/benches/reencryption.rs`: a capsule 0.37 and the envelope around it 0.48; a public key, read
//! and verified, 0.71; a re-encryption key 0.33; re-encryption from bytes to bytes 1.2; opening from bytes 1.1. None
//! for any record, and no envelope for any reader. To seal a grant to a user by X25519 and to open it takes 0.25 and
//! 0.16: this is dearer throughout, and gives one envelope for all, and roles whose members no owner need know.
//!
//! # Leakage
//!
//! The proxy sees labels, who is given keys of what and who asks when; envelopes show labels and lengths. Powers are
//! taken in one time whatever the secret is, see [`pairing`](super::pairing); that a scalar is drawn again says
//! nothing of it.
//!
//! # Sources
//!
//! Ateniese, Fu, Green, Hohenberger, NDSS 2005, third scheme, without its second level; `SeSPHR`, IEEE Transactions
//! on Cloud Computing 2018, for the parties. HKDF: RFC 5869. Proof: Schnorr, J. Cryptology 1991, by Fiat and Shamir.
//!
//! # Deviations
//!
//! Keys by portion and readers' epoch, signatures, commitment and proofs are ours; so is that grants are wrapped.

mod envelope;
mod keys;
mod proxy;
pub mod published;

use crate::message;
use crate::message::certificate::{Chain, Owner};
use crate::message::place::{Epoch, Node};
use crate::party::Keyring;
use crate::wire::{Buffer, LONGEST_NAME, Reader, Writer};

use super::Error;

pub use envelope::{Envelope, scalar};
pub use keys::{Keys, Name, Public};
pub use proxy::{Key, Proxy, Released};

/// Which portion of whose records, sealed in which readers' epoch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// Whose.
    pub owner: Owner,
    /// Of which provider, with its epochs.
    pub provider: Node,
    /// Which portion.
    pub portion: String,
    /// Sealed in which readers' epoch.
    pub readers: Epoch,
}

impl Label {
    /// A portion of a provider at or below a keyring, by the number of a readers' epoch, or in the present one.
    ///
    /// # Errors
    ///
    /// Those of [`Keyring::find`], [`Error::Name`] for a portion without a name or with one that is too long,
    /// [`Error::Unknown`] if there is no such epoch.
    pub fn of(
        keyring: &Keyring,
        path: &str,
        portion: &str,
        number: Option<u32>,
    ) -> Result<Self, Error> {
        let provider = keyring.find(path)?;
        check_portion(portion)?;
        let mut known = keyring.readers(&provider).into_iter().rev();
        let readers = known.find(|epoch| number.is_none_or(|number| epoch.number == number));
        let unknown =
            || Error::Unknown { what: "readers' epoch", name: number.unwrap_or(0).to_string() };
        let (owner, portion) = (keyring.owner(), portion.to_owned());
        Ok(Self { owner, provider, portion, readers: readers.ok_or_else(unknown)? })
    }

    /// What follows the owner.
    fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        self.provider.write(writer);
        writer.text(&self.portion);
        self.readers.write(writer);
    }

    fn read(reader: &mut Reader<'_>, owner: Owner) -> Result<Self, Error> {
        let (provider, portion) = (Node::read(reader)?, reader.name()?.to_owned());
        if portion.is_empty() {
            return Err(reader.fault().into());
        }
        Ok(Self { owner, provider, portion, readers: Epoch::read(reader)? })
    }

    /// Checks that whoever signs may give what the label names.
    fn check_issuer(&self, issuer: &Chain) -> Result<(), Error> {
        let subject = issuer.subject();
        if subject.held(&self.provider) {
            return Ok(());
        }
        let what = format!("grant records of {}", self.provider);
        Err(message::Error::Scope { who: subject.to_string(), what }.into())
    }
}

fn check_portion(portion: &str) -> Result<(), Error> {
    let got = portion.len();
    if (1..=LONGEST_NAME).contains(&got) { Ok(()) } else { Err(Error::Name { got }) }
}
