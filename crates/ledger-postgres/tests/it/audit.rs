//! Audit findings: each kind of row is corrupted behind the bank's back.

use pactolus_ledger::Ledger;
use pactolus_ledger_postgres::{PostgresSettings, PostgresStore, PostgresUrl, migrate};
use pactolus_test_postgres::{Database, execute};
use pactolus_types::UnixMillis;

use crate::nodes::order;

#[tokio::test]
async fn audit_detects_every_corruption() {
    let cases = [
        ("UPDATE pactolus.accounts SET saved = saved + 1", "is not the sum of its orders"),
        ("UPDATE pactolus.accounts SET orders = orders + 1", "is not the sum of its orders"),
        ("DELETE FROM pactolus.accounts", "is of an account that is not there"),
        ("UPDATE pactolus.accounts SET player = 'other'", "has the id of another"),
        ("UPDATE pactolus.orders SET coins = coins + 1 WHERE kind = 1", "is not what the rule makes"),
        ("DELETE FROM pactolus.orders WHERE number = 1", "is not what the rule makes"),
        ("UPDATE pactolus.orders SET bill_no = 'b' || bill_no WHERE kind = 0", "does not lead to its save"),
        ("DELETE FROM pactolus.bills", "does not lead to its present"),
        ("UPDATE pactolus.bills SET number = number + 1", "does not lead to its"),
        ("UPDATE pactolus.bills SET cancel = NULL", "does not lead to its cancel"),
        (
            "INSERT INTO pactolus.bills SELECT 0, '00000000-0000-0000-0000-000000000000', account, 1 \
            FROM pactolus.bills LIMIT 1",
            "bill numbers",
        ),
        ("UPDATE pactolus.totals SET saved = saved + 1", "are not those of its orders"),
        ("UPDATE pactolus.totals SET debited = debited + 1", "are not those of its orders"),
        ("UPDATE pactolus.totals SET quarter = quarter + 1", "are not those of its orders"),
        (
            "UPDATE pactolus.accounts SET debited = 0 WHERE debited IS NOT NULL",
            "is not the sum of its orders",
        ),
        ("UPDATE pactolus.orders SET amount = amount + 1 WHERE kind = 4", "is not what the rule makes"),
        ("UPDATE pactolus.orders SET take_available = 2 WHERE kind = 4", "an order has invalid columns"),
        (
            "INSERT INTO pactolus.totals SELECT part, app, environment, quarter, offer, 'other', 0, 0, 0, 0, 0, 0, 0, 0 \
            FROM pactolus.totals LIMIT 1",
            "are not those of its orders",
        ),
        ("UPDATE pactolus.orders SET kind = 9", "an order has invalid columns"),
        ("UPDATE pactolus.accounts SET gifted = saved + presented + 1", "sums that no orders can make"),
    ];
    for (damage, finding) in cases {
        let database = Database::create();
        let url: PostgresUrl = database.url().parse().unwrap();
        migrate(&url, None).await.unwrap();
        let store = PostgresStore::open(&url, &PostgresSettings::default()).await.unwrap();
        for bill in 0..16 {
            store.post(order(bill), UnixMillis::new(0)).await.unwrap();
        }
        let audit = store.audit().await.unwrap();
        assert!(audit.is_clean() && audit.orders == 16 && audit.accounts == 2, "{audit:?}");
        execute(&database.url(), damage);
        let found = store.audit().await.unwrap().findings;
        let is_found = found.iter().any(|words| words.to_string().contains(finding));
        assert!(is_found, "{damage}: {found:?}");
    }
}
