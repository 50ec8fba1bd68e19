//! Numbers to their places on a grid: exactly, and quickly where that is just as exact.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, ToPrimitive, Zero};

use super::rational::{Rational, power_of_ten, shortest, shortest_single};

/// How far from the grid a float may lie, in steps, where the grid has fractions.
const TOLERANCE: f64 = 1e-6;

/// The same, exactly: one step in so many.
const TOLERANCE_PARTS: i64 = 1_000_000;

/// What a number that has no place is.
pub(super) const OUTSIDE: &str = "lies outside the domain";
pub(super) const OFF: &str = "is not on the grid";

/// The place of whole numbers, counted in some unit, on a grid: in integers alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole {
    /// The lowest and the highest number within the domain.
    first: i128,
    last: i128,
    /// How many parts a unit has, of which minimum and step are counted.
    parts: i128,
    minimum: i128,
    step: u128,
}

impl Whole {
    /// For numbers of which `unit` make one; `None` if the grid is too large or too fine for it.
    pub(super) fn new(
        minimum: &Rational,
        maximum: &Rational,
        step: &Rational,
        unit: &BigInt,
    ) -> Option<Self> {
        let [minimum, maximum, step] = [minimum, maximum, step].map(Rational::ratio);
        let common = minimum.denom().lcm(step.denom()).lcm(unit);
        let parts = &common / unit;
        let counted =
            |number: &num_rational::BigRational| number.numer() * (&common / number.denom());
        let (minimum, maximum, step) = (counted(minimum), counted(maximum), counted(step));
        maximum.to_i128()?; // so that all products of numbers within the domain fit
        Some(Self {
            first: minimum.div_ceil(&parts).to_i128()?,
            last: maximum.div_floor(&parts).to_i128()?,
            parts: parts.to_i128()?,
            minimum: minimum.to_i128()?,
            step: step.to_u128()?,
        })
    }

    #[inline]
    pub(super) fn place(&self, number: i128) -> Result<i64, &'static str> {
        if number < self.first || number > self.last {
            return Err(OUTSIDE);
        }
        let above = number.wrapping_mul(self.parts).wrapping_sub(self.minimum).cast_unsigned();
        let (steps, rest) = match (u64::try_from(above), u64::try_from(self.step)) {
            (Ok(above), Ok(1)) => (above, 0),
            (Ok(above), Ok(step)) => (above / step, above % step),
            _ => return self.place_far(above),
        };
        #[expect(clippy::cast_possible_wrap, reason = "below 2^32")]
        if rest == 0 { Ok(steps as i64) } else { Err(OFF) }
    }

    /// The place near a decimal of digits and an exponent of ten; `None` if there is none, or if it
    /// takes larger numbers to tell.
    fn place_near(&self, (digits, exponent): (i128, i32), last: u64) -> Option<i64> {
        let unit = 10_i128.checked_pow(exponent.checked_neg()?.try_into().ok()?)?;
        let step = i128::try_from(self.step).ok()?.checked_mul(unit)?;
        let scaled = digits.checked_mul(self.parts)?;
        let above = scaled.checked_sub(self.minimum.checked_mul(unit)?)?;
        let place = above.checked_mul(2)?.checked_add(step)?.div_euclid(step.checked_mul(2)?);
        let off = above.checked_sub(place.checked_mul(step)?)?.checked_abs()?;
        let is_there = off.checked_mul(TOLERANCE_PARTS.into())? <= step;
        (is_there && (0..=i128::from(last)).contains(&place)).then(|| i64::try_from(place).ok())?
    }

    #[cold]
    fn place_far(&self, above: u128) -> Result<i64, &'static str> {
        let (steps, rest) = above.div_rem(&self.step);
        if rest == 0 { i64::try_from(steps).map_err(|_| OUTSIDE) } else { Err(OFF) }
    }
}

/// The place of floats on a grid with fractions, by arithmetic of floats: only where that is decisive.
///
/// With `u = 2^-53` a float lies within `u |v|` of its shortest decimal, minimum and step within `2 u`
/// of theirs, and a difference and a quotient are rounded by `u` each. So the steps that are found are
/// wrong by less than `16 u (|v| + |minimum|) / step`.
#[derive(Debug, Clone, Copy)]
struct Near {
    minimum: f64,
    step: f64,
    last: f64,
    /// How far from a whole number the steps to 0 may lie, and how much less for each unit of a value.
    margin: f64,
    noise: f64,
    /// The same for a float of single precision, which lies within `2^-24 |v|` of its decimal.
    single_noise: f64,
}

