//! The audit log: what a cloud writes down, what a witness believes, and every lie about it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/scene.rs"]
mod scene;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mopse::audit::Error;
use mopse::audit::checkpoint::Checkpoint;
use mopse::audit::entry::Entry;
use mopse::audit::identity::Identity;
use mopse::audit::log::Log;
use mopse::audit::witness::Witness;
use mopse::cloud;
use mopse::cloud::gate::Gate;
use mopse::cloud::journal::{Event, Journal, What};
use mopse::cloud::memory::Memory;
use mopse::keys::Key;
use mopse::message;
use mopse::message::audit::Stated;
use mopse::message::certificate::Owner;
use mopse::party::Keyring;
use proptest::prelude::*;
use scene::{NOW, age, ask, cases, owner, upload};
use sha2::Digest;

fn identity() -> Identity {
    Identity::of(Key::from_bytes(&[3; 32]).unwrap())
}

/// A folder of a test's own, which is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mopse-audit-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn log(&self) -> PathBuf {
        self.0.join("log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn event(amount: u64) -> Event {
    let (who, digest) = ("hospital".to_owned(), [7; 32]);
    Event { what: What::Search, who, digest, amount, statement: Vec::new() }
}

/// A log in memory, of an owner whose searches had so many results.
fn log_of(owner: &Keyring, amounts: impl IntoIterator<Item = u64>) -> Log {
    let log = Log::in_memory(identity());
    for amount in amounts {
        log.append(&owner.owner(), event(amount), NOW).unwrap();
    }
    log
}

/// Has a witness ask a log, and read what it answers.
fn watch(
    witness: &mut Witness,
    by: &Keyring,
    log: &Log,
    from: Option<u64>,
    others: &[Checkpoint],
) -> Result<Vec<Entry>, Error> {
    let mut sizes = witness.sizes();
    sizes.extend(others.iter().map(|other| other.size));
    sizes.sort_unstable();
    sizes.dedup();
    let request = by.audit_request(sizes, from, NOW).unwrap();
    let answer = log.answer(&request, NOW)?;
    witness.read(&request, &answer, others)
}

#[test]
fn what_a_cloud_does_is_written_down_by_whom_and_how_much() {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let log = Arc::new(Log::in_memory(identity()));
    let gate = Gate::new(Arc::new(Memory::default())).with_journal(Arc::clone(&log) as Arc<_>);
    let announced = owner.announcements().unwrap();
    gate.enroll(&announced).unwrap();
    gate.enroll(&announced).unwrap(); // nothing new
    let sent = upload(&hospital, &[(1, 40, Some(150)), (2, 50, None)]);
    gate.receive(&sent, NOW).unwrap();
    assert!(gate.receive(&sent, NOW).unwrap().is_repeated);
    let query = ask(&owner, &[age(0, 45)]);
    gate.search(&query, NOW).unwrap();
    gate.count(&ask(&hospital, &[age(0, 120)]), NOW).unwrap();
    gate.search(b"MOPSEQRY", NOW).unwrap_err();
    let stated = hospital.statement(Stated::Grant, [9; 32]).unwrap();
    assert!(!gate.receive(&stated, NOW).unwrap().is_repeated);
    assert!(gate.receive(&stated, NOW).unwrap().is_repeated);
    gate.receive(&owner.removal("hospital").unwrap(), NOW).unwrap();

    let mut witness = Witness::new(owner.owner(), Some(identity().public()));
    let request = owner.audit_request(Vec::new(), Some(0), NOW).unwrap();
    let answer = gate.audit(&owner.sign_audit_request(&request), NOW).unwrap();
    let entries = witness.read(&request, &answer, &[]).unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|Entry { event, .. }| (event.what.word(), &*event.who, event.amount))
        .collect();
    let expected = [
        ("enrolment", "", 1),
        ("upload", "hospital", 2),
        ("search", "", 1),
        ("count", "hospital", 2),
        ("grant", "hospital", 0),
        ("removal", "", 2),
    ];
    assert_eq!(told, expected);
    assert_eq!(entries[4].event.digest, [9; 32]);
    let digest: [u8; 32] = sha2::Sha256::digest(&query).into();
    assert_eq!(entries[2].event.digest, digest);
}

