//! One account through every jump, with one sequential caller, so every answer is known in advance.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use fastrand::Rng;
use pactolus_types::Environment;

use super::{CLOCK_MAX_MS, DAY_MS, HOUR_MS, set_clock};
use crate::history::account::{Account, BillIndex, Invocation, Response};
use crate::workload::AccountId;
use crate::workload::calls::{AttemptOutcome, call};
use crate::workload::clients::Harness;
use crate::workload::operator::{Operator, Receipt};

/// Daily gift limit per player and zone, in coins; concurrent clients never reach it.
pub(super) const PRESENT_MAX_PER_DAY: u64 = 5000;
/// Two presents fit in a day's limit, a third does not.
const PRESENT_COINS: u64 = 2000;
const PAY_COINS: u64 = 100;
const CANCEL_WINDOW_MS: u64 = 48 * HOUR_MS;

const INVALID_PARAMETER: i32 = 90018;
const ORDER_CONFIRMED: i32 = 90014;
const NO_SESSION: i32 = 90010;

const ACCOUNT_ID: AccountId = AccountId { environment: Environment::Live, player: 7, server: 0 };
const TIMEOUT: Duration = Duration::from_secs(20);

/// The account's expected state by the contract.
#[derive(Default)]
pub(super) struct ExpectedPlayer {
    account: Account,
    next_bill: BillIndex,
    /// Every order with its first receipt.
    receipts: Vec<(Invocation, Receipt)>,
    pays: Vec<PayRecord>,
    /// Day of the limit's count, and the coins given on it.
    gift_day: u64,
    gifted_today: u64,
}

struct PayRecord {
    bill: BillIndex,
    coins: u64,
    at_ms: u64,
    is_cancelled: bool,
}

impl ExpectedPlayer {
    /// Orders of the account.
    pub(super) fn orders(&self) -> u64 {
        u64::try_from(self.receipts.len()).expect("a count of orders fits")
    }

    /// Exercises every time rule at `now`.
    pub(super) async fn exercise(
        &mut self,
        harness: &Harness,
        operator: &Operator<'_>,
        now: u64,
        random: &mut Rng,
    ) -> anyhow::Result<()> {
        self.check_login(harness, operator).await?;
        self.check_replay(harness, operator, random).await?;
        for _ in 0..3 {
            self.check_present(harness, operator, now).await?;
        }
        let pay = self.check_pay(harness, operator, now).await?;
        if !self.pays.is_empty() {
            let chosen = random.usize(..self.pays.len());
            self.check_cancel(harness, operator, chosen, now).await?;
            self.check_cancel(harness, operator, chosen, now).await?;
        }
        // Both sides of the end of the cancel window, then back to `now`.
        if let Some(pay) = pay
            && now + CANCEL_WINDOW_MS < CLOCK_MAX_MS
            && random.u8(..3) == 0
        {
            for moment in [now + CANCEL_WINDOW_MS + 1, now + CANCEL_WINDOW_MS] {
                set_clock(operator, moment).await?;
                self.check_cancel(harness, operator, pay, moment).await?;
            }
            set_clock(operator, now).await?;
            self.check_cancel(harness, operator, pay, now).await?;
        }
        let response = self.invoke(harness, operator, Invocation::Balance).await?;
        let expected = Response::Balances(self.account.balances());
        ensure!(response == expected, "the balance is {response:?} instead of {expected:?}");
        Ok(())
    }

    /// Before a new login, the old session is either valid or refused with "no session".
    async fn check_login(&mut self, harness: &Harness, operator: &Operator<'_>) -> anyhow::Result<()> {
        let response = self.invoke(harness, operator, Invocation::Balance).await?;
        let expected = Response::Balances(self.account.balances());
        let is_right = response == expected || response == Response::Refused { errcode: NO_SESSION };
        ensure!(is_right, "after the jump the balance is {response:?} instead of {expected:?}");
        operator.log_in(ACCOUNT_ID).await
    }

    /// A retry of an old order is a replay, with its first receipt.
    async fn check_replay(
        &mut self,
        harness: &Harness,
        operator: &Operator<'_>,
        random: &mut Rng,
    ) -> anyhow::Result<()> {
        let made: Vec<_> = self
            .receipts
            .iter()
            .filter(|(invocation, _)| !matches!(invocation, Invocation::Cancel { .. }))
            .collect();
        if made.is_empty() {
            return Ok(());
        }
        let (asked, first) = made[random.usize(..made.len())].clone();
        let response = self.invoke(harness, operator, asked).await?;
        let expected = Response::Replayed { balance: self.account.balances().balance };
        ensure!(response == expected, "{asked:?} repeated is {response:?} instead of {expected:?}");
        let (receipt, _) = operator.order(ACCOUNT_ID.environment, &first.bill_no).await?;
        ensure!(receipt == first, "the receipt was {first:?} and is {receipt:?}");
        Ok(())
    }

