//! Diagnosis of signature mistakes: each known one, made by a client of this test, is named. The sandbox names it in
//! the reply; live, only the operator API does.
//!
//! Nothing here signs with the bank's code. Texts are written out and hashed, so the mistakes are the client's own.

use std::collections::BTreeSet;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use hyper::{Method, StatusCode};
use pactolus_protocol::DialectPolicy;
use pactolus_server::AppSettings;
use pactolus_test_support::sample::PRESENT_FIELDS;
use pactolus_types::Environment;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::bank::{
    APPID, MIDAS_KEY, OPERATOR, PLAYER, SANDBOX_KEY, SECRET, SESSION_KEY, TOKEN, TestBank, assert_refused,
    sample_app,
};

const OLD_SESSION_KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";
/// [`SESSION_KEY`], decoded.
const SESSION_BYTES: [u8; 16] =
    [0x57, 0xb4, 0x37, 0xf3, 0xf8, 0xb6, 0x29, 0x76, 0xaa, 0xad, 0x0c, 0xa5, 0xd9, 0x8c, 0x7d, 0x1e];

/// A present: its JSON fields, and its signed pairs.
const PRESENT: (&str, &str) = (
    PRESENT_FIELDS,
    "appid=wx1234567&bill_no=BillNo_123&offer_id=12345678&openid=odkx20ENSNa2w5y3g_qOkOvBNM1g&pf=android&present_counts=233&ts=1507530737&zone_id=1",
);

/// A pay, with every optional parameter.
const PAY: (&str, &str) = (
    r#""openid":"odkx20ENSNa2w5y3g_qOkOvBNM1g","appid":"wx1234567","offer_id":"12345678","ts":1507530737,"zone_id":"1","pf":"android","user_ip":"1.2.3.4","amt":5,"bill_no":"pay-1","pay_item":"\u5b9d 1","app_remark":"a\/b""#,
    "amt=5&app_remark=a/b&appid=wx1234567&bill_no=pay-1&offer_id=12345678&openid=odkx20ENSNa2w5y3g_qOkOvBNM1g&pay_item=宝 1&pf=android&ts=1507530737&user_ip=1.2.3.4&zone_id=1",
);

/// A client in one environment.
#[derive(Clone, Copy)]
struct SigningClient(Environment);

type SampleCall = (&'static str, &'static str);

impl SigningClient {
    fn is_live(self) -> bool {
        self.0 == Environment::Live
    }

    fn other(self) -> Self {
        Self(if self.is_live() { Environment::Sandbox } else { Environment::Live })
    }

    fn key(self) -> &'static str {
        if self.is_live() { MIDAS_KEY } else { SANDBOX_KEY }
    }

    fn path(self, sample: SampleCall) -> String {
        let call = if sample == PAY { "pay" } else { "present" };
        format!("/cgi-bin/midas/{}{call}", if self.is_live() { "" } else { "sandbox/" })
    }

    /// The signed text of `sig` with these pairs.
    fn text(self, sample: SampleCall, pairs: &str) -> String {
        format!("{pairs}&org_loc={}&method=POST&secret={}", self.path(sample), self.key())
    }

    /// `sig` over these pairs, otherwise correct.
    fn sign(self, sample: SampleCall, pairs: &str) -> String {
        hmac(self.key(), self.text(sample, pairs))
    }

    fn mp_text(self, sample: SampleCall, pairs: &str) -> String {
        format!("{pairs}&org_loc={}&method=POST&session_key={SESSION_KEY}", self.path(sample))
    }

    fn mp_sign(self, sample: SampleCall, pairs: &str) -> String {
        hmac(SESSION_KEY, self.mp_text(sample, pairs))
    }
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn mac<M: Mac + KeyInit>(key: impl AsRef<[u8]>, text: impl AsRef<[u8]>) -> String {
    let mut mac = <M as KeyInit>::new_from_slice(key.as_ref()).unwrap();
    mac.update(text.as_ref());
    hex(mac.finalize().into_bytes())
}

fn hmac(key: impl AsRef<[u8]>, text: impl AsRef<[u8]>) -> String {
    mac::<Hmac<Sha256>>(key, text)
}

