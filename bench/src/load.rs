//! Closed-loop load: prepared requests, one in flight on each connection, sent as fast as replies arrive.
//!
//! It shares the cores with the server, so it does as little as it can: one write and one read for a request, into
//! preallocated memory, and the same for every route. [`schedule`] has a load at a fixed rate.

pub(crate) mod response;
pub(crate) mod schedule;

use std::net::TcpStream as StdStream;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

use self::response::ResponseReader;
use pactolus_reports::latency::LatencySamples;

/// Threads that send, each with its own connections and runtime, so that none wakes another. As many as the cores of
/// the machine that the goals are for.
const SENDER_THREADS: usize = 2;

/// Requests as they are sent, head and body, one after the other in memory.
pub(crate) struct PreparedRequests {
    bytes: Vec<u8>,
    /// End offset of each request.
    ends: Vec<usize>,
    /// Required start of every reply's body.
    expected_prefix: &'static [u8],
}

impl PreparedRequests {
    /// `write` appends the request of one number to the bytes.
    pub(crate) fn new(
        numbers: Range<u64>,
        expected: &'static [u8],
        mut write: impl FnMut(u64, &mut Vec<u8>),
    ) -> Self {
        let mut requests = Self { bytes: Vec::new(), ends: Vec::new(), expected_prefix: expected };
        for number in numbers {
            write(number, &mut requests.bytes);
            requests.ends.push(requests.bytes.len());
        }
        requests
    }

    fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.bytes[begin..end])
    }
}

pub(crate) struct LoadResult {
    pub(crate) elapsed: Duration,
    pub(crate) latencies: LatencySamples,
}

/// Sends all requests on that many connections. A reply that does not start as expected is an error.
pub(crate) fn send(
    address: &str,
    requests: PreparedRequests,
    connections: usize,
) -> anyhow::Result<LoadResult> {
    let mut idle = connect(address, connections)?;
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let per_thread = connections.div_ceil(SENDER_THREADS).max(1);
    let begun = Instant::now();
    let mut threads = Vec::new();
    while !idle.is_empty() {
        let share = idle.split_off(idle.len().saturating_sub(per_thread));
        let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
        threads.push(std::thread::spawn(move || send_on_this_thread(share, &requests, &next)));
    }
    let mut latencies = LatencySamples::default();
    for thread in threads {
        latencies.append(thread.join().map_err(|_| anyhow::anyhow!("a thread of the load panicked"))??);
    }
    Ok(LoadResult { elapsed: begun.elapsed(), latencies })
}

fn send_on_this_thread(
    connections: Vec<StdStream>,
    requests: &Arc<PreparedRequests>,
    next: &Arc<AtomicUsize>,
) -> anyhow::Result<LatencySamples> {
    Builder::new_current_thread().enable_io().build()?.block_on(async {
        let capacity = requests.ends.len() / connections.len() / SENDER_THREADS;
        let mut tasks = Vec::new();
        for stream in connections {
            let mut connection = LoadConnection::new(stream)?;
            let (requests, next) = (Arc::clone(requests), Arc::clone(next));
            tasks.push(tokio::spawn(async move {
                let mut latencies = LatencySamples::with_capacity(capacity);
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = Instant::now();
                    connection.exchange(request, requests.expected_prefix).await?;
                    latencies.push(sent.elapsed());
                }
                anyhow::Ok(latencies)
            }));
        }
        let mut waits = LatencySamples::default();
        for task in tasks {
            waits.append(task.await.context("a connection's task panicked")??);
        }
        Ok(waits)
    })
}

/// Opens all connections before the clock starts.
fn connect(address: &str, count: usize) -> anyhow::Result<Vec<StdStream>> {
    ensure!(count > 0, "--connections must be at least 1");
    let connect = |_| {
        let stream = StdStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    (0..count).map(connect).collect()
}

/// A keep-alive connection with its read buffer.
struct LoadConnection {
    stream: TcpStream,
    reader: ResponseReader,
}

impl LoadConnection {
    /// Registers with the runtime of the calling thread.
    fn new(stream: StdStream) -> std::io::Result<Self> {
        Ok(Self { stream: TcpStream::from_std(stream)?, reader: ResponseReader::default() })
    }

    /// Sends a request and waits for its reply. The reply's body must start with `expected`.
    async fn exchange(&mut self, request: &[u8], expected: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(request).await?;
        self.reader.reset();
        loop {
            let read = self.stream.read(self.reader.unfilled()).await?;
            if self.reader.is_complete(read, expected)? {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn get_returns_each_request_by_index() {
        let requests =
            PreparedRequests::new(8..11, b"", |number, bytes| bytes.extend(number.to_string().into_bytes()));
        let all: Vec<_> = (0..4).map(|index| requests.get(index)).collect();
        assert_eq!(all, [Some(&b"8"[..]), Some(b"9"), Some(b"10"), None]);
    }
}
