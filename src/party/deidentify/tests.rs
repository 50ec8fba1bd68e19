use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::message;
use crate::party::scene::{cases, owner};
use crate::schema::{Field, Kind, Schema};
use crate::wire::Packed;

#[derive(Deserialize)]
struct Vectors {
    tree: Tree,
}

#[derive(Deserialize)]
struct Tree {
    #[serde(with = "hex")]
    root: [u8; 32],
    deidentified: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    within: String,
    portion: String,
    column: String,
    subject: Subject,
    #[serde(with = "hex")]
    pseudonym: [u8; 16],
    days: u32,
    shift: i64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Subject {
    Integer(i64),
    Text(String),
}

#[test]
fn pseudonyms_and_shifts_are_the_known_ones() {
    let json = include_str!("../../../tests/vectors/keys.json");
    let Vectors { tree } = serde_json::from_str(json).unwrap();
    let age = Field::new(Kind::Number, 0.0, 120.0, 1.0, Some(1)).unwrap();
    let schema = Schema::new(vec![("age".into(), age)]).unwrap();
    let mut root = Keyring::root(Key::from_bytes(&tree.root).unwrap(), schema);
    let hospital = root.authorize("hospital", &[]).unwrap();
    for case in &tree.deidentified {
        let Case { portion, column, pseudonym, days, shift, .. } = case;
        let within = if case.within == "group" { Within::Group } else { Within::Provider };
        let check = |ids: Ids<'_>| {
            assert_eq!(hospital.pseudonyms(within, portion, column, ids).unwrap(), [*pseudonym]);
            assert_eq!(hospital.shifts(within, *days, ids).unwrap(), [*shift]);
        };
        match &case.subject {
            Subject::Integer(id) => check(Ids::Integers(&[*id])),
            Subject::Text(id) => {
                check(Ids::Texts(&Packed::new(vec![id.len() as u64], id.as_bytes()).unwrap()));
            }
        }
    }
    assert!(tree.deidentified.len() >= 20);
}

/// Chi-square over 11 shifts of 110,000 subjects, fixed key; the 1 - 1e-6 quantile with 10 degrees of freedom
/// is 47.0.
#[test]
fn shifts_are_uniform() {
    let hospital = owner(1).authorize("hospital", &[]).unwrap();
    let subjects: Vec<i64> = (0..110_000).collect();
    let mut counts = [0_u32; 11];
    for shift in hospital.shifts(Within::Provider, 5, Ids::Integers(&subjects)).unwrap() {
        counts[usize::try_from(shift + 5).unwrap()] += 1;
    }
    let chi2: f64 = counts.iter().map(|&n| (f64::from(n) - 1e4).powi(2) / 1e4).sum();
    assert!(chi2 < 47.0, "chi-square is {chi2}");
}

#[test]
fn siblings_share_what_is_of_the_group_and_nothing_else() {
    let mut root = owner(1);
    let hospital = root.authorize("hospital", &[]).unwrap();
    let clinic = root.authorize("clinic", &[]).unwrap();
    let ward = root.authorize("ward", &["hospital"]).unwrap();
    let stranger = owner(2).authorize("hospital", &[]).unwrap();
    let ids: Vec<i64> = (0..50).collect();
    let of = |keyring: &Keyring, within| {
        let pseudonyms = keyring.pseudonyms(within, "research", "id", Ids::Integers(&ids)).unwrap();
        (pseudonyms, keyring.shifts(within, 1000, Ids::Integers(&ids)).unwrap())
    };
    assert_eq!(of(&hospital, Within::Group), of(&clinic, Within::Group));
    let others = [
        of(&hospital, Within::Group),
        of(&hospital, Within::Provider),
        of(&clinic, Within::Provider),
        of(&ward, Within::Provider),
        of(&ward, Within::Group),
        of(&stranger, Within::Group),
        of(&stranger, Within::Provider),
    ];
    for (at, (pseudonyms, shifts)) in others.iter().enumerate() {
        for (other, other_shifts) in &others[at + 1..] {
            assert!(pseudonyms.iter().all(|one| !other.contains(one)));
            assert_ne!(shifts, other_shifts);
        }
    }
}

#[test]
fn an_owner_has_no_records_to_de_identify() {
    let root = owner(1);
    for within in [Within::Provider, Within::Group] {
        let refused = root.shifts(within, 1, Ids::Integers(&[1]));
        assert!(matches!(refused, Err(Error::Message(message::Error::Scope { .. }))));
        let refused = root.pseudonyms(within, "research", "id", Ids::Integers(&[1]));
        assert!(matches!(refused, Err(Error::Message(message::Error::Scope { .. }))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(64)))]

    #[test]
    fn equal_subjects_have_equal_shifts_within_bounds(
        subjects in proptest::collection::vec(0_i64..9, 1..200),
        days in 0_u32..=u32::MAX,
    ) {
        let hospital = owner(1).authorize("hospital", &[]).unwrap();
        let shifts = hospital.shifts(Within::Provider, days, Ids::Integers(&subjects)).unwrap();
        let names = hospital
            .pseudonyms(Within::Provider, "research", "id", Ids::Integers(&subjects))
            .unwrap();
        for (at, subject) in subjects.iter().enumerate() {
            prop_assert!(shifts[at].unsigned_abs() <= u64::from(days));
            let first = subjects.iter().position(|other| other == subject).unwrap();
            prop_assert_eq!(shifts[at], shifts[first]);
            for (other, name) in subjects.iter().zip(&names) {
                prop_assert_eq!(*name == names[at], other == subject);
            }
        }
    }
}
