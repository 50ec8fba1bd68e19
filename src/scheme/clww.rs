//! CLWW: order-revealing encryption that shows where two plaintexts first differ.
//!
//! For providers, as an alternative to an order-preserving scheme: a ciphertext is no number whose
//! size is the plaintext's, but two of them can be ordered by anyone. With `x` of `n` bits, the
//! most significant first, and a pseudo-random function `F` into integers modulo 3:
//!
//! ```text
//! u_i = F(k, i, x_1 .. x_(i-1)) + x_i  mod 3       i = 1 .. n,  n = ceil(log2 domain), at least 1
//! c(x) = u_1 || .. || u_n                          two bits each, u_n the lowest of a u64
//! F(k, i, p) = AES-256(k, block of tag 5, counter 0, major p, minor i)  mod 3
//! k = child(key, "order", "clww" || be64(domain), 0)
//! ```
//!
//! The first `u_i` that differ belong to the first bits that differ; the greater plaintext's is the
//! other's plus one. Costs `n` AES blocks to encrypt, two instructions or so to compare.
//!
//! # Leakage
//!
//! Of every two ciphertexts the order, and the place of the most significant bit that differs; so
//! equality and frequency too. One ciphertext by itself shows nothing.
//!
//! # Sources
//!
//! * Chenette, Lewi, Weis and Wu, FSE 2016, section 3 (eprint 2015/1125).

use std::cmp::Ordering;
use std::fmt;

use super::batch::{CHUNK, decrypt_each, encrypt_chunks};
use super::{
    Error, Scheme, bits, check_bounds, check_domain, check_lengths, check_plaintext, pairs, sign,
};
use crate::keys::coins::{Block, Coins, Tag, halves};
use crate::keys::{Key, Purpose};
use crate::operations::{Operation, count};
use crate::pool;

/// The most bits a plaintext has.
const MOST_BITS: usize = 32;

/// The lower bit of every digit.
const LOWER_BITS: u64 = u64::MAX / 3;

/// The order-revealing encryption of a domain under one key.
pub struct Clww {
    coins: Coins,
    domain: u64,
    bits: u32,
}

impl Clww {
    /// The scheme on `0..domain`.
    ///
    /// # Errors
    ///
    /// [`Error::Domain`] if the domain is empty or above 2^32.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cmp::Ordering;
    ///
    /// use mopse::keys::Key;
    /// use mopse::scheme::Scheme;
    /// use mopse::scheme::clww::Clww;
    ///
    /// let clww = Clww::new(&Key::generate()?, 121)?;
    /// let (lower, higher) = (clww.encrypt(40, ())?, clww.encrypt(60, ())?);
    /// assert_eq!(Clww::compare(&lower, &higher), Ordering::Less);
    /// assert_eq!(clww.decrypt(higher, ())?, 60);
    /// # Ok::<(), mopse::Error>(())
    /// ```
    pub fn new(key: &Key, domain: u64) -> Result<Self, Error> {
        check_domain(domain)?;
        let label = [b"clww".as_slice(), &domain.to_be_bytes()].concat();
        let coins = Coins::new(&key.child(Purpose::Order, &label, 0));
        Ok(Self { coins, domain, bits: bits(domain) })
    }

    /// How many bits of a ciphertext are used: two for each of the plaintext.
    #[must_use]
    pub fn ciphertext_bits(&self) -> u32 {
        2 * self.bits
    }

    /// Decrypts a batch.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCiphertext`] names the first that no plaintext has.
    pub fn decrypt_batch(&self, ciphertexts: &[u64]) -> Result<Vec<i64>, Error> {
        decrypt_each(ciphertexts, |position| self.decrypt(ciphertexts[position], ()))
    }

    /// The block whose coins hide bit `i`, counted from 1, of a plaintext with these bits above it.
    #[expect(clippy::cast_possible_truncation, reason = "at most 31 bits stand above another")]
    fn block(above: u64, i: u32) -> Block {
        Coins::block(Tag::Digit, 0, above as u32, u64::from(i))
    }

    fn digits(&self, plaintext: u64) -> u64 {
        let mut blocks: [Block; MOST_BITS] = [Block::default(); MOST_BITS];
        let blocks = &mut blocks[..self.bits as usize];
        for (i, block) in (1..=self.bits).zip(blocks.iter_mut()) {
            *block = Self::block(plaintext >> (self.bits - i + 1), i);
        }
        self.coins.toss(blocks);
        (1..=self.bits).zip(blocks.iter()).fold(0, |ciphertext, (i, &coins)| {
            let bit = plaintext >> (self.bits - i) & 1;
            (ciphertext << 2) | ((modulo_3(coins) + bit) % 3)
        })
    }

