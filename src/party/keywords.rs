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
//! A keyword is any string of bytes; whoever calls decides what counts as the same word. How often each
//! was used is kept under a tag, so that the next entry gets a label of its own. A keyring that has
//! missed entries asks the cloud how many there are, with the same trapdoors.
//!
//! # Leakage
//!
//! That of [`crate::cloud::dictionary`]. A trapdoor is good for one keyword at one provider, for ever.
//!
//! # Sources
//!
//! D. Cash et al., "Dynamic Searchable Encryption in Very-Large Databases", NDSS 2014, sections 3, 4.

use std::collections::BTreeMap;

use super::Error;
use crate::keys::{Key, Purpose};
use crate::message::trapdoor::{Entry, TRAPDOOR_LEN, Trapdoor};

/// How often a provider used each keyword, by the keyword's tag.
pub type Uses = BTreeMap<[u8; 16], u64>;

/// Below the keyword key: the number of the child for the tag. The halves of a trapdoor are 1 and 2.
const TAG: u8 = 3;

/// The key of all keywords of a provider.
fn keyword_key(provider: &Key) -> Key {
    provider.child(Purpose::Keyword, b"", 0)
}

/// What stands for a keyword where its uses are counted.
fn tag(key: &Key, keyword: &[u8]) -> [u8; 16] {
    let tag = key.child(Purpose::Keyword, &[&[TAG], keyword].concat(), 0);
    let (halves, _) = tag.expose().as_chunks::<16>();
    halves[0]
}

/// Returns a provider's trapdoor for a keyword.
#[must_use]
pub fn trapdoor(provider: &Key, keyword: &[u8]) -> Trapdoor {
    let key = keyword_key(provider);
    let half = |number: u8| key.child(Purpose::Keyword, &[&[number], keyword].concat(), 0);
    let mut bytes = [0; TRAPDOOR_LEN];
    bytes[..TRAPDOOR_LEN / 2].copy_from_slice(half(1).expose());
    bytes[TRAPDOOR_LEN / 2..].copy_from_slice(half(2).expose());
    Trapdoor(bytes)
}

/// Returns the entries of a new file, in the order of their labels, which tells nothing of the words,
/// and counts them. A keyword that is given twice counts once.
///
/// # Errors
///
/// [`Error::Uses`] if a keyword was used 2^64 - 1 times. Nothing is counted then.
pub fn entries(
    provider: &Key,
    keywords: &[&[u8]],
    file: u128,
    counts: &mut Uses,
) -> Result<Vec<Entry>, Error> {
    let key = keyword_key(provider);
    let mut words = keywords.to_vec();
    words.sort_unstable();
    words.dedup();
    let numbered = |word| {
        let tag = tag(&key, word);
        let number = counts.get(&tag).copied().unwrap_or(0);
        let next = number.checked_add(1).ok_or(Error::Uses { got: number })?;
        Ok((word, tag, number, next))
    };
    let numbered = words.into_iter().map(numbered).collect::<Result<Vec<_>, Error>>()?;
    let entry = |(word, tag, number, next)| {
        counts.insert(tag, next);
        trapdoor(provider, word).entry(number, file)
    };
    let mut entries: Vec<Entry> = numbered.into_iter().map(entry).collect();
    entries.sort_unstable();
    Ok(entries)
}

