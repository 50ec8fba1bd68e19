use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::message::announcement::Announced;
use crate::party::records::Ids;
use crate::party::scene::{Cloud, NOW, age, ask, cases, copy, owner, three_records};
use crate::party::{self, Keyring, Range};
use crate::wire;

/// An owner, its hospital with a ward, and its clinic, all of which know what was announced; and that.
struct Parties {
    owner: Keyring,
    hospital: Keyring,
    ward: Keyring,
    clinic: Keyring,
    cloud: Cloud,
}

fn parties() -> Parties {
    let mut owner = owner(1);
    for (name, under) in [("hospital", &[][..]), ("ward", &["hospital"]), ("clinic", &[])] {
        owner.authorize(name, under).unwrap();
    }
    let cloud = Cloud::of(&mut owner);
    let mut again = |name, under: &[&str]| owner.authorize(name, under).unwrap();
    let (hospital, ward) = (again("hospital", &[]), again("ward", &["hospital"]));
    let clinic = again("clinic", &[]);
    Parties { owner, hospital, ward, clinic, cloud }
}

impl Parties {
    fn announced(&self) -> std::sync::Arc<Announced> {
        self.cloud.announced(&self.owner)
    }

    /// What a cloud says to a query that its issuer changed before signing it.
    fn changed(&self, issuer: &Keyring, change: impl FnOnce(&mut Query)) -> Result<(), Error> {
        let mut query = Query::decode(&ask(issuer, &[age(40, 60)])).unwrap();
        change(&mut query);
        let query = Query::decode(&issuer.signed(query.message()))?;
        query.check(&self.announced(), NOW)
    }
}

fn group(authority: &Keyring) -> Group {
    Group { authority: authority.node().clone(), epoch: 0.into() }
}

fn one(name: &str) -> Scope {
    Scope::One(name.to_owned())
}

fn no_right(outcome: &Result<(), Error>) -> bool {
    matches!(outcome, Err(Error::Scope { .. }))
}

fn malformed<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Wire(wire::Error::Format { what: WHAT, .. })))
}

#[test]
fn a_token_reaches_the_issuers_own_runs_and_its_subtree_and_no_further() {
    let parties = parties();
    let Parties { owner, hospital, ward, clinic, .. } = &parties;
    let own = Query::decode(&ask(hospital, &[age(40, 60)])).unwrap().tokens.remove(0);
    assert_eq!((own.scope, own.group), (one("hospital"), group(owner)));
    assert_eq!(parties.changed(hospital, |_| ()), Ok(()));

    let may = |by: &Keyring, group: Group, scope: Scope| {
        parties.changed(by, |query| {
            query.tokens.truncate(1);
            query.tokens[0].selection = Selection::All;
            query.tokens[0].stamp = parties
                .announced()
                .of(&group.authority)
                .map_or_else(Stamp::default, |last| last.stamp());
            (query.tokens[0].group, query.tokens[0].scope) = (group, scope);
        })
    };
    for scope in [Scope::Group, one("ward"), one("nobody")] {
        assert_eq!(may(hospital, group(hospital), scope.clone()), Ok(()));
        assert_eq!(may(hospital, group(ward), scope.clone()), Ok(()));
        assert!(no_right(&may(hospital, group(owner), scope.clone())), "its siblings' entries");
        assert!(no_right(&may(hospital, group(clinic), scope.clone())), "below its sibling");
        let left = Node::root().child("clinic", 1).unwrap();
        let group = Group { authority: left, epoch: 0.into() };
        assert!(no_right(&may(hospital, group, scope)), "below its sibling, in another epoch");
    }
    assert!(no_right(&may(hospital, group(owner), one("clinic"))), "its sibling");
    let other = Group { epoch: 1.into(), ..group(owner) };
    assert_eq!(may(hospital, other.clone(), one("hospital")), Ok(()), "its own in another epoch");
    assert!(no_right(&may(hospital, other, Scope::Group)));
    let other = Node::root().child("hospital", 1).unwrap();
    let other = Group { authority: other, epoch: 0.into() };
    assert_eq!(may(hospital, other, Scope::Group), Ok(()), "below it in another epoch");

    assert!(no_right(&may(ward, group(hospital), Scope::Group)), "all of the hospital's wards");
    assert_eq!(may(ward, group(hospital), one("ward")), Ok(()));
    assert!(no_right(&may(ward, group(owner), one("ward"))), "as if it stood higher");
    for scope in [Scope::Group, one("hospital")] {
        assert_eq!(may(owner, group(owner), scope), Ok(()));
    }
}

