//! `pactolus debit`: takes coins back from one player, or from all players in a file.
//!
//! A debit never takes a balance below zero, and is counted apart from what players spend. A file has the machinery of
//! a campaign: see `present/batch.rs`.

use std::path::PathBuf;

use pactolus_client::operator::{CoinPart, Debit, NewOrder, NewOrderKind, Shortfall};
use pactolus_types::{Amount, BillNo, OpenId, ZoneId};

use super::operator_order::{OutcomeNames, post};
use super::present::{Batch, BatchArgs, DebitRule, OrderRule, batch};
use crate::cli::args::parse_amount;
use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::OutputFormat;
use crate::connect::ConnectArgs;

/// Take coins back from one player, or from all players in a file
///
/// For a mistaken gift or a refunded top-up. For one debit, use --openid and --coins. A CSV file has the columns of
/// `pactolus present`, so the file of a campaign takes it back under another name. The bill number is the idempotency
/// key: the same number again is the same order, and no coins are taken twice.
///
/// A balance never falls below 0: a debit of more coins is refused, or takes what is there with --take-available. It
/// calls the operator API, so it needs the operator token.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// CSV file of debits, or - for standard input
    #[arg(value_name = "FILE", conflicts_with = "openid")]
    input: Option<PathBuf>,
    /// Number of coins; with a file, the default for rows without one
    #[arg(long, value_name = "COINS", value_parser = parse_amount)]
    coins: Option<Amount>,
    /// Zone; with a file, the default for rows without one
    #[arg(long, value_name = "ZONE", default_value = "1")]
    zone: ZoneId,
    /// Take what is there if the balance is too low, instead of refusing the debit
    #[arg(long)]
    take_available: bool,
    /// Take topped-up coins first, for a top-up that was refunded; default: gifted coins first, as a pay does
    #[arg(long)]
    paid_first: bool,
    #[command(flatten)]
    single: SingleArgs,
    #[command(flatten)]
    batch: BatchArgs,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = "Output")]
    output: OutputFormat,
}

/// Arguments of a single debit.
#[derive(clap::Args)]
#[command(next_help_heading = "One debit")]
struct SingleArgs {
    /// Player who loses the coins
    #[arg(
        long,
        value_name = "OPENID",
        required_unless_present = "input",
        conflicts_with = "input",
        requires = "coins"
    )]
    openid: Option<OpenId>,
    /// Bill number; default: a new one, printed before anything is sent; required for a live debit without a terminal
    #[arg(long, value_name = "NUMBER", conflicts_with = "input")]
    bill_no: Option<BillNo>,
    /// Item, recorded with the order
    #[arg(long, value_name = "TEXT", conflicts_with = "input")]
    item: Option<String>,
    /// Remark, recorded with the order
    #[arg(long, value_name = "TEXT", conflicts_with = "input")]
    remark: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  pactolus debit --env live --openid odkx20ENSNa2w5y3g_qOkOvBNM1g --coins 450 \\
    --bill-no undo-outage-0412 --take-available
  pactolus debit --env live players.csv --campaign spring-undo --dry-run";

/// Takes the coins.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.connect.resolve(lang)?;
    let rule = DebitRule {
        shortfall: if args.take_available { Shortfall::TakeAvailable } else { Shortfall::Refuse },
        take_first: if args.paid_first { CoinPart::Paid } else { CoinPart::Gifted },
    };
    let (zone, coins, output) = (args.zone, args.coins, args.output);
    match (&args.input, args.single.openid, coins) {
        (Some(input), ..) => {
            let rule = OrderRule::Debit(rule);
            batch::run(&Batch { input, args: &args.batch, zone, coins, rule, output }, &connection, lang)
        }
        (None, Some(openid), Some(coins)) => {
            let DebitRule { shortfall, take_first } = rule;
            let kind = NewOrderKind::Debit(Debit { coins, shortfall, take_first });
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let order = |bill_no| NewOrder {
                item: text(&args.single.item),
                remark: text(&args.single.remark),
                ..NewOrder::new(connection.account(openid, zone), bill_no, kind)
            };
            post(&connection, args.single.bill_no, order, OutcomeNames::TAKEN, output)
        }
        (None, ..) => unreachable!("clap refuses these combinations"),
    }
}
