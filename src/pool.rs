//! Threads that belong to the process: all that is done on several cores at once goes through here.
//!
//! A process that `fork` has made has none of its parent's threads, and whatever waits for one of them
//! waits for ever. So each process has a pool of its own, which is made when it is first needed:
//!
//! ```text
//! slots:  | parent: its pool | child: its pool | grandchild: its pool | free | ...
//! ```
//!
//! A process takes the first free slot for itself and looks into no other, so that a fork in the middle of
//! anything, of making a pool too, leaves no lock behind on which a child would wait. A process further
//! down than there are slots, or that can start no thread, works on one core.
//!
//! There are as many threads as `RAYON_NUM_THREADS` says, or as the machine has cores. What is small stays
//! on the thread that calls: handing work to the pool and waiting for it takes some ten microseconds.
//!
//! Between two pieces, and while this thread waits for the others, work may be [stopped](crate::stop).
//!
//! What nobody should wait for is done [`Aside`], on threads that take no part in anything else.

use std::mem;
use std::process;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

#[cfg(any(feature = "python", test))]
use crate::lock::Lock;
use crate::stop;

/// Processes, each forked by the one before, that have several threads.
const GENERATIONS: usize = 16;

/// What is sorted on several cores, at least.
const SORTED: usize = 1 << 13;

/// Runs of pieces, about, that are shared out: each unwinds by itself when work is stopped, and a million
/// of them would take seconds to.
const LEAVES: usize = 1 << 10;

/// What takes so long to sort that it may be stopped in the middle.
const LONG_SORTED: usize = 1 << 22;

/// Bytes between items at which it may.
const SELDOM: usize = 1 << 18;

static OF_ALL: Pool = Pool::new(0);

/// Threads of this process, made anew in each process that is forked.
#[derive(Debug)]
pub(crate) struct Pool {
    /// How many; 0 for as many as there are cores.
    threads: usize,
    slots: [Slot; GENERATIONS],
}

#[derive(Debug)]
struct Slot {
    /// The process that has it; 0 for none.
    process: AtomicU32,
    /// Its threads; none if they cannot be started.
    threads: OnceLock<Option<ThreadPool>>,
}

impl Pool {
    const fn new(threads: usize) -> Self {
        let slots =
            [const { Slot { process: AtomicU32::new(0), threads: OnceLock::new() } }; GENERATIONS];
        Self { threads, slots }
    }

    /// So many threads of their own, beside those of all.
    ///
    /// # Errors
    ///
    /// If the system cannot start them.
    #[cfg(any(feature = "python", test))]
    pub(crate) fn of(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        let mut pool = Self::new(threads);
        let started = pool.start()?;
        let [first, ..] = &mut pool.slots;
        *first = Slot { process: process::id().into(), threads: OnceLock::from(Some(started)) };
        Ok(pool)
    }

    fn start(&self) -> Result<ThreadPool, ThreadPoolBuildError> {
        let named = |number| format!("mopse-{number}");
        ThreadPoolBuilder::new().num_threads(self.threads).thread_name(named).build()
    }

    /// The threads of this process, if it can have any.
    fn threads(&self) -> Option<&ThreadPool> {
        let me = process::id();
        let is_mine = |slot: &&Slot| {
            let before = slot.process.compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed);
            before.is_ok() || before == Err(me)
        };
        let slot = self.slots.iter().find(is_mine)?;
        slot.threads.get_or_init(|| self.start().ok()).as_ref()
    }

    /// Does work on these threads.
    pub(crate) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match self.threads() {
            Some(threads) => match stop::current() {
                None => threads.install(work),
                Some(current) => threads.in_place_scope(|scope| {
                    let part = stop::part();
                    current.attend(false, |answer| {
                        scope.spawn(move |_| answer.give(|| part.run(work)));
                    })
                }),
            },
            // This thread becomes the only one of a pool; if it is one of another pool, that does it.
            None => match ThreadPoolBuilder::new().num_threads(1).use_current_thread().build() {
                Ok(alone) => alone.install(work),
                Err(_) => work(),
            },
        }
    }
}

