//! Findings about a refusal: the mistake that makes its signature, what became of its login or of its token.
//!
//! Nothing here decides anything: the call is refused already, and a look-up that fails leaves it unexplained.

use pactolus_protocol::explain::{AppKeys, RedactedParameters};
use pactolus_protocol::{
    AccessToken, CallPath, DialectPolicy, ErrorCode, ErrorReply, Evidence, Mistake, Parameter,
    SignatureFinding,
};
use pactolus_types::{AppId, Environment, OpenId, UnixMillis};

use super::log::lock;
use super::rejection::{Diagnosis, RequestTrace};
use crate::auth::sessions::SessionHistory;
use crate::auth::tokens::status::TokenStatus;
use crate::settings::AppSettings;
use crate::state::AppState;

/// What was found out.
#[derive(Default)]
pub(super) struct DiagnosisReport {
    pub(super) parameters: Option<RedactedParameters>,
    pub(super) signed_text: Option<String>,
    pub(super) diagnoses: Vec<Diagnosis>,
    /// What the sandbox says about a signature.
    signature_hint: Option<String>,
}

impl DiagnosisReport {
    /// The refusal as it is answered in `environment`. Live, a refusal says no more than the contract has it say.
    pub(super) fn apply_to(&self, environment: Environment, refusal: ErrorReply) -> ErrorReply {
        match (environment, &self.signature_hint) {
            (Environment::Sandbox, Some(words)) => ErrorReply::with_detail(refusal.code(), words.clone()),
            (Environment::Sandbox, None) | (Environment::Live, _) => refusal,
        }
    }

    fn add(&mut self, name: &'static str, explanation: String, fix: &str) {
        self.diagnoses.push(Diagnosis { name: name.into(), explanation, fix: fix.to_owned() });
    }
}

/// Why a call at `path` of `host`, of which this was `seen`, was refused.
pub(super) async fn diagnose(
    bank: &AppState,
    path: CallPath,
    host: Option<&str>,
    trace: &RequestTrace,
    refusal: &ErrorReply,
) -> DiagnosisReport {
    let mut report = DiagnosisReport::default();
    let Some(token) = &trace.token else { return report };
    if let ErrorCode::InvalidCredential | ErrorCode::AccessTokenExpired = refusal.code() {
        diagnose_token(bank, token, &mut report).await;
    }
    let (Some(app), Some(body)) = (&trace.app, &trace.body) else { return report };
    let Ok(evidence) = Evidence::read(path, token, body) else { return report };
    let evidence = evidence.with_host(host);
    report.parameters = Some(evidence.parameters());
    match refusal.code() {
        ErrorCode::SigError => {
            report.signed_text = Some(evidence.sig_text());
            diagnose_signature(bank, app, &evidence, Evidence::explain_sig, refusal, &mut report).await;
        }
        ErrorCode::MpSigError => {
            report.signed_text = Some(evidence.mp_sig_text());
            diagnose_signature(bank, app, &evidence, Evidence::explain_mp_sig, refusal, &mut report).await;
        }
        ErrorCode::NoSession => {
            diagnose_session(&session_history(bank, app.appid, &evidence).await, bank.now(), &mut report);
        }
        // The refusal says it all.
        _ => {}
    }
    report
}

/// The logins of the player that the body names.
async fn session_history(bank: &AppState, appid: AppId, evidence: &Evidence<'_>) -> SessionHistory {
    let player = evidence.raw_text(Parameter::OpenId).and_then(|openid| OpenId::new(openid).ok());
    match player {
        Some(player) => bank.sessions.history(appid, player).await.unwrap_or_default(),
        None => SessionHistory::default(),
    }
}

/// A search for what makes a signature.
type SignatureSearch<'a> = fn(&Evidence<'a>, &AppKeys<'_>, DialectPolicy) -> SignatureFinding;

async fn diagnose_signature<'a>(
    bank: &AppState,
    app: &AppSettings,
    evidence: &Evidence<'a>,
    search: SignatureSearch<'a>,
    refusal: &ErrorReply,
    report: &mut DiagnosisReport,
) {
    if evidence.path().environment == Environment::Live
        && !lock(&bank.rejections.search_budget).take(bank.limits.diagnoses_per_second, bank.now())
    {
        report.add(
            "not-searched",
            "more signatures were refused in this second than are searched for a mistake".to_owned(),
            "send the request again a second later, or in the sandbox, where each is searched",
        );
        return;
    }
    let history = session_history(bank, app.appid, evidence).await;
    let keys = AppKeys {
        live: &app.midas_key,
        sandbox: &app.sandbox_midas_key,
        app_secret: &app.app_secret,
        session: history.current.as_ref().map(|session| &session.key),
        previous_session: history.previous.as_ref().map(|before| &before.key),
    };
    let finding = search(evidence, &keys, app.dialects);
    // That a signature is none is told by the refusal itself, unless there is more to say.
    if finding != SignatureFinding::Unknown || refusal.detail().is_none() {
        report.signature_hint = Some(finding.to_string());
    }
    report.add(finding.name(), finding.to_string(), &finding.fix());
    if let (SignatureFinding::Mistake(Mistake::OldSessionKey), Some(before)) = (&finding, &history.previous) {
        let words = format!("a newer login replaced the one before at {}", format_utc(before.replaced_at));
        report.add("login-replaced", words, "use the session key that the newest login told");
    }
}

fn diagnose_session(history: &SessionHistory, now: UnixMillis, report: &mut DiagnosisReport) {
    const LOG_IN: &str = "log the player in again, and tell the bank of the login before the call";
    match &history.current {
        None => {
            let words = "the player never logged in here, or so long ago that it is forgotten".to_owned();
            report.add("never-logged-in", words, LOG_IN);
        }
        Some(session) if now >= session.valid_until => {
            let words = format!("the login ended at {}", format_utc(session.valid_until));
            report.add("login-ended", words, LOG_IN);
        }
        // It is refused for another reason, or a login came in between.
        Some(_) => {}
    }
    if let (Some(before), Some(_)) = (&history.previous, &history.current) {
        let words = format!("it replaced an earlier login at {}", format_utc(before.replaced_at));
        report.add("login-replaced", words, "use the session key that the newest login told");
    }
}

async fn diagnose_token(bank: &AppState, token: &AccessToken, report: &mut DiagnosisReport) {
    const REQUEST_TOKEN: &str = "ask for a token with /cgi-bin/token, and share it among all who call";
    let Ok(status) = bank.tokens.status(token, bank.now()).await else { return };
    match status {
        TokenStatus::Unknown => {
            let words =
                "no such token was given out by this bank, or so long ago that it is forgotten".to_owned();
            report.add("token-unknown", words, REQUEST_TOKEN);
        }
        TokenStatus::SecretChanged => {
            let words = "the token was given out for another secret of the app".to_owned();
            report.add("token-of-other-secret", words, "ask for a token with the app's secret of now");
        }
        TokenStatus::Replaced { valid_until } => {
            let words =
                format!("a newer token replaced it, and it was good until {}", format_utc(valid_until));
            let fix = "share one token among all who call: each new one ends the one before";
            report.add("token-replaced", words, fix);
        }
        TokenStatus::Expired { at } => {
            report.add("token-expired", format!("the token expired at {}", format_utc(at)), REQUEST_TOKEN);
        }
        TokenStatus::Valid => {}
    }
}

/// A moment as people read it, by UTC.
fn format_utc(moment: UnixMillis) -> String {
    let date = i64::try_from(moment.get()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    date.map_or_else(|| format!("{moment} ms after 1970"), |date| date.to_string())
}
