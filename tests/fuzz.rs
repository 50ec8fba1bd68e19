//! No bytes make a reader panic, run out of memory, or take one message for another.

#[path = "support/scene.rs"]
mod scene;

use std::fmt::Debug;

use mopse::cipher::aes_gcm;
use mopse::cipher::password::Cost;
use mopse::cipher::{secret_sharing, stream};
use mopse::cloud::memory::Memory;
use mopse::cloud::store::Store;
use mopse::keys::Key;
use mopse::message::announcement::Announcement;
use mopse::message::answer::Part;
use mopse::message::attachment::{Attachment, StoredFile};
use mopse::message::certificate::Chain;
use mopse::message::listing::{Fetched, Listing};
use mopse::message::notes::{Note, Notes};
use mopse::message::request::Request;
use mopse::message::token::Token;
use mopse::message::upload::Upload;
use mopse::party::grants::Grant;
use mopse::party::records::Ids;
use mopse::party::saved::{self, Kind};
use mopse::schema::Schema;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use scene::{Cloud, NOW, age, owner, sbp, upload};

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
    let heads = ["", "MOPSEUPL", "MOPSETOK", "MOPSEANN", "MOPSECHN", "MOPSEANS", "MOPSEGRT"];
    let heads =
        [&heads[..], &["MOPSEATT", "MOPSEASK", "MOPSELST", "MOPSESTR", "MOPSESHR"]].concat();
    let heads = [&heads[..], &["MOPSELSG", "MOPSENTS"]].concat();
    let body = vec(prop_oneof![Just(0_u8), Just(1), Just(255), any::<u8>()], 0..300);
    (prop::sample::select(heads), 1..4_u8, body).prop_map(|(head, version, body)| {
        let mut bytes = head.as_bytes().to_vec();
        if !bytes.is_empty() {
            bytes.push(version);
        }
        bytes.extend(body);
        bytes
    })
}

const CHEAP: Cost = Cost { memory: 8, passes: 1, lanes: 1 };

/// One message of every kind.
struct Messages {
    upload: Vec<u8>,
    token: Vec<u8>,
    announcement: Vec<u8>,
    chain: Vec<u8>,
    part: Vec<u8>,
    grants: [Vec<u8>; 2],
    file: Vec<u8>,
    schema: Vec<u8>,
    attached: Vec<u8>,
    requests: [Vec<u8>; 4],
    fetched: Vec<u8>,
    listing: Vec<u8>,
    notes: Vec<u8>,
    stream: Vec<u8>,
}

fn key() -> Key {
    Key::from_bytes(&[1; 32]).expect("32 bytes")
}

fn messages() -> Messages {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).expect("a good name");
    let ward = owner.authorize("ward", &["hospital"]).expect("the hospital is there");
    owner.authorize("lab", &["hospital"]).expect("the hospital is there");
    owner.revoke(&["hospital", "lab"]).expect("it is there");
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
    let listing = Listing { request: 1, files: vec![file.without_body(), file.without_body()] };
    let requests = [
        attaching.request_notes(NOW),
        owner.search_files(&words, NOW),
        owner.list_files(vec![(ward.node().clone(), vec![1, 2])], NOW),
        owner.fetch_file(7, NOW),
    ];
    let upload = upload(&ward, &[(1, 40, Some(150)), (2, 50, None), (3, 60, Some(90))], 1);
    let ranges = [age(0, 120), sbp(100, 200)];
    let token = ward.tokens(&ranges, NOW).expect("the ranges are good").remove(0);
    let store = Memory::default();
    store.add(Upload::decode(&upload).expect("just made"), &upload).expect("it is new");
    let tokens = [Token::decode(&token).expect("just made")];
    let found = store.search(&tokens).expect("the runs ascend");
    let openers =
        [ward.opener(ward.node()), ward.opener_of(ward.node(), Ids::Integers(&[1, 2, 3]))];
    let grants = openers.map(|opener| {
        let (owner, provider) = (owner.owner(), ward.node().clone());
        Grant { owner, provider, opener: opener.expect("its own") }.encode().to_vec()
    });
    Messages {
        token,
        announcement: owner.announcement().expect("an owner announces"),
        chain: ward.chain().encode(&owner.owner()),
        part: found[0].encode(),
        grants,
        file: saved::seal(&hospital, b"password", CHEAP).expect("the cost is sane"),
        schema: owner.schema().encode(),
        attached,
        requests: requests.map(|request| request.expect("the owner may ask")),
        fetched: Fetched { request: 1, file }.encode(),
        listing: listing.encode(),
        notes: notes.encode(),
        stream: stream::seal(&aes_gcm::AES_256, &key(), b"", b"contents").expect("it has a tag"),
        upload,
    }
}

