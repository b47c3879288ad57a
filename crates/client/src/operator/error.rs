//! Errors of the operator API.

use serde::Deserialize;

use crate::error::{ErrorSource, OrderOutcome};
use crate::http::TransportError;

/// Why a call of the operator API failed.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum OperatorError {
    /// The bank refused the request, and would refuse it again.
    #[error("the bank refused the request: {}", .problem.detail)]
    Refused {
        /// The bank's reply.
        problem: Problem,
        /// State of the order.
        outcome: OrderOutcome,
    },
    /// The last attempt failed, and another would fail the same way or could have a second effect.
    #[error("the request failed, and is not repeated")]
    NotRetryable {
        /// Attempts made.
        attempts: u32,
        /// Failure of the last attempt.
        #[source]
        failure: OperatorFailure,
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
        last_failure: OperatorFailure,
        /// State of the order.
        outcome: OrderOutcome,
    },
}

/// Why one attempt failed.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum OperatorFailure {
    /// There was no reply, or one of a gateway.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The bank cannot answer for now.
    #[error("the bank answered: {}", .0.detail)]
    Unavailable(Problem),
    /// The reply is not one of this API: the address leads to another server, or the bank is of another version.
    #[error("the reply is not one of a Pactolus bank's operator API")]
    InvalidReply,
}

/// What is wrong with a request, in the bank's words.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// Its standard name.
    pub title: String,
    /// What is wrong, and how to correct it.
    pub detail: String,
    /// The field of the request that is wrong, if it is a single one.
    #[serde(default)]
    pub field: Option<String>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

/// The kind of a problem, by its status.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// 401: the operator token is missing or wrong.
    Unauthorized,
    /// 404: the app, order or rejection does not exist.
    NotFound,
    /// 409: the bill number belongs to another order, or the bank is not configured for the request.
    Conflict,
    /// 422: a field is invalid.
    Invalid,
    /// 5xx: the bank cannot answer for now.
    Unavailable,
    /// Any other status.
    Other,
}

impl Problem {
    /// The kind, by the status.
    pub const fn kind(&self) -> ProblemKind {
        match self.status {
            401 => ProblemKind::Unauthorized,
            404 => ProblemKind::NotFound,
            409 => ProblemKind::Conflict,
            422 => ProblemKind::Invalid,
            500..=599 => ProblemKind::Unavailable,
            _ => ProblemKind::Other,
        }
    }
}

impl OperatorError {
    /// The bank's words, if it refused the request.
    pub const fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            Self::NotRetryable { .. } | Self::RetriesExhausted { .. } => None,
        }
    }

    /// The kind of the refusal, if the bank refused the request.
    pub fn problem_kind(&self) -> Option<ProblemKind> {
        self.problem().map(Problem::kind)
    }

    /// Whether the same call, unchanged, may succeed later, and is safe to repeat.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::NotRetryable { .. } => false,
            Self::RetriesExhausted { last_failure, .. } => last_failure.retryable(),
        }
    }

    /// The side that has to act.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            Self::Refused { .. } => ErrorSource::Caller,
            Self::NotRetryable { failure, .. } | Self::RetriesExhausted { last_failure: failure, .. } => {
                failure.error_source()
            }
        }
    }

    /// State of the order, or of the change. A query changes nothing.
    pub const fn outcome(&self) -> OrderOutcome {
        match self {
            Self::Refused { outcome, .. }
            | Self::NotRetryable { outcome, .. }
            | Self::RetriesExhausted { outcome, .. } => *outcome,
        }
    }
}

impl OperatorFailure {
    /// Whether another attempt may succeed.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Transport(error) => error.retryable(),
            Self::Unavailable(_) => true,
            Self::InvalidReply => false,
        }
    }

    /// Whether the request may have had its effect.
    pub(super) fn may_have_applied(&self) -> bool {
        match self {
            Self::Transport(error) => error.may_have_applied(),
            Self::Unavailable(_) | Self::InvalidReply => true,
        }
    }

    /// The side that has to act.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            Self::Transport(error) => error.error_source(),
            Self::Unavailable(_) => ErrorSource::Bank,
            Self::InvalidReply => ErrorSource::Caller,
        }
    }
}
