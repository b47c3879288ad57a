//! Table-driven tests of the decision rule.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use pactolus_ledger::model::Model;
use pactolus_ledger::{
    Account, CoinPart, DailyGifts, DailyLimit, Debit, Gift, GiftLimits, Ledger, LimitDays, Mismatch,
    OrderKind, PostError, Posted, Refusal, Shortfall,
};
use pactolus_test_support::orders::{amount, debit, order, pay, present, save};
use pactolus_types::{Amount, Coins, Day, Environment, UnixMillis, UtcOffset};
use pollster::block_on;

const WINDOW: Duration = Duration::from_secs(48 * 3600);

/// One line of a case: second, player, bill number, kind and amount.
type OrderLine<'a> = (u64, &'a str, &'a str, OrderKind);

#[derive(Clone, Copy, Debug, PartialEq)]
enum ExpectedResult {
    /// Applied; the player then has this balance, `gifted` of it gifted.
    Applied {
        balance: u64,
        gifted: u64,
    },
    /// Replayed; the player has this balance.
    Replayed {
        balance: u64,
    },
    Refused(Refusal),
}
use ExpectedResult::{Applied, Refused, Replayed};

/// A gift of `count` under limits per order and per UTC day; 0 means no limit.
fn limited_present(count: u64, per_order: u64, per_day: u64) -> OrderKind {
    limited_present_on(LimitDays::Local(UtcOffset::UTC), count, per_order, per_day)
}

fn limited_present_on(days: LimitDays, count: u64, per_order: u64, per_day: u64) -> OrderKind {
    let per_day = Amount::new(per_day).ok().map(|max| DailyLimit { max, days });
    let limits = GiftLimits { per_order: Amount::new(per_order).ok(), per_day };
    OrderKind::Present(Gift { amount: Amount::new(count).unwrap(), limits })
}

fn local_days(hours: i16) -> LimitDays {
    LimitDays::Local(UtcOffset::from_minutes(hours * 60).unwrap())
}

const DAY: u64 = 86_400;

fn limit_exceeded(max: u64, left: u64) -> ExpectedResult {
    let (max, left) = (Amount::new(max).unwrap(), Coins::new(left).unwrap());
    Refused(Refusal::DailyGiftsTooLarge { max, left })
}

const CANCEL: OrderKind = OrderKind::Cancel { window: WINDOW };
const MAX: u64 = Coins::MAX.get();

fn check(lines: &[(OrderLine, ExpectedResult)]) {
    let bank = Model::new();
    for (number, ((second, player, bill_no, kind), expect)) in lines.iter().enumerate() {
        let now = UnixMillis::new(second * 1000);
        let actual = match block_on(bank.post(order(player, bill_no, *kind), now)) {
            Ok(Posted::Applied(receipt)) => {
                Applied { balance: receipt.after.balance().get(), gifted: receipt.after.gifted().get() }
            }
            Ok(Posted::Replayed { account, .. }) => Replayed { balance: account.balance().get() },
            Err(PostError::Refused(refusal)) => Refused(refusal),
            Err(PostError::Unavailable(error)) => panic!("{error}"),
        };
        assert_eq!(actual, *expect, "line {number}: {player} {bill_no} {kind:?}");
    }
    assert!(block_on(bank.audit()).unwrap().is_clean());
}

#[test]
fn replayed_present_is_applied_once() {
    check(&[
        ((0, "a", "1", present(233)), Applied { balance: 233, gifted: 233 }),
        ((1, "a", "1", present(233)), Replayed { balance: 233 }),
        ((2, "a", "2", present(7)), Applied { balance: 240, gifted: 240 }),
        ((3, "a", "1", present(233)), Replayed { balance: 240 }),
    ]);
}

#[test]
fn taken_bill_no_reports_the_mismatch() {
    let taken = |mismatch| Refused(Refusal::BillNoTaken(mismatch));
    check(&[
        ((0, "a", "1", present(5)), Applied { balance: 5, gifted: 5 }),
        ((0, "b", "1", present(5)), taken(Mismatch::Player)),
        ((0, "a", "1", pay(5)), taken(Mismatch::Kind)),
        ((0, "a", "1", save(5)), taken(Mismatch::Kind)),
        ((0, "a", "1", present(6)), taken(Mismatch::Amount)),
        ((0, "b", "1", pay(9)), taken(Mismatch::Player)),
        ((0, "a", "1", CANCEL), Refused(Refusal::PayMismatch(Mismatch::Kind))),
    ]);
}

