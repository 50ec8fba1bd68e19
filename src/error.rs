use crate::{attack, cipher, cloud, evaluate, keys, message, party, plot, schema, scheme, wire};

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

    /// A figure cannot be drawn.
    #[error(transparent)]
    Plot(#[from] plot::Error),
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
