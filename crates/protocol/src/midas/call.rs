//! The four calls: paths, parameter tables, and the trait that ties a request type to its path and its reply.
//!
//! The tables drive both reading and signing, so each parameter is declared in one place.
//! Read next: `call/requests.rs` for the requests, `call/reader.rs` for how a parameter is read.

use std::fmt;

use pactolus_types::Environment;

use crate::error::ErrorReply;
use crate::midas::body::Body;
use crate::midas::parameter::{Parameter, Presence};
use crate::midas::reply::Reply;

pub(crate) mod reader;
mod requests;

pub use requests::{Caller, CancelPay, GetBalance, Pay, Present};

/// A request type, tied to its path and to its reply.
///
/// Sealed: only this crate implements it, because only this crate knows the wire format.
pub trait Call: Sized + fields::RequestFields {
    /// The call's kind.
    const KIND: CallKind;

    /// The reply to a successful call.
    type Reply: Reply;

    /// The caller and the account.
    fn caller(&self) -> &Caller;

    /// Reads the call from a body. Error: 90018, naming the first parameter that is missing or wrong.
    fn from_body(body: &Body<'_>) -> Result<Self, ErrorReply>;

    /// The call's path in `environment`.
    fn path(environment: Environment) -> CallPath {
        CallPath { kind: Self::KIND, environment }
    }
}

mod fields {
    use crate::midas::body::Value;
    use crate::midas::parameter::Parameter;

    /// Serialisation of a request.
    pub trait RequestFields {
        /// The parameters that a client sends, in the vendor's order; the inverse of `from_body`.
        fn fields(&self) -> Vec<(Parameter, Value<'_>)>;
    }
}

/// One of the four calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallKind {
    /// Gives coins to a player.
    Present,
    /// Reads a player's balance.
    GetBalance,
    /// Takes coins from a player.
    Pay,
    /// Gives back the coins of a pay.
    CancelPay,
}

/// Parameters of every call.
const COMMON: [(Parameter, Presence); 7] = [
    (Parameter::OpenId, Presence::Required),
    (Parameter::AppId, Presence::Required),
    (Parameter::OfferId, Presence::Required),
    (Parameter::Ts, Presence::Required),
    (Parameter::ZoneId, Presence::Required),
    (Parameter::Pf, Presence::Required),
    (Parameter::UserIp, Presence::Optional),
];

const PRESENT: [(Parameter, Presence); 2] =
    [(Parameter::PresentCounts, Presence::Required), (Parameter::BillNo, Presence::Required)];

const PAY: [(Parameter, Presence); 4] = [
    (Parameter::Amt, Presence::Required),
    (Parameter::BillNo, Presence::Required),
    (Parameter::PayItem, Presence::Optional),
    (Parameter::AppRemark, Presence::Optional),
];

const CANCEL_PAY: [(Parameter, Presence); 2] =
    [(Parameter::BillNo, Presence::Required), (Parameter::PayItem, Presence::Optional)];

/// Bit set of parameters, which are fewer than 32.
const fn parameter_set(parameters: &[(Parameter, Presence)]) -> u32 {
    let (mut set, mut at) = (0, 0);
    while at < parameters.len() {
        set |= parameter_bit(parameters[at].0);
        at += 1;
    }
    set
}

const fn parameter_bit(parameter: Parameter) -> u32 {
    1 << parameter as u32
}

impl CallKind {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Present, Self::GetBalance, Self::Pay, Self::CancelPay];

    /// The last segment of its path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::GetBalance => "getbalance",
            Self::Pay => "pay",
            Self::CancelPay => "cancelpay",
        }
    }

    /// Its documented parameters, without the proofs (`sig`, `mp_sig`, `access_token`).
    pub fn parameters(self) -> impl Iterator<Item = (Parameter, Presence)> {
        COMMON.iter().chain(self.own_parameters()).copied()
    }

    /// Whether `parameter` is one of [`CallKind::parameters`].
    pub const fn documents(self, parameter: Parameter) -> bool {
        // Runs for each field of each signed text, so the tables become bit sets at compile time.
        let documented = match self {
            Self::Present => const { parameter_set(&COMMON) | parameter_set(&PRESENT) },
            Self::GetBalance => const { parameter_set(&COMMON) },
            Self::Pay => const { parameter_set(&COMMON) | parameter_set(&PAY) },
            Self::CancelPay => const { parameter_set(&COMMON) | parameter_set(&CANCEL_PAY) },
        };
        documented & parameter_bit(parameter) != 0
    }

    const fn own_parameters(self) -> &'static [(Parameter, Presence)] {
        match self {
            Self::Present => &PRESENT,
            Self::GetBalance => &[],
            Self::Pay => &PAY,
            Self::CancelPay => &CANCEL_PAY,
        }
    }
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A call in an environment; its path is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallPath {
    /// The call's kind.
    pub kind: CallKind,
    /// Live or sandbox.
    pub environment: Environment,
}

impl CallPath {
    /// The path, without host and query.
    pub const fn as_str(self) -> &'static str {
        match (self.environment, self.kind) {
            (Environment::Live, CallKind::Present) => "/cgi-bin/midas/present",
            (Environment::Live, CallKind::GetBalance) => "/cgi-bin/midas/getbalance",
            (Environment::Live, CallKind::Pay) => "/cgi-bin/midas/pay",
            (Environment::Live, CallKind::CancelPay) => "/cgi-bin/midas/cancelpay",
            (Environment::Sandbox, CallKind::Present) => "/cgi-bin/midas/sandbox/present",
            (Environment::Sandbox, CallKind::GetBalance) => "/cgi-bin/midas/sandbox/getbalance",
            (Environment::Sandbox, CallKind::Pay) => "/cgi-bin/midas/sandbox/pay",
            (Environment::Sandbox, CallKind::CancelPay) => "/cgi-bin/midas/sandbox/cancelpay",
        }
    }

    /// All eight.
    pub fn all() -> impl Iterator<Item = Self> {
        Environment::ALL
            .into_iter()
            .flat_map(|environment| CallKind::ALL.into_iter().map(move |kind| Self { kind, environment }))
    }

    /// The call at `path`, which must match exactly.
    pub fn parse(path: &str) -> Option<Self> {
        Self::all().find(|candidate| candidate.as_str() == path)
    }
}

impl fmt::Display for CallPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_parameters_match_the_tables() {
        for kind in CallKind::ALL {
            for parameter in Parameter::ALL {
                let listed = kind.parameters().any(|(listed, _)| listed == *parameter);
                assert_eq!(kind.documents(*parameter), listed, "{kind} {parameter}");
            }
        }
    }

    #[test]
    fn path_round_trips() {
        for path in CallPath::all() {
            assert_eq!(CallPath::parse(path.as_str()), Some(path));
            assert!(path.as_str().ends_with(path.kind.name()));
        }
        assert_eq!(CallPath::all().count(), 8);
        for other in ["", "/cgi-bin/midas/present/", "/cgi-bin/midas/Present", "/cgi-bin/midas/sandbox/"] {
            assert_eq!(CallPath::parse(other), None, "{other}");
        }
    }
}
