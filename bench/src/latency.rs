//! Latency of presents over HTTP, unloaded and at half of the maximum throughput.
//!
//! Unloaded: one client, interleaved with syncs of the same disk. Half load: the maximum is measured just before, and
//! latency counts from the time a present was due.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::http::route::{PresentRequests, Route};
use crate::http::server_process::ServerProcess;
use crate::load::response::ResponseReader;
use crate::load::schedule::{self, Schedule};
use crate::suite::SuiteOptions;
use crate::workload::PresentWorkload;
use pactolus_reports::interleave::{Spread, measure_interleaved};
use pactolus_reports::latency::{Latency, LatencySamples};
use pactolus_reports::machine::disk::{RECORD_BYTES, SyncProbe};
use pactolus_reports::report::ReportSection;
use pactolus_reports::table::{MarkdownTable, format_number};

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Presents of one client, one after the other, in one measurement [default: 300; 100 with --quick]
    #[arg(long)]
    alone: Option<u64>,
    /// Rounds; each measures presents and syncs once [default: 51; 5 with --quick]
    #[arg(long)]
    rounds: Option<u64>,
    /// Presents that measure the maximum throughput [default: 1,000,000; 20,000 with --quick]
    #[arg(long)]
    requests: Option<u64>,
    /// Minutes at half of that throughput [default: 10; a twelfth of one with --quick]
    #[arg(long)]
    minutes: Option<f64>,
    /// Connections that send the presents [default: 256]
    #[arg(long)]
    connections: Option<usize>,
    /// Players that the presents are spread over [default: 100,000; 2,000 with --quick]
    #[arg(long)]
    players: Option<u64>,
}

#[derive(Serialize)]
struct LatencyReport {
    alone: UnloadedLatency,
    half: HalfLoadLatency,
}

/// Presents of one client, interleaved with syncs of the disk.
#[derive(Serialize)]
struct UnloadedLatency {
    presents: u64,
    rounds: u64,
    present_p50_ms: Spread,
    present_p99_ms: Spread,
    fdatasync_p50_ms: Spread,
    fdatasync_p99_ms: Spread,
    p50_over_fdatasync: Spread,
    p99_over_fdatasync: Spread,
}

/// Presents at half of the maximum throughput.
#[derive(Serialize)]
struct HalfLoadLatency {
    connections: usize,
    most_per_second: f64,
    /// Presents due per second.
    per_second: f64,
    /// Presents sent. All of them were answered.
    presents: u64,
    minutes: f64,
    latency: Latency,
}

/// Measures both on one server.
pub(crate) fn run(arguments: &Args, options: &SuiteOptions) -> anyhow::Result<ReportSection> {
    let players = arguments.players.unwrap_or(options.pick(100_000, 2000));
    let folder = options.temp_dir()?;
    let mut server =
        ServerProcess::start(&folder.path().join("store"), PresentWorkload::for_players(players), 0)?;
    let figures = LatencyReport {
        alone: measure_unloaded(arguments, options, &mut server, folder.path())?,
        half: measure_half_load(arguments, options, &mut server)?,
    };
    ReportSection::new("latency", figures.table(), &figures)
}

#[derive(Clone, Copy)]
enum TimedOperation {
    Present,
    Fdatasync,
}

/// Measures one client that sends a present, waits for the reply, and sends the next.
fn measure_unloaded(
    arguments: &Args,
    options: &SuiteOptions,
    server: &mut ServerProcess,
    folder: &Path,
) -> anyhow::Result<UnloadedLatency> {
    let presents = arguments.alone.unwrap_or(options.pick(300, 100));
    let rounds = arguments.rounds.unwrap_or(options.pick(51, 5));
    eprintln!("latency: {presents} presents, one by one");
    let mut client = BlockingClient::connect(&server.address)?;
    let mut probe = SyncProbe::new(folder)?;
    let measured =
        measure_interleaved(rounds, &[TimedOperation::Present, TimedOperation::Fdatasync], |subject| {
            let mut latencies = LatencySamples::default();
            for number in server.reserve_numbers(presents) {
                latencies.push(match subject {
                    TimedOperation::Present => client.time_present(server, number)?,
                    TimedOperation::Fdatasync => probe.append()?,
                });
            }
            Ok(latencies.summarize())
        })?;
    let of = |subject: usize, figure: fn(&Latency) -> f64| -> Vec<f64> {
        measured[subject].iter().map(figure).collect()
    };
    let spread = |subject, figure| Spread::from_samples(of(subject, figure));
    let ratio = |figure| Spread::from_ratios(of(0, figure), of(1, figure));
    Ok(UnloadedLatency {
        presents,
        rounds,
        present_p50_ms: spread(0, |of| of.p50_ms),
        present_p99_ms: spread(0, |of| of.p99_ms),
        fdatasync_p50_ms: spread(1, |of| of.p50_ms),
        fdatasync_p99_ms: spread(1, |of| of.p99_ms),
        p50_over_fdatasync: ratio(|of| of.p50_ms),
        p99_over_fdatasync: ratio(|of| of.p99_ms),
    })
}

