//! Denial of service: thousands of idle connections, slow heads and bodies, unread replies, endless requests,
//! garbage. Honest clients call meanwhile, and each of their calls must be answered.
//!
//! The bank is the built executable with its default limits, except that `connections_max` is a little above the idle
//! connections, so that the attacks reach that limit too.
//! The latency of honest clients is reported but never fails the attack, because it depends on the load of the
//! machine.

mod attackers;
mod honest;

use std::time::Duration;

use anyhow::ensure;
use pactolus_reports::interleave::{Spread, measure_interleaved};
use pactolus_reports::latency::Latency;
use pactolus_reports::machine::process::{ResourceUsage, wait_until_idle};
use pactolus_reports::report::ReportSection;
use pactolus_reports::table::{MarkdownTable, format_number, mebibytes, to_f64};
use serde::Serialize;

use self::attackers::FloodAttack;
use self::honest::HonestClients;
use crate::bank::Bank;
use crate::options::Options;
use crate::workload;

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Connections of the attacker [default: 10,000; 1,000 with --short]
    #[arg(long)]
    connections: Option<usize>,
    /// Rounds that measure honest clients without and with idle connections [default: 7; 1 with --short]
    #[arg(long)]
    rounds: Option<u64>,
    /// Presents a second [default: 2,000; 100 with --short]
    #[arg(long)]
    per_second: Option<u32>,
    /// Seconds of each measurement and each attack [default: 10; 2 with --short]
    #[arg(long)]
    seconds: Option<u64>,
}

#[derive(Serialize)]
struct FloodReport {
    connections: usize,
    connections_max: usize,
    presents_per_second: u32,
    rounds: u64,
    p50_without_ms: Spread,
    p50_with_ms: Spread,
    p99_without_ms: Spread,
    p99_with_ms: Spread,
    p99_with_over_without: Spread,
    resting_kib_each: f64,
    attacks: Vec<AttackReport>,
    peak_memory_bytes: u64,
    memory_bytes_max: u64,
    presents_answered: u64,
}

/// Result of one attack.
#[derive(Serialize)]
struct AttackReport {
    attack: FloodAttack,
    /// Attack actions; the unit depends on the attack.
    injector: u64,
    /// Honest calls meanwhile, all of them answered.
    answered: u64,
    latency: Latency,
    memory_bytes: u64,
}

/// The two subjects of the interleaved measurement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scenario {
    WithoutIdle,
    WithIdle,
}

/// Connections beside the idle ones, for honest clients and for attacks that need few.
const SPARE_CONNECTIONS: usize = 400;

