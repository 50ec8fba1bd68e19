//! Merging the providers' runs into one order, by ciphertext alone.
//!
//! A *run* is one provider's ciphertexts in ascending order. The cloud merges `k` runs of `n`
//! ciphertexts in all with `O(n log k)` comparisons and no key. All runs are cut at common
//! splitters first, so that every piece is sorted inside the cache and the pieces run in parallel:
//!
//! ```text
//! splitters = every so-manieth of a sorted sample of all runs
//! piece     = from each run, what lies between two splitters
//! ```
//!
//! Inside a piece a ciphertext's distance to the piece's least and its place in the piece share
//! one 64-bit word, so that merging the words in pairs is a stable merge that moves 8 bytes. Where
//! both do not fit, the distance loses its lowest bits, and the few words that then look alike are
//! sorted by the whole ciphertext. A piece of one ciphertext only, as a deterministic scheme gives,
//! is in order already.
//!
//! # Leakage
//!
//! The order and the equality of all ciphertexts, which is what a merged index is.
//!
//! # Sources
//!
//! * The setting: Yao, Lin, Liu and Zhang, IEEE Access 6, 2018, [doi:10.1109/ACCESS.2018.2793304].
//! * Cutting at splitters of a sample: Shi and Schaeffer, *Parallel Sorting by Regular Sampling*,
//!   J. Parallel Distrib. Comput. 14(4), 1992.
//!
//! [doi:10.1109/ACCESS.2018.2793304]: https://doi.org/10.1109/ACCESS.2018.2793304

use super::Error;
use crate::message::upload::check_order;
use crate::operations::{Operation, count};
use crate::pool;
use crate::wire::length;

/// Entries of a piece, as a rule: its words and places fit the cache beside the runs.
const PIECE: usize = 4096;

/// Entries whose order is checked on several cores, at least.
const CHECKED: usize = 1 << 14;

/// One of so many entries is sampled to find splitters.
const SAMPLED: usize = 64;

/// A task takes so many pieces: enough to pay for finding its start in every run.
const PIECES_PER_TASK: usize = 32;

/// Returns the order that merges `runs` into one ascending index.
///
/// The order counts through all runs end to end: 0 is the first ciphertext of the first run.
/// Taking the joined runs, or any column that came with them, in this order gives the merged
/// index. Equal ciphertexts keep the order of their runs.
///
/// # Errors
///
/// [`message::Error::UnsortedRun`](crate::message::Error::UnsortedRun) and [`message::Error::NegativeCiphertext`](crate::message::Error::NegativeCiphertext) name the first run, and the first
/// ciphertext of it, that is below the one before it or below 0.
///
/// # Examples
///
/// ```
/// let hospital = [10, 40];
/// let clinic = [20, 40];
/// let order = mopse::cloud::merge::merge(&[&hospital, &clinic])?;
///
/// assert_eq!(order, [0, 2, 1, 3]);
/// # Ok::<(), mopse::Error>(())
/// ```
pub fn merge(runs: &[&[i64]]) -> Result<Vec<i64>, Error> {
    let mut order = vec![0; runs.iter().map(|run| run.len()).sum()];
    merge_into(runs, &mut order)?;
    Ok(order)
}

/// Writes the order of [`merge`] into an array of as many entries as all runs have.
///
/// # Errors
///
/// Those of [`merge`], and [`Error::Order`] if the array has another length.
pub fn merge_into(runs: &[&[i64]], order: &mut [i64]) -> Result<(), Error> {
    check_runs(runs)?;
    let total = runs.iter().map(|run| run.len()).sum();
    if order.len() != total {
        return Err(Error::Order { expected: total, got: order.len() });
    }
    merge_sorted(runs, order, Threads::All);
    Ok(())
}

/// Who merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// The calling thread alone, so that whoever searches meanwhile has the others.
    One,
    /// All threads.
    All,
}

