use super::*;
use crate::cloud;
use crate::cloud::store::Store;
use crate::message::signature::SIGNATURE_LEN;
use crate::party::Keyring;
use crate::party::scene::{Cloud, owner, three_records};
use crate::wire;

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
    let cloud = Cloud::of(&owner);
    cloud.receive(&three_records(&clinic, 5)).unwrap();
    Scene { owner, hospital, clinic, cloud }
}

/// What a cloud says to an upload that its provider changed before signing it.
fn changed(change: impl FnOnce(&mut Upload)) -> Result<(), crate::Error> {
    let scene = scene();
    let mut message = Upload::decode(&three_records(&scene.hospital, 1)).unwrap();
    change(&mut message);
    let bytes = scene.hospital.signed(message.message());
    Ok(scene.cloud.receive(&bytes)?)
}

fn malformed(outcome: &Result<(), crate::Error>) -> bool {
    matches!(outcome, Err(crate::Error::Wire(wire::Error::Format { what: WHAT, .. })))
}

#[test]
fn an_unchanged_upload_is_taken_once() {
    assert_eq!(changed(|_| ()), Ok(()));
    let scene = scene();
    let bytes = three_records(&scene.hospital, 1);
    assert_eq!(scene.cloud.receive(&bytes), Ok(()));
    let provider = "hospital".to_owned();
    assert_eq!(scene.cloud.receive(&bytes), Err(cloud::Error::Replay { provider }));
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

#[test]
fn sealed_records_that_overlap_or_do_not_fill_their_bytes_are_refused() {
    assert!(malformed(&changed(|upload| Arc::make_mut(&mut upload.records)
        .ends
        .to_mut()
        .swap(0, 1))));
    assert!(malformed(&changed(|upload| Arc::make_mut(&mut upload.records).ends.to_mut()[2] += 1)));
    assert!(malformed(&changed(
        |upload| Arc::make_mut(&mut upload.records).ends.to_mut()[2] = u64::MAX
    )));
    assert!(malformed(&changed(|upload| Arc::make_mut(&mut upload.records)
        .bytes
        .to_mut()
        .truncate(40))));
    assert!(malformed(&changed(|upload| Arc::make_mut(&mut upload.records).push(b"one too many"))));
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
    scene.cloud.enroll(&owner(2));
    let mut message = Upload::decode(&three_records(&scene.hospital, 1)).unwrap();
    message.owner = owner(2).owner();
    let unchained = Error::Signature { what: "a certificate" };
    let received = scene.cloud.receive(&scene.hospital.signed(message.message()));
    assert_eq!(received, Err(unchained.into()));
}

#[test]
fn an_upload_signed_by_another_provider_is_refused() {
    let scene = scene();
    let of_hospital = Upload::decode(&three_records(&scene.hospital, 1)).unwrap();
    let by_clinic = scene.clinic.signed(of_hospital.message());
    assert_eq!(scene.cloud.receive(&by_clinic), Err(Error::Signature { what: WHAT }.into()));

    let chain = scene.clinic.chain().clone();
    let with_its_chain = Upload { chain, ..of_hospital };
    let by_clinic = scene.clinic.signed(with_its_chain.message());
    assert_eq!(scene.cloud.receive(&by_clinic), Err(Error::Signature { what: WHAT }.into()));
}

#[test]
fn the_owner_itself_uploads_nothing() {
    let scene = scene();
    let mut message = Upload::decode(&three_records(&scene.hospital, 1)).unwrap();
    (message.provider, message.chain) = (Node::root(), Chain::default());
    let bytes = scene.owner.signed(message.message());
    assert_eq!(scene.cloud.receive(&bytes), Err(Error::Signature { what: WHAT }.into()));
    let refused = scene.cloud.gate.store().add(message, &bytes);
    assert!(matches!(refused, Err(cloud::Error::Message(Error::Scope { .. }))));
}

#[test]
fn a_higher_provider_certifies_those_below_but_does_not_upload_for_them() {
    let mut scene = scene();
    let ward = scene.hospital.authorize("ward", &[]).unwrap();
    let of_ward = Upload::decode(&three_records(&ward, 1)).unwrap();
    let by_hospital = scene.hospital.signed(of_ward.message());
    assert_eq!(scene.cloud.receive(&by_hospital), Err(Error::Signature { what: WHAT }.into()));
    assert_eq!(scene.cloud.receive(&three_records(&ward, 1)), Ok(()));
}

#[test]
fn the_signature_covers_every_byte_and_nothing_may_follow_it() {
    let scene = scene();
    let bytes = three_records(&scene.hospital, 1);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(Upload::decode(&changed).is_err(), "byte {at}");
        assert!(Upload::decode(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert!(malformed(&Upload::decode(&[&bytes[..], &[0]].concat()).map(drop).map_err(Into::into)));
    let unsigned = &bytes[..bytes.len() - SIGNATURE_LEN];
    assert!(malformed(&Upload::decode(unsigned).map(drop).map_err(Into::into)));
}

#[test]
fn no_other_signed_message_passes_for_an_upload() {
    let scene = scene();
    let range = crate::party::Range { field: "age".into(), low: 0, high: 9 };
    let mut others = scene.hospital.tokens(&[range], u64::MAX).unwrap();
    others.push(scene.owner.announcement().unwrap());
    for mut other in others {
        assert!(malformed(&scene.cloud.receive(&other).map_err(Into::into)));
        other[..8].copy_from_slice(b"MOPSEUPL");
        assert!(scene.cloud.receive(&other).is_err());
    }
}

#[test]
fn checking_many_runs_takes_time_in_proportion_to_the_message() {
    let many = 150_000;
    let mut message = Upload::decode(&three_records(&scene().hospital, 1)).unwrap();
    message.handles = Arc::new((0..many).collect());
    message.records = Arc::new(Blobs::new(vec![0; message.handles.len()], Vec::new()).unwrap());
    let run =
        |number| Run { field: format!("{number}"), ciphertexts: Vec::new(), records: Vec::new() };
    message.runs = Arc::new((0..many).map(run).collect());
    let bytes = scene().hospital.signed(message.message());
    let start = std::time::Instant::now();
    assert_eq!(Upload::decode(&bytes), Ok(message));
    assert!(start.elapsed().as_secs() < 8, "{:?}", start.elapsed());
}
