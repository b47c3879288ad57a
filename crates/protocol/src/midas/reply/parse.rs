//! Reply parser of a client: success or error.

use std::fmt;

use pactolus_types::{BillNo, Coins};
use serde::Deserialize;

use super::fields::ReplyCodec as _;
use crate::error::{ErrorCode, ExistingOrder, MISMATCH_SUFFIX};
use crate::midas::call::Call;
use crate::midas::parameter::Parameter;

/// A bank's reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyOutcome<R> {
    /// The call succeeded.
    Success(R),
    /// The bank refused the call.
    Refused(ApiError),
}

/// An error reply, as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The error code, which may be unknown to this version.
    pub errcode: i32,
    /// The message, with the request id at its end.
    pub errmsg: String,
    /// The existing order, if this answers an idempotent replay.
    pub existing: Option<ExistingOrder>,
}

impl ApiError {
    /// The error code, if this version knows it.
    pub fn code(&self) -> Option<ErrorCode> {
        ErrorCode::from_midas(self.errcode)
    }

    /// The request id at the end of the message, by which the bank's log finds the request.
    pub fn rid(&self) -> Option<&str> {
        let (words, rid) = self.errmsg.rsplit_once("rid:")?;
        let (rid, is_word) = (rid.trim(), words.is_empty() || words.ends_with([' ', ',', '[', '(']));
        let is_rid = !rid.is_empty() && rid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (is_word && is_rid).then_some(rid)
    }

    /// The parameter that differs in the existing order. Pactolus names it; the vendor's host does not.
    pub fn mismatched_parameter(&self) -> Option<Parameter> {
        let detail = self.errmsg.strip_prefix(ErrorCode::OrderExist.errmsg())?.strip_prefix(": ")?;
        detail.split_once(MISMATCH_SUFFIX).and_then(|(name, _)| Parameter::from_name(name))
    }
}

/// Why a body is not a reply to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidReply {
    /// It is not a JSON object with an `errcode`.
    NotAReply,
    /// This field is missing or has an invalid value.
    Field(&'static str),
}

impl fmt::Display for InvalidReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAReply => f.write_str("is not a JSON object with an errcode"),
            Self::Field(name) => write!(f, "has no valid {name}"),
        }
    }
}

impl std::error::Error for InvalidReply {}

/// Parses the body of the reply to a call of type `C`.
pub fn parse_reply<C: Call>(json: &[u8]) -> Result<ReplyOutcome<C::Reply>, InvalidReply> {
    let fields: RawReply = serde_json::from_slice(json).map_err(|_| InvalidReply::NotAReply)?;
    if fields.errcode == 0 {
        return C::Reply::read(&fields).map(ReplyOutcome::Success);
    }
    let existing = match (fields.bill_no(), fields.balance()) {
        (Ok(bill_no), Ok(balance)) => {
            Some(ExistingOrder { bill_no, balance, used_gen_amt: fields.used_gen_amt().ok() })
        }
        _ => None,
    };
    Ok(ReplyOutcome::Refused(ApiError { errcode: fields.errcode, errmsg: fields.errmsg, existing }))
}

macro_rules! raw_reply {
    ($($coins:ident),*) => {
        /// The fields of all replies.
        #[derive(Deserialize)]
        pub struct RawReply {
            errcode: i32,
            #[serde(default)]
            errmsg: String,
            bill_no: Option<String>,
            $($coins: Option<u64>,)*
        }

        impl RawReply {
            pub(super) fn bill_no(&self) -> Result<BillNo, InvalidReply> {
                let text = self.bill_no.as_deref().unwrap_or_default();
                BillNo::new(text).map_err(|_| InvalidReply::Field("bill_no"))
            }

            $(pub(super) fn $coins(&self) -> Result<Coins, InvalidReply> {
                self.$coins.and_then(Coins::new).ok_or(InvalidReply::Field(stringify!($coins)))
            })*
        }
    };
}

raw_reply!(balance, gen_balance, save_amt, save_sum, cost_sum, present_sum, used_gen_amt);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rid_is_the_end_of_the_message() {
        for (errmsg, rid) in [
            ("sig error rid: 59db17f1-01234567-89abcdef", Some("59db17f1-01234567-89abcdef")),
            ("sig error rid:59db17f1-01234567-89abcdef ", Some("59db17f1-01234567-89abcdef")),
            ("sig error, rid: a rid: b", Some("b")),
            ("rid: 1", Some("1")),
            ("grid: 1", None),
            ("sig error rid: ", None),
            ("sig error rid: 1 and more", None),
            ("sig error", None),
            ("", None),
        ] {
            let error = ApiError { errcode: 90011, errmsg: errmsg.to_owned(), existing: None };
            assert_eq!(error.rid(), rid, "{errmsg}");
        }
    }
}
