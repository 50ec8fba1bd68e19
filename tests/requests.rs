//! Requests for access: who asks for what of whom, what is decided, and what is refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/readers.rs"]
mod readers;
#[path = "support/scene.rs"]
mod scene;

use mopse::cipher::password::{Ceiling, Cost};
use mopse::keys::Key;
use mopse::party::grants::Grants;
use mopse::party::proving::Seals;
use mopse::party::records::Ids;
use mopse::party::requests::State;
use mopse::party::shares::{KeptIds, Scope};
use mopse::party::{Keyring, saved};
use mopse::sharing::request::{Address, LONGEST_REASON, Less, Span, approve, receive, refuse};
use mopse::sharing::user::{Algorithm, User};
use mopse::sharing::{self, Error};
use mopse::{message, party};
use readers::scene;
use scene::{NOW, owner};
use sha2::Digest;

const BOTH: [Algorithm; 2] = [Algorithm::X25519, Algorithm::XWing];
const SPAN: Span = Span { time: NOW, expiry: NOW + 1000 };
const CHEAP: Cost = Cost { memory: 8, passes: 1, lanes: 1 };

fn doctor() -> (User, Grants) {
    let key = Key::from_bytes(&[7; 32]).unwrap();
    (User::of(Algorithm::X25519, key), Grants::default())
}

fn record(provider: &str, id: i64) -> Scope {
    let ids = Some(KeptIds::of(Ids::Integers(&[id])).unwrap());
    let portions = Some(vec!["rest".to_owned()]);
    Scope { provider: provider.to_owned(), ids, portions, end: u64::MAX }
}

fn state(keyring: &Keyring, number: u128) -> State {
    keyring.requests().find(|(known, _)| *known == number).unwrap().1.state.clone()
}

fn own_state(user: &User, number: u128) -> State {
    user.requests().find(|(known, _)| *known == number).unwrap().1.state.clone()
}

#[test]
fn what_is_asked_for_and_approved_is_opened_and_nothing_else() {
    for algorithm in BOTH {
        let (mut scene, (mut doctor, mut grants)) = (scene(), doctor());
        let address = Address::of(&scene.owner, algorithm);
        let address = Address::decode(address.encode()).unwrap();
        let (number, sealed) =
            doctor.request(&address, record("hospital", 2), "a fracture", SPAN).unwrap();
        assert_eq!(receive(&mut scene.owner, &sealed, NOW), Ok(number));
        assert_eq!(receive(&mut scene.owner, &sealed, NOW), Ok(number), "again");
        let (_, asked) = scene.owner.requests().next().unwrap();
        assert_eq!((asked.user, &*asked.reason), (doctor.public().name(), "a fracture"));
        assert_eq!((&asked.scope, &asked.state), (&record("hospital", 2), &State::Open));
        assert_eq!(scene.count(&grants), 0);
        let sealed = approve(&mut scene.owner, number, Less::default(), NOW).unwrap();
        assert_eq!(doctor.decided(&mut grants, &sealed, NOW), Ok(number));
        assert_eq!(doctor.decided(&mut grants, &sealed, NOW), Ok(number), "again");
        assert_eq!(scene.count(&grants), 1);
        assert_eq!(own_state(&doctor, number), State::Approved(NOW));
        assert_eq!(state(&scene.owner, number), State::Approved(NOW));
        // It is shared as anything else is, and so taken back.
        let [(name, scopes)] = &scene.owner.shared()[..] else { panic!("one user") };
        assert_eq!((*name, scopes.len()), (doctor.public().name(), 1));
        assert_eq!(
            sharing::unshare(&mut scene.owner, &doctor.public().name(), NOW).unwrap().len(),
            0
        );
        // It is decided.
        for again in [
            approve(&mut scene.owner, number, Less::default(), NOW).map(drop),
            refuse(&mut scene.owner, number, "", NOW).map(drop),
        ] {
            assert_eq!(again, Err(party::Error::Decided { state: "approved" }.into()));
        }
    }
}