#[test]
fn a_query_with_another_providers_path_is_forged() {
    let parties = parties();
    let Parties { hospital, ward, clinic, .. } = &parties;
    let forged = Err(Error::Signature { what: WHAT });
    let unchained = Err(Error::Signature { what: "a certificate" });
    let changed = |chain: Chain| parties.changed(hospital, |query| query.issuer = chain);
    for other in [clinic, ward] {
        assert_eq!(changed(other.chain().clone()), forged);
    }
    assert_eq!(changed(Chain::default()), forged);
    let subject = clinic.node().clone();
    let renamed = parties.changed(hospital, |query| query.issuer.0[0].subject = subject);
    assert_eq!(renamed, unchained);
}

#[test]
fn a_query_of_another_owner_schema_or_time_is_refused() {
    let parties = parties();
    let Parties { hospital, .. } = &parties;
    let schema = parties.changed(hospital, |query| query.schema[31] ^= 1);
    assert_eq!(schema, Err(Error::OtherSchema { what: WHAT }));
    let expired = parties.changed(hospital, |query| query.expiry = NOW - 1);
    assert_eq!(expired, Err(Error::Expired { what: "the query" }));

    let mut stranger = owner(2);
    let announced = Cloud::of(&mut stranger).announced(&stranger);
    let own = Query::decode(&ask(hospital, &[age(40, 60)])).unwrap();
    assert_eq!(own.check(&announced, NOW), Err(Error::OtherOwner { what: WHAT }));
    assert_eq!(own.check(&Announced::default(), NOW), Err(Error::OtherOwner { what: WHAT }));
    let renamed = parties.changed(hospital, |query| query.owner = stranger.owner());
    assert_eq!(renamed, Err(Error::Signature { what: "a certificate" }));
}

#[test]
fn bounds_that_no_ruler_gives_are_refused() {
    let parties = parties();
    let with = |selection: Selection| {
        parties.changed(&parties.owner, |query| query.tokens[0].selection = selection)
    };
    let range = |low, high| {
        Selection::Ranges(vec![Predicate { field: "age".into(), low, high, slots: None }])
    };
    assert_eq!(with(range(5, 5)), Ok(()));
    for (low, high) in [(-1, 5), (6, 5), (i64::MIN, i64::MAX)] {
        assert!(malformed(&with(range(low, high))), "{low} to {high}");
    }
    assert!(malformed(&with(Selection::Ranges(Vec::new()))));
}

#[test]
fn records_are_asked_for_once_each_and_in_order() {
    let parties = parties();
    let with = |handles: &[u128]| {
        let selection = Selection::Records(handles.to_vec());
        parties.changed(&parties.hospital, |query| query.tokens[0].selection = selection)
    };
    assert_eq!(with(&[1, 2, u128::MAX]), Ok(()));
    let alone = parties.changed(&parties.hospital, |query| {
        query.tokens.truncate(1);
        query.tokens[0].selection = Selection::Records(vec![1, 2]);
    });
    assert_eq!(alone, Ok(()), "who asks for records asks nobody else");
    for handles in [&[][..], &[2, 1], &[1, 1]] {
        assert!(malformed(&with(handles)), "{handles:?}");
    }
    let of_all = parties.changed(&parties.owner, |query| {
        query.tokens.truncate(1);
        query.tokens[0].selection = Selection::Records(vec![1, 2]);
    });
    assert!(no_right(&of_all), "they are looked up at one provider, not at all of a group");
}

