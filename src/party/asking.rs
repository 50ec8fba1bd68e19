//! What a party asks: queries, removals, and requests for attachments.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::keyring::Keyring;
use super::keywords;
use super::records::Ids;
use crate::message::answer::Part;
use crate::message::audit::{AuditRequest, Stated, Statement};
use crate::message::limits::{MOST_NAMED, MOST_RECORDS, at_most};
use crate::message::place::{Group, Node};
use crate::message::query::{Predicate, Query, Scope, Selection, Token};
use crate::message::removal::Removal;
use crate::message::request::{Ask, Request};
use crate::message::trapdoor::Tag;
use crate::scheme::mopse::Handle;
use crate::scheme::ruler::Layout;
use crate::wire::length;

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

/// A request for the files of records, and what those records are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesOf {
    /// The request as it travels.
    pub message: Vec<u8>,
    /// The handle in the answer of each record that is asked for in another epoch of its provider too, by
    /// the place and the handle that it has there.
    pub known_as: BTreeMap<(Node, Handle), Handle>,
}

impl Keyring {
    /// Asks for the records that hold some ranges: one token per group below, and for a provider one for
    /// its own runs in each of its epochs. No ranges make a query that nothing answers.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownField`], [`Error::TwoRanges`], [`scheme::Error::OutOfDomain`](crate::scheme::Error::OutOfDomain) or [`scheme::Error::BoundsOrder`](crate::scheme::Error::BoundsOrder) for a range that is
    /// none.
    pub fn query(&self, ranges: &[Range], expiry: u64) -> Result<Vec<u8>, Error> {
        self.query_of(ranges, expiry, false)
    }

    /// Asks as [`query`](Self::query) does, so that the answer can be proven by sums.
    ///
    /// # Errors
    ///
    /// Those of [`query`](Self::query); [`Error::NoSums`] names a field that carries none.
    pub fn provable_query(&self, ranges: &[Range], expiry: u64) -> Result<Vec<u8>, Error> {
        if let Some(range) = ranges.iter().find(|range| !self.proven.contains(&range.field)) {
            return Err(Error::NoSums { field: range.field.clone() });
        }
        self.query_of(ranges, expiry, true)
    }

    fn query_of(&self, ranges: &[Range], expiry: u64, is_provable: bool) -> Result<Vec<u8>, Error> {
        let mut named = BTreeSet::new();
        if let Some(range) = ranges.iter().find(|range| !named.insert(&range.field)) {
            return Err(Error::TwoRanges { field: range.field.clone() });
        }
        let own = self.places().filter_map(own_scope);
        let below = self.below.groups().into_iter().map(|group| (group, Scope::Group));
        let mut reached: Vec<(Group, Scope)> = own.chain(below).collect();
        if reached.is_empty() {
            // So that the cloud can say who was authorised since.
            let (authority, epoch) = (Node::root(), self.below.epoch(&Node::root()));
            reached.push((Group { authority, epoch }, Scope::Group));
        }
        reached.retain(|_| !ranges.is_empty());
        let selection = |group: &Group| {
            let predicate = |range: &Range| -> Result<Predicate, Error> {
                let field = self.field(&range.field)?;
                let ruler = self.ruler(group, field)?;
                let (low, high) = ruler.bounds(range.low, range.high)?;
                let slots = if is_provable {
                    let cell = |plaintext: i64| length(plaintext.cast_unsigned() / ruler.cell());
                    let slots = self.slots(group, field)?;
                    Some([slots[cell(range.low)], slots[cell(range.high) + 1]])
                } else {
                    None
                };
                Ok(Predicate { field: range.field.clone(), low, high, slots })
            };
            Ok(Selection::Ranges(ranges.iter().map(predicate).collect::<Result<_, Error>>()?))
        };
        self.signed_query(reached, selection, expiry)
    }

    /// Asks one provider, at or below this node, for records by their ids, in every epoch of it.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProvider`] if there is none with this path, [`Error::Rows`] without an id,
    /// [`message::Error::TooMany`](crate::message::Error::TooMany) for more than [`MOST_RECORDS`].
    pub fn lookup(&self, path: &str, ids: Ids<'_>, expiry: u64) -> Result<Vec<u8>, Error> {
        self.lookup_all(&[(path, ids)], expiry)
    }

