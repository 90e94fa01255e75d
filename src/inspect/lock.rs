//! A lock with a name and a known holder.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::counters::LockEntry;
use super::registry::current_thread;

/// A value that one holder at a time may touch. A panic of the holder frees it.
#[derive(Debug)]
pub struct Lock<T> {
    inner: parking_lot::Mutex<T>,
    entry: Arc<LockEntry>,
}

impl<T> Lock<T> {
    /// A lock around a value; the name says what it is for.
    #[track_caller]
    pub fn new(name: impl Into<Cow<'static, str>>, value: T) -> Self {
        let entry = LockEntry::register(name.into(), Location::caller());
        Self { inner: parking_lot::Mutex::new(value), entry }
    }

    /// Takes the lock, blocking the thread: hold it for moments only.
    ///
    /// # Panics
    /// If this thread holds it already: waiting would be for ever.
    #[track_caller]
    pub fn lock(&self) -> LockGuard<'_, T> {
        let site = Location::caller();
        let inner = self.inner.try_lock().unwrap_or_else(|| {
            self.entry.contended.fetch_add(1, Relaxed);
            assert!(
                self.entry.thread.load(Relaxed) != current_thread(),
                "the lock \"{}\" is taken again by its own holder",
                self.entry.label.name
            );
            self.entry.waited_for(site, || self.inner.lock())
        });
        let taken = self.entry.taken(current_thread(), site);
        LockGuard { inner, entry: &self.entry, taken, _stays_on_its_thread: PhantomData }
    }

    /// The value, where nobody else can have the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

/// Access to the value until it is dropped. Not `Send`: a task that held it over a wait could not be spawned.
///
/// ```compile_fail,E0277
/// let lock = std::sync::Arc::new(unchoke::inspect::Lock::new("held over a wait", ()));
/// unchoke::inspect::spawn("holds it", async move {
///     let held = lock.lock();
///     unchoke::inspect::sleep(std::time::Duration::from_secs(1)).await;
///     drop(held);
/// });
/// ```
#[derive(Debug)]
pub struct LockGuard<'a, T> {
    inner: parking_lot::MutexGuard<'a, T>,
    entry: &'a LockEntry,
    /// When it was taken, where that is timed.
    taken: Option<u64>,
    _stays_on_its_thread: PhantomData<*const ()>,
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T> Drop for LockGuard<'_, T> {
    fn drop(&mut self) {
        // Runs before the inner guard goes, so the next holder's mark is not wiped.
        self.entry.given_back(self.taken);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LockReport, locks, spawn, spawn_thread};
    use super::*;

    fn report(name: &str) -> LockReport {
        locks().into_iter().find(|lock| lock.name == name).expect("registered")
    }

    #[tokio::test]
    async fn the_holder_is_known_while_it_holds() {
        let lock = Arc::new(Lock::new("held by a task", 1));
        let held = Arc::clone(&lock);
        let task = spawn("holder", async move {
            let guard = held.lock();
            let seen = report("held by a task");
            drop(guard);
            seen
        });
        let id = task.id();
        let seen = task.await.unwrap();
        assert!(seen.held);
        assert_eq!(seen.holder, Some(id));
        let after = report("held by a task");
        assert!(!after.held && after.holder.is_none());
        assert_eq!(after.acquisitions, 1);
    }

    #[test]
    fn taking_it_twice_panics_with_its_name_rather_than_hangs() {
        let lock = Arc::new(Lock::new("re-entered", ()));
        let inner = Arc::clone(&lock);
        let ended = spawn_thread("re-enterer", move || {
            let _first = inner.lock();
            let _second = inner.lock();
        });
        let ended = ended.unwrap().join();
        let text = ended.unwrap_err().to_string();
        assert!(text.contains("\"re-entered\" is taken again"), "{text}");
        drop(lock.lock());
    }
}
