//! Work in chunks, on all cores: an error names the first position that fails, whoever finds it first.

use super::Error;
use crate::pool;
use crate::stop;

/// Values that one thread takes at a time.
pub const CHUNK: usize = 1 << 14;

/// The same where each takes microseconds.
pub const FEW: usize = 4;

/// Runs `encrypt(start, plaintexts, ciphertexts)` on chunks whose plaintexts are all in the domain.
pub fn encrypt_chunks<C, F>(
    plaintexts: &[i64],
    ciphertexts: &mut [C],
    domain: u64,
    encrypt: F,
) -> Result<(), Error>
where
    C: Send,
    F: Fn(usize, &[i64], &mut [C]) + Sync,
{
    stop::expect(plaintexts.len());
    let chunk = |number: usize, plaintexts: &[i64], ciphertexts: &mut [C]| {
        stop::advance(plaintexts.len());
        let start = number * CHUNK;
        match plaintexts.iter().position(|x| x.cast_unsigned() >= domain) {
            Some(position) => Some(start + position),
            None => {
                encrypt(start, plaintexts, ciphertexts);
                None
            }
        }
    };
    let outside = pool::map_pairs((plaintexts, CHUNK), (ciphertexts, CHUNK), chunk);
    match outside.into_iter().flatten().next() {
        None => Ok(()),
        Some(position) => Err(Error::OutOfDomain { position, domain }),
    }
}

/// Decrypts each position on all cores; an error names the first position that failed.
pub fn decrypt_each<C: Sync, F>(ciphertexts: &[C], decrypt: F) -> Result<Vec<i64>, Error>
where
    F: Fn(usize) -> Result<i64, Error> + Sync,
{
    stop::expect(ciphertexts.len());
    let mut plaintexts = vec![0; ciphertexts.len()];
    let few = (ciphertexts, FEW);
    let invalid = pool::map_pairs(few, (&mut plaintexts, FEW), |number, _, plaintexts| {
        stop::advance(plaintexts.len());
        (number * FEW..).zip(plaintexts).find_map(|(position, plaintext)| match decrypt(position) {
            Ok(decrypted) => {
                *plaintext = decrypted;
                None
            }
            Err(_) => Some(position),
        })
    });
    match invalid.into_iter().flatten().next() {
        None => Ok(plaintexts),
        Some(position) => Err(Error::InvalidCiphertext { position }),
    }
}
