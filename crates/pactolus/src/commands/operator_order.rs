//! `pactolus topup` and `pactolus gift`: one order of the operator, once per bill number.
//!
//! The bank compares a replay with its order, so the same command again is safe, whatever became of the first.

use pactolus_client::AppliedBy;
use pactolus_client::operator::{NewOrder, NewOrderKind, PostedOrder};
use pactolus_types::{Amount, BillNo, OpenId, ZoneId};
use serde_json::json;

use crate::cli::args::{self, RetryForm, parse_amount};
use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, OutputFormat};
use crate::cli::table::Table;
use crate::connect::{ConnectArgs, Connection};
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

/// Names of the outcomes of an order: applied now, and applied before.
#[derive(Clone, Copy)]
pub(crate) struct OutcomeNames {
    applied: &'static str,
    replayed: &'static str,
}

impl OutcomeNames {
    const TOPPED_UP: Self = Self { applied: "topped-up", replayed: "topped-up-before" };
    const GIVEN: Self = Self { applied: "given", replayed: "given-before" };
    pub(crate) const TAKEN: Self = Self { applied: "taken", replayed: "taken-before" };
}

/// Tops up coins.
pub(crate) fn top_up(args: &TopupArgs, lang: Lang) -> Result<(), CliError> {
    args.order.post(NewOrderKind::Save, OutcomeNames::TOPPED_UP, lang)
}

/// Gives coins.
pub(crate) fn give(args: &GiftArgs, lang: Lang) -> Result<(), CliError> {
    args.order.post(NewOrderKind::Present, OutcomeNames::GIVEN, lang)
}

impl OrderArgs {
    fn post(
        &self,
        kind: fn(Amount) -> NewOrderKind,
        names: OutcomeNames,
        lang: Lang,
    ) -> Result<(), CliError> {
        let connection = self.connect.resolve(lang)?;
        let account = connection.account(self.openid, self.zone);
        let order = |bill_no| NewOrder {
            item: self.item.clone(),
            remark: self.remark.clone(),
            ..NewOrder::new(account, bill_no, kind(self.coins))
        };
        post(&connection, self.bill_no, order, names, self.output)
    }
}

/// Posts the order that `order` makes of the bill number, and prints its outcome.
pub(crate) fn post(
    connection: &Connection,
    bill_no: Option<BillNo>,
    order: impl FnOnce(BillNo) -> NewOrder,
    names: OutcomeNames,
    output: OutputFormat,
) -> Result<(), CliError> {
    let (operator, lang) = (connection.operator()?, connection.lang);
    let repetition = RetryForm::SameNumber;
    let bill_no = args::bill_no_or_new(bill_no, connection.environment, repetition, lang)?;
    let posted = runtime::start()?.block_on(operator.post_order(&order(bill_no))).map_err(|error| {
        let state = (error.outcome(), error.retryable());
        CliError::from_call(&error, state, &repetition.arguments(bill_no), lang)
    })?;
    let outcome = match posted.applied_by {
        AppliedBy::ThisAttempt | AppliedBy::EarlierAttempt => names.applied,
        AppliedBy::EarlierCall => names.replayed,
    };
    print(&posted, outcome, output)
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
