//! Keyword search over a provider's files: the key side.
//!
//! Each provider has a keyword key, and for each keyword a trapdoor under it. With the trapdoor it makes
//! the entries that a file is found by, and whoever holds the provider's key (itself, one above it, the
//! owner) makes the same trapdoor to search:
//!
//! ```text
//! keyword key = child(key of the provider, "keyword", "", 0)
//! trapdoor(w) = child(keyword key, "keyword", 1 || w, 0) || child(keyword key, "keyword", 2 || w, 0)
//! ```
//!
//! With the trapdoors come the [proofs](crate::message::trapdoor) that the description of a file carries.
//!
//! A keyword is any string of bytes; whoever calls decides what counts as the same word. How often each
//! was used is kept under a tag, so that the next entry gets a label of its own.
//!
//! Every attachment carries a *note* of the uses that its entries are, which only the provider and those
//! above it open. A keyring that has missed entries rebuilds its counts from all notes that its cloud
//! has, and counts on from there: they are its *base*, and what it makes next starts a new
//! [`Lineage`]. Nothing is counted that no note proves, so that a cloud that leaves notes out makes a
//! keyring use labels again, which is refused, and never lets it run ahead.
//!
//! ```text
//! note key = child(keyword key, "keyword", 4, 0)
//! note     = nonce || AES-256-GCM-SIV(note key, nonce, count || (tag || number of the use) each, place)
//! place    = "MOPSENOT" || version || owner || provider and epochs || number of the file
//! ```
//!
//! # Leakage
//!
//! That of [`crate::cloud::dictionary`]. A trapdoor is good for one keyword at one provider, for ever. A
//! note shows how many keywords a file has, as its entries do.
//!
//! # Sources
//!
//! D. Cash et al., "Dynamic Searchable Encryption in Very-Large Databases", NDSS 2014, sections 3, 4.
//! AES-GCM-SIV: RFC 8452.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::Error;
use crate::cipher::{aes_gcm_siv, envelope};
use crate::keys::{Key, Purpose, fill_random};
use crate::message::attachment::Lineage;
use crate::message::certificate::Owner;
use crate::message::limits::{MOST_NAMED, at_most};
use crate::message::notes::Notes;
use crate::message::place::Node;
use crate::message::trapdoor::{Entry, Proof, TRAPDOOR_LEN, Tag, Trapdoor};
use crate::wire::{Buffer, Kind, Reader, Writer};

/// How often a keyring used each keyword, and which attachments it made since it was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    counts: BTreeMap<Tag, u64>,
    lineage: Lineage,
}

/// Below the keyword key: the number of the child for a tag. The halves of a trapdoor are 1 and 2.
const TAG: u8 = 3;

/// The number of the child that seals notes.
const NOTE: u8 = 4;

/// The key of all keywords of a provider.
fn keyword_key(provider: &Key) -> Key {
    provider.child(Purpose::Keyword, b"", 0)
}

/// The label of a keyword's child, which is as secret as the word.
fn numbered(number: u8, keyword: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([&[number], keyword].concat())
}

/// What stands for a keyword where its uses are counted.
fn tag(key: &Key, keyword: &[u8]) -> Tag {
    let tag = key.child(Purpose::Keyword, &numbered(TAG, keyword), 0);
    let (halves, _) = tag.expose().as_chunks::<16>();
    halves[0]
}

/// Returns what stands for a keyword where its provider counts it.
#[must_use]
pub fn tag_of(provider: &Key, keyword: &[u8]) -> Tag {
    tag(&keyword_key(provider), keyword)
}

/// Returns a provider's trapdoor for a keyword.
#[must_use]
pub fn trapdoor(provider: &Key, keyword: &[u8]) -> Trapdoor {
    let key = keyword_key(provider);
    let half = |number: u8| key.child(Purpose::Keyword, &numbered(number, keyword), 0);
    let mut bytes = [0; TRAPDOOR_LEN];
    bytes[..TRAPDOOR_LEN / 2].copy_from_slice(half(1).expose());
    bytes[TRAPDOOR_LEN / 2..].copy_from_slice(half(2).expose());
    Trapdoor(bytes)
}

/// What one file adds for its keywords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// In the order of their labels, which tells nothing of the words.
    pub(super) entries: Vec<Entry>,
    /// That the file has each keyword, ascending, which tells nothing of the words either.
    pub(super) proofs: Vec<Proof>,
    /// The tag of each keyword and the number of its use, in the order of the tags.
    pub(super) used: Vec<(Tag, u64)>,
}

