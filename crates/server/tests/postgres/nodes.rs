//! Two nodes on one database: changes on one are visible on the other.

use std::time::Duration;

use hyper::{Method, StatusCode};
use pactolus_protocol::{AccessToken, MidasKey, Present, SessionKey, signed_body};
use pactolus_server::{AppSettings, Limits, LoginMode};
use pactolus_test_postgres::Database;
use pactolus_types::Environment;
use serde_json::Value;

use crate::bank::{APPID, PLAYER, SECRET, SESSION_KEY, TestBank, assert_refused, gift, sample_app, sign};
use crate::engine::open_at;

/// Two nodes, and their database, which is dropped last.
struct NodePair {
    one: TestBank,
    two: TestBank,
    _database: Database,
}

impl NodePair {
    async fn start(app: AppSettings) -> Self {
        let database = Database::create();
        let node = async || {
            TestBank::on_store(open_at(&database.url()).await, vec![app.clone()], Limits::default()).await
        };
        Self { one: node().await, two: node().await, _database: database }
    }
}

async fn get(bank: &TestBank, path: &str) -> Value {
    let (status, _, body) = bank.send(Method::GET, path, &[], "").await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_slice(&body).unwrap()
}

async fn fetch_token(bank: &TestBank) -> String {
    let path = format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret={SECRET}");
    get(bank, &path).await["access_token"].as_str().unwrap().to_owned()
}

async fn fetch_stable(bank: &TestBank, refresh: bool) -> String {
    let request = serde_json::json!({
        "grant_type": "client_credential", "appid": APPID, "secret": SECRET, "force_refresh": refresh,
    });
    bank.post("/cgi-bin/stable_token", request.to_string()).await["access_token"].as_str().unwrap().to_owned()
}

/// The reply to a live present, signed with this token and the sample's session.
async fn present(bank: &TestBank, token: &str, bill_no: &str) -> Value {
    let token = AccessToken::new(token).unwrap();
    let (midas_key, session_key) =
        (MidasKey::new(crate::bank::MIDAS_KEY).unwrap(), SessionKey::new(SESSION_KEY).unwrap());
    let body = signed_body(&gift(bill_no, 5), Environment::Live, &midas_key, Some((&session_key, &token)));
    bank.post(&format!("/cgi-bin/midas/present?access_token={}", token.expose()), body).await
}

#[tokio::test]
async fn login_and_token_are_valid_on_every_node() {
    let NodePair { one, two, .. } = &NodePair::start(sample_app()).await;
    one.log_in(PLAYER).await;
    let first = fetch_token(one).await;
    assert_eq!(present(two, &first, "a").await["errcode"], 0);
    assert_eq!(present(one, &first, "a").await["errcode"], 90012);
    assert_eq!(one.balance(Environment::Live).await, 5);
    assert_eq!(two.balance(Environment::Live).await, 5);

    // A token replaced on the other node expires on this one too, after the overlap.
    let second = fetch_token(two).await;
    assert_ne!(first, second);
    assert_eq!(present(one, &second, "b").await["errcode"], 0);
    one.clock.advance(Duration::from_secs(301));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_refused(
        &present(one, &first, "c").await,
        40001,
        "invalid credential, access_token is invalid or not latest",
    );
}

#[tokio::test]
async fn stable_token_is_shared_by_all_nodes() {
    let NodePair { one, two, .. } = &NodePair::start(sample_app()).await;
    let first = fetch_stable(one, false).await;
    assert_eq!(fetch_stable(two, false).await, first);
    let refreshed = fetch_stable(two, true).await;
    assert_ne!(refreshed, first);
    assert_eq!(fetch_stable(one, false).await, refreshed);
}

/// Concurrent requests for the first token, on both nodes, get the same token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_get_one_stable_token() {
    let NodePair { one, two, .. } = &NodePair::start(sample_app()).await;
    let requests = (0..20).map(|number| fetch_stable(if number % 2 == 0 { one } else { two }, false));
    let tokens = futures_util::future::join_all(requests).await;
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
}

/// A login code that both nodes receive concurrently logs in once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_is_single_use_across_nodes() {
    let NodePair { one, two, .. } = &NodePair::start(sample_app()).await;
    for round in 0..10 {
        let path = format!("/api/v1/apps/{APPID}/players/{PLAYER}/code");
        let (status, code) = one.operator_request(Method::POST, &path, "").await;
        assert_eq!(status, StatusCode::OK, "{code}");
        let code = code["js_code"].as_str().unwrap();
        let path = format!(
            "/sns/jscode2session?appid={APPID}&secret={SECRET}&js_code={code}&grant_type=authorization_code"
        );
        let logins = (0..6).map(|number| get(if number % 2 == 0 { one } else { two }, &path));
        let replies = futures_util::future::join_all(logins).await;
        let used = replies.iter().filter(|reply| reply.get("session_key").is_some()).count();
        assert_eq!(used, 1, "round {round}: {replies:?}");
        assert_eq!(
            replies.iter().filter(|reply| reply["errcode"] == 40163).count(),
            5,
            "round {round}: {replies:?}"
        );
    }
}

/// A new login replaces the old one within a second, even on a node that has cached the old one.
#[tokio::test]
async fn new_login_ends_the_old_one_on_other_nodes() {
    let app = AppSettings { login: LoginMode::Open, ..sample_app() };
    let NodePair { one, two, .. } = &NodePair::start(app).await;
    one.log_in(PLAYER).await;
    assert_eq!(two.present(&gift("a", 5)).await["errcode"], 0);
    let path = format!("/api/v1/apps/{APPID}/players/{PLAYER}/session");
    let other = r#"{"session_key":"AAAAAAAAAAAAAAAAAAAAAA==","expires_in":86400}"#;
    assert_eq!(one.operator_request(Method::PUT, &path, other).await.0, StatusCode::OK);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(two.present(&gift("b", 5)).await["errcode"], 90009);
}

#[tokio::test]
async fn rejection_is_readable_from_every_node() {
    let NodePair { one, two, .. } = &NodePair::start(sample_app()).await;
    one.log_in(PLAYER).await;
    // Signed for the other environment.
    let refused = one.call::<Present>(Environment::Live, sign(&gift("a", 5), Environment::Sandbox)).await;
    let rid = refused["errmsg"].as_str().unwrap().split_once(" rid: ").unwrap().1;
    let path = format!("/api/v1/rejections/{rid}");
    let (status, here) = one.operator_request(Method::GET, &path, "").await;
    assert_eq!(status, StatusCode::OK, "{here}");
    assert_eq!(here["errcode"], 90011);
    // The rejection is written concurrently with the reply.
    let mut there = two.operator_request(Method::GET, &path, "").await;
    for _ in 0..100 {
        if there.0 == StatusCode::OK {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        there = two.operator_request(Method::GET, &path, "").await;
    }
    assert_eq!(there, (StatusCode::OK, here));
}
