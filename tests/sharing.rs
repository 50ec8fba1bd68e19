//! Users with keys of their own: what is sealed to one, by whom it is opened, and what is refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/readers.rs"]
mod readers;
#[path = "support/scene.rs"]
mod scene;

use mopse::cipher::password::{Ceiling, Cost};
use mopse::keys::Key;
use mopse::party::grants::{Grant, Grants, Share};
use mopse::party::proving::Seals;
use mopse::party::records::Ids;
use mopse::party::shares::{GivenScope, KeptIds, Scope, UserName};
use mopse::party::{Keyring, saved};
use mopse::sharing::user::{Accepted, Algorithm, Public, User};
use mopse::sharing::{self, Error};
use mopse::{message, party};
use proptest::prelude::*;
use readers::{Holder, Scene, all_of, scene, user};
use scene::{NOW, copy, schema, upload};
use serde::Deserialize;

const CHEAP: Cost = Cost { memory: 8, passes: 1, lanes: 1 };
const BOTH: [Algorithm; 2] = [Algorithm::X25519, Algorithm::XWing];

fn found(opened: &[(&str, Option<usize>)]) -> Vec<(String, Option<usize>)> {
    opened.iter().map(|(path, count)| ((*path).to_owned(), *count)).collect()
}

#[test]
fn what_is_shared_with_a_user_is_opened_by_it() {
    for algorithm in BOTH {
        let mut scene = scene();
        let (mut doctor, mut grants) = (user(7, algorithm), Grants::default());
        let sealed = sharing::share(&mut scene.owner, doctor.public(), all_of("hospital")).unwrap();
        let Accepted::Grant(given) = doctor.accept(&mut grants, &sealed, NOW).unwrap() else {
            panic!("it is no right to search")
        };
        assert_eq!(given.head.owner, scene.owner.owner());
        assert_eq!(given.head.schema.digest(), schema().digest());
        assert_eq!(given.grant.holder, doctor.public().name());
        assert_eq!(scene.opened(&grants), found(&[("clinic", None), ("hospital", Some(3))]));
        // A provider shares its own.
        let ids = Some(KeptIds::of(Ids::Integers(&[2, 3])).unwrap());
        let some = Scope { ids, ..all_of("clinic") };
        let sealed = sharing::share(&mut scene.clinic, doctor.public(), some).unwrap();
        doctor.accept(&mut grants, &sealed, NOW).unwrap();
        assert_eq!(scene.opened(&grants), found(&[("clinic", Some(2)), ("hospital", Some(3))]));
        // What comes again adds nothing.
        doctor.accept(&mut grants, &sealed, NOW).unwrap();
        assert_eq!(doctor.given().unwrap().len(), 2);
    }
}

#[test]
fn nobody_else_opens_what_is_sealed_to_a_user() {
    for algorithm in BOTH {
        let mut scene = scene();
        let doctor = user(7, algorithm);
        let sealed = sharing::share(&mut scene.owner, doctor.public(), all_of("hospital")).unwrap();
        for other in BOTH.map(|algorithm| user(8, algorithm)) {
            let mut grants = Grants::default();
            let mut other = other;
            let refused = other.accept(&mut grants, &sealed, NOW).map(drop);
            assert_eq!(refused, Err(Error::OtherUser));
            // Also if it says that it is for that one.
            let mut renamed = sealed.clone();
            renamed[41..73].copy_from_slice(&other.public().name());
            renamed[73] = if other.public().encode().len() > 1000 { 2 } else { 1 };
            assert!(other.accept(&mut grants, &renamed, NOW).is_err());
            assert!(scene.opened(&grants).iter().all(|(_, count)| count.is_none()));
        }
        // No grant that names a holder is anybody's who has it.
        let given = doctor.open(&sealed).unwrap();
        let start = given.windows(8).position(|some| some == b"MOPSEGRT").unwrap();
        let length = u64::from_le_bytes(given[start - 8..start].try_into().unwrap());
        let grant = &given[start..start + usize::try_from(length).unwrap()];
        let grant = Grant::decode(grant).unwrap();
        assert_eq!(Grants::default().add(grant, NOW), Err(party::Error::OtherUser));
    }
}

