//! A few bytes never cost a cloud much: hostile messages of every kind, and what they make it allocate.
//!
//! Messages are written by hand, because no party makes them, and signed where that gets them further. An
//! allocator counts the bytes that are asked for, by whichever thread, freed or not.
#![expect(unsafe_code, reason = "an allocator is unsafe to implement")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ed25519_dalek::{Signer, SigningKey};
use mopse::cloud::Error;
use mopse::cloud::gate::Gate;
use mopse::cloud::index::{Index, Level, Marks};
use mopse::cloud::memory::Memory;
use mopse::message::limits::{
    DEEPEST, LONGEST_DESCRIPTION, MOST_ANNOUNCEMENTS, MOST_FIELDS, MOST_LOST, MOST_NAMED,
    MOST_PORTIONS, MOST_RECORDS,
};
use mopse::message::upload::Run;
use mopse::message::{self, answer, listing, notes};
use mopse::operations::{Counts, Operation};
use mopse::wire::{self, Kind};
use sha2::{Digest, Sha256, Sha512};

/// Bytes allocated for each byte of a message at most, and besides.
const TIMES: usize = 24;
const BESIDES: usize = 64 << 10;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static FREED: AtomicUsize = AtomicUsize::new(0);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        FREED.fetch_add(layout.size(), Relaxed);
        unsafe { System.dealloc(block, layout) }
    }
}

/// Whoever holds this is the only test that allocates.
fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does some work, and says how many bytes it allocated.
fn allocated<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATED.load(Relaxed);
    let done = work();
    (done, ALLOCATED.load(Relaxed) - before)
}

/// Does some work, and says how many bytes more are held after it.
fn held<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let now = || ALLOCATED.load(Relaxed).wrapping_sub(FREED.load(Relaxed));
    let before = now();
    let done = work();
    (done, now() - before)
}

/// A message that grows by its parts.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn of(kind: Kind) -> Self {
        Self([&kind.letters()[..], &[kind.version()]].concat())
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn u8(self, number: u8) -> Self {
        self.raw(&[number])
    }

    fn u32(self, number: u32) -> Self {
        self.raw(&number.to_le_bytes())
    }

    fn u64(self, number: u64) -> Self {
        self.raw(&number.to_le_bytes())
    }

    fn u128(self, number: u128) -> Self {
        self.raw(&number.to_le_bytes())
    }

    fn text(self, text: &str) -> Self {
        self.u64(text.len() as u64).raw(text.as_bytes())
    }

    /// A place below the owner, in first epochs.
    fn place(self, names: &[&str]) -> Self {
        let counted = self.u64(names.len() as u64);
        names.iter().fold(counted, |bytes, name| bytes.text(name).u32(0).u8(0))
    }

    /// So many things, each as it is written.
    fn list(self, count: usize, each: impl Fn(Self, usize) -> Self) -> Self {
        self.counted(count as u64, count, each)
    }

    /// The same, with a count that may lie.
    fn counted(self, said: u64, count: usize, each: impl Fn(Self, usize) -> Self) -> Self {
        (0..count).fold(self.u64(said), each)
    }

    fn signed(self, by: &SigningKey) -> Self {
        let signature = sign(by, &self.0);
        self.raw(&signature)
    }
}

fn sign(by: &SigningKey, message: &[u8]) -> [u8; 64] {
    let what = [b"mopse/v1 signature".as_slice(), &Sha512::digest(message)].concat();
    by.sign(&what).to_bytes()
}

fn owner() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn provider() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

fn of_owner(kind: Kind) -> Bytes {
    Bytes::of(kind).raw(owner().verifying_key().as_bytes())
}

const NO_STAMP: [u8; 40] = [0; 40];
const SCHEMA: [u8; 32] = [0; 32];
const NEVER: u64 = u64::MAX;

/// What the owner announces, with so many members.
fn contents(members: usize) -> Bytes {
    let first = |bytes: Bytes| bytes.u64(1).u32(0).u8(0);
    let lists = of_owner(Kind::Announcement).place(&[]).raw(&SCHEMA).u64(0);
    let member = |bytes: Bytes, number| bytes.text(&format!("m{number:07}")).u32(0).u8(0);
    first(first(lists)).list(members, member)
}

