//! Where a provider stands in its owner's hierarchy, and in which epochs.
//!
//! A *path* lists the names from the owner down, as in `hospital/ward`; the owner's own is empty.
//! Every node has an *epoch*, which goes up when one of its children is removed, and which its
//! children's keys are derived with. So a node at depth `d` has `d` epochs, one for each ancestor.
//! The children of a node are a *group*: one ruler per field, named by the node's path, its
//! ancestors' epochs and its own. None of this is secret.

use std::fmt;

use super::Error;
use crate::wire::{Buffer, Reader, Writer, text};

/// Bytes in a name at most.
const LONGEST_NAME: usize = 255;

/// Levels below the owner at most.
const DEEPEST: usize = 16;

/// A place in an owner's hierarchy, with the epoch of every ancestor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Node {
    names: Vec<String>,
    epochs: Vec<u32>,
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
    pub fn child(&self, name: &str, epoch: u32) -> Result<Self, Error> {
        match text::fault(name) {
            Some(why) => Err(no_name(name, why)),
            None => self.child_as_spelt(name, epoch),
        }
    }

    /// The place below with a name that was given before names had one spelling.
    pub(crate) fn child_as_spelt(&self, name: &str, epoch: u32) -> Result<Self, Error> {
        let why = if name.is_empty() || name.len() > LONGEST_NAME {
            "a name has 1 to 255 bytes"
        } else if name.contains(|letter: char| letter == '/' || letter.is_control()) {
            "a name holds no slash and no control character"
        } else if self.names.len() == DEEPEST {
            "there are at most 16 levels"
        } else {
            let mut child = self.clone();
            child.names.push(name.to_owned());
            child.epochs.push(epoch);
            return Ok(child);
        };
        Err(no_name(name, why))
    }

    /// The place with a path, as in `hospital/ward`, and the epoch of every ancestor.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] if there can be no such place, or there is not an epoch for each name.
    pub fn of(path: &str, epochs: &[u32]) -> Result<Self, Error> {
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
    pub fn epochs(&self) -> &[u32] {
        &self.epochs
    }

    /// Whether the place is this one or below it, in the same epochs.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        other.names.starts_with(&self.names) && other.epochs.starts_with(&self.epochs)
    }

    pub(crate) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.count(self.names.len());
        for (name, epoch) in self.names.iter().zip(&self.epochs) {
            writer.text(name).u32(*epoch);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut node = Self::root();
        for _ in 0..reader.count(12)? {
            let (name, epoch) = (reader.text()?, reader.u32()?);
            let child = if reader.has_old_names() {
                node.child_as_spelt(name, epoch)
            } else {
                node.child(name, epoch)
            };
            node = child.map_err(|_| reader.fault())?;
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
    pub epoch: u32,
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
        writer.u32(self.epoch);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self { authority: Node::read(reader)?, epoch: reader.u32()? })
    }
}

impl fmt::Display for Group {
    /// Its authority's path; the epoch, if it is not the first; and all epochs from the owner's on, if
    /// one above is not, so that two groups of one path are told apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the group of {}", self.authority)?;
        match self.authority.epochs.iter().all(|&epoch| epoch == 0) {
            true if self.epoch == 0 => Ok(()),
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
        let group = Group { authority: node(&[("hospital", 1)]), epoch: 2 };
        assert_eq!(Group::of(&ward), Some(group));
        assert_eq!(Group::of(&Node::root()), None);
    }

    #[test]
    fn two_groups_of_one_path_are_called_differently() {
        let called = |epochs: &[u32]| {
            Group::of(&Node::of("hospital/ward", epochs).unwrap()).unwrap().to_string()
        };
        assert_eq!(called(&[0, 0]), "the group of hospital");
        assert_eq!(called(&[0, 2]), "the group of hospital, epoch 2");
        assert_eq!(called(&[1, 0]), "the group of hospital, epochs 1/0");
        assert_eq!(called(&[1, 2]), "the group of hospital, epochs 1/2");
        let top = Group::of(&Node::of("hospital", &[1]).unwrap()).unwrap();
        assert_eq!(top.to_string(), "the group of the owner, epoch 1");
    }
}
