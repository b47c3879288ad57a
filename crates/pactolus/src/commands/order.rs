//! `pactolus order`: an order by its bill number, from the operator API.

use pactolus_types::BillNo;
use serde_json::Value;

use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, OutputFormat};
use crate::cli::receipts::receipt_table;
use crate::connect::ConnectArgs;
use crate::operator::percent_encode;
use crate::runtime;

/// Show the order recorded under a bill number
///
/// Shows the order and, for a pay, its cancellation. It calls the operator API, so it needs the operator token.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Bill number
    #[arg(value_name = "NUMBER")]
    bill_no: BillNo,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Queries the order and prints it.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.connect.resolve(lang)?;
    let (appid, env) = (connection.app.appid(), connection.app.environment());
    let path = format!("/api/v1/apps/{appid}/orders/{}?env={env}", percent_encode(args.bill_no.as_str()));
    let response = runtime::start()?.block_on(connection.operator(lang)?.get(&path, lang))?;
    match args.output {
        OutputFormat::Json => output::print(format_args!("{response}\n")),
        OutputFormat::Text => {
            let receipts = [&response["receipt"], &response["cancel"]];
            output::print(receipt_table(receipts.into_iter().filter(|receipt| **receipt != Value::Null)))
        }
    }
}
