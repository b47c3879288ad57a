//! Kills of a bank on PostgreSQL with two nodes: the database's processes in turn, and sometimes a node.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use pactolus_test_postgres::Cluster;
use tokio::runtime::Runtime;

use super::{log_in, open_test_accounts};
use crate::bank::{Bank, Node, StartingNode};
use crate::options::Options;
use crate::workload::clients::{Clients, Harness};
use crate::workload::config;
use crate::workload::expected_ledger::ExpectedLedger;
use crate::workload::operator::Operator;
use crate::workload::resolve::resolve_unknown;
use crate::workload::tally::Tally;

const KILLS_PER_ROUND: u64 = 8;
const NODES: usize = 2;
const CALLERS: usize = 12;
const ANSWERS_MAX: u32 = 150;
const WAIT_MAX_US: u64 = 20_000;

/// A client's timeout, shorter than the bank's own timeout for its database.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Longest time until the database answers again.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(60);

/// After a crash, sync the whole file system instead of each file. This is as durable, and recovery is faster.
const FAST_RECOVERY_CONFIG: &str = "recovery_init_sync_method = syncfs";

const NODE_KILL: &str = "kill -9 of a node";

#[derive(Clone, Copy)]
enum DatabaseFault {
    KillPostmaster,
    ImmediateShutdown,
    KillBackend,
    TerminateBackend,
}

/// Repeated in this order.
const FAULT_SEQUENCE: [DatabaseFault; 4] = [
    DatabaseFault::KillPostmaster,
    DatabaseFault::KillBackend,
    DatabaseFault::ImmediateShutdown,
    DatabaseFault::TerminateBackend,
];

impl DatabaseFault {
    fn name(self) -> &'static str {
        match self {
            Self::KillPostmaster => "kill -9 of the postmaster",
            Self::ImmediateShutdown => "immediate shutdown",
            Self::KillBackend => "kill -9 of a backend, which restarts them all",
            Self::TerminateBackend => "a backend terminated",
        }
    }
}

struct DatabaseKills<'a> {
    bank: Bank,
    cluster: &'a Cluster,
    nodes: Vec<Node>,
    harness: Arc<Harness>,
    random: Rng,
    tally: Tally,
    /// Faults of the database alone, without kills of nodes.
    faults: u64,
}

pub(crate) fn run(kills: u64, options: &Options, folder: &Path) -> anyhow::Result<Tally> {
    let runtime = Runtime::new()?;
    let cluster = Cluster::start(FAST_RECOVERY_CONFIG);
    let bank = Bank::new(folder, &options.pactolus, &config(&cluster.url(), ""))?;
    let starting = (0..NODES).map(|node| bank.start_node(node, &["--migrate"], &[]));
    let starting = starting.collect::<anyhow::Result<Vec<_>>>()?;
    let nodes =
        starting.into_iter().map(StartingNode::wait_until_listening).collect::<anyhow::Result<Vec<_>>>()?;
    let harness = Harness::new(nodes.iter().map(|node| node.address).collect(), TIMEOUT);
    let mut attack = DatabaseKills {
        bank,
        cluster: &cluster,
        nodes,
        harness: Arc::new(harness),
        random: Rng::with_seed(options.seed),
        tally: Tally::new("PostgreSQL with two nodes"),
        faults: 0,
    };
    runtime.block_on(log_in(&attack.operator()))?;
    let mut ledger = ExpectedLedger::default();
    let bound = options.budget(kills);
    let mut rounds = 0;
    while bound.should_continue(attack.faults) {
        rounds += 1;
        let kills = KILLS_PER_ROUND.min(kills.saturating_sub(attack.faults).max(1));
        attack
            .run_round(&runtime, rounds, kills, &mut ledger)
            .with_context(|| format!("round {rounds}, after {} kills", attack.faults))
            .inspect_err(|_| attack.copy_store(folder))?;
        eprintln!("kills: {} of the database", attack.faults);
    }
    runtime.block_on(ledger.check_closed_accounts(&attack.operator()))?;
    attack.tally.orders = ledger.orders();
    Ok(attack.tally)
}

