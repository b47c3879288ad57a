//! Rejection log: why logins and tokens were refused, its retention, and the redaction of secrets.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use pactolus_ledger_embedded::EmbeddedStore;
use pactolus_protocol::{AppSecret, MpSig, Present};
use pactolus_server::{AppSettings, Limits};
use pactolus_types::Environment;
use serde_json::{Value, json};

use crate::bank::{
    APPID, MIDAS_KEY, OPERATOR, PLAYER, SANDBOX_KEY, SECRET, SESSION_KEY, TOKEN, TestBank, gift, sample_app,
    sign,
};

const LIVE: Environment = Environment::Live;
const PATH: &str = "/cgi-bin/midas/present";
const WITH_TOKEN: &str = "/cgi-bin/midas/present?access_token=ACCESSTOKEN";

fn rid(reply: &Value) -> String {
    reply["errmsg"].as_str().unwrap().split_once(" rid: ").unwrap().1.to_owned()
}

async fn fetch_rejection(bank: &TestBank, reply: &Value) -> (StatusCode, Value) {
    bank.operator_request(Method::GET, &format!("/api/v1/rejections/{}", rid(reply)), "").await
}

async fn findings(bank: &TestBank, reply: &Value) -> Vec<(String, String)> {
    let (status, rejection) = fetch_rejection(bank, reply).await;
    assert_eq!(status, StatusCode::OK);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = rejection["findings"].as_array().unwrap();
    findings.iter().map(|finding| (text(&finding["name"]), text(&finding["finding"]))).collect()
}

#[tokio::test]
async fn refused_login_is_explained() {
    let bank = TestBank::start().await;
    let mut stranger = gift("b", 5);
    stranger.caller.openid = "stranger".parse().unwrap();
    let reply = bank.present(&stranger).await;
    assert_eq!(reply["errcode"], 90010);
    let never = (
        "never-logged-in".to_owned(),
        "the player never logged in here, or the bank no longer remembers it".to_owned(),
    );
    assert_eq!(findings(&bank, &reply).await, [never]);

    bank.clock.advance(Duration::from_secs(60));
    let path = format!("/api/v1/apps/{APPID}/players/{PLAYER}/session");
    let next_login = r#"{"session_key":"AAECAwQFBgcICQoLDA0ODw==","expires_in":60}"#;
    assert_eq!(bank.operator_request(Method::PUT, &path, next_login).await.0, StatusCode::OK);
    bank.clock.advance(Duration::from_secs(60));
    let reply = bank.present(&gift("b", 5)).await;
    assert_eq!(reply["errcode"], 90010);
    let ended = ("login-ended".to_owned(), "the session expired at 2017-10-09T06:34:17Z".to_owned());
    let replaced =
        ("login-replaced".to_owned(), "it replaced an earlier session at 2017-10-09T06:33:17Z".to_owned());
    assert_eq!(findings(&bank, &reply).await, [ended, replaced]);
}

#[tokio::test]
async fn refused_token_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let bank = TestBank::start_in(folder.path(), sample_app()).await;
    let ask = async |bank: &TestBank| {
        let path = format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret={SECRET}");
        let (_, _, body) = bank.send(Method::GET, &path, &[], "").await;
        let reply: Value = serde_json::from_slice(&body).unwrap();
        reply["access_token"].as_str().unwrap().to_owned()
    };
    let finding = async |bank: &TestBank, token: &str| {
        let reply = bank.post(&format!("{PATH}?access_token={token}"), "").await;
        let (status, rejection) = fetch_rejection(bank, &reply).await;
        assert_eq!(status, StatusCode::OK);
        assert!(!rejection.to_string().contains(token), "{rejection}");
        let finding = &rejection["findings"][0];
        (
            reply["errcode"].as_i64().unwrap(),
            finding["name"].as_str().unwrap().to_owned(),
            finding["finding"].as_str().unwrap().to_owned(),
        )
    };
    let found = |errcode: i64, name: &str, words: &str| (errcode, name.to_owned(), words.to_owned());

    let unknown = "this bank never issued the token, or no longer remembers it";
    assert_eq!(finding(&bank, "another").await, found(40001, "token-unknown", unknown));
    let (first, second) = (ask(&bank).await, ask(&bank).await);
    bank.clock.advance(Duration::from_secs(300));
    let replaced = "a newer token replaced it; it was valid until 2017-10-09T06:37:17Z";
    assert_eq!(finding(&bank, &first).await, found(40001, "token-replaced", replaced));
    bank.clock.advance(Duration::from_secs(6900));
    let expired = "the token expired at 2017-10-09T08:32:17Z";
    assert_eq!(finding(&bank, &second).await, found(42001, "token-expired", expired));

    bank.shut_down().await;
    let app_secret = AppSecret::new("ffffffffffffffffffffffffffffffff").unwrap();
    let bank = TestBank::start_in(folder.path(), AppSettings { app_secret, ..sample_app() }).await;
    let other = "the token was issued for another secret of the app";
    assert_eq!(finding(&bank, &second).await, found(40001, "token-of-other-secret", other));
}

