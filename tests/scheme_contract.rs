//! The contract of [`Scheme`], kept by every scheme. A new scheme is one new line below.
//!
//! Every check runs over the whole domain. Each line names a fresh scheme and the id of the i-th
//! value; a scheme made anew has no codebook yet, and a batch of its whole domain makes one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "small numbers"
)]

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use mopse::keys::{Key, Purpose};
use mopse::scheme::clww::Clww;
use mopse::scheme::lewi_wu::{self, LewiWu, Nonce};
use mopse::scheme::marks::Marks;
use mopse::scheme::mopse::{Handle, Mopse};
use mopse::scheme::opse::{OneToMany, Opse};
use mopse::scheme::ruler::Ruler;
use mopse::scheme::{Error, MOST_PLAINTEXTS, Plain, RANGE, Scheme};
use proptest::prelude::*;

fn key(i: u32) -> Key {
    Key::from_bytes(&[0xc0; 32]).unwrap().child(Purpose::Node, b"contract", i)
}

fn opse(domain: u64, range: u64) -> Opse {
    Opse::with_range(&key(1), domain, range).unwrap()
}

fn provider(i: u32, domain: u64, cell: u64) -> Mopse {
    Mopse::new(Arc::new(Ruler::new(&key(2), domain, cell).unwrap()), &key(100 + i))
}

fn marked(i: u32, domain: u64, cell: u64) -> Mopse<Marks> {
    let ruler = Ruler::new(&key(2), domain, cell).unwrap();
    Mopse::new(Arc::new(Marks::new(&ruler, &key(200 + i))), &key(100 + i))
}

fn clww(domain: u64) -> Clww {
    Clww::new(&key(8), domain).unwrap()
}

fn lewi_wu(domain: u64, block_bits: u32) -> LewiWu {
    LewiWu::new(&key(9), domain, block_bits).unwrap()
}

/// What a ciphertext can be taken for.
trait Stored: Sized {
    /// Whether it has the form of a ciphertext, of whatever plaintext.
    fn is_well_formed(&self) -> bool;

    /// What is close to it: most often no ciphertext.
    fn beside(&self) -> Vec<Self>;

    /// What never is a ciphertext.
    fn never(&self) -> Vec<Self>;
}

impl Stored for i64 {
    fn is_well_formed(&self) -> bool {
        *self >= 0
    }

    fn beside(&self) -> Vec<Self> {
        vec![self - 1, self.saturating_add(1), i64::MAX]
    }

    fn never(&self) -> Vec<Self> {
        vec![-1, i64::MIN]
    }
}

impl Stored for u64 {
    fn is_well_formed(&self) -> bool {
        self & self >> 1 & 0x5555_5555_5555_5555 == 0
    }

    fn beside(&self) -> Vec<Self> {
        vec![self.wrapping_sub(1), self.wrapping_add(1), self ^ 2, 0, self << 2, self >> 2]
    }

    /// No digit is 3.
    fn never(&self) -> Vec<Self> {
        vec![self | 3, u64::MAX, 3 << 62]
    }
}

impl Stored for lewi_wu::Ciphertext {
    fn is_well_formed(&self) -> bool {
        self.bytes() == [self.left_bytes(), self.right_bytes()].concat()
    }

    fn beside(&self) -> Vec<Self> {
        vec![]
    }

    /// Every bit counts.
    fn never(&self) -> Vec<Self> {
        let bits = 8 * self.bytes().len();
        let flipped = |bit: usize| {
            let mut bytes = self.bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            Self::from_bytes(self.layout(), &bytes).unwrap()
        };
        (0..bits).step_by(bits / 40 + 1).chain([bits - 1]).map(flipped).collect()
    }
}

fn is_less<S: Scheme>(left: &S::Ciphertext, right: &S::Ciphertext) -> bool {
    let order = S::compare(left, right);
    assert_eq!(S::compare(right, left), order.reverse());
    order == Ordering::Less
}

fn is_between<S: Scheme>(bounds: &(S::Ciphertext, S::Ciphertext), c: &S::Ciphertext) -> bool {
    !is_less::<S>(c, &bounds.0) && !is_less::<S>(&bounds.1, c)
}

