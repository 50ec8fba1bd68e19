//! `SeSPHR` as published: its equations, against another implementation of the pairing; what it refuses; and the
//! attacks, each beside the same without what its attacker must have.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/points.rs"]
mod points;

use std::collections::{BTreeMap, BTreeSet};

use ark_bls12_381::{Bls12_381, Fq, Fq12, Fr, G1Affine, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, PrimeField};
use ark_serialize::CanonicalDeserialize;
use mopse::sharing::Error;
use mopse::sharing::pairing::field::Element;
use mopse::sharing::pairing::{G1, G2, Gt, Scalar};
use mopse::sharing::reencryption::published::attacks;
use mopse::sharing::reencryption::published::{
    Access, CHUNK_LEN, Capsule, Chunk, Ciphertext, Files, Keys, Label, Released, Server,
};
use mopse::wire;
use points::{bad_points, bytes_of};
use proptest::prelude::*;

const RECORD: &[u8] =
    b"<record><blood-pressure>140/90</blood-pressure><drug>ramipril 5 mg once a day\
    </drug><note>shortness of breath on exertion, chest X-ray ordered</note></record>";

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn access() -> Access {
    let portions = set(&["personal", "medical", "insurance", "prescription"]);
    let roles = [
        ("physician", &["medical"][..]),
        ("pharmacist", &["prescription", "insurance"]),
        ("insurer", &["insurance"]),
    ];
    let roles = roles.map(|(role, portions)| (role.to_owned(), set(portions)));
    Access { portions, roles: BTreeMap::from(roles) }
}

fn label(file: &str, portion: &str) -> Label {
    Label { owner: "ann".into(), file: file.into(), portion: portion.into() }
}

/// An owner, a physician and an insurer, with their server, at a time.
struct Scene {
    server: Server,
    owner: Keys,
    physician: Keys,
    insurer: Keys,
}

fn scene() -> Scene {
    let mut server = Server::new();
    let owner = server.enroll("ann", access()).unwrap();
    let physician = server.join("ben", "physician", Files::FromJoining, 10).unwrap();
    let insurer = server.join("cis", "insurer", Files::FromJoining, 10).unwrap();
    Scene { server, owner, physician, insurer }
}

impl Scene {
    /// What the cloud gets of a portion; the server has got the rest.
    fn upload(&mut self, file: &str, portion: &str, plaintext: &[u8], now: u64) -> Ciphertext {
        let (ciphertext, capsule) = self.owner.encrypt(file, portion, plaintext).unwrap();
        self.server.receive("ann", capsule, now).unwrap();
        ciphertext
    }
}

fn scalar(number: u64) -> Scalar {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Scalar::decode(&bytes, "a number").unwrap()
}

fn other(scalar: &Scalar) -> Fr {
    Fr::from_le_bytes_mod_order(scalar.encode().as_slice())
}

fn ark(element: &Element) -> Fq12 {
    Fq12::deserialize_compressed(&element.encode()[..]).unwrap()
}

// Against another implementation

#[test]
fn groups_and_pairing_are_those_of_another_implementation() {
    assert_eq!(G1::generator().encode()[..], bytes_of(&G1Affine::generator()));
    assert_eq!(G2::generator().encode()[..], bytes_of(&G2Affine::generator()));
    for _ in 0..8 {
        let (a, b) = (Scalar::generate().unwrap(), Scalar::generate().unwrap());
        let (p, q) = (G1::generator().power(&a), G2::generator().power(&b));
        let theirs = (G1Affine::generator() * other(&a), G2Affine::generator() * other(&b));
        assert_eq!(p.encode()[..], bytes_of(&theirs.0.into_affine()));
        assert_eq!(p, G1::of_generator(&a));
        assert_eq!(Gt::generator().power(&a), Gt::of_generator(&a));
        assert_eq!(q.encode()[..], bytes_of(&theirs.1.into_affine()));
        let (ours, theirs) = (Gt::pairing(&p, &q), Bls12_381::pairing(theirs.0, theirs.1).0);
        assert_eq!(ours.encode()[..], bytes_of(&theirs));
        assert_eq!(ours.power(&b).encode()[..], bytes_of(&theirs.pow(other(&b).into_bigint())));
        assert_eq!(ours.inverse().encode()[..], bytes_of(&theirs.inverse().unwrap()));
        assert_eq!(a.inverse().encode()[..], bytes_of(&other(&a).inverse().unwrap()));
        assert_eq!(a.times(&b).encode()[..], bytes_of(&(other(&a) * other(&b))));
        assert_eq!(Gt::decode(&ours.encode(), "it").unwrap(), ours);
    }
}

