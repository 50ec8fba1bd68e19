//! Requests for access: a user asks for records, and whoever may give them approves, refuses, or lets it be.
//!
//! A party that decides has an *address*, which it signs; requests are sealed to it, and decisions to the user
//! who asked. Both travel by whatever way there is.
//!
//! ```text
//! address    = owner || kem || encapsulation key || certificates || signature
//! request    = owner || name of the address || number || what || reason || time || end || public keys
//!              || signature of the user
//! withdrawal = owner || name of the address || number || digest of the request || time || public keys
//!              || signature of the user
//! decision   = owner || number || digest of the request || verdict || time || reason || what is given
//!              || certificates || signature of who decides
//! sealed     = owner || name of whom it is to || kem || encapsulated key || HPKE(..., info, one of these)
//! info       = "mopse/v1 request" or "mopse/v1 decision" || all of sealed before the encapsulated key
//! name       = SHA-256(address),  digest = SHA-256(request)
//! ```
//!
//! A decision names the request by its digest, so that an approval is of what was asked for and of nothing else.
//! What is given is a grant as [`share`](super::share) gives it, for this user alone: approving is sharing, and
//! is taken back as that is. It may be of fewer portions than were asked for, and end earlier.
//!
//! For an owner who is away its providers decide on their own records: each party has an address.
//!
//! # Leakage
//!
//! A sealed message tells whose records it is about, to whom it is, and how large it is: not who asks, what for,
//! or what was decided.
//!
//! # Sources
//!
//! HPKE: RFC 9180. Requests, approvals and keys that are released: as the literature on health records has them,
//! there by mail; sealed and signed here. The formats are ours.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Error;
use super::hpke::Algorithm;
use super::user::{Public, User};
use crate::keys::{Key, fill_random};
use crate::message::certificate::{Chain, Owner};
use crate::message::limits::{MOST_RECORDS, at_most};
use crate::message::signature::verify;
use crate::message::{self, envelope};
use crate::party;
use crate::party::Keyring;
use crate::party::grants::Grants;
use crate::party::requests::{Asked, State};
use crate::party::shares::{Given, KeptIds, Scope};
use crate::wire::{Buffer, Kind, Reader, Writer, append_secret};

/// Bytes of a reason, at most.
pub const LONGEST_REASON: usize = 1 << 12;

const TO_ADDRESS: &[u8] = b"mopse/v1 request";
const TO_USER: &[u8] = b"mopse/v1 decision";

/// What stands for bytes.
fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn check_reason(reason: &str) -> Result<(), Error> {
    let (got, most) = (reason.len(), LONGEST_REASON);
    if got > most { Err(Error::Reason { got, most }) } else { Ok(()) }
}

/// Where requests to a party are sealed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The owner whose records are asked for.
    pub owner: Owner,
    /// The certificates of the party; empty for the owner.
    pub issuer: Chain,
    algorithm: Algorithm,
    key: Vec<u8>,
    message: Vec<u8>,
}

/// What the label of an address's key is.
fn label(algorithm: Algorithm) -> &'static [u8] {
    match algorithm {
        Algorithm::X25519 => b"address",
        Algorithm::XWing => b"address x-wing",
    }
}

impl Address {
    /// The address of a party, as long as it has its present keys.
    #[must_use]
    pub fn of(keyring: &Keyring, algorithm: Algorithm) -> Self {
        let (owner, issuer) = (keyring.owner(), keyring.chain().clone());
        let key = algorithm.public(&keyring.address_material(label(algorithm)));
        let mut writer = envelope::of(Kind::Address, &owner);
        writer.u8(algorithm as u8).raw(&key);
        issuer.write(&mut writer);
        let message = keyring.signed(writer.0);
        Self { owner, issuer, algorithm, key, message }
    }

