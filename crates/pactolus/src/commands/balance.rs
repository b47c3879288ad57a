//! `pactolus balance`: what a player has.

use pactolus_client::OrderOutcome;
use serde_json::json;

use crate::cli::exit::Failure;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, Output};
use crate::cli::table::Table;
use crate::connect::Target;
use crate::player::PlayerArgs;
use crate::runtime;

/// Say what a player has
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    player: PlayerArgs,
    #[command(flatten)]
    target: Target,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

/// Asks, and prints the answer.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), Failure> {
    let bank = args.target.choose(lang)?;
    let player = args.player.player(&bank)?;
    let balance = runtime::start()?.block_on(bank.client().get_balance(&player));
    // Asking moves nothing, whatever became of it.
    let balance = balance
        .map_err(|error| Failure::of_call(&error, (OrderOutcome::NotApplied, error.retryable()), "", lang))?;
    let sums = [
        ("balance", balance.balance),
        ("gen_balance", balance.gen_balance),
        ("save_amt", balance.save_amt),
        ("save_sum", balance.save_sum),
        ("cost_sum", balance.cost_sum),
        ("present_sum", balance.present_sum),
    ];
    match args.output {
        Output::Json => {
            let mut told = json!({ "openid": player.openid.as_str(), "zone_id": player.zone_id.as_str() });
            for (name, coins) in sums {
                told[name] = coins.get().into();
            }
            output::print(format_args!("{told}\n"))
        }
        Output::Text => {
            let mut table = Table::new(sums.map(|(name, _)| name));
            table.row(sums.map(|(_, coins)| coins.to_string()));
            output::print(table)
        }
    }
}
