//! Owners and providers: who holds which keys, and what they do with them.
//!
//! Both are a *keyring*: a node of the owner's hierarchy, its key, and the rulers of the group it
//! belongs to. The owner is the node at the top, with no group above. From its key a node derives
//! everything below, and nothing above or beside:
//!
//! ```text
//! key of a child      = child(key, "node", name, epoch of the node)
//! ruler of a field    = child(key of the authority, "ruler", field, epoch of the authority)
//! placement, handles, records,
//! keywords, signatures = child(key, "place" | "handle" | "record" | "keyword" | "sign", ...)
//! ```
//!
//! MOPSE is the hierarchy of depth 1, MOPSE+ any deeper one.
//!
//! # Leakage
//!
//! A provider that also sees the cloud's store finds every entry of its group, of all providers, to
//! the cell, because it holds the rulers. It opens no record outside its subtree and forges no entry.
//!
//! # Sources
//!
//! Our reconstruction of the interface of Yao, Lin, Liu and Zhang, IEEE Access 6, 2018 (MOPSE and
//! MOPSE+), whose construction we have not seen.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ed25519_dalek::{Signer, SigningKey};
use rayon::prelude::*;

use crate::Error;
use crate::batch;
use crate::certificate::{Announcement, Certificate, Chain, Owner, SIGNATURE_LEN, to_sign};
use crate::cipher::Algorithm;
use crate::domain::Schema;
use crate::file::{self, Description, Place};
use crate::index::files::{Ask, FileRequest, FileUpload, Listed};
use crate::index::search::{Predicate, Run};
use crate::index::upload::Upload;
use crate::keys::{Key, Purpose, fill_random};
use crate::keyword::{self, Counts};
use crate::operations::{Operation, count};
use crate::path::{Group, Node};
use crate::record::{self, Column, Ids, Opener, Origin};
use crate::scheme::Scheme;
use crate::scheme::mopse::{Handle, Mopse};
use crate::scheme::ruler::Ruler;
use crate::token::{Scope, Token};
use crate::wire::{Reader, Writer};

/// The plaintexts of one field of a table: which rows hold a value, and its plaintext.
#[derive(Debug, Clone, Copy)]
pub struct Indexed<'a> {
    /// The field's name.
    pub field: &'a str,
    /// Row numbers.
    pub rows: &'a [u32],
    /// The plaintext of each.
    pub plaintexts: &'a [i64],
}

/// A range of plaintexts of one field, both bounds included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The field's name.
    pub field: String,
    /// The lowest plaintext.
    pub low: i64,
    /// The highest plaintext.
    pub high: i64,
}

/// The first and the last ciphertext of each cell of a field.
pub type Spans = Vec<(i64, i64)>;

/// The version of what a keyring writes. Version 1 knew of no files: neither counts nor who ever was.
const KEYRING_VERSION: u8 = 2;

/// The keys of an owner or a provider, and what it knows of the hierarchy below.
pub struct Keyring {
    owner: Owner,
    schema: Schema,
    node: Node,
    key: Key,
    /// The ruler keys of the own group, one per field; none for the owner.
    rulers: Vec<Key>,
    chain: Chain,
    below: Below,
    /// How often each keyword was used in files that were attached.
    counts: Counts,
    cache: Mutex<HashMap<(Group, usize), Arc<Ruler>>>,
    /// What the node signs with: derived from its key once, and wiped with the keyring.
    signer: OnceLock<SigningKey>,
}

/// What is known of the hierarchy from a node on; all of it public.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Below {
    /// Who is authorised.
    members: BTreeSet<Node>,
    /// Nodes that have left epoch 0.
    epochs: BTreeMap<Node, u32>,
    /// Groups that ever were, in every epoch.
    groups: BTreeSet<Group>,
    /// Members that ever were, in every epoch.
    ever: BTreeSet<Node>,
    /// How often something was revoked.
    revocations: u64,
}

impl Below {
    fn epoch(&self, node: &Node) -> u32 {
        self.epochs.get(node).copied().unwrap_or(0)
    }

    fn add(&mut self, node: &Node) {
        self.groups.extend(Group::of(node));
        self.ever.insert(node.clone());
        self.members.insert(node.clone());
    }

    /// Brings a node to a later epoch; returns the members it leaves behind.
    fn advance(&mut self, authority: &Node, epoch: u32) -> BTreeSet<Node> {
        let depth = authority.names().len();
        let (left, kept) = std::mem::take(&mut self.members).into_iter().partition(|member| {
            authority.holds(member) && member.epochs().get(depth).is_some_and(|&old| old < epoch)
        });
        self.members = kept;
        self.epochs.insert(authority.clone(), epoch);
        self.revocations += 1;
        left
    }

    /// The part that concerns a node and what is below it.
    fn from(&self, node: &Node) -> Self {
        Self {
            members: self.members.iter().filter(|m| *m != node && node.holds(m)).cloned().collect(),
            epochs: self
                .epochs
                .iter()
                .filter(|(n, _)| node.holds(n))
                .map(|(n, e)| (n.clone(), *e))
                .collect(),
            groups: self.groups.iter().filter(|g| node.holds(&g.authority)).cloned().collect(),
            ever: self.ever.iter().filter(|m| *m != node && node.holds(m)).cloned().collect(),
            revocations: self.revocations,
        }
    }
}

impl Keyring {
    /// A new owner with a random root key.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`] if the operating system gives none.
    pub fn generate(schema: Schema) -> Result<Self, Error> {
        Ok(Self::root(Key::generate()?, schema))
    }

    /// The owner with this root key.
    #[must_use]
    pub fn root(key: Key, schema: Schema) -> Self {
        let owner = Owner(signing_key(&key).verifying_key().to_bytes());
        Self {
            owner,
            schema,
            node: Node::root(),
            key,
            rulers: Vec::new(),
            chain: Chain::default(),
            below: Below::default(),
            counts: Counts::new(),
            cache: Mutex::default(),
            signer: OnceLock::new(),
        }
    }

    /// The owner whose hierarchy it is.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// The fields.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Its place in the hierarchy.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Its certificates; none for the owner.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Everyone known to be authorised below it.
    pub fn members(&self) -> impl Iterator<Item = &Node> {
        self.below.members.iter()
    }

