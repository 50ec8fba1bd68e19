//! Re-encryption of grants: its equations, against another implementation; who reads what, alone and together; and
//! what is refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/points.rs"]
mod points;
#[path = "support/scene.rs"]
mod scene;

use std::collections::BTreeSet;

use aes_gcm_siv::aead::{Aead, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use ark_bls12_381::{Bls12_381, Fq12, Fr, G1Affine, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, PrimeField};
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, Mac};
use mopse::keys::{Key, Purpose};
use mopse::message;
use mopse::message::place::Epoch;
use mopse::party::grants::{Grant, Grants, Share};
use mopse::party::{self, Keyring};
use mopse::sharing::Error;
use mopse::sharing::pairing::{G1, G2, Gt, Scalar};
use mopse::sharing::reencryption::{self, Envelope, Keys, Label, Proxy, Public, Released};
use mopse::sharing::user::{Algorithm, User};
use points::{bad_points, bytes_of};
use proptest::prelude::*;
use scene::{Cloud, NOW, Row, age, ask, owner, upload};
use sha2::{Digest, Sha256, Sha512};

const ROWS: [Row; 3] = [(1, 40, Some(150)), (2, 50, None), (3, 60, Some(120))];
const FOREVER: u64 = u64::MAX;

const ENVELOPE: &str = "the envelope";
const CLOSED: Error = Error::Closed { what: ENVELOPE };

fn keys(byte: u8) -> Keys {
    Keys::of(Key::from_bytes(&[byte; 32]).unwrap())
}

/// An owner whose hospital and clinic keep pressures in a portion of their own.
fn party() -> (Keyring, [Keyring; 2]) {
    let mut owner = owner(1);
    owner.declare_portions(vec![("vitals".into(), vec!["age".into(), "sbp".into()])]).unwrap();
    let below = ["hospital", "clinic"].map(|name| owner.authorize(name, &[]).unwrap());
    (owner, below)
}

fn label(keyring: &Keyring, provider: &str, portion: &str) -> Label {
    Label::of(keyring, provider, portion, None).unwrap()
}

fn wrap(keyring: &Keyring, label: &Label) -> Envelope {
    Envelope::wrap(keyring, label, FOREVER).unwrap()
}

fn key(keyring: &Keyring, label: &Label, public: &Public) -> reencryption::Key {
    reencryption::Key::make(keyring, label, public).unwrap()
}

/// A proxy with keys for one public key.
fn proxy(keyring: &Keyring, labels: &[&Label], public: &Public) -> Proxy {
    let mut proxy = Proxy::new();
    for label in labels {
        let sent = key(keyring, label, public);
        proxy.receive(&reencryption::Key::decode(sent.encode()).unwrap());
    }
    proxy
}

/// What keys open of an envelope, by all that travels.
fn opened(envelope: &Envelope, proxy: &Proxy, keys: &Keys) -> Result<Grant, Error> {
    let envelope = Envelope::decode(envelope.encode())?;
    let released = proxy.re_encrypt(&envelope, &keys.public().name())?;
    let grant = keys.open(&envelope, &Released::decode(&released.encode())?)?;
    Ok(Grant::decode(&grant)?)
}

