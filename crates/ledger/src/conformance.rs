//! Conformance suite of every engine: the same orders at the same times produce the same receipts as the model.
//!
//! An engine's tests implement [`TestEngine`] and call [`conformance_tests!`](crate::conformance_tests) with a
//! function that opens an empty one. Shortest example: `tests/model.rs` of this crate.

use std::collections::HashSet;
use std::sync::Barrier;
use std::time::Duration;

use pactolus_types::{Amount, Coins, Environment, QuarterHour, UnixMillis, UtcOffset};
use pollster::block_on;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::account::{Account, AccountKey};
use crate::debit::{CoinPart, Debit, Shortfall};
use crate::decide::Refusal;
use crate::engine::{Ledger, PostError, Posted};
use crate::gift::{DailyLimit, Gift, GiftLimits, LimitDays};
use crate::model::Model;
use crate::order::{BillKey, Memo, Numbering, Order, OrderKind, Receipt};
use crate::records::Records;
use crate::refund::Refund;
use crate::totals::Periods;

mod records;
mod refunds;

pub use records::{concurrent_record_updates_lose_nothing, record_changes_are_atomic};
pub use refunds::{
    concurrent_refunds_never_exceed_the_pay, numbers_of_accounts_are_apart, refunds_match_the_model,
};

/// A bank of the engine under test.
pub trait TestEngine {
    /// The ledger under test.
    fn ledger(&self) -> &dyn Ledger;

    /// The records under test.
    fn records(&self) -> &dyn Records;

    /// Closes the engine and opens it again.
    fn reopen(&mut self);

    /// Waits for background work, so that everything posted is flushed; a no-op for engines without it.
    fn flush_all(&mut self);
}

/// Declares one test for each part of the suite; `$open` is a function that opens an empty [`TestEngine`].
#[macro_export]
macro_rules! conformance_tests {
    ($open:expr) => {
        #[test]
        fn matches_the_model() {
            $crate::conformance::matches_the_model($open);
        }

        #[test]
        fn refunds_match_the_model() {
            $crate::conformance::refunds_match_the_model($open);
        }

        #[test]
        fn concurrent_refunds_never_exceed_the_pay() {
            $crate::conformance::concurrent_refunds_never_exceed_the_pay(&$open());
        }

        #[test]
        fn numbers_of_accounts_are_apart() {
            $crate::conformance::numbers_of_accounts_are_apart($open);
        }

        #[test]
        fn concurrent_replays_apply_once() {
            $crate::conformance::concurrent_replays_apply_once(&$open());
        }

        #[test]
        fn concurrent_pays_never_overdraw() {
            $crate::conformance::concurrent_pays_never_overdraw(&$open());
        }

        #[test]
        fn concurrent_debits_never_overdraw() {
            $crate::conformance::concurrent_debits_never_overdraw(&$open());
        }

        #[test]
        fn concurrent_gifts_respect_daily_limit() {
            $crate::conformance::concurrent_gifts_respect_daily_limit($open);
        }

        #[test]
        fn racing_pay_and_cancel_conserve_coins() {
            $crate::conformance::racing_pay_and_cancel_conserve_coins(&$open());
        }

        #[test]
        fn record_changes_are_atomic() {
            $crate::conformance::record_changes_are_atomic($open);
        }

        #[test]
        fn concurrent_record_updates_lose_nothing() {
            $crate::conformance::concurrent_record_updates_lose_nothing(&$open());
        }
    };
}

#[derive(Clone, Debug)]
enum EngineOp {
    Post { order: Box<Order>, delay: Duration, ahead: Duration },
    Reopen,
    Flush,
}

