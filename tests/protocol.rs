//! The protocol from the owner's key to the opened record, through bytes only.

#[path = "support/scene.rs"]
mod scene;

use mopse::keys::{Key, Purpose};
use mopse::message::answer::Part;
use mopse::message::certificate::Chain;
use mopse::message::place::{Epoch, Group, Node};
use mopse::message::query::{Predicate, Query, Scope, Selection, Token};
use mopse::party::Keyring;
use mopse::party::columns::Values;
use mopse::party::grants::{Grant, Grants, Share};
use mopse::party::records::Ids;
use mopse::scheme;
use mopse::{cloud, message, party};
use proptest::collection::vec;
use proptest::prelude::*;
use scene::{Cloud, NOW, Row, age, ask, open, open_with, owner, sbp, tokens, upload};

/// Owner, hospital, ward in the hospital, clinic.
struct Tree {
    owner: Keyring,
    hospital: Keyring,
    ward: Keyring,
    clinic: Keyring,
    cloud: Cloud,
}

const OF_HOSPITAL: [Row; 3] = [(1, 40, Some(150)), (2, 70, Some(140)), (3, 55, None)];
const OF_WARD: [Row; 2] = [(1, 45, Some(120)), (2, 60, Some(180))];
const OF_CLINIC: [Row; 3] = [(1, 50, Some(145)), (2, 41, Some(90)), (7, 60, Some(160))];

fn tree() -> Tree {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).expect("a good name");
    let ward = owner.authorize("ward", &["hospital"]).expect("the hospital is there");
    let clinic = owner.authorize("clinic", &[]).expect("a good name");
    let cloud = Cloud::of(&mut owner);
    for (provider, rows) in
        [(&hospital, &OF_HOSPITAL[..]), (&ward, &OF_WARD[..]), (&clinic, &OF_CLINIC[..])]
    {
        cloud.receive(&upload(provider, rows)).expect("it is new and whole");
    }
    Tree { owner, hospital, ward, clinic, cloud }
}

fn named(found: &[(&str, i64)]) -> Vec<(String, i64)> {
    found.iter().map(|(path, id)| ((*path).to_owned(), *id)).collect()
}

#[test]
fn one_query_finds_the_records_of_all_levels() {
    let Tree { owner, cloud, .. } = tree();
    let found = cloud.find(&owner, &[age(40, 60)]);
    let expected = [
        ("clinic", 1),
        ("clinic", 2),
        ("clinic", 7),
        ("hospital", 1),
        ("hospital", 3),
        ("hospital/ward", 1),
        ("hospital/ward", 2),
    ];
    assert_eq!(found, named(&expected));
    assert_eq!(cloud.find(&owner, &[age(0, 39)]), []);
    assert_eq!(cloud.find(&owner, &[age(0, 120)]).len(), 8);
}

#[test]
fn a_conjunction_finds_what_is_in_all_ranges_and_never_a_missing_value() {
    let Tree { owner, cloud, .. } = tree();
    let found = cloud.find(&owner, &[age(40, 60), sbp(140, 300)]);
    let expected = [("clinic", 1), ("clinic", 7), ("hospital", 1), ("hospital/ward", 2)];
    assert_eq!(found, named(&expected));
    assert_eq!(cloud.find(&owner, &[sbp(0, 300)]).len(), 7, "record 3 of the hospital has none");
}

#[test]
fn a_provider_finds_its_own_records_and_those_below_it_only() {
    let Tree { mut owner, ward, clinic, cloud, .. } = tree();
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let found = cloud.find(&hospital, &[age(40, 60)]);
    let expected = [("hospital", 1), ("hospital", 3), ("hospital/ward", 1), ("hospital/ward", 2)];
    assert_eq!(found, named(&expected));
    assert_eq!(cloud.find(&ward, &[age(40, 50)]), named(&[("hospital/ward", 1)]));
    let expected = [("clinic", 1), ("clinic", 7)];
    assert_eq!(cloud.find(&clinic, &[age(50, 120), sbp(100, 200)]), named(&expected));
}

