//! Authorising, revoking, announcing, catching up: what a node does for those below it, and knows of them.

use std::collections::HashMap;
use std::sync::Arc;

use super::Error;
use super::keyring::{Derived, Earlier, Keyring, Seed, Standing, ruler_key, sign, signing_key};
use super::keywords::Uses;
use super::ledger::Ledger;
use super::proving::Seals;
use super::requests::Requests;
use super::shares::Shares;
use super::teams::Teams;
use crate::keys::{Key, Purpose};
use crate::lock::Lock;
use crate::message::announcement::{self, Announced, Announcement, Known};
use crate::message::certificate::{Certificate, Chain};
use crate::message::place::{Epoch, Group, Node, spelt, spelt_path};
use crate::message::{self, envelope};
use crate::wire::Kind;
use crate::wire::text::Look;

impl Keyring {
    /// Authorises a provider below an authorised one (or directly below, with an empty path), and
    /// returns its keyring. Who is authorised already gets the same keys again, and whoever was in an
    /// earlier epoch those of that one too.
    ///
    /// # Errors
    ///
    /// [`message::Error::Name`] if there can be no such name, [`Error::UnknownProvider`] if the place above
    /// was not authorised, [`Error::LookAlike`] if the name looks like another one there.
    pub fn authorize(&mut self, name: &str, under: &[&str]) -> Result<Self, Error> {
        let authority = self.member(under)?;
        let node = authority.child(&spelt(name)?, self.below.epoch(&authority))?;
        self.check_look(&node)?;
        let keyring = self.keyring_of(&node)?;
        self.below.add(&node);
        Ok(keyring)
    }

    /// Refuses a place whose name looks like that of another member of its group.
    fn check_look(&self, node: &Node) -> Result<(), Error> {
        let Some((authority, name)) = node.parent() else { return Ok(()) };
        if self.below.has(node) {
            return Ok(());
        }
        let Some(group) = self.below.of(&authority) else { return Ok(()) };
        if node.epochs().last() != Some(&group.epoch()) {
            return Ok(());
        }
        let look = Look::of(name);
        let mut kept = self.derived.looks.write().ok();
        let mut anew = HashMap::new(); // where a fork has left the lock behind
        let looks = kept.as_deref_mut().unwrap_or(&mut anew);
        for known in group.current() {
            let is_like = match looks.get(known) {
                Some(known) => known.is_like(&look),
                None => looks.entry(known.to_owned()).or_insert(Look::of(known)).is_like(&look),
            };
            // The same name in a spelling from before there was one is no other.
            if is_like && spelt(known).as_deref() != Ok(name) {
                return Err(Error::LookAlike { name: name.to_owned(), known: known.to_owned() });
            }
        }
        Ok(())
    }

    /// The keyring of a node below this one.
    pub(super) fn keyring_of(&self, node: &Node) -> Result<Self, Error> {
        let (authority, _) = node.parent().ok_or_else(|| self.out_of_reach(node.to_string()))?;
        let is_earlier = |other: &Node| other.names() == node.names() && other != node;
        let places: Vec<Node> = self.below.ever().into_iter().filter(is_earlier).collect();
        let mut earlier = Vec::with_capacity(places.len()); // a list that grows leaves copies of its keys
        for node in places {
            let (key, rulers) = (self.key_of(&node)?, self.rulers_of(&node)?);
            earlier.push(Earlier { node, key, rulers });
        }
        let places: Vec<&Node> =
            std::iter::once(node).chain(earlier.iter().map(|earlier| &earlier.node)).collect();
        let below = self.below.from(&places);
        let standing = Standing {
            stamp: self.below.stamp(&authority),
            readers: self.below.readers(&authority),
        };
        Ok(Self {
            owner: self.owner,
            schema: self.schema.clone(),
            node: node.clone(),
            key: self.key_of(node)?,
            rulers: self.rulers_of(node)?,
            chain: self.chain_of(node)?,
            standing,
            earlier,
            below,
            counts: Uses::new(),
            derived: Derived::default(),
            portions: self.portions.clone(),
            derivations: self.derivations.clone(),
            proven: self.proven.clone(),
            ledger: Lock::new(Some(Ledger::default())),
            seals: Seals::default(),
            shares: Shares::default(),
            teams: Teams::default(),
            requests: Requests::default(),
            seed: self.seed.as_ref().map(|seed: &Seed| seed.of(node)).transpose()?,
        })
    }

    /// The ruler keys of the group of a node below this one.
    fn rulers_of(&self, node: &Node) -> Result<Vec<Key>, Error> {
        let Some(Group { authority, epoch }) = Group::of(node) else { return Ok(Vec::new()) };
        let key = self.key_of(&authority)?;
        let fields = 0..self.schema.fields().len();
        Ok(fields.map(|field| ruler_key(&key, &self.schema, field, epoch)).collect())
    }

