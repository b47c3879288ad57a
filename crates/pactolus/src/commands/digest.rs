//! `pactolus digest`: what the history of an embedded store is called, told while it is served.

use pactolus_ledger_embedded::backup;
use serde_json::json;

use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, OutputFormat};
use crate::commands::backup::backup_error;
use crate::store::{self, StoreArgs};

/// Tell the digest that stands for all orders of an embedded store, while it is served
///
/// Note it where whoever can write to the store cannot: pactolus audit --since then proves that none of these orders
/// was changed. It is what the store says of itself; only an audit proves it.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Prints the digest, and nothing else.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let url = args.store.resolve()?;
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
