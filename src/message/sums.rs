//! What proves that an answer is all of what providers sealed: sums, and lists that are held against each
//! other. Here is what needs no key; who holds keys goes on in [`proving`](crate::party::proving).
//!
//! All numbers are modulo 2^128. Provider `i` has for each field `f` a table over the `B` cells of `f`:
//!
//! ```text
//! row        = PRF(leaf key of i; upload, handle, H(row))
//! leaf(f)    = AES-256(leaf key of i for f; row)
//! table(b)   = sum of leaf(f) over the sealed rows in cells below b + AES-256(mask key of i, f, content; b)
//! stored at    slot(b): a secret permutation of 0..B that all providers of a group and field share
//! ```
//!
//! The cloud adds the tables of all providers slot by slot, to `T`. A token names, under its signature,
//! the slots of its lowest cell and of the one after its highest, never a cell. The proof of a range is
//! `T[slot(high + 1)] - T[slot(low)]`: sixteen bytes, for any number of providers. Whoever asked adds
//! the leaves of the sealed rows that it was given, of those that a list names, and two masks for each
//! provider. Rows that came after a seal are named `unsealed`; rows that went after it come with the
//! signed upload that removed them. Of a conjunction, each range lists what it holds and the answer
//! does not; and
//!
//! ```text
//! no row is in the lists of all ranges;  none is in a list and in the answer;  none is named twice
//! ```
//!
//! # The argument
//!
//! *Game.* An adversary has everything that the cloud has, and the keys of any other providers, users and
//! groups. It chooses the rows that the providers of one group seal, at any time, sees the seals, asks for
//! signed queries of its choice, and learns of each answer that it gives whether it was accepted (and where
//! not, which provider is blamed). It wins if an answer is accepted for a query, and for an honest provider
//! the sealed rows in it are not exactly those that lie in the cells of the query, hold no removal that the
//! provider signed, and are in the seal that the asker holds for the newest.
//!
//! *Reduction.* Replace the PRF, and AES under the derived keys, by random functions; an adversary that
//! notices breaks one of them (a permutation of 128 bits differs from a function by `q^2 / 2^129` after
//! `q` blocks). Then every leaf is a uniform number of its own: different rows have different (upload,
//! handle, H), as uploads have random numbers and H is collision resistant. All that was ever shown of
//! them are table entries, each with a mask of its own, which is used for one content only, since it
//! hangs on the digest of a signed content that determines the rows, and rows determine their cells. So
//! the adversary's view is independent of the leaves. For each provider, a false answer changes the
//! multiset of its leaves in the expected sum. Given the view and one try, the difference of the two
//! multisets is a sum with at least one uniform leaf that is independent of all else (a leaf that is
//! left out, or one that was never sealed, or one taken twice: twice a uniform number has 127 bits, and
//! a multiplicity of `m` loses as many bits as `m` has factors of two; multiplicities are refused). It
//! equals the difference of the masks' sums that the adversary chose with chance 2^-128. A refusal
//! tells that it was wrong, and no number: `q` tries win with chance `q 2^-128`. The lists reduce a
//! conjunction to its ranges: a sealed row that is in all ranges and not in the answer would be in all
//! lists.
//!
//! *Assumed.* HMAC-SHA-256 and AES-256 are pseudo-random, SHA-256 is collision resistant, Ed25519 is
//! unforgeable; the asker has the newest announcement and seal. The argument is ours and has had no
//! review. What is only tested: that a wrong sum is not shown, that what is taken for a seal is the
//! newest known, and the lies of the tests.
//!
//! *A dishonest provider* can lie about its own rows, and its table may contradict them: then the proof
//! fails for it alone, and it is named, since a seal commits to each slot ([`Slots`]). It cannot spoil
//! the others' proof, because sums are taken apart by provider. With the cloud's help it learns nothing
//! of others' leaves. It can leave rows unsealed, or seal seldom: `max_age` bounds that.
//!
//! *What is not proven.* Rows that came after the seal, and that the row which replaced a sealed one is
//! among them; that the newest seal was shown to who never saw a newer one (two askers who compare find
//! a fork); that the cloud answers at all. A signed removal of all that a provider sent names no seal: of
//! a provider that has left its group since, one that was carried out before can be shown again in place
//! of what it sealed after it. Of a member it is a fault.
//!
//! # Related work, and what each costs for n sources
//!
//! | | a range over n sources | built by |
//! | --- | --- | --- |
//! | Pang, Jain, Ramamritham, Tan, SIGMOD 2005: signatures of neighbours | 2 boundary entries and an aggregate a source: O(n) | one owner |
//! | Li, Hadjieleftheriou, Kollios, Reyzin, SIGMOD 2006: Merkle B-trees | O(log) digests a source: O(n log) | one owner |
//! | Chen and Liu, `SafeQ`, INFOCOM 2010: neighbourhood chains | 2 neighbours a source: O(n) | sensors with keys of their own |
//! | Chen, Hu, Xu, SIGMOD 2015: several sources (of which we know the abstract only) | seals that add up at the server | sources that share a secret |
//! | Zhang, Katz, Papamanthou, `IntegriDB`, CCS 2015: bilinear accumulators | O(log) group elements; a trusted index of all rows | one owner |
//! | here, sums | 16 bytes; seals are O(n), cached | n providers, n keys, an index merged without one |
//! | here, signatures | some 1.4 kB a provider | the same |
//!
//! We claim no more than that: one sum for an index that was merged of many keys without one, on
//! order-preserving cells.
//!
//! # Leakage
//!
//! To the cloud: nothing beside what queries and uploads tell; equal slots tell what equal bounds tell. A
//! sum that fails is never told: the difference is one of leaves.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::Error;
use super::certificate::Owner;
use super::limits::{MOST_FIELDS, MOST_TOKENS, at_most};
use super::neighbours::Stretch;
use super::place::{Group, Node};
use super::query::{Scope, Selection, Token};
use super::removal::Removal;
use super::seal::Seal;
use super::tree::{self, CHUNK, Hash, Tree};
use super::upload::{Head, Upload, Version};
use crate::wire::{self, Kind, Reader, Writer};