    /// The key of a node at or below this one, or below one of its earlier places.
    pub(super) fn key_of(&self, node: &Node) -> Result<Key, Error> {
        let own = std::iter::once((&self.node, &self.key));
        let mut held = own.chain(self.earlier.iter().map(|earlier| (&earlier.node, &earlier.key)));
        let Some((place, key)) = held.find(|(place, _)| place.holds(node)) else {
            return Err(self.out_of_reach(node.to_string()));
        };
        let from = place.names().len();
        let steps = node.names()[from..].iter().zip(&node.epochs()[from..]);
        Ok(steps.fold(key.clone(), |key, (name, epoch)| {
            key.child_in(Purpose::Node, name.as_bytes(), epoch.number, epoch.salt())
        }))
    }

    /// The certificates of a node below this one.
    pub(super) fn chain_of(&self, node: &Node) -> Result<Chain, Error> {
        let mut chain = self.chain.clone();
        let mut above = self.node.clone();
        let from = self.node.names().len();
        for (name, &epoch) in node.names()[from..].iter().zip(&node.epochs()[from..]) {
            let signer = signing_key(&self.key_of(&above)?);
            let subject = above.child_as_spelt(name, epoch)?;
            let key = signing_key(&self.key_of(&subject)?).verifying_key().to_bytes();
            let stamp = self.below.stamp(&above);
            let message = Certificate::message(&self.owner, &subject, &key, Some(&stamp));
            let (signature, stamp) = (sign(&signer, &message), Some(stamp));
            chain.0.push(Certificate { subject: subject.clone(), key, stamp, signature });
            above = subject;
        }
        Ok(chain)
    }

    /// Removes a provider and everyone below it, and begins the next epoch of its authority.
    ///
    /// Its siblings stay members, but their old keys are of the old epoch: they must be authorised
    /// again to get new ones. What was uploaded before stays readable to who could read it. Clouds know
    /// of it once they have taken the next [`announcements`](Self::announcements).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProvider`] if there is no such provider, [`Error::LastEpoch`],
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn revoke(&mut self, path: &[&str]) -> Result<(), Error> {
        let removed = self.member(path)?;
        let Some((authority, name)) = removed.parent().filter(|_| removed != self.node) else {
            return Err(Error::UnknownProvider { provider: String::new() });
        };
        let salt = self.random(b"epoch")?;
        self.below.advance(&authority, name, salt)
    }

    /// Begins the next readers' epoch of the providers right below a node: whoever was granted anything
    /// opens nothing that they seal from then on.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProvider`] if there is no such node, [`Error::LastEpoch`],
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn renew_readers(&mut self, path: &[&str]) -> Result<(), Error> {
        let authority = self.member(path)?;
        let salt = self.random(b"readers")?;
        self.below.advance_readers(&authority, salt)
    }

    /// What a cloud enrols: the newest announcement of this node and of each authority below it, signed.
    /// What has changed since the last time is announced anew.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`] if this is a provider that has nobody below it.
    pub fn announcements(&mut self) -> Result<Vec<u8>, Error> {
        let mut authorities = self.below.authorities(&self.node);
        if self.node == Node::root() && !authorities.contains(&self.node) {
            authorities.insert(0, self.node.clone());
        }
        if authorities.is_empty() {
            return Err(self.out_of_reach("announce anything: nobody is below it".to_owned()));
        }
        let mut messages = Vec::with_capacity(authorities.len());
        for authority in authorities {
            let known = self.below.0.entry(authority.clone()).or_default();
            if !known.is_announced() {
                let mut trail = Vec::new();
                if let Some(last) = &known.last {
                    trail.clone_from(&last.trail);
                    trail.push(last.stamp().digest);
                }
                known.last = Some(Known::new(Announcement {
                    owner: self.owner,
                    authority,
                    schema: self.schema.digest(),
                    trail,
                    epochs: known.epochs.clone(),
                    readers: known.readers.clone(),
                    members: known.members.clone(),
                    signer: self.chain.clone(),
                }));
            }
            let signer = self.chain.clone();
            let last = known.last.as_deref().cloned();
            messages.extend(last.map(|last| Announcement { signer, ..last }.message()));
        }
        let messages: Vec<_> = messages.into_iter().map(|message| self.signed(message)).collect();
        Ok(announcement::join(&self.owner, &messages))
    }

