//! Every message that ever changed something, so that none is carried out twice.

use std::collections::HashMap;

use crate::cloud::Error;
use crate::cloud::store::Receipt;

/// What was carried out, for ever.
#[derive(Debug, Default)]
pub struct Log {
    taken: HashMap<u128, Taken>,
    /// After which change all that a provider had sent was removed.
    gone: HashMap<String, u64>,
}

#[derive(Debug)]
struct Taken {
    digest: [u8; 32],
    receipt: Receipt,
    /// Which change it was.
    change: u64,
    /// Whether it removed a provider, and brought nothing.
    is_removal: bool,
}

impl Log {
    /// The receipt of a message of a provider that was carried out before.
    ///
    /// # Errors
    ///
    /// [`Error::Id`] if another message had its number, [`Error::Replay`] if what it brought was removed.
    pub fn repeated(
        &self,
        id: u128,
        digest: &[u8; 32],
        provider: &str,
    ) -> Result<Option<Receipt>, Error> {
        let provider = || provider.to_owned();
        let Some(taken) = self.taken.get(&id) else { return Ok(None) };
        let gone = self.gone.get(&taken.receipt.provider);
        if taken.digest != *digest {
            Err(Error::Id { provider: provider() })
        } else if !taken.is_removal && gone.is_some_and(|&change| taken.change <= change) {
            Err(Error::Replay { provider: provider() })
        } else {
            Ok(Some(Receipt { is_repeated: true, ..taken.receipt.clone() }))
        }
    }

    /// Notes an upload that was a change.
    pub fn add(&mut self, id: u128, digest: [u8; 32], receipt: &Receipt, change: u64) {
        let taken = Taken { digest, receipt: receipt.clone(), change, is_removal: false };
        self.taken.insert(id, taken);
    }

    /// Notes that a change removed all that a provider had sent; by a message, or by who keeps the cloud.
    pub fn remove(&mut self, message: Option<(u128, [u8; 32])>, receipt: &Receipt, change: u64) {
        self.gone.insert(receipt.provider.clone(), change);
        if let Some((id, digest)) = message {
            let taken = Taken { digest, receipt: receipt.clone(), change, is_removal: true };
            self.taken.insert(id, taken);
        }
    }
}