impl Near {
    fn new(minimum: f64, step: f64, last: u64) -> Self {
        // Below these the spacing of floats is no part of their size any more.
        let noise = if step > 1e-290 { 16.0 * (f64::EPSILON / 2.0) / step } else { f64::INFINITY };
        let half = f64::from(f32::EPSILON / 2.0);
        let single = if step > 1e-30 { half / step } else { f64::INFINITY };
        let margin = 0.999 * TOLERANCE - noise * minimum.abs();
        Self { minimum, step, last: last as f64, margin, noise, single_noise: single + noise }
    }

    #[inline]
    fn place(&self, value: f64, noise: f64) -> Option<i64> {
        let steps = (value - self.minimum) / self.step;
        #[expect(clippy::cast_possible_truncation, reason = "what saturates is no place")]
        let place = (steps + 0.5) as i64;
        let nearest = place as f64;
        let is_there = (steps - nearest).abs() <= self.margin - value.abs() * noise;
        (is_there && nearest <= self.last).then_some(place)
    }
}

/// The place of floats on a grid of decimals, by the one decimal of so many places that a float can be.
///
/// Decimals with `places` digits after the point are further apart than floats below `2^52 / 10^places`
/// (in single precision `2^23 / 10^places`). If one of them, correctly rounded, is the float, none other
/// is, and no decimal with fewer digits: it is what the float reads as. One division rounds correctly
/// what two floats hold exactly: D. Clinger, "How to read floating point numbers accurately", PLDI 1990.
#[derive(Debug, Clone, Copy)]
struct Decimals {
    power: f64,
    /// Infinite if single precision does not hold it.
    single_power: f32,
    whole: Whole,
}

impl Decimals {
    /// The most places for which both precisions hold the power of ten.
    const PLACES: usize = 22;
    const SINGLE_PLACES: usize = 10;

    fn new(minimum: &Rational, maximum: &Rational, step: &Rational) -> Option<Self> {
        let parts = minimum.ratio().denom().lcm(step.ratio().denom());
        let is_multiple = |&places: &usize| power_of_ten(places).is_multiple_of(&parts);
        let places = (0..=Self::PLACES).find(is_multiple)?;
        let power = power_of_ten(places);
        let single_power =
            if places <= Self::SINGLE_PLACES { power.to_f32()? } else { f32::INFINITY };
        let whole = Whole::new(minimum, maximum, step, &power)?;
        Some(Self { power: power.to_f64()?, single_power, whole })
    }

    #[inline]
    fn place(&self, value: f64) -> Option<Result<i64, &'static str>> {
        let scaled = nearest(value * self.power);
        let is_it = scaled.unsigned_abs() < 1 << 52 && scaled as f64 / self.power == value;
        is_it.then(|| self.whole.place(scaled.into()))
    }

    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "below 2^23")]
    fn place_single(&self, value: f32) -> Option<Result<i64, &'static str>> {
        let scaled = nearest(f64::from(value) * self.power);
        let is_it = scaled.unsigned_abs() < 1 << 23 && scaled as f32 / self.single_power == value;
        is_it.then(|| self.whole.place(scaled.into()))
    }
}

/// The nearest whole number, or one that is far away of what is no `i64`.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "what saturates is compared and is not equal")]
fn nearest(value: f64) -> i64 {
    (value + 0.5_f64.copysign(value)) as i64
}

/// A grid, prepared to place many numbers.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    minimum: Rational,
    maximum: Rational,
    step: Rational,
    last: u64,
    is_whole: bool,
    /// For whole numbers, and floats where the grid is one of whole numbers.
    whole: Option<Whole>,
    near: Near,
    decimals: Option<Decimals>,
}

impl Grid {
    pub(super) fn new(minimum: Rational, maximum: Rational, step: Rational, last: u64) -> Self {
        let is_whole = minimum.ratio().is_integer() && step.ratio().is_integer();
        let float = |number: &Rational| number.ratio().to_f64().unwrap_or(f64::NAN);
        Self {
            whole: Whole::new(&minimum, &maximum, &step, &BigInt::one()),
            near: Near::new(float(&minimum), float(&step), last),
            decimals: Decimals::new(&minimum, &maximum, &step),
            is_whole,
            minimum,
            maximum,
            step,
            last,
        }
    }

    pub(super) fn minimum(&self) -> &Rational {
        &self.minimum
    }

    pub(super) fn maximum(&self) -> &Rational {
        &self.maximum
    }

