//! Attachments of records: who finds them, who opens them, and what the cloud refuses.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/scene.rs"]
mod scene;

use std::collections::{BTreeMap, BTreeSet};

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use mopse::cipher::aes_gcm;
use mopse::cipher::password::Cost;
use mopse::cloud::store::{Receipt, Totals};
use mopse::keys::{Key, Purpose};
use mopse::message::answer::Part;
use mopse::message::attachment::{Attachment, StoredFile};
use mopse::message::certificate::Owner;
use mopse::message::limits::MOST_LOST;
use mopse::message::listing::{Fetched, Listing};
use mopse::message::notes::Notes;
use mopse::message::place::{Epoch, Node};
use mopse::message::request::{Ask, Request};
use mopse::party::asking::FilesOf;
use mopse::party::attachments::Place;
use mopse::party::attachments::{self, Description};
use mopse::party::columns::{Column, Values};
use mopse::party::grants::{Grant, Grants, Share};
use mopse::party::keywords;
use mopse::party::records::Ids;
use mopse::party::saved::{self, Kind};
use mopse::party::uploading::{Change, Table, Versions};
use mopse::party::{Indexed, Keyring};
use mopse::wire::text;
use mopse::{cloud, message, party};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use scene::{Cloud, NOW, age, ask, copy, owner, upload};
use serde::Deserialize;

const CONTENTS: &[u8] = b"what the picture shows";

/// An owner, its hospital with a ward, its clinic, and a cloud.
struct Scene {
    owner: Keyring,
    hospital: Keyring,
    ward: Keyring,
    clinic: Keyring,
    cloud: Cloud,
}

fn scene() -> Scene {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let ward = owner.authorize("ward", &["hospital"]).unwrap();
    let clinic = owner.authorize("clinic", &[]).unwrap();
    let cloud = Cloud::of(&mut owner);
    Scene { owner, hospital, ward, clinic, cloud }
}

fn attached(provider: &mut Keyring, record: i64, keywords: &[&[u8]]) -> Vec<u8> {
    let called = ("chest.jpg", "image/jpeg");
    provider
        .attach(Ids::Integers(&[record]), &aes_gcm::AES_256, called, CONTENTS, keywords)
        .unwrap()
}

impl Scene {
    fn receive(&self, message: &[u8]) -> Result<u128, cloud::Error> {
        self.cloud.receive(message)?;
        Ok(Attachment::decode(message)?.file.number)
    }

    fn found(&self, request: &[u8]) -> Result<Listing, cloud::Error> {
        self.cloud.gate.find(request, NOW)
    }

    fn fetched(&self, request: &[u8]) -> Result<Fetched, cloud::Error> {
        self.cloud.gate.fetch(request, NOW)
    }
}

/// Has a provider learn what a cloud has of it.
fn catch_up(provider: &mut Keyring, cloud: &Cloud) {
    let request = provider.request_notes(NOW).unwrap();
    let notes = cloud.gate.notes(&request, NOW).unwrap();
    let notes = Notes::decode(&notes.encode()).unwrap();
    provider.learn_uses(&notes, &Request::decode(&request).unwrap()).unwrap();
}

/// The key of a record's files at a provider, derived by hand.
fn record_key(provider: &Keyring, handle: u128) -> Key {
    let key = Key::from_bytes(&[1; 32]).unwrap();
    let path = provider.node().names().iter();
    let key = path.fold(key, |key, name| key.child(Purpose::Node, name.as_bytes(), 0));
    files_key(&key, Epoch::default(), handle)
}

fn files_key(provider: &Key, readers: Epoch, handle: u128) -> Key {
    let key = provider.child(Purpose::Record, b"", 0);
    let readers = key.child_in(Purpose::Portion, b"", readers.number, readers.salt());
    let files = readers.child(Purpose::Portion, b"/files", 0);
    let half = |label: &[u8]| -> [u8; 16] {
        let cipher = aes::Aes256Enc::new(files.child(Purpose::Portion, label, 0).expose().into());
        let mut block = handle.to_be_bytes().into();
        cipher.encrypt_block(&mut block);
        block.into()
    };
    Key::from_bytes(&[half(b"high"), half(b"low")].concat()).unwrap()
}

/// A file of the hospital, as fetched, and the key of its record.
fn stored() -> (Scene, StoredFile, Key) {
    let mut scene = scene();
    let message = attached(&mut scene.hospital, 17, &[]);
    let file = scene.receive(&message).unwrap();
    let stored = scene.fetched(&scene.owner.fetch_file(file, NOW).unwrap()).unwrap().file;
    let key = record_key(&scene.hospital, stored.handle);
    (scene, stored, key)
}

#[derive(Deserialize)]
struct Case {
    #[serde(with = "hex")]
    provider: [u8; 32],
    keyword: String,
    count: u64,
    file: String,
    #[serde(with = "hex")]
    trapdoor: [u8; 64],
    label: String,
    masked: String,
    #[serde(with = "hex")]
    proof: [u8; 16],
}

#[derive(Deserialize)]
struct Readers {
    number: u32,
    salt: String,
}

#[derive(Deserialize)]
struct Described {
    #[serde(with = "hex")]
    provider: [u8; 32],
    #[serde(with = "hex")]
    owner: [u8; 32],
    path: String,
    epochs: Vec<u32>,
    readers: Readers,
    handle: String,
    file: String,
    name: String,
    media_type: String,
    size: u64,
    keywords: Vec<String>,
    #[serde(with = "hex")]
    description: Vec<u8>,
}

#[derive(Deserialize)]
struct Fold {
    typed: String,
    keyword: Option<String>,
}

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
    descriptions: Vec<Described>,
    folds: Vec<Fold>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/keyword.json")).unwrap()
}

fn number(hexadecimal: &str) -> u128 {
    u128::from_str_radix(hexadecimal, 16).unwrap()
}

#[test]
fn keywords_become_the_pinned_entries_and_proofs() {
    let vectors = vectors();
    assert_eq!(vectors.cases.len(), 4);
    for Fold { typed, keyword } in vectors.folds {
        assert_eq!(text::keyword(&typed), keyword, "{typed:?}");
    }
    for case in vectors.cases {
        assert_eq!(text::keyword(&case.keyword).as_ref(), Some(&case.keyword));
        let provider = Key::from_bytes(&case.provider).unwrap();
        let trapdoor = keywords::trapdoor(&provider, case.keyword.as_bytes());
        assert_eq!(trapdoor.0, case.trapdoor, "{}", case.keyword);
        let entry = trapdoor.entry(case.count, number(&case.file));
        assert_eq!((entry.label, entry.masked), (number(&case.label), number(&case.masked)));
        assert_eq!(trapdoor.proof(number(&case.file)), case.proof, "{}", case.keyword);
    }
}