    /// The groups below it, in every epoch: whom a query over its subtree needs a token for.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.below.groups.iter()
    }

    /// The known member with a path.
    fn member(&self, path: &[&str]) -> Result<Node, Error> {
        let mut node = self.node.clone();
        for name in path {
            node = node.child(name, self.below.epoch(&node))?;
            if !self.below.members.contains(&node) {
                return Err(Error::UnknownProvider { provider: node.path() });
            }
        }
        Ok(node)
    }

    /// Authorises a provider below an authorised one (or directly below, with an empty path), and
    /// returns its keyring. Who is authorised already gets the same keys again.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] if there can be no such name, [`Error::UnknownProvider`] if the place above
    /// was not authorised.
    pub fn authorize(&mut self, name: &str, under: &[&str]) -> Result<Self, Error> {
        let authority = self.member(under)?;
        let node = authority.child(name, self.below.epoch(&authority))?;
        let keyring = self.keyring_of(&node)?;
        self.below.add(&node);
        Ok(Self { below: self.below.from(&node), ..keyring })
    }

    /// The keyring of a node below this one.
    fn keyring_of(&self, node: &Node) -> Result<Self, Error> {
        let (authority, _) = node.parent().ok_or_else(|| self.out_of_reach(node.to_string()))?;
        let epoch = node.epochs().last().copied().unwrap_or(0);
        let authority_key = self.key_of(&authority)?;
        let rulers = (0..self.schema.fields().len())
            .map(|field| ruler_key(&authority_key, &self.schema, field, epoch));
        Ok(Self {
            owner: self.owner,
            schema: self.schema.clone(),
            node: node.clone(),
            key: self.key_of(node)?,
            rulers: rulers.collect(),
            chain: self.chain_of(node)?,
            below: Below::default(),
            counts: Counts::new(),
            cache: Mutex::default(),
            signer: OnceLock::new(),
        })
    }

    /// The key of a node at or below this one.
    fn key_of(&self, node: &Node) -> Result<Key, Error> {
        if !self.node.holds(node) {
            return Err(self.out_of_reach(node.to_string()));
        }
        let from = self.node.names().len();
        let steps = node.names()[from..].iter().zip(&node.epochs()[from..]);
        Ok(steps.fold(self.key.clone(), |key, (name, &epoch)| {
            key.child(Purpose::Node, name.as_bytes(), epoch)
        }))
    }

    /// The certificates of a node below this one.
    fn chain_of(&self, node: &Node) -> Result<Chain, Error> {
        let mut chain = self.chain.clone();
        let mut above = self.node.clone();
        let from = self.node.names().len();
        for (name, &epoch) in node.names()[from..].iter().zip(&node.epochs()[from..]) {
            let signer = signing_key(&self.key_of(&above)?);
            let subject = above.child(name, epoch)?;
            let key = signing_key(&self.key_of(&subject)?).verifying_key().to_bytes();
            let message = Certificate::message(&self.owner, &subject, &key);
            let signature = sign(&signer, &message);
            chain.0.push(Certificate { subject: subject.clone(), key, signature });
            above = subject;
        }
        Ok(chain)
    }

    fn out_of_reach(&self, what: String) -> Error {
        Error::Scope { who: self.node.to_string(), what }
    }

    /// Removes a provider and everyone below it, and advances the epoch of its authority.
    ///
    /// Its siblings stay members, but their old keys are of the old epoch: they must be authorised
    /// again to get new ones. What was uploaded before stays readable to who could read it.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProvider`] if there is no such provider.
    pub fn revoke(&mut self, path: &[&str]) -> Result<(), Error> {
        let removed = self.member(path)?;
        let Some((authority, _)) = removed.parent() else {
            return Err(Error::UnknownProvider { provider: String::new() });
        };
        let epoch = self.below.epoch(&authority);
        let next = epoch.checked_add(1).ok_or(Error::Size {
            what: "the epoch",
            got: u64::from(epoch),
            expected: "below 2^32 - 1",
        })?;
        let depth = authority.names().len();
        let left = self.below.advance(&authority, next);
        for member in left.iter().filter(|member| !removed.holds(member)) {
            let mut node = authority.clone();
            for name in &member.names()[depth..] {
                node = node.child(name, self.below.epoch(&node))?;
            }
            self.below.add(&node);
        }
        Ok(())
    }

    /// Learns of a provider below this one from its certificates, so that queries reach its group.
    ///
    /// Certificates of a later epoch than is known tell that an authority below has removed someone.
    /// That authority's other members are then known again when they are learned or authorised anew.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOwner`] if they are of another owner, [`Error::Scope`] if the provider is not
    /// below this one. Whoever made the chain has verified it in [`Chain::decode`].
    pub fn learn(&mut self, owner: Owner, chain: &Chain) -> Result<(), Error> {
        if owner != self.owner {
            return Err(Error::OtherOwner { what: "the certificate chain" });
        }
        chain.verify(&owner)?;
        let subject = chain.subject();
        if subject == self.node || !self.node.holds(&subject) {
            return Err(self.out_of_reach(subject.to_string()));
        }
        let mut is_current = true;
        for Certificate { subject, .. } in &chain.0[self.node.names().len()..] {
            let Some(group) = Group::of(subject) else { continue };
            let known = self.below.epoch(&group.authority);
            is_current &= group.epoch >= known;
            if is_current && group.epoch > known {
                self.below.advance(&group.authority, group.epoch);
            }
            if is_current {
                self.below.members.insert(subject.clone());
            }
            self.below.groups.insert(group);
            self.below.ever.insert(subject.clone());
        }
        Ok(())
    }

    /// What a cloud enrols: the owner's verification key, schema and epochs, signed.
    ///
    /// # Errors
    ///
    /// [`Error::Scope`] if this is not the owner.
    pub fn announcement(&self) -> Result<Vec<u8>, Error> {
        if self.node != Node::root() {
            return Err(self.out_of_reach(Node::root().to_string()));
        }
        let announcement = Announcement {
            owner: self.owner,
            schema: self.schema.digest(),
            number: self.below.revocations,
            epochs: self.below.epochs.clone(),
        };
        Ok(self.signed(announcement.message()))
    }

    fn signer(&self) -> &SigningKey {
        self.signer.get_or_init(|| signing_key(&self.key))
    }

    /// Signs messages that travel apart with one signature.
    fn signed_together(&self, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
        batch::sign(messages, |root| sign(self.signer(), root))
    }

    fn signed(&self, mut message: Vec<u8>) -> Vec<u8> {
        message.extend(sign(self.signer(), &message));
        message
    }

    fn field(&self, name: &str) -> Result<usize, Error> {
        let position = self.schema.fields().iter().position(|(field, _)| field == name);
        position.ok_or_else(|| Error::UnknownField { field: name.to_owned() })
    }

    /// The ruler of a field in the own group or a group below.
    fn ruler(&self, group: &Group, field: usize) -> Result<Arc<Ruler>, Error> {
        let place = (group.clone(), field);
        let known = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        if let Some(ruler) = known {
            return Ok(ruler);
        }
        let key = match self.rulers.get(field) {
            Some(key) if Group::of(&self.node).as_ref() == Some(group) => key.clone(),
            _ => ruler_key(&self.key_of(&group.authority)?, &self.schema, field, group.epoch),
        };
        let definition = &self.schema.fields()[field].1;
        let ruler = Arc::new(Ruler::new(&key, definition.plaintexts(), definition.cell())?);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(place, Arc::clone(&ruler));
        Ok(ruler)
    }

    /// How this provider encrypts the entries of a field.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownField`] if the schema lacks it, [`Error::Scope`] if this is the owner, who
    /// belongs to no group.
    pub fn mopse(&self, field: &str) -> Result<Mopse, Error> {
        let position = self.field(field)?;
        let group = Group::of(&self.node).ok_or_else(|| self.out_of_reach("a group".to_owned()))?;
        let place = self.key.child(Purpose::Place, field.as_bytes(), 0);
        Ok(Mopse::new(self.ruler(&group, position)?, &place))
    }

    /// Returns, for every group in reach, the first and the last ciphertext of each cell of a field:
    /// what this keyring tells whoever holds it about all entries of those groups. Secret.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownField`] if the schema lacks it.
    pub fn spans(&self, field: &str) -> Result<Vec<(Group, Spans)>, Error> {
        let position = self.field(field)?;
        let own = Group::of(&self.node);
        let spans = |group: &Group| {
            let ruler = self.ruler(group, position)?;
            let lowest = (0..ruler.cells()).map(|cell| (cell * ruler.cell()).cast_signed());
            let spans = lowest.map(|plaintext| ruler.bounds(plaintext, plaintext));
            Ok((group.clone(), spans.collect::<Result<_, _>>()?))
        };
        own.iter().chain(&self.below.groups).map(spans).collect()
    }

    /// Returns the pseudonym of every record id.
    #[must_use]
    pub fn handles(&self, ids: Ids<'_>) -> Vec<Handle> {
        ids.handles(&self.key.child(Purpose::Handle, b"", 0))
    }

    /// Seals the rows of a table and encrypts their index entries into one signed upload.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateId`] names the second row of an id, [`Error::Length`] a column of another
    /// length, [`Error::UnknownField`], [`Error::OutOfDomain`], [`Error::Scope`] for the owner, who
    /// uploads nothing.
    pub fn upload(
        &self,
        columns: &[Column<'_>],
        ids: Ids<'_>,
        indexed: &[Indexed<'_>],
        sequence: u64,
    ) -> Result<Vec<u8>, Error> {
        let count = ids.count();
        if u32::try_from(count).is_err() || count == 0 {
            let (got, expected) = (count as u64, "1 to 2^32 - 1");
            return Err(Error::Size { what: "the number of rows", got, expected });
        }
        for column in columns {
            for got in [column.rows(), column.is_valid.len()] {
                if got != count {
                    return Err(Error::Length { what: "a column", expected: count, got });
                }
            }
        }
        let handles = self.handles(ids);
        let mut order: Vec<(Handle, usize)> =
            handles.iter().enumerate().map(|(row, &handle)| (handle, row)).collect();
        order.par_sort_unstable();
        if let Some(row) =
            order.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).min()
        {
            return Err(Error::DuplicateId { row });
        }
        let mut numbers = vec![0_u32; count];
        for (number, &(_, row)) in (0..).zip(&order) {
            numbers[row] = number;
        }

        let mut runs = Vec::with_capacity(indexed.len());
        for &Indexed { field, rows, plaintexts } in indexed {
            let mopse = self.mopse(field)?;
            let rows: Vec<usize> =
                rows.iter().filter_map(|&row| usize::try_from(row).ok()).collect();
            if let Some(&row) = rows.iter().find(|&&row| row >= count) {
                let got = row as u64;
                return Err(Error::Size { what: "a row number", got, expected: "below the rows" });
            }
            let of_rows: Vec<Handle> = rows.iter().map(|&row| handles[row]).collect();
            let mut ciphertexts = vec![0; plaintexts.len()];
            mopse.encrypt_batch(plaintexts, &of_rows, &mut ciphertexts)?;
            let mut entries: Vec<(i64, u32)> =
                ciphertexts.into_iter().zip(rows.iter().map(|&row| numbers[row])).collect();
            entries.par_sort_unstable();
            let (ciphertexts, records) = entries.into_iter().unzip();
            runs.push(Run { field: field.to_owned(), ciphertexts, records });
        }

        let origin = Origin { owner: &self.owner, provider: &self.node };
        let record_key = self.key.child(Purpose::Record, b"", 0);
        let sealed = record::seal(&record_key, origin, columns, &order)?;
        let upload = Upload {
            owner: self.owner,
            provider: self.node.clone(),
            schema: self.schema.digest(),
            sequence,
            handles: Arc::new(order.into_iter().map(|(handle, _)| handle).collect()),
            layout: sealed.layout,
            records: Arc::new(sealed.records),
            runs: Arc::new(runs),
            chain: self.chain.clone(),
        };
        Ok(self.signed(upload.message()))
    }

    /// Makes the tokens of one [`query`](Self::query), and leaves out its number.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query).
    pub fn tokens(&self, ranges: &[Range], expiry: u64) -> Result<Vec<Vec<u8>>, Error> {
        self.query(ranges, expiry).map(|(_, tokens)| tokens)
    }

    /// Makes the number of a query and its tokens: one per group below, and for a provider one for
    /// its own runs.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownField`], [`Error::OutOfDomain`] or [`Error::BoundsOrder`] for a range that is
    /// none, [`Error::NoRange`] if there is none at all.
    pub fn query(&self, ranges: &[Range], expiry: u64) -> Result<(u128, Vec<Vec<u8>>), Error> {
        if ranges.is_empty() {
            return Err(Error::NoRange);
        }
        let own = Group::of(&self.node).map(|group| (group, Scope::Own));
        let below = self.below.groups.iter().map(|group| (group.clone(), Scope::Group));
        let reached: Vec<_> = own.into_iter().chain(below).collect();
        let mut numbers = vec![[0; 16]; reached.len() + 1];
        fill_random(numbers.as_flattened_mut())?;
        let query = u128::from_le_bytes(numbers[0]);
        let token = |((group, scope), id): ((Group, Scope), &[u8; 16])| {
            let predicate = |range: &Range| -> Result<Predicate, Error> {
                let ruler = self.ruler(&group, self.field(&range.field)?)?;
                let (low, high) = ruler.bounds(range.low, range.high)?;
                Ok(Predicate { field: range.field.clone(), low, high })
            };
            let token = Token {
                owner: self.owner,
                schema: self.schema.digest(),
                predicates: ranges.iter().map(predicate).collect::<Result<_, _>>()?,
                group,
                scope,
                expiry,
                id: u128::from_le_bytes(*id),
                query,
                issuer: self.chain.clone(),
            };
            Ok(token.message())
        };
        let tokens = reached.into_iter().zip(&numbers[1..]).map(token);
        Ok((query, self.signed_together(&tokens.collect::<Result<Vec<_>, _>>()?)))
    }

    /// Seals a file of a record, with the entries that its keywords find it by, into one signed message.
    ///
    /// # Errors
    ///
    /// [`Error::Scope`] for the owner, who uploads nothing, [`Error::Size`] if there is not one id or
    /// a keyword was used too often, [`Error::NotAuthenticated`] if the cipher has no tag,
    /// [`Error::Randomness`].
    pub fn attach(
        &mut self,
        id: Ids<'_>,
        algorithm: &Algorithm,
        (name, media_type): (&str, &str),
        contents: &[u8],
        keywords: &[&[u8]],
    ) -> Result<Vec<u8>, Error> {
        if self.node == Node::root() {
            return Err(self.out_of_reach("upload files".to_owned()));
        }
        let &[handle] = self.handles(id).as_slice() else {
            let got = id.count() as u64;
            return Err(Error::Size { what: "the number of record ids", got, expected: "1" });
        };
        let mut number = [0; 16];
        fill_random(&mut number)?;
        let (file, owner, provider) = (u128::from_le_bytes(number), self.owner, self.node.clone());
        let origin = Origin { owner: &owner, provider: &provider };
        let record = self.opener(&provider)?.key_of(handle).ok_or(Error::File)?;
        let (name, media_type) = (name.to_owned(), media_type.to_owned());
        let described = Description { name, media_type, size: contents.len() as u64 };
        let place = Place { origin, handle, file };
        let (description, body) = file::seal(&record, place, algorithm, &described, contents)?;
        let entries = keyword::entries(&self.key, keywords, file, &mut self.counts)?;
        let listed = Listed { owner, provider, handle, file, description, body: Some(body) };
        Ok(self.signed(FileUpload { listed, entries, chain: self.chain.clone() }.message()))
    }

    /// Takes note of how often this provider has used keywords, as the cloud counts them.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if there are not as many numbers as keywords. Nothing is noted then.
    pub fn catch_up(&mut self, keywords: &[&[u8]], used: &[u64]) -> Result<(), Error> {
        let (expected, got) = (keywords.len(), used.len());
        if got != expected {
            return Err(Error::Length { what: "the list of counts", expected, got });
        }
        let used: Vec<(&[u8], u64)> = keywords.iter().copied().zip(used.iter().copied()).collect();
        keyword::catch_up(&self.key, &used, &mut self.counts);
        Ok(())
    }

    /// This provider and everyone that ever was below it.
    fn reached(&self) -> impl Iterator<Item = &Node> {
        let own = (self.node != Node::root()).then_some(&self.node);
        own.into_iter().chain(&self.below.ever)
    }

    /// Makes the request for files that have all of the keywords, at every provider in reach.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeyword`] if there is none, [`Error::Randomness`].
    pub fn search_files(&self, keywords: &[&[u8]], expiry: u64) -> Result<Vec<u8>, Error> {
        if keywords.is_empty() {
            return Err(Error::NoKeyword);
        }
        let trapdoors = |node: &Node| -> Result<_, Error> {
            let key = self.key_of(node)?;
            let trapdoors = keywords.iter().map(|word| keyword::trapdoor(&key, word));
            Ok((node.clone(), trapdoors.collect()))
        };
        let providers = self.reached().map(trapdoors).collect::<Result<_, _>>()?;
        self.request(Ask::Keywords(providers), expiry)
    }

    /// Makes the request for the files of some records, by provider.
    ///
    /// # Errors
    ///
    /// [`Error::Scope`] if a provider is not at or below this one, [`Error::Randomness`].
    pub fn list_files(
        &self,
        records: Vec<(Node, Vec<Handle>)>,
        expiry: u64,
    ) -> Result<Vec<u8>, Error> {
        if let Some((provider, _)) = records.iter().find(|(node, _)| !self.node.holds(node)) {
            return Err(self.out_of_reach(provider.to_string()));
        }
        self.request(Ask::Records(records), expiry)
    }

    /// Makes the request for one file.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`].
    pub fn fetch_file(&self, file: u128, expiry: u64) -> Result<Vec<u8>, Error> {
        self.request(Ask::File(file), expiry)
    }

    fn request(&self, ask: Ask, expiry: u64) -> Result<Vec<u8>, Error> {
        let mut id = [0; 16];
        fill_random(&mut id)?;
        let (owner, id, issuer) = (self.owner, u128::from_le_bytes(id), self.chain.clone());
        Ok(self.signed(FileRequest { owner, ask, expiry, id, issuer }.message()))
    }

    /// What opens all records of a provider at or below this node.
    ///
    /// # Errors
    ///
    /// [`Error::Scope`] names a provider whose key this one cannot derive.
    pub fn opener(&self, provider: &Node) -> Result<Opener, Error> {
        Ok(Opener::All(self.key_of(provider)?.child(Purpose::Record, b"", 0)))
    }

    /// What opens some records of a provider at or below this node.
    ///
    /// # Errors
    ///
    /// [`Error::Scope`] names a provider whose key this one cannot derive.
    pub fn opener_of(&self, provider: &Node, ids: Ids<'_>) -> Result<Opener, Error> {
        let key = self.key_of(provider)?;
        let handles = ids.handles(&key.child(Purpose::Handle, b"", 0));
        Ok(Opener::only(&key.child(Purpose::Record, b"", 0), &handles))
    }

    /// The known member, or this node itself, with a path below the owner.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProvider`] if there is none.
    pub fn find(&self, path: &str) -> Result<Node, Error> {
        let own = self.node.names();
        if path == self.node.path() && !own.is_empty() {
            return Ok(self.node.clone());
        }
        let names: Vec<&str> = path.split('/').collect();
        let is_below = names.len() > own.len() && own.iter().zip(&names).all(|(a, b)| a == b);
        if !is_below {
            return Err(Error::UnknownProvider { provider: path.escape_default().to_string() });
        }
        self.member(&names[own.len()..])
    }

    /// Everything the keyring holds, in the clear: to be sealed at once.
    pub(crate) fn encode(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let mut writer = Writer::of_version(b"MOPSEKEY", KEYRING_VERSION);
        writer.raw(&self.owner.0).bytes(&self.schema.encode());
        self.node.write(&mut writer);
        writer.raw(self.key.expose()).count(self.rulers.len());
        for ruler in &self.rulers {
            writer.raw(ruler.expose());
        }
        self.chain.write(&mut writer);
        writer.count(self.below.members.len());
        self.below.members.iter().for_each(|member| member.write(&mut writer));
        writer.count(self.below.epochs.len());
        for (node, epoch) in &self.below.epochs {
            node.write(&mut writer);
            writer.u32(*epoch);
        }
        writer.count(self.below.groups.len());
        self.below.groups.iter().for_each(|group| group.write(&mut writer));
        writer.u64(self.below.revocations).count(self.below.ever.len());
        self.below.ever.iter().for_each(|member| member.write(&mut writer));
        writer.count(self.counts.len());
        for (tag, count) in &self.counts {
            writer.raw(tag).u64(*count);
        }
        zeroize::Zeroizing::new(writer.0)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, version) =
            Reader::up_to_version(bytes, b"MOPSEKEY", "the keyring", KEYRING_VERSION)?;
        let owner = Owner(reader.array()?);
        let schema = Schema::decode(reader.bytes()?)?;
        let node = Node::read(&mut reader)?;
        let key = Key::from_bytes(reader.raw(32)?)?;
        let mut rulers = Vec::new();
        for _ in 0..reader.count(32)? {
            rulers.push(Key::from_bytes(reader.raw(32)?)?);
        }
        let chain = Chain::read(&mut reader)?;
        let mut below = Below::default();
        for _ in 0..reader.count(8)? {
            below.members.insert(Node::read(&mut reader)?);
        }
        for _ in 0..reader.count(12)? {
            let node = Node::read(&mut reader)?;
            below.epochs.insert(node, reader.u32()?);
        }
        for _ in 0..reader.count(12)? {
            below.groups.insert(Group::read(&mut reader)?);
        }
        below.revocations = reader.u64()?;
        let mut counts = Counts::new();
        if version == 1 {
            // Nobody had attached a file yet, so those who had left by then have none.
            below.ever.clone_from(&below.members);
        } else {
            for _ in 0..reader.count(8)? {
                below.ever.insert(Node::read(&mut reader)?);
            }
            for _ in 0..reader.count(24)? {
                counts.insert(reader.array()?, reader.u64()?);
            }
        }
        let is_owner = node == Node::root();
        let expected = if is_owner { 0 } else { schema.fields().len() };
        if rulers.len() != expected || chain.subject() != node {
            return Err(reader.fault());
        }
        reader.end()?;
        let cache = Mutex::default();
        let signer = OnceLock::new();
        Ok(Self { owner, schema, node, key, rulers, chain, below, counts, cache, signer })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("owner", &self.owner)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

fn sign(key: &SigningKey, message: &[u8]) -> [u8; SIGNATURE_LEN] {
    count(Operation::Signature, 1);
    key.sign(&to_sign(message)).to_bytes()
}

fn signing_key(key: &Key) -> SigningKey {
    SigningKey::from_bytes(key.child(Purpose::Sign, b"", 0).expose())
}

/// The key of a field's ruler. Its label names the field and defines it, so that neither another
/// field nor another schema has the same cuts.
fn ruler_key(authority: &Key, schema: &Schema, field: usize, epoch: u32) -> Key {
    let (name, definition) = &schema.fields()[field];
    let mut label = Writer::default();
    label.text(name).raw(&definition.label());
    authority.child(Purpose::Ruler, &label.0, epoch)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use proptest::sample::Index;
    use serde::Deserialize;

    use super::*;
    use crate::domain::{Field, Kind};
    use crate::keys::KEY_LEN;

    /// Signs a message as a keyring's node, whatever it says: what a dishonest provider can do.
    pub(crate) fn signed(keyring: &Keyring, message: Vec<u8>) -> Vec<u8> {
        keyring.signed(message)
    }

    /// Signs messages together as a keyring's node, whatever they say.
    pub(crate) fn signed_together(keyring: &Keyring, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
        keyring.signed_together(messages)
    }

    /// The owner with this byte as its root key, thirty-two times over.
    pub(crate) fn owner(byte: u8) -> Keyring {
        let field = |maximum| Field::new(Kind::Number, 0.0, maximum, 1.0, None).unwrap();
        let fields = vec![("age".to_owned(), field(120.0)), ("sbp".to_owned(), field(260.0))];
        Keyring::root(Key::from_bytes(&[byte; 32]).unwrap(), Schema::new(fields).unwrap())
    }

    /// An upload of records 1 to 3 with ages 40, 50 and 60, and a pressure of 140 for the first two.
    pub(crate) fn upload(provider: &Keyring, sequence: u64) -> Vec<u8> {
        let indexed = [
            Indexed { field: "age", rows: &[0, 1, 2], plaintexts: &[40, 50, 60] },
            Indexed { field: "sbp", rows: &[0, 1], plaintexts: &[140, 140] },
        ];
        provider.upload(&[], Ids::Integers(&[1, 2, 3]), &indexed, sequence).unwrap()
    }

    #[test]
    fn a_keyring_knows_the_cells_of_its_own_group_and_of_those_below() {
        let mut owner = owner(1);
        let hospital = owner.authorize("hospital", &[]).unwrap();
        let ward = owner.authorize("ward", &["hospital"]).unwrap();
        let clinic = owner.authorize("clinic", &[]).unwrap();
        let hospital = Keyring { below: owner.below.from(hospital.node()), ..hospital };
        let groups = |keyring: &Keyring| -> Vec<Group> {
            keyring.spans("age").unwrap().into_iter().map(|(group, _)| group).collect()
        };
        let [top, below] = [hospital.node(), ward.node()].map(|node| Group::of(node).unwrap());
        assert_eq!(groups(&hospital), [top.clone(), below.clone()]);
        assert_eq!(groups(&clinic), [top]);
        assert_eq!(groups(&ward), [below]);
        let spans = clinic.spans("age").unwrap().remove(0).1;
        assert_eq!(spans.len(), 121);
        assert_eq!((spans[0].0, spans[120].1), (0, i64::MAX));
        assert!(spans.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
        let entry = hospital.mopse("age").unwrap().encrypt(40, 7).unwrap();
        assert!((spans[40].0..=spans[40].1).contains(&entry));
        assert_eq!(clinic.spans("weight"), Err(Error::UnknownField { field: "weight".into() }));
    }

    #[derive(Deserialize)]
    struct Vectors {
        tree: Tree,
    }

    #[derive(Deserialize)]
    struct Tree {
        #[serde(with = "hex")]
        root: [u8; 32],
        fields: Vec<Defined>,
        nodes: Vec<Derived>,
    }

    #[derive(Deserialize)]
    struct Defined {
        name: String,
        #[serde(with = "hex")]
        label: Vec<u8>,
    }

    #[derive(Deserialize)]
    struct Derived {
        names: Vec<String>,
        epochs: Vec<u32>,
        key: String,
        rulers: Vec<String>,
        place_of_age: String,
        record: String,
        sign: String,
    }

    #[test]
    fn the_keys_of_a_hierarchy_match_the_known_answers() {
        let json = include_str!("../tests/vectors/keys.json");
        let Vectors { tree } = serde_json::from_str(json).unwrap();
        let number = |minimum, maximum, step, cell| {
            Field::new(Kind::Number, minimum, maximum, step, Some(cell)).unwrap()
        };
        let levels = Kind::Category(["poor", "fair", "good"].map(String::from).to_vec());
        let fields = [
            number(0.0, 120.0, 1.0, 1),
            number(8.0, 100.0, 0.1, 5),
            Field::new(levels, 0.0, 2.0, 1.0, Some(1)).unwrap(),
        ];
        for (field, defined) in fields.iter().zip(&tree.fields) {
            assert_eq!(field.label(), defined.label, "{}", defined.name);
        }
        let names = tree.fields.iter().map(|defined| defined.name.clone());
        let schema = Schema::new(names.zip(fields).collect()).unwrap();
        let root = Keyring::root(Key::from_bytes(&tree.root).unwrap(), schema);
        let hex = |key: &Key| hex::encode(key.expose());
        for expected in tree.nodes {
            let steps = expected.names.iter().zip(&expected.epochs);
            let node =
                steps.fold(Node::root(), |node, (name, &epoch)| node.child(name, epoch).unwrap());
            let keyring = root.keyring_of(&node).unwrap();
            assert_eq!(hex(&keyring.key), expected.key);
            assert_eq!(keyring.rulers.iter().map(hex).collect::<Vec<_>>(), expected.rulers);
            let child = |purpose, label: &[u8]| hex(&keyring.key.child(purpose, label, 0));
            assert_eq!(child(Purpose::Place, b"age"), expected.place_of_age);
            assert_eq!(child(Purpose::Record, b""), expected.record);
            assert_eq!(child(Purpose::Sign, b""), expected.sign);
            let seed: [u8; 32] = hex::decode(expected.sign).unwrap().try_into().unwrap();
            let public = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
            assert_eq!(keyring.chain.verify(&keyring.owner), Ok(public));
        }
    }

    fn node(path: &[(&str, u32)]) -> Node {
        path.iter().fold(Node::root(), |node, (name, epoch)| node.child(name, *epoch).unwrap())
    }

    const PURPOSES: [Purpose; 10] = [
        Purpose::Node,
        Purpose::Ruler,
        Purpose::Order,
        Purpose::Place,
        Purpose::Handle,
        Purpose::Record,
        Purpose::Keyword,
        Purpose::File,
        Purpose::Share,
        Purpose::Sign,
    ];

    /// Everything that two derivations make of what a keyring holds, for every purpose, every label
    /// in use and two epochs.
    fn reachable(keyring: &Keyring, handle: Handle) -> HashSet<[u8; KEY_LEN]> {
        let mut labels: Vec<Vec<u8>> =
            ["", "hospital", "clinic", "ward", "lab", "desk", "age", "sbp", "layout"]
                .map(|label| label.as_bytes().to_vec())
                .to_vec();
        labels.push(handle.to_be_bytes().to_vec());
        for (name, field) in keyring.schema.fields() {
            let mut label = Writer::default();
            label.text(name).raw(&field.label());
            labels.push(label.0);
        }
        let children = |key: &Key| -> Vec<Key> {
            let mut children = Vec::new();
            for purpose in PURPOSES {
                for label in &labels {
                    children.extend((0..2).map(|epoch| key.child(purpose, label, epoch)));
                }
            }
            children
        };
        let held: Vec<Key> =
            std::iter::once(&keyring.key).chain(&keyring.rulers).cloned().collect();
        let first: Vec<Key> = held.iter().flat_map(children).collect();
        let second = first.par_iter().flat_map_iter(children);
        let second: HashSet<_> = second.map(|key| *key.expose()).collect();
        let mut reached: HashSet<_> = held.iter().chain(&first).map(|key| *key.expose()).collect();
        reached.extend(second);
        reached
    }

    /// All keys of a node itself.
    fn keys_of(keyring: &Keyring, handle: Handle) -> Vec<Key> {
        let key = &keyring.key;
        let record = key.child(Purpose::Record, b"", 0);
        let mut keys = vec![
            key.clone(),
            key.child(Purpose::Place, b"age", 0),
            key.child(Purpose::Place, b"sbp", 0),
            key.child(Purpose::Handle, b"", 0),
            key.child(Purpose::Sign, b"", 0),
            key.child(Purpose::Keyword, b"", 0),
            record.child(Purpose::Record, &handle.to_be_bytes(), 0),
            record,
        ];
        keys.extend(keyring.rulers.iter().cloned());
        keys
    }

    const HOSPITAL: (&str, u32) = ("hospital", 0);

    /// How many of each node's keys are among the reachable ones.
    fn reached<'a>(
        reachable: &HashSet<[u8; KEY_LEN]>,
        nodes: &'a [Node],
        handle: Handle,
    ) -> Vec<(&'a Node, usize)> {
        let root = owner(1);
        let count = |node| {
            let keys = match root.keyring_of(node) {
                Ok(keyring) => keys_of(&keyring, handle),
                Err(_) => keys_of(&root, handle),
            };
            (node, keys.iter().filter(|key| reachable.contains(key.expose())).count())
        };
        nodes.iter().map(count).collect()
    }

    #[test]
    fn what_a_keyring_holds_derives_its_subtree_and_nothing_above_beside_or_later() {
        let root = owner(1);
        let handle = 0x0123_4567_89ab_cdef;
        let ward = root.keyring_of(&node(&[HOSPITAL, ("ward", 0)])).unwrap();
        let ward = reachable(&ward, handle);
        let outside = [
            Node::root(),
            node(&[HOSPITAL]),
            node(&[("hospital", 1)]),
            node(&[("clinic", 0)]),
            node(&[("clinic", 0), ("ward", 0)]),
            node(&[HOSPITAL, ("ward", 1)]),
            node(&[HOSPITAL, ("lab", 1)]),
            node(&[("hospital", 1), ("ward", 0)]),
        ];
        for (node, count) in reached(&ward, &outside, handle) {
            assert_eq!(count, 0, "the ward reaches {node:?}");
        }
        // It shares the lab's two rulers, as it must; nothing else of it.
        let lab = [node(&[HOSPITAL, ("lab", 0)])];
        assert_eq!(reached(&ward, &lab, handle)[0].1, 2);
        // And the search is no blind one: it does find what is below.
        let below = [node(&[HOSPITAL, ("ward", 0), ("desk", 1)])];
        assert_eq!(reached(&ward, &below, handle)[0].1, 9);

        let hospital = root.keyring_of(&node(&[HOSPITAL])).unwrap();
        let hospital = reachable(&hospital, handle);
        let outside = [
            Node::root(),
            node(&[("hospital", 1)]),
            node(&[("clinic", 1)]),
            node(&[("hospital", 1), ("ward", 0)]),
            node(&[("clinic", 0), ("ward", 0)]),
        ];
        for (node, count) in reached(&hospital, &outside, handle) {
            assert_eq!(count, 0, "the hospital reaches {node:?}");
        }
        assert_eq!(reached(&hospital, &[node(&[("clinic", 0)])], handle)[0].1, 2);
        let below = [node(&[HOSPITAL, ("ward", 0)]), node(&[HOSPITAL, ("lab", 1)])];
        for (node, count) in reached(&hospital, &below, handle) {
            assert_eq!(count, 9, "the hospital does not reach {node:?}");
        }
    }

    #[test]
    fn no_key_that_a_ward_can_derive_opens_its_siblings_records() {
        let root = owner(1);
        let lab = root.keyring_of(&node(&[HOSPITAL, ("lab", 0)])).unwrap();
        let sent = Upload::decode(&upload(&lab, 1)).unwrap();
        let origin = Origin { owner: &sent.owner, provider: &sent.provider };
        let record = lab.key.child(Purpose::Record, b"", 0);
        let layout = record.child(Purpose::Record, b"layout", 0);
        let handle = sent.handles[0];
        let mut records = crate::index::upload::Blobs::default();
        records.push(sent.records.get(0));
        let open = |layout: &Key, key: &Key| {
            let records_of = [(handle, key.clone())].into();
            Opener::Some { layout: layout.clone(), records: records_of }
                .open(origin, &sent.layout, &[handle], &records)
                .map(|_| ())
        };
        assert_eq!(open(&layout, &record.child(Purpose::Record, &handle.to_be_bytes(), 0)), Ok(()));

        let ward = root.keyring_of(&node(&[HOSPITAL, ("ward", 0)])).unwrap();
        for bytes in reachable(&ward, handle) {
            let key = Key::from_bytes(&bytes).unwrap();
            assert_eq!(open(&layout, &key), Err(Error::Record { position: 0 }));
        }
        assert_eq!(
            ward.opener(&sent.provider).unwrap_err(),
            Error::Scope { who: "hospital/ward".into(), what: "hospital/lab".into() }
        );
    }

    /// The contents of three keyring files: an owner's with two epochs, a hospital's, a ward's.
    fn contents() -> [zeroize::Zeroizing<Vec<u8>>; 3] {
        let mut root = owner(1);
        root.authorize("hospital", &[]).unwrap();
        root.authorize("lab", &["hospital"]).unwrap();
        let ward = root.authorize("ward", &["hospital"]).unwrap();
        root.revoke(&["hospital", "lab"]).unwrap();
        let mut hospital = root.authorize("hospital", &[]).unwrap();
        attach(&mut hospital, &[b"x-ray", b"0171"]).unwrap();
        [root, hospital, ward].map(|keyring| keyring.encode())
    }

    fn attach(provider: &mut Keyring, keywords: &[&[u8]]) -> Result<Vec<u8>, Error> {
        let cipher = &crate::cipher::aes_gcm::AES_256;
        provider.attach(Ids::Integers(&[1]), cipher, ("name", "a/b"), b"contents", keywords)
    }

    /// What version 1 wrote: all but the last two lists.
    fn of_version_1(keyring: &Keyring) -> Vec<u8> {
        let mut later = Writer::default();
        later.count(keyring.below.ever.len());
        keyring.below.ever.iter().for_each(|node| node.write(&mut later));
        later.count(keyring.counts.len());
        let mut bytes = keyring.encode().to_vec();
        bytes.truncate(bytes.len() - later.0.len() - 24 * keyring.counts.len());
        bytes[8] = 1;
        bytes
    }

    #[test]
    fn a_keyring_of_version_1_is_read_and_of_an_unknown_one_refused() {
        let mut root = owner(1);
        let hospital = root.authorize("hospital", &[]).unwrap();
        root.authorize("ward", &["hospital"]).unwrap();
        for keyring in [root, hospital] {
            let read = Keyring::decode(&of_version_1(&keyring)).unwrap();
            assert_eq!((&read.below, &read.counts), (&keyring.below, &Counts::new()));
            assert_eq!(*read.encode(), *keyring.encode(), "it is written as version 2");
            for got in [0, 3, 255] {
                let mut bytes = keyring.encode().to_vec();
                bytes[8] = got;
                let refused = Keyring::decode(&bytes).unwrap_err();
                assert_eq!(refused, Error::Version { what: "the keyring", got });
            }
        }
    }

    #[test]
    fn a_keyring_survives_its_bytes() {
        for bytes in contents() {
            let keyring = Keyring::decode(&bytes).unwrap();
            assert_eq!(*keyring.encode(), *bytes);
            assert_eq!(keyring.below, Keyring::decode(&bytes).unwrap().below);
            assert_eq!(keyring.counts.len(), if keyring.node.path() == "hospital" { 2 } else { 0 });
            for cut in 0..bytes.len() {
                assert!(Keyring::decode(&bytes[..cut]).is_err(), "cut at {cut}");
            }
        }
    }

    /// Does everything with a keyring that may hold nonsense.
    fn use_it(mut keyring: Keyring) {
        let range = Range { field: "age".into(), low: 0, high: 9 };
        let _ = keyring.tokens(&[range], 0);
        let _ = keyring.announcement();
        let _ = keyring.find("hospital/ward").map(|node| keyring.opener(&node).map(drop));
        let own = keyring.chain.clone();
        let _ = keyring.learn(keyring.owner, &own);
        let _ = keyring.authorize("x", &[]).map(|child| keyring.learn(child.owner, &child.chain));
        let _ = keyring.revoke(&["hospital"]);
        let _ = keyring.revoke(&["x"]);
        let ids = Ids::Integers(&[1]);
        let age = Indexed { field: "age", rows: &[0], plaintexts: &[40] };
        let _ = keyring.upload(&[], ids, &[age], 1);
        let _ = attach(&mut keyring, &[b"x-ray", b"0171"]);
        let _ = keyring.search_files(&[b"x-ray"], 0);
    }

    proptest! {
        #[test]
        fn changed_contents_of_a_keyring_never_panic(
            which in 0..3_usize,
            at in any::<Index>(),
            to in any::<Index>(),
            number in prop_oneof![0..20_u64, any::<u64>()],
            how in 0..4,
        ) {
            let original = &contents()[which];
            let mut bytes = original.to_vec();
            let at = at.index(bytes.len());
            let slice = at.min(to.index(bytes.len()))..at.max(to.index(bytes.len()));
            match how {
                0 => bytes[at] = number.to_le_bytes()[0],
                1 => drop(bytes.drain(slice)),
                2 => {
                    let copy = bytes[slice].to_vec();
                    bytes.splice(at..at, copy);
                }
                _ => {
                    let end = bytes.len().min(at + 8);
                    bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
                }
            }
            if let Ok(keyring) = Keyring::decode(&bytes) {
                // A field of the schema may have become so large that its ruler takes a while.
                if keyring.schema == owner(1).schema {
                    use_it(keyring);
                }
            }
        }
    }
}

#[cfg(test)]
mod scope_tests {
    use super::*;
    use crate::domain::{Field, Kind};

    fn owner() -> Keyring {
        let age = Field::new(Kind::Number, 0.0, 99.0, 1.0, None).expect("a valid field");
        let schema = Schema::new(vec![("age".to_owned(), age)]).expect("a valid schema");
        Keyring::root(Key::from_bytes(&[7; 32]).expect("32 bytes"), schema)
    }

    /// A token that a dishonest issuer signs with its own key.
    fn token(issuer: &Keyring, group: Group, scope: Scope) -> Token {
        let token = Token {
            owner: issuer.owner(),
            schema: issuer.schema().digest(),
            group,
            scope,
            predicates: vec![Predicate { field: "age".to_owned(), low: 0, high: i64::MAX }],
            expiry: 10,
            id: 1,
            query: 2,
            issuer: issuer.chain().clone(),
        };
        Token::decode(&issuer.signed_together(&[token.message()])[0])
            .expect("it is signed by whom it names")
    }

    #[test]
    fn a_token_signed_for_more_than_the_own_runs_and_the_groups_below_is_refused() {
        let mut owner = owner();
        let hospital = owner.authorize("hospital", &[]).expect("a valid name");
        let ward = owner.authorize("ward", &["hospital"]).expect("a valid name");
        let announcement = owner.announcement().expect("it can be signed");
        let announcement = Announcement::decode(&announcement).expect("it was just made");
        let of_owner = Group { authority: Node::root(), epoch: 0 };
        let of_hospital = Group { authority: hospital.node().clone(), epoch: 0 };
        let of_ward = Group { authority: ward.node().clone(), epoch: 0 };
        let next = Group { authority: Node::root(), epoch: 1 };
        for (issuer, group, scope, may) in [
            (&owner, &of_owner, Scope::Group, true),
            (&owner, &of_ward, Scope::Group, true),
            (&owner, &of_owner, Scope::Own, false),
            (&hospital, &of_hospital, Scope::Group, true),
            (&hospital, &of_ward, Scope::Group, true),
            (&hospital, &of_owner, Scope::Own, true),
            (&hospital, &of_owner, Scope::Group, false),
            (&hospital, &next, Scope::Own, false),
            (&ward, &of_hospital, Scope::Own, true),
            (&ward, &of_hospital, Scope::Group, false),
            (&ward, &of_owner, Scope::Own, false),
            (&ward, &of_owner, Scope::Group, false),
        ] {
            let checked = token(issuer, group.clone(), scope).check(&announcement, 10);
            let refused = Error::Scope { who: issuer.node().to_string(), what: group.to_string() };
            assert_eq!(checked, if may { Ok(()) } else { Err(refused) }, "{issuer:?} {group}");
        }
    }

    #[test]
    fn who_is_removed_derives_no_key_of_the_next_epoch() {
        let mut owner = owner();
        let stays = owner.authorize("stays", &[]).expect("a valid name");
        let leaves = owner.authorize("leaves", &[]).expect("a valid name");
        owner.revoke(&["leaves"]).expect("it was authorised");
        let renewed = owner.authorize("stays", &[]).expect("a valid name");
        assert_ne!(renewed.key.expose(), stays.key.expose());
        assert_ne!(renewed.rulers[0].expose(), stays.rulers[0].expose());
        assert_eq!(stays.rulers[0].expose(), leaves.rulers[0].expose());
        for keyring in [&leaves, &stays] {
            assert!(keyring.key_of(renewed.node()).is_err());
            for (name, epoch) in [("stays", 0), ("stays", 1), ("", 1)] {
                for held in [&keyring.key, &keyring.rulers[0]] {
                    let derived = held.child(Purpose::Node, name.as_bytes(), epoch);
                    assert_ne!(derived.expose(), renewed.key.expose());
                    let ruler = ruler_key(held, keyring.schema(), 0, epoch);
                    assert_ne!(ruler.expose(), renewed.rulers[0].expose());
                }
            }
        }
    }
}
