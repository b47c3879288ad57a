//! A process of this program beside this one, which does a part of a measurement and tells of it in lines of JSON.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The process; it is killed when this is dropped.
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
        let stdout = process.stdout.take().context("the process has an output")?;
        Ok(Self { process, stdout: BufReader::new(stdout) })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it tells next.
    pub(crate) fn receive<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        serde_json::from_str(&line).context("a process of the benchmark ended before it should")
    }

    /// Lets it come to its end, and waits for that.
    pub(crate) fn shutdown(mut self) -> anyhow::Result<()> {
        drop(self.process.stdin.take());
        let status = self.process.wait()?;
        ensure!(status.success(), "a process of the benchmark failed ({status})");
        Ok(())
    }
}

impl Drop for WorkerProcess {
    /// Kills it as `kill -9` does.
    fn drop(&mut self) {
        // It may have ended by itself, which whoever asked it has found out then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// In such a process: tells something.
pub(crate) fn send_message(message: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(message)?);
    Ok(())
}

/// In such a process: waits until it may come to its end.
pub(crate) fn wait_for_shutdown() -> anyhow::Result<()> {
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line)? > 0 {
        line.clear();
    }
    Ok(())
}