/// A handle that fills its whole word.
fn handle(i: usize) -> Handle {
    (i as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

/// Ids of both signs, the extremes among them.
fn record(i: usize) -> i64 {
    [0, i64::MIN, i64::MAX, -1, 1].get(i).copied().unwrap_or(i as i64 * 1_000_003 - 77)
}

fn end<S: Scheme>(scheme: &S) -> i64 {
    scheme.domain().cast_signed()
}

fn encrypt_batch<S: Scheme>(scheme: &S, plaintexts: &[i64], ids: &[S::Id]) -> Vec<S::Ciphertext> {
    let mut ciphertexts = blank(scheme, plaintexts.len(), ids.first().copied());
    scheme.encrypt_batch(plaintexts, ids, &mut ciphertexts).unwrap();
    ciphertexts
}

/// Ciphertexts to be written over.
fn blank<S: Scheme>(scheme: &S, length: usize, id: Option<S::Id>) -> Vec<S::Ciphertext> {
    id.map_or(vec![], |id| vec![scheme.bounds(0, 0).unwrap().0, scheme.encrypt(0, id).unwrap()])
        .into_iter()
        .cycle()
        .take(length)
        .collect()
}

/// Whole domain, one by one.
fn encrypt_all<S: Scheme>(scheme: &S, id: impl Fn(usize) -> S::Id) -> Vec<S::Ciphertext> {
    (0..end(scheme)).map(|x| scheme.encrypt(x, id(x as usize)).unwrap()).collect()
}

fn decryption_undoes_encryption<S: Scheme>(scheme: &S, id: impl Fn(usize) -> S::Id)
where
    S::Ciphertext: Stored,
{
    let cell = scheme.cell().cast_signed();
    for x in 0..end(scheme) {
        for id in [id(x as usize), id(x as usize + 1), id(7)] {
            let ciphertext = scheme.encrypt(x, id).unwrap();
            assert!(ciphertext.is_well_formed());
            assert_eq!(scheme.decrypt(ciphertext, id), Ok(x - x % cell));
        }
    }
}

fn order_is_kept_strictly_between_cells<S: Scheme>(scheme: &S, id: impl Fn(usize) -> S::Id) {
    const IDS: usize = 8;
    let mut below: Option<S::Ciphertext> = None;
    let cell = scheme.cell() as usize;
    for start in (0..end(scheme)).step_by(cell) {
        let members = start..(start + cell as i64).min(end(scheme));
        let ciphertexts: Vec<S::Ciphertext> = members
            .flat_map(|x| (0..IDS).map(move |i| (x, i)))
            .map(|(x, i)| scheme.encrypt(x, id(i)).unwrap())
            .collect();
        if let Some(below) = &below {
            assert!(ciphertexts.iter().all(|ciphertext| is_less::<S>(below, ciphertext)));
        }
        below = ciphertexts.into_iter().max_by(S::compare);
    }
}

/// `make` gives the same scheme anew, so that batches meet it without a codebook and with one.
fn a_batch_is_its_values_one_by_one<S: Scheme>(make: impl Fn() -> S, id: impl Fn(usize) -> S::Id) {
    let domain = make().domain() as usize;
    let with_codebook = make();
    let all: Vec<i64> = (0..domain as i64).collect();
    let ids: Vec<S::Id> = (0..domain).map(&id).collect();
    assert_eq!(encrypt_batch(&with_codebook, &all, &ids), encrypt_all(&make(), &id));
    assert_eq!(encrypt_all(&with_codebook, &id), encrypt_all(&make(), &id));
    for length in [0, 1, 2, 13, domain / 16, domain / 2, domain - 1, domain + 1, 3 * domain + 70] {
        // Neither sorted nor distinct; the first and the last plaintext among them.
        let plaintexts: Vec<i64> =
            (0..length).map(|i| ((i * i * 31 + domain - 1 + i) % domain) as i64).collect();
        let ids: Vec<S::Id> = (0..length).map(|i| id(i + 3)).collect();
        let singly: Vec<S::Ciphertext> = {
            let scheme = make();
            plaintexts.iter().zip(&ids).map(|(&x, &id)| scheme.encrypt(x, id).unwrap()).collect()
        };
        assert_eq!(encrypt_batch(&make(), &plaintexts, &ids), singly, "{length} values");
        assert_eq!(encrypt_batch(&with_codebook, &plaintexts, &ids), singly, "{length} values");
        for (ciphertext, (&x, &id)) in singly.into_iter().zip(plaintexts.iter().zip(&ids)) {
            let lowest = x - x % with_codebook.cell().cast_signed();
            assert_eq!(with_codebook.decrypt(ciphertext, id), Ok(lowest));
        }
    }
}

fn bounds_hold_exactly_their_cells<S: Scheme>(scheme: &S, id: impl Fn(usize) -> S::Id)
where
    S::Ciphertext: Stored,
{
    let ciphertexts = encrypt_all(scheme, id);
    let cell = scheme.cell().cast_signed();
    let end = end(scheme);
    // All ranges of a small domain, those with one end near either end or the middle of others.
    let ends: Vec<i64> = (0..end)
        .filter(|x| end <= 130 || *x < 3 || end - x < 4 || (x - end / 2).abs() < 3)
        .collect();
    for &low in &ends {
        for &high in ends.iter().filter(|&&high| high >= low) {
            let bounds = scheme.bounds(low, high).unwrap();
            assert!(bounds.0.is_well_formed() && !is_less::<S>(&bounds.1, &bounds.0));
            for (x, ciphertext) in (0..end).zip(&ciphertexts) {
                let is_within = x / cell >= low / cell && x / cell <= high / cell;
                assert_eq!(is_between::<S>(&bounds, ciphertext), is_within, "{low} {high} {x}");
            }
        }
    }
}

fn neighbouring_bounds_do_not_meet<S: Scheme>(scheme: &S) {
    let cell = scheme.cell() as usize;
    let mut last_below: Option<S::Ciphertext> = None;
    for x in (0..end(scheme)).step_by(cell) {
        let (first, last) = scheme.bounds(x, x).unwrap();
        assert!(last_below.is_none_or(|below| is_less::<S>(&below, &first)));
        assert!(!is_less::<S>(&last, &first));
        last_below = Some(last);
    }
}

fn what_lies_outside_the_domain_is_refused<S: Scheme>(scheme: &S, id: impl Fn(usize) -> S::Id) {
    let domain = scheme.domain();
    let end = end(scheme);
    for outside in [-1, i64::MIN, end, i64::MAX] {
        let refusal = |position| Error::OutOfDomain { position, domain };
        assert_eq!(scheme.encrypt(outside, id(0)), Err(refusal(0)));
        assert_eq!(scheme.bounds(outside, end - 1), Err(refusal(0)));
        assert_eq!(scheme.bounds(0, outside), Err(refusal(1)));
        // The first of two is named, in a short batch and in one of several chunks.
        for (length, position) in [(1, 0), (5, 3), (50_000, 40_001), (50_000, 16_384)] {
            let mut plaintexts = vec![end - 1; length];
            plaintexts[position] = outside;
            plaintexts[length - 1] = outside;
            let ids: Vec<S::Id> = (0..length).map(&id).collect();
            let mut ciphertexts = blank(scheme, length, Some(id(0)));
            let refused = scheme.encrypt_batch(&plaintexts, &ids, &mut ciphertexts);
            assert_eq!(refused, Err(refusal(position)));
        }
    }
}

fn bounds_in_the_wrong_order_are_refused<S: Scheme>(scheme: &S) {
    let end = end(scheme);
    if end > 1 {
        assert_eq!(scheme.bounds(1, 0), Err(Error::BoundsOrder));
        assert_eq!(scheme.bounds(end - 1, end - 2), Err(Error::BoundsOrder));
    }
}

fn arrays_of_other_lengths_are_refused<S: Scheme>(scheme: &S, id: impl Fn(usize) -> S::Id) {
    let ids = [id(0), id(1), id(2)];
    let refusal = |what, got| Err(Error::Length { what, expected: 2, got });
    for got in [1, 3] {
        let mut ciphertexts = blank(scheme, 3, Some(id(0)));
        let refused = scheme.encrypt_batch(&[0, 0], &ids[..got], &mut ciphertexts[..2]);
        assert_eq!(refused, refusal("the id array", got));
        let refused = scheme.encrypt_batch(&[0, 0], &ids[..2], &mut ciphertexts[..got]);
        assert_eq!(refused, refusal("the ciphertext array", got));
    }
}

fn what_is_no_ciphertext_is_refused<S: Scheme>(make: impl Fn() -> S, id: impl Fn(usize) -> S::Id)
where
    S::Ciphertext: Stored,
{
    let with_codebook = make();
    let domain = with_codebook.domain() as usize;
    let ids: Vec<S::Id> = (0..domain).map(&id).collect();
    encrypt_batch(&with_codebook, &(0..domain as i64).collect::<Vec<_>>(), &ids);
    let invalid = Err(Error::InvalidCiphertext { position: 0 });
    for scheme in [make(), with_codebook] {
        // Beside a ciphertext there is another one or none.
        for x in 0..end(&scheme) {
            let ciphertext = scheme.encrypt(x, id(0)).unwrap();
            for never in ciphertext.never() {
                assert_eq!(scheme.decrypt(never, id(0)), invalid);
            }
            for beside in ciphertext.beside() {
                match scheme.decrypt(beside.clone(), id(0)) {
                    Ok(other) => assert_eq!(scheme.encrypt(other, id(0)), Ok(beside)),
                    refused => assert_eq!(refused, invalid),
                }
            }
        }
    }
}

macro_rules! keeps_the_contract {
    ($name:ident, $scheme:expr, $id:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn decryption_undoes_encryption() {
                super::decryption_undoes_encryption(&$scheme, $id);
            }

            #[test]
            fn order_is_kept_strictly_between_cells() {
                super::order_is_kept_strictly_between_cells(&$scheme, $id);
            }

            #[test]
            fn a_batch_is_its_values_one_by_one() {
                super::a_batch_is_its_values_one_by_one(|| $scheme, $id);
            }

            #[test]
            fn bounds_hold_exactly_their_cells() {
                super::bounds_hold_exactly_their_cells(&$scheme, $id);
            }

            #[test]
            fn neighbouring_bounds_do_not_meet() {
                super::neighbouring_bounds_do_not_meet(&$scheme);
            }

            #[test]
            fn what_lies_outside_the_domain_is_refused() {
                super::what_lies_outside_the_domain_is_refused(&$scheme, $id);
            }

            #[test]
            fn bounds_in_the_wrong_order_are_refused() {
                super::bounds_in_the_wrong_order_are_refused(&$scheme);
            }

            #[test]
            fn arrays_of_other_lengths_are_refused() {
                super::arrays_of_other_lengths_are_refused(&$scheme, $id);
            }

            #[test]
            fn what_is_no_ciphertext_is_refused() {
                super::what_is_no_ciphertext_is_refused(|| $scheme, $id);
            }
        }
    };
}

/// Lives as long as the tests, as a one-to-many scheme borrows its function. Each test that needs
/// a function without codebook gets one, because it is made anew.
fn leaked(domain: u64, range: u64) -> &'static Opse {
    Box::leak(Box::new(opse(domain, range)))
}

