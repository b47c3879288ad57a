//! Clock endpoints. Only a manual clock can be set.

use std::sync::Arc;

use axum::extract::State;
use pactolus_types::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::JsonBody;
use super::problem::Problem;
use crate::clock::{ClockChange, ManualClock};
use crate::state::AppState;

/// A change of the clock: exactly one of the two fields.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AskedTurn")]
pub(crate) struct ClockUpdate {
    /// Seconds to add; negative to set the clock back.
    advance_s: Option<i64>,
    /// The new time, in milliseconds since 1970.
    #[schemars(range(max = ManualClock::MAX.get()))]
    now_ms: Option<u64>,
}

/// The bank's clock.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ClockDetails {
    clock: ClockKind,
    /// In milliseconds since 1970.
    now_ms: u64,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ClockKind")]
enum ClockKind {
    /// The system clock.
    System,
    /// A clock that changes only on request.
    Manual,
}

pub(crate) async fn get(State(bank): State<Arc<AppState>>) -> Result<axum::Json<ClockDetails>, Problem> {
    let clock = if bank.manual_clock().is_some() { ClockKind::Manual } else { ClockKind::System };
    Ok(axum::Json(ClockDetails { clock, now_ms: bank.now().get() }))
}

pub(crate) async fn post(
    State(bank): State<Arc<AppState>>,
    JsonBody(update): JsonBody<ClockUpdate>,
) -> Result<axum::Json<ClockDetails>, Problem> {
    let clock = bank.manual_clock().ok_or_else(|| {
        Problem::not_configured("this bank runs on the system's clock; start it with `pactolus serve --clock manual` to set its clock")
    })?;
    let (field, change) = match (update.advance_s, update.now_ms) {
        (Some(seconds), None) => ("advance_s", ClockChange::AdvanceSeconds(seconds)),
        (None, Some(millis)) => ("now_ms", ClockChange::Set(UnixMillis::new(millis))),
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::unprocessable("one of advance_s and now_ms must be given, not both"));
        }
    };
    let now = clock.apply(change).map_err(|error| Problem::invalid(field, error))?;
    tracing::warn!(now_ms = now.get(), "manual clock set");
    Ok(axum::Json(ClockDetails { clock: ClockKind::Manual, now_ms: now.get() }))
}
