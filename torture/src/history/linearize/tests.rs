//! Histories that the search must accept, and histories that it must reject.

use super::super::account::{Account, BALANCE_NOT_ENOUGH, Invocation, ORDER_CANCELED, Response};
use super::super::{Event, EventOutcome, Tick};
use super::check_linearizable;

const GIFT: Invocation = Invocation::Present { bill: 1, coins: 5 };
const PAY: Invocation = Invocation::Pay { bill: 2, coins: 3 };
const CANCEL: Invocation = Invocation::Cancel { bill: 2 };

fn answered_call(sent: Tick, at: Tick, invocation: Invocation, response: Response) -> Event {
    Event { sent_at: sent, invocation, outcome: EventOutcome::Answered { response, answered_at: at } }
}

fn unknown_call(sent: Tick, before: Tick, invocation: Invocation) -> Event {
    Event { sent_at: sent, invocation, outcome: EventOutcome::Unknown { before } }
}

fn presented(balance: u64) -> Response {
    Response::Presented { balance }
}

/// Answer of getbalance for an account that has only presents.
fn balances(balance: u64) -> Response {
    let mut account = Account::default();
    if balance > 0 {
        account.apply(Invocation::Present { bill: 0, coins: balance });
    }
    Response::Balances(account.balances())
}

#[track_caller]
fn assert_linearizable(events: &[Event]) {
    check_linearizable(&Account::default(), events).unwrap();
}

#[track_caller]
fn assert_not_linearizable(events: &[Event]) {
    assert!(check_linearizable(&Account::default(), events).is_err(), "{events:#?}");
}

#[test]
fn only_concurrent_calls_may_be_reordered() {
    assert_linearizable(&[
        answered_call(0, 3, GIFT, presented(5)),
        answered_call(1, 2, Invocation::Balance, balances(0)),
    ]);
    assert_linearizable(&[
        answered_call(0, 3, GIFT, presented(5)),
        answered_call(1, 2, Invocation::Balance, balances(5)),
    ]);
    assert_linearizable(&[
        answered_call(0, 1, GIFT, presented(5)),
        answered_call(2, 3, Invocation::Balance, balances(5)),
    ]);
    // A stale read after an answered present.
    assert_not_linearizable(&[
        answered_call(0, 1, GIFT, presented(5)),
        answered_call(2, 3, Invocation::Balance, balances(0)),
    ]);
    // A balance that no call produces.
    assert_not_linearizable(&[
        answered_call(0, 3, GIFT, presented(5)),
        answered_call(1, 2, Invocation::Balance, balances(6)),
    ]);
    // Two reads during the present: the first sees it, the second does not.
    assert_not_linearizable(&[
        answered_call(0, 9, GIFT, presented(5)),
        answered_call(1, 2, Invocation::Balance, balances(5)),
        answered_call(3, 4, Invocation::Balance, balances(0)),
    ]);
}

#[test]
fn double_apply_is_rejected() {
    // Both calls were answered as applied.
    assert_not_linearizable(&[
        answered_call(0, 2, GIFT, presented(5)),
        answered_call(1, 3, GIFT, presented(5)),
    ]);
    assert_not_linearizable(&[
        answered_call(0, 2, GIFT, presented(5)),
        answered_call(1, 3, GIFT, presented(10)),
    ]);
    assert_linearizable(&[
        answered_call(0, 2, GIFT, presented(5)),
        answered_call(1, 3, GIFT, Response::Replayed { balance: 5 }),
    ]);
    // Only the balance shows the double application.
    assert_not_linearizable(&[unknown_call(0, Tick::MAX, GIFT), answered_call(1, 2, GIFT, presented(10))]);
    assert_not_linearizable(&[
        unknown_call(0, Tick::MAX, GIFT),
        answered_call(1, 2, GIFT, Response::Replayed { balance: 5 }),
        answered_call(3, 4, Invocation::Balance, balances(10)),
    ]);
    // A pay that was refunded twice.
    let taken = answered_call(2, 3, PAY, Response::Paid { balance: 2, gifted: 3 });
    let before =
        [answered_call(0, 1, GIFT, presented(5)), taken, answered_call(4, 6, CANCEL, Response::Cancelled)];
    let again =
        |second_response| [before.as_slice(), &[answered_call(5, 7, CANCEL, second_response)]].concat();
    assert_not_linearizable(&again(Response::Cancelled));
    assert_linearizable(&again(Response::Refused { errcode: ORDER_CANCELED }));
}

#[test]
fn lost_acknowledged_present_is_rejected() {
    assert_not_linearizable(&[
        answered_call(0, 1, GIFT, presented(5)),
        answered_call(2, 3, GIFT, presented(5)),
    ]);
    let pay = |answer| answered_call(2, 3, PAY, answer);
    assert_not_linearizable(&[
        answered_call(0, 1, GIFT, presented(5)),
        pay(Response::Refused { errcode: BALANCE_NOT_ENOUGH }),
    ]);
    assert_linearizable(&[
        answered_call(0, 4, GIFT, presented(5)),
        pay(Response::Refused { errcode: BALANCE_NOT_ENOUGH }),
    ]);
}