fn announcement(members: usize) -> Bytes {
    contents(members).u64(0).signed(&owner())
}

fn announcements(each: &[Bytes]) -> Vec<u8> {
    let one = |bytes: Bytes, at: usize| bytes.u64(each[at].0.len() as u64).raw(&each[at].0);
    of_owner(Kind::Announcements).list(each.len(), one).0
}

/// A cloud that serves the owner.
fn gate() -> Gate<Memory> {
    let gate = Gate::new(Arc::default());
    gate.enroll(&announcements(&[announcement(1)])).unwrap();
    gate
}

/// Certificates of the provider "h", each below the one before.
fn chain(bytes: Bytes, depth: usize) -> Bytes {
    let names = vec!["h"; depth];
    bytes.list(depth, |bytes, at| {
        let (key, places) = (*provider().verifying_key().as_bytes(), &names[..=at]);
        let by = if at == 0 { owner() } else { provider() };
        let certificate = of_owner(Kind::Certificate).place(places).raw(&key).raw(&NO_STAMP);
        let signature = sign(&by, &certificate.0);
        bytes.place(places).raw(&key).u8(1).raw(&NO_STAMP).raw(&signature)
    })
}

fn query(tokens: impl Fn(Bytes) -> Bytes) -> Bytes {
    let head = of_owner(Kind::Query).raw(&SCHEMA).u128(7).u64(NEVER).u64(0);
    tokens(head).signed(&owner())
}

/// A token of the owner's group, with a number and a scope; its selection follows.
fn token(bytes: Bytes, number: usize, name: Option<&str>) -> Bytes {
    let seen = Sha256::digest(contents(1).0);
    let token = bytes.u128(number as u128).place(&[]).u32(0).u8(0).u64(1).raw(&seen);
    match name {
        None => token.u8(0),
        Some(name) => token.u8(1).text(name),
    }
}

fn range(bytes: Bytes, field: &str) -> Bytes {
    bytes.text(field).u64(0).u64(9).u8(0)
}

fn request(ask: impl Fn(Bytes) -> Bytes) -> Bytes {
    ask(of_owner(Kind::Request)).u64(NEVER).u128(7).u64(0).signed(&owner())
}

/// An upload of the provider "h" with this body, which is below a mebibyte.
fn upload(portions: impl Fn(Bytes) -> Bytes, body: &Bytes) -> Vec<u8> {
    let head = of_owner(Kind::Upload).place(&["h"]).u128(7).raw(&NO_STAMP).raw(&SCHEMA);
    let head = portions(head.u32(0).u8(0).u32(0)).u64(body.0.len() as u64);
    let root: [u8; 32] = Sha256::new().chain_update([0]).chain_update(&body.0).finalize().into();
    chain(head.raw(&root), 1).signed(&provider()).raw(&body.0).0
}

/// A body of rows with a portion of empty records, and runs.
fn body(rows: usize, runs: impl Fn(Bytes) -> Bytes) -> Bytes {
    let handles = Bytes(Vec::new()).list(rows, |bytes, row| bytes.u128(row as u128));
    let records = handles.list(rows, |bytes, _| bytes.u64(0)).u64(0);
    runs(records.u64(0).u64(0))
}

fn one_portion(bytes: Bytes) -> Bytes {
    bytes.u64(1).text("rest").text("")
}

fn attachment(description: usize, keywords: usize, before: usize) -> Bytes {
    let file = of_owner(Kind::Attachment).place(&["h"]).u32(0).u8(0).u128(1).u128(2);
    let file = file.text(&"x".repeat(description)).u8(1).text("");
    let found = file.list(keywords, |bytes, at| bytes.u128(at as u128).u128(0));
    let lineage = found.u8(0).list(before, |bytes, at| bytes.u128(at as u128 + 9)).text("");
    chain(lineage, 1).signed(&provider())
}

fn too_many(what: &'static str, got: usize, most: usize) -> Error {
    message::Error::TooMany { what, got, most }.into()
}

fn is_malformed(error: &Error) -> bool {
    matches!(error, Error::Message(message::Error::Wire(wire::Error::Format { .. })))
}

