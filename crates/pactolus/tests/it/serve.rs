//! `pactolus serve`: its address, its graceful shutdown, and the errors that keep it from starting.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use pactolus_protocol::ReplyOutcome;
use pactolus_test_support::sample::operator_token;
use pactolus_types::Environment;

use crate::gifts::{Gift, Player};
use crate::load::{ExpectedLedger, LoadGenerator, PLAYERS, resend};
use crate::process::{Folder, ServerProcess};

#[tokio::test]
async fn serve_prints_its_port_and_stops_on_sigterm() {
    let folder = Folder::with_config();
    let bank = ServerProcess::serve(&folder);
    assert_ne!(bank.address.port(), 0);
    let ready = bank.http.get_as_operator("/readyz", &operator_token()).await.unwrap();
    assert_eq!((ready.status.as_u16(), &*ready.body), (200, "ok\n"));
    let ended = bank.stop();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.starts_with("listening on http://127.0.0.1:"), "{}", ended.stdout);
    assert_eq!(ended.stdout.lines().count(), 1);
    assert!(ended.stderr.contains("access tokens that never expire"), "{}", ended.stderr);
    folder.audit(0);
}

#[tokio::test]
async fn flags_override_environment_and_file() {
    let folder = Folder::with_config();
    let mut serve = folder.command(&["serve", "--store", "embedded:of-the-flag"]);
    serve.env("PACTOLUS_STORE", "embedded:of-the-variable").env("PACTOLUS_LISTEN", "[::1]:0");
    let bank = ServerProcess::start(serve);
    assert!(bank.address.is_ipv6());
    assert_eq!(bank.stop().code, Some(0));
    assert!(folder.path().join("of-the-flag").is_dir());
    assert!(!folder.path().join("of-the-variable").exists());
    assert!(!folder.path().join("data").exists());
}

