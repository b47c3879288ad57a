//! `pactolus explain`: diagnoses a refused call, from a running bank or from the request alone.
//!
//! The output holds no key, no token and no whole signature, so it can be shared.
//! Read next: [`offline`], the request alone; [`online`], the bank's own findings.

mod offline;
mod online;

use std::path::PathBuf;

use pactolus_protocol::{CallPath, Rid};

use crate::cli::args::{DEFAULT_CONFIG, config_variable};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{BilingualText, Lang, tr};
use crate::cli::output::OutputFormat;
use crate::cli::secret::{ACCESS_TOKEN_VARIABLE, access_token_forms, read_access_token, read_session_key};
use crate::config::{Config, EnvSnapshot};
use crate::connect::BankArgs;

/// Diagnose why a Midas call was refused
///
/// With the rid at the end of the errmsg, asks the bank, which keeps its newest rejections. With --request, works
/// offline: it searches the request for the known mistake that produces its signatures, with the keys of the
/// configuration.
#[derive(clap::Args)]
#[command(
    after_help = EXAMPLES,
    // Offline, no bank is called.
    mut_arg("profile", |argument| argument.conflicts_with("request")),
    mut_arg("url", |argument| argument.conflicts_with("request")),
    mut_arg("timeout", |argument| argument.conflicts_with("request"))
)]
pub(crate) struct Args {
    /// Request id, from the end of the errmsg
    #[arg(value_name = "RID", required_unless_present = "request", conflicts_with = "request")]
    rid: Option<Rid>,
    /// File with the body of the refused request, byte for byte
    #[arg(long, value_name = "FILE", requires = "path")]
    request: Option<PathBuf>,
    /// Path the request was sent to
    #[arg(long, value_parser = parse_call_path, requires = "request", conflicts_with = "rid")]
    path: Option<CallPath>,
    /// Access token in the query of the request
    #[arg(long, requires = "request", conflicts_with = "rid")]
    token: Option<String>,
    /// File of the access token, or - for standard input; default: the variable PACTOLUS_ACCESS_TOKEN
    #[arg(long, value_name = "FILE", requires = "request", conflicts_with_all = ["rid", "token"])]
    token_file: Option<PathBuf>,
    /// The player's session key; without it `mp_sig` is not checked
    #[arg(long, value_name = "KEY", requires = "request", conflicts_with = "rid")]
    session_key: Option<String>,
    /// File of the session key, or - for standard input; default: the variable PACTOLUS_SESSION_KEY
    #[arg(long, value_name = "FILE", requires = "request", conflicts_with_all = ["rid", "session_key"])]
    session_key_file: Option<PathBuf>,
    #[command(flatten)]
    bank: BankArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

const EXAMPLES: &str = "\
Examples:
  pactolus explain 59db17f1-01234567-89abcdef
  pactolus explain --request body.json --token-file token.txt \\
    --path /cgi-bin/midas/present";

const FIX_LABEL: BilingualText = BilingualText { en: "  fix: ", zh: "  处理方法：" };
const SIGNED_TEXT_LABEL: BilingualText =
    BilingualText { en: "the bank signs: ", zh: "服务端的签名文本：" };

/// Diagnoses the call and prints the findings. They are in English, in the words of the protocol's errmsgs.
pub(crate) fn run(args: Args, lang: Lang) -> Result<(), CliError> {
    match (args.rid, args.request, args.path) {
        (Some(rid), ..) => online::explain(&args.bank.resolve(lang)?, rid, args.output),
        (None, Some(file), Some(path)) => {
            let config = args.bank.config().or_else(config_variable);
            let config = config.unwrap_or_else(|| DEFAULT_CONFIG.into());
            let config = Config::read(&config, &EnvSnapshot::capture()).map_err(CliError::Config)?;
            let token = access_token_forms("--token", args.token.as_deref(), args.token_file.as_deref());
            let token = read_access_token(&token, lang)?.ok_or_else(|| no_token(lang))?;
            let (key, key_file) = (args.session_key.as_deref(), args.session_key_file.as_deref());
            let session_key = read_session_key(key, key_file, lang)?;
            let request = offline::OfflineRequest { file, path, token, session_key };
            offline::explain(&config, &request, args.output, lang)
        }
        (None, ..) => unreachable!("clap refuses these combinations"),
    }
}

fn no_token(lang: Lang) -> CliError {
    let message = tr!(
        lang,
        "--request needs the access token: --token-file, {ACCESS_TOKEN_VARIABLE} or --token",
        "--request 需要 access_token：--token-file、{ACCESS_TOKEN_VARIABLE} 或 --token"
    );
    CliError::message(ExitCode::Usage, message)
}

fn parse_call_path(text: &str) -> Result<CallPath, String> {
    CallPath::parse(text).ok_or_else(|| {
        let known: Vec<_> = CallPath::all().map(CallPath::as_str).collect();
        format!("it must be one of {}", known.join(", "))
    })
}
