//! Files that a provider attaches to records: sealed, with the entries that their keywords find them by, into
//! one signed message.
//!
//! ```text
//! head | segment 0 | segment 1 | ... | entries, lineage, note, chain, signature
//! ```
//!
//! A message is made from front to back as the contents come, so that it is nowhere in memory as a whole. How
//! long they are stands in the head. What a keyring counts stands at the end, and is counted there: whoever
//! is stopped before has used no keyword, and what others attach meanwhile is counted before it.

use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use super::Error;
use super::attachments::{self, Description, Drawn, Place};
use super::grants::Opener;
use super::keyring::Keyring;
use super::keywords;
use super::records::Ids;
use crate::cipher::stream::{HEAD_LEN, SEGMENT, StreamSealer};
use crate::cipher::{self, Algorithm};
use crate::message::attachment::{Attachment, StoredFile};
use crate::message::limits::{LONGEST_DESCRIPTION, at_most};
use crate::message::place::Node;
use crate::pool;

/// What is out of reach where a keyring ends what another began.
const ANOTHER: &str = "end an attachment that it has not begun";

/// An attachment whose contents come piece by piece.
#[derive(Debug)]
pub struct Attaching {
    /// Without its body.
    file: StoredFile,
    keywords: Vec<Zeroizing<Vec<u8>>>,
    /// What stands before the first segment.
    head: Vec<u8>,
    /// `None` after what went wrong, or was stopped within.
    body: Option<Body>,
}

/// A body that is made.
#[derive(Debug)]
struct Body {
    sealer: StreamSealer,
    signed: Sha512,
    /// The last piece, which is hashed while the next one is sealed: that takes one core, and this all.
    unhashed: Vec<u8>,
    /// How much of the contents is to come.
    left: u64,
    is_whole: bool,
}

impl Attaching {
    /// What stands before the first segment.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// How long a piece of the contents becomes.
    #[must_use]
    pub fn sealed_len(contents: usize) -> usize {
        StreamSealer::sealed_len(contents)
    }

    /// Seals the next piece of the contents into a slice as long as [`sealed_len`](Self::sealed_len) says. Every
    /// piece but the last is whole segments; of no contents there is one, without bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Contents`] if they are longer than was said, and those of
    /// [`StreamSealer::push`](crate::cipher::stream::StreamSealer::push).
    pub fn seal(&mut self, contents: &[u8], sealed: &mut [u8]) -> Result<(), Error> {
        let Body { mut sealer, mut signed, mut unhashed, left, .. } =
            self.body.take().ok_or(Error::Contents)?;
        let left = left.checked_sub(contents.len() as u64).ok_or(Error::Contents)?;
        let (before, is_whole) = (&unhashed[..], left == 0);
        let mut push = || sealer.push(contents, is_whole, sealed);
        if before.is_empty() {
            push()?;
        } else {
            pool::join(|| signed.update(before), push).1?;
        }
        unhashed.clear();
        unhashed.extend_from_slice(sealed);
        self.body = Some(Body { sealer, signed, unhashed, left, is_whole });
        Ok(())
    }
}

