//! Records of one owner in memory: every group's index and sealed records, as they are at one time.
//!
//! What is here never changes while somebody reads it: a change makes a clone that shares almost all
//! ([`chunks`](super::chunks)), and whoever searches goes on with the clone it has. Merging levels and
//! forgetting dead records are [`Chore`]s, done to a clone by whoever finds the time, and put in place.
//!
//! The index of a group has all its entries; that of a provider its own, and its handles, which lead to
//! the row that is live. A removed record leaves a row too, its *tombstone*, with a handle and no entries.
//!
//! # Cost
//!
//! A change of `r` rows costs `O(r log n)` on average, whatever is stored; at rest an entry takes 24
//! bytes, 12 in each index, and a handle 20 beside the upload's own.
//!
//! # Leakage
//!
//! That of uploads and of the index; and, over time, which providers upload when.

mod held;
mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use self::held::ChoreOf;
use self::held::{Done, Found, Held, Kept, Removing};
pub use self::log::Log;
use super::Error;
use super::index;
use super::pages::{Cursor, Pages};
use super::proofs::{Shelf, prove};
use super::store::{Content, Merged, Receipt};
use crate::message;
use crate::message::answer::Part;
use crate::message::certificate::Owner;
use crate::message::place::{Group, Node};
use crate::message::query::{Query, Selection, Token};
use crate::message::seal::Sealed;
use crate::message::sums::{Proof, Wanted};
use crate::message::upload::{Replaced, Upload, Version};
use crate::wire::length;

/// Sealed records of an owner and their indexes.
#[derive(Debug, Clone, Default)]
pub struct Records {
    groups: BTreeMap<Arc<Group>, Arc<Held>>,
    /// How often they were changed.
    pub(super) changes: u64,
    /// What removed all that a provider had sent, as it was signed, by the provider's path.
    ended: Arc<BTreeMap<String, Arc<Vec<u8>>>>,
    /// What should be merged or forgotten.
    chores: BTreeSet<(Arc<Group>, ChoreOf)>,
}

/// Something to merge or to forget.
#[derive(Debug)]
pub struct Chore {
    group: Arc<Group>,
    part: ChoreOf,
    held: Arc<Held>,
    work: Option<index::Work>,
}

/// Which levels a chore is about, and must stay until it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    group: Arc<Group>,
    part: ChoreOf,
    end: usize,
}

impl Busy {
    /// The first level of an index that may change.
    fn free_from(busy: Option<&Self>, group: &Group, part: ChoreOf) -> usize {
        match busy {
            Some(busy) if busy.part == part && *busy.group == *group => busy.end,
            _ => 0,
        }
    }
}

impl Chore {
    /// The levels that must stay.
    #[must_use]
    pub fn busy(&self) -> Busy {
        let end = self.work.as_ref().map_or(0, index::Work::end);
        Busy { group: Arc::clone(&self.group), part: self.part, end }
    }

    /// Does it, with all threads or with the calling one alone.
    #[must_use]
    pub fn done(self, with_all_threads: bool) -> DoneChore {
        let Self { group, part, held, work } = self;
        let done = held.done(part, work, with_all_threads);
        DoneChore { group, part, done }
    }
}

/// What came of a chore.
#[derive(Debug)]
pub struct DoneChore {
    group: Arc<Group>,
    part: ChoreOf,
    done: Option<Done>,
}

/// What an upload does to rows that are there.
#[derive(Default)]
struct Plan {
    /// Rows that are replaced or removed, by group.
    dead: Vec<(Arc<Group>, Vec<u64>)>,
    added: usize,
    replaced: usize,
    removed: usize,
}

