use ed25519_dalek::{Signer, SigningKey};

use super::*;
use crate::message::place::Node;
use crate::message::signature::to_sign;
use crate::party::Keyring;
use crate::party::scene::{Cloud, NOW, copy, owner};
use crate::wire;

const USER: [u8; 32] = [9; 32];

fn holder(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

/// An owner with a hospital that has a ward, a clinic, and a cloud that knows it.
fn parties() -> (Keyring, Cloud) {
    let mut owner = owner(1);
    for (name, under) in [("hospital", &[][..]), ("ward", &["hospital"]), ("clinic", &[])] {
        owner.authorize(name, under).unwrap();
    }
    let cloud = Cloud::of(&mut owner);
    (owner, cloud)
}

fn group(path: &str) -> Group {
    let authority = match path {
        "" => Node::root(),
        name => Node::root().child(name, 0).unwrap(),
    };
    Group { authority, epoch: 0.into() }
}

/// Ages in [100, 200] and pressures in [1000, 2000], in both groups of the owner.
fn right(owner: &Keyring, cloud: &Cloud) -> Right {
    let announced = cloud.announced(owner);
    let reach = |path: &str| {
        let group = group(path);
        let stamp = announced.of(&group.authority).unwrap().stamp();
        Reach { group, stamp, readers: 0.into(), bounds: vec![(100, 200), (1000, 2000)] }
    };
    Right {
        owner: owner.owner(),
        schema: owner.schema().digest(),
        id: 5,
        user: USER,
        verification: holder(7).verifying_key().to_bytes(),
        made: NOW,
        end: NOW,
        issuer: owner.chain().clone(),
        fields: vec!["age".to_owned(), "sbp".to_owned()],
        reaches: vec![reach(""), reach("hospital")],
    }
}

/// A query under a right that its user signs, whatever it asks for.
fn query(right: &[u8], owner: &Keyring, by: u8, tokens: &[Asked]) -> Vec<u8> {
    let mut message = query_under(&owner.owner(), right, 3, NOW, tokens);
    let signature = holder(by).sign(&to_sign(&message)).to_bytes();
    message.extend(signature);
    message
}

fn asked(reach: u32, ranges: &[(u32, i64, i64)]) -> Asked {
    Asked { id: 40 + u128::from(reach), reach, ranges: ranges.to_vec() }
}

fn ranges(token: &Token) -> Vec<(&str, i64, i64)> {
    let Selection::Ranges(ranges) = &token.selection else { return Vec::new() };
    ranges.iter().map(|range| (range.field.as_str(), range.low, range.high)).collect()
}

fn malformed<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Wire(wire::Error::Format { .. })))
}

#[test]
fn every_range_of_the_right_holds_of_each_token() {
    let (owner, cloud) = parties();
    let signed = owner.signed(right(&owner, &cloud).message());
    let narrowed = |of: &[(u32, i64, i64)]| {
        let query = Query::decode(&query(&signed, &owner, 7, &[asked(1, of)])).unwrap();
        assert_eq!(query.tokens[0].group, group("hospital"));
        ranges(&query.tokens[0]).iter().map(|&(_, low, high)| (low, high)).collect::<Vec<_>>()
    };
    assert_eq!(narrowed(&[]), [(100, 200), (1000, 2000)], "all that it may");
    assert_eq!(narrowed(&[(0, 150, 160)]), [(150, 160), (1000, 2000)]);
    assert_eq!(narrowed(&[(1, 0, i64::MAX)]), [(100, 200), (1000, 2000)], "more than it may");
    assert_eq!(narrowed(&[(0, 0, 100), (1, 2000, 9000)]), [(100, 100), (2000, 2000)]);
    let read = Query::decode(&query(&signed, &owner, 7, &[asked(0, &[]), asked(1, &[])])).unwrap();
    assert_eq!(ranges(&read.tokens[0])[0].0, "age");
    assert_eq!((read.asker(), read.id), (format!("/user/{}", "09".repeat(32)), 3));
    assert_eq!(read.check(&cloud.announced(&owner), NOW), Ok(()));
}

#[test]
fn what_is_none_of_the_right_is_refused() {
    let (owner, cloud) = parties();
    let signed = owner.signed(right(&owner, &cloud).message());
    let decoded = |tokens: &[Asked]| Query::decode(&query(&signed, &owner, 7, tokens));
    for outside in [
        asked(2, &[]),
        asked(u32::MAX, &[]),
        asked(0, &[(2, 0, 9)]),
        asked(0, &[(0, 201, 300)]),
        asked(0, &[(0, 0, 99)]),
    ] {
        assert!(matches!(decoded(&[outside]), Err(Error::Scope { .. })));
    }
    for twisted in [
        &[asked(1, &[]), asked(0, &[])][..],
        &[asked(0, &[]), asked(0, &[])],
        &[asked(0, &[]), Asked { id: 40, ..asked(1, &[]) }],
        &[asked(0, &[(1, 0, 9), (0, 0, 9)])],
        &[asked(0, &[(0, 0, 150), (0, 150, 300)])],
        &[asked(0, &[(0, -1, 150)])],
        &[asked(0, &[(0, 150, 149)])],
    ] {
        assert!(malformed(&decoded(twisted)), "{twisted:?}");
    }
}

