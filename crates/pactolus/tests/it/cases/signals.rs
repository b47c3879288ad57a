//! Signals of `pactolus serve`, and its messages to the service manager.
//!
//! The bug: a second SIGTERM or Ctrl-C was ignored, so an operator had to wait for the shutdown timeout or kill it;
//! SIGHUP, which logrotate and a closing terminal send, ended the bank without draining. Now a second signal ends it
//! at once, and SIGHUP reloads the configuration (`reload`).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use pactolus_test_postgres::Cluster;
use pactolus_types::Environment;

use crate::gifts::{Gift, Player};
use crate::process::{Folder, ServerProcess};

/// Far longer than anything takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A bank in shutdown that waits for the body of a request.
fn draining_bank(folder: &Folder) -> (ServerProcess, TcpStream) {
    let mut serve = folder.command(&["serve"]);
    serve.env("PACTOLUS_LIMITS_SHUTDOWN_TIMEOUT_S", "300").env("PACTOLUS_LIMITS_REQUEST_TIMEOUT_S", "300");
    let bank = ServerProcess::start(serve);
    let mut caller = TcpStream::connect(bank.address).unwrap();
    let path = "/cgi-bin/midas/present?access_token=ACCESSTOKEN";
    write!(caller, "POST {path} HTTP/1.1\r\nHost: bank\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
        .unwrap();
    caller.read_exact(&mut [0; 25]).unwrap();
    bank.process.terminate();
    let start = Instant::now();
    while TcpStream::connect(bank.address).is_ok() {
        assert!(start.elapsed() < TIMEOUT, "connections are still accepted");
    }
    (bank, caller)
}

#[test]
fn second_signal_ends_the_process_at_once() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let folder = Folder::with_config();
        let (bank, _caller) = draining_bank(&folder);
        bank.process.signal("-HUP");
        bank.process.signal(signal);
        let ended = bank.process.wait();
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains("a second signal ends the process at once"), "{}", ended.stderr);
        folder.audit(0);
    }
}

#[tokio::test]
async fn hangup_does_not_end_the_bank() {
    let folder = Folder::with_config();
    let bank = ServerProcess::serve(&folder);
    bank.process.signal("-HUP");
    let ready = bank.http.get("/readyz").await.unwrap();
    assert_eq!(ready.status, 200);
    let ended = bank.stop();
    assert_eq!(ended.code, Some(0));
}

#[test]
fn service_manager_hears_ready_and_stopping() {
    let folder = Folder::with_config();
    let path = folder.path().join("notify.sock");
    let name = format!("pactolus-test-{}", std::process::id());
    let by_path = UnixDatagram::bind(&path).unwrap();
    let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    for (socket, variable) in [(by_path, path.display().to_string()), (by_name, format!("@{name}"))] {
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut serve = folder.command(&["serve"]);
        serve.env("NOTIFY_SOCKET", &variable);
        let bank = ServerProcess::start(serve);
        assert_eq!(receive(&socket), "READY=1", "{variable}");
        assert_eq!(bank.stop().code, Some(0));
        assert_eq!(receive(&socket), "STOPPING=1", "{variable}");
    }
    let path = folder.path().join("watchdog.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut serve = folder.command(&["serve"]);
    serve.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000");
    let bank = ServerProcess::start(serve);
    let messages = [(); 4].map(|()| receive(&socket));
    assert_eq!(messages.iter().filter(|message| *message == "READY=1").count(), 1, "{messages:?}");
    assert_eq!(messages.iter().filter(|message| *message == "WATCHDOG=1").count(), 3, "{messages:?}");
    assert_eq!(bank.stop().code, Some(0));
    let mut serve = folder.command(&["serve"]);
    serve.env("NOTIFY_SOCKET", "/nowhere/notify.sock");
    let ended = ServerProcess::start(serve).stop();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("cannot notify the service manager"), "{}", ended.stderr);
}

fn receive(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 100];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

/// The bug: closing the ledger had no bound, so a frozen database held the shutdown for ever.
#[tokio::test]
async fn frozen_database_does_not_hold_the_shutdown() {
    let cluster = Cluster::start("");
    let folder = Folder::with_config();
    let mut serve = folder.command(&["serve", "--migrate", "--store", &cluster.url()]);
    serve.env("PACTOLUS_LIMITS_SHUTDOWN_TIMEOUT_S", "1").env("PACTOLUS_LIMITS_REQUEST_TIMEOUT_S", "1");
    let bank = ServerProcess::start(serve);
    Player(0).log_in(&bank.http).await;
    cluster.signal_all("STOP");
    let gift =
        Gift { environment: Environment::Live, player: Player(0), bill_no: "frozen".to_owned(), coins: 1 };
    let reply = gift.send(&bank.http).await;
    let ended = bank.stop();
    cluster.signal_all("CONT");
    assert_eq!(ended.code, Some(6), "{reply:?} {}", ended.stderr);
    assert!(ended.stderr.contains("did not close within the shutdown timeout"), "{}", ended.stderr);
}
