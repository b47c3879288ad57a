//! The checks of the Midas calls: from a request to a call that is to be carried out.
//!
//! The order of checks is a part of the contract (`docs/protocol.md`): method, token, the app's rate, body,
//! parameters, privilege, `sig`, the player's rate, session, `mp_sig`. Whoever holds a [`Signed`] call holds one that passed them all.

use std::pin::{Pin, pin};
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::Method;
use http_body_util::BodyExt;
use pactolus_protocol::{
    AccessToken, BODY_BYTES_MAX, Body, Call, ErrorCode, Parameter, Query, Received, Refusal,
};
use pactolus_types::{Environment, UnixMillis};

use super::{Arrival, Sent};
use crate::bank::Bank;
use crate::rejections::Seen;
use crate::settings::AppSettings;

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
    ) -> Result<Self, Refusal> {
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

/// The whole body, if it is not too large and does not break off.
///
/// What comes in pieces is copied together as it comes: each piece is a view of a buffer of some 8 KiB, and a body that
/// comes byte by byte would hold as many buffers as it has bytes.
pub(crate) async fn read_body<B: Sent>(body: B) -> Result<Bytes, Refusal> {
    let mut body = pin!(body);
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::because(ErrorCode::DataFormat, "the body broke off"))?;
        // Trailers are no part of a body.
        let Ok(piece) = frame.into_data() else { continue };
        if whole.len() + piece.len() > BODY_BYTES_MAX {
            drop(piece);
            pass_over(body).await;
            return Err(Body::too_large());
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok(piece);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}

/// How much of a body that is too large is passed over before it is refused.
const PASSED_OVER_BYTES_MAX: usize = 256 * 1024;

/// Reads what is left of a body that is too large and keeps none of it: a connection that is closed while its client
/// still sends is reset, and the client may never see why. Who sends without end will not.
async fn pass_over<B: Sent>(mut body: Pin<&mut B>) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(1, Bytes::len);
        if bytes > PASSED_OVER_BYTES_MAX {
            return;
        }
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
) -> Result<C, Refusal> {
    let body = Body::parse(bytes)?;
    let received = Received::<C>::read(environment, &body, app.mp_sig)?;
    let caller = received.call().caller();
    if !app.pf.contains(&caller.pf) {
        return Err(Refusal::parameter(Parameter::Pf, "is not a platform of this app"));
    }
    if caller.appid != app.appid {
        return Err(Refusal::because(ErrorCode::NoPrivilege, "appid is not the app of the access_token"));
    }
    if caller.offer_id != app.offer_id {
        return Err(Refusal::because(ErrorCode::NoPrivilege, "offer_id is not the offer of this app"));
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    /// A buffer that a piece is a view of.
    struct Buffer(Arc<AtomicUsize>);

    impl AsRef<[u8]> for Buffer {
        fn as_ref(&self) -> &[u8] {
            b"x"
        }
    }

    impl Drop for Buffer {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A body came byte by byte, and each byte kept the buffer that it was read into: a client that sent 16 KiB in small
    /// packets took 128 MiB until its deadline.
    #[tokio::test]
    async fn a_body_in_pieces_holds_no_more_than_its_bytes() {
        for (bytes, taken) in [(1000, true), (BODY_BYTES_MAX, true), (BODY_BYTES_MAX + 1, false)] {
            let held = Arc::new(AtomicUsize::new(0));
            let pieces = (0..bytes).map(|_| {
                assert!(held.fetch_add(1, Ordering::Relaxed) <= 1, "a piece is kept after the next has come");
                Ok::<_, Infallible>(Frame::data(Bytes::from_owner(Buffer(Arc::clone(&held)))))
            });
            let body = read_body(StreamBody::new(stream::iter(pieces))).await;
            assert_eq!(body.map(|body| body.len()).ok(), taken.then_some(bytes));
            assert_eq!(held.load(Ordering::Relaxed), 0);
        }
    }
}
