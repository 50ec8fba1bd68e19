use crate::{attack, cipher, evaluate, keys, schema, scheme, wire};

/// Everything that can go wrong in this crate.
///
/// Messages name positions, lengths and bounds. They never hold a key or a plaintext, because
/// messages end up in logs and notebooks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes are no message.
    #[error(transparent)]
    Wire(#[from] wire::Error),

    /// There is no key.
    #[error(transparent)]
    Keys(#[from] keys::Error),

    /// Something is no field, schema or value.
    #[error(transparent)]
    Schema(#[from] schema::Error),

    /// A scheme does not encrypt, decrypt or compare.
    #[error(transparent)]
    Scheme(#[from] scheme::Error),

    /// A cipher does not seal or open.
    #[error(transparent)]
    Cipher(#[from] cipher::Error),

    /// There is nothing to attack.
    #[error(transparent)]
    Attack(#[from] attack::Error),

    /// A control of the evaluation was not set up.
    #[error(transparent)]
    Evaluate(#[from] evaluate::Error),

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

    /// An opened value has no plaintext in the field of its column.
    #[error("field '{field}': the value in row {row} {why}")]
    FieldValue {
        /// The field.
        field: String,
        /// Which value of the part, counted from 0.
        row: usize,
        /// What is wrong with it.
        why: &'static str,
    },

    /// An opened column holds values of another type than its field.
    #[error("field '{field}': the column holds {dtype}, which is not what the field is of")]
    FieldType {
        /// The field.
        field: String,
        /// What the column holds.
        dtype: String,
    },

    /// A provider has granted nothing.
    #[error("provider '{provider}' has granted nothing")]
    NoGrant {
        /// Its path.
        provider: String,
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

    /// An owner is not served.
    #[error("the owner is not enrolled here")]
    NotEnrolled,

    /// An announcement is older than the one that is known.
    #[error("a newer announcement of this owner is known")]
    OlderAnnouncement,

    /// It is not clear whose provider is meant.
    #[error("the cloud serves {owners} owners: say whose provider")]
    WhichOwner {
        /// How many are served.
        owners: usize,
    },

    /// Nothing of a provider is stored.
    #[error("nothing of a provider '{provider}' is stored")]
    NothingStored {
        /// The path that was asked for.
        provider: String,
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

    /// Handles do not ascend, or are none or too many.
    #[error("handle {position} is not above the one before it, or there are none or 2^32")]
    Handle {
        /// Which handle, counted from 0.
        position: usize,
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

    /// A figure has no panel, or a panel has nothing to draw.
    #[error("the figure is empty: panel {panel} has nothing to draw")]
    PlotEmpty {
        /// Which panel, counted from 0.
        panel: usize,
    },

    /// Two columns that belong together have different lengths.
    #[error("{series}: {column} has {got} values, expected {expected}")]
    PlotLength {
        /// Name of the series.
        series: String,
        /// Which of its columns.
        column: &'static str,
        /// Length it must have.
        expected: usize,
        /// Length it has.
        got: usize,
    },

    /// A number to draw is NaN, infinite, or beyond ±10^300.
    #[error("{series}: value {index} of {column} is not a finite number within ±1e300")]
    PlotNotFinite {
        /// Name of the series.
        series: String,
        /// Which of its columns.
        column: &'static str,
        /// Position of the value, counted from 0.
        index: usize,
    },

    /// A number on a logarithmic axis is zero or below.
    #[error("{series}: value {index} of {column} is not positive, and its axis is logarithmic")]
    PlotNotPositive {
        /// Name of the series.
        series: String,
        /// Which of its columns.
        column: &'static str,
        /// Position of the value, counted from 0.
        index: usize,
    },

    /// Numbers that must ascend do not.
    #[error("{series}: value {index} of {column} is not above the one before it")]
    PlotOrder {
        /// Name of the series.
        series: String,
        /// Which of its columns.
        column: &'static str,
        /// Position of the first value out of order, counted from 0.
        index: usize,
    },

    /// The lower bound of an axis is not below its upper bound, or a bound cannot be on the axis.
    #[error("the axis \"{axis}\" needs finite bounds, the lower one below the upper one")]
    PlotRange {
        /// Label of the axis.
        axis: String,
    },

    /// A scale has an unknown name.
    #[error("\"{name}\" is not a scale: choose linear, log2 or log10")]
    PlotScale {
        /// The name that was given.
        name: String,
    },

    /// A role has an unknown name.
    #[error("\"{name}\" is not a role: choose series, control or expected")]
    PlotRole {
        /// The name that was given.
        name: String,
    },

    /// One series was given two roles.
    #[error("{series} is given two roles in one figure")]
    PlotRoleClash {
        /// Name of the series.
        series: String,
    },

    /// A text holds a control character, which no image format can show.
    #[error("{what} holds a control character or a character that XML forbids")]
    PlotText {
        /// Which text.
        what: String,
    },

    /// A figure is too small or too large to draw.
    #[error("{width} × {height} pixels is not a size between {min} × {min} and {max} × {max}")]
    PlotSize {
        /// Width that was asked for.
        width: u32,
        /// Height that was asked for.
        height: u32,
        /// Smallest side.
        min: u32,
        /// Largest side.
        max: u32,
    },

    /// Something does not fit into the figure.
    #[error(
        "{what} needs {need} pixels and there is room for {room}: shorten it or enlarge the figure"
    )]
    PlotRoom {
        /// What does not fit.
        what: String,
        /// Pixels it needs.
        need: u32,
        /// Pixels there are.
        room: u32,
    },

    /// The drawing library failed.
    #[error("drawing failed: {reason}")]
    PlotBackend {
        /// What it said.
        reason: String,
    },
}
