//! Requests for attachments: by keywords, by records, or for one with its body.
//!
//! Whoever asks sends one signed request, with trapdoors for every provider it reaches, with handles of
//! records, or with the number of one stored file.
//!
//! # Leakage
//!
//! That of [`super::trapdoor`]; which records are asked about, and who asks.

use super::Error;
use super::announcement::Announced;
use super::certificate::{Chain, Owner};
use super::envelope;
use super::place::Node;
use super::trapdoor::{TRAPDOOR_LEN, Trapdoor};
use crate::wire::{Kind, Reader};

const WHAT: &str = "the request";

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The files of some providers that have all of the keywords.
    Keywords(Vec<(Node, Vec<Trapdoor>)>),
    /// The files of some records.
    Records(Vec<(Node, Vec<u128>)>),
    /// One file with its body.
    File(u128),
}

/// A signed request for files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The owner whose files are asked for.
    pub owner: Owner,
    /// What is asked for.
    pub ask: Ask,
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
                writer.u8(0).count(providers.len());
                for (provider, trapdoors) in providers {
                    provider.write(&mut writer);
                    writer.count(trapdoors.len());
                    trapdoors.iter().for_each(|trapdoor| {
                        writer.raw(&trapdoor.0);
                    });
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
        }
        writer.u64(self.expiry).u128(self.id);
        self.issuer.write(&mut writer);
        writer.0
    }

    /// Reads a request and verifies that the issuer it names signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no request, [`Error::Signature`] if it is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Request)?;
        let ask = match reader.u8()? {
            0 => Ask::Keywords(providers(&mut reader, TRAPDOOR_LEN, |reader| {
                Ok(Trapdoor(reader.array()?))
            })?),
            1 => Ask::Records(providers(&mut reader, 16, |reader| Ok(reader.u128()?))?),
            2 => Ask::File(reader.u128()?),
            _ => return Err(reader.fault().into()),
        };
        let (expiry, id) = (reader.u64()?, reader.u128()?);
        let issuer = Chain::read(&mut reader)?;
        envelope::close(reader, bytes, &owner, &issuer, None)?;
        Ok(Self { owner, ask, expiry, id, issuer })
    }

    /// Checks that the request may be made at a time, in seconds since 1970, with an owner's
    /// announcement.
    ///
    /// # Errors
    ///
    /// [`Error::Expired`], [`Error::OtherOwner`], [`Error::Epoch`] if the issuer's keys are of an epoch
    /// that its group has left, or [`Error::Scope`] if a provider is not at or below the issuer.
    pub fn check(&self, announced: &Announced, now: u64) -> Result<(), Error> {
        announced.serves(WHAT, &self.owner)?;
        if now > self.expiry {
            return Err(Error::Expired);
        }
        announced.accepts(&self.issuer.subject())?;
        match &self.ask {
            Ask::Keywords(providers) => {
                providers.iter().try_for_each(|(node, _)| self.reaches(node))
            }
            Ask::Records(providers) => {
                providers.iter().try_for_each(|(node, _)| self.reaches(node))
            }
            Ask::File(_) => Ok(()), // checked when it is found
        }
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

/// Providers with a list each.
fn providers<T>(
    reader: &mut Reader<'_>,
    size: usize,
    read: impl Fn(&mut Reader<'_>) -> Result<T, Error>,
) -> Result<Vec<(Node, Vec<T>)>, Error> {
    let mut providers = Vec::new();
    for _ in 0..reader.count(16)? {
        let provider = Node::read(reader)?;
        let count = reader.count(size)?;
        let list = (0..count).map(|_| read(reader)).collect::<Result<_, _>>()?;
        providers.push((provider, list));
    }
    Ok(providers)
}
