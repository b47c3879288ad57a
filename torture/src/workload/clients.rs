//! Callers who call a bank at once about few accounts, for as long as they are let, and record every call.
//!
//! Whoever is left without an answer repeats the same order under the same bill number, now or later, at this node or
//! at another. Nothing else is ever assumed of a call that was not answered.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use fastrand::Rng;
use tokio::sync::{RwLock as Gate, Semaphore};
use tokio::task::JoinSet;

use super::Name;
use super::calls::{Tried, call};
use super::http::Http;
use super::tally::{Counted, Counts};
use crate::history::account::{Account, Asked, Bill, Told};
use crate::history::{History, Ticks};

/// What all callers of a run share.
pub(crate) struct World {
    pub(crate) http: Http,
    pub(crate) counts: Counts,
    pub(crate) ticks: Ticks,
    /// Where the bank's nodes listen.
    nodes: RwLock<Vec<SocketAddr>>,
    /// Held by every call while it is open. Whoever closes it knows that none is.
    pub(crate) gate: Gate<()>,
    /// How long a caller waits for an answer.
    timeout: Duration,
}

impl World {
    pub(crate) fn new(nodes: Vec<SocketAddr>, timeout: Duration) -> Self {
        Self {
            http: Http::new(),
            counts: Counts::default(),
            ticks: Ticks::default(),
            nodes: RwLock::new(nodes),
            gate: Gate::new(()),
            timeout,
        }
    }

    /// A node listens elsewhere from now on.
    pub(crate) fn moved(&self, node: usize, to: SocketAddr) {
        self.nodes.write().expect("nothing panics while it holds the nodes")[node] = to;
    }

    /// Where one of the nodes listens.
    pub(crate) fn node(&self, random: &mut Rng) -> SocketAddr {
        let nodes = self.nodes.read().expect("nothing panics while it holds the nodes");
        nodes[random.usize(..nodes.len())]
    }

    /// Makes a call and records it: what was told, or nothing.
    pub(crate) async fn call(
        &self,
        seat: &Seat,
        asked: Asked,
        random: &mut Rng,
    ) -> anyhow::Result<Option<Told>> {
        let tried = {
            let _open = self.gate.read().await;
            let bank = self.node(random);
            let open = seat.history.send(&self.ticks, asked);
            let tried = call(&self.http, bank, seat.name, asked, self.timeout).await?;
            match tried {
                Tried::Told(told) => seat.history.answered(&self.ticks, open, told),
                Tried::NotSent => seat.history.not_sent(open),
                // It is recorded so since it was sent.
                Tried::Unknown => {}
            }
            tried
        };
        let mut plan = seat.plan();
        let is_order = asked != Asked::Balance;
        match tried {
            Tried::Told(told) => {
                self.counts.count(Counted::Call);
                if told.is_done() {
                    self.counts.count(Counted::Acknowledged);
                }
                if is_settled(asked, told) && plan.doubtful.remove(&asked) {
                    self.counts.count(Counted::Settled);
                }
                if matches!(told, Told::Given { .. } | Told::Taken { .. } | Told::Exists { .. }) {
                    plan.made.push(asked);
                }
                Ok(Some(told))
            }
            Tried::Unknown => {
                self.counts.count(Counted::Unknown);
                if is_order {
                    plan.doubtful.insert(asked);
                }
                Ok(None)
            }
            Tried::NotSent => {
                self.counts.count(Counted::NotSent);
                Ok(None)
            }
        }
    }
}

/// Whether an answer says for ever whether the order is done. A pay that was refused may still be done by an earlier
/// try that has not arrived yet.
pub(crate) fn is_settled(asked: Asked, told: Told) -> bool {
    asked == Asked::Balance || told.is_done() || told.is_replay() || told == Told::AnotherExists
}

/// An account, and all that callers have asked of it.
pub(crate) struct Seat {
    pub(crate) name: Name,
    /// What it was before the first call.
    pub(crate) opening: Account,
    /// The coins of the top-up that opened it; with none, there was none.
    pub(crate) saved: u64,
    pub(crate) history: History,
    plan: Mutex<Plan>,
}

/// The orders of an account, as far as its callers remember them.
#[derive(Default)]
pub(crate) struct Plan {
    next_bill: Bill,
    /// All that were ever asked for.
    orders: Vec<Asked>,
    /// Those that are known to be made.
    made: Vec<Asked>,
    /// Those of which nobody knows.
    pub(crate) doubtful: BTreeSet<Asked>,
}

/// What is taken and given: small sums, so that pays meet their balance.
const PRESENT_MAX: u64 = 20;
const PAY_MAX: u64 = 30;

impl Seat {
    pub(crate) fn new(name: Name, saved: u64) -> Self {
        Self {
            name,
            opening: Account::topped_up(saved),
            saved,
            history: History::default(),
            plan: Mutex::default(),
        }
    }

    pub(crate) fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().expect("nothing panics while it holds a plan")
    }

    /// The bill number of the top-up that opened the account.
    pub(crate) fn save_bill_no(&self) -> String {
        format!("save-{}-{}", self.name.zone(), self.name.player)
    }
}

