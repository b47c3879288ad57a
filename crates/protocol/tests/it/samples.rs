//! Sample values of the vendor's example, and bodies signed in any dialect.

use pactolus_protocol::{Body, CallKind, CallPath, Dialect, MidasKey, sign};
use pactolus_test_support::sample;
pub(crate) use pactolus_test_support::sample::{
    PRESENT_FIELDS as PRESENT, access_token as token, session_key,
};
use pactolus_types::Environment;

pub(crate) const PAY: &str = r#""openid":"odkx20ENSNa2w5y3g_qOkOvBNM1g","appid":"wx1234567","offer_id":"12345678","ts":1507530737,"zone_id":"1","pf":"android","amt":5,"bill_no":"Pay*|@1","pay_item":"宝剑 (small)","app_remark":"a/b first buy!~""#;

pub(crate) const LIVE_PRESENT: CallPath =
    CallPath { kind: CallKind::Present, environment: Environment::Live };
pub(crate) const LIVE_PAY: CallPath = CallPath { kind: CallKind::Pay, environment: Environment::Live };

pub(crate) fn midas_key() -> MidasKey {
    sample::midas_key(Environment::Live)
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
