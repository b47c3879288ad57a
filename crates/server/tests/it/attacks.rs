//! Network attacks: the server limits their connections and keeps serving honest clients.
//!
//! Hundreds of connections here. `cargo xtask torture flood` covers thousands, and memory.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use pactolus_server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bank::{PLAYER, TestBank, gift, open_in, sample_app};

/// A bank with these limits and a logged-in player.
async fn start_with_limits(limits: Limits) -> (TestBank, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let bank = TestBank::on_store(open_in(folder.path()), vec![sample_app()], limits).await;
    bank.log_in(PLAYER).await;
    (bank, folder)
}

async fn connect(bank: &TestBank) -> TcpStream {
    TcpStream::connect(bank.base.trim_start_matches("http://")).await.unwrap()
}

/// Sends `bytes` and reads until the server closes the connection.
async fn exchange_raw(bank: &TestBank, bytes: &[u8]) -> String {
    let mut stream = connect(bank).await;
    // The server may close the connection before everything is sent.
    let _ = stream.write_all(bytes).await;
    read_to_close(&mut stream).await
}

/// Reads to the end of a connection. A reset counts as its end.
async fn read_to_close(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// An honest client presents one coin.
async fn present_one(bank: &TestBank, bill_no: &str) {
    let reply = bank.present(&gift(bill_no, 1)).await;
    assert_eq!(reply["errcode"], 0, "{reply}");
}

const HEALTH_REQUEST: &str = "GET /healthz HTTP/1.1\r\nhost: bank\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn slow_headers_past_the_cap_block_no_caller() {
    let (bank, _folder) = start_with_limits(Limits { connections_max: 50, ..Limits::default() }).await;
    let mut attackers = Vec::new();
    for number in 0..300 {
        let mut stream = connect(&bank).await;
        // The write fails if the server has evicted the connection already.
        let _ = stream.write_all(b"POST /cgi-bin/midas/present HTTP/1.1\r\nho").await;
        attackers.push(stream);
        if number % 10 == 0 {
            present_one(&bank, &format!("kept-{number}")).await;
            assert!(exchange_raw(&bank, b"GET /healthz HTTP/1.0\r\n\r\n").await.contains("200 OK"));
        }
    }
    // At most 50 of the 300 connections can be open.
    let ends: FuturesUnordered<_> = attackers.iter_mut().map(read_to_close).collect();
    let received: String = ends.take(250).collect().await;
    assert_eq!(received, "");
}

