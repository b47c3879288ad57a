//! The client, its builder and its calls.
//!
//! Each call interprets the replies to its own order. Read next: `retry`, the loop that makes the attempts.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use pactolus_protocol::reply::ApiError;
use pactolus_protocol::{
    self as wire, AccessToken, BalanceReply, CallKind, ErrorCode, ExistingOrder, Parameter, UnixSeconds,
};
use pactolus_types::BillNo;
use rustls::RootCertStore;
use tracing::Instrument as _;

use crate::app::App;
use crate::base_url::BaseUrl;
use crate::client_inner::ClientInner;
use crate::clock::{Clock, SystemClock};
use crate::error::{BalanceError, CancelPayError, OrderOutcome, PayError, PresentError, TokenError};
use crate::http::HttpClient;
use crate::random::{OsRandomness, Randomness};
use crate::refusal::{PriorAttempt, owned_rid, to_call_error};
use crate::requests::{
    AppliedBy, CancelPayReceipt, CancelPayRequest, PayReceipt, PayRequest, Player, PresentReceipt,
    PresentRequest,
};
use crate::retry::{CallOutcome, CallTemplate, call_with_retries};
use crate::retry_policy::RetryPolicy;
use crate::roots::{CaFileError, add_ca_file, web_roots};
use crate::route::ProxySource;
use crate::token::{TokenCache, TokenSource};

/// Calls one bank for one app in one environment. Clones share connections and the access token.
///
/// Dropping the future of a call leaves its outcome unknown, like a lost reply.
#[derive(Clone)]
pub struct Client(pub(crate) Arc<ClientInner>);

/// Builder of a [`Client`]. Everything but the app has a default.
#[derive(Clone)]
pub struct ClientBuilder {
    app: App,
    base_url: BaseUrl,
    token: TokenSource,
    retry_policy: RetryPolicy,
    roots: RootCertStore,
    proxy: ProxySource,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
}

impl ClientBuilder {
    /// The bank's address. Default: the vendor's host.
    #[must_use]
    pub fn base_url(self, base_url: BaseUrl) -> Self {
        Self { base_url, ..self }
    }

    /// The source of access tokens. Default: [`TokenSource::Stable`].
    #[must_use]
    pub fn token(self, token: TokenSource) -> Self {
        Self { token, ..self }
    }

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

    /// The clock for `ts`. Default: the machine's.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The random source for the backoff jitter. Default: the operating system's.
    #[must_use]
    pub fn randomness(self, random: Arc<dyn Randomness>) -> Self {
        Self { random, ..self }
    }

    /// Builds the client. It connects on first use. A plaintext base URL that leaves the machine is logged.
    pub fn build(self) -> Client {
        let Self { app, base_url, token, retry_policy, roots, proxy, clock, random } = self;
        if base_url.is_remote_plaintext() {
            tracing::warn!(%base_url, "the secret and the tokens cross the network unencrypted; use https");
        }
        let http = HttpClient::new(base_url, retry_policy.attempt_timeout, roots, proxy);
        let tokens = TokenCache::new(token, app.credentials.clone());
        Client(Arc::new(ClientInner { app, http, tokens, retry_policy, random, clock }))
    }
}

