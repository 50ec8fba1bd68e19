//! Files under a password: keyrings at rest.
//!
//! ```text
//! file = head || commitment || length || AES-256-GCM-SIV(key, nonce, contents, head || commitment) || SHA-256
//! head = "MOPSEFIL", version 2, kind, memory, passes, lanes, salt, nonce
//! key, commitment: of password, salt and head, as in `crate::cipher::password`
//! ```
//!
//! The commitment makes sure that no file opens under two passwords; it is compared before anything is
//! opened, and costs 32 bytes. The checksum tells a damaged file from a wrong password; it is no
//! protection from an attacker, the authenticated encryption is. What a file asks of its reader has a
//! ceiling, checked before any work. Files of version 1, which commit to nothing, are still read:
//!
//! ```text
//! file = head || nonce || length || AES-256-GCM-SIV(Argon2id(password, salt), nonce, contents, head) || SHA-256
//! head = "MOPSEFIL", version 1, kind, memory, passes, lanes, salt
//! ```
//!
//! # Sources
//!
//! Argon2id and commitment as in [`crate::cipher::password`]; AES-GCM-SIV: RFC 8452.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Error;
use super::hierarchy::{Authority, Below};
use super::keyring::{Derived, Earlier, Keyring, Standing};
use super::keywords::Uses;
use super::proving::Seals;
use super::requests::Requests;
use super::shares::Shares;
use super::teams::Teams;
use super::uploading::check_names;
use crate::cipher::aes_gcm_siv::NONCE_LEN;
use crate::cipher::password::{COMMITMENT_LEN, Ceiling, Cost, Derivation, is_committed};
use crate::cipher::{self, Cipher, aes_gcm_siv};
use crate::keys::{Key, fill_random};
use crate::lock::Lock;
use crate::message::announcement::{
    Announcement, Known, epochs, members, write_epochs, write_members,
};
use crate::message::certificate::{Chain, Owner};
use crate::message::place::{Node, Stamp};
use crate::message::seal::Seal;
use crate::schema::Schema;
use crate::wire::{self, Buffer, Reader, SecretWriter, Writer};

const WHAT: &str = "the file";
const SALT_LEN: usize = 16;
const CHECKSUM_LEN: usize = 32;

/// Whose keyring a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// An owner's.
    Owner = 1,
    /// A provider's.
    Provider = 2,
    /// A user's.
    User = 3,
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
/// [`cipher::Error::EmptyPassword`], [`cipher::Error::PasswordCost`] or [`keys::Error::Randomness`](crate::keys::Error::Randomness).
pub fn seal(keyring: &Keyring, password: &[u8], cost: Cost) -> Result<Vec<u8>, Error> {
    seal_contents(Kind::of(keyring), &keyring.encode(), password, cost)
}

/// Returns contents of this kind as a file under a password, as [`seal`] does.
pub(crate) fn seal_contents(
    kind: Kind,
    contents: &[u8],
    password: &[u8],
    cost: Cost,
) -> Result<Vec<u8>, Error> {
    let mut salt = [0; SALT_LEN];
    let mut nonce = [0; NONCE_LEN];
    fill_random(&mut salt)?;
    fill_random(&mut nonce)?;
    seal_with(kind, contents, password, cost, &salt, &nonce)
}

fn seal_with(
    kind: Kind,
    contents: &[u8],
    password: &[u8],
    cost: Cost,
    salt: &[u8; SALT_LEN],
    nonce: &[u8; NONCE_LEN],
) -> Result<Vec<u8>, Error> {
    let mut file = Writer::new(wire::Kind::SavedKeyring);
    file.u8(kind as u8).u32(cost.memory).u32(cost.passes).u32(cost.lanes).raw(salt).raw(nonce);
    let (key, commitment) = Derivation::Argon2id(cost).commit(password, salt, &file.0, b"")?;
    file.raw(&commitment);
    let sealed = aes_gcm_siv::under(&key).seal(nonce, &file.0, contents)?;
    file.bytes(&sealed);
    let checksum = Sha256::digest(&file.0);
    file.raw(&checksum);
    Ok(file.0)
}

