//! One account through every jump, called by one caller, who knows what each answer has to be.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use fastrand::Rng;
use pactolus_types::Environment;

use super::{DAY_MS, HOUR_MS, LAST_MS, turn};
use crate::history::account::{Account, Asked, Bill, Told};
use crate::workload::Name;
use crate::workload::calls::{Tried, call};
use crate::workload::clients::World;
use crate::workload::operator::{Operator, Receipt};

/// The most coins that the bank gives a player in a zone on one day; callers at once never reach it.
pub(super) const PRESENT_MAX_PER_DAY: u64 = 5000;
/// Two of these a day, and no third.
const PRESENT: u64 = 2000;
const PAY: u64 = 100;
const CANCEL_WINDOW_MS: u64 = 48 * HOUR_MS;

const INVALID_PARAMETER: i32 = 90018;
const ORDER_CONFIRMED: i32 = 90014;
const NO_SESSION: i32 = 90010;

const NAME: Name = Name { environment: Environment::Live, player: 7, server: 0 };
const TIMEOUT: Duration = Duration::from_secs(20);

/// What the player has by the contract.
#[derive(Default)]
pub(super) struct Player {
    account: Account,
    next_bill: Bill,
    /// Every order with its first receipt.
    receipts: Vec<(Asked, Receipt)>,
    pays: Vec<Pay>,
    /// The last day that began for the gifts, and the coins given on it.
    day: u64,
    given: u64,
}

struct Pay {
    bill: Bill,
    coins: u64,
    at_ms: u64,
    is_cancelled: bool,
}

impl Player {
    /// How many orders the account has.
    pub(super) fn orders(&self) -> u64 {
        u64::try_from(self.receipts.len()).expect("a count of orders fits")
    }

    /// Does all that goes by time, at `now`.
    pub(super) async fn lives_on(
        &mut self,
        world: &World,
        operator: &Operator<'_>,
        now: u64,
        random: &mut Rng,
    ) -> anyhow::Result<()> {
        self.logs_in(world, operator).await?;
        self.replays(world, operator, random).await?;
        for _ in 0..3 {
            self.is_given(world, operator, now).await?;
        }
        let pay = self.pays(world, operator, now).await?;
        if !self.pays.is_empty() {
            let chosen = random.usize(..self.pays.len());
            self.cancels(world, operator, chosen, now).await?;
            self.cancels(world, operator, chosen, now).await?;
        }
        // The end of the window, from both sides, and back again.
        if let Some(pay) = pay
            && now + CANCEL_WINDOW_MS < LAST_MS
            && random.u8(..3) == 0
        {
            for moment in [now + CANCEL_WINDOW_MS + 1, now + CANCEL_WINDOW_MS] {
                turn(operator, moment).await?;
                self.cancels(world, operator, pay, moment).await?;
            }
            turn(operator, now).await?;
            self.cancels(world, operator, pay, now).await?;
        }
        let told = self.told(world, operator, Asked::Balance).await?;
        let expected = Told::Sums(self.account.sums());
        ensure!(told == expected, "the balance is told as {told:?}, and should be {expected:?}");
        Ok(())
    }

    /// Before a login, whoever had one is either known or has to log in.
    async fn logs_in(&mut self, world: &World, operator: &Operator<'_>) -> anyhow::Result<()> {
        let told = self.told(world, operator, Asked::Balance).await?;
        let expected = Told::Sums(self.account.sums());
        let is_right = told == expected || told == Told::Refused { errcode: NO_SESSION };
        ensure!(is_right, "after the jump the balance is told as {told:?} instead of {expected:?}");
        operator.log_in(NAME).await
    }

    /// An order of long ago is a replay, with its first receipt.
    async fn replays(
        &mut self,
        world: &World,
        operator: &Operator<'_>,
        random: &mut Rng,
    ) -> anyhow::Result<()> {
        let made: Vec<_> =
            self.receipts.iter().filter(|(asked, _)| !matches!(asked, Asked::Cancel { .. })).collect();
        if made.is_empty() {
            return Ok(());
        }
        let (asked, first) = made[random.usize(..made.len())].clone();
        let told = self.told(world, operator, asked).await?;
        let expected = Told::Exists { balance: self.account.sums().balance };
        ensure!(told == expected, "{asked:?} repeated is {told:?} instead of {expected:?}");
        let (receipt, _) = operator.order(NAME.environment, &first.bill_no).await?;
        ensure!(receipt == first, "the receipt was {first:?} and is {receipt:?}");
        Ok(())
    }

