//! Soak test: the built bank under a steady mixed load for hours, ended by `kill -9` or SIGTERM every few minutes and
//! restarted, and sampled all the time.
//!
//! Kills come in the first two thirds. The last third is one run of the process, long enough for a leak to show. At
//! the end the bank is audited, every order is compared with its acknowledgement, and the verdict is given. Read
//! next: `soak/run.rs`, the kills; `soak/calls.rs`, the calls; `soak/verdict.rs`, the criteria.

mod bank;
mod calls;
mod connection;
mod load;
mod plot;
mod reconcile;
mod report;
mod run;
mod samples;
mod verdict;
mod worker;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use pactolus_reports::report::{ReportSection, today};
use pactolus_reports::table::format_number;

use self::bank::{MEMORY_MAX_BYTES, for_each_order};
use self::calls::parse_pushed_openid;
use self::reconcile::{Plan, Reconciler, Reconciliation, WorkerOrders};
use self::report::SoakReport;
use self::run::Soak;
use self::samples::Csv;
use self::verdict::Rules;
use self::worker::WorkerResult;
use crate::bank::Bank;
use crate::options::{Options, workspace};

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Hours, at most 20, because logins last for a day [default: that of --minutes, or 1; 40 seconds with --short]
    #[arg(long)]
    hours: Option<f64>,
    /// Calls a second [default: 2,000; 200 with --short]
    #[arg(long)]
    rate: Option<f64>,
    /// Kept connections, each reopened from time to time [default: 64; 16 with --short]
    #[arg(long)]
    connections: Option<u64>,
    /// Players [default: 100,000; 2,000 with --short]
    #[arg(long)]
    players: Option<u64>,
    /// Minutes between kills, which stop after two thirds of the time [default: 5; a third of the time with --short]
    #[arg(long)]
    kill_every_minutes: Option<f64>,
    /// Longest latency of a call outside of kills, in milliseconds; generous, because machines are shared
    /// [default: 2,000; 10,000 with --short]
    #[arg(long)]
    stall_ms: Option<u64>,
}

/// Logins last for a day.
const HOURS_MAX: f64 = 20.0;

/// Parameters of a soak.
struct SoakConfig {
    duration: Duration,
    rate: f64,
    plan: Plan,
    kill_interval: Duration,
    sample_interval: Duration,
    rules: Rules,
}

impl Args {
    fn config(&self, options: &Options) -> anyhow::Result<SoakConfig> {
        let hours = self.hours.or(options.minutes.map(|minutes| minutes / 60.0));
        let hours = hours.unwrap_or(options.pick(1.0, 40.0 / 3600.0));
        ensure!(hours > 0.0 && hours <= HOURS_MAX, "--hours has to be above 0 and at most {HOURS_MAX}");
        let lasting = Duration::from_secs_f64(hours * 3600.0);
        // Two kills in two thirds of the time.
        let kills_of_short = lasting.as_secs_f64() / 3.0;
        let kill_every =
            self.kill_every_minutes.map_or(options.pick(300.0, kills_of_short), |minutes| minutes * 60.0);
        ensure!(kill_every >= 1.0, "--kill-every-minutes has to be at least a second");
        let workers = self.connections.unwrap_or(options.pick(64, 16)).max(1);
        let players = self.players.unwrap_or(options.pick(100_000, 2000)).max(workers);
        let rate = self.rate.unwrap_or(options.pick(2000.0, 200.0));
        ensure!(rate > 0.0, "--rate has to be above 0");
        let stall = Duration::from_millis(self.stall_ms.unwrap_or(options.pick(2000, 10_000)));
        Ok(SoakConfig {
            duration: lasting,
            rate,
            plan: Plan { seed: options.seed, workers, players },
            kill_interval: Duration::from_secs_f64(kill_every),
            sample_interval: Duration::from_secs(options.pick(5, 1)),
            rules: Rules::new(stall, MEMORY_MAX_BYTES, workers),
        })
    }
}

pub(crate) fn run(arguments: &Args, options: &Options) -> anyhow::Result<ReportSection> {
    let config = arguments.config(options)?;
    let folder = Options::temp_dir()?;
    soak(&config, options, folder.path()).map_err(|error| {
        let kept = folder.keep();
        error.context(format!("the soak failed; the bank's log and store are kept in {}", kept.display()))
    })
}

fn soak(config: &SoakConfig, options: &Options, folder: &Path) -> anyhow::Result<ReportSection> {
    let bank = Bank::new(folder, &options.pactolus, &bank::config())?;
    let output_dir = options.into.clone().unwrap_or_else(|| workspace().join("target/torture"));
    fs::create_dir_all(&output_dir)?;
    let csv = output_dir.join(options.pick("soak.csv", "soak-short.csv"));
    let minutes = format_number(config.duration.as_secs_f64() / 60.0, 1);
    eprintln!("soak: {minutes} minutes, {} calls a second; samples: {}", config.rate, csv.display());

    let first_day = today();
    let mut soak = Soak::start(config, &bank, &first_day, Csv::create(&csv)?)?;
    soak.run_kill_schedule()?;
    let mut results = soak.finish()?;

    let audited = bank.audit()?.orders;
    let workers = std::mem::take(&mut results.workers);
    let compared = reconcile_orders(config, &bank, workers, &first_day)?;
    let report = SoakReport::new(config, &results, compared, audited);

    let title =
        format!("Pactolus for {}, {} calls a second", report.duration_text(), format_number(config.rate, 0));
    let svg = plot::draw(&title, &report.summary(), &results.samples, &results.kills);
    let wrong = report.failures();
    let kept = options.report_dir().filter(|_| wrong.is_empty());
    let plot_path =
        save_plot(kept.unwrap_or(output_dir).join(options.pick("soak.svg", "soak-short.svg")), &svg)?;
    eprintln!("  plot: {}", plot_path.display());
    let part = ReportSection::new("soak", report.table(), &report)?;
    if !wrong.is_empty() {
        bail!("{}\n{}", wrong.join("\n"), part.table);
    }
    Ok(part)
}

fn save_plot(path: PathBuf, svg: &str) -> anyhow::Result<PathBuf> {
    fs::write(&path, svg).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

/// Compares every order of the bank with its acknowledgement.
fn reconcile_orders(
    config: &SoakConfig,
    bank: &Bank,
    workers: Vec<WorkerResult>,
    first_day: &str,
) -> anyhow::Result<Reconciliation> {
    let (books, players): (Vec<WorkerOrders>, Vec<_>) =
        workers.into_iter().map(|WorkerResult { ledger: books, players }| (books, players)).unzip();
    let by_code: HashMap<_, _> =
        players.iter().flatten().map(|(openid, player)| (openid.as_str(), *player)).collect();
    let player = |openid: &str| parse_pushed_openid(openid).or_else(|| by_code.get(openid).copied());
    let mut check = Reconciler::new(config.plan, &books);
    for_each_order(bank, first_day, &today(), |order| check.add(&order, player))?;
    Ok(check.finish())
}
