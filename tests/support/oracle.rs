//! What a store must answer, told from plaintexts: a world that knows what every message holds.
//!
//! It compares plaintexts, not ciphertexts, and keeps lists of what was sent; what travels (pseudonyms,
//! sealed records, numbers of files) it reads from the messages. Every step is written into a script.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use mopse::cipher::aes_gcm;
use mopse::cloud::store::{Content, Merged, Totals};
use mopse::message::answer::Part;
use mopse::message::attachment::{Attachment, StoredFile};
use mopse::message::bundle;
use mopse::message::certificate::Owner;
use mopse::message::listing::{Fetched, Listing};
use mopse::message::notes::{Note, Notes};
use mopse::message::place::{Group, Node};
use mopse::message::request::{Ask, Request};
use mopse::message::token::{Scope, Token};
use mopse::message::upload::Upload;
use mopse::party::columns::{Column, Values};
use mopse::party::records::Ids;
use mopse::party::{Indexed, Keyring, Range};
use mopse::wire::{Blobs, Kind, Packed};

use crate::scene::Row;
use crate::scripts::{Answer, Call, Hex, Operation, Script};

/// The time at the cloud, and when tokens end: far from any clock.
pub const NOW: u64 = 4_000_000_000;

/// An upload, and what its sender knows of it.
pub struct Sent {
    pub message: Vec<u8>,
    upload: Upload,
    /// The plaintexts of each field, by record.
    plaintexts: BTreeMap<&'static str, Vec<Option<i64>>>,
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

/// An upload of records with a text of a few letters each.
pub fn upload(provider: &Keyring, rows: &[Row], sequence: u64) -> Sent {
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
    let message = provider.upload(&[note], Ids::Integers(&ids), &indexed, sequence).unwrap();
    let decoded = Upload::decode(&message).unwrap();
    let by_handle: BTreeMap<u128, &Row> =
        provider.handles(Ids::Integers(&ids)).into_iter().zip(rows).collect();
    let column =
        |value: Value| decoded.handles.iter().map(|handle| value(by_handle[handle])).collect();
    let plaintexts = fields.into_iter().map(|(field, value)| (field, column(value))).collect();
    Sent { message, upload: decoded, plaintexts }
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

    fn part(&self, query: u128, records: &[usize]) -> Part {
        let mut sealed = Blobs::default();
        records.iter().for_each(|&record| sealed.push(self.upload.records.get(record)));
        Part {
            owner: self.upload.owner,
            provider: self.upload.provider.clone(),
            query,
            layout: self.upload.layout.clone(),
            handles: records.iter().map(|&record| self.upload.handles[record]).collect(),
            records: sealed,
        }
    }
}

/// What was taken, in the order it came, and the script of it.
pub struct World {
    script: Script,
    uploads: Vec<Sent>,
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
    Call::Receive { message: Hex(message) }
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

/// The query of one party or several.
pub fn query(asked: &[(&Keyring, &[Range])]) -> Vec<u8> {
    let tokens: Vec<Vec<u8>> =
        asked.iter().flat_map(|(by, ranges)| by.tokens(ranges, NOW).unwrap()).collect();
    bundle::join(Kind::Query, tokens.iter().map(Vec::as_slice))
}

fn words<'a>(keywords: &[&'a str]) -> Vec<&'a [u8]> {
    keywords.iter().map(|word| word.as_bytes()).collect()
}

