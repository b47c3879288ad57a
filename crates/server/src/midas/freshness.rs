//! The window of `ts`: a recorded call expires, and a replay of an applied order is still answered as one.
//!
//! A late retry of an order whose reply was lost must learn the outcome. So an order is refused only if its number has
//! no order yet, or for a cancel, no cancel: nothing that a call outside the window asks for is ever applied.

use std::time::Duration;

use pactolus_ledger::BillKey;
use pactolus_protocol::{Call, CallKind, ErrorReply, Parameter, UnixSeconds};
use pactolus_types::{BillNo, UnixMillis};

use super::convert;
use super::verify::VerifiedCall;
use crate::state::AppState;

/// From here on, `ts` is taken for milliseconds: in seconds it is the year 5138, in milliseconds 1973.
const MILLISECONDS_MIN: u64 = 100_000_000_000;

/// Whether `ts` must be in milliseconds.
pub(crate) const fn is_in_milliseconds(ts: u64) -> bool {
    ts >= MILLISECONDS_MIN
}

/// Checks a call that changes nothing. Error: 90018, naming `ts`.
pub(super) fn check_time<C: Call>(verified: &VerifiedCall<C>) -> Result<(), ErrorReply> {
    let Some(window) = verified.app.ts_window else { return Ok(()) };
    check(verified.call.caller().ts, verified.received_at, window)
}

/// Checks a call that posts an order with this number.
pub(super) async fn check_order<C: Call>(
    bank: &AppState,
    verified: &VerifiedCall<C>,
    bill_no: BillNo,
) -> Result<(), ErrorReply> {
    let Err(stale) = check_time(verified) else { return Ok(()) };
    let key = BillKey::of_app(verified.app.appid, verified.environment, bill_no);
    let entry = bank.ledger.order(key).await.map_err(convert::unavailable_error)?;
    let is_decided = match C::KIND {
        CallKind::CancelPay => entry.is_some_and(|entry| entry.cancel.is_some()),
        CallKind::Present | CallKind::Pay | CallKind::GetBalance => entry.is_some(),
    };
    if is_decided { Ok(()) } else { Err(stale) }
}

fn check(ts: UnixSeconds, now: UnixMillis, window: Duration) -> Result<(), ErrorReply> {
    let (ts, now, window) = (ts.get(), now.seconds(), window.as_secs());
    let refused = |problem: String| Err(ErrorReply::invalid_parameter(Parameter::Ts, problem));
    if ts.abs_diff(now) <= window {
        return Ok(());
    }
    if is_in_milliseconds(ts) {
        return refused("is in milliseconds; it must be seconds".to_owned());
    }
    let side = if ts < now { "behind" } else { "ahead of" };
    refused(format!("is {} s {side} the bank's clock; this app takes at most {window} s", ts.abs_diff(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_has_two_inclusive_ends() {
        let now = UnixMillis::new(1_507_530_737_999);
        let check = |ts: u64| {
            let window = Duration::from_secs(300);
            check(UnixSeconds::new(ts).unwrap(), now, window).map_err(|refusal| refusal.to_string())
        };
        for ts in [1_507_530_437, 1_507_530_737, 1_507_531_037] {
            assert_eq!(check(ts), Ok(()));
        }
        let cases = [
            (1_507_530_436, "is 301 s behind the bank's clock; this app takes at most 300 s"),
            (1_507_531_038, "is 301 s ahead of the bank's clock; this app takes at most 300 s"),
            (1_507_530_737_000, "is in milliseconds; it must be seconds"),
        ];
        for (ts, words) in cases {
            assert_eq!(check(ts), Err(format!("invalid parameter: ts {words}")));
        }
    }
}
