//! `pactolus order`: an order by its bill number, from the operator API.

use pactolus_client::operator::{AccountId, OperatorClient, OperatorError, OrderDetails, ProblemKind};
use pactolus_types::{BillNo, Environment, OpenId, ZoneId};

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::{self, OutputFormat, to_json_line};
use crate::cli::receipts::receipt_table;
use crate::connect::{ConnectArgs, Connection};
use crate::runtime;

/// Show the order recorded under a bill number
///
/// Shows the order and, for a pay, its cancellation or last refund. Numbers of /wxa/game and /xpay are unique per player,
/// so they need the player. It calls the operator API, so it needs the operator token.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Bill number
    #[arg(value_name = "NUMBER")]
    bill_no: BillNo,
    /// Player of a number of /wxa/game or /xpay
    #[arg(long, value_name = "OPENID")]
    openid: Option<OpenId>,
    /// Zone of that player
    #[arg(long, value_name = "ZONE", default_value = "1", requires = "openid")]
    zone: ZoneId,
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
    let order = runtime::start()?.block_on(find(&operator, &connection, args))?;
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
    args: &Args,
) -> Result<OrderDetails, CliError> {
    let (bill_no, environment) = (args.bill_no, connection.environment);
    let error = match get(operator, connection, args, environment).await {
        Ok(order) => return Ok(order),
        Err(error) => error,
    };
    let other = Environment::ALL.into_iter().find(|other| *other != environment);
    if let Some(other) = other.filter(|_| is_absent(&error))
        && get(operator, connection, args, other).await.is_ok()
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

async fn get(
    operator: &OperatorClient,
    connection: &Connection,
    args: &Args,
    environment: Environment,
) -> Result<OrderDetails, OperatorError> {
    let Some(openid) = args.openid else {
        return operator.order(connection.appid, environment, args.bill_no).await;
    };
    let account = AccountId { environment, ..connection.account(openid, args.zone) };
    operator.order_of_account(&account, args.bill_no).await
}

fn is_absent(error: &OperatorError) -> bool {
    error.problem_kind() == Some(ProblemKind::NotFound)
}