    /// Reads an address, and verifies that the party that it names signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error`](crate::wire::Error) if the bytes are none,
    /// [`message::Error::Signature`] if it is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Address)?;
        let algorithm = Algorithm::read(&mut reader)?;
        let key = reader.raw(algorithm.key_len())?.to_vec();
        let issuer = Chain::read(&mut reader)?;
        envelope::close(reader, bytes, &owner, &issuer, None)?;
        Ok(Self { owner, issuer, algorithm, key, message: bytes.to_vec() })
    }

    /// What travels.
    #[must_use]
    pub fn encode(&self) -> &[u8] {
        &self.message
    }

    fn name(&self) -> [u8; 32] {
        digest(&self.message)
    }

    fn seal(&self, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let to = (self.algorithm, &self.key[..]);
        seal(Kind::SealedRequest, &self.owner, &self.name(), to, TO_ADDRESS, plaintext)
    }
}

/// Seals something to a key, and says whose it is and to whom.
fn seal(
    kind: Kind,
    owner: &Owner,
    name: &[u8; 32],
    (algorithm, key): (Algorithm, &[u8]),
    info: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut writer = envelope::of(kind, owner);
    writer.raw(name).u8(algorithm as u8);
    let (encapsulated, ciphertext) = algorithm.seal(key, [info, &writer.0], plaintext)?;
    writer.raw(&encapsulated).bytes(&ciphertext);
    Ok(writer.0)
}

/// What a sealed message says of itself.
struct Sealed<'a> {
    owner: Owner,
    name: [u8; 32],
    algorithm: Algorithm,
    associated: &'a [u8],
    encapsulated: &'a [u8],
    ciphertext: &'a [u8],
}

impl<'a> Sealed<'a> {
    fn read(bytes: &'a [u8], kind: Kind) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, kind)?;
        let (name, algorithm) = (reader.array()?, Algorithm::read(&mut reader)?);
        let associated = &bytes[..reader.position()];
        let encapsulated = reader.raw(algorithm.encapsulated_len())?;
        let ciphertext = reader.bytes()?;
        reader.end()?;
        Ok(Self { owner, name, algorithm, associated, encapsulated, ciphertext })
    }

    fn open(
        &self,
        material: &Key,
        info: &[u8],
        what: &'static str,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let Self { algorithm, associated, encapsulated, ciphertext, .. } = self;
        let opened = algorithm.open(material, [info, associated], encapsulated, ciphertext);
        opened.map_err(|_| Error::Closed { what })
    }
}

/// What a user asks of whom, kept by the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// To whom it was sealed.
    pub address: Vec<u8>,
    /// What was asked for.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// When, in seconds since 1970.
    pub time: u64,
    /// When it runs out.
    pub expiry: u64,
    digest: [u8; 32],
    /// What became of it.
    pub state: State,
}

impl Own {
    pub(super) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.bytes(&self.address);
        self.scope.write(writer);
        writer.text(&self.reason).u64(self.time).u64(self.expiry).raw(&self.digest);
        self.state.write(writer);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let address = reader.bytes()?.to_vec();
        let scope = Scope::read(reader)?;
        let (reason, time, expiry) = (reader.text()?.to_owned(), reader.u64()?, reader.u64()?);
        let (digest, state) = (reader.array()?, State::read(reader)?);
        Ok(Self { address, scope, reason, time, expiry, digest, state })
    }
}

/// When a request is made and ends, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it is made.
    pub time: u64,
    /// When it runs out.
    pub expiry: u64,
}

