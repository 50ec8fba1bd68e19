//! What a keyring knows of the hierarchy from its node on, all of it public: who is authorised, which
//! groups there are, and which epochs they have reached.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::keyring::Keyring;
use crate::message;
use crate::message::certificate::{Certificate, Chain};
use crate::message::place::{Group, Node};

/// What is known of the hierarchy from a node on; all of it public.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Below {
    /// Who is authorised.
    pub(super) members: BTreeSet<Node>,
    /// Nodes that have left epoch 0.
    pub(super) epochs: BTreeMap<Node, u32>,
    /// Groups that ever were, in every epoch.
    pub(super) groups: BTreeSet<Group>,
    /// Members that ever were, in every epoch.
    pub(super) ever: BTreeSet<Node>,
    /// How often something was revoked.
    pub(super) revocations: u64,
}

impl Below {
    pub(super) fn epoch(&self, node: &Node) -> u32 {
        self.epochs.get(node).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, node: &Node) {
        self.groups.extend(Group::of(node));
        self.ever.insert(node.clone());
        self.members.insert(node.clone());
    }

    /// Brings a node to a later epoch; returns the members it leaves behind.
    ///
    /// # Errors
    ///
    /// [`Error::Revocations`] if they can no longer be counted; nothing is changed then.
    pub(super) fn advance(
        &mut self,
        authority: &Node,
        epoch: u32,
    ) -> Result<BTreeSet<Node>, Error> {
        let got = self.revocations;
        let revocations = got.checked_add(1).ok_or(Error::Revocations { got })?;
        let depth = authority.names().len();
        let (left, kept) = std::mem::take(&mut self.members).into_iter().partition(|member| {
            authority.holds(member) && member.epochs().get(depth).is_some_and(|&old| old < epoch)
        });
        self.members = kept;
        self.epochs.insert(authority.clone(), epoch);
        self.revocations = revocations;
        Ok(left)
    }

    /// The part that concerns a node and what is below it.
    pub(super) fn from(&self, node: &Node) -> Self {
        Self {
            members: self.members.iter().filter(|m| *m != node && node.holds(m)).cloned().collect(),
            epochs: self
                .epochs
                .iter()
                .filter(|(n, _)| node.holds(n))
                .map(|(n, e)| (n.clone(), *e))
                .collect(),
            groups: self.groups.iter().filter(|g| node.holds(&g.authority)).cloned().collect(),
            ever: self.ever.iter().filter(|m| *m != node && node.holds(m)).cloned().collect(),
            revocations: self.revocations,
        }
    }
}

impl Keyring {
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
        let (owner, chain) = Chain::decode(certificates)?;
        if owner != self.owner {
            return Err(message::Error::OtherOwner { what: "the certificate chain" }.into());
        }
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
