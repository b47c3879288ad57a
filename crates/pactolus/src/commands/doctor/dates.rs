//! Orders dated ahead of now: the trace of a clock that was wrong for a while.
//!
//! An embedded store may be served meanwhile, so only its last journal file is read. A database is asked for all
//! totals of later quarters of an hour.

use jiff::Timestamp;
use pactolus_ledger::Periods;
use pactolus_ledger_embedded::backup;
use pactolus_server::{Clock as _, SystemClock};
use pactolus_types::{Environment, QuarterHour, UnixMillis};

use super::CheckResult;
use crate::cli::i18n::{Lang, tr};
use crate::config::{Config, StoreUrl};
use crate::{runtime, store};

/// Clocks of nodes may differ by so much without harm.
const TOLERANCE: std::time::Duration = std::time::Duration::from_secs(60);

/// A warning if an order is dated ahead of the system clock. A store that cannot be read has its own finding.
pub(super) fn check(config: &Config, lang: Lang) -> Option<CheckResult> {
    let at = match store::embedded_folder(&config.store) {
        Ok(folder) => {
            let latest = backup::latest_order(folder).ok().flatten();
            latest.filter(|at| *at > SystemClock.now().saturating_add(TOLERANCE)).map(to_text)
        }
        Err(_) => latest_in_database(&config.store, config).map(|start| {
            let start = to_text(start);
            tr!(lang, "{start} or later", "{start} 或更晚")
        }),
    }?;
    Some(CheckResult::warning(
        "clock",
        tr!(
            lang,
            "an order is dated {at}, ahead of the system clock: the clock was or is wrong",
            "有订单的时间是 {at}，晚于系统时钟：系统时钟曾经或现在有误"
        ),
        tr!(
            lang,
            "synchronise the system clock by NTP; orders keep their times, and daily limits go on by themselves",
            "请用 NTP 校准系统时钟；订单的时间不会改变，每日上限会自动恢复"
        ),
    ))
}

/// Bounds of the periods in which the latest order is sought, in quarters of an hour from the next one on: an hour, a
/// day, a month, a year, ten years.
const AHEAD: [u32; 6] = [0, 4, 96, 96 * 30, 96 * 366, 96 * 3660];

/// The start of the last of these periods that has orders, of any app; `None` if none has.
fn latest_in_database(url: &StoreUrl, config: &Config) -> Option<UnixMillis> {
    let next = QuarterHour::from_time(SystemClock.now()).get().saturating_add(1);
    let bounds = AHEAD.map(|ahead| QuarterHour::new(next.saturating_add(ahead)));
    let later = Periods::new([&bounds[..], &[QuarterHour::MAX]].concat())?;
    let latest = runtime::start().ok()?.block_on(async {
        let store = store::open_existing(url).await.ok()?;
        let mut latest = None;
        for app in &config.server.apps {
            for environment in Environment::ALL {
                let totals = store.ledger.totals(app.appid, environment, later.clone()).await;
                latest = latest.max(totals.into_iter().flatten().map(|total| total.period).max());
            }
        }
        store.ledger.close().await;
        latest
    })?;
    Some(UnixMillis::new(u64::from(later.bounds()[latest].get()).saturating_mul(900_000)))
}

fn to_text(at: UnixMillis) -> String {
    let time = i64::try_from(at.get()).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    time.map_or_else(|| at.to_string(), |time| format!("{time:.0}"))
}
