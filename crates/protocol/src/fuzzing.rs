//! Fuzz targets of this crate: each function takes any bytes, and panics when an invariant is broken.
//!
//! The oracle is a second implementation of the contract (`reference`), not the code under test.
//! Read next: `fuzz/README.md`.

mod reference;

use pactolus_fuzz_support::Choices;
use pactolus_types::{Amount, AppId, BillNo, Coins, Environment, OfferId, OpenId, UnixMillis, ZoneId};

use crate::body::{Body, Value};
use crate::call::{Call, CallKind, CallPath, Caller, CancelPay, GetBalance, Pay, Present};
use crate::credentials::{Credentials, GrantType};
use crate::error::{ErrorCode, ErrorReply, ExistingOrder};
use crate::explain::{AppKeys, Evidence, SignatureFinding};
use crate::login::SessionCheck;
use crate::parameter::Parameter;
use crate::query::Query;
use crate::reply::{
    ApiError, BalanceReply, CancelPayReply, PayReply, PresentReply, Reply, ReplyOutcome, error_to_json,
    parse_reply, to_json,
};
use crate::request::signed_body;
use crate::rid::Rid;
use crate::secret::{AccessToken, AppSecret, LoginCode, MidasKey, SessionKey};
use crate::sign::{Dialect, DialectPolicy, MpSig, Signature, UnverifiedCall};
use crate::token::{StableTokenRequest, TokenReply};
use crate::values::{FreeText, Pf, UnixSeconds};

use reference::ReferenceValue;

const LIVE_KEY: &str = "zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u";
const SANDBOX_KEY: &str = "the-sandbox-key-of-the-same-app";
const APP_SECRET: &str = "the-secret-that-asks-for-tokens";
const SESSION_KEY: &str = "V7Q38/i2KXaqrQyl2Yx9Hg==";
const PREVIOUS_SESSION_KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";
const TOKEN: &str = "ACCESS-TOKEN-of-the-query";

const VALID: &str = "a valid value";

fn midas_key(environment: Environment) -> MidasKey {
    MidasKey::new(match environment {
        Environment::Live => LIVE_KEY,
        Environment::Sandbox => SANDBOX_KEY,
    })
    .expect(VALID)
}

fn session_key() -> SessionKey {
    SessionKey::new(SESSION_KEY).expect(VALID)
}

fn token() -> AccessToken {
    AccessToken::new(TOKEN).expect(VALID)
}

/// Dispatches on a call kind known only at run time.
macro_rules! for_call {
    ($kind:expr, $call:ident => $done:expr) => {
        match $kind {
            CallKind::Present => {
                type $call = Present;
                $done
            }
            CallKind::GetBalance => {
                type $call = GetBalance;
                $done
            }
            CallKind::Pay => {
                type $call = Pay;
                $done
            }
            CallKind::CancelPay => {
                type $call = CancelPay;
                $done
            }
        }
    };
}

/// The scanner and the reference accept the same bodies with the same fields. A call read from a body round-trips.
pub fn body(bytes: &[u8]) {
    let (actual, expected) = (Body::parse(bytes), reference::fields(bytes));
    let body = match (actual, expected) {
        (Ok(body), Ok(theirs)) => {
            let ours: Vec<_> =
                body.fields().map(|field| (field.key.to_string(), to_reference(field.value))).collect();
            assert_eq!(ours, theirs, "the fields differ");
            body
        }
        (Err(refusal), Err(code)) => return assert_eq!(refusal.code(), code, "{refusal}"),
        (Ok(_), Err(code)) => panic!("accepted, but must be refused with {code:?}"),
        (Err(refusal), Ok(_)) => panic!("refused, but must be accepted: {refusal}"),
    };
    let written = Body::raw_fields(bytes).expect("a parsed body can be parsed again");
    assert_eq!(written.len(), body.fields().count(), "a duplicate key is refused");
    for field in body.fields() {
        assert_eq!(field.parameter, Parameter::from_name(field.key));
    }
    let _ = StableTokenRequest::from_body(&body);
    for path in CallPath::all() {
        for_call!(path.kind, C => check_request_round_trip::<C>(path.environment, &body));
    }
}

fn to_reference(value: &Value<'_>) -> ReferenceValue {
    match value {
        Value::Text(text) => ReferenceValue::Text(text.to_string()),
        Value::Number(digits) => ReferenceValue::Number(digits.to_string()),
        Value::Literal(word) => ReferenceValue::Literal((*word).to_owned()),
        Value::Nested => ReferenceValue::Nested,
    }
}

