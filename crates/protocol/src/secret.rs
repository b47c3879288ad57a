//! Keys and tokens: never printed, compared in constant time, zeroed on drop.
//!
//! The two signing keys keep their HMAC state, so a request hashes only its own text.
//! Nothing here implements `Serialize`, `Display` or `PartialEq`, and nothing may.

use std::fmt;

use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// HMAC-SHA256, the only signature function.
pub(crate) type HmacSha256 = Hmac<Sha256>;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident($inner:ident), $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name($inner);

        impl $name {
            /// Checks `text` against the format of this secret.
            pub fn new(text: &str) -> Result<Self, InvalidSecret> {
                let rule: fn(&str) -> Result<(), InvalidSecret> = $rule;
                rule(text)?;
                Ok(Self($inner::new(text)))
            }

            /// The text itself, for signing, sending and storing only.
            pub fn expose(&self) -> &str {
                self.0.text()
            }

            /// Constant-time comparison; its duration reveals only whether the lengths are equal.
            pub fn matches(&self, text: &str) -> bool {
                self.expose().as_bytes().ct_eq(text.as_bytes()).into()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

secret! {
    /// The key that an app shares with the bank for one environment. It signs `sig`.
    ///
    /// 1 to 128 visible ASCII characters.
    MidasKey(HmacSecret), |text| check_visible_ascii(text, 128)
}

secret! {
    /// The key of a player's session. It signs `mp_sig` as text, never decoded.
    ///
    /// 16 bytes in base64: 24 characters, the last two `==`.
    SessionKey(HmacSecret), check_session_key
}

secret! {
    /// The secret with which an app requests access tokens.
    ///
    /// 1 to 128 visible ASCII characters.
    AppSecret(SecretText), |text| check_visible_ascii(text, 128)
}

secret! {
    /// The credential of an app's calls, valid for some two hours.
    ///
    /// 1 to 512 visible ASCII characters.
    AccessToken(SecretText), |text| check_visible_ascii(text, 512)
}

secret! {
    /// The bearer token of the operator API.
    ///
    /// 12 to 512 visible ASCII characters.
    OperatorToken(SecretText), |text| {
        check_visible_ascii(text, 512)?;
        let min = OperatorToken::CHARS_MIN;
        if text.len() < min { Err(InvalidSecret::TooShort { min }) } else { Ok(()) }
    }
}

impl OperatorToken {
    /// Fewest characters: 12 random letters and digits have 62 bits, too many to guess over a network.
    pub const CHARS_MIN: usize = 12;
}

secret! {
    /// A login code, which a player's client got to log in with, for one use or for many.
    ///
    /// 1 to 128 visible ASCII characters.
    LoginCode(SecretText), |text| check_visible_ascii(text, 128)
}

impl MidasKey {
    pub(crate) fn mac(&self) -> HmacSha256 {
        self.0.mac.clone()
    }
}

impl SessionKey {
    /// Encodes `bytes` in base64.
    pub fn from_bytes(bytes: &[u8; 16]) -> Self {
        Self(HmacSecret::new(&encode_base64(bytes)))
    }

    pub(crate) fn mac(&self) -> HmacSha256 {
        self.0.mac.clone()
    }
}

/// Why a text is not a valid secret; never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidSecret {
    /// It is empty.
    Empty,
    /// It has more characters than the kind allows.
    TooLong {
        /// Maximum number of characters.
        max: usize,
    },
    /// It has fewer characters than the kind needs.
    TooShort {
        /// Minimum number of characters.
        min: usize,
    },
    /// It holds a space, a control character or a non-ASCII character.
    NotVisibleAscii,
    /// It is not 16 bytes in base64.
    NotASessionKey,
}

impl fmt::Display for InvalidSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong { max } => write!(f, "is longer than {max} characters"),
            Self::TooShort { min } => write!(f, "is shorter than {min} characters"),
            Self::NotVisibleAscii => f.write_str("holds a character that is not visible ASCII"),
            Self::NotASessionKey => f.write_str("is not 16 bytes in base64 (24 characters, the last two ==)"),
        }
    }
}

impl std::error::Error for InvalidSecret {}

/// A secret that is only compared and sent.
#[derive(Clone)]
struct SecretText(Zeroizing<String>);

impl SecretText {
    fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    fn text(&self) -> &str {
        &self.0
    }
}

/// A signing secret. The `hmac` crate zeroes the state on drop.
#[derive(Clone)]
struct HmacSecret {
    secret: SecretText,
    mac: HmacSha256,
}

impl HmacSecret {
    fn new(text: &str) -> Self {
        let mac = HmacSha256::new_from_slice(text.as_bytes()).expect("HMAC takes a key of any length");
        Self { secret: SecretText::new(text), mac }
    }

    fn text(&self) -> &str {
        self.secret.text()
    }
}

fn check_visible_ascii(text: &str, max: usize) -> Result<(), InvalidSecret> {
    if text.is_empty() {
        Err(InvalidSecret::Empty)
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err(InvalidSecret::NotVisibleAscii)
    } else if text.len() > max {
        Err(InvalidSecret::TooLong { max })
    } else {
        Ok(())
    }
}