    pub(super) fn step(&self) -> &Rational {
        &self.step
    }

    /// The highest plaintext.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The place of a whole number.
    #[inline]
    pub(super) fn of_integer(&self, number: i128) -> Result<i64, &'static str> {
        match &self.whole {
            Some(whole) => whole.place(number),
            None => self.of_number(&number.into(), false),
        }
    }

    /// How to place whole numbers that are counted in units of `10^-places`.
    pub(super) fn of_decimals(&self, places: u8) -> impl Fn(i128) -> Result<i64, &'static str> {
        self.of_parts(power_of_ten(places.into()))
    }

    /// How to place whole numbers of which `unit` make one.
    pub(super) fn of_parts(&self, unit: BigInt) -> impl Fn(i128) -> Result<i64, &'static str> {
        let whole = Whole::new(&self.minimum, &self.maximum, &self.step, &unit);
        move |number| match &whole {
            Some(whole) => whole.place(number),
            None => {
                let number = num_rational::BigRational::new(number.into(), unit.clone());
                self.of_number(&number.into(), false)
            }
        }
    }

    /// The place of a float, or of one of single precision as it was before it became a double.
    #[inline]
    pub(super) fn of_float(&self, value: f64) -> Result<i64, &'static str> {
        if self.is_whole {
            self.of_whole_float(value)
        } else if let Some(place) = self.near.place(value, self.near.noise) {
            Ok(place)
        } else if let Some(place @ Ok(_)) = self.decimals.as_ref().and_then(|it| it.place(value)) {
            place
        } else {
            self.of_shortest(value.is_finite().then(|| shortest(value)))
                .map_or_else(|| self.of_reading(value.is_nan(), Rational::try_from(value).ok()), Ok)
        }
    }

    #[inline]
    pub(super) fn of_single(&self, value: f32) -> Result<i64, &'static str> {
        let double = f64::from(value);
        if self.is_whole {
            self.of_whole_float(double)
        } else if let Some(place @ Ok(_)) =
            self.decimals.as_ref().and_then(|it| it.place_single(value))
        {
            place
        } else if let Some(place) = self.near.place(double, self.near.single_noise) {
            Ok(place)
        } else {
            self.of_shortest(value.is_finite().then(|| shortest_single(value)))
                .map_or_else(|| self.of_reading(value.is_nan(), Rational::try_from(value).ok()), Ok)
        }
    }

    /// The place near the shortest decimal of a float that is not whole, by integers of the machine;
    /// `None` if there is none, or if it takes larger ones to tell.
    #[cold]
    fn of_shortest(&self, shortest: Option<(i64, i32)>) -> Option<i64> {
        let (digits, exponent) = shortest?;
        self.whole.as_ref()?.place_near((digits.into(), exponent), self.last)
    }

    #[inline]
    fn of_whole_float(&self, value: f64) -> Result<i64, &'static str> {
        #[expect(clippy::cast_possible_truncation, reason = "compared in the same line")]
        let whole = value as i64;
        if whole as f64 == value && value.abs() < (1_u64 << 62) as f64 {
            self.of_integer(whole.into())
        } else {
            self.of_reading(value.is_nan(), Rational::try_from(value).ok())
        }
    }

    /// The place of what a float reads as; infinite floats read as nothing.
    #[cold]
    fn of_reading(&self, is_nan: bool, reading: Option<Rational>) -> Result<i64, &'static str> {
        match reading {
            Some(number) => self.of_number(&number, !self.is_whole),
            None if is_nan => Err("is not a number"),
            None => Err(OUTSIDE),
        }
    }

    #[cold]
    fn of_number(&self, number: &Rational, is_near_enough: bool) -> Result<i64, &'static str> {
        let steps = self.steps_to(number);
        let nearest = steps.round();
        let off = (&steps - &nearest) * BigInt::from(TOLERANCE_PARTS);
        let is_there =
            off.is_zero() || (is_near_enough && off.numer().magnitude() <= off.denom().magnitude());
        match nearest.to_integer().to_u64() {
            Some(place) if is_there && place <= self.last => {
                i64::try_from(place).map_err(|_| OUTSIDE)
            }
            _ if *number < self.minimum || *number > self.maximum => Err(OUTSIDE),
            _ => Err(OFF),
        }
    }

    /// How many steps above the minimum a number lies.
    pub(super) fn steps_to(&self, number: &Rational) -> num_rational::BigRational {
        (number.ratio() - self.minimum.ratio()) / self.step.ratio()
    }
}