keeps_the_contract!(plain_of_1, Plain::new(1).unwrap(), |_| ());
keeps_the_contract!(plain_of_1000, Plain::new(1000).unwrap(), |_| ());

keeps_the_contract!(opse_of_1, opse(1, RANGE), |_| ());
keeps_the_contract!(opse_of_2, opse(2, RANGE), |_| ());
keeps_the_contract!(opse_of_121, opse(121, RANGE), |_| ());
keeps_the_contract!(opse_of_1000, opse(1000, RANGE), |_| ());
keeps_the_contract!(opse_of_1_in_1, opse(1, 1), |_| ());
keeps_the_contract!(opse_of_121_in_121, opse(121, 121), |_| ());
keeps_the_contract!(opse_of_1000_in_1001, opse(1000, 1001), |_| ());
keeps_the_contract!(opse_of_1000_in_1500, opse(1000, 1500), |_| ());
keeps_the_contract!(opse_of_1000_in_the_largest_odd_range, opse(1000, RANGE - 1), |_| ());

keeps_the_contract!(one_to_many_of_1, OneToMany(leaked(1, RANGE)), record);
keeps_the_contract!(one_to_many_of_121, OneToMany(leaked(121, RANGE)), record);
keeps_the_contract!(one_to_many_of_1000, OneToMany(leaked(1000, RANGE)), record);
keeps_the_contract!(one_to_many_of_121_in_121, OneToMany(leaked(121, 121)), record);
keeps_the_contract!(one_to_many_of_1000_in_3001, OneToMany(leaked(1000, 3001)), record);

