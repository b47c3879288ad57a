//! The bank's clock, which can be turned where the bank was started for that.

use std::sync::Arc;

use axum::extract::State;
use pactolus_types::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::JsonBody;
use super::problem::Problem;
use crate::clock::{ClockChange, ManualClock};
use crate::state::AppState;

/// How to turn the clock: one of the two.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AskedTurn")]
pub(crate) struct ClockUpdate {
    /// By so many seconds; back, if it is negative.
    advance_s: Option<i64>,
    /// To this moment, in milliseconds since 1970.
    #[schemars(range(max = ManualClock::MAX.get()))]
    now_ms: Option<u64>,
}

/// What the clock says.
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
    /// The machine's, which goes by itself.
    System,
    /// One that stands still until it is turned.
    Manual,
}

/// Tells the time.
pub(crate) async fn get(State(bank): State<Arc<AppState>>) -> Result<axum::Json<ClockDetails>, Problem> {
    let clock = if bank.manual_clock().is_some() { ClockKind::Manual } else { ClockKind::System };
    Ok(axum::Json(ClockDetails { clock, now_ms: bank.now().get() }))
}

/// Turns the clock.
pub(crate) async fn post(
    State(bank): State<Arc<AppState>>,
    JsonBody(update): JsonBody<ClockUpdate>,
) -> Result<axum::Json<ClockDetails>, Problem> {
    let clock = bank.manual_clock().ok_or_else(|| {
        Problem::not_configured("this bank runs on the system's clock; `pactolus serve --clock manual` starts one whose clock can be turned")
    })?;
    let (field, change) = match (update.advance_s, update.now_ms) {
        (Some(seconds), None) => ("advance_s", ClockChange::AdvanceSeconds(seconds)),
        (None, Some(millis)) => ("now_ms", ClockChange::Set(UnixMillis::new(millis))),
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::unprocessable("one of advance_s and now_ms must be given, not both"));
        }
    };
    let now = clock.apply(change).map_err(|error| Problem::invalid(field, error))?;
    tracing::warn!(now_ms = now.get(), "the clock was turned");
    Ok(axum::Json(ClockDetails { clock: ClockKind::Manual, now_ms: now.get() }))
}
