//! Settings that change while the bank serves: apps with their keys and limits, the operator token, and timeouts.
//!
//! A reload builds all of it and then replaces it by one store, so a request sees the settings of before or those of
//! after, and none in between. Requests in flight keep the app that they have found. What an app has gathered is
//! carried over: its rates, its place in the counters, its fault rules.

use std::collections::HashMap;
use std::sync::Arc;

use pactolus_protocol::OperatorToken;
use pactolus_types::AppId;

use crate::apps::ServedApp;
use crate::metrics::Metrics;
use crate::settings::{AppSettings, Limits};

/// The settings of this moment.
pub(crate) struct LiveSettings {
    pub(crate) apps: HashMap<AppId, Arc<ServedApp>>,
    pub(crate) operator_token: OperatorToken,
    pub(crate) limits: Limits,
}

/// A setting of a reload that takes effect at a restart only. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot change without a restart")]
pub struct RestartNeeded(pub &'static str);

/// The apps of these settings; those that were served `before` keep what they have gathered.
pub(crate) fn serve_apps(
    apps: Vec<AppSettings>,
    metrics: &Metrics,
    before: Option<&HashMap<AppId, Arc<ServedApp>>>,
) -> HashMap<AppId, Arc<ServedApp>> {
    let serve = |settings: AppSettings| {
        let appid = settings.appid;
        let app = match before.and_then(|before| before.get(&appid)) {
            Some(before) => before.with_settings(settings),
            None => ServedApp::new(settings, metrics.slot(appid)),
        };
        (appid, Arc::new(app))
    };
    apps.into_iter().map(serve).collect()
}

/// Refuses limits that size a cache or a listener: those are made once.
pub(crate) fn check_limits(now: &Limits, new: &Limits) -> Result<(), RestartNeeded> {
    let fixed = [
        ("connections_max", now.connections_max == new.connections_max),
        ("connections_per_address_max", now.connections_per_address_max == new.connections_per_address_max),
        ("sessions_cached", now.sessions_cached == new.sessions_cached),
        ("tokens_cached", now.tokens_cached == new.tokens_cached),
        ("rates_cached", now.rates_cached == new.rates_cached),
        ("rejections_max", now.rejections_max == new.rejections_max),
        ("rejections_bytes_max", now.rejections_bytes_max == new.rejections_bytes_max),
    ];
    fixed.into_iter().find(|(_, same)| !same).map_or(Ok(()), |(name, _)| Err(RestartNeeded(name)))
}
