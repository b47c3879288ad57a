//! `pactolus pay`: takes coins from a player, once per bill number.

use pactolus_client::{AppliedBy, Coins, PayError, PayRequest};
use pactolus_protocol::{FreeText, InvalidValue};
use pactolus_types::{Amount, BillNo};
use serde_json::json;

use crate::cli::args::{self, RetryForm, parse_amount};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, localize, localized_chain};
use crate::cli::output::{self, OutputFormat};
use crate::cli::table::Table;
use crate::connect::ConnectArgs;
use crate::player::PlayerArgs;
use crate::runtime;

/// Take coins from a player
///
/// Spends gifted coins first. The bill number is the idempotency key: the same number again is the same order, and no
/// coins are taken twice.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    player: PlayerArgs,
    /// Number of coins
    #[arg(long, value_name = "COINS", value_parser = parse_amount)]
    coins: Amount,
    /// Bill number; default: a new one, printed before anything is sent; required for a live pay without a terminal
    #[arg(long, value_name = "NUMBER")]
    bill_no: Option<BillNo>,
    /// Purpose of the pay, recorded with the order
    #[arg(long, value_name = "TEXT")]
    item: Option<String>,
    /// Remark, recorded with the order
    #[arg(long, value_name = "TEXT")]
    remark: Option<String>,
    /// Retry of an earlier attempt with this bill number: if the bank only replies that the number was used, the pay
    /// counts as done
    #[arg(long, requires = "bill_no")]
    resume: bool,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Takes the coins.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.connect.resolve(lang)?;
    let text = |name, text: &Option<String>| {
        let text = text.as_deref().filter(|text| !text.is_empty());
        let usage = |error: InvalidValue| {
            let problem = localize(&error.to_string(), lang);
            CliError::message(ExitCode::Usage, format!("--{name} {problem}"))
        };
        text.map(|text| FreeText::new(text).map_err(usage)).transpose()
    };
    let (player, item, remark) =
        (args.player.player(&connection)?, text("item", &args.item)?, text("remark", &args.remark)?);
    let bill_no = args::bill_no_or_new(args.bill_no, connection.environment, RetryForm::WithResume, lang)?;
    let pay = PayRequest { player, coins: args.coins, bill_no, item, remark };
    let client = connection.client()?;
    let paid = runtime::start()?
        .block_on(async { if args.resume { client.retry_pay(&pay).await } else { client.pay(&pay).await } });
    let paid = paid.map_err(|error| {
        if matches!(error, PayError::BillNoUsed { .. }) {
            return CliError::number_used(&localized_chain(&error, lang), bill_no, lang);
        }
        let retry_args = format!("--bill-no {bill_no} --resume");
        CliError::from_call(&error, (error.outcome(), error.retryable()), &retry_args, lang)
    })?;
    let outcome = if paid.applied_by == AppliedBy::EarlierCall { "paid-before" } else { "paid" };
    let text = |coins: Option<Coins>| coins.map(|coins| coins.to_string()).unwrap_or_default();
    match args.output {
        OutputFormat::Json => output::print(format_args!(
            "{}\n",
            json!({
                "bill_no": bill_no.as_str(),
                "outcome": outcome,
                "amt": pay.coins.get(),
                "balance": paid.balance.map(Coins::get),
                "used_gen_amt": paid.gifted_spent.map(Coins::get),
            })
        )),
        OutputFormat::Text => {
            let mut table = Table::new(["bill_no", "amt", "outcome", "balance", "used_gen_amt"]);
            table.push_row([
                bill_no.to_string(),
                pay.coins.to_string(),
                outcome.to_owned(),
                text(paid.balance),
                text(paid.gifted_spent),
            ]);
            output::print(table)
        }
    }
}
