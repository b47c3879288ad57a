//! Habits of back ends that work on the vendor's host, and what this bank does not have, in the vendor's shape.
//!
//! Bug: a token fetched by POST, a doubled slash and an unknown path were answered with 404 or 405 and a problem
//! document. Clients with typed replies read that as a success, or crashed. A byte order mark, a form, a compressed
//! body and a token in a header were refused in words that did not name them.

use hyper::{Method, StatusCode};
use pactolus_protocol::Present;
use pactolus_types::Environment;
use serde_json::Value;

use crate::bank::{APPID, SECRET, TestBank, assert_refused, gift, sample_app, sign};

const LIVE: Environment = Environment::Live;
const PATH: &str = "/cgi-bin/midas/present";
const WITH_TOKEN: &str = "/cgi-bin/midas/present?access_token=ACCESSTOKEN";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn credentials(grant_type: &str) -> String {
    format!("grant_type={grant_type}&appid={APPID}&secret={SECRET}")
}

type Headers<'a> = &'a [(&'a str, &'a str)];

/// A reply on a path of the vendor's: always 200 and JSON.
async fn send(
    bank: &TestBank,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<axum::body::Bytes>,
) -> Value {
    let (status, kind, reply) = bank.send(method, path, headers, body).await;
    assert_eq!((status, &*kind), (StatusCode::OK, "application/json; encoding=utf-8"), "{path}");
    serde_json::from_slice(&reply).unwrap()
}

#[tokio::test]
async fn platform_calls_take_post_with_query_or_form() {
    let app = pactolus_server::AppSettings { login: pactolus_server::LoginMode::Open, ..sample_app() };
    let bank = TestBank::with_app(app).await;
    let token = credentials("client_credential");
    let login = credentials("authorization_code") + "&js_code=c%2Fd";
    for (path, parameters, field) in [
        ("/cgi-bin/token", &token, "access_token"),
        ("/cgi-bin/stable_token", &token, "access_token"),
        ("/sns/jscode2session", &login, "openid"),
    ] {
        let in_query = send(&bank, Method::POST, &format!("{path}?{parameters}"), &[], "").await;
        assert!(in_query[field].is_string(), "{path}: {in_query}");
        let in_form = send(&bank, Method::POST, path, &[FORM], format!("{parameters}\r\n")).await;
        assert!(in_form[field].is_string(), "{path}: {in_form}");
        let (appid, others) = (format!("appid={APPID}"), parameters.replace("&appid=", "&x="));
        let in_both = send(&bank, Method::POST, &format!("{path}?{appid}"), &[FORM], others).await;
        assert!(in_both[field].is_string(), "{path}: {in_both}");
        let wrong = parameters.replace(SECRET, "guess");
        assert_refused(&send(&bank, Method::POST, path, &[FORM], wrong).await, 40125, "invalid appsecret");
        let query_first = format!("{path}?{}", parameters.replace(SECRET, "guess"));
        let refused = send(&bank, Method::POST, &query_first, &[FORM], parameters.clone()).await;
        assert_refused(&refused, 40125, "invalid appsecret");
    }
    let refused = send(&bank, Method::POST, "/cgi-bin/token", &[], "").await;
    assert_refused(&refused, 41002, "appid missing");
    let refresh =
        send(&bank, Method::POST, "/cgi-bin/stable_token", &[FORM], format!("{token}&force_refresh=1")).await;
    assert_refused(&refresh, 47001, "data format error: force_refresh must be true or false");

    let check = "openid=odkx20ENSNa2w5y3g_qOkOvBNM1g&sig_method=hmac_sha256&signature=93580617b5c8c3c98fdb3a1a16eff2db13f58670f3b88259ce3c7c405925242b";
    let path = "/wxa/checksession?access_token=ACCESSTOKEN";
    assert_eq!(send(&bank, Method::POST, path, &[FORM], check).await["errcode"], 0);
    assert_eq!(send(&bank, Method::POST, &format!("{path}&{check}"), &[], "").await["errcode"], 0);
    // The vendor documents POST alone for this one.
    let refused = send(&bank, Method::GET, &format!("/cgi-bin/stable_token?{token}"), &[], "").await;
    assert_refused(&refused, 43002, "require POST method");
}

