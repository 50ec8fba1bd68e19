//! Users who make tokens of their own: what they find, what the cloud holds them to, and how it ends.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/scene.rs"]
mod scene;

use std::collections::BTreeSet;

use mopse::cipher::password::{Ceiling, Cost};
use mopse::keys::Key;
use mopse::party::asking::Range;
use mopse::party::grants::Grants;
use mopse::party::proving::Seals;
use mopse::party::rights::{OpenRange, Terms};
use mopse::party::shares::Scope;
use mopse::party::{Keyring, saved};
use mopse::sharing::user::{Accepted, Algorithm, User};
use mopse::sharing::{self, Error};
use mopse::{cloud, message, party};
use proptest::prelude::*;
use scene::{Cloud, NOW, Row, age, ask, copy, owner, sbp, upload};

const CHEAP: Cost = Cost { memory: 8, passes: 1, lanes: 1 };

fn user(byte: u8) -> User {
    User::of(Algorithm::X25519, Key::from_bytes(&[byte; 32]).unwrap())
}

fn terms(ranges: &[Range]) -> Terms {
    Terms { ranges: ranges.to_vec(), under: String::new(), end: u64::MAX }
}

fn open(field: &str, low: impl Into<Option<i64>>, high: impl Into<Option<i64>>) -> OpenRange {
    OpenRange { field: field.to_owned(), low: low.into(), high: high.into() }
}

/// An owner with a hospital that has a ward, and a clinic, each with a record of every tenth age.
struct Scene {
    owner: Keyring,
    cloud: Cloud,
    user: User,
    grants: Grants,
}

/// Ages from 0 to 120, a pressure of 100 and the age where the age is no multiple of 20.
fn rows() -> Vec<Row> {
    (0..=12).map(|at| (at, 10 * at, (at % 2 == 1).then_some(100 + 10 * at))).collect()
}

fn scene() -> Scene {
    let mut owner = owner(1);
    let places = [("hospital", &[][..]), ("ward", &["hospital"]), ("clinic", &[])];
    let providers = places.map(|(name, under)| owner.authorize(name, under).unwrap());
    let cloud = Cloud::of(&mut owner);
    for provider in &providers {
        cloud.receive(&upload(provider, &rows())).unwrap();
    }
    Scene { owner, cloud, user: user(7), grants: Grants::default() }
}

impl Scene {
    fn give(&mut self, terms: Terms) {
        let sealed = sharing::delegate(&mut self.owner, self.user.public(), terms, NOW).unwrap();
        let taken = self.user.accept(&mut self.grants, &sealed, NOW).unwrap();
        assert!(matches!(taken, Accepted::Right(of, _) if of == self.owner.owner()));
    }

    fn query(&self, asked: &[OpenRange]) -> Result<(Vec<u8>, Vec<Range>), Error> {
        self.user.query(self.owner.owner(), None, asked, NOW, NOW)
    }

    /// The path and the place in the table of all that a query finds, by order.
    fn found(&self, query: &[u8]) -> BTreeSet<(String, u128)> {
        let parts = self.cloud.answer(query).unwrap().parts;
        let of = |part: &message::answer::Part| {
            let path = part.provider.path();
            part.handles.iter().map(move |&handle| (path.clone(), handle)).collect::<Vec<_>>()
        };
        parts.iter().flat_map(of).collect()
    }
}

