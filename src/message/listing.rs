//! What a cloud answers to a request for attachments: a listing, or one file with its body.
//!
//! ```text
//! listing = letters || version || id of the request || count || stored file without body, each
//!           || proof, if it was asked for
//! fetched = letters || version || id of the request || stored file with body
//! ```
//!
//! Neither is signed: a cloud holds no key. Whoever asked compares both with the request, so that a cloud
//! which gives files of another request, provider, record or keyword in their place is found out, and one
//! that gives a file twice. One that leaves files out is found out by the proof: see
//! [`catalogue`].
//!
//! # Leakage
//!
//! None beside that of the files.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::attachment::{Attachment, StoredFile};
use super::catalogue;
use super::place::Node;
use super::request::{Ask, Request};
use super::trapdoor::{Prepared, Proof, Trapdoor};
use crate::wire::{Kind, Reader, Writer};

/// The files that a request finds, without their bodies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The id of the request.
    pub request: u128,
    /// The files.
    pub files: Vec<StoredFile>,
    /// That they are all, if that was asked for.
    pub proof: Option<catalogue::Proof>,
}

/// The file that a request asks for, with its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The id of the request.
    pub request: u128,
    /// The file.
    pub file: StoredFile,
    /// What else its provider signed with it, and the signature, if that was asked for; see
    /// [`prove`](Self::prove).
    pub deed: Option<Vec<u8>>,
}

const LISTING: &str = "the listing";

fn wrong_file(position: usize, file: &StoredFile, wrong: &str) -> Error {
    let why = format!("file {position}, of provider '{}', is {wrong}", file.provider);
    Error::Answer { what: LISTING, why }
}

/// Checks that something names a request's id.
pub(super) fn check_id(what: &'static str, id: u128, request: &Request) -> Result<(), Error> {
    if id == request.id {
        return Ok(());
    }
    Err(Error::Answer { what, why: "it is of another request".to_owned() })
}

/// A file that is to be proven came without what its provider signed.
pub(super) fn no_deed() -> Error {
    Error::Proof { why: "the provider's signature did not come with the file".to_owned() }
}

