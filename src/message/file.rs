//! Attachments on their way: what a provider sends, what is stored, and requests for them.
//!
//! A provider sends one signed message per file; whoever asks sends one signed request, with trapdoors
//! for every provider it reaches, with handles of records, or with the number of one file. A search
//! returns descriptions without bodies; a body moves only when its file is fetched, and alone.
//!
//! # Leakage
//!
//! That of [`super::trapdoor`]; which record a file belongs to, its size, when it came and is fetched.

use super::trapdoor::{Entry, TRAPDOOR_LEN, Trapdoor};
use crate::Error;
use crate::message::announcement::Announcement;
use crate::message::certificate::{Chain, Owner};
use crate::message::place::Node;
use crate::message::signature::verify;
use crate::wire::{Kind, Reader, Writer};

const FILE: &str = "the file";
const REQUEST: &str = "the request";

/// A file that a provider sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUpload {
    /// Where it belongs, with its body.
    pub listed: Listed,
    /// What it is found by, in the order of the labels.
    pub entries: Vec<Entry>,
    /// The provider's certificates.
    pub chain: Chain,
}

/// A stored file: described, and with its body when it was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Whose it is.
    pub owner: Owner,
    /// The provider that sent it.
    pub provider: Node,
    /// The record it belongs to.
    pub handle: u128,
    /// Its number.
    pub file: u128,
    /// What it is called, sealed.
    pub description: Vec<u8>,
    /// What it holds, sealed.
    pub body: Option<Vec<u8>>,
}

impl Listed {
    fn write(&self, writer: &mut Writer) {
        writer.raw(&self.owner.0);
        self.provider.write(writer);
        writer.u128(self.handle).u128(self.file).bytes(&self.description);
        match &self.body {
            Some(body) => writer.u8(1).bytes(body),
            None => writer.u8(0),
        };
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let owner = Owner(reader.array()?);
        let provider = Node::read(reader)?;
        let (handle, file) = (reader.u128()?, reader.u128()?);
        let description = reader.bytes()?.to_vec();
        let body = match reader.u8()? {
            0 => None,
            1 => Some(reader.bytes()?.to_vec()),
            _ => return Err(reader.fault().into()),
        };
        Ok(Self { owner, provider, handle, file, description, body })
    }

    /// The file as it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::StoredFile);
        self.write(&mut writer);
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no stored file.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::StoredFile)?;
        let listed = Self::read(&mut reader)?;
        reader.end()?;
        Ok(listed)
    }

    pub(crate) fn without_body(&self) -> Self {
        let Self { owner, provider, handle, file, description, body: _ } = self;
        let (provider, description) = (provider.clone(), description.clone());
        Self { owner: *owner, provider, handle: *handle, file: *file, description, body: None }
    }
}

impl FileUpload {
    /// What the provider signs.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Attachment);
        self.listed.write(&mut writer);
        writer.count(self.entries.len());
        for entry in &self.entries {
            writer.u128(entry.label).u128(entry.masked);
        }
        self.chain.write(&mut writer);
        writer.0
    }

    /// Reads a file and verifies that the provider it names signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no file, [`Error::Signature`] if it is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Attachment)?;
        let listed = Listed::read(&mut reader)?;
        if listed.body.is_none() {
            return Err(reader.fault().into());
        }
        let mut entries: Vec<Entry> = Vec::new();
        for _ in 0..reader.count(32)? {
            let entry = Entry { label: reader.u128()?, masked: reader.u128()? };
            if entries.last().is_some_and(|last| last.label >= entry.label) {
                return Err(reader.fault().into());
            }
            entries.push(entry);
        }
        let chain = Chain::read(&mut reader)?;
        let message = &bytes[..reader.position()];
        let signature = reader.array()?;
        reader.end()?;
        if chain.subject() != listed.provider || chain.0.is_empty() {
            return Err(Error::Signature { what: FILE });
        }
        verify(&chain.verify(&listed.owner)?, message, &signature, FILE)?;
        Ok(Self { listed, entries, chain })
    }

    /// Checks that an owner's announcement admits it.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOwner`], or [`Error::Epoch`] if the provider's group has left its epoch.
    pub fn check(&self, announcement: &Announcement) -> Result<(), Error> {
        if self.listed.owner != announcement.owner {
            return Err(Error::OtherOwner { what: FILE });
        }
        announcement.accepts(&self.listed.provider)
    }
}

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
pub struct FileRequest {
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

impl FileRequest {
    /// What the issuer signs.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Request);
        writer.raw(&self.owner.0);
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
        let mut reader = Reader::new(bytes, Kind::Request)?;
        let owner = Owner(reader.array()?);
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
        let message = &bytes[..reader.position()];
        let signature = reader.array()?;
        reader.end()?;
        verify(&issuer.verify(&owner)?, message, &signature, REQUEST)?;
        Ok(Self { owner, ask, expiry, id, issuer })
    }

    /// Checks that the request may be made at a time, in seconds since 1970, with an owner's
    /// announcement.
    ///
    /// # Errors
    ///
    /// [`Error::Expired`], [`Error::OtherOwner`], [`Error::Epoch`] if the issuer's keys are of an epoch
    /// that its group has left, or [`Error::Scope`] if a provider is not at or below the issuer.
    pub fn check(&self, announcement: &Announcement, now: u64) -> Result<(), Error> {
        if self.owner != announcement.owner {
            return Err(Error::OtherOwner { what: REQUEST });
        }
        if now > self.expiry {
            return Err(Error::Expired);
        }
        announcement.accepts(&self.issuer.subject())?;
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
        if issuer.holds(provider) {
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
