//! The bank that is soaked: the built executable with a store and a configuration of its own.
//!
//! Its bounds are small, so that all that may fill is full soon, and what grows afterwards is a leak.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use pactolus_figures::machine::disk::folder_bytes;
use serde::Deserialize;

pub(super) const APPID: &str = "wx1234567";
pub(super) const OFFER: &str = "12345678";
pub(super) const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(super) const OPERATOR: &str = "operators-token";
pub(super) const LIVE_KEY: &str = "zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u";
pub(super) const SANDBOX_KEY: &str = "another-key-for-the-sandbox";

const SESSIONS_CACHED: u64 = 20_000;
const RATES_CACHED: u64 = 1000;
const REJECTIONS_BYTES_MAX: u64 = 1 << 20;
const QUEUE_ORDERS_MAX: u64 = 16_384;
const TAIL_ORDERS: u64 = 20_000;
const ACCOUNTS_KEPT: u64 = 20_000;
const FILTER_BYTES: u64 = 4 << 20;
/// So small that there are several within an hour: each is a file that the bank keeps open.
const SEGMENT_BYTES: u64 = 64 << 20;

/// The most memory that this bank may take, by what its settings say of themselves: sessions of 600 bytes, rates of
/// 300, queued orders of 500, accounts of 130, and of the tail 400 MiB for every 393,216 orders.
///
/// Besides, the engine that keeps records has up to two tables of 64 MiB in memory, one of them being written, and
/// caches of 32 MiB together with that of the totals. The rest, 64 MiB, is for the program, its threads and
/// connections, and what the allocator keeps for later.
pub(super) const MEMORY_MAX_BYTES: u64 = SESSIONS_CACHED * 600
    + RATES_CACHED * 300
    + REJECTIONS_BYTES_MAX
    + QUEUE_ORDERS_MAX * 500
    + TAIL_ORDERS * 1067
    + ACCOUNTS_KEPT * 130
    + FILTER_BYTES
    + (2 * 64 + 32 + 64) * (1 << 20);

/// How long a bank may take to open its store.
const OPENING_AT_MOST: Duration = Duration::from_secs(60);

/// A folder with a bank in it.
#[derive(Clone)]
pub(super) struct Bank {
    program: PathBuf,
    folder: PathBuf,
}

/// A process that serves the bank; it is killed when this is dropped.
pub(super) struct Life {
    process: Child,
    pub(super) address: SocketAddr,
}

/// An order as the bank exports it.
#[derive(Debug, Deserialize)]
pub(super) struct Exported {
    pub(super) kind: String,
    pub(super) bill_no: String,
    pub(super) env: String,
    pub(super) openid: String,
    pub(super) coins: u64,
}

impl Bank {
    /// A bank of this executable in an empty folder.
    pub(super) fn new(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let program = program.canonicalize().with_context(|| {
            format!("there is no {}; `cargo build --release -p pactolus` makes it", program.display())
        })?;
        fs::write(folder.join("pactolus.toml"), configuration())?;
        Ok(Self { program, folder: folder.to_owned() })
    }

