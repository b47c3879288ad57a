//! What the search refuses and what it accepts: a checker that takes everything would prove nothing.

use super::super::account::{Account, Asked, BALANCE_NOT_ENOUGH, ORDER_CANCELED, Told};
use super::super::{Event, Outcome, Tick};
use super::explain;

const GIFT: Asked = Asked::Present { bill: 1, coins: 5 };
const PAY: Asked = Asked::Pay { bill: 2, coins: 3 };
const CANCEL: Asked = Asked::Cancel { bill: 2 };

fn told(sent: Tick, at: Tick, asked: Asked, told: Told) -> Event {
    Event { sent, asked, outcome: Outcome::Told { told, at } }
}

fn unknown(sent: Tick, before: Tick, asked: Asked) -> Event {
    Event { sent, asked, outcome: Outcome::Unknown { before } }
}

fn given(balance: u64) -> Told {
    Told::Given { balance }
}

/// What getbalance tells of an account that only gifts made.
fn sums(balance: u64) -> Told {
    let mut account = Account::default();
    if balance > 0 {
        account.carry_out(Asked::Present { bill: 0, coins: balance });
    }
    Told::Sums(account.sums())
}

#[track_caller]
fn accepts(events: &[Event]) {
    explain(&Account::default(), events).unwrap();
}

#[track_caller]
fn refuses(events: &[Event]) {
    assert!(explain(&Account::default(), events).is_err(), "{events:#?}");
}

#[test]
fn calls_at_once_may_stand_either_way_and_others_only_one_way() {
    accepts(&[told(0, 3, GIFT, given(5)), told(1, 2, Asked::Balance, sums(0))]);
    accepts(&[told(0, 3, GIFT, given(5)), told(1, 2, Asked::Balance, sums(5))]);
    accepts(&[told(0, 1, GIFT, given(5)), told(2, 3, Asked::Balance, sums(5))]);
    // A stale read after an answered present.
    refuses(&[told(0, 1, GIFT, given(5)), told(2, 3, Asked::Balance, sums(0))]);
    // A balance that nobody gave.
    refuses(&[told(0, 3, GIFT, given(5)), told(1, 2, Asked::Balance, sums(6))]);
    // Two reads that saw the gift and then did not, while it was not answered.
    refuses(&[
        told(0, 9, GIFT, given(5)),
        told(1, 2, Asked::Balance, sums(5)),
        told(3, 4, Asked::Balance, sums(0)),
    ]);
}

#[test]
fn a_coin_that_was_given_twice_is_found() {
    // Both were told that theirs was the one.
    refuses(&[told(0, 2, GIFT, given(5)), told(1, 3, GIFT, given(5))]);
    refuses(&[told(0, 2, GIFT, given(5)), told(1, 3, GIFT, given(10))]);
    accepts(&[told(0, 2, GIFT, given(5)), told(1, 3, GIFT, Told::Exists { balance: 5 })]);
    // Only the balance shows it.
    refuses(&[unknown(0, Tick::MAX, GIFT), told(1, 2, GIFT, given(10))]);
    refuses(&[
        unknown(0, Tick::MAX, GIFT),
        told(1, 2, GIFT, Told::Exists { balance: 5 }),
        told(3, 4, Asked::Balance, sums(10)),
    ]);
    // A pay that was given back twice.
    let taken = told(2, 3, PAY, Told::Taken { balance: 2, gifted: 3 });
    let before = [told(0, 1, GIFT, given(5)), taken, told(4, 6, CANCEL, Told::GivenBack)];
    let again = |told_again| [before.as_slice(), &[told(5, 7, CANCEL, told_again)]].concat();
    refuses(&again(Told::GivenBack));
    accepts(&again(Told::Refused { errcode: ORDER_CANCELED }));
}

#[test]
fn a_present_that_is_lost_after_it_was_answered_is_found() {
    refuses(&[told(0, 1, GIFT, given(5)), told(2, 3, GIFT, given(5))]);
    let pay = |answer| told(2, 3, PAY, answer);
    refuses(&[told(0, 1, GIFT, given(5)), pay(Told::Refused { errcode: BALANCE_NOT_ENOUGH })]);
    accepts(&[told(0, 4, GIFT, given(5)), pay(Told::Refused { errcode: BALANCE_NOT_ENOUGH })]);
}