/// A row, by what brought it and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    /// The upload that brought it.
    pub upload: u128,
    /// Its pseudonym.
    pub handle: u128,
    /// The digest of its sealed portions.
    pub digest: [u8; 32],
}

/// Rows of one provider that one upload brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The provider's name in its group.
    pub provider: String,
    /// The upload.
    pub upload: u128,
    /// Handle and digest of each.
    pub rows: Vec<(u128, [u8; 32])>,
}

/// A sealed row that was removed or replaced since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The provider's name in its group.
    pub provider: String,
    /// The row.
    pub row: Row,
    /// Which evidence shows it.
    pub by: u32,
    /// Where in that its version stands.
    pub at: u64,
}

/// The two slots of one provider's table that belong to a range, with what shows that its seal commits to
/// them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// The provider's name in its group.
    pub provider: String,
    /// What the slots hold: of the lowest cell, and of the one after the highest.
    pub values: [u128; 2],
    /// The path of each.
    pub paths: [Vec<Hash>; 2],
}

/// What proves one range of a token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OfRange {
    /// The difference of two slots of all providers' tables together; tables of another length apart.
    pub sums: Vec<(u32, u128)>,
    /// Rows that the range holds and the answer does not.
    pub dropped: Vec<Listed>,
    /// Sealed rows of the range that are gone.
    pub gone: Vec<Gone>,
    /// The slots provider by provider, if that was asked for.
    pub slots: Vec<Slots>,
    /// The entries provider by provider, if signatures were asked for in place of sums.
    pub stretches: Vec<Stretch>,
}

