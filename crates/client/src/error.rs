//! Errors of the calls: one type per operation.
//!
//! Each says which side has to act ([`ErrorSource`]), whether coins may have moved ([`OrderOutcome`]; not for a
//! balance, which moves none), whether to retry (`retryable`), and what happened (`Display`).
//! No error holds a key, a token or a body.

use pactolus_protocol::reply::{ApiError, InvalidReply};
use pactolus_protocol::{ErrorCode, Parameter};

use crate::http::TransportError;

mod code;

use code::error_source_of;
pub(crate) use code::is_token_error;

/// The side that has to act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorSource {
    /// The calling program or its configuration: a key, a parameter, a bill number, a base URL, too many calls.
    Caller,
    /// The player, who has to log in again or has too few coins.
    Player,
    /// The bank, which is busy or broken.
    Bank,
    /// The network between client and bank.
    Network,
}

/// State of the order after a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderOutcome {
    /// It was not applied, and will not be.
    NotApplied,
    /// It may have been applied, by this call or an earlier one. Keep the bill number: a new one could apply it twice.
    /// Sending the same order again is safe and finds out, if the host says which order has a number.
    Unknown,
}

/// Why a present failed.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum PresentError {
    /// The bill number belongs to another order, which differs in this parameter. Nothing was given.
    #[error("the bill number belongs to another order, which has a different {parameter}")]
    BillNoTaken {
        /// The first parameter that differs.
        parameter: Parameter,
        /// The request id.
        rid: Option<Box<str>>,
    },
    /// The bill number was used before this call, and the bank does not say for which order: it may have been this
    /// one, so a new number could give twice. [`retry_present`](crate::Client::retry_present) treats it as applied.
    #[error("the bill number was used before, and the bank does not say for which order")]
    BillNoUsed {
        /// The request id.
        rid: Option<Box<str>>,
    },
    /// An error that any call may return.
    #[error(transparent)]
    Call(Box<CallError>),
}

/// Why a pay failed.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum PayError {
    /// The player has fewer coins than the pay takes. After an attempt without a reply this is a
    /// [`CallError::Api`] with an unknown outcome: that attempt may have taken the coins.
    #[error("the player has fewer coins than the pay takes")]
    BalanceNotEnough {
        /// The request id.
        rid: Option<Box<str>>,
    },
    /// The bill number belongs to another order, which differs in this parameter. Nothing was taken.
    #[error("the bill number belongs to another order, which has a different {parameter}")]
    BillNoTaken {
        /// The first parameter that differs.
        parameter: Parameter,
        /// The request id.
        rid: Option<Box<str>>,
    },
    /// The bill number was used before this call, and the bank does not say for which order: it may have been this
    /// one, so a new number could take twice. [`retry_pay`](crate::Client::retry_pay) treats it as applied.
    #[error("the bill number was used before, and the bank does not say for which order")]
    BillNoUsed {
        /// The request id.
        rid: Option<Box<str>>,
    },
    /// An error that any call may return.
    #[error(transparent)]
    Call(Box<CallError>),
}

/// Why a cancelpay failed.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum CancelPayError {
    /// This player has no pay with this bill number. After an attempt without a reply this and [`TooLate`](Self::TooLate)
    /// are a [`CallError::Api`] with an unknown outcome.
    #[error("there is no such pay")]
    PayNotFound {
        /// The request id.
        rid: Option<Box<str>>,
    },
    /// The pay is too old to be cancelled.
    #[error("the pay is too old to be cancelled")]
    TooLate {
        /// The request id.
        rid: Option<Box<str>>,
    },
    /// An error that any call may return.
    #[error(transparent)]
    Call(Box<CallError>),
}

/// Why a balance could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct BalanceError(pub Box<CallError>);

impl From<CallError> for BalanceError {
    fn from(error: CallError) -> Self {
        Self(Box::new(error))
    }
}

