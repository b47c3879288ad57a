//! Fault-injection tests of the bank. The invariant under test: no acknowledged order is lost, and none is applied
//! twice.
//!
//! Every choice of an attack comes from a seed, so the same seed repeats the same choices. Thread scheduling and
//! other choices of the machine are not repeated.
//! An attack fails with its finding and the command that repeats it. Otherwise it reports how many faults it
//! injected.
//!
//! To add an attack: a module with `Args` and a `run` that returns a [`ReportSection`], a variant of [`Attack`], and
//! its arms in [`Attack::run`] and [`Attack::all`]. Then its markers and the text around them in
//! `docs/reliability.md`.

mod bank;
mod checker;
mod clock;
mod disk;
mod disk_model;
mod flood;
mod history;
mod kills;
mod mutants;
mod network;
mod options;
mod power;
mod soak;
mod workload;

use clap::{Parser, Subcommand};
use pactolus_reports::report::ReportSection;

use crate::options::Options;

/// Fault-injection tests of the bank: all attacks, or one.
#[derive(Parser)]
#[command(name = "torture", bin_name = "cargo xtask torture")]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    attack: Option<Attack>,
}

/// The attacks, in the order in which a full run makes them.
#[derive(Subcommand)]
enum Attack {
    /// Power cuts: a file system that loses unsynced writes and tears the last one
    Power(power::Args),
    /// A faulty disk: write and sync errors, disk full, short writes, flipped bits
    Disk(disk::Args),
    /// kill -9 of the bank and of its database
    Kills(kills::Args),
    /// A network that cuts, delays and stalls connections, between clients and bank and between bank and database
    Network(network::Args),
    /// Denial of service: idle connections, slow requests, unread replies, connection floods
    Flood(flood::Args),
    /// A clock that jumps
    Clock(clock::Args),
    /// Mutation test of the attacks: each must detect a bank with a known defect; not part of a full run
    Mutants(mutants::Args),
    /// Steady mixed load with kills, for hours; not part of a full run
    Soak(soak::Args),
}

fn main() -> anyhow::Result<()> {
    let Cli { options, attack } = Cli::parse();
    let attacks = attack.map_or_else(Attack::all, |attack| vec![attack]);
    let shares = attacks.len();
    for attack in attacks {
        let part = attack.run(&options.share(shares))?;
        options.publish(&part)?;
    }
    Ok(())
}

impl Attack {
    fn all() -> Vec<Self> {
        vec![
            Self::Power(power::Args::default()),
            Self::Disk(disk::Args::default()),
            Self::Kills(kills::Args::default()),
            Self::Network(network::Args::default()),
            Self::Flood(flood::Args::default()),
            Self::Clock(clock::Args::default()),
        ]
    }

    fn run(&self, options: &Options) -> anyhow::Result<ReportSection> {
        match self {
            Self::Power(arguments) => power::run(arguments, options),
            Self::Disk(arguments) => disk::run(arguments, options),
            Self::Kills(arguments) => kills::run(arguments, options),
            Self::Network(arguments) => network::run(arguments, options),
            Self::Flood(arguments) => flood::run(arguments, options),
            Self::Clock(arguments) => clock::run(arguments, options),
            Self::Mutants(arguments) => mutants::run(arguments, options),
            Self::Soak(arguments) => soak::run(arguments, options),
        }
    }
}
