//! Refunds and numbers of accounts: the rule, case by case and as properties.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use pactolus_ledger::model::Model;
use pactolus_ledger::{
    Account, Ledger, Mismatch, Numbering, Order, OrderKind, PostError, Posted, Receipt, Refund, Refusal,
};
use pactolus_test_support::orders::{account, amount, order, order_of_account, pay, present, refund, save};
use pactolus_types::{Coins, UnixMillis};
use pollster::block_on;
use proptest::prelude::*;

fn post_at(bank: &Model, second: u64, order: Order) -> Result<Posted, Refusal> {
    block_on(bank.post(order, UnixMillis::new(second * 1000))).map_err(|error| match error {
        PostError::Refused(refusal) => refusal,
        PostError::Unavailable(error) => panic!("{error}"),
    })
}

fn post(bank: &Model, bill_no: &str, kind: OrderKind) -> Result<Posted, Refusal> {
    post_at(bank, 0, order_of_account("a", bill_no, kind))
}

fn apply(bank: &Model, bill_no: &str, kind: OrderKind) -> Receipt {
    match post(bank, bill_no, kind) {
        Ok(Posted::Applied(receipt)) => receipt,
        other => panic!("{bill_no} {kind:?}: {other:?}"),
    }
}

/// Ten paid and five gifted coins, and a pay of twelve: all gifted coins and seven paid ones.
fn bank_with_pay() -> Model {
    let bank = Model::new();
    apply(&bank, "save", save(10));
    apply(&bank, "gift", present(5));
    let paid = apply(&bank, "pay", pay(12));
    assert_eq!((paid.coins.get(), paid.gifted.get()), (12, 5));
    bank
}

fn balance(bank: &Model) -> Account {
    block_on(bank.account(account("a"))).unwrap()
}

fn parts(account: &Account) -> (u64, u64, u64) {
    (account.balance().get(), account.gifted().get(), account.spent().get())
}

#[test]
fn refunds_return_paid_coins_first() {
    let bank = bank_with_pay();
    let first = apply(&bank, "r1", refund("pay", 6));
    assert_eq!((first.coins.get(), first.gifted.get(), parts(&first.after)), (6, 0, (9, 0, 6)));
    let second = apply(&bank, "r2", refund("pay", 3));
    assert_eq!((second.coins.get(), second.gifted.get(), parts(&second.after)), (3, 2, (12, 2, 3)));
    assert_eq!(post(&bank, "r3", refund("pay", 4)), Err(Refusal::MoreThanLeft(Coins::new(3).unwrap())));
    let third = apply(&bank, "r3", refund("pay", 3));
    assert_eq!((third.coins.get(), third.gifted.get(), parts(&third.after)), (3, 3, (15, 5, 0)));
    assert_eq!((third.given_back.coins.get(), third.given_back.gifted.get()), (12, 5));
    assert_eq!(post(&bank, "r4", refund("pay", 1)), Err(Refusal::NothingLeft));
    assert!(block_on(bank.audit()).unwrap().is_clean());
}

