//! Messages of the write queue: an order with its look-up, and the reply.

use pactolus_ledger::{Account, BillEntry, Order, OrderEffect, PostError, Receipt};
use pactolus_types::UnixMillis;
use tokio::sync::oneshot;

use crate::rows::OrderKeys;
use crate::state::Lookup;

pub(crate) enum WriteRequest {
    /// Decide an order.
    Post(PostRequest),
    /// Decide these orders as one batch.
    Import(Vec<PostRequest>),
    /// Bring the views up to the end of the journal.
    FlushAll(oneshot::Sender<()>),
    /// Finish the earlier requests, and end.
    Close(oneshot::Sender<()>),
}

/// An order, its request's look-up, and the reply channel.
pub(crate) struct PostRequest {
    /// Boxed, because it moves through the queue and back.
    pub(crate) order: Box<Order>,
    pub(crate) keys: OrderKeys,
    pub(crate) lookup: Lookup,
    /// The entry at `lookup.bill`, read by the request, so that the writer reads no file for a replay.
    pub(crate) earlier: Option<Box<BillEntry>>,
    pub(crate) now: UnixMillis,
    pub(crate) reply_to: oneshot::Sender<PostResult>,
}

/// The order and its outcome, sent back to its request.
pub(crate) type PostResult = Result<(Box<Order>, DecideOutcome), PostError>;

/// The outcome of an order that is not refused.
pub(crate) enum DecideOutcome {
    Applied(OrderEffect),
    /// An idempotent replay: the first receipt, and the account as it is now.
    Replayed(Box<Receipt>, Account),
}
