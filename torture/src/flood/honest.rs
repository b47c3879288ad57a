//! Honest clients: signed presents at a fixed rate, on kept connections and on new ones.
//!
//! Latency counts from the moment at which the present was due. An unanswered present fails the attack.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use pactolus_protocol::{Call as _, Present, signed_body};
use pactolus_reports::latency::LatencySamples;
use pactolus_test_support::sample::{
    self, ACCESS_TOKEN, APPID, OPERATOR_TOKEN, SESSION_KEY, ZONE_ID, access_token, midas_key, session_key,
};
use pactolus_types::{Amount, Environment};

/// Clients, each with a thread, a player and a connection.
const CALLERS: u64 = 16;

/// One present of so many uses a new connection.
const NEW_CONNECTION_EVERY: u64 = 20;

/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The honest clients of a bank.
pub(super) struct HonestClients {
    address: SocketAddr,
    per_second: u32,
    connections: Vec<TcpStream>,
    answered: u64,
}

impl HonestClients {
    /// Logs the players in.
    pub(super) fn log_in(address: SocketAddr, per_second: u32) -> anyhow::Result<Self> {
        let mut connections = Vec::new();
        for caller in 0..CALLERS {
            let mut stream = connect(address)?;
            let body = format!(r#"{{"session_key":"{SESSION_KEY}","expires_in":86400}}"#);
            let request = format!(
                "PUT /api/v1/apps/{APPID}/players/player-{caller}/session HTTP/1.1\r\nhost: bank\r\n\
                 authorization: Bearer {OPERATOR_TOKEN}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            );
            exchange(&mut stream, request.as_bytes(), "{")?;
            connections.push(stream);
        }
        Ok(Self { address, per_second, connections, answered: 0 })
    }

    /// Presents answered so far.
    pub(super) fn answered(&self) -> u64 {
        self.answered
    }

    /// Sends presents for so long, and returns their latencies. One unanswered present is an error.
    pub(super) fn send_presents(&mut self, lasting: Duration) -> anyhow::Result<LatencySamples> {
        let (address, first, per_second) = (self.address, self.answered, self.per_second);
        let count = u64::from(per_second) * lasting.as_secs();
        let next = AtomicU64::new(0);
        let begun = Instant::now();
        let call = |caller: usize, stream: &mut TcpStream| {
            let mut waits = LatencySamples::default();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return anyhow::Ok(waits);
                }
                let request = present_request(caller, first + index)?;
                let due = Duration::from_secs(index) / per_second;
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
                if index.is_multiple_of(NEW_CONNECTION_EVERY) {
                    exchange(&mut connect(address)?, request.as_bytes(), SUCCESS_PREFIX)
                        .context("a new connection")?;
                } else {
                    exchange(stream, request.as_bytes(), SUCCESS_PREFIX).context("a kept connection")?;
                }
                waits.push(begun.elapsed().saturating_sub(due));
            }
        };
        let waits = std::thread::scope(|scope| {
            let call = &call;
            let callers: Vec<_> = self
                .connections
                .iter_mut()
                .enumerate()
                .map(|(caller, stream)| scope.spawn(move || call(caller, stream)))
                .collect();
            let mut all = LatencySamples::default();
            for caller in callers {
                let waits = caller.join().map_err(|_| anyhow::anyhow!("a caller panicked"))?;
                all.append(waits.context("an honest caller was not answered")?);
            }
            anyhow::Ok(all)
        })?;
        self.answered += count;
        Ok(waits)
    }
}

/// Start of the body that answers an applied present.
const SUCCESS_PREFIX: &str = r#"{"errcode":0,"#;

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    Ok(stream)
}

/// HTTP request of present `number`, to the caller's own player.
fn present_request(caller: usize, number: u64) -> anyhow::Result<String> {
    let call = Present {
        caller: sample::caller(&format!("player-{caller}"), ZONE_ID),
        present_counts: Amount::new(1)?,
        bill_no: format!("honest-{number}").parse()?,
    };
    let environment = Environment::Live;
    let (midas_key, session_key, token) = (midas_key(environment), session_key(), access_token());
    let body = signed_body(&call, environment, &midas_key, Some((&session_key, &token)));
    let path = Present::path(environment);
    Ok(format!(
        "POST {path}?access_token={ACCESS_TOKEN} HTTP/1.1\r\nhost: bank\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// Sends a request and reads its answer. The body must start with `expected`.
fn exchange(stream: &mut TcpStream, request: &[u8], expected: &str) -> anyhow::Result<()> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "the bank closed a connection");
        answer.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.context("an answer has no content-length")?.parse()?;
        if body.len() < length {
            continue;
        }
        if !head.starts_with("HTTP/1.1 200 ") || !body.starts_with(expected) {
            bail!("unexpected answer: {text}");
        }
        return Ok(());
    }
}
