//! Requests for attachments: by keywords, by records, or for one with its body; and for notes.
//!
//! Whoever asks sends one signed request, with trapdoors for every provider it reaches, with handles of
//! records, or with the number of one stored file. A provider also asks for the notes of all it ever
//! attached, and for all files of a place of its own. Where the listing is to be proven, the
//! [tag](super::trapdoor::Tag) of each keyword stands beside its trapdoor. What answers a request names its id: see [`listing`](super::listing) and
//! [`notes`](super::notes).
//!
//! # Limits
//!
//! A request names at most [`MOST_PLACES`] providers, none twice, and of each at most [`MOST_NAMED`]
//! trapdoors or handles, none twice; two trapdoors that lead to the same entries are one twice.
//!
//! # Leakage
//!
//! That of [`super::trapdoor`]; which records are asked about, and who asks. Where the same records are asked
//! for in several epochs of a provider, which of one are, together, those of another.

use std::collections::{BTreeSet, HashSet};

use super::Error;
use super::announcement::Announced;
use super::certificate::{Chain, Owner};
use super::envelope;
use super::limits::{MOST_NAMED, MOST_PLACES, at_most};
use super::place::Node;
use super::trapdoor::{LABEL_KEY_LEN, TAG_LEN, TRAPDOOR_LEN, Tag, Trapdoor};
use crate::wire::{Kind, Reader};

const WHAT: &str = "the request";

const KEYWORDS: &str = "keywords of the request";

/// The number of a request for keywords with tags.
const PROVEN: u8 = 4;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The files of some providers that have all of the keywords.
    Keywords(Vec<(Node, Vec<Trapdoor>)>),
    /// The files of some records.
    Records(Vec<(Node, Vec<u128>)>),
    /// One file with its body.
    File(u128),
    /// The notes of all files that the issuer, a provider, ever attached.
    Notes,
    /// All files of a place that the issuer, a provider, has or had, with their notes and the seal.
    Holdings(Node),
}

/// A signed request for files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The owner whose files are asked for.
    pub owner: Owner,
    /// What is asked for.
    pub ask: Ask,
    /// The tags of the keywords of each provider, if the listing is to be proven.
    pub tags: Vec<Vec<Tag>>,
    /// When the request ends, in seconds since 1970.
    pub expiry: u64,
    /// A random number, for the audit log.
    pub id: u128,
    /// The issuer's certificates; empty for the owner.
    pub issuer: Chain,
}

