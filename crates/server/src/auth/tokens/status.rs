//! What became of a token that was refused, to tell whoever asks why.

use pactolus_ledger::Unavailable;
use pactolus_protocol::AccessToken;
use pactolus_types::{AppId, UnixMillis};

use super::Tokens;
use crate::auth::digest;

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was never given out, or so long ago that it is forgotten.
    Unknown,
    /// It was given out for a secret that the app no longer has, or for an app that is no longer here.
    OfOtherSecret,
    /// A newer one came after it.
    Replaced {
        /// When it ended.
        good_until: UnixMillis,
    },
    /// It was good for as long as it should be.
    Expired {
        /// When it ended.
        at: UnixMillis,
    },
    /// It is good.
    Good,
}

impl Tokens {
    /// What became of `token` by `now`.
    pub(crate) async fn fate(&self, token: &AccessToken, now: UnixMillis) -> Result<Fate, Unavailable> {
        let digest = digest(token.expose());
        if self.fixed.contains_key(&digest) {
            return Ok(Fate::Good);
        }
        let Some(token) = self.find(digest).await? else { return Ok(Fate::Unknown) };
        let secret = AppId::new(&token.appid).ok().and_then(|appid| self.secrets.get(&appid));
        let good_until = UnixMillis::new(token.good_until_ms);
        Ok(match (secret == Some(&token.secret), now < good_until, token.replaced) {
            (false, ..) => Fate::OfOtherSecret,
            (true, true, _) => Fate::Good,
            (true, false, true) => Fate::Replaced { good_until },
            (true, false, false) => Fate::Expired { at: good_until },
        })
    }
}
