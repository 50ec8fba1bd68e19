use crate::{attack, cipher, cloud, evaluate, keys, message, party, schema, scheme, wire};

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
    Evaluate(evaluate::Error),

    /// A message is refused.
    #[error(transparent)]
    Message(#[from] message::Error),

    /// A party cannot do something.
    #[error(transparent)]
    Party(party::Error),

    /// A cloud refuses.
    #[error(transparent)]
    Cloud(cloud::Error),

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

/// What a room below has found stays that room's error.
impl From<party::Error> for Error {
    fn from(error: party::Error) -> Self {
        match error {
            party::Error::Wire(error) => error.into(),
            party::Error::Keys(error) => error.into(),
            party::Error::Schema(error) => error.into(),
            party::Error::Scheme(error) => error.into(),
            party::Error::Cipher(error) => error.into(),
            party::Error::Message(error) => error.into(),
            error => Self::Party(error),
        }
    }
}

/// As for a party.
impl From<cloud::Error> for Error {
    fn from(error: cloud::Error) -> Self {
        match error {
            cloud::Error::Message(error) => error.into(),
            error => Self::Cloud(error),
        }
    }
}

/// As for a party.
impl From<evaluate::Error> for Error {
    fn from(error: evaluate::Error) -> Self {
        match error {
            evaluate::Error::Keys(error) => error.into(),
            evaluate::Error::Scheme(error) => error.into(),
            evaluate::Error::Wire(error) => error.into(),
            evaluate::Error::Message(error) => error.into(),
            evaluate::Error::Cloud(error) => error.into(),
            error => Self::Evaluate(error),
        }
    }
}
