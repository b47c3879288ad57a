//! `pactolus token`: an access token, for calls by hand.

use pactolus_client::OrderOutcome;
use serde_json::json;

use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, OutputFormat};
use crate::connect::ConnectArgs;
use crate::runtime;

/// Print an access token of the app
///
/// It is the app's stable token, which all processes of the app share: a request for it revokes no other token. It is
/// a secret: until it expires, it allows calls in the app's name.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connect: ConnectArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Requests the token and prints it.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.connect.resolve(lang)?;
    let token = runtime::start()?.block_on(connection.client()?.access_token());
    let token = token.map_err(|error| {
        CliError::from_call(&error, (OrderOutcome::NotApplied, error.retryable()), "", lang)
    })?;
    match args.output {
        OutputFormat::Json => output::print(format_args!("{}\n", json!({ "access_token": token.expose() }))),
        OutputFormat::Text => output::print(format_args!("{}\n", token.expose())),
    }
}