impl Uses {
    /// Those of a keyring that counts from nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the next attachment says of those before it.
    #[must_use]
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Returns the entries and proofs of a new file, and counts nothing yet. A keyword that is given twice
    /// counts once.
    ///
    /// # Errors
    ///
    /// [`message::Error::TooMany`](crate::message::Error::TooMany), or [`Error::Uses`] if a keyword was used 2^64 - 1 times.
    pub fn make(&self, provider: &Key, keywords: &[&[u8]], file: u128) -> Result<Made, Error> {
        let key = keyword_key(provider);
        let mut words = keywords.to_vec();
        words.sort_unstable();
        words.dedup();
        at_most(MOST_NAMED, "keywords of the file", words.len())?;
        let numbered = |word| {
            let tag = tag(&key, word);
            match self.counts.get(&tag).copied().unwrap_or(0) {
                u64::MAX => Err(Error::Uses { got: u64::MAX }),
                number => {
                    let trapdoor = trapdoor(provider, word);
                    Ok((trapdoor.entry(number, file), trapdoor.proof(file), (tag, number)))
                }
            }
        };
        let mut made = Made { entries: Vec::new(), proofs: Vec::new(), used: Vec::new() };
        for word in words {
            let (entry, proof, used) = numbered(word)?;
            made.entries.push(entry);
            made.proofs.push(proof);
            made.used.push(used);
        }
        made.entries.sort_unstable();
        made.proofs.sort_unstable();
        made.used.sort_unstable();
        Ok(made)
    }

    /// Counts the uses of a file that was made.
    pub fn count(&mut self, file: u128, made: &Made) {
        let next = made.used.iter().map(|&(tag, number)| (tag, number + 1)); // below 2^64, or not made
        self.counts.extend(next);
        self.lineage = self.lineage.after(file);
    }

    /// Returns what the notes of all attachments that came from a provider prove.
    ///
    /// # Errors
    ///
    /// [`Error::Note`] names the first note, counted from 0, that was changed or belongs elsewhere.
    pub fn learn(provider: &Key, notes: &Notes) -> Result<Self, Error> {
        let key = note_key(provider);
        let mut counts = BTreeMap::new();
        for (position, note) in notes.notes.iter().enumerate() {
            let place = (&notes.owner, &notes.provider, note.number);
            let used = open_note(&key, place, &note.sealed);
            for (tag, next) in used.ok_or(Error::Note { position })? {
                let count: &mut u64 = counts.entry(tag).or_default();
                *count = next.max(*count);
            }
        }
        Ok(Self { counts, lineage: Lineage { base: notes.base(), previous: Vec::new() } })
    }

    /// The uses as a saved keyring holds them.
    pub(super) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.count(self.counts.len());
        for (tag, count) in &self.counts {
            writer.raw(tag).u64(*count);
        }
        self.lineage.write(writer);
    }

    /// Reads what [`write`](Self::write) wrote.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let counts = read_counts(reader)?;
        Ok(Self { counts, lineage: Lineage::read(reader)? })
    }

    /// Reads the uses of a keyring of version 2, which does not say what they are counted from: they are
    /// left out, and the keyring counts from nothing until it catches up.
    pub(super) fn read_of_version_2(reader: &mut Reader<'_>) -> Result<Self, Error> {
        read_counts(reader)?;
        Ok(Self::new())
    }
}

fn read_counts(reader: &mut Reader<'_>) -> Result<BTreeMap<Tag, u64>, Error> {
    let count = reader.count(24)?;
    (0..count).map(|_| Ok((reader.array()?, reader.u64()?))).collect()
}

/// The key of a provider's notes.
fn note_key(provider: &Key) -> Key {
    keyword_key(provider).child(Purpose::Keyword, &[NOTE], 0)
}

/// What a note is bound to.
fn note_place(owner: &Owner, provider: &Node, file: u128) -> Vec<u8> {
    let mut writer = Writer::new(Kind::Note);
    writer.raw(&owner.0);
    provider.write(&mut writer);
    writer.u128(file);
    writer.0
}

/// Seals a note of the uses that a file's entries are.
///
/// # Errors
///
/// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
pub fn note(
    provider: &Key,
    (owner, node, file): (&Owner, &Node, u128),
    used: &[(Tag, u64)],
) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; aes_gcm_siv::NONCE_LEN];
    fill_random(&mut nonce)?;
    note_with(provider, (owner, node, file), used, &nonce)
}

