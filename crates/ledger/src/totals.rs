//! Sums of orders per offer, zone and day.

use pactolus_types::{AppId, Coins, Day, Environment, OfferId, UnixMillis, ZoneId};

use crate::order::{Order, OrderKind};

/// Which sums: those of one offer, zone and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TotalKey {
    /// The mini game.
    pub app: AppId,
    /// Live or sandbox.
    pub environment: Environment,
    /// The coin.
    pub offer: OfferId,
    /// The game server: the zone up to the `_` that joins a role, so that there are not as many sums as roles.
    pub zone: ZoneId,
    /// The day on which the bank decided.
    pub day: Day,
}

impl TotalKey {
    /// The sums to which an order counts that was decided at this time.
    pub fn of(order: &Order, at: UnixMillis) -> Self {
        let account = &order.account;
        let server = match account.zone.as_bytes().iter().position(|byte| *byte == b'_') {
            None => account.zone,
            // A zone that begins with `_` names no server; it counts as it is.
            Some(end) => ZoneId::new(&account.zone.as_str()[..end]).unwrap_or(account.zone),
        };
        Self {
            app: account.app,
            environment: account.environment,
            offer: account.offer,
            zone: server,
            day: Day::of(at),
        }
    }
}

/// The sums of one offer, zone and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// Which.
    pub key: TotalKey,
    /// Of each kind of order.
    pub sums: Sums,
}

/// How many orders of each kind, and their coins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Top-ups.
    pub saves: Tally,
    /// Gifts.
    pub presents: Tally,
    /// Pays, cancelled or not.
    pub pays: Tally,
    /// Cancels.
    pub cancels: Tally,
}

/// A number of orders and the coins they moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many orders.
    pub orders: u64,
    /// How many coins: with 2^64 orders of 2^53 coins each there is room left.
    pub coins: u128,
}

impl Sums {
    /// Counts in an order that moved so many coins.
    pub fn count(&mut self, kind: OrderKind, coins: Coins) {
        match kind {
            OrderKind::Save(_) => self.saves.count(coins),
            OrderKind::Present(_) => self.presents.count(coins),
            OrderKind::Pay(_) => self.pays.count(coins),
            OrderKind::Cancel { .. } => self.cancels.count(coins),
        }
    }

    /// The tallies with their kinds' names.
    pub const fn by_kind(&self) -> [(&'static str, Tally); 4] {
        [("save", self.saves), ("present", self.presents), ("pay", self.pays), ("cancel", self.cancels)]
    }
}

impl Tally {
    fn count(&mut self, coins: Coins) {
        self.orders = self.orders.saturating_add(1);
        self.coins = self.coins.saturating_add(u128::from(coins.get()));
    }
}