#[test]
fn a_provider_is_a_witness_and_reads_no_entries() {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let log = Arc::new(Log::in_memory(identity()));
    let gate = Gate::new(Arc::new(Memory::default())).with_journal(log as Arc<_>);
    gate.enroll(&owner.announcements().unwrap()).unwrap();
    let mut witness = Witness::new(owner.owner(), None);
    let request = hospital.audit_request(Vec::new(), None, NOW).unwrap();
    let answer = gate.audit(&hospital.sign_audit_request(&request), NOW).unwrap();
    assert_eq!(witness.read(&request, &answer, &[]), Ok(Vec::new()));
    assert_eq!(witness.seen()[0].size, 1);
    let request = hospital.audit_request(Vec::new(), Some(0), NOW).unwrap();
    let refused = gate.audit(&hospital.sign_audit_request(&request), NOW);
    assert!(matches!(refused, Err(cloud::Error::Message(message::Error::Scope { .. }))));
    // Neither a stranger's, nor one that has ended.
    let stranger = scene::owner(9);
    let request = stranger.audit_request(Vec::new(), None, NOW).unwrap();
    let refused = gate.audit(&stranger.sign_audit_request(&request), NOW);
    assert_eq!(refused, Err(cloud::Error::NotEnrolled));
    let request = owner.audit_request(Vec::new(), None, NOW - 1).unwrap();
    let refused = gate.audit(&owner.sign_audit_request(&request), NOW);
    assert!(matches!(refused, Err(cloud::Error::Message(message::Error::Expired { .. }))));
}

#[test]
fn a_cloud_without_a_log_says_so() {
    let mut owner = owner(1);
    let gate: Gate<Memory> = Gate::default();
    gate.enroll(&owner.announcements().unwrap()).unwrap();
    let stated = owner.statement(Stated::Approval, [1; 32]).unwrap();
    assert_eq!(gate.receive(&stated, NOW), Err(cloud::Error::NoLog));
    let request = owner.audit_request(Vec::new(), None, NOW).unwrap();
    assert_eq!(gate.audit(&owner.sign_audit_request(&request), NOW), Err(cloud::Error::NoLog));
}

/// A journal on a disk that is full.
#[derive(Debug)]
struct Full;

impl Journal for Full {
    fn check(&self) -> Result<(), cloud::Error> {
        Err(cloud::Error::Log { why: "full".to_owned() })
    }

    fn note(&self, _: &Owner, _: Event) -> Result<bool, cloud::Error> {
        Err(cloud::Error::Log { why: "full".to_owned() })
    }

    fn commit(&self) -> Result<(), cloud::Error> {
        Err(cloud::Error::Log { why: "full".to_owned() })
    }

    fn audit(&self, _: &message::audit::AuditRequest) -> Result<Vec<u8>, cloud::Error> {
        Err(cloud::Error::Log { why: "full".to_owned() })
    }
}

#[test]
fn what_cannot_be_written_down_is_not_answered() {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let store = Arc::new(Memory::default());
    let open = Gate::new(Arc::clone(&store));
    open.enroll(&owner.announcements().unwrap()).unwrap();
    open.receive(&upload(&hospital, &[(1, 40, None)]), NOW).unwrap();
    let gate = Gate::new(store).with_journal(Arc::new(Full));
    let query = ask(&owner, &[age(0, 120)]);
    let full = cloud::Error::Log { why: "full".to_owned() };
    assert_eq!(gate.search(&query, NOW), Err(full.clone()));
    assert_eq!(gate.count(&query, NOW), Err(full.clone()));
    assert_eq!(gate.receive(&upload(&hospital, &[(2, 50, None)]), NOW), Err(full));
    assert_eq!(open.count(&query, NOW), Ok(1), "nor done");
}

