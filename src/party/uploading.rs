//! What a provider uploads: sealed rows of a table with their index entries, changes and removals of rows.
//! Files are [attached](super::attaching).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Error;
use super::claims::Stated;
use super::columns::Column;
use super::grants::{Opener, Rows};
use super::keyring::Keyring;
use super::keywords;
use super::ledger::Added;
use super::opening::{ids_of, indexed_of, origin_of};
use super::records::{self, Author, FILES, Ids, Names, Origin, REST, readers_key, record_key};
use crate::message;
use crate::message::answer::Part;
use crate::message::limits::{LONGEST_LAYOUT, LONGEST_NAME, MOST_PORTIONS, MOST_RECORDS, at_most};
use crate::message::notes::Notes;
use crate::message::place::{Epoch, Node};
use crate::message::request::Request;
use crate::message::upload::{Portion, Removed, Replaced, Run, Upload, Version, digest_of_row};
use crate::pool;
use crate::scheme::Scheme;
use crate::scheme::mopse::Handle;
use crate::wire::length;
use crate::wire::text::{self, Look};

/// The plaintexts of one field of a table: which rows hold a value, and its plaintext.
#[derive(Debug, Clone, Copy)]
pub struct Indexed<'a> {
    /// The field's name.
    pub field: &'a str,
    /// Row numbers.
    pub rows: &'a [u32],
    /// The plaintext of each.
    pub plaintexts: &'a [i64],
}

/// A table of records.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    /// What is sealed.
    pub columns: &'a [Column<'a>],
    /// The id of each row.
    pub ids: Ids<'a>,
    /// The column that holds the ids, if one does.
    pub id: Option<&'a str>,
    /// What is indexed.
    pub indexed: &'a [Indexed<'a>],
    /// When it is uploaded, in seconds since 1970.
    pub now: u64,
}

/// What rows of a table do to those that are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// They are new.
    Add,
    /// They take the place of those with their ids.
    Update,
    /// Whichever of both what was looked up says.
    Put,
}

/// What is stored of some records: the version of each that is, or that was removed.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    /// By handle: the place, the version, and whether the record is there.
    known: HashMap<(Node, Handle), (Version, bool)>,
}

impl Versions {
    /// What the parts that answer a query for records tell; versions are computed of what is sealed.
    #[must_use]
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Self {
        let mut known = HashMap::new();
        for part in parts {
            for (row, &handle) in part.handles.iter().enumerate() {
                let digest = digest_of_row(&part.portions, row);
                let version = Version::new(part.upload, handle, &digest);
                known.insert((part.provider.clone(), handle), (version, true));
            }
            for &(handle, upload) in &part.removed {
                let version = Version::of_tombstone(upload, handle);
                known.insert((part.provider.clone(), handle), (version, false));
            }
        }
        Self { known }
    }

    /// The version of a record, and whether it is there.
    pub(super) fn of_record(&self, place: &Node, handle: Handle) -> Option<(Version, bool)> {
        self.known.get(&(place.clone(), handle)).copied()
    }

    /// The version of a record that is there.
    fn live(&self, place: &Node, handle: Handle) -> Option<Version> {
        self.of_record(place, handle).filter(|(_, is_live)| *is_live).map(|(version, _)| version)
    }

    /// The version of a record that was removed.
    fn removed(&self, place: &Node, handle: Handle) -> Option<Version> {
        self.of_record(place, handle).filter(|(_, is_live)| !*is_live).map(|(version, _)| version)
    }
}

/// An upload that was made, and the rows of the table in the order of its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The upload as it travels.
    pub message: Vec<u8>,
    /// Which row of the table each record is; then which row each removed one is.
    pub rows: Vec<u32>,
}

/// Rows by their handles, ascending.
type Order = Vec<(Handle, usize)>;

/// What an upload replaces and removes.
#[derive(Default)]
struct Changes {
    replaced: Vec<Replaced>,
    removed: Vec<Removed>,
    /// The row of each that is removed.
    removed_rows: Vec<u32>,
}

