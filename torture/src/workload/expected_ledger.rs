//! The end of a round: what each caller was told, what the operator is shown, and what the bank's audit says, held
//! against each other.
//!
//! A statement is itself an order of the orders that were applied. So it must be one that the contract allows, it must
//! hold what was acknowledged with the receipt that was told, nothing twice, and nothing before what ended before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use fastrand::Rng;
use pactolus_types::Environment;

use super::Name;
use super::calls::{Tried, call};
use super::clients::{Seat, World};
use super::operator::{Kind, Operator, Receipt, Sums, Total};
use super::tally::Tally;
use crate::history::account::{Account, Asked, Told};
use crate::history::linearize::explain;
use crate::history::{Event, Outcome, Tick};

/// The accounts of earlier rounds, which nobody touches any more.
#[derive(Default)]
pub(crate) struct Books {
    closed: Vec<Closed>,
    orders: u64,
}

struct Closed {
    name: Name,
    sums: Sums,
    /// Some orders that were made.
    made: Vec<Asked>,
}

/// How many orders of a closed account are remembered, to be repeated later.
const REMEMBERED: usize = 20;
/// How many of them are repeated at the end of each round.
const REPEATED: usize = 20;

impl Books {
    /// How many orders the bank has to have.
    pub(crate) fn orders(&self) -> u64 {
        self.orders
    }

    /// How many accounts with orders it has to have.
    pub(crate) fn accounts(&self) -> u64 {
        u64::try_from(self.closed.iter().filter(|closed| closed.sums.orders > 0).count())
            .expect("a count of accounts fits")
    }

    /// Explains the histories of a round that is settled, holds them against the operator's side, and closes its
    /// accounts.
    pub(crate) async fn close(
        &mut self,
        world: &World,
        operator: &Operator<'_>,
        seats: Vec<Arc<Seat>>,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let mut totals: BTreeMap<(Environment, String), [Total; 4]> = BTreeMap::new();
        for seat in seats {
            let name = seat.name;
            let events = seat.history.events();
            let context = || format!("{name:?}");
            explain(&seat.opening, &events).with_context(context)?;
            tally.histories += 1;
            tally.calls_explained += u64::try_from(events.len())?;
            let receipts = operator.statement(name).await?;
            let sums = operator.sums(name).await?;
            let made = compare(&seat, &events, &receipts, sums).with_context(context)?;
            self.orders += sums.orders;
            let of_zone = totals.entry((name.environment, name.zone())).or_default();
            for receipt in &receipts {
                of_zone[at(receipt.kind)].add(Total { orders: 1, coins: receipt.coins });
            }
            self.closed.push(Closed { name, sums, made: made.into_iter().take(REMEMBERED).collect() });
        }
        let [from, to] = operator.days().await?;
        for ((environment, zone), expected) in totals {
            let told = operator.totals(environment, &zone, (&from, &to)).await?;
            ensure!(told == expected, "totals of {environment} {zone}: {told:?} instead of {expected:?}");
        }
        self.repeat(world, operator).await?;
        tally.take(&world.counts);
        Ok(())
    }

    /// Repeats some orders of earlier rounds: they exist, and change nothing.
    async fn repeat(&self, world: &World, operator: &Operator<'_>) -> anyhow::Result<()> {
        let mut random = Rng::with_seed(self.orders);
        for _ in 0..REPEATED {
            let closed = &self.closed[random.usize(..self.closed.len())];
            let Some(made) = random.choice(&closed.made) else { continue };
            let tried = call(&world.http, operator.bank, closed.name, *made, ANSWERED_WITHIN).await?;
            let balance = closed.sums.balance;
            ensure!(
                matches!(tried, Tried::Told(Told::Exists { balance: told }) if told == balance),
                "{made:?} of {:?}, which has {balance}, was made long ago, and now: {tried:?}",
                closed.name
            );
        }
        Ok(())
    }

    /// Looks at every account again.
    pub(crate) async fn still_hold(&self, operator: &Operator<'_>) -> anyhow::Result<()> {
        for Closed { name, sums, .. } in &self.closed {
            let now = operator.sums(*name).await?;
            ensure!(now == *sums, "{name:?} was closed with {sums:?} and has {now:?}");
        }
        Ok(())
    }
}

/// How long the answer to one call may take when nobody attacks the bank.
const ANSWERED_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);

