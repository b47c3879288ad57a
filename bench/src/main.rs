//! What the bank takes and how long: measured on the real engine and the real server, told as tables and as JSON.
//!
//! It is a program of its own, and not a test, because how long something takes is not right or wrong.
//! Where it compares, it measures in turn in one run ([`pactolus_reports::interleave`]); what it finds is kept by
//! [`pactolus_reports::report`].
//! What is measured must not be made easier here: every present is signed, new, and on disk before it is answered.
//!
//! To add a part: a module with its `Args` and its `run`, which gives back a [`ReportSection`], a variant of
//! [`Benchmark`], and its arm in [`Benchmark::run`]; then its comments and the prose around them in
//! `docs/performance.md`.

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

/// Measures the bank: everything, or one part.
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

/// The parts, in the order in which the whole suite runs them: the quickest first.
#[derive(Subcommand)]
enum Benchmark {
    /// What verifying a present takes, beside the two HMACs that it cannot do without
    Signatures(signatures::Args),
    /// Signed durable presents a second over HTTP, in turn with routes of the same program that do less
    Http(http::Args),
    /// Balances and pages of statements a second over HTTP, in turn with a route that only parses
    Reads(reads::Args),
    /// Orders a second through the embedded engine, without HTTP; its memory, its disk, and how fast it opens
    Engine(engine::Args),
    /// How long a present takes that comes alone, and how long they take at half of the most that is possible
    Latency(latency::Args),
    /// Presents a second on PostgreSQL, by one node and by two, in turn with a ledger that pgbench drives
    ///
    /// It is not a part of the whole suite, which needs no database.
    Postgres(postgres::Args),
}

/// Processes that a part starts beside itself.
#[derive(Subcommand)]
enum WorkerCommand {
    /// Serves a bank
    #[command(hide = true)]
    Serve(http::server::Args),
    /// Posts orders, and waits to be killed
    #[command(hide = true)]
    Post(engine::post::Args),
    /// Opens a store, and closes it when it is told to
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
        // At once, because the next part takes minutes and may be interrupted.
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
