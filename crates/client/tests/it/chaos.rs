//! 10,000 presents to a bank that replies -1 and drops replies, through a proxy that resets connections.
//!
//! Invariant: a call that succeeds has given once, and a call that gives up reports an unknown outcome.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use pactolus_client::{
    AppliedBy, CallError, Client, ErrorSource, OrderOutcome, PresentError, PresentRequest, RetryPolicy,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bank::{TestBank, gift, sandbox};
use crate::proxy;

const PRESENTS: u64 = 10_000;
const PLAYERS: u64 = 20;
const CONCURRENCY: usize = 64;
const SEED: u64 = 20_171_009;

const FAULTS: &str = r#"[
    {"call": "present", "fault": {"answer": -1}, "one_in": 8, "seed": 1},
    {"call": "present", "fault": "close_before", "one_in": 12, "seed": 2},
    {"call": "present", "fault": "close_after", "one_in": 12, "seed": 3},
    {"call": "present", "fault": {"answer": 42001}, "one_in": 50, "seed": 4}
]"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presents_apply_exactly_once_under_faults() {
    let bank = TestBank::start().await;
    let mut players = Vec::new();
    for number in 0..PLAYERS {
        players.push(bank.log_in(&format!("player-{number}")).await);
    }
    bank.operate("PUT", "/faults", FAULTS).await;
    let proxy_address = proxy::start(bank.address(), SEED).await;
    let policy = RetryPolicy {
        // Few enough that some calls give up.
        attempts_max: NonZeroU32::new(3).unwrap(),
        backoff_min: Duration::from_millis(1),
        call_timeout: Duration::from_secs(60),
        ..RetryPolicy::default()
    };
    let client = sandbox(&format!("http://{proxy_address}")).retry_policy(policy).build();
    let gifts = (0..PRESENTS).map(|number| {
        let player = &players[usize::try_from(number % PLAYERS).unwrap()];
        gift(player, &format!("chaos-{number}"), 1 + number % 7)
    });
    let unresolved = present_all(&client, gifts.collect()).await;
    assert!(!unresolved.is_empty() && unresolved.len() < 2_000, "{} gave up", unresolved.len());

    // Retry the unresolved orders without faults until their outcome is known.
    bank.operate("PUT", "/faults", "[]").await;
    let client = bank.client();
    for (gift, outcome) in &unresolved {
        let presented = client.retry_present(gift).await.unwrap();
        assert!(
            *outcome == OrderOutcome::Unknown || presented.applied_by == AppliedBy::ThisAttempt,
            "{gift:?} was applied"
        );
    }
    let mut orders = 0;
    for number in 0..PLAYERS {
        let account = bank.account(&format!("player-{number}")).await;
        let coins: u64 = (number..PRESENTS).step_by(20).map(|number| 1 + number % 7).sum();
        assert_eq!(account["presented"], coins, "{account}");
        orders += account["orders"].as_u64().unwrap();
    }
    assert_eq!(orders, PRESENTS);
}

/// Sends all presents concurrently. Returns those that gave up, with the reported outcome.
async fn present_all(client: &Client, gifts: Vec<PresentRequest>) -> Vec<(PresentRequest, OrderOutcome)> {
    let permits = Arc::new(Semaphore::new(CONCURRENCY));
    let mut calls = JoinSet::new();
    for gift in gifts {
        let (client, permit) = (client.clone(), Arc::clone(&permits).acquire_owned().await.unwrap());
        calls.spawn(async move {
            let presented = client.present(&gift).await;
            drop(permit);
            match presented {
                Ok(presented) => {
                    assert_eq!(presented.bill_no, gift.bill_no);
                    None
                }
                Err(error) => {
                    assert_retries_exhausted(&error);
                    Some((gift, error.outcome()))
                }
            }
        });
    }
    calls.join_all().await.into_iter().flatten().collect()
}

/// The error is retryable, and its source is the faulty bank or network.
fn assert_retries_exhausted(error: &PresentError) {
    assert!(error.retryable(), "{error:?}");
    let PresentError::Call(call) = error else { panic!("{error:?}") };
    match &**call {
        // One more if the token was rejected in between.
        CallError::RetriesExhausted { attempts: 3 | 4, .. } => {
            assert!(matches!(error.error_source(), ErrorSource::Bank | ErrorSource::Network), "{error:?}");
        }
        // The token was rejected twice within one call: by the injected fault, or because another call hit by the
        // fault has replaced the token meanwhile.
        CallError::Api { error: refused, .. } => {
            assert!([40001, 42001].contains(&refused.errcode), "{error:?}");
        }
        _ => panic!("{error:?}"),
    }
}
