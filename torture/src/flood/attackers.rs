//! Attackers: each repeats one attack in a thread of its own until it is stopped.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::ensure;
use fastrand::Rng;
use pactolus_test_support::sample::ACCESS_TOKEN;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

/// Raises the limit of open files to the hard limit; fails if that is less than `files`.
pub(super) fn raise_file_limit(files: usize) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    ensure!(allowed >= files as u64, "the attack needs {files} open files; ulimit -Hn says {allowed}");
    Ok(())
}

/// Opens idle connections. Of four, two have had an answer, one has sent half a head, and one a head and half a body.
pub(super) fn open_idle_connections(
    address: SocketAddr,
    connections: usize,
) -> anyhow::Result<Vec<TcpStream>> {
    let mut resting = Vec::with_capacity(connections);
    for number in 0..connections {
        let mut stream = TcpStream::connect(address)?;
        match number % 4 {
            0 => stream.write_all(&PRESENT_HEAD.as_bytes()[..PRESENT_HEAD.len() / 2])?,
            1 => stream.write_all(format!("{PRESENT_HEAD}{{\"openid\":").as_bytes())?,
            _ => {
                stream.write_all(HEALTH_REQUEST.as_bytes())?;
                let read = stream.read(&mut [0; 512])?;
                ensure!(read > 0, "the bank closed a connection after a request");
            }
        }
        resting.push(stream);
    }
    Ok(resting)
}

const HEALTH_REQUEST: &str = "GET /healthz HTTP/1.1\r\nhost: bank\r\n\r\n";

/// Head of a present with a token, so that the bank waits for its body.
const PRESENT_HEAD: &str = concat!(
    "POST /cgi-bin/midas/present?access_token=ACCESSTOKEN HTTP/1.1\r\nhost: bank\r\n",
    "content-type: application/json\r\ncontent-length: 2000\r\n\r\n"
);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FloodAttack {
    SlowHeads,
    SlowBodies,
    UnreadReplies,
    Pipelining,
    NewConnections,
    LongHeads,
    EndlessBodies,
    Garbage,
}

impl FloodAttack {
    pub(super) const ALL: [Self; 8] = [
        Self::SlowHeads,
        Self::SlowBodies,
        Self::UnreadReplies,
        Self::Pipelining,
        Self::NewConnections,
        Self::LongHeads,
        Self::EndlessBodies,
        Self::Garbage,
    ];

    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::SlowHeads => "Slow heads, byte by byte, on more connections than the limit",
            Self::SlowBodies => "Slow bodies, byte by byte",
            Self::UnreadReplies => "Unread replies",
            Self::Pipelining => "A thousand requests in one write",
            Self::NewConnections => "New connections, as fast as possible",
            Self::LongHeads => "Oversized heads",
            Self::EndlessBodies => "Endless chunked bodies",
            Self::Garbage => "Garbage, and TLS client hellos",
        }
    }

    /// Starts the attack with at most about `connections` connections.
    pub(super) fn start(self, address: SocketAddr, connections: usize, seed: u64) -> Attacker {
        let running = Arc::new(AtomicBool::new(true));
        let thread_running = Arc::clone(&running);
        let thread = std::thread::spawn(move || {
            let mut garbage = Rng::with_seed(seed);
            let mut strikes = 0;
            match self {
                // More than the limit, but within the file limit of the usual machine.
                Self::SlowHeads => Ok(slowloris(
                    address,
                    connections + connections / 5,
                    PRESENT_HEAD.as_bytes(),
                    1,
                    &thread_running,
                )),
                Self::SlowBodies => Ok(slowloris(
                    address,
                    connections,
                    &[PRESENT_HEAD.as_bytes(), &[b' '; 1999]].concat(),
                    PRESENT_HEAD.len(),
                    &thread_running,
                )),
                Self::UnreadReplies => flood_without_reading(address, connections / 10, &thread_running),
                Self::Pipelining
                | Self::NewConnections
                | Self::LongHeads
                | Self::EndlessBodies
                | Self::Garbage => {
                    while thread_running.load(Ordering::Relaxed) {
                        // The attack expects the bank to close its connections.
                        let _ = self.attack_once(address, &mut garbage);
                        strikes += 1;
                    }
                    Ok(strikes)
                }
            }
        });
        Attacker { running, thread }
    }

    /// One attack on a new connection.
    fn attack_once(self, address: SocketAddr, garbage: &mut Rng) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        match self {
            Self::NewConnections | Self::SlowHeads | Self::SlowBodies | Self::UnreadReplies => return Ok(()),
            Self::Pipelining => stream.write_all(HEALTH_REQUEST.repeat(1000).as_bytes())?,
            Self::LongHeads => {
                stream.write_all(format!("GET /{} HTTP/1.1\r\n", "x".repeat(1024 * 1024)).as_bytes())?;
            }
            Self::EndlessBodies => {
                let head = format!(
                    "POST /cgi-bin/midas/present?access_token={ACCESS_TOKEN} HTTP/1.1\r\nhost: bank\r\n\
                     transfer-encoding: chunked\r\n\r\n"
                );
                stream.write_all(head.as_bytes())?;
                let chunk = format!("1000\r\n{}\r\n", " ".repeat(4096));
                (0..10_000).try_for_each(|_| stream.write_all(chunk.as_bytes()))?;
            }
            Self::Garbage => {
                let bytes: Vec<u8> = (0..2000).map(|_| garbage.u8(..)).collect();
                let hello: &[u8] = &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
                stream.write_all(if garbage.bool() { hello } else { &bytes })?;
            }
        }
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut buffer = [0; 16 * 1024];
        while stream.read(&mut buffer)? > 0 {}
        Ok(())
    }
}

