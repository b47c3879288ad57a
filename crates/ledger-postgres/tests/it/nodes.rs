//! Load generator: clients that post to random nodes of one database, and repeat their bill numbers at other nodes.
//!
//! Invariants under any fault of the database, the network or a node: every acknowledged order is durable, no order
//! is applied twice, an unknown outcome is reported as such, and no call hangs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pactolus_ledger::{Ledger, Order, OrderKind, PostError, Posted, Unavailable};
use pactolus_ledger_postgres::{PostgresSettings, PostgresStore, PostgresUrl, migrate};
use pactolus_test_support::orders::{self, debit, pay, present, save};
use pactolus_test_support::sample::NOW;
use pactolus_types::Environment;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Longer than any call may take, even on a machine that is busy with other tests.
const HANG_TIMEOUT: Duration = Duration::from_secs(10);

/// Few accounts, so that orders contend.
const PLAYERS: u64 = 7;

/// Several nodes of one bank.
pub(crate) struct Nodes {
    nodes: Vec<Arc<PostgresStore>>,
}

impl Nodes {
    /// Opens `count` nodes on the database at `url`, which is migrated first.
    pub(crate) async fn open(url: &str, count: usize) -> Self {
        let url: PostgresUrl = url.parse().unwrap();
        migrate(&url, None).await.unwrap();
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(Arc::new(PostgresStore::open(&url, &PostgresSettings::default()).await.unwrap()));
        }
        Self { nodes }
    }

    fn node(&self, number: u64) -> &Arc<PostgresStore> {
        let count = u64::try_from(self.nodes.len()).unwrap();
        &self.nodes[usize::try_from(number % count).unwrap()]
    }

    pub(crate) fn first(&self) -> &PostgresStore {
        &self.nodes[0]
    }
}

/// Order number `bill`: mostly small gifts, sometimes a pay, its cancel, a debit, or a top-up.
pub(crate) fn order(bill: u64) -> Order {
    let (bill_no, kind) = match bill % 8 {
        0 => (bill, save(3)),
        5 => (bill, pay(2)),
        // Cancels the pay just before it.
        6 => (bill - 1, OrderKind::Cancel { window: Duration::from_secs(3600) }),
        7 => (bill, debit(1)),
        _ => (bill, present(1 + bill % 5)),
    };
    let player = format!("player-{}", bill / 8 % PLAYERS);
    let mut order = orders::order(&player, &format!("bill-{bill_no}"), kind);
    order.account.environment = Environment::ALL[usize::from((bill / 8).is_multiple_of(2))];
    order
}

/// Answers that clients got.
#[derive(Default)]
pub(crate) struct LoadReport {
    /// Number of `Applied` answers by order.
    applied: HashMap<u64, u32>,
    /// Orders answered with `Applied` or `Replayed`.
    pub(crate) acknowledged: Vec<u64>,
    /// Number of `Unavailable` answers.
    pub(crate) unavailable: u64,
}

/// Clients that post orders to random nodes until stopped.
pub(crate) struct ClientLoad {
    clients: JoinSet<LoadReport>,
    stop: Arc<Semaphore>,
    acknowledged: Arc<Semaphore>,
}

impl ClientLoad {
    /// Starts `clients` clients. Two or three of them post each order, at about the same time, mostly to different
    /// nodes.
    pub(crate) fn start(nodes: &Nodes, clients: u64) -> Self {
        let (stop, acknowledged) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let next = Arc::new(AtomicU64::new(0));
        let mut set = JoinSet::new();
        for client in 0..clients {
            let nodes = Nodes { nodes: nodes.nodes.clone() };
            let (stop, acknowledged, next) =
                (Arc::clone(&stop), Arc::clone(&acknowledged), Arc::clone(&next));
            set.spawn(async move {
                let mut report = LoadReport::default();
                while !stop.is_closed() {
                    let ticket = next.fetch_add(1, Ordering::Relaxed);
                    // The same order comes up again within the next tickets, at another client.
                    let bill = ticket / 3 + ticket % 3;
                    // A different walk over the nodes for each client; a fixed seed would not make runs reproducible.
                    let node = nodes.node(ticket.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33 ^ client);
                    if post(node, bill, &mut report).await {
                        acknowledged.add_permits(1);
                    }
                }
                report
            });
        }
        Self { clients: set, stop, acknowledged }
    }

