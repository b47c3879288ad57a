//! Attackers on the network: what becomes of their connections, and honest callers who are served meanwhile.
//!
//! Hundreds of connections here; thousands, and memory, are the business of `cargo xtask torture flood`.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use pactolus_server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bank::{PLAYER, TestBank, gift, open_in, sample_app};

/// A bank with these bounds, whose player is logged in.
async fn attacked(limits: Limits) -> (TestBank, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let bank = TestBank::on(open_in(folder.path()), vec![sample_app()], limits).await;
    bank.log_in(PLAYER).await;
    (bank, folder)
}

async fn connect(bank: &TestBank) -> TcpStream {
    TcpStream::connect(bank.base.trim_start_matches("http://")).await.unwrap()
}

/// What comes back for `bytes`, to the end of the connection.
async fn answer_to(bank: &TestBank, bytes: &[u8]) -> String {
    let mut stream = connect(bank).await;
    // The bank may close while there is more to send.
    let _ = stream.write_all(bytes).await;
    to_the_end(&mut stream).await
}

/// What is still to come on a connection; one that was reset has come to its end too.
async fn to_the_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// An honest caller gives one coin.
async fn give(bank: &TestBank, bill_no: &str) {
    let reply = bank.present(&gift(bill_no, 1)).await;
    assert_eq!(reply["errcode"], 0, "{reply}");
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: bank\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_on_more_connections_than_there_may_be_keep_nobody_out() {
    let (bank, _folder) = attacked(Limits { connections_max: 50, ..Limits::default() }).await;
    let mut attackers = Vec::new();
    for number in 0..300 {
        let mut stream = connect(&bank).await;
        // Where the bank has closed it already, the attacker's write fails.
        let _ = stream.write_all(b"POST /cgi-bin/midas/present HTTP/1.1\r\nho").await;
        attackers.push(stream);
        if number % 10 == 0 {
            give(&bank, &format!("kept-{number}")).await;
            assert!(answer_to(&bank, b"GET /healthz HTTP/1.0\r\n\r\n").await.contains("200 OK"));
        }
    }
    // Of 300 no more than 50 can be left.
    let ends: FuturesUnordered<_> = attackers.iter_mut().map(to_the_end).collect();
    let told: String = ends.take(250).collect().await;
    assert_eq!(told, "");
}

#[tokio::test]
async fn an_address_with_as_many_connections_as_it_may_have_gets_no_more() {
    let limits = Limits { connections_per_address_max: Some(5), ..Limits::default() };
    let (bank, _folder) = attacked(limits).await;
    let mut first = Vec::new();
    // The caller who logged the player in has one.
    for _ in 0..4 {
        let mut stream = connect(&bank).await;
        stream.write_all(HEALTH.as_bytes()).await.unwrap();
        assert!(stream.read(&mut [0; 512]).await.unwrap() > 0);
        first.push(stream);
    }
    assert_eq!(answer_to(&bank, HEALTH.as_bytes()).await, "");
    give(&bank, "kept").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_ends_at_the_requests_deadline() {
    let limits = Limits { request_timeout: Duration::from_millis(200), ..Limits::default() };
    let (bank, _folder) = attacked(limits).await;
    let stalls = ["/cgi-bin/stable_token", "/cgi-bin/midas/present?access_token=ACCESSTOKEN"].map(|path| {
        let head = format!("POST {path} HTTP/1.1\r\nhost: bank\r\ncontent-length: 500\r\n\r\n{{");
        let bank = &bank;
        async move {
            let answer = answer_to(bank, head.as_bytes()).await;
            assert!(
                answer.contains(r#""errcode":-1"#) && answer.contains("no answer within 200ms"),
                "{answer}"
            );
        }
    });
    futures_util::future::join_all(stalls).await;
    give(&bank, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_replies_is_closed_and_others_are_served() {
    let limits = Limits { write_timeout: Duration::from_millis(100), ..Limits::default() };
    let (bank, _folder) = attacked(limits).await;
    let mut stream = connect(&bank).await;
    let requests = "GET /api/v1/openapi.json HTTP/1.1\r\nhost: bank\r\n\r\n".repeat(100);
    give(&bank, "before").await;
    // It ends when the bank closes the connection; until then the attacker waits for room to send more.
    while stream.write_all(requests.as_bytes()).await.is_ok() {}
    give(&bank, "after").await;
}

#[tokio::test]
async fn what_is_no_request_is_told_so_by_http() {
    let (bank, _folder) = attacked(Limits::default()).await;
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
        let answer = answer_to(&bank, bytes).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{shown:?} got {answer:?}");
    }
    give(&bank, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_refused_before_it_ends() {
    let (bank, _folder) = attacked(Limits::default()).await;
    let mut stream = connect(&bank).await;
    let head = "POST /cgi-bin/midas/present?access_token=ACCESSTOKEN HTTP/1.1\r\nhost: bank\r\n\
                transfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(4096));
    let mut sent = 0_u32;
    while stream.write_all(chunk.as_bytes()).await.is_ok() {
        sent += 1;
    }
    assert!(sent >= 16_384 / 4096, "a body that may be there was cut off");
    give(&bank, "after").await;

    // Who stops soon enough is told.
    let large = format!("{head}{}0\r\n\r\n", chunk.repeat(10));
    let answer = answer_to(&bank, format!("{large}GET / HTTP/1.0\r\n\r\n").as_bytes()).await;
    assert!(answer.contains(r#""errcode":47001"#) && answer.contains("larger than 16384 bytes"), "{answer}");
}

#[tokio::test]
async fn a_thousand_requests_in_one_write_are_answered_one_by_one() {
    let (bank, _folder) = attacked(Limits::default()).await;
    let mut stream = connect(&bank).await;
    let requests = format!("{}GET /healthz HTTP/1.0\r\n\r\n", HEALTH.repeat(999));
    let (mut reading, mut writing) = stream.split();
    let mut answer = String::new();
    let (sent, read) =
        tokio::join!(writing.write_all(requests.as_bytes()), reading.read_to_string(&mut answer));
    sent.unwrap();
    read.unwrap();
    assert_eq!(answer.matches("200 OK").count(), 1000);
    give(&bank, "after").await;
}

#[tokio::test]
async fn floods_of_new_connections_and_half_open_ones_keep_nobody_out() {
    let (bank, _folder) = attacked(Limits { connections_max: 100, ..Limits::default() }).await;
    let mut half_open = Vec::new();
    for number in 0..500 {
        let mut stream = connect(&bank).await;
        if number % 2 == 0 {
            // It says that it has said all, and stays.
            stream.shutdown().await.unwrap();
            half_open.push(stream);
        }
        if number % 50 == 0 {
            give(&bank, &format!("during-{number}")).await;
        }
    }
    for stream in &mut half_open {
        assert_eq!(to_the_end(stream).await, "");
    }
}

/// Buffers were taken away from a connection with half a head in it, again and again, and each time its deadline
/// began anew: a slow head never ended.
#[tokio::test(start_paused = true)]
async fn a_slow_head_ends_at_its_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { idle_timeout: Duration::from_secs(30), ..Limits::default() };
    let bank = TestBank::on(open_in(folder.path()), vec![sample_app()], limits).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(answer_to(&bank, b"GET /healthz HTTP/1.1\r\nho").await, "");
    let took = begun.elapsed();
    assert!((30..=60).contains(&took.as_secs()), "{took:?}");
}

/// A connection that rests has its buffers taken away; what it had already said of its next request must stay.
#[tokio::test(start_paused = true)]
async fn a_connection_that_has_rested_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { idle_timeout: Duration::from_secs(3600), ..Limits::default() };
    let bank = TestBank::on(open_in(folder.path()), vec![sample_app()], limits).await;
    let mut stream = connect(&bank).await;
    let (begun, rest) = HEALTH.split_at(20);
    stream.write_all(format!("{HEALTH}{begun}").as_bytes()).await.unwrap();
    for _ in 0..3 {
        let mut answer = String::new();
        while !answer.ends_with("ok\n") {
            let mut bytes = [0; 512];
            let read = stream.read(&mut bytes).await.unwrap();
            assert!(read > 0, "closed after {answer:?}");
            answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        // The clock stands still and is moved on; nothing waits.
        tokio::time::sleep(Duration::from_secs(10)).await;
        stream.write_all(format!("{rest}{begun}").as_bytes()).await.unwrap();
    }
}
