use proptest::prelude::*;

use super::*;

fn grid<N: TryInto<Rational>>(minimum: N, maximum: N, step: N) -> Field
where
    Error: From<N::Error>,
{
    Field::new(Kind::Number, minimum, maximum, step, None).unwrap()
}

fn exactly(text: &str) -> Rational {
    text.parse().unwrap()
}

fn range<N>(field: &Field, low: N, high: N) -> Result<Option<(i64, i64)>, Error>
where
    N: TryInto<Rational, Error: std::fmt::Debug>,
{
    field.range(&Bound::At(low.try_into().unwrap()), &Bound::At(high.try_into().unwrap()))
}

const OUTSIDE: Result<i64, &str> = Err("lies outside the domain");
const OFF: Result<i64, &str> = Err("is not on the grid");

#[test]
fn values_on_the_grid_worked_by_hand() {
    let bmi = grid(8.0, 100.0, 0.1);
    assert_eq!(bmi.plaintexts(), 921);
    assert_eq!(8.0.place(&bmi), Ok(0));
    assert_eq!(8.3.place(&bmi), Ok(3));
    assert_eq!(100.0.place(&bmi), Ok(920));
    assert_eq!(27.3_f32.place(&bmi), Ok(193));
    assert_eq!(9_i64.place(&bmi), Ok(10));
    assert_eq!(9_u64.plaintext(&bmi), Ok(10));
    assert_eq!(bmi.value(3), Ok(exactly("8.3")));
    assert_eq!(
        bmi.plaintexts_of_decimals(&[830, 0, 80], 2, &[true, false, false]),
        Ok((vec![0], vec![3]))
    );
}

#[test]
fn values_off_the_grid_are_refused_and_not_clamped() {
    let age = grid(0, 120, 1);
    assert_eq!((-1.0).place(&age), OUTSIDE);
    assert_eq!(121.0.place(&age), OUTSIDE);
    assert_eq!(f64::INFINITY.place(&age), OUTSIDE);
    assert_eq!(f64::NAN.place(&age), Err("is not a number"));
    assert_eq!(f32::NAN.place(&grid(8.0, 100.0, 0.1)), Err("is not a number"));
    assert_eq!(40.5.place(&age), OFF);
    assert_eq!(40.000_000_5.place(&age), OFF);
    assert_eq!(
        u64::MAX.plaintext(&age),
        Err(Error::Value { row: 0, why: "lies outside the domain" })
    );
}

#[test]
fn only_floats_on_a_grid_with_fractions_may_lie_a_millionth_of_a_step_off() {
    let halves = grid(0.0, 120.0, 0.5);
    assert_eq!(40.000_000_5.place(&halves), Ok(80));
    assert_eq!(40.000_000_6.place(&halves), OFF);
    assert_eq!((-0.000_000_5).place(&halves), Ok(0));
    assert_eq!((8.0 + 3.0 * 0.1).place(&grid(8.0, 100.0, 0.1)), Ok(3));
    assert_eq!(
        halves.plaintexts_of_decimals(&[400_000_005], 7, &[true]),
        Err(Error::Value { row: 0, why: "is not on the grid" })
    );
    assert_eq!(
        range(&halves, "40.0000001".parse::<Rational>().unwrap(), exactly("40.5")),
        Ok(Some((81, 81)))
    );
}

#[test]
fn large_integers_are_exact() {
    let field = grid(0, 1_i64 << 60, 1 << 40);
    assert_eq!((1_i64 << 59).place(&field), Ok(1 << 19));
    assert_eq!(2_f64.powi(59).place(&field), Ok(1 << 19));
    assert_eq!(2_f32.powi(59).place(&field), Ok(1 << 19));
    assert_eq!(((1_i64 << 59) + 1).place(&field), OFF);
    assert_eq!(i64::MAX.place(&field), OUTSIDE);

    let field = grid(0, u64::MAX, 1 << 32 | 1);
    assert_eq!(u64::MAX.place(&field), Ok((1 << 32) - 1));
    assert_eq!((u64::MAX - 1).place(&field), OFF);
    assert_eq!((u64::MAX as f64).place(&field), OUTSIDE);
}

