//! One-time login codes, for apps whose players log in as the operator says.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use pactolus_protocol::login::CODE_LIFETIME;
use schemars::JsonSchema;
use serde::Serialize;

use super::extract::Path;
use super::problem::Problem;
use super::{PlayerPath, find_app};
use crate::settings::LoginMode;
use crate::state::AppState;

/// A code to log in with, once.
#[derive(Serialize, JsonSchema)]
pub(crate) struct NewCode {
    /// What `/sns/jscode2session` takes.
    js_code: String,
    /// In seconds from now.
    expires_in: u64,
}

/// Gives out a code that logs a player in.
pub(crate) async fn post(
    State(bank): State<Arc<AppState>>,
    Path(path): Path<PlayerPath>,
) -> Result<Json<NewCode>, Problem> {
    let app = find_app(&bank, path.appid.as_str())?;
    let openid = path.openid.parse("openid")?;
    if app.login == LoginMode::Open {
        return Err(Problem::not_configured("login is set to open for this app: any code logs a player in"));
    }
    let code = bank.login_codes.issue(app.appid, openid, bank.now()).await?;
    Ok(Json(NewCode { js_code: code.expose().to_owned(), expires_in: CODE_LIFETIME.as_secs() }))
}
