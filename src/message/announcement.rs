//! What an authority tells every cloud: its epochs, who belongs to it, and until when readers' keys hold.
//!
//! Each authority (the owner, and every provider with others below it) has a chain of announcements of its
//! own. Every one holds the digests of all before it, and is signed by the authority or one above:
//!
//! ```text
//! digest = SHA-256(owner, authority, schema, digests of those before, epochs, readers' epoch, members)
//! ```
//!
//! So a cloud takes only what continues the chain it knows. Two announcements of one number that differ,
//! as copies of one keyring make them, are a fork, and the second one is refused. A keyring that was
//! restored from a backup learns from the newest announcement what it has missed.
//!
//! # Leakage
//!
//! Who belongs to whom since when, how often somebody was revoked and how often a reader left.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Error;
use super::certificate::{Chain, Owner};
use super::envelope;
use super::limits::{MOST_ANNOUNCED, MOST_ANNOUNCEMENTS, at_most};
use super::place::{Epoch, Node, Stamp};
use crate::wire::{self, Buffer, Kind, Reader, Writer};

/// What an authority tells every cloud that serves its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The owner.
    pub owner: Owner,
    /// Whose announcement it is.
    pub authority: Node,
    /// The digest of the owner's schema.
    pub schema: [u8; 32],
    /// The digests of the authority's announcements before this one, oldest first.
    pub trail: Vec<[u8; 32]>,
    /// All epochs of the authority; the last one is current.
    pub epochs: Vec<Epoch>,
    /// All readers' epochs: what is sealed from now on is sealed in the last one, which began when a reader
    /// left.
    pub readers: Vec<Epoch>,
    /// Who belongs to it, by name and first epoch.
    pub members: Vec<Member>,
    /// The certificates of who signed; empty for the owner.
    pub signer: Chain,
}

/// A child of an authority, and in which of its epochs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// The first epoch, as its position among all.
    pub first: u32,
    /// The last epoch; none as long as it is a member.
    pub last: Option<u32>,
}

impl Announcement {
    /// Its number, from 1 on.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.trail.len() as u64 + 1
    }

    /// What stands for it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.contents().0).into()
    }

    /// Number and digest.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp { number: self.number(), digest: self.digest() }
    }

    /// The epoch that the authority's children are in.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epochs.last().copied().unwrap_or_default()
    }

    fn contents(&self) -> Writer {
        let mut writer = envelope::of(Kind::Announcement, &self.owner);
        self.authority.write(&mut writer);
        writer.raw(&self.schema).count(self.trail.len());
        self.trail.iter().for_each(|digest| {
            writer.raw(digest);
        });
        write_epochs(&mut writer, &self.epochs);
        write_epochs(&mut writer, &self.readers);
        write_members(&mut writer, &self.members);
        writer
    }

    /// What is signed.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = self.contents();
        self.signer.write(&mut writer);
        writer.0
    }

    /// Reads an announcement and verifies that the authority, or one above it, signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`] if the bytes are no announcement, [`Error::Signature`] if it is forged,
    /// [`Error::Scope`] if who signed is not the authority or above it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Announcement)?;
        let announcement = Self::read(&mut reader, owner)?;
        let Self { authority, signer, .. } = &announcement;
        envelope::close(reader, bytes, &owner, signer, None)?;
        if !signer.subject().holds(authority) {
            let (who, what) = (signer.subject().to_string(), format!("announce for {authority}"));
            return Err(Error::Scope { who, what });
        }
        Ok(announcement)
    }

    /// Reads what [`message`](Self::message) wrote, which whoever keeps it knows to be true.
    pub(crate) fn of_message(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Announcement)?;
        let announcement = Self::read(&mut reader, owner)?;
        reader.end()?;
        Ok(announcement)
    }

    fn read(reader: &mut Reader<'_>, owner: Owner) -> Result<Self, Error> {
        let authority = Node::read(reader)?;
        let schema = reader.array()?;
        let trail = list(reader, "announcements before it", 32, |reader| Ok(reader.array()?))?;
        let (epochs, readers) = (epochs(reader)?, epochs(reader)?);
        let members = members(reader, epochs.len())?;
        let signer = Chain::read(reader)?;
        Ok(Self { owner, authority, schema, trail, epochs, readers, members, signer })
    }

    /// Whether it comes later in the chain than one that is known; not if it is the same.
    ///
    /// # Errors
    ///
    /// [`Error::Older`] if the known one comes later, [`Error::Fork`] if neither continues the other.
    pub fn follows(&self, known: &Self) -> Result<bool, Error> {
        let (mine, other) = (self.stamp(), known.stamp());
        if mine == other {
            return Ok(false);
        }
        let authority = self.authority.to_string();
        if self.descends(&other) {
            return Ok(true);
        }
        if known.descends(&mine) {
            return Err(Error::Older { authority });
        }
        Err(Error::Fork { authority, number: mine.number.min(other.number) })
    }

    /// Whether it was made after another one, knowing it.
    #[must_use]
    pub fn descends(&self, other: &Stamp) -> bool {
        let before = other.number.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        before.and_then(|at| self.trail.get(at)).is_some_and(|digest| *digest == other.digest)
    }
}

