//! What answers a request to read a log.

use super::Error;
use crate::message::audit::AuditRequest;
use crate::message::limits::{MOST_AUDITED, MOST_SEEN, at_most};
use crate::message::tree::{DIGEST_LEN, Hash};
use crate::wire::{Kind, Reader, Writer};

/// Bytes of entries that are given at once, beside one entry.
pub(super) const PAGE_BYTES: u64 = 1 << 20;

/// Nodes of a path or proof, at most.
const MOST_NODES: usize = 128;

/// Entries of a log, and what shows that they are its own, and that it goes on from what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Audit {
    /// The number of the request.
    pub request: u128,
    /// The log as it is now, signed.
    pub checkpoint: Vec<u8>,
    /// What shows that it goes on from each size in the request; nothing from those that it has not.
    pub proofs: Vec<Vec<Hash>>,
    /// The first entry that is given.
    pub from: u64,
    /// The entries.
    pub entries: Vec<Vec<u8>>,
    /// What leads from them to the root.
    pub path: Vec<Hash>,
}

fn write_nodes(writer: &mut Writer, nodes: &[Hash]) {
    writer.count(nodes.len());
    nodes.iter().for_each(|node| {
        writer.raw(node);
    });
}

fn read_nodes(reader: &mut Reader<'_>) -> Result<Vec<Hash>, Error> {
    let count = at_most(MOST_NODES, "nodes of the proof", reader.count(DIGEST_LEN)?)?;
    Ok((0..count).map(|_| reader.array()).collect::<Result<_, _>>()?)
}

impl Audit {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Audit);
        writer.u128(self.request).bytes(&self.checkpoint).count(self.proofs.len());
        self.proofs.iter().for_each(|proof| write_nodes(&mut writer, proof));
        writer.u64(self.from).count(self.entries.len());
        self.entries.iter().for_each(|entry| {
            writer.bytes(entry);
        });
        write_nodes(&mut writer, &self.path);
        writer.0
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Audit)?;
        let (request, checkpoint) = (reader.u128()?, reader.bytes()?.to_vec());
        let count = at_most(MOST_SEEN, "proofs of the audit", reader.count(8)?)?;
        let proofs = (0..count).map(|_| read_nodes(&mut reader)).collect::<Result<_, Error>>()?;
        let from = reader.u64()?;
        let count = at_most(MOST_AUDITED, "entries of the audit", reader.count(8)?)?;
        let entries = (0..count).map(|_| Ok(reader.bytes()?.to_vec()));
        let entries = entries.collect::<Result<_, Error>>()?;
        let path = read_nodes(&mut reader)?;
        reader.end()?;
        Ok(Self { request, checkpoint, proofs, from, entries, path })
    }

    /// Whether a request wants entries.
    pub(super) fn is_wanted(request: &AuditRequest) -> bool {
        request.from != AuditRequest::NO_ENTRIES
    }
}
