//! What unit tests share: an owner, an upload, and whatever a keyring's node signs.

use super::records::Ids;
use super::{Indexed, Keyring};
use crate::keys::Key;
use crate::schema::{Field, Kind, Schema};

/// Signs a message as a keyring's node, whatever it says: what a dishonest provider can do.
pub(crate) fn signed(keyring: &Keyring, message: Vec<u8>) -> Vec<u8> {
    keyring.signed(message)
}

/// Signs messages together as a keyring's node, whatever they say.
pub(crate) fn signed_together(keyring: &Keyring, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    keyring.signed_together(messages)
}

/// The owner with this byte as its root key, thirty-two times over.
pub(crate) fn owner(byte: u8) -> Keyring {
    let field = |maximum| Field::new(Kind::Number, 0.0, maximum, 1.0, None).unwrap();
    let fields = vec![("age".to_owned(), field(120.0)), ("sbp".to_owned(), field(260.0))];
    Keyring::root(Key::from_bytes(&[byte; 32]).unwrap(), Schema::new(fields).unwrap())
}

/// An upload of records 1 to 3 with ages 40, 50 and 60, and a pressure of 140 for the first two.
pub(crate) fn upload(provider: &Keyring, sequence: u64) -> Vec<u8> {
    let indexed = [
        Indexed { field: "age", rows: &[0, 1, 2], plaintexts: &[40, 50, 60] },
        Indexed { field: "sbp", rows: &[0, 1], plaintexts: &[140, 140] },
    ];
    provider.upload(&[], Ids::Integers(&[1, 2, 3]), &indexed, sequence).unwrap()
}
