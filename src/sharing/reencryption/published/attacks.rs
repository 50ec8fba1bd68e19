//! What [`published`](super) gives away, and to whom: each attack takes what its attacker has, and nothing else.
//!
//! | attack | who | takes beside the ciphertext |
//! | --- | --- | --- |
//! | [`by_escrow`] | the server | the capsule, the owner's secret key: it has both |
//! | [`by_re_encryption_key`] | a user who is shown one | any capsule of the owner's, the key, its own secret key |
//! | [`by_kept`] | a user who left | what was re-encrypted for it once, its own secret key |
//! | [`by_chunk`] | the cloud | one chunk that it knows |
//! | [`by_list`] | the cloud | chunks that there may be |
//! | [`by_norm`] | the cloud | nothing |
//!
//! What an attack is given wrongly it says: a mask that is in no group, or a chunk that opens to none.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::{CLOSED, Capsule, Chunk, Ciphertext, Released};
use crate::sharing::Error;
use crate::sharing::pairing::field::{Coefficient, Element};
use crate::sharing::pairing::{G2, Gt, Scalar};
use crate::stop;
use crate::wire::Kind;

/// r, by which every element of the target group is 1, little-endian.
const ORDER: [u8; 32] = [
    0x01, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0x02, 0xa4, 0xbd, 0x53,
    0x05, 0xd8, 0xa1, 0x09, 0x08, 0xd8, 0x39, 0x33, 0x48, 0x7d, 0x9d, 0x29, 0x53, 0xa7, 0xed, 0x73,
];

/// The server reads a portion: Z^r = e(R, g2)^(1 / `x_P`), and it has `x_P`.
///
/// # Errors
///
/// [`Error::Closed`] if key, capsule and ciphertext do not belong together.
pub fn by_escrow(
    ciphertext: &Ciphertext,
    capsule: &Capsule,
    owner: &Scalar,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    ciphertext.opened(&Gt::pairing(capsule.element(), &G2::generator()).power(&owner.inverse()))
}

/// A user who has its re-encryption key reads whatever the owner encrypts: RK^(1 / `x_U`) = g2^(1 / `x_P`).
///
/// # Errors
///
/// [`Error::Closed`] if the keys do not belong together, or the capsule not to the ciphertext.
pub fn by_re_encryption_key(
    ciphertext: &Ciphertext,
    capsule: &Capsule,
    key: &G2,
    user: &Scalar,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    ciphertext.opened(&Gt::pairing(capsule.element(), &key.power(&user.inverse())))
}

/// A user who left reads what it was once sent R of, whatever the access list says now.
///
/// # Errors
///
/// [`Error::Closed`] if it was sent R of another portion.
pub fn by_kept(
    ciphertext: &Ciphertext,
    kept: &Released,
    user: &Scalar,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    ciphertext.opened(&kept.element.power(&user.inverse()))
}

/// Whoever knows one chunk of a portion, counted from 0, reads all of it: Z^r = C / PHR is one mask for all.
///
/// # Errors
///
/// [`Error::NoChunk`] if there are not so many, [`Error::Closed`] if the chunk there is another.
pub fn by_chunk(
    ciphertext: &Ciphertext,
    position: usize,
    known: &Chunk,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let chunks = ciphertext.chunks();
    let chunk = chunks.get(position).ok_or(Error::NoChunk { position, chunks: chunks.len() })?;
    let mask = chunk.times(&known.element().inverse());
    let mask = Gt::of(mask, Kind::PublishedPortion.name()).map_err(|_| CLOSED)?;
    ciphertext.opened(&mask)
}

/// Tells of each chunk which of some candidates it is: C^r = PHR^r, as (Z^r)^r is 1. `None` where it is none of them.
///
/// Costs a power for each chunk and each candidate. It works whatever the encoding of chunks is.
#[must_use]
pub fn by_list(ciphertext: &Ciphertext, candidates: &[Chunk]) -> Vec<Option<usize>> {
    stop::expect(candidates.len() + ciphertext.chunks().len());
    let shown = |element: &Element| {
        stop::check();
        stop::advance(1);
        element.power(&ORDER).encode()
    };
    // Of candidates that are alike the first counts.
    let numbered = candidates.iter().enumerate().rev();
    let known: HashMap<_, _> = numbered.map(|(at, one)| (shown(&one.element()), at)).collect();
    ciphertext.chunks().iter().map(|chunk| known.get(&shown(chunk)).copied()).collect()
}

/// Reads a portion without anything: the norm of C is that of PHR, as the norm of Z^r is 1, and that of a + b u + n v
/// is (a + b u)^2 + 2 n (a + b u) v + n^2 v^2.
///
/// This is due to how chunks are encoded here, see [`Chunk`]. A mask has 255 bits whatever the encoding is, and a chunk
/// 512, so that C^r always fixes the chunk; how hard it then is to find depends on the encoding.
///
/// # Errors
///
/// [`Error::Closed`] if a chunk is none.
pub fn by_norm(ciphertext: &Ciphertext) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut inverses: HashMap<u64, Element> = HashMap::new();
    let mut plaintext = Zeroizing::new(Vec::new());
    stop::expect(ciphertext.chunks().len());
    for chunk in ciphertext.chunks() {
        stop::check();
        stop::advance(1);
        let norm = chunk.times(&chunk.conjugate());
        let length = norm.coefficients()[4][0].isqrt();
        let inverse = match inverses.get(&length) {
            Some(inverse) => *inverse,
            None => {
                let twice = of_number(2 * length).ok_or(CLOSED)?;
                *inverses.entry(length).or_insert(twice.inverse())
            }
        };
        let [_, _, a, b, ..] = norm.times(&inverse).coefficients();
        let mut found = [Coefficient::default(); 12];
        (found[0], found[1], found[2][0]) = (a, b, length);
        let found = Element::of_coefficients(&found).and_then(|element| Chunk::of(&element));
        plaintext.extend_from_slice(found.ok_or(CLOSED)?.bytes());
    }
    Ok(plaintext)
}

/// A number as an element; `None` of 0.
fn of_number(number: u64) -> Option<Element> {
    let mut coefficients = [Coefficient::default(); 12];
    coefficients[0][0] = number;
    Element::of_coefficients(&coefficients)
}
