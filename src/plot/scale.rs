//! Scales: how an axis spreads its values, and which there can be.

use std::str::FromStr;

use super::error::Error;

/// How an axis spreads its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Equal differences look equal.
    #[default]
    Linear,
    /// Equal ratios look equal; ticks at powers of two.
    Log2,
    /// Equal ratios look equal; ticks at powers of ten.
    Log10,
}

impl FromStr for Scale {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "linear" => Ok(Self::Linear),
            "log2" => Ok(Self::Log2),
            "log10" => Ok(Self::Log10),
            _ => Err(Error::Scale { name: name.to_owned() }),
        }
    }
}

impl Scale {
    pub(super) fn spread(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log2 => value.log2(),
            Self::Log10 => value.log10(),
        }
    }

    pub(super) fn is_log(self) -> bool {
        self != Self::Linear
    }
}

/// Whether a number can be drawn: finite, and small enough that differences stay finite.
pub(super) fn is_drawable(value: f64) -> bool {
    value.abs() <= 1e300
}
