//! No bytes make a reader panic, run out of memory, or take one message for another.
//!
//! `MOPSE_FUZZ` is the number of inputs of each test of random bytes, if there should be more than a few;
//! contents that a dishonest signer signs, and keyrings, are tried in the unit tests alike.

#[path = "support/scene.rs"]
mod scene;

use std::fmt::Debug;
use std::sync::OnceLock;

use mopse::audit::checkpoint::Checkpoint;
use mopse::audit::entry::Entry;
use mopse::audit::identity::Identity;
use mopse::audit::witness::Witness;
use mopse::cipher::aes_gcm;
use mopse::cipher::password::Cost;
use mopse::cipher::{secret_sharing, stream};
use mopse::keys::Key;
use mopse::message::announcement::{self, Announcement};
use mopse::message::answer::{Answer, Part};
use mopse::message::arriving::Arriving;
use mopse::message::attachment::{Attachment, StoredFile};
use mopse::message::audit::{AuditRequest, Stated, Statement};
use mopse::message::certificate::Chain;
use mopse::message::listing::{Fetched, Listing};
use mopse::message::notes::{Note, Notes};
use mopse::message::permission::{Permission, Permit};
use mopse::message::piece::{Piece, Pieces};
use mopse::message::query::Query;
use mopse::message::removal::Removal;
use mopse::message::request::Request;
use mopse::message::right::Right;
use mopse::message::seal::{Seal, Sealed};
use mopse::message::sums::{Evidence, Proof, Required, Wanted};
use mopse::message::upload::Upload;
use mopse::party::Keyring;
use mopse::party::grants::{Grant, Grants, Share};

use mopse::party::records::Ids;
use mopse::party::rights::{OpenRange, Terms};
use mopse::party::saved::{self, Kind};
use mopse::party::uploading::Versions;
use mopse::schema::Schema;
use mopse::sharing;
use mopse::sharing::pairing::field::Element;
use mopse::sharing::pairing::{G1, G2, Gt, Scalar};
use mopse::sharing::reencryption::published::{Capsule, Ciphertext, Keys, Released};
use mopse::sharing::reencryption::{self, Envelope, Label, Proxy};
use mopse::sharing::request::Address;
use mopse::sharing::user::{Algorithm, User};
use mopse::wire;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use scene::{Cloud, NOW, age, ask, cases, delete, owner, sbp, upload};

/// A change that accidents and attackers make.
#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Set(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Double(Index, Index),
    /// Eight bytes somewhere, where a length may stand.
    Number(Index, u64),
}