#[test]
fn two_ranges_of_one_field_are_refused_and_an_unknown_field_finds_nothing() {
    let Parties { owner, hospital, cloud, .. } = parties();
    cloud.receive(&three_records(&hospital)).unwrap();
    let count = |ranges: &[Range], rename: Option<&str>| {
        let mut query = Query::decode(&ask(&owner, ranges)).unwrap();
        if let Some(name) = rename {
            for token in &mut query.tokens {
                let Selection::Ranges(predicates) = &mut token.selection else { panic!() };
                predicates[0].field = name.to_owned();
            }
        }
        let answer = cloud.answer(&owner.signed(query.message())).unwrap();
        answer.parts.iter().map(|part| part.handles.len()).sum::<usize>()
    };
    assert_eq!(count(&[age(0, 55)], None), 2);
    assert_eq!(count(&[age(0, 120)], Some("shoe size")), 0);
    let twice = owner.query(&[age(0, 55), age(45, 120)], NOW);
    assert_eq!(twice, Err(party::Error::TwoRanges { field: "age".into() }));
    let mut query = Query::decode(&ask(&owner, &[age(0, 55)])).unwrap();
    let Selection::Ranges(predicates) = &mut query.tokens[0].selection else { panic!() };
    predicates.push(predicates[0].clone());
    assert!(malformed(&Query::decode(&owner.signed(query.message())).map(drop)));
}

#[test]
fn tokens_are_shown_together_as_they_were_signed_or_not_at_all() {
    let Parties { owner, .. } = parties();
    let bytes = ask(&owner, &[age(40, 60)]);
    let signature = &bytes[bytes.len() - 64..];
    let query = Query::decode(&bytes).unwrap();
    let other = Query::decode(&ask(&owner, &[age(40, 60)])).unwrap();
    let shown = |change: &dyn Fn(&mut Vec<Token>)| {
        let mut query = query.clone();
        change(&mut query.tokens);
        Query::decode(&[&query.message()[..], signature].concat())
    };
    assert_eq!(query.tokens.len(), 2);
    assert_eq!(shown(&|_| ()), Ok(query.clone()));
    let forged = Err(Error::Signature { what: WHAT });
    assert_eq!(shown(&|tokens| tokens.truncate(1)), forged);
    assert_eq!(shown(&|tokens| drop(tokens.remove(0))), forged);
    assert_eq!(shown(&|tokens| tokens.clear()), forged);
    assert_eq!(shown(&|tokens| tokens.reverse()), forged);
    assert_eq!(shown(&|tokens| tokens[1] = other.tokens[1].clone()), forged);
    assert!(malformed(&shown(&|tokens| tokens.push(tokens[0].clone()))));
}

#[test]
fn two_tokens_for_one_group_or_of_one_number_are_refused() {
    let parties = parties();
    let twice = |change: &dyn Fn(&mut Token)| {
        parties.changed(&parties.owner, |query| {
            let mut token = query.tokens[0].clone();
            change(&mut token);
            query.tokens.push(token);
        })
    };
    assert!(malformed(&twice(&|token| token.id ^= 1)), "the same records");
    assert!(malformed(&twice(&|token| token.scope = one("hospital"))), "the same number");
    let both = twice(&|token| (token.id, token.scope) = (token.id ^ 1, one("hospital")));
    assert_eq!(both, Ok(()));
}

