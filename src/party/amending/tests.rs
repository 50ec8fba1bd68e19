use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::message;
use crate::message::answer::Part;
use crate::message::upload::Upload;
use crate::party::Opened;
use crate::party::columns::{Column, Values};
use crate::party::grants::{Grant, Grants, Share};
use crate::party::scene::{self, Cloud, NOW, age, amend, ask};
use crate::schema::Schema;

/// An owner with a ward, and a hospital that has records 1 to 3.
struct Scene {
    owner: Keyring,
    hospital: Keyring,
    ward: Keyring,
    cloud: Cloud,
}

impl Scene {
    fn new() -> Self {
        let mut owner = scene::owner(1);
        let hospital = owner.authorize("hospital", &[]).unwrap();
        let ward = owner.authorize("ward", &[]).unwrap();
        let cloud = Cloud::of(&mut owner);
        let rows = [(1, 40, Some(140)), (2, 50, None), (3, 60, Some(120))];
        cloud.receive(&scene::upload(&hospital, &rows)).unwrap();
        Self { owner, hospital, ward, cloud }
    }

    fn try_permit(&self, ids: &[i64], end: u64) -> Result<Vec<u8>, Error> {
        let ids = Ids::Integers(ids);
        let versions = self.cloud.versions_of(&self.owner, "hospital", ids);
        self.owner.permit("ward", "hospital", ids, &versions, end)
    }

    fn permit(&self, ids: &[i64]) -> Vec<u8> {
        self.try_permit(ids, NOW).unwrap()
    }

    /// Amends record 1, with the age of 44.
    fn amended(&self) -> Part {
        let made = amend(&self.ward, &[(1, 44, None)], &self.permit(&[1, 2]), &Versions::default());
        self.cloud.receive(&made.unwrap()).unwrap();
        self.part()
    }

    /// What the owner finds of the ward.
    fn part(&self) -> Part {
        let answer = self.cloud.answer(&ask(&self.owner, &[age(0, 120)])).unwrap();
        let mut parts = answer.parts.into_iter().filter(|part| part.provider == *self.ward.node());
        parts.next().unwrap()
    }

    fn versions(&self) -> Versions {
        let ids = Ids::Integers(&[1]);
        let ids = Ids::Amending(&Amending { of: "hospital", ids });
        self.cloud.versions_of(&self.ward, "ward", ids)
    }

    /// What is opened of an upload of one amendment of record 1 that a dishonest ward has made.
    fn opened(&self, stated: &Stated, id: i64) -> Result<Opened, Error> {
        let ids = [1];
        let ids = Ids::Amending(&Amending { of: "hospital", ids: Ids::Integers(&ids) });
        let column = |name: &str, value: i64| Column {
            name: name.into(),
            dtype: "Int64".into(),
            values: Values::Int64(vec![value].into()),
            is_valid: vec![true].into(),
        };
        let columns = [column("id", id), column("age", 44), column("sbp", 100)];
        let field = |field, plaintexts| scene_indexed(field, plaintexts);
        let indexed = [field("age", &[44]), field("sbp", &[100])];
        let table = Table { columns: &columns, ids, id: Some("id"), indexed: &indexed, now: NOW };
        let versions = self.versions();
        let made = self.ward.upload_as(&table, Change::Put, &versions, Some(stated)).unwrap();
        self.cloud.receive(&made.message).expect("the cloud cannot tell");
        self.owner.open_part(&self.part(), &[age(0, 120)])
    }

    /// What the ward states, if it has this permission.
    fn stated(&self, permission: &[u8]) -> Stated {
        let permit = Permit::decode(permission).unwrap();
        let ids = Ids::Integers(&[1]);
        let ids = Ids::Amending(&Amending { of: "hospital", ids });
        let links = permit.links(&self.ward.handles(ids)).into_iter().map(|link| {
            let mut writer = Writer::default();
            link.unwrap().write(&mut writer);
            writer.0
        });
        let secrets = self.ward.secrets(self.ward.node(), ids).unwrap();
        Stated { head: permit.head.clone(), time: NOW, links: links.collect(), secrets }
    }

