//! The vendor's host as its pages and public clients describe it: scripted replies and a log of the requests.
//!
//! For a used bill number it says no more than `order exist`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use pactolus_client::{
    Amount, AppliedBy, CallError, CancelPayRequest, ErrorSource, OrderOutcome, PayError, PayRequest,
    PresentError, RetryPolicy,
};
use tokio::net::TcpListener;

use crate::bank::{gift, player, sandbox};

/// A host that replies with the next line of its script, and repeats the last line.
pub(crate) struct VendorHost {
    pub(crate) url: String,
    script: Arc<ReplyScript>,
}

#[derive(Default)]
struct ReplyScript {
    replies: Mutex<VecDeque<&'static str>>,
    tokens: Mutex<VecDeque<String>>,
    requests: Mutex<Vec<(String, String)>>,
}

/// Script lines of three digits stand for a gateway's status instead of a reply.
pub(crate) const BAD_GATEWAY: &str = "502";
pub(crate) const NOT_FOUND: &str = "404";

/// A script line that stands for no reply at all.
pub(crate) const HANG: &str = "hang";

const ORDER_EXIST: &str = r#"{"errcode":90012,"errmsg":"order exist"}"#;
const BUSY: &str = r#"{"errcode":-1,"errmsg":"system error"}"#;
const DONE: &str = r#"{"errcode":0,"errmsg":"ok","balance":5,"bill_no":"number"}"#;
const PAID: &str = r#"{"errcode":0,"errmsg":"ok","bill_no":"number","balance":5,"used_gen_amt":2}"#;

impl VendorHost {
    pub(crate) async fn start(answers: &[&'static str], tokens: &[&str]) -> Self {
        let script = Arc::new(ReplyScript {
            replies: Mutex::new(answers.iter().copied().collect()),
            tokens: Mutex::new(tokens.iter().map(ToString::to_string).collect()),
            requests: Mutex::default(),
        });
        let routes = Router::new().fallback(serve_script).with_state(Arc::clone(&script));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, script }
    }

    /// The requests so far: path with query, and body.
    pub(crate) fn requests(&self) -> Vec<(String, String)> {
        self.script.requests.lock().unwrap().clone()
    }

    pub(crate) fn client(&self) -> pactolus_client::Client {
        sandbox(&self.url).retry_policy(fast_retry_policy()).build()
    }
}

async fn serve_script(State(script): State<Arc<ReplyScript>>, uri: Uri, body: Bytes) -> Response {
    let body = String::from_utf8(body.into()).unwrap();
    script.requests.lock().unwrap().push((uri.to_string(), body));
    if uri.path().contains("token") {
        return respond(next_reply(&script.tokens)).await;
    }
    respond(next_reply(&script.replies).to_owned()).await
}

async fn respond(line: String) -> Response {
    if line == HANG {
        std::future::pending::<()>().await;
    }
    match line.parse::<StatusCode>() {
        Ok(status) => status.into_response(),
        Err(_) => line.into_response(),
    }
}

fn next_reply<T: Clone>(script: &Mutex<VecDeque<T>>) -> T {
    let mut script = script.lock().unwrap();
    if script.len() > 1 { script.pop_front().unwrap() } else { script[0].clone() }
}

pub(crate) const TOKEN: &str = r#"{"access_token":"FIRST","expires_in":7200}"#;

pub(crate) fn fast_retry_policy() -> RetryPolicy {
    RetryPolicy {
        attempts_max: 3.try_into().unwrap(),
        backoff_min: Duration::from_millis(1),
        ..RetryPolicy::default()
    }
}

#[tokio::test]
async fn order_exist_is_success_only_after_own_attempt() {
    // The host's replies to consecutive attempts, and the client's result.
    let cases: [(&[&str], Result<AppliedBy, ()>); 5] = [
        (&[DONE], Ok(AppliedBy::ThisAttempt)),
        (&[ORDER_EXIST], Err(())),
        (&[BUSY, ORDER_EXIST], Ok(AppliedBy::EarlierAttempt)),
        (&[BAD_GATEWAY, ORDER_EXIST], Ok(AppliedBy::EarlierAttempt)),
        (&["<html>", ORDER_EXIST], Ok(AppliedBy::EarlierAttempt)),
    ];
    for (answers, expected) in cases {
        let host = VendorHost::start(answers, &[TOKEN]).await;
        match (host.client().present(&gift(&player("one"), "number", 5)).await, expected) {
            (Ok(presented), Ok(applied_by)) => assert_eq!(presented.applied_by, applied_by, "{answers:?}"),
            (Err(PresentError::BillNoUsed { .. }), Err(())) => {}
            (other, _) => panic!("{answers:?}: {other:?}"),
        }
    }
    let host = VendorHost::start(&[ORDER_EXIST], &[TOKEN]).await;
    let again = host.client().retry_present(&gift(&player("one"), "number", 5)).await.unwrap();
    assert_eq!((again.applied_by, again.balance), (AppliedBy::EarlierCall, None));
}

