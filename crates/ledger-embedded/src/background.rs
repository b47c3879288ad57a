//! Work that no request waits for: rows written to the views, runs of the views merged.

pub(crate) mod flusher;
pub(crate) mod merger;
pub(crate) mod throttle;
