use super::*;
use crate::message::answer::Part;
use crate::party::records::{Author, seal};
use crate::party::scene::{self, Cloud, NOW, Row, age, ask, copy, owner, schema, upload};
use crate::party::{Fault, Opened, Range};
use crate::wire::{self, Blobs};

const ROWS: [Row; 4] = [(1, 40, Some(150)), (2, 50, None), (3, 60, Some(120)), (4, 70, Some(130))];

/// An owner, its hospital, and a cloud with records whose columns lie in portions: `vitals` has the age and
/// the pressure, `text` the note, and the ids are in none.
struct Scene {
    owner: Keyring,
    hospital: Keyring,
    cloud: Cloud,
}

fn portions() -> Vec<(String, Vec<String>)> {
    let of = |name: &str, columns: &[&str]| {
        (name.to_owned(), columns.iter().map(ToString::to_string).collect())
    };
    vec![of("vitals", &["age", "sbp"]), of("text", &["note"])]
}

fn names(part: &Part) -> Names {
    Names::of(part.portions.iter().map(|portion| portion.name.as_str()))
}

fn scene() -> Scene {
    let mut owner = owner(1);
    owner.declare_portions(portions()).unwrap();
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let cloud = Cloud::of(&mut owner);
    cloud.receive(&upload(&hospital, &ROWS)).unwrap();
    Scene { owner, hospital, cloud }
}

impl Scene {
    fn parts(&self) -> Vec<Part> {
        self.cloud.answer(&ask(&self.owner, &[age(0, 120)])).unwrap().parts
    }

    /// A share of some portions and records, as it reaches its holder.
    fn granted(&self, portions: Option<&[&str]>, ids: Option<&[i64]>) -> Grants {
        let portions: Option<Vec<String>> =
            portions.map(|names| names.iter().map(ToString::to_string).collect());
        let ids = ids.map(Ids::Integers);
        let share = Share { ids, portions: portions.as_deref(), holder: b"", end: NOW };
        grants(&[self.hospital.grant(self.hospital.node(), &share).unwrap()])
    }

    /// The key of the hospital's record `id`'s place in a part, and the part.
    fn position(&self, part: &Part, id: i64) -> usize {
        let handle = self.hospital.handles(Ids::Integers(&[id]))[0];
        part.handles.iter().position(|&other| other == handle).unwrap()
    }
}

const ALL: Share<'static> = Share { ids: None, portions: None, holder: b"", end: NOW };

fn grants(messages: &[Zeroizing<Vec<u8>>]) -> Grants {
    let mut grants = Grants::default();
    for message in messages {
        grants.add(Grant::decode(message).unwrap(), NOW).unwrap();
    }
    grants
}

/// The columns of what was opened, and how many rows.
fn told(opened: &Opened) -> (Vec<&str>, usize) {
    let names = opened.columns.iter().map(|column| column.name.as_str());
    (names.collect(), opened.handles.len())
}

fn open(grants: &Grants, part: &Part, ranges: &[Range]) -> Result<Opened, Error> {
    grants.open_part(part, ranges, &schema(), NOW)
}

#[test]
fn a_grant_of_a_provider_opens_all_that_it_sealed() {
    let scene = scene();
    let [part] = <[Part; 1]>::try_from(scene.parts()).unwrap();
    for by in [&scene.hospital, &scene.owner] {
        let grants = grants(&[by.grant(scene.hospital.node(), &ALL).unwrap()]);
        let opened = open(&grants, &part, &[age(0, 120)]).unwrap();
        assert_eq!(told(&opened), (vec!["id", "age", "sbp", "note"], 4));
        assert_eq!((opened.excess, opened.unchecked), (0, Vec::<String>::new()));
        let elsewhere = open(&grants, &part, &[age(45, 65)]);
        assert!(matches!(elsewhere, Err(Error::Elsewhere { .. })), "another query's answer");
        let opener = grants.opener(part.owner, &part.provider, part.readers, NOW).unwrap();
        assert!(opener.is_all() && opener.records().is_none());
        assert!(opener.files_key(part.handles[0]).is_some());
    }
}