/// Writes the order of runs that ascend into an array of as many entries as they have.
pub(super) fn merge_sorted(runs: &[&[i64]], order: &mut [i64], threads: Threads) {
    let splitters = splitters(runs, order.len(), threads);
    let starts: Vec<usize> =
        runs.iter().scan(0, |end, run| Some(std::mem::replace(end, *end + run.len()))).collect();

    let mut tasks = Vec::with_capacity(splitters.len() / PIECES_PER_TASK + 1);
    let mut cursors = vec![0; runs.len()];
    let mut rest = order;
    let mut chunks = splitters.chunks(PIECES_PER_TASK);
    loop {
        let chunk = chunks.next();
        let (splitters, end) = match chunk.and_then(<[i64]>::split_last) {
            Some((&end, splitters)) => (splitters, Some(end)),
            None => (&[][..], None),
        };
        let ends: Vec<usize> =
            runs.iter().zip(&cursors).map(|(run, &cursor)| below(run, cursor, end)).collect();
        let size = ends.iter().sum::<usize>() - cursors.iter().sum::<usize>();
        let (out, left) = std::mem::take(&mut rest).split_at_mut(size);
        rest = left;
        tasks.push(Task { splitters, cursors, ends: ends.clone(), out });
        cursors = ends;
        if chunk.is_none() {
            break;
        }
    }
    match threads {
        Threads::All => {
            pool::each(tasks, Piece::default, |piece, task| task.merge(runs, &starts, piece));
        }
        Threads::One => {
            let mut piece = Piece::default();
            tasks.into_iter().for_each(|task| task.merge(runs, &starts, &mut piece));
        }
    }
}

/// Consecutive pieces, and where their order goes.
struct Task<'a> {
    /// The splitters between the pieces.
    splitters: &'a [i64],
    /// Where the pieces start and end in every run.
    cursors: Vec<usize>,
    ends: Vec<usize>,
    out: &'a mut [i64],
}

impl Task<'_> {
    fn merge(mut self, runs: &[&[i64]], starts: &[usize], piece: &mut Piece) {
        let mut rest = self.out;
        for splitter in self.splitters.iter().copied().map(Some).chain([None]) {
            piece.clear();
            for (i, run) in runs.iter().enumerate() {
                let (from, until) = (self.cursors[i], self.ends[i]);
                let to = below(&run[..until], from, splitter);
                self.cursors[i] = to;
                piece.push(&run[from..to], starts[i] + from);
            }
            let (out, left) = rest.split_at_mut(piece.places.len());
            rest = left;
            piece.merge(out);
        }
    }
}

/// What lies between two splitters, run after run. Its buffers serve many pieces.
#[derive(Default)]
struct Piece {
    ciphertexts: Vec<i64>,
    /// Where each ciphertext stands in the joined runs.
    places: Vec<i64>,
    /// How many ciphertexts each run has here.
    lengths: Vec<usize>,
    least: i64,
    greatest: i64,
    words: Vec<u64>,
    merged: Vec<u64>,
}

impl Piece {
    fn clear(&mut self) {
        self.ciphertexts.clear();
        self.places.clear();
        self.lengths.clear();
        (self.least, self.greatest) = (i64::MAX, 0);
    }

    /// Takes the next run's share, which starts at `place` in the joined runs.
    fn push(&mut self, ciphertexts: &[i64], place: usize) {
        if let (Some(&first), Some(&last)) = (ciphertexts.first(), ciphertexts.last()) {
            self.least = self.least.min(first);
            self.greatest = self.greatest.max(last);
            self.ciphertexts.extend_from_slice(ciphertexts);
            self.places.extend((place..place + ciphertexts.len()).map(index));
            self.lengths.push(ciphertexts.len());
        }
    }

    /// Writes the places in the order of the ciphertexts.
    fn merge(&mut self, out: &mut [i64]) {
        if self.least >= self.greatest || self.lengths.len() < 2 {
            out.copy_from_slice(&self.places);
            return;
        }
        // Places count from 1 in a word, so that no word is 0 or all ones.
        let place_bits = usize::BITS - (self.places.len() + 1).leading_zeros();
        let room = self.greatest.abs_diff(self.least).leading_zeros();
        let dropped_bits = place_bits.saturating_sub(room);
        self.pack(place_bits, dropped_bits);
        while self.lengths.len() > 1 {
            count(Operation::Comparison, self.places.len());
            self.merge_neighbours();
        }
        let place = |word: u64| length(word & ((1 << place_bits) - 1)) - 1;
        let words = &mut self.words[1..=self.places.len()];
        if dropped_bits > 0 {
            for alike in words.chunk_by_mut(|a, b| a >> place_bits == b >> place_bits) {
                if alike.len() > 1 {
                    alike.sort_unstable_by_key(|&word| (self.ciphertexts[place(word)], word));
                }
            }
        }
        for (out, &word) in out.iter_mut().zip(words.iter()) {
            *out = self.places[place(word)];
        }
    }

