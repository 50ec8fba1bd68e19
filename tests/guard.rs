//! A guard against slower code that times nothing: operation counts of the hot paths.
//!
//! Each count is held within 10 % of what the formula beside it says, or of what was measured where
//! there is none. A change that needs more fails here; one that needs fewer changes the number.

use std::f64::consts::LOG2_E;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mopse::cloud::index::{Index, Level, Marks};
use mopse::cloud::merge::merge;
use mopse::keys::Key;
use mopse::message::query::{Predicate, Query};
use mopse::message::upload::{Run, Upload};
use mopse::operations::{Counts, Operation};
use mopse::party::grants::Grants;
use mopse::party::records::Ids;
use mopse::party::rights::{OpenRange, Terms};
use mopse::party::shares::{KeptIds, Scope};
use mopse::party::uploading::{Change, Table, Versions};
use mopse::party::{Indexed, Keyring, Range};
use mopse::schema::{Field, Kind, Schema};
use mopse::scheme::Scheme;
use mopse::scheme::mopse::Mopse;
use mopse::scheme::opse::{OneToMany, Opse};
use mopse::scheme::ruler::Ruler;
use mopse::sharing;
use mopse::sharing::user::{Algorithm, User};

/// Counts are of the whole process, so that one test at a time may do anything.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn counted<T>(call: impl FnOnce() -> T) -> (T, Counts) {
    let before = Counts::now();
    let value = call();
    (value, Counts::now().since(&before))
}

#[track_caller]
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn assert_near(took: &Counts, operation: Operation, expected: f64) {
    let got = took[operation] as f64;
    let off = (got - expected).abs();
    assert!(off <= 0.1 * expected, "{}: {got}, expected {expected}", operation.name());
}

fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).expect("32 bytes")
}

fn opse(domain: u64) -> Opse {
    Opse::new(&key(1), domain).expect("a domain")
}

/// A random trie of M points has M / ln 2 inner nodes (Knuth, TAOCP 3, section 6.3).
#[test]
fn a_codebook_visits_every_node_once() {
    let _alone = alone();
    let (_, took) = counted(|| opse(1 << 16).codebook());
    assert_near(&took, Operation::Split, LOG2_E * 65_536.0);
    // Two blocks a split as a rule, and one for the place in each leaf.
    assert_near(&took, Operation::AesBlock, 2.08 * LOG2_E * 65_536.0 + 65_536.0);
}

/// A random trie of M points has leaves log2(M) + 0.577 / ln 2 + 1/2 deep (Knuth, as above).
#[test]
fn one_value_walks_down_one_path() {
    let _alone = alone();
    for bits in [10, 16, 32] {
        let scheme = opse(1 << bits);
        let values = (0..1000).map(|i| i * 7919 % (1 << bits));
        let (_, took) =
            counted(|| values.map(|x| scheme.encrypt_one(x)).filter(Result::is_ok).count());
        assert_near(&took, Operation::Split, 1000.0 * (f64::from(bits) + 1.33));
    }
}

#[test]
fn entries_take_one_block_each() {
    let _alone = alone();
    let plaintexts: Vec<i64> = (0..100_000).map(|i| i * 7919 % 65_536).collect();
    let ids: Vec<i64> = (0..100_000).collect();
    let handles: Vec<u128> = (0..100_000_u128).map(|i| (i << 64) | (i * i)).collect();
    let mut out = vec![0; plaintexts.len()];

    let function = opse(1 << 16);
    let (first, _) = counted(|| OneToMany(&function).encrypt_batch(&plaintexts, &ids, &mut out));
    let (second, took) =
        counted(|| OneToMany(&function).encrypt_batch(&plaintexts, &ids, &mut out));
    assert_eq!((first, second), (Ok(()), Ok(())));
    assert_near(&took, Operation::AesBlock, 100_000.0);

    let ruler = Arc::new(Ruler::new(&key(2), 1 << 16, 1).expect("a ruler"));
    let provider = Mopse::new(ruler, &key(3));
    let (done, took) = counted(|| provider.encrypt_batch(&plaintexts, &handles, &mut out));
    assert_eq!(done, Ok(()));
    assert_near(&took, Operation::AesBlock, 100_000.0);
    assert_eq!(took[Operation::Split], 0);
}

/// One comparison per entry and level of the tree of runs, one to see that a run is sorted, and
/// the searches for splitters.
#[test]
fn a_merge_compares_n_log_k_times() {
    let _alone = alone();
    let n = 1 << 18;
    for (k, levels) in [(2, 1), (16, 4), (256, 8)] {
        let run = |r: i64| -> Vec<i64> {
            let mut run: Vec<i64> = (0..n / k)
                .map(|i| {
                    ((i * k + r).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed())) & i64::MAX
                })
                .collect();
            run.sort_unstable();
            run
        };
        let runs: Vec<Vec<i64>> = (0..k).map(run).collect();
        let slices: Vec<&[i64]> = runs.iter().map(Vec::as_slice).collect();
        let (order, took) = counted(|| merge(&slices));
        assert_eq!(order.map(|order| order.len()), Ok(1 << 18));
        let searches = if k == 256 { 1.0 } else { 0.0 };
        assert_near(
            &took,
            Operation::Comparison,
            f64::from(1 << 18) * (f64::from(levels) + 1.0 + searches),
        );
    }
}

#[test]
fn a_range_is_two_binary_searches() {
    let _alone = alone();
    let mut index = Index::default();
    let run = Run {
        field: "x".into(),
        ciphertexts: (0..1 << 20).collect(),
        records: (0..1 << 20).collect(),
    };
    let level = Level::new(0, 1 << 20, Arc::default(), Arc::new(vec![run])).expect("it is sorted");
    index.push(Arc::new(level));
    let range = [Predicate { field: "x".into(), low: 5, high: 99, slots: None }];
    let (found, took) = counted(|| index.count(&range, &Marks::default()));
    assert_eq!(found, 95);
    assert_eq!(took[Operation::Interval], 1);
    assert_near(&took, Operation::Comparison, 42.0);
}

