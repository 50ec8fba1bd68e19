//! What is held of one group: rows in the order they came, and the indexes that find them.

mod seals;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(in crate::cloud) use self::seals::{Found, Removing};
use self::seals::{Stated, Sums};
use crate::cloud::Error;
use crate::cloud::chunks::Chunks;
use crate::cloud::index::{Index, Level, Marks, Work};
use crate::cloud::proofs::GoneRow;
use crate::cloud::store::Merged;
use crate::message::answer::Part;
use crate::message::place::{Epoch, Node};
use crate::message::query::{Predicate, Selection, Token};
use crate::message::seal::Sealed;
use crate::message::upload::{Portion, Removed, Upload, digest_of_row};
use crate::wire::length;

/// Up to so many rows are merged or forgotten at once, in the call that made it necessary.
const SMALL: usize = 1024;

/// What chores are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChoreOf {
    /// The index of the group.
    Group,
    /// The index of a provider.
    Provider(usize),
    /// The records of an upload.
    Upload(usize),
}

/// What came of a chore.
#[derive(Debug)]
pub(super) enum Done {
    Levels(Work, Level),
    Upload { was: Arc<Kept>, rest: Kept, dead: usize },
}

/// The rows of a group.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    /// The entries of all.
    index: Index,
    /// What came, by its first row.
    entries: Chunks<Entry>,
    dead: Marks,
    /// How many rows ever came.
    rows: u64,
    names: Arc<BTreeMap<String, usize>>,
    providers: Chunks<Arc<Own>>,
    /// Entries that brought records. The last is there.
    uploads: Chunks<usize>,
    /// The tables of all providers, added up.
    sums: Sums,
}

/// What is a provider's own.
#[derive(Debug, Clone)]
struct Own {
    node: Arc<Node>,
    /// Its entries and handles.
    index: Index,
    /// Entries that brought records. The last is there.
    uploads: Chunks<usize>,
    /// Entries that are tombstones.
    removals: Chunks<usize>,
    /// Its last seal.
    stated: Option<Stated>,
    /// The one that it had when all was removed: the next one follows it.
    before: Option<Arc<Sealed>>,
    /// Rows of that which are gone.
    gone: Chunks<Arc<GoneRow>>,
}

#[derive(Debug, Clone)]
struct Entry {
    first: u64,
    /// What of it is there.
    kept: Option<Arc<Kept>>,
    /// How many rows of that are dead.
    dead: usize,
}

/// Rows that came together.
#[derive(Debug)]
pub(super) struct Kept {
    pub provider: Arc<Node>,
    /// The number of the upload.
    pub id: u128,
    /// Whether it left tombstones.
    pub is_removal: bool,
    own: usize,
    readers: Epoch,
    handles: Arc<Vec<u128>>,
    portions: Arc<Vec<Portion>>,
    /// Which of its rows are there, counted from the first; none if all are.
    rows: Option<Vec<u32>>,
}

impl Kept {
    /// Where a row stands, counted from the first that came.
    fn position(&self, row: u64) -> Option<usize> {
        match &self.rows {
            None => Some(length(row)),
            Some(rows) => rows.binary_search(&u32::try_from(row).ok()?).ok(),
        }
    }

    fn row(&self, at: usize) -> u64 {
        self.rows.as_ref().map_or(at as u64, |rows| rows[at].into())
    }

    pub(super) fn digest(&self, at: usize) -> [u8; 32] {
        digest_of_row(&self.portions, at)
    }

    /// How many bytes all of the records have, sealed.
    fn size(&self) -> usize {
        self.portions.iter().map(|portion| portion.records.size()).sum()
    }

    /// How many bytes a record has, with its handle.
    pub(super) fn size_of_row(&self, at: usize) -> usize {
        16 + self.portions.iter().map(|portion| 8 + portion.records.get(at).len()).sum::<usize>()
    }

    /// How many bytes some of the records have.
    fn size_of(&self, rows: impl Iterator<Item = usize>) -> usize {
        let of = |row| self.portions.iter().map(move |portion| portion.records.get(row).len());
        rows.flat_map(of).sum()
    }

    /// The part of an answer that some of the records are.
    pub(super) fn part(&self, nothing: Part, rows: &[usize]) -> Part {
        Part {
            provider: Node::clone(&self.provider),
            upload: self.id,
            readers: self.readers,
            handles: rows.iter().map(|&row| self.handles[row]).collect(),
            portions: self.portions.iter().map(|portion| portion.of_rows(rows)).collect(),
            ..nothing
        }
    }

