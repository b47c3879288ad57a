//! Totals: sums of orders per offer, zone and day.

use pactolus_types::{AppId, Coins, Day, Environment, OfferId, UnixMillis, ZoneId};

use crate::order::{Order, OrderKind};

/// Key of a total: one offer, zone and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TotalKey {
    /// The mini game.
    pub app: AppId,
    /// Live or sandbox.
    pub environment: Environment,
    /// The coin.
    pub offer: OfferId,
    /// The game server: the zone up to the `_` that joins a role, so that totals do not grow with the roles.
    pub zone: ZoneId,
    /// The day of the decision.
    pub day: Day,
}

impl TotalKey {
    /// The key of the total that counts an order decided at `at`.
    pub fn for_order(order: &Order, at: UnixMillis) -> Self {
        let account = &order.account;
        let server = match account.zone.as_bytes().iter().position(|byte| *byte == b'_') {
            None => account.zone,
            // A zone that begins with `_` names no server and counts as it is.
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

/// The total of one offer, zone and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// Offer, zone and day.
    pub key: TotalKey,
    /// Tallies by kind of order.
    pub tallies: OrderTallies,
}

/// Orders and coins by kind of order.
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
    /// Debits, with the coins that they took.
    pub debits: OrderTally,
}

/// A number of orders and the coins they moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderTally {
    /// Number of orders.
    pub orders: u64,
    /// Number of coins; 2^64 orders of 2^53 coins each fit.
    pub coins: u128,
}

impl OrderTallies {
    /// Adds an order that moved this many coins.
    pub fn add(&mut self, kind: OrderKind, coins: Coins) {
        match kind {
            OrderKind::Save(_) => self.saves.add(coins),
            OrderKind::Present(_) => self.presents.add(coins),
            OrderKind::Pay(_) => self.pays.add(coins),
            OrderKind::Cancel { .. } => self.cancels.add(coins),
            OrderKind::Debit(_) => self.debits.add(coins),
        }
    }

    /// The tallies with the names of their kinds.
    pub const fn by_kind(&self) -> [(&'static str, OrderTally); 5] {
        [
            ("save", self.saves),
            ("present", self.presents),
            ("pay", self.pays),
            ("cancel", self.cancels),
            ("debit", self.debits),
        ]
    }
}

impl OrderTally {
    fn add(&mut self, coins: Coins) {
        self.orders = self.orders.saturating_add(1);
        self.coins = self.coins.saturating_add(u128::from(coins.get()));
    }
}
