//! Client SDK for a coin bank that speaks the Midas protocol: Pactolus or the vendor's own host. The two differ only
//! in the base URL.
//!
//! The client signs calls, caches the access token, and retries with backoff, always under the same bill number. The
//! bill number is an idempotency key: a replayed order is recognised and moves nothing. An error says which side has
//! to act, whether to retry, and whether coins may have moved.
//!
//! ```
//! # use std::sync::Arc;
//! # use pactolus_ledger::model::Model;
//! # use pactolus_protocol::{MpSig, OperatorToken};
//! # use pactolus_server::{AppSettings, AppState, Backend, Settings, serve};
//! use pactolus_client::{
//!     AccessToken, Amount, App, AppSecret, AppliedBy, BaseUrl, BillNoGenerator, Client, MidasKey, Player,
//!     PresentRequest,
//! };
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # let (secret, key) = (AppSecret::new("APPSECRET")?, MidasKey::new("a-sandbox-key")?);
//! # let (appid, offer_id) = ("wx1234567".parse()?, "12345678".parse()?);
//! # let live_key = MidasKey::new("a-live-key")?;
//! # let app = AppSettings { mp_sig: MpSig::Off, ..AppSettings::new(appid, secret, offer_id, live_key, key) };
//! # let settings = Settings { apps: vec![app], ..Settings::new(OperatorToken::new("OPERATORTOKEN")?) };
//! # let bank = AppState::new(
//! #     settings,
//! #     Backend::from_engine(Arc::new(Model::new())),
//! #     Arc::new(pactolus_server::SystemClock),
//! #     Arc::new(pactolus_server::OsRandomness),
//! # );
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("http://{}", listener.local_addr()?);
//! # tokio::spawn(serve(bank, listener, std::future::pending()));
//! let app = App::sandbox(
//!     "wx1234567".parse()?,
//!     "12345678".parse()?,
//!     AppSecret::new("APPSECRET")?,
//!     MidasKey::new("a-sandbox-key")?,
//! );
//! // The default base URL is the vendor's host.
//! let client = Client::builder(app).base_url(BaseUrl::new(&url)?).build();
//!
//! // Store the bill number with the gift's purpose before the call.
//! let bill_nos = BillNoGenerator::with_prefix("mail-")?;
//! let gift = PresentRequest {
//!     player: Player::new("odkx20ENSNa2w5y3g_qOkOvBNM1g".parse()?),
//!     coins: Amount::new(233)?,
//!     bill_no: bill_nos.next(),
//! };
//! let presented = client.present(&gift).await?;
//! assert_eq!(presented.balance.map(|coins| coins.get()), Some(233));
//!
//! // The same order again is an idempotent replay: a success that gives nothing.
//! let again = client.present(&gift).await?;
//! assert_eq!((again.balance, again.applied_by), (presented.balance, AppliedBy::EarlierCall));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! After a failed call, [`outcome`](PresentError::outcome) gives the state of the order. If it is
//! [`OrderOutcome::Unknown`], call [`Client::retry_present`] with the same request, now or after a restart, until the
//! state is known. The feature `blocking` adds a client for programs without an async runtime.
//!
//! Spans and events go to `tracing` at level `debug`; a failed early token refresh, and a plaintext base URL that leaves
//! the machine, are logged at `warn`. None holds a key, a token, a signature or a body.
//!
//! The proxy variables of the environment (`HTTPS_PROXY` and the like) are read only on
//! [`ClientBuilder::proxy_from_env`], and for https alone.
//!
//! The operator API of a Pactolus bank has a client of its own: [`operator`].
//!
//! To add a call: its types in `pactolus-protocol`, its request and receipt in `requests`, its error in `error`, the
//! method that interprets its replies in `client`, and its blocking form in `blocking`.

mod app;
mod base_url;
mod bill_no;
#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
mod client_inner;
mod clock;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
pub mod operator;
mod random;
mod refusal;
mod requests;
mod retry;
mod retry_policy;
mod roots;
mod route;
mod token;

pub use app::App;
pub use base_url::{BaseUrl, InvalidBaseUrl};
pub use bill_no::BillNoGenerator;
pub use client::{Client, ClientBuilder};
pub use clock::{Clock, SystemClock};
pub use error::{
    AttemptFailure, BalanceError, CallError, CancelPayError, ErrorSource, OrderOutcome, PayError,
    PresentError, TokenError,
};
pub use http::TransportError;
pub use random::{OsRandomness, Randomness};
pub use requests::{
    AppliedBy, CancelPayReceipt, CancelPayRequest, PayReceipt, PayRequest, Player, PresentReceipt,
    PresentRequest,
};
pub use retry_policy::RetryPolicy;
pub use roots::CaFileError;
pub use token::TokenSource;

pub use pactolus_protocol::reply::ApiError;
pub use pactolus_protocol::{
    AccessToken, AppSecret, BalanceReply, ErrorCode, FreeText, LoginCode, MidasKey, OperatorToken, Parameter,
    Pf, Rid, SessionKey,
};
pub use pactolus_types::{Amount, AppId, BillNo, Coins, Environment, OfferId, OpenId, UnixMillis, ZoneId};
