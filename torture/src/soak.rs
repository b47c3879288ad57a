//! Soak test: the built bank under a steady mixed load for hours, ended by `kill -9` or SIGTERM every few minutes and
//! restarted, and sampled all the time.
//!
//! Kills come in the first two thirds. The last third is one run of the process, long enough for a leak to show. At
//! the end the bank is audited, every order is compared with its acknowledgement, and the verdict is given. Read
//! next: `soak/verdict.rs`, the criteria; `soak/calls.rs`, the calls.

mod bank;
mod calls;
mod connection;
mod load;
mod plot;
mod reconcile;
mod samples;
mod verdict;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use pactolus_reports::interleave::Spread;
use pactolus_reports::latency::STALL;
use pactolus_reports::machine::process::{CpuTime, ResourceUsage};
use pactolus_reports::report::{ReportSection, today};
use pactolus_reports::table::{MarkdownTable, format_number, mebibytes, to_f64};
use serde::Serialize;

use self::bank::{MEMORY_MAX_BYTES, back_up, for_each_order, store_bytes};
use self::calls::{GameClient, OpKind, parse_pushed_openid};
use self::connection::CallFailure;
use self::load::{Load, LoadStats};
use self::plot::{KillMark, StopMethod};
use self::reconcile::{Plan, Reconciler, Reconciliation, WorkerOrders};
use self::samples::{Csv, Sample};
use self::verdict::{CallTiming, Finding, Growth, KillWindow, Rules, calls_around_kills, growth, judge};
use self::worker::WorkerResult;
use crate::bank::{Bank, Node};
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

/// Longest time to work off the backlog of calls that came due while the bank was down.
const CATCH_UP_TIME: Duration = Duration::from_secs(5);

/// A backup starts in the middle of every second run of the process, and in the last run.
const RUNS_PER_BACKUP: usize = 2;

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

/// A running soak.
struct Soak<'a> {
    config: &'a SoakConfig,
    bank: &'a Bank,
    node: Node,
    load: Load,
    started: Instant,
    csv: Csv,
    results: SoakResults,
    /// Time of the last sample, and the CPU seconds of the process at it.
    last_cpu: (Instant, f64),
}

/// Raw results of a soak.
#[derive(Default)]
struct SoakResults {
    samples: Vec<Sample>,
    slow_calls: Vec<CallTiming>,
    kill_windows: Vec<KillWindow>,
    kills: Vec<KillMark>,
    /// Downtime of each kill.
    down_s: Vec<f64>,
    calls: [u64; OpKind::ALL.len()],
    /// Failed attempts: when, and why.
    failures: Vec<(u64, CallFailure)>,
    unexpected: u64,
    unexpected_shown: Vec<String>,
    backups: u64,
    logged_errors: Vec<String>,
    workers: Vec<WorkerResult>,
}

impl<'a> Soak<'a> {
    fn start(config: &'a SoakConfig, bank: &'a Bank, today: &str, csv: Csv) -> anyhow::Result<Self> {
        let node = bank.serve()?;
        let load =
            Load::start(config.plan, GameClient::new(today), node.address, config.rate, config.duration)?;
        let begun = Instant::now();
        Ok(Self {
            config,
            bank,
            node,
            load,
            started: begun,
            csv,
            results: SoakResults::default(),
            last_cpu: (begun, 0.0),
        })
    }

    /// Kills the bank repeatedly for two thirds of the time, and leaves it running for the rest.
    fn run_kill_schedule(&mut self) -> anyhow::Result<()> {
        let SoakConfig { duration: lasting, kill_interval: kill_every, .. } = *self.config;
        let mut from = Duration::ZERO;
        // Slightly more than two thirds, so that rounding does not lose a kill at the very end.
        while from + kill_every <= lasting.mul_f64(0.6667) {
            let life = self.results.kills.len();
            self.run_until(from, from + kill_every, life.is_multiple_of(RUNS_PER_BACKUP))?;
            self.end_and_restart(if life.is_multiple_of(2) {
                StopMethod::Kill
            } else {
                StopMethod::Terminate
            })?;
            from += kill_every;
        }
        self.run_until(from, lasting, true)
    }

    /// Samples one run of the process, with or without a backup that starts in its middle.
    fn run_until(&mut self, from: Duration, to: Duration, with_backup: bool) -> anyhow::Result<()> {
        self.sample_until((from + to) / 2)?;
        let bank = self.bank.clone();
        let backup = with_backup.then(|| std::thread::spawn(move || back_up(&bank)));
        self.sample_until(to)?;
        if let Some(backup) = backup {
            backup.join().map_err(|_| anyhow::anyhow!("the backup panicked"))??;
            self.results.backups += 1;
        }
        Ok(())
    }