/// Threads for work that others go before: each does one work at a time, and all of it.
///
/// They have the priority of the thread that makes them, and hand it down to those that they start.
#[cfg(any(feature = "python", test))]
#[derive(Debug)]
pub(crate) struct Aside {
    /// Those with nothing to do. A pool of one thread each, as what waits in a pool for its pieces
    /// takes up other work meanwhile, and would wait for ever for a lock that it holds itself.
    idle: Lock<Vec<Pool>>,
}

#[cfg(any(feature = "python", test))]
impl Aside {
    /// So many threads.
    ///
    /// # Errors
    ///
    /// If the system cannot start them.
    pub(crate) fn of(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        let idle: Result<_, _> = (0..threads).map(|_| Pool::of(1)).collect();
        Ok(Self { idle: Lock::new(idle?) })
    }

    /// Does work on one of the threads; on this one, if all have something to do.
    pub(crate) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        // Of a process that was forked at the wrong moment none is idle.
        let thread = self.idle.write().ok().and_then(|mut idle| idle.pop());
        let taken = Taken { aside: self, thread };
        match &taken.thread {
            Some(thread) => thread.run(work),
            None => work(),
        }
    }
}

/// A thread that has something to do, until it is done or unwinds.
#[cfg(any(feature = "python", test))]
struct Taken<'a> {
    aside: &'a Aside,
    thread: Option<Pool>,
}

#[cfg(any(feature = "python", test))]
impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Ok(mut idle) = self.aside.idle.write() {
            idle.extend(self.thread.take());
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Threads of another process cannot be ended, only waited for.
        let others = self
            .slots
            .iter_mut()
            .filter(|slot| slot.process.load(Ordering::Relaxed) != process::id());
        others.for_each(|slot| mem::forget(slot.threads.take()));
    }
}

/// Does work on the threads of this process; what is done on them already stays where it is.
pub(crate) fn run<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if rayon::current_thread_index().is_some() { work() } else { OF_ALL.run(work) }
}

/// Does two things, at once if there are two threads for them.
pub(crate) fn join<A: Send, B: Send>(
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    let part = stop::part();
    run(|| rayon::join(|| part.run(one), || part.run(other)))
}

/// Sorts; equal items may change places.
pub(crate) fn sort<T: Ord + Send>(items: &mut [T]) {
    if items.len() < SORTED {
        items.sort_unstable();
    } else if items.len() < LONG_SORTED {
        run(|| items.par_sort_unstable());
    } else {
        let part = stop::part();
        run(|| {
            items.par_sort_unstable_by(|one, other| {
                // Every pass comes by here for a few of the items, each at its place.
                if ptr::from_ref(one).addr() % SELDOM < size_of::<T>() {
                    part.run(|| ());
                }
                one.cmp(other)
            });
        });
    }
}

/// What becomes of each number below `count`, in order; fewer than `least` stay on this thread.
pub(crate) fn map<R: Send>(count: usize, least: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let part = stop::part();
    let piece = |number| part.run(|| work(number));
    if count < least.max(2) {
        return (0..count).map(piece).collect();
    }
    run(|| (0..count).into_par_iter().with_min_len(count / LEAVES).map(piece).collect())
}

/// What becomes of chunks of so many items, by their number, in order; a lone one stays on this thread.
pub(crate) fn map_chunks<T: Sync, R: Send>(
    items: &[T],
    size: usize,
    work: impl Fn(usize, &[T]) -> R + Sync,
) -> Vec<R> {
    map(items.len().div_ceil(size), 2, |number| {
        let start = number * size;
        work(number, &items[start..items.len().min(start + size)])
    })
}

