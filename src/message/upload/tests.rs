use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::cloud;
use crate::cloud::store::{Receipt, Store};
use crate::party::Keyring;
use crate::party::scene::{Cloud, NOW, Row, ask, cases, delete, owner, three_records, upload};

/// An owner with two hospitals, and a cloud that holds an upload of the second.
struct Scene {
    owner: Keyring,
    hospital: Keyring,
    clinic: Keyring,
    cloud: Cloud,
}

fn scene() -> Scene {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let clinic = owner.authorize("clinic", &[]).unwrap();
    let cloud = Cloud::of(&mut owner);
    cloud.receive(&three_records(&clinic)).unwrap();
    Scene { owner, hospital, clinic, cloud }
}

/// An upload as it travels, signed by whoever.
fn signed(by: &Keyring, upload: &Upload) -> Vec<u8> {
    upload.signed(|head| by.sign(head))
}

/// What a cloud says to an upload that its provider changed before signing it.
fn changed(change: impl FnOnce(&mut Upload)) -> Result<(), crate::Error> {
    let scene = scene();
    let mut message = Upload::decode(&three_records(&scene.hospital)).unwrap();
    change(&mut message);
    scene.cloud.receive(&signed(&scene.hospital, &message))?;
    Ok(())
}

fn malformed<T>(outcome: &Result<T, crate::Error>) -> bool {
    matches!(outcome, Err(crate::Error::Wire(wire::Error::Format { what: WHAT, .. })))
}

fn receipt(added: usize, is_repeated: bool) -> Receipt {
    let provider = "hospital".to_owned();
    Receipt { provider, added, replaced: 0, removed: 0, files: 0, is_repeated }
}

#[test]
fn an_unchanged_upload_is_taken_once() {
    assert_eq!(changed(|_| ()), Ok(()));
    let scene = scene();
    let bytes = three_records(&scene.hospital);
    assert_eq!(scene.cloud.receive(&bytes), Ok(receipt(3, false)));
    assert_eq!(scene.cloud.receive(&bytes), Ok(receipt(3, true)));
}

#[test]
fn an_unsorted_run_is_refused_by_its_position_even_when_signed() {
    let outcome = changed(|upload| Arc::make_mut(&mut upload.runs)[0].ciphertexts.swap(1, 2));
    assert_eq!(outcome, Err(Error::UnsortedRun { run: 0, position: 2 }.into()));
}

#[test]
fn a_negative_ciphertext_is_refused_even_when_signed() {
    let outcome = changed(|upload| Arc::make_mut(&mut upload.runs)[1].ciphertexts[0] = -1);
    assert_eq!(outcome, Err(Error::NegativeCiphertext { run: 1, position: 0 }.into()));
    let outcome = changed(|upload| Arc::make_mut(&mut upload.runs)[1].ciphertexts[1] = i64::MIN);
    assert_eq!(outcome, Err(Error::UnsortedRun { run: 1, position: 1 }.into()));
}

#[test]
fn a_record_that_does_not_exist_or_stands_twice_in_a_run_is_refused() {
    for record in [3, u32::MAX] {
        let outcome = changed(|upload| Arc::make_mut(&mut upload.runs)[0].records[1] = record);
        assert_eq!(outcome, Err(Error::Run { field: "age".into(), position: 1 }.into()));
    }
    let outcome = changed(|upload| {
        let runs = Arc::make_mut(&mut upload.runs);
        runs[1].records[1] = runs[1].records[0];
    });
    assert_eq!(outcome, Err(Error::Run { field: "sbp".into(), position: 1 }.into()));
}

#[test]
fn a_run_with_more_entries_than_records_is_refused() {
    let outcome = changed(|upload| {
        Arc::make_mut(&mut upload.runs)[0].ciphertexts.push(i64::MAX);
        Arc::make_mut(&mut upload.runs)[0].records.push(0);
    });
    assert_eq!(outcome, Err(Error::Run { field: "age".into(), position: 3 }.into()));
}

#[test]
fn two_runs_of_one_field_are_refused() {
    assert!(malformed(&changed(|upload| Arc::make_mut(&mut upload.runs)[1].field = "age".into())));
}