/// What a cloud says of a message, which it may not allocate much for.
fn admitted(message: &[u8]) -> Result<(), Error> {
    let gate = gate();
    let (admitted, bytes) = allocated(|| gate.admit(message, 0).map(drop));
    let most = TIMES * message.len() + BESIDES;
    assert!(bytes <= most, "{bytes} bytes for a message of {}: {admitted:?}", message.len());
    admitted
}

#[test]
fn an_allocation_is_counted_whoever_makes_it() {
    let _alone = alone();
    let ((), bytes) = allocated(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| drop(std::hint::black_box(vec![0_u8; 1 << 20])));
        });
    });
    assert!(bytes >= 1 << 20);
}

#[test]
fn queries_that_are_as_they_should_are_admitted() {
    let _alone = alone();
    let one =
        query(|bytes| bytes.list(1, |b, n| token(b, n, None).u8(0).list(1, |b, _| range(b, "x"))));
    assert_eq!(admitted(&one.0), Ok(()));
    let most = query(|bytes| {
        bytes.list(1, |bytes, number| {
            let records = token(bytes, number, Some("h")).u8(1);
            records.list(MOST_RECORDS, |bytes, at| bytes.u128(at as u128))
        })
    });
    assert_eq!(admitted(&most.0), Ok(()));
    let fields = query(|bytes| {
        bytes.list(1, |bytes, number| {
            let ranges = token(bytes, number, None).u8(0);
            ranges.list(MOST_FIELDS, |bytes, at| range(bytes, &format!("f{at}")))
        })
    });
    assert_eq!(admitted(&fields.0), Ok(()));
}

#[test]
fn a_token_that_is_repeated_a_thousand_times_is_refused_at_its_second() {
    let _alone = alone();
    let repeated = query(|bytes| {
        bytes.list(1000, |bytes, number| {
            token(bytes, number, None).u8(0).list(1, |b, _| range(b, "x"))
        })
    });
    assert!(is_malformed(&admitted(&repeated.0).unwrap_err()));
    let same =
        query(|bytes| bytes.list(2, |bytes, at| token(bytes, 7, Some(["a", "b"][at])).u8(2)));
    assert!(is_malformed(&admitted(&same.0).unwrap_err()), "two of one number");
}

#[test]
fn tokens_ranges_and_records_have_a_limit() {
    let _alone = alone();
    let many = |count: usize, said: usize| {
        query(move |bytes| {
            bytes.counted(said as u64, count, |bytes, at| {
                token(bytes, at, Some(&format!("n{at}"))).u8(2)
            })
        })
    };
    assert_eq!(admitted(&many(20_000, 20_000).0), Ok(()), "of providers without records");
    let count = (1 << 16) + 1;
    assert_eq!(
        admitted(&many(count, count).0),
        Err(too_many("tokens of the query", count, 1 << 16))
    );
    assert!(is_malformed(&admitted(&many(1, usize::MAX).0).unwrap_err()));
    let ranges = |names: &dyn Fn(usize) -> String, count| {
        query(|bytes| {
            bytes.list(1, |bytes, number| {
                token(bytes, number, None).u8(0).list(count, |bytes, at| range(bytes, &names(at)))
            })
        })
    };
    let distinct = ranges(&|at| format!("f{at}"), MOST_FIELDS + 1);
    let refused = too_many("ranges of a token", MOST_FIELDS + 1, MOST_FIELDS);
    assert_eq!(admitted(&distinct.0), Err(refused));
    assert!(is_malformed(&admitted(&ranges(&|_| "x".into(), 2).0).unwrap_err()), "one field twice");
    let long = ranges(&|_| "x".repeat(256), 1);
    assert!(is_malformed(&admitted(&long.0).unwrap_err()), "a name that is too long");
    let records = |handle: &dyn Fn(usize) -> u128, count| {
        query(|bytes| {
            bytes.list(1, |bytes, number| {
                let token = token(bytes, number, None).u8(1);
                token.list(count, |bytes, at| bytes.u128(handle(at)))
            })
        })
    };
    let distinct = records(&|at| at as u128, MOST_RECORDS + 1);
    let refused = too_many("records of a token", MOST_RECORDS + 1, MOST_RECORDS);
    assert_eq!(admitted(&distinct.0), Err(refused));
    assert!(
        is_malformed(&admitted(&records(&|_| 5, 5000).0).unwrap_err()),
        "one record 5,000 times"
    );
}

