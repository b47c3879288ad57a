//! `pactolus balance`: a player's balance.

use pactolus_client::operator::AccountSums;
use pactolus_client::{BalanceReply, Coins, OrderOutcome, Player};
use serde_json::json;

use crate::accounts;

use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, OutputFormat};
use crate::cli::table::Table;
use crate::connect::{ConnectArgs, Connection};
use crate::player::PlayerArgs;
use crate::runtime;

/// Show a player's balance
///
/// With an operator token and without a session key it calls the operator API, else it makes the app's signed call.
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
    let runtime = runtime::start()?;
    let balance = if player.session_key.is_none() && connection.bank.has_operator_api() {
        runtime.block_on(operator_balance(&connection, &player))?
    } else {
        // A query moves no coins, whatever its outcome.
        runtime.block_on(connection.client()?.get_balance(&player)).map_err(|error| {
            CliError::from_call(&error, (OrderOutcome::NotApplied, error.retryable()), "", lang)
        })?
    };
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

/// The balance by the operator API, in the terms of the app's call.
async fn operator_balance(connection: &Connection, player: &Player) -> Result<BalanceReply, CliError> {
    let operator = connection.operator()?;
    let account = connection.account(player.openid, player.zone_id);
    let details = operator.account(&account).await.map_err(|error| connection.bank.query_error(&error))?;
    let AccountSums { balance, gifted, saved, presented, spent, orders, .. } = details.sums;
    if orders == 0 {
        output::eprintln(accounts::not_found(&operator, connection, &account).await);
    }
    Ok(BalanceReply {
        balance,
        gen_balance: gifted,
        save_amt: saved,
        save_sum: saved.checked_add(presented).unwrap_or(Coins::MAX),
        cost_sum: spent,
        present_sum: presented,
    })
}
