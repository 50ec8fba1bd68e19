use crate::wire;

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

    /// A ciphertext lies outside the range that it should be of.
    #[error("the ciphertext at position {position} lies outside the range of {range} ciphertexts")]
    OutOfRange {
        /// Which ciphertext, counted from 0.
        position: usize,
        /// How many ciphertexts the range has.
        range: u64,
    },

    /// An access pattern is no set of records.
    #[error("the records of query {query} do not ascend, or one of them does not exist")]
    AccessPattern {
        /// Which query, counted from 0.
        query: usize,
    },

    /// A cost, count or probability is no number, or not one that there can be.
    #[error("{what}: the number at position {position} is negative or not finite")]
    Distribution {
        /// Which numbers.
        what: &'static str,
        /// Which of them, counted from 0.
        position: usize,
    },

    /// No count or probability is above 0.
    #[error("{what}: all numbers are zero")]
    NoWeight {
        /// Which numbers.
        what: &'static str,
    },

    /// Every assignment of classes to values is forbidden.
    #[error("no assignment of the classes to values in order is possible")]
    NoMatching,

    /// A penalty weighs nothing.
    #[error("the penalty is not a number from 0 on")]
    Penalty,

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

    /// Bytes are no message.
    #[error(transparent)]
    Wire(#[from] wire::Error),

    /// There can be no such name in a hierarchy.
    #[error("the name \"{name}\": {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong.
        why: &'static str,
    },

    /// Nobody with this path was authorised.
    #[error("no provider \"{provider}\" was authorised")]
    UnknownProvider {
        /// The path that was asked for.
        provider: String,
    },

    /// The schema has no such field.
    #[error("the schema has no field {field:?}")]
    UnknownField {
        /// The name that was asked for.
        field: String,
    },

    /// A signature is not that of the party named, or what was signed has been changed.
    #[error("{what} is not signed by whom it names, or was changed since")]
    Signature {
        /// What should be signed.
        what: &'static str,
    },

    /// Something is of an owner that is not the one concerned.
    #[error("{what} is of another owner")]
    OtherOwner {
        /// What it is.
        what: &'static str,
    },

    /// Something is of another schema than the owner's.
    #[error("{what} is of another schema")]
    OtherSchema {
        /// What it is.
        what: &'static str,
    },

    /// A provider's keys are of an epoch that its group has left.
    #[error("provider {provider:?} is of an epoch that its group has left")]
    Epoch {
        /// The provider's path.
        provider: String,
    },

    /// A token's time has run out.
    #[error("the token has expired")]
    Expired,

    /// A key or token does not reach that far.
    #[error("{who} has no right to {what}")]
    Scope {
        /// Whose key or token it is.
        who: String,
        /// What is out of its reach.
        what: String,
    },

    /// A run names a record that does not exist, or one twice.
    #[error("field {field:?}: entry {position} names no record, or one for the second time")]
    Run {
        /// The run's field.
        field: String,
        /// Which entry, counted from 0.
        position: usize,
    },

    /// Two rows have one id.
    #[error("the id in row {row} stands in an earlier row too")]
    DuplicateId {
        /// The later row, counted from 0.
        row: usize,
    },

    /// An upload was received before, or is older than one that was.
    #[error("the upload of provider {provider:?} is not newer than the last one")]
    Replay {
        /// The provider's path.
        provider: String,
    },

    /// An upload holds a record that is stored already.
    #[error("record {position} of the upload of provider {provider:?} is stored already")]
    StoredRecord {
        /// The provider's path.
        provider: String,
        /// Which record of the upload, counted from 0.
        position: usize,
    },

    /// A file was received before.
    #[error("a file of provider {provider:?} was received before")]
    StoredFile {
        /// The provider's path.
        provider: String,
    },

    /// A keyword entry is stored already.
    #[error(
        "a keyword entry of provider {provider:?} is stored already: its keyring is older than its \
         last file; catch up with the cloud, then attach the file again"
    )]
    StoredKeyword {
        /// The provider's path.
        provider: String,
    },

    /// There is no such file.
    #[error("there is no such file")]
    UnknownFile,

    /// A search has no keyword.
    #[error("a search needs at least one keyword")]
    NoKeyword,

    /// A file or its description does not open. There is no detail, on purpose.
    #[error("the file does not open")]
    File,

    /// A query has no range.
    #[error("a query needs at least one range")]
    NoRange,

    /// A record does not open. There is no detail, on purpose.
    #[error("record {position} does not open")]
    Record {
        /// Which record of the batch, counted from 0.
        position: usize,
    },

    /// The layout of the records does not open. There is no detail, on purpose.
    #[error("the layout of the records does not open")]
    Layout,

    /// There is no such cipher here.
    #[error("there is no cipher \"{name}\" here")]
    UnknownCipher {
        /// The name that was asked for.
        name: String,
    },

    /// There is no such way from a password to a key here.
    #[error("there is no key derivation \"{name}\" here")]
    UnknownDerivation {
        /// The name that was asked for.
        name: String,
    },

    /// A cipher's key has the wrong length.
    #[error("the key of {cipher} has {got} bytes, expected {}", between(*.least, *.most))]
    CipherKey {
        /// The cipher.
        cipher: &'static str,
        /// Bytes it may have at least.
        least: usize,
        /// Bytes it may have at most.
        most: usize,
        /// Bytes it had.
        got: usize,
    },

    /// A key that is known to hide nothing.
    #[error("the key is a weak one")]
    WeakKey,

    /// What should be a key of RSA is none.
    #[error("this is not {expected}")]
    RsaKey {
        /// What it should be.
        expected: &'static str,
    },

    /// A nonce has the wrong length.
    #[error("the nonce of {cipher} has {got} bytes, expected {expected}")]
    Nonce {
        /// The cipher.
        cipher: &'static str,
        /// Bytes it must have.
        expected: usize,
        /// Bytes it had.
        got: usize,
    },

    /// Associated bytes were given to a cipher that cannot protect them.
    #[error("{cipher} authenticates nothing, so it takes no associated bytes")]
    NotAuthenticated {
        /// The cipher.
        cipher: &'static str,
    },

    /// A message is too long for its cipher.
    #[error("{cipher} takes at most {longest} bytes under one nonce")]
    TooLong {
        /// The cipher.
        cipher: &'static str,
        /// Bytes of the longest message.
        longest: u64,
    },

    /// A share does not open, is of another secret, or is given twice.
    #[error("share {position} does not open, is of another secret, or is given twice")]
    Share {
        /// Which share, counted from 0.
        position: usize,
    },

    /// There are not enough shares.
    #[error("{needed} shares are needed, and there are {got}")]
    TooFewShares {
        /// How many are needed; at least that many if there is none to tell.
        needed: usize,
        /// How many there are.
        got: usize,
    },

    /// A ciphertext does not open. There is no detail, on purpose.
    #[error("the ciphertext does not open")]
    Decryption,

    /// A file does not hold what was written to it.
    #[error("{what} is damaged")]
    Damaged {
        /// Which file.
        what: &'static str,
    },

    /// A file holds something else.
    #[error("the file is not {expected}")]
    OtherKind {
        /// Whose file it should be.
        expected: &'static str,
    },

    /// The password does not open the file.
    #[error("the password is wrong")]
    WrongPassword,

    /// A password has no letter.
    #[error("the password is empty")]
    EmptyPassword,

    /// The cost of a password is absurd.
    #[error("the memory, passes, lanes or iterations of the key derivation are out of bounds")]
    PasswordCost,

    /// A figure cannot be drawn.
    #[error(transparent)]
    Plot(#[from] crate::plot::Error),
}

fn between(least: usize, most: usize) -> String {
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}
