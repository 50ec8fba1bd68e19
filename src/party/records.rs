//! Records: rows of a table, sealed one by one so that each can be opened, granted or fetched alone.
//!
//! The columns of a table lie in *portions*, and each portion of each row is sealed under a key of its own
//! with an AEAD that survives a repeated nonce:
//!
//! ```text
//! handle  = AES-256(child(handle key, "integers"), id)     the record's pseudonym: the cloud sees no id
//!         = HMAC-SHA-256(handle key, "s" || id)[..16]    if the id is a text
//! readers = child(record key of the provider, "portion", "", readers' epoch and its salt)
//! portion = child(readers, "portion", "/" || name)
//! key     = AES-256(child(portion, "portion", "high"), handle) || AES-256(child(.., "low"), handle)
//! context = SHA-256(owner, provider and epochs, readers' epoch, upload, portion, SHA-256(layout))
//! names   = SHA-256(names of all portions of the upload)
//! sealed  = AES-256-GCM-SIV(key, upload[..12], row, context || handle) || author tag
//! tag     = AES-256(child(author key, "author", "tag"), POLYVAL(.. "hash"; context, handle, sealed, length))
//! ```
//!
//! Amendments have handles under another key, see [`amending`](super::amending), and what they state before
//! their values. So one portion key opens one portion of all records of a readers' epoch, and one record's key that
//! portion of one record, in all its versions. A record that was changed, cut or moved, or is of another
//! upload, does not open. No grant gives the author key: whoever can derive the provider's keys sees that
//! the provider wrote it, and no reader can write.
//!
//! POLYVAL takes whole blocks, so that zeros fill up what is sealed; its length follows. The layout, the
//! names and types of the columns, is sealed once per upload and portion, under child(portion, "portion",
//! "layout") and in a context with `names` in place of a digest, so that no portion can be left out;
//! every row is bound to its digest. Numbers take 8 bytes,
//! null or not, so that a record's size shows the lengths of its texts and nothing else. Sealing a small
//! row costs some forty AES blocks, on all cores. Errors name the row and nothing more.
//!
//! An upload holds a record once, and its number is random, so that no nonce is used twice under a key.
//! Keys are two blocks of a permutation each: they tell from random ones after about 2^64 records.
//!
//! # Sources
//!
//! * AES-GCM-SIV and POLYVAL: RFC 8452; HMAC: RFC 2104.
//! * A PRF of a universal hash is a PRF: Shoup, *On Fast and Provably Secure Message Authentication Based
//!   on Universal Hashing*, CRYPTO 1996.

use std::fmt;

use aes::Aes256Enc;
use aes::cipher::BlockCipherEncrypt;
use hmac::{Hmac, KeyInit, Mac};
use polyval::Polyval;
use polyval::universal_hash::UniversalHash;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Error;
use super::claims::Stated;
use super::columns::{Column, encode_layout, encode_row, row_len};
use crate::cipher::{TAG_LEN, aes_gcm_siv};
use crate::keys::coins::{Block, Coins, Tag};
use crate::keys::{KEY_LEN, Key, Purpose};
use crate::message::certificate::Owner;
use crate::message::place::{Epoch, Node};
use crate::message::upload::Portion;
use crate::operations::{Operation, count};
use crate::pool;
use crate::scheme::mopse::Handle;
use crate::wire::{Blobs, Kind, Packed, Writer};

/// The portion of the columns that are put into none.
pub const REST: &str = "rest";

/// The portion of attachments.
pub const FILES: &str = "files";

/// Bytes of the tag that shows who wrote a record.
pub(super) const AUTHOR_LEN: usize = 16;

/// Handles of texts that are made on several cores, at least.
pub(super) const HANDLES: usize = 64;

/// Rows that are sealed, or opened, one after the other.
pub(super) const ROWS: usize = 1 << 10;

/// Keys that are derived together.
const KEYS: usize = 32;

/// Ids of records, as a table has them.
#[derive(Debug, Clone, Copy)]
pub enum Ids<'a> {
    /// Whole numbers.
    Integers(&'a [i64]),
    /// Texts.
    Texts(&'a Packed<'a>),
    /// Of what amends records of another provider, by their ids.
    Amending(&'a Amending<'a>),
}

/// Ids of records of another provider, which stand for what amends them.
#[derive(Debug, Clone, Copy)]
pub struct Amending<'a> {
    /// The path of the other provider, in its one spelling.
    pub of: &'a str,
    /// The ids there.
    pub ids: Ids<'a>,
}

