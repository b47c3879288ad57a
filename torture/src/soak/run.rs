//! One soak as it runs: the kills and restarts of the bank, the backups and the samples.
//!
//! Read next: `load.rs`, the calls meanwhile; `report.rs`, what becomes of the results.

use std::time::{Duration, Instant};

use pactolus_reports::machine::process::{CpuTime, ResourceUsage};

use super::SoakConfig;
use super::bank::{back_up, store_bytes};
use super::calls::{GameClient, OpKind};
use super::connection::CallFailure;
use super::load::{Load, LoadStats};
use super::plot::{KillMark, StopMethod};
use super::samples::{Csv, Sample};
use super::verdict::{CallTiming, KillWindow};
use super::worker::WorkerResult;
use crate::bank::{Bank, Node};

/// Longest time to work off the backlog of calls that came due while the bank was down.
const CATCH_UP_TIME: Duration = Duration::from_secs(5);

/// A backup starts in the middle of every second run of the process, and in the last run.
const RUNS_PER_BACKUP: usize = 2;

/// A running soak.
pub(super) struct Soak<'a> {
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
pub(super) struct SoakResults {
    pub(super) samples: Vec<Sample>,
    pub(super) slow_calls: Vec<CallTiming>,
    pub(super) kill_windows: Vec<KillWindow>,
    pub(super) kills: Vec<KillMark>,
    /// Downtime of each kill.
    pub(super) down_s: Vec<f64>,
    pub(super) calls: [u64; OpKind::ALL.len()],
    /// Failed attempts: when, and why.
    pub(super) failures: Vec<(u64, CallFailure)>,
    pub(super) unexpected: u64,
    pub(super) unexpected_shown: Vec<String>,
    pub(super) backups: u64,
    pub(super) logged_errors: Vec<String>,
    pub(super) workers: Vec<WorkerResult>,
}

impl<'a> Soak<'a> {
    pub(super) fn start(
        config: &'a SoakConfig,
        bank: &'a Bank,
        today: &str,
        csv: Csv,
    ) -> anyhow::Result<Self> {
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
    pub(super) fn run_kill_schedule(&mut self) -> anyhow::Result<()> {
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
    pub(super) fn finish(mut self) -> anyhow::Result<SoakResults> {
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
