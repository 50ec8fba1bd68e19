//! A fetched file that is read as it comes, so that its body is nowhere in memory as a whole.
//!
//! ```text
//! held: id of the request, head | passed on: body | held: deed, if it was asked for
//! ```
//!
//! No part of it is signed but the deed: whoever opens the body learns from that whether it is genuine,
//! at its end whether it is all, and with the deed whether its provider sent it.

use std::borrow::Cow;

use super::Error;
use super::attachment::StoredFile;
use super::incoming::Incoming;
use super::listing::{Fetched, no_deed};
use super::split::{Begun, Head, Split, too_long};
use crate::wire::{Kind, Reader};

/// A fetched file of which some bytes have come.
#[derive(Debug, Clone, Default)]
pub struct Arriving {
    split: Split<Answered>,
    is_proven: bool,
    /// The attachment that brought it, where that is to be shown.
    proving: Option<Incoming>,
}

#[derive(Debug, Clone)]
struct Answered {
    request: u128,
    file: StoredFile,
}

impl Head for Answered {
    const KIND: Kind = Kind::StoredFile;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let request = reader.u128()?;
        Ok(Self { request, file: <StoredFile as Head>::read(reader)? })
    }
}

/// A fetched file whose body was passed on as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// The file, without its body.
    pub fetched: Fetched,
    /// How many bytes the body has.
    pub size: usize,
}

impl Arriving {
    /// One whose provider is to be shown to have sent it, as [`Fetched::prove`] has it.
    #[must_use]
    pub fn proven() -> Self {
        Self { is_proven: true, ..Self::default() }
    }

    /// Takes the next bytes, and returns those of the body among them and among what was held.
    ///
    /// # Errors
    ///
    /// Those of [`Fetched::decode`] that are certain by now.
    pub fn feed<'a>(&mut self, piece: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
        let body = self.split.feed(piece)?;
        self.show(&body)?;
        if self.split.is_too_long() {
            return Err(self.closed().map_or_else(|error| error, |_| too_long(Kind::StoredFile)));
        }
        Ok(body)
    }

    fn show(&mut self, body: &[u8]) -> Result<(), Error> {
        let Some(begun) = self.split.begun().filter(|_| self.is_proven) else { return Ok(()) };
        let attachment = || Incoming::of(&begun.head.file, begun.size);
        self.proving.get_or_insert_with(attachment).feed(body).map(drop)
    }

    /// The file that comes, without body and deed, once its head is there.
    #[must_use]
    pub fn head(&self) -> Option<Fetched> {
        let Answered { request, file } = &self.split.begun()?.head;
        Some(Fetched { request: *request, file: file.clone(), deed: None })
    }

    /// Takes the end of it. Returns it with what was held of the body, if that is so short that it was
    /// never passed on.
    ///
    /// # Errors
    ///
    /// Those of [`Fetched::decode`]; where that is to be shown, those of [`Fetched::prove`].
    pub fn end(mut self) -> Result<(Arrived, Vec<u8>), Error> {
        let body = self.split.end()?;
        self.show(&body)?;
        let arrived = self.closed()?;
        if self.is_proven {
            let forged = |_| Error::Signature { what: Kind::StoredFile.name() };
            let deed = arrived.fetched.deed.as_ref().ok_or_else(no_deed)?;
            let mut attachment = self.proving.ok_or_else(no_deed)?;
            attachment.feed(deed).map_err(forged)?;
            attachment.end().map_err(forged)?;
        }
        Ok((arrived, body))
    }

    fn closed(&self) -> Result<Arrived, Error> {
        let (Begun { head, size, .. }, before, after) = self.split.ended()?;
        let Answered { request, file } = head.clone();
        let mut reader = Reader::after(before, after, Kind::StoredFile.name());
        let deed = if reader.is_at_end() { None } else { Some(reader.bytes()?.to_vec()) };
        reader.end()?;
        Ok(Arrived { fetched: Fetched { request, file, deed }, size: *size })
    }
}
