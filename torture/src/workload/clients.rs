//! Concurrent clients on few accounts, which record every call until they are stopped.
//!
//! A client retries an unanswered order with the same bill number, now or later, on the same node or another. Nothing
//! else is assumed about an unanswered call.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use fastrand::Rng;
use tokio::sync::{RwLock as Gate, Semaphore};
use tokio::task::JoinSet;

use super::AccountId;
use super::calls::{AttemptOutcome, call};
use super::http::HttpClient;
use super::tally::{CallCounters, Counter};
use crate::history::account::{Account, BillIndex, Invocation, Response};
use crate::history::{History, LogicalClock};

/// State that all clients of a run share.
pub(crate) struct Harness {
    pub(crate) http: HttpClient,
    pub(crate) counters: CallCounters,
    pub(crate) clock: LogicalClock,
    /// Addresses of the bank's nodes.
    nodes: RwLock<Vec<SocketAddr>>,
    /// Every call holds the read lock while it is in flight, so the write lock waits until none is.
    pub(crate) in_flight: Gate<()>,
    /// A client's timeout.
    timeout: Duration,
}

impl Harness {
    pub(crate) fn new(nodes: Vec<SocketAddr>, timeout: Duration) -> Self {
        Self {
            http: HttpClient::new(),
            counters: CallCounters::default(),
            clock: LogicalClock::default(),
            nodes: RwLock::new(nodes),
            in_flight: Gate::new(()),
            timeout,
        }
    }

    /// Sets the new address of a node.
    pub(crate) fn set_node_address(&self, node: usize, to: SocketAddr) {
        self.nodes.write().expect("nothing panics while it holds the nodes")[node] = to;
    }

    /// Address of a random node.
    pub(crate) fn pick_node(&self, random: &mut Rng) -> SocketAddr {
        let nodes = self.nodes.read().expect("nothing panics while it holds the nodes");
        nodes[random.usize(..nodes.len())]
    }

    /// Makes and records a call. Returns its answer, or `None` without one.
    pub(crate) async fn invoke(
        &self,
        test_account: &TestAccount,
        invocation: Invocation,
        random: &mut Rng,
    ) -> anyhow::Result<Option<Response>> {
        let outcome = {
            let _open = self.in_flight.read().await;
            let bank = self.pick_node(random);
            let open = test_account.history.record_invocation(&self.clock, invocation);
            let outcome = call(&self.http, bank, test_account.id, invocation, self.timeout).await?;
            match outcome {
                AttemptOutcome::Answered(response) => {
                    test_account.history.record_response(&self.clock, open, response);
                }
                AttemptOutcome::NotSent => test_account.history.record_not_sent(open),
                // `record_invocation` has recorded the unknown outcome already.
                AttemptOutcome::Unknown => {}
            }
            outcome
        };
        let mut generator = test_account.generator();
        let is_order = invocation != Invocation::Balance;
        match outcome {
            AttemptOutcome::Answered(response) => {
                self.counters.count(Counter::Answered);
                if response.is_applied() {
                    self.counters.count(Counter::Acknowledged);
                }
                if is_conclusive(invocation, response) && generator.unknown.remove(&invocation) {
                    self.counters.count(Counter::Resolved);
                }
                if matches!(
                    response,
                    Response::Presented { .. } | Response::Paid { .. } | Response::Replayed { .. }
                ) {
                    generator.applied.push(invocation);
                }
                Ok(Some(response))
            }
            AttemptOutcome::Unknown => {
                self.counters.count(Counter::Unknown);
                if is_order {
                    generator.unknown.insert(invocation);
                }
                Ok(None)
            }
            AttemptOutcome::NotSent => {
                self.counters.count(Counter::NotSent);
                Ok(None)
            }
        }
    }
}

/// Whether an answer settles the order's outcome for good. A refused pay is not settled: a delayed earlier attempt
/// may still be applied.
pub(crate) fn is_conclusive(invocation: Invocation, response: Response) -> bool {
    invocation == Invocation::Balance
        || response.is_applied()
        || response.is_replay()
        || response == Response::Conflict
}

/// An account under test, with its history.
pub(crate) struct TestAccount {
    pub(crate) id: AccountId,
    /// State before the first call.
    pub(crate) opening: Account,
    /// Coins of the opening top-up; 0 for none.
    pub(crate) top_up_coins: u64,
    pub(crate) history: History,
    generator: Mutex<Generator>,
}

/// Generator of an account's orders.
#[derive(Default)]
pub(crate) struct Generator {
    next_bill: BillIndex,
    /// Every order ever sent.
    issued: Vec<Invocation>,
    /// Orders known to be applied.
    applied: Vec<Invocation>,
    /// Orders of unknown outcome.
    pub(crate) unknown: BTreeSet<Invocation>,
}

/// Upper bounds in coins: small, so that pays reach the limit of the balance.
const PRESENT_MAX: u64 = 20;
const PAY_MAX: u64 = 30;

impl TestAccount {
    pub(crate) fn new(name: AccountId, saved: u64) -> Self {
        Self {
            id: name,
            opening: Account::with_top_up(saved),
            top_up_coins: saved,
            history: History::default(),
            generator: Mutex::default(),
        }
    }

