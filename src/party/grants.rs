//! What opens records: all of a provider's, or some portions or records, and the right to hand that to a
//! user.
//!
//! ```text
//! grant = owner, provider and epochs, holder, end, keys for each readers' epoch, certificates || signature
//! ```
//!
//! A grant is signed by who gives it, so that nobody puts a wrong one in its place. It opens what was sealed
//! in the readers' epochs that it names, and lets nobody write. Secret; what was granted once cannot be
//! taken back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Error;
use super::claims::{self, Claim, Claims, read_claim};
use super::columns::{Column, Layout, decode_layout, decode_or_void, types, void_row};
use super::keyring::Keyring;
use super::records::{
    AUTHOR_LEN, Author, FILES, Ids, Names, Origin, REST, ROWS, RowKeys, associated, is_tag,
    layout_key, portion_key, readers_key, record_key, split,
};
use super::types::Type;
use crate::cipher::{TAG_LEN, aes_gcm_siv};
use crate::keys::{Key, Purpose};
use crate::message;
use crate::message::certificate::{Chain, Owner};
use crate::message::place::{Epoch, Node};
use crate::message::signature::verify;
use crate::message::upload::Portion;
use crate::pool;
use crate::scheme::mopse::Handle;
use crate::wire::{Buffer, Kind, Reader, Writer};

/// What opens records that one provider sealed in one readers' epoch.
///
/// Maps leave copies of their entries where they move them, so that nothing in one holds a key itself.
#[derive(Debug, Clone, Default)]
pub struct Opener {
    /// The key of the readers' epoch: opens all.
    // A map leaves copies of its entries where it moves them, so openers hold no key themselves.
    all: Option<Box<Key>>,
    /// Keys of portions: each opens its portion of all records.
    portions: BTreeMap<String, Box<Key>>,
    /// Keys of single records, by portion.
    records: BTreeMap<String, RecordKeys>,
    /// What tells who wrote a record, for whoever holds the provider's keys.
    author: Option<Box<Author>>,
}

/// The keys of a portion of some records.
#[derive(Debug, Clone)]
pub struct RecordKeys {
    layout: Box<Key>,
    keys: BTreeMap<Handle, Box<Key>>,
}

impl RecordKeys {
    /// The key of a record.
    #[must_use]
    pub fn get(&self, handle: Handle) -> Option<&Key> {
        self.keys.get(&handle).map(AsRef::as_ref)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// What opens one portion.
enum Keys<'a> {
    All(Box<RowKeys>),
    Some(&'a RecordKeys),
}

impl Opener {
    /// What opens all that a provider with this key sealed in a readers' epoch.
    pub(super) fn of_provider(provider: &Key, readers: Epoch) -> Self {
        let all = Some(Box::new(readers_key(&record_key(provider), readers)));
        Self { all, author: Some(Box::new(Author::new(provider))), ..Self::default() }
    }

    /// What opens some of what this opens: of these portions, and of these records.
    fn limited(&self, portions: Option<&[String]>, handles: Option<&[Handle]>) -> Self {
        let Some(all) = &self.all else { return Self::default() };
        match (portions, handles) {
            (None, None) => Self { all: Some(all.clone()), ..Self::default() },
            (Some(portions), None) => {
                let of_portion = |name: &String| (name.clone(), Box::new(portion_key(all, name)));
                Self { portions: portions.iter().map(of_portion).collect(), ..Self::default() }
            }
            (portions, Some(handles)) => {
                let of_portion = |name: &String| {
                    let portion = portion_key(all, name);
                    let rows = RowKeys::new(&portion);
                    let keys = handles.iter().map(|&handle| (handle, Box::new(rows.key(handle))));
                    let layout = Box::new(layout_key(&portion));
                    (name.clone(), RecordKeys { layout, keys: keys.collect() })
                };
                let default = [REST.to_owned(), FILES.to_owned()];
                let portions = portions.unwrap_or(&default);
                Self { records: portions.iter().map(of_portion).collect(), ..Self::default() }
            }
        }
    }

    /// Whether it opens every portion of every record.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.all.is_some()
    }

    /// How many records there are keys for; `None` for all.
    #[must_use]
    pub fn records(&self) -> Option<usize> {
        let is_some = self.all.is_none() && self.portions.is_empty();
        is_some.then(|| self.records.values().map(RecordKeys::len).max().unwrap_or(0))
    }

    /// Which portions there are keys for; `None` for all.
    #[must_use]
    pub fn portions(&self) -> Option<Vec<&str>> {
        let names = self.portions.keys().chain(self.records.keys());
        self.all.is_none().then(|| names.map(String::as_str).collect())
    }

    /// Whether there is a key for some portion of a record.
    pub(super) fn is_granted(&self, handle: Handle) -> bool {
        self.all.is_some()
            || !self.portions.is_empty()
            || self.records.values().any(|keys| keys.get(handle).is_some())
    }

    /// Whether there is no key at all.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_none() && self.portions.is_empty() && self.records.is_empty()
    }

