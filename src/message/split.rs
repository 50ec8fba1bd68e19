//! A message with a body in its middle, told apart as it comes.
//!
//! ```text
//! held: head | passed on: body | held: end
//! ```
//!
//! Head and end are bounded, by [`limits`](super::limits), and held; the body is passed on in the pieces
//! that it comes in. What the message says of its length is believed of nothing that is allocated.

use std::borrow::Cow;

use super::Error;
use super::limits::{LONGEST_DESCRIPTION, LONGEST_NOTE, MOST_NAMED};
use crate::wire::{Kind, Reader};

/// Bytes before the body at most: a description, and a place of the most names.
pub const LONGEST_HEAD: usize = LONGEST_DESCRIPTION + (1 << 14);

/// Bytes after the body at most: entries, a note, and a chain of the most certificates.
pub const LONGEST_TAIL: usize = 32 * MOST_NAMED + LONGEST_NOTE + (1 << 17);

/// How many bytes of a message are waited for until its head is looked for.
const FIRST: usize = 1 << 10;

/// What stands before the body.
pub(super) trait Head: Sized {
    const KIND: Kind;

    /// Reads it, up to the length of the body.
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error>;
}

/// A message of which some bytes have come.
#[derive(Debug, Clone)]
pub(super) struct Split<H> {
    /// The head until it is read, then what comes after the body.
    held: Vec<u8>,
    /// From how many bytes on the head is looked for again.
    next: usize,
    begun: Option<Begun<H>>,
}

#[derive(Debug, Clone)]
pub(super) struct Begun<H> {
    pub head: H,
    /// Where the body begins.
    at: usize,
    pub size: usize,
    /// How much of it is to come.
    left: usize,
}

impl<H> Default for Split<H> {
    fn default() -> Self {
        Self { held: Vec::new(), next: FIRST, begun: None }
    }
}

impl<H: Head> Split<H> {
    /// A message up to a body of so many bytes that begins at a place, of which none is there yet.
    pub fn after(head: H, at: usize, size: usize) -> Self {
        Self { begun: Some(Begun { head, at, size, left: size }), ..Self::default() }
    }

    /// The head, once it is there.
    pub fn begun(&self) -> Option<&Begun<H>> {
        self.begun.as_ref()
    }

    /// Takes the next bytes, and returns those of the body among them and among what was held.
    pub fn feed<'a>(&mut self, piece: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
        if self.begun.is_some() {
            return Ok(Cow::Borrowed(self.pass(piece)));
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

    /// Reads the head, and returns what of the body is there.
    fn begin(&mut self) -> Result<Vec<u8>, Error> {
        let mut reader = Reader::new(&self.held, H::KIND)?;
        let head = H::read(&mut reader)?;
        let size = usize::try_from(reader.u64()?).map_err(|_| reader.fault())?;
        let at = reader.position();
        let held = std::mem::take(&mut self.held);
        self.begun = Some(Begun { head, at, size, left: size });
        Ok(self.pass(&held[at..]).to_vec())
    }

    /// Tells the body from what follows it, which is held.
    fn pass<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let Some(begun) = &mut self.begun else { return &[] };
        let (body, rest) = piece.split_at(piece.len().min(begun.left));
        begun.left -= body.len();
        let room = (LONGEST_TAIL + 1).saturating_sub(self.held.len());
        self.held.extend_from_slice(&rest[..rest.len().min(room)]);
        body
    }

    /// Whether more follows the body than any message has there.
    pub fn is_too_long(&self) -> bool {
        self.begun.is_some() && self.held.len() > LONGEST_TAIL
    }

    /// Takes the end of the message; returns what was held of the body, if that is so short that it was
    /// never passed on.
    pub fn end(&mut self) -> Result<Vec<u8>, Error> {
        let body = if self.begun.is_none() { self.begin()? } else { Vec::new() };
        match &self.begun {
            Some(begun) if begun.left > 0 => {
                Err(Reader::after(begun.at, &[], H::KIND.name()).fault().into())
            }
            Some(_) => Ok(body),
            None => Err(too_long(H::KIND)),
        }
    }

    /// The head, and what follows the body, to be read from where it stands.
    pub fn ended(&self) -> Result<(&Begun<H>, usize, &[u8]), Error> {
        let begun = self.begun.as_ref().ok_or_else(|| too_long(H::KIND))?;
        Ok((begun, begun.at.saturating_add(begun.size), &self.held))
    }
}

/// What is said of a message that goes on after the longest end.
pub(super) fn too_long(kind: Kind) -> Error {
    Reader::after(LONGEST_TAIL, &[], kind.name()).fault().into()
}
