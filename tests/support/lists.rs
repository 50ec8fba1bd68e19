//! A store as simple as can be: lists that are searched from end to end.
//!
//! It uses what the crate shows to everybody and nothing else.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use mopse::cloud::Error;
use mopse::cloud::store::{BEGUN_FOR, Content, Label, MOST_BEGUN, Merged, Receipt, Store, Totals};
use mopse::message::announcement::{Announced, Announcement};
use mopse::message::answer::Part;
use mopse::message::attachment::{Attachment, StoredFile};
use mopse::message::certificate::Owner;
use mopse::message::notes::Note;
use mopse::message::piece::Piece;
use mopse::message::place::{Group, Node};
use mopse::message::query::{Predicate, Query, Selection, Token};
use mopse::message::removal::Removal;
use mopse::message::upload::{Portion, Upload, Version, digest_of_row};
use mopse::wire::Blobs;
use mopse::{message, wire};

use crate::scripts::Shows;

/// Why it refuses: it has no causes of its own.
#[derive(Debug)]
pub struct Refused(#[allow(dead_code, reason = "shown")] pub Error);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<message::Error> for Refused {
    fn from(error: message::Error) -> Self {
        Self(error.into())
    }
}

impl From<wire::Error> for Refused {
    fn from(error: wire::Error) -> Self {
        Self(error.into())
    }
}

/// The newest announcement of each authority, as it came.
type Messages = Vec<(Node, Vec<u8>)>;

/// Everything, in the order it came.
#[derive(Debug, Default)]
pub struct Lists(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// What each owner announced, and the newest message of each authority.
    announced: Vec<(Owner, Arc<Announced>, Messages)>,
    /// Uploads, and which of their rows are live.
    uploads: Vec<(Upload, Vec<bool>)>,
    /// Rows that were removed, each with the upload that did it.
    tombstones: Vec<(Owner, Node, u128, u128)>,
    /// Every upload and signed removal that there ever was.
    taken: Vec<Taken>,
    /// The owner of every change.
    changes: Vec<Owner>,
    files: Vec<StoredFile>,
    /// The number of every file there ever was.
    numbers: Vec<(Owner, u128)>,
    labels: Vec<(Owner, Node, u128, Label)>,
    /// What came, bases too, and what was missing then.
    arrived: Vec<(Owner, Node, u128, Vec<u128>)>,
    notes: Vec<(Owner, Node, Note)>,
    /// Chunks of uploads that are not whole, and when the last one of each upload came.
    begun: Vec<(Owner, Node, [u8; 32], Chunks, u64)>,
}

/// Chunks of an upload, by number.
type Chunks = Vec<(u64, Vec<u8>)>;

#[derive(Debug)]
struct Taken {
    owner: Owner,
    id: u128,
    digest: [u8; 32],
    /// Whose upload it was; none for a removal.
    provider: Option<String>,
    receipt: Receipt,
    is_gone: bool,
}

fn holds(upload: &Upload, record: u32, predicate: &Predicate) -> bool {
    let runs = upload.runs.iter().filter(|run| run.field == predicate.field);
    let mut entries = runs.flat_map(|run| run.records.iter().zip(&run.ciphertexts));
    let range = predicate.low..=predicate.high;
    entries.any(|(&of, ciphertext)| of == record && range.contains(ciphertext))
}

fn is_asked(selection: &Selection, upload: &Upload, row: usize) -> bool {
    match selection {
        Selection::All => true,
        Selection::Records(handles) => handles.contains(&upload.handles[row]),
        Selection::Ranges(predicates) => {
            let record = u32::try_from(row).unwrap();
            predicates.iter().all(|predicate| holds(upload, record, predicate))
        }
    }
}

fn size(upload: &Upload, live: &[bool]) -> usize {
    let rows = (0..live.len()).filter(|&row| live[row]);
    let of_row = |row| upload.portions.iter().map(move |portion| portion.records.get(row).len());
    rows.flat_map(of_row).sum()
}

impl Kept {
    /// Where a row of a place is live.
    fn find(&self, owner: Owner, node: &Node, handle: u128) -> Option<(usize, usize)> {
        self.uploads.iter().enumerate().find_map(|(at, (upload, live))| {
            let mut rows = (0..live.len()).filter(|&row| live[row]);
            let row = rows.find(|&row| upload.handles[row] == handle)?;
            ((upload.owner, &upload.provider) == (owner, node)).then_some((at, row))
        })
    }

