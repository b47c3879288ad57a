//! Why a call is not done: one enum for each operation, all of which answer the same four order_error_methods.
//!
//! Whose fault it is ([`ErrorSource`]), whether coins may have moved all the same ([`OrderOutcome`]), whether to try again
//! (`retryable`), and, in words, what happened. No error holds a key, a token or a body.

use pactolus_protocol::reply::ApiError;
use pactolus_protocol::{ErrorCode, Parameter};

use crate::http::TransportError;

/// Who has to do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorSource {
    /// Whoever wrote or set up the caller: a key, a parameter, a bill number, a base URL, too many calls.
    Caller,
    /// The player, who has to log in again, or has too few coins.
    Player,
    /// The bank, which is busy or broken.
    Bank,
    /// The way between the two.
    Network,
}

/// What is known of the order when a call has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderOutcome {
    /// It was not applied, and will not be.
    NotApplied,
    /// It may have been applied, now or by an earlier try. Sending the same order again tells, and is safe.
    Unknown,
}

/// Why a present is not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PresentError {
    /// The bill number made another order, which differs in the parameter that is named: nothing was given.
    #[error("the bill number made another order, in which {0} is another")]
    BillNoTaken(Parameter),
    /// The bill number made an order before this call, and the bank does not say which. If it may have been this
    /// very one, [`retry_present`](crate::Client::retry_present) takes it for done.
    #[error("the bill number made an order before, and the bank does not say whether it was this one")]
    BillNoUsed,
    /// What can befall every call.
    #[error(transparent)]
    Call(Box<CallError>),
}

/// Why a pay is not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PayError {
    /// The player has fewer coins.
    #[error("the player has fewer coins than the pay takes")]
    BalanceNotEnough,
    /// The bill number made another order, which differs in the parameter that is named: nothing was taken.
    #[error("the bill number made another order, in which {0} is another")]
    BillNoTaken(Parameter),
    /// The bill number made an order before this call, and the bank does not say which. If it may have been this
    /// very one, [`retry_pay`](crate::Client::retry_pay) takes it for done.
    #[error("the bill number made an order before, and the bank does not say whether it was this one")]
    BillNoUsed,
    /// What can befall every call.
    #[error(transparent)]
    Call(Box<CallError>),
}

/// Why a pay is not given back.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CancelPayError {
    /// The bill number made no pay of this player's.
    #[error("there is no such pay")]
    PayNotFound,
    /// The pay is too old to be cancelled.
    #[error("the pay is too old to be cancelled")]
    TooLate,
    /// What can befall every call.
    #[error(transparent)]
    Call(Box<CallError>),
}

/// Why a balance is not known.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct BalanceError(pub Box<CallError>);

impl From<CallError> for BalanceError {
    fn from(error: CallError) -> Self {
        Self(Box::new(error))
    }
}

/// What can befall every call.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The player is not logged in, or the login is over: log the player in, and call with the new session key.
    #[error("the player is not logged in, or the login is over")]
    NoSession {
        /// What is known of the order.
        outcome: OrderOutcome,
    },
    /// The bank refused it, and would refuse it again.
    #[error("the bank refused it: {} {}", .error.errcode, .error.errmsg)]
    Api {
        /// The bank's words.
        error: ApiError,
        /// What is known of the order.
        outcome: OrderOutcome,
    },
    /// There is no access token to call with, because the app's secret is refused.
    #[error("no access token is given out")]
    NoToken {
        /// Why not.
        source: TokenError,
        /// What is known of the order.
        outcome: OrderOutcome,
    },
    /// It was tried until the deadline, or as often as it may be.
    #[error("gave up after {attempts} tries")]
    RetriesExhausted {
        /// How often it was tried.
        attempts: u32,
        /// What came of the last try.
        #[source]
        last_failure: AttemptFailure,
        /// What is known of the order.
        outcome: OrderOutcome,
    },
}

/// What came of a try that did not succeed, and may when it is repeated.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AttemptFailure {
    /// There was no answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The bank answered that it cannot now.
    #[error("the bank answered {} {}", .0.errcode, .0.errmsg)]
    Transient(ApiError),
    /// There was no token to call with.
    #[error("no access token is to be had")]
    NoToken(#[source] TokenError),
    /// It was not begun, because the time was up.
    #[error("the deadline has passed")]
    DeadlineExceeded,
}

/// Why there is no access token.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TokenError {
    /// There was no answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The bank refused to give one out.
    #[error("the bank answered {} {}", .0.errcode, .0.errmsg)]
    Api(ApiError),
    /// The token that the client was given is refused, and it has no way to another.
    #[error("the token that the client was given is good no longer")]
    FixedTokenRejected,
}

/// 40014, which the vendor's host also answers where a token is no token at all; Pactolus says 40001.
pub(crate) const INVALID_ACCESS_TOKEN: i32 = 40014;

/// Whether a refusal says that the token is not good, and another might be.
pub(crate) fn is_token_error(refused: &ApiError) -> bool {
    match refused.code() {
        Some(ErrorCode::InvalidCredential | ErrorCode::AccessTokenExpired) => true,
        Some(_) => false,
        None => refused.errcode == INVALID_ACCESS_TOKEN,
    }
}