#[test]
fn a_provider_decides_on_its_own_records_for_an_owner_who_is_away() {
    let (mut scene, (mut doctor, mut grants)) = (scene(), doctor());
    let address = Address::of(&scene.hospital, Algorithm::X25519);
    let (number, sealed) = doctor.request(&address, record("hospital", 1), "", SPAN).unwrap();
    assert_eq!(receive(&mut scene.owner, &sealed, NOW), Err(Error::OtherAddress));
    receive(&mut scene.hospital, &sealed, NOW).unwrap();
    let sealed = approve(&mut scene.hospital, number, Less::default(), NOW).unwrap();
    doctor.decided(&mut grants, &sealed, NOW).unwrap();
    assert_eq!(scene.count(&grants), 1);
    // Of another's records it is not even asked.
    let (_, sealed) = doctor.request(&address, record("clinic", 1), "", SPAN).unwrap();
    let refused = receive(&mut scene.hospital, &sealed, NOW);
    assert!(matches!(refused, Err(Error::Party(party::Error::UnknownProvider { .. }))));
}

#[test]
fn a_refusal_says_why_and_opens_nothing() {
    let (mut scene, (mut doctor, mut grants)) = (scene(), doctor());
    let address = Address::of(&scene.owner, Algorithm::X25519);
    let (number, sealed) = doctor.request(&address, record("hospital", 1), "why", SPAN).unwrap();
    receive(&mut scene.owner, &sealed, NOW).unwrap();
    let sealed = refuse(&mut scene.owner, number, "ask my physician", NOW + 1).unwrap();
    doctor.decided(&mut grants, &sealed, NOW + 2).unwrap();
    let refused = State::Refused(NOW + 1, "ask my physician".to_owned());
    assert_eq!(
        (own_state(&doctor, number), state(&scene.owner, number)),
        (refused.clone(), refused)
    );
    assert_eq!((scene.count(&grants), scene.owner.shared().len()), (0, 0));
    let long = "a".repeat(LONGEST_REASON + 1);
    let refused = doctor.request(&address, record("hospital", 1), &long, SPAN).map(drop);
    assert_eq!(refused, Err(Error::Reason { got: LONGEST_REASON + 1, most: LONGEST_REASON }));
}

#[test]
fn a_request_runs_out_is_withdrawn_and_forgotten() {
    let (mut scene, (mut doctor, mut grants)) = (scene(), doctor());
    let address = Address::of(&scene.owner, Algorithm::X25519);
    let (first, sealed) = doctor.request(&address, record("hospital", 1), "", SPAN).unwrap();
    let late = receive(&mut scene.owner, &sealed, SPAN.expiry + 1);
    assert!(matches!(late, Err(Error::Message(message::Error::Expired { .. }))));
    receive(&mut scene.owner, &sealed, SPAN.expiry).unwrap();
    let late = approve(&mut scene.owner, first, Less::default(), SPAN.expiry + 1).map(drop);
    assert_eq!(late, Err(party::Error::Decided { state: "run out" }.into()));

    let (second, sealed) = doctor.request(&address, record("hospital", 2), "", SPAN).unwrap();
    let withdrawal = doctor.withdraw(second, NOW).unwrap();
    let early = receive(&mut scene.owner, &withdrawal, NOW);
    assert_eq!(early, Err(party::Error::NoRequest.into()));
    receive(&mut scene.owner, &sealed, NOW).unwrap();
    assert_eq!(receive(&mut scene.owner, &withdrawal, NOW), Ok(second));
    assert_eq!(receive(&mut scene.owner, &withdrawal, NOW), Ok(second), "again");
    let late = approve(&mut scene.owner, second, Less::default(), NOW).map(drop);
    assert_eq!(late, Err(party::Error::Decided { state: "withdrawn" }.into()));
    // Also of what comes again.
    receive(&mut scene.owner, &sealed, NOW).unwrap();
    assert_eq!(state(&scene.owner, second), State::Withdrawn(NOW));

    let (third, sealed) = doctor.request(&address, record("hospital", 3), "", SPAN).unwrap();
    receive(&mut scene.owner, &sealed, NOW).unwrap();
    let approved = approve(&mut scene.owner, third, Less::default(), NOW).unwrap();
    let withdrawal = doctor.withdraw(third, NOW).unwrap();
    let late = receive(&mut scene.owner, &withdrawal, NOW);
    assert_eq!(late, Err(party::Error::Decided { state: "approved" }.into()));
    let late = doctor.decided(&mut grants, &approved, NOW);
    assert_eq!(late, Err(party::Error::Decided { state: "withdrawn" }.into()));
    doctor.forget_request(third).unwrap();
    assert_eq!(doctor.decided(&mut grants, &approved, NOW), Err(Error::OtherRequest));
    assert_eq!(scene.count(&grants), 0);
    for number in [first, second, third] {
        scene.owner.forget_request(number).unwrap();
        assert_eq!(scene.owner.forget_request(number), Err(party::Error::NoRequest));
    }
    assert_eq!(scene.owner.requests().count(), 0);
}

