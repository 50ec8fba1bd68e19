//! What a store must answer, told from plaintexts: a world that knows what every message holds.
//!
//! It compares plaintexts, not ciphertexts, and keeps lists of what was sent; what travels (pseudonyms,
//! sealed records, numbers of files) it reads from the messages. Every step is written into a script.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use mopse::cipher::aes_gcm;
use mopse::cloud::store::{Content, Merged, Receipt, Totals};
use mopse::message::announcement;
use mopse::message::answer::{self, Part};
use mopse::message::attachment::{Attachment, StoredFile};
use mopse::message::certificate::Owner;
use mopse::message::listing::{Fetched, Listing};
use mopse::message::notes::{Note, Notes};
use mopse::message::place::{Group, Node};
use mopse::message::query::{Query, Scope, Token};
use mopse::message::request::{Ask, Request};
use mopse::message::upload::{Portion, Upload};
use mopse::party::columns::{Column, Values};
use mopse::party::records::Ids;
use mopse::party::uploading::{Change, Made, Table, Versions};
use mopse::party::{Indexed, Keyring, Range};
use mopse::wire::{Blobs, Packed};

use crate::scene::Row;
use crate::scripts::{Answer, Call, Hex, Operation, Script};

/// The time at the cloud, and when tokens end: far from any clock.
pub const NOW: u64 = 4_000_000_000;

/// An upload, and what its sender knows of it.
pub struct Sent {
    pub message: Vec<u8>,
    upload: Upload,
    /// The id of each record.
    ids: Vec<i64>,
    /// The ids of those that it removes.
    removed: Vec<i64>,
    /// The plaintexts of each field, by record.
    plaintexts: BTreeMap<&'static str, Vec<Option<i64>>>,
    /// Which records are live.
    live: Vec<bool>,
}

/// An attachment, and what its sender knows of it.
pub struct Mailed {
    pub message: Vec<u8>,
    attachment: Attachment,
    /// Its keywords, and the how many-th use of each it is, counted from 0.
    uses: BTreeMap<&'static str, u64>,
}

impl Mailed {
    pub fn number(&self) -> u128 {
        self.attachment.file.number
    }

    pub fn handle(&self) -> u128 {
        self.attachment.file.handle
    }

    pub fn note(&self) -> Note {
        Note { number: self.number(), sealed: self.attachment.note.clone() }
    }
}

/// A provider that counts how often it used each keyword, as its keyring does.
pub struct Desk {
    pub keyring: Keyring,
    used: BTreeMap<&'static str, u64>,
}

impl From<Keyring> for Desk {
    fn from(keyring: Keyring) -> Self {
        Self { keyring, used: BTreeMap::new() }
    }
}

