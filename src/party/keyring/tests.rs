use std::collections::HashSet;

use rayon::prelude::*;
use serde::Deserialize;

use super::*;
use crate::cipher::{TAG_LEN, aes_gcm_siv};
use crate::keys::KEY_LEN;
use crate::message::upload::Upload;
use crate::party::records::{
    Names, Origin, RowKeys, associated, layout_key, portion_key, readers_key, split,
};
use crate::party::scene::{owner, three_records};
use crate::schema::{Field, Kind};
use crate::scheme::Scheme;

#[test]
fn a_keyring_knows_the_cells_of_its_own_group_and_of_those_below() {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let ward = owner.authorize("ward", &["hospital"]).unwrap();
    let clinic = owner.authorize("clinic", &[]).unwrap();
    let hospital = Keyring { below: owner.below.from(&[hospital.node()]), ..hospital };
    let groups = |keyring: &Keyring| -> Vec<Group> {
        keyring.spans("age").unwrap().into_iter().map(|(group, _)| group).collect()
    };
    let [top, below] = [hospital.node(), ward.node()].map(|node| Group::of(node).unwrap());
    assert_eq!(groups(&hospital), [top.clone(), below.clone()]);
    assert_eq!(groups(&clinic), [top]);
    assert_eq!(groups(&ward), [below]);
    let spans = clinic.spans("age").unwrap().remove(0).1;
    assert_eq!(spans.len(), 121);
    assert_eq!((spans[0].0, spans[120].1), (0, i64::MAX));
    assert!(spans.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
    let entry = hospital.mopse("age").unwrap().encrypt(40, 7).unwrap();
    assert!((spans[40].0..=spans[40].1).contains(&entry));
    assert_eq!(clinic.spans("weight"), Err(Error::UnknownField { field: "weight".into() }));
}

#[derive(Deserialize)]
struct Vectors {
    tree: Tree,
}

#[derive(Deserialize)]
struct Tree {
    #[serde(with = "hex")]
    root: [u8; 32],
    fields: Vec<Defined>,
    nodes: Vec<DerivedKeys>,
}

#[derive(Deserialize)]
struct Defined {
    name: String,
    #[serde(with = "hex")]
    label: Vec<u8>,
    #[serde(with = "hex")]
    label_of_floats: Vec<u8>,
}

#[derive(Deserialize)]
struct DerivedKeys {
    names: Vec<String>,
    epochs: Vec<u32>,
    key: String,
    rulers: Vec<String>,
    rulers_of_floats: Vec<String>,
    place_of_age: String,
    record: String,
    sign: String,
}

#[test]
fn the_keys_of_a_hierarchy_match_the_known_answers() {
    let json = include_str!("../../../tests/vectors/keys.json");
    let Vectors { tree } = serde_json::from_str(json).unwrap();
    let number = |minimum, maximum, step, cell| {
        Field::new(Kind::Number, minimum, maximum, step, Some(cell)).unwrap()
    };
    let levels = Kind::Category(["poor", "fair", "good"].map(String::from).to_vec());
    let fields = [
        number(0.0, 120.0, 1.0, 1),
        number(8.0, 100.0, 0.1, 5),
        Field::new(levels, 0.0, 2.0, 1.0, Some(1)).unwrap(),
    ];
    for (field, defined) in fields.iter().zip(&tree.fields) {
        assert_eq!(field.label(), defined.label, "{}", defined.name);
    }
    let names = tree.fields.iter().map(|defined| defined.name.clone());
    let schema = Schema::new(names.clone().zip(fields).collect()).unwrap();
    let of_floats = tree.fields.iter().map(|it| Field::of_label(&it.label_of_floats).unwrap());
    let before = Schema::new(names.zip(of_floats).collect()).unwrap();
    assert_eq!(before, schema, "labels differ, fields do not");
    let root_of = |schema| Keyring::root(Key::from_bytes(&tree.root).unwrap(), schema);
    let (root, root_before) = (root_of(schema), root_of(before));
    let hex = |key: &Key| hex::encode(key.expose());
    for expected in tree.nodes {
        let steps = expected.names.iter().zip(&expected.epochs);
        let node =
            steps.fold(Node::root(), |node, (name, &epoch)| node.child(name, epoch).unwrap());
        let keyring = root.keyring_of(&node).unwrap();
        assert_eq!(hex(&keyring.key), expected.key);
        assert_eq!(keyring.rulers.iter().map(hex).collect::<Vec<_>>(), expected.rulers);
        let keyring_before = root_before.keyring_of(&node).unwrap();
        let rulers_before: Vec<_> = keyring_before.rulers.iter().map(hex).collect();
        assert_eq!(rulers_before, expected.rulers_of_floats);
        let child = |purpose, label: &[u8]| hex(&keyring.key.child(purpose, label, 0));
        assert_eq!(child(Purpose::Place, b"age"), expected.place_of_age);
        assert_eq!(child(Purpose::Record, b""), expected.record);
        assert_eq!(child(Purpose::Sign, b""), expected.sign);
        let seed: [u8; 32] = hex::decode(expected.sign).unwrap().try_into().unwrap();
        let public = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        assert_eq!(keyring.chain.verify(&keyring.owner), Ok(public));
    }
}

fn node(path: &[(&str, u32)]) -> Node {
    path.iter().fold(Node::root(), |node, (name, epoch)| node.child(name, *epoch).unwrap())
}

const PURPOSES: [Purpose; 15] = [
    Purpose::Node,
    Purpose::Ruler,
    Purpose::Order,
    Purpose::Place,
    Purpose::Handle,
    Purpose::Record,
    Purpose::Keyword,
    Purpose::File,
    Purpose::Share,
    Purpose::Sign,
    Purpose::Author,
    Purpose::Portion,
    Purpose::Leaf,
    Purpose::Mask,
    Purpose::Slot,
];

/// Everything that two derivations make of what a keyring holds, for every purpose, every label
/// in use and two epochs.
fn reachable(keyring: &Keyring, handle: Handle) -> HashSet<[u8; KEY_LEN]> {
    let mut labels: Vec<Vec<u8>> = [
        "", "hospital", "clinic", "ward", "lab", "desk", "age", "sbp", "layout", "/rest", "high",
        "low",
    ]
    .map(|label| label.as_bytes().to_vec())
    .to_vec();
    labels.push(handle.to_be_bytes().to_vec());
    for (name, field) in keyring.schema.fields() {
        let mut label = Writer::default();
        label.text(name).raw(&field.label());
        labels.push(label.0);
    }
    let children = |key: &Key| -> Vec<Key> {
        let mut children = Vec::new();
        for purpose in PURPOSES {
            for label in &labels {
                children.extend((0..2).map(|epoch| key.child(purpose, label, epoch)));
            }
        }
        children
    };
    let held: Vec<Key> = std::iter::once(&keyring.key).chain(&keyring.rulers).cloned().collect();
    let first: Vec<Key> = held.iter().flat_map(children).collect();
    let second = first.par_iter().flat_map_iter(children);
    let second: HashSet<_> = second.map(|key| *key.expose()).collect();
    let mut reached: HashSet<_> = held.iter().chain(&first).map(|key| *key.expose()).collect();
    reached.extend(second);
    reached
}

/// All keys of a node itself.
fn keys_of(keyring: &Keyring, handle: Handle) -> Vec<Key> {
    let key = &keyring.key;
    let record = key.child(Purpose::Record, b"", 0);
    let readers = readers_key(&record, Epoch::default());
    let portion = portion_key(&readers, "rest");
    let mut keys = vec![
        key.clone(),
        key.child(Purpose::Place, b"age", 0),
        key.child(Purpose::Place, b"sbp", 0),
        key.child(Purpose::Handle, b"", 0),
        key.child(Purpose::Sign, b"", 0),
        key.child(Purpose::Keyword, b"", 0),
        key.child(Purpose::Author, b"", 0),
        RowKeys::new(&portion).key(handle),
        layout_key(&portion),
        portion,
        readers,
        record,
    ];
    keys.extend(keyring.rulers.iter().cloned());
    keys
}

const HOSPITAL: (&str, u32) = ("hospital", 0);

/// How many of each node's keys are among the reachable ones.
fn reached<'a>(
    reachable: &HashSet<[u8; KEY_LEN]>,
    nodes: &'a [Node],
    handle: Handle,
) -> Vec<(&'a Node, usize)> {
    let root = owner(1);
    let count = |node| {
        let keys = match root.keyring_of(node) {
            Ok(keyring) => keys_of(&keyring, handle),
            Err(_) => keys_of(&root, handle),
        };
        (node, keys.iter().filter(|key| reachable.contains(key.expose())).count())
    };
    nodes.iter().map(count).collect()
}

