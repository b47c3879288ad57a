//! A soak: the built bank under a steady mixed load for hours, ended by `kill -9` and by SIGTERM every few minutes and
//! started again, watched all the time.
//!
//! Kills come in the first two thirds; the last third is one life of the process, long enough for a leak to show. At the
//! end the books are audited, every order is held against what was acknowledged, and the verdict is given.
//! Read next: `soak/verdict.rs`, what fails a soak; `soak/calls.rs`, what is asked.

mod bank;
mod calls;
mod connection;
mod load;
mod plot;
mod reconcile;
mod samples;
mod verdict;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use pactolus_reports::interleave::Spread;
use pactolus_reports::machine::process::{CpuTime, ResourceUsage};
use pactolus_reports::report::{ReportSection, today};
use pactolus_reports::table::{MarkdownTable, format_number, mebibytes, to_f64};
use serde::Serialize;

use self::bank::{MEMORY_MAX_BYTES, back_up, each_order, store_bytes};
use self::calls::{Game, Kind, pushed_player};
use self::connection::Trouble;
use self::load::{Load, Seen};
use self::plot::{How, Mark};
use self::reconcile::{Check, Compared, LaneBooks, Plan};
use self::samples::{Csv, Sample};
use self::verdict::{Call, Finding, Growth, Rules, Window, around, growth, judge};
use self::worker::Ended;
use crate::bank::{Bank, Node};
use crate::options::{Options, workspace};

/// How to soak.
#[derive(Default, clap::Args)]
pub(crate) struct Arguments {
    /// How many hours, at most 20: logins last for a day [default: what --minutes says, or 1; 40 seconds with --short]
    #[arg(long)]
    hours: Option<f64>,
    /// How many calls a second [default: 2,000; 200 with --short]
    #[arg(long)]
    rate: Option<f64>,
    /// How many connections are kept, each closed and opened anew now and then [default: 64; 16 with --short]
    #[arg(long)]
    connections: Option<u64>,
    /// How many players play [default: 100,000; 2,000 with --short]
    #[arg(long)]
    players: Option<u64>,
    /// How many minutes there are between kills, which stop when two thirds of the time are over [default: 5; a third of
    /// the time with --short]
    #[arg(long)]
    kill_every_minutes: Option<f64>,
    /// The longest that a call may wait when nobody kills the bank, in milliseconds; generous, as machines are shared
    /// [default: 2,000; 10,000 with --short]
    #[arg(long)]
    stall_ms: Option<u64>,
}

/// Logins last for a day.
const HOURS_MAX: f64 = 20.0;

/// How long what queued up while the bank was down may take to be worked off.
const WORKED_OFF: Duration = Duration::from_secs(5);

/// Shorter waits are not kept one by one.
const STALL_MS: u64 = 100;

/// A backup is made in the middle of every so-manieth life, and once in the last.
const BACKUP_EVERY: usize = 2;

/// What a soak is asked to be.
struct Setting {
    lasting: Duration,
    rate: f64,
    plan: Plan,
    kill_every: Duration,
    sample_every: Duration,
    rules: Rules,
}

impl Arguments {
    fn setting(&self, options: &Options) -> anyhow::Result<Setting> {
        let hours = self.hours.or(options.minutes.map(|minutes| minutes / 60.0));
        let hours = hours.unwrap_or(options.pick(1.0, 40.0 / 3600.0));
        ensure!(hours > 0.0 && hours <= HOURS_MAX, "a soak lasts for at most {HOURS_MAX} hours");
        let lasting = Duration::from_secs_f64(hours * 3600.0);
        // Two kills in two thirds of the time.
        let kills_of_short = lasting.as_secs_f64() / 3.0;
        let kill_every =
            self.kill_every_minutes.map_or(options.pick(300.0, kills_of_short), |minutes| minutes * 60.0);
        ensure!(kill_every >= 1.0, "between kills there is a second at least");
        let lanes = self.connections.unwrap_or(options.pick(64, 16)).max(1);
        let players = self.players.unwrap_or(options.pick(100_000, 2000)).max(lanes);
        let rate = self.rate.unwrap_or(options.pick(2000.0, 200.0));
        ensure!(rate > 0.0, "a load has a rate");
        let stall = Duration::from_millis(self.stall_ms.unwrap_or(options.pick(2000, 10_000)));
        Ok(Setting {
            lasting,
            rate,
            plan: Plan { seed: options.seed, lanes, players },
            kill_every: Duration::from_secs_f64(kill_every),
            sample_every: Duration::from_secs(options.pick(5, 1)),
            rules: Rules::new(stall, MEMORY_MAX_BYTES, lanes),
        })
    }
}