    /// What is left without the dead rows.
    fn without(&self, first: u64, dead: &Marks) -> Self {
        let is_live = |&at: &usize| !dead.has(first + self.row(at));
        let live: Vec<usize> = (0..self.handles.len()).filter(is_live).collect();
        let portions = self.portions.iter().map(|portion| portion.of_rows(&live));
        // Whoever sends 2^32 rows is refused.
        let rows = live.iter().map(|&at| u32::try_from(self.row(at)).unwrap_or(u32::MAX));
        Self {
            provider: Arc::clone(&self.provider),
            handles: Arc::new(live.iter().map(|&at| self.handles[at]).collect()),
            portions: Arc::new(portions.collect()),
            rows: Some(rows.collect()),
            ..*self
        }
    }
}

impl Entry {
    /// Whether enough of it is dead to forget that.
    fn is_decayed(&self) -> bool {
        let rows = self.kept.as_ref().map_or(0, |kept| kept.handles.len());
        self.dead > 0 && 4 * self.dead >= rows && rows > 0
    }
}

/// Handles of removed records, and the upload that removed each.
type Tombstones = Vec<(u128, u128)>;

impl Held {
    /// Adds the rows of an upload; says which part of the chores is its provider's.
    pub(super) fn add(&mut self, upload: &Upload) -> Result<ChoreOf, Error> {
        let own = self.own(&upload.provider);
        let Upload { id, readers, handles, portions, runs, .. } = upload;
        let rows = u32::try_from(handles.len()).unwrap_or(u32::MAX);
        let level = Level::new(self.rows, rows, Arc::clone(handles), Arc::clone(runs))?;
        let level = Arc::new(level);
        self.index.push(Arc::clone(&level));
        let entry = self.push(own, level, |provider| Kept {
            provider,
            id: *id,
            is_removal: false,
            own,
            readers: *readers,
            handles: Arc::clone(handles),
            portions: Arc::clone(portions),
            rows: None,
        });
        self.uploads.push(entry);
        if let Some(own) = self.providers.get_mut(own) {
            Arc::make_mut(own).uploads.push(entry);
        }
        Ok(ChoreOf::Provider(own))
    }

    /// Adds the tombstones of rows that an upload removes.
    pub(super) fn bury(&mut self, removed: &Removed, upload: &Upload) -> Result<ChoreOf, Error> {
        let own = self.own(&removed.provider);
        let handles: Vec<u128> = removed.rows.iter().map(|(handle, _)| *handle).collect();
        let handles = Arc::new(handles);
        let rows = u32::try_from(handles.len()).unwrap_or(u32::MAX);
        let level = Level::new(self.rows, rows, Arc::clone(&handles), Arc::default())?;
        let entry = self.push(own, Arc::new(level), |provider| Kept {
            provider,
            id: upload.id,
            is_removal: true,
            own,
            readers: upload.readers,
            handles,
            portions: Arc::default(),
            rows: None,
        });
        if let Some(own) = self.providers.get_mut(own) {
            Arc::make_mut(own).removals.push(entry);
        }
        Ok(ChoreOf::Provider(own))
    }

    /// The number of a provider, which it is given if it has none.
    fn own(&mut self, node: &Node) -> usize {
        let name = node.names().last().map_or("", String::as_str);
        if let Some(&own) = self.names.get(name) {
            return own;
        }
        let own = self.providers.len();
        Arc::make_mut(&mut self.names).insert(name.to_owned(), own);
        self.providers.push(Arc::new(Own {
            node: Arc::new(node.clone()),
            index: Index::with_handles(),
            uploads: Chunks::default(),
            removals: Chunks::default(),
            stated: None,
            before: None,
            gone: Chunks::default(),
        }));
        own
    }

    fn push(
        &mut self,
        own: usize,
        level: Arc<Level>,
        kept: impl FnOnce(Arc<Node>) -> Kept,
    ) -> usize {
        let first = std::mem::replace(&mut self.rows, level.end());
        if let Some(own) = self.providers.get_mut(own) {
            let own = Arc::make_mut(own);
            own.index.push(level);
            let kept = Some(Arc::new(kept(Arc::clone(&own.node))));
            self.entries.push(Entry { first, kept, dead: 0 });
        }
        self.entries.len() - 1
    }