    async fn check_present(
        &mut self,
        harness: &Harness,
        operator: &Operator<'_>,
        now: u64,
    ) -> anyhow::Result<()> {
        let today = now / DAY_MS;
        // A count of today or tomorrow goes on; an earlier day is over, and a later one was a wrong clock's.
        if !(today..=today + 1).contains(&self.gift_day) {
            (self.gift_day, self.gifted_today) = (today, 0);
        }
        let order = Invocation::Present { bill: self.new_bill(), coins: PRESENT_COINS };
        if self.gifted_today + PRESENT_COINS > PRESENT_MAX_PER_DAY {
            let response = self.invoke(harness, operator, order).await?;
            let refused = Response::Refused { errcode: INVALID_PARAMETER };
            ensure!(response == refused, "a gift over the day's limit is {response:?}");
            return Ok(());
        }
        self.gifted_today += PRESENT_COINS;
        self.check_order(harness, operator, order, now).await.map(drop)
    }

    /// Pays if the balance is sufficient, and returns the pay's index.
    async fn check_pay(
        &mut self,
        harness: &Harness,
        operator: &Operator<'_>,
        now: u64,
    ) -> anyhow::Result<Option<usize>> {
        let bill = self.new_bill();
        let response =
            self.check_order(harness, operator, Invocation::Pay { bill, coins: PAY_COINS }, now).await?;
        if !response.is_applied() {
            return Ok(None);
        }
        self.pays.push(PayRecord { bill, coins: PAY_COINS, at_ms: now, is_cancelled: false });
        Ok(Some(self.pays.len() - 1))
    }

    async fn check_cancel(
        &mut self,
        harness: &Harness,
        operator: &Operator<'_>,
        pay: usize,
        now: u64,
    ) -> anyhow::Result<()> {
        let PayRecord { bill, at_ms, is_cancelled, .. } = self.pays[pay];
        let order = Invocation::Cancel { bill };
        if !is_cancelled && now.saturating_sub(at_ms) > CANCEL_WINDOW_MS {
            let response = self.invoke(harness, operator, order).await?;
            let refused = Response::Refused { errcode: ORDER_CONFIRMED };
            ensure!(response == refused, "a cancel of a pay of {at_ms} at {now} is {response:?}");
            return Ok(());
        }
        self.check_order(harness, operator, order, now).await?;
        self.pays[pay].is_cancelled = true;
        Ok(())
    }

    /// An order that no time rule refuses: it has the effect of the contract, and its receipt is dated `now`.
    async fn check_order(
        &mut self,
        harness: &Harness,
        operator: &Operator<'_>,
        order: Invocation,
        now: u64,
    ) -> anyhow::Result<Response> {
        let expected = self.account.apply(order);
        let response = self.invoke(harness, operator, order).await?;
        ensure!(response == expected, "{order:?} at {now} is {response:?} instead of {expected:?}");
        if response.is_applied() {
            let bill = match order {
                Invocation::Present { bill, .. }
                | Invocation::Pay { bill, .. }
                | Invocation::Cancel { bill } => bill,
                Invocation::Balance => bail!("a balance query is not an order"),
            };
            let (receipt, cancel) = operator.order(ACCOUNT_ID.environment, &ACCOUNT_ID.bill_no(bill)).await?;
            let receipt = match order {
                Invocation::Cancel { .. } => cancel.context("the cancel is missing")?,
                _ => receipt,
            };
            ensure!(receipt.at_ms == now, "{order:?} at {now} is dated {}", receipt.at_ms);
            self.receipts.push((order, receipt));
        }
        Ok(response)
    }

    async fn invoke(
        &self,
        harness: &Harness,
        operator: &Operator<'_>,
        invocation: Invocation,
    ) -> anyhow::Result<Response> {
        match call(&harness.http, operator.bank, ACCOUNT_ID, invocation, TIMEOUT).await? {
            AttemptOutcome::Answered(response) => Ok(response),
            tried @ (AttemptOutcome::Unknown | AttemptOutcome::NotSent) => {
                bail!("{invocation:?} is not answered: {tried:?}")
            }
        }
    }

    fn new_bill(&mut self) -> BillIndex {
        self.next_bill += 1;
        self.next_bill
    }

    /// The statement has every receipt unchanged, in the order of application.
    pub(super) async fn check_statement(&self, operator: &Operator<'_>) -> anyhow::Result<()> {
        let statement = operator.statement(ACCOUNT_ID).await?;
        ensure!(statement.len() == self.receipts.len(), "{} orders in the statement", statement.len());
        for (listed, (_, first)) in statement.iter().zip(&self.receipts) {
            ensure!(listed == first, "the statement has {listed:?} instead of {first:?}");
        }
        let taken: u64 = self.pays.iter().filter(|pay| !pay.is_cancelled).map(|pay| pay.coins).sum();
        let spent = operator.account_summary(ACCOUNT_ID).await?.spent;
        ensure!(spent == taken, "{spent} coins are spent, but the pays that stand are {taken}");
        Ok(())
    }
}
