//! The platform around the Midas calls: access tokens here, players' logins in [`login`].

pub(crate) mod login;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use pactolus_protocol::token::TOKEN_LIFETIME;
use pactolus_protocol::{
    Body, Credentials, ErrorCode, ErrorReply, GrantType, Query, StableTokenRequest, TokenReply,
};

use crate::auth::tokens::stable::{FORCED_A_DAY_MAX, NotTold};
use crate::body::read_body;
use crate::midas::convert;
use crate::response::{Refused, json};
use crate::settings::AppSettings;
use crate::state::Bank;

/// Gives out an access token.
pub(crate) async fn token(State(bank): State<Arc<Bank>>, request: Request) -> Result<Response, Refused> {
    let credentials = Credentials::from_query(query(&request), GrantType::ClientCredential)?;
    let app = app_of(&bank, &credentials)?;
    let issued = bank.tokens.issue(app.appid, bank.now()).await.map_err(convert::unavailable)?;
    Ok(json(TokenReply { access_token: issued, expires_in: TOKEN_LIFETIME }.to_json()))
}

/// Tells the access token that stays the same while it lives.
pub(crate) async fn stable_token(
    State(bank): State<Arc<Bank>>,
    request: Request,
) -> Result<Response, Refused> {
    if request.method() != Method::POST {
        return Err(ErrorCode::RequirePost.into());
    }
    let bytes = read_body(request.into_body()).await?;
    let asked = StableTokenRequest::from_body(&Body::parse(&bytes)?)?;
    let app = app_of(&bank, &asked.credentials)?;
    let told = bank.tokens.stable(app, asked.refresh, bank.now()).await.map_err(ErrorReply::from)?;
    Ok(json(told.to_json()))
}

fn query(request: &Request) -> Query<'_> {
    Query::new(request.uri().query().unwrap_or_default())
}

/// The app whose credentials these are: 40013 if there is none, 40125 if the secret is not its own.
fn app_of<'b>(bank: &'b Bank, credentials: &Credentials) -> Result<&'b AppSettings, ErrorReply> {
    let app = bank.apps.get(&credentials.appid).ok_or(ErrorCode::InvalidAppId)?;
    if app.app_secret.matches(credentials.secret.expose()) {
        Ok(app)
    } else {
        Err(ErrorCode::InvalidAppSecret.into())
    }
}

impl From<NotTold> for ErrorReply {
    fn from(error: NotTold) -> Self {
        match error {
            NotTold::Unavailable(error) => convert::unavailable(error),
            NotTold::TooOften => Self::with_detail(
                ErrorCode::QuotaReached,
                format!("force_refresh is for {FORCED_A_DAY_MAX} times a day; without it the token is told"),
            ),
        }
    }
}