impl Listing {
    /// The listing as it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Listing);
        writer.u128(self.request).count(self.files.len());
        self.files.iter().for_each(|file| file.write(&mut writer));
        if let Some(proof) = &self.proof {
            proof.write(&mut writer);
        }
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no listing, or one of files
    /// with bodies.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        const LEAST: usize = 32 + 8 + 5 + 16 + 16 + 8 + 1;
        let mut reader = Reader::new(bytes, Kind::Listing)?;
        let request = reader.u128()?;
        let mut files = Vec::new();
        for _ in 0..reader.count(LEAST)? {
            let file = StoredFile::read(&mut reader)?;
            if file.body.is_some() {
                return Err(reader.fault().into());
            }
            files.push(file);
        }
        let proof =
            if reader.is_at_end() { None } else { Some(catalogue::Proof::read(&mut reader)?) };
        reader.end()?;
        Ok(Self { request, files, proof })
    }

    /// The numbers of its files that are not shown to be sealed: of all, if it came without a proof.
    #[must_use]
    pub fn late(&self) -> Vec<u128> {
        match &self.proof {
            Some(proof) if !proof.heads.is_empty() => {
                proof.places.iter().flat_map(|of| of.unsealed.iter().copied()).collect()
            }
            _ => self.files.iter().map(|file| file.number).collect(),
        }
    }

    /// Checks that the listing belongs to a request: that it names it, that every file is of a provider
    /// that was asked and, where records were named, of one of these, and that none comes twice. Which
    /// keywords a file has is held to its description, by [`check_keywords`](Self::check_keywords).
    ///
    /// # Errors
    ///
    /// [`Error::Answer`] says which file is none that was asked for, counted from 0.
    pub fn check(&self, request: &Request) -> Result<(), Error> {
        check_id(LISTING, self.request, request)?;
        let asked: BTreeMap<&Node, Option<BTreeSet<&u128>>> = match &request.ask {
            Ask::Keywords(providers) => providers.iter().map(|(node, _)| (node, None)).collect(),
            Ask::Records(providers) => {
                let named = |(node, handles)| (node, Some(BTreeSet::from_iter(handles)));
                providers.iter().map(|(node, handles)| named((node, handles))).collect()
            }
            Ask::Holdings(place) => BTreeMap::from([(place, None)]),
            Ask::File(_) | Ask::Notes => BTreeMap::new(),
        };
        let mut numbers = BTreeSet::new();
        for (position, file) in self.files.iter().enumerate() {
            let wrong = if file.owner == request.owner {
                match asked.get(&file.provider) {
                    None => Some("of a provider that was not asked"),
                    Some(Some(handles)) if !handles.contains(&file.handle) => {
                        Some("of a record that was not asked for")
                    }
                    Some(_) if !numbers.insert(file.number) => Some("one that came before"),
                    Some(_) => None,
                }
            } else {
                Some("of another owner")
            };
            if let Some(wrong) = wrong {
                return Err(wrong_file(position, file, wrong));
            }
        }
        Ok(())
    }

    /// Checks that files have all of the keywords that a request asks for, if it asks for some: the proofs
    /// of each file are those that its description was opened to, ascending; `None` if it did not open.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`] says which file has not, counted from 0.
    pub fn check_keywords<'a>(
        &self,
        request: &Request,
        proofs: impl IntoIterator<Item = Option<&'a [Proof]>>,
    ) -> Result<(), Error> {
        let Ask::Keywords(providers) = &request.ask else { return Ok(()) };
        let asked: BTreeMap<&Node, &[Trapdoor]> =
            providers.iter().map(|(node, trapdoors)| (node, &trapdoors[..])).collect();
        let mut prepared: BTreeMap<&Node, Vec<Prepared>> = BTreeMap::new();
        for (position, (file, proofs)) in self.files.iter().zip(proofs).enumerate() {
            let Some(proofs) = proofs else { continue };
            let keywords = prepared.entry(&file.provider).or_insert_with(|| {
                let trapdoors = asked.get(&file.provider).copied().unwrap_or_default();
                trapdoors.iter().map(Trapdoor::prepared).collect()
            });
            let has =
                |keyword: &Prepared| proofs.binary_search(&keyword.proof(file.number)).is_ok();
            if !keywords.iter().all(has) {
                return Err(wrong_file(position, file, "without a keyword of the request"));
            }
        }
        Ok(())
    }
}

