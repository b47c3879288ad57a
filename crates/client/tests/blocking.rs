//! The blocking client behaves like the async one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "it/bank.rs"]
#[expect(dead_code, reason = "the other tests use more of it")]
mod bank;

use pactolus_client::{Amount, AppliedBy, CancelPayRequest, PayRequest, blocking};

#[test]
fn blocking_client_covers_every_call() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (bank, player) = runtime.block_on(async {
        let bank = bank::TestBank::start().await;
        let player = bank.log_in("one").await;
        (bank, player)
    });
    let client = blocking::Client::new(bank.client()).unwrap();
    let gift = bank::gift(&player, "gift", 100);
    assert_eq!(client.present(&gift).unwrap().applied_by, AppliedBy::ThisAttempt);
    assert_eq!(client.retry_present(&gift).unwrap().applied_by, AppliedBy::EarlierCall);
    let pay = PayRequest::new(player.clone(), Amount::new(30).unwrap(), "pay".parse().unwrap());
    assert_eq!(client.pay(&pay).unwrap().applied_by, AppliedBy::ThisAttempt);
    assert_eq!(client.retry_pay(&pay).unwrap().applied_by, AppliedBy::EarlierCall);
    let cancel = CancelPayRequest { player: player.clone(), bill_no: "pay".parse().unwrap(), item: None };
    assert_eq!(client.cancel_pay(&cancel).unwrap().applied_by, AppliedBy::ThisAttempt);
    assert_eq!(client.get_balance(&player).unwrap().balance.get(), 100);
    assert!(!client.access_token().unwrap().expose().is_empty());
}