/// A crash lost the end of the log, and not what was done: who sends it again has it written down.
#[test]
fn what_was_done_and_not_written_down_is_written_down_when_it_comes_again() {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let store = Arc::new(Memory::default());
    let open = Gate::new(Arc::clone(&store));
    open.enroll(&owner.announcements().unwrap()).unwrap();
    let sent = upload(&hospital, &[(1, 40, None)]);
    let removal = owner.removal("hospital").unwrap();
    open.receive(&sent, NOW).unwrap();
    let log = Arc::new(Log::in_memory(identity()));
    let gate = Gate::new(store).with_journal(Arc::clone(&log) as Arc<_>);
    for size in [1, 1] {
        assert!(gate.receive(&sent, NOW).unwrap().is_repeated);
        assert_eq!(log.len(&owner.owner()), Ok(size));
    }
    open.receive(&removal, NOW).unwrap();
    for size in [2, 2] {
        assert!(gate.receive(&removal, NOW).unwrap().is_repeated);
        assert_eq!(log.len(&owner.owner()), Ok(size));
    }
}

#[test]
fn a_witness_follows_a_log_that_grows() {
    let owner = owner(1);
    let log = log_of(&owner, []);
    let mut witness = Witness::new(owner.owner(), None);
    assert_eq!(watch(&mut witness, &owner, &log, Some(0), &[]), Ok(Vec::new()));
    let mut read = Vec::new();
    for amount in 0..150 {
        log.append(&owner.owner(), event(amount), NOW).unwrap();
        if amount % 7 == 0 {
            read.extend(watch(&mut witness, &owner, &log, Some(read.len() as u64), &[]).unwrap());
        }
    }
    watch(&mut witness, &owner, &log, None, &[]).unwrap();
    let amounts: Vec<u64> = read.iter().map(|entry| entry.event.amount).collect();
    assert_eq!(amounts, (0..148).collect::<Vec<_>>());
    assert_eq!(witness.seen().last().unwrap().size, 150);
    let restored = Witness::decode(&witness.encode()).unwrap();
    assert_eq!(restored, witness);
    let beyond = watch(&mut witness, &owner, &log, Some(151), &[]);
    assert_eq!(beyond, Err(Error::NoEntry { size: 150, number: 151 }));
}

#[test]
fn more_checkpoints_than_are_kept_are_thinned_and_the_last_one_stays() {
    let owner = owner(1);
    let log = log_of(&owner, []);
    let mut witness = Witness::new(owner.owner(), None);
    for amount in 0..1500 {
        log.append(&owner.owner(), event(amount), NOW).unwrap();
        watch(&mut witness, &owner, &log, None, &[]).unwrap();
        assert_eq!(witness.seen().last().unwrap().size, amount + 1);
    }
    assert!(witness.seen().len() <= 1024);
    assert!(witness.sizes().len() <= 64);
    assert_eq!(Witness::decode(&witness.encode()), Ok(witness));
}

/// Logs that a cloud might show instead of the one with these amounts; each is sound in itself.
fn rewritten() -> Vec<(&'static str, Vec<u64>)> {
    let true_one: Vec<u64> = (0..20).collect();
    let without: Vec<u64> = true_one.iter().copied().filter(|&amount| amount != 5).collect();
    let mut changed = true_one.clone();
    changed[5] = 500;
    let mut reordered = true_one.clone();
    reordered.swap(5, 6);
    let mut doubled = true_one.clone();
    doubled.insert(5, 5);
    vec![("removed", without), ("changed", changed), ("reordered", reordered), ("doubled", doubled)]
}

