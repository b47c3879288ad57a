//! The server's process as the load sees it, and what one measurement of it comes to.

use std::ffi::OsStr;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use super::route::{Route, operator};
use crate::load::{self, Requests};
use crate::worker::Helper;
use crate::workload::{APPID, Gifts, SESSION_KEY};
use pactolus_reports::latency::Latency;
use pactolus_reports::machine::process::{CpuTime, wait_until_idle};
use pactolus_reports::table::to_f64;

/// A server, which ends with this, and who calls it.
pub(crate) struct Served {
    process: Helper,
    pub(crate) address: String,
    pub(crate) gifts: Gifts,
    /// The number of the first gift that nobody has given.
    next: u64,
}

/// How long the server may go on working after its last answer.
const REST_AT_MOST: Duration = Duration::from_secs(120);

/// How many connections the players log in on.
const CONNECTIONS: usize = 256;

impl Served {
    /// Serves the store in `folder`, with all players logged in. Gifts before `next` were given already.
    pub(crate) fn start(folder: &Path, gifts: Gifts, next: u64) -> anyhow::Result<Self> {
        let served = Self::node(folder.as_os_str(), gifts, next)?;
        served.log_in()?;
        Ok(served)
    }

    /// Serves a store, where players are logged in who logged in before.
    pub(crate) fn node(store: &OsStr, gifts: Gifts, next: u64) -> anyhow::Result<Self> {
        let mut process = Helper::start(["serve".as_ref(), store])?;
        let address = process.told()?;
        Ok(Self { process, address, gifts, next })
    }

    pub(crate) fn log_in(&self) -> anyhow::Result<()> {
        let mut players = self.gifts.players();
        let body = format!(r#"{{"session_key":"{SESSION_KEY}","expires_in":86400}}"#);
        let count = self.gifts.players().count();
        let requests = Requests::new(0..u64::try_from(count)?, b"{", |_, bytes| {
            let player = players.next().expect("there are as many players as requests");
            let path = format!("/api/v1/apps/{APPID}/players/{player}/session");
            bytes.extend_from_slice(operator("PUT", &self.address, &path, &body).as_bytes());
        });
        load::send(&self.address, requests, CONNECTIONS)?;
        self.rest()
    }

    /// Numbers of gifts that nobody has given.
    pub(crate) fn new_gifts(&mut self, count: u64) -> Range<u64> {
        let first = self.next;
        self.next += count;
        first..self.next
    }

    /// Waits until the server has nothing left to do, so that what follows is not charged with it.
    pub(crate) fn rest(&self) -> anyhow::Result<()> {
        ensure!(wait_until_idle(self.process.pid(), REST_AT_MOST)?, "the server does not come to rest");
        Ok(())
    }

    /// Sends so many requests, each about a gift of its own.
    pub(crate) fn measure(
        &mut self,
        route: Route,
        requests: u64,
        connections: usize,
    ) -> anyhow::Result<Measured> {
        let numbers = self.new_gifts(requests);
        let requests = route.requests(&self.address, &self.gifts, numbers.clone());
        let (server, load) = (self.process.pid(), std::process::id());
        let (server_before, load_before) = (CpuTime::of_process(server)?, CpuTime::of_process(load)?);
        let sent = load::send(&self.address, requests, connections)?;
        let load_time = CpuTime::of_process(load)? - load_before;
        // What the server still does for what it answered is a part of its price.
        self.rest()?;
        let server_time = CpuTime::of_process(server)? - server_before;
        let count = to_f64(numbers.end - numbers.start);
        let micros = |seconds: f64| seconds * 1e6 / count;
        Ok(Measured {
            per_second: count / sent.took.as_secs_f64(),
            latency: sent.waits.summarize(),
            server_user_us: micros(server_time.user_s),
            server_system_us: micros(server_time.system_s),
            load_user_us: micros(load_time.user_s),
            load_system_us: micros(load_time.system_s),
        })
    }
}

/// What one measurement of one route came to.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    pub(crate) latency: Latency,
    /// The server's time in the program, per request.
    pub(crate) server_user_us: f64,
    /// The server's time in the kernel, per request.
    pub(crate) server_system_us: f64,
    /// The load's time in the program, per request.
    pub(crate) load_user_us: f64,
    /// The load's time in the kernel, per request.
    pub(crate) load_system_us: f64,
}
