use super::*;
use crate::party::records::Ids;
use crate::party::scene::owner;
use crate::party::{Indexed, Range};
use proptest::prelude::*;
use proptest::sample::Index;

const CHEAP: Cost = Cost { memory: 8, passes: 1, lanes: 1 };
const PASSWORD: &[u8] = b"correct horse battery staple";

fn file() -> Vec<u8> {
    seal(&owner(1), PASSWORD, CHEAP).unwrap()
}

/// A file with other bytes at a place, and the checksum that makes it look undamaged.
fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file.truncate(file.len() - CHECKSUM_LEN);
    let checksum = Sha256::digest(&file);
    file.extend(checksum);
    file
}

fn refusal(file: &[u8]) -> Error {
    open(file, PASSWORD, Kind::Owner).unwrap_err()
}

#[test]
fn a_file_opens_with_its_password_and_kind_only() {
    assert_eq!(open(&file(), PASSWORD, Kind::Owner).unwrap().owner(), owner(1).owner());
    let open = |password, kind| open(&file(), password, kind).unwrap_err();
    assert_eq!(open(b"wrong", Kind::Owner), cipher::Error::WrongPassword.into());
    assert_eq!(open(b"", Kind::Owner), cipher::Error::EmptyPassword.into());
    assert_eq!(open(PASSWORD, Kind::Provider), Error::OtherKind { expected: "a provider's" });
    assert_eq!(seal(&owner(1), b"", CHEAP).unwrap_err(), cipher::Error::EmptyPassword.into());
}

#[test]
fn every_changed_or_missing_byte_is_damage() {
    let file = file();
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert_eq!(refusal(&changed), Error::Damaged { what: WHAT }, "byte {at}");
        assert_eq!(refusal(&file[..at]), Error::Damaged { what: WHAT }, "cut at {at}");
    }
    assert_eq!(refusal(&[&file[..], &[0]].concat()), Error::Damaged { what: WHAT });
}

#[test]
fn absurd_costs_are_refused_before_they_are_paid() {
    let max = u32::MAX;
    for (memory, passes, lanes) in [
        (max, 1, 1),
        (8, max, 1),
        (8, 1, max),
        (max, max, max),
        (8, 1, 1 << 29),
        (1 << 21, 1, 1),
        (64, 17, 1),
        (1024, 1, 17),
        (7, 1, 1),
        (15, 1, 2),
        (0, 1, 1),
        (8, 0, 1),
        (8, 1, 0),
    ] {
        let cost = [memory, passes, lanes].map(u32::to_le_bytes).concat();
        assert_eq!(
            refusal(&changed(10, &cost)),
            cipher::Error::PasswordCost.into(),
            "{memory} {passes} {lanes}"
        );
        let cost = Cost { memory, passes, lanes };
        assert_eq!(
            seal(&owner(1), PASSWORD, cost).unwrap_err(),
            cipher::Error::PasswordCost.into()
        );
    }
}

#[test]
fn a_well_formed_change_of_anything_does_not_open() {
    assert_eq!(refusal(&changed(0, b"MOPSEUPL")), Error::Damaged { what: WHAT });
    assert_eq!(
        refusal(&changed(8, &[3])),
        Error::Wire(wire::Error::Version { what: WHAT, got: 3 })
    );
    assert_eq!(refusal(&changed(8, &[1])), Error::Damaged { what: WHAT }, "an older version");
    assert_eq!(refusal(&changed(9, &[2])), Error::OtherKind { expected: "an owner's" });
    assert_eq!(refusal(&changed(9, &[0])), Error::OtherKind { expected: "an owner's" });
    assert_eq!(refusal(&changed(10, &[16])), cipher::Error::WrongPassword.into(), "the memory");
    assert_eq!(refusal(&changed(22, &[0; 16])), cipher::Error::WrongPassword.into(), "the salt");
    assert_eq!(refusal(&changed(38, &[0; 12])), cipher::Error::WrongPassword.into(), "the nonce");
    assert_eq!(
        refusal(&changed(50, &[0; 32])),
        cipher::Error::WrongPassword.into(),
        "the commitment"
    );
    assert_eq!(refusal(&changed(82, &[0xff; 8])), Error::Damaged { what: WHAT }, "the length");
    assert_eq!(refusal(&changed(92, &[0; 8])), cipher::Error::WrongPassword.into(), "the contents");
    let relabelled = changed(9, &[Kind::Provider as u8]);
    assert_eq!(
        open(&relabelled, PASSWORD, Kind::Provider).unwrap_err(),
        cipher::Error::WrongPassword.into()
    );
}

#[test]
fn two_files_of_one_keyring_share_no_salt_nonce_or_ciphertext() {
    let (one, two) = (file(), file());
    assert_eq!(one[..22], two[..22]);
    assert!(
        one[22..].chunks_exact(8).zip(two[22..].chunks_exact(8)).filter(|(a, b)| a == b).count()
            < 2
    );
}

#[derive(serde::Deserialize)]
struct Vectors {
    #[serde(with = "hex")]
    root: [u8; 32],
    files: Vec<Saved>,
}