impl Keyring {
    /// Seals the rows of a table and encrypts their index entries into one signed upload.
    ///
    /// Columns lie in the portions that were [declared](Self::declare_portions); what is in none is in
    /// [`REST`].
    ///
    /// Rows that are new name no version but that of a tombstone, which only what was looked up tells;
    /// rows that take the place of others name the version that was looked up.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateId`] names the second row of an id, [`Error::Length`] a column of another
    /// length, [`Error::Stored`] or [`Error::NotStored`] a row that should be new, or should not,
    /// [`Error::UnknownField`], [`scheme::Error::OutOfDomain`](crate::scheme::Error::OutOfDomain), [`message::Error::Scope`] for the owner, who
    /// uploads nothing.
    pub fn upload(
        &self,
        table: &Table<'_>,
        change: Change,
        versions: &Versions,
    ) -> Result<Made, Error> {
        self.upload_as(table, change, versions, None)
    }

    /// Seals rows as they are, or as amendments that state something.
    pub(super) fn upload_as(
        &self,
        table: &Table<'_>,
        change: Change,
        versions: &Versions,
        amends: Option<&Stated>,
    ) -> Result<Made, Error> {
        let count = table.ids.count();
        if u32::try_from(count).is_err() || count == 0 {
            return Err(Error::Rows { got: count as u64 });
        }
        if self.node == Node::root() {
            return Err(self.out_of_reach("upload records".to_owned()));
        }
        for column in table.columns {
            for got in [column.rows(), column.is_valid.len()] {
                if got != count {
                    return Err(Error::Length { what: "a column", expected: count, got });
                }
            }
        }
        let portions = portions(table.columns, &self.portions);
        let (handles, order) = self.order(&self.node, table.ids)?;
        let changes = self.changes(table.ids, &order, change, versions)?;
        let runs = self.runs(table, &handles, &order)?;
        let id = self.number(&contents(&order, &changes))?;
        let readers = self.standing.sealing();
        let origin = Origin { owner: &self.owner, provider: &self.node, readers, upload: id };
        let key = readers_key(&record_key(&self.key), readers);
        let author = Author::new(&self.key);
        let names = Names::of(portions.iter().map(|(name, _)| *name));
        let seal = |(name, columns): (&str, Placed<'_>)| {
            let heading = (table.id, amends);
            records::seal(&key, &author, origin, (name, &names), &columns, heading, &order)
        };
        let portions = portions.into_iter().map(seal).collect::<Result<Vec<_>, _>>()?;
        for portion in &portions {
            let length = portion.layout.len();
            at_most(LONGEST_LAYOUT, "bytes of names and types of columns", length)?;
        }
        let row = |row: usize| u32::try_from(row).unwrap_or(u32::MAX);
        let mut rows: Vec<u32> = order.iter().map(|&(_, at)| row(at)).collect();
        rows.extend(&changes.removed_rows);
        let handles: Vec<Handle> = order.iter().map(|&(handle, _)| handle).collect();
        if self.keeps_ledger() {
            let mut numbers = vec![0_u32; count];
            (0..).zip(&order).for_each(|(number, &(_, row))| numbers[row] = number);
            let indexed =
                table.indexed.iter().map(|of| (of.field, of.rows, of.plaintexts)).collect();
            let (handles, portions, numbers) = (&handles[..], &portions[..], &numbers[..]);
            let added = Added { upload: id, handles, portions, numbers, indexed };
            self.note(Some(&added), &changes.removed)?;
        } else {
            self.note(None, &changes.removed)?;
        }
        let message = self.signed_upload(id, readers, table.now, handles, portions, runs, changes);
        Ok(Made { message, rows })
    }

