//! What proves that a listing of files is whole: what a seal commits to of them, and what shows it.
//!
//! A seal commits to two trees over all files of its place, one in the order of their records, and one with
//! a *line* for each keyword, which stands for all files that have it:
//!
//! ```text
//! H(file)   = SHA-256(the stored file without its body, as it travels)
//! by record  = tree over SHA-256(0 || record || number || H(file)), ascending
//! by keyword = tree over SHA-256(0 || id || list), ascending
//! id         = HMAC-SHA-256(tag, 0 || content)[..16]
//! list       = HMAC-SHA-256(tag, 1 || content || (number || H(file)) of each file, ascending)
//! ```
//!
//! `content` is the digest of the seal's content, which has the first tree's root, and the tag of a keyword
//! is what stands for it where its provider counts: whoever asks sends it with the trapdoor. Files of a record
//! are shown between two neighbours, those of a keyword by its line, and that there is no such keyword by the
//! two lines where it would stand. So no sealed file is missing, and every other one is counted as having
//! come after the seal.
//!
//! # Why it holds
//!
//! Whoever makes another listing pass has other pieces under a root that the provider signed, or another
//! list of files with the HMAC of a line, and so two inputs of SHA-256 with one digest; or it has forged
//! Ed25519. Knowing the tag does not help, since the lines are signed. A provider that sorts its pieces
//! wrongly, or makes wrong lines, spoils its own part. What is not proven is what of
//! [`sums`](super::sums) is not: what came after a seal, and that it is the newest.
//!
//! # Cost
//!
//! Of a provider of `n` files, some `64 log2(n)` bytes a keyword or record, and 48 for each file that another
//! keyword of the request drops; its seal's head of some 800 bytes. Sealing costs the lines: 48 bytes for
//! every keyword of every file, made and sent anew with each seal.
//!
//! # Leakage
//!
//! To the cloud, before a request: nothing beside the entries. There are as many lines as entries, those that
//! stand for no keyword being random, so that it does not see how many keywords are new; and those of two
//! seals have nothing in common. From a request on, the tag tells what the trapdoor does. To whoever asks: the
//! pseudonyms of neighbouring records and numbers of files, and the numbers of files that have one keyword of
//! the request and lack another.
//!
//! There is no forward privacy, as of [keywords](super::trapdoor) at all: a trapdoor and a tag go on working
//! for what is added later. A scheme with forward privacy (Bost, Σοφος, CCS 2016) gives each entry of a
//! keyword a key from which earlier ones follow and later ones do not, so that a cloud which was told one key
//! cannot tell what comes next. The provider then keeps the newest key of every keyword, and every party that
//! searches needs it; the lines would be made of the same lists.
//!
//! # Sources
//!
//! Signed trees with neighbours: as in [`neighbours`](super::neighbours). Commitments to the whole list of
//! a keyword: Goodrich, Papamanthou, Tamassia, Triandopoulos, *Athos: efficient authentication of outsourced
//! file systems*, ISC 2008, has the like for searches over files of one source.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::Error;
use super::announcement::Announcement;
use super::attachment::StoredFile;
use super::listing::Listing;
use super::neighbours::newest;
use super::place::{Group, Node};
use super::removal::Removal;
use super::request::{Ask, Request};
use super::seal::Seal;
use super::sums::{Member, Required, judged, removed_by, unproven};
use super::trapdoor::Tag;
use super::tree::{self, Hash};
use crate::pool;
use crate::wire::{self, Reader, Writer};

/// A file where it stands in the order of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Filed {
    /// The record.
    pub handle: u128,
    /// The file's number.
    pub number: u128,
    /// Its [digest](StoredFile::digest).
    pub digest: Hash,
}

/// What stands for a keyword and all of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Where it stands.
    pub id: u128,
    /// What its files are committed to by.
    pub list: Hash,
}

/// The number and digest of a file.
pub type Numbered = (u128, Hash);

impl Filed {
    /// The digest of the piece of a tree.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        // As a piece of a tree: after a zero.
        let mut bytes = [0; 65];
        bytes[1..17].copy_from_slice(&self.handle.to_le_bytes());
        bytes[17..33].copy_from_slice(&self.number.to_le_bytes());
        bytes[33..].copy_from_slice(&self.digest);
        Sha256::digest(bytes).into()
    }
}

