//! Files attached to records: documents and images, sealed before they are uploaded.
//!
//! Files are a portion of their record of its own, which a grant of all of it opens too. Each has a random number
//! and a key of its own. Its description is sealed apart from what it holds, so that a list moves no bodies, and
//! [proves](crate::message::trapdoor) which keywords it has, so that a list under a keyword is held to it:
//!
//! ```text
//! key         = child(key of the record's portion "files", "file", number)
//! place       = owner || provider and epochs || readers' epoch || handle of the record || number
//! description = nonce || AES-256-GCM-SIV(child(key, "file", "description"), nonce, called, place)
//! called      = name || media type || size || count || proof of each keyword, ascending
//! body        = stream(key, contents)    associated with place || called
//! ```
//!
//! So a file opens at its own record, under its own name and type, in its own epoch, and nowhere else.
//!
//! # Leakage
//!
//! The size of every file, the record it belongs to, the length of its name and type, how many keywords it has,
//! as its entries show too, and when it is fetched. Whoever opens a description sees how many keywords there are,
//! and whether one is among them for which it has the trapdoor, as in a request by keyword.
//!
//! # Sources
//!
//! AES-GCM-SIV: RFC 8452. The segments of the body: [`crate::cipher::stream`].

use zeroize::Zeroizing;

use super::Error;
use crate::cipher::stream::{HEAD_LEN, SALT_LEN, SEGMENT, StreamOpener, StreamSealer};
use crate::cipher::{self, Algorithm, TAG_LEN, aes_gcm_siv, envelope, stream};
use crate::keys::{Key, Purpose, fill_random};
use crate::message::attachment::StoredFile;
use crate::message::certificate::Owner;
use crate::message::place::{Epoch, Node};
use crate::message::trapdoor::Proof;
use crate::wire::{Kind, Reader, Writer};

/// What a file is called, and found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its media type, as in `image/jpeg`.
    pub media_type: String,
    /// Bytes it has, in the clear.
    pub size: u64,
    /// That it has each of its keywords, ascending.
    pub proofs: Vec<Proof>,
}

impl Description {
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::headless_secret();
        writer.text(&self.name).text(&self.media_type).u64(self.size);
        writer.count(self.proofs.len());
        self.proofs.iter().for_each(|proof| {
            writer.raw(proof);
        });
        writer.0
    }

    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::headless(bytes, "the description");
        let (name, media_type) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        let size = reader.u64()?;
        if i64::try_from(size).is_err() {
            return Err(reader.fault().into()); // no table holds it, and no file has it
        }
        let mut proofs: Vec<Proof> = Vec::new();
        for _ in 0..reader.count(16)? {
            let proof = reader.array()?;
            if proofs.last().is_some_and(|last| *last >= proof) {
                return Err(reader.fault().into());
            }
            proofs.push(proof);
        }
        reader.end()?;
        Ok(Self { name, media_type, size, proofs })
    }
}

/// Where a file belongs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Whose record it is.
    pub owner: &'a Owner,
    /// Which provider's.
    pub provider: &'a Node,
    /// The readers' epoch that it is sealed in.
    pub readers: Epoch,
    /// The record.
    pub handle: u128,
    /// The file's number.
    pub number: u128,
}

impl<'a> Place<'a> {
    /// Where a stored file says it belongs.
    #[must_use]
    pub fn of(stored: &'a StoredFile) -> Self {
        let StoredFile { owner, provider, readers, handle, number, .. } = stored;
        Self { owner, provider, readers: *readers, handle: *handle, number: *number }
    }

    fn key(&self, record: &Key) -> Key {
        record.child(Purpose::File, &self.number.to_be_bytes(), 0)
    }

    /// The key of the description of a file with this key; the label of a body's key is longer.
    fn of_description(key: &Key) -> Key {
        key.child(Purpose::File, b"description", 0)
    }

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Place);
        writer.raw(&self.owner.0);
        self.provider.write(&mut writer);
        self.readers.write(&mut writer);
        writer.u128(self.handle).u128(self.number);
        writer.0
    }
}