#[test]
fn replay_that_changes_balance_is_rejected() {
    let replayed = answered_call(2, 3, GIFT, Response::Replayed { balance: 5 });
    assert_linearizable(&[
        answered_call(0, 1, GIFT, presented(5)),
        replayed.clone(),
        answered_call(4, 5, Invocation::Balance, balances(5)),
    ]);
    assert_not_linearizable(&[
        answered_call(0, 1, GIFT, presented(5)),
        replayed,
        answered_call(4, 5, Invocation::Balance, balances(10)),
    ]);
    assert_not_linearizable(&[
        answered_call(0, 1, GIFT, presented(5)),
        answered_call(2, 3, GIFT, Response::Replayed { balance: 10 }),
    ]);
    let other = Invocation::Present { bill: 1, coins: 6 };
    assert_linearizable(&[
        answered_call(0, 1, GIFT, presented(5)),
        answered_call(2, 3, other, Response::Conflict),
    ]);
    assert_not_linearizable(&[
        answered_call(0, 1, GIFT, presented(5)),
        answered_call(2, 3, other, Response::Replayed { balance: 5 }),
    ]);
    assert_not_linearizable(&[
        answered_call(0, 1, GIFT, presented(5)),
        answered_call(2, 3, other, presented(11)),
    ]);
}

#[test]
fn unknown_call_may_or_may_not_be_applied() {
    // Killed before it was applied; after; and applied only after a read.
    assert_linearizable(&[unknown_call(0, Tick::MAX, GIFT), answered_call(1, 2, GIFT, presented(5))]);
    assert_linearizable(&[
        unknown_call(0, Tick::MAX, GIFT),
        answered_call(1, 2, GIFT, Response::Replayed { balance: 5 }),
    ]);
    assert_linearizable(&[
        unknown_call(0, Tick::MAX, GIFT),
        answered_call(1, 2, Invocation::Balance, balances(0)),
        answered_call(3, 4, Invocation::Balance, balances(5)),
    ]);
    // But not before it was sent.
    assert_not_linearizable(&[
        answered_call(0, 1, Invocation::Balance, balances(5)),
        unknown_call(2, Tick::MAX, GIFT),
    ]);
    // Nor visible, and then not.
    assert_not_linearizable(&[
        unknown_call(0, Tick::MAX, GIFT),
        answered_call(1, 2, Invocation::Balance, balances(5)),
        answered_call(3, 4, Invocation::Balance, balances(0)),
    ]);
}

#[test]
fn crashed_process_applies_nothing_later() {
    // Sent at 0 to a process that died at 1: if a read at 2 does not see it, no later read may.
    let seen = |balance| {
        [
            unknown_call(0, 1, GIFT),
            answered_call(2, 3, Invocation::Balance, balances(0)),
            answered_call(4, 5, Invocation::Balance, balances(balance)),
        ]
    };
    assert_linearizable(&seen(0));
    assert_not_linearizable(&seen(5));
    assert_linearizable(&[unknown_call(0, 1, GIFT), answered_call(2, 3, Invocation::Balance, balances(5))]);
}

#[test]
fn gifted_coins_are_spent_first_and_refunded() {
    let opening = Account::with_top_up(10);
    let mut after = opening.clone();
    let taken = Response::Paid { balance: 2, gifted: 5 };
    let pay = Invocation::Pay { bill: 2, coins: 13 };
    assert_eq!([GIFT, pay].map(|asked| after.apply(asked)), [presented(15), taken]);
    assert_eq!(after.apply(CANCEL), Response::Cancelled);
    let sums = after.balances();
    assert_eq!((sums.balance, sums.gen_balance, sums.cost_sum, sums.save_sum), (15, 5, 0, 15));
    let wrong = Response::Paid { balance: 2, gifted: 3 };
    let events = |answer| [answered_call(0, 1, GIFT, presented(15)), answered_call(2, 3, pay, answer)];
    check_linearizable(&opening, &events(taken)).unwrap();
    assert!(check_linearizable(&opening, &events(wrong)).is_err());
}

/// Four hundred calls of eight clients on a correct bank, some of unknown outcome until they are retried. The same
/// history with one wrong answer must be rejected.
#[test]
fn long_history_is_checked_quickly() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut account = Account::default();
    let (mut tick, mut events) = (0, Vec::new());
    for bill in (0..400_u32).step_by(8) {
        let calls = (bill..bill + 8).map(|bill| match bill % 4 {
            0 | 1 => Invocation::Present { bill, coins: random.u64(1..9) },
            2 => Invocation::Pay { bill, coins: 1 },
            _ => Invocation::Cancel { bill: bill - 1 },
        });
        let sent: Vec<(Tick, Invocation)> = (tick..).zip(calls).collect();
        tick += 8;
        let mut answered = sent.clone();
        random.shuffle(&mut answered);
        for (sent, asked) in answered {
            let answer = account.apply(asked);
            if answer.is_applied() && random.u8(0..4) == 0 {
                events.push(unknown_call(sent, Tick::MAX, asked));
                events.push(answered_call(tick, tick + 1, asked, account.apply(asked)));
            } else {
                events.push(answered_call(sent, tick, asked, answer));
            }
            tick += 2;
        }
        events.push(answered_call(
            tick,
            tick + 1,
            Invocation::Balance,
            Response::Balances(account.balances()),
        ));
        tick += 2;
    }
    events.sort_by_key(|event| event.sent_at);
    assert_linearizable(&events);
    let last = events.last_mut().unwrap();
    let EventOutcome::Answered { response: Response::Balances(sums), .. } = &mut last.outcome else {
        panic!("it is a balance")
    };
    sums.present_sum += 1;
    assert_not_linearizable(&events);
}
