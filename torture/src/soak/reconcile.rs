//! What the bank acknowledged, in a byte for each order, and whether all of it is there once.
//!
//! An order is known by the lane that sent it and its number there; everything else about it follows from the seed.

use pactolus_types::{Amount, BillNo, Environment};
use serde::Serialize;

use super::bank::ExportRow;

/// Which of the lanes, each of which sends one call at a time.
pub(super) type WorkerId = usize;

/// What came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderStatus {
    /// Nobody knows; no order stays so.
    Pending,
    /// The bank said no, so it must not be there.
    Refused,
    /// The bank said yes.
    Applied,
    /// It said yes to its cancel, too.
    Cancelled,
}

/// What an order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SoakOrderKind {
    Present,
    Pay,
}

/// An order that a lane sends.
#[derive(Clone, Debug)]
pub(super) struct SoakOrder {
    pub(super) kind: SoakOrderKind,
    pub(super) player: u64,
    pub(super) coins: Amount,
    pub(super) bill_no: BillNo,
}

/// What the orders of a soak follow from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) workers: u64,
    pub(super) players: u64,
}

/// Of a hundred orders so many are pays.
const PAY_PERCENT: u64 = 28;

impl Plan {
    /// Order `number` of a lane. Players belong to lanes, so that a login never overtakes a call that it ends.
    pub(super) fn order(&self, worker: WorkerId, number: usize) -> SoakOrder {
        let drawn = self.draw(worker, number as u64, 0);
        let does = if drawn % 100 < PAY_PERCENT { SoakOrderKind::Pay } else { SoakOrderKind::Present };
        // A pay takes less than a present gives, so that most find enough.
        let coins_max = if does == SoakOrderKind::Pay { 100 } else { 1000 };
        SoakOrder {
            kind: does,
            player: self.player(worker, drawn >> 8),
            coins: Amount::new(1 + (drawn >> 40) % coins_max).expect("it is neither 0 nor too many"),
            bill_no: BillNo::new(&format!("soak-{worker}-{number}")).expect("digits, letters and -"),
        }
    }

    /// One of the lane's players.
    pub(super) fn player(&self, worker: WorkerId, drawn: u64) -> u64 {
        worker as u64 + self.workers * (drawn % (self.players / self.workers).max(1))
    }

    /// A number that looks as if drawn by chance, for the `what`-th choice about `number` of a lane.
    pub(super) fn draw(&self, worker: WorkerId, number: u64, what: u64) -> u64 {
        splitmix64(
            splitmix64(splitmix64(self.seed ^ 0x50a4) ^ (worker as u64))
                ^ number.wrapping_mul(8).wrapping_add(what),
        )
    }
}

/// In which of the two banks a player plays.
pub(super) fn environment(player: u64) -> Environment {
    if player % 8 == 7 { Environment::Sandbox } else { Environment::Live }
}

/// SplitMix64.
fn splitmix64(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What a lane knows at the end.
#[derive(Debug, Default)]
pub(super) struct WorkerOrders {
    /// Of each of its orders.
    pub(super) statuses: Vec<OrderStatus>,
}

/// The bank's orders held against what it acknowledged.
pub(super) struct Reconciler<'a> {
    plan: Plan,
    workers: &'a [WorkerOrders],
    /// Of each order, what of it the bank has.
    found: Vec<Vec<u8>>,
    result: Reconciliation,
}

/// What the comparison came to. All is well if there is nothing but what was acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Reconciliation {
    /// Orders that were acknowledged, cancels among them.
    pub(super) acknowledged: u64,
    /// Of these, not in the bank.
    pub(super) lost: u64,
    /// In the bank twice.
    pub(super) twice: u64,
    /// In the bank, but nobody was told so.
    pub(super) unasked: u64,
    /// In the bank with another player, kind or amount.
    pub(super) other: u64,
}

const ORDER_BIT: u8 = 1;
const CANCEL_BIT: u8 = 2;

impl<'a> Reconciler<'a> {
    pub(super) fn new(plan: Plan, lanes: &'a [WorkerOrders]) -> Self {
        let found = lanes.iter().map(|lane| vec![0; lane.statuses.len()]).collect();
        Self { plan, workers: lanes, found, result: Reconciliation::default() }
    }

    /// An order of the bank's; `player` tells whose the `openid` is.
    pub(super) fn add(&mut self, exported: &ExportRow, player: impl Fn(&str) -> Option<u64>) {
        let Some((worker, number)) = parse_bill_no(&exported.bill_no) else {
            return self.result.unasked += 1;
        };
        let found = self.found.get_mut(worker).and_then(|lane| lane.get_mut(number));
        let Some(found) = found else { return self.result.unasked += 1 };
        let sent = self.plan.order(worker, number);
        let (is, expected) = match (&*exported.kind, sent.kind) {
            ("present", SoakOrderKind::Present) | ("pay", SoakOrderKind::Pay) => {
                (ORDER_BIT, &[OrderStatus::Applied, OrderStatus::Cancelled][..])
            }
            ("cancel", SoakOrderKind::Pay) => (CANCEL_BIT, &[OrderStatus::Cancelled][..]),
            _ => return self.result.other += 1,
        };
        let is_same = exported.coins == sent.coins.get()
            && exported.env == environment(sent.player).to_string()
            && player(&exported.openid) == Some(sent.player);
        self.result.other += u64::from(!is_same);
        self.result.twice += u64::from(*found & is != 0);
        *found |= is;
        self.result.unasked += u64::from(!expected.contains(&self.workers[worker].statuses[number]));
    }