/// What is drawn for a file.
pub(super) struct Drawn {
    /// For its description.
    pub nonce: [u8; aes_gcm_siv::NONCE_LEN],
    /// For its body.
    pub salt: [u8; SALT_LEN],
}

impl Drawn {
    /// Random bytes.
    fn random() -> Result<Self, Error> {
        let mut drawn = Self { nonce: [0; _], salt: [0; _] };
        fill_random(&mut drawn.nonce)?;
        fill_random(&mut drawn.salt)?;
        Ok(drawn)
    }
}

/// Seals the description of a file under its record's key; returns it, and what seals the body.
///
/// # Errors
///
/// [`cipher::Error::NotAuthenticated`] if the cipher has no tag.
pub(super) fn sealing(
    record: &Key,
    place: Place<'_>,
    algorithm: &Algorithm,
    description: &Description,
    Drawn { nonce, salt }: Drawn,
) -> Result<(Vec<u8>, StreamSealer), Error> {
    let (key, associated, named) = (place.key(record), place.encode(), description.encode());
    let cipher = aes_gcm_siv::under(&Place::of_description(&key));
    let sealed = envelope::seal(&cipher, &nonce, &associated, &named).map_err(|_| Error::File)?;
    let associated = Zeroizing::new([&associated[..], &named].concat());
    Ok((sealed, StreamSealer::with_salt(algorithm, &key, &associated, salt)?))
}

/// Seals a file under its record's key; returns its description and its body.
///
/// # Errors
///
/// [`cipher::Error::NotAuthenticated`] if the cipher has no tag, [`keys::Error::Randomness`](crate::keys::Error::Randomness).
pub fn seal(
    record: &Key,
    place: Place<'_>,
    algorithm: &Algorithm,
    description: &Description,
    contents: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let (sealed, mut sealer) = sealing(record, place, algorithm, description, Drawn::random()?)?;
    let mut body = sealer.head().to_vec();
    body.resize(HEAD_LEN + StreamSealer::sealed_len(contents.len()), 0);
    sealer.push(contents, true, &mut body[HEAD_LEN..])?;
    Ok((sealed, body))
}

/// Returns what a file is called.
///
/// # Errors
///
/// [`Error::File`] if the description was changed or belongs elsewhere.
pub fn describe(record: &Key, stored: &StoredFile) -> Result<Description, Error> {
    let place = Place::of(stored);
    let cipher = aes_gcm_siv::under(&Place::of_description(&place.key(record)));
    let bytes = envelope::open(&cipher, &place.encode(), &stored.description);
    let bytes = bytes.map(Zeroizing::new).map_err(|_| Error::File)?;
    Description::decode(&bytes).map_err(|_| Error::File)
}

/// What the body of a file is bound to.
fn bound(stored: &StoredFile, description: &Description) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([&Place::of(stored).encode()[..], &description.encode()].concat())
}

/// Returns what a file is called and what it holds.
///
/// # Errors
///
/// [`Error::File`] if anything in it was changed, cut or belongs elsewhere, or there is no body.
pub fn open(record: &Key, stored: &StoredFile) -> Result<(Description, Vec<u8>), Error> {
    let description = describe(record, stored)?;
    let associated = bound(stored, &description);
    let body = stored.body.as_ref().ok_or(Error::File)?;
    let key = Place::of(stored).key(record);
    let contents = stream::open(&key, &associated, body).map_err(|_| Error::File)?;
    Ok((description, contents))
}

/// Returns what a file is called, and what opens its body as it comes.
///
/// # Errors
///
/// [`Error::File`] if the description was changed or belongs elsewhere.
pub fn opening(record: &Key, stored: &StoredFile) -> Result<(Description, Opening), Error> {
    let description = describe(record, stored)?;
    let associated = bound(stored, &description);
    let key = Place::of(stored).key(record);
    let opening = Opening { key, associated, opener: None, held: Vec::new() };
    Ok((description, opening))
}

