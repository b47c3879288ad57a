//! Calls a coin bank that speaks the Midas protocol: Pactolus or the vendor's own host, which differ in the base URL.
//!
//! It signs, holds the access token, tries again what may be tried again, always with the same bill number, and knows
//! its own order again when the bank says that it exists. What it cannot know it says: an error tells whose fault it
//! is, whether to try again, and whether coins may have moved.
//!
//! ```
//! # use std::sync::Arc;
//! # use pactolus_ledger::model::Model;
//! # use pactolus_protocol::MpSig;
//! # use pactolus_server::{AppSettings, Bank, Settings, Store, serve};
//! use pactolus_client::{AccessToken, Amount, App, AppSecret, BaseUrl, BillNoGenerator, Client, AppliedBy, MidasKey, Player, PresentRequest};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # let (secret, key) = (AppSecret::new("APPSECRET")?, MidasKey::new("a-sandbox-key")?);
//! # let (appid, offer_id) = ("wx1234567".parse()?, "12345678".parse()?);
//! # let live_key = MidasKey::new("a-live-key")?;
//! # let app = AppSettings { mp_sig: MpSig::Off, ..AppSettings::new(appid, secret, offer_id, live_key, key) };
//! # let settings = Settings { apps: vec![app], ..Settings::new(AccessToken::new("OPERATORTOKEN")?) };
//! # let bank = Bank::new(
//! #     settings,
//! #     Store::of(Arc::new(Model::new())),
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
//! // Without a base URL it is the vendor's host.
//! let client = Client::builder(app).base_url(BaseUrl::new(&url)?).build();
//!
//! // Keep the bill number with what the gift is for before you give it.
//! let bill_nos = BillNoGenerator::prefixed("mail-")?;
//! let gift = PresentRequest {
//!     player: Player::new("odkx20ENSNa2w5y3g_qOkOvBNM1g".parse()?),
//!     coins: Amount::new(233).expect("it is neither 0 nor too many"),
//!     bill_no: bill_nos.next(),
//! };
//! let presented = client.present(&gift).await?;
//! assert_eq!(presented.balance.map(|coins| coins.get()), Some(233));
//!
//! // The same again gives nothing, and is no failure.
//! let again = client.present(&gift).await?;
//! assert_eq!((again.balance, again.applied_by), (presented.balance, AppliedBy::EarlierCall));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! When a call fails, [`outcome`](PresentError::outcome) says what is known of the order. Where that is
//! [`OrderOutcome::Unknown`], call [`Client::retry_present`] with the same request, now or after a restart, until it is
//! known. The feature `blocking` adds a twin for programs without an asynchronous runtime.
//!
//! Spans and events go to `tracing`, at the level `debug`; none holds a key, a token, a signature or a body.
//!
//! To add a call: its types in `pactolus-protocol`, its request and its outcome in `requests`, its error in `error`,
//! and in `client` the method that says what each answer means; then its twin in `blocking`.

mod app;
mod base_url;
mod bill_no;
#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
mod clock;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
mod random;
mod requests;
mod retry;
mod retry_policy;
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
pub use token::TokenSource;

pub use pactolus_protocol::reply::ApiError;
pub use pactolus_protocol::{
    AccessToken, AppSecret, BalanceReply, ErrorCode, FreeText, MidasKey, Parameter, Pf, SessionKey,
};
pub use pactolus_types::{Amount, AppId, BillNo, Coins, Environment, OfferId, OpenId, UnixMillis, ZoneId};
