//! The contract of a store: scripts that the store in memory and a store of plain lists answer alike.
//!
//! `tests/vectors/store` holds the scripts. `MOPSE_WRITE_SCRIPTS=1 cargo test --test store` writes
//! them anew; what they tell is in `tests/support/stories.rs`, and what must be answered comes from the
//! plaintexts in `tests/support/oracle.rs`, not from a store.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/lists.rs"]
mod lists;
#[path = "support/oracle.rs"]
mod oracle;
#[path = "support/scene.rs"]
mod scene;
#[path = "support/scripts.rs"]
mod scripts;
#[path = "support/stories.rs"]
mod stories;

use std::collections::BTreeSet;
use std::sync::{Arc, Once};

use lists::Lists;
use mopse::cloud::memory::Memory;
use mopse::cloud::store::Store;
use mopse::message::certificate::{Chain, Owner};
use mopse::message::place::{Epoch, Group, Node, Stamp};
use mopse::message::query::{Predicate, Query, Scope, Selection, Token};
use mopse::message::removal::Removal;
use mopse::message::upload::{Portion, Removed, Replaced, Run, Upload, Version};
use mopse::wire::Blobs;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use scripts::{Script, Shows};

/// What a script tells, without the bytes, some of which are others every time.
fn story(script: &Script) -> Vec<&str> {
    script.operations.iter().map(|operation| operation.about.as_str()).collect()
}

/// The scripts as they are kept, after they were written anew if that was asked for.
fn kept() -> Vec<(String, Script)> {
    static WRITTEN: Once = Once::new();
    WRITTEN.call_once(|| {
        if std::env::var_os("MOPSE_WRITE_SCRIPTS").is_some() {
            stories::ALL.iter().for_each(|(name, tell)| scripts::write(name, &tell()));
        }
    });
    scripts::read_all()
}

#[test]
fn the_scripts_are_those_of_the_stories() {
    let scripts = kept();
    for (name, tell) in stories::ALL {
        let script = tell();
        let (_, written) = scripts.iter().find(|(of, _)| of == name).unwrap();
        assert_eq!((&written.about, &written.source), (&script.about, &script.source), "{name}");
        assert_eq!(story(written), story(&script), "{name} is told otherwise than it is written");
    }
}

#[test]
fn scripts_are_the_same_to_the_byte() {
    let scripts = kept();
    for (name, tell) in stories::ALL {
        let (_, written) = scripts.iter().find(|(of, _)| of == name).unwrap();
        assert!(*written == tell(), "{name} is told otherwise than it is written");
    }
}

#[test]
fn the_store_in_memory_answers_as_the_scripts_say() {
    for (name, script) in kept() {
        scripts::run(&name, &script, Memory::default());
    }
}

#[test]
fn a_store_of_lists_answers_as_the_scripts_say() {
    for (name, script) in kept() {
        scripts::run(&name, &script, Lists::default());
    }
}

#[test]
fn stories_told_anew_are_answered_as_well() {
    for (name, tell) in stories::ALL {
        let script = tell();
        scripts::run(name, &script, Memory::default());
        scripts::run(name, &script, Lists::default());
    }
}

#[test]
fn a_script_with_a_wrong_answer_is_noticed() {
    let (name, mut script) = kept().remove(0);
    for at in 0..script.operations.len() {
        let answer =
            std::mem::replace(&mut script.operations[at].answer, scripts::Answer::Count(7));
        let ran = std::panic::catch_unwind(|| scripts::run(&name, &script, Lists::default()));
        assert!(ran.is_err(), "operation {at}");
        script.operations[at].answer = answer;
    }
}

const OWNERS: [Owner; 2] = [Owner([1; 32]), Owner([2; 32])];

/// A place, two of which have one path in two epochs.
fn place(number: usize) -> Node {
    let (path, epochs): (_, &[u32]) =
        [("a", &[0][..]), ("b", &[0]), ("a", &[1]), ("a/b", &[0, 0]), ("a/b", &[1, 0])][number];
    let epochs: Vec<Epoch> = epochs.iter().map(|&epoch| epoch.into()).collect();
    Node::of(path, &epochs).unwrap()
}

/// An entry of a field for some records, and ciphertexts of which many are equal.
type Values = Vec<Option<i64>>;

/// What happens to two stores.
#[derive(Debug, Clone)]
enum Step {
    Add {
        owner: usize,
        provider: usize,
        id: u128,
        first: u128,
        fields: [Values; 2],
        knows: Vec<bool>,
    },
    Delete {
        owner: usize,
        provider: usize,
        id: u128,
        handles: Vec<u128>,
        place: usize,
    },
    Search {
        owner: usize,
        tokens: Vec<(usize, bool, Choice)>,
    },
    Remove {
        owner: usize,
        provider: usize,
        id: Option<u128>,
    },
}

