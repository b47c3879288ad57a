//! Fuzz report: the figures of a run as a table and as a section of `docs/reliability.md`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pactolus_reports::report::{ReportSection, RunContext};
use pactolus_reports::table::{MarkdownTable, format_number, to_f64};
use serde::Serialize;

use crate::step::{TaskError, workspace_root};

/// The final statistics of libFuzzer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct FuzzerStats {
    /// Inputs executed.
    pub(super) executions: u64,
    /// Branches covered.
    pub(super) branches: u64,
    /// Inputs in the working corpus.
    pub(super) inputs: u64,
}

pub(super) struct TargetRun {
    pub(super) target: &'static str,
    pub(super) stats: FuzzerStats,
    pub(super) elapsed: Duration,
    pub(super) crashed: bool,
    pub(super) log: PathBuf,
}

impl FuzzerStats {
    /// Parses a log of libFuzzer.
    pub(super) fn parse(log: &str) -> Self {
        let after = |line: &str, name: &str| {
            let rest = &line[line.find(name)? + name.len()..];
            let digits = rest.trim_start().split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse::<u64>().ok()
        };
        let last = |name: &str| log.lines().rev().find_map(|line| after(line, name)).unwrap_or_default();
        Self {
            executions: last("stat::number_of_executed_units:"),
            branches: last(" cov: "),
            inputs: last(" corp: "),
        }
    }
}

impl TargetRun {
    fn per_second(&self) -> f64 {
        to_f64(self.stats.executions) / self.elapsed.as_secs_f64()
    }
}

impl fmt::Display for TargetRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, stats, elapsed: took, crashed, .. } = self;
        let (executions, speed) =
            (format_number(to_f64(stats.executions), 0), format_number(self.per_second(), 0));
        write!(f, "{target}: {executions} executions in {:.0} s, {speed} a second", took.as_secs_f64())?;
        if *crashed { f.write_str("; it broke its invariant") } else { Ok(()) }
    }
}

/// A row for each run, and one for the total.
pub(super) fn table(runs: &[TargetRun]) -> String {
    let mut table =
        MarkdownTable::new(&["Target", "Executions", "Per second", "Branches covered", "Crashes"]);
    for run in runs {
        table.push_row(&[
            format!("`{}`", run.target),
            format_number(to_f64(run.stats.executions), 0),
            format_number(run.per_second(), 0),
            format_number(to_f64(run.stats.branches), 0),
            u8::from(run.crashed).to_string(),
        ]);
    }
    let executions: u64 = runs.iter().map(|ran| ran.stats.executions).sum();
    let took: Duration = runs.iter().map(|ran| ran.elapsed).sum();
    let crashed = runs.iter().filter(|ran| ran.crashed).count();
    let speed = to_f64(executions) / took.as_secs_f64().max(0.001);
    let all =
        [format_number(to_f64(executions), 0), format_number(speed, 0), String::new(), crashed.to_string()];
    table.push_row(&[&["all".to_owned()][..], &all[..]].concat());
    table.to_string()
}

#[derive(Serialize)]
struct FuzzReport {
    executions: u64,
    hours: f64,
    targets: Vec<TargetStats>,
}

#[derive(Serialize)]
struct TargetStats {
    name: &'static str,
    #[serde(flatten)]
    stats: FuzzerStats,
    seconds: f64,
    crashed: bool,
}

/// Writes the runs into the report in `folder`.
pub(super) fn write_report(runs: &[TargetRun], command: &str, folder: &Path) -> Result<(), TaskError> {
    let figures = FuzzReport {
        executions: runs.iter().map(|ran| ran.stats.executions).sum(),
        hours: runs.iter().map(|ran| ran.elapsed.as_secs_f64()).sum::<f64>() / 3600.0,
        targets: runs
            .iter()
            .map(|ran| TargetStats {
                name: ran.target,
                stats: ran.stats,
                seconds: ran.elapsed.as_secs_f64(),
                crashed: ran.crashed,
            })
            .collect(),
    };
    let write = || {
        let part = ReportSection::new("fuzz", table(runs), &figures)?;
        let circumstances = RunContext::capture(command.to_owned(), &workspace_root().join("target"))?;
        circumstances.write_report(&part, folder, "reliability")
    };
    write().map_err(|error| TaskError::ReportNotWritten { why: format!("{error:#}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 30Mb
#1024\tpulse  cov: 1234 ft: 2000 corp: 56/7Kb lim: 4 exec/s: 512 rss: 31Mb
Done 1000000 runs in 9 second(s)
stat::number_of_executed_units: 1000000
stat::average_exec_per_sec:     111111
";

    #[test]
    fn stats_use_the_last_values_in_the_log() {
        assert_eq!(
            FuzzerStats::parse(LOG),
            FuzzerStats { executions: 1_000_000, branches: 1234, inputs: 56 }
        );
        assert_eq!(FuzzerStats::parse(""), FuzzerStats::default());
    }

    #[test]
    fn table_has_a_row_per_target_and_a_total() {
        let stats = FuzzerStats::parse(LOG);
        let ran = |target, crashed| TargetRun {
            target,
            stats,
            elapsed: Duration::from_secs(10),
            crashed,
            log: PathBuf::new(),
        };
        let table = table(&[ran("body", false), ran("journal", true)]);
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| `body` | 1,000,000 | 100,000 | 1,234 | 0 |",
                "| `journal` | 1,000,000 | 100,000 | 1,234 | 1 |",
                "| all | 2,000,000 | 100,000 |  | 1 |",
            ]
        );
    }
}
