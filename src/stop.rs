//! Long work: it ends when whoever called asks for that, and tells how far it is.
//!
//! [`until`] does work and asks, ten times a second and on the thread that called, whether to go on. Where
//! work may end it says `check`, and so does everything that goes through the pool, between its pieces.
//! It ends by unwinding from there to [`until`], as no room would have anything else to say about it:
//!
//! ```text
//! until(ask, work)   work ── check ── pool ── piece ── check ── ...      Ok(what it gives)
//!                                              └─── unwinds ──────────>  Err(Stopped)
//! ```
//!
//! So what is checked within must hold nothing half changed: a state that others see is made aside, and put
//! in its place without a check. What cannot be divided, as one derivation of Argon2id, is left
//! `apart`: a thread of its own does it to its end, and nobody waits for that.
//!
//! Outside of [`until`] all of this costs a look at a variable of the thread.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How often is asked.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);

/// Work was ended before it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was stopped")]
pub struct Stopped;

/// How far work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Steps that are done.
    pub done: u64,
    /// Steps that there are; 0 where nobody knows.
    pub total: u64,
}

/// What the threads of one work share.
#[derive(Debug, Default)]
struct State {
    is_stopped: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
}

/// Work as one of its threads sees it; only the thread that called has whom to ask.
#[derive(Clone)]
pub(crate) struct Work {
    state: Arc<State>,
    caller: Option<Rc<RefCell<Caller>>>,
}

/// Whoever called, and when it was asked last.
struct Caller {
    ask: Box<dyn FnMut(Progress) -> bool>,
    asked: Instant,
}

/// A part of work as another thread takes it over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part(Option<Arc<State>>);

thread_local! {
    static CURRENT: RefCell<Option<Work>> = const { RefCell::new(None) };
}

/// Gives the thread back what it was about before.
struct Before(Option<Work>);

impl Drop for Before {
    fn drop(&mut self) {
        CURRENT.with(|current| current.replace(self.0.take()));
    }
}

fn begin(work: Option<Work>) -> Before {
    Before(CURRENT.with(|current| current.replace(work)))
}

/// Does work until it is done, or `ask` says that it is to end.
///
/// # Errors
///
/// [`Stopped`] if it said so before the work was done.
///
/// # Examples
///
/// ```
/// use mopse::keys::Key;
/// use mopse::scheme::opse::Opse;
/// use mopse::stop::{Stopped, until};
///
/// let opse = Opse::new(&Key::from_bytes(&[2; 32])?, 1 << 20)?;
/// let codebook = until(|_| true, || opse.codebook());
/// assert_eq!(codebook.map(|all| all.len()), Ok(1 << 20));
/// # Ok::<(), mopse::Error>(())
/// ```
pub fn until<T>(
    ask: impl FnMut(Progress) -> bool + 'static,
    work: impl FnOnce() -> T,
) -> Result<T, Stopped> {
    let state = Arc::<State>::default();
    let caller = Caller { ask: Box::new(ask), asked: Instant::now() };
    let caller = Some(Rc::new(RefCell::new(caller)));
    let before = begin(Some(Work { state, caller }));
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    drop(before);
    done.map_err(|cause| match cause.downcast::<Stopped>() {
        Ok(stopped) => *stopped,
        Err(panic) => panic::resume_unwind(panic),
    })
}

/// Ends the work that this thread is about, if it is to end.
#[inline]
pub(crate) fn check() {
    let due = CURRENT.with(|current| current.borrow().as_ref().and_then(Work::due));
    if let Some(work) = due {
        work.ask();
        if work.is_stopped() {
            panic::resume_unwind(Box::new(Stopped));
        }
    }
}

/// Says how many steps there are from now on.
pub(crate) fn expect(steps: usize) {
    with_state(|state| {
        state.done.store(0, Ordering::Relaxed);
        state.total.store(steps as u64, Ordering::Relaxed);
    });
}

/// Says that so many steps more are done.
pub(crate) fn advance(steps: usize) {
    with_state(|state| {
        state.done.fetch_add(steps as u64, Ordering::Relaxed);
    });
}

fn with_state(note: impl FnOnce(&State)) {
    CURRENT.with(|current| {
        if let Some(work) = &*current.borrow() {
            note(&work.state);
        }
    });
}

/// What this thread is about.
pub(crate) fn current() -> Option<Work> {
    CURRENT.with(|current| current.borrow().clone())
}