#[test]
fn queries_and_uploads_sign_once() {
    let _alone = alone();
    let age = Field::new(Kind::Number, 0.0, 120.0, 1.0, None).expect("a grid");
    let schema = Schema::new(vec![("age".into(), age)]).expect("a schema");
    let mut owner = Keyring::root(key(4), schema);
    let hospital = owner.authorize("hospital", &[]).expect("a name");
    owner.authorize("ward", &["hospital"]).expect("a name");
    let range = || [Range { field: "age".into(), low: 40, high: 60 }];
    let (query, _) = counted(|| owner.query(&range(), u64::MAX)); // draws the rulers
    let (again, took) = counted(|| owner.query(&range(), u64::MAX));
    let query = query.and(again).expect("a range");
    assert_eq!((took[Operation::Signature], took[Operation::Split]), (1, 0));
    let (query, took) = counted(|| Query::decode(&query));
    assert_eq!(query.map(|query| query.tokens.len()), Ok(2));
    assert_eq!(took[Operation::Verification], 1, "all tokens under one signature");

    let ids: Vec<i64> = (0..1000).collect();
    let rows: Vec<u32> = (0..1000).collect();
    let ages: Vec<i64> = (0..1000).map(|i| i % 121).collect();
    let indexed = [Indexed { field: "age", rows: &rows, plaintexts: &ages }];
    let ids = Ids::Integers(&ids);
    let table = Table { columns: &[], ids, id: None, indexed: &indexed, now: 0 };
    let upload = || hospital.upload(&table, Change::Add, &Versions::default());
    let (first, _) = counted(upload);
    let (second, took) = counted(upload);
    assert_eq!(took[Operation::Signature], 1);
    // A handle and an entry of each record are a block each, and so are the halves of its key.
    assert_near(&took, Operation::AesBlock, 4000.0);
    assert!(took[Operation::Hmac] < 50, "keys of records take none: {}", took[Operation::Hmac]);
    let message = first.and(second).expect("the columns fit").message;
    let (upload, took) = counted(|| Upload::decode(&message));
    assert!(upload.is_ok());
    assert_eq!(took[Operation::Verification], 2, "the upload and its certificate");
}

#[test]
fn a_grant_for_a_user_is_one_encapsulation_whatever_the_number_of_records() {
    let _alone = alone();
    let age = Field::new(Kind::Number, 0.0, 120.0, 1.0, None).expect("a grid");
    let mut owner =
        Keyring::root(key(4), Schema::new(vec![("age".into(), age)]).expect("a schema"));
    owner.authorize("hospital", &[]).expect("a name");
    for algorithm in [Algorithm::X25519, Algorithm::XWing] {
        let mut doctor = User::of(algorithm, key(5));
        for count in [1_i64, 100, 10_000] {
            let ids: Vec<i64> = (0..count).collect();
            let ids = Some(KeptIds::of(Ids::Integers(&ids)).expect("ids"));
            let (provider, portions) = ("hospital".to_owned(), Some(vec!["rest".to_owned()]));
            let scope = Scope { provider, ids, portions, end: u64::MAX };
            let (sealed, took) = counted(|| sharing::share(&mut owner, doctor.public(), scope));
            let sealed = sealed.expect("a hospital");
            assert_eq!(took[Operation::Encapsulation], 1);
            assert_eq!(took[Operation::Signature], 2, "the grant, and what is given with it");
            let records = u64::try_from(count).expect("a count");
            assert!(took[Operation::AesBlock] <= 4 * records + 100, "a handle and a key each");
            let (given, took) = counted(|| doctor.accept(&mut Grants::default(), &sealed, 0));
            assert!(given.is_ok());
            assert_eq!(took[Operation::Encapsulation], 1);
            assert_eq!(took[Operation::Verification], 2);
        }
    }
}

#[test]
fn a_query_under_a_right_is_one_signature_and_takes_two_to_verify() {
    let _alone = alone();
    let age = Field::new(Kind::Number, 0.0, 120.0, 1.0, None).expect("a grid");
    let mut owner =
        Keyring::root(key(4), Schema::new(vec![("age".into(), age)]).expect("a schema"));
    owner.authorize("hospital", &[]).expect("a name");
    let mut user = User::of(Algorithm::X25519, key(5));
    let ranges = vec![Range { field: "age".into(), low: 20, high: 80 }];
    let terms = Terms { ranges, under: String::new(), end: u64::MAX };
    let (sealed, took) = counted(|| sharing::delegate(&mut owner, user.public(), terms, 0));
    assert_eq!((took[Operation::Encapsulation], took[Operation::Signature]), (1, 2));
    let sealed = sealed.expect("a hospital");
    let (given, took) = counted(|| user.accept(&mut Grants::default(), &sealed, 0));
    assert!(given.is_ok());
    assert_eq!((took[Operation::Encapsulation], took[Operation::Verification]), (1, 2));
    let asked = [OpenRange { field: "age".into(), low: Some(30), high: None }];
    let (query, took) = counted(|| user.query(owner.owner(), None, &asked, 0, 0));
    assert_eq!((took[Operation::Signature], took[Operation::Split]), (1, 0));
    let query = query.expect("it lies within the right").0;
    let (query, took) = counted(|| Query::decode(&query));
    assert!(query.is_ok());
    assert_eq!(took[Operation::Verification], 2, "of the right, and of the query");
}
