//! `kill -9` under load, many times on one bank: of the process with an embedded store, and of the database and nodes
//! of a bank on PostgreSQL.
//!
//! Clients keep calling and retry every unanswered order. After a number of kills all outcomes are resolved and
//! compared with the bank ([`crate::workload::expected_ledger`]).

mod database;
mod embedded;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use fastrand::Rng;
use pactolus_reports::report::ReportSection;
use pactolus_types::Environment;

use crate::options::Options;
use crate::workload::AccountId;
use crate::workload::clients::{Harness, TestAccount};
use crate::workload::operator::Operator;
use crate::workload::tally::{Tally, report};

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Kills of the bank's process [default: 1,000; 20 with --short]
    #[arg(long)]
    kills: Option<u64>,
    /// Kills of its PostgreSQL, in turn of the postmaster and of a backend [default: 200; 5 with --short]
    #[arg(long)]
    database_kills: Option<u64>,
}

pub(crate) fn run(arguments: &Args, options: &Options) -> anyhow::Result<ReportSection> {
    let kills = arguments.kills.unwrap_or(options.pick(1000, 20));
    let database_kills = arguments.database_kills.unwrap_or(options.pick(200, 5));
    let half = options.share(2);
    let mut tallies = Vec::new();
    if kills > 0 {
        tallies.push(run_in_temp_dir(&half, "kills", |folder| embedded::run(kills, &half, folder))?);
    }
    if database_kills > 0 {
        let attack_database = |folder: &Path| database::run(database_kills, &half, folder);
        tallies.push(run_in_temp_dir(&half, "kills", attack_database)?);
    }
    report("kills", &tallies)
}

/// Runs an attack in a temporary folder, which is kept if the attack fails.
pub(crate) fn run_in_temp_dir(
    options: &Options,
    attack: &str,
    run_attack: impl FnOnce(&Path) -> anyhow::Result<Tally>,
) -> anyhow::Result<Tally> {
    let folder = Options::temp_dir()?;
    let begun = std::time::Instant::now();
    match run_attack(folder.path()) {
        Ok(mut tally) => {
            tally.seconds = begun.elapsed().as_secs_f64();
            Ok(tally)
        }
        Err(error) => {
            let kept = folder.keep();
            let seed = options.seed;
            Err(error.context(format!(
                "the bank's store and logs are in {}; to repeat it: `cargo xtask torture {attack} --seed {seed}`",
                kept.display()
            )))
        }
    }
}

/// Fewer players than clients, so that calls on one account are concurrent.
pub(crate) const PLAYERS: usize = 3;

/// Logs all players in.
pub(crate) async fn log_in(operator: &Operator<'_>) -> anyhow::Result<()> {
    for player in 0..PLAYERS {
        operator.log_in(AccountId { environment: Environment::Live, player, server: 0 }).await?;
    }
    Ok(())
}

/// New accounts on a new server, of every player in both environments, some with a top-up.
pub(crate) async fn open_test_accounts(
    harness: &Harness,
    server: u64,
    random: &mut Rng,
) -> anyhow::Result<Vec<Arc<TestAccount>>> {
    let bank = harness.pick_node(random);
    let operator = Operator { http: &harness.http, bank };
    let mut test_accounts = Vec::new();
    for environment in Environment::ALL {
        for player in 0..PLAYERS {
            let saved = if random.bool() { random.u64(1..100) } else { 0 };
            let test_account = TestAccount::new(AccountId { environment, player, server }, saved);
            if saved > 0 {
                operator
                    .save(test_account.id, &test_account.save_bill_no(), saved)
                    .await
                    .context("a top-up")?;
            }
            test_accounts.push(Arc::new(test_account));
        }
    }
    Ok(test_accounts)
}