keeps_the_contract!(mopse_of_1, provider(0, 1, 1), handle);
keeps_the_contract!(mopse_of_121, provider(0, 121, 1), handle);
keeps_the_contract!(mopse_of_1000_by_3, provider(0, 1000, 3), handle);
keeps_the_contract!(mopse_of_121_by_10, provider(0, 121, 10), handle);
keeps_the_contract!(mopse_of_1000_by_10, provider(0, 1000, 10), handle);
keeps_the_contract!(mopse_of_9_in_one_cell, provider(0, 9, 10), handle);
keeps_the_contract!(marks_of_121, marked(0, 121, 1), handle);
keeps_the_contract!(marks_of_1000_by_10, marked(1, 1000, 10), handle);
keeps_the_contract!(marks_of_9_in_one_cell, marked(0, 9, 10), handle);

keeps_the_contract!(clww_of_1, clww(1), |_| ());
keeps_the_contract!(clww_of_2, clww(2), |_| ());
keeps_the_contract!(clww_of_121, clww(121), |_| ());
keeps_the_contract!(clww_of_256, clww(256), |_| ());
keeps_the_contract!(clww_of_1000, clww(1000), |_| ());

keeps_the_contract!(lewi_wu_of_1, lewi_wu(1, 1), handle);
keeps_the_contract!(lewi_wu_of_2_in_one_wide_block, lewi_wu(2, 8), handle);
keeps_the_contract!(lewi_wu_of_30_by_1, lewi_wu(30, 1), handle);
keeps_the_contract!(lewi_wu_of_60_by_2, lewi_wu(60, 2), handle);
keeps_the_contract!(lewi_wu_of_121_by_3, lewi_wu(121, 3), handle);
keeps_the_contract!(lewi_wu_of_100_by_5, lewi_wu(100, 5), handle);

