//! Locks that a fork cannot leave locked for ever.
//!
//! A process that `fork` has made has only the thread that called it. A lock that another thread of the
//! parent held then stays locked in the child, and what it guards may be half changed. In the process that
//! used a lock first this is a plain lock. A process forked from there counts who holds it there: a lock
//! that cannot be had and that none of them holds is refused.

use std::ops::{Deref, DerefMut};
use std::process;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{
    LockResult, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult,
};
use std::thread;
use std::time::Duration;

/// A thread of the process that this one was forked from held a lock, and is not here to give it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process was forked while another thread of its parent used the same object: make the object \
     anew here, or start processes by 'spawn' or 'forkserver'"
)]
pub struct Forked;

/// How often a lock that nobody here holds is tried, a millisecond apart.
const TRIES: u32 = 100;

/// A value that many read or one changes.
#[derive(Debug, Default)]
pub(crate) struct Lock<T> {
    /// The process that used it first; 0 before.
    process: AtomicU32,
    /// A process forked from there, in the upper half, and how many of its threads hold the lock.
    holders: AtomicU64,
    inner: RwLock<T>,
}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        let (process, holders) = (AtomicU32::new(0), AtomicU64::new(0));
        Self { process, holders, inner: RwLock::new(value) }
    }

    /// The value, to read.
    ///
    /// # Errors
    ///
    /// If the process was forked while another thread was changing it.
    pub(crate) fn read(&self) -> Result<Guard<'_, RwLockReadGuard<'_, T>>, Forked> {
        self.hold(|| self.inner.read(), || self.inner.try_read())
    }

    /// The value, to change.
    ///
    /// # Errors
    ///
    /// If the process was forked while another thread was reading or changing it.
    pub(crate) fn write(&self) -> Result<Guard<'_, RwLockWriteGuard<'_, T>>, Forked> {
        self.hold(|| self.inner.write(), || self.inner.try_write())
    }

    fn hold<'a, G>(
        &'a self,
        wait: impl FnOnce() -> LockResult<G>,
        try_once: impl Fn() -> TryLockResult<G>,
    ) -> Result<Guard<'a, G>, Forked> {
        let me = process::id();
        let first = self.process.compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_ok() || first == Err(me) {
            let inner = wait().unwrap_or_else(PoisonError::into_inner);
            return Ok(Guard { inner, _holder: None });
        }
        let mut tries = 0;
        loop {
            let inner = match try_once() {
                Ok(inner) => inner,
                Err(TryLockError::Poisoned(inner)) => inner.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    tries = if is_held(self.holders.load(Ordering::Acquire), me) {
                        0
                    } else {
                        tries + 1
                    };
                    if tries > TRIES {
                        return Err(Forked);
                    }
                    thread::sleep(Duration::from_millis(1));
                    continue;
                }
            };
            let more =
                |held| Some(if is_held(held, me) { held + 1 } else { u64::from(me) << 32 | 1 });
            let _ = self.holders.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
            return Ok(Guard { inner, _holder: Some(Holder(&self.holders)) });
        }
    }
}

/// Whether threads of a process hold what is counted here.
fn is_held(holders: u64, process: u32) -> bool {
    holders >> 32 == u64::from(process) && holders & u64::from(u32::MAX) > 0
}

/// A value that is read or changed.
#[derive(Debug)]
pub(crate) struct Guard<'a, G> {
    // Dropped in this order, so that who counts as no holder has given the lock back.
    inner: G,
    _holder: Option<Holder<'a>>,
}

impl<G: Deref> Deref for Guard<'_, G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.inner
    }
}

impl<G: DerefMut> DerefMut for Guard<'_, G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.inner
    }
}

#[derive(Debug)]
struct Holder<'a>(&'a AtomicU64);

impl Drop for Holder<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lock that another process used first.
    fn inherited<T>(value: T) -> Lock<T> {
        let lock = Lock::new(value);
        lock.process.store(process::id() ^ 1, Ordering::Relaxed);
        lock
    }

    #[test]
    fn many_read_and_one_changes_in_whichever_process() {
        for lock in [Lock::new(0), inherited(0)] {
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        for _ in 0..100 {
                            *lock.write().expect("who holds it is here") += 1;
                            assert!(*lock.read().expect("who holds it is here") > 0);
                        }
                    });
                }
            });
            assert_eq!(lock.read().map(|sum| *sum), Ok(800));
            assert_eq!(lock.holders.load(Ordering::Relaxed) & u64::from(u32::MAX), 0);
        }
    }

    #[test]
    fn what_nobody_here_holds_is_refused() {
        let lock = inherited(7);
        let read = lock.inner.read();
        assert_eq!(lock.read().map(|value| *value), Ok(7));
        assert_eq!(lock.write().map(|value| *value), Err(Forked));
        drop(read);
        let changed = lock.inner.write();
        assert_eq!(lock.read().map(|value| *value), Err(Forked));
        drop(changed);
        assert_eq!(lock.write().map(|value| *value), Ok(7));
    }

    #[test]
    fn who_waits_for_a_thread_of_its_own_waits_longer_than_for_none() {
        let lock = inherited(());
        let held = lock.write().expect("it is free");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| lock.read().is_ok());
            thread::sleep(Duration::from_millis(u64::from(TRIES) * 3));
            drop(held);
            assert!(waiting.join().expect("it does not panic"));
        });
    }
}
