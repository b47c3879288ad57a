//! Benchmarks of the real engine and the real server: throughput, latency, CPU, memory, disk.
//!
//! A program and not a test, because a duration is neither right nor wrong.
//! Comparisons are interleaved in one run ([`pactolus_reports::interleave`]); [`pactolus_reports::report`] writes the
//! figures to `docs/performance.md`.
//! Invariant: the benchmark makes nothing easier. Every present is signed, new, and on disk before its reply.
//!
//! To add a benchmark: a module with its `Args` and a `run` that returns a [`ReportSection`], a variant of
//! [`Benchmark`], its arm in [`Benchmark::run`], and its markers and prose in `docs/performance.md`.

mod engine;
mod http;
mod latency;
mod load;
mod postgres;
mod reads;
mod signatures;
mod suite;
mod worker;
mod workload;

use clap::{Parser, Subcommand};

use crate::suite::SuiteOptions;
use pactolus_reports::report::ReportSection;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the bank: everything, or one benchmark.
#[derive(Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
struct Cli {
    #[command(flatten)]
    options: SuiteOptions,
    #[command(subcommand)]
    command: Option<BenchCommand>,
}

#[derive(Subcommand)]
enum BenchCommand {
    #[command(flatten)]
    Benchmark(Benchmark),
    #[command(flatten)]
    Worker(WorkerCommand),
}

/// In the order in which the whole suite runs them, the quickest first.
#[derive(Subcommand)]
enum Benchmark {
    /// CPU time to verify a present, compared with its two HMACs
    Signatures(signatures::Args),
    /// Throughput of signed durable presents over HTTP, interleaved with routes of the same program that do less
    Http(http::Args),
    /// Throughput of balance and statement queries over HTTP, interleaved with a route that only parses
    Reads(reads::Args),
    /// Throughput of the embedded engine without HTTP; its memory, its disk, and how fast it opens
    Engine(engine::Args),
    /// Latency of presents, unloaded and at half of the maximum throughput
    Latency(latency::Args),
    /// Throughput of presents on PostgreSQL, by one node and by two, interleaved with a ledger that pgbench drives
    ///
    /// Not a part of the whole suite, which needs no database.
    Postgres(postgres::Args),
}

/// Processes that a benchmark starts.
#[derive(Subcommand)]
enum WorkerCommand {
    /// Serves a bank
    #[command(hide = true)]
    Serve(http::server::Args),
    /// Posts orders and waits to be killed
    #[command(hide = true)]
    Post(engine::post::Args),
    /// Opens a store and closes it on shutdown
    #[command(hide = true)]
    Open(engine::open::Args),
}

fn main() -> anyhow::Result<()> {
    let Cli { options, command } = Cli::parse();
    let benchmarks = match command {
        Some(BenchCommand::Worker(helper)) => return helper.run(),
        Some(BenchCommand::Benchmark(benchmark)) => vec![benchmark],
        None => Benchmark::all(),
    };
    let circumstances = options.run_context()?;
    let mut sections = Vec::new();
    for part in benchmarks {
        let part = part.run(&options)?;
        // Saved at once: the next benchmark takes minutes and may be interrupted.
        options.save_section(&part, &circumstances)?;
        sections.push(part);
    }
    options.print_json(&sections, &circumstances)
}

impl Benchmark {
    fn all() -> Vec<Self> {
        vec![
            Self::Signatures(signatures::Args::default()),
            Self::Http(http::Args::default()),
            Self::Reads(reads::Args::default()),
            Self::Engine(engine::Args::default()),
            Self::Latency(latency::Args::default()),
        ]
    }

    fn run(&self, options: &SuiteOptions) -> anyhow::Result<ReportSection> {
        match self {
            Self::Signatures(arguments) => signatures::run(arguments, options),
            Self::Http(arguments) => http::run(arguments, options),
            Self::Reads(arguments) => reads::run(arguments, options),
            Self::Engine(arguments) => engine::run(arguments, options),
            Self::Latency(arguments) => latency::run(arguments, options),
            Self::Postgres(arguments) => postgres::run(arguments, options),
        }
    }
}

impl WorkerCommand {
    fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::Serve(arguments) => http::server::run(arguments),
            Self::Post(arguments) => engine::post::run(arguments),
            Self::Open(arguments) => engine::open::run(arguments),
        }
    }
}