fn at(kind: Kind) -> usize {
    match kind {
        Kind::Save => 0,
        Kind::Present => 1,
        Kind::Pay => 2,
        Kind::Cancel => 3,
    }
}

/// Holds a statement against what callers were told; gives the presents and pays in it.
fn compare(seat: &Seat, events: &[Event], receipts: &[Receipt], sums: Sums) -> anyhow::Result<Vec<Asked>> {
    let mut account = Account::default();
    let mut made: BTreeMap<Asked, (usize, &Receipt)> = BTreeMap::new();
    for (position, receipt) in receipts.iter().enumerate() {
        let context = || format!("statement, order {}: {receipt:?}", position + 1);
        if receipt.kind == Kind::Save {
            let is_it =
                position == 0 && (receipt.coins, &*receipt.bill_no) == (seat.saved, &*seat.save_bill_no());
            ensure!(is_it, "{} was never asked for", context());
            account = seat.opening.clone();
        } else {
            let asked = asked(seat.name, receipt).with_context(context)?;
            let told = account.carry_out(asked);
            let is_right = match told {
                Told::Given { .. } | Told::GivenBack => true,
                Told::Taken { gifted, .. } => gifted == receipt.gifted,
                Told::Exists { .. } | Told::AnotherExists | Told::Refused { .. } | Told::Sums(_) => false,
            };
            ensure!(is_right, "{} does not follow: {told:?}", context());
            ensure!(made.insert(asked, (position, receipt)).is_none(), "{} is there twice", context());
        }
        let (ours, theirs) = (account.sums(), receipt.after);
        ensure!(
            [ours.balance, ours.gen_balance, ours.save_amt, ours.present_sum, ours.cost_sum]
                == [theirs.balance, theirs.gifted, theirs.saved, theirs.presented, theirs.spent]
                && theirs.orders == u64::try_from(position + 1)?,
            "{} should leave {ours:?}",
            context()
        );
    }
    let last = receipts.last().map(|receipt| receipt.after);
    ensure!(
        last.is_none_or(|last| last == sums),
        "the statement ends with {last:?}; the account has {sums:?}"
    );
    is_what_was_told(events, &made)?;
    Ok(made.into_keys().filter(|asked| matches!(asked, Asked::Present { .. } | Asked::Pay { .. })).collect())
}

/// Everything that was told is in the statement, with the balance that was told, and in an order that could be.
fn is_what_was_told(events: &[Event], made: &BTreeMap<Asked, (usize, &Receipt)>) -> anyhow::Result<()> {
    let mut asked: BTreeMap<Asked, Tick> = BTreeMap::new();
    let mut spans = Vec::new();
    for event in events {
        let first = asked.entry(event.asked).or_insert(event.sent);
        let Outcome::Told { told, at } = event.outcome else { continue };
        let balance = match told {
            Told::Given { balance } | Told::Taken { balance, .. } => Some(balance),
            Told::GivenBack | Told::Exists { .. } => None,
            Told::AnotherExists | Told::Refused { .. } | Told::Sums(_) => continue,
        };
        let Some((position, receipt)) = made.get(&event.asked) else { bail!("lost: {event}") };
        ensure!(
            balance.is_none_or(|balance| balance == receipt.after.balance),
            "{event}, and the receipt says {receipt:?}"
        );
        // It was applied after it was first asked for, and before this answer.
        spans.push((*position, *first, at));
    }
    for (order, (_, receipt)) in made {
        ensure!(asked.contains_key(order), "nobody asked for {receipt:?}");
    }
    spans.sort_unstable();
    let mut latest = 0;
    for (position, first, answered) in spans {
        ensure!(
            latest < answered,
            "order {} stands after one that was sent later than it ended",
            position + 1
        );
        latest = latest.max(first);
    }
    Ok(())
}

/// What somebody must have asked for, for this receipt to be.
fn asked(name: Name, receipt: &Receipt) -> anyhow::Result<Asked> {
    let bill = name.bill(&receipt.bill_no).context("it is not one of the account's bill numbers")?;
    let coins = receipt.coins;
    Ok(match receipt.kind {
        Kind::Present => Asked::Present { bill, coins },
        Kind::Pay => Asked::Pay { bill, coins },
        Kind::Cancel => Asked::Cancel { bill },
        Kind::Save => bail!("a top-up has another number"),
    })
}
