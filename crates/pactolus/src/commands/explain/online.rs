//! Online diagnosis: the bank's own findings, from the operator API.

use pactolus_client::operator::{ReceivedParameter, RejectionDetails};
use pactolus_protocol::Rid;

use super::{FIX_LABEL, SIGNED_TEXT_LABEL};
use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::{self, OutputFormat, to_json_line};
use crate::connect::Bank;
use crate::runtime;

/// Queries the rejection `rid` at the bank, and prints it.
pub(super) fn explain(bank: &Bank, rid: Rid, output: OutputFormat) -> Result<(), CliError> {
    let rejection = runtime::start()?.block_on(bank.operator()?.rejection(rid));
    let rejection = rejection.map_err(|error| bank.query_error(&error))?;
    match output {
        OutputFormat::Text => output::print(text(&rejection, bank.lang)),
        OutputFormat::Json => output::print(to_json_line(&rejection)),
    }
}

fn text(rejection: &RejectionDetails, lang: Lang) -> String {
    let brief = &rejection.brief;
    let (errcode, errmsg) = (brief.errcode, &brief.errmsg);
    let mut lines = vec![
        format!("{} {}", brief.method, brief.path),
        tr!(lang, "answered: {errcode} {errmsg}", "返回：{errcode} {errmsg}"),
    ];
    for finding in &rejection.findings {
        lines.push(finding.finding.clone());
        lines.push(format!("{}{}", FIX_LABEL.for_lang(lang), finding.fix));
    }
    lines.extend(
        rejection.signed_text.iter().map(|signed| format!("{}{signed}", SIGNED_TEXT_LABEL.for_lang(lang))),
    );
    lines.extend(rejection.parameters.iter().map(|parameter| received(parameter, lang)));
    lines.join("\n") + "\n"
}

fn received(ReceivedParameter { name, form, value, .. }: &ReceivedParameter, lang: Lang) -> String {
    match value {
        Some(value) => {
            tr!(lang, "received: {name} = {value} ({form})", "收到：{name} = {value}（{form}）")
        }
        None => tr!(lang, "received: {name} ({form}, not shown)", "收到：{name}（{form}，不显示）"),
    }
}