/// An accepted call survives a round trip. A refusal names the wrong parameter.
fn check_request_round_trip<C: Call + PartialEq + std::fmt::Debug>(
    environment: Environment,
    body: &Body<'_>,
) {
    match C::from_body(body) {
        Err(refusal) => {
            assert_eq!(refusal.code(), ErrorCode::InvalidParameter);
            let detail = refusal.detail().expect("a wrong parameter is named");
            assert!(Parameter::ALL.iter().any(|parameter| detail.starts_with(parameter.name())), "{detail}");
        }
        Ok(call) => {
            let sent = signed_body(&call, environment, &midas_key(environment), None);
            let body = Body::parse(sent.as_bytes()).expect("a client sends a body");
            assert_eq!(C::from_body(&body).as_ref(), Ok(&call));
            for mp_sig in [MpSig::Required, MpSig::IfPresent, MpSig::Off] {
                let read = UnverifiedCall::<C>::read(environment, &body, mp_sig);
                assert_eq!(read.is_ok(), mp_sig != MpSig::Required, "it has no mp_sig");
            }
        }
    }
}

/// A signed call verifies in the documented dialect. A corrupted one agrees with the reference.
pub fn requests(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let kind = choices.one_of(&CallKind::ALL);
    let environment = choices.one_of(&Environment::ALL);
    let changes = [0; 3].map(|_| (choices.number(), choices.byte()));
    let caller = caller(&mut choices);
    let text = |choices: &mut Choices<'_>| FreeText::new(&choices.text(300)).ok();
    match kind {
        CallKind::Present => {
            let (present_counts, bill_no) = (amount(&mut choices), bill_no(&mut choices));
            check_signed_call(&Present { caller, present_counts, bill_no }, environment, &changes);
        }
        CallKind::GetBalance => check_signed_call(&GetBalance { caller }, environment, &changes),
        CallKind::Pay => {
            let (amt, bill_no) = (amount(&mut choices), bill_no(&mut choices));
            let (pay_item, app_remark) = (text(&mut choices), text(&mut choices));
            check_signed_call(&Pay { caller, amt, bill_no, pay_item, app_remark }, environment, &changes);
        }
        CallKind::CancelPay => {
            let (bill_no, pay_item) = (bill_no(&mut choices), text(&mut choices));
            check_signed_call(&CancelPay { caller, bill_no, pay_item }, environment, &changes);
        }
    }
}

const WORD_CHARS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

fn caller(choices: &mut Choices<'_>) -> Caller {
    Caller {
        openid: OpenId::new(&choices.word(64, WORD_CHARS)).expect(VALID),
        appid: AppId::new(&choices.word(64, WORD_CHARS)).expect(VALID),
        offer_id: OfferId::new(&choices.word(64, WORD_CHARS)).expect(VALID),
        ts: UnixSeconds::new(choices.number() % Coins::MAX.get() + 1).expect(VALID),
        zone_id: ZoneId::new(&choices.word(64, &format!("{WORD_CHARS}.:|*@"))).expect(VALID),
        pf: Pf::new(&choices.word(32, WORD_CHARS)).expect(VALID),
        user_ip: match choices.below(3) {
            0 => None,
            1 => Some(
                std::net::Ipv4Addr::from_bits(u32::try_from(choices.number() >> 32).expect(VALID)).into(),
            ),
            _ => Some(std::net::Ipv6Addr::from_bits(u128::from(choices.number()) << 40).into()),
        },
    }
}

fn amount(choices: &mut Choices<'_>) -> Amount {
    Amount::new(choices.number() % Coins::MAX.get() + 1).expect(VALID)
}

fn bill_no(choices: &mut Choices<'_>) -> BillNo {
    BillNo::new(&choices.word(63, &format!("{WORD_CHARS}|*@"))).expect(VALID)
}

