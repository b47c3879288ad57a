//! Sample app of the vendor's documentation: its identifiers, keys and tokens, and the documented present.
//!
//! [`PRESENT_BODY`] verifies with these keys, so no value here can change.

use pactolus_protocol::{AccessToken, Caller, MidasKey, OperatorToken, Pf, SessionKey, UnixSeconds};
use pactolus_types::{Environment, UnixMillis};

use crate::VALID;

/// The app's id.
pub const APPID: &str = "wx1234567";
/// The app's offer.
pub const OFFER_ID: &str = "12345678";
/// The documented player.
pub const OPENID: &str = "odkx20ENSNa2w5y3g_qOkOvBNM1g";
/// The documented zone.
pub const ZONE_ID: &str = "1";
/// Key of live calls.
pub const MIDAS_KEY: &str = "zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u";
/// Key of sandbox calls.
pub const SANDBOX_MIDAS_KEY: &str = "another-key-for-the-sandbox";
/// Session key of every player.
pub const SESSION_KEY: &str = "V7Q38/i2KXaqrQyl2Yx9Hg==";
/// Static access token.
pub const ACCESS_TOKEN: &str = "ACCESSTOKEN";
/// Token of the operator API.
pub const OPERATOR_TOKEN: &str = "OPERATORTOKEN";
/// Secret for the routes that issue tokens and check logins.
pub const APP_SECRET: &str = "APPSECRET";
/// The documented `ts`, in seconds.
pub const TS: u64 = 1_507_530_737;
/// The bank's time at [`TS`].
pub const NOW: UnixMillis = UnixMillis::new(TS * 1000);

/// JSON fields of the documented present, without braces and signatures.
pub const PRESENT_FIELDS: &str = r#""openid":"odkx20ENSNa2w5y3g_qOkOvBNM1g","appid":"wx1234567","offer_id":"12345678","ts":1507530737,"zone_id":"1","pf":"android","present_counts":233,"bill_no":"BillNo_123""#;

/// Body of the documented present. Its signatures are valid in the live environment with [`ACCESS_TOKEN`].
pub const PRESENT_BODY: &str = r#"{"openid":"odkx20ENSNa2w5y3g_qOkOvBNM1g","appid":"wx1234567","offer_id":"12345678","ts":1507530737,"zone_id":"1","pf":"android","present_counts":233,"bill_no":"BillNo_123","sig":"c82c534ca46818722a8cbe0004020aea541333aefa7a780fb0bb45d9397da3ef","mp_sig":"523537261e0205eda7a7ed2a6e3d7333badc94cc2eb591f733559f3608bbe0af"}"#;

/// Configuration of a bank with the sample app, on a free port. It ends in the app's section.
pub const CONFIG: &str = r#"listen = "127.0.0.1:0"

[operator]
token = "OPERATORTOKEN"

[[apps]]
appid = "wx1234567"
app_secret = "APPSECRET"
offer_id = "12345678"
midas_key = "zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u"
sandbox_midas_key = "another-key-for-the-sandbox"
static_access_tokens = ["ACCESSTOKEN"]
"#;

/// Key that signs the calls of an environment.
pub fn midas_key(environment: Environment) -> MidasKey {
    let key = match environment {
        Environment::Live => MIDAS_KEY,
        Environment::Sandbox => SANDBOX_MIDAS_KEY,
    };
    MidasKey::new(key).expect(VALID)
}

/// [`SESSION_KEY`], parsed.
pub fn session_key() -> SessionKey {
    SessionKey::new(SESSION_KEY).expect(VALID)
}

/// [`ACCESS_TOKEN`], parsed.
pub fn access_token() -> AccessToken {
    AccessToken::new(ACCESS_TOKEN).expect(VALID)
}

/// [`OPERATOR_TOKEN`], parsed.
pub fn operator_token() -> OperatorToken {
    OperatorToken::new(OPERATOR_TOKEN).expect(VALID)
}

/// Parameters of a player's calls on Android at [`TS`], without an IP address.
pub fn caller(openid: &str, zone_id: &str) -> Caller {
    Caller {
        openid: openid.parse().expect(VALID),
        appid: APPID.parse().expect(VALID),
        offer_id: OFFER_ID.parse().expect(VALID),
        ts: UnixSeconds::new(TS).expect(VALID),
        zone_id: zone_id.parse().expect(VALID),
        pf: Pf::new("android").expect(VALID),
        user_ip: None,
    }
}
