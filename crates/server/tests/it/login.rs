//! Player logins by code, open and one-time, and the session check.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::{Method, StatusCode};
use pactolus_protocol::{AccessToken, MidasKey, Present, SessionKey, signed_body};
use pactolus_server::{AppSettings, LoginMode};
use pactolus_types::Environment;
use serde_json::Value;

use crate::bank::{
    APPID, MIDAS_KEY, PLAYER, SANDBOX_KEY, SECRET, SESSION_KEY, TOKEN, TestBank, assert_refused, gift,
    sample_app,
};

fn open_login_app() -> AppSettings {
    AppSettings { login: LoginMode::Open, ..sample_app() }
}

async fn get(bank: &TestBank, path: &str) -> Value {
    let (status, kind, body) = bank.send(Method::GET, path, &[], "").await;
    assert_eq!((status, &*kind), (StatusCode::OK, "application/json; encoding=utf-8"));
    serde_json::from_slice(&body).unwrap()
}

async fn login(bank: &TestBank, js_code: &str) -> Value {
    let app = format!("appid={APPID}&secret={SECRET}&grant_type=authorization_code");
    get(bank, &format!("/sns/jscode2session?{app}&js_code={js_code}")).await
}

/// Logs in successfully. Returns the openid and the session key.
async fn log_in(bank: &TestBank, js_code: &str) -> (String, String) {
    let reply = login(bank, js_code).await;
    assert!(reply.get("errcode").is_none(), "{reply}");
    (reply["openid"].as_str().unwrap().to_owned(), reply["session_key"].as_str().unwrap().to_owned())
}

/// A one-time code, issued by the operator API.
async fn issue_code(bank: &TestBank, openid: &str) -> String {
    let path = format!("/api/v1/apps/{APPID}/players/{openid}/code");
    let (status, code) = bank.operator_request(Method::POST, &path, "").await;
    assert_eq!((status, &code["expires_in"]), (StatusCode::OK, &300.into()));
    code["js_code"].as_str().unwrap().to_owned()
}

/// The reply to a present of the player, signed with this session key.
async fn present(bank: &TestBank, openid: &str, session_key: &str, bill_no: &str) -> Value {
    let mut call = gift(bill_no, 1);
    call.caller.openid = openid.parse().unwrap();
    let (key, token) = (SessionKey::new(session_key).unwrap(), AccessToken::new(TOKEN).unwrap());
    let live = Environment::Live;
    let body = signed_body(&call, live, &MidasKey::new(MIDAS_KEY).unwrap(), Some((&key, &token)));
    bank.call::<Present>(live, body).await
}

/// The bug: `login = "open"` let anyone in to live as well, so a bank could not serve testers in its sandbox and
/// players in live at once. With `open-sandbox` any code is a player of the sandbox, and live wants an issued one.
#[tokio::test]
async fn open_sandbox_login_is_refused_live() {
    let app = AppSettings { login: LoginMode::OpenSandbox, ..sample_app() };
    let bank = TestBank::with_app(app).await;
    let (first, _) = log_in(&bank, "any-code").await;
    let (tester, tester_key) = log_in(&bank, "any-code").await;
    assert_eq!(first, tester, "a code is one player");
    let refusal = "no session: the player logged in by an open code, which is for the sandbox only";
    assert_refused(&present(&bank, &tester, &tester_key, "live").await, 90010, refusal);
    let mut call = gift("sandbox", 1);
    call.caller.openid = tester.parse().unwrap();
    let (key, token) = (SessionKey::new(&tester_key).unwrap(), AccessToken::new(TOKEN).unwrap());
    let sandbox = Environment::Sandbox;
    let body = signed_body(&call, sandbox, &MidasKey::new(SANDBOX_KEY).unwrap(), Some((&key, &token)));
    assert_eq!(bank.call::<Present>(sandbox, body).await["errcode"], 0);

    let code = issue_code(&bank, PLAYER).await;
    let (player, session_key) = log_in(&bank, &code).await;
    assert_eq!(player, PLAYER);
    assert_eq!(present(&bank, PLAYER, &session_key, "issued").await["errcode"], 0);
    assert_refused(&login(&bank, &code).await, 40163, "code been used");
}