#[derive(serde::Deserialize)]
struct Saved {
    version: u8,
    #[serde(with = "hex")]
    contents: Vec<u8>,
    #[serde(with = "hex")]
    password: Vec<u8>,
    cost: [u32; 3],
    #[serde(with = "hex")]
    salt: [u8; SALT_LEN],
    #[serde(with = "hex")]
    nonce: [u8; NONCE_LEN],
    #[serde(with = "hex")]
    file: Vec<u8>,
}

#[test]
fn files_are_the_known_ones_and_those_of_version_1_still_open() {
    let vectors = include_str!("../../../tests/vectors/keyring.json");
    let Vectors { root, files } = serde_json::from_str(vectors).unwrap();
    for case in &files {
        let Saved { password, cost: [memory, passes, lanes], salt, nonce, .. } = case;
        let keyring = open(&case.file, password, Kind::Owner).unwrap();
        assert_eq!(*keyring.key.expose(), root);
        assert_eq!(keyring.below.members.len(), 1);
        assert_eq!(
            *contents(Ceiling::default(), &case.file, password, Kind::Owner).unwrap(),
            case.contents
        );
        if case.contents[8] == 2 {
            assert_eq!(*keyring.encode(), case.contents, "labels of floats among it");
        }
        if case.version == 2 {
            let cost = Cost { memory: *memory, passes: *passes, lanes: *lanes };
            let file = seal_with(Kind::Owner, &case.contents, password, cost, salt, nonce).unwrap();
            assert_eq!(file, case.file);
        }
    }
    let versions: Vec<_> = files.iter().map(|case| (case.version, case.contents[8])).collect();
    assert_eq!(versions, [(1, 1), (1, 2), (2, 2)]);
}

#[test]
fn what_costs_more_than_the_ceiling_is_refused_before_it_is_paid() {
    let cost = [1_u32 << 20, 16, 1].map(u32::to_le_bytes).concat();
    let file = changed(10, &cost);
    let (argument, unit) = ("most_memory", "MiB of memory");
    let refused = cipher::Error::Ceiling { argument, unit, asked: 1024, most: 256 };
    assert_eq!(refusal(&file), refused.into());
    let ceiling = Ceiling { memory: 1024, ..Ceiling::default() };
    let (argument, unit) = ("most_passes", "passes over the memory");
    let refused = cipher::Error::Ceiling { argument, unit, asked: 16, most: 4 };
    let error = open_within(ceiling, &file, PASSWORD, Kind::Owner).unwrap_err();
    assert_eq!(error, refused.into());
}

/// The contents of three keyring files: an owner's with two epochs, a hospital's, a ward's.
fn three() -> [Zeroizing<Vec<u8>>; 3] {
    let mut root = owner(1);
    root.authorize("hospital", &[]).unwrap();
    root.authorize("lab", &["hospital"]).unwrap();
    let ward = root.authorize("ward", &["hospital"]).unwrap();
    root.revoke(&["hospital", "lab"]).unwrap();
    let mut hospital = root.authorize("hospital", &[]).unwrap();
    attach(&mut hospital, &[b"x-ray", b"0171"]).unwrap();
    [root, hospital, ward].map(|keyring| keyring.encode())
}

fn attach(provider: &mut Keyring, keywords: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let cipher = &cipher::aes_gcm::AES_256;
    provider.attach(Ids::Integers(&[1]), cipher, ("name", "a/b"), b"contents", keywords)
}

/// What version 1 wrote: nothing of the uses, and not who ever was a member.
fn of_version_1(keyring: &Keyring) -> Vec<u8> {
    let mut later = Writer::default();
    later.count(keyring.below.ever.len());
    keyring.below.ever.iter().for_each(|node| node.write(&mut later));
    keyring.counts.write(&mut later);
    let mut bytes = keyring.encode().to_vec();
    bytes.truncate(bytes.len() - later.0.len());
    bytes[8] = 1;
    bytes
}

/// What version 2 wrote: the counts, and not what they are counted from.
fn of_version_2(keyring: &Keyring, counts: u64) -> Vec<u8> {
    let mut later = Writer::default();
    keyring.counts.write(&mut later);
    let mut bytes = keyring.encode().to_vec();
    bytes.truncate(bytes.len() - later.0.len());
    bytes.extend(counts.to_le_bytes());
    for count in 0..counts {
        bytes.extend([&[7; 8][..], &count.to_le_bytes(), &30_u64.to_le_bytes()].concat());
    }
    bytes[8] = 2;
    bytes
}

