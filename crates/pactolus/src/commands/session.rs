//! `pactolus session`: logs a test player in or out, or issues a login code, by the operator API.

use std::path::PathBuf;
use std::time::Duration;

use clap::ArgGroup;
use pactolus_protocol::SessionKey;
use pactolus_server::{OsRandomness, Randomness as _};
use pactolus_types::OpenId;
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::cli::output::{self, OutputFormat};
use crate::cli::secret::read_session_key;
use crate::connect::AppConnectArgs;
use crate::runtime;

/// Log a test player in or out
///
/// --login stores a session in place of the player's current one, and prints its key, a secret. --code issues a
/// one-time code, as a game client gets it from the platform. --end replaces the current session by one whose key is
/// discarded and that ends after a second. It calls the operator API, so it needs the operator token. Sessions hold in
/// live and sandbox alike. The bank does not show the key of a session.
#[derive(clap::Args)]
#[command(group(ArgGroup::new("action").required(true).args(["login", "code", "end"])))]
pub(crate) struct Args {
    /// Player
    #[arg(long, value_name = "OPENID")]
    openid: OpenId,
    /// Log the player in
    #[arg(long)]
    login: bool,
    /// Issue a one-time login code
    #[arg(long)]
    code: bool,
    /// End the player's session
    #[arg(long)]
    end: bool,
    /// The session key; default: a new one
    #[arg(long, value_name = "KEY", conflicts_with_all = ["code", "end"])]
    session_key: Option<String>,
    /// File of the session key, or - for standard input; default: the variable PACTOLUS_SESSION_KEY
    #[arg(long, value_name = "FILE", conflicts_with_all = ["code", "end", "session_key"])]
    session_key_file: Option<PathBuf>,
    /// Lifetime of the session, in seconds; default: a day
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["code", "end"], value_parser = clap::value_parser!(u32).range(1..=31_622_400))]
    expires_in: Option<u32>,
    #[command(flatten)]
    connect: AppConnectArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

/// Lifetime of a session, in seconds, if none is given.
const LIFETIME_DEFAULT: u32 = 86_400;

/// Makes the change, and prints what a client needs.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let (bank, appid) = args.connect.resolve(lang)?;
    let operator = bank.operator()?;
    let runtime = runtime::start()?;
    if args.code {
        let issued = runtime.block_on(operator.issue_login_code(appid, args.openid));
        let issued = issued.map_err(|error| bank.query_error(&error))?;
        let code = issued.code.expose();
        return match args.output {
            OutputFormat::Json => {
                let object = json!({ "js_code": code, "expires_in": issued.expires_in });
                output::print(format_args!("{object}\n"))
            }
            OutputFormat::Text => output::print(format_args!("{code}\n")),
        };
    }
    let (key, lifetime) = if args.end {
        (new_key(), 1)
    } else {
        let (key, file) = (args.session_key.as_deref(), args.session_key_file.as_deref());
        (
            read_session_key(key, file, lang)?.unwrap_or_else(new_key),
            args.expires_in.unwrap_or(LIFETIME_DEFAULT),
        )
    };
    let lifetime = Duration::from_secs(lifetime.into());
    let put = runtime.block_on(operator.put_session(appid, args.openid, &key, lifetime));
    let session = put.map_err(|error| bank.query_error(&error))?;
    let shown = (!args.end).then(|| key.expose());
    match args.output {
        OutputFormat::Json => {
            let object = json!({
                "openid": session.openid.as_str(),
                "session_key": shown,
                "expires_at": session.expires_at,
            });
            output::print(format_args!("{object}\n"))
        }
        OutputFormat::Text => output::print(shown.map(|key| format!("{key}\n")).unwrap_or_default()),
    }
}

fn new_key() -> SessionKey {
    let mut bytes = Zeroizing::new([0; 16]);
    OsRandomness.fill(&mut *bytes);
    SessionKey::from_bytes(&bytes)
}