impl Fetched {
    /// The file as it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::StoredFile);
        writer.u128(self.request);
        self.file.write(&mut writer);
        if let Some(deed) = &self.deed {
            writer.bytes(deed);
        }
        writer.0
    }

    /// What travels before and after the body of a file that has so many bytes, and lies elsewhere.
    #[must_use]
    pub fn around(&self, size: u64) -> (Vec<u8>, Vec<u8>) {
        let mut before = Writer::new(Kind::StoredFile);
        before.u128(self.request);
        self.file.write_before_body(&mut before, size);
        let mut after = Writer::default();
        if let Some(deed) = &self.deed {
            after.bytes(deed);
        }
        (before.0, after.0)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no stored file, or one
    /// without its body.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::StoredFile)?;
        let request = reader.u128()?;
        let file = StoredFile::read(&mut reader)?;
        if file.body.is_none() {
            return Err(reader.fault().into());
        }
        let deed = if reader.is_at_end() { None } else { Some(reader.bytes()?.to_vec()) };
        reader.end()?;
        Ok(Self { request, file, deed })
    }

    /// Verifies that the provider which the file names sent it, as it is and for the record that it names.
    ///
    /// # Errors
    ///
    /// [`Error::Proof`] without its deed, [`Error::Signature`] if it is forged.
    pub fn prove(&self) -> Result<(), Error> {
        let deed = self.deed.as_ref().ok_or_else(no_deed)?;
        let signed = Attachment::decode(&self.file.as_attached(deed));
        signed.map(drop).map_err(|_| Error::Signature { what: Kind::StoredFile.name() })
    }

    /// Checks that the file is the one that a request asks for, of a provider that its issuer reaches.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`].
    pub fn check(&self, request: &Request) -> Result<(), Error> {
        const WHAT: &str = "the file";
        check_id(WHAT, self.request, request)?;
        let wrong = if request.ask != Ask::File(self.file.number) {
            "it has another number than was asked for"
        } else if self.file.owner != request.owner {
            "it is of another owner"
        } else if request.reaches(&self.file.provider).is_err() {
            "it is of a provider that was not asked"
        } else {
            return Ok(());
        };
        Err(Error::Answer { what: WHAT, why: wrong.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::certificate::{Certificate, Chain, Owner};
    use crate::message::trapdoor::TRAPDOOR_LEN;

    const OWNER: Owner = Owner([1; 32]);

    fn node(name: &str, epoch: u32) -> Node {
        Node::root().child(name, epoch).unwrap()
    }

    fn request(ask: Ask) -> Request {
        Request { owner: OWNER, ask, tags: vec![], expiry: 0, id: 7, issuer: Chain::default() }
    }

    fn file(provider: Node, handle: u128, number: u128) -> StoredFile {
        let readers = crate::message::place::Epoch::default();
        StoredFile {
            owner: OWNER,
            provider,
            readers,
            handle,
            number,
            description: vec![3],
            body: None,
        }
    }

    fn why(checked: Result<(), Error>) -> String {
        match checked {
            Err(Error::Answer { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_listing_holds_what_was_asked_for_and_nothing_twice() {
        let (a, b) = (node("a", 0), node("b", 0));
        let trapdoors = || vec![Trapdoor([0; TRAPDOOR_LEN])];
        let by_keyword =
            request(Ask::Keywords(vec![(a.clone(), trapdoors()), (b.clone(), trapdoors())]));
        let by_record = request(Ask::Records(vec![(a.clone(), vec![1, 2]), (b.clone(), vec![3])]));
        let listing = |files: &[(&Node, u128, u128)]| {
            let file = |&(node, handle, number): &(&Node, u128, u128)| {
                file(Node::clone(node), handle, number)
            };
            Listing { request: 7, files: files.iter().map(file).collect(), proof: None }
        };
        let all = listing(&[(&b, 3, 9), (&a, 1, 8), (&a, 1, 10)]);
        assert_eq!((all.check(&by_keyword), all.check(&by_record)), (Ok(()), Ok(())));
        assert_eq!(listing(&[]).check(&request(Ask::Notes)), Ok(()));
        let other = Listing { request: 8, ..all.clone() };
        assert_eq!(why(other.check(&by_keyword)), "it is of another request");
        let foreign = listing(&[(&a, 3, 9)]);
        assert_eq!(foreign.check(&by_keyword), Ok(()), "no record was named");
        let not_asked = "file 0, of provider 'a', is of a record that was not asked for";
        assert_eq!(why(foreign.check(&by_record)), not_asked);
        let elsewhere = node("a", 1);
        for (node, called) in [(node("c", 0), "c"), (elsewhere, "a")] {
            let listing = listing(&[(&b, 3, 1), (&node, 1, 9)]);
            let not_asked =
                format!("file 1, of provider '{called}', is of a provider that was not asked");
            assert_eq!(why(listing.check(&by_keyword)), not_asked);
            assert_eq!(why(listing.check(&by_record)), not_asked);
        }
        let twice = listing(&[(&a, 1, 9), (&b, 3, 9)]);
        let came = "file 1, of provider 'b', is one that came before";
        assert_eq!(why(twice.check(&by_record)), came);
        let mut of_another = all.clone();
        of_another.files[2].owner = Owner([2; 32]);
        assert_eq!(
            why(of_another.check(&by_record)),
            "file 2, of provider 'a', is of another owner"
        );
        for ask in [Ask::File(8), Ask::Notes] {
            assert!(all.check(&request(ask)).is_err(), "it lists nothing");
        }
    }

    #[test]
    fn every_listed_file_has_every_keyword_of_the_request() {
        let (a, b) = (node("a", 0), node("b", 0));
        let [one, two, other] = [1, 2, 3].map(|byte| Trapdoor([byte; TRAPDOOR_LEN]));
        let both =
            vec![(a.clone(), vec![one.clone(), two.clone()]), (b.clone(), vec![other.clone()])];
        let request = request(Ask::Keywords(both));
        let files = vec![file(a.clone(), 1, 8), file(b, 1, 9)];
        let listing = Listing { request: 7, files, proof: None };
        let proofs = |trapdoors: &[&Trapdoor], number| {
            let mut proofs: Vec<Proof> = trapdoors.iter().map(|of| of.proof(number)).collect();
            proofs.sort_unstable();
            proofs
        };
        let check = |first: Option<&[Proof]>, second: Option<&[Proof]>| {
            listing.check_keywords(&request, [first, second])
        };
        let of_a = proofs(&[&one, &two, &other], 8);
        let of_b = proofs(&[&other], 9);
        assert_eq!(check(Some(&of_a), Some(&of_b)), Ok(()));
        assert_eq!(check(None, Some(&of_b)), Ok(()), "what did not open proves nothing");
        let first = "file 0, of provider 'a', is without a keyword of the request";
        for some in [&[][..], &[&one], &[&two], &[&one, &other]] {
            assert_eq!(why(check(Some(&proofs(some, 8)), Some(&of_b))), first);
        }
        let of_another_file = proofs(&[&one, &two], 9);
        assert_eq!(why(check(Some(&of_another_file), Some(&of_b))), first);
        let second = "file 1, of provider 'b', is without a keyword of the request";
        for some in [proofs(&[&one, &two], 9), proofs(&[&other], 8)] {
            assert_eq!(why(check(Some(&of_a), Some(&some))), second);
        }
        let by_record = self::request(Ask::Records(vec![(a, vec![1])]));
        assert_eq!(
            listing.check_keywords(&by_record, [Some(&[][..]); 2]),
            Ok(()),
            "none was named"
        );
    }

    #[test]
    fn a_fetched_file_has_the_number_that_was_asked_for() {
        let file = StoredFile { body: Some(vec![5]), ..file(node("a", 0), 1, 9) };
        let fetched = Fetched { request: 7, file, deed: None };
        assert_eq!(fetched.check(&request(Ask::File(9))), Ok(()));
        let number = "it has another number than was asked for";
        for ask in [Ask::File(8), Ask::Notes, Ask::Records(vec![(node("a", 0), vec![1])])] {
            assert_eq!(why(fetched.check(&request(ask))), number);
        }
        let other = Fetched { request: 8, ..fetched.clone() };
        assert_eq!(why(other.check(&request(Ask::File(9)))), "it is of another request");
        let mut of_another = fetched.clone();
        of_another.file.owner = Owner([2; 32]);
        assert_eq!(why(of_another.check(&request(Ask::File(9)))), "it is of another owner");
        let certificate =
            Certificate { subject: node("b", 0), key: [0; 32], stamp: None, signature: [0; 64] };
        let by_b = Request { issuer: Chain(vec![certificate]), ..request(Ask::File(9)) };
        assert_eq!(why(fetched.check(&by_b)), "it is of a provider that was not asked");
    }

    #[test]
    fn what_travels_has_one_form_and_a_body_where_one_belongs() {
        let bare = file(node("a", 0), 1, 9);
        let whole = StoredFile { body: Some(vec![5]), ..bare.clone() };
        let listing = Listing { request: 7, files: vec![bare.clone(), bare.clone()], proof: None };
        let fetched = Fetched { request: 7, file: whole.clone(), deed: None };
        assert_eq!(Listing::decode(&listing.encode()), Ok(listing.clone()));
        assert_eq!(Fetched::decode(&fetched.encode()), Ok(fetched.clone()));
        assert!(
            Listing::decode(&Listing { request: 7, files: vec![whole], proof: None }.encode())
                .is_err()
        );
        let without = Fetched { request: 7, file: bare.clone(), deed: None };
        assert!(Fetched::decode(&without.encode()).is_err());
        for deed in [None, Some(vec![6, 7])] {
            let bare = Fetched { file: bare.clone(), deed: deed.clone(), ..fetched.clone() };
            let (before, after) = bare.around(1);
            let whole = Fetched { deed, ..fetched.clone() };
            assert_eq!([before, vec![5], after].concat(), whole.encode());
        }
        for (at, bytes) in [listing.encode(), fetched.encode()].into_iter().enumerate() {
            let decode = |bytes: &[u8]| match at {
                0 => Listing::decode(bytes).map(drop),
                _ => Fetched::decode(bytes).map(drop),
            };
            assert!((0..bytes.len()).all(|cut| decode(&bytes[..cut]).is_err()));
            assert!(decode(&[&bytes[..], &[0]].concat()).is_err());
        }
    }
}
