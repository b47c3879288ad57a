//! At the end of a campaign: what came of it, in words, as JSON, and as an exit code.

use std::path::Path;

use serde_json::json;

use super::campaign::Shortfall;
use super::plan::Plan;
use super::progress::Tally;
use crate::cli::exit::{Failure, Kind};
use crate::cli::i18n::{Lang, words};
use crate::cli::output::{self, Output};

/// The summary.
pub(super) fn print(
    output: Output,
    plan: &Plan,
    tally: &Tally,
    results: Option<&Path>,
    lang: Lang,
) -> Result<(), Failure> {
    let Tally { given, given_before, refused, not_sent, unknown } = *tally;
    let untried = plan.left() - tally.tried();
    let text = match output {
        Output::Json => {
            let summary = json!({
                "rows": plan.rows,
                "coins": plan.coins.to_string(),
                "given": given,
                "given_before": given_before + plan.given,
                "refused": refused,
                "not_sent": not_sent + untried,
                "unknown": unknown,
                "results": results.map(|path| path.display().to_string()),
            });
            format!("{summary}\n")
        }
        Output::Text => {
            let all =
                Tally { given_before: given_before + plan.given, not_sent: not_sent + untried, ..*tally };
            let mut text = words!(lang, "rows {}: {}\n", "共 {} 行：{}\n", plan.rows, all.in_words(lang));
            if let Some(path) = results {
                text += &words!(lang, "results: {}\n", "结果文件：{}\n", path.display());
            }
            text
        }
    };
    output::print(text)
}

/// How it ended, as an exit code says it: all, some, or none.
pub(super) fn ended(
    plan: &Plan,
    tally: &Tally,
    shortfall: Option<Shortfall>,
    lang: Lang,
) -> Result<(), Failure> {
    let given = plan.given + tally.given + tally.given_before;
    if given == plan.rows {
        return Ok(());
    }
    let why = match shortfall {
        None => String::new(),
        Some(Shortfall::Told) => words!(lang, "; stopped as it was told", "；已按要求停止"),
        Some(Shortfall::ConcernsAll(detail)) => words!(
            lang,
            "; stopped, because every other gift would meet the same: {detail}",
            "；已停止，因为其余赠币也会遇到同样的问题：{detail}"
        ),
        Some(Shortfall::RefusedInARow(detail)) => words!(
            lang,
            "; stopped, because so many were refused in a row, the last one with: {detail}",
            "；连续被拒绝过多，已停止，最后一次的原因：{detail}"
        ),
        Some(Shortfall::NoAnswers(detail)) => {
            words!(
                lang,
                "; stopped, because the bank does not answer: {detail}",
                "；对方没有响应，已停止：{detail}"
            )
        }
        Some(Shortfall::Refused(detail)) => {
            words!(lang, "; the last refusal: {detail}", "；最后一次被拒绝的原因：{detail}")
        }
        Some(Shortfall::Io(error)) => words!(lang, "; stopped: {error}", "；已停止：{error}"),
    };
    let (rows, again) = (
        plan.rows,
        words!(lang, "the same command goes on with the rest", "重新运行同一命令即可继续其余部分"),
    );
    let kind = if given == 0 { Kind::NoneGiven } else { Kind::SomeGiven };
    let said = words!(
        lang,
        "{given} of {rows} gifts are given{why}; {again}",
        "{rows} 份赠币中已发放 {given} 份{why}；{again}"
    );
    Err(Failure::said(kind, said))
}
