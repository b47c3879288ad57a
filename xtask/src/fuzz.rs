//! `cargo xtask fuzz`: runs the fuzz targets one after the other and counts the inputs that each survived.
//!
//! The invariant of a target is in the module `fuzzing` of its crate. A failing input is saved in `fuzz/crashes`;
//! every later test run replays it.
//! To add a target: see `fuzz/README.md`, and add a line to [`targets::TARGETS`].

mod report;
mod targets;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use self::report::{FuzzerStats, TargetRun};
use self::targets::{FuzzTarget, TARGETS};
use crate::step::{CommandStep, TaskError, succeeds, workspace_root};
use crate::tool;

/// Fuzz the parsers of untrusted bytes: every target, or the named ones.
#[derive(clap::Args)]
#[command(after_help = "\
Without a limit each target gets its full number of inputs, which takes hours; docs/reliability.md gets the report.
Uses a nightly toolchain, or the stable one if there is none. The first run builds cargo-fuzz into target/tools.")]
pub(crate) struct Args {
    /// Targets, such as `body journal` [default: all]
    targets: Vec<String>,
    /// Seconds for each target
    #[arg(long, conflicts_with = "executions")]
    seconds: Option<u64>,
    /// Inputs for each target
    #[arg(long)]
    executions: Option<u64>,
    /// Seed of the generated inputs
    #[arg(long, default_value_t = DEFAULT_SEED)]
    seed: u32,
    /// Minimize the corpus afterwards: fuzz/corpus gets the few inputs that cover most
    #[arg(long)]
    keep: bool,
    /// Folder of reliability.md and reliability.json [default: docs, after a full run]
    #[arg(long)]
    into: Option<PathBuf>,
}

const DEFAULT_SEED: u32 = 1;

/// Resource limits of a fuzzer process. An input that needs more is a bug.
const RESOURCE_LIMITS: [&str; 4] =
    ["-rss_limit_mb=2048", "-malloc_limit_mb=512", "-timeout=10", "-report_slow_units=10"];

/// Maximum input length: several times what a target needs for full coverage.
const INPUT_BYTES_MAX: &str = "-max_len=4096";

/// The working corpus and the logs. `cargo clean` removes them.
const WORKING_CORPUS_DIR: &str = "target/fuzz/corpus";
const LOG_DIR: &str = "target/fuzz/logs";

/// Builds the targets, runs them, and reports.
pub(crate) fn run(args: &Args) -> Result<(), TaskError> {
    let targets = select_targets(&args.targets)?;
    let programs = build()?;
    let mut runs = Vec::new();
    for target in targets {
        let ran = run_target(target, args, &programs)?;
        println!("{ran}");
        let found_crash = ran.crashed;
        runs.push(ran);
        if args.keep {
            minimize_corpus(target, &programs)?;
        }
        if found_crash {
            break;
        }
    }
    println!("\n{}", report::table(&runs));
    let is_full_run = args.targets.is_empty() && args.seconds.is_none() && args.executions.is_none();
    let default_dir = || is_full_run.then(|| workspace_root().join("docs"));
    if let Some(folder) = args.into.clone().or_else(default_dir) {
        report::write_report(&runs, &rerun_command(args), &folder)?;
    }
    match runs.iter().find(|ran| ran.crashed) {
        Some(ran) => Err(TaskError::FuzzCrash { target: ran.target, log: ran.log.clone() }),
        None => Ok(()),
    }
}

fn rerun_command(args: &Args) -> String {
    let mut words = vec!["cargo xtask fuzz".to_owned()];
    words.extend(args.targets.iter().cloned());
    words.extend(args.seconds.map(|seconds| format!("--seconds {seconds}")));
    words.extend(args.executions.map(|executions| format!("--executions {executions}")));
    words.extend((args.seed != DEFAULT_SEED).then(|| format!("--seed {}", args.seed)));
    words.join(" ")
}

fn select_targets(names: &[String]) -> Result<Vec<&'static FuzzTarget>, TaskError> {
    if names.is_empty() {
        return Ok(TARGETS.iter().collect());
    }
    let find = |name: &String| {
        let known = TARGETS.iter().find(|target| target.name == name);
        known.ok_or_else(|| TaskError::UnknownTarget { name: name.clone(), known: targets::names() })
    };
    names.iter().map(find).collect()
}

/// Builds every target for the fuzzer. Returns the folder of the programs.
///
/// Without a sanitizer, which makes fuzzing ten times as fast: sanitizers find bugs of `unsafe` code, and there is
/// none here.
fn build() -> Result<PathBuf, TaskError> {
    tool::FUZZ.install()?;
    // cargo-fuzz runs cargo itself, which needs nightly or `RUSTC_BOOTSTRAP` for coverage instrumentation.
    let nightly = succeeds("cargo", &["+nightly", "--version"]);
    let variable = if nightly { ("RUSTUP_TOOLCHAIN", "nightly") } else { ("RUSTC_BOOTSTRAP", "1") };
    let folder = workspace_root().join("target/fuzz").display().to_string();
    let program = workspace_root().join(tool::FUZZ.path()).display().to_string();
    let words = ["build", "--fuzz-dir", "fuzz", "--sanitizer", "none", "--target-dir", &folder];
    CommandStep::new("build", &program, &words).env(variable.0, variable.1).env_remove("CARGO").run()?;
    let host = host_triple().ok_or(TaskError::MissingTool { what: "rustc, for the host's target triple" })?;
    Ok(Path::new(&folder).join(host).join("release"))
}