impl TokenError {
    /// Whether asking again may bring one.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Transport(error) => error.retryable(),
            Self::Api(refused) => refused.code().is_some_and(ErrorCode::retryable),
            Self::FixedTokenRejected => false,
        }
    }

    /// Who has to do something about it.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            Self::Transport(error) => error.error_source(),
            Self::Api(refused) => error_source_of(refused),
            Self::FixedTokenRejected => ErrorSource::Caller,
        }
    }
}

impl TransportError {
    /// Who has to do something about it.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            Self::Unreachable(_) | Self::ConnectionLost(_) | Self::TimedOut(_) => ErrorSource::Network,
            Self::Status(status) if status.is_server_error() => ErrorSource::Bank,
            // Whoever answers so is no bank: the base URL is another's.
            Self::Status(_) | Self::InvalidReply(_) => ErrorSource::Caller,
        }
    }
}

impl CallError {
    /// Whether the same call may succeed when it is made again, as it is.
    pub fn retryable(&self) -> bool {
        match self {
            Self::NoSession { .. } => false,
            // By then another process has made another token, and this client will have it.
            Self::Api { error: refused, .. } => is_token_error(refused),
            Self::NoToken { source, .. } => source.retryable(),
            Self::RetriesExhausted { last_failure: last, .. } => match last {
                AttemptFailure::Transport(error) => error.retryable(),
                AttemptFailure::Transient(_) | AttemptFailure::DeadlineExceeded => true,
                AttemptFailure::NoToken(error) => error.retryable(),
            },
        }
    }

    /// Who has to do something about it.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            Self::NoSession { .. } => ErrorSource::Player,
            Self::Api { error: refused, .. } => error_source_of(refused),
            Self::NoToken { source, .. } => source.error_source(),
            Self::RetriesExhausted { last_failure: last, .. } => match last {
                AttemptFailure::Transport(error) => error.error_source(),
                AttemptFailure::Transient(refused) => error_source_of(refused),
                AttemptFailure::NoToken(error) => error.error_source(),
                AttemptFailure::DeadlineExceeded => ErrorSource::Bank,
            },
        }
    }

    /// What is known of the order.
    pub const fn outcome(&self) -> OrderOutcome {
        match self {
            Self::NoSession { outcome }
            | Self::Api { outcome, .. }
            | Self::NoToken { outcome, .. }
            | Self::RetriesExhausted { outcome, .. } => *outcome,
        }
    }
}

/// Whose fault a refusal is that says no more than its code.
fn error_source_of(refused: &ApiError) -> ErrorSource {
    match refused.code() {
        Some(ErrorCode::SystemError | ErrorCode::OrderProcessing) => ErrorSource::Bank,
        Some(
            ErrorCode::NoSession
            | ErrorCode::BalanceNotEnough
            | ErrorCode::InvalidCode
            | ErrorCode::CodeUsed
            | ErrorCode::InvalidSignature,
        ) => ErrorSource::Player,
        Some(
            ErrorCode::InvalidCredential
            | ErrorCode::InvalidGrantType
            | ErrorCode::InvalidAppId
            | ErrorCode::InvalidAppSecret
            | ErrorCode::AccessTokenMissing
            | ErrorCode::AppIdMissing
            | ErrorCode::AppSecretMissing
            | ErrorCode::AccessTokenExpired
            | ErrorCode::RequirePost
            | ErrorCode::EmptyPostData
            | ErrorCode::QuotaReached
            | ErrorCode::DataFormat
            | ErrorCode::OrderNotExist
            | ErrorCode::MpSigError
            | ErrorCode::SigError
            | ErrorCode::OrderExist
            | ErrorCode::OrderConfirmed
            | ErrorCode::OrderCanceled
            | ErrorCode::NoPrivilege
            | ErrorCode::InvalidParameter,
        )
        | None => ErrorSource::Caller,
    }
}

macro_rules! order_error_methods {
    ($($error:ident { $($variant:ident => $source:ident),* })*) => {
        $(impl $error {
            /// Whether the same call may succeed when it is made again, as it is.
            pub fn retryable(&self) -> bool {
                match self {
                    $(Self::$variant { .. } => false,)*
                    Self::Call(error) => error.retryable(),
                }
            }

            /// Who has to do something about it.
            pub fn error_source(&self) -> ErrorSource {
                match self {
                    $(Self::$variant { .. } => ErrorSource::$source,)*
                    Self::Call(error) => error.error_source(),
                }
            }

            /// What is known of the order.
            pub fn outcome(&self) -> OrderOutcome {
                match self {
                    $(Self::$variant { .. } => OrderOutcome::NotApplied,)*
                    Self::Call(error) => error.outcome(),
                }
            }
        }

        impl From<CallError> for $error {
            fn from(error: CallError) -> Self {
                Self::Call(Box::new(error))
            }
        })*
    };
}

// Each of these is the bank's decision about this very order, so it is known not to be applied.
order_error_methods! {
    PresentError { BillNoTaken => Caller, BillNoUsed => Caller }
    PayError { BalanceNotEnough => Player, BillNoTaken => Caller, BillNoUsed => Caller }
    CancelPayError { PayNotFound => Caller, TooLate => Caller }
}

impl BalanceError {
    /// Whether the same call may succeed when it is made again, as it is.
    pub fn retryable(&self) -> bool {
        self.0.retryable()
    }

    /// Who has to do something about it.
    pub fn error_source(&self) -> ErrorSource {
        self.0.error_source()
    }
}