#[tokio::test]
async fn address_at_its_cap_gets_no_connection() {
    let limits = Limits { connections_per_address_max: Some(5), ..Limits::default() };
    let (bank, _folder) = start_with_limits(limits).await;
    let mut first = Vec::new();
    // The client that logged the player in holds one connection.
    for _ in 0..4 {
        let mut stream = connect(&bank).await;
        stream.write_all(HEALTH_REQUEST.as_bytes()).await.unwrap();
        assert!(stream.read(&mut [0; 512]).await.unwrap() > 0);
        first.push(stream);
    }
    assert_eq!(exchange_raw(&bank, HEALTH_REQUEST.as_bytes()).await, "");
    present_one(&bank, "kept").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_body_ends_at_request_timeout() {
    let limits = Limits { request_timeout: Duration::from_millis(200), ..Limits::default() };
    let (bank, _folder) = start_with_limits(limits).await;
    let stalls = ["/cgi-bin/stable_token", "/cgi-bin/midas/present?access_token=ACCESSTOKEN"].map(|path| {
        let head = format!("POST {path} HTTP/1.1\r\nhost: bank\r\ncontent-length: 500\r\n\r\n{{");
        let bank = &bank;
        async move {
            let answer = exchange_raw(bank, head.as_bytes()).await;
            assert!(
                answer.contains(r#""errcode":-1"#) && answer.contains("no answer within 200ms"),
                "{answer}"
            );
        }
    });
    futures_util::future::join_all(stalls).await;
    present_one(&bank, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_replies_close_the_connection() {
    let limits = Limits { write_timeout: Duration::from_millis(100), ..Limits::default() };
    let (bank, _folder) = start_with_limits(limits).await;
    let mut stream = connect(&bank).await;
    let requests = "GET /api/v1/openapi.json HTTP/1.1\r\nhost: bank\r\n\r\n".repeat(100);
    present_one(&bank, "before").await;
    // Back-pressure blocks the attacker's writes until the server closes the connection.
    while stream.write_all(requests.as_bytes()).await.is_ok() {}
    present_one(&bank, "after").await;
}

#[tokio::test]
async fn malformed_http_gets_a_status_code() {
    let (bank, _folder) = start_with_limits(Limits::default()).await;
    let long_line = format!("GET /{} HTTP/1.1\r\nhost: bank\r\n\r\n", "x".repeat(9000));
    let long_header = format!("GET / HTTP/1.1\r\nhost: bank\r\nx: {}\r\n\r\n", "x".repeat(9000));
    let headers = (0..101).fold(String::new(), |headers, number| headers + &format!("x{number}: y\r\n"));
    let many_headers = format!("GET / HTTP/1.1\r\nhost: bank\r\n{headers}\r\n");
    let hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
    let cases: [(&[u8], &str); 6] = [
        (long_line.as_bytes(), "431 "),
        (long_header.as_bytes(), "431 "),
        (many_headers.as_bytes(), "431 "),
        (&hello, "400 "),
        (b"\0\xff\xfe garbage \r\n\r\n", "400 "),
        (b"GET / HTTP/1.1\r\nhost: bank\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", "400 "),
    ];
    for (bytes, status) in cases {
        let answer = exchange_raw(&bank, bytes).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{shown:?} got {answer:?}");
    }
    present_one(&bank, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_body_is_refused_early() {
    let (bank, _folder) = start_with_limits(Limits::default()).await;
    let mut stream = connect(&bank).await;
    let head = "POST /cgi-bin/midas/present?access_token=ACCESSTOKEN HTTP/1.1\r\nhost: bank\r\n\
                transfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(4096));
    let mut sent = 0_u32;
    while stream.write_all(chunk.as_bytes()).await.is_ok() {
        sent += 1;
    }
    assert!(sent >= 16_384 / 4096, "the server stopped reading within the body limit");
    present_one(&bank, "after").await;

    // A client that stops within the drain limit gets a reply.
    let large = format!("{head}{}0\r\n\r\n", chunk.repeat(10));
    let answer = exchange_raw(&bank, format!("{large}GET / HTTP/1.0\r\n\r\n").as_bytes()).await;
    assert!(answer.contains(r#""errcode":47001"#) && answer.contains("larger than 16384 bytes"), "{answer}");
}

#[tokio::test]
async fn thousand_pipelined_requests_are_answered() {
    let (bank, _folder) = start_with_limits(Limits::default()).await;
    let mut stream = connect(&bank).await;
    let requests = format!("{}GET /healthz HTTP/1.0\r\n\r\n", HEALTH_REQUEST.repeat(999));
    let (mut reading, mut writing) = stream.split();
    let mut answer = String::new();
    let (sent, read) =
        tokio::join!(writing.write_all(requests.as_bytes()), reading.read_to_string(&mut answer));
    sent.unwrap();
    read.unwrap();
    assert_eq!(answer.matches("200 OK").count(), 1000);
    present_one(&bank, "after").await;
}

#[tokio::test]
async fn connection_flood_blocks_no_caller() {
    let (bank, _folder) = start_with_limits(Limits { connections_max: 100, ..Limits::default() }).await;
    let mut half_open = Vec::new();
    for number in 0..500 {
        let mut stream = connect(&bank).await;
        if number % 2 == 0 {
            // A half-closed connection: the client sends FIN and keeps reading.
            stream.shutdown().await.unwrap();
            half_open.push(stream);
        }
        if number % 50 == 0 {
            present_one(&bank, &format!("during-{number}")).await;
        }
    }
    for stream in &mut half_open {
        assert_eq!(read_to_close(stream).await, "");
    }
}

/// Regression: the server released the buffers of a connection with half a header in it. Each release restarted the
/// header timeout, so a slow header never ended.
#[tokio::test(start_paused = true)]
async fn slow_header_ends_at_its_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { header_timeout: Duration::from_secs(30), ..Limits::default() };
    let bank = TestBank::on_store(open_in(folder.path()), vec![sample_app()], limits).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(exchange_raw(&bank, b"GET /healthz HTTP/1.1\r\nho").await, "");
    let took = begun.elapsed();
    assert!((30..=60).contains(&took.as_secs()), "{took:?}");
}

/// The server releases the buffers of an idle connection. Bytes of the next request that came already must stay.
#[tokio::test(start_paused = true)]
async fn idle_connection_keeps_partial_request() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { header_timeout: Duration::from_secs(3600), ..Limits::default() };
    let bank = TestBank::on_store(open_in(folder.path()), vec![sample_app()], limits).await;
    let mut stream = connect(&bank).await;
    let (begun, rest) = HEALTH_REQUEST.split_at(20);
    stream.write_all(format!("{HEALTH_REQUEST}{begun}").as_bytes()).await.unwrap();
    for _ in 0..3 {
        let mut answer = String::new();
        while !answer.ends_with("ok\n") {
            let mut bytes = [0; 512];
            let read = stream.read(&mut bytes).await.unwrap();
            assert!(read > 0, "closed after {answer:?}");
            answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        // Time is paused, so this sleep only advances the clock.
        tokio::time::sleep(Duration::from_secs(10)).await;
        stream.write_all(format!("{rest}{begun}").as_bytes()).await.unwrap();
    }
}
