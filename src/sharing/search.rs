//! Users who ask by themselves: queries under a right to search.

use zeroize::Zeroizing;

use super::Error;
use super::user::User;
use crate::message;
use crate::message::certificate::Owner;
use crate::party;
use crate::party::asking::Range;
use crate::party::rights::{OpenRange, SearchRight};
use crate::wire::Kind;

/// A right to search, as it came and as it was read.
pub(super) struct Held {
    pub(super) given: Zeroizing<Vec<u8>>,
    right: SearchRight,
}

impl User {
    /// Keeps a right that was opened, unless the same one is known as it was made later; says which it is.
    pub(super) fn keep_right(
        &mut self,
        given: Zeroizing<Vec<u8>>,
        now: u64,
    ) -> Result<(Owner, u128), Error> {
        let (name, verification) = (self.public().name(), *self.public().verification());
        let right = SearchRight::decode(&given, &name, &verification)?;
        if now > right.right.end {
            return Err(message::Error::Expired { what: Kind::Right.name() }.into());
        }
        let place = (right.head.owner, right.right.id);
        // Of two that were made in one second the one stays that shows that the other has ended.
        let is_newer = |held: &Held| {
            let made = held.right.right.made;
            made < right.right.made || made == right.right.made && !held.right.ends(&right)
        };
        if self.rights.get(&place).is_none_or(is_newer) {
            self.rights.insert(place, Held { given, right });
        }
        Ok(place)
    }

    /// What it may search, those that have ended too.
    pub fn rights(&self) -> impl Iterator<Item = &SearchRight> {
        self.rights.values().map(|held| &held.right)
    }

    /// Whether a right may be asked under, at a time in seconds since 1970: it has not ended by then, and no other
    /// one shows that it has. Whether a cloud takes it only a cloud knows.
    #[must_use]
    pub fn is_current(&self, right: &SearchRight, now: u64) -> bool {
        now <= right.right.end && !self.rights().any(|other| other.ends(right))
    }

    /// A right of an owner by its number, also one that has ended.
    #[must_use]
    pub fn right(&self, owner: Owner, number: u128) -> Option<&SearchRight> {
        self.rights.get(&(owner, number)).map(|held| &held.right)
    }

    /// Asks an owner's cloud for some ranges, at a time in seconds since 1970, under the right with a number,
    /// or the one that is good for them; returns every range that must hold. No ranges make a query that
    /// nothing answers.
    ///
    /// # Errors
    ///
    /// [`party::Error::NoRight`] if there is none, or it has ended; [`party::Error::WhichRight`] if several
    /// are good for these ranges, those of [`SearchRight::narrowed`] if none is.
    pub fn query(
        &self,
        owner: Owner,
        number: Option<u128>,
        asked: &[OpenRange],
        expiry: u64,
        now: u64,
    ) -> Result<(Vec<u8>, Vec<Range>), Error> {
        let rights = self.rights().filter(|held| {
            let is_named = number.is_none_or(|number| held.right.id == number);
            held.head.owner == owner && is_named && self.is_current(held, now)
        });
        let (mut good, mut why) = (Vec::new(), party::Error::NoRight);
        for right in rights {
            match right.narrowed(asked) {
                Ok(_) => good.push(right),
                Err(error) => why = error,
            }
        }
        let right = match good[..] {
            [right] => right,
            [] => return Err(why.into()),
            _ => return Err(party::Error::WhichRight { got: good.len() }.into()),
        };
        let (message, ranges) = right.query(asked, expiry)?;
        Ok((self.signed(Zeroizing::new(message)).to_vec(), ranges))
    }
}
