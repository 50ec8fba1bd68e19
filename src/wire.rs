//! Bytes on the wire and in files: length-prefixed, little-endian, and checked before use.
//!
//! Every message starts with eight letters that say what it is, a [`Kind`], and a version. Lengths are
//! compared with the bytes that are left before anything is allocated, and bytes that are left over at
//! the end are refused, so that a message has one form only. [`text`] has the one form of what is typed.

pub mod text;

use std::borrow::Cow;

use zeroize::{Zeroize, Zeroizing};

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A message or file has another form than its kind.
    #[error("{what} is cut short or malformed at byte {position}")]
    Format {
        /// Which message or file.
        what: &'static str,
        /// Where it stops making sense.
        position: usize,
    },

    /// A message or file is of a version that this one does not know.
    #[error("{what} is of version {got}, which is unknown here")]
    Version {
        /// Which message or file.
        what: &'static str,
        /// Its version.
        got: u8,
    },
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $letters:literal, $version:literal, $name:literal;)*) => {
        /// What bytes are.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// All kinds there are.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The eight letters at the head.
            #[must_use]
            pub const fn letters(self) -> &'static [u8; 8] {
                match self { $(Self::$kind => $letters,)* }
            }

            /// The newest version.
            #[must_use]
            pub const fn version(self) -> u8 {
                match self { $(Self::$kind => $version,)* }
            }

            /// What errors call it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }
    };
}