    fn version(&self, (at, row): (usize, usize)) -> Version {
        let (upload, _) = &self.uploads[at];
        Version::new(upload.id, upload.handles[row], &digest_of_row(&upload.portions, row))
    }

    /// The version of the tombstone of a row.
    fn tombstone(&self, owner: Owner, node: &Node, handle: u128) -> Option<Version> {
        let mut tombstones = self.tombstones.iter();
        let wanted = (owner, node, handle);
        let found = tombstones.find(|(of, place, at, _)| (*of, place, *at) == wanted);
        found.map(|&(_, _, _, by)| Version::of_tombstone(by, handle))
    }

    fn repeated(
        &self,
        (owner, id, digest): (Owner, u128, [u8; 32]),
        provider: &str,
    ) -> Result<Option<Receipt>, Error> {
        let mut taken = self.taken.iter();
        let provider = provider.to_owned();
        match taken.find(|taken| (taken.owner, taken.id) == (owner, id)) {
            None => Ok(None),
            Some(taken) if taken.digest != digest => Err(Error::Id { provider }),
            Some(taken) if taken.is_gone => Err(Error::Replay { provider }),
            Some(taken) => Ok(Some(Receipt { is_repeated: true, ..taken.receipt.clone() })),
        }
    }

    /// What rows of an upload replace and remove, and how many are there anew.
    fn plan(&self, upload: &Upload) -> Result<(Vec<(usize, usize)>, Receipt), Error> {
        let provider = || upload.provider.path();
        let (mut dead, mut added) = (Vec::new(), 0);
        for (position, &handle) in upload.handles.iter().enumerate() {
            let mut replaced = upload.replaced.iter();
            let replaced = replaced.find(|replaced| usize::try_from(replaced.row) == Ok(position));
            let named = replaced.map(|replaced| replaced.version);
            let live = self.find(upload.owner, &upload.provider, handle);
            let was = self.tombstone(upload.owner, &upload.provider, handle);
            let known = live.map(|at| self.version(at)).or(was);
            if named.is_none() && live.is_some() {
                return Err(Error::Stored { provider: provider(), position });
            }
            if named.is_some() && known.is_none() {
                return Err(Error::NotStored { provider: provider(), position });
            }
            if named != known {
                return Err(Error::Changed { provider: provider(), position });
            }
            added += usize::from(live.is_none());
            dead.extend(live);
        }
        let replaced = dead.len();
        let rows = upload.removed.iter();
        let rows = rows.flat_map(|removed| removed.rows.iter().map(|row| (&removed.provider, row)));
        for (number, (node, (handle, version))) in rows.enumerate() {
            let position = upload.handles.len() + number;
            if *node == upload.provider && upload.handles.contains(handle) {
                return Err(Error::Changed { provider: provider(), position });
            }
            let live = self.find(upload.owner, node, *handle);
            let live = live.ok_or(Error::NotStored { provider: provider(), position })?;
            if self.version(live) != *version {
                return Err(Error::Changed { provider: provider(), position });
            }
            dead.push(live);
        }
        let (provider, removed) = (provider(), dead.len() - replaced);
        let (files, is_repeated) = (0, false);
        Ok((dead, Receipt { provider, added, replaced, removed, files, is_repeated }))
    }