#[test]
fn a_grant_of_portions_opens_them_of_every_record_and_nothing_else() {
    let scene = scene();
    let part = scene.parts().remove(0);
    let vitals = scene.granted(Some(&["vitals"]), None);
    let opened = open(&vitals, &part, &[age(0, 120)]).unwrap();
    assert_eq!(told(&opened), (vec!["age", "sbp"], 4));
    let opener = vitals.opener(part.owner, &part.provider, part.readers, NOW).unwrap();
    assert!(!opener.is_all() && opener.records().is_none());
    assert!(opener.files_key(part.handles[0]).is_none());

    let text = scene.granted(Some(&["text", "none of this name"]), None);
    let opened = open(&text, &part, &[age(45, 65)]).unwrap();
    assert_eq!(told(&opened), (vec!["note"], 4), "what cannot be checked is all there");
    assert_eq!((&opened.unchecked[..], opened.excess), (&["age".to_owned()][..], 0));
    let both = scene.granted(Some(&["text", REST]), None);
    assert_eq!(told(&open(&both, &part, &[]).unwrap()), (vec!["id", "note"], 4));
}

#[test]
fn a_grant_of_records_opens_them_alone() {
    let scene = scene();
    let part = scene.parts().remove(0);
    let some = scene.granted(Some(&["vitals", "text", REST]), Some(&[2, 3, 99]));
    let opened = open(&some, &part, &[age(0, 120)]).unwrap();
    assert_eq!(told(&opened), (vec!["id", "age", "sbp", "note"], 2));
    let elsewhere = open(&some, &part, &[age(55, 120)]);
    assert!(matches!(elsewhere, Err(Error::Elsewhere { .. })));
    let opener = some.opener(part.owner, &part.provider, part.readers, NOW).unwrap();
    assert_eq!(opener.records(), Some(3));

    // What is said of no portion is of what is in none, and of files.
    let rest = scene.granted(None, Some(&[2, 3]));
    assert_eq!(told(&open(&rest, &part, &[]).unwrap()), (vec!["id"], 2));
    let opener = rest.opener(part.owner, &part.provider, part.readers, NOW).unwrap();
    let [granted, other] = [2, 1].map(|id| part.handles[scene.position(&part, id)]);
    assert!(opener.files_key(granted).is_some() && opener.files_key(other).is_none());
}

#[test]
fn several_grants_open_what_each_of_them_opens() {
    let scene = scene();
    let part = scene.parts().remove(0);
    let portions = [["vitals".to_owned()], ["text".to_owned()]];
    let give = |portions: &[String], ids: Option<&[i64]>| {
        let ids = ids.map(Ids::Integers);
        let share = Share { ids, portions: Some(portions), ..ALL };
        scene.hospital.grant(scene.hospital.node(), &share).unwrap()
    };
    let [vitals, text] = &portions;
    let both = grants(&[give(vitals, None), give(text, Some(&[1])), give(text, Some(&[4]))]);
    let opened = open(&both, &part, &[]).unwrap();
    assert_eq!(told(&opened), (vec!["age", "sbp", "note"], 4));
    let notes = opened.columns.iter().find(|column| column.name == "note").unwrap();
    let has_note =
        |handle| [1, 4].map(|id| scene.hospital.handles(Ids::Integers(&[id]))[0]).contains(&handle);
    let expected: Vec<bool> = opened.handles.iter().map(|&handle| has_note(handle)).collect();
    assert_eq!(*notes.is_valid, expected);
}

#[test]
fn a_grant_names_its_holder_and_end_and_is_not_taken_after_it() {
    let scene = scene();
    let share = Share { holder: b"a researcher", end: NOW, ..ALL };
    let grant =
        Grant::decode(&scene.hospital.grant(scene.hospital.node(), &share).unwrap()).unwrap();
    assert_eq!((&grant.holder[..], grant.end), (&b"a researcher"[..], NOW));
    assert_eq!(Grants::default().add_for(b"a researcher", grant.clone(), NOW), Ok(()));
    for holder in [&b""[..], b"a doctor"] {
        let refused = Grants::default().add_for(holder, grant.clone(), NOW);
        assert_eq!(refused, Err(Error::OtherUser));
    }
    assert_eq!(Grants::default().add(grant.clone(), NOW), Err(Error::OtherUser));
    let mut late = Grants::default();
    let ended = Error::GrantEnded { provider: "hospital".into() };
    assert_eq!(late.add_for(b"a researcher", grant, NOW + 1), Err(ended.clone()));
    assert_eq!(ended.to_string(), "the grant of records of provider 'hospital' has expired");
    let (owner, hospital) = (scene.owner.owner(), scene.hospital.node());
    assert!(late.opener(owner, hospital, Epoch::default(), NOW).is_none());
}