kinds! {
    /// A user's request for access, in the clear.
    AccessRequest = b"MOPSEACC", 1, "the access request";
    /// Where requests for access are sealed to.
    Address = b"MOPSEADR", 1, "the address";
    /// What an authority tells its clouds.
    Announcement = b"MOPSEANN", 2, "the owner's announcement";
    /// What an owner tells its clouds: the announcements of its authorities.
    Announcements = b"MOPSEPUB", 1, "the list of the owner's announcements";
    /// All parts of an answer.
    Answer = b"MOPSEALL", 2, "the answer";
    /// One part of an answer.
    Part = b"MOPSEANS", 2, "the answer";
    /// An attachment, with what it is found by.
    Attachment = b"MOPSEATT", 2, "the file";
    /// What binds a place to a verification key; signed, and never sent by itself.
    Certificate = b"MOPSECRT", 2, "a certificate";
    /// Certificates from the owner down.
    Chain = b"MOPSECHN", 2, "the certificate chain";
    /// A request of the evaluation's control.
    Control = b"MOPSECTL", 1, "the request";
    /// What was decided on a request for access, in the clear.
    Decision = b"MOPSEDEC", 1, "the decision";
    /// The right to open records.
    Grant = b"MOPSEGRT", 2, "the grant";
    /// The contents of a keyring, in the clear.
    Keyring = b"MOPSEKEY", 8, "the keyring";
    /// The names and types of columns.
    Layout = b"MOPSELAY", 2, "the layout of the records";
    /// What a provider knows of its own rows.
    Ledger = b"MOPSELED", 1, "the ledger";
    /// All stored files that a request finds.
    Listing = b"MOPSELSG", 2, "the listing";
    /// What a note of keywords is bound to; associated, and never sent.
    Note = b"MOPSENOT", 1, "the note";
    /// The notes of a provider's attachments.
    Notes = b"MOPSENTS", 1, "the list of notes";
    /// The right to amend records of another provider.
    Permission = b"MOPSEAMD", 1, "the permission to amend";
    /// A message under a password.
    Password = b"MOPSEPWD", 2, "the message under a password";
    /// A message under a password, as PBES1 makes it.
    Pbes1 = b"MOPSEPB1", 1, "the PBES1 message";
    /// Where an attachment belongs; associated, and never sent.
    Place = b"MOPSEPLC", 2, "the place";
    /// What proves an answer.
    Proof = b"MOPSEPRF", 1, "the proof";
    /// The tokens of a query.
    Query = b"MOPSEQRY", 2, "the query";
    /// A query under a right to search.
    DelegatedQuery = b"MOPSEDQY", 1, "the query";
    /// What a record is bound to; associated, and never sent.
    Record = b"MOPSEREC", 2, "the record";
    /// A request to remove what a provider sent.
    Removal = b"MOPSERMV", 1, "the removal";
    /// A request for attachments.
    Request = b"MOPSEASK", 2, "the request";
    /// A message under an RSA key.
    Rsa = b"MOPSERSA", 1, "the ciphertext";
    /// A message under an RSA key, block by block.
    RsaBlocks = b"MOPSERSB", 1, "the ciphertext";
    /// A keyring under a password.
    SavedKeyring = b"MOPSEFIL", 2, "the file";
    /// What was decided on a request for access, sealed to who made it.
    SealedDecision = b"MOPSESDC", 1, "the sealed decision";
    /// A request for access, or the end of one, sealed to an address.
    SealedRequest = b"MOPSESRQ", 1, "the sealed request";
    /// What an owner or a provider gave a user, sealed to the user.
    SealedGrant = b"MOPSESGR", 1, "the sealed grant";
    /// What a cloud wrote in its audit log, with what proves it.
    Audit = b"MOPSEAUD", 1, "the audit";
    /// A request for what stands in an audit log.
    AuditRequest = b"MOPSEARQ", 1, "the request";
    /// An audit log on disk.
    AuditLog = b"MOPSELOG", 1, "the audit log";
    /// What a cloud signs of an owner's log.
    Checkpoint = b"MOPSECPT", 1, "the checkpoint";
    /// The key that a cloud signs checkpoints with.
    Identity = b"MOPSEIDK", 1, "the identity";
    /// What a party states for the audit log.
    Statement = b"MOPSESTM", 1, "the statement";
    /// The end of a request for access by who made it, in the clear.
    Withdrawal = b"MOPSEWDR", 1, "the withdrawal";
    /// The checkpoints that a witness has seen.
    Witness = b"MOPSEWIT", 1, "the witness";
    /// What a user may search, as clouds see it.
    Right = b"MOPSERGT", 1, "the right to search";
    /// A right to search and what its user makes tokens with, in the clear.
    SearchRight = b"MOPSESRT", 1, "the right to search";
    /// A piece of an upload that is too large to travel at once.
    Piece = b"MOPSEPCE", 1, "the piece of an upload";
    /// What a server that re-encrypts is sent of a portion, as published.
    PublishedCapsule = b"MOPSEPCA", 1, "the capsule";
    /// A portion of a record under a mask, as published.
    PublishedPortion = b"MOPSEPPO", 1, "the encrypted portion";
    /// A capsule re-encrypted for a user, as published.
    PublishedRelease = b"MOPSEPRE", 1, "the re-encrypted capsule";
    /// A grant that a capsule closes, for all who are given a re-encryption key.
    Envelope = b"MOPSEENV", 1, "the envelope";
    /// What turns the capsules of a portion and readers' epoch into those of a user.
    ReencryptionKey = b"MOPSERKY", 1, "the re-encryption key";
    /// The public key that re-encryption keys are made for.
    ReencryptionPublic = b"MOPSERPK", 1, "the public key";
    /// A capsule re-encrypted for a user.
    Released = b"MOPSEREL", 1, "the re-encrypted capsule";
    /// A role's secret key, sealed to a user.
    SealedRole = b"MOPSESRL", 1, "the sealed role";
    /// What a provider states of all that it holds.
    Seal = b"MOPSESEA", 1, "the seal";
    /// A share of a secret.
    Share = b"MOPSESHR", 1, "the share";
    /// What an owner or a provider gives a user, in the clear.
    Shared = b"MOPSESHD", 1, "the grant";
    /// A stored attachment with its body.
    StoredFile = b"MOPSELST", 2, "the file";
    /// An encrypted stream.
    Stream = b"MOPSESTR", 1, "the sealed file";
    /// Records and their index entries.
    Upload = b"MOPSEUPL", 2, "the upload";
    /// A user's keys and what it was given, in the clear.
    UserKeys = b"MOPSEUSK", 3, "the user's keys";
    /// A user's public keys.
    UserPublic = b"MOPSEUSR", 1, "the user's public keys";
}

