//! Records in memory: every group's index and sealed records, each owner's apart.
//!
//! A row is found by its handle in the uploads of its provider and epoch, newest first. A row that is
//! replaced or removed stays where it is, marked as dead, until a quarter of its group is; a removed one
//! leaves a tombstone. The numbers of all uploads are kept for ever, so that none is taken again.
//!
//! # Leakage
//!
//! That of uploads and of the index; and, over time, which providers upload when.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Error;
use super::index::{Hit, Index};
use super::store::{Content, Merged, Receipt};
use crate::message;
use crate::message::answer::Part;
use crate::message::certificate::Owner;
use crate::message::place::{Epoch, Group, Node};
use crate::message::query::{Query, Scope, Selection, Token};
use crate::message::removal::Removal;
use crate::message::upload::{Portion, Replaced, Run, Upload, Version, digest_of_row};
use crate::wire::{Blobs, length};

/// Sealed records and their indexes, in memory.
#[derive(Debug, Default)]
pub struct Records {
    groups: BTreeMap<(Owner, Group), Held>,
    tombstones: BTreeMap<(Owner, Node), HashMap<u128, u128>>,
    /// Every message that ever changed something: its digest, and whether what it brought is gone.
    taken: HashMap<(Owner, u128), Taken>,
    /// How often the records of each owner were changed.
    changes: HashMap<Owner, u64>,
}

#[derive(Debug)]
struct Taken {
    digest: [u8; 32],
    /// Of whom; its path.
    provider: String,
    receipt: Receipt,
    is_gone: bool,
}

#[derive(Debug, Default)]
struct Held {
    index: Index,
    uploads: Vec<Kept>,
    /// Rows that are dead, of all uploads.
    dead: usize,
}

/// What is kept of an upload besides its runs, which the index has too.
#[derive(Debug)]
struct Kept {
    provider: Node,
    id: u128,
    readers: Epoch,
    handles: Arc<Vec<u128>>,
    portions: Arc<Vec<Portion>>,
    runs: Arc<Vec<Run>>,
    dead: Dead,
}

/// Which rows of an upload are replaced or removed.
#[derive(Debug, Default)]
struct Dead {
    marks: Vec<u64>,
    count: usize,
}

impl Dead {
    fn has(&self, row: usize) -> bool {
        self.marks.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    fn mark(&mut self, row: usize, rows: usize) {
        self.marks.resize(rows.div_ceil(64), 0);
        self.marks[row / 64] |= 1 << (row % 64);
        self.count += 1;
    }
}

impl Kept {
    fn live(&self) -> usize {
        self.handles.len() - self.dead.count
    }

    fn find(&self, handle: u128) -> Option<usize> {
        self.handles.binary_search(&handle).ok().filter(|&row| !self.dead.has(row))
    }

    fn version(&self, row: usize) -> Version {
        Version::new(self.id, self.handles[row], &digest_of_row(&self.portions, row))
    }

    /// The part that some of its rows are.
    fn part(&self, token: &Token, owner: Owner, snapshot: u64, rows: &[usize]) -> Part {
        let portion = |portion: &Portion| {
            let mut records = Blobs::default();
            rows.iter().for_each(|&row| records.push(portion.records.get(row)));
            Portion { name: portion.name.clone(), layout: portion.layout.clone(), records }
        };
        Part {
            provider: self.provider.clone(),
            upload: self.id,
            readers: self.readers,
            handles: rows.iter().map(|&row| self.handles[row]).collect(),
            portions: self.portions.iter().map(portion).collect(),
            ..Part::nothing(owner, token.id, snapshot)
        }
    }
}

impl Held {
    /// Where a row is live: which upload, and which of its rows.
    fn find(&self, provider: &Node, handle: u128) -> Option<(usize, usize)> {
        let uploads = self.uploads.iter().enumerate().rev();
        let mut found = uploads
            .filter(|(_, kept)| kept.provider == *provider)
            .filter_map(|(at, kept)| Some((at, kept.find(handle)?)));
        found.next()
    }

    fn kill(&mut self, (upload, row): (usize, usize)) {
        let kept = &mut self.uploads[upload];
        kept.dead.mark(row, kept.handles.len());
        self.dead += 1;
    }

    /// Forgets dead rows, once they are a quarter of all.
    fn sweep(&mut self) -> Result<(), Error> {
        let rows: usize = self.uploads.iter().map(|kept| kept.handles.len()).sum();
        if 4 * self.dead < rows || self.dead == 0 { Ok(()) } else { self.compact() }
    }

