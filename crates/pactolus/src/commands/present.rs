//! `pactolus present`: gives coins to one player, or to all players in a file (a campaign).
//!
//! Read next: `single`, one gift; `batch`, a file of gifts.

pub(crate) mod batch;
mod bill_no;
mod campaign;
mod confirm;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod kind;
mod outcome;
mod plan;
mod preflight;
mod progress;
mod results;
mod row;
mod sender;
mod single;
mod source;
mod summary;

use std::path::PathBuf;

use pactolus_types::{Amount, ZoneId};

use crate::cli::args::parse_amount;
use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::OutputFormat;
use crate::connect::ConnectArgs;
pub(crate) use batch::{Batch, BatchArgs};
use sender::Api;
pub(crate) use sender::{DebitRule, OrderRule};

/// Give coins to one player, or to all players in a file
///
/// For one gift, use --openid and --coins. For a campaign, --input reads a CSV file. Its first line names the
/// columns: openid is required, present_counts unless --coins is given, bill_no unless --campaign is given; zone_id,
/// session_key and user_ip are optional.
///
/// All rows are checked before the first gift is sent. Every gift has one bill number, its idempotency key, so no
/// gift is given twice. Each outcome is appended to a results file. After an interruption or a crash, run the same
/// command again: it resumes where it stopped.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Number of coins; with a file, the default for rows without one
    #[arg(long, value_name = "COINS", value_parser = parse_amount)]
    coins: Option<Amount>,
    /// Zone; with a file, the default for rows without one
    #[arg(long, value_name = "ZONE", default_value = "1")]
    zone: ZoneId,
    #[command(flatten)]
    single: single::SingleArgs,
    /// CSV file of gifts, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "openid", help_heading = "Many orders")]
    input: Option<PathBuf>,
    #[command(flatten)]
    batch: BatchArgs,
    /// API: midas signs calls with the app's keys, and sends session keys; operator needs the operator token alone, and
    /// the app's gift limits do not apply. Default: operator, if the target has its token and no session key is given
    #[arg(long, value_name = "API", hide_possible_values = true)]
    api: Option<Api>,
    #[command(flatten)]
    connect: ConnectArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = "Output")]
    output: OutputFormat,
}

const EXAMPLES: &str = "\
Examples:
  pactolus present --env live --openid odkx20ENSNa2w5y3g_qOkOvBNM1g --coins 233
  pactolus present --env live --input players.csv --campaign spring --dry-run
  pactolus present --env live --input players.csv --campaign spring --rate 500";

/// Gives the coins.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.connect.resolve(lang)?;
    match (&args.input, args.single.openid, args.coins) {
        (Some(input), ..) => {
            let (rule, batch_args) = (OrderRule::Gift(args.api), &args.batch);
            let (zone, coins, output) = (args.zone, args.coins, args.output);
            batch::run(&Batch { input, args: batch_args, zone, coins, rule, output }, &connection, lang)
        }
        (None, Some(openid), Some(coins)) => single::run(args, openid, coins, &connection, lang),
        (None, ..) => unreachable!("clap refuses these combinations"),
    }
}
