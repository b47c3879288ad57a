//! The platform around the Midas calls: access tokens.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use pactolus_protocol::token::TOKEN_LIFETIME;
use pactolus_protocol::{ErrorCode, Query, TokenReply, TokenRequest};

use crate::answer::{Refused, json};
use crate::bank::Bank;
use crate::midas::convert;

/// Gives out an access token.
pub(crate) async fn token(State(bank): State<Arc<Bank>>, request: Request) -> Result<Response, Refused> {
    let asked = TokenRequest::from_query(Query::new(request.uri().query().unwrap_or_default()))?;
    let app = bank.apps.get(&asked.appid).ok_or(ErrorCode::InvalidAppId)?;
    if !app.app_secret.matches(asked.secret.expose()) {
        return Err(ErrorCode::InvalidAppSecret.into());
    }
    let issued = bank.tokens.issue(app.appid, bank.now()).await.map_err(convert::unavailable)?;
    Ok(json(TokenReply { access_token: issued, expires_in: TOKEN_LIFETIME }.to_json()))
}