#[test]
fn what_a_request_names_has_a_limit_and_is_named_once() {
    let _alone = alone();
    let records = |providers: usize, handles: usize, handle: fn(usize) -> u128| {
        request(move |bytes| {
            bytes.u8(1).list(providers, |bytes, at| {
                let name = format!("p{at}");
                bytes.place(&[&name]).list(handles, |bytes, at| bytes.u128(handle(at)))
            })
        })
    };
    assert_eq!(admitted(&records(3, MOST_NAMED, |at| at as u128).0), Ok(()));
    let refused = too_many("records of the request", 5000, MOST_NAMED);
    assert_eq!(admitted(&records(1, 5000, |_| 5).0), Err(refused), "one handle 5,000 times");
    assert!(is_malformed(&admitted(&records(1, MOST_NAMED, |_| 5).0).unwrap_err()));
    assert_eq!(admitted(&records(20_000, 0, |_| 0).0), Ok(()));
    let refused = too_many("providers of the request", (1 << 16) + 1, 1 << 16);
    assert_eq!(admitted(&records((1 << 16) + 1, 0, |_| 0).0), Err(refused));
    // Two trapdoors with one label key walk the same entries, whatever their mask keys are.
    let trapdoors = |count: usize, differ_at: usize| {
        request(move |bytes| {
            bytes.u8(0).list(1, |bytes, _| {
                bytes.place(&["m0000000"]).list(count, |bytes, at| {
                    let mut trapdoor = [0; 64];
                    trapdoor[differ_at..differ_at + 8].copy_from_slice(&(at as u64).to_le_bytes());
                    bytes.raw(&trapdoor)
                })
            })
        })
    };
    assert_eq!(admitted(&trapdoors(MOST_NAMED, 0).0), Ok(()));
    assert!(is_malformed(&admitted(&trapdoors(2, 32).0).unwrap_err()));
    let refused = too_many("keywords of the request", MOST_NAMED + 1, MOST_NAMED);
    assert_eq!(admitted(&trapdoors(MOST_NAMED + 1, 0).0), Err(refused));
}

#[test]
fn what_an_upload_lists_has_a_limit() {
    let _alone = alone();
    let empty = |count: usize, name: fn(usize) -> String| {
        let runs = body(1, |bytes| bytes.list(count, |bytes, at| bytes.text(&name(at)).u64(0)));
        upload(one_portion, &runs)
    };
    assert_eq!(admitted(&empty(MOST_FIELDS, |at| format!("f{at}"))), Ok(()));
    let hostile = empty(35_000, |at| format!("f{at}"));
    assert!(hostile.len() > 700_000);
    let refused = too_many("runs of the upload", 35_000, MOST_FIELDS);
    assert_eq!(admitted(&hostile), Err(refused), "0.8 MB of empty runs");
    assert!(is_malformed(&admitted(&empty(2, |_| "x".into())).unwrap_err()), "one field twice");
    let portions = |count: usize, length: usize| {
        let records = Bytes(Vec::new()).u64(1).u128(1);
        let records = (0..count).fold(records, |bytes, _| bytes.u64(1).u64(0).u64(0));
        let layout = "x".repeat(length);
        upload(
            |bytes| bytes.list(count, |bytes, at| bytes.text(&format!("p{at}")).text(&layout)),
            &records.u64(0).u64(0).u64(0),
        )
    };
    assert_eq!(admitted(&portions(MOST_PORTIONS, 10)), Ok(()));
    assert!(is_malformed(&admitted(&portions(MOST_PORTIONS + 1, 10)).unwrap_err()));
    let refused = too_many("bytes of a portion's layout", (1 << 20) + 1, 1 << 20);
    assert_eq!(admitted(&portions(1, (1 << 20) + 1)), Err(refused));
    let removed = |count: usize| {
        let places =
            |bytes: Bytes, at| bytes.place(&["h"]).list(1, |b, _| b.u128(at as u128).u128(0));
        upload(|bytes| bytes.u64(0), &Bytes(Vec::new()).u64(0).u64(0).list(count, places).u64(0))
    };
    assert!(is_malformed(&admitted(&removed(5000)).unwrap_err()), "one place 5,000 times");
    let deep = chain(of_owner(Kind::Upload).place(&["h"]).u128(7).raw(&NO_STAMP), 0);
    assert!(admitted(&deep.0).is_err());
}

