//! Figures of mopse.

mod error;
pub mod plot;

#[cfg(feature = "python")]
mod bindings;

pub use error::Error;
