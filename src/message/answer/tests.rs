use super::*;
use crate::message::place::Group;
use crate::party::Keyring;
use crate::party::records::Ids;
use crate::party::scene::{Cloud, NOW, age, ask, owner, upload};

/// An owner with a hospital, its ward and a clinic, and what a cloud answers to its query for everything:
/// two parts of the hospital, one of the clinic, one of the ward.
struct Asked {
    owner: Keyring,
    hospital: Keyring,
    cloud: Cloud,
    query: Query,
    answer: Answer,
}

fn asked() -> Asked {
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let ward = owner.authorize("ward", &["hospital"]).unwrap();
    let clinic = owner.authorize("clinic", &[]).unwrap();
    let cloud = Cloud::of(&mut owner);
    for (provider, ids) in
        [(&hospital, [1, 2]), (&clinic, [1, 2]), (&hospital, [3, 4]), (&ward, [1, 2])]
    {
        cloud.receive(&upload(provider, &ids.map(|id| (id, 40, None)))).unwrap();
    }
    let bytes = ask(&owner, &[age(0, 120)]);
    let (query, answer) = (Query::decode(&bytes).unwrap(), cloud.answer(&bytes).unwrap());
    let pages =
        |answer: &Answer| answer.parts.iter().map(|part| (part.page, part.is_last)).collect();
    let pages: Vec<_> = pages(&answer);
    assert_eq!(pages, [(0, false), (1, false), (2, true), (0, true)]);
    Asked { owner, hospital, cloud, query, answer }
}

/// Why a changed answer is refused, by itself and after it travelled.
fn refused(query: &Query, answer: &Answer, change: impl FnOnce(&mut Answer)) -> String {
    let mut changed = answer.clone();
    change(&mut changed);
    let travelled = Answer::decode(&changed.encode()).unwrap();
    let [one, other] = [changed, travelled].map(|answer| answer.check(query));
    assert_eq!(one, other);
    match one {
        Err(Error::Answer { what: "the answer", why }) => why,
        other => panic!("{other:?}"),
    }
}

/// Numbers the pages of an answer anew, as a cloud that leaves something out would.
fn renumber(answer: &mut Answer) {
    let count = answer.parts.len();
    for at in 0..count {
        let is_next = at > 0 && answer.parts[at - 1].token == answer.parts[at].token;
        answer.parts[at].page = if is_next { answer.parts[at - 1].page + 1 } else { 0 };
        let is_last = at + 1 == count || answer.parts[at + 1].token != answer.parts[at].token;
        answer.parts[at].is_last = is_last;
    }
}

#[test]
fn an_honest_answer_is_taken_also_after_it_travelled() {
    let Asked { query, answer, .. } = asked();
    assert_eq!(answer.check(&query), Ok(()));
    let travelled = Answer::decode(&answer.encode()).unwrap();
    assert_eq!((&travelled, travelled.check(&query)), (&answer, Ok(())));
    for part in &answer.parts {
        assert_eq!(Part::decode(&part.encode()).as_ref(), Ok(part));
    }
    let nothing = Answer { query: query.id, parts: Vec::new(), proof: None };
    assert_eq!(nothing.check(&Query { tokens: Vec::new(), ..query }), Ok(()));
}

#[test]
fn an_answer_to_another_query_is_refused() {
    let Asked { owner, cloud, query, answer, .. } = asked();
    let other = ask(&owner, &[age(0, 120)]);
    let (of_other, other) = (cloud.answer(&other).unwrap(), Query::decode(&other).unwrap());
    assert_eq!(refused(&query, &of_other, |_| ()), "it names another one");
    assert_eq!(refused(&other, &answer, |_| ()), "it names another one");
    let relabelled = refused(&query, &of_other, |answer| answer.query = query.id);
    assert_eq!(relabelled, "a token is not answered, or not to its end");
}

