//! Counters of an attack, and their table in the report.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use pactolus_reports::report::ReportSection;
use pactolus_reports::table::{MarkdownTable, format_number, to_f64};
use serde::Serialize;

use crate::options::NONE_FOUND;

/// Counters that all clients share.
#[derive(Default)]
pub(crate) struct CallCounters {
    answered: AtomicU64,
    acknowledged: AtomicU64,
    unknown: AtomicU64,
    resolved: AtomicU64,
    not_sent: AtomicU64,
}

#[derive(Clone, Copy)]
pub(crate) enum Counter {
    /// A call was answered.
    Answered,
    /// An order was answered as applied.
    Acknowledged,
    /// A call has an unknown outcome.
    Unknown,
    /// The outcome of such an order became known.
    Resolved,
    /// A call was not sent, because the connection failed.
    NotSent,
}

impl CallCounters {
    pub(crate) fn count(&self, what: Counter) {
        let counter = match what {
            Counter::Answered => &self.answered,
            Counter::Acknowledged => &self.acknowledged,
            Counter::Unknown => &self.unknown,
            Counter::Resolved => &self.resolved,
            Counter::NotSent => &self.not_sent,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts of one attack on one subject.
#[derive(Default, Serialize)]
pub(crate) struct Tally {
    pub(crate) against: &'static str,
    /// Injected faults by kind.
    pub(crate) strikes: BTreeMap<&'static str, u64>,
    calls_answered: u64,
    orders_acknowledged: u64,
    calls_of_unknown_outcome: u64,
    orders_settled_by_repeating: u64,
    calls_that_found_no_bank: u64,
    /// Accounts whose history was linearizable.
    pub(crate) histories: u64,
    /// Calls in these histories.
    pub(crate) calls_explained: u64,
    /// Orders in the bank at the end, each once.
    pub(crate) orders: u64,
    pub(crate) audits: u64,
    pub(crate) seconds: f64,
}

impl Tally {
    pub(crate) fn new(against: &'static str) -> Self {
        Self { against, ..Self::default() }
    }

    pub(crate) fn count_injection(&mut self, kind: &'static str) {
        *self.strikes.entry(kind).or_default() += 1;
    }

    /// Injected faults so far.
    pub(crate) fn injections(&self) -> u64 {
        self.strikes.values().sum()
    }

    /// Takes over the clients' counters.
    pub(crate) fn drain_counters(&mut self, counts: &CallCounters) {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        self.calls_answered += take(&counts.answered);
        self.orders_acknowledged += take(&counts.acknowledged);
        self.calls_of_unknown_outcome += take(&counts.unknown);
        self.orders_settled_by_repeating += take(&counts.resolved);
        self.calls_that_found_no_bank += take(&counts.not_sent);
    }
}

/// Report section with one column for each subject.
pub(crate) fn report(name: &'static str, against: &[Tally]) -> anyhow::Result<ReportSection> {
    #[derive(Serialize)]
    struct TallyReport<'a> {
        against: &'a [Tally],
    }
    ReportSection::new(name, table(against), &TallyReport { against })
}

/// The tallies side by side, one row for each counter.
fn table(tallies: &[Tally]) -> String {
    let headings: Vec<&str> = std::iter::once("").chain(tallies.iter().map(|tally| tally.against)).collect();
    let mut table = MarkdownTable::new(&headings);
    let mut row = |name: &str, count: &dyn Fn(&Tally) -> u64| {
        let counts = tallies.iter().map(|tally| format_number(to_f64(count(tally)), 0));
        table.push_row(&std::iter::once(name.to_owned()).chain(counts).collect::<Vec<_>>());
    };
    let mut kinds: Vec<&str> = tallies.iter().flat_map(|tally| tally.strikes.keys().copied()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        row(kind, &|tally| tally.strikes.get(kind).copied().unwrap_or_default());
    }
    row("calls answered", &|tally| tally.calls_answered);
    row("orders acknowledged", &|tally| tally.orders_acknowledged);
    row("calls of unknown outcome", &|tally| tally.calls_of_unknown_outcome);
    row("orders resolved by retries", &|tally| tally.orders_settled_by_repeating);
    row("linearizable histories", &|tally| tally.histories);
    row("calls in them", &|tally| tally.calls_explained);
    row("orders audited at the end", &|tally| tally.orders);
    let none = std::iter::once("lost or applied twice").chain(tallies.iter().map(|_| NONE_FOUND));
    table.push_row(&none.collect::<Vec<_>>());
    table.to_string()
}
