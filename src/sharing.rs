//! Sharing: users with keys of their own, and grants that only one of them opens.
//!
//! A user is a party: it has a key to be written to and a key to sign with, and its public keys name it.
//! What an owner or a provider gives it, [`Shared`](crate::party::shares), is sealed to that key by hybrid
//! public-key encryption, and so travels by whatever way there is.
//!
//! ```text
//! public = kem || verification key || encapsulation key || signature over all before
//! name   = SHA-256(public)
//! sealed = owner || name || kem || encapsulated key || HPKE(encapsulation key, info, shared)
//! info   = "mopse/v1 grant" || all of sealed before the encapsulated key
//! HPKE   = base mode, HKDF-SHA256, AES-256-GCM;  kem = X25519, or X-Wing: ML-KEM-768 with X25519
//! ```
//!
//! A [right to search](crate::party::rights) is sealed in the same way. Users also ask: see [`request`].
//!
//! Grants are wrapped and not records: one encapsulation for each grant, whatever the number of records.
//!
//! # Leakage
//!
//! A sealed grant tells whose it is, for whom, and how large. Whoever sees several sees who shares with
//! whom. X-Wing also holds against whoever keeps what travels today and has a quantum computer later;
//! signatures do not.
//!
//! # Sources
//!
//! HPKE: RFC 9180; X-Wing: draft-connolly-cfrg-xwing-kem-10. Both by the `hpke` crate, which had no paid audit.
//! That grants are wrapped, and not records, is ours; so are the formats.

mod error;
mod hpke;
pub mod request;
pub mod search;
pub mod user;

use crate::party::Keyring;
use crate::party::rights::Terms;
use crate::party::shares::{Scope, UserName};
use user::Public;

pub use error::Error;

/// Gives a user records of a provider at or below a keyring's node, sealed to the user.
///
/// # Errors
///
/// Those of [`Keyring::find`], [`Keyring::grant`] and [`Public::seal`]; nothing is remembered then.
pub fn share(keyring: &mut Keyring, user: &Public, scope: Scope) -> Result<Vec<u8>, Error> {
    let name = user.name();
    let given = keyring.given(&name, &scope)?;
    let sealed = user.seal(&keyring.owner(), &given)?;
    keyring.note_share(name, user.encode(), scope)?;
    Ok(sealed)
}

/// Gives a user a right to search, sealed to the user, at a time in seconds since 1970.
///
/// # Errors
///
/// [`Error::Party`] for ranges that are none, or if there is no group to search, those of [`Public::seal`];
/// nothing is remembered then.
pub fn delegate(
    keyring: &mut Keyring,
    user: &Public,
    mut terms: Terms,
    now: u64,
) -> Result<Vec<u8>, Error> {
    // The same ranges in another order are the same right.
    terms.ranges.sort_by(|one, other| one.field.cmp(&other.field));
    let (name, verification) = (user.name(), *user.verification());
    let id = keyring.right_number(&name, &terms)?;
    let given = keyring.delegated((&name, &verification), id, &terms, now)?;
    let sealed = user.seal(&keyring.owner(), &given)?;
    keyring.note_right((name, user.encode()), verification, id, terms)?;
    Ok(sealed)
}

/// Public keys of somebody who stays, and the grants that are sealed to it anew.
pub type Anew = (Vec<u8>, Vec<Vec<u8>>);

/// Takes back what a user was given, as [`Keyring::unshare`] does; returns what everybody who stays needs.
///
/// # Errors
///
/// Those of [`Keyring::unshare`] and [`Public::seal`].
pub fn unshare(keyring: &mut Keyring, user: &UserName, now: u64) -> Result<Vec<Anew>, Error> {
    let owner = keyring.owner();
    let anew = keyring.unshare(user, now)?.into_iter().map(|renewed| {
        let public = Public::decode(&renewed.public)?;
        let sealed = renewed.given.iter().map(|given| public.seal(&owner, given));
        Ok((renewed.public, sealed.collect::<Result<_, Error>>()?))
    });
    anew.collect()
}
