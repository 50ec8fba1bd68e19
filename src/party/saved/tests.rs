use super::*;
use crate::message::certificate::Certificate;
use crate::message::place::{Epoch, Group};
use crate::party::grants::Share;
use crate::party::records::Ids;
use crate::party::scene::{Cloud, age, ask, cases, owner, tokens, upload};
use crate::party::shares::{Scope, Status};
use crate::party::uploading::{Change, Table, Versions};
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
        assert_eq!(keyring.members().len(), 1);
        assert_eq!(
            *open_contents(Ceiling::default(), &case.file, password, Kind::Owner).unwrap(),
            case.contents
        );
        if case.contents[8] == 2 {
            let schema = keyring.schema.encode();
            let mut parts = case.contents.windows(schema.len());
            assert!(parts.any(|part| *part == schema), "labels of floats among it");
            assert_eq!(*Keyring::decode(&keyring.encode()).unwrap().encode(), *keyring.encode());
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
    root.announcements().unwrap();
    root.renew_readers(&["hospital"]).unwrap();
    let mut hospital = root.authorize("hospital", &[]).unwrap();
    attach(&mut hospital, &[b"x-ray", b"0171"]).unwrap();
    let renewed = root.authorize("ward", &["hospital"]).unwrap();
    assert_eq!((renewed.earlier.len(), &renewed.earlier[0].node), (1, &ward.node));
    let ward = renewed;
    [root, hospital, ward].map(|keyring| keyring.encode())
}

fn attach(provider: &mut Keyring, keywords: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let cipher = &cipher::aes_gcm::AES_256;
    provider.attach(Ids::Integers(&[1]), cipher, ("name", "a/b"), b"contents", keywords)
}

/// What versions 1 and 2 wrote, when epochs were numbers.
#[derive(Clone, Copy)]
struct Old<'a> {
    keyring: &'a Keyring,
    members: &'a [Node],
    reached: &'a [(Node, u32)],
    groups: &'a [(Node, u32)],
    ever: &'a [Node],
}

impl Old<'_> {
    fn encode(&self, version: u8) -> Vec<u8> {
        let Keyring { owner, schema, node, key, rulers, chain, .. } = self.keyring;
        let mut writer = Writer::new(wire::Kind::Keyring);
        writer.0[8] = version;
        writer.raw(&owner.0).bytes(&schema.encode());
        node.write_without_salts(&mut writer);
        writer.raw(key.expose()).count(rulers.len());
        rulers.iter().for_each(|ruler| {
            writer.raw(ruler.expose());
        });
        writer.count(chain.0.len());
        for certificate in &chain.0 {
            certificate.subject.write_without_salts(&mut writer);
            writer.raw(&certificate.key).raw(&certificate.signature);
        }
        let nodes = |writer: &mut Writer, nodes: &[Node]| {
            writer.count(nodes.len());
            nodes.iter().for_each(|node| node.write_without_salts(writer));
        };
        nodes(&mut writer, self.members);
        for numbered in [self.reached, self.groups] {
            writer.count(numbered.len());
            for (node, number) in numbered {
                node.write_without_salts(&mut writer);
                writer.u32(*number);
            }
        }
        writer.u64(7);
        if version > 1 {
            nodes(&mut writer, self.ever);
            writer.count(3);
            for tag in 1..4 {
                writer.raw(&[tag; 16]).u64(tag.into()); // uses that nothing proves
            }
        }
        writer.0
    }
}

fn place(path: &str, numbers: &[u32]) -> Node {
    let epochs: Vec<Epoch> = numbers.iter().map(|&number| number.into()).collect();
    Node::of(path, &epochs).unwrap()
}

/// A hospital as an owner certified it when certificates named no announcement.
fn old_hospital(owner: &mut Keyring) -> Keyring {
    let mut hospital = owner.authorize("hospital", &[]).unwrap();
    let Certificate { subject, key, .. } = hospital.chain.0.remove(0);
    let signature = owner.sign(&Certificate::message(&owner.owner, &subject, &key, None));
    hospital.chain.0.push(Certificate { subject, key, stamp: None, signature });
    hospital
}

