//! Bytes on the wire and in files: length-prefixed, little-endian, and checked before use.
//!
//! Every message starts with eight letters that say what it is and a version. Lengths are compared
//! with the bytes that are left before anything is allocated, and bytes that are left over at the
//! end are refused, so that a message has one form only.

use crate::Error;

/// The version of the formats in this crate, but of those that name one of their own.
pub(crate) const VERSION: u8 = 1;

/// Writes a message.
#[derive(Default)]
pub(crate) struct Writer(pub Vec<u8>);

impl Writer {
    /// A message of this kind.
    pub fn new(kind: &[u8; 8]) -> Self {
        Self::of_version(kind, VERSION)
    }

    /// A message of this kind, of a version of its own.
    pub fn of_version(kind: &[u8; 8], version: u8) -> Self {
        let mut writer = Self::default();
        writer.0.extend(kind);
        writer.0.push(version);
        writer
    }

    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn u8(&mut self, number: u8) -> &mut Self {
        self.raw(&[number])
    }

    pub fn u32(&mut self, number: u32) -> &mut Self {
        self.raw(&number.to_le_bytes())
    }

    pub fn u64(&mut self, number: u64) -> &mut Self {
        self.raw(&number.to_le_bytes())
    }

    pub fn i64(&mut self, number: i64) -> &mut Self {
        self.raw(&number.to_le_bytes())
    }

    pub fn u128(&mut self, number: u128) -> &mut Self {
        self.raw(&number.to_le_bytes())
    }

    /// A count of what follows.
    pub fn count(&mut self, count: usize) -> &mut Self {
        self.u64(count as u64)
    }

    /// Bytes after their length.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len()).raw(bytes)
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }
}

/// Reads a message.
pub(crate) struct Reader<'a> {
    what: &'static str,
    whole: usize,
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// What follows the head of a message of this kind.
    pub fn new(bytes: &'a [u8], kind: &[u8; 8], what: &'static str) -> Result<Self, Error> {
        Self::up_to_version(bytes, kind, what, VERSION).map(|(reader, _)| reader)
    }

    /// What follows the head of a message of this kind, and its version, which is none after `newest`.
    pub fn up_to_version(
        bytes: &'a [u8],
        kind: &[u8; 8],
        what: &'static str,
        newest: u8,
    ) -> Result<(Self, u8), Error> {
        let mut reader = Self::headless(bytes, what);
        if reader.array::<8>()? != *kind {
            return Err(reader.fault_at(0));
        }
        match reader.u8()? {
            version if (1..=newest).contains(&version) => Ok((reader, version)),
            got => Err(Error::Version { what, got }),
        }
    }

    /// Bytes without a head.
    pub fn headless(bytes: &'a [u8], what: &'static str) -> Self {
        Self { what, whole: bytes.len(), left: bytes }
    }

    /// The bytes make no sense from here on.
    pub fn fault(&self) -> Error {
        self.fault_at(self.whole - self.left.len())
    }

    fn fault_at(&self, position: usize) -> Error {
        Error::Format { what: self.what, position }
    }

    pub fn raw(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, left) = self.left.split_at_checked(count).ok_or_else(|| self.fault())?;
        self.left = left;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.raw(N)?.try_into().map_err(|_| self.fault())
    }

    pub fn u8(&mut self) -> Result<u8, Error> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Result<i64, Error> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub fn u128(&mut self) -> Result<u128, Error> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    /// A count of items of at least `size` bytes each, all of which must still be there.
    pub fn count(&mut self, size: usize) -> Result<usize, Error> {
        let count = usize::try_from(self.u64()?).map_err(|_| self.fault())?;
        match count.checked_mul(size) {
            Some(bytes) if bytes <= self.left.len() => Ok(count),
            _ => Err(self.fault()),
        }
    }

    /// Bytes after their length.
    pub fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let count = self.count(1)?;
        self.raw(count)
    }

    pub fn text(&mut self) -> Result<&'a str, Error> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.fault())
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.whole - self.left.len()
    }

    /// The end: nothing may be left.
    pub fn end(self) -> Result<(), Error> {
        if self.left.is_empty() { Ok(()) } else { Err(self.fault()) }
    }
}

/// Byte strings, end to end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blobs {
    /// Where each one ends.
    pub(crate) ends: Vec<u64>,
    pub(crate) bytes: Vec<u8>,
}

impl Blobs {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds one.
    pub fn push(&mut self, blob: &[u8]) {
        self.bytes.extend_from_slice(blob);
        self.ends.push(self.bytes.len() as u64);
    }

    /// One of them; empty if there are not so many.
    #[must_use]
    pub fn get(&self, at: usize) -> &[u8] {
        let end = |at: usize| self.ends.get(at).and_then(|&end| usize::try_from(end).ok());
        let start = at.checked_sub(1).map_or(Some(0), end);
        match (start, end(at)) {
            (Some(start), Some(end)) => self.bytes.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// How many bytes all of them have.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.count(self.ends.len());
        self.ends.iter().for_each(|&end| {
            writer.u64(end);
        });
        writer.bytes(&self.bytes);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let count = reader.count(8)?;
        let ends = column(reader, count, u64::from_le_bytes)?;
        let bytes = reader.bytes()?.to_vec();
        let is_whole = ends.is_sorted() && ends.last().copied().unwrap_or(0) == bytes.len() as u64;
        if is_whole { Ok(Self { ends, bytes }) } else { Err(reader.fault()) }
    }
}

/// Reads a column of numbers of `N` bytes each.
pub(crate) fn column<T, const N: usize>(
    reader: &mut Reader<'_>,
    count: usize,
    number: fn([u8; N]) -> T,
) -> Result<Vec<T>, Error> {
    let size = count.checked_mul(N).ok_or_else(|| reader.fault())?;
    let (numbers, _) = reader.raw(size)?.as_chunks::<N>();
    Ok(numbers.iter().map(|&bytes| number(bytes)).collect())
}

/// A count as an index.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "indexes are 64 bits wide wherever tables are large"
)]
pub(crate) fn length(count: u64) -> usize {
    count as usize
}
