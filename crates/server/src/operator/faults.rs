//! Endpoints for the fault rules of an app's sandbox and their hits.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use pactolus_protocol::{CallKind, ErrorCode, GameCode, RawWire, Wire, XpayCode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::extract::{JsonList, Path};
use super::problem::Problem;
use super::{AppPath, find_app};
use crate::midas::faults::{ActiveRule, Fault, RULES_MAX, Rule};
use crate::state::AppState;

/// A fault rule. Of the rules that hit a request, the first applies.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRule {
    /// The family of the calls; `midas` by default.
    #[serde(default)]
    wire: WireFilter,
    call: CallFilter,
    fault: FaultDetails,
    /// Hits one in this many requests, on average; every one by default.
    #[serde(default = "default_one_in")]
    one_in: NonZeroU64,
    /// Selects the requests: the same seed hits the same ones.
    #[serde(default)]
    seed: u64,
    /// Most hits; unlimited by default.
    #[serde(default)]
    times: Option<NonZeroU64>,
}

fn default_one_in() -> NonZeroU64 {
    NonZeroU64::MIN
}

/// A fault rule and its hits since it was set.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RuleDetails {
    wire: WireFilter,
    call: CallFilter,
    fault: FaultDetails,
    one_in: NonZeroU64,
    seed: u64,
    times: Option<NonZeroU64>,
    /// Number of requests that it has hit.
    hits: u64,
}

/// The family of calls that a rule matches.
#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Wire")]
enum WireFilter {
    /// `/cgi-bin/midas/*`.
    #[default]
    Midas,
    /// `/wxa/game/*`.
    Game,
    /// `/xpay/*`.
    Xpay,
}

impl From<WireFilter> for Wire {
    fn from(filter: WireFilter) -> Self {
        match filter {
            WireFilter::Midas => Self::Midas,
            WireFilter::Game => Self::Raw(RawWire::Game),
            WireFilter::Xpay => Self::Raw(RawWire::Xpay),
        }
    }
}

impl From<Wire> for WireFilter {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::Midas => Self::Midas,
            Wire::Raw(RawWire::Game) => Self::Game,
            Wire::Raw(RawWire::Xpay) => Self::Xpay,
        }
    }
}

/// The calls that a rule matches, by their names on the first wire; the others have calls of the same purposes.
#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Calls")]
enum CallFilter {
    Present,
    GetBalance,
    Pay,
    CancelPay,
    Any,
}

/// The fault to inject.
#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FaultDetails {
    /// Answers with this errcode without running the call.
    Answer(FaultCode),
    /// Runs the call and delays its reply by this many milliseconds.
    DelayMs(DelayMs),
    /// Closes the connection without a reply and without running the call.
    CloseBefore,
    /// Runs the call and closes the connection without a reply.
    CloseAfter,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(try_from = "i32", into = "i32")]
struct FaultCode(i32);

impl FaultCode {
    /// Errors that a correct back end also meets in production, on every wire.
    const COMMON: [ErrorCode; 3] =
        [ErrorCode::SystemError, ErrorCode::InvalidCredential, ErrorCode::AccessTokenExpired];

    /// Those of one wire.
    const fn own(wire: Wire) -> &'static [ErrorCode] {
        match wire {
            Wire::Midas => &[ErrorCode::NoSession, ErrorCode::OrderProcessing],
            Wire::Raw(RawWire::Game) => &[ErrorCode::Game(GameCode::NoSession)],
            Wire::Raw(RawWire::Xpay) => &[
                ErrorCode::Xpay(XpayCode::NoSession),
                ErrorCode::Xpay(XpayCode::OrderProcessing),
                ErrorCode::Xpay(XpayCode::TooManyRequests),
            ],
        }
    }

    fn of_wire(wire: Wire) -> impl Iterator<Item = ErrorCode> {
        Self::COMMON.into_iter().chain(Self::own(wire).iter().copied())
    }

    fn all() -> BTreeSet<i32> {
        Wire::ALL.into_iter().flat_map(Self::of_wire).map(ErrorCode::code).collect()
    }

    /// The code of this number on a wire.
    fn on_wire(self, wire: Wire) -> Result<ErrorCode, Problem> {
        Self::of_wire(wire).find(|known| known.code() == self.0).ok_or_else(|| {
            let codes: Vec<_> = Self::of_wire(wire).map(|known| known.code().to_string()).collect();
            Problem::invalid("answer", format_args!("must be one of {} on the wire {wire}", codes.join(", ")))
        })
    }
}