#[test]
fn sizes_beyond_the_limits_are_refused() {
    let domain = |got| Error::Domain { got };
    for got in [0, MOST_PLAINTEXTS + 1, u64::MAX] {
        assert_eq!(Plain::new(got).unwrap_err(), domain(got));
        assert_eq!(Opse::new(&key(1), got).unwrap_err(), domain(got));
        assert_eq!(Ruler::new(&key(2), got, 1).unwrap_err(), domain(got));
    }
    for got in [0, 120, RANGE + 1, u64::MAX] {
        assert_eq!(Opse::with_range(&key(1), 121, got).unwrap_err(), Error::Range { got });
    }
    assert_eq!(Ruler::new(&key(2), 9, 0).unwrap_err(), Error::Cell);
    let many = Error::Cells { got: (1 << 20) + 1 };
    assert_eq!(Ruler::new(&key(2), (1 << 20) + 1, 1).unwrap_err(), many);
    assert_eq!(Ruler::new(&key(2), (1 << 20) + 1, 2).unwrap().cells(), (1 << 19) + 1);
}

/// Of a small range exactly the ciphertexts of the codebook decrypt, each to its own plaintext.
#[test]
fn every_place_of_a_small_range_decrypts_or_is_refused() {
    for (domain, range) in [(1, 1), (1, 50), (3, 9), (100, 3000), (600, 1301)] {
        let with_codebook = opse(domain, range);
        let codebook = with_codebook.codebook();
        assert_eq!(with_codebook.decrypt_batch(&codebook), Ok((0..domain as i64).collect()));
        for scheme in [opse(domain, range), with_codebook] {
            for place in 0..range as i64 + 10 {
                let expected = codebook.binary_search(&place).map(|x| x as i64);
                let refused = Error::InvalidCiphertext { position: 0 };
                assert_eq!(scheme.decrypt_one(place), expected.map_err(|_| refused));
            }
        }
    }
}