impl DatabaseKills<'_> {
    fn operator(&self) -> Operator<'_> {
        Operator { http: &self.harness.http, bank: self.nodes[0].address }
    }

    /// Injects so many faults under load, then resolves and compares everything.
    fn run_round(
        &mut self,
        runtime: &Runtime,
        round: u64,
        kills: u64,
        ledger: &mut ExpectedLedger,
    ) -> anyhow::Result<()> {
        let test_accounts = runtime.block_on(open_test_accounts(&self.harness, round, &mut self.random))?;
        let guard = runtime.enter();
        let mut clients = Clients::start(&self.harness, &test_accounts, CALLERS, &mut self.random);
        drop(guard);
        for _ in 0..kills {
            runtime.block_on(clients.wait_for_answers(self.random.u32(1..=ANSWERS_MAX)))?;
            std::thread::sleep(Duration::from_micros(self.random.u64(..=WAIT_MAX_US)));
            if self.random.u8(..6) == 0 {
                self.kill_node()?;
            }
            self.inject_fault()?;
        }
        let mut tally = std::mem::take(&mut self.tally);
        runtime.block_on(async {
            clients.wait_for_answers(CALLERS.try_into()?).await?;
            clients.stop().await?;
            resolve_unknown(&self.harness, &test_accounts, &mut self.random).await?;
            ledger.close_round(&self.harness, &self.operator(), test_accounts, &mut tally).await
        })?;
        // A bank on a database is audited while it is served.
        let audited = self.bank.audit()?;
        let expected = (ledger.orders(), ledger.accounts());
        ensure!(
            (audited.orders, audited.accounts) == expected,
            "the audit finds {audited:?} instead of {expected:?} orders and accounts"
        );
        tally.audits += 1;
        self.tally = tally;
        self.bank.ensure_no_panic()
    }

    /// Kills a node after its replacement listens.
    fn kill_node(&mut self) -> anyhow::Result<()> {
        let number = self.random.usize(..NODES);
        let begun = Instant::now();
        let node = loop {
            match self.bank.start_node(number, &[], &[])?.wait_until_listening() {
                Ok(node) => break node,
                // A node does not start without its database, which may still be recovering from the last fault.
                Err(error) if begun.elapsed() > RECOVERY_TIMEOUT => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        std::mem::replace(&mut self.nodes[number], node).kill()?;
        self.harness.set_node_address(number, self.nodes[number].address);
        self.tally.count_injection(NODE_KILL);
        Ok(())
    }

    fn inject_fault(&mut self) -> anyhow::Result<()> {
        let turn = usize::try_from(self.faults)? % FAULT_SEQUENCE.len();
        let fault = FAULT_SEQUENCE[turn];
        let chosen = self.random.u32(..1000);
        match fault {
            DatabaseFault::KillPostmaster => {
                self.cluster.kill();
                self.cluster.restart();
            }
            DatabaseFault::ImmediateShutdown => {
                self.cluster.stop_immediately();
                self.cluster.restart();
            }
            DatabaseFault::KillBackend => {
                let pid = self.query(&format!("SELECT pid {}", pick_backend_sql(chosen)))?;
                self.cluster.kill_process(pid.trim().parse().context("it is the number of a process")?);
            }
            DatabaseFault::TerminateBackend => {
                self.query(&format!("SELECT pg_terminate_backend(pid) {}", pick_backend_sql(chosen)))?;
            }
        }
        self.tally.count_injection(fault.name());
        self.faults += 1;
        Ok(())
    }

    /// Runs a query, with retries while the database recovers.
    fn query(&self, question: &str) -> anyhow::Result<String> {
        let begun = Instant::now();
        loop {
            let psql = self.cluster.bin_dir().join("psql");
            let output = Command::new(psql).args(["-XAtq", "-c", question, &self.cluster.url()]).output()?;
            let rows = String::from_utf8_lossy(&output.stdout).into_owned();
            if output.status.success() && !rows.trim().is_empty() {
                return Ok(rows);
            }
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            ensure!(begun.elapsed() < RECOVERY_TIMEOUT, "the database does not answer: {rows} {error}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Copies the bank out of the temporary database; a failure is only printed, so the finding is still reported.
    fn copy_store(&self, folder: &Path) {
        let (from, to) = (self.cluster.url(), format!("embedded:{}", folder.join("data").display()));
        if let Err(error) = self.bank.command(&["copy", "--from", &from, "--to", &to]).status() {
            eprintln!("kills: the bank could not be copied: {error}");
        }
    }
}

/// Selects one of the nodes' sessions.
fn pick_backend_sql(chosen: u32) -> String {
    let theirs = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    format!("{theirs} ORDER BY pid OFFSET {chosen} % greatest(1, (SELECT count(*) {theirs})) LIMIT 1")
}
