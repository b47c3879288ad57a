//! Linearizability search: depth first, with a memo of visited states (Wing and Gong, with Lowe's memo).
//!
//! The next call must have been sent before the earliest answer among the remaining calls. Balances in the answers
//! leave few candidates. A call of unknown outcome is tried only where it changes the account.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::account::{Account, Effect, Invocation};
use super::{Event, EventOutcome, Tick};

/// Visited states at which the search gives up. Giving up is a failure, never a success. Each state holds an account,
/// of some 10 KiB.
const STATES_MAX: usize = 100_000;

/// Why a history is not accepted.
#[derive(Debug)]
pub(crate) struct LinearizeError {
    failure: LinearizeFailure,
    /// The longest linearizable prefix, and the calls that were open after it.
    longest_prefix: Vec<Event>,
    candidates: Vec<Event>,
    account: Account,
}

#[derive(Debug)]
enum LinearizeFailure {
    NoLinearization,
    StateLimit,
}

impl std::error::Error for LinearizeError {}

impl fmt::Display for LinearizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { failure: why, longest_prefix: explained, candidates: open, account } = self;
        match why {
            LinearizeFailure::NoLinearization => writeln!(f, "no linearization explains the answers")?,
            LinearizeFailure::StateLimit => writeln!(f, "the search gave up after {STATES_MAX} states")?,
        }
        writeln!(f, "the longest linearizable prefix has {} calls and ends with", explained.len())?;
        for event in &explained[explained.len().saturating_sub(SHOWN_CALLS_MAX)..] {
            writeln!(f, "  {event}")?;
        }
        writeln!(f, "then the account has {:?}, and one of these calls must be next:", account.balances())?;
        open.iter().try_for_each(|event| writeln!(f, "  {event}"))
    }
}

/// Calls of the longest prefix in the message.
const SHOWN_CALLS_MAX: usize = 12;

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent_at: sent, invocation: asked, outcome } = self;
        match outcome {
            EventOutcome::Answered { response, answered_at: at } => {
                write!(f, "{sent}..{at} {asked:?}: {response:?}")
            }
            EventOutcome::Unknown { before: Tick::MAX } => write!(f, "{sent}.. {asked:?}: unknown"),
            EventOutcome::Unknown { before } => write!(f, "{sent}..{before} {asked:?}: unknown"),
            EventOutcome::NotSent => write!(f, "{sent} {asked:?}: not sent"),
        }
    }
}

/// A set of applied calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CallSet(Box<[u64]>);

impl CallSet {
    fn empty(calls: usize) -> Self {
        Self(vec![0; calls.div_ceil(64)].into())
    }

    fn contains(&self, at: usize) -> bool {
        self.0[at / 64] & (1 << (at % 64)) != 0
    }

    fn with(&self, at: usize) -> Self {
        let mut done = self.clone();
        done.0[at / 64] |= 1 << (at % 64);
        done
    }
}

/// A state of the search: the applied calls and their account.
#[derive(Clone)]
struct SearchState {
    done: CallSet,
    account: Account,
    /// Every answered call before this one is applied.
    first_open: usize,
    /// Latest send tick among the applied calls. The next call takes effect after it.
    latest_sent_at: Tick,
    /// Number of answered calls applied.
    answered: usize,
}

