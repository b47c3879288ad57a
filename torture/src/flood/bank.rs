//! The bank that is attacked: the built executable with a configuration of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use pactolus_figures::machine::process::wait_for_rest;
use rustix::process::{Pid, Signal, kill_process};

pub(super) const APPID: &str = "wx1234567";
pub(super) const OFFER: &str = "12345678";
pub(super) const MIDAS_KEY: &str = "zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u";
pub(super) const TOKEN: &str = "ACCESSTOKEN";
pub(super) const OPERATOR: &str = "operators-token";

/// A bank that is served, killed when it is dropped.
pub(super) struct Bank {
    process: Child,
    pub(super) address: SocketAddr,
    executable: PathBuf,
    folder: PathBuf,
}

impl Bank {
    /// Serves a new bank in `folder`.
    pub(super) fn start(executable: &Path, folder: &Path, connections_max: usize) -> anyhow::Result<Self> {
        let executable = executable
            .canonicalize()
            .with_context(|| format!("there is no bank at {}", executable.display()))?;
        let config = format!(
            "listen = \"127.0.0.1:0\"\n[operator]\ntoken = \"{OPERATOR}\"\n[[apps]]\nappid = \"{APPID}\"\n\
             app_secret = \"app-secret\"\noffer_id = \"{OFFER}\"\nmidas_key = \"{MIDAS_KEY}\"\n\
             sandbox_midas_key = \"sandbox-key\"\nstatic_access_tokens = [\"{TOKEN}\"]\n\
             [limits]\nconnections_max = {connections_max}\n"
        );
        fs::write(folder.join("pactolus.toml"), config)?;
        let log = fs::File::create(folder.join("log"))?;
        let mut process = Command::new(&executable)
            .args(["serve", "--log", "warn"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let mut told = String::new();
        let stdout = process.stdout.take().context("its output is piped")?;
        BufReader::new(stdout).read_line(&mut told)?;
        let address = told
            .trim()
            .strip_prefix("listening on http://")
            .with_context(|| format!("the bank did not start; its log is in {}", folder.display()))?
            .parse()?;
        Ok(Self { process, address, executable, folder: folder.to_owned() })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it has nothing to do.
    pub(super) fn wait_for_rest(&self) -> anyhow::Result<()> {
        ensure!(wait_for_rest(self.pid(), Duration::from_secs(60))?, "the bank does not come to rest");
        Ok(())
    }

    /// Tells it to stop, and proves that its books hold so many orders and are right.
    pub(super) fn end_and_audit(mut self, orders: u64) -> anyhow::Result<()> {
        ensure!(self.process.try_wait()?.is_none(), "the bank ended under the attack");
        let pid = Pid::from_raw(i32::try_from(self.pid())?).context("a process has a number")?;
        kill_process(pid, Signal::TERM)?;
        let ended = self.process.wait()?;
        let log = fs::read_to_string(self.folder.join("log"))?;
        ensure!(ended.success(), "the bank ended with {ended}: {log}");
        ensure!(!log.contains("panicked"), "something panicked: {log}");
        let audit = Command::new(&self.executable)
            .args(["audit", "--output", "json"])
            .current_dir(&self.folder)
            .output()?;
        let told: serde_json::Value = serde_json::from_slice(&audit.stdout)?;
        ensure!(
            told["clean"] == true && told["orders"] == orders,
            "of {orders} orders the audit says {told}"
        );
        Ok(())
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
