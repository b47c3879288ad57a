//! Export: a consistent snapshot, sorted, in pages.

use pactolus_ledger::{Ledger, Receipt};
use pactolus_ledger_postgres::{
    ExportError, OpenError, PostgresSettings, PostgresStore, PostgresUrl, export_accounts, export_orders,
    migrate,
};
use pactolus_test_postgres::Database;
use pactolus_test_support::orders::{self, present};
use pactolus_types::UnixMillis;

const DAY_MS: u64 = 24 * 3600 * 1000;

async fn open(database: &Database) -> (PostgresUrl, PostgresStore) {
    let url: PostgresUrl = database.url().parse().unwrap();
    migrate(&url, None).await.unwrap();
    let settings = PostgresSettings {
        request_timeout: std::time::Duration::from_secs(60),
        ..PostgresSettings::default()
    };
    let store = PostgresStore::open(&url, &settings).await.unwrap();
    (url, store)
}

#[tokio::test]
async fn orders_of_a_period_are_sorted_by_time() {
    let database = Database::create();
    let (url, node) = open(&database).await;
    // More than two pages, at descending times for other players, ten a player, on five days.
    let posts = (0..2500_u64).map(|number| {
        let player = format!("player-{}", 2500 - number / 10);
        let at = UnixMillis::new(number % 10 / 2 * DAY_MS + number);
        node.post(orders::order(&player, &format!("bill-{number}"), present(1)), at)
    });
    for post in posts {
        post.await.unwrap();
    }
    let period = |from: u64, until: u64| UnixMillis::new(from * DAY_MS)..UnixMillis::new(until * DAY_MS);

    let mut shown: Vec<Receipt> = Vec::new();
    let mut collect = |receipt: &Receipt| {
        shown.push(receipt.clone());
        Ok(())
    };
    export_orders(&url, period(0, 9), &mut collect).await.unwrap();
    assert_eq!(shown.len(), 2500);
    assert!(shown.is_sorted_by_key(|receipt| receipt.at));

    let mut middle = Vec::new();
    let mut collect = |receipt: &Receipt| {
        middle.push(receipt.clone());
        Ok(())
    };
    export_orders(&url, period(1, 3), &mut collect).await.unwrap();
    let expected: Vec<_> =
        shown.iter().filter(|receipt| (DAY_MS..3 * DAY_MS).contains(&receipt.at.get())).cloned().collect();
    assert_eq!(middle.len(), 1000);
    assert_eq!(middle, expected);

    let mut accounts = Vec::new();
    let mut collect = |receipt: &Receipt| {
        accounts.push(receipt.clone());
        Ok(())
    };
    export_accounts(&url, period(1, 3), &mut collect).await.unwrap();
    assert_eq!(accounts.len(), 250);
    assert!(accounts.is_sorted_by_key(|receipt| receipt.order.account));
    assert!(accounts.iter().all(|receipt| receipt.after.orders() == 6), "after the last order of the period");
}

#[tokio::test]
async fn failed_output_ends_the_export() {
    let database = Database::create();
    let (url, node) = open(&database).await;
    node.post(orders::order("one", "bill", present(1)), UnixMillis::new(0)).await.unwrap();
    let period = || UnixMillis::new(0)..UnixMillis::new(DAY_MS);
    let full = export_orders(&url, period(), &mut |_| Err(std::io::ErrorKind::StorageFull.into())).await;
    assert!(matches!(full, Err(ExportError::Output(_))), "{full:?}");
    let empty = Database::create();
    let refused = export_orders(&empty.url().parse().unwrap(), period(), &mut |_| Ok(())).await;
    assert!(matches!(refused, Err(ExportError::Open(OpenError::NotMigrated))), "{refused:?}");
}
