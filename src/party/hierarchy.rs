//! What a keyring knows of the hierarchy from its node on, all of it public: who is authorised, which
//! groups there are, and which epochs they have reached.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use crate::message;
use crate::message::announcement::{Announcement, Member};
use crate::message::place::{Epoch, Group, Node, Stamp};
use crate::wire::length;

/// Epochs without salts at most: so often did nobody revoke anybody.
const MOST_WITHOUT_SALTS: u32 = 1 << 16;

/// What is known of a node with others below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    /// All its epochs; the last one is current.
    pub(super) epochs: Vec<Epoch>,
    /// All readers' epochs of its children; the last one is current.
    pub(super) readers: Vec<Epoch>,
    /// Who belongs to it, and in which epochs, by name and first epoch.
    pub(super) members: Vec<Member>,
    /// The last announcement that was made, or learned.
    pub(super) last: Option<Announcement>,
}

impl Default for Authority {
    fn default() -> Self {
        let first = vec![Epoch::default()];
        Self { epochs: first.clone(), readers: first, members: Vec::new(), last: None }
    }
}

impl Authority {
    pub(super) fn epoch(&self) -> Epoch {
        self.epochs.last().copied().unwrap_or_default()
    }

    /// The readers' epoch that its children seal in.
    pub(super) fn reader(&self) -> Epoch {
        self.readers.last().copied().unwrap_or_default()
    }

    /// Number and digest of the last announcement.
    pub(super) fn stamp(&self) -> Stamp {
        self.last.as_ref().map(Announcement::stamp).unwrap_or_default()
    }

    fn position(&self) -> u32 {
        u32::try_from(self.epochs.len() - 1).unwrap_or(u32::MAX)
    }

    /// The names of who belongs to it now.
    pub(super) fn current(&self) -> impl Iterator<Item = &str> {
        self.members.iter().filter(|member| member.last.is_none()).map(|m| m.name.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.current().any(|other| other == name)
    }

    fn add(&mut self, name: &str) {
        if !self.has(name) {
            let member = Member { name: name.to_owned(), first: self.position(), last: None };
            self.members.push(member);
            self.members.sort_unstable();
        }
    }

    /// Whether what it would announce is what it last announced.
    pub(super) fn is_announced(&self) -> bool {
        self.last.as_ref().is_some_and(|last| {
            (&last.epochs, &last.readers, &last.members)
                == (&self.epochs, &self.readers, &self.members)
        })
    }

    /// Takes over what was announced, and keeps who was authorised since, where that is still of use.
    fn learn(&mut self, announcement: &Announcement) {
        let was_announced: BTreeSet<String> =
            self.last.iter().flat_map(|last| &last.members).map(|m| m.name.clone()).collect();
        let since: Vec<String> = self
            .current()
            .filter(|name| self.epoch() == announcement.epoch() && !was_announced.contains(*name))
            .map(str::to_owned)
            .collect();
        let Announcement { epochs, readers, members, .. } = announcement.clone();
        (self.epochs, self.readers, self.members) = (epochs, readers, members);
        self.last = Some(announcement.clone());
        since.iter().for_each(|name| self.add(name));
    }

    /// The places of a member in every epoch that it belonged to.
    fn places<'a>(
        &'a self,
        authority: &'a Node,
        member: &'a Member,
    ) -> impl Iterator<Item = Node> + 'a {
        let last = member.last.unwrap_or(self.position());
        let epochs = (member.first..=last).filter_map(|at| self.epochs.get(length(at.into())));
        epochs.filter_map(|&epoch| authority.child(&member.name, epoch).ok())
    }
}

/// What is known of the hierarchy from a node on; all of it public.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Below(pub(super) BTreeMap<Node, Authority>);