impl Kind {
    /// What a message says that it is; `None` if there is no such kind.
    #[must_use]
    pub fn of(message: &[u8]) -> Option<Self> {
        let letters = message.first_chunk::<8>()?;
        Self::ALL.iter().copied().find(|kind| kind.letters() == letters)
    }
}

/// Bytes in a name of a place, a field or a portion at most.
pub const LONGEST_NAME: usize = 255;

/// Fields of a schema, runs of an upload and ranges of a token at most.
pub const MOST_FIELDS: usize = 1 << 10;

/// Bytes of the letters and the version.
pub const HEAD_LEN: usize = 9;

/// Where a message is written to.
pub(crate) trait Buffer {
    fn append(&mut self, bytes: &[u8]);
}

impl Buffer for Vec<u8> {
    fn append(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Buffer for Zeroizing<Vec<u8>> {
    fn append(&mut self, bytes: &[u8]) {
        append_secret(self, bytes);
    }
}

/// Adds bytes to a secret, and wipes the place that it grows out of.
pub(crate) fn append_secret(secret: &mut Vec<u8>, bytes: &[u8]) {
    const LEAST: usize = 64;
    let needed = secret.len().saturating_add(bytes.len());
    if needed > secret.capacity() {
        let room = needed.max(secret.capacity().saturating_mul(2)).max(LEAST);
        let mut grown = Vec::with_capacity(room);
        grown.extend_from_slice(secret);
        std::mem::swap(secret, &mut grown);
        grown.zeroize();
    }
    secret.extend_from_slice(bytes);
}

/// Writes a message.
pub(crate) struct Writer<B = Vec<u8>>(pub B);

/// Writes a secret, which is wiped with its writer and leaves nothing where it grew.
pub(crate) type SecretWriter = Writer<Zeroizing<Vec<u8>>>;

impl Default for Writer {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl Writer {
    /// A message of this kind.
    pub fn new(kind: Kind) -> Self {
        let mut writer = Self::default();
        writer.raw(kind.letters()).u8(kind.version());
        writer
    }
}

impl SecretWriter {
    /// A secret message of this kind.
    pub fn secret(kind: Kind) -> Self {
        let mut writer = Self::headless_secret();
        writer.raw(kind.letters()).u8(kind.version());
        writer
    }

    /// Secret bytes without a head.
    pub fn headless_secret() -> Self {
        Self(Zeroizing::new(Vec::new()))
    }
}

impl<B: Buffer> Writer<B> {
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.append(bytes);
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

    /// A number as labels write it, the highest byte first.
    pub fn be64(&mut self, number: u64) -> &mut Self {
        self.raw(&number.to_be_bytes())
    }

    /// A count of what follows, as labels write it.
    pub fn be_count(&mut self, count: usize) -> &mut Self {
        self.raw(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes())
    }

    /// Bytes after their length, as labels write it.
    pub fn be_bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.be_count(bytes.len()).raw(bytes)
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
    has_old_names: bool,
}

impl<'a> Reader<'a> {
    /// What follows the head of a message of this kind.
    pub fn new(bytes: &'a [u8], kind: Kind) -> Result<Self, Error> {
        match Self::of_any_version(bytes, kind)? {
            (reader, version) if version == kind.version() => Ok(reader),
            (_, got) => Err(Error::Version { what: kind.name(), got }),
        }
    }

    /// What follows the head of a message of this kind, and its version, which is none after the newest.
    pub fn of_any_version(bytes: &'a [u8], kind: Kind) -> Result<(Self, u8), Error> {
        let mut reader = Self::headless(bytes, kind.name());
        if reader.array::<8>()? != *kind.letters() {
            return Err(reader.fault_at(0));
        }
        match reader.u8()? {
            version if (1..=kind.version()).contains(&version) => Ok((reader, version)),
            got => Err(Error::Version { what: kind.name(), got }),
        }
    }

    /// Bytes without a head.
    pub fn headless(bytes: &'a [u8], what: &'static str) -> Self {
        Self { what, whole: bytes.len(), left: bytes, has_old_names: false }
    }

    /// The end of a message, of which so many bytes were read before.
    pub fn after(before: usize, bytes: &'a [u8], what: &'static str) -> Self {
        let whole = before.saturating_add(bytes.len());
        Self { what, whole, left: bytes, has_old_names: false }
    }

    /// Takes names of places as they are, as they were written before each had one spelling.
    pub fn take_old_names(&mut self) {
        self.has_old_names = true;
    }

    /// Whether names of places are taken as they are.
    pub fn has_old_names(&self) -> bool {
        self.has_old_names
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

    /// A byte that is 0 or 1.
    pub fn bool(&mut self) -> Result<bool, Error> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.fault()),
        }
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

    /// A number as labels write it, the highest byte first.
    pub fn be64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A count of items of four bytes or more, as labels write it; all of them must still be there.
    pub fn be_count(&mut self) -> Result<usize, Error> {
        let count = length(u32::from_be_bytes(self.array()?).into());
        if count <= self.left.len() / 4 { Ok(count) } else { Err(self.fault()) }
    }

    /// Bytes after their length, as labels write it.
    pub fn be_bytes(&mut self) -> Result<&'a [u8], Error> {
        let count = length(u32::from_be_bytes(self.array()?).into());
        self.raw(count)
    }

    pub fn be_text(&mut self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.be_bytes()?).map_err(|_| self.fault())
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

    /// A text that is short enough for a name.
    pub fn name(&mut self) -> Result<&'a str, Error> {
        let name = self.text()?;
        if name.len() <= LONGEST_NAME { Ok(name) } else { Err(self.fault()) }
    }

