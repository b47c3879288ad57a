//! What the bank is put through, and whether it keeps its promise: nothing acknowledged is missing, and nothing is
//! applied twice.
//!
//! Everything that an attack chooses comes from a seed, so that whoever runs it again meets the same. What the machine
//! chooses, such as which of two threads goes first, is not repeated.
//! An attack that finds something fails with what it found and what repeats it; else it tells how often it struck.
//!
//! To add an attack: a module with its `Args` and its `run`, which gives back a [`ReportSection`], a variant of
//! [`Attack`], and its arm in [`Attack::run`]; then its comments and the prose around them in `docs/reliability.md`.

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

/// Attacks the bank: every attack, or one.
#[derive(Parser)]
#[command(name = "torture", bin_name = "cargo xtask torture")]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    attack: Option<Attack>,
}

/// The attacks, in the order in which all of them are made.
#[derive(Subcommand)]
enum Attack {
    /// Power cuts: a file system that forgets what was not synced, and tears what was written last
    Power(power::Args),
    /// A faulty disk: errors on writing and syncing, no room, short writes, flipped bits
    Disk(disk::Args),
    /// kill -9, of the bank and of its database
    Kills(kills::Args),
    /// A network that cuts, delays and loses, between clients and bank and between bank and database
    Network(network::Args),
    /// Attackers from the network: idle connections, slow requests, unread replies, floods
    Flood(flood::Args),
    /// A clock that jumps
    Clock(clock::Args),
    /// Whether the attacks would find a bank that breaks its promise; it is not one of those made together
    Mutants(mutants::Args),
    /// Steady mixed load with kills, for hours; it is not one of the attacks that are made together
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