    /// Undoes [`digits`](Self::digits) from the top, where a digit's place is known by those above.
    fn bits_of(&self, ciphertext: u64) -> Option<u64> {
        if ciphertext.checked_shr(self.ciphertext_bits()).unwrap_or(0) != 0 {
            return None;
        }
        let mut plaintext = 0;
        for i in 1..=self.bits {
            let digit = ciphertext >> (2 * (self.bits - i)) & 3;
            let mut block = [Self::block(plaintext, i)];
            count(Operation::Prf, 1);
            self.coins.toss(&mut block);
            let bit = (digit + 3 - modulo_3(block[0])) % 3;
            if digit == 3 || bit == 2 {
                return None;
            }
            plaintext = plaintext << 1 | bit;
        }
        (plaintext < self.domain).then_some(plaintext)
    }
}

/// Orders `left[i]` and `right[i]`, or one with all of the other array: -1, 0 or 1 for less, equal
/// or greater. Takes no key.
///
/// # Errors
///
/// [`Error::Length`] if the arrays are of two lengths other than 1, [`Error::InvalidCiphertext`]
/// names the first number in either array that is no ciphertext of any key.
pub fn compare_batch(left: &[u64], right: &[u64]) -> Result<Vec<i8>, Error> {
    let pairs = pairs(left.len(), right.len())?;
    for ciphertexts in [left, right] {
        let no_digits = |c: &u64| c & c >> 1 & LOWER_BITS != 0;
        let chunks = pool::map_chunks(ciphertexts, CHUNK, |chunk, ciphertexts| {
            ciphertexts.iter().position(no_digits).map(|position| chunk * CHUNK + position)
        });
        if let Some(position) = chunks.into_iter().flatten().next() {
            return Err(Error::InvalidCiphertext { position });
        }
    }
    count(Operation::Comparison, pairs);
    let at = |array: &[u64], i: usize| array[if array.len() == 1 { 0 } else { i }];
    let mut signs = vec![0; pairs];
    let chunks: Vec<_> = signs.chunks_mut(CHUNK).enumerate().collect();
    pool::each(
        chunks,
        || (),
        |(), (chunk, signs)| {
            for (i, sign_of) in (chunk * CHUNK..).zip(signs) {
                *sign_of = sign(order(at(left, i), at(right, i)));
            }
        },
    );
    Ok(signs)
}

/// The order that the first digit that differs shows.
#[inline]
fn order(left: u64, right: u64) -> Ordering {
    let Some(highest) = (left ^ right).checked_ilog2() else {
        return Ordering::Equal;
    };
    let digit = |ciphertext: u64| ciphertext >> (highest & !1) & 3;
    if (digit(left) + 1) % 3 == digit(right) { Ordering::Less } else { Ordering::Greater }
}

/// 128 coins modulo 3, which favours no remainder by more than 2^-127.
#[inline]
fn modulo_3(coins: Block) -> u64 {
    let (high, low) = halves(coins);
    // 2^64 is 1 modulo 3.
    (high % 3 + low % 3) % 3
}

impl Scheme for Clww {
    type Ciphertext = u64;
    type Id = ();

    fn domain(&self) -> u64 {
        self.domain
    }

    fn compare(left: &u64, right: &u64) -> Ordering {
        count(Operation::Comparison, 1);
        order(*left, *right)
    }

    fn encrypt(&self, plaintext: i64, (): ()) -> Result<u64, Error> {
        let plaintext = check_plaintext(plaintext, self.domain, 0)?;
        count(Operation::Prf, self.bits as usize);
        Ok(self.digits(plaintext))
    }

    fn encrypt_batch(
        &self,
        plaintexts: &[i64],
        ids: &[()],
        ciphertexts: &mut [u64],
    ) -> Result<(), Error> {
        check_lengths(plaintexts.len(), ids.len(), ciphertexts.len())?;
        encrypt_chunks(plaintexts, ciphertexts, self.domain, |_, plaintexts, out| {
            count(Operation::Prf, self.bits as usize * plaintexts.len());
            for (ciphertext, plaintext) in out.iter_mut().zip(plaintexts) {
                *ciphertext = self.digits(plaintext.cast_unsigned());
            }
        })
    }

    fn decrypt(&self, ciphertext: u64, (): ()) -> Result<i64, Error> {
        let plaintext = self.bits_of(ciphertext);
        plaintext.map(u64::cast_signed).ok_or(Error::InvalidCiphertext { position: 0 })
    }

    fn bounds(&self, low: i64, high: i64) -> Result<(u64, u64), Error> {
        check_bounds(low, high, self.domain)?;
        Ok((self.encrypt(low, ())?, self.encrypt(high, ())?))
    }
}

impl fmt::Debug for Clww {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clww").field("domain", &self.domain).finish_non_exhaustive()
    }
}