/// What other threads take over of it.
pub(crate) fn part() -> Part {
    Part(CURRENT.with(|current| Some(Arc::clone(&current.borrow().as_ref()?.state))))
}

impl Part {
    /// Does a piece of the work, unless it is to end, on whatever thread this is.
    #[inline]
    pub(crate) fn run<T>(&self, piece: impl FnOnce() -> T) -> T {
        let Some(state) = &self.0 else { return piece() };
        let is_here = CURRENT.with(|current| {
            current.borrow().as_ref().is_some_and(|work| Arc::ptr_eq(&work.state, state))
        });
        let _before =
            (!is_here).then(|| begin(Some(Work { state: Arc::clone(state), caller: None })));
        check();
        piece()
    }
}

impl Work {
    /// The work itself, if there is something to do about it: to end it, or to ask.
    #[inline]
    fn due(&self) -> Option<Self> {
        // A caller that is borrowed is being asked, and does other work meanwhile.
        let is_due = |caller: &Rc<RefCell<Caller>>| {
            caller.try_borrow().is_ok_and(|caller| caller.asked.elapsed() >= PATIENCE)
        };
        (self.is_stopped() || self.caller.as_ref().is_some_and(is_due)).then(|| self.clone())
    }

    fn is_stopped(&self) -> bool {
        self.state.is_stopped.load(Ordering::Relaxed)
    }

    /// Asks, if this is the thread that called, and has all threads know what was said.
    fn ask(&self) {
        let Some(mut caller) = self.caller.as_ref().and_then(|caller| caller.try_borrow_mut().ok())
        else {
            return;
        };
        if !self.is_stopped() {
            let done = self.state.done.load(Ordering::Relaxed);
            let total = self.state.total.load(Ordering::Relaxed);
            let goes_on = (caller.ask)(Progress { done, total });
            self.state.is_stopped.store(!goes_on, Ordering::Relaxed);
            caller.asked = Instant::now();
        }
    }

