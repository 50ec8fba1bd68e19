//! Bad input: each is refused whole with its own error, and nothing changes.
//!
//! What only a dishonest signer can make is refused in the unit tests of `index::upload`, `token`
//! and `certificate`; changed keyring files in those of `sealed`.

#[path = "support/scene.rs"]
mod scene;

use mopse::cipher;
use mopse::cipher::password::Cost;
use mopse::message::announcement::Announcement;
use mopse::message::answer::Part;
use mopse::message::place::Node;
use mopse::message::token::Token;
use mopse::message::upload::Upload;
use mopse::party::columns::{Column, Values};
use mopse::party::records::Ids;
use mopse::party::saved::{self, Kind};
use mopse::party::{Indexed, Keyring};
use mopse::scheme;
use mopse::wire;
use mopse::wire::Blobs;
use mopse::{cloud, message, party};
use scene::{Cloud, NOW, age, ask, open, owner, try_upload, upload};

/// An owner, its hospital, and a cloud that holds three of the hospital's records.
fn scene() -> (Keyring, Keyring, Cloud) {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).expect("a good name");
    let cloud = Cloud::of(&owner);
    let rows = [(1, 40, Some(150)), (2, 50, Some(140)), (3, 60, None)];
    cloud.receive(&upload(&hospital, &rows, 1)).expect("it is new and whole");
    (owner, hospital, cloud)
}

/// Bytes with one letter changed.
fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

fn is_malformed<T, E: Clone + Into<mopse::Error>>(outcome: &Result<T, E>) -> bool {
    let fault = outcome.as_ref().err().cloned().map(Into::into);
    matches!(fault, Some(mopse::Error::Wire(wire::Error::Format { .. })))
}

#[test]
fn an_upload_that_is_cut_or_changed_anywhere_changes_nothing() {
    let (_, hospital, cloud) = scene();
    let bytes = upload(&hospital, &[(4, 70, Some(90)), (5, 71, None)], 2);
    let before = cloud.snapshot();
    for at in 0..bytes.len() {
        assert!(is_malformed(&cloud.receive(&bytes[..at])), "cut at {at}");
        assert!(cloud.receive(&flipped(&bytes, at)).is_err(), "byte {at}");
    }
    assert!(is_malformed(&cloud.receive(&[&bytes[..], b"."].concat())));
    assert_eq!(cloud.snapshot(), before);
    assert_eq!(cloud.receive(&bytes), Ok(()));
}

#[test]
fn an_upload_of_an_unknown_version_is_refused_as_such() {
    let (_, hospital, cloud) = scene();
    let mut bytes = upload(&hospital, &[(4, 70, None)], 2);
    bytes[8] = 2;
    assert_eq!(
        cloud.receive(&bytes),
        Err(wire::Error::Version { what: "the upload", got: 2 }.into())
    );
}

#[test]
fn an_upload_of_another_owner_is_refused_even_from_a_provider_of_the_same_name() {
    let (mine, _, cloud) = scene();
    let theirs = owner(2).authorize("hospital", &[]).unwrap();
    let before = cloud.snapshot();
    let bytes = upload(&theirs, &[(4, 70, None)], 2);
    assert_eq!(cloud.receive(&bytes), Err(cloud::Error::NotEnrolled));
    let announcement = &cloud.announcement(&mine);
    let refused = Upload::decode(&bytes).unwrap().check(announcement);
    assert_eq!(refused, Err(message::Error::OtherOwner { what: "the upload" }));
    assert_eq!(cloud.snapshot(), before);
}

#[test]
fn an_announcement_that_was_changed_is_refused() {
    let (owner, hospital, _) = scene();
    let bytes = owner.announcement().unwrap();
    for at in 0..bytes.len() {
        assert!(Announcement::decode(&flipped(&bytes, at)).is_err(), "byte {at}");
        assert!(is_malformed(&Announcement::decode(&bytes[..at])), "cut at {at}");
    }
    assert!(matches!(
        hospital.announcement(),
        Err(party::Error::Message(message::Error::Scope { .. }))
    ));
}

