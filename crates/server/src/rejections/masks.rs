//! The last line before something secret is shown: a client may have sent a key where a text belongs.

use pactolus_protocol::explain::{Shown, ShownParameters};
use pactolus_protocol::{AccessToken, SessionKey};
use zeroize::Zeroizing;

use super::Seen;
use crate::bank::Bank;

/// What stands in the place of a secret.
const MASK: &str = "***";

/// The shortest text that is masked: what is shorter hides nothing, and masking it would spoil every text.
const SECRET_BYTES_MIN: usize = 6;

/// The secrets that a request can have held.
pub(super) struct Masks(Vec<Zeroizing<String>>);

impl Masks {
    pub(super) fn of(bank: &Bank, seen: &Seen, session_keys: &[SessionKey]) -> Self {
        let operator = std::iter::once(bank.operator_token.expose());
        let app = seen.app.iter().flat_map(|app| {
            [app.midas_key.expose(), app.sandbox_midas_key.expose(), app.app_secret.expose()]
                .into_iter()
                .chain(app.static_access_tokens.iter().map(AccessToken::expose))
        });
        let token = seen.token.iter().map(AccessToken::expose);
        let sessions = session_keys.iter().map(SessionKey::expose);
        let secrets = operator.chain(app).chain(token).chain(sessions);
        let mut secrets: Vec<_> = secrets
            .filter(|secret| secret.len() >= SECRET_BYTES_MIN)
            .map(|secret| Zeroizing::new(secret.to_owned()))
            .collect();
        // Of two secrets one of which holds the other, the longer has to go first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    pub(super) fn mask(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), MASK) } else { text }
        })
    }

    pub(super) fn mask_all(&self, parameters: ShownParameters) -> ShownParameters {
        let mask = |shown: Shown| Shown {
            name: self.mask(shown.name),
            value: shown.value.map(|value| self.mask(value)),
            ..shown
        };
        ShownParameters { shown: parameters.shown.into_iter().map(mask).collect(), ..parameters }
    }
}