#[test]
fn a_part_that_is_relabelled_doubled_or_moved_is_refused() {
    let Asked { query, answer, .. } = asked();
    let with = |change: &dyn Fn(&mut Vec<Part>)| {
        refused(&query, &answer, |answer| change(&mut answer.parts))
    };
    const UNANSWERED: &str = "a token is not answered, or not to its end";
    assert_eq!(with(&|parts| parts[1].token = parts[3].token), UNANSWERED);
    assert_eq!(with(&|parts| parts[1].token ^= 1), UNANSWERED);
    assert_eq!(with(&|parts| parts.swap(1, 3)), UNANSWERED);
    assert_eq!(with(&|parts| parts.rotate_left(3)), UNANSWERED);
    const PAGE: &str = "a page is missing, or comes twice";
    assert_eq!(with(&|parts| parts.insert(1, parts[0].clone())), PAGE);
    assert_eq!(with(&|parts| parts.swap(0, 1)), PAGE);
    assert_eq!(with(&|parts| parts[1].page = 7), PAGE);
    assert_eq!(with(&|parts| drop(parts.remove(1))), PAGE);
    assert_eq!(with(&|parts| drop(parts.remove(0))), PAGE);
    const LEFT: &str = "a part of it answers no token, or one for the second time";
    assert_eq!(with(&|parts| parts.push(parts[3].clone())), LEFT);
    assert_eq!(with(&|parts| parts.extend(parts.clone())), LEFT);
}

#[test]
fn a_token_without_an_answer_or_without_its_end_is_refused() {
    let Asked { query, answer, .. } = asked();
    let with = |change: &dyn Fn(&mut Vec<Part>)| {
        refused(&query, &answer, |answer| change(&mut answer.parts))
    };
    const UNANSWERED: &str = "a token is not answered, or not to its end";
    assert_eq!(with(&|parts| parts.clear()), UNANSWERED);
    assert_eq!(with(&|parts| parts.truncate(3)), UNANSWERED);
    assert_eq!(with(&|parts| parts.truncate(2)), UNANSWERED);
    assert_eq!(with(&|parts| drop(parts.drain(..3))), UNANSWERED);
    assert_eq!(with(&|parts| parts[3].is_last = false), UNANSWERED);
    assert_eq!(with(&|parts| drop(parts.remove(2))), UNANSWERED);
    assert_eq!(with(&|parts| parts[1].is_last = true), UNANSWERED);
}

#[test]
fn an_answer_of_several_states_or_owners_is_refused() {
    let Asked { query, answer, .. } = asked();
    for at in 0..answer.parts.len() {
        let states = refused(&query, &answer, |answer| answer.parts[at].snapshot += 1);
        assert_eq!(states, "its parts are of several states of the cloud", "part {at}");
        let owners = refused(&query, &answer, |answer| answer.parts[at].owner = owner(2).owner());
        assert_eq!(owners, "a part of it is of another owner", "part {at}");
    }
}

#[test]
fn a_part_of_a_provider_that_was_not_asked_is_refused() {
    let Asked { hospital, cloud, query, answer, .. } = asked();
    const WHO: &str = "a part of it is of a provider that was not asked";
    let ward = answer.parts[3].provider.clone();
    let with =
        |provider: Node| refused(&query, &answer, |answer| answer.parts[0].provider = provider);
    assert_eq!(with(ward), WHO, "of another group");
    assert_eq!(with(Node::root()), WHO, "nobody's records");
    assert_eq!(with(Node::root().child("hospital", 1).unwrap()), WHO, "of another epoch");
    let nobodys = |answer: &mut Answer| {
        let nothing = Part::nothing(query.owner, answer.parts[0].token, answer.parts[0].snapshot);
        answer.parts.insert(0, nothing);
        renumber(answer);
    };
    let mut empty = answer.clone();
    nobodys(&mut empty);
    assert_eq!(empty.check(&query), Ok(()), "no records are no harm");

    let own = ask(&hospital, &[age(0, 120)]);
    assert!(cloud.answer(&own).is_err(), "it does not know of the ward yet");
    let lookup = hospital.lookup("hospital", Ids::Integers(&[1]), NOW).unwrap();
    let (found, lookup) = (cloud.answer(&lookup).unwrap(), Query::decode(&lookup).unwrap());
    assert_eq!(lookup.tokens[0].group, Group::of(hospital.node()).unwrap());
    let clinic = answer.parts.iter().find(|part| part.provider.path() == "clinic").unwrap();
    let lied =
        refused(&lookup, &found, |answer| answer.parts[0].provider = clinic.provider.clone());
    assert_eq!(lied, WHO, "a sibling");
}

/// Adds a row of a part to another part.
fn add_row(answer: &mut Answer, (from, row): (usize, usize), to: usize) {
    let part = answer.parts[from].clone();
    let Part { handles, portions, .. } = &mut answer.parts[to];
    let at = handles.partition_point(|&handle| handle < part.handles[row]);
    handles.insert(at, part.handles[row]);
    for (portion, source) in portions.iter_mut().zip(&part.portions) {
        let mut records = Blobs::default();
        for before in 0..=portion.records.len() {
            if before == at {
                records.push(source.records.get(row));
            }
            if before < portion.records.len() {
                records.push(portion.records.get(before));
            }
        }
        portion.records = records;
    }
}