impl Plan {
    /// A new present.
    pub(crate) fn present(&mut self, coins: u64) -> Asked {
        let order = Asked::Present { bill: self.new_bill(), coins };
        self.orders.push(order);
        order
    }

    fn new_bill(&mut self) -> Bill {
        self.next_bill += 1;
        self.next_bill
    }

    /// What to ask next.
    fn choose(&mut self, random: &mut Rng) -> Asked {
        if !self.doubtful.is_empty() && random.u8(..10) < 4 {
            let at = random.usize(..self.doubtful.len());
            return *self.doubtful.iter().nth(at).expect("it is one of them");
        }
        let chosen = match random.u8(..100) {
            0..32 => return self.present(random.u64(1..=PRESENT_MAX)),
            32..55 => {
                let order = Asked::Pay { bill: self.new_bill(), coins: random.u64(1..=PAY_MAX) };
                self.orders.push(order);
                return order;
            }
            55..67 => self.a_cancel(random),
            // The same again, whatever came of it.
            67..78 => of(&self.orders, random),
            // A number that is used, for another order.
            78..82 => of(&self.made, random).map(|made| match made {
                Asked::Present { bill, coins } => Asked::Present { bill, coins: coins + 1 },
                Asked::Pay { bill, coins } => Asked::Present { bill, coins },
                other @ (Asked::Cancel { .. } | Asked::Balance) => other,
            }),
            _ => None,
        };
        chosen.unwrap_or(Asked::Balance)
    }

    /// The cancel of one of the last pays that were asked for, whether they are made or not.
    fn a_cancel(&mut self, random: &mut Rng) -> Option<Asked> {
        let pays = self.orders.iter().rev().filter_map(|order| match order {
            Asked::Pay { bill, .. } => Some(Asked::Cancel { bill: *bill }),
            Asked::Present { .. } | Asked::Cancel { .. } | Asked::Balance => None,
        });
        let recent: Vec<Asked> = pays.take(10).collect();
        let cancel = of(&recent, random)?;
        self.orders.push(cancel);
        Some(cancel)
    }

    /// The pay with a bill number, if one was asked for.
    pub(crate) fn pay(&self, bill: Bill) -> Option<Asked> {
        let is_it = |order: &&Asked| matches!(order, Asked::Pay { bill: its, .. } if *its == bill);
        self.orders.iter().find(is_it).copied()
    }
}

fn of(orders: &[Asked], random: &mut Rng) -> Option<Asked> {
    (!orders.is_empty()).then(|| orders[random.usize(..orders.len())])
}

/// Callers at work.
pub(crate) struct Clients {
    tasks: JoinSet<anyhow::Result<()>>,
    shared: Arc<Shared>,
}

struct Shared {
    world: Arc<World>,
    seats: Vec<Arc<Seat>>,
    is_over: AtomicBool,
    /// A permit for each answer.
    answers: Semaphore,
}

/// How long a caller who was not answered waits before the next call, at most.
const PAUSE_MAX_MS: u64 = 20;

/// How long the bank may leave everybody without an answer while it is not being attacked.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

impl Clients {
    /// Starts so many callers; each chooses by its own seed from these.
    pub(crate) fn start(world: &Arc<World>, seats: &[Arc<Seat>], callers: usize, random: &mut Rng) -> Self {
        let shared = Arc::new(Shared {
            world: Arc::clone(world),
            seats: seats.to_vec(),
            is_over: AtomicBool::new(false),
            answers: Semaphore::new(0),
        });
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            tasks.spawn(Arc::clone(&shared).calls(random.fork()));
        }
        Self { tasks, shared }
    }

    /// Waits for so many more answers.
    pub(crate) async fn answered(&mut self, answers: u32) -> anyhow::Result<()> {
        let answered = self.shared.answers.acquire_many(answers);
        tokio::select! {
            permits = answered => permits.context("the answers are counted until the end")?.forget(),
            ended = self.tasks.join_next() => {
                ended.context("there are callers")??.context("a caller ended")?;
                return Err(anyhow!("a caller ended"));
            }
            () = tokio::time::sleep(ANSWERS_WITHIN) => {
                return Err(anyhow!("there were no {answers} answers within {ANSWERS_WITHIN:?}"));
            }
        }
        Ok(())
    }

    /// Lets the callers end, each after its call.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

impl Shared {
    async fn calls(self: Arc<Self>, mut random: Rng) -> anyhow::Result<()> {
        while !self.is_over.load(Ordering::Relaxed) {
            let seat = &self.seats[random.usize(..self.seats.len())];
            let asked = seat.plan().choose(&mut random);
            match self.world.call(seat, asked, &mut random).await? {
                Some(_) => self.answers.add_permits(1),
                None => tokio::time::sleep(Duration::from_millis(random.u64(1..=PAUSE_MAX_MS))).await,
            }
        }
        Ok(())
    }
}
