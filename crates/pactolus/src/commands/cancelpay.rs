//! `pactolus cancelpay`: cancels a pay, idempotently.

use pactolus_client::{AppliedBy, CancelPayRequest};
use pactolus_types::BillNo;
use serde_json::json;

use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::{self, OutputFormat};
use crate::cli::table::Table;
use crate::connect::ConnectArgs;
use crate::player::PlayerArgs;
use crate::runtime;

/// Cancel a pay and return its coins
///
/// Idempotent: cancelling the same pay again returns nothing twice.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    player: PlayerArgs,
    /// Bill number of the pay
    #[arg(long, value_name = "NUMBER")]
    bill_no: BillNo,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Cancels the pay.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.connect.resolve(lang)?;
    let cancel =
        CancelPayRequest { player: args.player.player(&connection)?, bill_no: args.bill_no, item: None };
    let cancelled = runtime::start()?.block_on(connection.client()?.cancel_pay(&cancel));
    let cancelled = cancelled.map_err(|error| {
        let retry_args = tr!(lang, "the same arguments", "同样的参数");
        CliError::from_call(&error, (error.outcome(), error.retryable()), &retry_args, lang)
    })?;
    let outcome =
        if cancelled.applied_by == AppliedBy::EarlierCall { "cancelled-before" } else { "cancelled" };
    match args.output {
        OutputFormat::Json => {
            let object = json!({ "bill_no": args.bill_no.as_str(), "outcome": outcome });
            output::print(format_args!("{object}\n"))
        }
        OutputFormat::Text => {
            let mut table = Table::new(["bill_no", "outcome"]);
            table.push_row([args.bill_no.to_string(), outcome.to_owned()]);
            output::print(table)
        }
    }
}