/// What becomes of chunks of the items of two slices, by their number, in order: as many chunks as both
/// have. A lone one stays on this thread.
pub(crate) fn map_pairs<A: Sync, B: Send, R: Send>(
    (input, from): (&[A], usize),
    (output, to): (&mut [B], usize),
    work: impl Fn(usize, &[A], &mut [B]) -> R + Sync,
) -> Vec<R> {
    let part = stop::part();
    let piece = |(number, (input, output)): (usize, (&[A], &mut [B]))| {
        part.run(|| work(number, input, output))
    };
    if input.len() <= from || output.len() <= to {
        let pairs = input.chunks(from).zip(output.chunks_mut(to)).enumerate();
        return pairs.map(piece).collect();
    }
    run(|| {
        let pairs = input.par_chunks(from).zip(output.par_chunks_mut(to)).enumerate();
        let least = pairs.len() / LEAVES;
        pairs.with_min_len(least).map(piece).collect()
    })
}

/// Does the work of [`map_pairs`] until one fails, and says why that one did.
pub(crate) fn try_pairs<A: Sync, B: Send, E: Send>(
    (input, from): (&[A], usize),
    (output, to): (&mut [B], usize),
    work: impl Fn(usize, &[A], &mut [B]) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let part = stop::part();
    let piece = |(number, (input, output)): (usize, (&[A], &mut [B]))| {
        part.run(|| work(number, input, output))
    };
    if input.len() <= from || output.len() <= to {
        let mut pairs = input.chunks(from).zip(output.chunks_mut(to)).enumerate();
        return pairs.try_for_each(piece);
    }
    run(|| {
        let pairs = input.par_chunks(from).zip(output.par_chunks_mut(to)).enumerate();
        let least = pairs.len() / LEAVES;
        pairs.with_min_len(least).try_for_each(piece)
    })
}

/// Does each task, with what one thread uses again for all of its own; a lone one stays on this thread.
pub(crate) fn each<T: Send, S>(
    tasks: Vec<T>,
    start: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) + Sync,
) {
    let part = stop::part();
    let piece = |used: &mut S, task| part.run(|| work(used, task));
    if tasks.len() < 2 {
        let mut used = start();
        tasks.into_iter().for_each(|task| piece(&mut used, task));
    } else {
        let least = tasks.len() / LEAVES;
        run(|| tasks.into_par_iter().with_min_len(least).for_each_init(&start, piece));
    }
}

