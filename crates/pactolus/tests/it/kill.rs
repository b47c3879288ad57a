//! `kill -9` under load, many times in a row on one store.
//!
//! Invariant: an acknowledged order stays for ever. An unanswered one was applied once or not at all; sending it
//! again tells which.

use pactolus_protocol::ReplyOutcome;

use crate::gifts::Player;
use crate::load::{ExpectedLedger, LoadGenerator, LoadReport, PLAYERS, resend};
use crate::process::{Folder, ServerProcess};

/// Kills of the server. `PACTOLUS_TEST_KILLS` overrides it.
const KILLS: u32 = 50;

/// An audit after this many kills. It opens and closes the store once more.
const KILLS_PER_AUDIT: u32 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigkill_loses_and_creates_no_coin() {
    let kills = std::env::var("PACTOLUS_TEST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let folder = Folder::with_config();
    let mut expected = ExpectedLedger::default();
    let mut bank = ServerProcess::serve_with_small_segments(&folder);
    for player in 0..PLAYERS {
        // Only once: a login survives every kill.
        Player(player).log_in(&bank.http).await;
    }
    for kill in 0..kills {
        let report = kill_under_load(bank, kill).await;
        bank = ServerProcess::serve_with_small_segments(&folder);
        assert_each_order_applied_once(&report, &bank).await;
        expected.record(&report.acknowledged);
        expected.record(&report.unanswered);
        expected.assert_matches(&bank.http).await;
        if (kill + 1).is_multiple_of(KILLS_PER_AUDIT) {
            bank.process.kill();
            folder.audit(expected.order_count());
            bank = ServerProcess::serve_with_small_segments(&folder);
        }
    }
    bank.process.kill();
    folder.audit(expected.order_count());
}

/// Kills the server after a number of acknowledged orders that differs from kill to kill.
async fn kill_under_load(mut bank: ServerProcess, kill: u32) -> LoadReport {
    let load = LoadGenerator::start(&bank.http, &format!("kill-{kill}"));
    load.wait_acknowledged(kill * 149 % 1000).await;
    bank.process.kill();
    load.wait_disconnected().await
}

/// Sends every order again. Acknowledged ones must be replays; the others must be replays or succeed now.
async fn assert_each_order_applied_once(report: &LoadReport, bank: &ServerProcess) {
    for (gift, answer) in resend(&report.acknowledged, &bank.http).await {
        assert!(gift.is_replayed_by(&answer), "{gift:?} was acknowledged, and now: {answer:?}");
    }
    for (gift, answer) in resend(&report.unanswered, &bank.http).await {
        let is_applied_now = matches!(answer, ReplyOutcome::Success(_));
        assert!(
            is_applied_now || gift.is_replayed_by(&answer),
            "{gift:?} was not answered, and now: {answer:?}"
        );
    }
}