#[test]
fn what_was_changed_or_cut_is_refused() {
    for algorithm in BOTH {
        let mut scene = scene();
        let mut doctor = user(7, algorithm);
        let sealed = sharing::share(&mut scene.owner, doctor.public(), all_of("hospital")).unwrap();
        let public = doctor.public().encode().to_vec();
        let step = if algorithm == Algorithm::XWing { 13 } else { 1 };
        for at in (0..sealed.len()).step_by(step) {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let mut grants = Grants::default();
            assert!(doctor.accept(&mut grants, &changed, NOW).is_err(), "byte {at}");
            assert!(doctor.accept(&mut grants, &sealed[..at], NOW).is_err(), "cut at {at}");
        }
        for at in (0..public.len()).step_by(step) {
            let mut changed = public.clone();
            changed[at] ^= 1;
            assert!(Public::decode(&changed).is_err(), "byte {at}");
            assert!(Public::decode(&public[..at]).is_err(), "cut at {at}");
        }
        assert!(Public::decode(&[&public[..], &[0]].concat()).is_err());
        assert_eq!(doctor.given().unwrap().len(), 0);
    }
}

#[test]
fn who_may_not_give_a_grant_gives_none() {
    let Scene { mut owner, mut hospital, .. } = scene();
    let doctor = user(7, Algorithm::X25519);
    let refused = sharing::share(&mut hospital, doctor.public(), all_of("clinic"));
    assert!(matches!(refused, Err(Error::Party(party::Error::UnknownProvider { .. }))));
    let refused = sharing::share(&mut owner, doctor.public(), all_of("nobody"));
    assert!(matches!(refused, Err(Error::Party(party::Error::UnknownProvider { .. }))));
    assert_eq!((owner.shared().len(), hospital.shared().len()), (0, 0));
    // A stranger's grant in this owner's name does not open: whose it is, is sealed with it.
    let mut stranger = scene::owner(9);
    stranger.authorize("hospital", &[]).unwrap();
    let mut doctor = doctor;
    let mut sealed = sharing::share(&mut stranger, doctor.public(), all_of("hospital")).unwrap();
    sealed[9..41].copy_from_slice(&owner.owner().0);
    let mut grants = Grants::default();
    assert_eq!(doctor.accept(&mut grants, &sealed, NOW).map(drop), Err(Error::Sealed));
}

#[test]
fn a_grant_that_has_ended_is_not_taken() {
    let mut scene = scene();
    let (mut doctor, mut grants) = (user(7, Algorithm::X25519), Grants::default());
    let scope = Scope { end: NOW - 1, ..all_of("hospital") };
    let sealed = sharing::share(&mut scene.owner, doctor.public(), scope).unwrap();
    let ended = party::Error::GrantEnded { provider: "hospital".into() };
    assert_eq!(doctor.accept(&mut grants, &sealed, NOW).map(drop), Err(ended.into()));
    assert_eq!(doctor.given().unwrap().len(), 0);
}

/// Two users who were given all of the hospital's records.
fn two_readers() -> (Scene, [Holder; 2]) {
    let (mut scene, mut holders) = (scene(), [7, 8].map(Holder::new));
    for holder in &mut holders {
        let sealed =
            sharing::share(&mut scene.owner, holder.0.public(), all_of("hospital")).unwrap();
        holder.accept(&sealed);
    }
    (scene, holders)
}

