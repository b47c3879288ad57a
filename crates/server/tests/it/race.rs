//! Concurrent replays.

use std::sync::Arc;

use pactolus_types::Environment;

use crate::bank::{TestBank, gift};

#[tokio::test(flavor = "multi_thread")]
async fn hundred_concurrent_replays_apply_once() {
    let bank = Arc::new(TestBank::start().await);
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let bank = Arc::clone(&bank);
            tokio::spawn(async move { bank.present(&gift("one", 233)).await["errcode"].as_i64().unwrap() })
        })
        .collect();
    let mut codes = Vec::new();
    for task in tasks {
        codes.push(task.await.unwrap());
    }
    codes.sort_unstable();
    assert_eq!(codes[0], 0);
    assert_eq!(codes[1..], [90012; 99]);
    assert_eq!(bank.balance(Environment::Live).await, 233);
}
