//! Ten thousand presents under a bank that answers -1 and loses replies, over a way that resets connections.
//!
//! The promise: a call that says it is done has given once, and one that gave up says that it does not know.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use pactolus_client::{CallError, Client, DoneBy, Fault, Outcome, Patience, Present, PresentError};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bank::{TestBank, gift, sandbox};
use crate::proxy;

const PRESENTS: u64 = 10_000;
const PLAYERS: u64 = 20;
const AT_ONCE: usize = 64;
const SEED: u64 = 20_171_009;

const FAULTS: &str = r#"[
    {"call": "present", "fault": {"answer": -1}, "one_in": 8, "seed": 1},
    {"call": "present", "fault": "close_before", "one_in": 12, "seed": 2},
    {"call": "present", "fault": "close_after", "one_in": 12, "seed": 3},
    {"call": "present", "fault": {"answer": 42001}, "one_in": 50, "seed": 4}
]"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_present_ends_once_and_a_call_that_gave_up_says_so() {
    let bank = TestBank::start().await;
    let mut players = Vec::new();
    for number in 0..PLAYERS {
        players.push(bank.log_in(&format!("player-{number}")).await);
    }
    bank.operate("PUT", "/faults", FAULTS).await;
    let way = proxy::start(bank.address(), SEED).await;
    let impatient = Patience {
        // So few that some calls give up.
        tries_max: NonZeroU32::new(3).unwrap(),
        pause_min: Duration::from_millis(1),
        deadline: Duration::from_secs(60),
        ..Patience::default()
    };
    let client = sandbox(&format!("http://{way}")).patience(impatient).build();
    let gifts = (0..PRESENTS).map(|number| {
        let player = &players[usize::try_from(number % PLAYERS).unwrap()];
        gift(player, &format!("chaos-{number}"), 1 + number % 7)
    });
    let gave_up = give_all(&client, gifts.collect()).await;
    assert!(!gave_up.is_empty() && gave_up.len() < 2_000, "{} gave up", gave_up.len());

    // What nobody knows is asked again, on a good way, until it is known.
    bank.operate("PUT", "/faults", "[]").await;
    let client = bank.client();
    for (gift, outcome) in &gave_up {
        let presented = client.present_again(gift).await.unwrap();
        assert!(*outcome == Outcome::Unknown || presented.done_by == DoneBy::ThisTry, "{gift:?} was done");
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

/// Gives all, many at once; those whose call gave up, and what it says is known of them.
async fn give_all(client: &Client, gifts: Vec<Present>) -> Vec<(Present, Outcome)> {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
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
                    assert_gave_up(&error);
                    Some((gift, error.outcome()))
                }
            }
        });
    }
    calls.join_all().await.into_iter().flatten().collect()
}

/// Nothing but the bad bank and the bad way may be at fault, and trying again is what helps.
fn assert_gave_up(error: &PresentError) {
    assert!(error.retryable(), "{error:?}");
    let PresentError::Call(call) = error else { panic!("{error:?}") };
    match &**call {
        // One more where the token was refused in between.
        CallError::GaveUp { tries: 3 | 4, .. } => {
            assert!(matches!(error.fault(), Fault::Bank | Fault::Network), "{error:?}");
        }
        // The token was refused a second time within one call: by the bank's fault, or because another call, which the
        // fault had hit as well, has had it replaced meanwhile.
        CallError::Refused { refused, .. } => assert!([40001, 42001].contains(&refused.errcode), "{error:?}"),
        CallError::GaveUp { .. } | CallError::NoSession { .. } | CallError::NoToken { .. } => {
            panic!("{error:?}")
        }
    }
}
