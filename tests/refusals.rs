//! Bad input: each is refused whole with its own error, and nothing changes.
//!
//! What only a dishonest signer can make is refused in the unit tests of `upload`, `query` and
//! `certificate`, and answers of a dishonest cloud in those of `answer`; changed keyring files in those of
//! `saved`.

#[path = "support/scene.rs"]
mod scene;

use mopse::cipher;
use mopse::cipher::password::Cost;
use mopse::message::announcement;
use mopse::message::answer::Part;
use mopse::message::place::{Epoch, Node};
use mopse::message::query::Query;
use mopse::message::removal::Removal;
use mopse::message::upload::{Portion, Upload};
use mopse::party::columns::{Column, Values};
use mopse::party::records::Ids;
use mopse::party::saved::{self, Kind};
use mopse::party::uploading::{check_names, spell_names};
use mopse::party::{Indexed, Keyring};
use mopse::scheme;
use mopse::wire;
use mopse::wire::Blobs;
use mopse::{cloud, message, party};
use scene::{Cloud, NOW, age, ask, delete, open, owner, try_upload, upload, upload_of};

/// An owner, its hospital, and a cloud that holds three of the hospital's records.
fn scene() -> (Keyring, Keyring, Cloud) {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).expect("a good name");
    let cloud = Cloud::of(&mut owner);
    let rows = [(1, 40, Some(150)), (2, 50, Some(140)), (3, 60, None)];
    cloud.receive(&upload(&hospital, &rows)).expect("it is new and whole");
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
    let bytes = upload(&hospital, &[(4, 70, Some(90)), (5, 71, None)]);
    let before = cloud.snapshot();
    for at in 0..bytes.len() {
        assert!(is_malformed(&cloud.receive(&bytes[..at])), "cut at {at}");
        assert!(cloud.receive(&flipped(&bytes, at)).is_err(), "byte {at}");
    }
    assert!(is_malformed(&cloud.receive(&[&bytes[..], b"."].concat())));
    assert_eq!(cloud.snapshot(), before);
    assert_eq!(cloud.receive(&bytes).map(|receipt| receipt.added), Ok(2));
}

#[test]
fn an_upload_of_an_unknown_version_is_refused_as_such() {
    let (_, hospital, cloud) = scene();
    let mut bytes = upload(&hospital, &[(4, 70, None)]);
    for got in [1, 3] {
        bytes[8] = got;
        let refused = wire::Error::Version { what: "the upload", got };
        assert_eq!(cloud.receive(&bytes), Err(refused.into()));
    }
}

#[test]
fn an_upload_of_another_owner_is_refused_even_from_a_provider_of_the_same_name() {
    let (mine, _, cloud) = scene();
    let theirs = owner(2).authorize("hospital", &[]).unwrap();
    let before = cloud.snapshot();
    let bytes = upload(&theirs, &[(4, 70, None)]);
    assert_eq!(cloud.receive(&bytes), Err(cloud::Error::NotEnrolled));
    let refused = Upload::decode(&bytes).unwrap().check(&cloud.announced(&mine), NOW);
    assert_eq!(refused, Err(message::Error::OtherOwner { what: "the upload" }));
    assert_eq!(cloud.snapshot(), before);
}

#[test]
fn an_announcement_that_was_changed_is_refused() {
    let (mut owner, mut hospital, cloud) = scene();
    let bytes = owner.announcements().unwrap();
    for at in 0..bytes.len() {
        assert!(announcement::split(&flipped(&bytes, at)).is_err(), "byte {at}");
        assert!(is_malformed(&announcement::split(&bytes[..at])), "cut at {at}");
        assert!(cloud.gate.enroll(&flipped(&bytes, at)).is_err(), "byte {at}");
    }
    assert!(matches!(
        hospital.announcements(),
        Err(party::Error::Message(message::Error::Scope { .. }))
    ));
}

#[test]
fn a_provider_announces_for_itself_and_below_only_and_after_its_owner() {
    let (mut owner, _, cloud) = scene();
    let mut hospital = owner.authorize("hospital", &[]).unwrap();
    hospital.authorize("ward", &[]).unwrap();
    let bytes = hospital.announcements().unwrap();
    assert_eq!(Cloud::default().gate.enroll(&bytes), Err(cloud::Error::NotEnrolled));
    cloud.gate.enroll(&bytes).unwrap();
    let known = cloud.announced(&owner);
    assert_eq!(
        known.iter().map(|last| last.authority.path()).collect::<Vec<_>>(),
        ["", "hospital"]
    );

    // Once it was removed, it announces nothing more.
    owner.authorize("clinic", &[]).unwrap();
    owner.revoke(&["clinic"]).unwrap();
    cloud.enroll(&mut owner);
    hospital.authorize("lab", &[]).unwrap();
    let left = message::Error::Epoch { provider: "hospital".into() };
    assert_eq!(cloud.try_enroll(&mut hospital), Err(left.into()));
}