    fn answer(&self, token: &Token, owner: Owner) -> Vec<Part> {
        let snapshot = self.changes.iter().filter(|of| **of == owner).count() as u64;
        let nothing = Part::nothing(owner, token.id, snapshot);
        let is_reached = |upload: &Upload| upload.owner == owner && token.reaches(&upload.provider);
        let part = |upload: &Upload, rows: &[usize]| {
            let portion = |portion: &Portion| {
                let mut records = Blobs::default();
                rows.iter().for_each(|&row| records.push(portion.records.get(row)));
                Portion { records, ..portion.clone() }
            };
            Part {
                provider: upload.provider.clone(),
                upload: upload.id,
                readers: upload.readers,
                handles: rows.iter().map(|&row| upload.handles[row]).collect(),
                portions: upload.portions.iter().map(portion).collect(),
                ..nothing.clone()
            }
        };
        let (mut parts, mut newest) = (Vec::new(), None);
        for (upload, live) in self.uploads.iter().filter(|(upload, _)| is_reached(upload)) {
            let live = (0..live.len()).filter(|&row| live[row]);
            let live: Vec<usize> = live.collect();
            let is_asked = |row: &&usize| is_asked(&token.selection, upload, **row);
            let asked: Vec<usize> = live.iter().filter(is_asked).copied().collect();
            if !asked.is_empty() {
                parts.push(part(upload, &asked));
            }
            newest = if live.is_empty() { newest } else { Some(upload) };
        }
        if parts.is_empty() {
            parts.extend(newest.map(|upload| part(upload, &[])));
        }
        if let Selection::Records(handles) = &token.selection {
            let reached =
                |(of, node, ..): &&(Owner, Node, u128, u128)| *of == owner && token.reaches(node);
            let places: BTreeSet<&Node> =
                self.tombstones.iter().filter(reached).map(|(_, node, ..)| node).collect();
            for place in places {
                let mut removed: Vec<(u128, u128)> = self
                    .tombstones
                    .iter()
                    .filter(|(of, node, at, _)| {
                        (*of, node) == (owner, place) && handles.contains(at)
                    })
                    .map(|&(_, _, handle, by)| (handle, by))
                    .collect();
                removed.sort_unstable();
                if !removed.is_empty() {
                    parts.push(Part { provider: place.clone(), removed, ..nothing.clone() });
                }
            }
        }
        if parts.is_empty() {
            parts.push(nothing);
        }
        let count = parts.len();
        for (at, part) in parts.iter_mut().enumerate() {
            part.page = u32::try_from(at).unwrap();
            part.is_last = at + 1 == count;
        }
        parts
    }
}

impl Store for Lists {
    type Error = Refused;

    fn owners(&self) -> Result<Vec<Owner>, Refused> {
        Ok(self.0.lock().unwrap().announced.iter().map(|(owner, ..)| *owner).collect())
    }

    fn announced(&self, owner: &Owner) -> Result<Option<Arc<Announced>>, Refused> {
        let kept = self.0.lock().unwrap();
        let mut announced = kept.announced.iter();
        Ok(announced.find(|(of, ..)| of == owner).map(|(_, announced, _)| Arc::clone(announced)))
    }

    fn announcements(&self, owner: &Owner) -> Result<Vec<Vec<u8>>, Refused> {
        let kept = self.0.lock().unwrap();
        let of_owner = kept.announced.iter().filter(|(of, ..)| of == owner);
        let mut messages: Vec<_> = of_owner.flat_map(|(_, _, messages)| messages.clone()).collect();
        messages.sort();
        Ok(messages.into_iter().map(|(_, message)| message).collect())
    }

    fn enroll(&self, announcements: Vec<(Announcement, Vec<u8>)>) -> Result<(), Refused> {
        let mut kept = self.0.lock().unwrap();
        let Some((first, _)) = announcements.first() else { return Ok(()) };
        let owner = first.owner;
        let before = kept.announced.iter().position(|(of, ..)| *of == owner);
        let (known, mut messages) = match before {
            None => (Announced::default(), Vec::new()),
            Some(at) => ((*kept.announced[at].1).clone(), kept.announced[at].2.clone()),
        };
        let more: Vec<_> =
            announcements.iter().map(|(announced, _)| Arc::new(announced.clone())).collect();
        let known = known.with(&more)?;
        for (announcement, message) in announcements {
            messages.retain(|(authority, _)| *authority != announcement.authority);
            messages.push((announcement.authority, message));
        }
        kept.announced.retain(|(of, ..)| *of != owner);
        kept.announced.push((owner, Arc::new(known), messages));
        Ok(())
    }

    fn repeated(
        &self,
        owner: &Owner,
        provider: &str,
        id: u128,
        digest: &[u8; 32],
    ) -> Result<Option<Receipt>, Refused> {
        Ok(self.0.lock().unwrap().repeated((*owner, id, *digest), provider)?)
    }

