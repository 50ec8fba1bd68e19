//! Witnesses: who remembers what a cloud signed of an owner's log, and holds the cloud to it.

use super::Error;
use super::checkpoint::Checkpoint;
use super::entry::{self, Entry};
use super::pages::Audit;
use super::tree::is_beginning;
use crate::cloud::journal::What;
use crate::message::audit::{AuditRequest, Statement};
use crate::message::certificate::Owner;
use crate::message::limits::MOST_SEEN;
use crate::message::signature::VERIFICATION_KEY_LEN;
use crate::message::tree::{Hash, root_of};
use crate::wire::{Kind, Reader, Writer};

/// Checkpoints that a witness keeps.
const MOST_KEPT: usize = 1 << 10;

/// Who keeps the checkpoints of an owner's log at one cloud. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    owner: Owner,
    identity: Option<[u8; VERIFICATION_KEY_LEN]>,
    seen: Vec<Checkpoint>,
}

impl Witness {
    /// A witness that has seen nothing, of the cloud with an identity, or of the first that answers.
    #[must_use]
    pub fn new(owner: Owner, identity: Option<[u8; VERIFICATION_KEY_LEN]>) -> Self {
        Self { owner, identity, seen: Vec::new() }
    }

    /// Whose log it watches.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// The cloud's identity, once it is known.
    #[must_use]
    pub fn identity(&self) -> Option<[u8; VERIFICATION_KEY_LEN]> {
        self.identity
    }

    /// The checkpoints that are kept, ascending by size.
    #[must_use]
    pub fn seen(&self) -> &[Checkpoint] {
        &self.seen
    }

    /// Sizes that a request names: the last, and others that tell where a log was rewritten.
    #[must_use]
    pub fn sizes(&self) -> Vec<u64> {
        let step = self.seen.len().div_ceil(MOST_SEEN - 2).max(1);
        let last = self.seen.last().map(|checkpoint| checkpoint.size);
        let mut sizes: Vec<u64> = self.seen.iter().step_by(step).map(|seen| seen.size).collect();
        sizes.extend(last);
        sizes.dedup();
        sizes
    }

    /// Takes another witness's checkpoint as one that the log must go on from, if it is not known.
    ///
    /// # Errors
    ///
    /// [`Error::Entries`] if it is of another owner, [`Error::OtherIdentity`], [`Error::Fork`] if this witness
    /// has another one of that size.
    pub fn check(&self, other: &Checkpoint) -> Result<(), Error> {
        if other.owner != self.owner {
            return Err(Error::Entries { why: "a checkpoint is of another owner's log" });
        }
        if self.identity.is_some_and(|identity| identity != other.identity) {
            return Err(Error::OtherIdentity { what: "a checkpoint" });
        }
        match self.of_size(other.size) {
            Some(own) if own.root != other.root => Err(Error::Fork { size: other.size }),
            _ => Ok(()),
        }
    }

    fn of_size(&self, size: u64) -> Option<&Checkpoint> {
        let found = self.seen.binary_search_by_key(&size, |seen| seen.size).ok()?;
        self.seen.get(found)
    }

    /// Reads what answers its own request, and keeps the checkpoint in it; returns the entries that were asked
    /// for, as far as they were given, and where they begin. Beside what it has seen itself, the log must go
    /// on from checkpoints of others whose sizes are in the request. Nothing is kept where something is wrong.
    ///
    /// # Errors
    ///
    /// [`wire::Error`](crate::wire::Error) if the answer is none,
    /// [`message::Error::Signature`](crate::message::Error::Signature), [`Error::OtherIdentity`],
    /// [`Error::Shorter`], [`Error::Rewritten`], [`Error::Fork`], [`Error::Entries`].
    pub fn read(
        &mut self,
        request: &AuditRequest,
        answer: &[u8],
        others: &[Checkpoint],
    ) -> Result<Vec<Entry>, Error> {
        let audit = Audit::decode(answer)?;
        if audit.request != request.id || audit.proofs.len() != request.since.len() {
            return Err(Error::Entries { why: "they answer another request" });
        }
        let now = Checkpoint::decode(&audit.checkpoint)?;
        for checkpoint in others.iter().chain([&now]) {
            self.check(checkpoint)?;
        }
        if others.iter().any(|other| other.identity != now.identity) {
            return Err(Error::OtherIdentity { what: "the audit" });
        }
        self.goes_on(request, &audit, &now, others)?;
        let entries = self.entries(request, &audit, &now)?;
        self.identity = Some(now.identity);
        if self.seen.last().is_none_or(|last| last.size < now.size) {
            self.seen.push(now);
        }
        if self.seen.len() > MOST_KEPT {
            let last = self.seen.len() - 1;
            let mut at = 0..;
            self.seen.retain(|_| at.next().is_some_and(|at| at % 2 == 0 || at == last));
        }
        Ok(entries)
    }

