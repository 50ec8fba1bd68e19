use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::party::{Grants, Keyring, as_ranges};
use super::released;
use crate::message::certificate::Owner;
use crate::message::place::Group;
use crate::party::Error;
use crate::party::asking::Range;
use crate::party::keyring::Spans;
use crate::party::rights::{OpenRange, SearchRight, Terms};
use crate::party::shares::UserName;
use crate::sharing;
use crate::sharing::user;

/// Field, lowest and highest plaintext.
type Told = Vec<(String, i64, i64)>;

/// User, number, ranges, path that it is under, end, and whether clouds still take it.
type RightGiven = (UserName, u128, Told, String, u64, bool);
/// Owner, number, ranges, groups, end, and whether it may be asked under.
type RightHeld = ([u8; 32], u128, Told, Vec<String>, u64, bool);

fn told(ranges: &[Range]) -> Told {
    ranges.iter().map(|range| (range.field.clone(), range.low, range.high)).collect()
}

/// A right to search, sealed to a user by its public keys.
#[pyfunction]
pub(super) fn delegate<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    public: &[u8],
    ranges: Told,
    under: String,
    end: u64,
    now: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    let public = user::Public::decode(public)?;
    let terms = Terms { ranges: as_ranges(ranges), under, end };
    let sealed = keyring.write(py, |keyring| sharing::delegate(keyring, &public, terms, now))??;
    Ok(PyBytes::new(py, &sealed))
}

/// The rights to search that a keyring gave.
#[pyfunction]
pub(super) fn rights_given(py: Python<'_>, keyring: &Keyring) -> PyResult<Vec<RightGiven>> {
    keyring.read(py, |keyring| {
        let rights = keyring.rights().into_iter().map(|(user, right, is_current)| {
            let Terms { ranges, under, end } = &right.terms;
            (user, right.id, told(ranges), under.clone(), *end, is_current)
        });
        rights.collect()
    })
}

/// The rights to search that a user has.
#[pyfunction]
pub(super) fn rights_held(py: Python<'_>, user: &Grants, now: u64) -> PyResult<Vec<RightHeld>> {
    let user = user.user()?;
    released(py, || {
        let user = user.read().map_err(Error::from)?;
        let rights = user.rights().map(|held| {
            let SearchRight { head, right, ranges, .. } = held;
            let groups = right.reaches.iter().map(|reach| reach.group.to_string()).collect();
            let is_current = user.is_current(held, now);
            (head.owner.0, right.id, told(ranges), groups, right.end, is_current)
        });
        Ok::<_, sharing::Error>(rights.collect())
    })
}

/// A query under a right, and every range that it is for.
#[pyfunction]
pub(super) fn ask_under<'py>(
    py: Python<'py>,
    user: &Grants,
    owner: [u8; 32],
    number: Option<u128>,
    ranges: Vec<(String, Option<i64>, Option<i64>)>,
    expiry: u64,
    now: u64,
) -> PyResult<(Bound<'py, PyBytes>, Told)> {
    let open = |(field, low, high)| OpenRange { field, low, high };
    let asked: Vec<OpenRange> = ranges.into_iter().map(open).collect();
    let user = user.user()?;
    let (query, ranges) = released(py, || {
        let user = user.read().map_err(Error::from)?;
        user.query(Owner(owner), number, &asked, expiry, now)
    })?;
    Ok((PyBytes::new(py, &query), told(&ranges)))
}

/// Group, first cell, and the first and last ciphertext of every cell from there on.
type Held<'py> = (String, u64, Bound<'py, PyArray2<i64>>);

/// What a user's right to search tells of a snapshot: the cells of one of its fields, by group.
#[pyfunction]
pub(super) fn spans_held<'py>(
    py: Python<'py>,
    user: &Grants,
    owner: [u8; 32],
    number: u128,
    field: &str,
) -> PyResult<Vec<Held<'py>>> {
    let user = user.user()?;
    let groups = released(py, || {
        let user = user.read().map_err(Error::from)?;
        let right = user.right(Owner(owner), number).ok_or(Error::NoRight)?;
        Ok::<_, sharing::Error>(right.spans(field))
    })?;
    let table = |(group, first, spans): (Group, u64, Spans)| {
        let (rows, flat) = (spans.len(), spans.into_iter().flat_map(|(low, high)| [low, high]));
        let table = PyArray1::from_iter(py, flat).reshape([rows, 2])?;
        Ok((group.to_string(), first, table))
    };
    groups.into_iter().map(table).collect()
}
