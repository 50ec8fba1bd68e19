//! A store as simple as can be: lists that are searched from end to end.
//!
//! It uses what the crate shows to everybody and nothing else.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::{Arc, Mutex};

use mopse::cloud::Error;
use mopse::cloud::store::{Content, Label, Merged, Removed, Store, Totals};
use mopse::message::announcement::Announcement;
use mopse::message::answer::Part;
use mopse::message::attachment::{Attachment, StoredFile};
use mopse::message::certificate::Owner;
use mopse::message::notes::Note;
use mopse::message::place::{Group, Node};
use mopse::message::token::{Predicate, Scope, Token};
use mopse::message::upload::Upload;
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

/// Everything, in the order it came.
#[derive(Debug, Default)]
pub struct Lists(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    announcements: Vec<Arc<Announcement>>,
    uploads: Vec<Upload>,
    /// The last number of each provider.
    sequences: Vec<(Owner, String, u64)>,
    files: Vec<StoredFile>,
    /// The number of every file there ever was.
    numbers: Vec<(Owner, u128)>,
    labels: Vec<(Owner, Node, u128, Label)>,
    /// What came, bases too, and what was missing then.
    arrived: Vec<(Owner, Node, u128, Vec<u128>)>,
    notes: Vec<(Owner, Node, Note)>,
}

fn holds(upload: &Upload, record: u32, predicate: &Predicate) -> bool {
    let runs = upload.runs.iter().filter(|run| run.field == predicate.field);
    let mut entries = runs.flat_map(|run| run.records.iter().zip(&run.ciphertexts));
    let range = predicate.low..=predicate.high;
    entries.any(|(&of, ciphertext)| of == record && range.contains(ciphertext))
}

impl Kept {
    fn reached(&self, token: &Token) -> Vec<&Upload> {
        let is_reached = |upload: &&Upload| {
            upload.owner == token.owner
                && Group::of(&upload.provider).as_ref() == Some(&token.group)
                && match token.scope {
                    Scope::Group => true,
                    Scope::Own => upload.provider == token.issuer.subject(),
                }
        };
        self.uploads.iter().filter(is_reached).collect()
    }

    fn answer(&self, token: &Token) -> Vec<Part> {
        let reached = self.reached(token);
        let mut parts = Vec::new();
        for &upload in &reached {
            let (mut handles, mut records) = (Vec::new(), Blobs::default());
            for (at, record) in (0..upload.handles.len()).zip(0..) {
                if token.predicates.iter().all(|predicate| holds(upload, record, predicate)) {
                    handles.push(upload.handles[at]);
                    records.push(upload.records.get(at));
                }
            }
            if !handles.is_empty() {
                parts.push(part(token, upload, handles, records));
            }
        }
        let newest = reached.last().filter(|_| parts.is_empty());
        parts.extend(newest.map(|upload| part(token, upload, Vec::new(), Blobs::default())));
        parts
    }
}

fn part(token: &Token, upload: &Upload, handles: Vec<u128>, records: Blobs) -> Part {
    let (provider, layout) = (upload.provider.clone(), upload.layout.clone());
    Part::new(token.owner, provider, token.query, handles, layout, records).unwrap()
}

impl Store for Lists {
    type Error = Refused;

    fn owners(&self) -> Result<Vec<Owner>, Refused> {
        Ok(self.0.lock().unwrap().announcements.iter().map(|known| known.owner).collect())
    }

    fn announcement(&self, owner: &Owner) -> Result<Option<Arc<Announcement>>, Refused> {
        let kept = self.0.lock().unwrap();
        Ok(kept.announcements.iter().find(|known| known.owner == *owner).cloned())
    }

    fn enroll(&self, announcement: Announcement, _: &[u8]) -> Result<(), Refused> {
        let mut kept = self.0.lock().unwrap();
        let of_owner = |known: &Arc<Announcement>| known.owner == announcement.owner;
        if kept.announcements.iter().any(|k| of_owner(k) && k.number > announcement.number) {
            return Err(Error::OlderAnnouncement.into());
        }
        kept.announcements.retain(|known| !of_owner(known));
        kept.announcements.push(Arc::new(announcement));
        Ok(())
    }

