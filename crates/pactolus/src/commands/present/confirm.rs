//! Preview and confirmation, before any gift is sent.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::Path;

use anyhow::Context as _;

use super::BatchArgs;
use super::plan::Plan;
use super::sender::Api;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output;
use crate::cli::table::Table;
use crate::connect::Connection;

/// The preview: totals, and the first gifts.
pub(super) fn preview(plan: &Plan, api: Api, connection: &Connection) -> String {
    let lang = connection.lang;
    let (left, coins, rows) = (plan.remaining(), plan.coins_remaining, plan.rows);
    let mut text = tr!(
        lang,
        "{left} gifts of {coins} coins in all, {} app {} at {}\n",
        "共 {left} 份赠币、{coins} 个游戏币，{} 环境，应用 {}，地址 {}\n",
        connection.environment,
        connection.appid,
        connection.bank.url
    );
    if api == Api::Operator {
        text += &tr!(
            lang,
            "sent as orders of the operator: without session keys, and the app's gift limits do not apply\n",
            "以运维接口的订单发送：无需 session_key，也不受应用的赠币上限约束\n"
        );
    }
    if plan.applied > 0 {
        let given = plan.applied;
        text +=
            &tr!(lang, "{given} of {rows} rows are already given\n", "{rows} 行中已有 {given} 行发放完毕\n");
    }
    if !plan.ignored_columns.is_empty() {
        let names = plan.ignored_columns.join(", ");
        text += &tr!(lang, "ignored columns: {names}\n", "忽略的列：{names}\n");
    }
    let mut table = Table::new(["line", "openid", "zone_id", "present_counts", "bill_no"]);
    for (line, present) in &plan.sample {
        let player = &present.player;
        table.push_row([
            line.to_string(),
            player.openid.to_string(),
            player.zone_id.to_string(),
            present.coins.to_string(),
            present.bill_no.to_string(),
        ]);
    }
    text += &table.to_string();
    if plan.remaining() > plan.sample.len() as u64 {
        text += "…\n";
    }
    text
}

/// Asks for confirmation, unless `--yes` is given.
pub(super) fn confirm(args: &BatchArgs, from: &Path, plan: &Plan, lang: Lang) -> Result<(), CliError> {
    if args.yes {
        return Ok(());
    }
    // Gifts of earlier runs stay given.
    let kind = if plan.applied > 0 { ExitCode::SomeApplied } else { ExitCode::NoneApplied };
    if from == Path::new("-") || !io::stdin().is_terminal() {
        let message = tr!(
            lang,
            "cannot ask for confirmation without a terminal; add --yes to skip it",
            "没有终端，无法询问确认；请加 --yes 跳过确认"
        );
        return Err(CliError::message(kind, message));
    }
    output::eprint(tr!(lang, "Give them? [y/N] ", "确认发放？[y/N] "));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read stdin")?;
    if ["y", "yes", "是"].contains(&answer.trim().to_lowercase().as_str()) {
        return Ok(());
    }
    let (given, rows) = (plan.applied, plan.rows);
    let message = if given == 0 {
        tr!(lang, "nothing was given", "没有发放任何赠币")
    } else {
        tr!(
            lang,
            "this run gave nothing; {given} of {rows} gifts were given before",
            "本次没有发放；{rows} 份赠币中已有 {given} 份此前发放"
        )
    };
    Err(CliError::message(kind, message))
}
