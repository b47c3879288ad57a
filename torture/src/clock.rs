//! A clock that jumps: forward and back, over midnight, over a leap second, to the epoch and to the end of the year
//! 9999, under load and between kills.
//!
//! The bank runs on a manual clock. Whatever the clock says, an order is there once with its first receipt, and nothing
//! that goes by time makes coins: a pay is given back once and within its window, a day's gifts have their limit, and
//! a rate is a rate. What may differ is only who has to log in again. Read next: [`player`], one account through all
//! of it.

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

use self::player::{PRESENT_MAX_PER_DAY, Player};
use crate::bank::{Bank, Node};
use crate::kills::{in_a_folder, log_in, open};
use crate::options::Options;
use crate::workload::clients::{Clients, World};
use crate::workload::config;
use crate::workload::expected_ledger::Books;
use crate::workload::operator::Operator;
use crate::workload::resolve::settle;
use crate::workload::tally::{Tally, part};

#[derive(Default, clap::Args)]
pub(crate) struct Arguments {
    /// How often the clock jumps [default: 200; 24 with --short]
    #[arg(long)]
    jumps: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments, options: &Options) -> anyhow::Result<ReportSection> {
    let jumps = arguments.jumps.unwrap_or(options.pick(200, 24));
    let tally = in_a_folder(options, "clock", |folder| attack(jumps, options, folder))?;
    part("clock", &[tally])
}

const TIMEOUT: Duration = Duration::from_secs(20);
const CALLERS: usize = 8;
const ANSWERS: u32 = 40;
const SECOND_MS: u64 = 1000;
const HOUR_MS: u64 = 3600 * SECOND_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
/// The last moment of the year 9999: the clock goes no further.
const LAST_MS: u64 = 253_402_300_799_999;
/// The moment after the leap second at the end of 2016.
const LEAP_MS: u64 = 1_483_228_800_000;

/// Where the clock jumps.
#[derive(Clone, Copy)]
enum Jump {
    Forward,
    Back,
    OverMidnight,
    LeapSecond,
    AYear,
    Epoch,
    End,
}

/// In this order, over and over.
const JUMPS: [Jump; 12] = [
    Jump::Forward,
    Jump::Back,
    Jump::OverMidnight,
    Jump::Back,
    Jump::LeapSecond,
    Jump::LeapSecond,
    Jump::AYear,
    Jump::Epoch,
    Jump::Forward,
    Jump::End,
    Jump::Back,
    Jump::Epoch,
];

impl Jump {
    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward by up to four days",
            Self::Back => "back by up to four days",
            Self::OverMidnight => "to the last moment before midnight, and over it",
            Self::LeapSecond => "over a leap second, which comes twice",
            Self::AYear => "a year into the future",
            Self::Epoch => "to 1970",
            Self::End => "to the end of the year 9999",
        }
    }

    /// The moments that the clock shows one after the other.
    fn moments(self, now: u64, random: &mut Rng) -> Vec<u64> {
        let days = random.u64(1..4 * DAY_MS);
        match self {
            Self::Forward => vec![(now + days).min(LAST_MS)],
            Self::Back => vec![now.saturating_sub(days)],
            Self::OverMidnight => {
                let midnight = ((now / DAY_MS + 1) * DAY_MS).min(LAST_MS);
                vec![midnight - 1, midnight, midnight - 1, midnight]
            }
            Self::LeapSecond => vec![LEAP_MS - 1, LEAP_MS - SECOND_MS, LEAP_MS - 1, LEAP_MS],
            Self::AYear => vec![(now + 365 * DAY_MS).min(LAST_MS)],
            Self::Epoch => vec![0],
            Self::End => vec![LAST_MS],
        }
    }
}

/// Turns the clock of a bank.
async fn turn(operator: &Operator<'_>, now_ms: u64) -> anyhow::Result<()> {
    let told = operator.ask(Method::POST, "/api/v1/clock", Some(&json!({ "now_ms": now_ms }))).await?;
    ensure!(told["now_ms"] == now_ms, "the clock was turned to {now_ms}, and says {told}");
    Ok(())
}

fn start(bank: &Bank) -> anyhow::Result<Node> {
    bank.start(0, &["--clock", "manual"], &[])?.listening()
}

fn attack(jumps: u64, options: &Options, folder: &Path) -> anyhow::Result<Tally> {
    let runtime = Runtime::new()?;
    let limits = format!("login = \"open\"\npresent_max_per_player_per_day = {PRESENT_MAX_PER_DAY}\n");
    let bank = Bank::new(folder, &options.pactolus, &config("embedded:data", &limits))?;
    let mut node = start(&bank)?;
    let world = Arc::new(World::new(vec![node.address], TIMEOUT));
    let mut random = Rng::with_seed(options.seed);
    let (mut books, mut tally) = (Books::default(), Tally::new("a bank whose clock jumps"));
    let mut player = Player::default();
    let bound = options.bound(jumps);
    let mut now = runtime.block_on(Operator { http: &world.http, bank: node.address }.now_ms())?;
    while bound.goes_on(tally.struck()) {
        let jump = JUMPS[usize::try_from(tally.struck())? % JUMPS.len()];
        tally.strike(jump.name());
        let context = format!("jump {}, {}, from {now} ms", tally.struck(), jump.name());
        let moments = jump.moments(now, &mut random);
        let operator = Operator { http: &world.http, bank: node.address };
        let jumped = async {
            for moment in &moments {
                turn(&operator, *moment).await?;
                now = *moment;
                player.lives_on(&world, &operator, now, &mut random).await?;
            }
            load(&world, &operator, tally.struck(), now, &mut random, &mut books, &mut tally).await
        };
        runtime.block_on(jumped).context(context)?;
        if random.u8(..3) == 0 {
            // It starts again at the machine's time: one more jump.
            node.kill()?;
            node = start(&bank)?;
            world.moved(0, node.address);
            let operator = Operator { http: &world.http, bank: node.address };
            now = runtime.block_on(operator.now_ms())?;
        }
        bank.has_not_panicked()?;
    }
    let operator = Operator { http: &world.http, bank: node.address };
    runtime.block_on(async {
        player.is_told_right(&operator).await?;
        books.still_hold(&operator).await
    })?;
    node.kill()?;
    tally.orders = bank.audit()?.orders;
    let expected = books.orders() + player.orders();
    ensure!(tally.orders == expected, "the audit finds {} orders instead of {expected}", tally.orders);
    tally.audits += 1;
    rates::hold(&runtime, &folder.join("rates"), options)?;
    Ok(tally)
}

/// Callers at once, while the clock goes forward and back by hours.
async fn load(
    world: &Arc<World>,
    operator: &Operator<'_>,
    server: u64,
    now: u64,
    random: &mut Rng,
    books: &mut Books,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    log_in(operator).await?;
    let seats = open(world, server, random).await?;
    let mut clients = Clients::start(world, &seats, CALLERS, random);
    for _ in 0..3 {
        clients.answered(ANSWERS).await?;
        let back = now.saturating_sub(random.u64(..12 * HOUR_MS));
        turn(operator, (back + random.u64(..12 * HOUR_MS)).min(LAST_MS)).await?;
    }
    clients.answered(ANSWERS).await?;
    turn(operator, now).await?;
    clients.end().await?;
    settle(world, &seats, random).await?;
    books.close(world, operator, seats, tally).await
}