#[test]
fn less_than_was_asked_for_may_be_given_and_no_more() {
    let (mut scene, (mut doctor, mut grants)) = (scene(), doctor());
    let address = Address::of(&scene.owner, Algorithm::X25519);
    let both = Some(vec!["rest".to_owned(), "files".to_owned()]);
    let scope = Scope { portions: both, end: NOW + 50, ..record("hospital", 1) };
    let (number, sealed) = doctor.request(&address, scope.clone(), "", SPAN).unwrap();
    receive(&mut scene.owner, &sealed, NOW).unwrap();
    let names = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    for (less, what) in [
        (Less { portions: names(&["rest", "contact"]), end: None }, "portions"),
        (Less { portions: None, end: Some(NOW + 51) }, "the end"),
    ] {
        let refused = approve(&mut scene.owner, number, less, NOW).map(drop);
        assert_eq!(refused, Err(Error::Wider { what }));
    }
    assert_eq!((state(&scene.owner, number), scene.owner.shared().len()), (State::Open, 0));
    let less = Less { portions: names(&["rest"]), end: Some(NOW + 10) };
    let sealed = approve(&mut scene.owner, number, less, NOW).unwrap();
    doctor.decided(&mut grants, &sealed, NOW).unwrap();
    let [(_, scopes)] = &scene.owner.shared()[..] else { panic!("one user") };
    assert_eq!(scopes[0].0.scope.portions, names(&["rest"]));
    assert_eq!(scopes[0].0.scope.end, NOW + 10);
    assert_eq!(scene.count(&grants), 1);
}

#[test]
fn nobody_else_asks_decides_or_reads() {
    let (mut scene, (mut doctor, mut grants)) = (scene(), doctor());
    let address = Address::of(&scene.owner, Algorithm::X25519);
    let (number, sealed) = doctor.request(&address, record("hospital", 1), "", SPAN).unwrap();
    // Another owner, and one that says it is.
    let mut stranger = owner(9);
    stranger.authorize("hospital", &[]).unwrap();
    assert_eq!(receive(&mut stranger, &sealed, NOW), Err(Error::OtherAddress));
    let other = Address::of(&stranger, Algorithm::X25519);
    let mut redirected = sealed.clone();
    redirected[9..41].copy_from_slice(&stranger.owner().0);
    redirected[41..73].copy_from_slice(&sha2::Sha256::digest(other.encode()));
    assert!(matches!(receive(&mut stranger, &redirected, NOW), Err(Error::Closed { .. })));
    receive(&mut scene.owner, &sealed, NOW).unwrap();
    // A decision on it is of this owner, or of whoever may decide there.
    let (_, sealed_to_stranger) = doctor.request(&other, record("hospital", 1), "", SPAN).unwrap();
    let strange = receive(&mut stranger, &sealed_to_stranger, NOW).unwrap();
    let theirs = approve(&mut stranger, strange, Less::default(), NOW).unwrap();
    let mut renamed = theirs.clone();
    renamed[9..41].copy_from_slice(&scene.owner.owner().0);
    assert!(doctor.decided(&mut grants, &renamed, NOW).is_err());
    let approved = approve(&mut scene.owner, number, Less::default(), NOW).unwrap();
    let (mut other, mut none) =
        (User::of(Algorithm::X25519, Key::from_bytes(&[8; 32]).unwrap()), Grants::default());
    assert_eq!(other.decided(&mut none, &approved, NOW), Err(Error::OtherUser));
    let mut renamed = approved.clone();
    renamed[41..73].copy_from_slice(&other.public().name());
    assert!(matches!(other.decided(&mut none, &renamed, NOW), Err(Error::Closed { .. })));
    // The same user, made anew, has asked for nothing.
    let (mut anew, mut none) = self::doctor();
    assert_eq!(anew.decided(&mut none, &approved, NOW), Err(Error::OtherRequest));
    doctor.decided(&mut grants, &approved, NOW).unwrap();
}

