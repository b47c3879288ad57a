//! Process statistics of `/proc`: CPU time, memory, and whether the process is idle.

use std::fs;
use std::io;
use std::ops::Sub;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

/// CPU time of a process, the sum of its threads.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CpuTime {
    /// In user space, in seconds.
    pub user_s: f64,
    /// In the kernel on behalf of the process, in seconds.
    pub system_s: f64,
}

/// Clock ticks of `/proc/<pid>/stat`: 100 a second on every architecture that Linux still runs on.
const TICKS_PER_SECOND: f64 = 100.0;

impl CpuTime {
    /// CPU time of the process since its start.
    pub fn of_process(pid: u32) -> anyhow::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Self::parse_stat(&stat).context("/proc/<pid>/stat has an unknown format")
    }

    /// `utime` and `stime` are fields 14 and 15. Field 2, the program's name, may hold spaces and parentheses.
    fn parse_stat(stat: &str) -> Option<Self> {
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut ticks = after_name.split_whitespace().skip(11).map(|ticks| ticks.parse::<f64>().ok());
        let mut seconds = || Some(ticks.next()?? / TICKS_PER_SECOND);
        Some(Self { user_s: seconds()?, system_s: seconds()? })
    }
}

impl Sub for CpuTime {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { user_s: self.user_s - earlier.user_s, system_s: self.system_s - earlier.system_s }
    }
}

/// Memory, threads and files of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceUsage {
    /// Resident memory, in bytes.
    pub memory_bytes: u64,
    /// Peak resident memory, in bytes.
    pub peak_bytes: u64,
    /// Number of threads.
    pub threads: u64,
    /// Open file descriptors, connections included.
    pub open_files: u64,
}

impl ResourceUsage {
    /// The current usage of the process.
    pub fn of_process(pid: u32) -> anyhow::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let open_files = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        let field = |name| status_field(&status, name).with_context(|| format!("/proc lacks {name}"));
        Ok(Self {
            memory_bytes: field("VmRSS:")? * 1024,
            peak_bytes: field("VmHWM:")? * 1024,
            threads: field("Threads:")?,
            open_files: open_files as u64,
        })
    }
}

/// The number in a line of `/proc/<pid>/status`.
fn status_field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Peak resident memory of this process, in bytes.
pub fn peak_memory() -> anyhow::Result<u64> {
    Ok(ResourceUsage::of_process(std::process::id())?.peak_bytes)
}

/// A process is idle when no thread is seen to run for this long.
const IDLE_WINDOW: Duration = Duration::from_secs(1);

/// Between two polls.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Waits until a process has no background work left, such as a merge. Returns `false` on timeout.
///
/// A thread that waits for the disk is not idle, nor is a stopped one.
pub fn wait_until_idle(pid: u32, timeout: Duration) -> io::Result<bool> {
    let started = Instant::now();
    let mut idle_since = Instant::now();
    while idle_since.elapsed() < IDLE_WINDOW {
        if started.elapsed() > timeout {
            return Ok(false);
        }
        std::thread::sleep(POLL_INTERVAL);
        if !all_threads_sleep(pid)? {
            idle_since = Instant::now();
        }
    }
    Ok(true)
}

fn all_threads_sleep(pid: u32) -> io::Result<bool> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // The thread may exit meanwhile.
        let Ok(stat) = fs::read_to_string(task?.path().join("stat")) else { continue };
        let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
        if state != Some("S") {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_parses_names_with_parentheses() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0";
        let time = CpuTime::parse_stat(stat).unwrap();
        assert!((time.user_s - 2.5).abs() < 1e-9 && (time.system_s - 0.5).abs() < 1e-9, "{time:?}");
        assert!(CpuTime::parse_stat("7 (a) S 1 2").is_none());
    }

    #[test]
    fn usage_counts_memory_threads_and_open_files() {
        let before = ResourceUsage::of_process(std::process::id()).unwrap();
        assert!(before.memory_bytes > 1024 && before.threads > 0, "{before:?}");
        // Other tests open and close files meanwhile, so not one but many.
        let files: Vec<_> = (0..100).map(|_| fs::File::open("/proc/self/status").unwrap()).collect();
        assert!(ResourceUsage::of_process(std::process::id()).unwrap().open_files >= before.open_files + 50);
        drop(files);
    }

    #[test]
    fn current_process_reports_cpu_and_peak() {
        assert!(CpuTime::of_process(std::process::id()).unwrap().user_s >= 0.0);
        assert!(peak_memory().unwrap() > 1024);
    }
}
