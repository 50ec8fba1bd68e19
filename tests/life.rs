//! The life of a record: added, changed, removed, there again, sealed anew; and every version that is not
//! the newest refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/lists.rs"]
mod lists;
#[path = "support/scene.rs"]
mod scene;
#[path = "support/scripts.rs"]
mod scripts;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use lists::Lists;
use mopse::cloud::gate::Gate;
use mopse::cloud::memory::Memory;
use mopse::cloud::store::Receipt;
use mopse::keys::Key;
use mopse::message::answer::{Answer, Part};
use mopse::message::limits::MOST_RECORDS;
use mopse::message::place::Node;
use mopse::message::query::Query;
use mopse::message::upload::Upload;
use mopse::party::Keyring;
use mopse::party::columns::{Column, Values};
use mopse::party::records::Ids;
use mopse::party::uploading::{Change, Indexed, Table, Versions};
use mopse::{cloud, message, party};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use scene::{Cloud, NOW, Row, age, ask, cases, change, copy, delete, owner, sbp, tokens, upload};
use scripts::Shows;

/// An owner, its hospital and clinic, and a cloud that holds records 1 to 3 of the hospital.
struct Scene {
    owner: Keyring,
    hospital: Keyring,
    cloud: Cloud,
}

const ROWS: [Row; 3] = [(1, 40, Some(150)), (2, 50, None), (3, 60, Some(120))];

fn scene() -> Scene {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    owner.authorize("clinic", &[]).unwrap();
    let cloud = Cloud::of(&mut owner);
    cloud.receive(&upload(&hospital, &ROWS)).unwrap();
    Scene { owner, hospital, cloud }
}

/// Id and age of all records that are found, sorted.
fn ages(cloud: &Cloud, by: &Keyring) -> Vec<(i64, i64)> {
    let everything = [age(0, 120)];
    let mut found = Vec::new();
    for part in cloud.answer(&ask(by, &everything)).unwrap().parts {
        if part.provider == Node::root() {
            continue;
        }
        let opened = by.open_part(&part, &everything).unwrap();
        let column = |at: usize| match &opened.columns[at].values {
            Values::Int64(values) => values.to_vec(),
            other => panic!("{other:?}"),
        };
        found.extend(column(0).into_iter().zip(column(1)));
    }
    found.sort_unstable();
    found
}

fn did(added: usize, replaced: usize, removed: usize) -> Receipt {
    let provider = "hospital".to_owned();
    Receipt { provider, added, replaced, removed, files: 0, is_repeated: false }
}

fn refused(error: &cloud::Error) -> Option<usize> {
    match error {
        cloud::Error::Stored { position, .. }
        | cloud::Error::NotStored { position, .. }
        | cloud::Error::Changed { position, .. } => Some(*position),
        _ => None,
    }
}

fn changed<T>(outcome: &Result<T, cloud::Error>) -> bool {
    matches!(outcome, Err(cloud::Error::Changed { provider, .. }) if provider == "hospital")
}

fn not_stored<T>(outcome: &Result<T, cloud::Error>) -> bool {
    matches!(outcome, Err(cloud::Error::NotStored { provider, .. }) if provider == "hospital")
}

fn stored<T>(outcome: &Result<T, cloud::Error>) -> bool {
    matches!(outcome, Err(cloud::Error::Stored { provider, .. }) if provider == "hospital")
}

#[test]
fn a_record_is_changed_removed_and_there_again() {
    let Scene { owner, hospital, cloud } = scene();
    assert_eq!(cloud.update(&hospital, &[(2, 51, None), (1, 41, None)]), Ok(did(0, 2, 0)));
    assert_eq!(ages(&cloud, &owner), [(1, 41), (2, 51), (3, 60)]);
    assert_eq!(cloud.find(&owner, &[sbp(0, 300)]).len(), 1, "an old entry is gone");
    assert_eq!(cloud.find(&owner, &[age(40, 40)]), []);
    assert_eq!(cloud.delete(&hospital, &[1, 3]), Ok(did(0, 0, 2)));
    assert_eq!(ages(&cloud, &owner), [(2, 51)]);
    let versions = cloud.versions(&hospital, &[1, 2, 3, 4]);
    let again = change(&hospital, &[(1, 42, None), (4, 70, None)], Change::Add, &versions).unwrap();
    assert_eq!(cloud.receive(&again), Ok(did(2, 0, 0)));
    assert_eq!(cloud.update(&hospital, &[(1, 43, None)]), Ok(did(0, 1, 0)));
    assert_eq!(ages(&cloud, &owner), [(1, 43), (2, 51), (4, 70)]);
    assert_eq!(cloud.delete(&hospital, &[1, 2, 4]), Ok(did(0, 0, 3)));
    assert_eq!(ages(&cloud, &owner), []);
    assert_eq!(cloud.gate.store().contents(), Ok(Vec::new()));
    assert_eq!(cloud.gate.store().totals().unwrap().entries, 0);
}

#[test]
fn one_upload_may_replace_and_add_rows_that_were_removed() {
    let Scene { owner, hospital, cloud } = scene();
    cloud.delete(&hospital, &[3]).unwrap();
    let versions = cloud.versions(&hospital, &[1, 2, 3]);
    let both = change(&hospital, &[(1, 41, None), (3, 61, None)], Change::Update, &versions);
    assert_eq!(both, Err(party::Error::NotStored { row: 1 }));
    let both = change(&hospital, &[(3, 61, None), (1, 41, None)], Change::Add, &versions);
    assert_eq!(both, Err(party::Error::Stored { row: 1 }));
    assert_eq!(ages(&cloud, &owner), [(1, 40), (2, 50)]);
}