    /// Waits for this many further acknowledged orders.
    pub(crate) async fn wait_acknowledged(&self, orders: u32) {
        let permits = self.acknowledged.acquire_many(orders);
        tokio::time::timeout(Duration::from_secs(60), permits)
            .await
            .expect("orders are acknowledged")
            .unwrap()
            .forget();
    }

    /// Resets the count of acknowledged orders.
    pub(crate) fn reset_count(&self) {
        self.acknowledged.forget_permits(usize::MAX >> 4);
    }

    /// Stops the clients, and merges their reports.
    pub(crate) async fn stop(self) -> LoadReport {
        self.stop.close();
        let mut total = LoadReport::default();
        for report in self.clients.join_all().await {
            for (bill, times) in report.applied {
                *total.applied.entry(bill).or_default() += times;
            }
            total.acknowledged.extend(report.acknowledged);
            total.unavailable += report.unavailable;
        }
        total
    }
}

/// Posts an order, and records its answer; returns whether it was acknowledged.
async fn post(node: &PostgresStore, bill: u64, report: &mut LoadReport) -> bool {
    let start = Instant::now();
    let answer = node.post(order(bill), NOW).await;
    assert!(start.elapsed() < HANG_TIMEOUT, "a call hung");
    match answer {
        Ok(Posted::Applied(_)) => *report.applied.entry(bill).or_default() += 1,
        Ok(Posted::Replayed { .. }) => {}
        // A pay or debit above the balance, or a cancel of a pay that does not exist.
        Err(PostError::Refused(_)) => return false,
        Err(PostError::Unavailable(unavailable)) => {
            assert_ne!(unavailable, Unavailable::Failed, "the store itself is healthy");
            report.unavailable += 1;
            // Real callers back off before a retry; here a yield is enough.
            tokio::task::yield_now().await;
            return false;
        }
    }
    report.acknowledged.push(bill);
    true
}

impl LoadReport {
    /// Asserts on any node: no acknowledged order is missing, none was applied twice, and the audit is clean.
    pub(crate) async fn assert_consistent(mut self, node: &PostgresStore) {
        self.acknowledged.sort_unstable();
        self.acknowledged.dedup();
        assert!(self.applied.values().all(|times| *times == 1), "an order was applied twice");
        let mut reads = JoinSet::new();
        // A sample is enough, because the audit checks every order.
        let step = self.acknowledged.len().div_ceil(500).max(1);
        let sample: Vec<_> = self.acknowledged.iter().copied().step_by(step).collect();
        for bill in sample {
            let order = order(bill);
            let entry = node.order(order.bill()).await.unwrap();
            reads.spawn(async move {
                let entry = entry.unwrap_or_else(|| panic!("{order:?} was acknowledged and is missing"));
                let is_cancel = matches!(order.kind, OrderKind::Cancel { .. });
                assert_eq!(if is_cancel { entry.cancel.unwrap() } else { entry.receipt }.order, order);
            });
        }
        reads.join_all().await;
        let audit = node.audit().await.unwrap();
        assert!(audit.is_clean(), "{:?}", audit.findings);
        let acknowledged = u64::try_from(self.acknowledged.len()).unwrap();
        assert!(audit.orders >= acknowledged, "{} of {acknowledged} orders are there", audit.orders);
    }
}

/// Waits until a node accepts orders.
pub(crate) async fn wait_ready(node: &PostgresStore) {
    let begun = Instant::now();
    while node.ready().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the node does not recover");
        // There is no notification of recovery, so this polls.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