    /// A permission as the owner's own code never makes it.
    fn odd(&self, by: &Keyring, change: impl FnOnce(&mut Permission)) -> Vec<u8> {
        let permit = Permit::decode(&self.permit(&[1])).unwrap();
        let mut permission = permit.permission;
        change(&mut permission);
        permission.signed(&permit.records, |head| by.signed(head))
    }
}

fn scene_indexed<'a>(field: &'a str, plaintexts: &'a [i64]) -> crate::party::Indexed<'a> {
    crate::party::Indexed { field, rows: &[0], plaintexts }
}

fn marks(opened: &Opened) -> Vec<(String, Option<String>)> {
    let Some(amends) = &opened.amends else { return Vec::new() };
    let of = |row: &Option<Amended>| row.as_ref().and_then(|row| row.id.clone());
    amends.rows.iter().map(|row| (amends.provider.path(), of(row))).collect()
}

#[test]
fn an_amendment_is_found_as_any_record_and_names_the_one_it_amends() {
    let scene = Scene::new();
    let part = scene.amended();
    let opened = scene.owner.open_part(&part, &[age(44, 44)]).unwrap();
    assert_eq!(marks(&opened), [("hospital".to_owned(), Some("1".to_owned()))]);
    assert_eq!(opened.columns[0].values, Values::Int64(vec![1].into()));
    let amends = opened.amends.unwrap();
    assert_eq!(amends.time, NOW);
    let found = scene.cloud.looked_up(&scene.owner, "hospital", Ids::Integers(&[1]));
    assert_eq!(found[0].handles, [amends.rows[0].as_ref().unwrap().record]);
    let original = scene.owner.open_part(&found[0], &[]).unwrap();
    assert_eq!((original.amends, original.columns[1].rows()), (None, 1), "it is as it was");
}

#[test]
fn a_fault_of_one_amendment_leaves_the_marks_of_the_others_where_they_belong() {
    let scene = Scene::new();
    let rows = [(1, 44, None), (2, 55, None), (3, 66, None)];
    let permission = scene.permit(&[3, 1, 2]);
    let made = amend(&scene.ward, &rows, &permission, &Versions::default()).unwrap();
    scene.cloud.receive(&made).unwrap();
    let mut part = scene.part();
    for broken in 0..3 {
        let whole = part.portions[0].records.clone();
        let mut records = crate::wire::Blobs::default();
        for at in 0..3 {
            let mut record = whole.get(at).to_vec();
            record[20] ^= u8::from(at == broken);
            records.push(&record);
        }
        part.portions[0].records = records;
        let opened = scene.owner.report_part(&part, &[]);
        part.portions[0].records = whole;
        assert_eq!(opened.faults.len(), 1);
        let Values::Int64(ids) = &opened.columns[0].values else { panic!("{opened:?}") };
        let ids: Vec<_> = ids.iter().map(|id| ("hospital".into(), Some(id.to_string()))).collect();
        assert_eq!((ids.len(), marks(&opened)), (2, ids));
    }
}

#[test]
fn an_amendment_is_another_record_than_the_provider_s_own_of_that_id() {
    let scene = Scene::new();
    scene.amended();
    scene.cloud.receive(&scene::upload(&scene.ward, &[(1, 20, None)])).unwrap();
    let own = scene.cloud.looked_up(&scene.ward, "ward", Ids::Integers(&[1]));
    assert_eq!(marks(&scene.ward.open_part(&own[0], &[]).unwrap()), []);
    let ids = Ids::Amending(&Amending { of: "hospital", ids: Ids::Integers(&[1]) });
    let of_owner = scene.cloud.looked_up(&scene.owner, "ward", ids);
    assert_eq!(marks(&scene.owner.open_part(&of_owner[0], &[]).unwrap()).len(), 1);
    let elsewhere = Ids::Amending(&Amending { of: "clinic", ids: Ids::Integers(&[1]) });
    assert!(scene.cloud.looked_up(&scene.owner, "ward", elsewhere)[0].handles.is_empty());
}

