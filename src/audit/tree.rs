//! The hash tree of a log: it grows at its end, and what it was is shown to be the beginning of what it is.
//!
//! The tree is that of [`message`](crate::message), whose nodes are those of RFC 6962: a lone node that moves
//! up is the root of a smaller tree beside a full one. Every full node is kept, 64 bytes an entry, so that a
//! path takes a look-up a level and hashes nothing but the right edge.

use std::ops::Range;

use crate::message::tree::{Hash, leaf, node};

/// A tree that grows.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree(Vec<Vec<Hash>>);

impl Tree {
    /// How many leaves there are.
    pub(super) fn len(&self) -> u64 {
        self.0.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// One of the leaves there are.
    pub(super) fn leaf(&self, number: u64) -> Hash {
        self.over(number..number + 1)
    }

    /// Adds a leaf.
    pub(super) fn push(&mut self, leaf: Hash) {
        let mut up = Some(leaf);
        for level in 0.. {
            let Some(hash) = up else { return };
            if self.0.len() == level {
                self.0.push(Vec::new());
            }
            let nodes = &mut self.0[level];
            nodes.push(hash);
            up = match nodes.as_slice() {
                [.., left, right] if nodes.len().is_multiple_of(2) => Some(node(left, right)),
                _ => None,
            };
        }
    }

    /// What is above some leaves, of which there is one at least: all of a full tree, or those that are left.
    fn over(&self, Range { start, end }: Range<u64>) -> Hash {
        let size = end - start;
        if size.is_power_of_two() && start.is_multiple_of(size) {
            return self.0[size.trailing_zeros() as usize][index(start / size)];
        }
        let middle = start + split(size);
        node(&self.over(start..middle), &self.over(middle..end))
    }

    /// The root that the first leaves had; of none, that of an empty piece.
    pub(super) fn root(&self, size: u64) -> Hash {
        if size == 0 { leaf(b"") } else { self.over(0..size) }
    }

    /// The nodes beside consecutive leaves in the tree of the first ones, as
    /// [`root_of`](crate::message::tree::root_of) reads them.
    pub(super) fn path(&self, leaves: Range<u64>, size: u64) -> Vec<Hash> {
        let mut path = Vec::new();
        let (Range { mut start, mut end }, mut count, mut width) = (leaves, size, 1);
        let mut beside = |at: u64, width: u64| {
            path.push(self.over(at * width..((at + 1) * width).min(size)));
        };
        while count > 1 {
            if start % 2 == 1 {
                beside(start - 1, width);
            }
            if end % 2 == 1 && end < count {
                beside(end, width);
            }
            (start, end) = (start / 2, end.div_ceil(2));
            (count, width) = (count.div_ceil(2), width * 2);
        }
        path
    }

    /// What shows that the tree of the first leaves is the beginning of that of more: RFC 9162, 2.1.4.1.
    pub(super) fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        let mut proof = Vec::new();
        if old == 0 || old >= new {
            return proof;
        }
        let (Range { mut start, mut end }, mut is_whole) = (0..new, true);
        // From the root down to where the old tree ends, with what is beside the way.
        while end > old {
            let middle = start + split(end - start);
            if old <= middle {
                proof.push(self.over(middle..end));
                end = middle;
            } else {
                proof.push(self.over(start..middle));
                (start, is_whole) = (middle, false);
            }
        }
        if !is_whole {
            proof.push(self.over(start..end));
        }
        proof.reverse();
        proof
    }
}

/// How many leaves the left one of two nodes is above.
fn split(size: u64) -> u64 {
    size.next_power_of_two() / 2
}

#[expect(clippy::cast_possible_truncation, reason = "a place in a list that is in memory")]
fn index(position: u64) -> usize {
    position as usize
}

/// Whether a proof shows that a tree of some size and root is the beginning of another: RFC 9162, 2.1.4.2.
pub(super) fn is_beginning(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    proof: &[Hash],
) -> bool {
    if old == 0 {
        return proof.is_empty() && *old_root == leaf(b"");
    }
    if old >= new {
        return old == new && proof.is_empty() && old_root == new_root;
    }
    let (mut last_old, mut last_new) = (old - 1, new - 1);
    let up = last_old.trailing_ones();
    (last_old, last_new) = (last_old >> up, last_new >> up);
    let mut proof = proof.iter();
    let first = if old.is_power_of_two() { Some(old_root) } else { proof.next() };
    let Some(&first) = first else { return false };
    let (mut below_old, mut below_new) = (first, first);
    for beside in proof {
        if last_new == 0 {
            return false;
        }
        if last_old % 2 == 1 || last_old == last_new {
            (below_old, below_new) = (node(beside, &below_old), node(beside, &below_new));
            let up = if last_old == 0 { 0 } else { last_old.trailing_zeros() };
            (last_old, last_new) = (last_old >> up, last_new >> up);
        } else {
            below_new = node(&below_new, beside);
        }
        (last_old, last_new) = (last_old / 2, last_new / 2);
    }
    last_new == 0 && below_old == *old_root && below_new == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tree::{self, root_of};

    fn hash(number: u64) -> Hash {
        leaf(&number.to_le_bytes())
    }

    fn grown(size: u64) -> Tree {
        let mut tree = Tree::default();
        (0..size).for_each(|number| tree.push(hash(number)));
        tree
    }

    #[test]
    fn roots_are_those_of_the_protocol_s_tree_at_every_size() {
        let tree = grown(70);
        for size in 0..=70 {
            let expected = tree::Tree::new((0..size).map(hash).collect()).root();
            assert_eq!(tree.root(size), expected, "{size}");
        }
    }

    /// The inputs and roots that Certificate Transparency's implementations are tested with.
    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let inputs = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::default();
        for (size, (input, root)) in inputs.into_iter().zip(roots).enumerate() {
            tree.push(leaf(&hex::decode(input).unwrap()));
            assert_eq!(hex::encode(tree.root(size as u64 + 1)), root);
        }
    }

    #[test]
    fn every_stretch_of_every_tree_leads_to_its_root() {
        let tree = grown(20);
        for size in 1..=20 {
            for start in 0..size {
                for end in start + 1..=size {
                    let leaves: Vec<Hash> = (start..end).map(hash).collect();
                    let path = tree.path(start..end, size);
                    assert_eq!(root_of(size, start, &leaves, &path), Some(tree.root(size)));
                }
            }
        }
    }

    #[test]
    fn a_tree_is_shown_to_go_on_from_each_one_before_and_from_no_other() {
        let tree = grown(40);
        let other = leaf(b"other");
        for new in 0..=40 {
            for old in 0..=new {
                let (before, after) = (tree.root(old), tree.root(new));
                let proof = tree.consistency(old, new);
                let shows = |old_root: &Hash, new_root: &Hash, proof: &[Hash]| {
                    is_beginning((old, old_root), (new, new_root), proof)
                };
                assert!(shows(&before, &after, &proof), "{old} {new}");
                assert!(!shows(&other, &after, &proof), "{old} {new}");
                assert!(old == 0 || !shows(&before, &other, &proof), "{old} {new}");
                assert!(!shows(&before, &after, &[&proof[..], &[other]].concat()));
                for at in 0..proof.len() {
                    assert!(!shows(&before, &after, &[&proof[..at], &proof[at + 1..]].concat()));
                    let mut changed = proof.clone();
                    changed[at][9] ^= 1;
                    assert!(!shows(&before, &after, &changed));
                }
                assert!(new == old || !is_beginning((new, &after), (old, &before), &proof));
            }
        }
    }
}
