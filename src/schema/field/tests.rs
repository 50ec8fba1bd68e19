use proptest::prelude::*;

use super::*;

fn grid(minimum: f64, maximum: f64, step: f64) -> Field {
    Field::new(Kind::Number, minimum, maximum, step, None).unwrap()
}

#[test]
fn values_on_the_grid_worked_by_hand() {
    let bmi = grid(8.0, 100.0, 0.1);
    assert_eq!(bmi.plaintexts(), 921);
    assert_eq!(bmi.plaintext(8.0), Ok(0));
    assert_eq!(bmi.plaintext(8.3), Ok(3));
    assert_eq!(bmi.plaintext(100.0), Ok(920));
    assert_eq!(bmi.plaintext_of_integer(9), Ok(10));
    assert_eq!(bmi.value(3), Ok(8.0 + 3.0 * 0.1));
}

#[test]
fn values_off_the_grid_are_refused_and_not_clamped() {
    let age = grid(0.0, 120.0, 1.0);
    let why = |value| match age.plaintext(value) {
        Err(Error::Value { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(-1.0), "lies outside the domain");
    assert_eq!(why(121.0), "lies outside the domain");
    assert_eq!(why(f64::INFINITY), "lies outside the domain");
    assert_eq!(why(f64::NAN), "is not a number");
    assert_eq!(why(40.5), "is not on the grid");
    assert_eq!(why(40.000_01), "is not on the grid");
    assert_eq!(age.plaintext(40.000_000_5), Ok(40));
}

#[test]
fn large_integers_are_exact() {
    let field = grid(0.0, (1_u64 << 60) as f64, (1_u64 << 40) as f64);
    assert_eq!(field.plaintext_of_integer(1 << 59), Ok(1 << 19));
    let off = field.plaintext_of_integer((1 << 59) + 1);
    assert_eq!(off, Err(Error::Value { row: 0, why: "is not on the grid" }));
    let out = field.plaintext_of_integer(i64::MAX);
    assert_eq!(out, Err(Error::Value { row: 0, why: "lies outside the domain" }));
}

#[test]
fn integers_beside_long_steps_are_placed_as_floats() {
    let field = grid(-2e300, 2e300, 1e300);
    assert_eq!(field.plaintext_of_integer(i64::MAX), Ok(2));
    assert_eq!(field.plaintext_of_integer(i64::MIN), Ok(2));
}

#[test]
fn whole_grids_forgive_no_more_when_values_are_large() {
    let (low, high) = ((1_i64 << 46) as f64, ((1_i64 << 46) + 100) as f64);
    let off = Err(Error::Value { row: 0, why: "is not on the grid" });
    assert_eq!(grid(low, high, 1.0).plaintext(low + 1.015_625), off);
    assert_eq!(grid(low, high, 1.0).plaintext(low + 1.0), Ok(1));
}

#[test]
fn a_bound_finds_the_value_it_is() {
    let field = grid(1e9, 1e9 + 1.0, 1e-5); // a float at 1e9 is up to 0.006 steps off
    for x in [0, 3, 777, 100_000] {
        let value = field.value(x).unwrap();
        assert_eq!(field.plaintext(value), Ok(x));
        assert_eq!(field.range(Some(value), Some(value)), Ok(Some((x, x))));
    }
}

#[test]
fn bounds_round_inwards_and_meet_the_domain() {
    let age = grid(0.0, 120.0, 1.0);
    assert_eq!(age.range(Some(39.5), Some(60.5)), Ok(Some((40, 60))));
    assert_eq!(age.range(Some(-5.0), None), Ok(Some((0, 120))));
    assert_eq!(age.range(None, Some(1e300)), Ok(Some((0, 120))));
    assert_eq!(age.range(Some(40.2), Some(40.8)), Ok(None));
    assert_eq!(age.range(Some(121.0), None), Ok(None));
    assert_eq!(age.range(Some(f64::INFINITY), None), Ok(None));
    assert_eq!(age.range(None, Some(f64::NEG_INFINITY)), Ok(None));
    assert_eq!(age.range(Some(2.0), Some(1.0)), Err(scheme::Error::BoundsOrder.into()));
    assert!(age.range(Some(f64::NAN), None).is_err());
}

#[test]
fn impossible_grids_are_refused() {
    for (minimum, maximum, step, cell) in [
        (1.0, 0.0, 1.0, None),
        (0.0, 1.0, 0.0, None),
        (0.0, f64::INFINITY, 1.0, None),
        (f64::NAN, 1.0, 1.0, None),
        (0.0, 10.0, 3.0, None),
        (0.0, 4_294_967_296.0, 1.0, None),
        (1e18, 1e18 + 512.0, 1.0, None),
        (0.0, 10.0, 1.0, Some(0)),
        (0.0, 4_294_967_295.0, 1.0, Some(1)),
    ] {
        let field = Field::new(Kind::Number, minimum, maximum, step, cell);
        assert!(matches!(field, Err(Error::Field { .. })), "{minimum} {maximum} {step}");
    }
}

#[test]
fn a_large_domain_gets_wider_cells() {
    let field = grid(0.0, 4_294_967_295.0, 1.0);
    assert_eq!((field.cell(), field.cells()), (1 << 16, 1 << 16));
}

proptest! {
    #[test]
    fn every_plaintext_survives_its_value(
        minimum in -1e6..1e6_f64, steps in 0..100_000_i64, step in 1e-3..1e3_f64, at in 0.0..1.0,
    ) {
        let field = grid(minimum, minimum + steps as f64 * step, step);
        #[expect(clippy::cast_possible_truncation, reason = "below 100,000")]
        let x = (at * steps as f64) as i64;
        prop_assert_eq!(field.plaintext(field.value(x).unwrap()), Ok(x));
        let value = field.value(x).unwrap();
        prop_assert_eq!(field.range(Some(value), Some(value)), Ok(Some((x, x))));
    }
}
