//! How a run of the suite is set: its sizes, where its stores are made, and where what it finds is written.

use std::path::{Path, PathBuf};
use std::{fs, io};

use tempfile::TempDir;

use pactolus_reports::report::{ReportSection, RunContext, rerun_command};

/// What holds for every part.
#[derive(clap::Args)]
pub(crate) struct SuiteOptions {
    /// Small sizes, to see that all of it works; what comes of them is not kept unless --into says where
    #[arg(long, global = true)]
    quick: bool,
    /// Prints all figures as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Makes the stores in this folder, on the disk that is to be measured [default: target/bench]
    #[arg(long, global = true)]
    stores: Option<PathBuf>,
    /// Where performance.md and performance.json are written [default: docs]
    #[arg(long, global = true)]
    into: Option<PathBuf>,
}

impl SuiteOptions {
    /// A size: the usual one, or the one for a quick run.
    pub(crate) fn pick<T>(&self, usual: T, quick: T) -> T {
        if self.quick { quick } else { usual }
    }

    /// A folder to make a store in, removed when it is dropped.
    ///
    /// Not among the machine's temporary files: these may be in memory, where a sync costs nothing.
    pub(crate) fn temp_dir(&self) -> io::Result<TempDir> {
        let folder = self.stores_dir();
        fs::create_dir_all(&folder)?;
        TempDir::with_prefix_in("run-", folder)
    }

    fn stores_dir(&self) -> PathBuf {
        self.stores.clone().unwrap_or_else(|| workspace_root().join("target/bench"))
    }

    /// Where what was found is written, if it is.
    fn report_dir(&self) -> Option<PathBuf> {
        let usual = || if self.quick { None } else { Some(workspace_root().join("docs")) };
        self.into.clone().or_else(usual)
    }

    /// What a run that begins now is measured on.
    pub(crate) fn run_context(&self) -> anyhow::Result<RunContext> {
        let command = rerun_command("cargo xtask bench", std::env::args().skip(1), &["--into", "--stores"]);
        RunContext::capture(command, self.temp_dir()?.path())
    }

    /// Shows what a part found, and keeps it.
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

    /// Prints everything as JSON, if that is wanted.
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

/// The folder of the workspace.
fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("bench/ lies in the workspace's folder")
}
