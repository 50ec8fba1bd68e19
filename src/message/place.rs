//! Where a provider stands in its owner's hierarchy, and in which epochs.
//!
//! A *path* lists the names from the owner down, as in `hospital/ward`; the owner's own is empty.
//! Every node has an *epoch*, which goes up when one of its children is removed, and which its
//! children's keys are derived with. So a node at depth `d` has `d` epochs, one for each ancestor.
//! An epoch is a number and a random salt, drawn when it begins; the first has none.
//! The children of a node are a *group*: one ruler per field, named by the node's path, its
//! ancestors' epochs and its own. None of this is secret.

use std::fmt;

use super::Error;
use super::limits::{DEEPEST, LONGEST_NAME};
use crate::wire::{self, Buffer, Reader, Writer, text};

/// Bytes of a salt.
pub const SALT_LEN: usize = 16;

/// A time between two changes: its number, and the salt that was drawn when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch {
    /// Counted from 0.
    pub number: u32,
    /// None for the first, and for those of keyrings from before there were salts.
    pub salt: Option<[u8; SALT_LEN]>,
}

impl Epoch {
    /// The salt as it enters a derivation: no bytes if there is none.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        self.salt.as_ref().map_or(&[], |salt| salt)
    }

    pub(crate) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.u32(self.number).u8(self.salt.is_some().into()).raw(self.salt());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        let number = reader.u32()?;
        let salt = match reader.u8()? {
            0 => None,
            1 if number > 0 => Some(reader.array()?),
            _ => return Err(reader.fault()),
        };
        Ok(Self { number, salt })
    }
}

impl From<u32> for Epoch {
    /// An epoch without a salt.
    fn from(number: u32) -> Self {
        Self { number, salt: None }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)
    }
}

/// Which announcement of an authority somebody has seen last; number 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// The announcement's number.
    pub number: u64,
    /// Its digest.
    pub digest: [u8; 32],
}

impl Stamp {
    pub(crate) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.u64(self.number).raw(&self.digest);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        Ok(Self { number: reader.u64()?, digest: reader.array()? })
    }
}

/// A place in an owner's hierarchy, with the epoch of every ancestor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Node {
    names: Vec<String>,
    epochs: Vec<Epoch>,
}

impl Node {
    /// The owner's own place.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The place below this one with a name, while this one is in an epoch.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] if the name is empty, longer than 255 bytes, or not the one spelling of a name
    /// that there can be, see [`text::name`], or if there would be more than 16 levels.
    pub fn child(&self, name: &str, epoch: impl Into<Epoch>) -> Result<Self, Error> {
        match text::fault(name) {
            Some(why) => Err(no_name(name, why)),
            None => self.child_as_spelt(name, epoch),
        }
    }

    /// The place below with a name that was given before names had one spelling.
    pub(crate) fn child_as_spelt(
        &self,
        name: &str,
        epoch: impl Into<Epoch>,
    ) -> Result<Self, Error> {
        let mut child = self.clone();
        child.descend(name, epoch.into())?;
        Ok(child)
    }

    /// Goes down to a place below.
    fn descend(&mut self, name: &str, epoch: Epoch) -> Result<(), Error> {
        let why = if name.is_empty() || name.len() > LONGEST_NAME {
            "a name has 1 to 255 bytes"
        } else if name.contains(|letter: char| letter == '/' || letter.is_control()) {
            "a name holds no slash and no control character"
        } else if self.names.len() == DEEPEST {
            "there are at most 16 levels"
        } else {
            self.names.push(name.to_owned());
            self.epochs.push(epoch);
            return Ok(());
        };
        Err(no_name(name, why))
    }

    /// The place with a path, as in `hospital/ward`, and the epoch of every ancestor.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] if there can be no such place, or there is not an epoch for each name.
    pub fn of(path: &str, epochs: &[Epoch]) -> Result<Self, Error> {
        let names: Vec<&str> = path.split('/').filter(|_| !path.is_empty()).collect();
        if names.len() != epochs.len() {
            return Err(no_name(path, "a place has an epoch for each of its names"));
        }
        let mut steps = names.into_iter().zip(epochs);
        steps.try_fold(Self::root(), |node, (name, &epoch)| node.child(name, epoch))
    }

    /// The place above, and this one's name; `None` for the owner.
    #[must_use]
    pub fn parent(&self) -> Option<(Self, &str)> {
        let (name, names) = self.names.split_last()?;
        let epochs = self.epochs[..names.len()].to_vec();
        Some((Self { names: names.to_vec(), epochs }, name))
    }