/// Sends the first `at_once` bytes of `text` on every connection, then one byte on each in turn, and reopens closed
/// connections. Returns the single bytes sent plus the open connections.
fn slowloris(
    address: SocketAddr,
    connections: usize,
    text: &[u8],
    at_once: usize,
    running: &AtomicBool,
) -> u64 {
    let mut streams: Vec<(TcpStream, usize)> = Vec::new();
    let mut strikes = 0;
    let open = || -> std::io::Result<(TcpStream, usize)> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&text[..at_once])?;
        stream.set_nonblocking(true)?;
        Ok((stream, at_once))
    };
    while running.load(Ordering::Relaxed) {
        if streams.len() < connections {
            streams.extend(open());
            continue;
        }
        for (stream, sent) in &mut streams {
            let next = text.get(*sent).copied().unwrap_or(b'x');
            match stream.write(&[next]) {
                Ok(_) => {
                    *sent += 1;
                    strikes += 1;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => {
                    if let Ok(reopened) = open() {
                        (*stream, *sent) = reopened;
                    }
                }
            }
            if !running.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    strikes + streams.len() as u64
}

/// Requests the longest reply repeatedly on every connection and reads nothing. Returns the bytes written.
fn flood_without_reading(
    address: SocketAddr,
    connections: usize,
    running: &AtomicBool,
) -> std::io::Result<u64> {
    let request = "GET /api/v1/openapi.json HTTP/1.1\r\nhost: bank\r\n\r\n".repeat(100);
    let mut streams: Vec<TcpStream> = Vec::new();
    let mut strikes = 0;
    while running.load(Ordering::Relaxed) {
        if streams.len() < connections {
            let stream = TcpStream::connect(address)?;
            stream.set_nonblocking(true)?;
            streams.push(stream);
        }
        for stream in &mut streams {
            match stream.write(request.as_bytes()) {
                Ok(written) => strikes += written as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => {
                    *stream = TcpStream::connect(address)?;
                    stream.set_nonblocking(true)?;
                }
            }
        }
        if streams.len() >= connections {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(strikes)
}

/// A running attack.
pub(super) struct Attacker {
    running: Arc<AtomicBool>,
    thread: JoinHandle<std::io::Result<u64>>,
}

impl Attacker {
    /// Stops the attack, and returns its number of actions.
    pub(super) fn stop(self) -> anyhow::Result<u64> {
        self.running.store(false, Ordering::Relaxed);
        let strikes = self.thread.join().map_err(|_| anyhow::anyhow!("the attacker panicked"))?;
        Ok(strikes?)
    }
}
