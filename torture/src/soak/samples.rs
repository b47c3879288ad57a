//! Samples of the bank's process and of its callers' latency, every few seconds.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use pactolus_reports::latency::Latency;
use pactolus_reports::table::mebibytes;

use super::connection::CallFailure;

#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Seconds since the soak began.
    pub(super) at_s: f64,
    /// Run of the process, from 0.
    pub(super) run_no: usize,
    pub(super) memory_bytes: u64,
    pub(super) handles: u64,
    pub(super) threads: u64,
    /// Of one core, since the last sample.
    pub(super) cpu_percent: f64,
    /// Size of the store on disk.
    pub(super) store_bytes: u64,
    /// Calls answered since the last sample.
    pub(super) calls: u64,
    pub(super) latency: Latency,
    /// Failed attempts since the last sample, by [`CallFailure`].
    pub(super) failures: [u64; CallFailure::ALL.len()],
    pub(super) unexpected: u64,
}

/// CSV file of the samples.
pub(super) struct Csv(BufWriter<File>);

impl Csv {
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        let mut file = BufWriter::new(file);
        let troubles = CallFailure::ALL.map(CallFailure::name).join(",");
        writeln!(
            file,
            "at_s,life,memory_mib,handles,threads,cpu_percent,store_mib,calls,p50_ms,p99_ms,longest_ms,{troubles},\
             unexpected"
        )?;
        Ok(Self(file))
    }

    pub(super) fn write(&mut self, sample: &Sample) -> anyhow::Result<()> {
        let Sample { at_s, run_no: life, handles, threads, cpu_percent, calls, unexpected, .. } = sample;
        let (memory, store) = (mebibytes(sample.memory_bytes), mebibytes(sample.store_bytes));
        let Latency { p50_ms, p99_ms, longest_ms, .. } = sample.latency;
        let troubles = sample.failures.map(|count| count.to_string()).join(",");
        writeln!(
            self.0,
            "{at_s:.1},{life},{memory:.1},{handles},{threads},{cpu_percent:.0},{store:.1},{calls},{p50_ms:.2},\
             {p99_ms:.2},{longest_ms:.1},{troubles},{unexpected}"
        )?;
        // Flushed, so that the file can be watched during the soak.
        Ok(self.0.flush()?)
    }
}
