use zeroize::Zeroizing;

use crate::sharing::Error;
use crate::sharing::pairing::field::{Coefficient, Element};

/// Bytes of a chunk at most: what the paper cuts records into.
pub const CHUNK_LEN: usize = 64;

/// Bytes in a coefficient.
const HALF: usize = CHUNK_LEN / 2;

/// 1 to 64 bytes of a portion.
///
/// As an element it is a + b u + n v: a and b have the first and the last 32 bytes as little-endian numbers, n is how
/// many bytes there are. So no two chunks are one element, and none is 0. It lies in a subfield, Fp6, as
/// 64 bytes do that fill one of the two coefficients of the paper's field of 2 x 512 bits, and outside the group.
pub struct Chunk {
    bytes: Zeroizing<[u8; CHUNK_LEN]>,
    length: usize,
}

impl Chunk {
    /// A chunk of such bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Chunk`] if they are none or more than 64.
    pub fn new(bytes: &[u8]) -> Result<Self, Error> {
        if !(1..=CHUNK_LEN).contains(&bytes.len()) {
            return Err(Error::Chunk { got: bytes.len() });
        }
        let mut padded = Zeroizing::new([0; CHUNK_LEN]);
        padded[..bytes.len()].copy_from_slice(bytes);
        Ok(Self { bytes: padded, length: bytes.len() })
    }

    /// The chunk that an element is; `None` if it is that of none.
    #[must_use]
    pub fn of(element: &Element) -> Option<Self> {
        let [a, b, n, rest @ ..] = element.coefficients();
        let [length, above @ ..] = n;
        let length = usize::try_from(length).ok()?;
        let is_zero = |words: &[u64]| words.iter().all(|&word| word == 0);
        let has_no_more = is_zero(&above) && is_zero(rest.as_flattened());
        if !has_no_more || !is_zero(&a[4..]) || !is_zero(&b[4..]) {
            return None;
        }
        let mut bytes = Zeroizing::new([0; CHUNK_LEN]);
        let (places, _) = bytes.as_chunks_mut::<8>();
        for (place, word) in places.iter_mut().zip(a[..4].iter().chain(&b[..4])) {
            *place = word.to_le_bytes();
        }
        let is_padded = bytes.get(length..)?.iter().all(|&byte| byte == 0);
        (length > 0 && is_padded).then_some(Self { bytes, length })
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The element that it is.
    #[must_use]
    pub fn element(&self) -> Element {
        let mut coefficients = [Coefficient::default(); 12];
        let (halves, _) = self.bytes.as_chunks::<HALF>();
        for (coefficient, half) in coefficients.iter_mut().zip(halves) {
            let (words, _) = half.as_chunks::<8>();
            for (place, &word) in coefficient.iter_mut().zip(words) {
                *place = u64::from_le_bytes(word);
            }
        }
        coefficients[2][0] = self.length as u64;
        // It is below p everywhere, and not 0.
        Element::of_coefficients(&coefficients).unwrap_or_else(Element::one)
    }
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Chunk").field("length", &self.length).finish_non_exhaustive()
    }
}