    /// Forgets dead rows.
    fn compact(&mut self) -> Result<(), Error> {
        if self.dead == 0 {
            return Ok(());
        }
        let mut index = Index::default();
        let mut uploads = Vec::new();
        for mut kept in std::mem::take(&mut self.uploads) {
            if kept.live() == 0 {
                continue;
            }
            if kept.dead.count > 0 {
                kept.compact();
            }
            let rows = u32::try_from(kept.handles.len()).unwrap_or(u32::MAX);
            index.add(&kept.provider.path(), rows, Arc::clone(&kept.runs))?;
            uploads.push(kept);
        }
        (self.index, self.uploads, self.dead) = (index, uploads, 0);
        Ok(())
    }

    /// The rows that a token asks for, by upload.
    fn rows(&mut self, token: &Token) -> Result<Vec<(usize, Vec<usize>)>, Error> {
        let path = own(token);
        let reached = |kept: &Kept| token.reaches(&kept.provider);
        match &token.selection {
            Selection::Ranges(predicates) => {
                let hits = self.index.search(predicates, path.as_deref())?;
                let by_upload = hits.chunk_by(|a, b| a.upload == b.upload);
                let rows = |hits: &[Hit]| {
                    let kept = &self.uploads[hits[0].upload];
                    let rows = hits.iter().map(|hit| length(hit.record.into()));
                    (hits[0].upload, rows.filter(|&row| !kept.dead.has(row)).collect())
                };
                Ok(by_upload.map(rows).filter(|(_, rows): &(_, Vec<_>)| !rows.is_empty()).collect())
            }
            Selection::Records(handles) => {
                let uploads = self.uploads.iter().enumerate().filter(|(_, kept)| reached(kept));
                let rows = |(at, kept): (usize, &Kept)| {
                    (at, handles.iter().filter_map(|&handle| kept.find(handle)).collect())
                };
                Ok(uploads.map(rows).filter(|(_, rows): &(_, Vec<_>)| !rows.is_empty()).collect())
            }
            Selection::All => {
                let uploads = self.uploads.iter().enumerate().filter(|(_, kept)| reached(kept));
                let rows = |(at, kept): (usize, &Kept)| {
                    (at, (0..kept.handles.len()).filter(|&row| !kept.dead.has(row)).collect())
                };
                Ok(uploads.map(rows).filter(|(_, rows): &(_, Vec<_>)| !rows.is_empty()).collect())
            }
        }
    }
}

impl Kept {
    /// Forgets dead rows.
    fn compact(&mut self) {
        let live: Vec<usize> = (0..self.handles.len()).filter(|&row| !self.dead.has(row)).collect();
        let mut number = vec![None; self.handles.len()];
        for (new, &row) in (0_u32..).zip(&live) {
            number[row] = Some(new);
        }
        let portion = |portion: &Portion| {
            let mut records = Blobs::default();
            live.iter().for_each(|&row| records.push(portion.records.get(row)));
            Portion { name: portion.name.clone(), layout: portion.layout.clone(), records }
        };
        let run = |run: &Run| {
            let entries = run.ciphertexts.iter().zip(&run.records);
            let live = entries.filter_map(|(&ciphertext, &record)| {
                Some((ciphertext, number[length(record.into())]?))
            });
            let (ciphertexts, records) = live.unzip();
            Run { field: run.field.clone(), ciphertexts, records }
        };
        self.portions = Arc::new(self.portions.iter().map(portion).collect());
        self.runs = Arc::new(self.runs.iter().map(run).collect());
        self.handles = Arc::new(live.iter().map(|&row| self.handles[row]).collect());
        self.dead = Dead::default();
    }
}

/// What an upload does to rows that are there.
struct Plan {
    /// Rows of this place, by upload and row, that are replaced or removed.
    dead: Vec<(Group, (usize, usize))>,
    added: usize,
    replaced: usize,
    removed: usize,
}

impl Records {
    /// Carries out an upload that was verified.
    ///
    /// # Errors
    ///
    /// Those of [`Store::add`](super::store::Store::add), [`Error::Records`] if the group would have 2^32
    /// records, [`message::Error::Scope`] if it is of no provider. Nothing changes then.
    pub fn add(&mut self, upload: Upload) -> Result<Receipt, Error> {
        let path = upload.provider.path();
        if let Some(receipt) = self.repeated(upload.owner, upload.id, &upload.digest, &path)? {
            return Ok(receipt);
        }
        let Some(group) = Group::of(&upload.provider) else {
            let what = "send uploads".to_owned();
            return Err(message::Error::Scope { who: upload.provider.to_string(), what }.into());
        };
        let plan = self.plan(&upload)?;
        let owner = upload.owner;
        let rows = u32::try_from(upload.handles.len()).unwrap_or(u32::MAX);
        if rows > 0 {
            let held = self.groups.entry((owner, group)).or_default();
            held.index.add(&path, rows, Arc::clone(&upload.runs))?;
            held.uploads.push(Kept {
                provider: upload.provider.clone(),
                id: upload.id,
                readers: upload.readers,
                handles: Arc::clone(&upload.handles),
                portions: Arc::clone(&upload.portions),
                runs: Arc::clone(&upload.runs),
                dead: Dead::default(),
            });
        }
        for (group, row) in &plan.dead {
            if let Some(held) = self.groups.get_mut(&(owner, group.clone())) {
                held.kill(*row);
            }
        }
        if !upload.replaced.is_empty()
            && let Some(tombstones) = self.tombstones.get_mut(&(owner, upload.provider.clone()))
        {
            for replaced in upload.replaced.iter() {
                tombstones.remove(&upload.handles[length(replaced.row.into())]);
            }
        }
        for removed in upload.removed.iter() {
            let place = (owner, removed.provider.clone());
            let tombstones = self.tombstones.entry(place).or_default();
            tombstones.extend(removed.rows.iter().map(|&(handle, _)| (handle, upload.id)));
        }
        let Plan { dead, added, replaced, removed } = plan;
        let changed: BTreeSet<Group> = dead.into_iter().map(|(group, _)| group).collect();
        for group in changed {
            if let Some(held) = self.groups.get_mut(&(owner, group)) {
                held.sweep()?;
            }
        }
        let receipt = Receipt {
            provider: path.clone(),
            added,
            replaced,
            removed,
            files: 0,
            is_repeated: false,
        };
        self.take(owner, upload.id, upload.digest, path, &receipt);
        Ok(receipt)
    }

