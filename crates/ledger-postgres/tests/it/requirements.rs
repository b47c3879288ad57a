//! Databases that cannot serve a bank are refused when it is opened or migrated, with words.
//!
//! The bug: behind a pooler in transaction mode, 10 of 240 orders passed and `synchronous_commit` was lost; a database
//! of another encoding or with too few connections was noticed by its first failures. The fix: checks at the start.

use pactolus_ledger::Ledger;
use pactolus_ledger_postgres::{OpenError, PostgresSettings, PostgresStore, PostgresUrl, migrate};
use pactolus_test_postgres::{Cluster, Database, PoolMode, Pooler, execute};
use pactolus_test_support::sample::NOW;

use crate::nodes::order;

/// The errors of opening and of migrating.
async fn errors(url: &str) -> [OpenError; 2] {
    let url: PostgresUrl = url.parse().unwrap();
    let opened = PostgresStore::open(&url, &PostgresSettings::default()).await;
    [opened.err().expect("opening is refused"), migrate(&url, None).await.expect_err("so is a migration")]
}

#[tokio::test]
async fn pooler_in_transaction_mode_is_refused() {
    let cluster = Cluster::start("");
    migrate(&cluster.url().parse().unwrap(), None).await.unwrap();
    // PgBouncer hands out its idle connections last in first out, or in turn.
    for more in ["", "server_round_robin = 1"] {
        let pooler = Pooler::start(&cluster, PoolMode::Transaction, 20, more);
        for round in 0..5 {
            for error in errors(&pooler.url()).await {
                assert!(matches!(error, OpenError::TransactionPooler), "{more} {round}: {error}");
                assert!(error.to_string().contains("pool_mode to session"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn pooler_with_one_connection_is_refused() {
    let cluster = Cluster::start("");
    for mode in [PoolMode::Transaction, PoolMode::Session] {
        let pooler = Pooler::start(&cluster, mode, 1, "query_wait_timeout = 2");
        for error in errors(&pooler.url()).await {
            assert!(matches!(error, OpenError::NoSecondConnection), "{mode:?}: {error}");
        }
    }
}

#[tokio::test]
async fn pooler_in_session_mode_is_used() {
    let cluster = Cluster::start("");
    let pooler = Pooler::start(&cluster, PoolMode::Session, 20, "");
    let url: PostgresUrl = pooler.url().parse().unwrap();
    migrate(&url, None).await.unwrap();
    let node = PostgresStore::open(&url, &PostgresSettings::default()).await.unwrap();
    for bill in 0..50 {
        let answer = node.post(order(bill), NOW).await;
        assert!(
            answer.is_ok() || matches!(answer, Err(pactolus_ledger::PostError::Refused(_))),
            "{answer:?}"
        );
    }
    assert!(node.audit().await.unwrap().is_clean());
}

#[tokio::test]
async fn other_encodings_are_refused() {
    let cluster = Cluster::start("");
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("in_{encoding}").to_lowercase();
        let create = format!("CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0");
        execute(&cluster.url(), &create);
        let url: PostgresUrl = cluster.url().parse().unwrap();
        let opened = PostgresStore::open(&url.with_database(&name), &PostgresSettings::default()).await;
        for error in [opened.err().unwrap(), migrate(&url.with_database(&name), None).await.unwrap_err()] {
            assert!(matches!(&error, OpenError::Encoding { found } if found == encoding), "{error}");
            assert!(error.to_string().contains("ENCODING 'UTF8'"), "{error}");
        }
    }
}

#[tokio::test]
async fn too_few_connections_are_refused() {
    let cluster = Cluster::start("");
    execute(&cluster.url(), "CREATE ROLE poor LOGIN SUPERUSER CONNECTION LIMIT 8");
    let limited = cluster.url().replace("postgres@", "poor@");
    execute(&cluster.url(), "CREATE DATABASE small CONNECTION LIMIT 8");
    let small = cluster.url().replace("/postgres", "/small").replace("small@", "postgres@");
    let few = Cluster::start("max_connections = 11\nsuperuser_reserved_connections = 3\nmax_wal_senders = 0");
    for url in [limited, small, few.url()] {
        for error in errors(&url).await {
            assert!(
                matches!(error, OpenError::TooFewConnections { allowed: 8, needed: 9 }),
                "{url}: {error}"
            );
        }
    }
    let enough =
        Cluster::start("max_connections = 12\nsuperuser_reserved_connections = 3\nmax_wal_senders = 0");
    let url: PostgresUrl = enough.url().parse().unwrap();
    migrate(&url, None).await.unwrap();
    PostgresStore::open(&url, &PostgresSettings::default()).await.unwrap();
}

#[tokio::test]
async fn newer_tables_are_not_migrated() {
    let database = Database::create();
    let url: PostgresUrl = database.url().parse().unwrap();
    migrate(&url, None).await.unwrap();
    execute(&database.url(), "UPDATE pactolus.meta SET version = 1000");
    for error in errors(&database.url()).await {
        assert!(matches!(error, OpenError::SchemaTooNew { found: 1000 }), "{error}");
    }
}