#[test]
fn impossible_tables_are_refused_before_anything_is_sealed() {
    let (owner, hospital, _) = scene();
    let twice = try_upload(&hospital, &[(7, 1, None), (8, 1, None), (7, 2, None)]);
    assert_eq!(twice, Err(party::Error::DuplicateId { row: 2 }));
    let empty = try_upload(&hospital, &[]);
    assert!(matches!(empty, Err(party::Error::Rows { got: 0 })));
    let old = try_upload(&hospital, &[(7, 1, None), (8, 121, None)]);
    let outside = scheme::Error::OutOfDomain { position: 1, domain: 121 };
    assert_eq!(old, Err(outside.into()));
    assert!(matches!(
        try_upload(&owner, &[(7, 1, None)]),
        Err(party::Error::Message(message::Error::Scope { .. }))
    ));

    let bare = upload_of(&owner, &[], &[1], &[]);
    let what = "upload records".to_owned();
    let no_right = message::Error::Scope { who: "the owner".into(), what };
    assert_eq!(bare, Err(no_right.into()), "not even without entries");

    let indexed = |field, rows, plaintexts| {
        let indexed = [Indexed { field, rows, plaintexts }];
        upload_of(&hospital, &[], &[1, 2], &indexed)
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
    let short = upload_of(&hospital, &[column], &[1, 2], &[]);
    assert_eq!(short, Err(party::Error::Length { what: "a column", expected: 2, got: 1 }));
}

#[test]
fn impossible_portions_are_refused_and_none_is_declared() {
    let (_, mut hospital, _) = scene();
    let names = |names: &[&str]| -> Vec<(String, Vec<String>)> {
        names.iter().map(|&name| (name.to_owned(), Vec::new())).collect()
    };
    let long = "x".repeat(256);
    let many: Vec<String> = (0..63).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for bad in [&["rest"][..], &["files"], &[""], &["a", "a"], &[&long], &many] {
        let refused = hospital.declare_portions(names(bad));
        assert!(matches!(refused, Err(party::Error::Portion { .. })), "{bad:?}");
        assert_eq!(check_names(&names(bad)), refused);
        assert!(hospital.portions().is_empty(), "{bad:?}");
    }
    for good in [&many[..62], &[&long[..255], "a", "b"]] {
        assert_eq!(hospital.declare_portions(names(good)), Ok(()));
        assert_eq!(hospital.portions(), names(good));
    }
    for bad in
        [&["a", "A"][..], &["a", "\u{430}"], &["Files"], &["a "], &["a\u{200b}"], &["a", "a"]]
    {
        assert!(matches!(spell_names(names(bad)), Err(party::Error::Portion { .. })), "{bad:?}");
    }
    assert_eq!(spell_names(names(&["u\u{308}"])), Ok(names(&["\u{fc}"])));
}

#[test]
fn a_removal_of_records_without_ids_or_twice_is_refused() {
    let (owner, hospital, cloud) = scene();
    let versions = cloud.versions(&hospital, &[1, 2, 3]);
    assert_eq!(delete(&hospital, &[], &versions), Err(party::Error::Rows { got: 0 }));
    let twice = delete(&hospital, &[1, 2, 1], &versions);
    assert_eq!(twice, Err(party::Error::DuplicateId { row: 2 }));
    let unknown = delete(&hospital, &[1, 7], &versions);
    assert_eq!(unknown, Err(party::Error::NotStored { row: 1 }));
    assert!(matches!(
        delete(&owner, &[1], &versions),
        Err(party::Error::Message(message::Error::Scope { .. }))
    ));
    assert_eq!(
        hospital.lookup("hospital", Ids::Integers(&[]), NOW),
        Err(party::Error::Rows { got: 0 })
    );
    let nobody = Err(party::Error::UnknownProvider { provider: "clinic".into() });
    assert_eq!(hospital.lookup("clinic", Ids::Integers(&[1]), NOW), nobody);
    assert_eq!(hospital.removal("clinic"), nobody);
}

#[test]
fn a_query_that_is_cut_changed_or_expired_finds_nothing() {
    let (owner, hospital, cloud) = scene();
    for keyring in [&owner, &hospital] {
        let query = ask(keyring, &[age(0, 120)]);
        let before = cloud.snapshot();
        for at in 0..query.len() {
            assert!(cloud.answer(&flipped(&query, at)).is_err(), "byte {at}");
            assert!(is_malformed(&cloud.answer(&query[..at])), "cut at {at}");
        }
        assert_eq!(cloud.snapshot(), before);

        let expired = keyring.query(&[age(0, 120)], NOW - 1).unwrap();
        let late = message::Error::Expired { what: "the query" };
        assert_eq!(late.to_string(), "the query has expired");
        assert_eq!(cloud.answer(&expired), Err(late.clone().into()));
        let query = Query::decode(&query).unwrap();
        let announced = cloud.announced(&owner);
        assert_eq!(query.check(&announced, NOW), Ok(()));
        assert_eq!(query.check(&announced, NOW + 1), Err(late.clone()));
        assert_eq!(query.check(&announced, u64::MAX), Err(late));
    }
}

#[test]
fn a_removal_that_is_cut_changed_or_of_somebody_else_removes_nothing() {
    let (mut owner, hospital, cloud) = scene();
    let clinic = owner.authorize("clinic", &[]).unwrap();
    let removal = owner.removal("hospital").unwrap();
    let before = cloud.snapshot();
    for at in 0..removal.len() {
        assert!(cloud.receive(&flipped(&removal, at)).is_err(), "byte {at}");
        assert!(is_malformed(&cloud.receive(&removal[..at])), "cut at {at}");
    }
    assert!(is_malformed(&cloud.receive(&[&removal[..], &[0]].concat())));
    let foreign = clinic.removal("hospital");
    assert_eq!(foreign, Err(party::Error::UnknownProvider { provider: "hospital".into() }));
    let mut stranger = scene::owner(2);
    stranger.authorize("hospital", &[]).unwrap();
    let strange = stranger.removal("hospital").unwrap();
    assert_eq!(cloud.receive(&strange), Err(cloud::Error::NotEnrolled));
    let refused = Removal::decode(&strange).unwrap().check(&cloud.announced(&owner));
    assert_eq!(refused, Err(message::Error::OtherOwner { what: "the removal" }));
    assert_eq!(cloud.snapshot(), before);

    // Who was removed removes nothing any more.
    owner.revoke(&["clinic"]).unwrap();
    cloud.enroll(&mut owner);
    let own = hospital.removal("hospital").unwrap();
    let left = message::Error::Epoch { provider: "hospital".into() };
    assert_eq!(cloud.receive(&own), Err(left.into()));
    assert_eq!(cloud.receive(&removal).map(|receipt| receipt.removed), Ok(3));
}

#[test]
fn a_query_of_another_owner_or_schema_is_refused() {
    let (owner, _, cloud) = scene();
    let mut stranger = scene::owner(2);
    stranger.authorize("hospital", &[]).unwrap();
    let query = ask(&stranger, &[age(0, 120)]);
    assert_eq!(cloud.answer(&query), Err(cloud::Error::NotEnrolled));
    let refused = Query::decode(&query).unwrap().check(&cloud.announced(&owner), NOW);
    assert_eq!(refused, Err(message::Error::OtherOwner { what: "the query" }));

    // The same root key with another schema: the same owner, but no field means the same.
    let fields = scene::schema().fields()[..1].to_vec();
    let other = mopse::schema::Schema::new(fields).unwrap();
    let key = mopse::keys::Key::from_bytes(&[1; 32]).unwrap();
    let mut changed = Keyring::root(key, other);
    assert_eq!(changed.owner(), owner.owner());
    let hospital = changed.authorize("hospital", &[]).unwrap();
    let query = ask(&changed, &[age(0, 120)]);
    assert_eq!(cloud.answer(&query), Err(message::Error::OtherSchema { what: "the query" }.into()));
    let bytes = upload_of(&hospital, &[], &[9], &[]).unwrap();
    assert_eq!(
        cloud.receive(&bytes),
        Err(message::Error::OtherSchema { what: "the upload" }.into())
    );
    let fork = message::Error::Fork { authority: "the owner".into(), number: 1 };
    assert_eq!(cloud.try_enroll(&mut changed), Err(fork.into()));
}

/// A part of an answer with three records, and who may open it.
fn answer() -> (Keyring, Part) {
    let (owner, _, cloud) = scene();
    let mut answer = cloud.answer(&ask(&owner, &[age(0, 120)])).expect("the query is good");
    (owner, answer.parts.remove(0))
}

/// A part with the records of its only portion changed.
fn with_records(part: &Part, records: Blobs) -> Part {
    let portion = Portion { records, ..part.portions[0].clone() };
    Part { portions: vec![portion], ..part.clone() }
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
    for at in 0..part.portions[0].records.get(1).len() {
        let flip = |number, record: &mut Vec<u8>| record[at] ^= u8::from(number == 1);
        let cut = |number, record: &mut Vec<u8>| {
            if number == 1 {
                record.truncate(at);
            }
        };
        for records in
            [changed(&part.portions[0].records, flip), changed(&part.portions[0].records, cut)]
        {
            let refused = open(&owner, &with_records(&part, records));
            let in_tag = matches!(refused, Err(party::Error::Author { position: 1 }));
            let is_closed = refused == Err(party::Error::Record { position: 1 });
            assert!(is_closed || in_tag, "byte {at}");
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
    let first = part.portions[0].records.get(0).to_vec();
    let records = changed(&part.portions[0].records, |_, record| record.clone_from(&first));
    assert_eq!(
        open(&owner, &with_records(&part, records)),
        Err(party::Error::Record { position: 1 })
    );
    let mut fewer = part;
    fewer.handles.pop();
    let what = "the list of sealed records";
    assert_eq!(fewer.checked(), Err(message::Error::Length { what, expected: 2, got: 3 }));
}

#[test]
fn a_record_of_another_provider_epoch_or_owner_does_not_open() {
    let (owner, part) = answer();
    let at = |name, epoch| Node::root().child(name, epoch).unwrap();
    for provider in [at("clinic", 0), at("hospital", 1)] {
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
fn a_record_of_another_upload_or_readers_epoch_or_portion_does_not_open() {
    let (owner, part) = answer();
    let upload = part.upload ^ 1;
    for moved in [
        Part { upload, ..part.clone() },
        Part { upload: 0, ..part.clone() },
        Part { readers: 1.into(), ..part.clone() },
        Part { readers: Epoch { number: 1, salt: Some([1; 16]) }, ..part.clone() },
    ] {
        assert_eq!(open(&owner, &moved), Err(party::Error::Layout));
    }
    let mut renamed = part;
    renamed.portions[0].name = "vitals".to_owned();
    assert_eq!(open(&owner, &renamed), Err(party::Error::Layout));
}

#[test]
fn an_old_version_of_a_record_does_not_open_as_the_new_one() {
    let (owner, hospital, cloud) = scene();
    let find = || cloud.answer(&ask(&owner, &[age(0, 120)])).unwrap().parts;
    let old = find().remove(0);
    cloud.update(&hospital, &[(2, 51, None)]).unwrap();
    let mut new = find().pop().unwrap();
    assert_eq!((new.handles.len(), open(&owner, &new).map(|rows| rows.len())), (1, Ok(1)));
    let at = old.handles.iter().position(|handle| *handle == new.handles[0]).unwrap();
    let mut records = Blobs::default();
    records.push(old.portions[0].records.get(at));
    new = with_records(&new, records);
    assert_eq!(open(&owner, &new), Err(party::Error::Record { position: 0 }));
    let relabelled = Part { upload: old.upload, ..new };
    assert_eq!(open(&owner, &relabelled), Err(party::Error::Layout));
}

#[test]
fn a_record_under_another_layout_does_not_open() {
    let (owner, part) = answer();
    let with = |layout: Vec<u8>| {
        let portion = Portion { layout, ..part.portions[0].clone() };
        open(&owner, &Part { portions: vec![portion], ..part.clone() })
    };
    for at in 0..part.portions[0].layout.len() {
        assert_eq!(with(flipped(&part.portions[0].layout, at)), Err(party::Error::Layout));
    }
    assert_eq!(with(vec![]), Err(party::Error::Layout));

    // The layout of the same provider's other table is of another upload.
    let (_, hospital, _) = scene();
    let other = upload_of(&hospital, &[], &[9], &[]).unwrap();
    let layout = Upload::decode(&other).unwrap().portions[0].layout.clone();
    assert_eq!(with(layout), Err(party::Error::Layout));
}

#[test]
fn a_keyring_file_opens_as_what_it_is_and_with_its_password() {
    let cheap = Cost { memory: 8, passes: 1, lanes: 1 };
    let (owner, hospital, cloud) = scene();
    let file = saved::seal(&hospital, b"password", cheap).unwrap();
    let opened = saved::open(&file, b"password", Kind::Provider).unwrap();
    assert_eq!((opened.node(), opened.chain()), (hospital.node(), hospital.chain()));
    cloud.receive(&upload(&opened, &[(4, 70, None)])).unwrap();

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
    assert_eq!((opened.members(), opened.groups()), (owner.members(), owner.groups()));
    assert_eq!(cloud.find(&opened, &[age(0, 120)]).len(), 4);
}
