//! An attachment that is read as it comes is the one that is read as a whole, or none.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/scene.rs"]
mod scene;

use std::sync::OnceLock;

use mopse::cipher::aes_gcm;
use mopse::cloud::store::Store;
use mopse::message::Error;
use mopse::message::attachment::Attachment;
use mopse::message::incoming::{Came, Incoming, LONGEST_HEAD, LONGEST_TAIL};
use mopse::party::records::Ids;
use mopse::{cloud, wire};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use scene::{Cloud, NOW, cases, owner};
use sha2::{Digest, Sha256, Sha512};

/// Attachments of a clinic's ward, with bodies of several sizes.
fn messages() -> &'static [Vec<u8>] {
    static MESSAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    MESSAGES.get_or_init(|| {
        let mut owner = owner(1);
        owner.authorize("clinic", &[]).unwrap();
        let mut ward = owner.authorize("ward", &["clinic"]).unwrap();
        let contents = [vec![], vec![7; 30], vec![5; 3000], vec![3; 200_000]];
        let mut attach = |contents: &Vec<u8>| {
            let keywords: &[&[u8]] = if contents.len() > 100 { &[b"gout", b"scan"] } else { &[] };
            let called = ("chest.jpg", "image/jpeg");
            ward.attach(Ids::Integers(&[1]), &aes_gcm::AES_256, called, contents, keywords).unwrap()
        };
        contents.iter().map(&mut attach).collect()
    })
}

/// What comes of a message that is cut at some places, with the body that was passed on.
fn read_in_pieces(message: &[u8], cuts: &[Index]) -> Result<(Came, Vec<u8>), Error> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(message.len() + 1)).collect();
    places.extend([0, message.len()]);
    places.sort_unstable();
    let (mut incoming, mut body) = (Incoming::default(), Vec::new());
    for pair in places.windows(2) {
        body.extend_from_slice(&incoming.feed(&message[pair[0]..pair[1]])?);
    }
    let (came, rest) = incoming.end()?;
    body.extend(rest);
    Ok((came, body))
}

/// What an attachment that was read as a whole is, said as one that was read in pieces.
fn as_came(message: &[u8]) -> Result<(Came, Vec<u8>), Error> {
    let mut attachment = Attachment::decode(message)?;
    let deed = attachment.file.deed_in(message);
    let body = attachment.file.body.take().unwrap();
    let digest = Sha256::digest(Sha512::digest(&message[..message.len() - 64])).into();
    Ok((Came { attachment, deed, size: body.len(), digest }, body))
}

#[test]
fn any_cuts_give_what_the_whole_gives() {
    let config = ProptestConfig::with_cases(cases(300));
    proptest!(config, |(which in any::<Index>(), cuts in vec(any::<Index>(), 0..20))| {
        let message = which.get(messages());
        prop_assert_eq!(read_in_pieces(message, &cuts), as_came(message));
        prop_assert!(as_came(message).is_ok());
    });
}

#[test]
fn byte_by_byte_it_is_the_same() {
    for message in &messages()[..3] {
        let every: Vec<Index> = Vec::new();
        let (mut incoming, mut body) = (Incoming::default(), Vec::new());
        for byte in message {
            body.extend_from_slice(&incoming.feed(std::slice::from_ref(byte)).unwrap());
        }
        let (came, rest) = incoming.end().unwrap();
        body.extend(rest);
        assert_eq!(Ok((came, body)), read_in_pieces(message, &every));
    }
}

#[test]
fn what_the_whole_is_refused_for_the_pieces_are_refused_for() {
    let config = ProptestConfig::with_cases(cases(1500));
    proptest!(config, |(
        which in any::<Index>(),
        at in any::<Index>(),
        bit in 0..8_u8,
        change in 0..4,
        cuts in vec(any::<Index>(), 0..6),
    )| {
        let mut message = which.get(messages()).clone();
        // Half of all changes are in the head or the end, where most is said.
        let place = at.index(message.len());
        let near = place % 1000;
        let place = match bit {
            0..3 if near < message.len() => near,
            3..6 if near < message.len() => message.len() - 1 - near,
            _ => place,
        };
        match change {
            0 => message[place] ^= 1 << bit,
            1 => message.truncate(place),
            2 => message.insert(place, bit),
            _ => drop(message.remove(place)),
        }
        let whole = as_came(&message);
        prop_assert!(whole.is_err());
        prop_assert_eq!(read_in_pieces(&message, &cuts), whole);
    });
}