impl Ids<'_> {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Integers(ids) => ids.len(),
            Self::Texts(texts) => texts.len(),
            Self::Amending(amending) => amending.ids.count(),
        }
    }

    /// What stands for one of them where bytes do.
    pub(super) fn bytes(&self, row: usize) -> Vec<u8> {
        match self {
            Self::Integers(ids) => [&b"i"[..], &ids[row].to_le_bytes()].concat(),
            Self::Texts(texts) => [&b"s"[..], texts.get(row)].concat(),
            Self::Amending(amending) => amending.ids.bytes(row),
        }
    }

    /// One of them as a text.
    pub(super) fn text(&self, row: usize) -> String {
        match self {
            Self::Integers(ids) => ids[row].to_string(),
            Self::Texts(texts) => String::from_utf8_lossy(texts.get(row)).into_owned(),
            Self::Amending(amending) => amending.ids.text(row),
        }
    }

    /// Returns the handle of every id.
    pub(crate) fn handles(&self, key: &Key) -> Vec<Handle> {
        let texts = match self {
            Self::Integers(ids) => return integer_handles(key, ids),
            Self::Texts(texts) => texts,
            Self::Amending(Amending { of, ids }) => {
                let label = [b"amends/", of.as_bytes()].concat();
                return ids.handles(&key.child(Purpose::Handle, &label, 0));
            }
        };
        count(Operation::Hmac, self.count());
        let mac = mac(key);
        let handle = |row| {
            let mac = mac.clone().chain_update(b"s").chain_update(texts.get(row));
            let bytes: [u8; 32] = mac.finalize().into_bytes().into();
            let (handle, _) = bytes.as_chunks::<16>();
            u128::from_be_bytes(handle[0])
        };
        pool::map(self.count(), HANDLES, handle)
    }
}

/// A permutation of 128 bits is a pseudo-random function of so few ids, and gives no two the same.
fn integer_handles(key: &Key, ids: &[i64]) -> Vec<Handle> {
    const CHUNK: usize = 1 << 12;
    let coins = Coins::new(&key.child(Purpose::Handle, b"integers", 0));
    let mut handles = vec![0; ids.len()];
    pool::map_pairs((ids, CHUNK), (&mut handles, CHUNK), |_, ids, handles| {
        let block = |id: &i64| Coins::block(Tag::Handle, 0, 0, id.cast_unsigned());
        let mut blocks: Vec<Block> = ids.iter().map(block).collect();
        coins.toss(&mut blocks);
        for (handle, block) in handles.iter_mut().zip(blocks) {
            *handle = u128::from_be_bytes(block.into());
        }
    });
    handles
}

pub(super) fn mac(key: &Key) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.expose()).expect("HMAC takes keys of any length")
}

/// Whose records they are, and when they were sealed: what every record is bound to besides its handle.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The owner.
    pub owner: &'a Owner,
    /// The provider, with its epochs.
    pub provider: &'a Node,
    /// The readers' epoch.
    pub readers: Epoch,
    /// The number of the upload.
    pub upload: u128,
}

impl Origin<'_> {
    fn context(&self, what: Kind, portion: &str, digest: &[u8]) -> [u8; 32] {
        let mut writer = Writer::new(what);
        writer.raw(&self.owner.0);
        self.provider.write(&mut writer);
        self.readers.write(&mut writer);
        writer.u128(self.upload).text(portion).bytes(digest);
        Sha256::digest(writer.0).into()
    }

    /// What the layout of a portion is bound to: also to the names of all portions beside it.
    pub(super) fn of_layout(&self, portion: &str, names: &Names) -> [u8; 32] {
        self.context(Kind::Layout, portion, &names.0)
    }

    /// What all records of a layout are bound to; each is bound to its handle besides.
    pub(super) fn of_records(&self, portion: &str, layout: &[u8]) -> [u8; 32] {
        self.context(Kind::Record, portion, &Sha256::digest(layout))
    }

    /// Unlike that of any other upload under the same keys.
    pub(super) fn nonce(&self) -> [u8; aes_gcm_siv::NONCE_LEN] {
        let mut nonce = [0; aes_gcm_siv::NONCE_LEN];
        nonce.copy_from_slice(&self.upload.to_le_bytes()[..aes_gcm_siv::NONCE_LEN]);
        nonce
    }
}

/// A digest of the names of all portions of an upload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names([u8; 32]);

impl Names {
    pub(super) fn of<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let mut writer = Writer(Vec::new());
        writer.count(names.len());
        names.for_each(|name| {
            writer.text(name);
        });
        Self(Sha256::digest(writer.0).into())
    }
}

/// What a row is bound to.
pub(super) fn associated(context: &[u8; 32], handle: Handle) -> [u8; 48] {
    let mut associated = [0; 48];
    associated[..32].copy_from_slice(context);
    associated[32..].copy_from_slice(&handle.to_le_bytes());
    associated
}

