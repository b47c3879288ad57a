//! Online diagnosis: the bank's own findings, from the operator API.

use pactolus_client::operator::{ReceivedParameter, RejectionDetails};
use pactolus_protocol::Rid;

use super::{finding_lines, signed_text_line};
use crate::cli::escape::escaped_line;
use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, localize, tr};
use crate::cli::output::{self, OutputFormat, to_json_line};
use crate::connect::Bank;
use crate::runtime;

/// Queries the rejection `rid` at the bank.
pub(super) fn fetch(bank: &Bank, rid: Rid) -> Result<RejectionDetails, CliError> {
    let rejection = runtime::start()?.block_on(bank.operator()?.rejection(rid));
    rejection.map_err(|error| bank.query_error(&error))
}

/// Prints a rejection.
pub(super) fn print(rejection: &RejectionDetails, output: OutputFormat, lang: Lang) -> Result<(), CliError> {
    match output {
        OutputFormat::Text => output::print(text(rejection, lang)),
        OutputFormat::Json => output::print(to_json_line(rejection)),
    }
}

fn text(rejection: &RejectionDetails, lang: Lang) -> String {
    let brief = &rejection.brief;
    let (errcode, errmsg) = (brief.errcode, &brief.errmsg);
    let answer = tr!(lang, "answered: {errcode} {errmsg}", "返回：{errcode} “{errmsg}”");
    let mut text = escaped_line(format_args!("{} {}", brief.method, brief.path)) + &escaped_line(answer);
    for finding in &rejection.findings {
        text += &finding_lines(&finding.finding, &finding.fix, lang);
    }
    if let Some(signed) = &rejection.signed_text {
        text += &signed_text_line(signed, lang);
    }
    for parameter in &rejection.parameters {
        text += &escaped_line(received(parameter, lang));
    }
    text
}

fn received(ReceivedParameter { name, form, value, .. }: &ReceivedParameter, lang: Lang) -> String {
    let form = localize(form, lang);
    match value {
        Some(value) => {
            tr!(lang, "received: {name} = {value} ({form})", "收到：{name} = {value}（{form}）")
        }
        None => tr!(lang, "received: {name} ({form}, not shown)", "收到：{name}（{form}，不显示）"),
    }
}
