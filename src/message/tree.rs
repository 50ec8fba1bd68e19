//! A digest of much that can be computed in parallel, and checked piece by piece.
//!
//! Pieces are hashed into a binary tree:
//!
//! ```text
//! leaf = SHA-256(0 || piece),  node = SHA-256(1 || left || right), a lone node moves up
//! ```
//!
//! Whoever signs the root and the number of pieces has signed each of them. Consecutive pieces are shown
//! to be among them by a [path](Tree::path): the nodes beside them, two a level at most. The bytes of a
//! message are cut into chunks of 1 MiB, so that a large one can travel in parts which are checked one by
//! one. No bytes at all are one empty chunk.
//!
//! # Sources
//!
//! * The tree: Merkle, *A Certified Digital Signature*, CRYPTO 1989; leaves and nodes told apart as
//!   in RFC 6962, section 2.1.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::pool;

/// Bytes of a digest.
pub(crate) const DIGEST_LEN: usize = 32;

/// Bytes of a chunk; the last one may be shorter.
pub(crate) const CHUNK: usize = 1 << 20;

/// The digest of a piece, or of what is below a node.
pub type Hash = [u8; DIGEST_LEN];

/// Nodes that one thread hashes one after the other.
const NODES: usize = 1 << 12;

/// The digest of a piece.
pub(crate) fn leaf(piece: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(piece).finalize().into()
}

/// What is above two nodes.
pub(crate) fn node(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 1 + 2 * DIGEST_LEN];
    bytes[1..=DIGEST_LEN].copy_from_slice(left);
    bytes[1 + DIGEST_LEN..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The root over the chunks of some bytes.
pub(crate) fn root(bytes: &[u8]) -> Hash {
    if bytes.len() <= CHUNK {
        return leaf(bytes);
    }
    Tree::of_bytes(bytes).root()
}

/// How many chunks so many bytes have.
pub(crate) fn chunks(bytes: u64) -> u64 {
    bytes.div_ceil(CHUNK as u64).max(1)
}

/// The digests of pieces and of all that is above them.
#[derive(Debug, Clone)]
pub(crate) struct Tree(Vec<Vec<Hash>>);

impl Tree {
    /// The tree over pieces with these digests; of none, that of an empty piece.
    pub(crate) fn new(mut leaves: Vec<Hash>) -> Self {
        if leaves.is_empty() {
            leaves.push(leaf(b""));
        }
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let up = pool::map_chunks(below, 2 * NODES, |_, nodes| {
                let pairs = nodes.chunks(2).map(|pair| match pair {
                    [left, right] => node(left, right),
                    lone => lone[0],
                });
                pairs.collect::<Vec<_>>()
            });
            levels.push(up.concat());
        }
        Self(levels)
    }

    /// The tree over the chunks of some bytes.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self::new(pool::map_chunks(bytes, CHUNK, |_, chunk| leaf(chunk)))
    }

    /// What is above all pieces.
    pub(crate) fn root(&self) -> Hash {
        self.0.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// The nodes beside consecutive pieces, from the lowest level up, the left one of a level first.
    pub(crate) fn path(&self, pieces: Range<usize>) -> Vec<Hash> {
        let mut path = Vec::new();
        let Range { mut start, mut end } = pieces;
        for level in &self.0 {
            if level.len() == 1 {
                break;
            }
            if start % 2 == 1 {
                path.extend(level.get(start - 1));
            }
            if end % 2 == 1 {
                path.extend(level.get(end));
            }
            (start, end) = (start / 2, end.div_ceil(2));
        }
        path
    }
}

/// The root of the tree over `count` pieces of which consecutive ones, from the `start`-th on, have these
/// digests, as their path tells it; `None` if there can be no such tree.
pub(crate) fn root_of(count: u64, start: u64, pieces: &[Hash], path: &[Hash]) -> Option<Hash> {
    let (mut count, mut start, mut known) = (count, start, pieces.to_vec());
    let end = start.checked_add(known.len() as u64)?;
    if known.is_empty() || end > count {
        return None;
    }
    let mut beside = path.iter();
    while count > 1 {
        if start % 2 == 1 {
            known.insert(0, *beside.next()?);
            start -= 1;
        }
        if known.len() % 2 == 1 && start + (known.len() as u64) < count {
            known.push(*beside.next()?);
        }
        let up = known.chunks(2).map(|pair| match pair {
            [left, right] => node(left, right),
            lone => lone[0],
        });
        known = up.collect();
        (start, count) = (start / 2, count.div_ceil(2));
    }
    match (beside.next(), known.as_slice()) {
        (None, [root]) => Some(*root),
        _ => None,
    }
}

/// Why pieces are not all that stand between two others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// There is none beside them, and they are not at the end.
    Neighbour,
    /// They lead to another root.
    Root,
}

