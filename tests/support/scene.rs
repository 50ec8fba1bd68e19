//! What the tests of the protocol share: a schema, a table of records, and a cloud.
#![allow(dead_code, reason = "not every test needs everything")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::borrow::Cow;
use std::sync::Arc;

use mopse::cipher::password::Cost;
use mopse::cloud::gate::Gate;
use mopse::cloud::memory::Memory;
use mopse::cloud::store::{Receipt, Store};
use mopse::keys::Key;
use mopse::message::announcement::Announced;
use mopse::message::answer::{Answer, Part};
use mopse::message::permission::Permit;
use mopse::message::place::Node;
use mopse::message::query::{Query, Token};
use mopse::party::columns::{Column, Values};
use mopse::party::grants::Opener;
use mopse::party::records::{Ids, Origin};
use mopse::party::saved;
use mopse::party::uploading::{Change, Table, Versions};
use mopse::party::{Indexed, Keyring, Range};
use mopse::schema::{Field, Kind, Schema};
use mopse::wire::Packed;
use mopse::{cloud, party};

/// The time at the cloud.
pub const NOW: u64 = 1_800_000_000;

/// How many inputs a test of random bytes tries: a number that `MOPSE_FUZZ` may raise.
pub fn cases(few: u32) -> u32 {
    std::env::var("MOPSE_FUZZ").map_or(few, |many| many.parse().expect("MOPSE_FUZZ is a number"))
}

/// Every record of the tests: an id, an age, and a blood pressure or none.
pub type Row = (i64, i64, Option<i64>);

/// Ages from 0 to 120, blood pressures from 0 to 300.
pub fn schema() -> Schema {
    let field = |maximum| Field::new(Kind::Number, 0.0, maximum, 1.0, None).unwrap();
    Schema::new(vec![("age".into(), field(120.0)), ("sbp".into(), field(300.0))]).unwrap()
}

/// The owner with this byte as its root key, thirty-two times over.
pub fn owner(byte: u8) -> Keyring {
    Keyring::root(Key::from_bytes(&[byte; 32]).unwrap(), schema())
}

/// A provider's upload of new records.
pub fn upload(provider: &Keyring, rows: &[Row]) -> Vec<u8> {
    try_upload(provider, rows).unwrap()
}

/// A provider's upload of new records, if they are possible.
pub fn try_upload(provider: &Keyring, rows: &[Row]) -> Result<Vec<u8>, party::Error> {
    change(provider, rows, Change::Add, &Versions::default())
}

/// A provider's upload of records that are new, or take the place of others.
pub fn change(
    provider: &Keyring,
    rows: &[Row],
    change: Change,
    versions: &Versions,
) -> Result<Vec<u8>, party::Error> {
    with_table(rows, |table| Ok(provider.upload(table, change, versions)?.message))
}

/// A provider's upload of records that amend those of another provider.
pub fn amend(
    provider: &Keyring,
    rows: &[Row],
    permission: &[u8],
    versions: &Versions,
) -> Result<Vec<u8>, party::Error> {
    let permit = Permit::decode(permission)?;
    with_table(rows, |table| Ok(provider.amend(table, &permit, versions)?.message))
}