/// An error that any call may return.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The player has no valid session: log the player in, and call with the new session key.
    #[error("the player is not logged in, or the login is over")]
    NoSession {
        /// State of the order.
        outcome: OrderOutcome,
        /// The request id.
        rid: Option<Box<str>>,
    },
    /// The bank refused the call. It would refuse it again, unless it rejected the access token.
    #[error("the bank refused it: {} {}", .error.errcode, .error.errmsg)]
    Api {
        /// The bank's reply.
        error: ApiError,
        /// State of the order.
        outcome: OrderOutcome,
    },
    /// There is no access token, and no retry brings one: the bank rejects the app's secret or the fixed token.
    #[error("cannot obtain an access token")]
    NoToken {
        /// The cause.
        source: TokenError,
        /// State of the order.
        outcome: OrderOutcome,
    },
    /// The last attempt failed, and another would fail the same way: the base URL does not lead to a bank, or a gateway
    /// refuses the call.
    #[error("the call failed, and would fail again")]
    NotRetryable {
        /// Attempts made.
        attempts: u32,
        /// Failure of the last attempt.
        #[source]
        failure: AttemptFailure,
        /// State of the order.
        outcome: OrderOutcome,
    },
    /// The last attempt failed: the deadline or `attempts_max` was reached.
    #[error("gave up after {attempts} {}", if *.attempts == 1 { "try" } else { "tries" })]
    RetriesExhausted {
        /// Attempts made.
        attempts: u32,
        /// Failure of the last attempt.
        #[source]
        last_failure: AttemptFailure,
        /// State of the order.
        outcome: OrderOutcome,
    },
}

/// Why one attempt failed. Another attempt may succeed.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum AttemptFailure {
    /// There was no reply.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The bank replied with a retryable error code.
    #[error("the bank answered {} {}", .0.errcode, .0.errmsg)]
    Transient(ApiError),
    /// There was no access token.
    #[error("cannot obtain an access token")]
    NoToken(#[source] TokenError),
    /// It was not sent, because its timeout had passed.
    #[error("the deadline has passed")]
    DeadlineExceeded,
}

/// Why there is no access token.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum TokenError {
    /// There was no reply.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The bank refused to issue one.
    #[error("the bank answered {} {}", .0.errcode, .0.errmsg)]
    Api(ApiError),
    /// The bank rejected the token of [`TokenSource::Fixed`](crate::TokenSource::Fixed), which cannot be replaced.
    #[error("the bank rejected the fixed access token; configure a new one")]
    FixedTokenRejected,
}

impl TokenError {
    /// Whether another attempt of the same call is worth while.
    pub(crate) fn worth_another_attempt(&self) -> bool {
        match self {
            Self::Transport(error) => error.worth_another_attempt(),
            Self::Api(_) | Self::FixedTokenRejected => self.retryable(),
        }
    }

    /// The request id, if the bank replied.
    pub fn rid(&self) -> Option<&str> {
        match self {
            Self::Api(refused) => refused.rid(),
            Self::Transport(_) | Self::FixedTokenRejected => None,
        }
    }

    /// Whether another request for a token may succeed.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Transport(error) => error.retryable(),
            Self::Api(refused) => refused.code().is_some_and(ErrorCode::retryable),
            Self::FixedTokenRejected => false,
        }
    }

    /// The side that has to act.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            Self::Transport(error) => error.error_source(),
            Self::Api(refused) => error_source_of(refused),
            Self::FixedTokenRejected => ErrorSource::Caller,
        }
    }
}

impl TransportError {
    /// The side that has to act.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            Self::Unreachable(_) | Self::ConnectionLost(_) | Self::TimedOut(_) => ErrorSource::Network,
            Self::Status(status) if status.is_server_error() => ErrorSource::Bank,
            // A bank of another version.
            Self::InvalidReply(InvalidReply::Field(_)) => ErrorSource::Bank,
            // No bank replies like this: the base URL points elsewhere.
            Self::Status(_) | Self::InvalidReply(InvalidReply::NotAReply) => ErrorSource::Caller,
        }
    }
}