#[test]
fn repeated_refund_is_replayed_whatever_happened_since() {
    let bank = bank_with_pay();
    let first = apply(&bank, "r1", refund("pay", 12));
    apply(&bank, "later", pay(15));
    match post(&bank, "r1", refund("pay", 12)) {
        Ok(Posted::Replayed { receipt, account }) => {
            assert_eq!((receipt, parts(&account)), (first, (0, 0, 15)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn refund_number_of_another_order_is_refused() {
    let bank = bank_with_pay();
    apply(&bank, "other", pay(1));
    apply(&bank, "r1", refund("pay", 2));
    let taken = |mismatch| Err(Refusal::BillNoTaken(mismatch));
    assert_eq!(post(&bank, "r1", refund("pay", 3)), taken(Mismatch::Amount));
    assert_eq!(post(&bank, "r1", refund("other", 2)), taken(Mismatch::Pay));
    assert_eq!(post(&bank, "r1", pay(2)), taken(Mismatch::Kind));
    assert_eq!(post(&bank, "pay", refund("pay", 2)), taken(Mismatch::Kind));
}

#[test]
fn only_a_pay_of_the_account_is_given_back() {
    let bank = bank_with_pay();
    assert_eq!(post(&bank, "r1", refund("none", 1)), Err(Refusal::PayNotFound));
    assert_eq!(post(&bank, "r1", refund("r1", 1)), Err(Refusal::PayNotFound), "not its own");
    assert_eq!(post(&bank, "r1", refund("gift", 1)), Err(Refusal::PayMismatch(Mismatch::Kind)));
    apply(&bank, "r1", refund("pay", 1));
    assert_eq!(post(&bank, "r2", refund("r1", 1)), Err(Refusal::PayMismatch(Mismatch::Kind)));
    let other = order_of_account("b", "r1", refund("pay", 1));
    assert_eq!(post_at(&bank, 0, other), Err(Refusal::PayNotFound), "another account's pay");
}

/// A cancel gives back a pay of the app's numbering, a refund one of the account's, and neither the other's.
#[test]
fn cancel_and_refund_never_meet_on_one_pay() {
    let bank = bank_with_pay();
    let cancel = OrderKind::Cancel { window: Duration::MAX };
    assert_eq!(post(&bank, "pay", cancel), Err(Refusal::PayMismatch(Mismatch::Kind)));
    assert_eq!(post_at(&bank, 0, order("a", "pay", cancel)), Err(Refusal::PayNotFound));
    assert!(matches!(post_at(&bank, 0, order("a", "app-pay", pay(2))), Ok(Posted::Applied(_))));
    assert_eq!(post(&bank, "r1", refund("app-pay", 1)), Err(Refusal::PayNotFound));
    let refund_of_app = order("a", "r1", refund("app-pay", 1));
    assert_eq!(post_at(&bank, 0, refund_of_app), Err(Refusal::PayMismatch(Mismatch::Kind)));
    assert!(matches!(post_at(&bank, 0, order("a", "app-pay", cancel)), Ok(Posted::Applied(_))));
}

#[test]
fn window_counts_from_the_pay_and_includes_its_end() {
    let bank = bank_with_pay();
    let refund =
        Refund { pay: "pay".parse().unwrap(), amount: amount(1), window: Some(Duration::from_secs(60)) };
    let post = |second, number: &str| {
        post_at(&bank, second, order_of_account("a", number, OrderKind::Refund(refund)))
    };
    assert!(matches!(post(60, "r1"), Ok(Posted::Applied(_))));
    assert_eq!(post(61, "r2"), Err(Refusal::PastCancelWindow));
    assert!(matches!(post(61, "r1"), Ok(Posted::Replayed { .. })), "a replay has no window");
}

#[test]
fn one_number_serves_each_account_once() {
    let bank = Model::new();
    for player in ["a", "b"] {
        let gift = || order_of_account(player, "one", present(5));
        assert!(matches!(post_at(&bank, 0, gift()), Ok(Posted::Applied(_))), "{player}");
        assert!(matches!(post_at(&bank, 0, gift()), Ok(Posted::Replayed { .. })), "{player}");
    }
    assert!(matches!(post_at(&bank, 0, order("a", "one", present(5))), Ok(Posted::Applied(_))), "the app's");
    assert_eq!(balance(&bank).balance().get(), 10);
    let entry = block_on(bank.order(order_of_account("b", "one", present(5)).bill())).unwrap().unwrap();
    assert_eq!(entry.receipt.order.account, account("b"));
    assert_eq!(entry.receipt.order.numbering, Numbering::OfAccount);
}

proptest! {
    /// *Pay a, then refund r* leaves what *pay a − r* leaves, in whatever pieces r is given back.
    #[test]
    fn refund_equals_a_smaller_pay(
        saved in 0..50_u64,
        gifted in 0..50_u64,
        pieces in proptest::collection::vec(1..20_u64, 1..6),
        kept in 0..50_u64,
    ) {
        let back: u64 = pieces.iter().sum();
        prop_assume!(kept + back <= saved + gifted);
        let open = || {
            let bank = Model::new();
            if saved > 0 { apply(&bank, "save", save(saved)); }
            if gifted > 0 { apply(&bank, "gift", present(gifted)); }
            bank
        };
        let (refunded, smaller) = (open(), open());
        apply(&refunded, "pay", pay(kept + back));
        for (number, piece) in pieces.iter().enumerate() {
            apply(&refunded, &format!("r{number}"), refund("pay", *piece));
        }
        if kept > 0 { apply(&smaller, "pay", pay(kept)); }
        prop_assert_eq!(parts(&balance(&refunded)), parts(&balance(&smaller)));
        prop_assert!(block_on(refunded.audit()).unwrap().is_clean());
    }

    /// The refunds of a pay never sum to more than it took, in neither part.
    #[test]
    fn refunds_never_exceed_the_pay(
        saved in 1..30_u64,
        gifted in 1..30_u64,
        amounts in proptest::collection::vec((0..8_usize, 1..20_u64), 0..30),
    ) {
        let bank = Model::new();
        apply(&bank, "save", save(saved));
        apply(&bank, "gift", present(gifted));
        let paid = apply(&bank, "pay", pay(saved + gifted));
        let mut applied = (0, 0);
        for (number, count) in amounts {
            if let Ok(Posted::Applied(receipt)) = post(&bank, &format!("r{number}"), refund("pay", count)) {
                applied = (applied.0 + receipt.coins.get(), applied.1 + receipt.gifted.get());
            }
            prop_assert!(applied.0 <= paid.coins.get() && applied.1 <= paid.gifted.get());
            prop_assert_eq!(balance(&bank).balance().get(), applied.0);
        }
    }
}