/// Which records a token asks for.
#[derive(Debug, Clone)]
enum Choice {
    Ranges(Vec<(usize, i64, i64)>),
    Records(Vec<u128>),
    All,
}

fn values() -> impl Strategy<Value = Values> {
    vec(proptest::option::weighted(0.8, 0..5_i64), 5)
}

fn step() -> impl Strategy<Value = Step> {
    let fields = [values(), values()];
    let knows = vec(prop::bool::weighted(0.8), 5);
    let handles =
        || btree_set(0..16_u128, 1..4).prop_map(|all| all.into_iter().collect::<Vec<_>>());
    let (owner, provider) = (0..2_usize, 0..5_usize);
    let add = (owner.clone(), provider.clone(), 1..40_u128, 0..12_u128, fields, knows).prop_map(
        |(owner, provider, id, first, fields, knows)| Step::Add {
            owner,
            provider,
            id,
            first,
            fields,
            knows,
        },
    );
    let delete = (owner.clone(), provider.clone(), 1..40_u128, handles(), 0..5_usize).prop_map(
        |(owner, provider, id, handles, place)| Step::Delete {
            owner,
            provider,
            id,
            handles,
            place,
        },
    );
    let range = (0..3_usize, 0..5_i64, 0..5_i64).prop_map(|(f, a, b)| (f, a.min(b), a.max(b)));
    let choice = prop_oneof![
        4 => vec(range, 1..3).prop_map(Choice::Ranges),
        2 => handles().prop_map(Choice::Records),
        1 => Just(Choice::All),
    ];
    let search = (owner.clone(), vec((0..5_usize, any::<bool>(), choice), 1..4))
        .prop_map(|(owner, tokens)| Step::Search { owner, tokens });
    let remove = (owner, provider, proptest::option::of(1..40_u128))
        .prop_map(|(owner, provider, id)| Step::Remove { owner, provider, id });
    prop_oneof![5 => add, 2 => delete, 4 => search, 1 => remove]
}

/// An upload of five records in two portions, which replace what is known of them.
fn made(
    owner: usize,
    provider: usize,
    id: u128,
    first: u128,
    fields: &[Values],
    versions: &[Option<Version>],
) -> Upload {
    let records = 5;
    let portion = |name: &str, letter: u8| {
        let mut sealed = Blobs::default();
        (0..records).for_each(|at| sealed.push(&vec![letter; at]));
        Portion { name: name.to_owned(), layout: id.to_le_bytes().to_vec(), records: sealed }
    };
    let run = |(field, values): (&str, &Values)| {
        let mut entries: Vec<(i64, u32)> = values
            .iter()
            .zip(0..)
            .filter_map(|(value, record)| Some(((*value)?, record)))
            .collect();
        entries.sort_unstable();
        let (ciphertexts, records) = entries.into_iter().unzip();
        Run { field: field.to_owned(), ciphertexts, records }
    };
    let runs = ["x", "y"].into_iter().zip(fields).map(run).collect();
    let handles = (0..).take(records).map(|at: u128| first + at).collect();
    let (portions, readers) = (vec![portion("a", b'r'), portion("b", b's')], Epoch::default());
    let (owner, provider) = (OWNERS[owner], place(provider));
    let upload =
        Upload::new(owner, provider, id, [0; 32], readers, handles, portions, runs).unwrap();
    let replaced = versions.iter().zip(0..);
    let replaced =
        replaced.filter_map(|(version, row)| Some(Replaced { row, version: (*version)? }));
    let digest = [u8::try_from(first).unwrap(); 32];
    Upload { replaced: Arc::new(replaced.collect()), digest, ..upload }
}

/// An upload that removes records of a place.
fn deletion(
    owner: usize,
    provider: usize,
    id: u128,
    rows: Vec<(u128, Version)>,
    at: usize,
) -> Upload {
    let (owner, readers) = (OWNERS[owner], Epoch::default());
    let upload =
        Upload::new(owner, place(provider), id, [0; 32], readers, vec![], vec![], vec![]).unwrap();
    Upload { removed: Arc::new(vec![Removed { provider: place(at), rows }]), ..upload }
}