/// The pairs of an `mp_sig`: those of the call plus `access_token` and `sig`, sorted.
fn mp_pairs(pairs: &str, sig: &str) -> String {
    let mut all: Vec<_> = pairs.split('&').map(str::to_owned).collect();
    all.extend([format!("access_token={TOKEN}"), format!("sig={sig}")]);
    all.sort_by_key(|pair| pair.split('=').next().unwrap().to_owned());
    all.join("&")
}

/// A mistake: its name, its finding, the request, and the signature that a client computes with it.
struct MistakeCase {
    name: &'static str,
    words: &'static str,
    sample: SampleCall,
    /// JSON fields in addition to those of the call.
    extra: &'static str,
    /// Computes the signature. The second argument is the correct `sig`, for an `mp_sig`.
    make: fn(SigningClient, &str) -> String,
}

const fn case(
    name: &'static str,
    words: &'static str,
    sample: SampleCall,
    extra: &'static str,
    make: fn(SigningClient, &str) -> String,
) -> MistakeCase {
    MistakeCase { name, words, sample, extra, make }
}

const SIG_MISTAKES: &[MistakeCase] = &[
    case("other-environments-key", "signed with the OTHER environment's key", PRESENT, "", |c, _| {
        let key = c.other().key();
        hmac(key, format!("{}&org_loc={}&method=POST&secret={key}", PRESENT.1, c.path(PRESENT)))
    }),
    case(
        "other-environment",
        "signed for the OTHER environment, with its key and its path",
        PRESENT,
        "",
        |c, _| c.other().sign(PRESENT, PRESENT.1),
    ),
    case("other-path", "signed for another path, OTHERPATH", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace(&c.path(PRESENT), &c.other().path(PRESENT)))
    }),
    case("other-path", "signed for another path, GETBALANCE", PAY, "", |c, _| {
        hmac(c.key(), c.text(PAY, PAY.1).replace("/pay&", "/getbalance&"))
    }),
    case("path-form", "signed without the path", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace(&c.path(PRESENT), ""))
    }),
    case("path-form", "signed with the host before the path", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace("=/cgi", "=https://api.weixin.qq.com/cgi"))
    }),
    case("path-form", "signed with the query after the path", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace("&method", "?access_token=ACCESSTOKEN&method"))
    }),
    case("path-form", "signed with a slash too few or too many in the path", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace("=/cgi", "=cgi"))
    }),
    case("path-form", "signed with the path percent-encoded", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace('/', "%2F"))
    }),
    case("method", "signed with another method than POST", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace("POST", "GET"))
    }),
    case(
        "app-secret-as-key",
        "signed with the app's secret in place of the Midas key",
        PRESENT,
        "",
        |c, _| hmac(SECRET, c.text(PRESENT, PRESENT.1).replace(c.key(), SECRET)),
    ),
    case(
        "session-key-signs-sig",
        "signed with the player's session key in place of the Midas key",
        PRESENT,
        "",
        |c, _| c.mp_sign(PRESENT, PRESENT.1),
    ),
    case("key-not-in-text", "signed without the key at the end of the text", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace(c.key(), ""))
    }),
    case("key-not-in-text", "signed without the key at the end of the text", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace(&format!("&secret={}", c.key()), ""))
    }),
    case("key-name", "signed with the key at the end of the text under another name", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1).replace("&secret=", "&session_key="))
    }),
    case("proof-signed", "signed with access_token among the parameters", PRESENT, "", |c, _| {
        c.sign(PRESENT, &format!("access_token={TOKEN}&{}", PRESENT.1))
    }),
    case(
        "earlier-proof-signed",
        "signed with an earlier sig still among the parameters",
        PRESENT,
        "",
        |c, _| {
            let earlier = c.sign(PRESENT, PRESENT.1);
            c.sign(PRESENT, &PRESENT.1.replace("&ts=", &format!("&sig={earlier}&ts=")))
        },
    ),
    case(
        "earlier-proof-signed",
        "signed with an earlier mp_sig still among the parameters",
        PRESENT,
        "",
        |c, _| {
            let sig = c.sign(PRESENT, PRESENT.1);
            let mp_sig = c.mp_sign(PRESENT, &mp_pairs(PRESENT.1, &sig));
            let pairs = PRESENT.1.replace("&offer_id=", &format!("&mp_sig={mp_sig}&offer_id="));
            c.sign(PRESENT, &pairs.replace("&ts=", &format!("&sig={sig}&ts=")))
        },
    ),
    case("order", "parameters signed in the order in which they were sent", PRESENT, "", |c, _| {
        let pairs = "openid=odkx20ENSNa2w5y3g_qOkOvBNM1g&appid=wx1234567&offer_id=12345678&ts=1507530737&zone_id=1&pf=android&present_counts=233&bill_no=BillNo_123";
        c.sign(PRESENT, pairs)
    }),
    case("order", "parameters signed in the order of the documents", PRESENT, "", |c, _| {
        let pairs = "openid=odkx20ENSNa2w5y3g_qOkOvBNM1g&appid=wx1234567&offer_id=12345678&ts=1507530737&zone_id=1&pf=android&bill_no=BillNo_123&present_counts=233";
        c.sign(PRESENT, pairs)
    }),
    case("order", "parameters signed in descending order", PRESENT, "", |c, _| {
        let mut pairs: Vec<_> = PRESENT.1.split('&').collect();
        pairs.reverse();
        c.sign(PRESENT, &pairs.join("&"))
    }),
    case("order", "parameters sorted with `_` after the letters", PAY, "", |c, _| {
        let pairs = PAY.1.replace("app_remark=a/b&appid=wx1234567", "appid=wx1234567&app_remark=a/b");
        c.sign(PAY, &pairs)
    }),
    case("order", "path, method and key sorted in with the parameters", PRESENT, "", |c, _| {
        let (path, key) = (c.path(PRESENT), c.key());
        let pairs = PRESENT.1.replace("&offer_id", "&method=POST&offer_id");
        let pairs = pairs.replace("&pf=", &format!("&org_loc={path}&pf="));
        hmac(key, pairs.replace("&ts=", &format!("&secret={key}&ts=")))
    }),
    case("not-signed", "user_ip sent but not signed", PAY, "", |c, _| {
        c.sign(PAY, &PAY.1.replace("&user_ip=1.2.3.4", ""))
    }),
    case("not-signed", "pay_item and app_remark sent but not signed", PAY, "", |c, _| {
        c.sign(PAY, &PAY.1.replace("&pay_item=宝 1", "").replace("&app_remark=a/b", ""))
    }),
    case("not-signed", "bill_no sent but not signed", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("&bill_no=BillNo_123", ""))
    }),
    case("not-sent", "user_ip signed as empty but not sent", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("&zone_id", "&user_ip=&zone_id"))
    }),
    case("not-sent", "pay_item and app_remark signed as empty but not sent", PRESENT, "", |c, _| {
        c.sign(PRESENT, &format!("app_remark=&{}", PRESENT.1.replace("&pf=", "&pay_item=&pf=")))
    }),
    case("number-form", "present_counts signed with a fraction, as 233.0", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("=233", "=233.0"))
    }),
    case(
        "number-form",
        "present_counts and ts signed with a fraction, as 233.000000",
        PRESENT,
        "",
        |c, _| c.sign(PRESENT, &PRESENT.1.replace("=233", "=233.000000").replace("0737", "0737.000000")),
    ),
    case("number-form", "present_counts signed with an exponent, as 2.33e2", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("=233", "=2.33e2"))
    }),
    case("number-form", "ts signed with an exponent, as 2.33e2", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("1507530737", "1.507530737e+09"))
    }),
    case("number-form", "amt and ts signed as floating point, as 233.0 and 1.5E9", PAY, "", |c, _| {
        c.sign(PAY, &PAY.1.replace("amt=5", "amt=5.0").replace("1507530737", "1.507530737E9"))
    }),
    case("number-form", "present_counts signed in quotes", PRESENT, "", |c, _| {
        c.sign(PRESENT, &PRESENT.1.replace("=233", "=\"233\""))
    }),
    case("quoted", "texts signed with quotes around them", PRESENT, "", |c, _| {
        let quoted = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap();
            let is_number = ["ts", "present_counts"].contains(&key);
            if is_number { pair.to_owned() } else { format!("{key}=\"{value}\"") }
        };
        c.sign(PRESENT, &PRESENT.1.split('&').map(quoted).collect::<Vec<_>>().join("&"))
    }),
    case("escapes-signed", "texts signed with JSON's escapes in them", PAY, "", |c, _| {
        c.sign(PAY, &PAY.1.replace('宝', r"\u5b9d").replace("a/b", r"a\/b"))
    }),
    case("percent-encoded", "values signed percent-encoded", PAY, "", |c, _| {
        c.sign(PAY, &PAY.1.replace("宝 1", "%E5%AE%9D%201").replace("a/b", "a%2Fb"))
    }),
    case("function", "signed with HMAC-MD5 in place of HMAC-SHA256", PRESENT, "", |c, _| {
        mac::<Hmac<md5::Md5>>(c.key(), c.text(PRESENT, PRESENT.1))
    }),
    case("function", "signed with HMAC-SHA1 in place of HMAC-SHA256", PRESENT, "", |c, _| {
        mac::<Hmac<sha1::Sha1>>(c.key(), c.text(PRESENT, PRESENT.1))
    }),
    case("function", "signed with plain MD5 in place of HMAC-SHA256", PRESENT, "", |c, _| {
        hex(md5::Md5::digest(c.text(PRESENT, PRESENT.1)))
    }),
    case("function", "signed with plain SHA-1 in place of HMAC-SHA256", PRESENT, "", |c, _| {
        hex(sha1::Sha1::digest(c.text(PRESENT, PRESENT.1)))
    }),
    case("function", "signed with plain SHA-256 in place of HMAC-SHA256", PRESENT, "", |c, _| {
        hex(Sha256::digest(c.text(PRESENT, PRESENT.1)))
    }),
    case("function", "signed with key and text in each other's place in the HMAC", PRESENT, "", |c, _| {
        hmac(c.text(PRESENT, PRESENT.1), c.key())
    }),
    case("line-end", "signed with a line end after the key", PRESENT, "", |c, _| {
        hmac(c.key(), c.text(PRESENT, PRESENT.1) + "\n")
    }),
    case("base64", "written in base64", PRESENT, "", |c, _| base64(&c.sign(PRESENT, PRESENT.1))),
    // The same mistakes in another dialect, which this app accepts.
    case(
        "other-environments-key",
        "signed with the OTHER environment's key",
        PRESENT,
        r#","extra":"x""#,
        |c, _| {
            let (key, pairs) = (c.other().key(), PRESENT.1.replace("&offer_id", "&extra=x&offer_id"));
            hmac(key, format!("{pairs}&org_loc={}&method=POST&secret={key}", c.path(PRESENT)))
        },
    ),
];

