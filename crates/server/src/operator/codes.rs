//! One-time login codes, for apps whose players log in as the operator says.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use pactolus_protocol::login::CODE_LIFETIME;
use schemars::JsonSchema;
use serde::Serialize;

use super::extract::Path;
use super::problem::Problem;
use super::{OfPlayer, app};
use crate::settings::Login;
use crate::state::Bank;

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
    State(bank): State<Arc<Bank>>,
    Path(of): Path<OfPlayer>,
) -> Result<Json<NewCode>, Problem> {
    let app = app(&bank, of.appid.as_str())?;
    let openid = of.openid.read("openid")?;
    if app.login == Login::Open {
        return Err(Problem::not_set_up("login is set to open for this app: any code logs a player in"));
    }
    let code = bank.codes.give_out(app.appid, openid, bank.now()).await?;
    Ok(Json(NewCode { js_code: code.expose().to_owned(), expires_in: CODE_LIFETIME.as_secs() }))
}