    /// The receipt of a message that was carried out before.
    fn repeated(
        &self,
        owner: Owner,
        id: u128,
        digest: &[u8; 32],
        path: &str,
    ) -> Result<Option<Receipt>, Error> {
        let provider = || path.to_owned();
        match self.taken.get(&(owner, id)) {
            None => Ok(None),
            Some(taken) if taken.digest != *digest => Err(Error::Id { provider: provider() }),
            Some(taken) if taken.is_gone => Err(Error::Replay { provider: provider() }),
            Some(taken) => Ok(Some(Receipt { is_repeated: true, ..taken.receipt.clone() })),
        }
    }

    fn take(&mut self, owner: Owner, id: u128, digest: [u8; 32], provider: String, did: &Receipt) {
        *self.changes.entry(owner).or_default() += 1;
        let taken = Taken { digest, provider, receipt: did.clone(), is_gone: false };
        self.taken.insert((owner, id), taken);
    }

    /// What an upload would do; checks that each of its rows names the version that is live.
    fn plan(&self, upload: &Upload) -> Result<Plan, Error> {
        let provider = || upload.provider.path();
        let mut plan = Plan { dead: Vec::new(), added: 0, replaced: 0, removed: 0 };
        let mut replaced = upload.replaced.iter().copied().peekable();
        let group = Group::of(&upload.provider);
        let held = group.as_ref().and_then(|of| self.groups.get(&(upload.owner, of.clone())));
        let is_known = held
            .is_some_and(|held| held.uploads.iter().any(|kept| kept.provider == upload.provider));
        let tombstones = self.tombstones.get(&(upload.owner, upload.provider.clone()));
        for (position, &handle) in upload.handles.iter().enumerate() {
            let named = replaced
                .next_if(|replaced| length(replaced.row.into()) == position)
                .map(|Replaced { version, .. }| version);
            let live = match held {
                Some(held) if is_known => held.find(&upload.provider, handle).map(|at| (held, at)),
                _ => None,
            };
            if let Some((held, at)) = live {
                match named {
                    None => return Err(Error::Stored { provider: provider(), position }),
                    Some(named) if named != held.uploads[at.0].version(at.1) => {
                        return Err(Error::Changed { provider: provider(), position });
                    }
                    Some(_) => plan.replaced += 1,
                }
                plan.dead.extend(group.clone().map(|group| (group, at)));
                continue;
            }
            let tombstone = tombstones.and_then(|tombstones| tombstones.get(&handle));
            match (named, tombstone) {
                (None, None) => {}
                (Some(named), Some(&by)) if named == Version::of_tombstone(by, handle) => {}
                (Some(_), None) => return Err(Error::NotStored { provider: provider(), position }),
                _ => return Err(Error::Changed { provider: provider(), position }),
            }
            plan.added += 1;
        }
        self.plan_removed(upload, &mut plan)?;
        Ok(plan)
    }