const MP_SIG_MISTAKES: &[MistakeCase] = &[
    case("old-session-key", "signed with the session key of an earlier login", PRESENT, "", |c, sig| {
        let text = c.mp_text(PRESENT, &mp_pairs(PRESENT.1, sig));
        hmac(OLD_SESSION_KEY, text.replace(SESSION_KEY, OLD_SESSION_KEY))
    }),
    case("session-key-decoded", "signed with the session key decoded from base64", PRESENT, "", |c, sig| {
        hmac(SESSION_BYTES, c.mp_text(PRESENT, &mp_pairs(PRESENT.1, sig)))
    }),
    case(
        "midas-key-signs-mp-sig",
        "signed with the Midas key in place of the player's session key",
        PRESENT,
        "",
        |c, sig| c.sign(PRESENT, &mp_pairs(PRESENT.1, sig)),
    ),
    case(
        "midas-key-signs-mp-sig",
        "signed with the Midas key in place of the player's session key",
        PRESENT,
        "",
        |_, sig| sig.to_owned(),
    ),
    case(
        "key-name",
        "signed with the key at the end of the text under another name",
        PRESENT,
        "",
        |c, sig| {
            let text = c.mp_text(PRESENT, &mp_pairs(PRESENT.1, sig));
            hmac(SESSION_KEY, text.replace("&session_key=", "&secret="))
        },
    ),
    case("not-signed", "access_token sent but not signed", PRESENT, "", |c, sig| {
        let pairs = mp_pairs(PRESENT.1, sig).replace(&format!("access_token={TOKEN}&"), "");
        c.mp_sign(PRESENT, &pairs)
    }),
    case("not-signed", "sig sent but not signed", PRESENT, "", |c, sig| {
        c.mp_sign(PRESENT, &mp_pairs(PRESENT.1, sig).replace(&format!("&sig={sig}"), ""))
    }),
    case("not-signed", "access_token and sig sent but not signed", PRESENT, "", |c, _| {
        c.mp_sign(PRESENT, PRESENT.1)
    }),
    case(
        "bodys-access-token",
        "signed with the access_token of the body, not the query's",
        PRESENT,
        r#","access_token":"OTHERTOKEN""#,
        |c, sig| c.mp_sign(PRESENT, &mp_pairs(PRESENT.1, sig).replace(TOKEN, "OTHERTOKEN")),
    ),
    case(
        "sig-in-other-case",
        "signed with sig in the other case than it is sent in",
        PRESENT,
        "",
        |c, sig| c.mp_sign(PRESENT, &mp_pairs(PRESENT.1, &sig.to_uppercase())),
    ),
    case("proof-signed", "signed with mp_sig among the parameters", PRESENT, "", |c, sig| {
        let pairs = mp_pairs(PRESENT.1, sig).replace("&offer_id", "&mp_sig=&offer_id");
        c.mp_sign(PRESENT, &pairs)
    }),
    case(
        "earlier-proof-signed",
        "signed with an earlier mp_sig still among the parameters",
        PRESENT,
        "",
        |c, sig| {
            let earlier = c.mp_sign(PRESENT, &mp_pairs(PRESENT.1, sig));
            let pairs = mp_pairs(PRESENT.1, sig).replace("&offer_id", &format!("&mp_sig={earlier}&offer_id"));
            c.mp_sign(PRESENT, &pairs)
        },
    ),
    case("order", "sig and access_token signed apart from the sorted parameters", PRESENT, "", |c, sig| {
        c.mp_sign(PRESENT, &format!("{}&access_token={TOKEN}&sig={sig}", PRESENT.1))
    }),
    case("other-path", "signed for another path, OTHERPATH", PRESENT, "", |c, sig| {
        c.other().mp_sign(PRESENT, &mp_pairs(PRESENT.1, sig))
    }),
    case("number-form", "ts signed with a fraction, as 233.0", PRESENT, "", |c, sig| {
        c.mp_sign(PRESENT, &mp_pairs(PRESENT.1, sig).replace("0737", "0737.0"))
    }),
];