#[test]
fn zone_or_offer_mismatch_is_refused() {
    let bank = Model::new();
    let first = order("a", "1", present(5));
    block_on(bank.post(first.clone(), UnixMillis::new(0))).unwrap();
    let mut other_zone = first.clone();
    other_zone.account.zone = "2".parse().unwrap();
    let mut other_offer = first.clone();
    other_offer.account.offer = "2".parse().unwrap();
    let mut sandbox = first;
    sandbox.account.environment = Environment::Sandbox;
    let post = |order| block_on(bank.post(order, UnixMillis::new(0)));
    assert_eq!(post(other_zone), Err(Refusal::BillNoTaken(Mismatch::Zone).into()));
    assert_eq!(post(other_offer), Err(Refusal::BillNoTaken(Mismatch::Offer).into()));
    assert!(matches!(post(sandbox), Ok(Posted::Applied(_))), "the sandbox has bill numbers of its own");
}

#[test]
fn pay_spends_gifts_first_and_cancel_restores() {
    check(&[
        ((0, "a", "s", save(10)), Applied { balance: 10, gifted: 0 }),
        ((0, "a", "p", present(4)), Applied { balance: 14, gifted: 4 }),
        ((0, "a", "1", pay(6)), Applied { balance: 8, gifted: 0 }),
        ((0, "a", "q", present(1)), Applied { balance: 9, gifted: 1 }),
        ((0, "a", "1", CANCEL), Applied { balance: 15, gifted: 5 }),
        ((0, "a", "1", CANCEL), Replayed { balance: 15 }),
        ((0, "a", "1", pay(6)), Replayed { balance: 15 }),
    ]);
}

#[test]
fn refused_order_leaves_bill_no_unused() {
    check(&[
        ((0, "a", "1", pay(1)), Refused(Refusal::BalanceNotEnough(Coins::ZERO))),
        ((0, "a", "1", present(3)), Applied { balance: 3, gifted: 3 }),
        ((0, "a", "2", pay(4)), Refused(Refusal::BalanceNotEnough(Coins::new(3).unwrap()))),
        ((0, "a", "2", pay(3)), Applied { balance: 0, gifted: 0 }),
    ]);
}

#[test]
fn cancel_requires_its_pay_within_window() {
    let hours = |hours: u64| hours * 3600;
    check(&[
        ((0, "a", "p", present(9)), Applied { balance: 9, gifted: 9 }),
        ((0, "a", "1", CANCEL), Refused(Refusal::PayNotFound)),
        ((0, "a", "1", pay(1)), Applied { balance: 8, gifted: 8 }),
        ((0, "a", "2", pay(1)), Applied { balance: 7, gifted: 7 }),
        ((0, "b", "1", CANCEL), Refused(Refusal::PayMismatch(Mismatch::Player))),
        ((hours(48), "a", "1", CANCEL), Applied { balance: 8, gifted: 8 }),
        ((hours(48) + 1, "a", "2", CANCEL), Refused(Refusal::PastCancelWindow)),
        // Replays are checked first: a cancel that was in time stays a replay after the window.
        ((hours(99), "a", "1", CANCEL), Replayed { balance: 8 }),
    ]);
}

/// The bug: the machine's clock was a year ahead for a minute, and the account's count stood on that day for a year.
/// The loss: a player who got gifts meanwhile got none until that day. The fix: a count of a day after tomorrow starts
/// again.
#[test]
fn count_heals_after_the_clock_was_ahead() {
    const YEAR: u64 = 366 * DAY;
    for (ahead, hours) in [(YEAR, 0), (YEAR, 8), (YEAR, -11), (2 * DAY, 0), (3650 * DAY, 14)] {
        let gift = |count| limited_present_on(local_days(hours), count, 0, 10);
        let noon = 100 * DAY + 43_200;
        check(&[
            ((noon, "a", "1", gift(10)), Applied { balance: 10, gifted: 10 }),
            ((noon + ahead, "a", "2", gift(10)), Applied { balance: 20, gifted: 20 }),
            ((noon + ahead, "a", "3", gift(1)), limit_exceeded(10, 0)),
            // Put right: at most one limit more, and the next day flows.
            ((noon + 60, "a", "3", gift(10)), Applied { balance: 30, gifted: 30 }),
            ((noon + 61, "a", "4", gift(1)), limit_exceeded(10, 0)),
            ((noon + DAY, "a", "4", gift(10)), Applied { balance: 40, gifted: 40 }),
            ((noon + DAY, "a", "5", gift(1)), limit_exceeded(10, 0)),
        ]);
    }
}

