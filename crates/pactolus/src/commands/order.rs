//! `pactolus order`: what a bill number made, as a Pactolus bank tells its operator.

use pactolus_types::BillNo;
use serde_json::Value;

use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, OutputFormat};
use crate::cli::receipts::receipt_table;
use crate::connect::ConnectArgs;
use crate::operator::percent_encode;
use crate::runtime;

/// Say what a bill number made
///
/// The order, and of a pay its cancel. It asks the operator API, so it takes the operator's token.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The bill number
    #[arg(value_name = "NUMBER")]
    bill_no: BillNo,
    #[command(flatten)]
    connect: ConnectArgs,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Asks, and prints the answer.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.connect.resolve(lang)?;
    let (appid, env) = (connection.app.appid(), connection.app.environment());
    let path = format!("/api/v1/apps/{appid}/orders/{}?env={env}", percent_encode(args.bill_no.as_str()));
    let response = runtime::start()?.block_on(connection.operator(lang)?.get(&path))?;
    match args.output {
        OutputFormat::Json => output::print(format_args!("{response}\n")),
        OutputFormat::Text => {
            let made = [&response["receipt"], &response["cancel"]];
            output::print(receipt_table(made.into_iter().filter(|receipt| **receipt != Value::Null)))
        }
    }
}
