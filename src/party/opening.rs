//! What opens records and attachments of a provider.

use super::grants::Opener;
use super::keyring::Keyring;
use super::records::Ids;
use crate::Error;
use crate::keys::Purpose;
use crate::message::place::Node;

impl Keyring {
    /// What opens all records of a provider at or below this node.
    ///
    /// # Errors
    ///
    /// [`Error::Scope`] names a provider whose key this one cannot derive.
    pub fn opener(&self, provider: &Node) -> Result<Opener, Error> {
        Ok(Opener::All(self.key_of(provider)?.child(Purpose::Record, b"", 0)))
    }

    /// What opens some records of a provider at or below this node.
    ///
    /// # Errors
    ///
    /// [`Error::Scope`] names a provider whose key this one cannot derive.
    pub fn opener_of(&self, provider: &Node, ids: Ids<'_>) -> Result<Opener, Error> {
        let key = self.key_of(provider)?;
        let handles = ids.handles(&key.child(Purpose::Handle, b"", 0));
        Ok(Opener::only(&key.child(Purpose::Record, b"", 0), &handles))
    }
}