#[test]
fn what_became_of_the_record_is_told() {
    let scene = Scene::new();
    let amends = scene.owner.open_part(&scene.amended(), &[]).unwrap().amends.unwrap();
    let state = |ids: &[i64]| {
        let known = scene.cloud.versions_of(&scene.owner, "hospital", Ids::Integers(ids));
        known.states(&amends)
    };
    assert_eq!(state(&[1]), [Some(State::Same)]);
    assert_eq!(state(&[2]), [None], "nothing is known of it");
    scene.cloud.update(&scene.hospital, &[(1, 41, None)]).unwrap();
    assert_eq!(state(&[1]), [Some(State::Changed)]);
    scene.cloud.delete(&scene.hospital, &[1]).unwrap();
    assert_eq!(state(&[1]), [Some(State::Gone)]);
}

#[test]
fn a_record_and_what_amends_it_are_one_answer() {
    let mut scene = Scene::new();
    scene.amended();
    let clinic = scene.owner.authorize("clinic", &[]).unwrap();
    scene.cloud.enroll(&mut scene.owner);
    scene.cloud.receive(&scene::upload(&clinic, &[(1, 20, None)])).unwrap();
    let by = ["ward", "clinic"].map(str::to_owned);
    let ids = Ids::Integers(&[1, 2]);
    let query = scene.owner.amendments("hospital", &by, ids, NOW).unwrap();
    let parts = scene.cloud.answer(&query).unwrap().parts;
    let found = parts.iter().filter(|part| !part.handles.is_empty()).map(|part| {
        let opened = scene.owner.open_part(part, &[]).unwrap();
        let states = opened.amends.as_ref().map(|amends| Versions::of(&parts).states(amends));
        (part.provider.path(), part.handles.len(), states)
    });
    let ward = ("ward".to_owned(), 1, Some(vec![Some(State::Same)]));
    assert_eq!(found.collect::<Vec<_>>(), [("hospital".to_owned(), 2, None), ward]);
    let unknown = scene.owner.amendments("nobody", &by, ids, NOW);
    assert!(matches!(unknown, Err(Error::UnknownProvider { .. })));
}

#[test]
fn an_amendment_is_updated_and_deleted_as_any_record() {
    let scene = Scene::new();
    scene.amended();
    let permission = scene.permit(&[1]);
    let again = amend(&scene.ward, &[(1, 45, None)], &permission, &Versions::default()).unwrap();
    let refused = scene.cloud.receive(&again).unwrap_err();
    assert!(matches!(refused, crate::cloud::Error::Stored { position: 0, .. }), "{refused:?}");
    let again = amend(&scene.ward, &[(1, 45, None)], &permission, &scene.versions()).unwrap();
    assert_eq!(scene.cloud.receive(&again).unwrap().replaced, 1);
    let opened = scene.owner.open_part(&scene.part(), &[age(45, 45)]).unwrap();
    assert_eq!(marks(&opened).len(), 1);
    let ids = Ids::Amending(&Amending { of: "hospital", ids: Ids::Integers(&[1]) });
    let gone = scene.ward.deletion(ids, &scene.versions(), NOW).unwrap();
    assert_eq!(scene.cloud.receive(&gone.message).unwrap().removed, 1);
    let found = scene.cloud.looked_up(&scene.owner, "hospital", Ids::Integers(&[1]));
    assert_eq!(found[0].handles.len(), 1, "the record itself stays");
}

