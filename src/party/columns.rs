//! The columns of a table, and the bytes of its rows.
//!
//! Numbers take 8 bytes, null or not, so that a record's size shows the lengths of its texts and
//! nothing else.

use std::borrow::Cow;
use std::collections::HashSet;

use zeroize::{Zeroize, Zeroizing};

use super::Error;
use super::claims::{Claims, Stated};
use super::types::Type;
use crate::wire::{Blobs, Buffer, Kind, Packed, Reader, Writer, append_secret};

/// The column that whoever opens records adds, so that no record has one of that name.
pub const PROVIDER: &str = "provider";

/// The columns that whoever opens amendments adds, so that no record has any of these names: whose records
/// they amend, the record's id, the version it had, and what has become of it.
pub const AMENDS: [&str; 4] = ["amends", "amends_record", "amends_version", "amends_state"];

/// The names that no column of a record has.
pub const KEPT: [&str; 5] = [PROVIDER, AMENDS[0], AMENDS[1], AMENDS[2], AMENDS[3]];

/// A column's values.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Values<'a> {
    Int64(Cow<'a, [i64]>),
    UInt64(Cow<'a, [u64]>),
    Float64(Cow<'a, [f64]>),
    Boolean(Cow<'a, [bool]>),
    /// UTF-8.
    Text(Packed<'a>),
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column<'a> {
    /// Its name.
    pub name: String,
    /// Its type in words, as [`Type::parse`] reads them.
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
            Values::Text(texts) => texts.len(),
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

    /// Adds the rows of a column of the same kind.
    pub(super) fn append(&mut self, more: &Column<'_>) {
        match (&mut self.values, &more.values) {
            (Values::Int64(values), Values::Int64(more)) => values.to_mut().extend_from_slice(more),
            (Values::UInt64(values), Values::UInt64(more)) => {
                values.to_mut().extend_from_slice(more);
            }
            (Values::Float64(values), Values::Float64(more)) => {
                values.to_mut().extend_from_slice(more);
            }
            (Values::Boolean(values), Values::Boolean(more)) => {
                values.to_mut().extend_from_slice(more);
            }
            (Values::Text(texts), Values::Text(more)) => {
                let end = texts.bytes.len() as u64;
                append_secret(texts.bytes.to_mut(), &more.bytes);
                texts.ends.to_mut().extend(more.ends.iter().map(|more| end + more));
            }
            _ => unreachable!("columns of one layout are of one kind"),
        }
        self.is_valid.to_mut().extend_from_slice(&more.is_valid);
    }

    /// Wipes its values.
    pub(super) fn wipe(&mut self) {
        match &mut self.values {
            Values::Int64(values) => values.to_mut().zeroize(),
            Values::UInt64(values) => values.to_mut().zeroize(),
            Values::Float64(values) => values.to_mut().zeroize(),
            Values::Boolean(values) => values.to_mut().zeroize(),
            Values::Text(texts) => texts.bytes.to_mut().zeroize(),
        }
    }

    /// A column of the same name and type without rows.
    pub(super) fn empty(&self) -> Column<'static> {
        let values = match &self.values {
            Values::Int64(_) => Values::Int64(Cow::default()),
            Values::UInt64(_) => Values::UInt64(Cow::default()),
            Values::Float64(_) => Values::Float64(Cow::default()),
            Values::Boolean(_) => Values::Boolean(Cow::default()),
            Values::Text(_) => Values::Text(Packed::default()),
        };
        let (name, dtype) = (self.name.clone(), self.dtype.clone());
        Column { name, dtype, values, is_valid: Cow::default() }
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
                let mut kept = Blobs::default();
                for (row, _) in rows.iter().enumerate().filter(|(_, mark)| **mark) {
                    kept.push(texts.get(row));
                }
                *texts = kept;
            }
        }
        kept(&mut self.is_valid, rows);
    }

    /// Forgets what comes after so many rows, and adds one that holds a null.
    fn void(&mut self, rows: usize) {
        fn voided<T: Copy + Default>(values: &mut Cow<'_, [T]>, rows: usize) {
            let values = values.to_mut();
            values.truncate(rows);
            values.push(T::default());
        }
        match &mut self.values {
            Values::Int64(values) => voided(values, rows),
            Values::UInt64(values) => voided(values, rows),
            Values::Float64(values) => voided(values, rows),
            Values::Boolean(values) => voided(values, rows),
            Values::Text(texts) => {
                let ends = texts.ends.to_mut();
                ends.truncate(rows);
                let end = ends.last().copied().unwrap_or(0);
                ends.push(end);
                texts.bytes.to_mut().truncate(usize::try_from(end).unwrap_or(0));
            }
        }
        voided(&mut self.is_valid, rows);
    }

    fn write<B: Buffer>(&self, row: usize, writer: &mut Writer<B>) {
        match &self.values {
            Values::Int64(values) => writer.i64(values[row]),
            Values::UInt64(values) => writer.u64(values[row]),
            Values::Float64(values) => writer.u64(values[row].to_bits()),
            Values::Boolean(values) => writer.u8(values[row].into()),
            Values::Text(texts) => writer.bytes(texts.get(row)),
        };
    }
}

/// Writes the bytes of one row.
pub(super) fn encode_row<B: Buffer>(
    columns: &[(u32, &Column<'_>)],
    row: usize,
    writer: &mut Writer<B>,
) {
    for (_, column) in columns {
        writer.u8(column.is_valid[row].into());
        column.write(row, writer);
    }
}

/// How many bytes one row has.
pub(super) fn row_len(columns: &[(u32, &Column<'_>)], row: usize) -> usize {
    let of_value = |column: &Column<'_>| match &column.values {
        Values::Int64(_) | Values::UInt64(_) | Values::Float64(_) => 8,
        Values::Boolean(_) => 1,
        Values::Text(texts) => 8 + texts.get(row).len(),
    };
    columns.iter().map(|(_, column)| 1 + of_value(column)).sum()
}

/// The place in the table, the name and the type of each column, and which holds the records' ids; then what
/// amendments say of themselves.
pub(super) fn encode_layout(
    columns: &[(u32, &Column<'_>)],
    id: Option<&str>,
    amends: Option<&Stated>,
) -> Zeroizing<Vec<u8>> {
    let mut writer = Writer::secret(Kind::Layout);
    writer.count(columns.len());
    for (place, column) in columns {
        writer.u32(*place).text(&column.name).text(&column.dtype).u8(column.kind());
        writer.u8((Some(column.name.as_str()) == id).into());
    }
    if let Some(amends) = amends {
        amends.write_head(&mut writer);
    }
    writer.0
}

/// What a layout says.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// Columns without rows yet.
    pub columns: Vec<Column<'static>>,
    /// Where in the table each one stood.
    pub places: Vec<u32>,
    /// The position of the column that holds the ids.
    pub id: Option<usize>,
    /// What amendments say of themselves; no rows yet.
    pub amends: Option<Claims>,
}

/// Reads what [`encode_layout`] wrote.
pub(super) fn decode_layout(bytes: &[u8]) -> Result<Layout, Error> {
    let mut layout = Layout::default();
    let mut reader = Reader::new(bytes, Kind::Layout)?;
    for position in 0..reader.count(22)? {
        layout.places.push(reader.u32()?);
        let (name, dtype) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        let values = match reader.u8()? {
            1 => Values::Int64(Cow::default()),
            2 => Values::UInt64(Cow::default()),
            3 => Values::Float64(Cow::default()),
            4 => Values::Boolean(Cow::default()),
            5 => Values::Text(Packed::default()),
            _ => return Err(reader.fault().into()),
        };
        if flag(&mut reader)? && layout.id.replace(position).is_some() {
            return Err(reader.fault().into());
        }
        layout.columns.push(Column { name, dtype, values, is_valid: Cow::default() });
    }
    if !reader.is_at_end() {
        let (time, head) = (reader.u64()?, reader.bytes()?.to_vec());
        layout.amends = Some(Claims { head, time, rows: Vec::new() });
    }
    reader.end()?;
    Ok(layout)
}

/// The types of the columns of a layout that was opened.
///
/// # Errors
///
/// [`Error::Column`] names one whose name stands twice or is kept for the provider, or whose type is none
/// or is not that of its values.
pub(super) fn types(columns: &[Column<'_>]) -> Result<Vec<Type>, Error> {
    let mut names = HashSet::new();
    let of = |column: &Column<'_>| {
        let of = Type::parse(&column.dtype).ok_or("it is of no type that records have")?;
        if column.name == PROVIDER {
            Err("the name is kept for the provider")
        } else if AMENDS.contains(&column.name.as_str()) {
            Err("the name is kept for who reads amendments")
        } else if of.is_sealed_as(&column.values) {
            Ok(of)
        } else {
            Err("its values are not sealed as its type is")
        }
    };
    let mut types = Vec::with_capacity(columns.len());
    for column in columns {
        let is_new = names.insert(column.name.as_str());
        let of = if is_new { of(column) } else { Err("there are two of this name") };
        types.push(of.map_err(|why| Error::Column { column: column.name.clone(), why })?);
    }
    Ok(types)
}

/// Adds one row's bytes to the columns, or a row of nulls if they are no row.
///
/// # Errors
///
/// [`Error::Cell`] names the column whose bytes are not of its kind, [`Error::LongRecord`] says that there
/// are bytes of no column.
pub(super) fn decode_or_void(
    bytes: &[u8],
    row: usize,
    columns: &mut [Column<'static>],
) -> Result<(), Error> {
    let Err(_) = decode_row(bytes, columns) else { return Ok(()) };
    let cut = columns.iter().find(|column| column.rows() <= row);
    let error = match cut {
        Some(column) => Error::Cell {
            column: column.name.clone(),
            position: row,
            why: "is cut short or malformed",
        },
        None => Error::LongRecord { position: row },
    };
    void_row(row, columns);
    Err(error)
}

/// Makes a row one of nulls, and the last one.
pub(super) fn void_row(row: usize, columns: &mut [Column<'static>]) {
    columns.iter_mut().for_each(|column| column.void(row));
}

/// A byte that says yes or no, and nothing else.
fn flag(reader: &mut Reader<'_>) -> Result<bool, Error> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(reader.fault().into()),
    }
}

/// Adds one row's bytes to the columns.
fn decode_row(bytes: &[u8], columns: &mut [Column<'static>]) -> Result<(), Error> {
    let mut reader = Reader::headless(bytes, "the record");
    for column in columns {
        column.is_valid.to_mut().push(flag(&mut reader)?);
        match &mut column.values {
            Values::Int64(values) => values.to_mut().push(reader.i64()?),
            Values::UInt64(values) => values.to_mut().push(reader.u64()?),
            Values::Float64(values) => values.to_mut().push(f64::from_bits(reader.u64()?)),
            Values::Boolean(values) => values.to_mut().push(flag(&mut reader)?),
            Values::Text(texts) => {
                append_secret(texts.bytes.to_mut(), reader.text()?.as_bytes());
                let end = texts.bytes.len() as u64;
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

    fn placed<'a>(columns: &'a [Column<'a>]) -> Vec<(u32, &'a Column<'a>)> {
        (0..).zip(columns).collect()
    }

    fn encoded(columns: &[Column<'_>], row: usize) -> Vec<u8> {
        let mut writer = Writer::headless_secret();
        encode_row(&placed(columns), row, &mut writer);
        writer.0.to_vec()
    }

    /// The layout of columns, the first of which holds the ids.
    fn layout(columns: &[Column<'_>]) -> Vec<u8> {
        let id = columns.first().map(|column| column.name.as_str());
        encode_layout(&placed(columns), id, None).to_vec()
    }

    fn decoded(layout: &[u8]) -> Result<Vec<Column<'static>>, Error> {
        decode_layout(layout).map(|layout| layout.columns)
    }

    /// One column of each type, two rows.
    fn table() -> Vec<Column<'static>> {
        let column = |name: &str, values, is_valid: [bool; 2]| Column {
            name: name.into(),
            dtype: "any".into(),
            values,
            is_valid: is_valid.to_vec().into(),
        };
        let texts = Packed::new(vec![4, 4], "Zoë".as_bytes()).unwrap();
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
        let mut read = decoded(&layout(&table)).unwrap();
        for row in 0..2 {
            decode_row(&encoded(&table, row), &mut read).unwrap();
        }
        assert_eq!(read, table);
        assert_eq!(decode_layout(&layout(&table)).unwrap().id, Some(0));
        let columns = placed(&table);
        for (id, at) in [(Some("f"), Some(2)), (Some("none"), None), (None, None)] {
            assert_eq!(decode_layout(&encode_layout(&columns, id, None)).unwrap().id, at);
        }
    }

    #[test]
    fn two_columns_of_ids_are_refused() {
        let mut table = table();
        table[1].name = table[0].name.clone();
        let refused = decode_layout(&layout(&table));
        assert!(matches!(refused, Err(Error::Wire(wire::Error::Format { .. }))));
    }

    #[test]
    fn a_row_with_more_or_fewer_bytes_is_malformed() {
        let table = table();
        let row = encoded(&table, 0);
        let read = |bytes: &[u8]| decode_row(bytes, &mut decoded(&layout(&table))?);
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
    fn a_row_that_is_none_becomes_one_of_nulls_and_names_its_column() {
        let table = table();
        let good = encoded(&table, 0);
        let starts = [0, 9, 18, 27, 29];
        let mut bad: Vec<(Vec<u8>, Option<&str>)> = vec![([&good[..], &[0]].concat(), None)];
        for (start, column) in starts.into_iter().zip(["i", "u", "f", "b", "t"]) {
            bad.push((good[..=start].to_vec(), Some(column)));
            let mut changed = good.clone();
            changed[start] = 2;
            bad.push((changed, Some(column)));
        }
        let (mut no_truth, mut no_text) = (good.clone(), good.clone());
        no_truth[28] = 2;
        *no_text.last_mut().unwrap() = 0xff;
        bad.extend([(no_truth, Some("b")), (no_text, Some("t"))]);
        for (bytes, column) in bad {
            let mut read = decoded(&layout(&table)).unwrap();
            decode_or_void(&good, 0, &mut read).unwrap();
            let expected = match column {
                None => Error::LongRecord { position: 1 },
                Some(column) => Error::Cell {
                    column: column.into(),
                    position: 1,
                    why: "is cut short or malformed",
                },
            };
            assert_eq!(decode_or_void(&bytes, 1, &mut read), Err(expected));
            decode_or_void(&good, 2, &mut read).unwrap();
            for column in &mut read {
                assert_eq!(*column.is_valid, [table_valid(column), false, table_valid(column)]);
                column.retain(&[true, false, true]);
            }
            let mut twice = decoded(&layout(&table)).unwrap();
            (0..2).for_each(|row| decode_or_void(&good, row, &mut twice).unwrap());
            assert_eq!(read, twice);
        }
    }

    /// Whether the first row of [`table`] holds a value in a column.
    fn table_valid(column: &Column<'_>) -> bool {
        table().iter().find(|other| other.name == column.name).unwrap().is_valid[0]
    }

    #[test]
    fn a_layout_of_two_names_alike_or_of_odd_types_is_refused_by_column() {
        let column = |name: &str, dtype: &str, values: &Values<'static>| Column {
            name: name.into(),
            dtype: dtype.into(),
            values: values.clone(),
            is_valid: Cow::default(),
        };
        let whole = Values::Int64(Cow::default());
        let floats = Values::Float64(Cow::default());
        let good = column("a", "Int8", &whole);
        assert_eq!(
            types(&[good.clone(), column("", "Time", &whole)]),
            Ok(vec![Type::Int8, Type::Time])
        );
        for (bad, why) in [
            (column("a", "Int8", &whole), "there are two of this name"),
            (column(PROVIDER, "Int8", &whole), "the name is kept for the provider"),
            (column("b", "Int8\n", &whole), "it is of no type that records have"),
            (column("b", "Int8", &floats), "its values are not sealed as its type is"),
            (column("b", "UInt64", &whole), "its values are not sealed as its type is"),
        ] {
            let expected = Error::Column { column: bad.name.clone(), why };
            assert_eq!(types(&[good.clone(), bad]), Err(expected));
        }
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
            let layout = layout(&table);
            let _ = decode_row(&bytes, &mut decoded(&layout).unwrap());
            let mut changed = layout;
            let end = changed.len().min(at.index(changed.len()) + bytes.len());
            let start = at.index(changed.len());
            changed[start..end].copy_from_slice(&bytes[..end - start]);
            let read = decode_layout(&changed);
            if let Ok(Layout { mut columns, places, id, amends: None }) = read {
                if types(&columns).is_ok() {
                    let id = id.map(|at| columns[at].name.as_str());
                    let all: Vec<_> = places.into_iter().zip(&columns).collect();
                    prop_assert_eq!(&*encode_layout(&all, id, None), &changed);
                }
                let _ = decode_row(&encoded(&table, 0), &mut columns);
            }
            let _ = decode_layout(&bytes);
        }
    }
}
