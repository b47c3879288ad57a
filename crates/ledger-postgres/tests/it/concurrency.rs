//! Concurrency without faults: four nodes, one database, a hundred clients.

use std::sync::Arc;

use pactolus_ledger::{Ledger, PostError, Posted, Refusal};
use pactolus_ledger_postgres::{PostgresSettings, PostgresStore, PostgresUrl, migrate};
use pactolus_test_postgres::Database;
use pactolus_types::UnixMillis;
use tokio::task::JoinSet;

use crate::nodes::{ClientLoad, Nodes, order};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_nodes_apply_each_order_once() {
    let database = Database::create();
    let nodes = Nodes::open(&database.url(), 4).await;
    let load = ClientLoad::start(&nodes, 100);
    load.wait_acknowledged(6000).await;
    let report = load.stop().await;
    let url: PostgresUrl = database.url().parse().unwrap();
    let fifth = PostgresStore::open(&url, &PostgresSettings::default()).await.unwrap();
    report.assert_consistent(&fifth).await;
}

/// Each bill number goes to all nodes at once: one applies it, the others replay or refuse it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_nodes_apply_a_bill_no_once() {
    let database = Database::create();
    let url: PostgresUrl = database.url().parse().unwrap();
    migrate(&url, None).await.unwrap();
    let mut nodes = Vec::new();
    for _ in 0..4 {
        nodes.push(Arc::new(PostgresStore::open(&url, &PostgresSettings::default()).await.unwrap()));
    }
    for round in 0..40 {
        let mut posts = JoinSet::new();
        for (number, node) in nodes.iter().cloned().enumerate() {
            for repeat in 0..5_u64 {
                // Some of the numbers for two accounts; still, each number makes one order.
                let mut order = order(round * 8 + 1);
                if (number + usize::try_from(repeat).unwrap()) % 3 == 0 && round % 2 == 0 {
                    order.account.player = "another".parse().unwrap();
                }
                let node = Arc::clone(&node);
                posts.spawn(async move { node.post(order, UnixMillis::new(0)).await });
            }
        }
        let answers = posts.join_all().await;
        let applied = answers.iter().filter(|answer| matches!(answer, Ok(Posted::Applied(_)))).count();
        assert_eq!(applied, 1, "round {round}: {answers:?}");
        for answer in answers {
            let is_there = matches!(
                answer,
                Ok(Posted::Applied(_) | Posted::Replayed { .. })
                    | Err(PostError::Refused(Refusal::BillNoTaken(_)))
            );
            assert!(is_there, "round {round}: {answer:?}");
        }
    }
    let audit = nodes[0].audit().await.unwrap();
    assert!(audit.is_clean(), "{:?}", audit.findings);
    assert_eq!(audit.orders, 40);
}

/// Concurrent and repeated migrations succeed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_migrations_succeed() {
    let database = Database::create();
    let url: PostgresUrl = database.url().parse().unwrap();
    let mut racers = JoinSet::new();
    for _ in 0..8 {
        let url = url.clone();
        racers.spawn(async move { migrate(&url, None).await });
    }
    for migrated in racers.join_all().await {
        assert_eq!(migrated.unwrap().to, 3);
    }
    let again = migrate(&url, None).await.unwrap();
    assert_eq!((again.from, again.to), (3, 3));
}
