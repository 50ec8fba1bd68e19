use super::*;
use crate::message::place::Node;
use crate::party::scene::{Cloud, NOW, owner, three_records};
use crate::party::{Keyring, Range};
use crate::wire;

/// An owner, its hospital with a ward, and its clinic.
fn parties() -> [Keyring; 4] {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let ward = owner.authorize("ward", &["hospital"]).unwrap();
    let clinic = owner.authorize("clinic", &[]).unwrap();
    [owner, hospital, ward, clinic]
}

fn tokens(keyring: &Keyring) -> Vec<Token> {
    let range = Range { field: "age".into(), low: 40, high: 60 };
    let tokens = keyring.tokens(&[range], NOW).unwrap();
    tokens.iter().map(|token| Token::decode(token).unwrap()).collect()
}

/// What a cloud says to a token that its issuer changed before signing it.
fn changed(
    issuer: &Keyring,
    mut token: Token,
    change: impl FnOnce(&mut Token),
) -> Result<(), Error> {
    change(&mut token);
    let token = Token::decode(&issuer.signed_together(&[token.message()])[0])?;
    token.check(&Announcement::decode(&owner(1).announcement().unwrap()).unwrap(), NOW)
}

fn group(authority: &Keyring) -> Group {
    Group { authority: authority.node().clone(), epoch: 0 }
}

fn no_right(outcome: &Result<(), Error>) -> bool {
    matches!(outcome, Err(Error::Scope { .. }))
}

#[test]
fn a_token_reaches_the_issuers_own_runs_and_its_subtree_and_no_further() {
    let [owner, hospital, ward, clinic] = parties();
    let own = || tokens(&hospital)[0].clone();
    assert_eq!((own().scope, own().group), (Scope::Own, group(&owner)));
    assert_eq!(changed(&hospital, own(), |_| ()), Ok(()));

    let may = |group, scope| {
        changed(&hospital, own(), |token| (token.group, token.scope) = (group, scope))
    };
    assert_eq!(may(group(&hospital), Scope::Group), Ok(()));
    assert_eq!(may(group(&ward), Scope::Group), Ok(()));
    assert!(no_right(&may(group(&owner), Scope::Group)), "its siblings' entries");
    assert!(no_right(&may(group(&clinic), Scope::Group)), "below its sibling");
    assert!(no_right(&may(group(&hospital), Scope::Own)), "as if it were its own child");
    assert!(no_right(&may(Group { epoch: 1, ..group(&owner) }, Scope::Own)), "a later epoch");
    let later = Node::root().child("hospital", 1).unwrap();
    assert!(no_right(&may(Group { authority: later, epoch: 0 }, Scope::Group)));

    let upwards = changed(&ward, tokens(&ward)[0].clone(), |token| token.scope = Scope::Group);
    assert!(no_right(&upwards), "all of the hospital's wards");
    let everything = changed(&owner, tokens(&owner)[0].clone(), |token| token.scope = Scope::Own);
    assert!(no_right(&everything), "the owner has no runs");
}

#[test]
fn a_token_with_another_providers_path_is_forged() {
    let [_, hospital, ward, clinic] = parties();
    let own = || tokens(&hospital)[0].clone();
    let forged = Err(Error::Signature { what: WHAT });
    let unchained = Err(Error::Signature { what: "a certificate" });
    let of = |other: &Keyring| other.chain().clone();
    assert_eq!(changed(&hospital, own(), |token| token.issuer = of(&clinic)), forged);
    assert_eq!(changed(&hospital, own(), |token| token.issuer = of(&ward)), forged);
    assert_eq!(changed(&hospital, own(), |token| token.issuer = Chain::default()), forged);
    let clinic = clinic.node().clone();
    let renamed = changed(&hospital, own(), |token| token.issuer.0[0].subject = clinic);
    assert_eq!(renamed, unchained);
}

