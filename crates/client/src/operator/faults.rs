//! Fault rules of an app's sandbox.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// A fault rule. Of the rules that hit a request, the first applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRule {
    /// The family of the calls; those below `/cgi-bin/midas` by default.
    #[serde(default)]
    pub wire: FaultyWire,
    /// The calls that it matches.
    pub call: FaultyCall,
    /// The fault to inject.
    pub fault: Fault,
    /// Hits one in this many requests, on average.
    pub one_in: NonZeroU64,
    /// Selects the requests: the same seed hits the same ones.
    pub seed: u64,
    /// Most hits; unlimited without.
    pub times: Option<NonZeroU64>,
}

impl FaultRule {
    /// A rule that hits every request of `call` below `/cgi-bin/midas`.
    pub const fn new(call: FaultyCall, fault: Fault) -> Self {
        Self { wire: FaultyWire::Midas, call, fault, one_in: NonZeroU64::MIN, seed: 0, times: None }
    }
}

/// The family of the calls that a rule matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultyWire {
    /// `/cgi-bin/midas/*`.
    #[default]
    Midas,
    /// `/wxa/game/*`.
    Game,
    /// `/xpay/*`.
    Xpay,
}

/// The calls that a rule matches, by their names on the first wire; the others have calls of the same purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the calls have these names")]
pub enum FaultyCall {
    Present,
    GetBalance,
    Pay,
    CancelPay,
    /// Every call.
    Any,
}

impl FaultyCall {
    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::GetBalance => "getbalance",
            Self::Pay => "pay",
            Self::CancelPay => "cancelpay",
            Self::Any => "any",
        }
    }
}

/// The fault to inject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Answers with this errcode without running the call: -1, 40001 or 42001; 90010 or 90016 on
    /// `midas`, 90016 on `game`, 268490009, 268490014 or 268490015 on `xpay`.
    Answer(i32),
    /// Runs the call and delays its reply by this many milliseconds, at most 60,000.
    DelayMs(u64),
    /// Closes the connection without a reply and without running the call.
    CloseBefore,
    /// Runs the call and closes the connection without a reply.
    CloseAfter,
}

/// A fault rule and its hits since it was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRuleStatus {
    /// The rule.
    #[serde(flatten)]
    pub rule: FaultRule,
    /// Number of requests that it has hit.
    pub hits: u64,
}
