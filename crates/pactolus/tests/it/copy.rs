//! Copy of a bank to PostgreSQL and back.

use pactolus_protocol::ReplyOutcome;
use pactolus_test_postgres::Database;
use pactolus_types::Environment;

use crate::gifts::{Gift, Player};
use crate::load::{ExpectedLedger, LoadGenerator};
use crate::process::{Folder, ServerProcess};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copy_to_postgres_and_back() {
    let folder = Folder::with_config();
    let mut bank = ServerProcess::serve(&folder);
    for player in 0..crate::load::PLAYERS {
        Player(player).log_in(&bank.http).await;
    }
    let load = LoadGenerator::start(&bank.http, "copied");
    load.wait_acknowledged(2500).await;
    bank.process.kill();
    let sent = load.wait_disconnected().await;
    // Unanswered gifts may be applied already. Sending them again makes all of them applied.
    let bank = ServerProcess::serve(&folder);
    let mut books = ExpectedLedger::default();
    books.record(&sent.acknowledged);
    for gift in &sent.unanswered {
        assert!(gift.send(&bank.http).await.is_ok());
    }
    books.record(&sent.unanswered);
    assert_eq!(bank.stop().code, Some(0));

    let database = Database::create();
    let url = database.url();
    assert_eq!(folder.run(&["migrate", "--store", &url]).code, Some(0));
    let copied = folder.run(&["copy", "--from", "embedded:data", "--to", &url]);
    assert_eq!((copied.code, &*copied.stderr), (Some(0), ""), "{copied:?}");
    let counts = format!("orders: {}, accounts: ", books.order_count());
    assert!(copied.stdout.contains(&counts), "{}", copied.stdout);
    // Copying is idempotent, which is also how an interrupted copy resumes.
    let again = folder.run(&["copy", "--from", "embedded:data", "--to", &url]);
    assert_eq!((again.code, &again.stdout), (Some(0), &copied.stdout));

    // The copy can be served, and the logins are in it.
    let bank = ServerProcess::start(folder.command(&["serve", "--store", &url]));
    books.assert_matches(&bank.http).await;
    let new = Gift { environment: Environment::Live, player: Player(0), bill_no: "new".to_owned(), coins: 7 };
    assert!(matches!(new.send(&bank.http).await, Ok(ReplyOutcome::Success(_))));
    assert_eq!(bank.stop().code, Some(0));

    // Back to a new store, and to the original one, which lacks the new order and gets it.
    books.record(&[new]);
    for to in ["embedded:back", "embedded:data"] {
        let ended = folder.run(&["copy", "--from", &url, "--to", to]);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
    }
    let bank = ServerProcess::start(folder.command(&["serve", "--store", "embedded:back"]));
    books.assert_matches(&bank.http).await;
    assert_eq!(bank.stop().code, Some(0));
}

#[tokio::test]
async fn copy_into_another_bank_is_refused() {
    let gift = |bill_no: &str, coins| Gift {
        environment: Environment::Live,
        player: Player(0),
        bill_no: bill_no.to_owned(),
        coins,
    };
    let folder = Folder::with_config();
    for (store, coins) in [("embedded:one", 5), ("embedded:two", 6)] {
        let bank = ServerProcess::start(folder.command(&["serve", "--store", store]));
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
