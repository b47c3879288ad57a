//! The vendor's host as its pages and public clients describe it: answers from a script, and what was asked of it.
//!
//! Of a number that was used before it says no more than `order exist`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use pactolus_client::{
    Amount, CallError, CancelPay, DoneBy, Fault, Outcome, Patience, Pay, PayError, PresentError,
};
use tokio::net::TcpListener;

use crate::bank::{gift, player, sandbox};

/// A host that answers each call with the next line of its script, and the last line for ever.
pub(crate) struct Vendor {
    pub(crate) url: String,
    script: Arc<Script>,
}

#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<&'static str>>,
    tokens: Mutex<VecDeque<String>>,
    asked: Mutex<Vec<(String, String)>>,
}

/// In place of an answer: a gateway's words.
pub(crate) const BAD_GATEWAY: &str = "502";
pub(crate) const NOT_FOUND: &str = "404";

const ORDER_EXIST: &str = r#"{"errcode":90012,"errmsg":"order exist"}"#;
const BUSY: &str = r#"{"errcode":-1,"errmsg":"system error"}"#;
const DONE: &str = r#"{"errcode":0,"errmsg":"ok","balance":5,"bill_no":"number"}"#;
const PAID: &str = r#"{"errcode":0,"errmsg":"ok","bill_no":"number","balance":5,"used_gen_amt":2}"#;

impl Vendor {
    pub(crate) async fn start(answers: &[&'static str], tokens: &[&str]) -> Self {
        let script = Arc::new(Script {
            answers: Mutex::new(answers.iter().copied().collect()),
            tokens: Mutex::new(tokens.iter().map(ToString::to_string).collect()),
            asked: Mutex::default(),
        });
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, script }
    }

    /// What was asked so far: path with query, and body.
    pub(crate) fn asked(&self) -> Vec<(String, String)> {
        self.script.asked.lock().unwrap().clone()
    }

    pub(crate) fn client(&self) -> pactolus_client::Client {
        sandbox(&self.url).patience(impatient()).build()
    }
}

async fn answer(State(script): State<Arc<Script>>, uri: Uri, body: Bytes) -> Response {
    let body = String::from_utf8(body.into()).unwrap();
    script.asked.lock().unwrap().push((uri.to_string(), body));
    if uri.path().contains("token") {
        return next(&script.tokens).into_response();
    }
    match next(&script.answers) {
        BAD_GATEWAY => StatusCode::BAD_GATEWAY.into_response(),
        NOT_FOUND => StatusCode::NOT_FOUND.into_response(),
        json => json.into_response(),
    }
}

fn next<T: Clone>(script: &Mutex<VecDeque<T>>) -> T {
    let mut script = script.lock().unwrap();
    if script.len() > 1 { script.pop_front().unwrap() } else { script[0].clone() }
}

pub(crate) const TOKEN: &str = r#"{"access_token":"FIRST","expires_in":7200}"#;

fn impatient() -> Patience {
    Patience { tries_max: 3.try_into().unwrap(), pause_min: Duration::from_millis(1), ..Patience::default() }
}

#[tokio::test]
async fn an_order_that_exists_is_a_success_only_where_it_may_be_ours() {
    // What the host answers to one call after the other, and what the client makes of it.
    let cases: [(&[&str], Result<DoneBy, ()>); 5] = [
        (&[DONE], Ok(DoneBy::ThisTry)),
        (&[ORDER_EXIST], Err(())),
        (&[BUSY, ORDER_EXIST], Ok(DoneBy::AnEarlierTry)),
        (&[BAD_GATEWAY, ORDER_EXIST], Ok(DoneBy::AnEarlierTry)),
        (&["<html>", ORDER_EXIST], Ok(DoneBy::AnEarlierTry)),
    ];
    for (answers, expected) in cases {
        let host = Vendor::start(answers, &[TOKEN]).await;
        match (host.client().present(&gift(&player("one"), "number", 5)).await, expected) {
            (Ok(presented), Ok(done_by)) => assert_eq!(presented.done_by, done_by, "{answers:?}"),
            (Err(PresentError::BillNoUsed), Err(())) => {}
            (other, _) => panic!("{answers:?}: {other:?}"),
        }
    }
    let host = Vendor::start(&[ORDER_EXIST], &[TOKEN]).await;
    let again = host.client().present_again(&gift(&player("one"), "number", 5)).await.unwrap();
    assert_eq!((again.done_by, again.balance), (DoneBy::AnEarlierCall, None));
}

