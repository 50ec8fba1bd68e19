//! What users were given, taken back: for now, for good, or with all that comes after.
//!
//! ```text
//! unshare    what a user was given; it may be given something anew
//! suspend    the same, until the suspension is lifted: reinstate gives it again
//! revoke     the same, and its keys are never given anything again
//! ```
//!
//! None of these reaches what a user has. When a reader leaves, the readers' epoch advances wherever it was
//! given something, and everybody who stays is given the same anew: what the leaver holds opens nothing that
//! is sealed from then on. A suspension that is lifted gives the epochs of meanwhile too.
//!
//! # Cost
//!
//! A new readers' epoch for each authority concerned, and one encapsulation for each grant of who stays. No
//! record is encrypted again.
//!
//! # Leakage
//!
//! A cloud sees that readers have changed, and not who left, nor why.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::Error;
use super::keyring::Keyring;
use super::rights::GivenRight;
use super::shares::{GivenScope, Scope, Shared, Status, UserName};

/// What somebody is given anew, as it is sealed to it.
#[derive(Debug)]
pub struct Renewed {
    /// The public keys of the user.
    pub public: Vec<u8>,
    /// What it is given, in the clear.
    pub given: Vec<Zeroizing<Vec<u8>>>,
}

impl Renewed {
    /// Adds what a user is given.
    pub(super) fn add(all: &mut Vec<Self>, public: &[u8], given: Zeroizing<Vec<u8>>) {
        match all.iter_mut().find(|of| of.public == public) {
            Some(of) => of.given.push(given),
            None => all.push(Self { public: public.to_vec(), given: vec![given] }),
        }
    }
}

/// What is taken back.
pub(super) struct Leaving<'a> {
    /// Whether this is, of what this user was given to open.
    pub(super) scope: &'a dyn Fn(&UserName, &GivenScope) -> bool,
    /// The user whose rights to search are, too.
    pub(super) rights: Option<&'a UserName>,
}

impl Keyring {
    /// Takes back what a user was given: begins new readers' epochs wherever that was, and gives everybody else
    /// who was given something there the same anew, as far as it has not ended, at a time in seconds since 1970,
    /// and as far as what they have is for the readers of now. Of a user who has left already, that alone. It
    /// is no member of any team any more, and not suspended.
    ///
    /// # Errors
    ///
    /// [`Error::NotShared`] if the user was given nothing to open or to search, [`message::Error::Scope`](crate::message::Error::Scope)
    /// if a provider's readers are somebody else's to renew, those of [`grant`](Self::grant) and
    /// [`renew_readers`](Self::renew_readers).
    pub fn unshare(&mut self, user: &UserName, now: u64) -> Result<Vec<Renewed>, Error> {
        let renewed = self.take_all_back(user, now)?;
        self.leave_all_teams(user);
        if let Some(shared) = self.shares.0.get_mut(user) {
            shared.scopes.iter_mut().for_each(|given| given.is_held = false);
            shared.rights.iter_mut().for_each(|right| right.is_held = false);
            if shared.status == Status::Suspended {
                shared.status = Status::Active;
            }
        }
        Ok(renewed)
    }

    /// Takes back what a user was given, as [`unshare`](Self::unshare) does, until [`reinstate`](Self::reinstate)
    /// gives it again: what of it is good now. It stays a member of its teams.
    ///
    /// # Errors
    ///
    /// [`Error::RevokedUser`], those of [`unshare`](Self::unshare).
    pub fn suspend(&mut self, user: &UserName, now: u64) -> Result<Vec<Renewed>, Error> {
        let shared = self.shares.0.get(user).ok_or(Error::NotShared)?;
        if shared.status == Status::Revoked {
            return Err(Error::RevokedUser);
        }
        let scopes: Vec<bool> = shared.scopes.iter().map(|given| self.is_current(given)).collect();
        let rights: Vec<bool> =
            shared.rights.iter().map(|right| self.is_right_current(right)).collect();
        let mut held = shared.clone();
        held.status = Status::Suspended;
        for (given, is_current) in held.scopes.iter_mut().zip(scopes) {
            given.is_held |= is_current;
        }
        for (right, is_current) in held.rights.iter_mut().zip(rights) {
            right.is_held |= is_current;
        }
        let before = self.shares.0.insert(*user, held).unwrap_or_default();
        let renewed = self.take_all_back(user, now);
        if renewed.is_err() {
            self.shares.0.insert(*user, before);
        }
        renewed
    }

