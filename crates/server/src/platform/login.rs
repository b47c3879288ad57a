//! Login endpoints: exchange a code for a session, and check a session key.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use pactolus_protocol::reply::ok_json;
use pactolus_protocol::{
    AccessToken, Credentials, ErrorCode, ErrorReply, GrantType, LoginCode, LoginReply, SessionCheck,
};

use super::authenticate_app;
use super::parameters::QueryOrForm;
use crate::auth::codes::LoginCodeError;
use crate::auth::open;
use crate::auth::token_place::{self, TokenPlace};
use crate::midas::convert;
use crate::response::{ErrorResponse, json};
use crate::settings::LoginMode;
use crate::state::AppState;

/// `/sns/jscode2session`: logs a player in by a code.
pub(crate) async fn jscode2session(
    State(bank): State<Arc<AppState>>,
    request: Request,
) -> Result<Response, ErrorResponse> {
    let parameters = QueryOrForm::read(request).await?;
    let credentials = Credentials::from_query(parameters.query(), GrantType::AuthorizationCode)?;
    let app = authenticate_app(&bank, &credentials)?;
    let code = LoginCode::from_query(parameters.query())?;
    let session = bank.new_session();
    let mut session_key = session.key.clone();
    let openid = match app.login {
        LoginMode::Open => {
            let openid = open::openid_for_code(app.appid, &code);
            bank.sessions.put(app.appid, openid, session).await.map_err(convert::unavailable_error)?;
            openid
        }
        LoginMode::Push | LoginMode::OpenSandbox => {
            let used = bank.login_codes.redeem(app.appid, &code, session, &bank.sessions, bank.now()).await;
            match used {
                Err(LoginCodeError::Unknown) if app.login == LoginMode::OpenSandbox => {
                    let openid = open::sandbox_openid_for_code(app.appid, &code);
                    let session = bank.new_session();
                    session_key = session.key.clone();
                    let put = bank.sessions.put(app.appid, openid, session).await;
                    put.map_err(convert::unavailable_error)?;
                    openid
                }
                used => used.map_err(ErrorReply::from)?,
            }
        }
    };
    Ok(json(LoginReply { openid, session_key }.to_json()))
}

/// `/wxa/checksession`: checks that the caller has the player's session key.
pub(crate) async fn check_session(
    State(bank): State<Arc<AppState>>,
    request: Request,
) -> Result<Response, ErrorResponse> {
    let now = bank.now();
    let (head, body) = request.into_parts();
    let token_place = TokenPlace::of_head(&head);
    let parameters = QueryOrForm::read(Request::from_parts(head, body)).await?;
    let token = AccessToken::from_query(parameters.query()).map_err(|error| token_place.explain(error))?;
    let authenticated = bank.tokens.authenticate(&token, now).await;
    let appid = authenticated.map_err(|error| token_place::name_placeholder(error, parameters.query()))?;
    let check = SessionCheck::from_query(parameters.query())?;
    let session = bank.sessions.get(appid, check.openid, now).await.map_err(as_invalid_signature)?;
    check.verify(&session.key)?;
    Ok(json(ok_json()))
}

impl From<LoginCodeError> for ErrorReply {
    fn from(error: LoginCodeError) -> Self {
        match error {
            LoginCodeError::Unavailable(error) => convert::unavailable_error(error),
            LoginCodeError::Unknown => Self::with_detail(
                ErrorCode::InvalidCode,
                "login is set to push for this app, so a code comes from \
                 POST /api/v1/apps/{appid}/players/{openid}/code of the operator API",
            ),
            LoginCodeError::Expired => Self::with_detail(ErrorCode::InvalidCode, "it has expired"),
            LoginCodeError::AlreadyUsed => ErrorCode::CodeUsed.into(),
        }
    }
}

/// The call has one errcode for a wrong session key and for an expired one.
fn as_invalid_signature(error: ErrorReply) -> ErrorReply {
    match (error.code(), error.detail()) {
        (ErrorCode::NoSession, Some(detail)) => {
            ErrorReply::with_detail(ErrorCode::InvalidSignature, detail.to_owned())
        }
        _ => error,
    }
}
