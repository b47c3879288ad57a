//! Comparison at the end of a round: the clients' histories, the operator API, and the bank's audit.
//!
//! A statement is itself a sequential order of the applied orders. So the contract must allow it. It must have every
//! acknowledged order once, with the acknowledged balance, and no order before one that had ended before it was sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use fastrand::Rng;
use pactolus_types::Environment;

use super::AccountId;
use super::calls::{AttemptOutcome, call};
use super::clients::{Harness, TestAccount};
use super::operator::{AccountSummary, Operator, OrderKind, Receipt, Total};
use super::tally::Tally;
use crate::history::account::{Account, Invocation, Response};
use crate::history::linearize::check_linearizable;
use crate::history::{Event, EventOutcome, Tick};

/// The accounts of earlier rounds, which no client uses any more.
#[derive(Default)]
pub(crate) struct ExpectedLedger {
    closed_accounts: Vec<ClosedAccount>,
    orders: u64,
}

struct ClosedAccount {
    id: AccountId,
    summary: AccountSummary,
    /// Some of its applied orders.
    applied: Vec<Invocation>,
}

/// Orders of a closed account that are remembered for later replays.
const REMEMBERED_ORDERS: usize = 20;
/// Replays at the end of each round, over all closed accounts.
const REPLAYS_PER_ROUND: usize = 20;

impl ExpectedLedger {
    /// Expected orders of the bank.
    pub(crate) fn orders(&self) -> u64 {
        self.orders
    }

    /// Expected accounts with orders.
    pub(crate) fn accounts(&self) -> u64 {
        u64::try_from(self.closed_accounts.iter().filter(|closed| closed.summary.orders > 0).count())
            .expect("a count of accounts fits")
    }

    /// Linearizes the histories of a resolved round, compares them with the operator API, and closes the accounts.
    pub(crate) async fn close_round(
        &mut self,
        harness: &Harness,
        operator: &Operator<'_>,
        test_accounts: Vec<Arc<TestAccount>>,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let mut totals: BTreeMap<(Environment, String), [Total; 4]> = BTreeMap::new();
        for test_account in test_accounts {
            let id = test_account.id;
            let events = test_account.history.events();
            let context = || format!("{id:?}");
            check_linearizable(&test_account.opening, &events).with_context(context)?;
            tally.histories += 1;
            tally.calls_explained += u64::try_from(events.len())?;
            let receipts = operator.statement(id).await?;
            let sums = operator.account_summary(id).await?;
            let applied = check_statement(&test_account, &events, &receipts, sums).with_context(context)?;
            self.orders += sums.orders;
            let of_zone = totals.entry((id.environment, id.zone())).or_default();
            for receipt in &receipts {
                of_zone[kind_index(receipt.kind)].add(Total { orders: 1, coins: receipt.coins });
            }
            self.closed_accounts.push(ClosedAccount {
                id,
                summary: sums,
                applied: applied.into_iter().take(REMEMBERED_ORDERS).collect(),
            });
        }
        let [from, to] = operator.days_around_today().await?;
        for ((environment, zone), expected) in totals {
            let actual = operator.totals(environment, &zone, (&from, &to)).await?;
            ensure!(actual == expected, "totals of {environment} {zone}: {actual:?} instead of {expected:?}");
        }
        self.replay_old_orders(harness, operator).await?;
        tally.drain_counters(&harness.counters);
        Ok(())
    }

    /// Replays some orders of earlier rounds. They exist and must change nothing.
    async fn replay_old_orders(&self, harness: &Harness, operator: &Operator<'_>) -> anyhow::Result<()> {
        let mut random = Rng::with_seed(self.orders);
        for _ in 0..REPLAYS_PER_ROUND {
            let closed = &self.closed_accounts[random.usize(..self.closed_accounts.len())];
            let Some(applied) = random.choice(&closed.applied) else { continue };
            let tried = call(&harness.http, operator.bank, closed.id, *applied, ANSWER_TIMEOUT).await?;
            let balance = closed.summary.balance;
            ensure!(
                matches!(tried, AttemptOutcome::Answered(Response::Replayed { balance: replayed }) if replayed == balance),
                "a retry of {applied:?} of {:?}, with the balance {balance}, is {tried:?}",
                closed.id
            );
        }
        Ok(())
    }

