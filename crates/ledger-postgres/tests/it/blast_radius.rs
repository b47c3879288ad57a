//! Blast radius: what the database refuses of one order harms no other, and what one query waits for delays no other.
//!
//! The bugs: one U+0000 in a remark or one damaged account row failed the whole batch, half of all orders, for ever; a
//! session whose statements had become unusable was kept; after an error the next change of a record met an aborted
//! transaction; totals shared their connection with balances. The fixes: a refused batch is posted again in halves,
//! failed sessions are replaced, reports have connections of their own.

use std::sync::Arc;
use std::time::Duration;

use pactolus_ledger::{
    Ledger, Memo, Order, Periods, PostError, Posted, Precondition, PutOutcome, RecordChange, RecordKey,
    RecordValue, Records, Unavailable,
};
use pactolus_ledger_postgres::{PostgresSettings, PostgresStore, PostgresUrl, migrate};
use pactolus_test_postgres::{Database, execute};
use pactolus_test_support::orders::{self, present};
use pactolus_test_support::sample::NOW;
use pactolus_types::UnixMillis;
use tokio::task::JoinSet;

/// A node on a database of its own; latency is not under test.
async fn open(database: &Database) -> Arc<PostgresStore> {
    let url: PostgresUrl = database.url().parse().unwrap();
    migrate(&url, None).await.unwrap();
    let settings =
        PostgresSettings { request_timeout: Duration::from_secs(60), ..PostgresSettings::default() };
    Arc::new(PostgresStore::open(&url, &settings).await.unwrap())
}

fn gift(player: usize, bill: usize) -> Order {
    orders::order(&format!("player-{player}"), &format!("bill-{player}-{bill}"), present(5))
}

/// Posts all orders at once, and returns their answers.
async fn post_all(node: &Arc<PostgresStore>, orders: Vec<Order>) -> Vec<(Order, Result<Posted, PostError>)> {
    let mut posts = JoinSet::new();
    for order in orders {
        let node = Arc::clone(node);
        posts.spawn(async move {
            let answer = node.post(order.clone(), NOW).await;
            (order, answer)
        });
    }
    posts.join_all().await
}

/// Asserts that these players' orders fail, at any time and again, and that all others are applied.
async fn assert_only_these_fail(
    node: &Arc<PostgresStore>,
    is_bad: impl Fn(&Order) -> bool,
    orders: Vec<Order>,
) {
    for _ in 0..2 {
        for (order, answer) in post_all(node, orders.clone()).await {
            if is_bad(&order) {
                let refusals = [Unavailable::Failed, Unavailable::Busy].map(|error| Err(error.into()));
                assert!(refusals.contains(&answer), "{order:?}: {answer:?}");
            } else {
                assert!(answer.is_ok(), "{order:?}: {answer:?}");
            }
        }
    }
    assert_eq!(node.ready().await, Ok(()), "the node is ready for the others");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_the_database_refuses_fails_alone() {
    let database = Database::create();
    let node = open(&database).await;
    let mut orders: Vec<_> = (0..400).map(|player| gift(player, 0)).collect();
    for bad in [0, 7, 8, 199, 399] {
        orders[bad].memo = Memo::new("", "a\0b").unwrap();
    }
    assert_only_these_fail(&node, |order| order.memo.remark().contains('\0'), orders).await;
    let audit = node.audit().await.unwrap();
    assert!(audit.is_clean() && audit.orders == 395, "{audit:?}");
}

/// Each kind of damage to the row of one player.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_account_fails_alone() {
    let damages = [
        "UPDATE pactolus.accounts SET gifted = -1 WHERE player = 'player-3'",
        "UPDATE pactolus.accounts SET saved = 9007199254740993 WHERE player = 'player-3'",
        "UPDATE pactolus.accounts SET zone = 'no zone' WHERE player = 'player-3'",
        // The next order's number is taken: a conflict that no retry ends.
        "UPDATE pactolus.accounts SET orders = 0 WHERE player = 'player-3'",
        "ALTER TABLE pactolus.accounts ALTER gifted DROP NOT NULL;
         UPDATE pactolus.accounts SET gifted = NULL WHERE player = 'player-3'",
        "ALTER TABLE pactolus.accounts ADD CHECK (player <> 'player-3' OR presented < 8) NOT VALID",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
         CREATE TRIGGER refuse BEFORE UPDATE ON pactolus.accounts FOR EACH ROW
            WHEN (OLD.player = 'player-3') EXECUTE FUNCTION refuse()",
    ];
    for damage in damages {
        let database = Database::create();
        let node = open(&database).await;
        for (_, answer) in post_all(&node, (0..200).map(|player| gift(player, 0)).collect()).await {
            answer.unwrap();
        }
        execute(&database.url(), damage);
        let orders = (0..200).map(|player| gift(player, 1)).collect();
        let account = gift(3, 0).account;
        assert_only_these_fail(&node, |order| order.account == account, orders).await;
    }
}