/// A clock that is a day ahead, or moves between two days, gives no day a second limit.
#[test]
fn clock_back_by_a_day_restarts_no_limit() {
    for hours in [0, 8, -3] {
        let gift = |count| limited_present_on(local_days(hours), count, 0, 10);
        let midnight = 100 * DAY - u64::try_from(hours.max(0)).unwrap() * 3600
            + u64::from(hours.min(0).unsigned_abs()) * 3600;
        check(&[
            ((midnight - 1, "a", "1", gift(10)), Applied { balance: 10, gifted: 10 }),
            ((midnight, "a", "2", gift(10)), Applied { balance: 20, gifted: 20 }),
            ((midnight - 1, "a", "3", gift(1)), limit_exceeded(10, 0)),
            ((midnight, "a", "3", gift(1)), limit_exceeded(10, 0)),
            ((midnight - DAY, "a", "3", gift(1)), limit_exceeded(10, 0)),
            ((midnight + DAY - 1, "a", "3", gift(1)), limit_exceeded(10, 0)),
            ((midnight + DAY, "a", "3", gift(10)), Applied { balance: 30, gifted: 30 }),
            ((midnight, "a", "4", gift(1)), limit_exceeded(10, 0)),
        ]);
    }
}

/// The bug: days were those of UTC, so a player in Beijing got the new day's gift at 08:00.
#[test]
fn day_of_a_limit_is_local() {
    let beijing = |count| limited_present_on(local_days(8), count, 0, 100);
    // 2017-10-09T15:50:00Z is 23:50 in Beijing.
    let before_midnight = 1_507_564_200;
    check(&[
        ((before_midnight, "a", "1", beijing(100)), Applied { balance: 100, gifted: 100 }),
        ((before_midnight + 60, "a", "2", beijing(1)), limit_exceeded(100, 0)),
        ((before_midnight + 1200, "a", "2", beijing(100)), Applied { balance: 200, gifted: 200 }),
        // 08:01 in Beijing, another day in UTC.
        ((before_midnight + 8 * 3600 + 660, "a", "3", beijing(1)), limit_exceeded(100, 0)),
    ]);
}

/// Orders of earlier builds are audited and copied by the rule that decided them.
#[test]
fn earlier_rule_keeps_its_decisions() {
    let gift = |count| limited_present_on(LimitDays::LegacyUtc, count, 0, 10);
    check(&[
        ((300 * DAY, "a", "1", gift(6)), Applied { balance: 6, gifted: 6 }),
        ((DAY, "a", "2", gift(5)), limit_exceeded(10, 4)),
        ((DAY, "a", "2", gift(4)), Applied { balance: 10, gifted: 10 }),
        ((2 * DAY, "a", "3", gift(1)), limit_exceeded(10, 0)),
        // The first gift under the new rule heals the account.
        ((2 * DAY, "a", "3", limited_present(10, 0, 10)), Applied { balance: 20, gifted: 20 }),
    ]);
}

/// A debit of what is available.
fn debit_available(count: u64, first: CoinPart) -> OrderKind {
    OrderKind::Debit(Debit { amount: amount(count), shortfall: Shortfall::TakeAvailable, first })
}

fn too_poor(balance: u64) -> ExpectedResult {
    Refused(Refusal::BalanceNotEnough(Coins::new(balance).unwrap()))
}

#[test]
fn debit_takes_gifts_first_and_never_below_zero() {
    check(&[
        ((0, "a", "d", debit(1)), too_poor(0)),
        ((0, "a", "d", debit_available(1, CoinPart::Gifted)), too_poor(0)),
        ((0, "a", "s", save(10)), Applied { balance: 10, gifted: 0 }),
        ((0, "a", "p", present(4)), Applied { balance: 14, gifted: 4 }),
        ((0, "a", "d", debit(15)), too_poor(14)),
        ((0, "a", "d", debit(6)), Applied { balance: 8, gifted: 0 }),
        ((0, "a", "q", present(3)), Applied { balance: 11, gifted: 3 }),
        ((0, "a", "e", debit_available(9, CoinPart::Paid)), Applied { balance: 2, gifted: 2 }),
        ((0, "a", "f", debit_available(9, CoinPart::Paid)), Applied { balance: 0, gifted: 0 }),
        ((0, "a", "g", debit_available(9, CoinPart::Gifted)), too_poor(0)),
        // A replay, although the balance is now too low.
        ((0, "a", "d", debit(6)), Replayed { balance: 0 }),
        ((0, "a", "f", debit_available(9, CoinPart::Paid)), Replayed { balance: 0 }),
    ]);
}

