//! Liveness and readiness endpoints.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::state::AppState;

/// Liveness: the process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Readiness: 200 if the bank takes orders, else 503 with the reason, such as a full disk.
///
/// Damage on disk that refuses some accounts' orders is 200, because the others are served; the body says "degraded"
/// and where the damage is.
pub(crate) async fn readyz(State(bank): State<Arc<AppState>>) -> (StatusCode, String) {
    if bank.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the bank is stopping\n".to_owned());
    }
    match bank.ledger.ready().await {
        Ok(()) => {
            (StatusCode::OK, bank.ledger.damage().map_or("ok\n".to_owned(), |at| format!("degraded: {at}\n")))
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}