#[test]
fn bounds_of_a_ruler_fill_the_space_without_gaps() {
    for (domain, cell) in [(1, 1), (9, 10), (121, 1), (1000, 3)] {
        let scheme = provider(0, domain, cell);
        let mut next = 0;
        for x in (0..domain as i64).step_by(cell as usize) {
            let (first, last) = scheme.bounds(x, x).unwrap();
            assert_eq!(first, next);
            next = last.wrapping_add(1);
        }
        assert_eq!(next, i64::MIN, "the last cell ends with the largest number");
    }
}

#[test]
fn a_ciphertext_with_another_id_is_refused() {
    let function = opse(121, RANGE);
    let (one_to_many, mopse) = (OneToMany(&function), provider(0, 121, 10));
    let invalid = Err(Error::InvalidCiphertext { position: 0 });
    for x in 0..121 {
        let ciphertext = one_to_many.encrypt(x, 5).unwrap();
        assert_eq!(one_to_many.decrypt(ciphertext, 6), invalid);
        assert_eq!(function.decrypt_one(ciphertext), invalid);
        let entry = mopse.encrypt(x, handle(5)).unwrap();
        for bit in 0..128 {
            assert_eq!(mopse.decrypt(entry, handle(5) ^ 1 << bit), invalid);
        }
        assert_eq!(provider(1, 121, 10).decrypt(entry, handle(5)), invalid);
    }
}

#[test]
fn batches_decrypt_and_name_the_first_that_does_not() {
    let function = opse(121, RANGE);
    let (one_to_many, mopse) = (OneToMany(&function), provider(0, 121, 10));
    let plaintexts: Vec<i64> = (0..5000).map(|i| i * 7 % 121).collect();
    let (records, handles): (Vec<i64>, Vec<Handle>) =
        (0..plaintexts.len()).map(|i| (record(i), handle(i))).unzip();
    let cells: Vec<i64> = plaintexts.iter().map(|x| x - x % 10).collect();

    let mut ciphertexts = encrypt_batch(&function, &plaintexts, &vec![(); plaintexts.len()]);
    let mut spread = encrypt_batch(&one_to_many, &plaintexts, &records);
    let mut entries = encrypt_batch(&mopse, &plaintexts, &handles);
    assert_eq!(function.decrypt_batch(&ciphertexts), Ok(plaintexts.clone()));
    assert_eq!(one_to_many.decrypt_batch(&spread, &records), Ok(plaintexts));
    assert_eq!(mopse.decrypt_batch(&entries, &handles), Ok(cells));

    for position in [4321, 77] {
        let invalid = Err(Error::InvalidCiphertext { position });
        for ciphertexts in [&mut ciphertexts, &mut spread, &mut entries] {
            ciphertexts[position] = -1 - ciphertexts[position];
        }
        assert_eq!(function.decrypt_batch(&ciphertexts), invalid);
        assert_eq!(one_to_many.decrypt_batch(&spread, &records), invalid);
        assert_eq!(mopse.decrypt_batch(&entries, &handles), invalid);
    }
    let refusal = Err(Error::Length { what: "the id array", expected: 5000, got: 4999 });
    assert_eq!(one_to_many.decrypt_batch(&spread, &records[1..]), refusal);
    assert_eq!(mopse.decrypt_batch(&entries, &handles[1..]), refusal);
    assert_eq!(function.decrypt_batch(&[]), Ok(vec![]));
}

static LARGEST: LazyLock<Opse> = LazyLock::new(|| opse(MOST_PLAINTEXTS, RANGE));
static MILLION: LazyLock<Opse> = LazyLock::new(|| opse(1 << 20, RANGE));
static CODEBOOK: LazyLock<Vec<i64>> = LazyLock::new(|| opse(1 << 20, RANGE).codebook());

