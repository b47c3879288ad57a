//! `pactolus totals`: orders and coins of each kind, per zone and day, from the operator API.
//!
//! A long range is queried in spans of a month, so that no reply is large.

use jiff::ToSpan as _;
use jiff::civil::Date;
use pactolus_client::operator::{CalendarDay, DayTotal, OperatorClient, OperatorError};
use pactolus_types::Environment;

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::{self, OutputFormat, to_json_line};
use crate::cli::table::Table;
use crate::connect::{ConnectArgs, Connection};
use crate::runtime;

/// Sum up the orders of a range of days
///
/// Prints orders and coins of each kind, per game server and day; only those with orders. A zone with a role, such as
/// 1_mage, counts to its game server, 1. Days are those of the app's time_zone. It calls the operator API, so it needs
/// the operator token.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// First day, such as 2017-10-09
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    from: Date,
    /// Last day; default: the first
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    to: Option<Date>,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Output format; JSON is one zone and day a line
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// A day that the operator API can name.
fn parse_day(text: &str) -> Result<Date, String> {
    let day: CalendarDay = text.parse().map_err(|error| format!("it {error}"))?;
    day.to_string().parse().map_err(|_| "it is no day".to_owned())
}

/// Days of a query.
const SPAN_DAYS: i32 = 31;

/// Queries the totals span by span, and prints them.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let (from, to) = (args.from, args.to.unwrap_or(args.from));
    if to < from {
        let message = tr!(lang, "--from {from} is later than --to {to}", "--from {from} 晚于 --to {to}");
        return Err(CliError::message(ExitCode::Usage, message));
    }
    let connection = args.connect.resolve(lang)?;
    let operator = connection.operator()?;
    let totals = runtime::start()?.block_on(async {
        let totals = fetch(&operator, &connection, connection.environment, (from, to)).await;
        let totals = totals.map_err(|error| connection.bank.query_error(&error))?;
        if totals.is_empty() {
            output::eprintln(none_message(&operator, &connection, (from, to)).await);
        }
        Ok::<_, CliError>(totals)
    })?;
    match args.output {
        OutputFormat::Json => output::print(totals.iter().map(to_json_line).collect::<Vec<_>>().concat()),
        OutputFormat::Text => output::print(table(&totals)),
    }
}

async fn fetch(
    operator: &OperatorClient,
    connection: &Connection,
    environment: Environment,
    (from, to): (Date, Date),
) -> Result<Vec<DayTotal>, OperatorError> {
    let mut totals = Vec::new();
    let mut start = Some(from);
    while let Some(first) = start.filter(|first| *first <= to) {
        let last = first.checked_add((SPAN_DAYS - 1).days()).unwrap_or(Date::MAX).min(to);
        let span = operator.totals(connection.appid, environment, day(first), day(last)).await?;
        totals.extend(span.totals);
        start = last.tomorrow().ok();
    }
    Ok(totals)
}

fn day(date: Date) -> CalendarDay {
    date.to_string().parse().expect("a day between two calendar days is one")
}

/// Says whether the other environment has orders on these days.
async fn none_message(
    operator: &OperatorClient,
    connection: &Connection,
    days @ (from, to): (Date, Date),
) -> String {
    let (lang, environment) = (connection.lang, connection.environment);
    let none = tr!(
        lang,
        "no orders from {from} to {to} in {environment}",
        "{from} 至 {to}，{environment} 环境没有订单"
    );
    let other = Environment::ALL.into_iter().find(|other| *other != environment);
    let Some(other) = other else { return none };
    match fetch(operator, connection, other, days).await {
        Ok(totals) if !totals.is_empty() => {
            tr!(lang, "{none}; {other} has some: --env {other}", "{none}；{other} 环境有：--env {other}")
        }
        Ok(_) | Err(_) => none,
    }
}

fn table(totals: &[DayTotal]) -> Table<12> {
    let mut table = Table::new([
        "day",
        "zone_id",
        "saves",
        "saved",
        "presents",
        "presented",
        "pays",
        "paid",
        "cancels",
        "returned",
        "debits",
        "debited",
    ]);
    for total in totals {
        let DayTotal { save, present, pay, cancel, debit, .. } = total;
        table.push_row([
            total.day.to_string(),
            total.zone_id.to_string(),
            save.orders.to_string(),
            save.coins.to_string(),
            present.orders.to_string(),
            present.coins.to_string(),
            pay.orders.to_string(),
            pay.coins.to_string(),
            cancel.orders.to_string(),
            cancel.coins.to_string(),
            debit.orders.to_string(),
            debit.coins.to_string(),
        ]);
    }
    table
}
