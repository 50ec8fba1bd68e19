//! What is taken back: for now and for good, of one user and of a team, and what comes back.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/readers.rs"]
mod readers;
#[path = "support/scene.rs"]
mod scene;

use mopse::party;
use mopse::party::Keyring;
use mopse::party::asking::Range;
use mopse::party::rights::{OpenRange, Terms};
use mopse::party::shares::{Scope, Status};
use mopse::sharing::request::{Address, Less, Span, approve, receive};
use mopse::sharing::user::Algorithm;
use mopse::sharing::{
    Anew, Error, delegate, disband_team, join_team, leave_team, reinstate, revoke, share,
    share_with_team, suspend, unshare,
};
use proptest::prelude::*;
use readers::{Holder, Scene, all_of, scene};
use scene::{NOW, age, copy, owner, upload};

/// What every holder takes of what was sealed anew.
fn hand_out(anew: &[Anew], holders: &mut [&mut Holder]) {
    for (public, sealed) in anew {
        let mut found = holders.iter_mut().filter(|holder| holder.0.public().encode() == public);
        let holder = found.next().unwrap();
        sealed.iter().for_each(|sealed| holder.accept(sealed));
    }
}

fn give(scene: &mut Scene, holder: &mut Holder, scope: Scope) {
    let sealed = share(&mut scene.owner, holder.0.public(), scope).unwrap();
    holder.accept(&sealed);
}

/// Has a holder join a new team that is given all of some providers.
fn join(scene: &mut Scene, holder: &mut Holder, paths: &[&str]) {
    scene.owner.form_team("night", "").unwrap();
    for path in paths {
        share_with_team(&mut scene.owner, "night", all_of(path)).unwrap();
    }
    let anew = join_team(&mut scene.owner, "night", holder.0.public(), NOW).unwrap();
    hand_out(&[anew], &mut [holder]);
}

/// A record more of the hospital, once everybody knows what the owner announces.
fn add(scene: &mut Scene, id: i64) {
    scene.announce();
    scene.cloud.receive(&upload(&scene.hospital, &[(id, 44, None)])).unwrap();
}

fn refused<T>(result: Result<T, Error>) -> Error {
    result.map(drop).unwrap_err()
}

#[test]
fn a_suspension_closes_what_comes_and_is_lifted() {
    let mut scene = scene();
    let (mut doctor, mut nurse) = (Holder::new(7), Holder::new(8));
    for holder in [&mut doctor, &mut nurse] {
        give(&mut scene, holder, all_of("hospital"));
    }
    let name = doctor.0.public().name();
    let anew = suspend(&mut scene.owner, &name, NOW).unwrap();
    assert_eq!(anew.len(), 1, "who stays");
    hand_out(&anew, &mut [&mut nurse]);
    add(&mut scene, 9);
    assert_eq!((scene.count(&doctor.1), scene.count(&nurse.1)), (3, 4));
    let statuses = |owner: &Keyring| -> Vec<Status> {
        owner.users().into_iter().filter(|(of, _)| *of == name).map(|(_, status)| status).collect()
    };
    assert_eq!(statuses(&copy(&scene.owner)), [Status::Suspended], "also once it was saved");

    // Nothing is given to it meanwhile, whichever way.
    let public = doctor.0.public();
    let suspended = Error::from(party::Error::Suspended);
    assert_eq!(refused(share(&mut scene.owner, public, all_of("clinic"))), suspended);
    let terms = Terms { ranges: vec![age(20, 90)], under: String::new(), end: u64::MAX };
    assert_eq!(refused(delegate(&mut scene.owner, public, terms, NOW)), suspended);
    scene.owner.form_team("night", "").unwrap();
    assert_eq!(refused(join_team(&mut scene.owner, "night", public, NOW)), suspended);
    let address = Address::of(&scene.owner, Algorithm::X25519);
    let span = Span { time: NOW, expiry: NOW + 9 };
    let wanted = Scope { ids: None, portions: None, ..all_of("clinic") };
    let (number, sealed) = doctor.0.request(&address, wanted, "a fracture", span).unwrap();
    receive(&mut scene.owner, &sealed, NOW).unwrap();
    assert_eq!(refused(approve(&mut scene.owner, number, Less::default(), NOW)), suspended);
    // Suspended again, it changes nothing, and serves who stays again.
    assert_eq!(suspend(&mut scene.owner, &name, NOW).unwrap().len(), 1);

    // From a copy that was saved it comes back too.
    let mut owner = copy(&scene.owner);
    let anew = reinstate(&mut owner, &name, NOW).unwrap();
    assert_eq!(anew.1.len(), 1);
    hand_out(&[anew], &mut [&mut doctor]);
    assert_eq!(scene.count(&doctor.1), 4, "what was sealed meanwhile, too");
    assert_eq!(statuses(&owner), [Status::Active]);
    scene.owner = owner;
    add(&mut scene, 10);
    assert_eq!((scene.count(&doctor.1), scene.count(&nurse.1)), (5, 5));
    // Given again, where what it was given got lost, it gives the same.
    let again = reinstate(&mut scene.owner, &name, NOW).unwrap();
    assert_eq!(again.1.len(), 1);
    let stranger = Holder::new(9).0.public().name();
    assert_eq!(
        refused(reinstate(&mut scene.owner, &stranger, NOW)),
        party::Error::NotShared.into()
    );
}