    fn put(&self, piece: &Piece, now: u64) -> Result<(), Refused> {
        let begun = &mut self.0.lock().unwrap().begun;
        begun.retain(|(.., last)| now <= last + BEGUN_FOR);
        let (owner, provider) = (piece.owner, &piece.provider);
        let is_it = |of: &(Owner, _, [u8; 32], _, _)| (of.0, of.2) == (owner, piece.digest);
        if !begun.iter().any(is_it) {
            let of_provider = begun.iter().filter(|of| (of.0, &of.1) == (owner, provider)).count();
            if of_provider == MOST_BEGUN {
                return Err(Error::Begun { provider: provider.path(), most: MOST_BEGUN }.into());
            }
            begun.push((owner, provider.clone(), piece.digest, Vec::new(), now));
        }
        let (.., chunks, last) = begun.iter_mut().find(|of| is_it(of)).unwrap();
        *last = now;
        for (number, bytes) in piece.chunks() {
            chunks.retain(|(other, _)| *other != number);
            chunks.push((number, bytes.to_vec()));
        }
        chunks.sort();
        Ok(())
    }

    fn chunks(&self, owner: &Owner, digest: &[u8; 32]) -> Result<Vec<u64>, Refused> {
        let kept = self.0.lock().unwrap();
        let of = kept.begun.iter().find(|of| (of.0, of.2) == (*owner, *digest));
        Ok(of.map_or_else(Vec::new, |of| of.3.iter().map(|(number, _)| *number).collect()))
    }

    fn body(&self, owner: &Owner, digest: &[u8; 32]) -> Result<Vec<u8>, Refused> {
        let kept = self.0.lock().unwrap();
        let of = kept.begun.iter().find(|of| (of.0, of.2) == (*owner, *digest));
        Ok(of
            .map_or_else(Vec::new, |of| of.3.iter().flat_map(|(_, bytes)| bytes.clone()).collect()))
    }

    fn forget(&self, owner: &Owner, digest: &[u8; 32]) -> Result<(), Refused> {
        self.0.lock().unwrap().begun.retain(|of| (of.0, of.2) != (*owner, *digest));
        Ok(())
    }

    fn add(&self, upload: Upload, _: &[u8]) -> Result<Receipt, Refused> {
        let mut kept = self.0.lock().unwrap();
        let (owner, provider) = (upload.owner, upload.provider.path());
        let (id, digest) = (upload.id, upload.digest);
        if let Some(receipt) = kept.repeated((owner, id, digest), &provider)? {
            return Ok(receipt);
        }
        if upload.provider == Node::root() {
            let (who, what) = (upload.provider.to_string(), "send uploads".to_owned());
            return Err(message::Error::Scope { who, what }.into());
        }
        let (dead, receipt) = kept.plan(&upload)?;
        for (at, row) in dead {
            kept.uploads[at].1[row] = false;
        }
        kept.tombstones.retain(|(of, node, handle, _)| {
            (*of, node) != (owner, &upload.provider) || !upload.handles.contains(handle)
        });
        for removed in upload.removed.iter() {
            let place = &removed.provider;
            let rows = removed.rows.iter().map(|&(handle, _)| (owner, place.clone(), handle, id));
            kept.tombstones.extend(rows);
        }
        let rows = upload.handles.len();
        kept.uploads.push((upload, vec![true; rows]));
        let (provider, is_gone) = (Some(provider), false);
        kept.taken.push(Taken { owner, id, digest, provider, receipt: receipt.clone(), is_gone });
        kept.changes.push(owner);
        Ok(receipt)
    }

    fn add_file(&self, attachment: Attachment, missing: &[u128], _: &[u8]) -> Result<(), Refused> {
        let mut kept = self.0.lock().unwrap();
        let Attachment { file, entries, note, .. } = attachment;
        let (owner, provider) = (file.owner, file.provider.path());
        if kept.numbers.contains(&(owner, file.number)) {
            return Err(Error::StoredFile { provider }.into());
        }
        let is_used = |label| {
            kept.labels
                .iter()
                .any(|(of, node, used, _)| (*of, node, *used) == (owner, &file.provider, label))
        };
        if entries.iter().any(|entry| is_used(entry.label)) {
            return Err(Error::StoredKeyword { provider }.into());
        }
        for entry in entries {
            let label = Label::Live(entry.masked);
            kept.labels.push((owner, file.provider.clone(), entry.label, label));
        }
        kept.numbers.push((owner, file.number));
        kept.arrived.push((owner, file.provider.clone(), file.number, missing.to_vec()));
        let note = Note { number: file.number, sealed: note };
        kept.notes.push((owner, file.provider.clone(), note));
        kept.files.push(file);
        Ok(())
    }