impl Change {
    fn make(&self, bytes: &mut Vec<u8>) {
        let between = |a: &Index, b: &Index, bytes: &[u8]| {
            let (a, b) = (a.index(bytes.len() + 1), b.index(bytes.len() + 1));
            a.min(b)..a.max(b)
        };
        match self {
            _ if bytes.is_empty() => {}
            Self::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << (bit % 8);
            }
            Self::Set(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Insert(at, more) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Remove(a, b) => drop(bytes.drain(between(a, b, bytes))),
            Self::Double(a, b) => {
                let slice = between(a, b, bytes);
                let (end, copy) = (slice.end, bytes[slice].to_vec());
                bytes.splice(end..end, copy);
            }
            Self::Number(at, number) => {
                let at = at.index(bytes.len());
                let end = bytes.len().min(at + 8);
                let number = number.to_le_bytes();
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    let number = prop_oneof![0..40_u64, Just(u64::MAX), Just(1 << 63), Just(1 << 32), any::<u64>()];
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (place(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        place().prop_map(Change::Cut),
        (place(), vec(any::<u8>(), 1..20)).prop_map(|(at, more)| Change::Insert(at, more)),
        (place(), place()).prop_map(|(a, b)| Change::Remove(a, b)),
        (place(), place()).prop_map(|(a, b)| Change::Double(a, b)),
        (place(), number).prop_map(|(at, number)| Change::Number(at, number)),
    ]
}

/// Bytes that nobody wrote, often after the head of a message.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let body = vec(prop_oneof![Just(0_u8), Just(1), Just(255), any::<u8>()], 0..300);
    let kind = proptest::option::weighted(0.9, prop::sample::select(wire::Kind::ALL));
    (kind, body).prop_map(|(kind, body)| {
        let head = kind.map(|kind| [&kind.letters()[..], &[kind.version()]].concat());
        [head.unwrap_or_default(), body].concat()
    })
}

const CHEAP: Cost = Cost { memory: 8, passes: 1, lanes: 1 };

/// Messages of every kind, and who may read them.
struct Messages {
    owner: Keyring,
    ward: Keyring,
    grants: Grants,
    cloud: Cloud,
    /// Each by its name; where only the signer may have made it, with what reads it.
    signed: Vec<(&'static str, Vec<u8>)>,
    unsigned: Vec<(&'static str, Vec<u8>)>,
    query: Query,
    answer: Answer,
    /// A query whose answer is proven, with that.
    proven: (Query, Answer),
}

/// A provider whose keys are always the same, which keeps a ledger.
fn keeper() -> &'static Keyring {
    static KEEPER: OnceLock<Keyring> = OnceLock::new();
    KEEPER.get_or_init(|| {
        let mut owner = owner(2);
        owner.declare_proven(vec!["age".into()]).expect("it is a field");
        let keeper = owner.authorize("keeper", &[]).expect("a good name");
        upload(&keeper, &[(1, 40, Some(150)), (2, 50, None)]);
        keeper.seal(NOW).expect("it has a ledger");
        keeper
    })
}

/// Keeps a ledger's file only where it is one of the keeper's.
fn kept(bytes: &[u8]) -> Result<(), mopse::party::Error> {
    let before = keeper().save_ledger()?.expect("it has a ledger");
    keeper().open_ledger(bytes)?;
    keeper().open_ledger(&before)
}

fn key() -> Key {
    Key::from_bytes(&[1; 32]).expect("32 bytes")
}

/// A query under a right, and the right in it.
fn delegated(owner: &mut Keyring) -> (Vec<u8>, Vec<u8>) {
    let (mut user, mut grants) = (User::of(Algorithm::X25519, key()), Grants::default());
    let ranges = vec![age(20, 60), sbp(100, 200)];
    let terms = Terms { ranges, under: String::new(), end: u64::MAX };
    let sealed = sharing::delegate(owner, user.public(), terms, NOW).expect("there are groups");
    user.accept(&mut grants, &sealed, NOW).expect("it is its own");
    let asked = [OpenRange { field: "age".into(), low: Some(30), high: None }];
    let (query, _) =
        user.query(owner.owner(), None, &asked, NOW, NOW).expect("it lies within the right");
    // After the head and the owner, as long as it says.
    let (length, rest) = query[wire::HEAD_LEN + 32..].split_first_chunk().expect("just made");
    let length = usize::try_from(u64::from_le_bytes(*length)).expect("it is short");
    let right = rest[..length].to_vec();
    (query, right)
}

/// What travels in the published re-encryption of a portion.
fn re_encrypted() -> [(&'static str, Vec<u8>); 3] {
    let (owner, user) =
        (Keys::generate("ann").expect("a name"), Keys::generate("ben").expect("one"));
    let (ciphertext, capsule) = owner.encrypt("visit", "medical", b"text").expect("good names");
    let released = capsule.re_encrypted("ben", user.public());
    [
        ("encrypted portion", ciphertext.encode()),
        ("capsule", capsule.encode()),
        ("re-encrypted capsule", released.encode()),
    ]
}

/// The member that a role's key is handed to.
fn member() -> &'static User {
    static MEMBER: OnceLock<User> = OnceLock::new();
    MEMBER.get_or_init(|| User::of(Algorithm::X25519, key()))
}

/// A message, by what it is called.
type Named = (&'static str, Vec<u8>);

/// What travels in the re-encryption of a grant: what only one party may have made, and what anybody may.
fn wrapped(owner: &Keyring) -> ([Named; 4], Named) {
    let label = Label::of(owner, "hospital", "rest", None).expect("there is one");
    let keys = reencryption::Keys::of(key());
    let envelope = Envelope::wrap(owner, &label, u64::MAX).expect("it is the owner's");
    let key = reencryption::Key::make(owner, &label, keys.public()).expect("it is the owner's");
    let mut proxy = Proxy::new();
    proxy.receive(&key);
    let released = proxy.re_encrypt(&envelope, &keys.public().name()).expect("it has the key");
    let signed = [
        ("envelope", envelope.encode().to_vec()),
        ("re-encryption key", key.encode().to_vec()),
        ("public key", keys.public().encode().to_vec()),
        ("role", keys.hand(member().public()).expect("a good key")),
    ];
    (signed, ("released", released.encode()))
}

fn messages() -> Messages {
    let mut owner = owner(1);
    owner.declare_proven(vec!["age".into(), "sbp".into()]).expect("they are fields");
    let hospital = owner.authorize("hospital", &[]).expect("a good name");
    owner.authorize("ward", &["hospital"]).expect("the hospital is there");
    owner.authorize("lab", &["hospital"]).expect("the hospital is there");
    let cloud = Cloud::of(&mut owner);
    owner.revoke(&["hospital", "lab"]).expect("it is there");
    owner.renew_readers(&["hospital"]).expect("it is there");
    cloud.enroll(&mut owner);
    let ward = owner.authorize("ward", &["hospital"]).expect("it is there");
    let mut attaching = owner.authorize("ward", &["hospital"]).expect("it is there");
    let words: [&[u8]; 2] = [b"x-ray", b"0171"];
    let attached = attaching
        .attach(Ids::Integers(&[1]), &aes_gcm::AES_256, ("name", "a/b"), b"contents", &words)
        .expect("a provider attaches");
    let attachment = Attachment::decode(&attached).expect("just made");
    let file: StoredFile = attachment.file;
    let note = Note { number: file.number, sealed: attachment.note };
    let provider = ward.node().clone();
    let notes = Notes { request: 1, owner: owner.owner(), provider, notes: vec![note] };
    let listing =
        Listing { request: 1, files: vec![file.without_body(), file.without_body()], proof: None };
    let requests = [
        attaching.request_notes(NOW),
        owner.search_files(&words, NOW),
        owner.provable_search(&words, NOW),
        ward.request_shelves(true, NOW).map(|mut all| all.remove(0)),
        owner.list_files(vec![(ward.node().clone(), vec![1, 2])], NOW),
        owner.fetch_file(7, NOW),
    ];
    let [for_notes, by_words, provably, for_all, by_records, by_number] =
        requests.map(|request| request.expect("it may ask"));
    let sent = upload(&ward, &[(1, 40, Some(150)), (2, 50, None), (3, 60, Some(90))]);
    cloud.receive(&sent).expect("it is new");
    cloud.gate.receive(&ward.seal(NOW).expect("it has a ledger"), NOW).expect("it is the first");
    let versions = cloud.versions(&ward, &[1, 2, 3]);
    let deletion = delete(&ward, &[2], &versions).expect("it is there");
    cloud.receive(&deletion).expect("it is the newest version");
    let (ids, id) = (Ids::Integers(&[1, 2, 9]), ward.node().path());
    let lookup = ward.lookup(&id, ids, NOW).expect("it is its own");
    let query = ask(&owner, &[age(0, 120), sbp(100, 200)]);
    let answer = cloud.answer(&lookup).expect("it may ask");
    let part = answer.parts[0].encode();
    let provable = owner.provable_query(&[age(0, 120), sbp(100, 200)], NOW).expect("they are sums");
    let wanted = (None, Wanted { in_detail: true, ..Wanted::default() });
    let proven = cloud.gate.search_proven(&provable, NOW, None, wanted).expect("it may ask");
    let count = cloud.gate.count_proven(&provable, NOW, wanted.1).expect("it may ask");
    let by_signatures = (Some(true), Wanted { by_signatures: true, ..Wanted::default() });
    let neighbours = cloud.gate.search_proven(&provable, NOW, None, by_signatures);
    let neighbours = neighbours.expect("it may ask").proof.expect("it was asked for");
    let ids = Some(Ids::Integers(&[1, 2, 3]));
    let portions = ["rest".to_owned(), "files".to_owned()];
    let share = Share { ids: None, portions: None, holder: b"a doctor", end: NOW };
    let shares = [share, Share { portions: Some(&portions), ..share }, Share { ids, ..share }];
    let granted =
        shares.map(|share| ward.grant(ward.node(), &share).expect("it is its own").to_vec());
    let mut grants = Grants::default();
    for grant in &granted {
        let grant = Grant::decode(grant).expect("just made");
        grants.add_for(b"a doctor", grant, NOW).expect("it has not ended");
    }
    let [all, some, records] = granted;
    let ids = Ids::Integers(&[1, 2, 3]);
    let (provider, handles) = (hospital.node().clone(), hospital.handles(ids));
    let known = Part { provider, handles, ..Part::nothing(owner.owner(), 0, 0) };
    let known = Versions::of([&known]);
    let permission = owner.permit("hospital/ward", "hospital", ids, &known, NOW);
    let permission = permission.expect("the owner is above both");
    let announcements = owner.announcements().expect("an owner announces");
    let mut split = announcement::split(&announcements).expect("just made");
    let (delegated, right) = delegated(&mut owner);
    let piece = Pieces::new(&sent).expect("just made").piece(&sent, 0..1);
    let signed = vec![
        ("upload", sent),
        ("upload", deletion),
        ("removal", ward.removal(&id).expect("it is its own")),
        ("query", query),
        ("query", lookup.clone()),
        ("query", provable.clone()),
        ("query", delegated),
        ("right", right),
        ("seal", ward.seal(NOW).expect("it has a ledger")),
        ("piece", piece),
        ("ledger", keeper().save_ledger().expect("there is chance").expect("it has a ledger")),
        ("attachment", attached),
        ("request", for_notes),
        ("request", by_words),
        ("request", provably),
        ("request", for_all),
        ("request", by_records),
        ("request", by_number),
        ("announcement", split.remove(0).1),
        ("announcement", split.remove(0).1),
        ("permission", permission),
        ("statement", ward.statement(Stated::Grant, [7; 32]).expect("there is chance")),
        ("audit request", {
            let request = ward.audit_request(vec![1, 2], None, NOW).expect("there is chance");
            ward.sign_audit_request(&request)
        }),
        ("address", Address::of(&ward, Algorithm::X25519).encode().to_vec()),
        ("address", Address::of(&owner, Algorithm::XWing).encode().to_vec()),
        ("checkpoint", {
            let (identity, state) = (Identity::of(key()), (3, [1; 32], [2; 32]));
            Checkpoint::sign(&identity, owner.owner(), state, NOW).encode()
        }),
        ("grant", all),
        ("grant", some),
        ("grant", records),
        (
            "stream",
            stream::seal(&aes_gcm::AES_256, &key(), b"", b"contents").expect("it has a tag"),
        ),
        ("keyring", saved::seal(&hospital, b"password", CHEAP).expect("the cost is sane")),
        ("keyring", saved::seal(&ward, b"password", CHEAP).expect("the cost is sane")),
    ];
    let [portion, capsule, re_encrypted] = re_encrypted();
    let (wrapped, released) = wrapped(&owner);
    let signed: Vec<_> = signed.into_iter().chain(wrapped).collect();
    let unsigned = vec![
        ("announcements", announcements),
        ("chain", ward.certificates()),
        ("part", part),
        ("part", answer.parts.last().expect("something was removed").encode()),
        ("answer", answer.encode()),
        ("answer", proven.encode()),
        ("proof", proven.proof.as_ref().expect("it was asked for").encode()),
        ("proof", count.encode()),
        ("proof", neighbours.encode()),
        ("schema", owner.schema().encode()),
        ("fetched", Fetched { request: 1, file, deed: None }.encode()),
        ("listing", listing.encode()),
        ("listing", proven_listing().2.encode()),
        ("notes", notes.encode()),
        ("witness", Witness::new(owner.owner(), None).encode()),
        ("witness", Witness::new(owner.owner(), Some([9; 32])).encode()),
        portion,
        capsule,
        re_encrypted,
        released,
    ];
    let query = Query::decode(&lookup).expect("just made");
    let proven = (Query::decode(&provable).expect("just made"), proven);
    Messages { owner, ward, grants, cloud, signed, unsigned, query, answer, proven }
}

/// Which reader takes bytes, and the bytes that it would write, if it keeps no signature.
fn taken(bytes: &[u8]) -> Vec<(&'static str, Option<Vec<u8>>)> {
    fn note<T, E>(
        taken: &mut Vec<(&'static str, Option<Vec<u8>>)>,
        name: &'static str,
        read: Result<T, E>,
        written: impl FnOnce(T) -> Option<Vec<u8>>,
    ) {
        if let Ok(message) = read {
            taken.push((name, written(message)));
        }
    }
    let mut all = Vec::new();
    note(&mut all, "upload", Upload::decode(bytes), |_| None);
    note(&mut all, "removal", Removal::decode(bytes), |_| None);
    note(&mut all, "query", Query::decode(bytes), |_| None);
    note(&mut all, "right", Right::decode(bytes), |_| None);
    note(&mut all, "attachment", Attachment::decode(bytes), |_| None);
    note(&mut all, "request", Request::decode(bytes), |_| None);
    note(&mut all, "announcement", Announcement::decode(bytes), |_| None);
    note(&mut all, "grant", Grant::decode(bytes), |_| None);
    note(&mut all, "permission", Permit::decode(bytes), |_| None);
    note(&mut all, "seal", Sealed::decode(bytes), |_| None);
    note(&mut all, "piece", Piece::decode(bytes), |_| None);
    note(&mut all, "statement", Statement::decode(bytes), |_| None);
    note(&mut all, "audit request", AuditRequest::decode(bytes), |_| None);
    note(&mut all, "checkpoint", Checkpoint::decode(bytes), |_| None);
    note(&mut all, "address", Address::decode(bytes), |_| None);
    note(&mut all, "witness", Witness::decode(bytes), |witness| Some(witness.encode()));
    let _ = Entry::decode(bytes);
    note(&mut all, "ledger", kept(bytes), |()| None);
    note(&mut all, "stream", stream::open(&key(), b"", bytes), |_| None);
    for kind in [Kind::Owner, Kind::Provider] {
        note(&mut all, "keyring", saved::open(bytes, b"password", kind), |_| None);
    }
    note(&mut all, "announcements", announcement::split(bytes), |split| {
        let owner = split[0].0.owner;
        let messages: Vec<_> = split.into_iter().map(|(_, message)| message).collect();
        Some(announcement::join(&owner, &messages))
    });
    note(&mut all, "chain", Chain::decode(bytes), |(owner, chain)| Some(chain.encode(&owner)));
    note(&mut all, "part", Part::decode(bytes), |part| Some(part.encode()));
    note(&mut all, "answer", Answer::decode(bytes), |answer| Some(answer.encode()));
    note(&mut all, "proof", Proof::decode(bytes), |proof| Some(proof.encode()));
    note(&mut all, "schema", Schema::decode(bytes), |schema| Some(schema.encode()));
    note(&mut all, "fetched", Fetched::decode(bytes), |fetched| Some(fetched.encode()));
    for arriving in [Arriving::default(), Arriving::proven()] {
        let (mut arriving, (first, last)) = (arriving, bytes.split_at(bytes.len() / 2));
        let fed = arriving.feed(first).is_ok() && arriving.feed(last).is_ok();
        let is_whole = fed && arriving.end().is_ok();
        assert!(!is_whole || Fetched::decode(bytes).is_ok());
    }
    note(&mut all, "listing", Listing::decode(bytes), |listing| Some(listing.encode()));
    note(&mut all, "notes", Notes::decode(bytes), |notes| Some(notes.encode()));
    note(&mut all, "encrypted portion", Ciphertext::decode(bytes), |one| Some(one.encode()));
    note(&mut all, "capsule", Capsule::decode(bytes), |one| Some(one.encode()));
    note(&mut all, "re-encrypted capsule", Released::decode(bytes), |one| Some(one.encode()));
    note(&mut all, "envelope", Envelope::decode(bytes), |_| None);
    note(&mut all, "re-encryption key", reencryption::Key::decode(bytes), |_| None);
    note(&mut all, "public key", reencryption::Public::decode(bytes), |_| None);
    note(&mut all, "role", reencryption::Keys::handed(member(), bytes), |_| None);
    note(&mut all, "released", reencryption::Released::decode(bytes), |one| Some(one.encode()));
    let _ = announcement::owner_of(bytes);
    let _ = Permission::decode_head(bytes);
    let _ = Seal::decode_head(bytes);
    let _ = Piece::begun(bytes).is_ok();
    let _ = Pieces::new(bytes).is_ok();
    let _ = Evidence::decode(bytes).is_ok();
    let _ = secret_sharing::join(&[(bytes, &key()), (bytes, &key())]);
    all
}

/// Hands bytes to every door of a cloud that serves the owner; what it refuses changes nothing.
fn offered(cloud: &Cloud, bytes: &[u8]) -> usize {
    let before = cloud.snapshot();
    let gate = &cloud.gate;
    let taken = [
        gate.admit(bytes, NOW).is_ok(),
        gate.enroll(bytes).is_ok(),
        gate.receive(bytes, NOW).is_ok_and(|receipt| !receipt.is_repeated),
        gate.put(bytes, NOW).is_ok(),
        gate.search(bytes, NOW).is_ok(),
        gate.count(bytes, NOW).is_ok(),
        gate.search_proven(bytes, NOW, None, (Some(true), Wanted::default())).is_ok(),
        gate.count_proven(
            bytes,
            NOW,
            Wanted { since: Some(0), in_detail: true, ..Wanted::default() },
        )
        .is_ok(),
        gate.find(bytes, NOW).is_ok(),
        gate.fetch(bytes, NOW).is_ok(),
        gate.notes(bytes, NOW).is_ok(),
    ];
    let taken = taken.into_iter().filter(|is_taken| *is_taken).count();
    assert!(taken > 0 || cloud.snapshot() == before, "it was refused and has changed something");
    taken
}

/// Hands an answer to whoever may open it.
fn opened(messages: &Messages, answer: &Answer) {
    let ranges = [age(0, 50)];
    let _ = answer.check(&messages.query);
    let _ = Versions::of(&answer.parts);
    let _ = messages.ward.renewed(&answer.parts, NOW);
    let _ = messages.ward.renew(&answer.parts, &Versions::of(&answer.parts), NOW);
    for part in &answer.parts {
        for by in [&messages.owner, &messages.ward] {
            let _ = by.open_part(part, &ranges);
            let _ = by.report_part(part, &ranges);
        }
        let _ = messages.grants.report_part(part, &ranges, messages.owner.schema(), NOW);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1500)))]

    #[test]
    fn noise_is_read_without_panic(bytes in noise()) {
        // A listing of nothing is one, and so are an answer without parts and a proof of nothing.
        let is_any = |name: &str| matches!(name, "answer" | "listing" | "proof" | "witness");
        prop_assert!(taken(&bytes).iter().all(|(name, _)| is_any(name)), "{bytes:02x?}");
    }
}

#[test]
fn noise_is_refused_by_a_cloud() {
    let messages = messages();
    let config = ProptestConfig::with_cases(cases(300));
    proptest!(config, |(bytes in noise())| {
        prop_assert_eq!(offered(&messages.cloud, &bytes), 0);
    });
}

#[test]
fn every_message_is_read_as_what_it_is_and_nothing_else() {
    let Messages { signed, unsigned, .. } = messages();
    for (name, bytes) in signed.iter().chain(&unsigned) {
        let names: Vec<_> = taken(bytes).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [*name]);
        if *name == "schema" {
            continue; // it has no head, and travels inside others
        }
        for kind in wire::Kind::ALL {
            let head = [&kind.letters()[..], &[kind.version()]].concat();
            if *head != bytes[..wire::HEAD_LEN] {
                let relabelled = [&head[..], &bytes[wire::HEAD_LEN..]].concat();
                assert_eq!(taken(&relabelled), [], "{name} as {}", kind.name());
            }
        }
        for version in (0..=u8::MAX).filter(|version| *version != bytes[8]) {
            let mut other = bytes.clone();
            other[8] = version;
            assert_eq!(taken(&other), [], "{name} of version {version}");
        }
    }
}

#[test]
fn a_changed_message_is_never_read_as_another_signed_one() {
    let Messages { signed, .. } = messages();
    let config = ProptestConfig::with_cases(cases(1500));
    proptest!(config, |(which in any::<Index>(), changes in vec(change(), 1..4))| {
        let (name, original) = which.get(&signed);
        let mut bytes = original.clone();
        changes.iter().for_each(|change| change.make(&mut bytes));
        if bytes != *original {
            prop_assert_eq!(taken(&bytes), [], "{}", name);
        }
    });
}

#[test]
fn an_unsigned_message_has_one_form_only() {
    let messages = messages();
    let config = ProptestConfig::with_cases(cases(1500));
    proptest!(config, |(which in any::<Index>(), changes in vec(change(), 1..4))| {
        let (name, original) = which.get(&messages.unsigned);
        let mut bytes = original.clone();
        changes.iter().for_each(|change| change.make(&mut bytes));
        // What is cut out of several that travel together is one of them.
        let is_inner = || original.windows(bytes.len()).any(|inner| *inner == bytes);
        for (read, written) in taken(&bytes) {
            prop_assert!(read == *name && written.as_ref() == Some(&bytes) || is_inner(), "{}", read);
        }
        // What travels together is each what was signed.
        if let Ok(split) = announcement::split(&bytes) {
            let known = announcement::split(&messages.unsigned[0].1).unwrap();
            prop_assert!(split.iter().all(|announcement| known.contains(announcement)));
        }
        // A chain cut at the end of a certificate is a chain of its own; nothing else is.
        if let Ok((owner, chain)) = Chain::decode(&bytes) {
            let (of, original) = Chain::decode(&messages.unsigned[1].1).unwrap();
            prop_assert!(of == owner && original.0.starts_with(&chain.0) || chain.0.is_empty());
        }
        if let Ok(part) = Part::decode(&bytes) {
            opened(&messages, &Answer { query: messages.query.id, parts: vec![part], proof: None });
        }
    });
}

#[test]
fn a_changed_answer_gives_no_record_that_was_not_sent() {
    let messages = messages();
    let bytes = messages.answer.encode();
    let sent: Vec<_> = messages.answer.parts.iter().flat_map(|part| &part.handles).collect();
    let config = ProptestConfig::with_cases(cases(1500));
    proptest!(config, |(changes in vec(change(), 1..4))| {
        let mut changed = bytes.clone();
        changes.iter().for_each(|change| change.make(&mut changed));
        if let Ok(answer) = Answer::decode(&changed) {
            opened(&messages, &answer);
            if answer.check(&messages.query).is_ok() {
                for part in &answer.parts {
                    let opened = messages.owner.report_part(part, &[]);
                    prop_assert!(opened.handles.iter().all(|handle| sent.contains(&handle)));
                }
            }
        }
    });
}

/// Who holds which handle in an answer, of what some uploads brought.
fn rows(answer: &Answer, uploads: &[u128]) -> Vec<(String, u128)> {
    let of = |part: &Part| {
        let path = part.provider.path();
        part.handles.iter().map(move |&handle| (path.clone(), handle)).collect::<Vec<_>>()
    };
    let parts = answer.parts.iter().filter(|part| uploads.contains(&part.upload));
    let mut rows: Vec<_> = parts.flat_map(of).collect();
    rows.sort_unstable();
    rows
}

/// Whether a proven answer to the query is taken: nobody is at fault in it.
fn is_proven(by: &Keyring, answer: &Answer, query: &Query) -> bool {
    let Some(proof) = &answer.proof else { return false };
    let parts: Vec<&Part> = answer.parts.iter().collect();
    if answer.check(query).is_err() {
        return false;
    }
    let checked = by.prove(Some(&parts), proof, query, Required::default());
    let _ = by.prove(None, proof, query, Required { now: NOW, most_hours: Some(1) });
    checked.is_ok_and(|of| !of.is_wrong && of.members.iter().all(|member| member.fault.is_none()))
}

/// An owner, two providers who have sealed what they sent, of which a row is gone since, a query and its
/// proven answer.
fn proven() -> (Keyring, Query, Answer) {
    let mut owner = owner(3);
    owner.declare_proven(vec!["age".into(), "sbp".into()]).expect("they are fields");
    let hospital = owner.authorize("hospital", &[]).expect("a good name");
    let ward = owner.authorize("ward", &["hospital"]).expect("the hospital is there");
    let cloud = Cloud::of(&mut owner);
    for by in [&hospital, &ward] {
        let rows = [(1, 40, Some(150)), (2, 50, None), (3, 60, Some(90)), (4, 61, Some(91))];
        cloud.receive(&upload(by, &rows)).expect("it is new");
        cloud.gate.receive(&by.seal(NOW).expect("it has a ledger"), NOW).expect("it is the first");
    }
    cloud.delete(&ward, &[3]).expect("it is there");
    cloud.receive(&upload(&ward, &[(5, 62, Some(92))])).expect("it is new");
    let query = owner.provable_query(&[age(0, 120), sbp(80, 200)], NOW).expect("they are sums");
    let wanted = (None, Wanted { in_detail: true, ..Wanted::default() });
    let answer = cloud.gate.search_proven(&query, NOW, None, wanted).expect("it may ask");
    (owner, Query::decode(&query).expect("just made"), answer)
}

#[test]
fn a_changed_answer_that_is_proven_has_the_records_that_were_sent() {
    let (owner, query, honest) = proven();
    let messages = messages();
    // What came after a seal is named by the cloud as it likes, and shown as such.
    let unsealed = honest.proof.iter().flat_map(|proof| &proof.tokens[1].unsealed);
    let unsealed: Vec<u128> = unsealed.copied().collect();
    assert_eq!(unsealed.len(), 1);
    let uploads = honest.parts.iter().map(|part| part.upload);
    let uploads: Vec<u128> = uploads.filter(|upload| !unsealed.contains(upload)).collect();
    let (bytes, sent) = (honest.encode(), rows(&honest, &uploads));
    assert_eq!(sent.len(), 3 + 2);
    assert!(is_proven(&owner, &honest, &query));
    let config = ProptestConfig::with_cases(cases(1500));
    proptest!(config, |(changes in vec(change(), 1..4))| {
        let mut changed = bytes.clone();
        changes.iter().for_each(|change| change.make(&mut changed));
        if let Ok(answer) = Answer::decode(&changed)
            && is_proven(&owner, &answer, &query)
        {
            prop_assert_eq!(rows(&answer, &uploads), sent.clone());
        }
        // And of one in which somebody is at fault already.
        let (asked, answer) = &messages.proven;
        let mut changed = answer.encode();
        changes.iter().for_each(|change| change.make(&mut changed));
        if let Ok(answer) = Answer::decode(&changed) {
            for by in [&messages.owner, &messages.ward] {
                prop_assert!(!is_proven(by, &answer, asked));
            }
        }
    });
}

/// Proofs are taken apart as far as they go: only what is in them is changed, so that it is still read.
#[test]
fn a_proof_that_says_something_else_proves_no_other_records() {
    let (owner, query, honest) = proven();
    let bytes = honest.proof.as_ref().expect("it was asked for").encode();
    let config = ProptestConfig::with_cases(cases(3000));
    proptest!(config, |(at in any::<Index>(), bit in 0..8_u8)| {
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= 1 << bit;
        let Ok(proof) = Proof::decode(&changed) else { return Ok(()) };
        let mut answer = Answer { proof: Some(proof), ..honest.clone() };
        is_proven(&owner, &answer, &query);
        // Without the hospital's records it is never proven.
        let part = &mut answer.parts[0];
        (part.handles, part.portions) = (Vec::new(), Vec::new());
        prop_assert!(!is_proven(&owner, &answer, &query));
    });
}

/// An owner, a request for files, and the listing that answers it, proven.
fn proven_listing() -> (Keyring, Request, Listing) {
    let mut owner = owner(4);
    owner.declare_proven(vec!["age".into()]).expect("it is a field");
    let mut providers = [
        owner.authorize("hospital", &[]).expect("a good name"),
        owner.authorize("clinic", &[]).expect("a good name"),
    ];
    let cloud = Cloud::of(&mut owner);
    let words: [&[u8]; 2] = [b"x-ray", b"0171"];
    for by in &mut providers {
        by.declare_proven(vec!["age".into()]).expect("it is a field");
        for (record, words) in [(1, &words[..]), (2, &words[..1]), (2, &words[1..]), (3, &words)] {
            let named = ("name", "a/b");
            let attached = by
                .attach(Ids::Integers(&[record]), &aes_gcm::AES_256, named, b"contents", words)
                .expect("a provider attaches");
            cloud.gate.receive(&attached, NOW).expect("it is new");
        }
        cloud.gate.receive(&by.seal(NOW).expect("it has a ledger"), NOW).expect("it is the first");
    }
    let request = owner.provable_search(&words, NOW).expect("it may ask");
    let listing = cloud.gate.find_proven(&request, NOW).expect("it may ask");
    (owner, Request::decode(&request).expect("just made"), listing)
}

#[test]
fn a_changed_listing_that_is_proven_has_the_files_that_were_sent() {
    let (owner, request, honest) = proven_listing();
    let numbers = |listing: &Listing| {
        let mut numbers: Vec<u128> = listing.files.iter().map(|file| file.number).collect();
        numbers.sort_unstable();
        numbers
    };
    let is_proven = |listing: &Listing| {
        let checked = owner.prove_listing(listing, &request, Required::default());
        checked.is_ok_and(|of| of.members.iter().all(|member| member.fault.is_none()))
    };
    assert!(is_proven(&honest));
    assert_eq!(honest.files.len(), 2 * 2);
    let (bytes, sent) = (honest.encode(), numbers(&honest));
    let config = ProptestConfig::with_cases(cases(3000));
    proptest!(config, |(changes in vec(change(), 1..4), at in any::<Index>(), bit in 0..8_u8)| {
        let mut changed = bytes.clone();
        changes.iter().for_each(|change| change.make(&mut changed));
        let mut flipped = bytes.clone();
        flipped[at.index(bytes.len())] ^= 1 << bit;
        for changed in [changed, flipped] {
            if let Ok(listing) = Listing::decode(&changed)
                && is_proven(&listing)
            {
                prop_assert_eq!(numbers(&listing), sent.clone());
            }
        }
        // Without one of the files it is never proven, whatever the proof says.
        let mut less = Listing::decode(&bytes).expect("just made");
        less.files.remove(at.index(less.files.len()));
        prop_assert!(!is_proven(&less));
    });
}

#[test]
fn a_changed_listing_describes_no_file_that_was_not_sent() {
    let messages = messages();
    let asked = messages.signed.iter().filter_map(|(_, bytes)| Request::decode(bytes).ok());
    let asked: Vec<Request> = asked.collect();
    let (_, bytes) = messages.unsigned.iter().find(|(name, _)| *name == "listing").unwrap();
    let twice = Listing::decode(bytes).unwrap();
    let once = |request: &Request| Listing {
        request: request.id,
        files: twice.files[..1].to_vec(),
        proof: None,
    };
    let describe = |listing: &Listing, request: &Request| messages.owner.describe(listing, request);
    let honest: Vec<_> = asked.iter().map(|request| describe(&once(request), request)).collect();
    assert_eq!(
        honest.iter().filter(|described| described.is_ok()).count(),
        3,
        "two by keywords, one of all"
    );
    let config = ProptestConfig::with_cases(cases(1500));
    proptest!(config, |(which in any::<Index>(), changes in vec(change(), 1..4))| {
        let which = which.index(asked.len());
        let mut bytes = once(&asked[which]).encode();
        changes.iter().for_each(|change| change.make(&mut bytes));
        if let Ok(listing) = Listing::decode(&bytes) {
            for described in describe(&listing, &asked[which]).into_iter().flatten().flatten() {
                let sent = honest[which].as_ref().unwrap();
                prop_assert!(sent.contains(&Ok(described)));
            }
        }
    });
}

#[test]
fn a_cloud_takes_no_changed_message() {
    let messages = messages();
    let changeable: Vec<&Vec<u8>> =
        messages.signed.iter().chain(&messages.unsigned[..1]).map(|(_, bytes)| bytes).collect();
    let config = ProptestConfig::with_cases(cases(500));
    proptest!(config, |(which in any::<Index>(), changes in vec(change(), 1..4))| {
        let original = *which.get(&changeable);
        let mut bytes = original.clone();
        changes.iter().for_each(|change| change.make(&mut bytes));
        // Fewer announcements are no others.
        if bytes != *original && announcement::split(&bytes).is_err() {
            prop_assert_eq!(offered(&messages.cloud, &bytes), 0);
        }
    });
}

#[test]
fn a_huge_count_anywhere_is_refused_at_once() {
    let messages = messages();
    for (name, message) in messages.signed.iter().chain(&messages.unsigned) {
        // No count is in a table.
        let end = if *name == "seal" { 1000 } else { message.len() };
        for at in 0..end.min(message.len()).saturating_sub(8) {
            for count in [u64::MAX, 1 << 62, 1 << 40, u64::from(u32::MAX)] {
                let mut changed = message.clone();
                changed[at..at + 8].copy_from_slice(&count.to_le_bytes());
                let _ = taken(&changed);
                let _ = messages.cloud.gate.admit(&changed, NOW);
            }
        }
    }
}

#[test]
fn an_element_of_a_group_has_one_form_only() {
    let scalar = Scalar::generate().expect("there is chance");
    let (one, other) = (G1::generator().power(&scalar), G2::generator().power(&scalar));
    let paired = Gt::pairing(&one, &other);
    let forms = [
        scalar.encode().to_vec(),
        one.encode().to_vec(),
        other.encode().to_vec(),
        paired.encode().to_vec(),
    ];
    let read = |bytes: &[u8]| {
        let all = [
            Scalar::decode(bytes, "it").map(|one| one.encode().to_vec()).ok(),
            G1::decode(bytes, "it").map(|one| one.encode().to_vec()).ok(),
            G2::decode(bytes, "it").map(|one| one.encode().to_vec()).ok(),
            Gt::decode(bytes, "it").map(|one| one.encode().to_vec()).ok(),
            Element::decode(bytes).map(|one| one.encode().to_vec()),
        ];
        all.into_iter().flatten().collect::<Vec<_>>()
    };
    let config = ProptestConfig::with_cases(cases(1500));
    proptest!(config, |(which in any::<Index>(), changes in vec(change(), 1..4))| {
        let mut bytes = which.get(&forms).clone();
        changes.iter().for_each(|change| change.make(&mut bytes));
        prop_assert!(read(&bytes).iter().all(|written| *written == bytes), "{bytes:02x?}");
    });
    proptest!(ProptestConfig::with_cases(cases(1500)), |(bytes in vec(any::<u8>(), 0..600))| {
        prop_assert!(read(&bytes).iter().all(|written| *written == bytes), "{bytes:02x?}");
    });
    // What was not changed is read, by its own reader and where there is one by that of the field.
    let counts = forms.map(|form| read(&form).len());
    assert_eq!(counts, [1, 1, 1, 2]);
}
