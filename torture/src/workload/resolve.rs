//! End of a history: every order of unknown outcome is retried until its outcome is known, and then each account's
//! balance is read once more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use fastrand::Rng;

use super::clients::{Harness, TestAccount, is_conclusive};
use crate::history::account::{BALANCE_NOT_ENOUGH, Invocation, Response};

/// Longest time that one order is retried without an answer.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(60);
const RETRY_INTERVAL: Duration = Duration::from_millis(15);

/// Resolves all accounts concurrently.
pub(crate) async fn resolve_unknown(
    harness: &Arc<Harness>,
    test_accounts: &[Arc<TestAccount>],
    random: &mut Rng,
) -> anyhow::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for test_account in test_accounts {
        let (harness, test_account, random) = (Arc::clone(harness), Arc::clone(test_account), random.fork());
        tasks.spawn(async move {
            let name = test_account.id;
            Resolver { harness, test_account, random }
                .resolve_account()
                .await
                .with_context(|| format!("{name:?}"))
        });
    }
    while let Some(settled) = tasks.join_next().await {
        settled??;
    }
    Ok(())
}

struct Resolver {
    harness: Arc<Harness>,
    test_account: Arc<TestAccount>,
    random: Rng,
}

impl Resolver {
    async fn resolve_account(mut self) -> anyhow::Result<()> {
        let unknown = self.test_account.generator().unknown.clone();
        for order in unknown.iter().filter(|order| matches!(order, Invocation::Present { .. })) {
            self.retry_until_conclusive(*order).await?;
        }
        // A cancel is conclusive only once its pay is.
        for order in &unknown {
            let pay = match order {
                Invocation::Pay { .. } => Some(*order),
                Invocation::Cancel { bill } => self.test_account.generator().find_pay(*bill),
                Invocation::Present { .. } | Invocation::Balance => None,
            };
            if let Some(pay) = pay {
                self.retry_until_conclusive(pay).await?;
            }
        }
        for order in unknown.iter().filter(|order| matches!(order, Invocation::Cancel { .. })) {
            self.retry_until_conclusive(*order).await?;
        }
        self.retry_until_answered(Invocation::Balance).await?;
        ensure!(
            self.test_account.generator().unknown.is_empty(),
            "an order has an unknown outcome after its retry"
        );
        Ok(())
    }

    async fn retry_until_conclusive(&mut self, order: Invocation) -> anyhow::Result<()> {
        let mut response = self.retry_until_answered(order).await?;
        // A delayed earlier attempt may still arrive and find a sufficient balance. So a present covers the pay now,
        // and the retry is conclusive, unless another delayed pay takes the coins first.
        while let (Invocation::Pay { coins, .. }, Response::Refused { errcode: BALANCE_NOT_ENOUGH }) =
            (order, response)
        {
            let cover = self.test_account.generator().new_present(coins);
            self.retry_until_answered(cover).await?;
            response = self.retry_until_answered(order).await?;
        }
        ensure!(is_conclusive(order, response), "{order:?} is inconclusive after a retry: {response:?}");
        Ok(())
    }

    async fn retry_until_answered(&mut self, invocation: Invocation) -> anyhow::Result<Response> {
        let begun = Instant::now();
        loop {
            if let Some(response) =
                self.harness.invoke(&self.test_account, invocation, &mut self.random).await?
            {
                return Ok(response);
            }
            ensure!(
                begun.elapsed() < RESOLVE_TIMEOUT,
                "{invocation:?} is not answered in {RESOLVE_TIMEOUT:?}"
            );
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }
}
