//! Conversion between wire types and ledger types: the one place that knows both.

use pactolus_ledger::{
    Account, AccountKey, DailyLimit, Gift, GiftLimits, LimitDays, Memo, Mismatch, Numbering, Order,
    OrderKind, PostError, Refusal as Refused, Unavailable,
};
use pactolus_protocol::{
    BalanceReply, Call, CancelPay, ErrorCode, ErrorReply, ExistingOrder, GetBalance, Parameter, Pay, Present,
};
use pactolus_types::{BillNo, Coins, UnixMillis};

use super::verify::VerifiedCall;
use crate::settings::AppSettings;

/// The app's limits on a gift that is received at this time.
pub(crate) fn gift_limits(app: &AppSettings, at: UnixMillis) -> GiftLimits {
    let per_day = app.present_max_per_player_per_day.map(|max| {
        let days = LimitDays::Local(app.time_zone.offset_at(at));
        DailyLimit { max, days }
    });
    GiftLimits { per_order: app.present_max, per_day }
}

pub(crate) fn present(verified: &VerifiedCall<Present>) -> Order {
    let limits = gift_limits(&verified.app, verified.received_at);
    Order {
        account: caller_account(verified),
        bill_no: verified.call.bill_no,
        numbering: Numbering::OfApp,
        kind: OrderKind::Present(Gift { amount: verified.call.present_counts, limits }),
        memo: Memo::default(),
    }
}

pub(crate) fn pay(verified: &VerifiedCall<Pay>) -> Order {
    let text = |text: &Option<pactolus_protocol::FreeText>| {
        text.as_ref().map_or("", |text| text.as_str()).to_owned()
    };
    let memo = Memo::new(&text(&verified.call.pay_item), &text(&verified.call.app_remark));
    Order {
        account: caller_account(verified),
        bill_no: verified.call.bill_no,
        numbering: Numbering::OfApp,
        kind: OrderKind::Pay(verified.call.amt),
        memo: memo.expect("the wire's texts are no longer than a memo's"),
    }
}

pub(crate) fn cancel_pay(verified: &VerifiedCall<CancelPay>) -> Order {
    Order {
        account: caller_account(verified),
        bill_no: verified.call.bill_no,
        numbering: Numbering::OfApp,
        kind: OrderKind::Cancel { window: verified.app.cancel_window },
        memo: Memo::default(),
    }
}

pub(crate) fn account_key(verified: &VerifiedCall<GetBalance>) -> AccountKey {
    caller_account(verified)
}

fn caller_account<C: Call>(verified: &VerifiedCall<C>) -> AccountKey {
    let caller = verified.call.caller();
    AccountKey {
        app: caller.appid,
        environment: verified.environment,
        offer: caller.offer_id,
        player: caller.openid,
        zone: caller.zone_id,
    }
}

pub(crate) fn balance_reply(account: &Account) -> BalanceReply {
    BalanceReply {
        balance: account.balance(),
        gen_balance: account.gifted(),
        save_amt: account.saved(),
        save_sum: account.save_sum(),
        cost_sum: account.spent(),
        present_sum: account.presented(),
    }
}

/// The reply to an idempotent replay of a present, or of a pay that took `used_gen_amt` gifted coins.
pub(crate) fn replay_error(bill_no: BillNo, account: &Account, used_gen_amt: Option<Coins>) -> ErrorReply {
    ErrorReply::replayed(ExistingOrder { bill_no, balance: account.balance(), used_gen_amt })
}

/// The reply to a failed post. `amount` is the wire parameter that holds the coins.
pub(crate) fn post_error(error: PostError, amount: Parameter) -> ErrorReply {
    match error {
        PostError::Unavailable(error) => unavailable_error(error),
        PostError::Refused(Refused::BillNoTaken(mismatch)) => match mismatched_parameter(mismatch, amount) {
            Some(parameter) => ErrorReply::order_mismatch(parameter),
            None => ErrorReply::with_detail(
                ErrorCode::OrderExist,
                "the order with this bill_no is of another call",
            ),
        },
        PostError::Refused(Refused::TooManyCoins) => ErrorReply::invalid_parameter(
            amount,
            format_args!("is too large; the player's coins ever received would pass {}", Coins::MAX),
        ),
        PostError::Refused(Refused::GiftTooLarge(max)) => ErrorReply::invalid_parameter(
            amount,
            format_args!("is too large; this app gives at most {max} coins in one order"),
        ),
        PostError::Refused(Refused::DailyGiftsTooLarge { max, left }) => ErrorReply::invalid_parameter(
            amount,
            format_args!(
                "is too large; this app gives a player at most {max} coins a day in a zone, and {left} are left"
            ),
        ),
        PostError::Refused(Refused::BalanceNotEnough(balance)) => {
            ErrorReply::with_detail(ErrorCode::BalanceNotEnough, format!("the balance is {balance}"))
        }
        PostError::Refused(Refused::PayNotFound) => {
            ErrorReply::with_detail(ErrorCode::OrderNotExist, "no pay has this bill_no")
        }
        PostError::Refused(Refused::PayMismatch(differs)) => match mismatched_parameter(differs, amount) {
            Some(parameter) => ErrorReply::with_detail(
                ErrorCode::OrderNotExist,
                format!("{parameter} differs from that of the order with this bill_no"),
            ),
            None => {
                ErrorReply::with_detail(ErrorCode::OrderNotExist, "the order with this bill_no is not a pay")
            }
        },
        PostError::Refused(Refused::PastCancelWindow) => ErrorCode::OrderConfirmed.into(),
        // Of refunds, which this wire does not have.
        PostError::Refused(Refused::NothingLeft | Refused::MoreThanLeft(_)) => {
            ErrorCode::OrderCanceled.into()
        }
    }
}

pub(crate) fn unavailable_error(error: Unavailable) -> ErrorReply {
    let detail = match error {
        Unavailable::Busy => "the bank is busy; repeat the same request",
        Unavailable::Unreachable => "the bank's database cannot be reached; repeat the same request",
        Unavailable::DiskFull => "the bank's disk is full; repeat the same request once there is room",
        Unavailable::Closed => "the bank is stopping; repeat the same request",
        Unavailable::Damaged => {
            "an order of this account or number is damaged on the bank's disk; repeat the same request once it is restored"
        }
        Unavailable::RecordsFailed => {
            "the bank cannot store logins and tokens; repeat the same request once it is restarted"
        }
        Unavailable::Failed => "the bank's store failed; repeat the same request once it is back",
    };
    ErrorReply::with_detail(ErrorCode::SystemError, detail)
}

/// The wire parameter of a mismatch; `None` if the call itself differs.
fn mismatched_parameter(mismatch: Mismatch, amount: Parameter) -> Option<Parameter> {
    match mismatch {
        Mismatch::Player => Some(Parameter::OpenId),
        Mismatch::Zone => Some(Parameter::ZoneId),
        Mismatch::Offer => Some(Parameter::OfferId),
        Mismatch::Amount => Some(amount),
        // Only debits differ in the last two, and no call of the wire is a debit.
        Mismatch::Kind | Mismatch::Pay | Mismatch::Shortfall | Mismatch::TakeFirst => None,
    }
}