#[test]
fn a_query_over_everything_takes_one_token_per_group() {
    let mut owner = owner(1);
    let internal = [vec!["a"], vec!["a", "b"], vec!["c"]];
    let leaves = [vec!["a"], vec!["a"], vec!["a", "b"], vec!["c"], vec![]];
    for path in &internal {
        let (name, under) = path.split_last().expect("one name at least");
        owner.authorize(name, under).unwrap();
    }
    for (number, under) in leaves.iter().enumerate() {
        owner.authorize(&format!("leaf {number}"), under).unwrap();
    }
    let query = Query::decode(&ask(&owner, &[age(0, 9), sbp(0, 9)])).unwrap();
    assert_eq!((query.tokens.len(), query.expiry), (1 + internal.len(), NOW));
    for (at, token) in query.tokens.iter().enumerate() {
        assert_eq!(token.scope, Scope::Group);
        let others = || query.tokens[..at].iter();
        assert!(others().all(|other| other.id != token.id && other.group != token.group));
        // Groups share no ruler: the same plaintext bounds are other ciphertext bounds.
        assert!(others().all(|other| other.selection != token.selection));
    }

    let count = |by: &Keyring| tokens(&ask(by, &[age(0, 9)])).len();
    let a = owner.authorize("a", &[]).unwrap();
    assert_eq!(count(&a), 1 + 2, "its own runs, its group, and b's");
    let leaf = owner.authorize("leaf 4", &[]).unwrap();
    assert_eq!(count(&leaf), 1);
}

#[test]
fn one_provider_below_the_owner_or_many_the_owner_sends_one_token() {
    let mut owner = owner(1);
    for name in ["a", "b", "c"] {
        owner.authorize(name, &[]).unwrap();
        assert_eq!(tokens(&ask(&owner, &[age(0, 9)])).len(), 1);
    }
}

/// The ranges of a token.
fn predicates(token: &Token) -> &[Predicate] {
    match &token.selection {
        Selection::Ranges(predicates) => predicates,
        other => panic!("{other:?}"),
    }
}

#[test]
fn open_ends_of_the_domain_are_open_ends_of_the_ciphertexts() {
    let Tree { owner, .. } = tree();
    let all = &tokens(&ask(&owner, &[age(0, 120)]))[0];
    assert_eq!((predicates(all)[0].low, predicates(all)[0].high), (0, i64::MAX));
}

#[test]
fn a_query_that_is_none_is_refused() {
    let Tree { owner, .. } = tree();
    assert_eq!(owner.query(&[age(2, 1)], NOW), Err(scheme::Error::BoundsOrder.into()));
    for (range, position) in [(age(0, 121), 1), (age(-1, 5), 0)] {
        let outside = scheme::Error::OutOfDomain { position, domain: 121 };
        assert_eq!(owner.query(&[range], NOW), Err(outside.into()));
    }
    let unknown = scene::schema().fields()[0].0.clone() + "s";
    let range = party::Range { field: unknown.clone(), low: 0, high: 1 };
    assert_eq!(owner.query(&[range], NOW), Err(party::Error::UnknownField { field: unknown }));
}

#[test]
fn a_query_of_no_range_finds_nothing_of_anybody() {
    let Tree { owner, clinic, cloud, .. } = tree();
    for by in [&owner, &clinic] {
        assert_eq!(tokens(&ask(by, &[])), []);
        assert_eq!(cloud.answer(&ask(by, &[])).unwrap().parts, []);
    }
}

#[test]
fn the_same_record_id_at_two_providers_is_two_records() {
    let Tree { owner, hospital, clinic, cloud, .. } = tree();
    let parts = cloud.answer(&ask(&owner, &[age(0, 120)])).unwrap().parts;
    let handles: Vec<u128> = parts.iter().flat_map(|part| part.handles.clone()).collect();
    let mut distinct = handles.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), handles.len());

    // In two uploads of one provider it is one record, and stored already.
    let before = cloud.snapshot();
    let again = upload(&clinic, &[(8, 30, None), (7, 31, None)]);
    let refused = cloud.receive(&again);
    assert!(matches!(&refused, Err(cloud::Error::Stored { provider, .. }) if provider == "clinic"));
    assert_eq!(cloud.snapshot(), before);
    cloud.receive(&upload(&hospital, &[(7, 30, None)])).unwrap();
    cloud.receive(&upload(&clinic, &[(8, 30, None)])).unwrap();
    assert_eq!(cloud.find(&owner, &[age(30, 30)]), named(&[("clinic", 8), ("hospital", 7)]));
}

