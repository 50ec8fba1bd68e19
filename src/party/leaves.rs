//! The numbers behind a proof by sums that take a key: leaves, masks, and which slot a cell has.
//!
//! ```text
//! leaf key = child(provider's key, "leaf")
//! row      = CBC-MAC of AES-256(leaf key) over upload, handle, H(row): always four blocks
//! leaf(f)  = AES-256(child(leaf key, "leaf", "/" || f); row)
//! mask(f, content; b) = AES-256(child(child(provider's key, "mask", "/" || f), "mask", content); b)
//! random lines = AES-256(child(child(provider's key, "mask", "lines"), "mask", content); 0, 1, ..), three blocks each
//! slots(f) = a shuffle of 0..B by coins under child(ruler key of f, "slot")
//! ```
//!
//! The sum over all rows of a seal, whatever their fields, has the field "" in both. A message of always
//! as many blocks makes CBC-MAC a pseudo-random function. A leaf costs five AES blocks for one field, and
//! one more for each other. Leaves are never sent, stored or shown.
//!
//! # Sources
//!
//! * CBC-MAC on messages of one length: Bellare, Kilian, Rogaway, *The Security of the Cipher Block Chaining
//!   Message Authentication Code*, CRYPTO 1994.
//! * The shuffle: Fisher and Yates; Durstenfeld, Algorithm 235, CACM 7(7), 1964.

use std::collections::HashMap;
use std::sync::Arc;

use crate::keys::coins::{Block, Coins, Tag};
use crate::keys::{Key, Purpose};
use crate::message::catalogue::Line;
use crate::message::sums::Row;
use crate::pool;

/// Rows whose blocks are encrypted together.
const TOGETHER: usize = 64;

/// Rows that one thread takes one after the other.
const ROWS: usize = 1 << 12;

/// The field that stands for all rows.
pub(super) const ALL: &str = "";

fn label(field: &str) -> Vec<u8> {
    if field == ALL { Vec::new() } else { [b"/", field.as_bytes()].concat() }
}

/// What makes the leaves and masks of one provider.
pub(super) struct Leaves {
    row: Coins,
    fields: HashMap<String, (Coins, Key)>,
}

impl Leaves {
    /// Those of the provider with this key, for some fields.
    pub(super) fn new<'a>(provider: &Key, fields: impl IntoIterator<Item = &'a str>) -> Self {
        let key = provider.child(Purpose::Leaf, b"", 0);
        let of = |field: &str| {
            let label = label(field);
            let leaf = match field {
                ALL => key.child(Purpose::Leaf, b"all", 0),
                _ => key.child(Purpose::Leaf, &label, 0),
            };
            let mask = provider.child(Purpose::Mask, &label, 0);
            (field.to_owned(), (Coins::new(&leaf), mask))
        };
        let fields = fields.into_iter().map(of).collect();
        Self { row: Coins::new(&key), fields }
    }

    /// What stands for rows, before a field is mixed in.
    pub(super) fn rows(&self, rows: &[Row]) -> Vec<Block> {
        let of_chunk = |_: usize, rows: &[Row]| {
            let mut found = Vec::with_capacity(rows.len());
            for rows in rows.chunks(TOGETHER) {
                let mut states: Vec<Block> =
                    rows.iter().map(|row| row.upload.to_le_bytes().into()).collect();
                self.row.toss(&mut states);
                let (mut handles, mut low, mut high) = (Vec::new(), Vec::new(), Vec::new());
                for row in rows {
                    let (halves, _) = row.digest.as_chunks::<16>();
                    handles.push(row.handle.to_le_bytes());
                    low.push(halves[0]);
                    high.push(halves[1]);
                }
                for next in [handles, low, high] {
                    for (state, next) in states.iter_mut().zip(next) {
                        state.iter_mut().zip(next).for_each(|(byte, next)| *byte ^= next);
                    }
                    self.row.toss(&mut states);
                }
                found.extend(states);
            }
            found
        };
        pool::map_chunks(rows, ROWS, of_chunk).concat()
    }

    /// The leaf of each row for a field.
    pub(super) fn of(&self, field: &str, rows: &[Block]) -> Vec<u128> {
        let Some((coins, _)) = self.fields.get(field) else { return Vec::new() };
        let of_chunk = |_: usize, rows: &[Block]| {
            let mut blocks = rows.to_vec();
            coins.toss(&mut blocks);
            blocks.into_iter().map(|block| u128::from_le_bytes(block.into())).collect::<Vec<_>>()
        };
        pool::map_chunks(rows, ROWS, of_chunk).concat()
    }

    /// The sum of the leaves of rows for a field.
    pub(super) fn sum(&self, field: &str, rows: &[Block]) -> u128 {
        self.of(field, rows).into_iter().fold(0, u128::wrapping_add)
    }

    /// The masks of a content's table: of each place that is asked for.
    pub(super) fn masks(
        &self,
        field: &str,
        content: &[u8; 32],
        places: impl IntoIterator<Item = u64>,
    ) -> Vec<u128> {
        let Some((_, key)) = self.fields.get(field) else { return Vec::new() };
        let coins = Coins::new(&key.child(Purpose::Mask, content, 0));
        let mut blocks: Vec<Block> =
            places.into_iter().map(|place| Coins::block(Tag::Mask, 0, 0, place)).collect();
        coins.toss(&mut blocks);
        blocks.into_iter().map(|block| u128::from_le_bytes(block.into())).collect()
    }
}