    pub(crate) fn generator(&self) -> MutexGuard<'_, Generator> {
        self.generator.lock().expect("nothing panics while it holds a plan")
    }

    /// Bill number of the opening top-up.
    pub(crate) fn save_bill_no(&self) -> String {
        format!("save-{}-{}", self.id.zone(), self.id.player)
    }
}

impl Generator {
    pub(crate) fn new_present(&mut self, coins: u64) -> Invocation {
        let order = Invocation::Present { bill: self.new_bill(), coins };
        self.issued.push(order);
        order
    }

    fn new_bill(&mut self) -> BillIndex {
        self.next_bill += 1;
        self.next_bill
    }

    /// The next call.
    fn next_invocation(&mut self, random: &mut Rng) -> Invocation {
        if !self.unknown.is_empty() && random.u8(..10) < 4 {
            let at = random.usize(..self.unknown.len());
            return *self.unknown.iter().nth(at).expect("it is one of them");
        }
        let chosen = match random.u8(..100) {
            0..32 => return self.new_present(random.u64(1..=PRESENT_MAX)),
            32..55 => {
                let order = Invocation::Pay { bill: self.new_bill(), coins: random.u64(1..=PAY_MAX) };
                self.issued.push(order);
                return order;
            }
            55..67 => self.cancel_of_recent_pay(random),
            // A retry of any earlier order, whatever its outcome.
            67..78 => choose(&self.issued, random),
            // A conflict: another order with a used bill number.
            78..82 => choose(&self.applied, random).map(|made| match made {
                Invocation::Present { bill, coins } => Invocation::Present { bill, coins: coins + 1 },
                Invocation::Pay { bill, coins } => Invocation::Present { bill, coins },
                other @ (Invocation::Cancel { .. } | Invocation::Balance) => other,
            }),
            _ => None,
        };
        chosen.unwrap_or(Invocation::Balance)
    }

    /// Cancels one of the last ten pays, applied or not.
    fn cancel_of_recent_pay(&mut self, random: &mut Rng) -> Option<Invocation> {
        let pays = self.issued.iter().rev().filter_map(|order| match order {
            Invocation::Pay { bill, .. } => Some(Invocation::Cancel { bill: *bill }),
            Invocation::Present { .. } | Invocation::Cancel { .. } | Invocation::Balance => None,
        });
        let recent: Vec<Invocation> = pays.take(10).collect();
        let cancel = choose(&recent, random)?;
        self.issued.push(cancel);
        Some(cancel)
    }

    /// The pay with this bill number, if one was issued.
    pub(crate) fn find_pay(&self, bill: BillIndex) -> Option<Invocation> {
        let is_it = |order: &&Invocation| matches!(order, Invocation::Pay { bill: its, .. } if *its == bill);
        self.issued.iter().find(is_it).copied()
    }
}

fn choose(orders: &[Invocation], random: &mut Rng) -> Option<Invocation> {
    (!orders.is_empty()).then(|| orders[random.usize(..orders.len())])
}

/// Running clients.
pub(crate) struct Clients {
    tasks: JoinSet<anyhow::Result<()>>,
    state: Arc<ClientState>,
}

struct ClientState {
    harness: Arc<Harness>,
    test_accounts: Vec<Arc<TestAccount>>,
    stopping: AtomicBool,
    /// One permit for each answer.
    answers: Semaphore,
}

/// Upper bound of the random backoff after an unanswered call.
const BACKOFF_MAX_MS: u64 = 20;

/// Longest time without the expected answers while no fault is active.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(60);

impl Clients {
    /// Starts so many clients, each with its own seed derived from `random`.
    pub(crate) fn start(
        harness: &Arc<Harness>,
        test_accounts: &[Arc<TestAccount>],
        callers: usize,
        random: &mut Rng,
    ) -> Self {
        let shared = Arc::new(ClientState {
            harness: Arc::clone(harness),
            test_accounts: test_accounts.to_vec(),
            stopping: AtomicBool::new(false),
            answers: Semaphore::new(0),
        });
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            tasks.spawn(Arc::clone(&shared).run_client(random.fork()));
        }
        Self { tasks, state: shared }
    }

    /// Waits for so many further answers.
    pub(crate) async fn wait_for_answers(&mut self, answers: u32) -> anyhow::Result<()> {
        let answered = self.state.answers.acquire_many(answers);
        tokio::select! {
            permits = answered => permits.context("the answers are counted until the end")?.forget(),
            ended = self.tasks.join_next() => {
                ended.context("there are clients")??.context("a client ended")?;
                return Err(anyhow!("a client ended"));
            }
            () = tokio::time::sleep(PROGRESS_TIMEOUT) => {
                return Err(anyhow!("there were no {answers} answers within {PROGRESS_TIMEOUT:?}"));
            }
        }
        Ok(())
    }

    /// Stops the clients, each after its current call.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.state.stopping.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

impl ClientState {
    async fn run_client(self: Arc<Self>, mut random: Rng) -> anyhow::Result<()> {
        while !self.stopping.load(Ordering::Relaxed) {
            let test_account = &self.test_accounts[random.usize(..self.test_accounts.len())];
            let invocation = test_account.generator().next_invocation(&mut random);
            match self.harness.invoke(test_account, invocation, &mut random).await? {
                Some(_) => self.answers.add_permits(1),
                None => tokio::time::sleep(Duration::from_millis(random.u64(1..=BACKOFF_MAX_MS))).await,
            }
        }
        Ok(())
    }
}
