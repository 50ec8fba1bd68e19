//! A sealed value: a short message that travels with its nonce.
//!
//! ```text
//! sealed = nonce || AEAD(key, nonce, message, associated)
//! ```
//!
//! Records, layouts, descriptions of attachments and shares are sealed so. What is sealed under a key of
//! its own takes [`aes_gcm_siv::under`](super::aes_gcm_siv::under), which survives a repeated nonce.

use super::{Algorithm, Cipher, Error, check, check_length};

/// How many bytes a message becomes.
///
/// # Errors
///
/// Those of [`Algorithm::sealed_len`].
pub fn sealed_len(algorithm: &Algorithm, message: usize) -> Result<usize, Error> {
    Ok(algorithm.nonce_len + algorithm.sealed_len(message)?)
}

/// Seals a message into a slice that has exactly the length [`sealed_len`] says.
///
/// # Errors
///
/// Those of [`Cipher::seal_into`].
pub fn seal_into(
    cipher: &(impl Cipher + ?Sized),
    nonce: &[u8],
    associated: &[u8],
    message: &[u8],
    sealed: &mut [u8],
) -> Result<(), Error> {
    let algorithm = cipher.algorithm();
    check(algorithm, nonce, associated)?;
    check_length("the output", sealed_len(algorithm, message.len())?, sealed.len())?;
    let (head, ciphertext) = sealed.split_at_mut(algorithm.nonce_len);
    cipher.seal_into(nonce, associated, message, ciphertext)?;
    head.copy_from_slice(nonce);
    Ok(())
}

/// Opens what was sealed into a slice of at least the message's length, and returns that length.
///
/// # Errors
///
/// Those of [`Cipher::open_into`].
pub fn open_into(
    cipher: &(impl Cipher + ?Sized),
    associated: &[u8],
    sealed: &[u8],
    message: &mut [u8],
) -> Result<usize, Error> {
    let (nonce, ciphertext) = split(cipher.algorithm(), sealed)?;
    cipher.open_into(nonce, associated, ciphertext, message)
}

/// Returns a message sealed.
///
/// # Errors
///
/// Those of [`Cipher::seal_into`].
pub fn seal(
    cipher: &(impl Cipher + ?Sized),
    nonce: &[u8],
    associated: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut sealed = vec![0; sealed_len(cipher.algorithm(), message.len())?];
    seal_into(cipher, nonce, associated, message, &mut sealed)?;
    Ok(sealed)
}

/// Returns the message of what was sealed.
///
/// # Errors
///
/// Those of [`Cipher::open_into`].
pub fn open(
    cipher: &(impl Cipher + ?Sized),
    associated: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, Error> {
    let (nonce, ciphertext) = split(cipher.algorithm(), sealed)?;
    cipher.open(nonce, associated, ciphertext)
}

fn split<'a>(algorithm: &Algorithm, sealed: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Error> {
    sealed.split_at_checked(algorithm.nonce_len).ok_or(Error::Decryption)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::{ALGORITHMS, TAG_LEN, aes_gcm_siv, legacy};
    use crate::keys::Key;

    #[test]
    fn the_nonce_stands_before_the_ciphertext() {
        for algorithm in ALGORITHMS.iter().chain(&legacy::ALGORITHMS) {
            let key: Vec<u8> = (1..).take(*algorithm.key_len.end()).collect();
            let cipher = algorithm.with_key(&key).unwrap();
            let nonce = vec![9; algorithm.nonce_len];
            let sealed = seal(&*cipher, &nonce, b"", b"chest X-ray").unwrap();
            let ciphertext = cipher.seal(&nonce, b"", b"chest X-ray").unwrap();
            assert_eq!(sealed, [nonce, ciphertext].concat());
            assert_eq!(open(&*cipher, b"", &sealed).unwrap(), b"chest X-ray");
        }
    }

    #[test]
    fn what_was_changed_or_cut_does_not_open() {
        let cipher = aes_gcm_siv::under(&Key::from_bytes(&[7; 32]).unwrap());
        let sealed = seal(&cipher, &[9; 12], b"record 17", b"chest X-ray").unwrap();
        assert_eq!(sealed.len(), 12 + 11 + TAG_LEN);
        assert_eq!(open(&cipher, b"record 17", &sealed).unwrap(), b"chest X-ray");
        assert_eq!(open(&cipher, b"record 18", &sealed), Err(Error::Decryption));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&cipher, b"record 17", &changed), Err(Error::Decryption), "byte {at}");
            assert_eq!(open(&cipher, b"record 17", &sealed[..at]), Err(Error::Decryption));
        }
    }

    #[test]
    fn nonces_and_buffers_of_another_length_are_refused_and_nothing_is_written() {
        let cipher = aes_gcm_siv::under(&Key::from_bytes(&[7; 32]).unwrap());
        for got in [0, 11, 13] {
            let mut sealed = [0xaa; 12 + 5 + TAG_LEN];
            let refused = seal_into(&cipher, &vec![9; got], b"", b"12345", &mut sealed);
            let cipher = "aes-256-gcm-siv";
            assert_eq!(refused, Err(Error::Nonce { cipher, expected: 12, got }));
            assert_eq!(sealed, [0xaa; 12 + 5 + TAG_LEN]);
        }
        for got in [0, 32, 34] {
            let mut sealed = vec![0xaa; got];
            let refused = seal_into(&cipher, &[9; 12], b"", b"12345", &mut sealed);
            assert_eq!(refused, Err(Error::Length { what: "the output", expected: 33, got }));
            assert_eq!(sealed, vec![0xaa; got]);
        }
    }
}