#[test]
fn a_user_finds_by_itself_what_the_owner_finds_for_all_ranges() {
    let mut scene = scene();
    scene.give(terms(&[age(20, 90), sbp(0, 170)]));
    for (low, high) in [(20, 90), (30, 70), (31, 39), (50, 50)] {
        let (query, ranges) = scene.query(&[open("age", low, high)]).unwrap();
        assert_eq!(ranges, [age(low, high), sbp(0, 170)]);
        let by_owner = ask(&scene.owner, &[age(low, high), sbp(0, 170)]);
        assert_eq!(scene.found(&query), scene.found(&by_owner), "{low} to {high}");
    }
    let (all, ranges) = scene.query(&[open("sbp", None, None)]).unwrap();
    assert_eq!(ranges, [age(20, 90), sbp(0, 170)]);
    // Ages 30, 50 and 70 have a pressure up to 170, at three providers.
    assert_eq!(scene.found(&all).len(), 9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(scene::cases(24)))]

    #[test]
    fn any_right_and_any_query_within_it_find_what_plain_ranges_do(
        ends in proptest::array::uniform4(0..=120_i64),
        pressures in proptest::array::uniform2(0..=300_i64),
    ) {
        let mut scene = scene();
        let mut ends = ends;
        ends.sort_unstable();
        let [least, low, high, most] = ends;
        let [one, other] = pressures;
        let pressure = sbp(one.min(other), one.max(other));
        scene.give(terms(&[pressure.clone(), age(least, most)]));
        let (query, _) = scene.query(&[open("age", low, high)]).unwrap();
        let is_found = |(_, age, sbp): &&Row| {
            (low..=high).contains(age)
                && sbp.is_some_and(|sbp| (pressure.low..=pressure.high).contains(&sbp))
        };
        prop_assert_eq!(scene.found(&query).len(), 3 * rows().iter().filter(is_found).count());
    }
}

#[test]
fn what_lies_outside_of_a_right_is_not_asked_for() {
    let mut scene = scene();
    let why = |scene: &Scene, asked: &[OpenRange]| match scene.query(asked) {
        Err(Error::Party(error)) => error,
        outcome => panic!("{outcome:?}"),
    };
    assert_eq!(why(&scene, &[open("age", 1, 2)]), party::Error::NoRight);
    scene.give(terms(&[age(20, 90)]));
    let outside = || party::Error::OutsideRight { field: "age".to_owned() };
    for (low, high) in [(19, 30), (30, 91), (0, 120), (91, 95), (40, 39)] {
        assert_eq!(why(&scene, &[open("age", low, high)]), outside());
    }
    let none = party::Error::NotDelegated { field: "sbp".to_owned() };
    assert_eq!(why(&scene, &[open("age", 30, 40), open("sbp", 1, 2)]), none);
    let twice = party::Error::TwoRanges { field: "age".to_owned() };
    assert_eq!(why(&scene, &[open("age", 30, 40), open("age", 30, 35)]), twice);
    scene.give(terms(&[age(50, 120)]));
    assert_eq!(why(&scene, &[open("age", 60, 70)]), party::Error::WhichRight { got: 2 });
    let numbers: Vec<u128> = scene.user.rights().map(|right| right.right.id).collect();
    let asked = [open("age", 60, 70)];
    for number in numbers {
        let query = scene.user.query(scene.owner.owner(), Some(number), &asked, NOW, NOW);
        assert_eq!(scene.found(&query.unwrap().0).len(), 6);
    }
    let (empty, ranges) = scene
        .user
        .query(
            scene.owner.owner(),
            Some(scene.user.rights().next().unwrap().right.id),
            &[],
            NOW,
            NOW,
        )
        .unwrap();
    assert!(scene.found(&empty).is_empty() && ranges.is_empty());
}

#[test]
fn searching_and_reading_are_two_rights() {
    let mut scene = scene();
    scene.give(terms(&[age(0, 60)]));
    let (query, ranges) = scene.query(&[open("age", 50, None)]).unwrap();
    let parts = scene.cloud.answer(&query).unwrap().parts;
    assert_eq!(parts.len(), 3);
    let opened = |grants: &Grants, part| grants.open_part(part, &ranges, &scene::schema(), NOW);
    assert!(parts.iter().all(|part| opened(&scene.grants, part).is_err()), "searching alone");
    let scope = Scope { provider: "clinic".into(), ids: None, portions: None, end: u64::MAX };
    let mut reader = user(8);
    let sealed = sharing::share(&mut scene.owner, reader.public(), scope.clone()).unwrap();
    let mut grants = Grants::default();
    reader.accept(&mut grants, &sealed, NOW).unwrap();
    let asked = reader.query(scene.owner.owner(), None, &[open("age", 50, 60)], NOW, NOW);
    assert_eq!(asked, Err(party::Error::NoRight.into()), "reading alone");
    let sealed = sharing::share(&mut scene.owner, scene.user.public(), scope).unwrap();
    scene.user.accept(&mut scene.grants, &sealed, NOW).unwrap();
    let both = parts.iter().filter_map(|part| opened(&scene.grants, part).ok());
    assert_eq!(both.map(|opened| opened.handles.len()).collect::<Vec<_>>(), [2], "both");
}

