//! Reconciliation: the acknowledged status of each order, one byte each, compared with the bank's exported orders.
//!
//! An order is identified by its worker and its number there. Everything else about it follows from the seed.

use pactolus_test_support::random::SplitMix64;
use pactolus_types::{Amount, BillNo, Environment};
use serde::Serialize;

use super::bank::ExportRow;

/// Index of a worker. A worker has one call in flight at a time.
pub(super) type WorkerId = usize;

/// Status of an order, by the bank's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderStatus {
    /// Not answered yet. No order ends like this.
    Pending,
    /// Refused, so the bank must not have it.
    Refused,
    /// Acknowledged.
    Applied,
    /// Acknowledged, and its cancel too.
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SoakOrderKind {
    Present,
    Pay,
}

/// An order of a worker.
#[derive(Clone, Debug)]
pub(super) struct SoakOrder {
    pub(super) kind: SoakOrderKind,
    pub(super) player: u64,
    pub(super) coins: Amount,
    pub(super) bill_no: BillNo,
}

/// Parameters that determine every order of a soak.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) workers: u64,
    pub(super) players: u64,
}

/// Percentage of pays among the orders.
const PAY_PERCENT: u64 = 28;

impl Plan {
    /// Order `number` of a worker. A player belongs to one worker, so a login never overtakes a call that it
    /// invalidates.
    pub(super) fn order(&self, worker: WorkerId, number: usize) -> SoakOrder {
        let drawn = self.draw(worker, number as u64, 0);
        let does = if drawn % 100 < PAY_PERCENT { SoakOrderKind::Pay } else { SoakOrderKind::Present };
        // Pays are smaller than presents, so that most find a sufficient balance.
        let coins_max = if does == SoakOrderKind::Pay { 100 } else { 1000 };
        SoakOrder {
            kind: does,
            player: self.player(worker, drawn >> 8),
            coins: Amount::new(1 + (drawn >> 40) % coins_max).expect("it is neither 0 nor too many"),
            bill_no: BillNo::new(&format!("soak-{worker}-{number}")).expect("digits, letters and -"),
        }
    }

    /// One of the worker's players.
    pub(super) fn player(&self, worker: WorkerId, drawn: u64) -> u64 {
        worker as u64 + self.workers * (drawn % (self.players / self.workers).max(1))
    }

    /// Pseudo-random number for choice `what` about `number` of a worker.
    pub(super) fn draw(&self, worker: WorkerId, number: u64, what: u64) -> u64 {
        splitmix64(
            splitmix64(splitmix64(self.seed ^ 0x50a4) ^ (worker as u64))
                ^ number.wrapping_mul(8).wrapping_add(what),
        )
    }
}

/// The environment of a player.
pub(super) fn environment(player: u64) -> Environment {
    if player % 8 == 7 { Environment::Sandbox } else { Environment::Live }
}

fn splitmix64(number: u64) -> u64 {
    SplitMix64::new(number).next_u64()
}

/// A worker's orders at the end.
#[derive(Debug, Default)]
pub(super) struct WorkerOrders {
    /// By order number.
    pub(super) statuses: Vec<OrderStatus>,
}

/// Compares the bank's orders with the acknowledgements.
pub(super) struct Reconciler<'a> {
    plan: Plan,
    workers: &'a [WorkerOrders],
    /// [`ORDER_BIT`] and [`CANCEL_BIT`] of each order that the export has.
    found: Vec<Vec<u8>>,
    result: Reconciliation,
}

/// Result of the comparison. A correct bank has zeros except for `acknowledged`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Reconciliation {
    /// Acknowledged orders, cancels included.
    pub(super) acknowledged: u64,
    /// Acknowledged, but not in the bank.
    pub(super) lost: u64,
    /// In the bank twice.
    pub(super) twice: u64,
    /// In the bank, but not acknowledged.
    pub(super) unasked: u64,
    /// In the bank with another player, kind or amount.
    pub(super) other: u64,
}

const ORDER_BIT: u8 = 1;
const CANCEL_BIT: u8 = 2;

impl<'a> Reconciler<'a> {
    pub(super) fn new(plan: Plan, workers: &'a [WorkerOrders]) -> Self {
        let found = workers.iter().map(|worker| vec![0; worker.statuses.len()]).collect();
        Self { plan, workers, found, result: Reconciliation::default() }
    }

    /// Adds an exported order; `player` resolves its openid.
    pub(super) fn add(&mut self, exported: &ExportRow, player: impl Fn(&str) -> Option<u64>) {
        let Some((worker, number)) = parse_bill_no(&exported.bill_no) else {
            return self.result.unasked += 1;
        };
        let found = self.found.get_mut(worker).and_then(|worker| worker.get_mut(number));
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

    /// Result after the last exported order.
    pub(super) fn finish(mut self) -> Reconciliation {
        for (worker, found) in self.workers.iter().zip(&self.found) {
            for (status, found) in worker.statuses.iter().zip(found) {
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

/// The worker and the number in a bill number.
fn parse_bill_no(bill_no: &str) -> Option<(WorkerId, usize)> {
    let (worker, number) = bill_no.strip_prefix("soak-")?.split_once('-')?;
    Some((worker.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { seed: 1, workers: 2, players: 10 };

    fn export_row(worker: WorkerId, number: usize, kind: &str) -> ExportRow {
        let sent = PLAN.order(worker, number);
        ExportRow {
            kind: kind.to_owned(),
            bill_no: sent.bill_no.to_string(),
            env: environment(sent.player).to_string(),
            openid: sent.player.to_string(),
            coins: sent.coins.get(),
        }
    }

    /// Numbers of a pay and of a present of worker 1.
    fn pay_and_present() -> (usize, usize) {
        let first = |does| (0..20).find(|number| PLAN.order(1, *number).kind == does).unwrap();
        (first(SoakOrderKind::Pay), first(SoakOrderKind::Present))
    }

    fn reconcile(statuses: &[(usize, OrderStatus)], rows: &[ExportRow]) -> Reconciliation {
        let mut worker = vec![OrderStatus::Refused; 20];
        for (number, status) in statuses {
            worker[*number] = *status;
        }
        let workers = [WorkerOrders::default(), WorkerOrders { statuses: worker }];
        let mut check = Reconciler::new(PLAN, &workers);
        for row in rows {
            check.add(row, |openid| openid.parse().ok());
        }
        check.finish()
    }

    #[test]
    fn acknowledged_orders_are_found_once() {
        let (pay, present) = pay_and_present();
        let statuses = [(pay, OrderStatus::Cancelled), (present, OrderStatus::Applied)];
        let rows =
            [export_row(1, present, "present"), export_row(1, pay, "pay"), export_row(1, pay, "cancel")];
        assert_eq!(
            reconcile(&statuses, &rows),
            Reconciliation { acknowledged: 3, ..Reconciliation::default() }
        );
        assert_eq!(
            reconcile(&statuses, &rows[..2]),
            Reconciliation { acknowledged: 3, lost: 1, ..Reconciliation::default() }
        );
        assert_eq!(
            reconcile(&statuses, &[]),
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