impl User {
    /// Asks for records; returns the number of the request and what travels.
    ///
    /// # Errors
    ///
    /// [`Error::Reason`] if the reason is too long, [`message::Error::TooMany`] if too many records are named,
    /// [`Error::PublicKey`], [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn request(
        &mut self,
        address: &Address,
        scope: Scope,
        reason: &str,
        Span { time, expiry }: Span,
    ) -> Result<(u128, Vec<u8>), Error> {
        check_reason(reason)?;
        check_scope(&scope)?;
        let mut number = [0; 16];
        fill_random(&mut number)?;
        let number = u128::from_le_bytes(number);
        let mut writer = Writer::secret(Kind::AccessRequest);
        writer.raw(&address.owner.0).raw(&address.name()).u128(number);
        scope.write(&mut writer);
        writer.text(reason).u64(time).u64(expiry).bytes(self.public().encode());
        let message = self.signed(writer.0);
        let sealed = address.seal(&message)?;
        let (digest, state) = (digest(&message), State::Open);
        let (address, reason) = (address.message.clone(), reason.to_owned());
        let own = Own { address, scope, reason, time, expiry, digest, state };
        self.asked.insert(number, own);
        Ok((number, sealed))
    }

    /// Withdraws a request, at a time in seconds since 1970; returns what tells whom it was sealed to.
    ///
    /// # Errors
    ///
    /// [`party::Error::NoRequest`] if there is none of this number, [`party::Error::Decided`] if something
    /// became of it.
    pub fn withdraw(&mut self, number: u128, now: u64) -> Result<Vec<u8>, Error> {
        let own = self.asked.get(&number).ok_or(party::Error::NoRequest)?;
        match own.state {
            State::Open | State::Withdrawn(_) => {}
            _ => {
                let state = own.state.word(own.expiry, now);
                return Err(party::Error::Decided { state }.into());
            }
        }
        let address = Address::decode(&own.address)?;
        let mut writer = Writer::secret(Kind::Withdrawal);
        writer.raw(&address.owner.0).raw(&address.name()).u128(number);
        writer.raw(&own.digest).u64(now).bytes(self.public().encode());
        let sealed = address.seal(&self.signed(writer.0))?;
        if let Some(own) = self.asked.get_mut(&number) {
            own.state = State::Withdrawn(now);
        }
        Ok(sealed)
    }

    /// Reads what was decided on a request of this user, at a time in seconds since 1970, and takes what
    /// was given; returns the request's number.
    ///
    /// # Errors
    ///
    /// [`Error::OtherUser`], [`Error::Closed`] if it does not open, [`Error::OtherRequest`] if it is on no
    /// request of this user, [`party::Error::Decided`] if something else became of that before,
    /// [`message::Error::Signature`] if it is forged, [`message::Error::Scope`] if whoever decided has no right
    /// to, those of [`Given::decode`] and [`Grants::add`].
    pub fn decided(&mut self, grants: &mut Grants, sealed: &[u8], now: u64) -> Result<u128, Error> {
        const WHAT: &str = "the sealed decision";
        let sealed = Sealed::read(sealed, Kind::SealedDecision)?;
        if sealed.name != self.public().name() {
            return Err(Error::OtherUser);
        }
        let opened = sealed.open(&self.material(), TO_USER, WHAT)?;
        let mut reader = Reader::new(&opened, Kind::Decision)?;
        let owner = Owner(reader.array()?);
        let (number, on) = (reader.u128()?, reader.array::<32>()?);
        let (verdict, time) = (reader.u8()?, reader.u64()?);
        let reason = reader.text()?.to_owned();
        let given = Zeroizing::new(reader.bytes()?.to_vec());
        let issuer = Chain::read(&mut reader)?;
        envelope::close(reader, &opened, &owner, &issuer, None)?;
        check_reason(&reason)?;
        if owner != sealed.owner {
            return Err(Error::Mislabelled { what: WHAT });
        }
        let own = self.asked.get(&number).filter(|own| own.digest == on);
        let own = own.ok_or(Error::OtherRequest)?;
        let asked_of = Address::decode(&own.address)?;
        if asked_of.owner != owner {
            return Err(Error::OtherRequest);
        }
        decides(&issuer, &own.scope.provider)?;
        let state = match verdict {
            1 => State::Approved(time),
            2 => State::Refused(time, reason),
            _ => return Err(Error::Mislabelled { what: WHAT }),
        };
        match &own.state {
            State::Open => {}
            known if *known == state => return Ok(number),
            known => {
                let state = known.word(own.expiry, now);
                return Err(party::Error::Decided { state }.into());
            }
        }
        if verdict == 1 {
            let name = self.public().name();
            let read = Given::decode(&given, &name)?;
            if read.head.owner != owner || read.grant.provider.path() != own.scope.provider {
                return Err(Error::Mislabelled { what: WHAT });
            }
            grants.add_for(&name, read.grant, now)?;
            self.keep(given);
        }
        if let Some(own) = self.asked.get_mut(&number) {
            own.state = state;
        }
        Ok(number)
    }

    /// All requests that this user has made and not forgotten, by number.
    pub fn requests(&self) -> impl Iterator<Item = (u128, &Own)> {
        self.asked.iter().map(|(number, own)| (*number, own))
    }

    /// Forgets a request; what is decided on it is of no request then.
    ///
    /// # Errors
    ///
    /// [`party::Error::NoRequest`] if there is none of this number.
    pub fn forget_request(&mut self, number: u128) -> Result<(), Error> {
        self.asked.remove(&number).map(drop).ok_or_else(|| party::Error::NoRequest.into())
    }
}