#[test]
fn numbers_beyond_the_machines_are_exact() {
    let field = grid(exactly("-2e300"), exactly("2e300"), exactly("1e300"));
    assert_eq!(i64::MAX.place(&field), OFF);
    assert_eq!(0_i64.place(&field), Ok(2));
    assert_eq!(0.0.place(&field), Ok(2));
    assert_eq!(1e300.place(&field), OFF, "it is the whole number it is");
    assert_eq!(range(&field, exactly("1e300"), exactly("1e301")), Ok(Some((3, 4))));
    let fine =
        Field::new(Kind::Number, exactly("0"), exactly("2e-300"), exactly("1e-300"), None).unwrap();
    assert_eq!(1e-300.place(&fine), Ok(1));
    assert_eq!(1.000_000_1e-300.place(&fine), Ok(1));
    assert_eq!(1.1e-300.place(&fine), OFF);
    assert_eq!(0_i64.place(&fine), Ok(0));
    let large = Field::new(
        Kind::Number,
        exactly("1e40"),
        exactly("10000000000000000000000000000000000000100"),
        exactly("1"),
        None,
    )
    .unwrap();
    assert_eq!(large.plaintexts(), 101);
    assert_eq!(i128::MAX.place(&large), OUTSIDE);
    assert_eq!(large.plaintexts_of_decimals(&[1, 2], 0, &[false; 2]), Ok((vec![], vec![])));
}

#[test]
fn moments_are_placed_where_a_day_begins() {
    let days = Field::new(Kind::Date, 10, 20, 1, None).unwrap();
    let per_day = |parts| NonZeroU64::new(parts).unwrap();
    let valid = [true, false, true];
    for parts in [86_400_000, 86_400_000_000, 86_400_000_000_000] {
        let day = |day: i64| day * i64::try_from(parts).unwrap();
        let placed = |values: [i64; 3]| days.plaintexts_of_parts(&values, per_day(parts), &valid);
        assert_eq!(placed([day(10), -1, day(20)]), Ok((vec![0, 2], vec![0, 10])));
        for (moment, why) in [
            (day(11) + 1, "is not on the grid"),
            (day(10) - 1, "lies outside the domain"),
            (day(20) + 1, "lies outside the domain"),
            (i64::MAX, "lies outside the domain"),
            (i64::MIN, "lies outside the domain"),
        ] {
            assert_eq!(placed([day(10), 0, moment]), Err(Error::Value { row: 2, why }));
            let one = days.of_parts(per_day(parts))(moment);
            assert_eq!(one, Err(Error::Value { row: 0, why }));
        }
    }
}

#[test]
fn a_bound_finds_the_value_it_is() {
    let field = grid(1e9, 1e9 + 1.0, 1e-5); // a float at 1e9 is up to 0.006 steps off
    for x in [0, 3, 777, 100_000] {
        let value = field.value(x).unwrap();
        let float = 1e9 + x as f64 / 1e5;
        assert_eq!(float.place(&field), Ok(x));
        assert_eq!(range(&field, value.clone(), value), Ok(Some((x, x))));
        assert_eq!(range(&field, float, float), Ok(Some((x, x))));
    }
}

#[test]
fn a_bound_just_beyond_a_grid_point_leaves_it_out() {
    let days = grid(0_i64, 10 * 86_400_000_000, 86_400_000_000);
    let day = 3 * 86_400_000_000_i64;
    assert_eq!(range(&days, day, day), Ok(Some((3, 3))));
    assert_eq!(range(&days, day + 1, day + 86_400_000_000), Ok(Some((4, 4))));
    assert_eq!(range(&days, 0, day - 1), Ok(Some((0, 2))));
    assert_eq!((day + 1).place(&days), OFF);
    assert_eq!(((day + 1) as f64).place(&days), OFF);
}

