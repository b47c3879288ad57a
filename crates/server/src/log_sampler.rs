//! Log sampler: bounds the log lines of an event that strangers or a lost store can cause any number of times.
//!
//! The first events of a window are logged, the others are counted, and one line at the window's end has the count.
//! Windows are measured by the runtime's timer, because a manual clock may stand still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Length of a window of events that strangers cause.
pub(crate) const WINDOW: Duration = Duration::from_secs(1);

/// Length of a window of calls that fail because the store does.
const FAILURE_WINDOW: Duration = Duration::from_secs(60);

/// A clone counts the same events.
#[derive(Clone)]
pub(crate) struct LogSampler {
    window: Duration,
    /// Events of this window.
    count: Arc<AtomicU64>,
    /// Events per window that are logged.
    logged_max: u64,
    /// Logs the count of those that were not.
    log_count: fn(u64),
}

/// Rejections of strangers per second that are logged.
const STRANGERS_LOGGED_PER_SECOND: u64 = 10;

impl LogSampler {
    /// A sampler of rejections without a valid token.
    pub(crate) fn of_strangers() -> Self {
        Self::new(STRANGERS_LOGGED_PER_SECOND, |left_out| {
            tracing::info!(left_out, "rejected, without a valid token; more than the log shows");
        })
    }

    /// A sampler of calls that are answered with -1. The store logs its failure itself.
    pub(crate) fn of_failed_calls() -> Self {
        let sampler = Self::new(1, |left_out| {
            tracing::info!(left_out, "answered with -1; more than the log shows");
        });
        Self { window: FAILURE_WINDOW, ..sampler }
    }

    /// A sampler with windows of [`WINDOW`].
    pub(crate) fn new(logged_max: u64, log_count: fn(u64)) -> Self {
        Self { window: WINDOW, count: Arc::default(), logged_max, log_count }
    }

    /// Counts an event. Returns its number in the window, from 1.
    pub(crate) fn count(&self) -> u64 {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if number == 1 {
            let sampler = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(sampler.window).await;
                sampler.end_window();
            });
        }
        number
    }

    /// Counts an event. Returns whether to log it.
    pub(crate) fn admits(&self) -> bool {
        self.count() <= self.logged_max
    }

    /// Logs the count of the events that were not logged.
    pub(crate) fn end_window(&self) {
        let left_out = self.count.swap(0, Ordering::Relaxed).saturating_sub(self.logged_max);
        if left_out > 0 {
            (self.log_count)(left_out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

    #[tokio::test(start_paused = true)]
    async fn events_over_the_rate_are_counted() {
        let sampler = LogSampler::new(10, |left_out| {
            LEFT_OUT.fetch_add(left_out, Ordering::Relaxed);
        });
        let admitted = |sampler: &LogSampler| (0..2000).filter(|_| sampler.admits()).count();
        assert_eq!(admitted(&sampler), 10);
        // The paused timer moves on its own while every task waits: past the window's end first.
        let _ = tokio::time::timeout(2 * WINDOW, std::future::pending::<()>()).await;
        assert_eq!(LEFT_OUT.load(Ordering::Relaxed), 1990);
        assert_eq!(admitted(&sampler), 10, "a new window");
        sampler.end_window();
        assert_eq!(LEFT_OUT.load(Ordering::Relaxed), 2 * 1990, "a shutdown ends the window early");
    }
}
