//! Endpoint for one-time login codes, for apps in login mode `push`.

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

/// A one-time login code.
#[derive(Serialize, JsonSchema)]
pub(crate) struct NewCode {
    /// The `js_code` of `/sns/jscode2session`.
    js_code: String,
    /// Lifetime in seconds.
    expires_in: u64,
}

/// 409 for an app in login mode `open`.
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