/// Soaks.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> anyhow::Result<ReportSection> {
    let setting = arguments.setting(options)?;
    let folder = Options::temporary()?;
    soak(&setting, options, folder.path()).map_err(|error| {
        let kept = folder.keep();
        error.context(format!("refused; the bank, its log and its store are kept in {}", kept.display()))
    })
}

fn soak(setting: &Setting, options: &Options, folder: &Path) -> anyhow::Result<ReportSection> {
    let bank = Bank::new(folder, &options.pactolus, &bank::configuration())?;
    let beside = options.into.clone().unwrap_or_else(|| workspace().join("target/torture"));
    fs::create_dir_all(&beside)?;
    let csv = beside.join(options.pick("soak.csv", "soak-short.csv"));
    let minutes = format_number(setting.lasting.as_secs_f64() / 60.0, 1);
    eprintln!("soak: {minutes} minutes, {} calls a second; samples: {}", setting.rate, csv.display());

    let first_day = today();
    let mut soak = Soak::begin(setting, &bank, &first_day, Csv::create(&csv)?)?;
    soak.kill_and_live()?;
    let mut soaked = soak.end()?;

    let audited = bank.audit()?.orders;
    let lanes = std::mem::take(&mut soaked.lanes);
    let compared = compare(setting, &bank, lanes, &first_day)?;
    let told = Told::of(setting, &soaked, compared, audited);

    let title = format!("Pactolus for {}, {} calls a second", told.lasted(), format_number(setting.rate, 0));
    let drawn = plot::draw(&title, &told.verdict(), &soaked.samples, &soaked.marks);
    let wrong = told.wrong();
    let kept = options.kept_in().filter(|_| wrong.is_empty());
    let picture =
        keep_picture(kept.unwrap_or(beside).join(options.pick("soak.svg", "soak-short.svg")), &drawn)?;
    eprintln!("  the picture: {}", picture.display());
    let part = ReportSection::new("soak", told.table(), &told)?;
    if !wrong.is_empty() {
        bail!("{}\n{}", wrong.join("\n"), part.table);
    }
    Ok(part)
}

fn keep_picture(path: PathBuf, drawn: &str) -> anyhow::Result<PathBuf> {
    fs::write(&path, drawn).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

/// A soak that goes on.
struct Soak<'a> {
    setting: &'a Setting,
    bank: &'a Bank,
    life: Node,
    load: Load,
    begun: Instant,
    csv: Csv,
    soaked: Soaked,
    /// The process's time at the last look.
    cpu: (Instant, f64),
}

/// What a soak saw.
#[derive(Default)]
struct Soaked {
    samples: Vec<Sample>,
    slow: Vec<Call>,
    windows: Vec<Window>,
    marks: Vec<Mark>,
    /// How long the bank was down for each kill.
    down_s: Vec<f64>,
    calls: [u64; Kind::ALL.len()],
    /// When a call had to be tried again, and why.
    troubled: Vec<(u64, Trouble)>,
    unexpected: u64,
    unexpected_shown: Vec<String>,
    backups: u64,
    errors: Vec<String>,
    lanes: Vec<Ended>,
}

