//! The load: requests made beforehand, one waiting on each connection.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use pactolus_nouns::{Amount, Environment};
use pactolus_protocol::{
    AccessToken, Call, Caller, MidasKey, Pf, Present, SessionKey, UnixSeconds, signed_body,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::server::{APPID, MIDAS_KEY, OFFER, OPERATOR, TOKEN};

const SESSION_KEY: &str = "V7Q38/i2KXaqrQyl2Yx9Hg==";

/// Requests as they go out, head and body.
pub(super) struct Requests(Vec<Vec<u8>>);

impl Requests {
    /// Signed presents with these bill numbers.
    pub(super) fn presents(host: &str, numbers: Range<u64>, players: u64) -> Self {
        let path = format!("{}?access_token={TOKEN}", Present::path(Environment::Live));
        Self(numbers.map(|number| post(host, &path, &body(number, players))).collect())
    }

    /// The same bodies to the route that only parses them.
    pub(super) fn nulls(host: &str, numbers: Range<u64>, players: u64) -> Self {
        Self(numbers.map(|number| post(host, "/null", &body(number, players))).collect())
    }
}

/// What sending them came to.
pub(super) struct Counted {
    pub(super) per_second: f64,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}/s, p50 {:.2?}, p99 {:.2?}", self.per_second, self.p50, self.p99)
    }
}

/// Sends all requests on so many connections; every one has to be answered with errcode 0.
pub(super) async fn send(address: &str, requests: Requests, connections: usize) -> anyhow::Result<Counted> {
    let (requests, next) = (Arc::new(requests.0), Arc::new(AtomicUsize::new(0)));
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let begun = Instant::now();
    let tasks = streams
        .into_iter()
        .map(|stream| tokio::spawn(send_on(stream, Arc::clone(&requests), Arc::clone(&next))));
    let mut waits = Vec::with_capacity(requests.len());
    for task in tasks.collect::<Vec<_>>() {
        waits.extend(task.await.context("a connection's task panicked")??);
    }
    let took = begun.elapsed().as_secs_f64();
    waits.sort_unstable();
    let part = |hundredths: usize| waits[(waits.len() - 1) * hundredths / 100];
    #[expect(clippy::cast_precision_loss, reason = "a rate is told to a few digits")]
    let per_second = waits.len() as f64 / took;
    Ok(Counted { per_second, p50: part(50), p99: part(99) })
}

async fn send_on(
    mut stream: TcpStream,
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
) -> anyhow::Result<Vec<Duration>> {
    let mut waits = Vec::new();
    let mut reply = vec![0; 4096];
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let sent = Instant::now();
        stream.write_all(request).await?;
        let body = answer(&mut stream, &mut reply).await?;
        waits.push(sent.elapsed());
        ensure!(body.starts_with(br#"{"errcode":0,"#), "refused: {}", String::from_utf8_lossy(body));
    }
    Ok(waits)
}

/// The body of the next answer.
async fn answer<'a>(stream: &mut TcpStream, reply: &'a mut [u8]) -> anyhow::Result<&'a [u8]> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut reply[filled..]).await?;
        if read == 0 {
            bail!("the server closed the connection");
        }
        filled += read;
        if let Some(body) = whole_body(&reply[..filled])? {
            return Ok(&reply[body..filled]);
        }
    }
}

/// Where the body begins, once all of it is there.
fn whole_body(reply: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(head) = reply.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&reply[..head])?.to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.context("the answer has no length")?.trim().parse()?;
    Ok((reply.len() == head + 4 + length).then_some(head + 4))
}

/// Logs all players in.
pub(super) async fn log_in(address: &str, players: u64) -> anyhow::Result<()> {
    let put = |number| {
        let body = format!(r#"{{"session_key":"{SESSION_KEY}","expires_in":86400}}"#);
        let path = format!("/api/v1/apps/{APPID}/players/{}/session", player(number));
        let extra = format!("authorization: Bearer {OPERATOR}\r\ncontent-type: application/json\r\n");
        request("PUT", address, &path, &extra, &body)
    };
    let requests: Arc<Vec<_>> = Arc::new((0..players).map(put).collect());
    let next = Arc::new(AtomicUsize::new(0));
    let log_in_on = |mut stream: TcpStream, requests: Arc<Vec<Vec<u8>>>, next: Arc<AtomicUsize>| async move {
        let mut reply = vec![0; 4096];
        while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
            stream.write_all(request).await?;
            answer(&mut stream, &mut reply).await?;
        }
        anyhow::Ok(())
    };
    let mut tasks = Vec::new();
    for _ in 0..256 {
        let stream = TcpStream::connect(address).await?;
        tasks.push(tokio::spawn(log_in_on(stream, Arc::clone(&requests), Arc::clone(&next))));
    }
    for task in tasks {
        task.await.context("a connection's task panicked")??;
    }
    Ok(())
}

fn player(number: u64) -> String {
    format!("odkx20ENSNa2w5y3g_{number:010}")
}

/// The body of present `number`, as a back end that keeps to the documents signs it.
fn body(number: u64, players: u64) -> String {
    let valid = "these values are valid";
    let present = Present {
        caller: Caller {
            openid: player(number % players).parse().expect(valid),
            appid: APPID.parse().expect(valid),
            offer_id: OFFER.parse().expect(valid),
            ts: UnixSeconds::new(1_507_530_737).expect(valid),
            zone_id: "1".parse().expect(valid),
            pf: Pf::new("android").expect(valid),
            user_ip: None,
        },
        present_counts: Amount::new(1 + number % 1000).expect(valid),
        bill_no: format!("gift-2026-11-{number:012}").parse().expect(valid),
    };
    let (midas_key, session_key) =
        (MidasKey::new(MIDAS_KEY).expect(valid), SessionKey::new(SESSION_KEY).expect(valid));
    let token = AccessToken::new(TOKEN).expect(valid);
    signed_body(&present, Environment::Live, &midas_key, Some((&session_key, &token)))
}

fn post(host: &str, path: &str, body: &str) -> Vec<u8> {
    request("POST", host, path, "", body)
}

fn request(method: &str, host: &str, path: &str, extra: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{extra}content-length: {length}\r\n\r\n{body}")
        .into_bytes()
}
