//! What a keyring knows of the hierarchy from its node on, all of it public: who is authorised, which
//! groups there are, and which epochs they have reached.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
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
