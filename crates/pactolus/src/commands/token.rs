//! `pactolus token`: an access token, for calls by hand.

use pactolus_client::OrderOutcome;
use serde_json::json;

use crate::cli::exit::Failure;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, Output};
use crate::connect::Target;
use crate::runtime;

/// Print an access token of the app
///
/// It is the stable one, which all the app's processes share; asking for it ends no other. Whoever has it can call in
/// the app's name until it is over.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

/// Asks for it, and prints it.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), Failure> {
    let bank = args.target.choose(lang)?;
    let token = runtime::start()?.block_on(bank.client().access_token());
    let token = token
        .map_err(|error| Failure::of_call(&error, (OrderOutcome::NotApplied, error.retryable()), "", lang))?;
    match args.output {
        Output::Json => output::print(format_args!("{}\n", json!({ "access_token": token.expose() }))),
        Output::Text => output::print(format_args!("{}\n", token.expose())),
    }
}