#[test]
fn a_suspension_holds_of_what_is_searched_too() {
    let mut scene = scene();
    let mut doctor = Holder::new(7);
    let ask = |scene: &Scene, doctor: &Holder| {
        let asked = [OpenRange { field: "age".into(), low: None, high: None }];
        let (query, _) = doctor.0.query(scene.owner.owner(), None, &asked, NOW, NOW).unwrap();
        let parts = scene.cloud.answer(&query)?.parts;
        Ok::<_, mopse::cloud::Error>(parts.iter().map(|part| part.handles.len()).sum::<usize>())
    };
    let ranges: Vec<Range> = vec![age(50, 90)];
    let terms = Terms { ranges, under: String::new(), end: u64::MAX };
    let sealed = delegate(&mut scene.owner, doctor.0.public(), terms, NOW).unwrap();
    doctor.accept(&sealed);
    assert_eq!(ask(&scene, &doctor), Ok(4));
    let name = doctor.0.public().name();
    assert!(suspend(&mut scene.owner, &name, NOW).unwrap().is_empty());
    scene.announce();
    assert!(ask(&scene, &doctor).is_err());
    assert!(scene.owner.rights().is_empty());
    let anew = reinstate(&mut scene.owner, &name, NOW).unwrap();
    hand_out(&[anew], &mut [&mut doctor]);
    assert_eq!(ask(&scene, &doctor), Ok(4));
    assert!(scene.owner.rights()[0].2);
}

#[test]
fn a_suspension_brings_back_only_what_is_still_good() {
    let mut scene = scene();
    let mut doctor = Holder::new(7);
    give(&mut scene, &mut doctor, Scope { end: NOW + 5, ..all_of("hospital") });
    give(&mut scene, &mut doctor, all_of("clinic"));
    let name = doctor.0.public().name();
    suspend(&mut scene.owner, &name, NOW).unwrap();
    let anew = reinstate(&mut copy(&scene.owner), &name, NOW + 6).unwrap();
    assert_eq!(anew.1.len(), 1, "the other has ended");
    let anew = reinstate(&mut copy(&scene.owner), &name, NOW + 5).unwrap();
    assert_eq!(anew.1.len(), 2);
    let mut other = copy(&scene.owner);
    other.revoke(&["clinic"]).unwrap();
    other.authorize("clinic", &[]).unwrap();
    let anew = reinstate(&mut other, &name, NOW + 5).unwrap();
    assert_eq!(anew.1.len(), 0, "the clinic is another one, and the hospital has other keys");

    // What was taken back for good does not come back, though it was held before.
    unshare(&mut scene.owner, &name, NOW).unwrap();
    assert_eq!(reinstate(&mut scene.owner, &name, NOW).unwrap().1.len(), 0);
    share(&mut scene.owner, doctor.0.public(), all_of("hospital")).unwrap();
    suspend(&mut scene.owner, &name, NOW).unwrap();
    assert_eq!(reinstate(&mut scene.owner, &name, NOW).unwrap().1.len(), 1);
}

