//! Session endpoint, for services that log players in themselves.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use pactolus_protocol::SessionKey;
use pactolus_types::{AppId, OpenId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::extract::{JsonBody, Path};
use super::field::AsText;
use super::problem::Problem;
use super::{PlayerPath, find_app};
use crate::auth::sessions::Session;
use crate::state::AppState;

/// A session to store in place of the current one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSession {
    /// 16 bytes in base64, as the platform's login returned it.
    #[schemars(with = "String", regex(pattern = "^[0-9A-Za-z+/]{22}==$"))]
    session_key: Zeroizing<String>,
    /// Lifetime in seconds.
    #[schemars(range(min = 1, max = EXPIRES_IN_MAX))]
    expires_in: u64,
}

/// The session that is now current.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PutSession")]
pub(crate) struct SessionDetails {
    appid: AsText<AppId>,
    openid: AsText<OpenId>,
    /// In seconds since 1970.
    expires_at: u64,
}

/// Longest session: a year, so that a wrong unit is caught.
const EXPIRES_IN_MAX: u64 = 366 * 86_400;

pub(crate) async fn put(
    State(bank): State<Arc<AppState>>,
    Path(path): Path<PlayerPath>,
    JsonBody(session): JsonBody<NewSession>,
) -> Result<axum::Json<SessionDetails>, Problem> {
    let app = find_app(&bank, path.appid.as_str())?;
    let openid = path.openid.parse("openid")?;
    let key =
        SessionKey::new(&session.session_key).map_err(|error| Problem::invalid("session_key", error))?;
    if !(1..=EXPIRES_IN_MAX).contains(&session.expires_in) {
        return Err(Problem::invalid("expires_in", format_args!("must be 1 to {EXPIRES_IN_MAX} seconds")));
    }
    let valid_from = bank.now();
    let valid_until = valid_from.saturating_add(Duration::from_secs(session.expires_in));
    bank.sessions.put(app.appid, openid, Session { key, valid_from, valid_until }).await?;
    Ok(axum::Json(SessionDetails {
        appid: AsText(app.appid),
        openid: AsText(openid),
        expires_at: valid_until.seconds(),
    }))
}