#[test]
fn a_replay_that_changed_a_balance_is_found() {
    let replayed = told(2, 3, GIFT, Told::Exists { balance: 5 });
    accepts(&[told(0, 1, GIFT, given(5)), replayed.clone(), told(4, 5, Asked::Balance, sums(5))]);
    refuses(&[told(0, 1, GIFT, given(5)), replayed, told(4, 5, Asked::Balance, sums(10))]);
    refuses(&[told(0, 1, GIFT, given(5)), told(2, 3, GIFT, Told::Exists { balance: 10 })]);
    let other = Asked::Present { bill: 1, coins: 6 };
    accepts(&[told(0, 1, GIFT, given(5)), told(2, 3, other, Told::AnotherExists)]);
    refuses(&[told(0, 1, GIFT, given(5)), told(2, 3, other, Told::Exists { balance: 5 })]);
    refuses(&[told(0, 1, GIFT, given(5)), told(2, 3, other, given(11))]);
}

#[test]
fn what_nobody_knows_may_have_happened_or_not() {
    // Killed before, and after, it was carried out; and carried out only when somebody looked already.
    accepts(&[unknown(0, Tick::MAX, GIFT), told(1, 2, GIFT, given(5))]);
    accepts(&[unknown(0, Tick::MAX, GIFT), told(1, 2, GIFT, Told::Exists { balance: 5 })]);
    accepts(&[
        unknown(0, Tick::MAX, GIFT),
        told(1, 2, Asked::Balance, sums(0)),
        told(3, 4, Asked::Balance, sums(5)),
    ]);
    // But not before it was sent.
    refuses(&[told(0, 1, Asked::Balance, sums(5)), unknown(2, Tick::MAX, GIFT)]);
    // Nor there, and then not.
    refuses(&[
        unknown(0, Tick::MAX, GIFT),
        told(1, 2, Asked::Balance, sums(5)),
        told(3, 4, Asked::Balance, sums(0)),
    ]);
}

#[test]
fn who_is_dead_does_nothing() {
    // Sent at 0 to a process that died at 1: who saw nothing at 2 sees nothing for ever.
    let seen = |balance| {
        [unknown(0, 1, GIFT), told(2, 3, Asked::Balance, sums(0)), told(4, 5, Asked::Balance, sums(balance))]
    };
    accepts(&seen(0));
    refuses(&seen(5));
    accepts(&[unknown(0, 1, GIFT), told(2, 3, Asked::Balance, sums(5))]);
}

#[test]
fn gifted_coins_are_taken_first_and_given_back() {
    let opening = Account::topped_up(10);
    let mut after = opening.clone();
    let taken = Told::Taken { balance: 2, gifted: 5 };
    let pay = Asked::Pay { bill: 2, coins: 13 };
    assert_eq!([GIFT, pay].map(|asked| after.carry_out(asked)), [given(15), taken]);
    assert_eq!(after.carry_out(CANCEL), Told::GivenBack);
    let sums = after.sums();
    assert_eq!((sums.balance, sums.gen_balance, sums.cost_sum, sums.save_sum), (15, 5, 0, 15));
    let wrong = Told::Taken { balance: 2, gifted: 3 };
    let events = |answer| [told(0, 1, GIFT, given(15)), told(2, 3, pay, answer)];
    explain(&opening, &events(taken)).unwrap();
    assert!(explain(&opening, &events(wrong)).is_err());
}

/// Four hundred calls of eight callers, some of them of unknown outcome until they are repeated, made by a bank that
/// is right; and the same with one answer that is wrong.
#[test]
fn long_histories_are_searched_in_no_time() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut account = Account::default();
    let (mut tick, mut events) = (0, Vec::new());
    for bill in (0..400_u32).step_by(8) {
        let calls = (bill..bill + 8).map(|bill| match bill % 4 {
            0 | 1 => Asked::Present { bill, coins: random.u64(1..9) },
            2 => Asked::Pay { bill, coins: 1 },
            _ => Asked::Cancel { bill: bill - 1 },
        });
        let sent: Vec<(Tick, Asked)> = (tick..).zip(calls).collect();
        tick += 8;
        let mut answered = sent.clone();
        random.shuffle(&mut answered);
        for (sent, asked) in answered {
            let answer = account.carry_out(asked);
            if answer.is_done() && random.u8(0..4) == 0 {
                events.push(unknown(sent, Tick::MAX, asked));
                events.push(told(tick, tick + 1, asked, account.carry_out(asked)));
            } else {
                events.push(told(sent, tick, asked, answer));
            }
            tick += 2;
        }
        events.push(told(tick, tick + 1, Asked::Balance, Told::Sums(account.sums())));
        tick += 2;
    }
    events.sort_by_key(|event| event.sent);
    accepts(&events);
    let last = events.last_mut().unwrap();
    let Outcome::Told { told: Told::Sums(sums), .. } = &mut last.outcome else { panic!("it is a balance") };
    sums.present_sum += 1;
    refuses(&events);
}
