//! Diagnosis of a rejection: the mistake in its signature, or the status of its session or token.
//!
//! It decides nothing: the call is already rejected, and a failed lookup leaves it without a diagnosis.

use pactolus_protocol::explain::{AppKeys, RedactedParameters};
use pactolus_protocol::{
    AccessToken, CallPath, DialectPolicy, ErrorCode, ErrorReply, Evidence, Mistake, Parameter,
    SignatureFinding,
};
use pactolus_types::{AppId, Environment, OpenId, UnixMillis};

use super::log::lock;
use super::rejection::{Diagnosis, RequestTrace};
use super::request_check::{RequestFinding, TS_IN_MILLISECONDS, check_settings, check_ts, format_utc};
use crate::auth::sessions::SessionHistory;
use crate::auth::tokens::status::TokenStatus;
use crate::settings::AppSettings;
use crate::state::AppState;

#[derive(Default)]
pub(super) struct DiagnosisReport {
    pub(super) parameters: Option<RedactedParameters>,
    pub(super) signed_text: Option<String>,
    pub(super) diagnoses: Vec<Diagnosis>,
    /// The sandbox's detail about a signature.
    pub(super) signature_hint: Option<String>,
}

impl DiagnosisReport {
    /// The reply in `environment`. A live reply says no more than the contract requires.
    pub(super) fn apply_to(&self, environment: Option<Environment>, error: ErrorReply) -> ErrorReply {
        match (environment, &self.signature_hint) {
            (Some(Environment::Sandbox), Some(words)) => ErrorReply::with_detail(error.code(), words.clone()),
            (Some(Environment::Sandbox | Environment::Live) | None, _) => error,
        }
    }

    fn add_request_finding(&mut self, found: RequestFinding) {
        self.add(found.name, found.finding, &found.fix);
    }

    pub(super) fn add(&mut self, name: &'static str, explanation: String, fix: &str) {
        self.diagnoses.push(Diagnosis { name: name.into(), explanation, fix: fix.to_owned() });
    }
}

/// Diagnoses a rejected call on `path` of `host` from its `trace`.
pub(super) async fn diagnose(
    bank: &AppState,
    path: CallPath,
    host: Option<&str>,
    trace: &RequestTrace,
    error: &ErrorReply,
) -> DiagnosisReport {
    let mut report = DiagnosisReport::default();
    let Some(token) = &trace.token else { return report };
    if let ErrorCode::InvalidCredential | ErrorCode::AccessTokenExpired = error.code() {
        diagnose_token(bank, token, &mut report).await;
    }
    let (Some(app), Some(body)) = (&trace.app, &trace.body) else { return report };
    let Ok(evidence) = Evidence::read(path, token, body) else { return report };
    let evidence = evidence.with_host(host);
    report.parameters = Some(evidence.parameters());
    match error.code() {
        ErrorCode::SigError => {
            report.signed_text = Some(evidence.sig_text());
            diagnose_signature(bank, app, &evidence, Evidence::explain_sig, error, &mut report).await;
        }
        ErrorCode::MpSigError => {
            report.signed_text = Some(evidence.mp_sig_text());
            diagnose_signature(bank, app, &evidence, Evidence::explain_mp_sig, error, &mut report).await;
        }
        ErrorCode::NoSession => {
            diagnose_session(
                &session_history(bank, app.appid, named_player(&evidence)).await,
                bank.now(),
                &mut report,
            );
        }
        // The errcode and its detail need no diagnosis.
        _ => {}
    }
    diagnose_request(app, error.code(), &evidence, bank.now(), &mut report);
    report
}

/// What the settings of the app refuse, and a `ts` in milliseconds, which may be the cause of any error.
fn diagnose_request(
    app: &AppSettings,
    code: ErrorCode,
    evidence: &Evidence<'_>,
    now: UnixMillis,
    report: &mut DiagnosisReport,
) {
    if let ErrorCode::InvalidParameter | ErrorCode::NoPrivilege = code {
        for found in check_settings(app, evidence) {
            report.add_request_finding(found);
        }
    }
    let Some(found) = check_ts(app, evidence, now, "the bank's clock") else { return };
    if found.name == TS_IN_MILLISECONDS {
        if let Some(hint) = &mut report.signature_hint {
            hint.push_str("; ");
            hint.push_str(&found.finding);
        }
        report.add_request_finding(found);
    } else if code == ErrorCode::InvalidParameter {
        report.add_request_finding(found);
    }
}

/// The player that the body names.
fn named_player(evidence: &Evidence<'_>) -> Option<OpenId> {
    evidence.raw_text(Parameter::OpenId).and_then(|openid| OpenId::new(openid).ok())
}