    /// Removes records by their ids.
    ///
    /// # Errors
    ///
    /// Those of [`upload`](Self::upload); [`Error::NotStored`] names an id that nothing was found of.
    pub fn deletion(&self, ids: Ids<'_>, versions: &Versions, now: u64) -> Result<Made, Error> {
        let count = ids.count();
        if u32::try_from(count).is_err() || count == 0 {
            return Err(Error::Rows { got: count as u64 });
        }
        if self.node == Node::root() {
            return Err(self.out_of_reach("remove records of its own".to_owned()));
        }
        let mut is_found = vec![false; count];
        let mut changes = Changes::default();
        for place in self.places() {
            let (_, order) = self.order(place, ids)?;
            changes.remove_live(place, &order, versions, &mut is_found);
        }
        if let Some(row) = is_found.iter().position(|found| !found) {
            return Err(Error::NotStored { row });
        }
        changes.sort();
        let rows = changes.removed_rows.clone();
        let id = self.number(&contents(&Vec::new(), &changes))?;
        let readers = self.standing.sealing();
        let (none, no_runs) = (Vec::new(), Vec::new());
        self.note(None, &changes.removed)?;
        let message = self.signed_upload(id, readers, now, none, Vec::new(), no_runs, changes);
        Ok(Made { message, rows })
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of an upload")]
    fn signed_upload(
        &self,
        id: u128,
        readers: Epoch,
        now: u64,
        handles: Vec<Handle>,
        portions: Vec<Portion>,
        runs: Vec<Run>,
        changes: Changes,
    ) -> Vec<u8> {
        // What must repeat says nothing of when it was made.
        let hours = if self.seed.is_some() { 0 } else { now / 3600 };
        let upload = Upload {
            owner: self.owner,
            provider: self.node.clone(),
            id,
            stamp: self.standing.stamp,
            schema: self.schema.digest(),
            readers,
            // So late a clock is refused by the cloud.
            hours: u32::try_from(hours).unwrap_or(u32::MAX),
            handles: Arc::new(handles),
            portions: Arc::new(portions),
            replaced: Arc::new(changes.replaced),
            removed: Arc::new(changes.removed),
            runs: Arc::new(runs),
            chain: self.chain.clone(),
            digest: [0; 32],
        };
        upload.signed(|head| self.sign(head))
    }

    /// The handle of each row at a place, and the rows in the order of their handles.
    fn order(&self, place: &Node, ids: Ids<'_>) -> Result<(Vec<Handle>, Order), Error> {
        let handles = self.handles_at(place, ids)?;
        let mut order: Order =
            handles.iter().enumerate().map(|(row, &handle)| (handle, row)).collect();
        pool::sort(&mut order);
        let twice = order.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1);
        match twice.min() {
            Some(row) => Err(Error::DuplicateId { row }),
            None => Ok((handles, order)),
        }
    }

    /// What rows of a table replace here, and remove in earlier epochs.
    fn changes(
        &self,
        ids: Ids<'_>,
        order: &Order,
        change: Change,
        versions: &Versions,
    ) -> Result<Changes, Error> {
        let mut changes = Changes::default();
        let mut is_found = vec![false; order.len()];
        for (number, &(handle, row)) in (0_u32..).zip(order) {
            let live = versions.live(&self.node, handle);
            is_found[row] = live.is_some();
            if let Some(version) = live.or_else(|| versions.removed(&self.node, handle)) {
                changes.replaced.push(Replaced { row: number, version });
            }
        }
        for Earlier { place, order } in self.earlier_orders(ids, versions)? {
            changes.remove_live(&place, &order, versions, &mut is_found);
        }
        let is_wrong = |&found: &bool| match change {
            Change::Add => found,
            Change::Update => !found,
            Change::Put => false,
        };
        match is_found.iter().position(is_wrong) {
            Some(row) if change == Change::Update => Err(Error::NotStored { row }),
            Some(row) => Err(Error::Stored { row }),
            None => {
                changes.sort();
                Ok(changes)
            }
        }
    }

    fn earlier_orders(&self, ids: Ids<'_>, versions: &Versions) -> Result<Vec<Earlier>, Error> {
        if versions.known.is_empty() {
            return Ok(Vec::new());
        }
        let places = self.places().filter(|place| **place != self.node);
        places
            .map(|place| Ok(Earlier { place: place.clone(), order: self.order(place, ids)?.1 }))
            .collect()
    }