    /// Serves it, and waits until it takes connections.
    pub(super) fn serve(&self) -> anyhow::Result<Life> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut serve = self.pactolus(&["serve", "--log", "warn"]);
        let mut process = serve.stdout(Stdio::piped()).stderr(log).spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("the bank has an output")?).lines();
        let (told, is_told) = sync_channel(1);
        // Reads on to the end, so that the bank's output always goes somewhere.
        std::thread::spawn(move || {
            let _ = told.send(lines.next());
            lines.for_each(drop);
        });
        let said = is_told.recv_timeout(OPENING_AT_MOST).ok().flatten().transpose()?.unwrap_or_default();
        // It is killed unless it came up.
        let mut life = Life { process, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let Some(address) = said.strip_prefix("listening on http://") else {
            bail!("the bank did not come up; it said: {}", fs::read_to_string(self.log())?)
        };
        life.address = address.parse()?;
        Ok(life)
    }

    /// The errors that the bank has logged so far; warnings, such as that a crash has cut a batch, are none.
    pub(super) fn errors(&self) -> anyhow::Result<Vec<String>> {
        let log = fs::read_to_string(self.log())?;
        let is_error = |line: &&str| line.contains(" ERROR ") || line.contains("panicked");
        Ok(log.lines().filter(is_error).map(str::to_owned).collect())
    }

    /// Proves the books, and tells how many orders they hold.
    pub(super) fn audit(&self) -> anyhow::Result<u64> {
        #[derive(Deserialize)]
        struct Audit {
            clean: bool,
            orders: u64,
        }
        let output = self.pactolus(&["audit", "--output", "json"]).output()?;
        let told = String::from_utf8_lossy(&output.stdout);
        let audit: Audit = serde_json::from_str(&told)
            .with_context(|| format!("the audit failed: {}", String::from_utf8_lossy(&output.stderr)))?;
        ensure!(audit.clean && output.status.success(), "the books are wrong: {told}");
        Ok(audit.orders)
    }

    /// Backs it up while it is served, and removes the copy.
    pub(super) fn back_up(&self) -> anyhow::Result<()> {
        let to = self.folder.join("backup");
        let output = self.pactolus(&["backup", "--to", "backup"]).output()?;
        fs::remove_dir_all(&to)?;
        ensure!(output.status.success(), "the backup failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Visits every order of these days, in the order in which they were decided.
    pub(super) fn orders(&self, from: &str, to: &str, mut visit: impl FnMut(Exported)) -> anyhow::Result<()> {
        let mut export = self.pactolus(&["export", "orders", "--from", from, "--to", to]);
        let mut export = export.stdout(Stdio::piped()).spawn()?;
        let rows = csv::Reader::from_reader(export.stdout.take().context("the export has an output")?);
        for row in rows.into_deserialize() {
            visit(row?);
        }
        ensure!(export.wait()?.success(), "the export failed");
        Ok(())
    }

    /// What its store takes on the disk. A file that is merged away meanwhile is no error.
    pub(super) fn store_bytes(&self) -> anyhow::Result<u64> {
        const TRIES: usize = 10;
        let store = self.folder.join("data");
        (1..TRIES).find_map(|_| folder_bytes(&store).ok()).map_or_else(|| Ok(folder_bytes(&store)?), Ok)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// `pactolus` in the bank's folder, with nothing in its environment that tells it anything.
    fn pactolus(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        let told = |name: &std::ffi::OsString| name.as_encoded_bytes().starts_with(b"PACTOLUS_");
        for name in std::env::vars_os().map(|(name, _)| name).filter(told) {
            command.env_remove(name);
        }
        command.env_remove("RUST_LOG").env("LC_ALL", "C").env("XDG_CONFIG_HOME", &self.folder);
        command
    }
}

impl Life {
    /// The number of the process.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether it has not ended by itself.
    pub(super) fn must_still_run(&mut self) -> anyhow::Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the bank ended by itself ({status})"),
        }
    }

    /// Ends it as `kill -9` does.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Asks it to end, as a service manager does, and waits until it has.
    pub(super) fn terminate(&mut self) -> anyhow::Result<()> {
        let told = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        ensure!(told.success(), "the bank cannot be asked to end");
        let status = self.process.wait()?;
        ensure!(status.success(), "asked to end, the bank ended with {status}");
        Ok(())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // An error says that it ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration() -> String {
    format!(
        r#"listen = "127.0.0.1:0"

[operator]
token = "{OPERATOR}"

[[apps]]
appid = "{APPID}"
offer_id = "{OFFER}"
app_secret = "{APP_SECRET}"
midas_key = "{LIVE_KEY}"
sandbox_midas_key = "{SANDBOX_KEY}"
login = "open"

[limits]
sessions_cached = {SESSIONS_CACHED}
rates_cached = {RATES_CACHED}
rejections_bytes_max = {REJECTIONS_BYTES_MAX}

[embedded]
queue_orders_max = {QUEUE_ORDERS_MAX}
tail_orders = {TAIL_ORDERS}
accounts_kept = {ACCOUNTS_KEPT}
filter_bytes = {FILTER_BYTES}
segment_bytes = {SEGMENT_BYTES}
"#
    )
}