#[test]
fn a_field_that_the_schema_lacks_is_kept_and_disturbs_no_query() {
    assert_eq!(
        changed(|upload| Arc::make_mut(&mut upload.runs)[1].field = "nobody asks".into()),
        Ok(())
    );
}

#[test]
fn handles_that_do_not_ascend_or_are_missing_are_refused() {
    assert!(malformed(&changed(|upload| Arc::make_mut(&mut upload.handles).swap(0, 1))));
    assert!(malformed(&changed(
        |upload| Arc::make_mut(&mut upload.handles)[1] = Arc::make_mut(&mut upload.handles)[0]
    )));
    assert!(malformed(&changed(|upload| Arc::make_mut(&mut upload.handles).clear())));
    assert!(malformed(&changed(|upload| Arc::make_mut(&mut upload.handles).truncate(2))));
    assert!(malformed(&changed(|upload| Arc::make_mut(&mut upload.handles).push(u128::MAX))));
}

/// What is said to changed records of the only portion.
fn with_records(change: impl FnOnce(&mut Blobs)) -> Result<(), crate::Error> {
    changed(|upload| change(&mut Arc::make_mut(&mut upload.portions)[0].records))
}

#[test]
fn sealed_records_that_overlap_or_do_not_fill_their_bytes_are_refused() {
    assert!(malformed(&with_records(|records| records.ends.to_mut().swap(0, 1))));
    assert!(malformed(&with_records(|records| records.ends.to_mut()[2] += 1)));
    assert!(malformed(&with_records(|records| records.ends.to_mut()[2] = u64::MAX)));
    assert!(malformed(&with_records(|records| records.bytes.to_mut().truncate(40))));
    assert!(malformed(&with_records(|records| records.push(b"one too many"))));
}

#[test]
fn portions_are_each_there_once_and_whole() {
    let with = |change: &dyn Fn(&mut Vec<Portion>)| {
        changed(|upload| change(Arc::make_mut(&mut upload.portions)))
    };
    let named = |portions: &mut Vec<Portion>, count: usize| {
        let first = portions[0].clone();
        let others = (1..count).map(|at| Portion { name: at.to_string(), ..first.clone() });
        portions.extend(others);
    };
    assert!(malformed(&with(&|portions| portions.clear())), "rows without any");
    assert!(malformed(&with(&|portions| portions.push(portions[0].clone()))), "one name twice");
    assert_eq!(with(&|portions| named(portions, MOST_PORTIONS)), Ok(()));
    assert!(malformed(&with(&|portions| named(portions, MOST_PORTIONS + 1))));
    let fewer = |portions: &mut Vec<Portion>| {
        named(portions, 2);
        portions[1].records = Blobs::default();
    };
    assert!(malformed(&with(&fewer)), "a portion that lacks rows");
}

#[test]
fn rows_that_replace_others_are_rows_and_stand_in_order() {
    let with = |rows: &[u32]| {
        let replaced = |&row| Replaced { row, version: Version(0) };
        changed(|upload| upload.replaced = Arc::new(rows.iter().map(replaced).collect()))
    };
    for rows in [&[3][..], &[u32::MAX], &[1, 0], &[2, 2]] {
        assert!(malformed(&with(rows)), "{rows:?}");
    }
    let provider = "hospital".to_owned();
    assert_eq!(with(&[1, 2]), Err(cloud::Error::NotStored { provider, position: 1 }.into()));
}