impl Keyring {
    /// Begins an attachment of so many bytes. Nothing is counted yet.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`](crate::message::Error::Scope) for the owner, who uploads nothing, [`Error::OneRecord`] if there is not one id or
    /// a keyword was used too often, [`message::Error::TooMany`](crate::message::Error::TooMany) if there are too many keywords or its name is too long,
    /// [`cipher::Error::NotAuthenticated`] if the cipher has no tag, [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn begin_attachment(
        &self,
        id: Ids<'_>,
        algorithm: &Algorithm,
        (name, media_type): (&str, &str),
        size: u64,
        keywords: &[&[u8]],
    ) -> Result<Attaching, Error> {
        if self.node == Node::root() {
            return Err(self.out_of_reach("upload files".to_owned()));
        }
        let &[handle] = self.handles(id).as_slice() else {
            return Err(Error::OneRecord { got: id.count() as u64 });
        };
        let (owner, provider) = (self.owner, self.node.clone());
        let number = self.number(&[&handle.to_le_bytes(), name.as_bytes()].concat())?;
        let readers = self.standing.sealing();
        let opener = Opener::of_provider(&self.key, readers);
        let record = opener.files_key(handle).ok_or(Error::File)?;
        let (name, media_type) = (name.to_owned(), media_type.to_owned());
        let proofs = self.counts.make(&self.key, keywords, number)?.proofs;
        let described = Description { name, media_type, size, proofs };
        let place = Place { owner: &owner, provider: &provider, readers, handle, number };
        let drawn = Drawn {
            nonce: self.random_for(number, "description")?,
            salt: self.random_for(number, "body")?,
        };
        let (description, sealer) =
            attachments::sealing(&record, place, algorithm, &described, drawn)?;
        let length = description.len();
        at_most(LONGEST_DESCRIPTION, "bytes of the file's name and media type", length)?;
        let file = StoredFile { owner, provider, readers, handle, number, description, body: None };
        let mut head = file.before_body(sealed_size(algorithm, size)?);
        head.extend_from_slice(sealer.head());
        let keywords = keywords.iter().map(|word| Zeroizing::new(word.to_vec())).collect();
        let signed = Sha512::new_with_prefix(&head);
        let (unhashed, left, is_whole) = (Vec::new(), size, false);
        let body = Some(Body { sealer, signed, unhashed, left, is_whole });
        Ok(Attaching { file, keywords, head, body })
    }

    /// Ends an attachment that this keyring began, and counts it: returns what stands after the last segment,
    /// and the attachment without its body.
    ///
    /// # Errors
    ///
    /// [`Error::Contents`] if they are shorter than was said, [`message::Error::Scope`](crate::message::Error::Scope) if another keyring began
    /// it, [`Error::OneRecord`] and [`keys::Error::Randomness`](crate::keys::Error::Randomness). Nothing is counted then.
    pub fn end_attachment(&mut self, attaching: Attaching) -> Result<(Vec<u8>, Attachment), Error> {
        let Attaching { file, keywords, body, .. } = attaching;
        let whole = body.filter(|body| body.is_whole).ok_or(Error::Contents)?;
        let Body { mut signed, unhashed, .. } = whole;
        if (file.owner, &file.provider) != (self.owner, &self.node) {
            return Err(self.out_of_reach(ANOTHER.to_owned()));
        }
        let keywords: Vec<&[u8]> = keywords.iter().map(|word| &word[..]).collect();
        let made = self.counts.make(&self.key, &keywords, file.number)?;
        let nonce = self.random_for(file.number, "note")?;
        let place = (&file.owner, &file.provider, file.number);
        let note = keywords::note_with(&self.key, place, &made.used, &nonce)?;
        let (lineage, chain) = (self.counts.lineage().clone(), self.chain.clone());
        let (number, filed) = (file.number, file.filed());
        let attachment = Attachment { file, entries: made.entries.clone(), lineage, note, chain };
        let mut end = attachment.after_body();
        signed.update(&unhashed);
        signed.update(&end);
        end.extend(self.sign_hashed(signed));
        // At the end: who is stopped before has used no keyword.
        self.note_file(filed, made.used.iter().map(|(tag, _)| *tag).collect())?;
        self.counts.count(number, &made);
        Ok((end, attachment))
    }

    /// Seals a file of a record that is in memory.
    ///
    /// # Errors
    ///
    /// Those of [`begin_attachment`](Self::begin_attachment) and [`end_attachment`](Self::end_attachment).
    pub fn attach(
        &mut self,
        id: Ids<'_>,
        algorithm: &Algorithm,
        called: (&str, &str),
        contents: &[u8],
        keywords: &[&[u8]],
    ) -> Result<Vec<u8>, Error> {
        let size = contents.len() as u64;
        let mut attaching = self.begin_attachment(id, algorithm, called, size, keywords)?;
        let mut message = attaching.head().to_vec();
        let before = message.len();
        message.resize(before + Attaching::sealed_len(contents.len()), 0);
        attaching.seal(contents, &mut message[before..])?;
        message.extend(self.end_attachment(attaching)?.0);
        Ok(message)
    }
}

/// How long the body of so many bytes is.
fn sealed_size(algorithm: &Algorithm, contents: u64) -> Result<u64, Error> {
    let longest = (SEGMENT as u64) << 32;
    let too_long = cipher::Error::TooLong { cipher: algorithm.name, longest };
    match usize::try_from(contents) {
        Ok(size) if contents <= longest => Ok((HEAD_LEN + StreamSealer::sealed_len(size)) as u64),
        _ => Err(too_long.into()),
    }
}
