use proptest::prelude::*;

use super::*;
use crate::cipher::{ALGORITHMS, aes_gcm};

const LENGTHS: [usize; 8] =
    [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 3 * SEGMENT - 1, 5 * SEGMENT + 17];

fn malformed(position: usize) -> Error {
    wire::Error::Format { what: Kind::Stream.name(), position }.into()
}

fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).unwrap()
}

fn text(length: usize) -> Vec<u8> {
    (0..251).cycle().take(length).collect()
}

fn sealed(length: usize) -> Vec<u8> {
    seal(&aes_gcm::AES_256, &key(1), b"record 17", &text(length)).unwrap()
}

fn opened(file: &[u8]) -> Result<Vec<u8>, Error> {
    open(&key(1), b"record 17", file)
}

/// The segments of a file, with their tags.
fn segments(file: &[u8]) -> Vec<&[u8]> {
    file[HEAD_LEN..].chunks(SEGMENT + TAG_LEN).collect()
}

fn with_segments(file: &[u8], segments: &[&[u8]]) -> Vec<u8> {
    [&file[..HEAD_LEN], &segments.concat()].concat()
}

#[test]
fn every_authenticated_cipher_opens_what_it_sealed() {
    for algorithm in ALGORITHMS.iter().filter(|algorithm| algorithm.tag_len > 0) {
        for length in LENGTHS {
            let file = seal(algorithm, &key(1), b"record 17", &text(length)).unwrap();
            assert_eq!(file.len(), HEAD_LEN + StreamSealer::sealed_len(length));
            assert_eq!(opened(&file).unwrap(), text(length), "{algorithm:?} {length}");
        }
    }
}

#[test]
fn batches_of_any_size_make_and_read_the_same_file() {
    let plaintext = text(5 * SEGMENT + 17);
    for batch in [SEGMENT, 2 * SEGMENT, 4 * SEGMENT] {
        let mut sealer =
            StreamSealer::with_salt(&aes_gcm::AES_256, &key(1), b"", [7; SALT_LEN]).unwrap();
        let mut file = sealer.head().to_vec();
        let batches: Vec<&[u8]> = plaintext.chunks(batch).collect();
        for (number, part) in batches.iter().enumerate() {
            let mut out = vec![0; StreamSealer::sealed_len(part.len())];
            sealer.push(part, number + 1 == batches.len(), &mut out).unwrap();
            file.extend(out);
        }
        assert_eq!(open(&key(1), b"", &file).unwrap(), plaintext);

        let mut opener = StreamOpener::new(&file[..HEAD_LEN], &key(1), b"").unwrap();
        let step = batch / SEGMENT * (SEGMENT + TAG_LEN);
        let batches: Vec<&[u8]> = file[HEAD_LEN..].chunks(step).collect();
        let mut found = Vec::new();
        for (number, part) in batches.iter().enumerate() {
            let mut out = vec![0; StreamOpener::opened_len(part.len()).unwrap()];
            opener.push(part, number + 1 == batches.len(), &mut out).unwrap();
            found.extend(out);
        }
        assert_eq!(found, plaintext);
    }
}

#[test]
fn every_cut_is_noticed() {
    let file = sealed(2 * SEGMENT + 5);
    let border = HEAD_LEN + SEGMENT + TAG_LEN;
    let cuts = (0..HEAD_LEN + 40)
        .chain(border - 20..border + 20)
        .chain(2 * border - HEAD_LEN - 2..file.len());
    for cut in cuts {
        assert!(opened(&file[..cut]).is_err(), "cut at {cut}");
    }
    assert_eq!(opened(&file[..border]).unwrap_err(), Error::Decryption);
    assert_eq!(opened(&file[..HEAD_LEN]).unwrap_err(), Error::Decryption);
}

