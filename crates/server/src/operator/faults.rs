//! Endpoints for the fault rules of an app's sandbox and their hits.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use pactolus_protocol::{CallKind, ErrorCode};
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
    call: CallFilter,
    fault: FaultDetails,
    one_in: NonZeroU64,
    seed: u64,
    times: Option<NonZeroU64>,
    /// Number of requests that it has hit.
    hits: u64,
}

/// The calls that a rule matches.
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
struct FaultCode(ErrorCode);

impl FaultCode {
    /// Errors that a correct back end also meets in production.
    const ALL: [ErrorCode; 5] = [
        ErrorCode::SystemError,
        ErrorCode::InvalidCredential,
        ErrorCode::AccessTokenExpired,
        ErrorCode::NoSession,
        ErrorCode::OrderProcessing,
    ];
}

impl TryFrom<i32> for FaultCode {
    type Error = String;

    fn try_from(code: i32) -> Result<Self, String> {
        Self::ALL.into_iter().find(|known| known.code() == code).map(Self).ok_or_else(|| {
            let [codes @ .., last] = Self::ALL.map(|known| known.code().to_string());
            format!("a fault's answer must be {} or {last}, not {code}", codes.join(", "))
        })
    }
}

impl From<FaultCode> for i32 {
    fn from(FaultCode(code): FaultCode) -> Self {
        code.code()
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
        json_schema!({ "type": "integer", "enum": Self::ALL.map(ErrorCode::code) })
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
    bank.fault_rules.set(app.appid, rules.into_iter().map(Rule::from));
    Ok(axum::Json(bank.fault_rules.get(app.appid).iter().map(RuleDetails::from).collect()))
}

impl From<NewRule> for Rule {
    fn from(NewRule { call, fault, one_in, seed, times }: NewRule) -> Self {
        let call = match call {
            CallFilter::Present => Some(CallKind::Present),
            CallFilter::GetBalance => Some(CallKind::GetBalance),
            CallFilter::Pay => Some(CallKind::Pay),
            CallFilter::CancelPay => Some(CallKind::CancelPay),
            CallFilter::Any => None,
        };
        let fault = match fault {
            FaultDetails::Answer(FaultCode(code)) => Fault::Answer(code),
            FaultDetails::DelayMs(DelayMs(millis)) => Fault::Delay(Duration::from_millis(millis)),
            FaultDetails::CloseBefore => Fault::CloseBefore,
            FaultDetails::CloseAfter => Fault::CloseAfter,
        };
        Self { call, fault, one_in, seed, times }
    }
}

impl From<&ActiveRule> for RuleDetails {
    fn from(&ActiveRule { rule: Rule { call, fault, one_in, seed, times }, hits, .. }: &ActiveRule) -> Self {
        let call = match call {
            Some(CallKind::Present) => CallFilter::Present,
            Some(CallKind::GetBalance) => CallFilter::GetBalance,
            Some(CallKind::Pay) => CallFilter::Pay,
            Some(CallKind::CancelPay) => CallFilter::CancelPay,
            None => CallFilter::Any,
        };
        let fault = match fault {
            Fault::Answer(code) => FaultDetails::Answer(FaultCode(code)),
            Fault::Delay(delay) => {
                FaultDetails::DelayMs(DelayMs(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)))
            }
            Fault::CloseBefore => FaultDetails::CloseBefore,
            Fault::CloseAfter => FaultDetails::CloseAfter,
        };
        Self { call, fault, one_in, seed, times, hits }
    }
}
