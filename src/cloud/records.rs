//! Records in memory: every group's index and sealed records, each owner's apart.
//!
//! # Leakage
//!
//! That of uploads and of the index; and, over time, which providers upload when.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Error;
use super::index::{Hit, Index};
use super::store::{Content, Merged};
use crate::message;
use crate::message::answer::Part;
use crate::message::certificate::Owner;
use crate::message::place::{Group, Node};
use crate::message::token::{Scope, Token};
use crate::message::upload::Upload;
use crate::wire::Blobs;
use crate::wire::length;

/// Sealed records and their indexes, in memory.
#[derive(Debug, Default)]
pub struct Records {
    groups: BTreeMap<(Owner, Group), Held>,
    /// The last upload's number, of every provider that ever sent one.
    sequences: HashMap<(Owner, String), u64>,
}

#[derive(Debug, Default)]
struct Held {
    index: Index,
    uploads: Vec<Kept>,
}

/// What is kept of an upload besides its runs, which the index has.
#[derive(Debug)]
struct Kept {
    provider: Node,
    handles: Arc<Vec<u128>>,
    layout: Vec<u8>,
    records: Arc<Blobs>,
}

impl Records {
    /// Takes an upload that was verified.
    ///
    /// # Errors
    ///
    /// [`Error::Replay`] if it is not newer than the provider's last, [`Error::StoredRecord`] if a
    /// record is stored already, [`Error::Records`] if the group would have 2^32 records,
    /// [`message::Error::Scope`] if it is of no provider. Nothing changes then.
    pub fn add(&mut self, upload: Upload) -> Result<(), Error> {
        let provider = upload.provider.path();
        let Some(group) = Group::of(&upload.provider) else {
            let what = "send uploads".to_owned();
            return Err(message::Error::Scope { who: upload.provider.to_string(), what }.into());
        };
        let sender = (upload.owner, provider.clone());
        if self.sequences.get(&sender).is_some_and(|&last| upload.sequence <= last) {
            return Err(Error::Replay { provider });
        }
        let place = (upload.owner, group);
        let stored = self.groups.get(&place).into_iter().flat_map(|held| &held.uploads);
        for other in stored.filter(|other| other.provider == upload.provider) {
            let is_stored = |handle| other.handles.binary_search(handle).is_ok();
            if let Some(position) = upload.handles.iter().position(is_stored) {
                return Err(Error::StoredRecord { provider, position });
            }
        }
        let records = u32::try_from(upload.handles.len()).unwrap_or(u32::MAX);
        let held = self.groups.entry(place).or_default();
        held.index.add(&provider, records, upload.runs.clone())?;
        self.sequences.insert(sender, upload.sequence);
        let Upload { provider, handles, layout, records, .. } = upload;
        held.uploads.push(Kept { provider, handles, layout, records });
        Ok(())
    }

    /// Removes all uploads of a provider, in every epoch; returns how many records there were.
    ///
    /// Its last number is kept, so that what it sent before cannot be sent again.
    pub fn remove(&mut self, owner: Owner, provider: &str) -> usize {
        let mut records = 0;
        for ((_, _), held) in self.groups.iter_mut().filter(|((of, _), _)| *of == owner) {
            for at in (0..held.uploads.len()).rev() {
                if held.uploads[at].provider.path() == provider {
                    records += held.uploads.remove(at).handles.len();
                    held.index.remove(at);
                }
            }
        }
        records
    }

    /// Counts the records that a checked token reaches.
    ///
    /// # Errors
    ///
    /// Those of [`Index::count`].
    pub fn count(&mut self, token: &Token) -> Result<usize, Error> {
        match self.groups.get_mut(&(token.owner, token.group.clone())) {
            Some(held) => held.index.count(&token.predicates, own(token).as_deref()),
            None => Ok(0),
        }
    }

    /// Returns the records that a checked token reaches, one part per upload that has some.
    ///
    /// If there is none, one part without records still carries a layout, so that whoever asked can
    /// make an empty table.
    ///
    /// # Errors
    ///
    /// Those of [`Index::search`].
    pub fn search(&mut self, token: &Token) -> Result<Vec<Part>, Error> {
        let Some(held) = self.groups.get_mut(&(token.owner, token.group.clone())) else {
            return Ok(Vec::new());
        };
        let own = own(token);
        let hits = held.index.search(&token.predicates, own.as_deref())?;
        let part = |hits: &[Hit], upload: &Kept| {
            let mut records = Blobs::default();
            let mut handles = Vec::with_capacity(hits.len());
            for hit in hits {
                let at = length(u64::from(hit.record));
                handles.push(upload.handles[at]);
                records.push(upload.records.get(at));
            }
            let (owner, provider) = (token.owner, upload.provider.clone());
            Part {
                owner,
                provider,
                query: token.query,
                layout: upload.layout.clone(),
                handles,
                records,
            }
        };
        if hits.is_empty() {
            let reached = |upload: &&Kept| {
                own.as_ref().is_none_or(|provider| upload.provider.path() == *provider)
            };
            return Ok(held
                .uploads
                .iter()
                .rev()
                .find(reached)
                .map(|u| part(&[], u))
                .into_iter()
                .collect());
        }
        let by_upload = hits.chunk_by(|a, b| a.upload == b.upload);
        Ok(by_upload.map(|hits| part(hits, &held.uploads[hits[0].upload])).collect())
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
    /// the group's uploads as [`contents`](Self::contents) lists them; none of a group that is not
    /// there.
    ///
    /// # Errors
    ///
    /// Those of [`Index::settle`].
    pub fn merged(&mut self, owner: Owner, group: &str, field: &str) -> Result<Merged, Error> {
        let mut groups = self.groups.iter_mut();
        match groups.find(|((of, name), _)| *of == owner && name.to_string() == group) {
            Some((_, held)) => held.index.merged(field),
            None => Ok(Merged::default()),
        }
    }

    /// What there is, one line per upload.
    #[must_use]
    pub fn contents(&self) -> Vec<Content> {
        let mut contents = Vec::new();
        for ((owner, group), held) in &self.groups {
            contents.extend(held.uploads.iter().map(|upload| Content {
                owner: *owner,
                group: group.clone(),
                provider: upload.provider.clone(),
                records: upload.handles.len(),
                size: upload.records.size(),
            }));
        }
        contents
    }

    /// How many entries all indexes hold.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.groups.values().map(|held| held.index.entries()).sum()
    }
}

/// The provider whose own runs a token is limited to.
fn own(token: &Token) -> Option<String> {
    match token.scope {
        Scope::Group => None,
        Scope::Own => Some(token.issuer.subject().path()),
    }
}