#[test]
fn the_pinned_descriptions_open() {
    let vectors = vectors();
    assert_eq!(vectors.descriptions.len(), 3);
    for case in vectors.descriptions {
        let provider = Key::from_bytes(&case.provider).unwrap();
        let epochs: Vec<Epoch> = case.epochs.iter().map(|&epoch| epoch.into()).collect();
        let salt = hex::decode(case.readers.salt).unwrap();
        let readers = Epoch { number: case.readers.number, salt: salt.try_into().ok() };
        let stored = StoredFile {
            owner: Owner(case.owner),
            provider: Node::of(&case.path, &epochs).unwrap(),
            readers,
            handle: number(&case.handle),
            number: number(&case.file),
            description: case.description,
            body: None,
        };
        let proof =
            |word: &String| keywords::trapdoor(&provider, word.as_bytes()).proof(stored.number);
        let mut proofs: Vec<_> = case.keywords.iter().map(proof).collect();
        proofs.sort_unstable();
        let Described { name, media_type, size, .. } = case;
        let key = files_key(&provider, readers, stored.handle);
        let expected = Description { name, media_type, size, proofs };
        assert_eq!(attachments::describe(&key, &stored), Ok(expected), "{}", stored.provider);
    }
}

#[test]
fn a_file_opens_with_its_records_key() {
    let (_, stored, key) = stored();
    let (name, media_type) = ("chest.jpg".to_owned(), "image/jpeg".to_owned());
    let (size, proofs) = (CONTENTS.len() as u64, Vec::new());
    let description = Description { name, media_type, size, proofs };
    assert_eq!(attachments::describe(&key, &stored).unwrap(), description);
    assert_eq!(attachments::open(&key, &stored).unwrap(), (description, CONTENTS.to_vec()));
}

#[test]
fn a_file_opens_at_its_own_place_only() {
    let (mut scene, stored, key) = stored();
    let message = attached(&mut scene.hospital, 17, &[]);
    let other = Attachment::decode(&message).unwrap().file;
    let changes: [fn(&mut StoredFile, &StoredFile, &Scene); 10] = [
        |stored, _, _| stored.readers = 1.into(),
        |stored, _, _| stored.handle ^= 1,
        |stored, _, _| stored.number ^= 1,
        |stored, _, scene| stored.provider = scene.clinic.node().clone(),
        |stored, _, scene| stored.provider = scene.ward.node().clone(),
        |stored, _, _| stored.provider = Node::root().child("hospital", 1).unwrap(),
        |stored, _, _| stored.owner = owner(2).owner(),
        |stored, other, _| stored.description.clone_from(&other.description),
        |stored, other, _| stored.body.clone_from(&other.body),
        |stored, _, _| stored.body = None,
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut moved = stored.clone();
        change(&mut moved, &other, &scene);
        assert_eq!(
            attachments::open(&key, &moved).unwrap_err(),
            party::Error::File,
            "change {number}"
        );
    }
    let clinic = record_key(&scene.clinic, stored.handle);
    assert_eq!(attachments::open(&clinic, &stored).unwrap_err(), party::Error::File);
}

#[test]
fn a_body_opens_under_its_own_description_only() {
    let (_, stored, key) = stored();
    let own = attachments::describe(&key, &stored).unwrap();
    let changes: [fn(&mut Description); 5] = [
        |_| (),
        |called| called.media_type = "text/html".to_owned(),
        |called| called.name = "chest.jpg.exe".to_owned(),
        |called| called.size += 1,
        |called| called.proofs.push([7; 16]),
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut called = own.clone();
        change(&mut called);
        let StoredFile { owner, provider, readers, handle, number: of, .. } = &stored;
        let (readers, handle, of) = (*readers, *handle, *of);
        let place = Place { owner, provider, readers, handle, number: of };
        let (description, _) =
            attachments::seal(&key, place, &aes_gcm::AES_256, &called, CONTENTS).unwrap();
        let swapped = StoredFile { description, ..stored.clone() };
        assert_eq!(attachments::describe(&key, &swapped), Ok(called), "it is genuine by itself");
        assert_eq!(attachments::open(&key, &swapped).is_ok(), number == 0, "change {number}");
    }
}

#[test]
fn a_grant_of_records_opens_their_files() {
    let (scene, stored, _) = stored();
    let hospital = &scene.hospital;
    let request = scene.owner.fetch_file(stored.number, NOW).unwrap();
    let fetched = scene.cloud.gate.fetch(&request, NOW).unwrap();
    let request = Request::decode(&request).unwrap();
    let granted = |ids: Option<&[i64]>| {
        let ids = ids.map(Ids::Integers);
        let share = Share { ids, portions: None, holder: b"", end: NOW };
        let mut grants = Grants::default();
        let grant = hospital.grant(hospital.node(), &share).unwrap();
        grants.add(Grant::decode(&grant).unwrap(), NOW).unwrap();
        grants
    };
    for ids in [None, Some(&[1, 17][..])] {
        assert_eq!(granted(ids).open_file(&fetched, &request, NOW).unwrap().1, CONTENTS);
    }
    for now in [NOW, NOW + 1] {
        let refused = granted(Some(&[18])).open_file(&fetched, &request, now).unwrap_err();
        assert!(matches!(refused, party::Error::Message(message::Error::Scope { .. })));
    }
    let ended = Err(party::Error::GrantEnded { provider: "hospital".into() });
    assert_eq!(granted(Some(&[1, 17])).open_file(&fetched, &request, NOW + 1), ended);
    for keyring in [&scene.owner, hospital] {
        assert_eq!(keyring.open_file(&fetched, &request).unwrap().1, CONTENTS);
    }
}

#[test]
fn a_file_for_readers_who_left_is_refused() {
    let mut scene = scene();
    scene.owner.renew_readers(&[]).unwrap();
    scene.cloud.enroll(&mut scene.owner);
    let message = attached(&mut scene.hospital, 17, &[]);
    let refused = message::Error::Readers { provider: "hospital".into() };
    assert_eq!(scene.receive(&message), Err(refused.into()));
    scene.hospital.catch_up(&scene.cloud.announcements(&scene.owner)).unwrap();
    let message = attached(&mut scene.hospital, 17, &[]);
    let file = scene.receive(&message).unwrap();
    let request = scene.owner.fetch_file(file, NOW).unwrap();
    let fetched = scene.fetched(&request).unwrap();
    assert_ne!(fetched.file.readers, Epoch::default());
    let request = Request::decode(&request).unwrap();
    for keyring in [&scene.owner, &scene.hospital] {
        assert_eq!(keyring.open_file(&fetched, &request).unwrap().1, CONTENTS);
    }
}