    /// Whether there is a key for a portion of a record.
    pub(super) fn opens(&self, portion: &str, handle: Handle) -> bool {
        self.all.is_some()
            || self.portions.contains_key(portion)
            || self.records.get(portion).is_some_and(|keys| keys.get(handle).is_some())
    }

    /// The key of a portion of all records, and that of its layouts.
    fn portion(&self, name: &str) -> Option<(Keys<'_>, Cow<'_, Key>)> {
        let key = match (&self.all, self.portions.get(name)) {
            (Some(all), _) => Some(portion_key(all, name)),
            (None, Some(key)) => Some(Key::clone(key)),
            (None, None) => None,
        };
        match key {
            Some(key) => {
                Some((Keys::All(Box::new(RowKeys::new(&key))), Cow::Owned(layout_key(&key))))
            }
            None => {
                let keys = self.records.get(name)?;
                Some((Keys::Some(keys), Cow::Borrowed(&*keys.layout)))
            }
        }
    }

    /// The key of a record's files; `None` if there is none for it.
    pub(crate) fn files_key(&self, handle: Handle) -> Option<Key> {
        match self.portion(FILES)?.0 {
            Keys::All(keys) => Some(keys.key(handle)),
            Keys::Some(keys) => keys.get(handle).cloned(),
        }
    }

    /// Adds what another one opens.
    fn add(&mut self, more: Self) {
        let Self { all, portions, records, author } = more;
        self.all = self.all.take().or(all);
        self.author = self.author.take().or(author);
        self.portions.extend(portions);
        for (name, keys) in records {
            match self.records.get_mut(&name) {
                Some(known) => known.keys.extend(keys.keys),
                None => {
                    self.records.insert(name, keys);
                }
            }
        }
    }

    /// Opens the portions of records, one row per record, in the order given; what of a record does not
    /// open is a row of nulls and a fault, what there is no key for a row of nulls.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`], [`Error::Column`].
    pub(super) fn open_rows(
        &self,
        origin: Origin<'_>,
        handles: &[Handle],
        portions: &[Portion],
    ) -> Result<Rows, Error> {
        if portions.is_empty() && !handles.is_empty() {
            return Err(Error::Layout);
        }
        let mut rows = Rows::default();
        let names = Names::of(portions.iter().map(|portion| portion.name.as_str()));
        let mut claimed = Vec::new();
        for portion in portions {
            let Some((keys, layout_key)) = self.portion(&portion.name) else { continue };
            let layout = open_layout(&layout_key, origin, &names, portion)?;
            let author = self.author.as_deref();
            let mut opened = open_portion(&keys, &layout, author, origin, handles, portion)?;
            claimed.push(opened.amends.take());
            if let Keys::Some(keys) = &keys {
                let closed = handles.iter().map(|&handle| keys.get(handle).is_none());
                let closed: Arc<[bool]> = closed.collect();
                let names = opened.columns.iter().map(|column| column.name.clone());
                rows.closed.extend(names.map(|name| (name, Arc::clone(&closed))));
            }
            rows.add(opened);
        }
        rows.amends = claims::together(claimed, handles.len(), &mut rows.faults);
        rows.sort();
        Ok(rows)
    }

    /// Opens records and returns their columns, one row per record, in the order given.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] names the first record that does not open under these keys for this origin
    /// and handle, [`Error::Author`] the first that its provider did not write, [`Error::Cell`] or
    /// [`Error::LongRecord`] the first that is not of the layout, [`Error::Layout`] that the layout does
    /// not open, also if a portion beside it was left out, [`Error::Column`] the column of it that no table has.
    pub fn open(
        &self,
        origin: Origin<'_>,
        handles: &[Handle],
        portions: &[Portion],
    ) -> Result<Vec<Column<'static>>, Error> {
        let opened = self.open_rows(origin, handles, portions)?;
        match opened.faults.into_values().next() {
            Some(error) => Err(error),
            None => Ok(opened.columns),
        }
    }
}

