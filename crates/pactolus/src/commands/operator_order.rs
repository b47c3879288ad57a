//! `pactolus topup` and `pactolus gift`: one order of the operator, once per bill number.
//!
//! The bank compares a replay with its order, so the same command again is safe, whatever became of the first.

use pactolus_client::AppliedBy;
use pactolus_client::operator::{NewOrder, NewOrderKind, PostedOrder};
use pactolus_types::{Amount, BillNo, OpenId, ZoneId};
use serde_json::json;

use crate::cli::args::{self, Repetition, parse_amount};
use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, OutputFormat};
use crate::cli::table::Table;
use crate::connect::ConnectArgs;
use crate::runtime;

/// Top up a player's paid coins
///
/// For coins that were bought outside of the game. The bill number is the idempotency key: the same number again is the
/// same order, and no coins are added twice. It calls the operator API, so it needs the operator token.
#[derive(clap::Args)]
pub(crate) struct TopupArgs {
    #[command(flatten)]
    order: OrderArgs,
}

/// Give coins to a player in the operator's name
///
/// The bill number is the idempotency key: the same number again is the same order, and no coins are given twice. It
/// calls the operator API, so it needs the operator token and no session key, and the app's gift limits do not apply.
#[derive(clap::Args)]
pub(crate) struct GiftArgs {
    #[command(flatten)]
    order: OrderArgs,
}

/// Arguments of an order of the operator.
#[derive(clap::Args)]
struct OrderArgs {
    /// Player
    #[arg(long, value_name = "OPENID")]
    openid: OpenId,
    /// Zone
    #[arg(long, value_name = "ZONE", default_value = "1")]
    zone: ZoneId,
    /// Number of coins
    #[arg(long, value_name = "COINS", value_parser = parse_amount)]
    coins: Amount,
    /// Bill number; default: a new one, printed before anything is sent; required for a live order without a terminal
    #[arg(long, value_name = "NUMBER")]
    bill_no: Option<BillNo>,
    /// Item bought, recorded with the order
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    item: String,
    /// Remark, recorded with the order
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    remark: String,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Tops up coins.
pub(crate) fn top_up(args: &TopupArgs, lang: Lang) -> Result<(), CliError> {
    args.order.post(NewOrderKind::Save, ["topped-up", "topped-up-before"], lang)
}

/// Gives coins.
pub(crate) fn give(args: &GiftArgs, lang: Lang) -> Result<(), CliError> {
    args.order.post(NewOrderKind::Present, ["given", "given-before"], lang)
}

impl OrderArgs {
    /// Posts the order, and prints its outcome: one of `outcomes`, the second for a replay.
    fn post(
        &self,
        kind: fn(Amount) -> NewOrderKind,
        outcomes: [&'static str; 2],
        lang: Lang,
    ) -> Result<(), CliError> {
        let connection = self.connect.resolve(lang)?;
        let operator = connection.operator()?;
        let repetition = Repetition::SameNumber;
        let bill_no = args::bill_no_or_new(self.bill_no, connection.environment, repetition, lang)?;
        let order = NewOrder {
            item: self.item.clone(),
            remark: self.remark.clone(),
            ..NewOrder::new(connection.account(self.openid, self.zone), bill_no, kind(self.coins))
        };
        let posted = runtime::start()?.block_on(operator.post_order(&order)).map_err(|error| {
            let state = (error.outcome(), error.retryable());
            CliError::from_call(&error, state, &repetition.arguments(bill_no), lang)
        })?;
        let [applied, replayed] = outcomes;
        let outcome = match posted.applied_by {
            AppliedBy::ThisAttempt | AppliedBy::EarlierAttempt => applied,
            AppliedBy::EarlierCall => replayed,
        };
        print(&posted, outcome, self.output)
    }
}

/// Prints an order and its outcome.
fn print(posted: &PostedOrder, outcome: &str, output: OutputFormat) -> Result<(), CliError> {
    let receipt = &posted.receipt;
    match output {
        OutputFormat::Json => {
            let object = json!({ "outcome": outcome, "receipt": receipt });
            output::print(format_args!("{object}\n"))
        }
        OutputFormat::Text => {
            let mut table = Table::new(["bill_no", "openid", "zone_id", "coins", "outcome", "balance"]);
            table.push_row([
                receipt.bill_no.to_string(),
                receipt.openid.to_string(),
                receipt.zone_id.to_string(),
                receipt.coins.to_string(),
                outcome.to_owned(),
                receipt.after.balance.to_string(),
            ]);
            output::print(table)
        }
    }
}