/// The sessions of a player; none if the request names none.
pub(super) async fn session_history(bank: &AppState, appid: AppId, player: Option<OpenId>) -> SessionHistory {
    match player {
        Some(player) => bank.sessions.history(appid, player).await.unwrap_or_default(),
        None => SessionHistory::default(),
    }
}

/// The keys that a signature may have been made with by mistake.
pub(super) fn candidate_keys<'a>(app: &'a AppSettings, history: &'a SessionHistory) -> AppKeys<'a> {
    AppKeys {
        live: &app.midas_key,
        sandbox: &app.sandbox_midas_key,
        app_secret: &app.app_secret,
        session: history.current.as_ref().map(|session| &session.key),
        previous_session: history.previous.as_ref().map(|before| &before.key),
    }
}

/// Whether a failed signature is searched for its mistake: always in the sandbox, some a second in the live environment.
pub(super) fn may_search(bank: &AppState, environment: Environment, report: &mut DiagnosisReport) -> bool {
    let has_room =
        || lock(&bank.rejections.search_budget).take(bank.live().limits.diagnoses_per_second, bank.now());
    if environment == Environment::Sandbox || has_room() {
        return true;
    }
    report.add(
        "not-searched",
        "more signatures failed in this second than are searched for a mistake".to_owned(),
        "send the request again a second later, or in the sandbox, where each is searched",
    );
    false
}

/// A search for the mistake in a signature.
type SignatureSearch<'a> = fn(&Evidence<'a>, &AppKeys<'_>, DialectPolicy) -> SignatureFinding;

async fn diagnose_signature<'a>(
    bank: &AppState,
    app: &AppSettings,
    evidence: &Evidence<'a>,
    search: SignatureSearch<'a>,
    error: &ErrorReply,
    report: &mut DiagnosisReport,
) {
    if !may_search(bank, evidence.path().environment, report) {
        return;
    }
    let history = session_history(bank, app.appid, named_player(evidence)).await;
    let keys = candidate_keys(app, &history);
    let finding = search(evidence, &keys, app.dialects);
    // Without a finding, the reply keeps its own detail, such as that the signature is malformed.
    if finding != SignatureFinding::Unknown || error.detail().is_none() {
        report.signature_hint = Some(finding.to_string());
    }
    report.add(finding.name(), finding.to_string(), &finding.fix());
    if finding == SignatureFinding::Mistake(Mistake::OldSessionKey) {
        name_replaced_login(&history, report);
    }
}

/// Says when a newer login replaced the session whose key was used.
pub(super) fn name_replaced_login(history: &SessionHistory, report: &mut DiagnosisReport) {
    if let Some(before) = &history.previous {
        let explanation =
            format!("a newer login replaced this session at {}", format_utc(before.replaced_at));
        report.add("login-replaced", explanation, "use the session key of the newest login");
    }
}

pub(super) fn diagnose_session(history: &SessionHistory, now: UnixMillis, report: &mut DiagnosisReport) {
    const LOG_IN: &str = "log the player in again, and push the session to the bank before the call";
    match &history.current {
        None => {
            let words = "the player never logged in here, or the bank no longer remembers it".to_owned();
            report.add("never-logged-in", words, LOG_IN);
        }
        Some(session) if now >= session.valid_until => {
            let words = format!("the session expired at {}", format_utc(session.valid_until));
            report.add("login-ended", words, LOG_IN);
        }
        // Rejected for another reason, or a login came in between.
        Some(_) => {}
    }
    if let (Some(before), Some(_)) = (&history.previous, &history.current) {
        let words = format!("it replaced an earlier session at {}", format_utc(before.replaced_at));
        report.add("login-replaced", words, "use the session key of the newest login");
    }
}

pub(super) async fn diagnose_token(bank: &AppState, token: &AccessToken, report: &mut DiagnosisReport) {
    const REQUEST_TOKEN: &str = "request a token from /cgi-bin/token, and share it among all callers";
    let Ok(status) = bank.tokens.status(token, bank.now()).await else { return };
    match status {
        TokenStatus::Unknown => {
            let words = "this bank never issued the token, or no longer remembers it".to_owned();
            report.add("token-unknown", words, REQUEST_TOKEN);
        }
        TokenStatus::SecretChanged => {
            let words = "the token was issued for another secret of the app".to_owned();
            report.add("token-of-other-secret", words, "request a token with the app's current secret");
        }
        TokenStatus::Replaced { valid_until } => {
            let words = format!("a newer token replaced it; it was valid until {}", format_utc(valid_until));
            let fix = "share one token among all callers: each new one ends the one before";
            report.add("token-replaced", words, fix);
        }
        TokenStatus::Expired { at } => {
            report.add("token-expired", format!("the token expired at {}", format_utc(at)), REQUEST_TOKEN);
        }
        TokenStatus::Valid => {}
    }
}
