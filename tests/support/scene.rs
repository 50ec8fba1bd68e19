//! What the tests of the protocol share: a schema, a table of records, and a cloud.
#![allow(dead_code, reason = "not every test needs everything")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::borrow::Cow;
use std::sync::Arc;

use mopse::cloud::gate::Gate;
use mopse::cloud::memory::Memory;
use mopse::cloud::store::Store;
use mopse::keys::Key;
use mopse::message::announcement::Announcement;
use mopse::message::answer::Part;
use mopse::message::bundle;
use mopse::party::columns::{Column, Values};
use mopse::party::grants::Opener;
use mopse::party::records::{Ids, Origin};
use mopse::party::{Indexed, Keyring, Range};
use mopse::schema::{Field, Kind, Schema};
use mopse::wire::{self, Packed};
use mopse::{cloud, party};

/// The time at the cloud.
pub const NOW: u64 = 1_800_000_000;

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

/// A provider's upload of records.
pub fn upload(provider: &Keyring, rows: &[Row], sequence: u64) -> Vec<u8> {
    try_upload(provider, rows, sequence).unwrap()
}

/// A provider's upload of records, if they are possible.
pub fn try_upload(
    provider: &Keyring,
    rows: &[Row],
    sequence: u64,
) -> Result<Vec<u8>, party::Error> {
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
    provider.upload(&columns, Ids::Integers(&ids), &indexed, sequence)
}

/// A range of ages.
pub fn age(low: i64, high: i64) -> Range {
    Range { field: "age".into(), low, high }
}

/// A range of blood pressures.
pub fn sbp(low: i64, high: i64) -> Range {
    Range { field: "sbp".into(), low, high }
}

/// The tokens of a query that is valid until now.
pub fn ask(by: &Keyring, ranges: &[Range]) -> Vec<Vec<u8>> {
    by.tokens(ranges, NOW).unwrap()
}

/// An upload of records 1 to 3 with ages 40, 50 and 60, a pressure of 140 for the first two, and no
/// columns.
pub fn three_records(provider: &Keyring, sequence: u64) -> Vec<u8> {
    let indexed = [
        Indexed { field: "age", rows: &[0, 1, 2], plaintexts: &[40, 50, 60] },
        Indexed { field: "sbp", rows: &[0, 1], plaintexts: &[140, 140] },
    ];
    provider.upload(&[], Ids::Integers(&[1, 2, 3]), &indexed, sequence).unwrap()
}

/// A cloud that keeps things in memory.
#[derive(Debug, Default)]
pub struct Cloud {
    pub gate: Gate<Memory>,
}

impl Cloud {
    /// A cloud that serves one owner.
    pub fn of(owner: &Keyring) -> Self {
        let cloud = Self::default();
        cloud.enroll(owner);
        cloud
    }

    /// Takes note of what an owner announces.
    pub fn enroll(&self, owner: &Keyring) {
        self.gate.enroll(&owner.announcement().unwrap()).unwrap();
    }

    /// What it knows of an owner.
    pub fn announcement(&self, owner: &Keyring) -> Arc<Announcement> {
        self.gate.store().announcement(&owner.owner()).unwrap().unwrap()
    }

    /// Everything that the cloud holds, to compare.
    pub fn snapshot(&self) -> String {
        let store = self.gate.store();
        format!("{:?} {:?} {:?}", store, store.contents(), store.totals())
    }

    /// Takes an upload or an attachment, and makes sure that what is refused changes nothing.
    pub fn receive(&self, message: &[u8]) -> Result<(), cloud::Error> {
        let before = self.snapshot();
        let outcome = self.gate.receive(message);
        assert_eq!(outcome.is_err(), before == self.snapshot(), "whole or not at all");
        outcome
    }

    /// Answers tokens, and makes sure that counting counts the answer.
    pub fn answer(&self, tokens: &[Vec<u8>]) -> Result<Vec<Part>, cloud::Error> {
        let query = bundle::join(wire::Kind::Query, tokens.iter().map(Vec::as_slice));
        let found = self.gate.search(&query, NOW)?;
        let count: usize = found.iter().map(|part| part.handles.len()).sum();
        assert_eq!(self.gate.count(&query, NOW), Ok(count));
        Ok(found.iter().map(|part| Part::decode(&part.encode()).unwrap()).collect())
    }

    /// Asks and opens: path and id of every record found, sorted.
    pub fn find(&self, by: &Keyring, ranges: &[Range]) -> Vec<(String, i64)> {
        let parts = self.answer(&ask(by, ranges)).unwrap();
        let mut found: Vec<_> = parts.iter().flat_map(|part| open(by, part).unwrap()).collect();
        found.sort();
        found
    }

    /// Removes what a provider sent; how many records there were, and none where there was nothing.
    pub fn remove(&self, owner: &Keyring, provider: &str) -> usize {
        let removed = self.gate.remove(Some(&owner.owner()), provider);
        let nothing = Err(cloud::Error::NothingStored { provider: provider.to_owned() });
        if removed == nothing { 0 } else { removed.unwrap().records }
    }
}

/// Opens a part of an answer with a keyring: path and id of each record.
pub fn open(by: &Keyring, part: &Part) -> Result<Vec<(String, i64)>, party::Error> {
    open_with(&by.opener(&part.provider)?, part)
}

/// Opens a part of an answer with keys.
pub fn open_with(opener: &Opener, part: &Part) -> Result<Vec<(String, i64)>, party::Error> {
    let origin = Origin { owner: &part.owner, provider: &part.provider };
    let (handles, records) = opener.granted(&part.handles, &part.records);
    let columns = opener.open(origin, &part.layout, &handles, &records)?;
    let [ids, ages, pressures, notes] = &columns[..] else { panic!("{columns:?}") };
    assert!(ids.is_valid.len() == ages.rows() && pressures.rows() == notes.rows());
    let Values::Int64(ids) = &ids.values else { panic!("{ids:?}") };
    let Values::Text(notes) = &notes.values else { panic!("{notes:?}") };
    for (id, note) in ids.iter().zip(notes.to_strings()) {
        assert_eq!(note, format!("note on {id}"));
    }
    Ok(ids.iter().map(|&id| (part.provider.path(), id)).collect())
}