#[test]
fn every_changed_or_missing_byte_of_description_and_body_is_noticed() {
    let (_, stored, key) = stored();
    let body = stored.body.clone().unwrap();
    for at in 0..stored.description.len() {
        let mut changed = stored.clone();
        changed.description[at] ^= 1;
        assert_eq!(
            attachments::describe(&key, &changed).unwrap_err(),
            party::Error::File,
            "byte {at}"
        );
        changed.description.truncate(at);
        assert_eq!(
            attachments::open(&key, &changed).unwrap_err(),
            party::Error::File,
            "cut at {at}"
        );
    }
    for at in 0..body.len() {
        let mut changed = stored.clone();
        let mut bytes = body.clone();
        bytes[at] ^= 1;
        changed.body = Some(bytes);
        assert_eq!(attachments::open(&key, &changed).unwrap_err(), party::Error::File, "byte {at}");
        changed.body = Some(body[..at].to_vec());
        assert_eq!(
            attachments::open(&key, &changed).unwrap_err(),
            party::Error::File,
            "cut at {at}"
        );
    }
}

#[test]
fn one_request_reaches_every_provider_below_and_no_other() {
    let mut scene = scene();
    let providers = [&mut scene.hospital, &mut scene.ward, &mut scene.clinic];
    for message in providers.map(|provider| attached(provider, 1, &[b"fracture"])) {
        scene.receive(&message).unwrap();
    }
    let count = |asker: &Keyring, words: &[&[u8]]| {
        scene.found(&asker.search_files(words, NOW).unwrap()).unwrap().files.len()
    };
    assert_eq!(count(&scene.owner, &[b"fracture"]), 3);
    assert_eq!(count(&scene.ward, &[b"fracture"]), 1);
    assert_eq!(count(&scene.owner, &[b"fractures"]), 0);
    assert_eq!(count(&scene.owner, &[b"fracture", b"x-ray"]), 0);
    let other = owner(2).search_files(&[b"fracture"], NOW).unwrap();
    assert_eq!(scene.found(&other).unwrap_err(), cloud::Error::NotEnrolled);

    let request = scene.hospital.search_files(&[b"fracture"], NOW).unwrap();
    let behind = message::Error::Behind { authority: "hospital".into() };
    assert_eq!(scene.found(&request).unwrap_err(), behind.into(), "it does not know of the ward");
    let announced = scene.cloud.gate.announcements(&scene.owner.owner()).unwrap();
    assert!(scene.hospital.catch_up(&announced).unwrap());
    let request = scene.hospital.search_files(&[b"fracture"], NOW).unwrap();
    assert_eq!(scene.found(&request).unwrap().files.len(), 2);
}

#[test]
fn a_request_is_refused_that_is_changed_late_or_reaches_too_far() {
    let mut scene = scene();
    let message = attached(&mut scene.clinic, 1, &[b"fracture"]);
    let file = scene.receive(&message).unwrap();
    let request = scene.owner.search_files(&[b"fracture"], NOW).unwrap();
    for at in 0..request.len() {
        let mut changed = request.clone();
        changed[at] ^= 1;
        assert!(scene.found(&changed).is_err(), "byte {at}");
        assert!(scene.found(&request[..at]).is_err(), "cut at {at}");
    }
    let late = scene.owner.search_files(&[b"fracture"], NOW - 1).unwrap();
    assert_eq!(
        scene.found(&late).unwrap_err(),
        message::Error::Expired { what: "the request" }.into()
    );
    let nodes = vec![(scene.clinic.node().clone(), vec![1])];
    assert!(matches!(
        scene.hospital.list_files(nodes, NOW),
        Err(party::Error::Message(message::Error::Scope { .. }))
    ));
    let foreign = scene.hospital.fetch_file(file, NOW).unwrap();
    assert!(matches!(
        scene.fetched(&foreign),
        Err(cloud::Error::Message(message::Error::Scope { .. }))
    ));
    assert_eq!(scene.fetched(&request).unwrap_err(), cloud::Error::UnknownFile);
    let unknown = scene.owner.fetch_file(file ^ 1, NOW).unwrap();
    assert_eq!(scene.fetched(&unknown).unwrap_err(), cloud::Error::UnknownFile);
    assert_eq!(scene.owner.search_files(&[], NOW).unwrap_err(), party::Error::NoKeyword);
}

#[test]
fn an_upload_is_refused_that_is_changed_foreign_or_repeated() {
    let mut scene = scene();
    let message = attached(&mut scene.hospital, 1, &[b"fracture"]);
    for at in 0..message.len() {
        let mut changed = message.clone();
        changed[at] ^= 1;
        assert!(scene.receive(&changed).is_err(), "byte {at}");
    }
    let foreign = attached(&mut owner(2).authorize("hospital", &[]).unwrap(), 1, &[]);
    let error = scene.receive(&foreign).unwrap_err();
    assert_eq!(error, cloud::Error::NotEnrolled);
    scene.receive(&message).unwrap();
    let provider = "hospital".to_owned();
    let again = cloud::Error::StoredFile { provider: provider.clone() };
    assert_eq!(scene.receive(&message).unwrap_err(), again);
    let removed = scene.cloud.gate.remove(None, "hospital");
    let (added, replaced, is_repeated) = (0, 0, false);
    let receipt =
        Receipt { provider: provider.clone(), added, replaced, removed: 0, files: 1, is_repeated };
    assert_eq!(removed, Ok(receipt));
    assert_eq!(scene.cloud.gate.store().totals().unwrap(), Totals::default());
    assert_eq!(scene.receive(&message).unwrap_err(), again);
    let refused =
        scene.owner.attach(Ids::Integers(&[1]), &aes_gcm::AES_256, ("n", "a/b"), CONTENTS, &[]);
    assert!(
        matches!(refused, Err(party::Error::Message(message::Error::Scope { .. }))),
        "an owner attaches nothing"
    );
    let two = scene.hospital.attach(
        Ids::Integers(&[1, 2]),
        &aes_gcm::AES_256,
        ("n", "a/b"),
        CONTENTS,
        &[],
    );
    assert!(matches!(two, Err(party::Error::OneRecord { got: 2 })));
}

