//! A running bank's own findings, by the operator API.

use std::io::{self, Write};

use anyhow::Context as _;
use pactolus_protocol::Rid;
use serde_json::Value;

use super::{FIX, SIGNED};
use crate::cli::exit::Failure;
use crate::cli::i18n::{Lang, words};
use crate::cli::output::Output;
use crate::config::Config;
use crate::operator::{self, Operator};
use crate::runtime;

/// Asks the bank at `url` about the request `rid`, and prints what it tells.
pub(super) fn explain(
    config: &Config,
    url: Option<&str>,
    rid: Rid,
    output: Output,
    lang: Lang,
) -> Result<(), Failure> {
    let bank = url.map_or(Ok(config.listen), operator::address)?;
    let operator = Operator::new(bank, config.bank.operator_token.clone());
    let rejection = runtime::start()?.block_on(operator.get(&format!("/api/v1/rejections/{rid}")))?;
    let printed = match output {
        Output::Text => text(&mut io::stdout(), &rejection, lang),
        Output::Json => writeln!(io::stdout(), "{rejection}"),
    };
    Ok(printed.context("stdout cannot be written to")?)
}

fn text(out: &mut impl Write, rejection: &Value, lang: Lang) -> io::Result<()> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    writeln!(out, "{} {}", word(&rejection["method"]), word(&rejection["path"]))?;
    let (errcode, errmsg) = (&rejection["errcode"], word(&rejection["errmsg"]));
    writeln!(out, "{}", words!(lang, "answered: {errcode} {errmsg}", "返回：{errcode} {errmsg}"))?;
    for finding in list(&rejection["findings"]) {
        writeln!(out, "{}", word(&finding["finding"]))?;
        writeln!(out, "{}{}", FIX.of(lang), word(&finding["fix"]))?;
    }
    if let Some(signed) = rejection["signed_text"].as_str() {
        writeln!(out, "{}{signed}", SIGNED.of(lang))?;
    }
    for parameter in list(&rejection["parameters"]) {
        let (name, form) = (word(&parameter["name"]), word(&parameter["form"]));
        let line = match parameter["value"].as_str() {
            Some(value) => {
                words!(lang, "received: {name} = {value} ({form})", "收到：{name} = {value}（{form}）")
            }
            None => words!(lang, "received: {name} ({form}, not shown)", "收到：{name}（{form}，不显示）"),
        };
        writeln!(out, "{line}")?;
    }
    Ok(())
}
