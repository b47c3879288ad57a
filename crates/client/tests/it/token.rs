//! The access token cache: one call fetches, all use it, and a rejected token is replaced once.

use std::time::Duration;

use pactolus_client::{AccessToken, TokenError, TokenSource};
use tokio::task::JoinSet;

use crate::bank::{SECRET, gift, player, sandbox};
use crate::vendor::{TOKEN, VendorHost};

const DONE: &str = r#"{"errcode":0,"errmsg":"ok","balance":5,"bill_no":"number"}"#;
const SECOND: &str = r#"{"access_token":"SECOND","expires_in":7200}"#;

/// The token requests and the tokens used, in order.
fn token_events(host: &VendorHost) -> Vec<String> {
    let what = |(path, body): (String, String)| match path.split_once("access_token=") {
        Some((_, token)) => format!("call with {token}"),
        None if body.contains(r#""force_refresh":true"#) => "ask for another".to_owned(),
        None => "ask".to_owned(),
    };
    host.requests().into_iter().map(what).collect()
}

#[tokio::test]
async fn concurrent_calls_share_one_token_request() {
    let host = VendorHost::start(&[DONE], &[TOKEN]).await;
    let client = host.client();
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        calls.spawn(async move { client.present(&gift(&player("one"), "number", 5)).await.unwrap() });
    }
    calls.join_all().await;
    let tokens = token_events(&host);
    assert_eq!(tokens[0], "ask");
    assert_eq!(tokens[1..], vec!["call with FIRST"; 20]);
}

#[tokio::test]
async fn rejected_token_is_replaced_once_per_call() {
    for refusal in [
        r#"{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest"}"#,
        r#"{"errcode":40014,"errmsg":"invalid access_token"}"#,
        r#"{"errcode":42001,"errmsg":"access_token expired"}"#,
    ] {
        let host = VendorHost::start(&[refusal, DONE], &[TOKEN, SECOND]).await;
        host.client().present(&gift(&player("one"), "number", 5)).await.unwrap();
        assert_eq!(token_events(&host), ["ask", "call with FIRST", "ask", "call with SECOND"]);
        let asked = host.requests();
        let (first, second) = (mp_sig(&asked[1].1), mp_sig(&asked[3].1));
        assert!(first.len() == 64 && first != second, "{first} {second}");

        let host = VendorHost::start(&[refusal], &[TOKEN, SECOND]).await;
        let error = host.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
        assert!(error.to_string().starts_with("the bank refused it: 4"), "{error}");
        assert!(error.retryable(), "another process may have replaced the token");
        assert_eq!(token_events(&host).len(), 4, "once only");
    }
}

fn mp_sig(body: &str) -> &str {
    body.split_once(r#""mp_sig":""#).unwrap().1.split('"').next().unwrap()
}

#[tokio::test]
async fn unchanged_rejected_token_forces_a_refresh() {
    let refusal = r#"{"errcode":40001,"errmsg":"invalid credential"}"#;
    let host = VendorHost::start(&[refusal, DONE], &[TOKEN, TOKEN, SECOND]).await;
    host.client().present(&gift(&player("one"), "number", 5)).await.unwrap();
    assert_eq!(token_events(&host), ["ask", "call with FIRST", "ask", "ask for another", "call with SECOND"]);
}

#[tokio::test]
async fn token_is_refreshed_before_it_expires() {
    let host = VendorHost::start(&[DONE], &[TOKEN, "busy", SECOND]).await;
    let client = host.client();
    let call = || async { client.present(&gift(&player("one"), "number", 5)).await.unwrap() };
    let later = async |seconds| {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
    };
    call().await;
    later(6800).await;
    call().await;
    later(200).await;
    // Five minutes before expiry the token is refreshed. If that fails, the old token stays in use and is not
    // refreshed again at once.
    call().await;
    call().await;
    later(20).await;
    call().await;
    let expected =
        ["ask", "call with FIRST", "call with FIRST", "ask", "call with FIRST", "call with FIRST", "ask"];
    assert_eq!(token_events(&host)[..7], expected);
    assert_eq!(token_events(&host)[7..], ["call with SECOND"]);
}

#[tokio::test]
async fn plain_and_fixed_token_sources_work() {
    let host = VendorHost::start(&[DONE], &[TOKEN]).await;
    let plain = sandbox(&host.url).token(TokenSource::Plain).build();
    plain.present(&gift(&player("one"), "number", 5)).await.unwrap();
    let expected = format!("/cgi-bin/token?grant_type=client_credential&appid=wx1234567&secret={SECRET}");
    assert_eq!(host.requests()[0].0, expected);

    let refusal = r#"{"errcode":40001,"errmsg":"invalid credential"}"#;
    let host = VendorHost::start(&[DONE, refusal], &[TOKEN]).await;
    let fixed = TokenSource::Fixed(AccessToken::new("A&B").unwrap());
    let fixed = sandbox(&host.url).token(fixed).build();
    fixed.present(&gift(&player("one"), "number", 5)).await.unwrap();
    assert_eq!(token_events(&host), ["call with A%26B"]);
    let error = fixed.present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot obtain an access token");
    assert!(!error.retryable());
}

#[tokio::test]
async fn wrong_secret_is_not_retried() {
    let refusal = r#"{"errcode":40125,"errmsg":"invalid appsecret"}"#;
    let host = VendorHost::start(&[DONE], &[refusal]).await;
    let error = host.client().access_token().await.unwrap_err();
    assert!(matches!(&error, TokenError::Api(refused) if refused.errcode == 40125), "{error:?}");
    let error = host.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert!(!error.retryable());
    assert_eq!(host.requests().len(), 2, "no retry");
}