/// Lines that stand for no keyword.
pub(super) fn random_lines(provider: &Key, content: &[u8; 32], count: usize) -> Vec<Line> {
    let key = provider.child(Purpose::Mask, b"lines", 0).child(Purpose::Mask, content, 0);
    let mut blocks: Vec<Block> =
        (0..3 * count as u64).map(|place| Coins::block(Tag::Mask, 0, 0, place)).collect();
    Coins::new(&key).toss(&mut blocks);
    let (lines, _) = blocks.as_chunks::<3>();
    let line = |[id, low, high]: &[Block; 3]| {
        let mut list = [0; 32];
        list[..16].copy_from_slice(low);
        list[16..].copy_from_slice(high);
        Line { id: u128::from_le_bytes((*id).into()), list }
    };
    lines.iter().map(line).collect()
}

/// Which slot each place from 0 up to the number of cells has.
pub(super) fn slots(ruler: &Key, cells: u64) -> Arc<Vec<u32>> {
    let coins = Coins::new(&ruler.child(Purpose::Slot, b"", 0));
    let last = u32::try_from(cells).unwrap_or(u32::MAX);
    let mut slots: Vec<u32> = (0..=last).collect();
    for at in (1..slots.len()).rev() {
        let (minor, size) = (at as u64, at as u64 + 1);
        let other = coins.uniform(Tag::Shuffle, 0, minor, size, None);
        slots.swap(at, crate::wire::length(other));
    }
    Arc::new(slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::from_bytes(&[byte; 32]).unwrap()
    }

    fn row(upload: u128, handle: u128, digest: u8) -> Row {
        Row { upload, handle, digest: [digest; 32] }
    }

    #[test]
    fn a_leaf_hangs_on_key_field_and_all_of_the_row() {
        let mut leaves = Vec::new();
        for (byte, fields) in [(1, ["", "age", "sbp"]), (2, ["", "age", "sbp"])] {
            let of = Leaves::new(&key(byte), fields);
            let rows = of.rows(&[row(1, 2, 3), row(2, 2, 3), row(1, 3, 3), row(1, 2, 4)]);
            leaves.extend(fields.iter().flat_map(|field| of.of(field, &rows)));
            leaves.extend(fields.iter().flat_map(|field| of.masks(field, &[7; 32], 0..3)));
            leaves.extend(fields.iter().flat_map(|field| of.masks(field, &[8; 32], 0..3)));
        }
        let count = leaves.len();
        leaves.sort_unstable();
        leaves.dedup();
        assert_eq!(leaves.len(), count);
    }

    #[test]
    fn many_rows_have_the_leaves_that_each_has_alone() {
        let of = Leaves::new(&key(3), ["age"]);
        let rows: Vec<Row> = (0..10_000_u128).map(|at| row(at / 7, at, 1)).collect();
        let together = of.of("age", &of.rows(&rows));
        for at in [0, 63, 64, 4095, 4096, 9999] {
            assert_eq!(together[at..=at], of.of("age", &of.rows(&rows[at..=at])));
        }
        let sum = together.iter().copied().fold(0, u128::wrapping_add);
        assert_eq!(of.sum("age", &of.rows(&rows)), sum);
    }

    #[test]
    fn every_place_has_a_slot_of_its_own_that_the_ruler_decides() {
        let (one, other) = (slots(&key(1), 121), slots(&key(2), 121));
        assert_ne!(one, other);
        for of in [one, other] {
            let mut sorted = of.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..=121).collect::<Vec<u32>>());
        }
    }

    /// Which slot place 0 has, of 4, over 4000 keys: chi-square with 3 degrees of freedom; a false
    /// alarm has probability 10^-6.
    #[test]
    fn slots_are_uniform() {
        let mut counts = [0_u32; 4];
        for number in 0..4000_u32 {
            let ruler = key(9).child(Purpose::Ruler, &number.to_le_bytes(), 0);
            counts[crate::wire::length(slots(&ruler, 3)[0].into())] += 1;
        }
        let chi2: f64 = counts.iter().map(|&n| (f64::from(n) - 1e3).powi(2) / 1e3).sum();
        assert!(chi2 < 30.7, "chi-square is {chi2}: {counts:?}");
    }
}
