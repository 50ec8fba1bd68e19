use crate::{
    attack, audit, cipher, cloud, evaluate, keys, message, party, plot, schema, scheme, sharing,
    wire,
};

/// Everything that can go wrong in this crate.
///
/// Messages name positions, lengths and bounds. They never hold a key or a plaintext, because
/// messages end up in logs and notebooks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes are no message.
    #[error(transparent)]
    Wire(wire::Error),

    /// There is no key.
    #[error(transparent)]
    Keys(keys::Error),

    /// Something is no field, schema or value.
    #[error(transparent)]
    Schema(schema::Error),

    /// A scheme does not encrypt, decrypt or compare.
    #[error(transparent)]
    Scheme(scheme::Error),

    /// A cipher does not seal or open.
    #[error(transparent)]
    Cipher(cipher::Error),

    /// There is nothing to attack.
    #[error(transparent)]
    Attack(attack::Error),

    /// A control of the evaluation was not set up.
    #[error(transparent)]
    Evaluate(evaluate::Error),

    /// A message is refused.
    #[error(transparent)]
    Message(message::Error),

    /// A party cannot do something.
    #[error(transparent)]
    Party(party::Error),

    /// Something is not shared.
    #[error(transparent)]
    Sharing(sharing::Error),

    /// A log is not written, or not believed.
    #[error(transparent)]
    Audit(audit::Error),

    /// A cloud refuses.
    #[error(transparent)]
    Cloud(cloud::Error),

    /// A figure cannot be drawn.
    #[error(transparent)]
    Plot(plot::Error),
}

/// What a room below has found stays that room's error.
macro_rules! from_rooms {
    ($($room:ident: $variant:ident over [$($below:ident),*];)*) => {
        $(
            impl From<$room::Error> for Error {
                fn from(error: $room::Error) -> Self {
                    match error {
                        $($room::Error::$below(error) => error.into(),)*
                        error => Self::$variant(error),
                    }
                }
            }
        )*
    };
}

from_rooms! {
    wire: Wire over [];
    keys: Keys over [];
    schema: Schema over [Scheme];
    scheme: Scheme over [Keys];
    cipher: Cipher over [Keys, Wire];
    message: Message over [Wire];
    party: Party over [Wire, Keys, Schema, Scheme, Cipher, Message];
    sharing: Sharing over [Wire, Keys, Message, Party];
    cloud: Cloud over [Message];
    audit: Audit over [Wire, Keys, Message];
    attack: Attack over [];
    plot: Plot over [];
    evaluate: Evaluate over [Keys, Scheme, Wire, Message, Cloud];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_room_found_stays_its_error_and_its_words_however_far_it_travels() {
        let found = wire::Error::Version { what: "the upload", got: 9 };
        let by_message = message::Error::from(found.clone());
        let by_cloud = cloud::Error::from(by_message.clone());
        let by_evaluation = evaluate::Error::from(by_cloud.clone());
        let by_party = party::Error::from(by_message.clone());
        let ways: [Error; 4] =
            [by_message.into(), by_cloud.into(), by_evaluation.into(), by_party.into()];
        for travelled in ways {
            assert_eq!(travelled, Error::Wire(found.clone()));
            assert_eq!(travelled.to_string(), found.to_string());
        }
        let own = cloud::Error::NotEnrolled;
        assert_eq!(Error::from(own.clone()), Error::Cloud(own));
    }
}
