//! The checks of the Midas calls: from a request to a call that is to be carried out.
//!
//! The order of checks is a part of the contract (`docs/protocol.md`): method, token, the app's rate, body,
//! parameters, privilege, `sig`, the player's rate, session, `mp_sig`. Whoever holds a [`Signed`] call holds one that passed them all.

use std::sync::Arc;

use axum::http::Method;
use pactolus_protocol::{AccessToken, Body, Call, ErrorCode, ErrorReply, Parameter, Query, UnverifiedCall};
use pactolus_types::{Environment, UnixMillis};

use super::Arrival;
use crate::body::{Sent, read_body};
use crate::rejections::rejection::Seen;
use crate::settings::AppSettings;
use crate::state::Bank;

/// A call that passed every check.
pub(crate) struct Signed<C> {
    pub(crate) call: C,
    pub(crate) environment: Environment,
    pub(crate) app: Arc<AppSettings>,
    /// When it came in.
    pub(crate) now: UnixMillis,
}

impl<C: Call> Signed<C> {
    /// The call of a request, if it passes.
    pub(super) async fn of<B: Sent>(
        bank: &Bank,
        arrival: Arrival<'_, B>,
        seen: &mut Seen,
    ) -> Result<Self, ErrorReply> {
        let Arrival { path, now, head, body, .. } = arrival;
        if head.method != Method::POST {
            return Err(ErrorCode::RequirePost.into());
        }
        let token = AccessToken::from_query(Query::new(head.uri.query().unwrap_or_default()))?;
        let token = seen.token.insert(token);
        let appid = bank.tokens.app_of(token, now).await?;
        let app = Arc::clone(bank.apps.get(&appid).ok_or(ErrorCode::InvalidCredential)?);
        seen.app = Some(Arc::clone(&app));
        bank.rates.of_app(&app, path.environment, now)?;
        let bytes = seen.body.insert(read_body(body).await?);
        let call = verified(bank, &app, path.environment, token, bytes, now).await?;
        Ok(Self { call, environment: path.environment, app, now })
    }
}

/// The call in a body, once everything about it is right.
async fn verified<C: Call>(
    bank: &Bank,
    app: &AppSettings,
    environment: Environment,
    token: &AccessToken,
    bytes: &[u8],
    now: UnixMillis,
) -> Result<C, ErrorReply> {
    let body = Body::parse(bytes)?;
    let received = UnverifiedCall::<C>::read(environment, &body, app.mp_sig)?;
    let caller = received.call().caller();
    if !app.pf.contains(&caller.pf) {
        return Err(ErrorReply::invalid_parameter(Parameter::Pf, "is not a platform of this app"));
    }
    if caller.appid != app.appid {
        return Err(ErrorReply::with_detail(
            ErrorCode::NoPrivilege,
            "appid is not the app of the access_token",
        ));
    }
    if caller.offer_id != app.offer_id {
        return Err(ErrorReply::with_detail(ErrorCode::NoPrivilege, "offer_id is not the offer of this app"));
    }
    received.verify_sig(app.midas_key(environment), app.dialects)?;
    // Not before: nobody who cannot sign is to use up what a player may do.
    bank.rates.of_player(app, environment, caller.openid, now)?;
    if received.needs_session() {
        let session = bank.sessions.get(app.appid, caller.openid, now).await?;
        received.verify_mp_sig(&session.key, token, app.dialects)?;
    }
    Ok(received.into_call())
}