    /// The entries of each field.
    fn runs(
        &self,
        table: &Table<'_>,
        handles: &[Handle],
        order: &Order,
    ) -> Result<Vec<Run>, Error> {
        let count = handles.len();
        let mut numbers = vec![0_u32; count];
        for (number, &(_, row)) in (0..).zip(order) {
            numbers[row] = number;
        }
        let mut runs = Vec::with_capacity(table.indexed.len());
        for &Indexed { field, rows, plaintexts } in table.indexed {
            let mopse = self.mopse(field)?;
            let rows: Vec<usize> = rows.iter().map(|&row| length(row.into())).collect();
            if let Some(&row) = rows.iter().find(|&&row| row >= count) {
                return Err(Error::RowNumber { got: row as u64 });
            }
            let of_rows: Vec<Handle> = rows.iter().map(|&row| handles[row]).collect();
            let mut ciphertexts = vec![0; plaintexts.len()];
            mopse.encrypt_batch(plaintexts, &of_rows, &mut ciphertexts)?;
            let mut entries: Vec<(i64, u32)> =
                ciphertexts.into_iter().zip(rows.iter().map(|&row| numbers[row])).collect();
            pool::sort(&mut entries);
            let (ciphertexts, records) = entries.into_iter().unzip();
            runs.push(Run { field: field.to_owned(), ciphertexts, records });
        }
        Ok(runs)
    }

    /// Asks what the present epoch holds of the records of some parts that answer [`Keyring::renewal`], as
    /// [`renew`](Self::renew) must know; in as many queries as name all of them.
    ///
    /// # Errors
    ///
    /// Those of opening the records, [`Error::NoIds`] if a part does not say which of its columns holds the
    /// ids.
    pub fn renewed<'a>(
        &self,
        parts: impl IntoIterator<Item = &'a Part>,
        expiry: u64,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let mut handles = Vec::new();
        for part in parts.into_iter().filter(|part| !part.handles.is_empty()) {
            let rows = self.rows_of(part)?;
            if rows.amends.is_some() {
                continue;
            }
            handles.extend(self.handles(ids_of(id_of(&rows)?)?.ids()));
        }
        handles.sort_unstable();
        handles.dedup();
        handles.chunks(MOST_RECORDS).map(|some| self.lookup_present(some, expiry)).collect()
    }

    /// Makes uploads that seal records of earlier epochs anew in the present one and remove the old ones,
    /// for the parts that answer [`Keyring::renewal`].
    ///
    /// Of a record that several epochs hold, because it was added again by somebody who did not look, the
    /// newest row is kept, or the newest removal: rows of earlier epochs are then removed and no more. What
    /// is in the present epoch is told by `present`, the answer to [`renewed`](Self::renewed). Amendments
    /// stay, as their permission is of the epoch that they are in.
    ///
    /// # Errors
    ///
    /// Those of opening the records and of [`upload`](Self::upload), [`Error::NoIds`] if a part does not say
    /// which of its columns holds the ids, [`Error::Column`] if it lacks the column of a field, whose entries
    /// would be lost.
    pub fn renew<'a>(
        &self,
        parts: impl IntoIterator<Item = &'a Part>,
        present: &Versions,
        now: u64,
    ) -> Result<Vec<Made>, Error> {
        let mut parts: Vec<&Part> =
            parts.into_iter().filter(|part| !part.handles.is_empty()).collect();
        parts.sort_by(|one, other| other.provider.cmp(&one.provider));
        let present = present.known.keys().filter(|(place, _)| *place == self.node);
        let mut newer: HashSet<Handle> = present.map(|&(_, handle)| handle).collect();
        let mut made = Vec::new();
        for part in parts {
            self.renew_part(part, &mut newer, now, &mut made)?;
        }
        Ok(made)
    }

    /// The records of a part of this provider.
    pub(super) fn rows_of(&self, part: &Part) -> Result<Rows, Error> {
        let opener = Opener::of_provider(&self.key_of(&part.provider)?, part.readers);
        let rows = opener.open_rows(origin_of(part), &part.handles, &part.portions)?;
        match rows.faults.values().next() {
            Some(error) => Err(error.clone()),
            None => Ok(rows),
        }
    }

    fn renew_part(
        &self,
        part: &Part,
        newer: &mut HashSet<Handle>,
        now: u64,
        made: &mut Vec<Made>,
    ) -> Result<(), Error> {
        let mut rows = self.rows_of(part)?;
        if rows.amends.is_some() {
            return Ok(());
        }
        let all = id_of(&rows)?.clone();
        let opened = ids_of(&all)?;
        let (_, order) = self.order(&part.provider, opened.ids())?;
        if order.iter().any(|(handle, _)| part.handles.binary_search(handle).is_err()) {
            return Err(Error::NoIds);
        }
        let versions = Versions::of([part]);
        let present = self.handles(opened.ids());
        let is_newest: Vec<bool> = present.into_iter().map(|handle| newer.insert(handle)).collect();
        if is_newest.contains(&false) {
            let is_older: Vec<bool> = is_newest.iter().map(|is_newest| !is_newest).collect();
            let mut older = all.clone();
            older.retain(&is_older);
            made.push(self.deletion(ids_of(&older)?.ids(), &versions, now)?);
            rows.columns.iter_mut().for_each(|column| column.retain(&is_newest));
        }
        if !is_newest.contains(&true) {
            return Ok(());
        }
        for (field, _) in self.schema.fields() {
            if rows.columns.iter().all(|column| column.name != *field) {
                let why = "there is none, so that its entries in the index would be lost";
                return Err(Error::Column { column: field.clone(), why });
            }
        }
        let id = id_of(&rows)?;
        let opened = ids_of(id)?;
        let plaintexts = indexed_of(&rows, &self.schema)?;
        let indexed: Vec<Indexed<'_>> = plaintexts
            .iter()
            .map(|(field, rows, plaintexts)| Indexed { field, rows, plaintexts })
            .collect();
        let (ids, id) = (opened.ids(), Some(id.name.as_str()));
        let table = Table { columns: &rows.columns, ids, id, indexed: &indexed, now };
        made.push(self.upload(&table, Change::Update, &versions)?);
        Ok(())
    }

    /// Learns from the notes of all that ever came from this provider how often it used each keyword, and
    /// counts on from there, also where it had counted further; whether that changed anything.
    ///
    /// # Errors
    ///
    /// [`message::Error::Answer`] if they do not answer the request, [`message::Error::OtherOwner`] or
    /// [`message::Error::Scope`] if that is another party's, [`Error::Note`] if one was changed or belongs
    /// elsewhere. Nothing is learnt then.
    pub fn learn_uses(&mut self, notes: &Notes, request: &Request) -> Result<bool, Error> {
        if request.owner != self.owner {
            return Err(message::Error::OtherOwner { what: "the request" }.into());
        }
        let issuer = request.issuer.subject();
        if issuer != self.node {
            return Err(self.out_of_reach(format!("the notes of {issuer}")));
        }
        notes.check(request)?;
        let counts = keywords::Uses::learn(&self.key, notes)?;
        let is_changed = counts != self.counts;
        self.counts = counts;
        Ok(is_changed)
    }
}

