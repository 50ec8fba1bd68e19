//! Authorising, revoking, learning: what a node does for those below it, and knows of them.

use super::Error;
use super::hierarchy::Below;
use super::keyring::{Derived, Keyring, ruler_key, sign, signing_key};
use super::keywords::Uses;
use crate::keys::{Key, Purpose};
use crate::message::announcement::Announcement;
use crate::message::certificate::{Certificate, Chain};
use crate::message::place::{Group, Node};
use crate::message::{self, envelope};
use crate::wire::Kind;

impl Keyring {
    /// Authorises a provider below an authorised one (or directly below, with an empty path), and
    /// returns its keyring. Who is authorised already gets the same keys again.
    ///
    /// # Errors
    ///
    /// [`message::Error::Name`] if there can be no such name, [`Error::UnknownProvider`] if the place above
    /// was not authorised.
    pub fn authorize(&mut self, name: &str, under: &[&str]) -> Result<Self, Error> {
        let authority = self.member(under)?;
        let node = authority.child(name, self.below.epoch(&authority))?;
        let keyring = self.keyring_of(&node)?;
        self.below.add(&node);
        Ok(Self { below: self.below.from(&node), ..keyring })
    }

    /// The keyring of a node below this one.
    pub(super) fn keyring_of(&self, node: &Node) -> Result<Self, Error> {
        let (authority, _) = node.parent().ok_or_else(|| self.out_of_reach(node.to_string()))?;
        let epoch = node.epochs().last().copied().unwrap_or(0);
        let authority_key = self.key_of(&authority)?;
        let rulers = (0..self.schema.fields().len())
            .map(|field| ruler_key(&authority_key, &self.schema, field, epoch));
        Ok(Self {
            owner: self.owner,
            schema: self.schema.clone(),
            node: node.clone(),
            key: self.key_of(node)?,
            rulers: rulers.collect(),
            chain: self.chain_of(node)?,
            below: Below::default(),
            counts: Uses::new(),
            derived: Derived::default(),
        })
    }

    /// The key of a node at or below this one.
    pub(super) fn key_of(&self, node: &Node) -> Result<Key, Error> {
        if !self.node.holds(node) {
            return Err(self.out_of_reach(node.to_string()));
        }
        let from = self.node.names().len();
        let steps = node.names()[from..].iter().zip(&node.epochs()[from..]);
        Ok(steps.fold(self.key.clone(), |key, (name, &epoch)| {
            key.child(Purpose::Node, name.as_bytes(), epoch)
        }))
    }

    /// The certificates of a node below this one.
    pub(super) fn chain_of(&self, node: &Node) -> Result<Chain, Error> {
        let mut chain = self.chain.clone();
        let mut above = self.node.clone();
        let from = self.node.names().len();
        for (name, &epoch) in node.names()[from..].iter().zip(&node.epochs()[from..]) {
            let signer = signing_key(&self.key_of(&above)?);
            let subject = above.child(name, epoch)?;
            let key = signing_key(&self.key_of(&subject)?).verifying_key().to_bytes();
            let message = Certificate::message(&self.owner, &subject, &key);
            let signature = sign(&signer, &message);
            chain.0.push(Certificate { subject: subject.clone(), key, signature });
            above = subject;
        }
        Ok(chain)
    }

    /// Removes a provider and everyone below it, and advances the epoch of its authority.
    ///
    /// Its siblings stay members, but their old keys are of the old epoch: they must be authorised
    /// again to get new ones. What was uploaded before stays readable to who could read it.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProvider`] if there is no such provider.
    pub fn revoke(&mut self, path: &[&str]) -> Result<(), Error> {
        let removed = self.member(path)?;
        let Some((authority, _)) = removed.parent() else {
            return Err(Error::UnknownProvider { provider: String::new() });
        };
        let epoch = self.below.epoch(&authority);
        let next = epoch.checked_add(1).ok_or(Error::LastEpoch { got: epoch.into() })?;
        let depth = authority.names().len();
        let left = self.below.advance(&authority, next)?;
        for member in left.iter().filter(|member| !removed.holds(member)) {
            let mut node = authority.clone();
            for name in &member.names()[depth..] {
                node = node.child(name, self.below.epoch(&node))?;
            }
            self.below.add(&node);
        }
        Ok(())
    }

    /// What a cloud enrols: the owner's verification key, schema and epochs, signed.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`] if this is not the owner.
    pub fn announcement(&self) -> Result<Vec<u8>, Error> {
        if self.node != Node::root() {
            return Err(self.out_of_reach(Node::root().to_string()));
        }
        let announcement = Announcement {
            owner: self.owner,
            schema: self.schema.digest(),
            number: self.below.revocations,
            epochs: self.below.epochs.clone(),
        };
        Ok(self.signed(announcement.message()))
    }

    /// Everyone known to be authorised below it.
    pub fn members(&self) -> impl Iterator<Item = &Node> {
        self.below.members.iter()
    }

