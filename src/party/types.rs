//! The types that columns have, as the words of a layout say them, and the values that each one holds.
//!
//! Whoever seals records can write any words and any values. What is opened here is checked against
//! both, so that a library of tables gets only what it takes and shows.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;

use super::columns::{Column, Values};
use crate::wire::text::category;

/// The first and last moment that tables show, in seconds since 1970: a day within the years -262143
/// and 262142, so that no time zone leads out of them.
const MOMENTS: (i64, i64) = (-8_334_601_142_400, 8_210_266_790_400);

const DAY_SECONDS: i64 = 86_400;

/// Letters in the name of a time zone at most.
const LONGEST_ZONE: usize = 64;

/// What moments and durations are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Unit {
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Unit {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "ms" => Some(Self::Milliseconds),
            "us" => Some(Self::Microseconds),
            "ns" => Some(Self::Nanoseconds),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Nanoseconds => "ns",
        }
    }

    fn per_second(self) -> i64 {
        match self {
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1_000_000,
            Self::Nanoseconds => 1_000_000_000,
        }
    }
}

/// The type of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Type {
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float32,
    Float64,
    Boolean,
    String,
    Categorical,
    Date,
    Time,
    /// Holds nulls only.
    Null,
    /// Holds some texts, which differ.
    Enum(Vec<String>),
    /// Moments, of a time zone or of none.
    Datetime(Unit, Option<String>),
    Duration(Unit),
    /// Decimals of so many digits, of which so many stand after the point. They are sealed as whole
    /// numbers without the point.
    Decimal(u8, u8),
}

/// Digits of a decimal at most.
const MOST_DIGITS: u8 = 38;

impl Type {
    /// The type that words say; `None` if they say none.
    ///
    /// They are a name, and for an enum its texts as JSON, for moments unit and time zone, for durations
    /// the unit, for decimals all digits and those after the point, each on a line of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use mopse::party::types::Type;
    ///
    /// let levels = Type::parse("Enum\n[\"low\", \"high\"]");
    /// assert_eq!(levels, Some(Type::Enum(vec!["low".into(), "high".into()])));
    /// assert_eq!(Type::parse("Enum\n[\"low\", \"low\"]"), None);
    /// ```
    #[must_use]
    pub fn parse(words: &str) -> Option<Self> {
        let Some((name, rest)) = words.split_once('\n') else {
            return match words {
                "Int8" => Some(Self::Int8),
                "Int16" => Some(Self::Int16),
                "Int32" => Some(Self::Int32),
                "Int64" => Some(Self::Int64),
                "UInt8" => Some(Self::UInt8),
                "UInt16" => Some(Self::UInt16),
                "UInt32" => Some(Self::UInt32),
                "UInt64" => Some(Self::UInt64),
                "Float32" => Some(Self::Float32),
                "Float64" => Some(Self::Float64),
                "Boolean" => Some(Self::Boolean),
                "String" => Some(Self::String),
                "Categorical" => Some(Self::Categorical),
                "Date" => Some(Self::Date),
                "Time" => Some(Self::Time),
                "Null" => Some(Self::Null),
                _ => None,
            };
        };
        match name {
            "Enum" => {
                let texts: Vec<String> = serde_json::from_str(rest).ok()?;
                let distinct: HashSet<&str> = texts.iter().map(String::as_str).collect();
                let is_distinct = distinct.len() == texts.len();
                is_distinct.then_some(Self::Enum(texts))
            }
            "Datetime" => {
                let (unit, zone) = rest.split_once('\n')?;
                let is_letter = |c: char| c.is_ascii_alphanumeric() || "+-_/:".contains(c);
                let is_zone = zone.len() <= LONGEST_ZONE && zone.chars().all(is_letter);
                let zone = (!zone.is_empty()).then(|| zone.to_owned());
                is_zone.then_some(Self::Datetime(Unit::parse(unit)?, zone))
            }
            "Duration" => Some(Self::Duration(Unit::parse(rest)?)),
            "Decimal" => {
                let (digits, places) = rest.split_once('\n')?;
                let (digits, places) = (digits.parse().ok()?, places.parse().ok()?);
                let is_type = (1..=MOST_DIGITS).contains(&digits) && places <= digits;
                is_type.then_some(Self::Decimal(digits, places))
            }
            _ => None,
        }
    }