    fn end_and_restart(&mut self, how: StopMethod) -> anyhow::Result<()> {
        let shared = std::sync::Arc::clone(&self.load.state);
        let struck = Instant::now();
        self.results.kills.push(KillMark { at_s: self.started.elapsed().as_secs_f64(), method: how });
        match how {
            StopMethod::Kill => self.node.kill()?,
            StopMethod::Terminate => self.node.terminate()?,
        }
        self.load.set_bank_address(None);
        self.node = self.bank.serve()?;
        self.load.set_bank_address(Some(self.node.address));
        self.results.down_s.push(struck.elapsed().as_secs_f64());
        let (from_ms, to_ms) = (shared.millis(struck), shared.millis(Instant::now() + CATCH_UP_TIME));
        self.results.kill_windows.push(KillWindow { from_ms, to_ms });
        self.last_cpu = (Instant::now(), 0.0);
        Ok(())
    }

    /// Samples the bank periodically until `end`.
    fn sample_until(&mut self, end: Duration) -> anyhow::Result<()> {
        loop {
            let left = end.saturating_sub(self.started.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            // A very short last interval would say nothing, so the one before it lasts until the end.
            let is_last = left < self.config.sample_interval * 3 / 2;
            std::thread::sleep(if is_last { left } else { self.config.sample_interval });
            self.sample()?;
        }
    }

    fn sample(&mut self) -> anyhow::Result<()> {
        self.node.ensure_running()?;
        let pid = self.node.pid();
        let held = ResourceUsage::of_process(pid)?;
        let CpuTime { user_s, system_s } = CpuTime::of_process(pid)?;
        let (sampled_at, spent) = std::mem::replace(&mut self.last_cpu, (Instant::now(), user_s + system_s));
        let share = (user_s + system_s - spent) / sampled_at.elapsed().as_secs_f64().max(1e-3);
        let mut stats = self.load.state.take_stats();
        let sample = Sample {
            at_s: self.started.elapsed().as_secs_f64(),
            run_no: self.results.kills.len(),
            memory_bytes: held.memory_bytes,
            handles: held.open_files,
            threads: held.threads,
            cpu_percent: share * 100.0,
            store_bytes: store_bytes(self.bank)?,
            calls: stats.calls.iter().sum(),
            latency: std::mem::take(&mut stats.waits).summarize(),
            failures: stats.failure_counts,
            unexpected: stats.unexpected,
        };
        self.csv.write(&sample)?;
        self.results.samples.push(sample);
        self.results.merge(stats);
        Ok(())
    }

    /// Waits until every call is answered, and stops the bank gracefully.
    fn finish(mut self) -> anyhow::Result<SoakResults> {
        let (shared, workers) = self.load.wait()?;
        self.results.merge(shared.take_stats());
        self.node.terminate()?;
        self.results.logged_errors = self.bank.logged_errors()?;
        self.results.workers = workers;
        Ok(self.results)
    }
}

impl SoakResults {
    fn merge(&mut self, stats: LoadStats) {
        let LoadStats {
            waits: _,
            slow_calls: slow,
            calls,
            failure_counts: _,
            failures: troubled,
            unexpected,
            unexpected_shown,
        } = stats;
        self.slow_calls.extend(slow);
        self.calls.iter_mut().zip(calls).for_each(|(sum, count)| *sum += count);
        self.failures.extend(troubled);
        self.unexpected += unexpected;
        self.unexpected_shown.extend(unexpected_shown);
    }
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

/// Report of a soak.
#[derive(Serialize)]
struct SoakReport {
    seconds: f64,
    seed: u64,
    calls_per_second: f64,
    connections: u64,
    players: u64,
    calls: BTreeMap<&'static str, u64>,
    killed: usize,
    terminated: usize,
    /// Downtime of a kill.
    down_s: Spread,
    backups: u64,
    orders: Reconciliation,
    audited: u64,
    memory_bytes: Trend,
    /// In the longest run of the process; `None` if that was too short to judge.
    memory_growth: Option<Growth>,
    handles: Trend,
    handles_growth: Option<Growth>,
    threads: Trend,
    /// p50 and p99 over the samples outside of kills.
    p50_ms: Spread,
    p99_ms: Spread,
    longest_outside_kills_ms: u64,
    longest_around_kills_ms: u64,
    /// Failed attempts by cause. Every call was retried until it was answered.
    troubles: BTreeMap<&'static str, usize>,
    troubles_outside_kills: usize,
    unexpected: u64,
    unexpected_shown: Vec<String>,
    errors_logged: Vec<String>,
    rules: Rules,
    findings: Vec<String>,
}

/// A quantity in the first and the last sample, and its maximum.
#[derive(Clone, Copy, Debug, Serialize)]
struct Trend {
    first: u64,
    last: u64,
    most: u64,
}

impl Trend {
    fn from_samples(samples: &[Sample], of: fn(&Sample) -> u64) -> Self {
        let at = |sample: Option<&Sample>| sample.map(of).unwrap_or_default();
        Self {
            first: at(samples.first()),
            last: at(samples.last()),
            most: samples.iter().map(of).max().unwrap_or_default(),
        }
    }
}

impl SoakReport {
    fn new(config: &SoakConfig, results: &SoakResults, orders: Reconciliation, audited: u64) -> Self {
        let SoakConfig { rules, plan, .. } = config;
        let SoakResults { samples, slow_calls: slow, kill_windows: windows, kills: marks, .. } = results;
        let struck = |how| marks.iter().filter(|mark| mark.method == how).count();
        let in_peace = || samples.iter().filter(|sample| !overlaps_kill(sample, config, windows));
        let findings = judge(samples, slow, windows, rules);
        let longest_seen = samples.iter().map(|sample| sample.latency.longest_ms).fold(0.0, f64::max);
        // Longer waits are in `slow`, one by one.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds of a wait")]
        let longest_seen = longest_seen.min(STALL.as_secs_f64() * 1e3) as u64;
        let outside = slow.iter().map(|call| call.unexcused_wait_ms(windows)).max();
        let mut troubles = BTreeMap::new();
        for (_, trouble) in &results.failures {
            *troubles.entry(trouble.name()).or_default() += 1;
        }
        let is_outside = |at: u64| !windows.iter().any(|window| window.contains(at));
        Self {
            seconds: config.duration.as_secs_f64(),
            seed: plan.seed,
            calls_per_second: config.rate,
            connections: plan.workers,
            players: plan.players,
            calls: OpKind::ALL.into_iter().map(|kind| (kind.name(), results.calls[kind as usize])).collect(),
            killed: struck(StopMethod::Kill),
            terminated: struck(StopMethod::Terminate),
            down_s: Spread::from_samples(results.down_s.iter().copied()),
            backups: results.backups,
            orders,
            audited,
            memory_bytes: Trend::from_samples(samples, |sample| sample.memory_bytes),
            memory_growth: growth(samples, rules, |sample| sample.memory_bytes),
            handles: Trend::from_samples(samples, |sample| sample.handles),
            handles_growth: growth(samples, rules, |sample| sample.handles),
            threads: Trend::from_samples(samples, |sample| sample.threads),
            p50_ms: Spread::from_samples(in_peace().map(|sample| sample.latency.p50_ms)),
            p99_ms: Spread::from_samples(in_peace().map(|sample| sample.latency.p99_ms)),
            longest_outside_kills_ms: outside.unwrap_or_default().max(longest_seen),
            longest_around_kills_ms: calls_around_kills(slow, windows)
                .map(CallTiming::wait_ms)
                .max()
                .unwrap_or_default(),
            troubles,
            troubles_outside_kills: results.failures.iter().filter(|(at, _)| is_outside(*at)).count(),
            unexpected: results.unexpected,
            unexpected_shown: results.unexpected_shown.clone(),
            errors_logged: results.logged_errors.clone(),
            rules: rules.clone(),
            findings: findings.iter().map(Finding::to_string).collect(),
        }
    }