/// Hands bytes to every reader; the results do not matter.
fn read_by_all(bytes: &[u8]) {
    let cloud = Cloud::of(&owner(1));
    let _ = cloud.gate.admit(bytes, NOW);
    let _ = Upload::decode(bytes);
    let _ = Token::decode(bytes);
    let _ = Announcement::decode(bytes);
    let _ = Chain::decode(bytes);
    let _ = Part::decode(bytes);
    let _ = Grant::decode(bytes);
    let _ = Schema::decode(bytes);
    let _ = Attachment::decode(bytes);
    let _ = Request::decode(bytes);
    let _ = Fetched::decode(bytes);
    let _ = Listing::decode(bytes);
    let _ = Notes::decode(bytes);
    let _ = stream::open(&key(), b"", bytes);
    let _ = secret_sharing::join(&[(bytes, &key()), (bytes, &key())]);
    let _ = saved::open(bytes, b"password", Kind::Owner);
}

/// Whatever else is read as signed says what was signed.
fn same_or_refused<T: PartialEq + Debug, E: PartialEq + Debug>(
    read: fn(&[u8]) -> Result<T, E>,
    original: &[u8],
    changed: &[u8],
) -> Result<(), TestCaseError> {
    if let Ok(message) = read(changed) {
        prop_assert_eq!(Ok(message), read(original));
        prop_assert_eq!(changed, original);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn noise_is_read_without_panic(bytes in noise()) {
        read_by_all(&bytes);
    }
}

#[test]
fn a_changed_message_is_never_read_as_another_signed_one() {
    let messages = messages();
    let config = ProptestConfig { cases: 1500, ..ProptestConfig::default() };
    proptest!(config, |(changes in vec(change(), 1..4))| {
        let changed = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            changes.iter().for_each(|change| change.make(&mut bytes));
            bytes
        };
        same_or_refused(Upload::decode, &messages.upload, &changed(&messages.upload))?;
        same_or_refused(Token::decode, &messages.token, &changed(&messages.token))?;
        same_or_refused(Attachment::decode, &messages.attached, &changed(&messages.attached))?;
        for request in &messages.requests {
            same_or_refused(Request::decode, request, &changed(request))?;
        }
        let open = |bytes: &[u8]| stream::open(&key(), b"", bytes);
        same_or_refused(open, &messages.stream, &changed(&messages.stream))?;
        let announcement = changed(&messages.announcement);
        same_or_refused(Announcement::decode, &messages.announcement, &announcement)?;
        let read = |bytes: &[u8]| saved::open(bytes, b"password", Kind::Provider).map(drop);
        same_or_refused(read, &messages.file, &changed(&messages.file))?;

        // A chain cut at the end of a certificate is a chain of its own; nothing else is.
        if let Ok((owner, chain)) = Chain::decode(&changed(&messages.chain)) {
            let (of, original) = Chain::decode(&messages.chain).unwrap();
            prop_assert!(of == owner && original.0.starts_with(&chain.0) || chain.0.is_empty());
        }
    });
}

#[test]
fn an_unsigned_message_has_one_form_only() {
    let messages = messages();
    let config = ProptestConfig { cases: 1500, ..ProptestConfig::default() };
    proptest!(config, |(changes in vec(change(), 1..4))| {
        let changed = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            changes.iter().for_each(|change| change.make(&mut bytes));
            bytes
        };
        let bytes = changed(&messages.part);
        if let Ok(part) = Part::decode(&bytes) {
            prop_assert_eq!(part.encode(), bytes);
        }
        let bytes = changed(&messages.fetched);
        if let Ok(fetched) = Fetched::decode(&bytes) {
            prop_assert_eq!(fetched.encode(), bytes);
        }
        let bytes = changed(&messages.listing);
        if let Ok(listing) = Listing::decode(&bytes) {
            prop_assert_eq!(listing.encode(), bytes);
        }
        let bytes = changed(&messages.notes);
        if let Ok(notes) = Notes::decode(&bytes) {
            prop_assert_eq!(notes.encode(), bytes);
        }
        for grant in &messages.grants {
            let bytes = changed(grant);
            if let Ok(grant) = Grant::decode(&bytes) {
                prop_assert_eq!(&*grant.encode(), &bytes);
            }
        }
        let bytes = changed(&messages.schema);
        if let Ok(schema) = Schema::decode(&bytes) {
            prop_assert_eq!(schema.encode(), bytes);
        }
        let bytes = changed(&messages.chain);
        if let Ok((owner, chain)) = Chain::decode(&bytes) {
            prop_assert_eq!(chain.encode(&owner), bytes);
        }
    });
}

#[test]
fn a_huge_count_anywhere_is_refused_at_once() {
    let Messages { upload, token, announcement, chain, part, grants, file, schema, .. } =
        messages();
    let Messages { attached, requests, fetched, listing, notes, stream, .. } = messages();
    let files = [vec![attached, fetched, listing, notes, stream], requests.into()].concat();
    let others = vec![upload, token, announcement, chain, part, file, schema];
    for message in [others, grants.into(), files].concat() {
        for at in 0..message.len().saturating_sub(8) {
            for count in [u64::MAX, 1 << 62, 1 << 40, u64::from(u32::MAX)] {
                let mut changed = message.clone();
                changed[at..at + 8].copy_from_slice(&count.to_le_bytes());
                read_by_all(&changed);
            }
        }
    }
}
