//! What became of a token that was refused, to tell whoever asks why.

use pactolus_ledger::Unavailable;
use pactolus_protocol::AccessToken;
use pactolus_types::{AppId, UnixMillis};

use super::Tokens;
use crate::auth::digest;

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenStatus {
    /// It was never given out, or so long ago that it is forgotten.
    Unknown,
    /// It was given out for a secret that the app no longer has, or for an app that is no longer here.
    SecretChanged,
    /// A newer one came after it.
    Replaced {
        /// When it ended.
        valid_until: UnixMillis,
    },
    /// It was good for as long as it should be.
    Expired {
        /// When it ended.
        at: UnixMillis,
    },
    /// It is good.
    Valid,
}

impl Tokens {
    /// What became of `token` by `now`.
    pub(crate) async fn status(
        &self,
        token: &AccessToken,
        now: UnixMillis,
    ) -> Result<TokenStatus, Unavailable> {
        let digest = digest(token.expose());
        if self.static_digests.contains_key(&digest) {
            return Ok(TokenStatus::Valid);
        }
        let Some(token) = self.find(digest).await? else { return Ok(TokenStatus::Unknown) };
        let secret = AppId::new(&token.appid).ok().and_then(|appid| self.secret_digests.get(&appid));
        let valid_until = UnixMillis::new(token.good_until_ms);
        Ok(match (secret == Some(&token.secret), now < valid_until, token.replaced) {
            (false, ..) => TokenStatus::SecretChanged,
            (true, true, _) => TokenStatus::Valid,
            (true, false, true) => TokenStatus::Replaced { valid_until },
            (true, false, false) => TokenStatus::Expired { at: valid_until },
        })
    }
}
