//! A database that is far away.
//!
//! The bug: opening a connection shared the deadline of the call that needed it, 0.9 s, and was given up with it. From
//! some 160 ms of round trip on, reads never worked. The fix: it has a deadline of its own.

use std::time::Duration;

use pactolus_ledger::{Ledger, Records};
use pactolus_ledger::{RecordKey, Unavailable};
use pactolus_ledger_postgres::{PostgresSettings, PostgresStore, PostgresUrl, migrate};
use pactolus_test_postgres::Cluster;
use pactolus_test_support::proxy;
use pactolus_test_support::sample::NOW;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::nodes::{order, wait_ready};

/// Forwards bytes in order, each after `delay`.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut queue) = mpsc::channel::<(Instant, Vec<u8>)>(1024);
    tokio::spawn(async move {
        while let Some((at, bytes)) = queue.recv().await {
            sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if sender.send((Instant::now() + delay, bytes[..read].to_vec())).await.is_err() {
            return;
        }
    }
}

async fn relay(near: TcpStream, far: TcpStream, delay: Duration) {
    let ((near_reads, near_writes), (far_reads, far_writes)) = (near.into_split(), far.into_split());
    tokio::join!(forward(near_reads, far_writes, delay), forward(far_reads, near_writes, delay));
}

/// URL of the cluster behind a link with this round trip.
async fn distant(cluster: &Cluster, round_trip: Duration) -> PostgresUrl {
    let target = ([127, 0, 0, 1], cluster.port()).into();
    let address = proxy::start(target, move |near, far| relay(near, far, round_trip / 2)).await.unwrap();
    format!("postgres://postgres@127.0.0.1:{}/postgres", address.port()).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn distant_database_is_used() {
    let cluster = Cluster::start("");
    migrate(&cluster.url().parse().unwrap(), None).await.unwrap();
    for round_trip in [Duration::from_millis(160), Duration::from_millis(250)] {
        let url = distant(&cluster, round_trip).await;
        let node = PostgresStore::open(&url, &PostgresSettings::default()).await.unwrap();
        wait_ready(&node).await;
        let number = u64::try_from(round_trip.as_millis()).unwrap() * 8 + 1;
        let order = order(number);
        // A busy machine may add some delay of its own.
        let mut answer = node.post(order.clone(), NOW).await;
        for _ in 0..5 {
            if answer.is_ok() {
                break;
            }
            answer = node.post(order.clone(), NOW).await;
        }
        answer.unwrap();
        // The first calls may give up while their connections open.
        let mut calls = 0;
        loop {
            let account = node.account(order.account).await;
            let entry = node.order(order.bill()).await;
            let record = node.get(RecordKey::new("token", &["none"])).await;
            let refused = Err(Unavailable::Unreachable);
            if let (Ok(account), Ok(Some(_)), Ok(None)) = (&account, &entry, &record) {
                assert!(account.orders() > 0);
                break;
            }
            assert!(account.is_ok() || account == refused, "{account:?}");
            calls += 1;
            assert!(calls < 10, "reads never work: {account:?} {entry:?} {record:?}");
        }
    }
}
