//! The linear sum assignment: each row gets a column of its own, at the least total cost.
//!
//! Attacks match classes of ciphertexts to values with it where order is not used. Rows are added
//! one by one along the shortest augmenting path, with potentials `u`, `v` that keep all reduced
//! costs `c_ij - u_i - v_j` from 0 on. Cost: O(rows^2 columns).
//!
//! # Sources
//!
//! Jonker and Volgenant, *A Shortest Augmenting Path Algorithm for Dense and Sparse Linear Assignment
//! Problems*, Computing 38, 1987. For its use: Naveed, Kamara and Wright, CCS 2015, sections 4 and 5.

use super::{Error, check_costs};
use crate::stop;

/// Returns the column of each row.
///
/// # Errors
///
/// [`Error::Classes`] if there is no row or more rows than columns, [`Error::Length`] if there are not
/// `rows * columns` costs, [`Error::Distribution`] if a cost is not finite.
pub fn assign(costs: &[f64], rows: usize, columns: usize) -> Result<Vec<i64>, Error> {
    if rows == 0 || rows > columns {
        return Err(Error::Classes { rows, columns });
    }
    check_costs(costs, rows, columns)?;
    if let Some(position) = costs.iter().position(|cost| cost.is_infinite()) {
        return Err(Error::Distribution { what: "costs", position });
    }
    let (mut of_row, mut of_column) = (vec![0.0; rows], vec![0.0; columns]);
    let mut row_at: Vec<Option<usize>> = vec![None; columns];
    stop::expect(rows);
    for added in 0..rows {
        stop::advance(1);
        let mut distance = vec![f64::INFINITY; columns];
        let mut before: Vec<Option<usize>> = vec![None; columns];
        let mut is_done = vec![false; columns];
        let (mut row, mut reached, mut from) = (added, 0.0, None);
        let end = loop {
            stop::check();
            let (mut nearest, mut least) = (None, f64::INFINITY);
            for column in 0..columns {
                if is_done[column] {
                    continue;
                }
                let reduced = costs[row * columns + column] - of_row[row] - of_column[column];
                if reached + reduced < distance[column] {
                    distance[column] = reached + reduced;
                    before[column] = from;
                }
                if distance[column] < least {
                    (nearest, least) = (Some(column), distance[column]);
                }
            }
            // There are more columns than rows that were added, and all costs are finite.
            let Some(column) = nearest else { return Err(Error::NoMatching) };
            is_done[column] = true;
            reached = least;
            match row_at[column] {
                Some(next) => (row, from) = (next, Some(column)),
                None => break column,
            }
        };
        of_row[added] += reached;
        for column in (0..columns).filter(|&column| is_done[column] && column != end) {
            of_column[column] -= reached - distance[column];
            if let Some(row) = row_at[column] {
                of_row[row] += reached - distance[column];
            }
        }
        let mut column = end;
        while let Some(earlier) = before[column] {
            row_at[column] = row_at[earlier];
            column = earlier;
        }
        row_at[column] = Some(added);
    }
    let mut assigned = vec![0; rows];
    for (number, row) in (0_i64..).zip(&row_at) {
        if let &Some(row) = row {
            assigned[row] = number;
        }
    }
    Ok(assigned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cheapest(costs: &[f64], rows: usize, columns: usize, row: usize, used: u32) -> f64 {
        if row == rows {
            return 0.0;
        }
        (0..columns)
            .filter(|column| used >> column & 1 == 0)
            .map(|column| {
                costs[row * columns + column]
                    + cheapest(costs, rows, columns, row + 1, used | 1 << column)
            })
            .fold(f64::INFINITY, f64::min)
    }

    proptest! {
        #[test]
        fn no_other_assignment_costs_less(
            (rows, columns, costs) in (1..5_usize, 0..3_usize).prop_flat_map(|(rows, more)| {
                let columns = rows + more;
                (Just(rows), Just(columns), prop::collection::vec(-3..4_i8, rows * columns))
            })
        ) {
            let costs: Vec<f64> = costs.into_iter().map(f64::from).collect();
            let assigned = assign(&costs, rows, columns).unwrap();
            let mut used = assigned.clone();
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used.len(), rows);
            let column = |row: usize| usize::try_from(assigned[row]).unwrap();
            let total: f64 = (0..rows).map(|row| costs[row * columns + column(row)]).sum();
            prop_assert!((total - cheapest(&costs, rows, columns, 0, 0)).abs() < 1e-9);
        }
    }

    #[test]
    fn what_is_no_problem_is_refused() {
        assert!(matches!(assign(&[], 0, 2), Err(Error::Classes { rows: 0, columns: 2 })));
        assert!(matches!(assign(&[1.0; 2], 2, 1), Err(Error::Classes { rows: 2, columns: 1 })));
        assert!(matches!(assign(&[1.0; 3], 1, 2), Err(Error::Length { got: 3, .. })));
        assert!(matches!(
            assign(&[1.0, f64::NAN], 1, 2),
            Err(Error::Distribution { position: 1, .. })
        ));
        assert!(matches!(
            assign(&[f64::INFINITY, 1.0], 1, 2),
            Err(Error::Distribution { position: 0, .. })
        ));
    }
}
