//! What fuzz targets promise of this crate: each function takes any bytes, and panics when a promise is broken.
//!
//! The rule is written a second time (`Oracle`), in other words and on plain numbers, for `decide()` and the model to
//! be held against. Read next: `fuzz/README.md`.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "no sum passes 2^54, and what overflows panics, as it should"
)]

use std::collections::{BTreeMap, HashMap};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pactolus_fuzz_support::Choices;
use pactolus_types::{Amount, Coins, Day, Environment, UnixMillis};

use crate::account::{Account, AccountKey};
use crate::decide::{Differs, Refusal};
use crate::engine::{BoxFuture, Ledger, PostError, Posted};
use crate::gift::{Gift, GiftLimits};
use crate::model::Model;
use crate::order::{BillKey, Memo, Order, OrderKind, Receipt};

/// Whatever orders are posted, in whatever order and at whatever times: the bank decides each as the rule says, and
/// its accounts, statements, sums and audit agree.
pub fn bank(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let (bank, mut oracle) = (Model::new(), Oracle::default());
    let mut now = UnixMillis::new(1_500_000_000_000);
    let mut receipts: Vec<Receipt> = Vec::new();
    for _ in 0..64 {
        if choices.is_used_up() {
            break;
        }
        now = later(now, &mut choices);
        let order = order(&mut choices);
        let expected = oracle.post(&order, now);
        let posted = done(bank.post(order.clone(), now));
        match (&posted, &expected) {
            (Ok(Posted::Applied(receipt)), Ok(Expected::Applied { coins, gifted })) => {
                assert_eq!(
                    (&receipt.order, receipt.at, receipt.coins.get(), receipt.gifted.get()),
                    (&order, now, *coins, *gifted)
                );
                oracle.agrees(&order.account, &receipt.after);
                receipts.push(receipt.clone());
            }
            (Ok(Posted::Replayed { receipt, account }), Ok(Expected::Replayed { nth })) => {
                assert_eq!(receipt, &receipts[*nth]);
                oracle.agrees(&order.account, account);
            }
            (Err(PostError::Refused(refusal)), Err(expected)) => assert_eq!(refusal, expected),
            _ => panic!("{posted:?} instead of {expected:?}"),
        }
        oracle.agrees(&order.account, &done(bank.account(order.account)).expect("it is in memory"));
    }
    agree_at_the_end(&bank, &oracle, &receipts);
}

/// Time goes on, mostly; now and then it goes back.
fn later(now: UnixMillis, choices: &mut Choices<'_>) -> UnixMillis {
    const HOUR: u64 = 3_600_000;
    let step = u64::from(choices.byte());
    UnixMillis::new(match choices.below(4) {
        0 => now.get(),
        1 => now.get().saturating_add(step),
        2 => now.get().saturating_add(step.saturating_mul(HOUR)),
        _ => now.get().saturating_sub(step.saturating_mul(HOUR / 4)),
    })
}

const VALID: &str = "it keeps the rule";

/// An order among few accounts and bill numbers, so that they meet again.
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
    let kind = match choices.below(5) {
        0 => OrderKind::Save(amount(choices)),
        1 => OrderKind::Present(amount(choices).into()),
        2 => {
            let limit = |choices: &mut Choices<'_>| choices.flag().then(|| amount(choices));
            let limits = GiftLimits { per_order: limit(choices), per_day: limit(choices) };
            OrderKind::Present(Gift { amount: amount(choices), limits })
        }
        3 => OrderKind::Pay(amount(choices)),
        _ => OrderKind::Cancel { window: Duration::from_millis(choices.number()) },
    };
    let memo = if choices.flag() { Memo::new("sword", "") } else { Memo::new("", "") }.expect(VALID);
    Order { account, bill_no, kind, memo }
}

/// A few coins, or nearly as many as there can be.
fn amount(choices: &mut Choices<'_>) -> Amount {
    let few = u64::from(choices.byte());
    let coins = match choices.below(4) {
        0..=2 => few.max(1),
        _ => Coins::MAX.get().saturating_sub(few),
    };
    Amount::new(coins).expect(VALID)
}