    fn add(&self, upload: Upload, _: &[u8]) -> Result<(), Refused> {
        let mut kept = self.0.lock().unwrap();
        let (owner, provider) = (upload.owner, upload.provider.path());
        let is_late = |(of, path, last): &(Owner, String, u64)| {
            *of == owner && *path == provider && upload.sequence <= *last
        };
        if kept.sequences.iter().any(is_late) {
            return Err(Error::Replay { provider }.into());
        }
        for other in &kept.uploads {
            let is_stored = |handle| other.handles.contains(handle);
            if (other.owner, &other.provider) == (owner, &upload.provider)
                && let Some(position) = upload.handles.iter().position(is_stored)
            {
                return Err(Error::StoredRecord { provider, position }.into());
            }
        }
        kept.sequences.push((owner, provider, upload.sequence));
        kept.uploads.push(upload);
        Ok(())
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

    fn search(&self, tokens: &[Token]) -> Result<Vec<Part>, Refused> {
        let kept = self.0.lock().unwrap();
        Ok(tokens.iter().flat_map(|token| kept.answer(token)).collect())
    }

    fn count(&self, tokens: &[Token]) -> Result<usize, Refused> {
        Ok(self.search(tokens)?.iter().map(|part| part.handles.len()).sum())
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

    fn remove(&self, owner: &Owner, provider: &str) -> Result<Removed, Refused> {
        let mut kept = self.0.lock().unwrap();
        let is_gone = |of: &Owner, node: &Node| of == owner && node.path() == provider;
        let mut removed = Removed::default();
        kept.uploads.retain(|upload| {
            let gone = is_gone(&upload.owner, &upload.provider);
            removed.records += if gone { upload.handles.len() } else { 0 };
            !gone
        });
        kept.files.retain(|file| {
            let gone = is_gone(&file.owner, &file.provider);
            removed.files += usize::from(gone);
            !gone
        });
        for (of, node, _, label) in &mut kept.labels {
            if is_gone(of, node) {
                *label = Label::Spent;
            }
        }
        Ok(removed)
    }
}

impl Shows for Lists {
    fn contents(&self) -> Vec<Content> {
        let kept = self.0.lock().unwrap();
        let content = |upload: &Upload| Content {
            owner: upload.owner,
            group: Group::of(&upload.provider).unwrap(),
            provider: upload.provider.clone(),
            records: upload.handles.len(),
            size: upload.records.size(),
        };
        kept.uploads.iter().map(content).collect()
    }

    fn totals(&self) -> Totals {
        let kept = self.0.lock().unwrap();
        let runs = kept.uploads.iter().flat_map(|upload| upload.runs.iter());
        let size = |file: &StoredFile| file.description.len() + file.body.as_ref().unwrap().len();
        let is_live = |label: &&(Owner, Node, u128, Label)| matches!(label.3, Label::Live(_));
        Totals {
            entries: runs.map(|run| run.ciphertexts.len()).sum(),
            files: kept.files.len(),
            file_size: kept.files.iter().map(size).sum(),
            keywords: kept.labels.iter().filter(is_live).count(),
        }
    }

    fn merged(&self, owner: &Owner, group: &str, field: &str) -> Merged {
        let kept = self.0.lock().unwrap();
        let mut entries = Vec::new();
        let mut first = 0;
        for upload in &kept.uploads {
            let is_of = Group::of(&upload.provider).is_some_and(|of| of.to_string() == group);
            if upload.owner == *owner && is_of {
                for run in upload.runs.iter().filter(|run| run.field == field) {
                    let records = run.records.iter().map(|record| first + record);
                    entries.extend(run.ciphertexts.iter().copied().zip(records));
                }
                first += u32::try_from(upload.handles.len()).unwrap();
            }
        }
        entries.sort_by_key(|&(ciphertext, _)| ciphertext);
        let (ciphertexts, records) = entries.into_iter().unzip();
        Merged { ciphertexts, records }
    }
}