#[test]
fn an_upload_counts_once_in_whatever_order_it_comes() {
    let Tree { owner, hospital, cloud, .. } = tree();
    let first = upload(&hospital, &[(10, 20, None)]);
    let second = upload(&hospital, &[(11, 20, None)]);
    for bytes in [&second, &first] {
        let receipt = cloud.receive(bytes).unwrap();
        assert_eq!((receipt.added, receipt.is_repeated), (1, false));
    }
    let before = cloud.snapshot();
    for bytes in [&first, &second] {
        let receipt = cloud.receive(bytes).unwrap();
        assert_eq!((receipt.added, receipt.is_repeated), (1, true));
        assert_eq!(cloud.snapshot(), before);
    }
    let found = cloud.find(&owner, &[age(20, 20)]);
    assert_eq!(found, named(&[("hospital", 10), ("hospital", 11)]));
}

#[test]
fn a_removed_providers_records_are_gone_and_do_not_come_back_by_replay() {
    let Tree { owner, hospital, cloud, .. } = tree();
    let sent = upload(&hospital, &[(4, 80, None)]);
    cloud.receive(&sent).unwrap();
    assert_eq!(cloud.remove(&owner, "hospital"), 4);
    assert_eq!(cloud.remove(&owner, "hospital"), 0);
    assert_eq!(cloud.remove(&owner, "nobody"), 0);
    let left = cloud.find(&owner, &[age(0, 120)]);
    assert!(left.iter().all(|(path, _)| path != "hospital") && left.len() == 5);
    assert_eq!(cloud.receive(&sent), Err(cloud::Error::Replay { provider: "hospital".into() }));
    cloud.receive(&upload(&hospital, &OF_HOSPITAL)).unwrap();
    assert_eq!(cloud.find(&owner, &[age(0, 120)]).len(), 8);
}

#[test]
fn two_owners_share_a_cloud_and_nothing_else() {
    let Tree { owner, cloud, .. } = tree();
    let mut stranger = scene::owner(2);
    let hospital = stranger.authorize("hospital", &[]).unwrap();
    cloud.enroll(&mut stranger);
    cloud.receive(&upload(&hospital, &[(1, 40, None)])).unwrap();
    assert_eq!(cloud.find(&stranger, &[age(0, 120)]), named(&[("hospital", 1)]));
    assert_eq!(cloud.find(&owner, &[age(0, 120)]).len(), 8);
    assert_eq!(cloud.remove(&stranger, "hospital"), 1);
    assert_eq!(cloud.find(&owner, &[age(0, 120)]).len(), 8);
}

#[test]
fn whoever_is_authorised_twice_gets_the_same_keys() {
    let Tree { mut owner, hospital, cloud, .. } = tree();
    let again = owner.authorize("hospital", &[]).unwrap();
    assert_eq!(again.node(), hospital.node());
    assert_eq!(again.chain().0[0].key, hospital.chain().0[0].key);
    cloud.receive(&upload(&again, &[(9, 33, None)])).unwrap();
    assert_eq!(cloud.find(&again, &[age(33, 33)]), named(&[("hospital", 9)]));
}

#[test]
fn nobody_is_authorised_below_a_place_that_is_not() {
    let mut owner = owner(1);
    let refused = owner.authorize("ward", &["hospital"]).unwrap_err();
    assert_eq!(refused, party::Error::UnknownProvider { provider: "hospital".into() });
    assert!(matches!(
        owner.authorize("a/b", &[]),
        Err(party::Error::Message(message::Error::Name { .. }))
    ));
    assert_eq!(owner.members(), []);
}

/// The tree after the hospital was removed from it and the cloud was told.
fn after_removal() -> Tree {
    let mut tree = tree();
    tree.owner.revoke(&["hospital"]).expect("it is there");
    tree.cloud.enroll(&mut tree.owner);
    tree
}

#[test]
fn an_old_epoch_is_refused_once_it_is_announced() {
    let Tree { owner, hospital, ward, clinic, cloud } = after_removal();
    let before = cloud.snapshot();
    for provider in [&hospital, &ward, &clinic] {
        let refused = cloud.receive(&upload(provider, &[(20, 20, None)]));
        assert_eq!(refused, Err(message::Error::Epoch { provider: provider.node().path() }.into()));
        assert_eq!(cloud.snapshot(), before);
    }
    let paths: Vec<_> = owner.members().iter().map(Node::path).collect();
    assert_eq!(paths, ["clinic"], "nobody below the hospital stays");
    assert_eq!(
        owner.find("hospital").unwrap_err().to_string(),
        "no provider \"hospital\" was authorised"
    );
}