#[test]
fn what_a_keyring_holds_derives_its_subtree_and_nothing_above_beside_or_later() {
    let root = owner(1);
    let handle = 0x0123_4567_89ab_cdef;
    let ward = root.keyring_of(&node(&[HOSPITAL, ("ward", 0)])).unwrap();
    let ward = reachable(&ward, handle);
    let outside = [
        Node::root(),
        node(&[HOSPITAL]),
        node(&[("hospital", 1)]),
        node(&[("clinic", 0)]),
        node(&[("clinic", 0), ("ward", 0)]),
        node(&[HOSPITAL, ("ward", 1)]),
        node(&[HOSPITAL, ("lab", 1)]),
        node(&[("hospital", 1), ("ward", 0)]),
    ];
    for (node, count) in reached(&ward, &outside, handle) {
        assert_eq!(count, 0, "the ward reaches {node:?}");
    }
    // It shares the lab's two rulers, as it must; nothing else of it.
    let lab = [node(&[HOSPITAL, ("lab", 0)])];
    assert_eq!(reached(&ward, &lab, handle)[0].1, 2);
    // And the search is no blind one: it does find what is below.
    let below = [node(&[HOSPITAL, ("ward", 0), ("desk", 1)])];
    assert_eq!(reached(&ward, &below, handle)[0].1, 10);

    let hospital = root.keyring_of(&node(&[HOSPITAL])).unwrap();
    let hospital = reachable(&hospital, handle);
    let outside = [
        Node::root(),
        node(&[("hospital", 1)]),
        node(&[("clinic", 1)]),
        node(&[("hospital", 1), ("ward", 0)]),
        node(&[("clinic", 0), ("ward", 0)]),
    ];
    for (node, count) in reached(&hospital, &outside, handle) {
        assert_eq!(count, 0, "the hospital reaches {node:?}");
    }
    assert_eq!(reached(&hospital, &[node(&[("clinic", 0)])], handle)[0].1, 2);
    let below = [node(&[HOSPITAL, ("ward", 0)]), node(&[HOSPITAL, ("lab", 1)])];
    for (node, count) in reached(&hospital, &below, handle) {
        assert_eq!(count, 10, "the hospital does not reach {node:?}");
    }
}