fn signature(session_key: &str) -> String {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(session_key.as_bytes()).unwrap();
    mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

async fn check_session(bank: &TestBank, openid: &str, signature: &str) -> Value {
    let query = format!("access_token={TOKEN}&openid={openid}&signature={signature}&sig_method=hmac_sha256");
    get(bank, &format!("/wxa/checksession?{query}")).await
}

fn assert_ok(reply: &Value) {
    assert_eq!(*reply, serde_json::json!({ "errcode": 0, "errmsg": "ok" }));
}

#[tokio::test]
async fn open_login_accepts_any_code() {
    let bank = TestBank::with_app(open_login_app()).await;
    let (openid, first_key) = log_in(&bank, "alice").await;
    assert_eq!((openid.len(), &openid[..1]), (28, "o"));
    assert!(SessionKey::new(&first_key).is_ok());
    assert_eq!(present(&bank, &openid, &first_key, "a").await["errcode"], 0);

    let (again, second_key) = log_in(&bank, "alice").await;
    assert_eq!(openid, again, "the same code logs in the same player");
    assert_ne!(first_key, second_key, "each login has a new session key");
    assert_refused(&present(&bank, &openid, &first_key, "b").await, 90009, "mp_sig error");
    assert_eq!(present(&bank, &openid, &second_key, "b").await["errcode"], 0);

    let (other, _) = log_in(&bank, "bob").await;
    assert_ne!(openid, other);
    assert_eq!(
        present(&bank, &openid, &second_key, "c").await["errcode"],
        0,
        "one player's login does not replace another's"
    );
}

#[tokio::test]
async fn login_reply_has_documented_bytes() {
    let bank = TestBank::with_app(open_login_app()).await;
    let query = format!("appid={APPID}&secret={SECRET}&grant_type=authorization_code&js_code=alice");
    let (_, _, body) = bank.send(Method::GET, &format!("/sns/jscode2session?{query}"), &[], "").await;
    let (openid, key) = {
        let reply: Value = serde_json::from_slice(&body).unwrap();
        (reply["openid"].as_str().unwrap().to_owned(), reply["session_key"].as_str().unwrap().to_owned())
    };
    assert_eq!(*body, *format!(r#"{{"openid":"{openid}","session_key":"{key}"}}"#).as_bytes());
}

#[tokio::test]
async fn login_expires_after_a_day() {
    let bank = TestBank::with_app(open_login_app()).await;
    let (openid, key) = log_in(&bank, "alice").await;
    bank.clock.advance(Duration::from_secs(86_399));
    assert_eq!(present(&bank, &openid, &key, "a").await["errcode"], 0);
    assert_ok(&check_session(&bank, &openid, &signature(&key)).await);
    bank.clock.advance(Duration::from_secs(1));
    assert_eq!(present(&bank, &openid, &key, "b").await["errcode"], 90010);
    assert_eq!(check_session(&bank, &openid, &signature(&key)).await["errcode"], 87009);
}

#[tokio::test]
async fn login_errors_follow_contract_order() {
    let bank = TestBank::with_app(open_login_app()).await;
    let all = format!("appid={APPID}&secret={SECRET}&grant_type=authorization_code&js_code=alice");
    let wrong_type = "invalid grant_type: it must be authorization_code";
    let cases = [
        (String::new(), 41002, "appid missing"),
        ("appid=wx7654321".to_owned(), 41004, "appsecret missing"),
        ("appid=wx7654321&secret=guess".to_owned(), 40002, wrong_type),
        (all.replace("authorization_code", "client_credential"), 40002, wrong_type),
        (all.replace(APPID, "wx7654321").replace("=alice", "="), 40013, "invalid appid"),
        (all.replace(SECRET, "guess").replace("=alice", "="), 40125, "invalid appsecret"),
        (all.replace("&js_code=alice", ""), 40029, "invalid code: js_code is missing"),
        (
            all.replace("alice", "a%20b"),
            40029,
            "invalid code: js_code holds a character that is not visible ASCII",
        ),
        (
            all.replace("alice", &"x".repeat(129)),
            40029,
            "invalid code: js_code is longer than 128 characters",
        ),
    ];
    for (query, errcode, words) in cases {
        assert_refused(&get(&bank, &format!("/sns/jscode2session?{query}")).await, errcode, words);
    }
    log_in(&bank, &"x".repeat(128)).await;
}

#[tokio::test]
async fn push_login_codes_are_single_use() {
    let bank = TestBank::start().await;
    let unknown = "invalid code: login is set to push for this app, so a code comes from \
                   POST /api/v1/apps/{appid}/players/{openid}/code of the operator API";
    assert_refused(&login(&bank, "alice").await, 40029, unknown);

    let code = issue_code(&bank, "alice").await;
    let (openid, key) = log_in(&bank, &code).await;
    assert_eq!(openid, "alice");
    assert_eq!(present(&bank, "alice", &key, "a").await["errcode"], 0);
    assert_refused(&login(&bank, &code).await, 40163, "code been used");
    assert_eq!(present(&bank, "alice", &key, "b").await["errcode"], 0, "a refused login changes nothing");

    // Two codes can be valid at once. The later login replaces the earlier one.
    let (one, two) = (issue_code(&bank, PLAYER).await, issue_code(&bank, PLAYER).await);
    assert_ne!(one, two);
    let (_, first_key) = log_in(&bank, &two).await;
    let (_, second_key) = log_in(&bank, &one).await;
    assert_refused(&present(&bank, PLAYER, &first_key, "c").await, 90009, "mp_sig error");
    assert_eq!(present(&bank, PLAYER, &second_key, "c").await["errcode"], 0);
}

#[tokio::test]
async fn code_expires_after_five_minutes() {
    let bank = TestBank::start().await;
    let (in_time, late) = (issue_code(&bank, "alice").await, issue_code(&bank, "bob").await);
    bank.clock.advance(Duration::from_millis(299_999));
    log_in(&bank, &in_time).await;
    bank.clock.advance(Duration::from_millis(1));
    let over = "invalid code: it has expired";
    assert_refused(&login(&bank, &late).await, 40029, over);
    assert_refused(&login(&bank, &in_time).await, 40163, "code been used");
}

#[tokio::test]
async fn concurrent_use_of_a_code_logs_in_once() {
    let bank = Arc::new(TestBank::start().await);
    let code = issue_code(&bank, "alice").await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (bank, code) = (Arc::clone(&bank), code.clone());
            tokio::spawn(async move { login(&bank, &code).await["errcode"].as_i64().unwrap_or(0) })
        })
        .collect();
    let mut codes = Vec::new();
    for task in tasks {
        codes.push(task.await.unwrap());
    }
    codes.sort_unstable();
    assert_eq!(codes[0], 0);
    assert_eq!(codes[1..], [40163; 19]);
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_and_stored_login_agree_after_race() {
    let folder = tempfile::tempdir().unwrap();
    let start = async || TestBank::start_in(folder.path(), open_login_app()).await;
    let bank = Arc::new(start().await);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let bank = Arc::clone(&bank);
        tasks.spawn(async move { log_in(&bank, "alice").await });
    }
    let logins: HashSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(logins.len(), 50, "each has a key of its own");
    let good = async |bank: &TestBank| {
        let mut good = Vec::new();
        for (openid, key) in &logins {
            if check_session(bank, openid, &signature(key)).await["errcode"] == 0 {
                good.push(key);
            }
        }
        good
    };
    let in_memory = good(&bank).await;
    assert_eq!(in_memory.len(), 1);
    Arc::into_inner(bank).expect("all tasks have finished").shut_down().await;

    let bank = start().await;
    assert_eq!(good(&bank).await, in_memory);
    bank.shut_down().await;
}

#[tokio::test]
async fn codes_are_issued_only_for_push_login() {
    let bank = TestBank::with_app(open_login_app()).await;
    let path = |openid: &str| format!("/api/v1/apps/{APPID}/players/{openid}/code");
    let (status, problem) = bank.operator_request(Method::POST, &path(PLAYER), "").await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(problem["detail"], "login is set to open for this app: any code logs a player in");
    let bank = TestBank::start().await;
    let (status, _) = bank.operator_request(Method::POST, &path("a%20b"), "").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _) = bank.operator_request(Method::POST, "/api/v1/apps/wx0/players/a/code", "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _, _) = bank.send(Method::POST, &path(PLAYER), &[], "").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn session_check_verifies_the_signature() {
    let bank = TestBank::start().await;
    let right = signature(SESSION_KEY);
    assert_ok(&check_session(&bank, PLAYER, &right).await);
    assert_ok(&check_session(&bank, PLAYER, &right.to_uppercase()).await);
    assert_refused(&check_session(&bank, PLAYER, &"0".repeat(64)).await, 87009, "invalid signature");
    let forms = "invalid signature: it must be 64 hex digits";
    assert_refused(&check_session(&bank, PLAYER, &right[1..]).await, 87009, forms);
    assert_refused(&check_session(&bank, PLAYER, "").await, 87009, forms);
    let not_logged_in = "invalid signature: the player is not logged in";
    assert_refused(&check_session(&bank, "stranger", &right).await, 87009, not_logged_in);

    let code = issue_code(&bank, PLAYER).await;
    let (_, key) = log_in(&bank, &code).await;
    assert_refused(&check_session(&bank, PLAYER, &right).await, 87009, "invalid signature");
    assert_ok(&check_session(&bank, PLAYER, &signature(&key)).await);
}

#[tokio::test]
async fn session_check_errors_follow_contract_order() {
    let bank = TestBank::start().await;
    let invalid = "invalid credential, access_token is invalid or not latest";
    let method = "invalid parameter: sig_method must be hmac_sha256";
    let openid = "invalid parameter: openid holds a space; 1 to 64 digits, letters or any of _- are allowed";
    let cases = [
        (String::new(), 41001, "access_token missing"),
        ("access_token=guess".to_owned(), 40001, invalid),
        (format!("access_token={TOKEN}"), 90018, method),
        (format!("access_token={TOKEN}&sig_method=md5"), 90018, method),
        (
            format!("access_token={TOKEN}&sig_method=hmac_sha256"),
            90018,
            "invalid parameter: openid is missing",
        ),
        (format!("access_token={TOKEN}&sig_method=hmac_sha256&openid=a%20b"), 90018, openid),
    ];
    for (query, errcode, words) in cases {
        assert_refused(&get(&bank, &format!("/wxa/checksession?{query}")).await, errcode, words);
    }
    let path = format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret={SECRET}");
    let issued = get(&bank, &path).await;
    bank.clock.advance(Duration::from_secs(7200));
    let query = format!("access_token={}", issued["access_token"].as_str().unwrap());
    let expired = get(&bank, &format!("/wxa/checksession?{query}")).await;
    assert_refused(&expired, 42001, "access_token expired");
}

#[tokio::test]
async fn logins_and_codes_survive_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |app| TestBank::start_in(folder.path(), app).await;
    let bank = start(sample_app()).await;
    let (used, unused) = (issue_code(&bank, "alice").await, issue_code(&bank, "bob").await);
    let (_, key) = log_in(&bank, &used).await;
    bank.shut_down().await;

    let bank = start(sample_app()).await;
    assert_eq!(present(&bank, "alice", &key, "a").await["errcode"], 0);
    assert_refused(&login(&bank, &used).await, 40163, "code been used");
    assert_eq!(log_in(&bank, &unused).await.0, "bob");
    bank.shut_down().await;

    let bank = start(open_login_app()).await;
    let (carol, key) = log_in(&bank, "carol").await;
    bank.shut_down().await;
    let bank = start(open_login_app()).await;
    assert_ok(&check_session(&bank, &carol, &signature(&key)).await);
    assert_eq!(log_in(&bank, "carol").await.0, carol);
    bank.shut_down().await;
}
