//! A whole bank, read order by order and written again elsewhere: how one engine's becomes another's.
//!
//! An order is copied by posting it again at its time: the rule then makes of it what it made of it before, or the
//! copy is not the same bank and stops. So a copy that was broken off is simply begun again: orders that are there
//! are replays.

use std::ops::ControlFlow;

use crate::decide::Refusal;
use crate::engine::{BoxFuture, Ledger, PostError, Posted, Unavailable};
use crate::order::{BillKey, Receipt};
use crate::records::{RecordChange, Records};

/// An engine whose bank can be copied, and that a bank can be copied to.
pub trait Portable: Ledger + Records {
    /// How many orders there are.
    fn order_count(&self) -> BoxFuture<'_, Result<u64, Unavailable>>;

    /// Visits every order, those of one account in their sequence, until all are visited or the visitor breaks off.
    ///
    /// It blocks its thread, which must not be one of an asynchronous runtime's.
    fn for_each_order(&self, visit: &mut dyn FnMut(Receipt) -> ControlFlow<()>) -> Result<(), Unavailable>;

    /// Visits every record, as the change that would keep it; it blocks as [`Portable::for_each_order`] does.
    fn for_each_record(
        &self,
        visit: &mut dyn FnMut(RecordChange) -> ControlFlow<()>,
    ) -> Result<(), Unavailable>;

    /// Posts orders again, one after the other, each at its time, and makes sure that they do what they did.
    fn import(&self, receipts: Vec<Receipt>) -> BoxFuture<'_, Result<(), ImportError>>;
}

/// Why orders were not copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The engine cannot say; the same again is safe.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The rule refuses an order that it took before: something else was posted there.
    #[error("{bill} cannot be copied: {refusal}; the store that is copied to has orders of its own")]
    Refused {
        /// The order.
        bill: Box<BillKey>,
        /// Why.
        refusal: Refusal,
    },
    /// An order does something else than it did: other orders came before it.
    #[error("{0} does not do there what it did here; the store that is copied to has orders of its own")]
    ReceiptMismatch(Box<BillKey>),
}

/// Whether posting a copied order again came to the receipt that it has.
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