#[test]
fn a_permission_is_given_for_records_that_are_there_by_whoever_is_above_both() {
    let mut scene = Scene::new();
    assert_eq!(scene.try_permit(&[1, 9], NOW), Err(Error::NotStored { row: 1 }), "there never was");
    assert_eq!(scene.try_permit(&[2, 1, 2], NOW), Err(Error::DuplicateId { row: 2 }));
    let ids = Ids::Integers(&[1]);
    let versions = scene.cloud.versions_of(&scene.owner, "hospital", ids);
    let permit = |by: &Keyring, amender, of| by.permit(amender, of, ids, &versions, NOW);
    let scope = |made| matches!(made, Err(Error::Message(message::Error::Scope { .. })));
    assert!(scope(permit(&scene.owner, "ward", "ward")), "its own records it updates");
    let unknown = permit(&scene.hospital, "ward", "hospital");
    assert!(matches!(unknown, Err(Error::UnknownProvider { .. })), "beside it");
    let mut owner = scene::copy(&scene.owner);
    owner.authorize("surgery", &["hospital"]).unwrap();
    scene.hospital.authorize("surgery", &[]).unwrap();
    assert!(scope(permit(&scene.hospital, "hospital/surgery", "hospital")), "not above itself");
    assert!(permit(&owner, "hospital/surgery", "hospital").is_ok(), "the owner is above both");
    let none = scene.owner.permit("ward", "hospital", Ids::Integers(&[]), &versions, NOW);
    assert_eq!(none, Err(Error::Rows { got: 0 }));
}

#[test]
fn an_authority_above_both_may_permit() {
    let mut scene = Scene::new();
    let clinic = scene.hospital.authorize("clinic", &[]).unwrap();
    let surgery = scene.hospital.authorize("surgery", &[]).unwrap();
    scene.cloud.enroll(&mut scene.hospital);
    scene.cloud.receive(&scene::upload(&clinic, &[(1, 40, None)])).unwrap();
    let (of, ids) = ("hospital/clinic", Ids::Integers(&[1]));
    let versions = scene.cloud.versions_of(&scene.hospital, of, ids);
    let permission = scene.hospital.permit("hospital/surgery", of, ids, &versions, NOW).unwrap();
    let made = amend(&surgery, &[(1, 44, None)], &permission, &Versions::default()).unwrap();
    scene.cloud.receive(&made).unwrap();
    let amendments = Ids::Amending(&Amending { of, ids });
    let found = scene.cloud.looked_up(&scene.hospital, "hospital/surgery", amendments);
    let mut owner = scene.owner;
    owner.catch_up(&scene.cloud.announcements(&owner)).unwrap();
    assert_eq!(marks(&owner.open_part(&found[0], &[]).unwrap()).len(), 1);
}

#[test]
fn an_amender_needs_a_permission_that_is_its_own_and_has_not_ended() {
    let mut scene = Scene::new();
    let clinic = scene.owner.authorize("clinic", &[]).unwrap();
    let rows = [(1, 44, None)];
    let none = Versions::default();
    let why = |made: Result<Vec<u8>, Error>| match made {
        Err(Error::Permission { why }) => why,
        other => panic!("{other:?}"),
    };
    let permission = scene.permit(&[1]);
    assert_eq!(why(amend(&clinic, &rows, &permission, &none)), "it is another provider's");
    let ended = scene.try_permit(&[1], NOW - 1).unwrap();
    assert_eq!(why(amend(&scene.ward, &rows, &ended, &none)), "it has ended");
    let other = amend(&scene.ward, &[(1, 44, None), (3, 50, None)], &permission, &none);
    assert_eq!(other, Err(Error::NotPermitted { row: 1 }));
    let odd = scene.odd(&scene.owner, |odd| odd.schema = [0; 32]);
    assert_eq!(why(amend(&scene.ward, &rows, &odd, &none)), "it is for another schema");
    let stranger = scene::owner(2);
    let odd = scene.odd(&stranger, |odd| odd.owner = stranger.owner());
    assert_eq!(why(amend(&scene.ward, &rows, &odd, &none)), "it is of another owner");
    let forged = scene.odd(&scene.ward, |_| {});
    let refused = amend(&scene.ward, &rows, &forged, &none);
    assert!(matches!(refused, Err(Error::Message(message::Error::Signature { .. }))));
    scene.owner.renew_readers(&[]).unwrap();
    scene.cloud.enroll(&mut scene.owner);
    let stale = amend(&scene.ward, &rows, &permission, &none).unwrap();
    let refused = scene.cloud.receive(&stale).unwrap_err();
    let is_readers =
        |error| matches!(error, crate::cloud::Error::Message(message::Error::Readers { .. }));
    assert!(is_readers(refused), "the ward has not heard of the withdrawal");
    scene.ward.catch_up(&scene.cloud.announcements(&scene.owner)).unwrap();
    let withdrawn = amend(&scene.ward, &rows, &permission, &none);
    assert_eq!(why(withdrawn), "it is of an epoch that has ended");
}