    fn plan_removed(&self, upload: &Upload, plan: &mut Plan) -> Result<(), Error> {
        let provider = || upload.provider.path();
        let mut position = upload.handles.len();
        for removed in upload.removed.iter() {
            let group = Group::of(&removed.provider);
            let held = group.as_ref().and_then(|of| self.groups.get(&(upload.owner, of.clone())));
            let is_own = removed.provider == upload.provider;
            for (handle, version) in &removed.rows {
                if is_own && upload.handles.binary_search(handle).is_ok() {
                    return Err(Error::Changed { provider: provider(), position });
                }
                let live =
                    held.and_then(|held| Some((held, held.find(&removed.provider, *handle)?)));
                let Some((held, at)) = live else {
                    return Err(Error::NotStored { provider: provider(), position });
                };
                if held.uploads[at.0].version(at.1) != *version {
                    return Err(Error::Changed { provider: provider(), position });
                }
                plan.dead.extend(group.clone().map(|group| (group, at)));
                plan.removed += 1;
                position += 1;
            }
        }
        Ok(())
    }

    /// Removes all uploads of a provider, in every epoch, and its files with a call that says how many there
    /// were; unless a removal was carried out before, or without one there is nothing.
    ///
    /// The numbers of uploads are kept, so that what was sent before cannot be sent again.
    ///
    /// # Errors
    ///
    /// [`Error::Id`] if another message had the number of a removal.
    pub fn remove(
        &mut self,
        owner: Owner,
        provider: &str,
        removal: Option<&Removal>,
        remove_files: impl FnOnce() -> usize,
    ) -> Result<Receipt, Error> {
        if let Some(removal) = removal
            && let Some(receipt) = self.repeated(owner, removal.id, &removal.digest, provider)?
        {
            return Ok(receipt);
        }
        let mut records = 0;
        for (_, held) in self.groups.iter_mut().filter(|((of, _), _)| *of == owner) {
            for at in (0..held.uploads.len()).rev() {
                if held.uploads[at].provider.path() == provider {
                    let kept = held.uploads.remove(at);
                    records += kept.live();
                    held.dead -= kept.dead.count;
                    held.index.remove(at);
                }
            }
        }
        let files = remove_files();
        if removal.is_none() && records == 0 && files == 0 {
            let provider = provider.to_owned();
            let (added, replaced, removed, is_repeated) = (0, 0, 0, false);
            return Ok(Receipt { provider, added, replaced, removed, files, is_repeated });
        }
        self.tombstones.retain(|(of, node), _| *of != owner || node.path() != provider);
        for ((of, _), taken) in &mut self.taken {
            taken.is_gone |= *of == owner && taken.provider == provider && !taken.is_removal();
        }
        let receipt = Receipt {
            provider: provider.to_owned(),
            added: 0,
            replaced: 0,
            removed: records,
            files,
            is_repeated: false,
        };
        match removal {
            Some(Removal { id, digest, .. }) => {
                self.take(owner, *id, *digest, String::new(), &receipt);
            }
            None => *self.changes.entry(owner).or_default() += 1,
        }
        Ok(receipt)
    }

    /// Counts the records that a checked query reaches.
    ///
    /// # Errors
    ///
    /// Those of [`Index::count`].
    pub fn count(&mut self, query: &Query) -> Result<usize, Error> {
        let mut count = 0;
        for token in &query.tokens {
            let place = (query.owner, token.group.clone());
            let Some(held) = self.groups.get_mut(&place) else { continue };
            count += match &token.selection {
                Selection::Ranges(predicates) if held.dead == 0 => {
                    held.index.count(predicates, own(token).as_deref())?
                }
                _ => held.rows(token)?.iter().map(|(_, rows)| rows.len()).sum(),
            };
        }
        Ok(count)
    }

    /// Returns the records that a checked query reaches, as [`Store::search`](super::store::Store::search)
    /// says.
    ///
    /// # Errors
    ///
    /// Those of [`Index::search`].
    pub fn search(&mut self, query: &Query) -> Result<Vec<Part>, Error> {
        let snapshot = self.changes.get(&query.owner).copied().unwrap_or(0);
        let mut parts = Vec::new();
        for token in &query.tokens {
            parts.extend(self.answer(token, query.owner, snapshot)?);
        }
        Ok(parts)
    }