#[test]
fn a_new_epoch_is_a_new_group_and_the_old_one_stays_readable() {
    let Tree { mut owner, clinic, cloud, .. } = after_removal();
    let renewed = owner.authorize("clinic", &[]).unwrap();
    let epoch = renewed.node().epochs()[0];
    assert!(epoch.number == 1 && epoch.salt.is_some());
    cloud.receive(&upload(&renewed, &[(1, 50, None)])).unwrap();

    let groups: Vec<_> = owner.groups().iter().map(ToString::to_string).collect();
    let expected = ["the group of the owner", "the group of the owner, epoch 1"];
    assert_eq!(groups, [expected[0], expected[1], "the group of hospital"]);
    assert_eq!(tokens(&ask(&owner, &[age(0, 1)])).len(), 3);
    let found = cloud.find(&owner, &[age(50, 50)]);
    assert_eq!(found, named(&[("clinic", 1), ("clinic", 1)]), "one of each epoch");
    assert_eq!(cloud.find(&owner, &[age(0, 120)]).len(), 9);

    // The new keyring of the clinic opens the records of both epochs, the old one no new ones.
    assert_eq!(cloud.find(&renewed, &[age(0, 120)]).len(), 1 + 3);
    let old = Query::decode(&ask(&clinic, &[age(0, 120)])).unwrap();
    let refused = Err(message::Error::Epoch { provider: "clinic".to_owned() });
    assert_eq!(old.check(&cloud.announced(&owner), 0), refused, "an old keyring asks no more");
    assert!(renewed.opener(clinic.node(), Epoch::default()).is_ok());
    assert!(matches!(
        clinic.opener(renewed.node(), Epoch::default()),
        Err(party::Error::Message(message::Error::Scope { .. }))
    ));
}

#[test]
fn a_removal_below_the_top_rekeys_that_group_only() {
    let Tree { mut owner, ward, clinic, cloud, .. } = tree();
    owner.authorize("lab", &["hospital"]).unwrap();
    owner.revoke(&["hospital", "ward"]).unwrap();
    cloud.enroll(&mut owner);
    let refused = cloud.receive(&upload(&ward, &[(5, 5, None)]));
    assert_eq!(refused, Err(message::Error::Epoch { provider: "hospital/ward".into() }.into()));
    cloud.receive(&upload(&clinic, &[(5, 5, None)])).unwrap();
    let hospital = owner.authorize("hospital", &[]).unwrap();
    cloud.receive(&upload(&hospital, &[(5, 5, None)])).unwrap();
    let lab = owner.authorize("lab", &["hospital"]).unwrap();
    assert_eq!(lab.node().epochs().iter().map(|epoch| epoch.number).collect::<Vec<_>>(), [0, 1]);
    cloud.receive(&upload(&lab, &[(5, 5, None)])).unwrap();
    let expected = [("clinic", 5), ("hospital", 5), ("hospital/lab", 5)];
    assert_eq!(cloud.find(&owner, &[age(5, 5)]), named(&expected));
    assert_eq!(cloud.find(&hospital, &[age(0, 120)]).len(), 4 + 2 + 1);
}

