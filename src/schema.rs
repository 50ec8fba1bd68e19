//! Fields and schemas: real values to plaintexts and query bounds to ranges of plaintexts.
//!
//! A field is a grid of exact numbers. A value `v` becomes the plaintext
//!
//! ```text
//! x = (v - minimum) / step,   0 <= x < M = (maximum - minimum) / step + 1 <= 2^32
//! ```
//!
//! A value outside the domain, not a number, or off the grid is an error that names its row and field;
//! nothing is clamped or rounded away. Whole numbers and decimals are compared exactly. A float is read
//! as the whole number it is, or as the shortest decimal of its precision; on a grid with fractions it
//! may then lie up to `1e-6 step` off, as results of a calculation do. Nulls have no plaintext: they are
//! not indexed and never match. Bounds of a query are exact, round inwards, and are intersected with the
//! domain. `cell` counts grid steps: how coarse the index is, and so how much it hides.
//!
//! Dates are days since 1970-01-01, truth values 0 and 1, ordered categories their ranks; whoever
//! calls converts to these.

mod field;
mod grid;
mod rational;

use std::convert::Infallible;

use sha2::{Digest, Sha256};

use crate::scheme;
use crate::wire::{self, LONGEST_NAME, MOST_FIELDS, Reader, Writer};

pub use field::{Field, Kind, Value};
pub use rational::{Bound, Rational};

/// Why something is no field, schema or value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field's grid is impossible, or a bound is no value.
    #[error("{why}")]
    Field {
        /// What is wrong.
        why: &'static str,
    },

    /// A schema is impossible.
    #[error("field {name:?}: {why}")]
    Schema {
        /// The field's name; empty if it is about no single one.
        name: String,
        /// What is wrong.
        why: &'static str,
    },

    /// A value has no plaintext in its field.
    #[error("the value in row {row} {why}")]
    Value {
        /// Which value, counted from 0.
        row: usize,
        /// What is wrong with it.
        why: &'static str,
    },

    /// A column has too many rows to number.
    #[error("the number of rows is {got}, expected below 2^32")]
    Rows {
        /// Rows it had.
        got: usize,
    },

    /// It is not known of every row, or of more than all, whether it holds a value.
    #[error("the validity array has {got} entries, expected {expected}")]
    Validity {
        /// Rows there are.
        expected: usize,
        /// Rows it is known of.
        got: usize,
    },

    /// There is no such plaintext, or bounds are in the wrong order.
    #[error(transparent)]
    Scheme(#[from] scheme::Error),
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// The named fields that an owner's records are indexed by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Schema(Vec<(String, Field)>);

impl Schema {
    /// The schema of these fields, in this order.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] if there is no field or more than 1024, two have one name, or a name is empty or longer than
    /// 255 bytes.
    pub fn new(fields: Vec<(String, Field)>) -> Result<Self, Error> {
        let refuse = |name: &str, why| Err(Error::Schema { name: name.to_owned(), why });
        if fields.is_empty() {
            return refuse("", "there is no field");
        }
        if fields.len() > MOST_FIELDS {
            return refuse("", "there are more than 1024 fields");
        }
        for (i, (name, _)) in fields.iter().enumerate() {
            if name.is_empty() || name.len() > LONGEST_NAME {
                return refuse(name, "a name has 1 to 255 bytes");
            }
            if fields[..i].iter().any(|(other, _)| other == name) {
                return refuse(name, "two fields have this name");
            }
        }
        Ok(Self(fields))
    }

    /// The fields with their names, in order.
    #[must_use]
    pub fn fields(&self) -> &[(String, Field)] {
        &self.0
    }

    /// The field of a name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, field)| field)
    }

    /// The canonical bytes of the schema.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Writer::default();
        bytes.be_count(self.0.len());
        for (name, field) in &self.0 {
            bytes.be_bytes(name.as_bytes()).be_bytes(&field.label());
        }
        bytes.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] if the bytes are not those of a schema.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let labels = Self::labels(bytes).map_err(|_| NO_SCHEMA)?;
        let field = |(name, label): (&str, &[u8])| Ok((name.to_owned(), Field::of_label(label)?));
        Self::new(labels.into_iter().map(field).collect::<Result<_, Error>>()?)
    }

    /// The name and the label of each field.
    fn labels(bytes: &[u8]) -> Result<Vec<(&str, &[u8])>, wire::Error> {
        let mut reader = Reader::headless(bytes, "the schema");
        let count = reader.be_count()?;
        if count > MOST_FIELDS {
            return Err(reader.fault());
        }
        let labels = (0..count)
            .map(|_| Ok((reader.be_text()?, reader.be_bytes()?)))
            .collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(labels)
    }

    /// What names the schema in messages: SHA-256 of its canonical bytes.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }
}

/// Bytes that are not those of a schema.
const NO_SCHEMA: Error = Error::Schema { name: String::new(), why: "the bytes are no schema" };

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grid(minimum: f64, maximum: f64, step: f64) -> Field {
        Field::new(Kind::Number, minimum, maximum, step, None).unwrap()
    }

    fn example() -> Schema {
        let levels = ["poor", "fair", "good"].map(String::from).to_vec();
        let field = |kind, maximum, cell| Field::new(kind, 0.0, maximum, 1.0, cell).unwrap();
        Schema::new(vec![
            ("bmi".into(), Field::new(Kind::Number, 8.0, 100.0, 0.1, Some(5)).unwrap()),
            ("born".into(), field(Kind::Date, 20_000.0, None)),
            ("smoker".into(), field(Kind::Boolean, 1.0, None)),
            ("health".into(), field(Kind::Category(levels), 2.0, None)),
        ])
        .unwrap()
    }

    #[test]
    fn a_schema_survives_its_bytes() {
        let schema = example();
        assert_eq!(Schema::decode(&schema.encode()), Ok(schema.clone()));
        assert_eq!(schema.digest(), example().digest());
        assert_eq!(schema.field("bmi").map(Field::cells), Some(185));
        assert_eq!(schema.field("height"), None);
    }

    #[test]
    fn a_negative_zero_is_a_zero() {
        let (negative, positive) = (grid(-0.0, 120.0, 1.0), grid(0.0, 120.0, 1.0));
        assert_eq!(negative.label(), positive.label());
        assert_eq!(grid(-5.0, -0.0, 1.0).label(), grid(-5.0, 0.0, 1.0).label());
        let mut bytes = Schema::new(vec![("age".into(), positive)]).unwrap().encode();
        let sign_of_minimum = 4 + 4 + "age".len() + 4 + 3;
        bytes[sign_of_minimum] ^= 1;
        assert_eq!(Schema::decode(&bytes), Err(NO_SCHEMA));
    }

    #[test]
    fn names_must_differ_and_exist() {
        let age = grid(0.0, 120.0, 1.0);
        for names in [vec![], vec![""], vec!["age", "age"]] {
            let fields = names.into_iter().map(|name| (name.into(), age.clone())).collect();
            assert!(matches!(Schema::new(fields), Err(Error::Schema { .. })));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Schema::decode(&bytes);
        }

        #[test]
        fn changed_bytes_are_another_schema_or_none(at in 0..200_usize, bit in 0..8) {
            let schema = example();
            let mut bytes = schema.encode();
            let at = at % bytes.len();
            bytes[at] ^= 1_u8 << bit;
            prop_assert_ne!(Schema::decode(&bytes), Ok(schema));
        }
    }
}
