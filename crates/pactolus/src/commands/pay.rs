//! `pactolus pay`: takes coins from a player, once for each bill number.

use anyhow::anyhow;
use pactolus_client::{AppliedBy, Coins, PayRequest};
use pactolus_protocol::FreeText;
use pactolus_types::{Amount, BillNo};
use serde_json::json;

use crate::cli::args::{self, parse_amount};
use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, OutputFormat};
use crate::cli::table::Table;
use crate::connect::ConnectArgs;
use crate::player::PlayerArgs;
use crate::runtime;

/// Take coins from a player
///
/// Gifted coins go first. The same bill number again is the same order: nothing is taken twice.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    player: PlayerArgs,
    /// How many coins
    #[arg(long, value_name = "COINS", value_parser = parse_amount)]
    coins: Amount,
    /// The order's number; without it a new one is made, and shown before anything is sent
    #[arg(long, value_name = "NUMBER")]
    bill_no: Option<BillNo>,
    /// What the coins are for, to be noted with the order
    #[arg(long, value_name = "TEXT")]
    item: Option<String>,
    /// What else is to be noted
    #[arg(long, value_name = "TEXT")]
    remark: Option<String>,
    /// The number may have been sent before for this very order: where the bank only says that it was used, that is done
    #[arg(long, requires = "bill_no")]
    resume: bool,
    #[command(flatten)]
    connect: ConnectArgs,
    /// How to print the outcome
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Takes them.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.connect.resolve(lang)?;
    let text = |name, text: &Option<String>| {
        let text = text.as_deref().filter(|text| !text.is_empty());
        text.map(|text| FreeText::new(text).map_err(|error| anyhow!("--{name} {error}"))).transpose()
    };
    let bill_no = args::bill_no_or_new(args.bill_no, lang);
    let pay = PayRequest {
        player: args.player.player(&connection)?,
        coins: args.coins,
        bill_no,
        item: text("item", &args.item)?,
        remark: text("remark", &args.remark)?,
    };
    let client = connection.client();
    let paid = runtime::start()?
        .block_on(async { if args.resume { client.retry_pay(&pay).await } else { client.pay(&pay).await } });
    let paid = paid.map_err(|error| {
        let again = format!("--bill-no {bill_no} --resume");
        CliError::from_call(&error, (error.outcome(), error.retryable()), &again, lang)
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
