//! What a client does with an error code: tables over all of them.
//!
//! What a code proves about an order: `refusal`.

use pactolus_protocol::ErrorCode;
use pactolus_protocol::reply::ApiError;

use super::ErrorSource;

/// 40014: the vendor's host also uses it for a malformed token, where Pactolus uses 40001.
const INVALID_ACCESS_TOKEN: i32 = 40014;

/// Whether the bank rejected the token, so that another may be accepted.
pub(crate) fn is_token_error(refused: &ApiError) -> bool {
    match refused.code() {
        Some(ErrorCode::InvalidCredential | ErrorCode::AccessTokenExpired) => true,
        Some(
            ErrorCode::SystemError
            | ErrorCode::InvalidGrantType
            | ErrorCode::InvalidAppId
            | ErrorCode::InvalidUrl
            | ErrorCode::InvalidCode
            | ErrorCode::InvalidAppSecret
            | ErrorCode::CodeUsed
            | ErrorCode::AccessTokenMissing
            | ErrorCode::AppIdMissing
            | ErrorCode::AppSecretMissing
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
            | ErrorCode::OrderExist
            | ErrorCode::BalanceNotEnough
            | ErrorCode::OrderConfirmed
            | ErrorCode::OrderCanceled
            | ErrorCode::OrderProcessing
            | ErrorCode::NoPrivilege
            | ErrorCode::InvalidParameter
            | ErrorCode::Game(_)
            | ErrorCode::Xpay(_),
        ) => false,
        None => refused.errcode == INVALID_ACCESS_TOKEN,
    }
}

/// The side that has to act, by the code alone.
pub(super) fn error_source_of(refused: &ApiError) -> ErrorSource {
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
            | ErrorCode::InvalidUrl
            | ErrorCode::InvalidAppSecret
            | ErrorCode::AccessTokenMissing
            | ErrorCode::AppIdMissing
            | ErrorCode::AppSecretMissing
            | ErrorCode::AccessTokenExpired
            | ErrorCode::RequirePost
            | ErrorCode::EmptyPostData
            | ErrorCode::QuotaReached
            | ErrorCode::DataFormat
            | ErrorCode::ApiUnauthorized
            | ErrorCode::OrderNotExist
            | ErrorCode::MpSigError
            | ErrorCode::SigError
            | ErrorCode::OrderExist
            | ErrorCode::OrderConfirmed
            | ErrorCode::OrderCanceled
            | ErrorCode::NoPrivilege
            | ErrorCode::InvalidParameter
            | ErrorCode::Game(_)
            | ErrorCode::Xpay(_),
        )
        | None => ErrorSource::Caller,
    }
}