/// Measures the maximum throughput, and then latency at half of it.
fn measure_half_load(
    arguments: &Args,
    options: &SuiteOptions,
    server: &mut ServerProcess,
) -> anyhow::Result<HalfLoadLatency> {
    let connections = arguments.connections.unwrap_or(256);
    let requests = arguments.requests.unwrap_or(options.pick(1_000_000, 20_000));
    let minutes = arguments.minutes.unwrap_or(options.pick(10.0, 1.0 / 12.0));
    let most_per_second = server.measure(Route::Present, requests, connections)?.per_second;
    let per_second = most_per_second / 2.0;
    eprintln!("latency: {per_second:.0} presents a second for {minutes:.1} minutes");
    let schedule = Schedule::new(per_second, Duration::from_secs_f64(minutes.max(0.0) * 60.0));
    // Each connection prepares one request more than it sends.
    let numbers = server.reserve_numbers(schedule.count() + connections as u64);
    let presents = PresentRequests { host: server.address.clone(), workload: server.workload.clone() };
    let latencies = schedule.send(&server.address, connections, &presents, numbers.start)?;
    Ok(HalfLoadLatency {
        connections,
        most_per_second,
        per_second,
        presents: latencies.count() as u64,
        minutes,
        latency: latencies.summarize(),
    })
}

/// A blocking client: no runtime delays its wake-ups.
struct BlockingClient {
    stream: TcpStream,
    reader: ResponseReader,
    request: Vec<u8>,
}

impl BlockingClient {
    fn connect(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, reader: ResponseReader::default(), request: Vec::new() })
    }

    /// Round trip of gift `number`. Signing is not counted.
    fn time_present(&mut self, server: &ServerProcess, number: u64) -> anyhow::Result<Duration> {
        self.request.clear();
        Route::Present.write_request(&server.address, &server.workload, number, &mut self.request);
        let sent_at = Instant::now();
        self.stream.write_all(&self.request)?;
        self.reader.reset();
        loop {
            let read = self.stream.read(self.reader.unfilled())?;
            if self.reader.is_complete(read, <PresentRequests as schedule::RequestSource>::EXPECTED_PREFIX)? {
                return Ok(sent_at.elapsed());
            }
        }
    }
}

impl LatencyReport {
    fn table(&self) -> String {
        let Self { alone, half } = self;
        let mut table = MarkdownTable::new(&["What", "Figure", "Goal"]);
        let mut row =
            |what: String, figure: String, goal: &str| table.push_row(&[what, figure, goal.to_owned()]);
        row(
            format!("`fdatasync` after {RECORD_BYTES} appended bytes: p50, p99, ms"),
            format!("{:.3}, {:.3}", alone.fdatasync_p50_ms.median, alone.fdatasync_p99_ms.median),
            "",
        );
        row(
            "Unloaded present: p50, p99, ms".to_owned(),
            format!("{:.3}, {:.3}", alone.present_p50_ms.median, alone.present_p99_ms.median),
            "",
        );
        row(
            "its p50 relative to `fdatasync` (least · median · most)".to_owned(),
            format!("{:.2}", alone.p50_over_fdatasync),
            "≤ 2",
        );
        row("its p99 relative to `fdatasync`".to_owned(), format!("{:.2}", alone.p99_over_fdatasync), "");
        let Latency { p50_ms, p99_ms, p999_ms, longest_ms, stalls } = half.latency;
        row(
            format!("Maximum presents per second, on {} connections", half.connections),
            format_number(half.most_per_second, 0),
            "",
        );
        row(
            format!("{} per second for {:.1} min: p50, ms", format_number(half.per_second, 0), half.minutes),
            format_number(p50_ms, 2),
            "",
        );
        row("p99, ms".to_owned(), format_number(p99_ms, 2), "≤ 10");
        row("p99.9, ms".to_owned(), format_number(p999_ms, 2), "");
        row("maximum, ms".to_owned(), format_number(longest_ms, 1), "≤ 100");
        row("requests above 100 ms".to_owned(), stalls.to_string(), "0");
        table.to_string()
    }
}