    /// Marks rows as dead, which an upload removes; says which parts may have chores now.
    pub(super) fn kill(&mut self, rows: &[u64], by: &mut Removing<'_>) -> BTreeSet<ChoreOf> {
        let mut parts = BTreeSet::new();
        let mut touched = BTreeSet::new();
        for &row in rows {
            let Some(at) = self.entry_of(row) else { continue };
            if self.dead.has(row) {
                continue;
            }
            self.note_gone(row, by);
            self.dead.mark(row);
            let Some(entry) = self.entries.get_mut(at) else { continue };
            entry.dead += 1;
            let Some(kept) = &entry.kept else { continue };
            let (own, is_removal) = (kept.own, kept.is_removal);
            if entry.dead == kept.handles.len() {
                entry.kept = None;
                touched.insert(own);
            }
            if !is_removal {
                self.index.kill(row);
                parts.insert(ChoreOf::Group);
            }
            if let Some(own) = self.providers.get_mut(own) {
                Arc::make_mut(own).index.kill(row);
            }
            parts.extend([ChoreOf::Provider(own), ChoreOf::Upload(at)]);
        }
        self.trim(touched);
        parts
    }

    /// Forgets entries at the end that are gone, so that the newest is found at once.
    fn trim(&mut self, owns: impl IntoIterator<Item = usize>) {
        let is_gone = |at: &usize| self.entries.get(*at).is_none_or(|entry| entry.kept.is_none());
        while self.uploads.last().is_some_and(is_gone) {
            self.uploads.pop();
        }
        for own in owns {
            let Some(own) = self.providers.get_mut(own).map(Arc::make_mut) else { continue };
            for list in [&mut own.uploads, &mut own.removals] {
                while list.last().is_some_and(is_gone) {
                    list.pop();
                }
            }
        }
    }

    /// Removes all that a provider sent, as somebody above it has signed or not; says how many records these
    /// were, and which parts may have chores now.
    pub(super) fn remove(&mut self, name: &str, is_signed: bool) -> (usize, BTreeSet<ChoreOf>) {
        let Some(&number) = self.names.get(name) else { return (0, BTreeSet::new()) };
        let Some(own) = self.providers.get(number).map(Arc::clone) else {
            return (0, BTreeSet::new());
        };
        let mut records = 0;
        for &at in own.uploads.iter().chain(own.removals.iter()) {
            let Some(entry) = self.entries.get_mut(at) else { continue };
            let Some(kept) = entry.kept.take() else { continue };
            for row in (0..kept.handles.len()).map(|at| entry.first + kept.row(at)) {
                if self.dead.mark(row) && !kept.is_removal {
                    self.index.kill(row);
                    records += 1;
                }
            }
        }
        if let Some(own) = self.providers.get_mut(number) {
            let own = Arc::make_mut(own);
            own.index = Index::with_handles();
            (own.uploads, own.removals) = (Chunks::default(), Chunks::default());
        }
        if let Some(sealed) = self.unseal(number).filter(|_| is_signed)
            && let Some(own) = self.providers.get_mut(number)
        {
            Arc::make_mut(own).before = Some(sealed);
        }
        self.trim([]);
        (records, [ChoreOf::Group, ChoreOf::Provider(number)].into())
    }

    /// The names of all providers that ever sent something.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Where the entry is that brought a row.
    fn entry_of(&self, row: u64) -> Option<usize> {
        self.entries.partition_point(|entry| entry.first <= row).checked_sub(1)
    }

    /// What brought a row, and where it stands in that.
    pub(super) fn kept(&self, row: u64) -> Option<(&Arc<Kept>, usize)> {
        let entry = self.entries.get(self.entry_of(row)?)?;
        let kept = entry.kept.as_ref()?;
        Some((kept, kept.position(row - entry.first)?))
    }

    /// The live row of each of ascending handles of a provider: a record or a tombstone.
    pub(super) fn find(&self, provider: &Node, handles: &[u128]) -> Vec<Option<u64>> {
        let own = provider.names().last().and_then(|name| self.of(name));
        own.map_or_else(|| vec![None; handles.len()], |own| own.index.find(handles, &self.dead))
    }

    fn of(&self, name: &str) -> Option<&Own> {
        self.providers.get(*self.names.get(name)?).map(|own| &**own)
    }

