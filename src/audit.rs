//! A cloud's audit log: who did what when, in a log that cannot be rewritten without being noticed.
//!
//! Every owner has a log of its own, whose entries are chained, and stand in a hash tree that grows:
//!
//! ```text
//! entry      = owner || number || link || time || what || who || digest || amount || statement
//! link       = leaf of the entry before; 32 zeros for the first
//! leaf       = SHA-256(0 || entry),  node = SHA-256(1 || left || right), a lone node moves up
//! checkpoint = identity || owner || size || root || link || time || Ed25519 signature of the identity
//! ```
//!
//! A cloud signs checkpoints with its [identity](identity::Identity), a key that is no party's and opens
//! nothing. Whoever keeps the last checkpoint is a [witness](witness::Witness): it is shown that the tree goes
//! on from there, and the owner that some entries are all that stand between two numbers. A cloud
//! that removes, changes or reorders what a witness has seen cannot show that, and one that shows two witnesses
//! two logs has signed two checkpoints that no log has, which they find when they compare.
//!
//! # Leakage
//!
//! The log holds what the cloud saw anyway, and makes it last: when each party searched, how many records
//! answered, which messages were the same. Who has the log has that of all owners, without their stores.
//! It does not hold what was searched for. Another party of the owner is told how many entries there are.
//!
//! # Limits
//!
//! What the cloud did not write down from the first, no witness finds: a cloud that gives a copy of its
//! store away, or answers without noting it, is not found out. What a party opens on its own machine is
//! seen by nobody. A message that is refused is not written down.
//!
//! # Sources
//!
//! The tree and its proofs: RFC 9162, section 2.1. That a log needs a witness who remembers: the same, section
//! 8; Crosby and Wallach, *Efficient Data Structures for Tamper-Evident Logging*, USENIX Security 2009.

pub mod checkpoint;
pub mod entry;
mod error;
pub mod identity;
pub mod log;
mod pages;
mod tree;
pub mod witness;

pub use error::Error;
