//! Attacks: what ciphertexts and queries give away to whoever holds no key.
//!
//! Each kernel takes plain numbers that an adversary sees, and nothing else: no module here knows
//! a key, a party or a scheme. `python/mopse/attacks` says who sees them and what a success is.

pub mod access;
pub mod density;
pub mod geometry;