/// The first of what is found for the numbers below `count`; fewer than `least` stay on this thread.
pub(crate) fn find_first<R: Send>(
    count: usize,
    least: usize,
    find: impl Fn(usize) -> Option<R> + Sync,
) -> Option<R> {
    let part = stop::part();
    let piece = |number| part.run(|| find(number));
    if count < least.max(2) {
        return (0..count).find_map(piece);
    }
    run(|| (0..count).into_par_iter().with_min_len(count / LEAVES).find_map_first(piece))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_done_in_pieces_comes_in_order() {
        for count in [0, 1, 2, 100, 10_000] {
            let numbers: Vec<usize> = (0..count).collect();
            assert_eq!(map(count, 50, |number| number), numbers);
            let chunks = map_chunks(&numbers, 7, |number, chunk| (number, chunk.to_vec()));
            let expected = numbers.chunks(7).map(<[_]>::to_vec).enumerate();
            assert_eq!(chunks, expected.collect::<Vec<_>>());
            let mut doubled = vec![0; 2 * count];
            let counts = map_pairs((&numbers, 3), (&mut doubled, 6), |number, input, output| {
                for (input, output) in input.iter().zip(output.chunks_mut(2)) {
                    output.fill(*input);
                }
                number
            });
            assert_eq!(counts, (0..count.div_ceil(3)).collect::<Vec<_>>());
            let done = try_pairs((&numbers, 3), (&mut doubled, 6), |_, input, output| {
                let is_here = output.chunks(2).zip(input).all(|(twice, once)| *twice == [*once; 2]);
                output.reverse();
                if is_here { Ok(()) } else { Err(()) }
            });
            assert_eq!(done, Ok(()));
            doubled.chunks_mut(6).for_each(<[_]>::reverse);
            assert_eq!(doubled, numbers.iter().flat_map(|n| [*n; 2]).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_first_is_found_whoever_finds_it_first() {
        for count in [1, 2, 10_000] {
            let found = find_first(count, 0, |number| (number * 2 >= count).then_some(number));
            assert_eq!(found, (0..count).find(|number| number * 2 >= count));
        }
        assert_eq!(find_first(10_000, 0, |_| None::<u8>), None);
    }

    #[test]
    fn few_and_many_are_sorted() {
        for count in [0, 1, SORTED - 1, SORTED + 1] {
            let mut items: Vec<usize> = (0..count).map(|item| item * 7919 % 1009).collect();
            sort(&mut items);
            assert!(items.is_sorted() && items.len() == count);
        }
    }

    #[test]
    fn what_is_small_stays_on_the_thread_and_what_is_large_leaves_it() {
        let here = thread::current().id();
        let on = |_: usize| thread::current().id();
        assert_eq!(map(9, 10, on), [here; 9]);
        assert!(map(10, 10, on).iter().all(|id| *id != here));
        let bytes = [0; 10];
        assert_eq!(map_chunks(&bytes, 10, |_, _| thread::current().id()), [here]);
        assert!(map_chunks(&bytes, 9, |_, _| thread::current().id()).iter().all(|id| *id != here));
    }

    #[test]
    fn a_pool_within_the_pool_has_its_own_threads_and_run_stays_on_them() {
        let two = Pool::of(2).expect("two threads can be started");
        let threads = |_: usize| rayon::current_num_threads();
        assert_eq!(run(|| two.run(|| run(|| map(100, 0, threads)))), [2; 100]);
    }

    #[test]
    fn what_is_done_aside_stays_on_one_thread_of_its_own_with_all_its_pieces() {
        let aside = Aside::of(2).expect("two threads can be started");
        let here = || thread::current().id();
        let all = |_: usize| (here(), rayon::current_num_threads());
        let pieces = map(1000, 0, all);
        for _ in 0..4 {
            let done = aside.run(|| map(1000, 0, all));
            assert!(done.iter().all(|piece| *piece == (done[0].0, 1)));
            assert!(done[0].0 != here() && pieces.iter().all(|(id, _)| *id != done[0].0));
        }
        let (one, (other, none)) = aside.run(|| (here(), aside.run(|| (here(), aside.run(here)))));
        assert!(one != other && none == other, "where no thread is idle it is done at once");
        assert_eq!(aside.idle.read().map(|idle| idle.len()), Ok(2));
    }

    #[test]
    fn a_lock_that_is_held_aside_is_waited_for_by_another_thread_and_not_by_its_holder() {
        let (aside, lock) = (Aside::of(2).expect("two threads can be started"), Mutex::new(0));
        let count = || {
            aside.run(|| {
                let mut held = lock.lock().expect("nobody panics");
                *held += map(2000, 0, |_| 1).into_iter().sum::<u32>();
            });
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| count()));
            }
        });
        assert_eq!(lock.into_inner().ok(), Some(4 * 50 * 2000));
    }

    #[test]
    fn who_unwinds_aside_gives_the_thread_back() {
        let aside = Aside::of(1).expect("a thread can be started");
        let stopped = stop::until(
            |_| false,
            || aside.run(|| map(1 << 20, 2, |_| thread::sleep(Duration::from_millis(1)))),
        );
        assert_eq!(stopped.map(|all| all.len()), Err(stop::Stopped));
        assert_eq!(aside.idle.read().map(|idle| idle.len()), Ok(1));
    }

    #[test]
    fn the_slot_of_another_process_is_left_alone() {
        let pool = Pool::new(1);
        let me = process::id();
        pool.slots[0].process.store(me ^ 1, Ordering::Relaxed);
        assert_eq!(pool.run(rayon::current_num_threads), 1);
        assert!(pool.slots[0].threads.get().is_none());
        assert!(pool.slots[1].threads.get().is_some_and(Option::is_some));
        let all_taken = Pool::new(2);
        all_taken.slots.iter().for_each(|slot| slot.process.store(me ^ 1, Ordering::Relaxed));
        let (here, done) = (thread::current().id(), |_: usize| thread::current().id());
        let alone = thread::spawn(move || {
            let ids = all_taken.run(|| map(100, 0, done));
            ids == vec![thread::current().id(); 100]
        });
        assert_ne!(here, alone.thread().id());
        assert!(alone.join().expect("it does not panic"));
    }
}