#[test]
fn every_stale_version_is_refused_by_its_position_and_nothing_changes() {
    let Scene { owner, hospital, cloud } = scene();
    let none = Versions::default();
    let first = cloud.versions(&hospital, &[1, 2, 3]);
    cloud.update(&hospital, &[(2, 51, None)]).unwrap();
    let second = cloud.versions(&hospital, &[1, 2, 3]);
    let update = |rows: &[Row], versions| {
        cloud.receive(&change(&hospital, rows, Change::Update, versions).unwrap())
    };
    let add = |rows: &[Row], versions| {
        cloud.receive(&change(&hospital, rows, Change::Add, versions).unwrap())
    };
    let remove = |ids: &[i64], versions| cloud.receive(&delete(&hospital, ids, versions).unwrap());

    // It is live, in another version.
    assert!(stored(&add(&[(2, 52, None)], &none)));
    assert!(changed(&update(&[(2, 52, None)], &first)));
    assert!(changed(&remove(&[2], &first)));
    let all = [(1, 1, None), (2, 2, None), (3, 3, None)];
    let handles = hospital.handles(Ids::Integers(&[1, 2, 3]));
    let position = handles.iter().filter(|&&handle| handle < handles[1]).count();
    for outcome in [update(&all, &first), remove(&[1, 2, 3], &first)] {
        assert_eq!(refused(&outcome.unwrap_err()), Some(position), "the second is the one");
    }
    assert_eq!(ages(&cloud, &owner), [(1, 40), (2, 51), (3, 60)]);

    // It was removed.
    cloud.delete(&hospital, &[2]).unwrap();
    let third = cloud.versions(&hospital, &[2]);
    assert!(changed(&add(&[(2, 52, None)], &none)), "the tombstone is to be named");
    assert!(changed(&update(&[(2, 52, None)], &second)));
    assert!(not_stored(&remove(&[2], &second)));

    // It was there again and was removed again.
    assert_eq!(add(&[(2, 53, None)], &third), Ok(did(1, 0, 0)));
    assert!(changed(&add(&[(2, 54, None)], &third)));
    cloud.delete(&hospital, &[2]).unwrap();
    assert!(changed(&add(&[(2, 54, None)], &third)), "an older tombstone");
    assert!(not_stored(&remove(&[2], &second)));
    assert_eq!(add(&[(2, 54, None)], &cloud.versions(&hospital, &[2])), Ok(did(1, 0, 0)));

    // There never was one here: what was looked up elsewhere says nothing here.
    let other = Cloud::of(&mut copy(&owner));
    assert!(not_stored(&other.receive(&change(&hospital, &all, Change::Update, &first).unwrap())));
    assert!(not_stored(&other.receive(&delete(&hospital, &[1], &first).unwrap())));
    let late = change(&hospital, &[(2, 1, None)], Change::Add, &third).unwrap();
    assert!(not_stored(&other.receive(&late)));
}

#[test]
fn of_two_writers_one_is_told_and_loses_nothing() {
    let Scene { owner, hospital, cloud } = scene();
    let colleague = copy(&hospital);
    let [mine, theirs] = [&hospital, &colleague].map(|by| cloud.versions(by, &[1, 2]));
    let first = change(&hospital, &[(1, 41, None)], Change::Update, &mine).unwrap();
    let second = change(&colleague, &[(1, 42, None)], Change::Update, &theirs).unwrap();
    let apart = change(&colleague, &[(2, 52, None)], Change::Update, &theirs).unwrap();
    assert_eq!(cloud.receive(&first), Ok(did(0, 1, 0)));
    assert!(changed(&cloud.receive(&second)));
    assert_eq!(cloud.receive(&apart), Ok(did(0, 1, 0)), "of another record");
    assert_eq!(ages(&cloud, &owner), [(1, 41), (2, 52), (3, 60)]);
    assert_eq!(cloud.update(&colleague, &[(1, 42, None)]), Ok(did(0, 1, 0)));
    let [one, other] = [&hospital, &colleague].map(|by| upload(by, &[(9, 90, None)]));
    cloud.receive(&one).unwrap();
    assert!(stored(&cloud.receive(&other)), "both add one record");
    assert_eq!(ages(&cloud, &owner), [(1, 42), (2, 52), (3, 60), (9, 90)]);
}

#[test]
fn an_upload_that_comes_again_is_acknowledged_and_brings_nothing_back() {
    let Scene { owner, hospital, cloud } = scene();
    let sent = upload(&hospital, &[(7, 70, None)]);
    assert_eq!(cloud.receive(&sent), Ok(did(1, 0, 0)));
    let again = Ok(Receipt { is_repeated: true, ..did(1, 0, 0) });
    assert_eq!(cloud.receive(&sent), again);
    cloud.update(&hospital, &[(7, 71, None)]).unwrap();
    assert_eq!(cloud.receive(&sent), again);
    assert_eq!(ages(&cloud, &owner), [(1, 40), (2, 50), (3, 60), (7, 71)]);
    cloud.delete(&hospital, &[7]).unwrap();
    assert_eq!(cloud.receive(&sent), again);
    assert_eq!(ages(&cloud, &owner).len(), 3);

    // A change that was held back comes too late.
    let versions = cloud.versions(&hospital, &[1]);
    let held_back = change(&hospital, &[(1, 99, None)], Change::Update, &versions).unwrap();
    cloud.update(&hospital, &[(1, 41, None)]).unwrap();
    assert!(changed(&cloud.receive(&held_back)));
    cloud.delete(&hospital, &[1]).unwrap();
    assert!(changed(&cloud.receive(&held_back)));
    assert_eq!(ages(&cloud, &owner), [(2, 50), (3, 60)]);
}

