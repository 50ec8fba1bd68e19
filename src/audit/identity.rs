//! The identity of a cloud: the only key that it holds, which is no party's and opens nothing.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use ed25519_dalek::{Signer, SigningKey};
use zeroize::Zeroizing;

use super::Error;
use crate::keys::{Key, Purpose};
use crate::message::signature::{SIGNATURE_LEN, VERIFICATION_KEY_LEN, to_sign};
use crate::operations::{Operation, count};
use crate::wire::{HEAD_LEN, Kind, Reader, Writer};

const WHAT: &str = "the identity's file";

/// What signs checkpoints.
pub struct Identity(Key);

impl Identity {
    /// A new identity.
    ///
    /// # Errors
    ///
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(Key::generate()?))
    }

    /// The identity of a key.
    #[must_use]
    pub fn of(key: Key) -> Self {
        Self(key)
    }

    /// The identity in a file that only its owner reads, which is made if it is not there. It is in the
    /// clear: a service starts without anybody who knows a password.
    ///
    /// # Errors
    ///
    /// [`Error::File`], [`wire::Error`](crate::wire::Error) if it holds something else.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::File { what: WHAT, why: error.to_string() };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(mut file) => {
                let made = Self::generate()?;
                let mut writer = Writer::secret(Kind::Identity);
                writer.raw(made.0.expose());
                file.write_all(&writer.0).and_then(|()| file.sync_all()).map_err(failed)?;
                Ok(made)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let mut bytes = Zeroizing::new([0; HEAD_LEN + 33]);
                let mut file = OpenOptions::new().read(true).open(path).map_err(failed)?;
                let mut length = 0;
                while length < bytes.len() {
                    match file.read(&mut bytes[length..]).map_err(failed)? {
                        0 => break,
                        read => length += read,
                    }
                }
                let mut reader = Reader::new(&bytes[..length], Kind::Identity)?;
                let key = Key::from_bytes(reader.raw(32)?)?;
                reader.end()?;
                Ok(Self(key))
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn signer(&self) -> SigningKey {
        SigningKey::from_bytes(self.0.child(Purpose::Sign, b"identity", 0).expose())
    }

    /// What its signatures are verified by.
    #[must_use]
    pub fn public(&self) -> [u8; VERIFICATION_KEY_LEN] {
        self.signer().verifying_key().to_bytes()
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        count(Operation::Signature, 1);
        self.signer().sign(&to_sign(message)).to_bytes()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
