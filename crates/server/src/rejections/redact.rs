//! Redaction, the last check before a rejection is kept: a client may have sent a key in a text field.

use pactolus_protocol::explain::{RedactedParameter, RedactedParameters};
use pactolus_protocol::{AccessToken, MidasKey, SessionKey};
use zeroize::Zeroizing;

use super::rejection::RequestTrace;
use crate::state::AppState;

const REDACTED: &str = "***";

/// Shortest secret that is redacted. A shorter one protects nothing, and redacting it would spoil every text.
const SECRET_BYTES_MIN: usize = 6;

/// Length of a session key in base64.
const SESSION_KEY_BYTES: usize = 24;

/// Longest text that is kept: the longest that a parameter may have.
const TEXT_BYTES_MAX: usize = 1024;

const NAME_BYTES_MAX: usize = 64;

/// The secrets that a request may hold. Session keys are recognised by their form, whichever player they belong to.
pub(super) struct Redactor(Vec<Zeroizing<String>>);

impl Redactor {
    pub(super) fn new(bank: &AppState, trace: &RequestTrace) -> Self {
        let live = bank.live();
        let operator = std::iter::once(live.operator_token.expose());
        let app = trace.app.iter().flat_map(|app| {
            [app.midas_key.expose(), app.sandbox_midas_key.expose(), app.app_secret.expose()]
                .into_iter()
                .chain(
                    app.midas_key_previous
                        .iter()
                        .chain(&app.sandbox_midas_key_previous)
                        .map(MidasKey::expose),
                )
                .chain(app.static_access_tokens.iter().map(AccessToken::expose))
        });
        let token = trace.token.iter().map(AccessToken::expose);
        let mut secrets: Vec<_> = operator
            .chain(app)
            .chain(token)
            .filter(|secret| secret.len() >= SECRET_BYTES_MIN)
            .map(|secret| Zeroizing::new(secret.to_owned()))
            .collect();
        // If one secret contains another, the longer one has to go first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    pub(super) fn redact(&self, text: String) -> String {
        let text = self.0.iter().fold(text, |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), REDACTED) } else { text }
        });
        redact_session_keys(text)
    }

    pub(super) fn redact_parameters(&self, parameters: RedactedParameters) -> RedactedParameters {
        let mask = |shown: RedactedParameter| RedactedParameter {
            // Truncated after redaction: half a key would not be recognised.
            name: truncate(self.redact(shown.name), NAME_BYTES_MAX),
            value: shown.value.map(|value| truncate(self.redact(value), TEXT_BYTES_MAX)),
            ..shown
        };
        RedactedParameters { parameters: parameters.parameters.into_iter().map(mask).collect(), ..parameters }
    }
}

fn truncate(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
        // The ring counts the length, so the capacity must not exceed it.
        text.shrink_to_fit();
    }
    text
}

/// Redacts every session key in the text.
fn redact_session_keys(text: String) -> String {
    if !text.contains("==") {
        return text;
    }
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(end) = rest.find("==").map(|at| at + 2) {
        let key = end
            .checked_sub(SESSION_KEY_BYTES)
            .filter(|begin| rest.get(*begin..end).is_some_and(|key| SessionKey::new(key).is_ok()));
        match key {
            Some(begin) => masked.extend([&rest[..begin], REDACTED]),
            None => masked.push_str(&rest[..end]),
        }
        rest = &rest[end..];
    }
    masked + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_truncated_at_char_boundary() {
        assert_eq!(truncate("宝宝".to_owned(), 6), "宝宝");
        assert_eq!(truncate("宝宝".to_owned(), 5), "宝…");
        assert_eq!(truncate("宝宝".to_owned(), 2), "…");
    }

    #[test]
    fn session_keys_are_redacted_anywhere() {
        let key = "V7Q38/i2KXaqrQyl2Yx9Hg==";
        let cases = [
            ("", ""),
            ("a==b===c", "a==b===c"),
            (key, "***"),
            (&*format!("宝 {key}&x"), "宝 ***&x"),
            (&*format!("{key}{key} =="), "****** =="),
            (&*format!("=={key}"), "==***"),
            (&*format!("prefix{key}"), "prefix***"),
            (&key[1..], &key[1..]),
        ];
        for (text, masked) in cases {
            assert_eq!(redact_session_keys(text.to_owned()), masked);
        }
    }
}
