//! Mutation test of the attacks: banks with a deliberate defect, one patch each, that an attack must detect.
//!
//! A patch is a file in `torture/mutants`. Its first line names the attack (`Attack: power --cuts 100`). The
//! paragraph up to the first empty line describes the defect. The rest is for `git apply`. The attack must pass
//! without the patch and fail with it. A patch that does not apply is a failure too.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use pactolus_reports::report::ReportSection;
use pactolus_reports::table::MarkdownTable;
use serde::Serialize;

use crate::options::{Options, workspace};

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Only the mutant of this name
    #[arg(long)]
    mutant: Option<String>,
}

/// A bank with a deliberate defect.
struct Mutant {
    name: String,
    patch: PathBuf,
    /// Command-line arguments of the attack.
    attack: Vec<String>,
    description: String,
}

#[derive(Serialize)]
struct MutantsReport {
    mutants: Vec<Detection>,
}

/// A mutant that its attack detected.
#[derive(Serialize)]
struct Detection {
    name: String,
    what: String,
    attack: String,
    /// Last message of the attack.
    said: String,
}

pub(crate) fn run(arguments: &Args, options: &Options) -> anyhow::Result<ReportSection> {
    let mut found = MutantsReport { mutants: Vec::new() };
    for mutant in mutants()? {
        if arguments.mutant.as_ref().is_some_and(|name| *name != mutant.name) {
            continue;
        }
        let detection = mutant.detect(options).with_context(|| format!("the mutant {}", mutant.name))?;
        println!("{}: {}", detection.name, detection.said);
        found.mutants.push(detection);
    }
    ensure!(!found.mutants.is_empty(), "no mutant has this name");
    ReportSection::new("mutants", found.table(), &found)
}

/// All mutants, by name.
fn mutants() -> anyhow::Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    for entry in std::fs::read_dir(workspace().join("torture/mutants"))? {
        let patch = entry?.path();
        let text = std::fs::read_to_string(&patch)?;
        let read = || {
            let name = patch.file_name()?.to_str()?.strip_suffix(".patch")?.to_owned();
            let (attack, rest) = text.strip_prefix("Attack: ")?.split_once('\n')?;
            let (what, _) = rest.split_once("\n\n")?;
            let attack = attack.split_whitespace().map(str::to_owned).collect();
            Some(Mutant { name, patch: patch.clone(), attack, description: what.replace('\n', " ") })
        };
        let mutant = read().with_context(|| format!("{} does not name its attack", patch.display()))?;
        mutants.push(mutant);
    }
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(mutants)
}

impl Mutant {
    /// Builds the mutant, and runs its attack without and with the patch.
    fn detect(&self, options: &Options) -> anyhow::Result<Detection> {
        let (torture, pactolus) = (std::env::current_exe()?, options.pactolus.clone());
        let (passes, message) = self.attack(&torture, &pactolus, options)?;
        ensure!(passes, "the attack fails without the patch: {message}");
        let copy = self.copy()?;
        let built = self.build(&copy)?;
        let (passes, said) = self.attack(&built.join("torture"), &built.join("pactolus"), options)?;
        ensure!(!passes, "the attack {} does not detect the mutant", self.attack.join(" "));
        let attack = self.attack.join(" ");
        Ok(Detection { name: self.name.clone(), what: self.description.clone(), attack, said })
    }

    /// Copies the workspace's tracked files and applies the patch.
    fn copy(&self) -> anyhow::Result<PathBuf> {
        let mutants = workspace().join("target/mutants");
        let copy = mutants.join(&self.name);
        if copy.exists() {
            std::fs::remove_dir_all(&copy)?;
        }
        let listed = Command::new("git").current_dir(workspace()).args(["ls-files", "-z"]).output()?;
        ensure!(listed.status.success(), "git does not list the workspace's files");
        for name in String::from_utf8(listed.stdout)?.split('\0').filter(|name| !name.is_empty()) {
            let (from, to) = (workspace().join(name), copy.join(name));
            // Git still lists a file whose removal is not committed.
            if from.exists() {
                std::fs::create_dir_all(to.parent().unwrap_or(&copy))?;
                std::fs::copy(from, to)?;
            }
        }
        // The copy lies inside a repository that does not track it.
        let applied = Command::new("git")
            .current_dir(&copy)
            .env("GIT_CEILING_DIRECTORIES", &mutants)
            .arg("apply")
            .arg(&self.patch)
            .status()?;
        ensure!(applied.success(), "the patch does not apply");
        Ok(copy)
    }

    /// Builds the executables of the attack, and returns their folder.
    fn build(&self, copy: &Path) -> anyhow::Result<PathBuf> {
        let target = workspace().join("target/mutants/target");
        let mut build = Command::new("cargo");
        build.current_dir(copy).env("CARGO_TARGET_DIR", &target);
        build.args(["build", "--quiet", "--package", "pactolus-torture"]);
        if !self.attack.iter().any(|word| word == "power" || word == "disk") {
            build.args(["--package", "pactolus"]);
        }
        ensure!(build.status()?.success(), "the mutant cannot be built");
        Ok(target.join("debug"))
    }

    /// Whether the attack passes, and the last line of its stderr, at most 160 characters.
    fn attack(&self, torture: &Path, pactolus: &Path, options: &Options) -> anyhow::Result<(bool, String)> {
        let output = Command::new(torture)
            .arg("--short")
            .args(["--seed", &options.seed.to_string(), "--pactolus"])
            .arg(pactolus)
            .args(&self.attack)
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::null())
            .output()
            .with_context(|| format!("{} cannot be started", torture.display()))?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let short: String =
            last.trim().trim_start_matches(|c: char| c.is_ascii_digit() || c == ':').trim().into();
        Ok((output.status.success(), short.chars().take(160).collect()))
    }
}

impl MutantsReport {
    fn table(&self) -> String {
        let mut table = MarkdownTable::new(&["Defect", "Attack", "Finding"]);
        for Detection { what, attack, said, .. } in &self.mutants {
            table.push_row(&[what, attack, said]);
        }
        table.to_string()
    }
}
