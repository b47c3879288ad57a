//! Health of an open store: failures, which end it, and damage, which it works around.
//!
//! A failed write or sync, or the end of a background thread, fails the store: it takes no order until it is reopened.
//! Damage that a read finds refuses only the requests that need the damaged bytes. A failed write of records refuses
//! records and no orders. Each cause is logged once where it is found, and readiness shows all of them.

use std::collections::HashSet;
use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pactolus_ledger::Unavailable;

/// Damaged places that are logged, each once: enough to see a pattern, few enough to read.
const PLACES_MAX: usize = 100;

/// Interval between two log lines about the limit of open files.
const FILE_LIMIT_LOG_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Health {
    /// Prefix of the store's files, which readiness does not show.
    folder: String,
    has_failed: AtomicBool,
    /// The first failure.
    failure: OnceLock<StoreFailure>,
    records_failed: AtomicBool,
    damage: Mutex<DamageLog>,
    file_limit_logged: Mutex<Option<Instant>>,
}

/// The first failure of a store, in words.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct StoreFailure(String);

impl StoreFailure {
    pub(crate) fn new(words: &str) -> Self {
        Self(words.to_owned())
    }
}

#[derive(Debug, Default)]
struct DamageLog {
    first: Option<String>,
    places: HashSet<String>,
}

impl Health {
    /// Health of the store in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: format!("{}/", folder.display()),
            has_failed: AtomicBool::new(false),
            failure: OnceLock::new(),
            records_failed: AtomicBool::new(false),
            damage: Mutex::default(),
            file_limit_logged: Mutex::default(),
        }
    }

    /// Refuses orders until the store is reopened. A full disk is no reason (`disk::space`).
    ///
    /// After a failed write or sync only a fresh read of the disk tells its state; a second try that seems to succeed
    /// proves nothing.
    pub(crate) fn fail(&self, error: &(dyn Error + 'static)) {
        // Before the flag, so that a thread that sees the flag finds the failure.
        let _ = self.failure.set(StoreFailure(with_causes(error)));
        if !self.has_failed.swap(true, Ordering::AcqRel) {
            tracing::error!(error, "the store failed and refuses orders until it is reopened");
        }
    }

    pub(crate) fn check(&self) -> Result<(), Unavailable> {
        if self.has_failed.load(Ordering::Acquire) { Err(Unavailable::Failed) } else { Ok(()) }
    }

    /// The first failure.
    pub(crate) fn failure(&self) -> Option<StoreFailure> {
        self.failure.get().cloned()
    }

    /// Refuses further records until the store is reopened.
    pub(crate) fn fail_records(&self, error: &(dyn Error + 'static)) {
        if !self.records_failed.swap(true, Ordering::AcqRel) {
            tracing::error!(
                error,
                "writing records failed; no token and no login is stored until the store is reopened"
            );
        }
    }

    pub(crate) fn check_records(&self) -> Result<(), Unavailable> {
        if self.records_failed.load(Ordering::Acquire) { Err(Unavailable::RecordsFailed) } else { Ok(()) }
    }

    /// Logs a damaged place, once.
    pub(crate) fn report_damage(&self, error: &(dyn Error + 'static)) {
        let place = with_causes(error);
        let mut damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        if damage.places.len() >= PLACES_MAX || !damage.places.insert(place.clone()) {
            return;
        }
        tracing::error!("{place}; requests that need it are refused, and all others are served");
        damage.first.get_or_insert_with(|| place.replace(&self.folder, ""));
    }

    /// The damage found so far, in one line.
    pub(crate) fn damage(&self) -> Option<String> {
        let damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        let first = damage.first.as_ref()?;
        Some(match damage.places.len() {
            1 => first.clone(),
            places => format!("{first}; damaged places found: {places}"),
        })
    }

    /// Logs that the process has no file descriptor left, at most once a minute.
    pub(crate) fn report_file_limit(&self, error: &(dyn Error + 'static)) {
        let mut logged = self.file_limit_logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.is_none_or(|at| at.elapsed() >= FILE_LIMIT_LOG_INTERVAL) {
            *logged = Some(Instant::now());
            let cause = with_causes(error);
            tracing::error!(
                "too many open files (EMFILE): {cause}; raise the limit of open files, ulimit -n or LimitNOFILE"
            );
        }
    }
}

/// An error with its causes.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