    async fn is_given(&mut self, world: &World, operator: &Operator<'_>, now: u64) -> anyhow::Result<()> {
        let today = now / DAY_MS;
        if today > self.day {
            (self.day, self.given) = (today, 0);
        }
        let order = Asked::Present { bill: self.new_bill(), coins: PRESENT };
        if self.given + PRESENT > PRESENT_MAX_PER_DAY {
            let told = self.told(world, operator, order).await?;
            let refused = Told::Refused { errcode: INVALID_PARAMETER };
            ensure!(told == refused, "a gift over the day's limit is {told:?}");
            return Ok(());
        }
        self.given += PRESENT;
        self.does(world, operator, order, now).await.map(drop)
    }

    /// Pays, if there is enough; gives the pay's place.
    async fn pays(
        &mut self,
        world: &World,
        operator: &Operator<'_>,
        now: u64,
    ) -> anyhow::Result<Option<usize>> {
        let bill = self.new_bill();
        let told = self.does(world, operator, Asked::Pay { bill, coins: PAY }, now).await?;
        if !told.is_done() {
            return Ok(None);
        }
        self.pays.push(Pay { bill, coins: PAY, at_ms: now, is_cancelled: false });
        Ok(Some(self.pays.len() - 1))
    }

    async fn cancels(
        &mut self,
        world: &World,
        operator: &Operator<'_>,
        pay: usize,
        now: u64,
    ) -> anyhow::Result<()> {
        let Pay { bill, at_ms, is_cancelled, .. } = self.pays[pay];
        let order = Asked::Cancel { bill };
        if !is_cancelled && now.saturating_sub(at_ms) > CANCEL_WINDOW_MS {
            let told = self.told(world, operator, order).await?;
            let refused = Told::Refused { errcode: ORDER_CONFIRMED };
            ensure!(told == refused, "a cancel of a pay of {at_ms} at {now} is {told:?}");
            return Ok(());
        }
        self.does(world, operator, order, now).await?;
        self.pays[pay].is_cancelled = true;
        Ok(())
    }

    /// An order that time does not stand against: it does what the contract says, and is dated now.
    async fn does(
        &mut self,
        world: &World,
        operator: &Operator<'_>,
        order: Asked,
        now: u64,
    ) -> anyhow::Result<Told> {
        let expected = self.account.carry_out(order);
        let told = self.told(world, operator, order).await?;
        ensure!(told == expected, "{order:?} at {now} is {told:?} instead of {expected:?}");
        if told.is_done() {
            let bill = match order {
                Asked::Present { bill, .. } | Asked::Pay { bill, .. } | Asked::Cancel { bill } => bill,
                Asked::Balance => bail!("a look is no order"),
            };
            let (receipt, cancel) = operator.order(NAME.environment, &NAME.bill_no(bill)).await?;
            let receipt = match order {
                Asked::Cancel { .. } => cancel.context("the cancel is not there")?,
                _ => receipt,
            };
            ensure!(receipt.at_ms == now, "{order:?} at {now} is dated {}", receipt.at_ms);
            self.receipts.push((order, receipt));
        }
        Ok(told)
    }

    async fn told(&self, world: &World, operator: &Operator<'_>, asked: Asked) -> anyhow::Result<Told> {
        match call(&world.http, operator.bank, NAME, asked, TIMEOUT).await? {
            Tried::Told(told) => Ok(told),
            tried @ (Tried::Unknown | Tried::NotSent) => bail!("{asked:?} is not answered: {tried:?}"),
        }
    }

    fn new_bill(&mut self) -> Bill {
        self.next_bill += 1;
        self.next_bill
    }

    /// The statement is readable, and holds all receipts as they were at first, in the order in which they were made.
    pub(super) async fn is_told_right(&self, operator: &Operator<'_>) -> anyhow::Result<()> {
        let statement = operator.statement(NAME).await?;
        ensure!(statement.len() == self.receipts.len(), "{} orders in the statement", statement.len());
        for (told, (_, first)) in statement.iter().zip(&self.receipts) {
            ensure!(told == first, "the statement says {told:?} instead of {first:?}");
        }
        let taken: u64 = self.pays.iter().filter(|pay| !pay.is_cancelled).map(|pay| pay.coins).sum();
        let spent = operator.sums(NAME).await?.spent;
        ensure!(spent == taken, "{spent} coins are spent, and {taken} were taken and not given back");
        Ok(())
    }
}
