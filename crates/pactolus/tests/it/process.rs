//! Harness of the built executable: each process runs in its own folder and is killed when the test ends.
//!
//! Nothing sleeps: a test waits for a line of output or for the exit, each with a timeout.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use pactolus_test_support::sample::CONFIG;
use tempfile::TempDir;

use crate::http::HttpClient;

/// Timeout of every wait for the executable. Far longer than anything takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Working folder, removed on drop.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with a `pactolus.toml` for the sample app.
    pub(crate) fn with_config() -> Self {
        let folder = Self::empty();
        folder.write("pactolus.toml", CONFIG);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// `pactolus` with `arguments`, in this folder, without environment variables that configure it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pactolus"));
        command.args(arguments).current_dir(self.path());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("PACTOLUS_") || name == "RUST_LOG" {
                command.env_remove(&*name);
            }
        }
        // English messages, and no profile of the user who runs the tests.
        command.env("LC_ALL", "C").env("XDG_CONFIG_HOME", self.path());
        command
    }

    /// Runs `pactolus` with `arguments` and waits for its exit.
    pub(crate) fn run(&self, arguments: &[&str]) -> ProcessOutput {
        Process::start(self.command(arguments)).wait()
    }

    /// Asserts that the audit is clean and counts `orders` orders.
    #[track_caller]
    pub(crate) fn audit(&self, orders: usize) {
        let ended = self.run(&["audit", "--output", "json"]);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{}", ended.stdout);
        let audit: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(audit["clean"], true);
        assert_eq!(audit["orders"], orders);
    }
}

/// Exit code and output of a process.
#[derive(Debug)]
pub(crate) struct ProcessOutput {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A process, killed on drop.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    stdout: String,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = sync_channel(1024);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut stderr = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        });
        Self { child, lines, stderr: Some(stderr), stdout: String::new() }
    }

    /// Waits for a line of stdout that starts with `start`. Returns the rest of the line.
    #[track_caller]
    pub(crate) fn wait_for_line(&mut self, start: &str) -> String {
        loop {
            let Some(line) = self.next_line() else {
                panic!("it exited before {start:?}: {:?}", self.collect_output())
            };
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// The next line of stdout, or `None` at its end.
    #[track_caller]
    fn next_line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(TIMEOUT) {
            Ok(line) => {
                self.stdout.push_str(&line);
                self.stdout.push('\n');
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no output for {TIMEOUT:?} after: {}", self.stdout),
        }
    }

    /// The stdout read so far.
    pub(crate) fn stdout(&self) -> &str {
        &self.stdout
    }

    /// Sends SIGTERM, as a service manager does.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends a signal by its name, such as `-HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Sends SIGKILL and waits for the exit.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the exit.
    #[track_caller]
    pub(crate) fn wait(mut self) -> ProcessOutput {
        self.collect_output()
    }

    #[track_caller]
    fn collect_output(&mut self) -> ProcessOutput {
        // Its stdout ends when it exits.
        while self.next_line().is_some() {}
        let code = self.child.wait().unwrap().code();
        let stderr = self.stderr.take().unwrap().join().unwrap();
        ProcessOutput { code, stdout: std::mem::take(&mut self.stdout), stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that serves a bank.
pub(crate) struct ServerProcess {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) http: HttpClient,
}

impl ServerProcess {
    /// Runs `pactolus serve` in `folder`.
    #[track_caller]
    pub(crate) fn serve(folder: &Folder) -> Self {
        Self::start(folder.command(&["serve"]))
    }

    /// [`ServerProcess::serve`] with journal segments and a memtable so small that they roll over and flush every few
    /// hundred orders.
    #[track_caller]
    pub(crate) fn serve_with_small_segments(folder: &Folder) -> Self {
        let mut command = folder.command(&["serve"]);
        command
            .env("PACTOLUS_EMBEDDED_MEMTABLE_ORDERS", "100")
            .env("PACTOLUS_EMBEDDED_SEGMENT_BYTES", "20000");
        Self::start(command)
    }

    /// Runs a command that serves a bank.
    #[track_caller]
    pub(crate) fn start(command: Command) -> Self {
        let mut process = Process::start(command);
        let address = process.wait_for_line("listening on ");
        let address = address.split_once("://").unwrap().1.parse().unwrap();
        Self { process, address, http: HttpClient::new(address) }
    }

    /// Sends SIGTERM and waits for the exit.
    #[track_caller]
    pub(crate) fn stop(self) -> ProcessOutput {
        self.process.terminate();
        self.process.wait()
    }
}
