//! The operator client against a real bank, faulty hosts and TLS: results, errors, retries, redaction.

use std::time::Duration;

use pactolus_client::operator::{
    AccountId, ClockChange, CoinPart, Debit, Fault, FaultRule, FaultyCall, NewOrder, NewOrderKind,
    OperatorClient, OperatorError, ProblemKind, Shortfall, StatementPage,
};
use pactolus_client::{
    Amount, AppliedBy, BaseUrl, Environment, ErrorSource, OperatorToken, OrderOutcome, RetryPolicy,
    UnixMillis,
};
use pactolus_test_support::sample::{APPID, OPERATOR_TOKEN, operator_token, session_key};
use tokio::net::TcpListener;

use crate::bank::TestBank;
use crate::redaction::LogBuffer;
use crate::script::ScriptedHost;
use crate::vendor::fast_retry_policy;

fn account(openid: &str) -> AccountId {
    AccountId {
        appid: APPID.parse().unwrap(),
        environment: Environment::Sandbox,
        openid: openid.parse().unwrap(),
        zone_id: "1".parse().unwrap(),
    }
}

fn gift(bill_no: &str, coins: u64) -> NewOrder {
    let kind = NewOrderKind::Present(Amount::new(coins).unwrap());
    NewOrder::new(account("one"), bill_no.parse().unwrap(), kind)
}

fn client(url: &str) -> OperatorClient {
    let builder = OperatorClient::builder(operator_token(), BaseUrl::new(url).unwrap());
    builder.retry_policy(fast_retry_policy()).build()
}

#[tokio::test]
async fn every_call_works_against_a_bank() {
    let bank = TestBank::start().await;
    let operator = client(&bank.url());
    let appid = account("one").appid;
    let posted = operator.post_order(&gift("n|1", 5)).await.unwrap();
    assert_eq!((posted.applied_by, posted.receipt.after.balance.get()), (AppliedBy::ThisAttempt, 5));
    let again = operator.post_order(&gift("n|1", 5)).await.unwrap();
    assert_eq!((again.applied_by, &again.receipt), (AppliedBy::EarlierCall, &posted.receipt));
    let found = operator.order(appid, Environment::Sandbox, "n|1".parse().unwrap()).await.unwrap();
    assert_eq!((&found.receipt, &found.cancel), (&posted.receipt, &None));
    assert_eq!(operator.account(&account("one")).await.unwrap().sums.gifted.get(), 5);

    operator.post_order(&gift("n2", 6)).await.unwrap();
    let first = StatementPage { limit: Some(1), after: None };
    let newest = operator.statement(&account("one"), &first).await.unwrap();
    let page =
        operator.statement(&account("one"), &StatementPage { after: newest.next, ..first }).await.unwrap();
    assert_eq!((newest.orders[0].coins.get(), page.orders[0].coins.get(), page.next), (6, 5, None));

    let rules = [FaultRule::new(FaultyCall::Pay, Fault::DelayMs(5))];
    let set = operator.set_faults(appid, &rules).await.unwrap();
    assert_eq!((set.clone(), set[0].rule), (operator.faults(appid).await.unwrap(), rules[0]));
    let (openid, key) = (account("one").openid, session_key());
    let session = operator.put_session(appid, openid, &key, Duration::from_secs(60));
    assert!(session.await.unwrap().expires_at > 0);
    assert!(operator.issue_login_code(appid, account("one").openid).await.unwrap().expires_in > 0);
    assert!(operator.rejections(5).await.unwrap().rejections.is_empty());
    let now = operator.clock().await.unwrap().now_ms;
    let error = operator.set_clock(ClockChange::Set(now)).await.unwrap_err();
    assert_eq!(error.problem_kind(), Some(ProblemKind::Conflict), "{error}");
}

