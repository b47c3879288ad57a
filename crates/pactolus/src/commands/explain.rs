//! `pactolus explain`: diagnoses a refused call, from a running bank, from the request alone, or from its errcode.
//!
//! The output holds no key, no token and no whole signature, so it can be shared.
//! Read next: [`pasted`], the forms of a refusal; [`online`], the bank's own findings; [`offline`], the request alone;
//! [`codes`], the meaning of each errcode.

mod codes;
mod offline;
mod online;
mod pasted;

use std::path::PathBuf;

use pactolus_protocol::{CallPath, Rid};
use serde_json::json;

use self::codes::CodeExplanation;
use self::offline::OfflineRequest;
use self::pasted::PastedError;
use crate::cli::args::{DEFAULT_CONFIG, config_variable};
use crate::cli::escape::EscapedText;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, localize, tr};
use crate::cli::output::{self, OutputFormat};
use crate::cli::secret::{ACCESS_TOKEN_VARIABLE, access_token_forms, read_access_token, read_session_key};
use crate::config::{Config, EnvSnapshot};
use crate::connect::BankArgs;

/// Diagnose why a call was refused
///
/// With the errmsg, or the rid at its end, asks the bank, which keeps its newest rejections of Midas calls. For every
/// other refusal, such as that of a token or a login, tells what the errcode means and what to do. With --request,
/// works offline: it checks the request against the configuration, and searches for the known mistake that produces
/// its signatures.
#[derive(clap::Args)]
#[command(
    after_help = EXAMPLES,
    // Offline, no bank is called.
    mut_arg("profile", |argument| argument.conflicts_with("request")),
    mut_arg("url", |argument| argument.conflicts_with("request")),
    mut_arg("timeout", |argument| argument.conflicts_with("request"))
)]
pub(crate) struct Args {
    /// What the bank answered: the rid, the errcode, the errmsg, or the whole reply
    #[arg(value_name = "ERRMSG", num_args = 1.., required_unless_present = "request", conflicts_with = "request")]
    errmsg: Vec<String>,
    /// File with the body of the refused request, byte for byte
    #[arg(long, value_name = "FILE", requires = "path")]
    request: Option<PathBuf>,
    /// Path the request was sent to
    #[arg(long, value_parser = parse_call_path, requires = "request", conflicts_with = "errmsg")]
    path: Option<CallPath>,
    /// Access token in the query of the request
    #[arg(long, requires = "request", conflicts_with = "errmsg")]
    token: Option<String>,
    /// File of the access token, or - for standard input; default: the variable PACTOLUS_ACCESS_TOKEN
    #[arg(long, value_name = "FILE", requires = "request", conflicts_with_all = ["errmsg", "token"])]
    token_file: Option<PathBuf>,
    /// The player's session key; without it `mp_sig` is not checked
    #[arg(long, value_name = "KEY", requires = "request", conflicts_with = "errmsg")]
    session_key: Option<String>,
    /// File of the session key, or - for standard input; default: the variable PACTOLUS_SESSION_KEY
    #[arg(long, value_name = "FILE", requires = "request", conflicts_with_all = ["errmsg", "session_key"])]
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
  pactolus explain 'invalid appsecret rid: 59db17f1-01234567-89abcdef'
  pactolus explain 40001
  pactolus explain --request body.json --token-file token.txt \\
    --path /cgi-bin/midas/present";

/// Diagnoses the call and prints the findings.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    if let (Some(file), Some(path)) = (&args.request, args.path) {
        let config = args.bank.config().or_else(config_variable);
        let config = config.unwrap_or_else(|| DEFAULT_CONFIG.into());
        let config = Config::read(&config, &EnvSnapshot::capture()).map_err(CliError::Config)?;
        let token = access_token_forms("--token", args.token.as_deref(), args.token_file.as_deref());
        let token = read_access_token(&token, lang)?.ok_or_else(|| no_token(lang))?;
        let (key, key_file) = (args.session_key.as_deref(), args.session_key_file.as_deref());
        let session_key = read_session_key(key, key_file, lang)?;
        let request = OfflineRequest { file: file.clone(), path, token, session_key };
        return offline::explain(&config, &request, args.output, lang);
    }
    let pasted = PastedError::parse(&args.errmsg.join(" ")).ok_or_else(|| no_refusal(lang))?;
    match (pasted.rid, pasted.errcode) {
        (Some(rid), errcode) => explain_rid(args, rid, errcode, lang),
        (None, _) if args.bank.has_url() => Err(url_without_rid(lang)),
        (None, Some(errcode)) => explain_code(errcode, args.output, lang),
        (None, None) => Err(no_refusal(lang)),
    }
}

