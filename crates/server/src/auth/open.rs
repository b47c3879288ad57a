//! Open login mode, for development: any code is a player.
//!
//! The openid is derived from the code, so the same code is always the same player and nothing is stored. A player of
//! the sandbox only is known by the beginning of the openid.

use pactolus_protocol::LoginCode;
use pactolus_types::{AppId, OpenId};
use sha2::{Digest as _, Sha256};

/// The openid for a code: 28 characters beginning with `o`, as the vendor's are.
pub(crate) fn openid_for_code(appid: AppId, code: &LoginCode) -> OpenId {
    derive_openid("o", appid, code)
}

/// Beginning of the openids of [`sandbox_openid_for_code`]. A platform's openid has it once in four trillion.
const SANDBOX_PREFIX: &str = "oSandbox";

/// The openid for a code that logs in to the sandbox only.
pub(crate) fn sandbox_openid_for_code(appid: AppId, code: &LoginCode) -> OpenId {
    derive_openid(SANDBOX_PREFIX, appid, code)
}

/// Whether an openid may have logged in by any code, for the sandbox only.
pub(crate) fn is_sandbox_openid(openid: OpenId) -> bool {
    openid.as_str().starts_with(SANDBOX_PREFIX)
}

fn derive_openid(prefix: &str, appid: AppId, code: &LoginCode) -> OpenId {
    const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_-abcdefghijklmnopqrstuvwxyz";
    // An appid holds no space, so two pairs never give the same text.
    let digest = Sha256::digest(format!("openid {appid} {}", code.expose()));
    let digits = digest.iter().map(|byte| char::from(DIGITS[usize::from(byte & 63)]));
    let openid: String = prefix.chars().chain(digits).take(28).collect();
    OpenId::new(&openid).expect("28 digits, letters, _ and - keep the rule")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_maps_to_one_player_per_app() {
        let player = |appid: &str, code: &str| {
            openid_for_code(appid.parse().unwrap(), &LoginCode::new(code).unwrap()).as_str().to_owned()
        };
        // A change here changes every player of every test bank.
        assert_eq!(player("wx1234567", "alice"), "o2n718Xs9DaIjIlkqtjgtuOG364D");
        assert_ne!(player("wx1234567", "alice"), player("wx1234567", "bob"));
        assert_ne!(player("wx1234567", "alice"), player("wx12345678", "alice"));
        assert_ne!(player("wx1", "2"), player("wx12", "2"));
    }
}