#[test]
fn a_number_that_was_used_is_not_taken_for_other_contents() {
    let hospital = |age: i64| {
        let mut owner = Keyring::insecure(Key::from_bytes(&[1; 32]).unwrap(), scene::schema());
        let hospital = owner.authorize("hospital", &[]).unwrap();
        (owner, upload(&hospital, &[(1, age, None)]))
    };
    let ((mut owner, one), (_, same), (_, other)) = (hospital(40), hospital(40), hospital(41));
    assert_eq!(one, same, "what is made from a seed repeats");
    let number = |bytes: &[u8]| Upload::decode(bytes).unwrap().id;
    assert_eq!(number(&one), number(&other));
    let cloud = Cloud::of(&mut owner);
    assert_eq!(cloud.receive(&one), Ok(did(1, 0, 0)));
    assert_eq!(cloud.receive(&other), Err(cloud::Error::Id { provider: "hospital".into() }));
    assert!(cloud.receive(&same).unwrap().is_repeated);
}

#[test]
fn what_is_made_from_a_seed_repeats_and_is_never_the_same_twice() {
    let made = || {
        let mut owner = Keyring::insecure(Key::from_bytes(&[1; 32]).unwrap(), scene::schema());
        let hospital = owner.authorize("hospital", &[]).unwrap();
        owner.authorize("clinic", &[]).unwrap();
        owner.revoke(&["clinic"]).unwrap();
        let renewed = owner.authorize("hospital", &[]).unwrap();
        let uploads = [1, 2].map(|id| upload(&hospital, &[(id, 40, None)]));
        let queries = [ask(&owner, &[age(0, 9)]), ask(&owner, &[age(0, 9)])];
        let messages = [owner.announcements().unwrap(), owner.removal("hospital").unwrap()];
        (renewed.node().clone(), uploads, queries, messages)
    };
    let (first, second) = (made(), made());
    assert_eq!(first, second);
    let (_, [one, other], [ask, again], _) = first;
    assert_ne!(Upload::decode(&one).unwrap().id, Upload::decode(&other).unwrap().id);
    assert_ne!(Query::decode(&ask).unwrap().id, Query::decode(&again).unwrap().id);
}

#[test]
fn a_removal_is_carried_out_once_and_all_that_was_sent_before_is_gone() {
    let Scene { mut owner, hospital, cloud } = scene();
    let ward = owner.authorize("ward", &["hospital"]).unwrap();
    cloud.enroll(&mut owner);
    cloud.receive(&upload(&ward, &[(1, 45, None)])).unwrap();
    let kept_for_later = upload(&hospital, &[(7, 70, None)]);
    let sent = upload(&hospital, &[(8, 80, None)]);
    cloud.receive(&sent).unwrap();
    cloud.delete(&hospital, &[3]).unwrap();
    let removal = owner.removal("hospital").unwrap();
    assert_eq!(cloud.receive(&removal), Ok(did(0, 0, 3)));
    assert_eq!(ages(&cloud, &owner), [(1, 45)], "nobody below it");
    assert_eq!(cloud.receive(&sent), Err(cloud::Error::Replay { provider: "hospital".into() }));
    let sent = upload(&hospital, &ROWS);
    assert_eq!(cloud.receive(&sent), Ok(did(3, 0, 0)), "tombstones are gone too");
    assert_eq!(cloud.receive(&kept_for_later), Ok(did(1, 0, 0)), "it never came before");
    let repeated = Ok(Receipt { is_repeated: true, ..did(0, 0, 3) });
    assert_eq!(cloud.receive(&removal), repeated);
    assert_eq!(ages(&cloud, &owner).len(), 5, "what came since is still there");

    // By the provider itself, and of one below it.
    assert_eq!(cloud.receive(&hospital.removal("hospital").unwrap()), Ok(did(0, 0, 4)));
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let of_ward = cloud.receive(&hospital.removal("hospital/ward").unwrap());
    assert_eq!(of_ward.map(|receipt| receipt.removed), Ok(1));
    let nothing = owner.removal("clinic").unwrap();
    let receipt = Receipt { provider: "clinic".into(), ..did(0, 0, 0) };
    assert_eq!(cloud.receive(&nothing), Ok(receipt));
}

#[test]
fn a_removal_by_the_operator_where_there_is_nothing_changes_nothing() {
    let Scene { owner, hospital, cloud } = scene();
    cloud.delete(&hospital, &[1, 2, 3]).unwrap();
    let before = cloud.snapshot();
    assert_eq!(cloud.remove(&owner, "hospital"), 0);
    assert_eq!(cloud.snapshot(), before);
    assert!(changed(&cloud.receive(&upload(&hospital, &ROWS))), "the tombstones are there");
}

#[test]
fn an_upload_dated_three_days_ahead_is_refused_and_locks_nobody_out() {
    let Scene { owner, hospital, cloud } = scene();
    let (ids, indexed) = ([9], []);
    let at = |now| {
        let ids = Ids::Integers(&ids);
        let table = Table { columns: &[], ids, id: None, indexed: &indexed, now };
        hospital.upload(&table, Change::Add, &Versions::default()).unwrap().message
    };
    let days = 24 * 3600;
    let refused = cloud.receive(&at(NOW + 3 * days));
    assert_eq!(refused, Err(message::Error::Clock { hours: 72, most: 48 }.into()));
    for now in [u64::from(u32::MAX) * 3600, NOW + 49 * 3600] {
        assert!(matches!(
            cloud.receive(&at(now)),
            Err(cloud::Error::Message(message::Error::Clock { .. }))
        ));
    }
    for now in [NOW + 2 * days, NOW, NOW - 3 * days, 0] {
        cloud.receive(&at(now)).unwrap();
        assert!(cloud.remove(&owner, "hospital") > 0);
    }
    cloud.receive(&upload(&hospital, &ROWS)).unwrap();
}

