//! Readiness is a rolled-back order, not a ping.
//!
//! The bug: `/readyz` asked `SELECT 1` and said 200 while every order failed. A load balancer kept sending players
//! there. The fix: a trial order, rolled back.

use std::time::Duration;

use pactolus_ledger::{Ledger, Unavailable};
use pactolus_ledger_postgres::{PostgresSettings, PostgresStore, PostgresUrl, migrate};
use pactolus_test_postgres::{Database, execute, query_scalar};
use pactolus_test_support::sample::NOW;

use crate::nodes::{order, wait_ready};

async fn open(database: &Database) -> PostgresStore {
    let url: PostgresUrl = database.url().parse().unwrap();
    migrate(&url, None).await.unwrap();
    let settings =
        PostgresSettings { request_timeout: Duration::from_secs(60), ..PostgresSettings::default() };
    PostgresStore::open(&url, &settings).await.unwrap()
}

/// The answer after the kept one is gone.
async fn readiness(node: &PostgresStore) -> Result<(), Unavailable> {
    let mut answer = node.ready().await;
    let begun = std::time::Instant::now();
    while answer.is_ok() && begun.elapsed() < Duration::from_secs(5) {
        tokio::task::yield_now().await;
        answer = node.ready().await;
    }
    answer
}

#[tokio::test]
async fn database_that_takes_no_order_is_not_ready() {
    // Each breaks the posting of orders, and none breaks `SELECT 1`; then its repair.
    let cases = [
        ("ALTER TABLE pactolus.orders RENAME TO away", "ALTER TABLE pactolus.away RENAME TO orders"),
        (
            "ALTER TABLE pactolus.bills ADD CHECK (number < 0) NOT VALID",
            "ALTER TABLE pactolus.bills DROP CONSTRAINT bills_number_check",
        ),
        (
            "ALTER TABLE pactolus.accounts ADD more integer NOT NULL",
            "ALTER TABLE pactolus.accounts DROP more",
        ),
        (
            "UPDATE pactolus.meta SET version = 1000",
            "UPDATE pactolus.meta SET version = before.version FROM before",
        ),
        ("DROP TABLE pactolus.totals", ""),
    ];
    let database = Database::create();
    let node = open(&database).await;
    execute(&database.url(), "CREATE TABLE before AS SELECT version FROM pactolus.meta");
    for (damage, repair) in cases {
        wait_ready(&node).await;
        execute(&database.url(), damage);
        assert_eq!(readiness(&node).await, Err(Unavailable::Failed), "{damage}");
        execute(&database.url(), repair);
    }
}

#[tokio::test]
async fn trial_order_leaves_no_trace() {
    let database = Database::create();
    let node = open(&database).await;
    node.post(order(1), NOW).await.unwrap();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(node.ready().await, Ok(()));
    }
    for table in ["accounts", "orders", "bills", "totals"] {
        let rows = query_scalar(&database.url(), &format!("SELECT count(*) FROM pactolus.{table}"));
        assert_eq!(rows, "1", "{table}");
    }
    let audit = node.audit().await.unwrap();
    assert!(audit.is_clean() && audit.orders == 1, "{audit:?}");
}

/// Strangers can poll `/readyz`; their polls cost the database a trial order twice a second.
#[tokio::test]
async fn polls_share_a_trial_order() {
    let database = Database::create();
    let node = open(&database).await;
    // A sequence counts what is rolled back too.
    execute(
        &database.url(),
        "CREATE SEQUENCE trials;
         CREATE FUNCTION count_trial() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM nextval('trials'); RETURN NEW; END $$;
         CREATE TRIGGER count_trial BEFORE INSERT ON pactolus.accounts FOR EACH ROW
            EXECUTE FUNCTION count_trial()",
    );
    let begun = std::time::Instant::now();
    for _ in 0..1000 {
        assert_eq!(node.ready().await, Ok(()));
    }
    let halves = begun.elapsed().as_millis() / 500;
    let trials: u128 = query_scalar(&database.url(), "SELECT last_value FROM trials").parse().unwrap();
    assert!((1..=halves + 2).contains(&trials), "{trials} trial orders");
}
