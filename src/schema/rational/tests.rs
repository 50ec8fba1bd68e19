use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;

fn number(text: &str) -> Rational {
    text.parse().unwrap()
}

#[test]
fn one_number_however_it_is_written() {
    let tenth = number("1/10");
    for same in ["0.1", "0.10", "+1e-1", "10E-2", "2/20", ".1", "-1/-10"] {
        assert_eq!(number(same), tenth, "{same}");
    }
    assert_eq!(Rational::try_from(0.1), Ok(tenth.clone()));
    assert_eq!(Rational::try_from(0.1_f32), Ok(tenth));
    assert_eq!(number("-0"), Rational::from(0));
    assert_eq!(Rational::try_from(-0.0), Ok(Rational::from(0)));
    assert_eq!(number("-12.50").to_string(), "-25/2");
}

#[test]
fn whole_floats_are_the_numbers_they_are() {
    // The shortest decimals are 1152921504606847000 and 123456790.
    assert_eq!(Rational::try_from(2_f64.powi(60)), Ok(Rational::from(1_u64 << 60)));
    assert_eq!(Rational::try_from(123_456_792_f32), Ok(Rational::from(123_456_792)));
    for infinite in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(Rational::try_from(infinite).is_err());
    }
}

#[test]
fn of_two_decimals_as_near_a_float_reads_as_the_even_one() {
    let large = 1_688_849_860_263_936.0;
    for (float, read) in [
        (large - 3.75, "1688849860263932.2"),
        (large - 3.25, "1688849860263932.8"),
        (large - 2.75, "1688849860263933.2"),
        (-2_251_799_813_685_248.5, "-2251799813685248.5"), // the only one as short
        (2_f64.powi(-44), "5.684341886080802e-14"),
        (5e-324, "5e-324"),
    ] {
        assert_eq!(Rational::try_from(float), Ok(number(read)), "{read}");
        assert_eq!(Rational::try_from(-float).map(|it| -it.ratio()), Ok(number(read).0), "{read}");
    }
    for (float, read) in [(2_097_152_f32 + 0.25, "2097152.2"), (2_097_152.0 + 0.75, "2097152.8")] {
        assert_eq!(Rational::try_from(float), Ok(number(read)), "{read}");
    }
}

#[test]
fn other_texts_are_refused() {
    let long = "1".repeat(MOST_DIGITS + 1);
    for text in [
        "", ".", "-", "1/0", "1/", "1e", "1e1e1", "--1", "1.-2", "0x1", "1_000", "inf", "1e99999",
        &long,
    ] {
        assert!(text.parse::<Rational>().is_err(), "{text}");
    }
}

#[test]
fn every_finite_float_is_short_and_a_longer_number_is_not() {
    for float in [f64::MAX, f64::MIN_POSITIVE, f64::from_bits(1), 2.225_073_858_507_201e-308, 0.1] {
        assert!(Rational::try_from(float).unwrap().is_short(), "{float:e}");
    }
    assert!(number("1e327").is_short());
    assert!(!number("1e328").is_short());
    assert!(!number("1e-328").is_short());
}

#[test]
fn ends_without_a_number_enclose_all_numbers() {
    assert!(Bound::Lowest < Bound::from(-1) && Bound::from(-1) < Bound::from(0_u64));
    assert!(Bound::At(number("1e300")) < Bound::Highest);
}

#[test]
fn bytes_of_a_number_worked_by_hand() {
    let bytes = |text: &str| {
        let mut writer = Writer::default();
        number(text).write(&mut writer);
        writer.0
    };
    assert_eq!(bytes("0"), [0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    assert_eq!(bytes("-0.5"), [1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 2]);
    assert_eq!(bytes("256/3"), [0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 1, 3]);
}

#[test]
fn a_number_has_one_form_of_bytes() {
    for bytes in [
        &[2, 0, 0, 0, 0, 0, 0, 0, 1, 1][..], // another sign
        &[1, 0, 0, 0, 0, 0, 0, 0, 1, 1],     // minus zero
        &[0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1],  // a zero in front
        &[0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 4],  // not in lowest terms
        &[0, 0, 0, 0, 1, 1, 0, 0, 0, 0],     // over zero
        &[0, 0, 0, 0, 0, 0, 0, 0, 0],        // zero over zero
        &[0, 0, 0, 0, 2, 1],                 // cut short
    ] {
        assert!(Rational::read(&mut Reader::headless(bytes, "a number")).is_err(), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn a_number_survives_its_bytes_and_its_text(numerator: i128, denominator in 1..i128::MAX) {
        let number: Rational = format!("{numerator}/{denominator}").parse().unwrap();
        let mut writer = Writer::default();
        number.write(&mut writer);
        let mut reader = Reader::headless(&writer.0, "a number");
        prop_assert_eq!(Rational::read(&mut reader), Ok(number.clone()));
        prop_assert!(reader.end().is_ok());
        prop_assert_eq!(number.to_string().parse(), Ok(number));
    }

    #[test]
    fn a_float_reads_as_its_shortest_decimal(bits: u64) {
        let float = f64::from_bits(bits);
        prop_assume!(float.is_finite() && float.abs() < 2_f64.powi(53));
        check_shortest(&Rational::try_from(float).unwrap(), &format!("{float}"), float)?;
    }

    #[test]
    fn a_float_of_single_precision_too(bits: u32) {
        let float = f32::from_bits(bits);
        prop_assume!(float.is_finite() && float.abs() < 2_f32.powi(24));
        check_shortest(&Rational::try_from(float).unwrap(), &format!("{float}"), float.into())?;
    }
}

/// Checks that a float is read as the decimal that is shown of it, or, where it lies right between that
/// and another of as many places, as the even one of the two.
fn check_shortest(read: &Rational, shown: &str, float: f64) -> Result<(), TestCaseError> {
    let decimal: Rational = shown.parse().unwrap();
    if *read == decimal {
        return Ok(());
    }
    let exact = BigRational::from_float(float).unwrap();
    prop_assert_eq!(&exact - &read.0, &decimal.0 - &exact, "{} is as near", shown);
    let places = shown.split_once('.').map_or(0, |(_, after)| after.len());
    let last =
        &read.0 * BigRational::from_integer(BigInt::from(10).pow(u32::try_from(places).unwrap()));
    prop_assert!(last.is_integer() && last.to_integer().is_even(), "{} is odd", read);
    Ok(())
}
