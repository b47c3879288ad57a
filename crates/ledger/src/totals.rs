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
    pub fn for_order(order: &Order, at: UnixMillis) -> Self {
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
            day: Day::from_time(at),
        }
    }
}

/// The sums of one offer, zone and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// Which.
    pub key: TotalKey,
    /// Of each kind of order.
    pub tallies: OrderTallies,
}

/// How many orders of each kind, and their coins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderTallies {
    /// Top-ups.
    pub saves: OrderTally,
    /// Gifts.
    pub presents: OrderTally,
    /// Pays, cancelled or not.
    pub pays: OrderTally,
    /// Cancels.
    pub cancels: OrderTally,
}

/// A number of orders and the coins they moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderTally {
    /// How many orders.
    pub orders: u64,
    /// How many coins: with 2^64 orders of 2^53 coins each there is room left.
    pub coins: u128,
}

impl OrderTallies {
    /// Counts in an order that moved so many coins.
    pub fn add(&mut self, kind: OrderKind, coins: Coins) {
        match kind {
            OrderKind::Save(_) => self.saves.add(coins),
            OrderKind::Present(_) => self.presents.add(coins),
            OrderKind::Pay(_) => self.pays.add(coins),
            OrderKind::Cancel { .. } => self.cancels.add(coins),
        }
    }

    /// The tallies with their kinds' names.
    pub const fn by_kind(&self) -> [(&'static str, OrderTally); 4] {
        [("save", self.saves), ("present", self.presents), ("pay", self.pays), ("cancel", self.cancels)]
    }
}

impl OrderTally {
    fn add(&mut self, coins: Coins) {
        self.orders = self.orders.saturating_add(1);
        self.coins = self.coins.saturating_add(u128::from(coins.get()));
    }
}
