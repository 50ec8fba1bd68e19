//! One signature over many messages that travel, and are shown, apart.
//!
//! Whoever signs hashes the messages into a binary tree and signs its root. Each message carries
//! what leads from it to the root, so that it is verified by itself:
//!
//! ```text
//! leaf = SHA-256(0 || message),  node = SHA-256(1 || left || right), a lone node moves up
//! signed message = message || count || position || siblings || signature of (count, root)
//! ```
//!
//! Costs one signature and about two hashes a message to make, log2(count) hashes and one
//! verification to check; messages with the same root are verified once.
//!
//! # Leakage
//!
//! How many messages were signed together, and which of them this is.
//!
//! # Sources
//!
//! * The tree: Merkle, *A Certified Digital Signature*, CRYPTO 1989; leaves and nodes told apart as
//!   in RFC 6962, section 2.1.

use sha2::{Digest, Sha256};

use super::Error;
use crate::wire::{Kind, Reader, Writer};

type Hash = [u8; 32];

fn leaf(message: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(message).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// What is signed: no other message begins like it.
fn root_message(count: u32, root: &Hash) -> Vec<u8> {
    let mut writer = Writer::new(Kind::Root);
    writer.u32(count).raw(root);
    writer.0
}

/// Signs messages together, and returns each with its way to the root and the signature.
pub(crate) fn sign<const N: usize>(
    messages: &[Vec<u8>],
    sign: impl FnOnce(&[u8]) -> [u8; N],
) -> Vec<Vec<u8>> {
    let mut levels = vec![messages.iter().map(|message| leaf(message)).collect::<Vec<_>>()];
    while let Some(level) = levels.last().filter(|level| level.len() > 1) {
        let up = level.chunks(2).map(|pair| match pair {
            [left, right] => node(left, right),
            lone => lone[0],
        });
        levels.push(up.collect());
    }
    let Some(root) = levels.last().and_then(|level| level.first()) else { return Vec::new() };
    // Tokens are one per group, and groups are far fewer than 2^32.
    let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
    let signature = sign(&root_message(count, root));
    (0..count)
        .zip(messages)
        .map(|(position, message)| {
            let mut writer = Writer(message.clone());
            writer.u32(count).u32(position);
            let mut at = position as usize;
            for level in &levels {
                if let Some(sibling) = level.get(at ^ 1) {
                    writer.raw(sibling);
                }
                at /= 2;
            }
            writer.raw(&signature);
            writer.0
        })
        .collect()
}

/// Reads a message's way to the root, and returns what was signed.
pub(crate) fn read(reader: &mut Reader<'_>, message: &[u8]) -> Result<Vec<u8>, Error> {
    let (count, position) = (reader.u32()?, reader.u32()?);
    if position >= count {
        return Err(reader.fault().into());
    }
    let (mut hash, mut at, mut last) = (leaf(message), position, count - 1);
    while last > 0 {
        if at % 2 == 1 {
            hash = node(&reader.array()?, &hash);
        } else if at < last {
            hash = node(&hash, &reader.array()?);
        }
        (at, last) = (at / 2, last / 2);
    }
    Ok(root_message(count, &hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed_by(count: u8) -> (Vec<u8>, Vec<Vec<u8>>) {
        let messages: Vec<_> = (0..count).map(|i| vec![i; 5]).collect();
        let mut root = Vec::new();
        let signed = sign(&messages, |message| {
            root = message.to_vec();
            [7; 3]
        });
        (root, signed)
    }

    fn root_of(signed: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let mut reader = Reader::headless(&signed[5..], "it");
        let root = read(&mut reader, &signed[..5])?;
        Ok((root, signed[5 + reader.position()..].to_vec()))
    }

    #[test]
    fn every_message_leads_to_the_root_that_was_signed() {
        for count in 1..40 {
            let (root, signed) = signed_by(count);
            assert_eq!(signed.len(), usize::from(count));
            for message in &signed {
                assert_eq!(root_of(message), Ok((root.clone(), vec![7; 3])));
            }
        }
        assert_eq!(sign(&[], |_| [0; 3]), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_tree_of_three_worked_by_hand_moves_the_lone_leaf_up() {
        let (root, signed) = signed_by(3);
        let leaves: Vec<_> = (0..3).map(|i| leaf(&[i; 5])).collect();
        let expected = node(&node(&leaves[0], &leaves[1]), &leaves[2]);
        assert_eq!(root, root_message(3, &expected));
        assert_eq!(signed[2].len(), 5 + 8 + 32 + 3, "one sibling");
    }

    #[test]
    fn a_change_of_any_byte_leads_elsewhere() {
        for count in [1, 2, 3, 6, 11] {
            let (root, signed) = signed_by(count);
            for message in &signed {
                for at in 0..message.len() - 3 {
                    let mut changed = message.clone();
                    changed[at] ^= 1;
                    let found = root_of(&changed);
                    assert_ne!(found.map(|(root, _)| root).ok().as_ref(), Some(&root), "byte {at}");
                }
            }
        }
    }
}
