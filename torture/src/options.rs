//! Options of every attack: seed, duration, and where the report is written.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pactolus_reports::report::{ReportSection, RunContext, rerun_command};
use tempfile::TempDir;

/// Table cell for an outcome that must never occur. Every check looks for it, and the first one found ends the run.
pub(crate) const NONE_FOUND: &str = "none, or the run would have failed";

/// Options of every attack.
#[derive(Clone, clap::Args)]
pub(crate) struct Options {
    /// Seed of all choices; the same seed repeats the same choices
    #[arg(long, global = true, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Duration of all attacks together; without it, each attack runs until it has injected its number of faults
    #[arg(long, global = true)]
    pub(crate) minutes: Option<f64>,
    /// Few faults, in two minutes, as in the test suite; the report is discarded unless --into is given
    #[arg(long, global = true)]
    short: bool,
    /// Folder for reliability.md and reliability.json [default: docs]
    #[arg(long, global = true)]
    pub(crate) into: Option<PathBuf>,
    /// Path of the `pactolus` executable under attack
    #[arg(long, global = true, default_value = "target/release/pactolus")]
    pub(crate) pactolus: PathBuf,
}

impl Options {
    /// These options for one of `of` attacks that share the time.
    pub(crate) fn share(&self, of: usize) -> Self {
        let of = f64::from(u32::try_from(of).unwrap_or(u32::MAX));
        Self { minutes: self.minutes.map(|minutes| minutes / of), ..self.clone() }
    }

    /// The default, or the value for `--short`.
    pub(crate) fn pick<T>(&self, usual: T, short: T) -> T {
        if self.short { short } else { usual }
    }

    /// Budget of an attack that starts now: until the deadline, or until so many injections without one.
    pub(crate) fn budget(&self, injections: u64) -> Budget {
        let ends = self.minutes.map(|minutes| Instant::now() + Duration::from_secs_f64(minutes * 60.0));
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} faults, {elapsed}");
        let bar = ProgressBar::new(injections).with_style(style.expect("the template is valid"));
        Budget { injections, deadline: ends, bar }
    }

    /// A folder that is removed on drop.
    pub(crate) fn temp_dir() -> io::Result<TempDir> {
        let folder = workspace().join("target/torture");
        std::fs::create_dir_all(&folder)?;
        TempDir::with_prefix_in("run-", folder)
    }

    /// Prints the section's table and writes it to the report, if there is one.
    pub(crate) fn publish(&self, part: &ReportSection) -> anyhow::Result<()> {
        println!("{}", part.table);
        if let Some(folder) = self.report_dir() {
            let command = repeat_command(std::env::args().skip(1));
            RunContext::capture(command, Self::temp_dir()?.path())?.write_report(
                part,
                &folder,
                "reliability",
            )?;
        }
        Ok(())
    }

    /// Folder of the report. `None` with `--short` and without `--into`.
    pub(crate) fn report_dir(&self) -> Option<PathBuf> {
        let usual = || (!self.short).then(|| workspace().join("docs"));
        self.into.clone().or_else(usual)
    }
}

/// The command that repeats this run. The soak has a command of its own. `--pactolus` is left out, because xtask sets
/// it to the executable that it built.
fn repeat_command(arguments: impl Iterator<Item = String>) -> String {
    let (soak, words): (Vec<_>, Vec<_>) = arguments.partition(|word| word == "soak");
    let program = if soak.is_empty() { "cargo xtask torture" } else { "cargo xtask soak" };
    rerun_command(program, words, &["--into", "--pactolus"])
}

/// Stop condition of an attack: a deadline, or a number of injections.
pub(crate) struct Budget {
    injections: u64,
    deadline: Option<Instant>,
    /// Drawn only on a terminal.
    bar: ProgressBar,
}

impl Budget {
    /// Whether to inject another fault after so many.
    pub(crate) fn should_continue(&self, injections: u64) -> bool {
        self.bar.set_position(injections);
        self.deadline.map_or(injections < self.injections, |ends| Instant::now() < ends)
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The workspace root.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("torture/ lies in the workspace's folder")
}

#[cfg(test)]
mod tests {
    use super::repeat_command;

    #[test]
    fn repeat_command_matches_what_was_typed() {
        let cases = [
            ("", "cargo xtask torture"),
            ("power --cuts 9", "cargo xtask torture power --cuts 9"),
            ("--short --pactolus target/debug/pactolus", "cargo xtask torture --short"),
            ("soak --hours 1 --pactolus target/release/pactolus", "cargo xtask soak --hours 1"),
            ("--seed 7 soak --into elsewhere", "cargo xtask soak --seed 7"),
        ];
        for (arguments, expected) in cases {
            assert_eq!(repeat_command(arguments.split_whitespace().map(str::to_owned)), expected);
        }
    }
}
