//! Open-loop load at a fixed rate: each request has a due time that does not depend on earlier replies.
//!
//! Latency counts from the due time, not from sending. So a server that stalls is charged with every request that was
//! due meanwhile, as its clients would charge it (no coordinated omission).
//!
//! Ten minutes of requests do not fit in memory. Each connection prepares its next request before it is due, on core
//! time that the server is short of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;

use super::{LoadConnection, connect};
use pactolus_reports::latency::LatencySamples;
use pactolus_reports::table::to_f64;

/// Due times of the requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// Between two requests.
    interval: Duration,
    count: u64,
}

/// The pacer releases due requests at most this often, so that it does not wake for each. Sleeping adds some 0.1 ms.
/// Both delays count as latency.
const PACER_INTERVAL: Duration = Duration::from_micros(250);

/// Generates the requests of a schedule.
pub(crate) trait RequestSource: Clone + Send + 'static {
    /// Required start of every reply's body.
    const EXPECTED_PREFIX: &'static [u8];

    /// Replaces the content of `bytes` with request `number`.
    fn write_request(&self, number: u64, bytes: &mut Vec<u8>);
}

impl Schedule {
    /// At least one request.
    pub(crate) fn new(per_second: f64, duration: Duration) -> Self {
        let interval = Duration::from_secs_f64(1.0 / per_second.max(1.0)).max(Duration::from_nanos(1));
        let count = duration.as_nanos() / interval.as_nanos();
        Self { interval, count: u64::try_from(count).unwrap_or(u64::MAX).max(1) }
    }

    pub(crate) const fn count(self) -> u64 {
        self.count
    }

    /// Due time of request `index`, from the start.
    fn due_at(self, index: u64) -> Duration {
        let nanos = self.interval.as_nanos() * u128::from(index);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Requests due after `passed`.
    fn due_count(self, passed: Duration) -> u64 {
        let due = passed.as_nanos() / self.interval.as_nanos() + 1;
        u64::try_from(due).unwrap_or(u64::MAX).min(self.count)
    }

    /// Sends the requests from number `first` on, each as soon as it is due and a connection is free.
    pub(crate) fn send<W: RequestSource>(
        self,
        address: &str,
        connections: usize,
        requests: &W,
        first: u64,
    ) -> anyhow::Result<LatencySamples> {
        let streams = connect(address, connections)?;
        let state = Arc::new(PacerState {
            schedule: self,
            started: Instant::now(),
            permits: Semaphore::new(0),
            next_index: AtomicU64::new(0),
            next_number: AtomicU64::new(first),
            longest_us: AtomicU64::new(0),
        });
        let shared = Arc::clone(&state);
        let pacer = std::thread::spawn(move || shared.release_due(connections));
        let latencies = Builder::new_current_thread().enable_io().build()?.block_on(async {
            let mut tasks = Vec::new();
            for stream in streams {
                let connection = LoadConnection::new(stream)?;
                tasks.push(tokio::spawn(send_when_due(connection, Arc::clone(&state), requests.clone())));
            }
            let mut waits = LatencySamples::default();
            for task in tasks {
                waits.append(task.await.context("a connection's task panicked")??);
            }
            anyhow::Ok(waits)
        });
        state.permits.close();
        pacer.join().map_err(|_| anyhow::anyhow!("the pacer panicked"))?;
        latencies
    }
}

/// State shared by the pacer and the connections.
struct PacerState {
    schedule: Schedule,
    started: Instant,
    /// One permit for each due request that no connection has claimed. Closed at the end of the load or on an error.
    permits: Semaphore,
    /// The next request to send.
    next_index: AtomicU64,
    /// The number of the next request to prepare. Requests are prepared in another order than they are sent.
    next_number: AtomicU64,
    longest_us: AtomicU64,
}

impl PacerState {
    /// Adds permits as requests become due, and at the end one more for each connection, which ends its task.
    fn release_due(&self, connections: usize) {
        let (mut released, mut minutes) = (0, 0);
        while released < self.schedule.count && !self.permits.is_closed() {
            let passed = self.started.elapsed();
            let due = self.schedule.due_count(passed);
            self.permits.add_permits(
                usize::try_from(due - released).expect("fewer requests are due than fit a usize"),
            );
            released = due;
            if passed.as_secs() / 60 > minutes {
                minutes = passed.as_secs() / 60;
                let longest = to_f64(self.longest_us.load(Ordering::Relaxed)) / 1e3;
                eprintln!("  after {minutes} min: the longest wait so far is {longest:.1} ms");
            }
            std::thread::sleep(
                self.schedule.due_at(released).saturating_sub(self.started.elapsed()).max(PACER_INTERVAL),
            );
        }
        self.permits.add_permits(connections);
    }
}

async fn send_when_due<W: RequestSource>(
    mut connection: LoadConnection,
    state: Arc<PacerState>,
    requests: W,
) -> anyhow::Result<LatencySamples> {
    let mut latencies = LatencySamples::default();
    let mut request = Vec::new();
    loop {
        requests.write_request(state.next_number.fetch_add(1, Ordering::Relaxed), &mut request);
        let Ok(permit) = state.permits.acquire().await else { return Ok(latencies) };
        permit.forget();
        let index = state.next_index.fetch_add(1, Ordering::Relaxed);
        if index >= state.schedule.count {
            return Ok(latencies);
        }
        if let Err(error) = connection.exchange(&request, W::EXPECTED_PREFIX).await {
            state.permits.close();
            return Err(error);
        }
        let wait = state.started.elapsed().saturating_sub(state.schedule.due_at(index));
        state.longest_us.fetch_max(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        latencies.push(wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_evenly_spaced() {
        let schedule = Schedule::new(4.0, Duration::from_secs(2));
        assert_eq!(schedule.count(), 8);
        assert_eq!(schedule.due_at(0), Duration::ZERO);
        assert_eq!(schedule.due_at(7), Duration::from_millis(1750));
        let due = |millis| schedule.due_count(Duration::from_millis(millis));
        assert_eq!([due(0), due(249), due(250), due(1750), due(60_000)], [1, 1, 2, 8, 8]);
    }

    #[test]
    fn empty_schedule_still_sends_one_request() {
        assert_eq!(Schedule::new(0.0, Duration::ZERO).count(), 1);
    }
}
