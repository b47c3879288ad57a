//! `pactolus statement`: a player's orders, newest first, from the operator API.

use pactolus_types::{OpenId, ZoneId};
use serde_json::Value;

use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, OutputFormat};
use crate::cli::receipts::receipt_table;
use crate::connect::ConnectArgs;
use crate::operator::{OperatorClient, percent_encode};
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
    let (appid, env) = (connection.app.appid(), connection.app.environment());
    let (openid, zone) = (args.openid, percent_encode(args.zone.as_str()));
    let path = format!("/api/v1/apps/{appid}/statement?env={env}&openid={openid}&zone_id={zone}");
    let orders =
        runtime::start()?.block_on(fetch_orders(&connection.operator(lang)?, &path, args.limit, lang))?;
    match args.output {
        OutputFormat::Json => {
            output::print(orders.iter().map(|order| format!("{order}\n")).collect::<Vec<_>>().concat())
        }
        OutputFormat::Text => output::print(receipt_table(&orders)),
    }
}

async fn fetch_orders(
    operator: &OperatorClient,
    path: &str,
    limit: u32,
    lang: Lang,
) -> Result<Vec<Value>, CliError> {
    let mut orders = Vec::new();
    let mut after = String::new();
    let mut left = limit;
    loop {
        let page = format!("{path}&limit={}{after}", left.min(PAGE_ORDERS_MAX));
        let mut page = operator.get(&page, lang).await?;
        let Value::Array(newer) = page["orders"].take() else { return Ok(orders) };
        left = left.saturating_sub(u32::try_from(newer.len()).unwrap_or(u32::MAX));
        orders.extend(newer);
        match page["next"].as_str() {
            Some(next) if left > 0 => after = format!("&after={next}"),
            Some(_) | None => return Ok(orders),
        }
    }
}