#[test]
fn debit_is_another_order_if_any_rule_differs() {
    let taken = |mismatch| Refused(Refusal::BillNoTaken(mismatch));
    check(&[
        ((0, "a", "p", present(9)), Applied { balance: 9, gifted: 9 }),
        ((0, "a", "d", debit(5)), Applied { balance: 4, gifted: 4 }),
        ((0, "b", "d", debit(5)), taken(Mismatch::Player)),
        ((0, "a", "d", pay(5)), taken(Mismatch::Kind)),
        ((0, "a", "d", debit(4)), taken(Mismatch::Amount)),
        ((0, "a", "d", debit_available(5, CoinPart::Gifted)), taken(Mismatch::Shortfall)),
        (
            (0, "a", "d", OrderKind::Debit(Debit { first: CoinPart::Paid, ..amount(5).into() })),
            taken(Mismatch::TakeFirst),
        ),
        ((0, "a", "p", debit(9)), taken(Mismatch::Kind)),
        // A debit is no pay.
        ((0, "a", "d", CANCEL), Refused(Refusal::PayMismatch(Mismatch::Kind))),
    ]);
}

/// `save + present + cancel − pay − debit` is the balance, and a debit leaves the coins spent as they are.
#[test]
fn debit_is_counted_apart_from_spending() {
    let bank = Model::new();
    let post = |bill_no, kind| block_on(bank.post(order("a", bill_no, kind), UnixMillis::new(0))).unwrap();
    for (bill_no, kind) in [("s", save(20)), ("p", present(7)), ("1", pay(9)), ("2", pay(2)), ("d", debit(5))]
    {
        post(bill_no, kind);
    }
    let Posted::Applied(cancel) = post("1", CANCEL) else { panic!("the pay was not cancelled before") };
    let account = cancel.after;
    let sums = [account.save_sum(), account.spent(), account.debited(), account.balance()].map(Coins::get);
    assert_eq!(sums, [27, 2, 5, 20]);
    assert_eq!((account.gifted().get(), account.paid().get()), (7, 13), "the pay's gifts are back");
}

#[test]
fn sums_never_exceed_the_maximum() {
    check(&[
        ((0, "a", "1", present(MAX)), Applied { balance: MAX, gifted: MAX }),
        ((0, "a", "2", present(1)), Refused(Refusal::TooManyCoins)),
        ((0, "a", "2", save(1)), Refused(Refusal::TooManyCoins)),
        ((0, "a", "2", pay(MAX)), Applied { balance: 0, gifted: 0 }),
        // The balance has room, but the sum of coins ever received does not.
        ((0, "a", "3", present(1)), Refused(Refusal::TooManyCoins)),
        ((0, "a", "3", save(MAX)), Refused(Refusal::TooManyCoins)),
        ((0, "a", "2", CANCEL), Applied { balance: MAX, gifted: MAX }),
    ]);
}

#[test]
fn gift_respects_order_limit() {
    let too_large = |max| Refused(Refusal::GiftTooLarge(Amount::new(max).unwrap()));
    check(&[
        ((0, "a", "1", limited_present(10, 10, 0)), Applied { balance: 10, gifted: 10 }),
        ((0, "a", "2", limited_present(11, 10, 0)), too_large(10)),
        ((0, "a", "2", present(11)), Applied { balance: 21, gifted: 21 }),
        // Replays are checked first: a limit that was lowered later does not affect an applied gift.
        ((0, "a", "1", limited_present(10, 5, 0)), Replayed { balance: 21 }),
        ((0, "a", "1", limited_present(9, 5, 0)), Refused(Refusal::BillNoTaken(Mismatch::Amount))),
    ]);
}

