//! Operator API: endpoints for support, live-ops and the studio's own services.
//!
//! JSON under `/api/v1/`, authorized by the operator's bearer token; errors are problem details (RFC 9457).
//! A handler takes the extractors of [`extract`] and returns types that describe themselves. Its line in
//! `openapi/operator.rs` adds it to the document.

pub(crate) mod accounts;
pub(crate) mod clock;
pub(crate) mod codes;
pub(crate) mod extract;
pub(crate) mod faults;
pub(crate) mod field;
mod new_order;
pub(crate) mod orders;
pub(crate) mod problem;
mod receipt;
pub(crate) mod rejections;
pub(crate) mod sessions;
pub(crate) mod statement;
pub(crate) mod totals;
pub(crate) mod wrong_tokens;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pactolus_types::{AppId, OpenId};
use schemars::JsonSchema;
use serde::Deserialize;

use self::field::TextParam;
use self::problem::Problem;
use crate::apps::ServedApp;
use crate::state::AppState;

/// Middleware of the operator API: checks the operator's token and applies the request timeout.
pub(crate) async fn authorize(State(bank): State<Arc<AppState>>, request: Request, next: Next) -> Response {
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = shown
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match token {
        Some((_, token)) if bank.live().operator_token.matches(token.trim()) => {
            let deadline = bank.request_timeout();
            tokio::time::timeout(deadline, next.run(request)).await.unwrap_or_else(|_| {
                let detail = format!("no answer within {deadline:?}; repeat the same request");
                Problem::unavailable(detail).into_response()
            })
        }
        Some(_) => bank.wrong_operator_tokens.refuse().await.into_response(),
        None => Problem::unauthorized("the header `Authorization: Bearer <operator token>` is missing")
            .into_response(),
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct AppPath {
    appid: TextParam<AppId>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct PlayerPath {
    appid: TextParam<AppId>,
    openid: TextParam<OpenId>,
}

/// 404 for an app that the bank does not serve.
fn find_app(bank: &AppState, appid: &str) -> Result<Arc<ServedApp>, Problem> {
    let known = AppId::new(appid).ok().and_then(|appid| bank.app(appid));
    known.ok_or_else(|| Problem::not_found(format!("this bank has no app {appid:?}")))
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing {
    //! Fuzz targets for texts that the operator API parses.

    /// Page cursors and days.
    pub fn operator(bytes: &[u8]) {
        super::statement::fuzzing::page_cursors(bytes);
        super::totals::fuzzing::days(bytes);
    }
}
