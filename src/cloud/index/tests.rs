use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::cloud::Error;
use crate::message;
use crate::message::upload::Run;

fn run(field: &str, entries: &[(i64, u32)]) -> Run {
    let mut entries = entries.to_vec();
    entries.sort_unstable();
    let (ciphertexts, records) = entries.into_iter().unzip();
    Run { field: field.to_owned(), ciphertexts, records }
}

fn between(field: &str, low: i64, high: i64) -> Predicate {
    Predicate { field: field.to_owned(), low, high, slots: None }
}

fn add(index: &mut Index, handles: &[u128], runs: Vec<Run>) {
    let rows = u32::try_from(handles.len()).unwrap();
    let handles = Arc::new(handles.to_vec());
    index.push(Arc::new(Level::new(index.end(), rows, handles, Arc::new(runs)).unwrap()));
}

/// ```text
/// row 0  age 40  pressure 150      row 2  age 50
/// row 1  age 70  pressure 140      row 3  age 45  pressure 160
/// ```
fn two_uploads() -> Index {
    let mut index = Index::with_handles();
    let runs = vec![run("age", &[(40, 0), (70, 1)]), run("pressure", &[(150, 0), (140, 1)])];
    add(&mut index, &[7, 9], runs);
    let runs = vec![run("age", &[(50, 0), (45, 1)]), run("pressure", &[(160, 1)])];
    add(&mut index, &[3, 8], runs);
    index
}

/// The same before and after levels are merged.
fn both(check: impl Fn(&Index, &Marks)) {
    let (mut index, dead) = (two_uploads(), Marks::default());
    check(&index, &dead);
    index.settle(&dead, 0, usize::MAX, true);
    assert_eq!(index.levels(), 1);
    check(&index, &dead);
}

#[test]
fn a_range_worked_by_hand_is_inclusive_at_both_ends() {
    both(|index, dead| {
        assert_eq!(index.search(&[between("age", 40, 50)], dead), [0, 2, 3]);
        assert_eq!(index.count(&[between("age", 40, 50)], dead), 3);
        assert_eq!(index.count(&[between("age", 41, 49)], dead), 1);
        assert_eq!(index.count(&[between("age", 50, 40)], dead), 0);
        assert_eq!(index.entries(dead), 7);
    });
}

#[test]
fn a_conjunction_keeps_what_is_in_all_ranges() {
    both(|index, dead| {
        let predicates = [between("age", 40, 50), between("pressure", 145, 200)];
        assert_eq!(index.search(&predicates, dead), [0, 3]);
        assert_eq!(index.count(&predicates, dead), 2);
    });
}

#[test]
fn handles_lead_to_rows_and_what_is_merged_is_in_order() {
    both(|index, dead| {
        let rows = index.find(&[3, 4, 7, 8, 9, 10], dead);
        assert_eq!(rows, [Some(2), None, Some(0), Some(3), Some(1), None]);
        assert_eq!(index.merged("age", dead), (vec![40, 45, 50, 70], vec![0, 3, 2, 1]));
        assert_eq!(index.merged("weight", dead), (vec![], vec![]));
    });
}

#[test]
fn a_field_without_entries_and_no_predicate_find_nothing() {
    both(|index, dead| {
        assert_eq!(index.search(&[between("height", 0, i64::MAX)], dead), [0; 0]);
        assert_eq!(index.search(&[], dead), [0; 0]);
    });
}

#[test]
fn an_unsorted_run_is_no_level() {
    let bad = Run { field: "age".into(), ciphertexts: vec![2, 1], records: vec![0, 1] };
    let level = Level::new(0, 2, Arc::default(), Arc::new(vec![bad]));
    let unsorted = Error::from(message::Error::UnsortedRun { run: 0, position: 1 });
    assert_eq!(level.map(|_| ()), Err(unsorted));
}

#[test]
fn dead_rows_leave_a_level_when_they_are_a_quarter_of_it() {
    let (mut index, mut dead) = (Index::with_handles(), Marks::default());
    let handles: Vec<u128> = (0..100).collect();
    let ages: Vec<(i64, u32)> = (0..100).map(|row| (i64::from(row), row)).collect();
    add(&mut index, &handles, vec![run("age", &ages)]);
    for row in 0..100 {
        assert!(dead.mark(row));
        index.kill(row);
        index.settle(&dead, 0, usize::MAX, false);
        let rows = usize::try_from(99 - row).unwrap();
        assert_eq!(index.count(&[between("age", 0, 99)], &dead), rows);
        assert_eq!(index.entries(&dead), rows);
        let kept: usize =
            index.tiers.iter().map(|tier| tier.level.entries().flatten().count()).sum();
        assert!(3 * kept <= 4 * rows + 3, "{kept} entries of {rows} rows");
    }
    assert_eq!(index.levels(), 0);
}

#[test]
fn the_number_of_a_row_that_is_forgotten_is_not_given_again() {
    let (mut index, mut dead) = (Index::default(), Marks::default());
    add(&mut index, &[1], vec![run("age", &[(40, 0)])]);
    assert!(dead.mark(0));
    index.kill(0);
    index.settle(&dead, 0, usize::MAX, false);
    assert_eq!((index.levels(), index.end()), (0, 1));
    add(&mut index, &[2], vec![run("age", &[(40, 0)])]);
    assert_eq!(index.search(&[between("age", 40, 40)], &dead), [1]);
}