fn token(id: u128, at: usize, own: bool, choice: &Choice) -> Token {
    let subject = place(at);
    let predicate = |&(field, low, high): &(usize, i64, i64)| {
        let field = ["x", "y", "z"][field].to_owned();
        Predicate { field, low, high, slots: None }
    };
    let name = subject.names().last().unwrap().clone();
    Token {
        id,
        group: Group::of(&subject).unwrap(),
        stamp: Stamp::default(),
        scope: if own { Scope::One(name) } else { Scope::Group },
        selection: match choice {
            Choice::Ranges(ranges) => Selection::Ranges(ranges.iter().map(predicate).collect()),
            Choice::Records(handles) => Selection::Records(handles.clone()),
            Choice::All => Selection::All,
        },
    }
}

fn query(owner: usize, tokens: Vec<Token>) -> Query {
    let (owner, issuer) = (OWNERS[owner], Chain::default());
    Query { owner, schema: [0; 32], id: 7, expiry: 0, issuer, tokens, delegated: None }
}

/// The version of a record, or of its tombstone, as a store tells it.
fn version(store: &Memory, owner: usize, at: usize, handle: u128) -> Option<Version> {
    let all = Choice::Records(vec![handle]);
    let parts = store.search(&query(owner, vec![token(1, at, true, &all)])).unwrap();
    parts.iter().find_map(|part| match (part.handles.first(), part.removed.first()) {
        (Some(_), _) => {
            let digest = mopse::message::upload::digest_of_row(&part.portions, 0);
            Some(Version::new(part.upload, handle, &digest))
        }
        (_, Some(&(_, by))) => Some(Version::of_tombstone(by, handle)),
        _ => None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(scene::cases(200)))]

    /// Equal ciphertexts, bounds that are ciphertexts themselves, groups of one name, numbers that were
    /// used: what a gate would let through, made by hand.
    #[test]
    fn two_stores_answer_alike_whatever_happens(steps in vec(step(), 1..25)) {
        let (memory, lists) = (Memory::default(), Lists::default());
        let add = |upload: Upload| {
            let ours = memory.add(upload.clone(), &[]);
            (ours, lists.add(upload, &[]).map_err(|refused| refused.0))
        };
        for step in steps {
            match step {
                Step::Add { owner, provider, id, first, fields, knows } => {
                    let versions: Vec<Option<Version>> = (first..)
                        .zip(knows)
                        .map(|(handle, knows)| version(&memory, owner, provider, handle).filter(|_| knows))
                        .collect();
                    let (ours, theirs) = add(made(owner, provider, id, first, &fields, &versions));
                    prop_assert_eq!(ours, theirs);
                }
                Step::Delete { owner, provider, id, handles, place } => {
                    let known = |&handle: &u128| {
                        let version = version(&memory, owner, place, handle);
                        (handle, version.unwrap_or(Version(0)))
                    };
                    let rows = handles.iter().map(known).collect();
                    let (ours, theirs) = add(deletion(owner, provider, id, rows, place));
                    prop_assert_eq!(ours, theirs);
                }
                Step::Search { owner, tokens } => {
                    let tokens = (1..).zip(&tokens);
                    let tokens = tokens.map(|(id, (at, own, choice))| token(id, *at, *own, choice));
                    let query = query(owner, tokens.collect());
                    let (ours, theirs) =
                        (memory.search(&query).unwrap(), lists.search(&query).unwrap());
                    let found: usize = ours.iter().map(|part| part.handles.len()).sum();
                    prop_assert_eq!(ours, theirs);
                    prop_assert_eq!(memory.count(&query).unwrap(), found);
                }
                Step::Remove { owner, provider, id } => {
                    let (node, of) = (place(provider), OWNERS[owner]);
                    let path = node.path();
                    let removal = id.map(|id| {
                        let (issuer, digest) = (Chain::default(), [u8::try_from(id).unwrap(); 32]);
                        {
                            let bytes = Vec::new();
                            Removal { owner: of, id, provider: node, issuer, digest, bytes }
                        }
                    });
                    let ours = memory.remove(&of, &path, removal.as_ref());
                    let theirs = lists.remove(&of, &path, removal.as_ref());
                    prop_assert_eq!(ours, theirs.map_err(|refused| refused.0));
                }
            }
            let shown = scripts::Answer::contents(&Shows::contents(&memory));
            prop_assert_eq!(shown, scripts::Answer::contents(&lists.contents()));
            prop_assert_eq!(memory.totals().unwrap(), lists.totals());
            let groups: BTreeSet<String> =
                lists.contents().iter().map(|content| content.group.to_string()).collect();
            for (group, owner) in groups.iter().flat_map(|group| [(group, 0), (group, 1)]) {
                let merged = memory.merged(&OWNERS[owner], group, "x").unwrap();
                prop_assert_eq!(merged, lists.merged(&OWNERS[owner], group, "x"));
            }
        }
    }
}
