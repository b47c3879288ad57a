//! Error codes of all wires, and the error reply that carries one.
//!
//! An error reply may name a parameter and its rule. It must never hold a secret or a signed text.
//! Read next: `platform/code.rs`, `midas/code.rs`, `game/code.rs` and `xpay/code.rs`, the tables.

use std::borrow::Cow;
use std::fmt;

use pactolus_types::{BillNo, Coins};

use crate::game::code::GameCode;
use crate::json::ObjectWriter;
use crate::midas::code::MidasCode;
use crate::midas::parameter::Parameter;
use crate::platform::code::PlatformCode;
use crate::rid::Rid;
use crate::xpay::code::XpayCode;

/// An error code: one of the platform's or of a wire. Success (0, `ok`) is not one.
///
/// A number means nothing without its wire, so each wire has a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// On every wire.
    Platform(PlatformCode),
    /// On the first wire.
    Midas(MidasCode),
    /// On `/wxa/game/*`.
    Game(GameCode),
    /// On `/xpay/*`.
    Xpay(XpayCode),
}

impl ErrorCode {
    /// Every code that a call of the first wire answers with, in the order of the tables.
    pub fn of_midas() -> impl Iterator<Item = Self> {
        let platform = PlatformCode::ALL.iter().map(|code| Self::Platform(*code));
        platform.chain(MidasCode::ALL.iter().map(|code| Self::Midas(*code)))
    }

    /// The code with this number on the first wire.
    pub fn from_midas(code: i32) -> Option<Self> {
        Self::of_midas().find(|candidate| candidate.code() == code)
    }

    /// The `errcode`.
    pub const fn code(self) -> i32 {
        match self {
            Self::Platform(code) => code.code(),
            Self::Midas(code) => code.code(),
            Self::Game(code) => code.code(),
            Self::Xpay(code) => code.code(),
        }
    }

    /// The words with which every `errmsg` of this code starts.
    pub const fn errmsg(self) -> &'static str {
        match self {
            Self::Platform(code) => code.errmsg(),
            Self::Midas(code) => code.errmsg(),
            Self::Game(code) => code.errmsg(),
            Self::Xpay(code) => code.errmsg(),
        }
    }

    /// Whether the same request, unchanged, may succeed later.
    pub const fn retryable(self) -> bool {
        match self {
            Self::Platform(code) => code.retryable(),
            Self::Midas(code) => code.retryable(),
            Self::Game(code) => code.retryable(),
            Self::Xpay(code) => code.retryable(),
        }
    }
}

/// An error reply: a code and a detail for the caller.
///
/// [`error_to_json`] serialises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply {
    code: ErrorCode,
    detail: Option<Cow<'static, str>>,
    existing: Option<ExistingOrder>,
}

/// What the reply to an idempotent replay carries beside its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExistingOrder {
    /// The bill number of the existing order.
    pub bill_no: BillNo,
    /// The player's coins now.
    pub balance: Coins,
    /// Gifted coins among those that the order took, if it is a pay.
    pub used_gen_amt: Option<Coins>,
}

/// Follows the name of the parameter that differs from the existing order; clients parse it.
pub(crate) const MISMATCH_SUFFIX: &str = " differs from that of the order with this bill_no";

impl ErrorReply {
    /// An error reply with the code's words alone.
    pub const fn new(code: ErrorCode) -> Self {
        Self { code, detail: None, existing: None }
    }

    /// An error reply with a detail: a lowercase fragment without secrets.
    pub fn with_detail(code: ErrorCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: Some(detail.into()), existing: None }
    }

    /// 90018. `problem` continues the parameter's name, for example "is missing".
    pub fn invalid_parameter(parameter: Parameter, problem: impl fmt::Display) -> Self {
        Self::with_detail(ErrorCode::InvalidParameter, format!("{parameter} {problem}"))
    }

    /// 90012: an idempotent replay of this order.
    pub const fn replayed(existing: ExistingOrder) -> Self {
        Self { code: ErrorCode::OrderExist, detail: None, existing: Some(existing) }
    }

    /// The number was used before, on a wire with this code for it: an idempotent replay of that order.
    pub const fn replayed_as(code: ErrorCode, bill_no: BillNo, balance: Coins) -> Self {
        let existing = ExistingOrder { bill_no, balance, used_gen_amt: None };
        Self { code, detail: None, existing: Some(existing) }
    }

    /// 90012: the bill number belongs to another order, which differs in `parameter`.
    pub fn order_mismatch(parameter: Parameter) -> Self {
        Self::with_detail(ErrorCode::OrderExist, format!("{parameter}{MISMATCH_SUFFIX}"))
    }

    /// The code.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The detail that follows the code's words.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The existing order, if this answers an idempotent replay.
    pub const fn existing(&self) -> Option<&ExistingOrder> {
        self.existing.as_ref()
    }
}

impl From<ErrorCode> for ErrorReply {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for ErrorReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.errmsg())?;
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ErrorReply {}

/// The body of an error reply on the wire of its code: its message, then the request id.
pub fn error_to_json(refusal: &ErrorReply, rid: Rid) -> Vec<u8> {
    let object = ObjectWriter::new()
        .number("errcode", refusal.code().code())
        .text("errmsg", &format!("{refusal} rid: {rid}"));
    let Some(order) = refusal.existing() else { return object.finish() };
    let object =
        object.text(number_name(refusal.code()), order.bill_no.as_str()).number("balance", order.balance);
    match order.used_gen_amt {
        None => object.finish(),
        Some(gifted) => object.number("used_gen_amt", gifted).finish(),
    }
}

/// The name of an order's number on the wire of `code`.
const fn number_name(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Platform(_) | ErrorCode::Midas(_) | ErrorCode::Game(_) => "bill_no",
        ErrorCode::Xpay(_) => "order_id",
    }
}