#[test]
fn labels_that_repeat_are_refused_and_the_next_ones_taken() {
    let mut scene = scene();
    let mut stale = scene.owner.authorize("hospital", &[]).unwrap();
    let first = attached(&mut scene.hospital, 1, &[b"fracture"]);
    scene.receive(&first).unwrap();
    let repeated = attached(&mut stale, 2, &[b"fracture"]);
    let provider = "hospital".to_owned();
    assert_eq!(scene.receive(&repeated).unwrap_err(), cloud::Error::StoredKeyword { provider });
    let next = attached(&mut stale, 2, &[b"fracture"]);
    scene.receive(&next).unwrap();
    let request = scene.owner.search_files(&[b"fracture"], NOW).unwrap();
    assert_eq!(scene.found(&request).unwrap().files.len(), 2);
}

#[test]
fn an_outdated_keyring_catches_up_and_everything_is_found() {
    let mut scene = scene();
    let mut stale = scene.owner.authorize("hospital", &[]).unwrap();
    for _ in 0..40 {
        let message = attached(&mut scene.hospital, 1, &[b"x-ray"]);
        scene.receive(&message).unwrap();
    }
    let words: [&[u8]; 2] = [b"x-ray", b"never used before"];
    let refused = attached(&mut stale, 1, &words);
    assert!(matches!(scene.receive(&refused).unwrap_err(), cloud::Error::StoredKeyword { .. }));
    catch_up(&mut stale, &scene.cloud);
    let message = attached(&mut stale, 1, &words);
    scene.receive(&message).unwrap();
    let found = |words: &[&[u8]]| {
        scene.found(&scene.owner.search_files(words, NOW).unwrap()).unwrap().files.len()
    };
    assert_eq!([found(&words[..1]), found(&words[1..]), found(&words)], [41, 1, 1]);
}

#[test]
fn notes_are_for_the_provider_that_asks() {
    let mut scene = scene();
    let message = attached(&mut scene.hospital, 1, &[b"x-ray"]);
    scene.receive(&message).unwrap();
    let refused = scene.owner.request_notes(NOW).unwrap_err();
    assert!(matches!(refused, party::Error::Message(message::Error::Scope { .. })));
    let request = scene.hospital.request_notes(NOW).unwrap();
    let notes = scene.cloud.gate.notes(&request, NOW).unwrap();
    assert_eq!(scene.found(&request).unwrap().files, []);
    let request = Request::decode(&request).unwrap();
    let later = Request::decode(&scene.hospital.request_notes(NOW).unwrap()).unwrap();
    let mut answers = |notes: &Notes, request: &Request| {
        let refused = scene.hospital.learn_uses(notes, request).unwrap_err();
        assert!(matches!(refused, party::Error::Message(message::Error::Answer { .. })));
    };
    answers(&notes, &later);
    let [note] = &notes.notes[..] else { panic!("one came") };
    answers(&Notes { notes: vec![note.clone(); 2], ..notes.clone() }, &request);
    let clinic = scene.clinic.node().clone();
    answers(&Notes { provider: clinic, ..notes.clone() }, &request);
    let mut changed = notes.clone();
    changed.notes[0].number ^= 1;
    let refused = scene.hospital.learn_uses(&changed, &request);
    assert_eq!(refused, Err(party::Error::Note { position: 0 }));
    let refused = scene.clinic.learn_uses(&notes, &request).unwrap_err();
    assert!(matches!(refused, party::Error::Message(message::Error::Scope { .. })));
    let mut other = owner(2);
    let refused = other.authorize("hospital", &[]).unwrap().learn_uses(&notes, &request);
    let what = "the request";
    assert_eq!(refused, Err(message::Error::OtherOwner { what }.into()));
    let keywords = scene.clinic.search_files(&[b"x-ray"], NOW).unwrap();
    assert_eq!(scene.cloud.gate.notes(&keywords, NOW), Err(cloud::Error::NoNotes));
    let next = attached(&mut scene.hospital, 1, &[b"x-ray"]);
    scene.receive(&next).unwrap();
}

#[test]
fn a_cloud_that_leaves_notes_out_is_found_out_by_others_and_mended_by_the_truth() {
    let mut scene = scene();
    for _ in 0..20 {
        let message = attached(&mut scene.hospital, 1, &[b"x-ray"]);
        scene.receive(&message).unwrap();
    }
    let request = scene.hospital.request_notes(NOW).unwrap();
    let mut notes = scene.cloud.gate.notes(&request, NOW).unwrap();
    notes.notes.truncate(3);
    scene.hospital.learn_uses(&notes, &Request::decode(&request).unwrap()).unwrap();
    let message = attached(&mut scene.hospital, 1, &[b"x-ray"]);
    let provider = "hospital".to_owned();
    assert_eq!(scene.receive(&message), Err(cloud::Error::UnknownBase { provider }));
    catch_up(&mut scene.hospital, &scene.cloud);
    let message = attached(&mut scene.hospital, 1, &[b"x-ray"]);
    scene.receive(&message).unwrap();
    let request = scene.owner.search_files(&[b"x-ray"], NOW).unwrap();
    assert_eq!(scene.found(&request).unwrap().files.len(), 21);
}

#[test]
fn what_was_counted_at_one_cloud_is_not_taken_at_another() {
    let mut scene = scene();
    let another = Cloud::of(&mut scene.owner);
    for _ in 0..20 {
        let message = attached(&mut scene.hospital, 1, &[b"x-ray"]);
        scene.receive(&message).unwrap();
    }
    let message = attached(&mut scene.hospital, 1, &[b"x-ray"]);
    let provider = || "hospital".to_owned();
    let lost = cloud::Error::LostFiles { provider: provider() };
    assert_eq!(another.receive(&message), Err(lost));
    catch_up(&mut scene.hospital, &scene.cloud);
    let message = attached(&mut scene.hospital, 1, &[b"x-ray"]);
    let unknown = cloud::Error::UnknownBase { provider: provider() };
    assert_eq!(another.receive(&message), Err(unknown));
    catch_up(&mut scene.hospital, &another);
    let message = attached(&mut scene.hospital, 1, &[b"x-ray"]);
    another.receive(&message).unwrap();
    let request = scene.owner.search_files(&[b"x-ray"], NOW).unwrap();
    assert_eq!(another.gate.find(&request, NOW).unwrap().files.len(), 1);
}

