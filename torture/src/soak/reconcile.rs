//! What the bank acknowledged, in a byte for each order, and whether all of it is there once.
//!
//! An order is known by the lane that sent it and its number there; everything else about it follows from the seed.

use pactolus_types::{Amount, BillNo, Environment};
use serde::Serialize;

use super::bank::Exported;

/// Which of the lanes, each of which sends one call at a time.
pub(super) type LaneNo = usize;

/// What came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nobody knows; no order stays so.
    Open,
    /// The bank said no, so it must not be there.
    Refused,
    /// The bank said yes.
    Applied,
    /// It said yes to its cancel, too.
    Cancelled,
}

/// What an order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Present,
    Pay,
}

/// An order that a lane sends.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) does: Does,
    pub(super) player: u64,
    pub(super) coins: Amount,
    pub(super) bill_no: BillNo,
}

/// What the orders of a soak follow from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) lanes: u64,
    pub(super) players: u64,
}

/// Of a hundred orders so many are pays.
const PAYS: u64 = 28;

impl Plan {
    /// Order `number` of a lane. Players belong to lanes, so that a login never overtakes a call that it ends.
    pub(super) fn order(&self, lane: LaneNo, number: usize) -> Sent {
        let drawn = self.draw(lane, number as u64, 0);
        let does = if drawn % 100 < PAYS { Does::Pay } else { Does::Present };
        // A pay takes less than a present gives, so that most find enough.
        let coins_max = if does == Does::Pay { 100 } else { 1000 };
        Sent {
            does,
            player: self.player(lane, drawn >> 8),
            coins: Amount::new(1 + (drawn >> 40) % coins_max).expect("it is neither 0 nor too many"),
            bill_no: BillNo::new(&format!("soak-{lane}-{number}")).expect("digits, letters and -"),
        }
    }

    /// One of the lane's players.
    pub(super) fn player(&self, lane: LaneNo, drawn: u64) -> u64 {
        lane as u64 + self.lanes * (drawn % (self.players / self.lanes).max(1))
    }

    /// A number that looks as if drawn by chance, for the `what`-th choice about `number` of a lane.
    pub(super) fn draw(&self, lane: LaneNo, number: u64, what: u64) -> u64 {
        mix(mix(mix(self.seed ^ 0x50a4) ^ (lane as u64)) ^ number.wrapping_mul(8).wrapping_add(what))
    }
}

/// In which of the two banks a player plays.
pub(super) fn environment(player: u64) -> Environment {
    if player % 8 == 7 { Environment::Sandbox } else { Environment::Live }
}

/// SplitMix64.
fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What a lane knows at the end.
#[derive(Debug, Default)]
pub(super) struct LaneBooks {
    /// Of each of its orders.
    pub(super) fates: Vec<Fate>,
}

/// The bank's orders held against what it acknowledged.
pub(super) struct Check<'a> {
    plan: Plan,
    lanes: &'a [LaneBooks],
    /// Of each order, what of it the bank has.
    found: Vec<Vec<u8>>,
    came: Compared,
}

/// What the comparison came to. All is well if there is nothing but what was acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Compared {
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

const ORDER: u8 = 1;
const CANCEL: u8 = 2;

impl<'a> Check<'a> {
    pub(super) fn new(plan: Plan, lanes: &'a [LaneBooks]) -> Self {
        let found = lanes.iter().map(|lane| vec![0; lane.fates.len()]).collect();
        Self { plan, lanes, found, came: Compared::default() }
    }

    /// An order of the bank's; `player` tells whose the `openid` is.
    pub(super) fn see(&mut self, exported: &Exported, player: impl Fn(&str) -> Option<u64>) {
        let Some((lane, number)) = read(&exported.bill_no) else { return self.came.unasked += 1 };
        let found = self.found.get_mut(lane).and_then(|lane| lane.get_mut(number));
        let Some(found) = found else { return self.came.unasked += 1 };
        let sent = self.plan.order(lane, number);
        let (is, expected) = match (&*exported.kind, sent.does) {
            ("present", Does::Present) | ("pay", Does::Pay) => (ORDER, &[Fate::Applied, Fate::Cancelled][..]),
            ("cancel", Does::Pay) => (CANCEL, &[Fate::Cancelled][..]),
            _ => return self.came.other += 1,
        };
        let is_same = exported.coins == sent.coins.get()
            && exported.env == environment(sent.player).to_string()
            && player(&exported.openid) == Some(sent.player);
        self.came.other += u64::from(!is_same);
        self.came.twice += u64::from(*found & is != 0);
        *found |= is;
        self.came.unasked += u64::from(!expected.contains(&self.lanes[lane].fates[number]));
    }