impl Records {
    /// The records after an upload that was verified, as it came, and what it did.
    ///
    /// # Errors
    ///
    /// Those of [`Store::add`](super::store::Store::add) that are about rows, [`message::Error::Scope`] if
    /// it is of no provider.
    pub fn with(
        &self,
        upload: &Upload,
        message: &[u8],
        busy: Option<&Busy>,
    ) -> Result<(Self, Receipt), Error> {
        let provider = upload.provider.path();
        let Some(group) = Group::of(&upload.provider) else {
            let what = "send uploads".to_owned();
            return Err(message::Error::Scope { who: upload.provider.to_string(), what }.into());
        };
        let Plan { dead, added, replaced, removed } = self.plan(upload, &group)?;
        let mut next = self.clone();
        let group = next.key(&group);
        if !upload.handles.is_empty() {
            let part = next.held(&group).add(upload)?;
            next.tidy(&group, [ChoreOf::Group, part], busy);
        }
        let mut by = Removing::new(upload, message);
        for (group, rows) in dead {
            let parts = next.held(&group).kill(&rows, &mut by);
            next.tidy(&group, parts, busy);
        }
        for removed in upload.removed.iter() {
            let Some(group) = Group::of(&removed.provider) else { continue };
            let group = next.key(&group);
            let part = next.held(&group).bury(removed, upload)?;
            next.tidy(&group, [part], busy);
        }
        next.changes += 1;
        let (files, is_repeated) = (0, false);
        Ok((next, Receipt { provider, added, replaced, removed, files, is_repeated }))
    }

    /// The key of a group, which all that is about it shares.
    fn key(&self, group: &Group) -> Arc<Group> {
        let known = self.groups.get_key_value(group);
        known.map_or_else(|| Arc::new(group.clone()), |(key, _)| Arc::clone(key))
    }

    fn held(&mut self, group: &Arc<Group>) -> &mut Held {
        Arc::make_mut(self.groups.entry(Arc::clone(group)).or_default())
    }

    /// Does what is small of the chores of some parts, and notes the others.
    fn tidy(
        &mut self,
        group: &Arc<Group>,
        parts: impl IntoIterator<Item = ChoreOf>,
        busy: Option<&Busy>,
    ) {
        for part in parts {
            let from = Busy::free_from(busy, group, part);
            let is_left = self.held(group).tidy(part, from);
            let chore = (Arc::clone(group), part);
            if is_left {
                self.chores.insert(chore);
            } else {
                self.chores.remove(&chore);
            }
        }
    }

    /// What an upload would do; checks that each of its rows names the version that is live.
    fn plan(&self, upload: &Upload, group: &Group) -> Result<Plan, Error> {
        let provider = || upload.provider.path();
        let mut plan = Plan::default();
        let mut replaced = upload.replaced.iter().copied().peekable();
        let held = self.groups.get_key_value(group);
        let live = held.map(|(_, held)| held.find(&upload.provider, &upload.handles));
        let mut dead = Vec::new();
        for (position, &handle) in upload.handles.iter().enumerate() {
            let named = replaced
                .next_if(|replaced| length(replaced.row.into()) == position)
                .map(|Replaced { version, .. }| version);
            let live = live.as_ref().and_then(|live| *live.get(position)?);
            let kept = held.zip(live).and_then(|((_, held), row)| held.kept(row));
            match (named, kept) {
                (None, None) => plan.added += 1,
                (Some(_), None) => return Err(Error::NotStored { provider: provider(), position }),
                (None, Some((kept, _))) if !kept.is_removal => {
                    return Err(Error::Stored { provider: provider(), position });
                }
                (Some(named), Some((kept, at))) if named == kept.version(at, handle) => {
                    if kept.is_removal {
                        plan.added += 1;
                    } else {
                        plan.replaced += 1;
                    }
                    dead.extend(live);
                }
                _ => return Err(Error::Changed { provider: provider(), position }),
            }
        }
        plan.dead.extend(held.map(|(group, _)| (Arc::clone(group), dead)));
        self.plan_removed(upload, &mut plan)?;
        Ok(plan)
    }