#[test]
fn gifts_respect_daily_limit() {
    check(&[
        ((DAY, "a", "1", limited_present(6, 0, 10)), Applied { balance: 6, gifted: 6 }),
        ((DAY, "a", "2", limited_present(5, 0, 10)), limit_exceeded(10, 4)),
        // A replay does not count again; other players and gifts without a limit do not count.
        ((DAY, "a", "1", limited_present(6, 0, 10)), Replayed { balance: 6 }),
        ((DAY, "a", "3", present(100)), Applied { balance: 106, gifted: 106 }),
        ((DAY, "b", "4", limited_present(10, 0, 10)), Applied { balance: 10, gifted: 10 }),
        // Spending gifted coins does not free the limit.
        ((DAY, "a", "5", pay(106)), Applied { balance: 0, gifted: 0 }),
        ((DAY, "a", "2", limited_present(4, 0, 10)), Applied { balance: 4, gifted: 4 }),
        ((DAY, "a", "6", limited_present(1, 0, 10)), limit_exceeded(10, 0)),
        ((DAY, "a", "6", limited_present(1, 0, 5)), limit_exceeded(5, 0)),
        // A new day restarts the count; a clock that goes back does not restore the old day.
        ((2 * DAY, "a", "6", limited_present(10, 0, 10)), Applied { balance: 14, gifted: 14 }),
        ((2 * DAY - 1, "a", "7", limited_present(1, 0, 10)), limit_exceeded(10, 0)),
        // The order's own limit is checked first.
        (
            (3 * DAY, "a", "7", limited_present(6, 5, 5)),
            Refused(Refusal::GiftTooLarge(Amount::new(5).unwrap())),
        ),
    ]);
}

#[test]
fn all_small_histories_audit_clean() {
    // All 10,000 histories of four orders drawn from ten.
    let candidates = [
        ("1", save(2)),
        ("1", present(2)),
        ("1", pay(1)),
        ("1", CANCEL),
        ("2", present(1)),
        ("2", pay(3)),
        ("2", CANCEL),
        ("3", pay(2)),
        ("3", debit(2)),
        ("4", debit_available(3, CoinPart::Paid)),
    ];
    for history in 0..10_usize.pow(4) {
        let bank = Model::new();
        for step in 0..4 {
            let (bill_no, kind) = candidates[history / 10_usize.pow(step) % 10];
            let before = block_on(bank.account(order("a", "1", CANCEL).account)).unwrap();
            let posted = block_on(bank.post(order("a", bill_no, kind), UnixMillis::new(0)));
            let after = block_on(bank.account(order("a", "1", CANCEL).account)).unwrap();
            match posted {
                Ok(Posted::Applied(receipt)) => assert_eq!(receipt.after, after),
                Ok(Posted::Replayed { account, .. }) => assert_eq!((account, before), (after, after)),
                Err(_) => assert_eq!(before, after, "a refusal changes nothing"),
            }
            assert_eq!(after.balance(), after.paid().checked_add(after.gifted()).unwrap());
        }
        assert!(block_on(bank.audit()).unwrap().is_clean(), "history {history}");
    }
}

#[test]
fn impossible_account_is_rejected() {
    let coins = |count| Coins::new(count).unwrap();
    assert!(Account::new(coins(1), coins(1), coins(3), coins(0), 1).is_none(), "more spent than received");
    assert!(
        Account::new(coins(1), coins(1), coins(0), coins(2), 1).is_none(),
        "more gifted coins than gifts"
    );
    assert!(
        Account::new(coins(5), coins(2), coins(6), coins(2), 1).is_none(),
        "gifted part above the balance"
    );
    assert!(
        Account::new(Coins::MAX, coins(1), coins(0), coins(0), 1).is_none(),
        "received above the maximum"
    );
    let account = Account::new(coins(9), coins(0), coins(4), coins(0), 1).unwrap();
    assert!(account.with_debited(coins(5)).is_some());
    assert!(account.with_debited(coins(6)).is_none(), "more taken than there was");
    let account = Account::new(coins(0), coins(5), coins(0), coins(5), 1).unwrap();
    assert!(account.with_debited(coins(1)).is_none(), "gifted part above the balance");
    let daily_gifts = |count| DailyGifts { day: Day::new(1), coins: coins(count) };
    assert!(account.with_daily_gifts(daily_gifts(5)).is_some());
    assert!(account.with_daily_gifts(daily_gifts(6)).is_none(), "more gifts on one day than ever");
}