pub(crate) fn write_epochs<B: Buffer>(writer: &mut Writer<B>, epochs: &[Epoch]) {
    writer.count(epochs.len());
    epochs.iter().for_each(|epoch| epoch.write(writer));
}

pub(crate) fn write_members<B: Buffer>(writer: &mut Writer<B>, members: &[Member]) {
    writer.count(members.len());
    for Member { name, first, last } in members {
        writer.text(name).u32(*first).u8(last.is_some().into());
        if let Some(last) = last {
            writer.u32(*last);
        }
    }
}

/// Members, by name and first epoch, of so many epochs.
pub(crate) fn members(reader: &mut Reader<'_>, epochs: usize) -> Result<Vec<Member>, Error> {
    let members = list(reader, "members", 13, |reader| member(reader, epochs))?;
    if members.is_sorted_by(|a, b| (&a.name, a.first) < (&b.name, b.first)) {
        Ok(members)
    } else {
        Err(reader.fault().into())
    }
}

/// Epochs from the first on.
pub(crate) fn epochs(reader: &mut Reader<'_>) -> Result<Vec<Epoch>, Error> {
    let epochs = list(reader, "epochs", 5, |reader| Ok(Epoch::read(reader)?))?;
    let ascend = epochs.windows(2).all(|pair| pair[0].number < pair[1].number);
    if epochs.first() == Some(&Epoch::default()) && ascend {
        Ok(epochs)
    } else {
        Err(reader.fault().into())
    }
}

fn list<T>(
    reader: &mut Reader<'_>,
    what: &'static str,
    size: usize,
    read: impl Fn(&mut Reader<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let count = at_most(MOST_ANNOUNCED, what, reader.count(size)?)?;
    (0..count).map(|_| read(reader)).collect()
}

fn member(reader: &mut Reader<'_>, epochs: usize) -> Result<Member, Error> {
    let name = reader.text()?.to_owned();
    let place = if reader.has_old_names() {
        Node::root().child_as_spelt(&name, 0)
    } else {
        Node::root().child(&name, 0)
    };
    place.map_err(|_| reader.fault())?;
    let first = reader.u32()?;
    let last = match reader.u8()? {
        0 => None,
        1 => Some(reader.u32()?),
        _ => return Err(reader.fault().into()),
    };
    let end = last.unwrap_or(first);
    let exists = usize::try_from(end).is_ok_and(|end| end < epochs);
    if first <= end && exists {
        Ok(Member { name, first, last })
    } else {
        Err(reader.fault().into())
    }
}

/// Announcements as they travel together, the owner's first.
///
/// ```text
/// letters || version || owner || count || (length || announcement) each
/// ```
#[must_use]
pub fn join(owner: &Owner, announcements: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = envelope::of(Kind::Announcements, owner);
    writer.count(announcements.len());
    announcements.iter().for_each(|announcement| {
        writer.bytes(announcement);
    });
    writer.0
}

/// Reads what [`join`] made one of, each with the bytes that were signed.
///
/// # Errors
///
/// [`wire::Error::Format`] if the bytes are none, [`Error::TooMany`], [`Error::OtherOwner`] if one is of
/// another owner, and those of [`Announcement::decode`].
pub fn split(bytes: &[u8]) -> Result<Vec<(Announcement, Vec<u8>)>, Error> {
    let (mut reader, owner) = envelope::open(bytes, Kind::Announcements)?;
    let count = at_most(MOST_ANNOUNCEMENTS, "announcements", reader.count(8)?)?;
    let mut announcements = Vec::new();
    for _ in 0..count {
        let message = reader.bytes()?;
        let announcement = Announcement::decode(message)?;
        if announcement.owner != owner {
            return Err(Error::OtherOwner { what: Kind::Announcement.name() });
        }
        announcements.push((announcement, message.to_vec()));
    }
    if announcements.is_empty() {
        return Err(reader.fault().into());
    }
    reader.end()?;
    Ok(announcements)
}

/// Whose announcements these are; nothing is verified.
///
/// # Errors
///
/// [`wire::Error::Format`] if the bytes are no announcements.
pub fn owner_of(bytes: &[u8]) -> Result<Owner, wire::Error> {
    envelope::open(bytes, Kind::Announcements).map(|(_, owner)| owner)
}

/// Whose announcement this is; nothing is verified.
///
/// # Errors
///
/// [`wire::Error::Format`] if the bytes are no announcement, [`Error::Name`].
pub fn authority_of(bytes: &[u8]) -> Result<Node, Error> {
    let (mut reader, _) = envelope::open(bytes, Kind::Announcement)?;
    Node::read(&mut reader)
}

/// An announcement that is kept, with its stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    announcement: Arc<Announcement>,
    stamp: Stamp,
}