/// Plaintexts of which many are equal or neighbours, and some lie at either end.
fn close_plaintexts(domain: i64) -> impl Strategy<Value = Vec<i64>> {
    let near = (0..domain, -3..4_i64).prop_map(move |(x, by)| (x + by).clamp(0, domain - 1));
    let one = prop_oneof![near, 0..4_i64, domain - 4..domain];
    prop::collection::vec((one, 0..3_usize), 1..40).prop_map(move |close| {
        let repeat = |(x, times): (i64, usize)| {
            (0..=times).map(move |by| (x + by as i64 / 2).min(domain - 1))
        };
        close.into_iter().flat_map(repeat).collect()
    })
}

/// Order, round trip and agreement of batch and single values on a sample of a large domain.
fn assert_order<S: Scheme>(scheme: &S, plaintexts: &[i64], ids: &[S::Id]) -> Vec<S::Ciphertext>
where
    S::Ciphertext: Stored,
{
    let ciphertexts = encrypt_batch(scheme, plaintexts, ids);
    for (i, (&x, c)) in plaintexts.iter().zip(&ciphertexts).enumerate() {
        assert!(c.is_well_formed());
        assert_eq!(scheme.encrypt(x, ids[i]).as_ref(), Ok(c));
        assert_eq!(scheme.decrypt(c.clone(), ids[i]), Ok(x));
        let bounds = scheme.bounds(x, x).unwrap();
        assert!(is_between::<S>(&bounds, c));
        for (&y, d) in plaintexts.iter().zip(&ciphertexts) {
            assert!(x == y || (x < y) == is_less::<S>(c, d));
            assert!(is_between::<S>(&bounds, d) == (x == y));
        }
    }
    ciphertexts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_largest_domain_keeps_order(plaintexts in close_plaintexts(1 << 32)) {
        assert_order(&*LARGEST, &plaintexts, &vec![(); plaintexts.len()]);
        let ids: Vec<i64> = (0..plaintexts.len()).map(record).collect();
        assert_order(&OneToMany(&LARGEST), &plaintexts, &ids);
    }

    #[test]
    fn order_revealing_schemes_keep_the_order_of_the_largest_domain(
        plaintexts in close_plaintexts(1 << 32),
        block_bits in 1..9_u32,
    ) {
        assert_order(&clww(1 << 32), &plaintexts, &vec![(); plaintexts.len()]);
        let plaintexts = &plaintexts[..plaintexts.len().min(12)];
        let nonces: Vec<Nonce> = (0..plaintexts.len()).map(handle).collect();
        assert_order(&lewi_wu(1 << 32, block_bits), plaintexts, &nonces);
    }

    #[test]
    fn equal_plaintexts_compare_as_equal_whatever_the_nonce(
        x in 0..1000_i64,
        block_bits in 1..9_u32,
        nonces: (u128, u128),
    ) {
        let scheme = lewi_wu(1000, block_bits);
        let (a, b) = (scheme.encrypt(x, nonces.0).unwrap(), scheme.encrypt(x, nonces.1).unwrap());
        prop_assert_eq!(LewiWu::compare(&a, &b), Ordering::Equal);
        prop_assert_eq!(a.left_bytes(), b.left_bytes());
        prop_assert_eq!(a.right_bytes() == b.right_bytes(), nonces.0 == nonces.1);
    }

    #[test]
    fn a_walk_and_the_codebook_agree(plaintexts in close_plaintexts(1 << 20)) {
        let walked = assert_order(&*MILLION, &plaintexts, &vec![(); plaintexts.len()]);
        let looked_up = plaintexts.iter().map(|&x| CODEBOOK[x as usize]).collect::<Vec<_>>();
        prop_assert_eq!(walked, looked_up);
    }

    #[test]
    fn providers_keep_one_order(
        plaintexts in close_plaintexts(1000),
        others in close_plaintexts(1000),
    ) {
        for cell in [1, 7] {
            let (one, other) = (provider(0, 1000, cell), provider(1, 1000, cell));
            for (i, &x) in plaintexts.iter().enumerate() {
                let c = one.encrypt(x, handle(i)).unwrap();
                for (j, &y) in others.iter().enumerate() {
                    let d = other.encrypt(y, handle(j)).unwrap();
                    let (x, y) = (x / cell as i64, y / cell as i64);
                    prop_assert!(x == y || (x < y) == (c < d));
                    prop_assert_ne!(c, d, "equal entries of two providers");
                }
            }
        }
    }

    #[test]
    fn the_place_inside_the_cell_enters_no_entry(
        plaintexts in close_plaintexts(1000),
        moved in prop::collection::vec(0..7_i64, 200),
    ) {
        let scheme = provider(0, 1000, 7);
        let others: Vec<i64> =
            plaintexts.iter().zip(moved).map(|(x, by)| (x - x % 7 + by).min(999)).collect();
        let handles: Vec<Handle> = (0..plaintexts.len()).map(handle).collect();
        let (plaintexts, others) = (&plaintexts[..others.len()], &others[..]);
        let handles = &handles[..others.len()];
        prop_assert_eq!(
            encrypt_batch(&scheme, plaintexts, handles),
            encrypt_batch(&scheme, others, handles)
        );
        for (&x, &y) in plaintexts.iter().zip(others) {
            prop_assert_eq!(scheme.bounds(x, x), scheme.bounds(y, y));
        }
    }

    #[test]
    fn equal_plaintexts_of_two_records_differ(x in 0..1000_i64, i in 0..1000_usize, j in 1001..2000_usize) {
        let (function, mopse) = (opse(1000, RANGE), provider(0, 1000, 1));
        let spread = |i| OneToMany(&function).encrypt(x, record(i)).unwrap();
        prop_assert_ne!(spread(i), spread(j));
        prop_assert_ne!(mopse.encrypt(x, handle(i)), mopse.encrypt(x, handle(j)));
        prop_assert_eq!(spread(i), spread(i));
    }

    #[test]
    fn another_key_gives_other_ciphertexts(x in 0..1000_i64) {
        let (one, other) = (opse(1000, RANGE), Opse::new(&key(3), 1000).unwrap());
        prop_assert_ne!(one.encrypt_one(x), other.encrypt_one(x));
        prop_assert_ne!(OneToMany(&one).encrypt(x, 0), OneToMany(&other).encrypt(x, 0));
        let ruler = |i| Arc::new(Ruler::new(&key(i), 1000, 1).unwrap());
        let entry = |i, place| Mopse::new(ruler(i), &key(place)).encrypt(x, 0).unwrap();
        prop_assert_ne!(entry(4, 6), entry(5, 6), "another ruler");
        prop_assert_ne!(entry(4, 6), entry(4, 7), "another place key");
    }

    #[test]
    fn another_domain_or_range_gives_other_ciphertexts(x in 0..1000_i64) {
        let one = opse(1000, RANGE);
        prop_assert_ne!(one.encrypt_one(x), opse(1001, RANGE).encrypt_one(x));
        prop_assert_ne!(one.encrypt_one(x), opse(1000, RANGE - 1).encrypt_one(x));
    }
}

