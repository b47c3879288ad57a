//! `pactolus sign`: the signed text and the signature of any call.
//!
//! It uses the target's keys and never prints them: `***` stands for a key in a signed text.

use std::path::PathBuf;

use clap::ValueEnum;
use pactolus_protocol::sign::{self, Dialect, text};
use pactolus_protocol::{AccessToken, Body, CallKind, CallPath, Parameter, SessionKey};
use serde_json::json;

use super::read_file_or_stdin;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::{self, OutputFormat};
use crate::cli::secret::{SecretForms, access_token_forms, read_access_token};
use crate::connect::TargetArgs;

/// Show the signed text and the signature of a call
///
/// Reads the parameters of a call as a JSON object, and shows the text that a back end has to sign and its signature
/// `sig`. With a session key and an access token it shows `mp_sig` too. It sends nothing, and prints no key.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Call
    #[arg(long, value_name = "CALL")]
    call: CallName,
    /// JSON file of the parameters, or - for standard input
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// Access token of the query, which `mp_sig` covers
    #[arg(long, value_name = "TOKEN")]
    access_token: Option<String>,
    /// File of the access token, or - for standard input; default: the variable PACTOLUS_ACCESS_TOKEN
    #[arg(long, value_name = "FILE", conflicts_with = "access_token")]
    access_token_file: Option<PathBuf>,
    /// The player's session key, which signs `mp_sig`
    #[arg(long, value_name = "KEY")]
    session_key: Option<String>,
    /// File of the session key, or - for standard input; default: the variable PACTOLUS_SESSION_KEY
    #[arg(long, value_name = "FILE", conflicts_with = "session_key")]
    session_key_file: Option<PathBuf>,
    #[command(flatten)]
    target: TargetArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: OutputFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum CallName {
    Present,
    Getbalance,
    Pay,
    Cancelpay,
}

impl From<CallName> for CallKind {
    fn from(call: CallName) -> Self {
        match call {
            CallName::Present => Self::Present,
            CallName::Getbalance => Self::GetBalance,
            CallName::Pay => Self::Pay,
            CallName::Cancelpay => Self::CancelPay,
        }
    }
}

/// Signs the call and prints the texts.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.target.resolve(lang)?;
    let session = read_session(args, lang)?;
    let file = args.body.display();
    let invalid = |text| CliError::message(ExitCode::Input, text);
    let bytes = read_file_or_stdin(&args.body)
        .map_err(|error| invalid(tr!(lang, "{file} cannot be read: {error}", "无法读取 {file}：{error}")))?;
    let body = Body::parse(&bytes).map_err(|refusal| invalid(format!("{file}: {refusal}")))?;
    let path = CallPath { kind: args.call.into(), environment: connection.environment };

    let sig = sign::sig(path, &body, Dialect::DOCUMENTED, connection.app()?.midas_key()).to_string();
    let mut shown = vec![
        ("path", path.to_string()),
        ("sig_text", text::masked_sig_text(path, &body, Dialect::DOCUMENTED)),
        (Parameter::Sig.name(), sig.clone()),
    ];
    if let Some((token, key)) = session {
        let mp_sig = sign::mp_sig(path, &body, Dialect::DOCUMENTED, &sig, &token, &key);
        shown.push(("mp_sig_text", text::masked_mp_sig_text(path, &body, Dialect::DOCUMENTED, &sig)));
        shown.push((Parameter::MpSig.name(), mp_sig.to_string()));
    }
    match args.output {
        OutputFormat::Json => {
            let mut object = json!({});
            for (name, text) in shown {
                object[name] = text.into();
            }
            output::print(format_args!("{object}\n"))
        }
        OutputFormat::Text => {
            let lines = shown.into_iter().map(|(name, text)| format!("{name}: {text}\n"));
            output::print(lines.collect::<Vec<_>>().concat())
        }
    }
}

/// Token and session key, if both are given. One alone is an error, unless it is a variable's.
fn read_session(args: &Args, lang: Lang) -> Result<Option<(AccessToken, SessionKey)>, CliError> {
    let token =
        access_token_forms("--access-token", args.access_token.as_deref(), args.access_token_file.as_deref());
    let key = SecretForms::session_key(args.session_key.as_deref(), args.session_key_file.as_deref());
    let is_named = token.is_named() || key.is_named();
    match (read_access_token(&token, lang)?, key.read(SessionKey::new, lang)?) {
        (Some(token), Some(key)) => Ok(Some((token, key))),
        (Some(_), None) | (None, Some(_)) if is_named => {
            let message = tr!(
                lang,
                "mp_sig needs both the access token and the session key",
                "mp_sig 同时需要 access_token 和 session_key"
            );
            Err(CliError::message(ExitCode::Usage, message))
        }
        (Some(_) | None, _) => Ok(None),
    }
}
