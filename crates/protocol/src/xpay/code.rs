//! Error codes of `/xpay/*`, beside those of the platform.

use crate::code_table::code_table;

code_table! {
    /// An error code of a call of `/xpay/*`.
    XpayCode {
        /// `openid` is missing or wrong.
        InvalidOpenId = 268_490_001, "invalid openid", permanent;
        /// A parameter is missing or wrong, or names no order; the detail says which.
        InvalidParameter = 268_490_002, "invalid parameter", permanent;
        /// One of the signatures does not verify.
        SignatureError = 268_490_003, "signature error", permanent;
        /// The number was used before.
        OrderExist = 268_490_004, "repeated operation", permanent;
        /// The pay is given back entirely.
        OrderCanceled = 268_490_005, "order has been refunded", permanent;
        /// The player has fewer coins than the pay takes, or the pay has fewer left than are to be given back.
        BalanceNotEnough = 268_490_006, "balance not enough", permanent;
        /// The player has no session, or it has expired.
        NoSession = 268_490_009, "no session", permanent;
        /// The refund is in flight. This bank decides at once, so only a fault rule answers it.
        OrderProcessing = 268_490_014, "order is being processed", retryable;
        /// A rate limit is exceeded.
        TooManyRequests = 268_490_015, "too many requests", retryable;
    }
}