/// Takes note of how often keywords were used, where that is more often than is known.
pub fn catch_up(provider: &Key, used: &[(&[u8], u64)], counts: &mut Uses) {
    let key = keyword_key(provider);
    for &(keyword, used) in used {
        let count = counts.entry(tag(&key, keyword)).or_default();
        *count = used.max(*count);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;
    use std::convert::Infallible;

    use crate::cloud::dictionary::{self, Dictionary, LookUp, MOST_LOST};

    fn look_up(dictionary: &Dictionary) -> impl LookUp<Infallible> {
        |labels: &[u128]| Ok(dictionary.look_up(labels))
    }

    fn find(dictionary: &Dictionary, trapdoors: &[Trapdoor]) -> Vec<u128> {
        dictionary::find_all(trapdoors, look_up(dictionary)).unwrap()
    }

    fn key(byte: u8) -> Key {
        Key::from_bytes(&[byte; 32]).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_finds_what_a_plain_inverted_index_finds(
            files in vec(btree_set(0_u8..6, 0..5), 0..40),
            lost in vec(0_u8..5, 40),
            asked in btree_set(0_u8..7, 1..4),
        ) {
            let (mut dictionary, mut counts) = (Dictionary::default(), Uses::new());
            let mut plain: Vec<(u128, BTreeSet<u8>)> = Vec::new();
            for (number, words) in files.into_iter().enumerate() {
                let keywords: Vec<[u8; 1]> = words.iter().map(|&word| [word]).collect();
                let keywords: Vec<&[u8]> = keywords.iter().map(<[u8; 1]>::as_slice).collect();
                let entries = entries(&key(1), &keywords, number as u128, &mut counts).unwrap();
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
    fn a_file_after_too_many_lost_messages_is_not_found() {
        for (lost, is_found) in [(0, true), (MOST_LOST, true), (MOST_LOST + 1, false)] {
            let (mut dictionary, mut counts) = (Dictionary::default(), Uses::new());
            for _ in 0..lost {
                entries(&key(1), &[b"x-ray"], 1, &mut counts).unwrap();
            }
            dictionary.add(&entries(&key(1), &[b"x-ray"], 2, &mut counts).unwrap());
            let found = find(&dictionary, &[trapdoor(&key(1), b"x-ray")]);
            assert_eq!(found, if is_found { vec![2] } else { vec![] }, "{lost} lost");
        }
    }

    #[test]
    fn a_keyword_given_twice_counts_once() {
        let mut counts = Uses::new();
        assert_eq!(entries(&key(1), &[b"a", b"b", b"a"], 1, &mut counts).unwrap().len(), 2);
        assert!(counts.values().all(|&count| count == 1));
    }

    #[test]
    fn what_is_added_after_a_removal_is_found_however_much_was_removed() {
        let (mut dictionary, mut counts) = (Dictionary::default(), Uses::new());
        let word = trapdoor(&key(1), b"x-ray");
        let first = entries(&key(1), &[b"x-ray"], 1, &mut counts).unwrap();
        dictionary.add(&first);
        for _ in 0..3 * MOST_LOST {
            dictionary.add(&entries(&key(1), &[b"x-ray"], 1, &mut counts).unwrap());
        }
        dictionary.clear();
        assert!(dictionary.is_empty() && find(&dictionary, std::slice::from_ref(&word)).is_empty());
        assert!(dictionary.holds_any(&first), "a label is used once");
        dictionary.add(&entries(&key(1), &[b"x-ray"], 2, &mut counts).unwrap());
        assert_eq!(
            (find(&dictionary, std::slice::from_ref(&word)), dictionary.len()),
            (vec![2], 1)
        );
        assert_eq!(dictionary::used(&word, look_up(&dictionary)).unwrap(), 3 * MOST_LOST + 2);
    }

    #[test]
    fn a_keyword_that_can_be_counted_no_further_is_refused_and_nothing_is_counted() {
        let mut counts = Uses::new();
        catch_up(&key(1), &[(b"full", u64::MAX), (b"other", 5), (b"other", 3)], &mut counts);
        let before = counts.clone();
        let refused = entries(&key(1), &[b"another", b"full", b"other"], 1, &mut counts);
        assert!(matches!(refused, Err(Error::Uses { got: u64::MAX })));
        assert_eq!(counts, before);
        let other = entries(&key(1), &[b"other"], 1, &mut counts).unwrap();
        assert_eq!(other, [trapdoor(&key(1), b"other").entry(5, 1)]);
    }
}
