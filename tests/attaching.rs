//! Files that are attached, fetched and opened as they come are those that are in memory as a whole.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/scene.rs"]
mod scene;

use mopse::cipher::stream::{HEAD_LEN, SEGMENT};
use mopse::cipher::{self, aes_gcm};
use mopse::keys::Key;
use mopse::message::Error;
use mopse::message::arriving::{Arrived, Arriving};
use mopse::message::attachment::Attachment;
use mopse::message::incoming::{LONGEST_HEAD, LONGEST_TAIL};
use mopse::message::listing::Fetched;
use mopse::message::request::Request;
use mopse::party::attaching::Attaching;
use mopse::party::attachments::{self, Description};
use mopse::party::records::Ids;
use mopse::party::{self, Keyring};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use scene::{Cloud, cases, owner, schema};

const CALLED: (&str, &str) = ("chest.jpg", "image/jpeg");
const KEYWORDS: [&[u8]; 2] = [b"gout", b"scan"];

/// The hospital of an owner whose randomness follows from a seed, anew.
fn seeded() -> Keyring {
    let key = Key::from_bytes(&[9; 32]).unwrap();
    Keyring::insecure(key, schema()).authorize("hospital", &[]).unwrap()
}

fn begun(hospital: &Keyring, size: u64) -> Attaching {
    let (id, cipher) = (Ids::Integers(&[1]), &aes_gcm::AES_256);
    hospital.begin_attachment(id, cipher, CALLED, size, &KEYWORDS).unwrap()
}

fn sealed(attaching: &mut Attaching, contents: &[u8]) -> Result<Vec<u8>, party::Error> {
    let mut sealed = vec![0; Attaching::sealed_len(contents.len())];
    attaching.seal(contents, &mut sealed)?;
    Ok(sealed)
}

fn whole(hospital: &mut Keyring, contents: &[u8]) -> Vec<u8> {
    let (id, cipher) = (Ids::Integers(&[1]), &aes_gcm::AES_256);
    hospital.attach(id, cipher, CALLED, contents, &KEYWORDS).unwrap()
}

/// An attachment whose contents come in pieces of so many segments.
fn by_pieces(hospital: &mut Keyring, contents: &[u8], segments: &[usize]) -> Vec<u8> {
    let mut attaching = begun(hospital, contents.len() as u64);
    let mut message = attaching.head().to_vec();
    let mut left = contents;
    let mut sizes = segments.iter().cycle();
    loop {
        let (piece, after) = left.split_at(left.len().min(sizes.next().unwrap() * SEGMENT));
        message.extend(sealed(&mut attaching, piece).unwrap());
        left = after;
        if left.is_empty() {
            break;
        }
    }
    let (end, attachment) = hospital.end_attachment(attaching).unwrap();
    message.extend(end);
    let mut decoded = Attachment::decode(&message).unwrap();
    decoded.file.body = None;
    assert_eq!(attachment, decoded);
    message
}

fn contents(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at * at % 251).unwrap()).collect()
}

#[test]
fn the_pieces_of_an_attachment_are_the_whole() {
    let config = ProptestConfig::with_cases(cases(60));
    proptest!(config, |(
        near in 0..4_usize,
        off in 0..3_usize,
        segments in vec(1..4_usize, 1..5),
    )| {
        let contents = contents((near * SEGMENT + off).saturating_sub(1));
        let (mut one, mut another) = (seeded(), seeded());
        prop_assert_eq!(by_pieces(&mut one, &contents, &segments), whole(&mut another, &contents));
        // Both have counted the same.
        let next = by_pieces(&mut one, b"next", &[1]);
        prop_assert_eq!(&next, &whole(&mut another, b"next"));
        let lineage = Attachment::decode(&next).unwrap().lineage;
        prop_assert_eq!(lineage.previous.len(), 1);
    });
}

#[test]
fn contents_have_as_many_bytes_as_were_said() {
    let mut hospital = seeded();
    for (said, given) in [(5, 4), (0, 1), (1 << 16, (1 << 16) + 1)] {
        let mut attaching = begun(&hospital, said);
        let given = contents(given);
        let refused = sealed(&mut attaching, &given)
            .and_then(|_| hospital.end_attachment(attaching).map(drop));
        let is_early = given.len() as u64 > said;
        let expected = cipher::Error::Batch { got: given.len() };
        assert_eq!(refused, Err(if is_early { party::Error::Contents } else { expected.into() }));
    }
    for said in [0, 1, 1 << 17] {
        let mut attaching = begun(&hospital, said);
        if said > 1 {
            sealed(&mut attaching, &contents(SEGMENT)).unwrap();
        }
        let ended = hospital.end_attachment(attaching).map(drop);
        assert_eq!(ended, Err(party::Error::Contents), "{said}");
    }
    let longest = (SEGMENT as u64) << 32;
    let (id, cipher) = (Ids::Integers(&[1]), &aes_gcm::AES_128);
    for size in [longest + 1, u64::MAX] {
        let refused = hospital.begin_attachment(id, cipher, CALLED, size, &[]).map(drop);
        let too_long = cipher::Error::TooLong { cipher: "aes-128-gcm", longest };
        assert_eq!(refused, Err(too_long.into()));
    }
    // Nothing of all this was counted.
    assert_eq!(whole(&mut hospital, b"x").len(), whole(&mut seeded(), b"x").len());
    let lineage = Attachment::decode(&whole(&mut hospital, b"x")).unwrap().lineage;
    assert_eq!(lineage.previous.len(), 1);
}