impl<'a> Soak<'a> {
    fn begin(setting: &'a Setting, bank: &'a Bank, today: &str, csv: Csv) -> anyhow::Result<Self> {
        let life = bank.serve()?;
        let load = Load::begin(setting.plan, Game::new(today), life.address, setting.rate, setting.lasting)?;
        let begun = Instant::now();
        Ok(Self { setting, bank, life, load, begun, csv, soaked: Soaked::default(), cpu: (begun, 0.0) })
    }

    /// Kills the bank again and again for two thirds of the time, and leaves it in peace for the rest.
    fn kill_and_live(&mut self) -> anyhow::Result<()> {
        let Setting { lasting, kill_every, .. } = *self.setting;
        let mut from = Duration::ZERO;
        // A hair more, so that a strike at the very end of them is not lost to rounding.
        while from + kill_every <= lasting.mul_f64(0.6667) {
            let life = self.soaked.marks.len();
            self.live_until(from, from + kill_every, life.is_multiple_of(BACKUP_EVERY))?;
            self.strike(if life.is_multiple_of(2) { How::Killed } else { How::Terminated })?;
            from += kill_every;
        }
        self.live_until(from, lasting, true)
    }

    /// Lets the bank live, with a backup from the middle of this life on or with none.
    fn live_until(&mut self, from: Duration, to: Duration, with_backup: bool) -> anyhow::Result<()> {
        self.sample_until((from + to) / 2)?;
        let bank = self.bank.clone();
        let backup = with_backup.then(|| std::thread::spawn(move || back_up(&bank)));
        self.sample_until(to)?;
        if let Some(backup) = backup {
            backup.join().map_err(|_| anyhow::anyhow!("the backup panicked"))??;
            self.soaked.backups += 1;
        }
        Ok(())
    }

    /// Ends the bank, and starts it again.
    fn strike(&mut self, how: How) -> anyhow::Result<()> {
        let shared = std::sync::Arc::clone(&self.load.shared);
        let struck = Instant::now();
        self.soaked.marks.push(Mark { at_s: self.begun.elapsed().as_secs_f64(), how });
        match how {
            How::Killed => self.life.kill()?,
            How::Terminated => self.life.terminate()?,
        }
        self.load.bank_is_at(None);
        self.life = self.bank.serve()?;
        self.load.bank_is_at(Some(self.life.address));
        self.soaked.down_s.push(struck.elapsed().as_secs_f64());
        let (from_ms, to_ms) = (shared.millis(struck), shared.millis(Instant::now() + WORKED_OFF));
        self.soaked.windows.push(Window { from_ms, to_ms });
        self.cpu = (Instant::now(), 0.0);
        Ok(())
    }

