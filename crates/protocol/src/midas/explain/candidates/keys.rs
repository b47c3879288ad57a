//! Mistakes with two keys in one signature, and with a key that was read with its line end.

use pactolus_types::Environment;
use zeroize::Zeroizing;

use super::super::mistake::{KeyName, Mistake};
use super::super::scheme::{SignatureCase, SigningScheme};
use super::super::search::{Search, SearchFlow};

/// One of the app's keys in the HMAC and another at the end of the text; then the right key with a line end.
pub(super) fn try_mixed_keys(
    case: &SignatureCase<'_>,
    base: &SigningScheme<'_>,
    search: &mut Search,
) -> SearchFlow {
    let keys = app_keys(case);
    for (hmac, hmac_key) in &keys {
        for (text, appended_key) in keys.iter().filter(|(_, other)| other != hmac_key) {
            let mixed = SigningScheme { appended_key, hmac_key, ..base.clone() };
            search.try_scheme(&mixed, || Mistake::KeysMixed { hmac: *hmac, text: *text })?;
        }
    }
    for end in ["\n", "\r\n", " "] {
        search.charge(base.hmac_key.len() + end.len())?;
        let key = Zeroizing::new([base.hmac_key, end.as_bytes()].concat());
        search.try_scheme(&SigningScheme { hmac_key: &key, appended_key: &key, ..base.clone() }, || {
            Mistake::KeyWithLineEnd
        })?;
        let hmac_only = SigningScheme { hmac_key: &key, ..base.clone() };
        search.try_scheme(&hmac_only, || Mistake::KeyWithLineEnd)?;
    }
    SearchFlow::Continue(())
}

fn app_keys<'a>(case: &SignatureCase<'a>) -> Vec<(KeyName, &'a [u8])> {
    let midas =
        Environment::ALL.map(|environment| (KeyName::Midas(environment), case.midas_key(environment)));
    let secret = (KeyName::AppSecret, case.keys.app_secret.expose().as_bytes());
    let sessions =
        [(KeyName::Session, case.keys.session), (KeyName::PreviousSession, case.keys.previous_session)];
    let sessions = sessions.into_iter().filter_map(|(name, key)| Some((name, key?.expose().as_bytes())));
    midas.into_iter().chain([secret]).chain(sessions).collect()
}