    fn plan_removed(&self, upload: &Upload, plan: &mut Plan) -> Result<(), Error> {
        let provider = || upload.provider.path();
        let mut position = upload.handles.len();
        for removed in upload.removed.iter() {
            let group = Group::of(&removed.provider);
            let held = group.and_then(|group| self.groups.get_key_value(&group));
            let handles: Vec<u128> = removed.rows.iter().map(|(handle, _)| *handle).collect();
            let live = held.map(|(_, held)| held.find(&removed.provider, &handles));
            let is_own = removed.provider == upload.provider;
            let mut dead = Vec::with_capacity(handles.len());
            for (at, (handle, version)) in removed.rows.iter().enumerate() {
                if is_own && upload.handles.binary_search(handle).is_ok() {
                    return Err(Error::Changed { provider: provider(), position });
                }
                let live = live.as_ref().and_then(|live| *live.get(at)?);
                let kept = held.zip(live).and_then(|((_, held), row)| held.kept(row));
                let Some((kept, at)) = kept.filter(|(kept, _)| !kept.is_removal) else {
                    return Err(Error::NotStored { provider: provider(), position });
                };
                if kept.version(at, *handle) != *version {
                    return Err(Error::Changed { provider: provider(), position });
                }
                dead.extend(live);
                plan.removed += 1;
                position += 1;
            }
            plan.dead.extend(held.map(|(group, _)| (Arc::clone(group), dead)));
        }
        Ok(())
    }

    /// The records after a seal that was verified, and whether it is the one that is there already.
    ///
    /// # Errors
    ///
    /// [`Error::SealNumber`] or [`Error::SealBefore`] if it does not follow the last one of its place,
    /// [`Error::SealRows`] if it is of other rows than are stored.
    pub fn sealed(&self, sealed: Arc<Sealed>) -> Result<(Self, bool), Error> {
        let mut next = self.clone();
        let Some(group) = Group::of(&sealed.seal.place) else { return Ok((next, true)) };
        let group = next.key(&group);
        let is_repeated = next.held(&group).seal(sealed, self.changes + 1)?;
        if !is_repeated {
            next.changes += 1;
        }
        Ok((next, is_repeated))
    }

    /// What proves the answer to a checked query, of which these rows were found, if they are known; of a
    /// count, with the rows that were counted.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`].
    pub fn prove(
        &self,
        query: &Query,
        hits: Option<Vec<Vec<u64>>>,
        wanted: Wanted,
        is_count: bool,
    ) -> Result<Proof, Error> {
        let (mut shelf, nothing) = (Shelf::new(wanted), Held::default());
        let mut hits = hits.filter(|hits| hits.len() == query.tokens.len()).map(Vec::into_iter);
        let tokens = query.tokens.iter().map(|token| {
            let hits = hits.as_mut().and_then(Iterator::next);
            let held = self.groups.get(&token.group).map_or(&nothing, |held| &**held);
            shelf.add_removals(token, self.ended.iter(), |name| held.is_sealed(name));
            prove(&Found::new(held, token, hits), token, &mut shelf, is_count)
        });
        let tokens = tokens.collect::<Result<_, _>>()?;
        Ok(shelf.into_proof(self.changes, tokens))
    }

    /// The records without those of a provider, in every epoch, and how many these are; by a signed message,
    /// if there is one.
    #[must_use]
    pub fn without(
        &self,
        provider: &str,
        message: Option<&[u8]>,
        busy: Option<&Busy>,
    ) -> (Self, usize) {
        let mut next = self.clone();
        if let Some(message) = message {
            let message = Arc::new(message.to_vec());
            Arc::make_mut(&mut next.ended).insert(provider.to_owned(), message);
        }
        let mut records = 0;
        for group in self.groups.keys() {
            let of = |name: &str| match group.authority.names() {
                [] => name == provider,
                names => format!("{}/{name}", names.join("/")) == provider,
            };
            let Some(name) = self.groups[group].names().find(|name| of(name)) else { continue };
            let (removed, parts) = next.held(group).remove(name, message.is_some());
            records += removed;
            next.tidy(group, parts, busy);
        }
        (next, records)
    }

    /// Something to merge or to forget, if there is anything.
    #[must_use]
    pub fn chore(&self) -> Option<Chore> {
        let (group, part) = self.chores.first()?;
        let held = Arc::clone(self.groups.get(group)?);
        let work = held.overdue(*part);
        Some(Chore { group: Arc::clone(group), part: *part, held, work })
    }