    /// Checks that a log goes on from everything that was seen of it.
    fn goes_on(
        &self,
        request: &AuditRequest,
        audit: &Audit,
        now: &Checkpoint,
        others: &[Checkpoint],
    ) -> Result<(), Error> {
        let last = self.seen.last().into_iter().chain(others);
        let seen = last.clone().map(|seen| seen.size).max().unwrap_or(0);
        if now.size < seen {
            return Err(Error::Shorter { size: now.size, seen });
        }
        let mut after = 0;
        for (&size, proof) in request.since.iter().zip(&audit.proofs) {
            let known = self.of_size(size).into_iter();
            let mut known =
                known.chain(others.iter().filter(|other| other.size == size)).peekable();
            if known.peek().is_none() {
                return Err(Error::Entries { why: "the request names what was not seen" });
            }
            for before in known {
                if !is_beginning((size, &before.root), (now.size, &now.root), proof) {
                    return Err(Error::Rewritten { seen, after });
                }
            }
            after = size;
        }
        if last.into_iter().any(|last| !request.since.contains(&last.size)) {
            return Err(Error::Entries { why: "the request does not name what was seen last" });
        }
        Ok(())
    }

    fn entries(
        &self,
        request: &AuditRequest,
        audit: &Audit,
        now: &Checkpoint,
    ) -> Result<Vec<Entry>, Error> {
        let wrong = |why| Error::Entries { why };
        if !Audit::is_wanted(request) {
            let is_bare = audit.entries.is_empty() && audit.path.is_empty();
            return if is_bare { Ok(Vec::new()) } else { Err(wrong("none were asked for")) };
        }
        if audit.from != request.from {
            return Err(wrong("others were asked for"));
        }
        if audit.entries.is_empty() {
            let is_end = request.from == now.size && audit.path.is_empty();
            return if is_end { Ok(Vec::new()) } else { Err(wrong("there are more")) };
        }
        let leaves: Vec<Hash> = audit.entries.iter().map(|entry| entry::leaf(entry)).collect();
        if root_of(now.size, audit.from, &leaves, &audit.path) != Some(now.root) {
            return Err(wrong("they do not lead to the root"));
        }
        let mut entries = Vec::with_capacity(leaves.len());
        for ((bytes, number), before) in audit
            .entries
            .iter()
            .zip(audit.from..)
            .zip([None].into_iter().chain(leaves.iter().map(Some)))
        {
            let entry = Entry::decode(bytes)?;
            if entry.owner != self.owner || entry.number != number {
                return Err(wrong("one is in another's place"));
            }
            if before.is_some_and(|before| entry.link != *before) {
                return Err(wrong("one does not follow the one before it"));
            }
            if let What::Stated(what) = entry.event.what {
                let stated = Statement::decode(&entry.event.statement)?;
                let is_same = stated.what == what
                    && stated.owner == self.owner
                    && stated.digest == entry.event.digest
                    && stated.issuer.subject().path() == entry.event.who;
                if !is_same {
                    return Err(wrong("a statement is not what the cloud says of it"));
                }
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// The witness as a file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Witness);
        writer.raw(&self.owner.0);
        match &self.identity {
            Some(identity) => writer.u8(1).raw(identity),
            None => writer.u8(0),
        };
        writer.count(self.seen.len());
        self.seen.iter().for_each(|seen| {
            writer.bytes(&seen.encode());
        });
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error`](crate::wire::Error),
    /// [`message::Error::Signature`](crate::message::Error::Signature) if a checkpoint was changed.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Witness)?;
        let owner = Owner(reader.array()?);
        let identity = match reader.u8()? {
            0 => None,
            1 => Some(reader.array()?),
            _ => return Err(reader.fault().into()),
        };
        let mut seen: Vec<Checkpoint> = Vec::new();
        for _ in 0..reader.count(8)? {
            let checkpoint = Checkpoint::decode(reader.bytes()?)?;
            let is_next = seen.last().is_none_or(|last| last.size < checkpoint.size);
            let is_own = checkpoint.owner == owner && Some(checkpoint.identity) == identity;
            if !is_next || !is_own || seen.len() > MOST_KEPT {
                return Err(reader.fault().into());
            }
            seen.push(checkpoint);
        }
        reader.end()?;
        Ok(Self { owner, identity, seen })
    }
}