    fn arrived(
        &self,
        owner: &Owner,
        provider: &Node,
        numbers: &[u128],
    ) -> Result<Vec<Option<Vec<u128>>>, Refused> {
        let kept = self.0.lock().unwrap();
        let missing = |number: &u128| {
            let wanted = (owner, provider, number);
            let mut all = kept.arrived.iter();
            all.find(|(of, node, at, _)| (of, node, at) == wanted).map(|(.., m)| m.clone())
        };
        Ok(numbers.iter().map(missing).collect())
    }

    fn notes(&self, owner: &Owner, provider: &Node) -> Result<Vec<Note>, Refused> {
        let kept = self.0.lock().unwrap();
        let of_provider = kept.notes.iter().filter(|(of, node, _)| (of, node) == (owner, provider));
        Ok(of_provider.map(|(.., note)| note.clone()).collect())
    }

    fn add_base(&self, owner: &Owner, provider: &Node, base: u128) -> Result<(), Refused> {
        self.0.lock().unwrap().arrived.push((*owner, provider.clone(), base, Vec::new()));
        Ok(())
    }

    fn label_count(&self, owner: &Owner, provider: &Node) -> Result<usize, Refused> {
        let kept = self.0.lock().unwrap();
        let is_of = |(of, node, ..): &&(Owner, Node, u128, Label)| (of, node) == (owner, provider);
        Ok(kept.labels.iter().filter(is_of).count())
    }

    fn search(&self, query: &Query) -> Result<Vec<Part>, Refused> {
        let kept = self.0.lock().unwrap();
        Ok(query.tokens.iter().flat_map(|token| kept.answer(token, query.owner)).collect())
    }

    fn count(&self, query: &Query) -> Result<usize, Refused> {
        Ok(self.search(query)?.iter().map(|part| part.handles.len()).sum())
    }

    fn labels(
        &self,
        owner: &Owner,
        provider: &Node,
        labels: &[u128],
    ) -> Result<Vec<Option<Label>>, Refused> {
        let kept = self.0.lock().unwrap();
        let found = |label: &u128| {
            let wanted = (owner, provider, label);
            let mut all = kept.labels.iter();
            all.find(|(of, node, at, _)| (of, node, at) == wanted).map(|&(.., label)| label)
        };
        Ok(labels.iter().map(found).collect())
    }

    fn files(
        &self,
        owner: &Owner,
        provider: &Node,
        numbers: &[u128],
    ) -> Result<Vec<StoredFile>, Refused> {
        let kept = self.0.lock().unwrap();
        let find = |number: &u128| {
            let wanted = (owner, provider, number);
            kept.files.iter().find(|file| (&file.owner, &file.provider, &file.number) == wanted)
        };
        Ok(numbers.iter().filter_map(find).map(StoredFile::without_body).collect())
    }

    fn files_of(
        &self,
        owner: &Owner,
        provider: &Node,
        handles: &[u128],
    ) -> Result<Vec<StoredFile>, Refused> {
        let kept = self.0.lock().unwrap();
        let mut files = Vec::new();
        for handle in handles {
            let wanted = (owner, provider, handle);
            let of_record = kept
                .files
                .iter()
                .filter(|file| (&file.owner, &file.provider, &file.handle) == wanted);
            files.extend(of_record.map(StoredFile::without_body));
        }
        Ok(files)
    }

    fn file(&self, owner: &Owner, number: u128) -> Result<Option<StoredFile>, Refused> {
        let kept = self.0.lock().unwrap();
        let is_it = |file: &&StoredFile| file.owner == *owner && file.number == number;
        Ok(kept.files.iter().find(is_it).cloned())
    }