#[test]
fn a_removed_providers_raw_key_does_not_lead_to_the_next_epoch() {
    let root = Key::from_bytes(&[1; 32]).unwrap();
    let hospital = root.child(Purpose::Node, b"hospital", 0);
    let mut owner = owner(1);
    owner.authorize("clinic", &[]).unwrap();
    let left = owner.authorize("hospital", &[]).unwrap();
    owner.revoke(&["hospital"]).unwrap();
    let epoch = owner.authorize("clinic", &[]).unwrap().node().epochs()[0];
    let (number, salt) = (epoch.number, epoch.salt());
    let next = root.child_in(Purpose::Node, b"clinic", number, salt);
    let schema = scene::schema();
    let ruler = |epoch: Epoch| {
        let (name, field) = &schema.fields()[0];
        let length = (name.len() as u64).to_le_bytes();
        let label = [&length[..], name.as_bytes(), &field.label()].concat();
        root.child_in(Purpose::Ruler, &label, epoch.number, epoch.salt())
    };
    let held = [hospital, ruler(Epoch::default())];
    let words = [Purpose::Node, Purpose::Ruler, Purpose::Order, Purpose::Place, Purpose::Handle];
    for key in &held {
        for purpose in words {
            for label in [&b""[..], b"clinic", b"hospital", b"age"] {
                for number in 0..3 {
                    // It knows the salt, which is announced to everybody.
                    for salt in [&[][..], epoch.salt()] {
                        let child = key.child_in(purpose, label, number, salt);
                        assert_ne!(child.expose(), next.expose());
                        assert_ne!(child.expose(), ruler(epoch).expose());
                    }
                }
            }
        }
    }
    // The derivation above is the one in use: a grant of the hospital holds what it leads to.
    let share = Share { ids: None, portions: None, holder: b"", end: NOW };
    let grant = left.grant(left.node(), &share).unwrap();
    let record = held[0].child(Purpose::Record, b"", 0);
    let expected = record.child(Purpose::Portion, b"", 0);
    assert!(grant.windows(32).any(|bytes| bytes == expected.expose()));
    assert!(grant.windows(32).all(|bytes| bytes != record.expose() && bytes != held[0].expose()));
}

#[test]
fn a_removal_by_a_hospital_reaches_the_owner_with_the_next_certificate() {
    let Tree { mut owner, cloud, ward, .. } = tree();
    let mut hospital = owner.authorize("hospital", &[]).unwrap();
    let lab = hospital.authorize("lab", &[]).unwrap();
    owner.learn(&lab.certificates()).unwrap();
    hospital.revoke(&["ward"]).unwrap();
    cloud.enroll(&mut hospital);
    let lab = hospital.authorize("lab", &[]).unwrap();
    let (of, chain) = Chain::decode(&lab.chain().encode(&lab.owner())).unwrap();
    owner.learn(&chain.encode(&of)).unwrap();

    // The ward is refused, and to the owner it is no member any more. What the owner would announce of the
    // hospital's group is another branch than what the hospital announced, until it has caught up.
    let fork = message::Error::Fork { authority: "hospital".into(), number: 2 };
    assert_eq!(cloud.try_enroll(&mut owner), Err(fork.into()));
    assert_eq!(owner.catch_up(&cloud.announcements(&owner)), Ok(true));
    cloud.enroll(&mut owner);
    let refused = cloud.receive(&upload(&ward, &[(5, 5, None)]));
    assert_eq!(refused, Err(message::Error::Epoch { provider: "hospital/ward".into() }.into()));
    assert!(matches!(owner.find("hospital/ward"), Err(party::Error::UnknownProvider { .. })));
    cloud.receive(&upload(&lab, &[(6, 6, None)])).unwrap();
    assert_eq!(cloud.find(&owner, &[age(6, 6)]), named(&[("hospital/lab", 6)]));

    // If the owner now removes the lab, it must not reuse an epoch whose keys the lab has.
    owner.revoke(&["hospital", "lab"]).unwrap();
    let desk = owner.authorize("desk", &["hospital"]).unwrap();
    assert_eq!(desk.node().epochs()[1].number, 2);
    // An old certificate brings nobody back.
    owner.learn(&chain.encode(&of)).unwrap();
    assert!(matches!(owner.find("hospital/lab"), Err(party::Error::UnknownProvider { .. })));
    assert!(owner.members().iter().all(|member| member.path() != "hospital/lab"));
    cloud.enroll(&mut owner);
    assert_eq!(cloud.find(&owner, &[age(6, 6)]), named(&[("hospital/lab", 6)]), "old data stays");
}

