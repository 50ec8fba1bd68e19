//! An attachment that is read as it comes, so that its body is nowhere in memory as a whole.
//!
//! ```text
//! held: head | passed on: body | held: entries, lineage, note, chain, signature
//! ```
//!
//! All but the body is bounded, by [`limits`](super::limits), and held; the body is passed on in the
//! pieces that it comes in. The signature stands at the end and is over all of it: whoever keeps the
//! body has to be ready to drop it until [`end`](Incoming::end) has said that it is genuine. What the
//! message says of its length is believed of nothing that is allocated.

use std::borrow::Cow;

use sha2::{Digest, Sha256, Sha512};

use super::Error;
use super::attachment::{Attachment, StoredFile};
use super::envelope;
use super::limits::{LONGEST_DESCRIPTION, LONGEST_NOTE, MOST_NAMED};
use super::signature::SIGNATURE_LEN;
use crate::wire::{Kind, Reader, Writer};

/// Bytes before the body at most: a description, and a place of the most names.
pub const LONGEST_HEAD: usize = LONGEST_DESCRIPTION + (1 << 14);

/// Bytes after the body at most: entries, a note, and a chain of the most certificates.
pub const LONGEST_TAIL: usize = 32 * MOST_NAMED + LONGEST_NOTE + (1 << 17);

/// How many bytes of a message are waited for until its head is looked for.
const FIRST: usize = 1 << 10;

/// An attachment of which some bytes have come.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The head until it is read, then what comes after the body.
    held: Vec<u8>,
    /// From how many bytes on the head is looked for again.
    next: usize,
    begun: Option<Begun>,
    signed: Sha512,
}

#[derive(Debug, Clone)]
struct Begun {
    file: StoredFile,
    /// Where the body begins.
    at: usize,
    size: usize,
    /// How much of it is to come.
    left: usize,
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

impl Default for Incoming {
    fn default() -> Self {
        Self { held: Vec::new(), next: FIRST, begun: None, signed: Sha512::new() }
    }
}

impl Incoming {
    /// The attachment that brought a file, up to its body of so many bytes, of which none is there yet.
    #[must_use]
    pub fn of(file: &StoredFile, size: usize) -> Self {
        let mut head = Writer::new(Kind::Attachment);
        file.write_before_body(&mut head, size as u64);
        let file = file.without_body();
        let begun = Begun { file, at: head.0.len(), size, left: size };
        let signed = Sha512::new_with_prefix(&head.0);
        Self { begun: Some(begun), signed, ..Self::default() }
    }

    /// Takes the next bytes, and returns those of the body among them and among what was held.
    ///
    /// # Errors
    ///
    /// Those of [`Attachment::decode`] that are certain by now.
    pub fn feed<'a>(&mut self, piece: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
        if self.begun.is_some() {
            return Ok(Cow::Borrowed(self.pass(piece)?));
        }
        self.held.extend_from_slice(piece);
        if self.held.len() < self.next {
            return Ok(Cow::Borrowed(&[]));
        }
        match self.begin() {
            Ok(body) => Ok(Cow::Owned(body)),
            Err(error) if self.held.len() >= LONGEST_HEAD => Err(error),
            Err(_) => {
                // So that a head which comes by the byte is looked for a few times only.
                self.next = (2 * self.held.len()).min(LONGEST_HEAD);
                Ok(Cow::Borrowed(&[]))
            }
        }
    }

    /// The file that comes, without its body, once its head is there.
    #[must_use]
    pub fn file(&self) -> Option<&StoredFile> {
        self.begun.as_ref().map(|begun| &begun.file)
    }

    /// Reads the head, and returns what of the body is there.
    fn begin(&mut self) -> Result<Vec<u8>, Error> {
        let mut reader = Reader::new(&self.held, Kind::Attachment)?;
        let (file, has_body) = StoredFile::read_head(&mut reader)?;
        if !has_body {
            return Err(reader.fault().into());
        }
        let size = usize::try_from(reader.u64()?).map_err(|_| reader.fault())?;
        let at = reader.position();
        let held = std::mem::take(&mut self.held);
        self.signed.update(&held[..at]);
        self.begun = Some(Begun { file, at, size, left: size });
        Ok(self.pass(&held[at..])?.to_vec())
    }

    /// Tells the body from what follows it, which is held.
    fn pass<'a>(&mut self, piece: &'a [u8]) -> Result<&'a [u8], Error> {
        let Some(begun) = &mut self.begun else { return Ok(&[]) };
        let (body, rest) = piece.split_at(piece.len().min(begun.left));
        begun.left -= body.len();
        self.signed.update(body);
        let room = (LONGEST_TAIL + 1).saturating_sub(self.held.len());
        self.held.extend_from_slice(&rest[..rest.len().min(room)]);
        if self.held.len() > LONGEST_TAIL {
            let begun = begun.clone();
            return Err(self.closed(begun).map_or_else(|error| error, |_| too_long()));
        }
        Ok(body)
    }

    /// Takes the end of the message, and verifies that the provider which it names signed all of it.
    /// Returns it with what was held of the body, if that is so short that it was never passed on.
    ///
    /// # Errors
    ///
    /// Those of [`Attachment::decode`].
    pub fn end(mut self) -> Result<(Came, Vec<u8>), Error> {
        let body = if self.begun.is_none() { self.begin()? } else { Vec::new() };
        let Some(begun) = self.begun.take() else { return Err(too_long()) };
        if begun.left > 0 {
            return Err(Reader::after(begun.at, &[], Kind::Attachment.name()).fault().into());
        }
        Ok((self.closed(begun)?, body))
    }

    fn closed(&self, Begun { file, at, size, .. }: Begun) -> Result<Came, Error> {
        let before = at.saturating_add(size);
        let mut reader = Reader::after(before, &self.held, Kind::Attachment.name());
        let attachment = Attachment::read_rest(&mut reader, file)?;
        let Attachment { file, chain, .. } = &attachment;
        let mut hashed = self.signed.clone();
        hashed.update(&self.held[..reader.position() - before]);
        let (sender, digest) = (Some(&file.provider), digest(hashed.clone()));
        envelope::signed_hashed(&mut reader, hashed, &file.owner, chain, sender)?;
        reader.end()?;
        Ok(Came { attachment, deed: self.held.clone(), size, digest })
    }
}

/// What is said of a message that goes on after the longest end.
fn too_long() -> Error {
    Reader::after(LONGEST_TAIL, &[], Kind::Attachment.name()).fault().into()
}