/// What a model answers, which is there at once.
fn done<T>(mut answer: BoxFuture<'_, T>) -> T {
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a model has nothing to wait for"),
    }
}

/// The bank as `docs/protocol.md` describes it.
#[derive(Default)]
struct Oracle {
    accounts: HashMap<AccountKey, Sums>,
    bills: HashMap<BillKey, Made>,
    applied: usize,
    /// Coins moved by kind, per offer, server and day.
    totals: BTreeMap<(AccountKey, u64), [(u64, u128); 4]>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    topped_up: u64,
    given: u64,
    spent: u64,
    /// The gifted part of what is left.
    gifted: u64,
    orders: u64,
    /// The last day with a gift under a day's limit, and the coins of such gifts on it.
    day: u64,
    days_gifts: u64,
}

/// What a bill number made.
struct Made {
    order: Order,
    at: u64,
    gifted: u64,
    nth: usize,
    cancelled: Option<usize>,
}

#[derive(Debug)]
enum Expected {
    Applied { coins: u64, gifted: u64 },
    Replayed { nth: usize },
}

const MAX: u64 = (1 << 53) - 1;
const DAY_MS: u64 = 86_400_000;

impl Sums {
    fn balance(&self) -> u64 {
        self.topped_up + self.given - self.spent
    }
}

impl Oracle {
    fn post(&mut self, order: &Order, now: UnixMillis) -> Result<Expected, Refusal> {
        let mut sums = self.accounts.get(&order.account).copied().unwrap_or_default();
        let made = self.bills.get(&order.bill());
        let coins = order.kind.amount().map_or(0, Amount::get);
        let mut moved = (coins, 0);
        match (order.kind, made) {
            (OrderKind::Cancel { window }, made) => {
                let made = made.ok_or(Refusal::PayNotFound)?;
                let OrderKind::Pay(paid) = made.order.kind else {
                    return Err(Refusal::PayDiffers(Differs::Kind));
                };
                if let Some(part) = other_account(&made.order, order) {
                    return Err(Refusal::PayDiffers(part));
                }
                if let Some(nth) = made.cancelled {
                    return Ok(Expected::Replayed { nth });
                }
                if u128::from(now.get()) > u128::from(made.at) + window.as_millis() {
                    return Err(Refusal::PastCancelWindow);
                }
                sums.spent -= paid.get();
                sums.gifted += made.gifted;
                moved = (paid.get(), made.gifted);
            }
            (_, Some(made)) => {
                let other_kind = (made.order.kind.name() != order.kind.name()).then_some(Differs::Kind);
                let other_amount =
                    (made.order.kind.amount() != order.kind.amount()).then_some(Differs::Amount);
                return match other_account(&made.order, order).or(other_kind).or(other_amount) {
                    Some(part) => Err(Refusal::BillNoTaken(part)),
                    None => Ok(Expected::Replayed { nth: made.nth }),
                };
            }
            (OrderKind::Save(_), None) => sums.topped_up += coins,
            (OrderKind::Present(gift), None) => {
                let Gift { amount, limits: GiftLimits { per_order, per_day } } = gift;
                if let Some(max) = per_order.filter(|max| amount > *max) {
                    return Err(Refusal::GiftTooLarge(max));
                }
                let today = (now.get() / DAY_MS).max(sums.day);
                let before = if today == sums.day { sums.days_gifts } else { 0 };
                if let Some(max) = per_day {
                    let left = Coins::new(max.get().saturating_sub(before)).expect(VALID);
                    if coins > left.get() {
                        return Err(Refusal::DaysGiftsTooLarge { max, left });
                    }
                    (sums.day, sums.days_gifts) = (today, before + coins);
                }
                sums.given += coins;
                sums.gifted += coins;
                moved = (coins, coins);
            }
            (OrderKind::Pay(_), None) => {
                if coins > sums.balance() {
                    return Err(Refusal::BalanceNotEnough(Coins::new(sums.balance()).expect(VALID)));
                }
                moved = (coins, coins.min(sums.gifted));
                sums.spent += coins;
                sums.gifted -= moved.1;
            }
        }
        if sums.topped_up + sums.given > MAX {
            return Err(Refusal::TooManyCoins);
        }
        sums.orders += 1;
        self.file(order, now, sums, moved);
        Ok(Expected::Applied { coins: moved.0, gifted: moved.1 })
    }

