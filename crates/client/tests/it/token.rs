//! The access token cache: one call fetches, all use it, and a rejected token is replaced once.

use std::time::Duration;

use pactolus_client::{AccessToken, OrderOutcome, TokenError, TokenSource};
use tokio::task::JoinSet;

use crate::bank::{SECRET, gift, player, sandbox};
use crate::vendor::{HANG, TOKEN, VendorHost};

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

/// The bug: a replacement that failed made the call go on as if it had succeeded, and a second rejection was final. The
/// loss: a gift that is not given although the token endpoint is back within the deadline. The fix: the old token is
/// used meanwhile, and each further attempt tries the replacement again.
#[tokio::test]
async fn broken_replacement_is_tried_again() {
    const REJECTED: &str = r#"{"errcode":40001,"errmsg":"invalid credential"}"#;
    for broken in ["500", "<html>", r#"{"errcode":-1,"errmsg":"system error"}"#] {
        // The bank accepts the old token again.
        let host = VendorHost::start(&[REJECTED, DONE], &[TOKEN, broken]).await;
        host.client().present(&gift(&player("one"), "number", 5)).await.unwrap();
        assert_eq!(token_events(&host), ["ask", "call with FIRST", "ask", "call with FIRST"], "{broken}");

        // The bank issues another token after all.
        let host = VendorHost::start(&[REJECTED, REJECTED, DONE], &[TOKEN, broken, SECOND]).await;
        host.client().present(&gift(&player("one"), "number", 5)).await.unwrap();
        let expected = ["ask", "call with FIRST", "ask", "call with FIRST", "ask", "call with SECOND"];
        assert_eq!(token_events(&host), expected, "{broken}");

        // Neither: the error says why there is no token.
        let host = VendorHost::start(&[REJECTED], &[TOKEN, broken]).await;
        let error = host.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(
            (error.to_string(), cause),
            ("gave up after 3 tries".to_owned(), "cannot obtain an access token".to_owned())
        );
        assert_eq!(error.outcome(), OrderOutcome::NotApplied);
    }
}

/// The bug: the early refresh ran within the caller's attempt, so a token endpoint that hangs failed a call whose token
/// was valid, and a cancelled call dropped the backoff. The loss: every call fails or waits for five minutes. The fix: a
/// task of its own, for which the call waits a moment.
#[tokio::test]
async fn hanging_early_refresh_delays_one_call() {
    let host = VendorHost::start(&[DONE], &[TOKEN, HANG]).await;
    let client = host.client();
    let call = || async { client.present(&gift(&player("one"), "number", 5)).await.unwrap() };
    call().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(7000)).await;
    tokio::time::resume();
    // A caller that goes away does not bring the next refresh sooner.
    let cancelled = tokio::time::timeout(Duration::from_millis(100), call()).await;
    assert!(cancelled.is_err(), "it waits for the refresh");
    for _ in 0..3 {
        call().await;
    }
    let expected = ["ask", "call with FIRST", "ask", "call with FIRST", "call with FIRST", "call with FIRST"];
    assert_eq!(token_events(&host), expected);
    // The hanging refresh ends; then the next one is due, and its call goes on with the old token too.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(20)).await;
    tokio::time::resume();
    call().await;
    call().await;
    assert_eq!(token_events(&host)[6..], ["call with FIRST", "ask", "call with FIRST"]);
}

#[tokio::test]
async fn any_lifetime_of_a_token_is_usable() {
    for expires_in in ["9223372036854775808", "18446744073709551615", "0", "-5", r#""7200""#] {
        let token = format!(r#"{{"access_token":"FIRST","expires_in":{expires_in}}}"#);
        let host = VendorHost::start(&[DONE], &[&token]).await;
        let client = host.client();
        for _ in 0..2 {
            client.present(&gift(&player("one"), "number", 5)).await.unwrap();
        }
        assert_eq!(token_events(&host), ["ask", "call with FIRST", "call with FIRST"], "{expires_in}");
    }
}
