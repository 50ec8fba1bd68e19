//! The one-to-many mode: the id of the record moves the ciphertext in its leaf.

use std::cmp::Ordering;

use super::{BLOCKS, Opse, major};
use crate::keys::coins::{Block, Coins, Tag, uniform_from};
use crate::scheme::batch::{decrypt_each, encrypt_chunks};
use crate::scheme::{Error, Scheme, check_lengths, check_plaintext, stored};

/// The one-to-many mode of an [`Opse`]: the id of the record moves the ciphertext in its leaf.
#[derive(Debug, Clone, Copy)]
pub struct OneToMany<'a>(pub &'a Opse);

impl OneToMany<'_> {
    /// Decrypts a batch of one-to-many ciphertexts with the ids they were made with.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCiphertext`] names the first that no plaintext has with its id,
    /// [`Error::Length`] an id array of another length.
    pub fn decrypt_batch(&self, ciphertexts: &[i64], ids: &[i64]) -> Result<Vec<i64>, Error> {
        check_lengths(ciphertexts.len(), ids.len(), ciphertexts.len())?;
        self.0.prepare(ciphertexts.len());
        decrypt_each(ciphertexts, |position| self.decrypt(ciphertexts[position], ids[position]))
    }
}

impl Scheme for OneToMany<'_> {
    type Ciphertext = i64;
    type Id = i64;

    fn domain(&self) -> u64 {
        self.0.domain
    }

    fn compare(left: &i64, right: &i64) -> Ordering {
        left.cmp(right)
    }

    fn encrypt(&self, plaintext: i64, id: i64) -> Result<i64, Error> {
        let plaintext = check_plaintext(plaintext, self.0.domain, 0)?;
        Ok(self.0.spread(plaintext, self.0.leaf(plaintext), id, None))
    }

    fn encrypt_batch(
        &self,
        plaintexts: &[i64],
        ids: &[i64],
        ciphertexts: &mut [i64],
    ) -> Result<(), Error> {
        check_lengths(plaintexts.len(), ids.len(), ciphertexts.len())?;
        let opse = self.0;
        opse.prepare(plaintexts.len());
        let Some(codebook) = opse.codebook.get() else {
            return opse.walk(plaintexts, ciphertexts, |position, plaintext, leaf| {
                opse.spread(plaintext, leaf, ids[position], None)
            });
        };
        encrypt_chunks(plaintexts, ciphertexts, opse.domain, |start, plaintexts, out| {
            let ids = &ids[start..start + plaintexts.len()];
            let mut blocks = [Block::default(); BLOCKS];
            for ((plaintexts, ids), out) in
                plaintexts.chunks(BLOCKS).zip(ids.chunks(BLOCKS)).zip(out.chunks_mut(BLOCKS))
            {
                let blocks = &mut blocks[..plaintexts.len()];
                for ((block, &plaintext), id) in blocks.iter_mut().zip(plaintexts).zip(ids) {
                    let major = major(plaintext.cast_unsigned());
                    *block = Coins::block(Tag::Spread, 0, major, id.cast_unsigned());
                }
                opse.coins.toss(blocks);
                for (((ciphertext, &plaintext), &id), &block) in
                    out.iter_mut().zip(plaintexts).zip(ids).zip(blocks.iter())
                {
                    let plaintext = plaintext.cast_unsigned();
                    let leaf = codebook.leaf(plaintext);
                    *ciphertext = match uniform_from(block, leaf.size) {
                        Some(below) => stored(leaf.start + below),
                        None => opse.spread(plaintext, leaf, id, Some(block)),
                    };
                }
            }
        })
    }

    fn decrypt(&self, ciphertext: i64, id: i64) -> Result<i64, Error> {
        let found = u64::try_from(ciphertext).ok().and_then(|place| self.0.find(place));
        match found {
            Some((plaintext, leaf)) if self.0.spread(plaintext, leaf, id, None) == ciphertext => {
                Ok(plaintext.cast_signed())
            }
            _ => Err(Error::InvalidCiphertext { position: 0 }),
        }
    }

    fn bounds(&self, low: i64, high: i64) -> Result<(i64, i64), Error> {
        self.0.bounds(low, high)
    }
}