impl Request {
    /// What the issuer signs.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = envelope::of(Kind::Request, &self.owner);
        match &self.ask {
            Ask::Keywords(providers) => {
                writer.u8(if self.tags.is_empty() { 0 } else { PROVEN }).count(providers.len());
                let mut tags = self.tags.iter();
                for (provider, trapdoors) in providers {
                    provider.write(&mut writer);
                    writer.count(trapdoors.len());
                    let mut tags = tags.next().into_iter().flatten();
                    for trapdoor in trapdoors {
                        writer.raw(&trapdoor.0);
                        tags.next().into_iter().for_each(|tag| {
                            writer.raw(tag);
                        });
                    }
                }
            }
            Ask::Records(providers) => {
                writer.u8(1).count(providers.len());
                for (provider, handles) in providers {
                    provider.write(&mut writer);
                    writer.count(handles.len());
                    handles.iter().for_each(|&handle| {
                        writer.u128(handle);
                    });
                }
            }
            Ask::File(file) => {
                writer.u8(2).u128(*file);
            }
            Ask::Notes => {
                writer.u8(3);
            }
            Ask::Holdings(place) => {
                writer.u8(5);
                place.write(&mut writer);
            }
        }
        writer.u64(self.expiry).u128(self.id);
        self.issuer.write(&mut writer);
        writer.0
    }

    /// Reads a request and verifies that the issuer it names signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no request or name something twice,
    /// [`Error::TooMany`], [`Error::Signature`] if it is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Request)?;
        let mut tags = Vec::new();
        let ask = match reader.u8()? {
            0 => {
                let keywords = providers::<TRAPDOOR_LEN>(&mut reader, KEYWORDS)?;
                Ask::Keywords(each(keywords, Trapdoor))
            }
            PROVEN => {
                let keywords = providers::<{ TRAPDOOR_LEN + TAG_LEN }>(&mut reader, KEYWORDS)?;
                let tag = |item: &[u8; TRAPDOOR_LEN + TAG_LEN]| halves(item).1;
                tags = keywords.iter().map(|(_, items)| items.iter().map(tag).collect()).collect();
                if tags.is_empty() {
                    return Err(reader.fault().into()); // it would be written as another one
                }
                Ask::Keywords(each(keywords, |item| Trapdoor(halves(&item).0)))
            }
            1 => {
                let records = providers::<16>(&mut reader, "records of the request")?;
                Ask::Records(each(records, u128::from_le_bytes))
            }
            2 => Ask::File(reader.u128()?),
            3 => Ask::Notes,
            5 => Ask::Holdings(Node::read(&mut reader)?),
            _ => return Err(reader.fault().into()),
        };
        let (expiry, id) = (reader.u64()?, reader.u128()?);
        let issuer = Chain::read(&mut reader)?;
        envelope::close(reader, bytes, &owner, &issuer, None)?;
        Ok(Self { owner, ask, tags, expiry, id, issuer })
    }

    /// Checks that the request may be made at a time, in seconds since 1970, with an owner's
    /// announcement.
    ///
    /// # Errors
    ///
    /// [`Error::Expired`], [`Error::OtherOwner`], [`Error::Epoch`] if the issuer's keys are of an epoch
    /// that its group has left, [`Error::Scope`] if a provider is not at or below the issuer, or the
    /// owner asks for notes of its own, [`Error::Behind`] if a request for keywords leaves out a member
    /// that was announced.
    pub fn check(&self, announced: &Announced, now: u64) -> Result<(), Error> {
        announced.serves(WHAT, &self.owner)?;
        if now > self.expiry {
            return Err(Error::Expired { what: WHAT });
        }
        announced.accepts(&self.issuer.subject())?;
        match &self.ask {
            Ask::Keywords(providers) => {
                providers.iter().try_for_each(|(node, _)| self.reaches(node))?;
                self.names_all(providers, announced)
            }
            Ask::Records(providers) => {
                providers.iter().try_for_each(|(node, _)| self.reaches(node))
            }
            Ask::File(_) => Ok(()), // checked when it is found
            Ask::Notes if self.issuer.0.is_empty() => {
                let what = "notes, which providers have".to_owned();
                Err(Error::Scope { who: self.issuer.subject().to_string(), what })
            }
            Ask::Notes => Ok(()),
            Ask::Holdings(place) => {
                if !self.issuer.0.is_empty() && self.issuer.subject().held(place) {
                    return Ok(());
                }
                let what = format!("all files of {place}, which only it has");
                Err(Error::Scope { who: self.issuer.subject().to_string(), what })
            }
        }
    }

    /// Checks that a request for keywords, which is one to everybody below, leaves no member out.
    fn names_all(&self, providers: &Lists<Trapdoor>, announced: &Announced) -> Result<(), Error> {
        let issuer = self.issuer.subject();
        let named: HashSet<&Node> = providers.iter().map(|(node, _)| node).collect();
        for last in announced.iter() {
            let authority = &last.authority;
            if !issuer.holds(authority) || announced.accepts(authority).is_err() {
                continue;
            }
            for member in last.members.iter().filter(|member| member.last.is_none()) {
                if !named.contains(&authority.child_as_spelt(&member.name, last.epoch())?) {
                    return Err(Error::Behind { authority: authority.to_string() });
                }
            }
        }
        Ok(())
    }

    pub(crate) fn reaches(&self, provider: &Node) -> Result<(), Error> {
        let issuer = self.issuer.subject();
        if issuer.is_above(provider) {
            return Ok(());
        }
        let what = format!("files of {provider}");
        Err(Error::Scope { who: issuer.to_string(), what })
    }
}

/// The trapdoor and the tag of a keyword.
fn halves(item: &[u8; TRAPDOOR_LEN + TAG_LEN]) -> ([u8; TRAPDOOR_LEN], Tag) {
    let (mut trapdoor, mut tag) = ([0; TRAPDOOR_LEN], [0; TAG_LEN]);
    trapdoor.copy_from_slice(&item[..TRAPDOOR_LEN]);
    tag.copy_from_slice(&item[TRAPDOOR_LEN..]);
    (trapdoor, tag)
}

/// Providers with a list each.
type Lists<T> = Vec<(Node, Vec<T>)>;

