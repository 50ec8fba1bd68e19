//! Records: rows of a table, sealed one by one so that each can be opened, granted or fetched alone.
//!
//! A provider seals every row under a key of its own with an AEAD that survives a repeated nonce:
//!
//! ```text
//! handle = AES-256(child(handle key, "integers"), id)      the record's pseudonym: the cloud sees no id
//!        = HMAC-SHA-256(handle key, id)[..16]           if the id is a text
//! key    = child(record key of provider and epochs, handle)
//! sealed = nonce || AES-256-GCM-SIV(key, nonce, row, owner || provider || epochs || handle || layout)
//! ```
//!
//! The layout, the names and types of the columns, is sealed once per upload under a key of its own;
//! every row is bound to its digest. Numbers take 8 bytes, null or not, so that a record's size shows
//! the lengths of its texts and nothing else. Sealing a small row costs about one HMAC and a dozen AES
//! blocks, on all cores. A record that was changed, cut or moved does not open, and the error names
//! the row and nothing more.
//!
//! # Sources
//!
//! * AES-GCM-SIV: RFC 8452. HMAC: RFC 2104.

use hmac::{Hmac, KeyInit, Mac};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::Error;
use super::columns::{Column, encode_layout, encode_row};
use crate::cipher::{aes_gcm_siv, envelope};
use crate::keys::coins::{Block, Coins, Tag};
use crate::keys::{Key, Purpose, fill_random};
use crate::message::certificate::Owner;
use crate::message::place::Node;
use crate::operations::{Operation, count};
use crate::scheme::mopse::Handle;
use crate::wire::{Blobs, Kind, Packed, Writer};

/// The label of the layout's key; a record's is 16 bytes long, so they cannot be confused.
pub(super) const LAYOUT: &[u8] = b"layout";

/// Ids of records, as a table has them.
#[derive(Debug, Clone, Copy)]
pub enum Ids<'a> {
    /// Whole numbers.
    Integers(&'a [i64]),
    /// Texts.
    Texts(&'a Packed<'a>),
}

impl Ids<'_> {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Integers(ids) => ids.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    /// Returns the handle of every id.
    pub(crate) fn handles(&self, key: &Key) -> Vec<Handle> {
        let texts = match self {
            Self::Integers(ids) => return integer_handles(key, ids),
            Self::Texts(texts) => texts,
        };
        count(Operation::Hmac, self.count());
        let mac = mac(key);
        let handle = |row| {
            let mac = mac.clone().chain_update(b"s").chain_update(texts.get(row));
            let bytes: [u8; 32] = mac.finalize().into_bytes().into();
            let (handle, _) = bytes.as_chunks::<16>();
            u128::from_be_bytes(handle[0])
        };
        (0..self.count()).into_par_iter().map(handle).collect()
    }
}

/// A permutation of 128 bits is a pseudo-random function of so few ids, and gives no two the same.
fn integer_handles(key: &Key, ids: &[i64]) -> Vec<Handle> {
    const CHUNK: usize = 1 << 12;
    let coins = Coins::new(&key.child(Purpose::Handle, b"integers", 0));
    let mut handles = vec![0; ids.len()];
    handles.par_chunks_mut(CHUNK).zip(ids.par_chunks(CHUNK)).for_each(|(handles, ids)| {
        let block = |id: &i64| Coins::block(Tag::Handle, 0, 0, id.cast_unsigned());
        let mut blocks: Vec<Block> = ids.iter().map(block).collect();
        coins.toss(&mut blocks);
        for (handle, block) in handles.iter_mut().zip(blocks) {
            *handle = u128::from_be_bytes(block.into());
        }
    });
    handles
}

fn mac(key: &Key) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.expose()).expect("HMAC takes keys of any length")
}

/// Whose records they are: what every record is bound to besides its handle.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The owner.
    pub owner: &'a Owner,
    /// The provider, with its epochs.
    pub provider: &'a Node,
}

impl Origin<'_> {
    fn associated(&self, what: Kind, digest: &[u8]) -> Writer {
        let mut writer = Writer::new(what);
        writer.raw(&self.owner.0);
        self.provider.write(&mut writer);
        writer.bytes(digest);
        writer
    }

    pub(super) fn of_layout(&self) -> Vec<u8> {
        self.associated(Kind::Layout, &[]).0
    }

    /// What all records of a layout are bound to; each is bound to its handle besides.
    pub(super) fn of_records(&self, layout: &[u8]) -> Vec<u8> {
        self.associated(Kind::Record, &Sha256::digest(layout)).0
    }
}

/// Records that are sealed, in the order they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The names and types of the columns, sealed.
    pub layout: Vec<u8>,
    /// One sealed row each.
    pub records: Blobs,
}

/// Seals the rows in an order, each under the handle that belongs to it, with a record key.
///
/// # Errors
///
/// [`Error::Length`] if a column lacks one of the rows, [`keys::Error::Randomness`](crate::keys::Error::Randomness) if the operating system
/// gives none.
pub fn seal(
    key: &Key,
    origin: Origin<'_>,
    columns: &[Column<'_>],
    rows: &[(Handle, usize)],
) -> Result<Sealed, Error> {
    let expected = rows.iter().map(|&(_, row)| row + 1).max().unwrap_or(0);
    for got in columns.iter().flat_map(|column| [column.rows(), column.is_valid.len()]) {
        if got < expected {
            return Err(Error::Length { what: "a column", expected, got });
        }
    }
    let layout = encode_layout(columns);
    let mut nonces = vec![[0; aes_gcm_siv::NONCE_LEN]; rows.len() + 1];
    fill_random(nonces.as_flattened_mut())?;
    let (parent, common) = (key.parent(), origin.of_records(&layout));
    let sealed: Vec<Vec<u8>> = rows
        .par_iter()
        .zip(&nonces[1..])
        .enumerate()
        .map_init(Writer::headless_secret, |encoded, (position, (&(handle, row), nonce))| {
            let key = parent.child(Purpose::Record, &handle.to_be_bytes(), 0);
            let associated = [&common[..], &handle.to_le_bytes()].concat();
            encode_row(columns, row, encoded);
            envelope::seal(&aes_gcm_siv::under(&key), nonce, &associated, &encoded.0)
                .map_err(|_| Error::Record { position })
        })
        .collect::<Result<_, _>>()?;
    let mut records = Blobs::default();
    for record in sealed {
        records.push(&record);
    }
    let key = key.child(Purpose::Record, LAYOUT, 0);
    let cipher = aes_gcm_siv::under(&key);
    let layout = envelope::seal(&cipher, &nonces[0], &origin.of_layout(), &layout)
        .map_err(|_| Error::Layout)?;
    Ok(Sealed { layout, records })
}
