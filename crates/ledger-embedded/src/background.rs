//! Background work that no request waits for: flushes of the memtable, merges of runs.

pub(crate) mod flusher;
pub(crate) mod merger;
pub(crate) mod supervisor;
pub(crate) mod throttle;
