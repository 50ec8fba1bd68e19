use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::party::{Keyring, SharedScope, with_ids};
use crate::party;
use crate::party::shares::{GivenScope, KeptIds, Scope, UserName};
use crate::sharing;
use crate::sharing::user::Public;

/// Public keys of a user, and what is sealed to it anew.
type Anew<'py> = (Bound<'py, PyBytes>, Vec<Bound<'py, PyBytes>>);

/// What is shared, through which team, and whether it opens what is sealed now.
type Standing = (SharedScope, Option<String>, bool);

/// Name, speciality, members, what it was given, and whether that is current.
type Team = (String, String, Vec<UserName>, Vec<(SharedScope, bool)>);

/// Path, ids, portions and end of what is shared.
#[derive(FromPyObject)]
pub(super) struct Wanted<'py>(String, Option<Bound<'py, PyAny>>, Option<Vec<String>>, u64);

impl Wanted<'_> {
    fn scope(self) -> PyResult<Scope> {
        let Self(provider, ids, portions, end) = self;
        let ids = match ids {
            None => None,
            Some(ids) => Some(with_ids(&ids, |ids| Ok(KeptIds::of(ids)?))?),
        };
        Ok(Scope { provider, ids, portions, end })
    }
}

fn sealed_to<'py>(py: Python<'py>, (user, sealed): sharing::Anew) -> Anew<'py> {
    let sealed = sealed.iter().map(|sealed| PyBytes::new(py, sealed)).collect();
    (PyBytes::new(py, &user), sealed)
}

/// What changes a keyring, and what is sealed anew to each user whom it concerns.
fn changed<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    work: impl FnOnce(&mut party::Keyring) -> Result<Vec<sharing::Anew>, sharing::Error> + Send,
) -> PyResult<Vec<Anew<'py>>> {
    let anew = keyring.write(py, work)??;
    Ok(anew.into_iter().map(|of| sealed_to(py, of)).collect())
}

fn told(scope: &Scope) -> SharedScope {
    let records = scope.ids.as_ref().map(KeptIds::len);
    (scope.provider.clone(), records, scope.portions.clone(), scope.end)
}

/// A grant that is sealed to a user, by its public keys.
#[pyfunction]
pub(super) fn share<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    public: &[u8],
    wanted: Wanted<'_>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (public, scope) = (Public::decode(public)?, wanted.scope()?);
    let sealed = keyring.write(py, |keyring| sharing::share(keyring, &public, scope))??;
    Ok(PyBytes::new(py, &sealed))
}

/// What is sealed anew to each user who stays, by its public keys.
#[pyfunction]
pub(super) fn unshare<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    public: &[u8],
    now: u64,
) -> PyResult<Vec<Anew<'py>>> {
    let name = Public::decode(public)?.name();
    changed(py, keyring, |keyring| sharing::unshare(keyring, &name, now))
}

/// The same, until the user is reinstated.
#[pyfunction]
pub(super) fn suspend<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    public: &[u8],
    now: u64,
) -> PyResult<Vec<Anew<'py>>> {
    let name = Public::decode(public)?.name();
    changed(py, keyring, |keyring| sharing::suspend(keyring, &name, now))
}

/// What a user that was suspended is given again.
#[pyfunction]
pub(super) fn reinstate<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    public: &[u8],
    now: u64,
) -> PyResult<Anew<'py>> {
    let name = Public::decode(public)?.name();
    let anew = keyring.write(py, |keyring| sharing::reinstate(keyring, &name, now))??;
    Ok(sealed_to(py, anew))
}

/// What is sealed anew to each user who stays; these keys are given nothing any more.
#[pyfunction]
pub(super) fn revoke_user<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    public: &[u8],
    now: u64,
) -> PyResult<Vec<Anew<'py>>> {
    let public = Public::decode(public)?;
    changed(py, keyring, |keyring| sharing::revoke(keyring, &public, now))
}

/// Name of each user that something is shared with, and what.
#[pyfunction]
pub(super) fn shared(
    py: Python<'_>,
    keyring: &Keyring,
) -> PyResult<Vec<(UserName, Vec<Standing>)>> {
    let of = |(given, is_current): (&GivenScope, bool)| {
        (told(&given.scope), given.team.clone(), is_current)
    };
    keyring.read(py, |keyring| {
        let all = keyring.shared().into_iter();
        all.map(|(name, scopes)| (name, scopes.into_iter().map(of).collect())).collect()
    })
}

/// Every user that a keyring knows, and the word for whether it may be given anything.
#[pyfunction]
pub(super) fn users(py: Python<'_>, keyring: &Keyring) -> PyResult<Vec<(UserName, &'static str)>> {
    keyring.read(py, |keyring| {
        keyring.users().into_iter().map(|(name, status)| (name, status.word())).collect()
    })
}

/// Makes a team without members.
#[pyfunction]
pub(super) fn form_team(
    py: Python<'_>,
    keyring: &Keyring,
    name: &str,
    speciality: &str,
) -> PyResult<()> {
    Ok(keyring.write(py, |keyring| keyring.form_team(name, speciality))??)
}

/// What a new member of a team is given.
#[pyfunction]
pub(super) fn join_team<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    team: &str,
    public: &[u8],
    now: u64,
) -> PyResult<Anew<'py>> {
    let public = Public::decode(public)?;
    let anew = keyring.write(py, |keyring| sharing::join_team(keyring, team, &public, now))??;
    Ok(sealed_to(py, anew))
}

/// What each member of a team is given.
#[pyfunction]
pub(super) fn share_with_team<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    team: &str,
    wanted: Wanted<'_>,
) -> PyResult<Vec<Anew<'py>>> {
    let scope = wanted.scope()?;
    changed(py, keyring, |keyring| sharing::share_with_team(keyring, team, scope))
}

/// What is sealed anew to each user who stays.
#[pyfunction]
pub(super) fn leave_team<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    team: &str,
    public: &[u8],
    now: u64,
) -> PyResult<Vec<Anew<'py>>> {
    let name = Public::decode(public)?.name();
    changed(py, keyring, |keyring| sharing::leave_team(keyring, team, &name, now))
}

/// What is sealed anew to each user who stays.
#[pyfunction]
pub(super) fn disband_team<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    team: &str,
    now: u64,
) -> PyResult<Vec<Anew<'py>>> {
    changed(py, keyring, |keyring| sharing::disband_team(keyring, team, now))
}

/// All teams of a keyring.
#[pyfunction]
pub(super) fn teams(py: Python<'_>, keyring: &Keyring) -> PyResult<Vec<Team>> {
    keyring.read(py, |keyring| {
        let all = keyring.teams().map(|(name, team)| {
            let members = team.members.iter().copied().collect();
            let of = |given: &GivenScope| (told(&given.scope), keyring.is_current(given));
            let scopes = team.scopes.iter().map(of).collect();
            (name.to_owned(), team.speciality.clone(), members, scopes)
        });
        all.collect()
    })
}