/// Converts hex to base64.
fn base64(hex: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits =
        hex.chars().fold(String::new(), |bits, digit| bits + &format!("{:04b}", digit.to_digit(16).unwrap()));
    let digit = |six: &[u8]| {
        let six = format!("{:0<6}", std::str::from_utf8(six).unwrap());
        char::from(DIGITS[usize::from_str_radix(&six, 2).unwrap()])
    };
    let digits: String = bits.as_bytes().chunks(6).map(digit).collect();
    format!("{digits:=<44}")
}

/// A bank whose player logged in twice.
async fn start_after_two_logins(app: AppSettings) -> TestBank {
    let bank = TestBank::with_app(app).await;
    let path = format!("/api/v1/apps/{APPID}/players/{PLAYER}/session");
    let old = format!(r#"{{"session_key":"{OLD_SESSION_KEY}","expires_in":60}}"#);
    assert_eq!(bank.operator_request(Method::PUT, &path, old).await.0, StatusCode::OK);
    bank.log_in(PLAYER).await;
    bank
}

/// Sends a request that is refused. Returns the reply and the operator API's rejection.
async fn send_refused(
    bank: &TestBank,
    client: SigningClient,
    sample: SampleCall,
    extra: &str,
    sig: &str,
    mp_sig: &str,
) -> (Value, Value) {
    let body = format!(r#"{{{}{extra},"sig":"{sig}","mp_sig":"{mp_sig}"}}"#, sample.0);
    let reply = bank.post(&format!("{}?access_token={TOKEN}", client.path(sample)), body).await;
    let rejection = fetch_rejection(bank, &reply).await;
    assert_eq!((&rejection["errcode"], &rejection["errmsg"]), (&reply["errcode"], &reply["errmsg"]));
    assert_no_secret(&reply);
    assert_no_secret(&rejection);
    (reply, rejection)
}

/// The operator API's rejection for a refused request.
async fn fetch_rejection(bank: &TestBank, reply: &Value) -> Value {
    let (_, rid) = reply["errmsg"].as_str().unwrap().split_once(" rid: ").unwrap();
    let (status, rejection) =
        bank.operator_request(Method::GET, &format!("/api/v1/rejections/{rid}"), "").await;
    assert_eq!((status, &rejection["rid"]), (StatusCode::OK, &rid.into()), "{rejection}");
    rejection
}

#[track_caller]
fn assert_no_secret(shown: &Value) {
    let text = shown.to_string();
    for secret in
        [MIDAS_KEY, SANDBOX_KEY, SECRET, OPERATOR, TOKEN, SESSION_KEY, OLD_SESSION_KEY, "OTHERTOKEN"]
    {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// Asserts that a mistake is named: in the sandbox also in the reply, live in the rejection only.
#[track_caller]
fn assert_finding(
    client: SigningClient,
    case: &MistakeCase,
    made: &str,
    (code, bare): (i64, &str),
    (reply, rejection): &(Value, Value),
) {
    let words = case.words.replace("OTHERPATH", &client.other().path(case.sample));
    let words = words.replace("GETBALANCE", &client.path(case.sample).replace("/pay", "/getbalance"));
    let words = words.replace("OTHER", client.other().0.as_str());
    let finding = &rejection["findings"][0];
    assert_eq!(
        (&finding["name"], &finding["finding"]),
        (&case.name.into(), &words.clone().into()),
        "{rejection}"
    );
    assert!(!finding["fix"].as_str().unwrap().is_empty());
    if client.is_live() {
        let is_hex = made.len() == 64 && made.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bare = if is_hex { bare.to_owned() } else { format!("{bare}: it must be 64 hex digits") };
        assert_refused(reply, code, &bare);
    } else {
        assert_refused(reply, code, &format!("{bare}: {words}"));
    }
}

#[tokio::test]
async fn every_mistake_in_sig_is_named() {
    let bank = start_after_two_logins(sample_app()).await;
    for client in Environment::ALL.map(SigningClient) {
        for case in SIG_MISTAKES {
            // Live diagnoses are rate-limited.
            bank.clock.advance(Duration::from_secs(1));
            let sig = (case.make)(client, "");
            let refused = send_refused(&bank, client, case.sample, case.extra, &sig, &"0".repeat(64)).await;
            assert_finding(client, case, &sig, (90011, "sig error"), &refused);
            let text = refused.1["signed_text"].as_str().unwrap();
            let right = client.text(case.sample, case.sample.1).replace(client.key(), "***");
            assert_eq!(text, right, "signed_text is the documented text");
        }
    }
}

#[tokio::test]
async fn every_mistake_in_mp_sig_is_named() {
    let bank = start_after_two_logins(sample_app()).await;
    for client in Environment::ALL.map(SigningClient) {
        for case in MP_SIG_MISTAKES {
            bank.clock.advance(Duration::from_secs(1));
            let sig = client.sign(case.sample, case.sample.1);
            let mp_sig = (case.make)(client, &sig);
            let refused = send_refused(&bank, client, case.sample, case.extra, &sig, &mp_sig).await;
            assert_finding(client, case, &mp_sig, (90009, "mp_sig error"), &refused);
            let rejection = refused.1.to_string();
            assert!(!rejection.contains(&sig), "a correct signature is shown in full: {rejection}");
            assert!(refused.1["signed_text"].as_str().unwrap().contains(&format!("&sig={}…&", &sig[..8])));
        }
    }
    let old = &MP_SIG_MISTAKES[0];
    assert_eq!(old.name, "old-session-key");
    let client = SigningClient(Environment::Live);
    let sig = client.sign(old.sample, old.sample.1);
    bank.clock.advance(Duration::from_secs(1));
    let (_, rejection) = send_refused(&bank, client, old.sample, "", &sig, &(old.make)(client, &sig)).await;
    assert_eq!(rejection["findings"][1]["name"], "login-replaced");
    assert_eq!(
        rejection["findings"][1]["finding"],
        "a newer login replaced this session at 2017-10-09T06:32:17Z"
    );
}

#[tokio::test]
async fn swapped_signatures_are_named() {
    let bank = start_after_two_logins(sample_app()).await;
    let client = SigningClient(Environment::Sandbox);
    let sig = client.sign(PRESENT, PRESENT.1);
    let mp_sig = client.mp_sign(PRESENT, &mp_pairs(PRESENT.1, &sig));
    let (reply, rejection) = send_refused(&bank, client, PRESENT, "", &mp_sig, &sig).await;
    assert_refused(&reply, 90011, "sig error: sig and mp_sig stand in each other's place");
    assert_eq!(rejection["findings"][0]["name"], "signatures-swapped");
}

#[tokio::test]
async fn forged_signature_matches_no_mistake() {
    let bank = start_after_two_logins(sample_app()).await;
    for client in Environment::ALL.map(SigningClient) {
        let right = client.sign(PRESENT, PRESENT.1);
        let mut last = right.chars().last().unwrap().to_digit(16).unwrap();
        last ^= 1;
        let flipped = format!("{}{last:x}", &right[..63]);
        for forged in [flipped, "0".repeat(64), hmac("guess", client.text(PRESENT, PRESENT.1))] {
            for (sig, code, bare) in [(&forged, 90011, "sig error"), (&right, 90009, "mp_sig error")] {
                let (reply, rejection) = send_refused(&bank, client, PRESENT, "", sig, &forged).await;
                let words = "no known mistake makes this signature";
                assert_eq!(rejection["findings"][0]["finding"], words);
                assert_eq!(rejection["findings"][0]["name"], "no-known-mistake");
                let bare = if client.is_live() { bare.to_owned() } else { format!("{bare}: {words}") };
                assert_refused(&reply, code, &bare);
            }
        }
        let (reply, _) = send_refused(&bank, client, PRESENT, "", "not hex", "not hex").await;
        assert_refused(&reply, 90011, "sig error: it must be 64 hex digits");
    }
}

#[tokio::test]
async fn strict_app_rejection_names_the_dialect() {
    let bank = start_after_two_logins(AppSettings { dialects: DialectPolicy::Strict, ..sample_app() }).await;
    let client = SigningClient(Environment::Sandbox);
    let only = "but this app accepts only the documented one";
    for (sample, extra, pairs, dialect) in [
        (PRESENT, r#","extra":"x""#, PRESENT.1.replace("&offer_id", "&extra=x&offer_id"), "every-field"),
        (PAY, "", PAY.1.replace("宝 1", "%E5%AE%9D+1").replace("a/b", "a%2Fb"), "form-encoded"),
        (PRESENT, r#","user_ip":"""#, PRESENT.1.to_owned(), "without-empty"),
    ] {
        let sig = client.sign(sample, &pairs);
        let (reply, rejection) = send_refused(&bank, client, sample, extra, &sig, &"0".repeat(64)).await;
        assert_refused(&reply, 90011, &format!("sig error: signed in the dialect {dialect}, {only}"));
        assert_eq!(rejection["findings"][0]["name"], "dialect");
    }
}

#[tokio::test]
async fn signing_the_called_host_is_named() {
    let bank = start_after_two_logins(sample_app()).await;
    let client = SigningClient(Environment::Sandbox);
    let text = client.text(PRESENT, PRESENT.1).replace("=/cgi", &format!("={}/cgi", bank.base));
    let (reply, _) = send_refused(&bank, client, PRESENT, "", &hmac(client.key(), text), "").await;
    assert_refused(&reply, 90011, "sig error: signed with the host before the path");
}

#[test]
fn docs_list_exactly_the_tested_mistakes() {
    let page = include_str!("../../../../docs/operating/rejections.md");
    let signatures = page.split("\n## ").find(|section| section.starts_with("Signatures")).unwrap();
    let named = |line: &'static str| line.strip_prefix("| `")?.split('`').next();
    let documented: BTreeSet<_> = signatures.lines().filter_map(named).collect();
    // These have their own tests.
    let others = ["dialect", "signatures-swapped"];
    let tested: BTreeSet<_> =
        SIG_MISTAKES.iter().chain(MP_SIG_MISTAKES).map(|case| case.name).chain(others).collect();
    assert_eq!(documented, tested);
}
