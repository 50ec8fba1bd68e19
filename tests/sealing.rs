//! What seals cost a cloud: what they change, and not what is stored.
//!
//! An allocator counts the bytes that are asked for, by whichever thread, freed or not.
#![expect(unsafe_code, reason = "an allocator is unsafe to implement")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/scene.rs"]
mod scene;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use mopse::cloud::gate::Gate;
use mopse::cloud::memory::Memory;
use mopse::message::sums::Wanted;
use mopse::operations::{Counts, Operation};
use mopse::party::Keyring;
use mopse::party::records::Ids;
use mopse::party::uploading::{Change, Versions};
use scene::{NOW, Row, age, change, owner, upload};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

/// Does some work, and says how many bytes it allocated.
fn allocated<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATED.load(Relaxed);
    let done = work();
    (done, ALLOCATED.load(Relaxed) - before)
}

/// A provider that has sealed so many rows at a cloud.
struct Sealed {
    owner: Keyring,
    hospital: Keyring,
    store: Arc<Memory>,
    gate: Gate<Memory>,
}

impl Sealed {
    fn of(rows: i64) -> Self {
        let mut owner = owner(1);
        owner.declare_proven(vec!["age".into()]).unwrap();
        let hospital = owner.authorize("hospital", &[]).unwrap();
        let store = Arc::<Memory>::default();
        let gate = Gate::new(Arc::clone(&store));
        gate.enroll(&owner.announcements().unwrap()).unwrap();
        let sealed = Self { owner, hospital, store, gate };
        let rows: Vec<Row> = (0..rows).map(|id| (id, id % 121, None)).collect();
        sealed.receive(&upload(&sealed.hospital, &rows));
        sealed.seal();
        sealed
    }

    /// Takes a message, and all that comes of it; says how many bytes that allocated.
    fn receive(&self, message: &[u8]) -> usize {
        let (receipt, bytes) = allocated(|| {
            let receipt = self.gate.receive(message, NOW);
            self.store.settle().unwrap();
            receipt
        });
        receipt.unwrap();
        bytes
    }

    fn seal(&self) -> usize {
        let seal = self.hospital.seal(NOW).unwrap();
        self.receive(&seal)
    }

    fn versions(&self, ids: &[i64]) -> Versions {
        let ids = Ids::Integers(ids);
        let lookup = self.hospital.lookup("hospital", ids, NOW).unwrap();
        Versions::of(&self.gate.search(&lookup, NOW).unwrap().parts)
    }

    fn update(&self, ids: &[i64]) -> usize {
        let rows: Vec<Row> = ids.iter().map(|&id| (id, 7, None)).collect();
        let update = change(&self.hospital, &rows, Change::Update, &self.versions(ids)).unwrap();
        self.receive(&update)
    }
}

fn alone<T>(test: impl FnOnce() -> T) -> T {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    test()
}

const FEW: i64 = 2_000;
const MANY: i64 = 40_000;

#[test]
fn a_seal_costs_a_cloud_what_came_since_the_one_before() {
    alone(|| {
        let costs = [FEW, MANY].map(|rows| {
            let sealed = Sealed::of(rows);
            let more: Vec<Row> = (0..50).map(|id| (rows + id, 3, None)).collect();
            sealed.receive(&upload(&sealed.hospital, &more));
            sealed.update(&(0..50).collect::<Vec<_>>());
            sealed.seal()
        });
        assert!(costs[1] < costs[0] + costs[0] / 2, "{costs:?}");
        // What it checks of an unsealed state is linear, so that the count can fail.
        let first = [FEW, MANY].map(|rows| {
            let sealed = Sealed::of(10);
            let all: Vec<Row> = (10..rows).map(|id| (id, 3, None)).collect();
            sealed.receive(&upload(&sealed.hospital, &all));
            sealed.seal()
        });
        assert!(first[1] > 4 * first[0], "{first:?}");
    });
}

#[test]
fn small_updates_of_what_is_sealed_cost_a_pass_over_a_level_once() {
    alone(|| {
        let costs = [FEW, MANY].map(|rows| {
            let sealed = Sealed::of(rows);
            let first = sealed.update(&[0]);
            let rest: Vec<usize> = (1..40).map(|id| sealed.update(&[id])).collect();
            (first, rest.iter().sum::<usize>() / rest.len())
        });
        let [(few_first, few), (many_first, many)] = costs;
        // The first one sorts the level that all are in.
        assert!(many_first > 4 * few_first, "{costs:?}");
        assert!(many < 2 * few, "{costs:?}");
    });
}

#[test]
fn a_proof_costs_what_it_holds_and_compares_as_a_search_does() {
    alone(|| {
        let costs = [FEW, MANY].map(|rows| {
            let sealed = Sealed::of(rows);
            let query = sealed.owner.provable_query(&[age(121 - 1, 120)], NOW).unwrap();
            let ids: Vec<i64> = (0..20).collect();
            sealed.update(&ids);
            let counted = |is_asked: Option<bool>| {
                let before = Counts::now();
                let wanted = Wanted { since: Some(u64::MAX), ..Wanted::default() };
                let (answer, bytes) = allocated(|| {
                    sealed.gate.search_proven(&query, NOW, None, (is_asked, wanted)).unwrap()
                });
                let took = Counts::now().since(&before);
                (took[Operation::Comparison], took[Operation::Interval], bytes, answer)
            };
            let (plain, proven) = (counted(Some(false)), counted(Some(true)));
            assert!(plain.3.proof.is_none() && proven.3.proof.is_some());
            assert_eq!((plain.0, plain.1), (proven.0, proven.1), "it is searched once");
            proven.2.saturating_sub(2 * plain.2)
        });
        // What is gone, in the same cells, is shown; nothing else is.
        assert!(costs[1] < 2 * costs[0] + (64 << 10), "{costs:?}");
    });
}

/// Rows that went by many small uploads are shown with each of these, and listing them is linear.
#[test]
fn what_many_uploads_removed_is_listed_in_linear_time() {
    alone(|| {
        let bytes = [100_i64, 400].map(|gone| {
            let sealed = Sealed::of(FEW);
            for id in 0..gone {
                let rows = [(id, 7, None)];
                let versions = sealed.versions(&[id]);
                let update = change(&sealed.hospital, &rows, Change::Update, &versions).unwrap();
                sealed.receive(&update);
            }
            let query = sealed.owner.provable_query(&[age(0, 120)], NOW).unwrap();
            let wanted = (Some(true), Wanted::default());
            let answer = sealed.gate.search_proven(&query, NOW, None, wanted).unwrap();
            let proof = answer.proof.unwrap();
            assert_eq!(proof.evidence.len(), usize::try_from(gone).unwrap());
            assert_eq!(proof.tokens[0].ranges[0].gone.len(), proof.evidence.len());
            proof.encode().len()
        });
        assert!(bytes[1] < 5 * bytes[0], "{bytes:?}");
    });
}