/// What proves what answers a token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OfToken {
    /// Uploads that came after their provider's seal, of those that are named.
    pub unsealed: Vec<u128>,
    /// Rows that match, where an answer holds none because they were counted.
    pub hits: Vec<Listed>,
    /// Its ranges, in their order; of a token for all records, one without sums.
    pub ranges: Vec<OfRange>,
}

/// A piece of a signed upload: enough of it to show which versions it replaces or removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The upload's head, with its signature.
    pub head: Vec<u8>,
    /// Which chunk of the body comes first, counted from 0.
    pub first: u64,
    /// Consecutive chunks of the body.
    pub chunks: Vec<u8>,
    /// What shows that they belong to it.
    pub path: Vec<Hash>,
}

/// What an upload was found to be that is evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown<'a> {
    owner: Owner,
    provider: Node,
    chunks: &'a [u8],
}

/// What goes with an answer so that it proves itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof {
    /// The state that it is of, as the answer names it.
    pub snapshot: u64,
    /// Heads of seals that are newer than those that were known to whoever asks.
    pub heads: Vec<Vec<u8>>,
    /// Uploads that removed sealed rows.
    pub evidence: Vec<Evidence>,
    /// Signed removals of all that a provider sent, of those who have sent nothing since.
    pub removals: Vec<Vec<u8>>,
    /// What tells who belongs to the groups, if signatures were asked for.
    pub announcements: Vec<Vec<u8>>,
    /// One for each token of the query.
    pub tokens: Vec<OfToken>,
}

/// What whoever asks wants of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The state whose seals are known already: those that came later are shown.
    pub since: Option<u64>,
    /// Whether sums are to be shown provider by provider too.
    pub in_detail: bool,
    /// Whether entries with their neighbours are to be shown, in place of sums.
    pub by_signatures: bool,
}

/// What is required of seals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Required {
    /// In seconds since 1970.
    pub now: u64,
    /// How many hours old a seal may be; any age if it is not said.
    pub most_hours: Option<u64>,
}

/// What was found of one provider that a query reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The group.
    pub group: Group,
    /// Its place.
    pub provider: Node,
    /// Number, hours since 1970 and rows of its seal.
    pub seal: Option<(u64, u32, u64)>,
    /// How many of its rows in the answer came after that.
    pub unsealed: usize,
    /// Why its part of the answer is not proven; `None` if it is.
    pub fault: Option<String>,
}

/// Rows by their provider's name.
pub type ByProvider = BTreeMap<String, Vec<Row>>;

/// What an answer and the lists of its proof claim of a token: consistent, and not believed yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claimed {
    /// The sealed rows of each range.
    pub ranges: Vec<ByProvider>,
    /// How many of the matching rows each provider has not sealed.
    pub unsealed: BTreeMap<String, usize>,
    /// How many rows match.
    pub hits: usize,
    /// Whose rows the lists contradict, and how.
    pub faults: BTreeMap<String, String>,
}

/// What is wrong with an answer for which nothing more special is known.
pub(crate) fn unproven(why: &str) -> Error {
    Error::Proof { why: why.to_owned() }
}

/// The signed removal of all that a provider sent, if there is one of somebody who may.
pub(crate) fn removed_by<'a>(
    removals: &'a [Removal],
    owner: &Owner,
    place: &Node,
) -> Option<&'a Removal> {
    removals.iter().find(|removal| {
        removal.owner == *owner
            && removal.provider.names() == place.names()
            && removal.issuer.subject().is_above(&removal.provider)
    })
}

/// The seal that counts for a provider, and what is wrong with it: of one that was shown older or other
/// seals than are known, of which all was removed, and whose group may have left the epoch.
pub(crate) fn judged(
    seal: Option<Arc<Seal>>,
    fault: Option<String>,
    removal: Option<&Removal>,
    is_left: bool,
    required: Required,
) -> (Option<Arc<Seal>>, Option<String>) {
    if fault.is_some() {
        return (seal, fault);
    }
    if let Some(removal) = removal {
        // Whoever was revoked cannot seal that it has nothing any more.
        let who = removal.issuer.subject();
        let why = || format!("{who} had all of it removed, and it has not sealed since");
        return (None, (!is_left).then(why));
    }
    let Some(of) = &seal else { return (None, Some("it has sealed nothing".to_owned())) };
    let hours = (required.now / 3600).saturating_sub(of.hours.into());
    let is_old = required.most_hours.is_some_and(|most| hours > most);
    (seal, is_old.then(|| format!("its seal is {hours} hours old")))
}