#[test]
fn no_key_that_a_ward_can_derive_opens_its_siblings_records() {
    let root = owner(1);
    let lab = root.keyring_of(&node(&[HOSPITAL, ("lab", 0)])).unwrap();
    let sent = Upload::decode(&three_records(&lab)).unwrap();
    let Upload { owner, provider, readers, id, handles, portions, .. } = &sent;
    let origin = Origin { owner, provider, readers: *readers, upload: *id };
    let portion =
        portion_key(&readers_key(&lab.key.child(Purpose::Record, b"", 0), *readers), "rest");
    let open = |key: &Key, associated: &[u8], sealed: &[u8]| {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_LEN>().unwrap();
        let mut opened = ciphertext.to_vec();
        aes_gcm_siv::open_in_place(key.expose(), &origin.nonce(), associated, &mut opened, tag)
    };
    let of_layout = origin.of_layout("rest", &Names::of(["rest"].into_iter()));
    let (ciphertext, tag) = portions[0].layout.split_last_chunk::<TAG_LEN>().unwrap();
    let mut layout = ciphertext.to_vec();
    let key = layout_key(&portion);
    assert!(aes_gcm_siv::open_in_place(
        key.expose(),
        &origin.nonce(),
        &of_layout,
        &mut layout,
        tag
    ));
    let of_record = associated(&origin.of_records("rest", &layout), handles[0]);
    let (record, _) = split(portions[0].records.get(0)).unwrap();
    assert!(open(&RowKeys::new(&portion).key(handles[0]), &of_record, record));

    let ward = root.keyring_of(&node(&[HOSPITAL, ("ward", 0)])).unwrap();
    for bytes in reachable(&ward, handles[0]) {
        let key = Key::from_bytes(&bytes).unwrap();
        assert!(!open(&key, &of_record, record) && !open(&key, &of_layout, &portions[0].layout));
    }
    assert_eq!(
        ward.opener(provider, *readers).unwrap_err(),
        message::Error::Scope { who: "hospital/ward".into(), what: "hospital/lab".into() }.into()
    );
}