#[tokio::test]
async fn rejection_hides_every_secret() {
    let bank = TestBank::start().await;
    // A client that sends every key: as field names, in documented values and in undocumented ones.
    let secrets = [MIDAS_KEY, SANDBOX_KEY, SECRET, OPERATOR, TOKEN, SESSION_KEY];
    let mut body: Value = serde_json::from_str(&sign(&gift("b", 5), LIVE)).unwrap();
    for (number, secret) in secrets.iter().enumerate() {
        body[format!("undocumented_{number}")] = (*secret).into();
        body[*secret] = 1.into();
    }
    body["access_token"] = "OTHERTOKEN".into();
    body["user_ip"] = secrets.join(" ").into();
    body["sig"] = MIDAS_KEY.into();
    body["mp_sig"] = SESSION_KEY.into();
    let reply = bank.post(WITH_TOKEN, body.to_string()).await;
    assert_eq!(reply["errcode"], 90018);
    let (status, rejection) = fetch_rejection(&bank, &reply).await;
    assert_eq!(status, StatusCode::OK);
    for secret in secrets.iter().chain(&["OTHERTOKEN"]) {
        assert!(!rejection.to_string().contains(secret), "{secret} in {rejection}");
    }
    let parameter = |name: &str| {
        let parameters = rejection["parameters"].as_array().unwrap();
        parameters.iter().find(|parameter| parameter["name"] == name).cloned().unwrap()
    };
    let shown = |name: &str, form: &str, value: &str| json!({ "name": name, "form": form, "value": value, "documented": true });
    assert_eq!(parameter("openid"), shown("openid", "a string", PLAYER));
    assert_eq!(parameter("present_counts"), shown("present_counts", "a number", "5"));
    assert_eq!(parameter("user_ip"), shown("user_ip", "a string", "*** *** *** *** *** ***"));
    assert_eq!(parameter("sig"), shown("sig", "a string", "(32 bytes)"));
    assert_eq!(
        parameter("access_token"),
        json!({ "name": "access_token", "form": "a string", "documented": true })
    );
    let undocumented = json!({ "name": "undocumented_0", "form": "a string", "documented": false });
    assert_eq!(parameter("undocumented_0"), undocumented);
    let brief = json!({
        "rid": rid(&reply), "at_ms": 1_507_530_737_000_u64, "appid": APPID, "env": "live", "method": "POST",
        "path": PATH, "errcode": 90018, "errmsg": reply["errmsg"],
    });
    let (status, list) = bank.operator_request(Method::GET, "/api/v1/rejections", "").await;
    assert_eq!((status, list), (StatusCode::OK, json!({ "rejections": [brief] })));
}

