//! `pactolus balance`: a player's balance.

use pactolus_client::OrderOutcome;
use serde_json::json;

use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, OutputFormat};
use crate::cli::table::Table;
use crate::connect::ConnectArgs;
use crate::player::PlayerArgs;
use crate::runtime;

/// Show a player's balance
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    player: PlayerArgs,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Queries the balance and prints it.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.connect.resolve(lang)?;
    let player = args.player.player(&connection)?;
    let balance = runtime::start()?.block_on(connection.client().get_balance(&player));
    // A query moves no coins, whatever its outcome.
    let balance = balance.map_err(|error| {
        CliError::from_call(&error, (OrderOutcome::NotApplied, error.retryable()), "", lang)
    })?;
    let amounts = [
        ("balance", balance.balance),
        ("gen_balance", balance.gen_balance),
        ("save_amt", balance.save_amt),
        ("save_sum", balance.save_sum),
        ("cost_sum", balance.cost_sum),
        ("present_sum", balance.present_sum),
    ];
    match args.output {
        OutputFormat::Json => {
            let mut object = json!({ "openid": player.openid.as_str(), "zone_id": player.zone_id.as_str() });
            for (name, coins) in amounts {
                object[name] = coins.get().into();
            }
            output::print(format_args!("{object}\n"))
        }
        OutputFormat::Text => {
            let mut table = Table::new(amounts.map(|(name, _)| name));
            table.push_row(amounts.map(|(_, coins)| coins.to_string()));
            output::print(table)
        }
    }
}