    /// Looks at the bank every few seconds until so much time has passed.
    fn sample_until(&mut self, end: Duration) -> anyhow::Result<()> {
        loop {
            let left = end.saturating_sub(self.begun.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            // Of a moment that is left, no sample tells anything.
            let is_last = left < self.setting.sample_every * 3 / 2;
            std::thread::sleep(if is_last { left } else { self.setting.sample_every });
            self.sample()?;
        }
    }

    fn sample(&mut self) -> anyhow::Result<()> {
        self.life.must_still_run()?;
        let pid = self.life.pid();
        let held = ResourceUsage::of_process(pid)?;
        let CpuTime { user_s, system_s } = CpuTime::of_process(pid)?;
        let (looked, spent) = std::mem::replace(&mut self.cpu, (Instant::now(), user_s + system_s));
        let share = (user_s + system_s - spent) / looked.elapsed().as_secs_f64().max(1e-3);
        let mut seen = self.load.shared.take_seen();
        let sample = Sample {
            at_s: self.begun.elapsed().as_secs_f64(),
            life: self.soaked.marks.len(),
            memory_bytes: held.memory_bytes,
            handles: held.open_files,
            threads: held.threads,
            cpu_percent: share * 100.0,
            store_bytes: store_bytes(self.bank)?,
            calls: seen.calls.iter().sum(),
            latency: std::mem::take(&mut seen.waits).summarize(),
            troubles: seen.troubles,
            unexpected: seen.unexpected,
        };
        self.csv.write(&sample)?;
        self.soaked.samples.push(sample);
        self.soaked.add(seen);
        Ok(())
    }

    /// Waits until every call is answered, and ends the bank in order.
    fn end(mut self) -> anyhow::Result<Soaked> {
        let (shared, lanes) = self.load.end()?;
        self.soaked.add(shared.take_seen());
        self.life.terminate()?;
        self.soaked.errors = self.bank.errors()?;
        self.soaked.lanes = lanes;
        Ok(self.soaked)
    }
}

impl Soaked {
    fn add(&mut self, seen: Seen) {
        let Seen { waits: _, slow, calls, troubles: _, troubled, unexpected, unexpected_shown } = seen;
        self.slow.extend(slow);
        self.calls.iter_mut().zip(calls).for_each(|(sum, count)| *sum += count);
        self.troubled.extend(troubled);
        self.unexpected += unexpected;
        self.unexpected_shown.extend(unexpected_shown);
    }
}

/// Holds every order of the bank against what it acknowledged.
fn compare(setting: &Setting, bank: &Bank, lanes: Vec<Ended>, first_day: &str) -> anyhow::Result<Compared> {
    let (books, players): (Vec<LaneBooks>, Vec<_>) =
        lanes.into_iter().map(|Ended { books, players }| (books, players)).unzip();
    let by_code: HashMap<_, _> =
        players.iter().flatten().map(|(openid, player)| (openid.as_str(), *player)).collect();
    let player = |openid: &str| pushed_player(openid).or_else(|| by_code.get(openid).copied());
    let mut check = Check::new(setting.plan, &books);
    each_order(bank, first_day, &today(), |order| check.see(&order, player))?;
    Ok(check.end())
}

/// What a soak came to.
#[derive(Serialize)]
struct Told {
    seconds: f64,
    seed: u64,
    calls_per_second: f64,
    connections: u64,
    players: u64,
    calls: BTreeMap<&'static str, u64>,
    killed: usize,
    terminated: usize,
    /// How long the bank was down for a kill.
    down_s: Spread,
    backups: u64,
    orders: Compared,
    audited: u64,
    memory_bytes: Went,
    /// In the longest life; nothing if that was too short to tell.
    memory_growth: Option<Growth>,
    handles: Went,
    handles_growth: Option<Growth>,
    threads: Went,
    /// Of the looks when the bank was up: their p50, p99.
    p50_ms: Spread,
    p99_ms: Spread,
    longest_outside_kills_ms: u64,
    longest_around_kills_ms: u64,
    /// Tries that brought no answer, by what was the trouble; every call was tried until it was answered.
    troubles: BTreeMap<&'static str, usize>,
    troubles_outside_kills: usize,
    unexpected: u64,
    unexpected_shown: Vec<String>,
    errors_logged: Vec<String>,
    rules: Rules,
    findings: Vec<String>,
}

/// How a quantity went from the first look to the last.
#[derive(Clone, Copy, Debug, Serialize)]
struct Went {
    first: u64,
    last: u64,
    most: u64,
}

impl Went {
    fn of(samples: &[Sample], of: fn(&Sample) -> u64) -> Self {
        let at = |sample: Option<&Sample>| sample.map(of).unwrap_or_default();
        Self {
            first: at(samples.first()),
            last: at(samples.last()),
            most: samples.iter().map(of).max().unwrap_or_default(),
        }
    }
}

impl Told {
    fn of(setting: &Setting, soaked: &Soaked, orders: Compared, audited: u64) -> Self {
        let Setting { rules, plan, .. } = setting;
        let Soaked { samples, slow, windows, marks, .. } = soaked;
        let struck = |how| marks.iter().filter(|mark| mark.how == how).count();
        let in_peace = || samples.iter().filter(|sample| !meets_kill(sample, setting, windows));
        let findings = judge(samples, slow, windows, rules);
        let longest_seen = samples.iter().map(|sample| sample.latency.longest_ms).fold(0.0, f64::max);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds of a wait")]
        let longest_seen = longest_seen.min(to_f64(STALL_MS)) as u64;
        let outside = slow.iter().map(|call| call.waited_outside_ms(windows)).max();
        let mut troubles = BTreeMap::new();
        for (_, trouble) in &soaked.troubled {
            *troubles.entry(trouble.name()).or_default() += 1;
        }
        let is_outside = |at: u64| !windows.iter().any(|window| window.holds(at));
        Self {
            seconds: setting.lasting.as_secs_f64(),
            seed: plan.seed,
            calls_per_second: setting.rate,
            connections: plan.lanes,
            players: plan.players,
            calls: Kind::ALL.into_iter().map(|kind| (kind.name(), soaked.calls[kind as usize])).collect(),
            killed: struck(How::Killed),
            terminated: struck(How::Terminated),
            down_s: Spread::from_samples(soaked.down_s.iter().copied()),
            backups: soaked.backups,
            orders,
            audited,
            memory_bytes: Went::of(samples, |sample| sample.memory_bytes),
            memory_growth: growth(samples, rules, |sample| sample.memory_bytes),
            handles: Went::of(samples, |sample| sample.handles),
            handles_growth: growth(samples, rules, |sample| sample.handles),
            threads: Went::of(samples, |sample| sample.threads),
            p50_ms: Spread::from_samples(in_peace().map(|sample| sample.latency.p50_ms)),
            p99_ms: Spread::from_samples(in_peace().map(|sample| sample.latency.p99_ms)),
            longest_outside_kills_ms: outside.unwrap_or_default().max(longest_seen),
            longest_around_kills_ms: around(slow, windows).map(Call::waited_ms).max().unwrap_or_default(),
            troubles,
            troubles_outside_kills: soaked.troubled.iter().filter(|(at, _)| is_outside(*at)).count(),
            unexpected: soaked.unexpected,
            unexpected_shown: soaked.unexpected_shown.clone(),
            errors_logged: soaked.errors.clone(),
            rules: rules.clone(),
            findings: findings.iter().map(Finding::to_string).collect(),
        }
    }