    /// Makes the words, each run's between a 0 and a word of ones.
    fn pack(&mut self, place_bits: u32, dropped_bits: u32) {
        self.words.clear();
        let mut rest = self.ciphertexts.as_slice();
        let mut place = 0;
        for &length in &self.lengths {
            let (run, left) = rest.split_at(length);
            rest = left;
            self.words.push(0);
            self.words.extend(run.iter().zip(place + 1..).map(|(&ciphertext, place)| {
                ciphertext.abs_diff(self.least) >> dropped_bits << place_bits | place
            }));
            self.words.push(u64::MAX);
            place += length as u64;
        }
    }

    /// Merges runs of words in pairs, the lower half of each pair from below and the upper from
    /// above: two chains of dependent loads that overlap, and no branch that guesses.
    fn merge_neighbours(&mut self) {
        self.merged.clear();
        self.merged.resize(self.words.len(), 0);
        let words = self.words.as_slice();
        let (mut from, mut to) = (0, 0);
        let mut pairs = 0;
        for pair in 0..self.lengths.len().div_ceil(2) {
            let first = self.lengths[2 * pair];
            let second = self.lengths.get(2 * pair + 1).copied();
            let length = first + second.unwrap_or(0);
            let out = &mut self.merged[to..to + length + 2];
            if let Some(second) = second {
                let ends = [from, from + first + 1, from + first + 2, from + first + second + 3];
                merge_pair(words, ends, &mut out[1..=length]);
                from += length + 4;
            } else {
                out.copy_from_slice(&words[from..from + length + 2]);
                from += length + 2;
            }
            (out[0], out[length + 1]) = (0, u64::MAX);
            to += length + 2;
            self.lengths[pairs] = length;
            pairs += 1;
        }
        self.lengths.truncate(pairs);
        self.merged.truncate(to);
        std::mem::swap(&mut self.words, &mut self.merged);
    }
}

/// Merges the words strictly between the first two and the last two ends.
#[inline]
fn merge_pair(words: &[u64], ends: [usize; 4], out: &mut [u64]) {
    let [before_left, after_left, before_right, after_right] = ends;
    let (mut left, mut right) = (before_left + 1, before_right + 1);
    let (mut last_left, mut last_right) = (after_left - 1, after_right - 1);
    let (lower, upper) = out.split_at_mut(out.len() / 2);
    let (middle, upper) = upper.split_at_mut(upper.len() - lower.len());
    for (low, high) in lower.iter_mut().zip(upper.iter_mut().rev()) {
        let (a, b) = (words[left], words[right]);
        let is_right = b < a;
        *low = a.min(b); // a select by `is_right` may become a branch
        left += usize::from(!is_right);
        right += usize::from(is_right);

        let (a, b) = (words[last_left], words[last_right]);
        let is_left = a > b;
        *high = a.max(b);
        last_left -= usize::from(is_left);
        last_right -= usize::from(!is_left);
    }
    if let [middle] = middle {
        *middle = words[left].min(words[right]);
    }
}

/// Ciphertexts that cut all runs into pieces of similar size, ascending.
fn splitters(runs: &[&[i64]], total: usize, threads: Threads) -> Vec<i64> {
    let mut sample: Vec<i64> = Vec::with_capacity(total / SAMPLED + 1);
    let mut skip = SAMPLED - 1;
    for run in runs {
        sample.extend(run.iter().skip(skip).step_by(SAMPLED));
        let left = (run.len() + SAMPLED - 1 - skip) % SAMPLED;
        skip = SAMPLED - 1 - left;
    }
    match threads {
        Threads::All => pool::sort(&mut sample),
        Threads::One => sample.sort_unstable(),
    }
    // More runs, larger pieces: a piece costs a look at every run.
    let piece = PIECE.max(16 * runs.len());
    let mut splitters = Vec::new();
    let mut last = None;
    for &splitter in sample.iter().skip(piece / SAMPLED).step_by(piece / SAMPLED) {
        // A ciphertext as frequent as that gets a piece of its own.
        let next = if last == Some(splitter) { splitter.saturating_add(1) } else { splitter };
        if splitters.last().is_none_or(|&before| next > before) {
            splitters.push(next);
        }
        last = Some(splitter);
    }
    splitters
}

/// Where in an ascending run, from a cursor on, the ciphertexts below a splitter end.
fn below(run: &[i64], cursor: usize, splitter: Option<i64>) -> usize {
    let Some(splitter) = splitter else { return run.len() };
    // The end is near as a rule: double the stride until it is passed.
    let mut stride = 1;
    let mut from = cursor;
    while let Some(&ciphertext) = run.get(from + stride - 1) {
        if ciphertext >= splitter {
            break;
        }
        from += stride;
        stride *= 2;
    }
    let until = run.len().min(from + stride);
    count(Operation::Comparison, 2 * length(u64::from(stride.ilog2())) + 1);
    from + run[from..until].partition_point(|&ciphertext| ciphertext < splitter)
}