#[test]
fn a_query_of_another_user_or_owner_is_refused() {
    let (owner, cloud) = parties();
    let stranger = crate::party::scene::owner(2);
    let of = right(&owner, &cloud);
    let signed = owner.signed(of.message());
    let forged = |what| Err(Error::Signature { what });
    let by_other = query(&signed, &owner, 8, &[asked(0, &[])]);
    assert_eq!(Query::decode(&by_other), forged("the query"));
    let by_stranger = stranger.signed(of.message());
    let read = Query::decode(&query(&by_stranger, &owner, 7, &[asked(0, &[])]));
    assert_eq!(read, forged("the right to search"));
    let elsewhere = query(&signed, &stranger, 7, &[asked(0, &[])]);
    assert_eq!(Query::decode(&elsewhere), Err(Error::OtherOwner { what: "the right to search" }));
    let whole = query(&signed, &owner, 7, &[asked(0, &[(0, 150, 160)]), asked(1, &[])]);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(Query::decode(&changed).is_err(), "byte {at}");
        assert!(Query::decode(&whole[..at]).is_err());
    }
}

#[test]
fn a_right_whose_lists_do_not_fit_is_malformed() {
    let (owner, cloud) = parties();
    let refused = |change: &dyn Fn(&mut Right)| {
        let mut of = right(&owner, &cloud);
        change(&mut of);
        assert!(malformed(&Right::decode(&owner.signed(of.message()))), "{of:?}");
    };
    assert!(Right::decode(&owner.signed(right(&owner, &cloud).message())).is_ok());
    refused(&|of| of.fields.reverse());
    refused(&|of| of.fields[1] = "age".to_owned());
    refused(&|of| of.reaches.reverse());
    refused(&|of| of.reaches.clear());
    refused(&|of| of.reaches[0].bounds[0] = (5, 4));
    refused(&|of| of.reaches[0].bounds[0] = (-1, 4));
    refused(&|of| {
        of.fields.clear();
        of.reaches.iter_mut().for_each(|reach| reach.bounds.clear());
    });
}

#[test]
fn a_right_ends_with_its_time_its_readers_and_its_epoch() {
    let (mut owner, cloud) = parties();
    let of = right(&owner, &cloud);
    let signed = owner.signed(of.message());
    let query = Query::decode(&query(&signed, &owner, 7, &[asked(1, &[])])).unwrap();
    let check = |cloud: &Cloud, owner: &Keyring, now| query.check(&cloud.announced(owner), now);
    assert_eq!(check(&cloud, &owner, NOW + 1), Err(Error::Expired { what: "the query" }));
    owner.authorize("joiner", &["hospital"]).unwrap();
    cloud.enroll(&mut owner);
    assert_eq!(check(&cloud, &owner, NOW), Ok(()), "others joined");
    let ended = |authority: &str| Err(Error::RightEnded { authority: authority.to_owned() });
    let mut one = copy(&owner);
    // It asks the hospital's group alone, and the right was given for the owner's too.
    one.renew_readers(&[]).unwrap();
    cloud.enroll(&mut one);
    assert_eq!(check(&cloud, &one, NOW), ended("the owner"));
    let cloud = Cloud::of(&mut owner);
    owner.revoke(&["hospital", "joiner"]).unwrap();
    cloud.enroll(&mut owner);
    assert_eq!(check(&cloud, &owner, NOW), ended("hospital"));
    let cloud = Cloud::of(&mut owner);
    owner.revoke(&["clinic"]).unwrap();
    cloud.enroll(&mut owner);
    assert_eq!(check(&cloud, &owner, NOW), ended("the owner"));
}

#[test]
fn a_right_ends_while_the_query_would_still_hold() {
    let (owner, cloud) = parties();
    let mut of = right(&owner, &cloud);
    of.end = NOW - 1;
    let signed = owner.signed(of.message());
    let query = Query::decode(&query(&signed, &owner, 7, &[asked(0, &[])])).unwrap();
    let outcome = query.check(&cloud.announced(&owner), NOW);
    assert_eq!(outcome, Err(Error::Expired { what: "the right to search" }));
}

#[test]
fn nobody_gives_a_right_beyond_its_own_subtree() {
    let (mut owner, cloud) = parties();
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let mut of = right(&owner, &cloud);
    of.issuer = hospital.chain().clone();
    let check = |of: &Right| {
        let signed = hospital.signed(of.message());
        let query = Query::decode(&query(&signed, &owner, 7, &[asked(0, &[])])).unwrap();
        query.check(&cloud.announced(&owner), NOW)
    };
    assert!(matches!(check(&of), Err(Error::Scope { .. })));
    of.reaches.remove(0);
    assert_eq!(check(&of), Ok(()), "its own wards");
}
