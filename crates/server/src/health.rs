//! Whether the server is up, and whether it can take orders.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::state::AppState;

/// The process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// The bank takes orders: 200, or 503 and why not, such as a disk that is full.
pub(crate) async fn readyz(State(bank): State<Arc<AppState>>) -> (StatusCode, String) {
    if bank.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the bank is stopping\n".to_owned());
    }
    match bank.ledger.ready().await {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}
