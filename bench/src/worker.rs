//! Worker process: another instance of this program that does a part of a measurement and reports in lines of JSON.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Killed when it is dropped.
pub(crate) struct WorkerProcess {
    process: Child,
    stdout: BufReader<ChildStdout>,
}

impl WorkerProcess {
    /// Starts this program with these arguments.
    pub(crate) fn start<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().context("stdout is piped")?;
        Ok(Self { process, stdout: BufReader::new(stdout) })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The worker's next message.
    pub(crate) fn receive<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        serde_json::from_str(&line).context("a worker process of the benchmark exited too early")
    }

    /// Closes the worker's stdin, which ends it, and waits for its exit.
    pub(crate) fn shutdown(mut self) -> anyhow::Result<()> {
        drop(self.process.stdin.take());
        let status = self.process.wait()?;
        ensure!(status.success(), "a worker process of the benchmark failed ({status})");
        Ok(())
    }
}

impl Drop for WorkerProcess {
    /// SIGKILL.
    fn drop(&mut self) {
        // An error means that it has exited already; its last `receive` reported that.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// In the worker: sends a message to the parent.
pub(crate) fn send_message(message: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(message)?);
    Ok(())
}

/// In the worker: waits until the parent closes stdin.
pub(crate) fn wait_for_shutdown() -> anyhow::Result<()> {
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line)? > 0 {
        line.clear();
    }
    Ok(())
}
