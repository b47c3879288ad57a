//! Verification of the Midas calls.
//!
//! The order of checks is a part of the contract (`docs/protocol/midas.md`): method, token, wire, the app's rate, body,
//! parameters, privilege, `sig`, the player's rate, session, `mp_sig`. Invariant: a [`VerifiedCall`] has passed them
//! all.

use std::sync::Arc;

use pactolus_protocol::{
    AccessToken, Body, Call, ErrorCode, ErrorReply, Parameter, Pf, UnverifiedCall, Wire,
};
use pactolus_types::{Environment, OpenId, UnixMillis};

use super::IncomingCall;
use crate::apps::ServedApp;
use crate::auth::open;
use crate::body::{RequestBody, read_body};
use crate::entry::{self, name_encoding};
use crate::metrics::shard::LimitScope;
use crate::rate_limit;
use crate::rejections::rejection::RequestTrace;
use crate::settings::{AppSettings, LoginMode};
use crate::state::AppState;

pub(crate) struct VerifiedCall<C> {
    pub(crate) call: C,
    pub(crate) environment: Environment,
    pub(crate) app: Arc<ServedApp>,
    pub(crate) received_at: UnixMillis,
}

impl<C: Call> VerifiedCall<C> {
    pub(super) async fn verify<B: RequestBody>(
        bank: &AppState,
        incoming: IncomingCall<'_, B>,
        trace: &mut RequestTrace,
    ) -> Result<Self, ErrorReply> {
        let IncomingCall { path, received_at: now, head, body, .. } = incoming;
        let (token, app, body) = entry::authenticate(bank, head, body, now, &mut trace.token).await?;
        trace.app = Some(Arc::clone(&app));
        app.check_wire(Wire::Midas)?;
        let checked = rate_limit::check_app(&app, path.environment, now);
        checked.inspect_err(|_| {
            bank.metrics.count_limited(app.slot(), path.environment, LimitScope::AppRate);
        })?;
        let bytes = trace.body.insert(read_body(body).await?);
        let verified = verify_body(bank, &app, path.environment, token, bytes, now).await;
        let call = verified.map_err(|error| name_encoding(error, &head.headers))?;
        Ok(Self { call, environment: path.environment, app, received_at: now })
    }
}

/// Verifies `sig` with the app's key, or else with the key before it while both are configured.
fn verify_sig<C: Call>(
    bank: &AppState,
    app: &ServedApp,
    environment: Environment,
    unverified: &UnverifiedCall<'_, C>,
) -> Result<(), ErrorReply> {
    let Err(error) = unverified.verify_sig(app.midas_key(environment), app.dialects) else { return Ok(()) };
    let previous = app.previous_midas_key(environment).filter(|_| error.code() == ErrorCode::SigError);
    match previous.map(|key| unverified.verify_sig(key, app.dialects)) {
        Some(Ok(_)) => {
            bank.metrics.count_previous_key(app.slot(), environment);
            Ok(())
        }
        Some(Err(_)) | None => Err(error),
    }
}

/// Whether a player logged in by any code, which is for the sandbox only.
pub(crate) fn is_sandbox_player(app: &AppSettings, openid: OpenId) -> bool {
    app.login == LoginMode::OpenSandbox && open::is_sandbox_openid(openid)
}

async fn verify_body<C: Call>(
    bank: &AppState,
    app: &ServedApp,
    environment: Environment,
    token: &AccessToken,
    bytes: &[u8],
    now: UnixMillis,
) -> Result<C, ErrorReply> {
    let body = Body::parse(bytes)?;
    let unverified = UnverifiedCall::<C>::read(environment, &body, app.mp_sig)?;
    let caller = unverified.call().caller();
    if !app.pf.contains(&caller.pf) {
        let allowed: Vec<_> = app.pf.iter().map(Pf::as_str).collect();
        return Err(ErrorReply::invalid_parameter(
            Parameter::Pf,
            format_args!("is not a platform of this app; it allows {}", allowed.join(", ")),
        ));
    }
    if !app.zones.is_empty() && !app.zones.contains(&caller.zone_id) {
        return Err(ErrorReply::invalid_parameter(Parameter::ZoneId, "is not a zone of this app"));
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
    verify_sig(bank, app, environment, &unverified)?;
    // After `sig`: a caller who cannot sign must not use up the player's rate.
    let checked = bank.rate_limiter.check_player(app, environment, caller.openid, now);
    checked.inspect_err(|_| bank.metrics.count_limited(app.slot(), environment, LimitScope::PlayerRate))?;
    if unverified.needs_session() {
        if environment == Environment::Live && is_sandbox_player(app, caller.openid) {
            let detail = "the player logged in by an open code, which is for the sandbox only";
            return Err(ErrorReply::with_detail(ErrorCode::NoSession, detail));
        }
        let session = bank.sessions.get(app.appid, caller.openid, now).await?;
        unverified.verify_mp_sig(&session.key, token, app.dialects)?;
    }
    Ok(unverified.into_call())
}