/// Reads lists of items of some bytes; no provider and no item of a list comes twice.
fn providers<const N: usize>(
    reader: &mut Reader<'_>,
    what: &'static str,
) -> Result<Lists<[u8; N]>, Error> {
    let (mut providers, mut named) = (Vec::new(), BTreeSet::new());
    for _ in 0..at_most(MOST_PLACES, "providers of the request", reader.count(16)?)? {
        let provider = Node::read(reader)?;
        let count = at_most(MOST_NAMED, what, reader.count(N)?)?;
        let list = (0..count).map(|_| reader.array()).collect::<Result<Vec<_>, _>>()?;
        // Of a trapdoor, what stands first decides what is found.
        let distinct: BTreeSet<&[u8]> =
            list.iter().map(|item| &item[..N.min(LABEL_KEY_LEN)]).collect();
        if distinct.len() < count || !named.insert(provider.clone()) {
            return Err(reader.fault().into());
        }
        providers.push((provider, list));
    }
    Ok(providers)
}

fn each<T, const N: usize>(providers: Lists<[u8; N]>, item: fn([u8; N]) -> T) -> Lists<T> {
    let items = |list: Vec<[u8; N]>| list.into_iter().map(item).collect();
    providers.into_iter().map(|(provider, list)| (provider, items(list))).collect()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;
    use crate::message::signature::to_sign;
    use crate::wire;

    fn sent(ask: Ask) -> Result<Request, Error> {
        sent_with(ask, Vec::new())
    }

    fn sent_with(ask: Ask, tags: Vec<Vec<Tag>>) -> Result<Request, Error> {
        let key = SigningKey::from_bytes(&[1; 32]);
        let owner = Owner(key.verifying_key().to_bytes());
        let request = Request { owner, ask, tags, expiry: 0, id: 7, issuer: Chain::default() };
        let mut message = request.message();
        message.extend(key.sign(&to_sign(&message)).to_bytes());
        Request::decode(&message)
    }

    fn node(name: &str) -> Node {
        Node::root().child(name, 0).unwrap()
    }

    fn trapdoors(count: u32) -> Vec<Trapdoor> {
        let trapdoor = |number: u32| {
            let mut bytes = [0; TRAPDOOR_LEN];
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            Trapdoor(bytes)
        };
        (0..count).map(trapdoor).collect()
    }

    #[test]
    fn requests_survive_travelling() {
        for ask in [
            Ask::Keywords(vec![(node("a"), trapdoors(2)), (node("b"), trapdoors(2))]),
            Ask::Records(vec![(node("a"), (0..4096).collect()), (node("b"), vec![])]),
            Ask::File(5),
            Ask::Notes,
            Ask::Holdings(node("a")),
        ] {
            let read = sent(ask.clone()).unwrap();
            assert_eq!((read.ask, read.tags), (ask, vec![]));
        }
        let ask = Ask::Keywords(vec![(node("a"), trapdoors(2)), (node("b"), trapdoors(1))]);
        let tags = vec![vec![[1; TAG_LEN], [2; TAG_LEN]], vec![[3; TAG_LEN]]];
        let read = sent_with(ask.clone(), tags.clone()).unwrap();
        assert_eq!((read.ask, read.tags), (ask, tags));
    }

    #[test]
    fn what_is_named_twice_or_too_often_is_refused() {
        let double = |list: Vec<Trapdoor>| [&list[..], &list].concat();
        for ask in [
            Ask::Keywords(vec![(node("a"), double(trapdoors(1)))]),
            Ask::Keywords(vec![(node("a"), trapdoors(1)), (node("a"), trapdoors(2))]),
            Ask::Records(vec![(node("a"), vec![1, 2, 1])]),
            Ask::Records(vec![(node("a"), vec![1]), (node("b"), vec![1]), (node("a"), vec![2])]),
        ] {
            assert!(matches!(sent(ask), Err(Error::Wire(wire::Error::Format { .. }))));
        }
        let too_many = |what| Err(Error::TooMany { what, got: 4097, most: 4096 });
        let keywords = sent(Ask::Keywords(vec![(node("a"), trapdoors(4097))]));
        assert_eq!(keywords, too_many("keywords of the request"));
        let records = sent(Ask::Records(vec![(node("a"), (0..4097).collect())]));
        assert_eq!(records, too_many("records of the request"));
    }
}