#[test]
fn what_a_grant_opened_is_closed_when_it_ends_and_stays_open_by_another() {
    let scene = scene();
    let part = scene.parts().remove(0);
    let give = |portions: Option<&[String]>, ids: Option<&[i64]>, end| {
        let share = Share { ids: ids.map(Ids::Integers), portions, end, ..ALL };
        scene.hospital.grant(scene.hospital.node(), &share).unwrap()
    };
    let of = |grants: &[Zeroizing<Vec<u8>>]| {
        let mut known = Grants::default();
        for grant in grants {
            known.add(Grant::decode(grant).unwrap(), NOW).unwrap();
        }
        known
    };
    let at = |grants: &Grants, now| grants.open_part(&part, &[], &schema(), now);
    let report = |grants: &Grants, now| grants.report_part(&part, &[], &schema(), now);
    let ended = Error::GrantEnded { provider: "hospital".into() };
    let all = of(&[give(None, None, NOW)]);
    assert_eq!(at(&all, NOW).unwrap().handles.len(), 4);
    assert_eq!(at(&all, NOW + 1), Err(ended.clone()));
    let closed = report(&all, NOW + 1);
    assert_eq!(closed.faults.iter().map(|fault| fault.handle).collect::<Vec<_>>(), part.handles);
    assert!(closed.faults.iter().all(|fault| fault.error == ended));
    let empty = Part { handles: Vec::new(), portions: Vec::new(), ..part.clone() };
    assert!(all.open_part(&empty, &[], &schema(), NOW + 1).unwrap().handles.is_empty());

    // What another grant opens too is opened, in whichever order they came.
    for grants in [[NOW, NOW + 1], [NOW + 1, NOW]] {
        let both = of(&grants.map(|end| give(None, None, end)));
        assert_eq!(at(&both, NOW + 1).unwrap().handles.len(), 4);
        assert_eq!(at(&both, NOW + 2), Err(ended.clone()));
    }
    let some = of(&[give(None, Some(&[1, 3]), NOW), give(None, Some(&[3, 4]), NOW + 1)]);
    assert_eq!(at(&some, NOW).unwrap().handles.len(), 3);
    assert_eq!(at(&some, NOW + 1), Err(ended.clone()), "one of them is missing");
    let left = report(&some, NOW + 1);
    let gone = part.handles[scene.position(&part, 1)];
    assert_eq!(
        (left.handles.len(), &left.faults[..]),
        (2, &[Fault { handle: gone, error: ended.clone() }][..])
    );
    let (vitals, text) = (["vitals".to_owned()], ["text".to_owned()]);
    let apart = of(&[give(Some(&vitals), None, NOW), give(Some(&text), None, NOW + 1)]);
    assert_eq!(told(&at(&apart, NOW).unwrap()), (vec!["age", "sbp", "note"], 4));
    assert_eq!(at(&apart, NOW + 1), Err(ended), "a portion is missing");
}

#[test]
fn a_grant_that_was_changed_or_cut_is_refused() {
    let scene = scene();
    let share = Share { ids: Some(Ids::Integers(&[1, 2])), ..ALL };
    for share in [ALL, share] {
        let grant = scene.hospital.grant(scene.hospital.node(), &share).unwrap();
        for at in 0..grant.len() {
            let mut changed = grant.to_vec();
            changed[at] ^= 1;
            assert!(Grant::decode(&changed).is_err(), "byte {at}");
            assert!(Grant::decode(&grant[..at]).is_err(), "cut at {at}");
        }
        assert!(Grant::decode(&[&grant[..], &[0]].concat()).is_err());
    }
}