fn check_signed_call<C: Call + PartialEq + std::fmt::Debug>(
    call: &C,
    environment: Environment,
    changes: &[(u64, u8)],
) {
    let path = C::path(environment);
    let (midas_key, session_key, token) = (midas_key(environment), session_key(), token());
    let json = signed_body(call, environment, &midas_key, Some((&session_key, &token)));
    let body = Body::parse(json.as_bytes()).expect("a client sends a body");
    let received =
        UnverifiedCall::<C>::read(environment, &body, MpSig::Required).expect("with valid parameters");
    assert_eq!(received.call(), call);
    assert_eq!(received.verify_sig(&midas_key, DialectPolicy::Strict), Ok(Dialect::DOCUMENTED));
    assert_eq!(
        received.verify_mp_sig(&session_key, &token, DialectPolicy::Strict),
        Ok(Some(Dialect::DOCUMENTED))
    );
    let mut sent = json.clone().into_bytes();
    for (at, with) in changes {
        let at = usize::try_from(*at).unwrap_or(usize::MAX) % sent.len();
        sent[at] ^= with;
    }
    if sent != json.as_bytes() {
        check_against_reference::<C>(path, &sent, DialectPolicy::Lenient);
    }
}

/// Both signatures of a body verify in the dialect that the reference finds.
fn check_against_reference<C: Call>(path: CallPath, json: &[u8], dialects: DialectPolicy) {
    let Ok(body) = Body::parse(json) else { return };
    let Ok(received) = UnverifiedCall::<C>::read(path.environment, &body, MpSig::IfPresent) else { return };
    let fields = reference::fields(json).expect("the body is accepted");
    let (midas_key, session_key, token) = (midas_key(path.environment), session_key(), token());
    let sig = reference::text_field(&fields, "sig").expect("it was read");
    let expected = reference::dialect(dialects, sig, |dialect| {
        reference::sig(path, &fields, dialect, midas_key.expose())
    });
    let verified = received.verify_sig(&midas_key, dialects);
    assert_eq!(verified.as_ref().ok(), expected.as_ref(), "sig");
    let is_sig_error = verified.map_or_else(|refusal| refusal.code() == ErrorCode::SigError, |_| true);
    assert!(is_sig_error, "a wrong sig is reported as one");

    let verified = received.verify_mp_sig(&session_key, &token, dialects);
    match reference::text_field(&fields, "mp_sig") {
        None => assert_eq!(verified, Ok(None), "there is none"),
        Some(mp_sig) => {
            let right = reference::dialect(dialects, mp_sig, |dialect| {
                reference::mp_sig(path, &fields, dialect, sig, TOKEN, SESSION_KEY)
            });
            assert_eq!(verified.as_ref().ok(), right.map(Some).as_ref(), "mp_sig");
        }
    }
}

/// A body signed in a dialect verifies in it, or in an earlier one with the same signed text. A corrupted body
/// verifies only if its signed text is unchanged.
pub fn signatures(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let path = choose_path(&mut choices);
    let dialect = choose_dialect(&mut choices);
    let dialects = choices.one_of(&[DialectPolicy::Lenient, DialectPolicy::Strict]);
    let change = (choices.number(), choices.byte());
    let Some((fields, json)) = parse_unsigned(choices.rest()) else { return };
    let key = midas_key(path.environment);
    let sig = reference::sig(path, &fields, dialect, key.expose());
    let mp_sig = reference::mp_sig(path, &fields, dialect, &sig, TOKEN, SESSION_KEY);
    let mut json = with_proofs(&json, &sig, Some(&mp_sig)).into_bytes();
    {
        let body = Body::parse(&json).expect("two more fields keep a body valid");
        // The crate's own signatures are equal.
        assert_eq!(crate::sign::sig(path, &body, dialect, &key).to_string(), sig);
        let ours = crate::sign::mp_sig(path, &body, dialect, &sig, &token(), &session_key());
        assert_eq!(ours.to_string(), mp_sig);
    }
    for_call!(path.kind, C => check_against_reference::<C>(path, &json, dialects));
    let at = usize::try_from(change.0).unwrap_or(usize::MAX) % json.len();
    json[at] ^= change.1;
    for_call!(path.kind, C => check_against_reference::<C>(path, &json, dialects));
}

fn choose_path(choices: &mut Choices<'_>) -> CallPath {
    let all: Vec<_> = CallPath::all().collect();
    choices.one_of(&all)
}

fn choose_dialect(choices: &mut Choices<'_>) -> Dialect {
    let all: Vec<_> = DialectPolicy::Lenient.accepted().collect();
    choices.one_of(&all)
}

