//! The control of every query: OPSE with a key and an index per provider.
//!
//! Without one order under many keys, a range over `n` providers is `n` intervals, in as many
//! signed messages as one likes:
//!
//! ```text
//! request = "MOPSECTL" || version || count || (index, low, high) each || Ed25519 signature
//! ```
//!
//! A single index under one common key, or under none, is the same with `n = 1`. The search is the
//! one of the merged index, so that what is measured differs in keys and messages only. For
//! whoever measures: it moves no records and checks no certificates, which favours the control.
//!
//! # Leakage
//!
//! That of the schemes; and here both sides live in one process.

use std::fmt;
use std::sync::Arc;

use ed25519_dalek::{Signer, SigningKey};
use zeroize::Zeroizing;

use crate::cloud::index::{Index, Level, Marks};
use crate::keys::{self, Key, fill_random};
use crate::message::query::Predicate;
use crate::message::signature::{SIGNATURE_LEN, to_sign, verify};
use crate::message::upload::Run;
use crate::operations::{Operation, count};
use crate::scheme::opse::Opse;
use crate::scheme::plain::Plain;
use crate::scheme::{self, Scheme};
use crate::wire::{self, Kind, Reader, Writer, length};
use crate::{cloud, message};

/// Why a control is not set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A message is to hold no interval.
    #[error("the number of intervals is 0, expected at least 1 in each message")]
    NoIntervals,

    /// There is no such index, or it is full.
    #[error(
        "the number of an index is {got}, expected that of an index, which holds up to 2^32 entries"
    )]
    Index {
        /// Its number, counted from 0.
        got: usize,
    },

    /// There is no key to sign with.
    #[error(transparent)]
    Keys(#[from] keys::Error),

    /// A scheme does not encrypt.
    #[error(transparent)]
    Scheme(#[from] scheme::Error),

    /// Bytes are no request.
    #[error(transparent)]
    Wire(#[from] wire::Error),

    /// A request is forged.
    #[error(transparent)]
    Message(#[from] message::Error),

    /// An index does not take a run.
    #[error(transparent)]
    Cloud(#[from] cloud::Error),
}

/// Who asks: it holds the keys of all indexes, and signs.
pub struct Querier {
    indexes: Vec<Box<dyn Bounds>>,
    signing: SigningKey,
}

/// What a querier needs of a scheme.
trait Bounds: Send + Sync {
    fn bounds(&self, low: i64, high: i64) -> Result<(i64, i64), scheme::Error>;
}

impl<S: Scheme<Id = (), Ciphertext = i64> + Send> Bounds for S {
    fn bounds(&self, low: i64, high: i64) -> Result<(i64, i64), scheme::Error> {
        Scheme::bounds(self, low, high)
    }
}

impl Querier {
    /// One index per key.
    ///
    /// # Errors
    ///
    /// Those of [`Opse::new`], and [`Error::Keys`] if the system gives none to sign with.
    pub fn new(keys: &[Key], domain: u64) -> Result<Self, Error> {
        let index =
            |key| -> Result<_, Error> { Ok(Box::new(Opse::new(key, domain)?) as Box<dyn Bounds>) };
        Self::of(keys.iter().map(index).collect::<Result<_, _>>()?)
    }

    /// One index of plaintexts.
    ///
    /// # Errors
    ///
    /// Those of [`Plain::new`], and [`Error::Keys`] if the system gives none to sign with.
    pub fn plain(domain: u64) -> Result<Self, Error> {
        Self::of(vec![Box::new(Plain::new(domain)?)])
    }

    fn of(indexes: Vec<Box<dyn Bounds>>) -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        fill_random(seed.as_mut_slice())?;
        Ok(Self { indexes, signing: SigningKey::from_bytes(&seed) })
    }

    /// What verifies its requests.
    #[must_use]
    pub fn verification_key(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    /// Asks every index for a range, `per_message` intervals at a time.
    ///
    /// # Errors
    ///
    /// [`Error::Scheme`] as [`Scheme::bounds`], and [`Error::NoIntervals`] if a message is to hold
    /// none.
    pub fn requests(&self, low: i64, high: i64, per_message: usize) -> Result<Vec<Vec<u8>>, Error> {
        if per_message == 0 {
            return Err(Error::NoIntervals);
        }
        let numbered: Vec<_> = self.indexes.iter().enumerate().collect();
        numbered
            .chunks(per_message)
            .map(|indexes| {
                let mut writer = Writer::new(Kind::Control);
                writer.count(indexes.len());
                for (number, index) in indexes {
                    let (low, high) = index.bounds(low, high)?;
                    writer.count(*number).i64(low).i64(high);
                }
                count(Operation::Signature, 1);
                let signature = self.signing.sign(&to_sign(&writer.0)).to_bytes();
                Ok([writer.0.as_slice(), &signature].concat())
            })
            .collect()
    }
}

impl fmt::Debug for Querier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Querier").field("indexes", &self.indexes.len()).finish_non_exhaustive()
    }
}

/// Who is asked: it holds ciphertexts and a verification key.
#[derive(Debug)]
pub struct Server {
    key: [u8; 32],
    indexes: Vec<Index>,
}

impl Server {
    /// So many empty indexes.
    #[must_use]
    pub fn new(key: [u8; 32], indexes: usize) -> Self {
        let indexes = std::iter::repeat_with(Index::default).take(indexes).collect();
        Self { key, indexes }
    }

    /// Merges an ascending run into an index.
    ///
    /// # Errors
    ///
    /// [`Error::Index`] if there is no such index or the run is too long, and those of [`Level::new`].
    pub fn add(&mut self, index: usize, ciphertexts: Vec<i64>) -> Result<(), Error> {
        let full = Error::Index { got: index };
        let (Some(index), Ok(entries)) =
            (self.indexes.get_mut(index), u32::try_from(ciphertexts.len()))
        else {
            return Err(full);
        };
        let run = Run { field: String::new(), ciphertexts, records: (0..entries).collect() };
        let level = Level::new(index.end(), entries, Arc::default(), Arc::new(vec![run]))?;
        index.push(Arc::new(level));
        index.settle(&Marks::default(), 0, usize::MAX, true);
        Ok(())
    }

    /// Verifies a request and counts what it finds.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`] if the bytes are no request, [`message::Error::Signature`] if it is forged.
    pub fn count(&self, request: &[u8]) -> Result<usize, Error> {
        let mut reader = Reader::new(request, Kind::Control)?;
        let intervals = reader.count(24)?;
        let asked = (0..intervals)
            .map(|_| Ok((reader.u64()?, reader.i64()?, reader.i64()?)))
            .collect::<Result<Vec<_>, wire::Error>>()?;
        let signed = &request[..reader.position()];
        let signature: [u8; SIGNATURE_LEN] = reader.array()?;
        reader.end()?;
        verify(&self.key, signed, &signature, Kind::Control.name())?;
        let (mut found, alive) = (0, Marks::default());
        for (index, low, high) in asked {
            let beyond = wire::Error::Format { what: Kind::Control.name(), position: signed.len() };
            let index = self.indexes.get(length(index)).ok_or(beyond)?;
            found +=
                index.count(&[Predicate { field: String::new(), low, high, slots: None }], &alive);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(keys: &[Key]) -> (Querier, Server) {
        let querier = Querier::new(keys, 121).unwrap();
        let mut server = Server::new(querier.verification_key(), keys.len());
        for (index, key) in keys.iter().enumerate() {
            let ages: Vec<i64> = (0..121).step_by(index + 1).collect();
            let mut ciphertexts = vec![0; ages.len()];
            let opse = Opse::new(key, 121).unwrap();
            opse.encrypt_batch(&ages, &vec![(); ages.len()], &mut ciphertexts).unwrap();
            server.add(index, ciphertexts).unwrap();
        }
        (querier, server)
    }

    fn keys() -> Vec<Key> {
        (1..=3).map(|byte| Key::from_bytes(&[byte; 32]).unwrap()).collect()
    }

    #[test]
    fn intervals_find_the_same_in_any_number_of_messages() {
        let (querier, server) = parts(&keys());
        for (per_message, messages) in [(1, 3), (2, 2), (3, 1), (9, 1)] {
            let requests = querier.requests(40, 60, per_message).unwrap();
            assert_eq!(requests.len(), messages);
            let found: usize = requests.iter().map(|r| server.count(r).unwrap()).sum();
            // 40..=60 in steps of 1, of 2 and of 3.
            assert_eq!(found, 21 + 11 + 7);
        }
    }

    #[test]
    fn plaintexts_are_searched_as_ciphertexts_are() {
        let querier = Querier::plain(121).unwrap();
        let mut server = Server::new(querier.verification_key(), 1);
        server.add(0, vec![3, 5, 5, 9]).unwrap();
        server.add(0, vec![4, 120]).unwrap();
        assert_eq!(server.count(&querier.requests(4, 9, 1).unwrap()[0]), Ok(4));
    }

    #[test]
    fn a_changed_request_and_a_run_out_of_place_are_refused() {
        let (querier, mut server) = parts(&keys());
        let request = querier.requests(40, 60, 3).unwrap().remove(0);
        for at in 0..request.len() {
            let mut changed = request.clone();
            changed[at] ^= 1;
            assert!(server.count(&changed).is_err(), "byte {at}");
            assert!(server.count(&request[..at]).is_err(), "cut at {at}");
        }
        let (_, mut fewer) = parts(&keys()[..1]);
        fewer.key = querier.verification_key();
        let malformed = fewer.count(&request);
        assert!(matches!(malformed, Err(Error::Wire(wire::Error::Format { .. }))));
        assert_eq!(server.add(3, vec![1]), Err(Error::Index { got: 3 }));
        assert_eq!(querier.requests(40, 60, 0), Err(Error::NoIntervals));
        assert_eq!(querier.requests(60, 40, 1), Err(scheme::Error::BoundsOrder.into()));
    }
}