#[test]
fn a_log_that_was_rewritten_is_found_and_where() {
    let owner = owner(1);
    let log = log_of(&owner, []);
    let mut witness = Witness::new(owner.owner(), None);
    for amount in 0..20 {
        log.append(&owner.owner(), event(amount), NOW).unwrap();
        if amount % 3 == 0 {
            watch(&mut witness, &owner, &log, None, &[]).unwrap(); // sizes 1, 4, 7, ... 19
        }
    }
    for (how, amounts) in rewritten() {
        let other = log_of(&owner, amounts.into_iter().chain(20..25));
        let before = witness.clone();
        let found = watch(&mut witness, &owner, &other, Some(0), &[]);
        // It is the same up to entry 5, so the checkpoint of four entries holds and that of seven does not.
        assert_eq!(found, Err(Error::Rewritten { seen: 19, after: 4 }), "{how}");
        assert_eq!(witness, before, "what was seen is kept");
    }
    let cut = log_of(&owner, 0..10);
    let found = watch(&mut witness, &owner, &cut, None, &[]);
    assert_eq!(found, Err(Error::Shorter { size: 10, seen: 19 }));
    let same_size = log_of(&owner, (0..18).chain([99]));
    assert_eq!(watch(&mut witness, &owner, &same_size, None, &[]), Err(Error::Fork { size: 19 }));
    // The control: nothing is wrong with the true one.
    assert_eq!(watch(&mut witness, &owner, &log, None, &[]), Ok(Vec::new()));
}

#[test]
fn two_witnesses_who_were_shown_two_logs_find_out_when_they_compare() {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let (log, other) = (log_of(&owner, 0..20), log_of(&owner, (0..12).chain(50..60)));
    let mut first = Witness::new(owner.owner(), None);
    let mut second = Witness::new(owner.owner(), None);
    watch(&mut first, &owner, &log, None, &[]).unwrap();
    watch(&mut second, &hospital, &other, None, &[]).unwrap();
    // Each is content alone.
    watch(&mut first, &owner, &log, None, &[]).unwrap();
    watch(&mut second, &hospital, &other, None, &[]).unwrap();
    let of_second = second.seen().to_vec();
    // Whichever log the cloud shows now, it is not that of both.
    let longer = log_of(&owner, 0..30);
    for shown in [&log, &longer, &other] {
        assert!(watch(&mut first, &owner, shown, None, &of_second).is_err());
    }
    // With two checkpoints of one size nobody need be asked.
    let forged = log_of(&owner, (0..12).chain(50..58));
    let mut third = Witness::new(owner.owner(), None);
    watch(&mut third, &owner, &forged, None, &[]).unwrap();
    assert_eq!(first.check(&third.seen()[0]), Err(Error::Fork { size: 20 }));
    // The control: of one log, at different times.
    let mut late = Witness::new(owner.owner(), None);
    watch(&mut late, &owner, &longer, None, &[]).unwrap();
    let early = first.seen().to_vec();
    assert_eq!(watch(&mut late, &owner, &longer, None, &early), Ok(Vec::new()));
}

#[test]
fn another_identity_or_owner_is_refused() {
    let (first, second) = (owner(1), owner(2));
    let log = log_of(&first, 0..3);
    let other = Log::in_memory(Identity::of(Key::from_bytes(&[4; 32]).unwrap()));
    let mut witness = Witness::new(first.owner(), None);
    watch(&mut witness, &first, &log, None, &[]).unwrap();
    let refused = watch(&mut witness, &first, &other, None, &[]);
    assert!(matches!(refused, Err(Error::OtherIdentity { .. })));
    let of_other = other.checkpoint(&first.owner(), NOW).unwrap();
    assert!(matches!(witness.check(&of_other), Err(Error::OtherIdentity { .. })));
    let of_second = log.checkpoint(&second.owner(), NOW).unwrap();
    assert!(matches!(witness.check(&of_second), Err(Error::Entries { .. })));
    let request = second.audit_request(Vec::new(), None, NOW).unwrap();
    let answer = log.answer(&request, NOW).unwrap();
    assert!(witness.read(&request, &answer, &[]).is_err());
}

#[test]
fn a_statement_that_the_cloud_tells_otherwise_is_refused() {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let statement = hospital.statement(Stated::Grant, [9; 32]).unwrap();
    let stated = |what, who: &str, digest| {
        let log = Log::in_memory(identity());
        let (who, statement) = (who.to_owned(), statement.clone());
        let event = Event { what: What::Stated(what), who, digest, amount: 0, statement };
        log.append(&owner.owner(), event, NOW).unwrap();
        watch(&mut Witness::new(owner.owner(), None), &owner, &log, Some(0), &[])
    };
    assert!(stated(Stated::Grant, "hospital", [9; 32]).is_ok());
    assert!(stated(Stated::Revocation, "hospital", [9; 32]).is_err());
    assert!(stated(Stated::Grant, "", [9; 32]).is_err());
    assert!(stated(Stated::Grant, "hospital", [8; 32]).is_err());
}