#[test]
fn impossible_tables_are_refused_before_anything_is_sealed() {
    let (owner, hospital, _) = scene();
    let twice = try_upload(&hospital, &[(7, 1, None), (8, 1, None), (7, 2, None)], 1);
    assert_eq!(twice, Err(party::Error::DuplicateId { row: 2 }));
    let empty = try_upload(&hospital, &[], 1);
    assert!(matches!(empty, Err(party::Error::Rows { got: 0 })));
    let old = try_upload(&hospital, &[(7, 1, None), (8, 121, None)], 1);
    let outside = scheme::Error::OutOfDomain { position: 1, domain: 121 };
    assert_eq!(old, Err(outside.into()));
    assert!(matches!(
        try_upload(&owner, &[(7, 1, None)], 1),
        Err(party::Error::Message(message::Error::Scope { .. }))
    ));

    let indexed = |field, rows, plaintexts| {
        let indexed = [Indexed { field, rows, plaintexts }];
        hospital.upload(&[], Ids::Integers(&[1, 2]), &indexed, 1)
    };
    let unknown = indexed("shoe size", &[0], &[1]);
    assert_eq!(unknown, Err(party::Error::UnknownField { field: "shoe size".into() }));
    assert!(matches!(indexed("age", &[2], &[1]), Err(party::Error::RowNumber { got: 2 })));
    let length = |expected, got| scheme::Error::Length { what: "the id array", expected, got };
    assert_eq!(indexed("age", &[0, 1], &[1]), Err(length(1, 2).into()));
    assert_eq!(indexed("age", &[0], &[1, 2]), Err(length(2, 1).into()));
    let column = Column {
        name: "short".into(),
        dtype: "Int64".into(),
        values: Values::Int64(vec![1].into()),
        is_valid: vec![true, true].into(),
    };
    let short = hospital.upload(&[column], Ids::Integers(&[1, 2]), &[], 1);
    assert_eq!(short, Err(party::Error::Length { what: "a column", expected: 2, got: 1 }));
}

#[test]
fn a_token_that_is_cut_changed_or_expired_finds_nothing() {
    let (owner, hospital, cloud) = scene();
    for keyring in [&owner, &hospital] {
        let token = &ask(keyring, &[age(0, 120)])[0];
        let before = cloud.snapshot();
        for at in 0..token.len() {
            assert!(cloud.answer(&[flipped(token, at)]).is_err(), "byte {at}");
            assert!(is_malformed(&cloud.answer(&[token[..at].to_vec()])), "cut at {at}");
        }
        assert_eq!(cloud.snapshot(), before);

        let expired = keyring.tokens(&[age(0, 120)], NOW - 1).unwrap();
        assert_eq!(cloud.answer(&expired), Err(message::Error::Expired.into()));
        let token = Token::decode(token).unwrap();
        assert_eq!(token.check(&cloud.announcement(&owner), NOW), Ok(()));
        assert_eq!(token.check(&cloud.announcement(&owner), NOW + 1), Err(message::Error::Expired));
        assert_eq!(
            token.check(&cloud.announcement(&owner), u64::MAX),
            Err(message::Error::Expired)
        );
    }
}

#[test]
fn a_token_of_another_owner_or_schema_is_refused() {
    let (owner, _, cloud) = scene();
    let mut stranger = scene::owner(2);
    stranger.authorize("hospital", &[]).unwrap();
    let token = ask(&stranger, &[age(0, 120)]);
    assert_eq!(cloud.answer(&token), Err(cloud::Error::NotEnrolled));
    let announcement = &cloud.announcement(&owner);
    let refused = Token::decode(&token[0]).unwrap().check(announcement, NOW);
    assert_eq!(refused, Err(message::Error::OtherOwner { what: "the token" }));

    // The same root key with another schema: the same owner, but no field means the same.
    let fields = scene::schema().fields()[..1].to_vec();
    let other = mopse::schema::Schema::new(fields).unwrap();
    let key = mopse::keys::Key::from_bytes(&[1; 32]).unwrap();
    let mut changed = Keyring::root(key, other);
    assert_eq!(changed.owner(), owner.owner());
    let hospital = changed.authorize("hospital", &[]).unwrap();
    let token = ask(&changed, &[age(0, 120)]);
    assert_eq!(cloud.answer(&token), Err(message::Error::OtherSchema { what: "the token" }.into()));
    let bytes = hospital.upload(&[], Ids::Integers(&[9]), &[], 9).unwrap();
    assert_eq!(
        cloud.receive(&bytes),
        Err(message::Error::OtherSchema { what: "the upload" }.into())
    );
}

/// A part of an answer with three records, and who may open it.
fn answer() -> (Keyring, Part) {
    let (owner, _, cloud) = scene();
    let mut parts = cloud.answer(&ask(&owner, &[age(0, 120)])).expect("the token is good");
    (owner, parts.remove(0))
}

/// The records of a part, changed one by one.
fn changed(records: &Blobs, mut change: impl FnMut(usize, &mut Vec<u8>)) -> Blobs {
    let mut out = Blobs::default();
    for at in 0..records.len() {
        let mut record = records.get(at).to_vec();
        change(at, &mut record);
        out.push(&record);
    }
    out
}