#[test]
fn what_is_attached_meanwhile_is_counted_before() {
    let mut owner = owner(1);
    let mut hospital = owner.authorize("hospital", &[]).unwrap();
    let cloud = Cloud::of(&mut owner);
    let mut long = begun(&hospital, 4);
    let mut message = long.head().to_vec();
    let meanwhile = whole(&mut hospital, b"quick");
    message.extend(sealed(&mut long, b"slow").unwrap());
    message.extend(hospital.end_attachment(long).unwrap().0);
    let (first, last) =
        (Attachment::decode(&meanwhile).unwrap(), Attachment::decode(&message).unwrap());
    assert_eq!(last.lineage.previous, [first.file.number]);
    assert!(first.entries.iter().all(|entry| !last.entries.contains(entry)));
    for message in [&meanwhile, &message] {
        assert_eq!(cloud.gate.receive(message, scene::NOW).unwrap().files, 1);
    }
    let request = owner.search_files(&KEYWORDS, scene::NOW + 60).unwrap();
    assert_eq!(cloud.gate.find(&request, scene::NOW).unwrap().files.len(), 2);
}

#[test]
fn another_keyring_ends_no_attachment() {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let mut clinic = owner.authorize("clinic", &[]).unwrap();
    let mut attaching = begun(&hospital, 1);
    sealed(&mut attaching, b"x").unwrap();
    let refused = clinic.end_attachment(attaching).map(drop);
    let scope = |error| matches!(error, party::Error::Message(Error::Scope { .. }));
    assert!(refused.is_err_and(scope));
    let id = Ids::Integers(&[1]);
    let by_owner = owner.begin_attachment(id, &aes_gcm::AES_256, CALLED, 1, &[]).map(drop);
    assert!(by_owner.is_err_and(scope));
}

/// A stored file as it was fetched, with its deed, the request for it, who asks, and what it holds.
struct Stored {
    owner: Keyring,
    fetched: Fetched,
    request: Request,
    contents: Vec<u8>,
}

fn stored(size: usize) -> Stored {
    let mut owner = owner(1);
    let mut hospital = owner.authorize("hospital", &[]).unwrap();
    let cloud = Cloud::of(&mut owner);
    let contents = contents(size);
    let message = whole(&mut hospital, &contents);
    cloud.gate.receive(&message, scene::NOW).unwrap();
    let number = Attachment::decode(&message).unwrap().file.number;
    let request = owner.fetch_file(number, scene::NOW + 60).unwrap();
    let fetched = cloud.gate.fetch_proven(&request, scene::NOW).unwrap();
    Stored { owner, fetched, request: Request::decode(&request).unwrap(), contents }
}

/// The places where pieces end.
fn places(length: usize, cuts: &[Index]) -> Vec<usize> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(length + 1)).collect();
    places.extend([0, length]);
    places.sort_unstable();
    places
}

/// What comes of a fetched file in pieces, with its body in its place.
fn arrived(mut arriving: Arriving, bytes: &[u8], cuts: &[Index]) -> Result<Fetched, Error> {
    let mut body = Vec::new();
    for pair in places(bytes.len(), cuts).windows(2) {
        body.extend_from_slice(&arriving.feed(&bytes[pair[0]..pair[1]])?);
    }
    let (Arrived { mut fetched, size }, rest) = arriving.end()?;
    body.extend(rest);
    assert_eq!(body.len(), size);
    fetched.file.body = Some(body);
    Ok(fetched)
}

#[test]
fn the_pieces_of_a_fetched_file_are_the_whole_or_refused_as_it_is() {
    let all: Vec<Fetched> = [0, 1, 3000, 200_000].map(|size| stored(size).fetched).to_vec();
    let config = ProptestConfig::with_cases(cases(800));
    proptest!(config, |(
        which in any::<Index>(),
        has_deed in any::<bool>(),
        cuts in vec(any::<Index>(), 0..8),
        at in any::<Index>(),
        bit in 0..8_u8,
        change in 0..5,
    )| {
        let mut fetched = which.get(&all).clone();
        if !has_deed {
            fetched.deed = None;
        }
        let mut bytes = fetched.encode();
        let place = at.index(bytes.len());
        let near = place % 1000;
        let place = match bit {
            0..3 if near < bytes.len() => near,
            3..6 if near < bytes.len() => bytes.len() - 1 - near,
            _ => place,
        };
        match change {
            0 => bytes[place] ^= 1 << bit,
            1 => bytes.truncate(place),
            2 => bytes.insert(place, bit),
            3 => drop(bytes.remove(place)),
            _ => {}
        }
        let whole = Fetched::decode(&bytes);
        prop_assert!(change < 4 || whole == Ok(fetched));
        prop_assert_eq!(&arrived(Arriving::default(), &bytes, &cuts), &whole);
        // With a proof it is what the whole is, and proven.
        let proven = whole.and_then(|whole| whole.prove().map(|()| whole));
        prop_assert_eq!(arrived(Arriving::proven(), &bytes, &cuts), proven);
    });
}