impl Known {
    /// Keeps an announcement.
    #[must_use]
    pub fn new(announcement: impl Into<Arc<Announcement>>) -> Self {
        let announcement = announcement.into();
        Self { stamp: announcement.stamp(), announcement }
    }

    /// Number and digest, which are computed once.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }
}

impl Deref for Known {
    type Target = Announcement;

    fn deref(&self) -> &Announcement {
        &self.announcement
    }
}

/// What a cloud knows of an owner: the newest announcement of each authority.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announced(BTreeMap<Node, Known>);

impl Announced {
    /// What is known once these came, and whether anything of it is new.
    ///
    /// # Errors
    ///
    /// Those of [`Announcement::follows`], [`Error::OtherOwner`], [`Error::Epoch`] if one was signed in an
    /// epoch that was left.
    pub fn with(&self, more: &[Arc<Announcement>]) -> Result<Self, Error> {
        self.joined(more, |known, signer| known.accepts(signer))
    }

    /// What a cloud shows of all that was announced to it: authorities of epochs that were left stay as
    /// they were.
    ///
    /// # Errors
    ///
    /// Those of [`Announcement::follows`], [`Error::OtherOwner`].
    pub fn shown(all: &[Arc<Announcement>]) -> Result<Self, Error> {
        Self::default().joined(all, |_, _| Ok(()))
    }

    fn joined(
        &self,
        more: &[Arc<Announcement>],
        check: impl Fn(&Self, &Node) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let mut known = self.clone();
        let mut more: Vec<_> = more.iter().collect();
        more.sort_by_key(|announcement| announcement.authority.names().len());
        // All that are known are of one owner.
        let owner = known.0.values().next().map(|known| known.owner);
        let owner = owner.or(more.first().map(|announcement| announcement.owner));
        for announcement in more {
            if owner != Some(announcement.owner) {
                return Err(Error::OtherOwner { what: Kind::Announcement.name() });
            }
            if let Some(last) = known.0.get(&announcement.authority)
                && !announcement.follows(last)?
            {
                continue;
            }
            check(&known, &announcement.signer.subject())?;
            let authority = announcement.authority.clone();
            known.0.insert(authority, Known::new(Arc::clone(announcement)));
        }
        Ok(known)
    }

    /// The newest announcement of an authority.
    #[must_use]
    pub fn of(&self, authority: &Node) -> Option<&Known> {
        self.0.get(authority)
    }

    /// All of them, the owner's first.
    pub fn iter(&self) -> impl Iterator<Item = &Known> {
        self.0.values()
    }

    /// The owner's own; `None` if it has announced nothing.
    #[must_use]
    pub fn root(&self) -> Option<&Known> {
        self.of(&Node::root())
    }

    /// Checks that a message is of the owner that announced this.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOwner`] names the message.
    pub(crate) fn serves(&self, what: &'static str, owner: &Owner) -> Result<(), Error> {
        if self.root().is_some_and(|root| root.owner == *owner) {
            Ok(())
        } else {
            Err(Error::OtherOwner { what })
        }
    }

