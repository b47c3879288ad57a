//! Call histories of one account: every invocation with its send and answer times, and the check for linearizability.
//!
//! A history is linearizable (Herlihy and Wing) if its calls have a sequential order with two properties. Each call
//! stands between its sending and its answer, and a sequential bank gives every call the recorded answer. An
//! unanswered call may stand anywhere after its sending, or nowhere.
//! The sequential bank is [`account`], written from the contract and independent of the bank's code. The search is
//! [`linearize`]. No call may be missing from a history, so it is recorded before it is sent.

pub(crate) mod account;
pub(crate) mod linearize;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use self::account::{Invocation, Response};

/// A logical time: a tick of the counter that all clients share.
pub(crate) type Tick = u64;

/// Logical clock of all histories of a run.
#[derive(Default)]
pub(crate) struct LogicalClock(AtomicU64);

impl LogicalClock {
    /// The next tick.
    pub(crate) fn next(&self) -> Tick {
        // Sequentially consistent: an event that happened before, on any thread, has an earlier tick.
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) sent_at: Tick,
    pub(crate) invocation: Invocation,
    pub(crate) outcome: EventOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EventOutcome {
    /// The bank answered.
    Answered { response: Response, answered_at: Tick },
    /// The outcome is unknown. If the call was applied, then before this tick.
    Unknown { before: Tick },
    /// The call cannot have reached the bank.
    NotSent,
}

/// The calls on one account, in the order in which they were sent.
#[derive(Default)]
pub(crate) struct History {
    events: Mutex<Vec<Event>>,
}

/// A recorded call without an outcome yet.
#[must_use = "the outcome of the call has to be recorded"]
pub(crate) struct PendingCall(usize);

impl History {
    /// Records a call before it is sent, with an unknown outcome.
    pub(crate) fn record_invocation(&self, ticks: &LogicalClock, invocation: Invocation) -> PendingCall {
        let mut events = self.lock();
        // The tick is taken under the lock, so the events are in the order of their ticks.
        events.push(Event {
            sent_at: ticks.next(),
            invocation,
            outcome: EventOutcome::Unknown { before: Tick::MAX },
        });
        PendingCall(events.len() - 1)
    }

    pub(crate) fn record_response(
        &self,
        ticks: &LogicalClock,
        PendingCall(at): PendingCall,
        response: Response,
    ) {
        let tick = ticks.next();
        self.lock()[at].outcome = EventOutcome::Answered { response, answered_at: tick };
    }

    /// Records that the call cannot have reached the bank.
    pub(crate) fn record_not_sent(&self, PendingCall(at): PendingCall) {
        self.lock()[at].outcome = EventOutcome::NotSent;
    }

    /// Records that every process has ended that could still apply a call of unknown outcome.
    pub(crate) fn record_crash(&self, now: Tick) {
        for event in &mut *self.lock() {
            if let EventOutcome::Unknown { before } = &mut event.outcome {
                *before = now.min(*before);
            }
        }
    }

    /// Every call that may have reached the bank.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().iter().filter(|event| event.outcome != EventOutcome::NotSent).cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Event>> {
        self.events.lock().expect("nothing panics while it holds a history")
    }
}
