//! The samples of a scrape.
//!
//! Each reads memory. None asks the file system, so that a scrape does not hang on a dead disk.

use pactolus_ledger::metrics::{EngineMetric, EngineSample};

use crate::state::StoreState;

/// The samples of a store whose queue holds `queued` of at most `queue_max` orders.
pub(crate) fn of_store(state: &StoreState, queued: usize, queue_max: usize) -> Vec<EngineSample> {
    let number = |metric, count: usize| EngineSample::number(metric, count as u64);
    let runs = |name, count: usize| EngineSample::labelled(EngineMetric::IndexRuns, name, count as u64);
    let mut samples = state.metrics.samples();
    samples.extend([
        number(EngineMetric::QueueOrders, queued),
        number(EngineMetric::QueueOrdersLimit, queue_max),
        EngineSample::number(EngineMetric::JournalBytes, state.memtable.published().0),
        number(EngineMetric::MemtableOrders, state.memtable.active_orders()),
        runs("bills", state.views.bills.runs().numbers().len()),
        runs("accounts", state.views.accounts.runs().numbers().len()),
    ]);
    if let Some((free, reserve)) = state.space.last_polled() {
        samples.push(EngineSample::number(EngineMetric::DiskFree, free));
        samples.push(EngineSample::number(EngineMetric::DiskReserve, reserve));
    }
    samples
}