#[test]
fn bounds_round_inwards_and_meet_the_domain() {
    let age = grid(0, 120, 1);
    let (lowest, highest) = (&Bound::Lowest, &Bound::Highest);
    assert_eq!(range(&age, 39.5, 60.5), Ok(Some((40, 60))));
    assert_eq!(age.range(&Bound::from(-5), highest), Ok(Some((0, 120))));
    assert_eq!(age.range(lowest, &Bound::At(exactly("1e300"))), Ok(Some((0, 120))));
    assert_eq!(range(&age, 40.2, 40.8), Ok(None));
    assert_eq!(age.range(&Bound::from(121), highest), Ok(None));
    assert_eq!(age.range(lowest, &Bound::from(-1)), Ok(None));
    assert_eq!(age.range(highest, highest), Ok(None));
    assert_eq!(age.range(lowest, lowest), Ok(None));
    assert_eq!(range(&age, 2, 1), Err(scheme::Error::BoundsOrder.into()));
    assert_eq!(age.range(highest, &Bound::from(1)), Err(scheme::Error::BoundsOrder.into()));
}

#[test]
fn impossible_grids_are_refused() {
    for (minimum, maximum, step, cell) in [
        (1.0, 0.0, 1.0, None),
        (0.0, 1.0, 0.0, None),
        (0.0, 1.0, -1.0, None),
        (0.0, f64::INFINITY, 1.0, None),
        (f64::NAN, 1.0, 1.0, None),
        (0.0, 10.0, 3.0, None),
        (0.0, 1.0, 1.0 / 3.0, None),
        (0.0, 4_294_967_296.0, 1.0, None),
        (0.0, 10.0, 1.0, Some(0)),
        (0.0, 4_294_967_295.0, 1.0, Some(1)),
    ] {
        let field = Field::new(Kind::Number, minimum, maximum, step, cell);
        assert!(matches!(field, Err(Error::Field { .. })), "{minimum} {maximum} {step}");
    }
    let long = Field::new(Kind::Number, exactly("0"), exactly("1e400"), exactly("1e400"), None);
    assert!(matches!(long, Err(Error::Field { .. })));
}

#[test]
fn a_large_domain_gets_wider_cells() {
    let field = grid(0_u32, 4_294_967_295, 1);
    assert_eq!((field.cell(), field.cells()), (1 << 16, 1 << 16));
}

/// A grid with `parts` to one, as whole numbers of them.
#[derive(Debug, Clone)]
struct Parts {
    parts: i128,
    minimum: i128,
    step: i128,
    last: i128,
}

impl Parts {
    fn field(&self) -> Field {
        let number = |of: i128| exactly(&format!("{of}/{}", self.parts));
        grid(number(self.minimum), number(self.minimum + self.last * self.step), number(self.step))
    }

    /// The place of `digits / 10^places`, from the definition; `None` if it has none.
    fn place(&self, digits: i128, places: u32, millionths: i128) -> Option<i64> {
        let unit = 10_i128.pow(places);
        let above = digits.checked_mul(self.parts)?.checked_sub(self.minimum.checked_mul(unit)?)?;
        let step = self.step.checked_mul(unit)?;
        let nearest = (2 * above + step).div_euclid(2 * step);
        let off = (above - nearest * step).abs().checked_mul(1_000_000)?;
        (off <= millionths * step && (0..=self.last).contains(&nearest))
            .then(|| i64::try_from(nearest).unwrap())
    }
}

/// The digits of a decimal such as `-12.50`, and how many stand after the point.
fn digits(decimal: &str) -> Option<(i128, u32)> {
    let (whole, after) = decimal.split_once('.').unwrap_or((decimal, ""));
    Some((format!("{whole}{after}").parse().ok()?, after.len().try_into().ok()?))
}

fn grids() -> impl Strategy<Value = Parts> {
    let parts = prop::sample::select(vec![1, 1, 2, 3, 7, 8, 10, 10, 30, 64, 100, 1000, 1_000_000]);
    (parts, -100_000..100_000_i128, 1..500_i128, prop::sample::select(vec![0, 1, 9, 4999]))
        .prop_map(|(parts, minimum, step, last)| Parts { parts, minimum, step, last })
}

