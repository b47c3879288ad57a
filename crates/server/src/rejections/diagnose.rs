//! Findings about a refusal: the mistake that makes its signature, what became of its login or of its token.
//!
//! Nothing here decides anything: the call is refused already, and a look-up that fails leaves it unexplained.

use pactolus_protocol::explain::{AppKeys, RedactedParameters};
use pactolus_protocol::{
    AccessToken, CallPath, DialectPolicy, ErrorCode, ErrorReply, Evidence, Mistake, Parameter,
    SignatureFinding,
};
use pactolus_types::{AppId, Environment, OpenId, UnixMillis};

use super::log::locked;
use super::rejection::{Seen, Told};
use crate::auth::sessions::History;
use crate::auth::tokens::status::Fate;
use crate::settings::AppSettings;
use crate::state::Bank;

/// What was found out.
#[derive(Default)]
pub(super) struct Explained {
    pub(super) parameters: Option<RedactedParameters>,
    pub(super) signed_text: Option<String>,
    pub(super) findings: Vec<Told>,
    /// What the sandbox says about a signature.
    about_signature: Option<String>,
}

impl Explained {
    /// The refusal as it is answered in `environment`. Live, a refusal says no more than the contract has it say.
    pub(super) fn answered(&self, environment: Environment, refusal: ErrorReply) -> ErrorReply {
        match (environment, &self.about_signature) {
            (Environment::Sandbox, Some(words)) => ErrorReply::with_detail(refusal.code(), words.clone()),
            (Environment::Sandbox, None) | (Environment::Live, _) => refusal,
        }
    }

    fn find(&mut self, name: &'static str, words: String, fix: &str) {
        self.findings.push(Told { name: name.into(), words, fix: fix.to_owned() });
    }
}

/// Why a call at `path` of `host`, of which this was `seen`, was refused.
pub(super) async fn explain(
    bank: &Bank,
    path: CallPath,
    host: Option<&str>,
    seen: &Seen,
    refusal: &ErrorReply,
) -> Explained {
    let mut explained = Explained::default();
    let Some(token) = &seen.token else { return explained };
    if let ErrorCode::InvalidCredential | ErrorCode::AccessTokenExpired = refusal.code() {
        explain_token(bank, token, &mut explained).await;
    }
    let (Some(app), Some(body)) = (&seen.app, &seen.body) else { return explained };
    let Ok(evidence) = Evidence::read(path, token, body) else { return explained };
    let evidence = evidence.with_host(host);
    explained.parameters = Some(evidence.parameters());
    match refusal.code() {
        ErrorCode::SigError => {
            explained.signed_text = Some(evidence.sig_text());
            explain_signature(bank, app, &evidence, Evidence::explain_sig, refusal, &mut explained).await;
        }
        ErrorCode::MpSigError => {
            explained.signed_text = Some(evidence.mp_sig_text());
            explain_signature(bank, app, &evidence, Evidence::explain_mp_sig, refusal, &mut explained).await;
        }
        ErrorCode::NoSession => {
            explain_login(&history(bank, app.appid, &evidence).await, bank.now(), &mut explained);
        }
        // The refusal says it all.
        _ => {}
    }
    explained
}

/// The logins of the player that the body names.
async fn history(bank: &Bank, appid: AppId, evidence: &Evidence<'_>) -> History {
    let player = evidence.raw_text(Parameter::OpenId).and_then(|openid| OpenId::new(openid).ok());
    match player {
        Some(player) => bank.sessions.history(appid, player).await.unwrap_or_default(),
        None => History::default(),
    }
}

/// A search for what makes a signature.
type Search<'a> = fn(&Evidence<'a>, &AppKeys<'_>, DialectPolicy) -> SignatureFinding;

async fn explain_signature<'a>(
    bank: &Bank,
    app: &AppSettings,
    evidence: &Evidence<'a>,
    search: Search<'a>,
    refusal: &ErrorReply,
    explained: &mut Explained,
) {
    if evidence.path().environment == Environment::Live
        && !locked(&bank.rejections.searches).take(bank.limits.explained_per_second, bank.now())
    {
        explained.find(
            "not-searched",
            "more signatures were refused in this second than are searched for a mistake".to_owned(),
            "send the request again a second later, or in the sandbox, where each is searched",
        );
        return;
    }
    let history = history(bank, app.appid, evidence).await;
    let keys = AppKeys {
        live: &app.midas_key,
        sandbox: &app.sandbox_midas_key,
        app_secret: &app.app_secret,
        session: history.current.as_ref().map(|session| &session.key),
        previous_session: history.before.as_ref().map(|before| &before.key),
    };
    let finding = search(evidence, &keys, app.dialects);
    // That a signature is none is told by the refusal itself, unless there is more to say.
    if finding != SignatureFinding::Unknown || refusal.detail().is_none() {
        explained.about_signature = Some(finding.to_string());
    }
    explained.find(finding.name(), finding.to_string(), &finding.fix());
    if let (SignatureFinding::Mistake(Mistake::OldSessionKey), Some(before)) = (&finding, &history.before) {
        let words = format!("a newer login replaced the one before at {}", date(before.replaced_at));
        explained.find("login-replaced", words, "use the session key that the newest login told");
    }
}

fn explain_login(history: &History, now: UnixMillis, explained: &mut Explained) {
    const LOG_IN: &str = "log the player in again, and tell the bank of the login before the call";
    match &history.current {
        None => {
            let words = "the player never logged in here, or so long ago that it is forgotten".to_owned();
            explained.find("never-logged-in", words, LOG_IN);
        }
        Some(session) if now >= session.good_until => {
            let words = format!("the login ended at {}", date(session.good_until));
            explained.find("login-ended", words, LOG_IN);
        }
        // It is refused for another reason, or a login came in between.
        Some(_) => {}
    }
    if let (Some(before), Some(_)) = (&history.before, &history.current) {
        let words = format!("it replaced an earlier login at {}", date(before.replaced_at));
        explained.find("login-replaced", words, "use the session key that the newest login told");
    }
}

async fn explain_token(bank: &Bank, token: &AccessToken, explained: &mut Explained) {
    const ASK: &str = "ask for a token with /cgi-bin/token, and share it among all who call";
    let Ok(fate) = bank.tokens.fate(token, bank.now()).await else { return };
    match fate {
        Fate::Unknown => {
            let words =
                "no such token was given out by this bank, or so long ago that it is forgotten".to_owned();
            explained.find("token-unknown", words, ASK);
        }
        Fate::OfOtherSecret => {
            let words = "the token was given out for another secret of the app".to_owned();
            explained.find("token-of-other-secret", words, "ask for a token with the app's secret of now");
        }
        Fate::Replaced { good_until } => {
            let words = format!("a newer token replaced it, and it was good until {}", date(good_until));
            let fix = "share one token among all who call: each new one ends the one before";
            explained.find("token-replaced", words, fix);
        }
        Fate::Expired { at } => {
            explained.find("token-expired", format!("the token expired at {}", date(at)), ASK);
        }
        Fate::Good => {}
    }
}

/// A moment as people read it, by UTC.
fn date(moment: UnixMillis) -> String {
    let date = i64::try_from(moment.get()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    date.map_or_else(|| format!("{moment} ms after 1970"), |date| date.to_string())
}