    /// Every reason to fail the soak, in words.
    fn failures(&self) -> Vec<String> {
        let Reconciliation { acknowledged, lost, twice, unasked, other } = self.orders;
        let counts = [
            (lost, "acknowledged orders are lost"),
            (twice, "orders exist twice"),
            (unasked, "orders exist that were not acknowledged"),
            (other, "orders have another player, kind or amount"),
            (self.audited.abs_diff(acknowledged), "orders more or fewer were audited than acknowledged"),
            (self.unexpected, "answers were unexpected"),
            (self.troubles_outside_kills as u64, "calls were retried outside of kills"),
            (self.errors_logged.len() as u64, "errors are in the bank's log"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let counts = counts.map(|(count, what)| format!("{} {what}", format_number(to_f64(count), 0)));
        let shown = self.unexpected_shown.iter().chain(&self.errors_logged).take(10);
        self.findings.iter().cloned().chain(counts).chain(shown.cloned()).collect()
    }

    fn duration_text(&self) -> String {
        match self.seconds {
            seconds if seconds < 120.0 => format!("{} s", format_number(seconds, 0)),
            seconds if seconds < 7200.0 => format!("{} min", format_number(seconds / 60.0, 0)),
            seconds => format!("{} hours", format_number(seconds / 3600.0, 1)),
        }
    }

    /// One line.
    fn summary(&self) -> String {
        let orders = format_number(to_f64(self.orders.acknowledged), 0);
        let ends = self.killed + self.terminated;
        let found = if self.failures().is_empty() {
            // A short soak cannot detect a leak.
            format!("none lost, none twice, {}no stall", self.memory_growth.map_or("", |_| "no leak, "))
        } else {
            format!("failed: {}", self.failures().first().cloned().unwrap_or_default())
        };
        format!("{orders} orders acknowledged, the bank restarted {ends} times: {found}")
    }

    fn table(&self) -> String {
        let mut table = MarkdownTable::new(&["", "Measured", "Limit"]);
        let whole = |count: u64| format_number(to_f64(count), 0);
        let mib = |bytes: u64| format_number(mebibytes(bytes), 0);
        let mut row =
            |what: &str, seen: String, allowed: String| table.push_row(&[what.to_owned(), seen, allowed]);
        let none = String::new;
        let Reconciliation { acknowledged, lost, twice, unasked, other } = self.orders;
        let calls = |name| self.calls.get(name).copied().unwrap_or_default();
        row(
            "Duration, calls a second",
            format!("{}, {}", self.duration_text(), format_number(self.calls_per_second, 0)),
            none(),
        );
        row("Players, connections", format!("{}, {}", whole(self.players), self.connections), none());
        row("Calls answered", whole(self.calls.values().sum()), none());
        for kind in OpKind::ALL {
            row(&format!("– {}", kind.name()), whole(calls(kind.name())), none());
        }
        row(
            "`kill -9`, SIGTERM, each with a restart",
            format!("{}, {}", self.killed, self.terminated),
            none(),
        );
        row("Downtime of a kill, s (least · median · most)", format!("{:.2}", self.down_s), none());
        row("Online backups", whole(self.backups), none());
        row("Orders acknowledged", whole(acknowledged), none());
        row("– lost", whole(lost), "0".to_owned());
        row("– twice", whole(twice), "0".to_owned());
        row("– different from their acknowledgement", whole(unasked + other), "0".to_owned());
        row("Orders audited", whole(self.audited), whole(acknowledged));
        row("Unexpected answers", whole(self.unexpected), "0".to_owned());
        row("Retries outside of kills", whole(self.troubles_outside_kills as u64), "0".to_owned());
        let Trend { first, last, most } = self.memory_bytes;
        row(
            "Memory, MiB: first, last, most",
            format!("{}, {}, {}", mib(first), mib(last), mib(most)),
            format!("≤ {}", mib(self.rules.memory_max_bytes)),
        );
        row(
            "– second quarter of the longest run, last quarter",
            growth_text(self.memory_growth, mib),
            format!("≤ {} more", mib(self.rules.growth_max_bytes)),
        );
        row("File handles: most", whole(self.handles.most), format!("≤ {}", self.rules.handles_max));
        row(
            "– second quarter of the longest run, last quarter",
            growth_text(self.handles_growth, whole),
            format!("≤ {} more", self.rules.handles_growth_max),
        );
        row("Threads: most", whole(self.threads.most), format!("≤ {}", self.rules.threads_max));
        row("p50, ms (least · median · most of all samples)", format!("{:.2}", self.p50_ms), none());
        row("p99, ms (least · median · most of all samples)", format!("{:.2}", self.p99_ms), none());
        row(
            "Longest outside of kills, ms",
            whole(self.longest_outside_kills_ms),
            format!("≤ {}", whole(self.rules.stall_ms)),
        );
        row("Longest around kills, ms", whole(self.longest_around_kills_ms), none());
        let verdict = if self.failures().is_empty() { "passed" } else { "failed" };
        row("Verdict", verdict.to_owned(), none());
        table.to_string()
    }
}

fn growth_text(growth: Option<Growth>, shown: impl Fn(u64) -> String) -> String {
    match growth {
        Some(Growth { before, after }) => format!("{}, {}", shown(before), shown(after)),
        None => "too short to tell".to_owned(),
    }
}

/// Whether a kill may have affected the calls of a sample.
fn overlaps_kill(sample: &Sample, config: &SoakConfig, windows: &[KillWindow]) -> bool {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds of a soak")]
    let to_ms = (sample.at_s * 1e3) as u64;
    // The last interval before a kill may be half as long again.
    let looked_for = config.sample_interval * 3 / 2;
    let from_ms = to_ms.saturating_sub(u64::try_from(looked_for.as_millis()).unwrap_or(u64::MAX));
    windows.iter().any(|window| window.overlaps(from_ms, to_ms))
}
