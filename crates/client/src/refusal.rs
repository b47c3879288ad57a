//! What a refusal proves about the order: one row for each error code and call.
//!
//! Rule: an order is `NotApplied` only if no attempt can have applied it. A host other than Pactolus may check an order
//! in any sequence, and it does not say which order has a number. So a refusal speaks for its own attempt at most, and
//! an earlier attempt without a reply stays in doubt ([`PriorAttempt`]).
//!
//! | Reply | Call | First attempt | After an unanswered attempt | Retry call | Why |
//! |---|---|---|---|---|---|
//! | 90012, the same order named | present, pay | success | success | success | the bank compared the orders |
//! | 90012, a parameter differs | present, pay | not applied | not applied | not applied | the bank compared the orders |
//! | 90012, no more | present, pay | unknown | success | success | the number has an order. A retry call vouches for it; a first call cannot prove that it is another's |
//! | 90013 | pay | not applied | unknown | unknown | a host may check the balance before the number, and an applied pay has lowered the balance |
//! | 90015 | cancelpay | success | success | success | the pay is cancelled |
//! | 90000, 90014 | cancelpay | not applied | unknown | unknown | a host may check the pay's existence or age before its state |
//! | 90014, 90015 | present, pay | unknown | unknown | unknown | they speak of an order with this number |
//! | 90000 | present, pay | not applied | unknown | unknown | no such order: this attempt made none |
//! | 90016 | any | unknown | unknown | unknown | an order with this number is in flight |
//! | -1 | any | unknown | unknown | unknown | the bank does not know either |
//! | 45009, 40xxx to 47xxx | any | not applied | unknown | unknown | checked before the order: quota, token, method, body |
//! | 90009, 90010, 90011, 90017, 90018 | any | not applied | unknown | unknown | this attempt is refused: signature, session, privilege, parameter |
//! | another number | any | unknown | unknown | unknown | this version does not know what it means |
//! | 5xx, 408, 2xx but 200, an invalid reply, none | any | unknown | unknown | unknown | the request may have reached the bank |
//! | 3xx, 4xx, no connection, no token | any | not applied | unknown | unknown | the request did not reach the bank |
//!
//! `crates/client/tests/it/outcomes.rs` runs the table.

use pactolus_protocol::reply::ApiError;
use pactolus_protocol::{CallKind, ErrorCode};

use crate::error::{AttemptFailure, CallError, OrderOutcome};
use crate::requests::AppliedBy;

/// Whether the order may have been applied before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PriorAttempt {
    /// No earlier attempt can have been applied.
    None,
    /// 90016: an order with this number is in flight, and the bank does not say which.
    InFlight,
    /// The caller says that an earlier call may have been applied.
    EarlierCall,
    /// An earlier attempt of this call may have been applied.
    EarlierAttempt,
}

impl PriorAttempt {
    /// State of the order after an attempt that applied nothing.
    pub(crate) const fn outcome(self) -> OrderOutcome {
        match self {
            Self::None => OrderOutcome::NotApplied,
            Self::InFlight | Self::EarlierCall | Self::EarlierAttempt => OrderOutcome::Unknown,
        }
    }

    /// The state after one more failed attempt.
    pub(crate) fn after_failure(self, call: CallKind, failure: &AttemptFailure) -> Self {
        let evidence = match failure {
            AttemptFailure::Transport(error) if error.may_have_applied() => Evidence::Inconclusive,
            AttemptFailure::Transient(refused) => evidence(call, refused),
            AttemptFailure::Transport(_) | AttemptFailure::NoToken(_) | AttemptFailure::DeadlineExceeded => {
                Evidence::AttemptRefused
            }
        };
        match (evidence, self) {
            (Evidence::Inconclusive, _) => Self::EarlierAttempt,
            (Evidence::InFlight, Self::None) => Self::InFlight,
            (Evidence::InFlight | Evidence::AttemptRefused | Evidence::OtherOrder, _) => self,
        }
    }

