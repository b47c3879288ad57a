//! Fault injection under load: database killed, network cut, standby promoted.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pactolus_ledger::{Ledger, PostError, Unavailable};
use pactolus_ledger_postgres::{PostgresSettings, PostgresStore};
use pactolus_test_postgres::Cluster;
use pactolus_types::UnixMillis;

use crate::nodes::{ClientLoad, Nodes, order, wait_ready};
use crate::proxy::FlakyProxy;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn orders_survive_database_crashes() {
    let cluster = Cluster::start("");
    let nodes = Nodes::open(&cluster.url(), 4).await;
    let load = ClientLoad::start(&nodes, 100);
    for _ in 0..3 {
        load.wait_acknowledged(1500).await;
        cluster.kill();
        tokio::task::block_in_place(|| cluster.restart());
        load.reset_count();
    }
    load.wait_acknowledged(1500).await;
    let report = load.stop().await;
    assert!(report.unavailable > 0, "the fault interrupted no request");
    let node =
        PostgresStore::open(&cluster.url().parse().unwrap(), &PostgresSettings::default()).await.unwrap();
    report.assert_consistent(&node).await;
}

/// Without a database, calls fail within a second; service resumes when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn unreachable_database_fails_fast() {
    let cluster = Cluster::start("");
    let nodes = Nodes::open(&cluster.url(), 1).await;
    let node = nodes.first();
    node.post(order(1), UnixMillis::new(0)).await.unwrap();
    cluster.kill();
    let mut applied = 1;
    let (mut called, mut unreachable) = (BTreeSet::new(), BTreeSet::new());
    for bill in 2..200 {
        let begun = Instant::now();
        let order = order(bill * 8 + 1);
        let account = order.account;
        called.insert(account);
        let answer = node.post(order, UnixMillis::new(0)).await;
        // One second, plus one for a machine that is busy with other tests.
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        // Backends outlive their postmaster for a moment, each for another one, and their commits are durable. An
        // account's orders go to one writer, so once one of them failed, no later one may succeed.
        if answer.is_ok() && !unreachable.contains(&account) {
            applied += 1;
            continue;
        }
        assert_eq!(answer, Err(PostError::Unavailable(Unavailable::Unreachable)));
        unreachable.insert(account);
    }
    assert_eq!(unreachable, called, "calls succeed without a database");
    assert!(node.ready().await.is_err());
    tokio::task::block_in_place(|| cluster.restart());
    wait_ready(node).await;
    node.post(order(1), UnixMillis::new(0)).await.unwrap();
    let audit = node.audit().await.unwrap();
    // Every acknowledged order is there. Of the unacknowledged ones, the last of each writer may be.
    assert!(audit.is_clean() && (applied..=applied + 2).contains(&audit.orders), "{applied}: {audit:?}");
}

/// A database that accepts connections and then hangs blocks no caller for longer than the timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hung_database_times_out() {
    let cluster = Cluster::start("");
    let nodes = Nodes::open(&cluster.url(), 1).await;
    let node = nodes.first();
    node.post(order(1), UnixMillis::new(0)).await.unwrap();
    let signal = |name| tokio::task::block_in_place(|| cluster.signal_all(name));
    signal("STOP");
    for bill in [9, 17, 25] {
        let begun = Instant::now();
        let answer = node.post(order(bill), UnixMillis::new(0)).await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert_eq!(answer, Err(PostError::Unavailable(Unavailable::Unreachable)));
    }
    signal("CONT");
    wait_ready(node).await;
    for bill in [9, 17, 25] {
        while node.post(order(bill), UnixMillis::new(0)).await.is_err() {}
    }
    let audit = node.audit().await.unwrap();
    assert!(audit.is_clean() && audit.orders == 4, "{audit:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn orders_survive_cut_connections() {
    let cluster = Cluster::start("");
    let proxy = FlakyProxy::start(cluster.port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", proxy.port());
    let nodes = Nodes::open(&url, 4).await;
    // A batch of a hundred orders takes some 40 KB.
    proxy.cut_after(200_000);
    let load = ClientLoad::start(&nodes, 100);
    load.wait_acknowledged(5000).await;
    let report = load.stop().await;
    assert!(report.unavailable > 0, "the fault interrupted no request");
    let node =
        PostgresStore::open(&cluster.url().parse().unwrap(), &PostgresSettings::default()).await.unwrap();
    report.assert_consistent(&node).await;
}

/// Synchronous replication: each commit is on both servers before it is answered. The primary dies, and the standby
/// takes over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn orders_survive_standby_promotion() {
    let primary = Cluster::start("synchronous_standby_names = 'second'");
    let standby = primary.standby("second");
    let url =
        format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres", primary.port(), standby.port());
    let nodes = Nodes::open(&url, 2).await;
    let load = ClientLoad::start(&nodes, 100);
    load.wait_acknowledged(2000).await;
    primary.kill();
    tokio::task::block_in_place(|| standby.promote());
    load.reset_count();
    load.wait_acknowledged(2000).await;
    let report = load.stop().await;
    let node =
        PostgresStore::open(&standby.url().parse().unwrap(), &PostgresSettings::default()).await.unwrap();
    report.assert_consistent(&node).await;
}
