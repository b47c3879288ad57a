//! Conversion between types of the raw wires and ledger types: the one place that knows both.

use pactolus_ledger::{
    Account, Gift, Memo, Mismatch, Numbering, Order, OrderKind, PostError, Receipt, Refund,
    Refusal as Refused,
};
use pactolus_protocol::ErrorReply;
use pactolus_protocol::raw::{Member, PayNote, RawBalance, RawReply, RawWire, Reason};
use pactolus_types::{Amount, BillNo, Coins};

use super::verify::VerifiedRequest;
use crate::midas::convert::{gift_limits, unavailable_error};

/// An order of the request's account. Its number is unique per account: a game that gives one number to two players
/// must not lose the second gift.
pub(super) fn order(verified: &VerifiedRequest<'_>, number: BillNo, kind: OrderKind, memo: Memo) -> Order {
    Order { account: verified.account, bill_no: number, numbering: Numbering::OfAccount, kind, memo }
}

pub(super) fn gift(verified: &VerifiedRequest<'_>, amount: Amount) -> Gift {
    Gift { amount, limits: gift_limits(verified.app, verified.received_at) }
}

/// A refund. `/xpay/*` documents no window.
pub(super) fn refund(verified: &VerifiedRequest<'_>, amount: Amount, pay: BillNo) -> Refund {
    let window = match verified.wire() {
        RawWire::Game => Some(verified.app.cancel_window),
        RawWire::Xpay => None,
    };
    Refund { pay, amount, window }
}

pub(super) fn memo(item: &PayNote, remark: &PayNote) -> Memo {
    Memo::new(item.as_str(), remark.as_str()).expect("a note of the wire is no longer than a memo's")
}

pub(super) fn balance_reply(account: &Account) -> RawReply {
    RawReply::Balance(RawBalance {
        balance: account.balance(),
        present_balance: account.gifted(),
        sum_save: account.saved(),
        sum_present: account.presented(),
        sum_balance: account.save_sum(),
        sum_cost: account.spent(),
    })
}

/// The reply to an applied order.
pub(super) fn order_reply(receipt: &Receipt) -> RawReply {
    let (number, balance) = (receipt.order.bill_no, receipt.after.balance());
    match receipt.order.kind {
        OrderKind::Pay(_) => RawReply::Pay { number, balance, used_present_amount: receipt.gifted },
        OrderKind::Refund(_) | OrderKind::Cancel { .. } => RawReply::Refund { number },
        OrderKind::Present(_) | OrderKind::Save(_) | OrderKind::Debit(_) => {
            RawReply::Present { number, balance, present_balance: receipt.after.gifted() }
        }
    }
}

/// The reply to a failed post.
pub(super) fn post_error(wire: RawWire, error: PostError) -> ErrorReply {
    let refused = match error {
        PostError::Unavailable(error) => return unavailable_error(error),
        PostError::Refused(refused) => refused,
    };
    let (number, pay_number) = (Member::number(wire), Member::pay_number(wire));
    match refused {
        Refused::BillNoTaken(mismatch) => {
            let detail = match mismatched_member(wire, mismatch) {
                Some(member) => format!("{member} differs from that of the order with this {number}"),
                None => format!("the order with this {number} is of another call"),
            };
            Reason::NumberTaken.refuse(wire, detail)
        }
        Refused::TooManyCoins => wire.invalid(
            Member::Amount,
            format_args!("is too large; the player's coins ever received would pass {}", Coins::MAX),
        ),
        Refused::GiftTooLarge(max) => wire.invalid(
            Member::Amount,
            format_args!("is too large; this app gives at most {max} coins in one order"),
        ),
        Refused::DailyGiftsTooLarge { max, left } => wire.invalid(
            Member::Amount,
            format_args!(
                "is too large; this app gives a player at most {max} coins a day in a zone, and {left} are left"
            ),
        ),
        Refused::BalanceNotEnough(balance) => {
            Reason::BalanceNotEnough.refuse(wire, format_args!("the balance is {balance}"))
        }
        Refused::PayNotFound => {
            Reason::PayNotFound.refuse(wire, format_args!("the player has no pay with this {pay_number}"))
        }
        Refused::PayMismatch(_) => {
            Reason::PayNotFound.refuse(wire, format_args!("the order with this {pay_number} is not a pay"))
        }
        Refused::PastCancelWindow => {
            Reason::PastCancelWindow.refuse(wire, "the pay is older than the app's cancel window")
        }
        Refused::NothingLeft => Reason::NothingLeft.refuse(wire, "all coins of the pay are given back"),
        Refused::MoreThanLeft(left) => Reason::MoreThanLeft.refuse(
            wire,
            format_args!("{} is too large; {left} coins of the pay are left", Member::Amount),
        ),
    }
}

/// The member of a mismatch; `None` if the call itself differs. A number is of one account, so no account differs.
fn mismatched_member(wire: RawWire, mismatch: Mismatch) -> Option<Member> {
    match mismatch {
        Mismatch::Player => Some(Member::OpenId),
        Mismatch::Zone => Some(Member::ZoneId),
        Mismatch::Offer => Some(Member::OfferId),
        Mismatch::Amount => Some(Member::Amount),
        Mismatch::Pay => Some(Member::pay_number(wire)),
        Mismatch::Kind | Mismatch::Shortfall | Mismatch::TakeFirst => None,
    }
}