#[test]
fn segments_cannot_be_moved_repeated_dropped_added_or_taken_from_another_file() {
    let (file, other) = (sealed(3 * SEGMENT + 9), sealed(3 * SEGMENT + 9));
    let (own, foreign) = (segments(&file), segments(&other));
    let empty = vec![0; TAG_LEN];
    for changed in [
        vec![own[1], own[0], own[2], own[3]],
        vec![own[0], own[2], own[1], own[3]],
        vec![own[0], own[1], own[1], own[2], own[3]],
        vec![own[0], own[2], own[3]],
        vec![own[1], own[2], own[3]],
        vec![own[0], own[1], own[2]],
        vec![own[0], own[1], own[2], own[2]],
        vec![own[0], foreign[1], own[2], own[3]],
        vec![own[0], own[1], own[2], foreign[3]],
        vec![own[0], own[1], own[2], own[3], own[3]],
        vec![own[0], own[1], own[2], own[3], &empty],
    ] {
        assert_eq!(opened(&with_segments(&file, &changed)).unwrap_err(), Error::Decryption);
    }
    assert!(opened(&with_segments(&file, &own)).is_ok());
    assert_eq!(opened(&with_segments(&other, &own)).unwrap_err(), Error::Decryption);
}

#[test]
fn what_comes_after_the_last_batch_is_refused() {
    let file = sealed(SEGMENT);
    let mut opener = StreamOpener::new(&file[..HEAD_LEN], &key(1), b"record 17").unwrap();
    let mut plaintext = vec![0; SEGMENT];
    opener.push(&file[HEAD_LEN..], true, &mut plaintext).unwrap();
    let again = opener.push(&file[HEAD_LEN..], true, &mut plaintext);
    assert_eq!(again.unwrap_err(), Error::Decryption);
}

#[test]
fn every_byte_of_the_head_counts() {
    let file = sealed(10);
    for at in 0..HEAD_LEN {
        let mut changed = file.clone();
        changed[at] ^= 1;
        let error = opened(&changed).unwrap_err();
        match at {
            0..8 => assert_eq!(error, malformed(0)),
            8 => assert_eq!(
                error,
                Error::Wire(wire::Error::Version { what: Kind::Stream.name(), got: 0 })
            ),
            9..20 => assert_eq!(error, malformed(33)),
            20..33 => assert!(
                matches!(error, Error::Wire(wire::Error::Format { .. }) | Error::Decryption),
                "what follows the name does not matter for it, and is bound: {error:?}"
            ),
            33..37 => assert_eq!(error, malformed(33)),
            _ => assert_eq!(error, Error::Decryption),
        }
    }
}

#[test]
fn another_key_cipher_or_association_opens_nothing() {
    let file = sealed(10);
    assert_eq!(open(&key(2), b"record 17", &file).unwrap_err(), Error::Decryption);
    assert_eq!(open(&key(1), b"record 18", &file).unwrap_err(), Error::Decryption);
    let mut other = file.clone();
    other[9 + 4..9 + 7].copy_from_slice(b"128");
    assert_eq!(opened(&other).unwrap_err(), Error::Decryption);
    other[9..9 + 11].copy_from_slice(b"aes-256-ctr");
    assert_eq!(opened(&other).unwrap_err(), malformed(33));
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let mut sealer = StreamSealer::new(&aes_gcm::AES_256, &key(1), b"").unwrap();
    let mut push = |batch: usize, is_last, room: usize| {
        sealer.push(&vec![0; batch], is_last, &mut vec![0; room])
    };
    for (batch, is_last) in [(0, false), (5, false), (SEGMENT + 1, false)] {
        let error = push(batch, is_last, StreamSealer::sealed_len(batch)).unwrap_err();
        assert!(matches!(error, Error::Batch { .. }), "{error:?}");
    }
    assert!(matches!(push(5, true, 20), Err(Error::Length { expected: 21, got: 20, .. })));
    push(SEGMENT, false, SEGMENT + TAG_LEN).unwrap();
    assert!(matches!(push(0, true, TAG_LEN), Err(Error::Batch { .. })), "an empty last one");
    push(5, true, 21).unwrap();
    assert!(matches!(push(5, true, 21), Err(Error::Batch { .. })), "after the last");
}

#[test]
fn ciphers_without_a_tag_are_refused() {
    for algorithm in ALGORITHMS.iter().filter(|algorithm| algorithm.tag_len == 0) {
        let error = StreamSealer::new(algorithm, &key(1), b"").unwrap_err();
        assert_eq!(error, Error::NotAuthenticated { cipher: algorithm.name });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_the_opener_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        at in 0..HEAD_LEN + 60,
    ) {
        let mut file = sealed(40);
        let end = file.len().min(at + bytes.len());
        if at < end {
            file[at..end].copy_from_slice(&bytes[..end - at]);
        }
        let _ = opened(&file);
        let _ = opened(&bytes);
    }
}
