//! Kills of a bank on PostgreSQL with two nodes: of the database's processes, by turns, and now and then of a node.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use pactolus_test_postgres::Cluster;
use tokio::runtime::Runtime;

use super::{log_in, open};
use crate::bank::{Bank, Node, Starting};
use crate::options::Options;
use crate::workload::clients::{Clients, World};
use crate::workload::config;
use crate::workload::expected_ledger::Books;
use crate::workload::operator::Operator;
use crate::workload::resolve::settle;
use crate::workload::tally::Tally;

const KILLS_PER_ROUND: u64 = 8;
const NODES: usize = 2;
const CALLERS: usize = 12;
const ANSWERS_MAX: u32 = 150;
const WAIT_MAX_US: u64 = 20_000;

/// How long a caller waits for an answer: shorter than the bank itself waits for its database.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How long the database may take until it answers again.
const BACK_WITHIN: Duration = Duration::from_secs(60);

/// After a crash it syncs its file system as a whole, not each file of its folder. It is as durable, and back sooner.
const QUICKLY_BACK: &str = "recovery_init_sync_method = syncfs";

const NODE: &str = "kill -9 of a node";

/// What is done to the database.
#[derive(Clone, Copy)]
enum Strike {
    Postmaster,
    ImmediateShutdown,
    Backend,
    Terminate,
}

/// In this order, over and over.
const STRIKES: [Strike; 4] =
    [Strike::Postmaster, Strike::Backend, Strike::ImmediateShutdown, Strike::Terminate];

impl Strike {
    fn name(self) -> &'static str {
        match self {
            Self::Postmaster => "kill -9 of the postmaster",
            Self::ImmediateShutdown => "immediate shutdown",
            Self::Backend => "kill -9 of a backend, after which all begin anew",
            Self::Terminate => "a backend terminated",
        }
    }
}

struct Attack<'a> {
    bank: Bank,
    cluster: &'a Cluster,
    nodes: Vec<Node>,
    world: Arc<World>,
    random: Rng,
    tally: Tally,
    /// Kills of the database alone.
    kills: u64,
}

pub(crate) fn run(kills: u64, options: &Options, folder: &Path) -> anyhow::Result<Tally> {
    let runtime = Runtime::new()?;
    let cluster = Cluster::start(QUICKLY_BACK);
    let bank = Bank::new(folder, &options.pactolus, &config(&cluster.url(), ""))?;
    let starting = (0..NODES).map(|node| bank.start(node, &["--migrate"], &[]));
    let starting = starting.collect::<anyhow::Result<Vec<_>>>()?;
    let nodes = starting.into_iter().map(Starting::listening).collect::<anyhow::Result<Vec<_>>>()?;
    let world = World::new(nodes.iter().map(|node| node.address).collect(), TIMEOUT);
    let mut attack = Attack {
        bank,
        cluster: &cluster,
        nodes,
        world: Arc::new(world),
        random: Rng::with_seed(options.seed),
        tally: Tally::new("PostgreSQL with two nodes"),
        kills: 0,
    };
    runtime.block_on(log_in(&attack.operator()))?;
    let mut books = Books::default();
    let bound = options.bound(kills);
    let mut rounds = 0;
    while bound.goes_on(attack.kills) {
        rounds += 1;
        let kills = KILLS_PER_ROUND.min(kills.saturating_sub(attack.kills).max(1));
        attack
            .round(&runtime, rounds, kills, &mut books)
            .with_context(|| format!("round {rounds}, after {} kills", attack.kills))
            .inspect_err(|_| attack.keep(folder))?;
        eprintln!("kills: {} of the database", attack.kills);
    }
    runtime.block_on(books.still_hold(&attack.operator()))?;
    attack.tally.orders = books.orders();
    Ok(attack.tally)
}