/// Opens a file of this kind with its password, at the default [`Ceiling`].
///
/// # Errors
///
/// Those of [`open_within`].
pub fn open(file: &[u8], password: &[u8], kind: Kind) -> Result<Keyring, Error> {
    open_within(Ceiling::default(), file, password, kind)
}

/// Opens a file of this kind with its password, if that costs no more than a ceiling.
///
/// # Errors
///
/// [`Error::Damaged`] if it is not what was written, [`wire::Error::Version`] if another version wrote it,
/// [`Error::OtherKind`] if it is of another kind, [`cipher::Error::PasswordCost`] if its
/// parameters are absurd, [`cipher::Error::Ceiling`], [`cipher::Error::WrongPassword`].
pub fn open_within(
    ceiling: Ceiling,
    file: &[u8],
    password: &[u8],
    kind: Kind,
) -> Result<Keyring, Error> {
    let contents = open_contents(ceiling, file, password, kind)?;
    Keyring::decode(&contents).map_err(as_damage)
}

fn as_damage(error: Error) -> Error {
    match error {
        Error::Wire(wire::Error::Format { .. }) => Error::Damaged { what: WHAT },
        error => error,
    }
}

/// What a file says before its contents.
struct Head<'a> {
    kind: u8,
    cost: Cost,
    salt: [u8; SALT_LEN],
    nonce: [u8; NONCE_LEN],
    /// What the file commits to, and how; version 1 does not.
    commitment: Option<(&'a [u8], [u8; COMMITMENT_LEN])>,
    /// What the contents are bound to.
    associated: &'a [u8],
    sealed: &'a [u8],
}

impl<'a> Head<'a> {
    fn read(body: &'a [u8]) -> Result<Self, Error> {
        let (mut reader, version) = Reader::of_any_version(body, wire::Kind::SavedKeyring)?;
        let kind = reader.u8()?;
        let cost = Cost { memory: reader.u32()?, passes: reader.u32()?, lanes: reader.u32()? };
        let salt = reader.array()?;
        let of_version_1 = &body[..reader.position()];
        let nonce = reader.array()?;
        let head = &body[..reader.position()];
        let commitment = if version == 1 { None } else { Some((head, reader.array()?)) };
        let associated = commitment.map_or(of_version_1, |_| &body[..reader.position()]);
        let sealed = reader.bytes()?;
        reader.end()?;
        Ok(Self { kind, cost, salt, nonce, commitment, associated, sealed })
    }
}

/// The contents of a file, in the clear.
pub(crate) fn open_contents(
    ceiling: Ceiling,
    file: &[u8],
    password: &[u8],
    kind: Kind,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let damaged = Error::Damaged { what: WHAT };
    let body = file.len().checked_sub(CHECKSUM_LEN).ok_or(damaged.clone())?;
    let (body, checksum) = file.split_at(body);
    if Sha256::digest(body).as_slice() != checksum {
        return Err(damaged);
    }
    let head = Head::read(body).map_err(as_damage)?;
    if head.kind != kind as u8 {
        let expected = match kind {
            Kind::Owner => "an owner's",
            Kind::Provider => "a provider's",
            Kind::User => "a user's",
        };
        return Err(Error::OtherKind { expected });
    }
    let derivation = Derivation::Argon2id(head.cost);
    derivation.check(password)?;
    ceiling.check(derivation)?;
    let key = match head.commitment {
        None => derivation.derive(password, &head.salt)?,
        Some((committed, said)) => {
            let (key, found) = derivation.commit(password, &head.salt, committed, b"")?;
            if !is_committed(&found, &said) {
                return Err(cipher::Error::WrongPassword.into());
            }
            key
        }
    };
    let opened = aes_gcm_siv::under(&key).open(&head.nonce, head.associated, head.sealed);
    Ok(opened.map(Zeroizing::new).map_err(|_| cipher::Error::WrongPassword)?)
}

