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
use super::shares::{Scope, Status, UserName};
use crate::wire::text::{self, Look};
use crate::wire::{self, Buffer, LONGEST_NAME, Reader, Writer};

/// Users who are given the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Team {
    /// What it does; may be empty.
    pub speciality: String,
    /// Who is in it.
    pub members: BTreeSet<UserName>,
    /// What it was given, in the order that it was.
    pub scopes: Vec<Scope>,
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
            let scopes = (0..reader.count(18)?).map(|_| Scope::read(reader));
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
            typed => self::spelt(typed)?,
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

    /// Adds a user to a team, and returns what it is given: all that the team has, as far as it has not ended
    /// at a time in seconds since 1970 and its provider is still there. A member is given that again.
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
        let good = |scope: &&Scope| scope.end >= now && self.find(&scope.provider).is_ok();
        let scopes: Vec<Scope> = team.scopes.iter().filter(good).cloned().collect();
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
        if let Some(team) = self.teams.0.get_mut(&name) {
            team.scopes.retain(|known| *known != scope);
            team.scopes.push(scope);
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
        let (name, team) = self.team(name)?;
        let by_it = |who: &UserName, of: &Option<String>| who == user && of.as_ref() == Some(&name);
        let shared = self.shares.0.get(user);
        let was_member = shared.is_some_and(|of| of.scopes.iter().any(|of| by_it(user, &of.team)));
        if !team.members.contains(user) && !was_member {
            return Err(Error::NoMember { name });
        }
        let leaving = Leaving { scope: &|who, given| by_it(who, &given.team), rights: None };
        let renewed = self.take_back(&leaving, now)?;
        self.end_membership(&name, |member| member == user);
        Ok(renewed)
    }

    /// Disbands a team: takes back what its members were given as such.
    ///
    /// # Errors
    ///
    /// [`Error::NoTeam`], those of [`unshare`](Self::unshare).
    pub fn disband_team(&mut self, name: &str, now: u64) -> Result<Vec<Renewed>, Error> {
        let (name, _) = self.team(name)?;
        let by_it =
            |_: &UserName, given: &super::shares::GivenScope| given.team.as_ref() == Some(&name);
        let renewed = self.take_back(&Leaving { scope: &by_it, rights: None }, now)?;
        self.end_membership(&name, |_| true);
        self.teams.0.remove(&name);
        Ok(renewed)
    }

    /// What the teams of a user were given.
    pub(super) fn scopes_of_teams(&self, user: &UserName) -> Vec<(String, Scope)> {
        let of = self.teams.0.iter().filter(|(_, team)| team.members.contains(user));
        let all = of
            .flat_map(|(name, team)| team.scopes.iter().map(|scope| (name.clone(), scope.clone())));
        all.collect()
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
        let unknown = || Error::NoTeam { name: shown(name) };
        let spelt = text::name(name).map_err(|_| unknown())?;
        let team = self.teams.0.get(&spelt).ok_or_else(unknown)?;
        Ok((spelt, team))
    }
}

/// The one spelling of a name or a speciality.
fn spelt(typed: &str) -> Result<String, Error> {
    let spelt = text::name(typed).map_err(|why| no_team(typed, why))?;
    match spelt.len() {
        1..=LONGEST_NAME => Ok(spelt),
        _ => Err(no_team(typed, "a name has 1 to 255 bytes")),
    }
}

fn no_team(typed: &str, why: &'static str) -> Error {
    Error::Team { name: shown(typed), why }
}

/// What somebody typed, in one short line.
fn shown(typed: &str) -> String {
    typed.chars().take(64).collect::<String>().escape_default().to_string()
}
