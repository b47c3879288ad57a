//! The bank over HTTP: the calls of three wires, access tokens, and the operator API.
//!
//! The path of a present: `router` passes it to `midas::serve`. `midas::verify` checks method, token, body,
//! parameters, privilege, `sig`, session and `mp_sig`, in this order, and counts the call against the `rate_limit`.
//! The handler in `midas` posts the order that `midas::convert` makes of the call, and converts the result to a
//! reply. For sandbox calls, `midas::faults` injects the configured faults. The calls of `/wxa/game/*` and `/xpay/*`
//! go through `raw` in the same way. All other paths go through [`router()`].
//!
//! This crate persists nothing itself: orders go to a [`Ledger`](pactolus_ledger::Ledger), tokens and sessions to
//! [`Records`](pactolus_ledger::Records) through the vault of `seal`, which encrypts them. `rejections` keeps
//! rejected calls in memory, for a while. The crate never logs a body, a key or a token.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use std::sync::Arc;
//! use pactolus_ledger::model::Model;
//! use pactolus_protocol::OperatorToken;
//! use pactolus_server::{AppState, OsRandomness, Settings, Backend, SystemClock, serve};
//!
//! let store = Backend::from_engine(Arc::new(Model::new()));
//! let settings = Settings::new(OperatorToken::new("an-operators-token")?);
//! let bank = AppState::new(settings, store, Arc::new(SystemClock), Arc::new(OsRandomness));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! serve(bank, listener, async {}).await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! To add a Midas call: its types in `pactolus-protocol`, its order in `midas::convert`, a handler in `midas` and its
//! line in `midas::dispatch`. To add an operator endpoint: a handler in `operator`, a line in `router` and one in
//! `openapi::operator`.

mod apps;
mod auth;
mod body;
mod clock;
mod connection;
mod entry;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
mod listener;
mod live;
mod log_sampler;
pub mod metrics;
mod midas;
mod openapi;
mod operator;
mod platform;
mod random;
mod rate_limit;
mod raw;
mod rejections;
mod response;
mod router;
mod seal;
mod serve;
mod settings;
mod state;
mod time_zone;
mod tls;

pub use clock::{Clock, ClockChange, ClockOutOfRange, ManualClock, SystemClock};
pub use listener::{Audience, Listener};
pub use live::RestartNeeded;
pub use metrics::{MetricsMode, ProcessInfo};
pub use random::{OsRandomness, Randomness};
pub use rejections::request_check::{RequestFinding, check_request};
pub use router::router;
pub use seal::{
    DuplicateKey, InvalidMasterKey, KeyCheckError, KeyId, Keyring, MasterKey, SealStatus, expire_record,
};
pub use serve::{Shutdown, serve, serve_listeners, serve_routes};
pub use settings::{AppSettings, Limits, LoginMode, Settings};
pub use state::{AppState, Backend};
pub use time_zone::{AppTimeZone, UnknownTimeZone};
pub use tls::{InvalidTls, TlsIdentity};
