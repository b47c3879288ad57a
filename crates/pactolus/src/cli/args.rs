//! Arguments shared by several commands.

use std::path::PathBuf;

use pactolus_client::BillNoGenerator;
use pactolus_types::{Amount, BillNo};

use crate::cli::i18n::{Lang, tr};
use crate::cli::output;

/// Path of the configuration when none is given.
pub(crate) const DEFAULT_CONFIG: &str = "pactolus.toml";

/// Path of the configuration, for every command that reads or writes it.
#[derive(clap::Args)]
pub(crate) struct ConfigPath {
    /// Configuration file
    #[arg(
        long,
        value_name = "FILE",
        default_value = DEFAULT_CONFIG,
        env = "PACTOLUS_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: PathBuf,
}

/// Parses a positive number of coins.
pub(crate) fn parse_amount(text: &str) -> Result<Amount, String> {
    let count: u64 = text.parse().map_err(|_| "it must be a whole number of coins".to_owned())?;
    Amount::new(count).map_err(|error| format!("it {error}"))
}

/// Returns the requested bill number, or generates one and prints it before anything is sent.
pub(crate) fn bill_no_or_new(requested: Option<BillNo>, lang: Lang) -> BillNo {
    requested.unwrap_or_else(|| {
        let bill_no = BillNoGenerator::new().next();
        output::eprintln(tr!(lang, "bill number: {bill_no}", "订单号：{bill_no}"));
        bill_no
    })
}