/// The same with a nonce that is given.
pub(super) fn note_with(
    provider: &Key,
    (owner, node, file): (&Owner, &Node, u128),
    used: &[(Tag, u64)],
    nonce: &[u8; aes_gcm_siv::NONCE_LEN],
) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::headless_secret();
    writer.count(used.len());
    for (tag, number) in used {
        writer.raw(tag).u64(*number);
    }
    let cipher = aes_gcm_siv::under(&note_key(provider));
    Ok(envelope::seal(&cipher, nonce, &note_place(owner, node, file), &writer.0)?)
}

/// What a note says; `None` if it was changed or belongs elsewhere.
fn open_note(
    key: &Key,
    (owner, node, file): (&Owner, &Node, u128),
    sealed: &[u8],
) -> Option<Vec<(Tag, u64)>> {
    let place = note_place(owner, node, file);
    let opened = envelope::open(&aes_gcm_siv::under(key), &place, sealed).map(Zeroizing::new);
    read_note(&opened.ok()?).ok()
}

/// The tags of a file's keywords, as its note has them; `None` if that was changed or belongs elsewhere.
pub(super) fn tags(provider: &Key, place: (&Owner, &Node, u128), note: &[u8]) -> Option<Vec<Tag>> {
    let used = open_note(&note_key(provider), place, note)?;
    Some(used.into_iter().map(|(tag, _)| tag).collect())
}

