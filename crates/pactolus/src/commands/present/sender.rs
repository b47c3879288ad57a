//! The way of an order to the bank: a signed call of the app, or an order of the operator API.
//!
//! Both give the same order under the same bill number, so a file that was begun one way may be finished the other way.
//! Invariant: a gift is sent under its own bill number only.

use pactolus_client::operator::{
    AccountId, CoinPart, Debit, NewOrder, NewOrderKind, OperatorClient, OperatorError, PostedOrder,
    ProblemKind, Shortfall,
};
use pactolus_client::{
    Amount, AppId, AttemptFailure, CallError, Client, Environment, ErrorCode, ErrorSource, PresentError,
    PresentRequest,
};

use super::kind::BatchKind;
use super::outcome::{BillNoOrigin, GiftOutcome, SendResult};
use crate::cli::exit::{CliError, ExitCode, error_chain};
use crate::cli::i18n::tr;
use crate::connect::Connection;

/// The API that gifts are sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Api {
    /// Signed calls of the app, as its back end makes them
    Midas,
    /// Orders of the operator
    Operator,
}

/// The order that each row makes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OrderRule {
    /// A gift, by the API that is asked for.
    Gift(Option<Api>),
    /// A debit of the operator.
    Debit(DebitRule),
}

/// The rule of a debit, beside its coins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DebitRule {
    pub(crate) shortfall: Shortfall,
    pub(crate) take_first: CoinPart,
}

impl OrderRule {
    pub(crate) const fn kind(self) -> BatchKind {
        match self {
            Self::Gift(_) => BatchKind::Gifts,
            Self::Debit(_) => BatchKind::Debits,
        }
    }

    /// The API of the orders; `has_call_parameters` says whether a row has a parameter of a signed call.
    pub(crate) fn api(self, has_call_parameters: bool, connection: &Connection) -> Result<Api, CliError> {
        match self {
            Self::Gift(asked) => Api::choose(asked, has_call_parameters, connection),
            // A file that gave by signed calls takes back as it is.
            Self::Debit(_) => Ok(Api::Operator),
        }
    }

    const fn order_kind(self, coins: Amount) -> NewOrderKind {
        match self {
            Self::Gift(_) => NewOrderKind::Present(coins),
            Self::Debit(DebitRule { shortfall, take_first }) => {
                NewOrderKind::Debit(Debit { coins, shortfall, take_first })
            }
        }
    }
}

impl Api {
    /// The API that is asked for; else the operator's, if there is its token and no parameter of a signed call.
    pub(crate) fn choose(
        asked: Option<Self>,
        has_call_parameters: bool,
        connection: &Connection,
    ) -> Result<Self, CliError> {
        match asked {
            Some(Self::Operator) if has_call_parameters => Err(CliError::message(
                ExitCode::Usage,
                tr!(
                    connection.lang,
                    "session_key and user_ip have no effect on orders of the operator API; leave them out, or use --api midas",
                    "session_key 和 user_ip 对运维接口的订单不起作用；请去掉，或改用 --api midas"
                ),
            )),
            Some(api) => Ok(api),
            None if connection.bank.has_operator_api() && !has_call_parameters => Ok(Self::Operator),
            None => Ok(Self::Midas),
        }
    }
}

/// Sends gifts to one bank, for one app in one environment.
#[derive(Clone)]
pub(crate) enum GiftSender {
    Midas(Client),
    Operator(OperatorSender),
}

/// Sends gifts as orders of the operator.
#[derive(Clone)]
pub(crate) struct OperatorSender {
    rule: OrderRule,
    pub(super) client: OperatorClient,
    appid: AppId,
    environment: Environment,
}

impl GiftSender {
    /// A sender whose calls have this timeout, unless `--timeout` overrides it.
    pub(crate) fn new(
        rule: OrderRule,
        api: Api,
        connection: &Connection,
        timeout: std::time::Duration,
    ) -> Result<Self, CliError> {
        Ok(match api {
            Api::Midas => Self::Midas(connection.client_with_timeout(timeout)?),
            Api::Operator => Self::Operator(OperatorSender {
                rule,
                client: connection.bank.operator_with_timeout(timeout)?,
                appid: connection.appid,
                environment: connection.environment,
            }),
        })
    }

