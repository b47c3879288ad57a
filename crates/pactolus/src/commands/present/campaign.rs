//! A running campaign: sends gifts in file order, with bounded concurrency, and appends each outcome to the results.
//!
//! Invariant: a slot is released only after the row of its gift is on disk. So after a kill, the gifts that were sent
//! and have no row are among the first [`CONCURRENCY_MAX`] without one. The next run retries exactly these as gifts
//! that may have been sent before.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pactolus_client::PresentRequest;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::kind::BatchKind;
use super::outcome::{BillNoOrigin, GiftOutcome, GiftStatus, SendResult};
use super::plan::GiftReader;
use super::progress::{OutcomeCounts, Progress};
use super::results::{Entry, ResultsFile, ResultsIndex, ResultsWriter};
use super::sender::GiftSender;

/// Maximum number of gifts in flight.
pub(crate) const CONCURRENCY_MAX: usize = 256;

/// After this many consecutive refusals the campaign stops: the remaining gifts would hardly fare better.
const CONSECUTIVE_REFUSALS_MAX: u64 = 100;

pub(crate) struct SendLimits {
    /// Gifts in flight: 1 to [`CONCURRENCY_MAX`].
    pub(crate) concurrency: usize,
    /// Rate limit in gifts per second.
    pub(crate) rate: Option<u32>,
}

/// A campaign, ready to run.
pub(crate) struct Campaign<'a> {
    pub(crate) sender: GiftSender,
    pub(crate) gifts: GiftReader<'a>,
    /// Outcomes of earlier runs.
    pub(crate) recorded: ResultsIndex,
    /// Whether an earlier run was interrupted, so that some of its gifts may lack a row.
    pub(crate) is_resumed: bool,
    pub(crate) limits: SendLimits,
}

/// Why a campaign stopped before every gift was given.
#[derive(Debug)]
pub(crate) enum StopReason {
    /// A signal stopped it.
    Interrupted,
    /// Every other gift would fail the same way.
    AppMisconfigured(String),
    /// Too many consecutive refusals.
    ConsecutiveRefusals(String),
    /// The bank does not respond.
    Unreachable(String),
    /// All gifts were tried and some were refused; the reason of the last refusal.
    Refused(String),
    /// The results file cannot be written, or the rows cannot be read.
    Io(io::Error),
}

impl Campaign<'_> {
    /// Gives the remaining gifts. Returns the counts, and the reason if not all are given.
    pub(crate) async fn run(
        self,
        results: ResultsFile,
        stop: impl Future<Output = ()>,
        progress: &Progress,
    ) -> (OutcomeCounts, Option<StopReason>) {
        let mut monitor = FailureMonitor::new(self.limits.concurrency, self.sender.kind());
        let mut results = ResultsWriter::new(results);
        let mut calls = JoinSet::new();
        let sent = self.send_all(&mut results, stop, &mut calls, &mut monitor, progress).await;
        if let Err(error) = sent {
            monitor.stop_reason.get_or_insert(StopReason::Io(error));
        }
        while let Some(sent) = calls.join_next().await {
            monitor.observe(sent.ok().flatten(), progress);
        }
        progress.finish();
        if let Err(error) = results.finish(!monitor.lacks_row && !monitor.resends) {
            monitor.stop_reason = Some(StopReason::Io(error));
        }
        (monitor.tally, monitor.stop_reason.or(monitor.last_refusal.map(StopReason::Refused)))
    }

    async fn send_all(
        &self,
        results: &mut ResultsWriter,
        stop: impl Future<Output = ()>,
        calls: &mut JoinSet<Option<SendResult>>,
        monitor: &mut FailureMonitor,
        progress: &Progress,
    ) -> io::Result<()> {
        let mut stop = std::pin::pin!(stop);
        let slots = Arc::new(Semaphore::new(self.limits.concurrency));
        let mut ticker = Ticker::new(self.limits.rate);
        let mut rows_missing = 0;
        // Gifts of an interrupted run lack a row until they are sent once more.
        monitor.resends = self.is_resumed;
        for gift in self.gifts.walk()? {
            let (line, present, number) = gift?;
            let recorded = self.recorded.status(&present);
            if matches!(recorded, GiftStatus::Applied | GiftStatus::Conflict) {
                continue;
            }
            let lacks_row = recorded == GiftStatus::Missing;
            let may_be_sent = lacks_row && self.is_resumed && rows_missing < CONCURRENCY_MAX;
            let number =
                if may_be_sent || recorded == GiftStatus::Unknown { BillNoOrigin::MaybeSent } else { number };
            rows_missing += usize::from(lacks_row);
            monitor.resends &= rows_missing <= CONCURRENCY_MAX;
            let slot = tokio::select! {
                biased;
                () = &mut stop => {
                    monitor.stop_reason = Some(StopReason::Interrupted);
                    return Ok(());
                }
                slot = acquire_slot(&slots, &mut ticker) => slot,
            };
            while let Some(sent) = calls.try_join_next() {
                monitor.observe(sent.ok().flatten(), progress);
            }
            if monitor.stop_reason.is_some() {
                return Ok(());
            }
            let rows = results.sender(CONCURRENCY_MAX)?;
            calls.spawn(send_and_record(self.sender.clone(), line, present, number, slot, rows));
        }
        monitor.resends = false;
        Ok(())
    }
}

/// Waits for a slot, then for the rate limit.
async fn acquire_slot(slots: &Arc<Semaphore>, ticker: &mut Ticker) -> tokio::sync::OwnedSemaphorePermit {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    ticker.tick().await;
    slot
}

