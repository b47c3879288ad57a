//! Refunds and numbers of accounts, for every engine.

use std::time::Duration;

use pollster::block_on;
use proptest::prelude::*;

use super::{EngineOp, NOW, TestEngine, assert_clean, check_against_the_model, coins, order, parse, race};
use crate::engine::Posted;
use crate::order::{Numbering, Order, OrderKind};
use crate::refund::Refund;

/// Refunds of few pays of one account: their numbers, amounts and windows collide.
fn any_refund_op() -> impl Strategy<Value = EngineOp> {
    let amount = 1..=6_u64;
    (0..8_u32, 0..6_u32, 0..4_u32, amount, any::<bool>()).prop_map(|(kind, bill, pay, amount, is_other)| {
        let amount = coins(amount);
        let window = bill.is_multiple_of(2).then_some(Duration::from_secs(20));
        let refund = Refund { pay: parse(&format!("pay-{pay}")), amount, window };
        let (bill_no, kind) = match kind {
            0 => (format!("save-{bill}"), OrderKind::Save(amount)),
            1 => (format!("gift-{bill}"), OrderKind::Present(amount.into())),
            2 | 3 => (format!("pay-{pay}"), OrderKind::Pay(amount)),
            _ => (format!("refund-{bill}"), OrderKind::Refund(refund)),
        };
        let mut order = Order { numbering: Numbering::OfAccount, ..order(&bill_no, kind) };
        if is_other {
            order.account.player = parse("b");
        }
        EngineOp::Post { order: Box::new(order), delay: Duration::from_secs(3), ahead: Duration::ZERO }
    })
}

/// Refunds that collide, with reopens and flushes between them, produce the model's answers and leave its state.
pub fn refunds_match_the_model<B: TestEngine>(open: impl Fn() -> B) {
    let op = prop_oneof![20 => any_refund_op(), 1 => Just(EngineOp::Reopen), 1 => Just(EngineOp::Flush)];
    check_against_the_model(open, op);
}

/// One pay is refunded by many threads under many numbers: its coins come back once.
pub fn concurrent_refunds_never_exceed_the_pay(bank: &impl TestEngine) {
    let bank = bank.ledger();
    let of_account = |bill_no: &str, kind| Order { numbering: Numbering::OfAccount, ..order(bill_no, kind) };
    let save = of_account("save", OrderKind::Save(coins(10)));
    block_on(bank.post(save, NOW)).expect("saves");
    block_on(bank.post(of_account("gift", OrderKind::Present(coins(5).into())), NOW)).expect("gives");
    block_on(bank.post(of_account("pay", OrderKind::Pay(coins(12))), NOW)).expect("pays");
    let refund = |number: u64| {
        let refund = Refund { pay: parse("pay"), amount: coins(number.rem_euclid(3).max(1)), window: None };
        of_account(&format!("refund-{}", number.rem_euclid(12)), OrderKind::Refund(refund))
    };
    race(bank, refund);
    for number in 0..40 {
        let refund = Refund { pay: parse("pay"), amount: coins(1), window: None };
        let _ = block_on(bank.post(of_account(&format!("rest-{number}"), OrderKind::Refund(refund)), NOW));
    }
    let account = block_on(bank.account(order("x", OrderKind::Pay(coins(1))).account)).expect("reads");
    assert_eq!((account.balance(), account.gifted()), (coins(15).coins(), coins(5).coins()));
    assert!(account.spent().is_zero());
    assert_clean(bank);
}

/// One number serves an order of each account, and one of the app.
pub fn numbers_of_accounts_are_apart<B: TestEngine>(open: impl Fn() -> B) {
    let mut bank = open();
    let gift = |player: &str, numbering| {
        let mut order = Order { numbering, ..order("one-number", OrderKind::Present(coins(5).into())) };
        order.account.player = parse(player);
        order
    };
    let orders =
        [gift("a", Numbering::OfAccount), gift("b", Numbering::OfAccount), gift("b", Numbering::OfApp)];
    for order in &orders {
        assert!(matches!(block_on(bank.ledger().post(order.clone(), NOW)), Ok(Posted::Applied(_))));
    }
    bank.reopen();
    for order in orders {
        let entry = block_on(bank.ledger().order(order.bill())).expect("reads").expect("it was posted");
        assert_eq!(entry.receipt.order, order);
        assert!(matches!(block_on(bank.ledger().post(order, NOW)), Ok(Posted::Replayed { .. })));
    }
    assert_clean(bank.ledger());
}
