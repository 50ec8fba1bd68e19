//! Counts of the operations that cost: for whoever measures, as they do not depend on the machine.
//!
//! Every thread counts for itself and only ever adds; [`Counts::now`] sums over all threads since
//! the process started. What a call took is the difference between after and before, as long as
//! nothing else runs meanwhile:
//!
//! ```
//! use mopse::keys::Key;
//! use mopse::operations::{Counts, Operation};
//! use mopse::scheme::opse::Opse;
//!
//! let opse = Opse::new(&Key::from_bytes(&[2; 32])?, 1 << 16)?;
//! let before = Counts::now();
//! opse.encrypt_one(77)?;
//! let took = Counts::now().since(&before);
//! assert!(took[Operation::Split] >= 16);
//! # Ok::<(), mopse::Error>(())
//! ```
//!
//! An addition is a load and a store of the thread's own memory, and batches add once.
//!
//! # Leakage
//!
//! Counts of key operations depend on secrets, as times do. They stay in the process.

use std::ops::Index;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::lock::Lock;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Operation {
    /// A hypergeometric split of a range.
    Split,
    /// An AES block of coins and of handles. Blocks of the cipher suite and of sealed records are not counted.
    AesBlock,
    /// An HMAC: a key, or the handle of a text.
    Hmac,
    /// A comparison of two ciphertexts, in merging and in searching.
    Comparison,
    /// An interval that an index was searched for.
    Interval,
    /// A signature made.
    Signature,
    /// A signature verified.
    Verification,
    /// A call of a pseudo-random function in order-revealing encryption.
    Prf,
    /// A call of a pseudo-random permutation in order-revealing encryption.
    Prp,
    /// A hash in order-revealing encryption.
    Hash,
    /// A key encapsulated for a user, or taken out of its capsule.
    Encapsulation,
    /// A pairing.
    Pairing,
    /// A power of an element of one of a pairing's groups.
    Power,
}

/// How many operations there are.
const OPERATIONS: usize = 13;

impl Operation {
    /// All operations.
    pub const ALL: [Self; OPERATIONS] = [
        Self::Split,
        Self::AesBlock,
        Self::Hmac,
        Self::Comparison,
        Self::Interval,
        Self::Signature,
        Self::Verification,
        Self::Prf,
        Self::Prp,
        Self::Hash,
        Self::Encapsulation,
        Self::Pairing,
        Self::Power,
    ];

    /// What tables call the operation, in the plural.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Split => "splits",
            Self::AesBlock => "aes_blocks",
            Self::Hmac => "hmacs",
            Self::Comparison => "comparisons",
            Self::Interval => "intervals",
            Self::Signature => "signatures",
            Self::Verification => "verifications",
            Self::Prf => "prfs",
            Self::Prp => "prps",
            Self::Hash => "hashes",
            Self::Encapsulation => "encapsulations",
            Self::Pairing => "pairings",
            Self::Power => "powers",
        }
    }
}

/// How often each operation ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([u64; OPERATIONS]);

impl Counts {
    /// The operations of all threads since the process started.
    #[must_use]
    pub fn now() -> Self {
        let mut sum = Self::default();
        let Ok(threads) = THREADS.read() else { return sum };
        for tally in threads.iter() {
            for (sum, count) in sum.0.iter_mut().zip(tally.iter()) {
                *sum += count.load(Ordering::Relaxed);
            }
        }
        sum
    }

    /// What ran since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].wrapping_sub(before.0[i])))
    }
}

impl Index<Operation> for Counts {
    type Output = u64;

    fn index(&self, operation: Operation) -> &u64 {
        &self.0[operation as usize]
    }
}

type Tally = [AtomicU64; OPERATIONS];

/// The tally of every thread that ever counted; a thread that ended leaves its own behind.
static THREADS: Lock<Vec<Arc<Tally>>> = Lock::new(Vec::new());

thread_local! {
    static TALLY: Arc<Tally> = {
        let tally = Arc::<Tally>::default();
        if let Ok(mut threads) = THREADS.write() {
            threads.push(Arc::clone(&tally));
        }
        tally
    };
}

/// Adds to the count of an operation.
#[inline]
pub(crate) fn count(operation: Operation, times: usize) {
    // A thread that is ending has no tally; nothing is measured there.
    let _ = TALLY.try_with(|tally| {
        let count = &tally[operation as usize];
        // Only this thread writes, so that no other addition is lost between load and store.
        count.store(count.load(Ordering::Relaxed) + times as u64, Ordering::Relaxed);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing else in the library's own tests hashes for order-revealing encryption in between.
    #[test]
    fn the_sum_counts_every_thread_even_after_it_ended() {
        let before = Counts::now();
        std::thread::scope(|scope| {
            for times in 1..=4 {
                scope.spawn(move || (0..times).for_each(|_| count(Operation::Hash, 10)));
            }
        });
        assert_eq!(Counts::now().since(&before)[Operation::Hash], 100);
    }

    #[test]
    fn names_are_as_many_as_operations() {
        let mut names: Vec<_> = Operation::ALL.map(Operation::name).to_vec();
        assert!(Operation::ALL.iter().enumerate().all(|(i, &operation)| i == operation as usize));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), OPERATIONS);
    }
}
