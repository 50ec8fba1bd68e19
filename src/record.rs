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

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use hmac::{Hmac, Mac};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Error;
use crate::certificate::Owner;
use crate::coins::{Block, Coins, Tag};
use crate::index::upload::Blobs;
use crate::keys::{Key, Parent, Purpose, fill_random};
use crate::operations::{Operation, count};
use crate::path::Node;
use crate::scheme::mopse::Handle;
use crate::wire::{Reader, Writer};

const NONCE_LEN: usize = 12;

/// The label of the layout's key; a record's is 16 bytes long, so they cannot be confused.
const LAYOUT: &[u8] = b"layout";

/// A column's values.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Values<'a> {
    Int64(Cow<'a, [i64]>),
    UInt64(Cow<'a, [u64]>),
    Float64(Cow<'a, [f64]>),
    Boolean(Cow<'a, [bool]>),
    Text(Texts<'a>),
}

/// Texts, end to end.
#[derive(Debug, Clone, PartialEq)]
pub struct Texts<'a> {
    /// Where each one ends, in bytes.
    pub ends: Cow<'a, [i64]>,
    /// UTF-8.
    pub bytes: Cow<'a, [u8]>,
}

impl Texts<'_> {
    /// The texts one by one; what is not UTF-8 is replaced, which no opened text needs.
    #[must_use]
    pub fn to_strings(&self) -> Vec<String> {
        let text = |row| String::from_utf8_lossy(self.get(row)).into_owned();
        (0..self.ends.len()).map(text).collect()
    }

    fn get(&self, row: usize) -> &[u8] {
        let end = |row: usize| self.ends.get(row).and_then(|&end| usize::try_from(end).ok());
        let start = row.checked_sub(1).map_or(Some(0), end);
        match (start, end(row)) {
            (Some(start), Some(end)) => self.bytes.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column<'a> {
    /// Its name.
    pub name: String,
    /// What the caller needs to know of its type to restore it.
    pub dtype: String,
    /// One value per row; anything where the row holds a null.
    pub values: Values<'a>,
    /// Which rows hold a value.
    pub is_valid: Cow<'a, [bool]>,
}

impl Column<'_> {
    fn kind(&self) -> u8 {
        match self.values {
            Values::Int64(_) => 1,
            Values::UInt64(_) => 2,
            Values::Float64(_) => 3,
            Values::Boolean(_) => 4,
            Values::Text(_) => 5,
        }
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        match &self.values {
            Values::Int64(values) => values.len(),
            Values::UInt64(values) => values.len(),
            Values::Float64(values) => values.len(),
            Values::Boolean(values) => values.len(),
            Values::Text(texts) => texts.ends.len(),
        }
    }

    fn write(&self, row: usize, writer: &mut Writer) {
        match &self.values {
            Values::Int64(values) => writer.i64(values[row]),
            Values::UInt64(values) => writer.u64(values[row]),
            Values::Float64(values) => writer.u64(values[row].to_bits()),
            Values::Boolean(values) => writer.u8(values[row].into()),
            Values::Text(texts) => writer.bytes(texts.get(row)),
        };
    }
}

/// The bytes of one row.
fn encode_row(columns: &[Column<'_>], row: usize) -> Vec<u8> {
    let mut writer = Writer::default();
    for column in columns {
        writer.u8(column.is_valid[row].into());
        column.write(row, &mut writer);
    }
    writer.0
}

/// The names and types of the columns.
fn encode_layout(columns: &[Column<'_>]) -> Vec<u8> {
    let mut writer = Writer::new(b"MOPSELAY");
    writer.count(columns.len());
    for column in columns {
        writer.text(&column.name).text(&column.dtype).u8(column.kind());
    }
    writer.0
}

/// Columns without rows yet.
fn decode_layout(bytes: &[u8]) -> Result<Vec<Column<'static>>, Error> {
    let mut reader = Reader::new(bytes, b"MOPSELAY", "the layout of the records")?;
    let mut columns = Vec::new();
    for _ in 0..reader.count(17)? {
        let (name, dtype) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        let values = match reader.u8()? {
            1 => Values::Int64(Cow::default()),
            2 => Values::UInt64(Cow::default()),
            3 => Values::Float64(Cow::default()),
            4 => Values::Boolean(Cow::default()),
            5 => Values::Text(Texts { ends: Cow::default(), bytes: Cow::default() }),
            _ => return Err(reader.fault()),
        };
        columns.push(Column { name, dtype, values, is_valid: Cow::default() });
    }
    reader.end()?;
    Ok(columns)
}

/// Adds one row's bytes to the columns.
fn decode_row(bytes: &[u8], columns: &mut [Column<'static>]) -> Result<(), Error> {
    let mut reader = Reader::headless(bytes, "the record");
    for column in columns {
        column.is_valid.to_mut().push(reader.u8()? == 1);
        match &mut column.values {
            Values::Int64(values) => values.to_mut().push(reader.i64()?),
            Values::UInt64(values) => values.to_mut().push(reader.u64()?),
            Values::Float64(values) => values.to_mut().push(f64::from_bits(reader.u64()?)),
            Values::Boolean(values) => values.to_mut().push(reader.u8()? == 1),
            Values::Text(texts) => {
                texts.bytes.to_mut().extend_from_slice(reader.text()?.as_bytes());
                let end = i64::try_from(texts.bytes.len()).map_err(|_| reader.fault())?;
                texts.ends.to_mut().push(end);
            }
        }
    }
    reader.end()
}

/// Ids of records, as a table has them.
#[derive(Debug, Clone, Copy)]
pub enum Ids<'a> {
    /// Whole numbers.
    Integers(&'a [i64]),
    /// Texts.
    Texts(&'a Texts<'a>),
}

impl Ids<'_> {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Integers(ids) => ids.len(),
            Self::Texts(texts) => texts.ends.len(),
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
    fn associated(&self, what: &[u8; 8], digest: &[u8]) -> Writer {
        let mut writer = Writer::new(what);
        writer.raw(&self.owner.0);
        self.provider.write(&mut writer);
        writer.bytes(digest);
        writer
    }

    fn of_layout(&self) -> Vec<u8> {
        self.associated(b"MOPSELAY", &[]).0
    }

    /// What all records of a layout are bound to; each is bound to its handle besides.
    fn of_records(&self, layout: &[u8]) -> Vec<u8> {
        self.associated(b"MOPSEREC", &Sha256::digest(layout)).0
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
/// [`Error::Length`] if a column lacks one of the rows, [`Error::Randomness`] if the operating system
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
    let mut nonces = vec![[0; NONCE_LEN]; rows.len() + 1];
    fill_random(nonces.as_flattened_mut())?;
    let (parent, common) = (key.parent(), origin.of_records(&layout));
    let sealed: Vec<Vec<u8>> = rows
        .par_iter()
        .zip(&nonces[1..])
        .enumerate()
        .map(|(position, (&(handle, row), nonce))| {
            let key = parent.child(Purpose::Record, &handle.to_be_bytes(), 0);
            let associated = [&common[..], &handle.to_le_bytes()].concat();
            seal_one(&key, nonce, &encode_row(columns, row), &associated)
                .ok_or(Error::Record { position })
        })
        .collect::<Result<_, _>>()?;
    let mut records = Blobs::default();
    for record in sealed {
        records.push(&record);
    }
    let key = key.child(Purpose::Record, LAYOUT, 0);
    let layout = seal_one(&key, &nonces[0], &layout, &origin.of_layout()).ok_or(Error::Layout)?;
    Ok(Sealed { layout, records })
}

pub(crate) fn seal_one(
    key: &Key,
    nonce: &[u8; 12],
    message: &[u8],
    associated: &[u8],
) -> Option<Vec<u8>> {
    let cipher = Aes256GcmSiv::new(key.expose().into());
    let sealed = cipher.encrypt(&Nonce::from(*nonce), Payload { msg: message, aad: associated });
    Some([nonce, sealed.ok()?.as_slice()].concat())
}

pub(crate) fn open_one(key: &Key, sealed: &[u8], associated: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let cipher = Aes256GcmSiv::new(key.expose().into());
    cipher.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: associated }).ok()
}

/// What opens records of one provider: all of one epoch's, or some.
#[derive(Clone)]
pub enum Opener {
    /// The record key: opens all.
    All(Key),
    /// Keys of single records, and of the layouts.
    Some {
        /// The key of the layouts.
        layout: Key,
        /// The key of each record.
        records: BTreeMap<Handle, Key>,
    },
}

impl Opener {
    /// Keeps what opens these records and no others.
    #[must_use]
    pub(crate) fn only(key: &Key, handles: &[Handle]) -> Self {
        let child = |label: &[u8]| key.child(Purpose::Record, label, 0);
        let records =
            handles.iter().map(|&handle| (handle, child(&handle.to_be_bytes()))).collect();
        Self::Some { layout: child(LAYOUT), records }
    }

    fn layout(&self) -> Cow<'_, Key> {
        match self {
            Self::All(key) => Cow::Owned(key.child(Purpose::Record, LAYOUT, 0)),
            Self::Some { layout, .. } => Cow::Borrowed(layout),
        }
    }

    /// The record key, prepared, if all records are derived from it.
    fn parent(&self) -> Option<Parent> {
        match self {
            Self::All(key) => Some(key.parent()),
            Self::Some { .. } => None,
        }
    }

    fn record(&self, parent: Option<&Parent>, handle: Handle) -> Option<Cow<'_, Key>> {
        match (self, parent) {
            (Self::Some { records, .. }, _) => records.get(&handle).map(Cow::Borrowed),
            (Self::All(_), parent) => {
                Some(Cow::Owned(parent?.child(Purpose::Record, &handle.to_be_bytes(), 0)))
            }
        }
    }

    /// The key of one record; `None` if there is none for it.
    pub(crate) fn key_of(&self, handle: Handle) -> Option<Key> {
        self.record(self.parent().as_ref(), handle).map(Cow::into_owned)
    }

    /// How many records there are keys for; `None` for all.
    #[must_use]
    pub fn records(&self) -> Option<usize> {
        match self {
            Self::All(_) => None,
            Self::Some { records, .. } => Some(records.len()),
        }
    }

    /// The records among these that there are keys for.
    #[must_use]
    pub fn granted<'a>(
        &self,
        handles: &'a [Handle],
        records: &'a Blobs,
    ) -> (Cow<'a, [Handle]>, Cow<'a, Blobs>) {
        let Self::Some { records: keys, .. } = self else {
            return (Cow::Borrowed(handles), Cow::Borrowed(records));
        };
        let mut kept = (Vec::new(), Blobs::default());
        for (at, handle) in
            handles.iter().enumerate().filter(|(_, handle)| keys.contains_key(handle))
        {
            kept.0.push(*handle);
            kept.1.push(records.get(at));
        }
        (Cow::Owned(kept.0), Cow::Owned(kept.1))
    }

    /// Opens records and returns their columns, one row per record, in the order given.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] names the first record that does not open under these keys for this origin
    /// and handle, [`Error::Layout`] that the layout does not, [`Error::Length`] that there are not as
    /// many handles.
    pub fn open(
        &self,
        origin: Origin<'_>,
        sealed_layout: &[u8],
        handles: &[Handle],
        records: &Blobs,
    ) -> Result<Vec<Column<'static>>, Error> {
        if handles.len() != records.len() {
            let (expected, got) = (records.len(), handles.len());
            return Err(Error::Length { what: "the array of handles", expected, got });
        }
        let layout = open_one(&self.layout(), sealed_layout, &origin.of_layout());
        let layout = layout.ok_or(Error::Layout)?;
        let mut columns = decode_layout(&layout)?;
        let (parent, common) = (self.parent(), origin.of_records(&layout));
        let rows: Vec<Vec<u8>> = handles
            .par_iter()
            .enumerate()
            .map(|(position, &handle)| {
                let associated = [&common[..], &handle.to_le_bytes()].concat();
                self.record(parent.as_ref(), handle)
                    .and_then(|key| open_one(&key, records.get(position), &associated))
                    .ok_or(position)
            })
            .collect::<Vec<_>>()
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|position| Error::Record { position })?;
        for row in rows {
            decode_row(&row, &mut columns)?;
        }
        Ok(columns)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(_) => f.write_str("Opener(all records)"),
            Self::Some { records, .. } => write!(f, "Opener({} records)", records.len()),
        }
    }
}

