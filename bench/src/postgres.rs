//! Presents over HTTP on PostgreSQL, by one node and by two, interleaved with a hand-written ledger: two tables and
//! one statement for each order, which `pgbench` sends to the same server.
//!
//! The server has PostgreSQL's default settings, so a replied order is durable. Nodes, load and database share the
//! machine. `pgbench` speaks no HTTP and verifies nothing.

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

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Keep-alive connections to all nodes together; each has one request in flight [default: 256]
    #[arg(long)]
    connections: Option<usize>,
    /// Players, and accounts of the hand-written ledger [default: 100,000; 2,000 with --quick]
    #[arg(long)]
    players: Option<u64>,
    /// Presents in one measurement [default: 100,000; 5,000 with --quick]
    #[arg(long)]
    requests: Option<u64>,
    /// Rounds; each measures every ledger once [default: 5; 2 with --quick]
    #[arg(long)]
    rounds: Option<u64>,
    /// Clients of pgbench [default: 64]
    #[arg(long)]
    pgbench_clients: Option<usize>,
    /// Seconds that pgbench runs in each round [default: 5; 1 with --quick]
    #[arg(long)]
    pgbench_s: Option<u64>,
}

#[derive(Clone, Copy)]
enum LedgerSetup {
    OneNode,
    HandWritten,
    TwoNodes,
}

/// One measurement of one ledger.
#[derive(Clone, Copy, Serialize)]
struct PostgresSample {
    per_second: f64,
    wal_bytes_per_order: f64,
    /// Of posting only. Sessions are read by separate statements, some hundred at once.
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
    /// Bytes on disk for one row of each table, indexes included.
    order_bytes: f64,
    bill_bytes: f64,
    account_bytes: f64,
    session_bytes: f64,
}

/// The figures of one ledger over all rounds.
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
    // The second node's gift numbers start far above the first one's.
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
            Self::HandWritten => "hand-written SQL",
            Self::TwoNodes => "two nodes",
        }
    }
}

/// Sends that many presents, split among the nodes.
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
    // The locking and reading statements are one round trip; the writing ones and the commit are another.
    measured.round_trips_per_order = 2.0 * to_f64(transactions()? - before) / to_f64(requests);
    Ok(measured)
}

/// Measures the WAL bytes of `run`, which returns its orders per second and its count of orders.
fn measure_wal(
    cluster: &Cluster,
    run: impl FnOnce() -> anyhow::Result<(f64, f64)>,
) -> anyhow::Result<PostgresSample> {
    // Dirty pages of earlier measurements must not be charged to this one.
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
            "Orders per second (least · median · most)",
            "Relative to hand-written SQL",
            "Goal",
            "WAL bytes per order",
            "Round trips per order",
        ]);
        let rows = [
            (LedgerSetup::HandWritten, &self.by_hand),
            (LedgerSetup::OneNode, &self.one_node),
            (LedgerSetup::TwoNodes, &self.two_nodes),
        ];
        for (subject, stats) in rows {
            table.push_row(&[
                subject.name().to_owned(),
                stats.per_second.to_string(),
                format!("{:.2}", stats.over_by_hand),
                if matches!(subject, LedgerSetup::HandWritten) {
                    String::new()
                } else {
                    "≥ 1.50".to_owned()
                },
                format_number(stats.wal_bytes_per_order.median, 0),
                format_number(stats.round_trips_per_order.median, 3),
            ]);
        }
        let mut bytes = MarkdownTable::new(&["Row, indexes included", "Bytes"]);
        for (what, of) in [
            ("order", self.order_bytes),
            ("bill number", self.bill_bytes),
            ("account", self.account_bytes),
            ("session", self.session_bytes),
        ] {
            bytes.push_row(&[what.to_owned(), format_number(of, 0)]);
        }
        format!("{table}\n{bytes}")
    }
}

/// Hand-written ledger that pgbench drives.
struct HandWrittenLedger {
    pgbench: PathBuf,
    port: u16,
    script: NamedTempFile,
    clients: usize,
    seconds: u64,
}

impl HandWrittenLedger {
    /// Creates its tables, and the pgbench script that presents coins.
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
        // Idempotent: a known bill number changes nothing. The reply is the balance.
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

/// The number after `label` at the start of a line.
fn number_after(stdout: &str, label: &str) -> anyhow::Result<f64> {
    let line = stdout.lines().find_map(|line| line.strip_prefix(label));
    let line = line.with_context(|| format!("the output of pgbench lacks {label:?}: {stdout}"))?;
    let end = line.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(line.len());
    Ok(line[..end].parse()?)
}
