//! Times of what Python cannot call by itself, as lines of `task, values, nanoseconds per value`.
//!
//! `make bench` runs this and adds the lines to its table. Each number is the median of repeats.

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use mopse::audit::identity::Identity;
use mopse::audit::log::Log;
use mopse::cloud::index::{Index, Level, Marks};
use mopse::cloud::journal::{Event, What};
use mopse::keys::Key;
use mopse::message::query::Predicate;
use mopse::message::upload::{Run, Upload};
use mopse::party::Keyring;
use mopse::party::columns::{Column, Values};
use mopse::party::records::{Ids, Origin};
use mopse::party::uploading::{Change, Table, Versions};
use mopse::schema::{Field, Kind, Schema};

const REPEATS: usize = 5;

fn main() {
    seal(100_000).expect("the example is sealed");
    search(10_000_000).expect("the example is searched");
    grow(100_000).expect("the example grows");
    levels(4_000_000).expect("the example is searched");
    audit(1_000_000).expect("the example is written down");
}

/// Prints the median over repeats of one call that handles `values` values.
fn report<T>(task: &str, values: usize, mut call: impl FnMut() -> T) {
    black_box(call());
    let mut times: Vec<u128> = (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            black_box(call());
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "a time")]
    let each = times[REPEATS / 2] as f64 / values as f64;
    println!("{task}\t{values}\t{each:.1}");
}

/// Small records: an id, three integers and a float.
fn seal(records: usize) -> Result<(), mopse::Error> {
    let age = Field::new(Kind::Number, 0.0, 120.0, 1.0, None)?;
    let schema = Schema::new(vec![("age".into(), age)])?;
    let mut owner = Keyring::root(Key::from_bytes(&[7; 32])?, schema);
    let hospital = owner.authorize("hospital", &[])?;
    let ids: Vec<i64> = (0..).take(records).collect();
    let floats = vec![21.5; records];
    let is_valid = vec![true; records];
    let column = |name: &str, dtype: &str, values| Column {
        name: name.into(),
        dtype: dtype.into(),
        values,
        is_valid: Cow::Borrowed(&is_valid),
    };
    let integers = || Values::Int64(Cow::Borrowed(&ids));
    let columns = [
        column("id", "Int64", integers()),
        column("age", "Int64", integers()),
        column("systolic", "Int64", integers()),
        column("diastolic", "Int64", integers()),
        column("bmi", "Float64", Values::Float64(Cow::Borrowed(&floats))),
    ];
    let (ids, id) = (Ids::Integers(&ids), Some("id"));
    let table = Table { columns: &columns, ids, id, indexed: &[], now: 0 };
    let upload = || hospital.upload(&table, Change::Add, &Versions::default());
    report("make an upload of records", records, upload);
    let message = upload()?.message;
    report("check an upload", records, || Upload::decode(&message));
    let received = Upload::decode(&message)?;
    let Upload { owner: of, provider, readers, id, handles, portions, .. } = &received;
    let origin = Origin { owner: of, provider, readers: *readers, upload: *id };
    let opener = owner.opener(provider, *readers)?;
    report("open records", records, || opener.open(origin, handles, portions));
    Ok(())
}

/// A level of one field, whose rows come after those of an index.
fn level(index: &Index, ciphertexts: Vec<i64>) -> Result<Arc<Level>, mopse::Error> {
    let rows = u32::try_from(ciphertexts.len()).unwrap_or(u32::MAX);
    let run = Run { field: "age".into(), ciphertexts, records: (0..rows).collect() };
    Ok(Arc::new(Level::new(index.end(), rows, Arc::default(), Arc::new(vec![run]))?))
}

/// Numbers below 2^63 that look random, the same in every run.
fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1
}

/// Records that come one at a time, whatever their ciphertexts.
fn grow(rows: usize) -> Result<(), mopse::Error> {
    let count = rows as u64;
    for (what, ciphertext) in [
        ("uniform", &spread as &dyn Fn(u64) -> u64),
        ("all equal", &|_| 7),
        ("ascending", &|row| row),
        ("descending", &|row| count - row),
        ("two ends in turn", &|row| if row % 2 == 0 { row } else { (1 << 62) - row }),
    ] {
        let dead = Marks::default();
        let grown = || -> Result<usize, mopse::Error> {
            let mut index = Index::default();
            for row in 0..count {
                let level = level(&index, vec![ciphertext(row).cast_signed()])?;
                index.push(level);
                index.settle(&dead, 0, usize::MAX, false);
            }
            Ok(index.levels())
        };
        report(&format!("add entries one at a time, {what}"), rows, grown);
    }
    Ok(())
}