/// A grant that somebody signs with a key of its own.
fn signed(by: &Keyring, grant: &Grant) -> Result<Grant, Error> {
    let mut message = grant.message();
    let signature = by.sign(&message);
    message.append(&signature);
    Grant::decode(&message)
}

#[test]
fn who_may_not_grant_records_grants_none() {
    let Scene { mut owner, hospital, .. } = scene();
    let clinic = owner.authorize("clinic", &[]).unwrap();
    let ward = owner.authorize("ward", &["hospital"]).unwrap();
    let scope = |by: &Keyring, node: &Node| {
        let (who, what) = (by.node().to_string(), node.to_string());
        Error::from(message::Error::Scope { who, what })
    };
    for (by, node) in
        [(&clinic, hospital.node()), (&hospital, clinic.node()), (&ward, hospital.node())]
    {
        assert_eq!(by.grant(node, &ALL).unwrap_err(), scope(by, node));
    }
    let grant = Grant::decode(&hospital.grant(hospital.node(), &ALL).unwrap()).unwrap();
    assert!(signed(&hospital, &grant).is_ok());
    let forged = |by| signed(by, &grant).unwrap_err();
    let what = "the grant";
    assert_eq!(forged(&clinic), message::Error::Signature { what }.into());
    let refused = |by: &Keyring, provider: &Node| {
        let (issuer, provider) = (by.chain().clone(), provider.clone());
        signed(by, &Grant { issuer, provider, ..grant.clone() }).unwrap_err()
    };
    let no_right = |by: &Keyring, node: &Node| {
        let (who, what) = (by.node().to_string(), format!("grant records of {node}"));
        Error::from(message::Error::Scope { who, what })
    };
    for (by, node) in [(&clinic, hospital.node()), (&ward, hospital.node())] {
        assert_eq!(refused(by, node), no_right(by, node));
    }
    let mut stranger = scene::owner(2);
    let of_stranger = stranger.authorize("hospital", &[]).unwrap();
    let unchained = message::Error::Signature { what: "a certificate" };
    assert_eq!(refused(&of_stranger, hospital.node()), unchained.into());

    // Who was removed grants nothing of the epochs after.
    owner.revoke(&["clinic"]).unwrap();
    let renewed = owner.authorize("hospital", &[]).unwrap();
    assert_eq!(refused(&hospital, renewed.node()), no_right(&hospital, renewed.node()));
    assert!(signed(&renewed, &Grant { issuer: renewed.chain().clone(), ..grant.clone() }).is_ok());
}

#[test]
fn a_renewed_provider_grants_its_records_of_earlier_epochs() {
    let Scene { mut owner, hospital, cloud } = scene();
    owner.authorize("clinic", &[]).unwrap();
    owner.revoke(&["clinic"]).unwrap();
    cloud.enroll(&mut owner);
    let renewed = owner.authorize("hospital", &[]).unwrap();
    cloud.receive(&upload(&renewed, &[(9, 44, None)])).unwrap();
    let parts = cloud.answer(&ask(&owner, &[age(0, 120)])).unwrap().parts;
    let [old, new] =
        [hospital.node(), renewed.node()].map(|node| grants(&[renewed.grant(node, &ALL).unwrap()]));
    let rows = |grants: &Grants| -> Vec<Option<usize>> {
        parts.iter().map(|part| Some(open(grants, part, &[]).ok()?.handles.len())).collect()
    };
    assert_eq!((rows(&old), rows(&new)), (vec![Some(4), None], vec![None, Some(1)]));
    assert!(hospital.grant(renewed.node(), &ALL).is_err());
}