/// The scene after the clinic was revoked, the cloud was told, and the hospital authorised again.
fn renewed() -> (Scene, Keyring) {
    let Scene { mut owner, hospital, cloud } = scene();
    cloud.delete(&hospital, &[2]).unwrap();
    owner.revoke(&["clinic"]).unwrap();
    let renewed = owner.authorize("hospital", &[]).unwrap();
    let early = cloud.receive(&upload(&renewed, &[(9, 90, None)]));
    let epoch = message::Error::Epoch { provider: "hospital".into() };
    assert_eq!(early, Err(epoch.into()), "the cloud takes the announcement first");
    cloud.enroll(&mut owner);
    (Scene { owner, hospital, cloud }, renewed)
}

#[test]
fn records_of_earlier_epochs_are_sealed_anew_and_keep_their_values() {
    let (Scene { owner, hospital, cloud }, renewed) = renewed();
    cloud.receive(&upload(&renewed, &[(9, 90, None)])).unwrap();
    let before = ages(&cloud, &owner);
    assert_eq!(before, [(1, 40), (3, 60), (9, 90)]);
    let is_left = |by: &Keyring| -> Vec<bool> {
        let parts = cloud.answer(&ask(by, &[age(0, 120)])).unwrap().parts;
        parts.iter().map(|part| by.open_part(part, &[]).unwrap().is_left).collect()
    };
    assert_eq!(is_left(&owner), [true, false], "records of an epoch that was left are marked");

    let query = renewed.renewal(NOW).unwrap();
    let answer = cloud.answer(&query).unwrap();
    let made = renewed.renew(&answer.parts, &Versions::default(), NOW).unwrap();
    let [made] = &made[..] else { panic!("{made:?}") };
    let receipt = cloud.receive(&made.message);
    assert_eq!(receipt, Ok(did(2, 0, 2)));
    assert_eq!(made.rows.len(), 4, "each row is added and removed");
    assert_eq!(ages(&cloud, &owner), before);
    assert_eq!(cloud.find(&owner, &[sbp(0, 300)]).len(), 2);
    assert!(is_left(&owner).iter().all(|left| !left));
    for part in cloud.answer(&ask(&owner, &[age(0, 120)])).unwrap().parts {
        assert!(part.provider == *renewed.node() || part.handles.is_empty());
    }
    let again = cloud.answer(&renewed.renewal(NOW).unwrap()).unwrap();
    assert_eq!(
        renewed.renew(&again.parts, &Versions::default(), NOW),
        Ok(vec![]),
        "nothing is left to renew"
    );
    assert!(changed_since(&cloud.receive(&made.message)), "acknowledged");
    let late = cloud.receive(&upload(&hospital, &[(5, 55, None)]));
    assert_eq!(late, Err(message::Error::Epoch { provider: "hospital".into() }.into()));
}

fn changed_since(outcome: &Result<Receipt, cloud::Error>) -> bool {
    outcome.as_ref().is_ok_and(|receipt| receipt.is_repeated)
}

#[test]
fn renewing_keeps_portions_and_is_refused_if_something_changed_since() {
    let mut owner = owner(1);
    let vitals = ["age", "sbp", "note"].map(str::to_owned).to_vec();
    owner.declare_portions(vec![("vitals".to_owned(), vitals)]).unwrap();
    let hospital = owner.authorize("hospital", &[]).unwrap();
    owner.authorize("clinic", &[]).unwrap();
    let cloud = Cloud::of(&mut owner);
    cloud.receive(&upload(&hospital, &ROWS)).unwrap();
    owner.revoke(&["clinic"]).unwrap();
    cloud.enroll(&mut owner);
    let renewed = owner.authorize("hospital", &[]).unwrap();
    let answer = cloud.answer(&renewed.renewal(NOW).unwrap()).unwrap();
    let [made] =
        <[_; 1]>::try_from(renewed.renew(&answer.parts, &Versions::default(), NOW).unwrap())
            .unwrap();
    let names = |upload: &[u8]| -> Vec<String> {
        let upload = Upload::decode(upload).unwrap();
        upload.portions.iter().map(|portion| portion.name.clone()).collect()
    };
    assert_eq!(names(&made.message), ["vitals", "rest"]);
    cloud.delete(&renewed, &[2]).unwrap();
    assert!(not_stored(&cloud.receive(&made.message)), "one of them was removed since");
    let answer = cloud.answer(&renewed.renewal(NOW).unwrap()).unwrap();
    let [made] =
        <[_; 1]>::try_from(renewed.renew(&answer.parts, &Versions::default(), NOW).unwrap())
            .unwrap();
    assert_eq!(cloud.receive(&made.message), Ok(did(2, 0, 2)));
    assert_eq!(cloud.gate.count(&ask(&owner, &[age(0, 120)]), NOW), Ok(2));
}

/// Brings all of a provider's records into the present epoch; what was added, and removed.
fn renew(cloud: &Cloud, provider: &Keyring) -> (usize, usize) {
    let left = cloud.answer(&provider.renewal(NOW).unwrap()).unwrap();
    let queries = provider.renewed(&left.parts, NOW).unwrap();
    let parts: Vec<Part> =
        queries.iter().flat_map(|query| cloud.answer(query).unwrap().parts).collect();
    let present = Versions::of(&parts);
    let made = provider.renew(&left.parts, &present, NOW).unwrap();
    let receipts = made.iter().map(|made| cloud.receive(&made.message).unwrap());
    receipts.fold((0, 0), |(added, removed), receipt| {
        (added + receipt.added, removed + receipt.removed)
    })
}