#[test]
fn a_clinic_does_not_decide_for_the_hospital() {
    let (mut scene, (mut doctor, _)) = (scene(), doctor());
    // The user is misled to ask the clinic about the hospital's records, and the clinic's keyring to take it.
    let address = Address::of(&scene.clinic, Algorithm::X25519);
    let (_, sealed) = doctor.request(&address, record("hospital", 1), "", SPAN).unwrap();
    let refused = receive(&mut scene.clinic, &sealed, NOW);
    assert!(matches!(refused, Err(Error::Party(party::Error::UnknownProvider { .. }))));
    assert_eq!(scene.clinic.requests().count(), 0);
}

#[test]
fn what_was_changed_or_cut_is_refused_and_changes_nothing() {
    let (mut scene, (mut doctor, mut grants)) = (scene(), doctor());
    let address = Address::of(&scene.owner, Algorithm::X25519);
    let (number, sealed) = doctor.request(&address, record("hospital", 1), "why", SPAN).unwrap();
    let bytes = address.encode();
    for cut in 0..bytes.len() {
        assert!(Address::decode(&bytes[..cut]).is_err());
        let mut changed = bytes.to_vec();
        changed[cut] ^= 1;
        assert!(Address::decode(&changed).is_err(), "byte {cut}");
    }
    for cut in 0..sealed.len() {
        assert!(receive(&mut scene.owner, &sealed[..cut], NOW).is_err());
        let mut changed = sealed.clone();
        changed[cut] ^= 0x10;
        assert!(receive(&mut scene.owner, &changed, NOW).is_err(), "byte {cut}");
    }
    assert_eq!(scene.owner.requests().count(), 0);
    receive(&mut scene.owner, &sealed, NOW).unwrap();
    let approved = approve(&mut scene.owner, number, Less::default(), NOW).unwrap();
    for at in 0..approved.len() {
        for mask in [1, 0x80] {
            let mut changed = approved.clone();
            changed[at] ^= mask;
            assert!(doctor.decided(&mut grants, &changed, NOW).is_err(), "byte {at}");
        }
    }
    assert_eq!(own_state(&doctor, number), State::Open);
    doctor.decided(&mut grants, &approved, NOW).unwrap();
}

#[test]
fn what_was_asked_and_decided_is_saved_with_the_parties() {
    let (mut scene, (mut doctor, mut grants)) = (scene(), doctor());
    let address = Address::of(&scene.owner, Algorithm::XWing);
    let mut numbers = Vec::new();
    for id in 1..=3 {
        let scope = record("hospital", id);
        let (number, sealed) = doctor.request(&address, scope, "a reason", SPAN).unwrap();
        receive(&mut scene.owner, &sealed, NOW).unwrap();
        numbers.push(number);
    }
    let refused = refuse(&mut scene.owner, numbers[0], "no", NOW).unwrap();
    doctor.decided(&mut grants, &refused, NOW).unwrap();
    let approved = approve(&mut scene.owner, numbers[1], Less::default(), NOW).unwrap();
    let file = saved::seal(&scene.owner, b"password", CHEAP).unwrap();
    let opened = saved::open(&file, b"password", saved::Kind::Owner).unwrap();
    let all = |keyring: &Keyring| -> Vec<_> {
        keyring.requests().map(|(number, asked)| (number, asked.clone())).collect()
    };
    assert_eq!(all(&opened), all(&scene.owner));
    assert_eq!(opened.requests().count(), 3);

    let file = doctor.save(&Seals::default(), b"password", CHEAP).unwrap();
    let ceiling = Ceiling::default();
    let (mut again, mut grants, _) = User::restore(ceiling, &file, b"password").unwrap();
    let own = |user: &User| -> Vec<_> {
        user.requests().map(|(number, own)| (number, own.clone())).collect()
    };
    assert_eq!(own(&again), own(&doctor));
    again.decided(&mut grants, &approved, NOW).unwrap();
    assert_eq!(scene.count(&grants), 1);
}
