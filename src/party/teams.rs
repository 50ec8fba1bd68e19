//! Teams: users who are given the same.
//!
//! A team has a name and a speciality. What it is given, each of its members is given, sealed to that member
//! alone; who joins is given all that the team has, and of who leaves it is taken back, see
//! [`leaving`](super::leaving). A team has no key of its own, so that a grant which is found elsewhere still
//! names one user.
//!
//! # Cost
//!
//! One encapsulation for each member and grant.
//!
//! # Leakage
//!
//! A keyring file holds who is in which team, under its password. Nothing that travels says it.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::keyring::Keyring;
use super::leaving::{Leaving, Renewed};
use super::shares::{GivenScope, Scope, Status, UserName};
use crate::message::place::Node;
use crate::wire::text::{self, Look};
use crate::wire::{self, Buffer, LONGEST_NAME, Reader, Writer};

/// Users who are given the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Team {
    /// What it does; may be empty.
    pub speciality: String,
    /// Who is in it.
    pub members: BTreeSet<UserName>,
    /// What it was given, in the order that it was, and for which readers: those who join are given what is
    /// current of it.
    pub scopes: Vec<GivenScope>,
}

/// All teams of a keyring, by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Teams(BTreeMap<String, Team>);

impl Teams {
    pub(super) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.count(self.0.len());
        for (name, Team { speciality, members, scopes }) in &self.0 {
            writer.text(name).text(speciality).count(members.len());
            members.iter().for_each(|member| {
                writer.raw(member);
            });
            writer.count(scopes.len());
            scopes.iter().for_each(|scope| scope.write(writer));
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut teams = BTreeMap::new();
        for _ in 0..reader.count(32)? {
            let (name, speciality) = (reader.text()?.to_owned(), reader.text()?.to_owned());
            let members = (0..reader.count(32)?).map(|_| reader.array());
            let members = members.collect::<Result<_, wire::Error>>()?;
            let scopes = (0..reader.count(43)?).map(|_| GivenScope::read(reader, 8));
            let scopes = scopes.collect::<Result<_, Error>>()?;
            if teams.insert(name, Team { speciality, members, scopes }).is_some() {
                return Err(reader.fault().into());
            }
        }
        Ok(Self(teams))
    }
}

impl Keyring {
    /// Forms a team, which has no members yet and was given nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Team`] if it cannot be called so, or its speciality cannot, or there is one that looks like it.
    pub fn form_team(&mut self, name: &str, speciality: &str) -> Result<(), Error> {
        let spelt = spelt(name)?;
        let speciality = match speciality {
            "" => String::new(),
            typed if typed.len() > LONGEST_NAME => {
                return Err(no_team(typed, "it has over 255 bytes"));
            }
            typed if text::hides(typed) || typed.contains(char::is_control) => {
                return Err(no_team(typed, "it holds what cannot be seen"));
            }
            typed => typed.to_owned(),
        };
        let look = Look::of(&spelt);
        if self.teams.0.keys().any(|known| *known == spelt || Look::of(known).is_like(&look)) {
            return Err(no_team(name, "there is one that is called so, or looks like it"));
        }
        self.teams.0.insert(spelt, Team { speciality, ..Team::default() });
        Ok(())
    }

    /// The teams of this keyring, by name.
    pub fn teams(&self) -> impl Iterator<Item = (&str, &Team)> {
        self.teams.0.iter().map(|(name, team)| (name.as_str(), team))
    }

    /// Adds a user to a team, and returns what it is given: all that the team has, as far as it is current and has
    /// not ended at a time in seconds since 1970. A member is given that again.
    ///
    /// # Errors
    ///
    /// [`Error::NoTeam`], those of a grant; nothing is changed then.
    pub(crate) fn join_team(
        &mut self,
        name: &str,
        (user, public): (UserName, &[u8]),
        now: u64,
    ) -> Result<Renewed, Error> {
        self.check_active(&user)?;
        let (name, team) = self.team(name)?;
        let good = |given: &&GivenScope| given.scope.end >= now && self.is_current(given);
        let scopes: Vec<Scope> =
            team.scopes.iter().filter(good).map(|given| given.scope.clone()).collect();
        let given = scopes.iter().map(|scope| self.given(&user, scope));
        let given = given.collect::<Result<_, Error>>()?;
        for scope in scopes {
            self.note_share(user, public, scope, Some(&name))?;
        }
        self.shares.0.entry(user).or_default().public = public.to_vec();
        if let Some(team) = self.teams.0.get_mut(&name) {
            team.members.insert(user);
        }
        Ok(Renewed { public: public.to_vec(), given })
    }

    /// Gives a team records: each member that is not suspended is given them now, whoever joins and whoever's
    /// suspension is lifted then.
    ///
    /// # Errors
    ///
    /// [`Error::NoTeam`], those of a grant; nothing is changed then.
    pub fn share_with_team(&mut self, name: &str, scope: Scope) -> Result<Vec<Renewed>, Error> {
        let (name, team) = self.team(name)?;
        // Whether it can be given at all does not depend on there being members.
        self.given(&[0; 32], &scope)?;
        let mut all = Vec::new();
        for user in &team.members {
            let Some(shared) = self.shares.0.get(user) else { continue };
            if shared.status == Status::Active {
                let public = shared.public.clone();
                all.push((*user, Renewed { public, given: vec![self.given(user, &scope)?] }));
            }
        }
        for (user, renewed) in &all {
            self.note_share(*user, &renewed.public, scope.clone(), Some(&name))?;
        }
        let place = self.find(&scope.provider)?;
        let (readers, of) = (self.readers_of(&place), Some(name.clone()));
        if let Some(team) = self.teams.0.get_mut(&name) {
            team.scopes.retain(|known| known.scope != scope);
            let given = GivenScope { scope, place, readers, left: None, team: of, is_held: false };
            team.scopes.push(given);
        }
        Ok(all.into_iter().map(|(_, renewed)| renewed).collect())
    }