#[test]
fn a_right_that_is_taken_back_ends_and_others_are_given_theirs_anew() {
    let mut scene = scene();
    scene.give(terms(&[age(0, 60)]));
    let (mut stays, mut below) = (user(8), user(9));
    let mut grants = Grants::default();
    let mut give = |user: &mut User, terms| {
        let sealed = sharing::delegate(&mut scene.owner, user.public(), terms, NOW).unwrap();
        user.accept(&mut grants, &sealed, NOW).unwrap();
    };
    give(&mut stays, terms(&[age(0, 120)]));
    give(&mut below, Terms { under: "hospital".into(), ..terms(&[age(0, 120)]) });
    let query_of = |user: &User, owner: &Keyring| {
        user.query(owner.owner(), None, &[open("age", 50, 60)], NOW, NOW).unwrap().0
    };
    assert_eq!(scene.found(&query_of(&below, &scene.owner)).len(), 2, "the ward alone");
    let left = scene.user.public().name();
    let anew = sharing::unshare(&mut scene.owner, &left, NOW).unwrap();
    let cloud = copy(&scene.owner).announcements().map(|_| &scene.cloud).unwrap();
    cloud.enroll(&mut scene.owner);
    let refused =
        |outcome| matches!(outcome, Err(cloud::Error::Message(message::Error::RightEnded { .. })));
    for user in [&scene.user, &stays] {
        assert!(refused(scene.cloud.answer(&query_of(user, &scene.owner))));
    }
    assert_eq!(anew.len(), 2, "whoever has a right of the same readers");
    for (public, sealed) in &anew {
        let user = if public == stays.public().encode() { &mut stays } else { &mut below };
        for sealed in sealed {
            user.accept(&mut grants, sealed, NOW).unwrap();
        }
        assert_eq!(user.rights().count(), 1, "the same right");
    }
    assert_eq!(scene.found(&query_of(&stays, &scene.owner)).len(), 6);
    let rights = scene.owner.rights();
    let names: Vec<_> = rights.iter().map(|(user, _, is_current)| (*user, *is_current)).collect();
    assert!(!names.iter().any(|(user, _)| *user == left) && names.len() == 2);
    assert!(names.iter().all(|(_, is_current)| *is_current));
    // Again, though nothing is left to be ended.
    let again = sharing::unshare(&mut scene.owner, &left, NOW).unwrap();
    assert_eq!(again.len(), 2);
    let before = sharing::unshare(&mut scene.owner, &user(30).public().name(), NOW);
    assert_eq!(before, Err(party::Error::NotShared.into()));
}

#[test]
fn a_right_is_kept_in_both_files() {
    let mut scene = scene();
    scene.give(terms(&[age(20, 60), sbp(0, 200)]));
    let file = scene.user.save(&Seals::default(), b"word", CHEAP).unwrap();
    let (opened, ..) = User::restore(Ceiling::default(), &file, b"word").unwrap();
    let asked = [open("age", 30, 40)];
    let (query, _) = opened.query(scene.owner.owner(), None, &asked, NOW, NOW).unwrap();
    assert_eq!(scene.found(&query), scene.found(&scene.query(&asked).unwrap().0));
    let restored = copy(&scene.owner);
    let of = |owner: &Keyring| format!("{:?}", owner.rights());
    assert_eq!((of(&restored), restored.rights().len()), (of(&scene.owner), 1));
    let file = saved::seal(&restored, b"word", CHEAP).unwrap();
    assert!(saved::open(&file, b"word", saved::Kind::Owner).is_ok());
}

