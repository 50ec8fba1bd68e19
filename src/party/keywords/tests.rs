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
    assert_eq!((find(&dictionary, std::slice::from_ref(&word)), dictionary.len()), (vec![2], 1));
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
    assert_eq!(refused(|notes| notes.notes[1].sealed.clear()), Err(Error::Note { position: 1 }));
    assert_eq!(Uses::learn(&key(2), &notes), Err(Error::Note { position: 0 }));
    let sealed = &notes.notes[1].sealed;
    for at in 0..sealed.len() {
        let mut changed = notes.clone();
        changed.notes[1].sealed[at] ^= 1;
        assert_eq!(Uses::learn(&key(1), &changed), Err(Error::Note { position: 1 }), "byte {at}");
        changed.notes[1].sealed = sealed[..at].to_vec();
        assert_eq!(Uses::learn(&key(1), &changed), Err(Error::Note { position: 1 }), "cut at {at}");
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
    for wrong in
        [&[([1; 16], u64::MAX)][..], &[([2; 16], 1), ([1; 16], 1)], &[([1; 16], 1), ([1; 16], 2)]]
    {
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
    let vectors = include_str!("../../../tests/vectors/keyword.json");
    let vectors: Vectors = serde_json::from_str(vectors).unwrap();
    assert_eq!(vectors.notes.len(), 3);
    for case in vectors.notes {
        let provider = Key::from_bytes(&case.provider).unwrap();
        let node = Node::of(&case.path, &case.epochs).unwrap();
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