#[test]
fn a_keyring_learns_of_its_own_subtree_only() {
    let Tree { mut owner, mut hospital, ward, clinic, .. } = tree();
    assert!(matches!(
        hospital.learn(&clinic.chain().encode(&owner.owner())),
        Err(party::Error::Message(message::Error::Scope { .. }))
    ));
    let itself = hospital.chain().clone();
    assert!(matches!(
        hospital.learn(&itself.encode(&owner.owner())),
        Err(party::Error::Message(message::Error::Scope { .. }))
    ));
    assert!(matches!(
        hospital.learn(&Chain::default().encode(&owner.owner())),
        Err(party::Error::Message(message::Error::Scope { .. }))
    ));
    assert_eq!(tokens(&ask(&hospital, &[age(0, 1)])).len(), 1);
    hospital.learn(&ward.chain().encode(&owner.owner())).unwrap();
    assert_eq!(tokens(&ask(&hospital, &[age(0, 1)])).len(), 2);

    let mut stranger = scene::owner(2);
    let what = "the certificate chain";
    assert_eq!(
        owner.learn(&ward.chain().encode(&stranger.owner())),
        Err(message::Error::OtherOwner { what }.into())
    );
    let forged = stranger.authorize("hospital", &[]).unwrap();
    let what = "a certificate";
    assert_eq!(
        owner.learn(&forged.chain().encode(&owner.owner())),
        Err(message::Error::Signature { what }.into())
    );
}

#[test]
fn what_is_learned_of_an_old_epoch_stays_within_reach() {
    let Tree { mut owner, ward, .. } = tree();
    let mut hospital = owner.authorize("hospital", &[]).unwrap();
    hospital.revoke(&["ward"]).unwrap();
    hospital.learn(&ward.chain().encode(&owner.owner())).unwrap();
    let groups: Vec<Group> = hospital.groups();
    assert!(groups.iter().all(|group| hospital.node().holds(&group.authority)), "{groups:?}");
    assert_eq!(tokens(&ask(&hospital, &[age(0, 1)])).len(), 2);
}

/// What a grant of a provider opens, at or below who gives it.
fn granted(by: &Keyring, provider: &Node, ids: Option<&[i64]>) -> Grants {
    let rest = ["rest".to_owned()];
    let ids = ids.map(Ids::Integers);
    let share = Share { ids, portions: ids.is_some().then_some(&rest[..]), holder: b"", end: NOW };
    let grant = by.grant(provider, &share).expect("it is at or below");
    let mut grants = Grants::default();
    grants.add(Grant::decode(&grant).expect("just made"), NOW).expect("it has not ended");
    grants
}

#[test]
fn a_grant_opens_what_was_granted_and_nothing_else() {
    let Tree { owner, hospital, clinic, cloud, .. } = tree();
    let parts = cloud.answer(&ask(&owner, &[age(0, 120)])).unwrap().parts;
    let part = |path: &str| parts.iter().find(|part| part.provider.path() == path).unwrap();
    let open = |grants: &Grants, part: &Part| {
        let opened = grants.open_part(part, &[], &scene::schema(), NOW)?;
        let mut found = if opened.columns.is_empty() { Vec::new() } else { ids(&opened) };
        found.sort_unstable();
        Ok::<_, party::Error>(found)
    };
    let none = || Err(party::Error::NoGrant { provider: "hospital".into() });

    let all = granted(&owner, clinic.node(), None);
    assert_eq!(open(&all, part("clinic")), Ok(vec![1, 2, 7]));
    assert_eq!(open(&all, part("hospital")), none());

    let some = granted(&clinic, clinic.node(), Some(&[2, 7, 99]));
    assert_eq!(open(&some, part("clinic")), Ok(vec![2, 7]));
    assert_eq!(open(&some, part("hospital")), none());
    let opener = some.opener(owner.owner(), clinic.node(), Epoch::default(), NOW).unwrap();
    assert_eq!(opener.records(), Some(3));

    // A part that claims to be another provider's does not open with its grant.
    let moved = Part { provider: clinic.node().clone(), ..part("hospital").clone() };
    assert_eq!(open(&all, &moved), Err(party::Error::Layout));
    let share = Share { ids: None, portions: None, holder: b"", end: NOW };
    for refused in [
        hospital.opener(clinic.node(), Epoch::default()).map(drop),
        hospital.grant(clinic.node(), &share).map(drop),
    ] {
        assert!(matches!(refused, Err(party::Error::Message(message::Error::Scope { .. }))));
    }
}

