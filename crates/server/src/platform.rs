//! Platform endpoints around the Midas calls: access tokens here, logins in [`login`].

pub(crate) mod login;
pub(crate) mod parameters;
pub(crate) mod paths;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use pactolus_protocol::token::TOKEN_LIFETIME;
use pactolus_protocol::{
    Body, Credentials, ErrorCode, ErrorReply, GrantType, StableTokenRequest, TokenReply,
};

use self::parameters::QueryOrForm;
use crate::apps::ServedApp;
use crate::auth::tokens::stable::{FORCED_PER_DAY_MAX, StableTokenError};
use crate::body::read_body;
use crate::midas::convert;
use crate::response::{ErrorResponse, json};
use crate::state::AppState;

/// `/cgi-bin/token`: issues an access token.
pub(crate) async fn token(
    State(bank): State<Arc<AppState>>,
    request: Request,
) -> Result<Response, ErrorResponse> {
    let parameters = QueryOrForm::read(request).await?;
    let credentials = Credentials::from_query(parameters.query(), GrantType::ClientCredential)?;
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
    let parameters = stable_token_request(request).await?;
    let app = authenticate_app(&bank, &parameters.credentials)?;
    let reply =
        bank.tokens.stable_token(&app, parameters.refresh, bank.now()).await.map_err(ErrorReply::from)?;
    Ok(json(reply.to_json()))
}

/// Reads the documented JSON object, a form, or the query of a request without a body.
async fn stable_token_request(request: Request) -> Result<StableTokenRequest, ErrorReply> {
    let (head, body) = request.into_parts();
    let bytes = read_body(body).await?;
    let parameters = QueryOrForm::join(head.uri.query(), &bytes);
    if Body::is_form(&bytes) || bytes.is_empty() && parameters.query().get("grant_type").is_some() {
        return StableTokenRequest::from_query(parameters.query());
    }
    StableTokenRequest::from_body(&Body::parse(&bytes)?)
}

/// The app of these credentials. 40013 for an unknown app, 40125 for a wrong secret.
fn authenticate_app(bank: &AppState, credentials: &Credentials) -> Result<Arc<ServedApp>, ErrorReply> {
    let app = bank.app(credentials.appid).ok_or(ErrorCode::InvalidAppId)?;
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