    /// Lifts a suspension, and gives the user again what it took back and what its teams were given meanwhile:
    /// whatever of it has not ended at a time in seconds since 1970 and is where it was. Of a user that is not
    /// suspended, gives what it has again.
    ///
    /// # Errors
    ///
    /// [`Error::NotShared`], [`Error::RevokedUser`], those of [`grant`](Self::grant); nothing is changed then.
    pub fn reinstate(&mut self, user: &UserName, now: u64) -> Result<Renewed, Error> {
        let before = self.shares.0.get(user).ok_or(Error::NotShared)?.clone();
        if before.status == Status::Revoked {
            return Err(Error::RevokedUser);
        }
        let given = self.give_back(user, &before, now);
        if given.is_err() {
            self.shares.0.insert(*user, before.clone());
        }
        Ok(Renewed { public: before.public, given: given? })
    }

    fn give_back(
        &mut self,
        user: &UserName,
        shared: &Shared,
        now: u64,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, Error> {
        let is_wanted = |given: &&GivenScope| {
            let is_there = self.find(&given.scope.provider).is_ok_and(|at| at == given.place);
            given.scope.end >= now && is_there && (given.is_held || self.is_current(given))
        };
        let own = shared.scopes.iter().filter(is_wanted);
        let mut wanted: Vec<(Scope, Option<String>)> =
            own.map(|given| (given.scope.clone(), given.team.clone())).collect();
        for given in self.current_of_teams(user) {
            let of_team = (given.scope.clone(), given.team.clone());
            if given.scope.end >= now && !wanted.contains(&of_team) {
                wanted.push(of_team);
            }
        }
        let is_good = |right: &&GivenRight| {
            let is_there = self.has_groups_under(&right.terms.under);
            right.terms.end >= now && is_there && (right.is_held || self.is_right_current(right))
        };
        let rights: Vec<u128> =
            shared.rights.iter().filter(is_good).map(|right| right.id).collect();
        if let Some(shared) = self.shares.0.get_mut(user) {
            shared.status = Status::Active;
            shared.scopes.iter_mut().for_each(|given| given.is_held = false);
            shared.rights.iter_mut().for_each(|right| right.is_held = false);
        }
        let mut all = Vec::new();
        for (scope, team) in wanted {
            all.push(self.given(user, &scope)?);
            self.note_share(*user, &shared.public, scope, team.as_deref())?;
        }
        for id in rights {
            all.extend(self.renew_right(user, id, now)?.map(|(_, given)| given));
        }
        Ok(all)
    }

    /// Takes back what a user was given, if anything was, and never gives anything to these public keys again.
    ///
    /// # Errors
    ///
    /// Those of [`unshare`](Self::unshare), but that a user need not have been given anything.
    pub(crate) fn revoke_user(
        &mut self,
        user: &UserName,
        public: &[u8],
        now: u64,
    ) -> Result<Vec<Renewed>, Error> {
        let renewed = match self.shares.0.contains_key(user) {
            true => self.unshare(user, now)?,
            false => Vec::new(),
        };
        let shared = self.shares.0.entry(*user).or_default();
        shared.public = public.to_vec();
        shared.status = Status::Revoked;
        Ok(renewed)
    }

    /// Everybody that this keyring knows of, and whether it may be given anything.
    #[must_use]
    pub fn users(&self) -> Vec<(UserName, Status)> {
        self.shares.0.iter().map(|(user, shared)| (*user, shared.status)).collect()
    }

    fn take_all_back(&mut self, user: &UserName, now: u64) -> Result<Vec<Renewed>, Error> {
        if !self.shares.0.contains_key(user) {
            return Err(Error::NotShared);
        }
        let leaving = Leaving { scope: &|name, _| name == user, rights: Some(user) };
        self.take_back(&leaving, now)
    }

    /// Takes something back, and returns what everybody who stays needs.
    pub(super) fn take_back(
        &mut self,
        leaving: &Leaving<'_>,
        now: u64,
    ) -> Result<Vec<Renewed>, Error> {
        let (mut ends, mut left) = (BTreeSet::new(), BTreeSet::new());
        for given in self.scopes_leaving(leaving) {
            // Whoever was revoked since has no readers any more.
            if let Ok(provider) = self.find(&given.scope.provider) {
                let authority = self.authority_of(&provider)?;
                let of = if self.is_taken_back(given) { &mut left } else { &mut ends };
                of.insert(authority);
            }
        }
        if let Some(user) = leaving.rights {
            for (authority, is_ended) in self.authorities_of_rights(user) {
                let of = if is_ended { &mut left } else { &mut ends };
                of.insert(authority);
            }
        }
        let all = ends.union(&left).cloned().collect();
        let rights = self.rights_staying(leaving.rights, &all, now);
        // Who stays has what is for the readers of now, and is given it for those of afterwards.
        let mut staying: Vec<(UserName, usize)> = Vec::new();
        let active = self.shares.0.iter().filter(|(_, shared)| shared.status == Status::Active);
        for (name, shared) in active {
            for (at, given) in shared.scopes.iter().enumerate() {
                let Ok(provider) = self.find(&given.scope.provider) else { continue };
                let Ok(authority) = self.authority_of(&provider) else { continue };
                let stays = all.contains(&authority) && !(leaving.scope)(name, given);
                if stays && given.scope.end >= now && self.is_current(given) {
                    staying.push((*name, at));
                }
            }
        }
        let teams = self.scopes_staying_in_teams(&all);
        for authority in &ends {
            let below = authority.names().get(self.node.names().len()..).unwrap_or_default();
            let path: Vec<&str> = below.iter().map(String::as_str).collect();
            self.renew_readers(&path)?;
        }
        let mut renewed: Vec<Renewed> = Vec::new();
        for (name, at) in staying {
            let Some(shared) = self.shares.0.get(&name) else { continue };
            let scope = shared.scopes[at].scope.clone();
            let given = self.given(&name, &scope)?;
            let readers = self.readers_of(&self.find(&scope.provider)?);
            let Some(shared) = self.shares.0.get_mut(&name) else { continue };
            shared.scopes[at].readers.extend(readers);
            shared.scopes[at].readers.sort_unstable();
            shared.scopes[at].readers.dedup();
            Renewed::add(&mut renewed, &shared.public, given);
        }
        self.note_left(leaving);
        self.extend_teams(&teams);
        for (name, id) in rights {
            if let Some((public, given)) = self.renew_right(&name, id, now)? {
                Renewed::add(&mut renewed, &public, given);
            }
        }
        Ok(renewed)
    }

    fn scopes_leaving(&self, leaving: &Leaving<'_>) -> Vec<&GivenScope> {
        let all = self.shares.0.iter().flat_map(|(name, shared)| {
            shared.scopes.iter().filter(move |given| (leaving.scope)(name, given))
        });
        all.collect()
    }

    /// Notes which readers' epochs began as something was taken back; what nobody has readers of is forgotten.
    fn note_left(&mut self, leaving: &Leaving<'_>) {
        let mut all = std::mem::take(&mut self.shares.0);
        for (name, shared) in &mut all {
            shared.scopes.retain_mut(|given| {
                if !(leaving.scope)(name, given) {
                    return true;
                }
                if !self.is_taken_back(given) {
                    given.left = self.sealing_for(given);
                }
                given.left.is_some()
            });
        }
        self.shares.0 = all;
        if let Some(user) = leaving.rights {
            self.end_rights(user);
        }
    }
}
