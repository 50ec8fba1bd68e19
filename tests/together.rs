//! Several writers and readers at once: what each of them saw is what some serial order of all that was
//! taken explains.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/scene.rs"]
mod scene;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mopse::cloud;
use mopse::cloud::gate::Gate;
use mopse::cloud::memory::Memory;
use mopse::cloud::store::Receipt;
use mopse::message::upload::Upload;
use mopse::party::Keyring;
use mopse::party::records::Ids;
use mopse::party::uploading::{Change, Versions};
use scene::{NOW, Row, age, ask, change, delete, owner};

/// How many calls each party makes.
const CALLS: usize = 170;

const IDS: [i64; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

/// What the newest change of each record is, and whether it left the record there.
type State = BTreeMap<u128, (u128, bool)>;

/// Beginning and end of a call, by a clock that all share.
#[derive(Debug, Clone, Copy)]
struct Time(usize, usize);

/// A change that was taken.
#[derive(Debug)]
struct Taken {
    id: u128,
    time: Time,
    message: Vec<u8>,
    receipt: Receipt,
    /// Each record of it, with the change before it.
    before: BTreeMap<u128, Option<u128>>,
}

/// What a query for all records of the hospital found.
#[derive(Debug)]
struct Read {
    time: Time,
    query: Vec<u8>,
    snapshot: u64,
    state: State,
}

/// Pseudorandom numbers; the same in every run, unlike the order of threads.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// A cloud, and a clock that every call moves on.
#[derive(Default)]
struct Shared {
    gate: Gate<Memory>,
    clock: AtomicUsize,
}

impl Shared {
    fn timed<T>(&self, call: impl FnOnce(&Gate<Memory>) -> T) -> (Time, T) {
        let now = || self.clock.fetch_add(1, Ordering::SeqCst);
        let start = now();
        let result = call(&self.gate);
        (Time(start, now()), result)
    }

    fn look(&self, by: &Keyring, path: &str) -> (Read, Versions) {
        let query = by.lookup(path, Ids::Integers(&IDS), NOW).unwrap();
        let (time, answer) = self.timed(|gate| gate.search(&query, NOW).unwrap());
        let mut state = State::new();
        for part in &answer.parts {
            state.extend(part.handles.iter().map(|&handle| (handle, (part.upload, true))));
            state.extend(part.removed.iter().map(|&(handle, by)| (handle, (by, false))));
        }
        let snapshot = answer.parts[0].snapshot;
        assert!(answer.parts.iter().all(|part| part.snapshot == snapshot));
        (Read { time, query, snapshot, state }, Versions::of(&answer.parts))
    }
}

/// Adds, changes and deletes records at random, some by what was looked up long before.
fn write(shared: &Shared, by: &Keyring, seed: u64) -> (Vec<Taken>, usize) {
    let (path, mut dice) = (by.node().path(), Dice(seed));
    let handles = by.handles(Ids::Integers(&IDS));
    let (mut taken, mut refused) = (Vec::new(), 0);
    let (mut read, mut versions) = shared.look(by, &path);
    for number in 0..CALLS {
        if dice.below(4) > 0 {
            (read, versions) = shared.look(by, &path);
        }
        let is_live =
            |at: &usize| read.state.get(&handles[*at]).is_some_and(|(_, is_live)| *is_live);
        let (live, gone): (Vec<usize>, Vec<usize>) = (0..IDS.len()).partition(is_live);
        let wish = dice.below(3);
        let mut among = if wish == 0 && !gone.is_empty() || live.is_empty() { gone } else { live };
        let adds = !is_live(&among[0]);
        while among.len() > 3 || among.len() > 1 && dice.below(2) == 0 {
            among.remove(dice.below(among.len()));
        }
        let ids: Vec<i64> = among.iter().map(|&at| IDS[at]).collect();
        let age = i64::try_from(number % 100).unwrap();
        let rows: Vec<Row> = ids.iter().map(|&id| (id, age, Some(100))).collect();
        let message = match wish {
            _ if adds => change(by, &rows, Change::Add, &versions).unwrap(),
            1 => delete(by, &ids, &versions).unwrap(),
            _ => change(by, &rows, Change::Update, &versions).unwrap(),
        };
        let (time, outcome) = shared.timed(|gate| gate.receive(&message, NOW));
        match outcome {
            Ok(receipt) => {
                let upload = Upload::decode(&message).unwrap();
                let removed = upload.removed.iter().flat_map(|removed| removed.rows.iter());
                let of = upload.handles.iter().copied().chain(removed.map(|(handle, _)| *handle));
                let before = of.map(|handle| (handle, read.state.get(&handle).map(|(id, _)| *id)));
                let before = before.collect();
                if dice.below(3) == 0 {
                    let again = shared.gate.receive(&message, NOW);
                    assert_eq!(again, Ok(Receipt { is_repeated: true, ..receipt.clone() }));
                }
                taken.push(Taken { id: upload.id, time, message, receipt, before });
            }
            Err(
                cloud::Error::Changed { .. }
                | cloud::Error::Stored { .. }
                | cloud::Error::NotStored { .. },
            ) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    (taken, refused)
}

/// The changes that a read shows: all of those that come before the newest of each record.
fn shown(read: &Read, changes: &BTreeMap<u128, &Taken>) -> BTreeSet<u128> {
    let mut chains: BTreeMap<u128, BTreeSet<u128>> = BTreeMap::new();
    for (&handle, (newest, is_live)) in &read.state {
        let mut next = Some(*newest);
        assert_eq!(changes[newest].receipt.removed == 0, *is_live);
        while let Some(id) = next {
            assert!(chains.entry(handle).or_default().insert(id), "a circle");
            next = changes[&id].before[&handle];
        }
    }
    let all: BTreeSet<u128> = chains.values().flatten().copied().collect();
    for id in &all {
        let is_whole = changes[id].before.keys().all(|handle| chains[handle].contains(id));
        assert!(is_whole, "a change is shown in part");
    }
    all
}

#[test]
fn a_thousand_calls_at_once_are_those_of_some_serial_order() {
    let mut owner = owner(1);
    let [desk, clinic] = ["hospital", "clinic"].map(|name| owner.authorize(name, &[]).unwrap());
    let other = owner.authorize("hospital", &[]).unwrap();
    let shared = Shared::default();
    let announcements = owner.announcements().unwrap();
    shared.gate.enroll(&announcements).unwrap();
    let (everything, owner) = ([age(0, 120)], &owner);
    let (reads, searches, [ours, theirs, clinics]) = thread::scope(|scope| {
        let shared = &shared;
        let writers = [(&desk, 1), (&other, 2), (&clinic, 3)]
            .map(|(by, seed)| scope.spawn(move || write(shared, by, seed)));
        let reads = scope
            .spawn(|| (0..CALLS).map(|_| shared.look(owner, "hospital").0).collect::<Vec<Read>>());
        let searches = scope.spawn(|| {
            let search = |_| shared.gate.search(&ask(owner, &everything), NOW).unwrap();
            (0..CALLS).map(search).collect::<Vec<_>>()
        });
        let written = writers.map(|writer| writer.join().unwrap());
        (reads.join().unwrap(), searches.join().unwrap(), written)
    });
    assert!(ours.1 + theirs.1 > 0, "nobody was in another's way");
    assert!(clinics.1 > 0, "it acts on what it looked up long before");
    let (last, _) = shared.look(owner, "hospital");
    let mut reads: Vec<Read> = reads.into_iter().chain([last]).collect();
    reads.sort_by_key(|read| read.snapshot);

    // Each read shows which changes of the hospital came before it, and its number how many in all;
    // those of the clinic come from one hand, in order.
    let of_hospital: Vec<&Taken> = ours.0.iter().chain(&theirs.0).collect();
    let changes: BTreeMap<u128, &Taken> =
        of_hospital.iter().map(|taken| (taken.id, *taken)).collect();
    let serial = Gate::<Memory>::default();
    serial.enroll(&announcements).unwrap();
    let again = |taken: &Taken| {
        assert_eq!(serial.receive(&taken.message, NOW).as_ref(), Ok(&taken.receipt));
    };
    let (mut before, mut of_clinic) = (BTreeSet::new(), 0);
    let mut live_at = BTreeMap::new();
    for read in &reads {
        let shown = shown(read, &changes);
        let there = usize::try_from(read.snapshot).unwrap() - shown.len();
        assert!(shown.is_superset(&before) && (of_clinic..=clinics.0.len()).contains(&there));
        let known = of_hospital.iter().map(|taken| (*taken, shown.contains(&taken.id)));
        let clinics_known = clinics.0.iter().enumerate().map(|(at, taken)| (taken, at < there));
        for (taken, is_shown) in known.chain(clinics_known) {
            assert!(is_shown || taken.time.1 > read.time.0, "what was taken before is not shown");
            assert!(!is_shown || taken.time.0 < read.time.1, "what was sent after is shown");
        }
        let mut new: Vec<&Taken> = shown.difference(&before).map(|id| changes[id]).collect();
        while !new.is_empty() {
            let (ready, rest): (Vec<_>, Vec<_>) = new
                .into_iter()
                .partition(|taken| taken.before.values().flatten().all(|id| before.contains(id)));
            assert!(!ready.is_empty(), "changes wait for each other");
            ready.iter().for_each(|taken| again(taken));
            before.extend(ready.iter().map(|taken| taken.id));
            new = rest;
        }
        clinics.0[of_clinic..there].iter().for_each(again);
        of_clinic = there;
        let answer = serial.search(&read.query, NOW).unwrap();
        let live = |parts: &[mopse::message::answer::Part]| -> BTreeSet<(u128, u128)> {
            let of = |path: &str| path == "hospital";
            let parts = parts.iter().filter(|part| of(&part.provider.path()));
            parts.flat_map(|part| part.handles.iter().map(|&at| (at, part.upload))).collect()
        };
        assert_eq!(answer.parts[0].snapshot, read.snapshot);
        let expected = read.state.iter().filter(|(_, (_, is_live))| *is_live);
        let expected: BTreeSet<_> = expected.map(|(&handle, (id, _))| (handle, *id)).collect();
        assert_eq!(live(&answer.parts), expected);
        live_at.insert(read.snapshot, expected);
        for search in searches.iter().filter(|search| search.parts[0].snapshot == read.snapshot) {
            assert_eq!(live(&search.parts), live_at[&read.snapshot], "a search of the same moment");
        }
    }
    assert_eq!((before.len(), of_clinic), (of_hospital.len(), clinics.0.len()));
}
