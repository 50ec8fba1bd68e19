use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::party::{Grants, Keyring, SharedScope, with_ids};
use super::released;
use crate::party::Error;
use crate::party::requests::State;
use crate::party::shares::{KeptIds, Scope, UserName};
use crate::sharing;
use crate::sharing::request::{self, Address, Less, Span};
use crate::sharing::user::Algorithm;

/// What is asked for, why, when it was and until when, what became of it, when, and why.
type Told = (SharedScope, String, u64, u64, &'static str, Option<u64>, Option<String>);

fn told(scope: &Scope, reason: &str, span: Span, state: &State, now: u64) -> Told {
    let records = scope.ids.as_ref().map(KeptIds::len);
    let asked = (scope.provider.clone(), records, scope.portions.clone(), scope.end);
    let (time, why) = state.decided();
    let word = state.word(span.expiry, now);
    (asked, reason.to_owned(), span.time, span.expiry, word, time, why.map(str::to_owned))
}

/// The address of a party.
#[pyfunction]
pub(super) fn address<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    is_post_quantum: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let algorithm = if is_post_quantum { Algorithm::XWing } else { Algorithm::X25519 };
    let address = keyring.read(py, |keyring| Address::of(keyring, algorithm))?;
    Ok(PyBytes::new(py, address.encode()))
}

/// Reads what was sealed to a party's address: the number of the request.
#[pyfunction]
pub(super) fn receive_request(
    py: Python<'_>,
    keyring: &Keyring,
    sealed: &[u8],
    now: u64,
) -> PyResult<u128> {
    Ok(keyring.write(py, |keyring| request::receive(keyring, sealed, now))??)
}

/// What a user is given on a request, sealed to it.
#[pyfunction]
pub(super) fn approve_request<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    number: u128,
    portions: Option<Vec<String>>,
    end: Option<u64>,
    now: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    let less = Less { portions, end };
    let sealed = keyring.write(py, |keyring| request::approve(keyring, number, less, now))??;
    Ok(PyBytes::new(py, &sealed))
}

/// What tells a user that it is given nothing on a request, sealed to it.
#[pyfunction]
pub(super) fn refuse_request<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    number: u128,
    reason: &str,
    now: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    let sealed = keyring.write(py, |keyring| request::refuse(keyring, number, reason, now))??;
    Ok(PyBytes::new(py, &sealed))
}

/// All requests that a party was sent: number, who asks, and what became of each.
#[pyfunction]
pub(super) fn requests_to(
    py: Python<'_>,
    keyring: &Keyring,
    now: u64,
) -> PyResult<Vec<(u128, UserName, Told)>> {
    keyring.read(py, |keyring| {
        let requests = keyring.requests().map(|(number, asked)| {
            let span = Span { time: asked.time, expiry: asked.expiry };
            let told = told(&asked.scope, &asked.reason, span, &asked.state, now);
            (number, asked.user, told)
        });
        requests.collect()
    })
}

/// Forgets a request that a party was sent.
#[pyfunction]
pub(super) fn forget_request(py: Python<'_>, keyring: &Keyring, number: u128) -> PyResult<()> {
    Ok(keyring.write(py, |keyring| keyring.forget_request(number))??)
}

/// A user's request, sealed to an address, and its number.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "those of the request")]
pub(super) fn make_request<'py>(
    py: Python<'py>,
    user: &Grants,
    address: &[u8],
    path: &str,
    ids: Option<Bound<'py, PyAny>>,
    portions: Option<Vec<String>>,
    end: u64,
    reason: &str,
    span: (u64, u64),
) -> PyResult<(u128, Bound<'py, PyBytes>)> {
    let address = Address::decode(address)?;
    let ids = match ids {
        None => None,
        Some(ids) => Some(with_ids(&ids, |ids| Ok(KeptIds::of(ids)?))?),
    };
    let scope = Scope { provider: path.to_owned(), ids, portions, end };
    let user = user.user()?;
    let (number, sealed) = released(py, || {
        let mut user = user.write().map_err(Error::from)?;
        let (time, expiry) = span;
        user.request(&address, scope, reason, Span { time, expiry })
    })?;
    Ok((number, PyBytes::new(py, &sealed)))
}

/// What tells whom a user asked that it asks no more.
#[pyfunction]
pub(super) fn withdraw_request<'py>(
    py: Python<'py>,
    user: &Grants,
    number: u128,
    now: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    let user = user.user()?;
    let sealed = released(py, || user.write().map_err(Error::from)?.withdraw(number, now))?;
    Ok(PyBytes::new(py, &sealed))
}

/// Reads what was decided on a user's request: its number.
#[pyfunction]
pub(super) fn read_decision(
    py: Python<'_>,
    user: &Grants,
    sealed: &[u8],
    now: u64,
) -> PyResult<u128> {
    let (own, grants) = (user.user()?, &user.grants);
    let number = released(py, || {
        let mut own = own.write().map_err(Error::from)?;
        let mut grants = grants.write().map_err(Error::from)?;
        own.decided(&mut grants, sealed, now)
    })?;
    Ok(number)
}

/// All requests of a user, what became of each, and of which owner it is.
#[pyfunction]
pub(super) fn requests_of(
    py: Python<'_>,
    user: &Grants,
    now: u64,
) -> PyResult<Vec<(u128, [u8; 32], Told)>> {
    let user = user.user()?;
    let requests = released(py, || {
        let user = user.read().map_err(Error::from)?;
        let requests = user.requests().map(|(number, own)| {
            let span = Span { time: own.time, expiry: own.expiry };
            let told = told(&own.scope, &own.reason, span, &own.state, now);
            Ok((number, Address::decode(&own.address)?.owner.0, told))
        });
        requests.collect::<Result<Vec<_>, sharing::Error>>()
    })?;
    Ok(requests)
}

/// Forgets a request of a user.
#[pyfunction]
pub(super) fn forget_own_request(py: Python<'_>, user: &Grants, number: u128) -> PyResult<()> {
    let user = user.user()?;
    released(py, || user.write().map_err(Error::from)?.forget_request(number))
}
