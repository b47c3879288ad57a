//! Export and import of a store: its orders and records are read out, or another store's orders are posted.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::task::Poll;

use pactolus_ledger::portable::check_same_receipt;
use pactolus_ledger::{BoxFuture, ImportError, Ledger as _, Portable, Receipt, RecordChange, Unavailable};

use crate::error::OpenError;
use crate::journal::Checkpoint;
use crate::journal::scan::{Scan, ScanStep};
use crate::store::EmbeddedStore;

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

    fn import(&self, receipts: Vec<Receipt>) -> BoxFuture<'_, Result<(), ImportError>> {
        Box::pin(async move {
            let mut posts: Vec<_> =
                receipts.iter().map(|receipt| (self.post(receipt.order.clone(), receipt.at), None)).collect();
            // A post queues when it is first polled: so they queue in order, and wait together.
            poll_fn(|context| {
                for (post, answer) in &mut posts {
                    if let Poll::Ready(posted) = post.as_mut().poll(context) {
                        *answer = Some(posted);
                    }
                }
                Poll::Ready(())
            })
            .await;
            for (receipt, (post, answer)) in receipts.iter().zip(posts) {
                let posted = match answer {
                    Some(posted) => posted,
                    None => post.await,
                };
                check_same_receipt(receipt, posted)?;
            }
            Ok(())
        })
    }
}