/// Base64 of 16 bytes: 22 digits of 6 bits, the last padded with 4 zero bits, and two `=`.
fn encode_base64(bytes: &[u8; 16]) -> Zeroizing<String> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let number = u128::from_be_bytes(*bytes);
    let digit = |bits: u128| char::from(DIGITS[usize::try_from(bits & 63).expect("6 bits are an index")]);
    let mut text = Zeroizing::new(String::with_capacity(24));
    text.extend((0..21).map(|place| digit(number >> (122 - 6 * place))));
    text.push(digit(number << 4));
    text.push_str("==");
    text
}

fn check_session_key(text: &str) -> Result<(), InvalidSecret> {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    match text.strip_suffix("==") {
        Some(digits) if digits.len() == 22 && digits.bytes().all(is_digit) => Ok(()),
        _ => Err(InvalidSecret::NotASessionKey),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_and_errors_redact_secrets() {
        let key = MidasKey::new("zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u").unwrap();
        assert_eq!(format!("{key:?}"), "MidasKey(..)");
        let key = SessionKey::new("V7Q38/i2KXaqrQyl2Yx9Hg==").unwrap();
        assert_eq!(format!("{key:?}"), "SessionKey(..)");
        let error = AccessToken::new("a secret").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("a secret"));
    }

    /// Checked by the compiler: if one of these types implemented `PartialEq`, two implementations would apply, and
    /// the call would be ambiguous.
    #[test]
    fn secrets_do_not_implement_partial_eq() {
        trait AmbiguousIfImpl<A> {
            fn assert_unambiguous() {}
        }
        impl<T> AmbiguousIfImpl<()> for T {}
        struct ComparableMarker;
        impl<T: PartialEq> AmbiguousIfImpl<ComparableMarker> for T {}

        <MidasKey as AmbiguousIfImpl<_>>::assert_unambiguous();
        <SessionKey as AmbiguousIfImpl<_>>::assert_unambiguous();
        <AppSecret as AmbiguousIfImpl<_>>::assert_unambiguous();
        <AccessToken as AmbiguousIfImpl<_>>::assert_unambiguous();
        <OperatorToken as AmbiguousIfImpl<_>>::assert_unambiguous();
        <LoginCode as AmbiguousIfImpl<_>>::assert_unambiguous();
        <crate::signature::Signature as AmbiguousIfImpl<_>>::assert_unambiguous();
    }

    #[test]
    fn secret_matches_only_itself() {
        let token = AccessToken::new("ACCESSTOKEN").unwrap();
        assert!(token.matches("ACCESSTOKEN"));
        for other in ["", "ACCESSTOKE", "ACCESSTOKEm", "ACCESSTOKENN"] {
            assert!(!token.matches(other), "{other}");
        }
    }

    #[test]
    fn session_key_encodes_sixteen_bytes() {
        let sample =
            [0x57, 0xb4, 0x37, 0xf3, 0xf8, 0xb6, 0x29, 0x76, 0xaa, 0xad, 0x0c, 0xa5, 0xd9, 0x8c, 0x7d, 0x1e];
        let cases = [
            (sample, "V7Q38/i2KXaqrQyl2Yx9Hg=="),
            ([0; 16], "AAAAAAAAAAAAAAAAAAAAAA=="),
            ([255; 16], "/////////////////////w=="),
        ];
        for (bytes, text) in cases {
            assert_eq!(SessionKey::from_bytes(&bytes).expose(), text);
            assert!(SessionKey::new(text).is_ok());
        }
    }

    #[test]
    fn each_secret_type_enforces_its_format() {
        use InvalidSecret::{Empty, NotASessionKey, NotVisibleAscii, TooLong, TooShort};
        assert_eq!(MidasKey::new("").err(), Some(Empty));
        assert_eq!(AppSecret::new("a b").err(), Some(NotVisibleAscii));
        assert_eq!(AppSecret::new("宝").err(), Some(NotVisibleAscii));
        assert_eq!(AppSecret::new(&"x".repeat(129)).err(), Some(TooLong { max: 128 }));
        assert_eq!(AccessToken::new(&"x".repeat(513)).err(), Some(TooLong { max: 512 }));
        assert!(AccessToken::new(&"x".repeat(512)).is_ok());
        assert_eq!(OperatorToken::new(&"x".repeat(11)).err(), Some(TooShort { min: 12 }));
        assert_eq!(OperatorToken::new(&"x".repeat(513)).err(), Some(TooLong { max: 512 }));
        assert!(OperatorToken::new(&"x".repeat(12)).is_ok());
        for bad in
            ["", "==", "V7Q38/i2KXaqrQyl2Yx9H===", "V7Q38/i2KXaqrQyl2Yx9Hg=", "V7Q38-i2KXaqrQyl2Yx9Hg=="]
        {
            assert_eq!(SessionKey::new(bad).err(), Some(NotASessionKey), "{bad}");
        }
    }
}
