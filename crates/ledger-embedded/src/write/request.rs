//! What passes through the queue: an order with what was looked up for it, and the answer that goes back.

use pactolus_ledger::{Account, Order, OrderEffect, PostError, Receipt};
use pactolus_types::UnixMillis;
use tokio::sync::oneshot;

use crate::rows::OrderKeys;
use crate::state::Lookup;

/// What the writer is asked.
pub(crate) enum WriteRequest {
    /// Decide an order.
    Post(PostRequest),
    /// Bring the views up to the end of the journal.
    FlushAll(oneshot::Sender<()>),
    /// Finish what came before this, and end.
    Close(oneshot::Sender<()>),
}

/// An order, what its request has looked up, and who waits for the answer.
pub(crate) struct PostRequest {
    /// Boxed, because it moves through the queue and back.
    pub(crate) order: Box<Order>,
    pub(crate) keys: OrderKeys,
    pub(crate) lookup: Lookup,
    pub(crate) now: UnixMillis,
    pub(crate) reply_to: oneshot::Sender<PostResult>,
}

/// What became of an order, which goes back to who asked.
pub(crate) type PostResult = Result<(Box<Order>, DecideOutcome), PostError>;

/// What became of an order that is not refused.
pub(crate) enum DecideOutcome {
    Applied(OrderEffect),
    /// The same order was applied before, with this receipt; the account is the one now.
    Replayed(Box<Receipt>, Account),
}