impl World {
    pub fn new(about: &str) -> Self {
        let source = "MOPSE_WRITE_SCRIPTS=1 cargo test --test store: owners with 32 equal bytes as \
                      root keys, answers told from the plaintexts";
        let (about, source) = (about.to_owned(), source.to_owned());
        Self {
            script: Script { about, source, operations: Vec::new() },
            uploads: Vec::new(),
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

    pub fn enroll(&mut self, about: &str, owner: &Keyring) {
        self.push(about, call_enroll(owner.announcement().unwrap()), Answer::Done);
    }

    pub fn receive(&mut self, about: &str, sent: Sent) {
        self.push(about, call_receive(sent.message.clone()), Answer::Done);
        self.uploads.push(sent);
    }

    pub fn attach(&mut self, about: &str, mailed: Mailed) {
        self.push(about, call_receive(mailed.message.clone()), Answer::Done);
        let StoredFile { owner, provider, .. } = &mailed.attachment.file;
        for (word, count) in &mailed.uses {
            let next = self.used.entry((*owner, provider.clone(), word)).or_default();
            *next = (count + 1).max(*next);
        }
        self.notes.push((*owner, provider.clone(), mailed.note()));
        self.files.push(mailed);
    }

    /// The parts that answer a token with ranges of plaintexts.
    fn parts(&self, token: &Token, ranges: &[Range]) -> Vec<Part> {
        let reached = self.uploads.iter().filter(|sent| {
            let is_own = sent.upload.provider == token.issuer.subject();
            sent.upload.owner == token.owner
                && sent.group() == token.group
                && (token.scope == Scope::Group || is_own)
        });
        let mut parts = Vec::new();
        let mut newest = None;
        for sent in reached {
            let records: Vec<usize> = (0..sent.upload.handles.len())
                .filter(|&record| sent.matches(record, ranges))
                .collect();
            if !records.is_empty() {
                parts.push(sent.part(token.query, &records));
            }
            newest = Some(sent);
        }
        if parts.is_empty() {
            parts.extend(newest.map(|sent| sent.part(token.query, &[])));
        }
        parts
    }

    /// The parts that answer a query.
    fn answer(&self, query: &[u8], asked: &[(&Keyring, &[Range])]) -> Vec<Part> {
        let tokens = bundle::split(Kind::Query, query).unwrap();
        let mut tokens = tokens.into_iter().map(|token| Token::decode(token).unwrap()).peekable();
        let mut parts = Vec::new();
        for (by, ranges) in asked {
            let issuer = |token: &Token| (token.owner, token.issuer.subject());
            while let Some(token) =
                tokens.next_if(|token| issuer(token) == (by.owner(), by.node().clone()))
            {
                parts.extend(self.parts(&token, ranges));
            }
        }
        parts
    }

    /// A query of one party or several; `records` are found, as whoever wrote the script expects.
    pub fn search(&mut self, about: &str, asked: &[(&Keyring, &[Range])], records: usize) {
        let query = query(asked);
        let parts = self.answer(&query, asked);
        let found: usize = parts.iter().map(|part| part.handles.len()).sum();
        assert_eq!(found, records, "{about}");
        self.push(about, call_search(query), Answer::parts(&parts));
    }

    /// A query that is only counted.
    pub fn count(&mut self, about: &str, by: &Keyring, ranges: &[Range]) {
        let asked = [(by, ranges)];
        let query = query(&asked);
        let found = self.answer(&query, &asked).iter().map(|part| part.handles.len()).sum();
        self.push(about, call_count(query), Answer::Count(found));
    }

    /// A query without a token.
    pub fn push_empty(&mut self, about: &str, query: Vec<u8>) {
        self.push(about, call_search(query), Answer::Parts(Vec::new()));
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
        let listing = Listing { request: request.id, files: found };
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
        self.push(about, call_find(message), Answer::listing(&Listing { request, files: found }));
    }

    /// Fetching a file that is there.
    pub fn fetch(&mut self, about: &str, by: &Keyring, number: u128) {
        let message = by.fetch_file(number, NOW).unwrap();
        let mut files = self.files.iter().map(|mailed| &mailed.attachment.file);
        let file = files.find(|f| f.owner == by.owner() && f.number == number).unwrap();
        let request = Request::decode(&message).unwrap().id;
        let answer = Answer::file(&Fetched { request, file: file.clone() });
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

    /// Removes all that a provider sent; the owner is named unless it is the only one.
    pub fn remove(&mut self, about: &str, owner: &Keyring, is_named: bool, provider: &str) {
        let announcement = is_named.then(|| Hex(owner.announcement().unwrap()));
        let is_gone = |of, node: &Node| of == owner.owner() && node.path() == provider;
        let (mut records, mut files) = (0, 0);
        self.uploads.retain(|Sent { upload, .. }| {
            let gone = is_gone(upload.owner, &upload.provider);
            records += if gone { upload.handles.len() } else { 0 };
            !gone
        });
        self.files.retain(|Mailed { attachment: Attachment { file, .. }, .. }| {
            let gone = is_gone(file.owner, &file.provider);
            files += usize::from(gone);
            !gone
        });
        assert!(records + files > 0, "{about}");
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
            records: sent.upload.handles.len(),
            size: sent.upload.records.size(),
        };
        let contents: Vec<Content> = self.uploads.iter().map(content).collect();
        let values = |sent: &Sent| sent.plaintexts.values().flatten().flatten().count();
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
        let groups: BTreeSet<_> =
            self.uploads.iter().map(|sent| (sent.upload.owner, sent.group())).collect();
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
    let mut entries = Vec::new();
    let mut first = 0;
    for sent in uploads {
        let run = sent.upload.runs.iter().find(|run| run.field == field).unwrap();
        for (&ciphertext, &record) in run.ciphertexts.iter().zip(&run.records) {
            let plaintext = sent.plaintexts[field][usize::try_from(record).unwrap()].unwrap();
            entries.push((plaintext, ciphertext, first + record));
        }
        first += u32::try_from(sent.upload.handles.len()).unwrap();
    }
    entries.sort_unstable();
    let (ciphertexts, records) = entries.into_iter().map(|(_, c, record)| (c, record)).unzip();
    Merged { ciphertexts, records }
}
