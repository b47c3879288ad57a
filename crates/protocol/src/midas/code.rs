//! Error codes of the first wire's calls.
//!
//! The table of codes: `docs/protocol/midas.md`, "Error codes".

use crate::code_table::{code_names, code_table};

code_table! {
    /// An error code of a call of the first wire.
    MidasCode {
        /// There is no such order to cancel.
        OrderNotExist = 90000, "order not exist", permanent;
        /// `mp_sig` verifies under no accepted dialect.
        MpSigError = 90009, "mp_sig error", permanent;
        /// The player has no session, or it has expired.
        NoSession = 90010, "no session", permanent;
        /// `sig` verifies under no accepted dialect.
        SigError = 90011, "sig error", permanent;
        /// The bill number was used before.
        OrderExist = 90012, "order exist", permanent;
        /// The player has fewer coins than the pay takes.
        BalanceNotEnough = 90013, "balance not enough", permanent;
        /// The pay is too old to be cancelled.
        OrderConfirmed = 90014, "order has been confirmed", permanent;
        /// The pay was cancelled before.
        OrderCanceled = 90015, "order has been canceled", permanent;
        /// The order is still in flight.
        OrderProcessing = 90016, "order is being processed", retryable;
        /// `appid` is not the token's app, or `offer_id` is not that app's.
        NoPrivilege = 90017, "no privilege", permanent;
        /// A parameter is missing or wrong; the detail names it.
        InvalidParameter = 90018, "invalid parameter", permanent;
    }
}

code_names! {
    Midas(MidasCode):
    OrderNotExist MpSigError NoSession SigError OrderExist BalanceNotEnough OrderConfirmed OrderCanceled
    OrderProcessing NoPrivilege InvalidParameter
}