/// Numbers with few bits, and next to powers of what the curve is made of: where digits carry.
#[test]
fn powers_are_those_of_another_implementation_at_the_edges_too() {
    let (ours, theirs) =
        (Gt::generator(), Bls12_381::pairing(G1Affine::generator(), G2Affine::generator()));
    let z = Fr::from(0xd201_0000_0001_0000_u64);
    let powers = [Fr::from(1), z, z * z, z * z * z];
    let sums = powers.iter().flat_map(|power| [*power, -*power, z - power, *power * Fr::from(2)]);
    let near = sums.flat_map(|at| [at - Fr::from(1), at, at + Fr::from(1)]);
    let single = (0..255).map(|bit| Fr::from(2).pow([bit]));
    for number in near.chain(single).filter(|number| *number != Fr::from(0)) {
        let scalar = Scalar::decode(&bytes_of(&number), "it").unwrap();
        let expected = theirs.0.pow(number.into_bigint());
        assert_eq!(ours.power(&scalar).encode()[..], bytes_of(&expected), "{number}");
        assert_eq!(Gt::of_generator(&scalar).encode()[..], bytes_of(&expected), "{number}");
        let expected = (G1Affine::generator() * number).into_affine();
        assert_eq!(G1::of_generator(&scalar).encode()[..], bytes_of(&expected), "{number}");
    }
}