#[test]
fn a_record_with_any_byte_changed_or_missing_does_not_open_and_is_named() {
    let (owner, part) = answer();
    assert_eq!(open(&owner, &part).map(|records| records.len()), Ok(3));
    for at in 0..part.records.get(1).len() {
        let flip = |number, record: &mut Vec<u8>| record[at] ^= u8::from(number == 1);
        let cut = |number, record: &mut Vec<u8>| {
            if number == 1 {
                record.truncate(at);
            }
        };
        for records in [changed(&part.records, flip), changed(&part.records, cut)] {
            let part = Part { records, ..part.clone() };
            assert_eq!(open(&owner, &part), Err(party::Error::Record { position: 1 }), "byte {at}");
        }
    }
}

#[test]
fn a_record_under_another_handle_or_in_another_place_does_not_open() {
    let (owner, part) = answer();
    let mut renamed = part.clone();
    renamed.handles[2] ^= 1;
    assert_eq!(open(&owner, &renamed), Err(party::Error::Record { position: 2 }));
    let mut swapped = part.clone();
    swapped.handles.swap(0, 2);
    assert_eq!(open(&owner, &swapped), Err(party::Error::Record { position: 0 }));
    let first = part.records.get(0).to_vec();
    let records = changed(&part.records, |_, record| record.clone_from(&first));
    let copied = Part { records, ..part.clone() };
    assert_eq!(open(&owner, &copied), Err(party::Error::Record { position: 1 }));
    let mut fewer = part;
    fewer.handles.pop();
    let expected = party::Error::Length { what: "the array of handles", expected: 3, got: 2 };
    assert_eq!(open(&owner, &fewer), Err(expected));
}

#[test]
fn a_record_of_another_provider_epoch_or_owner_does_not_open() {
    let (owner, part) = answer();
    let at = |name, epoch| Node::root().child(name, epoch).unwrap();
    for provider in [at("clinic", 0), at("hospital", 1), Node::root()] {
        let moved = Part { provider, ..part.clone() };
        assert_eq!(open(&owner, &moved), Err(party::Error::Layout));
    }
    let below = at("hospital", 0).child("ward", 0).unwrap();
    assert_eq!(open(&owner, &Part { provider: below, ..part.clone() }), Err(party::Error::Layout));
    let stranger = scene::owner(2);
    assert_eq!(open(&stranger, &part), Err(party::Error::Layout));
    let taken = Part { owner: stranger.owner(), ..part };
    assert_eq!(open(&owner, &taken), Err(party::Error::Layout));
}

#[test]
fn a_record_under_another_layout_does_not_open() {
    let (owner, part) = answer();
    for at in 0..part.layout.len() {
        let layout = flipped(&part.layout, at);
        assert_eq!(open(&owner, &Part { layout, ..part.clone() }), Err(party::Error::Layout));
    }
    assert_eq!(open(&owner, &Part { layout: vec![], ..part.clone() }), Err(party::Error::Layout));

    // The layout of the same provider's other table opens, but no record was sealed with it.
    let (_, hospital, _) = scene();
    let other = hospital.upload(&[], Ids::Integers(&[9]), &[], 9).unwrap();
    let layout = Upload::decode(&other).unwrap().layout;
    let moved = Part { layout, ..part };
    assert_eq!(open(&owner, &moved), Err(party::Error::Record { position: 0 }));
}

#[test]
fn a_keyring_file_opens_as_what_it_is_and_with_its_password() {
    let cheap = Cost { memory: 8, passes: 1, lanes: 1 };
    let (owner, hospital, cloud) = scene();
    let file = saved::seal(&hospital, b"password", cheap).unwrap();
    let opened = saved::open(&file, b"password", Kind::Provider).unwrap();
    assert_eq!((opened.node(), opened.chain()), (hospital.node(), hospital.chain()));
    cloud.receive(&upload(&opened, &[(4, 70, None)], 2)).unwrap();

    let refused =
        |file: &[u8], password: &[u8], kind| saved::open(file, password, kind).unwrap_err();
    let expected = party::Error::OtherKind { expected: "an owner's" };
    assert_eq!(refused(&file, b"password", Kind::Owner), expected);
    assert_eq!(refused(&file, b"Password", Kind::Provider), cipher::Error::WrongPassword.into());
    assert_eq!(refused(&file, b"", Kind::Provider), cipher::Error::EmptyPassword.into());
    let damaged = party::Error::Damaged { what: "the file" };
    assert_eq!(refused(&flipped(&file, 60), b"password", Kind::Provider), damaged);
    assert_eq!(refused(&[], b"password", Kind::Provider), damaged);

    let file = saved::seal(&owner, b"password", cheap).unwrap();
    let opened = saved::open(&file, b"password", Kind::Owner).unwrap();
    assert_eq!(opened.owner(), owner.owner());
    assert_eq!(opened.members().collect::<Vec<_>>(), owner.members().collect::<Vec<_>>());
    assert_eq!(opened.groups().collect::<Vec<_>>(), owner.groups().collect::<Vec<_>>());
    assert_eq!(cloud.find(&opened, &[age(0, 120)]).len(), 4);
}