#[test]
fn two_thousand_small_uploads_cost_what_their_bytes_do() {
    let _alone = alone();
    let small = |number: u128| {
        let rows = Bytes(Vec::new()).u64(1).u128(number).u64(1).u64(0).u64(0).u64(0).u64(0);
        let run = rows.u64(1).text("x").u64(1).u64(7).u32(0);
        let head = of_owner(Kind::Upload).place(&["h"]).u128(number).raw(&NO_STAMP).raw(&SCHEMA);
        let head = one_portion(head.u32(0).u8(0).u32(0)).u64(run.0.len() as u64);
        let root: [u8; 32] = Sha256::new().chain_update([0]).chain_update(&run.0).finalize().into();
        chain(head.raw(&root), 1).signed(&provider()).raw(&run.0).0
    };
    let uploads: Vec<Vec<u8>> = (1..=2000).map(small).collect();
    let gate = gate();
    let received = |uploads: &[Vec<u8>]| {
        let before = Counts::now();
        let (done, bytes) =
            allocated(|| uploads.iter().try_for_each(|upload| gate.receive(upload, 0).map(drop)));
        assert_eq!(done, Ok(()));
        (bytes, Counts::now().since(&before)[Operation::Verification])
    };
    let (first, checked) = received(&uploads[..500]);
    let (last, checked_last) = received(&uploads[1500..]);
    assert!(last <= 2 * first, "{first} bytes for the first 500, {last} for the last");
    assert_eq!((checked, checked_last), (1000, 1000));
}

#[test]
fn chains_announcements_and_attachments_have_limits() {
    let _alone = alone();
    let deep = |depth: usize| {
        let head = of_owner(Kind::Removal).u128(7).place(&["h"]);
        chain(head, depth).signed(&provider()).0
    };
    let refused = too_many("certificates of the chain", DEEPEST + 1, DEEPEST);
    let too_deep = of_owner(Kind::Removal).u128(7).place(&["h"]).list(DEEPEST + 1, |bytes, _| {
        bytes.place(&["h"]).raw(&[0; 32]).u8(1).raw(&NO_STAMP).raw(&[0; 64])
    });
    assert_eq!(admitted(&too_deep.0), Err(refused));
    // The issuer is so deep that it may not remove what is above it.
    let is_scope = |error| matches!(error, Error::Message(message::Error::Scope { .. }));
    assert!(is_scope(admitted(&deep(DEEPEST)).unwrap_err()));
    let enrolled = |message: &[u8]| {
        let (done, bytes) = allocated(|| Gate::new(Arc::<Memory>::default()).enroll(message));
        assert!(bytes <= TIMES * message.len() + BESIDES, "{bytes} for {}", message.len());
        done
    };
    assert_eq!(enrolled(&announcements(&[announcement(20_000)])), Ok(()));
    let many = of_owner(Kind::Announcements).list(MOST_ANNOUNCEMENTS + 1, |bytes, _| bytes.u64(0));
    let refused = too_many("announcements", MOST_ANNOUNCEMENTS + 1, MOST_ANNOUNCEMENTS);
    assert_eq!(enrolled(&many.0), Err(refused));
    assert_eq!(admitted(&attachment(100, MOST_NAMED, MOST_LOST).0), Ok(()));
    let refused = too_many("keywords of the file", MOST_NAMED + 1, MOST_NAMED);
    assert_eq!(admitted(&attachment(100, MOST_NAMED + 1, 0).0), Err(refused));
    assert!(is_malformed(&admitted(&attachment(100, 0, MOST_LOST + 1).0).unwrap_err()));
    let refused = too_many("bytes of the file's description", 1_000_000, LONGEST_DESCRIPTION);
    assert_eq!(admitted(&attachment(1_000_000, 1, 0).0), Err(refused), "a name of 1 MB");
}

/// Whether bytes are read, or refused, as they should be.
type Read = fn(&[u8]) -> bool;

