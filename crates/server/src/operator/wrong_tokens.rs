//! Wrong operator tokens: they are counted in the log, and delayed when there are many.
//!
//! The right token is compared first and never waits, so a flood of wrong ones locks no operator out. Memory is
//! bounded: one counter, and at most [`DELAYED_MAX`] replies that wait.

use std::time::Duration;

use tokio::sync::Semaphore;

use super::problem::Problem;
use crate::log_sampler::LogSampler;

/// Wrong tokens per second that are answered at once: a mistyped one, not a search.
const UNDELAYED_PER_SECOND: u64 = 10;

/// Delay of a reply to a further one.
const DELAY: Duration = Duration::from_secs(1);

/// Replies that wait at once, each with its connection; further ones are answered as busy.
const DELAYED_MAX: usize = 64;

/// Limiter of wrong operator tokens.
pub(crate) struct WrongTokenLimiter {
    sampler: LogSampler,
    delays: Semaphore,
}

impl WrongTokenLimiter {
    pub(crate) fn new() -> Self {
        let log_count = |count| tracing::warn!(count, "wrong operator tokens within a second");
        Self { sampler: LogSampler::new(0, log_count), delays: Semaphore::new(DELAYED_MAX) }
    }

    /// Counts a wrong token. Returns its reply, late if there are many.
    pub(crate) async fn refuse(&self) -> Problem {
        if self.sampler.count() > UNDELAYED_PER_SECOND {
            let Ok(_delayed) = self.delays.try_acquire() else {
                return Problem::unavailable("too many wrong operator tokens; try again later");
            };
            tokio::time::sleep(DELAY).await;
        }
        Problem::unauthorized("the bearer token is not the operator's")
    }

    /// Logs the count before the server ends.
    pub(crate) fn log_count(&self) {
        self.sampler.end_window();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tokens_over_the_rate_are_delayed() {
        let limiter = WrongTokenLimiter::new();
        let start = Instant::now();
        let times = join_all((0..2000).map(|_| async {
            limiter.refuse().await;
            start.elapsed()
        }));
        let times = times.await;
        let delayed = times.iter().filter(|&&time| time >= DELAY).count();
        assert_eq!(delayed, DELAYED_MAX);
        assert!(times[..10].iter().all(Duration::is_zero), "a few wrong tokens are answered at once");
    }
}
