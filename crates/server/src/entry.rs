//! The checks that the calls of every wire begin with: method, then access token.

use std::sync::Arc;

use axum::http::header::CONTENT_ENCODING;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use pactolus_protocol::{AccessToken, Body, ErrorCode, ErrorReply, Query};
use pactolus_types::UnixMillis;

use crate::apps::ServedApp;
use crate::auth::token_place::{self, TokenPlace};
use crate::body::{RequestBody, read_body};
use crate::state::AppState;

/// Checks method and token. Puts the token into `token`, and returns it with its app and the unread body.
pub(crate) async fn authenticate<'t, B: RequestBody>(
    bank: &AppState,
    head: &Parts,
    body: B,
    now: UnixMillis,
    token: &'t mut Option<AccessToken>,
) -> Result<(&'t AccessToken, Arc<ServedApp>, B), ErrorReply> {
    if head.method != Method::POST {
        return Err(ErrorCode::RequirePost.into());
    }
    let query = Query::new(head.uri.query().unwrap_or_default());
    let token = match AccessToken::from_query(query) {
        Ok(sent) => token.insert(sent),
        Err(error) => return Err(Box::pin(explain_missing_token(error, head, body)).await),
    };
    let authenticated = bank.tokens.authenticate(token, now).await;
    let appid = authenticated.map_err(|error| token_place::name_placeholder(error, query))?;
    let app = bank.app(appid).ok_or(ErrorCode::InvalidCredential)?;
    Ok((token, app, body))
}

/// Says where a token is that the query lacks.
#[cold]
async fn explain_missing_token<B: RequestBody>(error: ErrorReply, head: &Parts, body: B) -> ErrorReply {
    let place = match TokenPlace::of_head(head) {
        TokenPlace::Nowhere if error.code() == ErrorCode::AccessTokenMissing => {
            read_body(body).await.map_or(TokenPlace::Nowhere, |bytes| TokenPlace::of_body(&bytes))
        }
        place => place,
    };
    place.explain(error)
}

/// 47001 names the compression of a body that its header declares.
pub(crate) fn name_encoding(error: ErrorReply, headers: &HeaderMap) -> ErrorReply {
    let is_compressed = headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
    if is_compressed && error.code() == ErrorCode::DataFormat { Body::compressed() } else { error }
}
