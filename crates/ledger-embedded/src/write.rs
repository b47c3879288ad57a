//! From the queue to the disk, in the order in which an order passes: `request`, `queue`, `writer`, `batch` with
//! `recent`, `committer`.

pub(crate) mod batch;
pub(crate) mod committer;
pub(crate) mod queue;
pub(crate) mod recent;
pub(crate) mod request;
#[cfg(test)]
mod tests;
pub(crate) mod writer;