fn check_runs(runs: &[&[i64]]) -> Result<(), Error> {
    let total: usize = runs.iter().map(|run| run.len()).sum();
    let least = if total < CHECKED { usize::MAX } else { 0 };
    let fault = pool::find_first(runs.len(), least, |number| {
        count(Operation::Comparison, runs[number].len());
        check_order(number, runs[number]).err()
    });
    fault.map_or(Ok(()), |fault| Err(fault.into()))
}

#[expect(clippy::cast_possible_wrap, reason = "no array has 2^63 entries")]
fn index(place: usize) -> i64 {
    place as i64
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::message;

    fn stable_sort(columns: &[Vec<i64>]) -> Vec<i64> {
        let joined = columns.concat();
        let mut order: Vec<i64> = (0..).take(joined.len()).collect();
        order.sort_by_key(|&at| joined[usize::try_from(at).unwrap()]);
        order
    }

    fn merged(columns: &mut [Vec<i64>]) -> Vec<i64> {
        columns.iter_mut().for_each(|column| column.sort_unstable());
        merge(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
    }

    /// Numbers that look random enough to need splitters, the same in every run of the test.
    fn scattered(count: usize, run: u64, range: u64) -> Vec<i64> {
        let odd = 0x9e37_79b9_7f4a_7c15_u64;
        (0..count as u64)
            .map(|i| {
                ((i * 977 + run + 1).wrapping_mul(odd).rotate_left(23).wrapping_mul(odd) % range)
                    .cast_signed()
            })
            .collect()
    }

    #[test]
    fn no_ciphertexts_merge_to_an_empty_order() {
        assert_eq!(merge(&[]), Ok(vec![]));
        assert_eq!(merge(&[&[], &[]]), Ok(vec![]));
    }

    #[test]
    fn ties_worked_by_hand_go_to_the_earlier_run() {
        assert_eq!(merge(&[&[10, 40, 40], &[], &[20, 40]]), Ok(vec![0, 3, 1, 2, 4]));
    }

    #[test]
    fn the_ends_of_the_ciphertext_space_share_a_piece() {
        assert_eq!(merge(&[&[0, i64::MAX], &[0, 1, i64::MAX]]), Ok(vec![0, 2, 3, 1, 4]));
    }

    #[test]
    fn many_pieces_merge_as_a_stable_sort() {
        for (runs, count, range) in [
            (2, 100_000, 1 << 63),
            (16, 20_000, 1 << 63),
            (300, 700, 1 << 63),
            (7, 30_000, 81), // ties everywhere, as a deterministic scheme gives
            (5, 40_000, 1),
        ] {
            let mut columns: Vec<_> = (0..runs).map(|run| scattered(count, run, range)).collect();
            let order = merged(&mut columns);
            assert!(order == stable_sort(&columns), "{runs} runs of {count} below {range}");
        }
    }

    #[test]
    fn a_long_run_and_many_short_ones_merge() {
        let mut columns: Vec<_> = (0..40).map(|run| scattered(run, 9, 1 << 40)).collect();
        columns.push(scattered(200_000, 3, 1 << 40));
        let order = merged(&mut columns);
        assert!(order == stable_sort(&columns));
    }

    #[test]
    fn a_faulty_run_is_named_with_its_first_bad_position() {
        let unsorted = merge(&[&[1, 2], &[5, 7, 6, 1]]);
        assert_eq!(unsorted, Err(message::Error::UnsortedRun { run: 1, position: 2 }.into()));
        let negative = merge(&[&[1, 2], &[], &[-1, 6]]);
        assert_eq!(
            negative,
            Err(message::Error::NegativeCiphertext { run: 2, position: 0 }.into())
        );
        let short = merge_into(&[&[1, 2]], &mut [0]);
        assert_eq!(short, Err(Error::Order { expected: 2, got: 1 }));
    }

    proptest! {
        /// Few distinct ciphertexts, so that ties are common.
        #[test]
        fn merging_is_a_stable_sort(mut columns in vec(vec(0..20_i64, 0..30), 0..6)) {
            let order = merged(&mut columns);
            prop_assert_eq!(order, stable_sort(&columns));
        }

        #[test]
        fn ciphertexts_from_the_whole_space_merge(mut columns in vec(vec(0..=i64::MAX, 0..30), 0..6)) {
            let order = merged(&mut columns);
            prop_assert_eq!(order, stable_sort(&columns));
        }
    }
}
