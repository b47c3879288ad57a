//! `cargo xtask fuzz`: the fuzz targets, one after the other, and how many inputs each has withstood.
//!
//! What a target promises is in the module `fuzzing` of its crate. An input that breaks a promise is kept in
//! `fuzz/crashes`, where every test run from then on tries it again.
//! To add a target: `fuzz/README.md` says how, and [`targets::TARGETS`] has its line.

mod report;
mod targets;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use self::report::{Ran, Stats};
use self::targets::{TARGETS, Target};
use crate::step::{Failure, Step, succeeds, workspace};
use crate::tool;

/// Fuzz what reads bytes of others: every target, or those that are named.
#[derive(clap::Args)]
#[command(after_help = "\
Without a bound each target is tried as often as reliability should be told of, which takes hours; what came of it is \
then written into docs/reliability.md.
Needs a nightly toolchain, or makes do with the stable one. The first run builds cargo-fuzz into target/tools.")]
pub(crate) struct Args {
    /// Which targets, such as `body journal` [default: all]
    targets: Vec<String>,
    /// How long each is tried
    #[arg(long, conflicts_with = "executions")]
    seconds: Option<u64>,
    /// How many inputs each is tried with
    #[arg(long)]
    executions: Option<u64>,
    /// What the inputs are made up by
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Put the few inputs that reach most into fuzz/corpus afterwards
    #[arg(long)]
    keep: bool,
    /// Where reliability.md and reliability.json are written [default: docs, after a whole run]
    #[arg(long)]
    into: Option<PathBuf>,
}

/// What one process of the fuzzer may take: an input that needs more is a bug.
const LIMITS: [&str; 4] =
    ["-rss_limit_mb=2048", "-malloc_limit_mb=512", "-timeout=10", "-report_slow_units=10"];

/// The longest inputs: several times what a target needs to go everywhere.
const INPUT_BYTES_MAX: &str = "-max_len=4096";

/// Inputs that are found, until the next `cargo clean`; logs beside them.
const FOUND: &str = "target/fuzz/corpus";
const LOGS: &str = "target/fuzz/logs";

/// Builds the targets, runs them, and tells how they fared.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let targets = chosen(&args.targets)?;
    let programs = build()?;
    let mut runs = Vec::new();
    for target in targets {
        let ran = fuzz(target, args, &programs)?;
        println!("{ran}");
        let crashed = ran.crashed;
        runs.push(ran);
        if args.keep {
            keep(target, &programs)?;
        }
        if crashed {
            break;
        }
    }
    println!("\n{}", report::table(&runs));
    let is_whole = args.targets.is_empty() && args.seconds.is_none() && args.executions.is_none();
    let usual = || is_whole.then(|| workspace().join("docs"));
    if let Some(folder) = args.into.clone().or_else(usual) {
        report::keep(&runs, &command(args), &folder)?;
    }
    match runs.iter().find(|ran| ran.crashed) {
        Some(ran) => Err(Failure::Crash { target: ran.target, log: ran.log.clone() }),
        None => Ok(()),
    }
}

/// What repeats a run.
fn command(args: &Args) -> String {
    let mut words = vec!["cargo xtask fuzz".to_owned()];
    words.extend(args.targets.iter().cloned());
    words.extend(args.seconds.map(|seconds| format!("--seconds {seconds}")));
    words.extend(args.executions.map(|executions| format!("--executions {executions}")));
    words.join(" ")
}

fn chosen(names: &[String]) -> Result<Vec<&'static Target>, Failure> {
    if names.is_empty() {
        return Ok(TARGETS.iter().collect());
    }
    let find = |name: &String| {
        let known = TARGETS.iter().find(|target| target.name == name);
        known.ok_or_else(|| Failure::NoTarget { name: name.clone(), known: targets::names() })
    };
    names.iter().map(find).collect()
}

/// Builds every target for the fuzzer; the folder with the programs.
///
/// Without a sanitizer, which finds what `unsafe` code does, and our code has none: so it is ten times as fast.
fn build() -> Result<PathBuf, Failure> {
    tool::FUZZ.install()?;
    // It calls cargo itself, which has to be the one of a toolchain with which a program can be watched.
    let nightly = succeeds("cargo", &["+nightly", "--version"]);
    let variable = if nightly { ("RUSTUP_TOOLCHAIN", "nightly") } else { ("RUSTC_BOOTSTRAP", "1") };
    let folder = workspace().join("target/fuzz").display().to_string();
    let program = workspace().join(tool::FUZZ.path()).display().to_string();
    let words = ["build", "--fuzz-dir", "fuzz", "--sanitizer", "none", "--target-dir", &folder];
    Step::new("build", &program, &words).with(variable.0, variable.1).without("CARGO").run()?;
    let host = host().ok_or(Failure::Missing { what: "rustc, to say what machine this is" })?;
    Ok(Path::new(&folder).join(host).join("release"))
}

