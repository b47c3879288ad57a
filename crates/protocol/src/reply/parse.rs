//! A client's side of replies: what a bank answered, done or refused.

use std::fmt;

use pactolus_types::{BillNo, Coins};
use serde::Deserialize;

use super::fields::Fields as _;
use crate::call::Call;
use crate::error::{DIFFERS, ErrorCode, ExistingOrder};
use crate::parameter::Parameter;

/// What a bank answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<R> {
    /// The call is done.
    Done(R),
    /// It is not.
    Refused(Refused),
}

/// A refusal as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The number, which may be one that this version does not know.
    pub errcode: i32,
    /// The words, with the request's id at their end.
    pub errmsg: String,
    /// The order that exists, if the same one was sent again.
    pub existing: Option<ExistingOrder>,
}

impl Refused {
    /// The code, if this version knows it.
    pub fn code(&self) -> Option<ErrorCode> {
        ErrorCode::from_code(self.errcode)
    }

    /// What is another in the order that has this bill number, where the bank names it: Pactolus does, the vendor's
    /// host does not.
    pub fn differs(&self) -> Option<Parameter> {
        let detail = self.errmsg.strip_prefix(ErrorCode::OrderExist.errmsg())?.strip_prefix(": ")?;
        detail.split_once(DIFFERS).and_then(|(name, _)| Parameter::from_name(name))
    }
}

/// Why a reply's body is no answer to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidAnswer {
    /// It is not a JSON object with an `errcode`.
    NotAnAnswer,
    /// A field is missing, or its value is not one that it can have.
    Field(&'static str),
}

impl fmt::Display for InvalidAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnAnswer => f.write_str("is not a JSON object with an errcode"),
            Self::Field(name) => write!(f, "has no valid {name}"),
        }
    }
}

impl std::error::Error for InvalidAnswer {}

/// What the reply's body `json` says about a call of type `C`.
pub fn parse_answer<C: Call>(json: &[u8]) -> Result<Answer<C::Reply>, InvalidAnswer> {
    let fields: AnswerFields = serde_json::from_slice(json).map_err(|_| InvalidAnswer::NotAnAnswer)?;
    if fields.errcode == 0 {
        return C::Reply::read(&fields).map(Answer::Done);
    }
    let existing = match (fields.bill_no(), fields.balance()) {
        (Ok(bill_no), Ok(balance)) => Some(ExistingOrder { bill_no, balance }),
        _ => None,
    };
    Ok(Answer::Refused(Refused { errcode: fields.errcode, errmsg: fields.errmsg, existing }))
}

macro_rules! answer_fields {
    ($($coins:ident),*) => {
        /// Every field that some reply has.
        #[derive(Deserialize)]
        pub struct AnswerFields {
            errcode: i32,
            #[serde(default)]
            errmsg: String,
            bill_no: Option<String>,
            $($coins: Option<u64>,)*
        }

        impl AnswerFields {
            pub(super) fn bill_no(&self) -> Result<BillNo, InvalidAnswer> {
                let text = self.bill_no.as_deref().unwrap_or_default();
                BillNo::new(text).map_err(|_| InvalidAnswer::Field("bill_no"))
            }

            $(pub(super) fn $coins(&self) -> Result<Coins, InvalidAnswer> {
                self.$coins.and_then(Coins::new).ok_or(InvalidAnswer::Field(stringify!($coins)))
            })*
        }
    };
}

answer_fields!(balance, gen_balance, save_amt, save_sum, cost_sum, present_sum, used_gen_amt);
