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
use std::sync::Once;

use lists::Lists;
use mopse::cloud::memory::Memory;
use mopse::cloud::store::{Removed, Store};
use mopse::message::certificate::{Certificate, Chain, Owner};
use mopse::message::place::{Group, Node};
use mopse::message::token::{Predicate, Scope, Token};
use mopse::message::upload::{Run, Upload};
use mopse::wire::Blobs;
use proptest::collection::vec;
use proptest::prelude::*;
use scripts::{Script, Shows};

/// What a script tells, without the bytes, which are others every time.
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
    Node::of(path, epochs).unwrap()
}

/// An entry of a field for some records, and ciphertexts of which many are equal.
type Values = Vec<Option<i64>>;

/// What happens to two stores.
#[derive(Debug, Clone)]
enum Step {
    Add { owner: usize, provider: usize, sequence: u64, first: u128, fields: [Values; 2] },
    Search { owner: usize, group: usize, own: bool, ranges: Vec<(usize, i64, i64)> },
    Remove { owner: usize, provider: usize },
}

fn values() -> impl Strategy<Value = Values> {
    vec(proptest::option::weighted(0.8, 0..5_i64), 5)
}

fn step() -> impl Strategy<Value = Step> {
    let add = (0..2_usize, 0..5_usize, 1..6_u64, 0..12_u128, [values(), values()]).prop_map(
        |(owner, provider, sequence, first, fields)| Step::Add {
            owner,
            provider,
            sequence,
            first,
            fields,
        },
    );
    let range = (0..3_usize, 0..5_i64, 0..5_i64).prop_map(|(f, a, b)| (f, a.min(b), a.max(b)));
    let search = (0..2_usize, 0..5_usize, any::<bool>(), vec(range, 1..3))
        .prop_map(|(owner, group, own, ranges)| Step::Search { owner, group, own, ranges });
    let remove =
        (0..2_usize, 0..5_usize).prop_map(|(owner, provider)| Step::Remove { owner, provider });
    prop_oneof![4 => add, 4 => search, 1 => remove]
}

fn made(owner: usize, provider: usize, sequence: u64, first: u128, fields: &[Values]) -> Upload {
    let records = 5;
    let mut sealed = Blobs::default();
    (0..records).for_each(|at| sealed.push(&vec![b'r'; at]));
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
    let layout = sequence.to_le_bytes().to_vec();
    let provider = place(provider);
    Upload::new(OWNERS[owner], provider, [0; 32], sequence, handles, layout, sealed, runs).unwrap()
}

fn token(owner: usize, group: usize, own: bool, ranges: &[(usize, i64, i64)]) -> Token {
    let subject = place(group);
    let certificate = Certificate { subject: subject.clone(), key: [0; 32], signature: [0; 64] };
    let predicate = |&(field, low, high): &(usize, i64, i64)| {
        let field = ["x", "y", "z"][field].to_owned();
        Predicate { field, low, high }
    };
    Token {
        owner: OWNERS[owner],
        schema: [0; 32],
        group: Group::of(&subject).unwrap(),
        scope: if own { Scope::Own } else { Scope::Group },
        predicates: ranges.iter().map(predicate).collect(),
        expiry: 0,
        id: 1,
        query: 2,
        issuer: Chain(vec![certificate]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Equal ciphertexts, bounds that are ciphertexts themselves, and groups of one name: what a gate
    /// would let through, made by hand.
    #[test]
    fn two_stores_answer_alike_whatever_happens(steps in vec(step(), 1..25)) {
        let (memory, lists) = (Memory::default(), Lists::default());
        for step in steps {
            match step {
                Step::Add { owner, provider, sequence, first, fields } => {
                    let upload = || made(owner, provider, sequence, first, &fields);
                    let taken = (memory.add(upload(), &[]), lists.add(upload(), &[]));
                    let (ours, theirs) = (taken.0, taken.1.map_err(|refused| refused.0));
                    prop_assert_eq!(ours, theirs);
                }
                Step::Search { owner, group, own, ranges } => {
                    let tokens = [
                        token(owner, group, own, &ranges),
                        token(1 - owner, group, !own, &ranges),
                    ];
                    let (ours, theirs) =
                        (memory.search(&tokens).unwrap(), lists.search(&tokens).unwrap());
                    let found: usize = ours.iter().map(|part| part.handles.len()).sum();
                    prop_assert_eq!(ours, theirs);
                    prop_assert_eq!(memory.count(&tokens).unwrap(), found);
                }
                Step::Remove { owner, provider } => {
                    let (owner, path) = (&OWNERS[owner], place(provider).path());
                    let ours: Removed = memory.remove(owner, &path).unwrap();
                    prop_assert_eq!(ours, lists.remove(owner, &path).unwrap());
                }
            }
            let shown = scripts::Answer::contents(&Shows::contents(&memory));
            prop_assert_eq!(shown, scripts::Answer::contents(&lists.contents()));
            prop_assert_eq!(memory.totals(), lists.totals());
            let groups: BTreeSet<String> =
                lists.contents().iter().map(|content| content.group.to_string()).collect();
            for (group, owner) in groups.iter().flat_map(|group| [(group, 0), (group, 1)]) {
                let merged = memory.merged(&OWNERS[owner], group, "x").unwrap();
                prop_assert_eq!(merged, lists.merged(&OWNERS[owner], group, "x"));
            }
        }
    }
}
