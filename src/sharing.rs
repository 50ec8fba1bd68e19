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
//! Grants that are wrapped once for all readers, and what the literature has: [`reencryption`].
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
pub mod pairing;
pub mod reencryption;
pub mod request;
pub mod search;
pub mod user;

use crate::party::Keyring;
use crate::party::leaving::Renewed;
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
    keyring.note_share(name, user.encode(), scope, None)?;
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

/// Public keys of a user, and what is sealed to it anew.
pub type Anew = (Vec<u8>, Vec<Vec<u8>>);

/// Takes back what a user was given, as [`Keyring::unshare`] does; returns what everybody who stays needs.
///
/// # Errors
///
/// Those of [`Keyring::unshare`] and [`Public::seal`].
pub fn unshare(keyring: &mut Keyring, user: &UserName, now: u64) -> Result<Vec<Anew>, Error> {
    let renewed = keyring.unshare(user, now)?;
    sealed(keyring, renewed)
}

/// Takes back what a user was given until its suspension is lifted, as [`Keyring::suspend`] does.
///
/// # Errors
///
/// Those of [`Keyring::suspend`] and [`Public::seal`].
pub fn suspend(keyring: &mut Keyring, user: &UserName, now: u64) -> Result<Vec<Anew>, Error> {
    let renewed = keyring.suspend(user, now)?;
    sealed(keyring, renewed)
}

/// Lifts a suspension, as [`Keyring::reinstate`] does; returns what the user is given again.
///
/// # Errors
///
/// Those of [`Keyring::reinstate`] and [`Public::seal`].
pub fn reinstate(keyring: &mut Keyring, user: &UserName, now: u64) -> Result<Anew, Error> {
    let renewed = keyring.reinstate(user, now)?;
    sealed_to(keyring, renewed)
}

/// Takes back what a user was given, and never gives anything to its keys again.
///
/// # Errors
///
/// Those of [`Keyring::unshare`] and [`Public::seal`].
pub fn revoke(keyring: &mut Keyring, user: &Public, now: u64) -> Result<Vec<Anew>, Error> {
    let renewed = keyring.revoke_user(&user.name(), user.encode(), now)?;
    sealed(keyring, renewed)
}

/// Adds a user to a team, as [`Keyring::form_team`] made it; returns what it is given.
///
/// # Errors
///
/// [`Error::Party`] if there is no such team, or the user is given nothing any more, those of
/// [`Public::seal`]; nothing is changed then.
pub fn join_team(
    keyring: &mut Keyring,
    team: &str,
    user: &Public,
    now: u64,
) -> Result<Anew, Error> {
    // A member that nothing can be sealed to would be in the way of all the others.
    user.seal(&keyring.owner(), b"")?;
    let renewed = keyring.join_team(team, (user.name(), user.encode()), now)?;
    sealed_to(keyring, renewed)
}

/// Gives a team records, as [`Keyring::share_with_team`] does; returns what each member is given.
///
/// # Errors
///
/// Those of [`Keyring::share_with_team`] and [`Public::seal`].
pub fn share_with_team(
    keyring: &mut Keyring,
    team: &str,
    scope: Scope,
) -> Result<Vec<Anew>, Error> {
    let renewed = keyring.share_with_team(team, scope)?;
    sealed(keyring, renewed)
}

/// Removes a user from a team, as [`Keyring::leave_team`] does; returns what everybody needs who stays.
///
/// # Errors
///
/// Those of [`Keyring::leave_team`] and [`Public::seal`].
pub fn leave_team(
    keyring: &mut Keyring,
    team: &str,
    user: &UserName,
    now: u64,
) -> Result<Vec<Anew>, Error> {
    let renewed = keyring.leave_team(team, user, now)?;
    sealed(keyring, renewed)
}

/// Disbands a team, as [`Keyring::disband_team`] does; returns what everybody needs who stays.
///
/// # Errors
///
/// Those of [`Keyring::disband_team`] and [`Public::seal`].
pub fn disband_team(keyring: &mut Keyring, team: &str, now: u64) -> Result<Vec<Anew>, Error> {
    let renewed = keyring.disband_team(team, now)?;
    sealed(keyring, renewed)
}

fn sealed(keyring: &Keyring, renewed: Vec<Renewed>) -> Result<Vec<Anew>, Error> {
    renewed.into_iter().map(|of| sealed_to(keyring, of)).collect()
}

fn sealed_to(keyring: &Keyring, renewed: Renewed) -> Result<Anew, Error> {
    let (public, owner) = (Public::decode(&renewed.public)?, keyring.owner());
    let sealed = renewed.given.iter().map(|given| public.seal(&owner, given));
    Ok((renewed.public, sealed.collect::<Result<_, Error>>()?))
}
