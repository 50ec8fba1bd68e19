//! The bytes that define a field. They enter the derivation of keys and the digest of a schema.
//!
//! ```text
//! label  = 0, version 2, kind, number(minimum), number(maximum), number(step), be64(cell),
//!          be32(categories), (be32(length), UTF-8) for each
//! kind   = 1 number, 2 date, 3 boolean, 4 category
//! number = sign (1 below zero, else 0), be32(length), |numerator|, be32(length), denominator
//! ```
//!
//! A number is in lowest terms, its parts are big-endian and have no zero in front: zero is of no byte,
//! over 1. So a field has one label, however its numbers were written.
//!
//! # Version 1
//!
//! Keyrings that were made before hold labels without the first two bytes, with the bits of a 64-bit
//! float for each number. A field that is read from one goes on giving it: another label would be
//! another ruler. Its grid is that of the floats as [`Rational`] reads them. Some never met their
//! maximum exactly, as a step of 0.3333333333333333 does not: there the step is what divides the domain
//! into as many parts as it was taken to have.

use num_bigint::BigInt;

use super::{Field, Kind};
use crate::schema::{Error, NO_SCHEMA, Rational};
use crate::scheme::MOST_PLAINTEXTS;
use crate::wire::{self, Reader, Writer};

const VERSION: u8 = 2;

/// How far from the grid the maximum was allowed to lie by version 1, in steps.
const TOLERANCE: f64 = 1e-6;

impl Field {
    /// The canonical bytes that define the field: of the version it was read from.
    #[must_use]
    pub fn label(&self) -> Vec<u8> {
        let (kind, categories): (u8, &[String]) = match &self.kind {
            Kind::Number => (1, &[]),
            Kind::Date => (2, &[]),
            Kind::Boolean => (3, &[]),
            Kind::Category(categories) => (4, categories),
        };
        let mut label = Writer::default();
        match self.floats {
            Some(floats) => {
                label.u8(kind);
                for float in floats {
                    label.be64(float.to_bits());
                }
            }
            None => {
                label.u8(0).u8(VERSION).u8(kind);
                for number in [self.minimum(), self.maximum(), self.step()] {
                    number.write(&mut label);
                }
            }
        }
        label.be64(self.cell).be_count(categories.len());
        for category in categories {
            label.be_bytes(category.as_bytes());
        }
        label.0
    }

    /// The field that a label defines, which it goes on giving.
    ///
    /// # Errors
    ///
    /// [`Error::Field`] if there can be none, [`Error::Schema`] if the bytes are no label.
    pub fn of_label(label: &[u8]) -> Result<Self, Error> {
        let Parts { kind, numbers, cell, categories } =
            Parts::read(label).map_err(|_| NO_SCHEMA)?;
        let kind = match kind {
            1 => Kind::Number,
            2 => Kind::Date,
            3 => Kind::Boolean,
            4 => Kind::Category(categories),
            _ => return Err(NO_SCHEMA),
        };
        let field = match numbers {
            Numbers::Exact(numbers) => Self::on(kind, numbers, Some(cell))?,
            Numbers::Floats(floats) => Self::on_floats(kind, floats, cell)?,
        };
        // Each field has one label only of a version.
        if field.label() == label { Ok(field) } else { Err(NO_SCHEMA) }
    }

    fn on_floats(kind: Kind, floats: [f64; 3], cell: u64) -> Result<Self, Error> {
        let grid = grid_of(floats)?;
        let [minimum, maximum, step] = floats;
        let floats = Some([minimum + 0.0, maximum + 0.0, step]); // never -0
        Ok(Self { floats, ..Self::on(kind, grid, Some(cell))? })
    }
}

/// The exact grid with as many points as that of floats was taken to have.
fn grid_of([low, high, width]: [f64; 3]) -> Result<[Rational; 3], Error> {
    let [minimum, maximum, step] =
        [Rational::try_from(low)?, Rational::try_from(high)?, Rational::try_from(width)?];
    let steps = (high - low) / width;
    let is_grid = width > 0.0
        && (-0.5..=(MOST_PLAINTEXTS - 1) as f64 + 0.5).contains(&steps)
        && (steps - steps.round()).abs() <= TOLERANCE;
    if !is_grid {
        return Err(NO_SCHEMA);
    }
    #[expect(clippy::cast_possible_truncation, reason = "0 to 2^32")]
    let steps = BigInt::from(steps.round() as i64);
    let domain = maximum.ratio() - minimum.ratio();
    Ok(if domain == step.ratio() * &steps {
        [minimum, maximum, step]
    } else if steps == BigInt::ZERO {
        [minimum.clone(), minimum, step]
    } else {
        [minimum, maximum, (domain / steps).into()]
    })
}

enum Numbers {
    Exact([Rational; 3]),
    Floats([f64; 3]),
}

/// What a label says.
struct Parts {
    kind: u8,
    numbers: Numbers,
    cell: u64,
    categories: Vec<String>,
}

impl Parts {
    fn read(label: &[u8]) -> Result<Self, wire::Error> {
        let mut reader = Reader::headless(label, "the schema");
        let (kind, numbers) = match reader.u8()? {
            0 => {
                if reader.u8()? != VERSION {
                    return Err(reader.fault());
                }
                let kind = reader.u8()?;
                let mut number = || Rational::read(&mut reader);
                (kind, Numbers::Exact([number()?, number()?, number()?]))
            }
            kind => {
                let mut number = || Ok(f64::from_bits(reader.be64()?));
                (kind, Numbers::Floats([number()?, number()?, number()?]))
            }
        };
        let cell = reader.be64()?;
        let count = reader.be_count()?;
        let categories =
            (0..count).map(|_| Ok(reader.be_text()?.to_owned())).collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(Self { kind, numbers, cell, categories })
    }
}

#[cfg(test)]
mod tests;
