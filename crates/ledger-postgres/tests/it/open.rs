//! Refusals when a bank is opened, with messages that say what to do.

use pactolus_ledger_postgres::{Distribution, PostgresSettings, PostgresStore, PostgresUrl, migrate};
use pactolus_test_postgres::{Database, execute};

async fn open_error(url: &PostgresUrl) -> String {
    let opened = PostgresStore::open(url, &PostgresSettings::default()).await;
    opened.err().expect("it is refused").to_string()
}

#[tokio::test]
async fn open_refuses_other_schema_versions() {
    let database = Database::create();
    let url: PostgresUrl = database.url().parse().unwrap();
    assert!(open_error(&url).await.contains("`pactolus migrate`"));
    migrate(&url, None).await.unwrap();
    PostgresStore::open(&url, &PostgresSettings::default()).await.unwrap();

    execute(&database.url(), "UPDATE pactolus.meta SET version = 1");
    assert!(open_error(&url).await.contains("run `pactolus migrate`"));
    execute(&database.url(), "UPDATE pactolus.meta SET version = 4");
    assert!(open_error(&url).await.contains("use a newer Pactolus"));
    execute(&database.url(), "UPDATE pactolus.meta SET version = 0");
    assert!(open_error(&url).await.contains("`pactolus migrate`"));
    execute(&database.url(), "UPDATE pactolus.meta SET version = 3, partitions = 16");
    assert!(open_error(&url).await.contains("16 partitions"));
}

#[tokio::test]
async fn connect_error_hides_the_password() {
    let url: PostgresUrl = "postgres://bank:s3cret@127.0.0.1:1/coins".parse().unwrap();
    let words = open_error(&url).await;
    assert!(words.starts_with("the database cannot be used: "), "{words}");
    assert!(!words.contains("s3cret"), "{words}");
}

/// No Citus is available here: this only checks that the statements cover every table.
#[test]
fn citus_distributes_tables_by_partition() {
    let statements = Distribution::Citus.statements();
    for table in ["accounts", "orders", "bills", "totals", "records"] {
        let distributes = format!("create_distributed_table('pactolus.{table}', 'part'");
        assert!(statements.iter().any(|statement| statement.contains(&distributes)), "{table}");
    }
}