impl Desk {
    /// Attaches a file of some length to a record.
    pub fn attach(&mut self, record: i64, size: usize, keywords: &[&'static str]) -> Mailed {
        let words: Vec<&[u8]> = keywords.iter().map(|word| word.as_bytes()).collect();
        let (ids, called, contents) = ([record], ("a", "a/b"), vec![b'x'; size]);
        let message = self
            .keyring
            .attach(Ids::Integers(&ids), &aes_gcm::AES_256, called, &contents, &words)
            .unwrap();
        let mut uses = BTreeMap::new();
        for word in keywords {
            let used = self.used.entry(word).or_default();
            uses.insert(*word, *used);
            *used += 1;
        }
        let attachment = Attachment::decode(&message).unwrap();
        Mailed { message, attachment, uses }
    }

    /// Asks for notes and learns these; returns what was asked, and what was answered.
    pub fn learn(&mut self, notes: Vec<Note>) -> (Vec<u8>, Notes) {
        let message = self.keyring.request_notes(NOW).unwrap();
        let request = Request::decode(&message).unwrap();
        let notes = notes_for(&request, notes);
        self.keyring.learn_uses(&notes, &request).unwrap();
        (message, notes)
    }
}

fn notes_for(request: &Request, notes: Vec<Note>) -> Notes {
    let provider = request.issuer.subject();
    Notes { request: request.id, owner: request.owner, provider, notes }
}

/// A record's plaintext of a field, if it has one.
type Value = fn(&Row) -> Option<i64>;

/// An upload of new records with a text of a few letters each.
pub fn upload(provider: &Keyring, rows: &[Row]) -> Sent {
    change(provider, rows, Change::Add, &Versions::default())
}

/// An upload that removes records.
pub fn delete(provider: &Keyring, ids: &[i64], versions: &Versions) -> Sent {
    let Made { message, rows } = provider.deletion(Ids::Integers(ids), versions, NOW).unwrap();
    let removed = rows.iter().map(|&row| ids[usize::try_from(row).unwrap()]).collect();
    let upload = Upload::decode(&message).unwrap();
    Sent { message, upload, ids: vec![], removed, plaintexts: BTreeMap::new(), live: vec![] }
}

/// An upload of records that are new, or take the place of others.
pub fn change(provider: &Keyring, rows: &[Row], change: Change, versions: &Versions) -> Sent {
    let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let (mut ends, mut letters) = (Vec::new(), 0);
    for id in &ids {
        letters += id.unsigned_abs() % 4;
        ends.push(letters);
    }
    let bytes = vec![b'n'; usize::try_from(letters).unwrap()];
    let note = Column {
        name: "n".into(),
        dtype: "String".into(),
        values: Values::Text(Packed::new(ends, bytes).unwrap()),
        is_valid: Cow::Owned(vec![true; rows.len()]),
    };
    let fields: [(&'static str, Value); 2] = [("age", |row| Some(row.1)), ("sbp", |row| row.2)];
    let columns = fields.map(|(_, value)| -> (Vec<u32>, Vec<i64>) {
        (0..).zip(rows).filter_map(|(at, row)| Some((at, value(row)?))).unzip()
    });
    let indexed: Vec<Indexed<'_>> = fields
        .iter()
        .zip(&columns)
        .map(|((field, _), (rows, plaintexts))| Indexed { field, rows, plaintexts })
        .collect();
    let number = |name: &str, value: Value| {
        let values = rows.iter().map(|row| value(row).unwrap_or(0)).collect();
        let is_valid = rows.iter().map(|row| value(row).is_some()).collect();
        let (name, dtype) = (name.into(), "Int64".into());
        Column {
            name,
            dtype,
            values: Values::Int64(Cow::Owned(values)),
            is_valid: Cow::Owned(is_valid),
        }
    };
    let [age, sbp] = fields.map(|(name, value)| number(name, value));
    let columns = [number("id", |row| Some(row.0)), age, sbp, note];
    let (of, id) = (Ids::Integers(&ids), Some("id"));
    let table = Table { columns: &columns, ids: of, id, indexed: &indexed, now: NOW };
    let made = provider.upload(&table, change, versions).unwrap();
    sent(made, rows, &fields)
}

/// What its sender knows of an upload of rows that it made.
fn sent(made: Made, table: &[Row], fields: &[(&'static str, Value)]) -> Sent {
    let Made { message, rows } = made;
    let upload = Upload::decode(&message).unwrap();
    let row = |at: &u32| &table[usize::try_from(*at).unwrap()];
    let (added, removed) = rows.split_at(upload.handles.len());
    let column = |value: Value| added.iter().map(|at| value(row(at))).collect();
    Sent {
        ids: added.iter().map(|at| row(at).0).collect(),
        removed: removed.iter().map(|at| row(at).0).collect(),
        plaintexts: fields.iter().map(|&(field, value)| (field, column(value))).collect(),
        live: vec![true; added.len()],
        message,
        upload,
    }
}

impl Sent {
    fn group(&self) -> Group {
        Group::of(&self.upload.provider).unwrap()
    }

    fn matches(&self, record: usize, ranges: &[Range]) -> bool {
        ranges.iter().all(|range| {
            let plaintexts = self.plaintexts.get(range.field.as_str());
            let plaintext = plaintexts.and_then(|plaintexts| plaintexts[record]);
            plaintext.is_some_and(|plaintext| (range.low..=range.high).contains(&plaintext))
        })
    }

    fn part(&self, nothing: &Part, records: &[usize]) -> Part {
        let portion = |portion: &Portion| {
            let mut sealed = Blobs::default();
            records.iter().for_each(|&record| sealed.push(portion.records.get(record)));
            Portion { records: sealed, ..portion.clone() }
        };
        Part {
            provider: self.upload.provider.clone(),
            upload: self.upload.id,
            readers: self.upload.readers,
            handles: records.iter().map(|&record| self.upload.handles[record]).collect(),
            portions: self.upload.portions.iter().map(portion).collect(),
            ..nothing.clone()
        }
    }

    /// How many bytes are sealed of live records.
    fn size(&self) -> usize {
        let portions = self.upload.portions.iter();
        let live = self.live();
        let of_portion = |portion: &Portion| -> usize {
            live.iter().map(|&record| portion.records.get(record).len()).sum()
        };
        portions.map(of_portion).sum()
    }

    fn live(&self) -> Vec<usize> {
        (0..self.live.len()).filter(|&record| self.live[record]).collect()
    }

    /// Whose records it removes, and their handles, with their ids.
    fn removals(&self) -> Vec<(Node, u128, i64)> {
        let rows = self.upload.removed.iter().flat_map(|removed| {
            removed.rows.iter().map(|&(handle, _)| (removed.provider.clone(), handle))
        });
        rows.zip(&self.removed).map(|((node, handle), &id)| (node, handle, id)).collect()
    }
}

/// Which records are asked for.
enum Asked<'a> {
    Ranges(&'a [Range]),
    Ids(&'a [i64]),
    All,
}

/// A record that was removed.
struct Tombstone {
    owner: Owner,
    provider: Node,
    handle: u128,
    id: i64,
    by: u128,
}

/// What was taken, in the order it came, and the script of it.
pub struct World {
    script: Script,
    uploads: Vec<Sent>,
    tombstones: Vec<Tombstone>,
    /// The owner of every upload and removal.
    changes: Vec<Owner>,
    /// What was said to uploads and removals.
    receipts: Vec<(Vec<u8>, Receipt)>,
    /// The newest announcement of each authority.
    announced: BTreeMap<(Owner, Node), Vec<u8>>,
    files: Vec<Mailed>,
    /// The next use of keywords that were taken, also of files that are gone.
    used: BTreeMap<(Owner, Node, &'static str), u64>,
    /// The notes of all files that ever came.
    notes: Vec<(Owner, Node, Note)>,
}

pub fn call_enroll(message: Vec<u8>) -> Call {
    Call::Enroll { message: Hex(message) }
}

pub fn call_receive(message: Vec<u8>) -> Call {
    Call::Receive { message: Hex(message), now: NOW }
}

pub fn call_search(message: Vec<u8>) -> Call {
    Call::Search { message: Hex(message), now: NOW }
}

pub fn call_count(message: Vec<u8>) -> Call {
    Call::Count { message: Hex(message), now: NOW }
}

pub fn call_find(message: Vec<u8>) -> Call {
    Call::Find { message: Hex(message), now: NOW }
}

pub fn call_fetch(message: Vec<u8>) -> Call {
    Call::Fetch { message: Hex(message), now: NOW }
}

pub fn call_notes(message: Vec<u8>) -> Call {
    Call::Notes { message: Hex(message), now: NOW }
}

/// A query for ranges.
pub fn query(by: &Keyring, ranges: &[Range]) -> Vec<u8> {
    by.query(ranges, NOW).unwrap()
}

fn words<'a>(keywords: &[&'a str]) -> Vec<&'a [u8]> {
    keywords.iter().map(|word| word.as_bytes()).collect()
}

impl World {
    pub fn new(about: &str) -> Self {
        let source = "MOPSE_WRITE_SCRIPTS=1 cargo test --test store: owners with 32 equal bytes as \
                      root keys and seeds, answers told from the plaintexts";
        let (about, source) = (about.to_owned(), source.to_owned());
        Self {
            script: Script { about, source, operations: Vec::new() },
            uploads: Vec::new(),
            tombstones: Vec::new(),
            changes: Vec::new(),
            receipts: Vec::new(),
            announced: BTreeMap::new(),
            files: Vec::new(),
            used: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    pub fn into_script(self) -> Script {
        self.script
    }

    fn push(&mut self, about: &str, call: Call, answer: Answer) {
        let about = about.to_owned();
        self.script.operations.push(Operation { about, call, answer });
    }

    /// A call that is refused for a cause.
    pub fn refuse(&mut self, about: &str, call: Call, cause: &str) {
        self.push(about, call, Answer::refused(cause));
    }

    /// Announcements of an owner or a provider that are taken.
    pub fn enroll(&mut self, about: &str, by: &mut Keyring) {
        let message = by.announcements().unwrap();
        for (announcement, signed) in announcement::split(&message).unwrap() {
            self.announced.insert((announcement.owner, announcement.authority), signed);
        }
        self.push(about, call_enroll(message), Answer::Done);
    }

    /// What an owner has announced; a keyring catches up with that.
    pub fn announcements(&mut self, about: &str, owner: Owner) -> Vec<u8> {
        let of_owner = self.announced.iter().filter(|((of, _), _)| *of == owner);
        let all: Vec<Vec<u8>> = of_owner.map(|(_, message)| message.clone()).collect();
        let message = announcement::join(&owner, &all);
        let call = Call::Announcements { owner: Hex(owner.0.to_vec()) };
        self.push(about, call, Answer::Announcements(Hex(message.clone())));
        message
    }

    fn live_at(&self, owner: Owner, node: &Node, handle: u128) -> Option<(usize, usize)> {
        self.uploads.iter().enumerate().find_map(|(at, sent)| {
            let is_of = (sent.upload.owner, &sent.upload.provider) == (owner, node);
            let is_it = |&record: &usize| sent.upload.handles[record] == handle;
            let record = sent.live().into_iter().find(is_it)?;
            is_of.then_some((at, record))
        })
    }

    /// An upload that is taken.
    pub fn receive(&mut self, about: &str, sent: Sent) {
        let (owner, provider) = (sent.upload.owner, sent.upload.provider.clone());
        let handles = sent.upload.handles.iter().map(|&handle| (provider.clone(), handle));
        let removals = sent.removals();
        let replaced: Vec<_> =
            handles.filter_map(|(node, handle)| self.live_at(owner, &node, handle)).collect();
        let removed =
            removals.iter().filter_map(|(node, handle, _)| self.live_at(owner, node, *handle));
        let removed: Vec<_> = removed.collect();
        assert_eq!(removed.len(), sent.removed.len(), "{about}");
        for &(at, record) in replaced.iter().chain(&removed) {
            self.uploads[at].live[record] = false;
        }
        self.tombstones.retain(|tombstone| {
            (tombstone.owner, &tombstone.provider) != (owner, &provider)
                || !sent.upload.handles.contains(&tombstone.handle)
        });
        let by = sent.upload.id;
        self.tombstones.extend(removals.into_iter().map(|(provider, handle, id)| Tombstone {
            owner,
            provider,
            handle,
            id,
            by,
        }));
        let receipt = Receipt {
            provider: provider.path(),
            added: sent.live.len() - replaced.len(),
            replaced: replaced.len(),
            removed: removed.len(),
            files: 0,
            is_repeated: false,
        };
        self.taken(about, owner, sent.message.clone(), receipt);
        self.uploads.push(sent);
    }

    fn taken(&mut self, about: &str, owner: Owner, message: Vec<u8>, receipt: Receipt) {
        self.changes.push(owner);
        self.receipts.push((message.clone(), receipt.clone()));
        self.push(about, call_receive(message), Answer::receipt(receipt));
    }

    /// An upload or a removal that comes again, is acknowledged and changes nothing.
    pub fn again(&mut self, about: &str, message: &[u8]) {
        let known = self.receipts.iter().find(|(of, _)| of == message);
        let receipt = Receipt { is_repeated: true, ..known.unwrap().1.clone() };
        self.push(about, call_receive(message.to_vec()), Answer::receipt(receipt));
    }

    /// A signed removal of all that a provider sent; returns it.
    pub fn receive_removal(&mut self, about: &str, by: &Keyring, provider: &str) -> Vec<u8> {
        let message = by.removal(provider).unwrap();
        let (removed, files) = self.clear(by.owner(), provider);
        let (provider, added, replaced, is_repeated) = (provider.to_owned(), 0, 0, false);
        let receipt = Receipt { provider, added, replaced, removed, files, is_repeated };
        self.taken(about, by.owner(), message.clone(), receipt);
        message
    }

    pub fn attach(&mut self, about: &str, mailed: Mailed) {
        let StoredFile { owner, provider, .. } = &mailed.attachment.file;
        let (added, replaced, removed, is_repeated) = (0, 0, 0, false);
        let provider_path = provider.path();
        let receipt =
            Receipt { provider: provider_path, added, replaced, removed, files: 1, is_repeated };
        let (owner, provider) = (*owner, provider.clone());
        self.push(about, call_receive(mailed.message.clone()), Answer::receipt(receipt));
        for (word, count) in &mailed.uses {
            let next = self.used.entry((owner, provider.clone(), word)).or_default();
            *next = (count + 1).max(*next);
        }
        self.notes.push((owner, provider.clone(), mailed.note()));
        self.files.push(mailed);
    }

    /// The parts that answer a token.
    fn parts(&self, owner: Owner, token: &Token, asked: &Asked<'_>) -> Vec<Part> {
        let snapshot = self.changes.iter().filter(|of| **of == owner).count();
        let nothing = Part::nothing(owner, token.id, u64::try_from(snapshot).unwrap());
        let is_reached = |of: Owner, provider: &Node| {
            let is_named = match &token.scope {
                Scope::Group => true,
                Scope::One(name) => provider.names().last() == Some(name),
            };
            is_named && of == owner && Group::of(provider).as_ref() == Some(&token.group)
        };
        let (mut parts, mut newest) = (Vec::new(), None);
        let uploads = self.uploads.iter();
        for sent in uploads.filter(|sent| is_reached(sent.upload.owner, &sent.upload.provider)) {
            let is_asked = |&record: &usize| match asked {
                Asked::Ranges(ranges) => sent.matches(record, ranges),
                Asked::Ids(ids) => ids.contains(&sent.ids[record]),
                Asked::All => true,
            };
            let live = sent.live();
            newest = if live.is_empty() { newest } else { Some(sent) };
            let records: Vec<usize> = live.into_iter().filter(is_asked).collect();
            if !records.is_empty() {
                parts.push(sent.part(&nothing, &records));
            }
        }
        if parts.is_empty() {
            parts.extend(newest.map(|sent| sent.part(&nothing, &[])));
        }
        if let Asked::Ids(ids) = asked {
            let mut removed: Vec<(u128, u128)> = Vec::new();
            let mut provider = None;
            for Tombstone { owner, provider: of, handle, id, by } in &self.tombstones {
                if is_reached(*owner, of) && ids.contains(id) {
                    removed.push((*handle, *by));
                    provider = Some(of.clone());
                }
            }
            removed.sort_unstable();
            parts.extend(provider.map(|provider| Part { provider, removed, ..nothing.clone() }));
        }
        if parts.is_empty() {
            parts.push(nothing);
        }
        let count = parts.len();
        for (at, part) in parts.iter_mut().enumerate() {
            (part.page, part.is_last) = (u32::try_from(at).unwrap(), at + 1 == count);
        }
        parts
    }

    /// The answer to a query.
    fn answer(&self, query: &[u8], asked: &Asked<'_>) -> answer::Answer {
        let query = Query::decode(query).unwrap();
        let parts = query.tokens.iter().flat_map(|token| self.parts(query.owner, token, asked));
        let answer = answer::Answer { query: query.id, parts: parts.collect(), proof: None };
        assert_eq!(answer.check(&query), Ok(()));
        answer
    }

    fn push_found(
        &mut self,
        about: &str,
        query: Vec<u8>,
        asked: &Asked<'_>,
        records: usize,
    ) -> answer::Answer {
        let answer = self.answer(&query, asked);
        let found: usize = answer.parts.iter().map(|part| part.handles.len()).sum();
        assert_eq!(found, records, "{about}");
        let parts = answer.parts.clone();
        self.push(about, call_search(query), Answer::found(answer.query, parts));
        answer
    }

    /// A query for ranges; `records` are found, as whoever wrote the script expects.
    pub fn search(&mut self, about: &str, by: &Keyring, ranges: &[Range], records: usize) {
        self.push_found(about, query(by, ranges), &Asked::Ranges(ranges), records);
    }

    /// A query for records of a provider; `records` are found.
    pub fn lookup(
        &mut self,
        about: &str,
        by: &Keyring,
        path: &str,
        ids: &[i64],
        records: usize,
    ) -> Versions {
        let query = by.lookup(path, Ids::Integers(ids), NOW).unwrap();
        Versions::of(&self.push_found(about, query, &Asked::Ids(ids), records).parts)
    }

    /// A query for all records of a provider's earlier epochs, and the uploads that renew them.
    pub fn renewal(
        &mut self,
        about: &str,
        by: &Keyring,
        table: &[Row],
        records: usize,
    ) -> Vec<Sent> {
        let query = by.renewal(NOW).unwrap();
        let answer = self.push_found(about, query, &Asked::All, records);
        let fields: [(&'static str, Value); 2] = [("age", |row| Some(row.1)), ("sbp", |row| row.2)];
        let made = by.renew(&answer.parts, &Versions::default(), NOW).unwrap().into_iter();
        let parts = answer.parts.iter().filter(|part| !part.handles.is_empty());
        made.zip(parts)
            .map(|(made, part)| {
                // Rows are numbered in the order of the part.
                let of_part = self.uploads.iter().find(|sent| sent.upload.id == part.upload);
                let of_part = of_part.unwrap();
                let row = |handle: &u128| {
                    let at = of_part.upload.handles.iter().position(|other| other == handle);
                    *table.iter().find(|row| row.0 == of_part.ids[at.unwrap()]).unwrap()
                };
                let rows: Vec<Row> = part.handles.iter().map(row).collect();
                sent(made, &rows, &fields)
            })
            .collect()
    }

    /// A query that is only counted.
    pub fn count(&mut self, about: &str, by: &Keyring, ranges: &[Range]) {
        let query = query(by, ranges);
        let parts = self.answer(&query, &Asked::Ranges(ranges)).parts;
        let found = parts.iter().map(|part| part.handles.len()).sum();
        self.push(about, call_count(query), Answer::Count(found));
    }

    fn matching(&self, request: &Request, keywords: &[&'static str]) -> Vec<StoredFile> {
        let Ask::Keywords(providers) = &request.ask else { return Vec::new() };
        let mut found = Vec::new();
        for (provider, _) in providers {
            let mut files: Vec<&Mailed> = self
                .files
                .iter()
                .filter(|mailed| {
                    let file = &mailed.attachment.file;
                    (file.owner, &file.provider) == (request.owner, provider)
                        && keywords.iter().all(|word| mailed.uses.contains_key(word))
                })
                .collect();
            files.sort_by_key(|mailed| mailed.uses[keywords[0]]);
            found.extend(files.iter().map(|mailed| mailed.attachment.file.without_body()));
        }
        found
    }

    /// A search for files by keywords; `files` are found, as whoever wrote the script expects.
    pub fn find(&mut self, about: &str, by: &Keyring, keywords: &[&'static str], files: usize) {
        let message = by.search_files(&words(keywords), NOW).unwrap();
        let request = Request::decode(&message).unwrap();
        let found = self.matching(&request, keywords);
        assert_eq!(found.len(), files, "{about}");
        let listing = Listing { request: request.id, files: found, proof: None };
        self.push(about, call_find(message), Answer::listing(&listing));
    }

    /// A listing of the files of some records.
    pub fn list(&mut self, about: &str, by: &Keyring, records: &[(&Node, &[u128])], files: usize) {
        let asked = records.iter().map(|&(node, handles)| (node.clone(), handles.to_vec()));
        let message = by.list_files(asked.collect(), NOW).unwrap();
        let mut found = Vec::new();
        for (node, handles) in records {
            for handle in *handles {
                let wanted = (by.owner(), *node, handle);
                let all = self.files.iter().map(|mailed| &mailed.attachment.file);
                let of_record = all.filter(|f| (f.owner, &f.provider, &f.handle) == wanted);
                found.extend(of_record.map(StoredFile::without_body));
            }
        }
        assert_eq!(found.len(), files, "{about}");
        let request = Request::decode(&message).unwrap().id;
        self.push(
            about,
            call_find(message),
            Answer::listing(&Listing { request, files: found, proof: None }),
        );
    }

    /// Fetching a file that is there.
    pub fn fetch(&mut self, about: &str, by: &Keyring, number: u128) {
        let message = by.fetch_file(number, NOW).unwrap();
        let mut files = self.files.iter().map(|mailed| &mailed.attachment.file);
        let file = files.find(|f| f.owner == by.owner() && f.number == number).unwrap();
        let request = Request::decode(&message).unwrap().id;
        let answer = Answer::file(&Fetched { request, file: file.clone(), deed: None });
        self.push(about, call_fetch(message), answer);
    }

    /// The notes that came from a provider.
    fn notes_of(&self, by: &Keyring) -> Vec<Note> {
        let is_of =
            |(owner, node, _): &&(Owner, Node, Note)| (*owner, node) == (by.owner(), by.node());
        self.notes.iter().filter(is_of).map(|(.., note)| note.clone()).collect()
    }

    /// A provider asks for its notes, of which there are so many.
    pub fn list_notes(&mut self, about: &str, by: &Keyring, count: usize) {
        let message = by.request_notes(NOW).unwrap();
        let notes = notes_for(&Request::decode(&message).unwrap(), self.notes_of(by));
        assert_eq!(notes.notes.len(), count, "{about}");
        self.push(about, call_notes(message), Answer::notes(&notes));
    }

    /// A provider asks for its notes, and counts on from them.
    pub fn catch_up(&mut self, about: &str, desk: &mut Desk) {
        let (message, notes) = desk.learn(self.notes_of(&desk.keyring));
        self.push(about, call_notes(message), Answer::notes(&notes));
        let of = (desk.keyring.owner(), desk.keyring.node());
        let of_desk = self.used.iter().filter(|((owner, node, _), _)| (*owner, node) == of);
        desk.used = of_desk.map(|((.., word), next)| (*word, *next)).collect();
    }

    /// Removes all that a provider sent; how many records and files there were.
    fn clear(&mut self, owner: Owner, provider: &str) -> (usize, usize) {
        let is_gone = |of, node: &Node| of == owner && node.path() == provider;
        let (mut records, mut files) = (0, 0);
        self.uploads.retain(|sent| {
            let gone = is_gone(sent.upload.owner, &sent.upload.provider);
            records += if gone { sent.live().len() } else { 0 };
            !gone
        });
        self.tombstones.retain(|tombstone| !is_gone(tombstone.owner, &tombstone.provider));
        self.files.retain(|Mailed { attachment: Attachment { file, .. }, .. }| {
            let gone = is_gone(file.owner, &file.provider);
            files += usize::from(gone);
            !gone
        });
        (records, files)
    }

    /// Removes all that a provider sent; the owner is named unless it is the only one.
    pub fn remove(&mut self, about: &str, owner: &mut Keyring, is_named: bool, provider: &str) {
        let announcement = is_named.then(|| Hex(owner.announcements().unwrap()));
        let (records, files) = self.clear(owner.owner(), provider);
        assert!(records + files > 0, "{about}");
        self.changes.push(owner.owner());
        let provider = provider.to_owned();
        self.push(
            about,
            Call::Remove { announcement, provider },
            Answer::Removed { records, files },
        );
    }

    /// What a copy of the store shows: contents, totals, and every field of every group.
    pub fn show(&mut self, about: &str) {
        let content = |sent: &Sent| Content {
            owner: sent.upload.owner,
            group: sent.group(),
            provider: sent.upload.provider.clone(),
            records: sent.live().len(),
            size: sent.size(),
        };
        let uploads = || self.uploads.iter().filter(|sent| !sent.live().is_empty());
        let contents: Vec<Content> = uploads().map(content).collect();
        let groups: BTreeSet<_> = uploads().map(|sent| (sent.upload.owner, sent.group())).collect();
        let values = |sent: &Sent| {
            let of_field = |values: &Vec<Option<i64>>| {
                sent.live().into_iter().filter(|&record| values[record].is_some()).count()
            };
            sent.plaintexts.values().map(of_field).sum::<usize>()
        };
        let files = self.files.iter().map(|mailed| &mailed.attachment.file);
        let body = |file: &StoredFile| file.body.as_ref().unwrap().len();
        let totals = Totals {
            entries: self.uploads.iter().map(values).sum(),
            files: self.files.len(),
            file_size: files.map(|file| file.description.len() + body(file)).sum(),
            keywords: self.files.iter().map(|mailed| mailed.uses.len()).sum(),
        };
        self.push(about, Call::Contents, Answer::contents(&contents));
        self.push(about, Call::Totals, Answer::totals(totals));
        for (owner, group) in groups {
            for field in ["age", "sbp"] {
                let of_group =
                    |sent: &&Sent| (sent.upload.owner, sent.group()) == (owner, group.clone());
                let merged = merged(self.uploads.iter().filter(of_group), field);
                let (owner, group) = (Hex(owner.0.to_vec()), group.to_string());
                let call = Call::Merged { owner, group, field: field.to_owned() };
                self.push(about, call, Answer::merged(merged));
            }
        }
    }
}

/// The entries of a field in the order of their plaintexts, with the record of each, counted through
/// the uploads. Where plaintexts are equal, the ciphertexts of the messages decide.
fn merged<'a>(uploads: impl Iterator<Item = &'a Sent>, field: &str) -> Merged {
    let uploads = uploads.filter(|sent| !sent.live().is_empty());
    let mut entries = Vec::new();
    let mut first = 0;
    for sent in uploads {
        let run = sent.upload.runs.iter().find(|run| run.field == field).unwrap();
        let live = sent.live();
        for (&ciphertext, &record) in run.ciphertexts.iter().zip(&run.records) {
            let record = usize::try_from(record).unwrap();
            let plaintext = sent.plaintexts[field][record].unwrap();
            if let Ok(number) = live.binary_search(&record) {
                entries.push((plaintext, ciphertext, first + u32::try_from(number).unwrap()));
            }
        }
        first += u32::try_from(live.len()).unwrap();
    }
    entries.sort_unstable();
    let (ciphertexts, records) = entries.into_iter().map(|(_, c, record)| (c, record)).unzip();
    Merged { ciphertexts, records }
}
