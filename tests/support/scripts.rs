//! Scripts of operations that every store answers alike: how they are written, read and run.
//!
//! A script is a file of `tests/vectors/store`. Each operation holds the bytes that come in at the gate,
//! the time, and what must come back: an answer as it travels, or the cause of a refusal and the
//! exception that Python makes of it. What is refused changes nothing.
//!
//! | call | holds | answer |
//! | --- | --- | --- |
//! | `enroll` | announcements as they travel together | `done` |
//! | `announcements` | the owner's verification key | `announcements`: the newest of each authority |
//! | `receive` | an upload, a signed removal or an attachment; the time | `receipt`, also for what comes again |
//! | `search` | a query; the time | `found`: the whole answer as it travels |
//! | `count` | a query; the time | `count` |
//! | `find`, `fetch`, `count_keywords` | a request; the time | `files`, `file`, `used` |
//! | `remove` | announcements of the owner, if it is named; a path | `removed`: records and files |
//! | `merged` | the owner's verification key, a group, a field | `merged`: live entries in order |
//! | `contents`, `totals` | nothing | lines of uploads with live records; sizes of what is live |
//!
//! Uploads, removals and queries are made from seeds and are the same every time; what seals attachments
//! is not.
#![allow(dead_code, reason = "not every test needs everything")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mopse::cloud::gate::Gate;
use mopse::cloud::memory::Memory;
use mopse::cloud::store::{Content, Merged, Receipt, Store, Totals};
use mopse::message::announcement;
use mopse::message::answer::{self, Part};
use mopse::message::certificate::Owner;
use mopse::message::listing::{Fetched, Listing};
use mopse::message::notes::Notes;
use serde::{Deserialize, Serialize};

/// Bytes, as hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hex(#[serde(with = "hex")] pub Vec<u8>);

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// A file of operations.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What it shows.
    pub about: String,
    /// How it was made.
    pub source: String,
    /// One after the other, on one store.
    pub operations: Vec<Operation>,
}

/// One call and its answer.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// What happens.
    pub about: String,
    /// What comes in.
    pub call: Call,
    /// What comes back.
    pub answer: Answer,
}

/// What comes in at the gate, or what a copy of the store is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// The announcements of an owner or a provider, as they travel together.
    Enroll { message: Hex },
    /// What an owner, named by its verification key, has announced.
    Announcements { owner: Hex },
    /// An upload, a removal or an attachment.
    Receive { message: Hex, now: u64 },
    /// A query.
    Search { message: Hex, now: u64 },
    /// A query, to be counted.
    Count { message: Hex, now: u64 },
    /// A request for files by keywords or records.
    Find { message: Hex, now: u64 },
    /// A request for one file.
    Fetch { message: Hex, now: u64 },
    /// A request for notes.
    Notes { message: Hex, now: u64 },
    /// An owner, by announcements of it, if it is named; and the path of its provider.
    Remove { announcement: Option<Hex>, provider: String },
    /// What a copy of the store shows of a field of a group.
    Merged { owner: Hex, group: String, field: String },
    /// One line per upload, by owner and group, and then as they came.
    Contents,
    /// What is stored besides records.
    Totals,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was taken.
    Done,
    /// Announcements, as they travel together.
    Announcements(Hex),
    /// It was taken, now or before, and that is what it did.
    Receipt {
        provider: String,
        added: usize,
        replaced: usize,
        removed: usize,
        files: usize,
        repeated: bool,
    },
    /// It was refused, and nothing has changed.
    Refused { cause: String, raises: String },
    /// An answer.
    Found(Hex),
    /// How many records.
    Count(usize),
    /// A listing of stored files without bodies, in order.
    Listing(Hex),
    /// A stored file with its body.
    File(Hex),
    /// Notes of attachments, in the order they came.
    Notes(Hex),
    /// What was removed.
    Removed { records: usize, files: usize },
    /// Entries in order.
    Merged { ciphertexts: Vec<i64>, records: Vec<u32> },
    /// Uploads.
    Contents(Vec<Line>),
    /// Sizes.
    Totals { entries: usize, files: usize, file_bytes: usize, keywords: usize },
}

/// What one upload brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub owner: Hex,
    pub group: String,
    pub provider: String,
    pub records: usize,
    pub bytes: usize,
}

impl Answer {
    /// A refusal for a cause, with what Python raises.
    pub fn refused(cause: &str) -> Self {
        let raises = match cause {
            "Replay" | "Id" | "StoredFile" | "Older" => "ReplayError",
            "Stored" | "NotStored" | "StoredKeyword" | "LostFiles" | "UnknownBase"
            | "UnknownFile" | "NoNotes" | "WhichOwner" | "NothingStored" | "Clock" => {
                "InvalidInputError"
            }
            "Changed" | "Fork" => "ChangedError",
            "Behind" => "OutdatedError",
            "NotEnrolled" | "Epoch" | "Readers" | "OtherOwner" | "OtherSchema" | "Scope" => {
                "ScopeError"
            }
            "Expired" => "ExpiredError",
            "Signature" => "SignatureError",
            "Format" | "Version" => "DamagedFileError",
            other => panic!("a cause without an exception: {other}"),
        };
        Self::Refused { cause: cause.to_owned(), raises: raises.to_owned() }
    }

    /// Lines by owner and group, and then in the order they came in, which is all that is promised.
    pub fn contents(contents: &[Content]) -> Self {
        let line = |content: &Content| Line {
            owner: Hex(content.owner.0.to_vec()),
            group: content.group.to_string(),
            provider: content.provider.path(),
            records: content.records,
            bytes: content.size,
        };
        let mut lines: Vec<Line> = contents.iter().map(line).collect();
        lines.sort_by(|a, b| (&a.owner.0, &a.group).cmp(&(&b.owner.0, &b.group)));
        Self::Contents(lines)
    }

