//! Order workload: all kinds of orders, few players, reused bill numbers.
//!
//! Order `number` of a seed is always the same, so a repeated number is an exact retry.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pactolus_ledger::{
    AccountKey, CoinPart, DailyLimit, Debit, Gift, GiftLimits, LimitDays, Memo, Numbering, Order, OrderKind,
    Periods, Refund, Shortfall,
};
use pactolus_test_support::orders::{account, amount};
use pactolus_test_support::sample::{APPID, NOW};
use pactolus_types::{AppId, Environment, QuarterHour, UnixMillis, UtcOffset};

const PLAYERS: usize = 4;
const ZONES: [&str; 2] = ["1", "1_7"];
/// Longest distance to a reused number.
const REUSE_DISTANCE_MAX: u64 = 24;
/// The bank's time advances by this with each number, so a day has some two hundred orders.
const TIME_STEP: Duration = Duration::from_secs(420);
const CANCEL_WINDOW: Duration = Duration::from_secs(86_400);

/// Generator of orders.
pub(crate) struct OrdersWorkload {
    seed: u64,
    next: AtomicU64,
}

impl OrdersWorkload {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, next: AtomicU64::new(0) }
    }

    /// The bank's time.
    pub(crate) fn now(&self) -> UnixMillis {
        let passed =
            TIME_STEP.saturating_mul(u32::try_from(self.next.load(Ordering::Relaxed)).unwrap_or(u32::MAX));
        NOW.saturating_add(passed)
    }

    pub(crate) fn app() -> AppId {
        APPID.parse().expect("it is an app's id")
    }

    /// Periods of the totals: the first hours one by one, then everything after them.
    pub(crate) fn hours() -> Periods {
        let start = QuarterHour::from_time(NOW).get();
        let bounds = (0..48).map(|hour| QuarterHour::new(start + 4 * hour)).chain([QuarterHour::MAX]);
        Periods::new(bounds.collect()).expect("they are in order")
    }

    /// Every account of the workload.
    pub(crate) fn accounts() -> impl Iterator<Item = AccountKey> {
        let zones = move |player, environment| ZONES.map(|zone| (player, environment, zone));
        let players =
            (0..PLAYERS).flat_map(|player| Environment::ALL.map(|environment| (player, environment)));
        let app = Self::app();
        players.flat_map(move |(player, environment)| zones(player, environment)).map(
            move |(player, environment, zone)| AccountKey {
                app,
                environment,
                zone: zone.parse().expect("it is a zone"),
                ..account(&format!("player-{player}"))
            },
        )
    }

    /// The next order: a new one, a retry, another order with a used bill number, or a cancel.
    pub(crate) fn next_order(&self, random: &mut fastrand::Rng) -> Order {
        let last = self.next.load(Ordering::Relaxed);
        let before = |random: &mut fastrand::Rng| last.saturating_sub(random.u64(1..REUSE_DISTANCE_MAX));
        match random.u8(..24) {
            0 | 1 => self.order_no(before(random)),
            2 => Order { kind: OrderKind::Pay(amount(777)), ..self.order_no(before(random)) },
            3..6 => {
                let window = CANCEL_WINDOW;
                let memo = Memo::default();
                Order { kind: OrderKind::Cancel { window }, memo, ..self.order_no(before(random)) }
            }
            20.. => self.refund_of(before(random), random),
            _ => self.order_no(self.next.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// A refund under one of a few numbers, so that some are repeated. Most name a pay.
    fn refund_of(&self, number: u64, random: &mut fastrand::Rng) -> Order {
        let pay = self.order_no(number);
        let bill_no = format!("refund-{number}-{}", random.u8(..4)).parse().expect("it is a bill number");
        let (amount, window) = (amount(random.u64(1..=20)), random.bool().then_some(CANCEL_WINDOW));
        let kind = OrderKind::Refund(Refund { pay: pay.bill_no, amount, window });
        Order { bill_no, numbering: Numbering::OfAccount, kind, memo: Memo::default(), ..pay }
    }

    fn order_no(&self, number: u64) -> Order {
        let mut random = fastrand::Rng::with_seed(self.seed.wrapping_mul(0x9e37_79b9).wrapping_add(number));
        let account = random.choice(Self::accounts().collect::<Vec<_>>()).expect("there are some");
        let coins = amount(random.u64(1..=30));
        let offset = UtcOffset::from_minutes(random.choice([0, 480, 345]).expect("one of three"));
        let days = LimitDays::Local(offset.expect("an offset of a time zone"));
        let per_day = random.bool().then(|| DailyLimit { max: amount(200), days });
        let limits = GiftLimits { per_order: None, per_day };
        let debit = Debit {
            amount: coins,
            shortfall: if random.bool() { Shortfall::Refuse } else { Shortfall::TakeAvailable },
            first: if random.bool() { CoinPart::Gifted } else { CoinPart::Paid },
        };
        let kind = match random.u8(..12) {
            0..3 => OrderKind::Save(coins),
            3..6 => OrderKind::Present(Gift { amount: coins, limits }),
            6..10 => OrderKind::Pay(coins),
            _ => OrderKind::Debit(debit),
        };
        // Sometimes so long that the order is larger than a page.
        let remark = match random.u8(..20) {
            0 => "剑".repeat(random.usize(..300)),
            1..5 => "a sword".repeat(random.usize(..10)),
            _ => String::new(),
        };
        let item = if remark.len() > 600 { "item".repeat(250) } else { String::new() };
        Order {
            account,
            bill_no: format!("bill-{number}").parse().expect("it is a bill number"),
            numbering: if number.is_multiple_of(2) { Numbering::OfAccount } else { Numbering::OfApp },
            kind,
            memo: Memo::new(&item, &remark).expect("they are short enough"),
        }
    }
}
