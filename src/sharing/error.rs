use crate::{keys, message, party, wire};

/// Why something is not shared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes are no message.
    #[error(transparent)]
    Wire(#[from] wire::Error),

    /// There is no key.
    #[error(transparent)]
    Keys(#[from] keys::Error),

    /// A message is no good.
    #[error(transparent)]
    Message(#[from] message::Error),

    /// A party cannot do something.
    #[error(transparent)]
    Party(#[from] party::Error),

    /// A user was made of grants alone.
    #[error("the user has no keys of its own: it was made of grants, and not generated")]
    NoKeys,

    /// A key is not one that something can be sealed to.
    #[error("the user's public keys hold one that nothing can be sealed to")]
    PublicKey,

    /// A sealed grant does not open. There is no detail, on purpose.
    #[error("the sealed grant does not open: it was changed, or sealed to other keys")]
    Sealed,

    /// A request is sealed to another address.
    #[error(
        "the sealed request is to another address: of another party, or of an epoch that was left"
    )]
    OtherAddress,

    /// What is sealed does not open. There is no detail, on purpose.
    #[error("{what} does not open: it was changed, or sealed to other keys")]
    Closed {
        /// What it is.
        what: &'static str,
    },

    /// What is sealed says something else of itself.
    #[error("{what} is not what it was sealed as")]
    Mislabelled {
        /// What it is.
        what: &'static str,
    },

    /// A reason is too long.
    #[error("the reason has {got} bytes, expected {most} at most")]
    Reason {
        /// How long it is.
        got: usize,
        /// How long it may be.
        most: usize,
    },

    /// More is approved than was asked for.
    #[error("{what} of the approval goes beyond what was asked for")]
    Wider {
        /// What goes beyond.
        what: &'static str,
    },

    /// A decision is on another request.
    #[error("the decision is not on a request that this user has made")]
    OtherRequest,

    /// A sealed grant is another user's.
    #[error("the sealed grant is for another user")]
    OtherUser,
}
