//! Reads over HTTP: a player's balance, as a back end queries it, and a page of a statement, as an operator does.
//!
//! Interleaved with the route that only parses. The store has enough orders for full pages. It was reopened after the
//! orders were posted, so look-ups go to the flushed views and not to the memtable.

use serde::Serialize;

use crate::engine::post;
use crate::http::route::Route;
use crate::http::server_process::ServerProcess;
use crate::http::{HEADINGS, RouteStats, measure_routes};
use crate::suite::SuiteOptions;
use crate::workload::PresentWorkload;
use pactolus_reports::report::ReportSection;
use pactolus_reports::table::MarkdownTable;

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Keep-alive connections; each has one request in flight [default: 256]
    #[arg(long)]
    connections: Option<usize>,
    /// Players that are queried, each with some 40 orders [default: 100,000; 2,000 with --quick]
    #[arg(long)]
    players: Option<u64>,
    /// Requests in one measurement [default: 100,000; 10,000 with --quick]
    #[arg(long)]
    requests: Option<u64>,
    /// Rounds; each measures all routes once [default: 9; 3 with --quick]
    #[arg(long)]
    rounds: Option<u64>,
}

/// With this mean, hardly any player has fewer than the 20 orders of a page.
const ORDERS_PER_PLAYER: u64 = 40;

const ROUTES: [Route; 3] = [Route::Null, Route::GetBalance, Route::Statement];

#[derive(Serialize)]
struct ReadsReport {
    connections: usize,
    players: u64,
    orders: u64,
    requests: u64,
    rounds: u64,
    routes: Vec<RouteStats>,
}

/// Fills a store and measures the routes interleaved.
pub(crate) fn run(arguments: &Args, options: &SuiteOptions) -> anyhow::Result<ReportSection> {
    let connections = arguments.connections.unwrap_or(256);
    let players = arguments.players.unwrap_or(options.pick(100_000, 2000));
    let requests = arguments.requests.unwrap_or(options.pick(100_000, 10_000));
    let rounds = arguments.rounds.unwrap_or(options.pick(9, 3));
    let folder = options.temp_dir()?;
    let store = folder.path().join("store");
    let orders = players * ORDERS_PER_PLAYER;
    eprintln!("reads: {players} players with {orders} orders, {requests} requests at a time");
    drop(post::post_all(&post::Args::new(orders, players, 4096), &store)?);
    let mut server = ServerProcess::start(&store, PresentWorkload::for_players(players), orders)?;
    let routes = measure_routes(&mut server, &ROUTES, requests, connections, rounds)?;
    let mut table = MarkdownTable::new(&HEADINGS);
    for stats in &routes {
        table.push_row(&stats.table_row(&connections.to_string(), ""));
    }
    let figures = ReadsReport { connections, players, orders, requests, rounds, routes };
    ReportSection::new("reads", table.to_string(), &figures)
}