    /// Takes over from a cloud what was announced and this keyring has missed, as after a restore from a
    /// backup; says whether anything was. What it had begun and another copy was faster with is undone,
    /// and has to be done again.
    ///
    /// A cloud that holds back the newest announcements is not noticed.
    ///
    /// # Errors
    ///
    /// Those of [`announcement::split`] and [`Announced::shown`], [`message::Error::OtherOwner`],
    /// [`message::Error::Epoch`] if this provider's own group has left its epoch: it must be authorised
    /// again. Nothing is changed then.
    pub fn catch_up(&mut self, announcements: &[u8]) -> Result<bool, Error> {
        if announcement::owner_of(announcements)? != self.owner {
            return Err(message::Error::OtherOwner { what: Kind::Announcements.name() }.into());
        }
        let all = announcement::split(announcements)?.into_iter();
        let all: Vec<_> = all.map(|(announcement, _)| Arc::new(announcement)).collect();
        let announced = Announced::shown(&all)?;
        announced.accepts(&self.node)?;
        let mut is_changed = false;
        for announcement in announced.iter() {
            if self.places().any(|place| place.holds(&announcement.authority))
                || self.node.holds(&announcement.authority)
            {
                is_changed |= self.below.learn(announcement);
            }
            let is_own = Group::of(&self.node)
                .is_some_and(|Group { authority, .. }| authority == announcement.authority);
            let stamp = self.standing.stamp;
            if is_own && stamp != announcement.stamp() && stamp.number <= announcement.number() {
                let readers = announcement.readers.clone();
                self.standing = Standing { stamp: announcement.stamp(), readers };
                is_changed = true;
            }
        }
        Ok(is_changed)
    }

    /// Everyone known to be authorised below it.
    #[must_use]
    pub fn members(&self) -> Vec<Node> {
        self.below.members(&self.node)
    }

    /// The groups below it, in every epoch: whom a query over its subtree needs a token for.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        self.below.groups().into_iter().collect()
    }

    /// The known member with a path.
    pub(super) fn member(&self, path: &[&str]) -> Result<Node, Error> {
        let mut node = self.node.clone();
        for name in path {
            let epoch = self.below.epoch(&node);
            // Who was authorised before names had one spelling is found as it was spelt.
            let old = node.child_as_spelt(name, epoch);
            node = match old {
                Ok(old) if self.below.has(&old) => old,
                _ => node.child(&spelt(name)?, epoch)?,
            };
            if !self.below.has(&node) {
                return Err(Error::UnknownProvider { provider: node.path() });
            }
        }
        Ok(node)
    }

    /// The known member, or this node itself, with a path below the owner.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProvider`] if there is none.
    pub fn find(&self, path: &str) -> Result<Node, Error> {
        let own = self.node.names();
        let names: Vec<&str> = path.split('/').collect();
        let is_named =
            |(own, typed): (&String, &&str)| own == typed || spelt(typed).as_ref() == Ok(own);
        let is_within = own.iter().zip(&names).all(is_named) && names.len() >= own.len();
        if !is_within {
            return Err(Error::UnknownProvider { provider: path.escape_default().to_string() });
        }
        self.member(&names[own.len()..])
    }

    /// The places that the provider with a path has had, the present one first, if there is any.
    pub(super) fn places_of(&self, path: &str) -> Vec<Node> {
        let (own, ever) = (self.places().cloned(), self.below.ever().into_iter());
        // Who was authorised before names had one spelling is found as it was spelt.
        let spelt = spelt_path(path).unwrap_or_default();
        let is_it = |node: &Node| [path, spelt.as_str()].contains(&node.path().as_str());
        let mut places: Vec<Node> = own.chain(ever).filter(is_it).collect();
        places.sort_by(|a, b| b.epochs().cmp(a.epochs()));
        places.dedup();
        places
    }

    /// The readers' epochs of a provider at or below this node.
    pub(super) fn readers_of(&self, provider: &Node) -> Vec<Epoch> {
        match Group::of(provider) {
            Some(Group { authority, .. }) if *provider != self.node => {
                self.below.readers(&authority)
            }
            _ => self.standing.readers.clone(),
        }
    }

    /// This provider and everyone that ever was below it.
    pub(super) fn reached(&self) -> Vec<Node> {
        self.places().cloned().chain(self.below.ever()).collect()
    }

    /// Learns of a provider below this one from its certificates, so that queries reach its group.
    ///
    /// Certificates of a later epoch than is known tell that an authority below has removed someone.
    /// That authority's other members are then known again when they are learned or authorised anew.
    ///
    /// # Errors
    ///
    /// Those of [`Chain::decode`], [`message::Error::OtherOwner`] if they are of another owner, [`message::Error::Scope`] if
    /// the provider is not below this one, [`message::Error::Epoch`] if it is of an epoch that is none of
    /// its authority's, [`Error::LookAlike`] if its name looks like another one there.
    pub fn learn(&mut self, certificates: &[u8]) -> Result<(), Error> {
        let (_, owner) = envelope::open(certificates, Kind::Chain)?;
        if owner != self.owner {
            return Err(message::Error::OtherOwner { what: Kind::Chain.name() }.into());
        }
        let (_, chain) = Chain::decode(certificates)?;
        let subject = chain.subject();
        if subject == self.node || !self.node.holds(&subject) {
            return Err(self.out_of_reach(subject.to_string()));
        }
        for Certificate { subject, .. } in &chain.0[self.node.names().len()..] {
            self.check_look(subject)?;
        }
        let mut below = self.below.clone();
        for Certificate { subject, .. } in &chain.0[self.node.names().len()..] {
            below.meet(subject)?;
        }
        self.below = below;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
