//! A cloud that is sent much at once: levels are merged and dead records forgotten meanwhile, and nobody
//! sees anything of it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/scene.rs"]
mod scene;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mopse::cloud::gate::Gate;
use mopse::cloud::memory::Memory;
use mopse::party::Keyring;
use mopse::party::records::Ids;
use mopse::party::uploading::{Change, Versions};
use scene::{NOW, Row, age, ask, change, delete, owner, sbp, upload};

/// Records of an upload: more than what is merged at once.
const ROWS: i64 = 1500;

/// Uploads of each provider.
const UPLOADS: i64 = 6;

fn rows(upload: i64, age: i64) -> Vec<Row> {
    (upload * ROWS..(upload + 1) * ROWS).map(|id| (id, age, Some(id % 300))).collect()
}

/// An owner, some providers, and a cloud that serves them.
fn served(providers: usize) -> (Keyring, Vec<Keyring>, Arc<Memory>, Gate<Memory>) {
    let mut owner = owner(1);
    let names = (0..providers).map(|number| format!("clinic {number}"));
    let providers = names.map(|name| owner.authorize(&name, &[]).unwrap()).collect();
    let store = Arc::<Memory>::default();
    let gate = Gate::new(Arc::clone(&store));
    gate.enroll(&owner.announcements().unwrap()).unwrap();
    (owner, providers, store, gate)
}

fn versions(gate: &Gate<Memory>, by: &Keyring, ids: &[i64]) -> Versions {
    let lookup = by.lookup(&by.node().path(), Ids::Integers(ids), NOW).unwrap();
    Versions::of(&gate.search(&lookup, NOW).unwrap().parts)
}

/// Each reader counts all records again and again, and sees whole uploads only, and never fewer.
#[test]
fn readers_see_whole_uploads_while_levels_are_merged() {
    let (owner, providers, store, gate) = served(3);
    let messages: Vec<Vec<Vec<u8>>> = providers
        .iter()
        .map(|by| (0..UPLOADS).map(|at| upload(by, &rows(at, 20 + at))).collect())
        .collect();
    let (all, none) = (ask(&owner, &[age(0, 120)]), ask(&owner, &[age(100, 120)]));
    let is_done = AtomicBool::new(false);
    let size = usize::try_from(ROWS).unwrap();
    let reads: usize = thread::scope(|scope| {
        let (gate, all, none, is_done) = (&gate, &all, &none, &is_done);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    let (mut last, mut reads) = (0, 0);
                    while !is_done.load(Ordering::Relaxed) {
                        let count = gate.count(all, NOW).unwrap();
                        assert!(
                            count >= last && count.is_multiple_of(size),
                            "{count} after {last}"
                        );
                        assert_eq!(gate.count(none, NOW), Ok(0));
                        (last, reads) = (count, reads + 1);
                    }
                    reads
                })
            })
            .collect();
        let writers: Vec<_> = messages
            .iter()
            .map(|messages| {
                scope.spawn(move || {
                    for message in messages {
                        assert_eq!(gate.receive(message, NOW).unwrap().added, size);
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        is_done.store(true, Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    });
    assert!(reads > 0);
    let expected = 3 * size * usize::try_from(UPLOADS).unwrap();
    for _ in 0..2 {
        assert_eq!(gate.count(&all, NOW), Ok(expected));
        let narrow = ask(&owner, &[age(22, 23), sbp(0, 9)]);
        let ids = (2 * ROWS..4 * ROWS).filter(|id| id % 300 < 10).count();
        assert_eq!(gate.count(&narrow, NOW), Ok(3 * ids));
        assert_eq!(store.totals().unwrap().entries, 2 * expected);
        store.settle().unwrap();
    }
}

/// Updates of many records at once change what is found from one moment to the next, and no record is
/// ever missing or there twice; what they replaced is forgotten.
#[test]
fn many_records_that_change_are_never_missing_and_never_twice() {
    let (owner, providers, store, gate) = served(1);
    let by = &providers[0];
    gate.receive(&upload(by, &rows(0, 50)), NOW).unwrap();
    gate.receive(&upload(by, &rows(1, 50)), NOW).unwrap();
    let ids: Vec<i64> = (0..ROWS).collect();
    let all = ask(&owner, &[age(0, 120)]);
    let size = usize::try_from(2 * ROWS).unwrap();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (gate, all, is_done) = (&gate, &all, &is_done);
        let reader = scope.spawn(move || {
            let mut reads = 0;
            while !is_done.load(Ordering::Relaxed) || reads == 0 {
                let answer = gate.search(all, NOW).unwrap();
                let mut handles: Vec<u128> =
                    answer.parts.iter().flat_map(|part| part.handles.iter().copied()).collect();
                assert_eq!(handles.len(), size);
                handles.sort_unstable();
                handles.dedup();
                assert_eq!(handles.len(), size);
                reads += 1;
            }
        });
        for age in 51..56 {
            let update = change(by, &rows(0, age), Change::Update, &versions(gate, by, &ids));
            assert_eq!(gate.receive(&update.unwrap(), NOW).unwrap().replaced, ids.len());
        }
        is_done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert_eq!(gate.count(&ask(&owner, &[age(55, 55)]), NOW), Ok(ids.len()));
    assert_eq!(gate.count(&ask(&owner, &[age(51, 54)]), NOW), Ok(0));

    // Of an upload a third is deleted, which leaves its sealed bytes, and nothing else changes.
    let gone: Vec<i64> = ids.iter().copied().filter(|id| id % 3 == 0).collect();
    let before: usize = store.contents().unwrap().iter().map(|line| line.size).sum();
    let message = delete(by, &gone, &versions(&gate, by, &gone)).unwrap();
    assert_eq!(gate.receive(&message, NOW).unwrap().removed, gone.len());
    for _ in 0..2 {
        let left = size - gone.len();
        assert_eq!(gate.count(&all, NOW), Ok(left));
        let lines = store.contents().unwrap();
        assert_eq!(lines.iter().map(|line| line.records).sum::<usize>(), left);
        let after: usize = lines.iter().map(|line| line.size).sum();
        assert!(after * size < before * (left + 9) && after * size > before * (left - 9));
        assert_eq!(store.totals().unwrap().entries, 2 * left);
        store.settle().unwrap();
    }
    let again = upload(by, &[(gone[0], 1, None)]);
    assert!(gate.receive(&again, NOW).is_err(), "its tombstone must be named");
    let versions = versions(&gate, by, &gone[..1]);
    let again = change(by, &[(gone[0], 1, None)], Change::Add, &versions).unwrap();
    assert_eq!(gate.receive(&again, NOW).unwrap().added, 1);
    assert_eq!(gate.count(&ask(&owner, &[age(1, 1)]), NOW), Ok(1));

    // A provider that is removed takes all with it, and what comes later is found.
    let removal = owner.removal("clinic 0").unwrap();
    assert_eq!(gate.receive(&removal, NOW).unwrap().removed, size - gone.len() + 1);
    assert_eq!((gate.count(&all, NOW), store.totals().unwrap().entries), (Ok(0), 0));
    gate.receive(&upload(by, &rows(7, 90)), NOW).unwrap();
    store.settle().unwrap();
    assert_eq!(gate.count(&all, NOW), Ok(ids.len()));
}
