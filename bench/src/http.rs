//! Presents over HTTP, as a game's back end sends them: signed, each with a bill number of its own, on connections
//! that are kept. In turn with them a route of the same program that only parses the body and answers a constant,
//! so that the machine's moods meet both.
//!
//! The server is a process of its own. Requests are signed before the clock starts.

mod load;
pub(crate) mod server;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Runtime;

use self::load::{Counted, Requests};

/// How to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many connections are kept; one request waits on each
    #[arg(long, default_value_t = 256)]
    connections: usize,
    /// How many players the presents are spread over
    #[arg(long, default_value_t = 100_000)]
    players: u64,
    /// How many requests one measurement sends
    #[arg(long, default_value_t = 200_000)]
    requests: u64,
    /// How often both are measured in turn
    #[arg(long, default_value_t = 5)]
    rounds: u64,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Served::start(folder.path())?;
    let runtime = Runtime::new()?;
    runtime.block_on(load::log_in(&server.address, arguments.players))?;

    let (mut presents, mut nulls) = (Vec::new(), Vec::new());
    for round in 0..arguments.rounds {
        let first = round * arguments.requests;
        let numbers = first..first + arguments.requests;
        let signed = Requests::presents(&server.address, numbers.clone(), arguments.players);
        presents.push(runtime.block_on(load::send(&server.address, signed, arguments.connections))?);
        let unsigned = Requests::nulls(&server.address, numbers, arguments.players);
        nulls.push(runtime.block_on(load::send(&server.address, unsigned, arguments.connections))?);
        eprintln!(
            "round {}: {} presents, {}",
            round + 1,
            presents[presents.len() - 1],
            nulls[nulls.len() - 1]
        );
    }
    let ratios = presents.iter().zip(&nulls).map(|(present, null)| present.per_second / null.per_second);
    let summary = serde_json::json!({
        "connections": arguments.connections,
        "players": arguments.players,
        "requests": arguments.requests,
        "rounds": arguments.rounds,
        "present": told(&presents),
        "null": told(&nulls),
        "present_over_null": spread(ratios, 1000.0),
    });
    println!("{}", serde_json::to_string_pretty(&summary)?);
    Ok(())
}

fn told(counted: &[Counted]) -> serde_json::Value {
    let millis = |latency: fn(&Counted) -> Duration| {
        spread(counted.iter().map(|counted| latency(counted).as_secs_f64() * 1e3), 100.0)
    };
    serde_json::json!({
        "per_second": spread(counted.iter().map(|counted| counted.per_second), 1.0),
        "p50_ms": millis(|counted| counted.p50),
        "p99_ms": millis(|counted| counted.p99),
    })
}

/// The least, the median and the most of some figures, to one part in `digits`.
fn spread(figures: impl Iterator<Item = f64>, digits: f64) -> [f64; 3] {
    let mut figures: Vec<f64> = figures.map(|figure| (figure * digits).round() / digits).collect();
    figures.sort_by(f64::total_cmp);
    let last = figures.len().saturating_sub(1);
    [0, last / 2, last].map(|at| figures.get(at).copied().unwrap_or_default())
}

/// The server's process, which ends with this.
struct Served {
    process: Child,
    address: String,
}

impl Served {
    fn start(folder: &std::path::Path) -> anyhow::Result<Self> {
        let mut process =
            Command::new(std::env::current_exe()?).arg("serve").arg(folder).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        let out = process.stdout.take().context("the server has an output")?;
        BufReader::new(out).read_line(&mut address)?;
        Ok(Self { process, address: address.trim().to_owned() })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself, which the measurement has found out then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