    /// When all were seen.
    pub(super) fn finish(mut self) -> Reconciliation {
        for (lane, found) in self.workers.iter().zip(&self.found) {
            for (status, found) in lane.statuses.iter().zip(found) {
                let expected = match status {
                    OrderStatus::Pending | OrderStatus::Refused => 0,
                    OrderStatus::Applied => ORDER_BIT,
                    OrderStatus::Cancelled => ORDER_BIT | CANCEL_BIT,
                };
                self.result.acknowledged += u64::from(u8::count_ones(expected));
                self.result.lost += u64::from((expected & !found).count_ones());
            }
        }
        self.result
    }
}

/// The lane and the number in a bill number.
fn parse_bill_no(bill_no: &str) -> Option<(WorkerId, usize)> {
    let (lane, number) = bill_no.strip_prefix("soak-")?.split_once('-')?;
    Some((lane.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { seed: 1, workers: 2, players: 10 };

    fn export_row(lane: WorkerId, number: usize, kind: &str) -> ExportRow {
        let sent = PLAN.order(lane, number);
        ExportRow {
            kind: kind.to_owned(),
            bill_no: sent.bill_no.to_string(),
            env: environment(sent.player).to_string(),
            openid: sent.player.to_string(),
            coins: sent.coins.get(),
        }
    }

    /// A pay and a present of lane 1.
    fn pay_and_present() -> (usize, usize) {
        let first = |does| (0..20).find(|number| PLAN.order(1, *number).kind == does).unwrap();
        (first(SoakOrderKind::Pay), first(SoakOrderKind::Present))
    }

    fn reconcile(fates: &[(usize, OrderStatus)], rows: &[ExportRow]) -> Reconciliation {
        let mut lane = vec![OrderStatus::Refused; 20];
        for (number, fate) in fates {
            lane[*number] = *fate;
        }
        let lanes = [WorkerOrders::default(), WorkerOrders { statuses: lane }];
        let mut check = Reconciler::new(PLAN, &lanes);
        for row in rows {
            check.add(row, |openid| openid.parse().ok());
        }
        check.finish()
    }

    #[test]
    fn acknowledged_orders_are_found_once() {
        let (pay, present) = pay_and_present();
        let fates = [(pay, OrderStatus::Cancelled), (present, OrderStatus::Applied)];
        let rows =
            [export_row(1, present, "present"), export_row(1, pay, "pay"), export_row(1, pay, "cancel")];
        assert_eq!(reconcile(&fates, &rows), Reconciliation { acknowledged: 3, ..Reconciliation::default() });
        assert_eq!(
            reconcile(&fates, &rows[..2]),
            Reconciliation { acknowledged: 3, lost: 1, ..Reconciliation::default() }
        );
        assert_eq!(
            reconcile(&fates, &[]),
            Reconciliation { acknowledged: 3, lost: 3, ..Reconciliation::default() }
        );
    }

    #[test]
    fn duplicate_unasked_or_altered_orders_are_counted() {
        let (pay, present) = pay_and_present();
        let row = || export_row(1, present, "present");
        let applied = [(present, OrderStatus::Applied)];
        let one = Reconciliation { acknowledged: 1, ..Reconciliation::default() };
        assert_eq!(reconcile(&applied, &[row(), row()]), Reconciliation { twice: 1, ..one });
        let more_coins = ExportRow { coins: row().coins + 1, ..row() };
        assert_eq!(reconcile(&applied, &[more_coins]), Reconciliation { other: 1, ..one });
        let of_another = ExportRow { openid: (PLAN.order(1, present).player + 2).to_string(), ..row() };
        assert_eq!(reconcile(&applied, &[of_another]), Reconciliation { other: 1, ..one });
        assert_eq!(reconcile(&[], &[row()]), Reconciliation { unasked: 1, ..Reconciliation::default() });
        let strange = ExportRow { bill_no: "soak-wrong".to_owned(), ..row() };
        assert_eq!(reconcile(&[], &[strange]), Reconciliation { unasked: 1, ..Reconciliation::default() });
        let uncancelled = [export_row(1, pay, "pay"), export_row(1, pay, "cancel")];
        let came = reconcile(&[(pay, OrderStatus::Applied)], &uncancelled);
        assert_eq!(came, Reconciliation { acknowledged: 1, unasked: 1, ..Reconciliation::default() });
    }

    #[test]
    fn players_belong_to_one_worker() {
        for number in 0..200 {
            let player = PLAN.order(1, number).player;
            assert!(player % 2 == 1 && player < 10, "{player}");
        }
    }
}
