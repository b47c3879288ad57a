//! How attacks are set: their seed, how long they go on, and where what they found is written.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pactolus_reports::report::{ReportSection, RunContext, rerun_command};
use tempfile::TempDir;

/// What a table says of what must never come about: it is looked for throughout, and the first ends the run.
pub(crate) const NONE_FOUND: &str = "none, or the run would have failed";

/// What holds for every attack.
#[derive(Clone, clap::Args)]
pub(crate) struct Options {
    /// What the attacks choose by; the same seed chooses the same
    #[arg(long, global = true, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long to go on, all attacks together; without it, until each has struck as often as it should
    #[arg(long, global = true)]
    pub(crate) minutes: Option<f64>,
    /// Few strikes, in two minutes, as the tests make them; what comes of it is not kept unless --into says where
    #[arg(long, global = true)]
    short: bool,
    /// Where reliability.md and reliability.json are written [default: docs]
    #[arg(long, global = true)]
    pub(crate) into: Option<PathBuf>,
    /// The bank that is attacked as a whole: the executable of `pactolus`
    #[arg(long, global = true, default_value = "target/release/pactolus")]
    pub(crate) pactolus: PathBuf,
}

impl Options {
    /// The same for one of so many attacks, which share the time.
    pub(crate) fn share(&self, of: usize) -> Self {
        let of = f64::from(u32::try_from(of).unwrap_or(u32::MAX));
        Self { minutes: self.minutes.map(|minutes| minutes / of), ..self.clone() }
    }

    /// A number: the usual one, or the one for a short run.
    pub(crate) fn pick<T>(&self, usual: T, short: T) -> T {
        if self.short { short } else { usual }
    }

    /// How long an attack goes on that begins now and should strike so often.
    pub(crate) fn budget(&self, injections: u64) -> Budget {
        let ends = self.minutes.map(|minutes| Instant::now() + Duration::from_secs_f64(minutes * 60.0));
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} strikes, {elapsed}");
        let bar = ProgressBar::new(injections).with_style(style.expect("the template names what there is"));
        Budget { injections, deadline: ends, bar }
    }

    /// A folder that is removed when this is dropped.
    pub(crate) fn temp_dir() -> io::Result<TempDir> {
        let folder = workspace().join("target/torture");
        std::fs::create_dir_all(&folder)?;
        TempDir::with_prefix_in("run-", folder)
    }

    /// Shows what an attack came to, and keeps it.
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

    /// Where what comes of an attack is kept, if it is.
    pub(crate) fn report_dir(&self) -> Option<PathBuf> {
        let usual = || (!self.short).then(|| workspace().join("docs"));
        self.into.clone().or_else(usual)
    }
}

/// What repeats a run with these arguments. The soak has a command of its own, and xtask says itself where it built the
/// bank.
fn repeat_command(arguments: impl Iterator<Item = String>) -> String {
    let (soak, words): (Vec<_>, Vec<_>) = arguments.partition(|word| word == "soak");
    let program = if soak.is_empty() { "cargo xtask torture" } else { "cargo xtask soak" };
    rerun_command(program, words, &["--into", "--pactolus"])
}

/// When an attack has gone on for long enough.
pub(crate) struct Budget {
    injections: u64,
    deadline: Option<Instant>,
    /// Shown on a terminal only.
    bar: ProgressBar,
}

impl Budget {
    /// Whether to strike again after so many strikes.
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

/// The folder of the workspace.
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