/// The right to open records of one provider, to hand to a user. Secret; what was granted once
/// cannot be taken back.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The owner.
    pub owner: Owner,
    /// The provider, with its epochs.
    pub provider: Node,
    /// The keys.
    pub opener: Opener,
}

impl Grant {
    /// The grant as bytes, in the clear.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::new(b"MOPSEGRT");
        writer.raw(&self.owner.0);
        self.provider.write(&mut writer);
        match &self.opener {
            Opener::All(key) => writer.u8(0).raw(key.expose()),
            Opener::Some { layout, records } => {
                writer.u8(1).raw(layout.expose()).count(records.len());
                for (handle, key) in records {
                    writer.u128(*handle).raw(key.expose());
                }
                &mut writer
            }
        };
        Zeroizing::new(writer.0)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if the bytes are no grant.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, b"MOPSEGRT", "the grant")?;
        let owner = Owner(reader.array()?);
        let provider = Node::read(&mut reader)?;
        let opener = match reader.u8()? {
            0 => Opener::All(Key::from_bytes(reader.raw(32)?)?),
            1 => {
                let layout = Key::from_bytes(reader.raw(32)?)?;
                let mut records = BTreeMap::new();
                for _ in 0..reader.count(48)? {
                    let handle = reader.u128()?;
                    if records.last_key_value().is_some_and(|(&last, _)| handle <= last) {
                        return Err(reader.fault());
                    }
                    records.insert(handle, Key::from_bytes(reader.raw(32)?)?);
                }
                Opener::Some { layout, records }
            }
            _ => return Err(reader.fault()),
        };
        reader.end()?;
        Ok(Self { owner, provider, opener })
    }
}