#[test]
fn an_older_right_does_not_take_the_place_of_a_newer_one() {
    let mut scene = scene();
    let give = |scene: &mut Scene, made: u64| {
        let terms = Terms { end: made, ..terms(&[age(20, 60)]) };
        sharing::delegate(&mut scene.owner, scene.user.public(), terms, made).unwrap()
    };
    let (old, new) = (give(&mut scene, NOW), give(&mut scene, NOW + 5));
    for sealed in [&new, &old] {
        scene.user.accept(&mut scene.grants, sealed, NOW).unwrap();
    }
    let ends: Vec<u64> = scene.user.rights().map(|right| right.right.end).collect();
    assert_eq!(ends, [NOW + 5]);
    let late = user(7).accept(&mut Grants::default(), &old, NOW + 1);
    let what = "the right to search";
    assert!(
        matches!(late, Err(Error::Message(message::Error::Expired { what: of })) if of == what)
    );
}

#[test]
fn what_is_given_to_search_with_is_for_one_user_and_unchanged() {
    let mut scene = scene();
    let sealed =
        sharing::delegate(&mut scene.owner, scene.user.public(), terms(&[age(20, 30)]), NOW)
            .unwrap();
    let refused = user(8).accept(&mut Grants::default(), &sealed, NOW);
    assert!(matches!(refused, Err(Error::OtherUser)));
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        let mut user = user(7);
        assert!(user.accept(&mut Grants::default(), &changed, NOW).is_err(), "byte {at}");
        assert_eq!(user.rights().count(), 0);
    }
    for wrong in [
        terms(&[]),
        terms(&[age(20, 10)]),
        terms(&[age(0, 121)]),
        terms(&[age(0, 1), age(2, 3)]),
        terms(&[Range { field: "weight".into(), low: 0, high: 1 }]),
        Terms { under: "clinic".into(), ..terms(&[age(0, 1)]) },
        Terms { under: "nobody".into(), ..terms(&[age(0, 1)]) },
    ] {
        let before = format!("{:?}", scene.owner.rights());
        let outcome = sharing::delegate(&mut scene.owner, scene.user.public(), wrong, NOW);
        assert!(matches!(outcome, Err(Error::Party(_))));
        assert_eq!(before, format!("{:?}", scene.owner.rights()));
    }
}

#[test]
fn a_right_has_the_cuts_of_its_ranges_and_no_others() {
    let mut scene = scene();
    scene.give(terms(&[age(20, 29)]));
    let right = scene.user.rights().next().unwrap();
    let held = right.spans("age");
    let whole = scene.owner.spans("age").unwrap();
    assert_eq!(held.len(), whole.len());
    for ((group, first, spans), (of, all)) in held.iter().zip(&whole) {
        assert_eq!((group, *first), (of, 20));
        assert_eq!(spans[..], all[20..30]);
    }
    assert!(right.spans("sbp").is_empty());
}

#[test]
fn the_same_ranges_in_another_order_are_the_same_right() {
    let mut scene = scene();
    scene.give(terms(&[age(20, 60), sbp(0, 200)]));
    scene.give(terms(&[sbp(0, 200), age(20, 60)]));
    assert_eq!((scene.user.rights().count(), scene.owner.rights().len()), (1, 1));
}

#[test]
fn a_right_that_another_one_shows_to_have_ended_is_not_asked_under() {
    type Change = fn(&mut Keyring);
    let renewed: Change = |owner| owner.renew_readers(&[]).unwrap();
    let revoked: Change = |owner| owner.revoke(&["clinic"]).unwrap();
    for change in [renewed, revoked] {
        let mut scene = scene();
        scene.give(terms(&[age(0, 60)]));
        let old = scene.user.rights().next().unwrap().right.id;
        change(&mut scene.owner);
        scene.cloud.enroll(&mut scene.owner);
        scene.give(terms(&[age(20, 60)]));
        assert_eq!(scene.user.rights().count(), 2);
        let is_current = |right| scene.user.is_current(right, NOW);
        let current: Vec<_> = scene.user.rights().filter(|right| is_current(right)).collect();
        assert!(current.len() == 1 && current[0].right.id != old);
        let (query, ranges) = scene.query(&[open("age", 30, 40)]).unwrap();
        assert_eq!(ranges, [age(30, 40)]);
        assert!(!scene.found(&query).is_empty());
        let asked = [open("age", 30, 40)];
        let named = scene.user.query(scene.owner.owner(), Some(old), &asked, NOW, NOW);
        assert_eq!(named, Err(party::Error::NoRight.into()));
    }
}