/// Opens one portion of records.
fn open_portion(
    keys: &Keys<'_>,
    layout: &[u8],
    author: Option<&Author>,
    origin: Origin<'_>,
    handles: &[Handle],
    portion: &Portion,
) -> Result<Rows, Error> {
    let (name, nonce) = (portion.name.as_str(), origin.nonce());
    let Layout { columns, places, id, mut amends } = decode_layout(layout)?;
    let types = types(&columns)?;
    let context = origin.of_records(name, layout);
    let tags = author.map(|author| author.of(&context));
    let (is_amending, amending) = (amends.is_some(), amends.is_some().then_some(id.is_some()));
    let mut chunks = pool::map_chunks(handles, ROWS, |number, handles| {
        let first = number * ROWS;
        let mut opened =
            Rows { columns: columns.iter().map(Column::empty).collect(), ..Rows::default() };
        opened.columns.iter_mut().for_each(|column| column.reserve(handles.len()));
        let mut row = Zeroizing::new(Vec::new());
        let wrote = tags.as_ref().map(|tags| {
            let sealed = |at| split(portion.records.get(first + at)).map_or(&[][..], |(of, _)| of);
            tags.of(handles.iter().enumerate().map(|(at, &handle)| (handle, sealed(at))))
        });
        let mut position = 0;
        let mut open = |key: Option<&[u8; 32]>| {
            let sealed = portion.records.get(first + position);
            let associated = associated(&context, handles[position]);
            let wrote = wrote.as_ref().map(|tags| &tags[position]);
            let decoded = match key {
                None => {
                    opened.void(position, is_amending);
                    Ok(())
                }
                Some(key) => match open_row(key, &nonce, &associated, sealed, wrote, &mut row) {
                    Ok(()) => opened.add_row(&row, position, amending),
                    Err(error) => {
                        opened.void(position, is_amending);
                        Err(error)
                    }
                },
            };
            if let Err(error) = decoded {
                opened.faults.insert(first + position, error.at(first + position));
            }
            position += 1;
        };
        match keys {
            Keys::All(keys) => {
                keys.for_each(handles.iter().copied(), |key| open(Some(key)));
            }
            Keys::Some(keys) => {
                handles.iter().for_each(|&handle| open(keys.get(handle).map(Key::expose)));
            }
        }
        opened
    });
    if let Some(amends) = &mut amends {
        amends.rows = chunks.iter_mut().flat_map(|chunk| chunk.claims.drain(..)).collect();
    }
    let mut joined = Rows { columns, places, types, id, amends, ..Rows::default() };
    joined.columns.iter_mut().for_each(|column| column.reserve(handles.len()));
    for mut chunk in chunks {
        for (column, more) in joined.columns.iter_mut().zip(&mut chunk.columns) {
            column.append(more);
            more.wipe();
        }
        joined.faults.extend(chunk.faults);
    }
    let Rows { columns, types, faults, .. } = &mut joined;
    for (column, of) in columns.iter().zip(&*types) {
        of.check(column, |position, why| {
            let column = || column.name.clone();
            faults.entry(position).or_insert_with(|| Error::Cell {
                column: column(),
                position,
                why,
            });
        });
    }
    Ok(joined)
}

fn open_layout(
    key: &Key,
    origin: Origin<'_>,
    names: &Names,
    portion: &Portion,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (ciphertext, tag) = portion.layout.split_last_chunk::<TAG_LEN>().ok_or(Error::Layout)?;
    let mut layout = Zeroizing::new(ciphertext.to_vec());
    let associated = origin.of_layout(&portion.name, names);
    let key = key.expose();
    if aes_gcm_siv::open_in_place(key, &origin.nonce(), &associated, &mut layout, tag) {
        Ok(layout)
    } else {
        Err(Error::Layout)
    }
}

