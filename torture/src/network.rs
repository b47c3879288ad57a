//! Network faults between clients and bank and between bank and database: cuts, delays, stalls.
//!
//! Every connection goes through a fault-injecting proxy ([`proxy`]). The case that matters most is a connection that
//! ends after the request was delivered and before the answer is: the order is applied, but unacknowledged.

mod proxy;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use pactolus_reports::report::ReportSection;
use pactolus_test_postgres::Cluster;
use tokio::runtime::Runtime;

use self::proxy::{FaultInjector, Proxy};
use crate::bank::{Bank, Node};
use crate::kills::{log_in, open_test_accounts, run_in_temp_dir};
use crate::options::Options;
use crate::workload::clients::{Clients, Harness};
use crate::workload::config;
use crate::workload::expected_ledger::ExpectedLedger;
use crate::workload::operator::Operator;
use crate::workload::resolve::resolve_unknown;
use crate::workload::tally::{Tally, report};

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Network faults, half of them in front of an embedded bank and half around one on PostgreSQL
    /// [default: 600; 24 with --short]
    #[arg(long)]
    cuts: Option<u64>,
}

pub(crate) fn run(arguments: &Args, options: &Options) -> anyhow::Result<ReportSection> {
    let cuts = arguments.cuts.unwrap_or(options.pick(600, 24)).div_ceil(2);
    let half = options.share(2);
    let tallies = [
        run_in_temp_dir(&half, "network", |folder| attack_embedded(cuts, &half, folder))?,
        run_in_temp_dir(&half, "network", |folder| attack_postgres(cuts, &half, folder))?,
    ];
    report("network", &tallies)
}

/// Faults between two checks.
const FAULTS_PER_ROUND: u64 = 50;
const CALLERS: usize = 12;
const NODES: usize = 2;

/// A client's timeout, shorter than a stall, so that requests arrive after their client has given up.
const TIMEOUT: Duration = Duration::from_millis(700);

/// Upper bound of the exchanges before a connection gets a fault: for a client's connection, and for the bank's
/// connection to its database, where one order takes several exchanges.
const EXCHANGES_MAX: u64 = 12;
const DATABASE_EXCHANGES_MAX: u64 = 60;

fn attack_embedded(cuts: u64, options: &Options, folder: &Path) -> anyhow::Result<Tally> {
    let runtime = Runtime::new()?;
    let bank = Bank::new(folder, &options.pactolus, &config("embedded:data", ""))?;
    let nodes = vec![bank.start_node(0, &[], &[])?.wait_until_listening()?];
    let injector = Arc::new(FaultInjector::default());
    let attack = NetworkAttack { bank, nodes, injectors: vec![injector], options };
    let (mut tally, ledger, bank) = attack.run(&runtime, cuts, "callers and an embedded bank")?;
    // An embedded store is audited after the bank has stopped.
    let audited = bank.audit()?;
    ensure!(audited.orders == ledger.orders(), "{audited:?} instead of {} orders", ledger.orders());
    tally.audits += 1;
    Ok(tally)
}

fn attack_postgres(cuts: u64, options: &Options, folder: &Path) -> anyhow::Result<Tally> {
    let runtime = Runtime::new()?;
    let cluster = Cluster::start("");
    let database = Arc::new(FaultInjector::default());
    let proxy = Proxy {
        upstream: ([127, 0, 0, 1], cluster.port()).into(),
        seed: options.seed ^ 1,
        exchanges_max: DATABASE_EXCHANGES_MAX,
        injector: Arc::clone(&database),
    };
    let port = runtime.block_on(proxy.start())?.port();
    let url = cluster.url().replace(&format!(":{}/", cluster.port()), &format!(":{port}/"));
    let bank = Bank::new(folder, &options.pactolus, &config(&url, ""))?;
    let starting = (0..NODES).map(|node| bank.start_node(node, &["--migrate"], &[])?.wait_until_listening());
    let nodes = starting.collect::<anyhow::Result<Vec<_>>>()?;
    let attack = NetworkAttack { bank, nodes, injectors: vec![Arc::default(), database], options };
    let (mut tally, ledger, bank) = attack.run(&runtime, cuts, "callers, two nodes and PostgreSQL")?;
    let audited = bank.audit()?;
    ensure!(audited.orders == ledger.orders(), "{audited:?} instead of {} orders", ledger.orders());
    tally.audits += 1;
    Ok(tally)
}

struct NetworkAttack<'a> {
    bank: Bank,
    nodes: Vec<Node>,
    /// Fault injector of the clients' connections, then that of the database's, if there is one.
    injectors: Vec<Arc<FaultInjector>>,
    options: &'a Options,
}

impl NetworkAttack<'_> {
    /// Injects so many faults, then stops the nodes. Returns the tally, the expected ledger and the stopped bank.
    fn run(
        self,
        runtime: &Runtime,
        cuts: u64,
        against: &'static str,
    ) -> anyhow::Result<(Tally, ExpectedLedger, Bank)> {
        let mut random = Rng::with_seed(self.options.seed);
        let mut proxies = Vec::new();
        for node in &self.nodes {
            let proxy = Proxy {
                upstream: node.address,
                seed: random.u64(..),
                exchanges_max: EXCHANGES_MAX,
                injector: Arc::clone(&self.injectors[0]),
            };
            proxies.push(runtime.block_on(proxy.start())?);
        }
        let world = Arc::new(Harness::new(proxies, TIMEOUT));
        let operator = Operator { http: &world.http, bank: self.nodes[0].address };
        runtime.block_on(log_in(&operator))?;
        let (mut books, mut tally) = (ExpectedLedger::default(), Tally::new(against));
        let bound = self.options.budget(cuts);
        let mut rounds = 0;
        while bound.should_continue(self.faults_injected()) {
            rounds += 1;
            let until = (self.faults_injected() + FAULTS_PER_ROUND).min(cuts.max(self.faults_injected() + 1));
            runtime
                .block_on(self.run_round(&world, rounds, until, &mut random, &mut books, &mut tally))
                .with_context(|| format!("round {rounds}, after {} faults", self.faults_injected()))?;
            self.bank.ensure_no_panic()?;
            eprintln!("network: {} faults", self.faults_injected());
        }
        runtime.block_on(books.check_closed_accounts(&operator))?;
        for strikes in &self.injectors {
            strikes.add_to(&mut tally);
        }
        tally.orders = books.orders();
        for mut node in self.nodes {
            node.kill()?;
        }
        Ok((tally, books, self.bank))
    }

    async fn run_round(
        &self,
        harness: &Arc<Harness>,
        round: u64,
        until: u64,
        random: &mut Rng,
        ledger: &mut ExpectedLedger,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let test_accounts = open_test_accounts(harness, round, random).await?;
        for injector in &self.injectors {
            injector.set_enabled(true);
        }
        let mut clients = Clients::start(harness, &test_accounts, CALLERS, random);
        while self.faults_injected() < until {
            clients.wait_for_answers(1).await?;
        }
        clients.stop().await?;
        // The last stalled requests may arrive while the outcomes are resolved.
        for injector in &self.injectors {
            injector.set_enabled(false);
        }
        resolve_unknown(harness, &test_accounts, random).await?;
        let operator = Operator { http: &harness.http, bank: self.nodes[0].address };
        ledger.close_round(harness, &operator, test_accounts, tally).await
    }

    fn faults_injected(&self) -> u64 {
        self.injectors.iter().map(|injector| injector.total()).sum()
    }
}