/// Enough values for several chunks and threads, without a codebook, with one, and as a table.
#[test]
fn long_batches_agree_with_the_codebook() {
    let plaintexts =
        |length: i64| -> Vec<i64> { (0..length).map(|i| (i * 7_368_787) % (1 << 20)).collect() };
    let looked_up = |plaintexts: &[i64]| -> Vec<i64> {
        plaintexts.iter().map(|&x| CODEBOOK[x as usize]).collect()
    };
    let function = opse(1 << 20, RANGE);
    let ids = |length: usize| -> Vec<i64> { (0..length).map(record).collect() };
    let walked = plaintexts(65_535);
    let ciphertexts = encrypt_batch(&function, &walked, &vec![(); walked.len()]);
    assert_eq!(ciphertexts, looked_up(&walked));
    let spread = encrypt_batch(&OneToMany(&function), &walked, &ids(walked.len()));

    let stored = plaintexts(100_000);
    let ciphertexts = encrypt_batch(&function, &stored, &vec![(); stored.len()]);
    assert_eq!(ciphertexts, looked_up(&stored));
    let again = encrypt_batch(&OneToMany(&function), &walked, &ids(walked.len()));
    assert_eq!(spread, again, "one-to-many without and with the codebook");
    assert_eq!(function.decrypt_batch(&ciphertexts), Ok(stored));
    let ids = ids(walked.len());
    assert_eq!(OneToMany(&function).decrypt_batch(&spread, &ids), Ok(walked));
}