#[tokio::test]
async fn refused_order_keeps_its_parameters() {
    let bank = TestBank::start().await;
    bank.present(&gift("b", 5)).await;
    let reply = bank.present(&gift("b", 6)).await;
    assert_eq!(reply["errcode"], 90012);
    let (_, rejection) = fetch_rejection(&bank, &reply).await;
    assert_eq!(rejection["findings"], json!([]));
    assert_eq!(rejection["errmsg"], reply["errmsg"]);
    assert!(rejection.get("signed_text").is_none());
    assert!(rejection["parameters"].as_array().unwrap().len() >= 10);
    let done = bank.present(&gift("c", 5)).await;
    assert_eq!(done["errcode"], 0);
    let (_, list) = bank.operator_request(Method::GET, "/api/v1/rejections?limit=100", "").await;
    assert_eq!(list["rejections"].as_array().unwrap().len(), 1, "an applied order is not listed: {list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn newest_rejections_are_retained() {
    let bank = TestBank::start().await;
    let known = bank.post(WITH_TOKEN, "{}").await;
    let mut strangers = Vec::new();
    for _ in 0..2000 {
        strangers.push(bank.post(PATH, "").await);
    }
    assert_eq!(
        fetch_rejection(&bank, &known).await.0,
        StatusCode::OK,
        "unauthenticated rejections do not evict an app's"
    );
    let is_retained = async |replies: &[Value]| {
        let mut kept = Vec::new();
        for reply in replies {
            kept.push(fetch_rejection(&bank, reply).await.0 == StatusCode::OK);
        }
        kept
    };
    let retained_of_strangers = is_retained(&strangers).await;
    assert_eq!(retained_of_strangers.iter().filter(|kept| **kept).count(), 125);

    let mut replies = Vec::new();
    for _ in 0..10_000 {
        replies.push(bank.post(WITH_TOKEN, "{}").await);
    }
    let kept = is_retained(&replies).await;
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 875);
    assert!(kept[10_000 - 875..].iter().all(|kept| *kept), "the newest are retained");
    assert_eq!(fetch_rejection(&bank, &known).await.0, StatusCode::NOT_FOUND);
    let (_, list) = bank.operator_request(Method::GET, "/api/v1/rejections?limit=100", "").await;
    assert_eq!(list["rejections"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn live_diagnosis_is_rate_limited() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(
        EmbeddedStore::open(folder.path(), &pactolus_ledger_embedded::EmbeddedSettings::default()).unwrap(),
    );
    let limits = Limits { diagnoses_per_second: NonZeroU32::new(3).unwrap(), ..Limits::default() };
    let app = AppSettings { mp_sig: MpSig::Off, ..sample_app() };
    let mut bank = TestBank::on_store(store, vec![app], limits).await;
    let wrong = sign(&gift("b", 5), Environment::Sandbox);
    let name = async |environment: Environment| {
        let reply = bank
            .call::<Present>(
                environment,
                if environment == LIVE { wrong.clone() } else { sign(&gift("b", 5), LIVE) },
            )
            .await;
        findings(&bank, &reply).await[0].0.clone()
    };
    for _ in 0..3 {
        assert_eq!(name(LIVE).await, "other-environment");
    }
    assert_eq!(name(LIVE).await, "not-searched");
    for _ in 0..10 {
        assert_eq!(
            name(Environment::Sandbox).await,
            "other-environment",
            "the sandbox has no diagnosis limit"
        );
    }
    bank.clock.advance(Duration::from_secs(1));
    assert_eq!(name(LIVE).await, "other-environment");
    bank.stop().await.unwrap();
}

#[tokio::test]
async fn invalid_queries_get_problem_details() {
    let bank = TestBank::start().await;
    let cases = [
        ("/api/v1/rejections/59db17f1-01234567-89abcdef", 404, "no rejection with this rid is kept"),
        ("/api/v1/rejections/59DB17F1", 422, "rid is not three groups of eight lowercase hex digits"),
        ("/api/v1/rejections?limit=0", 422, "limit must be 1 to 100"),
        ("/api/v1/rejections?limit=101", 422, "limit must be 1 to 100"),
        ("/api/v1/rejections?newest=1", 422, "unknown field `newest`"),
    ];
    for (path, status, detail) in cases {
        let (found, problem) = bank.operator_request(Method::GET, path, "").await;
        assert_eq!(found.as_u16(), status, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{path}: {problem}");
    }
    let (status, ..) = bank.send(Method::GET, "/api/v1/rejections", &[], "").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}
