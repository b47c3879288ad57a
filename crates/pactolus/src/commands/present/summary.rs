//! Summary of a campaign: as text, as JSON, and as an exit code.

use std::path::Path;

use serde_json::json;

use super::campaign::StopReason;
use super::kind::BatchKind;
use super::plan::Plan;
use super::progress::OutcomeCounts;
use crate::cli::escape::EscapedText;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, localize, tr};
use crate::cli::output::{self, OutputFormat};

pub(super) fn print(
    output: OutputFormat,
    plan: &Plan,
    tally: &OutcomeCounts,
    results: Option<&Path>,
    lang: Lang,
) -> Result<(), CliError> {
    let OutcomeCounts { kind, applied, replayed, refused, not_sent, unknown } = *tally;
    let not_attempted = plan.remaining().saturating_sub(tally.attempted());
    let text = match output {
        OutputFormat::Json => {
            let [done, done_before] = kind.count_names();
            let summary = json!({
                "rows": plan.rows,
                "coins": plan.coins.to_string(),
                done: applied,
                done_before: replayed + plan.applied,
                "refused": refused,
                "not_sent": not_sent + not_attempted,
                "unknown": unknown,
                "results": results.map(|path| path.display().to_string()),
            });
            format!("{summary}\n")
        }
        OutputFormat::Text => {
            let all = OutcomeCounts {
                replayed: replayed + plan.applied,
                not_sent: not_sent + not_attempted,
                ..*tally
            };
            let mut text = tr!(lang, "rows {}: {}\n", "共 {} 行：{}\n", plan.rows, all.localized(lang));
            if let Some(path) = results {
                text += &tr!(lang, "results: {}\n", "结果文件：{}\n", EscapedText(path.display()));
            }
            text
        }
    };
    output::print(text)
}

/// The exit code: all rows done, some, or none.
pub(super) fn exit_result(
    plan: &Plan,
    tally: &OutcomeCounts,
    stop_reason: Option<StopReason>,
    lang: Lang,
) -> Result<(), CliError> {
    let done = plan.applied + tally.applied + tally.replayed;
    if done == plan.rows {
        return Ok(());
    }
    let next = next_step(stop_reason.as_ref(), lang);
    let why = match stop_reason {
        None => String::new(),
        Some(StopReason::Interrupted) => tr!(lang, "; interrupted", "；已中断"),
        Some(StopReason::AppMisconfigured(detail)) => tr!(
            lang,
            "; stopped, because every other row would fail the same way: {}",
            "；已停止，因为其余各行也会遇到同样的问题：{}",
            localize(&detail, lang)
        ),
        Some(StopReason::ConsecutiveRefusals(detail)) => tr!(
            lang,
            "; stopped after too many refusals in a row, the last one: {}",
            "；连续被拒绝过多，已停止，最后一次的原因：{}",
            localize(&detail, lang)
        ),
        Some(StopReason::Unreachable(detail)) => {
            tr!(
                lang,
                "; stopped, because the bank does not respond: {}",
                "；服务端没有响应，已停止：{}",
                localize(&detail, lang)
            )
        }
        Some(StopReason::Refused(detail)) => {
            tr!(lang, "; the last refusal: {}", "；最后一次被拒绝的原因：{}", localize(&detail, lang))
        }
        Some(StopReason::Io(error)) => {
            tr!(lang, "; stopped: {}", "；已停止：{}", localize(&error.to_string(), lang))
        }
    };
    let code = match (done, tally.unknown) {
        (0, 0) => ExitCode::NoneApplied,
        (0, _) => ExitCode::Unknown,
        _ => ExitCode::SomeApplied,
    };
    let done = tally.kind.done_of(done, plan.rows, lang);
    let message = tr!(lang, "{done}{why}; {next}", "{done}{why}；{next}");
    Err(CliError::message(code, message))
}

/// The error of a set-up that would fail every row. This run sent nothing; orders of earlier runs stay applied.
pub(super) fn setup_error(plan: &Plan, kind: BatchKind, is_resumed: bool, why: &str, lang: Lang) -> CliError {
    let code = match (plan.applied, plan.unknown) {
        (0, 0) if !is_resumed => ExitCode::NoneApplied,
        (0, _) => ExitCode::Unknown,
        _ => ExitCode::SomeApplied,
    };
    let done = kind.done_of(plan.applied, plan.rows, lang);
    let message = tr!(
        lang,
        "this run sent nothing, because every row would fail: {why}; {done}",
        "本次没有发送，因为每一行都会失败：{why}；{done}"
    );
    CliError::message(code, message)
}

/// What the user has to do for the rest. After a refusal the same command alone is refused again.
fn next_step(stop_reason: Option<&StopReason>, lang: Lang) -> String {
    match stop_reason {
        None | Some(StopReason::Interrupted | StopReason::Unreachable(_)) => {
            tr!(lang, "run the same command again for the rest", "重新运行同一命令即可继续其余部分")
        }
        Some(StopReason::Refused(_) | StopReason::ConsecutiveRefusals(_)) => tr!(
            lang,
            "the results file has the reason of each refusal; the same command is refused again until its cause is \
             corrected, and then does the rest",
            "每笔被拒绝的原因见结果文件；消除原因之前，重新运行仍会被拒绝；消除之后，同一命令会完成其余部分"
        ),
        Some(StopReason::AppMisconfigured(_) | StopReason::Io(_)) => tr!(
            lang,
            "correct the cause, then run the same command again for the rest",
            "请先消除原因，然后重新运行同一命令完成其余部分"
        ),
    }
}