impl Below {
    /// What keyrings held from before there were salts: who is a member and ever was, and which epochs and
    /// groups there are.
    pub(super) fn without_salts(
        members: &[Node],
        ever: &[Node],
        reached: Vec<(Node, u32)>,
        groups: Vec<(Node, u32)>,
    ) -> Result<Self, Error> {
        let mut below = Self::default();
        for (authority, number) in reached.into_iter().chain(groups) {
            below.reach(authority, number)?;
        }
        let places = ever.iter().chain(members);
        let mut first_and_last: BTreeMap<(Node, &str), BTreeSet<u32>> = BTreeMap::new();
        for node in places {
            let Some((authority, name)) = node.parent() else { continue };
            let number = node.epochs().last().map_or(0, |epoch| epoch.number);
            below.reach(authority.clone(), number)?;
            first_and_last.entry((authority, name)).or_default().insert(number);
        }
        for ((authority, name), numbers) in first_and_last {
            let Some(known) = below.0.get_mut(&authority) else { continue };
            let current = known.epoch();
            for &number in &numbers {
                if number > 0 && numbers.contains(&(number - 1)) {
                    continue;
                }
                let end = (number..).find(|next| !numbers.contains(&(next + 1))).unwrap_or(number);
                let is_member = end == current.number
                    && authority.child(name, current).is_ok_and(|node| members.contains(&node));
                let last = (!is_member).then_some(end);
                known.members.push(Member { name: name.to_owned(), first: number, last });
            }
            known.members.sort_unstable();
        }
        Ok(below)
    }

    /// Takes note that a node has reached an epoch without a salt, and so all before it.
    fn reach(&mut self, authority: Node, number: u32) -> Result<(), Error> {
        if number > MOST_WITHOUT_SALTS {
            return Err(Error::LastEpoch { got: number.into() });
        }
        let known = self.0.entry(authority).or_default();
        let next = known.epoch().number + 1;
        known.epochs.extend((next..=number).map(Epoch::from));
        Ok(())
    }

    /// What is known of a node, if anything is.
    pub(super) fn of(&self, authority: &Node) -> Option<&Authority> {
        self.0.get(authority)
    }

    /// A node's own epoch.
    pub(super) fn epoch(&self, node: &Node) -> Epoch {
        self.of(node).map(Authority::epoch).unwrap_or_default()
    }

    pub(super) fn stamp(&self, node: &Node) -> Stamp {
        self.of(node).map(Authority::stamp).unwrap_or_default()
    }

    pub(super) fn readers(&self, node: &Node) -> Vec<Epoch> {
        self.of(node).map_or_else(|| vec![Epoch::default()], |known| known.readers.clone())
    }

    /// Whether a node is a member of its authority, in that one's present epoch.
    pub(super) fn has(&self, node: &Node) -> bool {
        let Some((authority, name)) = node.parent() else { return false };
        self.of(&authority)
            .is_some_and(|known| known.has(name) && node.epochs().last() == Some(&known.epoch()))
    }

    /// Takes note of a member in its authority's present epoch.
    pub(super) fn add(&mut self, node: &Node) {
        if let Some((authority, name)) = node.parent() {
            self.0.entry(authority).or_default().add(name);
        }
    }

    /// Takes note of a member that was certified in some epoch of its authority. A later epoch than is known
    /// tells that somebody was removed; who else is a member is then known again when it is met.
    ///
    /// # Errors
    ///
    /// [`message::Error::Epoch`] if the epoch is none of the authority's.
    pub(super) fn meet(&mut self, subject: &Node) -> Result<(), Error> {
        let Some((authority, name)) = subject.parent() else { return Ok(()) };
        let known = self.0.entry(authority).or_default();
        let epoch = subject.epochs().last().copied().unwrap_or_default();
        if let Some(at) = known.epochs.iter().position(|other| *other == epoch) {
            if at + 1 == known.epochs.len() {
                known.add(name);
            } else {
                let at = u32::try_from(at).unwrap_or(u32::MAX);
                let has = |member: &Member| {
                    let until = member.last.unwrap_or(u32::MAX);
                    member.name == name && (member.first..=until).contains(&at)
                };
                if !known.members.iter().any(has) {
                    let member = Member { name: name.to_owned(), first: at, last: Some(at) };
                    known.members.push(member);
                    known.members.sort_unstable();
                }
            }
            return Ok(());
        }
        if epoch.number <= known.epoch().number {
            return Err(message::Error::Epoch { provider: subject.path() }.into());
        }
        let last = known.position();
        known.members.iter_mut().filter(|member| member.last.is_none()).for_each(|member| {
            member.last = Some(last);
        });
        known.epochs.push(epoch);
        known.add(name);
        Ok(())
    }

