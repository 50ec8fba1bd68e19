//! The right to amend: with it a provider adds records of its own that each name a record of another.
//!
//! ```text
//! head       = owner, amender and epochs, readers' epoch, amended and epochs, schema, end, number,
//!              count, root, certificates || signature
//! permission = head || amendment, record, version, id of each, amendments ascending
//! root       = tree over the bytes of each, see `tree`
//! amendment  = the handle that the amending record has, so that another one cannot have it
//! id         = SHA-256("MOPSEAID" || secret number || id of the record)[..16]
//! ```
//!
//! It is signed by the owner, or by an authority above both providers. Each record that it names is named
//! with the version that it had then. The head travels inside the amendments, sealed, with what shows that
//! one record is among those that were signed: whoever opens an amendment checks it and learns of no other.
//! The secret number is in the same portion as the id, so that who may not open that does not guess it.
//!
//! **It ends** with the amender's readers' epoch, as grants do: a cloud refuses what is sealed in an older one,
//! and whoever opens an amendment that is sealed in another one than its permission names refuses it. Its
//! end in time binds an amender that tells the time rightly: who opens compares it with the time that the
//! amendment says of itself.
//!
//! # Leakage
//!
//! Who sees a permission on its way learns who may amend whose records and how many, and their pseudonyms.
//! A cloud is shown none.

use sha2::{Digest, Sha256};

use super::Error;
use super::certificate::{Chain, Owner};
use super::envelope;
use super::limits::{MOST_RECORDS, at_most};
use super::place::{Epoch, Node};
use super::tree::{self, Hash, Tree};
use super::upload::Version;
use crate::wire::{Kind, Reader, Writer};

const WHAT: &str = "the permission to amend";

/// Nodes of a path at most: as many levels as a tree over [`MOST_RECORDS`] has.
const LONGEST_PATH: usize = 16;

/// A record that may be amended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permitted {
    /// The handle that the amendment has at the amender.
    pub amendment: u128,
    /// The handle of the record at its provider.
    pub record: u128,
    /// The version of the record, as a number.
    pub version: u128,
    /// What commits to the record's id.
    pub id: u128,
}

impl Permitted {
    fn write(&self, writer: &mut Writer) {
        let Self { amendment, record, version, id } = *self;
        writer.u128(amendment).u128(record).u128(version).u128(id);
    }

    fn leaf(&self) -> Hash {
        let mut writer = Writer::default();
        self.write(&mut writer);
        tree::leaf(&writer.0)
    }

    /// What commits to an id without telling it to who lacks the secret number.
    pub(crate) fn commitment(secret: u128, id: &[u8]) -> u128 {
        let mut writer = Writer::default();
        writer.raw(b"MOPSEAID").u128(secret).raw(id);
        let digest: [u8; 32] = Sha256::digest(writer.0).into();
        let (halves, _) = digest.as_chunks();
        u128::from_le_bytes(halves[0])
    }
}

/// What shows that one record is among those that a permission names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub record: u128,
    pub version: Version,
    pub id: u128,
    /// Which of those that the permission names, counted from 0.
    at: u64,
    path: Vec<Hash>,
}

impl Link {
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.u128(self.record).u128(self.version.0).u128(self.id).u64(self.at);
        writer.count(self.path.len());
        self.path.iter().for_each(|node| {
            writer.raw(node);
        });
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (record, version, id) = (reader.u128()?, Version(reader.u128()?), reader.u128()?);
        let (at, count) = (reader.u64()?, reader.count(32)?);
        at_most(LONGEST_PATH, "nodes of a path", count)?;
        let path = (0..count).map(|_| reader.array()).collect::<Result<_, _>>()?;
        Ok(Self { record, version, id, at, path })
    }
}

/// The signed head of a permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The owner.
    pub owner: Owner,
    /// Who may amend, in its epochs.
    pub amender: Node,
    /// The readers' epoch that amendments are sealed in.
    pub readers: Epoch,
    /// Whose records, in its epochs.
    pub amended: Node,
    /// The digest of the schema.
    pub schema: [u8; 32],
    /// When it ends, in seconds since 1970.
    pub end: u64,
    /// A random number.
    pub number: u128,
    /// How many records it names.
    pub count: u64,
    /// What commits to them.
    pub root: Hash,
    /// The certificates of who gave it; empty for the owner.
    pub issuer: Chain,
}

