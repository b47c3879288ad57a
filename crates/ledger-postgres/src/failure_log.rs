//! Log of database failures: one line for each change of state and one a minute, however many calls fail.
//!
//! An outage begins with the first call that finds no database, and ends with the next connection. A connection that
//! breaks and returns over and over is one outage in the log every ten seconds. Other failures get a line a second.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{DatabaseError, ErrorAction};

/// Time between two lines of an outage.
const REPEAT: Duration = Duration::from_secs(60);

/// Time between the first lines of two outages.
const FLAP: Duration = Duration::from_secs(10);

/// Time between two lines of other failures.
const FAILURE_INTERVAL: Duration = Duration::from_secs(1);

/// Failures of one node.
#[derive(Default)]
pub(crate) struct FailureLog {
    /// Held for a comparison only; nothing is logged under it.
    state: Mutex<LogState>,
}

#[derive(Default)]
struct LogState {
    outage: Option<Outage>,
    last_outage_line: Option<Instant>,
    last_failure_line: Option<Instant>,
    /// Failures since that line.
    unlogged: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outage {
    since: Instant,
    failures: u64,
    is_logged: bool,
}

/// What to log of a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OutageLine {
    Nothing,
    Begins,
    GoesOn(Outage),
}

impl FailureLog {
    /// Logs a failed `operation`, such as "reading an account failed".
    pub(crate) fn report(&self, operation: &str, error: &DatabaseError) {
        match error.action() {
            ErrorAction::Retry | ErrorAction::GiveUp => tracing::debug!("{operation}: {}", error.message()),
            ErrorAction::Reconnect => {
                let line = self.state().fail(Instant::now());
                log_outage(line, operation, error);
            }
            ErrorAction::Reject | ErrorAction::Discard => {
                let unlogged = self.state().count_failure(Instant::now());
                if let Some(unlogged) = unlogged {
                    tracing::error!(unlogged, "{operation}: {}", error.message());
                }
            }
        }
    }

    /// Notes that a connection was opened.
    pub(crate) fn connected(&self) {
        let ended = self.state().recover();
        if let Some(Outage { since, failures, .. }) = ended {
            let seconds = since.elapsed().as_secs();
            tracing::info!(seconds, failures, "the database is reachable again");
        }
    }

    fn state(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_outage(line: OutageLine, operation: &str, error: &DatabaseError) {
    match line {
        OutageLine::Nothing => {}
        OutageLine::Begins => {
            tracing::warn!("the database is unreachable; {operation}: {}", error.message());
        }
        OutageLine::GoesOn(Outage { since, failures, .. }) => {
            let seconds = since.elapsed().as_secs();
            tracing::warn!(seconds, failures, "the database is still unreachable: {}", error.message());
        }
    }
}

impl LogState {
    fn fail(&mut self, now: Instant) -> OutageLine {
        let outage = self.outage.get_or_insert(Outage { since: now, failures: 0, is_logged: false });
        outage.failures += 1;
        let interval = if outage.is_logged { REPEAT } else { FLAP };
        if self.last_outage_line.is_some_and(|last| now.saturating_duration_since(last) < interval) {
            return OutageLine::Nothing;
        }
        self.last_outage_line = Some(now);
        let was_logged = std::mem::replace(&mut outage.is_logged, true);
        if was_logged { OutageLine::GoesOn(*outage) } else { OutageLine::Begins }
    }

    /// Ends the outage; `None` if its begin was not logged.
    fn recover(&mut self) -> Option<Outage> {
        self.outage.take().filter(|outage| outage.is_logged)
    }

    /// The failures since the last line, if another line is due.
    fn count_failure(&mut self, now: Instant) -> Option<u64> {
        let is_due = |last| now.saturating_duration_since(last) >= FAILURE_INTERVAL;
        if self.last_failure_line.is_none_or(is_due) {
            self.last_failure_line = Some(now);
            Some(std::mem::take(&mut self.unlogged))
        } else {
            self.unlogged += 1;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of calls that fail every 50 ms for this many seconds.
    fn lines(state: &mut LogState, from: Instant, seconds: u64) -> Vec<(u64, OutageLine)> {
        let steps = (0..seconds * 20).map(|step| Duration::from_millis(step * 50));
        let lines = steps.map(|after| (after.as_secs(), state.fail(from + after)));
        lines.filter(|(_, line)| *line != OutageLine::Nothing).collect()
    }

    #[test]
    fn outage_is_one_line_and_one_a_minute() {
        let (mut state, start) = (LogState::default(), Instant::now());
        let lines = lines(&mut state, start, 200);
        let seconds: Vec<u64> = lines.iter().map(|(second, _)| *second).collect();
        assert_eq!(seconds, [0, 60, 120, 180]);
        assert_eq!(lines[0].1, OutageLine::Begins);
        assert_eq!(lines[1].1, OutageLine::GoesOn(Outage { since: start, failures: 1201, is_logged: true }));
        assert_eq!(state.recover().map(|outage| outage.failures), Some(4000));
        assert_eq!(state.recover(), None, "the end is one line");
    }

    #[test]
    fn flapping_connection_is_a_line_in_ten_seconds() {
        let (mut state, start) = (LogState::default(), Instant::now());
        let (mut begins, mut ends) = (0, 0);
        for step in 0..60 {
            let line = state.fail(start + Duration::from_millis(step * 500));
            begins += u32::from(line == OutageLine::Begins);
            ends += u32::from(state.recover().is_some());
        }
        assert_eq!((begins, ends), (3, 3), "thirty seconds");
    }

    #[test]
    fn other_failures_are_a_line_a_second() {
        let (mut state, start) = (LogState::default(), Instant::now());
        let due: Vec<u64> = (0..30)
            .filter_map(|step| state.count_failure(start + Duration::from_millis(step * 100)))
            .collect();
        assert_eq!(due, [0, 9, 9]);
    }
}
