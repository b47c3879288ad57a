//! `pactolus migrate`: the tables of a bank on PostgreSQL.

use std::io::{self, Write as _};

use anyhow::Context as _;

use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, tr};
use crate::config::StoreUrl;
use crate::runtime;
use crate::store::StoreArgs;

/// Make the tables of a bank on PostgreSQL, or bring them up to date
///
/// Each step is one transaction, and several programs may run it at once. Doing it again does nothing. An embedded
/// store needs no such thing.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Then spread the tables over several machines
    #[arg(long, value_name = "ENGINE")]
    distribute: Option<DistributionEngine>,
}

/// What spreads tables over machines.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum DistributionEngine {
    /// By create_distributed_table, each table by its partition
    Citus,
}

/// Migrates, and says what was done.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let url = args.store.resolve()?;
    let done = runtime::start()?.block_on(migrate(&url, args.distribute))?;
    let done = match done {
        MigrateOutcome::NotNeeded => tr!(lang, "needs no tables", "不需要数据表"),
        #[cfg(feature = "postgres")]
        MigrateOutcome::Migrated { from, to } if from == to => {
            tr!(lang, "has version {to} of the tables already", "数据表已经是版本 {to}")
        }
        #[cfg(feature = "postgres")]
        MigrateOutcome::Migrated { from: 0, to } => {
            tr!(lang, "now has version {to} of the tables", "数据表现在是版本 {to}")
        }
        #[cfg(feature = "postgres")]
        MigrateOutcome::Migrated { from, to } => {
            tr!(
                lang,
                "now has version {to} of the tables, which were of version {from}",
                "数据表已从版本 {from} 升级到版本 {to}"
            )
        }
    };
    writeln!(io::stdout(), "{url} {done}").context("stdout cannot be written to")?;
    Ok(())
}

/// What was done.
pub(crate) enum MigrateOutcome {
    /// The store is a folder.
    NotNeeded,
    /// From one version to another, which may be the same.
    #[cfg(feature = "postgres")]
    Migrated { from: u32, to: u32 },
}

/// Brings the tables of a store up to date, if it is one with tables.
#[cfg_attr(
    not(feature = "postgres"),
    expect(clippy::unused_async, unused_variables, reason = "no engine here has tables")
)]
pub(crate) async fn migrate(
    url: &StoreUrl,
    engine: Option<DistributionEngine>,
) -> Result<MigrateOutcome, CliError> {
    match url {
        StoreUrl::Embedded(_) => Ok(MigrateOutcome::NotNeeded),
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(database) => {
            let distribution =
                engine.map(|DistributionEngine::Citus| pactolus_ledger_postgres::Distribution::Citus);
            let migrated = pactolus_ledger_postgres::migrate(database, distribution).await;
            let migrated = migrated.map_err(|source| crate::store::open_error(url, source))?;
            Ok(MigrateOutcome::Migrated { from: migrated.from, to: migrated.to })
        }
    }
}