impl AttemptFailure {
    /// Whether the same call, unchanged, may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Transport(error) => error.retryable(),
            Self::Transient(_) | Self::DeadlineExceeded => true,
            Self::NoToken(error) => error.retryable(),
        }
    }

    /// The side that has to act.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            Self::Transport(error) => error.error_source(),
            Self::Transient(refused) => error_source_of(refused),
            Self::NoToken(error) => error.error_source(),
            Self::DeadlineExceeded => ErrorSource::Bank,
        }
    }

    /// The request id, if the bank replied.
    pub fn rid(&self) -> Option<&str> {
        match self {
            Self::Transient(refused) => refused.rid(),
            Self::NoToken(error) => error.rid(),
            Self::Transport(_) | Self::DeadlineExceeded => None,
        }
    }
}

impl CallError {
    /// The request id at the end of the bank's last message, if it replied. The bank's log has it too.
    pub fn rid(&self) -> Option<&str> {
        match self {
            Self::NoSession { rid, .. } => rid.as_deref(),
            Self::Api { error: refused, .. } => refused.rid(),
            Self::NoToken { source, .. } => source.rid(),
            Self::RetriesExhausted { last_failure: last, .. } | Self::NotRetryable { failure: last, .. } => {
                last.rid()
            }
        }
    }

    /// Whether the same call, unchanged, may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::NoSession { .. } => false,
            // Another process has replaced the token by then, and this client fetches the new one.
            Self::Api { error: refused, .. } => is_token_error(refused),
            Self::NoToken { source, .. } => source.retryable(),
            Self::RetriesExhausted { last_failure: last, .. } | Self::NotRetryable { failure: last, .. } => {
                last.retryable()
            }
        }
    }

    /// The side that has to act.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            Self::NoSession { .. } => ErrorSource::Player,
            Self::Api { error: refused, .. } => error_source_of(refused),
            Self::NoToken { source, .. } => source.error_source(),
            Self::RetriesExhausted { last_failure: last, .. } | Self::NotRetryable { failure: last, .. } => {
                last.error_source()
            }
        }
    }

    /// State of the order.
    pub const fn outcome(&self) -> OrderOutcome {
        match self {
            Self::NoSession { outcome, .. }
            | Self::Api { outcome, .. }
            | Self::NoToken { outcome, .. }
            | Self::NotRetryable { outcome, .. }
            | Self::RetriesExhausted { outcome, .. } => *outcome,
        }
    }
}

macro_rules! order_error_methods {
    ($($error:ident { $($variant:ident => $source:ident, $outcome:ident;)* })*) => {
        $(impl $error {
            /// The request id at the end of the bank's last message, if it replied. The bank's log has it too.
            pub fn rid(&self) -> Option<&str> {
                match self {
                    $(Self::$variant { rid, .. } => rid.as_deref(),)*
                    Self::Call(error) => error.rid(),
                }
            }

            /// Whether the same call, unchanged, may succeed later.
            pub fn retryable(&self) -> bool {
                match self {
                    $(Self::$variant { .. } => false,)*
                    Self::Call(error) => error.retryable(),
                }
            }

            /// The side that has to act.
            pub fn error_source(&self) -> ErrorSource {
                match self {
                    $(Self::$variant { .. } => ErrorSource::$source,)*
                    Self::Call(error) => error.error_source(),
                }
            }

            /// State of the order.
            pub fn outcome(&self) -> OrderOutcome {
                match self {
                    $(Self::$variant { .. } => OrderOutcome::$outcome,)*
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

// The reasons: `refusal`.
order_error_methods! {
    PresentError {
        BillNoTaken => Caller, NotApplied;
        BillNoUsed => Caller, Unknown;
    }
    PayError {
        BalanceNotEnough => Player, NotApplied;
        BillNoTaken => Caller, NotApplied;
        BillNoUsed => Caller, Unknown;
    }
    CancelPayError {
        PayNotFound => Caller, NotApplied;
        TooLate => Caller, NotApplied;
    }
}

impl BalanceError {
    /// The request id at the end of the bank's last message, if it replied. The bank's log has it too.
    pub fn rid(&self) -> Option<&str> {
        self.0.rid()
    }

    /// Whether the same call, unchanged, may succeed later.
    pub fn retryable(&self) -> bool {
        self.0.retryable()
    }

    /// The side that has to act.
    pub fn error_source(&self) -> ErrorSource {
        self.0.error_source()
    }
}
