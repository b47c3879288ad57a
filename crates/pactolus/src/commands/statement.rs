//! `pactolus statement`: a player's orders, newest first, from the operator API.

use pactolus_client::operator::{AccountId, OperatorClient, OperatorError, ReceiptDetails, StatementPage};
use pactolus_types::{OpenId, ZoneId};

use crate::accounts;
use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, OutputFormat, to_json_line};
use crate::cli::receipts::receipt_table;
use crate::connect::ConnectArgs;
use crate::runtime;

/// List a player's orders, newest first
///
/// It calls the operator API, so it needs the operator token.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Player
    #[arg(long, value_name = "OPENID")]
    openid: OpenId,
    /// Zone
    #[arg(long, value_name = "ZONE", default_value = "1")]
    zone: ZoneId,
    /// Maximum number of orders
    #[arg(long, value_name = "ORDERS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Output format; JSON is one order a line
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Maximum page size of the operator API, in orders.
const PAGE_ORDERS_MAX: u32 = 100;

/// Queries page by page and prints the orders.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.connect.resolve(lang)?;
    let operator = connection.operator()?;
    let account = connection.account(args.openid, args.zone);
    let orders = runtime::start()?.block_on(async {
        let orders = fetch_orders(&operator, &account, args.limit).await;
        let orders = orders.map_err(|error| connection.bank.query_error(&error))?;
        if orders.is_empty() {
            return Err(accounts::not_found_error(&operator, &connection, &account).await);
        }
        Ok(orders)
    })?;
    match args.output {
        OutputFormat::Json => output::print(orders.iter().map(to_json_line).collect::<Vec<_>>().concat()),
        OutputFormat::Text => output::print(receipt_table(&orders)),
    }
}

async fn fetch_orders(
    operator: &OperatorClient,
    account: &AccountId,
    limit: u32,
) -> Result<Vec<ReceiptDetails>, OperatorError> {
    let mut orders = Vec::new();
    let mut after = None;
    let mut left = limit;
    loop {
        let page = StatementPage { limit: Some(left.min(PAGE_ORDERS_MAX)), after };
        let page = operator.statement(account, &page).await?;
        left = left.saturating_sub(u32::try_from(page.orders.len()).unwrap_or(u32::MAX));
        orders.extend(page.orders);
        after = page.next;
        if left == 0 || after.is_none() {
            return Ok(orders);
        }
    }
}