#[test]
fn an_answer_that_was_changed_anywhere_is_refused() {
    let owner = owner(1);
    let log = log_of(&owner, 0..7);
    let mut witness = Witness::new(owner.owner(), None);
    watch(&mut witness, &owner, &log, None, &[]).unwrap();
    (7..40).for_each(|amount| {
        log.append(&owner.owner(), event(amount), NOW).unwrap();
    });
    let request = owner.audit_request(witness.sizes(), Some(3), NOW).unwrap();
    let answer = log.answer(&request, NOW).unwrap();
    assert_eq!(witness.clone().read(&request, &answer, &[]).unwrap().len(), 37);
    for cut in 0..answer.len() {
        assert!(witness.clone().read(&request, &answer[..cut], &[]).is_err(), "{cut}");
    }
    let config = ProptestConfig::with_cases(cases(600));
    proptest!(config, |(at in 0..answer.len(), mask in 1..=u8::MAX)| {
        let mut changed = answer.clone();
        changed[at] ^= mask;
        prop_assert!(witness.clone().read(&request, &changed, &[]).is_err(), "{}", at);
    });
}

#[test]
fn a_log_in_a_file_goes_on_where_it_ended() {
    let (owner, folder) = (owner(1), Folder::new());
    let mut witness = Witness::new(owner.owner(), Some(identity().public()));
    for round in 0..4 {
        let log = Log::open(&folder.log(), identity()).unwrap();
        assert_eq!(log.len(&owner.owner()), Ok(round * 10));
        for amount in round * 10..(round + 1) * 10 {
            log.append(&owner.owner(), event(amount), NOW).unwrap();
        }
        watch(&mut witness, &owner, &log, Some(0), &[]).unwrap();
        if round % 2 == 0 {
            log.close().unwrap();
            assert!(matches!(log.append(&owner.owner(), event(0), NOW), Err(Error::File { .. })));
        }
    }
    let log = Log::open(&folder.log(), identity()).unwrap();
    assert_eq!(Log::open(&folder.log(), identity()).unwrap_err(), Error::InUse);
    let entries = watch(&mut witness, &owner, &log, Some(0), &[]).unwrap();
    let amounts: Vec<u64> = entries.iter().map(|entry| entry.event.amount).collect();
    assert_eq!(amounts, (0..40).collect::<Vec<_>>());
    let seen = witness.seen();
    let sizes = vec![(owner.owner(), 40)];
    assert_eq!(Log::check(&folder.log(), seen), Ok((sizes, 0)), "also while it is open");
    drop(log);
    let other = Identity::of(Key::from_bytes(&[4; 32]).unwrap());
    let refused = Log::open(&folder.log(), other);
    assert!(matches!(refused, Err(Error::OtherIdentity { .. })));
}

#[test]
fn an_identity_is_kept_in_a_file_of_its_own() {
    let folder = Folder::new();
    let path = folder.0.join("identity");
    let made = Identity::open(&path).unwrap();
    assert_eq!(Identity::open(&path).unwrap().public(), made.public());
    let bytes = fs::read(&path).unwrap();
    for wrong in [&bytes[..20], &[&bytes[..], b"x"].concat(), b"MOPSEKEY"] {
        fs::write(&path, wrong).unwrap();
        assert!(matches!(Identity::open(&path), Err(Error::Wire(_))), "{wrong:02x?}");
    }
    assert!(!format!("{made:?}").contains("Key"));
}