    pub fn totals(Totals { entries, files, file_size, keywords }: Totals) -> Self {
        Self::Totals { entries, files, file_bytes: file_size, keywords }
    }

    pub fn merged(Merged { ciphertexts, records }: Merged) -> Self {
        Self::Merged { ciphertexts, records }
    }

    pub fn found(query: u128, parts: Vec<Part>) -> Self {
        Self::Found(Hex(answer::Answer { query, parts, proof: None }.encode()))
    }

    pub fn receipt(receipt: Receipt) -> Self {
        let Receipt { provider, added, replaced, removed, files, is_repeated } = receipt;
        Self::Receipt { provider, added, replaced, removed, files, repeated: is_repeated }
    }

    pub fn listing(listing: &Listing) -> Self {
        Self::Listing(Hex(listing.encode()))
    }

    pub fn file(fetched: &Fetched) -> Self {
        Self::File(Hex(fetched.encode()))
    }

    pub fn notes(notes: &Notes) -> Self {
        Self::Notes(Hex(notes.encode()))
    }
}

/// What a store shows besides what a cloud needs of it.
pub trait Shows: Store {
    fn contents(&self) -> Vec<Content>;
    fn totals(&self) -> Totals;
    fn merged(&self, owner: &Owner, group: &str, field: &str) -> Merged;
}

impl Shows for Memory {
    fn contents(&self) -> Vec<Content> {
        self.contents().unwrap()
    }

    fn totals(&self) -> Totals {
        self.totals().unwrap()
    }

    fn merged(&self, owner: &Owner, group: &str, field: &str) -> Merged {
        self.merged(owner, group, field).unwrap()
    }
}

/// The innermost variant of an error, as `Debug` shows it: the name of the cause.
fn cause(error: &impl fmt::Debug) -> String {
    let shown = format!("{error:?}");
    let nested = shown.split([' ', ')', '{']).next().unwrap_or_default();
    nested.rsplit('(').next().unwrap_or_default().to_owned()
}

/// What a store answers to a call.
pub fn answer<S: Shows>(store: &Arc<S>, call: &Call) -> Answer {
    // A gate of its own for every call: nothing is kept in it.
    let gate = Gate::new(Arc::clone(store));
    let answered = match call {
        Call::Enroll { message } => gate.enroll(&message.0).map(|()| Answer::Done),
        Call::Announcements { owner } => {
            let owner = Owner(owner.0.as_slice().try_into().unwrap());
            gate.announcements(&owner).map(|message| Answer::Announcements(Hex(message)))
        }
        Call::Receive { message, now } => gate.receive(&message.0, *now).map(Answer::receipt),
        Call::Search { message, now } => gate.search(&message.0, *now).map(|found| {
            let count: usize = found.parts.iter().map(|part| part.handles.len()).sum();
            let counted = gate.count(&message.0, *now).unwrap();
            assert_eq!(counted, count, "what is counted is what is found");
            Answer::found(found.query, found.parts)
        }),
        Call::Count { message, now } => gate.count(&message.0, *now).map(Answer::Count),
        Call::Find { message, now } => gate.find(&message.0, *now).map(|l| Answer::listing(&l)),
        Call::Fetch { message, now } => gate.fetch(&message.0, *now).map(|f| Answer::file(&f)),
        Call::Notes { message, now } => gate.notes(&message.0, *now).map(|n| Answer::notes(&n)),
        Call::Remove { announcement, provider } => {
            let owner = announcement.as_ref().map(|hex| announcement::owner_of(&hex.0).unwrap());
            gate.remove(owner.as_ref(), provider)
                .map(|Receipt { removed, files, .. }| Answer::Removed { records: removed, files })
        }
        Call::Merged { owner, group, field } => {
            let owner = Owner(owner.0.as_slice().try_into().unwrap());
            Ok(Answer::merged(store.merged(&owner, group, field)))
        }
        Call::Contents => Ok(Answer::contents(&store.contents())),
        Call::Totals => Ok(Answer::totals(store.totals())),
    };
    answered.unwrap_or_else(|error| Answer::refused(&cause(&error)))
}

/// Runs a script on a store that is empty.
pub fn run<S: Shows>(name: &str, script: &Script, store: S) {
    let store = Arc::new(store);
    let shown = |store: &S| (Answer::contents(&store.contents()), store.totals());
    for (number, Operation { about, call, answer: expected }) in
        script.operations.iter().enumerate()
    {
        let before = shown(&store);
        let got = answer(&store, call);
        assert_eq!(got, *expected, "{name}, operation {number}: {about}");
        if matches!(got, Answer::Refused { .. }) {
            assert_eq!(shown(&store), before, "{name}, operation {number}: refused and changed");
        }
    }
}

/// Where the scripts are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/store")
}

/// Every script there is, by name.
pub fn read_all() -> Vec<(String, Script)> {
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        scripts.push((name, serde_json::from_str(&text).unwrap()));
    }
    scripts.sort_by(|(a, _), (b, _)| a.cmp(b));
    scripts
}

/// Writes a script.
pub fn write(name: &str, script: &Script) {
    let mut text = Vec::new();
    let narrow = serde_json::ser::PrettyFormatter::with_indent(b" ");
    script.serialize(&mut serde_json::Serializer::with_formatter(&mut text, narrow)).unwrap();
    text.push(b'\n');
    fs::write(folder().join(format!("{name}.json")), text).unwrap();
}
