//! Players' sessions, pushed by whoever logs players in.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use pactolus_nouns::OpenId;
use pactolus_protocol::SessionKey;
use serde::{Deserialize, Serialize};

use super::{Problem, app};
use crate::bank::Bank;
use crate::logins::sessions::Session;

/// A login to put in place of any before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSession {
    session_key: String,
    /// In seconds from now.
    expires_in: u64,
}

/// The login that is now in place.
#[derive(Serialize)]
pub(crate) struct PutSession {
    appid: String,
    openid: String,
    /// In seconds since 1970.
    expires_at: u64,
}

/// The longest login: a year, so that a slip of units is found.
const EXPIRES_IN_MAX: u64 = 366 * 86_400;

/// Logs a player in.
pub(crate) async fn put(
    State(bank): State<Arc<Bank>>,
    Path((appid, openid)): Path<(String, String)>,
    session: Result<Json<NewSession>, JsonRejection>,
) -> Result<Json<PutSession>, Problem> {
    let app = app(&bank, &appid)?;
    let openid = OpenId::new(&openid).map_err(|error| Problem::invalid("openid", error))?;
    let Json(session) = session.map_err(|error| Problem::bad_request(error.body_text()))?;
    let key =
        SessionKey::new(&session.session_key).map_err(|error| Problem::invalid("session_key", error))?;
    if !(1..=EXPIRES_IN_MAX).contains(&session.expires_in) {
        return Err(Problem::invalid("expires_in", format_args!("must be 1 to {EXPIRES_IN_MAX} seconds")));
    }
    let good_until = bank.now().after(Duration::from_secs(session.expires_in));
    bank.sessions.put(app.appid, openid, Session { key, good_until }).await?;
    Ok(Json(PutSession {
        appid: app.appid.to_string(),
        openid: openid.to_string(),
        expires_at: good_until.seconds(),
    }))
}