#[test]
fn a_level_that_was_merged_meanwhile_is_not_put_in_place() {
    let (mut index, dead) = (two_uploads(), Marks::default());
    let work = index.overdue(0, usize::MAX).unwrap();
    let level = work.done(&dead, false);
    index.settle(&dead, 0, usize::MAX, false);
    assert!(!index.replace(&work, level));
    assert_eq!(index.count(&[between("age", 0, 99)], &dead), 4);
}

#[test]
fn one_row_at_a_time_leaves_few_levels_and_moves_each_entry_seldom() {
    let (mut index, dead) = (Index::default(), Marks::default());
    let mut moved = 0;
    let rows = 20_000_u64;
    for row in 0..rows {
        add(
            &mut index,
            &[u128::from(row)],
            vec![run("age", &[((row * 7919 % rows).cast_signed(), 0)])],
        );
        while let Some(work) = index.overdue(0, usize::MAX) {
            moved += work.rows();
            let level = work.done(&dead, false);
            assert!(index.replace(&work, level));
        }
        let most = (row + 1).ilog(4) + 1;
        assert!(index.levels() <= usize::try_from(most).unwrap(), "{} levels", index.levels());
    }
    // Each entry is moved at most three times before it is in a level of four times the size.
    let most = 3 * usize::try_from(rows.ilog(4) + 1).unwrap();
    assert!(moved < most * usize::try_from(rows).unwrap(), "{moved} moves");
}

/// What happens to an index: rows come, of which the field `b` has but some; a row dies; levels are
/// merged, as far as they are not too many rows.
#[derive(Debug, Clone)]
enum Step {
    Add(Vec<(i64, Option<i64>)>),
    Kill(usize),
    Settle(usize, usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => vec((0..9_i64, proptest::option::of(0..9_i64)), 1..8).prop_map(Step::Add),
        2 => (0..40_usize).prop_map(Step::Kill),
        1 => (0..4_usize, 0..40_usize, any::<bool>()).prop_map(|(a, b, c)| Step::Settle(a, b, c)),
    ]
}

proptest! {
    /// Whatever comes, dies and is merged in between, a search finds what a scan finds, also in
    /// levels that must not span many rows, and an older clone finds what it found.
    #[test]
    fn searching_is_scanning(
        steps in vec(step(), 0..30),
        most_rows in prop_oneof![Just(MOST_ROWS), 8..40_u64],
        older_at in 0..30_usize,
        (low, high) in (0..9_i64, 0..9_i64),
    ) {
        let mut index = Index { most_rows, ..Index::with_handles() };
        let mut dead = Marks::default();
        let mut rows: BTreeMap<u64, (i64, Option<i64>)> = BTreeMap::new();
        let mut older = None;
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Add(values) => {
                    let first = index.end();
                    let of = |pick: fn(&(i64, Option<i64>)) -> Option<i64>| -> Vec<(i64, u32)> {
                        let values = values.iter().map(pick).zip(0..);
                        values.filter_map(|(value, row)| Some((value?, row))).collect()
                    };
                    let runs = vec![run("a", &of(|row| Some(row.0))), run("b", &of(|row| row.1))];
                    let handles: Vec<u128> = (0..values.len()).map(|at| (at * 10 + number) as u128).collect();
                    add(&mut index, &handles, runs);
                    rows.extend((first..).zip(values));
                }
                Step::Kill(at) => if let Some(&row) = rows.keys().nth(at) {
                    rows.remove(&row);
                    prop_assert!(dead.mark(row));
                    index.kill(row);
                },
                Step::Settle(from, most, with_all) => index.settle(&dead, from, most, with_all),
            }
            if number == older_at {
                older = Some((index.clone(), dead.clone(), rows.clone()));
            }
        }
        for (index, dead, rows) in older.into_iter().chain([(index, dead, rows)]) {
            let range = low..=high;
            let (a, b) = (between("a", low, high), between("b", 0, high));
            let held = rows.iter().filter(|(_, row)| range.contains(&row.0));
            let in_a: Vec<u64> = held.clone().map(|(&at, _)| at).collect();
            let held = held.filter(|(_, row)| row.1.is_some_and(|b| b <= high));
            let in_both: Vec<u64> = held.map(|(&at, _)| at).collect();
            prop_assert_eq!(index.count(std::slice::from_ref(&a), &dead), in_a.len());
            prop_assert_eq!(index.search(std::slice::from_ref(&a), &dead), in_a);
            prop_assert_eq!(index.search(&[a, b], &dead), in_both);
            let entries: usize = rows.values().map(|row| 1 + usize::from(row.1.is_some())).sum();
            prop_assert_eq!(index.entries(&dead), entries);
            let mut expected: Vec<(i64, u64)> = rows.iter().map(|(&at, row)| (row.0, at)).collect();
            expected.sort_unstable();
            let (ciphertexts, merged) = index.merged("a", &dead);
            let mut merged: Vec<(i64, u64)> = ciphertexts.into_iter().zip(merged).collect();
            prop_assert!(merged.is_sorted_by_key(|entry| entry.0));
            merged.sort_unstable();
            prop_assert_eq!(merged, expected);
        }
    }

    /// Rows far apart and close together, in ranges of every size.
    #[test]
    fn a_conjunction_is_an_intersection(
        a in proptest::collection::btree_set(prop_oneof![0..64_u32, any::<u32>()], 0..60),
        b in proptest::collection::btree_set(prop_oneof![0..64_u32, any::<u32>()], 0..60),
    ) {
        let (left, right): (Vec<u32>, Vec<u32>) =
            (a.iter().rev().copied().collect(), b.iter().copied().collect());
        let expected: Vec<u32> = a.intersection(&b).copied().collect();
        prop_assert_eq!(conjunction(vec![&left, &right]), expected);
    }
}