/// What a user was granted: one opener per provider and epoch.
#[derive(Debug, Clone, Default)]
pub struct Grants(BTreeMap<(Owner, Node), Opener>);

impl Grants {
    /// Adds a grant; several of one provider open what each of them opens.
    pub fn add(&mut self, Grant { owner, provider, opener }: Grant) {
        match (self.0.get_mut(&(owner, provider.clone())), opener) {
            (Some(Opener::All(_)), _) => {}
            (Some(Opener::Some { records, .. }), Opener::Some { records: more, .. }) => {
                records.extend(more);
            }
            (_, opener) => {
                self.0.insert((owner, provider), opener);
            }
        }
    }

    /// What opens records of a provider; `None` if it has granted nothing.
    #[must_use]
    pub fn opener(&self, owner: Owner, provider: &Node) -> Option<&Opener> {
        self.0.get(&(owner, provider.clone()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// One column of each type, two rows.
    fn table() -> Vec<Column<'static>> {
        let column = |name: &str, values, is_valid: [bool; 2]| Column {
            name: name.into(),
            dtype: "any".into(),
            values,
            is_valid: is_valid.to_vec().into(),
        };
        let texts = Texts { ends: vec![4, 4].into(), bytes: "Zoë".as_bytes().to_vec().into() };
        vec![
            column("i", Values::Int64(vec![-1, i64::MAX].into()), [true, true]),
            column("u", Values::UInt64(vec![0, u64::MAX].into()), [true, false]),
            column("f", Values::Float64(vec![-0.0, f64::MAX].into()), [false, true]),
            column("b", Values::Boolean(vec![true, false].into()), [true, true]),
            column("t", Values::Text(texts), [true, false]),
        ]
    }

    #[test]
    fn a_row_survives_its_bytes() {
        let table = table();
        let mut read = decode_layout(&encode_layout(&table)).unwrap();
        for row in 0..2 {
            decode_row(&encode_row(&table, row), &mut read).unwrap();
        }
        assert_eq!(read, table);
    }

    #[test]
    fn a_row_with_more_or_fewer_bytes_is_malformed() {
        let table = table();
        let row = encode_row(&table, 0);
        let read = |bytes: &[u8]| decode_row(bytes, &mut decode_layout(&encode_layout(&table))?);
        assert_eq!(read(&row), Ok(()));
        for cut in 0..row.len() {
            assert!(matches!(read(&row[..cut]), Err(Error::Format { .. })), "cut at {cut}");
        }
        assert!(matches!(read(&[&row[..], &[0]].concat()), Err(Error::Format { .. })));
    }

    #[test]
    fn the_size_of_a_record_shows_the_lengths_of_its_texts_only() {
        let table = table();
        assert_eq!(encode_row(&table, 0).len(), encode_row(&table, 1).len() + 4);
    }

    #[test]
    fn a_grant_with_handles_out_of_order_or_twice_is_malformed() {
        let key = |byte| Key::from_bytes(&[byte; 32]).unwrap();
        let grant = Grant {
            owner: Owner([9; 32]),
            provider: Node::root().child("hospital", 0).unwrap(),
            opener: Opener::Some { layout: key(0), records: [(5, key(1)), (7, key(2))].into() },
        };
        let bytes = grant.encode().to_vec();
        assert_eq!(*Grant::decode(&bytes).unwrap().encode(), bytes);
        let second = bytes.len() - 48;
        for handle in [5, 4] {
            let mut changed = bytes.clone();
            changed[second] = handle;
            let position = second + 16;
            let expected = Error::Format { what: "the grant", position };
            assert_eq!(Grant::decode(&changed).unwrap_err(), expected);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_of_layouts_and_rows_panic(
            bytes in vec(prop_oneof![Just(0_u8), Just(255), any::<u8>()], 0..200),
            at in any::<prop::sample::Index>(),
        ) {
            let table = table();
            let layout = encode_layout(&table);
            let _ = decode_row(&bytes, &mut decode_layout(&layout).unwrap());
            let mut changed = layout.clone();
            let end = changed.len().min(at.index(changed.len()) + bytes.len());
            let start = at.index(changed.len());
            changed[start..end].copy_from_slice(&bytes[..end - start]);
            if let Ok(mut columns) = decode_layout(&changed) {
                prop_assert_eq!(encode_layout(&columns), changed);
                let _ = decode_row(&encode_row(&table, 0), &mut columns);
            }
            let _ = decode_layout(&bytes);
        }
    }
}