#[tokio::test]
async fn refusals_have_their_kind() {
    let bank = TestBank::start().await;
    let operator = client(&bank.url());
    operator.post_order(&gift("n1", 5)).await.unwrap();
    let taken = operator.post_order(&gift("n1", 6)).await.unwrap_err();
    assert_eq!(taken.problem().unwrap().field.as_deref(), Some("coins"));
    assert_eq!(
        (taken.problem_kind(), taken.outcome()),
        (Some(ProblemKind::Conflict), OrderOutcome::NotApplied)
    );
    let absent = operator.order(account("one").appid, Environment::Live, "n1".parse().unwrap()).await;
    assert_eq!(absent.unwrap_err().problem_kind(), Some(ProblemKind::NotFound));
    let elsewhere = AccountId { appid: "wx7654321".parse().unwrap(), ..account("one") };
    let unknown_app = operator.account(&elsewhere).await.unwrap_err();
    assert_eq!(unknown_app.problem_kind(), Some(ProblemKind::NotFound));
    assert!(unknown_app.to_string().contains("this bank has no app \"wx7654321\""), "{unknown_app}");
    let too_many = operator.post_order(&gift("n2", 9_007_199_254_740_991)).await.unwrap_err();
    assert_eq!(too_many.problem_kind(), Some(ProblemKind::Invalid));

    let stranger = OperatorToken::new("NOT-THE-OPERATORS").unwrap();
    let stranger = OperatorClient::builder(stranger, BaseUrl::new(&bank.url()).unwrap()).build();
    let wrong = stranger.clock().await.unwrap_err();
    assert_eq!(wrong.problem_kind(), Some(ProblemKind::Unauthorized));
    assert_eq!((wrong.error_source(), wrong.retryable()), (ErrorSource::Caller, false));
    let printed = format!("{stranger:?} {wrong:?} {wrong}");
    assert!(!printed.contains("NOT-THE-OPERATORS"), "{printed}");
}

/// A debit takes what is there, or nothing; a pay of the player can be cancelled.
#[tokio::test]
async fn debit_takes_coins_back() {
    let bank = TestBank::start().await;
    let operator = client(&bank.url());
    operator.post_order(&gift("n1", 5)).await.unwrap();
    let debit = |bill_no: &str, coins, shortfall| {
        let debit = Debit { coins: Amount::new(coins).unwrap(), shortfall, take_first: CoinPart::Gifted };
        NewOrder::new(account("one"), bill_no.parse().unwrap(), NewOrderKind::Debit(debit))
    };
    let too_many = operator.post_order(&debit("d1", 6, Shortfall::Refuse)).await.unwrap_err();
    assert_eq!(too_many.problem_kind(), Some(ProblemKind::Conflict));
    assert_eq!(too_many.outcome(), OrderOutcome::NotApplied);
    let some = operator.post_order(&debit("d1", 6, Shortfall::TakeAvailable)).await.unwrap().receipt;
    assert_eq!((some.coins.get(), some.requested.get(), some.after.debited.get()), (5, 6, 5));
    let again = operator.post_order(&debit("d1", 6, Shortfall::TakeAvailable)).await.unwrap();
    assert_eq!((again.applied_by, again.receipt), (AppliedBy::EarlierCall, some));
    let cancel = NewOrder::new(account("one"), "p1".parse().unwrap(), NewOrderKind::Cancel);
    let no_pay = operator.post_order(&cancel).await.unwrap_err();
    assert_eq!(no_pay.problem().unwrap().field.as_deref(), Some("bill_no"));
}

/// A low balance after an attempt without a reply proves nothing: that attempt may follow a gift.
#[tokio::test]
async fn refused_debit_after_a_lost_reply_is_unknown() {
    let host = ScriptedHost::start(&[BUSY, TAKEN]).await;
    let debit =
        Debit { coins: Amount::new(5).unwrap(), shortfall: Shortfall::Refuse, take_first: CoinPart::Gifted };
    let order = NewOrder::new(account("one"), "d1".parse().unwrap(), NewOrderKind::Debit(debit));
    let error = client(&host.url).post_order(&order).await.unwrap_err();
    assert_eq!((error.outcome(), host.requests()), (OrderOutcome::Unknown, 2));
}

const BUSY: &str = r#"503 {"type":"about:blank","title":"Service Unavailable","status":503,"detail":"busy","retryable":true}"#;
const TAKEN: &str = r#"409 {"type":"about:blank","title":"Conflict","status":409,"detail":"taken","field":"coins","retryable":false}"#;
const WRONG_TOKEN: &str =
    r#"401 {"type":"about:blank","title":"Unauthorized","status":401,"detail":"wrong","retryable":false}"#;
const CLOCK: &str = r#"200 {"clock":"manual","now_ms":5}"#;

