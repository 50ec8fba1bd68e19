//! What a store that keeps records in tables needs of their columns: digests of rows, rows in another order.
//!
//! ```text
//! digest of a row = SHA-256(numbers || which field, its number || 2^64 - 1 || which byte string, length, bytes)[..8]
//! ```
//!
//! A digest tells a row that was damaged by accident. It proves nothing: who may change a row may change its
//! digest.

use sha2::{Digest, Sha256};

use super::Error;
use crate::pool;
use crate::wire::{Blobs, Packed};

/// Rows that one thread takes one after the other.
const ROWS: usize = 1 << 11;

/// A column that not every row has a number in: the numbers, and whether each is there.
pub type Optional<'a> = (&'a [i64], &'a [bool]);

/// Returns the digest of each row of a table: of its numbers, of those fields that it has, and of those byte
/// strings that are not empty. A column that there is not is `None`.
///
/// # Errors
///
/// [`Error::Answers`] if a column has another number of rows.
pub fn row_digests(
    count: usize,
    numbers: &[&[i64]],
    fields: &[Option<Optional<'_>>],
    blobs: &[Option<Packed<'_>>],
) -> Result<Vec<i64>, Error> {
    let lengths = numbers.iter().map(|column| column.len());
    let of_fields = fields.iter().flatten().flat_map(|(values, valid)| [values.len(), valid.len()]);
    let of_blobs = blobs.iter().flatten().map(Packed::len);
    for got in lengths.chain(of_fields).chain(of_blobs) {
        if got != count {
            return Err(Error::Answers { method: "row_digests", expected: count, got });
        }
    }
    Ok(pool::map(count, ROWS, |row| {
        let mut hashed = Sha256::new();
        numbers.iter().for_each(|column| hashed.update(column[row].to_le_bytes()));
        for (number, column) in fields.iter().enumerate() {
            if let Some((values, valid)) = column
                && valid[row]
            {
                hashed.update((number as u64).to_le_bytes());
                hashed.update(values[row].to_le_bytes());
            }
        }
        hashed.update([0xff; 8]); // no field has this number
        for (number, column) in blobs.iter().enumerate() {
            let blob = column.as_ref().map_or(&b""[..], |column| column.get(row));
            if !blob.is_empty() {
                hashed.update((number as u64).to_le_bytes());
                hashed.update((blob.len() as u64).to_le_bytes());
                hashed.update(blob);
            }
        }
        let bytes: [u8; 32] = hashed.finalize().into();
        let (words, _) = bytes.as_chunks::<8>();
        i64::from_le_bytes(words[0])
    }))
}

/// Which row comes when, and each upload with the place in that of its first row.
pub type ByUpload = (Vec<u32>, Vec<(i64, usize)>);

/// Returns which row of some columns comes when, by upload and row; and each upload with the place in that
/// of its first row.
///
/// # Errors
///
/// [`Error::Answers`] if the columns are not of one length, or there are 2^32 rows or more.
pub fn by_upload(uploads: &[i64], rows: &[i64]) -> Result<ByUpload, Error> {
    let count = uploads.len();
    let wrong = |got| Error::Answers { method: "by_upload", expected: count, got };
    if rows.len() != count {
        return Err(wrong(rows.len()));
    }
    let last = u32::try_from(count).map_err(|_| wrong(u32::MAX as usize))?;
    let keys = uploads.iter().zip(rows).zip(0..last);
    let mut sorted: Vec<(i64, i64, u32)> = keys.map(|((&of, &row), at)| (of, row, at)).collect();
    if !sorted.is_sorted() {
        pool::sort(&mut sorted);
    }
    let mut starts: Vec<(i64, usize)> = Vec::new();
    for (at, (upload, ..)) in sorted.iter().enumerate() {
        if starts.last().is_none_or(|(last, _)| last != upload) {
            starts.push((*upload, at));
        }
    }
    Ok((sorted.into_iter().map(|(.., at)| at).collect(), starts))
}

/// Returns the handles of some rows, of both halves of each.
///
/// # Errors
///
/// [`Error::Answers`] if a row is named that there is not.
pub fn handles(high: &[i64], low: &[i64], rows: &[u32]) -> Result<Vec<u128>, Error> {
    let of = |&row: &u32| {
        let at = row as usize;
        let (Some(high), Some(low)) = (high.get(at), low.get(at)) else {
            let expected = high.len().min(low.len());
            return Err(Error::Answers { method: "handles", expected, got: at });
        };
        Ok(u128::from(high.cast_unsigned()) << 64 | u128::from(low.cast_unsigned()))
    };
    rows.iter().map(of).collect()
}

/// Returns byte strings in another order.
///
/// # Errors
///
/// [`Error::Answers`] if the order names one that there is not.
pub fn in_order(blobs: &Packed<'_>, order: &[u32]) -> Result<Blobs, Error> {
    let mut ordered = Blobs::default();
    for &at in order {
        let at = at as usize;
        if at >= blobs.len() {
            return Err(Error::Answers { method: "in_order", expected: blobs.len(), got: at });
        }
        ordered.push(blobs.get(at));
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(blobs: &[&[u8]]) -> Blobs {
        let mut packed = Blobs::default();
        blobs.iter().for_each(|blob| packed.push(blob));
        packed
    }

    #[test]
    fn a_digest_hangs_on_every_value_of_its_row_and_on_no_other() {
        let all = [true, true];
        let digests = |numbers: &[i64], fields: &[Option<Optional<'_>>], blobs: &[&[u8]]| {
            row_digests(2, &[numbers], fields, &[Some(packed(blobs)), None]).unwrap()
        };
        let before = digests(&[1, 2], &[Some((&[5, 6], &all))], &[b"a", b"bc"]);
        assert_ne!(before[0], before[1]);
        for after in [
            digests(&[1, 3], &[Some((&[5, 6], &all))], &[b"a", b"bc"]),
            digests(&[1, 2], &[Some((&[5, 7], &all))], &[b"a", b"bc"]),
            digests(&[1, 2], &[Some((&[5, 6], &[true, false]))], &[b"a", b"bc"]),
            digests(&[1, 2], &[Some((&[5, 6], &all))], &[b"a", b"bd"]),
            digests(&[1, 2], &[Some((&[5, 6], &all))], &[b"a", b""]),
        ] {
            assert_eq!(after[0], before[0]);
            assert_ne!(after[1], before[1]);
        }
        let nothing: Option<Optional<'_>> = Some((&[9, 9], &[false, false]));
        let wider = digests(&[1, 2], &[Some((&[5, 6], &all)), nothing, None], &[b"a", b"bc"]);
        assert_eq!(wider, before, "a column that no row has a value in adds nothing");
    }

    #[test]
    fn columns_of_other_lengths_and_orders_of_others_are_refused() {
        assert!(row_digests(2, &[&[1]], &[], &[]).is_err());
        assert!(row_digests(1, &[&[1]], &[Some((&[1], &[]))], &[]).is_err());
        assert!(row_digests(1, &[&[1]], &[], &[Some(packed(&[]))]).is_err());
        let three = packed(&[b"a", b"", b"bc"]);
        assert_eq!(in_order(&three, &[2, 0, 2]), Ok(packed(&[b"bc", b"a", b"bc"])));
        assert!(in_order(&three, &[3]).is_err());
        assert_eq!(
            handles(&[-1, 2], &[3, -4], &[1]),
            Ok(vec![(2 << 64) | ((u128::MAX >> 64) - 3)])
        );
        assert!(handles(&[1], &[1, 2], &[1]).is_err());
    }

    #[test]
    fn rows_come_by_upload_and_row() {
        let found = by_upload(&[4, 2, 4, 2, 9], &[1, 7, 0, 3, 0]);
        assert_eq!(found, Ok((vec![3, 1, 2, 0, 4], vec![(2, 0), (4, 2), (9, 4)])));
        assert_eq!(by_upload(&[], &[]), Ok((vec![], vec![])));
        assert!(by_upload(&[1], &[]).is_err());
    }
}
