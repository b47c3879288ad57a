//! `pactolus order`: an order by its bill number, from the operator API.

use pactolus_client::operator::{OperatorClient, OperatorError, OrderDetails, ProblemKind};
use pactolus_types::{BillNo, Environment};

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::{self, OutputFormat, to_json_line};
use crate::cli::receipts::receipt_table;
use crate::connect::{ConnectArgs, Connection};
use crate::runtime;

/// Show the order recorded under a bill number
///
/// Shows the order and, for a pay, its cancellation. It calls the operator API, so it needs the operator token.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Bill number
    #[arg(value_name = "NUMBER")]
    bill_no: BillNo,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Queries the order and prints it.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.connect.resolve(lang)?;
    let operator = connection.operator()?;
    let order = runtime::start()?.block_on(find(&operator, &connection, args.bill_no))?;
    match args.output {
        OutputFormat::Json => output::print(to_json_line(&order)),
        OutputFormat::Text => {
            output::print(receipt_table(std::iter::once(&order.receipt).chain(&order.cancel)))
        }
    }
}

/// The order. If the environment has none, the error says whether the other one has it.
async fn find(
    operator: &OperatorClient,
    connection: &Connection,
    bill_no: BillNo,
) -> Result<OrderDetails, CliError> {
    let (appid, environment) = (connection.appid, connection.environment);
    let error = match operator.order(appid, environment, bill_no).await {
        Ok(order) => return Ok(order),
        Err(error) => error,
    };
    let other = Environment::ALL.into_iter().find(|other| *other != environment);
    if let Some(other) = other.filter(|_| is_absent(&error))
        && operator.order(appid, other, bill_no).await.is_ok()
    {
        let message = tr!(
            connection.lang,
            "no order has bill_no {bill_no} in {environment}; {other} has one: --env {other}",
            "{environment} 环境没有订单号 {bill_no}；{other} 环境有：--env {other}"
        );
        return Err(CliError::message(ExitCode::Refused, message));
    }
    Err(connection.bank.query_error(&error))
}

fn is_absent(error: &OperatorError) -> bool {
    error.problem_kind() == Some(ProblemKind::NotFound)
}
