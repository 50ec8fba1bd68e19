//! DES and 3DES in cipher block chaining: for evaluation only.
//!
//! A DES key has 8 bytes of which 56 bits count, a 3DES key 24; the other bits are parity and are not
//! looked at. Keys under which a cipher is its own inverse or worse are refused.
//!
//! # Sources
//!
//! NIST FIPS 46-3 and FIPS 81; SP 800-67 revision 2 section 3.3 for weak keys; the ciphers are
//! `RustCrypto`'s.

use ::des::{Des, TdesEde3, weak_key_test};

use zeroize::Zeroizing;

use crate::cipher::cbc::Cbc;
use crate::cipher::{Algorithm, Error, Make};

/// DES-CBC.
pub static DES: Algorithm = algorithm("des-cbc", 8, |key| {
    strong(key)?;
    Ok(Box::new(Cbc::<Des>::new(&DES, key)))
});

/// 3DES-CBC with three keys, of which no two may be equal.
pub static TRIPLE_DES: Algorithm = algorithm("3des-cbc", 24, |key| {
    strong(key)?;
    Ok(Box::new(Cbc::<TdesEde3>::new(&TRIPLE_DES, key)))
});

const fn algorithm(name: &'static str, key_len: usize, make: Make) -> Algorithm {
    let longest = 1 << 35;
    let key_len = key_len..=key_len;
    Algorithm { name, key_len, nonce_len: 8, tag_len: 0, block_len: 8, longest, make }
}

fn strong(key: &[u8]) -> Result<(), Error> {
    // The list of weak keys has odd parity; a key may have any.
    let odd = |byte: &u8| byte ^ u8::from(byte.count_ones().is_multiple_of(2));
    let key = Zeroizing::new(key.iter().map(odd).collect::<Vec<u8>>());
    weak_key_test(&key).map_err(|_| Error::WeakKey)
}