#[test]
fn of_records_that_several_epochs_hold_the_newest_rows_are_kept() {
    let mut owner = owner(1);
    let first = owner.authorize("hospital", &[]).unwrap();
    owner.authorize("clinic", &[]).unwrap();
    let cloud = Cloud::of(&mut owner);
    let blindly = |by: &Keyring, rows: &[Row]| cloud.receive(&upload(by, rows)).unwrap();
    blindly(&first, &[(1, 10, None), (2, 20, Some(99)), (3, 30, None), (4, 40, None)]);
    let next = |owner: &mut Keyring| {
        owner.revoke(&["clinic"]).unwrap();
        owner.authorize("clinic", &[]).unwrap();
        cloud.enroll(owner);
        owner.authorize("hospital", &[]).unwrap()
    };
    let second = next(&mut owner);
    blindly(&second, &[(2, 21, None), (3, 31, None)]);
    let third = next(&mut owner);
    blindly(&third, &[(3, 32, None), (4, 42, None)]);
    cloud.delete(&third, &[4]).unwrap();
    assert_eq!(ages(&cloud, &owner), [(1, 10), (2, 20), (2, 21), (3, 30), (3, 31), (3, 32)]);
    assert_eq!(renew(&cloud, &third), (2, 5), "of the second epoch (2, 21), of the first (1, 10)");
    assert_eq!(ages(&cloud, &owner), [(1, 10), (2, 21), (3, 32)]);
    assert!(cloud.find(&owner, &[sbp(0, 300)]).is_empty(), "an entry went with its row");
    let nothing = cloud.answer(&third.renewal(NOW).unwrap()).unwrap();
    assert!(nothing.parts.iter().all(|part| part.handles.is_empty()));
    assert_eq!(third.renewed(&nothing.parts, NOW), Ok(vec![]));
}

#[test]
fn more_records_are_renewed_than_one_query_names() {
    let mut owner = owner(1);
    let first = owner.authorize("hospital", &[]).unwrap();
    owner.authorize("clinic", &[]).unwrap();
    let cloud = Cloud::of(&mut owner);
    let count = i64::try_from(MOST_RECORDS).unwrap() + 3;
    let rows: Vec<Row> = (0..count).map(|id| (id, 40, None)).collect();
    cloud.receive(&upload(&first, &rows)).unwrap();
    owner.revoke(&["clinic"]).unwrap();
    cloud.enroll(&mut owner);
    let second = owner.authorize("hospital", &[]).unwrap();
    cloud.receive(&upload(&second, &[(7, 41, None)])).unwrap();
    let renewed = MOST_RECORDS + 2;
    assert_eq!(renew(&cloud, &second), (renewed, renewed + 1), "and one that was there already");
    assert_eq!(cloud.gate.count(&ask(&owner, &[age(40, 41)]), NOW), Ok(renewed + 1));
}

#[test]
fn a_newer_removal_outlives_an_older_row() {
    let (Scene { owner, cloud, .. }, renewed) = renewed();
    cloud.receive(&upload(&renewed, &[(1, 90, None)])).unwrap();
    let query = renewed.lookup("hospital", Ids::Integers(&[1]), NOW).unwrap();
    let parts = cloud.answer(&query).unwrap().parts;
    let present = Versions::of(parts.iter().filter(|part| part.provider == *renewed.node()));
    cloud.receive(&delete(&renewed, &[1], &present).unwrap()).unwrap();
    assert_eq!(ages(&cloud, &owner), [(1, 40), (3, 60)]);
    assert_eq!(renew(&cloud, &renewed), (1, 2));
    assert_eq!(ages(&cloud, &owner), [(3, 60)]);
}

#[test]
fn records_without_the_column_of_a_field_are_not_renewed_without_its_entries() {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    owner.authorize("clinic", &[]).unwrap();
    let cloud = Cloud::of(&mut owner);
    let (ids, is_valid) = ([1, 2], [true, true]);
    let id = Column {
        name: "id".into(),
        dtype: "Int64".into(),
        values: Values::Int64(Cow::Borrowed(&ids)),
        is_valid: Cow::Borrowed(&is_valid),
    };
    let indexed = [Indexed { field: "age", rows: &[0, 1], plaintexts: &[40, 50] }];
    let (columns, ids) = ([id], Ids::Integers(&ids));
    let table = Table { columns: &columns, ids, id: Some("id"), indexed: &indexed, now: NOW };
    let made = hospital.upload(&table, Change::Add, &Versions::default()).unwrap();
    cloud.receive(&made.message).unwrap();
    owner.revoke(&["clinic"]).unwrap();
    cloud.enroll(&mut owner);
    let renewed = owner.authorize("hospital", &[]).unwrap();
    let left = cloud.answer(&renewed.renewal(NOW).unwrap()).unwrap();
    let refused = renewed.renew(&left.parts, &Versions::default(), NOW).unwrap_err();
    let why = "there is none, so that its entries in the index would be lost";
    assert_eq!(refused, party::Error::Column { column: "age".into(), why });
}

#[test]
fn stored_already_is_asked_over_all_epochs_that_are_held() {
    let (Scene { owner, cloud, .. }, renewed) = renewed();
    let versions = cloud.versions(&renewed, &[1, 2, 3, 4]);
    let stored = change(&renewed, &[(4, 1, None), (3, 61, None)], Change::Add, &versions);
    assert_eq!(stored, Err(party::Error::Stored { row: 1 }));
    let removed = change(&renewed, &[(3, 1, None), (2, 61, None)], Change::Update, &versions);
    assert_eq!(removed, Err(party::Error::NotStored { row: 1 }));

    // An update moves it to the present epoch, and a deletion removes it where it is.
    assert_eq!(cloud.update(&renewed, &[(3, 61, None)]), Ok(did(1, 0, 1)));
    assert_eq!(ages(&cloud, &owner), [(1, 40), (3, 61)]);
    assert_eq!(cloud.delete(&renewed, &[1, 3]), Ok(did(0, 0, 2)));
    assert_eq!(ages(&cloud, &owner), []);

    // Tombstones are of the epoch that they were left in.
    let versions = cloud.versions(&renewed, &[1, 2, 3]);
    let again = change(&renewed, &ROWS, Change::Add, &versions).unwrap();
    assert_eq!(cloud.receive(&again), Ok(did(3, 0, 0)));
    assert_eq!(ages(&cloud, &owner), [(1, 40), (2, 50), (3, 60)]);
    assert_eq!(tokens(&renewed.lookup("hospital", Ids::Integers(&[1]), NOW).unwrap()).len(), 2);
}

