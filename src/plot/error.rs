//! What can be wrong with a figure.

/// Why a figure cannot be drawn.
///
/// Messages name series, columns and positions, never a number that was to be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A figure has no panel, or a panel has nothing to draw.
    #[error("the figure is empty: panel {panel} has nothing to draw")]
    Empty {
        /// Which panel, counted from 0.
        panel: usize,
    },

    /// Two columns that belong together have different lengths.
    #[error("{series}: {column} has {got} values, expected {expected}")]
    Length {
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
    NotFinite {
        /// Name of the series.
        series: String,
        /// Which of its columns.
        column: &'static str,
        /// Position of the value, counted from 0.
        index: usize,
    },

    /// A number on a logarithmic axis is zero or below.
    #[error("{series}: value {index} of {column} is not positive, and its axis is logarithmic")]
    NotPositive {
        /// Name of the series.
        series: String,
        /// Which of its columns.
        column: &'static str,
        /// Position of the value, counted from 0.
        index: usize,
    },

    /// Numbers that must ascend do not.
    #[error("{series}: value {index} of {column} is not above the one before it")]
    Order {
        /// Name of the series.
        series: String,
        /// Which of its columns.
        column: &'static str,
        /// Position of the first value out of order, counted from 0.
        index: usize,
    },

    /// The lower bound of an axis is not below its upper bound, or a bound cannot be on the axis.
    #[error("the axis \"{axis}\" needs finite bounds, the lower one below the upper one")]
    Range {
        /// Label of the axis.
        axis: String,
    },

    /// A scale has an unknown name.
    #[error("\"{name}\" is not a scale: choose linear, log2 or log10")]
    Scale {
        /// The name that was given.
        name: String,
    },

    /// A role has an unknown name.
    #[error("\"{name}\" is not a role: choose series, control or expected")]
    Role {
        /// The name that was given.
        name: String,
    },

    /// One series was given two roles.
    #[error("{series} is given two roles in one figure")]
    RoleClash {
        /// Name of the series.
        series: String,
    },

    /// A text holds a control character, which no image format can show.
    #[error("{what} holds a control character or a character that XML forbids")]
    Text {
        /// Which text.
        what: String,
    },

    /// A figure is too small or too large to draw.
    #[error("{width} × {height} pixels is not a size between {min} × {min} and {max} × {max}")]
    Size {
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
    Room {
        /// What does not fit.
        what: String,
        /// Pixels it needs.
        need: u32,
        /// Pixels there are.
        room: u32,
    },

    /// The drawing library failed.
    #[error("drawing failed: {reason}")]
    Backend {
        /// What it said.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn the_error_of_the_crate_says_the_same() {
        let error = Error::Range { axis: "entries".into() };
        assert_eq!(crate::Error::from(error.clone()).to_string(), error.to_string());
    }
}
