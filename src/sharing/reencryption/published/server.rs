use std::collections::{BTreeMap, BTreeSet};

use super::{Capsule, Keys, Label, Released, check_name};
use crate::sharing::Error;
use crate::sharing::pairing::G2;
use crate::wire::Kind;

/// Which files a user who joins may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// Those from its joining on: "the date of joining unless specified otherwise" (section 3).
    FromJoining,
    /// Those from before too: what section 4 has for new users, and calls backward access control, a name that
    /// elsewhere means the opposite.
    All,
}

/// What an owner registers with the server: portions, and which of them a role opens by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The portions that there are.
    pub portions: BTreeSet<String>,
    /// Portions by role.
    pub roles: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug)]
struct Owner {
    keys: Keys,
    access: Access,
    /// Portions by user that the owner gave beyond its role's.
    approved: BTreeMap<String, BTreeSet<String>>,
    /// When a file's first capsule came, and all of them by portion.
    files: BTreeMap<String, (u64, BTreeMap<String, Capsule>)>,
}

#[derive(Debug)]
struct User {
    keys: Keys,
    role: String,
    /// The time from which on it opens files.
    since: u64,
}

/// The setup and re-encryption server: it holds the keys of all, and the access list.
#[derive(Debug, Default)]
pub struct Server {
    owners: BTreeMap<String, Owner>,
    users: BTreeMap<String, User>,
}

impl Server {
    /// A server without anybody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many owners and users there are.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.owners.len(), self.users.len())
    }

    /// Registers an owner with its access list; returns its keys, of which the server keeps a copy.
    ///
    /// # Errors
    ///
    /// [`Error::Known`] if the name is taken, [`Error::Unknown`] if a role is given a portion that is none,
    /// [`Error::Name`], [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn enroll(&mut self, name: &str, access: Access) -> Result<Keys, Error> {
        self.check_new(name)?;
        let named = access.portions.iter().chain(access.roles.keys());
        named.into_iter().try_for_each(|name| check_name(name))?;
        for portion in access.roles.values().flatten() {
            check_portion(&access, portion)?;
        }
        let keys = Keys::generate(name)?;
        let (approved, files) = (BTreeMap::new(), BTreeMap::new());
        let owner = Owner { keys: keys.clone(), access, approved, files };
        self.owners.insert(name.to_owned(), owner);
        Ok(keys)
    }

    /// Registers a user at a time; returns its keys, of which the server keeps a copy.
    ///
    /// # Errors
    ///
    /// [`Error::Known`], [`Error::Name`], [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn join(&mut self, name: &str, role: &str, files: Files, now: u64) -> Result<Keys, Error> {
        self.check_new(name)?;
        check_name(role)?;
        let keys = Keys::generate(name)?;
        let since = match files {
            Files::FromJoining => now,
            Files::All => 0,
        };
        let user = User { keys: keys.clone(), role: role.to_owned(), since };
        self.users.insert(name.to_owned(), user);
        Ok(keys)
    }

    fn check_new(&self, name: &str) -> Result<(), Error> {
        if self.owners.contains_key(name) || self.users.contains_key(name) {
            return Err(Error::Known { name: name.to_owned() });
        }
        Ok(())
    }

    /// Gives a user portions beyond its role's, as the owner has approved; family gets all of its portions so.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if there is no such owner, user or portion; nothing is given then.
    pub fn approve(
        &mut self,
        owner: &str,
        user: &str,
        portions: BTreeSet<String>,
    ) -> Result<(), Error> {
        find(&self.users, "user", user)?;
        let of = self.owners.get_mut(owner).ok_or_else(|| unknown("owner", owner))?;
        for portion in &portions {
            check_portion(&of.access, portion)?;
        }
        of.approved.entry(user.to_owned()).or_default().extend(portions);
        Ok(())
    }

    /// Lets a user go: its keys and what it was given are deleted, and nothing is encrypted anew.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`].
    pub fn leave(&mut self, user: &str) -> Result<(), Error> {
        self.users.remove(user).ok_or_else(|| unknown("user", user))?;
        for owner in self.owners.values_mut() {
            owner.approved.remove(user);
        }
        Ok(())
    }

    /// Keeps what an owner has sent of a portion, at a time; a later one takes an earlier one's place.
    ///
    /// # Errors
    ///
    /// [`Error::OtherLabel`] for a capsule of another owner than who sends it, [`Error::Unknown`].
    pub fn receive(&mut self, owner: &str, capsule: Capsule, now: u64) -> Result<(), Error> {
        let of = self.owners.get_mut(owner).ok_or_else(|| unknown("owner", owner))?;
        let Label { owner: named, file, portion } = capsule.label().clone();
        if named != owner {
            return Err(Error::OtherLabel { what: Kind::PublishedCapsule.name() });
        }
        check_portion(&of.access, &portion)?;
        let (_, capsules) = of.files.entry(file).or_insert((now, BTreeMap::new()));
        capsules.insert(portion, capsule);
        Ok(())
    }

    /// The key that turns an owner's capsules into a user's: equation (14).
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`].
    pub fn re_encryption_key(&self, owner: &str, user: &str) -> Result<G2, Error> {
        let (of, user) = (find(&self.owners, "owner", owner)?, find(&self.users, "user", user)?);
        Ok(G2::generator().power(&user.keys.secret().times(&of.keys.secret().inverse())))
    }

    /// Re-encrypts a capsule for a user whom the owner's access list gives the portion: (14) to (18).
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`], [`Error::NotGranted`] if neither role nor approval gives the portion, or the file is from
    /// before the user joined.
    pub fn release(&self, label: &Label, user: &str) -> Result<Released, Error> {
        let (of, who) =
            (find(&self.owners, "owner", &label.owner)?, find(&self.users, "user", user)?);
        check_portion(&of.access, &label.portion)?;
        let (came, capsules) = find(&of.files, "file", &label.file)?;
        let given = [of.access.roles.get(&who.role), of.approved.get(user)];
        let is_given = given.into_iter().flatten().any(|some| some.contains(&label.portion));
        if !is_given || *came < who.since {
            return Err(Error::NotGranted);
        }
        let capsule = find(capsules, "portion of the file", &label.portion)?;
        Ok(capsule.re_encrypted(user, &self.re_encryption_key(&label.owner, user)?))
    }

    /// The keys of an owner or a user, as the server has them.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`].
    pub fn escrow(&self, name: &str) -> Result<&Keys, Error> {
        let of_owner = self.owners.get(name).map(|owner| &owner.keys);
        let keys = of_owner.or_else(|| self.users.get(name).map(|user| &user.keys));
        keys.ok_or_else(|| unknown("owner or user", name))
    }

    /// A capsule as the server keeps it.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`].
    pub fn capsule(&self, label: &Label) -> Result<&Capsule, Error> {
        let of = find(&self.owners, "owner", &label.owner)?;
        let (_, capsules) = find(&of.files, "file", &label.file)?;
        find(capsules, "portion of the file", &label.portion)
    }
}

fn find<'a, T>(
    among: &'a BTreeMap<String, T>,
    what: &'static str,
    name: &str,
) -> Result<&'a T, Error> {
    among.get(name).ok_or_else(|| unknown(what, name))
}

fn check_portion(access: &Access, portion: &str) -> Result<(), Error> {
    if access.portions.contains(portion) { Ok(()) } else { Err(unknown("portion", portion)) }
}

fn unknown(what: &'static str, name: &str) -> Error {
    Error::Unknown { what, name: name.to_owned() }
}