/// The host's target triple.
fn host_triple() -> Option<String> {
    let output = Command::new("rustc").arg("-vV").output().ok()?.stdout;
    let version = String::from_utf8(output).ok()?;
    version.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

/// Runs one target up to its limit of seconds or executions.
fn run_target(target: &'static FuzzTarget, args: &Args, programs: &Path) -> Result<TargetRun, TaskError> {
    let FuzzTarget { name, executions } = *target;
    let io = |source| TaskError::Io { what: "cannot create a folder for the fuzzer", source };
    let working_corpus = create_dir(&workspace_root().join(WORKING_CORPUS_DIR).join(name)).map_err(io)?;
    let crashes = workspace_root().join("fuzz/crashes").join(name);
    let log = create_dir(&workspace_root().join(LOG_DIR)).map_err(io)?.join(name);
    let before = create_dir(&crashes).and_then(|folder| count_entries(&folder)).map_err(io)?;
    let limit_flag = match (args.seconds, args.executions) {
        (Some(seconds), _) => format!("-max_total_time={seconds}"),
        (None, bound) => format!("-runs={}", bound.unwrap_or(executions)),
    };
    let started = Instant::now();
    let status = Command::new(programs.join(name))
        .args(RESOURCE_LIMITS)
        .args([INPUT_BYTES_MAX, "-print_final_stats=1", "-verbosity=1", &limit_flag])
        .arg(format!("-seed={}", args.seed))
        .arg(format!("-dict={}", workspace_root().join("fuzz/words.dict").display()))
        .arg(format!("-artifact_prefix={}/", crashes.display()))
        .args([working_corpus, workspace_root().join("fuzz/corpus").join(name)])
        .env("TMPDIR", ramdisk_or_temp_dir())
        .current_dir(workspace_root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log).map_err(io)?)
        .status()
        .map_err(|source| TaskError::Io { what: "cannot start the fuzzer", source })?;
    let took = started.elapsed();
    let fuzzer_stats = FuzzerStats::parse(&String::from_utf8_lossy(&fs::read(&log).map_err(io)?));
    let found_crash = !status.success() || count_entries(&crashes).map_err(io)? > before;
    // Git keeps no empty folder, and neither does this.
    if count_entries(&crashes).map_err(io)? == 0 {
        fs::remove_dir(&crashes).map_err(io)?;
    }
    Ok(TargetRun {
        target: name,
        stats: fuzzer_stats,
        elapsed: took.max(Duration::from_millis(1)),
        crashed: found_crash,
        log,
    })
}

/// Some targets write many files; a folder in memory makes them faster.
fn ramdisk_or_temp_dir() -> PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() }
}

/// Limits of a committed corpus: inputs of a target, and bytes of each. Enough to cover most, few enough to read.
const CORPUS_INPUT_BYTES_MAX: u64 = 4096;
const CORPUS_INPUTS_MAX: usize = 32;

/// Replaces the corpus by the fewest inputs with the same coverage, within the limits on count and size.
fn minimize_corpus(target: &FuzzTarget, programs: &Path) -> Result<(), TaskError> {
    let io = |source| TaskError::Io { what: "cannot minimize the corpus", source };
    let corpus = workspace_root().join("fuzz/corpus").join(target.name);
    let merged = workspace_root().join("target/fuzz/merged").join(target.name);
    if merged.exists() {
        fs::remove_dir_all(&merged).map_err(io)?;
    }
    create_dir(&merged).map_err(io)?;
    let folders =
        [merged.clone(), corpus.clone(), workspace_root().join(WORKING_CORPUS_DIR).join(target.name)];
    let status = Command::new(programs.join(target.name))
        .arg("-set_cover_merge=1")
        .args(folders)
        .env("TMPDIR", ramdisk_or_temp_dir())
        .stderr(Stdio::null())
        .status()
        .map_err(io)?;
    if !status.success() {
        return Err(io(io::Error::other("the fuzzer failed to merge it")));
    }
    let mut inputs = Vec::new();
    for entry in fs::read_dir(&merged).map_err(io)? {
        let path = entry.map_err(io)?.path();
        inputs.push((path.metadata().map_err(io)?.len(), path));
    }
    inputs.retain(|(bytes, _)| *bytes <= CORPUS_INPUT_BYTES_MAX);
    inputs.sort();
    // Of too many inputs, keep some of each size.
    let step = inputs.len().div_ceil(CORPUS_INPUTS_MAX).max(1);
    fs::remove_dir_all(&corpus).map_err(io)?;
    create_dir(&corpus).map_err(io)?;
    for (_, input) in inputs.iter().step_by(step) {
        let name = input.file_name().expect("directory entries have names");
        // The first sixteen digits of the input's digest are unique enough for a name.
        let name: String = name.to_string_lossy().chars().take(16).collect();
        fs::copy(input, corpus.join(name)).map_err(io)?;
    }
    Ok(())
}

fn create_dir(folder: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    Ok(folder.to_owned())
}

fn count_entries(folder: &Path) -> io::Result<usize> {
    Ok(fs::read_dir(folder)?.count())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn command_of(words: &[&str]) -> String {
        let words = ["fuzz"].iter().chain(words);
        rerun_command(&Cli::try_parse_from(words).unwrap().args)
    }

    #[test]
    fn rerun_command_keeps_targets_limits_and_seed() {
        assert_eq!(command_of(&[]), "cargo xtask fuzz");
        assert_eq!(command_of(&["--seed", "1"]), "cargo xtask fuzz");
        assert_eq!(
            command_of(&["--seed", "7", "body", "--seconds", "45"]),
            "cargo xtask fuzz body --seconds 45 --seed 7"
        );
        assert_eq!(command_of(&["--executions", "9"]), "cargo xtask fuzz --executions 9");
    }
}