impl Client {
    /// A builder with the defaults, for `app`.
    pub fn builder(app: App) -> ClientBuilder {
        ClientBuilder {
            app,
            base_url: BaseUrl::default(),
            token: TokenSource::default(),
            retry_policy: RetryPolicy::default(),
            roots: web_roots(),
            proxy: ProxySource::Nowhere,
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandomness),
        }
    }

    /// The calling app.
    pub fn app(&self) -> &App {
        &self.0.app
    }

    /// The bank's address.
    pub fn base_url(&self) -> &BaseUrl {
        self.0.http.base_url()
    }

    /// Gives coins, once per bill number.
    ///
    /// "Order exists" (90012) is a success if it is known to be this order: the bank says so, or an earlier attempt
    /// of this call may have created it.
    pub async fn present(&self, present: &PresentRequest) -> Result<PresentReceipt, PresentError> {
        self.do_present(present, PriorAttempt::None).await
    }

    /// Retries a present that an earlier call may have applied: one that ended with
    /// [`OrderOutcome::Unknown`](crate::OrderOutcome), or one of a process that crashed.
    ///
    /// Like [`present`](Self::present), but any unspecific "order exists" is a success too: the vendor's host says no
    /// more of a used number. So call it only with a bill number that was made for this very order.
    pub async fn retry_present(&self, present: &PresentRequest) -> Result<PresentReceipt, PresentError> {
        self.do_present(present, PriorAttempt::EarlierCall).await
    }

    async fn do_present(
        &self,
        present: &PresentRequest,
        prior: PriorAttempt,
    ) -> Result<PresentReceipt, PresentError> {
        let PresentRequest { player, coins, bill_no } = present;
        let call_at = |ts| wire::Present {
            caller: self.0.caller(player, ts),
            present_counts: *coins,
            bill_no: *bill_no,
        };
        match self.call(player, call_at, Some(*bill_no), prior).await {
            CallOutcome::Success(reply) => Ok(PresentReceipt {
                bill_no: *bill_no,
                balance: Some(reply.balance),
                applied_by: AppliedBy::ThisAttempt,
            }),
            CallOutcome::Refused(refused, prior) => match match_existing_order(&refused, *bill_no, prior) {
                OrderMatch::Same { order, applied_by } => {
                    let balance = order.map(|order| order.balance);
                    Ok(PresentReceipt { bill_no: *bill_no, balance, applied_by })
                }
                OrderMatch::Mismatch(parameter) => {
                    Err(PresentError::BillNoTaken { parameter, rid: owned_rid(&refused) })
                }
                OrderMatch::Unspecified => Err(PresentError::BillNoUsed { rid: owned_rid(&refused) }),
                OrderMatch::Unrelated => Err(to_call_error(CallKind::Present, refused, prior).into()),
            },
            CallOutcome::Failed(error) => Err(error.into()),
        }
    }

    /// Takes coins, once per bill number. A replay is recognised as in [`present`](Self::present).
    pub async fn pay(&self, pay: &PayRequest) -> Result<PayReceipt, PayError> {
        self.do_pay(pay, PriorAttempt::None).await
    }

    /// Retries a pay that an earlier call may have applied, as [`retry_present`](Self::retry_present) does.
    pub async fn retry_pay(&self, pay: &PayRequest) -> Result<PayReceipt, PayError> {
        self.do_pay(pay, PriorAttempt::EarlierCall).await
    }

    async fn do_pay(&self, pay: &PayRequest, prior: PriorAttempt) -> Result<PayReceipt, PayError> {
        let PayRequest { player, coins, bill_no, item, remark } = pay;
        let call_at = |ts| wire::Pay {
            caller: self.0.caller(player, ts),
            amt: *coins,
            bill_no: *bill_no,
            pay_item: item.clone(),
            app_remark: remark.clone(),
        };
        match self.call(player, call_at, Some(*bill_no), prior).await {
            CallOutcome::Success(reply) => Ok(PayReceipt {
                bill_no: *bill_no,
                balance: Some(reply.balance),
                gifted_spent: Some(reply.used_gen_amt),
                applied_by: AppliedBy::ThisAttempt,
            }),
            CallOutcome::Refused(refused, prior) => match match_existing_order(&refused, *bill_no, prior) {
                OrderMatch::Same { order, applied_by } => {
                    let balance = order.map(|order| order.balance);
                    let gifted_spent = order.and_then(|order| order.used_gen_amt);
                    Ok(PayReceipt { bill_no: *bill_no, balance, gifted_spent, applied_by })
                }
                OrderMatch::Mismatch(parameter) => {
                    Err(PayError::BillNoTaken { parameter, rid: owned_rid(&refused) })
                }
                OrderMatch::Unspecified => Err(PayError::BillNoUsed { rid: owned_rid(&refused) }),
                OrderMatch::Unrelated if is_definite(&refused, ErrorCode::BalanceNotEnough, prior) => {
                    Err(PayError::BalanceNotEnough { rid: owned_rid(&refused) })
                }
                OrderMatch::Unrelated => Err(to_call_error(CallKind::Pay, refused, prior).into()),
            },
            CallOutcome::Failed(error) => Err(error.into()),
        }
    }

    /// Gives back the coins of a pay, once. A pay that was cancelled before is a success, with its [`AppliedBy`].
    pub async fn cancel_pay(&self, cancel: &CancelPayRequest) -> Result<CancelPayReceipt, CancelPayError> {
        self.do_cancel_pay(cancel, PriorAttempt::None).await
    }

    /// Retries a cancelpay that an earlier call may have applied: a refusal then leaves its outcome unknown.
    pub async fn retry_cancel_pay(
        &self,
        cancel: &CancelPayRequest,
    ) -> Result<CancelPayReceipt, CancelPayError> {
        self.do_cancel_pay(cancel, PriorAttempt::EarlierCall).await
    }

    async fn do_cancel_pay(
        &self,
        cancel: &CancelPayRequest,
        prior: PriorAttempt,
    ) -> Result<CancelPayReceipt, CancelPayError> {
        let CancelPayRequest { player, bill_no, item } = cancel;
        let call_at = |ts| wire::CancelPay {
            caller: self.0.caller(player, ts),
            bill_no: *bill_no,
            pay_item: item.clone(),
        };
        match self.call(player, call_at, Some(*bill_no), prior).await {
            CallOutcome::Success(reply) => {
                Ok(CancelPayReceipt { bill_no: reply.bill_no, applied_by: AppliedBy::ThisAttempt })
            }
            CallOutcome::Refused(refused, prior) => {
                if refused.code() == Some(ErrorCode::OrderCanceled) {
                    Ok(CancelPayReceipt { bill_no: *bill_no, applied_by: prior.applied_by() })
                } else if is_definite(&refused, ErrorCode::OrderNotExist, prior) {
                    Err(CancelPayError::PayNotFound { rid: owned_rid(&refused) })
                } else if is_definite(&refused, ErrorCode::OrderConfirmed, prior) {
                    Err(CancelPayError::TooLate { rid: owned_rid(&refused) })
                } else {
                    Err(to_call_error(CallKind::CancelPay, refused, prior).into())
                }
            }
            CallOutcome::Failed(error) => Err(error.into()),
        }
    }

    /// A player's balance and totals.
    pub async fn get_balance(&self, player: &Player) -> Result<BalanceReply, BalanceError> {
        let call_at = |ts| wire::GetBalance { caller: self.0.caller(player, ts) };
        match self.call(player, call_at, None, PriorAttempt::None).await {
            CallOutcome::Success(reply) => Ok(reply),
            CallOutcome::Refused(refused, prior) => {
                Err(to_call_error(CallKind::GetBalance, refused, prior).into())
            }
            CallOutcome::Failed(error) => Err(error.into()),
        }
    }

    /// The current access token, fetched if there is none. One attempt.
    pub async fn access_token(&self) -> Result<AccessToken, TokenError> {
        self.0.tokens.get(&self.0.http, self.0.retry_policy.attempt_timeout).await
    }

    async fn call<C: wire::Call>(
        &self,
        player: &Player,
        call_at: impl Fn(UnixSeconds) -> C,
        bill_no: Option<BillNo>,
        prior: PriorAttempt,
    ) -> CallOutcome<C::Reply> {
        let template = CallTemplate { call_at, session_key: player.session_key.as_ref() };
        let span = tracing::debug_span!(
            "midas",
            call = %C::KIND,
            environment = %self.0.app.environment,
            openid = %player.openid,
            bill_no = bill_no.map(tracing::field::display),
        );
        call_with_retries(&self.0, template, prior).instrument(span).await
    }
}