    fn file(&mut self, order: &Order, now: UnixMillis, sums: Sums, (coins, gifted): (u64, u64)) {
        self.accounts.insert(order.account, sums);
        let nth = self.applied;
        self.applied += 1;
        let kind = match order.kind {
            OrderKind::Save(_) => 0,
            OrderKind::Present(_) => 1,
            OrderKind::Pay(_) => 2,
            OrderKind::Cancel { .. } => 3,
        };
        // Every zone here is of the server 1, and totals are told apart by no player.
        let server = AccountKey {
            player: "any".parse().expect(VALID),
            zone: "1".parse().expect(VALID),
            ..order.account
        };
        let tally = &mut self.totals.entry((server, now.get() / DAY_MS)).or_default()[kind];
        *tally = (tally.0 + 1, tally.1 + u128::from(coins));
        let made = Made { order: order.clone(), at: now.get(), gifted, nth, cancelled: None };
        self.bills.entry(order.bill()).and_modify(|made| made.cancelled = Some(nth)).or_insert(made);
    }

    /// Panics where an account is not what its orders make of it.
    fn agrees(&self, key: &AccountKey, account: &Account) {
        let sums = self.accounts.get(key).copied().unwrap_or_default();
        let theirs =
            [account.saved(), account.presented(), account.spent(), account.gifted(), account.balance()];
        let ours = [sums.topped_up, sums.given, sums.spent, sums.gifted, sums.balance()];
        assert_eq!((theirs.map(Coins::get), account.orders()), (ours, sums.orders));
    }
}

/// In which part of its account an order differs from the one that has its number.
fn other_account(earlier: &Order, order: &Order) -> Option<Differs> {
    let (a, b) = (&earlier.account, &order.account);
    if a.player != b.player {
        Some(Differs::Player)
    } else if a.zone != b.zone {
        Some(Differs::Zone)
    } else {
        (a.offer != b.offer).then_some(Differs::Offer)
    }
}

fn agree_at_the_end(bank: &Model, oracle: &Oracle, receipts: &[Receipt]) {
    const READ: &str = "it is in memory";
    for (key, sums) in &oracle.accounts {
        let of_account: Vec<_> =
            receipts.iter().rev().filter(|receipt| receipt.order.account == *key).collect();
        assert_eq!(u64::try_from(of_account.len()), Ok(sums.orders));
        let (mut told, mut after) = (Vec::new(), None);
        loop {
            let page = done(bank.statement(*key, after, 3)).expect(READ);
            told.extend(page.receipts);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert!(told.iter().eq(of_account), "a statement is the account's orders, the newest first");
    }
    for (bill, made) in &oracle.bills {
        let filed = done(bank.order(*bill)).expect(READ).expect("it was applied");
        assert_eq!(filed.receipt, receipts[made.nth]);
        assert_eq!(filed.cancel.as_ref(), made.cancelled.map(|nth| &receipts[nth]));
    }
    for app in ["wx1", "wx2"] {
        let app = app.parse().expect(VALID);
        for environment in Environment::ALL {
            let told = done(bank.totals(app, environment, Day::MIN, Day::MAX)).expect(READ);
            let told = told.iter().map(|total| {
                let tallies = total.sums.by_kind().map(|(_, tally)| (tally.orders, tally.coins));
                (total.key.offer, u64::from(total.key.day.get()), tallies)
            });
            let ours =
                oracle.totals.iter().filter(|((key, _), _)| (key.app, key.environment) == (app, environment));
            let ours = ours.map(|((key, day), tallies)| (key.offer, *day, *tallies));
            assert!(told.eq(ours), "the sums of zones and days are those of the orders");
        }
    }
    let audit = done(bank.audit()).expect(READ);
    assert!(audit.is_clean(), "{audit:?}");
    assert_eq!(usize::try_from(audit.orders), Ok(receipts.len()));
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_kept_bank() {
        pactolus_fuzz_support::replay("bank", super::bank);
    }
}
