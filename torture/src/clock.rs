//! Clock jumps: forward, back, over midnight, over a leap second, to the epoch and to the end of the year 9999, under
//! load and between kills.
//!
//! The bank runs on a manual clock. At any clock value an order exists once with its first receipt, and no time rule
//! makes coins: a pay is refunded once and within its window, a day's gifts have their limit, and a rate limit holds.
//! Only sessions depend on the clock: a player may have to log in again.
//! Read next: [`player`], one account through all jumps.

mod player;
mod rates;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use hyper::Method;
use pactolus_reports::report::ReportSection;
use serde_json::json;
use tokio::runtime::Runtime;

use self::player::{ExpectedPlayer, PRESENT_MAX_PER_DAY};
use crate::bank::{Bank, Node};
use crate::kills::{log_in, open_test_accounts, run_in_temp_dir};
use crate::options::Options;
use crate::workload::clients::{Clients, Harness};
use crate::workload::config;
use crate::workload::expected_ledger::ExpectedLedger;
use crate::workload::operator::Operator;
use crate::workload::resolve::resolve_unknown;
use crate::workload::tally::{Tally, report};

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Clock jumps [default: 200; 24 with --short]
    #[arg(long)]
    jumps: Option<u64>,
}

pub(crate) fn run(arguments: &Args, options: &Options) -> anyhow::Result<ReportSection> {
    let jumps = arguments.jumps.unwrap_or(options.pick(200, 24));
    let tally = run_in_temp_dir(options, "clock", |folder| attack(jumps, options, folder))?;
    report("clock", &[tally])
}

const TIMEOUT: Duration = Duration::from_secs(20);
const CALLERS: usize = 8;
const ANSWERS_PER_STEP: u32 = 40;
const SECOND_MS: u64 = 1000;
const HOUR_MS: u64 = 3600 * SECOND_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Last millisecond of the year 9999, where the clock ends.
const CLOCK_MAX_MS: u64 = 253_402_300_799_999;
/// The millisecond after the leap second at the end of 2016.
const LEAP_SECOND_END_MS: u64 = 1_483_228_800_000;

#[derive(Clone, Copy)]
enum Jump {
    Forward,
    Back,
    AcrossMidnight,
    LeapSecond,
    OneYearForward,
    Epoch,
    EndOfYear9999,
}

/// Repeated in this order.
const JUMPS: [Jump; 12] = [
    Jump::Forward,
    Jump::Back,
    Jump::AcrossMidnight,
    Jump::Back,
    Jump::LeapSecond,
    Jump::LeapSecond,
    Jump::OneYearForward,
    Jump::Epoch,
    Jump::Forward,
    Jump::EndOfYear9999,
    Jump::Back,
    Jump::Epoch,
];

impl Jump {
    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward by up to four days",
            Self::Back => "back by up to four days",
            Self::AcrossMidnight => "to the last moment before midnight, and over it",
            Self::LeapSecond => "over a leap second, which comes twice",
            Self::OneYearForward => "a year into the future",
            Self::Epoch => "to 1970",
            Self::EndOfYear9999 => "to the end of the year 9999",
        }
    }

    /// The clock values of the jump, in order.
    fn timestamps(self, now: u64, random: &mut Rng) -> Vec<u64> {
        let days = random.u64(1..4 * DAY_MS);
        match self {
            Self::Forward => vec![(now + days).min(CLOCK_MAX_MS)],
            Self::Back => vec![now.saturating_sub(days)],
            Self::AcrossMidnight => {
                let midnight = ((now / DAY_MS + 1) * DAY_MS).min(CLOCK_MAX_MS);
                vec![midnight - 1, midnight, midnight - 1, midnight]
            }
            Self::LeapSecond => vec![
                LEAP_SECOND_END_MS - 1,
                LEAP_SECOND_END_MS - SECOND_MS,
                LEAP_SECOND_END_MS - 1,
                LEAP_SECOND_END_MS,
            ],
            Self::OneYearForward => vec![(now + 365 * DAY_MS).min(CLOCK_MAX_MS)],
            Self::Epoch => vec![0],
            Self::EndOfYear9999 => vec![CLOCK_MAX_MS],
        }
    }
}

