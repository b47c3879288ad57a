//! Offline diagnosis: checks a request against the settings of its app, and searches for the known mistakes that
//! produce its signatures.

use std::fs;
use std::path::PathBuf;

use pactolus_protocol::explain::AppKeys;
use pactolus_protocol::{
    AccessToken, Body, Call, CallKind, CallPath, CancelPay, ErrorReply, Evidence, GetBalance, Parameter, Pay,
    Present, SessionKey, SignatureFinding, UnverifiedCall,
};
use pactolus_server::{AppSettings, Clock as _, RequestFinding, SystemClock, check_request};
use serde_json::json;

use super::{finding_lines, signed_text_line};
use crate::cli::escape::escaped_line;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{BilingualText, Lang, localize, tr};
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

/// All findings about a request.
struct OfflineReport {
    /// The error of the parameters, which the bank checks before the signatures.
    parameters: Option<ErrorReply>,
    /// What the app's settings refuse.
    findings: Vec<RequestFinding>,
    signatures: Vec<DiagnosedSignature>,
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
    let bytes = fs::read(&request.file).map_err(|error| {
        let error = localize(&error.to_string(), lang);
        invalid(tr!(lang, "{file} cannot be read: {error}", "无法读取 {file}：{error}"))
    })?;
    let evidence = Evidence::read(request.path, &request.token, &bytes)
        .map_err(|refusal| invalid(refusal_text(&refusal, lang)))?;
    let app = find_app(config, &evidence, lang).map_err(invalid)?;
    let keys = AppKeys {
        live: &app.midas_key,
        sandbox: &app.sandbox_midas_key,
        app_secret: &app.app_secret,
        session: request.session_key.as_ref(),
        previous_session: None,
    };
    let report = OfflineReport {
        parameters: parameter_error(request.path, &bytes, app),
        findings: check_request(app, &evidence, SystemClock.now(), "this machine's clock"),
        signatures: explain_signatures(&evidence, &keys, app),
    };
    match output {
        OutputFormat::Text => output::print(text(&report, lang)),
        OutputFormat::Json => output::print(json(&report)),
    }
}

/// The app that the body names, or the message why there is none.
fn find_app<'c>(config: &'c Config, evidence: &Evidence<'_>, lang: Lang) -> Result<&'c AppSettings, String> {
    let appid = evidence
        .raw_text(Parameter::AppId)
        .ok_or_else(|| tr!(lang, "the body has no appid", "请求体中没有 appid"))?;
    let app = config.server.apps.iter().find(|app| app.appid.as_str() == appid);
    app.ok_or_else(|| {
        tr!(
            lang,
            "the configuration has no app {appid:?}, which the body names",
            "配置中没有请求体所指的应用 {appid:?}"
        )
    })
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

/// The first parameter that is missing or wrong, signatures included.
fn parameter_error(path: CallPath, bytes: &[u8], app: &AppSettings) -> Option<ErrorReply> {
    fn read<C: Call>(path: CallPath, body: &Body<'_>, app: &AppSettings) -> Option<ErrorReply> {
        UnverifiedCall::<C>::read(path.environment, body, app.mp_sig).err()
    }
    let body = Body::parse(bytes).ok()?;
    match path.kind {
        CallKind::Present => read::<Present>(path, &body, app),
        CallKind::GetBalance => read::<GetBalance>(path, &body, app),
        CallKind::Pay => read::<Pay>(path, &body, app),
        CallKind::CancelPay => read::<CancelPay>(path, &body, app),
    }
}

/// The refusal as a bank answers it.
fn refusal_text(refusal: &ErrorReply, lang: Lang) -> String {
    let errcode = refusal.code().code();
    tr!(lang, "{errcode} {refusal}", "{errcode} “{refusal}”")
}

fn text(report: &OfflineReport, lang: Lang) -> String {
    let OfflineReport { parameters, findings, signatures } = report;
    let mut text = String::new();
    if let Some(refusal) = parameters {
        let refusal = refusal_text(refusal, lang);
        text += &escaped_line(tr!(lang, "parameters: {refusal}", "参数：{refusal}"));
    }
    for RequestFinding { finding, fix, .. } in findings {
        text += &finding_lines(finding, fix, lang);
    }
    for DiagnosedSignature { parameter, finding, signed_text } in signatures {
        let words = finding.to_string();
        if matches!(finding, SignatureFinding::Verified(_)) {
            let words = localize(&words, lang);
            text += &tr!(lang, "{parameter}: {words}\n", "{parameter}：{words}\n");
        } else {
            let lines = finding_lines(&words, &finding.fix(), lang);
            text += &tr!(lang, "{parameter}: {lines}  ", "{parameter}：{lines}  ");
            text += &signed_text_line(signed_text, lang);
        }
    }
    for parameter in [Parameter::Sig, Parameter::MpSig] {
        if signatures.iter().all(|explained| explained.parameter != parameter) {
            let why = not_checked_reason(parameter).for_lang(lang);
            text += &tr!(lang, "{parameter}: not checked; {why}\n", "{parameter}：未检查；{why}\n");
        }
    }
    text
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

fn json(report: &OfflineReport) -> String {
    let OfflineReport { parameters, findings, signatures } = report;
    let signature = |parameter| {
        let explained = signatures.iter().find(|explained| explained.parameter == parameter)?;
        let DiagnosedSignature { finding, signed_text, .. } = explained;
        Some(json!({
            "name": finding.name(),
            "finding": finding.to_string(),
            "fix": finding.fix(),
            "signed_text": signed_text,
        }))
    };
    let findings: Vec<_> = findings
        .iter()
        .map(|RequestFinding { name, finding, fix }| json!({ "name": name, "finding": finding, "fix": fix }))
        .collect();
    let outcome = json!({
        "parameters": parameters.as_ref().map(|refusal| refusal_text(refusal, Lang::En)),
        "findings": findings,
        "sig": signature(Parameter::Sig),
        "mp_sig": signature(Parameter::MpSig),
    });
    format!("{outcome}\n")
}