/// Bug: the errmsg of a duplicate key echoed 64 bytes of it, and the log keeps errmsgs. So a caller could put any text,
/// and a client by a slip a session key, into the log. An error now shows no text of a body.
#[tokio::test]
async fn log_holds_no_text_of_a_body() {
    const MARK: &str = "callers-text-\u{a7}";
    let folder = Folder::with_config();
    let bank = ServerProcess::start(folder.command(&["serve", "--log-format", "json", "--log", "debug"]));
    let (path, right) = gift("of-a-body").request();
    let fields = [
        "openid",
        "appid",
        "offer_id",
        "ts",
        "zone_id",
        "pf",
        "user_ip",
        "present_counts",
        "bill_no",
        "sig",
        "mp_sig",
        "app_remark",
        "pay_item",
        "access_token",
    ];
    let mut bodies = vec![
        format!(r#"{{"{MARK}":1,"{MARK}":2}}"#),
        format!(r#"{{"{MARK}":1,"sig":1,"{MARK}":2,"sig":2}}"#),
        format!(r#"{{"{MARK}" 1}}"#),
        format!("{MARK}=1&openid=2"),
        format!("\"{MARK}\""),
        MARK.to_owned(),
        format!(r#"{{"openid":"\ud800 {MARK}"}}"#),
    ];
    let pay = path.replace("present", "pay");
    for field in fields {
        for value in [format!("\"{MARK}\""), format!("\"x&pf={MARK}\""), format!("[\"{MARK}\"]")] {
            let mut body: serde_json::Value = serde_json::from_str(&right).unwrap();
            body["amt"] = 1.into();
            body[field] = serde_json::from_str(&value).unwrap();
            bodies.push(body.to_string());
        }
    }
    for path in [&*path, &pay, "/cgi-bin/stable_token", "/cgi-bin/token", "/sns/jscode2session"] {
        for body in &bodies {
            let reply = bank.http.post(path, body).await.unwrap();
            assert!(!reply.body.contains("callers-text") && !reply.body.contains('\u{a7}'), "{}", reply.body);
        }
    }
    let ended = bank.stop();
    assert!(ended.stderr.lines().count() > bodies.len(), "{}", ended.stderr);
    assert!(!ended.stderr.contains("callers-text") && !ended.stderr.contains('\u{a7}'), "{}", ended.stderr);
}

#[tokio::test]
async fn json_logs_hold_no_secret() {
    let folder = Folder::with_config();
    let bank = ServerProcess::start(folder.command(&["serve", "--log-format", "json", "--log", "debug"]));
    Player(0).log_in(&bank.http).await;
    let gift = gift("of-the-log");
    assert!(matches!(gift.send(&bank.http).await, Ok(ReplyOutcome::Success(_))));
    assert!(gift.is_replayed_by(&gift.send(&bank.http).await.unwrap()));
    let ended = bank.stop();
    let lines: Vec<serde_json::Value> =
        ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["errcode"] == 90012 && line["level"] == "INFO"), "{}", ended.stderr);
    for secret in
        ["OPERATORTOKEN", "ACCESSTOKEN", "APPSECRET", "zNLgAGgq", "V7Q38", "another-key", "of-the-log"]
    {
        assert!(!ended.stderr.contains(secret), "{secret}: {}", ended.stderr);
    }
}

#[test]
fn store_is_locked_by_one_server() {
    let folder = Folder::with_config();
    let bank = ServerProcess::serve(&folder);
    let ended = folder.run(&["serve"]);
    assert_eq!(ended.code, Some(4));
    assert!(
        ended.stderr.ends_with(
            "error: the store embedded:./data cannot be opened: the store ./data is in use by another process; \
             stop that process first, or name another folder\n"
        ),
        "{}",
        ended.stderr
    );
    assert_eq!(bank.stop().code, Some(0));
    assert_eq!(ServerProcess::serve(&folder).stop().code, Some(0));
}

#[test]
fn address_in_use_exits_5() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = Folder::with_config().run(&["serve", "--listen", &address]);
    assert_eq!(ended.code, Some(5));
    assert!(ended.stderr.contains(&format!("error: cannot listen on {address}: ")), "{}", ended.stderr);
}

#[tokio::test]
async fn in_flight_request_finishes_on_shutdown() {
    let folder = Folder::with_config();
    let bank = ServerProcess::serve(&folder);
    Player(0).log_in(&bank.http).await;

    // The server asks for the body, so the request is in flight when the shutdown starts.
    let (path, body) = gift("slow").request();
    let mut caller = TcpStream::connect(bank.address).unwrap();
    let length = body.len();
    write!(
        caller,
        "POST {path} HTTP/1.1\r\nHost: bank\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    )
    .unwrap();
    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut read = vec![0; go_on.len()];
    caller.read_exact(&mut read).unwrap();
    assert_eq!(read, go_on);
    bank.process.terminate();
    wait_until_refused(bank.address);

    caller.write_all(body.as_bytes()).unwrap();
    let mut reply = String::new();
    caller.read_to_string(&mut reply).unwrap();
    let done = r#"{"errcode":0,"errmsg":"ok","balance":1,"bill_no":"slow"}"#;
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with(done), "{reply}");
    assert_eq!(bank.process.wait().code, Some(0));
    folder.audit(1);
}

/// An order without a reply was never applied: its request was still on the way when the server closed the
/// connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_answers_every_applied_order() {
    let folder = Folder::with_config();
    let mut expected = ExpectedLedger::default();
    for stop in 0..5 {
        let bank = ServerProcess::serve(&folder);
        for player in 0..PLAYERS {
            Player(player).log_in(&bank.http).await;
        }
        let load = LoadGenerator::start(&bank.http, &format!("stop-{stop}"));
        load.wait_acknowledged(200).await;
        bank.process.terminate();
        let report = load.wait_disconnected().await;
        assert_eq!(bank.process.wait().code, Some(0));
        expected.record(&report.acknowledged);
        folder.audit(expected.order_count());

        let bank = ServerProcess::serve(&folder);
        expected.assert_matches(&bank.http).await;
        for (gift, answer) in resend(&report.acknowledged, &bank.http).await {
            assert!(gift.is_replayed_by(&answer), "{gift:?} was acknowledged, and now: {answer:?}");
        }
        for (gift, answer) in resend(&report.unanswered, &bank.http).await {
            assert!(
                matches!(answer, ReplyOutcome::Success(_)),
                "{gift:?} was applied without a reply: {answer:?}"
            );
        }
        expected.record(&report.unanswered);
        assert_eq!(bank.stop().code, Some(0));
        folder.audit(expected.order_count());
    }
}

fn gift(bill_no: &str) -> Gift {
    Gift { environment: Environment::Live, player: Player(0), bill_no: bill_no.to_owned(), coins: 1 }
}

/// Waits until connections to `address` are refused.
fn wait_until_refused(address: SocketAddr) {
    let start = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(5), "connections are still accepted");
    }
}
