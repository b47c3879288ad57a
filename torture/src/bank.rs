//! The built `pactolus` executable as a child process, in a folder of its own.
//!
//! Each node logs to a file in that folder. A panic in any log is a failure of the attack.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

/// Longest time until a bank listens, recovery included; far more than it takes.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(60);

/// A bank's folder with its configuration, and the executable that serves it.
#[derive(Clone)]
pub(crate) struct Bank {
    folder: PathBuf,
    pactolus: PathBuf,
}

/// JSON report of `pactolus audit`.
#[derive(Debug, Deserialize)]
pub(crate) struct AuditReport {
    pub(crate) clean: bool,
    pub(crate) orders: u64,
    pub(crate) accounts: u64,
    findings: Vec<String>,
}

impl Bank {
    /// Writes `config` to `folder`.
    pub(crate) fn new(folder: &Path, pactolus: &Path, config: &str) -> anyhow::Result<Self> {
        let pactolus = fs::canonicalize(pactolus).with_context(|| {
            format!("{} does not exist: build it, or pass its path with --pactolus", pactolus.display())
        })?;
        fs::create_dir_all(folder)?;
        fs::write(folder.join("pactolus.toml"), config)?;
        Ok(Self { folder: folder.to_owned(), pactolus })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// `pactolus` with `arguments`, in this folder, and without environment variables that configure it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.pactolus);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("PACTOLUS_") || name == "RUST_LOG" {
                command.env_remove(&*name);
            }
        }
        command.env("LC_ALL", "C").env("XDG_CONFIG_HOME", &self.folder);
        command
    }

    /// Starts one node as configured and waits until it listens.
    pub(crate) fn serve(&self) -> anyhow::Result<Node> {
        self.start_node(0, &[], &[])?.wait_until_listening()
    }

    /// Starts node number `node` without waiting until it listens.
    pub(crate) fn start_node(
        &self,
        node: usize,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> anyhow::Result<StartingNode> {
        let mut command = self.command(&[&["serve", "--log", "warn"], arguments].concat());
        command.envs(variables.iter().copied());
        let log = OpenOptions::new().create(true).append(true).open(self.log_path(node))?;
        command.stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn()?;
        let (sender, address) = sync_channel(1);
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(address) =
                    line.strip_prefix("listening on http://").and_then(|it| it.parse().ok())
                {
                    // The receiver is gone if the node was killed while it started.
                    let _ = sender.send(address);
                }
            }
        });
        Ok(StartingNode { process: Process(child), address, log: self.log_path(node) })
    }

    fn log_path(&self, node: usize) -> PathBuf {
        self.folder.join(format!("node-{node}.log"))
    }

    /// Runs `pactolus audit`; findings are an error. An embedded store must not be served meanwhile.
    pub(crate) fn audit(&self) -> anyhow::Result<AuditReport> {
        let output = self.command(&["audit", "--output", "json"]).output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        let audited: AuditReport = serde_json::from_slice(&output.stdout).with_context(|| {
            format!("the audit printed {}: {stderr}", String::from_utf8_lossy(&output.stdout))
        })?;
        ensure!(audited.clean && output.status.success(), "the audit has findings: {:?}", audited.findings);
        Ok(audited)
    }

    /// Fails if a node has panicked.
    pub(crate) fn ensure_no_panic(&self) -> anyhow::Result<()> {
        let panics = self.log_lines_matching(|line| line.contains("panicked"))?;
        ensure!(panics.is_empty(), "a node panicked: {panics:#?}");
        Ok(())
    }

    /// Errors in the nodes' logs so far. Warnings do not count, such as the one for a batch that a crash truncated.
    pub(crate) fn logged_errors(&self) -> anyhow::Result<Vec<String>> {
        self.log_lines_matching(|line| line.contains(" ERROR ") || line.contains("panicked"))
    }

    fn log_lines_matching(&self, is_wanted: impl Fn(&str) -> bool) -> anyhow::Result<Vec<String>> {
        let mut lines = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                let log = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
                lines.extend(log.lines().filter(|line| is_wanted(line)).map(str::to_owned));
            }
        }
        Ok(lines)
    }
}

/// A child process, killed on drop.
struct Process(Child);

impl Process {
    fn kill(&mut self) -> std::io::Result<()> {
        self.0.kill()?;
        self.0.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that the process has exited already.
        let _ = self.kill();
    }
}

/// A node that does not listen yet.
pub(crate) struct StartingNode {
    process: Process,
    address: Receiver<SocketAddr>,
    log: PathBuf,
}

impl StartingNode {
    pub(crate) fn wait_until_listening(self) -> anyhow::Result<Node> {
        let Self { process, address, log } = self;
        let address = address.recv_timeout(LISTEN_TIMEOUT).with_context(|| {
            let log_text = fs::read_to_string(&log).unwrap_or_default();
            let last: Vec<&str> = log_text.lines().rev().take(5).collect();
            format!("the bank does not listen; the last lines of {} are {last:#?}", log.display())
        })?;
        Ok(Node { process, address })
    }

    /// Kills the process after `wait`, at whatever stage of its start.
    pub(crate) fn kill_after(mut self, wait: Duration) -> anyhow::Result<()> {
        std::thread::sleep(wait);
        Ok(self.process.kill()?)
    }
}

/// A node that listens.
pub(crate) struct Node {
    process: Process,
    pub(crate) address: SocketAddr,
}

impl Node {
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Fails if the process has exited on its own.
    pub(crate) fn ensure_running(&mut self) -> anyhow::Result<()> {
        match self.process.0.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the bank exited on its own ({status})"),
        }
    }

    /// Sends SIGKILL and waits until the process is gone.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.ensure_running()?;
        Ok(self.process.kill()?)
    }

    /// Sends SIGTERM, as a service manager does, and waits for a graceful shutdown.
    pub(crate) fn terminate(&mut self) -> anyhow::Result<()> {
        self.ensure_running()?;
        let pid = Pid::from_raw(i32::try_from(self.pid())?).context("a process has a number")?;
        kill_process(pid, Signal::TERM)?;
        let ended = self.process.0.wait()?;
        ensure!(ended.success(), "after SIGTERM the bank exited with {ended}");
        Ok(())
    }
}