#[test]
fn rows_that_leave_are_the_providers_own_and_stand_in_order() {
    let at = |path: &str, numbers: &[u32]| {
        let epochs: Vec<Epoch> = numbers.iter().map(|&number| number.into()).collect();
        Node::of(path, &epochs).unwrap()
    };
    let own = || at("hospital", &[0]);
    let rows = |handles: &[u128]| handles.iter().map(|&handle| (handle, Version(0))).collect();
    let removed = |provider: Node, handles: &[u128]| Removed { provider, rows: rows(handles) };
    let with = |all: Vec<Removed>| changed(|upload| upload.removed = Arc::new(all));
    for all in [
        vec![removed(own(), &[])],
        vec![removed(own(), &[2, 1])],
        vec![removed(own(), &[1, 1])],
        vec![removed(own(), &[1]), removed(own(), &[2])],
        vec![removed(at("hospital", &[1]), &[1]), removed(own(), &[2])],
    ] {
        assert!(malformed(&with(all.clone())), "{all:?}");
    }
    for other in [at("clinic", &[0]), at("hospital/ward", &[0, 0]), Node::root()] {
        let refused = with(vec![removed(other.clone(), &[1])]);
        let what = format!("remove rows of {other}");
        assert_eq!(refused, Err(Error::Scope { who: "hospital".into(), what }.into()));
    }
    let provider = || "hospital".to_owned();
    for place in [own(), at("hospital", &[1])] {
        let refused = with(vec![removed(place, &[1])]);
        let not_stored = cloud::Error::NotStored { provider: provider(), position: 3 };
        assert_eq!(refused, Err(not_stored.into()));
    }
}

#[test]
fn an_upload_that_does_nothing_is_none() {
    let nothing = |upload: &mut Upload| {
        (upload.handles, upload.portions, upload.runs) = Default::default();
    };
    assert!(malformed(&changed(nothing)));
}

#[test]
fn a_row_is_not_added_and_removed_at_once() {
    let outcome = changed(|upload| {
        let rows = vec![(upload.handles[1], Version(0))];
        upload.removed = Arc::new(vec![Removed { provider: upload.provider.clone(), rows }]);
    });
    let provider = "hospital".to_owned();
    assert_eq!(outcome, Err(cloud::Error::Changed { provider, position: 3 }.into()));
}

#[test]
fn an_upload_is_dated_at_most_two_days_ahead() {
    let hours = u32::try_from(NOW / 3600).unwrap();
    for ahead in [0, 47, 48] {
        assert_eq!(changed(|upload| upload.hours = hours + ahead), Ok(()));
    }
    for ahead in [49, 72, u32::MAX - hours] {
        let refused = Error::Clock { hours: ahead.into(), most: 48 };
        assert_eq!(changed(|upload| upload.hours = hours + ahead), Err(refused.into()));
    }
    assert_eq!(changed(|upload| upload.hours = 0), Ok(()), "an old one, or one that does not say");
}

#[test]
fn an_upload_for_readers_who_left_or_never_were_is_refused() {
    let refused = Err(Error::Readers { provider: "hospital".into() }.into());
    for readers in [Epoch { number: 1, salt: Some([0; 16]) }, 1.into()] {
        assert_eq!(changed(|upload| upload.readers = readers), refused);
    }
}

#[test]
fn a_version_stands_for_upload_handle_and_contents() {
    let portion = |name: &str, record: &[u8]| {
        let mut records = Blobs::default();
        records.push(record);
        Portion { name: name.to_owned(), layout: b"layout".to_vec(), records }
    };
    let portions = [portion("a", b"one"), portion("b", b"two")];
    let of = |bytes: &[u8]| -> [u8; 32] { Sha256::digest(bytes).into() };
    let digest = of(&[of(b"one"), of(b"two")].concat());
    assert_eq!(digest_of_row(&portions, 0), digest);
    let half = |bytes: [u8; 32]| Version(u128::from_le_bytes(bytes[..16].try_into().unwrap()));
    let contents = [&b"MOPSEVER"[..], &7_u128.to_le_bytes(), &9_u128.to_le_bytes()].concat();
    assert_eq!(Version::new(7, 9, &digest), half(of(&[&contents[..], &digest].concat())));
    assert_eq!(Version::of_tombstone(7, 9), half(of(&[&contents[..], &[0; 32]].concat())));
}

