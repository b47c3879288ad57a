//! A campaign under way: gifts sent in the file's order, a bounded number at once, each with a row of results.
//!
//! The slot of a gift is free again only when its row is on disk. So when the process is killed, the gifts that were
//! sent and have no row are among the first [`AT_ONCE_MAX`] that lack one, and the next run sends exactly those as
//! gifts that may have been sent before.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pactolus_client::{Client, PresentRequest};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::outcome::{Number, Outcome, Recorded, Sent, send};
use super::plan::Gifts;
use super::progress::{Progress, Tally};
use super::results::{Earlier, Entry, Results};

/// The most gifts that may be sent at once.
pub(crate) const AT_ONCE_MAX: usize = 256;

/// After so many refusals without a gift between them, the others would hardly fare better.
const REFUSED_IN_A_ROW_MAX: u64 = 100;

/// How a campaign is run.
pub(crate) struct Pace {
    /// How many gifts are sent at once: 1 to [`AT_ONCE_MAX`].
    pub(crate) at_once: usize,
    /// How many are begun in a second, if that is bounded.
    pub(crate) per_second: Option<u32>,
}

/// What a campaign stands on.
pub(crate) struct Campaign<'a> {
    pub(crate) client: Client,
    pub(crate) gifts: Gifts<'a>,
    /// What earlier runs have written down.
    pub(crate) earlier: Earlier,
    /// Whether there was an earlier run.
    pub(crate) is_resumed: bool,
    pub(crate) pace: Pace,
}

/// Why a campaign has not given every gift.
#[derive(Debug)]
pub(crate) enum Shortfall {
    /// It was told to.
    Told,
    /// Every other gift would meet the same.
    ConcernsAll(String),
    /// So many were refused, one after the other.
    RefusedInARow(String),
    /// The bank does not answer.
    NoAnswers(String),
    /// All were tried and some refused, the last one for this.
    Refused(String),
    /// The results can no longer be written, or the rows no longer be read.
    Io(io::Error),
}

impl Campaign<'_> {
    /// Gives what is left; what came of it, and why not of all.
    pub(crate) async fn run(
        self,
        results: Results,
        stop: impl Future<Output = ()>,
        progress: &Progress,
    ) -> (Tally, Option<Shortfall>) {
        let mut watch = Watch::new(self.pace.at_once);
        let (rows, writing) = match results.write(AT_ONCE_MAX) {
            Ok(writing) => writing,
            Err(error) => return (watch.tally, Some(Shortfall::Io(error))),
        };
        let mut calls = JoinSet::new();
        let sent = self.send_all(rows, stop, &mut calls, &mut watch, progress).await;
        if let Err(error) = sent {
            watch.stopped.get_or_insert(Shortfall::Io(error));
        }
        while let Some(sent) = calls.join_next().await {
            watch.see(sent.ok().flatten(), progress);
        }
        progress.end();
        let written = writing.join().unwrap_or_else(|_| Err(io::Error::other("the writer panicked")));
        if let Err(error) = written {
            watch.stopped = Some(Shortfall::Io(error));
        }
        (watch.tally, watch.stopped.or(watch.last_refusal.map(Shortfall::Refused)))
    }

    async fn send_all(
        &self,
        rows: mpsc::Sender<Entry>,
        stop: impl Future<Output = ()>,
        calls: &mut JoinSet<Option<Sent>>,
        watch: &mut Watch,
        progress: &Progress,
    ) -> io::Result<()> {
        let mut stop = std::pin::pin!(stop);
        let slots = Arc::new(Semaphore::new(self.pace.at_once));
        let mut clock = Ticks::new(self.pace.per_second);
        let mut lacking = 0;
        for gift in self.gifts.walk()? {
            let (line, present, number) = gift?;
            let recorded = self.earlier.of(&present);
            if matches!(recorded, Recorded::Given | Recorded::Otherwise) {
                continue;
            }
            let lacks_row = recorded == Recorded::No;
            let may_be_sent = lacks_row && self.is_resumed && lacking < AT_ONCE_MAX;
            let number =
                if may_be_sent || recorded == Recorded::Unknown { Number::MaybeSent } else { number };
            lacking += usize::from(lacks_row);
            let slot = tokio::select! {
                biased;
                () = &mut stop => {
                    watch.stopped = Some(Shortfall::Told);
                    return Ok(());
                }
                slot = turn(&slots, &mut clock) => slot,
            };
            while let Some(sent) = calls.try_join_next() {
                watch.see(sent.ok().flatten(), progress);
            }
            if watch.stopped.is_some() {
                return Ok(());
            }
            calls.spawn(give(self.client.clone(), line, present, number, slot, rows.clone()));
        }
        Ok(())
    }
}