#[test]
fn a_token_of_another_owner_schema_or_time_is_refused() {
    let [_, hospital, ..] = parties();
    let own = || tokens(&hospital)[0].clone();
    let schema = changed(&hospital, own(), |token| token.schema[31] ^= 1);
    assert_eq!(schema, Err(Error::OtherSchema { what: WHAT }));
    let expired = changed(&hospital, own(), |token| token.expiry = NOW - 1);
    assert_eq!(expired, Err(Error::Expired));

    let stranger = owner(2);
    let announcement = Announcement::decode(&stranger.announcement().unwrap()).unwrap();
    assert_eq!(own().check(&announcement, NOW), Err(Error::OtherOwner { what: WHAT }));
    let renamed = changed(&hospital, own(), |token| token.owner = stranger.owner());
    assert_eq!(renamed, Err(Error::Signature { what: "a certificate" }));
}

#[test]
fn bounds_that_no_ruler_gives_are_refused() {
    let [owner, ..] = parties();
    let token = || tokens(&owner)[0].clone();
    for (low, high) in [(-1, 5), (6, 5), (i64::MIN, i64::MAX)] {
        let outcome = changed(&owner, token(), |token| {
            (token.predicates[0].low, token.predicates[0].high) = (low, high);
        });
        assert!(
            matches!(outcome, Err(Error::Wire(wire::Error::Format { what: WHAT, .. }))),
            "{low} to {high}"
        );
    }
    let none = changed(&owner, token(), |token| token.predicates.clear());
    assert!(matches!(none, Err(Error::Wire(wire::Error::Format { what: WHAT, .. }))));
}

#[test]
fn two_ranges_of_one_field_meet_and_an_unknown_field_finds_nothing() {
    let [owner, hospital, ..] = parties();
    let cloud = Cloud::of(&owner);
    cloud.receive(&three_records(&hospital, 1)).unwrap();
    let range = |low, high| Range { field: "age".into(), low, high };
    let count = |ranges: &[Range], rename: Option<&str>| {
        let mut token = Token::decode(&owner.tokens(ranges, NOW).unwrap()[0]).unwrap();
        if let Some(name) = rename {
            token.predicates[0].field = name.to_owned();
        }
        let bytes = owner.signed_together(&[token.message()]);
        cloud.answer(&bytes).unwrap().iter().map(|part| part.handles.len()).sum::<usize>()
    };
    assert_eq!(count(&[range(0, 55)], None), 2);
    assert_eq!(count(&[range(0, 55), range(45, 120)], None), 1);
    assert_eq!(count(&[range(45, 120), range(0, 55), range(0, 120)], None), 1);
    assert_eq!(count(&[range(0, 40), range(60, 120)], None), 0);
    assert_eq!(count(&[range(0, 120)], Some("shoe size")), 0);
    assert_eq!(count(&[range(0, 120), range(0, 120)], Some("shoe size")), 0);
}

#[test]
fn tokens_that_are_read_together_are_each_what_was_signed() {
    let [owner, hospital, ..] = parties();
    let range = Range { field: "age".into(), low: 40, high: 60 };
    let ask = |by: &Keyring| by.tokens(std::slice::from_ref(&range), NOW).unwrap();
    let (own, own_again, of_hospital) = (ask(&owner), ask(&owner), ask(&hospital));
    let all: Vec<&[u8]> =
        own.iter().chain(&of_hospital).chain(&own_again).map(Vec::as_slice).collect();
    let alone: Vec<Token> = all.iter().map(|token| Token::decode(token).unwrap()).collect();
    assert_eq!(Token::decode_all(&all), Ok(alone));
    assert_eq!(Token::decode_all(&[]), Ok(vec![]));
    for number in 0..all.len() {
        for at in 0..all[number].len() {
            let mut changed = all[number].to_vec();
            changed[at] ^= 1;
            let mut with_one_changed = all.clone();
            with_one_changed[number] = &changed;
            assert!(Token::decode_all(&with_one_changed).is_err(), "{number}, byte {at}");
        }
    }
}

#[test]
fn the_signature_covers_every_byte_and_nothing_may_follow_it() {
    let [_, _, ward, _] = parties();
    let range = Range { field: "age".into(), low: 40, high: 60 };
    let bytes = &ward.tokens(&[range], NOW).unwrap()[0];
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x80;
        assert!(Token::decode(&changed).is_err(), "byte {at}");
        assert!(Token::decode(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert!(Token::decode(&[&bytes[..], &[0]].concat()).is_err());
}