impl Keyring {
    /// Everything the keyring holds, in the clear: to be sealed at once.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::secret(wire::Kind::Keyring);
        writer.raw(&self.owner.0).bytes(&self.schema.encode());
        self.node.write(&mut writer);
        writer.raw(self.key.expose());
        write_keys(&mut writer, &self.rulers);
        self.chain.write(&mut writer);
        self.standing.stamp.write(&mut writer);
        write_epochs(&mut writer, &self.standing.readers);
        writer.count(self.earlier.len());
        for Earlier { node, key, rulers } in &self.earlier {
            node.write(&mut writer);
            writer.raw(key.expose());
            write_keys(&mut writer, rulers);
        }
        writer.count(self.below.0.len());
        for (node, known) in &self.below.0 {
            node.write(&mut writer);
            write_epochs(&mut writer, &known.epochs);
            write_epochs(&mut writer, &known.readers);
            write_members(&mut writer, &known.members);
            let last = known.last.as_deref().map(Announcement::message);
            writer.bytes(&last.unwrap_or_default());
        }
        self.counts.write(&mut writer);
        write_portions(&mut writer, &self.portions);
        writer.count(self.proven.len());
        self.proven.iter().for_each(|field| {
            writer.text(field);
        });
        // What a fork has left locked is not saved, and asked for again.
        let mut seen: Vec<_> =
            self.seals.all(&self.owner).unwrap_or_default().into_iter().collect();
        seen.sort_by(|(one, _), (other, _)| one.cmp(other));
        writer.count(seen.len());
        for (_, seal) in seen {
            writer.bytes(&seal.head());
        }
        self.shares.write(&mut writer);
        self.requests.write(&mut writer);
        writer.text(&self.derivations);
        self.teams.write(&mut writer);
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, version) = Reader::of_any_version(bytes, wire::Kind::Keyring)?;
        // A keyring opens whatever its names are, also when it was opened and saved again.
        reader.take_old_names();
        let owner = Owner(reader.array()?);
        let schema = Schema::decode(reader.bytes()?)?;
        let node = if version < 3 {
            Node::read_without_salts(&mut reader)
        } else {
            Node::read(&mut reader)
        }?;
        let key = Key::from_bytes(reader.raw(32)?)?;
        let rulers = keys(&mut reader)?;
        let rest = if version < 3 {
            Rest::read_without_salts(&mut reader, version)?
        } else {
            Rest::read(&mut reader)?
        };
        let Rest { chain, standing, earlier, below, counts } = rest;
        let expected = if node == Node::root() { 0 } else { schema.fields().len() };
        if rulers.len() != expected || chain.subject() != node {
            return Err(reader.fault().into());
        }
        if earlier.iter().any(|earlier| earlier.rulers.len() != expected) {
            return Err(reader.fault().into());
        }
        let portions = if version < 3 { Vec::new() } else { portions(&mut reader)? };
        let (mut proven, mut seals) = (Vec::new(), Vec::new());
        if version > 3 {
            for _ in 0..reader.count(8)? {
                proven.push(reader.text()?.to_owned());
            }
            for _ in 0..reader.count(8)? {
                let seal = Seal::of_head(reader.bytes()?)?;
                seals.push(seal);
            }
        }
        if proven.iter().any(|name| schema.field(name).is_none()) {
            return Err(reader.fault().into());
        }
        let shares = match version {
            ..5 => Shares::default(),
            _ => Shares::read(&mut reader, version)?,
        };
        let requests = if version < 6 { Requests::default() } else { Requests::read(&mut reader)? };
        let derivations = if version < 7 { String::new() } else { reader.text()?.to_owned() };
        let teams = if version < 8 { Teams::default() } else { Teams::read(&mut reader)? };
        reader.end()?;
        // What was made since the file was written is not known.
        let ledger = Lock::new(None);
        Ok(Self {
            owner,
            schema,
            node,
            key,
            rulers,
            chain,
            standing,
            earlier,
            below,
            counts,
            derived: Derived::default(),
            portions,
            derivations,
            proven,
            ledger,
            seals: Seals::new(seals),
            shares,
            teams,
            requests,
            seed: None,
        })
    }
}