/// Opens a row of a portion into a buffer, and compares who wrote it with the tag that its provider gives
/// it, if that is known.
fn open_row(
    key: &[u8; 32],
    nonce: &[u8; aes_gcm_siv::NONCE_LEN],
    associated: &[u8; 48],
    sealed: &[u8],
    wrote: Option<&[u8; AUTHOR_LEN]>,
    row: &mut Zeroizing<Vec<u8>>,
) -> Result<(), Error> {
    const CLOSED: Error = Error::Record { position: 0 };
    let (sealed, tag_of_author) = split(sealed).ok_or(CLOSED)?;
    let (ciphertext, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(CLOSED)?;
    row.clear();
    row.append(ciphertext);
    if !aes_gcm_siv::open_in_place(key, nonce, associated, row, tag) {
        return Err(CLOSED);
    }
    match wrote {
        Some(wrote) if !is_tag(wrote, tag_of_author) => Err(Error::Author { position: 0 }),
        _ => Ok(()),
    }
}

/// Records that were opened, a row for each; one with a fault holds what is not to be used.
#[derive(Default)]
pub(super) struct Rows {
    pub columns: Vec<Column<'static>>,
    /// Where in the table each one stood.
    places: Vec<u32>,
    pub types: Vec<Type>,
    /// Which column holds the records' ids.
    pub id: Option<usize>,
    /// What is wrong with a record, by its position.
    pub faults: BTreeMap<usize, Error>,
    /// Which rows there is no key for, of the columns of portions that are opened of some records only.
    pub closed: BTreeMap<String, Arc<[bool]>>,
    /// What they say that they amend, if they are amendments.
    pub amends: Option<Claims>,
    /// The same of each row that was opened last.
    claims: Vec<Option<Claim>>,
}

impl Rows {
    /// Adds a row of nulls.
    fn void(&mut self, position: usize, is_amending: bool) {
        void_row(position, &mut self.columns);
        if is_amending {
            self.claims.push(None);
        }
    }

    /// Adds an opened row; of amendments, which say whether their ids are in this portion, what it amends.
    fn add_row(
        &mut self,
        mut row: &[u8],
        position: usize,
        amending: Option<bool>,
    ) -> Result<(), Error> {
        if let Some(has_ids) = amending {
            let Ok((claim, start)) = read_claim(row, has_ids) else {
                self.void(position, true);
                return Err(Error::Amendment { position, why: "is cut short or malformed" });
            };
            self.claims.push(Some(claim));
            row = &row[start..];
        }
        decode_or_void(row, position, &mut self.columns)
    }

    /// Adds another portion; a column that is there already is left out.
    fn add(&mut self, more: Self) {
        let columns = more.columns.into_iter().zip(more.places).zip(more.types);
        for (at, ((column, place), of)) in columns.enumerate() {
            if self.columns.iter().all(|known| known.name != column.name) {
                if more.id == Some(at) {
                    self.id = Some(self.columns.len());
                }
                self.columns.push(column);
                self.places.push(place);
                self.types.push(of);
            }
        }
        for (position, error) in more.faults {
            self.faults.entry(position).or_insert(error);
        }
    }

    /// Puts the columns in the order that they had in the table.
    fn sort(&mut self) {
        if self.places.is_sorted() {
            return;
        }
        let id = self.id.and_then(|at| self.places.get(at).copied());
        let columns = std::mem::take(&mut self.columns).into_iter();
        let placed = std::mem::take(&mut self.places).into_iter().zip(columns);
        let mut placed: Vec<_> = placed.zip(std::mem::take(&mut self.types)).collect();
        placed.sort_by_key(|((place, _), _)| *place);
        for ((place, column), of) in placed {
            self.columns.push(column);
            self.places.push(place);
            self.types.push(of);
        }
        self.id = id.and_then(|id| self.places.iter().position(|&place| place == id));
    }
}

/// The right to open records of one provider, to hand to a user.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The owner.
    pub owner: Owner,
    /// The provider, with its epochs.
    pub provider: Node,
    /// Who may use it; empty for whoever has it.
    pub holder: Vec<u8>,
    /// When it ends, in seconds since 1970.
    pub end: u64,
    /// The keys, by readers' epoch.
    pub openers: BTreeMap<Epoch, Opener>,
    /// The certificates of who gave it; empty for the owner.
    pub issuer: Chain,
}