#[test]
fn a_grant_of_one_epoch_opens_no_other() {
    let Tree { mut owner, clinic, cloud, .. } = after_removal();
    let granted = granted(&owner, clinic.node(), None);
    let renewed = owner.authorize("clinic", &[]).unwrap();
    cloud.receive(&upload(&renewed, &[(1, 50, None)])).unwrap();
    let parts = cloud.answer(&ask(&renewed, &[age(0, 120)])).unwrap().parts;
    let part = parts.iter().find(|part| part.provider == *renewed.node()).unwrap();
    let none = Err(party::Error::NoGrant { provider: "clinic".into() });
    assert_eq!(granted.open_part(part, &[], &scene::schema(), NOW), none);
    let moved = Part { provider: clinic.node().clone(), ..part.clone() };
    let closed = granted.open_part(&moved, &[], &scene::schema(), NOW);
    assert_eq!(closed, Err(party::Error::Layout));
    assert_eq!(open(&renewed, part), Ok(named(&[("clinic", 1)])));
    let opener = clinic.opener(clinic.node(), Epoch::default()).unwrap();
    assert_eq!(open_with(&opener, &moved), Err(party::Error::Layout));
}

#[test]
fn an_empty_answer_still_tells_the_columns() {
    let Tree { owner, ward, cloud, .. } = tree();
    let mut owner = owner;
    for keyring in [&owner, &ward] {
        let parts = cloud.answer(&ask(keyring, &[age(0, 0)])).unwrap().parts;
        assert!(!parts.is_empty());
        for part in &parts {
            assert_eq!(open(keyring, part), Ok(vec![]));
            assert_eq!(keyring.open_part(part, &[]).unwrap().columns.len(), 4);
        }
    }
    let cloud = Cloud::of(&mut owner);
    let query = ask(&owner, &[age(0, 0)]);
    let parts = cloud.answer(&query).unwrap().parts;
    let tokens = tokens(&query);
    let nothing = tokens.iter().map(|token| Part::nothing(owner.owner(), token.id, 0));
    assert_eq!(parts, nothing.collect::<Vec<_>>(), "an empty cloud has no layout");
}

