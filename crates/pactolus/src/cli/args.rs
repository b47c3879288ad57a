//! Arguments that several commands take.

use std::path::PathBuf;

use anyhow::anyhow;
use pactolus_client::BillNoGenerator;
use pactolus_protocol::SessionKey;
use pactolus_types::{Amount, BillNo};

use crate::cli::i18n::{Lang, tr};

/// Where the configuration is, if it is not said.
pub(crate) const DEFAULT_CONFIG: &str = "pactolus.toml";

/// Where the configuration is, for every command that reads or writes it.
#[derive(clap::Args)]
pub(crate) struct ConfigPath {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        default_value = DEFAULT_CONFIG,
        env = "PACTOLUS_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: PathBuf,
}

/// The amount of coins that a text writes.
pub(crate) fn parse_amount(text: &str) -> Result<Amount, String> {
    let count: u64 = text.parse().map_err(|_| "it must be a whole number of coins".to_owned())?;
    Amount::new(count).map_err(|error| format!("it {error}"))
}

/// The number of an order: the one that was said, else a new one, which is shown before anything is sent.
pub(crate) fn bill_no_or_new(requested: Option<BillNo>, lang: Lang) -> BillNo {
    requested.unwrap_or_else(|| {
        let bill_no = BillNoGenerator::new().next();
        eprintln!("{}", tr!(lang, "bill number: {bill_no}", "订单号：{bill_no}"));
        bill_no
    })
}

/// The session key of a command line, which no error shows.
pub(crate) fn parse_session_key(text: Option<&str>) -> anyhow::Result<Option<SessionKey>> {
    text.map(|text| SessionKey::new(text).map_err(|error| anyhow!("--session-key {error}"))).transpose()
}
