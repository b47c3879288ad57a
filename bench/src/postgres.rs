//! Presents over HTTP on PostgreSQL, by one node and by two, in turn with a ledger that somebody would write by hand:
//! two tables, and one statement for each order, which `pgbench` sends to the same server.
//!
//! The server is set as PostgreSQL is by default, so what is answered is durable. Nodes, load and database share the
//! machine, while `pgbench` has no HTTP to speak and nothing to verify.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use pactolus_ledger::Ledger as _;
use pactolus_ledger_postgres::{PostgresSettings, PostgresStore, migrate};
use pactolus_test_postgres::{Cluster, execute, query_scalar};
use serde::Serialize;
use tempfile::NamedTempFile;
use tokio::runtime::Runtime;

use crate::http::route::Route;
use crate::http::server_process::ServerProcess;
use crate::suite::SuiteOptions;
use crate::workload::PresentWorkload;
use pactolus_reports::interleave::{Spread, measure_interleaved};
use pactolus_reports::report::ReportSection;
use pactolus_reports::table::{MarkdownTable, format_number, to_f64};

/// How to measure.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// How many connections are kept, to all nodes together; one request waits on each [default: 256]
    #[arg(long)]
    connections: Option<usize>,
    /// How many players there are, and accounts of the other ledger [default: 100,000; 2,000 with --quick]
    #[arg(long)]
    players: Option<u64>,
    /// How many presents one measurement sends [default: 100,000; 5,000 with --quick]
    #[arg(long)]
    requests: Option<u64>,
    /// How often all are measured in turn [default: 5; 2 with --quick]
    #[arg(long)]
    rounds: Option<u64>,
    /// How many clients pgbench is [default: 64]
    #[arg(long)]
    pgbench_clients: Option<usize>,
    /// How long pgbench runs in each round, in seconds [default: 5; 1 with --quick]
    #[arg(long)]
    pgbench_s: Option<u64>,
}

/// What is measured in turn.
#[derive(Clone, Copy)]
enum LedgerSetup {
    OneNode,
    HandWritten,
    TwoNodes,
}

/// What a measurement came to.
#[derive(Clone, Copy, Serialize)]
struct PostgresSample {
    per_second: f64,
    wal_bytes_per_order: f64,
    /// Of posting; sessions are read by statements of their own, some hundred at once.
    round_trips_per_order: f64,
}

#[derive(Serialize)]
struct PostgresReport {
    connections: usize,
    players: u64,
    requests: u64,
    rounds: u64,
    pgbench_clients: usize,
    one_node: LedgerStats,
    by_hand: LedgerStats,
    two_nodes: LedgerStats,
    /// What is on disk for an order in each table, its index included.
    order_bytes: f64,
    bill_bytes: f64,
    account_bytes: f64,
    session_bytes: f64,
}

/// What one of them came to, round by round.
#[derive(Serialize)]
struct LedgerStats {
    per_second: Spread,
    over_by_hand: Spread,
    wal_bytes_per_order: Spread,
    round_trips_per_order: Spread,
    rounds: Vec<PostgresSample>,
}