/// Where the length of the body stands.
fn place_of_size(message: &[u8]) -> usize {
    let size = as_came(message).unwrap().0.size as u64;
    let written = [&[1], &size.to_le_bytes()[..]].concat();
    message.windows(9).position(|bytes| bytes == written).unwrap() + 1
}

#[test]
fn a_length_that_is_said_costs_nothing_until_it_has_come() {
    let message = &messages()[1];
    let at = place_of_size(message);
    for said in [u64::MAX, 1 << 62, 1 << 40, message.len() as u64] {
        let changed = [&message[..at], &said.to_le_bytes(), &message[at + 8..]].concat();
        let refused = read_in_pieces(&changed, &[]);
        assert_eq!(refused, as_came(&changed));
        let position = at + 8;
        let format = wire::Error::Format { what: wire::Kind::Attachment.name(), position };
        assert_eq!(refused, Err(Error::Wire(format)));
    }
}

#[test]
fn a_head_or_an_end_without_end_is_refused_before_it_is_held() {
    // A description of which more is said than there may be.
    let message = &messages()[3];
    let mut incoming = Incoming::default();
    let at = place_of_size(message) - 1;
    let description = as_came(message).unwrap().0.attachment.file.description;
    let start = at - description.len() - 8;
    incoming.feed(&message[..start]).unwrap();
    incoming.feed(&(1_u64 << 40).to_le_bytes()).unwrap();
    let piece = [0; 1 << 16];
    let refused = (0..).find(|_| incoming.feed(&piece).is_err()).unwrap();
    assert!(refused << 16 <= LONGEST_HEAD);

    let mut incoming = Incoming::default();
    incoming.feed(message).unwrap();
    let refused = (0..).find(|_| incoming.feed(&piece).is_err()).unwrap();
    assert!(refused << 16 <= LONGEST_TAIL);
}

#[test]
fn a_file_and_what_was_signed_with_it_are_verified_again() {
    for message in messages() {
        let (came, body) = as_came(message).unwrap();
        let again = |body: &[u8], deed: &[u8]| {
            let mut incoming = Incoming::of(&came.attachment.file, body.len());
            incoming.feed(body)?;
            incoming.feed(deed)?;
            Ok::<_, Error>(incoming.end()?.0)
        };
        assert_eq!(again(&body, &came.deed), Ok(came.clone()));
        let mut changed = body.clone();
        changed[body.len() / 2] ^= 1;
        let forged = Err(Error::Signature { what: wire::Kind::Attachment.name() });
        assert_eq!(again(&changed, &came.deed), forged);
        assert!(again(&body[1..], &came.deed).is_err());
    }
}

#[test]
fn the_door_takes_what_came_as_it_takes_the_whole() {
    let mut owner = owner(1);
    let mut clinic = owner.authorize("clinic", &[]).unwrap();
    let mut other = owner.authorize("other", &[]).unwrap();
    let cloud = Cloud::of(&mut owner);
    let attach = |party: &mut mopse::party::Keyring| {
        let called = ("n", "a/b");
        party.attach(Ids::Integers(&[1]), &aes_gcm::AES_256, called, b"what it says", &[]).unwrap()
    };
    let message = attach(&mut clinic);
    let receive = |message: &[u8]| {
        let (came, body) = read_in_pieces(message, &[]).unwrap();
        cloud.gate.receive_came(came, |came, missing| {
            let Came { mut attachment, .. } = came;
            attachment.file.body = Some(body);
            cloud.gate.store().add_file(attachment, &missing, message)
        })
    };
    let receipt = receive(&message).unwrap();
    assert_eq!((receipt.provider.as_str(), receipt.files), ("clinic", 1));
    assert!(matches!(receive(&message), Err(cloud::Error::StoredFile { .. })));
    assert!(matches!(cloud.gate.receive(&message, NOW), Err(cloud::Error::StoredFile { .. })));

    let late = attach(&mut other);
    owner.revoke(&["other"]).unwrap();
    cloud.enroll(&mut owner);
    let epoch = |error| matches!(error, cloud::Error::Message(Error::Epoch { .. }));
    assert!(receive(&late).is_err_and(epoch));
    let (came, _) = as_came(&late).unwrap();
    assert!(cloud.gate.expect(&came.attachment.file).is_err_and(epoch));
    let stranger = read_in_pieces(&attach(&mut scene::owner(2).authorize("a", &[]).unwrap()), &[]);
    let (came, _) = stranger.unwrap();
    assert_eq!(cloud.gate.expect(&came.attachment.file), Err(cloud::Error::NotEnrolled));
}