/// The column of the ids of records that were opened.
fn id_of(rows: &Rows) -> Result<&Column<'static>, Error> {
    rows.id.and_then(|at| rows.columns.get(at)).ok_or(Error::NoIds)
}

/// Rows in the order of the handles that they had at an earlier place.
struct Earlier {
    place: Node,
    order: Order,
}

impl Changes {
    /// Removes the records that are there at a place, and marks their rows as found.
    fn remove_live(
        &mut self,
        place: &Node,
        order: &Order,
        versions: &Versions,
        is_found: &mut [bool],
    ) {
        let mut rows = Vec::new();
        for &(handle, row) in order {
            if let Some(version) = versions.live(place, handle) {
                is_found[row] = true;
                self.removed_rows.push(u32::try_from(row).unwrap_or(u32::MAX));
                rows.push((handle, version));
            }
        }
        if !rows.is_empty() {
            self.removed.push(Removed { provider: place.clone(), rows });
        }
    }

    /// Puts the places in order, with the rows that belong to them.
    fn sort(&mut self) {
        let mut rows = std::mem::take(&mut self.removed_rows).into_iter();
        let of_place = std::mem::take(&mut self.removed).into_iter().map(|removed| {
            let rows: Vec<u32> = rows.by_ref().take(removed.rows.len()).collect();
            (removed, rows)
        });
        let mut sorted: Vec<_> = of_place.collect();
        sorted.sort_by(|(a, _), (b, _)| a.provider.cmp(&b.provider));
        for (removed, rows) in sorted {
            self.removed.push(removed);
            self.removed_rows.extend(rows);
        }
    }
}