#[test]
fn a_record_that_is_not_whole_is_cut_off_and_nothing_else() {
    let (owner, folder) = (owner(1), Folder::new());
    let log = Log::open(&folder.log(), identity()).unwrap();
    let mut lengths = Vec::new();
    for amount in 0..4 {
        log.append(&owner.owner(), event(amount), NOW).unwrap();
        log.sync().unwrap();
        lengths.push(fs::metadata(folder.log()).unwrap().len());
    }
    drop(log);
    let whole = fs::read(folder.log()).unwrap();
    for cut in 41..=whole.len() {
        fs::write(folder.log(), &whole[..cut]).unwrap();
        let entries = lengths.iter().filter(|&&length| length <= cut as u64).count() as u64;
        let log = Log::open(&folder.log(), identity()).unwrap();
        assert_eq!(log.len(&owner.owner()), Ok(entries), "{cut}");
        log.append(&owner.owner(), event(9), NOW).unwrap();
        drop(log); // what was not committed is lost, and the file is whole
        let log = Log::open(&folder.log(), identity()).unwrap();
        assert_eq!(log.len(&owner.owner()), Ok(entries), "{cut}");
    }
    // A file system gives a file its length before its bytes.
    fs::write(folder.log(), [&whole[..], &[0; 5000]].concat()).unwrap();
    assert_eq!(Log::open(&folder.log(), identity()).unwrap().len(&owner.owner()), Ok(4));
    for cut in 0..41 {
        fs::write(folder.log(), &whole[..cut]).unwrap();
        let log = Log::open(&folder.log(), identity()).unwrap();
        assert_eq!(log.len(&owner.owner()), Ok(0), "its making was cut short");
    }
}

#[test]
fn every_byte_of_a_log_in_a_file_is_watched() {
    let (owner, folder) = (owner(1), Folder::new());
    let log = Log::open(&folder.log(), identity()).unwrap();
    for amount in 0..3 {
        log.append(&owner.owner(), event(amount), NOW).unwrap();
    }
    let seen = [log.checkpoint(&owner.owner(), NOW).unwrap()];
    drop(log);
    let whole = fs::read(folder.log()).unwrap();
    assert!(Log::check(&folder.log(), &seen).is_ok());
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x40;
        fs::write(folder.log(), &changed).unwrap();
        assert!(Log::check(&folder.log(), &seen).is_err(), "byte {at}");
    }
    // Of no length that was changed are the entries behind it taken for one that is not whole.
    let record = (whole.len() - 41) / 3;
    for at in [41, 41 + record, 41 + 2 * record] {
        for (byte, mask) in [(0, 0x40), (0, 1), (1, 1), (1, 0x80), (2, 1), (3, 0x80)] {
            let mut changed = whole.clone();
            changed[at + byte] ^= mask;
            fs::write(folder.log(), &changed).unwrap();
            assert!(Log::check(&folder.log(), &[]).is_err(), "byte {at} {byte}");
            assert!(Log::open(&folder.log(), identity()).is_err(), "byte {at} {byte}");
            assert_eq!(fs::read(folder.log()).unwrap(), changed, "it is left as it was");
        }
    }
    // By the chain alone: all entries but the last, whose successor would tell.
    for at in 41 + 4..whole.len() - record {
        let mut changed = whole.clone();
        changed[at] ^= 0x40;
        fs::write(folder.log(), &changed).unwrap();
        let found = Log::check(&folder.log(), &[]);
        assert!(matches!(found, Err(Error::Broken { .. })), "byte {at}: {found:?}");
    }
    let records: Vec<&[u8]> = whole[41..].chunks(record).collect();
    for order in [vec![0, 2, 1], vec![0, 2], vec![1, 2], vec![0, 0, 1, 2], vec![0, 1, 1, 2]] {
        let mut other = whole[..41].to_vec();
        order.iter().for_each(|&at| other.extend(records[at]));
        fs::write(folder.log(), &other).unwrap();
        let found = Log::check(&folder.log(), &[]);
        assert!(matches!(found, Err(Error::Broken { .. })), "{order:?}: {found:?}");
        assert!(Log::open(&folder.log(), identity()).is_err(), "nor is it opened");
    }
    fs::write(folder.log(), &whole[..whole.len() - record]).unwrap();
    assert_eq!(Log::check(&folder.log(), &seen), Err(Error::Shorter { size: 2, seen: 3 }));
}
