//! Names of the wire's parameters, and the JSON form of each.
//!
//! Read next: [`call`](crate::midas::call) for the parameters of each call; `docs/protocol/midas.md`, "The calls".

use std::fmt;

macro_rules! parameters {
    ($($variant:ident = $name:literal,)*) => {
        /// A documented parameter of a call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "docs/protocol/midas.md has a table of their meanings")]
        pub enum Parameter {
            $($variant,)*
        }

        impl Parameter {
            /// Every parameter, sorted by name.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// `&name=`, the start of this parameter's pair in a signed text after another pair.
            pub(crate) const fn next_pair(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("&", $name, "="),)*
                }
            }

            /// The parameter with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

// Sorted by name in byte order, as in the signed texts.
parameters! {
    AccessToken = "access_token",
    Amt = "amt",
    AppRemark = "app_remark",
    AppId = "appid",
    BillNo = "bill_no",
    MpSig = "mp_sig",
    OfferId = "offer_id",
    OpenId = "openid",
    PayItem = "pay_item",
    Pf = "pf",
    PresentCounts = "present_counts",
    Sig = "sig",
    Ts = "ts",
    UserIp = "user_ip",
    ZoneId = "zone_id",
}

/// JSON form of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonForm {
    /// A string.
    Text,
    /// An integer, or its decimal digits as a string, which some public clients send.
    Integer,
    /// A string, or an integer that stands for its digits, which some public clients send.
    TextOrDigits,
}

/// Whether a call requires a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It must be present and not empty.
    Required,
    /// It may be absent or empty.
    Optional,
}

impl Parameter {
    /// Its JSON form.
    pub const fn form(self) -> JsonForm {
        match self {
            Self::Amt | Self::PresentCounts | Self::Ts => JsonForm::Integer,
            Self::ZoneId => JsonForm::TextOrDigits,
            Self::AccessToken
            | Self::AppRemark
            | Self::AppId
            | Self::BillNo
            | Self::MpSig
            | Self::OfferId
            | Self::OpenId
            | Self::PayItem
            | Self::Pf
            | Self::Sig
            | Self::UserIp => JsonForm::Text,
        }
    }

    /// The first parameter whose pair `text` holds: `&`, its name and `=`.
    ///
    /// A signed text with such a value reads in two ways: as the value, and as a value and further parameters.
    pub fn absorbed_in(text: &str) -> Option<Self> {
        let name = |part: &str| part.split_once('=').and_then(|(name, _)| Self::from_name(name));
        text.split('&').skip(1).find_map(name)
    }

    /// Whether it is a token or a signature, and so not one of a call's parameters.
    pub const fn is_proof(self) -> bool {
        matches!(self, Self::AccessToken | Self::MpSig | Self::Sig)
    }

    /// Whether it identifies the order or its amount. Invariant: every signature covers it.
    pub const fn is_order_field(self) -> bool {
        matches!(self, Self::Amt | Self::BillNo | Self::PresentCounts)
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_sorted_and_numbered_by_name() {
        assert!(Parameter::ALL.is_sorted_by(|a, b| a.name() < b.name()));
        for (number, parameter) in Parameter::ALL.iter().enumerate() {
            assert_eq!(*parameter as usize, number);
            assert_eq!(Parameter::from_name(parameter.name()), Some(*parameter));
            assert_eq!(parameter.next_pair(), format!("&{parameter}="));
        }
    }

    #[test]
    fn absorbed_pair_is_found_anywhere() {
        for parameter in Parameter::ALL {
            for text in [format!("&{parameter}="), format!("x&y=1&&{parameter}=2&ts=3")] {
                assert_eq!(Parameter::absorbed_in(&text), Some(*parameter), "{text}");
            }
            for text in [format!("{parameter}="), format!("a&{parameter}"), format!("a& {parameter}=")] {
                assert_eq!(Parameter::absorbed_in(&text), None, "{text}");
            }
        }
    }
}