/// An owner's contents of version 2: a ward of its hospital was removed once, and so was a clinic.
fn of_version_2(owner: &Keyring) -> Vec<u8> {
    let hospital = place("hospital", &[1]);
    let members = [place("hospital", &[1]), place("hospital/lab", &[1, 1])];
    let earlier = [
        place("clinic", &[0]),
        place("hospital", &[0]),
        place("hospital/lab", &[1, 0]),
        place("hospital/ward", &[1, 0]),
    ];
    let ever = [&members[..], &earlier].concat();
    let reached = [(Node::root(), 1), (hospital.clone(), 1)];
    let groups = [(Node::root(), 0), (Node::root(), 1), (hospital.clone(), 0), (hospital, 1)];
    let old =
        Old { keyring: owner, members: &members, reached: &reached, groups: &groups, ever: &ever };
    old.encode(2)
}

#[test]
fn keyrings_of_older_versions_are_read_and_of_an_unknown_one_refused() {
    let mut root = owner(1);
    let hospital = old_hospital(&mut root);
    let members = [place("hospital", &[0])];
    let old = |keyring| Old { keyring, members: &[], reached: &[], groups: &[], ever: &[] };
    let groups = [(Node::root(), 0)];
    let of_root = Old { members: &members, groups: &groups, ever: &members, ..old(&root) };
    for (old, ever) in [(of_root, &members[..]), (old(&hospital), &[])] {
        let keyring = old.keyring;
        for version in [1, 2] {
            let read = Keyring::decode(&old.encode(version)).unwrap();
            assert_eq!(read.members(), ever);
            assert_eq!(read.below.ever().into_iter().collect::<Vec<_>>(), ever);
            assert_eq!((&read.chain, &read.counts), (&keyring.chain, &Uses::new()));
            assert_eq!((read.standing, read.earlier.len()), (Standing::default(), 0));
        }
        let read = Keyring::decode(&old.encode(2)).unwrap();
        let bytes = read.encode();
        assert_eq!(bytes[8], 8, "it is written as version 8");
        assert_eq!(*Keyring::decode(&bytes).unwrap().encode(), *bytes);
        // Version 3 said neither what is proven nor which seals were seen, version 4 not what is shared,
        // version 5 not what was asked for, version 6 not how portions are de-identified, nor who may search,
        // version 7 no teams.
        for (version, less) in [(3, 48), (4, 32), (5, 24), (6, 16), (7, 8)] {
            let (kept, none) = bytes.split_at(bytes.len() - less);
            assert_eq!(none, vec![0; less]);
            let older = [&kept[..8], &[version], &kept[9..]].concat();
            assert_eq!(*Keyring::decode(&older).unwrap().encode(), *bytes);
        }
        for got in [0, 9, 255] {
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
    let members: Vec<Node> =
        old.iter().map(|name| Node::root().child_as_spelt(name, 0).unwrap()).collect();
    let groups = [(Node::root(), 0)];
    let of_root =
        Old { keyring: &root, members: &members, reached: &[], groups: &groups, ever: &members };
    for version in [1, 2] {
        let read = Keyring::decode(&of_root.encode(version)).unwrap();
        assert_eq!(*read.encode(), *root.encode());
    }
    for keyring in [&root, &provider] {
        let read = Keyring::decode(&keyring.encode()).unwrap();
        assert_eq!(*read.encode(), *keyring.encode());
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
    assert_eq!(root.find("Su\u{308}d").unwrap().epochs()[0].number, 1);
}

#[test]
fn a_keyring_from_before_there_were_salts_goes_on_with_them() {
    let mut root = Keyring::decode(&of_version_2(&owner(1))).unwrap();
    let paths = |keyring: &Keyring| keyring.members().iter().map(Node::path).collect::<Vec<_>>();
    assert_eq!(paths(&root), ["hospital", "hospital/lab"]);
    let hospital = place("hospital", &[1]);
    let group = |authority: &Node, number: u32| Group {
        authority: authority.clone(),
        epoch: number.into(),
    };
    let top = Node::root();
    let groups = [group(&top, 0), group(&top, 1), group(&hospital, 0), group(&hospital, 1)];
    assert_eq!(root.groups(), groups);
    let cloud = Cloud::of(&mut root);
    let lab = root.authorize("lab", &["hospital"]).unwrap();
    assert_eq!(lab.node(), &place("hospital/lab", &[1, 1]));
    let held: Vec<_> = lab.earlier.iter().map(|earlier| earlier.node.clone()).collect();
    assert_eq!(held, [place("hospital/lab", &[1, 0])]);
    cloud.receive(&upload(&lab, &[(1, 40, None)])).unwrap();
    root.revoke(&["hospital", "lab"]).unwrap();
    root.authorize("desk", &["hospital"]).unwrap();
    cloud.enroll(&mut root);
    let last = *root.groups().last().map(|group| &group.epoch).unwrap();
    assert!(last.number == 2 && last.salt.is_some());
    assert_eq!(tokens(&ask(&root, &[age(0, 120)])).len(), 5);
    assert_eq!(cloud.find(&root, &[age(0, 120)]), [("hospital/lab".to_owned(), 1)]);
}

#[test]
fn a_provider_certified_before_there_were_stamps_is_one_until_its_epoch_ends() {
    let mut root = owner(1);
    let hospital = old_hospital(&mut root);
    let cloud = Cloud::of(&mut root);
    let old = Old { keyring: &hospital, members: &[], reached: &[], groups: &[], ever: &[] };
    let read = Keyring::decode(&old.encode(2)).unwrap();
    cloud.receive(&upload(&read, &[(1, 40, None)])).unwrap();
    assert_eq!(cloud.find(&read, &[age(0, 120)]).len(), 1);
    root.authorize("clinic", &[]).unwrap();
    root.revoke(&["clinic"]).unwrap();
    cloud.enroll(&mut root);
    assert!(cloud.receive(&upload(&read, &[(2, 40, None)])).is_err());
}

#[test]
fn an_old_keyring_with_absurdly_many_epochs_is_refused() {
    let root = owner(1);
    let old = Old { keyring: &root, members: &[], reached: &[], groups: &[], ever: &[] };
    for number in [1 << 17, u32::MAX] {
        let many = [(Node::root(), number)];
        let at = [place("hospital", &[number])];
        for old in [
            Old { reached: &many, ..old },
            Old { groups: &many, ..old },
            Old { members: &at, ..old },
            Old { ever: &at, ..old },
        ] {
            let refused = Keyring::decode(&old.encode(2)).unwrap_err();
            assert_eq!(refused, Error::LastEpoch { got: number.into() });
        }
    }
}

#[test]
fn epochs_that_can_no_longer_be_counted_are_refused() {
    let mut root = owner(1);
    root.authorize("hospital", &[]).unwrap();
    let last = Epoch { number: u32::MAX, salt: Some([1; 16]) };
    let known = root.below.0.get_mut(&Node::root()).unwrap();
    known.epochs.push(last);
    known.readers.push(last);
    known.members[0].first = 1;
    let bytes = root.encode();
    let mut crafted = Keyring::decode(&bytes).unwrap();
    let refused = Err(Error::LastEpoch { got: u32::MAX.into() });
    assert_eq!(crafted.revoke(&["hospital"]), refused);
    assert_eq!(crafted.renew_readers(&[]), refused);
    assert_eq!(*crafted.encode(), *bytes, "nothing is changed");
}

#[test]
fn a_keyring_survives_its_bytes() {
    for bytes in three() {
        let keyring = Keyring::decode(&bytes).unwrap();
        assert_eq!(*keyring.encode(), *bytes);
        assert_eq!(keyring.below, Keyring::decode(&bytes).unwrap().below);
        assert_eq!(keyring.standing, Keyring::decode(&bytes).unwrap().standing);
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
    let ids = Ids::Integers(&[1]);
    let _ = keyring.query(&[range], 0);
    let _ = keyring.renewal(0);
    for path in ["", "hospital", "hospital/ward", "hospital/lab"] {
        let _ = keyring.lookup(path, ids, 0);
        let _ = keyring.removal(path);
    }
    let share = Share { ids: Some(ids), portions: None, holder: b"", end: 0 };
    let _ =
        keyring.find("hospital/ward").map(|node| keyring.opener(&node, Epoch::default()).map(drop));
    let _ = keyring.find("hospital/ward").map(|node| keyring.grant(&node, &share).map(drop));
    let (_, _) = (keyring.members(), keyring.groups());
    let own = keyring.chain.clone();
    let _ = keyring.learn(&own.encode(&keyring.owner));
    let _ = keyring.authorize("x", &[]).map(|child| keyring.learn(&child.certificates()));
    let _ = keyring.announcements().map(|announced| keyring.catch_up(&announced));
    let _ = keyring.revoke(&["hospital"]);
    let _ = keyring.revoke(&["x"]);
    let _ = keyring.renew_readers(&[]);
    let _ = keyring.announcements();
    let indexed = [Indexed { field: "age", rows: &[0], plaintexts: &[40] }];
    let table = Table { columns: &[], ids, id: None, indexed: &indexed, now: 0 };
    let _ = keyring.upload(&table, Change::Add, &Versions::default());
    let _ = keyring.deletion(ids, &Versions::default(), 0);
    let _ = attach(&mut keyring, &[b"x-ray", b"0171"]);
    let _ = keyring.search_files(&[b"x-ray"], 0);
    let bytes = keyring.encode();
    let _ = Keyring::decode(&bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(256)))]

    #[test]
    fn changed_contents_of_a_keyring_never_panic(
        which in 0..4_usize,
        at in any::<Index>(),
        to in any::<Index>(),
        number in prop_oneof![0..20_u64, any::<u64>()],
        how in 0..4,
    ) {
        let mut bytes = match three().get(which) {
            Some(contents) => contents.to_vec(),
            None => of_version_2(&owner(1)),
        };
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

#[test]
fn portions_are_saved_and_handed_on_to_whoever_is_authorised() {
    let declared = vec![("contact".to_owned(), vec!["phone".to_owned(), "name".to_owned()])];
    let mut owner = owner(1);
    owner.declare_portions(declared.clone()).unwrap();
    let hospital = owner.authorize("hospital", &[]).unwrap();
    for keyring in [&owner, &hospital] {
        let again = Keyring::decode(&keyring.encode()).unwrap();
        assert_eq!((again.portions(), again.encode()), (&declared[..], keyring.encode()));
    }
    let kept = vec![("rest".to_owned(), Vec::new())];
    assert!(matches!(owner.declare_portions(kept), Err(Error::Portion { .. })));
    assert_eq!(owner.portions(), declared);
}

#[test]
fn what_was_shared_before_there_were_rights_and_teams_is_read() {
    let mut owner = owner(1);
    owner.authorize("hospital", &[]).unwrap();
    let scope = Scope { provider: "hospital".into(), ids: None, portions: None, end: 9 };
    owner.note_share([7; 32], b"public", scope, None).unwrap();
    let now = owner.encode();
    // Last stand the team of the scope and whether it is held, how many rights that user has, its status, how
    // many requests there are, what is de-identified, and how many teams there are.
    let (start, last) = now.split_at(now.len() - (8 + 1 + 8 + 1 + 8 + 8 + 8));
    assert_eq!(last, [0; 42]);
    for (version, end) in [(6, &last[..8]), (7, &last[..24])] {
        let older = [&start[..8], &[version], &start[9..], end].concat();
        let read = Keyring::decode(&older).unwrap();
        assert_eq!(format!("{:?}", read.shared()), format!("{:?}", owner.shared()));
        assert_eq!((read.shared().len(), read.rights().len(), read.teams().count()), (1, 0, 0));
        assert_eq!(read.users(), [([7; 32], Status::Active)]);
        assert_eq!(read.encode()[..], now[..]);
    }
}