/// Searches a linearization of `events` for an account that starts as `opening`. `events` must be in the order of
/// their send ticks.
pub(crate) fn check_linearizable(opening: &Account, events: &[Event]) -> Result<(), Box<LinearizeError>> {
    let unknown = applicable_unknown_calls(events);
    let start = SearchState {
        done: CallSet::empty(events.len()),
        account: opening.clone(),
        first_open: 0,
        latest_sent_at: 0,
        answered: 0,
    };
    let mut tried = HashSet::from([(start.done.clone(), start.account.clone())]);
    let mut furthest = start.clone();
    let mut stack = vec![start];
    let mut failure = LinearizeFailure::NoLinearization;
    while let Some(mut state) = stack.pop() {
        let open = candidate_calls(events, &mut state);
        let Some(first_answer) = open.iter().map(|(at, _)| *at).min() else { return Ok(()) };
        if state.answered > furthest.answered {
            furthest = state.clone();
        }
        if tried.len() > STATES_MAX {
            failure = LinearizeFailure::StateLimit;
            break;
        }
        // The stack is last in, first out: the earliest answer is tried first, and calls of unknown outcome last.
        let mut push_state = |call: usize, account: Account, answered: usize| {
            let (done, latest_sent) = (state.done.with(call), state.latest_sent_at.max(events[call].sent_at));
            if tried.insert((done.clone(), account.clone())) {
                stack.push(SearchState {
                    done,
                    account,
                    first_open: state.first_open,
                    latest_sent_at: latest_sent,
                    answered,
                });
            }
        };
        for call in unknown.iter().copied().filter(|call| !state.done.contains(*call)) {
            let EventOutcome::Unknown { before } = events[call].outcome else { continue };
            if events[call].sent_at < first_answer && state.latest_sent_at < before {
                let mut account = state.account.clone();
                account.apply(events[call].invocation);
                if account != state.account {
                    push_state(call, account, state.answered);
                }
            }
        }
        for (_, call) in open.iter().rev().copied() {
            let EventOutcome::Answered { response, .. } = events[call].outcome else { continue };
            let mut account = state.account.clone();
            if account.apply(events[call].invocation) == response {
                push_state(call, account, state.answered + 1);
            }
        }
    }
    Err(Box::new(linearize_error(failure, events, furthest)))
}

/// The calls of unknown outcome that the recorded answers do not rule out.
///
/// A bill number makes one order, and a pay is refunded once. So if one call was answered as applied, no other call
/// had that effect. If a call was answered as a replay, the effect came from the same order, sent before that answer.
/// Without this filter the search would repeatedly guess outcomes that the answers determine.
fn applicable_unknown_calls(events: &[Event]) -> Vec<usize> {
    let mut known_effects: HashMap<Effect, Option<(Invocation, Tick)>> = HashMap::new();
    for event in events {
        let (Some(does), EventOutcome::Answered { response, answered_at: at }) =
            (event.invocation.effect(), event.outcome.clone())
        else {
            continue;
        };
        if response.is_applied() {
            known_effects.insert(does, None);
        } else if response.is_replay() {
            let known = known_effects.entry(does).or_insert(Some((event.invocation, at)));
            if let Some((_, first)) = known {
                *first = at.min(*first);
            }
        }
    }
    let may_have_applied = |event: &Event| match (&event.outcome, event.invocation.effect()) {
        (EventOutcome::Unknown { .. }, Some(does)) => match known_effects.get(&does) {
            Some(None) => false,
            Some(Some((order, by))) => *order == event.invocation && event.sent_at < *by,
            None => true,
        },
        _ => false,
    };
    (0..events.len()).filter(|at| may_have_applied(&events[*at])).collect()
}

/// The answered calls that may be next, with their answer ticks, the earliest answer first.
fn candidate_calls(events: &[Event], state: &mut SearchState) -> Vec<(Tick, usize)> {
    let is_open =
        |at: usize| matches!(events[at].outcome, EventOutcome::Answered { .. }) && !state.done.contains(at);
    while state.first_open < events.len() && !is_open(state.first_open) {
        state.first_open += 1;
    }
    let mut first_answer = Tick::MAX;
    let mut open = Vec::new();
    for (call, event) in events.iter().enumerate().skip(state.first_open) {
        if event.sent_at > first_answer {
            break;
        }
        if let EventOutcome::Answered { answered_at: at, .. } = event.outcome
            && !state.done.contains(call)
        {
            first_answer = first_answer.min(at);
            open.push((at, call));
        }
    }
    open.sort_unstable();
    open
}

fn linearize_error(failure: LinearizeFailure, events: &[Event], mut furthest: SearchState) -> LinearizeError {
    let open = candidate_calls(events, &mut furthest);
    let chosen = |is_chosen: &dyn Fn(usize) -> bool| {
        (0..events.len()).filter(|at| is_chosen(*at)).map(|at| events[at].clone()).collect()
    };
    let is_open = |at: usize| {
        open.iter().any(|(_, call)| *call == at)
            || matches!(events[at].outcome, EventOutcome::Unknown { .. }) && !furthest.done.contains(at)
    };
    LinearizeError {
        failure,
        longest_prefix: chosen(&|at| furthest.done.contains(at)),
        candidates: chosen(&is_open),
        account: furthest.account,
    }
}

#[cfg(test)]
mod tests;
