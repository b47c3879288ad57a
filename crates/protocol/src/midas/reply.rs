//! Replies of the four calls and error replies, as the server writes and a client reads them.
//!
//! Fields are in the documented order; a success reply equals that of `docs/protocol/midas.md` byte for byte.
//! Read next: `reply/parse.rs` for the client's side.

use pactolus_types::{BillNo, Coins};

use crate::json::ObjectWriter;

mod parse;

pub use crate::error::error_to_json;
use parse::RawReply;
pub use parse::{ApiError, InvalidReply, ReplyOutcome, parse_reply};

/// The `Content-Type` of every reply.
pub const CONTENT_TYPE: &str = "application/json; encoding=utf-8";

/// The reply to a successful call. Sealed, like [`Call`](crate::midas::call::Call).
pub trait Reply: fields::ReplyCodec {}

mod fields {
    use super::{InvalidReply, ObjectWriter, RawReply};

    /// Serialisation and parsing of a reply.
    pub trait ReplyCodec: Sized {
        fn write(&self, object: ObjectWriter) -> ObjectWriter;
        fn read(fields: &RawReply) -> Result<Self, InvalidReply>;
    }
}

/// The body of a success reply.
pub fn to_json<R: Reply>(reply: &R) -> Vec<u8> {
    reply.write(ok()).finish()
}

/// The body of a success reply without fields of its own.
pub fn ok_json() -> Vec<u8> {
    ok().finish()
}

fn ok() -> ObjectWriter {
    ObjectWriter::new().number("errcode", 0).text("errmsg", "ok")
}

/// Reply to a present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentReply {
    /// The player's coins after the gift.
    pub balance: Coins,
    /// The order's number.
    pub bill_no: BillNo,
}

/// Reply to a getbalance.
///
/// `first_save` is not stored, because it only says whether `save_amt` is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceReply {
    /// The player's coins: `save_sum − cost_sum`, less the coins that the operator took back.
    pub balance: Coins,
    /// The gifted part of them.
    pub gen_balance: Coins,
    /// Coins ever topped up.
    pub save_amt: Coins,
    /// Coins ever received: `save_amt + present_sum`.
    pub save_sum: Coins,
    /// Coins ever spent.
    pub cost_sum: Coins,
    /// Coins ever gifted.
    pub present_sum: Coins,
}

/// Reply to a pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayReply {
    /// The order's number.
    pub bill_no: BillNo,
    /// The player's coins after the pay.
    pub balance: Coins,
    /// Gifted coins among those taken.
    pub used_gen_amt: Coins,
}

/// Reply to a cancelpay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelPayReply {
    /// The bill number of the pay.
    pub bill_no: BillNo,
}

impl Reply for PresentReply {}

impl fields::ReplyCodec for PresentReply {
    fn write(&self, object: ObjectWriter) -> ObjectWriter {
        object.number("balance", self.balance).text("bill_no", self.bill_no.as_str())
    }

    fn read(fields: &RawReply) -> Result<Self, InvalidReply> {
        Ok(Self { balance: fields.balance()?, bill_no: fields.bill_no()? })
    }
}

impl Reply for BalanceReply {}

impl fields::ReplyCodec for BalanceReply {
    fn write(&self, object: ObjectWriter) -> ObjectWriter {
        object
            .number("balance", self.balance)
            .number("gen_balance", self.gen_balance)
            .number("first_save", u8::from(self.save_amt.is_zero()))
            .number("save_amt", self.save_amt)
            .number("save_sum", self.save_sum)
            .number("cost_sum", self.cost_sum)
            .number("present_sum", self.present_sum)
    }

    fn read(fields: &RawReply) -> Result<Self, InvalidReply> {
        Ok(Self {
            balance: fields.balance()?,
            gen_balance: fields.gen_balance()?,
            save_amt: fields.save_amt()?,
            save_sum: fields.save_sum()?,
            cost_sum: fields.cost_sum()?,
            present_sum: fields.present_sum()?,
        })
    }
}

impl Reply for PayReply {}

impl fields::ReplyCodec for PayReply {
    fn write(&self, object: ObjectWriter) -> ObjectWriter {
        object
            .text("bill_no", self.bill_no.as_str())
            .number("balance", self.balance)
            .number("used_gen_amt", self.used_gen_amt)
    }

    fn read(fields: &RawReply) -> Result<Self, InvalidReply> {
        Ok(Self {
            bill_no: fields.bill_no()?,
            balance: fields.balance()?,
            used_gen_amt: fields.used_gen_amt()?,
        })
    }
}

impl Reply for CancelPayReply {}

impl fields::ReplyCodec for CancelPayReply {
    fn write(&self, object: ObjectWriter) -> ObjectWriter {
        object.text("bill_no", self.bill_no.as_str())
    }

    fn read(fields: &RawReply) -> Result<Self, InvalidReply> {
        Ok(Self { bill_no: fields.bill_no()? })
    }
}
