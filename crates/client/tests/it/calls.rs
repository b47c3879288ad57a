//! The calls against a real bank: success, idempotent replay, and the source of each error.

use pactolus_client::{
    Amount, App, AppSecret, AppliedBy, BaseUrl, CallError, CancelPayError, CancelPayRequest, Client,
    ErrorSource, MidasKey, OrderOutcome, Parameter, PayError, PayRequest, PresentError,
};
use pactolus_test_support::sample::{APPID, OFFER_ID};

use crate::bank::{SECRET, TestBank, gift, player};

#[tokio::test]
async fn each_order_is_applied_exactly_once() {
    let bank = TestBank::start().await;
    let (client, player) = (bank.client(), bank.log_in("one").await);
    let given = client.present(&gift(&player, "gift", 100)).await.unwrap();
    assert_eq!((given.balance.unwrap().get(), given.applied_by), (100, AppliedBy::ThisAttempt));

    let pay = PayRequest::new(player.clone(), Amount::new(30).unwrap(), "pay".parse().unwrap());
    let paid = client.pay(&pay).await.unwrap();
    assert_eq!((paid.balance.unwrap().get(), paid.gifted_spent.unwrap().get()), (70, 30));
    let again = client.pay(&pay).await.unwrap();
    assert_eq!((again.balance.unwrap().get(), again.applied_by), (70, AppliedBy::EarlierCall));
    assert_eq!(again.gifted_spent, paid.gifted_spent);

    let cancel = CancelPayRequest { player: player.clone(), bill_no: "pay".parse().unwrap(), item: None };
    assert_eq!(client.cancel_pay(&cancel).await.unwrap().applied_by, AppliedBy::ThisAttempt);
    assert_eq!(client.cancel_pay(&cancel).await.unwrap().applied_by, AppliedBy::EarlierCall);

    let balance = client.get_balance(&player).await.unwrap();
    let sums = [balance.balance, balance.present_sum, balance.cost_sum].map(pactolus_client::Coins::get);
    assert_eq!(sums, [100, 100, 0]);
}

#[tokio::test]
async fn bill_no_of_another_order_is_a_mismatch() {
    let bank = TestBank::start().await;
    let (client, one, two) = (bank.client(), bank.log_in("one").await, bank.log_in("two").await);
    client.present(&gift(&one, "number", 5)).await.unwrap();
    for (other, differs) in
        [(gift(&two, "number", 5), Parameter::OpenId), (gift(&one, "number", 6), Parameter::PresentCounts)]
    {
        for error in
            [client.present(&other).await, client.retry_present(&other).await].map(Result::unwrap_err)
        {
            assert!(
                matches!(error, PresentError::BillNoTaken { parameter, .. } if parameter == differs),
                "{error:?}"
            );
            assert_eq!(
                (error.error_source(), error.outcome(), error.retryable()),
                (ErrorSource::Caller, OrderOutcome::NotApplied, false)
            );
        }
    }
    assert_eq!(bank.account("one").await["balance"], 5);
    assert_eq!(bank.account("two").await["balance"], 0);
}

#[tokio::test]
async fn error_names_its_source() {
    let bank = TestBank::start().await;
    let (client, here) = (bank.client(), bank.log_in("here").await);
    let poor = PayRequest::new(here.clone(), Amount::new(1).unwrap(), "pay".parse().unwrap());
    let error = client.pay(&poor).await.unwrap_err();
    assert!(matches!(error, PayError::BalanceNotEnough { .. }), "{error:?}");
    assert_eq!(
        (error.error_source(), error.outcome(), error.retryable()),
        (ErrorSource::Player, OrderOutcome::NotApplied, false)
    );

    let error = client.present(&gift(&player("away"), "gift", 1)).await.unwrap_err();
    let PresentError::Call(call) = &error else { panic!("{error:?}") };
    assert!(matches!(**call, CallError::NoSession { outcome: OrderOutcome::NotApplied, .. }), "{error:?}");
    assert_eq!((error.error_source(), error.retryable()), (ErrorSource::Player, false));

    let cancel = CancelPayRequest { player: here.clone(), bill_no: "none".parse().unwrap(), item: None };
    let error = client.cancel_pay(&cancel).await.unwrap_err();
    assert!(matches!(error, CancelPayError::PayNotFound { .. }), "{error:?}");

    let wrong_key = App::sandbox(
        APPID.parse().unwrap(),
        OFFER_ID.parse().unwrap(),
        AppSecret::new(SECRET).unwrap(),
        MidasKey::new("not-the-key").unwrap(),
    );
    let url = BaseUrl::new(&format!("http://{}", bank.address())).unwrap();
    let client = Client::builder(wrong_key).base_url(url).build();
    let error = client.get_balance(&here).await.unwrap_err();
    assert!(error.to_string().starts_with("the bank refused it: 90011 sig error"), "{error}");
    assert_eq!((error.error_source(), error.retryable()), (ErrorSource::Caller, false));
}