    /// Removes a user from a team, and takes back what it was given as a member of it; what it was given
    /// otherwise it is given anew, as everybody is who stays.
    ///
    /// # Errors
    ///
    /// [`Error::NoTeam`], [`Error::NoMember`], those of [`unshare`](Self::unshare).
    pub fn leave_team(
        &mut self,
        name: &str,
        user: &UserName,
        now: u64,
    ) -> Result<Vec<Renewed>, Error> {
        let name = text::name(name).map_err(|_| no_such(name))?;
        let by_it = |who: &UserName, of: &Option<String>| who == user && of.as_ref() == Some(&name);
        let shared = self.shares.0.get(user);
        let was_member = shared.is_some_and(|of| of.scopes.iter().any(|of| by_it(user, &of.team)));
        let team = self.teams.0.get(&name);
        if team.is_none() && !was_member {
            return Err(no_such(&name));
        }
        if !was_member && team.is_some_and(|team| !team.members.contains(user)) {
            return Err(Error::NoMember { name });
        }
        let leaving = Leaving { scope: &|who, given| by_it(who, &given.team), rights: None };
        let renewed = self.take_back(&leaving, now)?;
        self.end_membership(&name, |member| member == user);
        Ok(renewed)
    }

    /// Disbands a team: takes back what its members were given as such. Given again it serves again who stays.
    ///
    /// # Errors
    ///
    /// [`Error::NoTeam`], those of [`unshare`](Self::unshare).
    pub fn disband_team(&mut self, name: &str, now: u64) -> Result<Vec<Renewed>, Error> {
        let name = text::name(name).map_err(|_| no_such(name))?;
        let by_it = |given: &GivenScope| given.team.as_ref() == Some(&name);
        let was_there = self.shares.0.values().any(|shared| shared.scopes.iter().any(by_it));
        if !was_there && !self.teams.0.contains_key(&name) {
            return Err(no_such(&name));
        }
        let leaving = Leaving { scope: &|_, given| by_it(given), rights: None };
        let renewed = self.take_back(&leaving, now)?;
        self.end_membership(&name, |_| true);
        self.teams.0.remove(&name);
        Ok(renewed)
    }

    /// What the teams of a user were given, and is current.
    pub(super) fn current_of_teams(&self, user: &UserName) -> Vec<GivenScope> {
        let of = self.teams.0.values().filter(|team| team.members.contains(user));
        of.flat_map(|team| &team.scopes).filter(|given| self.is_current(given)).cloned().collect()
    }

    /// Which scopes of teams are current, and of these authorities' readers.
    pub(super) fn scopes_staying_in_teams(
        &self,
        authorities: &BTreeSet<Node>,
    ) -> Vec<(String, usize)> {
        let mut staying = Vec::new();
        for (name, team) in &self.teams.0 {
            for (at, given) in team.scopes.iter().enumerate() {
                let is_there =
                    self.authority_of(&given.place).is_ok_and(|of| authorities.contains(&of));
                if is_there && self.is_current(given) {
                    staying.push((name.clone(), at));
                }
            }
        }
        staying
    }

    /// Notes that scopes of teams are given for the readers of now, too.
    pub(super) fn extend_teams(&mut self, staying: &[(String, usize)]) {
        for (name, at) in staying {
            let given = self.teams.0.get(name).and_then(|team| team.scopes.get(*at));
            let Some(readers) = given.map(|given| self.readers_of(&given.place)) else { continue };
            let given = self.teams.0.get_mut(name).and_then(|team| team.scopes.get_mut(*at));
            if let Some(given) = given {
                given.readers.extend(readers);
                given.readers.sort_unstable();
                given.readers.dedup();
            }
        }
    }

    pub(super) fn leave_all_teams(&mut self, user: &UserName) {
        self.teams.0.values_mut().for_each(|team| {
            team.members.remove(user);
        });
    }

    /// Ends who is a member of a team, and forgets what a suspension would give back by it.
    fn end_membership(&mut self, name: &str, is_leaving: impl Fn(&UserName) -> bool) {
        for (user, shared) in self.shares.0.iter_mut().filter(|(user, _)| is_leaving(user)) {
            if let Some(team) = self.teams.0.get_mut(name) {
                team.members.remove(user);
            }
            let of_it = shared.scopes.iter_mut();
            of_it.filter(|given| given.team.as_deref() == Some(name)).for_each(|given| {
                given.is_held = false;
            });
        }
    }

    fn team(&self, name: &str) -> Result<(String, &Team), Error> {
        let spelt = text::name(name).map_err(|_| no_such(name))?;
        let team = self.teams.0.get(&spelt).ok_or_else(|| no_such(name))?;
        Ok((spelt, team))
    }
}

fn no_such(name: &str) -> Error {
    Error::NoTeam { name: name.to_owned() }
}

/// The one spelling of a name.
fn spelt(typed: &str) -> Result<String, Error> {
    let spelt = text::name(typed).map_err(|why| no_team(typed, why))?;
    match spelt.len() {
        1..=LONGEST_NAME => Ok(spelt),
        _ => Err(no_team(typed, "a name has 1 to 255 bytes")),
    }
}

fn no_team(typed: &str, why: &'static str) -> Error {
    Error::Team { name: typed.to_owned(), why }
}