/// Checks that pieces with some digests, the first of them the `start`-th, are all between two others of the
/// tree over so many with a root.
pub(crate) fn check_between(
    (count, expected): (u64, &Hash),
    start: u64,
    [left, right]: [Option<Hash>; 2],
    mut inside: Vec<Hash>,
    path: &[Hash],
) -> Result<(), Gap> {
    let is_at_start = left.is_some() || start == 0;
    let is_at_end = right.is_some() || start.checked_add(inside.len() as u64) == Some(count);
    if !is_at_start || !is_at_end {
        return Err(Gap::Neighbour);
    }
    let first = start.checked_sub(left.is_some().into());
    if let Some(left) = left {
        inside.insert(0, left);
    }
    inside.extend(right);
    let found = if count == 0 {
        (inside.is_empty() && path.is_empty()).then(|| leaf(b""))
    } else {
        first.and_then(|first| root_of(count, first, &inside, path))
    };
    if found == Some(*expected) { Ok(()) } else { Err(Gap::Root) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_worked_by_hand_moves_the_lone_chunk_up() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(2 * CHUNK + 5).collect();
        let leaves: Vec<Hash> = [0..CHUNK, CHUNK..2 * CHUNK, 2 * CHUNK..2 * CHUNK + 5]
            .map(|range| leaf(&bytes[range]))
            .to_vec();
        assert_eq!(root(&bytes), node(&node(&leaves[0], &leaves[1]), &leaves[2]));
        assert_eq!(root(&bytes[..CHUNK]), leaves[0]);
        assert_eq!(root(&bytes[..2 * CHUNK]), node(&leaves[0], &leaves[1]));
        assert_eq!(root(b""), leaf(b""));
    }

    #[test]
    fn every_stretch_of_pieces_leads_to_the_root_and_nothing_else_does() {
        for count in 1..=9_u8 {
            let leaves: Vec<Hash> = (0..count).map(|number| leaf(&[number])).collect();
            let tree = Tree::new(leaves.clone());
            for start in 0..usize::from(count) {
                for end in start + 1..=usize::from(count) {
                    let (some, path) = (&leaves[start..end], tree.path(start..end));
                    let found = |start: usize, some: &[Hash], path: &[Hash]| {
                        root_of(count.into(), start as u64, some, path)
                    };
                    assert_eq!(
                        found(start, some, &path),
                        Some(tree.root()),
                        "{count} {start} {end}"
                    );
                    let mut changed = some.to_vec();
                    changed[0][0] ^= 1;
                    assert_ne!(found(start, &changed, &path), Some(tree.root()));
                    for other in 0..=usize::from(count) {
                        let elsewhere = found(other, some, &path);
                        assert!(other == start || elsewhere != Some(tree.root()), "at {other}");
                    }
                    assert_eq!(found(start, &[], &path), None);
                    assert_eq!(found(start, some, &[&path[..], &[[0; 32]]].concat()), None);
                    for cut in 0..path.len() {
                        assert_ne!(found(start, some, &path[..cut]), Some(tree.root()));
                    }
                    for at in 0..path.len() {
                        let mut other = path.clone();
                        other[at][5] ^= 1;
                        assert_ne!(found(start, some, &other), Some(tree.root()));
                    }
                }
            }
        }
    }

    #[test]
    fn only_all_pieces_between_two_neighbours_pass() {
        for count in 0..=6_usize {
            let leaves: Vec<Hash> = (0..count).map(|number| leaf(&number.to_le_bytes())).collect();
            let tree = Tree::new(leaves.clone());
            let committed = (count as u64, &tree.root());
            for start in 0..=count {
                for end in start..=count {
                    let left = start.checked_sub(1).map(|at| leaves[at]);
                    let right = leaves.get(end).copied();
                    let inside = leaves[start..end].to_vec();
                    let (first, last) = (start.saturating_sub(1), (end + 1).min(count));
                    let path = if count == 0 { Vec::new() } else { tree.path(first..last) };
                    let check = |start: usize, beside, inside: &[Hash]| {
                        check_between(committed, start as u64, beside, inside.to_vec(), &path)
                    };
                    assert_eq!(
                        check(start, [left, right], &inside),
                        Ok(()),
                        "{count} {start} {end}"
                    );
                    assert!(check(start + 1, [left, right], &inside).is_err());
                    for at in 0..inside.len() {
                        let mut without = inside.clone();
                        without.remove(at);
                        assert!(check(start, [left, right], &without).is_err());
                        let doubled = [&inside[..=at], &inside[at..]].concat();
                        assert!(check(start, [left, right], &doubled).is_err());
                    }
                    if left.is_some() {
                        assert_eq!(check(start, [None, right], &inside), Err(Gap::Neighbour));
                    }
                    if right.is_some() {
                        assert_eq!(check(start, [left, None], &inside), Err(Gap::Neighbour));
                    }
                }
            }
        }
    }

    #[test]
    fn a_changed_byte_or_length_is_another_root() {
        let bytes = vec![7; CHUNK + 100];
        let first = root(&bytes);
        for at in [0, CHUNK - 1, CHUNK, CHUNK + 99] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_ne!(root(&changed), first, "byte {at}");
        }
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 99] {
            assert_ne!(root(&bytes[..length]), first, "{length} bytes");
        }
    }
}
