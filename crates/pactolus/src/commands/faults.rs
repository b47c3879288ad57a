//! `pactolus faults`: lists, sets or clears the fault rules of an app's sandbox.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use pactolus_client::operator::{Fault, FaultRule, FaultRuleStatus};
use serde_json::Value;

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, localize, tr};
use crate::cli::output::{self, OutputFormat, to_json_line};
use crate::cli::table::Table;
use crate::connect::AppConnectArgs;
use crate::runtime;

/// List, set or clear the fault rules of the sandbox
///
/// Without --set and --clear, lists the rules with their hits. The rules make the bank lose, delay or refuse calls of
/// the sandbox, for tests of a back end; the live environment is never affected. It calls the operator API, so it
/// needs the operator token.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Replace the rules by those of a JSON file, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "clear")]
    set: Option<PathBuf>,
    /// Remove all rules
    #[arg(long)]
    clear: bool,
    #[command(flatten)]
    connect: AppConnectArgs,
    /// Output format; JSON is one rule a line
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

const EXAMPLES: &str = "\
Examples:
  pactolus faults
  echo '[{\"call\": \"present\", \"fault\": \"close_after\"}]' | pactolus faults --set -
  pactolus faults --clear";

/// Changes the rules if asked to, and prints them.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let new = match (&args.set, args.clear) {
        (Some(file), _) => Some(read_rules(file, lang)?),
        (None, true) => Some(Vec::new()),
        (None, false) => None,
    };
    let (bank, appid) = args.connect.resolve(lang)?;
    let operator = bank.operator()?;
    let rules = runtime::start()?.block_on(async {
        match &new {
            Some(rules) => operator.set_faults(appid, rules).await,
            None => operator.faults(appid).await,
        }
    });
    let rules = rules.map_err(|error| bank.query_error(&error))?;
    match args.output {
        OutputFormat::Json => output::print(rules.iter().map(to_json_line).collect::<Vec<_>>().concat()),
        OutputFormat::Text => output::print(table(&rules)),
    }
}

/// Reads the rules as `PUT …/faults` takes them: fields without a value have their defaults.
fn read_rules(file: &Path, lang: Lang) -> Result<Vec<FaultRule>, CliError> {
    let name = file.display();
    let invalid = |why: String| {
        let message = tr!(lang, "{name} is no list of fault rules: {why}", "{name} 不是故障规则列表：{why}");
        CliError::message(ExitCode::Input, message)
    };
    let bytes = super::read_file_or_stdin(file).map_err(|error| {
        CliError::message(
            ExitCode::Input,
            tr!(lang, "{name} cannot be read: {}", "无法读取 {name}：{}", localize(&error.to_string(), lang)),
        )
    })?;
    let rules: Vec<Value> =
        serde_json::from_slice(&bytes).map_err(|error| invalid(localize(&error.to_string(), lang)))?;
    let mut read = Vec::new();
    for (index, mut rule) in rules.into_iter().enumerate() {
        let number = index + 1;
        if let Some(fields) = rule.as_object_mut() {
            let known = ["call", "fault", "one_in", "seed", "times"];
            if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
                return Err(invalid(tr!(
                    lang,
                    "rule {number} has an unknown field {unknown:?}",
                    "第 {number} 条规则有未知字段 {unknown:?}"
                )));
            }
            fields.entry("one_in").or_insert(NonZeroU64::MIN.get().into());
            fields.entry("seed").or_insert(0.into());
        }
        let rule = serde_json::from_value(rule)
            .map_err(|error| localize(&error.to_string(), lang))
            .map_err(|why| invalid(tr!(lang, "rule {number}: {why}", "第 {number} 条规则：{why}")))?;
        read.push(rule);
    }
    Ok(read)
}

fn table(rules: &[FaultRuleStatus]) -> Table<6> {
    let mut table = Table::new(["call", "fault", "one_in", "seed", "times", "hits"]);
    for FaultRuleStatus { rule, hits } in rules {
        let fault = match rule.fault {
            Fault::Answer(errcode) => format!("answer {errcode}"),
            Fault::DelayMs(millis) => format!("delay_ms {millis}"),
            Fault::CloseBefore => "close_before".to_owned(),
            Fault::CloseAfter => "close_after".to_owned(),
        };
        table.push_row([
            rule.call.name().to_owned(),
            fault,
            rule.one_in.to_string(),
            rule.seed.to_string(),
            rule.times.map(|times| times.to_string()).unwrap_or_default(),
            hits.to_string(),
        ]);
    }
    table
}
