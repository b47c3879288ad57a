//! `pactolus migrate`: schema migrations of a store on PostgreSQL.

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output;
use crate::config::StoreUrl;
use crate::runtime;
use crate::store::StoreArgs;

/// Create or upgrade the tables of a store on PostgreSQL
///
/// Each migration is one transaction. The command is idempotent, and several may run at once. An embedded store needs
/// no migration.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Then distribute the tables over several machines
    #[arg(long, value_name = "ENGINE")]
    distribute: Option<DistributionEngine>,
}

/// An extension that distributes tables.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum DistributionEngine {
    /// With create_distributed_table, each table by its partition
    Citus,
}

/// Migrates the store, and prints its schema version.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let url = args.store.resolve(lang)?;
    if let (Some(_), StoreUrl::Embedded(_)) = (args.distribute, &url) {
        let message = tr!(
            lang,
            "{url} has no tables to distribute; omit --distribute",
            "{url} 没有可分布的数据表；请去掉 --distribute"
        );
        return Err(CliError::message(ExitCode::Usage, message));
    }
    let done = runtime::start()?.block_on(migrate(&url, args.distribute))?;
    let done = match done {
        MigrateOutcome::NotNeeded => tr!(lang, "needs no tables", "不需要数据表"),
        #[cfg(feature = "postgres")]
        MigrateOutcome::Migrated { from, to } if from == to => {
            tr!(lang, "is already at schema version {to}", "数据表已是版本 {to}")
        }
        #[cfg(feature = "postgres")]
        MigrateOutcome::Migrated { from: 0, to } => {
            tr!(lang, "is now at schema version {to}", "数据表现为版本 {to}")
        }
        #[cfg(feature = "postgres")]
        MigrateOutcome::Migrated { from, to } => {
            tr!(
                lang,
                "is now at schema version {to}, upgraded from {from}",
                "数据表已从版本 {from} 升级到版本 {to}"
            )
        }
    };
    output::print_lines([format_args!("{url} {done}")])
}

/// The outcome of a migration.
pub(crate) enum MigrateOutcome {
    /// An embedded store has no tables.
    NotNeeded,
    /// The schema versions before and after; equal if the tables were up to date.
    #[cfg(feature = "postgres")]
    Migrated { from: u32, to: u32 },
}

/// Migrates the tables of the store, if its engine has tables.
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
