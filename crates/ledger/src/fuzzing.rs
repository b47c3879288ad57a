//! Fuzz targets of this crate: each function takes any bytes and panics when an invariant is violated.
//!
//! `Oracle` implements the rule a second time, independently and on plain integers, as the reference for `decide()`
//! and the model. Read next: `fuzz/README.md`.

#![allow(clippy::arithmetic_side_effects, reason = "no sum exceeds 2^54, and an overflow should panic")]

use std::collections::{BTreeMap, HashMap};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pactolus_fuzz_support::Choices;
use pactolus_types::{Amount, Coins, Environment, QuarterHour, UnixMillis, UtcOffset};

use crate::account::{Account, AccountKey};
use crate::debit::{CoinPart, Debit, Shortfall};
use crate::decide::{Mismatch, Refusal};
use crate::engine::{BoxFuture, Ledger, PostError, Posted};
use crate::gift::{DailyLimit, Gift, GiftLimits, LimitDays};
use crate::model::Model;
use crate::order::{BillKey, Memo, Numbering, Order, OrderKind, Receipt};
use crate::refund::Refund;
use crate::totals::Periods;

mod refund;

/// For any orders in any sequence at any times, the bank decides as the oracle does, and its accounts, statements,
/// totals and audit agree.
pub fn bank(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let (bank, mut oracle) = (Model::new(), Oracle::default());
    let mut now = UnixMillis::new(1_500_000_000_000);
    let mut receipts: Vec<Receipt> = Vec::new();
    for _ in 0..64 {
        if choices.is_exhausted() {
            break;
        }
        now = advance_clock(now, &mut choices);
        let order = order(&mut choices);
        let expected = oracle.post(&order, now);
        let posted = poll_ready(bank.post(order.clone(), now));
        match (&posted, &expected) {
            (Ok(Posted::Applied(receipt)), Ok(ExpectedPost::Applied { coins, gifted })) => {
                assert_eq!(
                    (&receipt.order, receipt.at, receipt.coins.get(), receipt.gifted.get()),
                    (&order, now, *coins, *gifted)
                );
                oracle.assert_account(&order.account, &receipt.after);
                receipts.push(receipt.clone());
            }
            (
                Ok(Posted::Replayed { receipt, account }),
                Ok(ExpectedPost::Replayed { receipt_index: nth }),
            ) => {
                assert_eq!(receipt, &receipts[*nth]);
                oracle.assert_account(&order.account, account);
            }
            (Err(PostError::Refused(refusal)), Err(expected)) => assert_eq!(refusal, expected),
            _ => panic!("{posted:?} instead of {expected:?}"),
        }
        oracle.assert_account(
            &order.account,
            &poll_ready(bank.account(order.account)).expect("it is in memory"),
        );
    }
    assert_final_state(&bank, &oracle, &receipts);
}

/// Mostly moves time forward, sometimes back.
fn advance_clock(now: UnixMillis, choices: &mut Choices<'_>) -> UnixMillis {
    const HOUR: u64 = 3_600_000;
    let step = u64::from(choices.byte());
    UnixMillis::new(match choices.below(4) {
        0 => now.get(),
        1 => now.get().saturating_add(step),
        2 => now.get().saturating_add(step.saturating_mul(HOUR)),
        _ => now.get().saturating_sub(step.saturating_mul(HOUR / 4)),
    })
}

const VALID: &str = "a valid value";

