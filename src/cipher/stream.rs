//! Files of any length under authenticated encryption, in segments and in constant memory.
//!
//! A provider seals a file, and whoever has the key opens it from front to back. Every segment says
//! where it stands and whether it is the last, so that none can be cut off, added, swapped or taken
//! from another file:
//!
//! ```text
//! file      = head || segment 0 || segment 1 || ...      head = "MOPSESTR", version, cipher, length, salt
//! file key  = child(key, "file", head || SHA-256(associated))
//! segment i = AEAD(file key, 0 || be32(i) || last, plaintext i)           last = 1 for the last, else 0
//! ```
//!
//! The salt has 32 random bytes, so every file has a key of its own: one long-term key is good for any
//! number of files, nonces can count, and another head or other associated bytes open nothing. What is
//! given out before a damaged segment is genuine, but not known to be all. Segments of a batch go to all
//! cores. Costs the cipher's time and 16 bytes per 64 KiB. Shows the file's length.
//!
//! # Sources
//!
//! V. T. Hoang, R. Reyhanitabar, P. Rogaway and D. Vizár, "Online Authenticated-Encryption and its
//! Nonce-Reuse Misuse-Resistance", CRYPTO 2015, section 7 (STREAM).

use sha2::{Digest, Sha256};

use crate::cipher::{self, Algorithm, Cipher, Error, TAG_LEN, check_length};
use crate::keys::{Key, Purpose, fill_random};
use crate::pool;
use crate::wire;
use crate::wire::{Kind, Reader, Writer};

/// Bytes of plaintext in every segment but the last.
pub const SEGMENT: usize = SEGMENT_LEN as usize;

/// Bytes in front of the first segment.
pub const HEAD_LEN: usize = 9 + NAME_LEN + 4 + SALT_LEN;

const SEGMENT_LEN: u32 = 1 << 16;
/// Bytes that make a file's key one of its own.
pub(crate) const SALT_LEN: usize = 32;

const NAME_LEN: usize = 24;

/// What both ends know: the cipher under the file's key, and where they are.
struct State {
    cipher: Box<dyn Cipher>,
    next: u32,
    is_over: bool,
}

impl State {
    fn new(
        algorithm: &Algorithm,
        key: &Key,
        head: &[u8],
        associated: &[u8],
    ) -> Result<Self, Error> {
        let label = [head, &Sha256::digest(associated)].concat();
        let file_key = key.child(Purpose::File, &label, 0);
        let key_len = *algorithm.key_len.end();
        let cipher = algorithm.with_key(&file_key.expose()[..key_len])?;
        Ok(Self { cipher, next: 0, is_over: false })
    }

    /// Calls `work` on every segment of a batch, with its nonce, on all cores.
    fn each(
        &mut self,
        (input, from): (&[u8], usize),
        (output, to): (&mut [u8], usize),
        is_last: bool,
        work: impl Fn(&dyn Cipher, &[u8], &[u8], &mut [u8]) -> Result<(), Error> + Sync,
    ) -> Result<(), Error> {
        let too_long = || {
            let longest = (SEGMENT as u64) << 32;
            Error::TooLong { cipher: self.cipher.algorithm().name, longest }
        };
        let count = u32::try_from(input.len().div_ceil(from).max(1)).map_err(|_| too_long())?;
        let end = self.next.checked_add(count).ok_or_else(too_long)?;
        let nonce = |number: u32| {
            let mut nonce = vec![0; self.cipher.algorithm().nonce_len];
            let at = nonce.len() - 5;
            nonce[at..at + 4].copy_from_slice(&number.to_be_bytes());
            nonce[at + 4] = u8::from(is_last && number + 1 == end);
            nonce
        };
        if count == 1 {
            work(&*self.cipher, &nonce(self.next), input, output)?;
        } else {
            let (first, cipher) = (self.next, &*self.cipher);
            pool::try_pairs((input, from), (output, to), |number, input, output| {
                let number = u32::try_from(number).map_err(|_| too_long())?;
                work(cipher, &nonce(first + number), input, output)
            })?;
        }
        (self.next, self.is_over) = (end, is_last);
        Ok(())
    }
}

/// Seals a file from front to back.
pub struct StreamSealer {
    state: State,
    head: Vec<u8>,
}

impl StreamSealer {
    /// A new file under a key, bound to associated bytes.
    ///
    /// # Errors
    ///
    /// [`Error::NotAuthenticated`] if the cipher has no tag, [`Error::Keys`].
    pub fn new(algorithm: &Algorithm, key: &Key, associated: &[u8]) -> Result<Self, Error> {
        let mut salt = [0; SALT_LEN];
        fill_random(&mut salt)?;
        Self::with_salt(algorithm, key, associated, salt)
    }

    /// The same with a salt that is given: one that comes twice with a key may go with one file only.
    pub(crate) fn with_salt(
        algorithm: &Algorithm,
        key: &Key,
        associated: &[u8],
        salt: [u8; SALT_LEN],
    ) -> Result<Self, Error> {
        if algorithm.tag_len == 0 {
            return Err(Error::NotAuthenticated { cipher: algorithm.name });
        }
        let mut name = [0; NAME_LEN];
        name[..algorithm.name.len()].copy_from_slice(algorithm.name.as_bytes());
        let mut head = Writer::new(Kind::Stream);
        head.raw(&name).u32(SEGMENT_LEN).raw(&salt);
        let state = State::new(algorithm, key, &head.0, associated)?;
        Ok(Self { state, head: head.0 })
    }

