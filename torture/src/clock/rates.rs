//! Rates under a clock that jumps: a moment is worth no more calls than the limit, however often it comes, and a clock
//! that was turned back stops nobody for good.

use std::path::Path;
use std::time::Duration;

use anyhow::{bail, ensure};
use pactolus_types::Environment;
use tokio::runtime::Runtime;

use super::{LAST_MS, SECOND_MS, start, turn};
use crate::bank::Bank;
use crate::history::account::{Asked, Told};
use crate::options::Options;
use crate::workload::calls::{Tried, call};
use crate::workload::http::Http;
use crate::workload::operator::Operator;
use crate::workload::{Name, config};

const A_SECOND: usize = 5;
const QUOTA_REACHED: i32 = 45009;
const NAME: Name = Name { environment: Environment::Live, player: 0, server: 0 };

/// Turns the clock of a bank of its own, and counts what is answered at each moment.
pub(super) fn hold(runtime: &Runtime, folder: &Path, options: &Options) -> anyhow::Result<()> {
    let limit = format!("login = \"open\"\nrate_limit_per_player_per_second = {A_SECOND}\n");
    let bank = Bank::new(folder, &options.pactolus, &config("embedded:data", &limit))?;
    let mut node = start(&bank)?;
    let http = Http::new();
    let operator = Operator { http: &http, bank: node.address };
    runtime.block_on(async {
        let now = operator.now_ms().await?;
        operator.log_in(NAME).await?;
        // The moment, and how many calls are answered in it.
        let moments = [
            (now, A_SECOND),
            (now - 1, 0),
            (now, 0),
            (now + SECOND_MS, A_SECOND),
            (now, 0),
            (now + SECOND_MS, 0),
            // Back for good: what a second gives is given again from there.
            (now - 100 * SECOND_MS, 0),
            (now - 99 * SECOND_MS, A_SECOND),
            (0, 0),
            (SECOND_MS, A_SECOND),
            (now, A_SECOND),
        ];
        for (moment, expected) in moments {
            turn(&operator, moment).await?;
            let answered = answered(&operator).await?;
            ensure!(answered == expected, "at {moment} {answered} calls are answered, not {expected}");
        }
        turn(&operator, LAST_MS).await?;
        // The login is over there, and the rate is counted first.
        operator.log_in(NAME).await?;
        ensure!(answered(&operator).await? == A_SECOND, "the end of time is worth a second too");
        anyhow::Ok(())
    })?;
    node.kill()?;
    bank.has_not_panicked()
}

/// How many of more calls than a second holds are answered.
async fn answered(operator: &Operator<'_>) -> anyhow::Result<usize> {
    let mut answered = 0;
    for _ in 0..3 * A_SECOND {
        let timeout = Duration::from_secs(20);
        match call(operator.http, operator.bank, NAME, Asked::Balance, timeout).await? {
            Tried::Told(Told::Sums(_)) => answered += 1,
            Tried::Told(Told::Refused { errcode: QUOTA_REACHED }) => {}
            other => bail!("a call is {other:?}"),
        }
    }
    Ok(answered)
}
