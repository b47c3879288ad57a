//! Signed presents over HTTP on keep-alive connections, each with its own bill number, as a back end sends them.
//!
//! Interleaved with routes of the same program that do less. The differences split the cost of a present into
//! parsing, verifying, posting, and the bank around them. The server is a separate process. Requests are signed
//! before the clock starts.

pub(crate) mod route;
pub(crate) mod server;
pub(crate) mod server_process;

use serde::Serialize;

use self::route::Route;
use self::server_process::{RouteSample, ServerProcess};
use crate::suite::SuiteOptions;
use crate::workload::PresentWorkload;
use pactolus_reports::interleave::{Spread, measure_interleaved};
use pactolus_reports::report::ReportSection;
use pactolus_reports::table::MarkdownTable;

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Keep-alive connections, one count after the other; each has one request in flight [default: 64 and 256]
    #[arg(long, value_delimiter = ',')]
    connections: Vec<usize>,
    /// Players that the presents are spread over [default: 100,000; 2,000 with --quick]
    #[arg(long)]
    players: Option<u64>,
    /// Requests in one measurement [default: 250,000; 10,000 with --quick]
    #[arg(long)]
    requests: Option<u64>,
    /// Rounds; each measures all routes once [default: 9; 3 with --quick]
    #[arg(long)]
    rounds: Option<u64>,
}

/// In the order of the work they do, the least first.
const ROUTES: [Route; 4] = [Route::Null, Route::Verified, Route::Posted, Route::Present];

#[derive(Serialize)]
struct HttpReport {
    players: u64,
    requests: u64,
    rounds: u64,
    by_connections: Vec<ConnectionStats>,
}

#[derive(Serialize)]
struct ConnectionStats {
    connections: usize,
    routes: Vec<RouteStats>,
}

/// The figures of one route over all rounds. `over_null` is relative to the first route of the same rounds.
#[derive(Serialize)]
pub(crate) struct RouteStats {
    route: Route,
    per_second: Spread,
    over_null: Spread,
    p50_ms: Spread,
    p99_ms: Spread,
    server_user_us: Spread,
    server_system_us: Spread,
    load_user_us: Spread,
    load_system_us: Spread,
    rounds: Vec<RouteSample>,
}

/// Measures the routes interleaved, for one count of connections after the other.
pub(crate) fn run(arguments: &Args, options: &SuiteOptions) -> anyhow::Result<ReportSection> {
    let players = arguments.players.unwrap_or(options.pick(100_000, 2000));
    let requests = arguments.requests.unwrap_or(options.pick(250_000, 10_000));
    let rounds = arguments.rounds.unwrap_or(options.pick(9, 3));
    let counts = match &*arguments.connections {
        [] => &[64, 256],
        counts => counts,
    };
    let folder = options.temp_dir()?;
    let mut server =
        ServerProcess::start(&folder.path().join("store"), PresentWorkload::for_players(players), 0)?;
    let mut by_connections = Vec::new();
    for connections in counts {
        eprintln!("http: {connections} connections, {requests} requests at a time");
        let routes = measure_routes(&mut server, &ROUTES, requests, *connections, rounds)?;
        by_connections.push(ConnectionStats { connections: *connections, routes });
    }
    let figures = HttpReport { players, requests, rounds, by_connections };
    ReportSection::new("http", figures.table(), &figures)
}

/// Measures routes interleaved. The first is the baseline of the ratios.
pub(crate) fn measure_routes(
    server: &mut ServerProcess,
    routes: &[Route],
    requests: u64,
    connections: usize,
    rounds: u64,
) -> anyhow::Result<Vec<RouteStats>> {
    let measured = measure_interleaved(rounds, routes, |route| {
        let measured = server.measure(*route, requests, connections)?;
        let RouteSample { per_second, latency, .. } = &measured;
        eprintln!("    {:<30} {per_second:>8.0}/s  p99 {:.2} ms", route.path(), latency.p99_ms);
        Ok(measured)
    })?;
    let baseline = measured.first().cloned().unwrap_or_default();
    let to_stats = |(route, rounds): (&Route, Vec<RouteSample>)| {
        let spread = |figure: fn(&RouteSample) -> f64| Spread::from_samples(rounds.iter().map(figure));
        let per_second =
            |rounds: &[RouteSample]| rounds.iter().map(|round| round.per_second).collect::<Vec<_>>();
        RouteStats {
            route: *route,
            per_second: spread(|round| round.per_second),
            over_null: Spread::from_ratios(per_second(&rounds), per_second(&baseline)),
            p50_ms: spread(|round| round.latency.p50_ms),
            p99_ms: spread(|round| round.latency.p99_ms),
            server_user_us: spread(|round| round.server_user_us),
            server_system_us: spread(|round| round.server_system_us),
            load_user_us: spread(|round| round.load_user_us),
            load_system_us: spread(|round| round.load_system_us),
            rounds,
        }
    };
    Ok(routes.iter().zip(measured).map(to_stats).collect())
}

impl HttpReport {
    fn table(&self) -> String {
        let mut table = MarkdownTable::new(&HEADINGS);
        for ConnectionStats { connections, routes } in &self.by_connections {
            for stats in routes {
                let has_goal = stats.route == Route::Present && *connections == 256;
                table.push_row(
                    &stats.table_row(&connections.to_string(), if has_goal { "≥ 0.80" } else { "" }),
                );
            }
        }
        table.to_string()
    }
}

/// The headings of [`RouteStats::table_row`].
pub(crate) const HEADINGS: [&str; 8] = [
    "Connections",
    "Route",
    "Requests per second (least · median · most)",
    "Relative to null",
    "Goal",
    "p50, p99, ms",
    "Server CPU per request: user + system, µs",
    "Load CPU per request: user + system, µs",
];

impl RouteStats {
    pub(crate) fn table_row(&self, connections: &str, goal: &str) -> [String; 8] {
        let over_null =
            if self.route == Route::Null { String::new() } else { format!("{:.2}", self.over_null) };
        let cpu = |user: Spread, system: Spread| format!("{:.1} + {:.1}", user.median, system.median);
        [
            connections.to_owned(),
            self.route.description().to_owned(),
            self.per_second.to_string(),
            over_null,
            goal.to_owned(),
            format!("{:.2}, {:.2}", self.p50_ms.median, self.p99_ms.median),
            cpu(self.server_user_us, self.server_system_us),
            cpu(self.load_user_us, self.load_system_us),
        ]
    }
}
