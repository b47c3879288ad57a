//! A network that cuts, delays, stalls and loses: between callers and bank, and between bank and database.
//!
//! Every connection goes through a proxy of the attack's own ([`proxy`]). What matters most is a connection that ends
//! after its request was delivered and before the answer is: the order is done, and nobody knows.

mod proxy;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use pactolus_reports::report::ReportSection;
use pactolus_test_postgres::Cluster;
use tokio::runtime::Runtime;

use self::proxy::{Proxy, Strikes};
use crate::bank::{Bank, Node};
use crate::kills::{in_a_folder, log_in, open};
use crate::options::Options;
use crate::workload::clients::{Clients, World};
use crate::workload::config;
use crate::workload::expected_ledger::Books;
use crate::workload::operator::Operator;
use crate::workload::resolve::settle;
use crate::workload::tally::{Tally, part};

#[derive(Default, clap::Args)]
pub(crate) struct Arguments {
    /// How often the network goes wrong, half of them before an embedded bank and half around one on PostgreSQL
    /// [default: 600; 24 with --short]
    #[arg(long)]
    cuts: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments, options: &Options) -> anyhow::Result<ReportSection> {
    let cuts = arguments.cuts.unwrap_or(options.pick(600, 24)).div_ceil(2);
    let half = options.share(2);
    let tallies = [
        in_a_folder(&half, "network", |folder| before_an_embedded_bank(cuts, &half, folder))?,
        in_a_folder(&half, "network", |folder| around_a_bank_on_postgres(cuts, &half, folder))?,
    ];
    part("network", &tallies)
}

/// How many strikes there are until everything is looked at.
const STRIKES_PER_ROUND: u64 = 50;
const CALLERS: usize = 12;
const NODES: usize = 2;

/// How long a caller waits: shorter than the network stalls, so that requests arrive that were given up.
const TIMEOUT: Duration = Duration::from_millis(700);

/// After how many questions and answers a connection is struck, at most: of a caller's, and of a bank's to its
/// database, where an order is several.
const EXCHANGES_MAX: u64 = 12;
const EXCHANGES_OF_DATABASE_MAX: u64 = 60;

fn before_an_embedded_bank(cuts: u64, options: &Options, folder: &Path) -> anyhow::Result<Tally> {
    let runtime = Runtime::new()?;
    let bank = Bank::new(folder, &options.pactolus, &config("embedded:data", ""))?;
    let nodes = vec![bank.start(0, &[], &[])?.listening()?];
    let strikes = Arc::new(Strikes::default());
    let attack = Attack { bank, nodes, strikes: vec![strikes], options };
    let (mut tally, books, bank) = attack.run(&runtime, cuts, "callers and an embedded bank")?;
    // Its store is proved once it is not served.
    let audited = bank.audit()?;
    ensure!(audited.orders == books.orders(), "{audited:?} instead of {} orders", books.orders());
    tally.audits += 1;
    Ok(tally)
}

fn around_a_bank_on_postgres(cuts: u64, options: &Options, folder: &Path) -> anyhow::Result<Tally> {
    let runtime = Runtime::new()?;
    let cluster = Cluster::start("");
    let database = Arc::new(Strikes::default());
    let proxy = Proxy {
        to: ([127, 0, 0, 1], cluster.port()).into(),
        seed: options.seed ^ 1,
        exchanges_max: EXCHANGES_OF_DATABASE_MAX,
        strikes: Arc::clone(&database),
    };
    let port = runtime.block_on(proxy.start())?.port();
    let url = cluster.url().replace(&format!(":{}/", cluster.port()), &format!(":{port}/"));
    let bank = Bank::new(folder, &options.pactolus, &config(&url, ""))?;
    let starting = (0..NODES).map(|node| bank.start(node, &["--migrate"], &[])?.listening());
    let nodes = starting.collect::<anyhow::Result<Vec<_>>>()?;
    let attack = Attack { bank, nodes, strikes: vec![Arc::default(), database], options };
    let (mut tally, books, bank) = attack.run(&runtime, cuts, "callers, two nodes and PostgreSQL")?;
    let audited = bank.audit()?;
    ensure!(audited.orders == books.orders(), "{audited:?} instead of {} orders", books.orders());
    tally.audits += 1;
    Ok(tally)
}

struct Attack<'a> {
    bank: Bank,
    nodes: Vec<Node>,
    /// What is done to the connections of callers, and to those of the bank.
    strikes: Vec<Arc<Strikes>>,
    options: &'a Options,
}

impl Attack<'_> {
    /// Strikes so often; gives what it came to, the books, and the bank, which is served no more.
    fn run(
        self,
        runtime: &Runtime,
        cuts: u64,
        against: &'static str,
    ) -> anyhow::Result<(Tally, Books, Bank)> {
        let mut random = Rng::with_seed(self.options.seed);
        let mut proxies = Vec::new();
        for node in &self.nodes {
            let proxy = Proxy {
                to: node.address,
                seed: random.u64(..),
                exchanges_max: EXCHANGES_MAX,
                strikes: Arc::clone(&self.strikes[0]),
            };
            proxies.push(runtime.block_on(proxy.start())?);
        }
        let world = Arc::new(World::new(proxies, TIMEOUT));
        let operator = Operator { http: &world.http, bank: self.nodes[0].address };
        runtime.block_on(log_in(&operator))?;
        let (mut books, mut tally) = (Books::default(), Tally::new(against));
        let bound = self.options.bound(cuts);
        let mut rounds = 0;
        while bound.goes_on(self.struck()) {
            rounds += 1;
            let until = (self.struck() + STRIKES_PER_ROUND).min(cuts.max(self.struck() + 1));
            runtime
                .block_on(self.round(&world, rounds, until, &mut random, &mut books, &mut tally))
                .with_context(|| format!("round {rounds}, after {} strikes", self.struck()))?;
            self.bank.has_not_panicked()?;
            eprintln!("network: {} strikes", self.struck());
        }
        runtime.block_on(books.still_hold(&operator))?;
        for strikes in &self.strikes {
            strikes.add_to(&mut tally);
        }
        tally.orders = books.orders();
        for mut node in self.nodes {
            node.kill()?;
        }
        Ok((tally, books, self.bank))
    }

    async fn round(
        &self,
        world: &Arc<World>,
        round: u64,
        until: u64,
        random: &mut Rng,
        books: &mut Books,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let seats = open(world, round, random).await?;
        for strikes in &self.strikes {
            strikes.go_on(true);
        }
        let mut clients = Clients::start(world, &seats, CALLERS, random);
        while self.struck() < until {
            clients.answered(1).await?;
        }
        clients.end().await?;
        // The last of what was held back may arrive while everything is settled.
        for strikes in &self.strikes {
            strikes.go_on(false);
        }
        settle(world, &seats, random).await?;
        let operator = Operator { http: &world.http, bank: self.nodes[0].address };
        books.close(world, &operator, seats, tally).await
    }

    fn struck(&self) -> u64 {
        self.strikes.iter().map(|strikes| strikes.count()).sum()
    }
}
