//! Every route of the bank, on one page.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, Request, Response};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse as _;
use axum::routing::{any, get, post, put};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use pactolus_protocol::WirePath;

use crate::connection::request_timeout::RequestTimer;
use crate::listener::{Audience, PeerAddress};
use crate::metrics::endpoint;
use crate::metrics::requests::count_request;
use crate::midas::faults::inject::ReplyDropped;
use crate::operator::problem::Problem;
use crate::operator::{
    accounts, clock, codes, faults as rules, orders, rejections, sessions, statement, totals,
};
use crate::platform::paths;
use crate::state::AppState;
use crate::{health, midas, openapi, operator, platform, raw, response};

pub(crate) struct RequestRouter {
    bank: Arc<AppState>,
    audience: Audience,
    routes: TowerToHyperService<Router>,
}

impl RequestRouter {
    /// Serves the Midas calls of `bank` to an `audience` that makes them, and `routes` for all other paths.
    pub(crate) fn new(bank: Arc<AppState>, audience: Audience, routes: Router) -> Self {
        Self { bank, audience, routes: TowerToHyperService::new(routes) }
    }

    /// Answers a request under the connection's timer. An error closes the connection without a response.
    pub(crate) async fn serve(
        &self,
        mut request: Request<Incoming>,
        peer: PeerAddress,
        timer: &RequestTimer,
    ) -> Result<Response<Either<Full<Bytes>, Body>>, ReplyDropped> {
        paths::merge_slashes(&mut request);
        // The paths of the calls take every method, because their reply to a wrong method is an error of theirs too.
        match WirePath::parse(request.uri().path()).filter(|_| self.audience.takes_calls()) {
            Some(WirePath::Midas(path)) => {
                return Ok(midas::serve(&self.bank, path, request, timer).await?.map(Either::Left));
            }
            // Boxed, so that it does not make the future of the other calls larger.
            Some(WirePath::Raw(path)) => {
                let served = Box::pin(raw::serve(&self.bank, path, request, timer));
                return Ok(served.await?.map(Either::Left));
            }
            None => {}
        }
        // A handler of GET takes HEAD too, and a HEAD must not issue a token. hyper drops the body.
        if request.method() == Method::HEAD && paths::is_vendors(request.uri().path()) {
            let refused = paths::refuse(&self.bank, request.method(), request.uri().path());
            return Ok(refused.map(Either::Right));
        }
        request.extensions_mut().insert(peer);
        let answered: Result<_, Infallible> = self.routes.call(request).await;
        let Ok(response) = answered;
        Ok(response.map(Either::Right))
    }
}

/// Every route of `bank` but the Midas calls.
pub fn router(bank: Arc<AppState>) -> Router {
    router_for(Audience::All, bank)
}

/// The routes of a listener for `audience`, but the Midas calls.
pub(crate) fn router_for(audience: Audience, bank: Arc<AppState>) -> Router {
    let health = Router::new().route("/healthz", get(health::healthz)).route("/readyz", get(health::readyz));
    let (routes, unknown) = match audience {
        Audience::All => (game(&bank).merge(operator(&bank)), any(unknown_path)),
        Audience::Game => (game(&bank), any(unknown_path)),
        Audience::Operator => (operator(&bank), any(no_such_path)),
    };
    routes.merge(health).fallback(unknown).method_not_allowed_fallback(wrong_method).with_state(bank)
}

type BankRoutes = Router<Arc<AppState>>;

/// Tokens and logins.
fn game(bank: &Arc<AppState>) -> BankRoutes {
    let logins = Router::new()
        .route("/cgi-bin/token", get(platform::token).post(platform::token))
        .route("/cgi-bin/stable_token", any(platform::stable_token))
        .route(
            "/sns/jscode2session",
            get(platform::login::jscode2session).post(platform::login::jscode2session),
        )
        .route_layer(from_fn(response::run_to_completion))
        .route_layer(from_fn(response::buffer_body));

    Router::new()
        .route("/wxa/checksession", get(platform::login::check_session).post(platform::login::check_session))
        .merge(logins)
        .layer(from_fn_with_state(Arc::clone(bank), response::platform_middleware))
}

/// The operator API and its document.
fn operator(bank: &Arc<AppState>) -> BankRoutes {
    let pushed_logins = Router::new()
        .route("/api/v1/apps/{appid}/players/{openid}/session", put(sessions::put))
        .route("/api/v1/apps/{appid}/players/{openid}/code", post(codes::post))
        .route_layer(from_fn(response::run_to_completion));

    Router::new()
        .merge(pushed_logins)
        .route("/api/v1/clock", get(clock::get).post(clock::post))
        .route("/api/v1/apps/{appid}/accounts", get(accounts::get))
        .route("/api/v1/rejections", get(rejections::list))
        .route("/api/v1/rejections/{rid}", get(rejections::get))
        .route("/api/v1/apps/{appid}/orders", post(orders::post))
        .route("/api/v1/apps/{appid}/orders/{bill_no}", get(orders::get))
        .route("/api/v1/apps/{appid}/statement", get(statement::get))
        .route("/api/v1/apps/{appid}/totals", get(totals::get))
        .route("/api/v1/apps/{appid}/faults", get(rules::get).put(rules::put))
        .layer(from_fn_with_state(Arc::clone(bank), operator::authorize))
        .route("/api/v1/openapi.json", get(openapi::get))
        .merge(metrics(bank))
        .layer(from_fn_with_state(Arc::clone(bank), count_request))
}

fn metrics(bank: &Arc<AppState>) -> BankRoutes {
    let authorize = from_fn_with_state(Arc::clone(bank), endpoint::authorize);
    Router::new().route("/metrics", get(endpoint::get)).layer(authorize)
}

/// What a listener for operators alone answers to the game's paths and to unknown ones.
async fn no_such_path() -> Response<Body> {
    Problem::not_found("this listener has no such path").into_response()
}

async fn unknown_path(State(bank): State<Arc<AppState>>, request: Request<Body>) -> Response<Body> {
    if paths::is_vendors(request.uri().path()) {
        return paths::refuse(&bank, request.method(), request.uri().path());
    }
    Problem::not_found("this bank has no such path").into_response()
}

async fn wrong_method(State(bank): State<Arc<AppState>>, request: Request<Body>) -> Response<Body> {
    if paths::is_vendors(request.uri().path()) {
        return paths::refuse(&bank, request.method(), request.uri().path());
    }
    Problem::method_not_allowed().into_response()
}