#[test]
fn who_opens_refuses_what_a_dishonest_amender_states() {
    let mut scene = Scene::new();
    let permission = scene.permit(&[1, 2]);
    let stated = || scene.stated(&permission);
    let why = |opened: Result<Opened, Error>| match opened {
        Err(Error::Permission { why } | Error::Amendment { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(marks(&scene.opened(&stated(), 1).unwrap()).len(), 1, "the honest one passes");
    assert_eq!(why(scene.opened(&stated(), 2)), "has another id than what it amends");
    let late = Stated { time: NOW + 1, ..stated() };
    assert_eq!(why(scene.opened(&late, 1)), "it has ended");
    let mut link = stated();
    link.links[0][0] ^= 1;
    assert_eq!(why(scene.opened(&link, 1)), "is not among those that were permitted");
    let report = scene.owner.report_part(&scene.part(), &[age(0, 120)]);
    let cause = report.faults[0].cause();
    assert_eq!(cause, "the amendment is not among those that were permitted");
    assert!(report.handles.is_empty() && marks(&report).is_empty());
    let mut version = stated();
    version.links[0][16] ^= 1;
    assert_eq!(why(scene.opened(&version, 1)), "is not among those that were permitted");
    let malformed = Stated { links: vec![vec![7; 10]], ..stated() };
    assert_eq!(why(scene.opened(&malformed, 1)), "is cut short or malformed");
    let secret = Stated { secrets: vec![5], ..stated() };
    assert_eq!(why(scene.opened(&secret, 1)), "has another id than what it amends");
    let forged = scene.stated(&permission);
    let mut head = forged.head.clone();
    *head.last_mut().unwrap() ^= 1;
    let refused = scene.opened(&Stated { head, ..forged }, 1);
    assert!(matches!(refused, Err(Error::Message(message::Error::Signature { .. }))));
    let refused = scene.opened(&Stated { head: Vec::new(), ..stated() }, 1);
    assert!(matches!(refused, Err(Error::Message(message::Error::Wire(_)))), "{refused:?}");
    let clinic = scene.owner.authorize("clinic", &[]).unwrap();
    let other = scene.odd(&scene.owner, |odd| odd.amender = clinic.node().clone());
    assert_eq!(why(scene.opened(&scene.stated(&other), 1)), "it is another provider's");
    let other = scene.odd(&scene.owner, |odd| odd.schema = [0; 32]);
    assert_eq!(why(scene.opened(&scene.stated(&other), 1)), "it is for another schema");
    scene.owner.renew_readers(&[]).unwrap();
    scene.cloud.enroll(&mut scene.owner);
    scene.ward.catch_up(&scene.cloud.announcements(&scene.owner)).unwrap();
    let old = scene.opened(&scene.stated(&permission), 1);
    assert_eq!(why(old), "it is for another readers' epoch");
}

#[test]
fn a_user_sees_the_mark_in_every_portion_and_the_id_where_it_may_see_it() {
    let mut scene = Scene::new();
    let portions = vec![("vitals".to_owned(), vec!["age".to_owned(), "sbp".to_owned()])];
    scene.ward.declare_portions(portions).unwrap();
    let part = scene.amended();
    let schema: &Schema = scene.owner.schema();
    let opened = |names: Option<&[String]>| {
        let share = Share { ids: None, portions: names, holder: b"", end: NOW };
        let grant = scene.ward.grant(scene.ward.node(), &share).unwrap();
        let mut grants = Grants::default();
        grants.add(Grant::decode(&grant).unwrap(), NOW).unwrap();
        grants.open_part(&part, &[], schema, NOW).unwrap()
    };
    let hospital = || "hospital".to_owned();
    assert_eq!(marks(&opened(None)), [(hospital(), Some("1".to_owned()))]);
    assert_eq!(marks(&opened(Some(&["rest".to_owned()]))), [(hospital(), Some("1".to_owned()))]);
    assert_eq!(marks(&opened(Some(&["vitals".to_owned()]))), [(hospital(), None)]);
}

#[test]
fn portions_that_state_different_things_are_a_fault() {
    let link = |record| {
        let mut writer = Writer::default();
        writer.u128(record).u128(2).u128(3).u64(0).count(0);
        Link::read(&mut crate::wire::Reader::headless(&writer.0, "a link")).unwrap()
    };
    let claims = |time, rows: &[Option<(u128, Option<u128>)>]| {
        let rows = rows.iter().map(|row| row.map(|(record, secret)| (link(record), secret)));
        Some(crate::party::claims::Claims { head: vec![1], time, rows: rows.collect() })
    };
    let together = |portions: Vec<_>| {
        let mut faults = std::collections::BTreeMap::new();
        let all = crate::party::claims::together(portions, 2, &mut faults);
        (all, faults.into_keys().collect::<Vec<_>>())
    };
    let (one, other) =
        (claims(1, &[Some((1, None)), None]), claims(1, &[Some((1, Some(9))), Some((2, None))]));
    let both = claims(1, &[Some((1, Some(9))), Some((2, None))]);
    assert_eq!(together(vec![one.clone(), other.clone()]), (both.clone(), vec![]));
    assert_eq!(together(vec![None, None]), (None, vec![]));
    assert_eq!(together(vec![None, one.clone()]).1, [0, 1]);
    assert_eq!(together(vec![one.clone(), None]).1, [0, 1]);
    let later = claims(2, &[None, None]);
    assert_eq!(together(vec![one, later]).1, [0, 1]);
    let second = claims(1, &[Some((5, None)), None]);
    assert_eq!(together(vec![other, second]), (both, vec![0]));
}

#[test]
fn nothing_outside_what_is_sealed_tells_what_is_amended() {
    let scene = Scene::new();
    let permission = scene.permit(&[1]);
    let made = amend(&scene.ward, &[(1, 44, None)], &permission, &Versions::default()).unwrap();
    let upload = Upload::decode(&made).unwrap();
    let record = scene.hospital.handles(Ids::Integers(&[1]))[0].to_le_bytes();
    assert!(made.windows(16).all(|bytes| bytes != record));
    assert!(upload.replaced.is_empty() && upload.removed.is_empty());
    let plain = scene::upload(&scene.ward, &[(1, 44, None)]);
    let sizes = |message: &[u8]| {
        let upload = Upload::decode(message).unwrap();
        (upload.portions[0].layout.len(), upload.portions[0].records.get(0).len())
    };
    let (of_plain, of_amendment) = (sizes(&plain), sizes(&made));
    let head = Permit::decode(&permission).unwrap().head.len();
    assert_eq!(of_amendment.0 - of_plain.0, 8 + 8 + head);
    assert_eq!(of_amendment.1 - of_plain.1, 3 * 16 + 8 + 8 + 16, "no path: one is permitted");
}

#[test]
fn what_a_provider_renews_leaves_its_amendments_where_they_are() {
    let mut scene = Scene::new();
    scene.amended();
    scene.cloud.receive(&scene::upload(&scene.ward, &[(7, 30, None)])).unwrap();
    scene.owner.authorize("leaver", &[]).unwrap();
    scene.owner.revoke(&["leaver"]).unwrap();
    let ward = scene.owner.authorize("ward", &[]).unwrap();
    scene.cloud.enroll(&mut scene.owner);
    let answer = scene.cloud.answer(&ward.renewal(NOW).unwrap()).unwrap();
    assert_eq!(ward.renewed(&answer.parts, NOW).unwrap().len(), 1);
    let made = ward.renew(&answer.parts, &Versions::default(), NOW).unwrap();
    assert_eq!(made.len(), 1, "that of the ward's own record");
    scene.cloud.receive(&made[0].message).unwrap();
    let ids = Ids::Amending(&Amending { of: "hospital", ids: Ids::Integers(&[1]) });
    let found = scene.cloud.looked_up(&scene.owner, "ward", ids);
    let part = found.iter().find(|part| !part.handles.is_empty()).unwrap();
    let opened = scene.owner.open_part(part, &[]).unwrap();
    assert!(opened.is_left && marks(&opened).len() == 1);
}

#[test]
fn columns_of_the_mark_s_names_are_refused_where_they_are_made_and_where_they_are_read() {
    let scene = Scene::new();
    let permit = Permit::decode(&scene.permit(&[1])).unwrap();
    for name in KEPT {
        let column = |name: &str| Column {
            name: name.into(),
            dtype: "Int64".into(),
            values: Values::Int64(vec![1].into()),
            is_valid: vec![true].into(),
        };
        let columns = [column("id"), column(name)];
        let ids = Ids::Integers(&[1]);
        let table = Table { columns: &columns, ids, id: Some("id"), indexed: &[], now: NOW };
        let made = scene.ward.amend(&table, &permit, &Versions::default());
        assert!(matches!(made, Err(Error::Column { .. })), "{name}");
        let made = scene.ward.upload(&table, Change::Put, &scene.cloud.versions(&scene.ward, &[1]));
        scene.cloud.receive(&made.unwrap().message).unwrap();
        let found = scene.cloud.looked_up(&scene.owner, "ward", ids);
        let opened = scene.owner.open_part(&found[0], &[]);
        assert!(matches!(opened, Err(Error::Column { .. })), "{name}");
    }
    let table = Table { columns: &[], ids: Ids::Integers(&[1]), id: None, indexed: &[], now: NOW };
    assert_eq!(scene.ward.amend(&table, &permit, &Versions::default()), Err(Error::NoIds));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(scene::cases(100)))]

    #[test]
    fn whatever_a_dishonest_amender_states_is_refused_without_panic(
        at in any::<Index>(),
        cut in any::<Index>(),
        change in 1..=u8::MAX,
        in_head in any::<bool>(),
        is_cut in any::<bool>(),
    ) {
        let scene = Scene::new();
        let mut stated = scene.stated(&scene.permit(&[1, 2, 3]));
        prop_assert!(scene.opened(&stated, 1).is_ok());
        let bytes = if in_head { &mut stated.head } else { &mut stated.links[0] };
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        prop_assert!(scene.opened(&stated, 1).is_err());
    }
}

/// Computed with Python's hmac and hashlib and the AES of its package cryptography, from the formulas above.
#[test]
fn the_handles_of_amendments_are_what_their_formulas_say() {
    let scene = Scene::new();
    let ids = Ids::Amending(&Amending { of: "hospital", ids: Ids::Integers(&[1]) });
    let secret = scene.ward.secrets(scene.ward.node(), ids).unwrap()[0];
    let commitment = Permitted::commitment(1, &Ids::Integers(&[1]).bytes(0));
    assert_eq!(scene.ward.handles(ids), [0xf684_be4e_8bab_cf9a_cabc_c982_5aaf_e4c5]);
    assert_eq!(secret, 0x62c8_aa8f_cd1e_dd14_90cc_390e_92f5_7c4a);
    assert_eq!(commitment, 0x68eb_4e90_f0fc_c777_77c5_a696_188d_b41d);
}