/// Checks that a party may decide on records of a provider: its own, or those below it.
fn decides(issuer: &Chain, provider: &str) -> Result<(), Error> {
    let subject = issuer.subject();
    let below: Vec<&str> = provider.split('/').collect();
    if below.len() >= subject.names().len()
        && subject.names().iter().zip(&below).all(|(name, other)| name == other)
    {
        return Ok(());
    }
    let what = "decide on this request".to_owned();
    Err(message::Error::Scope { who: subject.to_string(), what }.into())
}

fn check_scope(scope: &Scope) -> Result<(), Error> {
    let records = scope.ids.as_ref().map_or(0, KeptIds::len);
    at_most(MOST_RECORDS, "records of the request", records)?;
    Ok(())
}

/// Reads a request or a withdrawal that was sealed to a party, at a time in seconds since 1970; returns the
/// request's number. One that is known already changes nothing.
///
/// # Errors
///
/// [`Error::OtherAddress`], [`Error::Closed`] if it does not open, [`message::Error::Signature`] if it is
/// forged, [`message::Error::Expired`] if it has run out, those of [`Keyring::find`] if there is no such provider in
/// reach, [`party::Error::OtherRequest`] if another one had this number; of a withdrawal
/// [`party::Error::NoRequest`] and [`party::Error::Decided`].
pub fn receive(keyring: &mut Keyring, sealed: &[u8], now: u64) -> Result<u128, Error> {
    const WHAT: &str = "the sealed request";
    let sealed = Sealed::read(sealed, Kind::SealedRequest)?;
    let own = Address::of(keyring, sealed.algorithm);
    if sealed.owner != own.owner || sealed.name != own.name() {
        return Err(Error::OtherAddress);
    }
    let material = keyring.address_material(label(sealed.algorithm));
    let opened = sealed.open(&material, TO_ADDRESS, WHAT)?;
    let is_withdrawal = Kind::of(&opened) == Some(Kind::Withdrawal);
    let kind = if is_withdrawal { Kind::Withdrawal } else { Kind::AccessRequest };
    let mut reader = Reader::new(&opened, kind)?;
    let (owner, name) = (Owner(reader.array()?), reader.array::<32>()?);
    let number = reader.u128()?;
    if owner != own.owner || name != own.name() {
        return Err(Error::Mislabelled { what: WHAT });
    }
    if is_withdrawal {
        let (on, time) = (reader.array::<32>()?, reader.u64()?);
        let user = signed_by(reader, &opened, kind)?;
        let asked = keyring.requests().find(|(known, _)| *known == number);
        let (_, asked) = asked.ok_or(party::Error::NoRequest)?;
        if asked.user != user.name() || asked.digest != on {
            return Err(party::Error::NoRequest.into());
        }
        if !matches!(asked.state, State::Withdrawn(_)) {
            if asked.state != State::Open {
                let state = asked.state.word(asked.expiry, now);
                return Err(party::Error::Decided { state }.into());
            }
            keyring.close_request(number, State::Withdrawn(time));
        }
        return Ok(number);
    }
    let scope = Scope::read(&mut reader)?;
    let (reason, time, expiry) = (reader.text()?.to_owned(), reader.u64()?, reader.u64()?);
    let user = signed_by(reader, &opened, kind)?;
    check_reason(&reason)?;
    check_scope(&scope)?;
    if now > expiry {
        return Err(message::Error::Expired { what: kind.name() }.into());
    }
    let (digest, state) = (digest(&opened), State::Open);
    let (user, public) = (user.name(), user.encode().to_vec());
    let asked = Asked { user, public, scope, reason, time, expiry, digest, state };
    keyring.note_request(number, asked)?;
    Ok(number)
}

