//! Options of the suite: sizes, the folder of its stores, and the folder of its reports.

use std::path::{Path, PathBuf};
use std::{fs, io};

use tempfile::TempDir;

use pactolus_reports::report::{ReportSection, RunContext, rerun_command};

/// Options shared by all benchmarks.
#[derive(clap::Args)]
pub(crate) struct SuiteOptions {
    /// Small sizes, to see that everything works; writes no report unless --into names a folder
    #[arg(long, global = true)]
    quick: bool,
    /// Prints all figures as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Folder of the stores, on the disk to measure [default: target/bench]
    #[arg(long, global = true)]
    stores: Option<PathBuf>,
    /// Folder of performance.md and performance.json [default: docs]
    #[arg(long, global = true)]
    into: Option<PathBuf>,
}

impl SuiteOptions {
    /// The usual size, or the one of a quick run.
    pub(crate) fn pick<T>(&self, usual: T, quick: T) -> T {
        if self.quick { quick } else { usual }
    }

    /// A folder for a store, removed when it is dropped.
    ///
    /// Not in the machine's temporary folder: that may be a tmpfs, where a sync costs nothing.
    pub(crate) fn temp_dir(&self) -> io::Result<TempDir> {
        let folder = self.stores_dir();
        fs::create_dir_all(&folder)?;
        TempDir::with_prefix_in("run-", folder)
    }

    fn stores_dir(&self) -> PathBuf {
        self.stores.clone().unwrap_or_else(|| workspace_root().join("target/bench"))
    }

    /// The folder of the reports, unless they are not written.
    fn report_dir(&self) -> Option<PathBuf> {
        let usual = || if self.quick { None } else { Some(workspace_root().join("docs")) };
        self.into.clone().or_else(usual)
    }

    /// Date, command and machine of a run that starts now.
    pub(crate) fn run_context(&self) -> anyhow::Result<RunContext> {
        let command = rerun_command("cargo xtask bench", std::env::args().skip(1), &["--into", "--stores"]);
        RunContext::capture(command, self.temp_dir()?.path())
    }

    /// Prints a section and writes it to the report.
    pub(crate) fn save_section(
        &self,
        part: &ReportSection,
        circumstances: &RunContext,
    ) -> anyhow::Result<()> {
        eprintln!("\n{}", part.table);
        if let Some(folder) = self.report_dir() {
            circumstances.write_report(part, &folder, "performance")?;
        }
        Ok(())
    }

    /// Prints all sections as JSON if `--json` is set.
    pub(crate) fn print_json(
        &self,
        parts: &[ReportSection],
        circumstances: &RunContext,
    ) -> anyhow::Result<()> {
        if self.json {
            let figures = parts
                .iter()
                .map(|part| Ok((part.name.to_owned(), circumstances.figures_with_context(part)?)));
            let figures = figures.collect::<anyhow::Result<serde_json::Map<_, _>>>()?;
            println!("{}", serde_json::to_string_pretty(&figures)?);
        }
        Ok(())
    }
}

fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("bench/ is in the workspace's folder")
}
