//! `pactolus clock`: shows the bank's clock, or sets a manual one.

use jiff::Timestamp;
use pactolus_client::operator::{ClockChange, ClockKind, OperatorError, ProblemKind};
use pactolus_client::{Clock as _, OrderOutcome, SystemClock, UnixMillis};

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, localized_chain, tr};
use crate::cli::output::{self, OutputFormat, to_json_line};
use crate::cli::receipts::time;
use crate::connect::{Bank, BankArgs};
use crate::runtime;

/// Show the bank's clock, or set a manual one
///
/// Without a flag, shows the time. A bank that was started with `serve --clock manual` can be set, forward and back, to
/// test what expires. A bank on the system's clock refuses. It calls the operator API, so it needs the operator token.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Set the clock to a time, such as 2017-10-09T06:32:17Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    set: Option<UnixMillis>,
    /// Advance the clock by so many seconds; a negative number sets it back
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, conflicts_with = "set")]
    advance: Option<i64>,
    /// Set the clock to the time of this machine
    #[arg(long, conflicts_with_all = ["set", "advance"])]
    system_time: bool,
    #[command(flatten)]
    bank: BankArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

fn parse_time(text: &str) -> Result<UnixMillis, String> {
    let at: Timestamp = text.parse().map_err(|_| "it must be like 2017-10-09T06:32:17Z".to_owned())?;
    let millis = u64::try_from(at.as_millisecond()).map_err(|_| "it is before 1970".to_owned())?;
    Ok(UnixMillis::new(millis))
}

/// Sets the clock if asked to, and prints the time.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let bank = args.bank.resolve(lang)?;
    let operator = bank.operator()?;
    let change = match (args.set, args.advance, args.system_time) {
        (Some(time), ..) => Some(ClockChange::Set(time)),
        (None, Some(seconds), _) => Some(ClockChange::AdvanceSeconds(seconds)),
        (None, None, true) => Some(ClockChange::Set(SystemClock.now())),
        (None, None, false) => None,
    };
    let details = runtime::start()?.block_on(async {
        match change {
            Some(change) => operator.set_clock(change).await,
            None => operator.clock().await,
        }
    });
    let details = details.map_err(|error| clock_error(&error, &bank))?;
    match args.output {
        OutputFormat::Json => output::print(to_json_line(&details)),
        OutputFormat::Text => {
            let kind = match details.clock {
                ClockKind::System => tr!(lang, "the system's clock", "系统时钟"),
                ClockKind::Manual => tr!(lang, "a manual clock", "手动时钟"),
            };
            output::print(format_args!("{}  ({kind})\n", time(details.now_ms)))
        }
    }
}

/// An advance without an answer may have moved the clock, and a second one would move it again.
fn clock_error(error: &OperatorError, bank: &Bank) -> CliError {
    let lang = bank.lang;
    match (error.problem_kind(), error.outcome()) {
        (Some(ProblemKind::Conflict), _) => CliError::message(
            ExitCode::Refused,
            tr!(
                lang,
                "this bank runs on the system's clock; a manual one starts with `pactolus serve --clock manual`",
                "该服务使用系统时钟；如需手动时钟，请用 `pactolus serve --clock manual` 启动"
            ),
        ),
        (None, OrderOutcome::Unknown) => {
            let why = localized_chain(error, lang);
            let message = tr!(
                lang,
                "the clock may have been set, or not: {why}; `pactolus clock` shows it",
                "时钟可能已拨动，也可能没有：{why}；请用 `pactolus clock` 查看"
            );
            CliError::message(ExitCode::Unknown, message)
        }
        _ => bank.query_error(error),
    }
}
