//! Export and import of a store: its orders and records are read out, or another store's orders are posted.

use std::ops::ControlFlow;

use pactolus_ledger::{
    BillKey, BoxFuture, ImportError, OrderEffect, Portable, PostError, Receipt, RecordChange, Unavailable,
};
use tokio::sync::oneshot;

use crate::error::OpenError;
use crate::journal::Checkpoint;
use crate::journal::scan::{Scan, ScanStep};
use crate::store::EmbeddedStore;
use crate::write::request::{DecideOutcome, PostRequest, PostResult, WriteRequest};
use crate::write::writer::BATCH_ORDERS_MAX;

impl EmbeddedStore {
    /// Visits the orders published when it begins.
    fn visit_orders(&self, visit: &mut dyn FnMut(Receipt) -> ControlFlow<()>) -> Result<(), OpenError> {
        let end = self.state.memtable.end();
        let mut scan = Scan::new(&self.state.journal, Checkpoint::START);
        while scan.checkpoint().position < end.position && matches!(scan.step()?, ScanStep::Frame) {
            for entry in scan.entries() {
                if visit(entry?.1.receipt).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The most orders of an import: four batches, so that the disk seldom waits for the next import.
const IMPORT_ORDERS_MAX: usize = 4 * BATCH_ORDERS_MAX;

/// An order that was handed to the writer, and its effect in the source.
struct PendingImport {
    expected: OrderEffect,
    bill: BillKey,
    answered: oneshot::Receiver<PostResult>,
}

impl EmbeddedStore {
    /// The request that posts an order again. Its reply is awaited in `imports`.
    fn prepare(
        &self,
        receipt: Receipt,
        imports: &mut Vec<PendingImport>,
    ) -> Result<PostRequest, Unavailable> {
        self.state.check()?;
        if self.state.space.is_full() {
            return Err(Unavailable::DiskFull);
        }
        let expected = receipt.effect();
        let Receipt { order, at: now, .. } = receipt;
        let bill = order.bill();
        let (post, answered) = self.prepare_post(Box::new(order), now)?;
        imports.push(PendingImport { expected, bill, answered });
        Ok(post)
    }
}

/// Checks that an order has the effect that it has in the source.
fn check_imported(expected: &OrderEffect, bill: &BillKey, answer: PostResult) -> Result<(), ImportError> {
    match answer {
        Ok((_, DecideOutcome::Applied(effect))) if effect == *expected => Ok(()),
        Ok((order, DecideOutcome::Replayed(receipt, _)))
            if receipt.order == *order && receipt.effect() == *expected =>
        {
            Ok(())
        }
        Ok((_, DecideOutcome::Applied(_) | DecideOutcome::Replayed(..))) => {
            Err(ImportError::ReceiptMismatch(Box::new(*bill)))
        }
        Err(PostError::Refused(refusal)) => Err(ImportError::Refused { bill: Box::new(*bill), refusal }),
        Err(PostError::Unavailable(unavailable)) => Err(unavailable.into()),
    }
}

impl Portable for EmbeddedStore {
    fn order_count(&self) -> BoxFuture<'_, Result<u64, Unavailable>> {
        let orders = self.state.memtable.end().orders;
        Box::pin(async move { Ok(orders) })
    }

    fn for_each_order(&self, visit: &mut dyn FnMut(Receipt) -> ControlFlow<()>) -> Result<(), Unavailable> {
        self.visit_orders(visit).map_err(|error| {
            tracing::error!("the journal cannot be read: {error}");
            Unavailable::Failed
        })
    }

    fn for_each_record(
        &self,
        visit: &mut dyn FnMut(RecordChange) -> ControlFlow<()>,
    ) -> Result<(), Unavailable> {
        self.records.for_each(visit)
    }

    fn import_orders_max(&self) -> usize {
        IMPORT_ORDERS_MAX
    }

    fn import(&self, receipts: Vec<Receipt>) -> BoxFuture<'_, Result<(), ImportError>> {
        Box::pin(async move {
            let mut imports = Vec::with_capacity(receipts.len());
            let mut receipts = receipts.into_iter();
            // While the writer decides a batch, this looks the next one up, and the committer writes the one before.
            while receipts.len() > 0 {
                let batch = receipts.by_ref().take(BATCH_ORDERS_MAX);
                let posts = batch.map(|receipt| self.prepare(receipt, &mut imports));
                let posts = posts.collect::<Result<Vec<_>, Unavailable>>()?;
                self.queue(WriteRequest::Import(posts)).await?;
            }
            for PendingImport { expected, bill, answered } in imports {
                let answer = answered.await.map_err(|_| self.queue_error())?;
                check_imported(&expected, &bill, answer)?;
            }
            Ok(())
        })
    }
}