    /// Checks that a message is of the announced schema.
    ///
    /// # Errors
    ///
    /// [`Error::OtherSchema`] names the message.
    pub(crate) fn indexes(&self, what: &'static str, schema: &[u8; 32]) -> Result<(), Error> {
        if self.root().is_some_and(|root| root.schema == *schema) {
            Ok(())
        } else {
            Err(Error::OtherSchema { what })
        }
    }

    /// Checks that a place is in the epochs that the nodes above it have announced.
    ///
    /// # Errors
    ///
    /// [`Error::Epoch`] names the provider.
    pub fn accepts(&self, subject: &Node) -> Result<(), Error> {
        let mut node = subject.clone();
        while let Some((above, _)) = node.parent() {
            let epoch = node.epochs().last().copied().unwrap_or_default();
            let announced = self.of(&above).map(|last| last.epoch()).unwrap_or_default();
            if epoch != announced {
                return Err(Error::Epoch { provider: subject.path() });
            }
            node = above;
        }
        Ok(())
    }

    /// Checks that a provider seals in the readers' epoch that its authority has announced.
    ///
    /// # Errors
    ///
    /// [`Error::Readers`] names the provider.
    pub fn seals(&self, provider: &Node, readers: &Epoch) -> Result<(), Error> {
        let authority = provider.parent().map(|(authority, _)| authority);
        let last = authority.and_then(|authority| self.of(&authority));
        let announced = last.and_then(|last| last.readers.last().copied()).unwrap_or_default();
        if *readers == announced {
            Ok(())
        } else {
            Err(Error::Readers { provider: provider.path() })
        }
    }

