//! What the bank takes and how long: measured on the real engine and the real server, told as tables and as JSON.
//!
//! It is a program of its own, and not a test, because how long something takes is not right or wrong.
//! Where it compares, it measures in turn in one run ([`pactolus_reports::interleave`]); what it finds is kept by
//! [`pactolus_reports::report`].
//! What is measured must not be made easier here: every present is signed, new, and on disk before it is answered.
//!
//! To add a part: a module with its `Arguments` and its `run`, which gives back a [`Part`], a variant of
//! [`Measure`], and its arm in [`Measure::run`]; then its comments and the prose around them in
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

use crate::suite::Options;
use pactolus_reports::report::ReportSection;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the bank: everything, or one part.
#[derive(Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
struct Arguments {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Measure(Measure),
    #[command(flatten)]
    Helper(Helper),
}

/// The parts, in the order in which the whole suite runs them: the quickest first.
#[derive(Subcommand)]
enum Measure {
    /// What verifying a present takes, beside the two HMACs that it cannot do without
    Signatures(signatures::Arguments),
    /// Signed durable presents a second over HTTP, in turn with routes of the same program that do less
    Http(http::Arguments),
    /// Balances and pages of statements a second over HTTP, in turn with a route that only parses
    Reads(reads::Arguments),
    /// Orders a second through the embedded engine, without HTTP; its memory, its disk, and how fast it opens
    Engine(engine::Arguments),
    /// How long a present takes that comes alone, and how long they take at half of the most that is possible
    Latency(latency::Arguments),
    /// Presents a second on PostgreSQL, by one node and by two, in turn with a ledger that pgbench drives
    ///
    /// It is not a part of the whole suite, which needs no database.
    Postgres(postgres::Arguments),
}

/// Processes that a part starts beside itself.
#[derive(Subcommand)]
enum Helper {
    /// Serves a bank
    #[command(hide = true)]
    Serve(http::server::Arguments),
    /// Posts orders, and waits to be killed
    #[command(hide = true)]
    Post(engine::post::Arguments),
    /// Opens a store, and closes it when it is told to
    #[command(hide = true)]
    Open(engine::open::Arguments),
}

fn main() -> anyhow::Result<()> {
    let Arguments { options, command } = Arguments::parse();
    let parts = match command {
        Some(Command::Helper(helper)) => return helper.run(),
        Some(Command::Measure(part)) => vec![part],
        None => Measure::all(),
    };
    let circumstances = options.circumstances()?;
    let mut found = Vec::new();
    for part in parts {
        let part = part.run(&options)?;
        // At once, because the next part takes minutes and may be interrupted.
        options.finish(&part, &circumstances)?;
        found.push(part);
    }
    options.print(&found, &circumstances)
}

impl Measure {
    fn all() -> Vec<Self> {
        vec![
            Self::Signatures(signatures::Arguments::default()),
            Self::Http(http::Arguments::default()),
            Self::Reads(reads::Arguments::default()),
            Self::Engine(engine::Arguments::default()),
            Self::Latency(latency::Arguments::default()),
        ]
    }

    fn run(&self, options: &Options) -> anyhow::Result<ReportSection> {
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

impl Helper {
    fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::Serve(arguments) => http::server::run(arguments),
            Self::Post(arguments) => engine::post::run(arguments),
            Self::Open(arguments) => engine::open::run(arguments),
        }
    }
}
