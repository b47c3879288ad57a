//! The operator client and the bank's OpenAPI document agree: every operation has a method, every parameter and field
//! of a request is sent, every field of a reply is read.
//!
//! The client's types repeat the bank's, because neither crate may depend on the other. So this test takes the
//! document of a real bank, records what the client sends, and answers it with samples of the document's own schemas.

mod recorder;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::num::NonZeroU64;
use std::time::Duration;

use pactolus_client::operator::{
    AccountId, ClockChange, CoinPart, Debit, Fault, FaultRule, FaultyCall, FaultyWire, IssuedCode, NewOrder,
    NewOrderKind, OperatorClient, OperatorError, Shortfall, StatementPage,
};
use pactolus_client::{Amount, AppliedBy, BaseUrl, Environment, UnixMillis};
use pactolus_test_support::sample::{APPID, OPENID, operator_token, session_key};
use serde::Serialize;
use serde_json::{Value, json};

use crate::bank::TestBank;
use recorder::Recorder;

const RID: &str = "59db17f1-01234567-89abcdef";

fn account() -> AccountId {
    AccountId {
        appid: APPID.parse().unwrap(),
        environment: Environment::Sandbox,
        openid: OPENID.parse().unwrap(),
        zone_id: "1".parse().unwrap(),
    }
}

/// Asserts that the client kept every field of the sample that it was answered with.
#[track_caller]
fn assert_whole<T: Serialize + Debug>(reply: Result<T, OperatorError>, recorder: &Recorder) {
    let reply = reply.unwrap_or_else(|error| panic!("{error:?} to {}", recorder.last_sample()));
    assert_eq!(serde_json::to_value(&reply).unwrap(), recorder.last_sample());
}

/// One call of each method, with every optional part set.
async fn call_everything(client: &OperatorClient, recorder: &Recorder) {
    let (account, appid) = (account(), account().appid);
    let day = || "2017-10-09".parse().unwrap();
    assert_whole(client.account(&account).await, recorder);
    let coins = Amount::new(5).unwrap();
    let debits = [(Shortfall::Refuse, CoinPart::Gifted), (Shortfall::TakeAvailable, CoinPart::Paid)];
    let debits =
        debits.map(|(shortfall, take_first)| NewOrderKind::Debit(Debit { coins, shortfall, take_first }));
    let others = [NewOrderKind::Save(coins), NewOrderKind::Present(coins), NewOrderKind::Cancel];
    for kind in others.into_iter().chain(debits) {
        let order = NewOrder::new(account, "n1".parse().unwrap(), kind);
        let posted = client.post_order(&order).await;
        let posted = posted.unwrap_or_else(|error| panic!("{error:?} to {}", recorder.last_sample()));
        let replayed = posted.applied_by != AppliedBy::ThisAttempt;
        let sample = json!({ "replayed": replayed, "receipt": posted.receipt });
        assert_eq!(sample, recorder.last_sample());
    }
    assert_whole(client.order(appid, Environment::Live, "n|1".parse().unwrap()).await, recorder);
    assert_whole(client.order_of_account(&account, "n|1".parse().unwrap()).await, recorder);
    let page = StatementPage { limit: Some(50), after: Some("cursor".to_owned()) };
    assert_whole(client.statement(&account, &page).await, recorder);
    assert_whole(client.totals(appid, Environment::Live, day(), day()).await, recorder);
    let lifetime = Duration::from_secs(60);
    assert_whole(client.put_session(appid, account.openid, &session_key(), lifetime).await, recorder);
    let IssuedCode { code, expires_in } = client.issue_login_code(appid, account.openid).await.unwrap();
    let sample = json!({ "js_code": code.expose(), "expires_in": expires_in });
    assert_eq!(sample, recorder.last_sample());
    assert_whole(client.faults(appid).await, recorder);
    assert_whole(client.set_faults(appid, &every_rule()).await, recorder);
    assert_whole(client.rejections(5).await, recorder);
    assert_whole(client.rejection(RID.parse().unwrap()).await, recorder);
    assert_whole(client.clock().await, recorder);
    for change in [ClockChange::AdvanceSeconds(-1), ClockChange::Set(UnixMillis::new(1))] {
        assert_whole(client.set_clock(change).await, recorder);
    }
}

fn every_rule() -> Vec<FaultRule> {
    let calls = [
        FaultyCall::Present,
        FaultyCall::GetBalance,
        FaultyCall::Pay,
        FaultyCall::CancelPay,
        FaultyCall::Any,
    ];
    let faults = [Fault::Answer(-1), Fault::DelayMs(5), Fault::CloseBefore, Fault::CloseAfter];
    let wires = [FaultyWire::Midas, FaultyWire::Game, FaultyWire::Xpay];
    let rules = calls.into_iter().zip(faults.into_iter().cycle()).zip(wires.into_iter().cycle());
    rules
        .map(|((call, fault), wire)| {
            let times = NonZeroU64::new(2);
            FaultRule { wire, times, seed: 3, ..FaultRule::new(call, fault) }
        })
        .collect()
}

#[tokio::test]
async fn every_operation_parameter_and_field_is_known() {
    let bank = TestBank::start().await;
    let document = bank.openapi().await;
    let recorder = Recorder::start(document.clone()).await;
    let client = OperatorClient::builder(operator_token(), BaseUrl::new(&recorder.url).unwrap()).build();
    // Every variant of every reply, with and without its optional fields.
    for variant in 0..schema::VARIANTS_MAX {
        recorder.answer_with_variant(variant);
        call_everything(&client, &recorder).await;
    }

    let mut sent: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for request in recorder.requests() {
        assert_eq!(request.authorization.as_deref(), Some("Bearer OPERATORTOKEN"));
        sent.entry(request.operation).or_default().extend(request.fields);
    }
    let documented: BTreeMap<String, BTreeSet<String>> = schema::operations(&document)
        .into_iter()
        .map(|operation| (operation.name.clone(), operation.request_fields(&document)))
        .collect();
    assert_eq!(sent, documented, "the client and the document differ; see `operator` in the client");
}

/// The document's problem has the fields that the client reads.
#[tokio::test]
async fn problem_fields_are_documented() {
    let document = TestBank::start().await.openapi().await;
    let sample = schema::sample(&document, &document["components"]["schemas"]["Problem"], 0);
    let problem: pactolus_client::operator::Problem = serde_json::from_value(sample.clone()).unwrap();
    let read = [
        ("title", Value::from(problem.title.as_str())),
        ("status", problem.status.into()),
        ("detail", problem.detail.as_str().into()),
        ("field", problem.field.into()),
        ("retryable", problem.retryable.into()),
    ];
    for (name, value) in read {
        assert_eq!(sample[name], value);
    }
}
