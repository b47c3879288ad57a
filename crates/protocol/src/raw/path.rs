//! Paths of the raw wires.

use std::fmt;

/// A wire whose signatures cover the raw body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RawWire {
    /// Mini games, `/wxa/game/*`.
    Game,
    /// Mini programs, `/xpay/*`.
    Xpay,
}

impl RawWire {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Game, Self::Xpay];

    /// Its name in settings and labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Game => "game",
            Self::Xpay => "xpay",
        }
    }
}

impl fmt::Display for RawWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The purpose of a call, whichever its wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RawCallKind {
    /// Reads a player's balance.
    Balance,
    /// Takes coins from a player.
    Pay,
    /// Gives back coins of a pay.
    Refund,
    /// Gives coins to a player.
    Present,
    /// Reads a top-up.
    TopUp,
}

macro_rules! raw_paths {
    ($($(#[$doc:meta])* $name:ident = $path:literal, $wire:ident, $kind:ident;)*) => {
        /// A call of a raw wire. Its path is signed; the environment is a member of its body.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RawPath {
            $($(#[$doc])* $name,)*
        }

        impl RawPath {
            /// Every call.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The path, without host and query: the `uri` of a signature.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $path,)*
                }
            }

            /// The call at `path`, which must match exactly.
            pub fn parse(path: &str) -> Option<Self> {
                match path {
                    $($path => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Its wire.
            pub const fn wire(self) -> RawWire {
                match self {
                    $(Self::$name => RawWire::$wire,)*
                }
            }

            /// Its purpose.
            pub const fn kind(self) -> RawCallKind {
                match self {
                    $(Self::$name => RawCallKind::$kind,)*
                }
            }
        }
    };
}

raw_paths! {
    /// Reads a player's balance.
    GameGetBalance = "/wxa/game/getbalance", Game, Balance;
    /// Takes coins.
    GamePay = "/wxa/game/pay", Game, Pay;
    /// Gives back coins of a pay.
    GameCancelPay = "/wxa/game/cancelpay", Game, Refund;
    /// Gives coins.
    GamePresent = "/wxa/game/present", Game, Present;
    /// Reads a top-up by its number.
    GameQueryOrderInfo = "/wxa/game/queryorderinfo", Game, TopUp;
    /// Reads a player's balance.
    XpayQueryUserBalance = "/xpay/query_user_balance", Xpay, Balance;
    /// Takes coins.
    XpayCurrencyPay = "/xpay/currency_pay", Xpay, Pay;
    /// Gives back coins of a pay.
    XpayCancelCurrencyPay = "/xpay/cancel_currency_pay", Xpay, Refund;
    /// Gives coins.
    XpayPresentCurrency = "/xpay/present_currency", Xpay, Present;
}

impl RawPath {
    /// Its name in labels: the last segment of the path.
    pub fn name(self) -> &'static str {
        self.as_str().rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_round_trips() {
        for path in RawPath::ALL {
            assert_eq!(RawPath::parse(path.as_str()), Some(*path));
            assert!(path.as_str().ends_with(path.name()));
        }
        for other in ["", "/wxa/game/pay/", "/wxa/game/Pay", "wxa/game/pay", "/xpay/pay", "/xpay/query_order"]
        {
            assert_eq!(RawPath::parse(other), None, "{other}");
        }
    }
}