#[test]
fn a_holder_of_a_grant_writes_nothing_that_the_owner_takes() {
    let scene = scene();
    let part = scene.parts().remove(0);
    let grants = scene.granted(None, None);
    let opener = grants.opener(part.owner, &part.provider, part.readers, NOW).unwrap();
    let key = opener.all.as_ref().unwrap();
    // It knows everything that the hospital knows, but for what its author tags are made with.
    let author = Author::new(key);
    let Part { owner: of, provider, readers, upload, .. } = &part;
    let origin = Origin { owner: of, provider, readers: *readers, upload: *upload };
    let names = names(&part);
    let rows: Vec<(Handle, usize)> = part.handles.iter().copied().zip(0..).collect();
    let opened = open(&grants, &part, &[]).unwrap();
    let mut forged = part.clone();
    for portion in &mut forged.portions {
        let columns: Vec<(u32, &Column<'_>)> = (0..)
            .zip(&opened.columns)
            .filter(|(_, column)| match &portion.name[..] {
                "vitals" => column.name == "age" || column.name == "sbp",
                "text" => column.name == "note",
                _ => column.name == "id",
            })
            .collect();
        let made = seal(
            key,
            &author,
            origin,
            (&portion.name, &names),
            &columns,
            (Some("id"), None),
            &rows,
        )
        .unwrap();
        assert_eq!(made.layout, portion.layout);
        *portion = made;
    }
    assert_eq!(
        open(&grants, &forged, &[]).unwrap().handles,
        part.handles,
        "readers check signatures"
    );
    for keyring in [&scene.owner, &scene.hospital] {
        assert_eq!(keyring.open_part(&forged, &[]), Err(Error::Author { position: 0 }));
    }

    // One forged record beside true ones; also with the tag of the true one.
    let at = scene.position(&part, 3);
    for with_true_tag in [false, true] {
        let mut mixed = part.clone();
        let mut records = Blobs::default();
        for row in 0..part.handles.len() {
            let genuine = part.portions[1].records.get(row);
            let (sealed, tag) = split(forged.portions[1].records.get(row)).unwrap();
            let tag = if with_true_tag { split(genuine).unwrap().1 } else { tag };
            let lie = [&sealed[..sealed.len() - 1], &[sealed[sealed.len() - 1]], tag].concat();
            records.push(if row == at { &lie } else { genuine });
        }
        mixed.portions[1].records = records;
        let is_same = mixed == part;
        assert_eq!(is_same, with_true_tag, "what was sealed alike is the same record");
        if !is_same {
            let error = Error::Author { position: at };
            assert_eq!(scene.owner.open_part(&mixed, &[]), Err(error));
            let reported = scene.owner.report_part(&mixed, &[]);
            assert_eq!((reported.handles.len(), reported.faults.len()), (3, 1));
            assert_eq!(reported.faults[0].handle, part.handles[at]);
            assert_eq!(reported.faults[0].cause(), "the record was not written by its provider");
        }
    }
}

#[test]
fn a_record_with_other_contents_under_the_true_tag_is_noticed() {
    let scene = scene();
    let part = scene.parts().remove(0);
    let grants = scene.granted(None, None);
    let opener = grants.opener(part.owner, &part.provider, part.readers, NOW).unwrap();
    let key = opener.all.as_ref().unwrap();
    let Part { owner: of, provider, readers, upload, .. } = &part;
    let origin = Origin { owner: of, provider, readers: *readers, upload: *upload };
    let names = names(&part);
    let mut opened = open(&grants, &part, &[]).unwrap();
    let note = opened.columns.iter_mut().find(|column| column.name == "note").unwrap();
    let texts: Vec<String> = part.handles.iter().map(|_| "999 mg".to_owned()).collect();
    let ends = (1..=texts.len() as u64).map(|at| 6 * at).collect::<Vec<_>>();
    note.values = crate::party::columns::Values::Text(
        wire::Packed::new(ends, texts.concat().into_bytes()).unwrap(),
    );
    let rows: Vec<(Handle, usize)> = part.handles.iter().copied().zip(0..).collect();
    let note = opened.columns.iter().find(|column| column.name == "note").unwrap();
    let made = seal(
        key,
        &Author::new(key),
        origin,
        ("text", &names),
        &[(3, note)],
        (Some("id"), None),
        &rows,
    )
    .unwrap();
    let mut forged = part.clone();
    let mut records = Blobs::default();
    for row in 0..rows.len() {
        let (sealed, _) = split(made.records.get(row)).unwrap();
        let (_, tag) = split(part.portions[1].records.get(row)).unwrap();
        records.push(&[sealed, tag].concat());
    }
    forged.portions[1].records = records;
    assert!(open(&grants, &forged, &[]).is_ok());
    assert_eq!(scene.owner.open_part(&forged, &[]), Err(Error::Author { position: 0 }));
}

#[test]
fn a_new_readers_epoch_closes_new_records_to_old_grants() {
    let Scene { mut owner, mut hospital, cloud } = scene();
    let before = grants(&[hospital.grant(hospital.node(), &ALL).unwrap()]);
    let some = Share { ids: Some(Ids::Integers(&[1, 5])), ..ALL };
    let some = grants(&[hospital.grant(hospital.node(), &some).unwrap()]);
    owner.renew_readers(&[]).unwrap();
    cloud.enroll(&mut owner);
    assert!(cloud.receive(&upload(&hospital, &[(5, 80, None)])).is_err(), "it was not told yet");
    hospital.catch_up(&cloud.announcements(&owner)).unwrap();
    cloud.receive(&upload(&hospital, &[(5, 80, None)])).unwrap();
    let parts = cloud.answer(&ask(&owner, &[age(0, 120)])).unwrap().parts;
    let rows = |grants: &Grants| -> Vec<usize> {
        parts.iter().map(|part| open(grants, part, &[]).unwrap().handles.len()).collect()
    };
    assert_eq!(rows(&before), [4, 0]);
    assert_eq!(rows(&some), [1, 0]);
    let after = grants(&[hospital.grant(hospital.node(), &ALL).unwrap()]);
    assert_eq!(rows(&after), [4, 1], "both readers' epochs");
    let grant = Grant::decode(&owner.grant(hospital.node(), &ALL).unwrap()).unwrap();
    assert_eq!(grant.openers.keys().map(|readers| readers.number).collect::<Vec<_>>(), [0, 1]);
    let [old, new] = [0, 1].map(|at| &grant.openers.values().nth(at).unwrap().all);
    let keys = [old, new].map(|key| *key.as_ref().unwrap().expose());
    assert_ne!(keys[0], keys[1]);
    for keyring in [&owner, &hospital] {
        let opened = parts.iter().map(|part| keyring.open_part(part, &[]).unwrap().handles.len());
        assert_eq!(opened.collect::<Vec<_>>(), [4, 1]);
    }

    // Two copies that let a reader leave lead to other keys.
    let mut other = copy(&owner);
    owner.renew_readers(&[]).unwrap();
    other.renew_readers(&[]).unwrap();
    let [one, other] = [&owner, &other].map(|by| *by.readers_of(hospital.node()).last().unwrap());
    assert!(one.number == other.number && one != other);
}

#[test]
fn a_record_that_is_moved_to_another_portion_does_not_open() {
    let scene = scene();
    let part = scene.parts().remove(0);
    let mut moved = part.clone();
    moved.portions.swap(0, 1);
    assert_eq!(scene.owner.open_part(&moved, &[]), Err(Error::Layout), "the order is bound");
    let (name, other) = (part.portions[0].name.clone(), part.portions[1].name.clone());
    (moved.portions[0].name, moved.portions[1].name) = (name, other);
    assert_eq!(scene.owner.open_part(&moved, &[]), Err(Error::Layout));
}

#[test]
fn a_portion_that_is_left_out_renamed_or_brought_from_elsewhere_is_noticed_by_everybody() {
    let scene = scene();
    let part = scene.parts().remove(0);
    let all = scene.granted(None, None);
    let text = scene.granted(Some(&["text"]), None);
    let refused = |part: &Part| {
        assert_eq!(scene.owner.open_part(part, &[]), Err(Error::Layout));
        assert_eq!(scene.hospital.open_part(part, &[]), Err(Error::Layout));
        assert_eq!(open(&all, part, &[]).unwrap_err(), Error::Layout);
    };
    for at in 0..part.portions.len() {
        let mut without = part.clone();
        let left_out = without.portions.remove(at);
        refused(&without);
        if left_out.name != "text" {
            assert_eq!(open(&text, &without, &[]).unwrap_err(), Error::Layout);
        }
        let mut renamed = part.clone();
        renamed.portions[at].name += "s";
        refused(&renamed);
        let mut doubled = part.clone();
        doubled.portions.push(left_out);
        refused(&doubled);
    }
    refused(&Part { portions: Vec::new(), ..part.clone() });
    assert!(open(&text, &part, &[]).is_ok());
}