/// An order over few accounts and bill numbers, so that orders collide.
fn order(choices: &mut Choices<'_>) -> Order {
    let names = choices.byte();
    let pick = |bit: u8, names: [&'static str; 2]| names[usize::from(bit & 1)];
    let account = AccountKey {
        app: pick(u8::from(names >= 0xe0), ["wx1", "wx2"]).parse().expect(VALID),
        environment: if names & 1 == 0 { Environment::Live } else { Environment::Sandbox },
        offer: pick(names >> 1 & names >> 2, ["1", "2"]).parse().expect(VALID),
        player: pick(names >> 3, ["one", "two"]).parse().expect(VALID),
        zone: pick(names >> 4 & names >> 2, ["1_7", "1"]).parse().expect(VALID),
    };
    let bill_no = choices.one_of(&["a", "b", "c", "d", "e", "f", "g", "h"]).parse().expect(VALID);
    let kind = match choices.below(8) {
        0 => OrderKind::Save(amount(choices)),
        1 => OrderKind::Present(amount(choices).into()),
        2 => {
            let limit = |choices: &mut Choices<'_>| choices.flag().then(|| amount(choices));
            let (per_order, per_day) = (limit(choices), limit(choices));
            let days = [0, 480, -570, 345].map(|minutes| UtcOffset::from_minutes(minutes).expect(VALID));
            let days = days.map(LimitDays::Local);
            let days = choices.one_of(&[days[0], days[1], days[2], days[3], LimitDays::LegacyUtc]);
            let limits = GiftLimits { per_order, per_day: per_day.map(|max| DailyLimit { max, days }) };
            OrderKind::Present(Gift { amount: amount(choices), limits })
        }
        3 => OrderKind::Pay(amount(choices)),
        4 => OrderKind::Debit(Debit {
            amount: amount(choices),
            shortfall: choices.one_of(&[Shortfall::Refuse, Shortfall::TakeAvailable]),
            first: choices.one_of(&[CoinPart::Gifted, CoinPart::Paid]),
        }),
        5 => OrderKind::Cancel { window: Duration::from_millis(choices.number()) },
        _ => OrderKind::Refund(Refund {
            pay: choices.one_of(&["a", "b", "c", "d", "e", "f", "g", "h"]).parse().expect(VALID),
            amount: amount(choices),
            window: choices.flag().then(|| Duration::from_millis(choices.number())),
        }),
    };
    let flags = choices.byte();
    let memo = if flags & 1 == 1 { Memo::new("sword", "") } else { Memo::new("", "") }.expect(VALID);
    let numbering = if flags & 2 == 0 { Numbering::OfApp } else { Numbering::OfAccount };
    Order { account, bill_no, numbering, kind, memo }
}

/// An amount near 1 or near the maximum.
fn amount(choices: &mut Choices<'_>) -> Amount {
    let few = u64::from(choices.byte());
    let coins = match choices.below(4) {
        0..=2 => few.max(1),
        _ => Coins::MAX.get().saturating_sub(few),
    };
    Amount::new(coins).expect(VALID)
}

/// Polls a future of the model, which is always ready.
fn poll_ready<T>(mut answer: BoxFuture<'_, T>) -> T {
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a future of the model was pending"),
    }
}

/// Reference implementation of the bank as `docs/protocol/midas.md` describes it.
#[derive(Default)]
struct Oracle {
    accounts: HashMap<AccountKey, OracleAccount>,
    bills: HashMap<BillKey, OracleBill>,
    applied_count: usize,
    /// Orders and coins by kind, per offer, server and quarter of an hour.
    totals: BTreeMap<(AccountKey, u64), [(u64, u128); 5]>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct OracleAccount {
    topped_up: u64,
    given: u64,
    spent: u64,
    debited: u64,
    /// The gifted part of the balance.
    gifted: u64,
    orders: u64,
    /// The last day with a gift under a daily limit, and the coins of such gifts on it.
    day: u64,
    daily_gifts: u64,
}

struct OracleBill {
    order: Order,
    at: u64,
    gifted: u64,
    /// Coins and gifted coins that refunds gave back.
    given_back: (u64, u64),
    receipt_index: usize,
    cancel_index: Option<usize>,
}

#[derive(Debug)]
enum ExpectedPost {
    Applied { coins: u64, gifted: u64 },
    Replayed { receipt_index: usize },
}

const COINS_MAX: u64 = (1 << 53) - 1;
const DAY_MS: u64 = 86_400_000;
const QUARTER_MS: u64 = 900_000;

impl OracleAccount {
    fn balance(&self) -> u64 {
        self.topped_up + self.given - self.spent - self.debited
    }

