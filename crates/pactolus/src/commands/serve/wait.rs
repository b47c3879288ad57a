//! Wait for a database that does not take connections yet, as when compose starts both at once.

use std::time::Duration;

use tokio::time::Instant;

use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, tr};

/// Pause between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// Attempts per log line.
const ATTEMPTS_PER_LINE: usize = 5;

/// Runs `open`, and repeats it for `wait` while the store cannot be opened. Logs the reason every few seconds.
pub(super) async fn until_open<T>(
    wait: Duration,
    lang: Lang,
    open: impl AsyncFn() -> Result<T, CliError>,
) -> Result<T, CliError> {
    let deadline = Instant::now() + wait;
    for attempt in 0_usize.. {
        let error = match open().await {
            Err(error @ CliError::StoreOpen { .. }) if Instant::now() < deadline => error,
            done => return done,
        };
        if attempt.is_multiple_of(ATTEMPTS_PER_LINE) {
            let waiting = tr!(lang, "waiting for the database", "正在等待数据库");
            tracing::warn!(reason = error.localized(lang), "{waiting}");
        }
        tokio::time::sleep_until(deadline.min(Instant::now() + PAUSE)).await;
    }
    unreachable!("the loop ends at the deadline")
}