/// The meaning of a refusal for the order with this bill number.
enum OrderMatch {
    /// The order exists and is the requested one: an idempotent replay.
    Same { order: Option<ExistingOrder>, applied_by: AppliedBy },
    /// Another order exists; it differs in this parameter.
    Mismatch(Parameter),
    /// An order exists, and the bank does not say which.
    Unspecified,
    /// The refusal is not about an existing order.
    Unrelated,
}

/// Whether the refusal has this code, and no earlier attempt is in doubt: then the order is not applied. After such an
/// attempt the same code is a [`CallError::Api`](crate::CallError) with an unknown outcome (`refusal`).
fn is_definite(refused: &ApiError, code: ErrorCode, prior: PriorAttempt) -> bool {
    refused.code() == Some(code) && prior.outcome() == OrderOutcome::NotApplied
}

fn match_existing_order(refused: &ApiError, bill_no: BillNo, prior: PriorAttempt) -> OrderMatch {
    if refused.code() != Some(ErrorCode::OrderExist) {
        return OrderMatch::Unrelated;
    }
    let existing = refused.existing.filter(|order| order.bill_no == bill_no);
    match (refused.mismatched_parameter(), existing, prior) {
        (Some(parameter), ..) => OrderMatch::Mismatch(parameter),
        (None, Some(order), _) => OrderMatch::Same { order: Some(order), applied_by: prior.applied_by() },
        (None, None, PriorAttempt::EarlierCall | PriorAttempt::EarlierAttempt) => {
            OrderMatch::Same { order: None, applied_by: prior.applied_by() }
        }
        (None, None, PriorAttempt::None | PriorAttempt::InFlight) => OrderMatch::Unspecified,
    }
}

/// Redacted: app and base URL, no key and no token.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("app", self.app())
            .field("base_url", self.base_url())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("app", &self.app)
            .field("base_url", &self.base_url)
            .field("retry_policy", &self.retry_policy)
            .finish_non_exhaustive()
    }
}