#[test]
fn an_upload_survives_its_bytes() {
    let scene = scene();
    let rows: [Row; 2] = [(4, 70, Some(90)), (5, 71, None)];
    let versions = scene.cloud.versions(&scene.clinic, &[1, 2, 3]);
    for bytes in [
        upload(&scene.clinic, &rows),
        three_records(&scene.hospital),
        delete(&scene.clinic, &[1, 3], &versions).unwrap(),
    ] {
        let read = Upload::decode(&bytes).unwrap();
        let by =
            if read.provider == *scene.clinic.node() { &scene.clinic } else { &scene.hospital };
        assert_eq!(signed(by, &read), bytes, "one form only");
    }
}

#[test]
fn an_upload_for_another_schema_is_refused() {
    let outcome = changed(|upload| upload.schema[0] ^= 1);
    assert_eq!(outcome, Err(Error::OtherSchema { what: WHAT }.into()));
}

#[test]
fn a_provider_speaks_for_no_other_provider_epoch_or_owner() {
    let forged = Err(crate::Error::from(Error::Signature { what: WHAT }));
    let unchained = Err(crate::Error::from(Error::Signature { what: "a certificate" }));
    let at = |name, epoch| Node::root().child(name, epoch).unwrap();
    assert_eq!(changed(|upload| upload.provider = at("clinic", 0)), forged);
    assert_eq!(changed(|upload| upload.provider = at("hospital", 1)), forged);
    assert_eq!(changed(|upload| upload.provider = Node::root()), forged);
    assert_eq!(changed(|upload| upload.chain.0.clear()), forged);
    let both = |upload: &mut Upload, node: Node| {
        upload.chain.0[0].subject = node.clone();
        upload.provider = node;
    };
    assert_eq!(changed(|upload| both(upload, at("clinic", 0))), unchained);
    assert_eq!(changed(|upload| both(upload, at("hospital", 1))), unchained);
    assert_eq!(
        changed(|upload| upload.owner = owner(2).owner()),
        Err(cloud::Error::NotEnrolled.into())
    );
    let scene = scene();
    scene.cloud.enroll(&mut owner(2));
    let mut message = Upload::decode(&three_records(&scene.hospital)).unwrap();
    message.owner = owner(2).owner();
    let unchained = Error::Signature { what: "a certificate" };
    let received = scene.cloud.receive(&signed(&scene.hospital, &message));
    assert_eq!(received, Err(unchained.into()));
}

#[test]
fn an_upload_signed_by_another_provider_is_refused() {
    let scene = scene();
    let of_hospital = Upload::decode(&three_records(&scene.hospital)).unwrap();
    let by_clinic = signed(&scene.clinic, &of_hospital);
    assert_eq!(scene.cloud.receive(&by_clinic), Err(Error::Signature { what: WHAT }.into()));

    let chain = scene.clinic.chain().clone();
    let with_its_chain = Upload { chain, ..of_hospital };
    let by_clinic = signed(&scene.clinic, &with_its_chain);
    assert_eq!(scene.cloud.receive(&by_clinic), Err(Error::Signature { what: WHAT }.into()));
}

#[test]
fn the_owner_itself_uploads_nothing() {
    let scene = scene();
    let mut message = Upload::decode(&three_records(&scene.hospital)).unwrap();
    (message.provider, message.chain) = (Node::root(), Chain::default());
    let bytes = signed(&scene.owner, &message);
    assert_eq!(scene.cloud.receive(&bytes), Err(Error::Signature { what: WHAT }.into()));
    let refused = scene.cloud.gate.store().add(message, &bytes);
    assert!(matches!(refused, Err(cloud::Error::Message(Error::Scope { .. }))));
}

#[test]
fn a_higher_provider_certifies_those_below_but_does_not_upload_for_them() {
    let mut scene = scene();
    let ward = scene.hospital.authorize("ward", &[]).unwrap();
    let of_ward = Upload::decode(&three_records(&ward)).unwrap();
    let by_hospital = signed(&scene.hospital, &of_ward);
    assert_eq!(scene.cloud.receive(&by_hospital), Err(Error::Signature { what: WHAT }.into()));
    assert_eq!(scene.cloud.receive(&three_records(&ward)).map(|receipt| receipt.added), Ok(3));
}

