//! Machine that figures were measured on. Linux only, because it reads `/proc`.

pub mod disk;
pub mod process;

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::interleave::Spread;

/// The properties of the machine that figures depend on.
#[derive(Serialize)]
pub struct Machine {
    cores: usize,
    cpu: String,
    kernel: String,
    file_system: String,
    fdatasync_ms: f64,
}

/// Syncs that the median is taken from.
const SYNC_SAMPLES: u64 = 200;

impl Machine {
    /// This machine, with the disk that holds `folder`.
    pub fn detect(folder: &Path) -> anyhow::Result<Self> {
        let mut probe = disk::SyncProbe::new(folder)?;
        let syncs = (0..SYNC_SAMPLES).map(|_| probe.append()).collect::<Result<Vec<_>, _>>()?;
        let fdatasync = Spread::from_samples(syncs.iter().map(|sync| sync.as_secs_f64() * 1e3));
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split_once(": "));
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            cpu: model.map_or_else(|| "an unnamed CPU".to_owned(), |(_, name)| name.trim().to_owned()),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            file_system: disk::file_system(folder)?,
            fdatasync_ms: fdatasync.median,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, cpu, kernel, file_system, fdatasync_ms } = self;
        let fdatasync_us = fdatasync_ms * 1e3;
        write!(
            f,
            "{cores} cores ({cpu}), Linux {kernel}, {file_system}; an appended record and its `fdatasync` took \
             {fdatasync_us:.0} µs in the median"
        )
    }
}
