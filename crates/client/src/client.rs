//! The client: how one is built, and its calls.
//!
//! Each call says here what the answers to its order mean; how it is tried is in `attempt`.

use std::fmt;
use std::sync::Arc;

use pactolus_protocol::reply::ApiError;
use pactolus_protocol::{
    self as wire, AccessToken, BalanceReply, Caller, ErrorCode, ExistingOrder, Parameter, UnixSeconds,
};
use pactolus_types::BillNo;
use tracing::Instrument as _;

use crate::app::App;
use crate::base_url::BaseUrl;
use crate::clock::{Clock, SystemClock};
use crate::error::{BalanceError, CancelPayError, PayError, PresentError, TokenError};
use crate::http::Http;
use crate::random::{OsRandomness, Randomness};
use crate::requests::{CancelPay, Cancelled, DoneBy, Paid, Pay, Player, Present, Presented};
use crate::retry::{Doubt, Ended, Signing, attempt, refusal};
use crate::retry_policy::Patience;
use crate::token::{TokenSource, Tokens};

/// Calls one bank for one app in one environment. Clones share connections and the access token.
///
/// Dropping the future of a call leaves its outcome unknown, as a lost answer does.
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) app: App,
    pub(crate) http: Http,
    pub(crate) tokens: Tokens,
    pub(crate) patience: Patience,
    pub(crate) random: Arc<dyn Randomness>,
    clock: Arc<dyn Clock>,
}

/// What a client is built from. All but the app has a default.
pub struct Builder {
    app: App,
    base_url: BaseUrl,
    token: TokenSource,
    patience: Patience,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
}

impl Builder {
    /// Where the bank is; the vendor's own host, if it is not said.
    #[must_use]
    pub fn base_url(self, base_url: BaseUrl) -> Self {
        Self { base_url, ..self }
    }

    /// Where access tokens are from.
    #[must_use]
    pub fn token(self, token: TokenSource) -> Self {
        Self { token, ..self }
    }

    /// How long calls are tried.
    #[must_use]
    pub fn patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// What tells the time for `ts`.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// What spreads out the tries.
    #[must_use]
    pub fn randomness(self, random: Arc<dyn Randomness>) -> Self {
        Self { random, ..self }
    }

    /// The client. It connects when it is first used.
    pub fn build(self) -> Client {
        let Self { app, base_url, token, patience, clock, random } = self;
        let http = Http::new(base_url, patience.try_timeout);
        let tokens = Tokens::new(token, app.credentials.clone());
        Client(Arc::new(Inner { app, http, tokens, patience, random, clock }))
    }
}