#[test]
fn a_suspension_that_no_cloud_knew_is_in_nobodys_way() {
    let mut scene = scene();
    let (mut doctor, mut nurse, mut other) = (Holder::new(7), Holder::new(8), Holder::new(9));
    for holder in [&mut doctor, &mut nurse, &mut other] {
        give(&mut scene, holder, all_of("hospital"));
    }
    let mut copy = copy(&scene.owner);
    copy.authorize("lab", &[]).unwrap();
    scene.cloud.enroll(&mut copy);
    let name = doctor.0.public().name();
    suspend(&mut scene.owner, &name, NOW).unwrap();
    assert!(scene.cloud.try_enroll(&mut scene.owner).is_err());
    let announced = scene.cloud.gate.announcements(&scene.owner.owner()).unwrap();
    assert!(scene.owner.catch_up(&announced).unwrap());
    // The suspended one opens what is sealed now, but is given nothing as others leave.
    let anew = unshare(&mut scene.owner, &other.0.public().name(), NOW).unwrap();
    assert_eq!(anew.len(), 1);
    hand_out(&anew, &mut [&mut nurse]);
    add(&mut scene, 9);
    assert_eq!([&doctor, &nurse, &other].map(|of| scene.count(&of.1)), [3, 4, 3]);
    let anew = reinstate(&mut scene.owner, &name, NOW).unwrap();
    hand_out(&[anew], &mut [&mut doctor]);
    assert_eq!(scene.count(&doctor.1), 4);
}

#[test]
fn keys_that_were_revoked_are_given_nothing_for_good() {
    let mut scene = scene();
    let (mut doctor, mut nurse) = (Holder::new(7), Holder::new(8));
    for holder in [&mut doctor, &mut nurse] {
        give(&mut scene, holder, all_of("hospital"));
    }
    let anew = revoke(&mut scene.owner, doctor.0.public(), NOW).unwrap();
    hand_out(&anew, &mut [&mut nurse]);
    add(&mut scene, 9);
    assert_eq!((scene.count(&doctor.1), scene.count(&nurse.1)), (3, 4));
    let name = doctor.0.public().name();
    let mut owner = copy(&scene.owner);
    let revoked = Error::from(party::Error::RevokedUser);
    assert_eq!(refused(share(&mut owner, doctor.0.public(), all_of("clinic"))), revoked);
    assert_eq!(refused(suspend(&mut owner, &name, NOW)), revoked);
    assert_eq!(refused(reinstate(&mut owner, &name, NOW)), revoked);
    // To take it back again serves who stays, and lifts nothing.
    assert_eq!(unshare(&mut owner, &name, NOW).unwrap().len(), 1);
    assert_eq!(refused(share(&mut owner, doctor.0.public(), all_of("clinic"))), revoked);
    // So may keys be that were given nothing yet.
    let thief = Holder::new(9);
    assert!(revoke(&mut owner, thief.0.public(), NOW).unwrap().is_empty());
    assert_eq!(refused(share(&mut owner, thief.0.public(), all_of("clinic"))), revoked);
}

#[test]
fn a_team_is_given_the_same_and_each_member_alone_opens_it() {
    let mut scene = scene();
    let (mut doctor, mut nurse) = (Holder::new(7), Holder::new(8));
    scene.owner.form_team("night shift", "cardiology").unwrap();
    let anew = share_with_team(&mut scene.owner, "night shift", all_of("hospital")).unwrap();
    assert!(anew.is_empty(), "nobody is in it yet");
    let anew = join_team(&mut scene.owner, "night shift", doctor.0.public(), NOW).unwrap();
    hand_out(&[anew], &mut [&mut doctor]);
    assert_eq!(scene.count(&doctor.1), 3);
    let anew = join_team(&mut scene.owner, "night shift", nurse.0.public(), NOW).unwrap();
    assert!(doctor.0.accept(&mut doctor.1, &anew.1[0], NOW).is_err(), "it is the other's");
    hand_out(&[anew], &mut [&mut nurse]);
    let anew = share_with_team(&mut scene.owner, "night shift", all_of("clinic")).unwrap();
    assert_eq!(anew.len(), 2);
    hand_out(&anew, &mut [&mut doctor, &mut nurse]);
    assert_eq!((scene.count(&doctor.1), scene.count(&nurse.1)), (6, 6));

    // The doctor was given the hospital by itself too, and keeps that.
    give(&mut scene, &mut doctor, all_of("hospital"));
    let name = doctor.0.public().name();
    let anew = leave_team(&mut scene.owner, "night shift", &name, NOW).unwrap();
    let given: Vec<usize> = anew.iter().map(|(_, all)| all.len()).collect();
    assert_eq!(given.iter().sum::<usize>(), 3, "one of the doctor's, two of the nurse's");
    hand_out(&anew, &mut [&mut doctor, &mut nurse]);
    add(&mut scene, 9);
    scene.cloud.receive(&upload(&scene.clinic, &[(9, 44, None)])).unwrap();
    assert_eq!((scene.count(&doctor.1), scene.count(&nurse.1)), (7, 8));
    let teams: Vec<_> =
        scene.owner.teams().map(|(name, team)| (name, team.members.len())).collect();
    assert_eq!(teams, [("night shift", 1)]);

    let anew = disband_team(&mut scene.owner, "night shift", NOW).unwrap();
    assert_eq!(disband_team(&mut scene.owner, "night shift", NOW).unwrap().len(), anew.len());
    hand_out(&anew, &mut [&mut doctor]);
    add(&mut scene, 10);
    assert_eq!((scene.count(&doctor.1), scene.count(&nurse.1)), (8, 8));
    assert_eq!(scene.owner.teams().count(), 0);
}

