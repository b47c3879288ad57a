//! The write path from the queue to the disk. An order passes `request`, `queue`, `writer`, `batch` with `recent`,
//! and `committer`.

pub(crate) mod batch;
pub(crate) mod committer;
pub(crate) mod queue;
pub(crate) mod recent;
pub(crate) mod request;
#[cfg(test)]
mod tests;
pub(crate) mod writer;