#[test]
fn who_leaves_opens_nothing_that_is_sealed_from_then_on_and_who_stays_does() {
    let mut scene = scene();
    let [mut leaver, mut stayer, mut other] = [7, 8, 9].map(Holder::new);
    let mut give = |holder: &mut Holder, scope| {
        holder.accept(&sharing::share(&mut scene.owner, holder.0.public(), scope).unwrap());
    };
    give(&mut leaver, all_of("hospital"));
    give(&mut stayer, all_of("hospital"));
    give(&mut stayer, all_of("clinic"));
    give(&mut other, Scope { end: NOW, ..all_of("hospital") });

    let name = leaver.0.public().name();
    let anew = sharing::unshare(&mut scene.owner, &name, NOW + 1).unwrap();
    assert_eq!(anew.len(), 1, "what has ended is not given anew");
    assert_eq!(anew[0].0, stayer.0.public().encode());
    assert_eq!(anew[0].1.len(), 2, "both providers are of the group whose readers are new");
    scene.announce();
    scene.cloud.receive(&upload(&scene.hospital, &[(9, 44, None)])).unwrap();

    let of = |count| found(&[("clinic", Some(3)), ("hospital", Some(3)), ("hospital", count)]);
    let sorted = |mut opened: Vec<(String, Option<usize>)>| {
        opened.sort();
        opened
    };
    assert_eq!(
        sorted(scene.opened(&leaver.1)),
        sorted(found(&[("clinic", None), ("hospital", Some(0)), ("hospital", Some(3))]))
    );
    let before = scene.opened(&stayer.1);
    assert_eq!(sorted(before), sorted(of(Some(0))), "until it has the new grants");
    anew[0].1.iter().for_each(|sealed| stayer.accept(sealed));
    assert_eq!(sorted(scene.opened(&stayer.1)), sorted(of(Some(1))));

    // Given again, it serves who stays again, in the same epoch.
    let again = sharing::unshare(&mut scene.owner, &name, NOW + 1).unwrap();
    assert_eq!((again.len(), again[0].1.len()), (1, 2));
    scene.cloud.receive(&upload(&scene.hospital, &[(10, 45, None)])).unwrap();
    let stranger = user(10, Algorithm::X25519).public().name();
    assert_eq!(
        sharing::unshare(&mut scene.owner, &stranger, NOW).map(drop),
        Err(party::Error::NotShared.into())
    );
    let left: Vec<_> = scene.owner.shared().into_iter().map(|(name, _)| name).collect();
    let mut expected = [&stayer, &other].map(|holder| holder.0.public().name());
    expected.sort_unstable();
    assert_eq!(left, expected);
}

#[test]
fn a_keyring_from_a_backup_serves_nobody_who_may_have_left() {
    let (mut scene, [one, two]) = two_readers();
    let mut backup = copy(&scene.owner);
    let name = one.0.public().name();
    let anew = sharing::unshare(&mut scene.owner, &name, NOW).unwrap();
    assert_eq!(anew.len(), 1);
    scene.cloud.enroll(&mut scene.owner);
    let announced = scene.cloud.gate.announcements(&scene.owner.owner()).unwrap();
    assert!(backup.catch_up(&announced).unwrap());
    let standing = |owner: &Keyring| -> Vec<bool> {
        owner.shared().iter().flat_map(|(_, scopes)| scopes.iter().map(|of| of.1)).collect()
    };
    assert_eq!(standing(&backup), [false, false], "it does not know what was given since");
    assert_eq!(standing(&scene.owner), [true]);
    let anew = sharing::unshare(&mut backup, &two.0.public().name(), NOW).unwrap();
    assert!(anew.is_empty(), "it may be the first who left");
}

#[test]
fn what_was_given_before_a_revocation_is_not_current() {
    let mut scene = scene();
    let doctor = user(7, Algorithm::X25519);
    let standing = |owner: &Keyring| owner.shared()[0].1[0].1;
    sharing::share(&mut scene.owner, doctor.public(), all_of("hospital")).unwrap();
    assert!(standing(&scene.owner));
    scene.owner.revoke(&["clinic"]).unwrap();
    assert!(!standing(&scene.owner), "the hospital has other keys since");
    assert!(!standing(&copy(&scene.owner)));
    sharing::share(&mut scene.owner, doctor.public(), all_of("hospital")).unwrap();
    assert!(standing(&scene.owner));
}

