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

    /// A number is no scalar of the groups.
    #[error("{what} is no number of 32 bytes from 1 to below the order of the groups")]
    Scalar {
        /// What it is.
        what: &'static str,
    },

    /// An element is none of its group.
    #[error("{what} holds no element of its group")]
    Group {
        /// What holds it.
        what: &'static str,
    },

    /// An element is the identity.
    #[error("{what} holds the identity, which hides nothing")]
    Identity {
        /// What holds it.
        what: &'static str,
    },

    /// A public key comes without proof that its secret is known.
    #[error("the public key does not show that whoever made it knows its secret")]
    Possession,

    /// A name is empty or too long.
    #[error("a name has {got} bytes, expected 1 to 255")]
    Name {
        /// How long it is.
        got: usize,
    },

    /// A name is taken.
    #[error("there is an owner or a user {name:?} already")]
    Known {
        /// The name.
        name: String,
    },

    /// There is nothing of a name.
    #[error("there is no {what} {name:?}")]
    Unknown {
        /// What it would be.
        what: &'static str,
        /// The name.
        name: String,
    },

    /// An access list does not give a user a portion of a file.
    #[error("the owner's access list gives the user no such portion of the file")]
    NotGranted,

    /// Two that belong together are of different portions, or users.
    #[error("{what} is of another owner, file, portion or user")]
    OtherLabel {
        /// Which of them.
        what: &'static str,
    },

    /// Two that belong together are of different portions, readers' epochs or users.
    #[error("{what} is of another owner, provider, portion, readers' epoch or user")]
    OtherWrapping {
        /// Which of them.
        what: &'static str,
    },

    /// A server has no re-encryption key.
    #[error("there is no re-encryption key for this user, of this portion and readers' epoch")]
    NoReencryptionKey,

    /// A chunk is empty or too long.
    #[error("the chunk has {got} bytes, expected 1 to 64")]
    Chunk {
        /// How long it is.
        got: usize,
    },

    /// There are not so many chunks.
    #[error("there is no chunk {position}: the portion has {chunks}")]
    NoChunk {
        /// Which it would be, counted from 0.
        position: usize,
        /// How many there are.
        chunks: usize,
    },
}