/// The tag of each keyword of an opened note, and the number that its next use has.
fn read_note(bytes: &[u8]) -> Result<Vec<(Tag, u64)>, Error> {
    let mut reader = Reader::headless(bytes, Kind::Note.name());
    let mut used: Vec<(Tag, u64)> = Vec::new();
    for _ in 0..reader.count(24)? {
        let tag = reader.array()?;
        let next = reader.u64()?.checked_add(1).ok_or_else(|| reader.fault())?;
        if used.last().is_some_and(|(last, _)| *last >= tag) {
            return Err(reader.fault().into());
        }
        used.push((tag, next));
    }
    reader.end()?;
    Ok(used)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::cloud::dictionary::{self, Dictionary, MOST_LOST};
    use crate::message::notes::Note;

    fn find(dictionary: &Dictionary, trapdoors: &[Trapdoor]) -> Vec<u128> {
        dictionary::find_all(trapdoors, dictionary).unwrap()
    }

    fn key(byte: u8) -> Key {
        Key::from_bytes(&[byte; 32]).unwrap()
    }

    /// The entries of a file that is counted at once.
    fn entries(words: &[&[u8]], file: u128, uses: &mut Uses) -> Vec<Entry> {
        let made = uses.make(&key(1), words, file).unwrap();
        uses.count(file, &made);
        made.entries
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_finds_what_a_plain_inverted_index_finds(
            files in vec(btree_set(0_u8..6, 0..5), 0..40),
            lost in vec(0_u8..5, 40),
            asked in btree_set(0_u8..7, 1..4),
        ) {
            let (mut dictionary, mut uses) = (Dictionary::default(), Uses::new());
            let mut plain: Vec<(u128, BTreeSet<u8>)> = Vec::new();
            for (number, words) in files.into_iter().enumerate() {
                let keywords: Vec<[u8; 1]> = words.iter().map(|&word| [word]).collect();
                let keywords: Vec<&[u8]> = keywords.iter().map(<[u8; 1]>::as_slice).collect();
                let entries = entries(&keywords, number as u128, &mut uses);
                prop_assert_eq!(entries.len(), words.len());
                if lost[number] > 0 {
                    prop_assert!(!dictionary.holds_any(&entries));
                    dictionary.add(&entries);
                    plain.push((number as u128, words));
                }
            }
            let trapdoors: Vec<Trapdoor> =
                asked.iter().map(|&word| trapdoor(&key(1), &[word])).collect();
            let expected: Vec<u128> = plain
                .iter()
                .filter(|(_, words)| asked.is_subset(words))
                .map(|(file, _)| *file)
                .collect();
            prop_assert_eq!(find(&dictionary, &trapdoors), expected);
            let foreign: Vec<Trapdoor> =
                asked.iter().map(|&word| trapdoor(&key(2), &[word])).collect();
            prop_assert!(find(&dictionary, &foreign).is_empty());
        }
    }

    #[test]
    fn a_word_is_neither_part_of_another_nor_of_its_number() {
        let trapdoors: Vec<Trapdoor> =
            [&b""[..], b"a", b"aa", b"\x01a", b"\x02a"].map(|word| trapdoor(&key(1), word)).into();
        for (at, one) in trapdoors.iter().enumerate() {
            assert!(one.0[..32] != one.0[32..]);
            assert!(trapdoors[..at].iter().all(|other| other.0[..32] != one.0[..32]));
        }
    }

    #[test]
    fn a_walk_goes_on_over_sixteen_missing_uses_and_over_no_more() {
        for (lost, is_found) in [(0, true), (MOST_LOST, true), (MOST_LOST + 1, false)] {
            let (mut dictionary, mut uses) = (Dictionary::default(), Uses::new());
            for _ in 0..lost {
                entries(&[b"x-ray"], 1, &mut uses);
            }
            dictionary.add(&entries(&[b"x-ray"], 2, &mut uses));
            let found = find(&dictionary, &[trapdoor(&key(1), b"x-ray")]);
            assert_eq!(found, if is_found { vec![2] } else { vec![] }, "{lost} lost");
        }
    }

    #[test]
    fn a_keyword_given_twice_counts_once() {
        let mut uses = Uses::new();
        assert_eq!(entries(&[b"a", b"b", b"a"], 1, &mut uses).len(), 2);
        assert!(uses.counts.values().all(|&count| count == 1));
    }

    #[test]
    fn what_is_added_after_a_removal_is_found_however_much_was_removed() {
        let (mut dictionary, mut uses) = (Dictionary::default(), Uses::new());
        let word = trapdoor(&key(1), b"x-ray");
        let first = entries(&[b"x-ray"], 1, &mut uses);
        dictionary.add(&first);
        for _ in 0..3 * MOST_LOST {
            dictionary.add(&entries(&[b"x-ray"], 1, &mut uses));
        }
        dictionary.clear();
        assert!(dictionary.is_empty() && find(&dictionary, std::slice::from_ref(&word)).is_empty());
        assert!(dictionary.holds_any(&first), "a label is used once");
        dictionary.add(&entries(&[b"x-ray"], 2, &mut uses));
        assert_eq!(
            (find(&dictionary, std::slice::from_ref(&word)), dictionary.len()),
            (vec![2], 1)
        );
    }

    #[test]
    fn a_keyword_that_can_be_counted_no_further_is_refused_and_so_are_too_many() {
        let mut uses = Uses::new();
        uses.counts.insert(tag(&keyword_key(&key(1)), b"full"), u64::MAX);
        let before = uses.clone();
        let refused = uses.make(&key(1), &[b"another", b"full", b"other"], 1);
        assert_eq!(refused, Err(Error::Uses { got: u64::MAX }));
        let words: Vec<[u8; 2]> = (0..=4096_u16).map(u16::to_le_bytes).collect();
        let words: Vec<&[u8]> = words.iter().map(<[u8; 2]>::as_slice).collect();
        let (what, got, most) = ("keywords of the file", 4097, 4096);
        let refusal = crate::message::Error::TooMany { what, got, most };
        assert_eq!(uses.make(&key(1), &words, 1), Err(refusal.into()));
        assert_eq!(uses.make(&key(1), &words[1..], 1).unwrap().entries.len(), 4096);
        assert_eq!(uses, before, "nothing is counted");
    }

    fn hospital() -> Node {
        Node::root().child("hospital", 0).unwrap()
    }

    const OWNER: Owner = Owner([7; 32]);

    /// The notes of files with keywords, and the uses of whoever made them.
    fn noted(files: &[&[&[u8]]]) -> (Notes, Uses) {
        let mut uses = Uses::new();
        let mut notes = Vec::new();
        for (number, words) in (1..).zip(files) {
            let made = uses.make(&key(1), words, number).unwrap();
            let sealed = note(&key(1), (&OWNER, &hospital(), number), &made.used).unwrap();
            uses.count(number, &made);
            notes.push(Note { number, sealed });
        }
        (Notes { request: 0, owner: OWNER, provider: hospital(), notes }, uses)
    }

    #[test]
    fn what_notes_prove_is_what_was_counted() {
        let (mut notes, made) = noted(&[&[b"a", b"b"], &[], &[b"b"], &[b"b", b"c"]]);
        let learnt = Uses::learn(&key(1), &notes).unwrap();
        assert_eq!(learnt.counts, made.counts);
        assert_eq!(learnt.lineage, Lineage { base: notes.base(), previous: Vec::new() });
        notes.notes.reverse();
        assert_eq!(Uses::learn(&key(1), &notes).unwrap().counts, made.counts, "in any order");
        let number = |word| tag(&keyword_key(&key(1)), word);
        notes.notes.retain(|note| note.number != 4);
        let learnt = Uses::learn(&key(1), &notes).unwrap();
        let expected = [(number(b"a"), 1), (number(b"b"), 2)];
        assert_eq!(learnt.counts, expected.into(), "nothing that is not proven");
        notes.notes.clear();
        assert_eq!(Uses::learn(&key(1), &notes), Ok(Uses::new()));
    }

    #[test]
    fn a_note_opens_at_its_own_place_only() {
        let (notes, _) = noted(&[&[b"a"], &[b"b"]]);
        let refused = |change: fn(&mut Notes)| {
            let mut changed = notes.clone();
            change(&mut changed);
            Uses::learn(&key(1), &changed)
        };
        assert_eq!(refused(|notes| notes.owner.0[0] ^= 1), Err(Error::Note { position: 0 }));
        let elsewhere = Node::root().child("hospital", 1).unwrap();
        let moved = Notes { provider: elsewhere, ..notes.clone() };
        assert_eq!(Uses::learn(&key(1), &moved), Err(Error::Note { position: 0 }));
        assert_eq!(refused(|notes| notes.notes[1].number = 3), Err(Error::Note { position: 1 }));
        assert_eq!(
            refused(|notes| notes.notes[1].sealed.clear()),
            Err(Error::Note { position: 1 })
        );
        assert_eq!(Uses::learn(&key(2), &notes), Err(Error::Note { position: 0 }));
        let sealed = &notes.notes[1].sealed;
        for at in 0..sealed.len() {
            let mut changed = notes.clone();
            changed.notes[1].sealed[at] ^= 1;
            assert_eq!(
                Uses::learn(&key(1), &changed),
                Err(Error::Note { position: 1 }),
                "byte {at}"
            );
            changed.notes[1].sealed = sealed[..at].to_vec();
            assert_eq!(
                Uses::learn(&key(1), &changed),
                Err(Error::Note { position: 1 }),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn a_note_that_no_keyring_makes_is_refused() {
        let learn = |used: &[(Tag, u64)]| {
            let sealed = note(&key(1), (&OWNER, &hospital(), 5), used).unwrap();
            let notes = vec![Note { number: 5, sealed }];
            Uses::learn(&key(1), &Notes { request: 0, owner: OWNER, provider: hospital(), notes })
        };
        assert_eq!(learn(&[([1; 16], u64::MAX - 1)]).unwrap().counts, [([1; 16], u64::MAX)].into());
        for wrong in [
            &[([1; 16], u64::MAX)][..],
            &[([2; 16], 1), ([1; 16], 1)],
            &[([1; 16], 1), ([1; 16], 2)],
        ] {
            assert_eq!(learn(wrong), Err(Error::Note { position: 0 }), "{wrong:?}");
        }
    }

    #[derive(Deserialize)]
    struct Vectors {
        notes: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        #[serde(with = "hex")]
        provider: [u8; 32],
        #[serde(with = "hex")]
        owner: [u8; 32],
        path: String,
        epochs: Vec<u32>,
        file: String,
        keywords: Vec<(String, u64)>,
        #[serde(with = "hex")]
        nonce: [u8; 12],
        #[serde(with = "hex")]
        note: Vec<u8>,
    }

    #[test]
    fn notes_are_the_pinned_ones() {
        let vectors = include_str!("../../tests/vectors/keyword.json");
        let vectors: Vectors = serde_json::from_str(vectors).unwrap();
        assert_eq!(vectors.notes.len(), 3);
        for case in vectors.notes {
            let provider = Key::from_bytes(&case.provider).unwrap();
            let epochs: Vec<crate::message::place::Epoch> =
                case.epochs.iter().map(|&epoch| epoch.into()).collect();
            let node = Node::of(&case.path, &epochs).unwrap();
            let number = u128::from_str_radix(&case.file, 16).unwrap();
            let key = keyword_key(&provider);
            let used = case.keywords.iter().map(|(word, at)| (tag(&key, word.as_bytes()), *at));
            let mut used: Vec<(Tag, u64)> = used.collect();
            used.sort_unstable();
            let place = (&Owner(case.owner), &node, number);
            let sealed = note_with(&provider, place, &used, &case.nonce).unwrap();
            assert_eq!(sealed, case.note, "{}", case.path);
        }
    }
}
