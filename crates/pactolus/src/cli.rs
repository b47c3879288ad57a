//! The tree of commands, and the help of the program.
//!
//! To add a command: a file in `commands/` with its `clap::Args` and a function `run`, a variant of [`Command`], its
//! arm in [`Cli::run`], and its Chinese help in `cli/zh.rs`.

pub(crate) mod args;
pub(crate) mod csv;
pub(crate) mod escape;
pub(crate) mod exit;
pub(crate) mod i18n;
pub(crate) mod output;
pub(crate) mod receipts;
pub(crate) mod secret;
pub(crate) mod table;
mod usage_error;
mod zh;

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::cli::exit::{CliError, exit_code_table};
use crate::cli::i18n::{Lang, tr};
use crate::commands::{
    audit, backup, balance, cancelpay, clock, completions, copy, debit, demo, digest, doctor, explain,
    export, faults, init, metrics, migrate, operator_order, order, pay, present, rejections, rotate_keys,
    serve, session, sign, statement, token, totals,
};
use crate::logging::{self, CommandKind};
use crate::runtime;

/// A coin bank for games that speaks WeChat's Midas virtual-payment protocol.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 80)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Language of help and messages: en or zh; default: the locale's
    #[arg(long, global = true, value_name = "LANG", hide_possible_values = true)]
    lang: Option<Lang>,
    #[command(flatten)]
    logging: logging::Args,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Init(init::Args),
    Serve(serve::Args),
    Present(Box<present::Args>),
    Pay(Box<pay::Args>),
    Cancelpay(Box<cancelpay::Args>),
    Balance(Box<balance::Args>),
    Order(Box<order::Args>),
    Statement(Box<statement::Args>),
    Topup(Box<operator_order::TopupArgs>),
    Gift(Box<operator_order::GiftArgs>),
    Debit(Box<debit::Args>),
    Totals(Box<totals::Args>),
    Session(Box<session::Args>),
    Faults(Box<faults::Args>),
    Clock(Box<clock::Args>),
    Rejections(Box<rejections::Args>),
    Token(Box<token::Args>),
    Sign(Box<sign::Args>),
    Migrate(migrate::Args),
    Copy(copy::Args),
    RotateKeys(rotate_keys::Args),
    Explain(Box<explain::Args>),
    Audit(audit::Args),
    Digest(digest::Args),
    Backup(backup::BackupArgs),
    Restore(backup::RestoreArgs),
    Export(export::Args),
    Doctor(doctor::Args),
    Metrics(metrics::Args),
    Completions(completions::CompletionsArgs),
    Man(completions::ManArgs),
}

impl Cli {
    /// Parses the arguments. On an error, and for `--help` or `--version`, prints the text and exits the process.
    pub(crate) fn parse_from(lang: Lang, arguments: Vec<OsString>) -> Self {
        let command = Self::localized_command(lang);
        let matches = command.clone().try_get_matches_from(arguments).and_then(|matches| {
            match zh::requested_help(&matches) {
                // The help is an error of clap, which ends the process.
                Some(arguments) if lang == Lang::Zh => command.try_get_matches_from(arguments),
                Some(_) | None => Ok(matches),
            }
        });
        let parsed = matches.and_then(|matches| Self::from_arg_matches(&matches));
        parsed.unwrap_or_else(|error| usage_error::exit(error, lang))
    }

    /// The tree of commands, with its help in `lang`.
    pub(crate) fn localized_command(lang: Lang) -> clap::Command {
        let command = Self::command().after_help(after_help(lang));
        match lang {
            Lang::En => command,
            Lang::Zh => zh::translate(command),
        }
    }

    /// Runs the command.
    pub(crate) fn run(self, lang: Lang) -> Result<(), CliError> {
        // Shell completions and man pages are for every user of the machine.
        if !matches!(self.command, Command::Completions(_) | Command::Man(_)) {
            runtime::make_new_files_private();
        }
        let is_server = matches!(self.command, Command::Serve(_));
        logging::start(self.logging, if is_server { CommandKind::Server } else { CommandKind::Other });
        match self.command {
            Command::Demo(args) => demo::run(&args, lang),
            Command::Init(args) => init::run(&args, lang),
            Command::Serve(args) => serve::run(&args, lang),
            Command::Present(args) => present::run(&args, lang),
            Command::Pay(args) => pay::run(&args, lang),
            Command::Cancelpay(args) => cancelpay::run(&args, lang),
            Command::Balance(args) => balance::run(&args, lang),
            Command::Order(args) => order::run(&args, lang),
            Command::Statement(args) => statement::run(&args, lang),
            Command::Topup(args) => operator_order::top_up(&args, lang),
            Command::Gift(args) => operator_order::give(&args, lang),
            Command::Debit(args) => debit::run(&args, lang),
            Command::Totals(args) => totals::run(&args, lang),
            Command::Session(args) => session::run(&args, lang),
            Command::Faults(args) => faults::run(&args, lang),
            Command::Clock(args) => clock::run(&args, lang),
            Command::Rejections(args) => rejections::run(&args, lang),
            Command::Token(args) => token::run(&args, lang),
            Command::Sign(args) => sign::run(&args, lang),
            Command::Backup(args) => backup::back_up(&args, lang),
            Command::Restore(args) => backup::restore(&args, lang),
            Command::Export(args) => export::run(&args, lang),
            Command::Doctor(args) => doctor::run(&args, lang),
            Command::Metrics(args) => metrics::run(&args, lang),
            Command::Completions(args) => completions::completions(&args, Self::localized_command(lang)),
            Command::Man(args) => completions::man(&args, Self::localized_command(lang), lang),
            Command::Audit(args) => audit::run(&args, lang),
            Command::Digest(args) => digest::run(&args, lang),
            Command::Explain(args) => explain::run(&args, lang),
            Command::Migrate(args) => migrate::run(&args, lang),
            Command::Copy(args) => copy::run(&args, lang),
            Command::RotateKeys(args) => rotate_keys::run(&args, lang),
        }
    }
}

fn after_help(lang: Lang) -> String {
    tr!(
        lang,
        "\
Examples:
  pactolus demo     run a sample bank and call it
  pactolus init     write a pactolus.toml with fresh keys
  pactolus serve    serve the bank that the file describes
  pactolus present  give coins to one player, or to all players in a file
  pactolus audit    verify the books of a store
  pactolus copy     copy a whole bank to another store
  pactolus migrate  create or upgrade the tables of a store on PostgreSQL
  pactolus explain  diagnose a refused call by the rid of its errmsg

Exit codes:
{}",
        "\
示例：
  pactolus demo     用示例数据演示一个游戏币账户服务
  pactolus init     生成带有全新密钥的 pactolus.toml
  pactolus serve    按配置文件提供服务
  pactolus present  给一个玩家或文件中的所有玩家赠送游戏币
  pactolus audit    核对存储的账目
  pactolus copy     将整个账户服务复制到另一个存储
  pactolus migrate  在 PostgreSQL 上创建或升级数据表
  pactolus explain  根据 errmsg 末尾的 rid 诊断调用被拒绝的原因

退出码：
{}",
        exit_code_table(lang)
    )
}

#[cfg(test)]
mod flag_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_definition_is_valid() {
        Cli::command().debug_assert();
    }
}
