//! Totals: sums of orders per offer, zone and quarter of an hour.
//!
//! A quarter is fine enough for the day of every time zone, and engines know no time zones: [`Periods`] says which
//! quarters a caller wants summed up. An audit compares [`DaySums`], so that its memory grows with days.

use std::collections::BTreeMap;

use pactolus_types::{AppId, Coins, Environment, OfferId, QuarterHour, UnixMillis, ZoneId};

use crate::order::{Order, OrderKind};

/// Key of a stored total: one offer, zone and quarter of an hour.
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
    /// The quarter of the decision.
    pub quarter: QuarterHour,
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
            quarter: QuarterHour::from_time(at),
        }
    }
}

/// Consecutive periods of whole quarters of an hour: each begins where the one before ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Periods(Vec<QuarterHour>);

impl Periods {
    /// The periods between these bounds; `None` if they are not in order, or fewer than two.
    ///
    /// A period is empty if its bounds are equal: a time zone may skip a day.
    pub fn new(bounds: Vec<QuarterHour>) -> Option<Self> {
        (bounds.len() >= 2 && bounds.is_sorted()).then_some(Self(bounds))
    }

    /// One period of all time.
    pub fn whole() -> Self {
        Self(vec![QuarterHour::MIN, QuarterHour::MAX])
    }

    /// The start of each period, and the end of the last.
    pub fn bounds(&self) -> &[QuarterHour] {
        &self.0
    }

    /// The first quarter, and the first after all periods.
    pub fn span(&self) -> (QuarterHour, QuarterHour) {
        let [first, .., end] = self.0[..] else { return (QuarterHour::MIN, QuarterHour::MIN) };
        (first, end)
    }

    /// The number of the period that holds `quarter`, from 0.
    pub fn index_of(&self, quarter: QuarterHour) -> Option<usize> {
        let begun = self.0.partition_point(|bound| *bound <= quarter);
        (begun < self.0.len()).then_some(begun)?.checked_sub(1)
    }
}

/// The total of one offer, zone and period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// The coin.
    pub offer: OfferId,
    /// The game server, as in [`TotalKey::zone`].
    pub zone: ZoneId,
    /// Number of the period, from 0.
    pub period: usize,
    /// Tallies by kind of order.
    pub tallies: OrderTallies,
}

/// Adds stored totals of one app and environment up to those of periods.
#[derive(Debug)]
pub struct PeriodSums<'a> {
    periods: &'a Periods,
    sums: BTreeMap<(OfferId, ZoneId, usize), OrderTallies>,
}

impl<'a> PeriodSums<'a> {
    /// Empty sums of these periods.
    pub fn new(periods: &'a Periods) -> Self {
        Self { periods, sums: BTreeMap::new() }
    }

    /// Adds a stored total, if it is in a period.
    pub fn add(&mut self, key: &TotalKey, tallies: &OrderTallies) {
        if let Some(period) = self.periods.index_of(key.quarter) {
            self.sums.entry((key.offer, key.zone, period)).or_default().merge(tallies);
        }
    }

    /// The totals, sorted by offer, zone and period.
    pub fn into_totals(self) -> Vec<Total> {
        let total = |((offer, zone, period), tallies)| Total { offer, zone, period, tallies };
        self.sums.into_iter().map(total).collect()
    }
}

