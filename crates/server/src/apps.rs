//! An app that the bank serves: its settings, its place in the counters, and its rates.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use pactolus_types::Environment;

use crate::metrics::shard::AppSlot;
use crate::rate_limit::token_bucket::TokenBucket;
use crate::settings::AppSettings;

/// It derefs to its settings.
pub(crate) struct ServedApp {
    settings: AppSettings,
    slot: AppSlot,
    rates: Arc<AppRates>,
}

/// Token buckets of live and sandbox: a test must not use up the rate of players.
struct AppRates {
    live: Mutex<TokenBucket>,
    sandbox: Mutex<TokenBucket>,
}

impl ServedApp {
    pub(crate) fn new(settings: AppSettings, slot: AppSlot) -> Self {
        let bucket = || Mutex::new(TokenBucket::new());
        Self { settings, slot, rates: Arc::new(AppRates { live: bucket(), sandbox: bucket() }) }
    }

    /// The app with other settings, and with its rates and its place.
    pub(crate) fn with_settings(&self, settings: AppSettings) -> Self {
        Self { settings, slot: self.slot, rates: Arc::clone(&self.rates) }
    }

    /// Its place in the counters.
    pub(crate) const fn slot(&self) -> AppSlot {
        self.slot
    }

    /// The token bucket of its calls.
    pub(crate) fn bucket(&self, environment: Environment) -> &Mutex<TokenBucket> {
        match environment {
            Environment::Live => &self.rates.live,
            Environment::Sandbox => &self.rates.sandbox,
        }
    }
}

impl Deref for ServedApp {
    type Target = AppSettings;

    fn deref(&self) -> &AppSettings {
        &self.settings
    }
}
