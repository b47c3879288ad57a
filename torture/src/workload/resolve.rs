//! The end of a history: everything that nobody knows of is repeated until everybody knows, and then each account is
//! looked at once more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use fastrand::Rng;

use super::clients::{Harness, TestAccount, is_conclusive};
use crate::history::account::{BALANCE_NOT_ENOUGH, Invocation, Response};

/// How long one order is repeated before that is a failure.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(60);
const RETRY_INTERVAL: Duration = Duration::from_millis(15);

/// Settles all of them, side by side.
pub(crate) async fn resolve_unknown(
    harness: &Arc<Harness>,
    test_accounts: &[Arc<TestAccount>],
    random: &mut Rng,
) -> anyhow::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for test_account in test_accounts {
        let (world, seat, random) = (Arc::clone(harness), Arc::clone(test_account), random.fork());
        tasks.spawn(async move {
            let name = seat.id;
            Resolver { harness: world, test_account: seat, random }
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
        let doubtful = self.test_account.generator().unknown.clone();
        for order in doubtful.iter().filter(|order| matches!(order, Invocation::Present { .. })) {
            self.retry_until_conclusive(*order).await?;
        }
        // A cancel is certain only once its pay is.
        for order in &doubtful {
            let pay = match order {
                Invocation::Pay { .. } => Some(*order),
                Invocation::Cancel { bill } => self.test_account.generator().find_pay(*bill),
                Invocation::Present { .. } | Invocation::Balance => None,
            };
            if let Some(pay) = pay {
                self.retry_until_conclusive(pay).await?;
            }
        }
        for order in doubtful.iter().filter(|order| matches!(order, Invocation::Cancel { .. })) {
            self.retry_until_conclusive(*order).await?;
        }
        self.retry_until_answered(Invocation::Balance).await?;
        ensure!(self.test_account.generator().unknown.is_empty(), "something is in doubt that was repeated");
        Ok(())
    }

    async fn retry_until_conclusive(&mut self, order: Invocation) -> anyhow::Result<()> {
        let mut response = self.retry_until_answered(order).await?;
        // An earlier try may still arrive and find enough. So it gets enough now, and is certain; unless what comes in
        // between is another of those.
        while let (Invocation::Pay { coins, .. }, Response::Refused { errcode: BALANCE_NOT_ENOUGH }) =
            (order, response)
        {
            let cover = self.test_account.generator().new_present(coins);
            self.retry_until_answered(cover).await?;
            response = self.retry_until_answered(order).await?;
        }
        ensure!(is_conclusive(order, response), "{order:?} was of unknown outcome, and now: {response:?}");
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
