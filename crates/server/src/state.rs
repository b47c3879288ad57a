//! Application state: everything that requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use pactolus_ledger::{Ledger, Order, PostError, Posted, Records};
use pactolus_protocol::login::SESSION_LIFETIME;
use pactolus_protocol::{Rid, SessionKey};
use pactolus_types::{AppId, UnixMillis};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::apps::ServedApp;
use crate::auth::codes::LoginCodes;
use crate::auth::sessions::{Session, Sessions};
use crate::auth::tokens::Tokens;
use crate::clock::{Clock, ManualClock};
use crate::live::{LiveSettings, RestartNeeded, check_limits, serve_apps};
use crate::log_sampler::LogSampler;
use crate::metrics::Metrics;
use crate::metrics::lookups::LookupCounters;
use crate::midas::faults::FaultRules;
use crate::operator::wrong_tokens::WrongTokenLimiter;
use crate::random::{Randomness, splitmix64};
use crate::rate_limit::RateLimiter;
use crate::rejections::log::RejectionLog;
use crate::seal::vault::Vault;
use crate::settings::Settings;

/// Storage engines of a bank.
#[derive(Clone)]
pub struct Backend {
    /// Accounts and orders.
    pub ledger: Arc<dyn Ledger>,
    /// Tokens, sessions, login codes and shared rejections.
    pub records: Arc<dyn Records>,
}

impl Backend {
    /// One engine for both.
    pub fn from_engine<S: Ledger + Records + 'static>(engine: Arc<S>) -> Self {
        Self { ledger: Arc::clone(&engine) as Arc<dyn Ledger>, records: engine }
    }
}

/// State that all requests share.
pub struct AppState {
    live: ArcSwap<LiveSettings>,
    pub(crate) ledger: Arc<dyn Ledger>,
    /// For rejections and the sweep; sessions and tokens go through the vault.
    pub(crate) records: Arc<dyn Records>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) metrics: Metrics,
    pub(crate) tokens: Tokens,
    pub(crate) sessions: Sessions,
    pub(crate) login_codes: LoginCodes,
    pub(crate) rate_limiter: RateLimiter,
    pub(crate) fault_rules: FaultRules,
    pub(crate) rejections: RejectionLog,
    pub(crate) stranger_log: LogSampler,
    pub(crate) failed_call_log: LogSampler,
    pub(crate) wrong_operator_tokens: WrongTokenLimiter,
    clock: Arc<dyn Clock>,
    /// The same clock, if it is a manual one.
    manual_clock: Option<Arc<ManualClock>>,
    random: Arc<dyn Randomness>,
    rids: RidGenerator,
    draining: watch::Sender<bool>,
}

impl AppState {
    /// A bank with these settings on this backend.
    pub fn new(
        settings: Settings,
        backend: Backend,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
    ) -> Arc<Self> {
        Self::build(settings, backend, clock, None, random)
    }

    /// A bank whose clock the operator API can set.
    pub fn with_manual_clock(
        settings: Settings,
        store: Backend,
        clock: Arc<ManualClock>,
        random: Arc<dyn Randomness>,
    ) -> Arc<Self> {
        Self::build(settings, store, Arc::clone(&clock) as Arc<dyn Clock>, Some(clock), random)
    }

