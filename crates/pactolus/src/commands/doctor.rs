//! `pactolus doctor`: what is wrong with a bank's set-up on this machine, each finding with its fix.
//!
//! It changes nothing and may be run while the bank is served. Read next: [`checks`], what is looked at.

mod checks;

use serde_json::json;

use crate::cli::args::ConfigPath;
use crate::cli::exit::{Failure, Kind};
use crate::cli::i18n::{Lang, words};
use crate::cli::output::{self, Output};
use crate::config::{Config, Variables};
use crate::runtime;

/// Check a bank's set-up, and say how to mend it
///
/// Looks at the configuration, the clock, the disk, the store, the port, and at the settings that callers meet. What is
/// bad ends it with exit code 1; what is only to be thought about does not.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigPath,
    /// How to print what is found
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// All is well.
    Good,
    /// Something to think about.
    Note,
    /// Something to mend.
    Bad,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Bad => "bad",
        }
    }

    fn in_words(self, lang: Lang) -> String {
        match self {
            Self::Good => words!(lang, "good", "正常"),
            Self::Note => words!(lang, "note", "注意"),
            Self::Bad => words!(lang, "bad ", "问题"),
        }
    }
}

/// What was found.
#[derive(Debug)]
struct Finding {
    level: Level,
    /// What was looked at.
    about: &'static str,
    words: String,
    /// What to do about it.
    fix: Option<String>,
}

impl Finding {
    fn good(about: &'static str, words: String) -> Self {
        Self { level: Level::Good, about, words, fix: None }
    }

    fn note(about: &'static str, words: String, fix: String) -> Self {
        Self { level: Level::Note, about, words, fix: Some(fix) }
    }

    fn bad(about: &'static str, words: String, fix: String) -> Self {
        Self { level: Level::Bad, about, words, fix: Some(fix) }
    }
}

/// Looks, and prints what it finds.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), Failure> {
    let path = &args.config.config;
    let mut findings = vec![checks::clock(lang)];
    match Config::read(path, &Variables::of_this_process()) {
        Err(problems) => findings.push(Finding::bad(
            "configuration",
            problems.to_string(),
            words!(lang, "mend the lines that are named", "请修正所列的行"),
        )),
        Ok(config) => {
            findings.extend(checks::configuration(path, lang));
            findings.extend(checks::store(&config, lang));
            findings.push(checks::seal(&config, lang));
            findings.push(runtime::start()?.block_on(checks::port(&config, lang)));
            findings.extend(config.bank.apps.iter().flat_map(|app| checks::app(app, lang)));
            findings.extend(checks::operator(&config, lang));
        }
    }
    match args.output {
        Output::Json => {
            let told: Vec<_> = findings.iter().map(told).collect();
            output::print(format_args!("{}\n", json!(told)))?;
        }
        Output::Text => {
            let shown: Vec<_> = findings.iter().map(|finding| shown(finding, lang)).collect();
            output::print(shown.concat())?;
        }
    }
    let bad = findings.iter().filter(|finding| finding.level == Level::Bad).count();
    if bad == 0 {
        return Ok(());
    }
    Err(Failure::said(Kind::Failed, words!(lang, "things to mend: {bad}", "需要修正的问题数：{bad}")))
}

fn told(finding: &Finding) -> serde_json::Value {
    let Finding { level, about, words, fix } = finding;
    json!({ "level": level.name(), "about": about, "finding": words, "fix": fix })
}

fn shown(finding: &Finding, lang: Lang) -> String {
    let Finding { level, about, words, fix } = finding;
    let mut text = format!("{}  {about}: {words}\n", level.in_words(lang));
    if let Some(fix) = fix {
        text += &words!(lang, "      to mend it: {fix}\n", "      处理方法：{fix}\n");
    }
    text
}
