//! `pactolus doctor`: checks the set-up of a bank on this machine; every finding comes with its fix.
//!
//! It changes nothing, and may run while the bank is served. Read next: [`checks`].

mod checks;
mod dates;
mod permissions;

use serde_json::json;

use crate::cli::args::ConfigPath;
use crate::cli::escape::EscapedText;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::{self, OutputFormat};
use crate::config::{Config, EnvSnapshot};
use crate::runtime;

/// Check a bank's set-up, and suggest fixes
///
/// Checks the configuration, the clock, the disk, the store, the port, and the settings of each app. Exits with 1 on
/// errors. Warnings do not change the exit code. It changes nothing, and may run while the bank is served.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigPath,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Pass,
    /// Advice: does not change the exit code.
    Warning,
    /// An error: exit code 1.
    Error,
}

impl Severity {
    const fn name(self) -> &'static str {
        match self {
            Self::Pass => "good",
            Self::Warning => "note",
            Self::Error => "bad",
        }
    }

    fn localized(self, lang: Lang) -> String {
        match self {
            Self::Pass => tr!(lang, "good", "正常"),
            Self::Warning => tr!(lang, "note", "注意"),
            Self::Error => tr!(lang, "bad ", "问题"),
        }
    }
}

/// A finding.
#[derive(Debug)]
struct CheckResult {
    level: Severity,
    /// The subject of the check.
    subject: &'static str,
    message: String,
    fix: Option<String>,
}

impl CheckResult {
    fn pass(about: &'static str, words: String) -> Self {
        Self { level: Severity::Pass, subject: about, message: words, fix: None }
    }

    fn warning(about: &'static str, words: String, fix: String) -> Self {
        Self { level: Severity::Warning, subject: about, message: words, fix: Some(fix) }
    }

    fn error(about: &'static str, words: String, fix: String) -> Self {
        Self { level: Severity::Error, subject: about, message: words, fix: Some(fix) }
    }
}

/// Runs all checks and prints the findings.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let path = &args.config.config;
    let mut findings = vec![checks::clock(lang)];
    match Config::read(path, &EnvSnapshot::capture()) {
        Err(problems) => findings.extend(problems.lines(lang).into_iter().map(|problem| {
            CheckResult::error("configuration", problem, tr!(lang, "correct this setting", "请修正这项设置"))
        })),
        Ok(config) => {
            findings.extend(checks::configuration(path, lang));
            findings.extend(checks::store(&config, lang));
            findings.extend(dates::check(&config, lang));
            findings.push(checks::seal(&config, lang));
            findings.push(runtime::start()?.block_on(checks::port(&config, lang)));
            findings.extend(config.server.apps.iter().flat_map(|app| checks::app(app, lang)));
            findings.extend(checks::operator(&config, lang));
        }
    }
    match args.output {
        OutputFormat::Json => {
            let objects: Vec<_> = findings.iter().map(to_json).collect();
            output::print(format_args!("{}\n", json!(objects)))?;
        }
        OutputFormat::Text => {
            let lines: Vec<_> = findings.iter().map(|finding| to_text(finding, lang)).collect();
            output::print(lines.concat())?;
        }
    }
    let bad = findings.iter().filter(|finding| finding.level == Severity::Error).count();
    if bad == 0 {
        return Ok(());
    }
    Err(CliError::message(ExitCode::Failed, tr!(lang, "problems to fix: {bad}", "需要修正的问题数：{bad}")))
}

fn to_json(finding: &CheckResult) -> serde_json::Value {
    let CheckResult { level, subject, message, fix } = finding;
    json!({ "level": level.name(), "about": subject, "finding": message, "fix": fix })
}

fn to_text(finding: &CheckResult, lang: Lang) -> String {
    let CheckResult { level, subject, message, fix } = finding;
    let (level, message) = (level.localized(lang), EscapedText(message));
    let mut text = match lang {
        Lang::En => format!("{level}  {subject}: {message}\n"),
        Lang::Zh => format!("{level}  {}：{message}\n", subject_in_chinese(subject)),
    };
    if let Some(fix) = fix.as_ref().map(EscapedText) {
        text += &tr!(lang, "      fix: {fix}\n", "      处理方法：{fix}\n");
    }
    text
}

/// The subject of a check, for people. JSON has it in English.
fn subject_in_chinese(subject: &str) -> &str {
    match subject {
        "clock" => "时钟",
        "configuration" => "配置",
        "store" => "存储",
        "disk" => "磁盘",
        "seal" => "加密",
        "port" => "端口",
        "app" => "应用",
        "operator" => "运维令牌",
        other => other,
    }
}