#[test]
fn what_a_cloud_gives_in_place_of_what_was_asked_for_is_refused() {
    let mut scene = scene();
    let words: &[&[u8]] = &[b"x-ray"];
    for record in [17, 18] {
        let message = attached(&mut scene.hospital, record, words);
        scene.receive(&message).unwrap();
    }
    let message = attached(&mut scene.clinic, 17, words);
    scene.receive(&message).unwrap();
    let decoded = |request: &[u8]| Request::decode(request).unwrap();
    let owner = &scene.owner;
    let keywords = owner.search_files(words, NOW).unwrap();
    let listing = scene.found(&keywords).unwrap();
    let described = owner.describe(&listing, &decoded(&keywords)).unwrap();
    assert!(described.len() == 3 && described.iter().all(Result::is_ok));
    let is_refused = |listing: &Listing, request: &Request| {
        let refused = owner.describe(listing, request);
        matches!(refused, Err(party::Error::Message(message::Error::Answer { .. })))
    };
    assert!(is_refused(&listing, &decoded(&owner.search_files(words, NOW).unwrap())));
    let records: Vec<(Node, Vec<u128>)> =
        listing.files.iter().map(|file| (file.provider.clone(), vec![file.handle])).collect();
    let one = owner.list_files(records[..1].to_vec(), NOW).unwrap();
    let honest = scene.found(&one).unwrap();
    assert!(owner.describe(&honest, &decoded(&one)).unwrap()[0].is_ok());
    for other in &listing.files {
        let files = vec![other.clone()];
        let lie = Listing { files, ..honest.clone() };
        assert_eq!(is_refused(&lie, &decoded(&one)), *other != honest.files[0]);
        let files = [&honest.files[..], &honest.files].concat();
        assert!(is_refused(&Listing { files, ..honest.clone() }, &decoded(&one)));
    }
    let [first, second] = [0, 1].map(|at| {
        let request = owner.fetch_file(listing.files[at].number, NOW).unwrap();
        (scene.fetched(&request).unwrap(), decoded(&request))
    });
    owner.open_file(&first.0, &first.1).unwrap();
    let relabelled = Fetched { request: first.1.id, ..second.0.clone() };
    for lie in [second.0, relabelled] {
        let refused = owner.open_file(&lie, &first.1);
        assert!(matches!(refused, Err(party::Error::Message(message::Error::Answer { .. }))));
    }
}

#[test]
fn a_listing_under_a_keyword_holds_files_with_it_only() {
    let mut scene = scene();
    let [chest, hand]: [&[u8]; 2] = [b"chest", b"hand"];
    let words: [&[&[u8]]; 4] = [&[chest], &[hand], &[chest, hand], &[]];
    let of_hospital = words.map(|words| {
        let message = attached(&mut scene.hospital, 17, words);
        scene.receive(&message).unwrap()
    });
    let message = attached(&mut scene.clinic, 17, &[hand]);
    let of_clinic = scene.receive(&message).unwrap();
    let stored = |number| {
        let request = scene.owner.fetch_file(number, NOW).unwrap();
        scene.fetched(&request).unwrap().file.without_body()
    };
    let mut grants = Grants::default();
    for provider in [&scene.hospital, &scene.clinic] {
        let share = Share { ids: None, portions: None, holder: b"", end: NOW };
        let grant = provider.grant(provider.node(), &share).unwrap();
        grants.add(Grant::decode(&grant).unwrap(), NOW).unwrap();
    }
    let asked: [&[&[u8]]; 3] = [&[chest], &[hand], &[chest, hand]];
    for (asked, having) in asked.iter().zip([&[0, 2][..], &[1, 2, 4], &[2]]) {
        let request = scene.owner.search_files(asked, NOW).unwrap();
        let honest = scene.found(&request).unwrap();
        let request = Request::decode(&request).unwrap();
        let everywhere = [&of_hospital[..], &[of_clinic]].concat();
        assert_eq!(honest.files.len(), having.len());
        for (at, &number) in everywhere.iter().enumerate() {
            let files = [stored(of_hospital[2]), stored(number)];
            let files = files[usize::from(at == 2)..].to_vec();
            let relabelled = Listing { request: request.id, files, proof: None };
            let by_owner = scene.owner.describe(&relabelled, &request);
            let by_reader = grants.describe(&relabelled, &request, NOW);
            assert_eq!(by_owner, by_reader, "a reader finds out as well");
            if having.contains(&at) {
                assert!(by_owner.unwrap().iter().all(Result::is_ok));
            } else {
                let provider = if number == of_clinic { "clinic" } else { "hospital" };
                let why = "is without a keyword of the request";
                let why = format!("file 1, of provider '{provider}', {why}");
                let refused = message::Error::Answer { what: "the listing", why };
                assert_eq!(by_owner, Err(refused.into()), "file {at} for {}", asked.len());
            }
        }
        // The seal of a description that proves the keyword holds for its own file.
        let mut moved =
            Listing { request: request.id, files: vec![stored(of_hospital[3])], proof: None };
        moved.files[0].description = stored(of_hospital[2]).description;
        assert_eq!(scene.owner.describe(&moved, &request).unwrap(), [Err(party::Error::File)]);
    }
    // By its number or its record a file is found whatever its keywords are.
    let records = vec![(scene.hospital.node().clone(), vec![stored(of_hospital[3]).handle])];
    let request = scene.owner.list_files(records, NOW).unwrap();
    let listing = scene.found(&request).unwrap();
    let described = scene.owner.describe(&listing, &Request::decode(&request).unwrap()).unwrap();
    assert!(described.len() == 4 && described.iter().all(Result::is_ok));
}

/// The hospital, authorised again after the clinic or another left, and a cloud that knows of it.
fn after_revoking(scene: &mut Scene, leaver: &str) -> Keyring {
    scene.owner.revoke(&[leaver]).unwrap();
    scene.cloud.enroll(&mut scene.owner);
    scene.owner.authorize("hospital", &[]).unwrap()
}

fn renew(hospital: &Keyring, cloud: &Cloud) {
    let answer = cloud.answer(&hospital.renewal(NOW).unwrap()).unwrap();
    for made in hospital.renew(&answer.parts, &Versions::default(), NOW).unwrap() {
        cloud.receive(&made.message).unwrap();
    }
}

fn parts(asker: &Keyring, cloud: &Cloud, ages: (i64, i64)) -> Vec<Part> {
    let mut parts = cloud.answer(&ask(asker, &[age(ages.0, ages.1)])).unwrap().parts;
    parts.retain(|part| !part.handles.is_empty());
    parts
}

