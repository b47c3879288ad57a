//! What the clones of a client share: its app, connections, token and settings.
//!
//! Read next: `retry`, whose attempts use it.

use std::sync::Arc;

use pactolus_protocol::{Caller, UnixSeconds};

use crate::app::App;
use crate::clock::Clock;
use crate::http::HttpClient;
use crate::random::Randomness;
use crate::requests::Player;
use crate::retry_policy::RetryPolicy;
use crate::token::TokenCache;

pub(crate) struct ClientInner {
    pub(crate) app: App,
    pub(crate) http: HttpClient,
    pub(crate) tokens: TokenCache,
    pub(crate) retry_policy: RetryPolicy,
    pub(crate) random: Arc<dyn Randomness>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl ClientInner {
    /// `ts`: the clock in seconds, at least 1.
    pub(crate) fn now(&self) -> UnixSeconds {
        let seconds = self.clock.now().seconds();
        UnixSeconds::new(seconds.max(1)).expect("u64 milliseconds in seconds are in range")
    }

    pub(crate) fn caller(&self, player: &Player, ts: UnixSeconds) -> Caller {
        Caller {
            openid: player.openid,
            appid: self.app.appid(),
            offer_id: self.app.offer_id,
            ts,
            zone_id: player.zone_id,
            pf: player.pf,
            user_ip: player.user_ip,
        }
    }
}