#[tokio::test]
async fn slashes_are_merged_and_the_clean_path_is_signed() {
    let bank = TestBank::start().await;
    for (number, path) in [
        "//cgi-bin/midas/present",
        "/cgi-bin//midas/present",
        "/cgi-bin/midas/present/",
        "///cgi-bin/midas//present//",
    ]
    .into_iter()
    .enumerate()
    {
        let body = sign(&gift(&format!("b{number}"), 5), LIVE);
        let reply = bank.post(&format!("{path}?access_token=ACCESSTOKEN"), body).await;
        assert_eq!(reply["errcode"], 0, "{path}: {reply}");
    }
    let path = format!("//cgi-bin/token/?{}", credentials("client_credential"));
    let token = send(&bank, Method::GET, &path, &[], "").await;
    assert!(token["access_token"].is_string());
}

#[tokio::test]
async fn unknown_call_is_answered_in_the_vendors_shape() {
    let bank = TestBank::start().await;
    let unknown = "invalid url: this bank does not have this call; the nearest path is ";
    for (method, path, words) in [
        (Method::POST, "/wxa/msg_sec_check?access_token=a", format!("{unknown}/wxa/game/pay")),
        (Method::GET, "/cgi-bin/getcallbackip", format!("{unknown}/cgi-bin/stable_token")),
        (Method::GET, "/wxa/resetusersessionkey", format!("{unknown}/wxa/checksession")),
        (Method::POST, "/xpay/query_user_balances", format!("{unknown}/xpay/query_user_balance")),
        (Method::POST, "/sns", format!("{unknown}/sns/jscode2session")),
        (Method::POST, "/cgi-bin/midas/sandbox/presents", format!("{unknown}/cgi-bin/midas/sandbox/present")),
        (
            Method::POST,
            "/cgi-bin/Midas/present",
            format!("invalid url: letter case counts; the call is {PATH}"),
        ),
        (
            Method::POST,
            "/bank/api/cgi-bin/midas/present",
            format!(
                "invalid url: the path begins with a prefix; the call is {PATH}, and a proxy in front has to strip \
                 the prefix"
            ),
        ),
        (Method::PUT, "/cgi-bin/token", "invalid url: send /cgi-bin/token by GET or POST".to_owned()),
        (
            Method::DELETE,
            "/wxa/checksession/",
            "invalid url: send /wxa/checksession by GET or POST".to_owned(),
        ),
    ] {
        let reply = send(&bank, method, path, &[], "{}").await;
        assert_refused(&reply, 40066, &words);
    }
    // The operator API keeps its problem documents.
    let (status, kind, _) = bank.send(Method::GET, "/api/v1/apps/wxa/none", &[], "").await;
    assert_ne!((status, kind.starts_with("application/json")), (StatusCode::OK, true));
}

/// A HEAD would have issued a token, and so ended the one in use.
#[tokio::test]
async fn head_has_no_body_and_no_effect() {
    let bank = TestBank::start().await;
    let get = format!("/cgi-bin/token?{}", credentials("client_credential"));
    let first = send(&bank, Method::GET, &get, &[], "").await;
    for path in [&*get, WITH_TOKEN, "/wxa/unknown", "/cgi-bin/stable_token"] {
        let (status, kind, body) = bank.send(Method::HEAD, path, &[], "").await;
        assert_eq!(
            (status, &*kind, body.len()),
            (StatusCode::OK, "application/json; encoding=utf-8", 0),
            "{path}"
        );
    }
    bank.clock.advance(std::time::Duration::from_secs(600));
    let token = first["access_token"].as_str().unwrap();
    let reply = bank.post(&format!("{PATH}?access_token={token}"), "").await;
    assert_refused(&reply, 44002, "empty post data");
}

