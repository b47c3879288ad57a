//! The end of a history: everything that nobody knows of is repeated until everybody knows, and then each account is
//! looked at once more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use fastrand::Rng;

use super::clients::{Seat, World, is_settled};
use crate::history::account::{Asked, BALANCE_NOT_ENOUGH, Told};

/// How long one order is repeated before that is a failure.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
const BETWEEN_TRIES: Duration = Duration::from_millis(15);

/// Settles all of them, side by side.
pub(crate) async fn settle(world: &Arc<World>, seats: &[Arc<Seat>], random: &mut Rng) -> anyhow::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for seat in seats {
        let (world, seat, random) = (Arc::clone(world), Arc::clone(seat), random.fork());
        tasks.spawn(async move {
            let name = seat.name;
            Settling { world, seat, random }.settle().await.with_context(|| format!("{name:?}"))
        });
    }
    while let Some(settled) = tasks.join_next().await {
        settled??;
    }
    Ok(())
}

struct Settling {
    world: Arc<World>,
    seat: Arc<Seat>,
    random: Rng,
}

impl Settling {
    async fn settle(mut self) -> anyhow::Result<()> {
        let doubtful = self.seat.plan().doubtful.clone();
        for order in doubtful.iter().filter(|order| matches!(order, Asked::Present { .. })) {
            self.until_settled(*order).await?;
        }
        // A cancel is certain only once its pay is.
        for order in &doubtful {
            let pay = match order {
                Asked::Pay { .. } => Some(*order),
                Asked::Cancel { bill } => self.seat.plan().pay(*bill),
                Asked::Present { .. } | Asked::Balance => None,
            };
            if let Some(pay) = pay {
                self.until_settled(pay).await?;
            }
        }
        for order in doubtful.iter().filter(|order| matches!(order, Asked::Cancel { .. })) {
            self.until_settled(*order).await?;
        }
        self.until_told(Asked::Balance).await?;
        ensure!(self.seat.plan().doubtful.is_empty(), "something is in doubt that was repeated");
        Ok(())
    }

    async fn until_settled(&mut self, order: Asked) -> anyhow::Result<()> {
        let mut told = self.until_told(order).await?;
        // An earlier try may still arrive and find enough. So it gets enough now, and is certain; unless what comes in
        // between is another of those.
        while let (Asked::Pay { coins, .. }, Told::Refused { errcode: BALANCE_NOT_ENOUGH }) = (order, told) {
            let cover = self.seat.plan().present(coins);
            self.until_told(cover).await?;
            told = self.until_told(order).await?;
        }
        ensure!(is_settled(order, told), "{order:?} was of unknown outcome, and now: {told:?}");
        Ok(())
    }

    async fn until_told(&mut self, asked: Asked) -> anyhow::Result<Told> {
        let begun = Instant::now();
        loop {
            if let Some(told) = self.world.call(&self.seat, asked, &mut self.random).await? {
                return Ok(told);
            }
            ensure!(begun.elapsed() < SETTLED_WITHIN, "{asked:?} is not answered in {SETTLED_WITHIN:?}");
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }
}