impl Permission {
    /// The permission to amend some records, in the order of their amendments, as it travels.
    pub(crate) fn signed(
        &self,
        records: &[Permitted],
        sign: impl FnOnce(Vec<u8>) -> Vec<u8>,
    ) -> Vec<u8> {
        let root = Tree::new(records.iter().map(Permitted::leaf).collect()).root();
        let whole = Self { root, count: records.len() as u64, ..self.clone() };
        let mut writer = Writer(sign(whole.message()));
        records.iter().for_each(|record| record.write(&mut writer));
        writer.0
    }

    /// What the issuer signs.
    fn message(&self) -> Vec<u8> {
        let mut writer = envelope::of(Kind::Permission, &self.owner);
        self.amender.write(&mut writer);
        self.readers.write(&mut writer);
        self.amended.write(&mut writer);
        writer.raw(&self.schema).u64(self.end).u128(self.number).u64(self.count).raw(&self.root);
        self.issuer.write(&mut writer);
        writer.0
    }

    /// Reads the head alone, and verifies that whoever it names gave it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no head of a permission,
    /// [`Error::Signature`] if it is forged, [`Error::Scope`] if the issuer may not give it.
    pub fn decode_head(bytes: &[u8]) -> Result<Self, Error> {
        let (permission, reader) = Self::read(bytes)?;
        reader.end()?;
        Ok(permission)
    }

    fn read(bytes: &[u8]) -> Result<(Self, Reader<'_>), Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Permission)?;
        let (amender, readers) = (Node::read(&mut reader)?, Epoch::read(&mut reader)?);
        let (amended, schema) = (Node::read(&mut reader)?, reader.array()?);
        let (end, number, count) = (reader.u64()?, reader.u128()?, reader.u64()?);
        let (root, issuer) = (reader.array()?, Chain::read(&mut reader)?);
        envelope::signed(&mut reader, bytes, &owner, &issuer, None)?;
        let above = issuer.subject();
        let is_above = |node: &Node| above.holds(node) && above != *node;
        if !is_above(&amender) || !is_above(&amended) || amender.names() == amended.names() {
            let what = format!("permit {amender} to amend records of {amended}");
            return Err(Error::Scope { who: above.to_string(), what });
        }
        let permission =
            Self { owner, amender, readers, amended, schema, end, number, count, root, issuer };
        Ok((permission, reader))
    }

    /// Whether a record is among those that are permitted, for the amendment that has a handle.
    pub(crate) fn names(&self, amendment: u128, link: &Link) -> bool {
        let Link { record, version, id, at, ref path } = *link;
        let leaf = Permitted { amendment, record, version: version.0, id }.leaf();
        tree::root_of(self.count, at, &[leaf], path) == Some(self.root)
    }
}

/// A permission, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// What was signed.
    pub permission: Permission,
    /// The same as bytes.
    pub(crate) head: Vec<u8>,
    /// The records that it names, in the order of their amendments.
    pub records: Vec<Permitted>,
}

