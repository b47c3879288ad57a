//! Offline diagnosis: searches a request for the known mistakes that produce its signatures.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use pactolus_protocol::explain::AppKeys;
use pactolus_protocol::{
    AccessToken, Body, Call as _, CallKind, CallPath, CancelPay, ErrorReply, Evidence, GetBalance, Parameter,
    Pay, Present, SessionKey, SignatureFinding,
};
use pactolus_server::AppSettings;
use serde_json::json;

use super::{FIX_LABEL, SIGNED_TEXT_LABEL};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{BilingualText, Lang, tr};
use crate::cli::output::{self, OutputFormat};
use crate::config::Config;

/// A refused request.
pub(super) struct OfflineRequest {
    pub(super) file: PathBuf,
    pub(super) path: CallPath,
    pub(super) token: AccessToken,
    pub(super) session_key: Option<SessionKey>,
}

/// The finding for one signature.
struct DiagnosedSignature {
    parameter: Parameter,
    finding: SignatureFinding,
    signed_text: String,
}

/// Diagnoses `request` and prints the findings.
pub(super) fn explain(
    config: &Config,
    request: &OfflineRequest,
    output: OutputFormat,
    lang: Lang,
) -> Result<(), CliError> {
    let invalid = |text| CliError::message(ExitCode::Input, text);
    let file = request.file.display();
    let bytes = fs::read(&request.file)
        .map_err(|error| invalid(tr!(lang, "{file} cannot be read: {error}", "无法读取 {file}：{error}")))?;
    let evidence = Evidence::read(request.path, &request.token, &bytes)
        .map_err(|refusal| invalid(refusal_text(&refusal)))?;
    let app = find_app(config, &evidence).map_err(|error| invalid(error.to_string()))?;
    let keys = AppKeys {
        live: &app.midas_key,
        sandbox: &app.sandbox_midas_key,
        app_secret: &app.app_secret,
        session: request.session_key.as_ref(),
        previous_session: None,
    };
    let explained = explain_signatures(&evidence, &keys, app);
    let wrong = parameter_error(request.path.kind, &bytes);
    let printed = match output {
        OutputFormat::Text => text(&mut output::stdout(), &explained, wrong.as_ref(), lang),
        OutputFormat::Json => json(&mut output::stdout(), &explained, wrong.as_ref()),
    };
    Ok(printed.context("cannot write to stdout")?)
}

/// The app that the body names.
fn find_app<'c>(config: &'c Config, evidence: &Evidence<'_>) -> anyhow::Result<&'c AppSettings> {
    let appid = evidence.raw_text(Parameter::AppId).ok_or_else(|| anyhow!("the body has no appid"))?;
    let app = config.server.apps.iter().find(|app| app.appid.as_str() == appid);
    app.ok_or_else(|| anyhow!("the configuration has no app {appid:?}, which the body names"))
}

/// Findings for each signature in the request whose key is known.
fn explain_signatures(
    evidence: &Evidence<'_>,
    keys: &AppKeys<'_>,
    app: &AppSettings,
) -> Vec<DiagnosedSignature> {
    let mut explained = Vec::new();
    if evidence.raw_text(Parameter::Sig).is_some() {
        let finding = evidence.explain_sig(keys, app.dialects);
        explained.push(DiagnosedSignature {
            parameter: Parameter::Sig,
            finding,
            signed_text: evidence.sig_text(),
        });
    }
    if evidence.raw_text(Parameter::MpSig).is_some() && keys.session.is_some() {
        let finding = evidence.explain_mp_sig(keys, app.dialects);
        let signed_text = evidence.mp_sig_text();
        explained.push(DiagnosedSignature { parameter: Parameter::MpSig, finding, signed_text });
    }
    explained
}

/// The error of the parameters, which the bank checks before the signatures.
fn parameter_error(kind: CallKind, bytes: &[u8]) -> Option<ErrorReply> {
    let body = Body::parse(bytes).ok()?;
    match kind {
        CallKind::Present => Present::from_body(&body).err(),
        CallKind::GetBalance => GetBalance::from_body(&body).err(),
        CallKind::Pay => Pay::from_body(&body).err(),
        CallKind::CancelPay => CancelPay::from_body(&body).err(),
    }
}

fn refusal_text(refusal: &ErrorReply) -> String {
    format!("{} {refusal}", refusal.code().code())
}

fn text(
    out: &mut impl Write,
    explained: &[DiagnosedSignature],
    wrong: Option<&ErrorReply>,
    lang: Lang,
) -> io::Result<()> {
    if let Some(refusal) = wrong {
        let refusal = refusal_text(refusal);
        writeln!(out, "{}", tr!(lang, "parameters: {refusal}", "参数：{refusal}"))?;
    }
    for DiagnosedSignature { parameter, finding, signed_text } in explained {
        writeln!(out, "{parameter}: {finding}")?;
        if !matches!(finding, SignatureFinding::Verified(_)) {
            writeln!(out, "{}{}", FIX_LABEL.for_lang(lang), finding.fix())?;
            writeln!(out, "  {}{signed_text}", SIGNED_TEXT_LABEL.for_lang(lang))?;
        }
    }
    for parameter in [Parameter::Sig, Parameter::MpSig] {
        if explained.iter().all(|explained| explained.parameter != parameter) {
            let why = not_checked_reason(parameter).for_lang(lang);
            writeln!(out, "{}", tr!(lang, "{parameter}: not checked; {why}", "{parameter}：未检查；{why}"))?;
        }
    }
    Ok(())
}

fn not_checked_reason(parameter: Parameter) -> BilingualText {
    if parameter == Parameter::MpSig {
        BilingualText {
            en: "this needs an mp_sig in the body and --session-key",
            zh: "需要请求体中有 mp_sig，并给出 --session-key",
        }
    } else {
        BilingualText { en: "the body has none", zh: "请求体中没有" }
    }
}

fn json(
    out: &mut impl Write,
    explained: &[DiagnosedSignature],
    wrong: Option<&ErrorReply>,
) -> io::Result<()> {
    let of = |parameter| {
        let explained = explained.iter().find(|explained| explained.parameter == parameter)?;
        let DiagnosedSignature { finding, signed_text, .. } = explained;
        Some(json!({
            "name": finding.name(),
            "finding": finding.to_string(),
            "fix": finding.fix(),
            "signed_text": signed_text,
        }))
    };
    let outcome = json!({
        "parameters": wrong.map(refusal_text),
        "sig": of(Parameter::Sig),
        "mp_sig": of(Parameter::MpSig),
    });
    writeln!(out, "{outcome}")
}
