//! Online diagnosis: the bank's own findings, from the operator API.

use std::io::{self, Write};

use anyhow::Context as _;
use pactolus_protocol::Rid;
use serde_json::Value;

use super::{FIX_LABEL, SIGNED_TEXT_LABEL};
use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::{self, OutputFormat};
use crate::config::Config;
use crate::connect::CALL_TIMEOUT;
use crate::operator::{self, OperatorClient};
use crate::runtime;

/// Queries the rejection `rid` at the bank, and prints it.
pub(super) fn explain(
    config: &Config,
    url: Option<&str>,
    rid: Rid,
    output: OutputFormat,
    lang: Lang,
) -> Result<(), CliError> {
    let bank = url.map_or(Ok(config.listen), |url| operator::resolve_address(url, lang))?;
    let operator = OperatorClient::new(bank, config.server.operator_token.clone(), CALL_TIMEOUT);
    let rejection = runtime::start()?.block_on(operator.get(&format!("/api/v1/rejections/{rid}"), lang))?;
    let printed = match output {
        OutputFormat::Text => text(&mut output::stdout(), &rejection, lang),
        OutputFormat::Json => writeln!(output::stdout(), "{rejection}"),
    };
    Ok(printed.context("cannot write to stdout")?)
}

fn text(out: &mut impl Write, rejection: &Value, lang: Lang) -> io::Result<()> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    writeln!(out, "{} {}", word(&rejection["method"]), word(&rejection["path"]))?;
    let (errcode, errmsg) = (&rejection["errcode"], word(&rejection["errmsg"]));
    writeln!(out, "{}", tr!(lang, "answered: {errcode} {errmsg}", "返回：{errcode} {errmsg}"))?;
    for finding in list(&rejection["findings"]) {
        writeln!(out, "{}", word(&finding["finding"]))?;
        writeln!(out, "{}{}", FIX_LABEL.for_lang(lang), word(&finding["fix"]))?;
    }
    if let Some(signed) = rejection["signed_text"].as_str() {
        writeln!(out, "{}{signed}", SIGNED_TEXT_LABEL.for_lang(lang))?;
    }
    for parameter in list(&rejection["parameters"]) {
        let (name, form) = (word(&parameter["name"]), word(&parameter["form"]));
        let line = match parameter["value"].as_str() {
            Some(value) => {
                tr!(lang, "received: {name} = {value} ({form})", "收到：{name} = {value}（{form}）")
            }
            None => tr!(lang, "received: {name} ({form}, not shown)", "收到：{name}（{form}，不显示）"),
        };
        writeln!(out, "{line}")?;
    }
    Ok(())
}