/// Sums of an audit per offer, zone and UTC day: exact for the day, and with a checksum over its quarters.
///
/// The checksum is linear: it adds each quarter's counts, times a number of that quarter and kind. So orders and stored
/// rows give the same one in any sequence, and orders counted in a wrong quarter change it, but for one in 2^64.
#[derive(Debug, Default)]
pub struct DaySums(BTreeMap<TotalKey, DaySum>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct DaySum {
    tallies: OrderTallies,
    checksum: u128,
}

impl DaySums {
    /// Counts an order decided at `at` that moved this many coins.
    pub fn count(&mut self, order: &Order, at: UnixMillis, coins: Coins) {
        let mut tallies = OrderTallies::default();
        tallies.add(order.kind, coins);
        self.add(&TotalKey::for_order(order, at), &tallies);
    }

    /// Adds a stored total.
    pub fn add(&mut self, key: &TotalKey, tallies: &OrderTallies) {
        let day = self.0.entry(day_key(key)).or_default();
        day.tallies.merge(tallies);
        for (kind, (_, tally)) in (0_u64..).zip(tallies.by_kind()) {
            let weight = |part: u64| {
                let name = u64::from(key.quarter.get()).wrapping_shl(8) | kind.wrapping_shl(1) | part;
                u128::from(mix(name))
            };
            let counted = weight(0).wrapping_mul(tally.orders.into());
            day.checksum =
                day.checksum.wrapping_add(counted).wrapping_add(weight(1).wrapping_mul(tally.coins));
        }
    }

    /// Drops the day of a total, which is not to be compared.
    pub fn remove_day(&mut self, key: &TotalKey) {
        self.0.remove(&day_key(key));
    }

    /// The days, each as the key of its first quarter, whose sums differ from `other`'s or are missing in one of both.
    pub fn differences(&self, other: &Self) -> Vec<TotalKey> {
        let differs = |key: &&TotalKey| self.0.get(key) != other.0.get(key);
        let missing = other.0.keys().filter(|key| !self.0.contains_key(key));
        self.0.keys().chain(missing).filter(differs).copied().collect()
    }
}

/// The key of the first quarter of a total's UTC day.
fn day_key(key: &TotalKey) -> TotalKey {
    TotalKey { quarter: key.quarter.start_of_day(), ..*key }
}

/// The finalizer of SplitMix64: neighbours get unrelated numbers.
const fn mix(name: u64) -> u64 {
    let name = name.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let name = (name ^ name.wrapping_shr(30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let name = (name ^ name.wrapping_shr(27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    name ^ name.wrapping_shr(31)
}

/// Orders and coins by kind of order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderTallies {
    /// Top-ups.
    pub saves: OrderTally,
    /// Gifts.
    pub presents: OrderTally,
    /// Pays, given back or not.
    pub pays: OrderTally,
    /// Cancels and refunds.
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
            OrderKind::Cancel { .. } | OrderKind::Refund(_) => self.cancels.add(coins),
            OrderKind::Debit(_) => self.debits.add(coins),
        }
    }

    /// Adds other tallies.
    pub fn merge(&mut self, other: &Self) {
        self.saves.merge(other.saves);
        self.presents.merge(other.presents);
        self.pays.merge(other.pays);
        self.cancels.merge(other.cancels);
        self.debits.merge(other.debits);
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

    fn merge(&mut self, other: Self) {
        self.orders = self.orders.saturating_add(other.orders);
        self.coins = self.coins.saturating_add(other.coins);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(quarter: u32) -> TotalKey {
        TotalKey {
            app: "wx1".parse().unwrap(),
            environment: Environment::Live,
            offer: "1".parse().unwrap(),
            zone: "1".parse().unwrap(),
            quarter: QuarterHour::new(quarter),
        }
    }

    fn tallies(orders: u64, coins: u128) -> OrderTallies {
        OrderTallies { presents: OrderTally { orders, coins }, ..OrderTallies::default() }
    }

    #[test]
    fn period_holds_its_first_quarter_and_not_its_end() {
        let periods = Periods::new([4, 8, 8, 12].map(QuarterHour::new).to_vec()).unwrap();
        let index = |quarter| periods.index_of(QuarterHour::new(quarter));
        assert_eq!([3, 4, 7, 8, 11, 12].map(index), [None, Some(0), Some(0), Some(2), Some(2), None]);
        assert_eq!(Periods::new(vec![QuarterHour::MIN]), None);
        assert_eq!(Periods::new(vec![QuarterHour::new(2), QuarterHour::new(1)]), None);
    }

    /// Rows of the same day in any sequence and any split are equal; a row in a wrong quarter, of another kind or with
    /// other sums is not, even if the day's sums are right.
    #[test]
    fn day_sums_detect_a_wrong_quarter() {
        let sums = |rows: &[(u32, u64, u128)]| {
            let mut sums = DaySums::default();
            for (quarter, orders, coins) in rows {
                sums.add(&key(*quarter), &tallies(*orders, *coins));
            }
            sums
        };
        let right = sums(&[(0, 1, 5), (95, 2, 10), (96, 1, 1)]);
        let split = sums(&[(96, 1, 1), (95, 1, 3), (0, 1, 5), (95, 1, 7)]);
        assert_eq!(right.differences(&split), []);
        for (wrong, days) in [
            (sums(&[(1, 1, 5), (95, 2, 10), (96, 1, 1)]), vec![0]),
            (sums(&[(0, 2, 10), (95, 1, 5), (96, 1, 1)]), vec![0]),
            (sums(&[(0, 1, 6), (95, 2, 9), (96, 1, 1)]), vec![0]),
            (sums(&[(0, 1, 5), (95, 2, 10), (96, 1, 2)]), vec![96]),
            (sums(&[(0, 1, 5), (95, 2, 10)]), vec![96]),
            (sums(&[(0, 1, 5), (95, 2, 10), (96, 1, 1), (192, 1, 1)]), vec![192]),
        ] {
            let expected: Vec<_> = days.into_iter().map(key).collect();
            assert_eq!(right.differences(&wrong), expected);
            assert_eq!(wrong.differences(&right), expected);
        }
    }
}