    /// All that speaks against the bank, in words.
    fn wrong(&self) -> Vec<String> {
        let Compared { acknowledged, lost, twice, unasked, other } = self.orders;
        let counts = [
            (lost, "acknowledged orders are lost"),
            (twice, "orders are there twice"),
            (unasked, "orders are there that nobody was told of"),
            (other, "orders are there with another player, kind or amount"),
            (self.audited.abs_diff(acknowledged), "orders more or fewer are audited than were acknowledged"),
            (self.unexpected, "answers were not what they should be"),
            (self.troubles_outside_kills as u64, "calls had to be tried again though nobody killed the bank"),
            (self.errors_logged.len() as u64, "errors are in the bank's log"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let counts = counts.map(|(count, what)| format!("{} {what}", format_number(to_f64(count), 0)));
        let shown = self.unexpected_shown.iter().chain(&self.errors_logged).take(10);
        self.findings.iter().cloned().chain(counts).chain(shown.cloned()).collect()
    }

    fn lasted(&self) -> String {
        match self.seconds {
            seconds if seconds < 120.0 => format!("{} s", format_number(seconds, 0)),
            seconds if seconds < 7200.0 => format!("{} min", format_number(seconds / 60.0, 0)),
            seconds => format!("{} hours", format_number(seconds / 3600.0, 1)),
        }
    }

    /// In a line.
    fn verdict(&self) -> String {
        let orders = format_number(to_f64(self.orders.acknowledged), 0);
        let ends = self.killed + self.terminated;
        let found = if self.wrong().is_empty() {
            // A short soak tells nothing of leaks.
            format!("none lost, none twice, {}no stall", self.memory_growth.map_or("", |_| "no leak, "))
        } else {
            format!("refused: {}", self.wrong().first().cloned().unwrap_or_default())
        };
        format!("{orders} orders acknowledged, the bank ended and started again {ends} times: {found}")
    }

    fn table(&self) -> String {
        let mut table = MarkdownTable::new(&["", "Soaked", "Allowed"]);
        let whole = |count: u64| format_number(to_f64(count), 0);
        let mib = |bytes: u64| format_number(mebibytes(bytes), 0);
        let mut row =
            |what: &str, seen: String, allowed: String| table.push_row(&[what.to_owned(), seen, allowed]);
        let none = String::new;
        let Compared { acknowledged, lost, twice, unasked, other } = self.orders;
        let calls = |name| self.calls.get(name).copied().unwrap_or_default();
        row(
            "Lasted, and calls a second",
            format!("{}, {}", self.lasted(), format_number(self.calls_per_second, 0)),
            none(),
        );
        row("Players, connections", format!("{}, {}", whole(self.players), self.connections), none());
        row("Calls answered", whole(self.calls.values().sum()), none());
        for kind in Kind::ALL {
            row(&format!("– {}", kind.name()), whole(calls(kind.name())), none());
        }
        row(
            "`kill -9`, SIGTERM, each with a new start",
            format!("{}, {}", self.killed, self.terminated),
            none(),
        );
        row("Down for a kill, s (least · median · most)", format!("{:.2}", self.down_s), none());
        row("Backups while it was served", whole(self.backups), none());
        row("Orders acknowledged", whole(acknowledged), none());
        row("– lost", whole(lost), "0".to_owned());
        row("– there twice", whole(twice), "0".to_owned());
        row("– there otherwise than acknowledged", whole(unasked + other), "0".to_owned());
        row("Orders that the audit proved", whole(self.audited), whole(acknowledged));
        row("Answers that were not what they should be", whole(self.unexpected), "0".to_owned());
        row(
            "Tries again though nobody killed the bank",
            whole(self.troubles_outside_kills as u64),
            "0".to_owned(),
        );
        let Went { first, last, most } = self.memory_bytes;
        row(
            "Memory, MiB: first, last, most",
            format!("{}, {}, {}", mib(first), mib(last), mib(most)),
            format!("≤ {}", mib(self.rules.memory_max_bytes)),
        );
        row(
            "– second quarter of the longest life, last quarter",
            went(self.memory_growth, mib),
            format!("≤ {} more", mib(self.rules.growth_max_bytes)),
        );
        row("File handles: most", whole(self.handles.most), format!("≤ {}", self.rules.handles_max));
        row(
            "– second quarter of the longest life, last quarter",
            went(self.handles_growth, whole),
            format!("≤ {} more", self.rules.handles_growth_max),
        );
        row("Threads: most", whole(self.threads.most), format!("≤ {}", self.rules.threads_max));
        row("p50, ms (least · median · most of all looks)", format!("{:.2}", self.p50_ms), none());
        row("p99, ms (least · median · most of all looks)", format!("{:.2}", self.p99_ms), none());
        row(
            "Longest outside of kills, ms",
            whole(self.longest_outside_kills_ms),
            format!("≤ {}", whole(self.rules.stall_ms)),
        );
        row("Longest around kills, ms", whole(self.longest_around_kills_ms), none());
        let verdict = if self.wrong().is_empty() { "passed" } else { "refused" };
        row("Verdict", verdict.to_owned(), none());
        table.to_string()
    }
}

fn went(growth: Option<Growth>, shown: impl Fn(u64) -> String) -> String {
    match growth {
        Some(Growth { before, after }) => format!("{}, {}", shown(before), shown(after)),
        None => "too short to tell".to_owned(),
    }
}

/// Whether the calls of a look may have met a kill.
fn meets_kill(sample: &Sample, setting: &Setting, windows: &[Window]) -> bool {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds of a soak")]
    let to_ms = (sample.at_s * 1e3) as u64;
    // The look before may have been half as long ago again.
    let looked_for = setting.sample_every * 3 / 2;
    let from_ms = to_ms.saturating_sub(u64::try_from(looked_for.as_millis()).unwrap_or(u64::MAX));
    windows.iter().any(|window| window.meets(from_ms, to_ms))
}