impl TryFrom<i32> for FaultCode {
    type Error = String;

    fn try_from(code: i32) -> Result<Self, String> {
        if Self::all().contains(&code) {
            return Ok(Self(code));
        }
        let codes: Vec<_> = Self::all().iter().map(i32::to_string).collect();
        Err(format!("a fault's answer must be one of {}, not {code}", codes.join(", ")))
    }
}

impl From<FaultCode> for i32 {
    fn from(FaultCode(code): FaultCode) -> Self {
        code
    }
}

impl JsonSchema for FaultCode {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Answer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "enum": Self::all() })
    }
}

/// Delay of a reply, in milliseconds.
#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "u64", into = "u64")]
struct DelayMs(#[schemars(range(max = DelayMs::MAX))] u64);

impl DelayMs {
    /// One minute: longer than back ends wait.
    const MAX: u64 = 60_000;
}

impl TryFrom<u64> for DelayMs {
    type Error = String;

    fn try_from(millis: u64) -> Result<Self, String> {
        if millis > Self::MAX {
            return Err(format!("a fault's delay_ms must be at most {}, not {millis}", Self::MAX));
        }
        Ok(Self(millis))
    }
}

impl From<DelayMs> for u64 {
    fn from(DelayMs(millis): DelayMs) -> Self {
        millis
    }
}

pub(crate) async fn get(
    State(bank): State<Arc<AppState>>,
    Path(path): Path<AppPath>,
) -> Result<axum::Json<Vec<RuleDetails>>, Problem> {
    let app = find_app(&bank, path.appid.as_str())?;
    Ok(axum::Json(bank.fault_rules.get(app.appid).iter().map(RuleDetails::from).collect()))
}

pub(crate) async fn put(
    State(bank): State<Arc<AppState>>,
    Path(path): Path<AppPath>,
    JsonList(rules): JsonList<NewRule, RULES_MAX>,
) -> Result<axum::Json<Vec<RuleDetails>>, Problem> {
    let app = find_app(&bank, path.appid.as_str())?;
    tracing::warn!(appid = %app.appid, rules = rules.len(), "fault rules of the sandbox replaced");
    let rules = rules.into_iter().map(Rule::try_from).collect::<Result<Vec<_>, _>>()?;
    bank.fault_rules.set(app.appid, rules);
    Ok(axum::Json(bank.fault_rules.get(app.appid).iter().map(RuleDetails::from).collect()))
}

impl TryFrom<NewRule> for Rule {
    type Error = Problem;

    fn try_from(rule: NewRule) -> Result<Self, Problem> {
        let NewRule { wire, call, fault, one_in, seed, times } = rule;
        let wire = Wire::from(wire);
        let call = match call {
            CallFilter::Present => Some(CallKind::Present),
            CallFilter::GetBalance => Some(CallKind::GetBalance),
            CallFilter::Pay => Some(CallKind::Pay),
            CallFilter::CancelPay => Some(CallKind::CancelPay),
            CallFilter::Any => None,
        };
        let fault = match fault {
            FaultDetails::Answer(code) => Fault::Answer(code.on_wire(wire)?),
            FaultDetails::DelayMs(DelayMs(millis)) => Fault::Delay(Duration::from_millis(millis)),
            FaultDetails::CloseBefore => Fault::CloseBefore,
            FaultDetails::CloseAfter => Fault::CloseAfter,
        };
        Ok(Self { wire, call, fault, one_in, seed, times })
    }
}

impl From<&ActiveRule> for RuleDetails {
    fn from(&ActiveRule { rule, hits, .. }: &ActiveRule) -> Self {
        let Rule { wire, call, fault, one_in, seed, times } = rule;
        let call = match call {
            Some(CallKind::Present) => CallFilter::Present,
            Some(CallKind::GetBalance) => CallFilter::GetBalance,
            Some(CallKind::Pay) => CallFilter::Pay,
            Some(CallKind::CancelPay) => CallFilter::CancelPay,
            None => CallFilter::Any,
        };
        let fault = match fault {
            Fault::Answer(code) => FaultDetails::Answer(FaultCode(code.code())),
            Fault::Delay(delay) => {
                FaultDetails::DelayMs(DelayMs(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)))
            }
            Fault::CloseBefore => FaultDetails::CloseBefore,
            Fault::CloseAfter => FaultDetails::CloseAfter,
        };
        Self { wire: wire.into(), call, fault, one_in, seed, times, hits }
    }
}
