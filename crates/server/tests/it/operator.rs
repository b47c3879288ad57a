//! Operator API: its token, its problem details, sessions and accounts.

use hyper::{Method, StatusCode};
use pactolus_types::Environment;
use serde_json::{Value, json};

use crate::bank::{APPID, OFFER, PLAYER, TestBank, gift};

const ACCOUNTS: &str = "/api/v1/apps/wx1234567/accounts";

#[tokio::test]
async fn operator_api_requires_the_token() {
    let bank = TestBank::start().await;
    let path = format!("{ACCOUNTS}?env=live&openid={PLAYER}");
    for headers in [
        &[][..],
        &[("authorization", "Bearer guess")],
        &[("authorization", "Basic b3BlcmF0b3Jz")],
        &[("authorization", "Bearer")],
    ] {
        let (status, kind, body) = bank.send(Method::GET, &path, headers, "").await;
        assert_eq!((status, &*kind), (StatusCode::UNAUTHORIZED, "application/problem+json"));
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&problem["status"], &problem["title"]), (&401.into(), &"Unauthorized".into()));
    }
}

#[tokio::test]
async fn account_shows_all_sums() {
    let bank = TestBank::start().await;
    bank.present(&gift("b", 233)).await;
    let expected = json!({
        "appid": APPID, "env": "live", "offer_id": OFFER, "openid": PLAYER, "zone_id": "1", "balance": 233,
        "paid": 0, "gifted": 233, "saved": 0, "presented": 233, "spent": 0, "debited": 0, "orders": 1,
    });
    assert_eq!(bank.account(Environment::Live).await, expected);
    let empty =
        bank.operator_request(Method::GET, &format!("{ACCOUNTS}?env=sandbox&openid=stranger"), "").await;
    assert_eq!((empty.0, &empty.1["balance"], &empty.1["orders"]), (StatusCode::OK, &0.into(), &0.into()));
}

#[tokio::test]
async fn errors_are_problem_details() {
    let bank = TestBank::start().await;
    let session = |openid: &str| format!("/api/v1/apps/{APPID}/players/{openid}/session");
    let key = "AAAAAAAAAAAAAAAAAAAAAA==";
    let cases = [
        (Method::GET, format!("{ACCOUNTS}?env=prod&openid=a"), "", 422, "env is neither live nor sandbox"),
        (Method::GET, format!("{ACCOUNTS}?env=live"), "", 422, "missing field `openid`"),
        (Method::GET, format!("{ACCOUNTS}?env=live&openid=a%20b"), "", 422, "openid holds ' '"),
        (Method::GET, format!("{ACCOUNTS}?env=live&openid=a&zone_id="), "", 422, "zone_id is empty"),
        (Method::GET, format!("{ACCOUNTS}?env=live&openid=a&zone=1"), "", 422, "unknown field `zone`"),
        (
            Method::GET,
            "/api/v1/apps/wx0/accounts?env=live&openid=a".into(),
            "",
            404,
            "this bank has no app \"wx0\"",
        ),
        (Method::GET, "/api/v2/apps".into(), "", 404, "this bank has no such path"),
        (Method::DELETE, ACCOUNTS.into(), "", 405, "this path does not take this method"),
        (Method::PUT, session("a"), "", 400, "EOF"),
        (Method::PUT, session("a"), r#"{"session_key":"x"}"#, 422, "missing field `expires_in`"),
        (Method::PUT, session("a"), r#"{"session_key":"x","expires_in":60}"#, 422, "session_key "),
        (Method::PUT, session("a%20b"), r#"{"session_key":"x","expires_in":60}"#, 422, "openid holds ' '"),
    ];
    for (method, path, body, status, detail) in cases {
        let (found, problem) = bank.operator_request(method, &path, body).await;
        assert_eq!((found.as_u16(), &problem["status"]), (status, &status.into()), "{path}: {problem}");
        let found_detail = problem["detail"].as_str().unwrap();
        assert!(found_detail.contains(detail), "{path}: {found_detail}");
    }
    for expires_in in ["0", "31622401"] {
        let body = format!(r#"{{"session_key":"{key}","expires_in":{expires_in}}}"#);
        let (status, problem) = bank.operator_request(Method::PUT, &session("a"), body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(problem["detail"], "expires_in must be 1 to 31622400 seconds");
    }
}

#[tokio::test]
async fn invalid_session_key_is_not_echoed() {
    let bank = TestBank::start().await;
    let path = format!("/api/v1/apps/{APPID}/players/a/session");
    let (status, problem) =
        bank.operator_request(Method::PUT, &path, r#"{"session_key":"hunter2","expires_in":60}"#).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!problem.to_string().contains("hunter2"), "{problem}");
}

#[tokio::test]
async fn health_needs_no_token() {
    let bank = TestBank::start().await;
    for path in ["/healthz", "/readyz"] {
        let (status, _, body) = bank.send(Method::GET, path, &[], "").await;
        assert_eq!((status, &*body), (StatusCode::OK, &b"ok\n"[..]));
    }
}
