//! Error codes of `/wxa/game/*`, beside those of the platform.
//!
//! 90010 and 90016 mean other things on the first wire.

use crate::code_table::code_table;

code_table! {
    /// An error code of a call of `/wxa/game/*`.
    GameCode {
        /// There is no such pay to give back: another account's number, or no pay's.
        OrderNotExist = 90000, "order not exist", permanent;
        /// The player's signature does not verify.
        SignatureError = 90010, "signature error", permanent;
        /// The app's signature does not verify.
        PaySigError = 90011, "pay_sig error", permanent;
        /// The number was used before.
        OrderExist = 90012, "order exist", permanent;
        /// The player has fewer coins than the pay takes.
        BalanceNotEnough = 90013, "balance not enough", permanent;
        /// The pay is too old to be given back.
        OrderConfirmed = 90014, "order has been confirmed", permanent;
        /// The pay is given back entirely.
        OrderCanceled = 90015, "order has been canceled", permanent;
        /// The player has no session, or it has expired.
        NoSession = 90016, "no session", permanent;
        /// A parameter is missing or wrong; the detail names it.
        InvalidParameter = 90018, "invalid parameter", permanent;
        /// No top-up has this number.
        TopUpNotExist = 90019, "top-up not exist", permanent;
    }
}
