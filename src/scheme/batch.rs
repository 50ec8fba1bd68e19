//! Work in chunks, on all cores: an error names the first position that fails, whoever finds it first.

use rayon::prelude::*;

use super::Error;

/// Values that one thread takes at a time.
pub const CHUNK: usize = 1 << 14;

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
    let first_outside = plaintexts
        .par_chunks(CHUNK)
        .zip(ciphertexts.par_chunks_mut(CHUNK))
        .enumerate()
        .filter_map(|(chunk, (plaintexts, ciphertexts))| {
            let start = chunk * CHUNK;
            match plaintexts.iter().position(|x| x.cast_unsigned() >= domain) {
                Some(position) => Some(start + position),
                None => {
                    encrypt(start, plaintexts, ciphertexts);
                    None
                }
            }
        })
        .min();
    match first_outside {
        None => Ok(()),
        Some(position) => Err(Error::OutOfDomain { position, domain }),
    }
}

/// Decrypts each position on all cores; an error names the first position that failed.
pub fn decrypt_each<C, F>(ciphertexts: &[C], decrypt: F) -> Result<Vec<i64>, Error>
where
    F: Fn(usize) -> Result<i64, Error> + Sync,
{
    let mut plaintexts = vec![0; ciphertexts.len()];
    let first_invalid = plaintexts
        .par_iter_mut()
        .enumerate()
        .filter_map(|(position, plaintext)| match decrypt(position) {
            Ok(decrypted) => {
                *plaintext = decrypted;
                None
            }
            Err(_) => Some(position),
        })
        .min();
    match first_invalid {
        None => Ok(plaintexts),
        Some(position) => Err(Error::InvalidCiphertext { position }),
    }
}
