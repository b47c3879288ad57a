//! Rate limits under clock jumps: a second allows no more calls than the limit, however often the clock returns to
//! it, and a clock set back does not block a caller for good.

use std::path::Path;
use std::time::Duration;

use anyhow::{bail, ensure};
use pactolus_types::Environment;
use tokio::runtime::Runtime;

use super::{CLOCK_MAX_MS, SECOND_MS, set_clock, start_with_manual_clock};
use crate::bank::Bank;
use crate::history::account::{Invocation, Response};
use crate::options::Options;
use crate::workload::calls::{AttemptOutcome, call};
use crate::workload::http::HttpClient;
use crate::workload::operator::Operator;
use crate::workload::{AccountId, config};

const CALLS_PER_SECOND: usize = 5;
const QUOTA_REACHED: i32 = 45009;
const ACCOUNT_ID: AccountId = AccountId { environment: Environment::Live, player: 0, server: 0 };

/// Sets the clock of a separate bank, and counts the calls answered at each moment.
pub(super) fn check_rate_limits(runtime: &Runtime, folder: &Path, options: &Options) -> anyhow::Result<()> {
    let limit = format!("login = \"open\"\nrate_limit_per_player_per_second = {CALLS_PER_SECOND}\n");
    let bank = Bank::new(folder, &options.pactolus, &config("embedded:data", &limit))?;
    let mut node = start_with_manual_clock(&bank)?;
    let http = HttpClient::new();
    let operator = Operator { http: &http, bank: node.address };
    runtime.block_on(async {
        let now = operator.now_ms().await?;
        operator.log_in(ACCOUNT_ID).await?;
        // The moment, and the calls answered at it.
        let moments = [
            (now, CALLS_PER_SECOND),
            (now - 1, 0),
            (now, 0),
            (now + SECOND_MS, CALLS_PER_SECOND),
            (now, 0),
            (now + SECOND_MS, 0),
            // Back for good: the token bucket refills from there.
            (now - 100 * SECOND_MS, 0),
            (now - 99 * SECOND_MS, CALLS_PER_SECOND),
            (0, 0),
            (SECOND_MS, CALLS_PER_SECOND),
            (now, CALLS_PER_SECOND),
        ];
        for (moment, expected) in moments {
            set_clock(&operator, moment).await?;
            let answered = count_answered(&operator).await?;
            ensure!(answered == expected, "at {moment} {answered} calls are answered, not {expected}");
        }
        set_clock(&operator, CLOCK_MAX_MS).await?;
        // The login has expired there; the limiter counts a call before its session is checked.
        operator.log_in(ACCOUNT_ID).await?;
        ensure!(
            count_answered(&operator).await? == CALLS_PER_SECOND,
            "the last second of the clock has its own limit"
        );
        anyhow::Ok(())
    })?;
    node.kill()?;
    bank.ensure_no_panic()
}

/// Sends more calls than a second allows, and counts the answered ones.
async fn count_answered(operator: &Operator<'_>) -> anyhow::Result<usize> {
    let mut answered = 0;
    for _ in 0..3 * CALLS_PER_SECOND {
        let timeout = Duration::from_secs(20);
        match call(operator.http, operator.bank, ACCOUNT_ID, Invocation::Balance, timeout).await? {
            AttemptOutcome::Answered(Response::Balances(_)) => answered += 1,
            AttemptOutcome::Answered(Response::Refused { errcode: QUOTA_REACHED }) => {}
            other => bail!("a call is {other:?}"),
        }
    }
    Ok(answered)
}
