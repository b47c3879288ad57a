//! The Midas calls. A handler gets a call whose signatures are verified, and nothing less.

pub(crate) mod convert;
pub(crate) mod signed;

use std::sync::Arc;

use axum::extract::State;
use pactolus_ledger::Posted;
use pactolus_protocol::{
    BalanceReply, CancelPay, CancelPayReply, ErrorCode, GetBalance, Parameter, Pay, PayReply, Present,
    PresentReply,
};

use self::signed::Signed;
use crate::answer::{Done, Refused};
use crate::bank::Bank;

/// Gives coins to a player.
pub(crate) async fn present(
    State(bank): State<Arc<Bank>>,
    signed: Signed<Present>,
) -> Result<Done<PresentReply>, Refused> {
    let posted = bank.ledger.post(convert::present(&signed), signed.now).await;
    match posted.map_err(|error| convert::refusal(error, Parameter::PresentCounts))? {
        Posted::Applied(receipt) => {
            Ok(Done(PresentReply { balance: receipt.after.balance(), bill_no: signed.call.bill_no }))
        }
        Posted::Replayed { account, .. } => Err(convert::replayed(signed.call.bill_no, &account).into()),
    }
}

/// Tells what a player has.
pub(crate) async fn get_balance(
    State(bank): State<Arc<Bank>>,
    signed: Signed<GetBalance>,
) -> Result<Done<BalanceReply>, Refused> {
    let account = bank.ledger.account(convert::account(&signed)).await.map_err(convert::unavailable)?;
    Ok(Done(convert::balance(&account)))
}

/// Takes coins from a player.
pub(crate) async fn pay(
    State(bank): State<Arc<Bank>>,
    signed: Signed<Pay>,
) -> Result<Done<PayReply>, Refused> {
    let posted = bank.ledger.post(convert::pay(&signed), signed.now).await;
    match posted.map_err(|error| convert::refusal(error, Parameter::Amt))? {
        Posted::Applied(receipt) => Ok(Done(PayReply {
            bill_no: signed.call.bill_no,
            balance: receipt.after.balance(),
            used_gen_amt: receipt.gifted,
        })),
        Posted::Replayed { account, .. } => Err(convert::replayed(signed.call.bill_no, &account).into()),
    }
}

/// Gives back what a pay took.
pub(crate) async fn cancel_pay(
    State(bank): State<Arc<Bank>>,
    signed: Signed<CancelPay>,
) -> Result<Done<CancelPayReply>, Refused> {
    let posted = bank.ledger.post(convert::cancel_pay(&signed), signed.now).await;
    match posted.map_err(|error| convert::refusal(error, Parameter::BillNo))? {
        Posted::Applied(_) => Ok(Done(CancelPayReply { bill_no: signed.call.bill_no })),
        Posted::Replayed { .. } => Err(ErrorCode::OrderCanceled.into()),
    }
}
