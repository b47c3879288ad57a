//! An account: one player's coins in one zone of one offer and environment.

use pactolus_types::{AppId, Coins, Day, Environment, OfferId, OpenId, UnixMillis, ZoneId};

use crate::gift::{DailyGifts, Gift};

/// Which account.
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
    /// The game server, and the role where there are roles.
    pub zone: ZoneId,
}

/// The coins of an account and the sums of its orders.
///
/// Four sums are kept and the rest follows from them, so that
/// `balance = save_sum − cost_sum` and `save_sum = saved + presented` cannot be false;
/// that `gifted ≤ balance` holds is checked wherever an account is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Account {
    saved: Coins,
    presented: Coins,
    spent: Coins,
    gifted: Coins,
    orders: u64,
    daily_gifts: DailyGifts,
}

impl Account {
    /// The account with these sums, or nothing if no orders can have made them.
    ///
    /// `saved` and `presented` are the coins ever topped up and ever given, `spent` those spent and not given
    /// back, `gifted` the gifted part of what is left, `orders` the number of its orders.
    pub fn new(saved: Coins, presented: Coins, spent: Coins, gifted: Coins, orders: u64) -> Option<Self> {
        let daily_gifts = DailyGifts::default();
        let account = Self { saved, presented, spent, gifted, orders, daily_gifts };
        let balance = saved.checked_add(presented)?.checked_sub(spent)?;
        (gifted <= balance && gifted <= presented).then_some(account)
    }

    /// The account with these gifts of its last day under a limit, or nothing if they are more than all its gifts.
    pub fn with_daily_gifts(self, daily_gifts: DailyGifts) -> Option<Self> {
        (daily_gifts.coins <= self.presented).then_some(Self { daily_gifts, ..self })
    }

    /// All coins: the paid and the gifted part.
    pub fn balance(&self) -> Coins {
        self.save_sum().checked_sub(self.spent).expect("no account spends more than it received")
    }

    /// The part of the balance that was topped up.
    pub fn paid(&self) -> Coins {
        self.balance().checked_sub(self.gifted).expect("the gifted part is a part of the balance")
    }

    /// The part of the balance that was given.
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

    /// Coins ever received: topped up and given.
    pub fn save_sum(&self) -> Coins {
        self.saved.checked_add(self.presented).expect("an order that passes the maximum is refused")
    }

    /// Coins spent and not given back by a cancel.
    pub const fn spent(&self) -> Coins {
        self.spent
    }

    /// The gifts of its last day with one under a day's limit.
    pub const fn daily_gifts(&self) -> DailyGifts {
        self.daily_gifts
    }

    /// The gifts that count to the limit of the day at `now`.
    ///
    /// A day that has begun for an account does not end because the clock goes back: two gifts decided around
    /// midnight, the later day's first, would otherwise begin the earlier day anew, limit and all.
    pub fn daily_gifts_at(&self, now: UnixMillis) -> DailyGifts {
        match Day::from_time(now) {
            today if today > self.daily_gifts.day => DailyGifts { day: today, coins: Coins::ZERO },
            _ => self.daily_gifts,
        }
    }

    /// How many orders the account has; the next one's number is one more.
    pub const fn orders(&self) -> u64 {
        self.orders
    }

    /// After a top-up of `coins`, or nothing if the sums would pass the maximum.
    pub(crate) fn save(&self, coins: Coins) -> Option<Self> {
        let saved = self.saved.checked_add(coins)?;
        self.after_order(saved, self.presented, self.spent, self.gifted)
    }

    /// After `gift` at `now`, or nothing if the sums would pass the maximum.
    pub(crate) fn present(&self, gift: Gift, now: UnixMillis) -> Option<Self> {
        let coins = gift.amount.coins();
        let presented = self.presented.checked_add(coins)?;
        let account = self.after_order(self.saved, presented, self.spent, self.gifted.checked_add(coins)?)?;
        if gift.limits.per_day.is_none() {
            return Some(account);
        }
        let before = self.daily_gifts_at(now);
        account.with_daily_gifts(DailyGifts { coins: before.coins.checked_add(coins)?, ..before })
    }

    /// After spending `coins`, `gifted` of them gifted ones, or nothing if there are fewer.
    pub(crate) fn pay(&self, coins: Coins, gifted: Coins) -> Option<Self> {
        let spent = self.spent.checked_add(coins)?;
        self.after_order(self.saved, self.presented, spent, self.gifted.checked_sub(gifted)?)
    }

    /// After getting back the `coins` that a pay took, `gifted` of them gifted ones.
    pub(crate) fn cancel(&self, coins: Coins, gifted: Coins) -> Option<Self> {
        let spent = self.spent.checked_sub(coins)?;
        self.after_order(self.saved, self.presented, spent, self.gifted.checked_add(gifted)?)
    }

    /// The account one order later, with these sums.
    fn after_order(&self, saved: Coins, presented: Coins, spent: Coins, gifted: Coins) -> Option<Self> {
        Self::new(saved, presented, spent, gifted, self.orders.checked_add(1)?)?
            .with_daily_gifts(self.daily_gifts)
    }
}