/// What a keyring holds besides its node's keys.
struct Rest {
    chain: Chain,
    standing: Standing,
    earlier: Vec<Earlier>,
    below: Below,
    counts: Uses,
}

impl Rest {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let chain = Chain::read(reader)?;
        let standing = Standing { stamp: Stamp::read(reader)?, readers: epochs(reader)? };
        let count = reader.count(48)?;
        let mut earlier = Vec::with_capacity(count); // a list that grows leaves copies of its keys
        for _ in 0..count {
            let node = Node::read(reader)?;
            let key = Key::from_bytes(reader.raw(32)?)?;
            earlier.push(Earlier { node, key, rulers: keys(reader)? });
        }
        let mut below = Below::default();
        for _ in 0..reader.count(40)? {
            let node = Node::read(reader)?;
            let (epochs, readers) = (epochs(reader)?, epochs(reader)?);
            let members = members(reader, epochs.len())?;
            let last = match reader.bytes()? {
                [] => None,
                message => Some(Known::new(Announcement::of_message(message)?)),
            };
            below.0.insert(node, Authority { epochs, readers, members, last });
        }
        let counts = Uses::read(reader)?;
        Ok(Self { chain, standing, earlier, below, counts })
    }

    /// Reads what files of version 1 and 2 hold: epochs are numbers, and nothing was announced that counts.
    fn read_without_salts(reader: &mut Reader<'_>, version: u8) -> Result<Self, Error> {
        let chain = Chain::read_without_stamps(reader)?;
        let nodes = |reader: &mut Reader<'_>| -> Result<Vec<Node>, Error> {
            let count = reader.count(8)?;
            Ok((0..count).map(|_| Node::read_without_salts(reader)).collect::<Result<_, _>>()?)
        };
        let members = nodes(reader)?;
        let mut reached = Vec::new();
        for _ in 0..reader.count(12)? {
            reached.push((Node::read_without_salts(reader)?, reader.u32()?));
        }
        let mut groups = Vec::new();
        for _ in 0..reader.count(12)? {
            groups.push((Node::read_without_salts(reader)?, reader.u32()?));
        }
        reader.u64()?; // how often something was revoked
        // In version 1 nobody had attached a file yet, so those who had left by then have none.
        let ever = if version == 1 { members.clone() } else { nodes(reader)? };
        let counts = if version == 1 { Uses::default() } else { Uses::read_of_version_2(reader)? };
        let below = Below::without_salts(&members, &ever, reached, groups)?;
        Ok(Self { chain, standing: Standing::default(), earlier: Vec::new(), below, counts })
    }
}

pub(super) fn write_portions<B: Buffer>(
    writer: &mut Writer<B>,
    portions: &[(String, Vec<String>)],
) {
    writer.count(portions.len());
    for (name, columns) in portions {
        writer.text(name).count(columns.len());
        columns.iter().for_each(|column| {
            writer.text(column);
        });
    }
}

pub(super) fn portions(reader: &mut Reader<'_>) -> Result<Vec<(String, Vec<String>)>, Error> {
    let mut portions = Vec::new();
    for _ in 0..reader.count(16)? {
        let name = reader.text()?.to_owned();
        let columns = reader.count(8)?;
        let columns = (0..columns).map(|_| Ok(reader.text()?.to_owned()));
        portions.push((name, columns.collect::<Result<_, wire::Error>>()?));
    }
    check_names(&portions)?;
    Ok(portions)
}

fn write_keys(writer: &mut SecretWriter, keys: &[Key]) {
    writer.count(keys.len());
    keys.iter().for_each(|key| {
        writer.raw(key.expose());
    });
}

fn keys(reader: &mut Reader<'_>) -> Result<Vec<Key>, Error> {
    let count = reader.count(32)?;
    let mut keys = Vec::with_capacity(count); // a list that grows leaves copies of its keys
    for _ in 0..count {
        keys.push(Key::from_bytes(reader.raw(32)?)?);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests;