/// The numbers of the files of records of some age, and what their records are called.
fn listed(scene: &Scene, asker: &Keyring, ages: (i64, i64)) -> BTreeMap<u128, u128> {
    let parts = parts(asker, &scene.cloud, ages);
    let FilesOf { message, known_as } = asker.files_of(&parts, NOW).unwrap();
    let listing = scene.found(&message).unwrap();
    let described = asker.describe(&listing, &Request::decode(&message).unwrap()).unwrap();
    assert!(described.iter().all(Result::is_ok));
    let called = |file: &StoredFile| {
        let there = (file.provider.clone(), file.handle);
        (file.number, known_as.get(&there).copied().unwrap_or(file.handle))
    };
    listing.files.iter().map(called).collect()
}

#[test]
fn files_of_a_record_are_found_from_every_epoch_that_it_is_in() {
    let mut scene = scene();
    scene.owner.authorize("lab", &[]).unwrap();
    scene.cloud.enroll(&mut scene.owner);
    let rows = [(17, 40, None), (18, 50, None)];
    scene.cloud.receive(&upload(&scene.hospital, &rows)).unwrap();
    let mut numbers = BTreeSet::new();
    let mut attach = |scene: &Scene, hospital: &mut Keyring| {
        let [wanted, _] =
            [17, 18].map(|record| scene.receive(&attached(hospital, record, &[])).unwrap());
        numbers.insert(wanted);
        numbers.clone()
    };
    let mut hospital = copy(&scene.hospital);
    let mut expected = attach(&scene, &mut hospital);
    let mut handle = hospital.handles(Ids::Integers(&[17]))[0];
    for leaver in ["clinic", "lab"] {
        let mut again = after_revoking(&mut scene, leaver);
        catch_up(&mut again, &scene.cloud);
        for is_renewed in [false, true] {
            if is_renewed {
                renew(&again, &scene.cloud);
                handle = again.handles(Ids::Integers(&[17]))[0];
            }
            for asker in [&scene.owner, &again] {
                let listed = listed(&scene, asker, (40, 40));
                let called: BTreeSet<u128> = listed.values().copied().collect();
                assert_eq!(called, [handle].into(), "as the answer has it");
                assert_eq!(listed.into_keys().collect::<BTreeSet<_>>(), expected, "{leaver}");
                assert_eq!(self::listed(&scene, asker, (0, 120)).len(), 2 * expected.len());
            }
            expected = attach(&scene, &mut again);
        }
    }
    assert_eq!(expected.len(), 5);
}

#[test]
fn files_of_another_record_are_refused_in_every_epoch() {
    let mut scene = scene();
    scene.cloud.receive(&upload(&scene.hospital, &[(17, 40, None), (18, 50, None)])).unwrap();
    for record in [17, 18] {
        let message = attached(&mut scene.hospital, record, &[]);
        scene.receive(&message).unwrap();
    }
    let again = after_revoking(&mut scene, "clinic");
    renew(&again, &scene.cloud);
    let of = |ages| {
        let parts = parts(&scene.owner, &scene.cloud, ages);
        let message = scene.owner.files_of(&parts, NOW).unwrap().message;
        (scene.found(&message).unwrap(), Request::decode(&message).unwrap())
    };
    let ((honest, request), (other, _)) = (of((40, 40)), of((50, 50)));
    assert!(scene.owner.describe(&honest, &request).unwrap()[0].is_ok());
    let lie = Listing { files: other.files, ..honest };
    let why = "file 0, of provider 'hospital', is of a record that was not asked for".to_owned();
    let refused = message::Error::Answer { what: "the listing", why };
    assert_eq!(scene.owner.describe(&lie, &request), Err(refused.into()));
}

#[test]
fn a_record_that_does_not_open_is_asked_for_under_its_own_handle_alone() {
    let mut scene = scene();
    scene.cloud.receive(&upload(&scene.hospital, &[(17, 40, None), (18, 50, None)])).unwrap();
    let again = after_revoking(&mut scene, "clinic");
    let asked = |parts: &[Part]| {
        let FilesOf { message, known_as } = scene.owner.files_of(parts, NOW).unwrap();
        let Ask::Records(asked) = Request::decode(&message).unwrap().ask else { panic!() };
        (asked, known_as)
    };
    let handles_of = |by: &Keyring| by.handles(Ids::Integers(&[17, 18]));
    let (here, there) = (handles_of(&scene.hospital), handles_of(&again));
    let parts = parts(&scene.owner, &scene.cloud, (0, 120));
    let (all, known_as) = asked(&parts);
    let at = |keyring: &Keyring, handles: &[u128]| {
        let mut handles = handles.to_vec();
        handles.sort_unstable();
        (keyring.node().clone(), handles)
    };
    assert_eq!(all, [at(&scene.hospital, &here), at(&again, &there)]);
    let pairs = (0..2).map(|at| ((again.node().clone(), there[at]), here[at]));
    assert_eq!(known_as, pairs.collect());
    let [part] = &parts[..] else { panic!("one came") };
    let apart = [0, 1].map(|row| Part {
        handles: vec![part.handles[row]],
        portions: part.portions.iter().map(|portion| portion.of_rows(&[row])).collect(),
        ..part.clone()
    });
    let (of_apart, _) = asked(&apart);
    assert_eq!(of_apart, all, "in one order, whatever came beside what");
    for row in 0..2 {
        let mut damaged = part.clone();
        damaged.handles[row] ^= 1;
        let fine = here.iter().position(|handle| *handle == part.handles[1 - row]).unwrap();
        let (some, known_as) = asked(&[damaged.clone()]);
        let own = (scene.hospital.node().clone(), damaged.handles);
        assert_eq!(some, [own, at(&again, &there[fine..=fine])]);
        assert_eq!(known_as.len(), 1);
    }
    let mut damaged = part.clone();
    damaged.portions[0].layout[0] ^= 1;
    assert_eq!(asked(&[damaged]), (vec![at(&scene.hospital, &here)], BTreeMap::new()));
}

#[test]
fn a_column_of_other_ids_leads_to_no_files_of_others() {
    let mut scene = scene();
    let ids = Values::Int64(vec![18].into());
    let is_valid = vec![true].into();
    let column = Column { name: "id".into(), dtype: "Int64".into(), values: ids, is_valid };
    let again = after_revoking(&mut scene, "clinic");
    let indexed = [Indexed { field: "age", rows: &[0], plaintexts: &[40] }];
    let ids = Ids::Integers(&[17]);
    let (columns, id) = (&[column][..], Some("id"));
    let table = Table { columns, ids, id, indexed: &indexed, now: NOW };
    let sent = again.upload(&table, Change::Add, &Versions::default()).unwrap();
    scene.cloud.receive(&sent.message).unwrap();
    let parts = parts(&scene.owner, &scene.cloud, (40, 40));
    let FilesOf { message, known_as } = scene.owner.files_of(&parts, NOW).unwrap();
    let handles = again.handles(ids);
    let asked = Ask::Records(vec![(again.node().clone(), handles)]);
    assert_eq!((Request::decode(&message).unwrap().ask, known_as), (asked, BTreeMap::new()));
}

