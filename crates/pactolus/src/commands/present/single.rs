//! A single gift: one call, whose bill number is printed before it is sent.

use std::path::PathBuf;

use pactolus_client::{Player, PresentRequest};
use pactolus_types::{Amount, BillNo, OpenId};
use serde_json::json;

use super::outcome::{BillNoOrigin, GiftOutcome, SendResult};
use super::sender::{Api, GiftSender, OrderRule};
use crate::cli::args::{self, RetryForm};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, localize, tr};
use crate::cli::output::{self, OutputFormat};
use crate::cli::secret::read_session_key;
use crate::cli::table::Table;
use crate::connect::{CALL_TIMEOUT, Connection};
use crate::runtime;

/// Arguments of a single gift.
#[derive(clap::Args)]
#[command(next_help_heading = "One gift")]
pub(super) struct SingleArgs {
    /// Player who gets the coins
    #[arg(
        long,
        value_name = "OPENID",
        required_unless_present = "input",
        conflicts_with = "input",
        requires = "coins"
    )]
    pub(super) openid: Option<OpenId>,
    /// Bill number; default: a new one, printed before anything is sent; required for a live gift without a terminal
    #[arg(long, value_name = "NUMBER", conflicts_with = "input")]
    bill_no: Option<BillNo>,
    /// The player's session key, for banks that require `mp_sig`
    #[arg(long, value_name = "KEY", conflicts_with = "input")]
    session_key: Option<String>,
    /// File of the session key, or - for standard input; default: the variable PACTOLUS_SESSION_KEY
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input", "session_key"])]
    session_key_file: Option<PathBuf>,
    /// Retry of an earlier attempt with this bill number: if the bank only replies that the number was used, the gift
    /// counts as given
    #[arg(long, requires = "bill_no", conflicts_with = "input")]
    resume: bool,
}

/// Gives `coins` to the player, and prints the outcome.
pub(super) fn run(
    args: &super::Args,
    openid: OpenId,
    coins: Amount,
    connection: &Connection,
    lang: Lang,
) -> Result<(), CliError> {
    let (key, file) = (args.single.session_key.as_deref(), args.single.session_key_file.as_deref());
    // A key of the variable is a default, which orders of the operator do not need.
    let is_named = key.is_some() || file.is_some();
    let session_key =
        if args.api == Some(Api::Operator) && !is_named { None } else { read_session_key(key, file, lang)? };
    let player = Player { zone_id: args.zone, session_key, pf: connection.pf, ..Player::new(openid) };
    let api = Api::choose(args.api, player.session_key.is_some(), connection)?;
    let sender = GiftSender::new(OrderRule::Gift(args.api), api, connection, CALL_TIMEOUT)?;
    let environment = connection.environment;
    let bill_no = args::bill_no_or_new(args.single.bill_no, environment, RetryForm::WithResume, lang)?;
    let present = PresentRequest { player, coins, bill_no };
    let number = if args.single.resume { BillNoOrigin::MaybeSent } else { BillNoOrigin::Supplied };
    let sent = runtime::start()?.block_on(sender.send(&present, number));
    print(args.output, &present, &sent)?;
    let SendResult { outcome, detail, .. } = sent;
    let detail = localize(&detail, lang);
    let failure = |kind, said| Err(CliError::message(kind, said));
    match outcome {
        GiftOutcome::Applied | GiftOutcome::Replayed | GiftOutcome::Taken | GiftOutcome::TakenBefore => {
            Ok(())
        }
        GiftOutcome::Refused => {
            failure(ExitCode::Refused, tr!(lang, "the gift is refused: {detail}", "赠币被拒绝：{detail}"))
        }
        GiftOutcome::NotSent => failure(
            ExitCode::Unreachable,
            tr!(lang, "the gift is not given: {detail}", "赠币没有发放：{detail}"),
        ),
        GiftOutcome::NumberUsed => Err(CliError::number_used(&detail, bill_no, lang)),
        GiftOutcome::Unknown => failure(
            ExitCode::Unknown,
            tr!(
                lang,
                "the outcome is unknown: {detail}; to find out, run the command again with --bill-no {bill_no} --resume",
                "结果未知：{detail}；请加 --bill-no {bill_no} --resume 再次运行以确认"
            ),
        ),
    }
}

fn print(output: OutputFormat, present: &PresentRequest, sent: &SendResult) -> Result<(), CliError> {
    let PresentRequest { player, coins, bill_no } = present;
    let SendResult { outcome, balance, detail, .. } = sent;
    let text = match output {
        OutputFormat::Json => {
            let object = json!({
                "bill_no": bill_no.as_str(),
                "openid": player.openid.as_str(),
                "zone_id": player.zone_id.as_str(),
                "present_counts": coins.get(),
                "outcome": outcome.name(),
                "balance": balance.map(pactolus_types::Coins::get),
                "detail": detail,
            });
            format!("{object}\n")
        }
        OutputFormat::Text => {
            let mut table =
                Table::new(["bill_no", "openid", "zone_id", "present_counts", "outcome", "balance"]);
            table.push_row([
                bill_no.to_string(),
                player.openid.to_string(),
                player.zone_id.to_string(),
                coins.to_string(),
                outcome.name().to_owned(),
                balance.map(|coins| coins.to_string()).unwrap_or_default(),
            ]);
            table.to_string()
        }
    };
    output::print(text)
}
