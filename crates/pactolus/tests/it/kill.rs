//! `kill -9` under load, many times in a row on one store.
//!
//! The promise: an order that was acknowledged is there for ever, and one that was not answered was applied once or
//! not at all, which repeating it tells.

use pactolus_protocol::ReplyOutcome;

use crate::gifts::Player;
use crate::load::{Books, Load, PLAYERS, Sent, repeat};
use crate::process::{Folder, Running};

/// How many times the bank is killed; `PACTOLUS_TEST_KILLS` asks for another number.
const KILLS: u32 = 50;

/// After how many kills the books are audited, which is one more way for a store to be opened and closed.
const KILLS_PER_AUDIT: u32 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_coin_is_lost_or_made_when_the_bank_is_killed() {
    let kills = std::env::var("PACTOLUS_TEST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let folder = Folder::with_config();
    let mut books = Books::default();
    let mut bank = Running::serve_in_small_pieces(&folder);
    for player in 0..PLAYERS {
        // Once only: a login is kept through every kill as well.
        Player(player).log_in(&bank.http).await;
    }
    for kill in 0..kills {
        let sent = killed_under_load(bank, kill).await;
        bank = Running::serve_in_small_pieces(&folder);
        every_order_is_there_once(&sent, &bank).await;
        books.enter(&sent.acknowledged);
        books.enter(&sent.unanswered);
        books.compare(&bank.http).await;
        if (kill + 1).is_multiple_of(KILLS_PER_AUDIT) {
            bank.process.kill();
            folder.audit(books.orders());
            bank = Running::serve_in_small_pieces(&folder);
        }
    }
    bank.process.kill();
    folder.audit(books.orders());
}

/// Kills the bank once it has acknowledged so many orders; from one kill to the next it is another number.
async fn killed_under_load(mut bank: Running, kill: u32) -> Sent {
    let load = Load::start(&bank.http, &format!("kill-{kill}"));
    load.acknowledged(kill * 149 % 1000).await;
    bank.process.kill();
    load.broken().await
}

/// Repeats every order: those that were acknowledged exist, and afterwards so do the others.
async fn every_order_is_there_once(sent: &Sent, bank: &Running) {
    for (gift, answer) in repeat(&sent.acknowledged, &bank.http).await {
        assert!(gift.exists_by(&answer), "{gift:?} was acknowledged, and now: {answer:?}");
    }
    for (gift, answer) in repeat(&sent.unanswered, &bank.http).await {
        let is_applied_now = matches!(answer, ReplyOutcome::Success(_));
        assert!(is_applied_now || gift.exists_by(&answer), "{gift:?} was not answered, and now: {answer:?}");
    }
}
