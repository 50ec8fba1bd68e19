//! What a party asks: tokens of a query, and requests for attachments.

use std::collections::BTreeSet;

use super::Error;
use super::keyring::Keyring;
use super::keywords;
use crate::keys::fill_random;
use crate::message::place::{Group, Node};
use crate::message::request::{Ask, Request};
use crate::message::token::{Predicate, Scope, Token};
use crate::message::trapdoor::{MOST_NAMED, at_most};
use crate::scheme::mopse::Handle;
use crate::scheme::ruler::Layout;

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

impl Keyring {
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
    /// [`Error::UnknownField`], [`scheme::Error::OutOfDomain`](crate::scheme::Error::OutOfDomain) or [`scheme::Error::BoundsOrder`](crate::scheme::Error::BoundsOrder) for a range that is
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
        let token = |((group, scope), id): ((Group, Scope), &[u8; 16])| -> Result<_, Error> {
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

    /// Makes the request for files that have all of the keywords, at every provider in reach. A keyword
    /// that is given twice is asked for once.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeyword`] if there is none, [`message::Error::TooMany`](crate::message::Error::TooMany) if there are too many,
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn search_files(&self, keywords: &[&[u8]], expiry: u64) -> Result<Vec<u8>, Error> {
        if keywords.is_empty() {
            return Err(Error::NoKeyword);
        }
        let keywords = distinct(keywords);
        at_most(MOST_NAMED, "keywords of the request", keywords.len())?;
        let trapdoors = |node: &Node| -> Result<_, Error> {
            let key = self.key_of(node)?;
            let trapdoors = keywords.iter().map(|word| keywords::trapdoor(&key, word));
            Ok((node.clone(), trapdoors.collect()))
        };
        let providers = self.reached().map(trapdoors).collect::<Result<_, _>>()?;
        self.request(Ask::Keywords(providers), expiry)
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
        if let Some((provider, _)) = records.iter().find(|(node, _)| !self.node.holds(node)) {
            return Err(self.out_of_reach(provider.to_string()));
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
        let mut id = [0; 16];
        fill_random(&mut id)?;
        let (owner, id, issuer) = (self.owner, u128::from_le_bytes(id), self.chain.clone());
        Ok(self.signed(Request { owner, ask, expiry, id, issuer }.message()))
    }
}

/// Each item once, in the order they are given.
fn distinct<T: Copy + Ord>(items: &[T]) -> Vec<T> {
    let mut known = BTreeSet::new();
    items.iter().copied().filter(|&item| known.insert(item)).collect()
}