#[tokio::test]
async fn retries_resend_the_same_order() {
    let quota = r#"{"errcode":45009,"errmsg":"reach max api daily quota limit"}"#;
    let host = VendorHost::start(&[BUSY, quota, DONE], &[TOKEN]).await;
    host.client().present(&gift(&player("one"), "number", 5)).await.unwrap();
    let asked = host.requests();
    assert_eq!(asked.len(), 4, "a token request and three attempts: {asked:?}");
    for (_, body) in &asked[1..] {
        assert!(body.contains(r#""present_counts":5,"bill_no":"number""#), "{body}");
    }
}

#[tokio::test]
async fn failed_call_reports_the_order_outcome() {
    let busy = VendorHost::start(&[BUSY], &[TOKEN]).await;
    let error = busy.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!(
        (error.outcome(), error.error_source(), error.retryable()),
        (OrderOutcome::Unknown, ErrorSource::Bank, true)
    );
    assert_eq!(error.to_string(), "gave up after 3 tries");

    // The rate limit is checked first, so nothing can have been applied.
    let quota = r#"{"errcode":45009,"errmsg":"reach max api daily quota limit"}"#;
    let over = VendorHost::start(&[quota], &[TOKEN]).await;
    let error = over.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!(
        (error.outcome(), error.error_source(), error.retryable()),
        (OrderOutcome::NotApplied, ErrorSource::Caller, true)
    );

    // An order with this number is in flight; only a later reply shows whose it is.
    let processing = r#"{"errcode":90016,"errmsg":"order is being processed"}"#;
    let in_flight = VendorHost::start(&[processing], &[TOKEN]).await;
    let error = in_flight.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!(
        (error.outcome(), error.error_source(), error.retryable()),
        (OrderOutcome::Unknown, ErrorSource::Bank, true)
    );
    let foreign_order = VendorHost::start(&[processing, ORDER_EXIST], &[TOKEN]).await;
    let error = foreign_order.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert!(matches!(error, PresentError::BillNoUsed { .. }), "{error:?}");

    // An unknown outcome survives a refusal that says nothing about the order.
    let session = r#"{"errcode":90010,"errmsg":"no session"}"#;
    let over = VendorHost::start(&[BUSY, session], &[TOKEN]).await;
    let error = over.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    let PresentError::Call(call) = error else { panic!("{error:?}") };
    assert!(matches!(*call, CallError::NoSession { outcome: OrderOutcome::Unknown, .. }), "{call:?}");

    let not_a_bank = VendorHost::start(&[NOT_FOUND], &[TOKEN]).await;
    let error = not_a_bank.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!(
        (error.outcome(), error.error_source(), error.retryable()),
        (OrderOutcome::NotApplied, ErrorSource::Caller, false)
    );

    let closed_address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = sandbox(&format!("http://{closed_address}")).retry_policy(fast_retry_policy()).build();
    let error = client.present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!(
        (error.outcome(), error.error_source(), error.retryable()),
        (OrderOutcome::NotApplied, ErrorSource::Network, true)
    );
}

/// The vendor's host speaks TLS. A token is never sent to a host that does not.
#[tokio::test]
async fn https_to_a_plaintext_host_fails() {
    let host = VendorHost::start(&[DONE], &[TOKEN]).await;
    let client = sandbox(&host.url.replace("http:", "https:")).retry_policy(fast_retry_policy()).build();
    let error = client.present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!(
        (error.outcome(), error.error_source(), error.retryable()),
        (OrderOutcome::NotApplied, ErrorSource::Network, true)
    );
    assert!(host.requests().is_empty());
}

#[tokio::test]
async fn pay_and_cancel_recognise_their_own_replay() {
    let pay = PayRequest::new(player("one"), Amount::new(5).unwrap(), "number".parse().unwrap());
    let host = VendorHost::start(&[BUSY, ORDER_EXIST, PAID], &[TOKEN]).await;
    assert_eq!(host.client().pay(&pay).await.unwrap().applied_by, AppliedBy::EarlierAttempt);
    assert_eq!(host.client().pay(&pay).await.unwrap().applied_by, AppliedBy::ThisAttempt);

    let poor =
        VendorHost::start(&[BUSY, r#"{"errcode":90013,"errmsg":"balance not enough"}"#], &[TOKEN]).await;
    let error = poor.client().pay(&pay).await.unwrap_err();
    // The unanswered attempt may have taken the coins, and this host may look at the balance first.
    assert_eq!(
        (error.outcome(), error.error_source()),
        (OrderOutcome::Unknown, ErrorSource::Player),
        "{error:?}"
    );
    let used = VendorHost::start(&[ORDER_EXIST], &[TOKEN]).await;
    let error = used.client().pay(&pay).await.unwrap_err();
    assert!(matches!(error, PayError::BillNoUsed { .. }), "{error:?}");
    assert_eq!(used.client().retry_pay(&pay).await.unwrap().applied_by, AppliedBy::EarlierCall);

    let cancelled = r#"{"errcode":90015,"errmsg":"order has been canceled"}"#;
    let host = VendorHost::start(&[BUSY, cancelled], &[TOKEN]).await;
    let cancel = CancelPayRequest { player: player("one"), bill_no: "number".parse().unwrap(), item: None };
    assert_eq!(host.client().cancel_pay(&cancel).await.unwrap().applied_by, AppliedBy::EarlierAttempt);
}

/// The bug: a 404 ended as "gave up after 1 tries", and a reply that is no bank's counted as retryable. The loss: hours
/// of retries against a wrong base URL. The fix: an error that says so.
#[tokio::test]
async fn wrong_base_url_is_not_retryable() {
    for (line, text) in [
        ("404", "the call failed, and would fail again"),
        ("302", "the call failed, and would fail again"),
        ("<html>", "gave up after 3 tries"),
        (r#"{"message":"hello"}"#, "gave up after 3 tries"),
    ] {
        let host = VendorHost::start(&[line], &[TOKEN]).await;
        let error = host.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
        assert_eq!(error.to_string(), text, "{line}");
        assert_eq!((error.error_source(), error.retryable()), (ErrorSource::Caller, false), "{line}");

        // The same at the token endpoint, where a wrong base URL shows first.
        let host = VendorHost::start(&[DONE], &[line]).await;
        let error = host.client().access_token().await.unwrap_err();
        assert_eq!((error.error_source(), error.retryable()), (ErrorSource::Caller, false), "{line}");
        let error = host.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
        assert_eq!((error.error_source(), error.retryable()), (ErrorSource::Caller, false), "{line}");
    }
    // A bank whose reply lacks a field of this version.
    let host = VendorHost::start(&[r#"{"errcode":0,"errmsg":"ok"}"#], &[TOKEN]).await;
    let error = host.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!((error.error_source(), error.retryable()), (ErrorSource::Bank, true));
}

/// Each error that follows from a reply has the request id of it.
#[tokio::test]
async fn errors_carry_the_request_id() {
    const RID: &str = "59db17f1-01234567-89abcdef";
    for errcode in [-1, 40097, 45009, 90000, 90009, 90010, 90011, 90012, 90013, 90014, 90017, 90018, 91234] {
        let reply: &'static str = format!(r#"{{"errcode":{errcode},"errmsg":"words rid: {RID}"}}"#).leak();
        let host = VendorHost::start(&[reply], &[TOKEN]).await;
        let client = host.client();
        let error = client.present(&gift(&player("one"), "number", 5)).await.unwrap_err();
        assert_eq!(error.rid(), Some(RID), "{error:?}");
        let pay = PayRequest::new(player("one"), Amount::new(5).unwrap(), "number".parse().unwrap());
        let error = client.pay(&pay).await.unwrap_err();
        assert_eq!(error.rid(), Some(RID), "{error:?}");
        let cancel =
            CancelPayRequest { player: player("one"), bill_no: "number".parse().unwrap(), item: None };
        let error = client.cancel_pay(&cancel).await.unwrap_err();
        assert_eq!(error.rid(), Some(RID), "{error:?}");
        let error = client.get_balance(&player("one")).await.unwrap_err();
        assert_eq!(error.rid(), Some(RID), "{error:?}");
        let host = VendorHost::start(&[DONE], &[reply]).await;
        assert_eq!(host.client().access_token().await.unwrap_err().rid(), Some(RID));
    }
    let mismatch = r#"{"errcode":90012,"errmsg":"order exist: openid differs from that of the order with this bill_no rid: 59db17f1-01234567-89abcdef"}"#;
    let host = VendorHost::start(&[mismatch], &[TOKEN]).await;
    let error = host.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert!(matches!(error, PresentError::BillNoTaken { .. }) && error.rid() == Some(RID), "{error:?}");
}