#[test]
fn a_provider_removes_rows_of_its_own_earlier_epochs_only() {
    let (Scene { mut owner, hospital, cloud }, renewed) = renewed();
    let versions = cloud.versions(&renewed, &[1]);
    assert_eq!(
        delete(&hospital, &[1], &versions).map(|bytes| cloud.receive(&bytes).is_err()),
        Ok(true)
    );
    let clinic = owner.authorize("clinic", &[]).unwrap();
    assert_eq!(delete(&clinic, &[1], &versions), Err(party::Error::NotStored { row: 0 }));
    let by_owner = owner.lookup("hospital", Ids::Integers(&[1]), NOW).unwrap();
    let answer = cloud.answer(&by_owner).unwrap();
    assert_eq!(answer.parts.iter().map(|part| part.handles.len()).sum::<usize>(), 1);
}

/// The age and the pressure of a record.
type Measured = (i64, Option<i64>);

/// What a model knows of a record: the row, if it is there, and the number of the change that made it so.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Known {
    row: Option<Measured>,
    number: usize,
}

type Rows = BTreeMap<i64, Measured>;

/// What a writer wants to do.
#[derive(Debug, Clone)]
enum Wish {
    Add(Rows),
    Update(Rows),
    Delete(Vec<i64>),
}

#[derive(Debug, Clone)]
enum Step {
    /// A writer looks all versions up.
    Look { writer: usize },
    /// A writer sends something, by what it looked up last.
    Send { writer: usize, wish: Wish, looks: bool },
    /// A message comes again.
    Repeat { message: prop::sample::Index },
    /// The owner, or the operator, removes a provider.
    Remove { provider: usize, is_signed: bool },
    /// Somebody asks for ranges.
    Search { writer: Option<usize>, ages: (i64, i64), pressures: Option<(i64, i64)> },
}

/// Two writers of one hospital, its ward, and a clinic.
const PROVIDERS: [&str; 4] = ["hospital", "hospital", "hospital/ward", "clinic"];

fn step() -> impl Strategy<Value = Step> {
    let row = || (0..4_i64, proptest::option::of(0..4_i64));
    let table = || btree_map(0..5_i64, row(), 1..4);
    let ids = btree_set(0..5_i64, 1..4).prop_map(|ids| ids.into_iter().collect());
    let wish = prop_oneof![
        3 => table().prop_map(Wish::Add),
        3 => table().prop_map(Wish::Update),
        2 => ids.prop_map(Wish::Delete),
    ];
    let range = || (0..4_i64, 0..4_i64).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let writer = 0..PROVIDERS.len();
    prop_oneof![
        2 => writer.clone().prop_map(|writer| Step::Look { writer }),
        8 => (writer.clone(), wish, any::<bool>())
            .prop_map(|(writer, wish, looks)| Step::Send { writer, wish, looks }),
        2 => any::<prop::sample::Index>().prop_map(|message| Step::Repeat { message }),
        1 => (writer.clone(), any::<bool>())
            .prop_map(|(provider, is_signed)| Step::Remove { provider, is_signed }),
        3 => (proptest::option::of(writer), range(), proptest::option::of(range()))
            .prop_map(|(writer, ages, pressures)| Step::Search { writer, ages, pressures }),
    ]
}

/// A message that was sent, and what it would do.
#[derive(Debug, Clone)]
struct Sent {
    bytes: Vec<u8>,
    provider: &'static str,
    /// Rows in the order of their handles, each with what it becomes and the change that it names.
    rows: Vec<(i64, Option<Measured>, Option<usize>)>,
    is_deletion: bool,
    is_removal: bool,
}

/// What should be stored, by provider and id; also what was.
#[derive(Debug, Default)]
struct Model {
    known: BTreeMap<(&'static str, i64), Known>,
    changes: usize,
    /// What was taken: the receipt, and whether all that it brought is gone.
    taken: Vec<(Vec<u8>, Receipt, bool)>,
}

impl Model {
    fn receive(&mut self, sent: &Sent) -> Result<Receipt, cloud::Error> {
        let provider = || sent.provider.to_owned();
        if let Some((_, receipt, is_gone)) = self.taken.iter().find(|(of, ..)| *of == sent.bytes) {
            let again = Receipt { is_repeated: true, ..receipt.clone() };
            return if *is_gone {
                Err(cloud::Error::Replay { provider: provider() })
            } else {
                Ok(again)
            };
        }
        let receipt = if sent.is_removal { self.remove(sent.provider) } else { self.change(sent)? };
        self.changes += 1;
        self.taken.push((sent.bytes.clone(), receipt.clone(), false));
        Ok(receipt)
    }

    fn change(&mut self, sent: &Sent) -> Result<Receipt, cloud::Error> {
        let provider = || sent.provider.to_owned();
        let (mut added, mut replaced) = (0, 0);
        for (position, (id, _, named)) in sent.rows.iter().enumerate() {
            let known = self.known.get(&(sent.provider, *id));
            let is_live = known.is_some_and(|known| known.row.is_some());
            let number = known.map(|known| known.number);
            match (is_live, named) {
                (true, None) => {
                    return Err(cloud::Error::Stored { provider: provider(), position });
                }
                (false, Some(_)) if sent.is_deletion || known.is_none() => {
                    return Err(cloud::Error::NotStored { provider: provider(), position });
                }
                _ if *named != number => {
                    return Err(cloud::Error::Changed { provider: provider(), position });
                }
                (true, _) => replaced += 1,
                (false, _) => added += 1,
            }
        }
        for &(id, row, _) in &sent.rows {
            self.known.insert((sent.provider, id), Known { row, number: self.changes });
        }
        let removed = if sent.is_deletion { std::mem::take(&mut replaced) } else { 0 };
        let (files, is_repeated) = (0, false);
        Ok(Receipt { provider: provider(), added, replaced, removed, files, is_repeated })
    }