#[test]
fn proofs_say_nothing_to_who_opens_descriptions_without_trapdoors() {
    let mut scene = scene();
    let proofs = [1, 2].map(|record| {
        let message = attached(&mut scene.hospital, record, &[b"chest"]);
        let request = scene.owner.fetch_file(scene.receive(&message).unwrap(), NOW).unwrap();
        let fetched = scene.fetched(&request).unwrap();
        let request = Request::decode(&request).unwrap();
        scene.owner.open_file(&fetched, &request).unwrap().0.proofs
    });
    assert!(proofs.iter().all(|proofs| proofs.len() == 1));
    assert_ne!(proofs[0], proofs[1], "one keyword, two files");
}

#[test]
fn what_is_named_twice_is_asked_for_once_and_too_much_is_refused() {
    let scene = scene();
    let words: Vec<[u8; 2]> = (0..=4096_u16).map(u16::to_le_bytes).collect();
    let words: Vec<&[u8]> = words.iter().map(<[u8; 2]>::as_slice).collect();
    let twice = [&words[..3], &words[..3]].concat();
    let request = Request::decode(&scene.owner.search_files(&twice, NOW).unwrap()).unwrap();
    let Ask::Keywords(providers) = request.ask else { panic!("{:?}", request.ask) };
    assert!(providers.len() == 3 && providers.iter().all(|(_, trapdoors)| trapdoors.len() == 3));
    let too_many = |what| message::Error::TooMany { what, got: 4097, most: 4096 };
    let refused = scene.owner.search_files(&words, NOW);
    assert_eq!(refused, Err(too_many("keywords of the request").into()));
    let node = || scene.hospital.node().clone();
    let of_parts = vec![(node(), vec![1, 2]), (node(), vec![2, 3, 3])];
    let request = Request::decode(&scene.owner.list_files(of_parts, NOW).unwrap()).unwrap();
    assert_eq!(request.ask, Ask::Records(vec![(node(), vec![1, 2, 3])]));
    let refused = scene.owner.list_files(vec![(node(), (0..=4096).collect())], NOW);
    assert_eq!(refused, Err(too_many("records of one provider").into()));
    assert!(scene.owner.list_files(vec![(node(), (0..4096).collect())], NOW).is_ok());
}

const CHEAP: Cost = Cost { memory: 8, passes: 1, lanes: 1 };

/// What becomes of an attachment.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Arrives,
    IsLost,
    IsLate,
}

/// What happens to the keyrings of one provider, of which there may be several, and to two clouds.
#[derive(Debug, Clone)]
enum Turn {
    Attach {
        keyring: usize,
        words: BTreeSet<u8>,
        times: usize,
        fate: Fate,
        cloud: usize,
    },
    /// Some with one keyword get lost, and one without any arrives.
    Gap {
        keyring: usize,
        word: u8,
        times: usize,
    },
    Late {
        which: usize,
        cloud: usize,
    },
    Copy {
        keyring: usize,
    },
    Forget,
    CatchUp {
        keyring: usize,
        cloud: usize,
    },
    Remove {
        cloud: usize,
    },
    Restart {
        cloud: usize,
    },
}

fn turn() -> impl Strategy<Value = Turn> {
    let fate =
        prop_oneof![4 => Just(Fate::Arrives), 3 => Just(Fate::IsLost), 1 => Just(Fate::IsLate)];
    let keyring = || prop_oneof![2 => Just(0), 1 => 0..4_usize];
    // Nearly all of what happens, happens at one cloud.
    let cloud = || prop_oneof![9 => Just(0_usize), 1 => Just(1)];
    let words = btree_set(0_u8..3, 0..3);
    let attach = (keyring(), words, 1..8_usize, fate, cloud()).prop_map(
        |(keyring, words, times, fate, cloud)| Turn::Attach { keyring, words, times, fate, cloud },
    );
    prop_oneof![
        20 => attach,
        10 => (keyring(), 0..2_u8, 6..14_usize)
            .prop_map(|(keyring, word, times)| Turn::Gap { keyring, word, times }),
        4 => (0..40_usize, cloud()).prop_map(|(which, cloud)| Turn::Late { which, cloud }),
        2 => keyring().prop_map(|keyring| Turn::Copy { keyring }),
        1 => Just(Turn::Forget),
        3 => (keyring(), cloud()).prop_map(|(keyring, cloud)| Turn::CatchUp { keyring, cloud }),
        1 => cloud().prop_map(|cloud| Turn::Remove { cloud }),
        1 => cloud().prop_map(|cloud| Turn::Restart { cloud }),
    ]
}

/// What a cloud took of one provider: the words of each file.
type Taken = BTreeMap<u128, BTreeSet<u8>>;

fn keyword(word: u8) -> [u8; 2] {
    [b'k', word]
}

fn attached_with(provider: &mut Keyring, words: &BTreeSet<u8>) -> Vec<u8> {
    let words: Vec<[u8; 2]> = words.iter().map(|&word| keyword(word)).collect();
    let words: Vec<&[u8]> = words.iter().map(<[u8; 2]>::as_slice).collect();
    attached(provider, 1, &words)
}

/// Hands a cloud what it takes, and notes it.
fn hand(cloud: &Cloud, taken: &mut Taken, message: &[u8], words: &BTreeSet<u8>) -> bool {
    let is_taken = cloud.gate.receive(message, NOW).is_ok();
    if is_taken {
        taken.insert(Attachment::decode(message).unwrap().file.number, words.clone());
    }
    is_taken
}

