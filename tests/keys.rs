//! Known answers for key derivation, computed by other code.

use mopse::keys::{Key, Purpose};
use mopse::message::upload::Upload;
use mopse::party::Keyring;
use mopse::party::records::Ids;
use mopse::party::uploading::{Change, Table, Versions};
use mopse::schema::{Field, Kind, Schema};
use mopse::wire::Packed;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
    tree: Tree,
}

#[derive(Deserialize)]
struct Case {
    #[serde(with = "hex")]
    key: [u8; 32],
    purpose: String,
    #[serde(with = "hex")]
    label: Vec<u8>,
    epoch: u32,
    #[serde(with = "hex")]
    child: [u8; 32],
}

#[derive(Deserialize)]
struct Tree {
    #[serde(with = "hex")]
    root: [u8; 32],
    handles: Handles,
}

#[derive(Deserialize)]
struct Handles {
    integers: Vec<Pseudonym<i64>>,
    texts: Vec<Pseudonym<String>>,
}

#[derive(Deserialize)]
struct Pseudonym<Id> {
    id: Id,
    #[serde(with = "hex")]
    handle: [u8; 16],
}

const PURPOSES: [Purpose; 14] = [
    Purpose::Node,
    Purpose::Ruler,
    Purpose::Order,
    Purpose::Place,
    Purpose::Handle,
    Purpose::Record,
    Purpose::Keyword,
    Purpose::File,
    Purpose::Share,
    Purpose::Password,
    Purpose::Sign,
    Purpose::Pseudonym,
    Purpose::Shift,
    Purpose::Reencryption,
];

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/keys.json")).expect("the vectors are well-formed")
}

#[test]
fn children_match_the_known_answers_for_every_purpose() {
    let cases = vectors().cases;
    for purpose in PURPOSES {
        let of_purpose = cases.iter().filter(|case| case.purpose == purpose.word());
        let mut count = 0;
        for Case { key, label, epoch, child, .. } in of_purpose {
            let got = Key::from_bytes(key).unwrap().child(purpose, label, *epoch);
            assert_eq!(got.expose(), child, "{purpose:?}, label {label:x?}, epoch {epoch}");
            count += 1;
        }
        assert!(count >= 3, "{purpose:?}");
    }
    assert!(cases.iter().all(|case| PURPOSES.iter().any(|p| p.word() == case.purpose)));
}

/// The handles of an upload of records with these ids, by a hospital below the known root key.
fn handles(ids: Ids<'_>) -> Vec<u128> {
    let age = Field::new(Kind::Number, 0.0, 120.0, 1.0, None).expect("the grid is possible");
    let schema = Schema::new(vec![("age".into(), age)]).expect("one field is a schema");
    let root = Key::from_bytes(&vectors().tree.root).expect("32 bytes");
    let hospital = Keyring::root(root, schema).authorize("hospital", &[]).expect("a good name");
    let table = Table { columns: &[], ids, id: None, indexed: &[], now: 0 };
    let made = hospital.upload(&table, Change::Add, &Versions::default()).expect("the ids differ");
    Upload::decode(&made.message).expect("it was just made").handles.to_vec()
}

#[test]
fn pseudonyms_of_ids_match_the_known_answers() {
    let Handles { integers, texts } = vectors().tree.handles;
    let expected = |handles: &mut dyn Iterator<Item = [u8; 16]>| {
        let mut handles: Vec<_> = handles.map(u128::from_be_bytes).collect();
        handles.sort_unstable();
        handles
    };
    let ids: Vec<_> = integers.iter().map(|pseudonym| pseudonym.id).collect();
    let known = expected(&mut integers.iter().map(|pseudonym| pseudonym.handle));
    assert_eq!(handles(Ids::Integers(&ids)), known);

    let (mut ends, mut bytes) = (Vec::new(), String::new());
    for Pseudonym { id, .. } in &texts {
        bytes += id;
        ends.push(bytes.len() as u64);
    }
    let ids = Packed::new(ends, bytes.into_bytes()).unwrap();
    let known = expected(&mut texts.iter().map(|pseudonym| pseudonym.handle));
    assert_eq!(handles(Ids::Texts(&ids)), known);
}