    /// The groups below it, in every epoch: whom a query over its subtree needs a token for.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.below.groups.iter()
    }

    /// The known member with a path.
    pub(super) fn member(&self, path: &[&str]) -> Result<Node, Error> {
        let mut node = self.node.clone();
        for name in path {
            node = node.child(name, self.below.epoch(&node))?;
            if !self.below.members.contains(&node) {
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
        if path == self.node.path() && !own.is_empty() {
            return Ok(self.node.clone());
        }
        let names: Vec<&str> = path.split('/').collect();
        let is_below = names.len() > own.len() && own.iter().zip(&names).all(|(a, b)| a == b);
        if !is_below {
            return Err(Error::UnknownProvider { provider: path.escape_default().to_string() });
        }
        self.member(&names[own.len()..])
    }

    /// This provider and everyone that ever was below it.
    pub(super) fn reached(&self) -> impl Iterator<Item = &Node> {
        let own = (self.node != Node::root()).then_some(&self.node);
        own.into_iter().chain(&self.below.ever)
    }

    /// Learns of a provider below this one from its certificates, so that queries reach its group.
    ///
    /// Certificates of a later epoch than is known tell that an authority below has removed someone.
    /// That authority's other members are then known again when they are learned or authorised anew.
    ///
    /// # Errors
    ///
    /// Those of [`Chain::decode`], [`message::Error::OtherOwner`] if they are of another owner, [`message::Error::Scope`] if
    /// the provider is not below this one.
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
        let mut is_current = true;
        for Certificate { subject, .. } in &chain.0[self.node.names().len()..] {
            let Some(group) = Group::of(subject) else { continue };
            let known = self.below.epoch(&group.authority);
            is_current &= group.epoch >= known;
            if is_current && group.epoch > known {
                self.below.advance(&group.authority, group.epoch)?;
            }
            if is_current {
                self.below.members.insert(subject.clone());
            }
            self.below.groups.insert(group);
            self.below.ever.insert(subject.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Purpose;
    use crate::message::token::{Predicate, Scope, Token};
    use crate::schema::{Field, Kind, Schema};

    fn owner() -> Keyring {
        let age = Field::new(Kind::Number, 0.0, 99.0, 1.0, None).expect("a valid field");
        let schema = Schema::new(vec![("age".to_owned(), age)]).expect("a valid schema");
        Keyring::root(Key::from_bytes(&[7; 32]).expect("32 bytes"), schema)
    }

    /// A token that a dishonest issuer signs with its own key.
    fn token(issuer: &Keyring, group: Group, scope: Scope) -> Token {
        let token = Token {
            owner: issuer.owner(),
            schema: issuer.schema().digest(),
            group,
            scope,
            predicates: vec![Predicate { field: "age".to_owned(), low: 0, high: i64::MAX }],
            expiry: 10,
            id: 1,
            query: 2,
            issuer: issuer.chain().clone(),
        };
        Token::decode(&issuer.signed_together(&[token.message()])[0])
            .expect("it is signed by whom it names")
    }

    #[test]
    fn a_token_signed_for_more_than_the_own_runs_and_the_groups_below_is_refused() {
        let mut owner = owner();
        let hospital = owner.authorize("hospital", &[]).expect("a valid name");
        let ward = owner.authorize("ward", &["hospital"]).expect("a valid name");
        let announcement = owner.announcement().expect("it can be signed");
        let announcement = Announcement::decode(&announcement).expect("it was just made");
        let of_owner = Group { authority: Node::root(), epoch: 0 };
        let of_hospital = Group { authority: hospital.node().clone(), epoch: 0 };
        let of_ward = Group { authority: ward.node().clone(), epoch: 0 };
        let next = Group { authority: Node::root(), epoch: 1 };
        for (issuer, group, scope, may) in [
            (&owner, &of_owner, Scope::Group, true),
            (&owner, &of_ward, Scope::Group, true),
            (&owner, &of_owner, Scope::Own, false),
            (&hospital, &of_hospital, Scope::Group, true),
            (&hospital, &of_ward, Scope::Group, true),
            (&hospital, &of_owner, Scope::Own, true),
            (&hospital, &of_owner, Scope::Group, false),
            (&hospital, &next, Scope::Own, false),
            (&ward, &of_hospital, Scope::Own, true),
            (&ward, &of_hospital, Scope::Group, false),
            (&ward, &of_owner, Scope::Own, false),
            (&ward, &of_owner, Scope::Group, false),
        ] {
            let checked = token(issuer, group.clone(), scope).check(&announcement, 10);
            let refused =
                message::Error::Scope { who: issuer.node().to_string(), what: group.to_string() };
            assert_eq!(checked, if may { Ok(()) } else { Err(refused) }, "{issuer:?} {group}");
        }
    }

    #[test]
    fn who_is_removed_derives_no_key_of_the_next_epoch() {
        let mut owner = owner();
        let stays = owner.authorize("stays", &[]).expect("a valid name");
        let leaves = owner.authorize("leaves", &[]).expect("a valid name");
        owner.revoke(&["leaves"]).expect("it was authorised");
        let renewed = owner.authorize("stays", &[]).expect("a valid name");
        assert_ne!(renewed.key.expose(), stays.key.expose());
        assert_ne!(renewed.rulers[0].expose(), stays.rulers[0].expose());
        assert_eq!(stays.rulers[0].expose(), leaves.rulers[0].expose());
        for keyring in [&leaves, &stays] {
            assert!(keyring.key_of(renewed.node()).is_err());
            for (name, epoch) in [("stays", 0), ("stays", 1), ("", 1)] {
                for held in [&keyring.key, &keyring.rulers[0]] {
                    let derived = held.child(Purpose::Node, name.as_bytes(), epoch);
                    assert_ne!(derived.expose(), renewed.key.expose());
                    let ruler = ruler_key(held, keyring.schema(), 0, epoch);
                    assert_ne!(ruler.expose(), renewed.rulers[0].expose());
                }
            }
        }
    }
}
