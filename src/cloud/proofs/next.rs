//! Whether a seal is the one that comes next, and of the rows that are there.

use crate::cloud::Error;
use crate::message::seal::{Fingerprint, Sealed};
use crate::message::upload::{Upload, digest_of_row};
use crate::pool;

/// Rows that one thread hashes one after the other.
const ROWS: usize = 1 << 10;

/// The sum of the digests of an upload's rows.
#[must_use]
pub fn sum_of(upload: &Upload) -> Fingerprint {
    let Upload { id, handles, portions, .. } = upload;
    let sums = pool::map_chunks(handles, ROWS, |chunk, handles| {
        let of = |(row, &handle): (usize, &u128)| {
            Fingerprint::of(*id, handle, &digest_of_row(portions, chunk * ROWS + row))
        };
        handles.iter().enumerate().map(of).fold(Fingerprint::default(), Fingerprint::with)
    });
    sums.into_iter().fold(Fingerprint::default(), Fingerprint::with)
}

/// Checks that a seal follows the last one of its place, or the one that there was when all was removed.
///
/// # Errors
///
/// [`Error::SealNumber`], [`Error::SealBefore`].
pub fn check_next(
    sealed: &Sealed,
    stated: Option<&Sealed>,
    before: Option<&Sealed>,
) -> Result<(), Error> {
    let provider = || sealed.seal.place.path();
    let Some(known) = stated.or(before) else { return Ok(()) };
    let (next, got) = (known.seal.number.checked_add(1), sealed.seal.number);
    // After a removal, what others have seen elsewhere may have come in between.
    let is_next = if stated.is_some() { next == Some(got) } else { got > known.seal.number };
    if !is_next {
        let expected = next.unwrap_or(u64::MAX);
        return Err(Error::SealNumber { provider: provider(), expected, got });
    }
    if stated.is_some() && sealed.seal.before != known.digest {
        return Err(Error::SealBefore { provider: provider(), number: known.seal.number });
    }
    Ok(())
}

/// Checks that a seal is of so many rows, whose digests add up to a sum.
///
/// # Errors
///
/// [`Error::SealRows`].
pub fn check_rows(sealed: &Sealed, stored: u64, fingerprint: Fingerprint) -> Result<(), Error> {
    let got = sealed.seal.rows;
    if (stored, fingerprint) == (got, sealed.seal.fingerprint) {
        return Ok(());
    }
    Err(Error::SealRows { provider: sealed.seal.place.path(), stored, got })
}
