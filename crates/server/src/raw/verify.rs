//! Verification of the calls of the raw wires.
//!
//! The order of checks is a part of the contract (`docs/protocol/game.md`, `docs/protocol/xpay.md`). Those up to the
//! environment and the faults are in `raw`. Here: the app's rate, query, members, offer, `pay_sig`, the player's rate,
//! session, `signature`. Nothing about a player is looked up before the app has proven itself.
//! Invariant: a [`VerifiedRequest`] has passed them all.

use pactolus_ledger::AccountKey;
use pactolus_protocol::raw::explain::RawProof;
use pactolus_protocol::raw::{Member, RawObject, RawProofs, RawRequest, RawWire, Reason};
use pactolus_protocol::{ErrorCode, ErrorReply, Query};
use pactolus_types::{Environment, UnixMillis, ZoneId};

use super::IncomingCall;
use crate::apps::ServedApp;
use crate::metrics::shard::LimitScope;
use crate::midas::verify::is_sandbox_player;
use crate::rate_limit;
use crate::rejections::rejection::RequestTrace;
use crate::settings::AppSettings;
use crate::state::AppState;

pub(super) struct VerifiedRequest<'a> {
    pub(super) request: RawRequest,
    pub(super) account: AccountKey,
    pub(super) app: &'a ServedApp,
    pub(super) received_at: UnixMillis,
    wire: RawWire,
}

impl<'a> VerifiedRequest<'a> {
    pub(super) async fn verify(
        bank: &AppState,
        app: &'a ServedApp,
        incoming: &IncomingCall<'_>,
        object: &RawObject<'_>,
        environment: Environment,
        bytes: &[u8],
        trace: &mut RequestTrace,
    ) -> Result<Self, ErrorReply> {
        let IncomingCall { path, head, received_at: now } = *incoming;
        let wire = path.wire();
        let translate = |error| translate_rate(wire, error);
        let limited =
            |scope| move |_: &ErrorReply| bank.metrics.count_limited(app.slot(), environment, scope);
        let checked = rate_limit::check_app(app, environment, now);
        checked.inspect_err(limited(LimitScope::AppRate)).map_err(translate)?;
        let query = Query::new(head.uri.query().unwrap_or_default());
        let proofs = RawProofs::from_query(path, query, app.present_signature)?;
        let request = RawRequest::read(path, object)?;
        trace.player = Some(request.openid);
        let account = account(app, environment, wire, &request)?;

        trace.proof = Some(RawProof::PaySig);
        verify_pay_sig(bank, app, environment, &proofs, bytes)?;
        trace.proof = None;
        // After `pay_sig`: a caller who cannot sign must not use up the player's rate.
        let checked = bank.rate_limiter.check_player(app, environment, request.openid, now);
        checked.inspect_err(limited(LimitScope::PlayerRate)).map_err(translate)?;
        if proofs.needs_session() {
            if environment == Environment::Live && is_sandbox_player(app, request.openid) {
                let detail = "the player logged in by an open code, which is for the sandbox only";
                return Err(Reason::NoSession.refuse(wire, detail));
            }
            let session = bank.sessions.get(app.appid, request.openid, now).await;
            let session = session.map_err(|error| translate_session(wire, error))?;
            trace.proof = Some(RawProof::Signature);
            proofs.verify_signature(bytes, &session.key, app.dialects)?;
            trace.proof = None;
        }
        Ok(Self { request, account, app, received_at: now, wire })
    }

    pub(super) const fn wire(&self) -> RawWire {
        self.wire
    }
}

/// Verifies `pay_sig` with the app's key, or else with the key before it while both are configured.
fn verify_pay_sig(
    bank: &AppState,
    app: &ServedApp,
    environment: Environment,
    proofs: &RawProofs,
    bytes: &[u8],
) -> Result<(), ErrorReply> {
    let Err(error) = proofs.verify_pay_sig(bytes, app.midas_key(environment), app.dialects) else {
        return Ok(());
    };
    match app.previous_midas_key(environment).map(|key| proofs.verify_pay_sig(bytes, key, app.dialects)) {
        Some(Ok(())) => {
            bank.metrics.count_previous_key(app.slot(), environment);
            Ok(())
        }
        Some(Err(_)) | None => Err(error),
    }
}

/// The account of a request. Errors: the wire's error of a parameter, for a zone or an offer that is not the app's.
fn account(
    app: &AppSettings,
    environment: Environment,
    wire: RawWire,
    request: &RawRequest,
) -> Result<AccountKey, ErrorReply> {
    if request.zone_id.is_some_and(|zone| !app.zones.is_empty() && !app.zones.contains(&zone)) {
        return Err(wire.invalid(Member::ZoneId, "is not a zone of this app"));
    }
    if request.offer_id.is_some_and(|offer| offer != app.offer_id) {
        return Err(wire.invalid(Member::OfferId, "is not the offer of this app"));
    }
    Ok(AccountKey {
        app: app.appid,
        environment,
        offer: app.offer_id,
        player: request.openid,
        zone: request.zone_id.unwrap_or_else(default_zone),
    })
}

/// The zone of apps without zones, and of calls that name none.
fn default_zone() -> ZoneId {
    ZoneId::new("1").expect("it is a valid zone")
}

/// The wire's own code for a rate limit. Other errors stay.
fn translate_rate(wire: RawWire, error: ErrorReply) -> ErrorReply {
    match (error.code(), error.detail()) {
        (ErrorCode::QuotaReached, Some(detail)) => Reason::TooManyRequests.refuse(wire, detail),
        _ => error,
    }
}

/// The wire's own code for a missing session. Other errors stay.
fn translate_session(wire: RawWire, error: ErrorReply) -> ErrorReply {
    match (error.code(), error.detail()) {
        (ErrorCode::NoSession, Some(detail)) => Reason::NoSession.refuse(wire, detail),
        _ => error,
    }
}
