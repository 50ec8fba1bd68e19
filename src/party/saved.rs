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
use super::hierarchy::Below;
use super::keyring::{Derived, Keyring};
use super::keywords::Uses;
use crate::cipher::aes_gcm_siv::NONCE_LEN;
use crate::cipher::password::{COMMITMENT_LEN, Ceiling, Cost, Derivation, is_committed};
use crate::cipher::{self, Cipher, aes_gcm_siv};
use crate::keys::{Key, fill_random};
use crate::message::certificate::{Chain, Owner};
use crate::message::place::{Group, Node};
use crate::schema::Schema;
use crate::wire::{self, Reader, Writer};

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
    let mut salt = [0; SALT_LEN];
    let mut nonce = [0; NONCE_LEN];
    fill_random(&mut salt)?;
    fill_random(&mut nonce)?;
    seal_with(Kind::of(keyring), &keyring.encode(), password, cost, &salt, &nonce)
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
    let contents = contents(ceiling, file, password, kind)?;
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
fn contents(
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
        writer.raw(self.key.expose()).count(self.rulers.len());
        for ruler in &self.rulers {
            writer.raw(ruler.expose());
        }
        self.chain.write(&mut writer);
        writer.count(self.below.members.len());
        self.below.members.iter().for_each(|member| member.write(&mut writer));
        writer.count(self.below.epochs.len());
        for (node, epoch) in &self.below.epochs {
            node.write(&mut writer);
            writer.u32(*epoch);
        }
        writer.count(self.below.groups.len());
        self.below.groups.iter().for_each(|group| group.write(&mut writer));
        writer.u64(self.below.revocations).count(self.below.ever.len());
        self.below.ever.iter().for_each(|member| member.write(&mut writer));
        writer.count(self.counts.len());
        for (tag, count) in &self.counts {
            writer.raw(tag).u64(*count);
        }
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, version) = Reader::of_any_version(bytes, wire::Kind::Keyring)?;
        let owner = Owner(reader.array()?);
        let schema = Schema::decode(reader.bytes()?)?;
        let node = Node::read(&mut reader)?;
        let key = Key::from_bytes(reader.raw(32)?)?;
        let count = reader.count(32)?;
        let mut rulers = Vec::with_capacity(count); // a list that grows leaves copies of its keys
        for _ in 0..count {
            rulers.push(Key::from_bytes(reader.raw(32)?)?);
        }
        let chain = Chain::read(&mut reader)?;
        let mut below = Below::default();
        for _ in 0..reader.count(8)? {
            below.members.insert(Node::read(&mut reader)?);
        }
        for _ in 0..reader.count(12)? {
            let node = Node::read(&mut reader)?;
            below.epochs.insert(node, reader.u32()?);
        }
        for _ in 0..reader.count(12)? {
            below.groups.insert(Group::read(&mut reader)?);
        }
        below.revocations = reader.u64()?;
        let mut counts = Uses::new();
        if version == 1 {
            // Nobody had attached a file yet, so those who had left by then have none.
            below.ever.clone_from(&below.members);
        } else {
            for _ in 0..reader.count(8)? {
                below.ever.insert(Node::read(&mut reader)?);
            }
            for _ in 0..reader.count(24)? {
                counts.insert(reader.array()?, reader.u64()?);
            }
        }
        let is_owner = node == Node::root();
        let expected = if is_owner { 0 } else { schema.fields().len() };
        if rulers.len() != expected || chain.subject() != node {
            return Err(reader.fault().into());
        }
        reader.end()?;
        let derived = Derived::default();
        Ok(Self { owner, schema, node, key, rulers, chain, below, counts, derived })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::party::records::Ids;
    use crate::party::scene::owner;
    use crate::party::{Indexed, Range};
    use proptest::prelude::*;
    use proptest::sample::Index;

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
        assert_eq!(open(b"wrong", Kind::Owner), cipher::Error::WrongPassword.into());
        assert_eq!(open(b"", Kind::Owner), cipher::Error::EmptyPassword.into());
        assert_eq!(open(PASSWORD, Kind::Provider), Error::OtherKind { expected: "a provider's" });
        assert_eq!(seal(&owner(1), b"", CHEAP).unwrap_err(), cipher::Error::EmptyPassword.into());
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
                cipher::Error::PasswordCost.into(),
                "{memory} {passes} {lanes}"
            );
            let cost = Cost { memory, passes, lanes };
            assert_eq!(
                seal(&owner(1), PASSWORD, cost).unwrap_err(),
                cipher::Error::PasswordCost.into()
            );
        }
    }

    #[test]
    fn a_well_formed_change_of_anything_does_not_open() {
        assert_eq!(refusal(&changed(0, b"MOPSEUPL")), Error::Damaged { what: WHAT });
        assert_eq!(
            refusal(&changed(8, &[3])),
            Error::Wire(wire::Error::Version { what: WHAT, got: 3 })
        );
        assert_eq!(refusal(&changed(8, &[1])), Error::Damaged { what: WHAT }, "an older version");
        assert_eq!(refusal(&changed(9, &[2])), Error::OtherKind { expected: "an owner's" });
        assert_eq!(refusal(&changed(9, &[0])), Error::OtherKind { expected: "an owner's" });
        assert_eq!(refusal(&changed(10, &[16])), cipher::Error::WrongPassword.into(), "the memory");
        assert_eq!(
            refusal(&changed(22, &[0; 16])),
            cipher::Error::WrongPassword.into(),
            "the salt"
        );
        assert_eq!(
            refusal(&changed(38, &[0; 12])),
            cipher::Error::WrongPassword.into(),
            "the nonce"
        );
        assert_eq!(
            refusal(&changed(50, &[0; 32])),
            cipher::Error::WrongPassword.into(),
            "the commitment"
        );
        assert_eq!(refusal(&changed(82, &[0xff; 8])), Error::Damaged { what: WHAT }, "the length");
        assert_eq!(
            refusal(&changed(92, &[0; 8])),
            cipher::Error::WrongPassword.into(),
            "the contents"
        );
        let relabelled = changed(9, &[Kind::Provider as u8]);
        assert_eq!(
            open(&relabelled, PASSWORD, Kind::Provider).unwrap_err(),
            cipher::Error::WrongPassword.into()
        );
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

    #[derive(serde::Deserialize)]
    struct Vectors {
        #[serde(with = "hex")]
        root: [u8; 32],
        files: Vec<Saved>,
    }

    #[derive(serde::Deserialize)]
    struct Saved {
        version: u8,
        #[serde(with = "hex")]
        contents: Vec<u8>,
        #[serde(with = "hex")]
        password: Vec<u8>,
        cost: [u32; 3],
        #[serde(with = "hex")]
        salt: [u8; SALT_LEN],
        #[serde(with = "hex")]
        nonce: [u8; NONCE_LEN],
        #[serde(with = "hex")]
        file: Vec<u8>,
    }

    #[test]
    fn files_are_the_known_ones_and_those_of_version_1_still_open() {
        let vectors = include_str!("../../tests/vectors/keyring.json");
        let Vectors { root, files } = serde_json::from_str(vectors).unwrap();
        for case in &files {
            let Saved { password, cost: [memory, passes, lanes], salt, nonce, .. } = case;
            let keyring = open(&case.file, password, Kind::Owner).unwrap();
            assert_eq!(*keyring.key.expose(), root);
            assert_eq!(keyring.below.members.len(), 1);
            assert_eq!(
                *contents(Ceiling::default(), &case.file, password, Kind::Owner).unwrap(),
                case.contents
            );
            if case.version == 2 {
                let cost = Cost { memory: *memory, passes: *passes, lanes: *lanes };
                let file =
                    seal_with(Kind::Owner, &case.contents, password, cost, salt, nonce).unwrap();
                assert_eq!(file, case.file);
            }
        }
        let versions: Vec<_> = files.iter().map(|case| (case.version, case.contents[8])).collect();
        assert_eq!(versions, [(1, 1), (1, 2), (2, 2)]);
    }

    #[test]
    fn what_costs_more_than_the_ceiling_is_refused_before_it_is_paid() {
        let cost = [1_u32 << 20, 16, 1].map(u32::to_le_bytes).concat();
        let file = changed(10, &cost);
        let (argument, unit) = ("most_memory", "MiB of memory");
        let refused = cipher::Error::Ceiling { argument, unit, asked: 1024, most: 256 };
        assert_eq!(refusal(&file), refused.into());
        let ceiling = Ceiling { memory: 1024, ..Ceiling::default() };
        let (argument, unit) = ("most_passes", "passes over the memory");
        let refused = cipher::Error::Ceiling { argument, unit, asked: 16, most: 4 };
        let error = open_within(ceiling, &file, PASSWORD, Kind::Owner).unwrap_err();
        assert_eq!(error, refused.into());
    }

    /// The contents of three keyring files: an owner's with two epochs, a hospital's, a ward's.
    fn three() -> [Zeroizing<Vec<u8>>; 3] {
        let mut root = owner(1);
        root.authorize("hospital", &[]).unwrap();
        root.authorize("lab", &["hospital"]).unwrap();
        let ward = root.authorize("ward", &["hospital"]).unwrap();
        root.revoke(&["hospital", "lab"]).unwrap();
        let mut hospital = root.authorize("hospital", &[]).unwrap();
        attach(&mut hospital, &[b"x-ray", b"0171"]).unwrap();
        [root, hospital, ward].map(|keyring| keyring.encode())
    }

    fn attach(provider: &mut Keyring, keywords: &[&[u8]]) -> Result<Vec<u8>, Error> {
        let cipher = &cipher::aes_gcm::AES_256;
        provider.attach(Ids::Integers(&[1]), cipher, ("name", "a/b"), b"contents", keywords)
    }

    /// What version 1 wrote: all but the last two lists.
    fn of_version_1(keyring: &Keyring) -> Vec<u8> {
        let mut later = Writer::default();
        later.count(keyring.below.ever.len());
        keyring.below.ever.iter().for_each(|node| node.write(&mut later));
        later.count(keyring.counts.len());
        let mut bytes = keyring.encode().to_vec();
        bytes.truncate(bytes.len() - later.0.len() - 24 * keyring.counts.len());
        bytes[8] = 1;
        bytes
    }

    #[test]
    fn a_keyring_of_version_1_is_read_and_of_an_unknown_one_refused() {
        let mut root = owner(1);
        let hospital = root.authorize("hospital", &[]).unwrap();
        root.authorize("ward", &["hospital"]).unwrap();
        for keyring in [root, hospital] {
            let read = Keyring::decode(&of_version_1(&keyring)).unwrap();
            assert_eq!((&read.below, &read.counts), (&keyring.below, &Uses::new()));
            assert_eq!(*read.encode(), *keyring.encode(), "it is written as version 2");
            for got in [0, 3, 255] {
                let mut bytes = keyring.encode().to_vec();
                bytes[8] = got;
                let refused = Keyring::decode(&bytes).unwrap_err();
                assert_eq!(refused, Error::Wire(wire::Error::Version { what: "the keyring", got }));
            }
        }
    }

    #[test]
    fn revocations_that_can_no_longer_be_counted_are_refused() {
        let mut root = owner(1);
        root.authorize("hospital", &[]).unwrap();
        root.below.revocations = u64::MAX;
        let bytes = root.encode();
        let mut crafted = Keyring::decode(&bytes).unwrap();
        let refused = Error::Revocations { got: u64::MAX };
        assert_eq!(crafted.revoke(&["hospital"]), Err(refused));
        assert_eq!(*crafted.encode(), *bytes, "nothing is changed");
    }

    #[test]
    fn a_keyring_survives_its_bytes() {
        for bytes in three() {
            let keyring = Keyring::decode(&bytes).unwrap();
            assert_eq!(*keyring.encode(), *bytes);
            assert_eq!(keyring.below, Keyring::decode(&bytes).unwrap().below);
            assert_eq!(keyring.counts.len(), if keyring.node.path() == "hospital" { 2 } else { 0 });
            for cut in 0..bytes.len() {
                assert!(Keyring::decode(&bytes[..cut]).is_err(), "cut at {cut}");
            }
        }
    }

    /// Does everything with a keyring that may hold nonsense.
    fn use_it(mut keyring: Keyring) {
        let range = Range { field: "age".into(), low: 0, high: 9 };
        let _ = keyring.tokens(&[range], 0);
        let _ = keyring.announcement();
        let _ = keyring.find("hospital/ward").map(|node| keyring.opener(&node).map(drop));
        let own = keyring.chain.clone();
        let _ = keyring.learn(&own.encode(&keyring.owner));
        let _ = keyring.authorize("x", &[]).map(|child| keyring.learn(&child.certificates()));
        let _ = keyring.revoke(&["hospital"]);
        let _ = keyring.revoke(&["x"]);
        let ids = Ids::Integers(&[1]);
        let age = Indexed { field: "age", rows: &[0], plaintexts: &[40] };
        let _ = keyring.upload(&[], ids, &[age], 1);
        let _ = attach(&mut keyring, &[b"x-ray", b"0171"]);
        let _ = keyring.search_files(&[b"x-ray"], 0);
    }

    proptest! {
        #[test]
        fn changed_contents_of_a_keyring_never_panic(
            which in 0..3_usize,
            at in any::<Index>(),
            to in any::<Index>(),
            number in prop_oneof![0..20_u64, any::<u64>()],
            how in 0..4,
        ) {
            let original = &three()[which];
            let mut bytes = original.to_vec();
            let at = at.index(bytes.len());
            let slice = at.min(to.index(bytes.len()))..at.max(to.index(bytes.len()));
            match how {
                0 => bytes[at] = number.to_le_bytes()[0],
                1 => drop(bytes.drain(slice)),
                2 => {
                    let copy = bytes[slice].to_vec();
                    bytes.splice(at..at, copy);
                }
                _ => {
                    let end = bytes.len().min(at + 8);
                    bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
                }
            }
            if let Ok(keyring) = Keyring::decode(&bytes) {
                // A field of the schema may have become so large that its ruler takes a while.
                if keyring.schema == owner(1).schema {
                    use_it(keyring);
                }
            }
        }
    }
}
