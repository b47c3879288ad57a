//! Error codes of the platform, on every wire: busy, tokens, logins, the form of a request.
//!
//! The table of codes: `docs/protocol/midas.md`, "Error codes".

use crate::code_table::{code_names, code_table};

code_table! {
    /// An error code of the platform.
    PlatformCode {
        /// Busy or failing. The outcome of the order is unknown: repeat it with the same bill number.
        SystemError = -1, "system error", retryable;
        /// The token is unknown, replaced, or issued for another secret of the app.
        InvalidCredential = 40001, "invalid credential, access_token is invalid or not latest", permanent;
        /// The call does not accept this `grant_type`.
        InvalidGrantType = 40002, "invalid grant_type", permanent;
        /// No such app.
        InvalidAppId = 40013, "invalid appid", permanent;
        /// The login code was never issued, or has expired.
        InvalidCode = 40029, "invalid code", permanent;
        /// No call has this path and method.
        InvalidUrl = 40066, "invalid url", permanent;
        /// Not the app's secret.
        InvalidAppSecret = 40125, "invalid appsecret", permanent;
        /// The login code has been used.
        CodeUsed = 40163, "code been used", permanent;
        /// The query has no `access_token`.
        AccessTokenMissing = 41001, "access_token missing", permanent;
        /// The query has no `appid`.
        AppIdMissing = 41002, "appid missing", permanent;
        /// The query has no `secret`.
        AppSecretMissing = 41004, "appsecret missing", permanent;
        /// The token was valid once.
        AccessTokenExpired = 42001, "access_token expired", permanent;
        /// The method is not POST.
        RequirePost = 43002, "require POST method", permanent;
        /// The body is empty.
        EmptyPostData = 44002, "empty post data", permanent;
        /// The app's rate limit is exceeded.
        QuotaReached = 45009, "reach max api daily quota limit", retryable;
        /// The body is not one JSON object.
        DataFormat = 47001, "data format error", permanent;
        /// The app may not call this family of calls.
        ApiUnauthorized = 48001, "api unauthorized", permanent;
        /// The signature of a session check is wrong.
        InvalidSignature = 87009, "invalid signature", permanent;
    }
}

code_names! {
    Platform(PlatformCode):
    SystemError InvalidCredential InvalidGrantType InvalidAppId InvalidCode InvalidUrl InvalidAppSecret
    CodeUsed AccessTokenMissing AppIdMissing AppSecretMissing AccessTokenExpired RequirePost EmptyPostData
    QuotaReached DataFormat ApiUnauthorized InvalidSignature
}
