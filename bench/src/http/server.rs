//! Server under measurement: the bank's own routes, and baseline routes that do a part of a present's work.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use pactolus_ledger::{Ledger, Posted};
use pactolus_ledger_embedded::EmbeddedStore;
use pactolus_ledger_postgres::{PostgresStore, PostgresUrl};
use pactolus_protocol::{
    AppSecret, Body, DialectPolicy, ErrorReply, MpSig, OperatorToken, Present, UnverifiedCall,
};
use pactolus_server::{
    AppSettings, AppState, Backend, Clock, OsRandomness, Settings, SystemClock, router, serve, serve_routes,
};
use pactolus_test_support::sample::{APPID, OFFER_ID, access_token, midas_key};

use super::route::{OPERATOR_TOKEN, Route};
use crate::worker::send_message;
use crate::workload::{self, ENVIRONMENT, PresentWorkload};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The store's folder, or the URL of a database
    store: PathBuf,
}

/// Prints its address and serves until it is killed.
pub(crate) fn run(arguments: &Args) -> anyhow::Result<()> {
    if let Some(url) = arguments.store.to_str().filter(|store| store.starts_with("postgres://")) {
        return serve_postgres(&url.parse()?);
    }
    let store =
        EmbeddedStore::open(&arguments.store, &pactolus_ledger_embedded::EmbeddedSettings::default())?;
    let store = Arc::new(store);
    let bank = AppState::new(
        settings()?,
        Backend::from_engine(Arc::clone(&store)),
        Arc::new(SystemClock),
        Arc::new(OsRandomness),
    );
    let baseline_routes = Router::new()
        .route(Route::Null.path(), post(null))
        .route(Route::Verified.path(), post(verified))
        .route(Route::Posted.path(), post(posted))
        .with_state(Arc::new(BaselineState { store, workload: PresentWorkload::for_players(1) }));
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        send_message(&listener.local_addr()?)?;
        let routes = router(Arc::clone(&bank)).merge(baseline_routes);
        serve_routes(bank, routes, listener, std::future::pending()).await?;
        Ok(())
    })
}

/// Serves from a database, with the bank's own routes only.
fn serve_postgres(url: &PostgresUrl) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let store = PostgresStore::open(url, &pactolus_ledger_postgres::PostgresSettings::default()).await?;
        let store = Backend::from_engine(Arc::new(store));
        let bank = AppState::new(settings()?, store, Arc::new(SystemClock), Arc::new(OsRandomness));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        send_message(&listener.local_addr()?)?;
        serve(bank, listener, std::future::pending()).await?;
        Ok(())
    })
}

/// One app; everything else has its default.
fn settings() -> anyhow::Result<Settings> {
    Ok(Settings {
        apps: vec![AppSettings {
            static_access_tokens: vec![access_token()],
            ..AppSettings::new(
                APPID.parse()?,
                AppSecret::new("0123456789abcdef0123456789abcdef")?,
                OFFER_ID.parse()?,
                midas_key(ENVIRONMENT),
                midas_key(ENVIRONMENT),
            )
        }],
        ..Settings::new(OperatorToken::new(OPERATOR_TOKEN)?)
    })
}

const OK_RESPONSE: &str = r#"{"errcode":0,"errmsg":"ok","balance":233,"bill_no":"BillNo_123"}"#;
const ERROR_RESPONSE: &str = r#"{"errcode":47001,"errmsg":"data format error"}"#;

/// State of the baseline routes.
struct BaselineState {
    store: Arc<EmbeddedStore>,
    workload: PresentWorkload,
}

/// Parses the body and returns the reply of a present.
async fn null(body: Bytes) -> &'static str {
    match Body::parse(&body) {
        Ok(_) => OK_RESPONSE,
        Err(_) => ERROR_RESPONSE,
    }
}

/// [`null`], plus both signatures.
async fn verified(State(state): State<Arc<BaselineState>>, body: Bytes) -> &'static str {
    match verify(&state.workload, &body) {
        Ok(_) => OK_RESPONSE,
        Err(_) => ERROR_RESPONSE,
    }
}

/// [`verified`], plus posting the order.
async fn posted(State(state): State<Arc<BaselineState>>, body: Bytes) -> &'static str {
    let Ok(present) = verify(&state.workload, &body) else { return ERROR_RESPONSE };
    match state.store.post(workload::order(&present), SystemClock.now()).await {
        Ok(Posted::Applied(_)) => OK_RESPONSE,
        Ok(Posted::Replayed { .. }) | Err(_) => ERROR_RESPONSE,
    }
}

/// Verifies the present in a body. Its keys are at hand; the bank has to look up those of the app and the session.
fn verify(workload: &PresentWorkload, body: &[u8]) -> Result<Present, ErrorReply> {
    let body = Body::parse(body)?;
    let received = UnverifiedCall::<Present>::read(ENVIRONMENT, &body, MpSig::Required)?;
    received.verify_sig(&workload.midas_key, DialectPolicy::Lenient)?;
    received.verify_mp_sig(&workload.session_key, &workload.access_token, DialectPolicy::Lenient)?;
    Ok(received.into_call())
}
