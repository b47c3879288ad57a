//! The oracle's rule of refunds.

use pactolus_types::{Coins, UnixMillis};

use super::{OracleBill, VALID};
use crate::decide::{Mismatch, Refusal};
use crate::order::{Numbering, Order, OrderKind};
use crate::refund::Refund;

/// The coins and gifted coins of a refund of `made`: what a smaller pay would not have taken.
pub(super) fn oracle_refund(
    made: &OracleBill,
    refund: Refund,
    order: &Order,
    now: UnixMillis,
) -> Result<(u64, u64), Refusal> {
    let OrderKind::Pay(paid) = made.order.kind else { return Err(Refusal::PayMismatch(Mismatch::Kind)) };
    if order.numbering == Numbering::OfApp {
        return Err(Refusal::PayMismatch(Mismatch::Kind));
    }
    if refund.window.is_some_and(|window| u128::from(now.get()) > u128::from(made.at) + window.as_millis()) {
        return Err(Refusal::PastCancelWindow);
    }
    let left = paid.get() - made.given_back.0;
    if left == 0 {
        return Err(Refusal::NothingLeft);
    }
    if refund.amount.get() > left {
        return Err(Refusal::MoreThanLeft(Coins::new(left).expect(VALID)));
    }
    // The pay took gifted coins first, so a pay of what stays spent takes this many.
    let stays_gifted = (left - refund.amount.get()).min(made.gifted);
    Ok((refund.amount.get(), made.gifted - made.given_back.1 - stays_gifted))
}
