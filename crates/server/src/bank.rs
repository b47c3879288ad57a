//! The bank: what all requests share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pactolus_ledger::{Ledger, Records};
use pactolus_nouns::{AppId, UnixMillis};
use pactolus_protocol::{AccessToken, Rid};

use crate::clock::Clock;
use crate::logins::sessions::Sessions;
use crate::logins::tokens::Tokens;
use crate::random::Randomness;
use crate::settings::{AppSettings, Limits, Settings};

/// Where a bank keeps everything.
#[derive(Clone)]
pub struct Store {
    /// Accounts and orders.
    pub ledger: Arc<dyn Ledger>,
    /// Tokens and sessions.
    pub records: Arc<dyn Records>,
}

impl Store {
    /// An engine that keeps both.
    pub fn of<S: Ledger + Records + 'static>(engine: Arc<S>) -> Self {
        Self { ledger: Arc::clone(&engine) as Arc<dyn Ledger>, records: engine }
    }
}

/// What all requests share.
pub struct Bank {
    pub(crate) apps: HashMap<AppId, Arc<AppSettings>>,
    pub(crate) operator_token: AccessToken,
    pub(crate) limits: Limits,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) tokens: Tokens,
    pub(crate) sessions: Sessions,
    clock: Arc<dyn Clock>,
    rids: Rids,
    draining: AtomicBool,
}

impl Bank {
    /// A bank with these settings on this store.
    pub fn new(
        settings: Settings,
        store: Store,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
    ) -> Arc<Self> {
        let Settings { operator_token, apps, limits } = settings;
        let apps: HashMap<AppId, Arc<AppSettings>> =
            apps.into_iter().map(|app| (app.appid, Arc::new(app))).collect();
        let rids = Rids::new(&*random);
        Arc::new(Self {
            tokens: Tokens::new(apps.values(), Arc::clone(&store.records), random, limits.tokens_cached),
            sessions: Sessions::new(store.records, limits.sessions_cached),
            apps,
            operator_token,
            limits,
            ledger: store.ledger,
            clock,
            rids,
            draining: AtomicBool::new(false),
        })
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// The id of a request that comes in now.
    pub(crate) fn rid(&self) -> Rid {
        Rid::new(self.now(), self.rids.next())
    }

    /// Whether the bank was told to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

/// The second half of request ids: one start that nobody can guess, and then a walk that meets every number once,
/// because a system call for each request would cost more than the rest of the id.
struct Rids {
    next: AtomicU64,
}

impl Rids {
    fn new(random: &dyn Randomness) -> Self {
        let mut start = [0; 8];
        random.fill(&mut start);
        Self { next: AtomicU64::new(u64::from_le_bytes(start)) }
    }

    fn next(&self) -> u64 {
        // SplitMix64: a bijection of the counter.
        let counter = self.next.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