/// Ranges over one level, and over as many as there can be at rest.
fn levels(entries: usize) -> Result<(), mopse::Error> {
    let dead = Marks::default();
    let of_size = |index: &Index, size: usize| -> Result<Arc<Level>, mopse::Error> {
        let step = i64::MAX / i64::try_from(size).unwrap_or(i64::MAX);
        level(index, (0..).take(size).map(|at: i64| at * step).collect())
    };
    let (mut one, mut many) = (Index::default(), Index::default());
    one.push(of_size(&one, entries)?);
    let mut size = entries * 3 / 4;
    while size > 0 {
        many.push(of_size(&many, size)?);
        size /= 4;
    }
    assert!(many.overdue(0, usize::MAX).is_none(), "it is at rest");
    for (what, index) in [("one level", &one), ("levels at rest", &many)] {
        // So many and so scattered that the way to one is not in the cache from another.
        let ranges: Vec<[Predicate; 1]> = (0..100_000)
            .map(|i| {
                let low = (spread(i) >> 1).cast_signed();
                [Predicate { field: "age".into(), low, high: low + (i64::MAX >> 20), slots: None }]
            })
            .collect();
        report(&format!("find a range in {what}: {}", index.levels()), ranges.len(), || {
            ranges.iter().map(|range| index.count(range, &dead)).sum::<usize>()
        });
    }
    Ok(())
}

/// Ranges over one merged field.
fn search(entries: u32) -> Result<(), mopse::Error> {
    let runs = 16;
    let mut index = Index::default();
    for number in 0..runs {
        let step = i64::MAX / i64::from(entries);
        let ciphertexts: Vec<i64> = (0..i64::from(entries / runs))
            .map(|i| (i * i64::from(runs) + i64::from(number)) * step)
            .collect();
        let records = (0..entries / runs).collect();
        let run = Run { field: "age".into(), ciphertexts, records };
        let rows = entries / runs;
        let level = Level::new(index.end(), rows, Arc::default(), Arc::new(vec![run]))?;
        index.push(Arc::new(level));
    }
    let dead = Marks::default();
    index.settle(&dead, 0, usize::MAX, true);
    let ranges: Vec<[Predicate; 1]> = (1..1000)
        .map(|i| {
            let low = i64::MAX / 1001 * i;
            [Predicate { field: "age".into(), low, high: low + (i64::MAX >> 20), slots: None }]
        })
        .collect();
    report("find a range of 10^7 entries", ranges.len(), || {
        Ok::<usize, mopse::Error>(ranges.iter().map(|range| index.count(range, &dead)).sum())
    });
    Ok(())
}

/// An audit log in memory: what an entry costs, and what a witness is answered.
fn audit(entries: u64) -> Result<(), mopse::Error> {
    let age = Field::new(Kind::Number, 0.0, 120.0, 1.0, None)?;
    let owner = Keyring::root(Key::from_bytes(&[7; 32])?, Schema::new(vec![("age".into(), age)])?);
    let written = |count: u64| -> Result<Log, mopse::Error> {
        let log = Log::in_memory(Identity::of(Key::from_bytes(&[3; 32])?));
        for amount in 0..count {
            let (who, digest) = ("hospital".to_owned(), [7; 32]);
            let event = Event { what: What::Search, who, digest, amount, statement: Vec::new() };
            log.append(&owner.owner(), event, 0)?;
        }
        Ok(log)
    };
    report("write down an event", 10_000, || written(10_000));
    let log = written(entries)?;
    for (task, since, from) in [
        ("sign a checkpoint of 10^6 entries", vec![], None),
        ("and show that it goes on from another", vec![entries / 3], None),
        ("and give an entry with its path", vec![], Some(entries - 1)),
    ] {
        let request = owner.audit_request(since, from, 1)?;
        report(task, 1, || log.answer(&request, 0));
    }
    Ok(())
}