impl Attack<'_> {
    fn operator(&self) -> Operator<'_> {
        Operator { http: &self.world.http, bank: self.nodes[0].address }
    }

    /// Strikes so often under load, then settles and compares everything.
    fn round(&mut self, runtime: &Runtime, round: u64, kills: u64, books: &mut Books) -> anyhow::Result<()> {
        let seats = runtime.block_on(open(&self.world, round, &mut self.random))?;
        let guard = runtime.enter();
        let mut clients = Clients::start(&self.world, &seats, CALLERS, &mut self.random);
        drop(guard);
        for _ in 0..kills {
            runtime.block_on(clients.answered(self.random.u32(1..=ANSWERS_MAX)))?;
            std::thread::sleep(Duration::from_micros(self.random.u64(..=WAIT_MAX_US)));
            if self.random.u8(..6) == 0 {
                self.kill_a_node()?;
            }
            self.strike()?;
        }
        let mut tally = std::mem::take(&mut self.tally);
        runtime.block_on(async {
            clients.answered(CALLERS.try_into()?).await?;
            clients.end().await?;
            settle(&self.world, &seats, &mut self.random).await?;
            books.close(&self.world, &self.operator(), seats, &mut tally).await
        })?;
        // A bank on a database is proved while it is served.
        let audited = self.bank.audit()?;
        let expected = (books.orders(), books.accounts());
        ensure!(
            (audited.orders, audited.accounts) == expected,
            "the audit finds {audited:?} instead of {expected:?} orders and accounts"
        );
        tally.audits += 1;
        self.tally = tally;
        self.bank.has_not_panicked()
    }

    /// Kills a node in whose place another is served already.
    fn kill_a_node(&mut self) -> anyhow::Result<()> {
        let number = self.random.usize(..NODES);
        let begun = Instant::now();
        let node = loop {
            match self.bank.start(number, &[], &[])?.listening() {
                Ok(node) => break node,
                // A bank does not start without its database, which may not be back from the last strike.
                Err(error) if begun.elapsed() > BACK_WITHIN => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        std::mem::replace(&mut self.nodes[number], node).kill()?;
        self.world.moved(number, self.nodes[number].address);
        self.tally.strike(NODE);
        Ok(())
    }

    fn strike(&mut self) -> anyhow::Result<()> {
        let turn = usize::try_from(self.kills)? % STRIKES.len();
        let strike = STRIKES[turn];
        let chosen = self.random.u32(..1000);
        match strike {
            Strike::Postmaster => {
                self.cluster.kill();
                self.cluster.restart();
            }
            Strike::ImmediateShutdown => {
                self.cluster.stop_immediately();
                self.cluster.restart();
            }
            Strike::Backend => {
                let pid = self.ask(&format!("SELECT pid {}", a_backend(chosen)))?;
                self.cluster.kill_process(pid.trim().parse().context("it is the number of a process")?);
            }
            Strike::Terminate => {
                self.ask(&format!("SELECT pg_terminate_backend(pid) {}", a_backend(chosen)))?;
            }
        }
        self.tally.strike(strike.name());
        self.kills += 1;
        Ok(())
    }

    /// Asks the database, as soon as it answers.
    fn ask(&self, question: &str) -> anyhow::Result<String> {
        let begun = Instant::now();
        loop {
            let psql = self.cluster.bin_dir().join("psql");
            let asked = Command::new(psql).args(["-XAtq", "-c", question, &self.cluster.url()]).output()?;
            let told = String::from_utf8_lossy(&asked.stdout).into_owned();
            if asked.status.success() && !told.trim().is_empty() {
                return Ok(told);
            }
            let error = String::from_utf8_lossy(&asked.stderr).into_owned();
            ensure!(begun.elapsed() < BACK_WITHIN, "the database does not answer: {told} {error}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Copies the bank from a database that ends with the attack; what has been found is said anyway.
    fn keep(&self, folder: &Path) {
        let (from, to) = (self.cluster.url(), format!("embedded:{}", folder.join("data").display()));
        if let Err(error) = self.bank.command(&["copy", "--from", &from, "--to", &to]).status() {
            eprintln!("kills: the bank could not be copied: {error}");
        }
    }
}

/// One of the sessions that the bank's nodes have, whichever is there.
fn a_backend(chosen: u32) -> String {
    let theirs = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    format!("{theirs} ORDER BY pid OFFSET {chosen} % greatest(1, (SELECT count(*) {theirs})) LIMIT 1")
}