/// What an upload is about: two with other contents have other numbers, also if they must repeat.
fn contents(order: &Order, changes: &Changes) -> Vec<u8> {
    let mut digest = Sha256::new();
    order.iter().for_each(|(handle, _)| digest.update(handle.to_le_bytes()));
    changes.replaced.iter().for_each(|replaced| digest.update(replaced.version.0.to_le_bytes()));
    for (handle, version) in changes.removed.iter().flat_map(|removed| &removed.rows) {
        digest.update(handle.to_le_bytes());
        digest.update(version.0.to_le_bytes());
    }
    digest.finalize().to_vec()
}

/// Columns, and where in the table each one stands.
type Placed<'a> = Vec<(u32, &'a Column<'a>)>;

/// The columns of each portion of a table that has some; of [`REST`] also if there is no other.
fn portions<'a>(
    columns: &'a [Column<'a>],
    declared: &'a [(String, Vec<String>)],
) -> Vec<(&'a str, Placed<'a>)> {
    let placed = || (0..).zip(columns);
    let mut portions = Vec::new();
    for (name, of) in declared {
        let columns: Placed<'_> =
            placed().filter(|(_, column)| of.contains(&column.name)).collect();
        if !columns.is_empty() {
            portions.push((name.as_str(), columns));
        }
    }
    let is_in_none = |(_, column): &(u32, &Column<'_>)| {
        declared.iter().all(|(_, of)| !of.contains(&column.name))
    };
    let rest: Placed<'_> = placed().filter(is_in_none).collect();
    if !rest.is_empty() || portions.is_empty() {
        portions.push((REST, rest));
    }
    portions
}

/// Portions that somebody declares, with their names in their one spelling, which is that of
/// [`name`](text::name).
///
/// # Errors
///
/// [`Error::Portion`] names the first that cannot be called so, or that looks like another one before it,
/// or like what is kept.
pub fn spell_names(
    portions: Vec<(String, Vec<String>)>,
) -> Result<Vec<(String, Vec<String>)>, Error> {
    let refuse = |name: &str, why| Error::Portion { name: name.escape_default().to_string(), why };
    let spell = |(name, columns): (String, Vec<String>)| match text::name(&name) {
        Ok(spelt) => Ok((spelt, columns)),
        Err(why) => Err(refuse(&name, why)),
    };
    let spelt: Vec<_> = portions.into_iter().map(spell).collect::<Result<_, _>>()?;
    check_names(&spelt)?;
    let mut looks: Vec<Look> = [REST, FILES].map(Look::of).into();
    for (name, _) in &spelt {
        let look = Look::of(name);
        if looks.iter().any(|other| other.is_like(&look)) {
            return Err(refuse(name, "it looks like another one, or like \"rest\" or \"files\""));
        }
        looks.push(look);
    }
    Ok(spelt)
}

/// Checks that portions can have their names.
///
/// # Errors
///
/// [`Error::Portion`] names the first that cannot.
pub fn check_names(portions: &[(String, Vec<String>)]) -> Result<(), Error> {
    let refuse =
        |name: &str, why| Err(Error::Portion { name: name.escape_default().to_string(), why });
    for (at, (name, _)) in portions.iter().enumerate() {
        if name.is_empty() || name.len() > LONGEST_NAME {
            return refuse(name, "a name has 1 to 255 bytes");
        }
        if [REST, FILES].contains(&name.as_str()) {
            return refuse(name, "the name is kept for what is in no portion, or for files");
        }
        if portions[..at].iter().any(|(other, _)| other == name) {
            return refuse(name, "there are two of this name");
        }
        if at + 2 == MOST_PORTIONS {
            return refuse(name, "there are at most 62 portions besides the rest and files");
        }
    }
    Ok(())
}
