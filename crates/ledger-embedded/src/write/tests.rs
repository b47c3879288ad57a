//! Decisions on requests whose look-ups are older than the orders decided since.

use std::sync::Arc;

use pactolus_ledger::Order;
use pactolus_test_support::orders::numbered_present;
use pactolus_types::UnixMillis;
use tokio::sync::oneshot;

use super::queue::{self, BatchQueue};
use super::request::{DecideOutcome, PostRequest, PostResult, WriteRequest};
use crate::disk::space::DiskSpace;
use crate::health::Health;
use crate::settings::EmbeddedSettings;
use crate::state::{Lookup, StoreState};
use crate::{disk, recovery};

fn present(number: usize) -> Order {
    numbered_present(number, 10, 1)
}

/// Posts an order with an earlier look-up.
fn post(
    queue: &BatchQueue<WriteRequest>,
    state: &StoreState,
    number: usize,
    lookup: Lookup,
) -> oneshot::Receiver<PostResult> {
    let order = Box::new(present(number));
    let (answer, answered) = oneshot::channel();
    let keys = state.order_keys(&order);
    let post = PostRequest { order, keys, lookup, earlier: None, now: UnixMillis::new(1), reply_to: answer };
    pollster::block_on(queue.send(WriteRequest::Post(post)))
        .unwrap_or_else(|_| panic!("the writer is there"));
    answered
}

/// Whether an order was applied now, and the balance after it.
fn outcome(answered: oneshot::Receiver<PostResult>) -> (bool, u64) {
    match answered.blocking_recv().unwrap().unwrap().1 {
        DecideOutcome::Applied(change) => (true, change.after.balance().get()),
        DecideOutcome::Replayed(_, account) => (false, account.balance().get()),
    }
}

/// A request may look its keys up and then queue behind orders with the same keys: for a moment, or for longer than
/// `Recent` reaches back.
#[test]
fn stale_lookup_sees_later_orders() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        EmbeddedSettings { memtable_orders: 5000, accounts_cached: 0, ..EmbeddedSettings::default() };
    let space = Arc::new(DiskSpace::new(Arc::new(disk::RealDisk), folder.path(), &settings));
    let health = Arc::new(Health::new(folder.path()));
    let (state, writer) = recovery::open(folder.path(), &settings, space, health).unwrap();
    let (queue, requests) = queue::batch_queue(16);
    let running = std::thread::spawn(move || writer.run(requests));

    let look_up = |number| {
        let order = present(number);
        state.look_up(&order.account, state.order_keys(&order)).unwrap()
    };
    let [first, second] = [look_up(0), look_up(10)];
    let posted = |number, lookup| outcome(post(&queue, &state, number, lookup));
    assert_eq!(posted(0, look_up(0)), (true, 1));
    assert_eq!(posted(0, first), (false, 1), "the bill number was used a moment ago");
    assert_eq!(posted(10, second), (true, 2), "the account got a coin a moment ago");

    let more = 20..20 + 3 * 8192;
    let answers = more.clone().map(|number| post(&queue, &state, number, look_up(number)));
    assert!(answers.collect::<Vec<_>>().into_iter().all(|answered| outcome(answered).0));
    let of_player_0 = 2 + more.clone().filter(|number| number % 10 == 0).count() as u64;
    assert_eq!(posted(0, first), (false, of_player_0), "the bill number was used long ago");
    assert_eq!(posted(more.end + 4, second), (true, of_player_0 + 1), "the account changed long ago");
    drop(queue);
    running.join().unwrap();
}