#[test]
fn the_signature_covers_every_byte_and_nothing_may_follow_it() {
    let scene = scene();
    let bytes = three_records(&scene.hospital);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(Upload::decode(&changed).is_err(), "byte {at}");
        assert!(Upload::decode(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert!(malformed(&Upload::decode(&[&bytes[..], &[0]].concat()).map_err(Into::into)));
}

/// The head and the body of an upload, as they were signed apart.
#[test]
fn another_body_under_one_head_is_forged() {
    let scene = scene();
    let [one, other] = [three_records(&scene.hospital), three_records(&scene.hospital)];
    let body = |bytes: &[u8]| {
        let upload = Upload::decode(bytes).unwrap();
        bytes.len() - upload.body().len()
    };
    let (head, rest) = (&one[..body(&one)], &other[body(&other)..]);
    let forged = Upload::decode(&[head, rest].concat());
    assert_eq!(forged, Err(Error::Signature { what: WHAT }), "as long, with other contents");
}

#[test]
fn no_other_signed_message_passes_for_an_upload() {
    let mut scene = scene();
    let range = crate::party::Range { field: "age".into(), low: 0, high: 9 };
    let others = [
        scene.hospital.query(&[range], u64::MAX).unwrap(),
        scene.hospital.removal("hospital").unwrap(),
        scene.owner.announcements().unwrap(),
        ask(&scene.owner, &[]),
    ];
    for (at, mut other) in others.into_iter().enumerate() {
        let is_received = at == 1;
        assert_eq!(malformed(&scene.cloud.receive(&other).map_err(Into::into)), !is_received);
        other[..8].copy_from_slice(b"MOPSEUPL");
        assert!(scene.cloud.receive(&other).is_err());
    }
}

#[test]
fn runs_are_read_up_to_the_most_fields() {
    let mut message = Upload::decode(&three_records(&scene().hospital)).unwrap();
    let mut read = |count: usize| {
        let run = |number| Run {
            field: format!("{number}"),
            ciphertexts: Vec::new(),
            records: Vec::new(),
        };
        message.runs = Arc::new((0..count).map(run).collect());
        let bytes = signed(&scene().hospital, &message);
        Upload::decode(&bytes).map(|read| read.runs.len())
    };
    assert_eq!(read(MOST_FIELDS), Ok(MOST_FIELDS));
    let (what, got) = ("runs of the upload", MOST_FIELDS + 1);
    assert_eq!(read(got), Err(Error::TooMany { what, got, most: MOST_FIELDS }));
}

/// What a dishonest provider signs: a body with a change in it, and whatever its head says of it.
#[test]
fn a_body_that_a_dishonest_provider_signs_is_refused_or_means_what_it_says() {
    let scene = scene();
    let versions = scene.cloud.versions(&scene.clinic, &[1, 2, 3]);
    let deletion = delete(&scene.clinic, &[1, 3], &versions).unwrap();
    let sent = [upload(&scene.clinic, &[(4, 70, Some(90)), (5, 71, None)]), deletion];
    let uploads = sent.map(|bytes| Upload::decode(&bytes).unwrap());
    let number = prop_oneof![0..20_u64, any::<u64>()];
    let config = ProptestConfig::with_cases(cases(1000));
    proptest!(config, |(which in any::<Index>(), at in any::<Index>(), to in any::<Index>(), number in number, how in 0..4)| {
        let upload = which.get(&uploads);
        let mut body = upload.body();
        let at = at.index(body.len());
        let slice = at.min(to.index(body.len()))..at.max(to.index(body.len()));
        match how {
            0 => body[at] = number.to_le_bytes()[0],
            1 => drop(body.drain(slice)),
            2 => {
                let copy = body[slice].to_vec();
                body.splice(at..at, copy);
            }
            _ => {
                let end = body.len().min(at + 8);
                body[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
        }
        let head = upload.head(&body);
        let bytes = [&head[..], &scene.clinic.sign(&head), &body].concat();
        if let Ok(read) = Upload::decode(&bytes) {
            prop_assert_eq!(signed(&scene.clinic, &read), bytes.clone());
        }
        let _ = scene.cloud.receive(&bytes);
    });
}
