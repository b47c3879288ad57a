//! Account: the coins of one player in one zone of one offer and environment.

use pactolus_types::{AppId, Coins, Environment, OfferId, OpenId, UnixMillis, ZoneId};

use crate::gift::{DailyGifts, Gift};

/// Identity of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey {
    /// The mini game.
    pub app: AppId,
    /// Live or sandbox.
    pub environment: Environment,
    /// The coin.
    pub offer: OfferId,
    /// The player.
    pub player: OpenId,
    /// The game server, joined with the role in games that have roles.
    pub zone: ZoneId,
}

/// The balance of an account and the sums of its orders.
///
/// Invariants: `balance = save_sum − spent − debited` and `save_sum = saved + presented` hold by construction, because
/// the balance and `save_sum` are derived from the stored sums. Every constructor checks `gifted ≤ balance`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Account {
    saved: Coins,
    presented: Coins,
    spent: Coins,
    debited: Coins,
    gifted: Coins,
    orders: u64,
    daily_gifts: DailyGifts,
}

impl Account {
    /// An account with these sums, or `None` if no sequence of orders can produce them.
    ///
    /// `saved` and `presented` are all coins ever topped up and given. `spent` excludes cancelled pays.
    /// `gifted` is the gifted part of the balance. `orders` is the number of orders.
    pub fn new(saved: Coins, presented: Coins, spent: Coins, gifted: Coins, orders: u64) -> Option<Self> {
        let (debited, daily_gifts) = (Coins::ZERO, DailyGifts::default());
        Self { saved, presented, spent, debited, gifted, orders, daily_gifts }.checked()
    }

    /// Sets the coins ever taken by debits, or returns `None` if no sequence of orders can produce these sums.
    pub fn with_debited(self, debited: Coins) -> Option<Self> {
        Self { debited, ..self }.checked()
    }

    fn checked(self) -> Option<Self> {
        let received = self.saved.checked_add(self.presented)?;
        let balance = received.checked_sub(self.spent)?.checked_sub(self.debited)?;
        (self.gifted <= balance && self.gifted <= self.presented).then_some(self)
    }

    /// Sets the gifts that count towards a daily limit, or returns `None` if they exceed all gifts of the account.
    pub fn with_daily_gifts(self, daily_gifts: DailyGifts) -> Option<Self> {
        (daily_gifts.coins <= self.presented).then_some(Self { daily_gifts, ..self })
    }

    /// All coins: the paid plus the gifted part.
    pub fn balance(&self) -> Coins {
        let left = self.save_sum().checked_sub(self.spent).and_then(|left| left.checked_sub(self.debited));
        left.expect("no account loses more than it received")
    }

    /// The part of the balance that was topped up.
    pub fn paid(&self) -> Coins {
        self.balance().checked_sub(self.gifted).expect("the gifted part is a part of the balance")
    }

    /// The gifted part of the balance.
    pub const fn gifted(&self) -> Coins {
        self.gifted
    }

    /// Coins ever topped up.
    pub const fn saved(&self) -> Coins {
        self.saved
    }

    /// Coins ever given.
    pub const fn presented(&self) -> Coins {
        self.presented
    }

    /// Coins ever received: topped up plus given.
    pub fn save_sum(&self) -> Coins {
        self.saved.checked_add(self.presented).expect("an order that passes the maximum is refused")
    }

    /// Coins spent, without cancelled pays.
    pub const fn spent(&self) -> Coins {
        self.spent
    }

    /// Coins ever taken by debits.
    pub const fn debited(&self) -> Coins {
        self.debited
    }

    /// Gifts under a daily limit, on the last day that had one.
    pub const fn daily_gifts(&self) -> DailyGifts {
        self.daily_gifts
    }

    /// Number of orders. The next order gets this number plus one.
    pub const fn orders(&self) -> u64 {
        self.orders
    }

    /// The account after a top-up; `None` if a sum would exceed the maximum.
    pub(crate) fn save(&self, coins: Coins) -> Option<Self> {
        Self { saved: self.saved.checked_add(coins)?, ..*self }.after_order()
    }

    /// The account after `gift` at `now`; `None` if a sum would exceed the maximum.
    pub(crate) fn present(&self, gift: Gift, now: UnixMillis) -> Option<Self> {
        let coins = gift.amount.coins();
        let (presented, gifted) = (self.presented.checked_add(coins)?, self.gifted.checked_add(coins)?);
        let account = Self { presented, gifted, ..*self }.after_order()?;
        let Some(limit) = gift.limits.per_day else { return Some(account) };
        let before = limit.count_at(self.daily_gifts, now);
        account.with_daily_gifts(DailyGifts { coins: before.coins.checked_add(coins)?, ..before })
    }

    /// The account after a pay of `coins`, `gifted` of them gifted; `None` if the balance is too low.
    pub(crate) fn pay(&self, coins: Coins, gifted: Coins) -> Option<Self> {
        let (spent, gifted) = (self.spent.checked_add(coins)?, self.gifted.checked_sub(gifted)?);
        Self { spent, gifted, ..*self }.after_order()
    }

    /// The account after the refund of a pay of `coins`, `gifted` of them gifted.
    pub(crate) fn cancel(&self, coins: Coins, gifted: Coins) -> Option<Self> {
        let (spent, gifted) = (self.spent.checked_sub(coins)?, self.gifted.checked_add(gifted)?);
        Self { spent, gifted, ..*self }.after_order()
    }

    /// The account after a debit that takes `coins`, `gifted` of them gifted.
    pub(crate) fn debit(&self, coins: Coins, gifted: Coins) -> Option<Self> {
        let (debited, gifted) = (self.debited.checked_add(coins)?, self.gifted.checked_sub(gifted)?);
        Self { debited, gifted, ..*self }.after_order()
    }

    /// The account with these sums and one order more.
    fn after_order(self) -> Option<Self> {
        Self { orders: self.orders.checked_add(1)?, ..self }.checked()
    }
}