impl Line {
    /// That of a keyword with these files, ascending, in a seal whose content has this digest.
    #[must_use]
    pub fn of(tag: &Tag, content: &Hash, files: &[Numbered]) -> Self {
        let mut mac = keyed(tag).chain_update([1]).chain_update(content);
        for (number, digest) in files {
            mac.update(&number.to_le_bytes());
            mac.update(digest);
        }
        Self { id: Self::id(tag, content), list: mac.finalize().into_bytes().into() }
    }

    /// Where the line of a keyword stands.
    #[must_use]
    pub fn id(tag: &Tag, content: &Hash) -> u128 {
        let bytes: Hash =
            keyed(tag).chain_update([0]).chain_update(content).finalize().into_bytes().into();
        let (halves, _) = bytes.as_chunks::<16>();
        u128::from_le_bytes(halves[0])
    }

    /// The digest of the piece of a tree.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        let mut bytes = [0; 49];
        bytes[1..17].copy_from_slice(&self.id.to_le_bytes());
        bytes[17..].copy_from_slice(&self.list);
        Sha256::digest(bytes).into()
    }

    /// Bytes that it has as it travels.
    pub(crate) const LENGTH: usize = 48;

    fn write(&self, writer: &mut Writer) {
        writer.u128(self.id).raw(&self.list);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        Ok(Self { id: reader.u128()?, list: reader.array()? })
    }
}

fn keyed(tag: &Tag) -> Hmac<Sha256> {
    Hmac::new_from_slice(tag).expect("HMAC takes keys of any length")
}

/// Where something stands in a tree, with what is beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Between<T> {
    /// Where the first piece stands, counted from 0; or would stand.
    pub start: u64,
    /// The piece before.
    pub left: Option<T>,
    /// The piece after.
    pub right: Option<T>,
    /// What leads from them to the root.
    pub path: Vec<Hash>,
}

/// What shows the files of one keyword or record that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Find {
    /// The files that the listing has of a record are between these.
    Record(Between<Filed>),
    /// A keyword has these files, by number; its line stands here, and leads to the root by this path.
    Keyword(u64, Vec<Numbered>, Vec<Hash>),
    /// There is no line of a keyword between these.
    NoKeyword(Between<Line>),
}

/// What shows the files of one provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfPlace {
    /// The numbers of the files of the listing that came after the seal.
    pub unsealed: Vec<u128>,
    /// Of each keyword or record, in the order of the request.
    pub finds: Vec<Find>,
    /// The notes of the files of the listing, for their own provider.
    pub notes: Vec<Vec<u8>>,
}

/// What proves a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// The heads of the seals of the providers that were asked, with their signatures.
    pub heads: Vec<Vec<u8>>,
    /// The signed removals of those that have none.
    pub removals: Vec<Vec<u8>>,
    /// If there are removals, the announcements of authorities: which epochs were left.
    pub announcements: Vec<Vec<u8>>,
    /// Of each provider, in the order of the request.
    pub places: Vec<OfPlace>,
}

