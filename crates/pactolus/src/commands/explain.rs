//! `pactolus explain`: why a call was refused, as a running bank tells it or from the request alone.
//!
//! What is printed holds no key, no token and no whole signature, so that it can be shown to others.
//! Read next: [`offline`], the request alone; [`online`], the bank's own findings.

mod offline;
mod online;

use std::path::PathBuf;

use anyhow::anyhow;
use pactolus_protocol::{CallPath, InvalidSecret, Rid};

use crate::cli::args::ConfigPath;
use crate::cli::exit::CliError;
use crate::cli::i18n::{BilingualText, Lang};
use crate::cli::output::OutputFormat;
use crate::config::{Config, EnvSnapshot};

/// Say why a Midas call was refused
///
/// With the rid that ends every refusal, asks the bank, which keeps its newest refusals in memory. With --request,
/// asks nobody: it searches the request for the mistake that makes its very signatures, with the keys of the
/// configuration.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The request's id, from the end of its errmsg
    #[arg(value_name = "RID", required_unless_present = "request", conflicts_with = "request")]
    rid: Option<Rid>,
    /// The bank to ask, without TLS; if it is not given, the one at the configuration's address
    #[arg(long, value_name = "URL", requires = "rid")]
    url: Option<String>,
    /// The body of a request that was refused, byte for byte
    #[arg(long, value_name = "FILE", requires = "path", requires = "token")]
    request: Option<PathBuf>,
    /// The path that it was sent to
    #[arg(long, value_parser = parse_call_path, requires = "request")]
    path: Option<CallPath>,
    /// The access token that was in its query
    #[arg(long, requires = "request")]
    token: Option<String>,
    /// The player's session key; without it `mp_sig` is not looked at
    #[arg(long, value_name = "KEY", requires = "request")]
    session_key: Option<String>,
    #[command(flatten)]
    config: ConfigPath,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

const EXAMPLES: &str = "\
Examples:
  pactolus explain 59db17f1-01234567-89abcdef
  pactolus explain --request body.json --path /cgi-bin/midas/present --token TOKEN";

const FIX_LABEL: BilingualText = BilingualText { en: "  to mend it: ", zh: "  处理方法：" };
const SIGNED_TEXT_LABEL: BilingualText =
    BilingualText { en: "the bank signs: ", zh: "服务端的签名文本：" };

/// Finds out, and prints it. What is found is told in English, in the words of the protocol's own refusals.
pub(crate) fn run(args: Args, lang: Lang) -> Result<(), CliError> {
    let config = Config::read(&args.config.config, &EnvSnapshot::capture()).map_err(CliError::Config)?;
    match (args.rid, args.request, args.path, args.token) {
        (Some(rid), ..) => online::explain(&config, args.url.as_deref(), rid, args.output, lang),
        (None, Some(file), Some(path), Some(token)) => {
            let request = offline::OfflineRequest { file, path, token, session_key: args.session_key };
            offline::explain(&config, &request, args.output, lang)
        }
        (None, ..) => unreachable!("clap lets none of these through"),
    }
}

fn parse_call_path(text: &str) -> Result<CallPath, String> {
    CallPath::parse(text).ok_or_else(|| {
        let known: Vec<_> = CallPath::all().map(CallPath::as_str).collect();
        format!("it must be one of {}", known.join(", "))
    })
}

/// A secret from the command line, which no error shows.
fn parse_secret<T>(name: &str, text: &str, parse: fn(&str) -> Result<T, InvalidSecret>) -> anyhow::Result<T> {
    parse(text).map_err(|error| anyhow!("{name} {error}"))
}