impl Client {
    /// A client of `app`'s, to be told what is not as usual.
    pub fn builder(app: App) -> Builder {
        Builder {
            app,
            base_url: BaseUrl::default(),
            token: TokenSource::default(),
            patience: Patience::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandomness),
        }
    }

    /// The app that it calls for.
    pub fn app(&self) -> &App {
        &self.0.app
    }

    /// Where its bank is.
    pub fn base_url(&self) -> &BaseUrl {
        self.0.http.base_url()
    }

    /// Gives coins, once for each bill number.
    ///
    /// An answer that the order exists already is taken for a success where it is known to be this very order: if the
    /// bank says so, or if an earlier try of this call may have made it.
    pub async fn present(&self, present: &Present) -> Result<Presented, PresentError> {
        self.do_present(present, Doubt::None).await
    }

    /// Gives coins that an earlier call may have given: one that ended with [`Outcome::Unknown`](crate::Outcome), or
    /// one of a process that is no more.
    ///
    /// It does as [`present`](Self::present) does, and also takes for a success what the vendor's host says of every
    /// number that was used. So it must only be called with a number that was made for this very order.
    pub async fn present_again(&self, present: &Present) -> Result<Presented, PresentError> {
        self.do_present(present, Doubt::EarlierCall).await
    }

    async fn do_present(&self, present: &Present, doubt: Doubt) -> Result<Presented, PresentError> {
        let Present { player, coins, bill_no } = present;
        let call_at = |ts| wire::Present {
            caller: self.0.caller(player, ts),
            present_counts: *coins,
            bill_no: *bill_no,
        };
        match self.0.call(player, call_at, Some(*bill_no), doubt).await {
            Ended::Done(reply) => {
                Ok(Presented { bill_no: *bill_no, balance: Some(reply.balance), done_by: DoneBy::ThisTry })
            }
            Ended::Refused(refused, doubt) => match existing(&refused, doubt) {
                Existing::This { order, done_by } => {
                    let balance = order.map(|order| order.balance);
                    Ok(Presented { bill_no: *bill_no, balance, done_by })
                }
                Existing::Another(parameter) => Err(PresentError::BillNoTaken(parameter)),
                Existing::Some => Err(PresentError::BillNoUsed),
                Existing::None => Err(refusal(refused, doubt).into()),
            },
            Ended::Failed(error) => Err(error.into()),
        }
    }

    /// Takes coins, once for each bill number. Like [`present`](Self::present), it knows its own order again.
    pub async fn pay(&self, pay: &Pay) -> Result<Paid, PayError> {
        self.do_pay(pay, Doubt::None).await
    }

    /// Takes coins that an earlier call may have taken, as [`present_again`](Self::present_again) gives.
    pub async fn pay_again(&self, pay: &Pay) -> Result<Paid, PayError> {
        self.do_pay(pay, Doubt::EarlierCall).await
    }

    async fn do_pay(&self, pay: &Pay, doubt: Doubt) -> Result<Paid, PayError> {
        let Pay { player, coins, bill_no, item, remark } = pay;
        let call_at = |ts| wire::Pay {
            caller: self.0.caller(player, ts),
            amt: *coins,
            bill_no: *bill_no,
            pay_item: item.clone(),
            app_remark: remark.clone(),
        };
        match self.0.call(player, call_at, Some(*bill_no), doubt).await {
            Ended::Done(reply) => Ok(Paid {
                bill_no: *bill_no,
                balance: Some(reply.balance),
                used_gifted: Some(reply.used_gen_amt),
                done_by: DoneBy::ThisTry,
            }),
            Ended::Refused(refused, doubt) => match existing(&refused, doubt) {
                Existing::This { order, done_by } => {
                    let balance = order.map(|order| order.balance);
                    Ok(Paid { bill_no: *bill_no, balance, used_gifted: None, done_by })
                }
                Existing::Another(parameter) => Err(PayError::BillNoTaken(parameter)),
                Existing::Some => Err(PayError::BillNoUsed),
                // The bank looks for the order of a bill number before it looks at the balance: this one was never
                // applied, whatever became of earlier tries.
                Existing::None if refused.code() == Some(ErrorCode::BalanceNotEnough) => {
                    Err(PayError::BalanceNotEnough)
                }
                Existing::None => Err(refusal(refused, doubt).into()),
            },
            Ended::Failed(error) => Err(error.into()),
        }
    }

    /// Gives back what a pay took, once. Of a pay that was cancelled before, it says so and succeeds.
    pub async fn cancel_pay(&self, cancel: &CancelPay) -> Result<Cancelled, CancelPayError> {
        let CancelPay { player, bill_no, item } = cancel;
        let call_at = |ts| wire::CancelPay {
            caller: self.0.caller(player, ts),
            bill_no: *bill_no,
            pay_item: item.clone(),
        };
        match self.0.call(player, call_at, Some(*bill_no), Doubt::None).await {
            Ended::Done(reply) => Ok(Cancelled { bill_no: reply.bill_no, done_by: DoneBy::ThisTry }),
            Ended::Refused(refused, doubt) => match refused.code() {
                Some(ErrorCode::OrderCanceled) => {
                    Ok(Cancelled { bill_no: *bill_no, done_by: doubt.done_by() })
                }
                Some(ErrorCode::OrderNotExist) => Err(CancelPayError::PayNotFound),
                Some(ErrorCode::OrderConfirmed) => Err(CancelPayError::TooLate),
                _ => Err(refusal(refused, doubt).into()),
            },
            Ended::Failed(error) => Err(error.into()),
        }
    }

    /// What a player has.
    pub async fn get_balance(&self, player: &Player) -> Result<BalanceReply, BalanceError> {
        let call_at = |ts| wire::GetBalance { caller: self.0.caller(player, ts) };
        match self.0.call(player, call_at, None, Doubt::None).await {
            Ended::Done(reply) => Ok(reply),
            Ended::Refused(refused, doubt) => Err(refusal(refused, doubt).into()),
            Ended::Failed(error) => Err(error.into()),
        }
    }

    /// The access token that calls are made with now; asked for if there is none. One try.
    pub async fn access_token(&self) -> Result<AccessToken, TokenError> {
        self.0.tokens.get(&self.0.http, self.0.patience.try_timeout).await
    }
}

impl Inner {
    /// The caller's clock.
    pub(crate) fn now(&self) -> UnixSeconds {
        let seconds = self.clock.now().seconds();
        UnixSeconds::new(seconds.max(1)).expect("a clock in milliseconds ends before seconds are too many")
    }

    fn caller(&self, player: &Player, ts: UnixSeconds) -> Caller {
        Caller {
            openid: player.openid,
            appid: self.app.appid(),
            offer_id: self.app.offer_id,
            ts,
            zone_id: player.zone_id,
            pf: player.pf,
            user_ip: player.user_ip,
        }
    }

    async fn call<C: wire::Call>(
        &self,
        player: &Player,
        call_at: impl Fn(UnixSeconds) -> C,
        bill_no: Option<BillNo>,
        doubt: Doubt,
    ) -> Ended<C::Reply> {
        let signing = Signing { call_at, session_key: player.session_key.as_ref() };
        let span = tracing::debug_span!(
            "midas",
            call = %C::KIND,
            environment = %self.app.environment,
            openid = %player.openid,
            bill_no = bill_no.map(tracing::field::display),
        );
        attempt(self, signing, doubt).instrument(span).await
    }
}

/// What a refusal tells of the order with this bill number.
enum Existing {
    /// It is the one that was asked for.
    This { order: Option<ExistingOrder>, done_by: DoneBy },
    /// It is another, which differs in this.
    Another(Parameter),
    /// There is one, and nobody says which.
    Some,
    /// The refusal is about something else.
    None,
}

fn existing(refused: &ApiError, doubt: Doubt) -> Existing {
    if refused.code() != Some(ErrorCode::OrderExist) {
        return Existing::None;
    }
    match (refused.mismatched_parameter(), refused.existing, doubt) {
        (Some(parameter), ..) => Existing::Another(parameter),
        (None, Some(order), _) => Existing::This { order: Some(order), done_by: doubt.done_by() },
        (None, None, Doubt::EarlierCall | Doubt::EarlierTry) => {
            Existing::This { order: None, done_by: doubt.done_by() }
        }
        (None, None, Doubt::None | Doubt::UnderWay) => Existing::Some,
    }
}

/// Whom it calls for and where; nothing that proves it.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("app", self.app())
            .field("base_url", self.base_url())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("app", &self.app)
            .field("base_url", &self.base_url)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