#[test]
fn a_length_that_is_said_costs_nothing_and_more_than_any_file_has_is_refused() {
    let fetched = stored(3000).fetched;
    let bytes = fetched.encode();
    let mut arriving = Arriving::default();
    arriving.feed(&bytes).unwrap();
    let piece = [0; 1 << 16];
    let refused = (0..).find(|_| arriving.feed(&piece).is_err()).unwrap();
    assert!(refused << 16 <= LONGEST_TAIL);
    // A description of which more is said than there may be.
    let description = &fetched.file.description;
    let at = bytes.windows(description.len()).position(|of| *of == description[..]).unwrap();
    let mut arriving = Arriving::default();
    arriving.feed(&bytes[..at - 8]).unwrap();
    arriving.feed(&(1_u64 << 40).to_le_bytes()).unwrap();
    let refused = (0..).find(|_| arriving.feed(&piece).is_err()).unwrap();
    assert!(refused << 16 <= LONGEST_HEAD);
}

/// What a body opens to in pieces.
fn opened(
    Stored { owner, fetched, request, .. }: &Stored,
    body: &[u8],
    cuts: &[Index],
) -> Result<(Description, Vec<u8>), party::Error> {
    let (description, mut opening) = owner.opening(fetched, request)?;
    let mut contents = Vec::new();
    for pair in places(body.len(), cuts).windows(2) {
        let piece = &body[pair[0]..pair[1]];
        let mut plaintext = vec![0; opening.room(piece.len())];
        let opened = opening.feed(piece, &mut plaintext)?;
        contents.extend_from_slice(&plaintext[..opened]);
    }
    let mut plaintext = vec![0; opening.room(0)];
    let opened = opening.end(&mut plaintext)?;
    contents.extend_from_slice(&plaintext[..opened]);
    Ok((description, contents))
}

#[test]
fn the_pieces_of_a_body_open_to_the_whole_or_to_nothing() {
    let all = [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT].map(stored);
    let config = ProptestConfig::with_cases(cases(200));
    proptest!(config, |(
        which in any::<Index>(),
        cuts in vec(any::<Index>(), 0..8),
        at in any::<Index>(),
        bit in 0..8_u8,
        change in 0..5,
    )| {
        let stored = which.get(&all);
        let mut body = stored.fetched.file.body.clone().unwrap();
        let whole = stored.owner.open_file(&stored.fetched, &stored.request).unwrap();
        prop_assert_eq!(&whole.1, &stored.contents);
        prop_assert_eq!(&opened(stored, &body, &cuts), &Ok(whole));
        let place = at.index(body.len());
        match change {
            0 => body[place] ^= 1 << bit,
            1 => body.truncate(place),
            2 => body.insert(place, bit),
            3 => drop(body.remove(place)),
            _ => body.extend_from_slice(&vec![bit; 1 + place % 70_000]),
        }
        prop_assert_eq!(opened(stored, &body, &cuts), Err(party::Error::File));
    });
}

#[test]
fn a_body_whose_last_segments_are_missing_does_not_end() {
    let stored = stored(3 * SEGMENT);
    let body = stored.fetched.file.body.clone().unwrap();
    for segments in 0..3 {
        let cut = &body[..HEAD_LEN + segments * (SEGMENT + 16)];
        assert_eq!(opened(&stored, cut, &[]), Err(party::Error::File), "{segments}");
    }
}

#[test]
fn a_body_opens_for_who_asked_and_has_the_key() {
    let stored = stored(10);
    let of_another = owner(2).opening(&stored.fetched, &stored.request).map(drop);
    let other = |error| matches!(error, party::Error::Message(Error::OtherOwner { .. }));
    assert!(of_another.is_err_and(other));
    let unasked = Fetched { request: 1, ..stored.fetched.clone() };
    let answer = |error| matches!(error, party::Error::Message(Error::Answer { .. }));
    assert!(stored.owner.opening(&unasked, &stored.request).map(drop).is_err_and(answer));

    let file = &stored.fetched.file;
    let key = Key::from_bytes(&[4; 32]).unwrap();
    assert_eq!(attachments::opening(&key, file).map(drop), Err(party::Error::File));
    let (_, mut opening) = stored.owner.opening(&stored.fetched, &stored.request).unwrap();
    let body = file.body.as_ref().unwrap();
    let short = opening.feed(body, &mut []).and_then(|_| opening.end(&mut [0; 9]));
    let (what, expected, got) = ("the buffer for the file", 10, 9);
    assert_eq!(short, Err(party::Error::Length { what, expected, got }));
}