/// Asks the bank. Without its answer, the errcode still tells something.
fn explain_rid(args: &Args, rid: Rid, errcode: Option<i32>, lang: Lang) -> Result<(), CliError> {
    let rejection = args.bank.resolve(lang).and_then(|bank| online::fetch(&bank, rid));
    match (rejection, errcode) {
        (Ok(rejection), _) => online::print(&rejection, args.output, lang),
        (Err(error), Some(errcode)) if codes::explain(errcode).is_some() => {
            // Its lines are escaped already.
            let why = error.localized(lang);
            output::eprint(tr!(
                lang,
                "note: no diagnosis by the bank: {why}\n",
                "注意：没有服务端的诊断：{why}\n"
            ));
            explain_code(errcode, args.output, lang)
        }
        (Err(error), _) => Err(error),
    }
}

/// Prints what an errcode means.
fn explain_code(errcode: i32, output: OutputFormat, lang: Lang) -> Result<(), CliError> {
    let explanation = codes::explain(errcode).ok_or_else(|| {
        let message =
            tr!(lang, "the errcode {errcode} is not known here", "这里没有 errcode {errcode} 的说明");
        CliError::message(ExitCode::Failed, message)
    })?;
    let CodeExplanation { errmsg, meaning, fix } = explanation;
    match output {
        OutputFormat::Text => {
            let finding = finding_lines(meaning.for_lang(lang), fix.for_lang(lang), lang);
            output::print(format_args!("{errcode} {errmsg}\n{finding}"))
        }
        OutputFormat::Json => {
            let object =
                json!({ "errcode": errcode, "errmsg": errmsg, "finding": meaning.en, "fix": fix.en });
            output::print(format_args!("{object}\n"))
        }
    }
}

/// A finding and its fix, a line each.
fn finding_lines(finding: &str, fix: &str, lang: Lang) -> String {
    let (finding, fix) = (localize(finding, lang), localize(fix, lang));
    let (finding, fix) = (EscapedText(finding), EscapedText(fix));
    tr!(lang, "{finding}\n  fix: {fix}\n", "{finding}\n  处理方法：{fix}\n")
}

/// The line of the text that a signature covers.
fn signed_text_line(text: &str, lang: Lang) -> String {
    let text = EscapedText(text);
    tr!(lang, "the bank signs: {text}\n", "服务端的签名文本：{text}\n")
}

fn no_refusal(lang: Lang) -> CliError {
    let message = tr!(
        lang,
        "this text has neither a rid nor an errcode; pass the errmsg, its rid such as 59db17f1-01234567-89abcdef, or a \
         code such as 40001",
        "文本中没有 rid，也没有 errcode；请提供 errmsg、其中的 rid（如 59db17f1-01234567-89abcdef）或返回码（如 40001）"
    );
    CliError::message(ExitCode::Usage, message)
}

fn url_without_rid(lang: Lang) -> CliError {
    let message = tr!(
        lang,
        "--url has no effect without a rid, by which the bank finds its diagnosis",
        "没有 rid 时 --url 不起作用：服务端按 rid 查找诊断"
    );
    CliError::message(ExitCode::Usage, message)
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