#[test]
fn the_signature_covers_every_byte_and_nothing_may_follow_it() {
    let Parties { ward, hospital, .. } = parties();
    let lookup = hospital.lookup("hospital", Ids::Integers(&[1, 2]), NOW).unwrap();
    for bytes in [&ask(&ward, &[age(40, 60)]), &lookup] {
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x80;
            assert!(Query::decode(&changed).is_err(), "byte {at}");
            assert!(Query::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
        assert!(Query::decode(&[&bytes[..], &[0]].concat()).is_err());
    }
}

#[test]
fn a_query_of_a_keyring_that_missed_an_announcement_is_refused() {
    let mut owner = owner(1);
    let cloud = Cloud::of(&mut owner);
    let knows_nobody = copy(&owner);
    owner.authorize("hospital", &[]).unwrap();
    cloud.enroll(&mut owner);
    let knows_no_ward = copy(&owner);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    owner.authorize("ward", &["hospital"]).unwrap();
    cloud.enroll(&mut owner);
    let everything = [age(0, 120)];
    let behind = |authority: &str| {
        Err(crate::cloud::Error::from(Error::Behind { authority: authority.to_owned() }))
    };
    let said = |by: &Keyring| cloud.answer(&ask(by, &everything)).map(drop);
    assert_eq!(said(&knows_nobody), behind("the owner"));
    assert_eq!(said(&knows_no_ward), behind("hospital"), "of a group that it does not ask");
    assert_eq!(said(&hospital), behind("hospital"));
    assert_eq!(said(&owner), Ok(()));
    for mut keyring in [knows_nobody, knows_no_ward, hospital] {
        let announcements = cloud.announcements(&keyring);
        assert_eq!(keyring.catch_up(&announcements), Ok(true));
        assert_eq!(said(&keyring), Ok(()), "{keyring:?}");
        assert_eq!(keyring.catch_up(&announcements), Ok(false));
    }
}

#[test]
fn a_query_on_another_branch_of_a_fork_is_refused() {
    let mut one = owner(1);
    one.authorize("hospital", &[]).unwrap();
    one.authorize("clinic", &[]).unwrap();
    let cloud = Cloud::of(&mut one);
    let mut other = copy(&one);
    one.revoke(&["hospital"]).unwrap();
    cloud.enroll(&mut one);
    other.revoke(&["clinic"]).unwrap();
    other.announcements().unwrap();
    let said = cloud.answer(&ask(&other, &[age(0, 120)])).map(drop);
    let fork = Error::Fork { authority: "the owner".into(), number: 2 };
    assert_eq!(said, Err(fork.into()));
}

#[test]
fn a_query_with_a_later_announcement_than_the_clouds_is_answered() {
    let Parties { mut owner, cloud, .. } = parties();
    owner.authorize("lab", &[]).unwrap();
    owner.announcements().unwrap();
    assert!(cloud.answer(&ask(&owner, &[age(0, 120)])).is_ok());
}

#[test]
fn a_query_that_a_dishonest_issuer_signs_is_refused_or_means_what_it_says() {
    let Parties { owner, hospital, cloud, .. } = parties();
    cloud.receive(&three_records(&hospital)).unwrap();
    let lookup = hospital.lookup("hospital", Ids::Integers(&[1, 2]), NOW).unwrap();
    let asked = [(&owner, ask(&owner, &[age(40, 60)])), (&hospital, lookup)];
    let asked = asked.map(|(by, bytes)| (by, Query::decode(&bytes).unwrap().message()));
    let number = prop_oneof![0..20_u64, any::<u64>()];
    let config = ProptestConfig::with_cases(cases(1000));
    proptest!(config, |(which in any::<Index>(), at in any::<Index>(), number in number, whole in any::<bool>())| {
        let (by, message) = which.get(&asked);
        let mut message = message.clone();
        let at = at.index(message.len());
        let end = message.len().min(at + if whole { 8 } else { 1 });
        message[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
        let bytes = by.signed(message.clone());
        if let Ok(query) = Query::decode(&bytes) {
            prop_assert_eq!(query.message(), message);
            let _ = cloud.answer(&bytes);
        }
    });
}