    /// The day to count on, and the coins counted on it so far.
    fn count_at(&self, days: LimitDays, now: UnixMillis) -> (u64, u64) {
        let today = match days {
            LimitDays::LegacyUtc if self.day > now.get() / DAY_MS => self.day,
            LimitDays::LegacyUtc => now.get() / DAY_MS,
            LimitDays::Local(offset) => {
                let shift = u64::from(offset.minutes().unsigned_abs()) * 60_000;
                let local =
                    if offset.minutes() < 0 { now.get().saturating_sub(shift) } else { now.get() + shift };
                let today = local / DAY_MS;
                if self.day == today + 1 { self.day } else { today }
            }
        };
        (today, if today == self.day { self.daily_gifts } else { 0 })
    }
}

impl Oracle {
    fn post(&mut self, order: &Order, now: UnixMillis) -> Result<ExpectedPost, Refusal> {
        let mut account = self.accounts.get(&order.account).copied().unwrap_or_default();
        let earlier = self.bills.get(&order.bill());
        let coins = order.kind.amount().map_or(0, Amount::get);
        let mut moved = (coins, 0);
        match (order.kind, earlier) {
            (OrderKind::Cancel { window }, bill) => {
                let made = bill.ok_or(Refusal::PayNotFound)?;
                let OrderKind::Pay(paid) = made.order.kind else {
                    return Err(Refusal::PayMismatch(Mismatch::Kind));
                };
                if order.numbering != Numbering::OfApp {
                    return Err(Refusal::PayMismatch(Mismatch::Kind));
                }
                if let Some(part) = account_mismatch(&made.order, order) {
                    return Err(Refusal::PayMismatch(part));
                }
                if let Some(nth) = made.cancel_index {
                    return Ok(ExpectedPost::Replayed { receipt_index: nth });
                }
                if u128::from(now.get()) > u128::from(made.at) + window.as_millis() {
                    return Err(Refusal::PastCancelWindow);
                }
                account.spent -= paid.get();
                account.gifted += made.gifted;
                moved = (paid.get(), made.gifted);
            }
            (_, Some(made)) => {
                let other_kind = (made.order.kind.name() != order.kind.name()).then_some(Mismatch::Kind);
                let other_amount =
                    (made.order.kind.amount() != order.kind.amount()).then_some(Mismatch::Amount);
                let other_rule = other_rule(made.order.kind, order.kind);
                let other = account_mismatch(&made.order, order).or(other_kind).or(other_amount);
                return match other.or(other_rule) {
                    Some(part) => Err(Refusal::BillNoTaken(part)),
                    None => Ok(ExpectedPost::Replayed { receipt_index: made.receipt_index }),
                };
            }
            (OrderKind::Refund(refund), None) => {
                let made =
                    order.pay_bill().and_then(|pay| self.bills.get(&pay)).ok_or(Refusal::PayNotFound)?;
                moved = refund::oracle_refund(made, refund, order, now)?;
                account.spent -= moved.0;
                account.gifted += moved.1;
            }
            (OrderKind::Save(_), None) => account.topped_up += coins,
            (OrderKind::Present(gift), None) => {
                let Gift { amount, limits: GiftLimits { per_order, per_day } } = gift;
                if let Some(max) = per_order.filter(|max| amount > *max) {
                    return Err(Refusal::GiftTooLarge(max));
                }
                if let Some(DailyLimit { max, days }) = per_day {
                    let (today, before) = account.count_at(days, now);
                    let left = Coins::new(max.get().saturating_sub(before)).expect(VALID);
                    if coins > left.get() {
                        return Err(Refusal::DailyGiftsTooLarge { max, left });
                    }
                    (account.day, account.daily_gifts) = (today, before + coins);
                }
                account.given += coins;
                account.gifted += coins;
                moved = (coins, coins);
            }
            (OrderKind::Pay(_), None) => {
                if coins > account.balance() {
                    return Err(Refusal::BalanceNotEnough(Coins::new(account.balance()).expect(VALID)));
                }
                moved = (coins, coins.min(account.gifted));
                account.spent += coins;
                account.gifted -= moved.1;
            }
            (OrderKind::Debit(debit), None) => {
                let (balance, gifted) = (account.balance(), account.gifted);
                if balance == 0 || (debit.shortfall == Shortfall::Refuse && coins > balance) {
                    return Err(Refusal::BalanceNotEnough(Coins::new(balance).expect(VALID)));
                }
                let taken = coins.min(balance);
                moved = match debit.first {
                    CoinPart::Gifted => (taken, taken.min(gifted)),
                    CoinPart::Paid => (taken, taken.saturating_sub(balance - gifted)),
                };
                account.debited += taken;
                account.gifted -= moved.1;
            }
        }
        if account.topped_up + account.given > COINS_MAX {
            return Err(Refusal::TooManyCoins);
        }
        account.orders += 1;
        self.record(order, now, account, moved);
        Ok(ExpectedPost::Applied { coins: moved.0, gifted: moved.1 })
    }

    fn record(&mut self, order: &Order, now: UnixMillis, sums: OracleAccount, (coins, gifted): (u64, u64)) {
        self.accounts.insert(order.account, sums);
        let receipt_index = self.applied_count;
        self.applied_count += 1;
        let kind = match order.kind {
            OrderKind::Save(_) => 0,
            OrderKind::Present(_) => 1,
            OrderKind::Pay(_) => 2,
            OrderKind::Cancel { .. } | OrderKind::Refund(_) => 3,
            OrderKind::Debit(_) => 4,
        };
        // Every zone here is of server 1, and totals do not distinguish players.
        let server = AccountKey {
            player: "any".parse().expect(VALID),
            zone: "1".parse().expect(VALID),
            ..order.account
        };
        let tally = &mut self.totals.entry((server, now.get() / QUARTER_MS)).or_default()[kind];
        *tally = (tally.0 + 1, tally.1 + u128::from(coins));
        if let Some(pay) = order.pay_bill().and_then(|pay| self.bills.get_mut(&pay)) {
            pay.given_back = (pay.given_back.0 + coins, pay.given_back.1 + gifted);
            pay.cancel_index = Some(receipt_index);
        }
        let made = OracleBill {
            order: order.clone(),
            at: now.get(),
            gifted,
            given_back: (0, 0),
            receipt_index,
            cancel_index: None,
        };
        self.bills
            .entry(order.bill())
            .and_modify(|made| made.cancel_index = Some(receipt_index))
            .or_insert(made);
    }

