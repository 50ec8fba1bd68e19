//! A digest of many bytes that can be computed in parallel, and checked piece by piece.
//!
//! Bytes are cut into chunks of 1 MiB, and these hashed into a binary tree:
//!
//! ```text
//! leaf = SHA-256(0 || chunk),  node = SHA-256(1 || left || right), a lone node moves up
//! ```
//!
//! Whoever signs the root and the length has signed every chunk, so that a large message can travel in
//! parts which are checked one by one. No bytes at all are one empty chunk.
//!
//! # Sources
//!
//! * The tree: Merkle, *A Certified Digital Signature*, CRYPTO 1989; leaves and nodes told apart as
//!   in RFC 6962, section 2.1.

use crate::pool;
use sha2::{Digest, Sha256};

/// Bytes of a digest.
pub(crate) const DIGEST_LEN: usize = 32;

/// Bytes of a chunk; the last one may be shorter.
pub(crate) const CHUNK: usize = 1 << 20;

type Hash = [u8; DIGEST_LEN];

fn leaf(chunk: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(chunk).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root over the chunks of some bytes.
pub(crate) fn root(bytes: &[u8]) -> Hash {
    if bytes.len() <= CHUNK {
        return leaf(bytes);
    }
    let mut level: Vec<Hash> = pool::map_chunks(bytes, CHUNK, |_, chunk| leaf(chunk));
    while level.len() > 1 {
        let up = level.chunks(2).map(|pair| match pair {
            [left, right] => node(left, right),
            lone => lone[0],
        });
        level = up.collect();
    }
    level[0]
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