    /// The names from the owner down, joined by slashes.
    #[must_use]
    pub fn path(&self) -> String {
        self.names.join("/")
    }

    /// The names from the owner down.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The epochs of the ancestors, the owner's first.
    #[must_use]
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// Whether the place is this one or below it, in the same epochs.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        other.names.starts_with(&self.names) && other.epochs.starts_with(&self.epochs)
    }

    /// Whether the names are this place's or begin with them, in whatever epochs.
    #[must_use]
    pub fn is_above(&self, other: &Self) -> bool {
        other.names.starts_with(&self.names)
    }

    /// Whether the place is this one or below it, in the same epochs or in earlier ones.
    #[must_use]
    pub fn held(&self, other: &Self) -> bool {
        let mut pairs = self.epochs.iter().zip(&other.epochs).filter(|(mine, of)| mine != of);
        self.is_above(other) && pairs.next().is_none_or(|(mine, of)| of.number < mine.number)
    }

    pub(crate) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.count(self.names.len());
        for (name, epoch) in self.names.iter().zip(&self.epochs) {
            writer.text(name);
            epoch.write(writer);
        }
    }

    /// Writes a place as it was written before there were salts; it has none.
    pub(crate) fn write_without_salts(&self, writer: &mut Writer) {
        writer.count(self.names.len());
        for (name, epoch) in self.names.iter().zip(&self.epochs) {
            writer.text(name).u32(epoch.number);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Self::read_with(reader, Epoch::read)
    }

    /// Reads a place from before there were salts.
    pub(crate) fn read_without_salts(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Self::read_with(reader, |reader| Ok(reader.u32()?.into()))
    }

    fn read_with(
        reader: &mut Reader<'_>,
        epoch: fn(&mut Reader<'_>) -> Result<Epoch, wire::Error>,
    ) -> Result<Self, Error> {
        let mut node = Self::root();
        for _ in 0..reader.count(12)? {
            let (name, epoch) = (reader.text()?, epoch(reader)?);
            let is_spelt = reader.has_old_names() || text::fault(name).is_none();
            if !is_spelt || node.descend(name, epoch).is_err() {
                return Err(reader.fault().into());
            }
        }
        Ok(node)
    }
}

/// The one spelling of a name that somebody typed.
///
/// # Errors
///
/// [`Error::Name`] if there can be no such name.
pub fn spelt(name: &str) -> Result<String, Error> {
    text::name(name).map_err(|why| no_name(name, why))
}

/// The one spelling of a path that somebody typed.
///
/// # Errors
///
/// [`Error::Name`] if there can be no such path.
pub fn spelt_path(path: &str) -> Result<String, Error> {
    let names: Vec<String> = path.split('/').map(spelt).collect::<Result<_, _>>()?;
    Ok(names.join("/"))
}

fn no_name(name: &str, why: &'static str) -> Error {
    Error::Name { name: name.escape_default().to_string(), why }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() { f.write_str("the owner") } else { f.write_str(&self.path()) }
    }
}

/// The children of a node, in one of its epochs: who shares rulers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// The node whose children they are.
    pub authority: Node,
    /// That node's own epoch.
    pub epoch: Epoch,
}

impl Group {
    /// The group that a node belongs to; `None` for the owner.
    #[must_use]
    pub fn of(node: &Node) -> Option<Self> {
        let (authority, _) = node.parent()?;
        let epoch = *node.epochs().last()?;
        Some(Self { authority, epoch })
    }

    pub(crate) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        self.authority.write(writer);
        self.epoch.write(writer);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self { authority: Node::read(reader)?, epoch: Epoch::read(reader)? })
    }
}