    /// A period for each quarter with orders.
    fn quarters(&self) -> Periods {
        let quarter = |at: u64| QuarterHour::new(u32::try_from(at).expect("far below the latest"));
        let bounds = self.totals.keys().flat_map(|(_, at)| [quarter(*at), quarter(*at + 1)]);
        let mut bounds: Vec<_> = bounds.chain([QuarterHour::MIN, QuarterHour::MAX]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        Periods::new(bounds).expect("they are sorted")
    }

    /// Panics if `account` differs from the oracle's.
    fn assert_account(&self, key: &AccountKey, account: &Account) {
        let sums = self.accounts.get(key).copied().unwrap_or_default();
        let (spent, debited) = (account.spent(), account.debited());
        let actual =
            [account.saved(), account.presented(), spent, debited, account.gifted(), account.balance()];
        let expected = [sums.topped_up, sums.given, sums.spent, sums.debited, sums.gifted, sums.balance()];
        assert_eq!((actual.map(Coins::get), account.orders()), (expected, sums.orders));
    }
}

/// First rule in which two debits or two refunds differ.
fn other_rule(earlier: OrderKind, kind: OrderKind) -> Option<Mismatch> {
    if let (OrderKind::Refund(a), OrderKind::Refund(b)) = (earlier, kind) {
        return (a.pay != b.pay).then_some(Mismatch::Pay);
    }
    let (OrderKind::Debit(a), OrderKind::Debit(b)) = (earlier, kind) else { return None };
    if a.shortfall != b.shortfall {
        return Some(Mismatch::Shortfall);
    }
    (a.first != b.first).then_some(Mismatch::TakeFirst)
}

/// First field in which the accounts of two orders differ.
fn account_mismatch(earlier: &Order, order: &Order) -> Option<Mismatch> {
    let (a, b) = (&earlier.account, &order.account);
    if a.player != b.player {
        Some(Mismatch::Player)
    } else if a.zone != b.zone {
        Some(Mismatch::Zone)
    } else {
        (a.offer != b.offer).then_some(Mismatch::Offer)
    }
}

fn assert_final_state(bank: &Model, oracle: &Oracle, receipts: &[Receipt]) {
    const READ: &str = "it is in memory";
    for (key, sums) in &oracle.accounts {
        let account_receipts: Vec<_> =
            receipts.iter().rev().filter(|receipt| receipt.order.account == *key).collect();
        assert_eq!(u64::try_from(account_receipts.len()), Ok(sums.orders));
        let (mut actual, mut after) = (Vec::new(), None);
        loop {
            let page = poll_ready(bank.statement(*key, after, 3)).expect(READ);
            actual.extend(page.receipts);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert!(actual.iter().eq(account_receipts), "a statement is the account's orders, newest first");
    }
    for (bill, oracle_bill) in &oracle.bills {
        let entry = poll_ready(bank.order(*bill)).expect(READ).expect("it was applied");
        assert_eq!(entry.receipt, receipts[oracle_bill.receipt_index]);
        assert_eq!(entry.cancel.as_ref(), oracle_bill.cancel_index.map(|nth| &receipts[nth]));
    }
    for app in ["wx1", "wx2"] {
        let app = app.parse().expect(VALID);
        for environment in Environment::ALL {
            let periods = oracle.quarters();
            let actual_totals = poll_ready(bank.totals(app, environment, periods.clone())).expect(READ);
            let actual = actual_totals.iter().map(|total| {
                let tallies = total.tallies.by_kind().map(|(_, tally)| (tally.orders, tally.coins));
                (total.offer, u64::from(periods.bounds()[total.period].get()), tallies)
            });
            let expected =
                oracle.totals.iter().filter(|((key, _), _)| (key.app, key.environment) == (app, environment));
            let expected_totals = expected.map(|((key, day), tallies)| (key.offer, *day, *tallies));
            assert!(actual.eq(expected_totals), "the totals equal the sums of the orders");
        }
    }
    let audit = poll_ready(bank.audit()).expect(READ);
    assert!(audit.is_clean(), "{audit:?}");
    assert_eq!(usize::try_from(audit.orders), Ok(receipts.len()));
}

#[cfg(test)]
mod tests {
    #[test]
    fn bank_corpus_passes() {
        pactolus_fuzz_support::run_corpus("bank", super::bank);
    }
}