fn several<T>(
    reader: &mut Reader<'_>,
    least: usize,
    one: impl Fn(&mut Reader<'_>) -> Result<T, wire::Error>,
) -> Result<Vec<T>, wire::Error> {
    (0..reader.count(least)?).map(|_| one(reader)).collect()
}

fn write_all<T>(writer: &mut Writer, all: &[T], one: impl Fn(&mut Writer, &T)) {
    writer.count(all.len());
    all.iter().for_each(|item| one(writer, item));
}

fn optional<T>(
    reader: &mut Reader<'_>,
    one: impl Fn(&mut Reader<'_>) -> Result<T, wire::Error>,
) -> Result<Option<T>, wire::Error> {
    match reader.u8()? {
        0 => Ok(None),
        1 => one(reader).map(Some),
        _ => Err(reader.fault()),
    }
}

fn write_filed(writer: &mut Writer, of: &Filed) {
    writer.u128(of.handle).u128(of.number).raw(&of.digest);
}

fn read_filed(reader: &mut Reader<'_>) -> Result<Filed, wire::Error> {
    Ok(Filed { handle: reader.u128()?, number: reader.u128()?, digest: reader.array()? })
}

fn write_hash(writer: &mut Writer, hash: &Hash) {
    writer.raw(hash);
}

impl<T> Between<T> {
    fn write(&self, writer: &mut Writer, one: impl Fn(&mut Writer, &T)) {
        writer.u64(self.start);
        for beside in [&self.left, &self.right] {
            writer.u8(beside.is_some().into());
            beside.iter().for_each(|beside| one(writer, beside));
        }
        write_all(writer, &self.path, write_hash);
    }

    fn read(
        reader: &mut Reader<'_>,
        one: impl Fn(&mut Reader<'_>) -> Result<T, wire::Error>,
    ) -> Result<Self, wire::Error> {
        let start = reader.u64()?;
        let (left, right) = (optional(reader, &one)?, optional(reader, &one)?);
        Ok(Self { start, left, right, path: several(reader, 32, |of| of.array())? })
    }

    /// Whether pieces with these digests are all that stand between these.
    fn proves(
        &self,
        (count, root): (u64, &Hash),
        inside: Vec<Hash>,
        leaf: impl Fn(&T) -> Hash,
    ) -> bool {
        let beside = [&self.left, &self.right].map(|of| of.as_ref().map(&leaf));
        let checked = tree::check_between((count, root), self.start, beside, inside, &self.path);
        checked.is_ok()
    }
}

impl Find {
    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Record(between) => between.write(writer.u8(0), write_filed),
            Self::Keyword(at, files, path) => {
                writer.u8(1).u64(*at);
                write_all(writer, files, |writer, (number, digest)| {
                    writer.u128(*number).raw(digest);
                });
                write_all(writer, path, write_hash);
            }
            Self::NoKeyword(between) => {
                between.write(writer.u8(2), |writer, line| line.write(writer));
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        match reader.u8()? {
            0 => Ok(Self::Record(Between::read(reader, read_filed)?)),
            1 => {
                let at = reader.u64()?;
                let files = several(reader, 48, |of| Ok((of.u128()?, of.array()?)))?;
                Ok(Self::Keyword(at, files, several(reader, 32, |of| of.array())?))
            }
            2 => Ok(Self::NoKeyword(Between::read(reader, Line::read)?)),
            _ => Err(reader.fault()),
        }
    }
}

impl OfPlace {
    /// Bytes that one has at least.
    const LEAST: usize = 3 * 8;

    fn write(&self, writer: &mut Writer) {
        write_all(writer, &self.unsealed, |writer, number| {
            writer.u128(*number);
        });
        write_all(writer, &self.finds, |writer, find| find.write(writer));
        write_all(writer, &self.notes, |writer, note| {
            writer.bytes(note);
        });
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        let unsealed = several(reader, 16, |of| of.u128())?;
        let finds = several(reader, 17, Find::read)?;
        Ok(Self { unsealed, finds, notes: several(reader, 8, blob)? })
    }
}

fn blob(reader: &mut Reader<'_>) -> Result<Vec<u8>, wire::Error> {
    Ok(reader.bytes()?.to_vec())
}

impl Proof {
    pub(super) fn write(&self, writer: &mut Writer) {
        for blobs in [&self.heads, &self.removals, &self.announcements] {
            write_all(writer, blobs, |writer, bytes| {
                writer.bytes(bytes);
            });
        }
        write_all(writer, &self.places, |writer, of| of.write(writer));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        let (heads, removals) = (several(reader, 8, blob)?, several(reader, 8, blob)?);
        let announcements = several(reader, 8, blob)?;
        let places = several(reader, OfPlace::LEAST, OfPlace::read)?;
        Ok(Self { heads, removals, announcements, places })
    }

    /// How many bytes it has as it travels.
    #[must_use]
    pub fn size(&self) -> usize {
        let mut writer = Writer::default();
        self.write(&mut writer);
        writer.0.len()
    }
}

/// What was found of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Every provider that was asked, in each epoch: of its seal, how many files that is of.
    pub members: Vec<Member>,
    /// The numbers of the files that are proven.
    pub proven: Vec<u128>,
    /// The newest seal that is known of each place.
    pub seals: Vec<Arc<Seal>>,
}

/// Finds out of which providers a listing holds all files that they sealed, with the seals that are known
/// already. That the group of a place has left its epoch is known to `is_left`, or told by an announcement.
///
/// # Errors
///
/// [`Error::Answer`] if the listing is of another request, [`Error::Proof`] if there is no proof or it is of
/// another request, [`Error::Signature`] if something in it is forged.
pub fn check(
    listing: &Listing,
    request: &Request,
    known: &HashMap<Node, Arc<Seal>>,
    required: Required,
    is_left: impl Fn(&Node) -> bool,
) -> Result<Checked, Error> {
    listing.check(request)?;
    let Some(proof) = &listing.proof else {
        return Err(unproven("no proof came with the listing: find with proof=True"));
    };
    let places: Vec<(&Node, Asked<'_>)> = asked(request)?;
    if proof.places.len() != places.len() {
        return Err(unproven("the proof is of another request"));
    }
    let read = pool::map(proof.heads.len(), 8, |at| Seal::decode_head(&proof.heads[at]));
    let seals = read.into_iter().collect::<Result<Vec<_>, _>>()?;
    let removals = proof.removals.iter().map(|removal| Removal::decode(removal));
    let removals = removals.collect::<Result<Vec<_>, _>>()?;
    let (newest, shown) = newest(seals, &request.owner, None, known)?;
    let announced = proof.announcements.iter().map(|message| Announcement::decode(message));
    let announced = announced.collect::<Result<Vec<_>, _>>()?;
    let is_told_left = |group: &Group| {
        let of = |of: &&Announcement| of.owner == request.owner && of.authority == group.authority;
        let epochs = announced.iter().find(of).map_or(&[][..], |of| &of.epochs);
        let at = epochs.iter().position(|epoch| *epoch == group.epoch);
        at.is_some_and(|at| at + 1 < epochs.len())
    };
    let mut files: HashMap<&Node, Vec<&StoredFile>> = HashMap::new();
    for file in &listing.files {
        files.entry(&file.provider).or_default().push(file);
    }
    let mut checked = Checked { seals: newest.values().cloned().collect(), ..Checked::default() };
    for ((place, asked), of) in places.into_iter().zip(&proof.places) {
        let Some(group) = Group::of(place) else { continue };
        let removal = removed_by(&removals, &request.owner, place);
        let of_place = shown.get(place);
        let removal = removal.filter(|_| of_place.is_none());
        let fault = of_place.cloned().flatten();
        let seal = newest.get(place).cloned();
        let is_left = is_left(place) || is_told_left(&group);
        let (seal, fault) = judged(seal, fault, removal, is_left, required);
        let here = files.get(place).map_or(&[][..], Vec::as_slice);
        let unsealed: HashSet<u128> = of.unsealed.iter().copied().collect();
        let (late, sealed): (Vec<&StoredFile>, Vec<&StoredFile>) =
            here.iter().partition(|file| unsealed.contains(&file.number));
        let fault = fault.or_else(|| check_place(seal.as_deref(), &asked, &sealed, of).err());
        if fault.is_none() {
            checked.proven.extend(sealed.iter().map(|file| file.number));
        }
        checked.members.push(Member {
            group,
            provider: place.clone(),
            seal: seal.map(|seal| (seal.number, seal.hours, seal.files.count)),
            unsealed: late.len(),
            fault,
        });
    }
    Ok(checked)
}

/// What was asked of one provider.
enum Asked<'a> {
    Keywords(&'a [Tag]),
    Records(&'a [u128]),
}

fn asked(request: &Request) -> Result<Vec<(&Node, Asked<'_>)>, Error> {
    match &request.ask {
        Ask::Keywords(providers) => {
            if request.tags.len() != providers.len() {
                return Err(unproven("the request was made without proof=True"));
            }
            let nodes = providers.iter().map(|(node, _)| node);
            let tags = request.tags.iter().map(|tags| Asked::Keywords(tags));
            Ok(nodes.zip(tags).collect())
        }
        Ask::Records(providers) => {
            Ok(providers.iter().map(|(node, handles)| (node, Asked::Records(handles))).collect())
        }
        Ask::File(_) | Ask::Notes | Ask::Holdings(_) => {
            Err(unproven("only files of keywords or records are listed with a proof"))
        }
    }
}

/// Checks one provider's part of a listing.
fn check_place(
    seal: Option<&Seal>,
    asked: &Asked<'_>,
    files: &[&StoredFile],
    of: &OfPlace,
) -> Result<(), String> {
    // Of who was removed and left, nothing may be there.
    let Some(seal) = seal else {
        let is_none = files.is_empty();
        return if is_none {
            Ok(())
        } else {
            Err("it was removed, and files of it are here".into())
        };
    };
    match asked {
        Asked::Records(handles) if handles.len() == of.finds.len() => {
            let mut of_records: HashMap<u128, Vec<Filed>> = HashMap::new();
            for file in files {
                let filed = file.filed();
                of_records.entry(filed.handle).or_default().push(filed);
            }
            for (&handle, find) in handles.iter().zip(&of.finds) {
                let mut files = of_records.remove(&handle).unwrap_or_default();
                files.sort_unstable();
                check_record(seal, handle, &files, find)?;
            }
            Ok(())
        }
        Asked::Keywords(tags) if tags.len() == of.finds.len() => {
            let content = seal.content_digest();
            let mut matching: Option<BTreeMap<u128, Hash>> = None;
            for (tag, find) in tags.iter().zip(&of.finds) {
                let found = check_keyword(seal, (tag, &content), find)?;
                matching = Some(match matching {
                    None => found,
                    Some(mut others) => {
                        others.retain(|number, _| found.contains_key(number));
                        others
                    }
                });
            }
            let listed: BTreeMap<u128, Hash> =
                files.iter().map(|file| (file.number, file.digest())).collect();
            if matching.unwrap_or_default() == listed {
                Ok(())
            } else {
                Err("the files of its keywords are not those that the cloud lists".to_owned())
            }
        }
        _ => Err("nothing shows some of what was asked for".to_owned()),
    }
}

fn check_record(seal: &Seal, handle: u128, files: &[Filed], find: &Find) -> Result<(), String> {
    let Find::Record(between) = find else {
        return Err("keywords are shown where records were asked for".to_owned());
    };
    let is_bounded = between.left.is_none_or(|left| left.handle < handle)
        && between.right.is_none_or(|right| right.handle > handle);
    let leaves = files.iter().map(Filed::leaf).collect();
    if is_bounded && between.proves((seal.files.count, &seal.files.root), leaves, Filed::leaf) {
        return Ok(());
    }
    Err("the files of a record are not those that it sealed: the cloud left some out, or changed some"
        .to_owned())
}

/// The files of a keyword, by number.
fn check_keyword(
    seal: &Seal,
    (tag, content): (&Tag, &Hash),
    find: &Find,
) -> Result<BTreeMap<u128, Hash>, String> {
    let committed = (seal.lines.count, &seal.lines.root);
    let wrong = || {
        "the files of a keyword are not those that it sealed: the cloud left some out, or changed some"
            .to_owned()
    };
    match find {
        Find::Keyword(at, files, path) => {
            let is_ascending = files.is_sorted_by(|one, next| one.0 < next.0);
            let leaf = [Line::of(tag, content, files).leaf()];
            if is_ascending && tree::root_of(committed.0, *at, &leaf, path) == Some(*committed.1) {
                Ok(files.iter().copied().collect())
            } else {
                Err(wrong())
            }
        }
        Find::NoKeyword(between) => {
            let id = Line::id(tag, content);
            let is_bounded = between.left.is_none_or(|left| left.id < id)
                && between.right.is_none_or(|right| right.id > id);
            if is_bounded && between.proves(committed, Vec::new(), Line::leaf) {
                Ok(BTreeMap::new())
            } else {
                Err(wrong())
            }
        }
        Find::Record(_) => Err("records are shown where keywords were asked for".to_owned()),
    }
}