#[test]
fn what_no_cloud_ever_knew_is_not_taken_back() {
    let (mut scene, [one, two]) = two_readers();
    // Another copy announces something meanwhile, and this one takes somebody back alone.
    let mut copy = copy(&scene.owner);
    copy.authorize("lab", &[]).unwrap();
    scene.cloud.enroll(&mut copy);
    let name = one.0.public().name();
    sharing::unshare(&mut scene.owner, &name, NOW).unwrap();
    assert!(scene.cloud.try_enroll(&mut scene.owner).is_err());
    let announced = scene.cloud.gate.announcements(&scene.owner.owner()).unwrap();
    assert!(scene.owner.catch_up(&announced).unwrap());
    assert_eq!(scene.owner.shared().len(), 2, "it is undone, and can be done again");
    let anew = sharing::unshare(&mut scene.owner, &name, NOW).unwrap();
    assert_eq!(anew.len(), 1);
    assert_eq!(anew[0].0, two.0.public().encode());
    scene.cloud.enroll(&mut scene.owner);
    assert_eq!(scene.owner.shared().len(), 1);
}

#[test]
fn a_providers_own_readers_are_its_authoritys_to_renew() {
    let mut scene = scene();
    let doctor = user(7, Algorithm::X25519);
    sharing::share(&mut scene.hospital, doctor.public(), all_of("hospital")).unwrap();
    let refused = sharing::unshare(&mut scene.hospital, &doctor.public().name(), NOW);
    assert!(matches!(
        refused,
        Err(Error::Party(party::Error::Message(message::Error::Scope { .. })))
    ));
    assert_eq!(scene.hospital.shared().len(), 1, "nothing has changed");
    // Those of a ward below it are its own.
    scene.hospital.authorize("ward", &[]).unwrap();
    let nurse = user(8, Algorithm::X25519);
    sharing::share(&mut scene.hospital, nurse.public(), all_of("hospital/ward")).unwrap();
    let anew = sharing::unshare(&mut scene.hospital, &nurse.public().name(), NOW).unwrap();
    assert!(anew.is_empty());
}

#[test]
fn a_keyring_remembers_with_whom_it_shares_what() {
    let mut scene = scene();
    let [doctor, nurse] = [7, 8].map(|byte| user(byte, Algorithm::X25519));
    let texts = mopse::wire::Packed::new(vec![1, 3], b"abc".to_vec()).unwrap();
    let scopes = [
        all_of("hospital"),
        Scope { ids: Some(KeptIds::of(Ids::Integers(&[5, -1])).unwrap()), ..all_of("clinic") },
        Scope { ids: Some(KeptIds::of(Ids::Texts(&texts)).unwrap()), end: NOW, ..all_of("clinic") },
        Scope { portions: Some(vec!["rest".into(), "files".into()]), ..all_of("hospital") },
    ];
    for (to, scope) in [&doctor, &nurse, &doctor, &doctor, &doctor]
        .into_iter()
        .zip([&scopes[0], &scopes[1], &scopes[2], &scopes[3], &scopes[0]])
    {
        sharing::share(&mut scene.owner, to.public(), scope.clone()).unwrap();
    }
    let told = |owner: &Keyring| -> Vec<(UserName, Vec<Scope>)> {
        let of = |(name, scopes): (UserName, Vec<(&GivenScope, bool)>)| {
            assert!(scopes.iter().all(|(_, is_current)| *is_current));
            (name, scopes.into_iter().map(|(given, _)| given.scope.clone()).collect())
        };
        owner.shared().into_iter().map(of).collect()
    };
    let again = copy(&scene.owner);
    assert_eq!(told(&again), told(&scene.owner));
    let of_doctor = told(&again).into_iter().find(|(name, _)| *name == doctor.public().name());
    // The first was given again at the end.
    let expected = vec![scopes[2].clone(), scopes[3].clone(), scopes[0].clone()];
    assert_eq!(of_doctor.unwrap().1, expected);
}