    /// The index that answers a token, and the one of a provider if it is limited to that.
    fn index(&self, own: Option<&str>) -> Option<&Index> {
        match own {
            None => Some(&self.index),
            Some(name) => self.of(name).map(|own| &own.index),
        }
    }

    pub(super) fn count(&self, own: Option<&str>, predicates: &[Predicate]) -> usize {
        self.index(own).map_or(0, |index| index.count(predicates, &self.dead))
    }

    /// The rows that a token asks for, ascending; and of a token for records which of these were removed,
    /// by provider.
    pub(super) fn rows(&self, token: &Token) -> (Vec<u64>, Vec<(Node, Tombstones)>) {
        let none = Vec::new;
        match &token.selection {
            Selection::Ranges(predicates) => {
                let index = self.index(token.own());
                (index.map_or_else(none, |index| index.search(predicates, &self.dead)), Vec::new())
            }
            Selection::Records(handles) => {
                let (mut rows, mut removed) = (Vec::new(), Vec::new());
                for own in self.reached(token) {
                    let mut tombstones = Vec::new();
                    let live = own.index.find(handles, &self.dead);
                    for (&handle, row) in handles.iter().zip(live) {
                        let Some(row) = row else { continue };
                        match self.kept(row) {
                            Some((kept, _)) if kept.is_removal => {
                                tombstones.push((handle, kept.id));
                            }
                            _ => rows.push(row),
                        }
                    }
                    if !tombstones.is_empty() {
                        removed.push((Node::clone(&own.node), tombstones));
                    }
                }
                rows.sort_unstable();
                (rows, removed)
            }
            Selection::All => {
                let of_entry = |&at: &usize| {
                    let entry = self.entries.get(at)?;
                    let kept = entry.kept.as_ref()?;
                    Some((0..kept.handles.len()).map(|at| entry.first + kept.row(at)))
                };
                let of_own =
                    |own: &Own| own.uploads.iter().filter_map(of_entry).flatten().collect();
                let mut rows: Vec<u64> = match token.own() {
                    None => self.uploads.iter().filter_map(of_entry).flatten().collect(),
                    Some(name) => self.of(name).map_or_else(none, of_own),
                };
                rows.retain(|&row| !self.dead.has(row));
                (rows, Vec::new())
            }
        }
    }

    /// The providers that a token reaches, by name.
    fn reached(&self, token: &Token) -> Vec<&Own> {
        match token.own() {
            Some(name) => self.of(name).into_iter().collect(),
            None => self.names().filter_map(|name| self.of(name)).collect(),
        }
    }

    /// Rows, ascending, by the upload that brought them.
    pub(super) fn by_upload(&self, rows: &[u64]) -> Vec<(&Arc<Kept>, Vec<usize>)> {
        let mut found = Vec::new();
        let mut rest = rows;
        while let Some(&row) = rest.first() {
            let Some(at) = self.entry_of(row) else { break };
            let end = self.entries.get(at + 1).map_or(self.rows, |next| next.first);
            let (here, after) = rest.split_at(rest.partition_point(|&row| row < end));
            rest = after;
            if let Some(Entry { first, kept: Some(kept), .. }) = self.entries.get(at) {
                let rows = here.iter().filter_map(|&row| kept.position(row - first));
                found.push((kept, rows.collect()));
            }
        }
        found
    }

    /// What brought the newest records, of a provider if it is named.
    pub(super) fn newest(&self, own: Option<&str>) -> Option<&Arc<Kept>> {
        let uploads = match own {
            None => &self.uploads,
            Some(name) => &self.of(name)?.uploads,
        };
        self.entries.get(*uploads.last()?)?.kept.as_ref()
    }

    /// The uploads whose records are there: how many are, and how many bytes they have, sealed.
    pub(super) fn live(&self) -> impl Iterator<Item = (&Arc<Kept>, usize, usize)> {
        self.entries.iter().filter_map(|entry| {
            let kept = entry.kept.as_ref().filter(|kept| !kept.is_removal)?;
            let size = match entry.dead {
                0 => kept.size(),
                _ => kept.size_of(self.live_rows(entry, kept)),
            };
            Some((kept, kept.handles.len() - entry.dead, size))
        })
    }