    /// The kind of its orders.
    pub(crate) const fn kind(&self) -> BatchKind {
        match self {
            Self::Midas(_) => BatchKind::Gifts,
            Self::Operator(sender) => sender.rule.kind(),
        }
    }

    /// Sends an order.
    pub(crate) async fn send(&self, present: &PresentRequest, origin: BillNoOrigin) -> SendResult {
        match self {
            Self::Midas(client) => send_signed(client, present, origin).await,
            Self::Operator(sender) => sender.send(present).await,
        }
    }
}

impl OperatorSender {
    /// The account that a gift is for.
    pub(super) const fn account(&self, present: &PresentRequest) -> AccountId {
        let (openid, zone_id) = (present.player.openid, present.player.zone_id);
        AccountId { appid: self.appid, environment: self.environment, openid, zone_id }
    }

    /// The bank compares a replay with its order, so the origin of the number does not matter.
    async fn send(&self, present: &PresentRequest) -> SendResult {
        let PresentRequest { coins: asked, bill_no, .. } = *present;
        let order = NewOrder::new(self.account(present), bill_no, self.rule.order_kind(asked));
        match self.client.post_order(&order).await {
            Ok(PostedOrder { receipt, applied_by }) => {
                let coins = receipt.coins;
                let detail =
                    if coins == asked.coins() { String::new() } else { format!("took {coins} of {asked}") };
                let balance = Some(receipt.after.balance);
                SendResult { detail, ..SendResult::in_bank(self.rule.kind(), applied_by, balance) }
            }
            Err(error) => SendResult {
                app_misconfigured: is_setup_error(&error),
                ..SendResult::failed(error.outcome(), error.retryable(), error_chain(&error))
            },
        }
    }
}

/// Whether the token, the app or the address is wrong, not this gift.
fn is_setup_error(error: &OperatorError) -> bool {
    match error.problem_kind() {
        Some(kind) => matches!(kind, ProblemKind::Unauthorized | ProblemKind::NotFound),
        None => !error.retryable() && error.error_source() == ErrorSource::Caller,
    }
}

async fn send_signed(client: &Client, present: &PresentRequest, origin: BillNoOrigin) -> SendResult {
    let presented = match origin {
        BillNoOrigin::Supplied | BillNoOrigin::Derived => client.present(present).await,
        BillNoOrigin::MaybeSent => client.retry_present(present).await,
    };
    let error = match presented {
        Ok(presented) => {
            return SendResult::in_bank(BatchKind::Gifts, presented.applied_by, presented.balance);
        }
        Err(error) => error,
    };
    let failed = SendResult {
        app_misconfigured: is_app_misconfigured(&error),
        ..SendResult::failed(error.outcome(), error.retryable(), error_chain(&error))
    };
    match (error, origin) {
        (PresentError::BillNoUsed { .. }, BillNoOrigin::Derived) => {
            SendResult { outcome: GiftOutcome::Replayed, detail: String::new(), ..failed }
        }
        (PresentError::BillNoUsed { .. }, BillNoOrigin::Supplied | BillNoOrigin::MaybeSent) => {
            SendResult { outcome: GiftOutcome::NumberUsed, ..failed }
        }
        (_, _) => failed,
    }
}

/// Whether the error comes from the app's settings, not from this gift.
fn is_app_misconfigured(error: &PresentError) -> bool {
    let PresentError::Call(call) = error else { return false };
    match &**call {
        CallError::NoToken { source, .. } => source.error_source() == ErrorSource::Caller,
        CallError::Api { error: refused, .. } => {
            matches!(refused.code(), Some(ErrorCode::SigError | ErrorCode::NoPrivilege))
        }
        CallError::NotRetryable { failure, .. } => failure.error_source() == ErrorSource::Caller,
        CallError::RetriesExhausted { last_failure: AttemptFailure::Transport(error), .. } => {
            !error.retryable() && error.error_source() == ErrorSource::Caller
        }
        // `RetriesExhausted` and `NoSession`; a variant of a later version concerns this gift until it is listed here.
        _ => false,
    }
}