    /// What errors call the message.
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.whole - self.left.len()
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.left.is_empty()
    }

    /// The end: nothing may be left.
    pub fn end(self) -> Result<(), Error> {
        if self.left.is_empty() { Ok(()) } else { Err(self.fault()) }
    }
}

/// Byte strings, end to end: sealed records, or the texts of a column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Packed<'a> {
    /// Where each one ends.
    pub(crate) ends: Cow<'a, [u64]>,
    pub(crate) bytes: Cow<'a, [u8]>,
}

/// Byte strings of its own.
pub type Blobs = Packed<'static>;

impl<'a> Packed<'a> {
    /// Byte strings that end at these places of the bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if the ends do not ascend to the end of the bytes.
    pub fn new(
        ends: impl Into<Cow<'a, [u64]>>,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Result<Self, Error> {
        let (ends, bytes) = (ends.into(), bytes.into());
        let is_whole = ends.is_sorted() && ends.last().copied().unwrap_or(0) == bytes.len() as u64;
        if is_whole {
            Ok(Self { ends, bytes })
        } else {
            Err(Error::Format { what: "the byte strings", position: bytes.len() })
        }
    }

    /// Where each one ends.
    #[must_use]
    pub fn ends(&self) -> &[u64] {
        &self.ends
    }

    /// All of them, end to end.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

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
        self.bytes.to_mut().extend_from_slice(blob);
        self.ends.to_mut().push(self.bytes.len() as u64);
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

    /// Each as a text; what is not UTF-8 is replaced, which no text that was checked needs.
    #[must_use]
    pub fn to_strings(&self) -> Vec<String> {
        let text = |at| String::from_utf8_lossy(self.get(at)).into_owned();
        (0..self.len()).map(text).collect()
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

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Blobs, Error> {
        let count = reader.count(8)?;
        let ends = column(reader, count, u64::from_le_bytes)?;
        let bytes = reader.bytes()?.to_vec();
        Packed::new(ends, bytes).map_err(|_| reader.fault())
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