#[test]
fn who_is_suspended_stays_in_its_team_and_catches_up() {
    let mut scene = scene();
    let mut doctor = Holder::new(7);
    join(&mut scene, &mut doctor, &["hospital"]);
    let name = doctor.0.public().name();
    suspend(&mut scene.owner, &name, NOW).unwrap();
    let anew = share_with_team(&mut scene.owner, "night", all_of("clinic")).unwrap();
    assert!(anew.is_empty(), "it is given nothing meanwhile");
    add(&mut scene, 9);
    let mut other = copy(&scene.owner);
    let anew = reinstate(&mut scene.owner, &name, NOW).unwrap();
    assert_eq!(anew.1.len(), 2);
    hand_out(&[anew], &mut [&mut doctor]);
    assert_eq!(scene.count(&doctor.1), 7);
    // Who leaves the team meanwhile is given nothing by it.
    leave_team(&mut other, "night", &name, NOW).unwrap();
    assert!(reinstate(&mut other, &name, NOW).unwrap().1.is_empty());
    // Who was taken all back is in no team.
    unshare(&mut scene.owner, &name, NOW).unwrap();
    assert!(scene.owner.teams().all(|(_, team)| team.members.is_empty()));
}

#[test]
fn who_joins_or_comes_back_is_given_what_is_current_and_no_more() {
    let mut scene = scene();
    let (mut doctor, nurse) = (Holder::new(7), Holder::new(8));
    join(&mut scene, &mut doctor, &["hospital", "clinic"]);
    let joining = |owner: &Keyring| {
        join_team(&mut copy(owner), "night", nurse.0.public(), NOW).unwrap().1.len()
    };
    // As others leave, what a team has stays current.
    give(&mut scene, &mut Holder::new(9), all_of("clinic"));
    unshare(&mut scene.owner, &Holder::new(9).0.public().name(), NOW).unwrap();
    assert_eq!(joining(&scene.owner), 2);
    // What its members have not any more nobody gets by joining, or by being reinstated.
    scene.owner.renew_readers(&[]).unwrap();
    let name = doctor.0.public().name();
    suspend(&mut scene.owner, &name, NOW).unwrap();
    assert_eq!(reinstate(&mut scene.owner, &name, NOW).unwrap().1.len(), 0);
    assert_eq!(joining(&scene.owner), 0);
    share_with_team(&mut scene.owner, "night", all_of("clinic")).unwrap();
    assert_eq!(joining(&scene.owner), 1);
    scene.owner.revoke(&["clinic"]).unwrap();
    scene.owner.authorize("clinic", &[]).unwrap();
    assert_eq!(joining(&scene.owner), 0, "it is another clinic");
}

#[test]
fn a_team_whose_end_no_cloud_knew_is_disbanded_again() {
    let mut scene = scene();
    let mut doctor = Holder::new(7);
    join(&mut scene, &mut doctor, &["hospital"]);
    let mut copy = copy(&scene.owner);
    copy.authorize("lab", &[]).unwrap();
    scene.cloud.enroll(&mut copy);
    disband_team(&mut scene.owner, "night", NOW).unwrap();
    assert!(scene.cloud.try_enroll(&mut scene.owner).is_err());
    let announced = scene.cloud.gate.announcements(&scene.owner.owner()).unwrap();
    assert!(scene.owner.catch_up(&announced).unwrap());
    disband_team(&mut scene.owner, "night", NOW).unwrap();
    add(&mut scene, 9);
    assert_eq!(scene.count(&doctor.1), 3);
}

