//! Orders that the target of a copy has already, because an earlier copy was interrupted.
//!
//! They are compared in the sequence in which both stores read them, which is much faster than posting each again.
//! Two embedded stores have the same sequence. From the first difference on, orders are imported: those that the
//! target has elsewhere in its sequence are idempotent replays, and those that differ are refused.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use pactolus_ledger::{Portable, Receipt};

/// Orders per message of the reader.
const CHUNK_ORDERS: usize = 1024;

/// The target's orders, as long as they are those of the source.
pub(super) struct ExistingOrders<I: Iterator> {
    orders: Option<std::iter::Peekable<I>>,
}

impl<I: Iterator<Item = Receipt>> ExistingOrders<I> {
    pub(super) fn new(orders: I) -> Self {
        Self { orders: Some(orders.peekable()) }
    }

    /// Takes the orders off the start of `chunk` that the target has.
    pub(super) fn skip(&mut self, chunk: Vec<Receipt>) -> Vec<Receipt> {
        let Some(existing) = &mut self.orders else {
            return chunk;
        };
        let mut rest = chunk.into_iter().peekable();
        while let Some(order) = rest.peek() {
            if existing.next_if_eq(order).is_none() {
                // Ends the reader.
                self.orders = None;
                break;
            }
            rest.next();
        }
        rest.collect()
    }
}

/// Reads the target's orders in a thread of `scope`. A read that fails ends them: the import then says what is wrong.
pub(super) fn read<'scope>(
    scope: &'scope Scope<'scope, '_>,
    target: &'scope dyn Portable,
) -> ExistingOrders<impl Iterator<Item = Receipt>> {
    let (to, chunks) = sync_channel::<Vec<Receipt>>(1);
    scope.spawn(move || {
        let mut chunk = Vec::with_capacity(CHUNK_ORDERS);
        let read = target.for_each_order(&mut |receipt| {
            chunk.push(receipt);
            if chunk.len() < CHUNK_ORDERS {
                return ControlFlow::Continue(());
            }
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_ORDERS));
            if to.send(full).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if read.is_ok() {
            // The receiver is gone if the orders differ.
            let _ = to.send(chunk);
        }
    });
    ExistingOrders::new(flatten(chunks))
}

fn flatten(chunks: Receiver<Vec<Receipt>>) -> impl Iterator<Item = Receipt> {
    chunks.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use pactolus_ledger::{Account, Decision, decide};
    use pactolus_test_support::orders::numbered_present;
    use pactolus_test_support::sample::NOW;

    use super::*;

    fn receipts(bills: std::ops::Range<usize>) -> Vec<Receipt> {
        let receipt = |bill| {
            let order = numbered_present(bill, usize::MAX, 1);
            match decide(&Account::default(), None, &order, NOW) {
                Ok(Decision::Apply(effect)) => Receipt::new(order, effect),
                other => panic!("a first present applies: {other:?}"),
            }
        };
        bills.map(receipt).collect()
    }

    /// The bug: a copy that was run again posted every order again, and read each of them from the target's disk.
    #[test]
    fn resumed_copy_skips_the_orders_that_are_there() {
        for existing in [0, 1, 9, 10, 11, 30] {
            let mut orders = ExistingOrders::new(receipts(0..existing).into_iter());
            let imported: Vec<_> =
                receipts(0..30).chunks(10).flat_map(|chunk| orders.skip(chunk.to_vec())).collect();
            assert_eq!(imported, receipts(existing..30), "{existing}");
        }
    }

    #[test]
    fn orders_after_a_difference_are_imported() {
        let mut existing = receipts(0..20);
        existing[7].coins = existing[8].coins.checked_add(existing[8].coins).unwrap();
        let mut orders = ExistingOrders::new(existing.into_iter());
        assert_eq!(orders.skip(receipts(0..10)), receipts(7..10));
        assert_eq!(orders.skip(receipts(10..20)), receipts(10..20));
    }
}
