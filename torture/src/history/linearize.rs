//! The search for an order of calls that explains what was told: depth first, and never twice from the same place
//! (Wing and Gong, with Lowe's memo).
//!
//! Which call may be next: one that was sent before the first answer among those that are left. What answers tell of
//! balances leaves few of them. A call that nobody knows of is tried only where it changes something.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::account::{Account, Asked, Does};
use super::{Event, Outcome, Tick};

/// How many places the search looks at before it gives up, which is a failure and never a success: each holds an account,
/// at some ten KiB.
const PLACES_MAX: usize = 100_000;

/// Why a history is refused.
#[derive(Debug)]
pub(crate) struct Unexplained {
    why: Why,
    /// The calls of the longest explanation, then those that were open when it ended.
    explained: Vec<Event>,
    open: Vec<Event>,
    account: Account,
}

#[derive(Debug)]
enum Why {
    NoOrder,
    TooManyPlaces,
}

impl std::error::Error for Unexplained {}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, explained, open, account } = self;
        match why {
            Why::NoOrder => writeln!(f, "no order of the calls explains what was told")?,
            Why::TooManyPlaces => writeln!(f, "the search gave up after {PLACES_MAX} places")?,
        }
        writeln!(f, "the longest explanation has {} calls and ends with", explained.len())?;
        for event in &explained[explained.len().saturating_sub(LAST)..] {
            writeln!(f, "  {event}")?;
        }
        writeln!(f, "then the account has {:?}, and one of these had to be next:", account.sums())?;
        open.iter().try_for_each(|event| writeln!(f, "  {event}"))
    }
}

/// How many calls of the longest explanation are shown.
const LAST: usize = 12;

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, asked, outcome } = self;
        match outcome {
            Outcome::Told { told, at } => write!(f, "{sent}..{at} {asked:?}: {told:?}"),
            Outcome::Unknown { before: Tick::MAX } => write!(f, "{sent}.. {asked:?}: unknown"),
            Outcome::Unknown { before } => write!(f, "{sent}..{before} {asked:?}: unknown"),
            Outcome::NotSent => write!(f, "{sent} {asked:?}: not sent"),
        }
    }
}

/// Which calls are done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Done(Box<[u64]>);

impl Done {
    fn none_of(calls: usize) -> Self {
        Self(vec![0; calls.div_ceil(64)].into())
    }

    fn has(&self, at: usize) -> bool {
        self.0[at / 64] & (1 << (at % 64)) != 0
    }

    fn with(&self, at: usize) -> Self {
        let mut done = self.clone();
        done.0[at / 64] |= 1 << (at % 64);
        done
    }
}

/// Where the search is: what is done, and what it made.
#[derive(Clone)]
struct Place {
    done: Done,
    account: Account,
    /// All answered calls before this one are done.
    from: usize,
    /// The last sending among the calls that are done: whatever is next stands after it.
    latest_sent: Tick,
    /// How many answered calls are done.
    answered: usize,
}