impl Grant {
    /// What the issuer signs, in the clear.
    fn message(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::secret(Kind::Grant);
        writer.raw(&self.owner.0);
        self.provider.write(&mut writer);
        writer.bytes(&self.holder).u64(self.end).count(self.openers.len());
        for (readers, opener) in &self.openers {
            readers.write(&mut writer);
            writer.u8(opener.all.is_some().into());
            if let Some(all) = &opener.all {
                writer.raw(all.expose());
            }
            writer.count(opener.portions.len());
            for (name, key) in &opener.portions {
                writer.text(name).raw(key.expose());
            }
            writer.count(opener.records.len());
            for (name, RecordKeys { layout, keys }) in &opener.records {
                writer.text(name).raw(layout.expose()).count(keys.len());
                for (&handle, key) in keys {
                    writer.u128(handle).raw(key.expose());
                }
            }
        }
        self.issuer.write(&mut writer);
        writer.0
    }

    /// Reads a grant, and verifies that whoever it names gave it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no grant,
    /// [`message::Error::Signature`] if it is forged, [`message::Error::Scope`] if the issuer may not give it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Grant)?;
        let owner = Owner(reader.array()?);
        let provider = Node::read(&mut reader)?;
        let (holder, end) = (reader.bytes()?.to_vec(), reader.u64()?);
        let mut openers = BTreeMap::new();
        for _ in 0..reader.count(22)? {
            let readers = Epoch::read(&mut reader)?;
            if openers.last_key_value().is_some_and(|(last, _)| *last >= readers) {
                return Err(reader.fault().into());
            }
            openers.insert(readers, read_opener(&mut reader)?);
        }
        let issuer = Chain::read(&mut reader)?;
        let message = &bytes[..reader.position()];
        let signature = reader.array()?;
        reader.end()?;
        verify(&issuer.verify(&owner)?, message, &signature, Kind::Grant.name())?;
        if !issuer.subject().held(&provider) {
            let (who, what) =
                (issuer.subject().to_string(), format!("grant records of {provider}"));
            return Err(message::Error::Scope { who, what }.into());
        }
        Ok(Self { owner, provider, holder, end, openers, issuer })
    }
}

fn read_key(reader: &mut Reader<'_>) -> Result<Box<Key>, Error> {
    Ok(Box::new(Key::from_bytes(reader.raw(32)?)?))
}

fn read_opener(reader: &mut Reader<'_>) -> Result<Opener, Error> {
    let all = match reader.u8()? {
        0 => None,
        1 => Some(read_key(reader)?),
        _ => return Err(reader.fault().into()),
    };
    let mut opener = Opener { all, ..Opener::default() };
    for _ in 0..reader.count(40)? {
        let name = reader.text()?.to_owned();
        if opener.portions.last_key_value().is_some_and(|(last, _)| *last >= name) {
            return Err(reader.fault().into());
        }
        opener.portions.insert(name, read_key(reader)?);
    }
    for _ in 0..reader.count(48)? {
        let (name, layout) = (reader.text()?.to_owned(), read_key(reader)?);
        if opener.records.last_key_value().is_some_and(|(last, _)| *last >= name) {
            return Err(reader.fault().into());
        }
        let mut keys = BTreeMap::new();
        for _ in 0..reader.count(48)? {
            let handle = reader.u128()?;
            if keys.last_key_value().is_some_and(|(&last, _)| handle <= last) {
                return Err(reader.fault().into());
            }
            keys.insert(handle, read_key(reader)?);
        }
        opener.records.insert(name, RecordKeys { layout, keys });
    }
    Ok(opener)
}

/// What somebody is granted.
#[derive(Debug, Clone, Copy)]
pub struct Share<'a> {
    /// Which records; all if there are none.
    pub ids: Option<Ids<'a>>,
    /// Which portions of them; if that is not said, all, or of single records what is in no portion, and
    /// their files.
    pub portions: Option<&'a [String]>,
    /// Who may use the grant; empty for whoever has it.
    pub holder: &'a [u8],
    /// When it ends, in seconds since 1970.
    pub end: u64,
}

impl Keyring {
    /// Makes a grant of what a provider at or below this one sealed in all readers' epochs so far.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`] names a provider whose key this one cannot derive.
    pub fn grant(&self, provider: &Node, share: &Share<'_>) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.grant_in(provider, share, self.readers_of(provider))
    }