    /// Its name alone, without the texts of an enum.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Int8 => "Int8",
            Self::Int16 => "Int16",
            Self::Int32 => "Int32",
            Self::Int64 => "Int64",
            Self::UInt8 => "UInt8",
            Self::UInt16 => "UInt16",
            Self::UInt32 => "UInt32",
            Self::UInt64 => "UInt64",
            Self::Float32 => "Float32",
            Self::Float64 => "Float64",
            Self::Boolean => "Boolean",
            Self::String => "String",
            Self::Categorical => "Categorical",
            Self::Date => "Date",
            Self::Time => "Time",
            Self::Null => "Null",
            Self::Enum(_) => "Enum",
            Self::Datetime(..) => "Datetime",
            Self::Duration(_) => "Duration",
            Self::Decimal(..) => "Decimal",
        }
    }

    /// What it has besides a name: the texts of an enum, the unit, the time zone, the digits.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        match self {
            Self::Enum(texts) => texts.clone(),
            Self::Datetime(unit, None) => vec![unit.word().to_owned()],
            Self::Datetime(unit, Some(zone)) => vec![unit.word().to_owned(), zone.clone()],
            Self::Duration(unit) => vec![unit.word().to_owned()],
            Self::Decimal(digits, places) => vec![digits.to_string(), places.to_string()],
            _ => Vec::new(),
        }
    }

    /// Whether its numbers are whole.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.integers().is_some() || *self == Self::UInt64
    }

    /// How many digits of a decimal stand after the point; `None` for other types.
    #[must_use]
    pub fn decimal_places(&self) -> Option<u8> {
        match self {
            Self::Decimal(_, places) => Some(*places),
            _ => None,
        }
    }

    /// How many of its units make a day, of moments of no time zone; `None` for other types.
    #[must_use]
    pub fn per_day(&self) -> Option<NonZeroU64> {
        match self {
            Self::Datetime(unit, None) => {
                NonZeroU64::new((DAY_SECONDS * unit.per_second()).unsigned_abs())
            }
            _ => None,
        }
    }

    /// Whether columns of this type are sealed as values of this kind.
    #[must_use]
    pub fn is_sealed_as(&self, values: &Values<'_>) -> bool {
        match values {
            Values::Int64(_) => match self {
                Self::Date
                | Self::Time
                | Self::Datetime(..)
                | Self::Duration(_)
                | Self::Decimal(..) => true,
                _ => self.integers().is_some(),
            },
            Values::UInt64(_) => *self == Self::UInt64,
            Values::Float64(_) => matches!(self, Self::Float32 | Self::Float64),
            Values::Boolean(_) => matches!(self, Self::Boolean | Self::Null),
            Values::Text(_) => matches!(self, Self::String | Self::Categorical | Self::Enum(_)),
        }
    }

    /// The lowest and the highest number of a type of integers that an `i64` holds.
    fn integers(&self) -> Option<(i64, i64)> {
        Some(match self {
            Self::Int8 => (i8::MIN.into(), i8::MAX.into()),
            Self::Int16 => (i16::MIN.into(), i16::MAX.into()),
            Self::Int32 => (i32::MIN.into(), i32::MAX.into()),
            Self::Int64 => (i64::MIN, i64::MAX),
            Self::UInt8 => (0, u8::MAX.into()),
            Self::UInt16 => (0, u16::MAX.into()),
            Self::UInt32 => (0, u32::MAX.into()),
            _ => return None,
        })
    }

    /// The lowest and the highest number that stand for a value, and what to say of others.
    fn numbers(&self) -> ((i64, i64), &'static str) {
        let (first, last) = MOMENTS;
        match self {
            Self::Date => ((first / DAY_SECONDS, last / DAY_SECONDS), "is no day that tables show"),
            Self::Time => ((0, DAY_SECONDS * 1_000_000_000 - 1), "is no time of a day"),
            Self::Datetime(unit, _) => {
                let moment = |seconds: i64| seconds.saturating_mul(unit.per_second());
                ((moment(first), moment(last)), "is no moment that tables show")
            }
            Self::Decimal(digits, _) => {
                let most = 10_i64.checked_pow((*digits).into()).map_or(i64::MAX, |all| all - 1);
                let least = if most == i64::MAX { i64::MIN } else { -most };
                ((least, most), "does not fit the type")
            }
            _ => (self.integers().unwrap_or((i64::MIN, i64::MAX)), "does not fit the type"),
        }
    }

    /// The first of some whole numbers that stands for no value of the type; `None` if all do.
    #[must_use]
    pub fn first_fault(&self, values: &[i64], is_valid: &[bool]) -> Option<usize> {
        let ((lowest, highest), _) = self.numbers();
        let mut rows = values.iter().zip(is_valid);
        rows.position(|(value, &is_valid)| is_valid && !(lowest..=highest).contains(value))
    }

    /// Calls `found` with each row whose value the type does not hold, and what is wrong with it.
    pub(super) fn check(&self, column: &Column<'_>, mut found: impl FnMut(usize, &'static str)) {
        let mut check = |row: usize, holds: bool, why: &'static str| {
            if !holds && column.is_valid[row] {
                found(row, why);
            }
        };
        match (self, &column.values) {
            (Self::Null, _) => {
                for row in 0..column.is_valid.len() {
                    check(row, false, "is not null");
                }
            }
            (Self::Float32, Values::Float64(values)) => {
                for (row, &value) in values.iter().enumerate() {
                    #[expect(clippy::cast_possible_truncation, reason = "compared just below")]
                    let holds = value.is_nan() || f64::from(value as f32) == value;
                    check(row, holds, "does not fit the type");
                }
            }
            (Self::Enum(texts), Values::Text(values)) => {
                let texts = Ranks::new(texts);
                for row in 0..column.rows() {
                    check(row, texts.get(values.get(row)).is_some(), "is none of the enum's");
                }
            }
            (_, Values::Int64(values)) => {
                let ((lowest, highest), why) = self.numbers();
                if (lowest, highest) != (i64::MIN, i64::MAX) {
                    for (row, &value) in values.iter().enumerate() {
                        check(row, (lowest..=highest).contains(&value), why);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Texts, to find the place of one among them.
enum Ranks<'a> {
    Few(&'a [String]),
    Many(HashMap<&'a [u8], i64>),
}

impl<'a> Ranks<'a> {
    /// Up to here comparing with each is faster than hashing.
    const FEW: usize = 12;

    pub fn new(texts: &'a [String]) -> Self {
        if texts.len() <= Self::FEW {
            Self::Few(texts)
        } else {
            Self::Many(texts.iter().map(String::as_bytes).zip(0..).collect())
        }
    }

    pub fn get(&self, text: &[u8]) -> Option<i64> {
        match self {
            Self::Few(texts) => {
                let mut ranked = (0..).zip(*texts);
                ranked.find(|(_, known)| known.as_bytes() == text).map(|(rank, _)| rank)
            }
            Self::Many(ranks) => ranks.get(text).copied(),
        }
    }
}

/// The categories of a field, to find the rank of one however it was typed.
pub(super) struct Categories<'a> {
    labels: &'a [String],
    ranks: Ranks<'a>,
    /// Ranks by the one spelling, for what is found in no other way.
    spelt: OnceCell<HashMap<String, i64>>,
}

impl<'a> Categories<'a> {
    pub fn new(labels: &'a [String]) -> Self {
        Self { labels, ranks: Ranks::new(labels), spelt: OnceCell::new() }
    }

    pub fn rank(&self, label: &[u8]) -> Option<i64> {
        let as_typed = self.ranks.get(label);
        if as_typed.is_some() || label.is_ascii() {
            return as_typed;
        }
        let spellings = || self.labels.iter().map(|label| category(label)).zip(0..).collect();
        let label = category(std::str::from_utf8(label).ok()?);
        self.spelt.get_or_init(spellings).get(&label).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_every_type_are_read() {
        let plain = [
            "Int8",
            "Int16",
            "Int32",
            "Int64",
            "UInt8",
            "UInt16",
            "UInt32",
            "UInt64",
            "Float32",
            "Float64",
            "Boolean",
            "String",
            "Categorical",
            "Date",
            "Time",
            "Null",
        ];
        for name in plain {
            assert_eq!(Type::parse(name).unwrap().name(), name);
        }
        let read = |words: &str| {
            let parsed = Type::parse(words)?;
            Some((parsed.name(), parsed.arguments().join("|")))
        };
        assert_eq!(read("Enum\n[\"a\\nb\", \"\\ud83e\\ude7a\"]"), Some(("Enum", "a\nb|🩺".into())));
        assert_eq!(read("Enum\n[]"), Some(("Enum", String::new())));
        assert_eq!(read("Datetime\nus\n"), Some(("Datetime", "us".into())));
        assert_eq!(
            read("Datetime\nns\nEurope/Berlin"),
            Some(("Datetime", "ns|Europe/Berlin".into()))
        );
        assert_eq!(read("Decimal\n38\n2"), Some(("Decimal", "38|2".into())));
        assert_eq!(read("Duration\nms"), Some(("Duration", "ms".into())));
    }

    #[test]
    fn other_words_say_no_type() {
        let nested = format!("Enum\n{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let long = format!("Datetime\nus\n{}", "a".repeat(65));
        for words in [
            "",
            "int8",
            "Int8\n",
            "Int128",
            "List",
            "Enum",
            "Enum\n",
            "Enum\n{}",
            "Enum\n[1]",
            "Enum\n[\"a\", \"a\"]",
            "Enum\n[\"\\ud800\"]",
            "Enum\n[\"a\"] ]",
            "Datetime",
            "Datetime\nus",
            "Datetime\ns\n",
            "Datetime\nus\nA B",
            "Datetime\nus\nUTC\n",
            "Decimal",
            "Decimal\n5",
            "Decimal\n0\n0",
            "Decimal\n39\n2",
            "Decimal\n2\n3",
            "Decimal\n5\n-1",
            "Duration",
            "Duration\n",
            "Duration\nus\n",
            &nested,
            &long,
        ] {
            assert_eq!(Type::parse(words), None, "{words:.40?}");
        }
    }

    /// Rows that a type does not hold.
    fn faults(words: &str, values: Values<'static>) -> Vec<usize> {
        let mut column =
            Column { name: "x".into(), dtype: words.into(), values, is_valid: vec![].into() };
        let parsed = Type::parse(words).unwrap();
        assert!(parsed.is_sealed_as(&column.values), "{words}");
        let mut rows = Vec::new();
        for (is_valid, found) in [(false, false), (true, true)] {
            column.is_valid = vec![is_valid; column.rows()].into();
            parsed.check(&column, |row, _| if found { rows.push(row) } else { panic!("null") });
        }
        rows
    }

    #[test]
    fn values_at_the_edges_of_every_type_are_held_and_no_others() {
        let whole = |lowest: i64, highest: i64| {
            let values = [lowest.wrapping_sub(1), lowest, highest, highest.wrapping_add(1)];
            Values::Int64(values.to_vec().into())
        };
        for (words, lowest, highest) in [
            ("Int8", -128, 127),
            ("Int16", -32_768, 32_767),
            ("Int32", i32::MIN.into(), i32::MAX.into()),
            ("UInt8", 0, 255),
            ("UInt16", 0, 65_535),
            ("UInt32", 0, u32::MAX.into()),
            ("Time", 0, 86_400_000_000_000 - 1),
            ("Date", -96_465_291, 95_026_236),
            ("Datetime\nms\nUTC", -8_334_601_142_400_000, 8_210_266_790_400_000),
            ("Decimal\n3\n2", -999, 999),
            ("Decimal\n18\n0", 1 - 10_i64.pow(18), 10_i64.pow(18) - 1),
            ("Datetime\nus\n", -8_334_601_142_400_000_000, 8_210_266_790_400_000_000),
        ] {
            assert_eq!(faults(words, whole(lowest, highest)), [0, 3], "{words}");
        }
        for words in ["Int64", "Datetime\nns\n", "Duration\nms", "Decimal\n19\n2"] {
            assert_eq!(faults(words, whole(i64::MIN, i64::MAX)), [0; 0], "{words}");
        }
        let floats = vec![0.1, f64::from(0.1_f32), f64::NAN, f64::INFINITY, 1e300];
        assert_eq!(faults("Float32", Values::Float64(floats.into())), [0, 4]);
        assert_eq!(faults("Null", Values::Boolean(vec![false, true].into())), [0, 1]);
    }
    #[test]
    fn a_category_is_found_however_it_is_typed() {
        let many = (0..20).map(|rank| format!("\u{fc}{rank}"));
        for labels in [vec!["gut".to_owned(), "m\u{e4}\u{df}ig".into()], many.collect()] {
            let categories = Categories::new(&labels);
            for (rank, label) in (0..).zip(&labels) {
                let apart = label.replace('\u{e4}', "a\u{308}").replace('\u{fc}', "u\u{308}");
                assert_eq!(categories.rank(label.as_bytes()), Some(rank));
                assert_eq!(categories.rank(apart.as_bytes()), Some(rank));
            }
            for other in ["", "Gut", "ma\u{df}ig", "\u{fc}"] {
                assert_eq!(categories.rank(other.as_bytes()), None);
            }
            assert_eq!(categories.rank(&[0xff]), None);
        }
        // A schema from before labels had one spelling.
        let old = ["u\u{308}".to_owned()];
        assert_eq!(Categories::new(&old).rank("\u{fc}".as_bytes()), Some(0));
    }
}