/// Waits for a slot, and then for the time.
async fn turn(slots: &Arc<Semaphore>, clock: &mut Ticks) -> tokio::sync::OwnedSemaphorePermit {
    let slot = Arc::clone(slots).acquire_owned().await.expect("nobody closes the slots");
    clock.tick().await;
    slot
}

/// Sends one gift and hands its row on; nothing if the row cannot be written any more.
async fn give(
    client: Client,
    line: u64,
    present: PresentRequest,
    number: Number,
    slot: tokio::sync::OwnedSemaphorePermit,
    rows: mpsc::Sender<Entry>,
) -> Option<Sent> {
    let sent = send(&client, &present, number).await;
    let seen = Sent { detail: sent.detail.clone(), ..sent };
    rows.send(Entry { line, present, sent, _slot: slot }).await.ok().map(|()| seen)
}

/// Looks at what comes back, and says when it is no use to go on.
struct Watch {
    tally: Tally,
    stopped: Option<Shortfall>,
    /// Why the last one was refused that was.
    last_refusal: Option<String>,
    refused_in_a_row: u64,
    unanswered_in_a_row: u64,
    /// When no slot brings an answer, nobody answers.
    unanswered_max: u64,
}

impl Watch {
    fn new(at_once: usize) -> Self {
        Self {
            tally: Tally::default(),
            stopped: None,
            last_refusal: None,
            refused_in_a_row: 0,
            unanswered_in_a_row: 0,
            unanswered_max: at_once as u64,
        }
    }

    fn see(&mut self, sent: Option<Sent>, progress: &Progress) {
        let Some(sent) = sent else {
            self.stopped.get_or_insert(Shortfall::Io(io::Error::other("the results cannot be written")));
            return;
        };
        self.tally.count(sent.outcome);
        progress.show(&self.tally);
        match sent.outcome {
            Outcome::Given | Outcome::GivenBefore => {
                (self.refused_in_a_row, self.unanswered_in_a_row) = (0, 0);
            }
            Outcome::Refused => {
                self.refused_in_a_row += 1;
                self.last_refusal = Some(sent.detail.clone());
            }
            Outcome::NotSent | Outcome::Unknown => self.unanswered_in_a_row += 1,
        }
        if sent.concerns_all {
            self.stopped.get_or_insert(Shortfall::ConcernsAll(sent.detail));
        } else if self.refused_in_a_row >= REFUSED_IN_A_ROW_MAX {
            self.stopped.get_or_insert(Shortfall::RefusedInARow(sent.detail));
        } else if self.unanswered_in_a_row >= self.unanswered_max {
            self.stopped.get_or_insert(Shortfall::NoAnswers(sent.detail));
        }
    }
}

/// Evenly spaced moments to begin something.
struct Ticks {
    every: Duration,
    next: Option<Instant>,
}

impl Ticks {
    fn new(per_second: Option<u32>) -> Self {
        let every = per_second.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Self { every, next: None }
    }

    /// The next moment. Those that were missed are made up for only as far as timers are late: the rate is a bound.
    async fn tick(&mut self) {
        const TIMERS_LATE: Duration = Duration::from_millis(10);
        if self.every.is_zero() {
            return;
        }
        let now = Instant::now();
        let at = self.next.map_or(now, |next| next.max(now.checked_sub(TIMERS_LATE).unwrap_or(now)));
        self.next = Some(at + self.every);
        tokio::time::sleep_until(at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::i18n::Lang;

    fn stopped_after(outcomes: impl IntoIterator<Item = (Outcome, bool)>) -> (u64, Option<Shortfall>) {
        let (mut watch, progress) = (Watch::new(4), Progress::new(1, Lang::En));
        for (outcome, concerns_all) in outcomes {
            let sent = Sent { outcome, balance: None, detail: "why".to_owned(), concerns_all };
            watch.see(Some(sent), &progress);
            if watch.stopped.is_some() {
                break;
            }
        }
        (watch.tally.tried(), watch.stopped)
    }

    #[test]
    fn a_campaign_ends_when_it_is_no_use_to_go_on() {
        let many = |outcome| std::iter::repeat_n((outcome, false), 1000);
        assert!(matches!(stopped_after(many(Outcome::Given)), (1000, None)));
        assert!(matches!(stopped_after(many(Outcome::Refused)), (100, Some(Shortfall::RefusedInARow(_)))));
        assert!(matches!(stopped_after(many(Outcome::Unknown)), (4, Some(Shortfall::NoAnswers(_)))));
        assert!(matches!(stopped_after([(Outcome::Refused, true)]), (1, Some(Shortfall::ConcernsAll(_)))));
        let now_and_then =
            [Outcome::Unknown, Outcome::Unknown, Outcome::Given].map(|outcome| (outcome, false));
        assert!(matches!(stopped_after(now_and_then.repeat(50)), (150, None)));
    }
}