    /// Asks several providers, each once, as [`lookup`](Self::lookup) asks one.
    pub(super) fn lookup_all(
        &self,
        asked: &[(&str, Ids<'_>)],
        expiry: u64,
    ) -> Result<Vec<u8>, Error> {
        let (mut reached, mut handles) = (Vec::new(), Vec::new());
        for &(path, ids) in asked {
            if ids.count() == 0 {
                return Err(Error::Rows { got: 0 });
            }
            let places = self.places_of(path);
            if places.is_empty() {
                let provider = path.escape_default().to_string();
                return Err(Error::UnknownProvider { provider });
            }
            for place in &places {
                let mut of_place = self.handles_at(place, ids)?;
                of_place.sort_unstable();
                of_place.dedup();
                at_most(MOST_RECORDS, "records of the query", of_place.len())?;
                handles.push(of_place);
            }
            reached.extend(places.iter().filter_map(own_scope));
        }
        let mut handles = handles.into_iter();
        let selection = |_: &Group| Ok(Selection::Records(handles.next().unwrap_or_default()));
        self.signed_query(reached, selection, expiry)
    }

    /// Asks for all records of this provider's earlier epochs, to [`renew`](Self::renew) them.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`](crate::message::Error::Scope) for the owner, who has none.
    pub fn renewal(&self, expiry: u64) -> Result<Vec<u8>, Error> {
        if self.node == Node::root() {
            return Err(self.out_of_reach("records of its own".to_owned()));
        }
        let earlier = self.places().filter(|place| **place != self.node);
        let reached = earlier.filter_map(own_scope).collect();
        self.signed_query(reached, |_| Ok(Selection::All), expiry)
    }

    /// Asks for records of this provider's present epoch, by handles that ascend.
    pub(super) fn lookup_present(&self, handles: &[Handle], expiry: u64) -> Result<Vec<u8>, Error> {
        let reached = own_scope(&self.node).into_iter().collect();
        self.signed_query(reached, |_| Ok(Selection::Records(handles.to_vec())), expiry)
    }

    pub(super) fn signed_query(
        &self,
        reached: Vec<(Group, Scope)>,
        mut selection: impl FnMut(&Group) -> Result<Selection, Error>,
        expiry: u64,
    ) -> Result<Vec<u8>, Error> {
        let mut tokens = Vec::with_capacity(reached.len());
        for (group, scope) in reached {
            let (id, selection) = (self.number(b"token")?, selection(&group)?);
            let stamp = self.below.stamp(&group.authority);
            tokens.push(Token { id, group, stamp, scope, selection });
        }
        let query = Query {
            owner: self.owner,
            schema: self.schema.digest(),
            id: self.number(b"query")?,
            expiry,
            issuer: self.chain.clone(),
            tokens,
            delegated: None,
        };
        Ok(self.signed(query.message()))
    }

    /// Asks a cloud to remove all that a provider at or below this node sent, in every epoch.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProvider`] if there never was one with this path.
    pub fn removal(&self, path: &str) -> Result<Vec<u8>, Error> {
        let Some(provider) = self.places_of(path).into_iter().next() else {
            let provider = path.escape_default().to_string();
            return Err(Error::UnknownProvider { provider });
        };
        let (owner, id, issuer) = (self.owner, self.number(b"removal")?, self.chain.clone());
        let (digest, bytes) = ([0; 32], Vec::new());
        Ok(self.signed(Removal { owner, id, provider, issuer, digest, bytes }.message()))
    }

    /// States for a cloud's audit log that something happened, by the digest of what it is about.
    ///
    /// # Errors
    ///
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn statement(&self, what: Stated, digest: [u8; 32]) -> Result<Vec<u8>, Error> {
        let (owner, number, issuer) = (self.owner, self.number(b"statement")?, self.chain.clone());
        Ok(self.signed(Statement { owner, number, what, digest, issuer }.message()))
    }

    /// Makes the request to read the audit log: that it goes on from some sizes, and entries from one on.
    ///
    /// # Errors
    ///
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn audit_request(
        &self,
        since: Vec<u64>,
        from: Option<u64>,
        expiry: u64,
    ) -> Result<AuditRequest, Error> {
        let (owner, id, issuer) = (self.owner, self.number(b"audit")?, self.chain.clone());
        let from = from.unwrap_or(AuditRequest::NO_ENTRIES);
        Ok(AuditRequest { owner, since, from, expiry, id, issuer })
    }

    /// Signs the request to read the audit log.
    #[must_use]
    pub fn sign_audit_request(&self, request: &AuditRequest) -> Vec<u8> {
        self.signed(request.message())
    }

    /// Makes the request for files that have all of the keywords, at every provider in reach. A keyword
    /// that is given twice is asked for once.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeyword`] if there is none, [`message::Error::TooMany`](crate::message::Error::TooMany) if there are too many,
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn search_files(&self, keywords: &[&[u8]], expiry: u64) -> Result<Vec<u8>, Error> {
        self.search(keywords, false, expiry)
    }

    /// Makes the same request with what a proof of the listing takes.
    ///
    /// # Errors
    ///
    /// Those of [`search_files`](Self::search_files).
    pub fn provable_search(&self, keywords: &[&[u8]], expiry: u64) -> Result<Vec<u8>, Error> {
        self.search(keywords, true, expiry)
    }

    fn search(&self, keywords: &[&[u8]], is_provable: bool, expiry: u64) -> Result<Vec<u8>, Error> {
        if keywords.is_empty() {
            return Err(Error::NoKeyword);
        }
        let keywords = distinct(keywords);
        at_most(MOST_NAMED, "keywords of the request", keywords.len())?;
        let (mut providers, mut tags) = (Vec::new(), Vec::new());
        for node in self.reached() {
            let key = self.key_of(&node)?;
            let trapdoors = keywords.iter().map(|word| keywords::trapdoor(&key, word));
            providers.push((node, trapdoors.collect()));
            if is_provable {
                tags.push(keywords.iter().map(|word| keywords::tag_of(&key, word)).collect());
            }
        }
        self.request_with(Ask::Keywords(providers), tags, expiry)
    }

    /// Makes the request for the files of some records, by provider. What is named twice is asked for
    /// once.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`](crate::message::Error::Scope) if a provider is not at or below this one, [`message::Error::TooMany`](crate::message::Error::TooMany)
    /// if there are too many records of one, [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn list_files(
        &self,
        records: Vec<(Node, Vec<Handle>)>,
        expiry: u64,
    ) -> Result<Vec<u8>, Error> {
        for (provider, _) in &records {
            self.key_of(provider)?;
        }
        let mut by_provider: Vec<(Node, Vec<Handle>)> = Vec::new();
        for (provider, handles) in records {
            match by_provider.iter_mut().find(|(known, _)| *known == provider) {
                Some((_, known)) => known.extend(handles),
                None => by_provider.push((provider, handles)),
            }
        }
        for (_, handles) in &mut by_provider {
            *handles = distinct(handles);
            at_most(MOST_NAMED, "records of one provider", handles.len())?;
        }
        self.request(Ask::Records(by_provider), expiry)
    }

    /// Makes the request for the files of the records of an answer. A file stays under the handle that its
    /// record had when it was attached, so each record is asked for under those that it has in every epoch of
    /// its provider; one that does not open, or whose handle is not that of its id, under its own alone.
    ///
    /// # Errors
    ///
    /// Those of [`list_files`](Self::list_files).
    pub fn files_of<'a>(
        &self,
        parts: impl IntoIterator<Item = &'a Part>,
        expiry: u64,
    ) -> Result<FilesOf, Error> {
        // All of a place are in one order, which pairs none of them with one of another place.
        let mut records: BTreeMap<Node, BTreeSet<Handle>> = BTreeMap::new();
        let (mut answered, mut known_as) = (BTreeSet::new(), BTreeMap::new());
        for part in parts.into_iter().filter(|part| !part.handles.is_empty()) {
            answered.extend(part.handles.iter().map(|&handle| (part.provider.clone(), handle)));
            records.entry(part.provider.clone()).or_default().extend(&part.handles);
            for (place, pairs) in self.elsewhere(part)? {
                records.entry(place.clone()).or_default().extend(pairs.iter().map(|pair| pair.0));
                let called = |(there, here)| ((place.clone(), there), here);
                known_as.extend(pairs.into_iter().map(called));
            }
        }
        known_as.retain(|there, _| !answered.contains(there));
        let records = records.into_iter().map(|(place, handles)| (place, Vec::from_iter(handles)));
        Ok(FilesOf { message: self.list_files(records.collect(), expiry)?, known_as })
    }

