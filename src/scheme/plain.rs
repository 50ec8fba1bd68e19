//! The control: the ciphertext is the plaintext. Every measurement shows it beside real schemes.

use std::cmp::Ordering;

use super::{Error, Scheme, check_bounds, check_domain, check_lengths, check_plaintext};

/// The scheme that encrypts nothing.
#[derive(Debug, Clone, Copy)]
pub struct Plain {
    domain: u64,
}

impl Plain {
    /// A control on `0..domain`.
    ///
    /// # Errors
    ///
    /// [`Error::Domain`] if the domain is empty or above 2^32.
    pub fn new(domain: u64) -> Result<Self, Error> {
        check_domain(domain)?;
        Ok(Self { domain })
    }
}

impl Scheme for Plain {
    type Ciphertext = i64;
    type Id = ();

    fn domain(&self) -> u64 {
        self.domain
    }

    fn compare(left: &i64, right: &i64) -> Ordering {
        left.cmp(right)
    }

    fn encrypt(&self, plaintext: i64, (): ()) -> Result<i64, Error> {
        check_plaintext(plaintext, self.domain, 0)?;
        Ok(plaintext)
    }

    fn encrypt_batch(
        &self,
        plaintexts: &[i64],
        ids: &[()],
        ciphertexts: &mut [i64],
    ) -> Result<(), Error> {
        check_lengths(plaintexts.len(), ids.len(), ciphertexts.len())?;
        for (position, (&plaintext, ciphertext)) in plaintexts.iter().zip(ciphertexts).enumerate() {
            check_plaintext(plaintext, self.domain, position)?;
            *ciphertext = plaintext;
        }
        Ok(())
    }

    fn decrypt(&self, ciphertext: i64, (): ()) -> Result<i64, Error> {
        check_plaintext(ciphertext, self.domain, 0)
            .map_err(|_| Error::InvalidCiphertext { position: 0 })?;
        Ok(ciphertext)
    }

    fn bounds(&self, low: i64, high: i64) -> Result<(i64, i64), Error> {
        check_bounds(low, high, self.domain)?;
        Ok((low, high))
    }
}
