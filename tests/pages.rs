//! Answers that come in pages: whatever the room, and whatever changes meanwhile, their pages are the
//! answer of one moment.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/lists.rs"]
mod lists;
#[path = "support/scene.rs"]
mod scene;
#[path = "support/scripts.rs"]
mod scripts;

use std::sync::Arc;

use lists::{Lists, Refused};
use mopse::cloud;
use mopse::cloud::gate::Gate;
use mopse::cloud::memory::Memory;
use mopse::cloud::store::Store;
use mopse::message::answer::{Answer, Part};
use mopse::message::query::Query;
use mopse::party::Keyring;
use mopse::party::records::Ids;
use mopse::party::uploading::{Change, Versions};
use proptest::prelude::*;
use scene::{NOW, Row, age, ask, change, delete, owner, upload};

/// What both stores refuse by.
trait Refusal: std::fmt::Debug {
    fn said(self) -> cloud::Error;
}

impl Refusal for cloud::Error {
    fn said(self) -> cloud::Error {
        self
    }
}

impl Refusal for Refused {
    fn said(self) -> cloud::Error {
        self.0
    }
}

/// Three providers in two groups, some uploads of each, and a removed record.
fn filled<S: Store<Error: Refusal> + Default>() -> (Keyring, Vec<Keyring>, Arc<S>) {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let providers = vec![
        owner.authorize("clinic", &[]).unwrap(),
        owner.authorize("ward", &["hospital"]).unwrap(),
        hospital,
    ];
    let store = Arc::<S>::default();
    let gate = Gate::new(Arc::clone(&store));
    gate.enroll(&owner.announcements().unwrap()).unwrap();
    for (first, provider) in (0..).step_by(40).zip(&providers) {
        for part in 0..4 {
            let ids = first + 10 * part..first + 10 * part + 10;
            let rows: Vec<Row> = ids.map(|id| (id, id % 100, Some(100))).collect();
            gate.receive(&upload(provider, &rows), NOW).unwrap();
        }
    }
    let looked = gate.search(&owner.lookup("clinic", Ids::Integers(&[3]), NOW).unwrap(), NOW);
    let versions = Versions::of(&looked.unwrap().parts);
    gate.receive(&delete(&providers[0], &[3], &versions).unwrap(), NOW).unwrap();
    (owner, providers, store)
}

fn after<S: Store<Error: Refusal>>(
    gate: &Gate<S>,
    query: &[u8],
    before: &Answer,
) -> Result<Answer, cloud::Error> {
    let before: Vec<&Part> = before.parts.iter().collect();
    gate.search_after(query, NOW, &before).map_err(Refusal::said)
}

/// The pages of an answer, one after the other, with something done in between.
fn pages<S: Store<Error: Refusal>>(
    gate: &Gate<S>,
    query: &[u8],
    mut between: impl FnMut(),
) -> (Answer, Vec<usize>) {
    let mut answer = gate.search(query, NOW).unwrap();
    let mut sizes = vec![answer.parts.iter().map(size).sum()];
    loop {
        between();
        match after(gate, query, &answer) {
            Ok(page) => {
                assert!(!page.parts.is_empty());
                sizes.push(page.parts.iter().map(size).sum());
                answer.parts.extend(page.parts);
            }
            Err(cloud::Error::NoMore) => return (answer, sizes),
            Err(other) => panic!("{other}"),
        }
    }
}

/// Bytes of the records of a part.
fn size(part: &Part) -> usize {
    let sealed = |row| -> usize {
        part.portions.iter().map(|portion| 8 + portion.records.get(row).len()).sum()
    };
    (0..part.handles.len()).map(|row| 16 + sealed(row)).sum()
}

/// Each record of an answer: its token, its upload, its handle, and what is sealed.
fn records(answer: &Answer) -> Vec<(u128, u128, u128, Vec<u8>)> {
    let mut records = Vec::new();
    for part in &answer.parts {
        for (row, &handle) in part.handles.iter().enumerate() {
            let sealed = part.portions.iter().flat_map(|portion| portion.records.get(row));
            records.push((part.token, part.upload, handle, sealed.copied().collect()));
        }
    }
    records
}

