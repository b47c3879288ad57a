//! Arguments shared by several commands.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use pactolus_client::BillNoGenerator;
use pactolus_types::{Amount, BillNo, Environment};

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output;

/// Path of the configuration when none is given.
pub(crate) const DEFAULT_CONFIG: &str = "pactolus.toml";

/// Variable that names the configuration.
pub(crate) const CONFIG_VARIABLE: &str = "PACTOLUS_CONFIG";

/// Path of the configuration that the environment names.
pub(crate) fn config_variable() -> Option<PathBuf> {
    std::env::var_os(CONFIG_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Path of the configuration, for every command that reads or writes it.
#[derive(clap::Args)]
pub(crate) struct ConfigPath {
    /// Configuration file
    #[arg(
        long,
        value_name = "FILE",
        default_value = DEFAULT_CONFIG,
        env = CONFIG_VARIABLE,
        hide_env_values = true
    )]
    pub(crate) config: PathBuf,
}

/// Parses a positive number of coins.
pub(crate) fn parse_amount(text: &str) -> Result<Amount, String> {
    let count: u64 = text.parse().map_err(|_| "it must be a whole number of coins".to_owned())?;
    Amount::new(count).map_err(|error| format!("it {error}"))
}

/// How a command is repeated after an unknown outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryForm {
    /// With the same bill number: the bank compares the orders.
    SameNumber,
    /// With the same bill number and `--resume`: the host may not say which order has the number.
    WithResume,
}

impl RetryForm {
    /// The arguments that repeat the command.
    pub(crate) fn arguments(self, bill_no: BillNo) -> String {
        match self {
            Self::SameNumber => format!("--bill-no {bill_no}"),
            Self::WithResume => format!("--bill-no {bill_no} --resume"),
        }
    }
}

/// Returns the requested bill number, or generates one and prints it before anything is sent.
///
/// A generated number is lost with the output. A script that then repeats its command would make a second order of
/// real coins, so without a terminal a live order needs a number that the script knows.
pub(crate) fn bill_no_or_new(
    requested: Option<BillNo>,
    environment: Environment,
    repetition: RetryForm,
    lang: Lang,
) -> Result<BillNo, CliError> {
    if let Some(bill_no) = requested {
        return Ok(bill_no);
    }
    if environment == Environment::Live && !io::stdin().is_terminal() {
        let (and_resume, and_resume_zh) = match repetition {
            RetryForm::SameNumber => ("", ""),
            RetryForm::WithResume => (" and --resume", "并加 --resume "),
        };
        return Err(CliError::message(
            ExitCode::Usage,
            tr!(
                lang,
                "without a terminal, a live order needs --bill-no NUMBER: keep the number, and repeat the command with \
                 it{and_resume} if the outcome is unknown",
                "没有终端时，正式环境的订单须给出 --bill-no NUMBER：请保存该订单号；若结果未知，请用同一订单号\
                 {and_resume_zh}再次运行"
            ),
        ));
    }
    let bill_no = BillNoGenerator::new().next();
    output::eprintln(tr!(lang, "bill number: {bill_no}", "订单号：{bill_no}"));
    Ok(bill_no)
}