/// What is made of the table of some records.
fn with_table<T>(rows: &[Row], make: impl FnOnce(&Table<'_>) -> T) -> T {
    let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let ages: Vec<i64> = rows.iter().map(|row| row.1).collect();
    let pressures: Vec<i64> = rows.iter().map(|row| row.2.unwrap_or(0)).collect();
    let (mut ends, mut notes) = (Vec::new(), String::new());
    for row in rows {
        notes += &format!("note on {}", row.0);
        ends.push(notes.len() as u64);
    }
    let always = vec![true; rows.len()];
    let column = |name: &str, dtype: &str, values, is_valid| Column {
        name: name.into(),
        dtype: dtype.into(),
        values,
        is_valid: Cow::Owned(is_valid),
    };
    let notes = Packed::new(ends, notes.into_bytes()).unwrap();
    let columns = [
        column("id", "Int64", Values::Int64(Cow::Borrowed(&ids)), always.clone()),
        column("age", "Int64", Values::Int64(Cow::Borrowed(&ages)), always.clone()),
        column(
            "sbp",
            "Int64",
            Values::Int64(Cow::Borrowed(&pressures)),
            rows.iter().map(|row| row.2.is_some()).collect(),
        ),
        column("note", "String", Values::Text(notes), always),
    ];
    let all: Vec<u32> = (0..).take(rows.len()).collect();
    let measured = (0..).zip(rows).filter(|(_, row)| row.2.is_some());
    let (with_pressure, measured): (Vec<u32>, Vec<i64>) =
        measured.map(|(at, row)| (at, row.2.unwrap_or(0))).unzip();
    let indexed = [
        Indexed { field: "age", rows: &all, plaintexts: &ages },
        Indexed { field: "sbp", rows: &with_pressure, plaintexts: &measured },
    ];
    let id = Some("id");
    let ids = Ids::Integers(&ids);
    make(&Table { columns: &columns, ids, id, indexed: &indexed, now: NOW })
}

/// A provider's upload that removes records.
pub fn delete(
    provider: &Keyring,
    ids: &[i64],
    versions: &Versions,
) -> Result<Vec<u8>, party::Error> {
    Ok(provider.deletion(Ids::Integers(ids), versions, NOW)?.message)
}

/// A provider's upload of what is sealed and indexed of records with these ids, in one portion.
pub fn upload_of(
    provider: &Keyring,
    columns: &[Column<'_>],
    ids: &[i64],
    indexed: &[Indexed<'_>],
) -> Result<Vec<u8>, party::Error> {
    let ids = Ids::Integers(ids);
    let table = Table { columns, ids, id: None, indexed, now: NOW };
    Ok(provider.upload(&table, Change::Add, &Versions::default())?.message)
}

/// A range of ages.
pub fn age(low: i64, high: i64) -> Range {
    Range { field: "age".into(), low, high }
}

/// A range of blood pressures.
pub fn sbp(low: i64, high: i64) -> Range {
    Range { field: "sbp".into(), low, high }
}

/// A query that is valid until now.
pub fn ask(by: &Keyring, ranges: &[Range]) -> Vec<u8> {
    by.query(ranges, NOW).unwrap()
}

/// The tokens of a query.
pub fn tokens(query: &[u8]) -> Vec<Token> {
    Query::decode(query).unwrap().tokens
}

/// An upload of records 1 to 3 with ages 40, 50 and 60, a pressure of 140 for the first two, and no
/// columns.
pub fn three_records(provider: &Keyring) -> Vec<u8> {
    let indexed = [
        Indexed { field: "age", rows: &[0, 1, 2], plaintexts: &[40, 50, 60] },
        Indexed { field: "sbp", rows: &[0, 1], plaintexts: &[140, 140] },
    ];
    upload_of(provider, &[], &[1, 2, 3], &indexed).unwrap()
}

/// A copy of a keyring, as from a backup.
pub fn copy(keyring: &Keyring) -> Keyring {
    let cheap = Cost { memory: 8, passes: 1, lanes: 1 };
    let kind =
        if *keyring.node() == Node::root() { saved::Kind::Owner } else { saved::Kind::Provider };
    let file = saved::seal(keyring, b"password", cheap).unwrap();
    saved::open(&file, b"password", kind).unwrap()
}

/// A cloud that keeps things in memory.
#[derive(Debug, Default)]
pub struct Cloud {
    pub gate: Gate<Memory>,
}

impl Cloud {
    /// A cloud that serves one owner.
    pub fn of(owner: &mut Keyring) -> Self {
        let cloud = Self::default();
        cloud.enroll(owner);
        cloud
    }

    /// Takes note of what an authority announces.
    pub fn enroll(&self, authority: &mut Keyring) {
        self.try_enroll(authority).unwrap();
    }

    /// Takes note of what an authority announces, if it can, and makes sure that what is refused changes
    /// nothing.
    pub fn try_enroll(&self, authority: &mut Keyring) -> Result<(), cloud::Error> {
        let announcements = authority.announcements().unwrap();
        let known = || {
            let store = self.gate.store();
            (store.announced(&authority.owner()), store.announcements(&authority.owner()))
        };
        let before = known();
        let outcome = self.gate.enroll(&announcements);
        assert!(outcome.is_ok() || known() == before, "all or nothing");
        outcome
    }

    /// What it knows of an owner.
    pub fn announced(&self, owner: &Keyring) -> Arc<Announced> {
        self.gate.store().announced(&owner.owner()).unwrap().unwrap()
    }

    /// All that an owner's authorities announced, as it tells it.
    pub fn announcements(&self, owner: &Keyring) -> Vec<u8> {
        self.gate.announcements(&owner.owner()).unwrap()
    }

    /// Everything that the cloud holds, to compare.
    pub fn snapshot(&self) -> String {
        let store = self.gate.store();
        format!("{:?} {:?} {:?}", store, store.contents(), store.totals())
    }

    /// Takes an upload, a removal or an attachment, and makes sure that what is refused or repeated changes
    /// nothing.
    pub fn receive(&self, message: &[u8]) -> Result<Receipt, cloud::Error> {
        let before = self.snapshot();
        let outcome = self.gate.receive(message, NOW);
        let is_changed = outcome.as_ref().is_ok_and(|receipt| !receipt.is_repeated);
        assert_eq!(!is_changed, before == self.snapshot(), "whole or not at all");
        outcome
    }

    /// Answers a query, and makes sure that it is answered wholly, and that counting counts the answer.
    pub fn answer(&self, query: &[u8]) -> Result<Answer, cloud::Error> {
        let found = self.gate.search(query, NOW)?;
        let count: usize = found.parts.iter().map(|part| part.handles.len()).sum();
        assert_eq!(self.gate.count(query, NOW), Ok(count));
        let answer = Answer::decode(&found.encode()).unwrap();
        assert_eq!(answer, found);
        assert_eq!(answer.check(&Query::decode(query).unwrap()), Ok(()));
        Ok(answer)
    }

    /// Asks and opens: path and id of every record found, sorted.
    pub fn find(&self, by: &Keyring, ranges: &[Range]) -> Vec<(String, i64)> {
        let parts = self.answer(&ask(by, ranges)).unwrap().parts;
        let mut found: Vec<_> = parts.iter().flat_map(|part| open(by, part).unwrap()).collect();
        found.sort();
        found
    }

    /// What a provider looks up of records of its own.
    pub fn versions(&self, by: &Keyring, ids: &[i64]) -> Versions {
        self.versions_of(by, &by.node().path(), Ids::Integers(ids))
    }

    /// What a party looks up of records of a provider.
    pub fn versions_of(&self, by: &Keyring, path: &str, ids: Ids<'_>) -> Versions {
        Versions::of(&self.looked_up(by, path, ids))
    }

    /// The records of a provider that a party looks up.
    pub fn looked_up(&self, by: &Keyring, path: &str, ids: Ids<'_>) -> Vec<Part> {
        self.answer(&by.lookup(path, ids, NOW).unwrap()).unwrap().parts
    }

    /// Looks up rows of a provider's own and puts new values in their place.
    pub fn update(&self, by: &Keyring, rows: &[Row]) -> Result<Receipt, mopse::Error> {
        let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
        Ok(self.receive(&change(by, rows, Change::Update, &self.versions(by, &ids))?)?)
    }

    /// Looks up records of a provider's own and removes them.
    pub fn delete(&self, by: &Keyring, ids: &[i64]) -> Result<Receipt, mopse::Error> {
        Ok(self.receive(&delete(by, ids, &self.versions(by, ids))?)?)
    }

    /// Removes what a provider sent; how many records there were, and none where there was nothing.
    pub fn remove(&self, owner: &Keyring, provider: &str) -> usize {
        let removed = self.gate.remove(Some(&owner.owner()), provider);
        let nothing = Err(cloud::Error::NothingStored { provider: provider.to_owned() });
        if removed == nothing { 0 } else { removed.unwrap().removed }
    }
}

/// Opens a part of an answer with a keyring: path and id of each record.
pub fn open(by: &Keyring, part: &Part) -> Result<Vec<(String, i64)>, party::Error> {
    if part.provider == Node::root() {
        return Ok(Vec::new());
    }
    open_with(&by.opener(&part.provider, part.readers)?, part)
}

/// Opens a part of an answer with keys.
pub fn open_with(opener: &Opener, part: &Part) -> Result<Vec<(String, i64)>, party::Error> {
    let Part { owner, provider, readers, upload, handles, portions, .. } = part;
    let origin = Origin { owner, provider, readers: *readers, upload: *upload };
    let columns = opener.open(origin, handles, portions)?;
    if columns.is_empty() && handles.is_empty() {
        return Ok(Vec::new());
    }
    let [ids, ages, pressures, notes] = &columns[..] else { panic!("{columns:?}") };
    assert!(ids.is_valid.len() == ages.rows() && pressures.rows() == notes.rows());
    let Values::Int64(ids) = &ids.values else { panic!("{ids:?}") };
    let Values::Text(notes) = &notes.values else { panic!("{notes:?}") };
    for (id, note) in ids.iter().zip(notes.to_strings()) {
        assert_eq!(note, format!("note on {id}"));
    }
    Ok(ids.iter().map(|&id| (part.provider.path(), id)).collect())
}