/// Longest time until the bank is idle after the connections have closed.
const QUIESCE_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn run(arguments: &Args, options: &Options) -> anyhow::Result<ReportSection> {
    let connections = arguments.connections.unwrap_or(options.pick(10_000, 1000));
    let rounds = arguments.rounds.unwrap_or(options.pick(7, 1));
    let per_second = arguments.per_second.unwrap_or(options.pick(2000, 100)).max(1);
    let duration = Duration::from_secs(arguments.seconds.unwrap_or(options.pick(10, 2)).max(1));
    let connections_max = connections + SPARE_CONNECTIONS;
    // The attack on more connections than the limit has a fifth more.
    attackers::raise_file_limit(connections + connections / 5 + SPARE_CONNECTIONS)?;
    let folder = Options::temp_dir()?;
    let limits = format!("\n[limits]\nconnections_max = {connections_max}\n");
    let bank = Bank::new(folder.path(), &options.pactolus, &workload::config("embedded:./data", &limits))?;
    let mut node = bank.serve()?;
    let mut honest = HonestClients::log_in(node.address, per_second)?;

    eprintln!("flood: {per_second} presents a second, without and with {connections} idle connections");
    honest.send_presents(duration)?;
    let mut each_kib = Vec::new();
    let measured = measure_interleaved(rounds, &[Scenario::WithoutIdle, Scenario::WithIdle], |subject| {
        let before = ResourceUsage::of_process(node.pid())?.memory_bytes;
        let idle = (*subject == Scenario::WithIdle)
            .then(|| attackers::open_idle_connections(node.address, connections))
            .transpose()?;
        let latency = honest.send_presents(duration)?.summarize();
        if let Some(idle) = idle {
            let more = ResourceUsage::of_process(node.pid())?.memory_bytes.saturating_sub(before);
            each_kib.push(to_f64(more) / 1024.0 / to_f64(idle.len() as u64));
            drop(idle);
            ensure!(wait_until_idle(node.pid(), QUIESCE_TIMEOUT)?, "the bank does not become idle");
        }
        Ok(latency)
    })?;

    let mut attacks = Vec::new();
    for attack in FloodAttack::ALL {
        eprintln!("flood: {}", attack.description());
        let attacker = attack.start(node.address, connections, options.seed);
        let waits = honest.send_presents(duration)?;
        let memory_bytes = ResourceUsage::of_process(node.pid())?.memory_bytes;
        let answered = waits.count() as u64;
        let injector = attacker.stop()?;
        eprintln!("  {injector} strikes; the bank holds {:.0} MiB", mebibytes(memory_bytes));
        ensure!(injector > 0, "the attack had no effect: {}", attack.description());
        attacks.push(AttackReport { attack, injector, answered, latency: waits.summarize(), memory_bytes });
    }

    let peak_memory_bytes = ResourceUsage::of_process(node.pid())?.peak_bytes;
    let memory_bytes_max = BASE_MEMORY_BYTES + connections_max as u64 * CONNECTION_BYTES_MAX;
    ensure!(
        peak_memory_bytes <= memory_bytes_max,
        "the bank took {peak_memory_bytes} bytes of memory; its bound is {memory_bytes_max}"
    );
    let presents_answered = honest.answered();
    node.terminate()?;
    bank.ensure_no_panic()?;
    let orders = bank.audit()?.orders;
    ensure!(
        orders == presents_answered,
        "{presents_answered} presents were answered, and the audit finds {orders}"
    );

    let of = |subject: usize, figure: fn(&Latency) -> f64| -> Vec<f64> {
        measured[subject].iter().map(figure).collect()
    };
    let figures = FloodReport {
        connections,
        connections_max,
        presents_per_second: per_second,
        rounds,
        p50_without_ms: Spread::from_samples(of(0, |of| of.p50_ms)),
        p50_with_ms: Spread::from_samples(of(1, |of| of.p50_ms)),
        p99_without_ms: Spread::from_samples(of(0, |of| of.p99_ms)),
        p99_with_ms: Spread::from_samples(of(1, |of| of.p99_ms)),
        p99_with_over_without: Spread::from_ratios(of(1, |of| of.p99_ms), of(0, |of| of.p99_ms)),
        // The allocator does not return the memory of the first round, so the largest value of all rounds counts.
        resting_kib_each: Spread::from_samples(each_kib).most,
        attacks,
        peak_memory_bytes,
        memory_bytes_max,
        presents_answered,
    };
    ReportSection::new("flood", figures.table(), &figures)
}

/// Memory of a bank without connections, including the few orders of an attack.
const BASE_MEMORY_BYTES: u64 = 192 * 1024 * 1024;

/// Upper bound for one connection: its task, read-ahead, a body, a reply, and allocator overhead.
const CONNECTION_BYTES_MAX: u64 = 64 * 1024;

impl FloodReport {
    fn table(&self) -> String {
        let mut table = MarkdownTable::new(&["What", "Figure", "Goal"]);
        let mut row =
            |what: String, figure: String, goal: &str| table.push_row(&[what, figure, goal.to_owned()]);
        row(
            format!(
                "{} presents a second, {} rounds: p50, p99, ms (least · median · most)",
                self.presents_per_second, self.rounds
            ),
            format!("{:.2}, {:.2}", self.p50_without_ms, self.p99_without_ms),
            "",
        );
        row(
            format!("with {} idle connections", format_number(to_f64(self.connections as u64), 0)),
            format!("{:.2}, {:.2}", self.p50_with_ms, self.p99_with_ms),
            "",
        );
        row(
            "p99 with over p99 without: ratio of the medians (ratios of rounds)".to_owned(),
            format!(
                "{:.2} ({:.2})",
                self.p99_with_ms.median / self.p99_without_ms.median,
                self.p99_with_over_without
            ),
            "≤ 2",
        );
        row("memory of an idle connection, KiB".to_owned(), format_number(self.resting_kib_each, 1), "≤ 16");
        for attacked in &self.attacks {
            row(
                format!("{}: strikes", attacked.attack.description()),
                format_number(to_f64(attacked.injector), 0),
                "",
            );
            row(
                "honest calls, all answered; p50, p99, ms; memory, MiB".to_owned(),
                format!(
                    "{}; {:.2}, {:.2}; {}",
                    format_number(to_f64(attacked.answered), 0),
                    attacked.latency.p50_ms,
                    attacked.latency.p99_ms,
                    format_number(mebibytes(attacked.memory_bytes), 0)
                ),
                "all",
            );
        }
        row(
            "Peak memory, MiB".to_owned(),
            format_number(mebibytes(self.peak_memory_bytes), 0),
            &format!("≤ {}", format_number(mebibytes(self.memory_bytes_max), 0)),
        );
        row(
            "presents answered, each found once by `pactolus audit`".to_owned(),
            format_number(to_f64(self.presents_answered), 0),
            "all",
        );
        table.to_string()
    }
}
