//! Client of the operator API of a Pactolus bank: accounts, orders, totals, logins, faults, rejections, the clock.
//!
//! It is for the programs of an operator: support tools, live-ops, a login service. It signs nothing and needs no
//! player's session, only the operator's token, which opens every app of the bank.
//!
//! ```
//! # use std::sync::Arc;
//! # use pactolus_client::{AppSecret, MidasKey};
//! # use pactolus_ledger::model::Model;
//! # use pactolus_server::{AppSettings, AppState, Backend, Settings, serve};
//! use pactolus_client::operator::{AccountId, NewOrder, NewOrderKind, OperatorClient};
//! use pactolus_client::{Amount, AppliedBy, BaseUrl, Environment, OperatorToken};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # let (live, sandbox) = (MidasKey::new("a-live-key")?, MidasKey::new("a-sandbox-key")?);
//! # let (appid, offer_id) = ("wx1234567".parse()?, "12345678".parse()?);
//! # let app = AppSettings::new(appid, AppSecret::new("APPSECRET")?, offer_id, live, sandbox);
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
//! let operator = OperatorClient::builder(OperatorToken::new("OPERATORTOKEN")?, BaseUrl::new(&url)?).build();
//! let account = AccountId {
//!     appid: "wx1234567".parse()?,
//!     environment: Environment::Live,
//!     openid: "odkx20ENSNa2w5y3g_qOkOvBNM1g".parse()?,
//!     zone_id: "1".parse()?,
//! };
//! // The bill number is the idempotency key: the same order again changes nothing.
//! let gift = NewOrder::new(account, "outage-0412".parse()?, NewOrderKind::Present(Amount::new(233)?));
//! assert_eq!(operator.post_order(&gift).await?.applied_by, AppliedBy::ThisAttempt);
//! assert_eq!(operator.post_order(&gift).await?.applied_by, AppliedBy::EarlierCall);
//! assert_eq!(operator.account(&account).await?.sums.balance.get(), 233);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A call is retried until its deadline if repeating it is safe; [`OperatorError`] says what is known after a failure.
//! The types mirror the bank's OpenAPI document: `tests/it/operator_contract.rs` compares every field.
//!
//! To add a call: its types in the file of its subject, its method in `calls`, its row in that test.
//! Read next: `calls`, the methods; `retry`, the attempts.

mod accounts;
mod calls;
mod clock;
mod error;
mod faults;
mod json;
mod orders;
mod rejections;
mod request;
mod retry;
mod sessions;
mod totals;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use pactolus_protocol::OperatorToken;
use rustls::RootCertStore;

use crate::base_url::BaseUrl;
use crate::http::HttpClient;
use crate::random::{OsRandomness, Randomness};
use crate::retry_policy::RetryPolicy;
use crate::roots::{CaFileError, add_ca_file, web_roots};
use crate::route::ProxySource;

pub use accounts::{AccountDetails, AccountId, AccountSums};
pub use clock::{ClockChange, ClockDetails, ClockKind};
pub use error::{OperatorError, OperatorFailure, Problem, ProblemKind};
pub use faults::{Fault, FaultRule, FaultRuleStatus, FaultyCall, FaultyWire};
pub use orders::{
    CoinPart, Debit, NewOrder, NewOrderKind, OrderDetails, PostedOrder, ReceiptDetails, ReceiptKind,
    ReceiptNumbering, Shortfall, Statement, StatementPage,
};
pub use rejections::{Finding, ReceivedParameter, RejectionBrief, RejectionDetails, RejectionList};
pub use sessions::{IssuedCode, SessionDetails};
pub use totals::{CalendarDay, DayTotal, InvalidDay, KindTotal, PeriodTotals};

/// Calls the operator API of one bank. Clones share connections.
#[derive(Clone)]
pub struct OperatorClient(Arc<OperatorInner>);

struct OperatorInner {
    token: OperatorToken,
    http: HttpClient,
    retry_policy: RetryPolicy,
    random: Arc<dyn Randomness>,
}

/// Builder of an [`OperatorClient`].
#[derive(Clone)]
pub struct OperatorClientBuilder {
    token: OperatorToken,
    base_url: BaseUrl,
    retry_policy: RetryPolicy,
    roots: RootCertStore,
    proxy: ProxySource,
    random: Arc<dyn Randomness>,
}

impl OperatorClientBuilder {
    /// Trusts the certificates of a PEM file too, besides the web's root certificates. May be called several times.
    pub fn ca_file(mut self, path: impl AsRef<Path>) -> Result<Self, CaFileError> {
        add_ca_file(&mut self.roots, path.as_ref())?;
        Ok(self)
    }

    /// Calls an https bank through the proxy that `HTTPS_PROXY` or `ALL_PROXY` names, unless `NO_PROXY` lists its host.
    /// A bank without TLS is called directly.
    #[must_use]
    pub fn proxy_from_env(mut self) -> Self {
        self.proxy = ProxySource::Environment;
        self
    }

    /// Timeouts, attempts and backoff of a call.
    #[must_use]
    pub fn retry_policy(self, policy: RetryPolicy) -> Self {
        Self { retry_policy: policy, ..self }
    }

    /// The random source for the backoff jitter. Default: the operating system's.
    #[must_use]
    pub fn randomness(self, random: Arc<dyn Randomness>) -> Self {
        Self { random, ..self }
    }

    /// Builds the client. It connects on first use. A plaintext base URL that leaves the machine is logged.
    pub fn build(self) -> OperatorClient {
        let Self { token, base_url, retry_policy, roots, proxy, random } = self;
        if base_url.is_remote_plaintext() {
            tracing::warn!(%base_url, "the operator token crosses the network unencrypted; use https");
        }
        let http = HttpClient::new(base_url, retry_policy.attempt_timeout, roots, proxy);
        OperatorClient(Arc::new(OperatorInner { token, http, retry_policy, random }))
    }
}

impl OperatorClient {
    /// A builder with the defaults. The operator API is Pactolus's own, so there is no default address.
    pub fn builder(token: OperatorToken, base_url: BaseUrl) -> OperatorClientBuilder {
        OperatorClientBuilder {
            token,
            base_url,
            retry_policy: RetryPolicy::default(),
            roots: web_roots(),
            proxy: ProxySource::Nowhere,
            random: Arc::new(OsRandomness),
        }
    }

    /// The bank's address.
    pub fn base_url(&self) -> &BaseUrl {
        self.0.http.base_url()
    }
}

/// Redacted: the base URL, no token.
impl fmt::Debug for OperatorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorClient").field("base_url", self.base_url()).finish_non_exhaustive()
    }
}

impl fmt::Debug for OperatorClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorClientBuilder")
            .field("base_url", &self.base_url)
            .field("retry_policy", &self.retry_policy)
            .finish_non_exhaustive()
    }
}