    /// Makes a grant of what a provider at or below this one sealed in some readers' epochs.
    ///
    /// # Errors
    ///
    /// Those of [`grant`](Self::grant).
    pub(crate) fn grant_in(
        &self,
        provider: &Node,
        share: &Share<'_>,
        readers: Vec<Epoch>,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let key = self.key_of(provider)?;
        let handles = share.ids.map(|ids| ids.handles(&key.child(Purpose::Handle, b"", 0)));
        let opener = |readers: Epoch| {
            let all = Opener::of_provider(&key, readers);
            (readers, all.limited(share.portions, handles.as_deref()))
        };
        let grant = Grant {
            owner: self.owner,
            provider: provider.clone(),
            holder: share.holder.to_vec(),
            end: share.end,
            openers: readers.into_iter().map(opener).collect(),
            issuer: self.chain.clone(),
        };
        let mut message = grant.message();
        let signature = self.sign(&message);
        message.append(&signature);
        Ok(message)
    }

    /// All readers' epochs of a provider at or below this one, the present one last.
    #[must_use]
    pub fn readers(&self, provider: &Node) -> Vec<Epoch> {
        self.readers_of(provider)
    }

    /// What the scalar is made of that re-encryption has for a portion of a provider at or below this one in a
    /// readers' epoch. Whoever reads the portion derives it not.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`] names a provider whose key this one cannot derive.
    pub(crate) fn reencryption_material(
        &self,
        provider: &Node,
        portion: &str,
        readers: Epoch,
    ) -> Result<Key, Error> {
        let (key, label) = (self.key_of(provider)?, portion.as_bytes());
        Ok(key.child_in(Purpose::Reencryption, label, readers.number, readers.salt()))
    }
}

/// What a user was granted: by provider and epoch, when it ends, and readers' epoch.
#[derive(Debug, Clone, Default)]
pub struct Grants(BTreeMap<(Owner, Node), BTreeMap<u64, BTreeMap<Epoch, Opener>>>);

impl Grants {
    /// Adds a grant for whoever has it, at a time in seconds since 1970; several of one provider open what
    /// each of them opens.
    ///
    /// # Errors
    ///
    /// [`Error::OtherUser`] if it is for a user with keys, [`Error::GrantEnded`] if it has ended.
    pub fn add(&mut self, grant: Grant, now: u64) -> Result<(), Error> {
        self.add_for(b"", grant, now)
    }

    /// Adds a grant for a holder.
    ///
    /// # Errors
    ///
    /// Those of [`add`](Self::add).
    pub fn add_for(&mut self, holder: &[u8], grant: Grant, now: u64) -> Result<(), Error> {
        if grant.holder != holder {
            return Err(Error::OtherUser);
        }
        if now > grant.end {
            return Err(Error::GrantEnded { provider: grant.provider.path() });
        }
        let known = self.0.entry((grant.owner, grant.provider)).or_default();
        let known = known.entry(grant.end).or_default();
        for (readers, opener) in grant.openers {
            known.entry(readers).or_default().add(opener);
        }
        Ok(())
    }

    /// Whether something of an owner is granted, or was.
    pub(super) fn is_of(&self, owner: &Owner) -> bool {
        self.0.keys().any(|(of, _)| of == owner)
    }

    /// What opens records of a provider that were sealed in a readers' epoch, at a time in seconds since
    /// 1970; `None` if it has granted nothing, and one that opens nothing if it has granted nothing of that
    /// epoch.
    #[must_use]
    pub fn opener(
        &self,
        owner: Owner,
        provider: &Node,
        readers: Epoch,
        now: u64,
    ) -> Option<Cow<'_, Opener>> {
        let granted = self.0.get(&(owner, provider.clone()))?;
        Some(together(granted.range(now..), readers))
    }

    /// What opened the same records, and has ended.
    pub(super) fn ended(
        &self,
        owner: Owner,
        provider: &Node,
        readers: Epoch,
        now: u64,
    ) -> Cow<'_, Opener> {
        let granted = self.0.get(&(owner, provider.clone()));
        together(granted.into_iter().flat_map(|granted| granted.range(..now)), readers)
    }
}

/// What opens all that some grants open of a readers' epoch.
fn together<'a>(
    granted: impl Iterator<Item = (&'a u64, &'a BTreeMap<Epoch, Opener>)>,
    readers: Epoch,
) -> Cow<'a, Opener> {
    let mut openers = granted.filter_map(|(_, openers)| openers.get(&readers));
    let Some(first) = openers.next() else { return Cow::Owned(Opener::default()) };
    openers.fold(Cow::Borrowed(first), |mut joined, more| {
        joined.to_mut().add(more.clone());
        joined
    })
}

impl fmt::Display for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.records() {
            None => f.write_str("all records"),
            Some(records) => write!(f, "{records} records"),
        }
    }
}

#[cfg(test)]
mod tests;