impl Permit {
    /// Reads a permission, and verifies that whoever it names gave it.
    ///
    /// # Errors
    ///
    /// Those of [`Permission::decode_head`]; [`Error::TooMany`] for more than [`MOST_RECORDS`] records,
    /// [`Error::Signature`] if they are not those that were signed.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (permission, mut reader) = Permission::read(bytes)?;
        let head = bytes[..reader.position()].to_vec();
        let count = usize::try_from(permission.count).unwrap_or(usize::MAX);
        at_most(MOST_RECORDS, "records of the permission", count)?;
        let mut records: Vec<Permitted> = Vec::new();
        for _ in 0..count {
            let [amendment, record] = [reader.u128()?, reader.u128()?];
            let [version, id] = [reader.u128()?, reader.u128()?];
            if records.last().is_some_and(|last| last.amendment >= amendment) {
                return Err(reader.fault().into());
            }
            records.push(Permitted { amendment, record, version, id });
        }
        reader.end()?;
        let permit = Self { permission, head, records };
        if permit.tree().root() == permit.permission.root {
            Ok(permit)
        } else {
            Err(Error::Signature { what: WHAT })
        }
    }

    fn tree(&self) -> Tree {
        Tree::new(self.records.iter().map(Permitted::leaf).collect())
    }

    /// What shows of each of some amendments that it is permitted; `None` of one that is not named.
    pub(crate) fn links(&self, amendments: &[u128]) -> Vec<Option<Link>> {
        let tree = self.tree();
        let link = |amendment: &u128| {
            let at =
                self.records.binary_search_by_key(amendment, |record| record.amendment).ok()?;
            let Permitted { record, version, id, .. } = self.records[at];
            let path = tree.path(at..at + 1);
            Some(Link { record, version: Version(version), id, at: at as u64, path })
        };
        amendments.iter().map(link).collect()
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;
    use crate::message::signature::to_sign;

    fn node(path: &[&str]) -> Node {
        path.iter().fold(Node::root(), |node, name| node.child(name, 0).unwrap())
    }

    fn owner() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn permission(amender: Node, amended: Node) -> Permission {
        Permission {
            owner: Owner(owner().verifying_key().to_bytes()),
            amender,
            readers: Epoch::default(),
            amended,
            schema: [1; 32],
            end: 10,
            number: 3,
            count: 0,
            root: [0; 32],
            issuer: Chain::default(),
        }
    }

    fn signed(permission: &Permission, records: &[Permitted]) -> Vec<u8> {
        permission.signed(records, |head| {
            let signature = owner().sign(&to_sign(&head)).to_bytes();
            [head, signature.to_vec()].concat()
        })
    }

    fn records(count: u128) -> Vec<Permitted> {
        let of =
            |at| Permitted { amendment: at, record: at + 100, version: at + 200, id: at + 300 };
        (1..=count).map(of).collect()
    }

    #[test]
    fn a_permission_survives_its_bytes_and_links_each_of_its_records_to_its_head() {
        let (ward, clinic) = (node(&["ward"]), node(&["clinic"]));
        for count in [1, 2, 3, 7, 64] {
            let records = records(count);
            let permit =
                Permit::decode(&signed(&permission(ward.clone(), clinic.clone()), &records));
            let permit = permit.unwrap();
            assert_eq!(
                (&permit.records, permit.permission.count),
                (&records, records.len() as u64)
            );
            let head = Permission::decode_head(&permit.head).unwrap();
            assert_eq!(head, permit.permission);
            let handles: Vec<u128> = (0..=count).collect();
            let links = permit.links(&handles);
            assert_eq!(links[0], None, "nobody permitted this one");
            for (handle, link) in handles.iter().zip(&links).skip(1) {
                let link = link.as_ref().unwrap();
                let mut writer = Writer::default();
                link.write(&mut writer);
                let read = Link::read(&mut Reader::headless(&writer.0, "a link")).unwrap();
                assert_eq!(read, *link);
                assert!(head.names(*handle, link));
                assert!(!head.names(handle + 1, link), "that of another amendment");
                for changed in [
                    Link { record: link.record + 1, ..link.clone() },
                    Link { version: Version(1), ..link.clone() },
                    Link { id: link.id + 1, ..link.clone() },
                    Link { at: link.at + 1, ..link.clone() },
                    Link { path: [&link.path[..], &[[0; 32]]].concat(), ..link.clone() },
                ] {
                    assert!(!head.names(*handle, &changed));
                }
            }
        }
    }

    #[test]
    fn every_byte_of_a_permission_is_signed() {
        let bytes = signed(&permission(node(&["ward"]), node(&["clinic"])), &records(3));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Permit::decode(&changed).is_err(), "byte {at}");
            assert!(Permit::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
        assert!(Permit::decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn nobody_is_permitted_to_amend_its_own_records_or_the_owner_s() {
        let scope = |amender: &[&str], amended: &[&str]| {
            let bytes = signed(&permission(node(amender), node(amended)), &records(1));
            matches!(Permit::decode(&bytes), Err(Error::Scope { .. }))
        };
        assert!(scope(&["ward"], &["ward"]));
        assert!(scope(&[], &["ward"]));
        assert!(scope(&["ward"], &[]));
        assert!(!scope(&["clinic", "ward"], &["clinic"]), "one below amends one above");
    }

    #[test]
    fn what_is_named_twice_or_out_of_order_is_refused() {
        let of = |amendment| Permitted { amendment, record: 1, version: 2, id: 3 };
        for amendments in [[1, 1], [2, 1]] {
            let all = amendments.map(of);
            let bytes = signed(&permission(node(&["ward"]), node(&["clinic"])), &all);
            assert!(matches!(Permit::decode(&bytes), Err(Error::Wire(_))));
        }
    }

    #[test]
    fn a_commitment_hides_an_id_from_who_lacks_the_secret_number() {
        let one = Permitted::commitment(1, b"17");
        assert_eq!(one, Permitted::commitment(1, b"17"));
        assert_ne!(one, Permitted::commitment(2, b"17"));
        assert_ne!(one, Permitted::commitment(1, b"18"));
    }
}
