//! Copy of a whole bank between engines, order by order.
//!
//! The importer posts every order again at its original time. The rule must then produce the same receipt; otherwise
//! the copy stops, because the banks differ. An interrupted copy is simply restarted: orders already copied are
//! idempotent replays.

use std::ops::ControlFlow;

use crate::decide::Refusal;
use crate::engine::{BoxFuture, Ledger, PostError, Posted, Unavailable};
use crate::order::{BillKey, Receipt};
use crate::records::{RecordChange, Records};

/// An engine that can be the source and the target of a copy.
pub trait Portable: Ledger + Records {
    /// Number of orders.
    fn order_count(&self) -> BoxFuture<'_, Result<u64, Unavailable>>;

    /// Visits every order, those of one account in sequence, until the end or until the visitor breaks.
    ///
    /// It blocks its thread, which must not be a thread of an async runtime.
    fn for_each_order(&self, visit: &mut dyn FnMut(Receipt) -> ControlFlow<()>) -> Result<(), Unavailable>;

    /// Visits every record, as the change that stores it. It blocks as [`Portable::for_each_order`] does.
    fn for_each_record(
        &self,
        visit: &mut dyn FnMut(RecordChange) -> ControlFlow<()>,
    ) -> Result<(), Unavailable>;

    /// The most orders of one import. More take memory, fewer take a sync or a transaction for less.
    fn import_orders_max(&self) -> usize {
        1000
    }

    /// Posts orders, those of one account in sequence, each at its time, and checks that each produces the same receipt again.
    fn import(&self, receipts: Vec<Receipt>) -> BoxFuture<'_, Result<(), ImportError>>;
}

/// Reason why orders were not copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The outcome is unknown; a retry is safe.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The rule refuses an order that the source accepted: the target has other orders.
    #[error("{bill} cannot be copied: {refusal}; the target store has orders of its own")]
    Refused {
        /// Bill number of the order.
        bill: Box<BillKey>,
        /// Reason of the refusal.
        refusal: Refusal,
    },
    /// An order has another effect than in the source: other orders came before it.
    #[error(
        "{0} has another effect in the target than in the source; the target store has orders of its own"
    )]
    ReceiptMismatch(Box<BillKey>),
}

/// Checks that a copied order produced the receipt of the source.
pub fn check_same_receipt(receipt: &Receipt, posted: Result<Posted, PostError>) -> Result<(), ImportError> {
    let bill = || Box::new(receipt.order.bill());
    match posted {
        Ok(Posted::Applied(copied) | Posted::Replayed { receipt: copied, .. }) if copied == *receipt => {
            Ok(())
        }
        Ok(Posted::Applied(_) | Posted::Replayed { .. }) => Err(ImportError::ReceiptMismatch(bill())),
        Err(PostError::Refused(refusal)) => Err(ImportError::Refused { bill: bill(), refusal }),
        Err(PostError::Unavailable(unavailable)) => Err(unavailable.into()),
    }
}
