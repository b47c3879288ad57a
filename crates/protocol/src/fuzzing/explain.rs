//! Fuzz target `explain`: the search for the mistake in a signature.

use pactolus_fuzz_support::Choices;
use pactolus_types::Environment;

use super::choose::{choose_dialect, choose_path};
use super::keys::{
    APP_SECRET, LIVE_KEY, PREVIOUS_SESSION_KEY, SANDBOX_KEY, SESSION_KEY, TOKEN, VALID, midas_key,
    session_key, token,
};
use super::reference;
use super::signatures::{parse_unsigned, with_proofs};
use crate::midas::call::CallPath;
use crate::midas::explain::{AppKeys, Evidence, SignatureFinding};
use crate::midas::sign::{Dialect, DialectPolicy};
use crate::secret::{AppSecret, SessionKey};

/// The search for a mistake terminates, accepts valid signatures, finds the mistakes made here, and shows no key.
pub fn explain(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let path = choose_path(&mut choices);
    let other_path = choose_path(&mut choices);
    let dialect = choose_dialect(&mut choices);
    let dialects = choices.one_of(&[DialectPolicy::Lenient, DialectPolicy::Strict]);
    let has_session = choices.flag();
    let choice = choices.below(6);
    let Some((fields, open)) = parse_unsigned(choices.rest()) else {
        // Any request may have to be explained.
        return check_explanation(path, bytes, dialects, has_session, None);
    };
    let right = midas_key(path.environment).expose().to_owned();
    let other = if right == LIVE_KEY { SANDBOX_KEY } else { LIVE_KEY };
    let (at, by, key, expected) = match choice {
        0 => (path, dialect, right.as_str(), Some(true)),
        1 => (path, Dialect::DOCUMENTED, other, Some(false)),
        2 => (path, Dialect::DOCUMENTED, APP_SECRET, Some(false)),
        3 => (other_path, Dialect::DOCUMENTED, right.as_str(), Some(other_path == path)),
        4 => (other_path, dialect, other, None),
        _ => (path, dialect, "an unknown key", None),
    };
    // A text without the fields of the other call is another mistake too.
    let expected = expected.filter(|_| other_path.kind == path.kind || choice != 3);
    let sig = reference::sig(at, &fields, by, key);
    let mp_sig = reference::mp_sig(at, &fields, by, &sig, TOKEN, SESSION_KEY);
    let json = with_proofs(&open, &sig, Some(&mp_sig));
    check_explanation(path, json.as_bytes(), dialects, has_session, expected);
}

fn check_explanation(
    path: CallPath,
    json: &[u8],
    dialects: DialectPolicy,
    has_session: bool,
    is_right: Option<bool>,
) {
    let token = token();
    let Ok(evidence) = Evidence::read(path, &token, json) else { return };
    let evidence = evidence.with_host(Some("bank.example:8790"));
    let (live, sandbox) = (midas_key(Environment::Live), midas_key(Environment::Sandbox));
    let app_secret = AppSecret::new(APP_SECRET).expect(VALID);
    let (session, previous_session) = (session_key(), SessionKey::new(PREVIOUS_SESSION_KEY).expect(VALID));
    let keys = AppKeys {
        live: &live,
        sandbox: &sandbox,
        app_secret: &app_secret,
        session: has_session.then_some(&session),
        previous_session: has_session.then_some(&previous_session),
    };
    let (sig, mp_sig) = (evidence.explain_sig(&keys, dialects), evidence.explain_mp_sig(&keys, dialects));
    match (is_right, &sig) {
        (Some(_), SignatureFinding::Unknown) => panic!("the mistake is known"),
        (Some(false), SignatureFinding::Verified(_)) => {
            panic!("a signature of another key does not verify")
        }
        _ => {}
    }
    if is_right == Some(true)
        && dialects == DialectPolicy::Lenient
        && sig != SignatureFinding::WorkLimitReached
    {
        assert!(matches!(sig, SignatureFinding::Verified(_)), "{sig} instead of verified");
    }
    let mut output = vec![evidence.sig_text(), evidence.mp_sig_text()];
    for finding in [&sig, &mp_sig] {
        output.push(format!("{finding} {finding:?} {} {}", finding.name(), finding.fix()));
    }
    output.push(format!("{:?} {evidence:?}", evidence.parameters()));
    let shown = output.join(" ");
    let sent = String::from_utf8_lossy(json);
    for secret in [LIVE_KEY, SANDBOX_KEY, APP_SECRET, SESSION_KEY, PREVIOUS_SESSION_KEY, TOKEN] {
        // A secret that the caller sent may be shown; escapes can hide one in any body.
        let was_sent = sent.contains(secret) || sent.contains('\\');
        assert!(was_sent || !shown.contains(secret), "a secret is shown");
    }
}