/// The triple for which programs are built here.
fn host() -> Option<String> {
    let told = Command::new("rustc").arg("-vV").output().ok()?.stdout;
    let told = String::from_utf8(told).ok()?;
    told.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

/// Runs one target within its bound.
fn fuzz(target: &'static Target, args: &Args, programs: &Path) -> Result<Ran, Failure> {
    let Target { name, executions } = *target;
    let io = |source| Failure::Io { what: "a folder for the fuzzer", source };
    let found = made(&workspace().join(FOUND).join(name)).map_err(io)?;
    let kept = workspace().join("fuzz/crashes").join(name);
    let log = made(&workspace().join(LOGS)).map_err(io)?.join(name);
    let before = made(&kept).and_then(|kept| count(&kept)).map_err(io)?;
    let bound = match (args.seconds, args.executions) {
        (Some(seconds), _) => format!("-max_total_time={seconds}"),
        (None, bound) => format!("-runs={}", bound.unwrap_or(executions)),
    };
    let started = Instant::now();
    let ended = Command::new(programs.join(name))
        .args(LIMITS)
        .args([INPUT_BYTES_MAX, "-print_final_stats=1", "-verbosity=1", &bound])
        .arg(format!("-seed={}", args.seed))
        .arg(format!("-dict={}", workspace().join("fuzz/words.dict").display()))
        .arg(format!("-artifact_prefix={}/", kept.display()))
        .args([found, workspace().join("fuzz/corpus").join(name)])
        .env("TMPDIR", folder_in_memory())
        .current_dir(workspace())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log).map_err(io)?)
        .status()
        .map_err(|source| Failure::Io { what: "the fuzzer", source })?;
    let took = started.elapsed();
    let stats = Stats::of(&String::from_utf8_lossy(&fs::read(&log).map_err(io)?));
    let crashed = !ended.success() || count(&kept).map_err(io)? > before;
    // Git keeps no empty folder, and neither do we.
    if count(&kept).map_err(io)? == 0 {
        fs::remove_dir(&kept).map_err(io)?;
    }
    Ok(Ran { target: name, stats, took: took.max(Duration::from_millis(1)), crashed, log })
}

/// Targets that write files write many; where there is a folder in memory, they write there.
fn folder_in_memory() -> PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() }
}

/// How large an input may be to be kept, and how many of a target: enough to reach most, few enough to read.
const KEPT_BYTES_MAX: u64 = 4096;
const KEPT_MAX: usize = 32;

/// Puts the fewest inputs that reach all that was reached in the place of the corpus, as far as they are few and small.
fn keep(target: &Target, programs: &Path) -> Result<(), Failure> {
    let io = |source| Failure::Io { what: "the corpus", source };
    let corpus = workspace().join("fuzz/corpus").join(target.name);
    let merged = workspace().join("target/fuzz/merged").join(target.name);
    if merged.exists() {
        fs::remove_dir_all(&merged).map_err(io)?;
    }
    made(&merged).map_err(io)?;
    let folders = [merged.clone(), corpus.clone(), workspace().join(FOUND).join(target.name)];
    let status = Command::new(programs.join(target.name))
        .arg("-set_cover_merge=1")
        .args(folders)
        .env("TMPDIR", folder_in_memory())
        .stderr(Stdio::null())
        .status()
        .map_err(io)?;
    if !status.success() {
        return Err(io(io::Error::other("the fuzzer could not merge it")));
    }
    let mut inputs = Vec::new();
    for entry in fs::read_dir(&merged).map_err(io)? {
        let path = entry.map_err(io)?.path();
        inputs.push((path.metadata().map_err(io)?.len(), path));
    }
    inputs.retain(|(bytes, _)| *bytes <= KEPT_BYTES_MAX);
    inputs.sort();
    // Of too many, some of each size.
    let step = inputs.len().div_ceil(KEPT_MAX).max(1);
    fs::remove_dir_all(&corpus).map_err(io)?;
    made(&corpus).map_err(io)?;
    for (_, input) in inputs.iter().step_by(step) {
        let name = input.file_name().expect("it was listed by its name");
        // Sixteen digits of its digest are enough to tell it apart.
        let name: String = name.to_string_lossy().chars().take(16).collect();
        fs::copy(input, corpus.join(name)).map_err(io)?;
    }
    Ok(())
}

fn made(folder: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    Ok(folder.to_owned())
}

fn count(folder: &Path) -> io::Result<usize> {
    Ok(fs::read_dir(folder)?.count())
}
