//! Supervisor of background threads: the end of one fails the store.
//!
//! A store without its flusher, say, would take orders until memory is full. So a thread that ends, by a panic or by a
//! return, fails the store, unless its owner has announced the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::health::Health;

/// A background thread of a store. Its owner calls [`SupervisedThread::expect_end`] before it lets the thread end.
pub(crate) struct SupervisedThread {
    is_expected: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ThreadEnd {
    #[error("the thread {0} panicked")]
    Panicked(&'static str),
    #[error("the thread {0} ended")]
    Returned(&'static str),
}

impl SupervisedThread {
    /// Starts a thread.
    pub(crate) fn spawn(
        name: &'static str,
        health: &Arc<Health>,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Self> {
        let is_expected = Arc::new(AtomicBool::new(false));
        let guard = EndGuard { name, health: Arc::clone(health), is_expected: Arc::clone(&is_expected) };
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            let _guard = guard;
            work();
        })?;
        Ok(Self { is_expected, thread: Some(thread) })
    }

    /// From now on a return is no failure. A panic always is.
    pub(crate) fn expect_end(&self) {
        self.is_expected.store(true, Ordering::Release);
    }

    /// Waits for the end.
    pub(crate) fn join(&mut self) {
        self.expect_end();
        if let Some(thread) = self.thread.take() {
            // The guard has reported a panic.
            let _ = thread.join();
        }
    }
}

/// Fails the store when its thread ends unexpectedly.
struct EndGuard {
    name: &'static str,
    health: Arc<Health>,
    is_expected: Arc<AtomicBool>,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the thread {} panicked", self.name);
            self.health.fail(&ThreadEnd::Panicked(self.name));
        } else if !self.is_expected.load(Ordering::Acquire) {
            self.health.fail(&ThreadEnd::Returned(self.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn health_after(expect_end: bool, work: impl FnOnce() + Send + 'static) -> Arc<Health> {
        let health = Arc::new(Health::new(Path::new("store")));
        let (go, gone) = sync_channel::<()>(0);
        let mut thread = SupervisedThread::spawn("pactolus-test", &health, move || {
            let _ = gone.recv();
            work();
        })
        .unwrap();
        if expect_end {
            thread.expect_end();
        }
        drop(go);
        // Not `join`, which expects the end.
        thread.thread.take().unwrap().join().unwrap_or_default();
        health
    }

    #[test]
    fn unexpected_end_fails_the_store() {
        for (expect_end, panics, is_healthy) in
            [(false, false, false), (false, true, false), (true, true, false), (true, false, true)]
        {
            let health = health_after(expect_end, move || assert!(!panics, "the panic of this test"));
            assert_eq!(health.check().is_ok(), is_healthy, "expected: {expect_end}, panic: {panics}");
            assert_eq!(health.failure().is_none(), is_healthy);
        }
    }
}