impl fmt::Display for Group {
    /// Its authority's path; the epoch, if it is not the first; and all epochs from the owner's on, if
    /// one above is not, so that two groups of one path are told apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the group of {}", self.authority)?;
        match self.authority.epochs.iter().all(|epoch| epoch.number == 0) {
            true if self.epoch.number == 0 => Ok(()),
            true => write!(f, ", epoch {}", self.epoch),
            false => {
                f.write_str(", epochs ")?;
                self.authority.epochs.iter().try_for_each(|epoch| write!(f, "{epoch}/"))?;
                write!(f, "{}", self.epoch)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(path: &[(&str, u32)]) -> Node {
        path.iter().fold(Node::root(), |node, (name, epoch)| node.child(name, *epoch).unwrap())
    }

    #[test]
    fn a_place_holds_itself_and_what_is_below_in_the_same_epochs() {
        let hospital = node(&[("hospital", 1)]);
        let ward = node(&[("hospital", 1), ("ward", 0)]);
        assert!(Node::root().holds(&ward) && hospital.holds(&ward) && ward.holds(&ward));
        assert!(!ward.holds(&hospital) && !hospital.holds(&Node::root()));
        assert!(!hospital.holds(&node(&[("hospital", 0), ("ward", 0)])), "another epoch");
        assert!(!hospital.holds(&node(&[("hospital2", 1)])), "a longer name");
        assert!(!hospital.holds(&node(&[("clinic", 1), ("ward", 0)])));
    }

    #[test]
    fn a_place_held_what_was_below_it_in_earlier_epochs() {
        let of = |epochs: &[Epoch]| Node::of("hospital/ward", epochs).unwrap();
        let at = |number, salt| Epoch { number, salt: Some([salt; SALT_LEN]) };
        let ward = of(&[at(1, 1), at(1, 1)]);
        for earlier in [[0.into(), at(7, 1)], [at(1, 1), 0.into()], [at(1, 1), at(1, 1)]] {
            assert!(ward.held(&of(&earlier)), "{earlier:?}");
        }
        for other in [[at(2, 1), 0.into()], [at(1, 2), 0.into()], [at(1, 1), at(1, 2)]] {
            assert!(!ward.held(&of(&other)), "{other:?}");
        }
        assert!(!ward.held(&Node::of("hospital", &[0.into()]).unwrap()), "above");
        assert!(Node::root().held(&ward) && node(&[("hospital", 2)]).held(&ward));
    }

    #[test]
    fn impossible_names_are_refused() {
        for name in ["", "a/b", "/", "a\nb", "\0", &"x".repeat(256)] {
            assert!(matches!(Node::root().child(name, 0), Err(Error::Name { .. })), "{name:?}");
        }
        let deepest = (0..16).fold(Node::root(), |node, _| node.child("x", 0).unwrap());
        assert!(matches!(deepest.child("x", 0), Err(Error::Name { .. })));
    }

    #[test]
    fn a_name_has_one_spelling_here_and_on_the_wire() {
        let spelt = Node::root().child("\u{e4}", 0).unwrap();
        for name in ["a\u{308}", "a\u{a0}b", " a", "a  b", "a\u{200b}", "\u{202e}a", "a\u{378}"] {
            assert!(matches!(Node::root().child(name, 0), Err(Error::Name { .. })), "{name:?}");
            let old = Node::root().child_as_spelt(name, 0).unwrap();
            let mut writer = Writer::default();
            old.write(&mut writer);
            let read = Node::read(&mut Reader::headless(&writer.0, "the place"));
            assert!(matches!(read, Err(Error::Wire(_))), "{name:?}");
            let mut reader = Reader::headless(&writer.0, "the keyring");
            reader.take_old_names();
            assert_eq!(Node::read(&mut reader), Ok(old));
        }
        assert_eq!(spelt_path("\u{e4}/b"), spelt_path("a\u{308}/b"));
        assert_eq!(Node::root().child(&super::spelt("a\u{308}").unwrap(), 0), Ok(spelt));
    }

    #[test]
    fn a_group_is_named_by_its_authority_and_epoch() {
        let ward = node(&[("hospital", 1), ("ward", 2)]);
        let group = Group { authority: node(&[("hospital", 1)]), epoch: 2.into() };
        assert_eq!(Group::of(&ward), Some(group));
        assert_eq!(Group::of(&Node::root()), None);
    }

    #[test]
    fn two_groups_of_one_path_are_called_differently() {
        let called = |epochs: &[u32]| {
            let epochs: Vec<Epoch> = epochs.iter().map(|&number| number.into()).collect();
            Group::of(&Node::of("hospital/ward", &epochs).unwrap()).unwrap().to_string()
        };
        assert_eq!(called(&[0, 0]), "the group of hospital");
        assert_eq!(called(&[0, 2]), "the group of hospital, epoch 2");
        assert_eq!(called(&[1, 0]), "the group of hospital, epochs 1/0");
        assert_eq!(called(&[1, 2]), "the group of hospital, epochs 1/2");
        let top = Group::of(&Node::of("hospital", &[1.into()]).unwrap()).unwrap();
        assert_eq!(top.to_string(), "the group of the owner, epoch 1");
    }
}
