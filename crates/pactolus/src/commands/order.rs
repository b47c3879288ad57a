//! `pactolus order`: what a bill number made, as a Pactolus bank tells its operator.

use pactolus_types::BillNo;
use serde_json::Value;

use crate::cli::exit::Failure;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, Output};
use crate::cli::receipts::receipts;
use crate::connect::Target;
use crate::operator::encoded;
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
    target: Target,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

/// Asks, and prints the answer.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), Failure> {
    let bank = args.target.choose(lang)?;
    let (appid, env) = (bank.app.appid(), bank.app.environment());
    let path = format!("/api/v1/apps/{appid}/orders/{}?env={env}", encoded(args.bill_no.as_str()));
    let filed = runtime::start()?.block_on(bank.operator(lang)?.get(&path))?;
    match args.output {
        Output::Json => output::print(format_args!("{filed}\n")),
        Output::Text => {
            let made = [&filed["receipt"], &filed["cancel"]];
            output::print(receipts(made.into_iter().filter(|receipt| **receipt != Value::Null)))
        }
    }
}