impl Claimed {
    fn blame(&mut self, provider: &str, why: &str) {
        self.faults.entry(provider.to_owned()).or_insert_with(|| why.to_owned());
    }
}

const TWICE: &str = "the proof names a row of it twice";

/// Says that a proof does not prove an answer.
fn refuse<T>(why: impl Into<String>) -> Result<T, Error> {
    Err(Error::Proof { why: why.into() })
}

impl Evidence {
    /// What of an upload shows which rows it replaces and removes, and where in that the version of each
    /// stands.
    #[must_use]
    pub fn of(upload: &Upload, message: &[u8]) -> (Self, HashMap<Version, u64>) {
        let (from, to, length) = upload.changes_at();
        let (head, body) = message.split_at(message.len().saturating_sub(length));
        let (first, last) = (from / CHUNK, to.saturating_sub(1).max(from) / CHUNK);
        let end = body.len().min((last + 1) * CHUNK);
        let chunks = body.get(first * CHUNK..end).unwrap_or_default().to_vec();
        let path = Tree::of_bytes(body).path(first..last + 1);
        let mut places = HashMap::new();
        let mut at = (from - first * CHUNK + 8) as u64;
        for replaced in upload.replaced.iter() {
            places.insert(replaced.version, at + 4);
            at += 20;
        }
        at += 8;
        for removed in upload.removed.iter() {
            let mut writer = Writer::default();
            removed.provider.write(&mut writer);
            at += writer.0.len() as u64 + 8;
            for (_, version) in &removed.rows {
                places.insert(*version, at + 16);
                at += 32;
            }
        }
        (Self { head: head.to_vec(), first: first as u64, chunks, path }, places)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.head).u64(self.first).bytes(&self.chunks);
        write_path(writer, &self.path);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        let (head, first) = (reader.bytes()?.to_vec(), reader.u64()?);
        Ok(Self { head, first, chunks: reader.bytes()?.to_vec(), path: read_path(reader)? })
    }

    /// The evidence as a store keeps it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.write(&mut writer);
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`] if the bytes are no evidence.
    pub fn decode(bytes: &[u8]) -> Result<Self, wire::Error> {
        let mut reader = Reader::headless(bytes, "the evidence");
        let evidence = Self::read(&mut reader)?;
        reader.end()?;
        Ok(evidence)
    }

    /// Verifies that a provider signed what the chunks belong to.
    ///
    /// # Errors
    ///
    /// [`Error::Signature`], and those of reading an upload's head.
    pub fn verify(&self) -> Result<Shown<'_>, Error> {
        let (head, length) = Head::read(&self.head)?;
        let pieces: Vec<Hash> = match self.chunks.as_slice() {
            [] => vec![tree::leaf(b"")],
            chunks => chunks.chunks(CHUNK).map(tree::leaf).collect(),
        };
        let root = tree::root_of(tree::chunks(head.length), self.first, &pieces, &self.path);
        if length != self.head.len() || root != Some(head.root) {
            return Err(Error::Signature { what: Kind::Upload.name() });
        }
        Ok(Shown { owner: head.owner, provider: head.provider, chunks: &self.chunks })
    }
}

impl Shown<'_> {
    /// Whether the upload, of a provider at a place or one that it had before, removes a row.
    pub(super) fn removes(&self, owner: &Owner, place: &Node, gone: &Gone) -> bool {
        let Row { upload, handle, digest } = &gone.row;
        let version = Version::new(*upload, *handle, digest).0.to_le_bytes();
        let at = usize::try_from(gone.at).unwrap_or(usize::MAX);
        let end = at.checked_add(version.len());
        self.owner == *owner
            && self.provider.held(place)
            && end.and_then(|end| self.chunks.get(at..end)) == Some(&version[..])
    }
}

impl OfToken {
    /// The rows that a proof of a count names.
    #[must_use]
    pub fn counted(&self) -> ByProvider {
        let mut rows = ByProvider::new();
        for Listed { provider, upload, rows: of_upload } in &self.hits {
            let of_upload = of_upload.iter().copied();
            let row = |(handle, digest)| Row { upload: *upload, handle, digest };
            rows.entry(provider.clone()).or_default().extend(of_upload.map(row));
        }
        rows
    }

    /// Holds the lists of a token's proof against each other and against the rows that answer it, by
    /// the place of each provider that there is. What contradicts itself is somebody's rows, whose
    /// fault is noted.
    ///
    /// # Errors
    ///
    /// [`Error::Proof`] if it is about somebody else, or is no proof of the token's ranges.
    pub fn claimed(
        &self,
        (owner, token): (&Owner, &Token),
        hits: &ByProvider,
        places: &BTreeMap<String, Node>,
        evidence: &[Shown<'_>],
    ) -> Result<Claimed, Error> {
        let expected = match &token.selection {
            Selection::Ranges(ranges) => ranges.len(),
            Selection::All => 1,
            Selection::Records(_) => 0,
        };
        if self.ranges.len() != expected {
            return refuse("it has not a sum for each range");
        }
        let unsealed: HashSet<u128> = self.unsealed.iter().copied().collect();
        if unsealed.len() < self.unsealed.len() {
            return refuse("it names an upload twice");
        }
        let mut claimed = Claimed::default();
        let mut is_hit: HashSet<(&str, u128)> = HashSet::new();
        for (provider, rows) in hits {
            check_reach(token, places, provider)?;
            claimed.hits += rows.len();
            let open = rows.iter().filter(|row| unsealed.contains(&row.upload)).count();
            if open > 0 {
                claimed.unsealed.insert(provider.clone(), open);
            }
            for row in rows {
                if !is_hit.insert((provider, row.handle)) {
                    claimed.blame(provider, TWICE);
                }
            }
        }
        let sealed = |rows: &[Row]| -> Vec<Row> {
            rows.iter().filter(|row| !unsealed.contains(&row.upload)).copied().collect()
        };
        let of_hits: ByProvider =
            hits.iter().map(|(provider, rows)| (provider.clone(), sealed(rows))).collect();
        // In how many lists a row stands that the answer does not hold.
        let mut listed: HashMap<(&str, u128), usize> = HashMap::new();
        for range in &self.ranges {
            let mut rows = of_hits.clone();
            let mut named: HashSet<(&str, u128)> = HashSet::new();
            for Listed { provider, upload, rows: of_upload } in &range.dropped {
                check_reach(token, places, provider)?;
                let of_provider = rows.entry(provider.clone()).or_default();
                for &(handle, digest) in of_upload {
                    let key = (provider.as_str(), handle);
                    if !named.insert(key) {
                        claimed.blame(provider, TWICE);
                    }
                    if is_hit.contains(&key) {
                        let why = "a row of it is in the answer and among those that are not";
                        claimed.blame(provider, why);
                    }
                    *listed.entry(key).or_default() += 1;
                    if !unsealed.contains(upload) {
                        of_provider.push(Row { upload: *upload, handle, digest });
                    }
                }
            }
            let gone = (range, evidence, &unsealed);
            add_gone(gone, (owner, token), places, &mut rows, &mut claimed)?;
            claimed.ranges.push(rows);
        }
        for ((provider, _), lists) in listed {
            if lists >= expected {
                claimed.blame(provider, "a row of it is in every range, and not in the answer");
            }
        }
        Ok(claimed)
    }
}

/// Adds the sealed rows of a range that are gone.
fn add_gone(
    (range, evidence, unsealed): (&OfRange, &[Shown<'_>], &HashSet<u128>),
    (owner, token): (&Owner, &Token),
    places: &BTreeMap<String, Node>,
    rows: &mut ByProvider,
    claimed: &mut Claimed,
) -> Result<(), Error> {
    if range.gone.is_empty() {
        return Ok(());
    }
    let known = rows.iter().flat_map(|(provider, rows)| {
        rows.iter().map(move |row| (provider.clone(), row.upload, row.handle))
    });
    let mut known: HashSet<(String, u128, u128)> = known.collect();
    for gone in &range.gone {
        let place = check_reach(token, places, &gone.provider)?;
        let shown = usize::try_from(gone.by).ok().and_then(|by| evidence.get(by));
        if !shown.is_some_and(|shown| shown.removes(owner, place, gone)) {
            claimed.blame(&gone.provider, "a row of it is called removed, and it did not do that");
        }
        let is_new = known.insert((gone.provider.clone(), gone.row.upload, gone.row.handle));
        if !is_new || unsealed.contains(&gone.row.upload) {
            claimed.blame(&gone.provider, "a row of it is there and removed, or removed twice");
        }
        rows.entry(gone.provider.clone()).or_default().push(gone.row);
    }
    Ok(())
}

/// The place of a provider that a proof or an answer names, if the token reaches it.
fn check_reach<'a>(
    token: &Token,
    places: &'a BTreeMap<String, Node>,
    provider: &str,
) -> Result<&'a Node, Error> {
    let is_meant = match &token.scope {
        Scope::Group => true,
        Scope::One(name) => name == provider,
    };
    match places.get(provider).filter(|_| is_meant) {
        Some(place) => Ok(place),
        None => refuse(format!(
            "it is about provider '{}' of {}, whom nobody announced there: if it was authorised since, catch \
             up and have the cloud enrol owner.public again",
            provider.escape_default(),
            token.group
        )),
    }
}

/// Bytes of a listed provider and upload, a row, a gone row, and slots at least.
const LISTED: usize = 8 + 16 + 8;
const ROW: usize = 16 + 32;
const GONE: usize = 8 + 16 + 16 + 32 + 4 + 8;
const SLOTS: usize = 8 + 2 * 16 + 2 * 8;
const RANGE: usize = 5 * 8;
const TOKEN: usize = 3 * 8;

fn write_listed(writer: &mut Writer, listed: &[Listed]) {
    writer.count(listed.len());
    for Listed { provider, upload, rows } in listed {
        writer.text(provider).u128(*upload).count(rows.len());
        for (handle, digest) in rows {
            writer.u128(*handle).raw(digest);
        }
    }
}

fn read_listed(reader: &mut Reader<'_>) -> Result<Vec<Listed>, wire::Error> {
    let listed = |reader: &mut Reader<'_>| {
        let (provider, upload) = (reader.name()?.to_owned(), reader.u128()?);
        let rows = reader.count(ROW)?;
        let rows = (0..rows).map(|_| Ok((reader.u128()?, reader.array()?)));
        Ok(Listed { provider, upload, rows: rows.collect::<Result<_, wire::Error>>()? })
    };
    (0..reader.count(LISTED)?).map(|_| listed(reader)).collect()
}

fn write_path(writer: &mut Writer, path: &[Hash]) {
    writer.count(path.len());
    path.iter().for_each(|digest| {
        writer.raw(digest);
    });
}

fn read_path(reader: &mut Reader<'_>) -> Result<Vec<Hash>, wire::Error> {
    (0..reader.count(32)?).map(|_| reader.array()).collect()
}

impl OfRange {
    fn write(&self, writer: &mut Writer) {
        writer.count(self.sums.len());
        for (slots, sum) in &self.sums {
            writer.u32(*slots).u128(*sum);
        }
        write_listed(writer, &self.dropped);
        writer.count(self.gone.len());
        for Gone { provider, row, by, at } in &self.gone {
            writer.text(provider).u128(row.upload).u128(row.handle).raw(&row.digest);
            writer.u32(*by).u64(*at);
        }
        writer.count(self.slots.len());
        for Slots { provider, values, paths } in &self.slots {
            writer.text(provider).u128(values[0]).u128(values[1]);
            paths.iter().for_each(|path| write_path(writer, path));
        }
        writer.count(self.stretches.len());
        self.stretches.iter().for_each(|stretch| stretch.write(writer));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        let sums = reader.count(20)?;
        let sums = (0..sums).map(|_| Ok((reader.u32()?, reader.u128()?)));
        let sums = sums.collect::<Result<_, wire::Error>>()?;
        let dropped = read_listed(reader)?;
        let gone = |reader: &mut Reader<'_>| {
            let provider = reader.name()?.to_owned();
            let (upload, handle) = (reader.u128()?, reader.u128()?);
            let row = Row { upload, handle, digest: reader.array()? };
            Ok(Gone { provider, row, by: reader.u32()?, at: reader.u64()? })
        };
        let gone = (0..reader.count(GONE)?).map(|_| gone(reader));
        let gone = gone.collect::<Result<_, wire::Error>>()?;
        let slots = |reader: &mut Reader<'_>| {
            let provider = reader.name()?.to_owned();
            let values = [reader.u128()?, reader.u128()?];
            Ok(Slots { provider, values, paths: [read_path(reader)?, read_path(reader)?] })
        };
        let slots = (0..reader.count(SLOTS)?).map(|_| slots(reader));
        let slots = slots.collect::<Result<_, wire::Error>>()?;
        Ok(Self { sums, dropped, gone, slots, stretches: Stretch::list(reader)? })
    }
}

impl Proof {
    /// The proof as it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Proof);
        writer.u64(self.snapshot);
        for list in [&self.heads, &self.removals, &self.announcements] {
            writer.count(list.len());
            list.iter().for_each(|message| {
                writer.bytes(message);
            });
        }
        writer.count(self.evidence.len());
        self.evidence.iter().for_each(|evidence| evidence.write(&mut writer));
        writer.count(self.tokens.len());
        for OfToken { unsealed, hits, ranges } in &self.tokens {
            writer.count(unsealed.len());
            unsealed.iter().for_each(|&upload| {
                writer.u128(upload);
            });
            write_listed(&mut writer, hits);
            writer.count(ranges.len());
            ranges.iter().for_each(|range| range.write(&mut writer));
        }
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`] if the bytes are no proof, [`Error::TooMany`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Proof)?;
        let snapshot = reader.u64()?;
        let list = |reader: &mut Reader<'_>| -> Result<Vec<Vec<u8>>, wire::Error> {
            (0..reader.count(8)?).map(|_| Ok(reader.bytes()?.to_vec())).collect()
        };
        let (heads, removals) = (list(&mut reader)?, list(&mut reader)?);
        let announcements = list(&mut reader)?;
        let mut evidence = Vec::new();
        for _ in 0..reader.count(32)? {
            evidence.push(Evidence::read(&mut reader)?);
        }
        let mut tokens = Vec::new();
        for _ in 0..at_most(MOST_TOKENS, "tokens of the proof", reader.count(TOKEN)?)? {
            let unsealed = reader.count(16)?;
            let unsealed = (0..unsealed).map(|_| reader.u128()).collect::<Result<_, _>>()?;
            let hits = read_listed(&mut reader)?;
            let ranges = at_most(MOST_FIELDS, "ranges of the proof", reader.count(RANGE)?)?;
            let ranges = (0..ranges).map(|_| OfRange::read(&mut reader));
            let ranges = ranges.collect::<Result<_, _>>()?;
            tokens.push(OfToken { unsealed, hits, ranges });
        }
        reader.end()?;
        Ok(Self { snapshot, heads, evidence, removals, announcements, tokens })
    }
}
