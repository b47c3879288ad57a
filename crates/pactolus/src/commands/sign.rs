//! `pactolus sign`: the signed text and the signature of any call.
//!
//! It uses the target's keys and never prints them: `***` stands for a key in a signed text.

use std::fmt;
use std::path::PathBuf;

use pactolus_protocol::raw::{self, RawObject};
use pactolus_protocol::sign::{self, Dialect, text};
use pactolus_protocol::{AccessToken, Body, CallKind, CallPath, Parameter, RawPath, SessionKey};
use serde_json::json;

use super::read_file_or_stdin;
use crate::cli::escape::EscapedText;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, localize, tr};
use crate::cli::output::{self, OutputFormat};
use crate::cli::secret::{SecretForms, access_token_forms, read_access_token};
use crate::connect::{Connection, TargetArgs};

/// Show the signed text and the signature of a call
///
/// Reads the parameters of a call as a JSON object, and shows the text that a back end has to sign and its signature
/// `sig`. With a session key and an access token it shows `mp_sig` too. For a path of /wxa/game or /xpay it signs the
/// bytes of the file as they are: `pay_sig` and, with a session key, `signature`. It sends nothing, and prints no key.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// present, getbalance, pay or cancelpay; or a path of /wxa/game or /xpay, as /wxa/game/pay
    #[arg(long, value_name = "CALL", value_parser = parse_call)]
    call: SignedCall,
    /// JSON file of the parameters, or - for standard input
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// Access token of the query, which `mp_sig` covers
    #[arg(long, value_name = "TOKEN")]
    access_token: Option<String>,
    /// File of the access token, or - for standard input; default: the variable PACTOLUS_ACCESS_TOKEN
    #[arg(long, value_name = "FILE", conflicts_with = "access_token")]
    access_token_file: Option<PathBuf>,
    /// The player's session key, which signs `mp_sig` or `signature`
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

#[derive(Clone, Copy)]
enum SignedCall {
    Midas(CallKind),
    Raw(RawPath),
}

fn parse_call(name: &str) -> Result<SignedCall, String> {
    let midas = CallKind::ALL.into_iter().find(|kind| kind.name() == name).map(SignedCall::Midas);
    midas.or_else(|| RawPath::parse(name).map(SignedCall::Raw)).ok_or_else(|| {
        let names = CallKind::ALL.map(CallKind::name).into_iter();
        let names: Vec<_> = names.chain(RawPath::ALL.iter().map(|path| path.as_str())).collect();
        format!("it must be one of {}", names.join(", "))
    })
}

/// Signs the call and prints the texts.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let connection = args.target.resolve(lang)?;
    match args.call {
        SignedCall::Midas(kind) => sign_midas(args, &connection, kind, lang),
        SignedCall::Raw(path) => sign_raw(args, &connection, path, lang),
    }
}

fn wrong_body(file: &impl fmt::Display, refusal: &impl fmt::Display, lang: Lang) -> CliError {
    CliError::message(ExitCode::Input, tr!(lang, "{file}: {refusal}", "{file} 有误：“{refusal}”"))
}

/// The bytes of the body. Secrets on standard input come before it.
fn read_body(args: &Args, lang: Lang) -> Result<Vec<u8>, CliError> {
    let file = args.body.display();
    read_file_or_stdin(&args.body).map_err(|error| {
        let error = localize(&error.to_string(), lang);
        let message = tr!(lang, "{file} cannot be read: {error}", "无法读取 {file}：{error}");
        CliError::message(ExitCode::Input, message)
    })
}

/// Signs the bytes of the body as they are.
fn sign_raw(args: &Args, connection: &Connection, path: RawPath, lang: Lang) -> Result<(), CliError> {
    let key = SecretForms::session_key(args.session_key.as_deref(), args.session_key_file.as_deref());
    let key = key.read(SessionKey::new, lang)?;
    let bytes = read_body(args, lang)?;
    let file = args.body.display();
    let invalid = |text| CliError::message(ExitCode::Input, text);
    let object =
        RawObject::parse(path.wire(), &bytes).map_err(|refusal| wrong_body(&file, &refusal, lang))?;
    let environment = object.environment().map_err(|refusal| wrong_body(&file, &refusal, lang))?;
    if environment != connection.environment {
        return Err(invalid(tr!(
            lang,
            "the env of {file} is {environment}; sign it with --env {environment}",
            "{file} 的 env 为 {environment}；请使用 --env {environment} 签名"
        )));
    }
    let pay_sig = raw::sign::pay_sig(path.as_str(), &bytes, connection.app()?.midas_key());
    let mut shown = vec![
        ("path", path.to_string()),
        ("body_bytes", bytes.len().to_string()),
        ("pay_sig", pay_sig.to_string()),
    ];
    if let Some(key) = key {
        shown.push(("signature", raw::sign::signature(&bytes, &key).to_string()));
    }
    print(shown, args.output)
}

fn sign_midas(args: &Args, connection: &Connection, kind: CallKind, lang: Lang) -> Result<(), CliError> {
    let session = read_session(args, lang)?;
    let bytes = read_body(args, lang)?;
    let file = args.body.display();
    let body = Body::parse(&bytes).map_err(|refusal| wrong_body(&file, &refusal, lang))?;
    let path = CallPath { kind, environment: connection.environment };

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
    print(shown, args.output)
}

fn print(shown: Vec<(&'static str, String)>, format: OutputFormat) -> Result<(), CliError> {
    match format {
        OutputFormat::Json => {
            let mut object = json!({});
            for (name, text) in shown {
                object[name] = text.into();
            }
            output::print(format_args!("{object}\n"))
        }
        OutputFormat::Text => {
            let lines = shown.into_iter().map(|(name, text)| format!("{name}: {}\n", EscapedText(text)));
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
