//! Status of a token, for the diagnosis of a rejected call.

use pactolus_ledger::Unavailable;
use pactolus_protocol::AccessToken;
use pactolus_types::{AppId, UnixMillis};

use super::Tokens;
use crate::auth::digest;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenStatus {
    /// Never issued, or forgotten.
    Unknown,
    /// Issued under an app secret that has changed, or for an app that was removed.
    SecretChanged,
    Replaced {
        valid_until: UnixMillis,
    },
    Expired {
        at: UnixMillis,
    },
    Valid,
}

impl Tokens {
    pub(crate) async fn status(
        &self,
        token: &AccessToken,
        now: UnixMillis,
    ) -> Result<TokenStatus, Unavailable> {
        let digest = digest(token.expose());
        if self.apps.load().static_digests.contains_key(&digest) {
            return Ok(TokenStatus::Valid);
        }
        let Some(token) = self.find_presented(token, digest, now).await? else {
            return Ok(TokenStatus::Unknown);
        };
        let appid = AppId::new(&token.appid).ok();
        let secret = appid.and_then(|appid| self.apps.load().secret_digests.get(&appid).copied());
        let valid_until = UnixMillis::new(token.good_until_ms);
        Ok(match (secret == Some(token.secret), now < valid_until, token.replaced) {
            (false, ..) => TokenStatus::SecretChanged,
            (true, true, _) => TokenStatus::Valid,
            (true, false, true) => TokenStatus::Replaced { valid_until },
            (true, false, false) => TokenStatus::Expired { at: valid_until },
        })
    }
}