#[tokio::test]
async fn wrapping_of_a_body_is_skipped_or_named() {
    let bank = TestBank::start().await;
    let marked = format!("\u{feff}{}", sign(&gift("marked", 5), LIVE));
    assert_eq!(bank.call::<Present>(LIVE, marked).await["balance"], 5);
    let stable = format!(r#"{{"grant_type":"client_credential","appid":"{APPID}","secret":"{SECRET}"}}"#);
    let reply = bank.post("/cgi-bin/stable_token", format!("\u{feff}{stable}")).await;
    assert!(reply["access_token"].is_string(), "{reply}");

    let what = |what: &str| format!("data format error: the body is {what}; send one JSON object");
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"openid\"\r\n\r\na\r\n--b--\r\n";
    let form = [FORM];
    let multipart_header = [("content-type", "multipart/form-data; boundary=b")];
    let brotli = [("content-encoding", "br")];
    let plain = what("compressed") + " as plain text";
    let cases: [(Headers<'_>, &[u8], &str); 5] = [
        (&form, b"openid=a&appid=b", &what("a form")),
        (&[], b"openid=a&appid=b", &what("a form")),
        (&multipart_header, multipart.as_bytes(), &what("a multipart form")),
        (&[("content-encoding", "gzip")], b"\x1f\x8b\x08\x00\x00\x00", &plain),
        (&brotli, b"\x0b\x02\x80{}\x03", &plain),
    ];
    for (headers, body, words) in cases {
        assert_refused(&send(&bank, Method::POST, WITH_TOKEN, headers, body.to_vec()).await, 47001, words);
    }
}

#[tokio::test]
async fn misplaced_token_is_named() {
    let bank = TestBank::start().await;
    let body = sign(&gift("b", 5), LIVE).replacen('{', r#"{"access_token":"ACCESSTOKEN","#, 1);
    let cases: [(Headers<'_>, &str, &str); 6] = [
        (&[("authorization", "Bearer ACCESSTOKEN")], "{}", "it is in the header Authorization; "),
        (&[("access_token", "ACCESSTOKEN")], "{}", "it is in a header; "),
        (&[("X-Access-Token", "ACCESSTOKEN")], "{}", "it is in a header; "),
        (&[], &body, "it is in the body; "),
        (&[], "access_token=ACCESSTOKEN&openid=a", "it is in the body; "),
        (&[], "{}", ""),
    ];
    for (headers, body, words) in cases {
        let reply = send(&bank, Method::POST, PATH, headers, body.to_owned()).await;
        let hint = if words.is_empty() {
            String::new()
        } else {
            format!(": {words}send it in the query, as ?access_token=")
        };
        assert_refused(&reply, 41001, &format!("access_token missing{hint}"));
    }
    let headers = [("authorization", "Bearer ACCESSTOKEN")];
    let reply = send(&bank, Method::GET, "/wxa/checksession", &headers, "").await;
    let words =
        "access_token missing: it is in the header Authorization; send it in the query, as ?access_token=";
    assert_refused(&reply, 41001, words);

    let words = "invalid credential, access_token is invalid or not latest";
    let hint = "it is a placeholder or an unset variable, not a token; request one from /cgi-bin/token";
    for token in ["ACCESS_TOKEN", "%7Baccess_token%7D", "undefined", "null", "%5Bobject%20Object%5D"] {
        for path in [PATH, "/wxa/checksession"] {
            let reply = bank.post(&format!("{path}?access_token={token}"), body.clone()).await;
            assert_refused(&reply, 40001, &format!("{words}: {hint}"));
        }
    }
    assert_refused(&bank.post(&format!("{PATH}?access_token=0123"), "").await, 40001, words);
    assert_eq!(bank.balance(LIVE).await, 0);
}