/// Orders over few identifiers, so that they collide: replays, taken bill numbers, empty and full accounts.
fn any_order() -> impl Strategy<Value = Order> {
    let names = (0..2_usize, 0..2_usize, 0..2_usize, 0..3_usize, 0..3_usize);
    let amount = prop_oneof![4 => 1..=10_u64, 1 => 1..=Coins::MAX.get(), 1 => Just(Coins::MAX.get())];
    let limits = prop_oneof![
        2 => Just((None, None)),
        2 => Just((None, Some(20))),
        1 => Just((Some(8), None)),
        1 => Just((Some(8), Some(12))),
    ];
    let days = prop_oneof![
        2 => Just(local_days(0)),
        1 => Just(local_days(480)),
        1 => Just(local_days(-210)),
        1 => Just(LimitDays::LegacyUtc),
    ];
    let limits = (limits, days).prop_map(|((per_order, per_day), days)| {
        let (per_order, per_day): (Option<u64>, Option<u64>) = (per_order, per_day);
        let per_day = per_day.map(|max| DailyLimit { max: coins(max), days });
        GiftLimits { per_order: per_order.map(coins), per_day }
    });
    let rules = (
        prop_oneof![Just(Shortfall::Refuse), Just(Shortfall::TakeAvailable)],
        prop_oneof![Just(CoinPart::Gifted), Just(CoinPart::Paid)],
    );
    let refund = (0..24_u32, prop_oneof![Just(None), Just(Some(Duration::from_secs(100)))]);
    let kind =
        (0..13_u32, amount, limits, rules, refund).prop_map(|(kind, amount, limits, rules, refund)| {
            let ((shortfall, first), (pay, window)) = (rules, refund);
            let amount = Amount::new(amount).expect("drawn in bounds");
            match kind {
                0 => OrderKind::Save(amount),
                1..=3 => OrderKind::Present(Gift { amount, limits }),
                4 | 5 => OrderKind::Pay(amount),
                6 | 7 => OrderKind::Debit(Debit { amount, shortfall, first }),
                8..=10 => OrderKind::Refund(Refund { pay: parse(&format!("bill-{pay}")), amount, window }),
                _ => OrderKind::Cancel { window: Duration::from_secs(100) },
            }
        });
    let memo = prop_oneof![Just(("", "")), Just(("sword", "")), Just(("剑", "a remark"))];
    let numbering = proptest::sample::select(&Numbering::ALL[..]);
    (names, 0..24_u32, kind, memo, numbering).prop_map(|(names, bill, kind, memo, numbering)| {
        let (app, environment, offer, player, zone) = names;
        let account = AccountKey {
            app: parse(["wx1", "wx2"][app]),
            environment: Environment::ALL[environment],
            offer: parse(["1", "12345678"][offer]),
            player: parse(["a", "b", "a_b-c"][player]),
            zone: parse(["1", "1_7", "2"][zone]),
        };
        let memo = Memo::new(memo.0, memo.1).expect("short");
        Order { account, bill_no: parse(&format!("bill-{bill}")), numbering, kind, memo }
    })
}

fn local_days(minutes: i16) -> LimitDays {
    LimitDays::Local(UtcOffset::from_minutes(minutes).expect("in range"))
}

fn any_op() -> impl Strategy<Value = EngineOp> {
    let delay = prop_oneof![24 => 0..5_u64, 8 => 0..200_u64, 1 => Just(86_400)].prop_map(Duration::from_secs);
    // Sometimes the clock is a day or a year ahead for one order.
    let ahead = prop_oneof![20 => Just(0), 1 => Just(1), 1 => Just(366)]
        .prop_map(|days: u32| DAY.saturating_mul(days));
    let post_op = (any_order(), delay, ahead).prop_map(|(order, delay, ahead)| EngineOp::Post {
        order: Box::new(order),
        delay,
        ahead,
    });
    prop_oneof![30 => post_op, 1 => Just(EngineOp::Reopen), 1 => Just(EngineOp::Flush)]
}

fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a valid name")
}

/// Random orders, reopens and flushes produce the model's answers and leave the model's state.
pub fn matches_the_model<B: TestEngine>(open: impl Fn() -> B) {
    check_against_the_model(open, any_op());
}