    /// Where the live rows stand in what brought them.
    fn live_rows(&self, entry: &Entry, kept: &Kept) -> impl Iterator<Item = usize> {
        let is_live = |&at: &usize| entry.dead == 0 || !self.dead.has(entry.first + kept.row(at));
        (0..kept.handles.len()).filter(is_live)
    }

    pub(super) fn entries(&self) -> usize {
        self.index.entries(&self.dead)
    }

    /// The entries of a field in order, their records counted through those that are alive.
    pub(super) fn merged(&self, field: &str) -> Result<Merged, Error> {
        let mut live: Vec<u64> = Vec::new();
        for entry in self.entries.iter() {
            let Some(kept) = entry.kept.as_ref().filter(|kept| !kept.is_removal) else { continue };
            live.extend(self.live_rows(entry, kept).map(|at| entry.first + kept.row(at)));
        }
        let got = live.len() as u64;
        let Ok(count) = u32::try_from(got) else { return Err(Error::Records { got }) };
        let mut numbers = vec![0_u32; length(self.rows)];
        live.iter().zip(0..count).for_each(|(&row, number)| numbers[length(row)] = number);
        let (ciphertexts, rows) = self.index.merged(field, &self.dead);
        let records = rows.into_iter().map(|row| numbers[length(row)]).collect();
        Ok(Merged { ciphertexts, records })
    }

    fn index_of(&mut self, part: ChoreOf) -> Option<&mut Index> {
        match part {
            ChoreOf::Group => Some(&mut self.index),
            ChoreOf::Provider(own) => {
                self.providers.get_mut(own).map(|own| &mut Arc::make_mut(own).index)
            }
            ChoreOf::Upload(_) => None,
        }
    }

    /// Does the chores of a part that are small, from a level on; returns whether others are left.
    pub(super) fn tidy(&mut self, part: ChoreOf, from: usize) -> bool {
        if let ChoreOf::Upload(at) = part {
            let Some(entry) = self.entries.get(at).filter(|entry| entry.is_decayed()) else {
                return false;
            };
            let rows = entry.kept.as_ref().map_or(0, |kept| kept.handles.len());
            if rows > SMALL {
                return true;
            }
            if let Some(done) = self.done(part, None, false) {
                self.put(part, done);
            }
            return false;
        }
        let dead = self.dead.clone();
        let Some(index) = self.index_of(part) else { return false };
        index.settle(&dead, from, SMALL, false);
        index.overdue(0, usize::MAX).is_some()
    }

    /// Levels of a part that should become one.
    pub(super) fn overdue(&self, part: ChoreOf) -> Option<Work> {
        match part {
            ChoreOf::Group => self.index.overdue(0, usize::MAX),
            ChoreOf::Provider(own) => self.providers.get(own)?.index.overdue(0, usize::MAX),
            ChoreOf::Upload(_) => None,
        }
    }

    /// How many levels an index has.
    pub(super) fn levels(&self, part: ChoreOf) -> usize {
        match part {
            ChoreOf::Group => self.index.levels(),
            ChoreOf::Provider(own) => self.providers.get(own).map_or(0, |own| own.index.levels()),
            ChoreOf::Upload(_) => 0,
        }
    }

    /// Does a chore, in a state that does not change.
    pub(super) fn done(&self, part: ChoreOf, work: Option<Work>, with_all: bool) -> Option<Done> {
        if let ChoreOf::Upload(at) = part {
            let entry = self.entries.get(at).filter(|entry| entry.is_decayed())?;
            let was = Arc::clone(entry.kept.as_ref()?);
            let rest = was.without(entry.first, &self.dead);
            return Some(Done::Upload { was, rest, dead: entry.dead });
        }
        let work = work?;
        let level = work.done(&self.dead, with_all);
        Some(Done::Levels(work, level))
    }

    /// Puts in place what came of a chore, if what it was about is still there.
    pub(super) fn put(&mut self, part: ChoreOf, done: Done) {
        match (part, done) {
            (ChoreOf::Upload(at), Done::Upload { was, rest, dead }) => {
                let Some(entry) = self.entries.get_mut(at) else { return };
                if entry.kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, &was)) {
                    entry.dead -= dead;
                    entry.kept = Some(Arc::new(rest));
                }
            }
            (_, Done::Levels(work, level)) => {
                if let Some(index) = self.index_of(part) {
                    index.replace(&work, level);
                }
            }
            _ => {}
        }
    }
}
