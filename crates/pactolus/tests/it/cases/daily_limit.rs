//! A day of a gift limit that ends at 08:00 in Beijing, and a count that a clock far ahead left in the future: players
//! lose the gift of the new day.

use serde_json::Value;

use super::raw::{Bank, assert_refused, present};

/// 2017-10-09T15:50:00Z, ten minutes before midnight in Beijing.
const LATE: i64 = 1_507_564_200;

const HOUR: i64 = 3600;

const LIMIT: &str = "login = \"open\"\npresent_max_per_player_per_day = 100\n";

/// Gives a player 100 coins at these seconds, each under its own number; returns the replies.
fn gifts_at(bank: &Bank, seconds: &[i64]) -> Vec<Value> {
    let give = |(number, second): (usize, &i64)| {
        bank.set_clock(*second);
        bank.call("present", present("one", &format!("bill-{number}"), 100))
    };
    seconds.iter().enumerate().map(give).collect()
}

#[test]
fn day_of_a_limit_is_the_apps() {
    for (zone, seconds, refused) in [
        ("Asia/Shanghai", [LATE, LATE + 60, LATE + HOUR / 3, LATE + 9 * HOUR], [false, true, false, true]),
        (
            "Asia/Kolkata",
            [LATE, LATE + HOUR / 3, LATE + 3 * HOUR, LATE + 9 * HOUR],
            [false, true, false, true],
        ),
        ("UTC", [LATE, LATE + HOUR / 3, LATE + 9 * HOUR, LATE + 10 * HOUR], [false, true, false, true]),
    ] {
        let bank = Bank::with_manual_clock(&format!("{LIMIT}time_zone = \"{zone}\"\n"));
        for (reply, refused) in gifts_at(&bank, &seconds).iter().zip(refused) {
            if refused {
                assert_refused(
                    reply,
                    90018,
                    "invalid parameter: present_counts is too large; this app gives a player",
                );
            } else {
                assert_eq!(reply["errcode"], 0, "{zone}: {reply}");
            }
        }
        bank.stop(2);
    }
}

#[test]
fn clock_that_was_ahead_costs_no_later_gift() {
    for ahead in [3 * 24 * HOUR, 365 * 24 * HOUR, 40 * 365 * 24 * HOUR] {
        let bank = Bank::with_manual_clock(LIMIT);
        let replies = gifts_at(&bank, &[LATE + ahead, LATE, LATE + 60, LATE + 24 * HOUR]);
        let codes: Vec<_> = replies.iter().map(|reply| reply["errcode"].as_i64().unwrap()).collect();
        // One gift a day by the clock of the day, once it is right.
        assert_eq!(codes, [0, 0, 90018, 0], "{ahead}");
        bank.stop(3);
    }
}