/// The fields of a valid unsigned body that leaves room for the signatures, and its text up to the last bracket.
fn parse_unsigned(bytes: &[u8]) -> Option<(Vec<(String, ReferenceValue)>, String)> {
    let fields = reference::fields(bytes).ok()?;
    let is_signed = fields.iter().any(|(key, _)| key == "sig" || key == "mp_sig");
    if is_signed || bytes.len() > crate::BODY_BYTES_MAX - 200 {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_end().strip_suffix('}')?;
    Some((fields, text.to_owned()))
}

fn with_proofs(open: &str, sig: &str, mp_sig: Option<&str>) -> String {
    let comma = if open.trim() == "{" { "" } else { "," };
    let mp_sig = mp_sig.map(|mp_sig| format!(r#","mp_sig":"{mp_sig}""#)).unwrap_or_default();
    format!(r#"{open}{comma}"sig":"{sig}"{mp_sig}}}"#)
}

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

/// Query parsing agrees with the reference, and a query that a client writes round-trips.
pub fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let query = Query::new(text);
    let known =
        ["access_token", "appid", "secret", "grant_type", "js_code", "openid", "signature", "sig_method"];
    let sent = text.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    for name in known.into_iter().chain(sent.take(32)) {
        assert_eq!(query.get(name).map(std::borrow::Cow::into_owned), reference::query(text, name), "{name}");
    }
    if let Ok(token) = AccessToken::from_query(query) {
        let again =
            AccessToken::from_query(Query::new(&token.to_query())).expect("a written query can be read");
        assert!(again.matches(token.expose()));
    }
    for grant in [GrantType::ClientCredential, GrantType::AuthorizationCode] {
        if let Ok(shown) = Credentials::from_query(query, grant) {
            let again = Credentials::from_query(Query::new(&shown.to_query(grant)), grant);
            let again = again.expect("a written query can be read");
            assert!(again.appid == shown.appid && again.secret.matches(shown.secret.expose()));
            let is_leaked = format!("{shown:?}").contains(&format!("{:?}", shown.secret.expose()));
            assert!(!is_leaked || shown.appid.as_str() == shown.secret.expose(), "it is redacted");
        }
    }
    if let Ok(code) = LoginCode::from_query(query) {
        assert!(code.matches(&reference::query(text, "js_code").expect("there is one")));
    }
    if let Ok(check) = SessionCheck::from_query(query) {
        let is_right = check.verify(&session_key()).is_ok();
        let sent = reference::query(text, "signature").expect("there is one");
        let right = reference::hex(&reference::hmac_sha256(SESSION_KEY.as_bytes(), b""));
        assert_eq!(is_right, sent.eq_ignore_ascii_case(&right));
    }
}

/// A parsed reply round-trips, and a reply that a bank writes is read back unchanged.
pub fn answers(bytes: &[u8]) {
    check_reply::<Present>(bytes);
    check_reply::<GetBalance>(bytes);
    check_reply::<Pay>(bytes);
    check_reply::<CancelPay>(bytes);
    if let Ok(ReplyOutcome::Success(reply)) = TokenReply::parse(bytes) {
        let Ok(ReplyOutcome::Success(again)) = TokenReply::parse(&reply.to_json()) else {
            panic!("it reads back")
        };
        assert!(again.access_token.matches(reply.access_token.expose()));
        assert_eq!(again.expires_in, reply.expires_in);
    }
    let mut choices = Choices::new(bytes);
    let bill_no = bill_no(&mut choices);
    let mut coins = || Coins::new(choices.number() % (Coins::MAX.get() + 1)).expect(VALID);
    let (balance, used_gen_amt) = (coins(), coins());
    let all = BalanceReply {
        balance,
        gen_balance: coins(),
        save_amt: coins(),
        save_sum: coins(),
        cost_sum: coins(),
        present_sum: coins(),
    };
    check_reply_round_trip::<Present>(&PresentReply { balance, bill_no });
    check_reply_round_trip::<GetBalance>(&all);
    check_reply_round_trip::<Pay>(&PayReply { bill_no, balance, used_gen_amt });
    check_reply_round_trip::<CancelPay>(&CancelPayReply { bill_no });
    let rid = Rid::new(UnixMillis::new(choices.number()), choices.number());
    let code = choices.one_of(ErrorCode::ALL);
    let detail = choices.text(64);
    let refusal = if choices.flag() {
        ErrorReply::with_detail(code, detail)
    } else {
        ErrorReply::replayed(ExistingOrder { bill_no, balance })
    };
    let json = error_to_json(&refusal, rid);
    let Ok(ReplyOutcome::Refused(refused)) = parse_reply::<Present>(&json) else { panic!("it reads back") };
    assert_eq!((refused.errcode, refused.code()), (refusal.code().code(), Some(refusal.code())));
    assert!(refused.errmsg.ends_with(&format!("rid: {rid}")));
    assert_eq!(refused.existing.as_ref(), refusal.existing());
}

fn check_reply<C: Call>(bytes: &[u8])
where
    C::Reply: PartialEq + std::fmt::Debug,
{
    let json: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    match parse_reply::<C>(bytes) {
        Ok(ReplyOutcome::Success(reply)) => {
            // Invalid UTF-8 in an unknown field is ignored.
            if let Some(json) = json {
                assert_eq!(json["errcode"], 0, "success means 0");
            }
            check_reply_round_trip::<C>(&reply);
        }
        Ok(ReplyOutcome::Refused(refused)) => {
            let ApiError { errcode, .. } = refused;
            assert_ne!(errcode, 0, "0 means success");
            let _ = (refused.code(), refused.mismatched_parameter());
        }
        Err(_) => {}
    }
}

fn check_reply_round_trip<C: Call>(reply: &C::Reply)
where
    C::Reply: Reply + PartialEq + std::fmt::Debug,
{
    match parse_reply::<C>(&to_json(reply)) {
        Ok(ReplyOutcome::Success(read)) => assert_eq!(&read, reply),
        other => panic!("a success reply parses as {}", other.is_ok()),
    }
}

/// Names, numbers, ids and secrets are accepted by their rules, and keep their text.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let is_of = |marks: &str, max: usize| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
        (1..=max).contains(&text.len()) && text.chars().all(allowed)
    };
    macro_rules! noun {
        ($noun:ident, $marks:literal, $max:literal) => {
            match $noun::new(text) {
                Ok(noun) => assert!(is_of($marks, $max) && noun.as_str() == text),
                Err(error) => assert!(!is_of($marks, $max), "{error}"),
            }
        };
    }
    noun!(AppId, "_-", 64);
    noun!(OfferId, "_-", 64);
    noun!(OpenId, "_-", 64);
    noun!(ZoneId, "_-.:|*@", 64);
    noun!(BillNo, "_-|*@", 63);
    noun!(Pf, "_-", 32);
    assert_eq!(FreeText::new(text).is_ok(), (1..=1024).contains(&text.len()));

    let is_visible =
        |max: usize| (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    macro_rules! secret {
        ($secret:ident, $is_one:expr) => {
            match $secret::new(text) {
                Ok(secret) => {
                    assert!($is_one && secret.matches(text) && secret.expose() == text);
                    assert_eq!(format!("{secret:?}"), concat!(stringify!($secret), "(..)"));
                }
                Err(_) => assert!(!$is_one),
            }
        };
    }
    secret!(MidasKey, is_visible(128));
    secret!(AppSecret, is_visible(128));
    secret!(LoginCode, is_visible(128));
    secret!(AccessToken, is_visible(512));
    secret!(SessionKey, reference::is_session_key(text));

    if let Ok(rid) = text.parse::<Rid>() {
        assert_eq!(rid.to_string(), text);
    }
    if let Some(signature) = Signature::parse(text) {
        assert_eq!(signature.to_string(), text.to_lowercase());
    } else {
        assert!(text.len() != 64 || text.bytes().any(|byte| !byte.is_ascii_hexdigit()));
    }
    assert_eq!(CallPath::parse(text).is_some(), CallPath::all().any(|path| path.as_str() == text));
    let amount = crate::call::reader::amount(text).ok();
    let is_amount = |count: &u64| (1..=Coins::MAX.get()).contains(count);
    assert_eq!(amount.map(Amount::get), text.parse().ok().filter(is_amount));
}

#[cfg(test)]
mod tests {
    use pactolus_fuzz_support::run_corpus;

    #[test]
    fn body_corpus_passes() {
        run_corpus("body", super::body);
    }

    #[test]
    fn request_corpus_passes() {
        run_corpus("requests", super::requests);
    }

    #[test]
    fn signature_corpus_passes() {
        run_corpus("signatures", super::signatures);
    }

    #[test]
    fn explain_corpus_passes() {
        run_corpus("explain", super::explain);
    }

    #[test]
    fn query_corpus_passes() {
        run_corpus("query", super::query);
    }

    #[test]
    fn answer_corpus_passes() {
        run_corpus("answers", super::answers);
    }

    #[test]
    fn name_corpus_passes() {
        run_corpus("names", super::names);
    }
}
