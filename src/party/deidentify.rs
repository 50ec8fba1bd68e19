//! Pseudonyms and secret shifts of dates, for the columns that a provider derives as it seals a portion
//! whose readers are not to know whose records they read.
//!
//! ```text
//! base      = key of the provider, or the key of its group's ruler of the first field
//! subject   = "i" || id as 8 bytes, big-endian    if ids are whole numbers
//!           = "s" || UTF-8                        if they are texts
//! pseudonym = HMAC-SHA-256(child(base, "pseudonym", text(portion) || text(column)), subject)[..16]
//! words(n)  = HMAC-SHA-256(child(base, "shift", days as 4 bytes, big-endian), subject || n as 4 bytes)
//! shift     = uniform integer below 2 days + 1 - days, of the words, eight bytes each, big-endian
//! ```
//!
//! All dates of a subject are shifted alike, so that the days between them stay. The shift does not hang
//! on the portion: who opens two of them sees one shifted date, and not two whose ranges meet in fewer.
//!
//! Costs a hash of two blocks for each value, on all cores.
//!
//! # Leakage
//!
//! A pseudonym tells which records are of one subject. Who knows one true date of a subject knows its
//! shift. Within a provider, its key alone tells whose a pseudonym is; within a group every member's does,
//! by trying ids.
//!
//! # Sources
//!
//! * HMAC: RFC 2104. Uniform integers: Lemire, *Fast Random Integer Generation in an Interval*, ACM TOMACS
//!   29(1), 2019.
//! * Shifting all dates of a patient by one random number of days: Hripcsak, Mirhaji, Low and Malin,
//!   *Preserving temporal relations in clinical data while maintaining privacy*, JAMIA 23(6), 2016.

use hmac::Mac;

use super::Error;
use super::keyring::Keyring;
use super::records::{HANDLES, Ids, mac};
use crate::keys::coins::scale;
use crate::keys::{Key, Purpose};
use crate::operations::{Operation, count};
use crate::pool;
use crate::wire::Writer;

/// Among whose records a subject has one pseudonym and one shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// Those of one provider.
    Provider,
    /// Those of all providers of its group, who share its rulers.
    Group,
}

impl Keyring {
    /// The pseudonym that each value of a column has in a portion.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`](crate::message::Error::Scope) if this is the owner, who belongs to no group.
    pub fn pseudonyms(
        &self,
        within: Within,
        portion: &str,
        column: &str,
        values: Ids<'_>,
    ) -> Result<Vec<[u8; 16]>, Error> {
        let mut label = Writer::default();
        label.text(portion).text(column);
        let key = self.base(within)?.child(Purpose::Pseudonym, &label.0, 0);
        let prf = mac(&key);
        count(Operation::Hmac, values.count());
        let pseudonym = |row| {
            let digest: [u8; 32] = subject(prf.clone(), values, row).finalize().into_bytes().into();
            let (halves, _) = digest.as_chunks::<16>();
            halves[0]
        };
        Ok(pool::map(values.count(), HANDLES, pseudonym))
    }

    /// By how many days the dates of each subject are shifted: uniform from `-days` to `days`.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`](crate::message::Error::Scope) if this is the owner, who belongs to no group.
    pub fn shifts(&self, within: Within, days: u32, subjects: Ids<'_>) -> Result<Vec<i64>, Error> {
        let key = self.base(within)?.child(Purpose::Shift, &days.to_be_bytes(), 0);
        let prf = mac(&key);
        count(Operation::Hmac, subjects.count());
        let size = 2 * u64::from(days) + 1;
        let shift = |row| {
            let of_subject = subject(prf.clone(), subjects, row);
            // A word fails with a chance of at most 2^-31.
            let found = (0_u32..).find_map(|number| {
                let digest = of_subject.clone().chain_update(number.to_be_bytes());
                let digest: [u8; 32] = digest.finalize().into_bytes().into();
                let (words, _) = digest.as_chunks::<8>();
                words.iter().find_map(|&word| scale(u64::from_be_bytes(word), size))
            });
            found.unwrap_or(0).cast_signed() - i64::from(days)
        };
        Ok(pool::map(subjects.count(), HANDLES, shift))
    }

    fn base(&self, within: Within) -> Result<&Key, Error> {
        let key = match within {
            Within::Provider if !self.rulers.is_empty() => Some(&self.key),
            Within::Provider => None,
            Within::Group => self.rulers.first(),
        };
        key.ok_or_else(|| self.out_of_reach("de-identify records of its own".to_owned()))
    }
}

/// Absorbs the id of a subject.
fn subject<M: Mac>(prf: M, ids: Ids<'_>, row: usize) -> M {
    match ids {
        Ids::Integers(ids) => prf.chain_update(b"i").chain_update(ids[row].to_be_bytes()),
        Ids::Texts(texts) => prf.chain_update(b"s").chain_update(texts.get(row)),
        Ids::Amending(amending) => subject(prf, amending.ids, row),
    }
}

#[cfg(test)]
mod tests;
