//! One gift: one call, whose number is shown before it is sent.

use pactolus_client::{Player, PresentRequest};
use pactolus_types::{Amount, BillNo, OpenId};
use serde_json::json;

use super::outcome::{Number, Outcome, Sent, send};
use crate::cli::args::{self, session_key};
use crate::cli::exit::{Failure, Kind};
use crate::cli::i18n::{Lang, words};
use crate::cli::output::{self, Output};
use crate::cli::table::Table;
use crate::connect::Bank;
use crate::runtime;

/// What one gift takes.
#[derive(clap::Args)]
#[command(next_help_heading = "One gift")]
pub(super) struct OneArgs {
    /// The player who gets coins
    #[arg(
        long,
        value_name = "OPENID",
        required_unless_present = "from",
        conflicts_with = "from",
        requires = "count"
    )]
    pub(super) openid: Option<OpenId>,
    /// The order's number; without it a new one is made, and shown before anything is sent
    #[arg(long, value_name = "NUMBER", conflicts_with = "from")]
    bill_no: Option<BillNo>,
    /// The player's session key, for banks that want `mp_sig`
    #[arg(long, value_name = "KEY", conflicts_with = "from")]
    session_key: Option<String>,
    /// The number may have been sent before for this very gift: where the bank only says that it was used, that is done
    #[arg(long, requires = "bill_no")]
    again: bool,
}

/// Gives `coins` to the player, and prints what came of it.
pub(super) fn give(
    args: &super::Args,
    openid: OpenId,
    coins: Amount,
    bank: &Bank,
    lang: Lang,
) -> Result<(), Failure> {
    let session_key = session_key(args.one.session_key.as_deref())?;
    let player = Player { zone_id: args.zone, session_key, pf: bank.pf, ..Player::new(openid) };
    let bill_no = args::bill_no(args.one.bill_no, lang);
    let present = PresentRequest { player, coins, bill_no };
    let number = if args.one.again { Number::MaybeSent } else { Number::Anybodys };
    let sent = runtime::start()?.block_on(send(&bank.client(), &present, number));
    print(args.output, &present, &sent)?;
    let Sent { outcome, detail, .. } = sent;
    let failure = |kind, said| Err(Failure::said(kind, said));
    match outcome {
        Outcome::Given | Outcome::GivenBefore => Ok(()),
        Outcome::Refused => {
            failure(Kind::Refused, words!(lang, "the gift is refused: {detail}", "赠币被拒绝：{detail}"))
        }
        Outcome::NotSent => failure(
            Kind::Unreachable,
            words!(lang, "the gift is not given: {detail}", "赠币没有发放：{detail}"),
        ),
        Outcome::Unknown => failure(
            Kind::Unknown,
            words!(
                lang,
                "it is not known whether the gift is given: {detail}; ask with --bill-no {bill_no} --again",
                "不清楚赠币是否已发放：{detail}；请加 --bill-no {bill_no} --again 再次运行以确认"
            ),
        ),
    }
}

fn print(output: Output, present: &PresentRequest, sent: &Sent) -> Result<(), Failure> {
    let PresentRequest { player, coins, bill_no } = present;
    let Sent { outcome, balance, detail, .. } = sent;
    let text = match output {
        Output::Json => {
            let told = json!({
                "bill_no": bill_no.as_str(),
                "openid": player.openid.as_str(),
                "zone_id": player.zone_id.as_str(),
                "present_counts": coins.get(),
                "outcome": outcome.name(),
                "balance": balance.map(pactolus_types::Coins::get),
                "detail": detail,
            });
            format!("{told}\n")
        }
        Output::Text => {
            let mut table =
                Table::new(["bill_no", "openid", "zone_id", "present_counts", "outcome", "balance"]);
            table.row([
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