#[test]
fn a_record_that_comes_twice_is_refused() {
    let Asked { query, answer, .. } = asked();
    let of = |path: &str| {
        let at = |(at, part): (usize, &Part)| (part.provider.path() == path).then_some(at);
        answer.parts.iter().enumerate().filter_map(at).collect::<Vec<_>>()
    };
    let (hospital, clinic) = (of("hospital"), of("clinic"));
    const ORDER: &str = "the records of a part are out of order, or come twice";
    let within = refused(&query, &answer, |answer| add_row(answer, (hospital[0], 0), hospital[0]));
    assert_eq!(within, ORDER);
    let swapped = refused(&query, &answer, |answer| answer.parts[0].handles.swap(0, 1));
    assert_eq!(swapped, ORDER);
    const TWICE: &str = "a record comes twice";
    let across = refused(&query, &answer, |answer| add_row(answer, (hospital[0], 0), hospital[1]));
    assert_eq!(across, TWICE);
    let again = refused(&query, &answer, |answer| {
        let part = answer.parts[0].clone();
        answer.parts.insert(0, part);
        renumber(answer);
    });
    assert_eq!(again, TWICE);

    // One handle at two providers is two records.
    let mut alike = answer.clone();
    let handles = alike.parts[hospital[0]].handles.clone();
    alike.parts[clinic[0]].handles = handles;
    assert_eq!(alike.check(&query), Ok(()));
}

#[test]
fn an_answer_to_a_lookup_holds_what_was_asked_for_and_says_what_was_removed() {
    let Asked { hospital, cloud, query, answer, .. } = asked();
    cloud.delete(&hospital, &[2]).unwrap();
    let lookup = hospital.lookup("hospital", Ids::Integers(&[1, 2, 9]), NOW).unwrap();
    let (found, lookup) = (cloud.answer(&lookup).unwrap(), Query::decode(&lookup).unwrap());
    let [live, removed] = &found.parts[..] else { panic!("{found:?}") };
    let handles = hospital.handles(Ids::Integers(&[1, 2, 3]));
    assert_eq!((&live.handles[..], removed.removed[0].0), (&handles[..1], handles[1]));

    const NOT_ASKED: &str = "it holds a record that was not asked for";
    let with = |change: &dyn Fn(&mut Answer)| refused(&lookup, &found, change);
    assert_eq!(with(&|answer| answer.parts[0].handles[0] ^= 1), NOT_ASKED);
    assert_eq!(with(&|answer| answer.parts[1].removed[0].0 = handles[2]), NOT_ASKED);
    const TWICE: &str = "a record comes twice";
    assert_eq!(
        with(&|answer| answer.parts[1].removed[0].0 = handles[0]),
        TWICE,
        "live and removed"
    );
    assert_eq!(with(&|answer| answer.parts[1].removed.push((handles[1], 5))), TWICE);
    let of_all = refused(&query, &answer, |answer| answer.parts[0].removed = vec![(1, 2)]);
    assert_eq!(of_all, "it names removed records, which were not asked for");
}

#[test]
fn a_part_with_more_or_fewer_records_than_handles_is_none() {
    let Asked { answer, .. } = asked();
    let mut fewer = answer.parts[0].clone();
    fewer.handles.pop();
    let what = "the list of sealed records";
    assert_eq!(fewer.clone().checked(), Err(Error::Length { what, expected: 1, got: 2 }));
    assert!(matches!(Part::decode(&fewer.encode()), Err(Error::Wire(wire::Error::Format { .. }))));
    let mut bare = answer.parts[0].clone();
    bare.portions.clear();
    assert_eq!(bare.clone().checked(), Err(Error::Length { what, expected: 2, got: 0 }));
    assert!(Part::decode(&bare.encode()).is_err());
}

/// What is not noticed by this check, and is said to be.
#[test]
fn a_cloud_that_leaves_something_out_or_tells_an_old_state_is_not_noticed() {
    let Asked { hospital, owner, cloud, query, answer } = asked();
    let mut fewer = answer.clone();
    fewer.parts.remove(1);
    renumber(&mut fewer);
    assert_eq!(fewer.check(&query), Ok(()));
    cloud.update(&hospital, &[(1, 41, None)]).unwrap();
    let now = cloud.answer(&ask(&owner, &[age(0, 120)])).unwrap();
    assert!(now.parts[0].snapshot > answer.parts[0].snapshot);
    assert_eq!(answer.check(&query), Ok(()));
}
