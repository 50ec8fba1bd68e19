//! What opens records: all of a provider's, or some, and the right to hand that to a user.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use rayon::prelude::*;
use zeroize::Zeroizing;

use super::Error;
use super::columns::{Column, decode_layout, decode_or_void, types, void_row};
use super::records::{LAYOUT, Origin};
use super::types::Type;
use crate::cipher::{aes_gcm_siv, envelope};
use crate::keys::{Key, Parent, Purpose};
use crate::message::certificate::Owner;
use crate::message::place::Node;
use crate::scheme::mopse::Handle;
use crate::wire::{Blobs, Kind, Reader, Writer};

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
        records: RecordKeys,
    },
}

/// The keys of some records.
#[derive(Debug, Clone, Default)]
pub struct RecordKeys(
    // A map leaves copies of its entries where it moves them, so they hold no key themselves.
    BTreeMap<Handle, Box<Key>>,
);

impl RecordKeys {
    /// The key of a record.
    #[must_use]
    pub fn get(&self, handle: Handle) -> Option<&Key> {
        self.0.get(&handle).map(AsRef::as_ref)
    }

    /// All records with their keys, in the order of their handles.
    pub fn iter(&self) -> impl Iterator<Item = (Handle, &Key)> {
        self.0.iter().map(|(&handle, key)| (handle, key.as_ref()))
    }

    /// All keys, in the order of their handles.
    pub fn values(&self) -> impl Iterator<Item = &Key> {
        self.iter().map(|(_, key)| key)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn last(&self) -> Option<Handle> {
        self.0.last_key_value().map(|(&handle, _)| handle)
    }

    fn insert(&mut self, handle: Handle, key: Key) {
        self.0.insert(handle, Box::new(key));
    }

    fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

impl FromIterator<(Handle, Key)> for RecordKeys {
    fn from_iter<I: IntoIterator<Item = (Handle, Key)>>(keys: I) -> Self {
        Self(keys.into_iter().map(|(handle, key)| (handle, Box::new(key))).collect())
    }
}

impl<const N: usize> From<[(Handle, Key); N]> for RecordKeys {
    fn from(keys: [(Handle, Key); N]) -> Self {
        keys.into_iter().collect()
    }
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
            (Self::Some { records, .. }, _) => records.get(handle).map(Cow::Borrowed),
            (Self::All(_), parent) => {
                Some(Cow::Owned(parent?.child(Purpose::Record, &handle.to_be_bytes(), 0)))
            }
        }
    }

    /// Whether there is a key for a record.
    pub(super) fn is_granted(&self, handle: Handle) -> bool {
        match self {
            Self::All(_) => true,
            Self::Some { records, .. } => records.0.contains_key(&handle),
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
            handles.iter().enumerate().filter(|(_, handle)| keys.get(**handle).is_some())
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
    /// and handle, [`Error::Cell`] or [`Error::LongRecord`] the first that is not of the layout,
    /// [`Error::Layout`] that the layout does not open, [`Error::Column`] the column of it that no table
    /// has, [`Error::Length`] that there are not as many handles.
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
        let opened = self.open_rows(origin, sealed_layout, handles, records)?;
        match opened.faults.into_values().next() {
            Some(error) => Err(error),
            None => Ok(opened.columns),
        }
    }

    /// Opens records whose number is that of the handles; one that does not open is a row of nulls.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`], [`Error::Column`].
    pub(super) fn open_rows(
        &self,
        origin: Origin<'_>,
        sealed_layout: &[u8],
        handles: &[Handle],
        records: &Blobs,
    ) -> Result<Rows, Error> {
        let cipher = aes_gcm_siv::under(&self.layout());
        let layout = envelope::open(&cipher, &origin.of_layout(), sealed_layout);
        let layout = layout.map(Zeroizing::new).map_err(|_| Error::Layout)?;
        let mut columns = decode_layout(&layout)?;
        let types = types(&columns)?;
        let (parent, common) = (self.parent(), origin.of_records(&layout));
        let rows: Vec<Option<Zeroizing<Vec<u8>>>> = handles
            .par_iter()
            .enumerate()
            .map(|(position, &handle)| {
                let associated = [&common[..], &handle.to_le_bytes()].concat();
                let key = self.record(parent.as_ref(), handle)?;
                let cipher = aes_gcm_siv::under(key.as_ref());
                envelope::open(&cipher, &associated, records.get(position)).map(Zeroizing::new).ok()
            })
            .collect();
        columns.iter_mut().for_each(|column| column.reserve(rows.len()));
        let mut faults = BTreeMap::new();
        for (position, row) in rows.into_iter().enumerate() {
            let decoded = match row {
                Some(row) => decode_or_void(&row, position, &mut columns),
                None => {
                    void_row(position, &mut columns);
                    Err(Error::Record { position })
                }
            };
            if let Err(error) = decoded {
                faults.insert(position, error);
            }
        }
        for (column, of) in columns.iter().zip(&types) {
            of.check(column, |position, why| {
                let column = || column.name.clone();
                faults.entry(position).or_insert_with(|| Error::Cell {
                    column: column(),
                    position,
                    why,
                });
            });
        }
        Ok(Rows { columns, types, faults })
    }
}

/// Records that were opened, a row for each; one with a fault holds what is not to be used.
pub(super) struct Rows {
    pub columns: Vec<Column<'static>>,
    pub types: Vec<Type>,
    /// What is wrong with a record, by its position.
    pub faults: BTreeMap<usize, Error>,
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
        let mut writer = Writer::secret(Kind::Grant);
        writer.raw(&self.owner.0);
        self.provider.write(&mut writer);
        match &self.opener {
            Opener::All(key) => writer.u8(0).raw(key.expose()),
            Opener::Some { layout, records } => {
                writer.u8(1).raw(layout.expose()).count(records.len());
                for (handle, key) in records.iter() {
                    writer.u128(handle).raw(key.expose());
                }
                &mut writer
            }
        };
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no grant.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Grant)?;
        let owner = Owner(reader.array()?);
        let provider = Node::read(&mut reader)?;
        let opener = match reader.u8()? {
            0 => Opener::All(Key::from_bytes(reader.raw(32)?)?),
            1 => {
                let layout = Key::from_bytes(reader.raw(32)?)?;
                let mut records = RecordKeys::default();
                for _ in 0..reader.count(48)? {
                    let handle = reader.u128()?;
                    if records.last().is_some_and(|last| handle <= last) {
                        return Err(reader.fault().into());
                    }
                    records.insert(handle, Key::from_bytes(reader.raw(32)?)?);
                }
                Opener::Some { layout, records }
            }
            _ => return Err(reader.fault().into()),
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
    use super::*;
    use crate::wire;

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
            let expected = Error::Wire(wire::Error::Format { what: "the grant", position });
            assert_eq!(Grant::decode(&changed).unwrap_err(), expected);
        }
    }
}
