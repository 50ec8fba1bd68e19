//! The columns of a table, and the bytes of its rows.
//!
//! Numbers take 8 bytes, null or not, so that a record's size shows the lengths of its texts and
//! nothing else.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::Error;
use crate::wire::{Kind, Reader, SecretWriter, Writer, append_secret};

/// A column's values.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Values<'a> {
    Int64(Cow<'a, [i64]>),
    UInt64(Cow<'a, [u64]>),
    Float64(Cow<'a, [f64]>),
    Boolean(Cow<'a, [bool]>),
    Text(Texts<'a>),
}

/// Texts, end to end.
#[derive(Debug, Clone, PartialEq)]
pub struct Texts<'a> {
    /// Where each one ends, in bytes.
    pub ends: Cow<'a, [i64]>,
    /// UTF-8.
    pub bytes: Cow<'a, [u8]>,
}

impl Texts<'_> {
    /// The texts one by one; what is not UTF-8 is replaced, which no opened text needs.
    #[must_use]
    pub fn to_strings(&self) -> Vec<String> {
        let text = |row| String::from_utf8_lossy(self.get(row)).into_owned();
        (0..self.ends.len()).map(text).collect()
    }

    pub(super) fn get(&self, row: usize) -> &[u8] {
        let end = |row: usize| self.ends.get(row).and_then(|&end| usize::try_from(end).ok());
        let start = row.checked_sub(1).map_or(Some(0), end);
        match (start, end(row)) {
            (Some(start), Some(end)) => self.bytes.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column<'a> {
    /// Its name.
    pub name: String,
    /// What the caller needs to know of its type to restore it.
    pub dtype: String,
    /// One value per row; anything where the row holds a null.
    pub values: Values<'a>,
    /// Which rows hold a value.
    pub is_valid: Cow<'a, [bool]>,
}

impl Column<'_> {
    fn kind(&self) -> u8 {
        match self.values {
            Values::Int64(_) => 1,
            Values::UInt64(_) => 2,
            Values::Float64(_) => 3,
            Values::Boolean(_) => 4,
            Values::Text(_) => 5,
        }
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        match &self.values {
            Values::Int64(values) => values.len(),
            Values::UInt64(values) => values.len(),
            Values::Float64(values) => values.len(),
            Values::Boolean(values) => values.len(),
            Values::Text(texts) => texts.ends.len(),
        }
    }

    /// Makes room for rows, so that no value is left where a column grew.
    pub(super) fn reserve(&mut self, rows: usize) {
        match &mut self.values {
            Values::Int64(values) => values.to_mut().reserve_exact(rows),
            Values::UInt64(values) => values.to_mut().reserve_exact(rows),
            Values::Float64(values) => values.to_mut().reserve_exact(rows),
            Values::Boolean(values) => values.to_mut().reserve_exact(rows),
            Values::Text(texts) => texts.ends.to_mut().reserve_exact(rows),
        }
        self.is_valid.to_mut().reserve_exact(rows);
    }

    /// Keeps the rows that are marked.
    pub(super) fn retain(&mut self, rows: &[bool]) {
        fn kept<T: Copy>(values: &mut Cow<'_, [T]>, rows: &[bool]) {
            let mut marks = rows.iter();
            values.to_mut().retain(|_| marks.next().is_some_and(|&mark| mark));
        }
        match &mut self.values {
            Values::Int64(values) => kept(values, rows),
            Values::UInt64(values) => kept(values, rows),
            Values::Float64(values) => kept(values, rows),
            Values::Boolean(values) => kept(values, rows),
            Values::Text(texts) => {
                let (mut ends, mut bytes) = (Vec::new(), Vec::new());
                for (row, _) in rows.iter().enumerate().filter(|(_, mark)| **mark) {
                    bytes.extend_from_slice(texts.get(row));
                    ends.push(bytes.len().cast_signed() as i64);
                }
                *texts = Texts { ends: ends.into(), bytes: bytes.into() };
            }
        }
        kept(&mut self.is_valid, rows);
    }

    fn write(&self, row: usize, writer: &mut SecretWriter) {
        match &self.values {
            Values::Int64(values) => writer.i64(values[row]),
            Values::UInt64(values) => writer.u64(values[row]),
            Values::Float64(values) => writer.u64(values[row].to_bits()),
            Values::Boolean(values) => writer.u8(values[row].into()),
            Values::Text(texts) => writer.bytes(texts.get(row)),
        };
    }
}

/// Writes the bytes of one row in the place of those of another.
pub(super) fn encode_row(columns: &[Column<'_>], row: usize, writer: &mut SecretWriter) {
    writer.0.clear();
    for column in columns {
        writer.u8(column.is_valid[row].into());
        column.write(row, writer);
    }
}

/// The names and types of the columns.
pub(super) fn encode_layout(columns: &[Column<'_>]) -> Zeroizing<Vec<u8>> {
    let mut writer = Writer::secret(Kind::Layout);
    writer.count(columns.len());
    for column in columns {
        writer.text(&column.name).text(&column.dtype).u8(column.kind());
    }
    writer.0
}

/// Columns without rows yet.
pub(super) fn decode_layout(bytes: &[u8]) -> Result<Vec<Column<'static>>, Error> {
    let mut reader = Reader::new(bytes, Kind::Layout)?;
    let mut columns = Vec::new();
    for _ in 0..reader.count(17)? {
        let (name, dtype) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        let values = match reader.u8()? {
            1 => Values::Int64(Cow::default()),
            2 => Values::UInt64(Cow::default()),
            3 => Values::Float64(Cow::default()),
            4 => Values::Boolean(Cow::default()),
            5 => Values::Text(Texts { ends: Cow::default(), bytes: Cow::default() }),
            _ => return Err(reader.fault().into()),
        };
        columns.push(Column { name, dtype, values, is_valid: Cow::default() });
    }
    reader.end()?;
    Ok(columns)
}

/// Adds one row's bytes to the columns.
pub(super) fn decode_row(bytes: &[u8], columns: &mut [Column<'static>]) -> Result<(), Error> {
    let mut reader = Reader::headless(bytes, "the record");
    for column in columns {
        column.is_valid.to_mut().push(reader.u8()? == 1);
        match &mut column.values {
            Values::Int64(values) => values.to_mut().push(reader.i64()?),
            Values::UInt64(values) => values.to_mut().push(reader.u64()?),
            Values::Float64(values) => values.to_mut().push(f64::from_bits(reader.u64()?)),
            Values::Boolean(values) => values.to_mut().push(reader.u8()? == 1),
            Values::Text(texts) => {
                append_secret(texts.bytes.to_mut(), reader.text()?.as_bytes());
                let end = i64::try_from(texts.bytes.len()).map_err(|_| reader.fault())?;
                texts.ends.to_mut().push(end);
            }
        }
    }
    Ok(reader.end()?)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::wire;

    fn encoded(columns: &[Column<'_>], row: usize) -> Vec<u8> {
        let mut writer = Writer::headless_secret();
        encode_row(columns, row, &mut writer);
        writer.0.to_vec()
    }

    /// One column of each type, two rows.
    fn table() -> Vec<Column<'static>> {
        let column = |name: &str, values, is_valid: [bool; 2]| Column {
            name: name.into(),
            dtype: "any".into(),
            values,
            is_valid: is_valid.to_vec().into(),
        };
        let texts = Texts { ends: vec![4, 4].into(), bytes: "Zoë".as_bytes().to_vec().into() };
        vec![
            column("i", Values::Int64(vec![-1, i64::MAX].into()), [true, true]),
            column("u", Values::UInt64(vec![0, u64::MAX].into()), [true, false]),
            column("f", Values::Float64(vec![-0.0, f64::MAX].into()), [false, true]),
            column("b", Values::Boolean(vec![true, false].into()), [true, true]),
            column("t", Values::Text(texts), [true, false]),
        ]
    }

    #[test]
    fn a_row_survives_its_bytes() {
        let table = table();
        let mut read = decode_layout(&encode_layout(&table)).unwrap();
        for row in 0..2 {
            decode_row(&encoded(&table, row), &mut read).unwrap();
        }
        assert_eq!(read, table);
    }

    #[test]
    fn a_row_with_more_or_fewer_bytes_is_malformed() {
        let table = table();
        let row = encoded(&table, 0);
        let read = |bytes: &[u8]| decode_row(bytes, &mut decode_layout(&encode_layout(&table))?);
        assert_eq!(read(&row), Ok(()));
        for cut in 0..row.len() {
            assert!(
                matches!(read(&row[..cut]), Err(Error::Wire(wire::Error::Format { .. }))),
                "cut at {cut}"
            );
        }
        assert!(matches!(
            read(&[&row[..], &[0]].concat()),
            Err(Error::Wire(wire::Error::Format { .. }))
        ));
    }

    #[test]
    fn the_size_of_a_record_shows_the_lengths_of_its_texts_only() {
        let table = table();
        assert_eq!(encoded(&table, 0).len(), encoded(&table, 1).len() + 4);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_of_layouts_and_rows_panic(
            bytes in vec(prop_oneof![Just(0_u8), Just(255), any::<u8>()], 0..200),
            at in any::<prop::sample::Index>(),
        ) {
            let table = table();
            let layout = encode_layout(&table);
            let _ = decode_row(&bytes, &mut decode_layout(&layout).unwrap());
            let mut changed = layout.clone();
            let end = changed.len().min(at.index(changed.len()) + bytes.len());
            let start = at.index(changed.len());
            changed[start..end].copy_from_slice(&bytes[..end - start]);
            if let Ok(mut columns) = decode_layout(&changed) {
                prop_assert_eq!(encode_layout(&columns), changed);
                let _ = decode_row(&encoded(&table, 0), &mut columns);
            }
            let _ = decode_layout(&bytes);
        }
    }
}