/// Sets a bank's manual clock.
async fn set_clock(operator: &Operator<'_>, now_ms: u64) -> anyhow::Result<()> {
    let reply = operator.request(Method::POST, "/api/v1/clock", Some(&json!({ "now_ms": now_ms }))).await?;
    ensure!(reply["now_ms"] == now_ms, "the clock was set to {now_ms} and shows {reply}");
    Ok(())
}

fn start_with_manual_clock(bank: &Bank) -> anyhow::Result<Node> {
    bank.start_node(0, &["--clock", "manual"], &[])?.wait_until_listening()
}

fn attack(jumps: u64, options: &Options, folder: &Path) -> anyhow::Result<Tally> {
    let runtime = Runtime::new()?;
    let limits = format!("login = \"open\"\npresent_max_per_player_per_day = {PRESENT_MAX_PER_DAY}\n");
    let bank = Bank::new(folder, &options.pactolus, &config("embedded:data", &limits))?;
    let mut node = start_with_manual_clock(&bank)?;
    let harness = Arc::new(Harness::new(vec![node.address], TIMEOUT));
    let mut random = Rng::with_seed(options.seed);
    let (mut ledger, mut tally) = (ExpectedLedger::default(), Tally::new("a bank whose clock jumps"));
    let mut player = ExpectedPlayer::default();
    let bound = options.budget(jumps);
    let mut now = runtime.block_on(Operator { http: &harness.http, bank: node.address }.now_ms())?;
    while bound.should_continue(tally.injections()) {
        let jump = JUMPS[usize::try_from(tally.injections())? % JUMPS.len()];
        tally.count_injection(jump.name());
        let context = format!("jump {}, {}, from {now} ms", tally.injections(), jump.name());
        let moments = jump.timestamps(now, &mut random);
        let operator = Operator { http: &harness.http, bank: node.address };
        let jumped = async {
            for moment in &moments {
                set_clock(&operator, *moment).await?;
                now = *moment;
                player.exercise(&harness, &operator, now, &mut random).await?;
            }
            run_load_with_jumps(
                &harness,
                &operator,
                tally.injections(),
                now,
                &mut random,
                &mut ledger,
                &mut tally,
            )
            .await
        };
        runtime.block_on(jumped).context(context)?;
        if random.u8(..3) == 0 {
            // A restart sets the clock to the machine's time: one more jump.
            node.kill()?;
            node = start_with_manual_clock(&bank)?;
            harness.set_node_address(0, node.address);
            let operator = Operator { http: &harness.http, bank: node.address };
            now = runtime.block_on(operator.now_ms())?;
        }
        bank.ensure_no_panic()?;
    }
    let operator = Operator { http: &harness.http, bank: node.address };
    runtime.block_on(async {
        player.check_statement(&operator).await?;
        ledger.check_closed_accounts(&operator).await
    })?;
    node.kill()?;
    tally.orders = bank.audit()?.orders;
    let expected = ledger.orders() + player.orders();
    ensure!(tally.orders == expected, "the audit finds {} orders instead of {expected}", tally.orders);
    tally.audits += 1;
    rates::check_rate_limits(&runtime, &folder.join("rates"), options)?;
    Ok(tally)
}

/// Concurrent clients, while the clock jumps forward and back by hours.
async fn run_load_with_jumps(
    harness: &Arc<Harness>,
    operator: &Operator<'_>,
    server: u64,
    now: u64,
    random: &mut Rng,
    ledger: &mut ExpectedLedger,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    log_in(operator).await?;
    let test_accounts = open_test_accounts(harness, server, random).await?;
    let mut clients = Clients::start(harness, &test_accounts, CALLERS, random);
    for _ in 0..3 {
        clients.wait_for_answers(ANSWERS_PER_STEP).await?;
        let back = now.saturating_sub(random.u64(..12 * HOUR_MS));
        set_clock(operator, (back + random.u64(..12 * HOUR_MS)).min(CLOCK_MAX_MS)).await?;
    }
    clients.wait_for_answers(ANSWERS_PER_STEP).await?;
    set_clock(operator, now).await?;
    clients.stop().await?;
    resolve_unknown(harness, &test_accounts, random).await?;
    ledger.close_round(harness, operator, test_accounts, tally).await
}