#[test]
fn a_user_is_saved_and_opened_with_what_it_was_given() {
    for algorithm in BOTH {
        let mut scene = scene();
        let (mut doctor, mut grants) = (user(7, algorithm), Grants::default());
        for provider in ["hospital", "clinic"] {
            let sealed =
                sharing::share(&mut scene.owner, doctor.public(), all_of(provider)).unwrap();
            doctor.accept(&mut grants, &sealed, NOW).unwrap();
        }
        let file = doctor.save(&Seals::default(), b"password", CHEAP).unwrap();
        let (again, grants, seals) = User::restore(Ceiling::default(), &file, b"password").unwrap();
        assert_eq!(again.public(), doctor.public());
        assert_eq!(again.given().unwrap().len(), 2);
        assert!(seals.seen().unwrap().is_empty());
        assert_eq!(scene.opened(&grants), found(&[("clinic", Some(3)), ("hospital", Some(3))]));
        let wrong = User::restore(Ceiling::default(), &file, b"another").map(drop).unwrap_err();
        assert_eq!(wrong.to_string(), "the password is wrong");
        let other = saved::open(&file, b"password", saved::Kind::Owner).map(drop).unwrap_err();
        assert!(matches!(other, party::Error::OtherKind { .. }));
        for at in (0..file.len()).step_by(7) {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(User::restore(Ceiling::default(), &changed, b"password").is_err(), "{at}");
        }
        assert!(!format!("{doctor:?}").contains("key: Key"), "{doctor:?}");
    }
}

#[test]
fn what_a_holder_of_a_grant_makes_is_no_grant() {
    // A reader shares on what it has: it can hand its keys over, and cannot have it signed.
    let scene = scene();
    let share = Share { ids: None, portions: None, holder: b"", end: NOW };
    let grant = scene.hospital.grant(scene.hospital.node(), &share).unwrap();
    let doctor = user(7, Algorithm::X25519);
    let sealed = doctor.public().seal(&scene.owner.owner(), &grant).unwrap();
    let mut doctor = doctor;
    assert!(doctor.accept(&mut Grants::default(), &sealed, NOW).is_err());
}

#[derive(Deserialize)]
struct Vectors {
    users: Vec<Case>,
}

/// A user by its key, and what other code has sealed to it.
#[derive(Deserialize)]
struct Case {
    algorithm: u8,
    #[serde(with = "hex")]
    key: Vec<u8>,
    #[serde(with = "hex")]
    public: Vec<u8>,
    #[serde(with = "hex")]
    given: Vec<u8>,
    #[serde(with = "hex")]
    sealed: Vec<u8>,
}

#[test]
fn what_other_code_sealed_is_opened() {
    let vectors: Vectors = serde_json::from_str(include_str!("vectors/users.json")).unwrap();
    assert_eq!(vectors.users.len(), 2);
    for case in vectors.users {
        let algorithm = BOTH[usize::from(case.algorithm) - 1];
        let user = User::of(algorithm, Key::from_bytes(&case.key).unwrap());
        assert_eq!(user.public().encode(), case.public);
        assert_eq!(Public::decode(&case.public).unwrap(), *user.public());
        assert_eq!(*user.open(&case.sealed).unwrap(), case.given);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(scene::cases(64)))]

    #[test]
    fn bytes_of_any_kind_are_read_or_refused(
        noise in proptest::collection::vec(any::<u8>(), 0..200),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut scene = scene();
        let mut doctor = user(7, Algorithm::X25519);
        let sealed = sharing::share(&mut scene.owner, doctor.public(), all_of("hospital")).unwrap();
        let given = doctor.open(&sealed).unwrap().to_vec();
        for whole in [&sealed, &given, &doctor.public().encode().to_vec()] {
            let mut changed = whole.clone();
            for (at, byte) in &changes {
                let at = at.index(changed.len());
                changed[at] = *byte;
            }
            let same = changed == *whole;
            let shorter = changed[..cut.index(changed.len())].to_vec();
            for bytes in [&changed, &shorter, &noise] {
                let resealed = doctor.public().seal(&scene.owner.owner(), bytes).unwrap();
                let mut grants = Grants::default();
                let taken = [
                    doctor.accept(&mut grants, bytes, NOW).is_ok(),
                    doctor.accept(&mut grants, &resealed, NOW).is_ok(),
                    Public::decode(bytes).is_ok(),
                ];
                prop_assert!(same || !taken.contains(&true));
            }
        }
    }
}