    /// Makes the request for the notes of all that this provider ever attached.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`](crate::message::Error::Scope) for the owner, who attaches nothing, [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn request_notes(&self, expiry: u64) -> Result<Vec<u8>, Error> {
        if self.node == Node::root() {
            return Err(self.out_of_reach("notes, which providers have".to_owned()));
        }
        self.request(Ask::Notes, expiry)
    }

    /// Makes the request for one file.
    ///
    /// # Errors
    ///
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn fetch_file(&self, file: u128, expiry: u64) -> Result<Vec<u8>, Error> {
        self.request(Ask::File(file), expiry)
    }

    pub(super) fn request(&self, ask: Ask, expiry: u64) -> Result<Vec<u8>, Error> {
        self.request_with(ask, Vec::new(), expiry)
    }

    fn request_with(&self, ask: Ask, tags: Vec<Vec<Tag>>, expiry: u64) -> Result<Vec<u8>, Error> {
        let (owner, id, issuer) = (self.owner, self.number(b"request")?, self.chain.clone());
        Ok(self.signed(Request { owner, ask, tags, expiry, id, issuer }.message()))
    }
}

/// The group of a place, and its provider's own records.
fn own_scope(place: &Node) -> Option<(Group, Scope)> {
    let name = place.names().last()?.clone();
    Some((Group::of(place)?, Scope::One(name)))
}

/// Each item once, in the order they are given.
fn distinct<T: Copy + Ord>(items: &[T]) -> Vec<T> {
    let mut known = BTreeSet::new();
    items.iter().copied().filter(|&item| known.insert(item)).collect()
}