    /// What stands in front of the first segment.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// How long a batch becomes.
    #[must_use]
    pub fn sealed_len(plaintext: usize) -> usize {
        plaintext + plaintext.div_ceil(SEGMENT).max(1) * TAG_LEN
    }

    /// Seals the next batch into a slice as long as [`sealed_len`](Self::sealed_len) says.
    ///
    /// # Errors
    ///
    /// [`Error::Batch`] if the batch is not whole segments and not the last, if it is empty and not the
    /// whole file, or if the last one was sealed; [`Error::Length`] for a slice of another length;
    /// [`Error::TooLong`] beyond 2^32 segments.
    pub fn push(&mut self, batch: &[u8], is_last: bool, sealed: &mut [u8]) -> Result<(), Error> {
        let is_whole = batch.len().is_multiple_of(SEGMENT) && !batch.is_empty();
        let is_fitting = is_whole || is_last && (!batch.is_empty() || self.state.next == 0);
        if self.state.is_over || !is_fitting {
            return Err(Error::Batch { got: batch.len() });
        }
        check_length("the buffer for the batch", Self::sealed_len(batch.len()), sealed.len())?;
        let output = (sealed, SEGMENT + TAG_LEN);
        self.state.each((batch, SEGMENT), output, is_last, |cipher, nonce, plaintext, sealed| {
            cipher.seal_into(nonce, b"", plaintext, sealed)
        })
    }
}

/// Opens a file from front to back.
pub struct StreamOpener {
    state: State,
}

impl StreamOpener {
    /// Begins with the head of a file, [`HEAD_LEN`] bytes.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`] or [`wire::Error::Version`] if it is not the head of a file that this version opens.
    pub fn new(head: &[u8], key: &Key, associated: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(head, Kind::Stream)?;
        let name: [u8; NAME_LEN] = reader.array()?;
        let length = name.iter().position(|&byte| byte == 0).unwrap_or(NAME_LEN);
        let name = std::str::from_utf8(&name[..length]).map_err(|_| reader.fault())?;
        let fault = reader.fault();
        let algorithm = cipher::find(name).map_err(|_| fault.clone())?;
        if algorithm.tag_len == 0 || reader.u32()? != SEGMENT_LEN {
            return Err(fault.into());
        }
        reader.raw(SALT_LEN)?;
        reader.end()?;
        Ok(Self { state: State::new(algorithm, key, head, associated)? })
    }

    /// Opens the next batch into a slice as long as the batch without its tags; every batch but the
    /// last is whole segments.
    ///
    /// # Errors
    ///
    /// [`Error::Decryption`] if it was changed, cut, extended or moved, or stands after the last one;
    /// the slice then holds nothing that was not genuine. [`Error::Length`] for a shorter slice.
    pub fn push(
        &mut self,
        sealed: &[u8],
        is_last: bool,
        plaintext: &mut [u8],
    ) -> Result<(), Error> {
        let expected = Self::opened_len(sealed.len()).ok_or(Error::Decryption)?;
        let is_whole = sealed.len().is_multiple_of(SEGMENT + TAG_LEN);
        let is_empty = expected == 0 && self.state.next > 0;
        if self.state.is_over || !is_last && !is_whole || is_empty {
            return Err(Error::Decryption);
        }
        check_length("the buffer for the batch", expected, plaintext.len())?;
        let input = (sealed, SEGMENT + TAG_LEN);
        self.state.each(input, (plaintext, SEGMENT), is_last, |cipher, nonce, sealed, plaintext| {
            cipher.open_into(nonce, b"", sealed, plaintext).map(drop)
        })
    }

    /// How long a batch is without its tags; `None` if it is none.
    #[must_use]
    pub fn opened_len(sealed: usize) -> Option<usize> {
        let last = sealed % (SEGMENT + TAG_LEN);
        let is_cut = last > 0 && last < TAG_LEN || sealed == 0 || last == TAG_LEN && sealed > last;
        (!is_cut).then(|| sealed - sealed.div_ceil(SEGMENT + TAG_LEN) * TAG_LEN)
    }
}

/// Returns a message sealed whole, in the form of a file.
///
/// # Errors
///
/// Those of [`StreamSealer`].
pub fn seal(
    algorithm: &Algorithm,
    key: &Key,
    associated: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut sealer = StreamSealer::new(algorithm, key, associated)?;
    let mut file = vec![0; HEAD_LEN + StreamSealer::sealed_len(plaintext.len())];
    let (head, sealed) = file.split_at_mut(HEAD_LEN);
    head.copy_from_slice(sealer.head());
    sealer.push(plaintext, true, sealed)?;
    Ok(file)
}

/// Returns the whole plaintext of a sealed file.
///
/// # Errors
///
/// Those of [`StreamOpener`].
pub fn open(key: &Key, associated: &[u8], file: &[u8]) -> Result<Vec<u8>, Error> {
    let (head, sealed) = file
        .split_at_checked(HEAD_LEN)
        .ok_or(Error::Wire(wire::Error::Format { what: Kind::Stream.name(), position: 0 }))?;
    let mut opener = StreamOpener::new(head, key, associated)?;
    let mut plaintext = vec![0; StreamOpener::opened_len(sealed.len()).ok_or(Error::Decryption)?];
    opener.push(sealed, true, &mut plaintext)?;
    Ok(plaintext)
}

impl std::fmt::Debug for StreamSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StreamSealer({:?}, {})", self.state.cipher, self.state.next)
    }
}

impl std::fmt::Debug for StreamOpener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StreamOpener({:?}, {})", self.state.cipher, self.state.next)
    }
}

#[cfg(test)]
mod tests;