/// A decimal on a grid, close to one of its points, or anywhere.
fn decimals() -> impl Strategy<Value = (Parts, String)> {
    let off = prop::sample::select(vec![0.0, 0.0, 0.0, 1e-7, -9e-7, 1.1e-6, -1e-5, 0.1, 0.5]);
    let place = (grids(), -0.1..1.1_f64, off, 0..9_usize);
    place.prop_map(|(grid, at, off, places)| {
        let place = (at * grid.last as f64).round() + off;
        let value = (grid.minimum as f64 + place * grid.step as f64) / grid.parts as f64;
        (grid, format!("{value:.places$}"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn doubles_are_placed_as_their_decimals_are((grid, text) in decimals()) {
        let (field, value) = (grid.field(), text.parse::<f64>().unwrap());
        let (digits, places) = digits(&value.to_string()).unwrap();
        prop_assume!(places <= 20);
        let is_whole = grid.minimum % grid.parts == 0 && grid.step % grid.parts == 0;
        let expected = grid.place(digits, places, i128::from(!is_whole));
        prop_assert_eq!(value.place(&field).ok(), expected);
    }

    #[test]
    fn singles_are_placed_as_their_decimals_are((grid, text) in decimals()) {
        let (field, value) = (grid.field(), text.parse::<f32>().unwrap());
        prop_assume!(value.abs() < 1e7);
        let (digits, places) = digits(&value.to_string()).unwrap();
        prop_assume!(places <= 20);
        let is_whole = grid.minimum % grid.parts == 0 && grid.step % grid.parts == 0;
        let expected = grid.place(digits, places, i128::from(!is_whole));
        prop_assert_eq!(value.place(&field).ok(), expected);
    }

    #[test]
    fn decimals_and_whole_numbers_are_placed_exactly((grid, text) in decimals(), whole: i16) {
        let field = grid.field();
        let (digits, places) = digits(&text).unwrap();
        let expected = grid.place(digits, places, 0);
        let of_decimals = field.plaintexts_of_decimals(&[digits], places.try_into().unwrap(), &[true]);
        prop_assert_eq!(of_decimals.ok(), expected.map(|place| (vec![0], vec![place])));
        let expected = grid.place(whole.into(), 0, 0);
        prop_assert_eq!(i64::from(whole).place(&field).ok(), expected);
        prop_assert_eq!(i128::from(whole).place(&field).ok(), expected);
        if let Ok(whole) = u64::try_from(whole) {
            prop_assert_eq!(whole.place(&field).ok(), expected);
        }
    }

    #[test]
    fn bounds_enclose_the_grid_points_between_them(
        (grid, low) in decimals(), width in 0..100_000_i128, places in 0..9_u32,
    ) {
        let (from, from_places) = digits(&low).unwrap();
        let scale = 10_i128.pow(places.max(from_places));
        let from = from * (scale / 10_i128.pow(from_places));
        let to = from + width * (scale / 10_i128.pow(places));
        let between = |&place: &i128| {
            let point = (grid.minimum + place * grid.step) * scale;
            (from * grid.parts..=to * grid.parts).contains(&point)
        };
        let mut inside = (0..=grid.last).filter(between);
        let first = inside.next();
        let expected = first.map(|first| (first, inside.next_back().unwrap_or(first)));
        let found = range(&grid.field(), exactly(&low), exactly(&format!("{to}/{scale}"))).unwrap();
        prop_assert_eq!(found.map(|(first, last)| (first.into(), last.into())), expected);
    }

    #[test]
    fn every_plaintext_survives_its_value(grid in grids(), at in 0.0..1.0_f64) {
        let field = grid.field();
        #[expect(clippy::cast_possible_truncation, reason = "below 5000")]
        let x = (at * grid.last as f64) as i64;
        let value = field.value(x).unwrap();
        prop_assert_eq!(range(&field, value.clone(), value), Ok(Some((x, x))));
    }

    #[test]
    fn a_result_of_a_calculation_is_placed_as_what_was_meant(
        minimum in -1e6..1e6_f64, last in 0..100_000_i64, step in 1e-3..1e3_f64, at in 0.0..1.0,
    ) {
        let (minimum, step) = (Rational::try_from(minimum).unwrap(), Rational::try_from(step).unwrap());
        let maximum = minimum.ratio() + step.ratio() * Rational::from(last).ratio();
        let field = grid(minimum.clone(), maximum.into(), step.clone());
        #[expect(clippy::cast_possible_truncation, reason = "below 100,000")]
        let x = (at * last as f64) as i64;
        let float = |number: &Rational| number.ratio().to_f64().unwrap();
        prop_assert_eq!((float(&minimum) + x as f64 * float(&step)).place(&field), Ok(x));
    }
}
