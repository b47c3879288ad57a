//! Report of a soak: its figures, its failures in words, and its table.
//!
//! Read next: `verdict.rs`, the criteria.

use std::collections::BTreeMap;

use pactolus_reports::interleave::Spread;
use pactolus_reports::latency::STALL;
use pactolus_reports::table::{MarkdownTable, format_number, mebibytes, to_f64};
use serde::Serialize;

use super::SoakConfig;
use super::calls::OpKind;
use super::plot::StopMethod;
use super::reconcile::Reconciliation;
use super::run::SoakResults;
use super::samples::Sample;
use super::verdict::{CallTiming, Finding, Growth, KillWindow, Rules, calls_around_kills, growth, judge};

/// Report of a soak.
#[derive(Serialize)]
pub(super) struct SoakReport {
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
    pub(super) fn new(
        config: &SoakConfig,
        results: &SoakResults,
        orders: Reconciliation,
        audited: u64,
    ) -> Self {
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
    pub(super) fn failures(&self) -> Vec<String> {
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

    pub(super) fn duration_text(&self) -> String {
        match self.seconds {
            seconds if seconds < 120.0 => format!("{} s", format_number(seconds, 0)),
            seconds if seconds < 7200.0 => format!("{} min", format_number(seconds / 60.0, 0)),
            seconds => format!("{} hours", format_number(seconds / 3600.0, 1)),
        }
    }

    /// One line.
    pub(super) fn summary(&self) -> String {
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

    pub(super) fn table(&self) -> String {
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