/// Statements that became unusable: the session is replaced, and no caller notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unusable_session_is_replaced() {
    let database = Database::create();
    let node = open(&database).await;
    let key = RecordKey::new("token", &["a"]);
    let change = |value: &[u8]| RecordChange {
        key: key.clone(),
        value: RecordValue(value.to_vec()),
        expires_at: UnixMillis::new(1 << 50),
        precondition: Precondition::Any,
    };
    let use_everything = async |bill: usize| {
        let order = gift(1, bill);
        node.post(order.clone(), NOW).await.unwrap();
        let account = node.account(order.account).await.unwrap();
        assert_eq!(account.orders(), u64::try_from(bill).unwrap() + 1);
        assert!(node.order(order.bill()).await.unwrap().is_some());
        assert_eq!(node.statement(order.account, None, 100).await.unwrap().receipts.len(), bill + 1);
        let AccountScope { app, environment } = AccountScope::of(&order);
        assert_eq!(node.totals(app, environment, Periods::whole()).await.unwrap().len(), 1);
        assert_eq!(node.put(vec![change(&[u8::try_from(bill).unwrap()])]).await, Ok(PutOutcome::Stored));
        assert_eq!(node.get(key.clone()).await, Ok(Some(vec![u8::try_from(bill).unwrap()])));
        assert_eq!(node.ready().await, Ok(()));
    };
    use_everything(0).await;
    // Cached plans change their result types (0A000).
    for (number, length) in [2000, 3000].into_iter().enumerate() {
        let changes = [("accounts", "app"), ("orders", "item"), ("records", "name"), ("totals", "zone")];
        for (table, column) in changes {
            let change = format!("ALTER TABLE pactolus.{table} ALTER {column} TYPE varchar({length})");
            execute(&database.url(), &change);
        }
        use_everything(number + 1).await;
    }
}

/// The app and environment of an order.
struct AccountScope {
    app: pactolus_types::AppId,
    environment: pactolus_types::Environment,
}

impl AccountScope {
    fn of(order: &Order) -> Self {
        Self { app: order.account.app, environment: order.account.environment }
    }
}

/// Every kind of error in the middle of a change of records leaves the next change a working session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_change_of_records_leaves_no_aborted_transaction() {
    let codes = ["22023", "23514", "53100", "25006", "57014", "0A000", "42501", "XX000", "P0001"];
    let database = Database::create();
    let node = open(&database).await;
    let put = async |name: &str| {
        let change = RecordChange {
            key: RecordKey::new("token", &[name]),
            value: RecordValue(b"value".to_vec()),
            expires_at: UnixMillis::new(1 << 50),
            precondition: Precondition::Any,
        };
        node.put(vec![change]).await
    };
    assert_eq!(put("first").await, Ok(PutOutcome::Stored));
    for code in codes {
        execute(
            &database.url(),
            &format!(
                "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{code}'; END $$;
                 CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON pactolus.records FOR EACH ROW
                    EXECUTE FUNCTION refuse()"
            ),
        );
        assert!(put(&format!("refused-{code}")).await.is_err(), "{code}");
        execute(&database.url(), "DROP TRIGGER refuse ON pactolus.records");
        assert_eq!(put(&format!("after-{code}")).await, Ok(PutOutcome::Stored), "{code}");
    }
}

/// Totals and statements that take long: balances, readiness, orders and records do not wait for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_reports_delay_nothing_else() {
    let database = Database::create();
    let node = open(&database).await;
    let order = gift(1, 0);
    node.post(order.clone(), NOW).await.unwrap();
    // Two seconds for each row of totals.
    execute(
        &database.url(),
        "CREATE FUNCTION slow() RETURNS boolean LANGUAGE plpgsql VOLATILE AS
            $$ BEGIN PERFORM pg_sleep(2); RETURN true; END $$;
         ALTER TABLE pactolus.totals RENAME TO totals_rows;
         CREATE VIEW pactolus.totals AS SELECT * FROM pactolus.totals_rows WHERE slow()",
    );
    let AccountScope { app, environment } = AccountScope::of(&order);
    let slow = {
        let node = Arc::clone(&node);
        tokio::spawn(async move { node.totals(app, environment, Periods::whole()).await })
    };
    let begun = tokio::time::Instant::now();
    while !slow.is_finished() {
        let asked = tokio::time::Instant::now();
        node.account(order.account).await.unwrap();
        node.order(order.bill()).await.unwrap();
        node.statement(order.account, None, 10).await.unwrap();
        node.get(RecordKey::new("token", &["none"])).await.unwrap();
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        tokio::task::yield_now().await;
    }
    assert!(begun.elapsed() > Duration::from_secs(1), "the totals were not slow");
    assert_eq!(slow.await.unwrap().unwrap().len(), 1, "and they are answered");
}
