/// Everything that can go wrong in this crate.
///
/// Messages name positions, lengths and bounds. They never hold a key or a plaintext, because
/// messages end up in logs and notebooks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key has the wrong length.
    #[error("the key has {got} bytes, expected {expected}")]
    KeyLength {
        /// Length the key must have, in bytes.
        expected: usize,
        /// Length it had, in bytes.
        got: usize,
    },

    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,

    /// A domain or range of a scheme has an impossible size.
    #[error("{what} is {got}, expected {expected}")]
    Size {
        /// Which size.
        what: &'static str,
        /// The size it had.
        got: u64,
        /// The sizes it may have.
        expected: &'static str,
    },

    /// A plaintext lies outside the scheme's domain.
    #[error("the plaintext at position {position} lies outside the domain of {domain} values")]
    OutOfDomain {
        /// Which plaintext of the batch, counted from 0.
        position: usize,
        /// Plaintexts run from 0 to one below this.
        domain: u64,
    },

    /// Two arrays that belong together have different lengths.
    #[error("{what} has {got} entries, expected {expected}")]
    Length {
        /// Which array.
        what: &'static str,
        /// Entries it must have.
        expected: usize,
        /// Entries it had.
        got: usize,
    },

    /// A query's lower bound lies above its upper bound.
    #[error("the lower bound lies above the upper bound")]
    BoundsOrder,

    /// No plaintext has this ciphertext under this key.
    #[error("the ciphertext at position {position} is not one of this key")]
    InvalidCiphertext {
        /// Which ciphertext of the batch, counted from 0.
        position: usize,
    },

    /// A field's grid is impossible, or a bound is no value.
    #[error("{why}")]
    Field {
        /// What is wrong.
        why: &'static str,
    },

    /// A schema is impossible.
    #[error("field {name:?}: {why}")]
    Schema {
        /// The field's name; empty if it is about no single one.
        name: String,
        /// What is wrong.
        why: &'static str,
    },

    /// A value has no plaintext in its field.
    #[error("the value in row {row} {why}")]
    Value {
        /// Which value, counted from 0.
        row: usize,
        /// What is wrong with it.
        why: &'static str,
    },

    /// A run to merge is not in ascending order.
    #[error("run {run} is not sorted: its ciphertext {position} is below the one before it")]
    UnsortedRun {
        /// Which run, counted from 0.
        run: usize,
        /// First ciphertext out of order, counted from 0.
        position: usize,
    },

    /// A run to merge holds a number below 0, which no scheme gives.
    #[error("run {run} is not one of ciphertexts: its entry {position} is negative")]
    NegativeCiphertext {
        /// Which run, counted from 0.
        run: usize,
        /// Which entry, counted from 0.
        position: usize,
    },
}
