//! Platform endpoints around the Midas calls: access tokens here, logins in [`login`].

pub(crate) mod login;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use pactolus_protocol::token::TOKEN_LIFETIME;
use pactolus_protocol::{
    Body, Credentials, ErrorCode, ErrorReply, GrantType, Query, StableTokenRequest, TokenReply,
};

use crate::auth::tokens::stable::{FORCED_PER_DAY_MAX, StableTokenError};
use crate::body::read_body;
use crate::midas::convert;
use crate::response::{ErrorResponse, json};
use crate::settings::AppSettings;
use crate::state::AppState;

/// `/cgi-bin/token`: issues an access token.
pub(crate) async fn token(
    State(bank): State<Arc<AppState>>,
    request: Request,
) -> Result<Response, ErrorResponse> {
    let credentials = Credentials::from_query(query(&request), GrantType::ClientCredential)?;
    let app = authenticate_app(&bank, &credentials)?;
    let issued = bank.tokens.issue(app.appid, bank.now()).await.map_err(convert::unavailable_error)?;
    Ok(json(TokenReply { access_token: issued, expires_in: TOKEN_LIFETIME }.to_json()))
}

/// `/cgi-bin/stable_token`: returns the stable token.
pub(crate) async fn stable_token(
    State(bank): State<Arc<AppState>>,
    request: Request,
) -> Result<Response, ErrorResponse> {
    if request.method() != Method::POST {
        return Err(ErrorCode::RequirePost.into());
    }
    let bytes = read_body(request.into_body()).await?;
    let parameters = StableTokenRequest::from_body(&Body::parse(&bytes)?)?;
    let app = authenticate_app(&bank, &parameters.credentials)?;
    let reply =
        bank.tokens.stable_token(app, parameters.refresh, bank.now()).await.map_err(ErrorReply::from)?;
    Ok(json(reply.to_json()))
}

fn query(request: &Request) -> Query<'_> {
    Query::new(request.uri().query().unwrap_or_default())
}

/// The app of these credentials. 40013 for an unknown app, 40125 for a wrong secret.
fn authenticate_app<'b>(
    bank: &'b AppState,
    credentials: &Credentials,
) -> Result<&'b AppSettings, ErrorReply> {
    let app = bank.apps.get(&credentials.appid).ok_or(ErrorCode::InvalidAppId)?;
    if app.app_secret.matches(credentials.secret.expose()) {
        Ok(app)
    } else {
        Err(ErrorCode::InvalidAppSecret.into())
    }
}

impl From<StableTokenError> for ErrorReply {
    fn from(error: StableTokenError) -> Self {
        match error {
            StableTokenError::Unavailable(error) => convert::unavailable_error(error),
            StableTokenError::QuotaExceeded => Self::with_detail(
                ErrorCode::QuotaReached,
                format!(
                    "force_refresh works {FORCED_PER_DAY_MAX} times a day; without it the current token is returned"
                ),
            ),
        }
    }
}
