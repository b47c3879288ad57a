//! `pactolus digest`: the history digest of an embedded store, read while the store is served.

use pactolus_ledger_embedded::backup;
use serde_json::json;

use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, OutputFormat};
use crate::commands::backup::backup_error;
use crate::store::{self, StoreArgs};

/// Print the history digest of an embedded store while it is served
///
/// The digest stands for all orders so far. Keep it where no process that can write to the store can change it:
/// later, pactolus audit --since proves that these orders are unchanged. This command reads the stored digest and
/// verifies nothing; only an audit does.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Prints the digest alone, for scripts.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let url = args.store.resolve(lang)?;
    let history =
        backup::digest(store::embedded_folder(&url)?).map_err(|error| backup_error(&error, lang))?;
    match args.output {
        OutputFormat::Text => output::print(format_args!("{history}\n")),
        OutputFormat::Json => {
            let object = json!({ "digest": history.to_string(), "orders": history.orders });
            output::print(format_args!("{object}\n"))
        }
    }
}