pub(crate) fn run(arguments: &Args, options: &SuiteOptions) -> anyhow::Result<ReportSection> {
    let connections = arguments.connections.unwrap_or(256);
    let players = arguments.players.unwrap_or(options.pick(100_000, 2000));
    let requests = arguments.requests.unwrap_or(options.pick(100_000, 5000));
    let rounds = arguments.rounds.unwrap_or(options.pick(5, 2));
    let cluster = Cluster::start("");
    let runtime = Runtime::new()?;
    runtime.block_on(migrate(&cluster.url().parse()?, None))?;
    let hand_written = HandWrittenLedger {
        pgbench: cluster.bin_dir().join("pgbench"),
        port: cluster.port(),
        script: HandWrittenLedger::create_tables(&cluster, players)?,
        clients: arguments.pgbench_clients.unwrap_or(64),
        seconds: arguments.pgbench_s.unwrap_or(options.pick(5, 1)),
    };
    let url = cluster.url();
    // The second node's gifts are numbered from where the first will never come.
    let node = |first| {
        ServerProcess::start_without_login(url.as_ref(), PresentWorkload::for_players(players), first)
    };
    let mut nodes = [node(0)?, node(1 << 40)?];
    nodes[0].log_in()?;

    let subjects = [LedgerSetup::OneNode, LedgerSetup::HandWritten, LedgerSetup::TwoNodes];
    let measured = measure_interleaved(rounds, &subjects, |subject| {
        let measured = match subject {
            LedgerSetup::OneNode => measure_presents(&cluster, &mut nodes[..1], requests, connections),
            LedgerSetup::TwoNodes => measure_presents(&cluster, &mut nodes, requests, connections),
            LedgerSetup::HandWritten => hand_written.measure(&cluster),
        }?;
        eprintln!("    {:<30} {:>8.0}/s", subject.name(), measured.per_second);
        Ok(measured)
    })?;
    let audited = runtime.block_on(async {
        let store = PostgresStore::open(&url.parse()?, &PostgresSettings::default()).await?;
        anyhow::Ok(store.audit().await?)
    })?;
    ensure!(audited.is_clean(), "the books are wrong: {:?}", audited.findings);

    let [one, hand_rounds, two] =
        <[Vec<PostgresSample>; 3]>::try_from(measured).map_err(|_| anyhow::anyhow!("three subjects"))?;
    let bytes = |table: &str, rows: u64| -> anyhow::Result<f64> {
        let bytes = query_scalar(&url, &format!("SELECT pg_total_relation_size('pactolus.{table}')"));
        Ok(bytes.parse::<f64>()? / to_f64(rows))
    };
    let figures = PostgresReport {
        connections,
        players,
        requests,
        rounds,
        pgbench_clients: hand_written.clients,
        one_node: LedgerStats::from_rounds(one, &hand_rounds),
        two_nodes: LedgerStats::from_rounds(two, &hand_rounds),
        by_hand: LedgerStats::from_rounds(hand_rounds.clone(), &hand_rounds),
        order_bytes: bytes("orders", audited.orders)?,
        bill_bytes: bytes("bills", audited.orders)?,
        account_bytes: bytes("accounts", audited.accounts)?,
        session_bytes: bytes("records", players)?,
    };
    ReportSection::new("postgres", figures.table(), &figures)
}

impl LedgerSetup {
    const fn name(self) -> &'static str {
        match self {
            Self::OneNode => "one node",
            Self::HandWritten => "a statement for each order",
            Self::TwoNodes => "two nodes",
        }
    }
}

/// Sends so many presents, spread over nodes.
fn measure_presents(
    cluster: &Cluster,
    nodes: &mut [ServerProcess],
    requests: u64,
    connections: usize,
) -> anyhow::Result<PostgresSample> {
    let count = nodes.len();
    let (per_node, connections) = (requests / u64::try_from(count)?, connections / count);
    let transactions = || -> anyhow::Result<u64> {
        Ok(query_scalar(&cluster.url(), "SELECT count(DISTINCT xmin::text) FROM pactolus.orders").parse()?)
    };
    let before = transactions()?;
    let mut measured = measure_wal(cluster, || {
        let per_second = std::thread::scope(|scope| {
            let sending: Vec<_> = nodes
                .iter_mut()
                .map(|node| scope.spawn(|| node.measure(Route::Present, per_node, connections)))
                .collect();
            let sent = sending
                .into_iter()
                .map(|node| node.join().map_err(|_| anyhow::anyhow!("a node's load panicked"))?);
            sent.map(|sent| Ok(sent?.per_second)).sum::<anyhow::Result<f64>>()
        })?;
        Ok((per_second, to_f64(per_node) * to_f64(u64::try_from(count)?)))
    })?;
    // The statements that lock and read are sent at once, and so are those that write and the commit.
    measured.round_trips_per_order = 2.0 * to_f64(transactions()? - before) / to_f64(requests);
    Ok(measured)
}

/// Runs what says how many orders a second it made, and how many, and looks what the server wrote for it.
fn measure_wal(
    cluster: &Cluster,
    run: impl FnOnce() -> anyhow::Result<(f64, f64)>,
) -> anyhow::Result<PostgresSample> {
    // What others left to do is not this one's to pay for.
    execute(&cluster.url(), "CHECKPOINT");
    let before = query_scalar(&cluster.url(), "SELECT pg_current_wal_lsn()");
    let (per_second, orders) = run()?;
    let since = format!("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '{before}')");
    let bytes: f64 = query_scalar(&cluster.url(), &since).parse()?;
    Ok(PostgresSample { per_second, wal_bytes_per_order: bytes / orders, round_trips_per_order: 1.0 })
}

impl LedgerStats {
    fn from_rounds(rounds: Vec<PostgresSample>, hand: &[PostgresSample]) -> Self {
        let spread = |figure: fn(&PostgresSample) -> f64| Spread::from_samples(rounds.iter().map(figure));
        let per_second =
            |rounds: &[PostgresSample]| rounds.iter().map(|round| round.per_second).collect::<Vec<_>>();
        Self {
            per_second: spread(|round| round.per_second),
            over_by_hand: Spread::from_ratios(per_second(&rounds), per_second(hand)),
            wal_bytes_per_order: spread(|round| round.wal_bytes_per_order),
            round_trips_per_order: spread(|round| round.round_trips_per_order),
            rounds,
        }
    }
}