#[test]
fn what_a_cloud_sends_back_cannot_make_its_reader_allocate_much_either() {
    let _alone = alone();
    let lies: [(&str, Vec<u8>, Read); 4] = [
        ("answer", Bytes::of(Kind::Answer).u128(7).u64(1 << 60).0, |b| {
            answer::Answer::decode(b).is_err()
        }),
        ("part", part(20_000), |bytes| answer::Part::decode(bytes).is_err()),
        ("listing", files(5_000), |bytes| listing::Listing::decode(bytes).is_ok()),
        ("notes", sealed_notes(20_000), |bytes| notes::Notes::decode(bytes).is_ok()),
    ];
    for (what, message, is_expected) in lies {
        let (is_expected, bytes) = allocated(|| is_expected(&message));
        assert!(is_expected, "{what}");
        assert!(bytes <= TIMES * message.len() + BESIDES, "{what}: {bytes} for {}", message.len());
    }
}

/// A part with too many portions.
fn part(portions: usize) -> Vec<u8> {
    let head = Bytes::of(Kind::Part).raw(&[0; 32]).u128(7).u64(0).u32(0).u8(1).place(&["h"]);
    let empty = |bytes: Bytes, _| bytes.text("rest").text("").u64(0).u64(0);
    head.u128(1).u32(0).u8(0).u64(0).list(portions, empty).u64(0).0
}

fn files(count: usize) -> Vec<u8> {
    let file = |bytes: Bytes, at| {
        let file = bytes.raw(&[0; 32]).place(&["h"]).u32(0).u8(0).u128(1).u128(at as u128);
        file.text("").u8(0)
    };
    Bytes::of(Kind::Listing).u128(7).list(count, file).0
}

fn sealed_notes(count: usize) -> Vec<u8> {
    let head = Bytes::of(Kind::Notes).u128(7).raw(&[0; 32]).place(&["h"]);
    head.list(count, |bytes, at| bytes.u128(at as u128).text("")).0
}

#[test]
fn random_ends_of_every_hostile_message_allocate_little() {
    let _alone = alone();
    let whole: Vec<Vec<u8>> = vec![
        query(|b| b.list(50, |b, at| token(b, at, Some(&format!("n{at}"))).u8(2))).0,
        request(|b| b.u8(1).list(50, |b, at| b.place(&[&format!("p{at}")]).u64(0))).0,
        upload(one_portion, &body(50, |b| b.list(9, |b, at| b.text(&format!("f{at}")).u64(0)))),
        attachment(100, 50, 9).0,
    ];
    for message in whole {
        assert_eq!(admitted(&message), Ok(()));
        for at in (0..message.len() - 8).step_by(7) {
            // A count, or whatever stands there, becomes as large as it can be.
            let mut hostile = message.clone();
            hostile[at..at + 8].fill(0xff);
            assert!(admitted(&hostile).is_err(), "byte {at}");
            assert!(admitted(&message[..at]).is_err(), "cut at byte {at}");
        }
    }
}

/// The index of a group and that of its provider, which finds rows by their handles too.
#[test]
fn at_rest_an_entry_takes_24_bytes_and_a_handle_20() {
    let _alone = alone();
    let (levels, rows) = (16_u32, 20_000_u32);
    let dead = Marks::default();
    let ((group, provider), bytes) = held(|| {
        let (mut group, mut provider) = (Index::default(), Index::with_handles());
        for level in 0..levels {
            let run = |field: &str| Run {
                field: field.to_owned(),
                ciphertexts: (0..i64::from(rows)).map(|at| at * 97 + i64::from(level)).collect(),
                records: (0..rows).collect(),
            };
            let runs = Arc::new(vec![run("age"), run("sbp")]);
            let handles = (0..u128::from(rows)).map(|at| at * 31 + u128::from(level)).collect();
            let level = Level::new(group.end(), rows, Arc::new(handles), runs).unwrap();
            let level = Arc::new(level);
            group.push(Arc::clone(&level));
            provider.push(level);
        }
        group.settle(&dead, 0, usize::MAX, false);
        provider.settle(&dead, 0, usize::MAX, false);
        (group, provider)
    });
    let rows = usize::try_from(levels * rows).unwrap();
    assert_eq!((group.levels(), provider.levels()), (1, 1));
    assert_eq!((group.entries(&dead), provider.entries(&dead)), (2 * rows, 2 * rows));
    let expected = 24 * 2 * rows + 20 * rows;
    assert!(bytes >= expected && bytes < expected + expected / 10, "{bytes}, expected {expected}");
}