/// That the pages of a store are its answer, of which each has no more than one record too many.
fn pages_are_the_answer<S: Store<Error: Refusal> + Default>(room: usize) {
    let (owner, providers, store) = filled::<S>();
    let gate = Gate::new(Arc::clone(&store)).with_answer_bytes(room);
    let whole = Gate::new(store);
    let hundred: Vec<i64> = (0..100).collect();
    let queries = [
        ask(&owner, &[age(0, 120)]),
        ask(&owner, &[age(119, 120)]),
        ask(&providers[0], &[age(20, 90)]),
        owner.lookup("clinic", Ids::Integers(&hundred), NOW).unwrap(),
        providers[0].lookup("clinic", Ids::Integers(&[3]), NOW).unwrap(),
        owner.query(&[], NOW).unwrap(),
    ];
    for query in queries {
        let expected = whole.search(&query, NOW).unwrap();
        let (answer, sizes) = pages(&gate, &query, || ());
        let decoded = Query::decode(&query).unwrap();
        assert_eq!(answer.check(&decoded), Ok(()));
        assert_eq!(records(&answer), records(&expected));
        let removed = |answer: &Answer| -> Vec<(u128, u128)> {
            answer.parts.iter().flat_map(|part| part.removed.clone()).collect()
        };
        assert_eq!(removed(&answer), removed(&expected));
        assert!(sizes.iter().all(|&size| size < room + 300), "{sizes:?}");
        if room == 1 {
            assert!(sizes.len() >= records(&expected).len());
        }
        if sizes.len() == 1 {
            assert_eq!(answer, expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_pages_of_an_answer_are_the_answer(room in prop_oneof![Just(1), 1..2_000_usize, Just(1 << 20)]) {
        pages_are_the_answer::<Memory>(room);
        pages_are_the_answer::<Lists>(room);
    }
}

#[test]
fn an_answer_goes_on_in_the_state_it_began_with() {
    let (owner, providers, store) = filled::<Memory>();
    let gate = Gate::new(store).with_answer_bytes(500);
    let query = ask(&owner, &[age(0, 120)]);
    let (expected, _) = pages(&gate, &query, || ());
    let mut next = 1000;
    let (answer, sizes) = pages(&gate, &query, || {
        next += 1;
        let looked = owner.lookup("hospital/ward", Ids::Integers(&[45]), NOW).unwrap();
        let versions = Versions::of(&gate.search(&looked, NOW).unwrap().parts);
        let rows = [(45, next % 100, None)];
        let update = change(&providers[1], &rows, Change::Update, &versions);
        gate.receive(&update.unwrap(), NOW).unwrap();
        gate.receive(&upload(&providers[2], &[(next, 50, Some(90))]), NOW).unwrap();
    });
    assert!(sizes.len() > 10);
    assert_eq!(answer, expected);
    let (later, _) = pages(&gate, &query, || ());
    assert!(records(&later).len() > records(&answer).len());
}

#[test]
fn an_answer_whose_state_is_not_kept_says_so() {
    let (owner, providers, store) = filled::<Memory>();
    let gate = Gate::new(store).with_answer_bytes(100);
    let query = ask(&owner, &[age(0, 120)]);
    let begun = gate.search(&query, NOW).unwrap();
    for _ in 0..7 {
        gate.search(&ask(&owner, &[age(0, 120)]), NOW).unwrap();
    }
    gate.receive(&upload(&providers[0], &[(500, 50, None)]), NOW).unwrap();
    assert!(after(&gate, &query, &begun).is_ok(), "eight are kept");
    let others: Vec<Answer> =
        (0..8).map(|_| gate.search(&ask(&owner, &[age(0, 120)]), NOW).unwrap()).collect();
    gate.receive(&upload(&providers[0], &[(501, 50, None)]), NOW).unwrap();
    assert_eq!(after(&gate, &query, &begun), Err(cloud::Error::Moved));
    assert_eq!(others.len(), 8);
}

#[test]
fn what_is_whole_or_of_another_query_does_not_go_on() {
    let (owner, _, store) = filled::<Memory>();
    let gate = Gate::new(store).with_answer_bytes(1 << 20);
    let (one, other) = (ask(&owner, &[age(0, 120)]), ask(&owner, &[age(0, 120)]));
    let answer = gate.search(&one, NOW).unwrap();
    assert_eq!(after(&gate, &one, &answer), Err(cloud::Error::NoMore));
    assert_eq!(after(&gate, &other, &answer), Err(cloud::Error::NoMore));
    let nothing = Answer { parts: Vec::new(), ..answer.clone() };
    assert_eq!(after(&gate, &one, &nothing), Ok(answer), "nothing is before the first page");
}
