//! What passes through the queue: an order with what was looked up for it, and the answer that goes back.

use pactolus_ledger::{Account, Order, OrderEffect, PostError, Receipt};
use pactolus_types::UnixMillis;
use tokio::sync::oneshot;

use crate::rows::Names;
use crate::state::Known;

/// What the writer is asked.
pub(crate) enum Request {
    /// Decide an order.
    Post(Post),
    /// Bring the views up to the end of the journal.
    Settle(oneshot::Sender<()>),
    /// Finish what came before this, and end.
    Close(oneshot::Sender<()>),
}

/// An order, what its request has looked up, and who waits for the answer.
pub(crate) struct Post {
    /// Boxed, because it moves through the queue and back.
    pub(crate) order: Box<Order>,
    pub(crate) names: Names,
    pub(crate) known: Known,
    pub(crate) now: UnixMillis,
    pub(crate) answer: oneshot::Sender<Answered>,
}

/// What became of an order, which goes back to who asked.
pub(crate) type Answered = Result<(Box<Order>, Outcome), PostError>;

/// What became of an order that is not refused.
pub(crate) enum Outcome {
    Applied(OrderEffect),
    /// The same order was applied before, with this receipt; the account is the one now.
    Replayed(Box<Receipt>, Account),
}
