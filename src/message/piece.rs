//! A piece of an upload that is too large to travel at once.
//!
//! ```text
//! piece = owner || head of the upload, with its signature || first chunk || chunks || path
//! ```
//!
//! The head commits to the chunks of the body by the root of a tree, and the path leads from these chunks to
//! it: a piece is verified by itself, in whatever order pieces come. All of them are the upload, to the byte.
//!
//! # Leakage
//!
//! That of the upload, and when its pieces travel.

use std::ops::Range;

use super::Error;
use super::announcement::Announced;
use super::certificate::Owner;
use super::envelope;
use super::place::{Epoch, Node};
use super::sums::Evidence;
use super::tree::{self, CHUNK, Tree};
use super::upload::{self, Head};
use crate::wire::{Kind, Reader};

/// Bytes of a chunk; the last one of an upload may have fewer.
pub const CHUNK_BYTES: usize = CHUNK;

/// Consecutive chunks of an upload, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The owner of the records.
    pub owner: Owner,
    /// The provider that sends them.
    pub provider: Node,
    /// The number of the upload.
    pub id: u128,
    /// SHA-256 of what was signed of it.
    pub digest: [u8; 32],
    /// How many chunks it has.
    pub count: u64,
    /// Its head, with the signature.
    pub head: Vec<u8>,
    /// Which chunk comes first, counted from 0.
    pub first: u64,
    /// The chunks.
    pub bytes: Vec<u8>,
    schema: [u8; 32],
    readers: Epoch,
    hours: u32,
}

impl Piece {
    /// Reads what [`Pieces::piece`] wrote, and verifies it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are none, [`Error::Signature`] if it
    /// is forged or no piece of what was signed.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Piece)?;
        let of = Evidence::read(&mut reader)?;
        reader.end()?;
        let (head, _) = Head::read(&of.head)?;
        of.verify()?;
        if head.owner != owner {
            return Err(Error::Signature { what: Kind::Piece.name() });
        }
        let Evidence { head: signed, first, chunks, .. } = of;
        Ok(Self { first, bytes: chunks, ..Self::none_of(head, signed) })
    }

    /// What all pieces of an upload say of it, by its head with the signature, which may be its beginning: a
    /// piece without chunks.
    ///
    /// # Errors
    ///
    /// Those of [`decode`](Self::decode).
    pub fn begun(message: &[u8]) -> Result<Self, Error> {
        let (head, length) = Head::read(message)?;
        Ok(Self::none_of(head, message[..length].to_vec()))
    }

    fn none_of(head: Head, signed: Vec<u8>) -> Self {
        Self {
            owner: head.owner,
            provider: head.provider,
            id: head.id,
            digest: head.digest,
            count: tree::chunks(head.length),
            head: signed,
            first: 0,
            bytes: Vec::new(),
            schema: head.schema,
            readers: head.readers,
            hours: head.hours,
        }
    }

    /// Checks it as [`Upload::check`](super::upload::Upload::check) does.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn check(&self, announced: &Announced, now: u64) -> Result<(), Error> {
        let Self { owner, provider, schema, readers, hours, .. } = self;
        upload::check((owner, provider, schema, readers, *hours), announced, now)
    }

    /// Its chunks, by number; an upload without a body has one, which is empty.
    pub fn chunks(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let alone = self.bytes.is_empty().then_some(&self.bytes[..]);
        (self.first..).zip(alone.into_iter().chain(self.bytes.chunks(CHUNK)))
    }
}

/// What makes pieces of an upload.
#[derive(Debug)]
pub struct Pieces {
    owner: Owner,
    /// Bytes of the head, with its signature.
    head: usize,
    /// Bytes of all.
    length: usize,
    tree: Tree,
}

impl Pieces {
    /// Of an upload, as it would travel at once.
    ///
    /// # Errors
    ///
    /// Those of [`Upload::decode`](super::upload::Upload::decode) that are about the head,
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the body has another length.
    pub fn new(message: &[u8]) -> Result<Self, Error> {
        let (of, head) = Head::read(message)?;
        let body = &message[head..];
        if body.len() as u64 != of.length {
            return Err(Reader::headless(body, Kind::Upload.name()).fault().into());
        }
        Ok(Self { owner: of.owner, head, length: message.len(), tree: Tree::of_bytes(body) })
    }

    /// How many chunks there are.
    #[must_use]
    pub fn count(&self) -> usize {
        (self.length - self.head).div_ceil(CHUNK).max(1)
    }

    /// Some consecutive chunks of that upload, as they travel; fewer if there are not so many.
    #[must_use]
    pub fn piece(&self, message: &[u8], chunks: Range<usize>) -> Vec<u8> {
        let (signed, body) = message.split_at(self.head.min(message.len()));
        let end = chunks.end.min(self.count());
        let start = chunks.start.min(end.saturating_sub(1));
        let bytes = &body[(start * CHUNK).min(body.len())..(end * CHUNK).min(body.len())];
        let evidence = Evidence {
            head: signed.to_vec(),
            first: start as u64,
            chunks: bytes.to_vec(),
            path: self.tree.path(start..end),
        };
        let mut writer = envelope::of(Kind::Piece, &self.owner);
        evidence.write(&mut writer);
        writer.0
    }
}
