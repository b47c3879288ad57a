//! A bank whose log has no reader: stderr is a full pipe, or a pipe whose other end is closed.
//!
//! The bug: the log was written to stderr by the thread that answers the call. A reader that had stopped reading
//! blocked every worker after some 350 refused calls of strangers, and a reader that had ended made each log line
//! panic: refused calls were cut off, `/readyz` stayed 503, SIGTERM hung or exited with 101. The fix: a thread of
//! its own writes the log, a bounded buffer holds the lines, and lines that stderr does not take are dropped and
//! counted. Refusals of strangers are sampled.

use std::io::{BufRead as _, BufReader, PipeReader, Read as _, pipe};
use std::process::{Child, Command, Stdio};

use pactolus_protocol::{AccessToken, MidasKey, ReplyOutcome};
use pactolus_types::Environment;

use crate::gifts::{Gift, Player};
use crate::http::HttpClient;
use crate::process::Folder;

/// Refused calls of strangers; their lines, at some 250 bytes, are eight times what a pipe holds.
const REFUSED_CALLS: usize = 2000;

/// A served bank whose stderr is the pipe of the test.
struct Bank {
    child: Child,
    http: HttpClient,
    stderr: Option<PipeReader>,
}

impl Bank {
    fn serve(mut command: Command) -> Self {
        let (stderr, writer) = pipe().unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(writer).spawn().unwrap();
        // The command holds the test's own copy of the pipe's end.
        drop(command);
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").unwrap().parse().unwrap();
        Self { child, http: HttpClient::new(address), stderr: Some(stderr) }
    }

    async fn is_ready(&self) -> bool {
        self.http.get("/readyz").await.unwrap().status == 200
    }

    /// Sends SIGTERM. Returns the exit code.
    fn stop(&mut self) -> Option<i32> {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        // An error means that it has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn gift(bill_no: String) -> Gift {
    Gift { environment: Environment::Live, player: Player(0), bill_no, coins: 1 }
}

/// Sends refused calls of strangers, and honest calls and refused calls of the app among them.
async fn call_while_strangers_are_refused(bank: &Bank) {
    Player(0).log_in(&bank.http).await;
    let key = MidasKey::new("zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u").unwrap();
    let wrong = AccessToken::new(&"x".repeat(100)).unwrap();
    for call in 0..REFUSED_CALLS {
        let (path, body) = gift("strange".to_owned()).request_with(&key, &wrong);
        let response = bank.http.post(&path, &body).await.unwrap();
        assert!(response.body.contains("40001"), "{}", response.body);
        if call.is_multiple_of(100) {
            let gift = gift(format!("honest-{call}"));
            assert!(matches!(gift.send(&bank.http).await, Ok(ReplyOutcome::Success(_))));
            assert!(gift.is_replayed_by(&gift.send(&bank.http).await.unwrap()));
        }
    }
    assert!(bank.is_ready().await);
}

#[tokio::test]
async fn unread_stderr_stops_neither_calls_nor_shutdown() {
    let folder = Folder::with_config();
    // On a filter of debug every call logs: this fills the pipe and the buffer, sampling or not.
    let mut bank = Bank::serve(folder.command(&["serve", "--log", "debug"]));
    call_while_strangers_are_refused(&bank).await;
    assert_eq!(bank.stop(), Some(0));
    folder.audit(REFUSED_CALLS / 100);
}

#[tokio::test]
async fn closed_stderr_stops_neither_calls_nor_shutdown() {
    let folder = Folder::with_config();
    let mut bank = Bank::serve(folder.command(&["serve"]));
    drop(bank.stderr.take());
    call_while_strangers_are_refused(&bank).await;
    assert_eq!(bank.stop(), Some(0));
    folder.audit(REFUSED_CALLS / 100);
}

#[test]
fn closed_stderr_ends_without_a_panic() {
    let folder = Folder::with_config();
    let (stderr, writer) = pipe().unwrap();
    drop(stderr);
    let mut command = folder.command(&["serve", "--listen", "192.0.2.1:1"]);
    assert_eq!(command.stderr(writer).status().unwrap().code(), Some(5));
    let (stderr, writer) = pipe().unwrap();
    drop(stderr);
    let mut command = folder.command(&["audit", "--config", "missing.toml"]);
    assert_eq!(command.stderr(writer).status().unwrap().code(), Some(141));
}

#[tokio::test]
async fn strangers_are_sampled_in_the_log() {
    let folder = Folder::with_config();
    let mut bank = Bank::serve(folder.command(&["serve"]));
    call_while_strangers_are_refused(&bank).await;
    assert_eq!(bank.stop(), Some(0));
    let mut log = String::new();
    bank.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    let shown = log.lines().filter(|line| line.contains("errcode=40001")).count();
    let left_out: usize = log
        .lines()
        .filter_map(|line| line.rsplit_once("more than the log shows left_out=")?.1.parse::<usize>().ok())
        .sum();
    assert_eq!(shown + left_out, REFUSED_CALLS, "{log}");
    assert!(left_out > REFUSED_CALLS / 2, "{log}");
    assert_eq!(log.lines().filter(|line| line.contains("errcode=90012")).count(), REFUSED_CALLS / 100);
}