    /// Every closed account is unchanged.
    pub(crate) async fn check_closed_accounts(&self, operator: &Operator<'_>) -> anyhow::Result<()> {
        for ClosedAccount { id: name, summary: sums, .. } in &self.closed_accounts {
            let now = operator.account_summary(*name).await?;
            ensure!(now == *sums, "{name:?} was closed with {sums:?} and has {now:?}");
        }
        Ok(())
    }
}

/// Timeout of one call while no fault is active.
const ANSWER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

fn kind_index(kind: OrderKind) -> usize {
    match kind {
        OrderKind::Save => 0,
        OrderKind::Present => 1,
        OrderKind::Pay => 2,
        OrderKind::Cancel => 3,
    }
}

/// Compares a statement with the clients' answers, and returns its presents and pays.
fn check_statement(
    test_account: &TestAccount,
    events: &[Event],
    receipts: &[Receipt],
    sums: AccountSummary,
) -> anyhow::Result<Vec<Invocation>> {
    let mut account = Account::default();
    let mut applied: BTreeMap<Invocation, (usize, &Receipt)> = BTreeMap::new();
    for (position, receipt) in receipts.iter().enumerate() {
        let context = || format!("statement, order {}: {receipt:?}", position + 1);
        if receipt.kind == OrderKind::Save {
            let is_it = position == 0
                && (receipt.coins, &*receipt.bill_no)
                    == (test_account.top_up_coins, &*test_account.save_bill_no());
            ensure!(is_it, "{} was never asked for", context());
            account = test_account.opening.clone();
        } else {
            let invocation = invocation_for(test_account.id, receipt).with_context(context)?;
            let response = account.apply(invocation);
            let is_right = match response {
                Response::Presented { .. } | Response::Cancelled => true,
                Response::Paid { gifted, .. } => gifted == receipt.gifted,
                Response::Replayed { .. }
                | Response::Conflict
                | Response::Refused { .. }
                | Response::Balances(_) => false,
            };
            ensure!(is_right, "{} breaks the contract: {response:?}", context());
            ensure!(
                applied.insert(invocation, (position, receipt)).is_none(),
                "{} is there twice",
                context()
            );
        }
        let (ours, theirs) = (account.balances(), receipt.after);
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
    check_responses(events, &applied)?;
    Ok(applied
        .into_keys()
        .filter(|asked| matches!(asked, Invocation::Present { .. } | Invocation::Pay { .. }))
        .collect())
}

/// Every acknowledged order is in the statement, with the acknowledged balance, in a possible real-time order.
fn check_responses(
    events: &[Event],
    applied: &BTreeMap<Invocation, (usize, &Receipt)>,
) -> anyhow::Result<()> {
    let mut first_sent: BTreeMap<Invocation, Tick> = BTreeMap::new();
    let mut spans = Vec::new();
    for event in events {
        let first = first_sent.entry(event.invocation).or_insert(event.sent_at);
        let EventOutcome::Answered { response, answered_at: at } = event.outcome else { continue };
        let balance = match response {
            Response::Presented { balance } | Response::Paid { balance, .. } => Some(balance),
            Response::Cancelled | Response::Replayed { .. } => None,
            Response::Conflict | Response::Refused { .. } | Response::Balances(_) => continue,
        };
        let Some((position, receipt)) = applied.get(&event.invocation) else { bail!("lost: {event}") };
        ensure!(
            balance.is_none_or(|balance| balance == receipt.after.balance),
            "{event}, and the receipt says {receipt:?}"
        );
        // It was applied after its first sending and before this answer.
        spans.push((*position, *first, at));
    }
    for (order, (_, receipt)) in applied {
        ensure!(first_sent.contains_key(order), "{receipt:?} was never asked for");
    }
    spans.sort_unstable();
    let mut latest = 0;
    for (position, first, answered) in spans {
        ensure!(
            latest < answered,
            "order {} was answered before an order in front of it was sent",
            position + 1
        );
        latest = latest.max(first);
    }
    Ok(())
}

/// The call that this receipt implies.
fn invocation_for(id: AccountId, receipt: &Receipt) -> anyhow::Result<Invocation> {
    let bill = id.parse_bill_no(&receipt.bill_no).context("it is not one of the account's bill numbers")?;
    let coins = receipt.coins;
    Ok(match receipt.kind {
        OrderKind::Present => Invocation::Present { bill, coins },
        OrderKind::Pay => Invocation::Pay { bill, coins },
        OrderKind::Cancel => Invocation::Cancel { bill },
        OrderKind::Save => bail!("a top-up has another number"),
    })
}