/// The body of a file that is opened as it comes.
///
/// What was given out is genuine; only the [end](Self::end) tells that it was all.
#[derive(Debug)]
pub struct Opening {
    key: Key,
    associated: Zeroizing<Vec<u8>>,
    opener: Option<StreamOpener>,
    /// What came and was not opened: the head until it is whole, then what may be the last segment.
    held: Vec<u8>,
}

impl Opening {
    const SEALED: usize = SEGMENT + TAG_LEN;

    /// How many bytes a piece opens to at most, with what is held.
    #[must_use]
    pub fn room(&self, piece: usize) -> usize {
        self.held.len().saturating_add(piece)
    }

    /// Takes the next bytes of the body, and opens what is whole and not the last of it into a slice of
    /// [`room`](Self::room); returns how much that is.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it was changed, cut, moved, or belongs elsewhere.
    pub fn feed(&mut self, piece: &[u8], plaintext: &mut [u8]) -> Result<usize, Error> {
        self.held.extend_from_slice(piece);
        if self.opener.is_none() {
            let Some(head) = self.held.get(..HEAD_LEN) else { return Ok(0) };
            let opener = StreamOpener::new(head, &self.key, &self.associated);
            self.opener = Some(opener.map_err(|_| Error::File)?);
            self.held.drain(..HEAD_LEN);
        }
        let whole = self.held.len().saturating_sub(1) / Self::SEALED * Self::SEALED;
        if whole == 0 {
            return Ok(0);
        }
        let opened = self.open(whole, false, plaintext)?;
        self.held.drain(..whole);
        Ok(opened)
    }

    /// Opens the last of the body.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if that was changed, or the body was cut or goes on.
    pub fn end(mut self, plaintext: &mut [u8]) -> Result<usize, Error> {
        self.open(self.held.len(), true, plaintext)
    }

    fn open(&mut self, sealed: usize, is_last: bool, plaintext: &mut [u8]) -> Result<usize, Error> {
        let opener = self.opener.as_mut().ok_or(Error::File)?;
        let opened = StreamOpener::opened_len(sealed).ok_or(Error::File)?;
        let got = plaintext.len();
        let plaintext = plaintext.get_mut(..opened).ok_or(Error::Length {
            what: "the buffer for the file",
            expected: opened,
            got,
        })?;
        // What says how it is wrong would tell apart what nobody should.
        opener.push(&self.held[..sealed], is_last, plaintext).map_err(|error| match error {
            cipher::Error::Length { .. } => error.into(),
            _ => Error::File,
        })?;
        Ok(opened)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn description(proofs: &[u8]) -> Description {
        let proofs = proofs.iter().map(|&byte| [byte; 16]).collect();
        Description { name: "chest.jpg".into(), media_type: "image/jpeg".into(), size: 5, proofs }
    }

    #[test]
    fn proofs_come_in_one_order_and_once() {
        for proofs in [&[][..], &[7], &[1, 2, 9]] {
            let described = description(proofs);
            assert_eq!(Description::decode(&described.encode()), Ok(described));
        }
        for proofs in [&[2, 1][..], &[1, 1], &[1, 3, 2]] {
            assert!(Description::decode(&description(proofs).encode()).is_err(), "{proofs:?}");
        }
    }

    proptest! {
        #[test]
        fn a_description_has_one_form_whatever_a_provider_sealed(
            noise in vec(any::<u8>(), 0..100),
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut changed = description(&[1, 2]).encode().to_vec();
            for (at, byte) in changes {
                let at = at.index(changed.len());
                changed[at] = byte;
            }
            let cut = changed[..cut.index(changed.len())].to_vec();
            for bytes in [&noise, &changed, &cut, &[&changed[..], &noise].concat()] {
                if let Ok(read) = Description::decode(bytes) {
                    prop_assert_eq!(&read.encode()[..], &bytes[..]);
                }
            }
        }
    }
}
