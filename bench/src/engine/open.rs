//! Worker process that opens a store and closes it on shutdown.

use std::path::PathBuf;
use std::time::Instant;

use pactolus_ledger::Ledger;
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore};
use serde::{Deserialize, Serialize};

use crate::worker::{send_message, wait_for_shutdown};
use pactolus_reports::machine::process::peak_memory;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The store's folder
    store: PathBuf,
    /// Audits the books
    #[arg(long)]
    audit: bool,
}

/// First message: sent when the store accepts orders.
#[derive(Serialize, Deserialize)]
pub(super) struct OpenReport {
    /// From the start of opening to readiness for orders.
    pub(super) took_s: f64,
}

/// Second message: sent when everything is flushed. Merges may still run after it.
#[derive(Serialize, Deserialize)]
pub(super) struct FlushReport {
    pub(super) peak_memory_bytes: u64,
    pub(super) audit_findings: Option<usize>,
}

/// Opens the store, flushes it, and closes it on shutdown.
pub(crate) fn run(arguments: &Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let started = Instant::now();
    let store = EmbeddedStore::open(&arguments.store, &EmbeddedSettings::default())?;
    runtime.block_on(store.ready())?;
    send_message(&OpenReport { took_s: started.elapsed().as_secs_f64() })?;
    runtime.block_on(store.flush_all())?;
    let audit = if arguments.audit { Some(runtime.block_on(store.audit())?) } else { None };
    send_message(&FlushReport {
        peak_memory_bytes: peak_memory()?,
        audit_findings: audit.map(|audit| audit.findings.len()),
    })?;
    wait_for_shutdown()?;
    runtime.block_on(store.close());
    Ok(())
}