    fn remove(
        &self,
        owner: &Owner,
        provider: &str,
        removal: Option<&Removal>,
    ) -> Result<Receipt, Refused> {
        let mut kept = self.0.lock().unwrap();
        if let Some(removal) = removal
            && let Some(receipt) = kept.repeated((*owner, removal.id, removal.digest), provider)?
        {
            return Ok(receipt);
        }
        let is_gone = |of: &Owner, node: &Node| of == owner && node.path() == provider;
        let (mut removed, mut files) = (0, 0);
        kept.uploads.retain(|(upload, live)| {
            let gone = is_gone(&upload.owner, &upload.provider);
            removed += if gone { live.iter().filter(|live| **live).count() } else { 0 };
            !gone
        });
        kept.files.retain(|file| {
            let gone = is_gone(&file.owner, &file.provider);
            files += usize::from(gone);
            !gone
        });
        let (added, replaced, is_repeated) = (0, 0, false);
        let provider = provider.to_owned();
        let receipt =
            Receipt { provider: provider.clone(), added, replaced, removed, files, is_repeated };
        if removal.is_none() && removed + files == 0 {
            return Ok(receipt);
        }
        kept.tombstones.retain(|(of, node, ..)| !is_gone(of, node));
        for taken in &mut kept.taken {
            taken.is_gone |= taken.owner == *owner && taken.provider.as_ref() == Some(&provider);
        }
        kept.changes.push(*owner);
        if let Some(Removal { id, digest, .. }) = removal {
            let (owner, id, digest, is_gone) = (*owner, *id, *digest, false);
            let receipt = receipt.clone();
            kept.taken.push(Taken { owner, id, digest, provider: None, receipt, is_gone });
        }
        for (of, node, _, label) in &mut kept.labels {
            if is_gone(of, node) {
                *label = Label::Spent;
            }
        }
        Ok(receipt)
    }
}

impl Shows for Lists {
    fn contents(&self) -> Vec<Content> {
        let kept = self.0.lock().unwrap();
        let content = |(upload, live): &(Upload, Vec<bool>)| Content {
            owner: upload.owner,
            group: Group::of(&upload.provider).unwrap(),
            provider: upload.provider.clone(),
            records: live.iter().filter(|live| **live).count(),
            size: size(upload, live),
        };
        let contents = kept.uploads.iter().map(content);
        contents.filter(|content| content.records > 0).collect()
    }

    fn totals(&self) -> Totals {
        let kept = self.0.lock().unwrap();
        let entries = |(upload, live): &(Upload, Vec<bool>)| {
            let records = upload.runs.iter().flat_map(|run| &run.records);
            records.filter(|row| live[usize::try_from(**row).unwrap()]).count()
        };
        let size = |file: &StoredFile| file.description.len() + file.body.as_ref().unwrap().len();
        let is_live = |label: &&(Owner, Node, u128, Label)| matches!(label.3, Label::Live(_));
        Totals {
            entries: kept.uploads.iter().map(entries).sum(),
            files: kept.files.len(),
            file_size: kept.files.iter().map(size).sum(),
            keywords: kept.labels.iter().filter(is_live).count(),
        }
    }

    fn merged(&self, owner: &Owner, group: &str, field: &str) -> Merged {
        let kept = self.0.lock().unwrap();
        let mut entries = Vec::new();
        let mut first = 0;
        for (upload, live) in &kept.uploads {
            let number = |row: u32| {
                let row = usize::try_from(row).unwrap();
                let before = live[..row].iter().filter(|live| **live).count();
                live[row].then(|| first + u32::try_from(before).unwrap())
            };
            let is_of = Group::of(&upload.provider).is_some_and(|of| of.to_string() == group);
            if upload.owner == *owner && is_of {
                for run in upload.runs.iter().filter(|run| run.field == field) {
                    let all = run.ciphertexts.iter().zip(&run.records);
                    let live = all.filter_map(|(&entry, &row)| Some((entry, number(row)?)));
                    entries.extend(live);
                }
                first += u32::try_from(live.iter().filter(|live| **live).count()).unwrap();
            }
        }
        entries.sort_by_key(|&(ciphertext, _)| ciphertext);
        let (ciphertexts, records) = entries.into_iter().unzip();
        Merged { ciphertexts, records }
    }
}