/// Finds an order of `events` that explains them, for an account that was `opening` before; no events may stand in
/// another order than that of their sending.
pub(crate) fn explain(opening: &Account, events: &[Event]) -> Result<(), Box<Unexplained>> {
    let unknown = guesses(events);
    let start = Place {
        done: Done::none_of(events.len()),
        account: opening.clone(),
        from: 0,
        latest_sent: 0,
        answered: 0,
    };
    let mut tried = HashSet::from([(start.done.clone(), start.account.clone())]);
    let mut furthest = start.clone();
    let mut left = vec![start];
    let mut why = Why::NoOrder;
    while let Some(mut place) = left.pop() {
        let open = open_calls(events, &mut place);
        let Some(first_answer) = open.iter().map(|(at, _)| *at).min() else { return Ok(()) };
        if place.answered > furthest.answered {
            furthest = place.clone();
        }
        if tried.len() > PLACES_MAX {
            why = Why::TooManyPlaces;
            break;
        }
        // What is pushed last is tried first: the call that was answered first, and guesses at the end.
        let mut go_on = |call: usize, account: Account, answered: usize| {
            let (done, latest_sent) = (place.done.with(call), place.latest_sent.max(events[call].sent));
            if tried.insert((done.clone(), account.clone())) {
                left.push(Place { done, account, from: place.from, latest_sent, answered });
            }
        };
        for call in unknown.iter().copied().filter(|call| !place.done.has(*call)) {
            let Outcome::Unknown { before } = events[call].outcome else { continue };
            if events[call].sent < first_answer && place.latest_sent < before {
                let mut account = place.account.clone();
                account.carry_out(events[call].asked);
                if account != place.account {
                    go_on(call, account, place.answered);
                }
            }
        }
        for (_, call) in open.iter().rev().copied() {
            let Outcome::Told { told, .. } = events[call].outcome else { continue };
            let mut account = place.account.clone();
            if account.carry_out(events[call].asked) == told {
                go_on(call, account, place.answered + 1);
            }
        }
    }
    Err(Box::new(unexplained(why, events, furthest)))
}

/// The calls that nobody knows of and that may have done something, by all that was told.
///
/// A bill number makes one order, and one pay is given back once. So where some call was told that it did that, no
/// other has; and where a call was told that it was done before, it was the same order, and sent by then. Without this
/// the search would guess again and again what answers settle.
fn guesses(events: &[Event]) -> Vec<usize> {
    let mut settled: HashMap<Does, Option<(Asked, Tick)>> = HashMap::new();
    for event in events {
        let (Some(does), Outcome::Told { told, at }) = (event.asked.does(), event.outcome.clone()) else {
            continue;
        };
        if told.is_done() {
            settled.insert(does, None);
        } else if told.is_replay() {
            let known = settled.entry(does).or_insert(Some((event.asked, at)));
            if let Some((_, first)) = known {
                *first = at.min(*first);
            }
        }
    }
    let may_have_done = |event: &Event| match (&event.outcome, event.asked.does()) {
        (Outcome::Unknown { .. }, Some(does)) => match settled.get(&does) {
            Some(None) => false,
            Some(Some((order, by))) => *order == event.asked && event.sent < *by,
            None => true,
        },
        _ => false,
    };
    (0..events.len()).filter(|at| may_have_done(&events[*at])).collect()
}

/// The answered calls that may be next, each with its answer's moment, the first answer first.
fn open_calls(events: &[Event], place: &mut Place) -> Vec<(Tick, usize)> {
    let is_open = |at: usize| matches!(events[at].outcome, Outcome::Told { .. }) && !place.done.has(at);
    while place.from < events.len() && !is_open(place.from) {
        place.from += 1;
    }
    let mut first_answer = Tick::MAX;
    let mut open = Vec::new();
    for (call, event) in events.iter().enumerate().skip(place.from) {
        if event.sent > first_answer {
            break;
        }
        if let Outcome::Told { at, .. } = event.outcome
            && !place.done.has(call)
        {
            first_answer = first_answer.min(at);
            open.push((at, call));
        }
    }
    open.sort_unstable();
    open
}

fn unexplained(why: Why, events: &[Event], mut furthest: Place) -> Unexplained {
    let open = open_calls(events, &mut furthest);
    let chosen = |is_chosen: &dyn Fn(usize) -> bool| {
        (0..events.len()).filter(|at| is_chosen(*at)).map(|at| events[at].clone()).collect()
    };
    let is_open = |at: usize| {
        open.iter().any(|(_, call)| *call == at)
            || matches!(events[at].outcome, Outcome::Unknown { .. }) && !furthest.done.has(at)
    };
    Unexplained {
        why,
        explained: chosen(&|at| furthest.done.has(at)),
        open: chosen(&is_open),
        account: furthest.account,
    }
}

#[cfg(test)]
mod tests;