/// The names of the columns that grants open of a provider's records.
fn columns(cloud: &Cloud, owner: &Keyring, provider: &str, grants: &Grants) -> BTreeSet<String> {
    let parts = cloud.answer(&ask(owner, &[age(0, 120)])).unwrap().parts;
    let mut names = BTreeSet::new();
    for part in parts.iter().filter(|part| part.provider.path() == provider) {
        let origin = party::records::Origin {
            owner: &part.owner,
            provider: &part.provider,
            readers: part.readers,
            upload: part.upload,
        };
        let Some(opener) = grants.opener(part.owner, &part.provider, part.readers, NOW) else {
            continue;
        };
        let columns = opener.open(origin, &part.handles, &part.portions).unwrap();
        names.extend(columns.into_iter().map(|column| column.name.to_string()));
    }
    names
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

// Against another implementation

fn other(scalar: &Scalar) -> Fr {
    Fr::from_le_bytes_mod_order(scalar.encode().as_slice())
}

fn power(base: Fq12, exponent: Fr) -> Fq12 {
    base.pow(exponent.into_bigint())
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// The first 64 bytes of HKDF-SHA256.
fn hkdf(salt: &[u8], secret: &[u8], info: &[u8]) -> [Vec<u8>; 2] {
    let extracted = hmac(salt, secret);
    let first = hmac(&extracted, &[info, &[1]].concat());
    let second = hmac(&extracted, &[&first[..], info, &[2]].concat());
    [first, second]
}

/// RFC 5869, appendices A.1 and A.2, as far as 64 bytes go.
#[test]
fn what_is_compared_with_derives_keys_as_the_standard_says() {
    let bytes = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
    let derived = hkdf(&bytes(0, 12), &[0x0b; 22], &bytes(0xf0, 0xf9)).concat();
    let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf\
        34007208d5b887185865";
    assert_eq!(hex::encode(&derived[..42]), expected);
    let derived = hkdf(&bytes(0x60, 0xaf), &bytes(0, 0x4f), &bytes(0xb0, 0xff)).concat();
    let expected = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
        59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71";
    assert_eq!(hex::encode(derived), expected);
}

/// What an envelope holds under Z^k, and after it: the ciphertext and the commitment.
fn sealed(before: &[u8], z_k: &[u8], plaintext: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let [key, commitment] = hkdf(b"mopse/v1 envelope", z_k, before);
    let aead = Aes256GcmSiv::new_from_slice(&key).unwrap();
    (aead.encrypt(&Nonce::from([0; 12]), plaintext).unwrap(), commitment)
}

/// The signature of whoever has a key of the tree.
fn signature(key: &Key, message: &[u8]) -> [u8; 64] {
    let signer = SigningKey::from_bytes(key.child(Purpose::Sign, b"", 0).expose());
    let hashed = Sha512::digest(message);
    signer.sign(&[b"mopse/v1 signature".as_slice(), &hashed].concat()).to_bytes()
}

/// The owner's root key.
fn root() -> Key {
    Key::from_bytes(&[1; 32]).unwrap()
}

/// A message with the owner's signature made anew.
fn resigned(mut message: Vec<u8>) -> Vec<u8> {
    message.truncate(message.len() - 64);
    message.extend(signature(&root(), &message));
    message
}

/// An envelope by the owner of what it likes.
fn crafted(before: &[u8], ciphertext: &[u8], commitment: &[u8]) -> Vec<u8> {
    let length = (ciphertext.len() as u64).to_le_bytes();
    let no_chain = 0_u64.to_le_bytes();
    resigned([before, &length, ciphertext, commitment, &no_chain, &[0; 64]].concat())
}

/// All before and with the capsule.
fn before(envelope: &Envelope) -> &[u8] {
    let (bytes, capsule) = (envelope.encode(), envelope.capsule().encode());
    let at = bytes.windows(48).position(|window| window == capsule).unwrap();
    &bytes[..at + 48]
}

#[test]
fn the_equations_hold_for_what_travels() {
    let (owner, _) = party();
    let label = label(&owner, "hospital", "vitals");
    let (ben, a) = (keys(7), reencryption::scalar(&owner, &label).unwrap());
    let k = Scalar::generate().unwrap();
    let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
    let z = Bls12_381::pairing(g1, g2).0;
    let [of_a, of_b, of_k] = [&a, ben.secret(), &k].map(other);
    assert_eq!(ben.public().element().encode()[..], bytes_of(&(g2 * of_b).into_affine()));
    let envelope = Envelope::wrap_with(&owner, &label, FOREVER, &a, &k).unwrap();
    assert_eq!(envelope.capsule().encode()[..], bytes_of(&(g1 * (of_a * of_k)).into_affine()));
    let made = key(&owner, &label, ben.public());
    assert_eq!(made.element().encode()[..], bytes_of(&(g2 * (of_b / of_a)).into_affine()));
    let re_encrypted = Bls12_381::pairing(g1 * (of_a * of_k), g2 * (of_b / of_a)).0;
    let released =
        proxy(&owner, &[&label], ben.public()).re_encrypt(&envelope, &ben.public().name()).unwrap();
    assert!(released.encode().ends_with(&bytes_of(&re_encrypted)));
    let z_k = power(re_encrypted, of_b.inverse().unwrap());
    assert_eq!(z_k, power(z, of_k));
    // And the envelope, byte by byte.
    let portions = ["vitals".to_owned()];
    let share = Share { ids: None, portions: Some(&portions), holder: b"", end: FOREVER };
    let grant = owner.grant(&label.provider, &share).unwrap();
    let (ciphertext, commitment) = sealed(before(&envelope), &bytes_of(&z_k), &grant);
    assert_eq!(envelope.encode(), crafted(before(&envelope), &ciphertext, &commitment));
    assert_eq!(ben.open(&envelope, &released).unwrap(), grant);
}

#[test]
fn scalars_are_of_one_label_and_spread_over_all_numbers() {
    let (mut owner, [hospital, clinic]) = party();
    let mut labels = Vec::new();
    for _ in 0..3 {
        for provider in ["hospital", "clinic"] {
            labels.extend(["vitals", "rest", "files"].map(|name| label(&owner, provider, name)));
        }
        owner.renew_readers(&[]).unwrap();
    }
    let of = |keyring: &Keyring, label: &Label| reencryption::scalar(keyring, label).unwrap();
    let all: Vec<_> = labels.iter().map(|label| of(&owner, label).encode()).collect();
    assert_eq!(all.iter().map(|scalar| scalar.to_vec()).collect::<BTreeSet<_>>().len(), 18);
    // Both have it who derive the provider's keys, and another provider has not.
    assert_eq!(*of(&hospital, &labels[0]).encode(), *all[0]);
    let refused = reencryption::scalar(&clinic, &labels[0]).map(drop);
    let Err(Error::Party(party::Error::Message(message::Error::Scope { .. }))) = refused else {
        panic!("{refused:?}")
    };
    // Of 200 numbers below r some 90 are at least 2^254, and 40 to 139 but with a chance below 2^-40.
    let high = (0..200_u8).filter(|&byte| keys(byte).secret().encode()[31] >= 0x40).count();
    assert!((40..140).contains(&high), "{high}");
}

/// By Python's hmac and integers, from the text: of both halves of HMAC-SHA-256, little-endian, modulo r.
#[test]
fn scalars_match_the_known_answers() {
    let (owner, _) = party();
    let of_label = reencryption::scalar(&owner, &label(&owner, "hospital", "vitals")).unwrap();
    let known = "5212fb75c27efe5b1e9c09fd41f8b0fce0b6d8d3acab84f2376e45c85b248418";
    assert_eq!(hex::encode(of_label.encode().as_slice()), known);
    let known = "7e813c7f73659ed9e44893d1b32a7f6630737894f8c1fcdc4d56e4054e437c1a";
    assert_eq!(hex::encode(keys(7).secret().encode().as_slice()), known);
}

// Who reads what

#[test]
fn a_user_reads_the_portion_that_it_is_given_a_key_for_and_no_other() {
    let (mut owner, [hospital, clinic]) = party();
    let cloud = Cloud::of(&mut owner);
    cloud.receive(&upload(&hospital, &ROWS)).unwrap();
    cloud.receive(&upload(&clinic, &ROWS)).unwrap();
    let [vitals, rest] = ["vitals", "rest"].map(|name| label(&owner, "hospital", name));
    let of_clinic = label(&owner, "clinic", "vitals");
    let ben = keys(7);
    // One key by the owner, as if by the hospital itself.
    let by_owner = proxy(&owner, &[&vitals], ben.public());
    let by_hospital = proxy(&hospital, &[&vitals], ben.public());
    assert_eq!((by_owner.len(), by_owner.is_empty()), (1, false));
    for (wrapped, proxy) in
        [(wrap(&owner, &vitals), &by_hospital), (wrap(&hospital, &vitals), &by_owner)]
    {
        let mut grants = Grants::default();
        grants.add(opened(&wrapped, proxy, &ben).unwrap(), NOW).unwrap();
        assert_eq!(columns(&cloud, &owner, "hospital", &grants), set(&["age", "sbp"]));
        assert_eq!(columns(&cloud, &owner, "clinic", &grants), set(&[]));
    }
    for other in [&rest, &of_clinic] {
        let refused = opened(&wrap(&owner, other), &by_owner, &ben).map(drop);
        assert_eq!(refused, Err(Error::NoReencryptionKey));
    }
    // Nor does anybody else.
    let refused = opened(&wrap(&owner, &vitals), &by_owner, &keys(8)).map(drop);
    assert_eq!(refused, Err(Error::NoReencryptionKey));
    let (envelope, cis) = (wrap(&owner, &vitals), keys(8));
    let released = by_owner.re_encrypt(&envelope, &ben.public().name()).unwrap();
    let fault = Err(Error::OtherWrapping { what: "the re-encrypted capsule" });
    assert_eq!(cis.open(&envelope, &released), fault);
    assert_eq!(ben.open(&wrap(&owner, &vitals), &released), fault, "another envelope of the same");
    assert_eq!(envelope.opened(&released.element().power(&cis.secret().inverse())), Err(CLOSED));
}

#[test]
fn who_joins_reads_from_then_on_and_who_leaves_until_then() {
    let (mut owner, [mut hospital, _]) = party();
    let cloud = Cloud::of(&mut owner);
    let next = |owner: &mut Keyring, hospital: &mut Keyring| {
        owner.renew_readers(&[]).unwrap();
        cloud.enroll(owner);
        hospital.catch_up(&cloud.announcements(owner)).unwrap();
    };
    let (ben, cis, dan) = (keys(7), keys(8), keys(9));
    let mut proxy = Proxy::new();
    let mut labels = Vec::new();
    for (epoch, readers) in [vec![&ben], vec![&ben, &cis], vec![&cis]].into_iter().enumerate() {
        if epoch > 0 {
            next(&mut owner, &mut hospital);
        }
        if epoch == 2 {
            assert_eq!(proxy.forget(&ben.public().name()), 2);
            assert_eq!(proxy.forget(&ben.public().name()), 0);
        }
        let number = u32::try_from(epoch).unwrap();
        let row = ROWS[epoch];
        cloud.receive(&upload(&hospital, &[row])).unwrap();
        let present = label(&owner, "hospital", "vitals");
        assert_eq!(present.readers.number, number);
        for reader in readers {
            proxy.receive(&key(&owner, &present, reader.public()));
        }
        labels.push(present);
    }
    let envelopes: Vec<_> = labels.iter().map(|label| wrap(&owner, label)).collect();
    let reads = |proxy: &Proxy, keys: &Keys| -> Vec<bool> {
        envelopes.iter().map(|envelope| opened(envelope, proxy, keys).is_ok()).collect()
    };
    assert_eq!(reads(&proxy, &cis), [false, true, true]);
    assert_eq!(reads(&proxy, &ben), [false; 3], "it has left");
    // Earlier ones where the owner says so.
    let past = Label::of(&owner, "hospital", "vitals", Some(0)).unwrap();
    assert_eq!(past, labels[0]);
    proxy.receive(&key(&owner, &past, dan.public()));
    proxy.receive(&key(&owner, &labels[2], dan.public()));
    assert_eq!(reads(&proxy, &dan), [true, false, true]);
    // A grant is of one epoch, and opens what was sealed in it.
    let mut grants = Grants::default();
    grants.add(opened(&envelopes[2], &proxy, &dan).unwrap(), NOW).unwrap();
    let parts = cloud.answer(&ask(&owner, &[age(0, 120)])).unwrap().parts;
    let opens = |readers: Epoch| {
        let opener = grants.opener(owner.owner(), &past.provider, readers, NOW).unwrap();
        opener.portions() == Some(vec!["vitals"])
    };
    let epochs: BTreeSet<_> = parts.iter().map(|part| part.readers).collect();
    assert_eq!(epochs.into_iter().map(opens).collect::<Vec<_>>(), [false, false, true]);
    let unknown = Error::Unknown { what: "readers' epoch", name: "3".into() };
    assert_eq!(Label::of(&owner, "hospital", "vitals", Some(3)), Err(unknown));
}

#[test]
fn a_role_reads_as_a_user_does_and_its_members_by_its_key() {
    let (owner, _) = party();
    let vitals = label(&owner, "hospital", "vitals");
    let (physicians, envelope) = (keys(7), wrap(&owner, &vitals));
    // The owner knows the role alone, and may be away from here on.
    let proxy = proxy(&owner, &[&vitals], physicians.public());
    for algorithm in [Algorithm::X25519, Algorithm::XWing] {
        let [member, stranger] =
            [1, 2].map(|byte| User::of(algorithm, Key::from_bytes(&[byte; 32]).unwrap()));
        let handed = physicians.hand(member.public()).unwrap();
        let as_member = Keys::handed(&member, &handed).unwrap();
        assert_eq!(as_member.public(), physicians.public());
        opened(&envelope, &proxy, &as_member).unwrap();
        assert_eq!(Keys::handed(&stranger, &handed).map(drop), Err(Error::OtherUser));
        for at in (0..handed.len()).step_by(7) {
            let mut changed = handed.clone();
            changed[at] ^= 1;
            assert!(Keys::handed(&member, &changed).is_err(), "byte {at}");
            assert!(Keys::handed(&member, &handed[..at]).is_err(), "cut at {at}");
        }
        let closed = Err(Error::Closed { what: "the sealed role" });
        let mut changed = handed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(Keys::handed(&member, &changed).map(drop), closed);
        let mut renamed = handed.clone();
        renamed[9..41].copy_from_slice(&keys(8).public().name());
        assert_eq!(Keys::handed(&member, &renamed).map(drop), closed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever is given to whom: each opens that, and two together what either does.
    #[test]
    fn users_open_what_they_are_given_alone_and_together(
        given in proptest::collection::vec((0_usize..3, 0_usize..4), 0..8),
    ) {
        let (mut owner, _) = party();
        let mut labels = vec![label(&owner, "hospital", "vitals"), label(&owner, "hospital", "rest")];
        owner.renew_readers(&[]).unwrap();
        labels.extend([label(&owner, "hospital", "vitals"), label(&owner, "clinic", "vitals")]);
        let (users, mut proxy) = ([keys(7), keys(8), keys(9)], Proxy::new());
        for &(user, at) in &given {
            proxy.receive(&key(&owner, &labels[at], users[user].public()));
        }
        let envelopes: Vec<_> = labels.iter().map(|label| wrap(&owner, label)).collect();
        for (number, user) in users.iter().enumerate() {
            for (at, envelope) in envelopes.iter().enumerate() {
                let outcome = opened(envelope, &proxy, user).map(drop);
                let is_given = given.contains(&(number, at));
                prop_assert_eq!(outcome, if is_given { Ok(()) } else { Err(Error::NoReencryptionKey) });
                // What was released for others opens nothing with this one's key, whatever it says.
                for other in users.iter().filter(|other| other.public() != user.public()) {
                    let Ok(released) = proxy.re_encrypt(envelope, &other.public().name()) else { continue };
                    let by = released.element().power(&user.secret().inverse());
                    prop_assert_eq!(envelope.opened(&by), Err(CLOSED));
                }
            }
        }
    }
}

// Together

/// g2^(1/a): what the proxy and a user find of a label together.
fn found(key: &reencryption::Key, user: &Keys) -> G2 {
    key.element().power(&user.secret().inverse())
}

#[test]
fn proxy_and_cloud_open_nothing_together() {
    let (owner, _) = party();
    let vitals = label(&owner, "hospital", "vitals");
    let (envelope, ben) = (wrap(&owner, &vitals), keys(7));
    let key = key(&owner, &vitals, ben.public());
    let (capsule, generator) = (envelope.capsule(), G2::generator());
    for guess in [key.element(), ben.public().element(), &generator] {
        let by = Gt::pairing(capsule, guess);
        assert_eq!(envelope.opened(&by), Err(CLOSED));
        assert_eq!(envelope.opened(&by.inverse()), Err(CLOSED));
    }
    // With the user's key the same is what opens it.
    envelope.opened(&Gt::pairing(capsule, &found(&key, &ben))).unwrap();
}

#[test]
fn proxy_and_user_open_together_what_the_user_may_read_and_with_one_key_for_all_everything() {
    let (mut owner, _) = party();
    let first = label(&owner, "hospital", "vitals");
    owner.renew_readers(&[]).unwrap();
    let vitals = label(&owner, "hospital", "vitals");
    let others = [
        first,
        label(&owner, "hospital", "rest"),
        label(&owner, "hospital", "files"),
        label(&owner, "clinic", "vitals"),
    ];
    let ben = keys(7);
    let key = key(&owner, &vitals, ben.public());
    let together = found(&key, &ben);
    let open = |envelope: &Envelope| envelope.opened(&Gt::pairing(envelope.capsule(), &together));
    // Envelopes of its own label, also those that no proxy has answered for.
    open(&wrap(&owner, &vitals)).unwrap();
    open(&wrap(&owner, &vitals)).unwrap();
    for other in &others {
        assert_eq!(open(&wrap(&owner, other)), Err(CLOSED), "{other:?}");
        // Control: had the owner one number for all, as is published, that would open them.
        let (a, k) = (reencryption::scalar(&owner, &vitals).unwrap(), Scalar::generate().unwrap());
        let with_one = Envelope::wrap_with(&owner, other, FOREVER, &a, &k).unwrap();
        open(&with_one).unwrap();
    }
}

#[test]
fn users_find_no_key_of_another_from_theirs() {
    let (owner, _) = party();
    let vitals = label(&owner, "hospital", "vitals");
    let (ben, cis) = (keys(7), keys(8));
    let (for_ben, for_cis) =
        (key(&owner, &vitals, ben.public()), key(&owner, &vitals, cis.public()));
    assert_ne!(for_ben.element(), for_cis.element());
    // One direction: with its key a user makes one for whom it likes, of this label, and of nothing of its own.
    let made = found(&for_ben, &ben).power(cis.secret());
    assert_eq!(made, *for_cis.element());
}

// What is refused

#[test]
fn whatever_is_changed_or_cut_is_refused() {
    let (owner, _) = party();
    let vitals = label(&owner, "hospital", "vitals");
    let (envelope, ben) = (wrap(&owner, &vitals), keys(7));
    let key = key(&owner, &vitals, ben.public());
    let released = proxy(&owner, &[&vitals], ben.public());
    let released = released.re_encrypt(&envelope, &ben.public().name()).unwrap().encode();
    let refused = |bytes: &[u8], which: usize| match which {
        0 => Envelope::decode(bytes).is_err(),
        1 => reencryption::Key::decode(bytes).is_err(),
        2 => Public::decode(bytes).is_err(),
        _ => Released::decode(bytes).and_then(|one| ben.open(&envelope, &one)).is_err(),
    };
    let all = [envelope.encode(), key.encode(), ben.public().encode(), &released];
    for (which, bytes) in all.into_iter().enumerate() {
        assert!(!refused(bytes, which));
        assert!(refused(&[bytes, &[0]].concat(), which));
        for at in (0..bytes.len()).step_by(3) {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            assert!(refused(&changed, which), "{which}: byte {at}");
            assert!(refused(&bytes[..at], which), "{which}: cut at {at}");
        }
    }
}

#[test]
fn a_capsule_of_another_owner_portion_or_epoch_opens_nothing() {
    let (mut owner, _) = party();
    let mut stranger = scene::owner(9);
    stranger.authorize("hospital", &[]).unwrap();
    let first = label(&owner, "hospital", "vitals");
    owner.renew_readers(&[]).unwrap();
    let [vitals, rest] = ["vitals", "rest"].map(|name| label(&owner, "hospital", name));
    let (envelope, ben) = (wrap(&owner, &vitals), keys(7));
    let proxy = proxy(&owner, &[&vitals], ben.public());
    let own = envelope.capsule().encode();
    let foreign = label(&stranger, "hospital", "vitals");
    for other in [
        wrap(&owner, &first),
        wrap(&owner, &rest),
        wrap(&owner, &vitals),
        wrap(&stranger, &foreign),
    ] {
        let moved = renamed(envelope.encode(), &own, &other.capsule().encode());
        let forged = message::Error::Signature { what: ENVELOPE };
        assert_eq!(Envelope::decode(&moved), Err(forged.into()));
        // An owner that signs that deceives itself alone.
        let moved = Envelope::decode(&resigned(moved)).unwrap();
        assert_eq!(opened(&moved, &proxy, &ben).map(drop), Err(CLOSED));
        // Its own envelope is of another label, or opens; that of another owner names it.
        let outcome = opened(&other, &proxy, &ben).map(drop);
        let is_same = *other.label() == vitals;
        assert_eq!(outcome, if is_same { Ok(()) } else { Err(Error::NoReencryptionKey) });
    }
    // Nobody signs in the owner's name.
    let mut claimed = wrap(&stranger, &foreign).encode().to_vec();
    claimed[9..41].copy_from_slice(&owner.owner().0);
    let forged = Err(message::Error::Signature { what: ENVELOPE }.into());
    assert_eq!(Envelope::decode(&claimed), forged);
}

/// Bytes with some in them replaced by as many.
fn renamed(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    let mut renamed = bytes.to_vec();
    renamed[at..at + to.len()].copy_from_slice(to);
    renamed
}

#[test]
fn a_provider_gives_nothing_of_another() {
    let (owner, [hospital, clinic]) = party();
    let vitals = label(&owner, "hospital", "vitals");
    let ben = keys(7);
    let out_of_reach = |error: Error| {
        matches!(error, Error::Party(party::Error::Message(message::Error::Scope { .. })))
    };
    assert!(out_of_reach(Envelope::wrap(&clinic, &vitals, FOREVER).unwrap_err()));
    assert!(out_of_reach(reencryption::Key::make(&clinic, &vitals, ben.public()).unwrap_err()));
    let unknown = Label::of(&clinic, "hospital", "vitals", None);
    assert!(matches!(unknown, Err(Error::Party(party::Error::UnknownProvider { .. }))));
    // Nor if it signs what it cannot make.
    let clinics = root().child(Purpose::Node, b"clinic", 0);
    let chain = &clinic.certificates()[41..];
    let key = reencryption::Key::make(&owner, &vitals, ben.public()).unwrap();
    for message in [wrap(&owner, &vitals).encode(), key.encode()] {
        let mut forged = [&message[..message.len() - 72], chain].concat();
        forged.extend(signature(&clinics, &forged));
        let scope = message::Error::Scope {
            who: clinic.node().to_string(),
            what: format!("grant records of {}", hospital.node()),
        };
        let refused =
            [Envelope::decode(&forged).map(drop), reencryption::Key::decode(&forged).map(drop)];
        assert!(refused.contains(&Err(scope.into())), "{refused:?}");
    }
}

#[test]
fn points_that_are_none_of_their_group_are_refused_everywhere() {
    let (owner, _) = party();
    let vitals = label(&owner, "hospital", "vitals");
    let (envelope, ben) = (wrap(&owner, &vitals), keys(7));
    let key = key(&owner, &vitals, ben.public());
    let of_g1 = bad_points(|x| G1Affine::get_point_from_x_unchecked(x, false));
    let mut of_g1: Vec<_> = of_g1.into_iter().filter(|point| point.len() == 48).collect();
    let of_g2 = bad_points(|x| G2Affine::get_point_from_x_unchecked(x, false));
    let mut of_g2: Vec<_> = of_g2.into_iter().filter(|point| point.len() == 96).collect();
    of_g1.push(bytes_of(&G1Affine::identity()));
    of_g2.push(bytes_of(&G2Affine::identity()));
    let fault = |is_last: bool, what| {
        Err(if is_last { Error::Identity { what } } else { Error::Group { what } })
    };
    for (at, point) in of_g1.iter().enumerate() {
        let bad = resigned(renamed(envelope.encode(), &envelope.capsule().encode(), point));
        let expected = fault(at + 1 == of_g1.len(), ENVELOPE);
        assert_eq!(Envelope::decode(&bad).map(drop), expected, "{point:02x?}");
    }
    for (at, point) in of_g2.iter().enumerate() {
        let is_last = at + 1 == of_g2.len();
        let bad = resigned(renamed(key.encode(), &key.element().encode(), point));
        let expected = fault(is_last, "the re-encryption key");
        assert_eq!(reencryption::Key::decode(&bad).map(drop), expected, "{point:02x?}");
        let public = ben.public();
        let bad = renamed(public.encode(), &public.element().encode(), point);
        assert_eq!(Public::decode(&bad).map(drop), fault(is_last, "the public key"));
    }
    let what = "the re-encrypted capsule";
    for (element, expected) in [(1_u64, Error::Identity { what }), (7, Error::Group { what })] {
        let element = bytes_of(&Fq12::from(element));
        let name = ben.public().name();
        let bytes = [b"MOPSEREL\x01", &envelope.digest()[..], &name, &element].concat();
        assert_eq!(Released::decode(&bytes), Err(expected));
    }
}

#[test]
fn a_proxy_that_answers_wrongly_is_found_out() {
    let (owner, _) = party();
    let vitals = label(&owner, "hospital", "vitals");
    let (envelope, ben) = (wrap(&owner, &vitals), keys(7));
    let key = key(&owner, &vitals, ben.public());
    let name = ben.public().name();
    let x = Scalar::generate().unwrap();
    let another = wrap(&owner, &vitals);
    for lie in [
        Gt::generator(),
        Gt::pairing(another.capsule(), key.element()),
        Gt::pairing(envelope.capsule(), &key.element().power(&x)),
        // What would be that of a number which the proxy has drawn itself.
        Gt::pairing(&G1::generator().power(&x), ben.public().element()),
    ] {
        let bytes = [b"MOPSEREL\x01", &envelope.digest()[..], &name, &lie.encode()].concat();
        let released = Released::decode(&bytes).unwrap();
        assert_eq!(ben.open(&envelope, &released), Err(CLOSED));
    }
}

/// Of AES-GCM-SIV alone there are ciphertexts that open under two keys: then a proxy that is with the owner would
/// show one user one grant, and another one another.
#[test]
fn an_envelope_opens_by_one_number_alone_also_if_its_owner_is_dishonest() {
    let (owner, _) = party();
    let vitals = label(&owner, "hospital", "vitals");
    let a = reencryption::scalar(&owner, &vitals).unwrap();
    let [k, other] = [(); 2].map(|()| Scalar::generate().unwrap());
    let envelope = Envelope::wrap_with(&owner, &vitals, FOREVER, &a, &k).unwrap();
    let head = before(&envelope);
    let z = |k: &Scalar| Gt::of_generator(k);
    let (ciphertext, commitment) = sealed(head, &z(&k).encode(), b"one");
    let (for_other, _) = sealed(head, &z(&other).encode(), b"other");
    // The second ciphertext is good, by its own key; its envelope is bound to the first.
    let two = Envelope::decode(&crafted(head, &for_other, &commitment)).unwrap();
    assert_eq!(two.opened(&z(&other)), Err(CLOSED));
    assert_eq!(two.opened(&z(&k)), Err(CLOSED));
    // And one that holds no grant, or another than it says, is none.
    let none = Envelope::decode(&crafted(head, &ciphertext, &commitment)).unwrap();
    assert!(matches!(none.opened(&z(&k)), Err(Error::Party(_))));
    let portions = ["rest".to_owned()];
    let share = Share { ids: None, portions: Some(&portions), holder: b"", end: FOREVER };
    let all = Share { portions: None, ..share };
    let own = ["vitals".to_owned()];
    let records =
        Share { ids: Some(party::records::Ids::Integers(&[1])), portions: Some(&own), ..share };
    let clinic = owner.find("clinic").unwrap();
    let mislabelled = Error::Mislabelled { what: "the grant" };
    for (provider, share) in [
        (&vitals.provider, share),
        (&vitals.provider, all),
        (&vitals.provider, records),
        (&clinic, share),
    ] {
        let grant = owner.grant(provider, &share).unwrap();
        let (ciphertext, commitment) = sealed(head, &z(&k).encode(), &grant);
        let odd = Envelope::decode(&crafted(head, &ciphertext, &commitment)).unwrap();
        assert_eq!(odd.opened(&z(&k)), Err(mislabelled.clone()));
    }
}

#[test]
fn a_public_key_without_its_secret_is_refused() {
    let (owner, _) = party();
    let vitals = label(&owner, "hospital", "vitals");
    let (ben, cis) = (keys(7), keys(8));
    let bytes = ben.public().encode();
    assert_eq!(Public::decode(bytes).unwrap(), *ben.public());
    assert_eq!(ben.public().name(), Sha256::digest(&bytes[..105])[..]);
    let own = ben.public().element().encode();
    // Another's, one made of another's, and the owner's own answer, which would give 1/a^2.
    let made = cis.public().element().power(ben.secret());
    let answer = key(&owner, &vitals, ben.public());
    for rogue in [cis.public().element(), &made, answer.element()] {
        let forged = renamed(bytes, &own, &rogue.encode());
        assert_eq!(Public::decode(&forged), Err(Error::Possession));
    }
    let mut zero = bytes.to_vec();
    zero[137..].fill(0);
    assert_eq!(Public::decode(&zero), Err(Error::Scalar { what: "the public key" }));
    // A proof with c = 0 or s of its own choice is none.
    let [c, s] = [(); 2].map(|()| Scalar::generate().unwrap().encode());
    let forged = [&bytes[..105], &c[..], &s[..]].concat();
    assert_eq!(Public::decode(&forged), Err(Error::Possession));
    // Where what was committed to is the identity.
    let minus = ben.secret().times(&Scalar::decode(&c[..], "it").unwrap());
    let forged = [&bytes[..105], &c[..], &minus.encode()[..]].concat();
    assert_eq!(Public::decode(&forged), Err(Error::Possession));
}

#[test]
fn a_portion_without_a_name_is_refused_and_an_end_is_kept() {
    let (owner, _) = party();
    let long = "x".repeat(256);
    for (name, got) in [("", 0), (&long[..], 256)] {
        assert_eq!(Label::of(&owner, "hospital", name, None), Err(Error::Name { got }));
    }
    let vitals = label(&owner, "hospital", "vitals");
    let odd = Label { portion: String::new(), ..vitals.clone() };
    assert_eq!(Envelope::wrap(&owner, &odd, 0).map(drop), Err(Error::Name { got: 0 }));
    let (envelope, ben) = (Envelope::wrap(&owner, &vitals, NOW - 1).unwrap(), keys(7));
    let grant = opened(&envelope, &proxy(&owner, &[&vitals], ben.public()), &ben).unwrap();
    let ended = party::Error::GrantEnded { provider: "hospital".into() };
    assert_eq!(Grants::default().add(grant, NOW), Err(ended));
}

#[test]
fn nothing_that_is_shown_holds_a_secret() {
    let ben = keys(0xab);
    let shown = format!("{ben:?}");
    let secret = ben.secret().encode();
    assert!(!shown.contains("171, 171") && !shown.contains(&hex::encode(&secret[..8])));
    assert!(!shown.contains(&format!("{:?}", &secret[..4])[1..10]), "{shown}");
}
