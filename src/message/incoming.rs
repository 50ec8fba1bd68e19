//! An attachment that is read as it comes, so that its body is nowhere in memory as a whole.
//!
//! ```text
//! held: head | passed on: body | held: entries, lineage, note, chain, signature
//! ```
//!
//! The signature stands at the end and is over all of it: whoever keeps the body has to be ready to drop
//! it until [`end`](Incoming::end) has said that it is genuine.

use std::borrow::Cow;

use sha2::{Digest, Sha256, Sha512};

use super::Error;
use super::attachment::{Attachment, StoredFile};
use super::envelope;
use super::signature::SIGNATURE_LEN;
use super::split::{Begun, Head, Split, too_long};
pub use super::split::{LONGEST_HEAD, LONGEST_TAIL};
use crate::wire::{Kind, Reader};

/// An attachment of which some bytes have come.
#[derive(Debug, Clone, Default)]
pub struct Incoming {
    split: Split<StoredFile>,
    /// What is signed of it, from its head on.
    signed: Option<Sha512>,
}

impl Head for StoredFile {
    const KIND: Kind = Kind::Attachment;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        match Self::read_head(reader)? {
            (file, true) => Ok(file),
            (_, false) => Err(reader.fault().into()),
        }
    }
}

/// An attachment whose body was passed on as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Came {
    /// The attachment, without the body.
    pub attachment: Attachment,
    /// What follows the body: see [`StoredFile::deed_in`].
    pub deed: Vec<u8>,
    /// How many bytes the body has.
    pub size: usize,
    /// What stands for the attachment, SHA-256 of the SHA-512 that is signed.
    pub digest: [u8; 32],
}

/// What stands for an attachment, of the hash that is signed.
fn digest(signed: Sha512) -> [u8; 32] {
    Sha256::digest(signed.finalize()).into()
}

/// What stands for an attachment: SHA-256 of the SHA-512 of all before the signature.
pub(crate) fn digest_of(message: &[u8]) -> [u8; 32] {
    let signed = message.len().saturating_sub(SIGNATURE_LEN);
    digest(Sha512::new_with_prefix(&message[..signed]))
}

impl Incoming {
    /// The attachment that brought a file, up to its body of so many bytes, of which none is there yet.
    #[must_use]
    pub fn of(file: &StoredFile, size: usize) -> Self {
        let head = file.before_body(size as u64);
        let signed = Some(Sha512::new_with_prefix(&head));
        Self { split: Split::after(file.without_body(), head.len(), size), signed }
    }

    /// Takes the next bytes, and returns those of the body among them and among what was held.
    ///
    /// # Errors
    ///
    /// Those of [`Attachment::decode`] that are certain by now.
    pub fn feed<'a>(&mut self, piece: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
        let body = self.split.feed(piece)?;
        self.hash(&body);
        if self.split.is_too_long() {
            return Err(self.closed().map_or_else(|error| error, |_| too_long(Kind::Attachment)));
        }
        Ok(body)
    }

    /// Hashes more of the body, after the head.
    fn hash(&mut self, body: &[u8]) {
        let Some(begun) = self.split.begun() else { return };
        let of_head = || Sha512::new_with_prefix(begun.head.before_body(begun.size as u64));
        self.signed.get_or_insert_with(of_head).update(body);
    }

    /// The file that comes, without its body, once its head is there.
    #[must_use]
    pub fn file(&self) -> Option<&StoredFile> {
        self.split.begun().map(|begun| &begun.head)
    }

    /// Takes the end of the message, and verifies that the provider which it names signed all of it.
    /// Returns it with what was held of the body, if that is so short that it was never passed on.
    ///
    /// # Errors
    ///
    /// Those of [`Attachment::decode`].
    pub fn end(mut self) -> Result<(Came, Vec<u8>), Error> {
        let body = self.split.end()?;
        self.hash(&body);
        Ok((self.closed()?, body))
    }

    fn closed(&self) -> Result<Came, Error> {
        let (Begun { head, size, .. }, before, deed) = self.split.ended()?;
        let mut reader = Reader::after(before, deed, Kind::Attachment.name());
        let attachment = Attachment::read_rest(&mut reader, head.clone())?;
        let Attachment { file, chain, .. } = &attachment;
        let mut hashed = self.signed.clone().unwrap_or_default();
        hashed.update(&deed[..reader.position() - before]);
        let (sender, digest) = (Some(&file.provider), digest(hashed.clone()));
        envelope::signed_hashed(&mut reader, hashed, &file.owner, chain, sender)?;
        reader.end()?;
        Ok(Came { attachment, deed: deed.to_vec(), size: *size, digest })
    }
}