    /// Removes a provider; its uploads can not come again.
    fn remove(&mut self, path: &str) -> Receipt {
        let of_it = self.known.iter().filter(|((of, _), known)| *of == path && known.row.is_some());
        let removed = of_it.count();
        self.known.retain(|(of, _), _| *of != path);
        for (bytes, receipt, is_gone) in &mut self.taken {
            *is_gone |= receipt.provider == path && Upload::decode(bytes).is_ok();
        }
        let (added, replaced, files, is_repeated) = (0, 0, 0, false);
        Receipt { provider: path.to_owned(), added, replaced, removed, files, is_repeated }
    }

    fn find(
        &self,
        reached: &[&str],
        ages: (i64, i64),
        pressures: Option<(i64, i64)>,
    ) -> Vec<(String, i64)> {
        let within = |value: i64, (low, high): (i64, i64)| (low..=high).contains(&value);
        let matches = |known: &Known| {
            known.row.is_some_and(|(age, sbp)| {
                within(age, ages)
                    && pressures.is_none_or(|range| sbp.is_some_and(|sbp| within(sbp, range)))
            })
        };
        let found =
            self.known.iter().filter(|((of, _), known)| reached.contains(of) && matches(known));
        found.map(|((of, id), _)| ((*of).to_owned(), *id)).collect()
    }
}

/// A provider's keyring, and what it looked up last: for the stores, and in the model.
struct Writer {
    keyring: Keyring,
    path: &'static str,
    versions: Versions,
    looked_up: BTreeMap<i64, Known>,
}

impl Writer {
    fn look(&mut self, stores: &Stores) {
        let ids: Vec<i64> = (0..5).collect();
        let query = self.keyring.lookup(self.path, Ids::Integers(&ids), NOW).unwrap();
        let answer = stores.search(&query);
        answer.check(&Query::decode(&query).unwrap()).unwrap();
        self.versions = Versions::of(&answer.parts);
        let own = stores.model.known.iter().filter(|((of, _), _)| *of == self.path);
        self.looked_up = own.map(|((_, id), known)| (*id, *known)).collect();
        let live = self.looked_up.values().filter(|known| known.row.is_some()).count();
        let found: usize = answer.parts.iter().map(|part| part.handles.len()).sum();
        let removed: usize = answer.parts.iter().map(|part| part.removed.len()).sum();
        assert_eq!((found, removed), (live, self.looked_up.len() - live));
    }

    /// What it sends, or which row it finds that it cannot.
    fn send(&self, wish: &Wish) -> Result<Sent, party::Error> {
        let rows = |table: &Rows| -> Vec<Row> {
            table.iter().map(|(&id, &(age, sbp))| (id, age, sbp)).collect()
        };
        let bytes = match wish {
            Wish::Add(table) => change(&self.keyring, &rows(table), Change::Add, &self.versions)?,
            Wish::Update(table) => {
                change(&self.keyring, &rows(table), Change::Update, &self.versions)?
            }
            Wish::Delete(ids) => delete(&self.keyring, ids, &self.versions)?,
        };
        let (ids, values): (Vec<i64>, Vec<_>) = match wish {
            Wish::Add(table) | Wish::Update(table) => {
                table.iter().map(|(&id, &row)| (id, Some(row))).unzip()
            }
            Wish::Delete(ids) => ids.iter().map(|&id| (id, None)).unzip(),
        };
        let handles = self.keyring.handles(Ids::Integers(&ids));
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|&at| handles[at]);
        let named = |id| self.looked_up.get(&id).map(|known| known.number);
        let rows = order.into_iter().map(|at| (ids[at], values[at], named(ids[at]))).collect();
        let is_deletion = matches!(wish, Wish::Delete(_));
        Ok(Sent { bytes, provider: self.path, rows, is_deletion, is_removal: false })
    }

    /// What it should find that it cannot do, by what it looked up.
    fn expected(&self, wish: &Wish) -> Option<party::Error> {
        let is_live = |id: &i64| self.looked_up.get(id).is_some_and(|known| known.row.is_some());
        match wish {
            Wish::Add(table) => {
                table.keys().position(is_live).map(|row| party::Error::Stored { row })
            }
            Wish::Update(table) => {
                let row = table.keys().position(|id| !is_live(id));
                row.map(|row| party::Error::NotStored { row })
            }
            Wish::Delete(ids) => {
                let row = ids.iter().position(|id| !is_live(id));
                row.map(|row| party::Error::NotStored { row })
            }
        }
    }
}

/// The store in memory, the one of lists, and what they should hold.
struct Stores {
    memory: (Arc<Memory>, Gate<Memory>),
    lists: (Arc<Lists>, Gate<Lists>),
    model: Model,
}

impl Stores {
    fn of(owner: &mut Keyring) -> Self {
        let (memory, lists) = (Arc::<Memory>::default(), Arc::<Lists>::default());
        let gates = (Gate::new(Arc::clone(&memory)), Gate::new(Arc::clone(&lists)));
        let announcements = owner.announcements().unwrap();
        gates.0.enroll(&announcements).unwrap();
        gates.1.enroll(&announcements).unwrap();
        Self { memory: (memory, gates.0), lists: (lists, gates.1), model: Model::default() }
    }

