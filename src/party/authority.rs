//! Authorising, revoking, learning: what a node does for those below it, and knows of them.

use std::sync::PoisonError;

use super::Error;
use super::hierarchy::Below;
use super::keyring::{Derived, Keyring, ruler_key, sign, signing_key};
use super::keywords::Uses;
use crate::keys::{Key, Purpose};
use crate::message::announcement::Announcement;
use crate::message::certificate::{Certificate, Chain};
use crate::message::place::{Group, Node, spelt};
use crate::message::{self, envelope};
use crate::wire::Kind;
use crate::wire::text::Look;

impl Keyring {
    /// Authorises a provider below an authorised one (or directly below, with an empty path), and
    /// returns its keyring. Who is authorised already gets the same keys again.
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
        Ok(Self { below: self.below.from(&node), ..keyring })
    }

    /// Refuses a place whose name looks like that of another member of its group.
    fn check_look(&self, node: &Node) -> Result<(), Error> {
        let Some((authority, name)) = node.parent() else { return Ok(()) };
        if self.below.members.contains(node) {
            return Ok(());
        }
        let depth = authority.names().len();
        let beside = self.below.members.iter().filter(|member| {
            member.names().len() == depth + 1
                && member.epochs() == node.epochs()
                && authority.holds(member)
        });
        let look = Look::of(name);
        let mut looks = self.derived.looks.lock().unwrap_or_else(PoisonError::into_inner);
        for known in beside.map(|member| &member.names()[depth]) {
            let is_like = match looks.get(known) {
                Some(known) => known.is_like(&look),
                None => looks.entry(known.clone()).or_insert(Look::of(known)).is_like(&look),
            };
            // The same name in a spelling from before there was one is no other.
            if is_like && spelt(known).as_deref() != Ok(name) {
                return Err(Error::LookAlike { name: name.to_owned(), known: known.clone() });
            }
        }
        Ok(())
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
            let subject = above.child_as_spelt(name, epoch)?;
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
                node = node.child_as_spelt(name, self.below.epoch(&node))?;
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
            let epoch = self.below.epoch(&node);
            // Who was authorised before names had one spelling is found as it was spelt.
            let old = node.child_as_spelt(name, epoch);
            node = match old {
                Ok(old) if self.below.members.contains(&old) => old,
                _ => node.child(&spelt(name)?, epoch)?,
            };
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
        let names: Vec<&str> = path.split('/').collect();
        let is_named =
            |(own, typed): (&String, &&str)| own == typed || spelt(typed).as_ref() == Ok(own);
        let is_within = own.iter().zip(&names).all(is_named) && names.len() >= own.len();
        if !is_within {
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
    /// the provider is not below this one, [`Error::LookAlike`] if its name looks like another one there.
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

    #[test]
    fn a_path_finds_its_provider_however_it_is_typed() {
        let (composed, apart) = ("Klinik S\u{fc}d", "Klinik Su\u{308}d");
        let mut owner = owner();
        let south = owner.authorize(apart, &[]).expect("a valid name");
        assert_eq!(south.node().path(), composed);
        let again = owner.authorize(composed, &[]).expect("it is the same");
        assert_eq!(again.key.expose(), south.key.expose());
        let mut ward = owner.authorize("\u{e4}", &[apart]).expect("it is found");
        assert_eq!(owner.members().count(), 2);
        for path in [format!("{composed}/\u{e4}"), format!("{apart}/a\u{308}")] {
            assert_eq!(owner.find(&path).as_ref(), Ok(ward.node()));
            assert_eq!(ward.find(&path).as_ref(), Ok(ward.node()));
        }
        let desk = ward.authorize("desk", &[]).expect("a valid name");
        let path = format!("{apart}/a\u{308}/desk");
        assert_eq!(ward.find(&path).as_ref(), Ok(desk.node()));
        assert!(matches!(ward.find(apart), Err(Error::UnknownProvider { .. })));
        owner.revoke(&[apart]).expect("it is found");
        assert_eq!(owner.members().count(), 0);
    }

    #[test]
    fn a_name_that_looks_like_a_siblings_is_refused_and_changes_nothing() {
        let mut owner = owner();
        owner.authorize("clinic", &[]).expect("a valid name");
        let mut hospital = owner.authorize("hospital", &[]).expect("a valid name");
        owner.authorize("Ward 1", &["hospital"]).expect("a valid name");
        let before = owner.encode();
        for (name, known, under) in [
            ("\u{441}linic", "clinic", &[][..]),
            ("Clinic", "clinic", &[]),
            ("\u{ff43}linic", "clinic", &[]),
            ("Ward l", "Ward 1", &["hospital"]),
            ("ward I", "Ward 1", &["hospital"]),
        ] {
            let refused = owner.authorize(name, under).unwrap_err();
            assert_eq!(refused, Error::LookAlike { name: name.into(), known: known.into() });
        }
        let says = Error::LookAlike { name: "\u{441}linic".into(), known: "clinic".into() };
        assert_eq!(
            says.to_string(),
            "the name '\u{441}linic' looks like 'clinic', which is another provider's there: \
             character 0 is U+0441 and not U+0063"
        );
        assert_eq!(*owner.encode(), *before);
        // One that a provider certifies itself is not learned of either.
        let alike = hospital.authorize("Ward l", &[]).expect("it knows of no other");
        assert!(matches!(owner.learn(&alike.certificates()), Err(Error::LookAlike { .. })));
        assert_eq!(*owner.encode(), *before);
        // Elsewhere, again, or after the other left, it is not beside it.
        owner.authorize("\u{441}linic", &["hospital"]).expect("another group");
        owner.authorize("clinic", &[]).expect("the same again");
        owner.revoke(&["clinic"]).expect("it was authorised");
        owner.authorize("Clinic", &[]).expect("the other has left");
    }
}