#[tokio::test]
async fn the_same_order_is_sent_again_and_nothing_else() {
    let quota = r#"{"errcode":45009,"errmsg":"reach max api daily quota limit"}"#;
    let host = Vendor::start(&[BUSY, quota, DONE], &[TOKEN]).await;
    host.client().present(&gift(&player("one"), "number", 5)).await.unwrap();
    let asked = host.asked();
    assert_eq!(asked.len(), 4, "a token and three tries: {asked:?}");
    for (_, body) in &asked[1..] {
        assert!(body.contains(r#""present_counts":5,"bill_no":"number""#), "{body}");
    }
}

#[tokio::test]
async fn what_is_given_up_says_what_is_known() {
    let busy = Vendor::start(&[BUSY], &[TOKEN]).await;
    let error = busy.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!((error.outcome(), error.fault(), error.retryable()), (Outcome::Unknown, Fault::Bank, true));
    assert_eq!(error.to_string(), "gave up after 3 tries");

    // Over the limit nothing is looked at, so nothing can have been done.
    let quota = r#"{"errcode":45009,"errmsg":"reach max api daily quota limit"}"#;
    let over = Vendor::start(&[quota], &[TOKEN]).await;
    let error = over.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!((error.outcome(), error.fault(), error.retryable()), (Outcome::NotDone, Fault::Caller, true));

    // An order with this number is under way; whose it is shows only when the bank says so.
    let processing = r#"{"errcode":90016,"errmsg":"order is being processed"}"#;
    let under_way = Vendor::start(&[processing], &[TOKEN]).await;
    let error = under_way.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!((error.outcome(), error.fault(), error.retryable()), (Outcome::Unknown, Fault::Bank, true));
    let somebodys = Vendor::start(&[processing, ORDER_EXIST], &[TOKEN]).await;
    let error = somebodys.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert!(matches!(error, PresentError::BillNoUsed), "{error:?}");

    // A doubt outlives a refusal that says nothing of the order.
    let session = r#"{"errcode":90010,"errmsg":"no session"}"#;
    let over = Vendor::start(&[BUSY, session], &[TOKEN]).await;
    let error = over.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    let PresentError::Call(call) = error else { panic!("{error:?}") };
    assert!(matches!(*call, CallError::NoSession { outcome: Outcome::Unknown }), "{call:?}");

    let elsewhere = Vendor::start(&[NOT_FOUND], &[TOKEN]).await;
    let error = elsewhere.client().present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!((error.outcome(), error.fault(), error.retryable()), (Outcome::NotDone, Fault::Caller, false));

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = sandbox(&format!("http://{nobody}")).patience(impatient()).build();
    let error = client.present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!((error.outcome(), error.fault(), error.retryable()), (Outcome::NotDone, Fault::Network, true));
}

/// The vendor's host speaks TLS; a host that does not is no host to send a token to.
#[tokio::test]
async fn https_is_not_spoken_with_a_host_that_does_not() {
    let host = Vendor::start(&[DONE], &[TOKEN]).await;
    let client = sandbox(&host.url.replace("http:", "https:")).patience(impatient()).build();
    let error = client.present(&gift(&player("one"), "number", 5)).await.unwrap_err();
    assert_eq!((error.outcome(), error.fault(), error.retryable()), (Outcome::NotDone, Fault::Network, true));
    assert!(host.asked().is_empty());
}

#[tokio::test]
async fn pays_and_cancels_know_their_own_again() {
    let pay = Pay::new(player("one"), Amount::new(5).unwrap(), "number".parse().unwrap());
    let host = Vendor::start(&[BUSY, ORDER_EXIST, PAID], &[TOKEN]).await;
    assert_eq!(host.client().pay(&pay).await.unwrap().done_by, DoneBy::AnEarlierTry);
    assert_eq!(host.client().pay(&pay).await.unwrap().done_by, DoneBy::ThisTry);

    let poor = Vendor::start(&[BUSY, r#"{"errcode":90013,"errmsg":"balance not enough"}"#], &[TOKEN]).await;
    let error = poor.client().pay(&pay).await.unwrap_err();
    assert!(matches!(error, PayError::BalanceNotEnough), "{error:?}");
    let used = Vendor::start(&[ORDER_EXIST], &[TOKEN]).await;
    let error = used.client().pay(&pay).await.unwrap_err();
    assert!(matches!(error, PayError::BillNoUsed), "{error:?}");
    assert_eq!(used.client().pay_again(&pay).await.unwrap().done_by, DoneBy::AnEarlierCall);

    let cancelled = r#"{"errcode":90015,"errmsg":"order has been canceled"}"#;
    let host = Vendor::start(&[BUSY, cancelled], &[TOKEN]).await;
    let cancel = CancelPay { player: player("one"), bill_no: "number".parse().unwrap(), item: None };
    assert_eq!(host.client().cancel_pay(&cancel).await.unwrap().done_by, DoneBy::AnEarlierTry);
}