    fn search(&self, query: &[u8]) -> Answer {
        let answer = self.memory.1.search(query, NOW).unwrap();
        assert_eq!(self.lists.1.search(query, NOW).unwrap(), answer);
        let snapshot = answer.parts.first().map(|part| part.snapshot);
        assert!(snapshot.is_none_or(|snapshot| snapshot == self.model.changes as u64));
        let count = answer.parts.iter().map(|part| part.handles.len()).sum();
        assert_eq!(self.memory.1.count(query, NOW), Ok(count));
        answer
    }

    fn receive(&mut self, sent: &Sent) {
        let ours = self.memory.1.receive(&sent.bytes, NOW);
        let theirs = self.lists.1.receive(&sent.bytes, NOW).map_err(|refused| refused.0);
        let expected = self.model.receive(sent);
        assert_eq!(ours, expected, "{sent:?}");
        assert_eq!(theirs, expected);
        self.compare();
    }

    fn remove(&mut self, owner: &Keyring, path: &str) {
        let ours = self.memory.1.remove(Some(&owner.owner()), path);
        let theirs = self.lists.1.remove(Some(&owner.owner()), path).map_err(|refused| refused.0);
        let is_there =
            self.model.known.iter().any(|((of, _), known)| *of == path && known.row.is_some());
        let expected = if is_there {
            self.model.changes += 1;
            Ok(self.model.remove(path))
        } else {
            Err(cloud::Error::NothingStored { provider: path.to_owned() })
        };
        assert_eq!(ours, expected);
        assert_eq!(theirs, expected);
        self.compare();
    }

    /// Contents, totals and every field of every group are the same.
    fn compare(&self) {
        let (memory, lists) = (&*self.memory.0, &*self.lists.0);
        let contents = lists.contents();
        let shown = scripts::Answer::contents(&Shows::contents(memory));
        assert_eq!(shown, scripts::Answer::contents(&contents));
        let live = self.model.known.values().filter(|known| known.row.is_some());
        assert_eq!(contents.iter().map(|content| content.records).sum::<usize>(), live.count());
        assert_eq!(Shows::totals(memory), lists.totals());
        let rows = self.model.known.values().filter_map(|known| known.row);
        let entries: usize = rows.map(|(_, sbp)| 1 + usize::from(sbp.is_some())).sum();
        assert_eq!(lists.totals().entries, entries);
        for content in &contents {
            let (owner, group) = (content.owner, content.group.to_string());
            for field in ["age", "sbp"] {
                let merged = Shows::merged(memory, &owner, &group, field);
                assert_eq!(merged, lists.merged(&owner, &group, field));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(48)))]

    /// Whatever several writers send, fresh, stale or again: both stores and a plain model hold and
    /// answer the same.
    #[test]
    fn any_history_is_that_of_a_plain_map(steps in vec(step(), 1..30)) {
        let mut owner = owner(1);
        owner.authorize("hospital", &[]).unwrap();
        owner.authorize("ward", &["hospital"]).unwrap();
        owner.authorize("clinic", &[]).unwrap();
        let mut stores = Stores::of(&mut owner);
        let mut writers: Vec<Writer> = PROVIDERS
            .iter()
            .map(|&path| {
                let names: Vec<&str> = path.split('/').collect();
                let (name, under) = names.split_last().unwrap();
                let keyring = owner.authorize(name, under).unwrap();
                let (versions, looked_up) = (Versions::default(), BTreeMap::new());
                Writer { keyring, path, versions, looked_up }
            })
            .collect();
        let mut sent: Vec<Sent> = Vec::new();
        for step in steps {
            match step {
                Step::Look { writer } => writers[writer].look(&stores),
                Step::Send { writer, wish, looks } => {
                    let writer = &mut writers[writer];
                    if looks {
                        writer.look(&stores);
                    }
                    let (made, expected) = (writer.send(&wish), writer.expected(&wish));
                    prop_assert_eq!(made.as_ref().err(), expected.as_ref());
                    if let Ok(made) = made {
                        stores.receive(&made);
                        sent.push(made);
                    }
                }
                Step::Repeat { message } if !sent.is_empty() => {
                    let message = message.get(&sent).clone();
                    stores.receive(&message);
                }
                Step::Repeat { .. } => {}
                Step::Remove { provider, is_signed } => {
                    let provider = PROVIDERS[provider];
                    if is_signed {
                        let bytes = owner.removal(provider).unwrap();
                        let (rows, is_deletion, is_removal) = (Vec::new(), false, true);
                        let removal = Sent { bytes, provider, rows, is_deletion, is_removal };
                        stores.receive(&removal);
                        sent.push(removal);
                    } else {
                        stores.remove(&owner, provider);
                    }
                }
                Step::Search { writer, ages, pressures } => {
                    let (by, reached) = match writer.map(|writer| &writers[writer]) {
                        None => (&owner, &PROVIDERS[..]),
                        Some(writer) if writer.path == "hospital" => {
                            (&writer.keyring, &["hospital", "hospital/ward"][..])
                        }
                        Some(writer) => (&writer.keyring, std::slice::from_ref(&writer.path)),
                    };
                    let mut ranges = vec![age(ages.0, ages.1)];
                    ranges.extend(pressures.map(|(low, high)| sbp(low, high)));
                    let query = ask(by, &ranges);
                    let answer = stores.search(&query);
                    prop_assert_eq!(answer.check(&Query::decode(&query).unwrap()), Ok(()));
                    let mut found = Vec::new();
                    for part in &answer.parts {
                        found.extend(scene::open(by, part).unwrap());
                    }
                    found.sort();
                    prop_assert_eq!(found, stores.model.find(reached, ages, pressures));
                }
            }
        }
    }
}