    /// When all were seen.
    pub(super) fn end(mut self) -> Compared {
        for (lane, found) in self.lanes.iter().zip(&self.found) {
            for (fate, found) in lane.fates.iter().zip(found) {
                let expected = match fate {
                    Fate::Open | Fate::Refused => 0,
                    Fate::Applied => ORDER,
                    Fate::Cancelled => ORDER | CANCEL,
                };
                self.came.acknowledged += u64::from(u8::count_ones(expected));
                self.came.lost += u64::from((expected & !found).count_ones());
            }
        }
        self.came
    }
}

/// The lane and the number in a bill number.
fn read(bill_no: &str) -> Option<(LaneNo, usize)> {
    let (lane, number) = bill_no.strip_prefix("soak-")?.split_once('-')?;
    Some((lane.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { seed: 1, lanes: 2, players: 10 };

    fn exported(lane: LaneNo, number: usize, kind: &str) -> Exported {
        let sent = PLAN.order(lane, number);
        Exported {
            kind: kind.to_owned(),
            bill_no: sent.bill_no.to_string(),
            env: environment(sent.player).to_string(),
            openid: sent.player.to_string(),
            coins: sent.coins.get(),
        }
    }

    /// A pay and a present of lane 1.
    fn pay_and_present() -> (usize, usize) {
        let first = |does| (0..20).find(|number| PLAN.order(1, *number).does == does).unwrap();
        (first(Does::Pay), first(Does::Present))
    }

    fn check(fates: &[(usize, Fate)], rows: &[Exported]) -> Compared {
        let mut lane = vec![Fate::Refused; 20];
        for (number, fate) in fates {
            lane[*number] = *fate;
        }
        let lanes = [LaneBooks::default(), LaneBooks { fates: lane }];
        let mut check = Check::new(PLAN, &lanes);
        for row in rows {
            check.see(row, |openid| openid.parse().ok());
        }
        check.end()
    }

    #[test]
    fn all_that_was_acknowledged_is_there_once() {
        let (pay, present) = pay_and_present();
        let fates = [(pay, Fate::Cancelled), (present, Fate::Applied)];
        let rows = [exported(1, present, "present"), exported(1, pay, "pay"), exported(1, pay, "cancel")];
        assert_eq!(check(&fates, &rows), Compared { acknowledged: 3, ..Compared::default() });
        assert_eq!(check(&fates, &rows[..2]), Compared { acknowledged: 3, lost: 1, ..Compared::default() });
        assert_eq!(check(&fates, &[]), Compared { acknowledged: 3, lost: 3, ..Compared::default() });
    }

    #[test]
    fn what_is_there_twice_or_unasked_or_another_is_found() {
        let (pay, present) = pay_and_present();
        let row = || exported(1, present, "present");
        let applied = [(present, Fate::Applied)];
        let one = Compared { acknowledged: 1, ..Compared::default() };
        assert_eq!(check(&applied, &[row(), row()]), Compared { twice: 1, ..one });
        let more_coins = Exported { coins: row().coins + 1, ..row() };
        assert_eq!(check(&applied, &[more_coins]), Compared { other: 1, ..one });
        let of_another = Exported { openid: (PLAN.order(1, present).player + 2).to_string(), ..row() };
        assert_eq!(check(&applied, &[of_another]), Compared { other: 1, ..one });
        assert_eq!(check(&[], &[row()]), Compared { unasked: 1, ..Compared::default() });
        let strange = Exported { bill_no: "soak-wrong".to_owned(), ..row() };
        assert_eq!(check(&[], &[strange]), Compared { unasked: 1, ..Compared::default() });
        let uncancelled = [exported(1, pay, "pay"), exported(1, pay, "cancel")];
        let came = check(&[(pay, Fate::Applied)], &uncancelled);
        assert_eq!(came, Compared { acknowledged: 1, unasked: 1, ..Compared::default() });
    }

    #[test]
    fn players_belong_to_one_lane() {
        for number in 0..200 {
            let player = PLAN.order(1, number).player;
            assert!(player % 2 == 1 && player < 10, "{player}");
        }
    }
}
