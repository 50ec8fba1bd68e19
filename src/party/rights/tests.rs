use proptest::prelude::*;

use super::*;
use crate::party::scene::{NOW, age, cases, owner, sbp};

const USER: UserName = [9; 32];
const VERIFICATION: [u8; 32] = [8; 32];

fn terms() -> Terms {
    Terms { ranges: vec![age(20, 29), sbp(100, 300)], under: String::new(), end: u64::MAX }
}

/// What an owner with a hospital gives a user, without its signature.
fn given() -> (Keyring, Vec<u8>) {
    let mut owner = owner(1);
    owner.authorize("hospital", &[]).unwrap();
    let given = owner.delegated((&USER, &VERIFICATION), 5, &terms(), NOW).unwrap();
    let unsigned = given[..given.len() - 64].to_vec();
    (owner, unsigned)
}

fn decode(bytes: &[u8]) -> Result<SearchRight, Error> {
    SearchRight::decode(bytes, &USER, &VERIFICATION)
}

#[test]
fn what_is_given_is_read_and_shows_no_cut() {
    let (owner, given) = given();
    let read = decode(&owner.signed(given)).unwrap();
    assert_eq!(read.ranges, terms().ranges);
    assert_eq!(read.cuts.iter().map(Vec::len).collect::<Vec<_>>(), [2]);
    assert_eq!(read.cuts[0].iter().map(|cuts| cuts.len()).collect::<Vec<_>>(), [11, 202]);
    let shown = format!("{read:?}");
    for cut in read.cuts[0].iter().flat_map(|cuts| cuts.iter()) {
        assert!(*cut < 1000 || !shown.contains(&cut.to_string()));
    }
}

#[test]
fn another_user_takes_none_of_it() {
    let (owner, given) = given();
    let signed = owner.signed(given);
    let other = SearchRight::decode(&signed, &[7; 32], &VERIFICATION);
    assert!(matches!(other, Err(Error::OtherUser)));
    let other = SearchRight::decode(&signed, &USER, &[7; 32]);
    assert!(matches!(other, Err(Error::OtherUser)));
}

#[test]
fn cuts_that_do_not_fit_the_right_are_malformed() {
    let (owner, given) = given();
    // The last range's cuts end what is signed.
    let last = given.len() - 8;
    for cut in [0, 1, RANGE, RANGE + 1, u64::MAX] {
        let mut changed = given.clone();
        changed[last..].copy_from_slice(&cut.to_le_bytes());
        let is_same = changed == given;
        assert_eq!(decode(&owner.signed(changed)).is_ok(), is_same, "{cut}");
    }
    let mut swapped = given.clone();
    swapped[last - 16..].rotate_left(8);
    assert!(matches!(decode(&owner.signed(swapped)), Err(Error::Wire(_))));
    let mut short = given;
    short.truncate(last);
    assert!(matches!(decode(&owner.signed(short)), Err(Error::Wire(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(400)))]

    #[test]
    fn whatever_an_owner_signs_is_refused_or_makes_queries(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        low in 0..130_i64,
    ) {
        let (owner, mut given) = given();
        let at = at.index(given.len());
        given[at] ^= byte;
        if let Ok(read) = decode(&owner.signed(given)) {
            let asked = OpenRange { field: "age".to_owned(), low: Some(low), high: None };
            let _ = read.query(&[asked], NOW);
            let _ = read.spans("age");
        }
    }
}