/// What is known of an order after each sequence of replies.
#[tokio::test]
async fn order_outcome_follows_the_replies() {
    use OrderOutcome::{NotApplied, Unknown};
    let cases: [(&[&str], OrderOutcome, bool, usize); 9] = [
        (&[TAKEN], NotApplied, false, 1),
        (&[WRONG_TOKEN], NotApplied, false, 1),
        // The unanswered attempt may still be under way, unless the number belongs to another order.
        (&[BUSY, WRONG_TOKEN], Unknown, false, 2),
        (&[BUSY, TAKEN], NotApplied, false, 2),
        (&[BUSY], Unknown, true, 3),
        (&["502 <html>"], Unknown, true, 3),
        (&["404 <html>"], NotApplied, false, 1),
        (&["200 <html>"], Unknown, false, 1),
        (&["302 "], NotApplied, false, 1),
    ];
    for (script, outcome, retryable, requests) in cases {
        let host = ScriptedHost::start(script).await;
        let error = client(&host.url).post_order(&gift("n1", 5)).await.unwrap_err();
        assert_eq!((error.outcome(), error.retryable()), (outcome, retryable), "{script:?}: {error:?}");
        assert_eq!(host.requests(), requests, "{script:?}");
        // A query changes nothing, whatever its reply.
        let error = client(&host.url).faults(account("one").appid).await.unwrap_err();
        assert_eq!(error.outcome(), NotApplied, "{script:?}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = client(&format!("http://{closed}")).post_order(&gift("n1", 5)).await.unwrap_err();
    assert_eq!(
        (error.outcome(), error.error_source(), error.retryable()),
        (NotApplied, ErrorSource::Network, true)
    );
    let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let chain: Vec<_> = chain.map(ToString::to_string).collect();
    assert!(chain.join(": ").contains("Connection refused"), "{chain:?}");
}

/// A second advance would move the clock twice, so one that may have arrived is not repeated.
#[tokio::test]
async fn additive_request_is_never_repeated() {
    let host = ScriptedHost::start(&[BUSY, CLOCK]).await;
    let error = client(&host.url).set_clock(ClockChange::AdvanceSeconds(60)).await.unwrap_err();
    assert!(matches!(error, OperatorError::NotRetryable { attempts: 1, .. }), "{error:?}");
    assert_eq!((host.requests(), error.outcome(), error.retryable()), (1, OrderOutcome::Unknown, false));
    let host = ScriptedHost::start(&[BUSY, CLOCK]).await;
    client(&host.url).set_clock(ClockChange::Set(UnixMillis::new(5))).await.unwrap();
    assert_eq!(host.requests(), 2);
}

/// A bank that does not answer costs a call its deadline, no more.
#[tokio::test]
async fn silent_bank_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            streams.push(stream);
        }
    });
    let policy = RetryPolicy {
        attempt_timeout: Duration::from_millis(50),
        call_timeout: Duration::from_millis(200),
        ..RetryPolicy::default()
    };
    let builder = OperatorClient::builder(operator_token(), BaseUrl::new(&url).unwrap());
    let error = builder.retry_policy(policy).build().clock().await.unwrap_err();
    assert!(matches!(error, OperatorError::RetriesExhausted { .. }) && error.retryable(), "{error:?}");
    silent.abort();
}

#[tokio::test]
async fn private_authority_is_trusted_by_its_file() {
    let (port, pem) = pactolus_test_support::tls_host::start("localhost");
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, pem).unwrap();
    let builder = || {
        let url = BaseUrl::new(&format!("https://localhost:{port}")).unwrap();
        OperatorClient::builder(operator_token(), url).retry_policy(fast_retry_policy())
    };
    // The host answers in the form of another API, so the handshake succeeded.
    let rules = [FaultRule::new(FaultyCall::Any, Fault::CloseAfter)];
    let appid = account("one").appid;
    let trusted = builder().ca_file(&ca_file).unwrap().build().set_faults(appid, &rules).await.unwrap_err();
    assert!(format!("{trusted:?}").contains("InvalidReply"), "{trusted:?}");
    let unknown = builder().build().set_faults(appid, &rules).await.unwrap_err();
    assert!(format!("{unknown:?}").contains("UnknownIssuer"), "{unknown:?}");
}

#[test]
fn remote_plaintext_is_logged_without_the_token() {
    for (url, lines) in [("http://bank.example", 1), ("http://localhost:1", 0), ("https://bank.example", 0)] {
        let (log, _logging) = LogBuffer::capture();
        let client = client(url);
        assert_eq!(log.text().matches("unencrypted").count(), lines, "{url}: {}", log.text());
        let printed = format!("{client:?} {}", log.text());
        assert!(!printed.contains(OPERATOR_TOKEN), "{printed}");
    }
}