#[test]
fn secrets_do_not_print() {
    let Tree { owner, clinic, .. } = tree();
    let key = Key::from_bytes(&[0xab; 32]).unwrap();
    let root = Keyring::root(key.clone(), scene::schema());
    let insecure = Keyring::insecure(key.clone(), scene::schema());
    let mut secrets = vec![key.clone(), Key::from_bytes(&[1; 32]).unwrap()];
    let of = Key::from_bytes(&[1; 32]).unwrap().child(Purpose::Node, b"clinic", 0);
    let readers = of.child(Purpose::Record, b"", 0).child(Purpose::Portion, b"", 0);
    let portion = readers.child(Purpose::Portion, b"/rest", 0);
    secrets.extend(
        [b"layout".as_slice(), b"high", b"low"]
            .map(|label| portion.child(Purpose::Portion, label, 0)),
    );
    secrets.push(of.child(Purpose::Author, b"", 0));
    secrets.extend([of, readers, portion]);

    let opener = clinic.opener(clinic.node(), Epoch::default()).unwrap();
    let grants =
        [granted(&owner, clinic.node(), None), granted(&clinic, clinic.node(), Some(&[1, 2]))];
    let ids = Some(Ids::Integers(&[1, 2]));
    let share = Share { ids, portions: None, holder: b"", end: NOW };
    let grant = Grant::decode(&clinic.grant(clinic.node(), &share).unwrap()).unwrap();
    let mopse = clinic.mopse("age").unwrap();
    let shown = [
        format!("{key:?} {key:#?}"),
        format!("{root:?} {root:#?} {owner:?} {owner:#?} {clinic:?} {insecure:?} {insecure:#?}"),
        format!("{opener:?} {opener:#?} {opener} {grants:?} {grants:#?} {grant:?} {grant:#?}"),
        format!("{mopse:?} {mopse:#?} {:?}", clinic.mopse("sbp").unwrap()),
    ]
    .concat();
    for secret in secrets {
        let bytes = secret.expose();
        for run in bytes.windows(3) {
            let [a, b, c] = run else { unreachable!() };
            for printed in [
                format!("{a:02x}{b:02x}{c:02x}"),
                format!("{a}, {b}, {c}"),
                format!("{a:02X}{b:02X}{c:02X}"),
            ] {
                assert!(!shown.contains(&printed), "{printed} in {shown}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is uploaded in whatever order, a query finds what a scan of the tables finds.
    #[test]
    fn a_query_is_a_scan(
        tables in vec(vec((0..4_i64, proptest::option::of(0..4_i64)), 1..6), 1..5),
        (a, b) in (0..4_i64, 0..4_i64),
        (c, d) in (0..4_i64, 0..4_i64),
    ) {
        let Tree { mut owner, hospital, ward, clinic, .. } = tree();
        let cloud = Cloud::of(&mut owner);
        let (ages, pressures) = (age(a.min(b), a.max(b)), sbp(c.min(d), c.max(d)));
        let mut expected = Vec::new();
        for (number, table) in tables.iter().enumerate() {
            let provider = [&hospital, &ward, &clinic][number % 3];
            let start = 100 * i64::try_from(number).unwrap();
            let rows: Vec<Row> =
                (start..).zip(table).map(|(id, &(age, sbp))| (id, age, sbp)).collect();
            cloud.receive(&upload(provider, &rows)).unwrap();
            let is_in = |row: &&Row| {
                (ages.low..=ages.high).contains(&row.1)
                    && row.2.is_some_and(|sbp| (pressures.low..=pressures.high).contains(&sbp))
            };
            expected.extend(rows.iter().filter(is_in).map(|row| (provider.node().path(), row.0)));
        }
        expected.sort();
        prop_assert_eq!(cloud.find(&owner, &[ages, pressures]), expected);
    }
}

/// The ids of opened columns.
fn ids(opened: &party::Opened) -> Vec<i64> {
    match &opened.columns[0].values {
        Values::Int64(ids) => ids.to_vec(),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_opened_and_no_range_finds_is_left_out_and_named(
        rows in vec((0..6_i64, proptest::option::of(0..6_i64)), 1..20),
        ages in (0..6_i64, 0..6_i64),
        pressures in proptest::option::of((0..6_i64, 0..6_i64)),
    ) {
        let mut owner = owner(1);
        let hospital = owner.authorize("hospital", &[]).unwrap();
        let cloud = Cloud::of(&mut owner);
        let rows: Vec<Row> = (0..).zip(rows).map(|(id, (age, sbp))| (id, age, sbp)).collect();
        cloud.receive(&upload(&hospital, &rows)).unwrap();
        let part = cloud.answer(&ask(&owner, &[age(0, 120)])).unwrap().parts.remove(0);

        let mut ranges = vec![age(ages.0, ages.1)];
        ranges.extend(pressures.map(|(low, high)| sbp(low, high)));
        let within = |value: i64, (low, high): (i64, i64)| (low..=high).contains(&value);
        let matches = |row: &&Row| {
            within(row.1, ages)
                && pressures.is_none_or(|range| row.2.is_some_and(|sbp| within(sbp, range)))
        };
        let mut expected: Vec<i64> = rows.iter().filter(matches).map(|row| row.0).collect();
        let grants = granted(&hospital, hospital.node(), None);
        let by_grant = grants.report_part(&part, &ranges, &scene::schema(), NOW);
        for opened in [owner.report_part(&part, &ranges), by_grant] {
            prop_assert_eq!(opened.excess, 0, "cells are one step wide");
            prop_assert_eq!(opened.faults.len(), rows.len() - expected.len());
            let causes = opened.faults.iter().map(|fault| &fault.error);
            for cause in causes {
                let is_elsewhere = matches!(cause, party::Error::Elsewhere { .. });
                prop_assert!(is_elsewhere);
            }
            let mut found = ids(&opened);
            prop_assert!(opened.columns.iter().all(|column| column.rows() == found.len()));
            found.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(&found, &expected);
        }
    }
}

#[test]
fn an_opened_column_that_is_not_of_its_field_is_named() {
    let Tree { owner, cloud, .. } = tree();
    let part = cloud.answer(&ask(&owner, &[age(0, 120)])).unwrap().parts.remove(0);
    let range = |field: &str| party::Range { field: field.to_owned(), low: 0, high: 1 };
    let unknown = Err(party::Error::UnknownField { field: "note".into() });
    assert_eq!(owner.open_part(&part, &[range("note")]), unknown);
    let stranger = scene::owner(2);
    let what = "the answer";
    let refused = Err(message::Error::OtherOwner { what }.into());
    assert_eq!(stranger.open_part(&part, &[range("age")]), refused);
    let nothing = Grants::default().open_part(&part, &[], &scene::schema(), NOW);
    assert_eq!(nothing, Err(party::Error::NoGrant { provider: part.provider.path() }));
}
