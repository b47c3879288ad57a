//! Server process as the load sees it, and the measurement of one route on it.

use std::ffi::OsStr;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use pactolus_test_support::sample::{APPID, SESSION_KEY};
use serde::Serialize;

use super::route::{Route, operator_request};
use crate::load::{self, PreparedRequests};
use crate::worker::WorkerProcess;
use crate::workload::PresentWorkload;
use pactolus_reports::latency::Latency;
use pactolus_reports::machine::process::{CpuTime, wait_until_idle};
use pactolus_reports::table::to_f64;

/// The server's process, killed when this is dropped, and the workload sent to it.
pub(crate) struct ServerProcess {
    process: WorkerProcess,
    pub(crate) address: String,
    pub(crate) workload: PresentWorkload,
    /// The first unused gift number.
    next_number: u64,
}

/// Limit for the server's background work after its last reply.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Connections that log the players in.
const LOGIN_CONNECTIONS: usize = 256;

impl ServerProcess {
    /// Serves the store in `folder` and logs all players in. Gift numbers below `next` are used.
    pub(crate) fn start(folder: &Path, workload: PresentWorkload, next: u64) -> anyhow::Result<Self> {
        let server = Self::start_without_login(folder.as_os_str(), workload, next)?;
        server.log_in()?;
        Ok(server)
    }

    /// Serves a store without logging players in. Earlier logins in the store stay valid.
    pub(crate) fn start_without_login(
        store: &OsStr,
        workload: PresentWorkload,
        next: u64,
    ) -> anyhow::Result<Self> {
        let mut process = WorkerProcess::start(["serve".as_ref(), store])?;
        let address = process.receive()?;
        Ok(Self { process, address, workload, next_number: next })
    }

    pub(crate) fn log_in(&self) -> anyhow::Result<()> {
        let mut players = self.workload.players();
        let body = format!(r#"{{"session_key":"{SESSION_KEY}","expires_in":86400}}"#);
        let count = self.workload.players().count();
        let requests = PreparedRequests::new(0..u64::try_from(count)?, b"{", |_, bytes| {
            let player = players.next().expect("there are as many players as requests");
            let path = format!("/api/v1/apps/{APPID}/players/{player}/session");
            bytes.extend_from_slice(operator_request("PUT", &self.address, &path, &body).as_bytes());
        });
        load::send(&self.address, requests, LOGIN_CONNECTIONS)?;
        self.wait_until_idle()
    }

    /// Reserves unused gift numbers.
    pub(crate) fn reserve_numbers(&mut self, count: u64) -> Range<u64> {
        let first = self.next_number;
        self.next_number += count;
        first..self.next_number
    }

    /// Waits for the server's background work to end, so that the next measurement is not charged with it.
    pub(crate) fn wait_until_idle(&self) -> anyhow::Result<()> {
        ensure!(wait_until_idle(self.process.pid(), IDLE_TIMEOUT)?, "the server does not become idle");
        Ok(())
    }

    /// Sends that many requests, each with its own gift number.
    pub(crate) fn measure(
        &mut self,
        route: Route,
        requests: u64,
        connections: usize,
    ) -> anyhow::Result<RouteSample> {
        let numbers = self.reserve_numbers(requests);
        let requests = route.requests(&self.address, &self.workload, numbers.clone());
        let (server, load) = (self.process.pid(), std::process::id());
        let (server_before, load_before) = (CpuTime::of_process(server)?, CpuTime::of_process(load)?);
        let sent = load::send(&self.address, requests, connections)?;
        let load_time = CpuTime::of_process(load)? - load_before;
        // Background work for the answered requests is a part of their cost.
        self.wait_until_idle()?;
        let server_time = CpuTime::of_process(server)? - server_before;
        let count = to_f64(numbers.end - numbers.start);
        let micros = |seconds: f64| seconds * 1e6 / count;
        Ok(RouteSample {
            per_second: count / sent.elapsed.as_secs_f64(),
            latency: sent.latencies.summarize(),
            server_user_us: micros(server_time.user_s),
            server_system_us: micros(server_time.system_s),
            load_user_us: micros(load_time.user_s),
            load_system_us: micros(load_time.system_s),
        })
    }
}

/// One measurement of one route.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct RouteSample {
    pub(crate) per_second: f64,
    pub(crate) latency: Latency,
    /// The server's CPU time in user space, per request.
    pub(crate) server_user_us: f64,
    /// The server's CPU time in the kernel, per request.
    pub(crate) server_system_us: f64,
    /// The load's CPU time in user space, per request.
    pub(crate) load_user_us: f64,
    /// The load's CPU time in the kernel, per request.
    pub(crate) load_system_us: f64,
}