    /// Checks that whoever made a message knew what an authority announced.
    ///
    /// # Errors
    ///
    /// [`Error::Behind`] if it knew an older announcement, [`Error::Fork`] if another one of that number.
    pub fn knows(&self, authority: &Node, stamp: &Stamp) -> Result<(), Error> {
        let Some(last) = self.of(authority) else { return Ok(()) };
        let (newest, authority) = (last.stamp(), authority.to_string());
        if *stamp == newest || stamp.number > newest.number {
            return Ok(());
        }
        if stamp.number == newest.number || !(stamp.number == 0 || last.descends(stamp)) {
            return Err(Error::Fork { authority, number: stamp.number });
        }
        Err(Error::Behind { authority })
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;
    use crate::message::signature::to_sign;

    fn signer(byte: u8) -> SigningKey {
        SigningKey::from_bytes(&[byte; 32])
    }

    fn owner() -> Owner {
        Owner(signer(0).verifying_key().to_bytes())
    }

    fn salted(number: u32, salt: u8) -> Epoch {
        Epoch { number, salt: Some([salt; 16]) }
    }

    fn first() -> Announcement {
        Announcement {
            owner: owner(),
            authority: Node::root(),
            schema: [0; 32],
            trail: Vec::new(),
            epochs: vec![Epoch::default()],
            readers: vec![Epoch::default()],
            members: vec![Member { name: "hospital".into(), first: 0, last: None }],
            signer: Chain::default(),
        }
    }

    /// The next one, in a new epoch with this salt.
    fn after(announcement: &Announcement, salt: u8) -> Announcement {
        let mut next = announcement.clone();
        next.trail.push(announcement.digest());
        let number = announcement.epoch().number + 1;
        next.epochs.push(salted(number, salt));
        next
    }

    fn known(announcements: &[&Announcement]) -> Result<Announced, Error> {
        announcements.iter().try_fold(Announced::default(), |known, &announcement| {
            known.with(&[Arc::new(announcement.clone())])
        })
    }

    fn signed(announcement: &Announcement, by: u8) -> Vec<u8> {
        let message = announcement.message();
        let signature = signer(by).sign(&to_sign(&message)).to_bytes();
        [message, signature.to_vec()].concat()
    }

    #[test]
    fn only_the_authority_or_one_above_announces() {
        assert_eq!(Announcement::decode(&signed(&first(), 0)), Ok(first()));
        let what = "the owner's announcement";
        assert_eq!(Announcement::decode(&signed(&first(), 1)), Err(Error::Signature { what }));
    }

    #[test]
    fn epochs_and_members_that_cannot_be_are_refused() {
        let refused = |change: &dyn Fn(&mut Announcement)| {
            let mut changed = first();
            change(&mut changed);
            let outcome = Announcement::decode(&signed(&changed, 0));
            assert!(matches!(outcome, Err(Error::Wire(wire::Error::Format { .. }))), "{changed:?}");
        };
        refused(&|a| a.epochs.clear());
        refused(&|a| a.epochs[0] = salted(1, 1));
        refused(&|a| a.epochs.push(Epoch::default()));
        refused(&|a| a.readers.clear());
        refused(&|a| a.members[0].first = 1);
        refused(&|a| a.members[0].last = Some(1));
        refused(&|a| a.members[0].name = "a/b".into());
        refused(&|a| a.members.push(a.members[0].clone()));
        refused(&|a| a.members.insert(0, Member { name: "z".into(), first: 0, last: None }));
    }

    #[test]
    fn what_continues_the_chain_is_taken_and_a_fork_is_not() {
        let one = first();
        let (two, other) = (after(&one, 2), after(&one, 3));
        let three = after(&two, 4);
        assert_eq!(known(&[&one, &two, &three]).unwrap().root().unwrap().number(), 3);
        assert_eq!(known(&[&one, &three]).unwrap(), known(&[&three]).unwrap(), "one was missed");
        assert_eq!(known(&[&two, &two]).unwrap(), known(&[&two]).unwrap());
        let authority = || "the owner".to_owned();
        let fork = |number| Error::Fork { authority: authority(), number };
        assert_eq!(known(&[&two, &other]), Err(fork(2)));
        assert_eq!(known(&[&three, &other]), Err(fork(2)));
        assert_eq!(known(&[&other, &three]), Err(fork(2)));
        let older = Err(Error::Older { authority: authority() });
        assert_eq!(known(&[&three, &one]), older);
        assert_eq!(known(&[&three, &two]), older);
    }

    #[test]
    fn an_epoch_that_is_not_the_announced_one_is_refused() {
        let two = after(&first(), 2);
        let known = known(&[&two]).unwrap();
        let ward = |epoch: Epoch| Node::root().child("hospital", epoch).unwrap().child("w", 0);
        assert_eq!(known.accepts(&ward(salted(1, 2)).unwrap()), Ok(()));
        for epoch in [Epoch::default(), 1.into(), salted(1, 3), salted(2, 2)] {
            let refused = Err(Error::Epoch { provider: "hospital/w".into() });
            assert_eq!(known.accepts(&ward(epoch).unwrap()), refused, "{epoch:?}");
        }
        let below = ward(salted(1, 2)).unwrap().child("desk", 1).unwrap();
        assert!(known.accepts(&below).is_err(), "its ward has announced no epoch");
    }

    #[test]
    fn whoever_knows_less_is_told() {
        let one = first();
        let two = after(&one, 2);
        let announced = known(&[&two]).unwrap();
        let root = Node::root();
        let authority = || "the owner".to_owned();
        assert_eq!(announced.knows(&root, &two.stamp()), Ok(()));
        assert_eq!(announced.knows(&root, &after(&two, 3).stamp()), Ok(()), "the cloud is behind");
        let behind = Err(Error::Behind { authority: authority() });
        assert_eq!(announced.knows(&root, &one.stamp()), behind);
        assert_eq!(announced.knows(&root, &Stamp::default()), behind);
        let fork = Err(Error::Fork { authority: authority(), number: 2 });
        assert_eq!(announced.knows(&root, &after(&one, 9).stamp()), fork);
        let elsewhere = Node::root().child("hospital", 0).unwrap();
        assert_eq!(announced.knows(&elsewhere, &Stamp::default()), Ok(()));
    }

    #[test]
    fn announcements_travel_together() {
        let messages = [signed(&first(), 0), signed(&after(&first(), 1), 0)];
        let bytes = join(&owner(), &messages);
        let read = split(&bytes).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[1], (after(&first(), 1), messages[1].clone()));
        assert_eq!(owner_of(&bytes), Ok(owner()));
        for end in 0..bytes.len() {
            assert!(split(&bytes[..end]).is_err());
        }
        assert!(split(&join(&owner(), &[])).is_err());
        assert!(split(&join(&Owner([1; 32]), &messages)).is_err());
    }
}
