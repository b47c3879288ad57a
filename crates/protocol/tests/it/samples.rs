//! Sample values of the vendor's example, and bodies signed in any dialect.

use pactolus_protocol::{AccessToken, Body, CallKind, CallPath, Dialect, MidasKey, SessionKey, sign};
use pactolus_types::Environment;

pub(crate) const PRESENT: &str = r#""openid":"odkx20ENSNa2w5y3g_qOkOvBNM1g","appid":"wx1234567","offer_id":"12345678","ts":1507530737,"zone_id":"1","pf":"android","present_counts":233,"bill_no":"BillNo_123""#;

pub(crate) const PAY: &str = r#""openid":"odkx20ENSNa2w5y3g_qOkOvBNM1g","appid":"wx1234567","offer_id":"12345678","ts":1507530737,"zone_id":"1","pf":"android","amt":5,"bill_no":"Pay*|@1","pay_item":"宝剑 (small)","app_remark":"a/b first buy!~""#;

pub(crate) const LIVE_PRESENT: CallPath =
    CallPath { kind: CallKind::Present, environment: Environment::Live };
pub(crate) const LIVE_PAY: CallPath = CallPath { kind: CallKind::Pay, environment: Environment::Live };

pub(crate) fn midas_key() -> MidasKey {
    MidasKey::new("zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u").unwrap()
}

pub(crate) fn session_key() -> SessionKey {
    SessionKey::new("V7Q38/i2KXaqrQyl2Yx9Hg==").unwrap()
}

pub(crate) fn token() -> AccessToken {
    AccessToken::new("ACCESSTOKEN").unwrap()
}

/// A body of `fields` with both signatures in `dialect`.
pub(crate) fn signed(path: CallPath, fields: &str, dialect: Dialect) -> String {
    let unsigned = format!("{{{fields}}}");
    let body = Body::parse(unsigned.as_bytes()).unwrap();
    let sig = sign::sig(path, &body, dialect, &midas_key()).to_string();
    let mp_sig = sign::mp_sig(path, &body, dialect, &sig, &token(), &session_key());
    with_proofs(fields, &sig, &mp_sig.to_string())
}

pub(crate) fn with_proofs(fields: &str, sig: &str, mp_sig: &str) -> String {
    format!(r#"{{{fields},"sig":"{sig}","mp_sig":"{mp_sig}"}}"#)
}
