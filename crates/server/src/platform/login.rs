//! Players' logins: a code becomes a session, and a session is checked.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use pactolus_protocol::reply::ok_json;
use pactolus_protocol::{
    AccessToken, Credentials, ErrorCode, ErrorReply, GrantType, LoginCode, LoginReply, SessionCheck,
};

use super::{app_of, query};
use crate::auth::codes::NotUsed;
use crate::auth::open;
use crate::midas::convert;
use crate::response::{Refused, json};
use crate::settings::Login;
use crate::state::Bank;

/// Logs a player in by a code.
pub(crate) async fn jscode2session(
    State(bank): State<Arc<Bank>>,
    request: Request,
) -> Result<Response, Refused> {
    let credentials = Credentials::from_query(query(&request), GrantType::AuthorizationCode)?;
    let app = app_of(&bank, &credentials)?;
    let code = LoginCode::from_query(query(&request))?;
    let session = bank.new_session();
    let session_key = session.key.clone();
    let openid = match app.login {
        Login::Open => {
            let openid = open::player(app.appid, &code);
            bank.sessions.put(app.appid, openid, session).await.map_err(convert::unavailable)?;
            openid
        }
        Login::Push => {
            let used = bank.codes.log_in(app.appid, &code, session, &bank.sessions, bank.now()).await;
            used.map_err(ErrorReply::from)?
        }
    };
    Ok(json(LoginReply { openid, session_key }.to_json()))
}

/// Tells whether the caller has the key of a player's session.
pub(crate) async fn check_session(
    State(bank): State<Arc<Bank>>,
    request: Request,
) -> Result<Response, Refused> {
    let now = bank.now();
    let token = AccessToken::from_query(query(&request))?;
    let appid = bank.tokens.app_of(&token, now).await?;
    let asked = SessionCheck::from_query(query(&request))?;
    let session = bank.sessions.get(appid, asked.openid, now).await.map_err(no_session)?;
    asked.verify(&session.key)?;
    Ok(json(ok_json()))
}

impl From<NotUsed> for ErrorReply {
    fn from(error: NotUsed) -> Self {
        match error {
            NotUsed::Unavailable(error) => convert::unavailable(error),
            NotUsed::Unknown => Self::with_detail(
                ErrorCode::InvalidCode,
                "login is set to push for this app, so a code comes from \
                 POST /api/v1/apps/{appid}/players/{openid}/code of the operator API",
            ),
            NotUsed::Over => Self::with_detail(ErrorCode::InvalidCode, "it was given out too long ago"),
            NotUsed::UsedBefore => ErrorCode::CodeUsed.into(),
        }
    }
}

/// This call has one answer for a key that is not right, and for one that is right no longer.
fn no_session(refusal: ErrorReply) -> ErrorReply {
    match (refusal.code(), refusal.detail()) {
        (ErrorCode::NoSession, Some(detail)) => {
            ErrorReply::with_detail(ErrorCode::InvalidSignature, detail.to_owned())
        }
        _ => refusal,
    }
}