    /// The pages that answer a token.
    fn answer(&mut self, token: &Token, owner: Owner, snapshot: u64) -> Result<Vec<Part>, Error> {
        let nothing = || Part::nothing(owner, token.id, snapshot);
        let mut pages = Vec::new();
        if let Some(held) = self.groups.get_mut(&(owner, token.group.clone())) {
            for (at, rows) in held.rows(token)? {
                pages.push(held.uploads[at].part(token, owner, snapshot, &rows));
            }
            let is_reached = |kept: &&Kept| kept.live() > 0 && token.reaches(&kept.provider);
            let mut newest = held.uploads.iter().rev().filter(is_reached);
            if pages.is_empty()
                && let Some(kept) = newest.next()
            {
                pages.push(kept.part(token, owner, snapshot, &[]));
            }
        }
        if let Selection::Records(handles) = &token.selection {
            for ((of, node), tombstones) in &self.tombstones {
                if *of == owner && token.reaches(node) {
                    let removed = handles.iter();
                    let removed = removed.filter_map(|at| Some((*at, *tombstones.get(at)?)));
                    let removed: Vec<_> = removed.collect();
                    if !removed.is_empty() {
                        pages.push(Part { provider: node.clone(), removed, ..nothing() });
                    }
                }
            }
        }
        if pages.is_empty() {
            pages.push(nothing());
        }
        let last = pages.len() - 1;
        for (page, part) in (0..).zip(&mut pages) {
            part.page = page;
            part.is_last = length(page.into()) == last;
        }
        Ok(pages)
    }

    /// Merges everything that came since the last search.
    ///
    /// # Errors
    ///
    /// Those of [`Index::settle`].
    pub fn settle(&mut self) -> Result<(), Error> {
        self.groups.values_mut().try_for_each(|held| held.index.settle())
    }

    /// Returns the entries of a field of a group in order, with the record of each, counted through
    /// the live records of the group's uploads as [`contents`](Self::contents) lists them; none of a
    /// group that is not there.
    ///
    /// # Errors
    ///
    /// Those of [`Index::settle`].
    pub fn merged(&mut self, owner: Owner, group: &str, field: &str) -> Result<Merged, Error> {
        let mut groups = self.groups.iter_mut();
        match groups.find(|((of, name), _)| *of == owner && name.to_string() == group) {
            Some((_, held)) => {
                held.compact()?;
                held.index.merged(field)
            }
            None => Ok(Merged::default()),
        }
    }

    /// What there is, one line per upload with live records.
    #[must_use]
    pub fn contents(&self) -> Vec<Content> {
        let mut contents = Vec::new();
        for ((owner, group), held) in &self.groups {
            for kept in held.uploads.iter().filter(|kept| kept.live() > 0) {
                contents.push(Content {
                    owner: *owner,
                    group: group.clone(),
                    provider: kept.provider.clone(),
                    records: kept.live(),
                    size: kept.size(),
                });
            }
        }
        contents
    }

    /// How many entries of live records all indexes hold.
    #[must_use]
    pub fn entries(&self) -> usize {
        let of_run = |kept: &Kept, run: &Run| match kept.dead.count {
            0 => run.records.len(),
            _ => run.records.iter().filter(|&&row| !kept.dead.has(length(row.into()))).count(),
        };
        let kept = self.groups.values().flat_map(|held| &held.uploads);
        kept.map(|kept| kept.runs.iter().map(|run| of_run(kept, run)).sum::<usize>()).sum()
    }
}

impl Taken {
    /// Whether it took something away and brought nothing.
    fn is_removal(&self) -> bool {
        self.provider.is_empty()
    }
}

impl Kept {
    /// How many bytes the live records have, sealed.
    fn size(&self) -> usize {
        if self.dead.count == 0 {
            return self.portions.iter().map(|portion| portion.records.size()).sum();
        }
        let live = (0..self.handles.len()).filter(|&row| !self.dead.has(row));
        let of_row = |row| -> usize {
            self.portions.iter().map(|portion| portion.records.get(row).len()).sum()
        };
        live.map(of_row).sum()
    }
}

/// The provider whose own runs a token is limited to.
fn own(token: &Token) -> Option<String> {
    match &token.scope {
        Scope::Group => None,
        Scope::One(name) => {
            let mut names = token.group.authority.names().to_vec();
            names.push(name.clone());
            Some(names.join("/"))
        }
    }
}