#[test]
fn keyrings_of_older_versions_are_read_and_of_an_unknown_one_refused() {
    let mut root = owner(1);
    let hospital = root.authorize("hospital", &[]).unwrap();
    root.authorize("ward", &["hospital"]).unwrap();
    for keyring in [root, hospital] {
        let read = Keyring::decode(&of_version_1(&keyring)).unwrap();
        assert_eq!((&read.below, &read.counts), (&keyring.below, &Uses::new()));
        assert_eq!(*read.encode(), *keyring.encode(), "it is written as version 3");
        for counts in [0, 3] {
            let bytes = of_version_2(&keyring, counts);
            let read = Keyring::decode(&bytes).unwrap();
            assert_eq!(
                *read.encode(),
                *keyring.encode(),
                "what it counted is not known to be true"
            );
            for cut in 0..bytes.len() {
                assert!(Keyring::decode(&bytes[..cut]).is_err(), "cut at {cut}");
            }
        }
        for got in [0, 4, 255] {
            let mut bytes = keyring.encode().to_vec();
            bytes[8] = got;
            let refused = Keyring::decode(&bytes).unwrap_err();
            assert_eq!(refused, Error::Wire(wire::Error::Version { what: "the keyring", got }));
        }
    }
}

/// Names that were given before each had one spelling.
#[test]
fn a_keyring_with_old_names_opens_and_can_be_saved_again() {
    let mut root = owner(1);
    let old = ["Su\u{308}d", "a\u{200b}", "clinic", "\u{441}linic"];
    for name in old {
        let node = Node::root().child_as_spelt(name, 0).unwrap();
        root.below.add(&node);
    }
    let south = root.find("Su\u{308}d").unwrap();
    let provider = root.keyring_of(&south).unwrap();
    for keyring in [&root, &provider] {
        let read = Keyring::decode(&of_version_1(keyring)).unwrap();
        assert_eq!(*read.encode(), *keyring.encode());
        assert_eq!(*Keyring::decode(&read.encode()).unwrap().encode(), *keyring.encode());
    }
    for name in old {
        assert_eq!(root.find(name).unwrap().path(), name);
    }
    assert_eq!(provider.find("Su\u{308}d").unwrap(), south);
    // The same name in its one spelling is another place, which looks like none but this.
    assert!(matches!(root.find("S\u{fc}d"), Err(Error::UnknownProvider { .. })));
    root.authorize("Su\u{308}d", &[]).unwrap();
    assert_eq!(root.find("S\u{fc}d").unwrap().path(), "S\u{fc}d");
    root.revoke(&["a\u{200b}"]).unwrap();
    assert_eq!(root.find("Su\u{308}d").unwrap().epochs(), [1]);
}

#[test]
fn revocations_that_can_no_longer_be_counted_are_refused() {
    let mut root = owner(1);
    root.authorize("hospital", &[]).unwrap();
    root.below.revocations = u64::MAX;
    let bytes = root.encode();
    let mut crafted = Keyring::decode(&bytes).unwrap();
    let refused = Error::Revocations { got: u64::MAX };
    assert_eq!(crafted.revoke(&["hospital"]), Err(refused));
    assert_eq!(*crafted.encode(), *bytes, "nothing is changed");
}

#[test]
fn a_keyring_survives_its_bytes() {
    for bytes in three() {
        let keyring = Keyring::decode(&bytes).unwrap();
        assert_eq!(*keyring.encode(), *bytes);
        assert_eq!(keyring.below, Keyring::decode(&bytes).unwrap().below);
        let attached = usize::from(keyring.node.path() == "hospital");
        assert_eq!(keyring.counts.lineage().previous.len(), attached);
        for cut in 0..bytes.len() {
            assert!(Keyring::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }
}

/// Does everything with a keyring that may hold nonsense.
fn use_it(mut keyring: Keyring) {
    let range = Range { field: "age".into(), low: 0, high: 9 };
    let _ = keyring.tokens(&[range], 0);
    let _ = keyring.announcement();
    let _ = keyring.find("hospital/ward").map(|node| keyring.opener(&node).map(drop));
    let own = keyring.chain.clone();
    let _ = keyring.learn(&own.encode(&keyring.owner));
    let _ = keyring.authorize("x", &[]).map(|child| keyring.learn(&child.certificates()));
    let _ = keyring.revoke(&["hospital"]);
    let _ = keyring.revoke(&["x"]);
    let ids = Ids::Integers(&[1]);
    let age = Indexed { field: "age", rows: &[0], plaintexts: &[40] };
    let _ = keyring.upload(&[], ids, &[age], 1);
    let _ = attach(&mut keyring, &[b"x-ray", b"0171"]);
    let _ = keyring.search_files(&[b"x-ray"], 0);
}

proptest! {
    #[test]
    fn changed_contents_of_a_keyring_never_panic(
        which in 0..3_usize,
        at in any::<Index>(),
        to in any::<Index>(),
        number in prop_oneof![0..20_u64, any::<u64>()],
        how in 0..4,
    ) {
        let original = &three()[which];
        let mut bytes = original.to_vec();
        let at = at.index(bytes.len());
        let slice = at.min(to.index(bytes.len()))..at.max(to.index(bytes.len()));
        match how {
            0 => bytes[at] = number.to_le_bytes()[0],
            1 => drop(bytes.drain(slice)),
            2 => {
                let copy = bytes[slice].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => {
                let end = bytes.len().min(at + 8);
                bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
        }
        if let Ok(keyring) = Keyring::decode(&bytes) {
            // A field of the schema may have become so large that its ruler takes a while.
            if keyring.schema == owner(1).schema {
                use_it(keyring);
            }
        }
    }
}