    /// The creator of an order that exists.
    pub(crate) fn applied_by(self) -> AppliedBy {
        match self {
            Self::None | Self::InFlight | Self::EarlierCall => AppliedBy::EarlierCall,
            Self::EarlierAttempt => AppliedBy::EarlierAttempt,
        }
    }
}

/// What a refusal proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence {
    /// The number belongs to another order.
    OtherOrder,
    /// This attempt applied nothing. Earlier attempts stay as they are.
    AttemptRefused,
    /// An order with this number is in flight, and the bank does not say which.
    InFlight,
    /// Nothing.
    Inconclusive,
}

/// Codes of the platform in front of the vendor's calls: tokens, methods, bodies and quotas, all checked before the
/// order.
const PLATFORM_CODES: std::ops::RangeInclusive<i32> = 40_000..=49_999;

fn evidence(call: CallKind, refused: &ApiError) -> Evidence {
    let Some(code) = refused.code() else {
        let is_platform = PLATFORM_CODES.contains(&refused.errcode);
        return if is_platform { Evidence::AttemptRefused } else { Evidence::Inconclusive };
    };
    match code {
        ErrorCode::OrderExist if refused.mismatched_parameter().is_some() => Evidence::OtherOrder,
        // The codes of other wires answer no call of this client.
        ErrorCode::OrderExist | ErrorCode::SystemError | ErrorCode::Game(_) | ErrorCode::Xpay(_) => {
            Evidence::Inconclusive
        }
        ErrorCode::OrderProcessing => Evidence::InFlight,
        ErrorCode::OrderConfirmed | ErrorCode::OrderCanceled => match call {
            CallKind::CancelPay | CallKind::GetBalance => Evidence::AttemptRefused,
            CallKind::Present | CallKind::Pay => Evidence::Inconclusive,
        },
        ErrorCode::InvalidCredential
        | ErrorCode::InvalidGrantType
        | ErrorCode::InvalidAppId
        | ErrorCode::InvalidUrl
        | ErrorCode::InvalidCode
        | ErrorCode::InvalidAppSecret
        | ErrorCode::CodeUsed
        | ErrorCode::AccessTokenMissing
        | ErrorCode::AppIdMissing
        | ErrorCode::AppSecretMissing
        | ErrorCode::AccessTokenExpired
        | ErrorCode::RequirePost
        | ErrorCode::EmptyPostData
        | ErrorCode::QuotaReached
        | ErrorCode::DataFormat
        | ErrorCode::ApiUnauthorized
        | ErrorCode::InvalidSignature
        | ErrorCode::OrderNotExist
        | ErrorCode::MpSigError
        | ErrorCode::NoSession
        | ErrorCode::SigError
        | ErrorCode::BalanceNotEnough
        | ErrorCode::NoPrivilege
        | ErrorCode::InvalidParameter => Evidence::AttemptRefused,
    }
}

/// State of the order after a final refusal.
fn refusal_outcome(call: CallKind, refused: &ApiError, prior: PriorAttempt) -> OrderOutcome {
    match evidence(call, refused) {
        Evidence::OtherOrder => OrderOutcome::NotApplied,
        Evidence::AttemptRefused => prior.outcome(),
        Evidence::InFlight | Evidence::Inconclusive => OrderOutcome::Unknown,
    }
}

/// The request id, for an error that does not hold the reply.
pub(crate) fn owned_rid(refused: &ApiError) -> Option<Box<str>> {
    refused.rid().map(Into::into)
}

/// The error of a refusal for which the operation has no variant.
pub(crate) fn to_call_error(call: CallKind, refused: ApiError, prior: PriorAttempt) -> CallError {
    let outcome = refusal_outcome(call, &refused, prior);
    if refused.code() == Some(ErrorCode::NoSession) {
        CallError::NoSession { outcome, rid: owned_rid(&refused) }
    } else {
        CallError::Api { error: refused, outcome }
    }
}
