//! The operator API: what support, live-ops and the studio's own services ask of the bank.
//!
//! JSON under `/api/v1/`, opened by the operator's bearer token; errors are problem details (RFC 9457).

pub(crate) mod accounts;
pub(crate) mod problem;
pub(crate) mod sessions;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pactolus_nouns::AppId;

use self::problem::Problem;
use crate::bank::Bank;
use crate::settings::AppSettings;

/// Stands around the operator's calls: only who shows the token gets on.
pub(crate) async fn authorize(State(bank): State<Arc<Bank>>, request: Request, next: Next) -> Response {
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = shown
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match token {
        Some((_, token)) if bank.operator_token.matches(token.trim()) => next.run(request).await,
        Some(_) => Problem::unauthorized("the bearer token is not the operator's").into_response(),
        None => Problem::unauthorized("the header `Authorization: Bearer <operator token>` is missing")
            .into_response(),
    }
}

/// The app of a path.
fn app(bank: &Bank, appid: &str) -> Result<Arc<AppSettings>, Problem> {
    let known = AppId::new(appid).ok().and_then(|appid| bank.apps.get(&appid));
    known.cloned().ok_or_else(|| Problem::not_found(format!("this bank has no app {appid:?}")))
}
