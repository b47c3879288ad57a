//! Histories: every call on an account, when it was sent and when it was answered, what was asked and what was told,
//! and whether some order of the calls explains all of it.
//!
//! A history is linearizable (Herlihy and Wing) if its calls can be put into one order, each between its sending and
//! its answer, in which a bank that does one call after the other tells each caller what that caller was told. A call
//! that was not answered may stand anywhere after its sending, or nowhere.
//! The bank that explains is [`account`], written from the contract and from nothing of the bank's; the search is
//! [`linearize`]. What may never happen here is that a call is left out: it is recorded before it is sent.

pub(crate) mod account;
pub(crate) mod linearize;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use self::account::{Invocation, Response};

/// A moment: a tick of a counter that all clients share.
pub(crate) type Tick = u64;

/// What tells the moments of all histories of a run.
#[derive(Default)]
pub(crate) struct LogicalClock(AtomicU64);

impl LogicalClock {
    /// The next moment.
    pub(crate) fn next(&self) -> Tick {
        // Whatever happened before on any thread has an earlier tick.
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) sent_at: Tick,
    pub(crate) invocation: Invocation,
    pub(crate) outcome: EventOutcome,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EventOutcome {
    /// It was answered.
    Answered { response: Response, answered_at: Tick },
    /// Nobody knows; if it was carried out, then before this moment.
    Unknown { before: Tick },
    /// It cannot have reached the bank.
    NotSent,
}

/// The calls on one account, in the order of their sending.
#[derive(Default)]
pub(crate) struct History {
    events: Mutex<Vec<Event>>,
}

/// A call that was recorded and is not answered yet.
#[must_use = "what came of the call has to be recorded"]
pub(crate) struct PendingCall(usize);

impl History {
    /// Records a call that is about to be sent. Until more is known, nobody knows of it.
    pub(crate) fn record_invocation(&self, ticks: &LogicalClock, invocation: Invocation) -> PendingCall {
        let mut events = self.lock();
        // Under the lock, so that they stand in the order of their sending.
        events.push(Event {
            sent_at: ticks.next(),
            invocation,
            outcome: EventOutcome::Unknown { before: Tick::MAX },
        });
        PendingCall(events.len() - 1)
    }

    /// Records what the caller was told.
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

    /// Records that whoever could have carried out what is unknown by now is no more.
    pub(crate) fn record_crash(&self, now: Tick) {
        for event in &mut *self.lock() {
            if let EventOutcome::Unknown { before } = &mut event.outcome {
                *before = now.min(*before);
            }
        }
    }

    /// All calls that may have reached the bank.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().iter().filter(|event| event.outcome != EventOutcome::NotSent).cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Event>> {
        self.events.lock().expect("nothing panics while it holds a history")
    }
}