/// The user whose public keys and signature end a message.
fn signed_by(mut reader: Reader<'_>, message: &[u8], kind: Kind) -> Result<Public, Error> {
    let user = Public::decode(reader.bytes()?)?;
    let signed = &message[..reader.position()];
    let signature = reader.array()?;
    reader.end()?;
    verify(user.verification(), signed, &signature, kind.name())?;
    Ok(user)
}

/// What is given on a request, where it is less than what was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Less {
    /// Which of the portions.
    pub portions: Option<Vec<String>>,
    /// An earlier end, in seconds since 1970.
    pub end: Option<u64>,
}

/// Approves a request at a time in seconds since 1970, and shares with the user what it asked for, or less.
///
/// # Errors
///
/// [`party::Error::NoRequest`], [`party::Error::Decided`], [`Error::Wider`] if it would be more, those of
/// [`share`](super::share); nothing is changed then.
pub fn approve(
    keyring: &mut Keyring,
    number: u128,
    less: Less,
    now: u64,
) -> Result<Vec<u8>, Error> {
    let asked = keyring.open_request(number, now)?.clone();
    let mut scope = asked.scope.clone();
    if let Some(portions) = less.portions {
        let is_less = scope
            .portions
            .as_ref()
            .is_none_or(|all| portions.iter().all(|name| all.contains(name)));
        if !is_less {
            return Err(Error::Wider { what: "portions" });
        }
        scope.portions = Some(portions);
    }
    if let Some(end) = less.end {
        if end > scope.end {
            return Err(Error::Wider { what: "the end" });
        }
        scope.end = end;
    }
    let given = keyring.given(&asked.user, &scope)?;
    let sealed = decision(keyring, number, &asked, 1, now, "", &given)?;
    keyring.note_share(asked.user, &asked.public, scope, None)?;
    keyring.close_request(number, State::Approved(now));
    Ok(sealed)
}

/// Refuses a request at a time in seconds since 1970, and says why.
///
/// # Errors
///
/// [`party::Error::NoRequest`], [`party::Error::Decided`], [`Error::Reason`] if the reason is too long.
pub fn refuse(
    keyring: &mut Keyring,
    number: u128,
    reason: &str,
    now: u64,
) -> Result<Vec<u8>, Error> {
    check_reason(reason)?;
    let asked = keyring.open_request(number, now)?.clone();
    let sealed = decision(keyring, number, &asked, 2, now, reason, b"")?;
    keyring.close_request(number, State::Refused(now, reason.to_owned()));
    Ok(sealed)
}

fn decision(
    keyring: &Keyring,
    number: u128,
    asked: &Asked,
    verdict: u8,
    now: u64,
    reason: &str,
    given: &[u8],
) -> Result<Vec<u8>, Error> {
    let user = Public::decode(&asked.public)?;
    let owner = keyring.owner();
    let mut writer = Writer::secret(Kind::Decision);
    writer.raw(&owner.0).u128(number).raw(&asked.digest).u8(verdict).u64(now);
    writer.text(reason).bytes(given);
    keyring.chain().write(&mut writer);
    let mut message = writer.0;
    let signature = keyring.sign(&message);
    append_secret(&mut message, &signature);
    seal(Kind::SealedDecision, &owner, &user.name(), user.sealed_to(), TO_USER, &message)
}