/// The record key of a provider.
pub(super) fn record_key(provider: &Key) -> Key {
    provider.child(Purpose::Record, b"", 0)
}

/// What all portions that a provider seals in a readers' epoch are derived from.
pub(super) fn readers_key(record_key: &Key, readers: Epoch) -> Key {
    record_key.child_in(Purpose::Portion, b"", readers.number, readers.salt())
}

/// The key of a portion, by its name.
pub(super) fn portion_key(readers_key: &Key, portion: &str) -> Key {
    readers_key.child(Purpose::Portion, &[b"/", portion.as_bytes()].concat(), 0)
}

/// The key of a portion's layouts.
pub(super) fn layout_key(portion_key: &Key) -> Key {
    portion_key.child(Purpose::Portion, b"layout", 0)
}

/// What derives the keys of single records from a portion's.
pub(super) struct RowKeys {
    high: Aes256Enc,
    low: Aes256Enc,
}

impl RowKeys {
    pub(super) fn new(portion_key: &Key) -> Self {
        let under = |label: &[u8]| {
            let key = portion_key.child(Purpose::Portion, label, 0);
            Aes256Enc::new(key.expose().into())
        };
        Self { high: under(b"high"), low: under(b"low") }
    }

    /// Calls with the key of each of some records, in order.
    pub(super) fn for_each(
        &self,
        handles: impl Iterator<Item = Handle>,
        mut found: impl FnMut(&[u8; KEY_LEN]),
    ) {
        let mut handles = handles.peekable();
        let mut halves = Zeroizing::new([[[0; 16]; KEYS]; 2]);
        let mut key = Zeroizing::new([0; KEY_LEN]);
        while handles.peek().is_some() {
            let mut taken = 0;
            for handle in handles.by_ref().take(KEYS) {
                halves[0][taken] = handle.to_be_bytes();
                halves[1][taken] = handle.to_be_bytes();
                taken += 1;
            }
            count(Operation::AesBlock, 2 * taken);
            for (cipher, half) in [&self.high, &self.low].into_iter().zip(halves.iter_mut()) {
                cipher.encrypt_blocks(Block::cast_slice_from_core_mut(&mut half[..taken]));
            }
            for at in 0..taken {
                key[..16].copy_from_slice(&halves[0][at]);
                key[16..].copy_from_slice(&halves[1][at]);
                found(&key);
            }
        }
    }

    /// The key of one record.
    pub(super) fn key(&self, handle: Handle) -> Key {
        let mut key = None;
        self.for_each(std::iter::once(handle), |bytes| key = Key::from_bytes(bytes).ok());
        key.expect("there is one record, and its key has the length of a key")
    }
}

/// What shows that a provider wrote a record.
#[derive(Clone)]
pub(super) struct Author {
    hash: Polyval,
    tag: Aes256Enc,
}

impl Author {
    /// That of the provider with this key.
    pub(super) fn new(provider: &Key) -> Self {
        let author = provider.child(Purpose::Author, b"", 0);
        let (hash, tag) =
            (author.child(Purpose::Author, b"hash", 0), author.child(Purpose::Author, b"tag", 0));
        let (halves, _) = hash.expose().as_chunks::<16>();
        Self { hash: Polyval::new(&halves[0].into()), tag: Aes256Enc::new(tag.expose().into()) }
    }

    /// What makes the tags of the records of one context.
    pub(super) fn of(&self, context: &[u8; 32]) -> Tags<'_> {
        let mut hash = self.hash.clone();
        hash.update_padded(context);
        Tags { hash, tag: &self.tag }
    }
}

/// What makes the tags of the records of one context, which is hashed once.
pub(super) struct Tags<'a> {
    hash: Polyval,
    tag: &'a Aes256Enc,
}

impl Tags<'_> {
    /// The tags of sealed records.
    ///
    /// The blocks of a record are hashed in one call, and those of all records encrypted in one: the
    /// processor works on several at a time.
    pub(super) fn of<'a>(
        &self,
        records: impl ExactSizeIterator<Item = (Handle, &'a [u8])>,
    ) -> Vec<[u8; AUTHOR_LEN]> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut tags = Vec::with_capacity(records.len());
        for (handle, sealed) in records {
            blocks.clear();
            blocks.push(handle.to_le_bytes().into());
            let (whole, rest) = sealed.as_chunks::<16>();
            blocks.extend_from_slice(Block::cast_slice_from_core(whole));
            if !rest.is_empty() {
                let mut padded = [0; 16];
                padded[..rest.len()].copy_from_slice(rest);
                blocks.push(padded.into());
            }
            blocks.push((sealed.len() as u128).to_le_bytes().into());
            let mut hash = self.hash.clone();
            hash.update(&blocks);
            tags.push(hash.finalize().into());
        }
        self.tag.encrypt_blocks(Block::cast_slice_from_core_mut(&mut tags));
        tags
    }
}

