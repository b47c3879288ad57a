//! Output of the demo: at most 80 columns, with colours on a terminal that allows them.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use pactolus_types::Environment;

use super::Args;
use super::sample::{SampleApp, SigningKey};
use crate::cli::escape::EscapedText;
use crate::cli::i18n::{BilingualText, Lang, tr};
use crate::cli::output;
use crate::config::{DEFAULT_LISTEN, StoreUrl};

const COLUMNS: usize = 80;
const INDENT: &str = "   ";
/// Prefix of a reply.
const ARROW: &str = "=> ";

const TITLE_STYLE: Style = Style::new().bold();
const REQUEST_STYLE: Style = AnsiColor::Cyan.on_default();
const DONE_STYLE: Style = AnsiColor::Green.on_default();
const REFUSED_STYLE: Style = AnsiColor::Yellow.on_default();

const INVITATION: BilingualText =
    BilingualText { en: "Your turn: another 100 coins.", zh: "轮到您了：再赠送 100 个游戏币。" };

/// Outcome of a call; it selects the colour.
#[derive(Clone, Copy)]
pub(super) enum ReplyOutcome {
    Done,
    Refused,
}

impl ReplyOutcome {
    const fn style(self) -> Style {
        match self {
            Self::Done => DONE_STYLE,
            Self::Refused => REFUSED_STYLE,
        }
    }
}

/// Prints the steps of the demo.
pub(super) struct Printer {
    out: AutoStream<io::Stdout>,
    lang: Lang,
    steps: usize,
}

impl Printer {
    pub(super) fn new(lang: Lang) -> Self {
        Self { out: anstream::stdout(), lang, steps: 0 }
    }

    pub(super) fn opening(&mut self, address: SocketAddr, folder: &Path, args: &Args) -> anyhow::Result<()> {
        let (lang, folder) = (self.lang, EscapedText(folder.display()));
        if args.listen.is_none() && address != DEFAULT_LISTEN {
            self.line(tr!(
                lang,
                "note: {DEFAULT_LISTEN} is taken, so this bank uses another port",
                "注意：{DEFAULT_LISTEN} 已被占用，因此改用其他端口"
            ))?;
        }
        self.line(tr!(
            lang,
            "A bank with the sample values of the vendor's page for midasPresent.",
            "一个使用官方 midasPresent 文档示例数据的游戏币账户服务。"
        ))?;
        // Scripts wait for this line, so it is the same in every language.
        self.line(format_args!("listening on http://{address}"))?;
        self.line(if args.keep {
            tr!(lang, "orders in {folder}, kept at the end", "订单保存在 {folder}，结束时保留")
        } else {
            tr!(lang, "orders in {folder}, removed at the end", "订单保存在 {folder}，结束时删除")
        })
    }

    /// Prints the title of the next step.
    pub(super) fn step(&mut self, title: BilingualText) -> anyhow::Result<()> {
        self.steps += 1;
        let (number, title) = (self.steps, title.for_lang(self.lang));
        self.line(format_args!("\n{TITLE_STYLE}{number}. {title}{TITLE_STYLE:#}"))
    }

    /// Prints a request: its line, one relevant header, the body.
    pub(super) fn request(
        &mut self,
        request_line: &str,
        header: Option<&str>,
        body: &str,
    ) -> anyhow::Result<()> {
        self.line(format_args!("{INDENT}{request_line}"))?;
        header.map_or(Ok(()), |header| self.line(format_args!("{INDENT}{header}")))?;
        self.json(INDENT, REQUEST_STYLE, body)
    }

    /// Prints a reply.
    pub(super) fn reply(&mut self, outcome: ReplyOutcome, body: &str) -> anyhow::Result<()> {
        self.json(ARROW, outcome.style(), body)
    }

    pub(super) fn balance(&mut self, environment: Environment, balance: u64) -> anyhow::Result<()> {
        let coins = tr!(self.lang, "{balance} coins", "{balance} 个游戏币");
        self.line(format_args!("{INDENT}{environment:8} {DONE_STYLE}{coins}{DONE_STYLE:#}"))
    }

    /// Prints a signed call for the reader to try.
    pub(super) fn invitation(&mut self, address: SocketAddr, sample: &SampleApp) -> anyhow::Result<()> {
        let (path, body) = sample.present(Environment::Live, "BillNo_124", 100, SigningKey::RightKey);
        self.step(INVITATION)?;
        // JSON ignores white space, so the wrapped lines can be pasted into a shell as they are.
        self.line(format_args!("{INDENT}curl -d '"))?;
        self.json(INDENT, REQUEST_STYLE, &body)?;
        self.line(format_args!("{INDENT}' 'http://{address}{path}'"))?;
        self.line(tr!(
            self.lang,
            "\nThe bank is running until Ctrl-C.",
            "\n服务会一直运行，直到按下 Ctrl-C。"
        ))
    }

    pub(super) fn end(&mut self, store: &StoreUrl, args: &Args) -> anyhow::Result<()> {
        if args.keep {
            self.line(tr!(
                self.lang,
                "\nThe orders are kept. To verify the books:",
                "\n订单已保留。核对账目："
            ))?;
            self.line(format_args!("{INDENT}pactolus audit --store {}", EscapedText(store)))?;
        }
        self.line(tr!(self.lang, "\nA bank of your own: pactolus init", "\n建立您自己的服务：pactolus init"))
    }

    /// Prints wrapped JSON with a prefix on its first line.
    fn json(&mut self, first: &str, style: Style, json: &str) -> anyhow::Result<()> {
        let mut before = first;
        for line in wrap(json, COLUMNS - INDENT.len()) {
            self.line(format_args!("{before}{style}{line}{style:#}"))?;
            before = INDENT;
        }
        Ok(())
    }

    fn line(&mut self, line: impl Display) -> anyhow::Result<()> {
        let written = writeln!(self.out, "{line}");
        output::note_closed(&written);
        written.context("cannot write to stdout")
    }
}

/// Wraps JSON to `columns`, after commas where possible.
fn wrap(json: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for field in json.split_inclusive(',') {
        if !line.is_empty() && line.len() + field.len() > columns {
            lines.push(std::mem::replace(&mut line, " ".to_owned()));
        }
        line.push_str(field);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_wraps_between_fields() {
        let json = r#"{"a":1,"b":"two","c":3}"#;
        assert_eq!(wrap(json, 80), [json]);
        assert_eq!(wrap(json, 17), [r#"{"a":1,"b":"two","#, r#" "c":3}"#]);
        assert_eq!(wrap(json, 1), [r#"{"a":1,"#, r#" "b":"two","#, r#" "c":3}"#]);
    }
}
