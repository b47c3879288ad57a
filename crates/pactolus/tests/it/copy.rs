//! A whole bank to PostgreSQL and back.

use pactolus_protocol::ReplyOutcome;
use pactolus_test_postgres::Database;
use pactolus_types::Environment;

use crate::gifts::{Gift, Player};
use crate::load::{Books, Load};
use crate::process::{Folder, Running};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bank_moves_to_postgres_and_back() {
    let folder = Folder::with_config();
    let mut bank = Running::serve(&folder);
    for player in 0..crate::load::PLAYERS {
        Player(player).log_in(&bank.http).await;
    }
    let load = Load::start(&bank.http, "copied");
    load.acknowledged(2500).await;
    bank.process.kill();
    let sent = load.broken().await;
    // Of those that were not answered some may be there; they are answered now.
    let bank = Running::serve(&folder);
    let mut books = Books::default();
    books.enter(&sent.acknowledged);
    for gift in &sent.unanswered {
        assert!(gift.send(&bank.http).await.is_ok());
    }
    books.enter(&sent.unanswered);
    assert_eq!(bank.stop().code, Some(0));

    let database = Database::create();
    let url = database.url();
    assert_eq!(folder.run(&["migrate", "--store", &url]).code, Some(0));
    let copied = folder.run(&["copy", "--from", "embedded:data", "--to", &url]);
    assert_eq!((copied.code, &*copied.stderr), (Some(0), ""), "{copied:?}");
    let counts = format!("orders: {}, accounts: ", books.orders());
    assert!(copied.stdout.contains(&counts), "{}", copied.stdout);
    // Once more changes nothing; that is also how a copy that was broken off goes on.
    let again = folder.run(&["copy", "--from", "embedded:data", "--to", &url]);
    assert_eq!((again.code, &again.stdout), (Some(0), &copied.stdout));

    // There it is served, its logins with it.
    let bank = Running::start(folder.pactolus(&["serve", "--store", &url]));
    books.compare(&bank.http).await;
    let new = Gift { environment: Environment::Live, player: Player(0), bill_no: "new".to_owned(), coins: 7 };
    assert!(matches!(new.send(&bank.http).await, Ok(ReplyOutcome::Success(_))));
    assert_eq!(bank.stop().code, Some(0));

    // Back to a store of its own; the one that it came from lacks the new order, and takes it.
    books.enter(&[new]);
    for to in ["embedded:back", "embedded:data"] {
        let ended = folder.run(&["copy", "--from", &url, "--to", to]);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
    }
    let bank = Running::start(folder.pactolus(&["serve", "--store", "embedded:back"]));
    books.compare(&bank.http).await;
    assert_eq!(bank.stop().code, Some(0));
}

#[tokio::test]
async fn a_bank_is_not_copied_into_another() {
    let gift = |bill_no: &str, coins| Gift {
        environment: Environment::Live,
        player: Player(0),
        bill_no: bill_no.to_owned(),
        coins,
    };
    let folder = Folder::with_config();
    for (store, coins) in [("embedded:one", 5), ("embedded:two", 6)] {
        let bank = Running::start(folder.pactolus(&["serve", "--store", store]));
        Player(0).log_in(&bank.http).await;
        assert!(matches!(gift("a", coins).send(&bank.http).await, Ok(ReplyOutcome::Success(_))));
        assert_eq!(bank.stop().code, Some(0));
    }
    let ended = folder.run(&["copy", "--from", "embedded:one", "--to", "embedded:two"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("has orders of its own"), "{}", ended.stderr);
    let ended = folder.run(&["copy", "--from", "embedded:none", "--to", "embedded:two"]);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
}
