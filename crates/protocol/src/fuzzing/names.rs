//! Fuzz target `names`: names, numbers, ids and secrets.

use pactolus_types::{Amount, AppId, BillNo, Coins, OfferId, OpenId, ZoneId};

use super::reference;
use crate::midas::call::CallPath;
use crate::rid::Rid;
use crate::secret::{AccessToken, AppSecret, LoginCode, MidasKey, SessionKey};
use crate::signature::Signature;
use crate::values::{FreeText, Pf};

/// Names, numbers, ids and secrets are accepted by their rules, and keep their text.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let is_of = |marks: &str, max: usize| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
        (1..=max).contains(&text.len()) && text.chars().all(allowed)
    };
    macro_rules! noun {
        ($noun:ident, $marks:literal, $max:literal) => {
            match $noun::new(text) {
                Ok(noun) => assert!(is_of($marks, $max) && noun.as_str() == text),
                Err(error) => assert!(!is_of($marks, $max), "{error}"),
            }
        };
    }
    noun!(AppId, "_-", 64);
    noun!(OfferId, "_-", 64);
    noun!(OpenId, "_-", 64);
    noun!(ZoneId, "_-.:|*@", 64);
    noun!(BillNo, "_-|*@", 63);
    noun!(Pf, "_-", 32);
    let is_free_text =
        (1..=1024).contains(&text.len()) && !text.contains('\0') && !reference::absorbs_parameter(text);
    assert_eq!(FreeText::new(text).is_ok(), is_free_text);

    let is_visible =
        |max: usize| (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    macro_rules! secret {
        ($secret:ident, $is_one:expr) => {
            match $secret::new(text) {
                Ok(secret) => {
                    assert!($is_one && secret.matches(text) && secret.expose() == text);
                    assert_eq!(format!("{secret:?}"), concat!(stringify!($secret), "(..)"));
                }
                Err(_) => assert!(!$is_one),
            }
        };
    }
    secret!(MidasKey, is_visible(128));
    secret!(AppSecret, is_visible(128));
    secret!(LoginCode, is_visible(128));
    secret!(AccessToken, is_visible(512));
    secret!(SessionKey, reference::is_session_key(text));

    if let Ok(rid) = text.parse::<Rid>() {
        assert_eq!(rid.to_string(), text);
    }
    if let Some(signature) = Signature::parse(text) {
        assert_eq!(signature.to_string(), text.to_lowercase());
    } else {
        assert!(text.len() != 64 || text.bytes().any(|byte| !byte.is_ascii_hexdigit()));
    }
    assert_eq!(CallPath::parse(text).is_some(), CallPath::all().any(|path| path.as_str() == text));
    let amount = crate::midas::call::reader::amount(text).ok();
    let is_amount = |count: &u64| (1..=Coins::MAX.get()).contains(count);
    assert_eq!(amount.map(Amount::get), text.parse().ok().filter(is_amount));
}
