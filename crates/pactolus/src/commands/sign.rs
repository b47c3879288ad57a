//! `pactolus sign`: the signed text and the signature of any call.
//!
//! It uses the target's keys and never prints them: `***` stands for a key in a signed text.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::ValueEnum;
use pactolus_protocol::sign::{self, Dialect, text};
use pactolus_protocol::{AccessToken, Body, CallKind, CallPath, Parameter};
use serde_json::json;

use crate::cli::args::parse_session_key;
use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, tr};
use crate::cli::output::{self, OutputFormat};
use crate::connect::ConnectArgs;

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
    #[arg(long, value_name = "TOKEN", requires = "session_key")]
    access_token: Option<String>,
    /// The player's session key, which signs `mp_sig`
    #[arg(long, value_name = "KEY", requires = "access_token")]
    session_key: Option<String>,
    #[command(flatten)]
    connect: ConnectArgs,
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
    let connection = args.connect.resolve(lang)?;
    let file = args.body.display();
    let bytes =
        read_input(&args.body).with_context(|| tr!(lang, "{file} cannot be read", "无法读取 {file}"))?;
    let body = Body::parse(&bytes).map_err(|refusal| anyhow!("{file}: {refusal}"))?;
    let path = CallPath { kind: args.call.into(), environment: connection.app.environment() };

    let sig = sign::sig(path, &body, Dialect::DOCUMENTED, connection.app.midas_key()).to_string();
    let mut shown = vec![
        ("path", path.to_string()),
        ("sig_text", text::masked_sig_text(path, &body, Dialect::DOCUMENTED)),
        (Parameter::Sig.name(), sig.clone()),
    ];
    let session_key = parse_session_key(args.session_key.as_deref())?;
    if let (Some(key), Some(token)) = (session_key, &args.access_token) {
        let token = AccessToken::new(token).map_err(|error| anyhow!("--access-token {error}"))?;
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

fn read_input(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new("-") {
        return std::fs::read(path);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}