/// Sends one gift and passes its row to the writer; `None` if the writer is gone.
async fn send_and_record(
    sender: GiftSender,
    line: u64,
    present: PresentRequest,
    number: BillNoOrigin,
    slot: tokio::sync::OwnedSemaphorePermit,
    rows: mpsc::Sender<Entry>,
) -> Option<SendResult> {
    let sent = sender.send(&present, number).await;
    let result = SendResult { detail: sent.detail.clone(), ..sent };
    rows.send(Entry { line, present, sent, _slot: slot }).await.ok().map(|()| result)
}

/// Counts outcomes, and decides when the campaign has to stop.
struct FailureMonitor {
    tally: OutcomeCounts,
    stop_reason: Option<StopReason>,
    /// Reason of the last refusal.
    last_refusal: Option<String>,
    consecutive_refusals: u64,
    consecutive_unanswered: u64,
    /// Whether a gift of this run was sent, and its row was lost.
    lacks_row: bool,
    /// Whether a gift of an interrupted run may still be without a row.
    resends: bool,
    /// The campaign stops after this many consecutive calls without a response: one per slot.
    unanswered_max: u64,
}

impl FailureMonitor {
    fn new(at_once: usize, kind: BatchKind) -> Self {
        Self {
            tally: OutcomeCounts::of_kind(kind),
            stop_reason: None,
            last_refusal: None,
            consecutive_refusals: 0,
            consecutive_unanswered: 0,
            lacks_row: false,
            resends: false,
            unanswered_max: at_once as u64,
        }
    }

    fn observe(&mut self, sent: Option<SendResult>, progress: &Progress) {
        let Some(sent) = sent else {
            self.lacks_row = true;
            self.stop_reason.get_or_insert(StopReason::Io(io::Error::other("the results cannot be written")));
            return;
        };
        self.tally.add(sent.outcome);
        progress.update(&self.tally);
        match sent.outcome {
            GiftOutcome::Applied | GiftOutcome::Replayed | GiftOutcome::Taken | GiftOutcome::TakenBefore => {
                (self.consecutive_refusals, self.consecutive_unanswered) = (0, 0);
            }
            GiftOutcome::Refused | GiftOutcome::NumberUsed => {
                self.consecutive_refusals += 1;
                self.last_refusal = Some(sent.detail.clone());
            }
            GiftOutcome::NotSent | GiftOutcome::Unknown => self.consecutive_unanswered += 1,
        }
        if sent.app_misconfigured {
            self.stop_reason.get_or_insert(StopReason::AppMisconfigured(sent.detail));
        } else if self.consecutive_refusals >= CONSECUTIVE_REFUSALS_MAX {
            self.stop_reason.get_or_insert(StopReason::ConsecutiveRefusals(sent.detail));
        } else if self.consecutive_unanswered >= self.unanswered_max {
            self.stop_reason.get_or_insert(StopReason::Unreachable(sent.detail));
        }
    }
}

/// Rate limiter: evenly spaced start times.
struct Ticker {
    interval: Duration,
    next: Option<Instant>,
}

impl Ticker {
    fn new(per_second: Option<u32>) -> Self {
        let every = per_second.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Self { interval: every, next: None }
    }

    /// Waits for the next start time. It catches up only for the slack of timers, so the rate is an upper bound.
    async fn tick(&mut self) {
        const TIMER_SLACK: Duration = Duration::from_millis(10);
        if self.interval.is_zero() {
            return;
        }
        let now = Instant::now();
        let at = self.next.map_or(now, |next| next.max(now.checked_sub(TIMER_SLACK).unwrap_or(now)));
        self.next = Some(at + self.interval);
        tokio::time::sleep_until(at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::i18n::Lang;

    fn stop_reason_after(
        outcomes: impl IntoIterator<Item = (GiftOutcome, bool)>,
    ) -> (u64, Option<StopReason>) {
        let (mut monitor, progress) = {
            let kind = BatchKind::Gifts;
            (FailureMonitor::new(4, kind), Progress::new(1, kind, Lang::En))
        };
        for (outcome, concerns_all) in outcomes {
            let sent = SendResult {
                outcome,
                balance: None,
                detail: "why".to_owned(),
                app_misconfigured: concerns_all,
            };
            monitor.observe(Some(sent), &progress);
            if monitor.stop_reason.is_some() {
                break;
            }
        }
        (monitor.tally.attempted(), monitor.stop_reason)
    }

    #[test]
    fn campaign_stops_on_persistent_failure() {
        let many = |outcome| std::iter::repeat_n((outcome, false), 1000);
        assert!(matches!(stop_reason_after(many(GiftOutcome::Applied)), (1000, None)));
        assert!(matches!(
            stop_reason_after(many(GiftOutcome::Refused)),
            (100, Some(StopReason::ConsecutiveRefusals(_)))
        ));
        assert!(matches!(
            stop_reason_after(many(GiftOutcome::Unknown)),
            (4, Some(StopReason::Unreachable(_)))
        ));
        assert!(matches!(
            stop_reason_after([(GiftOutcome::Refused, true)]),
            (1, Some(StopReason::AppMisconfigured(_)))
        ));
        let now_and_then = [GiftOutcome::Unknown, GiftOutcome::Unknown, GiftOutcome::Applied]
            .map(|outcome| (outcome, false));
        assert!(matches!(stop_reason_after(now_and_then.repeat(50)), (150, None)));
    }
}