/// Whether two tags are one; tells by its time nothing of where they differ.
pub(super) fn is_tag(expected: &[u8; AUTHOR_LEN], tag: &[u8]) -> bool {
    expected.ct_eq(tag).into()
}

impl fmt::Debug for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Author(..)")
    }
}

/// Seals a portion of the rows of a table, by its name among those of all portions, in an order, each row
/// under the handle that belongs to it, with the key of the readers' epoch.
///
/// # Errors
///
/// [`Error::Length`] if a column lacks one of the rows.
pub(super) fn seal(
    readers_key: &Key,
    author: &Author,
    origin: Origin<'_>,
    (name, names): (&str, &Names),
    columns: &[(u32, &Column<'_>)],
    (id, amends): (Option<&str>, Option<&Stated>),
    rows: &[(Handle, usize)],
) -> Result<Portion, Error> {
    let expected = rows.iter().map(|&(_, row)| row + 1).max().unwrap_or(0);
    for got in columns.iter().flat_map(|(_, column)| [column.rows(), column.is_valid.len()]) {
        if got < expected {
            return Err(Error::Length { what: "a column", expected, got });
        }
    }
    let layout = encode_layout(columns, id, amends);
    let has_ids = columns.iter().any(|(_, column)| Some(column.name.as_str()) == id);
    let (key, nonce) = (portion_key(readers_key, name), origin.nonce());
    let (keys, context) = (RowKeys::new(&key), origin.of_records(name, &layout));
    let tags = author.of(&context);
    let sealed = pool::map_chunks(rows, ROWS, |_, rows| {
        let length = |&(_, row): &(Handle, usize)| {
            let amends = amends.map_or(0, |amends| amends.len(row, has_ids));
            amends + row_len(columns, row) + TAG_LEN + AUTHOR_LEN
        };
        let lengths: Vec<usize> = rows.iter().map(length).collect();
        // It never grows, so that no row is left anywhere in the clear.
        let mut sealed = Writer(Vec::with_capacity(lengths.iter().sum()));
        let mut left = rows.iter();
        keys.for_each(rows.iter().map(|&(handle, _)| handle), |key| {
            let Some(&(handle, row)) = left.next() else { return };
            let associated = associated(&context, handle);
            let start = sealed.0.len();
            if let Some(amends) = amends {
                amends.write(row, has_ids, &mut sealed);
            }
            encode_row(columns, row, &mut sealed);
            let tag = aes_gcm_siv::seal_in_place(key, &nonce, &associated, &mut sealed.0[start..]);
            sealed.raw(&tag).raw(&[0; AUTHOR_LEN]);
        });
        let mut sealed = sealed.0;
        let mut left = &sealed[..];
        let records = rows.iter().zip(&lengths).map(|(&(handle, _), &length)| {
            let (record, more) = left.split_at(length);
            left = more;
            (handle, &record[..length - AUTHOR_LEN])
        });
        let tags = tags.of(records);
        let mut end = 0;
        for (length, tag) in lengths.iter().zip(tags) {
            end += length;
            sealed[end - AUTHOR_LEN..end].copy_from_slice(&tag);
        }
        (lengths, sealed)
    });
    let mut ends = Vec::with_capacity(rows.len());
    let mut bytes = Vec::with_capacity(sealed.iter().map(|(_, bytes)| bytes.len()).sum());
    let mut end = 0;
    for (lengths, part) in sealed {
        for length in lengths {
            end += length as u64;
            ends.push(end);
        }
        bytes.extend_from_slice(&part);
    }
    let records = Blobs::new(ends, bytes)?;
    let layout = seal_layout(&key, origin, &origin.of_layout(name, names), &layout);
    Ok(Portion { name: name.to_owned(), layout, records })
}

fn seal_layout(
    portion_key: &Key,
    origin: Origin<'_>,
    context: &[u8; 32],
    layout: &[u8],
) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(layout.len() + TAG_LEN);
    sealed.extend_from_slice(layout);
    let key = layout_key(portion_key);
    let tag = aes_gcm_siv::seal_in_place(key.expose(), &origin.nonce(), context, &mut sealed);
    sealed.extend_from_slice(&tag);
    sealed
}

/// Where a record of a portion ends in its ciphertext and its tags; `None` if it is too short.
pub(super) fn split(sealed: &[u8]) -> Option<(&[u8], &[u8])> {
    sealed.split_at_checked(sealed.len().checked_sub(AUTHOR_LEN)?)
}

#[cfg(test)]
mod tests;
