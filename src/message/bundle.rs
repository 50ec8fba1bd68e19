//! Messages that travel together: the tokens of a query, the parts of an answer.
//!
//! ```text
//! bundle = letters || version || count || (length || message) each
//! ```

use crate::wire::{self, Kind, Reader, Writer};

/// The kind of bundle with a name: `query` or `answer`.
///
/// # Errors
///
/// [`wire::Error::Format`] if there is none.
pub fn kind(name: &str) -> Result<Kind, wire::Error> {
    match name {
        "query" => Ok(Kind::Query),
        "answer" => Ok(Kind::Answer),
        _ => Err(wire::Error::Format { what: "the name of the bundle", position: 0 }),
    }
}

/// Returns messages as one of this kind.
#[must_use]
pub fn join<'a>(kind: Kind, messages: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut writer = Writer::new(kind);
    writer.count(messages.len());
    messages.for_each(|message| {
        writer.bytes(message);
    });
    writer.0
}

/// Returns the messages that [`join`] made one of.
///
/// # Errors
///
/// [`wire::Error::Format`] or [`wire::Error::Version`] if the bytes are none of this kind.
pub fn split(kind: Kind, bytes: &[u8]) -> Result<Vec<&[u8]>, wire::Error> {
    let mut reader = Reader::new(bytes, kind)?;
    let messages = (0..reader.count(8)?).map(|_| reader.bytes()).collect::<Result<_, _>>()?;
    reader.end()?;
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const KINDS: [Kind; 2] = [Kind::Query, Kind::Answer];

    proptest! {
        #[test]
        fn messages_survive_travelling_together(
            messages in vec(vec(any::<u8>(), 0..20), 0..5),
            cut in any::<prop::sample::Index>(),
        ) {
            for kind in KINDS {
                let bytes = join(kind, messages.iter().map(Vec::as_slice));
                let parts: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
                prop_assert_eq!(split(kind, &bytes), Ok(parts));
                prop_assert!(split(kind, &bytes[..cut.index(bytes.len())]).is_err());
                prop_assert!(split(kind, &[&bytes[..], &[0]].concat()).is_err());
                for other in KINDS.into_iter().filter(|other| *other != kind) {
                    let what = other.name();
                    let refused = Err(wire::Error::Format { what, position: 0 });
                    prop_assert_eq!(split(other, &bytes), refused);
                }
            }
        }
    }
}
