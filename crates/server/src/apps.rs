//! An app that the bank serves: its settings, and its place in the counters.

use std::ops::Deref;

use crate::metrics::shard::AppSlot;
use crate::settings::AppSettings;

/// It derefs to its settings.
#[derive(Debug)]
pub(crate) struct ServedApp {
    settings: AppSettings,
    slot: AppSlot,
}

impl ServedApp {
    pub(crate) const fn new(settings: AppSettings, slot: AppSlot) -> Self {
        Self { settings, slot }
    }

    /// Its place in the counters.
    pub(crate) const fn slot(&self) -> AppSlot {
        self.slot
    }
}

impl Deref for ServedApp {
    type Target = AppSettings;

    fn deref(&self) -> &AppSettings {
        &self.settings
    }
}