/// Attaches and sends, once more after catching up if it is refused.
fn send(keyring: &mut Keyring, cloud: &Cloud, taken: &mut Taken, words: &BTreeSet<u8>) {
    let message = attached_with(keyring, words);
    if !hand(cloud, taken, &message, words) {
        catch_up(keyring, cloud);
        let message = attached_with(keyring, words);
        assert!(hand(cloud, taken, &message, words), "it has caught up");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Several keyrings of one provider, copies of each other in any order, some of whose attachments
    /// get lost or come late, at one cloud or another.
    #[test]
    fn all_that_was_taken_is_found_and_who_has_caught_up_is_not_refused(
        turns in vec(turn(), 1..60),
    ) {
        let mut owner = owner(1);
        let mut keyrings = vec![owner.authorize("hospital", &[]).unwrap()];
        let mut clouds = [0, 1].map(|_| (Cloud::of(&mut owner), Taken::new()));
        let mut late: Vec<(Vec<u8>, BTreeSet<u8>)> = Vec::new();
        for turn in turns {
            match turn {
                Turn::Attach { keyring, words, times, fate, cloud } => {
                    let count = keyrings.len();
                    let keyring = &mut keyrings[keyring % count];
                    let (cloud, taken) = &mut clouds[cloud];
                    for _ in 0..times {
                        match fate {
                            Fate::IsLost => drop(attached_with(keyring, &words)),
                            Fate::IsLate => late.push((attached_with(keyring, &words), words.clone())),
                            Fate::Arrives => send(keyring, cloud, taken, &words),
                        }
                    }
                }
                Turn::Gap { keyring, word, times } => {
                    let count = keyrings.len();
                    let keyring = &mut keyrings[keyring % count];
                    (0..times).for_each(|_| drop(attached_with(keyring, &[word].into())));
                    let (cloud, taken) = &mut clouds[0];
                    send(keyring, cloud, taken, &BTreeSet::new());
                }
                Turn::Late { which, cloud } if !late.is_empty() => {
                    let (message, words) = &late[which % late.len()];
                    let (cloud, taken) = &mut clouds[cloud];
                    hand(cloud, taken, message, words);
                }
                Turn::Copy { keyring } => {
                    let file = saved::seal(&keyrings[keyring % keyrings.len()], b"p", CHEAP).unwrap();
                    keyrings.push(saved::open(&file, b"p", Kind::Provider).unwrap());
                }
                Turn::Forget => keyrings.push(owner.authorize("hospital", &[]).unwrap()),
                Turn::CatchUp { keyring, cloud } => {
                    let count = keyrings.len();
                    catch_up(&mut keyrings[keyring % count], &clouds[cloud].0);
                }
                Turn::Remove { cloud } => {
                    let (cloud, taken) = &mut clouds[cloud];
                    let removed = cloud.gate.remove(None, "hospital").map_or(0, |gone| gone.files);
                    prop_assert_eq!(removed, taken.len());
                    taken.clear();
                }
                Turn::Restart { cloud } => clouds[cloud] = (Cloud::of(&mut owner), Taken::new()),
                Turn::Late { .. } => {}
            }
            for (cloud, taken) in &clouds {
                for word in 0..3 {
                    let request = owner.search_files(&[&keyword(word)], NOW).unwrap();
                    let listing = cloud.gate.find(&request, NOW).unwrap();
                    let found: BTreeSet<u128> =
                        listing.files.iter().map(|file| file.number).collect();
                    prop_assert_eq!(found.len(), listing.files.len(), "none twice");
                    let having = taken.iter().filter(|(_, words)| words.contains(&word));
                    prop_assert_eq!(found, having.map(|(&number, _)| number).collect());
                }
            }
        }
    }
}

#[test]
fn uses_of_a_keyword_among_many_others_are_found_though_most_of_them_are_lost() {
    // Every sixteenth attachment comes, and has another keyword: in a row, none of sixteen is lost.
    let mut scene = scene();
    for round in 0..4 {
        for _ in 0..MOST_LOST - 1 {
            attached(&mut scene.hospital, 1, &[b"rare"]);
        }
        let message = attached(&mut scene.hospital, 1, &[b"common"]);
        assert_eq!(scene.receive(&message).is_ok(), round == 0, "round {round}");
    }
    catch_up(&mut scene.hospital, &scene.cloud);
    let message = attached(&mut scene.hospital, 1, &[b"rare"]);
    scene.receive(&message).unwrap();
    let request = scene.owner.search_files(&[b"rare"], NOW).unwrap();
    assert_eq!(scene.found(&request).unwrap().files.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Attachments of three providers that arrive in any order, one provider removed on the way.
    #[test]
    fn files_are_found_as_in_a_plain_inverted_index(
        files in vec((0..3_usize, btree_set(0_u8..4, 0..4)), 0..60),
        order in any::<u64>(),
        removed in (0..3_usize, 0..60_usize),
        asked in btree_set(0_u8..5, 1..4),
    ) {
        let Scene { owner, hospital, ward, clinic, cloud } = scene();
        let mut providers = [hospital, ward, clinic];
        let keyword = |word: u8| [b'k', word];
        let mut messages = Vec::new();
        for (at, words) in files {
            let keywords: Vec<[u8; 2]> = words.iter().map(|&word| keyword(word)).collect();
            let keywords: Vec<&[u8]> = keywords.iter().map(<[u8; 2]>::as_slice).collect();
            messages.push((at, words, attached(&mut providers[at], 1, &keywords)));
        }
        // Within a window, so that fewer than `MOST_LOST` are missing at any time.
        for window in messages.chunks_mut(8) {
            let turn = usize::try_from(order % 8).unwrap() % window.len();
            window.rotate_left(turn);
        }
        let mut plain: Vec<(usize, BTreeSet<u8>, u128)> = Vec::new();
        for (number, (at, words, message)) in messages.into_iter().enumerate() {
            plain.push((at, words, Attachment::decode(&message).unwrap().file.number));
            cloud.gate.receive(&message, NOW).unwrap();
            if number == removed.1 {
                let path = providers[removed.0].node().path();
                let gone = plain.iter().filter(|(at, ..)| *at == removed.0).count();
                let files = cloud.gate.remove(None, &path).map_or(0, |removed| removed.files);
                prop_assert_eq!(files, gone);
                plain.retain(|(at, ..)| *at != removed.0);
            }
        }
        let words: Vec<[u8; 2]> = asked.iter().map(|&word| keyword(word)).collect();
        let words: Vec<&[u8]> = words.iter().map(<[u8; 2]>::as_slice).collect();
        for (asker, reach) in
            [(&owner, &[0, 1, 2][..]), (&providers[1], &[1]), (&providers[2], &[2])]
        {
            let request = asker.search_files(&words, NOW).unwrap();
            let found = cloud.gate.find(&request, NOW).unwrap().files;
            let found: BTreeSet<u128> = found.into_iter().map(|stored| stored.number).collect();
            let matching = plain.iter().filter(|(at, words, _)| {
                reach.contains(at) && asked.is_subset(words)
            });
            prop_assert_eq!(found, matching.map(|&(.., file)| file).collect());
        }
    }
}