/// An element of the field, as the other implementation has it.
fn elements() -> impl Strategy<Value = Fq12> {
    let coefficient = prop_oneof![
        Just(Fq::from(0)),
        Just(-Fq::from(1)),
        any::<[u8; 48]>().prop_map(|bytes| Fq::from_le_bytes_mod_order(&bytes)),
    ];
    proptest::collection::vec(coefficient, 12)
        .prop_map(|all| Fq12::from_base_prime_field_elems(all).unwrap())
        .prop_filter("0 is none", |element| *element != Fq12::from(0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_field_is_that_of_another_implementation(a in elements(), b in elements()) {
        let read = |element: &Fq12| Element::decode(&bytes_of(element)).unwrap();
        let (one, two) = (read(&a), read(&b));
        prop_assert_eq!(ark(&one), a);
        prop_assert_eq!(ark(&one.times(&two)), a * b);
        prop_assert_eq!(ark(&one.power(&[5, 200, 1])), a.pow([5 + 200 * 256 + 65536]));
        prop_assert_eq!(ark(&one.inverse()), a.inverse().unwrap());
        let mut conjugate = a;
        conjugate.conjugate_in_place();
        prop_assert_eq!(ark(&one.conjugate()), conjugate);
        let mut image = a;
        image.frobenius_map_in_place(1);
        prop_assert_eq!(ark(&one.frobenius()), image);
    }

    #[test]
    fn every_chunk_is_an_element_of_its_own(bytes in proptest::collection::vec(any::<u8>(), 1..=64)) {
        let chunk = Chunk::new(&bytes).unwrap();
        let element = chunk.element();
        prop_assert!(!element.is_in_group());
        let read = Chunk::of(&element).unwrap();
        prop_assert_eq!(read.bytes(), &bytes[..]);
        let half = |bytes: &[u8]| Fq::from_le_bytes_mod_order(bytes);
        let mut padded = [0; 64];
        padded[..bytes.len()].copy_from_slice(&bytes);
        let mut all = vec![half(&padded[..32]), half(&padded[32..]), Fq::from(bytes.len() as u64)];
        all.resize(12, Fq::from(0));
        prop_assert_eq!(ark(&element), Fq12::from_base_prime_field_elems(all).unwrap());
    }

    #[test]
    fn what_is_encrypted_and_re_encrypted_opens(plaintext in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut scene = scene();
        let ciphertext = scene.upload("visit", "medical", &plaintext, 20);
        prop_assert_eq!(ciphertext.chunks().len(), plaintext.len().div_ceil(CHUNK_LEN));
        let released = scene.server.release(&label("visit", "medical"), "ben").unwrap();
        let opened = scene.physician.open(&ciphertext, &released).unwrap();
        prop_assert_eq!(&*opened, &plaintext);
        let capsule = scene.server.capsule(&label("visit", "medical")).unwrap();
        prop_assert_eq!(&*scene.owner.open_own(&ciphertext, capsule).unwrap(), &plaintext);
    }
}

/// Every step by the other implementation, as the paper prints it, with the same numbers.
#[test]
fn the_printed_equations_hold_for_what_travels() {
    let (x_p, x_u, r) = (scalar(0x1234_5678_9abc), scalar(0xfedc_ba98), scalar(0x5555_aaaa_1357));
    let (owner, user) =
        (Keys::of("ann", x_p.clone()).unwrap(), Keys::of("ben", x_u.clone()).unwrap());
    let (ciphertext, capsule) = owner.encrypt_with(&r, "visit", "medical", RECORD).unwrap();
    let [a, b, s] = [&x_p, &x_u, &r].map(other);
    let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
    assert_eq!(user.public().encode()[..], bytes_of(&(g2 * b).into_affine())); // (5)
    let mask = Bls12_381::pairing(g1, g2).0.pow(s.into_bigint());
    for (chunk, bytes) in ciphertext.chunks().iter().zip(RECORD.chunks(CHUNK_LEN)) {
        assert_eq!(ark(chunk), mask * ark(&Chunk::new(bytes).unwrap().element())); // (6)-(9)
    }
    assert_eq!(capsule.element().encode()[..], bytes_of(&(g1 * (s * a)).into_affine())); // (10)-(13)
    let key = g2 * (b / a); // (14)
    let re_encrypted = Bls12_381::pairing(g1 * (s * a), key).0; // (15)-(18)
    let key = G2::decode(&bytes_of(&key.into_affine()), "the key").unwrap();
    let released = capsule.re_encrypted("ben", &key);
    assert!(released.encode().ends_with(&bytes_of(&re_encrypted)));
    assert_eq!(re_encrypted.pow(b.inverse().unwrap().into_bigint()), mask); // (19)-(22)
    assert_eq!(&*user.open(&ciphertext, &released).unwrap(), RECORD);
}

// The access list

#[test]
fn a_user_opens_what_its_role_gives_and_nothing_else() {
    let mut scene = scene();
    let medical = scene.upload("visit", "medical", RECORD, 20);
    scene.upload("visit", "insurance", b"policy 17", 20);
    let denied = |server: &Server, portion: &str, user: &str| {
        server.release(&label("visit", portion), user).map(|_| ()).unwrap_err()
    };
    assert_eq!(denied(&scene.server, "medical", "cis"), Error::NotGranted);
    assert_eq!(denied(&scene.server, "insurance", "ben"), Error::NotGranted);
    // What was re-encrypted for another is refused, and opens nothing with the labels changed.
    let for_ben = scene.server.release(&label("visit", "medical"), "ben").unwrap();
    let fault = Error::OtherLabel { what: "the re-encrypted capsule" };
    assert_eq!(scene.insurer.open(&medical, &for_ben).unwrap_err(), fault);
    let kept = attacks::by_kept(&medical, &for_ben, scene.insurer.secret());
    assert_eq!(kept, Err(Error::Closed { what: "the encrypted portion" }));
    // With the owner's approval it is given.
    scene.server.approve("ann", "cis", set(&["medical"])).unwrap();
    let released = scene.server.release(&label("visit", "medical"), "cis").unwrap();
    assert_eq!(&*scene.insurer.open(&medical, &released).unwrap(), RECORD);
}

#[test]
fn who_joins_opens_files_from_then_on_or_all_as_the_paper_says_elsewhere() {
    let mut scene = scene();
    let old = scene.upload("old", "medical", RECORD, 20);
    scene.server.join("dan", "physician", Files::FromJoining, 30).unwrap();
    let with_all = scene.server.join("eve", "physician", Files::All, 30).unwrap();
    scene.upload("new", "medical", RECORD, 30);
    assert_eq!(scene.server.release(&label("old", "medical"), "dan"), Err(Error::NotGranted));
    scene.server.release(&label("new", "medical"), "dan").unwrap();
    let released = scene.server.release(&label("old", "medical"), "eve").unwrap();
    assert_eq!(&*with_all.open(&old, &released).unwrap(), RECORD);
}

#[test]
fn names_that_are_none_or_taken_are_refused_and_nothing_changes() {
    let mut scene = scene();
    scene.upload("visit", "medical", RECORD, 20);
    let before = format!("{:?}", scene.server);
    let Scene { server, owner, .. } = &mut scene;
    let unknown = |what, name: &str| Error::Unknown { what, name: name.into() };
    let known = |name: &str| Error::Known { name: name.into() };
    let long = "x".repeat(256);
    let all = Files::All;
    assert_eq!(server.enroll("ben", access()).unwrap_err(), known("ben"));
    assert_eq!(server.join("ann", "insurer", all, 0).unwrap_err(), known("ann"));
    assert_eq!(server.join("", "insurer", all, 0).unwrap_err(), Error::Name { got: 0 });
    assert_eq!(server.join("dan", &long, all, 0).unwrap_err(), Error::Name { got: 256 });
    let mut odd = access();
    odd.roles.insert("insurer".into(), set(&["dental"]));
    assert_eq!(server.enroll("dan", odd).unwrap_err(), unknown("portion", "dental"));
    assert_eq!(server.leave("dan"), Err(unknown("user", "dan")));
    assert_eq!(server.approve("ann", "dan", set(&[])), Err(unknown("user", "dan")));
    assert_eq!(server.approve("dan", "ben", set(&[])), Err(unknown("owner", "dan")));
    let fault = Err(unknown("portion", "dental"));
    assert_eq!(server.approve("ann", "ben", set(&["insurance", "dental"])), fault);
    let (_, capsule) = owner.encrypt("visit", "dental", b"x").unwrap();
    assert_eq!(server.receive("ann", capsule, 20), fault);
    let mallory = Keys::generate("mallory").unwrap();
    let (_, foreign) = mallory.encrypt("visit", "medical", b"x").unwrap();
    let other_label = Err(Error::OtherLabel { what: "the capsule" });
    assert_eq!(server.receive("ann", foreign.clone(), 20), other_label);
    assert_eq!(server.receive("mallory", foreign, 20), Err(unknown("owner", "mallory")));
    let of = |file, portion, user| server.release(&label(file, portion), user).map(|_| ());
    assert_eq!(of("none", "medical", "ben"), Err(unknown("file", "none")));
    assert_eq!(of("visit", "dental", "ben"), fault);
    assert_eq!(of("visit", "medical", "dan"), Err(unknown("user", "dan")));
    assert_eq!(server.escrow("dan").unwrap_err(), unknown("owner or user", "dan"));
    server.approve("ann", "ben", set(&[])).unwrap();
    server.join("dan", "insurer", all, 0).unwrap();
    server.leave("dan").unwrap();
    server.approve("ann", "ben", set(&["insurance"])).unwrap();
    let missing = Err(unknown("portion of the file", "insurance"));
    assert_eq!(server.release(&label("visit", "insurance"), "ben").map(|_| ()), missing);
    server.leave("ben").unwrap();
    server.join("ben", "physician", Files::FromJoining, 10).unwrap();
    // New keys and approvals aside, it is as it was.
    assert_eq!(format!("{server:?}").split("G2Affine").count(), before.split("G2Affine").count());
    assert_eq!(server.release(&label("visit", "insurance"), "ben"), Err(Error::NotGranted));
}

#[test]
fn what_belongs_to_another_portion_opens_nothing() {
    let mut scene = scene();
    let medical = scene.upload("visit", "medical", RECORD, 20);
    scene.upload("other", "medical", RECORD, 20);
    let released = scene.server.release(&label("other", "medical"), "ben").unwrap();
    let fault = Error::OtherLabel { what: "the re-encrypted capsule" };
    assert_eq!(scene.physician.open(&medical, &released).unwrap_err(), fault);
    let capsule = scene.server.capsule(&label("other", "medical")).unwrap();
    let fault = Error::OtherLabel { what: "the capsule" };
    assert_eq!(scene.owner.open_own(&medical, capsule).unwrap_err(), fault);
    // Relabelled, it opens to nothing that is a chunk.
    let relabelled = Released::decode(&renamed(&released.encode(), b"other", b"visit")).unwrap();
    let fault = Error::Closed { what: "the encrypted portion" };
    assert_eq!(scene.physician.open(&medical, &relabelled).unwrap_err(), fault);
}

/// Bytes with a name in them replaced by another as long.
fn renamed(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    let mut renamed = bytes.to_vec();
    renamed[at..at + to.len()].copy_from_slice(to);
    renamed
}

#[test]
fn chunks_that_were_moved_doubled_or_cut_go_unnoticed() {
    let mut scene = scene();
    let ciphertext = scene.upload("visit", "medical", &b"abc".map(|byte| [byte; 64]).concat(), 20);
    let released = scene.server.release(&label("visit", "medical"), "ben").unwrap();
    let bytes = ciphertext.encode();
    let (head, chunks) = bytes.split_at(bytes.len() - 3 * Element::LEN);
    let (chunks, _) = chunks.as_chunks::<{ Element::LEN }>();
    for order in [&[2, 1, 0][..], &[0, 0, 1, 2], &[1]] {
        let mut changed = head[..head.len() - 8].to_vec();
        changed.extend((order.len() as u64).to_le_bytes());
        order.iter().for_each(|&at: &usize| changed.extend(chunks[at]));
        let changed = Ciphertext::decode(&changed).unwrap();
        let opened = scene.physician.open(&changed, &released).unwrap();
        let expected: Vec<u8> = order.iter().flat_map(|&at| [b"abc"[at]; 64]).collect();
        assert_eq!(*opened, expected);
    }
}

// Attacks

const CLOSED: Error = Error::Closed { what: "the encrypted portion" };

#[test]
fn the_server_with_the_ciphertext_reads_everything() {
    let mut scene = scene();
    for portion in ["personal", "medical", "insurance", "prescription"] {
        let ciphertext = scene.upload("visit", portion, RECORD, 20);
        let capsule = scene.server.capsule(&label("visit", portion)).unwrap();
        let escrow = scene.server.escrow("ann").unwrap();
        let read = attacks::by_escrow(&ciphertext, capsule, escrow.secret()).unwrap();
        assert_eq!(&*read, RECORD);
        // A server that had not kept the key.
        let other = Scalar::generate().unwrap();
        assert_eq!(attacks::by_escrow(&ciphertext, capsule, &other), Err(CLOSED));
    }
}

#[test]
fn a_leaked_re_encryption_key_opens_what_was_never_granted() {
    let mut scene = scene();
    let key = scene.server.re_encryption_key("ann", "cis").unwrap();
    for (file, portion) in [("visit", "medical"), ("visit", "personal"), ("later", "medical")] {
        let ciphertext = scene.upload(file, portion, RECORD, 20);
        let capsule = scene.server.capsule(&label(file, portion)).unwrap();
        let insurer = scene.insurer.secret();
        let read = attacks::by_re_encryption_key(&ciphertext, capsule, &key, insurer).unwrap();
        assert_eq!(&*read, RECORD);
        // Without the key: with another's, and with none but the generator.
        let of_ben = scene.server.re_encryption_key("ann", "ben").unwrap();
        for other in [of_ben, G2::generator()] {
            let read = attacks::by_re_encryption_key(&ciphertext, capsule, &other, insurer);
            assert_eq!(read, Err(CLOSED));
        }
    }
}

#[test]
fn one_known_chunk_opens_its_portion_and_no_other() {
    let mut scene = scene();
    let medical = scene.upload("visit", "medical", RECORD, 20);
    let insurance = scene.upload("visit", "insurance", RECORD, 20);
    for (position, bytes) in RECORD.chunks(CHUNK_LEN).enumerate() {
        let known = Chunk::new(bytes).unwrap();
        assert_eq!(&*attacks::by_chunk(&medical, position, &known).unwrap(), RECORD);
        let other = Chunk::new(&bytes[1..]).unwrap();
        assert_eq!(attacks::by_chunk(&medical, position, &other), Err(CLOSED));
    }
    let header = Chunk::new(&RECORD[..CHUNK_LEN]).unwrap();
    let chunks = RECORD.len().div_ceil(CHUNK_LEN);
    let fault = Error::NoChunk { position: chunks, chunks };
    assert_eq!(attacks::by_chunk(&medical, chunks, &header), Err(fault));
    // The mask is the portion's own: that of one does not open another.
    let mask = medical.chunks()[0].times(&header.element().inverse());
    let bare = insurance.chunks()[1].times(&mask.inverse());
    assert!(Chunk::of(&bare).is_none());
}

#[test]
fn who_left_reads_old_files_with_what_it_kept_and_only_those() {
    let mut scene = scene();
    let old = scene.upload("old", "medical", RECORD, 20);
    let kept = scene.server.release(&label("old", "medical"), "ben").unwrap();
    let never_asked = scene.upload("other", "medical", RECORD, 20);
    scene.server.leave("ben").unwrap();
    let new = scene.upload("new", "medical", RECORD, 30);
    let ben = scene.physician.secret();
    assert_eq!(&*attacks::by_kept(&old, &kept, ben).unwrap(), RECORD);
    // Who kept nothing is refused by the server, and what was kept opens nothing else.
    let gone = Error::Unknown { what: "user", name: "ben".into() };
    assert_eq!(scene.server.release(&label("old", "medical"), "ben"), Err(gone));
    assert_eq!(attacks::by_kept(&never_asked, &kept, ben), Err(CLOSED));
    assert_eq!(attacks::by_kept(&new, &kept, ben), Err(CLOSED));
}

#[test]
fn chunks_are_told_apart_without_a_key() {
    let mut scene = scene();
    let words = [b"positive".as_slice(), b"negative", b"unknown"];
    let chunk = |word: &&[u8]| Chunk::new(word).unwrap();
    let candidates: Vec<Chunk> = words.iter().map(chunk).collect();
    for (at, word) in words.iter().enumerate() {
        let ciphertext = scene.upload("test", "medical", word, 20);
        assert_eq!(attacks::by_list(&ciphertext, &candidates), [Some(at)]);
        assert_eq!(attacks::by_list(&ciphertext, &candidates[at + 1..]), [None]);
    }
    let whole = scene.upload("visit", "medical", RECORD, 20);
    let second = [chunk(&words[0]), Chunk::new(&RECORD[64..128]).unwrap()];
    let found = attacks::by_list(&whole, &second);
    let expected: Vec<_> = (0..found.len()).map(|at| (at == 1).then_some(1)).collect();
    assert_eq!(found, expected);
}

#[test]
fn chunks_in_a_subfield_are_read_without_anything() {
    let mut scene = scene();
    let ciphertext = scene.upload("visit", "medical", RECORD, 20);
    assert_eq!(&*attacks::by_norm(&ciphertext).unwrap(), RECORD);
    // Only the norm gives it away: one that is none of a chunk gives nothing.
    let bytes = ciphertext.encode();
    let mut changed = bytes.clone();
    let end = changed.len();
    changed[end - 1] ^= 1;
    changed[end - 40] ^= 1;
    assert_eq!(attacks::by_norm(&Ciphertext::decode(&changed).unwrap()), Err(CLOSED));
}

// Bad input

#[test]
fn points_off_the_curve_outside_the_group_and_the_identity_are_refused() {
    let (group, identity) = (Error::Group { what: "it" }, Error::Identity { what: "it" });
    for bad in bad_points(|x| G1Affine::get_point_from_x_unchecked(x, false)) {
        assert_eq!(G1::decode(&bad, "it"), Err(group.clone()), "{bad:02x?}");
    }
    for bad in bad_points(|x| G2Affine::get_point_from_x_unchecked(x, false)) {
        assert_eq!(G2::decode(&bad, "it"), Err(group.clone()), "{bad:02x?}");
    }
    assert_eq!(G1::decode(&bytes_of(&G1Affine::identity()), "it"), Err(identity.clone()));
    assert_eq!(G2::decode(&bytes_of(&G2Affine::identity()), "it"), Err(identity.clone()));
    assert_eq!(Gt::decode(&bytes_of(&Fq12::from(1)), "it"), Err(identity));
    let good = Gt::pairing(&G1::generator(), &G2::generator());
    let mut above_p = good.encode();
    above_p[96..144].copy_from_slice(&[0xff; 48]);
    let mut is_p = good.encode();
    is_p[..48].copy_from_slice(&bytes_of(&-Fq::from(1)));
    is_p[0] += 1;
    for bad in [
        bytes_of(&-ark(good.element())),
        bytes_of(&Fq12::from(7)),
        bytes_of(&Fq12::from(0)),
        above_p.to_vec(),
        is_p.to_vec(),
        good.encode()[1..].to_vec(),
    ] {
        assert_eq!(Gt::decode(&bad, "it"), Err(group.clone()));
    }
}

#[test]
fn numbers_that_are_no_scalars_are_refused() {
    let fault = Error::Scalar { what: "it" };
    let largest = bytes_of(&-Fr::from(1));
    Scalar::decode(&largest, "it").unwrap();
    let mut order = largest.clone();
    order[0] += 1;
    for bad in [&order[..], &[0; 32], &[0xff; 32], &[1; 31], &[1; 33], &[]] {
        assert_eq!(Scalar::decode(bad, "it").map(|_| ()), Err(fault.clone()));
    }
}

#[test]
fn a_capsule_with_a_bad_point_is_refused_before_it_is_used() {
    let owner = Keys::generate("ann").unwrap();
    let (_, capsule) = owner.encrypt("visit", "medical", b"x").unwrap();
    let bytes = capsule.encode();
    let with = |point: &[u8]| [&bytes[..bytes.len() - 48], point].concat();
    assert_eq!(Capsule::decode(&bytes).unwrap(), capsule);
    let what = "the capsule";
    let identity = with(&bytes_of(&G1Affine::identity()));
    assert_eq!(Capsule::decode(&identity), Err(Error::Identity { what }));
    let bad = bad_points(|x| G1Affine::get_point_from_x_unchecked(x, false));
    for point in bad.iter().filter(|point| point.len() == 48) {
        assert_eq!(Capsule::decode(&with(point)), Err(Error::Group { what }));
    }
    let one = bytes_of(&Fq12::from(1));
    let released = capsule.re_encrypted("ben", &G2::generator()).encode();
    let with = |element: &[u8]| [&released[..released.len() - 576], element].concat();
    let what = "the re-encrypted capsule";
    assert_eq!(Released::decode(&with(&one)), Err(Error::Identity { what }));
    let outside = bytes_of(&Fq12::from(7));
    assert_eq!(Released::decode(&with(&outside)), Err(Error::Group { what }));
    assert!(matches!(
        Released::decode(&released[..released.len() - 1]),
        Err(Error::Wire(wire::Error::Format { .. }))
    ));
}

#[test]
fn chunks_of_no_length_are_refused_and_zero_is_no_element() {
    assert_eq!(Chunk::new(&[]).map(|_| ()).unwrap_err(), Error::Chunk { got: 0 });
    assert_eq!(Chunk::new(&[0; 65]).map(|_| ()).unwrap_err(), Error::Chunk { got: 65 });
    let element = |all: [u64; 4]| {
        let mut all: Vec<Fq> = all.into_iter().map(Fq::from).collect();
        all.resize(12, Fq::from(0));
        Element::decode(&bytes_of(&Fq12::from_base_prime_field_elems(all).unwrap()))
    };
    assert!(element([0; 4]).is_none());
    let is_chunk = |all| Chunk::of(&element(all).unwrap()).is_some();
    assert!(is_chunk([5, 0, 1, 0]));
    // No length, more than there can be, bytes after the end, and a coefficient too many.
    for bad in [[5, 0, 0, 0], [5, 0, 65, 0], [256, 0, 1, 0], [5, 1, 32, 0], [5, 0, 1, 1]] {
        assert!(!is_chunk(bad), "{bad:?}");
    }
    let owner = Keys::generate("ann").unwrap();
    let (ciphertext, _) = owner.encrypt("visit", "medical", b"x").unwrap();
    let bytes = ciphertext.encode();
    let with = |tail: &[u8]| [&bytes[..bytes.len() - 576], tail].concat();
    let fault = Err(Error::Group { what: "the encrypted portion" });
    assert_eq!(Ciphertext::decode(&with(&[0; 576])), fault);
    assert_eq!(Ciphertext::decode(&with(&[0xff; 576])), fault);
}

#[test]
fn nothing_that_is_shown_holds_a_secret() {
    let keys = Keys::of("ann", scalar(0x0123_4567_89ab_cdef)).unwrap();
    let shown = format!("{keys:?} {:?} {:?}", keys.secret(), Chunk::new(b"secret").unwrap());
    for part in ["123456789abcdef", "81985529216486895", "secret\"", "115, 101, 99"] {
        assert!(!shown.contains(part), "{shown}");
    }
}
