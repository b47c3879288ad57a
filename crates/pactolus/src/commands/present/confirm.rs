//! Preview and confirmation, before any gift is sent.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::Path;

use anyhow::Context as _;

use super::kind::BatchKind;
use super::plan::Plan;
use super::sender::Api;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output;
use crate::cli::table::Table;
use crate::connect::Connection;

/// The preview: totals, and the first gifts.
pub(super) fn preview(plan: &Plan, kind: BatchKind, api: Api, connection: &Connection) -> String {
    let lang = connection.lang;
    let to_do = kind.to_do(plan.remaining(), plan.coins_remaining, lang);
    let mut text = tr!(
        lang,
        "{to_do}, {} app {} at {}\n",
        "{to_do}，{} 环境，应用 {}，地址 {}\n",
        connection.environment,
        connection.appid,
        connection.bank.url
    );
    if (kind, api) == (BatchKind::Gifts, Api::Operator) {
        text += &tr!(
            lang,
            "sent as orders of the operator: without session keys, and the app's gift limits do not apply\n",
            "以运维接口的订单发送：无需 session_key，也不受应用的赠币上限约束\n"
        );
    }
    if plan.applied > 0 {
        let (done, rows) = (plan.applied, plan.rows);
        text += &tr!(lang, "{done} of {rows} rows are already done\n", "{rows} 行中已有 {done} 行完成\n");
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
pub(super) fn confirm(
    is_confirmed: bool,
    from: &Path,
    plan: &Plan,
    kind: BatchKind,
    lang: Lang,
) -> Result<(), CliError> {
    if is_confirmed {
        return Ok(());
    }
    // Orders of earlier runs stay applied.
    let code = if plan.applied > 0 { ExitCode::SomeApplied } else { ExitCode::NoneApplied };
    if from == Path::new("-") || !io::stdin().is_terminal() {
        let message = tr!(
            lang,
            "cannot ask for confirmation without a terminal; add --yes to skip it",
            "没有终端，无法询问确认；请加 --yes 跳过确认"
        );
        return Err(CliError::message(code, message));
    }
    output::eprint(kind.question(lang));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read stdin")?;
    if ["y", "yes", "是"].contains(&answer.trim().to_lowercase().as_str()) {
        return Ok(());
    }
    let done = kind.done_of(plan.applied, plan.rows, lang);
    let message = tr!(lang, "this run sent nothing; {done}", "本次没有发送；{done}");
    Err(CliError::message(code, message))
}