#[test]
fn teams_that_cannot_be_are_refused_and_nothing_is_changed() {
    let mut owner = owner(1);
    owner.authorize("hospital", &[]).unwrap();
    owner.form_team("night", "cardiology").unwrap();
    let doctor = Holder::new(7);
    let before = copy(&owner);
    let is_refused =
        |result: Result<(), party::Error>| matches!(result, Err(party::Error::Team { .. }));
    let long = "n".repeat(256);
    for name in ["", "night", "n\u{456}ght", "a/b", "a\u{200b}", " night", &long] {
        assert!(is_refused(owner.form_team(name, "")), "{name:?}");
    }
    assert!(is_refused(owner.form_team("day", "a\nb")));
    assert!(is_refused(owner.form_team("day", &long)));
    let none = Error::from(party::Error::NoTeam { name: "day".into() });
    assert_eq!(refused(join_team(&mut owner, "day", doctor.0.public(), NOW)), none);
    assert_eq!(refused(share_with_team(&mut owner, "day", all_of("hospital"))), none);
    assert_eq!(refused(disband_team(&mut owner, "day", NOW)), none);
    let name = doctor.0.public().name();
    assert_eq!(refused(leave_team(&mut owner, "day", &name, NOW)), none);
    let no_member = Error::from(party::Error::NoMember { name: "night".into() });
    assert_eq!(refused(leave_team(&mut owner, "night", &name, NOW)), no_member);
    // Also of a team that is empty, what cannot be given is refused.
    assert!(share_with_team(&mut owner, "night", all_of("clinic")).is_err());
    let told =
        |owner: &Keyring| format!("{:?} {:?}", owner.teams().collect::<Vec<_>>(), owner.users());
    assert_eq!(told(&owner), told(&before));
}

/// What may happen to one of two users.
#[derive(Debug, Clone, Copy)]
enum Step {
    Share,
    Unshare,
    Suspend,
    Reinstate,
    Join,
    Leave,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Of any history, whoever may read opens all, and whoever may not nothing that comes afterwards.
    #[test]
    fn who_may_read_now_opens_what_is_sealed_now(
        steps in proptest::collection::vec((0..2_usize, proptest::sample::select(vec![
            Step::Share, Step::Unshare, Step::Suspend, Step::Reinstate, Step::Join, Step::Leave,
        ])), 1..9)
    ) {
        let mut scene = scene();
        scene.owner.form_team("night", "").unwrap();
        share_with_team(&mut scene.owner, "night", all_of("hospital")).unwrap();
        let (mut one, mut two) = (Holder::new(7), Holder::new(8));
        // The oracle: given by itself, in the team, and suspended.
        let mut may = [(false, false, false); 2];
        for (at, (who, step)) in (20..).zip(steps) {
            let public = [&one, &two][who].0.public().clone();
            let (name, owner) = (public.name(), &mut scene.owner);
            let (by_itself, in_team, suspended) = &mut may[who];
            let anew = match step {
                Step::Share => share(owner, &public, all_of("hospital"))
                    .map(|sealed| vec![(public.encode().to_vec(), vec![sealed])]),
                Step::Unshare => unshare(owner, &name, NOW),
                Step::Suspend => suspend(owner, &name, NOW),
                Step::Reinstate => reinstate(owner, &name, NOW).map(|anew| vec![anew]),
                Step::Join => join_team(owner, "night", &public, NOW).map(|anew| vec![anew]),
                Step::Leave => leave_team(owner, "night", &name, NOW),
            };
            let was_taken = anew.is_ok();
            hand_out(&anew.unwrap_or_default(), &mut [&mut one, &mut two]);
            match step {
                Step::Share => { prop_assert_eq!(was_taken, !*suspended); *by_itself |= was_taken; }
                Step::Unshare if was_taken => (*by_itself, *in_team, *suspended) = (false, false, false),
                Step::Suspend => *suspended |= was_taken,
                Step::Reinstate if was_taken => *suspended = false,
                Step::Join => { prop_assert_eq!(was_taken, !*suspended); *in_team |= was_taken; }
                Step::Leave if was_taken => *in_team = false,
                Step::Unshare | Step::Leave | Step::Reinstate => {}
            }
            let before = [&one, &two].map(|holder| scene.count(&holder.1));
            add(&mut scene, at);
            let after = [&one, &two].map(|holder| scene.count(&holder.1));
            for who in 0..2 {
                let (by_itself, in_team, suspended) = may[who];
                let is_open = (by_itself || in_team) && !suspended;
                prop_assert_eq!(after[who] - before[who], usize::from(is_open), "user {}", who);
            }
        }
    }
}