    /// What another thread gives that `start` has sent to do this work; this one asks meanwhile.
    ///
    /// Work that is `apart` is left alone if it is to end, all other is waited for.
    pub(crate) fn attend<T>(&self, is_apart: bool, start: impl FnOnce(Answer<T>)) -> T {
        let (answer, answered) = mpsc::sync_channel(1);
        start(Answer(answer));
        loop {
            match answered.recv_timeout(PATIENCE) {
                Ok(Ok(done)) => return done,
                Ok(Err(cause)) => panic::resume_unwind(cause),
                Err(RecvTimeoutError::Timeout) => self.ask(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if is_apart && self.is_stopped() {
                break;
            }
        }
        panic::resume_unwind(Box::new(Stopped))
    }
}

/// Where another thread puts what it did, or why it unwound.
pub(crate) struct Answer<T>(mpsc::SyncSender<Result<T, Box<dyn Any + Send>>>);

impl<T> Answer<T> {
    pub(crate) fn give(&self, work: impl FnOnce() -> T) {
        let done = panic::catch_unwind(AssertUnwindSafe(work));
        let _ = self.0.send(done); // nobody waits for what was left alone
    }
}

/// What work gives that has no place to check: it is left alone, on a thread of its own, if it is to end.
///
/// Where nobody asks for an end, or there can be no thread, it is done here.
pub(crate) fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let Some(current) = current() else { return work() };
    let (hand, handed) = mpsc::channel();
    let thread = thread::Builder::new().spawn(move || {
        if let Ok((work, answer)) = handed.recv() {
            let answer: Answer<T> = answer;
            answer.give(work);
        }
    });
    if thread.is_err() {
        return work();
    }
    current.attend(true, |answer| {
        let _ = hand.send((work, answer)); // it waits for that
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::cell::Cell;
    use std::sync::Mutex;

    use super::*;
    use crate::pool;

    /// Says, from the n-th question on, that the work is to end.
    fn until_asked(times: usize) -> (Rc<Cell<usize>>, impl FnMut(Progress) -> bool) {
        let asked = Rc::new(Cell::new(0));
        let counted = Rc::clone(&asked);
        (asked, move |_| {
            counted.set(counted.get() + 1);
            counted.get() < times
        })
    }

    /// Work that ends only if it is stopped.
    fn endless() {
        loop {
            check();
            thread::yield_now();
        }
    }

    #[test]
    fn work_that_is_done_before_anybody_asks_is_whole() {
        let (asked, ask) = until_asked(1);
        assert_eq!(until(ask, || pool::map(100, 2, |number| number)), Ok((0..100).collect()));
        assert_eq!(asked.get(), 0);
        assert!(current().is_none());
    }

    #[test]
    fn work_ends_on_the_thread_on_the_pool_and_within_what_is_within() {
        let works: [fn(); 5] = [
            endless,
            || pool::run(endless),
            || drop(pool::map(1000, 2, |_| endless())),
            || drop(pool::map(10, 2, |_| pool::map(10, 2, |_| endless()))),
            || {
                pool::join(endless, || ());
            },
        ];
        for work in works {
            let (asked, ask) = until_asked(2);
            assert_eq!(until(ask, work), Err(Stopped));
            assert_eq!(asked.get(), 2);
            assert!(current().is_none());
        }
        assert_eq!(pool::map(10_000, 2, |number| number).len(), 10_000);
    }

    #[test]
    fn pieces_that_did_not_begin_never_do() {
        let begun = AtomicU64::new(0);
        let (_, ask) = until_asked(1);
        let stopped = until(ask, || {
            pool::map(1 << 20, 2, |_| {
                begun.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(1));
            })
        });
        assert_eq!(stopped.map(|all| all.len()), Err(Stopped));
        assert!(begun.into_inner() < 1 << 19);
    }

    #[test]
    fn what_cannot_be_divided_is_left_alone() {
        let (hand, held) = mpsc::channel::<()>();
        let (_, ask) = until_asked(1);
        // It waits for what comes only after it was left.
        assert_eq!(until(ask, || apart(move || held.recv().is_ok())), Err(Stopped));
        drop(hand);
        let (_, ask) = until_asked(usize::MAX);
        assert_eq!(until(ask, || apart(|| 7)), Ok(7));
        assert_eq!(apart(|| thread::current().id()), thread::current().id());
    }

    #[test]
    fn a_panic_stays_one() {
        for is_apart in [false, true] {
            let (_, ask) = until_asked(usize::MAX);
            let work = move || {
                let fault = || panic::resume_unwind(Box::new(17));
                if is_apart { apart(fault) } else { pool::run(fault) }
            };
            let unwound = panic::catch_unwind(AssertUnwindSafe(|| until(ask, work)));
            assert_eq!(unwound.unwrap_err().downcast::<i32>().ok(), Some(Box::new(17)));
        }
    }

    #[test]
    fn steps_are_told_from_all_threads() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let ask = move |progress: Progress| {
            heard.lock().is_ok_and(|mut heard| {
                heard.push(progress);
                // On a busy machine little may be done between two questions.
                heard.len() < 3 || progress.done <= heard[0].done
            })
        };
        let stopped = until(ask, || {
            expect(1 << 20);
            pool::map(1 << 20, 2, |_| {
                advance(1);
                thread::sleep(Duration::from_millis(1));
            })
        });
        assert_eq!(stopped.map(|all| all.len()), Err(Stopped));
        let told = told.lock().unwrap();
        assert!(told.iter().all(|progress| progress.total == 1 << 20));
        assert!(told.is_sorted_by(|a, b| a.done <= b.done));
        assert!(told[0].done < told[told.len() - 1].done);
    }

    #[test]
    fn whoever_asks_may_do_other_work_meanwhile() {
        let ask = |_| {
            check(); // of the work that asks, which does not ask itself
            until(|_| true, || pool::map(100, 2, |number| number)).is_err()
        };
        assert_eq!(until(ask, endless), Err(Stopped));
    }

    #[test]
    fn a_long_sort_is_stopped_and_loses_nothing() {
        let count = 1_u64 << 23;
        let mut items: Vec<u64> =
            (0..count).map(|item| item.wrapping_mul(0x9e37_79b9) % count).collect();
        let sum = |items: &[u64]| items.iter().sum::<u64>();
        let before = sum(&items);
        let part = Work { state: Arc::default(), caller: None };
        part.state.is_stopped.store(true, Ordering::Relaxed);
        let unwound = panic::catch_unwind(AssertUnwindSafe(|| {
            let _before = begin(Some(part));
            pool::sort(&mut items);
        }));
        assert!(unwound.unwrap_err().is::<Stopped>());
        assert_eq!(sum(&items), before);
        pool::sort(&mut items);
        assert!(items.is_sorted() && sum(&items) == before);
    }
}