    /// How many levels the index has that has most.
    #[must_use]
    pub fn levels(&self) -> usize {
        let parts = self.chores.iter();
        let levels = parts.filter_map(|(group, part)| Some(self.groups.get(group)?.levels(*part)));
        levels.max().unwrap_or(0)
    }

    /// The records after a chore.
    #[must_use]
    pub fn tidied(&self, done: DoneChore) -> Self {
        let mut next = self.clone();
        let DoneChore { group, part, done } = done;
        if let Some(done) = done {
            next.held(&group).put(part, done);
        }
        next.tidy(&group, [part], None);
        next
    }

    /// Counts the records that a checked query reaches.
    #[must_use]
    pub fn count(&self, query: &Query) -> usize {
        let of_token = |token: &Token| match (self.groups.get(&token.group), &token.selection) {
            (None, _) => 0,
            (Some(held), Selection::Ranges(predicates)) => held.count(token.own(), predicates),
            (Some(held), _) => held.rows(token).0.len(),
        };
        query.tokens.iter().map(of_token).sum()
    }

    /// Returns the records that a checked query reaches, as [`Store::page`](super::store::Store::page) says.
    #[must_use]
    pub fn page(&self, query: &Query, from: &Cursor, most: usize) -> Vec<Part> {
        self.page_of_hits(query, from, most).0
    }

    /// The same, with the rows that each token finds, of those that it is about.
    pub(super) fn page_of_hits(
        &self,
        query: &Query,
        from: &Cursor,
        most: usize,
    ) -> (Vec<Part>, Vec<Vec<u64>>) {
        let mut pages = Pages::new(from, most);
        let mut hits = Vec::new();
        for token in query.tokens.iter().skip(from.token) {
            hits.push(self.answer(token, query.owner, &mut pages));
            if pages.is_full() {
                break;
            }
        }
        (pages.into_parts(), hits)
    }

    /// Gathers the pages that answer a token; returns the rows that it finds.
    fn answer(&self, token: &Token, owner: Owner, pages: &mut Pages) -> Vec<u64> {
        let mut hits = Vec::new();
        let nothing = || Part::nothing(owner, token.id, self.changes);
        if let Some(held) = self.groups.get(&token.group) {
            let (rows, removed) = held.rows(token);
            for (kept, rows) in held.by_upload(&rows) {
                pages.add(&rows, |row| kept.size_of_row(row), |rows| kept.part(nothing(), rows));
            }
            if pages.is_nothing()
                && let Some(kept) = held.newest(token.own())
            {
                pages.push(kept.part(nothing(), &[]));
            }
            for (provider, removed) in removed {
                pages.push(Part { provider, removed, ..nothing() });
            }
            hits = rows;
        }
        if pages.is_nothing() {
            pages.push(nothing());
        }
        pages.end_token();
        hits
    }

    /// Returns the entries of a field of a group in order, with the record of each, counted through
    /// the live records of the group's uploads as [`contents`](Self::contents) lists them; none of a
    /// group that is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Records`] if the group has 2^32 records or more.
    pub fn merged(&self, group: &str, field: &str) -> Result<Merged, Error> {
        let mut groups = self.groups.iter();
        match groups.find(|(name, _)| name.to_string() == group) {
            Some((_, held)) => held.merged(field),
            None => Ok(Merged::default()),
        }
    }

    /// What there is, one line per upload with live records.
    #[must_use]
    pub fn contents(&self, owner: Owner) -> Vec<Content> {
        let mut contents = Vec::new();
        for (group, held) in &self.groups {
            contents.extend(held.live().map(|(kept, records, size)| Content {
                owner,
                group: Group::clone(group),
                provider: Node::clone(&kept.provider),
                records,
                size,
            }));
        }
        contents
    }

    /// How many entries of live records all indexes hold.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.groups.values().map(|held| held.entries()).sum()
    }
}

impl Kept {
    /// The version of a row that has a handle.
    fn version(&self, at: usize, handle: u128) -> Version {
        if self.is_removal {
            return Version::of_tombstone(self.id, handle);
        }
        Version::new(self.id, handle, &self.digest(at))
    }
}