fn check_against_the_model<B: TestEngine>(open: impl Fn() -> B, op: impl Strategy<Value = EngineOp>) {
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(op, 1..150);
    let run = TestRunner::new(config).run(&steps, |steps| {
        let (mut bank, model) = (open(), Model::new());
        let mut now = NOW;
        let (mut accounts, mut bills) = (HashSet::new(), HashSet::new());
        for step in steps {
            match step {
                EngineOp::Post { order, delay: later, ahead } => {
                    now = now.saturating_add(later);
                    let at = now.saturating_add(ahead);
                    accounts.insert(order.account);
                    bills.insert(order.bill());
                    bills.extend(order.pay_bill());
                    let expected = block_on(model.post(Order::clone(&order), at));
                    prop_assert_eq!(block_on(bank.ledger().post(*order, at)), expected);
                }
                EngineOp::Reopen => bank.reopen(),
                EngineOp::Flush => bank.flush_all(),
            }
        }
        assert_same_state(bank.ledger(), &model, &accounts, &bills);
        bank.reopen();
        assert_same_state(bank.ledger(), &model, &accounts, &bills);
        Ok(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
}

fn assert_same_state(
    bank: &dyn Ledger,
    model: &Model,
    accounts: &HashSet<AccountKey>,
    bills: &HashSet<BillKey>,
) {
    for key in accounts {
        let account = block_on(bank.account(*key)).expect("reads");
        assert_eq!(Ok(account), block_on(model.account(*key)), "{key:?}");
        let lost = account.spent().checked_add(account.debited()).expect("no more than was received");
        assert_eq!(account.balance(), account.save_sum().checked_sub(lost).expect("no debt"));
        assert!(account.gifted() <= account.balance());
        assert_eq!(full_statement(bank, key, 3), full_statement(model, key, 1000), "{key:?}");
    }
    for bill in bills {
        assert_eq!(block_on(bank.order(*bill)), block_on(model.order(*bill)), "{bill}");
    }
    for app in ["wx1", "wx2", "wx3"].map(parse) {
        for environment in Environment::ALL {
            for periods in [Periods::whole(), first_hours()] {
                let totals = block_on(bank.totals(app, environment, periods.clone()));
                assert_eq!(totals, block_on(model.totals(app, environment, periods)));
            }
        }
    }
    assert_clean(bank);
}

/// Periods of one to three quarters from a little after the first orders on, one of them empty.
fn first_hours() -> Periods {
    let start = QuarterHour::from_time(NOW).get();
    let bounds = [1, 2, 4, 4, 7, 96, 300].map(|quarters| QuarterHour::new(start.saturating_add(quarters)));
    Periods::new(bounds.to_vec()).expect("in order")
}

fn assert_clean(bank: &dyn Ledger) {
    let audit = block_on(bank.audit()).expect("audits");
    assert!(audit.is_clean(), "{audit:?}");
}

fn full_statement(bank: &dyn Ledger, key: &AccountKey, limit: usize) -> Vec<Receipt> {
    let (mut receipts, mut after) = (Vec::new(), None);
    loop {
        let page = block_on(bank.statement(*key, after, limit)).expect("reads");
        assert!(page.receipts.len() <= limit);
        receipts.extend(page.receipts);
        after = page.next;
        if after.is_none() {
            return receipts;
        }
    }
}

const THREADS: u64 = 16;
const NOW: UnixMillis = UnixMillis::new(1_507_530_737_000);
const DAY: Duration = Duration::from_secs(86_400);

fn order(bill_no: &str, kind: OrderKind) -> Order {
    let account = AccountKey {
        app: parse("wx1"),
        environment: Environment::Live,
        offer: parse("1"),
        player: parse("a"),
        zone: parse("1"),
    };
    Order { account, bill_no: parse(bill_no), numbering: Numbering::OfApp, kind, memo: Memo::default() }
}

fn coins(count: u64) -> Amount {
    Amount::new(count).expect("in bounds")
}

/// Posts `make(0)`, `make(1)` … concurrently, one thread each, and collects the answers.
fn race(bank: &dyn Ledger, make: impl Fn(u64) -> Order + Sync) -> Vec<Result<Posted, PostError>> {
    let start = Barrier::new(usize::try_from(THREADS).expect("few threads"));
    std::thread::scope(|scope| {
        let post = |number| {
            let (start, make) = (&start, &make);
            scope.spawn(move || {
                start.wait();
                block_on(bank.post(make(number), NOW))
            })
        };
        let threads: Vec<_> = (0..THREADS).map(post).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

fn count_applied(answers: &[Result<Posted, PostError>]) -> usize {
    answers.iter().filter(|answer| matches!(answer, Ok(Posted::Applied(_)))).count()
}

/// Concurrent posts of one bill number: one applies, the others are idempotent replays.
pub fn concurrent_replays_apply_once(bank: &impl TestEngine) {
    let bank = bank.ledger();
    for round in 0..20 {
        let answers = race(bank, |_| order(&format!("bill-{round}"), OrderKind::Present(coins(7).into())));
        assert_eq!(count_applied(&answers), 1);
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
    let account = block_on(bank.account(order("x", OrderKind::Pay(coins(1))).account)).expect("reads");
    assert_eq!(account.balance().get(), 20 * 7);
    assert_clean(bank);
}

/// More concurrent pays than the balance covers: as many apply as it covers, and no balance goes below zero.
pub fn concurrent_pays_never_overdraw(bank: &impl TestEngine) {
    let bank = bank.ledger();
    block_on(bank.post(order("gift", OrderKind::Present(coins(5).into())), NOW)).expect("gives");
    block_on(bank.post(order("top-up", OrderKind::Save(coins(5))), NOW)).expect("tops up");
    let answers = race(bank, |number| order(&format!("pay-{number}"), OrderKind::Pay(coins(3))));
    assert_eq!(count_applied(&answers), 3);
    for error in answers.into_iter().filter_map(Result::err) {
        assert!(matches!(error, PostError::Refused(Refusal::BalanceNotEnough(_))), "{error:?}");
    }
    let account = block_on(bank.account(order("x", OrderKind::Pay(coins(1))).account)).expect("reads");
    assert_eq!((account.balance().get(), account.gifted().get()), (1, 0));
    assert_clean(bank);
}

/// Concurrent debits, exact and of what is available: together they take the whole balance and never more.
pub fn concurrent_debits_never_overdraw(bank: &impl TestEngine) {
    let bank = bank.ledger();
    block_on(bank.post(order("gift", OrderKind::Present(coins(50).into())), NOW)).expect("gives");
    block_on(bank.post(order("top-up", OrderKind::Save(coins(50))), NOW)).expect("tops up");
    let debit = |number| {
        let shortfall = if number % 2 == 0 { Shortfall::Refuse } else { Shortfall::TakeAvailable };
        OrderKind::Debit(Debit { amount: coins(15), shortfall, first: CoinPart::Gifted })
    };
    let answers = race(bank, |number| order(&format!("debit-{number}"), debit(number)));
    let taken = answers.iter().filter_map(|answer| match answer {
        Ok(Posted::Applied(receipt)) => Some(receipt.coins.get()),
        Ok(Posted::Replayed { .. }) | Err(_) => None,
    });
    assert_eq!(taken.sum::<u64>(), 100, "{answers:?}");
    for error in answers.into_iter().filter_map(Result::err) {
        assert!(matches!(error, PostError::Refused(Refusal::BalanceNotEnough(_))), "{error:?}");
    }
    let account = block_on(bank.account(order("x", debit(0)).account)).expect("reads");
    let sums = [account.balance(), account.gifted(), account.spent(), account.debited()];
    assert_eq!(sums.map(Coins::get), [0, 0, 0, 100]);
    assert_clean(bank);
}

/// More concurrent gifts than the daily limit allows: no more than allowed apply, also after a reopen.
pub fn concurrent_gifts_respect_daily_limit<B: TestEngine>(open: impl Fn() -> B) {
    let mut bank = open();
    let per_day = Some(DailyLimit { max: coins(10), days: local_days(480) });
    let limits = GiftLimits { per_order: None, per_day };
    let gift = |bill_no: String| order(&bill_no, OrderKind::Present(Gift { amount: coins(3), limits }));
    let answers = race(bank.ledger(), |number| gift(format!("gift-{number}")));
    assert_eq!(count_applied(&answers), 3);
    let passed = PostError::Refused(Refusal::DailyGiftsTooLarge { max: coins(10), left: coins(1).coins() });
    assert!(answers.into_iter().filter_map(Result::err).all(|error| error == passed));

    bank.reopen();
    assert_eq!(block_on(bank.ledger().post(gift("late".to_owned()), NOW)), Err(passed));
    let tomorrow = block_on(bank.ledger().post(gift("tomorrow".to_owned()), NOW.saturating_add(DAY)));
    assert!(matches!(tomorrow, Ok(Posted::Applied(_))), "{tomorrow:?}");
    assert_clean(bank.ledger());
}

/// Concurrent pays and their cancels: in any order, no coins are lost or created.
pub fn racing_pay_and_cancel_conserve_coins(bank: &impl TestEngine) {
    let bank = bank.ledger();
    block_on(bank.post(order("gift", OrderKind::Present(coins(100).into())), NOW)).expect("gives");
    for round in 0..20 {
        let bill_no = format!("pay-{round}");
        let pay = || order(&bill_no, OrderKind::Pay(coins(5)));
        let cancel = || order(&bill_no, OrderKind::Cancel { window: DAY });
        race(bank, |number| if number % 2 == 0 { pay() } else { cancel() });
        let filed = block_on(bank.order(pay().bill())).expect("reads").expect("the pay was posted");
        if filed.cancel.is_none() {
            block_on(bank.post(cancel(), NOW)).expect("cancels");
        }
    }
    let account = block_on(bank.account(order("x", OrderKind::Pay(coins(1))).account)).expect("reads");
    let untouched = Account::new(Coins::ZERO, coins(100).coins(), Coins::ZERO, coins(100).coins(), 41);
    assert_eq!(Some(account), untouched);
    assert_clean(bank);
}
