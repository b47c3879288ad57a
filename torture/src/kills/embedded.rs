//! `kill -9` of a bank on an embedded store: under load, during its start, and in between.
//!
//! A call sent to a dead process was applied before the death or never. So no call may be in flight while the next
//! process starts, and the histories record when each process ended.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use tokio::runtime::Runtime;

use super::{log_in, open_test_accounts};
use crate::bank::{Bank, Node, StartingNode};
use crate::options::Options;
use crate::workload::clients::{Clients, Harness, TestAccount};
use crate::workload::config;
use crate::workload::expected_ledger::ExpectedLedger;
use crate::workload::operator::Operator;
use crate::workload::resolve::resolve_unknown;
use crate::workload::tally::Tally;

/// Kills between two checks.
const KILLS_PER_ROUND: u64 = 20;
const CALLERS: usize = 12;

/// Upper bound of the answers between two kills.
const ANSWERS_MAX: u32 = 150;
/// Upper bound of the delay between the last of these answers and the kill.
const WAIT_MAX_US: u64 = 3000;

/// A client's timeout; a live bank answers far sooner.
const TIMEOUT: Duration = Duration::from_secs(20);

const KILL_UNDER_LOAD: &str = "kill -9 under load";
const KILL_WHILE_STARTING: &str = "kill -9 while it starts again";

struct EmbeddedKills {
    bank: Bank,
    harness: Arc<Harness>,
    random: Rng,
    tally: Tally,
    /// Duration of the bank's last start.
    start_duration: Duration,
}

pub(crate) fn run(kills: u64, options: &Options, folder: &Path) -> anyhow::Result<Tally> {
    let runtime = Runtime::new()?;
    let bank = Bank::new(folder, &options.pactolus, &config("embedded:data", ""))?;
    let begun = Instant::now();
    let mut node = bank.start_node(0, &[], &[])?.wait_until_listening()?;
    let mut attack = EmbeddedKills {
        bank,
        harness: Arc::new(Harness::new(vec![node.address], TIMEOUT)),
        random: Rng::with_seed(options.seed),
        tally: Tally::new("an embedded store"),
        start_duration: begun.elapsed(),
    };
    // Only once: a login must survive every kill too.
    runtime.block_on(log_in(&Operator { http: &attack.harness.http, bank: node.address }))?;
    let mut ledger = ExpectedLedger::default();
    let bound = options.budget(kills);
    let mut rounds = 0;
    while bound.should_continue(attack.tally.injections()) {
        rounds += 1;
        let kills = KILLS_PER_ROUND.min(kills.saturating_sub(attack.tally.injections()).max(1));
        node = attack
            .run_round(&runtime, rounds, kills, node, &mut ledger)
            .with_context(|| format!("round {rounds}, after {} kills", attack.tally.injections()))?;
        eprintln!("kills: {} of the bank's process", attack.tally.injections());
    }
    runtime.block_on(
        ledger.check_closed_accounts(&Operator { http: &attack.harness.http, bank: node.address }),
    )?;
    attack.tally.orders = ledger.orders();
    Ok(attack.tally)
}

impl EmbeddedKills {
    /// Kills the bank so often under load, then resolves and compares everything. Returns a node that listens.
    fn run_round(
        &mut self,
        runtime: &Runtime,
        round: u64,
        kills: u64,
        mut node: Node,
        ledger: &mut ExpectedLedger,
    ) -> anyhow::Result<Node> {
        let test_accounts = runtime.block_on(open_test_accounts(&self.harness, round, &mut self.random))?;
        let guard = runtime.enter();
        let mut clients = Clients::start(&self.harness, &test_accounts, CALLERS, &mut self.random);
        drop(guard);
        let ends = self.tally.injections() + kills;
        while self.tally.injections() < ends {
            runtime.block_on(clients.wait_for_answers(self.random.u32(1..=ANSWERS_MAX)))?;
            std::thread::sleep(Duration::from_micros(self.random.u64(..=WAIT_MAX_US)));
            node = self.kill(runtime, node, &test_accounts)?;
        }
        runtime.block_on(async {
            clients.wait_for_answers(CALLERS.try_into()?).await?;
            clients.stop().await?;
            resolve_unknown(&self.harness, &test_accounts, &mut self.random).await?;
            let operator = Operator { http: &self.harness.http, bank: node.address };
            ledger.close_round(&self.harness, &operator, test_accounts, &mut self.tally).await
        })?;
        node.kill()?;
        let audited = self.bank.audit()?;
        let expected = (ledger.orders(), ledger.accounts());
        ensure!(
            (audited.orders, audited.accounts) == expected,
            "the audit finds {audited:?} instead of {expected:?} orders and accounts"
        );
        self.tally.audits += 1;
        self.bank.ensure_no_panic()?;
        let node = self.start()?;
        self.harness.set_node_address(0, node.address);
        Ok(node)
    }

    /// Kills the bank under load, and perhaps some restarts of it. Returns the node that listens in the end.
    fn kill(
        &mut self,
        runtime: &Runtime,
        mut node: Node,
        test_accounts: &[Arc<TestAccount>],
    ) -> anyhow::Result<Node> {
        node.kill()?;
        self.tally.count_injection(KILL_UNDER_LOAD);
        // The write lock is free once every call to the dead process has ended.
        let harness = Arc::clone(&self.harness);
        let _closed = runtime.block_on(harness.in_flight.write());
        let now = harness.clock.next();
        for test_account in test_accounts {
            test_account.history.record_crash(now);
        }
        while self.random.u8(..4) == 0 {
            // From before the store is open until a little after the process listens.
            let wait = self.start_duration.mul_f64(self.random.f64() * 1.2);
            self.start_process()?.kill_after(wait)?;
            self.tally.count_injection(KILL_WHILE_STARTING);
        }
        let node = self.start()?;
        harness.set_node_address(0, node.address);
        Ok(node)
    }

    fn start(&mut self) -> anyhow::Result<Node> {
        let begun = Instant::now();
        let node = self.start_process()?.wait_until_listening()?;
        self.start_duration = begun.elapsed();
        Ok(node)
    }

    /// Starts the bank with its default settings, or with ones so small that the journal starts a segment and the
    /// memtable is flushed about every hundred orders.
    fn start_process(&mut self) -> anyhow::Result<StartingNode> {
        let small =
            [("PACTOLUS_EMBEDDED_MEMTABLE_ORDERS", "100"), ("PACTOLUS_EMBEDDED_SEGMENT_BYTES", "20000")];
        let variables: &[(&str, &str)] = if self.random.u8(..4) > 0 { &small } else { &[] };
        self.bank.start_node(0, &[], variables)
    }
}