impl PostgresReport {
    fn table(&self) -> String {
        let mut table = MarkdownTable::new(&[
            "Ledger",
            "Orders a second (least · median · most)",
            "Over a statement for each order",
            "Goal",
            "Bytes of WAL for an order",
            "Round trips for an order",
        ]);
        let rows = [
            (LedgerSetup::HandWritten, &self.by_hand),
            (LedgerSetup::OneNode, &self.one_node),
            (LedgerSetup::TwoNodes, &self.two_nodes),
        ];
        for (subject, of) in rows {
            table.push_row(&[
                subject.name().to_owned(),
                of.per_second.to_string(),
                format!("{:.2}", of.over_by_hand),
                if matches!(subject, LedgerSetup::HandWritten) {
                    String::new()
                } else {
                    "≥ 1.50".to_owned()
                },
                format_number(of.wal_bytes_per_order.median, 0),
                format_number(of.round_trips_per_order.median, 3),
            ]);
        }
        let mut bytes = MarkdownTable::new(&["On disk, indexes included", "Bytes"]);
        for (what, of) in [
            ("an order", self.order_bytes),
            ("its bill number", self.bill_bytes),
            ("an account", self.account_bytes),
            ("a session", self.session_bytes),
        ] {
            bytes.push_row(&[what.to_owned(), format_number(of, 0)]);
        }
        format!("{table}\n{bytes}")
    }
}

/// The ledger that somebody would write by hand.
struct HandWrittenLedger {
    pgbench: PathBuf,
    port: u16,
    script: NamedTempFile,
    clients: usize,
    seconds: u64,
}

impl HandWrittenLedger {
    /// Makes its tables, and the script that gives.
    fn create_tables(cluster: &Cluster, players: u64) -> anyhow::Result<NamedTempFile> {
        execute(
            &cluster.url(),
            &format!(
                "CREATE SCHEMA by_hand;
                 CREATE TABLE by_hand.accounts (openid text PRIMARY KEY, balance bigint NOT NULL);
                 CREATE TABLE by_hand.orders (bill_no text PRIMARY KEY, openid text NOT NULL, amount bigint NOT NULL,
                    at timestamptz NOT NULL DEFAULT now());
                 INSERT INTO by_hand.accounts
                    SELECT 'odkx20ENSNa2w5y3g_' || lpad(n::text, 10, '0'), 0 FROM generate_series(1, {players}) n;
                 ANALYZE by_hand.accounts"
            ),
        );
        // As a careful hand would: a bill number that is there changes nothing, and the answer is the balance.
        let script = format!(
            "\\set player random(1, {players})\n\
             \\set bill random(1, 1000000000000000)\n\
             WITH new AS (\
                INSERT INTO by_hand.orders (bill_no, openid, amount) \
                VALUES ('gift-2026-11-' || :bill, 'odkx20ENSNa2w5y3g_' || lpad((:player)::text, 10, '0'), 233) \
                ON CONFLICT DO NOTHING RETURNING openid, amount) \
             UPDATE by_hand.accounts a SET balance = a.balance + new.amount FROM new WHERE a.openid = new.openid \
             RETURNING a.balance;\n"
        );
        let file = NamedTempFile::new()?;
        std::fs::write(file.path(), script)?;
        Ok(file)
    }

    fn measure(&self, cluster: &Cluster) -> anyhow::Result<PostgresSample> {
        measure_wal(cluster, || {
            let mut pgbench = Command::new(&self.pgbench);
            pgbench.args(["-h", "127.0.0.1", "-U", "postgres", "-n", "-M", "prepared", "-j", "2"]);
            pgbench.args(["-p", &self.port.to_string(), "-c", &self.clients.to_string()]);
            pgbench.args(["-T", &self.seconds.to_string(), "-f"]).arg(self.script.path()).arg("postgres");
            let output = pgbench.output()?;
            ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
            let stdout = String::from_utf8(output.stdout)?;
            Ok((
                number_after(&stdout, "tps = ")?,
                number_after(&stdout, "number of transactions actually processed: ")?,
            ))
        })
    }
}

/// The figure that stands after these words at the beginning of a line.
fn number_after(stdout: &str, label: &str) -> anyhow::Result<f64> {
    let line = stdout.lines().find_map(|line| line.strip_prefix(label));
    let line = line.with_context(|| format!("pgbench tells no {label:?}: {stdout}"))?;
    let end = line.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(line.len());
    Ok(line[..end].parse()?)
}