    fn build(
        settings: Settings,
        store: Backend,
        clock: Arc<dyn Clock>,
        manual_clock: Option<Arc<ManualClock>>,
        random: Arc<dyn Randomness>,
    ) -> Arc<Self> {
        let Settings { operator_token, apps, keys, limits, metrics: mode, process } = settings;
        let metrics = Metrics::new(mode, process);
        let apps = serve_apps(apps, &metrics, None);
        let rids = RidGenerator::new(&*random);
        let vault = Arc::new(Vault::new(Arc::clone(&store.records), keys, Arc::clone(&random)));
        Arc::new(Self {
            tokens: Tokens::new(
                apps.values(),
                Arc::clone(&vault),
                Arc::clone(&random),
                limits.tokens_cached,
                LookupCounters::new(mode),
            ),
            login_codes: LoginCodes::new(Arc::clone(&vault), Arc::clone(&random)),
            sessions: Sessions::new(Arc::clone(&vault), limits.sessions_cached, LookupCounters::new(mode)),
            vault,
            metrics,
            records: store.records,
            rate_limiter: RateLimiter::new(limits.rates_cached),
            fault_rules: FaultRules::default(),
            rejections: RejectionLog::new(&limits),
            stranger_log: LogSampler::of_strangers(),
            failed_call_log: LogSampler::of_failed_calls(),
            wrong_operator_tokens: WrongTokenLimiter::new(),
            live: ArcSwap::from_pointee(LiveSettings { apps, operator_token, limits }),
            ledger: store.ledger,
            clock,
            manual_clock,
            random,
            rids,
            draining: watch::Sender::new(false),
        })
    }

    /// The settings of this moment. A caller that awaits takes out of it what it needs.
    pub(crate) fn live(&self) -> Guard<Arc<LiveSettings>> {
        self.live.load()
    }

    /// The app with this id, as it is served now.
    pub(crate) fn app(&self, appid: AppId) -> Option<Arc<ServedApp>> {
        self.live().apps.get(&appid).cloned()
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        self.live().limits.request_timeout
    }

    /// Replaces apps, keys, limits and the operator token by those of `settings`, all of them or none. Requests in
    /// flight go on with those that they have begun with; timeouts of a connection are those of its beginning.
    pub fn reload(&self, settings: Settings) -> Result<(), RestartNeeded> {
        let Settings { operator_token, apps, keys, limits, metrics, process: _ } = settings;
        let live = self.live.load_full();
        if !self.vault.has_keys(&keys) {
            return Err(RestartNeeded("master_keys"));
        }
        if metrics != self.metrics.mode() {
            return Err(RestartNeeded("metrics"));
        }
        check_limits(&live.limits, &limits)?;
        // Nothing fails from here on.
        let apps = serve_apps(apps, &self.metrics, Some(&live.apps));
        self.tokens.set_apps(apps.values());
        self.live.store(Arc::new(LiveSettings { apps, operator_token, limits }));
        Ok(())
    }

    /// Posts an order of `app`, and counts its coins.
    pub(crate) async fn post(
        &self,
        app: &ServedApp,
        order: Order,
        now: UnixMillis,
    ) -> Result<Posted, PostError> {
        let (environment, kind) = (order.account.environment, order.kind);
        let posted = self.ledger.post(order, now).await;
        self.metrics.count_post(app.slot(), environment, kind, &posted);
        posted
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    pub(crate) fn manual_clock(&self) -> Option<&ManualClock> {
        self.manual_clock.as_deref()
    }

    /// A session that starts now, with a random key.
    pub(crate) fn new_session(&self) -> Session {
        let mut bytes = Zeroizing::new([0; 16]);
        self.random.fill(&mut *bytes);
        let now = self.now();
        Session {
            key: SessionKey::from_bytes(&bytes),
            valid_from: now,
            valid_until: now.saturating_add(SESSION_LIFETIME),
        }
    }

    pub(crate) fn next_rid(&self, now: UnixMillis) -> Rid {
        Rid::new(now, self.rids.next())
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    pub(crate) fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Resolves when the shutdown begins.
    pub(crate) async fn wait_for_shutdown(&self) {
        // The sender is a part of `self`, so it cannot have closed.
        let _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }
}

/// Second half of request ids: a random start, then a sequence without repeats, because a system call for each
/// request would cost more than the rest of the id.
struct RidGenerator {
    start: u64,
    count: AtomicU64,
}

impl RidGenerator {
    fn new(random: &dyn Randomness) -> Self {
        let mut start = [0; 8];
        random.fill(&mut start);
        Self { start: u64::from_le_bytes(start), count: AtomicU64::new(0) }
    }

    fn next(&self) -> u64 {
        splitmix64(self.start, self.count.fetch_add(1, Ordering::Relaxed))
    }
}