    /// Brings a node to its next epoch without one of its members; the others, and all below them, are
    /// members in the new one.
    ///
    /// # Errors
    ///
    /// [`Error::LastEpoch`] if there is none; nothing is changed then.
    pub(super) fn advance(
        &mut self,
        authority: &Node,
        leaver: &str,
        salt: [u8; 16],
    ) -> Result<(), Error> {
        let known = self.0.entry(authority.clone()).or_default();
        let (before, last) = (known.epoch(), known.position());
        let next = next(before, salt)?;
        for member in known.members.iter_mut().filter(|member| member.last.is_none()) {
            if member.name == leaver {
                member.last = Some(last);
            }
        }
        known.epochs.push(next);
        let stayed: Vec<String> = known.current().map(str::to_owned).collect();
        for name in stayed {
            let (old, new) = (authority.child(&name, before)?, authority.child(&name, next)?);
            self.move_on(&old, &new)?;
        }
        Ok(())
    }

    /// Makes members of a node's new place of those who are members of its old one.
    fn move_on(&mut self, old: &Node, new: &Node) -> Result<(), Error> {
        let Some(known) = self.of(old) else { return Ok(()) };
        let (epoch, names) = (known.epoch(), known.current().map(str::to_owned));
        for name in names.collect::<Vec<_>>() {
            let moved = new.child(&name, Epoch::default())?;
            self.add(&moved);
            self.move_on(&old.child(&name, epoch)?, &moved)?;
        }
        Ok(())
    }

    /// Brings what the children of a node seal to its next readers' epoch.
    ///
    /// # Errors
    ///
    /// [`Error::LastEpoch`] if there is none; nothing is changed then.
    pub(super) fn advance_readers(
        &mut self,
        authority: &Node,
        salt: [u8; 16],
    ) -> Result<(), Error> {
        let known = self.0.entry(authority.clone()).or_default();
        let next = next(known.reader(), salt)?;
        known.readers.push(next);
        Ok(())
    }

    /// Takes over an announcement, unless what is known was made after it; says whether it did.
    pub(super) fn learn(&mut self, announcement: &Announcement) -> bool {
        let known = self.0.entry(announcement.authority.clone()).or_default();
        let stamp = announcement.stamp();
        let is_known = known.last.as_ref();
        if is_known.is_some_and(|last| last.stamp() == stamp || last.descends(&stamp)) {
            return false;
        }
        known.learn(announcement);
        true
    }

    /// Everyone below a node now, from the top down.
    pub(super) fn members(&self, node: &Node) -> Vec<Node> {
        let mut members = Vec::new();
        self.collect_members(node, &mut members);
        members.sort_by_key(Node::path);
        members
    }

    fn collect_members(&self, node: &Node, members: &mut Vec<Node>) {
        let Some(known) = self.of(node) else { return };
        for name in known.current() {
            if let Ok(child) = node.child(name, known.epoch()) {
                self.collect_members(&child, members);
                members.push(child);
            }
        }
    }

    /// Who has others below it now, from a node on.
    pub(super) fn authorities(&self, node: &Node) -> Vec<Node> {
        let below = self.members(node).into_iter();
        let known = |node: &Node| self.of(node).is_some_and(|known| !known.members.is_empty());
        std::iter::once(node.clone()).chain(below).filter(known).collect()
    }

    /// The groups that ever were, in every epoch.
    pub(super) fn groups(&self) -> BTreeSet<Group> {
        let mut groups = BTreeSet::new();
        for (authority, known) in self.0.iter().filter(|(_, known)| !known.members.is_empty()) {
            let (last, before) = (known.epoch(), &known.epochs[..known.epochs.len() - 1]);
            let now = known.current().next().map(|_| last);
            let epochs = before.iter().copied().chain(now);
            groups.extend(epochs.map(|epoch| Group { authority: authority.clone(), epoch }));
        }
        groups
    }

    /// Members that ever were, in every epoch.
    pub(super) fn ever(&self) -> BTreeSet<Node> {
        let of = |(authority, known): (&Node, &Authority)| -> Vec<Node> {
            known.members.iter().flat_map(|member| known.places(authority, member)).collect()
        };
        self.0.iter().flat_map(of).collect()
    }

    /// The part that concerns some nodes and what is below them.
    pub(super) fn from(&self, nodes: &[&Node]) -> Self {
        let concerns = |authority: &Node| nodes.iter().any(|node| node.holds(authority));
        let part = self.0.iter().filter(|(authority, _)| concerns(authority));
        Self(part.map(|(authority, known)| (authority.clone(), known.clone())).collect())
    }
}

/// The epoch after one.
fn next(epoch: Epoch, salt: [u8; 16]) -> Result<Epoch, Error> {
    let got = u64::from(epoch.number);
    let number = epoch.number.checked_add(1).ok_or(Error::LastEpoch { got })?;
    Ok(Epoch { number, salt: Some(salt) })
}
