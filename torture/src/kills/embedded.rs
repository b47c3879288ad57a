//! `kill -9` of a bank on an embedded store: under load, while it starts again, and in between.
//!
//! What is sent to a process that is dead was carried out before it died, or never. So no call is open while the next
//! process is started, and the histories say when each process ended.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use tokio::runtime::Runtime;

use super::{log_in, open};
use crate::bank::{Bank, Node, Starting};
use crate::options::Options;
use crate::workload::clients::{Clients, Seat, World};
use crate::workload::config;
use crate::workload::expected_ledger::Books;
use crate::workload::operator::Operator;
use crate::workload::resolve::settle;
use crate::workload::tally::Tally;

/// After how many kills everything is looked at.
const KILLS_PER_ROUND: u64 = 20;
const CALLERS: usize = 12;

/// How many answers there are from one kill to the next, at most.
const ANSWERS_MAX: u32 = 150;
/// How long after the last of them the bank is killed, at most.
const WAIT_MAX_US: u64 = 3000;

/// How long a caller waits for an answer; a bank that is not killed is done long before.
const TIMEOUT: Duration = Duration::from_secs(20);

const UNDER_LOAD: &str = "kill -9 under load";
const STARTING: &str = "kill -9 while it starts again";

/// The attack, on one store.
struct Attack {
    bank: Bank,
    world: Arc<World>,
    random: Rng,
    tally: Tally,
    /// How long the bank took to start.
    started_in: Duration,
}

pub(crate) fn run(kills: u64, options: &Options, folder: &Path) -> anyhow::Result<Tally> {
    let runtime = Runtime::new()?;
    let bank = Bank::new(folder, &options.pactolus, &config("embedded:data", ""))?;
    let begun = Instant::now();
    let mut node = bank.start(0, &[], &[])?.listening()?;
    let mut attack = Attack {
        bank,
        world: Arc::new(World::new(vec![node.address], TIMEOUT)),
        random: Rng::with_seed(options.seed),
        tally: Tally::new("an embedded store"),
        started_in: begun.elapsed(),
    };
    // Once only: a login is kept through every kill as well.
    runtime.block_on(log_in(&Operator { http: &attack.world.http, bank: node.address }))?;
    let mut books = Books::default();
    let bound = options.bound(kills);
    let mut rounds = 0;
    while bound.goes_on(attack.tally.struck()) {
        rounds += 1;
        let kills = KILLS_PER_ROUND.min(kills.saturating_sub(attack.tally.struck()).max(1));
        node = attack
            .round(&runtime, rounds, kills, node, &mut books)
            .with_context(|| format!("round {rounds}, after {} kills", attack.tally.struck()))?;
        eprintln!("kills: {} of the bank's process", attack.tally.struck());
    }
    runtime.block_on(books.still_hold(&Operator { http: &attack.world.http, bank: node.address }))?;
    attack.tally.orders = books.orders();
    Ok(attack.tally)
}

impl Attack {
    /// Kills the bank so often under load, then settles and compares everything; gives back a bank that is served.
    fn round(
        &mut self,
        runtime: &Runtime,
        round: u64,
        kills: u64,
        mut node: Node,
        books: &mut Books,
    ) -> anyhow::Result<Node> {
        let seats = runtime.block_on(open(&self.world, round, &mut self.random))?;
        let guard = runtime.enter();
        let mut clients = Clients::start(&self.world, &seats, CALLERS, &mut self.random);
        drop(guard);
        let ends = self.tally.struck() + kills;
        while self.tally.struck() < ends {
            runtime.block_on(clients.answered(self.random.u32(1..=ANSWERS_MAX)))?;
            std::thread::sleep(Duration::from_micros(self.random.u64(..=WAIT_MAX_US)));
            node = self.kill(runtime, node, &seats)?;
        }
        runtime.block_on(async {
            clients.answered(CALLERS.try_into()?).await?;
            clients.end().await?;
            settle(&self.world, &seats, &mut self.random).await?;
            let operator = Operator { http: &self.world.http, bank: node.address };
            books.close(&self.world, &operator, seats, &mut self.tally).await
        })?;
        node.kill()?;
        let audited = self.bank.audit()?;
        let expected = (books.orders(), books.accounts());
        ensure!(
            (audited.orders, audited.accounts) == expected,
            "the audit finds {audited:?} instead of {expected:?} orders and accounts"
        );
        self.tally.audits += 1;
        self.bank.has_not_panicked()?;
        let node = self.start()?;
        self.world.moved(0, node.address);
        Ok(node)
    }

    /// Kills the bank under load, and perhaps some that are started in its place; gives the one that lives.
    fn kill(&mut self, runtime: &Runtime, mut node: Node, seats: &[Arc<Seat>]) -> anyhow::Result<Node> {
        node.kill()?;
        self.tally.strike(UNDER_LOAD);
        // When nobody holds it, every call to the dead process has ended.
        let world = Arc::clone(&self.world);
        let _closed = runtime.block_on(world.gate.write());
        let now = world.ticks.next();
        for seat in seats {
            seat.history.ended(now);
        }
        while self.random.u8(..4) == 0 {
            // From before it has opened the store until a little after it listens.
            let wait = self.started_in.mul_f64(self.random.f64() * 1.2);
            self.start_with()?.kill_after(wait)?;
            self.tally.strike(STARTING);
        }
        let node = self.start()?;
        world.moved(0, node.address);
        Ok(node)
    }

    fn start(&mut self) -> anyhow::Result<Node> {
        let begun = Instant::now();
        let node = self.start_with()?.listening()?;
        self.started_in = begun.elapsed();
        Ok(node)
    }

    /// Starts it with the usual bounds, or with ones so small that files of the journal and bulks of the views end
    /// every hundred orders.
    fn start_with(&mut self) -> anyhow::Result<Starting> {
        let small = [("PACTOLUS_EMBEDDED_TAIL_ORDERS", "100"), ("PACTOLUS_EMBEDDED_SEGMENT_BYTES", "20000")];
        let variables: &[(&str, &str)] = if self.random.u8(..4) > 0 { &small } else { &[] };
        self.bank.start(0, &[], variables)
    }
}
