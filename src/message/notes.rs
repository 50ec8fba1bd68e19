//! The notes of a provider's attachments, by which an outdated keyring learns what it has missed.
//!
//! ```text
//! notes = letters || version || id of the request || owner || provider || count || (number || note) each
//! base  = SHA-256("mopse/v1 base" || numbers)[..16]
//! ```
//!
//! A cloud returns the note of every attachment that ever came from the provider, also of files that are
//! gone, in the order they came. What each holds is sealed by the provider. The *base* names what was
//! returned: a cloud remembers it, and takes attachments that count on from there.
//!
//! # Leakage
//!
//! That a keyring of the provider was outdated.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::Error;
use super::certificate::Owner;
use super::listing::check_id;
use super::place::Node;
use super::request::{Ask, Request};
use crate::wire::{Kind, Reader, Writer};

/// The note of one attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The attachment's number.
    pub number: u128,
    /// Which uses of which keywords its entries are, sealed.
    pub sealed: Vec<u8>,
}

/// The notes of all attachments that ever came from a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notes {
    /// The id of the request.
    pub request: u128,
    /// Whose they are.
    pub owner: Owner,
    /// The provider.
    pub provider: Node,
    /// One per attachment, in the order they came.
    pub notes: Vec<Note>,
}

impl Notes {
    /// The notes as they travel.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Notes);
        writer.u128(self.request).raw(&self.owner.0);
        self.provider.write(&mut writer);
        writer.count(self.notes.len());
        self.notes.iter().for_each(|note| {
            writer.u128(note.number).bytes(&note.sealed);
        });
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no notes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Notes)?;
        let request = reader.u128()?;
        let owner = Owner(reader.array()?);
        let provider = Node::read(&mut reader)?;
        let count = reader.count(16 + 8)?;
        let note = |reader: &mut Reader<'_>| -> Result<Note, Error> {
            Ok(Note { number: reader.u128()?, sealed: reader.bytes()?.to_vec() })
        };
        let notes = (0..count).map(|_| note(&mut reader)).collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(Self { request, owner, provider, notes })
    }

    /// What names these notes; `None` if there is none, and the provider counts from nothing.
    #[must_use]
    pub fn base(&self) -> Option<u128> {
        if self.notes.is_empty() {
            return None;
        }
        let mut hash = Sha256::new_with_prefix(b"mopse/v1 base");
        self.notes.iter().for_each(|note| hash.update(note.number.to_le_bytes()));
        let digest: [u8; 32] = hash.finalize().into();
        let (halves, _) = digest.as_chunks::<16>();
        Some(u128::from_le_bytes(halves[0]))
    }

    /// Checks that these are the notes that a request asks for, and none comes twice.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`].
    pub fn check(&self, request: &Request) -> Result<(), Error> {
        const WHAT: &str = "the list of notes";
        check_id(WHAT, self.request, request)?;
        let mut numbers = BTreeSet::new();
        let twice = self.notes.iter().position(|note| !numbers.insert(note.number));
        let why = if request.ask != Ask::Notes {
            "it was not asked for".to_owned()
        } else if (self.owner, &self.provider) != (request.owner, &request.issuer.subject()) {
            format!("it is of provider '{}', which was not asked", self.provider)
        } else if let Some(position) = twice {
            format!("note {position} is one that came before")
        } else {
            return Ok(());
        };
        Err(Error::Answer { what: WHAT, why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::certificate::{Certificate, Chain};

    const OWNER: Owner = Owner([1; 32]);

    fn node(name: &str) -> Node {
        Node::root().child(name, 0).unwrap()
    }

    fn notes() -> Notes {
        let notes = [(3, vec![]), (2, vec![7; 40])];
        let notes = notes.map(|(number, sealed)| Note { number, sealed });
        Notes { request: 7, owner: OWNER, provider: node("a"), notes: notes.into() }
    }

    #[test]
    fn notes_survive_their_bytes() {
        let bytes = notes().encode();
        assert_eq!(Notes::decode(&bytes), Ok(notes()));
        assert!((0..bytes.len()).all(|cut| Notes::decode(&bytes[..cut]).is_err()));
        assert!(Notes::decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_base_names_which_attachments_there_are_in_which_order() {
        let with = |numbers: &[u128]| {
            let note = |&number: &u128| Note { number, sealed: vec![1] };
            Notes { notes: numbers.iter().map(note).collect(), ..notes() }.base()
        };
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[3, 2]), notes().base(), "whatever they hold");
        let all = [with(&[3, 2]), with(&[2, 3]), with(&[2]), with(&[3]), with(&[3, 2, 1])];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[derive(serde::Deserialize)]
    struct Vectors {
        bases: Vec<Case>,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        numbers: Vec<String>,
        base: String,
    }

    #[test]
    fn bases_are_the_pinned_ones() {
        let vectors = include_str!("../../tests/vectors/keyword.json");
        let vectors: Vectors = serde_json::from_str(vectors).unwrap();
        assert_eq!(vectors.bases.len(), 4);
        let number = |text: &String| u128::from_str_radix(text, 16).unwrap();
        for case in vectors.bases {
            let note = |text| Note { number: number(text), sealed: Vec::new() };
            let listed = Notes { notes: case.numbers.iter().map(note).collect(), ..notes() };
            assert_eq!(listed.base(), Some(number(&case.base)), "{:?}", case.numbers);
        }
    }

    #[test]
    fn notes_are_those_of_whoever_asked() {
        let by = |name: &str, ask| {
            let certificate =
                Certificate { subject: node(name), key: [0; 32], stamp: None, signature: [0; 64] };
            Request {
                owner: OWNER,
                ask,
                tags: vec![],
                expiry: 0,
                id: 7,
                issuer: Chain(vec![certificate]),
            }
        };
        let why = |notes: &Notes, request: &Request| match notes.check(request) {
            Err(Error::Answer { why, .. }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(notes().check(&by("a", Ask::Notes)), Ok(()));
        let late = Notes { request: 8, ..notes() };
        assert_eq!(why(&late, &by("a", Ask::Notes)), "it is of another request");
        assert_eq!(why(&notes(), &by("a", Ask::File(7))), "it was not asked for");
        let foreign = "it is of provider 'a', which was not asked";
        assert_eq!(why(&notes(), &by("b", Ask::Notes)), foreign);
        let of_another = Notes { owner: Owner([2; 32]), ..notes() };
        assert_eq!(why(&of_another, &by("a", Ask::Notes)), foreign);
        let mut twice = notes();
        twice.notes[1].number = 3;
        assert_eq!(why(&twice, &by("a", Ask::Notes)), "note 1 is one that came before");
    }
}
