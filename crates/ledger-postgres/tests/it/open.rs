//! What is refused when a bank is opened, in words that say what to do.

use pactolus_ledger_postgres::{Distribution, PostgresStore, PostgresUrl, Settings, migrate};
use pactolus_test_postgres::{Database, execute};

async fn refused(url: &PostgresUrl) -> String {
    let opened = PostgresStore::open(url, &Settings::default()).await;
    opened.err().expect("it is refused").to_string()
}

#[tokio::test]
async fn tables_of_another_version_are_refused() {
    let database = Database::create();
    let url: PostgresUrl = database.url().parse().unwrap();
    assert!(refused(&url).await.contains("`pactolus migrate`"));
    migrate(&url, None).await.unwrap();
    PostgresStore::open(&url, &Settings::default()).await.unwrap();

    execute(&database.url(), "UPDATE pactolus.meta SET version = 2");
    assert!(refused(&url).await.contains("use a newer Pactolus"));
    execute(&database.url(), "UPDATE pactolus.meta SET version = 0");
    assert!(refused(&url).await.contains("`pactolus migrate`"));
    execute(&database.url(), "UPDATE pactolus.meta SET version = 1, partitions = 16");
    assert!(refused(&url).await.contains("16 partitions"));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told_without_the_password() {
    let url: PostgresUrl = "postgres://bank:s3cret@127.0.0.1:1/coins".parse().unwrap();
    let words = refused(&url).await;
    assert!(words.starts_with("the database cannot be used: "), "{words}");
    assert!(!words.contains("s3cret"), "{words}");
}

/// There is no Citus here: what would be run is looked at, and that it is asked of tables that there are.
#[test]
fn every_table_is_distributed_by_its_partition() {
    let statements = Distribution::Citus.statements();
    for table in ["accounts", "orders", "bills", "totals", "records"] {
        let distributes = format!("create_distributed_table('pactolus.{table}', 'part'");
        assert!(statements.iter().any(|statement| statement.contains(&distributes)), "{table}");
    }
}
